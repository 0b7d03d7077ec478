"""What passes over sparse rows and over codes share: gradients that are scattered.

Each chunk of rows has a gradient of its own to scatter into, a *strip*, and the strips are added in
the order of the rows, each part of the columns by one thread: the result has the same bits for any
number of threads. Columns are neither centred nor scaled here: sums over the values as they are
stored are, by whoever asks (`design.scattered`).

Numbers of one model are a vector. Those of several lie next to each other for each column, in as
many slots as the kind of rows has for them: one value meets all models.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numba import prange

from .hypotheses import WORK_BLOCKS as WRITE_BLOCKS
from .hypotheses import write_block
from .passes import LINEAR, WORK_BLOCKS, add_block
from .policy import Twins, entry, kernel, part
from .rows import Block, add_offset, empty_at_line, zeros_at_line

__all__ = ["PARTS", "Passes", "add_strips", "by_model", "by_row", "passes_by"]

# A kernel over one block of rows.
BlockKernel: TypeAlias = Callable[..., None]
# Parts of the columns of which a thread adds up the strips: more than threads.
PARTS = 64


@part
def add_strips(strips: Any, part: int, total_out: Any) -> None:
    """Add one of `PARTS` parts of the strips, in the order of the rows."""
    step = (total_out.size + PARTS - 1) // PARTS
    start, stop = part * step, min((part + 1) * step, total_out.size)
    if stop <= start:
        return
    begin, end = np.uint64(start), np.uint64(stop)
    for place in range(begin, end):
        total_out[place] = strips[0, place]
    for chunk in range(1, strips.shape[0]):
        line = np.uint64(chunk)
        for place in range(begin, end):
            total_out[place] += strips[line, place]


@part
def by_model(turned: Any, count: int, n_slots: int, size: int, raw_out: Any) -> None:
    """Put numbers that lie row by row one model after the other, `size` for each."""
    n_rows, width = np.uint64(count), np.uint64(n_slots)
    for model in range(n_slots):
        at, to = np.uint64(model), np.uint64(model * size)
        for row in range(n_rows):
            raw_out[to + row] = turned[row * width + at]


@part
def by_row(residual: Any, count: int, n_slots: int, size: int, turned_out: Any) -> None:
    """The way back."""
    n_rows, width = np.uint64(count), np.uint64(n_slots)
    for model in range(n_slots):
        at, to = np.uint64(model), np.uint64(model * size)
        for row in range(n_rows):
            turned_out[row * width + at] = residual[to + row]


class Passes(NamedTuple):
    """The compiled passes over one kind of rows; `bounds` are the rows at which chunks begin.

    Attributes
    ----------
    sums
        ``sums(rows, bounds, targets, size, coef, intercept, strips, totals, gradient_out,
        row_state_out)``: cost and gradient as `kernels.passes` sums them, `size` rows at a time.
        ``totals`` (n_chunks, 2 n_models) are cost and residual of each model; ``strips``
        (n_chunks, n_columns * n_slots) is room.
    raw_prediction
        ``raw_prediction(rows, bounds, size, coef, intercept, raw_out)``
    hypotheses
        ``hypotheses(rows, bounds, size, coef, intercept, offset, kind, n_models, spoiled_out,
        out)``: `spoiled_out` is NaN for a chunk with a raw prediction that is not finite.
    """

    sums: Twins
    raw_prediction: Twins
    hypotheses: Twins


def _sums_by(name: str, predict_block: BlockKernel, scatter_block: BlockKernel) -> Twins:
    """Return the entry that sums cost and gradient."""

    @kernel
    def sum_chunk(
        rows: Any, targets: Any, start: int, stop: int, size: int, coef: Any, intercept: Any,
        gradient_out: Any, totals_out: Any, row_state_out: Any,
    ) -> None:  # fmt: skip
        """Add cost and gradient of one chunk of rows for all models, `size` rows at a time."""
        n_slots, n_models = intercept.size, totals_out.size // 2
        gradient_out[:] = 0.0
        totals_out[:] = 0.0
        raw, costs = zeros_at_line(n_slots * size), empty_at_line((n_slots + WORK_BLOCKS) * size)
        turned = zeros_at_line(size * n_slots if n_slots > 1 else 0)
        for first in range(start, stop, size):
            count = min(size, stop - first)
            if targets.loss != LINEAR:  # whose derivative is 1 anywhere
                predict_block(rows, first, count, coef, intercept, size, raw, turned)
            block = Block(first, count, size)
            add_block(targets, n_models, block, raw, costs, totals_out, row_state_out)
            scatter_block(rows, first, count, raw, size, n_slots, turned, gradient_out)

    def sums(
        rows: Any, bounds: Any, targets: Any, size: int, coef: Any, intercept: Any, strips: Any,
        totals: Any, gradient_out: Any, row_state_out: Any,
    ) -> None:  # fmt: skip
        for chunk in prange(bounds.size - 1):
            sum_chunk(
                rows, targets, bounds[chunk], bounds[chunk + 1], size, coef, intercept,
                strips[chunk], totals[chunk], row_state_out,
            )  # fmt: skip
        for piece in prange(PARTS):
            add_strips(strips, piece, gradient_out)

    return entry(sums, name=name)


def _predictions_by(name: str, predict_block: BlockKernel) -> tuple[Twins, Twins]:
    """Return the entries that write raw predictions and hypotheses."""

    def raw_prediction(
        rows: Any, bounds: Any, size: int, coef: Any, intercept: Any, raw_out: Any
    ) -> None:
        n_slots = intercept.size
        for chunk in prange(bounds.size - 1):
            raw = empty_at_line(n_slots * size)
            turned = empty_at_line(size * n_slots if n_slots > 1 else 0)
            for first in range(bounds[chunk], bounds[chunk + 1], size):
                count = min(size, bounds[chunk + 1] - first)
                predict_block(rows, first, count, coef, intercept, size, raw, turned)
                for model in range(raw_out.shape[0]):
                    for row in range(count):
                        raw_out[model, first + row] = raw[model * size + row]

    @kernel
    def write_chunk(
        rows: Any, start: int, stop: int, size: int, coef: Any, intercept: Any, offset: Any,
        kind: int, n_models: int, out: Any,
    ) -> float:  # fmt: skip
        """Write the hypotheses of one chunk of rows; NaN if a raw prediction is not finite."""
        n_slots, spoiled = intercept.size, 0.0
        raw, work = zeros_at_line(n_slots * size), zeros_at_line((n_slots + WRITE_BLOCKS) * size)
        turned = zeros_at_line(size * n_slots if n_slots > 1 else 0)
        for first in range(start, stop, size):
            count = min(size, stop - first)
            predict_block(rows, first, count, coef, intercept, size, raw, turned)
            if offset.shape[0] > 0:
                for model in range(n_models):
                    add_offset(offset, model % offset.shape[0], first, raw, model * size, count)
            spoiled += write_block(kind, raw, size, n_models, first, count, work, out)
        return spoiled

    def hypotheses(
        rows: Any, bounds: Any, size: int, coef: Any, intercept: Any, offset: Any, kind: int,
        n_models: int, spoiled_out: Any, out: Any,
    ) -> None:  # fmt: skip
        for chunk in prange(bounds.size - 1):
            spoiled_out[chunk] = write_chunk(
                rows, bounds[chunk], bounds[chunk + 1], size, coef, intercept, offset, kind,
                n_models, out,
            )  # fmt: skip

    return entry(raw_prediction, name=name), entry(hypotheses, name=name)


def passes_by(name: str, predict_block: BlockKernel, scatter_block: BlockKernel) -> Passes:
    """Return the passes over rows of a kind.

    Parameters
    ----------
    name : str
        Of the kind of rows.
    predict_block : kernel
        ``predict_block(rows, first, count, coef, intercept, size, raw_out, turned)`` gives raw
        predictions of a block, model after model, `size` for each. `turned` is room for `size` rows
        of all slots, where there are several models.
    scatter_block : kernel
        ``scatter_block(rows, first, count, residual, size, n_slots, turned, gradient_out)`` adds
        residual times row to the gradients of all models.
    """
    sums = _sums_by(name, predict_block, scatter_block)
    return Passes(sums, *_predictions_by(name, predict_block))
