"""From coefficients to classes."""

import contextlib

import numpy as np
import pytest
from problems import LAYOUTS, TWO_THREADS, DataFrame, problem, sized, three_classes
from sklearn.preprocessing import PolynomialFeatures

import fastlogit
from fastlogit import reference
from fastlogit.prediction import class_proba


@pytest.mark.parametrize("n_features", [1, 7, 8, 9, 40])
def test_raw_prediction_and_probability(n_features) -> None:
    X, _, coef, intercept, _ = problem(100, n_features)
    raw = fastlogit.raw_prediction(X, coef, intercept)
    np.testing.assert_allclose(raw, reference.raw_prediction(X, coef, intercept), atol=1e-13)
    proba = fastlogit.predict_proba(X, coef, intercept)
    np.testing.assert_allclose(proba, reference.predict_proba(X, coef, intercept), rtol=1e-12)
    assert raw.shape == (100,)
    assert proba.shape == (100, 2)
    assert raw.dtype == proba.dtype == np.float64
    without = fastlogit.raw_prediction(X, coef)
    np.testing.assert_allclose(without, raw - intercept, atol=1e-13)


@pytest.mark.parametrize("n_features", [3, 12])
def test_several_models_have_a_column_each(n_features) -> None:
    X = problem(100, n_features).X
    rng = np.random.default_rng(0)
    coef, intercept = rng.standard_normal((n_features, 4)), rng.standard_normal(4)
    raw = fastlogit.raw_prediction(X, coef, intercept)
    np.testing.assert_allclose(raw, X @ coef + intercept, atol=1e-13)
    proba = fastlogit.predict_proba(X, coef, intercept)
    np.testing.assert_allclose(proba, reference.sigmoid(X @ coef + intercept), rtol=1e-12)
    predicted = fastlogit.predict(X, coef, intercept)
    np.testing.assert_array_equal(predicted, proba.argmax(axis=1))
    assert raw.shape == proba.shape == (100, 4)
    # A single number stands for all models; a single column is a model in a matrix.
    np.testing.assert_array_equal(
        fastlogit.raw_prediction(X, coef, 0.0), fastlogit.raw_prediction(X, coef)
    )
    assert fastlogit.raw_prediction(X, coef[:, :1], 0.0).shape == (100, 1)


@pytest.mark.parametrize("layout", ["F", "every second row", "first columns", "read-only"])
def test_layouts(layout) -> None:
    X, _, coef, intercept, _ = problem(100, 12)
    given = LAYOUTS[layout](X)
    raw = fastlogit.raw_prediction(given, coef, intercept)
    np.testing.assert_allclose(raw, reference.raw_prediction(X, coef, intercept), atol=1e-13)


def test_lists_and_data_frames() -> None:
    for X in ([[1, 2], [3, 4]], DataFrame([[1.0, 2.0], [3.0, 4.0]], ["a", "b"])):
        np.testing.assert_array_equal(fastlogit.raw_prediction(X, [1, -1], 0.5), [-0.5, -0.5])


def test_probabilities_near_zero_keep_their_digits() -> None:
    raw = np.array([[-800.0], [-700.0], [-40.0], [40.0], [700.0], [800.0]])
    with np.errstate(under="ignore"):
        proba = fastlogit.predict_proba(raw, [1.0])
    np.testing.assert_allclose(proba, reference.predict_proba(raw, [1.0], 0.0), rtol=1e-15)
    assert proba[1, 1] > 0.0
    assert proba[4, 0] > 0.0
    np.testing.assert_array_equal(proba, proba[::-1, ::-1])


def test_the_line_x1_plus_x2_is_three() -> None:
    # Eighths are exact, and so are their sums: the boundary itself is on the grid.
    steps = np.arange(-16, 65) / 8.0
    grid = np.array([(x1, x2) for x1 in steps[:: sized(1, 4)] for x2 in steps])
    coef, intercept = [1.0, 1.0], -3.0
    inside = grid.sum(axis=1) >= 3.0
    assert (grid.sum(axis=1) == 3.0).sum() > 5
    np.testing.assert_array_equal(fastlogit.predict(grid, coef, intercept) == 1, inside)
    proba = fastlogit.predict_proba(grid, coef, intercept)[:, 1]
    np.testing.assert_array_equal(proba >= 0.5, inside)
    assert (proba[grid.sum(axis=1) == 3.0] == 0.5).all()
    # The same among more columns, which other kernels read.
    wide = np.hstack([grid, np.zeros((len(grid), 9))])
    predicted = fastlogit.predict(wide, [1.0, 1.0] + [7.0] * 9, intercept)
    np.testing.assert_array_equal(predicted == 1, inside)


def test_thresholds() -> None:
    X, _, coef, intercept, _ = problem(100, 5)
    proba = fastlogit.predict_proba(X, coef, intercept)[:, 1]
    for threshold in (0.0, 0.2, 0.5, 0.9, 1.0, 1):
        predicted = fastlogit.predict(X, coef, intercept, threshold=threshold)
        np.testing.assert_array_equal(predicted, proba >= threshold)
        assert predicted.dtype == np.intp
    assert fastlogit.predict(X, coef, intercept, threshold=0.0).all()


def test_a_circle_is_learnt() -> None:
    rng = np.random.default_rng(0)
    points = rng.uniform(-1.5, 1.5, (sized(1000, 200), 2))
    inside = (points**2).sum(axis=1) < 1.0
    line = fastlogit.fit(points, inside, l2_reg=1e-4)
    assert (line.predict(points) == inside).mean() < 0.75
    squares = PolynomialFeatures(degree=2, include_bias=False)
    X = squares.fit_transform(points)
    circle = fastlogit.fit(X, inside, l2_reg=1e-4)
    assert (circle.predict(X) == inside).mean() > 0.98
    angles = np.linspace(0.0, 2.0 * np.pi, 50)
    around = np.column_stack([np.cos(angles), np.sin(angles)])
    assert circle.predict(squares.transform(around * 0.9)).all()
    assert not circle.predict(squares.transform(around * 1.1)).any()


def test_any_number_of_threads_gives_the_same_bits() -> None:
    X, _, coef, intercept, _ = problem(sized(40_000, 300), 30)
    found = {
        fastlogit.predict_proba(X, coef, intercept, n_threads=n_threads).tobytes()
        for n_threads in (1, TWO_THREADS, None)
    }
    assert len(found) == 1


@pytest.mark.parametrize(
    "call", [fastlogit.raw_prediction, fastlogit.predict_proba, fastlogit.predict]
)
@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"X": [[1.0, 2.0], [3.0, np.nan]]}, ValueError, ["NaN in column 1 (row 1)", "impute"]),
        ({"X": [[np.inf, 2.0], [3.0, 4.0]]}, ValueError, ["infinity in column 0 (row 0)"]),
        ({"X": [1.0, 2.0]}, ValueError, ["2 dimensions", "found 1", "X.reshape(-1, 1)"]),
        ({"X": [[1.0, 2.0, 3.0]]}, ValueError, ["coef has shape (2,)", "X has 3 columns"]),
        ({"X": np.empty((0, 2))}, ValueError, ["X is empty: 0 rows and 2 columns"]),
        ({"X": [["a", "b"]]}, TypeError, ["X has dtype <U1", "OneHotEncoder"]),
        ({"coef": [1.0, np.nan]}, ValueError, ["coef contains NaN or infinity"]),
        ({"coef": [1j, 0.0]}, TypeError, ["coef must hold real numbers", "complex128"]),
        ({"coef": np.ones((2, 2, 2))}, ValueError, ["coef has shape (2, 2, 2)"]),
        ({"intercept": [1.0, 2.0]}, ValueError, ["intercept has 2 values for 1 models"]),
        ({"intercept": np.inf}, ValueError, ["intercept contains NaN or infinity"]),
        ({"n_threads": 0}, ValueError, ["n_threads must be between 1 and", "got 0"]),
        ({"n_threads": 1.5}, TypeError, ["n_threads must be an integer"]),
        (
            {"X": [[1.0, 2.0], [1e308, 1e308]], "coef": [10.0, -10.0]},
            ValueError,
            ["X @ coef overflows in row 1", "divide the columns"],
        ),
    ],
)  # fmt: skip
def test_bad_input(call, change, error, words) -> None:
    arguments = {"X": [[1.0, 2.0], [3.0, 4.0]], "coef": [1.0, 2.0], "intercept": 0.5} | change
    with np.errstate(all="ignore"), pytest.raises(error) as caught:
        call(arguments.pop("X"), arguments.pop("coef"), arguments.pop("intercept"), **arguments)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("threshold", "error", "words"),
    [
        (-0.1, ValueError, ["threshold", ">= 0", "<= 1", "-0.1"]),
        (1.1, ValueError, ["threshold", "1.1"]),
        (np.nan, ValueError, ["threshold", "nan"]),
        ("0.5", TypeError, ["threshold must be a number", "'0.5'", "str"]),
        (True, TypeError, ["threshold must be a number", "bool"]),
    ],
)
def test_bad_threshold(threshold, error, words) -> None:
    with pytest.raises(error) as caught:
        fastlogit.predict([[1.0, 2.0]], [1.0, 2.0], threshold=threshold)
    for word in words:
        assert word in str(caught.value)


def test_a_threshold_has_no_meaning_for_several_classes() -> None:
    with pytest.raises(ValueError, match=r"threshold=0\.3 has no meaning for 3 classes") as caught:
        fastlogit.predict([[1.0, 2.0]], np.ones((2, 3)), threshold=0.3)
    assert "leave it at 0.5" in str(caught.value)


# ------------------------------------------------------------------------------------------------
# Probabilities of classes


def class_models(n_features, n_classes, n_samples=100):
    rng = np.random.default_rng([n_features, n_classes])
    return (
        rng.standard_normal((n_samples, n_features)), rng.standard_normal((n_features, n_classes)),
        rng.standard_normal(n_classes), rng.standard_normal((n_samples, n_classes)),
    )  # fmt: skip


@pytest.mark.parametrize("n_classes", [2, 3, 10])
@pytest.mark.parametrize("n_features", [3, 12])
def test_class_proba_of_several_classes(n_features, n_classes) -> None:
    X, coef, intercept, offset = class_models(n_features, n_classes)
    for fixed in (None, offset, offset[:, 0]):
        z = X @ coef + intercept
        z = z if fixed is None else z + fixed.reshape(len(X), -1)
        for multi_class, proba, log_proba in (
            ("multinomial", reference.softmax, reference.log_softmax),
            ("ovr", reference.one_vs_all_proba, reference.one_vs_all_log_proba),
        ):
            given = (X, coef, intercept, multi_class)
            found = class_proba(*given, offset=fixed)
            np.testing.assert_allclose(found, proba(z), rtol=1e-12)
            np.testing.assert_allclose(found.sum(axis=1), 1.0, rtol=1e-14)
            logs = class_proba(*given, offset=fixed, log=True)
            np.testing.assert_allclose(logs, log_proba(z), rtol=1e-12, atol=1e-13)
        softmax = fastlogit.predict_proba(
            X, coef, intercept, multi_class="multinomial", offset=fixed
        )
        np.testing.assert_array_equal(
            softmax,
            class_proba(X, coef, intercept, "multinomial", offset=fixed),
        )
        hypotheses = fastlogit.predict_proba(X, coef, intercept, offset=fixed)
        np.testing.assert_allclose(hypotheses, reference.sigmoid(z), rtol=1e-12)


@pytest.mark.parametrize("multi_class", ["ovr", "multinomial"])
def test_class_proba_of_two_classes(multi_class) -> None:
    X, _, coef, intercept, _ = problem(100, 5)
    offset = X[:, 0] ** 2
    for fixed in (None, offset, offset[:, None]):
        z = X @ coef + intercept + (0.0 if fixed is None else offset)
        found = class_proba(X, coef, intercept, multi_class, offset=fixed)
        expected = np.column_stack([reference.sigmoid(-z), reference.sigmoid(z)])
        np.testing.assert_allclose(found, expected, rtol=1e-12)
        logs = class_proba(X, coef, intercept, multi_class, log=True, offset=fixed)
        expected = np.column_stack([reference.log_sigmoid(-z), reference.log_sigmoid(z)])
        np.testing.assert_allclose(logs, expected, rtol=1e-12)
        proba = fastlogit.predict_proba(X, coef, intercept, multi_class=multi_class, offset=fixed)
        np.testing.assert_array_equal(proba, found)


def test_a_result_predicts_as_it_was_fitted() -> None:
    X, codes = three_classes(90, 3)
    for multi_class, proba in (
        ("multinomial", reference.softmax),
        ("ovr", reference.sigmoid),
    ):
        result = fastlogit.fit(X, codes, l2_reg=0.1, multi_class=multi_class)
        expected = proba(X @ result.coef + result.intercept)
        np.testing.assert_allclose(result.predict_proba(X), expected, rtol=1e-11)
        np.testing.assert_array_equal(result.predict(X), expected.argmax(axis=1))


def test_logarithms_are_finite_where_probabilities_are_zero() -> None:
    X = np.array([[1.0], [-1.0], [0.0]])
    coef = np.array([[2000.0, -2000.0, 0.0]])
    with np.errstate(under="ignore"):
        for multi_class in ("multinomial", "ovr"):
            proba = class_proba(X, coef, 0.0, multi_class)
            logs = class_proba(X, coef, 0.0, multi_class, log=True)
            assert (proba == 0.0).any()
            assert np.isfinite(logs).all()
            np.testing.assert_allclose(proba.sum(axis=1), 1.0, rtol=1e-15)
    wanted = np.array([[0.0, -4000.0, -2000.0], [-4000.0, 0.0, -2000.0], [-np.log(3.0)] * 3])
    np.testing.assert_allclose(
        class_proba(X, coef, 0.0, "multinomial", log=True), wanted, rtol=1e-15
    )


@pytest.mark.parametrize("layout", ["F", "every second row", "read-only", "big-endian"])
def test_class_proba_of_layouts(layout) -> None:
    X, coef, intercept, _ = class_models(12, 3)
    for multi_class in ("ovr", "multinomial"):
        expected = class_proba(X, coef, intercept, multi_class)
        found = class_proba(LAYOUTS[layout](X), coef, intercept, multi_class)
        np.testing.assert_allclose(found, expected, rtol=1e-13)


@pytest.mark.parametrize("n_models", [1, 3])
def test_an_offset_adds_to_raw_predictions(n_models) -> None:
    X, coef, intercept, offset = class_models(12, n_models)
    common = fastlogit.raw_prediction(X, coef, intercept, offset=offset[:, 0])
    np.testing.assert_allclose(common, X @ coef + intercept + offset[:, :1], atol=1e-13)
    raw = fastlogit.raw_prediction(X, coef, intercept, offset=offset)
    np.testing.assert_allclose(raw, X @ coef + intercept + offset, atol=1e-13)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"offset": np.zeros(3)}, ValueError, ["offset has shape (3,)", "2 rows"]),
        ({"offset": np.zeros((2, 2))}, ValueError, ["offset has shape (2, 2)", "(2, 3)"]),
        ({"offset": np.zeros((3, 2))}, ValueError, ["offset has shape (3, 2)", "(2, 3)"]),
        ({"offset": [0.0, np.nan]}, ValueError, ["offset contains NaN or infinity"]),
        ({"offset": np.full((2, 3), np.inf)}, ValueError, ["offset contains NaN or infinity"]),
        ({"offset": ["a", "b"]}, TypeError, ["offset must hold real numbers"]),
        ({"X": [[1.0, 2.0], [np.nan, 4.0]]}, ValueError, ["NaN in column 0 (row 1)", "impute"]),
        ({"X": [[1.0, np.inf], [3.0, 4.0]]}, ValueError, ["infinity in column 1 (row 0)"]),
        (
            {"X": DataFrame([[1.0, 2.0], [3.0, np.nan]], ["age", "height"])},
            ValueError,
            ["NaN in column", "height"],
        ),
        ({"multi_class": "softmax"}, ValueError, ["multi_class must be one of", "'softmax'"]),
        ({"coef": np.ones((3, 3))}, ValueError, ["coef has shape (3, 3)", "X has 2 columns"]),
        ({"intercept": [1.0, 2.0]}, ValueError, ["intercept has 2 values for 3 models"]),
        (
            {"X": [[1.0, 2.0], [1e308, 1e308]], "coef": np.array([[10.0, 0, 1], [-10.0, 0, 1]])},
            ValueError,
            ["X @ coef overflows in row 1", "divide the columns"],
        ),
    ],
)
def test_bad_input_of_class_proba(change, error, words) -> None:
    arguments = {
        "X": [[1.0, 2.0], [3.0, 4.0]], "coef": np.ones((2, 3)), "intercept": 0.0,
        "multi_class": "multinomial",
    } | change  # fmt: skip
    for log in (False, True):
        with np.errstate(all="ignore"), pytest.raises(error) as caught:
            class_proba(**arguments, log=log)
        for word in words:
            assert word in str(caught.value)
    with np.errstate(all="ignore"), pytest.raises(error):
        fastlogit.predict_proba(**arguments)
    assert "\n" not in str(caught.value)


def test_a_column_of_the_model_for_two_classes_takes_one_offset() -> None:
    with pytest.raises(ValueError, match=r"offset has shape \(2, 2\)"):
        fastlogit.raw_prediction([[1.0], [2.0]], [1.0], offset=np.zeros((2, 2)))


def test_one_model_in_a_column_takes_its_offset_in_a_column() -> None:
    X, _, coef, intercept, _ = problem(40, 3)
    offset = np.linspace(-1.0, 1.0, 40)
    found = fastlogit.raw_prediction(X, coef[:, None], intercept, offset=offset[:, None])
    assert found.shape == (40, 1)
    expected = fastlogit.raw_prediction(X, coef, intercept, offset=offset)
    np.testing.assert_array_equal(found[:, 0], expected)


@pytest.mark.jit  # plain NumPy warns where these overflow
def test_sums_too_large_for_float64_have_the_right_sign_or_are_refused() -> None:
    for terms, wanted in ([1e308, 1e308], np.inf), ([-1e308, -1e308], -np.inf):
        assert fastlogit.raw_prediction([terms], [10.0, 10.0])[0] == wanted
    for terms in [1e308, -1.5e308], [-1.5e308, 1e308], [1.5e308, -1e308], [-1e308, 1.5e308]:
        with contextlib.suppress(ValueError):
            found = fastlogit.raw_prediction([terms], [10.0, 10.0])[0]
            assert found == np.sign(sum(terms)) * np.inf
