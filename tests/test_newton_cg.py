"""Newton's method with conjugate gradients."""

import time

import numpy as np
import pytest
from problems import objective_of, problem, sized, three_classes

from fastlogit import reference
from fastlogit.certificate import Certificate
from fastlogit.solvers.course import Limits, Watch
from fastlogit.solvers.goal import Goal
from fastlogit.solvers.newton_cg import newton_cg


def solved(objective, tol=1e-12, **limits):
    watch = Watch(Limits(tol, **({"max_iter": 100} | limits)), time.perf_counter(), objective)
    goal = Goal(tol, objective.n_models, Certificate(objective))
    theta = np.zeros((objective.n_models, objective.design.shape[1] + 1))
    point, reason = newton_cg(objective, theta, goal, watch)
    return point, reason, goal, watch


@pytest.mark.parametrize("l2_reg", [0.0, 0.1])
@pytest.mark.parametrize("shape", [(80, 1), (80, 5), (20, 40)])
def test_it_ends_at_the_optimum(shape, l2_reg) -> None:
    X, y = problem(*shape)[:2]
    if shape == (20, 40):
        l2_reg = l2_reg or 1e-3
    objective = objective_of(X, y, l2_reg=l2_reg)
    objective.standardize()
    point, reason, goal, _ = solved(objective)
    coef, intercept, lowest = reference.newton(X, y, l2_reg)
    assert reason == "converged"
    assert goal.bound[0] <= 1e-12
    assert point.cost[0] == pytest.approx(lowest, rel=2e-12)
    user, base = objective.to_user(point.theta[:, :-1], point.theta[:, -1])
    np.testing.assert_allclose(user[0], coef, rtol=1e-4, atol=1e-5)
    assert base[0] == pytest.approx(intercept, abs=1e-4)


def test_several_models_at_once() -> None:
    X, codes = three_classes(90, 3)
    objective = objective_of(X, codes, None, 0.01, (0, 1, 2))
    objective.standardize()
    point, reason, goal, _ = solved(objective)
    assert reason == "converged"
    for model in range(3):
        lowest = reference.newton(X, codes == model, 0.01)[2]
        assert (point.cost[model] - lowest) / lowest <= goal.bound[model] + 1e-14 <= 1.1e-12


def test_it_forms_no_matrix_of_the_columns(monkeypatch) -> None:
    X, y = problem(sized(60, 20), sized(400, 60))[:2]
    objective = objective_of(X, y, l2_reg=0.05)
    objective.standardize()

    def refuse(curvature):
        raise AssertionError("a Gram matrix was formed")

    monkeypatch.setattr(objective.design, "gram", refuse)
    monkeypatch.setattr("fastlogit.certificate.MAX_GRAM", 0)
    assert solved(objective)[1] == "converged"


def test_a_time_limit_ends_the_inner_iterations_too() -> None:
    X, y = problem(80, 5)[:2]
    point, reason, _, watch = solved(objective_of(X, y), time_limit=1e-9)
    assert reason == "time_limit"
    assert watch.n_iter == 1
    assert point.cost[0] <= watch.history[0][0]
