"""Coordinate descent on a quadratic function plus L1, straight over the columns of X.

The Hessian is Z' Z for columns Z that are weighted by the roots of row curvatures. A step of a
coordinate asks for one product of its column with the rows' state, and moves that state by a
multiple of the column (Friedman, Hastie and Tibshirani, 2010, Journal of Statistical Software 33:
naive updates). No matrix is made: a sweep reads the columns once or twice. The intercept is at its
own minimum all the time: a coordinate moves along what the weighted mean leaves of its column.

The order is that of the columns, so that the bits are the same for any number of threads.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numba import prange

from .cholesky import dot
from .policy import entry, kernel

__all__ = ["WeightedColumns", "descend_columns", "weigh"]

# The part of a column that its weighted mean does not explain is no smaller than this share.
LEAST = 1e-9
# Of so many sweeps one looks at coefficients that are 0 as well.
WIDE = 4
_ZERO, _ONE, _TWO = np.uint64(0), np.uint64(1), np.uint64(2)


class WeightedColumns(NamedTuple):
    """Columns times the roots of row curvatures, as kernels see them.

    The values of column j are ``data[begins[j]:begins[j + 1]]``, those of the rows
    ``rows[begins[j]:begins[j + 1]]``; of dense columns, whose `rows` is empty, of all rows.

    Attributes
    ----------
    levels : ndarray of shape (n_columns,)
        Products with the roots: what the intercept's column has in common with each.
    squares : ndarray of shape (n_columns,)
        Sums of squares.
    """

    data: Any
    rows: Any
    begins: Any
    levels: Any
    squares: Any


@kernel
def weigh_column(
    source: Any, column: int, factor: float, roots: Any, to: int, data_out: Any, rows_out: Any
) -> tuple[float, float]:
    """Copy a column, weighted, to where `to` is; return what it has of the roots and its square."""
    level, square, place = 0.0, 0.0, np.uint64(to)
    for at in range(np.uint64(source.begins[column]), np.uint64(source.ends[column])):
        row = source.indices[at]
        root = roots[np.uint64(row)]
        value = source.data[at] * factor * root
        data_out[place] = value
        rows_out[place] = row
        level += value * root
        square += value * value
        place += _ONE
    return level, square


def _weigh(
    source: Any, which: Any, scale: Any, roots: Any, begins: Any, data_out: Any, rows_out: Any,
    levels_out: Any, squares_out: Any,
) -> None:  # fmt: skip
    for place in prange(which.size):
        column = which[place]
        level, square = weigh_column(
            source, column, scale[column], roots, begins[place], data_out, rows_out
        )
        levels_out[place] = level
        squares_out[place] = square


@kernel
def product(columns: Any, column: int, state: Any) -> float:
    """Return the product of a column with the rows' state."""
    begin, end = columns.begins[column], columns.begins[column + 1]
    data, rows = columns.data, columns.rows
    if rows.size == 0:
        return dot(data, begin, state, 0, end - begin)
    one, two, place, last = 0.0, 0.0, np.uint64(begin), np.uint64(end)
    while place + _ONE < last:
        one += data[place] * state[np.uint64(rows[place])]
        two += data[place + _ONE] * state[np.uint64(rows[place + _ONE])]
        place += _TWO
    if place < last:
        one += data[place] * state[np.uint64(rows[place])]
    return one + two


@kernel
def move(columns: Any, column: int, step: float, state_out: Any) -> None:
    """Add a multiple of a column to the rows' state."""
    begin, end = np.uint64(columns.begins[column]), np.uint64(columns.begins[column + 1])
    data, rows = columns.data, columns.rows
    if rows.size == 0:
        for row in range(_ZERO, end - begin):
            state_out[row] += step * data[begin + row]
        return
    for place in range(begin, end):
        state_out[np.uint64(rows[place])] += step * data[place]


def _descend_columns(
    columns: Any, l1: Any, l2: Any, slopes: Any, of_intercept: Any, ends: Any, start: Any,
    coef: Any, state: Any,
) -> tuple[int, float, float]:  # fmt: skip
    last, total = of_intercept
    n_sweeps, share = ends
    along, sums, done, moved = 0.0, 0.0, 0, 0.0
    while done < n_sweeps:
        is_wide = done % WIDE == 0
        moved = 0.0
        for j in range(coef.size):
            old = coef[j]
            if not is_wide and old == 0.0:
                continue
            square, level = columns.squares[j], columns.levels[j]
            curvature, shift = square, 0.0
            if total > 0.0:
                curvature = max(square - level * level / total, LEAST * square)
                shift = level * (-last - along) / total
            curvature += l2[j]
            if not curvature > 0.0:
                continue
            slope = slopes[j] + product(columns, j, state) + shift + l2[j] * (old - start[j])
            pull = old * curvature - slope
            beyond = abs(pull) - l1[j]
            new = 0.0
            if beyond > 0.0:
                new = math.copysign(beyond / curvature, pull)
            if new == old:
                continue
            step = new - old
            coef[j] = new
            along += step * level
            moved += step * step * curvature
            move(columns, j, step, state)
        sums += moved
        done += 1
        if is_wide and moved <= share * sums:
            break
    return done, along, moved


# weigh(source, which, scale, roots, begins, data_out, rows_out, levels_out, squares_out): what
# `WeightedColumns` holds, from the columns `which` of compressed columns, times `scale`. Arrays
# each of their own: of a named tuple's, what a prange writes would be taken for dead code.
weigh = entry(_weigh)
# descend_columns(columns, l1, l2, slopes, (last, total), (n_sweeps, share), start, coef, state) ->
# (sweeps, along, moved): minimise slopes @ d + |Z d + z b|^2 / 2 + last * b + l2 @ d^2 / 2 +
# l1 @ |start + d| over d and b, from d = coef - start, in place. Z are the columns, z the roots of
# the row curvatures, `total` their squares' sum; 0 where there is no intercept, b. `state` is Z d,
# kept up in place; `along` is what `levels @ d` has grown by, from 0, so that b is
# (-last - along) / total. It ends with a sweep over all columns whose squared steps, times the
# curvatures, are no more than `share` of those of all sweeps, or with the `n_sweeps`-th.
# Its serial twin is the one to call: the steps follow one another.
descend_columns = entry(_descend_columns)
