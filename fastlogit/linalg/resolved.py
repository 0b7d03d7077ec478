"""Hessians of collinear and nearly collinear columns, in directions that floating point resolves.

A Gram matrix holds squares. Of a direction v along which the rows differ by a share e of what the
columns do it keeps e^2 plus rounding errors of about 1e-16: with e = 1e-8 nothing is left. A
product of the Hessian with v keeps e itself. So the columns that a Cholesky factor finds dependent
on those before are replaced by what is left of them, ``v = e_j - (its regression on the others)``,
scaled to length 1 in the norm of the Hessian, and their part of the matrix is made anew from
products. Where that is all rounding error too, the direction is *null* if the values of X say so
exactly (a duplicate, a full set of indicator columns, a constant column), and else *unresolved*:
nobody can tell how much the cost would fall along it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from ..arrays import Indices, Mask, Matrix, Vector
from ..design.dense import DenseDesign
from .factors import Factor

__all__ = ["DEPENDENT", "EPS", "ResolvedHessian", "errors_of_sums"]

EPS = float(np.finfo(np.float64).eps)
# A pivot below this share of a column's curvature holds too many rounding errors of the matrix.
DEPENDENT = 1e-11
# Rounding errors of a sum over rows, in units of EPS and of the root of the sum of squares or of
# absolute values: so many, and those of a random walk over a chunk (Higham and Mary, 2019, SIAM
# Journal on Scientific Computing 41), of which there are so many.
ERRORS, WALK, CHUNKS = 8.0, 2.0, 64
# A pivot of such a part of the matrix is at least so many times its rounding errors.
CLEAR = 10.0
# A direction is resolved where its rounding errors are at most this share of its length.
RESOLVED = 0.05
# Columns that depend on dependent ones are taken apart in so many rounds.
ROUNDS = 6
# Random signs whose mean estimates a trace, and by how much the estimate is raised.
PROBES, RAISED = 16, 4.0

# Takes directions in rows (n_directions, n_parameters); returns the Hessian times each.
Product = Callable[[Matrix], Matrix]
# Says of a direction whether nothing changes along it.
IsNull = Callable[[Vector], bool]


def errors_of_sums(n_samples: int) -> float:
    """Return about how far a sum over the rows errs, in units of EPS."""
    return ERRORS + WALK * float(np.sqrt(n_samples / CHUNKS))


class ResolvedHessian:
    """A Hessian that is positive semidefinite, factored in the directions that it resolves.

    Parameters
    ----------
    matrix : ndarray of shape (size, size)
    product : callable, optional
        The Hessian times directions, from the rows. Without it nothing better than `matrix` can be
        had.
    is_null : callable, optional
        Says of a direction whether nothing changes along it.
    fixed : ndarray of bool, shape (size,), optional
        Parameters that are not fitted.
    n_samples : int, optional
        Rows that the matrix is a sum over.

    Attributes
    ----------
    unresolved : ndarray of int
        Parameters whose direction may hide what rounding errors cover.
    """

    def __init__(
        self,
        matrix: Matrix,
        product: Product | None = None,
        is_null: IsNull | None = None,
        fixed: Mask | None = None,
        n_samples: int = 1,
    ) -> None:
        self._errors = EPS * errors_of_sums(n_samples)
        self.size = len(matrix)
        self.unresolved = np.empty(0, dtype=np.int64)
        # Directions in rows; None for those of the parameters themselves.
        self._vectors: Matrix | None = None
        self._noise = 0.0
        self._inverse_size: float | None = None
        self._excess: float | None = None
        self.factor = Factor(matrix, DEPENDENT)
        self._diagonal = np.diag(matrix).copy()
        dependent = self.factor.dependent
        if fixed is not None:
            dependent = dependent & ~fixed
        if dependent.any():
            self._resolve(matrix, np.flatnonzero(dependent), product, is_null)

    def _resolve(
        self, matrix: Matrix, dependent: Indices, product: Product | None, is_null: IsNull | None
    ) -> None:
        unresolved: list[int] = []
        lengths = np.sqrt(np.maximum(self._diagonal, 0.0))
        origin, vectors = np.arange(self.size), np.eye(self.size)
        noise = np.zeros(self.size)
        for _ in range(ROUNDS):
            fresh: list[tuple[Vector, Vector]] = []
            of: list[int] = []
            for place in dependent:
                share = self.factor.solve(matrix[place][None])[0]
                direction = vectors[place] - share @ vectors
                if is_null is not None and is_null(direction):
                    continue
                scaled = self._scaled(direction, product, lengths)
                if scaled is None:
                    unresolved.append(int(origin[place]))
                    continue
                fresh.append(scaled)
                of.append(int(origin[place]))
            if not fresh:
                break
            kept = np.flatnonzero(~self.factor.dependent)
            new = np.array([direction for direction, _ in fresh])
            products = np.array([times for _, times in fresh])
            old, vectors = vectors[kept], np.concatenate([vectors[kept], new])
            origin = np.concatenate([origin[kept], np.array(of)])
            noise = np.concatenate([noise[kept], self._errors * (np.abs(new) @ lengths)])
            cross, own = products @ old.T, products @ new.T
            matrix = np.block([[matrix[np.ix_(kept, kept)], cross.T], [cross, 0.5 * (own + own.T)]])
            # What a pivot says has to stand out from the errors of the products.
            threshold = max(DEPENDENT, CLEAR * float(noise.max()))
            self._vectors, self.factor = vectors, Factor(matrix, threshold)
            self._diagonal = np.diag(matrix).copy()
            dependent = np.flatnonzero(self.factor.dependent)
            if not dependent.size:
                break
        else:
            unresolved += [int(origin[place]) for place in dependent]
        # The directions of the parameters are as exact as the matrix, those that are new not.
        self._noise = float(np.linalg.norm(noise))
        self.unresolved = np.unique(np.array(unresolved, dtype=np.int64))

    def _scaled(
        self, direction: Vector, product: Product | None, lengths: Vector
    ) -> tuple[Vector, Vector] | None:
        """Return a direction of length 1 and the Hessian times it; None if that is all noise."""
        if product is None:
            return None
        times = product(direction[None])[0]
        square = float(direction @ times)
        noise = self._errors * float(np.abs(direction) @ lengths)
        if not square > (noise / RESOLVED) * (noise / RESOLVED):
            return None
        length = np.sqrt(square)
        return direction / length, times / length

    def _coordinates(self, vectors: Matrix) -> Matrix:
        return vectors if self._vectors is None else vectors @ self._vectors.T

    def half_solve(self, vectors: Matrix) -> Matrix:
        """Return rows whose sums of squares are g' M^-1 g, for each g in rows."""
        return self.factor.half_solve(self._coordinates(vectors))

    def solve(self, vectors: Matrix) -> Matrix:
        """Return M^-1 of each row; 0 along null and unresolved directions."""
        solved = self.factor.solve(self._coordinates(vectors))
        return solved if self._vectors is None else solved @ self._vectors

    def inverse_root(self) -> Matrix:
        """Return W, (size, rank or more), with W W' = M^-1: a row of it for each parameter."""
        return self.half_solve(np.eye(self.size))

    def inverse_scales(self, n_threads: int | None) -> tuple[Vector, float]:
        """Return scales (size,) and a factor: x' M^-1 x is at most the factor times |scales x|^2.

        With the diagonal of M^-1 as squares of the scales it is C, of unit diagonal, that is left,
        and its largest eigenvalue is at most its largest sum of sizes in a row, or the root of its
        sum of squares.
        """
        root = self.inverse_root()
        scales = np.sqrt(np.square(root).sum(axis=1))
        unit = np.divide(root, scales[:, None], out=np.zeros_like(root), where=scales[:, None] > 0)
        # Not by BLAS, whose bits change with its threads.
        rows = DenseDesign(np.ascontiguousarray(unit.T), n_threads=n_threads)
        sizes = np.abs(rows.gram(np.ones(len(unit.T)))[:-1, :-1])
        return scales, float(min(sizes.sum(axis=1).max(), np.sqrt(np.square(sizes).sum())))

    def inverse_size(self) -> float:
        """Return about the trace of M^-1, rather above than below it."""
        if self._inverse_size is None:
            signs = _signs(self.size)
            with np.errstate(over="ignore"):  # infinite: bounds of it say nothing then
                squares = np.square(self.half_solve(signs))
                self._inverse_size = RAISED * float(squares.sum() / len(signs))
        return self._inverse_size

    def excess(self) -> float:
        """Return by what factor rounding errors of M may make g' M^-1 g too small; inf if any."""
        if self._excess is None:
            # In units in which the diagonal is 1 each entry errs by about as much.
            scaled = _signs(len(self._diagonal)) * np.sqrt(np.maximum(self._diagonal, 0.0))
            trace = RAISED * float(np.square(self.factor.half_solve(scaled)).sum() / len(scaled))
            error = (self._errors + 2.0 * self._noise) * trace
            self._excess = 1.0 / (1.0 - error) if error < 0.5 else np.inf
        return self._excess


@lru_cache(maxsize=8)
def _signs(size: int) -> Matrix:
    """Return rows of random signs, always the same: to draw them takes as long as a factor."""
    signs = np.random.default_rng(0).choice([-1.0, 1.0], size=(min(PROBES, 4 * size), size))
    signs.flags.writeable = False
    return signs
