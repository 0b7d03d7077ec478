"""From coefficients to classes."""

import numpy as np
import pytest
from problems import LAYOUTS, TWO_THREADS, DataFrame, problem, sized
from sklearn.preprocessing import PolynomialFeatures

import fastlogit
from fastlogit import reference


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
