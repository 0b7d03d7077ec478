"""The cost that solvers see: penalty, standardisation, curvature, units."""

import numpy as np
import pytest
from problems import assert_value_gradient, one_model, problem, readonly, three_classes

from fastlogit import reference
from fastlogit.design.dense import DenseDesign
from fastlogit.objective import Objective


def objective_of(X, codes, weight=None, l2_reg=0.0, positive=(1,)):
    weights = readonly(np.empty(0) if weight is None else weight)
    codes = readonly(np.asarray(codes).astype(np.uint8))
    return Objective(DenseDesign(X), codes, list(positive), weights, l2_reg)


def hessian_bound(X, weight, penalty):
    """Return X' W X / 4 + penalty for X with a column of ones, by NumPy."""
    share = weight / weight.sum()
    with_ones = np.column_stack([X, np.ones(len(X))])
    return 0.25 * with_ones.T @ (share[:, None] * with_ones) + np.diag(np.append(penalty, 0.0))


@pytest.mark.parametrize("n_features", [4, 11])
@pytest.mark.parametrize("l2_reg", [0.0, 0.3])
def test_cost_and_gradient_with_penalty(n_features, l2_reg) -> None:
    X, y, coef, intercept, weight = problem(120, n_features)
    objective = objective_of(X, y, weight, l2_reg)
    actual = one_model(objective.value_gradient(coef[None, :], np.array([intercept])))
    assert_value_gradient(actual, X, y, coef, intercept, l2_reg, weight)


def test_the_intercept_is_not_penalised() -> None:
    X, y, coef, _, _ = problem(50, 4)
    costs = [
        objective_of(X, y, l2_reg=l2_reg).value_gradient(coef[None, :] * 0.0, np.array([5.0]))
        for l2_reg in (0.0, 7.0)
    ]
    np.testing.assert_array_equal(costs[0][0], costs[1][0])
    np.testing.assert_array_equal(costs[0][2], costs[1][2])


@pytest.mark.parametrize("l2_reg", [0.0, 0.3])
@pytest.mark.parametrize("n_features", [4, 11])
def test_standardised_it_is_the_same_cost_in_other_units(n_features, l2_reg) -> None:
    X, y, coef, intercept, weight = problem(200, n_features)
    X = X * np.logspace(-3, 3, n_features) + np.linspace(-50.0, 50.0, n_features)
    objective = objective_of(X, y, weight, l2_reg)
    objective.standardize()
    standard, base = coef[None, :] * 0.3, np.array([intercept])
    cost, gradient, last = objective.value_gradient(standard, base)
    user, user_base = objective.to_user(standard, base)
    expected = reference.cost_gradient(X, y, user[0], user_base[0], l2_reg, weight)
    assert cost[0] == pytest.approx(expected[0], rel=1e-12)
    in_user_units = objective.user_gradient(gradient, last)[0]
    np.testing.assert_allclose(
        in_user_units, [*expected[1], expected[2]], rtol=1e-8, atol=1e-12 * abs(X).max()
    )
    back, back_base = objective.from_user(user, user_base)
    np.testing.assert_allclose(back, standard, rtol=1e-12)
    np.testing.assert_allclose(back_base, base, rtol=1e-12)


@pytest.mark.parametrize("l2_reg", [0.0, 0.3])
def test_standardised_columns_bend_the_cost_equally(l2_reg) -> None:
    X, y, _, _, weight = problem(200, 5)
    X = X * np.logspace(-3, 3, 5) + 10.0
    objective = objective_of(X, y, weight, l2_reg)
    objective.standardize()
    center, inverse_scale = objective.design.columns
    np.testing.assert_allclose(center, weight @ X / weight.sum(), rtol=1e-13)
    curvatures = np.diag(hessian_bound((X - center) * inverse_scale, weight, objective.penalty.l2[0]))
    np.testing.assert_allclose(curvatures[:-1], 0.25, rtol=1e-12)


def test_columns_that_do_not_vary_drop_out() -> None:
    X, y, _, _, weight = problem(200, 6)
    X[:, 1], X[:, 3], X[:, 5] = 0.0, 1234.567, 1e100
    for given in (None, weight):
        objective = objective_of(X, y, given)
        objective.standardize()
        inverse_scale = objective.design.columns.inverse_scale
        np.testing.assert_array_equal(inverse_scale > 0.0, [True, False, True, False, True, False])
        assert np.isfinite(objective.design.columns.center).all()
        user, _ = objective.to_user(np.ones((1, 6)), np.zeros(1))
        np.testing.assert_array_equal(user[0] != 0.0, inverse_scale > 0.0)


def test_a_constant_among_the_rows_that_count_does_not_vary() -> None:
    X, y, _, _, _ = problem(60, 4)
    weight = np.ones(60)
    weight[:10] = 0.0
    X[10:, 2] = 7.0
    objective = objective_of(X, y, weight)
    objective.standardize()
    assert objective.design.columns.inverse_scale[2] == 0.0


@pytest.mark.parametrize("n_features", [1, 3, 11, 30])
@pytest.mark.parametrize("l2_reg", [0.0, 0.5])
def test_curvature_bound_is_one_and_is_not_far_above(n_features, l2_reg) -> None:
    X, y, _, _, weight = problem(100, n_features)
    X *= np.linspace(1.0, 3.0, n_features)
    objective = objective_of(X, y, weight, l2_reg)
    largest = np.linalg.eigvalsh(hessian_bound(X, weight, np.full(n_features, l2_reg)))[-1]
    bound = objective.curvature_bound()
    assert largest * (1.0 - 1e-12) <= bound <= 1.2 * largest
    if n_features < 12:
        assert bound == pytest.approx(largest, rel=1e-10)
    assert objective.curvature_bound() == bound


def test_curvature_bound_of_columns_that_repeat() -> None:
    X = np.repeat(problem(50, 1).X, 20, axis=1)
    objective = objective_of(X, problem(50, 1).y)
    largest = np.linalg.eigvalsh(hessian_bound(X, np.ones(50), np.zeros(20)))[-1]
    assert objective.curvature_bound() == pytest.approx(largest, rel=1e-8)


def test_curvature_bound_without_any_slope() -> None:
    objective = objective_of(np.zeros((10, 3)), np.arange(10) % 2)
    assert objective.curvature_bound() == pytest.approx(0.25)


def test_models_have_their_own_targets() -> None:
    X, codes = three_classes(90, 4)
    coef = np.random.default_rng(0).standard_normal((3, 4))
    objective = objective_of(X, codes, l2_reg=0.2, positive=(0, 1, 2))
    cost, gradient, last = objective.value_gradient(coef, np.zeros(3))
    assert objective.n_models == 3
    for k in range(3):
        assert_value_gradient((cost[k], gradient[k], last[k]), X, codes == k, coef[k], 0.0, 0.2)
