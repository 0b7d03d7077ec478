"""The objective in plain NumPy, and its optimum: what every contestant is judged by.

Nothing here is fastlogit's: one function computes C * sum(loss) + |coef|^2 / 2, and Newton's method
on dense matrices finds the optimum, for row counts and shapes where that is affordable.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy import linalg

# Rows in a block: its temporaries stay below 64 MB.
BLOCK_ELEMENTS = 2**23
# Half the squared Newton decrement is what is left to gain, to first order.
DECREMENT = 1e-15
MAX_STEPS = 100
# From so many rows a feature on, the optimum of every tenth row is a start worth its time.
ROWS_PER_FEATURE = 50


def row_blocks(X: np.ndarray) -> list[slice]:
    """Slices that cut X into blocks of rows."""
    step = max(1, BLOCK_ELEMENTS // X.shape[1])
    return [slice(start, start + step) for start in range(0, X.shape[0], step)]


def objective_value(X: np.ndarray, y: np.ndarray, coef: Any, intercept: Any, C: float) -> float:
    """Return C * sum(log(1 + e^z) - y z) + |coef|^2 / 2, z = X @ coef + intercept, in float64.

    y in {0, 1} with coef (n_features,); or classes 0 to K - 1 with coef (n_features, K), which
    stands for the sum over the K problems of one class against the rest.
    """
    coefs = np.asarray(coef, dtype=np.float64).reshape(X.shape[1], -1)
    intercepts = np.ravel(np.asarray(intercept, dtype=np.float64))
    positive = np.arange(coefs.shape[1]) if coefs.shape[1] > 1 else np.array([1])
    sums = [0.5 * float(np.vdot(coefs, coefs))]
    for rows in row_blocks(X):
        z = X[rows].astype(np.float64, copy=False) @ coefs + intercepts
        own = y[rows, None] == positive
        loss = np.log1p(np.exp(-np.abs(z))) + np.where(own, np.maximum(-z, 0.0), np.maximum(z, 0.0))
        sums.append(C * float(loss.sum()))
    return math.fsum(sums)


def optimum(X: np.ndarray, y: np.ndarray, C: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the coefficients (n_features, n_models) and intercepts of the least objective."""
    classes = np.unique(y)
    positive = classes[1:] if classes.size == 2 else classes
    inner = X @ X.T if X.shape[1] > X.shape[0] else None
    found = [_binary_optimum(X, (y == label).astype(np.float64), C, inner) for label in positive]
    return np.stack([theta[:-1] for theta in found], axis=1), np.array([t[-1] for t in found])


def _binary_optimum(X: np.ndarray, target: np.ndarray, C: float, inner: Any) -> np.ndarray:
    """Newton's method with halved steps on (coef, intercept)."""
    n_samples, n_features = X.shape
    theta = np.zeros(n_features + 1)
    if n_samples > ROWS_PER_FEATURE * n_features and n_samples >= 10_000:
        theta = _binary_optimum(X[::10], target[::10], 10.0 * C, None)
    value = objective_value(X, target, theta[:-1], theta[-1], C)
    for _ in range(MAX_STEPS):
        gradient, curvature = _derivatives(X, target, theta, C)
        step = _newton_step(X, curvature, gradient, inner)
        decrement = float(gradient @ step)
        size = 1.0
        while True:
            trial = theta - size * step
            found = objective_value(X, target, trial[:-1], trial[-1], C)
            if found <= value or size < 1e-6:
                break
            size *= 0.5
        if found < value:
            theta, value = trial, found
        if decrement <= DECREMENT * value or size < 1e-6:
            return theta
    raise RuntimeError(f"no optimum after {MAX_STEPS} Newton steps")


def _derivatives(
    X: np.ndarray, target: np.ndarray, theta: np.ndarray, C: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the gradient, and C * proba (1 - proba) of each row."""
    gradient = np.append(theta[:-1], 0.0)
    curvature = np.empty(X.shape[0])
    for rows in row_blocks(X):
        z = X[rows] @ theta[:-1] + theta[-1]
        odds = np.exp(-np.abs(z))
        proba = np.where(z >= 0.0, 1.0, odds) / (1.0 + odds)
        residual = C * (proba - target[rows])
        curvature[rows] = C * odds / (1.0 + odds) ** 2
        gradient[:-1] += residual @ X[rows]
        gradient[-1] += residual.sum()
    return gradient, curvature


def _newton_step(
    X: np.ndarray, curvature: np.ndarray, gradient: np.ndarray, inner: Any
) -> np.ndarray:
    """Solve Hessian @ step = gradient, in the smaller of feature and row space."""
    border = np.zeros(X.shape[1])
    for rows in row_blocks(X):
        border += curvature[rows] @ X[rows]
    corner = curvature.sum()
    pair = np.column_stack([gradient[:-1], border])
    by_gradient, by_border = (
        _solve_by_features(X, curvature, pair)
        if inner is None
        else _solve_by_rows(X, curvature, pair, inner)
    ).T
    last = (gradient[-1] - border @ by_gradient) / (corner - border @ by_border)
    return np.append(by_gradient - last * by_border, last)


def _solve_by_features(X: np.ndarray, curvature: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Solve (I + X' D X) u = right."""
    hessian = np.eye(X.shape[1])
    for rows in row_blocks(X):
        half = X[rows] * np.sqrt(curvature[rows])[:, None]
        hessian += half.T @ half
    # Scaled to a unit diagonal: columns of very different size are no loss of digits then.
    scale = 1.0 / np.sqrt(np.diag(hessian))
    factor = linalg.cho_factor(hessian * scale * scale[:, None])
    return scale[:, None] * linalg.cho_solve(factor, scale[:, None] * right)


def _solve_by_rows(
    X: np.ndarray, curvature: np.ndarray, right: np.ndarray, inner: np.ndarray
) -> np.ndarray:
    """Solve (I + X' D X) u = right by Woodbury's formula, with inner = X X'."""
    root = np.sqrt(curvature)
    system = inner * root * root[:, None]
    system[np.diag_indices_from(system)] += 1.0
    middle = linalg.cho_solve(linalg.cho_factor(system), root[:, None] * (X @ right))
    return right - X.T @ (root[:, None] * middle)
