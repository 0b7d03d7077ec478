"""Where the parts of a small softmax fit lie: parameters of classes, and of their contrasts."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from ..inlining import keep_apart
from ..policy import part
from ..simd import LANES
from . import layout
from .arithmetic import clear


class Places(NamedTuple):
    """Where the parts of a fit lie in its work array.

    `one` has the rows, and room for the parameters and the Hessian of a class by itself. Vectors of
    all contrasts have `size` numbers, those of one after those of the other, and `width` of them
    are whole vectors; vectors of all classes `one.width` for each.
    """

    one: layout.Places
    n_classes: int
    size: int
    width: int
    offset: int
    raw: int
    proba: int
    basis: int
    classes: int
    slopes: int
    matrix: int
    factor: int
    theta: int
    gradient: int
    trial: int
    trial_gradient: int
    direction: int
    half: int
    last: int


# Columns of numbers for each class, and vectors of contrasts and of classes.
CLASS_PARTS, VECTOR_PARTS = 3, 7


@part
def padded(size: int) -> int:
    """Numbers of whole vectors that hold `size`."""
    return (size + LANES - 1) // LANES * LANES


@part
def common_size(n_samples: int, n_features: int, n_classes: int) -> int:
    """Numbers of a work array besides those of Hessians."""
    height, one = layout.column_height(n_samples), layout.vector_width(n_features)
    return (
        layout.work_size(n_samples, n_features)
        + n_classes * (CLASS_PARTS * height + 2 * one)
        + padded(n_classes * n_classes)
        + VECTOR_PARTS * padded((n_classes - 1) * (n_features + 1))
    )


@part
def work_size(n_samples: int, n_features: int, n_classes: int) -> int:
    """Numbers of a work array that begins anywhere."""
    width = padded((n_classes - 1) * (n_features + 1))
    return common_size(n_samples, n_features, n_classes) + 2 * width * width


@part
def lay_out(one: layout.Places, n_features: int, n_classes: int) -> Places:
    """Say where all parts lie, behind those of `one`."""
    size = (n_classes - 1) * one.size
    width, block = padded(size), n_classes * one.height
    # Behind all that `one` has; vectors begin at cache lines as those do.
    offset = one.columns + layout.own_size(one.n_rows, n_features)
    basis = offset + CLASS_PARTS * block
    classes = basis + padded(n_classes * n_classes)
    vectors = classes + 2 * n_classes * one.width
    matrix = vectors + VECTOR_PARTS * width
    return Places(
        one, n_classes, size, width,
        offset, offset + block, offset + 2 * block,
        basis, classes, classes + n_classes * one.width, matrix, matrix + width * width,
        vectors, vectors + width, vectors + 2 * width, vectors + 3 * width, vectors + 4 * width,
        vectors + 5 * width, vectors + 6 * width,
    )  # fmt: skip


@part
def make_basis(work: Any, at: Places) -> None:
    """Put B into `basis`, a row of n_classes - 1 numbers for each class."""
    n_contrasts = at.n_classes - 1
    for a in range(n_contrasts):
        length = math.sqrt((a + 1.0) * (a + 2.0))
        for k in range(at.n_classes):
            value = 1.0 if k <= a else (-(a + 1.0) if k == a + 1 else 0.0)
            work[at.basis + k * n_contrasts + a] = value / length


@part
def to_classes(work: Any, at: Places, vector: int, to: int) -> None:
    """Put parameters of all classes, from those of the contrasts, from `to` on."""
    keep_apart()
    one, n_contrasts = at.one, at.n_classes - 1
    for k in range(at.n_classes):
        place = to + k * one.width
        clear(work, place, place + one.width)
        for a in range(n_contrasts):
            share = work[at.basis + k * n_contrasts + a]
            for j in range(one.size):
                work[place + j] += share * work[vector + a * one.size + j]


@part
def to_contrasts(work: Any, at: Places, classes: int, to: int) -> None:
    """Put gradients or directions of the contrasts, from those of all classes, from `to` on."""
    keep_apart()
    one, n_contrasts = at.one, at.n_classes - 1
    clear(work, to, to + at.width)
    for k in range(at.n_classes):
        place = classes + k * one.width
        for a in range(n_contrasts):
            share = work[at.basis + k * n_contrasts + a]
            for j in range(one.size):
                work[to + a * one.size + j] += share * work[place + j]
