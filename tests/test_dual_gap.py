"""The duality gap of a step: never below the truth, at any point and for any step."""

import mpmath
import numpy as np
import pytest
from exact import DIGITS, ExactProblem, numbers
from problems import elastic_net_of, problem, sized
from test_composite_certificate import one_problem, optimum_in_digits, point_of

from fastlogit import reference
from fastlogit.certificates.binomial import Place, Rounding
from fastlogit.certificates.dual_gap import KnownStep, dual_gap, gap_of_columns

pytestmark = pytest.mark.jit


def gap_at(objective, coef, intercept, target, size=1.0):
    """The gap at a point in the units of X, by the step to a target."""
    theta, gradient, cost = point_of(objective, coef, intercept)
    step = point_of(objective, *target)[0] - theta
    curvature = objective.curvature(theta[None])
    known = KnownStep(theta, step, curvature)
    return dual_gap(objective, Place(theta, gradient, cost), known, Rounding(objective), size)


@pytest.mark.parametrize("l2", [0.0, 0.1])
@pytest.mark.parametrize("weighted", [False, True])
def test_it_is_of_second_order_for_a_step_to_the_optimum(rng, l2, weighted) -> None:
    X, y, _, _, weight = problem(sized(400, 80), 8)
    weight = weight if weighted else None
    coef, intercept, least = reference.elastic_net(X, y, 0.02, l2, weight)
    assert 0 < np.count_nonzero(coef) < 8
    objective = elastic_net_of(X, y, 0.02, l2, weight)
    way = rng.normal(size=8) * (coef != 0.0)
    for size in (1e-3, 1e-4):
        there = coef + size * way, intercept + 0.3 * size
        gap = reference.elastic_net_cost(X, y, *there, 0.02, l2, weight) - least
        found = gap_at(objective, *there, (coef, intercept))
        # The optimum is the model's minimum but for terms of second order, which scaling feels.
        assert gap - 1e-16 <= found <= 1.6 * gap + 40.0 * size * size
    assert gap_at(objective, coef, intercept, (coef, intercept)) < 1e-10


def test_a_poor_step_says_little_and_nothing_false(rng) -> None:
    X, y, *_ = problem(200, 5)
    coef, intercept, least = reference.elastic_net(X, y, 0.02)
    objective = elastic_net_of(X, y, 0.02, 0.0)
    for size in (1e-6, 1e-3, 0.1, 1.0, 30.0):
        target = coef + size * rng.normal(size=5), intercept + size
        there = coef + 0.1 * size, intercept
        gap = reference.elastic_net_cost(X, y, *there, 0.02) - least
        assert gap <= gap_at(objective, *there, target) + 1e-15
    assert gap_at(objective, coef, intercept, (coef + 100.0, 0.0)) == np.inf
    assert gap_at(objective, coef, intercept, (np.full(5, np.nan), 0.0)) == np.inf


def test_a_free_column_has_none() -> None:
    X, y, *_ = problem(100, 3)
    objective = elastic_net_of(X, y, np.array([0.0, 0.1, 0.1]), 0.0)
    assert gap_at(objective, np.zeros(3), 0.0, (np.zeros(3), 0.0)) == np.inf
    objective = elastic_net_of(X, y, np.array([0.0, 0.1, 0.1]), np.array([0.1, 0.0, 0.0]))
    assert np.isfinite(gap_at(objective, np.zeros(3), 0.0, (np.zeros(3), 0.0)))


def test_what_a_column_has_above_its_least(rng) -> None:
    grid = np.linspace(-60.0, 60.0, 240_001)
    for l2 in (0.0, 0.3, 2.0):
        for _ in range(20):
            coef, l1 = rng.choice([0.0, 1.0, -2.0]), rng.uniform(0.1, 1.0)
            slope = rng.uniform(-1.0, 1.0) * (l1 if l2 == 0.0 else 3.0)
            every = slope * grid + l1 * np.abs(grid) + 0.5 * l2 * grid**2
            gap = slope * coef + l1 * abs(coef) + 0.5 * l2 * coef**2 - every.min()
            of_one = np.array([coef]), np.array([slope])
            strengths = np.array([l1]), np.array([l2])
            found = gap_of_columns(*of_one, np.zeros(1), *strengths)
            assert gap - 1e-9 <= found <= gap * (1.0 + 1e-6) + 1e-6
            # Slopes that err are counted.
            off = slope + np.array([0.01, -0.01])
            for other in np.clip(off, -l1, l1) if l2 == 0.0 else off:
                more = gap_of_columns(of_one[0], np.array([other]), np.full(1, 0.0101), *strengths)
                assert gap - 1e-9 <= more


def check(seed):
    """Compare gaps at points around the optimum, by steps good and bad, with the truth."""
    rng, X, y, weight, l1, l2 = one_problem(seed)
    coef, intercept, _ = reference.elastic_net(X, y, l1, l2, weight)
    objective = elastic_net_of(X, y, l1, l2, weight)
    finite = 0
    with mpmath.workdps(DIGITS):
        least = optimum_in_digits(X, y, coef, intercept, l1, l2, weight)
        exact = ExactProblem(X, y, 1, l2, weight, None, True)
        for size in (0.0, 1e-12, 1e-8, 1e-5, 1e-3):
            for poor in (0.0, 1e-9, 1e-4):
                there = coef * (1.0 + size * rng.normal(size=coef.size))
                level = intercept + size * rng.normal()
                target = coef * (1.0 + poor * rng.normal(size=coef.size)), intercept
                bound = gap_at(objective, there, level, target)
                theta = numbers(np.append(there, level))[None]
                cost = exact.cost(theta) + sum(numbers(l1 * np.abs(there)))
                # What the point loses by its units is counted by the stopping rule.
                assert cost - least <= bound + 1e-16 * float(cost), (seed, size, poor)
                finite += np.isfinite(bound)
    return finite


@pytest.mark.parametrize("seed", range(8))
def test_no_gap_lies_below_the_truth(seed) -> None:
    assert check(seed) > 0


@pytest.mark.slow(seconds=40)
def test_no_gap_of_hundreds_lies_below_the_truth() -> None:
    for seed in range(100, 160):
        check(seed)
