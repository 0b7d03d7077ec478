"""Coordinate descent on a quadratic function plus L1, straight over the columns of X.

The Hessian is X' diag(weights) X, the weights those of row curvatures. A step of a coordinate asks
for one product of its column with the rows' state, and moves that state by a multiple of the column
(Friedman, Hastie and Tibshirani, 2010, Journal of Statistical Software 33:
naive updates). No matrix is made: a sweep reads the columns once or twice. The intercept is at its
own minimum all the time: a coordinate moves along what the weighted mean leaves of its column.

The order is that of the columns, so that the bits are the same for any number of threads.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numba import prange

from .policy import entry, part
from .simd import LANES, add, load, multiply_add, splat, store, total

__all__ = ["SomeColumns", "descend_columns", "measure_columns"]

# The part of a column that its weighted mean does not explain is no smaller than this share.
LEAST = 1e-9
# Of so many sweeps one looks at coefficients that are 0 as well.
WIDE = 4
_ZERO, _ONE, _TWO = np.uint64(0), np.uint64(1), np.uint64(2)
_THREE, _FOUR = np.uint64(3), np.uint64(4)


class SomeColumns(NamedTuple):
    """Some columns of X as kernels see them, where they lie.

    The values of the j-th are ``data[begins[j]:ends[j]]`` times ``scale[j]``, those of the rows
    ``rows[begins[j]:ends[j]]``; of dense columns, whose `rows` is empty, of all rows.
    """

    data: Any
    rows: Any
    begins: Any
    ends: Any
    scale: Any


@part
def measure_dense(data: Any, begin: int, end: int, weights: Any) -> tuple[float, float]:
    """Do what `measure_column` does over a column of all rows."""
    levels, squares, more, others = splat(0.0), splat(0.0), splat(0.0), splat(0.0)
    none, row, size = splat(0.0), 0, end - begin
    while row + 2 * LANES <= size:
        value, other = load(data, begin + row), load(data, begin + row + LANES)
        weighted = multiply_add(value, load(weights, row), none)
        levels, squares = add(levels, weighted), multiply_add(weighted, value, squares)
        weighted = multiply_add(other, load(weights, row + LANES), none)
        more, others = add(more, weighted), multiply_add(weighted, other, others)
        row += 2 * LANES
    level, square = total(levels) + total(more), total(squares) + total(others)
    while row < size:
        weighted = data[begin + row] * weights[row]
        level += weighted
        square += weighted * data[begin + row]
        row += 1
    return level, square


@part
def measure_column(columns: Any, column: int, weights: Any) -> tuple[float, float]:
    """Return the weighted sum of a column's values, and of their squares."""
    begin, end = np.uint64(columns.begins[column]), np.uint64(columns.ends[column])
    data, rows = columns.data, columns.rows
    level, square = 0.0, 0.0
    if rows.size == 0:
        return measure_dense(data, columns.begins[column], columns.ends[column], weights)
    for place in range(begin, end):
        row = np.uint64(rows[place])
        value = data[place]
        weighted = value * weights[row]
        level += weighted
        square += weighted * value
    return level, square


def _measure_columns(columns: Any, weights: Any, levels_out: Any, squares_out: Any) -> None:
    for column in prange(columns.begins.size):
        level, square = measure_column(columns, column, weights)
        scale = columns.scale[column]
        levels_out[column] = level * scale
        squares_out[column] = square * scale * scale


@part
def product_dense(data: Any, begin: int, end: int, state: Any) -> float:
    """Return the product of a column of all rows with the rows' state: four sums side by side.

    With one, which waits for its last addition, a sweep takes twice as long.
    """
    one, two, three, four = splat(0.0), splat(0.0), splat(0.0), splat(0.0)
    row, size = 0, end - begin
    while row + 4 * LANES <= size:
        at = begin + row
        one = multiply_add(load(data, at), load(state, row), one)
        two = multiply_add(load(data, at + LANES), load(state, row + LANES), two)
        at, later = at + 2 * LANES, row + 2 * LANES
        three = multiply_add(load(data, at), load(state, later), three)
        four = multiply_add(load(data, at + LANES), load(state, later + LANES), four)
        row += 4 * LANES
    while row + LANES <= size:
        one = multiply_add(load(data, begin + row), load(state, row), one)
        row += LANES
    found = total(add(add(one, two), add(three, four)))
    while row < size:
        found += data[begin + row] * state[row]
        row += 1
    return found


@part
def product(columns: Any, column: int, state: Any) -> float:
    """Return the product of a column with the rows' state."""
    begin, end = columns.begins[column], columns.ends[column]
    data, rows = columns.data, columns.rows
    one, two, three, four = 0.0, 0.0, 0.0, 0.0
    if rows.size == 0:
        return product_dense(data, begin, end, state) * columns.scale[column]
    place, last = np.uint64(begin), np.uint64(end)
    while place + _THREE < last:
        one += data[place] * state[np.uint64(rows[place])]
        two += data[place + _ONE] * state[np.uint64(rows[place + _ONE])]
        three += data[place + _TWO] * state[np.uint64(rows[place + _TWO])]
        four += data[place + _THREE] * state[np.uint64(rows[place + _THREE])]
        place += _FOUR
    while place < last:
        one += data[place] * state[np.uint64(rows[place])]
        place += _ONE
    return ((one + two) + (three + four)) * columns.scale[column]


@part
def move(columns: Any, column: int, step: float, weights: Any, state_out: Any) -> None:
    """Add a multiple of a column to the rows' state, each row times its weight."""
    begin, end = np.uint64(columns.begins[column]), np.uint64(columns.ends[column])
    data, rows = columns.data, columns.rows
    factor = step * columns.scale[column]
    if rows.size == 0:
        for row in range(_ZERO, end - begin):
            state_out[row] += factor * data[begin + row] * weights[row]
    else:
        for place in range(begin, end):
            at = np.uint64(rows[place])
            state_out[at] += factor * data[place] * weights[at]


@part
def step_lane(
    data: Any, at: int, other: int, factor: Any, weights: Any, row: int, state_out: Any, found: Any
) -> Any:  # fmt: skip
    """Do what `move_on_dense` does for the rows of one vector."""
    weighted = multiply_add(factor, load(data, at + row), splat(0.0))
    state = multiply_add(weighted, load(weights, row), load(state_out, row))
    store(state_out, row, state)
    return multiply_add(load(data, other + row), state, found)


@part
def move_on_dense(
    data: Any, at: int, other: int, size: int, step: float, weights: Any, state_out: Any
) -> float:
    """Move the state along one column; return its product with another, as `product_dense` has it.

    The state is read once, and one column comes from memory while the other is worked on.
    """
    factor = splat(step)
    one, two, three, four = splat(0.0), splat(0.0), splat(0.0), splat(0.0)
    row = 0
    while row + 4 * LANES <= size:
        one = step_lane(data, at, other, factor, weights, row, state_out, one)
        two = step_lane(data, at, other, factor, weights, row + LANES, state_out, two)
        later = row + 2 * LANES
        three = step_lane(data, at, other, factor, weights, later, state_out, three)
        four = step_lane(data, at, other, factor, weights, later + LANES, state_out, four)
        row += 4 * LANES
    while row + LANES <= size:
        one = step_lane(data, at, other, factor, weights, row, state_out, one)
        row += LANES
    found = total(add(add(one, two), add(three, four)))
    while row < size:
        state_out[row] += step * data[at + row] * weights[row]
        found += data[other + row] * state_out[row]
        row += 1
    return found


def _descend_columns(
    columns: Any, measures: Any, weights: Any, strengths: Any, slopes: Any, of_intercept: Any,
    ends: Any, start: Any, coef: Any, state: Any,
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
        # The column whose product with the state is at hand.
        ready, known = -1, 0.0
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
            if ready != j:
                known = product(columns, j, state)
            slope = slopes[j] + known + shift + l2[j] * (old - start[j])
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
            ready = j + 1
            while ready < coef.size and not is_wide and coef[ready] == 0.0:
                ready += 1
            if columns.rows.size == 0 and ready < coef.size:
                begin, other, scale = columns.begins[j], columns.begins[ready], columns.scale
                size = columns.ends[j] - begin
                factor = step * scale[j]
                known = scale[ready] * move_on_dense(
                    columns.data, begin, other, size, factor, weights, state
                )
            else:
                ready = -1
                move(columns, j, step, weights, state)
        sums += moved
        done += 1
        if is_wide and moved <= share * sums:
            break
    return done, along, moved, sums


# measure_columns(columns, weights, levels_out, squares_out): what each of `SomeColumns` has in
# common with the intercept's column, and with itself: weighted sums of values and of squares.
measure_columns = entry(_measure_columns)
# descend_columns(columns, (levels, squares), weights, (l1, l2), slopes, (last, total),
# (n_sweeps, share, sums), start, coef, state) -> (sweeps, along, moved, sums): minimise
# slopes @ d + sum(weights * (X d + b)^2) / 2 + last * b + l2 @ d^2 / 2 + l1 @ |start + d| over d
# and b, from d = coef - start, in place. `total` is the sum of the weights; 0 where there is no
# intercept, b. `state` is weights * (X d), kept up in place; `along` is `levels @ d`, so that b is
# (-last - along) / total. It ends with a sweep over all columns whose squared steps, times the
# curvatures, are no more than `share` of those of all sweeps, or with the `n_sweeps`-th. `sums` are
# those of all sweeps, before and after.
# Its serial twin is the one to call: the steps follow one another.
descend_columns = entry(_descend_columns)
