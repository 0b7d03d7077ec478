"""The inverse of a diagonal matrix plus the products of a few rows, times vectors.

(B + S' S)^-1 = B^-1 - B^-1 S' (I + S B^-1 S')^-1 S B^-1 (Woodbury, 1950): for m rows of d columns
2 m d multiply-adds a vector instead of d^2, where m is far below d.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import prange

from .cholesky import solve_backward, solve_forward
from .policy import entry, kernel
from .simd import LANES, add, load, multiply_add, splat, store, total

__all__ = ["apply_inverse"]

# Rows that share a pass over the vector.
UNROLL = 4


@kernel
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


@kernel
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
        scaled, back = np.zeros(width), np.zeros(width)
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
