"""Sums of squares of linear functions of each row: what leverages are made of.

With the inverse W W' of a Hessian the leverage of a row x of curvature c is c |W' x|^2. Eight
functions fill a vector, and four rows share each load of their coefficients. A triangular W' costs
half: each eight functions end where their coefficients do.
"""

from __future__ import annotations

from typing import Any

from numba import prange

from .passes import Layout, chunk_rows, direct_block, direct_source, gathered_block, gathered_source
from .policy import Twins, entry, part
from .rows import Span, empty_at_line, pack_rows, packed_width, unpack_slot, zeros_at_line
from .simd import LANES, broadcast, load, multiply_add, store, total

__all__ = ["FUNCTIONS", "row_squares"]

# Linear functions that fill a vector.
FUNCTIONS = LANES
# Rows that share a load of coefficients, and rows of a block.
TOGETHER, HEIGHT = 4, 32


@part
def add_square(vector: Any, sums_out: Any, row: int) -> None:
    """Add the squares of a vector to those of a row."""
    at = row * LANES
    store(sums_out, at, multiply_add(vector, vector, load(sums_out, at)))


@part
def add_tile(
    packed: Any, size: int, width: int, factor: Any, first: int, start: Any, reach: int,
    sums_out: Any,
) -> None:  # fmt: skip
    """Add the squares of eight functions for each row of a block of packed rows.

    Their coefficients begin at `first` of `factor`, and `start` is what they are of a row of 0.
    """
    last = size - LANES
    for row in range(0, HEIGHT, TOGETHER):
        a0, a1, a2, a3 = start, start, start, start
        for column in range(reach):
            coefficients = load(factor, first + column * LANES)
            at = row * size + (column if column < last else unpack_slot(column, width, size))
            a0 = multiply_add(coefficients, broadcast(packed, at), a0)
            a1 = multiply_add(coefficients, broadcast(packed, at + size), a1)
            a2 = multiply_add(coefficients, broadcast(packed, at + 2 * size), a2)
            a3 = multiply_add(coefficients, broadcast(packed, at + 3 * size), a3)
        add_square(a0, sums_out, row)
        add_square(a1, sums_out, row + 1)
        add_square(a2, sums_out, row + 2)
        add_square(a3, sums_out, row + 3)


def _row_squares(layout: Layout) -> Twins:
    direct = layout is Layout.DIRECT
    source = direct_source if direct else gathered_source
    bring_block = direct_block if direct else gathered_block

    def row_squares(rows: Any, factor: Any, last: Any, reach: Any, squares_out: Any) -> None:
        n_features = rows.center.size
        size = packed_width(n_features)
        width = n_features if direct else size
        center = zeros_at_line(size)
        for column in range(n_features):
            center[unpack_slot(column, width, size)] = rows.center[column]
        step = chunk_rows(rows.n_samples, n_features)
        for chunk in prange((rows.n_samples + step - 1) // step):
            stop = min((chunk + 1) * step, rows.n_samples)
            work = empty_at_line(0 if direct else HEIGHT * width)
            packed, sums = zeros_at_line(HEIGHT * size), empty_at_line(HEIGHT * LANES)
            values = source(rows.X, work)
            for begin in range(chunk * step, stop, HEIGHT):
                count = min(HEIGHT, stop - begin)
                place = bring_block(rows, begin, count, width, work, 0)
                span = Span(place, rows.stride if direct else width, width, count)
                pack_rows(values, span, center, packed)
                sums[:] = 0.0
                for tile in range(reach.size):
                    add_tile(
                        packed, size, width, factor, tile * n_features * LANES,
                        load(last, tile * LANES), reach[tile], sums,
                    )  # fmt: skip
                for row in range(count):
                    squares_out[begin + row] = total(load(sums, row * LANES))

    return entry(row_squares, name=layout.value)


_BY_FORM = {layout: _row_squares(layout) for layout in Layout}


def row_squares(layout: Layout) -> Twins:
    """Return the compiled ``row_squares(rows, factor, last, reach, squares_out)``.

    Function j of a centred row x is ``factor[j] @ x + last[j]``. The functions come in tiles of
    `FUNCTIONS`: `factor` is the flat (n_tiles, n_features, FUNCTIONS), in the units of X, and
    `reach` says for each tile how many columns it needs. `squares_out` (n_samples,).
    """
    return _BY_FORM[layout]
