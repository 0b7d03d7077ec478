"""Columns of one model that are worked on together, with their Gram matrix: more come, none goes.

What `working_set` does over a copy of the rows, but column by column, so that columns that come
cost their own products alone, and the Hessian of one point serves others that have more columns.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..arrays import Indices, Matrix, Vector
from ..design.base import at_line, readonly
from ..kernels.column_descent import SomeColumns
from ..kernels.working_columns import look_at_rows, predict, products, room_of_gram, widen_gram
from .objective import Objective

__all__ = ["RowsThere", "WorkingColumns"]

# Room for columns at the start, and how much more there is each time that it is too small.
ROOM, GROWTH = 64, 1.5
# Nanoseconds of a product of two values.
PRODUCT_NS = 0.5


class RowsThere(NamedTuple):
    """What the rows say of a point, each times its share of the weight, but the mean loss.

    Attributes
    ----------
    loss : float
    residual, curvature : ndarray of shape (n_samples,)
    """

    loss: float
    residual: Vector
    curvature: Vector


class WorkingColumns:
    """Some columns, in the order in which they came.

    Parameters
    ----------
    one : Objective
        Of one model of two classes, whose design gives its columns.
    columns : ndarray of int

    Attributes
    ----------
    indices : ndarray of int
    """

    def __init__(self, one: Objective, columns: Indices) -> None:
        self._design, self._has_intercept = one.design, one.fit_intercept
        self._table = readonly(one.rows.table())
        self.indices = np.empty(0, dtype=np.int64)
        self._weights: Vector | None = None
        self._hessian: Matrix | None = None
        self._n_known, self._gram, self._levels = 0, np.empty((0, 0)), np.empty(0)
        self.add(columns)

    def __len__(self) -> int:
        return self.indices.size

    def add(self, columns: Indices) -> None:
        """Take more columns, which are not among these."""
        self.indices = np.append(self.indices, columns)
        self._columns, self._middles = self._design.some_columns(self.indices)

    @property
    def n_values(self) -> int:
        """How many values the columns have."""
        return int((self._columns.ends - self._columns.begins).sum())

    def some(self, places: Indices) -> tuple[SomeColumns, Vector]:
        """Return the columns at some places of `indices`, and what centring takes off each."""
        own = self._columns
        begins, ends, scale = (part[places] for part in (own.begins, own.ends, own.scale))
        return SomeColumns(own.data, own.rows, begins, ends, scale), self._middles[places]

    def measures_of(self, some: SomeColumns, weights: Vector) -> tuple[Vector, Vector]:
        """Return sums of the values of columns, and of squares, each row times its weight."""
        return self._design.measures_of(some, readonly(weights))

    def predictions(self, theta: Vector) -> Vector:
        """Return the raw predictions of parameters, the intercept last, without offset."""
        raw = np.empty(self._table.shape[1])
        predict.serial(self._columns, self._middles, theta[:-1], float(theta[-1]), raw)
        return raw

    def rows_at(self, theta: Vector) -> RowsThere:
        """Return what the rows say of parameters, the intercept last."""
        residual, curvature, cost = np.empty((3, self._table.shape[1]))
        look_at_rows.serial(self.predictions(theta), self._table, residual, curvature, cost)
        return RowsThere(float(cost.sum()), residual, curvature)

    def slopes(self, vector: Vector) -> Vector:
        """Return X' v of numbers of the rows, and their sum where there is an intercept."""
        return self.slopes_of(self._columns, self._middles, vector)

    def slopes_of(self, some: SomeColumns, middles: Vector, vector: Vector) -> Vector:
        """Return the same of some columns."""
        found, level = np.empty(middles.size + 1), float(vector.sum())
        products.serial(some, middles, vector, level, found[:-1])
        found[-1] = level if self._has_intercept else 0.0
        return found

    # ---- the Hessian of the mean loss

    @property
    def curvature(self) -> Vector | None:
        """Row curvatures that the Hessian was made of; None before."""
        return self._weights

    def look(self, curvature: Vector) -> None:
        """Take the row curvatures of another point for the Hessian."""
        self._weights, self._n_known, self._hessian = readonly(curvature), 0, None

    def hessian(self) -> Matrix:
        """Return the Hessian, the intercept's row last; columns that have come since are added."""
        assert self._weights is not None
        size = len(self)
        if self._hessian is not None and len(self._hessian) == size + 1:
            return self._hessian
        if self._n_known < size:
            self._widen(size)
        matrix = np.zeros((size + 1, size + 1))
        matrix[:-1, :-1] = self._gram[:size, :size]
        if self._has_intercept:
            matrix[-1, :-1] = matrix[:-1, -1] = self._levels[:size]
            matrix[-1, -1] = float(self._weights.sum())
        self._hessian = matrix
        return matrix

    def _widen(self, size: int) -> None:
        assert self._weights is not None
        products_each = 0.5 * (size - self._n_known) * self.n_values
        self._design.counter.check(1e-9 * PRODUCT_NS * products_each)
        if size > len(self._gram):
            room, known = max(ROOM, int(GROWTH * size)), slice(self._n_known)
            gram, levels = np.empty((room, room)), np.empty(room)
            gram[known, known], levels[known] = self._gram[known, known], self._levels[known]
            self._gram, self._levels = gram, levels
        room_of_rows = at_line(room_of_gram(self._weights.size))
        widen_gram.serial(
            self._columns, self._middles, self._weights, self._n_known, room_of_rows,
            self._levels, self._gram,
        )  # fmt: skip
        self._n_known = size
