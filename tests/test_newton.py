"""Newton's method with the Hessian of all rows."""

import time

import numpy as np
import pytest
from problems import objective_of, problem, three_classes

from fastlogit import reference
from fastlogit.certificates.binomial import Certificate
from fastlogit.solvers.newton import newton
from fastlogit.solvers.stopping import StoppingRule
from fastlogit.solvers.trace import Limits, Trace


def solved(objective, tol=1e-12, max_iter=100, steps_on=False):
    trace = Trace(Limits(tol, max_iter), time.perf_counter(), objective)
    certificate = Certificate(objective)
    rule = StoppingRule(tol, objective.n_models, certificate, steps_on=steps_on)
    theta = np.zeros((objective.n_models, objective.design.shape[1] + 1))
    point, reason = newton(objective, theta, rule, certificate.hessians, trace)
    return point, reason, rule, trace


@pytest.mark.parametrize("l2_reg", [0.0, 0.1])
@pytest.mark.parametrize("n_features", [1, 5])
def test_it_is_the_newton_of_the_oracle(n_features, l2_reg) -> None:
    X, y, _, _, weight = problem(80, n_features)
    point, reason, rule, trace = solved(objective_of(X, y, weight, l2_reg))
    coef, intercept, lowest = reference.newton(X, y, l2_reg, weight)
    assert reason == "converged"
    np.testing.assert_allclose(point.theta[0], [*coef, intercept], atol=1e-6)
    assert point.cost[0] == pytest.approx(lowest, rel=1e-12)
    assert rule.bound[0] <= 1e-12
    assert trace.n_iter <= 9


def test_the_first_step_is_the_step_of_the_formula() -> None:
    X, y = problem(80, 3)[:2]
    point, reason, _, _ = solved(objective_of(X, y, l2_reg=0.2), max_iter=1)
    _, slope, last = reference.cost_gradient(X, y, np.zeros(3), 0.0, 0.2)
    step = np.linalg.solve(reference.hessian(X, np.zeros(3), 0.0, 0.2), -np.append(slope, last))
    np.testing.assert_allclose(point.theta[0], step, rtol=1e-10)
    assert reason == "max_iter"


@pytest.mark.parametrize("tol", [0.3, 1e-1, 1e-2, 1e-4, 1e-8])
@pytest.mark.parametrize("l2_reg", [0.0, 0.02])
def test_a_last_step_that_nobody_looks_at_lowers_the_cost(l2_reg, tol) -> None:
    X, codes = three_classes(90, 3)
    objective = objective_of(X, codes, None, l2_reg, (0, 1, 2))
    seen, _, rule, trace = solved(objective, tol)
    blind, reason, same, as_many = solved(objective, tol, steps_on=True)
    assert reason == "converged"
    assert (as_many.n_iter, len(as_many.history)) == (trace.n_iter, len(trace.history))
    np.testing.assert_array_equal(same.bound, rule.bound)
    cost = objective.at(blind.theta).cost
    for model in range(3):
        coef, intercept, lowest = reference.newton(X, codes == model, l2_reg)
        before, after = seen.cost[model] - lowest, cost[model] - lowest
        assert after <= 0.2 * before + 1e-15
        assert after <= same.bound[model] * cost[model]
        off = [np.abs(p.theta[model] - [*coef, intercept]).max() for p in (seen, blind)]
        assert off[1] <= 0.2 * off[0] + 1e-12


def test_it_converges_quadratically() -> None:
    X, y = problem(80, 4)[:2]
    lowest = reference.newton(X, y)[2]
    trace = solved(objective_of(X, y))[3]
    lacks = np.maximum(np.ravel(trace.history) - lowest, 1e-17)
    late = lacks[lacks < 1e-2]
    assert (late[1:] <= np.maximum(50.0 * late[:-1] ** 2, 1e-15)).all()


def test_several_models_at_once() -> None:
    X, codes = three_classes(90, 3)
    point, reason, rule, _ = solved(objective_of(X, codes, None, 0.01, (0, 1, 2)))
    assert reason == "converged"
    assert (rule.bound <= 1e-12).all()
    for model in range(3):
        coef, intercept, _ = reference.newton(X, codes == model, 0.01)
        np.testing.assert_allclose(point.theta[model], [*coef, intercept], rtol=1e-5)
