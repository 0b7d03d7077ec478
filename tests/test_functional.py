"""The functional front end: cost, gradient and fits, against the oracle and scikit-learn."""

import tracemalloc
import warnings

import numpy as np
import pytest
from problems import (
    JIT,
    LAYOUTS,
    TWO_THREADS,
    DataFrame,
    as_type,
    assert_value_gradient,
    force_twin,
    memory_mapped,
    problem,
    sized,
    three_classes,
)
from sklearn.datasets import load_breast_cancer, load_digits, load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

import fastlogit


def few_steps(X, y, n_iter=5, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return fastlogit.fit(X, y, max_iter=n_iter, tol=0.0, **options)


def bits(result):
    return b"".join(
        np.asarray(part).tobytes() for part in (result.coef, result.intercept, result.history)
    )


# ------------------------------------------------------------------------------------------------
# Cost and gradient


@pytest.mark.parametrize("l2_reg", [0.0, 0.7])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (40, 1), (5, 40), (300, 12)])
def test_cost_and_gradient(shape, weighted, l2_reg) -> None:
    X, y, coef, intercept, weight = problem(*shape)
    options = {"l2_reg": l2_reg, "sample_weight": weight if weighted else None}
    found = fastlogit.cost_gradient(X, y, coef, intercept, **options)
    assert_value_gradient(found, X, y, coef, intercept, l2_reg, options["sample_weight"])
    assert fastlogit.cost(X, y, coef, intercept, **options) == found[0]
    assert type(found[0]) is type(found[2]) is float
    assert found[1].shape == coef.shape
    assert found[1].dtype == np.float64


@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint64, np.float32, ">f8", ">i2", object])
def test_targets_may_be_of_any_number_type(dtype) -> None:
    X, y, coef, intercept, _ = problem(60, 5)
    expected = fastlogit.cost(X, y, coef, intercept)
    assert fastlogit.cost(X, y.astype(dtype), coef, intercept) == expected
    assert fastlogit.cost(X, y.tolist(), coef.tolist(), intercept) == expected


def test_lists_frames_and_maps(tmp_path) -> None:
    X, y, coef, intercept, weight = problem(60, 12)
    expected = fastlogit.cost(X, y, coef, intercept, sample_weight=weight)
    frame = DataFrame(X, [f"c{k}" for k in range(12)])
    for given in (X.tolist(), frame, memory_mapped(X, tmp_path)):
        assert fastlogit.cost(given, y, coef, intercept, sample_weight=list(weight)) == expected


@pytest.mark.parametrize("dtype", [np.float32, ">f8", np.int32])
def test_weights_of_any_number_type(dtype) -> None:
    X, y, coef, intercept, weight = problem(60, 5)
    weight = (weight * 8.0).astype(dtype)
    found = fastlogit.cost_gradient(X, y, coef, intercept, sample_weight=weight)
    assert_value_gradient(found, X, y, coef, intercept, weight=weight)


def test_weight_two_is_the_row_twice_and_weight_zero_the_row_left_out() -> None:
    X, y, coef, intercept, _ = problem(120, 6)
    weight = np.resize([0.0, 1.0, 2.0, 3.0], 120)
    repeated = np.repeat(np.arange(120), weight.astype(int))
    options = {"l2_reg": 0.1, "tol": 1e-12}
    for found, wanted in (
        (
            fastlogit.cost_gradient(X, y, coef, intercept, sample_weight=weight),
            fastlogit.cost_gradient(X[repeated], y[repeated], coef, intercept),
        ),
        (
            fit_parts(X, y, sample_weight=weight, **options),
            fit_parts(X[repeated], y[repeated], **options),
        ),
    ):
        for one, other in zip(found, wanted, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-12)


def fit_parts(X, y, **options):
    result = fastlogit.fit(X, y, **options)
    return result.history[-1], result.coef, result.intercept


def test_only_the_ratios_of_weights_matter() -> None:
    X, y, _, _, weight = problem(120, 6)
    for factor in (1e-300, 1e300):
        found = fit_parts(X, y, sample_weight=weight * factor, tol=1e-10)
        for one, other in zip(found, fit_parts(X, y, sample_weight=weight, tol=1e-10), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-7)


def test_nearly_all_weights_zero() -> None:
    X, y, _, _, _ = problem(300, 3)
    rows = np.arange(5, 300, 10)
    weight = np.zeros(300)
    weight[rows] = 3.0
    found = fit_parts(X, y, sample_weight=weight, l2_reg=0.01, tol=1e-12)
    wanted = fit_parts(X[rows], y[rows], l2_reg=0.01, tol=1e-12)
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-11)


def test_the_intercept_is_not_penalised() -> None:
    X, y = problem(200, 4)[:2]
    y = (np.arange(200) % 10 != 0).astype(int)
    result = fastlogit.fit(X, y, l2_reg=1e6, tol=1e-12)
    assert np.abs(result.coef).max() < 1e-5
    assert result.intercept == pytest.approx(np.log(9.0), rel=1e-5)


# ------------------------------------------------------------------------------------------------
# The same bits, nothing changed, nothing copied


@pytest.mark.parametrize("momentum", ["none", "nesterov"])
@pytest.mark.parametrize("n_features", [5, 12])
def test_twins_give_the_same_fit(n_features, momentum, monkeypatch) -> None:
    X, y, _, _, weight = problem(sized(3000, 300), n_features)
    found = set()
    for parallel in (False, True):
        force_twin(monkeypatch, parallel)
        found.add(bits(few_steps(X, y, momentum=momentum, sample_weight=weight)))
    assert len(found) == 1


def test_any_number_of_threads_gives_the_same_fit() -> None:
    X, y = problem(sized(40_000, 300), 30)[:2]
    threads = (1, TWO_THREADS, None, TWO_THREADS)
    assert len({bits(few_steps(X, y, n_threads=n_threads)) for n_threads in threads}) == 1
    found = {fastlogit.cost_gradient(X, y, X[0], n_threads=count)[0] for count in threads}
    assert len(found) == 1


@pytest.mark.jit
def test_a_fit_can_be_repeated_to_the_last_bit() -> None:
    X, codes = three_classes(sized(200, 40), 12)
    assert len({bits(fastlogit.fit(X, codes, l2_reg=0.1)) for _ in range(3)}) == 1


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_give_the_same_fit_and_stay_as_they_are(layout) -> None:
    X, y, coef, intercept, weight = problem(80, 12)
    given = LAYOUTS[layout](X)
    inputs = [given, y, weight, coef]
    before = [array.tobytes() for array in inputs]
    flags = [str(array.flags) for array in inputs]
    fastlogit.cost_gradient(given, y, coef, intercept, sample_weight=weight)
    result = fastlogit.fit(given, y, sample_weight=weight, tol=1e-10)
    assert [array.tobytes() for array in inputs] == before
    assert [str(array.flags) for array in inputs] == flags
    expected = fastlogit.fit(X, y, sample_weight=weight, tol=1e-10)
    np.testing.assert_allclose(result.coef, expected.coef, rtol=1e-7)


@pytest.mark.parametrize("dtype", ["f4", "i8", "bool"])
def test_number_types_give_the_fit_of_their_values(dtype) -> None:
    X, y = problem(150, 5)[:2]
    given = as_type(X, dtype)
    result = fastlogit.fit(given, y, tol=1e-10, l2_reg=0.01)
    expected = fastlogit.fit(given.astype(np.float64), y, tol=1e-10, l2_reg=0.01)
    np.testing.assert_allclose(result.coef, expected.coef, rtol=1e-7, atol=1e-10)


@pytest.mark.parametrize("layout", ["C", "F", "read-only"])
def test_a_fit_does_not_copy_the_rows(layout) -> None:
    X, y, _, _, weight = problem(sized(100_000, 1000), 12)
    given = LAYOUTS[layout](X)
    few_steps(given, y, 2, sample_weight=weight)  # what is compiled or imported stays out
    tracemalloc.start()
    few_steps(given, y, 2, sample_weight=weight)
    fastlogit.cost_gradient(given, y, X[0], sample_weight=weight)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # Labels are found in chunks of 65,536 rows: half a megabyte of indices at a time.
    assert peak <= 0.05 * X.nbytes + 1_000_000


def test_read_only_inputs_of_every_kind() -> None:
    X, y, coef, intercept, weight = problem(80, 12)
    for array in (X, y, coef, weight):
        array.flags.writeable = False
    start = (coef, intercept)
    few_steps(X, y, sample_weight=weight, start=start)
    fastlogit.cost(X, y, coef, intercept, sample_weight=weight)


# ------------------------------------------------------------------------------------------------
# Classes


@pytest.mark.parametrize(
    "names",
    [
        np.array(["benign", "malignant"]),
        np.array(["b", "a"], dtype=object),
        np.array([b"x", b"y"]),
        np.array([-5, 7], dtype=np.int16),
        np.array([2.0, 4.0], dtype=np.float32),
        np.array([False, True]),
        np.array([3, 1], dtype=">i4"),
        np.array([2**63, 2**63 + 2048], dtype=np.uint64),
    ],
    ids=lambda names: f"{names.dtype} {names[0]}",
)
def test_labels_of_two_classes_come_back_as_they_went_in(names) -> None:
    X, y = problem(80, 3)[:2]
    labels = names[y]
    result = fastlogit.fit(X, labels)
    np.testing.assert_array_equal(result.classes, np.unique(labels))
    predicted = result.predict(X)
    assert set(predicted.tolist()) == set(labels.tolist())
    assert predicted.dtype.kind in (labels.dtype.kind, "U")
    reversed_names = names[0] > names[1]
    codes = fastlogit.fit(X, 1 - y if reversed_names else y)
    np.testing.assert_array_equal(result.coef, codes.coef)
    np.testing.assert_array_equal(predicted == labels, codes.predict(X) == (y != reversed_names))


@pytest.mark.parametrize("names", [["setosa", "iris", "x"], [30, -10, 20], [0.0, 2.0, 1.0]])
def test_labels_of_three_classes_come_back_as_they_went_in(names) -> None:
    X, codes = three_classes(90, 3)
    labels = [names[code] for code in codes]
    result = fastlogit.fit(X, labels, l2_reg=0.1)
    assert result.classes.tolist() == sorted(names)
    assert set(result.predict(X).tolist()) == set(names)
    assert (result.predict(X) == np.array(labels)).mean() > 0.5


@pytest.mark.parametrize("n_features", [4, 12])
def test_one_vs_all_is_a_fit_for_each_class(n_features) -> None:
    X, codes = three_classes(120, n_features)
    for momentum in ("none", "nesterov"):
        together = few_steps(X, codes, 40, momentum=momentum, l2_reg=0.05)
        for model in range(3):
            alone = few_steps(X, codes == model, 40, momentum=momentum, l2_reg=0.05)
            np.testing.assert_array_equal(together.coef[:, model], alone.coef)
            np.testing.assert_array_equal(together.history[:, model], alone.history)
            # Moved to the units of X by BLAS, which adds a matrix's columns in another order.
            assert together.intercept[model] == pytest.approx(alone.intercept, rel=1e-13)


@pytest.mark.jit
def test_hundreds_of_classes() -> None:
    n_classes = sized(300, 258)
    codes = np.arange(n_classes)
    X = np.column_stack([np.cos(codes), np.sin(codes)])
    result = few_steps(X, codes, 2)
    assert result.coef.shape == (2, n_classes)
    np.testing.assert_allclose(result.history[0], np.log(2.0), rtol=1e-12)
    assert (result.history[-1] < result.history[0]).all()
    assert result.predict(X).shape == codes.shape


# ------------------------------------------------------------------------------------------------
# The optimum


def scikit_learn(X, y, l2_reg):
    model = LogisticRegression(
        C=1.0 / (len(y) * l2_reg), solver="newton-cholesky", tol=1e-12, max_iter=10_000
    )
    return model.fit(X, y)


def assert_same_model(coef, intercept, theirs, rtol=1e-5):
    coefs = np.append(theirs.coef_[0], theirs.intercept_)
    np.testing.assert_allclose(np.append(coef, intercept), coefs, rtol=rtol, atol=rtol * 1e-2)


@pytest.mark.parametrize("l2_reg", [1e-3, 1e-1])
@pytest.mark.parametrize("scaled", [False, True])
def test_breast_cancer_as_in_scikit_learn(scaled, l2_reg) -> None:
    X, y = load_breast_cancer(return_X_y=True)
    X = X[:: sized(1, 8)]
    X, y = StandardScaler().fit_transform(X) if scaled else X, y[:: sized(1, 8)]
    if not JIT:
        X = X[:, :4]
    result = fastlogit.fit(X, y, l2_reg=l2_reg, tol=1e-11, max_iter=100_000)
    theirs = scikit_learn(X, y, l2_reg)
    assert_same_model(result.coef, result.intercept, theirs)
    np.testing.assert_array_equal(result.predict(X), theirs.predict(X))
    np.testing.assert_allclose(result.predict_proba(X), theirs.predict_proba(X), rtol=1e-4)


@pytest.mark.parametrize("name", ["iris", "digits"])
def test_one_vs_all_as_in_scikit_learn(name) -> None:
    X, y = {"iris": load_iris, "digits": load_digits}[name](return_X_y=True)
    X, y = X[: sized(1000, 200) if name == "digits" else 150], y[: sized(1000, 200)]
    if name == "digits" and not JIT:
        X, y = X[:40, 20:24], y[:40] % 3
    y = y[: len(X)]
    result = fastlogit.fit(X, y, l2_reg=0.05, tol=1e-9, max_iter=100_000)
    for model, label in enumerate(result.classes):
        theirs = scikit_learn(X, y == label, 0.05)
        assert_same_model(result.coef[:, model], result.intercept[model], theirs)
    assert (result.predict(X) == y).mean() > 0.9 or not JIT


def test_solvers() -> None:
    X, y = problem(150, 5)[:2]
    options = {"l2_reg": 0.01, "tol": 1e-10}
    auto = fastlogit.fit(X, y, **options)
    plain = fastlogit.fit(X, y, solver="gradient_descent", **options)
    assert bits(auto) == bits(fastlogit.gradient_descent(X, y, momentum="nesterov", **options))
    assert bits(plain) == bits(fastlogit.gradient_descent(X, y, **options))
    assert bits(plain) == bits(fastlogit.fit(X, y, momentum="none", **options))
    np.testing.assert_allclose(auto.coef, plain.coef, rtol=1e-7)


@pytest.mark.parametrize("standardize", [True, False])
def test_scale_and_shift_of_columns_change_only_the_units(standardize) -> None:
    X, y = problem(200, 5)[:2]
    expected = fastlogit.fit(X, y, tol=1e-12)
    scale, shift = np.array([1e-6, 1e6, 1.0, 1e3, 1e-3]), np.array([1.0, 1e7, -50.0, 0.0, 1e-2])
    if not standardize:  # mild, for what the curvature alone can do
        scale, shift = np.linspace(0.5, 2.0, 5), np.linspace(-1.0, 1.0, 5)
    moved = X * scale + shift
    result = fastlogit.fit(moved, y, tol=1e-12, max_iter=100_000, standardize=standardize)
    np.testing.assert_allclose(result.coef * scale, expected.coef, rtol=1e-6)
    np.testing.assert_allclose(
        result.raw_prediction(moved), expected.raw_prediction(X), rtol=1e-5, atol=1e-6
    )


def test_columns_that_do_not_vary_get_no_coefficient() -> None:
    X, y = problem(150, 4)[:2]
    expected = fastlogit.fit(X, y, tol=1e-12)
    padded = np.column_stack([np.zeros(150), X[:, :2], np.full(150, 1e5), X[:, 2:], np.ones(150)])
    result = fastlogit.fit(padded, y, tol=1e-12)
    np.testing.assert_array_equal(result.coef[[0, 3, 6]], 0.0)
    np.testing.assert_allclose(result.coef[[1, 2, 4, 5]], expected.coef, rtol=1e-9)
    only = fastlogit.fit(np.ones((10, 2)), np.arange(10) % 5 == 0, tol=1e-12)
    np.testing.assert_array_equal(only.coef, 0.0)
    assert only.intercept == pytest.approx(np.log(0.2 / 0.8), rel=1e-9)


def test_more_columns_than_rows() -> None:
    X, y = problem(8, 40)[:2]
    result = fastlogit.fit(X, y, l2_reg=0.1, tol=1e-11)
    assert_same_model(result.coef, result.intercept, scikit_learn(X, y, 0.1))


def test_two_rows() -> None:
    result = fastlogit.fit([[0.0], [1.0]], ["no", "yes"], l2_reg=0.1)
    assert result.predict([[0.0], [1.0]]).tolist() == ["no", "yes"]


# ------------------------------------------------------------------------------------------------
# Bad input

X0 = np.arange(12.0).reshape(6, 2) % 5.0
Y0 = np.array([0, 1, 0, 1, 1, 0])


def poisoned(value):
    X = X0.copy()
    X[4, 1] = X[5, 0] = value
    return X


def test_the_first_nan_or_infinity_is_named() -> None:
    for value, what in ((np.nan, "NaN"), (np.inf, "infinity"), (-np.inf, "infinity")):
        X = poisoned(value)
        before = X.tobytes()
        calls = [
            lambda X=X: fastlogit.cost(X, Y0, [0.0, 1.0]),
            lambda X=X: fastlogit.cost_gradient(X, Y0, [0.0, 0.0]),
            lambda X=X: fastlogit.gradient_descent(X, Y0),
            lambda X=X: fastlogit.gradient_descent(X, Y0, standardize=False),
            lambda X=X: fastlogit.fit(X.astype(np.float32), Y0),
            lambda X=X: fastlogit.fit(X, Y0, sample_weight=[1, 1, 1, 1, 0, 0]),
        ]
        for call in calls:
            with (
                np.errstate(all="ignore"),
                pytest.raises(
                    ValueError, match=rf"X contains {what} in column 1 \(row 4\); "
                ) as caught,
            ):
                call()
            assert ("SimpleImputer" in str(caught.value)) == (what == "NaN")
        assert X.tobytes() == before
    frame = DataFrame(poisoned(np.nan), ["age", "height"])
    with (
        np.errstate(all="ignore"),
        pytest.raises(ValueError, match=r"NaN in column 'height' \(row 4\)"),
    ):
        fastlogit.fit(frame, Y0)


class Sparse:
    """As far as the package looks: a matrix of scipy.sparse."""

    def tocsr(self):
        return self


FEATURES = [
    (np.arange(6.0), ValueError, ["X must have 2 dimensions", "found 1", "X.reshape(-1, 1)"]),
    (np.zeros((6, 2, 2)), ValueError, ["X must have 2 dimensions", "found 3"]),
    (3.0, ValueError, ["X must have 2 dimensions", "found 0"]),
    (np.empty((0, 2)), ValueError, ["X is empty: 0 rows and 2 columns"]),
    (np.empty((6, 0)), ValueError, ["X is empty: 6 rows and 0 columns"]),
    (X0.astype(complex), TypeError, ["X holds complex numbers (complex128)"]),
    (X0.astype(str), TypeError, ["X has dtype <U32", "OneHotEncoder"]),
    (X0.astype(object), TypeError, ["X has dtype object", "astype(float)"]),
    (
        np.array([[1.0, 2.0], [3.0, "red"], [1.0, 1.0]], dtype=object),
        TypeError,
        ["X has dtype object", "column 1 holds 'red' (row 1)"],
    ),
    (X0.astype("M8[s]"), TypeError, ["X has dtype datetime64[s]"]),
    (X0.astype(np.float16), TypeError, ["X has dtype float16", "X.astype(numpy.float32)"]),
    (X0.astype(np.longdouble), TypeError, ["X has dtype", "X.astype(numpy.float64)"]),
    (np.ma.masked_less(X0, 1.0), TypeError, ["X is a masked array", "filled"]),
    (Sparse(), TypeError, ["X is sparse (Sparse)", "X.toarray()"]),
    ([[1.0, 2.0], [3.0]], ValueError, ["inhomogeneous"]),
    (None, ValueError, ["X must have 2 dimensions"]),
]
TARGETS = [
    (Y0[:5], ValueError, ["y has 5 values, but X has 6 rows"]),
    (Y0[:, None], ValueError, ["y must have 1 dimension, found 2", "y.ravel()"]),
    (0, ValueError, ["y must have 1 dimension, found 0"]),
    (Y0.astype(complex), TypeError, ["y holds complex numbers"]),
    (np.array([0, 1, np.nan, 0, 1, 1]), ValueError, ["y contains nan (row 2)", "drop such rows"]),
    (np.array([0, 1, np.inf, 0, 1, 1]), ValueError, ["y contains inf (row 2)"]),
    (np.array([0, 1, None, 0, 1, 1]), ValueError, ["y contains None (row 2)"]),
    (np.array([0, 1, "a", 0, 1, 1], dtype=object), TypeError, ["y mixes labels", "int, str"]),
    (np.array([{}] * 6), TypeError, ["y"]),
    (np.ma.masked_equal(Y0, 1), TypeError, ["y is a masked array"]),
    (Y0.astype("M8[s]"), TypeError, ["y has dtype datetime64[s]"]),
]
TARGETS01 = [
    (np.array([0, 1, 2, 0, 1, 1]), ValueError, ["y must hold 0 and 1 only", "2 (row 2)"]),
    (np.array([-1, 1, 1, 1, 1, 1]), ValueError, ["y must hold 0 and 1 only", "-1 (row 0)"]),
    (np.array([0, 0.5, 1, 1, 1, 1]), ValueError, ["found 0.5 (row 1)", "y == positive_label"]),
    (np.array(list("aabbaa")), ValueError, ["y must hold 0 and 1 only", "'a' (row 0)"]),
]
LABELS = [
    (np.ones(6), ValueError, ["y has one class only (1.0)", "at least two"]),
    (np.array(["x"] * 6), ValueError, ["y has one class only ('x')"]),
    (
        np.linspace(0.0, 1.0, 6),
        ValueError,
        ["6 different values", "not whole numbers", "class labels"],
    ),
]
WEIGHTS = [
    ([1, 1, 1, -2.5, 1, -3], ValueError, ["sample_weight is negative: -2.5 (row 3)", ">= 0"]),
    (np.zeros(6), ValueError, ["sample_weight is zero for every row"]),
    ([1, 1, np.nan, 1, 1, 1], ValueError, ["sample_weight is not finite: nan (row 2)"]),
    ([1, 1, 1, 1, 1, np.inf], ValueError, ["sample_weight is not finite: inf (row 5)"]),
    (np.ones(5), ValueError, ["sample_weight has 5 values, but X has 6 rows"]),
    (np.ones((6, 1)), ValueError, ["sample_weight must have 1 dimension, found 2"]),
    (2.0, ValueError, ["sample_weight must have 1 dimension, found 0"]),
    (["a"] * 6, TypeError, ["sample_weight has dtype <U1"]),
    (np.ones(6) * 1j, TypeError, ["sample_weight holds complex numbers"]),
    (np.ma.masked_less(np.ones(6), 2.0), TypeError, ["sample_weight is a masked array"]),
    (np.full(6, 1e308), ValueError, ["sample_weight adds up to infinity", "divide the weights"]),
]
OPTIONS = [
    ({"step_size": 0.0}, ValueError, ["step_size must be finite and > 0", "0.0"]),
    ({"step_size": -1}, ValueError, ["step_size", "> 0", "-1"]),
    ({"step_size": np.nan}, ValueError, ["step_size", "nan"]),
    ({"step_size": np.inf}, ValueError, ["step_size must be finite"]),
    ({"step_size": "fast"}, ValueError, ["step_size must be one of 'auto'", "'fast'"]),
    ({"step_size": None}, TypeError, ["step_size must be a number", "None"]),
    ({"step_size": True}, TypeError, ["step_size must be a number", "True"]),
    (
        {"momentum": "nestrov"},
        ValueError,
        ["momentum must be one of 'none', 'nesterov'", "did you mean 'nesterov'?"],
    ),
    ({"momentum": None}, ValueError, ["momentum must be one of"]),
    ({"tol": -1e-9}, ValueError, ["tol must be finite and >= 0", "-1e-09"]),
    ({"tol": "small"}, TypeError, ["tol must be a number", "'small'"]),
    ({"max_iter": 0}, ValueError, ["max_iter must be at least 1", "0"]),
    ({"max_iter": 10.0}, TypeError, ["max_iter must be a whole number", "10.0"]),
    ({"standardize": "yes"}, TypeError, ["standardize must be True or False", "'yes'"]),
    ({"l2_reg": -0.1}, ValueError, ["l2_reg must be finite and >= 0", "-0.1"]),
    ({"l2_reg": np.inf}, ValueError, ["l2_reg must be finite"]),
    ({"time_limit": 0}, ValueError, ["time_limit must be finite and > 0", "0"]),
    ({"time_limit": "1s"}, TypeError, ["time_limit must be a number"]),
    ({"callback": 3}, TypeError, ["callback must be callable or None", "int"]),
    ({"n_threads": 0}, ValueError, ["n_threads must be between 1 and", "NUMBA_NUM_THREADS"]),
    ({"n_threads": 10**6}, ValueError, ["n_threads must be between 1 and", "1000000"]),
    ({"n_threads": "two"}, TypeError, ["n_threads must be an integer"]),
    ({"start": 3}, TypeError, ["start must be a FitResult or a pair (coef, intercept)"]),
    ({"start": (np.zeros(3), 0.0)}, ValueError, ["coef has shape (3,)", "X has 2 columns"]),
    ({"start": (np.zeros((2, 3)), 0.0)}, ValueError, ["start has 3 models", "y needs 1"]),
    ({"start": (np.array([0.0, np.nan]), 0.0)}, ValueError, ["coef contains NaN"]),
    ({"start": (["a", "b"], 0.0)}, TypeError, ["coef must hold real numbers"]),
    ({"sample_weight": [1, 0, 1, 0, 0, 1]}, ValueError, ["y has one class only among the rows"]),
]
ONLY_FIT = [
    (
        {"solver": "newton"},
        ValueError,
        ["solver must be one of 'auto', 'gradient_descent'", "'newton'"],
    ),
    ({"solver": "gradient-descent"}, ValueError, ["did you mean 'gradient_descent'?"]),
    (
        {"stepsize": 0.1},
        ValueError,
        ["the option name must be one of", "did you mean 'step_size'?"],
    ),
]
ONLY_COST = [
    ({"coef": [1.0, 2.0, 3.0]}, ValueError, ["coef has shape (3,)", "X has 2 columns"]),
    ({"coef": np.ones((2, 1))}, ValueError, ["coef must have 1 dimension here", "(2, 1)"]),
    ({"coef": [1.0, np.inf]}, ValueError, ["coef contains NaN or infinity"]),
    ({"coef": ["a", "b"]}, TypeError, ["coef must hold real numbers"]),
    ({"intercept": np.nan}, ValueError, ["intercept contains NaN or infinity"]),
    ({"intercept": "0"}, TypeError, ["intercept must hold real numbers"]),
    ({"l2_reg": -1.0}, ValueError, ["l2_reg must be finite and >= 0"]),
    ({"n_threads": 0}, ValueError, ["n_threads must be between 1 and"]),
]


def named(argument, cases):
    return [({argument: value}, error, words) for value, error, words in cases]


BOTH = named("X", FEATURES) + named("y", TARGETS) + named("sample_weight", WEIGHTS)


@pytest.fixture
def _no_pass(monkeypatch):
    """Let any pass over X fail the test."""

    def fail(direct):
        raise AssertionError("a pass was made")

    monkeypatch.setattr("fastlogit.design.dense.descend", fail)
    monkeypatch.setattr("fastlogit.design.dense.passes", fail)


def assert_refused(call, arguments, error, words) -> None:
    arrays = [value for value in arguments.values() if isinstance(value, np.ndarray)]
    before = [array.tobytes() for array in arrays]
    with pytest.raises(error) as caught:
        call(**arguments)
    for word in words:
        assert word in str(caught.value)
    assert "\n" not in str(caught.value)
    assert [array.tobytes() for array in arrays] == before


def case_id(value):
    return "-".join(value) if isinstance(value, dict) else ""


@pytest.mark.usefixtures("_no_pass")
@pytest.mark.parametrize(
    ("change", "error", "words"), BOTH + named("y", TARGETS01) + ONLY_COST, ids=case_id
)
@pytest.mark.parametrize("call", [fastlogit.cost, fastlogit.cost_gradient])
def test_bad_input_of_a_cost(call, change, error, words) -> None:
    assert_refused(call, {"X": X0, "y": Y0, "coef": [1.0, 2.0]} | change, error, words)


@pytest.mark.usefixtures("_no_pass")
@pytest.mark.parametrize(
    ("change", "error", "words"), BOTH + named("y", LABELS) + OPTIONS, ids=case_id
)
@pytest.mark.parametrize("call", [fastlogit.gradient_descent, fastlogit.fit])
def test_bad_input_of_a_fit(call, change, error, words) -> None:
    assert_refused(call, {"X": X0, "y": Y0} | change, error, words)


@pytest.mark.usefixtures("_no_pass")
@pytest.mark.parametrize(("change", "error", "words"), ONLY_FIT, ids=case_id)
def test_bad_solver_or_option(change, error, words) -> None:
    assert_refused(fastlogit.fit, {"X": X0, "y": Y0} | change, error, words)


def test_a_start_of_other_classes() -> None:
    start = fastlogit.fit(X0, Y0, l2_reg=1.0)
    with pytest.raises(ValueError, match="start was fitted to other classes"):
        fastlogit.fit(X0, Y0 + 1, start=start)
