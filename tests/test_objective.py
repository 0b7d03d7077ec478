"""The cost that solvers see: penalty, standardisation, curvature, units."""

import numpy as np
import pytest
from problems import (
    assert_value_gradient,
    objective_of,
    one_model,
    problem,
    softmax_of,
    three_classes,
)

from fastlogit import reference


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
    # The intercept in the units of X is rounded once.
    lost = np.spacing(abs(user_base[0]))
    np.testing.assert_allclose(back_base, base, rtol=1e-15, atol=2.0 * lost)
    assert objective.lost_in_units(objective.join(standard, base))[0] >= 0.5 * lost


@pytest.mark.parametrize("l2_reg", [0.0, 0.3])
def test_standardised_columns_bend_the_cost_equally(l2_reg) -> None:
    X, y, _, _, weight = problem(200, 5)
    X = X * np.logspace(-3, 3, 5) + 10.0
    objective = objective_of(X, y, weight, l2_reg)
    objective.standardize()
    center, inverse_scale = objective.design.columns
    offset = np.abs(center - weight @ X / weight.sum())
    assert (offset <= 1e-13 * X.std(axis=0)).all()
    curvatures = np.diag(
        hessian_bound((X - center) * inverse_scale, weight, objective.penalty.strengths[0])
    )
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


# ------------------------------------------------------------------------------------------------
# Second derivatives, subsamples and parts


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("n_features", [3, 11])
def test_the_hessian_and_its_products(n_features, fit_intercept) -> None:
    X, y, coef, intercept, weight = problem(60, n_features)
    offset = X[:, 0] / 2.0
    objective = objective_of(X, y, weight, 0.3, offset=offset, fit_intercept=fit_intercept)
    theta = np.append(coef, intercept)[None, :]
    curvature = objective.curvature(theta)
    expected = reference.hessian(X, coef, intercept, 0.3, weight, offset)
    if not fit_intercept:
        expected[-1], expected[:, -1] = 0.0, 0.0
    hessian = objective.rows.hessian(curvature[0], 0) + np.diag(
        objective.parameter_penalty.diagonal(0)
    )
    np.testing.assert_allclose(hessian, expected, rtol=1e-11, atol=1e-14)
    vector = np.linspace(-1.0, 2.0, n_features + 1)[None, :]
    product = objective.hessian_product(curvature, vector)[0]
    np.testing.assert_allclose(product, expected @ vector[0], rtol=1e-10, atol=1e-13)


def test_evaluations_at_a_point_are_copies() -> None:
    X, y = problem(60, 3)[:2]
    objective = objective_of(X, y)
    first = objective.at(np.zeros((1, 4)))
    kept = first.cost.copy(), first.gradient.copy()
    objective.at(np.ones((1, 4)))
    np.testing.assert_array_equal(first.cost, kept[0])
    np.testing.assert_array_equal(first.gradient, kept[1])


def test_a_fixed_intercept_has_no_slope_and_an_offset_counts() -> None:
    X, y, coef, intercept, _ = problem(60, 3)
    offset = np.linspace(-2.0, 1.0, 60)
    objective = objective_of(X, y, l2_reg=0.1, offset=offset, fit_intercept=False)
    found = objective.at(np.append(coef, intercept)[None, :])
    cost, slope, _ = reference.cost_gradient(X, y, coef, intercept, 0.1, None, offset)
    assert found.cost[0] == pytest.approx(cost, rel=1e-13)
    np.testing.assert_allclose(found.gradient[0], [*slope, 0.0], rtol=1e-11, atol=1e-15)


@pytest.mark.parametrize("own_weights", [False, True])
@pytest.mark.parametrize("stride", [2, 7])
def test_a_subsample_is_the_cost_of_its_rows(stride, own_weights) -> None:
    X, codes = three_classes(90, 4)
    rng = np.random.default_rng(0)
    weight = rng.uniform(0.5, 2.0, (3, 90) if own_weights else 90)
    offset = rng.standard_normal(90)
    whole = objective_of(X, codes, weight, 0.2, (0, 1, 2), offset=offset)
    part = whole.subsample(stride)
    theta = rng.standard_normal((3, 5))
    found = part.at(theta)
    for k in range(3):
        rows = weight[k, ::stride] if own_weights else weight[::stride]
        expected = reference.cost_gradient(
            X[::stride], (codes == k)[::stride], theta[k, :-1], theta[k, -1], 0.2, rows,
            offset[::stride],
        )  # fmt: skip
        assert found.cost[k] == pytest.approx(expected[0], rel=1e-13)
        np.testing.assert_allclose(found.gradient[k], [*expected[1], expected[2]], rtol=1e-10)


@pytest.mark.parametrize("own_strengths", [False, True])
@pytest.mark.parametrize("own_weights", [False, True])
def test_only_some_of_the_models(own_weights, own_strengths) -> None:
    X, codes = three_classes(90, 4)
    rng = np.random.default_rng(0)
    weight = rng.uniform(0.5, 2.0, (3, 90) if own_weights else 90)
    strengths = rng.uniform(0.0, 1.0, (3, 4)) if own_strengths else 0.2
    whole = objective_of(X, codes, weight, strengths, (0, 1, 2))
    theta = rng.standard_normal((3, 5))
    chosen = np.array([2, 0])
    found, expected = whole.only(chosen).at(theta[chosen]), whole.at(theta)
    np.testing.assert_array_equal(found.cost, expected.cost[chosen])
    np.testing.assert_array_equal(found.gradient, expected.gradient[chosen])


def counted(objective, monkeypatch):
    """How many models each pass over the rows of the objective computes."""
    passes = []
    evaluate = type(objective.design).evaluate

    def spy(design, targets, penalty, state, *curvature):
        passes.append(len(state.cost))
        return evaluate(design, targets, penalty, state, *curvature)

    monkeypatch.setattr(type(objective.design), "evaluate", spy)
    return passes


@pytest.mark.parametrize("own_strengths", [False, True])
def test_models_that_differ_in_their_penalty_alone_are_computed_once(
    own_strengths, monkeypatch
) -> None:
    X, codes = three_classes(90, 4)
    rng = np.random.default_rng(0)
    weight = rng.uniform(0.5, 2.0, (2, 90))
    strengths = rng.uniform(0.0, 1.0, (6, 4)) if own_strengths else 0.2
    positive, weight_set = (0, 0, 1, 0, 1, 0), (0, 1, 1, 0, 1, 0)
    objective = objective_of(X, codes, weight, strengths, positive, weight_set=weight_set)
    theta = np.tile(rng.standard_normal(5), (6, 1))
    theta[5] += 0.25
    curvature, expected_curvature = (
        objective.rows.empty_curvature(),
        objective.rows.empty_curvature(),
    )
    expected = objective.at(theta, expected_curvature)
    passes = counted(objective, monkeypatch)
    found, alone = objective.at_start(theta, curvature), objective.at_start(theta)
    assert passes == [4, 4]  # 0 and 3 are one, and so are 2 and 4
    np.testing.assert_allclose(found.cost, expected.cost, rtol=1e-14)
    np.testing.assert_allclose(found.gradient, expected.gradient, rtol=1e-13, atol=1e-15)
    np.testing.assert_array_equal(curvature.values, expected_curvature.values)
    np.testing.assert_array_equal(alone.gradient, found.gradient)


def test_softmax_models_that_differ_in_their_penalty_alone_are_computed_once(monkeypatch) -> None:
    X, codes = three_classes(90, 4)
    strengths = np.repeat([0.1, 0.7], 3)[:, None] * np.ones(4)
    objective = softmax_of(X, codes, None, strengths, positive=[0, 1, 2, 0, 1, 2])
    theta = np.tile(np.random.default_rng(0).standard_normal(15), (2, 1))
    curvature, expected_curvature = (
        objective.rows.empty_curvature(),
        objective.rows.empty_curvature(),
    )
    expected = objective.at(theta, expected_curvature)
    passes = counted(objective, monkeypatch)
    found = objective.at_start(theta, curvature)
    assert passes == [3]
    np.testing.assert_allclose(found.cost, expected.cost, rtol=1e-14)
    np.testing.assert_allclose(found.gradient, expected.gradient, rtol=1e-13, atol=1e-15)
    np.testing.assert_array_equal(curvature.values, expected_curvature.values)


def test_the_shares_of_the_classes() -> None:
    X, codes = three_classes(90, 4)
    weight = np.random.default_rng(0).uniform(0.5, 2.0, 90)
    for given in (None, weight):
        objective = objective_of(X, codes, given, positive=(0, 1, 2))
        theta = objective.loss.start(objective.rows)
        shares = [np.average(codes == k, weights=given) for k in range(3)]
        np.testing.assert_allclose(theta[:, -1], reference.logit(shares), rtol=1e-12)
        np.testing.assert_array_equal(theta[:, :-1], np.zeros((3, 4)))


def test_a_stride_that_misses_what_varies_standardises_nothing() -> None:
    X, y = problem(90, 3)[:2]
    X[:, 1] = 0.0
    X[1::3, 1] = 1.0
    objective = objective_of(X, y)
    before = objective.design.columns
    assert not objective.standardize(3)
    assert objective.design.columns is before
    assert objective.standardize(2)
    assert (objective.design.columns.inverse_scale > 0.0).all()
