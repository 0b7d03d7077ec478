"""Categorical columns wherever they are read beside `fit`: as the same fit of their indicators."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from coded_frames import (
    CARRIERS,
    FRAME,
    FULL,
    N_SAMPLES,
    OTHERS,
    REFERENCE,
    Y,
    indicators,
    labels_of,
)
from fastlogit.online import OnlineLogistic
from scipy.optimize import minimize
from sklearn.base import clone

import fastlogit
from fastlogit import LogisticRegressionCV, Problem

# Marked tests have fits that take minutes in plain Python.
DENSE = indicators(FRAME, "full")
QUIET = {"l1_ratios": (0,), "scoring": "neg_log_loss", "use_legacy_attributes": False}
PAIR = [("carrier", "month")]
FOLDS = 4


def with_pairs(coding: str) -> pd.DataFrame:
    """The indicators, and their products after them."""
    table = indicators(FRAME, coding)
    for carrier in CARRIERS[coding == "reference" :]:
        for month in (1, 2, 3)[coding == "reference" :]:
            product = table[f"carrier_{carrier}"] * table[f"month_{month}"]
            if product.any():
                table[f"carrier:month[{carrier}:{month}]"] = product
    return table


def assert_same_choice(found, wanted) -> None:
    assert found.C_ == wanted.C_
    assert found.l1_ratio_ == wanted.l1_ratio_
    np.testing.assert_allclose(found.scores_, wanted.scores_, atol=1e-10)
    np.testing.assert_allclose(found.coef_, wanted.coef_, atol=1e-10)
    np.testing.assert_allclose(found.intercept_, wanted.intercept_, atol=1e-10)
    np.testing.assert_allclose(found.coefs_paths_, wanted.coefs_paths_, atol=1e-10)


# ---- LogisticRegressionCV


@pytest.mark.usefixtures("the_general_way")
@pytest.mark.jit
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"categories": "reference"},
        {"interactions": PAIR},
        {"interactions": PAIR, "categories": "reference"},
        {"scoring": "accuracy", "refit": False},
        {"scoring": "roc_auc", "class_weight": "balanced"},
        {"l1_ratios": (0, 0.5), "Cs": [0.05, 0.5]},
        # With full coding L1 alone leaves levels and intercept undetermined together.
        {"l1_ratios": (0, 0.5, 1), "Cs": [0.05, 0.5], "categories": "reference"},
        {"l1_ratios": (1,), "Cs": [0.05, 0.5], "relax": True, "categories": "reference"},
        {"Cs": [np.inf]},
    ],
    ids=str,
)
def test_a_cross_validation_is_that_of_the_indicators(options) -> None:
    said = {"Cs": 4, "cv": FOLDS, "tol": 1e-8, **QUIET, **options}
    coded = ("categories", "interactions")
    coding = "reference" if said["Cs"] == [np.inf] else said.get("categories", "full")
    X = with_pairs(coding) if "interactions" in said else indicators(FRAME, coding)
    found = LogisticRegressionCV(**said).fit(FRAME, Y)
    plain = {name: value for name, value in said.items() if name not in coded}
    wanted = LogisticRegressionCV(**plain).fit(X, Y)
    assert_same_choice(found, wanted)
    np.testing.assert_allclose(found.predict_proba(FRAME), wanted.predict_proba(X), atol=1e-10)
    assert found.score(FRAME, Y) == pytest.approx(wanted.score(X, Y), abs=1e-10)
    assert found.n_features_in_ == 4
    assert found.feature_names_in_.tolist() == list(FRAME.columns)
    if said.get("refit", True):
        names = found.result_.feature_names
        assert names[: len(FULL)] == (FULL if coding == "full" else REFERENCE)[: len(FULL)] or (
            "interactions" in said
        )
        assert len(names) == found.coef_.shape[1]


@pytest.mark.usefixtures("the_general_way")
@pytest.mark.jit
@pytest.mark.parametrize("ratio", [0, 1])
@pytest.mark.parametrize("multi_class", ["multinomial", "ovr"])
def test_a_cross_validation_of_classes(multi_class, ratio) -> None:
    y = np.array(["late", "on time", "early"])[labels_of(FRAME, 3)]
    said = {**QUIET, "multi_class": multi_class, "Cs": [0.05, 0.5], "cv": FOLDS, "tol": 1e-8}
    said["l1_ratios"] = (ratio,)
    coding = "reference" if ratio else "full"
    X = indicators(FRAME, coding)
    found = LogisticRegressionCV(**said, categories=coding).fit(FRAME, y)
    wanted = LogisticRegressionCV(**said).fit(X, y)
    assert_same_choice(found, wanted)
    np.testing.assert_array_equal(found.predict(FRAME), wanted.predict(X))


@pytest.mark.jit
@pytest.mark.parametrize("kind", [kind for kind in OTHERS if kind not in ("text", "objects")])
def test_a_cross_validation_of_frames_of_other_libraries(kind) -> None:
    if "polars" in kind:  # where the months are numbers
        columns = ["distance", "carrier", "delay"]
        X, wanted = OTHERS[kind].select(columns), FRAME[columns]
    else:
        X, wanted = OTHERS[kind], FRAME
    seen = []

    def own(model, rows, y):
        seen.append(type(rows))
        assert rows.shape[1] == wanted.shape[1]
        return model.score(rows, y)

    said = {**QUIET, "Cs": 3, "cv": FOLDS, "tol": 1e-8}
    for scoring in ("neg_log_loss", own):
        said["scoring"] = scoring
        found = LogisticRegressionCV(**said).fit(X, Y)
        right = LogisticRegressionCV(**said).fit(wanted, Y)
        assert found.C_ == right.C_
        np.testing.assert_allclose(found.scores_, right.scores_, atol=1e-10)
        np.testing.assert_allclose(found.predict_proba(X), right.predict_proba(wanted), atol=1e-10)
    assert type(X) in seen


@pytest.mark.jit
def test_a_scorer_may_ask_a_model_for_other_rows_of_the_frame() -> None:
    def of_the_first_half(model, rows, y):
        half = len(rows) // 2
        assert len(model.predict_proba(rows[:half])) == half
        np.testing.assert_allclose(
            model.decision_function(rows[:half]), model.decision_function(rows)[:half]
        )
        return model.score(rows[:half], y[:half])

    said = {**QUIET, "Cs": 2, "cv": FOLDS, "scoring": of_the_first_half}
    found = LogisticRegressionCV(**said, handle_unknown="zero").fit(FRAME, Y)
    assert found.scores_.shape == (FOLDS, 1, 2)


@pytest.mark.usefixtures("the_general_way")
@pytest.mark.jit
def test_weights_of_a_cross_validation() -> None:
    weight = np.random.default_rng(5).uniform(size=N_SAMPLES)
    said = {**QUIET, "Cs": 3, "cv": FOLDS, "tol": 1e-8}
    factor = np.r_[0.0, np.full(4, 2.0), np.ones(4)]
    found = LogisticRegressionCV(**said).fit(FRAME, Y, weight, penalty_factor=factor)
    wanted = LogisticRegressionCV(**said).fit(DENSE, Y, weight, penalty_factor=factor)
    assert_same_choice(found, wanted)


@pytest.mark.jit
def test_groups_and_bounds_of_a_cross_validation() -> None:
    said = {**QUIET, "Cs": [0.02, 0.1], "cv": FOLDS, "tol": 1e-7}
    lower = np.r_[-np.inf, np.full(6, -0.1)]
    for options, more in (
        ({"l1_ratios": (0.5, 1.0)}, {"penalty_groups": [0, 1, 1, 1, 2, 3, 3]}),
        ({}, {"coef_bounds": (lower, None)}),
    ):
        found = LogisticRegressionCV(**{**said, **options}, categories="reference")
        wanted = LogisticRegressionCV(**{**said, **options})
        found.fit(FRAME, Y, **more)
        wanted.fit(indicators(FRAME, "reference"), Y, **more)
        assert (found.C_, found.l1_ratio_) == (wanted.C_, wanted.l1_ratio_)
        np.testing.assert_allclose(found.scores_, wanted.scores_, atol=1e-6)
        np.testing.assert_allclose(found.coef_, wanted.coef_, atol=1e-6)
    model = LogisticRegressionCV(**said)
    with pytest.raises(ValueError, match=r"shape \(4,\), but X has 9 coefficients, one for each"):
        model.fit(FRAME, Y, coef_bounds=(None, np.ones(4)))


@pytest.mark.jit
def test_a_level_that_a_fold_lacks_has_no_coefficient_there() -> None:
    X = FRAME.assign(carrier=FRAME["carrier"].cat.add_categories("ZZ"))
    X.loc[0, "carrier"] = "ZZ"
    folds = [(np.arange(N_SAMPLES) % 2 == k, np.arange(N_SAMPLES) % 2 != k) for k in (0, 1)]
    found = LogisticRegressionCV(**QUIET, Cs=[1.0], cv=folds, tol=1e-8).fit(X, Y)
    names = found.result_.feature_names
    assert found.coefs_paths_[1, 0, 0, 0, names.index("carrier[ZZ]")] == pytest.approx(0, abs=1e-6)
    assert abs(found.coefs_paths_[0, 0, 0, 0, names.index("carrier[ZZ]")]) > 1e-3


@pytest.mark.jit
def test_unknown_levels_of_a_cross_validated_model() -> None:
    X = FRAME.astype({"carrier": object})
    X.loc[4, "carrier"] = "ZZ"
    model = LogisticRegressionCV(**QUIET, Cs=2, cv=2).fit(FRAME, Y)
    with pytest.raises(ValueError, match=r"has 'ZZ' in column 'carrier' \(row 4\)"):
        model.predict(X)
    kept = pickle.loads(pickle.dumps(model)).set_params(handle_unknown="zero")
    np.testing.assert_array_equal(
        np.delete(kept.predict_proba(X), 4, axis=0), np.delete(kept.predict_proba(FRAME), 4, axis=0)
    )
    with pytest.raises(TypeError, match="must be a data frame with the columns of the fit"):
        model.predict(DENSE.to_numpy())
    again = clone(model).fit(FRAME, Y)
    np.testing.assert_array_equal(again.coef_, model.coef_)
    plain = FRAME[["distance", "delay"]]
    assert model.fit(plain, Y).predict(plain).shape == (N_SAMPLES,)
    assert model.coef_.shape == (1, 2)


def test_faults_of_a_cross_validation() -> None:
    X = FRAME.copy()
    X.loc[7, "carrier"] = None
    with pytest.raises(ValueError, match=r"missing category in column 'carrier' \(row 7\)"):
        LogisticRegressionCV(**QUIET).fit(X, Y)
    with pytest.raises(ValueError, match="interactions names 'delay', a column of numbers"):
        LogisticRegressionCV(**QUIET, interactions=[("carrier", "delay")]).fit(FRAME, Y)
    with pytest.raises(ValueError, match="'categories' parameter of LogisticRegressionCV"):
        LogisticRegressionCV(**QUIET, categories="one-hot").fit(FRAME, Y)
    few = LogisticRegressionCV(**QUIET)
    with pytest.raises(ValueError, match=r"shape \(4,\), but X has 9 coefficients, one for each"):
        few.fit(FRAME, Y, penalty_factor=np.ones(4))


@pytest.mark.jit
def test_a_picture_of_a_cross_validation() -> None:
    model = LogisticRegressionCV(**QUIET, Cs=3, cv=2, refit=False).fit(FRAME, Y)
    display = fastlogit.RegularizationPathDisplay.from_estimator(model, X=FRAME)
    assert display.feature_names == FULL
    display = fastlogit.RegularizationPathDisplay.from_result(fastlogit.logistic_path(FRAME, Y, 3))
    assert display.feature_names == FULL


# ---- logistic_path


@pytest.mark.usefixtures("the_general_way")
@pytest.mark.jit
@pytest.mark.parametrize(
    ("l1_ratio", "coding"),
    [(0.0, "full"), (0.0, "reference"), (0.5, "full"), (1.0, "reference")],
)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_path_is_that_of_the_indicators(l1_ratio, n_classes, coding) -> None:
    y = labels_of(FRAME, n_classes)
    said = {"Cs": [0.05, 0.5, 5.0], "l1_ratio": l1_ratio, "tol": 1e-15}
    found = fastlogit.logistic_path(FRAME, y, **said, categories=coding, interactions=PAIR)
    X = with_pairs(coding)
    wanted = fastlogit.logistic_path(X, y, **said)
    np.testing.assert_allclose(found.coefs, wanted.coefs, atol=1e-9)
    np.testing.assert_allclose(found.intercepts, wanted.intercepts, atol=1e-9)
    n_mains = len(FULL if coding == "full" else REFERENCE)
    assert found.feature_names[n_mains:] == list(X.columns[n_mains:])
    assert found.categories.feature_names == found.feature_names
    one = fastlogit.fit(
        FRAME, y, C=0.5, l1_ratio=l1_ratio or None, multi_class="multinomial", tol=1e-15,
        categories=coding, interactions=PAIR,
    )  # fmt: skip
    assert one.categories == found.categories
    # Models of a path predict new rows by its categories.
    coef, intercept = found.coefs[1].T, found.intercepts[1]
    if n_classes == 2:
        coef, intercept = coef[:, 0], float(intercept[0])
    few = FRAME[:7].astype({"carrier": str})
    np.testing.assert_allclose(
        fastlogit.predict_proba(
            few, coef, intercept, multi_class="multinomial", categories=found.categories
        ),
        one.predict_proba(few),
        atol=1e-8,
    )


@pytest.mark.jit
def test_codings_of_a_path() -> None:
    assert fastlogit.logistic_path(FRAME, Y, 2, l1_ratio=1.0).feature_names == FULL
    assert fastlogit.logistic_path(FRAME, Y, [1.0, np.inf]).feature_names == FULL
    path = fastlogit.logistic_path(FRAME, Y, [np.inf])
    assert path.feature_names == REFERENCE
    np.testing.assert_allclose(path.coefs[0, 0], fastlogit.fit(FRAME, Y).coef, atol=1e-4)
    assert fastlogit.logistic_path(DENSE, Y, 2).categories is None
    with pytest.raises(ValueError, match="categories must be one of"):
        fastlogit.logistic_path(FRAME, Y, 2, categories="onehot")
    with pytest.raises(ValueError, match="but X has no categorical columns"):
        fastlogit.logistic_path(DENSE, Y, 2, interactions=PAIR)


# ---- Problem, cost and predictions of given coefficients


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("coding", ["full", "reference"])
def test_a_problem_is_that_of_the_indicators(n_classes, coding) -> None:
    y = labels_of(FRAME, n_classes)
    said = {"C": 2.0, "multi_class": "multinomial"}
    found = Problem(FRAME, y, categories=coding, interactions=PAIR, **said)
    X = with_pairs(coding)
    wanted = Problem(X, y, **said)
    assert found.n_parameters == wanted.n_parameters
    assert found.n_features == X.shape[1]
    assert found.feature_names == found.categories.feature_names
    theta, vector = np.random.default_rng(3).normal(size=(2, found.n_parameters))
    for name in ("cost", "gradient", "hessian"):
        np.testing.assert_allclose(
            getattr(found, name)(theta), getattr(wanted, name)(theta), atol=1e-12
        )
    np.testing.assert_allclose(
        found.hessian_product(theta, vector), wanted.hessian_product(theta, vector), atol=1e-12
    )


def test_the_minimum_of_a_problem_is_the_fit() -> None:
    problem = Problem(FRAME, Y, C=1.0)
    best = minimize(problem.cost_gradient, problem.start(), jac=True, method="BFGS", tol=1e-9)
    coef, _ = problem.unpack(best.x)
    result = fastlogit.fit(FRAME, Y, C=1.0)
    np.testing.assert_allclose(coef, result.coef, atol=1e-4)
    assert problem.feature_names == FULL == result.feature_names
    assert "9 coefficients of columns and levels, 2 classes, 10 parameters" in repr(problem)
    assert Problem(FRAME, Y).feature_names == REFERENCE
    assert Problem(DENSE, Y).categories is None
    with pytest.raises(ValueError, match="but X has 9 coefficients, one for each level"):
        problem.pack(np.ones(4))


def test_the_cost_of_coefficients() -> None:
    coef = np.random.default_rng(4).normal(size=(9, 2))
    said = {"intercept": [0.1, 0.2], "l2_reg": 0.3}
    for each in (coef, coef[:, 0]):
        own = said if each.ndim == 2 else {**said, "intercept": 0.1}
        found = fastlogit.cost_gradient(FRAME, Y, each, **own)
        wanted = fastlogit.cost_gradient(DENSE, Y, each, **own)
        for one, other in zip(found, wanted, strict=True):
            np.testing.assert_allclose(one, other, atol=1e-12)
    reference = indicators(FRAME, "reference")
    assert fastlogit.cost(FRAME, Y, coef[:7, 0]) == pytest.approx(
        fastlogit.cost(reference, Y, coef[:7, 0]), abs=1e-12
    )
    with_products = with_pairs("full")
    wide = np.linspace(-1.0, 1.0, with_products.shape[1])
    assert fastlogit.cost(FRAME, Y, wide, categories="full", interactions=PAIR) == pytest.approx(
        fastlogit.cost(with_products, Y, wide), abs=1e-12
    )
    with pytest.raises(ValueError, match=r"coef has shape \(9,\), but X has 7 coefficients, one"):
        fastlogit.cost(FRAME, Y, coef[:, 0])
    with pytest.raises(ValueError, match="but X has no categorical columns"):
        fastlogit.cost(DENSE, Y, coef[:, 0], interactions=PAIR)


def test_levels_of_a_fit_where_not_all_occur() -> None:
    """The cost of other rows is asked by the categories of the fit."""
    result = fastlogit.fit(FRAME, Y, C=1.0, interactions=PAIR)
    few = FRAME[:5].astype({"carrier": str, "month": int})
    said = {"categories": result.categories}
    value = fastlogit.cost(few, Y[:5], result.coef, result.intercept, **said)
    proba = result.predict_proba(few)[np.arange(5), Y[:5]]
    assert value == pytest.approx(-np.log(proba).mean(), rel=1e-10)
    problem = Problem(few, Y[:5], **said)
    theta = problem.pack(result.coef, result.intercept)
    assert problem.cost(theta) == pytest.approx(value, rel=1e-10)
    assert problem.feature_names == result.feature_names
    assert problem.categories == result.categories
    for call in (fastlogit.raw_prediction, fastlogit.predict_proba, fastlogit.predict):
        np.testing.assert_allclose(
            call(few, result.coef, result.intercept, **said),
            getattr(result, call.__name__)(few),
            rtol=1e-12,
        )
    with pytest.raises(ValueError, match="leave interactions out"):
        fastlogit.cost(few, Y[:5], result.coef, interactions=PAIR, **said)
    with pytest.raises(ValueError, match="lacks 'carrier' and has 'line'"):
        Problem(few.rename(columns={"carrier": "line"}), Y[:5], **said)
    with pytest.raises(ValueError, match=r"X has 'ZZ' in column 'carrier' \(row 0\)"):
        fastlogit.predict_proba(few.assign(carrier="ZZ"), result.coef, **said)
    with pytest.raises(TypeError, match="must be a data frame with the columns of the fit"):
        fastlogit.predict(np.ascontiguousarray(with_pairs("full")), result.coef, 0.0, **said)
    with pytest.raises(TypeError, match=r"those of a fit.* got 'full' \(str\)"):
        fastlogit.predict(few, result.coef, categories="full")
    with pytest.raises(TypeError, match=r"'carrier'.*predict with categories=result\.categories"):
        fastlogit.predict(FRAME, result.coef)


# ---- what does not take them


@pytest.mark.parametrize("kind", [pd.DataFrame, pl.DataFrame, pa.table])
def test_a_stream_of_columns_that_are_counted_refuses_them_by_name(kind) -> None:
    arrow = OTHERS["arrow"]
    X = {pd.DataFrame: FRAME, pl.DataFrame: OTHERS["polars"], pa.table: arrow}[kind]
    with pytest.raises(
        TypeError, match=r"a batch takes no categorical columns.*'carrier'.*dummies"
    ):
        OnlineLogistic(4, [0, 1]).update(X, Y)
