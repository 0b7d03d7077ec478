"""Passes over rows of which only some values are stored: compressed rows, for many models at once.

A block of rows is read once: raw predictions gather coefficients, and gradients are scattered while
the block is in cache, into strips (`scattered`). Coefficients of several models lie next to each
other for each column, in `model_slots` of them, four or whole vectors of eight.

No index is checked here but in `look_at_rows`: rows must have passed it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import prange

from .policy import entry, kernel, part
from .scattered import PARTS, add_strips, by_model, by_row, passes_by
from .simd import LANES, add, load, multiply_add, prefetch, prefetch_l2, splat, store

__all__ = [
    "OUT_OF_RANGE",
    "PASSES",
    "UNSORTED",
    "SparseRows",
    "column_sums",
    "copy_columns",
    "first_not_finite",
    "gram",
    "largest_row",
    "look_at_rows",
    "model_slots",
]

# What `look_at_rows` finds, added up.
OUT_OF_RANGE, UNSORTED = 1, 2
# Up to so many models have as many numbers for each column, half a cache line: a product of 3 with
# 100,000 x 100,000, 45 values a row, takes 39 ms where it took 60 with eight (1 thread of a busy
# machine, the least of 25 in turns).
FEW = 4
# Numbers without sign need no check for an index from the end, which takes a third of a pass.
_ONE, _FOUR = np.uint64(1), np.uint64(4)
# Coefficients of more than eight models lie far apart: those of the next row, and the gradients so
# many values ahead, are asked for early. Of 100,000 x 100,000 with 45 values a row by 20 models raw
# predictions take 79 ms where they took 96, a product 166 where it took 175 (2 threads of a busy
# machine, the least of 25 in turns); by 3 models it would gain nothing.
_AHEAD = np.uint64(6)
_TWO, _THREE = np.uint64(2), np.uint64(3)
# Values, and indices of 32 bits, of a cache line.
_LINE, _LINE_OF_INDICES = np.uint64(8), np.uint64(16)


class SparseRows(NamedTuple):
    """Rows as kernels see them.

    The values of row i are ``data[begins[i]:ends[i]]``, those of the columns
    ``indices[begins[i]:ends[i]]``, which rise.
    """

    data: Any
    indices: Any
    begins: Any
    ends: Any


def model_slots(n_models: int) -> int:
    """Return how many coefficients lie together for a column: one, four, or vectors of eight."""
    if n_models <= FEW:
        return 1 if n_models == 1 else FEW
    return (n_models + LANES - 1) // LANES * LANES


# ------------------------------------------------------------------------------------------------
# The check


@part
def look_at_row(indices: Any, begin: int, end: int, n_columns: int) -> int:
    """Say whether indices of a row are out of range, and whether they do not rise."""
    found, last = 0, -1
    for place in range(np.uint64(begin), np.uint64(end)):
        index = indices[place]
        if index < 0 or index >= n_columns:
            found |= OUT_OF_RANGE
        if index <= last:
            found |= UNSORTED
        last = index
    return found


def _look_at_rows(indices: Any, indptr: Any, n_columns: int, found_out: Any) -> None:
    n_rows, n_chunks = indptr.size - 1, found_out.size
    step = (n_rows + n_chunks - 1) // n_chunks
    for chunk in prange(n_chunks):
        found = 0
        for row in range(chunk * step, min((chunk + 1) * step, n_rows)):
            found |= look_at_row(indices, indptr[row], indptr[row + 1], n_columns)
        found_out[chunk] = found


# ------------------------------------------------------------------------------------------------
# Cost and gradient


@part
def predict_row(rows: Any, row: int, coef: Any) -> float:
    """Return the sum of a row's values times the coefficients of one model: four sums in turn."""
    data, indices = rows.data, rows.indices
    begin, end = np.uint64(rows.begins[row]), np.uint64(rows.ends[row])
    a, b, c, d = 0.0, 0.0, 0.0, 0.0
    place = begin
    while place + _THREE < end:
        a += data[place] * coef[np.uint64(indices[place])]
        b += data[place + _ONE] * coef[np.uint64(indices[place + _ONE])]
        c += data[place + _TWO] * coef[np.uint64(indices[place + _TWO])]
        d += data[place + _THREE] * coef[np.uint64(indices[place + _THREE])]
        place += _FOUR
    while place < end:
        a += data[place] * coef[np.uint64(indices[place])]
        place += _ONE
    return (a + b) + (c + d)


@part
def predict_few(
    rows: Any, first: int, count: int, coef: Any, intercept: Any, size: int, raw_out: Any
) -> None:
    """Give raw predictions of a block by four models, `size` for each."""
    data, indices = rows.data, rows.indices
    second, third, fourth = size, 2 * size, 3 * size
    for row in range(count):
        a, b, c, d = intercept[0], intercept[1], intercept[2], intercept[3]
        begin, end = np.uint64(rows.begins[first + row]), np.uint64(rows.ends[first + row])
        for place in range(begin, end):
            value, at = data[place], np.uint64(indices[place]) * _FOUR
            a += value * coef[at]
            b += value * coef[at + _ONE]
            c += value * coef[at + _TWO]
            d += value * coef[at + _THREE]
        raw_out[row], raw_out[second + row] = a, b
        raw_out[third + row], raw_out[fourth + row] = c, d


@part
def scatter_few(
    rows: Any, first: int, count: int, residual: Any, size: int, gradient_out: Any
) -> None:
    """Add residual times row to the gradients of four models."""
    data, indices = rows.data, rows.indices
    for row in range(count):
        a, b = residual[row], residual[size + row]
        c, d = residual[2 * size + row], residual[3 * size + row]
        begin, end = np.uint64(rows.begins[first + row]), np.uint64(rows.ends[first + row])
        for place in range(begin, end):
            value, at = data[place], np.uint64(indices[place]) * _FOUR
            gradient_out[at] += value * a
            gradient_out[at + _ONE] += value * b
            gradient_out[at + _TWO] += value * c
            gradient_out[at + _THREE] += value * d


@part
def ask_values(data: Any, indices: Any, begin: Any, end: Any) -> None:
    """Ask memory for values and indices."""
    for place in range(begin, end, _LINE_OF_INDICES):
        prefetch_l2(data, place)
        prefetch_l2(data, place + _LINE)
        prefetch_l2(indices, place)


@part
def scatter_row(
    data: Any, indices: Any, begin: Any, end: Any, factor: float, gradient_out: Any
) -> None:
    """Add factor times row to the gradient of one model.

    The columns of a row differ: four numbers are read before the first is written.
    """
    place = begin
    while place + _THREE < end:
        a, b = np.uint64(indices[place]), np.uint64(indices[place + _ONE])
        c, d = np.uint64(indices[place + _TWO]), np.uint64(indices[place + _THREE])
        of_a = gradient_out[a] + data[place] * factor
        of_b = gradient_out[b] + data[place + _ONE] * factor
        of_c = gradient_out[c] + data[place + _TWO] * factor
        of_d = gradient_out[d] + data[place + _THREE] * factor
        gradient_out[a], gradient_out[b] = of_a, of_b
        gradient_out[c], gradient_out[d] = of_c, of_d
        place += _FOUR
    while place < end:
        gradient_out[np.uint64(indices[place])] += data[place] * factor
        place += _ONE


@part
def ask_ahead(rows: Any, row: int, coef: Any, n_slots: int) -> None:
    """Ask memory for the coefficients of a row, if there is one."""
    if row < rows.begins.size:
        for place in range(np.uint64(rows.begins[row]), np.uint64(rows.ends[row])):
            at = rows.indices[place] * n_slots
            for slot in range(0, n_slots, LANES):
                prefetch(coef, at + slot)


@part
def predict_block(
    rows: Any, first: int, count: int, coef: Any, intercept: Any, size: int, raw_out: Any,
    turned: Any,
) -> None:  # fmt: skip
    """Give raw predictions of a block, model after model, `size` for each.

    `turned` is room for `size` rows of all slots, used where there are several models.
    """
    n_slots = intercept.size
    if n_slots == 1:
        for row in range(count):
            raw_out[row] = predict_row(rows, first + row, coef) + intercept[0]
        return
    if n_slots == FEW:
        predict_few(rows, first, count, coef, intercept, size, raw_out)
        return
    data, indices = rows.data, rows.indices
    for row in range(count):
        begin, end = rows.begins[first + row], rows.ends[first + row]
        pairs = end - (end - begin) % 2
        if n_slots > LANES:
            ask_ahead(rows, first + row + 1, coef, n_slots)
        for slot in range(0, n_slots, LANES):
            a, b = load(intercept, slot), splat(0.0)
            for place in range(begin, pairs, 2):
                here, there = np.uint64(place), np.uint64(place + 1)
                one = load(coef, indices[here] * n_slots + slot)
                a = multiply_add(one, splat(data[here]), a)
                other = load(coef, indices[there] * n_slots + slot)
                b = multiply_add(other, splat(data[there]), b)
            if pairs < end:
                here = np.uint64(pairs)
                one = load(coef, indices[here] * n_slots + slot)
                a = multiply_add(one, splat(data[here]), a)
            store(turned, row * n_slots + slot, add(a, b))
    by_model(turned, count, n_slots, size, raw_out)


@part
def scatter_block(
    rows: Any, first: int, count: int, residual: Any, size: int, n_slots: int, turned: Any,
    gradient_out: Any,
) -> None:  # fmt: skip
    """Add residual times row to the gradients of all models."""
    data, indices = rows.data, rows.indices
    if n_slots == 1:
        # The next block, where rows follow each other. Each row's share with the row: asked for
        # all at once the lines wait for each other.
        ahead = np.uint64(rows.ends[first + count - 1]) - np.uint64(rows.begins[first])
        for row in range(count):
            begin, end = np.uint64(rows.begins[first + row]), np.uint64(rows.ends[first + row])
            ask_values(data, indices, begin + ahead, end + ahead)
            scatter_row(data, indices, begin, end, residual[row], gradient_out)
        return
    if n_slots == FEW:
        scatter_few(rows, first, count, residual, size, gradient_out)
        return
    by_row(residual, count, n_slots, size, turned)
    for row in range(count):
        begin, end = np.uint64(rows.begins[first + row]), np.uint64(rows.ends[first + row])
        for place in range(begin, end):
            value, at = splat(data[place]), indices[place] * n_slots
            if n_slots > LANES and place + _AHEAD < end:
                ahead = indices[place + _AHEAD] * n_slots
                for slot in range(0, n_slots, LANES):
                    prefetch(gradient_out, ahead + slot)
            for slot in range(0, n_slots, LANES):
                factor = load(turned, row * n_slots + slot)
                sums = multiply_add(value, factor, load(gradient_out, at + slot))
                store(gradient_out, at + slot, sums)


PASSES = passes_by("sparse", predict_block, scatter_block)


# ------------------------------------------------------------------------------------------------
# Sums of squares and products


@part
def sum_columns(rows: Any, start: int, stop: int, weights: Any, center: Any, sums_out: Any) -> None:
    """Add weight, and weight times squared distance from `center`, of each stored value.

    `sums_out` has both for each column, next to each other: one line of memory, not two.
    """
    data, indices = rows.data, rows.indices
    sums_out[:] = 0.0
    for row in range(start, stop):
        weight = weights[0, row] if weights.shape[0] > 0 else 1.0
        if not weight > 0.0:
            continue
        for place in range(np.uint64(rows.begins[row]), np.uint64(rows.ends[row])):
            column = np.uint64(indices[place])
            far, at = data[place] - center[column], _TWO * column
            # In this order: of weight 1 the twins, of which the compiler makes one a loop without
            # weights, would else round once or twice.
            sums_out[at] += (weight * far) * far
            sums_out[at + _ONE] += weight


def _column_sums(
    rows: Any, bounds: Any, weights: Any, center: Any, strips: Any, sums_out: Any
) -> None:
    for chunk in prange(bounds.size - 1):
        sum_columns(rows, bounds[chunk], bounds[chunk + 1], weights, center, strips[chunk])
    for piece in prange(PARTS):
        add_strips(strips, piece, sums_out)


@kernel
def sum_products(
    rows: Any, start: int, stop: int, weights: Any, roots: Any, scale: Any, products_out: Any
) -> None:
    """Add weight times the products of a row's values: the lower triangle, and below it the values.

    Values times the root of their row and the scale of their column, before they are multiplied
    with each other: those of columns of any size are moderate then. `products_out` is flat,
    (n_columns + 1) lines of n_columns.
    """
    data, indices = rows.data, rows.indices
    width, scaled = np.uint64(scale.size), np.empty(scale.size)
    last, zero = width * width, np.uint64(0)
    products_out[:] = 0.0
    for row in range(start, stop):
        weight, root = weights[row], roots[row]
        if weight == 0.0:
            continue
        begin, end = np.uint64(rows.begins[row]), np.uint64(rows.ends[row])
        for place in range(begin, end):
            column = np.uint64(indices[place])
            scaled[place - begin] = data[place] * scale[column] * root
        for place in range(begin, end):
            own, column = place - begin, np.uint64(indices[place])
            value, line = weight * scaled[own], column * width
            products_out[last + column] += value
            for other in range(zero, own + _ONE):
                products_out[line + np.uint64(indices[begin + other])] += value * scaled[other]


def _gram(
    rows: Any, bounds: Any, weights: Any, roots: Any, scale: Any, strips: Any, products_out: Any
) -> None:
    for chunk in prange(bounds.size - 1):
        start, stop = bounds[chunk], bounds[chunk + 1]
        sum_products(rows, start, stop, weights, roots, scale, strips[chunk])
    for piece in prange(PARTS):
        add_strips(strips, piece, products_out)


@part
def size_of_value(rows: Any, place: Any, measures: Any) -> float:
    """Return what a value adds to the size of its row."""
    at, value = _TWO * np.uint64(rows.indices[place]), float(rows.data[place])
    return value * (value - 2.0 * measures[at]) * measures[at + _ONE]


@part
def size_of_row(rows: Any, row: int, measures: Any) -> float:
    """Return ``sum value (value - 2 center) square`` of a row: two sums in turn."""
    place, end = np.uint64(rows.begins[row]), np.uint64(rows.ends[row])
    a, b = 0.0, 0.0
    while place + _ONE < end:
        a += size_of_value(rows, place, measures)
        b += size_of_value(rows, place + _ONE, measures)
        place += _TWO
    if place < end:
        a += size_of_value(rows, place, measures)
    return a + b


@part
def largest_of(rows: Any, start: int, stop: int, measures: Any, base: float) -> float:
    """Return the largest sum of ``(value - center)^2 square`` of a row; infinite if it overflows.

    `measures` are centre and square of each column next to each other, one line of memory; `base`
    is the sum of a row without stored values.
    """
    largest = -np.inf
    for row in range(start, stop):
        size = base + size_of_row(rows, row, measures)
        if not size <= largest:
            largest = size if size == size else np.inf
    return largest


def _largest_row(rows: Any, bounds: Any, measures: Any, base: float, largest_out: Any) -> None:
    for chunk in prange(bounds.size - 1):
        largest_out[chunk] = largest_of(rows, bounds[chunk], bounds[chunk + 1], measures, base)


# ------------------------------------------------------------------------------------------------
# Values


@part
def first_bad_of(rows: Any, start: int, stop: int) -> tuple[int, int]:
    """Return row and place of the first value that is not finite; -1 where there is none."""
    data = rows.data
    for row in range(start, stop):
        for place in range(rows.begins[row], rows.ends[row]):
            if not np.isfinite(data[place]):
                return row, place
    return -1, -1


def _first_not_finite(rows: Any, bounds: Any, found_out: Any) -> None:
    for chunk in prange(bounds.size - 1):
        row, place = first_bad_of(rows, bounds[chunk], bounds[chunk + 1])
        found_out[chunk, 0] = row
        found_out[chunk, 1] = place


@part
def count_in_columns(rows: Any, start: int, stop: int, chunk: int, counts_out: Any) -> None:
    """Count the values of each column in some rows."""
    for row in range(start, stop):
        for place in range(np.uint64(rows.begins[row]), np.uint64(rows.ends[row])):
            counts_out[chunk, np.uint64(rows.indices[place])] += 1


@part
def copy_to_columns(
    rows: Any, start: int, stop: int, chunk: int, factors: Any, places: Any, data_out: Any,
    rows_out: Any,
) -> None:  # fmt: skip
    """Copy values of some rows, and which rows they are of, to where those of a column go on."""
    data, indices = rows.data, rows.indices
    for row in range(start, stop):
        for place in range(np.uint64(rows.begins[row]), np.uint64(rows.ends[row])):
            column = np.uint64(indices[place])
            to = np.uint64(places[chunk, column])
            data_out[to] = data[place] * factors[column]
            rows_out[to] = row
            places[chunk, column] += 1


def _copy_columns(
    rows: Any, bounds: Any, factors: Any, places: Any, data_out: Any, rows_out: Any
) -> None:
    for chunk in prange(bounds.size - 1):
        start, stop = bounds[chunk], bounds[chunk + 1]
        if factors.size == 0:
            count_in_columns(rows, start, stop, chunk, places)
        else:
            copy_to_columns(rows, start, stop, chunk, factors, places, data_out, rows_out)


# Each takes `SparseRows`, and most of them `bounds`, the rows at which chunks begin and end.
#
# look_at_rows(indices, indptr, n_columns, found_out): OUT_OF_RANGE, UNSORTED of each chunk.
look_at_rows = entry(_look_at_rows)
# column_sums(rows, bounds, weights, center, strips, sums_out): see `sum_columns`.
column_sums = entry(_column_sums)
# gram(rows, bounds, weights, roots, scale, strips, products_out): see `sum_products`.
gram = entry(_gram)
# largest_row(rows, bounds, measures, base, largest_out): see `largest_of`.
largest_row = entry(_largest_row)
# first_not_finite(rows, bounds, found_out): row and place for each chunk, or -1.
first_not_finite = entry(_first_not_finite)
# copy_columns(rows, bounds, factors, places, data_out, rows_out): copy the values of columns, times
# a factor of each, and their rows, in the order of the rows. `places`, (n_chunks, n_columns), says
# where those of a chunk go, and is used up. Of no `factors` values are counted there, in place.
copy_columns = entry(_copy_columns)
