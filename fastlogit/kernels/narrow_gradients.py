"""Conjugate gradients in float32, in the tables that passes look coefficients up in.

A table has the numbers of all models for a column next to each other, in `n_slots` slots, a
multiple of eight; those beyond the models stay 0. What is read and written is float32, and each
number is worked out in float64. In place of some twenty runs of NumPy over all parameters an
iteration then has three, each by parts of the columns: sums have the same bits for any number of
threads.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import prange

from .policy import entry, kernel, part
from .rows import empty_at_line, zeros_at_line
from .scaling import PARTS, bounds_of_part
from .simd import LANES, add, divide, load, multiply_add, prefetch, splat, store, subtract, total
from .sparse import ask_ahead

__all__ = [
    "END",
    "START",
    "STEP",
    "SUM",
    "TURN",
    "Columns",
    "Slots",
    "Tables",
    "advance",
    "products",
]

# What `advance` does.
START, SUM, STEP, TURN, END = 0, 1, 2, 3, 4


class Tables(NamedTuple):
    """Float32 numbers of all columns and slots, flat.

    `strips` has `n_strips` tables, one after the other: what a pass gives. The product of Hessian
    and direction takes the place of the first.
    """

    solution: Any
    residual: Any
    direction: Any
    strips: Any
    n_strips: int


class Columns(NamedTuple):
    """What goes with each column: float64 numbers.

    The Hessian's diagonal is taken for ``curvature of the model * spread + pull``, where `pull` is
    the penalty's strength. Columns without variance have an `inverse_scale` of 0.
    """

    center: Any
    inverse_scale: Any
    spread: Any
    pull: Any


class Slots(NamedTuple):
    """What goes with each slot: float64 numbers, (n_slots,).

    `curvature` is positive, `share` 1 / n_classes where classes compete, else 0 as in slots without
    a model. `total` is the sum of the rows' residuals, `inverse_weight` 1 / their weight, `factor`
    the length of a step, or the share of the last direction that is kept.
    """

    curvature: Any
    share: Any
    total: Any
    inverse_weight: Any
    factor: Any


# ------------------------------------------------------------------------------------------------
# The pass

# Values ahead of which a line of the strip is asked for.
_AHEAD = np.uint64(6)


@part
def predict_row(
    rows: Any, row: int, table: Any, levels: Any, n_slots: int, at: int, raw_out: Any
) -> None:
    """Give raw predictions of a row by all slots."""
    data, indices, one = rows.data, rows.indices, np.uint64(1)
    begin, end = np.uint64(rows.begins[row]), np.uint64(rows.ends[row])
    for slot in range(0, n_slots, LANES):
        even, odd = load(levels, slot), splat(0.0)
        place = begin
        while place + one < end:
            here, there = indices[place] * n_slots, indices[place + one] * n_slots
            even = multiply_add(load(table, here + slot), splat(data[place]), even)
            odd = multiply_add(load(table, there + slot), splat(data[place + one]), odd)
            place += np.uint64(2)
        if place < end:
            here = indices[place] * n_slots
            even = multiply_add(load(table, here + slot), splat(data[place]), even)
        store(raw_out, at + slot, add(even, odd))


@part
def curve_row(
    n_slots: int, at: int, shares: Any, is_coupled: bool, raw_out: Any, totals_out: Any
) -> None:
    """Turn raw predictions of a row into residuals, and add these up."""
    mean, weight = splat(0.0), splat(0.0)
    if is_coupled:
        for slot in range(0, n_slots, LANES):
            share = load(shares, at + slot)
            weight = add(weight, share)
            mean = multiply_add(share, load(raw_out, at + slot), mean)
        whole = total(weight)
        mean = splat(total(mean) / whole if whole > 0.0 else 0.0)
    for slot in range(0, n_slots, LANES):
        away = subtract(load(raw_out, at + slot), mean)
        found = multiply_add(load(shares, at + slot), away, splat(0.0))
        store(raw_out, at + slot, found)
        store(totals_out, slot, add(found, load(totals_out, slot)))


@part
def scatter_row(rows: Any, row: int, n_slots: int, at: int, residual: Any, strip_out: Any) -> None:
    """Add residual times row to the strip."""
    data, indices = rows.data, rows.indices
    begin, end = np.uint64(rows.begins[row]), np.uint64(rows.ends[row])
    for place in range(begin, end):
        value, here = splat(data[place]), indices[place] * n_slots
        if place + _AHEAD < end:
            ahead = indices[place + _AHEAD] * n_slots
            for slot in range(0, n_slots, LANES):
                prefetch(strip_out, ahead + slot)
        for slot in range(0, n_slots, LANES):
            found = multiply_add(value, load(residual, at + slot), load(strip_out, here + slot))
            store(strip_out, here + slot, found)


@kernel
def multiply_chunk(
    rows: Any, start: int, stop: int, size: int, curvature: Any, is_coupled: bool, table: Any,
    levels: Any, strip_out: Any, totals_out: Any,
) -> None:  # fmt: skip
    """Do what `products` does for some rows, `size` at a time."""
    n_slots = levels.size
    strip_out[:] = 0.0
    totals_out[:] = 0.0
    raw, shares = empty_at_line(size * n_slots), zeros_at_line(size * n_slots)
    for first in range(start, stop, size):
        count = min(size, stop - first)
        for slot in range(curvature.shape[0]):
            for row in range(count):
                shares[row * n_slots + slot] = curvature[slot, first + row]
        for row in range(count):
            ask_ahead(rows, first + row + 1, table, n_slots)
            predict_row(rows, first + row, table, levels, n_slots, row * n_slots, raw)
        for row in range(count):
            curve_row(n_slots, row * n_slots, shares, is_coupled, raw, totals_out)
            scatter_row(rows, first + row, n_slots, row * n_slots, raw, strip_out)


def _products(
    rows: Any, bounds: Any, size: int, curvature: Any, is_coupled: bool, table: Any, levels: Any,
    strips: Any, totals: Any,
) -> None:  # fmt: skip
    for chunk in prange(bounds.size - 1):
        multiply_chunk(
            rows, bounds[chunk], bounds[chunk + 1], size, curvature, is_coupled, table, levels,
            strips[chunk], totals[chunk],
        )  # fmt: skip


# ------------------------------------------------------------------------------------------------
# The vectors


@part
def smooth(
    tables: Any, column: int, columns: Any, slots: Any, n_slots: int, found_out: Any
) -> None:
    """Precondition the residual of a column, which keeps the sum over classes that compete at 0."""
    at, level = column * n_slots, splat(0.0)
    spread, pull = splat(columns.spread[column]), splat(columns.pull[column])
    for slot in range(0, n_slots, LANES):
        diagonal = multiply_add(load(slots.curvature, slot), spread, pull)
        one = divide(load(tables.residual, at + slot), diagonal)
        store(found_out, slot, one)
        level = add(level, one)
    mean = splat(-total(level))
    for slot in range(0, n_slots, LANES):
        one = multiply_add(mean, load(slots.share, slot), load(found_out, slot))
        store(found_out, slot, one)


@part
def take_gradient(
    first: int, last: int, gradient: Any, columns: Any, n_slots: int, scale: float, tables: Any
) -> None:
    """Put the negative gradient into the residual of some columns, in the units of X."""
    n_models, width = gradient.shape[0], np.uint64(n_slots)
    for slot in range(n_slots):
        at = np.uint64(slot)
        for column in range(np.uint64(first), np.uint64(last)):
            value, inverse = 0.0, columns.inverse_scale[column]
            if slot < n_models and inverse > 0.0:
                value = -scale * gradient[slot, column] / inverse
            tables.residual[column * width + at] = value
            tables.solution[column * width + at] = 0.0


@part
def give_solution(
    first: int, last: int, columns: Any, n_slots: int, scale: float, tables: Any, out: Any
) -> None:
    """Write the solution of some columns, standardised."""
    width = np.uint64(n_slots)
    for slot in range(out.shape[0]):
        at = np.uint64(slot)
        for column in range(np.uint64(first), np.uint64(last)):
            value, inverse = 0.0, columns.inverse_scale[column]
            if inverse > 0.0:
                value = tables.solution[column * width + at] / inverse * scale
            out[slot, column] = value


@part
def finish_product(
    first: int, last: int, columns: Any, slots: Any, n_slots: int, tables: Any, sums_out: Any
) -> None:
    """Make the product of what a pass gave, and add up its products with the direction."""
    size = tables.direction.size
    for column in range(first, last):
        at, pull = column * n_slots, splat(columns.pull[column])
        center = splat(-columns.center[column])
        varies = splat(1.0 if columns.inverse_scale[column] > 0.0 else 0.0)
        for slot in range(0, n_slots, LANES):
            found = load(tables.strips, at + slot)
            for strip in range(1, tables.n_strips):
                found = add(found, load(tables.strips, strip * size + at + slot))
            found = multiply_add(center, load(slots.total, slot), found)
            weight = multiply_add(varies, load(slots.inverse_weight, slot), splat(0.0))
            found = multiply_add(found, weight, splat(0.0))
            along = load(tables.direction, at + slot)
            found = multiply_add(pull, along, found)
            store(tables.strips, at + slot, found)
            store(sums_out, slot, multiply_add(along, found, load(sums_out, slot)))


@part
def step_part(
    first: int, last: int, columns: Any, slots: Any, n_slots: int, tables: Any, found: Any,
    sums_out: Any,
) -> None:  # fmt: skip
    """Step along the direction; add up the residual's squares, preconditioned and over `pull`."""
    for column in range(first, last):
        at, pull = column * n_slots, columns.pull[column]
        inverse_pull = splat(1.0 / pull if pull > 0.0 else 0.0)
        for slot in range(0, n_slots, LANES):
            factor, here = load(slots.factor, slot), at + slot
            moved = multiply_add(factor, load(tables.direction, here), load(tables.solution, here))
            store(tables.solution, here, moved)
            # The factor is that of a step down: the sign turns for the residual.
            less = multiply_add(factor, load(tables.strips, here), splat(0.0))
            left = multiply_add(splat(-1.0), less, load(tables.residual, here))
            store(tables.residual, here, left)
        smooth(tables, column, columns, slots, n_slots, found)
        for slot in range(0, n_slots, LANES):
            left = load(tables.residual, at + slot)
            sum_ = multiply_add(left, load(found, slot), load(sums_out, slot))
            store(sums_out, slot, sum_)
            square = multiply_add(left, left, splat(0.0))
            rough = load(sums_out, n_slots + slot)
            store(sums_out, n_slots + slot, multiply_add(square, inverse_pull, rough))


@part
def turn_part(
    first: int, last: int, columns: Any, slots: Any, n_slots: int, tables: Any, found: Any,
    sums_out: Any, is_first: bool,
) -> None:  # fmt: skip
    """Make the next direction; add up its products with the centres, and at first its size."""
    for column in range(first, last):
        at, center = column * n_slots, splat(columns.center[column])
        smooth(tables, column, columns, slots, n_slots, found)
        for slot in range(0, n_slots, LANES):
            along = load(found, slot)
            if is_first:
                left = load(tables.residual, at + slot)
                size = load(sums_out, n_slots + slot)
                store(sums_out, n_slots + slot, multiply_add(left, along, size))
            else:
                along = multiply_add(
                    load(slots.factor, slot), load(tables.direction, at + slot), along
                )
            store(tables.direction, at + slot, along)
            store(sums_out, slot, multiply_add(center, along, load(sums_out, slot)))


@kernel
def advance_part(
    stage: int, piece: int, tables: Any, columns: Any, slots: Any, scale: float, theta: Any,
    sums_out: Any,
) -> None:  # fmt: skip
    """Do what `advance` does for some columns."""
    n_slots = slots.curvature.size
    first, last = bounds_of_part(columns.center.size, piece)
    found = empty_at_line(n_slots)
    sums_out[:] = 0.0
    if stage == SUM:
        finish_product(first, last, columns, slots, n_slots, tables, sums_out)
    elif stage == STEP:
        step_part(first, last, columns, slots, n_slots, tables, found, sums_out)
    elif stage == END:
        give_solution(first, last, columns, n_slots, scale, tables, theta)
    else:
        if stage == START:
            take_gradient(first, last, theta, columns, n_slots, scale, tables)
        turn_part(first, last, columns, slots, n_slots, tables, found, sums_out, stage == START)


def _advance(
    stage: int, tables: Any, columns: Any, slots: Any, scale: float, theta: Any, sums_out: Any
) -> None:
    for piece in prange(PARTS):
        advance_part(stage, piece, tables, columns, slots, scale, theta, sums_out[piece])


# products(rows, bounds, size, curvature, is_coupled, table, levels, strips, totals): rows of the
# Hessian's product with a table of directions: curvatures (n_outputs, n_samples) times predictions,
# less their mean in a row where classes compete, scattered into strips (n_chunks, table's size),
# and their sums (n_chunks, n_slots).
products = entry(_products)
# advance(stage, tables, columns, slots, scale, theta, sums_out): a stage of conjugate gradients,
# with sums by parts of the columns, (PARTS, 2 * n_slots).
# START takes gradients (n_models, n_features + 1) of standardised columns times `scale`, and sums
# direction times centre, and residual times direction. SUM makes products of what a pass gave, and
# sums these times the direction. STEP sums the new residuals times themselves preconditioned, and
# over the penalty. TURN makes the next direction, and sums it times the centre. END writes the
# solution times `scale` to `theta`, but for the intercepts.
advance = entry(_advance)
