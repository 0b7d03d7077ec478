"""Directions that a Hessian resolves, and those that change nothing: by products, and exactly."""

import warnings
from fractions import Fraction

import numpy as np
import pytest
from problems import problem
from test_certificate import objective_of

import fastlogit
from fastlogit.linalg.resolved import ResolvedHessian
from fastlogit.objective.null_directions import (
    NullDirections,
    _add_up_to_zero,
    _product,
    whole_multiples,
)

RNG = np.random.default_rng(0)
OUTLIER = [
    [16394.967246758653, -681231940706867.9],
    [1057228673.772816, -4.437956007561033e19],
    [15876.556392282375, -681231940706934.9],
    [15678.05604146212, -681231940712625.6],
    [16547.304161994572, -681231940712214.4],
]
OFFSET = [
    377518.1400364045,
    -913824.7772482866,
    -887675.2614786569,
    241163.83302234762,
    -136466.193035661,
]


def null_of(X, fit_intercept=True, weights=None):
    y = np.arange(len(X)) % 2
    objective = objective_of(X, y, weights, fit_intercept=fit_intercept)
    objective.standardize()
    return objective, NullDirections(objective)


def direction(objective, slopes, level=0.0):
    """A direction in the units of X, as the standardised one."""
    center, inverse_scale = objective.design.columns
    slopes = np.asarray(slopes, dtype=float)
    return np.append(slopes / inverse_scale, level + slopes @ center)


@pytest.mark.parametrize(
    ("columns", "slopes", "level", "null"),
    [
        (lambda u, v: [u, u], [1, -1], 0.0, True),
        (lambda u, v: [u, 3.0 * u], [3, -1], 0.0, True),
        (lambda u, v: [u, u / 1024.0], [1, -1024], 0.0, True),
        (lambda u, v: [u, u + 5.0], [1, -1], 5.0, True),
        (lambda u, v: [u, v, u - 2.0 * v], [1, -2, -1], 0.0, True),
        (lambda u, v: [u > 0.0, u <= 0.0], [1, 1], -1.0, True),
        (lambda u, v: [u, 2.54 * u], [2.54, -1], 0.0, False),
        (lambda u, v: [u, np.nextafter(u, 9.0)], [1, -1], 0.0, False),
        (lambda u, v: [u, v], [1, -1], 0.0, False),
    ],
)
def test_the_values_say_what_changes_nothing(columns, slopes, level, null) -> None:
    u, v = np.round(RNG.standard_normal((2, 50)) * 1024.0) / 1024.0
    X = np.column_stack(columns(u, v)).astype(float)
    objective, directions = null_of(X)
    near = direction(objective, slopes, level) * 0.37
    near *= 1.0 + 1e-9 * RNG.standard_normal(near.size)
    assert directions.contains(0, near) == null


def test_without_an_intercept_a_constant_sum_is_not_nothing() -> None:
    u = np.arange(20.0) % 3
    X = np.column_stack([u == k for k in range(3)]).astype(float)
    for fit_intercept in (True, False):
        objective, directions = null_of(X, fit_intercept)
        ones = direction(objective, [1, 1, 1], -1.0 if fit_intercept else 0.0)
        assert directions.contains(0, ones) == fit_intercept


def test_rows_without_weight_do_not_count() -> None:
    u = RNG.standard_normal(30)
    X = np.column_stack([u, u])
    X[7, 1] += 1.0
    weights = np.ones(30)
    for weight in (1.0, 0.0):
        weights[7] = weight
        objective, directions = null_of(X, weights=weights)
        assert directions.contains(0, direction(objective, [1, -1])) == (weight == 0.0)


def test_sums_without_a_rounding_error() -> None:
    numbers = RNG.standard_normal(40) * 10.0 ** RNG.uniform(-12, 12, 40)
    for factor in (3.0, -7.0, 12_345.0):
        parts = _product(numbers, factor)
        for row, number in enumerate(numbers):
            exact = sum(Fraction(float(part[row])) for part in parts)
            assert exact == Fraction(float(number)) * int(factor)
    terms = [numbers, -numbers * 0.5, -numbers * 0.5, numbers[::-1], -numbers[::-1]]
    assert _add_up_to_zero(terms)
    off = numbers[::-1].copy()
    off[3] = np.nextafter(off[3], np.inf)
    assert not _add_up_to_zero([*terms[:4], -off])


@pytest.mark.parametrize("closeness", [1e-3, 1e-6, 1e-9, 1e-11])
def test_a_direction_of_nearly_equal_columns_keeps_its_own_part(closeness) -> None:
    u, v = RNG.standard_normal((2, 300))
    rows = np.column_stack([u, u + closeness * v])
    apart = rows[:, 1] - rows[:, 0]

    def product(vectors):
        return np.array([rows.T @ (rows @ vector) for vector in vectors]) / 300.0

    hessian = ResolvedHessian(rows.T @ rows / 300.0, product)
    assert not hessian.unresolved.size
    gradient = np.array([0.3, 0.3 + 0.2 * closeness])
    # In the columns u and apart, whose Gram matrix holds all digits.
    basis = np.column_stack([u, apart / closeness])
    slopes = np.array([gradient[0], (gradient[1] - gradient[0]) / closeness])
    wanted = slopes @ np.linalg.solve(basis.T @ basis / 300.0, slopes)
    half = hessian.half_solve(gradient[None])[0]
    assert half @ half == pytest.approx(wanted, rel=1e-3)
    assert 1.0 <= hessian.excess() < 1.2


def test_what_rounding_covers_is_unresolved() -> None:
    u = RNG.standard_normal(300)
    rows = np.column_stack([u, 2.54 * u])

    def product(vectors):
        return np.array([rows.T @ (rows @ vector) for vector in vectors]) / 300.0

    assert ResolvedHessian(rows.T @ rows / 300.0, product).unresolved.tolist() == [1]
    assert ResolvedHessian(rows.T @ rows / 300.0).unresolved.tolist() == [1]
    known = ResolvedHessian(rows.T @ rows / 300.0, product, lambda direction: True)
    assert known.unresolved.tolist() == []


def test_an_outlier_among_columns_far_from_zero_hides_no_direction() -> None:
    """Found by a fuzz: what is left of two columns once the third explains them is alike, too."""
    X = np.array(OUTLIER)
    offset = np.array(OFFSET)
    l2_reg = [1.93523031e-16, 4.65682897e-08]
    better = fastlogit.cost(
        X, [0, 1, 1, 1, 1], [-2419.2625466223346, -165.07333353174718], -112453227321498024.0,
        l2_reg=l2_reg, offset=offset,
    )  # fmt: skip
    for solver in ("auto", "lbfgs", "newton-cg"):
        for tol in (1e-2, 1e-8, 1e-12):
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "stopped after")
                result = fastlogit.fit(
                    X, [0, 1, 1, 1, 1], offset=offset, l2_reg=l2_reg, solver=solver, tol=tol
                )
            assert result.suboptimality >= (result.history[-1] - better) / better


def test_columns_of_a_real_fit() -> None:
    X, y = problem(200, 4)[:2]
    close = np.column_stack([X, X[:, 0] + 1e-8 * RNG.standard_normal(200)])
    apart = np.column_stack([X, (close[:, 4] - X[:, 0]) * 1e8])
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "stopped after")
        result = fastlogit.fit(close, y)
    wanted = fastlogit.fit(apart, y)
    assert result.history[-1] == pytest.approx(wanted.history[-1], rel=1e-9)
    assert result.suboptimality < 1e-10


def test_whole_multiples_of_many_columns_are_found_among_others() -> None:
    """Units that the first few slopes rule out are not tried, and those of all slopes are."""
    whole = RNG.integers(1, 50, 30).astype(float) * RNG.choice([-1.0, 1.0], 30)
    whole[17] = 1.0
    found = whole_multiples(whole * 0.37 * (1.0 + 1e-8 * RNG.standard_normal(30)))
    assert any(np.array_equal(other, whole) for other in found)
    assert whole_multiples(RNG.standard_normal(30)) == []
    halves = np.array([0.25, 1.5, -2.0, 3.25])
    assert any(np.array_equal(other, 4.0 * halves) for other in whole_multiples(halves))
