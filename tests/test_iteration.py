"""The iteration that Newton-like solvers share: line search, rest and limits."""

import time

import numpy as np
import pytest
from problems import objective_of, problem, three_classes

from fastlogit import reference
from fastlogit.certificates.binomial import Certificate
from fastlogit.solvers.iteration import evaluate, iterate, search
from fastlogit.solvers.stopping import StoppingRule, relative
from fastlogit.solvers.trace import Limits, Point, Trace


def start(objective, theta=None):
    trace = Trace(Limits(1e-12, 100), time.perf_counter(), objective)
    size = objective.design.shape[1] + 1
    given = np.zeros((objective.n_models, size)) if theta is None else theta
    return evaluate(objective, given, trace), trace


def small_problem():
    X, y = problem(80, 3)[:2]
    return objective_of(X, y, l2_reg=0.05), reference.newton(X, y, 0.05)


def downhill(point, active):
    """Directions of steepest descent, too long by far."""
    return -50.0 * point.gradient[active]


def test_a_step_too_long_is_shortened() -> None:
    objective, _ = small_problem()
    point, _ = start(objective)
    direction = downhill(point, np.array([0]))
    slope = np.einsum("ij,ij->i", point.gradient, direction)
    found, failed = search(objective, point, np.array([0]), direction, slope)
    assert not failed.any()
    assert found.cost[0] < point.cost[0]
    assert np.abs(found.theta).max() < np.abs(direction).max()
    again = objective.at(found.theta)
    np.testing.assert_array_equal(again.cost, found.cost)
    np.testing.assert_array_equal(again.gradient, found.gradient)


def test_a_step_uphill_fails_and_leaves_the_point() -> None:
    objective, _ = small_problem()
    point, _ = start(objective)
    up = point.gradient
    slope = -np.einsum("ij,ij->i", point.gradient, up)  # a lie about the slope
    found, failed = search(objective, point, np.array([0]), up, slope)
    assert failed.all()
    np.testing.assert_array_equal(found.theta, point.theta)
    np.testing.assert_array_equal(found.cost, point.cost)


def test_models_that_rest_stay_where_they_are() -> None:
    X, codes = three_classes(60, 3)
    objective = objective_of(X, codes, l2_reg=0.1, positive=(0, 1, 2))
    point, _ = start(objective)
    moving = np.array([0, 2])
    direction = -point.gradient[moving]
    slope = np.einsum("ij,ij->i", point.gradient[moving], direction)
    found, failed = search(objective, point, moving, direction, slope)
    assert not failed.any()
    np.testing.assert_array_equal(found.theta[1], 0.0)
    assert (found.cost[moving] < point.cost[moving]).all()


def test_steepest_descent_goes_down_and_is_stopped_by_max_iter() -> None:
    objective, (_, _, lowest) = small_problem()
    point, trace = start(objective)
    rule = StoppingRule(1e-12, 1, Certificate(objective))
    trace.limits = Limits(1e-12, 7)
    end, reason = iterate(objective, point, downhill, rule, trace)
    assert reason == "max_iter"
    assert lowest < end.cost[0] < point.cost[0]
    assert rule.bound[0] >= (end.cost[0] - lowest) / lowest


def test_it_ends_at_the_goal_with_a_proof() -> None:
    objective, (coef, intercept, lowest) = small_problem()
    point, trace = start(objective)
    rule = StoppingRule(1e-8, 1, Certificate(objective))
    hessian = np.linalg.inv(
        reference.hessian(objective.design.rows(slice(None)), coef, intercept, 0.05)
    )
    end, reason = iterate(
        objective, point, lambda here, active: -here.gradient[active] @ hessian, rule, trace
    )
    assert reason == "converged"
    assert rule.met.all()
    assert (end.cost[0] - lowest) / lowest <= rule.bound[0] <= 1e-8
    costs = np.ravel(trace.history)
    assert (np.diff(costs) <= 1e-13).all()
    assert costs.size == trace.n_iter + 1


def test_a_start_that_is_not_finite() -> None:
    objective, _ = small_problem()
    point, trace = start(objective)
    broken = Point(point.theta, np.array([np.inf]), point.gradient)
    assert iterate(objective, broken, downhill, StoppingRule(1e-8, 1), trace)[1] == "not finite"


def test_ctrl_c_gives_the_last_point() -> None:
    objective, _ = small_problem()
    point, trace = start(objective)
    calls = []

    def interrupted(here, active):
        calls.append(here)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return -here.gradient[active]

    end, reason = iterate(objective, point, interrupted, StoppingRule(1e-12, 1), trace)
    assert reason == "interrupted"
    assert end is calls[-1]
    assert end.cost[0] < point.cost[0]


@pytest.mark.parametrize(
    ("gain", "cost", "expected"),
    [
        (0.0, 1.0, 0.0),
        (0.5, 1.0, 1.0),
        (1.0, 1.0, np.inf),
        (np.inf, 1.0, np.inf),
        (0.1, 0.0, np.inf),
    ],
)
def test_what_is_relative_to_the_optimum(gain, cost, expected) -> None:
    # No less than the cost as a float64 number can tell.
    assert expected <= relative(gain, cost) <= expected + 8.0 * 2.0**-53
