"""The largest row of X, measured on scaled columns: what bounds how far a step can turn a loss."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import prange

from .gram import pack_columns
from .passes import Layout, chunk_rows, direct_block, direct_source, gathered_block, gathered_source
from .policy import Twins, entry, part
from .rows import Span, empty_at_line, packed_width, zeros_at_line
from .simd import LANES, load, multiply_add, splat, subtract, total

__all__ = ["largest_row"]

# Rows gathered at a time.
GATHERED = 32


@part
def largest_of(values: Any, span: Span, center: Any, scale: Any) -> float:
    """Return the largest sum of squares of ``(row - center) * scale``; infinite if it overflows."""
    place, stride, width, count = span
    last = center.size - LANES
    zero, largest = splat(0.0), 0.0
    for row in range(count):
        start, squares, column = place + row * stride, splat(0.0), 0
        while column <= last:
            at = start + (column if column < last else width - LANES)
            centred = subtract(load(values, at), load(center, column))
            scaled = multiply_add(centred, load(scale, column), zero)
            squares = multiply_add(scaled, scaled, squares)
            column += LANES
        size = total(squares)
        if not size <= largest:
            largest = size if size == size else np.inf
    return largest


def _largest_row(layout: Layout) -> Twins:
    direct = layout is Layout.DIRECT
    source = direct_source if direct else gathered_source
    bring_block = direct_block if direct else gathered_block

    def largest_row(rows: Any, largest_out: Any) -> None:
        n_features = rows.center.size
        packed = packed_width(n_features)
        width = n_features if direct else packed
        center, scale = empty_at_line(packed), empty_at_line(packed)
        pack_columns(rows, width, center, scale)
        step = chunk_rows(rows.n_samples, n_features)
        for chunk in prange((rows.n_samples + step - 1) // step):
            stop = min((chunk + 1) * step, rows.n_samples)
            work = zeros_at_line(0 if direct else GATHERED * width)
            values, largest = source(rows.X, work), 0.0
            for begin in range(chunk * step, stop, GATHERED):
                count = min(GATHERED, stop - begin)
                place = bring_block(rows, begin, count, width, work, 0)
                span = Span(place, rows.stride if direct else width, width, count)
                found = largest_of(values, span, center, scale)
                largest = max(largest, found)
            largest_out[chunk] = largest

    return entry(largest_row, name=layout.value)


_BY_FORM = {layout: _largest_row(layout) for layout in Layout}


def largest_row(layout: Layout) -> Twins:
    """Return the compiled ``largest_row(rows, largest_out)`` for rows read in place or gathered.

    It puts the largest sum of squares of the standardised rows of each chunk into `largest_out`,
    which has room for `MAX_CHUNKS` of them.
    """
    return _BY_FORM[layout]
