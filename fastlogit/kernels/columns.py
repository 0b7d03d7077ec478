"""Serial kernels over one block of rows that is stored column after column.

This is the form of rows that cannot be read where they lie: a column-major X (whose block is then
copied at the speed of memory), numbers of other types, and rows shorter than a vector, of which
eight fill one here. A block is `height` rows, `n_features` columns of `height` numbers each,
centred; rows beyond the last one are zero, so that no loop has an end of its own.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .elements import Lines, read_lines
from .policy import part
from .simd import LANES, load, multiply_add, splat, store, total

__all__ = [
    "block_height",
    "gather_columns",
    "sum_columns",
    "sum_squares",
    "sweep_prediction",
]

# Vectors of rows that share a coefficient, and columns that share a vector of residuals.
TILE = 4


@part
def block_height(n_features: int) -> int:
    """Rows of one block, whole tiles: in L1 if the rows are short, in L2 else."""
    if n_features <= 8:
        return 256
    return 128 if n_features <= 32 else 64


@part
def gather_columns(
    rows: Any, start: int, count: int, center: Any, height: int, columns_out: Any
) -> None:
    """Copy rows `start .. start + count` of any kind, less `center`, to the columns of a block."""
    n_features, stride = rows.center.size, rows.stride
    lines = Lines(start * stride, rows.column_stride, n_features, stride, count)
    read_lines(rows, lines, center, True, columns_out, 0, height)
    for column in range(n_features):
        for row in range(column * height + count, (column + 1) * height):
            columns_out[np.uint64(row)] = 0.0


@part
def sweep_prediction(
    columns: Any, height: int, n_features: int,
    coef: Any, base: int, intercept: float, raw_out: Any, at: int,
) -> None:  # fmt: skip
    """Raw prediction of a block to `raw_out[at:]`, by the coefficients at `base`."""
    for row in range(0, height, TILE * LANES):
        a0, a1, a2, a3 = splat(intercept), splat(intercept), splat(intercept), splat(intercept)
        place = row
        for column in range(n_features):
            c = splat(coef[base + column])
            a0 = multiply_add(load(columns, place), c, a0)
            a1 = multiply_add(load(columns, place + LANES), c, a1)
            a2 = multiply_add(load(columns, place + 2 * LANES), c, a2)
            a3 = multiply_add(load(columns, place + 3 * LANES), c, a3)
            place += height
        store(raw_out, at + row, a0)
        store(raw_out, at + row + LANES, a1)
        store(raw_out, at + row + 2 * LANES, a2)
        store(raw_out, at + row + 3 * LANES, a3)


@part
def sum_columns(
    columns: Any, height: int, n_features: int,
    factor: Any, at: int, sums_out: Any, base: int,
) -> None:  # fmt: skip
    """Add the sum of factor times column to each column's sum, which lie at `base`."""
    for column in range(0, n_features, TILE):
        # Beyond the last column that one is summed again, for nothing.
        p0 = column * height
        p1 = min(column + 1, n_features - 1) * height
        p2 = min(column + 2, n_features - 1) * height
        p3 = min(column + 3, n_features - 1) * height
        a0, a1, a2, a3 = splat(0.0), splat(0.0), splat(0.0), splat(0.0)
        for row in range(0, height, LANES):
            r = load(factor, at + row)
            a0 = multiply_add(load(columns, p0 + row), r, a0)
            a1 = multiply_add(load(columns, p1 + row), r, a1)
            a2 = multiply_add(load(columns, p2 + row), r, a2)
            a3 = multiply_add(load(columns, p3 + row), r, a3)
        sums_out[base + column] += total(a0)
        if column + 1 < n_features:
            sums_out[base + column + 1] += total(a1)
        if column + 2 < n_features:
            sums_out[base + column + 2] += total(a2)
        if column + 3 < n_features:
            sums_out[base + column + 3] += total(a3)


@part
def sum_squares(columns: Any, height: int, n_features: int, factor: Any, sums_out: Any) -> None:
    """Add the sum of factor times the column's squares to each column's sum."""
    zero = splat(0.0)
    for column in range(n_features):
        place, partial = column * height, splat(0.0)
        for row in range(0, height, LANES):
            x = load(columns, place + row)
            partial = multiply_add(x, multiply_add(x, load(factor, row), zero), partial)
        sums_out[column] += total(partial)
