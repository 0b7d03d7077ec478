"""The factor of a Hessian: solves with it, and the part of it that the data identify."""

from __future__ import annotations

from typing import Any

import numpy as np

from .design.dense import readonly
from .kernels.cholesky import FORWARD, WHOLE, factor, solve

__all__ = ["Factor"]


class Factor:
    """Cholesky factor of a positive semidefinite matrix of shape (size, size).

    A column that the ones before it explain, up to the share `threshold` of its own size, is
    *dependent*: solutions are 0 there. So a Hessian of duplicated or constant columns has a factor
    too, and steps move the part of the coefficients that the data identify.

    Attributes
    ----------
    dependent : ndarray of bool, shape (size,)
    """

    def __init__(self, matrix: Any, threshold: float) -> None:
        self.lower = np.empty_like(matrix)
        factor.serial(matrix, threshold, self.lower)
        self.dependent = np.diag(self.lower) == 0.0

    def solve(self, right: Any) -> Any:
        """Return the solutions for right-hand sides in rows, shape (n_sides, size)."""
        solution = np.empty(right.shape)
        solve.serial(self.lower, readonly(np.ascontiguousarray(right)), WHOLE, solution)
        return solution

    def half_solve(self, right: Any) -> Any:
        """Return L^-1 of each row: its sum of squares is the row's quadratic form."""
        solution = np.empty(right.shape)
        solve.serial(self.lower, readonly(np.ascontiguousarray(right)), FORWARD, solution)
        return solution
