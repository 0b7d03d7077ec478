"""Coordinate descent over sparse columns of which each value is weighed once.

A value times the root of its row's weight is all that a sweep asks for, in a product as in a move:
of the rows it then reads one number, their state, in place of two (`column_descent`). Values are
rounded to 32 bits: the Hessian of a Newton step may err by as little as that; slopes do not.

The order is that of the columns, so that the bits are the same for any number of threads.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numba import prange

from .column_descent import LEAST, WIDE
from .policy import entry, part

__all__ = ["WeighedColumns", "descend_weighed", "weigh_columns"]

# Weighed values below it are 0: arithmetic with the smallest numbers of 32 bits is slow.
TINY = 1e-30
_ONE, _TWO, _THREE, _FOUR = np.uint64(1), np.uint64(2), np.uint64(3), np.uint64(4)


class WeighedColumns(NamedTuple):
    """Some sparse columns, scaled, each value times the root of its row's weight.

    The values of the j-th are those of ``values`` from ``firsts[j]`` on, those of the rows
    ``rows[begins[j]:ends[j]]``.
    """

    values: Any
    firsts: Any
    rows: Any
    begins: Any
    ends: Any


@part
def weigh_column(
    columns: Any, column: int, roots: Any, first: int, values_out: Any
) -> tuple[float, float]:
    """Weigh a column's values; return the sum of them times the roots, and that of squares."""
    data, rows, scale = columns.data, columns.rows, columns.scale[column]
    level, square, to = 0.0, 0.0, np.uint64(first)
    for place in range(np.uint64(columns.begins[column]), np.uint64(columns.ends[column])):
        root = roots[np.uint64(rows[place])]
        value = np.float32(data[place] * scale * root)
        if abs(value) < TINY:
            value = np.float32(0.0)
        values_out[to] = value
        level += value * root
        square += np.float64(value) * value
        to += _ONE
    return level, square


def _weigh_columns(
    columns: Any, roots: Any, bounds: Any, firsts: Any, values_out: Any, levels_out: Any,
    squares_out: Any,
) -> None:  # fmt: skip
    for block in prange(bounds.size - 1):
        for column in range(bounds[block], bounds[block + 1]):
            level, square = weigh_column(columns, column, roots, firsts[column], values_out)
            levels_out[column] = level
            squares_out[column] = square


@part
def product_weighed(columns: Any, column: int, state: Any) -> float:
    """Return the product of a column with the rows' state."""
    values, rows = columns.values, columns.rows
    at, place = np.uint64(columns.firsts[column]), np.uint64(columns.begins[column])
    last = np.uint64(columns.ends[column])
    one, two, three, four = 0.0, 0.0, 0.0, 0.0
    while place + _THREE < last:
        one += values[at] * state[np.uint64(rows[place])]
        two += values[at + _ONE] * state[np.uint64(rows[place + _ONE])]
        three += values[at + _TWO] * state[np.uint64(rows[place + _TWO])]
        four += values[at + _THREE] * state[np.uint64(rows[place + _THREE])]
        place += _FOUR
        at += _FOUR
    while place < last:
        one += values[at] * state[np.uint64(rows[place])]
        place += _ONE
        at += _ONE
    return (one + two) + (three + four)


@part
def move_weighed(columns: Any, column: int, step: float, state_out: Any) -> None:
    """Add a multiple of a column to the rows' state: no row is twice in a column."""
    values, rows = columns.values, columns.rows
    at, place = np.uint64(columns.firsts[column]), np.uint64(columns.begins[column])
    last = np.uint64(columns.ends[column])
    while place + _THREE < last:
        one, two = np.uint64(rows[place]), np.uint64(rows[place + _ONE])
        three, four = np.uint64(rows[place + _TWO]), np.uint64(rows[place + _THREE])
        first = state_out[one] + step * values[at]
        second = state_out[two] + step * values[at + _ONE]
        third = state_out[three] + step * values[at + _TWO]
        fourth = state_out[four] + step * values[at + _THREE]
        state_out[one] = first
        state_out[two] = second
        state_out[three] = third
        state_out[four] = fourth
        place += _FOUR
        at += _FOUR
    while place < last:
        state_out[np.uint64(rows[place])] += step * values[at]
        place += _ONE
        at += _ONE


def _descend_weighed(
    columns: Any, measures: Any, strengths: Any, slopes: Any, of_intercept: Any, ends: Any,
    start: Any, coef: Any, state: Any,
) -> tuple[int, float, float, float]:  # fmt: skip
    levels, squares = measures
    l1, l2 = strengths
    last, total = of_intercept
    n_sweeps, share, sums = ends
    along, done, moved = 0.0, 0, 0.0
    for j in range(coef.size):
        along += (coef[j] - start[j]) * levels[j]
    while done < n_sweeps:
        is_wide = done % WIDE == 0
        moved = 0.0
        for j in range(coef.size):
            old = coef[j]
            if not is_wide and old == 0.0:
                continue
            square, level = squares[j], levels[j]
            curvature, shift = square, 0.0
            if total > 0.0:
                curvature = max(square - level * level / total, LEAST * square)
                shift = level * (-last - along) / total
            curvature += l2[j]
            if not curvature > 0.0:
                continue
            slope = slopes[j] + product_weighed(columns, j, state) + shift
            slope += l2[j] * (old - start[j])
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
            move_weighed(columns, j, step, state)
        sums += moved
        done += 1
        if is_wide and moved <= share * sums:
            break
    return done, along, moved, sums


# weigh_columns(columns, roots, bounds, firsts, values_out, levels_out, squares_out): weigh
# `SomeColumns` that are sparse, those between two bounds by a thread; and what each has in common
# with the roots, the intercept's column, and with itself.
weigh_columns = entry(_weigh_columns)
# descend_weighed(columns, (levels, squares), (l1, l2), slopes, (last, total),
# (n_sweeps, share, sums), start, coef, state) -> (sweeps, along, moved, sums): what
# `descend_columns` does; `state` is X d, each row times the root of its weight.
# Its serial twin is the one to call: the steps follow one another.
descend_weighed = entry(_descend_weighed)
