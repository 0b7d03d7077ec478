"""Passes over some columns of X, those that are worked on: predictions, slopes, Gram matrices.

Columns as `column_descent` has them, standardised: `middles` are what centring takes off each. All
loops are serial: they are short, and models may be worked on by threads of their own.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .column_descent import product
from .elementwise import exp_nonpositive, log1p_unit
from .policy import entry, part
from .simd import LANES, add_totals, load, multiply_add, splat

__all__ = ["look_at_rows", "predict", "products", "room_of_gram", "widen_gram"]

# Rows that the products of a tile of columns take at a time, of four they stay in the first cache;
# and columns that are weighed at a time, multiples of four: their rows stay in the second.
STRIP, PANEL = 1024, 32
_ZERO = np.uint64(0)


def room_of_gram(n_samples: int) -> int:
    """Return how many numbers `widen_gram` asks for to work with."""
    return max(16 + PANEL * STRIP, n_samples)


@part
def add_column(columns: Any, column: int, factor: float, weights: Any, out: Any) -> None:
    """Add a multiple of a column, times weights where there are any, to numbers of the rows."""
    begin, end = np.uint64(columns.begins[column]), np.uint64(columns.ends[column])
    data, rows = columns.data, columns.rows
    factor *= columns.scale[column]
    if rows.size == 0 and weights.size == 0:
        for row in range(_ZERO, end - begin):
            out[row] += factor * data[begin + row]
    elif rows.size == 0:
        for row in range(_ZERO, end - begin):
            out[row] += factor * data[begin + row] * weights[row]
    elif weights.size == 0:
        for place in range(begin, end):
            out[np.uint64(rows[place])] += factor * data[place]
    else:
        for place in range(begin, end):
            at = np.uint64(rows[place])
            out[at] += factor * data[place] * weights[at]


def _predict(columns: Any, middles: Any, coef: Any, level: float, raw_out: Any) -> None:
    for column in range(coef.size):
        level -= middles[column] * coef[column]
    for row in range(raw_out.size):
        raw_out[row] = level
    none = raw_out[:0]
    for column in range(coef.size):
        if coef[column] != 0.0:
            add_column(columns, column, coef[column], none, raw_out)


def _products(columns: Any, middles: Any, vector: Any, sum_of_vector: float, out: Any) -> None:
    for column in range(out.size):
        out[column] = product(columns, column, vector) - middles[column] * sum_of_vector


def _look_at_rows(
    raw: Any, table: Any, residual_out: Any, curvature_out: Any, cost_out: Any
) -> None:
    for row in range(raw.size):
        z = raw[row] + table[2, row]
        tail = exp_nonpositive(-abs(z))
        zero_target = table[0, row] == 0.0
        wrong = zero_target == (z >= 0.0)
        # proba - target and max(z, 0) - target * z, each without a difference that could cancel.
        share = (1.0 if wrong else tail) / (1.0 + tail)
        weight = table[1, row]
        residual_out[row] = weight * (share if zero_target else -share)
        curvature_out[row] = weight * (tail / ((1.0 + tail) * (1.0 + tail)))
        cost_out[row] = weight * (log1p_unit(tail) + (abs(z) if wrong else 0.0))


@part
def add_tile(
    data: Any, begin: int, first: int, second: int, third: int, fourth: int, weighed: Any, at: int,
    count: int, room: Any,
) -> None:  # fmt: skip
    """Put the products of four columns, over some rows, with four weighed ones into `room`."""
    a0, a1, a2, a3 = splat(0.0), splat(0.0), splat(0.0), splat(0.0)
    b0, b1, b2, b3 = splat(0.0), splat(0.0), splat(0.0), splat(0.0)
    c0, c1, c2, c3 = splat(0.0), splat(0.0), splat(0.0), splat(0.0)
    d0, d1, d2, d3 = splat(0.0), splat(0.0), splat(0.0), splat(0.0)
    first, second, third, fourth = first + begin, second + begin, third + begin, fourth + begin
    whole = count - count % LANES
    for k in range(0, whole, LANES):
        x0, x1 = load(data, first + k), load(data, second + k)
        x2, x3 = load(data, third + k), load(data, fourth + k)
        w = load(weighed, at + k)
        a0, a1 = multiply_add(x0, w, a0), multiply_add(x1, w, a1)
        a2, a3 = multiply_add(x2, w, a2), multiply_add(x3, w, a3)
        w = load(weighed, at + STRIP + k)
        b0, b1 = multiply_add(x0, w, b0), multiply_add(x1, w, b1)
        b2, b3 = multiply_add(x2, w, b2), multiply_add(x3, w, b3)
        w = load(weighed, at + 2 * STRIP + k)
        c0, c1 = multiply_add(x0, w, c0), multiply_add(x1, w, c1)
        c2, c3 = multiply_add(x2, w, c2), multiply_add(x3, w, c3)
        w = load(weighed, at + 3 * STRIP + k)
        d0, d1 = multiply_add(x0, w, d0), multiply_add(x1, w, d1)
        d2, d3 = multiply_add(x2, w, d2), multiply_add(x3, w, d3)
    room[:16] = 0.0
    add_totals(room, 0, 2, a0, a1, a2, a3)
    add_totals(room, 4, 2, b0, b1, b2, b3)
    add_totals(room, 8, 2, c0, c1, c2, c3)
    add_totals(room, 12, 2, d0, d1, d2, d3)
    for k in range(whole, count):
        for place in range(4):
            w0 = weighed[at + place * STRIP + k]
            room[4 * place] += data[first + k] * w0
            room[4 * place + 1] += data[second + k] * w0
            room[4 * place + 2] += data[third + k] * w0
            room[4 * place + 3] += data[fourth + k] * w0


@part
def weigh_strip(
    columns: Any, first: int, stop: int, begin: int, count: int, weights: Any, weighed: Any,
    levels_out: Any,
) -> None:  # fmt: skip
    """Put some rows of columns, each row times its weight, next to each other; add up each.

    Up to PANEL columns: what stays behind them is 0 up to the next four.
    """
    data = columns.data
    for column in range(first, stop):
        to, start = (column - first) * STRIP, columns.begins[column] + begin
        level = 0.0
        for k in range(count):
            value = data[start + k] * weights[begin + k]
            weighed[to + k] = value
            level += value
        levels_out[column] += level
    for place in range((stop - first) * STRIP, ((stop - first + 3) // 4) * 4 * STRIP):
        weighed[place] = 0.0


@part
def dense_products(
    columns: Any, weights: Any, known: int, room: Any, levels_out: Any, matrix_out: Any
) -> None:
    """Put products of columns from `known` on with those before them, and sums, times weights.

    Some rows of PANEL weighed columns stay in the second cache, while those of four others at a
    time, in the first, meet them.
    """
    n_columns, n_samples = levels_out.size, weights.size
    begins, data = columns.begins, columns.data
    weighed, sums = room[16:], room[:16]
    for begin in range(0, n_samples, STRIP):
        count = min(STRIP, n_samples - begin)
        for first in range(known, n_columns, PANEL):
            stop = min(first + PANEL, n_columns)
            weigh_strip(columns, first, stop, begin, count, weights, weighed, levels_out)
            for other in range(0, stop, 4):
                last = min(other + 4, stop)
                o1, o2, o3 = min(other + 1, last - 1), min(other + 2, last - 1), last - 1
                begin_of = first + max(0, (other - first) // 4 * 4)
                for column in range(begin_of, stop, 4):
                    add_tile(
                        data, begin, begins[other], begins[o1], begins[o2], begins[o3], weighed,
                        (column - first) * STRIP, count, sums,
                    )  # fmt: skip
                    for row in range(column, min(column + 4, stop)):
                        for k in range(other, last):
                            matrix_out[row, k] += sums[4 * (row - column) + k - other]


@part
def sparse_products(
    columns: Any, weights: Any, known: int, room: Any, levels_out: Any, matrix_out: Any
) -> None:
    """Do the same over columns that name their rows, one weighed at a time."""
    weighed = room[: weights.size]
    for first in range(known, levels_out.size):
        weighed[:] = 0.0
        add_column(columns, first, 1.0, weights, weighed)
        for row in range(weights.size):
            levels_out[first] += weighed[row]
        for column in range(first + 1):
            matrix_out[first, column] = product(columns, column, weighed)


def _widen_gram(
    columns: Any, middles: Any, weights: Any, known: int, room: Any, levels_out: Any,
    matrix_out: Any,
) -> None:  # fmt: skip
    n_columns, of_weights = middles.size, 0.0
    for row in range(weights.size):
        of_weights += weights[row]
    for row in range(known, n_columns):
        levels_out[row] = 0.0
        for column in range(row + 1):
            matrix_out[row, column] = 0.0
    levels = levels_out[:n_columns]
    if columns.rows.size == 0:
        dense_products(columns, weights, known, room, levels, matrix_out)
        for row in range(known, n_columns):
            levels[row] *= columns.scale[row]
            for column in range(row + 1):
                matrix_out[row, column] *= columns.scale[row] * columns.scale[column]
    else:
        sparse_products(columns, weights, known, room, levels, matrix_out)
    for first in range(known, n_columns, 4):
        count = min(4, n_columns - first)
        for row in range(first, first + count):
            levels[row] -= middles[row] * of_weights
            for column in range(row + 1):
                value = matrix_out[row, column]
                value -= middles[row] * levels[column]
                value -= middles[column] * (levels[row] + middles[row] * of_weights)
                matrix_out[row, column] = value
        for column in range(first + count):
            for row in range(max(first, column), first + count):
                matrix_out[column, row] = matrix_out[row, column]


# predict(columns, middles, coef, level, raw_out): raw predictions, without offset.
predict = entry(_predict)
# products(columns, middles, vector, sum_of_vector, out): X' v.
products = entry(_products)
# look_at_rows(raw, table, residual_out, curvature_out, cost_out): residuals, curvatures and losses
# of the binomial model, times the rows' shares of the weight, from `LabelledRows.table`.
look_at_rows = entry(_look_at_rows)
# widen_gram(columns, middles, weights, known, room, levels_out, matrix_out): X' diag(weights) X and
# X' weights in the rows and columns from `known` on, where those before stand already. `room` has
# `room_of_gram` numbers.
widen_gram = entry(_widen_gram)
