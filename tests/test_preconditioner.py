"""Approximate inverse Hessians from a few rows: what they are exactly, and how near they come."""

import numpy as np
import pytest
from problems import objective_of, problem, softmax_of, three_classes

from fastlogit import reference
from fastlogit.objective.row_state import RowCurvature
from fastlogit.solvers import preconditioner
from fastlogit.solvers.preconditioner import (
    SampledHessians,
    SharedHessians,
    leaders_of,
    sample_size,
)


def as_matrix(made, model, size):
    """The linear map of one model, column by column."""
    return np.array([made.solve(np.array([model]), row[None])[0] for row in np.eye(size)]).T


def assert_positive_definite(matrix) -> None:
    np.testing.assert_allclose(matrix, matrix.T, rtol=1e-8, atol=1e-10 * np.abs(matrix).max())
    assert np.linalg.eigvalsh(0.5 * (matrix + matrix.T))[0] > 0.0


# ------------------------------------------------------------------------------------------------
# Drawing


def test_rows_are_drawn_in_proportion_to_their_weight(rng) -> None:
    weights = rng.exponential(size=500) ** 3
    drawn = RowCurvature(weights[None]).draw(4000)[0]
    times = np.bincount(drawn, minlength=500)
    assert (np.abs(times - 4000.0 * weights / weights.sum()) <= 1.0 + 1e-9).all()
    assert (np.diff(drawn) >= 0).all()


def test_equal_weights_draw_every_row_once() -> None:
    np.testing.assert_array_equal(RowCurvature(np.full((1, 40), 0.25)).draw(40)[0], np.arange(40))
    np.testing.assert_array_equal(RowCurvature(np.full((1, 40), 0.25)).draw(4)[0], [4, 14, 24, 34])


def test_rows_without_weight_are_not_drawn() -> None:
    weights = np.zeros(50)
    weights[[0, 7, 49]] = [1.0, 2.0, 1.0]
    np.testing.assert_array_equal(RowCurvature(weights[None]).draw(4)[0], [0, 7, 7, 49])
    weights[[0, 49]] = 0.0
    np.testing.assert_array_equal(RowCurvature(weights[None]).draw(3)[0], [7, 7, 7])


def test_where_no_row_has_weight_they_are_spread() -> None:
    np.testing.assert_array_equal(RowCurvature(np.zeros(11)[None]).draw(3)[0], [0, 5, 10])


def test_the_size_of_a_sample() -> None:
    def size(n_samples, n_features, n_classes):
        X = np.broadcast_to(np.zeros(1), (n_samples, n_features))
        codes = np.arange(n_samples) % n_classes
        return sample_size(softmax_of(X, codes, n_classes=n_classes))

    assert size(100_000, 9, 3) == 300
    assert size(100_000, 2, 3) == preconditioner.LEAST_ROWS
    assert size(120, 9, 3) == 120
    # Wide: a multiple of four, no more numbers than a share of X.
    wide = size(60_000, 784, 10)
    assert wide % 4 == 0
    assert preconditioner.LEAST_ROWS <= wide <= preconditioner.MOST_ROWS
    assert size(5_003, 2_000, 10) * 10 * 2_000 <= preconditioner.FEW_NUMBERS
    assert size(203, 200, 3) == 200
    assert size(3, 200, 3) == 4


# ------------------------------------------------------------------------------------------------
# All rows


@pytest.mark.parametrize("l2_reg", [0.0, 0.3])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_all_rows_of_two_classes_are_the_hessian(fit_intercept, l2_reg) -> None:
    X, y, coef, intercept, weight = problem(120, 5)
    objective = objective_of(X, y, weight, l2_reg, fit_intercept=fit_intercept)
    curvature = objective.curvature(np.append(coef, intercept)[None])
    made = SampledHessians(objective, curvature)
    hessian = reference.hessian(X, coef, intercept, l2_reg, weight)
    expected = np.zeros((6, 6))
    size = 5 + fit_intercept
    expected[:size, :size] = np.linalg.inv(hessian[:size, :size])
    np.testing.assert_allclose(as_matrix(made, 0, 6), expected, rtol=1e-7, atol=1e-10)


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_all_rows_of_a_softmax_are_the_blocks_of_its_hessian(fit_intercept, monkeypatch) -> None:
    monkeypatch.setattr(preconditioner, "TINY", 0.0)
    X, codes = three_classes(90, 4)
    weight = problem(90, 4).weight
    objective = softmax_of(X, codes, weight, 0.2, fit_intercept=fit_intercept)
    theta = np.random.default_rng(0).standard_normal((1, 15))
    made = SampledHessians(objective, objective.curvature(theta))
    points = theta.reshape(3, 5)
    hessian = reference.multinomial_hessian(X, points[:, :4].T, points[:, 4], 0.2, weight)
    vectors = np.random.default_rng(1).standard_normal((3, 5))
    expected = np.zeros((3, 5))
    for k in range(3):
        block = hessian[5 * k : 5 * k + 5, 5 * k : 5 * k + 5]
        size = 4 + fit_intercept
        expected[k, :size] = np.linalg.solve(block[:size, :size], vectors[k, :size])
    expected -= expected.mean(axis=0)
    found = made.solve(np.array([0]), vectors.reshape(1, 15)).reshape(3, 5)
    np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-10)


def test_rows_that_hardly_bend_are_left_out_of_a_hessian(monkeypatch) -> None:
    X, codes = three_classes(90, 4)
    objective = softmax_of(X, codes, None, 0.2)
    curvature = objective.curvature(3.0 * np.random.default_rng(0).standard_normal((1, 15)))
    weights = objective.loss.class_weights(curvature.values)[0]
    tiny = weights < preconditioner.TINY * weights.mean(axis=1, keepdims=True)
    assert tiny.any(axis=1).all()
    assert (weights[tiny] > 0.0).any()
    found, mean = [], weights.sum(axis=1) / 90.0
    for share in (preconditioner.TINY, 0.0):
        monkeypatch.setattr(preconditioner, "TINY", share)
        made = SampledHessians(objective, curvature)
        found.append(made._matrices(RowCurvature(weights), mean, 90))
    left_out = found[1] - found[0]
    expected = [objective.design.gram(own) / 90.0 for own in np.where(tiny, weights, 0.0)]
    np.testing.assert_allclose(left_out, expected, atol=1e-15)


def three_penalties(fit_intercept=True):
    """Models of two classes with a strong penalty and two weak ones, at their optima."""
    X, y, _, _, weight = problem(150, 4)
    l2_reg = np.array([1.0, 1e-5, 1e-6])
    each = l2_reg[:, None] * np.ones(4)
    objective = objective_of(X, y, weight, each, (1, 1, 1), fit_intercept=fit_intercept)
    theta = np.zeros((3, 5))
    for model, l2 in enumerate(l2_reg):
        held = None if fit_intercept else 0.0
        coef, intercept, _ = reference.newton(X, y, l2, weight, intercept=held)
        theta[model] = [*coef, intercept]
    return objective, theta


def test_penalties_that_hardly_matter_have_one_leader() -> None:
    objective, theta = three_penalties()
    np.testing.assert_array_equal(leaders_of(objective, theta), [0, 1, 1])
    mixed = np.array([2, 0, 1])
    np.testing.assert_array_equal(leaders_of(objective.only(mixed), theta[mixed]), [0, 1, 2])


def test_only_models_of_the_same_class_and_weights_have_one_leader() -> None:
    X, codes = three_classes(90, 4)
    objective = objective_of(X, codes, positive=(0, 1, 1, 0))
    np.testing.assert_array_equal(leaders_of(objective, np.zeros((4, 5))), [0, 1, 1, 0])


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_models_that_share_a_hessian_keep_their_penalties(fit_intercept) -> None:
    objective, theta = three_penalties(fit_intercept)
    made = SharedHessians(objective, theta, np.array([0, 1, 1]))
    curvature = objective.curvature(theta)
    vectors = np.random.default_rng(1).standard_normal((2, 5))
    found = made.solve(np.array([2, 0]), vectors)
    size = 4 + fit_intercept
    for model, leader, vector, solved in zip([2, 0], [1, 0], vectors, found, strict=True):
        hessian = objective.rows.hessian(curvature[leader], leader)
        hessian += np.diag(objective.parameter_penalty.diagonal(model))
        expected = np.linalg.solve(hessian[:size, :size], vector[:size])
        np.testing.assert_allclose(solved[:size], expected, rtol=1e-8)


@pytest.fixture
def wide(monkeypatch):
    """Take the form for many columns with few, and as many drawn rows as there are."""
    monkeypatch.setattr(preconditioner, "DENSE_COLUMNS", 3)
    return 40


@pytest.mark.parametrize("l2_reg", [0.0, 0.3])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_each_row_drawn_once_is_the_hessian_and_a_share_of_its_diagonal(
    wide, fit_intercept, l2_reg
) -> None:
    """At theta = 0 all rows have the same curvature, so that each of them is drawn once."""
    X, y = problem(wide, 9)[:2]
    objective = objective_of(X, y, l2_reg=l2_reg, fit_intercept=fit_intercept)
    objective.standardize()
    assert sample_size(objective) == wide
    made = SampledHessians(objective, objective.curvature(np.zeros((1, 10))))
    center, inverse_scale = objective.design.columns
    standard = (X - center) * inverse_scale
    loss = reference.hessian(standard, np.zeros(9))
    penalty = np.append(objective.penalty.strengths[0], 0.0)
    # What the diagonal would be if curvature and columns were independent.
    base = np.append(0.25 * (1.0 - 4.0 * np.minimum(penalty[:-1], 0.25)), 0.25)
    matrix = 0.9 * loss + np.diag(penalty + 0.1 * base)
    expected = np.zeros((10, 10))
    size = 9 + fit_intercept
    expected[:size, :size] = np.linalg.inv(matrix[:size, :size])
    np.testing.assert_allclose(as_matrix(made, 0, 10), expected, rtol=1e-4, atol=1e-5)


# ------------------------------------------------------------------------------------------------
# A part of the rows


def models_over(X, codes, l2_reg=0.01):
    """Return an objective of one-vs-all and one of softmax over standardised rows."""
    both = (
        objective_of(X, codes, None, l2_reg, (0, 1, 2)),
        softmax_of(X, codes, None, l2_reg),
    )
    for objective in both:
        objective.standardize()
    return both


@pytest.mark.parametrize("form", ["dense", "wide"])
def test_it_is_symmetric_positive_definite(form, monkeypatch) -> None:
    monkeypatch.setattr(preconditioner, "DENSE_COLUMNS", 3 if form == "wide" else 150)
    monkeypatch.setattr(preconditioner, "LEAST_ROWS", 20)
    monkeypatch.setattr(preconditioner, "ROWS_PER_COLUMN", 2)
    X, codes = three_classes(100, 9)
    rng = np.random.default_rng(0)
    separate, softmax = models_over(X, codes)
    assert sample_size(softmax) == 20
    made = SampledHessians(separate, separate.curvature(rng.standard_normal((3, 10))))
    for model in range(3):
        assert_positive_definite(as_matrix(made, model, 10))
    made = SampledHessians(softmax, softmax.curvature(rng.standard_normal((1, 30))))
    # Directions whose classes sum to zero: what changes a softmax.
    change = np.eye(3)[:, :2] - 1.0 / 3.0
    basis = np.kron(np.linalg.qr(change)[0], np.eye(10))
    assert_positive_definite(basis.T @ as_matrix(made, 0, 30) @ basis)
    solved = made.solve(np.array([0]), rng.standard_normal((1, 30))).reshape(3, 10)
    np.testing.assert_allclose(solved.sum(axis=0), 0.0, atol=1e-12 * np.abs(solved).max())


@pytest.mark.parametrize("form", ["dense", "wide"])
def test_vectors_of_some_models_meet_their_own_hessians(form, monkeypatch) -> None:
    monkeypatch.setattr(preconditioner, "DENSE_COLUMNS", 3 if form == "wide" else 150)
    X, codes = three_classes(60, 9)
    objective = objective_of(X, codes, None, 0.1, (0, 1, 2))
    objective.standardize()
    rng = np.random.default_rng(0)
    made = SampledHessians(objective, objective.curvature(rng.standard_normal((3, 10))))
    vectors = rng.standard_normal((4, 10))
    found = made.solve(np.array([2, 0, 2, 1]), vectors)
    for place, model in enumerate([2, 0, 2, 1]):
        alone = made.solve(np.array([model]), vectors[place : place + 1])
        np.testing.assert_array_equal(found[place], alone[0])


@pytest.mark.parametrize("form", ["dense", "wide"])
def test_some_models_alone_have_the_same_hessians(form, monkeypatch) -> None:
    monkeypatch.setattr(preconditioner, "DENSE_COLUMNS", 3 if form == "wide" else 150)
    monkeypatch.setattr(preconditioner, "FEW_NUMBERS", 0)  # as many rows for two as for four
    monkeypatch.setattr(preconditioner, "SHARE", 100.0)
    X, codes = three_classes(60, 9)
    l2_reg = np.repeat([0.01, 0.1, 1.0, 10.0], 3)[:, None] * np.ones(9)
    objective = softmax_of(X, codes, None, l2_reg, positive=[0, 1, 2] * 4)
    objective.standardize()
    rng = np.random.default_rng(0)
    curvature = objective.curvature(rng.standard_normal((4, 30)))
    some = np.array([1, 3])
    everyone = SampledHessians(objective, curvature)
    made = SampledHessians(objective, curvature[some], some)
    vectors = rng.standard_normal((2, 30))
    expected = everyone.solve(some, vectors)
    np.testing.assert_allclose(made.solve(some, vectors), expected, rtol=1e-12)
    np.testing.assert_allclose(made.solve(some[1:], vectors[1:]), expected[1:], rtol=1e-12)


@pytest.mark.parametrize("form", ["dense", "wide"])
def test_outputs_that_bend_nowhere(form, monkeypatch) -> None:
    """Where a class is told apart surely its curvatures underflow."""
    monkeypatch.setattr(preconditioner, "DENSE_COLUMNS", 3 if form == "wide" else 150)
    X, codes = three_classes(60, 9)
    separate, softmax = models_over(X, codes)
    curvature = separate.curvature(np.zeros((3, 10)))
    curvature.values[1] = 0.0
    found = SampledHessians(separate, curvature).solve(np.arange(3), np.ones((3, 10)))
    assert np.isfinite(found).all()
    # Of the cost only the penalty is left.
    l2 = separate.penalty.strengths[0]
    np.testing.assert_allclose(found[1, :-1], 1.0 / l2, rtol=1e-5)
    none = RowCurvature(np.zeros((1, 180)))
    assert np.isfinite(SampledHessians(softmax, none).solve(np.array([0]), np.ones((1, 30)))).all()


@pytest.mark.parametrize("form", ["dense", "wide"])
def test_columns_that_do_not_vary_do_not_move(form, monkeypatch) -> None:
    monkeypatch.setattr(preconditioner, "DENSE_COLUMNS", 3 if form == "wide" else 150)
    X, codes = three_classes(60, 9)
    X[:, 4] = 7.0
    objective = objective_of(X, codes, None, 0.0, (0, 1, 2))
    objective.standardize()
    made = SampledHessians(objective, objective.curvature(np.zeros((3, 10))))
    vectors = np.ones((3, 10))
    vectors[:, 4] = 0.0
    found = made.solve(np.arange(3), vectors)
    assert np.isfinite(found).all()
    np.testing.assert_array_equal(found[:, 4], 0.0)


@pytest.mark.jit
def test_it_comes_near_the_inverse_hessian() -> None:
    """Far nearer than the diagonal: the condition of what is left, on columns that correlate."""
    X, codes = three_classes(4_000, 30)
    X = X @ np.random.default_rng(5).standard_normal((30, 30))
    objective = softmax_of(X, codes, None, 1e-4)
    objective.standardize()
    theta = np.random.default_rng(0).standard_normal((1, 93))
    curvature = objective.curvature(theta)
    made = SampledHessians(objective, curvature)
    hessian = objective.rows.hessian(curvature[0], 0)
    hessian.flat[::94] += objective.parameter_penalty.diagonal(0)
    change = np.linalg.qr(np.eye(3)[:, :2] - 1.0 / 3.0)[0]
    basis = np.kron(change, np.eye(31))

    def condition(inverse):
        values = np.linalg.eigvals(basis.T @ inverse @ basis @ (basis.T @ hessian @ basis)).real
        return values.max() / values.min()

    plain = np.diag(1.0 / objective.diagonal(curvature)[0])
    assert condition(as_matrix(made, 0, 93)) < 30.0 < 0.1 * condition(plain)


@pytest.mark.jit
def test_rows_of_many_columns_are_drawn() -> None:
    """The form for many columns, at its true size: nearer to the inverse than the diagonal."""
    X, codes = three_classes(400, 180)
    _, softmax = models_over(X, codes, 1e-3)
    theta = np.random.default_rng(0).standard_normal((1, 543)) * 0.1
    curvature = softmax.curvature(theta)
    made = SampledHessians(softmax, curvature)
    hessian = softmax.rows.hessian(curvature[0], 0)
    hessian.flat[::544] += softmax.parameter_penalty.diagonal(0)
    direction = softmax.loss.centred(np.random.default_rng(1).standard_normal((1, 543)))
    gradient = hessian @ direction[0]
    size = direction[0] @ gradient

    def lacks(found):
        left = found - direction[0]
        return left @ hessian @ left / size

    by_rows = lacks(made.solve(np.array([0]), gradient[None])[0])
    by_diagonal = lacks(softmax.loss.centred(gradient[None] / softmax.diagonal(curvature))[0])
    assert by_rows < 0.3 * by_diagonal
