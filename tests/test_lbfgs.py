"""L-BFGS with a preconditioner."""

import time

import numpy as np
import pytest
from problems import objective_of, problem, three_classes

from fastlogit import reference
from fastlogit.certificates.binomial import Certificate
from fastlogit.linalg.factors import Factor
from fastlogit.solvers.iteration import evaluate
from fastlogit.solvers.lbfgs import lbfgs
from fastlogit.solvers.stopping import StoppingRule
from fastlogit.solvers.trace import Limits, Trace


def solved(objective, renew, price=1e9, tol=1e-10, max_iter=300):
    trace = Trace(Limits(tol, max_iter), time.perf_counter(), objective)
    rule = StoppingRule(tol, objective.n_models, Certificate(objective))
    theta = np.zeros((objective.n_models, objective.design.shape[1] + 1))
    point, reason = lbfgs(objective, evaluate(objective, theta, trace), renew, price, rule, trace)
    return point, reason, trace


def plain(theta):
    """No preconditioner at all."""
    return lambda models, vectors: vectors.copy()


def by_hessian(X, l2_reg):
    def renew(theta):
        factor = Factor(reference.hessian(X, theta[0, :-1], theta[0, -1], l2_reg), 1e-11)
        return lambda models, vectors: factor.solve(vectors)

    return renew


@pytest.mark.parametrize("l2_reg", [0.0, 0.1])
def test_it_ends_at_the_optimum_with_any_preconditioner(l2_reg) -> None:
    X, y = problem(100, 5)[:2]
    coef, intercept, lowest = reference.newton(X, y, l2_reg)
    n_iter = []
    for renew in (plain, by_hessian(X, l2_reg)):
        point, reason, trace = solved(objective_of(X, y, l2_reg=l2_reg), renew)
        assert reason == "converged"
        assert point.cost[0] == pytest.approx(lowest, rel=2e-10)
        np.testing.assert_allclose(point.theta[0], [*coef, intercept], rtol=1e-3, atol=1e-4)
        assert (np.diff(np.ravel(trace.history)) <= 1e-13).all()
        n_iter.append(trace.n_iter)
    assert n_iter[1] < n_iter[0]


def test_the_first_direction_is_the_preconditioned_gradient() -> None:
    X, y = problem(100, 5)[:2]
    objective = objective_of(X, y, l2_reg=0.1)
    point = solved(objective, by_hessian(X, 0.1), max_iter=1)[0]
    _, slope, last = reference.cost_gradient(X, y, np.zeros(5), 0.0, 0.1)
    hessian = reference.hessian(X, np.zeros(5), 0.0, 0.1)
    step = np.linalg.solve(hessian, -np.append(slope, last))
    np.testing.assert_allclose(point.theta[0], step, rtol=1e-9)


def test_a_preconditioner_that_does_not_help_is_renewed() -> None:
    X, y = problem(100, 5)[:2]
    X = X * [1.0, 30.0, 0.03, 1.0, 5.0]
    made = []

    def renew(theta):
        made.append(theta.copy())
        return plain(theta) if len(made) == 1 else by_hessian(X, 0.0)(theta)

    objective = objective_of(X, y)
    assert solved(objective, renew, price=0.0)[1] == "converged"
    assert len(made) >= 2
    kept = len(made)
    solved(objective, renew, price=1e9, max_iter=20)
    assert len(made) == kept + 1


def test_several_models_each_with_its_own_pairs() -> None:
    X, codes = three_classes(90, 4)
    point, reason, trace = solved(objective_of(X, codes, None, 0.05, (0, 1, 2)), plain)
    assert reason == "converged"
    for model in range(3):
        lowest = reference.newton(X, codes == model, 0.05)[2]
        assert point.cost[model] == pytest.approx(lowest, rel=2e-10)
        alone, _, alone_watch = solved(objective_of(X, codes == model, None, 0.05), plain)
        np.testing.assert_allclose(point.theta[model], alone.theta[0], rtol=1e-3, atol=1e-4)
        assert alone_watch.n_iter <= trace.n_iter
