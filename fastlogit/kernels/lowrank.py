"""The inverse of a diagonal matrix plus the products of a few rows, times vectors.

(B + S' S)^-1 = B^-1 - B^-1 S' (I + S B^-1 S')^-1 S B^-1 (Woodbury, 1950): for m rows of d columns
2 m d multiply-adds a vector instead of d^2, where m is far below d. Threads take whole matrices.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import prange

from .cholesky import factor_one, solve_backward, solve_forward
from .gram import BLOCK, CELL, CELL_PANELS, Cells, add_cells, cells_before
from .passes import Layout, direct_block, direct_source, gathered_block, gathered_source
from .policy import Twins, entry, kernel, part
from .rows import packed_width, zeros_at_line
from .simd import LANES, add, load, multiply_add, splat, store, total

__all__ = ["apply_inverse", "sample"]

# Rows that share a pass over the vector.
UNROLL = 4


@part
def multiply_rows(
    rows: Any, first: int, n_rows: int, width: int, vector: Any, at: int, out: Any, to: int
) -> None:
    """Put the products of whole groups of four rows with a vector."""
    for row in range(0, n_rows, UNROLL):
        p0 = first + row * width
        p1, p2, p3 = p0 + width, p0 + 2 * width, p0 + 3 * width
        a0, a1, a2, a3 = splat(0.0), splat(0.0), splat(0.0), splat(0.0)
        for column in range(0, width, LANES):
            v = load(vector, at + column)
            a0 = multiply_add(load(rows, p0 + column), v, a0)
            a1 = multiply_add(load(rows, p1 + column), v, a1)
            a2 = multiply_add(load(rows, p2 + column), v, a2)
            a3 = multiply_add(load(rows, p3 + column), v, a3)
        out[to + row], out[to + row + 1] = total(a0), total(a1)
        out[to + row + 2], out[to + row + 3] = total(a2), total(a3)


@part
def add_rows(
    rows: Any, first: int, n_rows: int, width: int, factors: Any, at: int, out: Any
) -> None:
    """Add factor times row for whole groups of four rows."""
    for row in range(0, n_rows, UNROLL):
        p0 = first + row * width
        p1, p2, p3 = p0 + width, p0 + 2 * width, p0 + 3 * width
        f0, f1 = splat(factors[at + row]), splat(factors[at + row + 1])
        f2, f3 = splat(factors[at + row + 2]), splat(factors[at + row + 3])
        for column in range(0, width, LANES):
            a = multiply_add(load(rows, p0 + column), f0, load(out, column))
            b = multiply_add(load(rows, p1 + column), f1, splat(0.0))
            a = multiply_add(load(rows, p2 + column), f2, a)
            b = multiply_add(load(rows, p3 + column), f3, b)
            store(out, column, add(a, b))


def _apply_inverse(
    rows: Any, inverse: Any, lower: Any, which: Any, vectors: Any, products_out: Any
) -> None:
    n_rows, width = rows.shape[1], rows.shape[2]
    flat = rows.reshape(rows.size)
    for side in prange(which.size):
        output = which[side]
        scaled, back = zeros_at_line(width), zeros_at_line(width)
        values, solution = np.zeros((1, n_rows)), np.empty(n_rows)
        factor = lower[output]
        for column in range(vectors.shape[1]):
            scaled[column] = vectors[side, column] * inverse[output, column]
        first = output * n_rows * width
        multiply_rows(flat, first, n_rows, width, scaled, 0, values.reshape(n_rows), 0)
        solve_forward(factor, factor.reshape(factor.size), values, 0, solution)
        solve_backward(factor, factor.reshape(factor.size), 0, solution)
        add_rows(flat, first, n_rows, width, solution, 0, back)
        for column in range(vectors.shape[1]):
            products_out[side, column] = scaled[column] - inverse[output, column] * back[column]


# apply_inverse(rows, inverse, lower, which, vectors, products_out): `rows` (n_outputs, m, width)
# are S, float32, m a multiple of 4 and width of 8 lanes, the columns beyond those of the vectors 0;
# `inverse` (n_outputs, n_columns) is the diagonal of B^-1, `lower` (n_outputs, m, m) the Cholesky
# factors of I + S B^-1 S'. Each of the `vectors` (n_sides, n_columns) belongs to output
# ``which[side]``.
apply_inverse = entry(_apply_inverse)


@part
def pack_columns(
    sampled: Any, output: int, inverse: Any, first: int, count: int, height: int, panels_out: Any
) -> None:
    """Pack `count` columns of S from `first` on, times the root of B^-1, as rows of panels."""
    n_rows = sampled.shape[1]
    for column in range(first, first + count):
        root = math.sqrt(inverse[output, column])
        place = (column - first) * LANES
        for row in range(n_rows):
            at = row // LANES * height + place + row % LANES
            panels_out[at] = root * float(sampled[output, row, column])


@part
def unpack_lower(sums: Any, n_panels: int, matrix_out: Any) -> None:
    """Copy the cells to the lower triangle of the matrix, and add 1 to the diagonal."""
    for row in range(len(matrix_out)):
        for column in range(row + 1):
            strip = column // (CELL_PANELS * LANES)
            cell = cells_before(strip, n_panels) + row // LANES - CELL_PANELS * strip
            inside = column - strip * CELL_PANELS * LANES
            matrix_out[row, column] = sums[cell * CELL + inside * LANES + row % LANES]
        matrix_out[row, row] += 1.0


def _sample(layout: Layout) -> Twins:
    direct = layout is Layout.DIRECT
    source = direct_source if direct else gathered_source
    bring_block = direct_block if direct else gathered_block

    @kernel
    def copy_rows(
        rows: Any, indices: Any, output: int, size: float, intercept: float, sampled_out: Any
    ) -> None:
        """Copy the standardised rows of an output, times `size`, with the intercept behind."""
        n_features = rows.center.size
        work = np.zeros(0 if direct else packed_width(n_features))
        values = source(rows.X, work)
        for row in range(indices.shape[1]):
            place = bring_block(rows, indices[output, row], 1, work.size, work, 0)
            for column in range(n_features):
                centred = values[place + column] - rows.center[column]
                sampled_out[output, row, column] = centred * rows.inverse_scale[column] * size
            sampled_out[output, row, n_features] = intercept * size
            for column in range(n_features + 1, sampled_out.shape[2]):
                sampled_out[output, row, column] = 0.0

    def sample(
        rows: Any, indices: Any, sizes: Any, intercept: float, inverse: Any,
        sampled_out: Any, lower_out: Any,
    ) -> None:  # fmt: skip
        n_rows, n_columns = indices.shape[1], inverse.shape[1]
        n_panels = (n_rows + LANES - 1) // LANES
        n_strips = (n_panels + CELL_PANELS - 1) // CELL_PANELS
        n_cells, height = cells_before(n_strips, n_panels), BLOCK * LANES + LANES
        for output in prange(len(indices)):
            copy_rows(rows, indices, output, sizes[output], intercept, sampled_out)
            sums = zeros_at_line(n_cells * CELL)
            panels = zeros_at_line(n_strips * CELL_PANELS * height)
            for first in range(0, n_columns, BLOCK):
                count = min(BLOCK, n_columns - first)
                pack_columns(sampled_out, output, inverse, first, count, height, panels)
                add_cells(panels, height, count, Cells(n_rows, 0, 0, n_cells), sums, 0)
            unpack_lower(sums, n_panels, lower_out[output])
            factor_one(lower_out[output], 0.0, lower_out[output])

    return entry(sample, name=layout.value)


_SAMPLE = {layout: _sample(layout) for layout in Layout}


def sample(layout: Layout) -> Twins:
    """Return the compiled `sample`, for rows read in place or gathered.

    ``sample(rows, indices, sizes, intercept, inverse, sampled_out, lower_out)`` puts what
    `apply_inverse` takes as `rows` and `lower` into the last two: of each output the standardised
    rows of `indices` (n_outputs, m), with `intercept` behind, times ``sizes[output]``, and the
    factor of I + S B^-1 S', with zeros above the diagonal.
    """
    return _SAMPLE[layout]
