"""Passes over the rows: cut X into chunks, run the block kernels on each, add the partial sums.

The chunks depend on the shape of X alone, each owns its partial sums, and these are added in the
order of the rows: the result has the same bits for any number of threads. A pass comes in two
forms: *direct* reads rows that lie contiguous in memory in place; *gathered* copies a block at a
time, from any layout or number type, into a buffer that stays in cache. Both are compiled as
serial and as parallel twin.
"""

from __future__ import annotations

from enum import Enum
from typing import Any, NamedTuple

import numpy as np
from numba import prange

from .columns import block_height, gather_columns, sum_columns, sum_squares, sweep_prediction
from .policy import Twins, entry, kernel, part
from .rows import (
    AHEAD_BYTES,
    MODEL_TILE,
    STRIP,
    Block,
    Span,
    add_columns_of_models,
    add_gradient,
    add_offset,
    add_squares,
    add_strips_of_models,
    binomial_residual,
    empty_at_line,
    exponentials,
    gather,
    keep_residual,
    linear_residual,
    logistic_curvature,
    pack_rows,
    packed_width,
    predict_block,
    predict_models,
    rows_per_block,
    softmax_product,
    softmax_residual,
    squared_residual,
    sum_block,
    unpack_slot,
    weigh,
    weigh_curvature,
    zeros_at_line,
)
from .simd import LANES

__all__ = [
    "BINOMIAL",
    "LINEAR",
    "MAX_CHUNKS",
    "MULTINOMIAL",
    "MULTINOMIAL_PRODUCT",
    "SPREAD",
    "SQUARED",
    "Layout",
    "Passes",
    "Rows",
    "Targets",
    "add_partials",
    "chunk_rows",
    "model_slots",
    "pack_models",
    "passes",
    "read_sum",
    "sum_chunk_kernel",
]

BINOMIAL, SQUARED, LINEAR, SPREAD, MULTINOMIAL, MULTINOMIAL_PRODUCT = 0, 1, 2, 3, 4, 5
# Blocks of numbers that the losses of several classes work in, besides one for each model.
WORK_BLOCKS = 3
MAX_CHUNKS = 64
MIN_CHUNK_ROWS = 256
# Blocks of one model are of so few rows where rows have more columns than this: 24 of them would
# leave the second level of the cache before the gradient reads them again.
FEW_ROWS, MOST_OF_MANY = 8, 4096


class Layout(Enum):
    """How kernels get at rows: where they lie, or gathered a block at a time."""

    DIRECT = "direct"
    GATHERED = "gathered"


class Rows(NamedTuple):
    """X as the kernels see it, and the standardisation applied to it on the way.

    Direct: `X` is the flat memory and `stride` the elements from row to row. Gathered: the first
    four are those of `elements.Elements`. `inverse_scale` is 0 for a column that does not vary.
    """

    X: Any
    stride: int
    column_stride: int
    kind: int
    n_samples: int
    center: Any
    inverse_scale: Any


class Targets(NamedTuple):
    """What is summed over the rows: a loss of the raw prediction, and its derivative times the row.

    `loss` is BINOMIAL, MULTINOMIAL (softmax), SQUARED (z^2 / 2: the gradient is X' X coef),
    MULTINOMIAL_PRODUCT (its gradient is the softmax loss's Hessian times coef; the weights are
    then row weight times probability) or LINEAR (z: the gradient is the sum of the columns); with
    SPREAD the sum of the squared columns takes the gradient's place.

    `n_classes` models next to each other are the classes of one softmax; it is 1 for other losses.
    `codes` (n_sets, n_samples) are the classes of the rows, one set for all models or one for each
    group of `n_classes`. `weights` (n_sets, n_samples) are the rows' weights, of which model m
    takes set ``weight_set[m]``; weights of no sets mean all 1. `positive` (n_models,) is the code
    that counts as 1, `total_weight` (n_models,) what sums are divided by. `offset` (n_sets,
    n_samples) is added to the raw predictions: none, one set for all models, or one for each of the
    classes that models next to each other stand for.
    """

    loss: int
    n_classes: int
    codes: Any
    positive: Any
    weights: Any
    weight_set: Any
    total_weight: Any
    offset: Any


class Passes(NamedTuple):
    """The passes over one form (direct or gathered) of the rows."""

    raw_prediction: Twins


@part
def chunk_rows(n_samples: int, n_features: int) -> int:
    """Rows of one chunk: whole blocks, at most 64 chunks, and none of them tiny."""
    block = rows_per_block(n_features)
    least = max((n_samples + MAX_CHUNKS - 1) // MAX_CHUNKS, MIN_CHUNK_ROWS)
    return (least + block - 1) // block * block


@part
def model_slots(n_models: int) -> int:
    """Models that the kernels work on: one, or an even number with a model of zeros at the end."""
    if n_models == 1:
        return 1
    return (n_models + MODEL_TILE - 1) // MODEL_TILE * MODEL_TILE


@part
def pack_models(
    rows: Any, coef: Any, intercept: Any, width: int,
    packed_out: Any, intercept_out: Any, center_out: Any,
) -> None:  # fmt: skip
    """Pack the centre, and each model's coefficients on the scale of the columns of X.

    `packed_out` holds `model_slots` packed vectors one after the other.
    """
    packed = center_out.size
    intercept_out[:] = 0.0
    for model in range(intercept.size):
        intercept_out[model] = intercept[model]
    center_out[:] = 0.0
    packed_out[:] = 0.0
    for column in range(rows.center.size):
        slot = unpack_slot(column, width, packed)
        center_out[slot] = rows.center[column]
        for model in range(coef.shape[0]):
            packed_out[model * packed + slot] = coef[model, column] * rows.inverse_scale[column]


@part
def add_partials(partials: Any, total_out: Any) -> None:
    """Add the chunks' sums in the order of the rows."""
    # No slice assignment: numba compiles its error message, which takes 4 seconds.
    total_out[:] = 0.0
    for chunk in range(partials.shape[0]):
        for model in range(partials.shape[1]):
            for place in range(partials.shape[2]):
                total_out[model, place] += partials[chunk, model, place]


@part
def lines_to_ask_for(span: Span, packed: int) -> int:
    """Return over how many elements lines are prefetched while a block is worked on.

    None of rows of up to 16 columns, which the hardware follows by itself (6.0 ns a row of 10, with
    lines asked for 7.5), nor where most of the memory between rows is not theirs.
    """
    is_served = packed <= 2 * LANES or span.stride > 2 * span.width
    return 0 if is_served else span.n_rows * span.stride


@kernel
def direct_source(X: Any, buffer: Any) -> Any:
    return X


@part
def direct_block(rows: Any, start: int, count: int, width: int, buffer: Any, to: int) -> int:
    return start * rows.stride


@kernel
def gathered_source(X: Any, buffer: Any) -> Any:
    return buffer


@part
def gathered_block(rows: Any, start: int, count: int, width: int, buffer: Any, to: int) -> int:
    gather(rows, start, count, width, buffer, to)
    return to


@part
def add_block(
    targets: Any, n_models: int, block: Block, raw: Any, costs: Any, totals_out: Any,
    row_state_out: Any,
) -> None:  # fmt: skip
    """Turn a block's raw predictions into residuals, and add the sums of cost and residual.

    `row_state_out` has no rows, or gets the weighted curvatures (n_models, n_samples), and with
    twice as many rows also the weighted residuals, below.
    """
    first, count, size = block
    loss, n_classes = targets.loss, targets.n_classes
    codes, positive, offset = targets.codes, targets.positive, targets.offset
    weights, weight_set = targets.weights, targets.weight_set
    if offset.shape[0] > 0:
        for model in range(n_models):
            add_offset(offset, model % offset.shape[0], first, raw, model * size, count)
    if loss == BINOMIAL:
        exponentials(raw, n_models * size, costs)
    work = costs.size - WORK_BLOCKS * size
    for model in range(0, n_models, n_classes):
        at = model * size
        group = min(model // n_classes, codes.shape[0] - 1)
        if loss == BINOMIAL:
            binomial_residual(raw, at, codes, group, first, positive[model], count, costs)
            if row_state_out.shape[0] > 0:
                logistic_curvature(raw, at, count, row_state_out, model, first)
        elif loss == MULTINOMIAL:
            softmax_residual(
                raw, block, model, n_classes, codes, group, positive, costs, work, row_state_out
            )
        elif loss == MULTINOMIAL_PRODUCT:
            softmax_product(raw, block, model, n_classes, weights, costs, work)
        elif loss == SQUARED:
            squared_residual(raw, at, count, costs)
        else:
            linear_residual(raw, at, count, costs)
    for model in range(n_models):
        at = model * size
        if weights.shape[0] > 0 and loss != MULTINOMIAL_PRODUCT:
            group = weight_set[model]
            weigh(weights, group, first, costs, at, count)
            weigh(weights, group, first, raw, at, count)
            if row_state_out.shape[0] > 0:
                weigh_curvature(weights, group, first, row_state_out, model, count)
        if row_state_out.shape[0] == 2 * n_models:
            keep_residual(raw, at, count, row_state_out, n_models + model, first)
        totals_out[2 * model] += sum_block(costs, at, count)
        totals_out[2 * model + 1] += sum_block(raw, at, count)


@part
def weights_of_block(weights: Any, first: int, count: int, weights_out: Any) -> None:
    """Copy the weights of a block's rows, 1 where there are none."""
    for row in range(count):
        weights_out[row] = weights[0, first + row] if weights.shape[0] > 0 else 1.0
    for row in range(count, weights_out.size):
        weights_out[row] = 0.0


@part
def finish_chunk(n_models: int, packed: int, gradient: Any, totals: Any, sums_out: Any) -> None:
    """Hand over the sums of a chunk: gradient, cost, residual for each model."""
    for model in range(n_models):
        for column in range(packed):
            sums_out[model, column] = gradient[model * packed + column]
        sums_out[model, packed] = totals[2 * model]
        sums_out[model, packed + 1] = totals[2 * model + 1]


@kernel
def sum_direct_chunk(
    rows: Any, targets: Any, start: int, stop: int, coef: Any, intercept: Any, center: Any,
    sums_out: Any, row_state_out: Any,
) -> None:  # fmt: skip
    """Add cost and gradient of one chunk of rows read in place, for all models."""
    X, stride, width = rows.X, rows.stride, rows.center.size
    loss, weights = targets.loss, targets.weights
    n_models, packed, n_slots = sums_out.shape[0], center.size, intercept.size
    size = rows_per_block(width)
    gradient, totals = zeros_at_line(n_slots * packed), np.zeros(2 * n_models)
    raw, costs = zeros_at_line(n_slots * size), empty_at_line((n_slots + WORK_BLOCKS) * size)
    packed_rows = zeros_at_line(size * packed if n_slots > 1 else 0)
    sums = empty_at_line(n_slots * STRIP)
    if n_slots == 1 and width > MOST_OF_MANY:
        size = FEW_ROWS
    # The whole next block: four rows of a block are read at once, or all of it packed, before what
    # was asked for among them would be there.
    distance = max(AHEAD_BYTES // X.itemsize, size * stride)
    for first in range(start, stop, size):
        count = min(size, stop - first)
        span = Span(first * stride, stride, width, count)
        ahead = first * stride + distance
        until = ahead + lines_to_ask_for(span, packed)
        if loss == SPREAD:
            weights_of_block(weights, first, count, costs)
            add_squares(X, span, center, costs, gradient)
            continue
        if n_slots == 1:
            ahead = predict_block(X, span, coef, 0, intercept[0], center, raw, ahead, until)
        else:
            pack_rows(X, span, center, packed_rows)
            ahead = predict_models(
                packed_rows, count, coef, intercept, sums, raw, size, X, ahead, until
            )
        block = Block(first, count, size)
        add_block(targets, n_models, block, raw, costs, totals, row_state_out)
        if n_slots == 1:
            add_gradient(X, span, center, raw, gradient, ahead, until)
        else:
            ahead = add_strips_of_models(
                packed_rows, count, packed, raw, size, gradient, X, ahead, until
            )
            add_columns_of_models(packed_rows, count, packed, raw, size, gradient, X, ahead, until)
    finish_chunk(n_models, packed, gradient, totals, sums_out)


@kernel
def sum_gathered_chunk(
    rows: Any, targets: Any, start: int, stop: int, coef: Any, intercept: Any, center: Any,
    sums_out: Any, row_state_out: Any,
) -> None:  # fmt: skip
    """Add cost and gradient of one chunk of rows of any kind, for all models."""
    n_features = rows.center.size
    loss, weights = targets.loss, targets.weights
    n_models, packed = sums_out.shape[0], center.size
    height = block_height(n_features)
    gradient, totals = zeros_at_line(n_models * packed), np.zeros(2 * n_models)
    raw = empty_at_line(n_models * height)
    costs, columns = (
        empty_at_line((n_models + WORK_BLOCKS) * height),
        empty_at_line(n_features * height),
    )
    for first in range(start, stop, height):
        count = min(height, stop - first)
        gather_columns(rows, first, count, center, height, columns)
        if loss == SPREAD:
            weights_of_block(weights, first, count, costs)
            sum_squares(columns, height, n_features, costs, gradient)
            continue
        for model in range(n_models):
            sweep_prediction(
                columns, height, n_features, coef, model * packed, intercept[model],
                raw, model * height,
            )  # fmt: skip
        block = Block(first, count, height)
        add_block(targets, n_models, block, raw, costs, totals, row_state_out)
        for model in range(n_models):
            for row in range(model * height + count, (model + 1) * height):
                raw[row] = 0.0
            sum_columns(columns, height, n_features, raw, model * height, gradient, model * packed)
    finish_chunk(n_models, packed, gradient, totals, sums_out)


_SUM_CHUNK = {Layout.DIRECT: sum_direct_chunk, Layout.GATHERED: sum_gathered_chunk}


def sum_chunk_kernel(layout: Layout) -> Any:
    """Return the kernel that adds one chunk's cost and gradient, for loops of other modules."""
    return _SUM_CHUNK[layout]


@kernel
def predict_direct_chunk(
    rows: Any, start: int, stop: int, coef: Any, intercept: Any, center: Any, raw_out: Any
) -> None:
    """Raw prediction of one chunk of rows read in place, by all models."""
    X, stride, width = rows.X, rows.stride, rows.center.size
    packed, size = center.size, rows_per_block(width)
    raw = np.empty(size)
    distance = AHEAD_BYTES // X.itemsize
    for first in range(start, stop, size):
        count = min(size, stop - first)
        span = Span(first * stride, stride, width, count)
        ahead = first * stride + distance
        until = ahead + lines_to_ask_for(span, packed)
        for model in range(raw_out.shape[0]):
            ahead = predict_block(
                X, span, coef, model * packed, intercept[model], center, raw, ahead, until
            )
            for row in range(count):
                raw_out[model, first + row] = raw[row]


@kernel
def predict_gathered_chunk(
    rows: Any, start: int, stop: int, coef: Any, intercept: Any, center: Any, raw_out: Any
) -> None:
    """Raw prediction of one chunk of rows of any kind, by all models."""
    n_features = rows.center.size
    packed, height = center.size, block_height(n_features)
    raw, columns = empty_at_line(height), empty_at_line(n_features * height)
    for first in range(start, stop, height):
        count = min(height, stop - first)
        gather_columns(rows, first, count, center, height, columns)
        for model in range(raw_out.shape[0]):
            sweep_prediction(
                columns, height, n_features, coef, model * packed, intercept[model], raw, 0
            )
            for row in range(count):
                raw_out[model, first + row] = raw[row]


_PREDICT_CHUNK = {Layout.DIRECT: predict_direct_chunk, Layout.GATHERED: predict_gathered_chunk}


def _raw_prediction(layout: Layout) -> Twins:
    direct = layout is Layout.DIRECT
    predict_chunk = _PREDICT_CHUNK[layout]

    def raw_prediction(rows: Any, coef: Any, intercept: Any, raw_out: Any) -> None:
        n_models, n_features = coef.shape
        packed = packed_width(n_features)
        width = n_features if direct else packed
        packed_coef, packed_intercept = empty_at_line(n_models * packed), np.empty(n_models)
        center = empty_at_line(packed)
        pack_models(rows, coef, intercept, width, packed_coef, packed_intercept, center)
        step = chunk_rows(rows.n_samples, n_features)
        n_chunks = (rows.n_samples + step - 1) // step
        for chunk in prange(n_chunks):
            start = chunk * step
            stop = min(start + step, rows.n_samples)
            predict_chunk(rows, start, stop, packed_coef, packed_intercept, center, raw_out)

    return entry(raw_prediction, name=layout.value)


_BY_FORM = {
    layout: Passes(
        raw_prediction=_raw_prediction(layout),
    )
    for layout in Layout
}


def passes(layout: Layout) -> Passes:
    """Return the compiled passes for rows read in place (direct) or gathered block by block."""
    return _BY_FORM[layout]


def _read_sum(values: Any, sums_out: Any) -> None:
    """Sum a flat array in `sums_out.size` chunks: the time of merely reading X once."""
    n_chunks = sums_out.size
    step = (values.size + n_chunks - 1) // n_chunks
    for chunk in prange(n_chunks):
        part = values[chunk * step : min((chunk + 1) * step, values.size)]
        sums_out[chunk] = sum_block(part, 0, part.size)


read_sum = entry(_read_sum, name="read_sum")
