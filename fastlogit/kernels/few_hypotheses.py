"""What models say about a few float64 rows: the part of `hypotheses` that a first prediction needs.

One thread, rows as they lie, no offset, room that the caller hands in: nothing is allocated, so
that all of it is made of parts. And a kernel for one model, for a softmax and for one-vs-all each,
of which a first prediction compiles one. The numbers of a row have the same bits as there.
"""

from __future__ import annotations

from typing import Any

from .columns import sweep_prediction
from .hypotheses import (
    LOG,
    ONE_VS_ALL,
    RAW,
    SOFTMAX,
    WORK_BLOCKS,
    predict_one,
    predict_pair,
    spoiled_by,
    write_binary,
    write_one_vs_all,
    write_raw,
    write_softmax,
)
from .passes import Layout
from .policy import Twins, entry, part
from .rows import MODEL_TILE, Span, unpack_slot
from .simd import LANES

__all__ = ["few_hypotheses", "room_for"]

# Rows of a block: whole tiles of three rows, and of what `sweep_prediction` takes at a time.
STEP, MOST = 96, 288


def room_for(layout: Layout, n_samples: int, n_features: int, n_models: int) -> tuple[int, int]:
    """Return the rows of a block, and how many zeros of float64 the kernels need to work in.

    Parameters
    ----------
    layout : Layout
    n_samples, n_features, n_models : int
    """
    block = min((n_samples + STEP - 1) // STEP * STEP, MOST)
    n_slots = n_models + (n_models > 1 and n_models % MODEL_TILE)
    size = (2 * n_slots + WORK_BLOCKS) * block
    if layout is Layout.DIRECT:
        return block, size + n_slots * _packed(n_features)
    return block, size + n_features * block


def _packed(n_features: int) -> int:
    return (n_features + LANES - 1) // LANES * LANES


@part
def write_one(
    kind: int, raw: Any, block: int, n_models: int, first: int, count: int, work: Any, out: Any
) -> None:
    if kind == RAW:
        write_raw(raw, block, n_models, first, count, out)
    else:
        write_binary(raw, block, first, count, kind >= LOG, work, out)


@part
def write_classes(
    kind: int, raw: Any, block: int, n_models: int, first: int, count: int, work: Any, out: Any
) -> None:
    if kind == RAW:
        write_raw(raw, block, n_models, first, count, out)
    else:
        write_softmax(raw, block, n_models, first, count, kind >= LOG, work, out)


@part
def write_each(
    kind: int, raw: Any, block: int, n_models: int, first: int, count: int, work: Any, out: Any
) -> None:
    write_one_vs_all(raw, block, n_models, first, count, kind >= LOG, work, out)


@part
def predict_first(
    X: Any, span: Span, coef: Any, packed: int, intercept: Any, raw_out: Any, block: int
) -> None:
    predict_one(X, span, coef, intercept[0], raw_out)


@part
def predict_all(
    X: Any, span: Span, coef: Any, packed: int, intercept: Any, raw_out: Any, block: int
) -> None:
    for model in range(0, intercept.size, MODEL_TILE):
        predict_pair(X, span, coef, packed, model, intercept, raw_out, block, 0, 0)


@part
def pack(coef: Any, width: int, packed: int, packed_out: Any) -> None:
    """Put coefficients, one model after the other, into packed vectors of zeros."""
    for model in range(coef.size // width):
        for column in range(width):
            place = model * packed + unpack_slot(column, width, packed)
            packed_out[place] = coef[model * width + column]


def _direct(predict: Any, write: Any, name: str) -> Twins:
    def few_in_place(
        X: Any, n_features: int, n_models: int, coef: Any, intercept: Any, kind: int, block: int,
        room: Any, out: Any,
    ) -> float:  # fmt: skip
        n_samples, n_slots = X.size // n_features, intercept.size
        packed = (n_features + LANES - 1) // LANES * LANES
        begin = n_slots * packed
        after = begin + n_slots * block
        packed_coef, raw, work = room[:begin], room[begin:after], room[after:]
        pack(coef, n_features, packed, packed_coef)
        spoiled = 0.0
        for first in range(0, n_samples, block):
            count = block if block < n_samples - first else n_samples - first
            span = Span(first * n_features, n_features, n_features, count)
            predict(X, span, packed_coef, packed, intercept, raw, block)
            spoiled += spoiled_by(raw, block, n_models, count)
            write(kind, raw, block, n_models, first, count, work, out)
        return spoiled

    return entry(few_in_place, name=name)


@part
def copy_block(X: Any, n_features: int, first: int, count: int, block: int, out: Any) -> None:
    """Copy some rows to columns of `block` numbers; what lies beyond them is 0."""
    for column in range(n_features):
        for row in range(count):
            out[column * block + row] = X[(first + row) * n_features + column]
        for row in range(count, block):
            out[column * block + row] = 0.0


def _gathered(write: Any, name: str) -> Twins:
    def few_gathered(
        X: Any, n_features: int, n_models: int, coef: Any, intercept: Any, kind: int, block: int,
        room: Any, out: Any,
    ) -> float:  # fmt: skip
        n_samples, begin = X.size // n_features, n_features * block
        after = begin + n_models * block
        columns, raw, work = room[:begin], room[begin:after], room[after:]
        spoiled = 0.0
        for first in range(0, n_samples, block):
            count = block if block < n_samples - first else n_samples - first
            copy_block(X, n_features, first, count, block, columns)
            for model in range(n_models):
                sweep_prediction(
                    columns, block, n_features, coef, model * n_features, intercept[model], raw,
                    model * block,
                )  # fmt: skip
            spoiled += spoiled_by(raw, block, n_models, count)
            write(kind, raw, block, n_models, first, count, work, out)
        return spoiled

    return entry(few_gathered, name=name)


# By layout: of one model, of a softmax or several raw predictions, of one against all; and of these
# two where there is one class alone, which has a probability of 1.
_BY_FORM = {
    Layout.DIRECT: (
        _direct(predict_first, write_one, "direct_one"),
        _direct(predict_all, write_classes, "direct_softmax"),
        _direct(predict_all, write_each, "direct_ovr"),
        _direct(predict_first, write_each, "direct_ovr_of_one"),
        _direct(predict_first, write_classes, "direct_softmax_of_one"),
    ),
    Layout.GATHERED: (
        _gathered(write_one, "gathered_one"),
        _gathered(write_classes, "gathered_softmax"),
        _gathered(write_each, "gathered_ovr"),
        _gathered(write_each, "gathered_ovr_of_one"),
        _gathered(write_classes, "gathered_softmax_of_one"),
    ),
}


def few_hypotheses(layout: Layout, kind: int, n_models: int) -> Twins:
    """Return the kernel for few rows, of which the serial twin alone is of use.

    ``few(X, n_features, n_models, coef, intercept, kind, block, room, out)`` is
    ``hypotheses(...)(...)`` for flat rows of float64 and flat coefficients, one model after the
    other. Of several models read in place there are as many intercepts as `model_slots`. `block`
    and the size of `room`, zeros, are those of `room_for`.
    """
    asked = kind % LOG
    if n_models == 1:
        return _BY_FORM[layout][{ONE_VS_ALL: 3, SOFTMAX: 4}.get(asked, 0)]
    return _BY_FORM[layout][2 if asked == ONE_VS_ALL else 1]
