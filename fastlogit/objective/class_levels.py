"""What all classes of a softmax share: it changes no prediction, and L1 and L2 decide it."""

from __future__ import annotations

import numpy as np

from ..arrays import Matrix, Vector
from .penalties import Bounds

__all__ = ["least_shifts"]


def least_shifts(coef: Matrix, l1: Vector, l2: Vector, bounds: Bounds | None = None) -> Vector:
    """Return what to take from all classes of each column so that the penalty is least.

    Within the bounds, between which the coefficients are to be.

    Of several the one nearest to the mean of the classes that makes a coefficient 0; the mean
    itself where there is no L1. Coefficients have shape (n_classes, n_features), strengths and
    shifts (n_features,).

    The least of ``sum(l1 |w_k - c| + l2 (w_k - c)^2 / 2)`` over c is the median of all w_k and of
    the K + 1 points ``mean(w) + (K - 2 m) l1 / (K l2)`` (Li and Osher, 2009, Inverse Problems and
    Imaging 3).
    """
    n_classes = len(coef)
    means = coef.mean(axis=0)
    ordered = np.sort(coef, axis=0)
    low, high = ordered[(n_classes - 1) // 2], ordered[n_classes // 2]
    nearest = np.where(np.abs(means - low) <= np.abs(high - means), low, high)
    steps = (n_classes - 2.0 * np.arange(n_classes + 1)) / n_classes
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        points = means + steps[:, None] * (l1 / l2)
        both = np.median(np.concatenate([coef, points]), axis=0)
    shifts = np.where(l2 > 0.0, both, nearest)
    least = np.where(l1 > 0.0, shifts, means)
    if bounds is None:
        return least
    # The penalty is convex along the shift: what is nearest to its minimum is the best within.
    return np.clip(
        least,
        np.minimum(ordered[-1] - bounds.upper, 0.0),
        np.maximum(ordered[0] - bounds.lower, 0.0),
    )
