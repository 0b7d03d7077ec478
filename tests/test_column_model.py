"""The quadratic model over columns of X: its fall, and its minimum against a Gram matrix's."""

import numpy as np
import pytest
import scipy.sparse
from problems import problem

from fastlogit.design.base import readonly
from fastlogit.design.dense import DenseDesign
from fastlogit.design.sparse import SparseDesign
from fastlogit.inputs.sparse import compressed_rows
from fastlogit.objective import column_model
from fastlogit.objective.binomial import Binomial
from fastlogit.objective.column_model import descend_model
from fastlogit.objective.labelled_rows import LabelledRows
from fastlogit.objective.objective import Objective
from fastlogit.objective.penalties import ElasticNet
from fastlogit.solvers.quadratic_model import Corners, QuadraticModel


def objective_over(X, y, l1, l2, fit_intercept, weight, is_sparse):
    design = DenseDesign(X)
    if is_sparse:
        design = SparseDesign(compressed_rows(scipy.sparse.csr_array(X)))
    weights = readonly(np.empty(0) if weight is None else weight)
    codes = readonly(y.astype(np.uint8))
    rows = LabelledRows(design, Binomial(), codes, [1], weights, fit_intercept=fit_intercept)
    objective = Objective(rows, ElasticNet(l1, l2, X.shape[1]))
    objective.standardize()
    return objective


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("l2", [0.0, 0.05])
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("is_sparse", [True, False])
def test_its_minimum_is_that_of_the_gram_matrix(
    rng, fit_intercept, l2, weighted, is_sparse
) -> None:
    X, y, _, _, weight = problem(80, 9)
    X = X * (rng.random(X.shape) < 0.4)
    weight = weight if weighted else None
    objective = objective_over(X, y, 0.02, l2, fit_intercept, weight, is_sparse)
    theta = rng.normal(size=10) * (rng.random(10) < 0.5) * 0.3
    theta[-1] *= fit_intercept
    curvature = objective.rows.empty_curvature()
    found = objective.at(theta[None], curvature)
    columns = np.array([0, 1, 2, 4, 5, 6, 8])
    outside = theta.copy()
    model = descend_model(objective, theta, found.gradient[0], curvature, columns, (5_000, 1e-26))
    parameters = np.append(columns, 9)
    matrix = objective.rows.hessian(curvature, 0)
    objective.parameter_penalty.add_to(matrix, 0)
    matrix = matrix[np.ix_(parameters, parameters)]
    l1 = np.append(objective.l1.strengths[0, columns], 0.0)
    slopes, start = found.gradient[0][parameters], theta[parameters]
    target = QuadraticModel(matrix, Corners.of_l1(l1)).minimum(slopes, start)
    np.testing.assert_allclose(model.target[parameters], target, atol=1e-7)
    np.testing.assert_array_equal(model.target[[3, 7]], outside[[3, 7]])
    step = model.target[parameters] - start
    promised = slopes @ step + l1 @ (np.abs(model.target[parameters]) - np.abs(start))
    np.testing.assert_allclose(model.promised, promised, rtol=1e-12)
    fall = -promised - 0.5 * step @ matrix @ step
    # Sparse columns are weighed in 32 bits.
    np.testing.assert_allclose(model.lack, fall, rtol=1e-6 if is_sparse else 1e-9)
    few = descend_model(objective, theta, found.gradient[0], curvature, columns, (1, 0.0))
    assert few.n_sweeps == 1
    assert 0.0 < few.lack < model.lack


def test_many_sweeps_are_extrapolated(rng, monkeypatch) -> None:
    """Columns that all rise together are slow by sweeps alone."""
    X = rng.random((60, 9)) + 1.0
    y = (X.sum(axis=1) + rng.normal(size=60) > np.median(X.sum(axis=1))).astype(int)
    objective = objective_over(X, y, 1e-4, 0.0, False, None, True)
    theta, curvature = np.zeros(10), objective.rows.empty_curvature()
    gradient = objective.at(theta[None], curvature).gradient[0]
    ends = (20_000, 1e-22)
    found = descend_model(objective, theta, gradient, curvature, np.arange(9), ends)
    monkeypatch.setattr(column_model, "BLOCKS", 20_000)
    plain = descend_model(objective, theta, gradient, curvature, np.arange(9), ends)
    assert found.n_sweeps < 0.6 * plain.n_sweeps < 12_000
    np.testing.assert_allclose(found.target, plain.target, rtol=1e-6, atol=1e-6)
    assert found.lack == pytest.approx(plain.lack, rel=1e-9)


def test_sweeps_go_on_from_where_they_were(rng) -> None:
    X, y, _, _, _ = problem(80, 9)
    objective = objective_over(X, y, 0.02, 0.0, True, None, True)
    theta, curvature = np.zeros(10), objective.rows.empty_curvature()
    gradient = objective.at(theta[None], curvature).gradient[0]
    given, columns, fine = (objective, theta, gradient, curvature), np.arange(9), (5_000, 1e-26)
    rough = descend_model(*given, columns, (1, 0.0))
    lacks: list[float] = []

    def go_on(lack: float) -> tuple[int, float] | None:
        lacks.append(lack)
        return fine

    found = descend_model(*given, columns, (1, 0.0), go_on)
    assert lacks == [rough.lack]
    assert found.n_sweeps > 1
    np.testing.assert_allclose(found.target, descend_model(*given, columns, fine).target, atol=1e-9)
    kept = descend_model(*given, columns, (1, 0.0), lambda lack: None)
    np.testing.assert_array_equal(kept.target, rough.target)
    assert kept.n_sweeps == 1


def test_what_does_not_move_is_not_extrapolated() -> None:
    shares = column_model._extrapolation(np.ones((5, 3)))
    np.testing.assert_allclose(shares, 0.25)
