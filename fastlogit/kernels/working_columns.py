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

__all__ = ["look_at_rows", "predict", "products", "widen_gram"]

# Rows that the products of a tile of columns take at a time: they stay in the first cache.
STRIP = 512
_ZERO = np.uint64(0)


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
    data: Any, one: int, other: int, weighed: Any, begin: int, end: int, size: int, room: Any
) -> None:
    """Add the products of two columns with four weighed ones, over some rows, to `room`."""
    a0, a1, a2, a3 = splat(0.0), splat(0.0), splat(0.0), splat(0.0)
    b0, b1, b2, b3 = splat(0.0), splat(0.0), splat(0.0), splat(0.0)
    whole = end - (end - begin) % LANES
    for k in range(begin, whole, LANES):
        a, b = load(data, one + k), load(data, other + k)
        w = load(weighed, k)
        a0, b0 = multiply_add(a, w, a0), multiply_add(b, w, b0)
        w = load(weighed, size + k)
        a1, b1 = multiply_add(a, w, a1), multiply_add(b, w, b1)
        w = load(weighed, 2 * size + k)
        a2, b2 = multiply_add(a, w, a2), multiply_add(b, w, b2)
        w = load(weighed, 3 * size + k)
        a3, b3 = multiply_add(a, w, a3), multiply_add(b, w, b3)
    add_totals(room, 0, 2, a0, a1, a2, a3)
    add_totals(room, 4, 2, b0, b1, b2, b3)
    for k in range(whole, end):
        for place in range(4):
            room[place] += data[one + k] * weighed[place * size + k]
            room[4 + place] += data[other + k] * weighed[place * size + k]


@part
def dense_products(
    columns: Any, first: int, count: int, last: int, weighed: Any, room: Any, matrix_out: Any
) -> None:
    """Put the products of `count` weighed columns from `first` on with those before `last`."""
    size = columns.ends[0] - columns.begins[0]
    for column in range(0, last, 2):
        other = min(column + 1, last - 1)
        room[:] = 0.0
        for begin in range(0, size, STRIP):
            add_tile(
                columns.data, columns.begins[column], columns.begins[other], weighed, begin,
                min(begin + STRIP, size), size, room,
            )  # fmt: skip
        for place in range(count):
            matrix_out[first + place, column] = room[place] * columns.scale[column]
            matrix_out[first + place, other] = room[4 + place] * columns.scale[other]


def _widen_gram(
    columns: Any, middles: Any, weights: Any, known: int, room: Any, levels_out: Any,
    matrix_out: Any,
) -> None:  # fmt: skip
    n_columns, n_samples = middles.size, weights.size
    of_weights = 0.0
    for row in range(n_samples):
        of_weights += weights[row]
    weighed, sums = room[8:], room[:8]
    for first in range(known, n_columns, 4):
        count = min(4, n_columns - first)
        for place in range(4):
            part = weighed[place * n_samples : (place + 1) * n_samples]
            part[:] = 0.0
            if place < count:
                add_column(columns, first + place, 1.0, weights, part)
                level = 0.0
                for row in range(n_samples):
                    level += part[row]
                levels_out[first + place] = level - middles[first + place] * of_weights
        if columns.rows.size == 0:
            dense_products(columns, first, count, first + count, weighed, sums, matrix_out)
        else:
            for place in range(count):
                part = weighed[place * n_samples : (place + 1) * n_samples]
                for column in range(first + place + 1):
                    matrix_out[first + place, column] = product(columns, column, part)
        for row in range(first, first + count):
            for column in range(row + 1):
                value = matrix_out[row, column]
                value -= middles[row] * levels_out[column]
                value -= middles[column] * (levels_out[row] + middles[row] * of_weights)
                matrix_out[row, column] = value
                matrix_out[column, row] = value


# predict(columns, middles, coef, level, raw_out): raw predictions, without offset.
predict = entry(_predict)
# products(columns, middles, vector, sum_of_vector, out): X' v.
products = entry(_products)
# look_at_rows(raw, table, residual_out, curvature_out, cost_out): residuals, curvatures and losses
# of the binomial model, times the rows' shares of the weight, from `LabelledRows.table`.
look_at_rows = entry(_look_at_rows)
# widen_gram(columns, middles, weights, known, room, levels_out, matrix_out): X' diag(weights) X and
# X' weights in the rows and columns from `known` on, where those before stand already. `room` has
# 8 + 4 n_samples numbers.
widen_gram = entry(_widen_gram)
