"""Factors of Hessians: solves with them, and the part of them that the data identify."""

from __future__ import annotations

import numpy as np

from .. import threads
from ..arrays import Cube, Indices, Matrix
from ..design.base import readonly
from ..kernels.cholesky import (
    BACKWARD,
    FORWARD,
    WHOLE,
    factor,
    factor_each,
    factor_in_bands,
    solve,
    solve_each,
)

__all__ = ["Factor", "Factors"]

# Nanoseconds of a multiply-add of a factor, and of a solve.
FACTOR_NS, SOLVE_NS = 0.3, 0.6
# From so many rows on a matrix is factored in bands: 0.7 times as long at 400, half at 1,000, a
# third at 2,000 (one thread, in turns). What a multiply-add takes then.
IN_BANDS, BANDS_NS = 400, 0.05


class Factor:
    """Cholesky factor of a positive semidefinite matrix of shape (size, size).

    A column that the ones before it explain, up to the share `threshold` of its own size, is
    *dependent*: solutions are 0 there. So a Hessian of duplicated or constant columns has a factor
    too, and steps move the part of the coefficients that the data identify.

    Parameters
    ----------
    matrix : ndarray of shape (size, size)
    threshold : float
    n_threads : int or None
        See `threads.thread_count`; of use from `IN_BANDS` rows on.
    lower_out : ndarray of shape (size, size), optional
        Where the factor is put: also the matrix itself. A new array by default.

    Attributes
    ----------
    lower : ndarray of shape (size, size)
        The factor, with zeros above the diagonal.
    dependent : ndarray of bool, shape (size,)
    """

    def __init__(
        self, matrix: Matrix, threshold: float, n_threads: int | None = 1,
        lower_out: Matrix | None = None,
    ) -> None:  # fmt: skip
        self.lower = np.empty_like(matrix) if lower_out is None else lower_out
        size = len(matrix)
        if size < IN_BANDS:
            factor.serial(matrix, threshold, self.lower)
        else:
            with threads.team(n_threads, BANDS_NS * size**3 / 6.0) as parallel:
                factor_in_bands.choose(parallel)(matrix, threshold, self.lower)
        self.dependent = np.diag(self.lower) == 0.0

    def solve(self, right: Matrix) -> Matrix:
        """Return the solutions for right-hand sides in rows, shape (n_sides, size)."""
        solution = np.empty(right.shape)
        solve.serial(self.lower, readonly(np.ascontiguousarray(right)), WHOLE, solution)
        return solution

    def solve_transposed(self, right: Matrix) -> Matrix:
        """Return L'^-1 of each row."""
        solution = np.empty(right.shape)
        solve.serial(self.lower, readonly(np.ascontiguousarray(right)), BACKWARD, solution)
        return solution

    def half_solve(self, right: Matrix) -> Matrix:
        """Return L^-1 of each row: its sum of squares is the row's quadratic form."""
        solution = np.empty(right.shape)
        solve.serial(self.lower, readonly(np.ascontiguousarray(right)), FORWARD, solution)
        return solution


class Factors:
    """Cholesky factors of several matrices of one size, each as a `Factor`.

    Parameters
    ----------
    matrices : ndarray of shape (n_matrices, size, size)
        Overwritten.
    threshold : float
    n_threads : int or None
    """

    def __init__(self, matrices: Cube, threshold: float, n_threads: int | None) -> None:
        self._lower, self._n_threads = matrices, n_threads
        n_matrices, size, _ = matrices.shape
        with threads.team(n_threads, FACTOR_NS * n_matrices * size**3 / 3.0) as parallel:
            factor_each.choose(parallel)(matrices, threshold)

    def solve(self, which: Indices, sides: Matrix) -> Matrix:
        """Return solutions for `sides` (n_sides, size), with factor ``which[i]`` for the i-th."""
        right = readonly(np.ascontiguousarray(sides))
        solution = np.empty_like(right)
        work = SOLVE_NS * right.size * right.shape[1]
        with threads.team(self._n_threads, work) as parallel:
            solve_each.choose(parallel)(self._lower, readonly(which), right, solution)
        return solution
