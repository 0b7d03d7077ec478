"""Checks of the timed answers against the NumPy oracle `fastlogit.reference`."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastlogit import reference

from .optimum import (
    objective_value,
    optimum,
    row_blocks,
    softmax,
    softmax_excess,
    softmax_value,
)
from .problems import Problem

# Errors allowed on top of rounding the input: sums are long, elementwise results are not.
ELEMENT_RTOL = {"float64": 1e-14, "float32": 1e-6}
SUM_TOLERANCE = 1e-9


def element_input(name: str, size: int, dtype: str) -> np.ndarray:
    """Draw arguments where the function called `name` does its usual work."""
    rng = np.random.default_rng(1)
    values = rng.random(size) if name == "logit" else 3.0 * rng.standard_normal(size)
    return values.astype(dtype)


def check_elements(name: str, argument: np.ndarray, found: np.ndarray) -> None:
    """Compare an elementwise result with the oracle's."""
    dtype = str(argument.dtype)
    assert found.dtype == dtype
    expected = getattr(reference, name)(argument.astype(np.float64))
    # logit(0.5) = 0: the oracle itself is only this near to it.
    np.testing.assert_allclose(found, expected, rtol=ELEMENT_RTOL[dtype], atol=1e-15)


def check_read(X: np.ndarray, found: float) -> None:
    """Compare the sum over X; X holds numbers of size 1."""
    assert abs(found - X.sum(dtype=np.float64)) <= 1e-12 * X.size


def check_cost_gradient(problem: Problem, found: tuple[float, np.ndarray, float]) -> None:
    """Compare cost and gradient at the problem's point."""
    expected = reference.cost_gradient(problem.X, problem.y, problem.coef, problem.intercept)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=SUM_TOLERANCE, atol=SUM_TOLERANCE)


def check_descent(
    problem: Problem, step_size: float, n_iter: int, found: Any, momentum: str = "none"
) -> None:
    """Compare the point that `n_iter` steps lead to."""
    coef, intercept, _ = reference.gradient_descent(
        problem.X, problem.y, step_size, n_iter, momentum=momentum
    )
    assert found.n_iter == n_iter
    np.testing.assert_allclose(found.coef, coef, rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(found.intercept, intercept, rtol=1e-8, atol=1e-8)


def check_raw_prediction(problem: Problem, fitted: Any, found: np.ndarray) -> None:
    """Compare the raw prediction of a two-class fit."""
    expected = reference.raw_prediction(problem.X, fitted.coef, fitted.intercept)
    np.testing.assert_allclose(found, expected, rtol=SUM_TOLERANCE, atol=SUM_TOLERANCE)


def check_proba(X: np.ndarray, coef: np.ndarray, intercept: np.ndarray, found: np.ndarray) -> None:
    """Compare probabilities of classes with those of coefficients (n_models, n_features)."""
    for rows in row_blocks(X):
        raw = X[rows] @ coef.T + intercept
        if len(coef) == 1:
            raw = np.column_stack([np.zeros(len(raw)), raw])
        np.testing.assert_allclose(found[rows], softmax(raw), rtol=SUM_TOLERANCE, atol=1e-14)


def check_one_vs_all(
    X: np.ndarray, codes: np.ndarray, step_size: float, n_iter: int, found: Any
) -> None:
    """Compare the coefficients of all classes after `n_iter` steps."""
    expected = reference.one_vs_all(X, codes, len(found.classes), step_size, n_iter)
    np.testing.assert_allclose(found.coef, expected[0], rtol=1e-8, atol=1e-8)


def check_optimum(problem: Problem, fitted: Any, l2_reg: float, gradient_limit: float) -> None:
    """Check by the oracle's gradient that a certified two-class fit is at the optimum."""
    assert fitted.converged, fitted.message
    assert fitted.suboptimality <= 1e-12
    _, gradient, intercept_gradient = reference.cost_gradient(
        problem.X, problem.y, fitted.coef, fitted.intercept, l2_reg
    )
    assert max(np.abs(gradient).max(), abs(intercept_gradient)) <= gradient_limit


def check_softmax(X: np.ndarray, codes: np.ndarray, fitted: Any, C: float, rtol: float) -> None:
    """Check that no other point of a softmax's objective is better by more than `rtol`."""
    assert fitted.converged, fitted.message
    point = fitted.coef, fitted.intercept
    assert softmax_excess(X, codes, *point, C) <= rtol * softmax_value(X, codes, *point, C)


def check_folds(X: np.ndarray, y: np.ndarray, fitted: Any, rtol: float) -> None:
    """Check two-class fits of the first fold, the last fit and the mean score of the C chosen."""
    # Here, since asv starts a process for every case, and scikit-learn takes most of a start.
    from sklearn.model_selection import StratifiedKFold

    splits = list(StratifiedKFold(5).split(X, y))
    train = splits[0][0]
    paths, scores = fitted.coefs_paths_[:, 0, :, 0], fitted.scores_[:, 0]
    for C, point in zip(fitted.Cs_, paths[0], strict=True):
        _check_objective(X[train], y[train], point, C, rtol)
    _check_objective(X, y, np.append(fitted.coef_[0], fitted.intercept_), fitted.C_, rtol)
    right = [
        np.mean((X[test] @ point[:, :-1].T + point[:, -1] > 0.0) == y[test, None], axis=0)
        for point, (_, test) in zip(paths, splits, strict=True)
    ]
    np.testing.assert_allclose(scores, right, atol=1e-12)
    assert fitted.C_ == fitted.Cs_[scores.mean(axis=0).argmax()]


def _check_objective(X: np.ndarray, y: np.ndarray, point: Any, C: float, rtol: float) -> None:
    least = objective_value(X, y, *optimum(X, y, C), C)
    assert objective_value(X, y, point[:-1], point[-1], C) <= least * (1.0 + rtol)


def check_cost_reached(problem: Problem, fitted: Any) -> None:
    """Check that the cost which an unfinished fit reports is that of its point, and has fallen."""
    found = reference.cost(problem.X, problem.y, fitted.coef, fitted.intercept)
    np.testing.assert_allclose(found, fitted.history[-1], rtol=SUM_TOLERANCE)
    assert found < fitted.history[0]
