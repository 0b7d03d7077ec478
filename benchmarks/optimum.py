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


def softmax_value(X: np.ndarray, y: np.ndarray, coef: Any, intercept: Any, C: float) -> float:
    """Return C * sum(logsumexp(z) - z of the own class) + |coef|^2 / 2, z = X @ coef + intercept.

    y holds classes 0 to K - 1, coef is (n_features, K).
    """
    coefs = np.asarray(coef, dtype=np.float64)
    sums = [0.5 * float(np.vdot(coefs, coefs))]
    for rows in row_blocks(X):
        z = X[rows] @ coefs + intercept
        z -= z[np.arange(len(z)), y[rows], None]
        top = z.max(axis=1)
        sums.append(C * float((top + np.log(np.exp(z - top[:, None]).sum(axis=1))).sum()))
    return math.fsum(sums)


def softmax_excess(X: np.ndarray, y: np.ndarray, coef: Any, intercept: Any, C: float) -> float:
    """Bound what the objective is above its least value, by the gradient alone.

    With the intercepts at their best for each `coef`, the objective is strongly convex in `coef`
    with modulus 1, so that it is at most |gradient|^2 / 2 above its least value. What the
    intercepts given here lack is half a squared Newton decrement, to first order.
    """
    z = X @ np.asarray(coef, dtype=np.float64) + intercept
    lacks = 0.0
    for _ in range(MAX_STEPS):
        proba = softmax(z)
        residual = C * proba
        residual[np.arange(len(y)), y] -= C
        level = residual.sum(axis=0)
        curvature = np.diag(C * proba.sum(axis=0)) - C * proba.T @ proba
        # Equal shifts of all classes change nothing, and the curvature does not see them.
        step = linalg.lstsq(curvature, level)[0]
        decrement = 0.5 * float(level @ step)
        if decrement <= DECREMENT * C * len(y):
            break
        lacks += decrement
        z -= step
    gradient = X.T @ residual + coef
    return lacks + 0.5 * float(np.vdot(gradient, gradient))


def softmax(z: np.ndarray) -> np.ndarray:
    """Return the probabilities of the classes, row by row."""
    odds = np.exp(z - z.max(axis=1, keepdims=True))
    return odds / odds.sum(axis=1, keepdims=True)


def softmax_optimum(
    X: np.ndarray, y: np.ndarray, C: float, start: tuple[Any, Any] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return coefficients (n_features, K) and intercepts of the least objective of a small problem.

    Newton's method with halved steps and a Hessian of all classes' coefficients together. From a
    start at the optimum it takes one step, which proves it.
    """
    n_samples, n_features = X.shape
    n_classes = int(y.max()) + 1
    rows = np.column_stack([X, np.ones(n_samples)])
    penalty = np.append(np.ones(n_features), 0.0)[:, None]
    theta = np.zeros((n_features + 1, n_classes)) if start is None else np.vstack(start)
    value = softmax_value(X, y, theta[:-1], theta[-1], C)
    for _ in range(MAX_STEPS):
        proba = softmax(rows @ theta)
        residual = C * proba
        residual[np.arange(n_samples), y] -= C
        gradient = rows.T @ residual + penalty * theta
        hessian = _softmax_hessian(rows, proba, C)
        step = linalg.solve(hessian, gradient.T.ravel(), assume_a="pos").reshape(n_classes, -1).T
        decrement, size = float(np.vdot(gradient, step)), 1.0
        while True:
            trial = theta - size * step
            found = softmax_value(X, y, trial[:-1], trial[-1], C)
            if found <= value or size < 1e-6:
                break
            size *= 0.5
        if found < value:
            theta, value = trial, found
        if decrement <= DECREMENT * value or size < 1e-6:
            return theta[:-1], theta[-1]
    raise RuntimeError(f"no optimum after {MAX_STEPS} Newton steps")


def _softmax_hessian(rows: np.ndarray, proba: np.ndarray, C: float) -> np.ndarray:
    """Return the Hessian, class after class; rows end with a 1, which is not penalised."""
    n_samples, width = rows.shape
    n_classes = proba.shape[1]
    hessian = np.empty((n_classes, width, n_classes, width))
    for one in range(n_classes):
        for other in range(one + 1):
            weights = C * proba[:, one] * ((one == other) - proba[:, other])
            block = (rows * weights[:, None]).T @ rows
            hessian[one, :, other], hessian[other, :, one] = block, block.T
        hessian[one, np.arange(width - 1), one, np.arange(width - 1)] += 1.0
    # Equal shifts of all intercepts change nothing: this makes them cost something.
    hessian[:, -1, :, -1] += C * n_samples / n_classes
    return hessian.reshape(n_classes * width, -1)
