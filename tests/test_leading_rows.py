"""Rows of largest curvature: their products plus a diagonal, inverted."""

import numpy as np
import pytest
from problems import objective_of, problem, sized

import fastlogit
from fastlogit.objective.row_state import RowCurvature
from fastlogit.solvers import choice, preconditioner
from fastlogit.solvers.preconditioner import LeadingHessians, n_leading

N_SAMPLES, N_FEATURES = sized(60, 12), sized(20, 5)


def test_the_rows_of_largest_curvature(rng) -> None:
    values = rng.exponential(size=50)
    values[[3, 7]] = values.max() + 1.0
    rows, curvatures = RowCurvature(values[None]).leading(10)
    np.testing.assert_array_equal(curvatures, values[rows])
    assert {3, 7} <= set(rows)
    assert curvatures.min() >= np.delete(values, rows).max()
    assert (np.diff(rows) > 0).all()


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_all_rows_are_the_hessian(fit_intercept, monkeypatch, rng) -> None:
    data = problem(N_SAMPLES, N_FEATURES)
    part = objective_of(data.X, data.y, data.weight, 0.3, fit_intercept=fit_intercept)
    monkeypatch.setattr(preconditioner, "n_leading", lambda _: N_SAMPLES)
    monkeypatch.setattr(preconditioner, "LEAST_SHARE", 1e-7 if fit_intercept else 0.0)
    theta = rng.normal(size=(1, N_FEATURES + 1)) * 0.3
    curvature = part.curvature(theta)
    made = LeadingHessians(part, curvature, np.array([0]))
    matrix = part.rows.hessian(curvature, 0)
    part.parameter_penalty.add_to(matrix, 0)
    vector = rng.normal(size=N_FEATURES + 1)
    vector[-1] *= fit_intercept
    found = made.solve(np.array([0]), (matrix @ vector)[None])[0]
    np.testing.assert_allclose(found, vector, rtol=0.0, atol=1e-5 if fit_intercept else 1e-10)


def test_it_is_symmetric_positive_definite_and_of_each_model(rng) -> None:
    data = problem(N_SAMPLES, N_FEATURES)
    two = objective_of(data.X, data.y, l2_reg=0.1, positive=(1, 0))
    theta = rng.normal(size=(2, N_FEATURES + 1))
    curvature = two.curvature(theta)
    both = LeadingHessians(two, curvature, np.array([0, 1]))
    second = LeadingHessians(two, curvature[[1]], np.array([1]))
    units = np.eye(N_FEATURES + 1)
    for model in (0, 1):
        matrix = np.array([both.solve(np.array([model]), row[None])[0] for row in units])
        np.testing.assert_allclose(matrix, matrix.T, rtol=1e-8, atol=1e-10)
        assert np.linalg.eigvalsh(matrix)[0] > 0.0
        if model == 1:
            alone = np.array([second.solve(np.array([1]), row[None])[0] for row in units])
            np.testing.assert_array_equal(matrix, alone)


def test_how_many_rows() -> None:
    data = problem(N_SAMPLES, N_FEATURES)
    assert n_leading(objective_of(data.X, data.y)) == N_SAMPLES // 4
    assert n_leading(objective_of(data.X[:2], data.y[:2])) == 1


@pytest.mark.jit
def test_columns_of_a_falling_spectrum_take_fewer_passes(monkeypatch) -> None:
    rng = np.random.default_rng(8)
    n_samples, n_features = 1200, 1100
    X = rng.standard_normal((n_samples, n_features))
    sizes = 30.0 * np.arange(1.0, 401.0) ** -0.7
    left = rng.standard_normal((n_samples, 400)) * sizes
    X += left @ rng.standard_normal((400, n_features)) / 20.0
    z = X @ rng.standard_normal(n_features)
    y = 2.0 * z / z.std() + rng.logistic(size=n_samples) > 0.0
    found = fastlogit.fit(X, y, C=1.0, tol=1e-8)
    monkeypatch.setattr(choice, "may_lead", lambda _: False)
    plain = fastlogit.fit(X, y, C=1.0, tol=1e-8)
    assert found.converged
    assert plain.converged
    assert found.n_passes < 0.7 * plain.n_passes
    np.testing.assert_allclose(found.history[-1], plain.history[-1], rtol=2e-8)
