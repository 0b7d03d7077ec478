"""Columns centred and scaled by algebra: what is done for each column before and after a pass.

NumPy takes a dozen runs over the columns for it, by one thread: 1.5 ms for 100,000 of them, beside
a pass over 4.5 million values that takes one thread 13 ms, and less with more. Here it is done by
parts of the columns, each by one thread: sums over them have the same bits for any number.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import prange

from .policy import entry, part

__all__ = ["PARTS", "finish", "pack"]

# Parts of the columns: more than threads.
PARTS = 64


@part
def bounds_of_part(n_columns: int, part: int) -> tuple[int, int]:
    """Return the first column of one of `PARTS` parts, and the end."""
    step = (n_columns + PARTS - 1) // PARTS
    start = min(part * step, n_columns)
    return start, min(start + step, n_columns)


@part
def pack_part(
    part: int, coef: Any, center: Any, inverse_scale: Any, n_slots: int, table_out: Any,
    shifts_out: Any,
) -> None:  # fmt: skip
    """Scale the coefficients of some columns; see `pack`."""
    n_models, n_columns = coef.shape
    start, stop = bounds_of_part(n_columns, part)
    width = np.uint64(n_slots)
    for model in range(n_models):
        at, shift = np.uint64(model), 0.0
        for column in range(np.uint64(start), np.uint64(stop)):
            value = coef[model, column] * inverse_scale[column]
            table_out[column * width + at] = value
            shift += value * center[column]
        shifts_out[part, model] = shift
    for slot in range(n_models, n_slots):
        at = np.uint64(slot)
        for column in range(np.uint64(start), np.uint64(stop)):
            table_out[column * width + at] = 0.0


def _pack(
    coef: Any, center: Any, inverse_scale: Any, n_slots: int, table_out: Any, shifts_out: Any
) -> None:
    for piece in prange(PARTS):
        pack_part(piece, coef, center, inverse_scale, n_slots, table_out, shifts_out)


@part
def finish_part(
    part: int, sums: Any, n_slots: int, totals: Any, total_weight: Any, columns: Any,
    strengths: Any, coef: Any, gradient_out: Any, pulls_out: Any,
) -> None:  # fmt: skip
    """Turn the sums of some columns into slopes; see `finish`."""
    center, inverse_scale = columns
    n_models, n_columns = coef.shape
    start, stop = bounds_of_part(n_columns, part)
    width = np.uint64(n_slots)
    for model in range(n_models):
        own = min(model, strengths.shape[0] - 1)
        total, weight, pulls = totals[model, 1], total_weight[model], 0.0
        at, is_penalized = np.uint64(model), strengths.shape[1] > 0
        for column in range(np.uint64(start), np.uint64(stop)):
            pull = strengths[own, column] * coef[model, column] if is_penalized else 0.0
            slope = (sums[column * width + at] - total * center[column]) * inverse_scale[column]
            gradient_out[model, column] = slope / weight + pull
            pulls += pull * coef[model, column]
        pulls_out[part, model] = pulls


def _finish(
    sums: Any, n_slots: int, totals: Any, total_weight: Any, columns: Any, strengths: Any,
    coef: Any, gradient_out: Any, pulls_out: Any,
) -> None:  # fmt: skip
    for piece in prange(PARTS):
        finish_part(
            piece, sums, n_slots, totals, total_weight, columns, strengths, coef, gradient_out,
            pulls_out,
        )  # fmt: skip


# pack(coef, center, inverse_scale, n_slots, table_out, shifts_out): coefficients (n_models,
# n_columns) of standardised columns as those of columns as they are, those of a column next to each
# other in `n_slots` slots, and in the parts (PARTS, n_models) the sum of each model's times the
# centres.
pack = entry(_pack)
# finish(sums, n_slots, totals, total_weight, columns, strengths, coef, gradient_out, pulls_out):
# sums over the rows of residual times column, in slots as above, as slopes (n_models, n_columns) of
# the mean loss and an L2 penalty; `columns` are centres and inverse scales, and `totals`
# (n_models, 2) has the sums of the residuals in the second place. Strengths of shape (1, 0) are
# those of no penalty. The parts (PARTS, n_models) get the sums of strength times square.
finish = entry(_finish)
