"""What the formulas share: shares of rows, raw predictions, solving for scaled unknowns."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
# A cost that grows by less than this, relative to itself, has only been rounded.
ROUNDING = 1e-13


def raw_prediction(X: ArrayLike, coef: ArrayLike, intercept: ArrayLike) -> Any:
    """Return z = X coef + intercept.

    Parameters
    ----------
    X : array_like of shape (n_samples, n_features)
    coef : array_like of shape (n_features,) or (n_features, n_classes)
    intercept : float, or array_like of shape (n_classes,)

    Returns
    -------
    numpy.ndarray of shape (n_samples,) or (n_samples, n_classes), float64
    """
    coef = np.asarray(coef, dtype=np.float64)
    return np.asarray(X, dtype=np.float64) @ coef + np.asarray(intercept, dtype=np.float64)


def class_prediction(
    X: Floats, coef: ArrayLike, intercept: ArrayLike, offset: ArrayLike | None
) -> Any:
    """Return the raw predictions of the classes, (n_samples, n_classes)."""
    fixed = 0.0 if offset is None else np.asarray(offset, dtype=np.float64)
    return raw_prediction(X, coef, intercept) + fixed


def shares_of(n_samples: int, sample_weight: ArrayLike | None) -> Floats:
    """Each row's part of the mean; they sum to 1."""
    if sample_weight is None:
        return np.full(n_samples, 1.0 / n_samples)
    weight = np.asarray(sample_weight, dtype=np.float64)
    return np.asarray(weight / weight.sum())


def solve(matrix: Floats, right: Floats) -> Floats:
    """Solve for the scaled unknowns, whose matrix has ones in its diagonal, by least squares."""
    diagonal = np.diag(matrix)
    scale = np.where(diagonal > 0.0, 1.0 / np.sqrt(np.where(diagonal > 0.0, diagonal, 1.0)), 0.0)
    scaled = matrix * scale[:, None] * scale
    return np.asarray(scale * np.linalg.lstsq(scaled, scale * right, rcond=1e-13)[0])
