"""The oracle against independent truths: mpmath, SciPy, finite differences, scikit-learn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest
from scipy import optimize, special
from sklearn.linear_model import LogisticRegression

from fastlogit import reference

POINTS = [-745.0, -40.0, -1.5, -1e-9, 0.0, 1e-300, 0.3, 2.0, 36.7, 709.0, 1e5]
PROBABILITIES = [1e-300, 1e-9, 0.2, 0.26, 0.4999999999, 0.5000001, 0.74, 0.9, 1.0 - 1e-14]


@pytest.fixture
def problem(rng: np.random.Generator) -> tuple[Any, Any, Any]:
    """X (60, 3), y with noise, weights with some zeros."""
    X = rng.standard_normal((60, 3))
    y = (X @ [1.0, -2.0, 0.5] + rng.logistic(size=60) > 0.3).astype(float)
    return X, y, rng.integers(0, 4, 60).astype(float)


def exact(formula: Callable[[Any], Any], points: list[float]) -> Any:
    with mpmath.workprec(1200):
        return np.array([float(formula(mpmath.mpf(point))) for point in points])


@pytest.mark.parametrize(
    ("name", "formula", "points"),
    [
        ("sigmoid", lambda z: 1 / (1 + mpmath.exp(-z)), POINTS),
        ("log1p_exp", lambda z: mpmath.log(1 + mpmath.exp(z)), POINTS),
        ("log_sigmoid", lambda z: -mpmath.log(1 + mpmath.exp(-z)), POINTS),
        ("logit", lambda p: mpmath.log(p / (1 - p)), PROBABILITIES),
    ],
)
def test_elementwise_formulas(
    name: str, formula: Callable[[Any], Any], points: list[float]
) -> None:
    found = getattr(reference, name)(points)
    expected = exact(formula, points)
    np.testing.assert_allclose(found, expected, rtol=2e-15, atol=5e-324)
    assert np.ndim(getattr(reference, name)(points[0])) == 0


def test_limits() -> None:
    ends = np.array([-np.inf, np.inf, np.nan])
    np.testing.assert_array_equal(reference.sigmoid(ends), [0.0, 1.0, np.nan])
    np.testing.assert_array_equal(reference.log1p_exp(ends), [0.0, np.inf, np.nan])
    np.testing.assert_array_equal(reference.log_sigmoid(ends), [-np.inf, 0.0, np.nan])
    found = reference.logit([0.0, 0.5, 1.0, -0.1, 1.1, np.nan])
    np.testing.assert_array_equal(found, [-np.inf, 0.0, np.inf, np.nan, np.nan, np.nan])


def test_probabilities(problem: Any) -> None:
    X, coef = problem[0], np.array([1.0, -2.0, 0.5])
    proba = reference.predict_proba(X, coef, 0.25)
    assert proba.shape == (60, 2)
    np.testing.assert_allclose(proba[:, 1], special.expit(X @ coef + 0.25), rtol=1e-14)
    np.testing.assert_allclose(proba.sum(axis=1), 1.0, rtol=1e-15)


def test_one_vs_all_probabilities_stand_side_by_side(problem: Any) -> None:
    X, coef, intercept = problem[0], np.arange(12.0).reshape(3, 4) / 10.0, np.arange(4.0)
    proba = reference.predict_proba(X, coef, intercept)
    assert proba.shape == (60, 4)
    for k in range(4):
        expected = reference.predict_proba(X, coef[:, k], intercept[k])[:, 1]
        np.testing.assert_allclose(proba[:, k], expected, rtol=1e-14)


def test_cost_is_the_textbook_formula(problem: Any) -> None:
    X, y, weight = problem
    coef, h = np.array([0.4, -1.0, 0.2]), special.expit(X @ [0.4, -1.0, 0.2] - 0.1)
    losses = -(y * np.log(h) + (1.0 - y) * np.log(1.0 - h))
    np.testing.assert_allclose(reference.cost(X, y, coef, -0.1), losses.mean(), rtol=1e-13)
    penalised = np.average(losses, weights=weight) + 0.35 * (coef @ coef)
    np.testing.assert_allclose(reference.cost(X, y, coef, -0.1, 0.7, weight), penalised, rtol=1e-13)


def test_gradient_is_the_slope_of_the_cost(problem: Any) -> None:
    X, y, weight = problem
    point = np.array([0.4, -1.0, 0.2, -0.3])

    def value(at: Any) -> float:
        return reference.cost(X, y, at[:-1], at[-1], 0.7, weight)

    _, slope, intercept_slope = reference.cost_gradient(X, y, point[:-1], point[-1], 0.7, weight)
    expected = optimize.approx_fprime(point, value, 1e-7)
    np.testing.assert_allclose([*slope, intercept_slope], expected, atol=1e-6)


def test_cost_stays_finite_at_the_ends() -> None:
    X, y = np.array([[1e308], [-1e308], [1.0]]), np.array([1, 0, 1])
    value, slope, _ = reference.cost_gradient(X, y, np.array([1.0]))
    assert value == pytest.approx(np.log1p(np.exp(-1.0)) / 3.0)
    assert np.isfinite(slope).all()
    assert reference.cost(X[:1], y[1:2], np.array([1.0])) == 1e308


def test_weights_count_like_repeated_rows(problem: Any) -> None:
    X, y, weight = problem
    rows = np.repeat(np.arange(60), weight.astype(int))
    coef = np.array([0.4, -1.0, 0.2])
    once = reference.cost_gradient(X, y, coef, 0.1, 0.3, weight)
    repeated = reference.cost_gradient(X[rows], y[rows], coef, 0.1, 0.3)
    for one, other in zip(once, repeated, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-14)


def test_one_step_of_gradient_descent(problem: Any) -> None:
    X, y, _ = problem
    coef, intercept, history = reference.gradient_descent(X, y, 0.5, 1)
    np.testing.assert_allclose(coef, 0.5 * X.T @ (y - 0.5) / 60, rtol=1e-13)
    assert intercept == pytest.approx(0.5 * np.mean(y - 0.5))
    expected = [np.log(2.0), reference.cost(X, y, coef, intercept)]
    np.testing.assert_allclose(history, expected, rtol=1e-14)


@pytest.mark.parametrize(("momentum", "n_iter"), [("none", 1500), ("nesterov", 300)])
def test_gradient_descent_reaches_the_optimum(problem: Any, momentum: str, n_iter: int) -> None:
    X, y, weight = problem
    coef, intercept, history = reference.gradient_descent(X, y, 1.0, n_iter, momentum, 0.1, weight)
    other = LogisticRegression(C=1.0 / (0.1 * weight.sum()), tol=1e-12, max_iter=10_000)
    other.fit(X, y, weight)
    np.testing.assert_allclose(coef, other.coef_[0], rtol=1e-5)
    np.testing.assert_allclose(intercept, other.intercept_[0], rtol=1e-5)
    assert history.shape == (n_iter + 1,)
    assert history[-1] == pytest.approx(history.min(), rel=1e-14)


def test_momentum_needs_fewer_steps_and_restarts(rng: np.random.Generator) -> None:
    """A long valley, where the momentum overshoots."""
    X = rng.standard_normal((200, 4)) * [1.0, 0.3, 0.1, 0.03]
    y = X @ [1.0, 3.0, -9.0, 20.0] + rng.logistic(size=200) > 0.0
    plain = reference.gradient_descent(X, y, 2.0, 400)[2]
    nesterov = reference.gradient_descent(X, y, 2.0, 400, "nesterov")[2]
    assert nesterov[-1] < plain[-1]
    # A step too long for this X: the cost grows, and the momentum is dropped.
    coef, _, history = reference.gradient_descent(X, y, 6.0, 400, "nesterov")
    assert np.isfinite(coef).all()
    assert history[-1] < plain[-1]


def test_start_goes_on_where_the_first_run_stopped(problem: Any) -> None:
    X, y, _ = problem
    coef, intercept, _ = reference.gradient_descent(X, y, 0.5, 7)
    found = reference.gradient_descent(X, y, 0.5, 5, start=(coef, intercept))
    expected = reference.gradient_descent(X, y, 0.5, 12)
    for one, other in zip(found[:2], expected[:2], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-13)


def test_one_vs_all_is_one_fit_per_class(problem: Any, rng: np.random.Generator) -> None:
    X, codes = problem[0], rng.integers(0, 3, 60)
    coef, intercept, history = reference.one_vs_all(X, codes, 3, 0.5, 20, l2_reg=0.1)
    assert (coef.shape, intercept.shape, history.shape) == ((3, 3), (3,), (21, 3))
    for k in range(3):
        single = reference.gradient_descent(X, codes == k, 0.5, 20, l2_reg=0.1)
        np.testing.assert_array_equal(coef[:, k], single[0])
        assert intercept[k] == single[1]


def test_offset_and_strengths_of_columns(problem: Any) -> None:
    X, y, weight = problem
    coef, offset, strengths = np.array([0.4, -1.0, 0.2]), X[:, 0] ** 2, np.array([0.0, 0.5, 2.0])
    h = special.expit(X @ coef - 0.1 + offset)
    losses = -(y * np.log(h) + (1.0 - y) * np.log(1.0 - h))
    expected = np.average(losses, weights=weight) + 0.5 * np.sum(strengths * coef**2)
    found = reference.cost(X, y, coef, -0.1, strengths, weight, offset)
    np.testing.assert_allclose(found, expected, rtol=1e-13)


def test_hessian_is_the_slope_of_the_gradient(problem: Any) -> None:
    X, y, weight = problem
    point, strengths, offset = np.array([0.4, -1.0, 0.2, -0.3]), np.array([0.1, 0.5, 2.0]), X[:, 1]

    def slope(at: Any) -> Any:
        parts = reference.cost_gradient(X, y, at[:-1], at[-1], strengths, weight, offset)
        return np.append(parts[1], parts[2])

    found = reference.hessian(X, point[:-1], point[-1], strengths, weight, offset)
    expected = optimize.approx_fprime(point, slope, 1e-6)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    np.testing.assert_allclose(found, found.T, rtol=1e-15)


@pytest.mark.parametrize("held", [None, -0.5])
@pytest.mark.parametrize("l2_reg", [0.0, 0.3, np.array([0.0, 0.5, 2.0])])
def test_newton_finds_where_the_slope_is_none(problem: Any, l2_reg: Any, held: Any) -> None:
    X, y, weight = problem
    offset = X[:, 1] / 3.0
    coef, intercept, lowest = reference.newton(X, y, l2_reg, weight, offset, held)
    value, slope, last = reference.cost_gradient(X, y, coef, intercept, l2_reg, weight, offset)
    assert np.abs(slope).max() < 1e-15
    assert abs(last) < 1e-15 or held is not None
    assert held is None or intercept == held
    assert lowest == pytest.approx(value, rel=1e-15)


def test_newton_in_fifty_digits(problem: Any) -> None:
    X, y = problem[0][:25, :2], problem[1][:25]
    with mpmath.workdps(50):
        rows = [[mpmath.mpf(float(value)) for value in (*row, 1.0)] for row in X]

        def slopes(*point: Any) -> list[Any]:
            z = [sum(a * b for a, b in zip(row, point, strict=True)) for row in rows]
            residual = [
                1 / (1 + mpmath.exp(-t)) - int(label) for t, label in zip(z, y, strict=True)
            ]
            means = [
                sum(r * row[k] for r, row in zip(residual, rows, strict=True)) / 25
                for k in range(3)
            ]
            return [means[0] + point[0] / 20, means[1] + point[1] / 20, means[2]]

        exact = [float(value) for value in mpmath.findroot(slopes, (0, 0, 0))]
    coef, intercept, _ = reference.newton(X, y, 0.05)
    np.testing.assert_allclose([*coef, intercept], exact, rtol=1e-13)


def test_newton_from_far_off_does_not_jump(rng: np.random.Generator) -> None:
    """Nearly separable: the first full steps overshoot."""
    x = np.sort(rng.standard_normal(80))
    y = x > 0.0
    y[[35, 50]] ^= True
    coef, intercept, lowest = reference.newton(100.0 * x[:, None], y, offset=np.full(80, 30.0))
    value, slope, _ = reference.cost_gradient(
        100.0 * x[:, None], y, coef, intercept, offset=np.full(80, 30.0)
    )
    # BLAS may add up in another order at each call, by where its arrays begin.
    assert value == pytest.approx(lowest, rel=1e-14)
    assert lowest < 0.4
    assert abs(slope[0]) < 1e-12


def test_newton_of_columns_that_repeat_or_are_zero(problem: Any) -> None:
    X, y, _ = problem
    coef, intercept, lowest = reference.newton(X, y)
    wide = np.column_stack([X, X[:, 0], np.zeros(60)])
    again, base, cost = reference.newton(wide, y)
    assert cost == pytest.approx(lowest, rel=1e-14)
    np.testing.assert_allclose(wide @ again + base, X @ coef + intercept, rtol=1e-9)
    assert again[4] == 0.0


# ------------------------------------------------------------------------------------------------
# Several classes

RAW = np.array(
    [
        [0.0, 0.0, 0.0],
        [1.0, -2.0, 0.5],
        [800.0, -800.0, 799.0],
        [-800.0, -790.0, -745.0],
        [1e5, 0.0, -1e5],
        [-1e-300, 1e-9, 36.7],
        [-40.0, -40.0, -40.0],
        [300.0, 300.0, -300.0],
    ]
)


def exact_rows(log_proba: Callable[[Any], Any], z: Any) -> tuple[Any, Any]:
    """Probabilities and their logarithms by a function of the list of a row's values."""
    with mpmath.workprec(20_000):
        logs = [log_proba([mpmath.mpf(float(value)) for value in row]) for row in z]
        return (
            np.array([[float(mpmath.exp(value)) for value in row] for row in logs]),
            np.array([[float(value) for value in row] for row in logs]),
        )


def exact_log_softmax(row: Any) -> Any:
    whole = mpmath.log(sum(mpmath.exp(value) for value in row))
    return [value - whole for value in row]


@pytest.mark.parametrize(
    ("proba", "log_proba", "formula"),
    [
        ("softmax", "log_softmax", exact_log_softmax),
        (
            "one_vs_all_proba",
            "one_vs_all_log_proba",
            lambda row: exact_log_softmax([-mpmath.log1p(mpmath.exp(-value)) for value in row]),
        ),
    ],
)
def test_class_probabilities_at_every_size(proba: str, log_proba: str, formula: Any) -> None:
    expected, logs = exact_rows(formula, RAW)
    found, found_logs = getattr(reference, proba)(RAW), getattr(reference, log_proba)(RAW)
    # e^z of |z| < 746 is as wrong as z times that many units of rounding.
    np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-320)
    np.testing.assert_allclose(found_logs, logs, rtol=1e-14, atol=5e-324)
    np.testing.assert_allclose(found.sum(axis=1), 1.0, rtol=1e-15)


@pytest.fixture
def classes(rng: np.random.Generator) -> dict[str, Any]:
    """X (50, 2), classes, weights with zeros, offset, and a point."""
    X = rng.standard_normal((50, 2))
    return {
        "X": X,
        "codes": np.argmax(X @ rng.standard_normal((2, 3)) + rng.gumbel(size=(50, 3)), axis=1),
        "coef": rng.standard_normal((2, 3)),
        "intercept": rng.standard_normal(3),
        "l2_reg": np.array([0.0, 0.7]),
        "sample_weight": rng.integers(0, 4, 50).astype(float),
        "offset": rng.standard_normal((50, 3)),
    }


def test_the_multinomial_cost_is_the_textbook_formula(classes: Any) -> None:
    X, coef, weight = classes["X"], classes["coef"], classes["sample_weight"]
    proba = special.softmax(X @ coef + classes["intercept"] + classes["offset"], axis=1)
    losses = -np.log(proba[np.arange(50), classes["codes"]])
    expected = np.average(losses, weights=weight) + 0.35 * (coef[1] @ coef[1])
    np.testing.assert_allclose(reference.multinomial_cost(**classes), expected, rtol=1e-13)


def test_the_multinomial_gradient_in_fifty_digits(classes: Any) -> None:
    """Also of rows that are predicted so well that 1 - p is far below the unit of rounding."""
    classes |= {"coef": 20.0 * classes["coef"]}
    _, slope, last = reference.multinomial_cost_gradient(**classes)
    z = classes["X"] @ classes["coef"] + classes["intercept"] + classes["offset"]
    share = classes["sample_weight"] / classes["sample_weight"].sum()
    with mpmath.workdps(50):
        residual = []
        for row, code, weight in zip(z.tolist(), classes["codes"], share.tolist(), strict=True):
            tail = [mpmath.exp(value) for value in row]
            proba = [value / sum(tail) - (k == code) for k, value in enumerate(tail)]
            residual.append([weight * value for value in proba])
        columns = [*classes["X"].T.tolist(), [1.0] * 50]
        exact = np.array(
            [
                [
                    float(sum(x * r[k] for x, r in zip(column, residual, strict=True)))
                    for k in range(3)
                ]
                for column in columns
            ]
        )
    exact[:2] += classes["l2_reg"][:, None] * classes["coef"]
    np.testing.assert_allclose(np.vstack([slope, last]), exact, rtol=1e-11, atol=1e-16)


def test_a_row_that_is_predicted_well_keeps_its_digits() -> None:
    value, _, last = reference.multinomial_cost_gradient([[1.0]], [0], [[700.0, 0.0, 1.0]])
    expected = np.exp(-700.0) * np.array([-(1.0 + np.e), 1.0, np.e])
    np.testing.assert_allclose(last, expected, rtol=1e-12)
    assert value == pytest.approx(-last[0], rel=1e-12)


def test_residuals_are_the_slope_of_the_cost_by_the_offset(problem: Any, classes: Any) -> None:
    X, y, weight = problem
    coef, offset = np.array([0.4, -1.0, 0.2]), np.linspace(-1.0, 1.0, len(X))
    found = reference.residual(X, y, coef, 0.3, weight, offset)
    assert reference.residual(X, y, coef, 0.3)[7] == reference.sigmoid(X[7] @ coef + 0.3) - y[7]
    for row in range(0, len(X), 7):
        step = 1e-5 * np.eye(len(X))[row]
        above, below = (
            reference.cost(X, y, coef, 0.3, 0.0, weight, offset + change)
            for change in (step, -step)
        )
        assert found[row] == pytest.approx(weight.sum() * (above - below) / 2e-5, abs=1e-6)
    X, codes = classes["X"], classes["codes"]
    coef, own = np.linspace(-1.0, 1.0, 12).reshape(X.shape[1], -1), np.ones(len(X))
    fixed = np.zeros((len(X), coef.shape[1]))
    found = reference.multinomial_residual(X, codes, coef, 0.0, 2.0 * own, fixed)
    np.testing.assert_allclose(found.sum(axis=1), 0.0, atol=1e-15)
    for row in range(0, len(X), 9):
        for label in range(coef.shape[1]):
            step = np.zeros_like(fixed)
            step[row, label] = 1e-5
            above, below = (
                reference.multinomial_cost(X, codes, coef, 0.0, 0.0, own, change)
                for change in (step, -step)
            )
            slope = 2.0 * len(X) * (above - below) / 2e-5
            assert found[row, label] == pytest.approx(slope, abs=1e-6)


def test_two_classes_of_a_softmax_are_the_binomial_model(classes: Any) -> None:
    X, codes = classes["X"], classes["codes"] > 0
    coef = classes["coef"][:, :2]
    found = reference.multinomial_cost_gradient(X, codes, coef, [0.3, -0.2])
    expected = reference.cost_gradient(X, codes, coef[:, 1] - coef[:, 0], -0.5)
    assert found[0] == pytest.approx(expected[0], rel=1e-14)
    np.testing.assert_allclose(found[1], np.outer(expected[1], [-1.0, 1.0]), rtol=1e-12)
    np.testing.assert_allclose(found[2], expected[2] * np.array([-1.0, 1.0]), rtol=1e-12)


def test_the_multinomial_hessian_is_the_slope_of_the_gradient(classes: Any) -> None:
    point = np.vstack([classes.pop("coef"), classes.pop("intercept")]).T.ravel()

    def slope(at: Any) -> Any:
        rows = at.reshape(3, 3).T
        parts = reference.multinomial_cost_gradient(**classes, coef=rows[:2], intercept=rows[2])
        return np.vstack(parts[1:]).T.ravel()

    rows, codes = point.reshape(3, 3).T, classes["codes"]
    expected = optimize.approx_fprime(point, slope, 1e-6)
    del classes["codes"]
    found = reference.multinomial_hessian(**classes, coef=rows[:2], intercept=rows[2])
    np.testing.assert_allclose(found, expected, atol=1e-6)
    np.testing.assert_allclose(found, found.T, rtol=1e-14)
    direction = np.arange(9.0).reshape(3, 3) - 3.0
    product = reference.multinomial_hessian_product(
        **classes, coef=rows[:2], intercept=rows[2], direction=direction[:2],
        intercept_direction=direction[2],
    )  # fmt: skip
    np.testing.assert_allclose(
        np.vstack(product).T.ravel(), found @ direction.T.ravel(), rtol=1e-12
    )
    assert codes.max() == 2


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_the_softmax_optimum_has_no_slope_and_sums_to_zero(
    classes: Any, fit_intercept: bool
) -> None:
    del classes["coef"], classes["intercept"]
    coef, intercept, lowest = reference.multinomial_newton(
        **classes, n_classes=3, fit_intercept=fit_intercept
    )
    value, slope, last = reference.multinomial_cost_gradient(
        **classes, coef=coef, intercept=intercept
    )
    assert np.abs(slope).max() < 1e-15
    assert np.abs(last).max() < 1e-15 or not fit_intercept
    assert intercept.any() == fit_intercept
    np.testing.assert_allclose([*coef.sum(axis=1), intercept.sum()], 0.0, atol=1e-14)
    assert lowest == pytest.approx(value, rel=1e-15)


def test_the_softmax_optimum_is_that_of_scikit_learn(classes: Any) -> None:
    X, codes, weight = classes["X"], classes["codes"], classes["sample_weight"]
    coef, intercept, _ = reference.multinomial_newton(X, codes, 3, 0.1, weight)
    other = LogisticRegression(
        C=1.0 / (0.1 * weight.sum()), tol=1e-12, solver="newton-cholesky", max_iter=100
    )
    other.fit(X, codes, weight)
    np.testing.assert_allclose(coef, other.coef_.T, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(intercept, other.intercept_, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("momentum", "n_iter"), [("none", 800), ("nesterov", 200)])
def test_softmax_descent_reaches_the_optimum(classes: Any, momentum: str, n_iter: int) -> None:
    X, codes, weight = classes["X"], classes["codes"], classes["sample_weight"]
    expected = reference.multinomial_newton(X, codes, 3, 0.1, weight)
    coef, intercept, history = reference.multinomial_gradient_descent(
        X, codes, 3, 1.0, n_iter, momentum, 0.1, weight
    )
    np.testing.assert_allclose(coef, expected[0], rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(intercept, expected[1], rtol=1e-6, atol=1e-9)
    assert history.shape == (n_iter + 1,)
    assert history[0] == pytest.approx(np.log(3.0))
    assert history[-1] == pytest.approx(expected[2], rel=1e-13)
    further = reference.multinomial_gradient_descent(
        X, codes, 3, 1.0, 1, momentum, 0.1, weight, start=(coef, intercept)
    )
    np.testing.assert_allclose(further[0], coef, rtol=1e-6, atol=1e-9)


def test_the_optimum_of_firth_is_one() -> None:
    """No point near it costs less, with weights and offset; a held coefficient stays at 0."""
    rng = np.random.default_rng(3)
    X, offset, weight = rng.standard_normal((15, 2)), rng.standard_normal(15), rng.uniform(1, 2, 15)
    y = X[:, 0] > 0.0  # separable: the likelihood has no optimum
    for held in (None, 0):
        coef, intercept, value = reference.firth(X, y, weight, offset, held)
        point = np.append(coef, intercept)
        assert value == pytest.approx(
            reference.firth_cost(X, y, coef, intercept, weight, offset), rel=1e-12
        )
        for j in range(3):
            if j == held:
                assert point[j] == 0.0
                continue
            for change in (-1e-4, 1e-4):
                moved = point + change * np.eye(3)[j]
                cost = reference.firth_cost(X, y, moved[:-1], moved[-1], weight, offset)
                assert 0.0 < cost - value < 1e-6


def test_the_elastic_net_is_least_where_scikit_learn_finds_it(problem: Any) -> None:
    X, y, weight = problem
    C, ratio = 0.1, 0.6
    total = weight.sum()
    coef, intercept, least = reference.elastic_net(
        X, y, ratio / (C * total), (1.0 - ratio) / (C * total), weight
    )
    model = LogisticRegression(C=C, l1_ratio=ratio, solver="saga", tol=1e-12, max_iter=100_000)
    model.fit(X, y, sample_weight=weight)
    np.testing.assert_allclose(coef, model.coef_[0], atol=1e-7)
    np.testing.assert_allclose(intercept, model.intercept_[0], atol=1e-7)
    strengths = {"l1_reg": ratio / (C * total), "l2_reg": (1.0 - ratio) / (C * total)}
    value = reference.elastic_net_cost(X, y, coef, intercept, sample_weight=weight, **strengths)
    assert least == pytest.approx(value, rel=1e-14)
    slopes, last = reference.elastic_net_slopes(
        X, y, coef, intercept, sample_weight=weight, **strengths
    )
    assert max(np.abs(slopes).max(), abs(last)) < 1e-12


def test_the_slopes_of_the_elastic_net_are_those_of_its_cost(problem: Any) -> None:
    X, y, weight = problem
    l1, l2 = np.array([0.05, 0.2, 0.01]), 0.1
    coef = np.array([0.4, 0.0, -0.3])
    options = {"l1_reg": l1, "l2_reg": l2, "sample_weight": weight}
    slopes, last = reference.elastic_net_slopes(X, y, coef, 0.1, **options)
    for j in range(3):
        way = 1e-6 * np.eye(3)[j]
        ahead = reference.elastic_net_cost(X, y, coef + way, 0.1, **options)
        behind = reference.elastic_net_cost(X, y, coef - way, 0.1, **options)
        here = reference.elastic_net_cost(X, y, coef, 0.1, **options)
        if coef[j]:
            assert (ahead - behind) / 2e-6 == pytest.approx(slopes[j], abs=1e-7)
        else:
            steepest = min((ahead - here) / 1e-6, (behind - here) / 1e-6, 0.0)
            assert -abs(slopes[j]) == pytest.approx(steepest, abs=1e-5)
    ahead = reference.elastic_net_cost(X, y, coef, 0.1 + 1e-6, **options)
    behind = reference.elastic_net_cost(X, y, coef, 0.1 - 1e-6, **options)
    assert (ahead - behind) / 2e-6 == pytest.approx(last, abs=1e-8)


@pytest.mark.parametrize("value", [-2.0, -0.3, 0.0, 0.1, 0.3, 5.0])
def test_the_prox_of_the_elastic_net_is_a_minimum(value: float) -> None:
    found = reference.elastic_net_prox(value, 0.3, 0.5)

    def at(b: float) -> float:
        return 0.5 * (b - value) ** 2 + 0.3 * abs(b) + 0.25 * b**2

    assert all(at(found) <= at(found + step) for step in (-0.1, -1e-4, 1e-4, 0.1))


def test_the_elastic_net_of_a_strong_l1_and_a_held_intercept(problem: Any) -> None:
    X, y, _ = problem
    coef, intercept, _ = reference.elastic_net(X, y, 10.0)
    np.testing.assert_array_equal(coef, 0.0)
    assert intercept == pytest.approx(float(reference.logit(y.mean())), rel=1e-10)
    coef, intercept, least = reference.elastic_net(X, y, 0.02, intercept=0.5)
    assert intercept == 0.5
    slopes, _ = reference.elastic_net_slopes(X, y, coef, 0.5, 0.02)
    assert np.abs(slopes).max() < 1e-12
    assert least <= reference.elastic_net_cost(X, y, coef * 1.01, 0.5, 0.02)
