"""Every public entry, over everything that may carry the numbers: the same answer from each."""

import datetime
import decimal
import os
import subprocess
import sys
import warnings
from fractions import Fraction

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from problems import DataFrame

import fastlogit
from fastlogit import BatchSource, LogisticRegression, LogisticRegressionCV
from fastlogit.fitting.online import OnlineLogistic
from fastlogit.inputs import conversion as inputs
from fastlogit.model_file import Model, load_model, save_model

# Hundreds of fits: too slow without compiled code.
pytestmark = pytest.mark.jit

NAMES = ["count", "flag", "size"]
ROWS = 40
RNG = np.random.default_rng(3)
# Small whole numbers, booleans and halves: every carrier holds them exactly.
X0 = np.column_stack(
    [RNG.integers(0, 9, ROWS), RNG.integers(0, 2, ROWS), RNG.integers(-8, 9, ROWS) / 4.0]
).astype(float)
Y0 = (X0[:, 0] - 4.0 + 2.0 * X0[:, 2] + RNG.logistic(size=ROWS) > 0).astype(int)
W0 = RNG.integers(1, 4, ROWS).astype(float)
O0 = RNG.integers(-2, 3, ROWS) / 4.0
COEF, INTERCEPT = np.array([0.25, -0.5, 1.0]), -0.75
# Columns of a scan beside them, or covariates of one over them.
SCANNED = np.column_stack([np.arange(ROWS) % 3, np.arange(ROWS) % 5 == 0]).astype(float)

FRAME = pd.DataFrame(
    {
        "count": X0[:, 0].astype(np.int16),
        "flag": X0[:, 1].astype(bool),
        "size": X0[:, 2],
    }
)
POLARS = pl.DataFrame(
    {
        "count": pl.Series(X0[:, 0].astype(np.int64), dtype=pl.UInt8),
        "flag": X0[:, 1].astype(bool),
        "size": X0[:, 2],
    }
)


def decimals() -> pl.DataFrame:
    """A polars frame of decimals alone, which NumPy gets as objects."""
    columns = {
        name: [decimal.Decimal(str(value)) for value in column]
        for name, column in zip(NAMES, X0.T, strict=True)
    }
    return pl.DataFrame(columns)


def objects_beside_numbers() -> pd.DataFrame:
    """Python's own numbers in one column."""
    mixed = FRAME.astype({"size": object})
    mixed["size"] = [Fraction(value) for value in X0[:, 2]]
    return mixed


# How the table may come.
FEATURES = {
    "pandas mixed": FRAME,
    "pandas nullable": FRAME.convert_dtypes(),
    "pandas arrow": FRAME.convert_dtypes(dtype_backend="pyarrow"),
    "pandas objects": FRAME.astype(object),
    "pandas fractions": objects_beside_numbers(),
    "pandas float16": pd.DataFrame(X0.astype(np.float16), columns=NAMES),
    "polars mixed": POLARS,
    "polars decimals": decimals(),
    "pyarrow table": pa.Table.from_pandas(FRAME, preserve_index=False),
    "pyarrow batch": pa.RecordBatch.from_pandas(FRAME, preserve_index=False),
    "objects": X0.astype(object),
    "decimals": np.array([[decimal.Decimal(v) for v in row] for row in X0], dtype=object),
    "float16": X0.astype(np.float16),
    "long double": X0.astype(np.longdouble),
    "list": X0.tolist(),
    "list of tuples": [tuple(row) for row in X0.tolist()],
    "Fortran order": np.asfortranarray(X0),
}
# How labels, weights and offset may come.
VECTORS = {
    "pandas nullable": lambda v: pd.Series(v).convert_dtypes(),
    "pandas arrow": lambda v: pd.Series(v).convert_dtypes(dtype_backend="pyarrow"),
    "polars": pl.Series,
    "pyarrow": pa.array,
    "chunked": lambda v: pa.chunked_array([v[:10], v[10:]]),
    "objects": lambda v: v.astype(object),
    "float16": lambda v: v.astype(np.float16),
    "list": lambda v: v.tolist(),
}


def quiet_cv(**options):
    return LogisticRegressionCV(
        Cs=[0.1, 1.0], cv=3, l1_ratios=(0,), scoring="neg_log_loss", use_legacy_attributes=False,
        **options,
    )  # fmt: skip


def of_fit(X, y, w, o):
    result = fastlogit.fit(X, y, C=1.0, sample_weight=w, offset=o)
    return [
        result.coef, result.intercept, result.raw_prediction(X), result.predict_proba(X),
        result.predict(X),
    ]  # fmt: skip


def of_descent(X, y, w, o):
    result = fastlogit.gradient_descent(
        X, y, l2_reg=0.1, sample_weight=w, offset=o, max_iter=10_000
    )
    return [result.coef, result.intercept]


def of_cost(X, y, w, o):
    return [fastlogit.cost(X, y, COEF, INTERCEPT, sample_weight=w, offset=o)]


def of_problem(X, y, w, o):
    made = fastlogit.Problem(X, y, C=1.0, sample_weight=w, offset=o)
    theta = made.pack(COEF, INTERCEPT)
    return [*made.cost_gradient(theta), made.hessian(theta), made.hessian_product(theta, theta)]


def of_predictor(X, y, w, o):
    score = fastlogit.fit(X, y, sample_weight=w, offset=o, C=1.0).predictor()
    return [score(X), score.predict_proba(X), score.predict(X)]


def of_cost_gradient(X, y, w, o):
    return list(fastlogit.cost_gradient(X, y, COEF, INTERCEPT, sample_weight=w, offset=o))


def of_estimator(X, y, w, o):
    model = LogisticRegression(class_weight={0: 1.0, 1: 2.0}).fit(X, y, sample_weight=w, offset=o)
    return [
        model.coef_, model.intercept_, model.classes_, model.predict(X, offset=o),
        model.predict_proba(X, offset=o), model.predict_log_proba(X), model.decision_function(X),
        model.score(X, y, sample_weight=w), model.result_.predict_proba(X),
        fastlogit.leave_one_out(model, X, y, sample_weight=w, offset=o).log_loss,
    ]  # fmt: skip


def of_partial_fit(X, y, w, o):
    model = LogisticRegression().partial_fit(X, y, classes=[0, 1], sample_weight=w)
    model.partial_fit(X, y, sample_weight=w)
    return [model.coef_, model.intercept_, model.predict(X), model.predict_proba(X)]


def of_cv(X, y, w, o):
    model = quiet_cv().fit(X, y, sample_weight=w)
    return [
        model.coef_, model.C_, model.scores_, model.predict_proba(X),
        model.score(X, y, sample_weight=w), model.result_.predict_proba(X),
    ]  # fmt: skip


def of_leave_one_out(X, y, w, o):
    result = fastlogit.fit(X0, Y0, C=1.0, sample_weight=W0, offset=O0)
    found = fastlogit.leave_one_out(result, X, y, sample_weight=w, offset=o)
    return [found.log_loss, found.accuracy, found.raw_prediction, found.leverage]


def of_infer(X, y, w, o):
    """The columns separate: all that is given is read, and the words that refuse are the same."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", fastlogit.SeparationWarning)
        result = fastlogit.fit(X0, Y0, C=np.inf, sample_weight=W0, offset=O0)
    with pytest.raises(ValueError, match="separable") as refused:
        fastlogit.infer(result, X, y, sample_weight=w, offset=o, weights="frequency")
    return [np.frombuffer(str(refused.value).encode(), dtype=np.uint8)]


def of_reduced(X, y, w, o):
    result = fastlogit.fit(X0, Y0, penalty="firth", sample_weight=W0, offset=O0)
    found = fastlogit.infer(result, X, y, sample_weight=w, offset=o, weights="frequency")
    table = fastlogit.compare_models({"firth": found}).fit_statistics()
    return [found.coef, found.covariance, found.log_likelihood, table["aic"]]


def of_profile(X, y, w, o):
    """Separable columns have ends that are infinite."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", fastlogit.SeparationWarning)
        result = fastlogit.fit(X0, Y0, C=np.inf, sample_weight=W0, offset=O0)
    found = fastlogit.profile_intervals(
        result, X, y, sample_weight=w, offset=o, weights="frequency"
    )
    return [found.coef, found.log_likelihood, np.isinf(found.intervals)]


def of_ordinal(X, y, w, o):
    """The columns separate, as in `of_infer`; only their names differ."""
    with pytest.raises(ValueError, match="separable") as refused:
        fastlogit.ordinal_logit(X, y, sample_weight=w, weights="frequency", offset=o)
    said = str(refused.value)
    for name, plain in zip(NAMES, ("x0", "x1", "x2"), strict=True):
        said = said.replace(name, plain)
    return [np.frombuffer(said.encode(), dtype=np.uint8)]


def of_conditional(X, y, w, o):
    """The columns separate, as in `of_infer`; only their names differ. Weights are of strata."""
    strata = 4 * W0 + np.arange(ROWS) % 2
    with pytest.raises(ValueError, match="separable") as refused:
        fastlogit.conditional_logit(X, y, strata, sample_weight=w, weights="frequency", offset=o)
    said = str(refused.value).replace("count, flag, size", "x0, x1, x2")
    return [np.frombuffer(said.encode(), dtype=np.uint8)]


def of_margins(X, y, w, o):
    """Of a model of other rows, whose classes are not separable."""
    rows = np.random.default_rng(0).normal(size=(80, 3))
    labels = np.arange(80) % 2
    found = fastlogit.infer(fastlogit.fit(rows, labels, C=np.inf), rows, labels)
    mean = found.average_predictions(X=X, sample_weight=w, offset=o)
    each = found.predict(X, offset=o)
    return [mean.estimates, mean.standard_errors, each.estimates, each.standard_errors]


def of_prior(X, y, w, o):
    result = fastlogit.fit(X0, Y0, C=1.0, sample_weight=W0, offset=O0)
    return [fastlogit.prior_correction(result, y, sample_weight=w, prevalence=0.2).intercept]


def of_path(X, y, w, o):
    found = fastlogit.logistic_path(X, y, Cs=[0.1, 1.0], sample_weight=w, offset=o)
    return [found.coefs, found.intercepts]


def of_groups(X, y, w, o):
    groups = np.arange(len(Y0)) % 2
    found = fastlogit.fit_groups(X, y, groups, C=1.0, sample_weight=w, offset=o)
    return [found.coef, found.intercept, found.standard_errors, found.log_likelihood]


def of_bootstrap(X, y, w, o):
    found = fastlogit.bootstrap(X, y, 3, C=1.0, sample_weight=w, offset=o, random_state=0)
    return [found.coef, found.intercept, found.confidence_intervals(method="bca")]


def of_permutation(X, y, w, o):
    found = fastlogit.permutation(X, y, [1], n=3, C=1.0, random_state=0)
    return [found.statistic, found.replicates]


def of_scan(X, y, w, o):
    # The covariates separate: Firth's likelihood has an optimum all the same.
    found = fastlogit.scan(X, SCANNED, y, firth=True, sample_weight=w, offset=o)
    turned = fastlogit.scan(SCANNED, X, y, firth="fallback", sample_weight=w, offset=o)
    return [each for part in (found, turned) for each in (part.coef, part.wald, part.status)]


def of_batches(X, y, w, o):
    source = BatchSource(lambda: iter([(X, y, w), (X, y, w)]))
    result = fastlogit.fit(source, C=1.0)
    model = LogisticRegression().fit(source)
    return [result.coef, result.intercept, model.coef_, model.classes_]


def of_online(X, y, w, o):
    model = OnlineLogistic(3, [0, 1]).update(X, y, w)
    return [model.coef, model.intercept]


def of_functions(X, y, w, o):
    return [
        fastlogit.raw_prediction(X, COEF, INTERCEPT, offset=o),
        fastlogit.predict_proba(X, COEF, INTERCEPT, offset=o),
        fastlogit.predict(X, COEF, INTERCEPT),
    ]


def of_elementwise(X, y, w, o):
    return [
        fastlogit.sigmoid(X), fastlogit.log_sigmoid(X), fastlogit.log1p_exp(X), fastlogit.logit(w),
        fastlogit.sigmoid(o),
    ]  # fmt: skip


def of_calibration(X, y, w, o):
    proba = 1.0 / (1.0 + np.exp(-O0 - X0[:, 2]))
    found = fastlogit.calibration(y, proba, sample_weight=w, weights="frequency")
    return [found.slope, found.slope_error, found.observed]


def of_separation(X, y, w, o):
    found = fastlogit.separation(X, y, sample_weight=w)
    return [found.separated, found.n_samples]


def of_posterior(X, y, w, o):
    prior = fastlogit.GaussianPrior(0.1, 2.0)
    found = fastlogit.posterior(X, y, prior, sample_weight=w, offset=o, weights="analytic")
    return [found.coef, found.covariance, found.predict_proba(X, offset=o)]


def of_pseudo_rows(X, y, w, o):
    found = fastlogit.pseudo_rows(X, y, fastlogit.LogFPrior(), sample_weight=w)
    dense = found.X.toarray() if hasattr(found.X, "toarray") else found.X
    return [dense, found.y, found.sample_weight]


def of_high_dimensional(X, y, w, o):
    found = fastlogit.high_dimensional(X, y, alpha=0.8)
    return [found.coef, found.covariance]


# Which call runs each public name; a new name must be given one, or stand among those without data.
ENTRIES = {
    "BatchSource": of_batches,
    "BiasReducedInference": of_reduced,
    "BootstrapDistribution": of_bootstrap,
    "BootstrapResult": of_bootstrap,
    "Calibration": of_calibration,
    "Diagnostics": of_infer,
    "ConditionalLogit": of_conditional,
    "FitResult": of_fit,
    "GroupFit": of_groups,
    "GroupFits": of_groups,
    "GaussianPrior": of_posterior,
    "HighDimensionalInference": of_high_dimensional,
    "HypothesisTest": of_infer,
    "Inference": of_infer,
    "LeaveOneOut": of_leave_one_out,
    "LogFPrior": of_pseudo_rows,
    "LogisticRegression": of_estimator,
    "LogisticRegressionCV": of_cv,
    "Margins": of_margins,
    "ModelTable": of_reduced,
    "OrdinalResult": of_ordinal,
    "PathResult": of_path,
    "PermutationResult": of_permutation,
    "Predictions": of_margins,
    "Posterior": of_posterior,
    "Predictor": of_predictor,
    "ProfileIntervals": of_profile,
    "Problem": of_problem,
    "ScanResult": of_scan,
    "SeparationReport": of_separation,
    "StudentPrior": of_posterior,
    "bootstrap": of_bootstrap,
    "calibration": of_calibration,
    "compare_models": of_reduced,
    "conditional_logit": of_conditional,
    "cost": of_cost,
    "cost_gradient": of_cost_gradient,
    "fit": of_fit,
    "fit_groups": of_groups,
    "gradient_descent": of_descent,
    "high_dimensional": of_high_dimensional,
    "infer": of_infer,
    "leave_one_out": of_leave_one_out,
    "log1p_exp": of_elementwise,
    "log_sigmoid": of_elementwise,
    "logistic_path": of_path,
    "logit": of_elementwise,
    "ordinal_logit": of_ordinal,
    "permutation": of_permutation,
    "posterior": of_posterior,
    "predict": of_functions,
    "predict_proba": of_functions,
    "prior_correction": of_prior,
    "profile_intervals": of_profile,
    "pseudo_rows": of_pseudo_rows,
    "raw_prediction": of_functions,
    "scan": of_scan,
    "separation": of_separation,
    "sigmoid": of_elementwise,
}
WITHOUT_DATA = {
    "ArrowSource", "ParquetSource", "write_predictions",  # tables with their target: test_sources
    "AddedVariableDisplay", "BrantTest", "CVScoreDisplay", "CalibrationDisplay",
    "CoefficientsDisplay",
    "ConvergenceDisplay", "DivergenceError", "ForestDisplay", "GroupStatus", "InfluenceDisplay",
    "ParallelLinesTest",
    "HashKFold", "Progress", "RegularizationPathDisplay", "ResidualsDisplay", "ScanStatus",
    "SeparationWarning", "WarmUp", "warmup",
}  # fmt: skip
CALLS = [*dict.fromkeys([*ENTRIES.values(), of_partial_fit, of_online])]
EXPECTED: dict = {}


def expected(call):
    """What the float64 array gives."""
    if call not in EXPECTED:
        EXPECTED[call] = call(X0, Y0, W0, O0)
    return EXPECTED[call]


def assert_same(found, right) -> None:
    assert len(found) == len(right)
    for one, other in zip(found, right, strict=True):
        assert np.shape(one) == np.shape(other)
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-11)


def test_every_public_name_is_run() -> None:
    assert set(fastlogit.__all__) == ENTRIES.keys() | WITHOUT_DATA


@pytest.mark.parametrize("carrier", FEATURES)
@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.__name__)
def test_tables(call, carrier) -> None:
    assert_same(call(FEATURES[carrier], Y0, W0, O0), expected(call))


@pytest.mark.parametrize("carrier", VECTORS)
@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.__name__)
def test_vectors(call, carrier) -> None:
    convert = VECTORS[carrier]
    assert_same(call(X0, convert(Y0), convert(W0), convert(O0)), expected(call))


@pytest.mark.parametrize(
    "X",
    [
        pd.DataFrame(X0.astype(np.float32), columns=NAMES),
        pd.DataFrame(X0, columns=NAMES, dtype="Float32"),
        pl.DataFrame(X0.astype(np.float32), schema=NAMES),
        pa.table({name: X0[:, i].astype(np.float32) for i, name in enumerate(NAMES)}),
        FRAME.astype({"count": np.int8, "size": np.float32}),
    ],
    ids=["pandas", "nullable", "polars", "pyarrow", "beside bool and int8"],
)
def test_float32_frames_stay_float32(X) -> None:
    read = inputs.as_numbers("X", X)
    assert read.dtype == np.float32
    np.testing.assert_array_equal(read, X0)
    model = LogisticRegression().fit(X, Y0)
    assert model.coef_.dtype == np.float64  # rounded, columns far from 0 would lose digits
    assert model.predict_proba(X).dtype == np.float32


def test_what_needs_no_conversion_is_not_copied() -> None:
    for given in (X0, X0.astype(np.float32), X0 > 0):
        assert inputs.as_numbers("X", given) is given
    frame = pd.DataFrame(X0, columns=NAMES)
    assert np.shares_memory(inputs.as_numbers("X", frame), frame.to_numpy())


# ------------------------------------------------------------------------------------------------
# What is refused


def doors(X, y=Y0):
    """Calls that read X, each its own way."""
    result = fastlogit.fit(X0, Y0, C=1.0)
    model = LogisticRegression().fit(X0, Y0)
    return [
        lambda: fastlogit.fit(X, y, C=1.0),
        lambda: fastlogit.gradient_descent(X, y),
        lambda: fastlogit.cost(X, y, COEF),
        lambda: result.predict_proba(X),
        lambda: fastlogit.predict(X, COEF),
        lambda: fastlogit.leave_one_out(result, X, y),
        lambda: fastlogit.logistic_path(X, y, Cs=[1.0]),
        lambda: fastlogit.fit(BatchSource(lambda: iter([(X, y)])), C=1.0),
        lambda: OnlineLogistic(3, [0, 1]).update(X, y),
        lambda: LogisticRegression().fit(X, y),
        lambda: LogisticRegression().partial_fit(X, y, classes=[0, 1]),
        lambda: quiet_cv().fit(X, y),
        lambda: model.predict(X),
        lambda: model.decision_function(X),
    ]


# Which of the doors read categorical columns: `fit`, `logistic_path`, the fits of both estimators;
# batches and streams; and `cost`, which counts the coefficients. What has a number of columns says
# that it does not, and what to pass.
READ_CATEGORIES = {0, 6, 7, 9, 10, 11}
COST = 2
COUNTED = 8


def assert_refused_at_every_door(X, error, words) -> None:
    are_read = any("categories" in word for word in words)
    for number, door in enumerate(doors(X)):
        if are_read and number in READ_CATEGORIES:
            door()
            continue
        if are_read and number == COST:
            with pytest.raises(ValueError, match="coefficients, one for each level"):
                fastlogit.cost(X, Y0, COEF, categories="full")
            continue
        with warnings.catch_warnings():
            # The estimator of arrays is shown names, as scikit-learn warns.
            warnings.filterwarnings("ignore", "X has feature names")
            with pytest.raises(error) as caught:
                door()
        said = words
        if are_read and number == COUNTED:
            said = ["'flag'", "a batch takes no categorical columns", "get_dummies"]
        for word in said:
            assert word in str(caught.value)


DAYS = [datetime.date(2020, 1, 1) + datetime.timedelta(days=i) for i in range(ROWS)]
TIMES = [datetime.datetime(2020, 1, 1, i % 24) for i in range(ROWS)]
POLARS_DATES = {
    "Date": pl.Series(DAYS),
    "Datetime": pl.Series(TIMES),
    "Duration": pl.Series(TIMES) - TIMES[0],
    "Time": pl.Series([time.time() for time in TIMES]),
}
PANDAS_DATES = {
    "datetime64": pd.Series(pd.to_datetime(DAYS)),
    "with zone": pd.Series(pd.to_datetime(DAYS)).dt.tz_localize("UTC"),
    "timedelta64": pd.Series(pd.to_timedelta(np.arange(ROWS), unit="D")),
    "period": pd.Series(pd.period_range("2020-01-01", periods=ROWS)),
    "objects": pd.Series(DAYS, dtype=object),
    "arrow": pd.Series(DAYS, dtype=pd.ArrowDtype(pa.date32())),
    "arrow duration": pd.Series([day - DAYS[0] for day in DAYS], dtype="duration[s][pyarrow]"),
}


@pytest.mark.parametrize("kind", POLARS_DATES)
def test_dates_of_polars(kind) -> None:
    X = POLARS.with_columns(POLARS_DATES[kind].alias("flag"))
    assert_refused_at_every_door(X, TypeError, ["'flag'", "dates and times are not numbers"])


@pytest.mark.parametrize("kind", PANDAS_DATES)
def test_dates_of_pandas(kind) -> None:
    X = FRAME.assign(flag=PANDAS_DATES[kind])
    assert_refused_at_every_door(X, TypeError, ["'flag'", "dates and times are not numbers"])


def test_dates_of_pyarrow_and_numpy() -> None:
    X = pa.Table.from_pandas(FRAME.assign(flag=PANDAS_DATES["datetime64"]), preserve_index=False)
    assert_refused_at_every_door(X, TypeError, ["'flag'", "dates and times are not numbers"])
    days = np.tile(np.array(DAYS, dtype="M8[D]")[:, None], (1, 3))
    assert_refused_at_every_door(days, TypeError, ["datetime64[D]", "dates and times"])
    assert_refused_at_every_door(days - days[0], TypeError, ["timedelta64", "dates and times"])


@pytest.mark.parametrize(
    ("column", "words"),
    [
        (pd.Series(["red", "blue"] * 20), ["'flag' holds 'red' (row 0)", "OneHotEncoder"]),
        (pd.Series(["red", "blue"] * 20, dtype="string"), ["'flag' holds 'red' (row 0)"]),
        (pd.Series(["red", "blue"] * 20, dtype=object), ["'flag' holds 'red' (row 0)"]),
        (pd.Series([1, 2] * 20, dtype="category"), ["'flag'", "categories are not numbers"]),
        (pd.Series([1.0, "2"] * 20, dtype=object), ["'flag' holds '2' (row 1)"]),
        (pd.Series([1.0 + 1j, 2.0] * 20), ["'flag'", "complex"]),
        (pd.Series(pd.cut(X0[:, 0], 3)), ["'flag'", "categories are not numbers"]),
        (pd.Series(pd.interval_range(0, 40)), ["'flag'", "no numbers"]),
    ],
    ids=["text", "string", "object", "category", "digits", "complex", "cut", "interval"],
)
def test_columns_of_pandas_that_hold_no_numbers(column, words) -> None:
    assert_refused_at_every_door(FRAME.assign(flag=column), TypeError, words)


@pytest.mark.parametrize(
    ("column", "words"),
    [
        (pl.Series(["red", "blue"] * 20), ["'flag' holds 'red' (row 0)", "OneHotEncoder"]),
        (pl.Series(["a", "b"] * 20, dtype=pl.Categorical), ["'flag'", "categories are not"]),
        (pl.Series(["a", "b"] * 20, dtype=pl.Enum(["a", "b"])), ["'flag'", "categories are not"]),
        (pl.Series([[1.0, 2.0]] * 40), ["'flag'", "no numbers"]),
        (pl.Series([{"a": 1.0}] * 40), ["'flag'", "no numbers"]),
    ],
    ids=["text", "categorical", "enum", "list", "struct"],
)
def test_columns_of_polars_that_hold_no_numbers(column, words) -> None:
    X = POLARS.with_columns(column.alias("flag"))
    assert_refused_at_every_door(X, TypeError, words)
    if isinstance(column.dtype, pl.Enum):
        return  # pyarrow knows it as a dictionary, as the categorical
    assert_refused_at_every_door(X.to_arrow(), TypeError, words)


@pytest.mark.parametrize("backend", ["numpy_nullable", "pyarrow"])
def test_missing_values_of_nullable_columns(backend) -> None:
    X = FRAME.convert_dtypes(dtype_backend=backend)
    X.loc[7, "count"] = pd.NA
    words = ["X contains NaN", "column 'count' (row 7)", "SimpleImputer"]
    for door in doors(X)[:-5]:
        with pytest.raises(ValueError) as caught:
            door()
        for word in words:
            assert word in str(caught.value)
    with pytest.raises(ValueError, match=r"NaN in column 'count' \(row 7\)"):
        LogisticRegression().fit(X, Y0)
    with pytest.raises(ValueError, match=r"NaN in column 'count' \(row 7\)"):
        quiet_cv().fit(X, Y0)


def test_names_of_the_fit_are_asked_for_before_the_values() -> None:
    result = fastlogit.fit(FRAME, Y0, C=1.0)
    for call in (result.predict, lambda X: fastlogit.leave_one_out(result, X, Y0)):
        with pytest.raises(ValueError, match="it has 'town' beside them"):
            call(FRAME.assign(town="Oslo"))
        with pytest.raises(TypeError, match=r"polars LazyFrame, .* pass X\.collect\(\)"):
            call(POLARS.lazy())
        with pytest.raises(ValueError, match="in another order"):
            call(FRAME[["flag", "count", "size"]])


def test_a_source_of_batches_is_for_fits() -> None:
    source = BatchSource(lambda: iter([(X0, Y0)]))
    result, model = fastlogit.fit(X0, Y0, C=1.0), LogisticRegression().fit(X0, Y0)
    for call in (
        result.predict, result.raw_prediction, model.predict, model.predict_proba,
        lambda X: fastlogit.cost(X, Y0, COEF), lambda X: fastlogit.predict(X, COEF),
        lambda X: fastlogit.leave_one_out(result, X, Y0), lambda X: model.score(X, Y0),
        lambda X: LogisticRegression().partial_fit(X, Y0, classes=[0, 1]),
        lambda X: OnlineLogistic(3, [0, 1]).update(X, Y0), fastlogit.sigmoid,
    ):  # fmt: skip
        with pytest.raises(TypeError, match=r" is a fastlogit BatchSource, which only fits read"):
            call(source)


TWICE = {
    "pandas": pd.DataFrame(X0, columns=["a", "b", "a"]),
    "pandas mixed": FRAME.set_axis(["a", "b", "a"], axis=1),
    "pandas nullable": FRAME.convert_dtypes().set_axis(["a", "b", "a"], axis=1),
    "pandas arrow": FRAME.convert_dtypes(dtype_backend="pyarrow").set_axis(["a", "b", "a"], axis=1),
    "pandas objects": FRAME.astype(object).set_axis(["a", "b", "a"], axis=1),
    "pyarrow table": pa.table(list(X0.T), names=["a", "b", "a"]),
    "pyarrow batch": pa.record_batch(list(X0.T), names=["a", "b", "a"]),
}


@pytest.mark.parametrize("carrier", TWICE)
def test_columns_of_one_name_are_refused_at_every_door(carrier) -> None:
    words = ["X has 2 columns called 'a' (columns 0, 2, counting from 0); give each column a name"]
    assert_refused_at_every_door(TWICE[carrier], ValueError, words)


def test_several_names_that_columns_share() -> None:
    frame = pd.DataFrame(np.hstack([X0, X0]), columns=[1, 2, "x", 2, 1, "y"])
    with pytest.raises(ValueError, match=r"called 1 \(columns 0, 4, .*\), and 2 more than once;"):
        fastlogit.fit(frame, Y0, C=1.0)
    # Columns of several levels have names of several parts.
    levels = pd.DataFrame(X0, columns=pd.MultiIndex.from_tuples([(1, "a"), (1, "b"), (2, "a")]))
    assert fastlogit.fit(levels, Y0, C=1.0).converged


def test_missing_values_of_other_frames() -> None:
    for X in (
        POLARS.with_columns(
            pl.when(pl.row_index() == 7).then(None).otherwise("flag").alias("flag")
        ),
        pa.table({**{n: X0[:, i] for i, n in enumerate(NAMES)}, "flag": [True] * 7 + [None] * 33}),
    ):
        with pytest.raises(ValueError, match=r"column 'flag' \(row 7\)"):
            fastlogit.fit(X, Y0, C=1.0)
    objects = FRAME.astype(object)
    objects.loc[7, "flag"] = None
    assert_refused_at_every_door(objects, ValueError, ["None", "'flag' (row 7)"])


def test_missing_weights_and_offsets() -> None:
    holes = pd.Series(W0).convert_dtypes()
    holes[5] = pd.NA
    with pytest.raises(ValueError, match=r"sample_weight is not finite: nan \(row 5\)"):
        fastlogit.fit(X0, Y0, sample_weight=holes)
    with pytest.raises(ValueError, match="offset contains NaN"):
        fastlogit.fit(X0, Y0, offset=holes)


def test_sparse_frames_are_told_what_frames_have() -> None:
    sparse = pd.DataFrame(X0, columns=NAMES).astype(pd.SparseDtype(float, 0.0))
    filled = sparse.astype(pd.SparseDtype(float, 1.0))
    words = ["frame of sparse columns", "X.sparse.to_dense()"]
    assert_refused_at_every_door(filled, TypeError, words)
    assert_same(of_fit(filled.sparse.to_dense(), Y0, W0, O0), expected(of_fit))
    mixed = FRAME.assign(size=filled["size"])
    words = ["column 'size'", "leaves out others than zeros", "X.astype({'size': float})"]
    assert_refused_at_every_door(mixed, TypeError, words)
    # Sparse columns that are read stand before the one that is refused.
    first = FRAME.assign(**{NAMES[0]: sparse[NAMES[0]], "size": filled["size"]})
    assert_refused_at_every_door(first, TypeError, words)
    dense = mixed.astype({"size": float})
    assert_same(of_fit(dense, Y0, W0, O0), expected(of_fit))
    assert_same(of_fit(mixed.astype(float), Y0, W0, O0), expected(of_fit))


def test_frames_some_of_whose_columns_are_sparse() -> None:
    sparse = pd.DataFrame(X0, columns=NAMES).astype(pd.SparseDtype(float, 0.0))
    mixed = FRAME.assign(size=sparse["size"])
    for door in doors(mixed):
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "X has feature names")
            warnings.simplefilter("ignore", fastlogit.SeparationWarning)
            door()
    model = LogisticRegression().partial_fit(mixed, Y0, classes=[0, 1])
    wanted = LogisticRegression().partial_fit(FRAME, Y0, classes=[0, 1])
    np.testing.assert_allclose(model.coef_, wanted.coef_, rtol=1e-9)
    read = (mixed, mixed.astype(float))
    found, same = (fastlogit.scan(X, FRAME, Y0, firth=True) for X in read)
    np.testing.assert_allclose(found.coef, same.coef, rtol=1e-6)


def of_library(library, name):
    """An object whose class only looks like one of a library that is not here."""
    return type(name, (), {"__module__": library})()


def test_what_has_no_rows_yet_is_named() -> None:
    table = pa.Table.from_pandas(FRAME)
    for X, words in (
        (POLARS.lazy(), ["X is a polars LazyFrame", "X.collect()"]),
        (table.to_reader(), ["X is a pyarrow RecordBatchReader", "X.read_all()"]),
        (of_library("_duckdb", "DuckDBPyRelation"), ["X is a duckdb DuckDBPyRelation", "X.df()"]),
        (of_library("dask.dataframe", "DataFrame"), ["X is a dask DataFrame", "X.compute()"]),
    ):
        assert_refused_at_every_door(X, TypeError, words)
    lazy = table.to_reader()
    with pytest.raises(TypeError, match="sample_weight is a pyarrow RecordBatchReader"):
        fastlogit.fit(X0, Y0, sample_weight=lazy)
    assert lazy.read_all().num_rows == ROWS  # nothing was taken from it


def test_dask_arrays_of_unknown_length() -> None:
    da = pytest.importorskip("dask.array")
    array = da.from_array(X0, chunks=(10, 3))
    unknown = array[array[:, 0] >= 0.0]
    for door in doors(unknown)[:1] + doors(unknown)[9:10]:
        with pytest.raises(
            ValueError, match=r"dask Array of unknown length; .*compute_chunk_sizes"
        ):
            door()
    found = fastlogit.fit(unknown.compute_chunk_sizes(), Y0, C=1.0)
    np.testing.assert_allclose(found.coef, fastlogit.fit(X0, Y0, C=1.0).coef, rtol=1e-6)


def test_an_object_that_numpy_cannot_read_is_named() -> None:
    class Tensor:
        def __array__(self, dtype=None, copy=None):
            raise RuntimeError("call detach() first")

    with pytest.raises(TypeError, match=r"X is a .*Tensor, of which NumPy .* detach\(\) first"):
        fastlogit.predict(Tensor(), COEF)


def test_a_column_may_have_any_name() -> None:
    """Attributes of a frame that are its columns mislead those who look for attributes."""
    X = FRAME.set_axis(["dtype", "tocsr", "todense"], axis=1)
    assert_same(of_fit(X, Y0, W0, O0), expected(of_fit))
    assert_same(of_estimator(X, Y0, W0, O0), expected(of_estimator))


# ------------------------------------------------------------------------------------------------
# Labels

LARGE = [2**53, 2**53 + 1, 2**53 + 2]


@pytest.mark.parametrize(
    "y",
    [
        pd.Series(LARGE * 10, dtype="Int64"),
        pd.Series(LARGE * 10, dtype="int64[pyarrow]"),
        pd.Series(LARGE * 10, dtype="category"),
        pd.Series([label + 2**63 for label in LARGE] * 10, dtype="UInt64"),
        np.array([label + 2**63 for label in LARGE] * 10, dtype=np.uint64),
        pl.Series(LARGE * 10),
        pa.array(LARGE * 10),
        np.array(LARGE * 10, dtype=object),
        LARGE * 10,
    ],
    ids=["Int64", "arrow", "category", "UInt64", "uint64", "polars", "pyarrow", "objects", "list"],
)
def test_large_whole_numbers_are_not_merged(y) -> None:
    X = np.random.default_rng(0).normal(size=(30, 2))
    right = sorted({int(label) for label in (y.to_pylist() if isinstance(y, pa.Array) else y)})
    result = fastlogit.fit(X, y, C=1.0)
    assert [int(label) for label in result.classes] == right
    model = LogisticRegression().fit(X, y)
    assert [int(label) for label in model.classes_] == right
    assert model.classes_.dtype.kind in "iu"
    # Labels that a model finds again are those it was given.
    raw = fastlogit.leave_one_out(result, X, y).raw_prediction
    assert raw.shape == (30, 3)
    given = y.to_pylist() if isinstance(y, pa.Array) else list(y)
    hits = [int(a) == int(b) for a, b in zip(model.predict(X), given, strict=True)]
    assert model.score(X, y) == np.mean(hits)


@pytest.mark.parametrize(
    ("y", "classes", "dtype"),
    [
        (pd.Series([True, False] * 20, dtype="boolean"), [False, True], bool),
        (pd.Series([True, False] * 20, dtype="bool[pyarrow]"), [False, True], bool),
        (pd.Series([2, 1] * 20, dtype="Int8"), [1, 2], np.int8),
        (pd.Series([2.0, 1.0] * 20, dtype="Float32"), [1.0, 2.0], np.float32),
        (pd.Series(["b", "a"] * 20), ["a", "b"], object),
        (pd.Series(["b", "a"] * 20, dtype="string"), ["a", "b"], object),
        (pd.Series(["b", "a"] * 20, dtype="category"), ["a", "b"], object),
        (pd.Series([5, 3] * 20, dtype="category"), [3, 5], np.int64),
        (pl.Series(["b", "a"] * 20), ["a", "b"], "<U1"),
        (pl.Series(["b", "a"] * 20, dtype=pl.Categorical), ["a", "b"], object),
        (pl.Series([True, False] * 20), [False, True], bool),
        (pa.array(["b", "a"] * 20), ["a", "b"], object),
        (pa.array(["b", "a"] * 20).dictionary_encode(), ["a", "b"], object),
        (np.array([2, 1] * 20, dtype=object), [1, 2], np.int64),
        (pl.Series([decimal.Decimal(2), decimal.Decimal(1)] * 20), [1.0, 2.0], float),
    ],
    ids=lambda value: "",
)
def test_classes_have_the_type_that_scikit_learn_gives_or_the_labels_own(y, classes, dtype) -> None:
    model = LogisticRegression().fit(X0, y)
    assert model.classes_.tolist() == classes
    assert model.classes_.dtype == dtype
    assert model.score(X0, y) == model.score(X0, np.array(model.classes_[[1, 0] * 20]))
    assert quiet_cv().fit(X0, y).classes_.tolist() == classes
    online = LogisticRegression().partial_fit(X0, y, classes=y[:2])
    assert online.classes_.tolist() == classes
    assert fastlogit.fit(X0, y, C=1.0).classes.tolist() == classes


def label_doors(y):
    return [
        lambda: fastlogit.fit(X0, y, C=1.0),
        lambda: fastlogit.cost(X0, y, COEF),
        lambda: fastlogit.logistic_path(X0, y, Cs=[1.0]),
        lambda: fastlogit.fit(BatchSource(lambda: iter([(X0, y)])), C=1.0),
        lambda: OnlineLogistic(3, [0, 1]).update(X0, y),
        lambda: LogisticRegression().fit(X0, y),
        lambda: LogisticRegression().partial_fit(X0, y, classes=[0, 1]),
        lambda: quiet_cv().fit(X0, y),
    ]


HOLED = [0, 1] * 20
HOLED[3] = None


@pytest.mark.parametrize(
    "y",
    [
        np.array(HOLED, dtype=object),
        pd.Series(HOLED, dtype="Int64"),
        pd.Series(HOLED, dtype="int64[pyarrow]"),
        pd.Series(HOLED, dtype="boolean"),
        pd.Series(HOLED, dtype="category"),
        pd.Series(np.array([0.0, 1.0, 0.0, np.nan] * 10), dtype=object),
        pd.Series(["a", "b", "a", None] * 10),
        pd.Series(["a", "b", "a", None] * 10, dtype="string"),
        np.array([0, 1, 0, pd.NaT] * 10, dtype=object),
        np.array([0, 1, 0, pd.NA] * 10, dtype=object),
        pl.Series(HOLED),
        pa.array(HOLED),
        pa.chunked_array([HOLED[:2], HOLED[2:]]),
        HOLED,
    ],
    ids=lambda value: "",
)
def test_missing_labels_are_named_by_row(y) -> None:
    for door in label_doors(y):
        with pytest.raises(ValueError, match=r"y contains .* \(row 3\)"):
            door()


@pytest.mark.parametrize(
    ("y", "words"),
    [
        (pd.Series(TIMES), ["datetime64", "not dates"]),
        (np.array(DAYS, dtype="M8[D]"), ["datetime64[D]", "not dates"]),
        (pd.Series(TIMES).dt.tz_localize("UTC"), ["dates", "y.astype(str)"]),
        (pd.Series(pd.period_range("2020", periods=ROWS, freq="D")), ["dates", "Period"]),
        (pd.Series(pd.cut(X0[:, 0], 2)), ["intervals", "Interval", "y.astype(str)"]),
        (pl.Series(DAYS), ["dtype Date", "not dates", "polars.String"]),
        (pa.array(DAYS), ["date32", "not dates"]),
        (pd.Series(DAYS, dtype=object), ["dates", "datetime.date(2020, 1, 1) (row 0)"]),
    ],
    ids=lambda value: "",
)
def test_labels_that_are_no_labels(y, words) -> None:
    for door in label_doors(y):
        with pytest.raises(TypeError) as caught:
            door()
        for word in words:
            assert word in str(caught.value)


# ------------------------------------------------------------------------------------------------
# Names of columns


def test_a_result_checks_the_names_of_columns() -> None:
    result = fastlogit.fit(FRAME, Y0, C=1.0)
    assert result.feature_names == NAMES
    for call in (
        result.predict,
        result.predict_proba,
        result.raw_prediction,
        lambda X: fastlogit.leave_one_out(result, X, Y0),
    ):
        for X in (
            FRAME[NAMES[::-1]],
            POLARS.select(NAMES[::-1]),
            POLARS.to_arrow().select([2, 1, 0]),
        ):
            with pytest.raises(
                ValueError, match="another order: column 0 is 'size', but was 'count'"
            ):
                call(X)
        with pytest.raises(ValueError, match=r"it lacks 'size'$"):
            call(FRAME[NAMES[:2]])
        with pytest.raises(ValueError, match=r"it has 'more' beside them$"):
            call(FRAME.assign(more=1.0))
        with pytest.raises(ValueError, match=r"it lacks 'flag' and has 'other' beside them$"):
            call(FRAME.rename(columns={"flag": "other"}))
        call(FRAME)
        call(X0)
        call(FRAME.set_axis([0, 1, 2], axis=1))
    assert fastlogit.fit(X0, Y0, C=1.0).feature_names is None
    assert fastlogit.fit(FRAME.set_axis([0, 1, 2], axis=1), Y0, C=1.0).feature_names is None
    fastlogit.fit(X0, Y0, C=1.0).predict(FRAME)


def test_results_of_estimators_and_batches_have_names() -> None:
    source = BatchSource(lambda: iter([(FRAME, Y0)]))
    for result in (
        LogisticRegression().fit(FRAME, Y0).result_,
        quiet_cv().fit(FRAME, Y0).result_,
        fastlogit.fit(source, C=1.0),
        fastlogit.gradient_descent(FRAME, Y0, l2_reg=0.1),
    ):
        assert result.feature_names == NAMES
        with pytest.raises(ValueError, match="another order"):
            result.predict_proba(FRAME[NAMES[::-1]])


def test_names_are_kept_in_a_file(tmp_path) -> None:
    for X, names in ((FRAME, NAMES), (X0, None)):
        result = fastlogit.fit(X, Y0, C=1.0)
        save_model(Model(result, tuple(NAMES), "y", {}, "0"), tmp_path / "model")
        assert load_model(tmp_path / "model").result.feature_names == names


# ------------------------------------------------------------------------------------------------
# Weights and classes


def test_one_vs_all_needs_weight_in_every_class() -> None:
    y, names = np.arange(ROWS) % 3, np.array(["a", "b", "c"])
    w = np.where(y == 2, 0.0, 1.0)
    for call in (
        lambda: fastlogit.fit(X0, names[y], C=1.0, sample_weight=w),
        lambda: fastlogit.gradient_descent(X0, names[y], sample_weight=w),
        lambda: fastlogit.logistic_path(X0, names[y], [1.0], sample_weight=w, multi_class="ovr"),
        lambda: LogisticRegression(multi_class="ovr").fit(X0, names[y], w),
        lambda: LogisticRegression(multi_class="ovr", class_weight="balanced").fit(X0, names[y], w),
        lambda: LogisticRegression(multi_class="ovr", class_weight={"c": 0.0}).fit(X0, names[y]),
        lambda: quiet_cv(multi_class="ovr").fit(X0, names[y], w),
    ):
        with pytest.raises(ValueError, match="class 'c' has no row of positive weight"):
            call()


# ------------------------------------------------------------------------------------------------
# The array API

DISPATCH = """
import numpy as np, array_api_strict as xp, sklearn, fastlogit
from fastlogit import LogisticRegression, LogisticRegressionCV
rng = np.random.default_rng(0)
X = rng.normal(size=(60, 3)); y = (X[:, 0] + rng.logistic(size=60) > 0).astype(int)
A, b = xp.asarray(X), xp.asarray(y)
plain = LogisticRegression().fit(X, y)
for dispatch in (False, True):
    with sklearn.config_context(array_api_dispatch=dispatch):
        for given in (LogisticRegression().fit(A, b), LogisticRegression().fit(X, y)):
            assert np.array_equal(given.coef_, plain.coef_) and type(given.coef_) is np.ndarray
            assert np.array_equal(given.predict(A), plain.predict(X))
            assert np.array_equal(given.predict_proba(A), plain.predict_proba(X))
            assert np.array_equal(given.decision_function(A), plain.decision_function(X))
            assert given.score(A, b, sample_weight=xp.ones(60)) == plain.score(X, y)
        LogisticRegression().partial_fit(A, b, classes=xp.asarray([0, 1])).predict(A)
        cv = LogisticRegressionCV(Cs=[1.0], cv=3, l1_ratios=(0,), scoring="neg_log_loss",
                                  use_legacy_attributes=False).fit(A, b)
        cv.score(A, b), cv.predict(A)
        assert np.array_equal(fastlogit.fit(A, b, C=1.0).coef, fastlogit.fit(X, y, C=1.0).coef)
print("fine")
"""


@pytest.mark.jit
def test_array_api_dispatch() -> None:
    """SciPy reads the variable when it is imported: in a process of its own."""
    pytest.importorskip("array_api_strict")
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", DISPATCH],
        env={**os.environ, "SCIPY_ARRAY_API": "1"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.stdout.strip() == "fine", run.stderr


def test_a_frame_that_is_not_known_is_read_by_numpy() -> None:
    X = DataFrame(X0.astype(object), NAMES)
    assert_same([fastlogit.fit(X, Y0, C=1.0).coef], [fastlogit.fit(X0, Y0, C=1.0).coef])
