"""The compiled descent loop: its steps, its bursts, and how it says that it is over."""

import numpy as np
import pytest
from problems import (
    binomial_targets,
    force_twin,
    problem,
    sized,
    softmax_targets,
    three_classes,
)

from fastlogit import reference
from fastlogit.design.dense import DenseDesign
from fastlogit.kernels.descent import CONVERGED, DIVERGED, RUNNING, Penalty, descend, start_state
from fastlogit.kernels.passes import Layout


def begin(X, codes, l2_reg=0.0, positive=(1,), weight=None):
    """Return a design, its targets, the penalty and an evaluated state at zero."""
    design = DenseDesign(X)
    targets = binomial_targets(codes, positive, weight)
    penalty = Penalty(np.full((1, X.shape[1]), l2_reg), True)
    state = start_state(np.zeros((len(positive), X.shape[1])), np.zeros(len(positive)))
    design.evaluate(targets, penalty, state)
    return design, targets, penalty, state


def take(begun, n_steps, step_size=0.3, accelerate=False, tol=0.0):
    design, targets, penalty, state = begun
    history = np.full((n_steps, len(state.cost)), np.nan)
    steps, status = design.descend(targets, penalty, step_size, accelerate, tol, state, history)
    return steps, status, history


def bits(state):
    return b"".join(array.tobytes() for array in state)


def test_an_evaluation_takes_no_step() -> None:
    X, y, coef, intercept, weight = problem(80, 5)
    design, targets = DenseDesign(X), binomial_targets(y, weight=weight)
    state = start_state(coef[None, :], np.array([intercept]))
    design.evaluate(targets, Penalty(np.full((1, 5), 0.2), True), state)
    expected = reference.cost_gradient(X, y, coef, intercept, 0.2, weight)
    assert state.cost[0] == pytest.approx(expected[0], rel=1e-14)
    np.testing.assert_allclose(state.gradient[0], expected[1], rtol=1e-12, atol=1e-15)
    assert state.intercept_gradient[0] == pytest.approx(expected[2], rel=1e-12)
    np.testing.assert_array_equal(state.coef[0], coef)
    np.testing.assert_array_equal(state.point[0], coef)
    assert design.n_passes == 1


@pytest.mark.parametrize("n_features", [5, 12])
@pytest.mark.parametrize("momentum", ["none", "nesterov"])
def test_steps_are_those_of_the_oracle(n_features, momentum) -> None:
    X, y, _, _, weight = problem(80, n_features)
    for n_steps in (1, 2, 3, 25):
        begun = begin(X, y, 0.05, weight=weight)
        steps, status, history = take(begun, n_steps, accelerate=momentum == "nesterov")
        coef, intercept, costs = reference.gradient_descent(
            X, y, 0.3, n_steps, momentum, 0.05, weight
        )
        assert (steps, status) == (n_steps, RUNNING)
        state = begun[-1]
        np.testing.assert_allclose(state.coef[0], coef, rtol=1e-12, atol=1e-14)
        assert state.intercept[0] == pytest.approx(intercept, rel=1e-12)
        np.testing.assert_allclose(history[:, 0], costs[:-1], rtol=1e-13)


@pytest.mark.parametrize("accelerate", [False, True])
def test_bursts_may_be_of_any_length(accelerate) -> None:
    X, y = problem(80, 5)[:2]
    once, parts = begin(X, y), begin(X, y)
    history = take(once, 20, accelerate=accelerate)[2]
    pieces = [take(parts, n_steps, accelerate=accelerate)[2] for n_steps in (1, 7, 12)]
    assert bits(once[-1]) == bits(parts[-1])
    np.testing.assert_array_equal(history, np.concatenate(pieces))


@pytest.mark.parametrize("n_features", [5, 12])
@pytest.mark.parametrize("accelerate", [False, True])
def test_twins_give_the_same_bits(n_features, accelerate, monkeypatch) -> None:
    X, codes = three_classes(sized(3000, 600), n_features)
    found = set()
    for parallel in (False, True):
        force_twin(monkeypatch, parallel)
        begun = begin(X, codes, 0.01, (0, 1, 2))
        history = take(begun, 5, accelerate=accelerate)[2]
        found.add(bits(begun[-1]) + history.tobytes())
    assert len(found) == 1


def test_it_is_over_when_nothing_moves_more_than_tol() -> None:
    X, y = problem(80, 5)[:2]
    state = begin(X, y)[-1]
    largest = 0.3 * max(abs(state.gradient).max(), abs(state.intercept_gradient).max())
    assert take(begin(X, y), 1, tol=1.001 * largest)[:2] == (1, CONVERGED)
    assert take(begin(X, y), 1, tol=0.999 * largest)[:2] == (1, RUNNING)


def test_momentum_must_have_gone_when_it_is_over() -> None:
    X, y = problem(80, 5)[:2]
    begun = begin(X, y, 0.1)
    steps, status, _ = take(begun, 5000, 1.0, True, 1e-9)
    assert status == CONVERGED
    state = begun[-1]
    _, gradient, last = reference.cost_gradient(X, y, state.coef[0], state.intercept[0], 0.1)
    assert max(abs(gradient).max(), abs(last)) < 2e-9
    assert steps < 500


@pytest.mark.jit
def test_all_models_must_be_at_rest() -> None:
    X, codes = three_classes(sized(90, 30), 4)
    alone = [take(begin(X, codes, 0.1, (k,)), 5000, 0.5, False, 1e-6)[0] for k in range(3)]
    together, status, _ = take(begin(X, codes, 0.1, (0, 1, 2)), 5000, 0.5, False, 1e-6)
    assert status == CONVERGED
    assert together == max(alone)


@pytest.mark.parametrize("accelerate", [False, True])
def test_growth_of_the_cost_is_divergence_and_the_best_point_is_kept(accelerate) -> None:
    X, y = problem(80, 5)[:2]
    begun = begin(X, y, 1.0)
    steps, status, history = take(begun, 100, 50.0, accelerate)
    state = begun[-1]
    assert status == DIVERGED
    assert 1 < steps < 100
    assert np.isnan(history[steps:]).all()
    assert state.best_cost[0] == np.min(history[:steps])
    best = reference.cost(X, y, state.best[0], state.best_intercept[0], 1.0)
    assert best == pytest.approx(state.best_cost[0], rel=1e-13)


def test_a_nan_is_divergence() -> None:
    X, y = problem(80, 5)[:2]
    X[3, 2] = np.nan
    assert take(begin(X, y), 5)[:2] == (1, DIVERGED)


@pytest.mark.jit
def test_momentum_that_overshoots_restarts() -> None:
    # Two curvatures a hundred apart: without restarts the momentum swings on for long.
    X, y = problem(sized(200, 40), 2)[:2]
    X *= [10.0, 1.0]
    runs = [take(begin(X, y), 5_000, 4.0 / 150.0, accelerate, 1e-8) for accelerate in (False, True)]
    (plain_steps, plain_status, plain), (steps, status, history) = runs
    assert plain_status == status == CONVERGED
    assert steps < plain_steps / 3
    assert np.nanmin(history) == pytest.approx(np.nanmin(plain), rel=1e-9)


def test_the_two_forms_are_kept_apart() -> None:
    assert descend(Layout.DIRECT) is descend(Layout.DIRECT)
    assert descend(Layout.DIRECT) is not descend(Layout.GATHERED)


# ------------------------------------------------------------------------------------------------
# Softmax: the classes of a model move as one


def begin_softmax(X, codes, l2_reg=0.0, weight=None):
    """Return a design, the targets of one or several softmax models, and an evaluated state."""
    design, targets = DenseDesign(X), softmax_targets(codes, 3, weight)
    penalty = Penalty(np.full((1, X.shape[1]), l2_reg), True)
    n_outputs = len(targets.positive)
    state = start_state(np.zeros((n_outputs, X.shape[1])), np.zeros(n_outputs))
    design.evaluate(targets, penalty, state)
    return design, targets, penalty, state


@pytest.mark.parametrize("n_features", [5, 12])
@pytest.mark.parametrize("momentum", ["none", "nesterov"])
def test_softmax_steps_are_those_of_the_oracle(n_features, momentum) -> None:
    X, codes = three_classes(80, n_features)
    weight = problem(80, n_features).weight
    for n_steps in (1, 2, 3, 25):
        begun = begin_softmax(X, codes, 0.05, weight)
        steps, status, history = take(begun, n_steps, accelerate=momentum == "nesterov")
        coef, intercept, costs = reference.multinomial_gradient_descent(
            X, codes, 3, 0.3, n_steps, momentum, 0.05, weight
        )
        assert (steps, status) == (n_steps, RUNNING)
        state = begun[-1]
        np.testing.assert_allclose(state.coef.T, coef, rtol=1e-11, atol=1e-14)
        np.testing.assert_allclose(state.intercept, intercept, rtol=1e-11, atol=1e-14)
        np.testing.assert_allclose(history.sum(axis=1), costs[:-1], rtol=1e-13)


def test_a_restart_is_of_all_classes_of_a_model_and_of_no_other() -> None:
    """A valley where the momentum overshoots: at other steps in one model than in the other."""
    X, codes = three_classes(60, 2)
    X = X * [3.0, 0.5]
    both = np.stack([codes, np.random.default_rng(1).permutation(codes)])
    alone = [begin_softmax(X, labels, 0.3) for labels in both]
    together = begin_softmax(X, both, 0.3)
    step_size = 1.0 / (0.5 * np.square(X).sum(axis=1).mean() + 0.8)
    plain = []
    for _ in range(40):
        taken = [take(begun, 1, step_size, True)[:2] for begun in (together, *alone)]
        assert taken == [(1, RUNNING)] * 3
        state = together[-1]
        for model, (*_, own) in enumerate(alone):
            outputs = slice(3 * model, 3 * model + 3)
            assert len(set(state.momentum[outputs])) == len(set(state.plain[outputs])) == 1
            np.testing.assert_array_equal(state.point[outputs], own.point)
            np.testing.assert_array_equal(state.coef[outputs], own.coef)
            np.testing.assert_array_equal(state.best_cost[outputs], own.best_cost)
        plain.append(tuple(state.plain[::3]))
    assert (1, 0) in plain[2:]
    assert (0, 1) in plain[2:]


def test_the_best_point_of_a_softmax_is_that_of_its_whole_cost() -> None:
    X, codes = three_classes(80, 5)
    begun = begin_softmax(X, codes, 1.0)
    steps, status, history = take(begun, 100, 50.0)
    state, costs = begun[-1], history[:, :].sum(axis=1)
    assert status == DIVERGED
    assert 1 < steps < 100
    np.testing.assert_allclose(state.best_cost, np.min(costs[:steps]), rtol=1e-14)
    best = reference.multinomial_cost(X, codes, state.best.T, state.best_intercept, 1.0)
    assert best == pytest.approx(state.best_cost[0], rel=1e-13)


def test_a_softmax_is_over_when_no_class_moves() -> None:
    X, codes = three_classes(60, 4)
    begun = begin_softmax(X, codes, 0.5)
    steps, status, _ = take(begun, 3000, 0.5, True, 1e-9)
    assert status == CONVERGED
    assert steps < 500
    coef, intercept, _ = reference.multinomial_newton(X, codes, 3, 0.5)
    np.testing.assert_allclose(begun[-1].coef.T, coef, atol=1e-7)
    np.testing.assert_allclose(begun[-1].intercept, intercept, atol=1e-7)


@pytest.mark.parametrize("accelerate", [False, True])
def test_softmax_twins_give_the_same_bits(accelerate, monkeypatch) -> None:
    X, codes = three_classes(sized(3000, 600), 12)
    found = set()
    for parallel in (False, True):
        force_twin(monkeypatch, parallel)
        begun = begin_softmax(X, codes, 0.01)
        history = take(begun, 5, accelerate=accelerate)[2]
        found.add(bits(begun[-1]) + history.tobytes())
    assert len(found) == 1


def test_a_nan_in_one_class_is_divergence_of_the_model() -> None:
    X, codes = three_classes(80, 5)
    X[3, 2] = np.nan
    assert take(begin_softmax(X, codes), 5)[:2] == (1, DIVERGED)
