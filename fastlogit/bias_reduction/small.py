"""Firth's score over a small table of rows in memory: evaluations and profiles, each one call.

The same numbers as the passes of `scores.MeanScore`: of 1,000 rows of 50 columns these spend most
of their time between the passes, and intervals of all columns ask for hundreds of evaluations. Not
by BLAS: its threads take 11 to 13 times as long where other processes keep the cores busy.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np

from .. import threads
from ..arrays import Mask, Matrix, Vector
from ..design.base import readonly
from ..kernels.firth import FirthRows, Looked, evaluate_firth, third_order
from ..kernels.firth_profile import Goals, PeakNumbers, profile_points
from ..kernels.simd import LANES
from ..objective.objective import Objective
from .points import Point, RowNumbers

__all__ = ["Sides", "SmallRows"]

# Sides of goals, see `kernels.firth_profile.Goals`.
Sides: TypeAlias = np.ndarray[tuple[int, int], np.dtype[np.int64]]

# Numbers of a table: 2 MB.
MOST_NUMBERS = 2**18
# Serial time of a goal for a row and a pair of columns, about, in nanoseconds.
GOAL_NS = 0.1


class SmallRows:
    """Standardised rows with their 1, labels, weights and offset, in the columns that are fitted.

    Parameters
    ----------
    rows : FirthRows
    n_rows : int
    free : ndarray of bool, shape (size,)
        Which parameters the columns of the table are.
    n_threads : int or None
    """

    def __init__(self, rows: FirthRows, n_rows: int, free: Mask, n_threads: int | None) -> None:
        self._rows, self._n_rows, self._free = rows, n_rows, free
        self._n_threads = n_threads

    @classmethod
    def of(cls, objective: Objective) -> SmallRows | None:
        """Return the rows of an objective, where they are few and to be had at no cost."""
        design, rows = objective.design, objective.rows
        n_samples, n_features = design.shape
        if n_samples * (n_features + 1) > MOST_NUMBERS or not design.gives_rows_freely:
            return None
        center, inverse_scale = design.columns
        # Whole vectors, of an odd number, so that columns do not share the sets of the cache.
        height = (-(-n_samples // LANES) | 1) * LANES
        table = np.zeros((n_features + 1, height))
        for start, stop, block in design.row_blocks(n_samples):
            part = (np.asarray(block, np.float64) - center) * inverse_scale
            table[:-1, start:stop] = part.T
        table[-1, :n_samples] = 1.0
        free = objective.fitted()
        if not free.any():
            return None
        weights, offset = rows.weights_of(0), rows.offset_of(0)

        def filled(values: Vector | float) -> Vector:
            column = np.zeros(height)
            column[:n_samples] = values
            return readonly(column)

        own = FirthRows(
            readonly(np.ascontiguousarray(table[free])),
            filled(1.0 if weights is None else weights), filled(0.0 if offset is None else offset),
            filled((rows.codes_of(0) == rows.positive[0]).astype(np.float64)),
        )  # fmt: skip
        return cls(own, n_samples, free, design.n_threads)

    def at(self, theta: Vector) -> Point | None:
        """Return the point, its determinant on standardised columns; None where it is unclear."""
        free, rows = self._free, self._with_level(theta)
        n_free, height = rows.columns.shape
        out = Looked(
            np.empty((2, n_free)), np.empty((n_free, n_free)), np.empty((n_free, n_free)),
            np.empty(height), np.empty(height), np.empty(height), np.empty(height),
        )  # fmt: skip
        loss, penalty = evaluate_firth.serial(rows, self._n_rows, readonly(theta[free]), out)
        if not np.isfinite(penalty):
            return None
        gradient, information, root = np.zeros(free.size), out.information, out.root
        gradient[free] = out.slopes[0] + out.slopes[1]
        if n_free < free.size:
            information, root = self._filled(information), self._filled(root)
        return Point(
            theta, loss + penalty, gradient, information, root, -loss,
            RowNumbers(*(values[: self._n_rows] for values in out[3:])),
        )  # fmt: skip

    def knows(self, point: Point) -> bool:
        """Say whether a point is as `at` gives it, and not one at which passes looked closer."""
        root, free = point.root, self._free
        return not np.tril(root, -1).any() and bool((np.diag(root)[free] > 0.0).all())

    def third_order(self, factors: Vector, root: Matrix) -> Matrix:
        """Return the products of T with itself, summed over its last two indices, (size, size).

        T is the sum over the rows of ``factor x q q``, q = root' x, and root is upper triangular.
        """
        free = np.flatnonzero(self._free)
        own = np.ascontiguousarray(root[np.ix_(free, free)])
        padded = np.zeros(self._rows.weight.size)
        padded[: self._n_rows] = factors
        tensor, products = np.empty((free.size,) * 3), np.empty((free.size, free.size))
        third_order.serial(
            self._rows, self._n_rows, readonly(own), readonly(padded), tensor, products
        )
        back = np.linalg.inv(own)
        return self._filled(back.T @ products @ back)

    def profile(
        self, point: Point, beside: Matrix, functions: Matrix, sides: Sides, targets: Matrix
    ) -> tuple[Matrix, Matrix]:
        """Return values and costs of points of profiles, (n_functions, n_each); NaN if not reached.

        Parameters
        ----------
        point : Point
            Of the least cost.
        beside : ndarray of shape (size, size)
            What the Hessian has beside the information.
        functions : ndarray of shape (n_functions, size)
        sides, targets
            See `kernels.firth_profile.Goals`, costs as rises from that of `point`.
        """
        if not self.knows(point):
            return np.full(sides.shape, np.nan), np.full(sides.shape, np.nan)
        free, rows = self._free, self._with_level(point.theta)
        taken = np.ix_(free, free)
        information = point.information[taken]
        slope = rows.columns[:, : self._n_rows] @ (point.rows.leverages * point.rows.beyond)
        own = np.ascontiguousarray(beside[taken])
        # A parameter that is held is part of the offset: functions count from it.
        held = functions[:, ~free] @ point.theta[~free]
        is_held = sides == 0
        aims = np.where(is_held, targets - held[:, None], targets)
        goals = Goals(readonly(np.ascontiguousarray(functions[:, free])), readonly(sides),
                      readonly(aims))  # fmt: skip
        penalty = -float(np.log(1.0 / np.diag(point.root)[free]).sum())
        peak = PeakNumbers(
            readonly(point.theta[free]), -point.log_likelihood, penalty, readonly(slope),
            readonly(own), readonly(information + own),
        )  # fmt: skip
        values, costs = np.empty(sides.shape), np.empty(sides.shape)
        work_ns = GOAL_NS * sides.size * rows.columns.size * len(rows.columns)
        with threads.team(self._n_threads, work_ns) as parallel:
            profile_points.choose(parallel)(rows, self._n_rows, peak, goals, values, costs)
        return values + held[:, None], costs - (peak.loss + penalty)

    def _with_level(self, theta: Vector) -> FirthRows:
        """Return the rows, with an intercept that is not fitted as a part of the offset."""
        if self._free[-1] or not theta[-1]:
            return self._rows
        offset = np.array(self._rows.offset)
        offset[: self._n_rows] += theta[-1]
        return self._rows._replace(offset=readonly(offset))

    def _filled(self, matrix: Matrix) -> Matrix:
        """Return a matrix of the fitted parameters with zeros for the others."""
        whole = np.zeros((self._free.size, self._free.size))
        whole[np.ix_(self._free, self._free)] = matrix
        return whole
