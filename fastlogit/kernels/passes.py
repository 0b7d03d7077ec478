"""Passes over the rows: cut X into chunks, run the block kernels on each, add the partial sums.

The chunks depend on the shape of X alone, each owns its partial sums, and these are added in the
order of the rows: the result has the same bits for any number of threads. A pass comes in two
forms: *direct* reads rows that lie contiguous in memory in place; *gathered* copies a block at a
time, from any layout or number type, into a buffer that stays in cache. Both are compiled as
serial and as parallel twin.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import prange

from .policy import Twins, entry, kernel
from .rows import (
    add_gradient,
    add_offset,
    add_squares,
    binomial_residual,
    gather,
    linear_residual,
    logistic_curvature,
    packed_width,
    predict_and_add_gradient,
    predict_rows,
    rows_per_block,
    squared_residual,
    sum_block,
    unpack_slot,
    weigh,
)

__all__ = [
    "BINOMIAL",
    "LINEAR",
    "SPREAD",
    "SQUARED",
    "Passes",
    "Rows",
    "Targets",
    "add_partials",
    "chunk_rows",
    "pack_models",
    "passes",
    "read_sum",
    "sum_chunk_kernel",
]

BINOMIAL, SQUARED, LINEAR, SPREAD = 0, 1, 2, 3
MAX_CHUNKS = 64
MIN_CHUNK_ROWS = 256


class Rows(NamedTuple):
    """X as the kernels see it, and the standardisation applied to it on the way.

    Direct: `X` is the flat memory and `stride` the elements from row to row. Gathered: `X` is the
    two-dimensional array and `stride` is 0. `inverse_scale` is 0 for a column that does not vary.
    """

    X: Any
    stride: int
    swapped: bool
    n_samples: int
    center: Any
    inverse_scale: Any


class Targets(NamedTuple):
    """What is summed over the rows: a loss of the raw prediction, and its derivative times the row.

    `loss` is BINOMIAL, SQUARED (z^2 / 2: the gradient is X' X coef) or LINEAR (z: the gradient is
    the sum of the columns); with SPREAD the sum of the squared columns takes the gradient's place.
    `codes` (n_sets, n_samples) are the classes of the rows and `weights` (n_sets, n_samples) their
    weights: one set for all models, or one for each. `positive` (n_models,) is the code that counts
    as 1, `total_weight` (n_models,) what sums are divided by. Weights of no sets mean all 1, and
    an empty `offset` none; else `offset` (n_samples,) is added to every raw prediction.
    """

    loss: int
    codes: Any
    positive: Any
    weights: Any
    total_weight: Any
    offset: Any


class Passes(NamedTuple):
    """The passes over one form (direct or gathered) of the rows."""

    raw_prediction: Twins


@kernel
def chunk_rows(n_samples: int, n_features: int) -> int:
    """Rows of one chunk: whole blocks, at most 64 chunks, and none of them tiny."""
    block = rows_per_block(n_features)
    least = max((n_samples + MAX_CHUNKS - 1) // MAX_CHUNKS, MIN_CHUNK_ROWS)
    return (least + block - 1) // block * block


@kernel
def pack_models(
    rows: Any, coef: Any, intercept: Any, width: int,
    packed_out: Any, intercept_out: Any, center_out: Any,
) -> None:  # fmt: skip
    """Pack the centre, and each model's coefficients on the scale of the columns of X."""
    for model in range(intercept.size):
        intercept_out[model] = intercept[model]
    center_out[:] = 0.0
    packed_out[:] = 0.0
    for column in range(rows.center.size):
        slot = unpack_slot(column, width, center_out.size)
        center_out[slot] = rows.center[column]
        for model in range(coef.shape[0]):
            packed_out[model, slot] = coef[model, column] * rows.inverse_scale[column]


@kernel
def add_partials(partials: Any, total_out: Any) -> None:
    """Add the chunks' sums in the order of the rows."""
    # No slice assignment: numba compiles its error message, which takes 4 seconds.
    total_out[:] = 0.0
    for chunk in range(partials.shape[0]):
        for model in range(partials.shape[1]):
            for place in range(partials.shape[2]):
                total_out[model, place] += partials[chunk, model, place]


@kernel
def direct_source(X: Any, buffer: Any) -> Any:
    return X


@kernel
def direct_block(rows: Any, start: int, count: int, width: int, buffer: Any, to: int) -> int:
    return start * rows.stride


@kernel
def gathered_source(X: Any, buffer: Any) -> Any:
    return buffer


@kernel
def gathered_block(rows: Any, start: int, count: int, width: int, buffer: Any, to: int) -> int:
    gather(rows.X, rows.swapped, start, count, width, buffer, to)
    return to


def _form(direct: bool) -> tuple[Any, Any, str]:
    if direct:
        return direct_source, direct_block, "direct"
    return gathered_source, gathered_block, "gathered"


def _sum_chunk(direct: bool) -> Any:
    """Build the kernel that adds cost and gradient of one chunk, all models, into `sums_out`."""
    source, bring_block, _ = _form(direct)

    @kernel
    def finish_block(
        targets: Any, model: int, first: int, count: int, raw: Any, costs: Any, sums_out: Any,
        curvature_out: Any,
    ) -> None:  # fmt: skip
        n_columns = sums_out.shape[1] - 2
        if targets.offset.size > 0:
            add_offset(targets.offset, first, count, raw[model])
        if targets.loss == BINOMIAL:
            codes = targets.codes[min(model, targets.codes.shape[0] - 1)]
            binomial_residual(raw[model], codes, first, targets.positive[model], count, costs)
        elif targets.loss == SQUARED:
            squared_residual(raw[model], count, costs)
        else:
            linear_residual(raw[model], count, costs)
        if curvature_out.shape[0] > 0:
            logistic_curvature(raw[model], count, curvature_out[model, first : first + count])
        if targets.weights.shape[0] > 0:
            weights = targets.weights[min(model, targets.weights.shape[0] - 1)]
            weigh(weights, first, count, costs)
            weigh(weights, first, count, raw[model])
            if curvature_out.shape[0] > 0:
                weigh(weights, first, count, curvature_out[model, first : first + count])
        sums_out[model, n_columns] += sum_block(costs, count)
        sums_out[model, n_columns + 1] += sum_block(raw[model], count)

    @kernel
    def sum_chunk(
        rows: Any, targets: Any, start: int, stop: int, coef: Any, intercept: Any, center: Any,
        sums_out: Any, curvature_out: Any,
    ) -> None:  # fmt: skip
        n_models, packed = coef.shape
        width = center.size if not direct else rows.center.size
        stride = rows.stride if direct else width
        block = rows_per_block(rows.center.size)
        buffer = np.zeros(0 if direct else 2 * block * width)
        values = source(rows.X, buffer)
        half = block * width
        # Residuals of the current block, overwritten by raw predictions of the following one.
        residual, raw = np.empty((n_models, block)), np.empty((n_models, block))
        costs = np.empty(block)
        sums_out[:] = 0.0
        if targets.loss == SPREAD:
            weighted = targets.weights.shape[0] > 0
            for first in range(start, stop, block):
                count = min(block, stop - first)
                for row in range(count):
                    costs[row] = targets.weights[0, first + row] if weighted else 1.0
                current = bring_block(rows, first, count, width, buffer, 0)
                add_squares(
                    values, current, stride, width, count, center, costs, sums_out[0, :packed]
                )
            return
        n_blocks = (stop - start) // block
        if n_blocks > 0:
            following = bring_block(rows, start, block, width, buffer, 0)
            for model in range(n_models):
                predict_rows(
                    values, following, stride, width, block,
                    coef[model], intercept[model], center, raw[model],
                )  # fmt: skip
        for index in range(n_blocks):
            current, first = following, start + index * block
            residual, raw = raw, residual
            if index + 1 < n_blocks:
                to = half * ((index + 1) % 2)
                following = bring_block(rows, first + block, block, width, buffer, to)
            for model in range(n_models):
                finish_block(targets, model, first, block, residual, costs, sums_out, curvature_out)
                predict_and_add_gradient(
                    values, current, following, stride, width, block,
                    coef[model], intercept[model], center, residual[model], raw[model],
                    sums_out[model, :packed],
                )  # fmt: skip
        first = start + n_blocks * block
        count = stop - first
        if count > 0:
            current = bring_block(rows, first, count, width, buffer, 0)
            for model in range(n_models):
                predict_rows(
                    values, current, stride, width, count,
                    coef[model], intercept[model], center, raw[model],
                )  # fmt: skip
                finish_block(targets, model, first, count, raw, costs, sums_out, curvature_out)
                add_gradient(
                    values, current, stride, width, count, center, raw[model],
                    sums_out[model, :packed],
                )  # fmt: skip

    return sum_chunk


_SUM_CHUNK = {direct: _sum_chunk(direct) for direct in (True, False)}


def sum_chunk_kernel(direct: bool) -> Any:
    """Return the kernel that adds one chunk's cost and gradient, for loops of other modules."""
    return _SUM_CHUNK[direct]


def _raw_prediction(direct: bool) -> Twins:
    source, bring_block, form = _form(direct)

    @kernel
    def predict_chunk(
        rows: Any, start: int, stop: int, coef: Any, intercept: Any, center: Any, raw_out: Any
    ) -> None:
        width = center.size if not direct else rows.center.size
        stride = rows.stride if direct else width
        block = rows_per_block(rows.center.size)
        buffer = np.zeros(0 if direct else block * width)
        values = source(rows.X, buffer)
        for first in range(start, stop, block):
            count = min(block, stop - first)
            place = bring_block(rows, first, count, width, buffer, 0)
            for model in range(coef.shape[0]):
                predict_rows(
                    values, place, stride, width, count,
                    coef[model], intercept[model], center, raw_out[model, first : first + count],
                )  # fmt: skip

    def raw_prediction(rows: Any, coef: Any, intercept: Any, raw_out: Any) -> None:
        n_models, n_features = coef.shape
        packed = packed_width(n_features)
        width = n_features if direct else packed
        packed_coef, packed_intercept = np.empty((n_models, packed)), np.empty(n_models)
        center = np.empty(packed)
        pack_models(rows, coef, intercept, width, packed_coef, packed_intercept, center)
        step = chunk_rows(rows.n_samples, n_features)
        n_chunks = (rows.n_samples + step - 1) // step
        for chunk in prange(n_chunks):
            start = chunk * step
            stop = min(start + step, rows.n_samples)
            predict_chunk(rows, start, stop, packed_coef, packed_intercept, center, raw_out)

    return entry(raw_prediction, name=form)


_BY_FORM = {
    direct: Passes(
        raw_prediction=_raw_prediction(direct),
    )
    for direct in (True, False)
}


def passes(direct: bool) -> Passes:
    """Return the compiled passes for rows read in place (direct) or gathered block by block."""
    return _BY_FORM[direct]


def _read_sum(values: Any, sums_out: Any) -> None:
    """Sum a flat array in `sums_out.size` chunks: the time of merely reading X once."""
    n_chunks = sums_out.size
    step = (values.size + n_chunks - 1) // n_chunks
    for chunk in prange(n_chunks):
        part = values[chunk * step : min((chunk + 1) * step, values.size)]
        sums_out[chunk] = sum_block(part, part.size)


read_sum = entry(_read_sum, name="read_sum")
