"""X' v over rows of many columns where they lie: one read of X, and nothing else.

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
from .simd import LANES, load, multiply_add, prefetch_l2, splat, store, subtract

__all__ = ["LEAST_COLUMNS", "add_rows"]

# From so many columns on it is used.
LEAST_COLUMNS = 512
# Rows at a time, which share each load of a sum, and how far ahead in each row lines are asked for.
ROWS, AHEAD = 4, 4096


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
        start, total = place + column, 0.0
        for row in range(count):
            total += (X[start] - center[column]) * vector[first + row]
            start += stride
        sums_out[column] += total
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
            total = 0.0
            for chunk in range(n_chunks):
                total += partials[chunk, column]
            sums_out[model, column] = total * rows.inverse_scale[column]


# add_rows(rows, vectors, sums_out): X' v of the standardised X for each line of `vectors`, whose
# rows are read in place (`Layout.DIRECT`). Chunks of rows are added up in their order.
add_rows = entry(_add_rows, name="add_rows")
