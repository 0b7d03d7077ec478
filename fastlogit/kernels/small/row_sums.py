"""Sums over the rows of one binomial model: raw predictions, losses, gradient, Hessian."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..elementwise import exp_nonpositive, log1p_unit
from ..inlining import keep_apart
from ..policy import part
from ..simd import HAS_WIDE_REGISTERS, LANES, add_totals, load, multiply_add, splat, store, total
from .arithmetic import clear, dot, smaller, step_to
from .layout import Places

# Rows of which the Hessian is summed at a time: a pair of scaled columns stays in L1.
BLOCK = 512


@part
def predict_rows(work: Any, at: Places, theta: int, keep: float) -> None:
    """Put raw predictions, with `keep` times the offset, into `raw`."""
    keep_apart()
    factor, last = splat(keep), at.size - at.size % 2
    for row in range(0, at.height, LANES):
        z = multiply_add(load(work, at.offset + row), factor, splat(0.0))
        store(work, at.raw + row, z)
    # Two columns at a time: raw predictions are read and written half as often.
    for k in range(0, last, 2):
        first, second = splat(work[theta + k]), splat(work[theta + k + 1])
        left = at.columns + k * at.height
        right = left + at.height
        for row in range(0, at.height, LANES):
            z = multiply_add(load(work, left + row), first, load(work, at.raw + row))
            store(work, at.raw + row, multiply_add(load(work, right + row), second, z))
    if last < at.size:
        column = at.columns + last * at.height
        step_to(work, at.raw, work[theta + last], column, at.raw, at.height)


@part
def row_losses(work: Any, at: Places) -> None:
    """From `raw`: weighted residuals and curvatures, losses in `scaled`, e^-|z| in `tail`."""
    # Numbers without sign need no check for an index from the end, which would end vectorisation.
    raw, tails, weight, target = (
        np.uint64(at.raw), np.uint64(at.tail), np.uint64(at.weight), np.uint64(at.target),
    )  # fmt: skip
    residual, curvature, loss = (
        np.uint64(at.residual), np.uint64(at.curvature), np.uint64(at.scaled),
    )  # fmt: skip
    for row in range(np.uint64(at.height)):
        work[tails + row] = exp_nonpositive(-abs(work[raw + row]))
    for row in range(np.uint64(at.height)):
        z, tail, w = work[raw + row], work[tails + row], work[weight + row]
        positive = work[target + row] > 0.5
        wrong = positive != (z >= 0.0)
        inverse = 1.0 / (1.0 + tail)
        share = (1.0 if wrong else tail) / (1.0 + tail)
        work[residual + row] = w * (-share if positive else share)
        # proba (1 - proba), without a difference that could cancel.
        work[curvature + row] = w * (tail * inverse * inverse)
        work[loss + row] = log1p_unit(tail) + (abs(z) if wrong else 0.0)


@part
def sum_slopes(work: Any, at: Places, values: int, to: int) -> None:
    """Put the columns' sums, weighted by the rows' `values`, there: the bits of `dot`.

    Four columns at a time, since each sum waits for its last addition.
    """
    keep_apart()
    zero, last = splat(0.0), at.size - 1
    for k in range(0, at.size, 4):
        c0 = at.columns + k * at.height
        c1 = at.columns + smaller(k + 1, last) * at.height
        c2 = at.columns + smaller(k + 2, last) * at.height
        c3 = at.columns + smaller(k + 3, last) * at.height
        a0, a1, a2, a3 = zero, zero, zero, zero
        for row in range(0, at.height, LANES):
            value = load(work, values + row)
            a0 = multiply_add(load(work, c0 + row), value, a0)
            a1 = multiply_add(load(work, c1 + row), value, a1)
            a2 = multiply_add(load(work, c2 + row), value, a2)
            a3 = multiply_add(load(work, c3 + row), value, a3)
        work[to + k] = total(a0)
        # Vectors of parameters are whole, so that there is room for all four.
        work[to + k + 1], work[to + k + 2], work[to + k + 3] = total(a1), total(a2), total(a3)
    clear(work, to + at.size, to + at.width)


@part
def sum_gradient(work: Any, at: Places, weight: float, theta: int, gradient: int) -> None:
    """Put residuals times columns over the total `weight`, and the penalty's part, there."""
    sum_slopes(work, at, at.residual, gradient)
    for k in range(at.size):
        slope = work[gradient + k] / weight
        work[gradient + k] = slope + work[at.l2 + k] * work[theta + k]


@part
def evaluate(work: Any, at: Places, weight: float, theta: int, gradient: int) -> float:
    """Cost at theta; sets gradient, raw predictions, residuals and curvatures."""
    keep_apart()
    work[at.counts] += 1.0
    predict_rows(work, at, theta, 1.0)
    row_losses(work, at)
    sum_gradient(work, at, weight, theta, gradient)
    cost = dot(work, at.weight, at.scaled, at.height) / weight
    for column in range(at.size):
        value = work[theta + column]
        cost += 0.5 * work[at.l2 + column] * value * value
    return cost


@part
def add_tiles(work: Any, at: Places, i: int, j: int, begin: int, end: int) -> None:
    """Add products of two scaled columns, from the i-th on, with pairs of others, from the j-th on.

    Sums of a last column that is its own neighbour land where nobody reads them, and so do those
    below the diagonal.
    """
    zero, last, block = splat(0.0), at.size - 1, smaller(BLOCK, at.height)
    for k in range(j, i + 2, 2):
        y0, y1 = at.columns + k * at.height, at.columns + smaller(k + 1, last) * at.height
        a0, a1, a2, a3 = zero, zero, zero, zero
        for row in range(begin, end, LANES):
            left, right = load(work, y0 + row), load(work, y1 + row)
            place = at.scaled + row - begin
            first, second = load(work, place), load(work, place + block)
            a0, a1 = multiply_add(left, first, a0), multiply_add(left, second, a1)
            a2, a3 = multiply_add(right, first, a2), multiply_add(right, second, a3)
        # `width` is even, so that all four lie in the matrix.
        add_totals(work, at.matrix + k * at.width + i, at.width, a0, a1, a2, a3)


@part
def add_wide_tiles(work: Any, at: Places, i: int, j: int, begin: int, end: int) -> None:
    """Do the same two pairs at a time.

    Each sum waits four cycles for its last addition, so that eight of them keep two units busy:
    with registers of eight lanes a Hessian of 569 x 30 takes half the time, with AVX2 more.
    """
    zero, block, height = splat(0.0), smaller(BLOCK, at.height), at.height
    k = j
    while k + 2 <= i:
        a0, a1, a2, a3, b0, b1, b2, b3 = zero, zero, zero, zero, zero, zero, zero, zero
        y0 = at.columns + k * height
        y1, y2 = y0 + height, y0 + 2 * height
        y3 = at.columns + smaller(k + 3, at.size - 1) * height
        for row in range(begin, end, LANES):
            place = at.scaled + row - begin
            first, second = load(work, place), load(work, place + block)
            left, right = load(work, y0 + row), load(work, y1 + row)
            a0, a1 = multiply_add(left, first, a0), multiply_add(left, second, a1)
            a2, a3 = multiply_add(right, first, a2), multiply_add(right, second, a3)
            left, right = load(work, y2 + row), load(work, y3 + row)
            b0, b1 = multiply_add(left, first, b0), multiply_add(left, second, b1)
            b2, b3 = multiply_add(right, first, b2), multiply_add(right, second, b3)
        add_totals(work, at.matrix + k * at.width + i, at.width, a0, a1, a2, a3)
        add_totals(work, at.matrix + (k + 2) * at.width + i, at.width, b0, b1, b2, b3)
        k += 4
    add_tiles(work, at, i, k, begin, end)


add_products = add_wide_tiles if HAS_WIDE_REGISTERS else add_tiles


@part
def sum_products(work: Any, at: Places, curvature: int) -> None:
    """Put X' diag(c) X of these row curvatures c into the upper triangle of `matrix`."""
    keep_apart()
    zero, last = splat(0.0), at.size - 1
    # Where there is an odd number of columns, a row more is added to, and never read: without it
    # plain Python would warn of what happens to be there.
    clear(work, at.matrix, at.matrix + smaller(at.size + 1, at.width) * at.width)
    block = smaller(BLOCK, at.height)
    for begin in range(0, at.height, block):
        end = smaller(begin + block, at.height)
        for i in range(0, at.size, 2):
            z0, z1 = at.columns + i * at.height, at.columns + smaller(i + 1, last) * at.height
            for row in range(begin, end, LANES):
                c, to = load(work, curvature + row), at.scaled + row - begin
                store(work, to, multiply_add(load(work, z0 + row), c, zero))
                store(work, to + block, multiply_add(load(work, z1 + row), c, zero))
            add_products(work, at, i, 0, begin, end)


@part
def sum_hessian(work: Any, at: Places, weight: float, curvature: int) -> None:
    """Put the Hessian of these row curvatures into the upper triangle of `matrix`."""
    keep_apart()
    work[at.counts + 1] += 1.0
    sum_products(work, at, curvature)
    for k in range(at.size):
        for m in range(k, at.size):
            work[at.matrix + k * at.width + m] /= weight
        clear(work, at.matrix + k * at.width + at.size, at.matrix + (k + 1) * at.width)
        work[at.matrix + k * (at.width + 1)] += work[at.l2 + k]
