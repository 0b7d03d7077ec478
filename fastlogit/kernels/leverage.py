"""Sums of squares of linear functions of each row: what leverages are made of.

With the inverse W W' of a Hessian the leverage of a row x of curvature c is c |W' x|^2. Rows are
turned into columns of a block, so that eight rows fill a vector, and four functions share each load
of a column. A triangular W' costs half: each four functions end where their coefficients do.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import prange

from .columns import block_height
from .passes import Layout, chunk_rows, direct_block, direct_source, gathered_block, gathered_source
from .policy import Twins, entry, kernel
from .rows import Span, empty_at_line, packed_width, zeros_at_line
from .simd import LANES, add, broadcast, load, multiply_add, splat, store

__all__ = ["FUNCTIONS", "row_squares"]

# Linear functions that share the loads of a column.
FUNCTIONS = 4


@kernel
def turn_rows(values: Any, span: Span, center: Any, height: int, columns_out: Any) -> None:
    """Copy rows, centred, to columns of `height` numbers; rows beyond the last one stay."""
    place, stride, _, count = span
    # Numbers without sign need no check for an index from the end.
    apart, high = np.uint64(stride), np.uint64(height)
    whole = count - count % LANES
    for first in range(0, whole, LANES):
        at, to = np.uint64(place + first * stride), np.uint64(first)
        for column in range(np.uint64(center.size)):
            middle, source = center[column], at + column
            for lane in range(np.uint64(LANES)):
                columns_out[to + lane] = values[source] - middle
                source += apart
            to += high
    for row in range(whole, count):
        at, to = np.uint64(place + row * stride), np.uint64(row)
        for column in range(np.uint64(center.size)):
            columns_out[to] = values[at + column] - center[column]
            to += high


@kernel
def squares_of_block(
    columns: Any, height: int, factor: Any, last: Any, reach: Any, squares_out: Any
) -> None:
    """Sum of the squares of all functions for each row of a block."""
    n_features = columns.size // height
    zero = splat(0.0)
    for row in range(0, height, 2 * LANES):
        # Two vectors of rows share what is loaded of the functions; the last may come again.
        other = min(row + LANES, height - LANES) - row
        r, s = zero, zero
        for tile in range(reach.size):
            first = tile * FUNCTIONS
            a0, a1 = broadcast(last, first), broadcast(last, first + 1)
            a2, a3 = broadcast(last, first + 2), broadcast(last, first + 3)
            b0, b1, b2, b3 = a0, a1, a2, a3
            at, place = first * n_features, row
            for _ in range(reach[tile]):
                x, y = load(columns, place), load(columns, place + other)
                f0, f1 = broadcast(factor, at), broadcast(factor, at + 1)
                a0, b0 = multiply_add(x, f0, a0), multiply_add(y, f0, b0)
                a1, b1 = multiply_add(x, f1, a1), multiply_add(y, f1, b1)
                f2, f3 = broadcast(factor, at + 2), broadcast(factor, at + 3)
                a2, b2 = multiply_add(x, f2, a2), multiply_add(y, f2, b2)
                a3, b3 = multiply_add(x, f3, a3), multiply_add(y, f3, b3)
                at += FUNCTIONS
                place += height
            r = add(r, add(squares(a0, a1), squares(a2, a3)))
            s = add(s, add(squares(b0, b1), squares(b2, b3)))
        store(squares_out, row, r)
        store(squares_out, row + other, s)


@kernel
def squares(a: Any, b: Any) -> Any:
    """The sum of the squares of two vectors."""
    return multiply_add(a, a, multiply_add(b, b, splat(0.0)))


def _row_squares(layout: Layout) -> Twins:
    direct = layout is Layout.DIRECT
    source = direct_source if direct else gathered_source
    bring_block = direct_block if direct else gathered_block

    def row_squares(rows: Any, factor: Any, last: Any, reach: Any, squares_out: Any) -> None:
        n_features = rows.center.size
        width = n_features if direct else packed_width(n_features)
        height = block_height(n_features)
        step = chunk_rows(rows.n_samples, n_features)
        for chunk in prange((rows.n_samples + step - 1) // step):
            stop = min((chunk + 1) * step, rows.n_samples)
            work = empty_at_line(0 if direct else height * width)
            columns, squares = zeros_at_line(n_features * height), empty_at_line(height)
            values = source(rows.X, work)
            for begin in range(chunk * step, stop, height):
                count = min(height, stop - begin)
                place = bring_block(rows, begin, count, width, work, 0)
                span = Span(place, rows.stride if direct else width, width, count)
                turn_rows(values, span, rows.center, height, columns)
                squares_of_block(columns, height, factor, last, reach, squares)
                for row in range(count):
                    squares_out[begin + row] = squares[row]

    return entry(row_squares, name=layout.value)


_BY_FORM = {layout: _row_squares(layout) for layout in Layout}


def row_squares(layout: Layout) -> Twins:
    """Return the compiled ``row_squares(rows, factor, last, reach, squares_out)``.

    Function j of a centred row x is ``factor[j] @ x + last[j]``. The functions come in tiles of
    `FUNCTIONS`: `factor` is the flat (n_tiles, n_features, FUNCTIONS), in the units of X, and
    `reach` says for each tile how many columns it needs. `squares_out` (n_samples,).
    """
    return _BY_FORM[layout]
