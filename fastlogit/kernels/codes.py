"""Passes over categorical columns that lie as codes, for many models at once: nothing is expanded.

A column of codes has a *level* for each code, and each level has a number in a table: coefficients
are looked up there by code, and gradients scattered, into strips (`scattered`). The tables of all
columns lie one after the other, that of column k from ``firsts[k]`` on. Numbers of several models
lie next to each other for each level, in `model_slots` of them, whole vectors of eight.

No code is checked here: each must be below the levels of its column.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import prange

from ..arrays import Indices
from .passes import Layout, direct_block, direct_source, gathered_block, gathered_source
from .policy import Twins, entry, kernel, part
from .rows import empty_at_line, packed_width, unpack_slot, zeros_at_line
from .scattered import PARTS, add_strips, by_model, by_row, passes_by
from .simd import LANES, add, load, multiply_add, splat, store, subtract

__all__ = [
    "PASSES",
    "CodedRows",
    "gram",
    "model_slots",
    "products_with_dense",
    "products_with_sparse",
    "scatter",
    "slots_of",
    "width_of",
]

# Dense rows that are brought and multiplied by their weights at a time: in L1.
BLOCK = 32
# Rows whose numbers are scattered at a time, column after column: in L1.
SCATTERED = 1024


class CodedRows(NamedTuple):
    """Rows as kernels see them: ``codes[k * stride + i]`` is the level of row i in column k.

    The numbers of column k's levels are ``firsts[k]`` and those that follow in a table.
    """

    codes: Any
    stride: int
    firsts: Any
    n_levels: int


def model_slots(n_models: int) -> int:
    """Return how many numbers lie together for a level: one, or whole vectors of eight."""
    return 1 if n_models == 1 else (n_models + LANES - 1) // LANES * LANES


# ------------------------------------------------------------------------------------------------
# Cost and gradient


@part
def look_up_block(
    rows: Any, first: int, count: int, table: Any, intercept: Any, size: int, raw_out: Any,
    turned: Any,
) -> None:  # fmt: skip
    """Give raw predictions of a block, model after model, `size` for each.

    `turned` is room for `size` rows of all slots, used where there are several models.
    """
    codes, stride, firsts, n_slots = rows.codes, rows.stride, rows.firsts, intercept.size
    # Numbers without sign need no check for an index from the end.
    n_rows, begin = np.uint64(count), np.uint64(first)
    if n_slots == 1:
        for row in range(n_rows):
            raw_out[row] = intercept[0]
        for column in range(np.uint64(firsts.size)):
            base, line = np.uint64(firsts[column]), column * np.uint64(stride) + begin
            for row in range(n_rows):
                raw_out[row] += table[base + np.uint64(codes[line + row])]
        return
    for row in range(count):
        for slot in range(0, n_slots, LANES):
            sums = load(intercept, slot)
            for column in range(firsts.size):
                code = codes[np.uint64(column * stride + first + row)]
                level = firsts[column] + np.int64(code)
                sums = add(sums, load(table, level * n_slots + slot))
            store(turned, row * n_slots + slot, sums)
    by_model(turned, count, n_slots, size, raw_out)


@part
def scatter_block(
    rows: Any, first: int, count: int, residual: Any, size: int, n_slots: int, turned: Any,
    gradient_out: Any,
) -> None:  # fmt: skip
    """Add the residuals of each level's rows to the level's gradients."""
    codes, stride, firsts = rows.codes, rows.stride, rows.firsts
    n_rows, begin = np.uint64(count), np.uint64(first)
    if n_slots == 1:
        for column in range(np.uint64(firsts.size)):
            base, line = np.uint64(firsts[column]), column * np.uint64(stride) + begin
            for row in range(n_rows):
                gradient_out[base + np.uint64(codes[line + row])] += residual[row]
        return
    by_row(residual, count, n_slots, size, turned)
    for row in range(count):
        for column in range(firsts.size):
            code = codes[np.uint64(column * stride + first + row)]
            at_level = (firsts[column] + np.int64(code)) * n_slots
            for slot in range(0, n_slots, LANES):
                place = at_level + slot
                more = load(turned, row * n_slots + slot)
                store(gradient_out, place, add(load(gradient_out, place), more))


PASSES = passes_by("codes", look_up_block, scatter_block)


@part
def scatter_chunk(rows: Any, start: int, stop: int, vectors: Any, sums_out: Any) -> None:
    """Add the numbers of each level's rows, of one vector after the other."""
    codes, stride, firsts = rows.codes, np.uint64(rows.stride), rows.firsts
    sums_out[:] = 0.0
    size = np.uint64(rows.n_levels)
    for first in range(start, stop, SCATTERED):
        begin, end = np.uint64(first), np.uint64(min(first + SCATTERED, stop))
        for vector in range(np.uint64(vectors.shape[0])):
            for column in range(np.uint64(firsts.size)):
                base, line = vector * size + np.uint64(firsts[column]), column * stride
                for row in range(begin, end):
                    sums_out[base + np.uint64(codes[line + row])] += vectors[vector, row]


def _scatter(rows: Any, bounds: Any, vectors: Any, strips: Any, sums_out: Any) -> None:
    for chunk in prange(bounds.size - 1):
        scatter_chunk(rows, bounds[chunk], bounds[chunk + 1], vectors, strips[chunk])
    for piece in prange(PARTS):
        add_strips(strips, piece, sums_out)


# ------------------------------------------------------------------------------------------------
# Products


@part
def count_pairs(rows: Any, start: int, stop: int, weights: Any, products_out: Any) -> None:
    """Add each row's weight at the levels of each two columns, and of each column with itself.

    `products_out` is flat, a line of all levels for each; its lower triangle is set.
    """
    codes, stride, firsts = rows.codes, rows.stride, rows.firsts
    products_out[:] = 0.0
    begin, end, size = np.uint64(start), np.uint64(stop), np.uint64(rows.n_levels)
    for column in range(np.uint64(firsts.size)):
        base, line = np.uint64(firsts[column]), column * np.uint64(stride)
        for row in range(begin, end):
            level = base + np.uint64(codes[line + row])
            products_out[level * size + level] += weights[row]
        for other in range(column):
            left, across = np.uint64(firsts[other]), other * np.uint64(stride)
            for row in range(begin, end):
                level = base + np.uint64(codes[line + row])
                at = left + np.uint64(codes[across + row])
                products_out[level * size + at] += weights[row]


def _gram(rows: Any, bounds: Any, weights: Any, strips: Any, products_out: Any) -> None:
    for chunk in prange(bounds.size - 1):
        count_pairs(rows, bounds[chunk], bounds[chunk + 1], weights, strips[chunk])
    for piece in prange(PARTS):
        add_strips(strips, piece, products_out)


@part
def add_sparse(
    rows: Any, sparse: Any, start: int, stop: int, weights: Any, n_features: int, products_out: Any
) -> None:
    """Add weight times each stored value at the levels of its row, `n_features` for each level."""
    codes, stride, firsts = rows.codes, np.uint64(rows.stride), rows.firsts
    data, indices, width = sparse.data, sparse.indices, np.uint64(n_features)
    products_out[:] = 0.0
    for row in range(np.uint64(start), np.uint64(stop)):
        weight = weights[row]
        if weight == 0.0:
            continue
        begin, end = np.uint64(sparse.begins[row]), np.uint64(sparse.ends[row])
        for column in range(np.uint64(firsts.size)):
            code = np.uint64(codes[column * stride + row])
            line = (np.uint64(firsts[column]) + code) * width
            for place in range(begin, end):
                products_out[line + np.uint64(indices[place])] += weight * data[place]


def _products_with_sparse(
    rows: Any, sparse: Any, bounds: Any, weights: Any, strips: Any, products_out: Any
) -> None:
    n_features = products_out.size // rows.n_levels
    for chunk in prange(bounds.size - 1):
        add_sparse(
            rows, sparse, bounds[chunk], bounds[chunk + 1], weights, n_features, strips[chunk]
        )
    for piece in prange(PARTS):
        add_strips(strips, piece, products_out)


@part
def weigh_rows(
    values: Any, place: int, stride: int, width: int, first: int, count: int, weights: Any,
    center: Any, weighed_out: Any,
) -> None:  # fmt: skip
    """Put weight times the centred row of `count` rows next to each other, packed."""
    packed, zero = center.size, splat(0.0)
    last = packed - LANES
    for row in range(count):
        start, factor, column = place + row * stride, splat(weights[first + row]), 0
        while column <= last:
            at = start + (column if column < last else width - LANES)
            centred = subtract(load(values, at), load(center, column))
            store(weighed_out, row * packed + column, multiply_add(centred, factor, zero))
            column += LANES


@part
def add_weighed(
    rows: Any, first: int, count: int, weighed: Any, packed: int, products_out: Any
) -> None:
    """Add packed rows at their levels."""
    codes, stride, firsts = rows.codes, rows.stride, rows.firsts
    for column in range(firsts.size):
        for row in range(count):
            code = codes[np.uint64(column * stride + first + row)]
            line = (firsts[column] + np.int64(code)) * packed
            for slot in range(0, packed, LANES):
                more = load(weighed, row * packed + slot)
                store(products_out, line + slot, add(load(products_out, line + slot), more))


def _products_with_dense(layout: Layout) -> Twins:
    direct = layout is Layout.DIRECT
    source = direct_source if direct else gathered_source
    bring_block = direct_block if direct else gathered_block

    @kernel
    def add_chunk(
        rows: Any, dense: Any, start: int, stop: int, weights: Any, center: Any, products_out: Any
    ) -> None:
        """Set the products of one chunk of rows."""
        packed = center.size
        width = dense.center.size if direct else packed
        products_out[:] = 0.0
        work = zeros_at_line(0 if direct else BLOCK * width)
        weighed, values = empty_at_line(BLOCK * packed), source(dense.X, work)
        for first in range(start, stop, BLOCK):
            count = min(BLOCK, stop - first)
            place = bring_block(dense, first, count, width, work, 0)
            stride = dense.stride if direct else width
            weigh_rows(values, place, stride, width, first, count, weights, center, weighed)
            add_weighed(rows, first, count, weighed, packed, products_out)

    def products_with_dense(
        rows: Any, dense: Any, bounds: Any, weights: Any, strips: Any, products_out: Any
    ) -> None:
        n_features = dense.center.size
        packed = packed_width(n_features)
        width, center = n_features if direct else packed, zeros_at_line(packed)
        for column in range(n_features):
            center[unpack_slot(column, width, packed)] = dense.center[column]
        for chunk in prange(bounds.size - 1):
            add_chunk(rows, dense, bounds[chunk], bounds[chunk + 1], weights, center, strips[chunk])
        for piece in prange(PARTS):
            add_strips(strips, piece, products_out)

    return entry(products_with_dense, name=layout.value)


def width_of(n_features: int) -> int:
    """Return how many numbers packed rows have: whole vectors."""
    return max(1, (n_features + LANES - 1) // LANES) * LANES


def slots_of(n_features: int, layout: Layout) -> Indices:
    """Return where the columns of dense rows are among the packed ones of their products.

    There are `width_of` of them for each level.
    """
    last = width_of(n_features) - LANES
    shift = n_features - LANES if layout is Layout.DIRECT else last
    at = np.arange(n_features)
    found: Indices = np.where(at < last, at, last + at - shift)
    return found


# Each takes `CodedRows`, and `bounds`, the rows at which chunks begin and end.
#
# scatter(rows, bounds, vectors, strips, sums_out): the sums of vectors (n, n_samples) over each
# level's rows, n_levels for each.
scatter = entry(_scatter)
# gram(rows, bounds, weights, strips, products_out): see `count_pairs`.
gram = entry(_gram)
# products_with_sparse(rows, sparse, bounds, weights, strips, products_out): see
# `add_sparse`.
products_with_sparse = entry(_products_with_sparse)

_WITH_DENSE = {layout: _products_with_dense(layout) for layout in Layout}


def products_with_dense(layout: Layout) -> Twins:
    """Return the compiled ``products_with_dense(rows, dense, bounds, weights, strips, out)``.

    It sets `out` to the sums of weight times centred dense row of each level's rows, packed (see
    `slots_of`), for dense rows read in place or gathered.
    """
    return _WITH_DENSE[layout]
