"""Sparse columns weighed for a quadratic model, and coordinate descent over them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import numpy as np

from ..arrays import Vector
from ..kernels.column_descent import SomeColumns
from ..kernels.weighed_columns import WeighedColumns, descend_weighed, weigh_columns
from .base import readonly

__all__ = ["Weighed"]

# Serial nanoseconds of a value that is weighed; parts of the columns for threads.
WEIGH_NS, PARTS = 2.0, 16


class Weighed:
    """Some sparse columns, each row times the root of its weight, and what sweeps move.

    Parameters
    ----------
    some : SomeColumns
        Sparse ones.
    weights : ndarray of shape (n_samples,)
    middles : ndarray of shape (n_columns,)
        What centring takes off each.
    team : callable
        Takes nanoseconds of serial work; returns the threads for it.

    Attributes
    ----------
    middles : ndarray of shape (n_columns,)
    measures : (ndarray, ndarray) of shape (n_columns,)
        Sums of the columns' values, and of squares, each row times its weight.
    state : ndarray of shape (n_samples,)
        The columns, as they are weighed, times what coefficients have moved.
    n_values : int
    """

    def __init__(
        self, some: SomeColumns, weights: Vector, middles: Vector,
        team: Callable[[float], AbstractContextManager[bool]],
    ) -> None:  # fmt: skip
        firsts = np.concatenate([[0], np.cumsum(some.ends - some.begins)])
        marks = np.linspace(0, firsts[-1], PARTS + 1)[1:-1]
        bounds = np.concatenate([[0], np.searchsorted(firsts[1:], marks), [some.begins.size]])
        self._roots, values = readonly(np.sqrt(weights)), np.empty(firsts[-1], dtype=np.float32)
        levels, squares = np.empty(some.begins.size), np.empty(some.begins.size)
        with team(WEIGH_NS * values.size) as parallel:
            weigh_columns.choose(parallel)(
                some, self._roots, readonly(bounds), readonly(firsts), values, levels, squares
            )
        self._columns = WeighedColumns(
            readonly(values), readonly(firsts), some.rows, some.begins, some.ends
        )
        self.middles, self.n_values = middles, values.size
        self.measures, self.state = (levels, squares), np.zeros(weights.size)

    def sweep(
        self, strengths: tuple[Vector, Vector], slopes: Vector, of_intercept: tuple[float, float],
        ends: tuple[int, float, float], start: Vector, coef: Vector,
    ) -> tuple[int, float, float, float]:  # fmt: skip
        """Do what `descend_columns` does, over these columns and their state."""
        found: tuple[int, float, float, float] = descend_weighed.serial(
            self._columns, self.measures, strengths, slopes, of_intercept, ends, start, coef,
            self.state,
        )  # fmt: skip
        return found

    def squared(self, level: float) -> float:
        """Return the sum of squares of what has moved, with the intercept's level beside it."""
        of_rows = level * self._roots
        of_rows += self.state
        np.square(of_rows, out=of_rows)
        return float(of_rows.sum())
