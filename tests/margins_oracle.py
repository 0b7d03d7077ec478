"""Averages of predictions and their derivatives by complex steps, from the formulas alone."""

from collections.abc import Callable
from typing import Any

import numpy as np

STEP = 1e-30


def with_ones(X: Any) -> Any:
    return np.column_stack([np.ones(len(X)), X])


def proba(Z: Any, parameters: Any, offset: Any = 0.0, reference: int | None = None) -> Any:
    """Probabilities (n,) of the second class; of more, with a reference, (n, n_classes)."""
    if reference is None:
        return 1.0 / (1.0 + np.exp(-(Z @ parameters + offset)))
    coef = parameters.reshape(-1, Z.shape[1])
    raw = np.insert(Z @ coef.T, reference, 0.0, axis=1) + offset
    powers = np.exp(raw)
    return powers / powers.sum(axis=1, keepdims=True)


def slope(Z: Any, parameters: Any, column: int, offset: Any = 0.0, **options: Any) -> Any:
    """Slopes of the probabilities by a column of X, in closed form (of complex parameters)."""
    p = proba(Z, parameters, offset, **options)
    if p.ndim == 1:
        return p * (1.0 - p) * parameters[column + 1]
    coef = np.insert(parameters.reshape(-1, Z.shape[1])[:, column + 1], options["reference"], 0.0)
    return p * (coef - (p * coef).sum(axis=1, keepdims=True))


def jacobian(of: Callable[[Any], Any], parameters: Any) -> Any:
    """Derivatives of an analytic function, exact to rounding: (*shape, n_parameters)."""
    columns = []
    for place in range(parameters.size):
        moved = parameters.astype(complex)
        moved[place] += 1j * STEP
        columns.append(np.imag(of(moved)) / STEP)
    return np.stack(columns, axis=-1)


def errors(of: Callable[[Any], Any], parameters: Any, covariance: Any) -> Any:
    J = jacobian(of, parameters)
    return np.sqrt(np.einsum("...i,ij,...j->...", J, covariance, J))
