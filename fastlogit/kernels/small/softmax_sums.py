"""Sums over the rows of one softmax: raw predictions, losses, slopes, Hessian."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..elementwise import exp_nonpositive, log1p_positive
from ..inlining import keep_apart
from ..policy import part
from ..simd import LANES, load, multiply_add, splat, store, total
from . import row_sums
from .arithmetic import clear, dot, smaller
from .softmax_layout import Places, to_classes, to_contrasts


@part
def predict_rows(work: Any, at: Places, keep: float) -> None:
    """Put raw predictions of the parameters in `classes`, with `keep` times the offset, into `raw`.

    Four classes and sixteen rows at a time stay in registers.
    """
    keep_apart()
    one, height, last = at.one, at.one.height, at.n_classes - 1
    kept = splat(keep)
    zero = splat(0.0)
    for k in range(0, at.n_classes, 4):
        k1, k2, k3 = (
            smaller(k + 1, last),
            smaller(k + 2, last),
            smaller(k + 3, last),
        )
        c0, c1 = at.classes + k * one.width, at.classes + k1 * one.width
        c2, c3 = at.classes + k2 * one.width, at.classes + k3 * one.width
        o0, o1 = at.offset + k * height, at.offset + k1 * height
        o2, o3 = at.offset + k2 * height, at.offset + k3 * height
        shift = at.raw - at.offset
        for row in range(0, height, 2 * LANES):
            # What is done twice at the end is the same.
            other = smaller(row + LANES, height - LANES)
            a0 = multiply_add(load(work, o0 + row), kept, zero)
            a1 = multiply_add(load(work, o1 + row), kept, zero)
            a2 = multiply_add(load(work, o2 + row), kept, zero)
            a3 = multiply_add(load(work, o3 + row), kept, zero)
            b0 = multiply_add(load(work, o0 + other), kept, zero)
            b1 = multiply_add(load(work, o1 + other), kept, zero)
            b2 = multiply_add(load(work, o2 + other), kept, zero)
            b3 = multiply_add(load(work, o3 + other), kept, zero)
            column = one.columns
            for j in range(one.size):
                x, y = load(work, column + row), load(work, column + other)
                t0, t1 = splat(work[c0 + j]), splat(work[c1 + j])
                t2, t3 = splat(work[c2 + j]), splat(work[c3 + j])
                a0, b0 = multiply_add(x, t0, a0), multiply_add(y, t0, b0)
                a1, b1 = multiply_add(x, t1, a1), multiply_add(y, t1, b1)
                a2, b2 = multiply_add(x, t2, a2), multiply_add(y, t2, b2)
                a3, b3 = multiply_add(x, t3, a3), multiply_add(y, t3, b3)
                column += height
            store(work, o0 + shift + row, a0)
            store(work, o1 + shift + row, a1)
            store(work, o2 + shift + row, a2)
            store(work, o3 + shift + row, a3)
            store(work, o0 + shift + other, b0)
            store(work, o1 + shift + other, b1)
            store(work, o2 + shift + other, b2)
            store(work, o3 + shift + other, b3)


@part
def sum_slopes(work: Any, at: Places) -> None:
    """Put the products of each column with what is in `raw`, of each class, into `slopes`."""
    keep_apart()
    one, height, last = at.one, at.one.height, at.n_classes - 1
    end = one.size - 1
    zero = splat(0.0)
    for k in range(0, at.n_classes, 4):
        k1, k2, k3 = (
            smaller(k + 1, last),
            smaller(k + 2, last),
            smaller(k + 3, last),
        )
        r0, r1 = at.raw + k * height, at.raw + k1 * height
        r2, r3 = at.raw + k2 * height, at.raw + k3 * height
        s0, s1 = at.slopes + k * one.width, at.slopes + k1 * one.width
        s2, s3 = at.slopes + k2 * one.width, at.slopes + k3 * one.width
        for j in range(0, one.size, 2):
            other = smaller(j + 1, end)
            x, y = one.columns + j * height, one.columns + other * height
            a0, a1, a2, a3 = zero, zero, zero, zero
            b0, b1, b2, b3 = zero, zero, zero, zero
            for row in range(0, height, LANES):
                left, right = load(work, x + row), load(work, y + row)
                v0, v1 = load(work, r0 + row), load(work, r1 + row)
                v2, v3 = load(work, r2 + row), load(work, r3 + row)
                a0, b0 = multiply_add(left, v0, a0), multiply_add(right, v0, b0)
                a1, b1 = multiply_add(left, v1, a1), multiply_add(right, v1, b1)
                a2, b2 = multiply_add(left, v2, a2), multiply_add(right, v2, b2)
                a3, b3 = multiply_add(left, v3, a3), multiply_add(right, v3, b3)
            work[s0 + j], work[s0 + other] = total(a0), total(b0)
            work[s1 + j], work[s1 + other] = total(a1), total(b1)
            work[s2 + j], work[s2 + other] = total(a2), total(b2)
            work[s3 + j], work[s3 + other] = total(a3), total(b3)


@part
def largest_predictions(work: Any, at: Places) -> None:
    """Put each row's largest raw prediction into `one.raw`."""
    height, top = np.uint64(at.one.height), np.uint64(at.one.raw)
    for row in range(height):
        work[top + row] = work[np.uint64(at.raw) + row]
    for k in range(1, at.n_classes):
        place = np.uint64(at.raw + k * at.one.height)
        for row in range(height):
            z = work[place + row]
            work[top + row] = z if z > work[top + row] else work[top + row]


@part
def row_losses(work: Any, at: Places) -> None:
    """Turn raw predictions into weighted residuals; probabilities, and losses in `one.scaled`."""
    one = at.one
    # Numbers without sign need no check for an index from the end, which would end vectorisation.
    height, top, rest = np.uint64(one.height), np.uint64(one.raw), np.uint64(one.tail)
    ties, loss = np.uint64(one.residual), np.uint64(one.scaled)
    weight, target = np.uint64(one.weight), np.uint64(one.target)
    largest_predictions(work, at)
    for row in range(height):
        work[rest + row], work[ties + row] = 0.0, -1.0
    for k in range(at.n_classes):
        raw, proba = np.uint64(at.raw + k * one.height), np.uint64(at.proba + k * one.height)
        for row in range(height):
            work[proba + row] = exp_nonpositive(work[raw + row] - work[top + row])
        for row in range(height):
            is_top = work[raw + row] >= work[top + row]
            # The largest e^z is 1: without it the sum keeps the digits of small ones.
            work[rest + row] += 0.0 if is_top else work[proba + row]
            work[ties + row] += 1.0 if is_top else 0.0
    for row in range(height):
        others = work[rest + row] + work[ties + row]
        work[rest + row] = others
        work[ties + row] = 1.0 / (1.0 + others)
        work[loss + row] = log1p_positive(others)
    for k in range(at.n_classes):
        raw, proba = np.uint64(at.raw + k * one.height), np.uint64(at.proba + k * one.height)
        label = float(k)
        for row in range(height):
            own = work[target + row] == label
            below, share = work[raw + row] - work[top + row], work[proba + row]
            inverse, w, others = work[ties + row], work[weight + row], work[rest + row]
            # 1 - proba from the other classes' sum, which does not cancel.
            others = others if below >= 0.0 else (1.0 + others) - share
            work[raw + row] = w * ((-others if own else share) * inverse)
            work[proba + row] = share * inverse
            work[loss + row] += -below if own else 0.0


@part
def penalty_of(work: Any, at: Places, theta: int) -> float:
    """Half the squares of the contrasts, by the strength of the penalty on each column."""
    cost = 0.0
    for a in range(at.n_classes - 1):
        for j in range(at.one.size):
            value = work[theta + a * at.one.size + j]
            cost += 0.5 * work[at.one.l2 + j] * value * value
    return cost


@part
def add_penalty(work: Any, at: Places, weight: float, vector: int, to: int) -> None:
    """Divide sums over the rows by the total `weight`, and add the penalty times a vector."""
    for a in range(at.n_classes - 1):
        for j in range(at.one.size):
            place = a * at.one.size + j
            work[to + place] = (
                work[to + place] / weight + work[at.one.l2 + j] * work[vector + place]
            )


@part
def evaluate(work: Any, at: Places, weight: float, theta: int, gradient: int) -> float:
    """Cost at theta; sets gradient and probabilities."""
    keep_apart()
    one = at.one
    work[one.counts] += 1.0
    to_classes(work, at, theta, at.classes)
    predict_rows(work, at, 1.0)
    row_losses(work, at)
    sum_slopes(work, at)
    to_contrasts(work, at, at.slopes, gradient)
    add_penalty(work, at, weight, theta, gradient)
    cost = dot(work, one.weight, one.scaled, one.height) / weight
    return cost + penalty_of(work, at, theta)


@part
def add_block(work: Any, at: Places, a: int, b: int, factor: float) -> None:
    """Add `factor` times the Gram matrix in `one` to a block of the upper triangle of `matrix`."""
    one = at.one
    for j in range(one.size):
        first = j if a == b else 0
        source = np.uint64(one.matrix + j * one.width + first)
        to = np.uint64(at.matrix + (a * one.size + j) * at.width + b * one.size + first)
        for m in range(np.uint64(one.size - first)):
            work[to + m] += factor * work[source + m]


@part
def sum_hessian(work: Any, at: Places, weight: float) -> None:
    """Put the Hessian of the probabilities into the upper triangle of `matrix`."""
    keep_apart()
    one, n_contrasts, height = at.one, at.n_classes - 1, np.uint64(at.one.height)
    clear(work, at.matrix, at.matrix + at.size * at.width)
    curvature, weights = np.uint64(one.curvature), np.uint64(one.weight)
    for k in range(1, at.n_classes):
        for other in range(k):
            left, right = np.uint64(at.proba) + k * height, np.uint64(at.proba) + other * height
            for row in range(height):
                work[curvature + row] = work[weights + row] * (work[left + row] * work[right + row])
            work[one.counts + 1] += 1.0
            row_sums.sum_products(work, one, one.curvature)
            for j in range(one.size):
                for m in range(j):
                    work[one.matrix + j * one.width + m] = work[one.matrix + m * one.width + j]
            for a in range(n_contrasts):
                first = work[at.basis + k * n_contrasts + a]
                first -= work[at.basis + other * n_contrasts + a]
                for b in range(a, n_contrasts):
                    second = work[at.basis + k * n_contrasts + b]
                    second -= work[at.basis + other * n_contrasts + b]
                    if first * second != 0.0:
                        add_block(work, at, a, b, first * second / weight)
    for a in range(n_contrasts):
        for j in range(one.size):
            work[at.matrix + (a * one.size + j) * (at.width + 1)] += work[one.l2 + j]
