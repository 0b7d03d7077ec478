"""X' v over rows of many columns, or over short columns, where they lie: one read of X.

The general pass (`passes`) predicts, too, and reads a block of rows once more for its gradient:
24 rows of 20,000 columns are more than the second level of the cache.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import prange

from .passes import chunk_rows
from .policy import entry, kernel
from .rows import LINE_BYTES, STRIP, zeros_at_line
from .simd import LANES, add, load, multiply_add, prefetch_l2, splat, store, subtract, total

__all__ = ["LEAST_COLUMNS", "MOST_ROWS", "add_columns", "add_rows", "look_at_columns"]

# From so many columns on it is used.
LEAST_COLUMNS = 512
# Columns that lie one after the other are read so up to so many rows: v stays in cache.
MOST_ROWS = 32_768
# Rows at a time, which share each load of a sum, and how far ahead in each row lines are asked for.
ROWS, AHEAD = 8, 4096
# The same where there are three sums of each column, which leave the first cache in between.
LOOKED_AT = 8


@kernel
def add_block(
    X: Any, place: int, stride: int, count: int, center: Any, vector: Any, first: int, sums_out: Any
) -> None:
    """Add some rows, centred and times numbers of theirs, to the sums of the columns."""
    width = center.size
    line = LINE_BYTES // X.itemsize
    ahead = AHEAD // X.itemsize
    column = 0
    while column + STRIP <= width:
        m0, m1 = load(center, column), load(center, column + LANES)
        m2 = load(center, column + 2 * LANES)
        g0, g1 = load(sums_out, column), load(sums_out, column + LANES)
        g2 = load(sums_out, column + 2 * LANES)
        start = place + column
        asks = column + ahead + STRIP <= width
        for row in range(count):
            if asks:
                for step in range(0, STRIP, line):
                    prefetch_l2(X, start + ahead + step)
            factor = splat(vector[first + row])
            g0 = multiply_add(subtract(load(X, start), m0), factor, g0)
            g1 = multiply_add(subtract(load(X, start + LANES), m1), factor, g1)
            g2 = multiply_add(subtract(load(X, start + 2 * LANES), m2), factor, g2)
            start += stride
        store(sums_out, column, g0)
        store(sums_out, column + LANES, g1)
        store(sums_out, column + 2 * LANES, g2)
        column += STRIP
    while column < width:
        start, found = place + column, 0.0
        for row in range(count):
            found += (X[start] - center[column]) * vector[first + row]
            start += stride
        sums_out[column] += found
        column += 1


def _add_rows(rows: Any, vectors: Any, sums_out: Any) -> None:
    n_samples, width = rows.n_samples, rows.center.size
    step = chunk_rows(n_samples, width)
    n_chunks = (n_samples + step - 1) // step
    for model in range(vectors.shape[0]):
        partials = np.empty((n_chunks, width))
        for chunk in prange(n_chunks):
            sums = zeros_at_line(width)
            stop = min((chunk + 1) * step, n_samples)
            for first in range(chunk * step, stop, ROWS):
                count = min(ROWS, stop - first)
                add_block(
                    rows.X, first * rows.stride, rows.stride, count, rows.center, vectors[model],
                    first, sums,
                )  # fmt: skip
            for column in range(width):
                partials[chunk, column] = sums[column]
        for column in range(width):
            found = 0.0
            for chunk in range(n_chunks):
                found += partials[chunk, column]
            sums_out[model, column] = found * rows.inverse_scale[column]


@kernel
def centred_sum(
    X: Any, begin: int, center: float, vectors: Any, at: int, count: int, squared: bool
) -> float:
    """Return the sum of a column's values less `center`, or their squares, times a vector's."""
    middle, one, two = splat(center), splat(0.0), splat(0.0)
    row = 0
    while row + 2 * LANES <= count:
        a = subtract(load(X, begin + row), middle)
        b = subtract(load(X, begin + row + LANES), middle)
        v, w = load(vectors, at + row), load(vectors, at + row + LANES)
        if squared:
            v, w = multiply_add(a, v, splat(0.0)), multiply_add(b, w, splat(0.0))
        one, two = multiply_add(a, v, one), multiply_add(b, w, two)
        row += 2 * LANES
    found = total(add(one, two))
    while row < count:
        value = X[begin + row] - center
        found += value * vectors[at + row] * (value if squared else 1.0)
        row += 1
    return found


def _add_columns(
    X: Any, center: Any, inverse_scale: Any, vectors: Any, squared: bool, sums_out: Any
) -> None:
    count = X.size // center.size
    for column in prange(center.size):
        scale = inverse_scale[column] * (inverse_scale[column] if squared else 1.0)
        for model in range(sums_out.shape[0]):
            found = centred_sum(
                X, column * count, center[column], vectors, model * count, count, squared
            )
            sums_out[model, column] = found * scale


@kernel
def look_at_block(
    X: Any, place: int, stride: int, count: int, center: Any, shares: Any, vector: Any, first: int,
    sums_out: Any,
) -> None:  # fmt: skip
    """Add some rows, centred, to three sums of each column: see `look_at_columns`."""
    width = center.size
    line = LINE_BYTES // X.itemsize
    ahead = AHEAD // X.itemsize
    none = splat(0.0)
    column = 0
    while column + 2 * LANES <= width:
        m0, m1 = load(center, column), load(center, column + LANES)
        at = column + LANES
        s0, s1 = load(sums_out, column), load(sums_out, at)
        q0, q1 = load(sums_out, width + column), load(sums_out, width + at)
        v0, v1 = load(sums_out, 2 * width + column), load(sums_out, 2 * width + at)
        start = place + column
        asks = column + ahead + 2 * LANES <= width
        for row in range(count):
            if asks:
                for step in range(0, 2 * LANES, line):
                    prefetch_l2(X, start + ahead + step)
            share, factor = splat(shares[first + row]), splat(vector[first + row])
            x0, x1 = subtract(load(X, start), m0), subtract(load(X, start + LANES), m1)
            v0, v1 = multiply_add(x0, factor, v0), multiply_add(x1, factor, v1)
            w0, w1 = multiply_add(x0, share, none), multiply_add(x1, share, none)
            s0, s1 = add(s0, w0), add(s1, w1)
            q0, q1 = multiply_add(x0, w0, q0), multiply_add(x1, w1, q1)
            start += stride
        store(sums_out, column, s0)
        store(sums_out, at, s1)
        store(sums_out, width + column, q0)
        store(sums_out, width + at, q1)
        store(sums_out, 2 * width + column, v0)
        store(sums_out, 2 * width + at, v1)
        column += 2 * LANES
    while column < width:
        for row in range(count):
            value = X[place + row * stride + column] - center[column]
            weighted = value * shares[first + row]
            sums_out[column] += weighted
            sums_out[width + column] += value * weighted
            sums_out[2 * width + column] += value * vector[first + row]
        column += 1


def _look_at_columns(rows: Any, shares: Any, vector: Any, sums_out: Any) -> None:
    n_samples, width = rows.n_samples, rows.center.size
    step = chunk_rows(n_samples, width)
    n_chunks = (n_samples + step - 1) // step
    partials = np.empty((n_chunks, 3 * width))
    for chunk in prange(n_chunks):
        sums = zeros_at_line(3 * width)
        stop = min((chunk + 1) * step, n_samples)
        for first in range(chunk * step, stop, LOOKED_AT):
            count = min(LOOKED_AT, stop - first)
            look_at_block(
                rows.X, first * rows.stride, rows.stride, count, rows.center, shares, vector,
                first, sums,
            )  # fmt: skip
        for place in range(3 * width):
            partials[chunk, place] = sums[place]
    for place in range(3 * width):
        found = 0.0
        for chunk in range(n_chunks):
            found += partials[chunk, place]
        sums_out[place] = found


# add_columns(X, center, inverse_scale, vectors, squared, sums_out): the same for columns that lie
# one after the other in flat memory, and `vectors` in flat memory; or of the squares of X.
add_columns = entry(_add_columns, name="add_columns")
# add_rows(rows, vectors, sums_out): X' v of the standardised X for each line of `vectors`, whose
# rows are read in place (`Layout.DIRECT`). Chunks of rows are added up in their order.
add_rows = entry(_add_rows, name="add_rows")
# look_at_columns(rows, shares, vector, sums_out): of the columns less their centres the sums of
# values, and of squares, each row times its share, and of values times a vector; one after the
# other in flat memory. As `add_rows`, but nothing is scaled.
look_at_columns = entry(_look_at_columns, name="look_at_columns")
