"""A bound on the largest eigenvalue of a matrix that is known by its products."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..arrays import Vector

__all__ = ["largest_eigenvalue"]

STEPS = 12


def largest_eigenvalue(product: Callable[[Vector], Vector], size: int) -> float:
    """Return a bound on the largest eigenvalue of a positive semidefinite matrix.

    Lanczos steps from a seeded start; the largest Ritz value plus the last residual bounds the
    spectrum (Zhou and Li, 2011, Linear Algebra and its Applications 435). At most 12 products.
    Infinite where they overflow.
    """
    basis = [_unit(np.random.default_rng(0).standard_normal(size))]
    diagonal: list[float] = []
    off_diagonal: list[float] = []
    while True:
        image = product(basis[-1])
        diagonal.append(float(basis[-1] @ image))
        for vector in basis + basis:  # twice: orthogonal to the last digit
            image -= (vector @ image) * vector
        residual = float(np.linalg.norm(image))
        if not np.isfinite(residual):
            return np.inf
        if len(basis) == min(size, STEPS) or residual <= 1e-12 * abs(diagonal[0]):
            break
        basis.append(image / residual)
        off_diagonal.append(residual)
    ritz = np.diag(diagonal) + np.diag(off_diagonal, 1) + np.diag(off_diagonal, -1)
    bound = float(np.linalg.eigvalsh(ritz)[-1])
    return bound if len(basis) == size else bound + residual


def _unit(vector: Vector) -> Vector:
    return vector / np.linalg.norm(vector)
