"""From rows to raw predictions, probabilities or their logarithms, in one pass.

Rows are read where they are, a pair of models at a time while a block is in L1; what the models say
about a block is turned into probabilities before the next one is read, and written once.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import prange

from .columns import block_height, gather_columns, sweep_prediction
from .elementwise import exp_nonpositive, log1p_positive, log1p_unit
from .passes import Layout, chunk_rows, model_slots, pack_models
from .policy import Twins, entry, kernel, part
from .rows import (
    AHEAD_BYTES,
    LINE_BYTES,
    MODEL_TILE,
    ROW_TILE,
    Span,
    add_offset,
    ask_for,
    empty_at_line,
    exponentials,
    packed_width,
    rows_per_block,
    softmax_terms,
    zeros_at_line,
)
from .simd import LANES, load, multiply_add, prefetch_l2, splat, total

__all__ = ["BINARY", "LOG", "ONE_VS_ALL", "RAW", "SOFTMAX", "hypotheses"]

# What is asked for; LOG is added for the logarithm.
RAW, BINARY, SOFTMAX, ONE_VS_ALL, LOG = 0, 1, 2, 3, 4
# Blocks of numbers to work in, besides one for each model.
WORK_BLOCKS = 4
# How far ahead of a row the next are asked for, and of a block how many lines before what it
# predicts is written.
NEAR_BYTES, LINES_MEANWHILE = 2048, 32
# A row's hypotheses that add up to less are normalised by their logarithms.
SMALL_SUM = 1e-280


@part
def predict_one(rows: Any, span: Span, coef: Any, intercept: float, raw_out: Any) -> None:
    """Raw prediction of rows that are not centred by one model.

    Row after row, as memory is read fastest where nothing else is done: with four rows at once, as
    where a gradient follows, probabilities of 1,000,000 x 100 take 1.37 reads of X, so 1.2.
    """
    place, stride, width, count = span
    last, tail = coef.size - LANES, width - LANES
    ahead, line = NEAR_BYTES // rows.itemsize, LINE_BYTES // rows.itemsize
    for row in range(count):
        start = place + row * stride
        sums = splat(0.0)
        for column in range(0, last, LANES):
            prefetch_l2(rows, start + column + ahead)
            sums = multiply_add(load(rows, start + column), load(coef, column), sums)
        sums = multiply_add(load(rows, start + tail), load(coef, last), sums)
        raw_out[row] = total(sums) + intercept
    # Memory is asked for the next rows while these are turned into probabilities.
    following = place + count * stride
    for number in range(LINES_MEANWHILE):
        prefetch_l2(rows, following + number * line)


@part
def predict_pair(
    rows: Any, span: Span, coef: Any, packed: int, model: int, intercept: Any, raw_out: Any,
    block: int, ahead: int, until: int,
) -> int:  # fmt: skip
    """Raw prediction of rows that are not centred by `model` and the one after it.

    While `ahead` lies before `until` lines of rows are prefetched; returns where to go on.
    """
    place, stride, width, count = span
    c, d = model * packed, (model + 1) * packed
    to, other = model * block, (model + 1) * block
    last, tail = packed - LANES, width - LANES
    # Evenly over all rows and models that are to come.
    n_steps = (count + ROW_TILE - 1) // ROW_TILE * (intercept.size - model) // MODEL_TILE
    share = (until - ahead) // (LINE_BYTES // rows.itemsize) // n_steps + 1
    for row in range(0, count, ROW_TILE):
        p0 = place + row * stride
        p1 = place + min(row + 1, count - 1) * stride
        p2 = place + min(row + 2, count - 1) * stride
        a0, a1, a2 = splat(0.0), splat(0.0), splat(0.0)
        b0, b1, b2 = splat(0.0), splat(0.0), splat(0.0)
        ahead = ask_for(rows, ahead, until, share)
        for column in range(0, last, LANES):
            first, second = load(coef, c + column), load(coef, d + column)
            x0 = load(rows, p0 + column)
            a0, b0 = multiply_add(x0, first, a0), multiply_add(x0, second, b0)
            x1 = load(rows, p1 + column)
            a1, b1 = multiply_add(x1, first, a1), multiply_add(x1, second, b1)
            x2 = load(rows, p2 + column)
            a2, b2 = multiply_add(x2, first, a2), multiply_add(x2, second, b2)
        first, second = load(coef, c + last), load(coef, d + last)
        x0, x1, x2 = load(rows, p0 + tail), load(rows, p1 + tail), load(rows, p2 + tail)
        raw_out[to + row] = total(multiply_add(x0, first, a0)) + intercept[model]
        raw_out[to + row + 1] = total(multiply_add(x1, first, a1)) + intercept[model]
        raw_out[to + row + 2] = total(multiply_add(x2, first, a2)) + intercept[model]
        raw_out[other + row] = total(multiply_add(x0, second, b0)) + intercept[model + 1]
        raw_out[other + row + 1] = total(multiply_add(x1, second, b1)) + intercept[model + 1]
        raw_out[other + row + 2] = total(multiply_add(x2, second, b2)) + intercept[model + 1]
    return ahead


@part
def write_raw(raw: Any, block: int, n_models: int, first: int, count: int, out: Any) -> None:
    # Numbers without sign need no check for an index from the end, which would end vectorisation.
    n_rows, width = np.uint64(count), np.uint64(n_models)
    for model in range(n_models):
        at, to = np.uint64(model * block), np.uint64(first * n_models + model)
        for row in range(n_rows):
            out[to + row * width] = raw[at + row]


@part
def write_binary(
    raw: Any, block: int, first: int, count: int, is_log: bool, work: Any, out: Any
) -> None:
    """Write 1 - p and p, each without a difference that could cancel."""
    exponentials(raw, block, work)
    # Written next to each other in one loop: 2.3 ns a row, where two loops take 2.9.
    n_rows, two = np.uint64(count), np.uint64(2)
    at, after = np.uint64(2 * first), np.uint64(2 * first + 1)
    if is_log:
        for row in range(n_rows):
            z, rest = raw[row], log1p_unit(work[row])
            out[at + two * row] = -rest - (z if z >= 0.0 else 0.0)
            out[after + two * row] = -rest - (0.0 if z >= 0.0 else -z)
    else:
        for row in range(n_rows):
            tail = work[row]
            large = 1.0 / (1.0 + tail)
            small = tail * large
            is_positive = raw[row] >= 0.0
            # Written so that a NaN stays one.
            out[at + two * row] = small if is_positive else large
            out[after + two * row] = large if is_positive else small


@part
def write_softmax(
    raw: Any, block: int, n_models: int, first: int, count: int, is_log: bool, work: Any, out: Any
) -> None:
    """Write e^z over its sum over the models."""
    softmax_terms(raw, 0, block, n_models, count, work, n_models * block)
    # Numbers without sign, as there.
    n_rows, top = np.uint64(count), np.uint64(n_models * block)
    rest, inverse = np.uint64((n_models + 1) * block), np.uint64((n_models + 2) * block)
    if is_log:
        for row in range(n_rows):
            work[rest + row] = log1p_positive(work[rest + row])
    for model in range(n_models):
        at = np.uint64(model * block)
        if is_log:
            for row in range(n_rows):
                work[at + row] = raw[at + row] - work[top + row] - work[rest + row]
        else:
            for row in range(n_rows):
                work[at + row] *= work[inverse + row]
    write_raw(work, block, n_models, first, count, out)


@part
def write_one_vs_all(
    raw: Any, block: int, n_models: int, first: int, count: int, is_log: bool, work: Any, out: Any
) -> None:
    """Write sigmoid(z) over its sum over the models."""
    whole = n_models * block
    for row in range(count):
        work[whole + row] = 0.0
    exponentials(raw, n_models * block, work)
    for model in range(n_models):
        at = model * block
        for row in range(count):
            tail = work[at + row]
            share = (1.0 if raw[at + row] >= 0.0 else tail) / (1.0 + tail)
            work[at + row] = share
            work[whole + row] += share
    for model in range(n_models):
        at = model * block
        for row in range(count):
            work[at + row] /= work[whole + row]
    for row in range(count):
        if is_log or work[whole + row] < SMALL_SUM:
            normalize_logs(raw, block, n_models, row, is_log, work)
    write_raw(work, block, n_models, first, count, out)


@part
def normalize_logs(raw: Any, block: int, n_models: int, row: int, is_log: bool, work: Any) -> None:
    """Normalise the hypotheses of a row from the logarithms of the sigmoids."""
    top, whole = -np.inf, 0.0
    for model in range(n_models):
        z = raw[model * block + row]
        value = -log1p_unit(exp_nonpositive(-abs(z))) - (0.0 if z >= 0.0 else -z)
        work[model * block + row] = value
        top = value if value > top else top
    for model in range(n_models):
        whole += exp_nonpositive(work[model * block + row] - top)
    level = top + log1p_positive(whole - 1.0 if whole > 1.0 else 0.0)
    for model in range(n_models):
        value = work[model * block + row] - level
        work[model * block + row] = value if is_log else exp_nonpositive(min(value, 0.0))


@part
def spoiled_by(raw: Any, block: int, n_models: int, count: int) -> float:
    """Return 0, or NaN if a raw prediction is not finite."""
    spoiled = 0.0
    for model in range(n_models):
        at, whole = model * block, count - count % LANES
        zeros = splat(0.0)
        for row in range(at, at + whole, LANES):
            zeros = multiply_add(load(raw, row), splat(0.0), zeros)
        spoiled += total(zeros)
        for row in range(at + whole, at + count):
            spoiled += raw[row] * 0.0
    return spoiled


@part
def write_block(
    kind: int, raw: Any, block: int, n_models: int, first: int, count: int, work: Any, out: Any
) -> float:
    """Write what is asked for; the result is NaN if a raw prediction is not finite."""
    spoiled = spoiled_by(raw, block, n_models, count)
    is_log = kind >= LOG
    asked = kind - LOG if is_log else kind
    if asked == RAW:
        write_raw(raw, block, n_models, first, count, out)
    elif asked == BINARY:
        write_binary(raw, block, first, count, is_log, work, out)
    elif asked == SOFTMAX:
        write_softmax(raw, block, n_models, first, count, is_log, work, out)
    else:
        write_one_vs_all(raw, block, n_models, first, count, is_log, work, out)
    return spoiled


@kernel
def predict_direct(
    rows: Any, start: int, stop: int, coef: Any, intercept: Any, center: Any, offset: Any,
    kind: int, n_models: int, out: Any,
) -> float:  # fmt: skip
    """Write the hypotheses of one chunk of rows read in place."""
    X, stride, width = rows.X, rows.stride, rows.center.size
    packed, block, n_slots = center.size, rows_per_block(width), intercept.size
    raw, work = zeros_at_line(n_slots * block), zeros_at_line((n_slots + WORK_BLOCKS) * block)
    distance, spoiled = AHEAD_BYTES // X.itemsize, 0.0
    for first in range(start, stop, block):
        count = min(block, stop - first)
        span = Span(first * stride, stride, width, count)
        ahead = first * stride + distance
        until = ahead + count * stride
        if n_slots == 1:
            predict_one(X, span, coef, intercept[0], raw)
        for model in range(0, n_slots - 1, MODEL_TILE):
            ahead = predict_pair(X, span, coef, packed, model, intercept, raw, block, ahead, until)
        if offset.shape[0] > 0:
            for model in range(n_models):
                add_offset(offset, model % offset.shape[0], first, raw, model * block, count)
        spoiled += write_block(kind, raw, block, n_models, first, count, work, out)
    return spoiled


@kernel
def predict_gathered(
    rows: Any, start: int, stop: int, coef: Any, intercept: Any, center: Any, offset: Any,
    kind: int, n_models: int, out: Any,
) -> float:  # fmt: skip
    """Write the hypotheses of one chunk of rows of any kind."""
    n_features = rows.center.size
    packed, height = center.size, block_height(n_features)
    raw, work = zeros_at_line(n_models * height), zeros_at_line((n_models + WORK_BLOCKS) * height)
    columns, spoiled = empty_at_line(n_features * height), 0.0
    for first in range(start, stop, height):
        count = min(height, stop - first)
        gather_columns(rows, first, count, center, height, columns)
        for model in range(n_models):
            sweep_prediction(
                columns, height, n_features, coef, model * packed, intercept[model], raw,
                model * height,
            )  # fmt: skip
            if offset.shape[0] > 0:
                add_offset(offset, model % offset.shape[0], first, raw, model * height, count)
        spoiled += write_block(kind, raw, height, n_models, first, count, work, out)
    return spoiled


_CHUNKS = {Layout.DIRECT: predict_direct, Layout.GATHERED: predict_gathered}


def _hypotheses(layout: Layout) -> Twins:
    direct = layout is Layout.DIRECT
    predict = _CHUNKS[layout]

    def hypotheses(rows: Any, coef: Any, intercept: Any, offset: Any, kind: int, out: Any) -> float:
        n_models, n_features = coef.shape
        packed = packed_width(n_features)
        width = n_features if direct else packed
        n_slots = model_slots(n_models)
        packed_coef, packed_intercept = empty_at_line(n_slots * packed), np.empty(n_slots)
        center = empty_at_line(packed)
        pack_models(rows, coef, intercept, width, packed_coef, packed_intercept, center)
        step = chunk_rows(rows.n_samples, n_features)
        n_chunks = (rows.n_samples + step - 1) // step
        spoiled = np.empty(n_chunks)
        for chunk in prange(n_chunks):
            start = chunk * step
            stop = min(start + step, rows.n_samples)
            spoiled[chunk] = predict(
                rows, start, stop, packed_coef, packed_intercept, center, offset, kind, n_models,
                out,
            )  # fmt: skip
        bad = 0.0
        for chunk in range(n_chunks):
            bad += spoiled[chunk]
        return bad

    return entry(hypotheses, name=layout.value)


_BY_FORM = {layout: _hypotheses(layout) for layout in Layout}


def hypotheses(layout: Layout) -> Twins:
    """Return the compiled hypotheses over rows read in place (direct) or gathered block by block.

    ``hypotheses(rows, coef, intercept, offset, kind, out)`` writes row after row to a flat array:
    RAW predictions (n_models of a row), BINARY probabilities of one model (2), SOFTMAX or
    normalised ONE_VS_ALL ones (n_models), or with LOG added their logarithms. `rows` are not
    centred where they are read in place. It returns 0, or NaN if some raw prediction is not finite.
    """
    return _BY_FORM[layout]
