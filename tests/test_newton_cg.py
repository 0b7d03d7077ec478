"""Newton's method with conjugate gradients."""

import time

import numpy as np
import pytest
from problems import objective_of, problem, real, sized, softmax_of, three_classes

import fastlogit.solvers.newton_cg as newton_cg_module
from fastlogit import fit, reference
from fastlogit.solvers.newton_cg import newton_cg
from fastlogit.solvers.preconditioner import SampledHessians
from fastlogit.solvers.stopping import StoppingRule, certificate_of
from fastlogit.solvers.trace import Limits, Trace


def solved(objective, tol=1e-12, given=(), **limits):
    trace = Trace(Limits(tol, **({"max_iter": 100} | limits)), time.perf_counter(), objective)
    rule = StoppingRule(tol, objective.n_models, certificate_of(objective, 1))
    size = objective.n_classes * (objective.design.shape[1] + 1)
    point, reason = newton_cg(objective, np.zeros((objective.n_models, size)), rule, trace, *given)
    return point, reason, rule, trace


@pytest.mark.parametrize("l2_reg", [0.0, 0.1])
@pytest.mark.parametrize("shape", [(80, 1), (80, 5), (20, 40)])
def test_it_ends_at_the_optimum(shape, l2_reg) -> None:
    X, y = problem(*shape)[:2]
    if shape == (20, 40):
        l2_reg = l2_reg or 1e-3
    objective = objective_of(X, y, l2_reg=l2_reg)
    objective.standardize()
    point, reason, rule, _ = solved(objective)
    coef, intercept, lowest = reference.newton(X, y, l2_reg)
    assert reason == "converged"
    assert rule.bound[0] <= 1e-12
    assert point.cost[0] == pytest.approx(lowest, rel=2e-12)
    user, base = objective.to_user(point.theta[:, :-1], point.theta[:, -1])
    np.testing.assert_allclose(user[0], coef, rtol=1e-4, atol=1e-5)
    assert base[0] == pytest.approx(intercept, abs=1e-4)


def test_several_models_at_once() -> None:
    X, codes = three_classes(90, 3)
    objective = objective_of(X, codes, None, 0.01, (0, 1, 2))
    objective.standardize()
    point, reason, rule, _ = solved(objective)
    assert reason == "converged"
    for model in range(3):
        lowest = reference.newton(X, codes == model, 0.01)[2]
        assert (point.cost[model] - lowest) / lowest <= rule.bound[model] + 1e-14 <= 1.1e-12


def test_it_forms_no_matrix_of_the_columns(monkeypatch) -> None:
    X, y = problem(sized(60, 20), sized(400, 60))[:2]
    objective = objective_of(X, y, l2_reg=0.05)
    objective.standardize()

    def refuse(curvature):
        raise AssertionError("a Gram matrix was formed")

    for name in ("gram", "grams"):
        monkeypatch.setattr(objective.design, name, refuse)
    monkeypatch.setattr("fastlogit.certificates.binomial.MAX_GRAM", 0)
    assert solved(objective)[1] == "converged"


def test_a_time_limit_ends_the_inner_iterations_too() -> None:
    X, y = problem(80, 5)[:2]
    point, reason, _, trace = solved(objective_of(X, y), time_limit=1e-9)
    assert reason == "time_limit"
    assert trace.n_iter == 1
    assert point.cost[0] <= trace.history[0][0]


def test_who_asks_hears_of_products_and_equations_before_each_but_the_first() -> None:
    X, y = problem(80, 5)[:2]
    objective = objective_of(X, y, l2_reg=0.1)
    heard, made = [], []

    def too_many(n_products, n_equations):
        heard.append((n_products, n_equations))
        return n_equations == 2

    def renew(theta, curvature, models):
        made.append(len(heard))
        return SampledHessians(objective, curvature, models).solve

    _, reason, _, trace = solved(objective, given=(renew, 0.0, False, 0, too_many))
    assert reason == "converged"
    assert made == [2]
    assert [equations for _, equations in heard] == list(range(1, len(heard) + 1))
    assert 2 <= len(heard) <= trace.n_iter
    assert heard[0][0] >= 1
    assert (np.diff([products for products, _ in heard]) >= 1).all()


# ------------------------------------------------------------------------------------------------
# Softmax and preconditioners


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("l2_reg", [0.0, 0.1])
def test_it_ends_at_the_optimum_of_a_softmax(l2_reg, fit_intercept) -> None:
    X, codes = three_classes(80, 4)
    objective = softmax_of(X, codes, None, l2_reg, fit_intercept=fit_intercept)
    objective.standardize()
    point, reason, rule, _ = solved(objective)
    lowest = reference.multinomial_newton(X, codes, 3, l2_reg, fit_intercept=fit_intercept)[2]
    assert reason == "converged"
    assert (point.cost[0] - lowest) / lowest <= rule.bound[0] + 1e-14 <= 1.1e-12
    # Points stay where the classes sum to zero.
    np.testing.assert_allclose(point.theta.reshape(3, 5).sum(axis=0), 0.0, atol=1e-9)
    assert fit_intercept or not point.theta.reshape(3, 5)[:, -1].any()


def correlated():
    X, codes = three_classes(sized(400, 80), 6)
    X = X @ np.random.default_rng(1).standard_normal((6, 6))
    objective = softmax_of(X, codes, None, 1e-3)
    objective.standardize()
    return objective, reference.multinomial_newton(X, codes, 3, 1e-3)[2]


def test_a_preconditioner_takes_less_passes() -> None:
    passes = []
    for price, starts_warm in ((np.inf, False), (3.0, False), (3.0, True)):
        objective, lowest = correlated()
        made = []

        def renew(theta, curvature, models, objective=objective, made=made):
            made.append(theta.copy())
            return SampledHessians(objective, curvature[models], models).solve

        before = objective.design.n_passes
        point, reason, _, trace = solved(objective, given=(renew, price, starts_warm))
        assert reason == "converged"
        assert point.cost[0] == pytest.approx(lowest, rel=2e-12)
        passes.append(objective.design.n_passes - before)
        # Near the optimum one is made at once, at a high price never.
        assert len(made) == 0 if price == np.inf else len(made) >= 1
        assert len(made) <= trace.n_iter
        if starts_warm:
            np.testing.assert_array_equal(made[0], 0.0)
    assert passes[1] < passes[0]
    assert passes[2] < passes[0]


@pytest.mark.jit
def test_it_goes_for_the_end_only_where_something_is_to_be_proven(monkeypatch) -> None:
    passes, usual = {}, newton_cg_module.STRETCH
    for stretch in (1.0, usual):
        monkeypatch.setattr(newton_cg_module, "STRETCH", stretch)
        for certified in (True, False):
            X, y = real("cancer")
            objective = objective_of(X, y, l2_reg=1.0 / len(y))
            objective.standardize()
            rule = StoppingRule(1e-12, 1, certificate_of(objective, 1) if certified else None)
            trace = Trace(Limits(1e-12, 100), time.perf_counter(), objective)
            before = objective.design.n_passes
            newton_cg(objective, np.zeros((1, X.shape[1] + 1)), rule, trace)
            passes[stretch, certified] = objective.design.n_passes - before
    assert passes[usual, True] < passes[1.0, True]
    assert passes[usual, False] == passes[1.0, False]


@pytest.mark.jit
def test_a_loose_tolerance_takes_no_more_passes_than_a_tight_one() -> None:
    """A proof that holds near the optimum alone is refused there, and then more is asked for."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((800, 1000))
    raw = 2.0 * X @ rng.standard_normal(1000) / np.sqrt(1000.0)
    y = (raw + rng.logistic(size=800) > 0.0).astype(np.int64)
    results = [fit(X, y, C=1.0, tol=tol, solver="newton-cg") for tol in (1e-3, 1e-8)]
    assert all(result.converged for result in results)
    loose, tight = (result.n_passes for result in results)
    assert loose <= tight


def test_flat_directions_are_followed_though_the_gradient_is_small() -> None:
    """Where a proof is refused the Newton equation is solved further than the rule asks for."""
    X, y = problem(300, 4)[:2]
    near = X[:, 0] + 1e-5 * np.random.default_rng(0).standard_normal(300)
    close = np.column_stack([X, near])
    objective = objective_of(close, y)
    objective.standardize()
    point, reason, _, _ = solved(objective)
    assert reason == "converged"
    assert point.cost[0] == pytest.approx(reference.newton(close, y)[2], rel=2e-12)
