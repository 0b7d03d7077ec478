"""Serial kernels over one block of rows: what every pass does while the block is in cache.

A block is `rows_per_block` rows, a `Span` of flat memory. Vectors that meet the rows (coefficients,
centre, gradient) are *packed*: padded to whole 8-lane vectors, of which the last one overlaps the
one before, so that the last columns of a row need neither a mask nor a scalar loop. Overlapped
lanes carry coefficient 0.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .elements import Lines, read_lines
from .elementwise import exp_nonpositive, log1p_positive, log1p_unit
from .policy import formula, kernel, part
from .simd import (
    LANES,
    add,
    aligned,
    broadcast,
    load,
    multiply_add,
    prefetch_l2,
    splat,
    store,
    store_totals,
    subtract,
    total,
)

__all__ = [
    "AHEAD_BYTES",
    "LINE_BYTES",
    "MODEL_TILE",
    "ROW_TILE",
    "STRIP",
    "Block",
    "Span",
    "add_columns_of_models",
    "add_gradient",
    "add_offset",
    "add_squares",
    "add_strips_of_models",
    "ask_for",
    "binomial_residual",
    "empty_at_line",
    "exponentials",
    "gather",
    "keep_residual",
    "linear_residual",
    "logistic_curvature",
    "pack_rows",
    "packed_width",
    "predict_block",
    "predict_models",
    "rows_per_block",
    "softmax_product",
    "softmax_residual",
    "softmax_terms",
    "squared_residual",
    "sum_block",
    "unpack_slot",
    "weigh",
    "weigh_curvature",
    "zeros_at_line",
]

# Four rows share each load of coefficient and centre.
UNROLL = 4
# Three rows by two models keep 12 of AVX2's 16 registers busy with sums, and so do three vectors
# of columns by two models.
ROW_TILE, MODEL_TILE = 3, 2
STRIP = 3 * LANES
# Columns of which coefficients of two models and three rows lie in the first level of the cache.
COEF_STRIP = 512
# How far ahead of the block being read the next lines are asked for, in bytes, and what a line is.
# Without it the short rows of 100 columns break the hardware's streams: 3.6 reads of X a pass by
# one thread. They are asked for into the second level of the cache, which takes more of them at a
# time than the first, and each line once: 1.4 reads, where lines for the first level took 2.8, and
# to miss the last rows of each block 1.9. They are spread over prediction and gradient, since
# memory rests while nothing is asked for: with all of them in the prediction 2.0.
AHEAD_BYTES = 32768
LINE_BYTES = 64
DOUBLE = 8
# Numbers of a block of short rows: 26 KB.
BLOCK_NUMBERS = 3200


# The two tuples hold numbers alone: they cost nothing where they are made and handed on. One that
# holds arrays and is made for each block costs 50 ns of reference counts. One that the kernel got
# itself, as `targets`, may go on whole: the compiled pass counts no more often then.
class Span(NamedTuple):
    """Rows in flat memory: `n_rows` of `width` elements, each `stride` after the one before.

    The first one begins at `place`.
    """

    place: int
    stride: int
    width: int
    n_rows: int


class Block(NamedTuple):
    """Which rows a block holds: `n_rows` of them from row `first` of X on.

    What is computed of them (raw predictions, costs) has room for `size` rows for each model, one
    model after the other.
    """

    first: int
    n_rows: int
    size: int


@part
def packed_width(n_features: int) -> int:
    """Length of a packed vector of `n_features`: whole vectors, at least one."""
    return max(1, (n_features + LANES - 1) // LANES) * LANES


@part
def rows_per_block(n_features: int) -> int:
    """Rows of one block: whole tiles of 3, 4 and 8, in L1 or L2 with the lines asked for."""
    return max(24, min(72, BLOCK_NUMBERS // n_features // 24 * 24))


@kernel
def empty_at_line(count: int) -> Any:
    """Room for so many float64, from the beginning of a cache line on.

    A vector of eight that crosses two lines is two loads, and NumPy's and numba's arrays begin
    anywhere.
    """
    room = np.empty(count + LANES - 1)
    first = aligned(room)
    return room[first : first + count]


@kernel
def zeros_at_line(count: int) -> Any:
    """Zeros, as `empty_at_line`."""
    room = empty_at_line(count)
    room[:] = 0.0
    return room


@formula
def unpack_slot(column: int, width: int, packed: int) -> int:
    """Place of `column` in a packed vector for rows of `width` elements."""
    last = packed - LANES
    return column if column < last else last + column - (width - LANES)


@part
def gather(rows: Any, start: int, count: int, width: int, rows_out: Any, to: int) -> None:
    """Copy rows `start .. start + count` of any kind, as float64 and padded, to `rows_out[to:]`."""
    stride, n_features = rows.stride, rows.center.size
    lines = Lines(start * stride, stride, count, rows.column_stride, n_features)
    read_lines(rows, lines, rows_out, False, rows_out, to, width)


@part
def predict_block(
    rows: Any, span: Span, coef: Any, base: int, intercept: float, center: Any, raw_out: Any,
    ahead: int, until: int,
) -> int:  # fmt: skip
    """Raw prediction of the rows of a span by the coefficients at `base`.

    While `ahead` lies before `until` lines of rows are prefetched; returns where to go on.

    `raw_out` has room for whole groups of four rows; what lies beyond `count` is of no meaning.
    """
    place, stride, width, count = span
    last = center.size - LANES
    tail = width - LANES
    line = LINE_BYTES // rows.itemsize
    for row in range(0, count, UNROLL):
        q0 = place + row * stride
        q1 = place + min(row + 1, count - 1) * stride
        q2 = place + min(row + 2, count - 1) * stride
        q3 = place + min(row + 3, count - 1) * stride
        a0, a1, a2, a3 = splat(0.0), splat(0.0), splat(0.0), splat(0.0)
        column = 0
        while column < last:
            if ahead < until:
                # Of the lines that four rows use in this step, three quarters (float32: half).
                prefetch_l2(rows, ahead)
                if rows.itemsize == DOUBLE:
                    prefetch_l2(rows, ahead + line)
                    prefetch_l2(rows, ahead + 2 * line)
                    ahead += 2 * line
                ahead += line
            mu, c = load(center, column), load(coef, base + column)
            a0 = multiply_add(subtract(load(rows, q0 + column), mu), c, a0)
            a1 = multiply_add(subtract(load(rows, q1 + column), mu), c, a1)
            a2 = multiply_add(subtract(load(rows, q2 + column), mu), c, a2)
            a3 = multiply_add(subtract(load(rows, q3 + column), mu), c, a3)
            column += LANES
        mu, c = load(center, last), load(coef, base + last)
        a0 = multiply_add(subtract(load(rows, q0 + tail), mu), c, a0)
        a1 = multiply_add(subtract(load(rows, q1 + tail), mu), c, a1)
        a2 = multiply_add(subtract(load(rows, q2 + tail), mu), c, a2)
        a3 = multiply_add(subtract(load(rows, q3 + tail), mu), c, a3)
        store_totals(raw_out, row, a0, a1, a2, a3, intercept)
    return ahead


@part
def add_gradient(
    rows: Any, span: Span, center: Any, residual: Any, gradient_out: Any, ahead: int, until: int
) -> None:
    """Add residual times centred row for a span: strips of columns that stay in registers."""
    place, stride, width, count = span
    packed = center.size
    line = LINE_BYTES // rows.itemsize
    # Where the lines that are left are more than there are steps (24 and 48 columns), two a step.
    is_short = until - ahead > (packed // STRIP + packed % STRIP // LANES) * count * line
    column = 0
    while column + STRIP <= packed:
        m0, m1 = load(center, column), load(center, column + LANES)
        m2 = load(center, column + 2 * LANES)
        g0, g1 = load(gradient_out, column), load(gradient_out, column + LANES)
        g2 = load(gradient_out, column + 2 * LANES)
        start = place + column
        third = place + min(column + 2 * LANES, width - LANES)
        for row in range(count):
            if ahead < until:
                prefetch_l2(rows, ahead)
                ahead += line
                if is_short:
                    prefetch_l2(rows, ahead)
                    ahead += line
            factor = splat(residual[row])
            g0 = multiply_add(subtract(load(rows, start), m0), factor, g0)
            g1 = multiply_add(subtract(load(rows, start + LANES), m1), factor, g1)
            g2 = multiply_add(subtract(load(rows, third), m2), factor, g2)
            start += stride
            third += stride
        store(gradient_out, column, g0)
        store(gradient_out, column + LANES, g1)
        store(gradient_out, column + 2 * LANES, g2)
        column += STRIP
    while column < packed:
        start = place + min(column, width - LANES)
        m0, g0, g1 = load(center, column), load(gradient_out, column), splat(0.0)
        # Two sums, since each waits for its last addition.
        pairs = count - count % 2
        for row in range(0, pairs, 2):
            if ahead < until:
                prefetch_l2(rows, ahead)
                prefetch_l2(rows, ahead + line)
                ahead += 2 * line
            g0 = multiply_add(subtract(load(rows, start), m0), splat(residual[row]), g0)
            centred = subtract(load(rows, start + stride), m0)
            g1 = multiply_add(centred, splat(residual[row + 1]), g1)
            start += 2 * stride
        if pairs < count:
            g0 = multiply_add(subtract(load(rows, start), m0), splat(residual[pairs]), g0)
        store(gradient_out, column, add(g0, g1))
        column += LANES


@part
def pack_rows(rows: Any, span: Span, center: Any, packed_out: Any) -> None:
    """Copy a span's centred rows as float64 to `packed_out`, one packed vector after the other."""
    place, stride, width, count = span
    packed = center.size
    last = packed - LANES
    for row in range(count):
        start, to = place + row * stride, row * packed
        for column in range(0, packed, LANES):
            source = start + (column if column < last else width - LANES)
            store(packed_out, to + column, subtract(load(rows, source), load(center, column)))


@part
def ask_for(rows: Any, ahead: int, until: int, n_lines: int) -> int:
    """Prefetch so many lines of rows from `ahead` on, none after `until`; return where to go on."""
    line = LINE_BYTES // rows.itemsize
    stop = min(ahead + n_lines * line, until)
    while ahead < stop:
        prefetch_l2(rows, ahead)
        ahead += line
    return ahead


@part
def predict_models(
    packed_rows: Any, count: int, coef: Any, intercept: Any, sums: Any, raw_out: Any, block: int,
    rows: Any, ahead: int, until: int,
) -> int:  # fmt: skip
    """Raw prediction of packed rows by all models; half the lines before `until` are prefetched.

    Three rows and two models at a time. Wide rows go by in strips of columns, whose sums wait in
    `sums` (24 numbers a model): of 1,500 columns ten models take 590 ns a row, without strips 870.
    """
    n_slots, n_tiles = intercept.size, (count + ROW_TILE - 1) // ROW_TILE
    packed = coef.size // n_slots
    n_strips = (packed + COEF_STRIP - 1) // COEF_STRIP
    lines = (until - ahead) // (LINE_BYTES // rows.itemsize)
    share = lines // (n_tiles * n_slots) + 1
    for tile in range(n_tiles * n_strips):
        row, start = tile // n_strips * ROW_TILE, tile % n_strips * COEF_STRIP
        stop = min(start + COEF_STRIP, packed)
        p0 = row * packed
        p1, p2 = p0 + packed, p0 + 2 * packed
        for model in range(0, n_slots, MODEL_TILE):
            ahead = ask_for(rows, ahead, until, share)
            c, at = model * packed, model * STRIP
            d, to = c + packed, model * block + row
            a0, a1, a2 = splat(0.0), splat(0.0), splat(0.0)
            b0, b1, b2 = splat(0.0), splat(0.0), splat(0.0)
            if start > 0:
                a0, a1, a2 = load(sums, at), load(sums, at + LANES), load(sums, at + 2 * LANES)
                at += STRIP
                b0, b1, b2 = load(sums, at), load(sums, at + LANES), load(sums, at + 2 * LANES)
            for column in range(start, stop, LANES):
                first, second = load(coef, c + column), load(coef, d + column)
                x0 = load(packed_rows, p0 + column)
                a0, b0 = multiply_add(x0, first, a0), multiply_add(x0, second, b0)
                x1 = load(packed_rows, p1 + column)
                a1, b1 = multiply_add(x1, first, a1), multiply_add(x1, second, b1)
                x2 = load(packed_rows, p2 + column)
                a2, b2 = multiply_add(x2, first, a2), multiply_add(x2, second, b2)
            if stop < packed:
                keep_three(sums, model * STRIP, a0, a1, a2)
                keep_three(sums, model * STRIP + STRIP, b0, b1, b2)
            else:
                raw_out[to] = total(a0) + intercept[model]
                raw_out[to + 1] = total(a1) + intercept[model]
                raw_out[to + 2] = total(a2) + intercept[model]
                to += block
                raw_out[to] = total(b0) + intercept[model + 1]
                raw_out[to + 1] = total(b1) + intercept[model + 1]
                raw_out[to + 2] = total(b2) + intercept[model + 1]
    return ahead


@part
def keep_three(sums_out: Any, at: int, first: Any, second: Any, third: Any) -> None:
    """Store three vectors next to each other."""
    store(sums_out, at, first)
    store(sums_out, at + LANES, second)
    store(sums_out, at + 2 * LANES, third)


@part
def add_strips_of_models(
    packed_rows: Any, count: int, packed: int, residual: Any, block: int, gradient_out: Any,
    rows: Any, ahead: int, until: int,
) -> int:  # fmt: skip
    """Add residual times packed row for all models, up to the last whole strip of columns.

    A strip stays in the first level of the cache, two models at a time in registers. Half the lines
    that are left, or all where there are no other columns, are prefetched.
    """
    n_slots = gradient_out.size // packed
    n_strips = packed // STRIP
    lines = (until - ahead) // (LINE_BYTES // rows.itemsize)
    share = lines // max(1, n_strips * n_slots // MODEL_TILE) + 1
    for column in range(0, n_strips * STRIP, STRIP):
        for model in range(0, n_slots, MODEL_TILE):
            ahead = ask_for(rows, ahead, until, share)
            a, r, start = model * packed + column, model * block, column
            b, s = a + packed, r + block
            g0, g1 = load(gradient_out, a), load(gradient_out, a + LANES)
            g2 = load(gradient_out, a + 2 * LANES)
            h0, h1 = load(gradient_out, b), load(gradient_out, b + LANES)
            h2 = load(gradient_out, b + 2 * LANES)
            for row in range(count):
                first, second = broadcast(residual, r + row), broadcast(residual, s + row)
                x0 = load(packed_rows, start)
                g0, h0 = multiply_add(x0, first, g0), multiply_add(x0, second, h0)
                x1 = load(packed_rows, start + LANES)
                g1, h1 = multiply_add(x1, first, g1), multiply_add(x1, second, h1)
                x2 = load(packed_rows, start + 2 * LANES)
                g2, h2 = multiply_add(x2, first, g2), multiply_add(x2, second, h2)
                start += packed
            keep_three(gradient_out, a, g0, g1, g2)
            keep_three(gradient_out, b, h0, h1, h2)
    return ahead


@part
def add_columns_of_models(
    packed_rows: Any, count: int, packed: int, residual: Any, block: int, gradient_out: Any,
    rows: Any, ahead: int, until: int,
) -> None:  # fmt: skip
    """Add residual times packed row for all models, for the columns beyond the last whole strip."""
    n_slots = gradient_out.size // packed
    pairs = count - count % 2
    ask_for(rows, ahead, until, until - ahead)
    for column in range(packed // STRIP * STRIP, packed, LANES):
        for model in range(0, n_slots, MODEL_TILE):
            a, r, start = model * packed + column, model * block, column
            b, s = a + packed, r + block
            # Two sums each, as in `add_gradient`: a model's sums do not depend on its company.
            g0, h0 = load(gradient_out, a), load(gradient_out, b)
            g1, h1 = splat(0.0), splat(0.0)
            for row in range(0, pairs, 2):
                x0, x1 = load(packed_rows, start), load(packed_rows, start + packed)
                g0 = multiply_add(x0, broadcast(residual, r + row), g0)
                g1 = multiply_add(x1, broadcast(residual, r + row + 1), g1)
                h0 = multiply_add(x0, broadcast(residual, s + row), h0)
                h1 = multiply_add(x1, broadcast(residual, s + row + 1), h1)
                start += 2 * packed
            if pairs < count:
                x0 = load(packed_rows, start)
                g0 = multiply_add(x0, broadcast(residual, r + pairs), g0)
                h0 = multiply_add(x0, broadcast(residual, s + pairs), h0)
            store(gradient_out, a, add(g0, g1))
            store(gradient_out, b, add(h0, h1))


@part
def exponentials(raw: Any, count: int, exp_out: Any) -> None:
    """Give e^-|z| of each raw prediction."""
    # Apart from what follows: exp and log1p in one chain wait for each other, a tenth of a pass.
    for place in range(count):
        exp_out[place] = exp_nonpositive(-abs(raw[place]))


@part
def binomial_residual(
    raw: Any, at: int, codes: Any, group: int, first: int, positive: int, count: int, cost_out: Any
) -> None:
    """Turn raw predictions into residuals in place, and their `exponentials` into costs.

    The block lies at `at` in `raw` and `cost_out`; `positive` counts as 1.
    """
    # Numbers without sign need no check for an index from the end, which would end vectorisation.
    place, sample = np.uint64(at), np.uint64(first)
    for row in range(np.uint64(count)):
        z = raw[place + row]
        zero_target = codes[group, sample + row] != positive
        wrong = zero_target == (z >= 0.0)
        tail = cost_out[place + row]
        # proba - target and max(z, 0) - target * z, each without a difference that could cancel.
        share = (1.0 if wrong else tail) / (1.0 + tail)
        raw[place + row] = share if zero_target else -share
        cost_out[place + row] = log1p_unit(tail) + (abs(z) if wrong else 0.0)


@part
def softmax_terms(
    raw: Any, at: int, block: int, n_classes: int, count: int, terms_out: Any, work: int
) -> None:
    """Give e^(z - largest z) of each class, and three blocks more from `work` on.

    The classes' blocks lie `block` apart from `at` on, in `raw` and in `terms_out`. The three are
    the rows' largest z, the sum of the terms less 1, and 1 over the sum.
    """
    # Numbers without sign need no check for an index from the end, which would end vectorisation.
    n_rows = np.uint64(count)
    top, rest, ties = np.uint64(work), np.uint64(work + block), np.uint64(work + 2 * block)
    for row in range(n_rows):
        terms_out[top + row] = raw[np.uint64(at) + row]
        terms_out[rest + row] = 0.0
        terms_out[ties + row] = -1.0
    for label in range(1, n_classes):
        place = np.uint64(at + label * block)
        for row in range(n_rows):
            z = raw[place + row]
            terms_out[top + row] = z if z > terms_out[top + row] else terms_out[top + row]
    for label in range(n_classes):
        place = np.uint64(at + label * block)
        for row in range(n_rows):
            terms_out[place + row] = exp_nonpositive(raw[place + row] - terms_out[top + row])
        for row in range(n_rows):
            is_top = raw[place + row] >= terms_out[top + row]
            # The largest e^z is 1: without it the sum keeps the digits of small ones.
            terms_out[rest + row] += 0.0 if is_top else terms_out[place + row]
            terms_out[ties + row] += 1.0 if is_top else 0.0
    for row in range(n_rows):
        terms_out[rest + row] += terms_out[ties + row]
        terms_out[ties + row] = 1.0 / (1.0 + terms_out[rest + row])


@part
def softmax_residual(
    raw: Any, block: Block, model: int, n_classes: int, codes: Any, group: int, positive: Any,
    cost_out: Any, work: int, row_state_out: Any,
) -> None:  # fmt: skip
    """Turn the raw predictions of the classes from `model` on into residuals, costs and probas.

    A row's cost goes to that of its class. `cost_out` has room for three blocks more from `work`
    on; `row_state_out` may have no rows.
    """
    first, count, size = block
    at = model * size
    softmax_terms(raw, at, size, n_classes, count, cost_out, work)
    n_rows, sample = np.uint64(count), np.uint64(first)
    top, rest, inverse = np.uint64(work), np.uint64(work + size), np.uint64(work + 2 * size)
    for label in range(n_classes):
        place, code = np.uint64(at + label * size), positive[model + label]
        if row_state_out.shape[0] > 0:
            for row in range(n_rows):
                proba = cost_out[place + row] * cost_out[inverse + row]
                row_state_out[model + label, sample + row] = proba
        for row in range(n_rows):
            other = codes[group, sample + row] != code
            below, share = raw[place + row] - cost_out[top + row], cost_out[place + row]
            others = cost_out[rest + row]
            others = others if below >= 0.0 else (1.0 + others) - share
            # 1 - proba from the other classes' sum, which does not cancel.
            raw[place + row] = (share if other else -others) * cost_out[inverse + row]
            cost_out[place + row] = 0.0 if other else -below
    for row in range(n_rows):
        cost_out[rest + row] = log1p_positive(cost_out[rest + row])
    for label in range(n_classes):
        place, code = np.uint64(at + label * size), positive[model + label]
        for row in range(n_rows):
            other = codes[group, sample + row] != code
            cost_out[place + row] += 0.0 if other else cost_out[rest + row]


@part
def softmax_product(
    raw: Any, block: Block, model: int, n_classes: int, curvature: Any, cost_out: Any, work: int
) -> None:
    """Turn raw predictions z of a direction into w p (z - p' z), from `curvature` w p."""
    first, count, size = block
    at = model * size
    n_rows, sample = np.uint64(count), np.uint64(first)
    whole, mean = np.uint64(work), np.uint64(work + size)
    for row in range(n_rows):
        cost_out[whole + row] = 0.0
        cost_out[mean + row] = 0.0
    for label in range(n_classes):
        place = np.uint64(at + label * size)
        for row in range(n_rows):
            share = curvature[model + label, sample + row]
            cost_out[whole + row] += share
            cost_out[mean + row] += share * raw[place + row]
    for row in range(n_rows):
        weight = cost_out[whole + row]
        cost_out[mean + row] = cost_out[mean + row] / weight if weight > 0.0 else 0.0
    for label in range(n_classes):
        place = np.uint64(at + label * size)
        for row in range(n_rows):
            z = raw[place + row]
            curved = curvature[model + label, sample + row] * (z - cost_out[mean + row])
            cost_out[place + row] = 0.5 * z * curved
            raw[place + row] = curved


@part
def squared_residual(raw: Any, at: int, count: int, cost_out: Any) -> None:
    """Cost z^2 / 2, whose derivative is z itself."""
    for place in range(at, at + count):
        cost_out[place] = 0.5 * raw[place] * raw[place]


@part
def linear_residual(raw: Any, at: int, count: int, cost_out: Any) -> None:
    """Cost z, with derivative 1."""
    for place in range(at, at + count):
        cost_out[place] = raw[place]
        raw[place] = 1.0


@part
def add_offset(offset: Any, group: int, first: int, raw_out: Any, at: int, count: int) -> None:
    """Add the fixed part of the raw predictions of a block."""
    place, sample = np.uint64(at), np.uint64(first)
    for row in range(np.uint64(count)):
        raw_out[place + row] += offset[group, sample + row]


@part
def logistic_curvature(
    residual: Any, at: int, count: int, row_state_out: Any, model: int, first: int
) -> None:
    """Second derivative proba (1 - proba) of the loss, from the residual proba - y."""
    place, sample = np.uint64(at), np.uint64(first)
    for row in range(np.uint64(count)):
        wrong = abs(residual[place + row])
        row_state_out[model, sample + row] = wrong * (1.0 - wrong)


@part
def keep_residual(
    residual: Any, at: int, count: int, row_state_out: Any, to: int, first: int
) -> None:
    """Copy a block's residuals to line `to` of the row state."""
    place, sample = np.uint64(at), np.uint64(first)
    for row in range(np.uint64(count)):
        row_state_out[to, sample + row] = residual[place + row]


@part
def weigh(weights: Any, group: int, first: int, values_out: Any, at: int, count: int) -> None:
    """Multiply a block's values by their rows' weights (0 * inf counts as 0)."""
    # Numbers without sign, as in `binomial_residual`: a pass of 50 models takes 29 ms, not 34.
    place, sample = np.uint64(at), np.uint64(first)
    for row in range(np.uint64(count)):
        weight = weights[group, sample + row]
        values_out[place + row] = values_out[place + row] * weight if weight > 0.0 else 0.0


@part
def weigh_curvature(
    weights: Any, group: int, first: int, row_state_out: Any, model: int, count: int
) -> None:
    """Multiply a block's curvatures by their rows' weights."""
    sample = np.uint64(first)
    for row in range(np.uint64(count)):
        weight = weights[group, sample + row]
        curved = row_state_out[model, sample + row] * weight
        row_state_out[model, sample + row] = curved if weight > 0.0 else 0.0


@part
def sum_block(values: Any, at: int, count: int) -> float:
    """Sum in eight fixed lanes; `count` beyond the last whole vector one by one."""
    partial = splat(0.0)
    whole = count - count % LANES
    for place in range(at, at + whole, LANES):
        partial = add(partial, load(values, place))
    result = total(partial)
    for place in range(at + whole, at + count):
        result += values[place]
    return result


@part
def add_squares(rows: Any, span: Span, center: Any, residual: Any, sums_out: Any) -> None:
    """Add residual times the squares of the centred row for the rows of a span."""
    place, stride, width, count = span
    last = sums_out.size - LANES
    zero = splat(0.0)
    for row in range(count):
        start = place + row * stride
        factor = splat(residual[row])
        column = 0
        while column < last:
            centred = subtract(load(rows, start + column), load(center, column))
            scaled = multiply_add(centred, factor, zero)
            store(sums_out, column, multiply_add(centred, scaled, load(sums_out, column)))
            column += LANES
        centred = subtract(load(rows, start + width - LANES), load(center, last))
        scaled = multiply_add(centred, factor, zero)
        store(sums_out, last, multiply_add(centred, scaled, load(sums_out, last)))
