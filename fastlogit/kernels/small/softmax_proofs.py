"""What is proven of a point of one softmax: see certificates.softmax."""

from __future__ import annotations

import math
from typing import Any

from ..inlining import keep_apart
from ..policy import part
from ..simd import LANES, load, multiply_add, splat, store
from . import layout, proofs, solves
from .arithmetic import absolute_sum, clear, dot, largest, level_less_products, smaller
from .proofs import EPS, RAISED, RAW_ERRORS, ROUNDED, SUM_ERRORS, WALK, Proof
from .softmax_layout import Places, to_classes


@part
def invert(work: Any, at: Places) -> tuple[float, float]:
    """Put the inverse root of the Hessian into `matrix`, a row for each parameter.

    Returns the trace of the inverse, and that in units in which the Hessian's diagonal is 1.
    """
    trace, scaled = 0.0, 0.0
    for k in range(at.size):
        row = at.matrix + k * at.width
        own = work[row + k]
        clear(work, row, row + at.width)
        work[row + k] = 1.0
        solves.solve_half(work, at, row, k)
        square = dot(work, row, row, at.width)
        trace += square
        scaled += square * own
    return trace, scaled


@part
def largest_form(work: Any, at: Places) -> float:
    """Largest sum over the contrasts of x' (M^-1)_aa x, of all rows x, from `invert`."""
    one = at.one
    for j in range(one.size):
        for m in range(one.size):
            found = 0.0
            for a in range(at.n_classes - 1):
                left = at.matrix + (a * one.size + j) * at.width
                right = at.matrix + (a * one.size + m) * at.width
                found += dot(work, left, right, at.width)
            work[one.matrix + j * one.width + m] = found
    zero = splat(0.0)
    for row in range(0, one.height, LANES):
        form = zero
        for j in range(one.size):
            product = zero
            for m in range(one.size):
                share = splat(work[one.matrix + j * one.width + m])
                product = multiply_add(
                    load(work, one.columns + m * one.height + row), share, product
                )
            form = multiply_add(load(work, one.columns + j * one.height + row), product, form)
        store(work, one.raw + row, form)
    return largest(work, one.raw, one.n_rows)


@part
def prove(work: Any, at: Places, weight: float, cost: float, offset: float, wanted: float) -> Proof:
    """Bound what the cost at theta lacks, by the factor of the Hessian there.

    `offset` is the largest one. Overwrites `matrix` and `classes`.
    """
    keep_apart()
    one = at.one
    trace, scaled_trace = invert(work, at)
    errors = EPS * (SUM_ERRORS + WALK * math.sqrt(one.n_rows / proofs.CHUNKS))
    noise = errors * smaller(1.0, math.sqrt(cost)) * math.sqrt(RAISED * trace)
    to_classes(work, at, at.theta, at.classes)
    reach = absolute_sum(work, at.classes, at.n_classes * one.width) + offset
    # A parameter of a class is a sum over the contrasts.
    raw = EPS * (RAW_ERRORS + math.sqrt(float(one.size)) + at.n_classes)
    noise += 2.0 * raw * reach * smaller(0.5, math.sqrt(cost))
    error = errors * RAISED * scaled_trace
    if not error < 0.5:
        return Proof(math.inf, noise, False)
    swell = math.sqrt(1.0 / (1.0 - error))
    decrement = math.sqrt(dot(work, at.half, at.half, at.width))
    # The range of numbers that add up to 0 is at most the root of twice their squares.
    radius = math.sqrt(2.0 * largest_form(work, at))
    gain = proofs.gain_bound((decrement + noise) * swell, radius * swell)
    return Proof(gain, noise, decrement * radius < 1.0)


@part
def level_in_units(work: Any, at: Places, place: int, n_features: int) -> float:
    """Intercept in the units of X of the class whose parameters lie at `place`, rounded once."""
    one = at.one
    slopes = one.size - 1
    clear(work, one.half, one.half + n_features)
    for j in range(slopes):
        column = layout.column_of(work, one, j)
        work[one.half + column] = work[place + j] * work[one.scale + column]
    level = work[place + slopes]
    return level_less_products(level, 1.0, work, one.half, one.center, n_features)


@part
def lost_in_units(work: Any, at: Places, fit_intercept: bool) -> float:
    """By how much the cost may rise where theta is rounded in the units of X."""
    one, lost = at.one, 0.0
    to_classes(work, at, at.theta, at.classes)
    for k in range(at.n_classes):
        place = at.classes + k * one.width
        slopes = one.size - 1 if fit_intercept else one.size
        lost += absolute_sum(work, place, slopes)
        if fit_intercept:
            lost += abs(level_in_units(work, at, place, one.width - 1))
    lost *= ROUNDED
    return lost * largest(work, at.gradient, at.size) + 0.25 * lost * lost
