"""The softmax cost that solvers see, against the oracle: derivatives, shares, parts, units."""

import numpy as np
import pytest
from problems import objective_over, problem, readonly, sized, softmax_of, three_classes

from fastlogit import reference
from fastlogit.design.base import Columns
from fastlogit.design.dense import DenseDesign
from fastlogit.objective.multinomial import Multinomial

ROWS = sized(150, 60)


def softmax_problem(n_features=4, n_classes=3):
    """Return X, codes, weights with zeros, offset (n_samples, n_classes) and theta (1, size)."""
    rng = np.random.default_rng([n_features, n_classes])
    X = rng.standard_normal((ROWS, n_features)) * np.linspace(0.5, 2.0, n_features) + 0.3
    codes = np.arange(ROWS) % n_classes
    weight = rng.uniform(0.0, 2.0, ROWS) * (rng.random(ROWS) < 0.8)
    offset = rng.standard_normal((ROWS, n_classes))
    return X, codes, weight, offset, rng.standard_normal((1, n_classes * (n_features + 1)))


def objective_with(X, codes, weight, l2_reg, offset, n_classes, **options):
    fixed = readonly(np.ascontiguousarray(offset.T))
    return softmax_of(X, codes, weight, l2_reg, n_classes, offset=fixed, **options)


def split(theta, n_classes):
    """Coefficients (n_features, n_classes) and intercepts, as the oracle has them."""
    points = theta.reshape(n_classes, -1)
    return points[:, :-1].T, points[:, -1]


def joined(coef, intercept):
    return np.column_stack([coef.T, intercept]).ravel()


def several_models():
    """Two softmax models over the same rows: own weights, penalties and offsets of the classes."""
    X, codes, weight, offset, _ = softmax_problem()
    rng = np.random.default_rng(8)
    weights = np.stack([weight, rng.uniform(0.1, 1.0, ROWS)])
    strengths = rng.uniform(0.1, 1.0, (2, 4))
    objective = objective_over(
        DenseDesign(X), Multinomial(3), readonly(codes.astype(np.uint8)), [0, 1, 2] * 2,
        readonly(weights),
        np.repeat(strengths, 3, axis=0), readonly(np.ascontiguousarray(offset.T)),
        weight_set=[0, 0, 0, 1, 1, 1],
    )  # fmt: skip
    theta = rng.standard_normal((2, 15))

    def oracle(model, point=None):
        coef, intercept = split(theta[model] if point is None else point, 3)
        cost, slope, last = reference.multinomial_cost_gradient(
            X, codes, coef, intercept, strengths[model], weights[model], offset
        )
        return cost, joined(slope, last)

    return objective, theta, oracle


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize(("n_features", "n_classes"), [(3, 3), (12, 4), (1, 10)])
def test_cost_and_derivatives(n_features, n_classes, fit_intercept) -> None:
    X, codes, weight, offset, theta = softmax_problem(n_features, n_classes)
    strengths = np.linspace(0.0, 1.0, n_features)
    objective = objective_with(
        X, codes, weight, strengths, offset, n_classes, fit_intercept=fit_intercept
    )
    assert (objective.n_models, objective.n_outputs) == (1, n_classes)
    coef, intercept = split(theta, n_classes)
    curvature = objective.rows.empty_curvature()
    found = objective.at(theta, curvature)
    cost, slope, last = reference.multinomial_cost_gradient(
        X, codes, coef, intercept, strengths, weight, offset
    )
    assert found.cost.shape == (1,)
    assert found.cost[0] == pytest.approx(cost, rel=1e-13)
    expected = joined(slope, last * fit_intercept)
    np.testing.assert_allclose(found.gradient[0], expected, rtol=1e-10, atol=1e-14)
    proba = reference.softmax(X @ coef + intercept + offset)
    shares = weight[:, None] * proba
    np.testing.assert_allclose(
        curvature.values.reshape(n_classes, -1).T, shares, rtol=1e-12, atol=1e-300
    )
    np.testing.assert_array_equal(objective.curvature(theta).values, curvature.values)
    bend = objective.loss.class_weights(curvature.values)
    assert bend.shape == (1, n_classes, ROWS)
    np.testing.assert_allclose(bend[0].T, shares * (1.0 - proba), rtol=1e-9, atol=1e-16)


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize(("n_features", "n_classes"), [(3, 3), (12, 4)])
def test_hessian_its_blocks_and_its_products(n_features, n_classes, fit_intercept) -> None:
    X, codes, weight, offset, theta = softmax_problem(n_features, n_classes)
    strengths = np.linspace(0.0, 1.0, n_features)
    objective = objective_with(
        X, codes, weight, strengths, offset, n_classes, fit_intercept=fit_intercept
    )
    coef, intercept = split(theta, n_classes)
    curvature = objective.curvature(theta)
    expected = reference.multinomial_hessian(X, coef, intercept, strengths, weight, offset)
    width = n_features + 1
    if not fit_intercept:
        expected[n_features::width], expected[:, n_features::width] = 0.0, 0.0
    loss = objective.rows.hessian(curvature[0], 0)
    whole = loss + np.diag(objective.parameter_penalty.diagonal(0))
    np.testing.assert_allclose(whole, expected, rtol=1e-9, atol=1e-14)
    blocks = objective.rows.class_hessians(curvature[0], 0)
    assert blocks.shape == (n_classes, width, width)
    for k, block in enumerate(blocks):
        inside = slice(k * width, (k + 1) * width)
        # The diagonal is made of the other blocks: the same but for rounding.
        np.testing.assert_allclose(block, loss[inside, inside], rtol=1e-13, atol=1e-16)
    rest = loss.reshape(n_classes, width, n_classes, width).sum(axis=0)
    np.testing.assert_allclose(rest, 0.0, atol=1e-16)
    np.testing.assert_allclose(
        objective.rows.mean_hessian(curvature), blocks.mean(axis=0), rtol=1e-9, atol=1e-14
    )
    vector = np.random.default_rng(1).standard_normal(theta.shape)
    passes = objective.design.n_passes
    product = objective.hessian_product(curvature, vector)
    assert objective.design.n_passes == passes + 1
    np.testing.assert_allclose(product[0], expected @ vector[0], rtol=1e-9, atol=1e-13)


def test_the_diagonal_is_that_of_columns_without_correlation() -> None:
    X, codes, weight, offset, theta = softmax_problem()
    objective = objective_with(X, codes, weight, 0.2, offset, 3)
    objective.standardize()
    curvature = objective.curvature(theta * 0.0)
    diagonal = objective.diagonal(curvature)
    assert diagonal.shape == theta.shape
    hessian = objective.rows.hessian(curvature[0], 0) + np.diag(
        objective.parameter_penalty.diagonal(0)
    )
    assert (diagonal > 0.0).all()
    np.testing.assert_allclose(diagonal[0], np.diag(hessian), rtol=0.4)
    # The intercepts' part is exact.
    np.testing.assert_allclose(diagonal[0, 4::5], np.diag(hessian)[4::5], rtol=1e-12)


def test_no_curvature_is_more_than_its_bound() -> None:
    X, codes, weight, offset, theta = softmax_problem()
    objective = objective_with(X, codes, weight, 0.1, offset, 3)
    bound = objective.curvature_bound()
    for scale in (0.0, 0.3, 1.0):
        coef, intercept = split(scale * theta, 3)
        hessian = reference.multinomial_hessian(X, coef, intercept, 0.1, weight, offset)
        assert np.linalg.eigvalsh(hessian)[-1] <= bound * (1.0 + 1e-12)
    # Two equally likely classes bend as much as can be: near the bound, not far above.
    coef = np.zeros((4, 3))
    hessian = reference.multinomial_hessian(X, coef, [0.0, 0.0, -50.0], 0.1, weight)
    assert np.linalg.eigvalsh(hessian)[-1] >= bound / 1.2


@pytest.mark.parametrize("weighted", [False, True])
def test_the_shares_of_the_classes(weighted) -> None:
    X, codes, weight, _, _ = softmax_problem(4, 4)
    codes = np.minimum(codes, 2)  # class 2 is the half, class 3 has no rows
    given = weight if weighted else np.ones(ROWS)
    counts = np.bincount(codes, given, 4)
    counts[3] = 0.5 * given.mean()
    for scale in (1.0, 1e-9):
        objective = softmax_of(X, codes, given * scale if weighted else None, 0.1, 4)
        theta = objective.loss.share_logits(objective.rows)
        assert theta.shape == (1, 20)
        coef, level = split(theta, 4)
        np.testing.assert_array_equal(coef, 0.0)
        assert level.sum() == pytest.approx(0.0, abs=1e-14)
        np.testing.assert_allclose(np.exp(level - level[0]), counts / counts[0], rtol=1e-12)


def test_the_shares_are_the_optimum_of_the_intercepts() -> None:
    X, codes, weight, _, _ = softmax_problem()
    objective = softmax_of(X, codes, weight, 0.1)
    gradient = objective.at(objective.loss.share_logits(objective.rows)).gradient
    np.testing.assert_allclose(gradient[0, 4::5], 0.0, atol=1e-15)


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_settling_changes_no_prediction_and_costs_no_more(fit_intercept) -> None:
    X, codes, weight, offset, theta = softmax_problem()
    objective = objective_with(X, codes, weight, 0.3, offset, 3, fit_intercept=fit_intercept)
    coef, intercept = objective.split(theta)
    if not fit_intercept:
        intercept = np.full(3, 0.7)
        theta = objective.join(coef, intercept)
    settled, level = objective.loss.settle(coef, intercept, fit_intercept)
    np.testing.assert_allclose(settled.sum(axis=0), 0.0, atol=1e-14)
    if fit_intercept:
        assert level.sum() == pytest.approx(0.0, abs=1e-14)
    else:
        np.testing.assert_array_equal(level, intercept)
    before = reference.softmax(X @ coef.T + intercept)
    np.testing.assert_allclose(reference.softmax(X @ settled.T + level), before, rtol=1e-12)
    costs = objective.at(theta).cost, objective.at(objective.join(settled, level)).cost
    assert costs[1] < costs[0]
    # Directions likewise.
    centred = objective.loss.centred(theta)
    assert centred.shape == theta.shape
    np.testing.assert_allclose(centred.reshape(3, 5).sum(axis=0), 0.0, atol=1e-14)


def test_gradients_sum_to_zero_but_for_the_penalty() -> None:
    X, codes, weight, offset, theta = softmax_problem()
    objective = objective_with(X, codes, weight, 0.0, offset, 3)
    gradient = objective.at(theta).gradient.reshape(3, 5)
    np.testing.assert_allclose(gradient.sum(axis=0), 0.0, atol=1e-15)


def test_standardised_it_is_the_same_cost_in_other_units() -> None:
    X, codes, weight, offset, theta = softmax_problem()
    X = X * np.logspace(-3, 3, 4) + np.linspace(-50.0, 50.0, 4)
    objective = objective_with(X, codes, weight, 0.3, offset, 3)
    objective.standardize()
    found = objective.at(theta)
    coef, intercept = objective.to_user(*objective.split(theta))
    cost, slope, last = reference.multinomial_cost_gradient(
        X, codes, coef.T, intercept, 0.3, weight, offset
    )
    assert found.cost[0] == pytest.approx(cost, rel=1e-12)
    gradient = objective.user_gradient(*objective.split(found.gradient))
    np.testing.assert_allclose(
        gradient, np.column_stack([slope.T, last]), rtol=1e-8, atol=1e-12 * np.abs(X).max()
    )
    back, back_level = objective.from_user(coef, intercept)
    np.testing.assert_allclose(objective.join(back, back_level), theta, rtol=1e-10)


# ------------------------------------------------------------------------------------------------
# Parts, and models next to each other


@pytest.mark.parametrize("stride", [2, 7])
def test_a_subsample_is_the_cost_of_its_rows(stride) -> None:
    X, codes, weight, offset, theta = softmax_problem()
    objective = objective_with(X, codes, weight, 0.2, offset, 3)
    part = objective.subsample(stride)
    assert part.loss is objective.loss
    found = part.at(theta)
    rows = slice(None, None, stride)
    cost, slope, last = reference.multinomial_cost_gradient(
        X[rows], codes[rows], *split(theta, 3), 0.2, weight[rows], offset[rows]
    )
    assert found.cost[0] == pytest.approx(cost, rel=1e-13)
    np.testing.assert_allclose(found.gradient[0], joined(slope, last), rtol=1e-10, atol=1e-14)


def test_several_models_each_have_their_own() -> None:
    objective, theta, oracle = several_models()
    assert (objective.n_models, objective.n_outputs) == (2, 6)
    found, curvature = objective.at(theta), objective.curvature(theta)
    assert curvature.values.shape == (2, 3 * ROWS)
    vector = np.random.default_rng(1).standard_normal((2, 15))
    product = objective.hessian_product(curvature, vector)
    for model in range(2):
        cost, gradient = oracle(model)
        assert found.cost[model] == pytest.approx(cost, rel=1e-13)
        np.testing.assert_allclose(found.gradient[model], gradient, rtol=1e-10, atol=1e-14)
        hessian = objective.rows.hessian(curvature[model], model)
        hessian += np.diag(objective.parameter_penalty.diagonal(model))
        np.testing.assert_allclose(product[model], hessian @ vector[model], rtol=1e-9, atol=1e-13)
        step = 1e-6 * vector[model]
        slope = oracle(model, theta[model] + step)[1] - oracle(model, theta[model] - step)[1]
        np.testing.assert_allclose(product[model], slope / 2e-6, atol=1e-7)
    shares = objective.loss.share_logits(objective.rows)
    assert shares.shape == (2, 15)
    for model in range(2):
        one = objective.only(np.array([model]))
        alone = one.loss.share_logits(one.rows)
        np.testing.assert_array_equal(alone[0], shares[model])
    assert (shares[0, 4::5] != shares[1, 4::5]).any()


def test_only_some_of_the_models() -> None:
    objective, theta, _ = several_models()
    expected, curvature = objective.at(theta), objective.curvature(theta)
    vector = np.random.default_rng(1).standard_normal((2, 15))
    product = objective.hessian_product(curvature, vector)
    for chosen in ([1], [0], [1, 0]):
        part = objective.only(np.array(chosen))
        assert part.n_models == len(chosen)
        found = part.at(theta[chosen])
        np.testing.assert_array_equal(found.cost, expected.cost[chosen])
        np.testing.assert_array_equal(found.gradient, expected.gradient[chosen])
        np.testing.assert_array_equal(
            part.curvature(theta[chosen]).values, curvature[chosen].values
        )
        np.testing.assert_array_equal(
            part.hessian_product(curvature[chosen], vector[chosen]), product[chosen]
        )
        np.testing.assert_array_equal(
            part.parameter_penalty.diagonal(0), objective.parameter_penalty.diagonal(chosen[0])
        )
    np.testing.assert_array_equal(objective.rows.outputs_of([1, 0]), [3, 4, 5, 0, 1, 2])


def test_costs_of_classes_are_those_of_their_rows() -> None:
    """The cost of an output is that of the rows of its class, and its part of the penalty."""
    X, codes, weight, _, theta = softmax_problem()
    objective = softmax_of(X, codes, weight, 0.2)
    coef, intercept = objective.split(theta)
    costs, _, _ = objective.value_gradient(coef.copy(), intercept.copy())
    losses = -reference.log_softmax(X @ coef.T + intercept)[np.arange(ROWS), codes] * weight
    for k in range(3):
        expected = losses[codes == k].sum() / weight.sum() + 0.1 * coef[k] @ coef[k]
        assert costs[k] == pytest.approx(expected, rel=1e-12)
    assert objective.cost_of_models(costs) == pytest.approx([costs.sum()])
    history = np.arange(12.0).reshape(4, 3)
    np.testing.assert_array_equal(objective.cost_of_models(history), history.sum(axis=1)[:, None])


def test_costs_of_no_steps_are_none() -> None:
    """What a time limit before the first step of a descent leaves."""
    X, codes, weight, _, _ = softmax_problem()
    objective = softmax_of(X, codes, weight, 0.2)
    assert objective.cost_of_models(np.empty((0, 3))).shape == (0, 1)


def test_a_class_that_is_told_apart_surely_bends_nowhere() -> None:
    """Rows whose probabilities are 0 and 1 exactly: nothing divides by zero."""
    X, codes = three_classes(60, 2)
    objective = softmax_of(X, codes, problem(60, 2).weight * 0.0 + np.arange(60) % 2)
    curvature = objective.curvature(np.array([[0.0, 0.0, 800.0, 0.0, 0.0, -800.0, 0.0, 0.0, 0.0]]))
    for weights in (
        objective.loss.class_weights(curvature.values),
        objective.rows.hessian(curvature[0], 0),
    ):
        assert np.isfinite(weights).all()
    np.testing.assert_array_equal(objective.loss.class_weights(curvature.values), 0.0)


@pytest.mark.parametrize("n_features", [4, 12])
def test_columns_of_a_standardised_design(n_features) -> None:
    """The design that streams or centres is the objective's affair alone."""
    X, codes, weight, offset, theta = softmax_problem(n_features)
    columns = Columns(np.arange(n_features) / 3.0, np.linspace(0.5, 2.0, n_features))
    design = DenseDesign(X, columns=columns)
    fixed = readonly(np.ascontiguousarray(offset.T))
    objective = objective_over(
        design, Multinomial(3), readonly(codes.astype(np.uint8)), range(3), readonly(weight), 0.2,
        fixed,
    )  # fmt: skip
    seen = (X - columns.center) * columns.inverse_scale
    cost, slope, last = reference.multinomial_cost_gradient(
        seen, codes, *split(theta, 3), 0.2 * columns.inverse_scale**2, weight, offset
    )
    found = objective.at(theta)
    assert found.cost[0] == pytest.approx(cost, rel=1e-13)
    np.testing.assert_allclose(found.gradient[0], joined(slope, last), rtol=1e-10, atol=1e-14)
