"""The optimum of one column of a scan by maximum likelihood, with its proof and corrections."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from .inlining import keep_apart
from .policy import part
from .scan_null import direction_of, inverse_traces
from .scan_rows import (
    BLOCK,
    CONVERGED,
    FAILED,
    SEPARABLE,
    Case,
    Columns,
    Null,
    Room,
    add_products,
    clear,
    dot,
    hard_fit,
    largest_of,
    mean_loss,
    pass_rows,
    step_to,
)
from .simd import LANES, broadcast, load, multiply_add, splat, store, total
from .small import endings, layout, proofs, solves
from .small.arithmetic import absolute_sum, larger, smaller

__all__ = [
    "NEAR",
    "ROUNDED",
    "Traces",
    "bend_direction",
    "bound_by",
    "correct",
    "largest_change",
    "maximum_likelihood",
]

# How far a coefficient may be from the optimum, in standard errors, and by which share curvatures
# may change by the last step. Third derivatives are counted: what is left of a standard error is
# about the square of that share, of a coefficient the square times the step.
NEAR, CHANGE = 1e-7, 5e-4
# A decrement that is rounding errors: weights of 1e300 allow none of 1e-7 standard errors.
ROUNDED = 1e-13
# Steps with a Hessian of their own, each of which must bring the decrement down to this share.
STEPS, HALVED = 20, 0.5


@part
def largest_change(work: Any, at: layout.Places) -> float:
    """Largest change of a raw prediction from the offset."""
    step_to(work, at.raw, -1.0, at.offset, at.scaled, at.height)
    return largest_of(work, at.scaled, at.height)


@part
def radius_here(work: Any, at: layout.Places, case: Case) -> float:
    """Bound on the largest length of a row in the metric of the Hessian, of which the factor is.

    A curvature is at least e^-d times that at a raw prediction d away (Bach 2010): those of the
    null are the offset, or near it. Or by the trace of the inverse.
    """
    change = largest_change(work, at)
    inverse, _ = inverse_traces(work, at)
    radius = math.sqrt(case.reach * inverse)
    return smaller(case.radius * math.exp(0.5 * change), radius) if change < 100.0 else radius


@part
def polish(room: Room, at: layout.Places, case: Case) -> tuple[float, float]:
    """Go on by Newton's method from theta while the last step would not be a short one.

    Returns the decrement, NaN where a Hessian is singular or the steps do not shrink, and the
    radius.
    """
    keep_apart()
    work, before = room.work, math.inf
    for _ in range(STEPS):
        pass_rows(work, at, case.weight, True, room.scratch)
        if not solves.factor_matrix(work, at):
            break
        decrement = direction_of(work, at)
        radius = radius_here(work, at, case)
        change = decrement * radius
        left = math.sqrt(case.total) * decrement * change * change
        if change <= CHANGE and (left <= NEAR or decrement <= ROUNDED):
            return decrement, radius
        # Where there is no optimum it becomes smaller by a third, for ever.
        if not decrement < HALVED * before:
            break
        before = decrement
        step_to(work, at.theta, 1.0, at.direction, at.theta, at.width)
    return math.nan, math.inf


@part
def bound_of(
    work: Any, at: layout.Places, cost: float, decrement: float, radius: float, far: float
) -> float:
    """Bound on (cost - optimum) / optimum after a step by the factor of the Hessian.

    As in `small.proofs.prove`, by a radius that is known; `far` is the largest raw prediction.
    """
    inverse, scaled = inverse_traces(work, at)
    size = absolute_sum(work, at.theta, at.size) + far
    traces = Traces(at.n_rows, at.size, inverse, scaled)
    return bound_by(traces, size, cost, decrement, radius, decrement * radius)


class Traces(NamedTuple):
    """Rows and columns of a factored Hessian, and what `inverse_traces` says of it."""

    n_rows: int
    size: int
    inverse: float
    scaled: float


@part
def bound_by(
    traces: Traces, size: float, cost: float, decrement: float, radius: float, change: float
) -> float:
    """The same, where the step changes raw predictions by no more than `change`.

    `size` is what a raw prediction adds up to, in absolute values.
    """
    errors = proofs.EPS * (
        proofs.SUM_ERRORS + proofs.WALK * math.sqrt(traces.n_rows / proofs.CHUNKS)
    )
    noise = errors * smaller(1.0, math.sqrt(cost)) * math.sqrt(proofs.RAISED * traces.inverse)
    raw = proofs.EPS * (proofs.RAW_ERRORS + math.sqrt(float(traces.size)))
    noise += raw * size * smaller(0.5, math.sqrt(cost))
    error = errors * proofs.RAISED * traces.scaled
    if not error < 0.5:
        return math.inf
    swell = math.sqrt(1.0 / (1.0 - error))
    # What Newton's step leaves: curvatures change along it by e^d at most.
    after = decrement * 0.5 * change * math.exp(1.5 * change)
    gain = proofs.gain_bound((after + noise) * swell, radius * math.exp(0.5 * change) * swell)
    return proofs.stated(proofs.relative(gain, cost))


class Corrections(NamedTuple):
    """What third derivatives add to the step `direction`.

    The last diagonal element of the inverse Hessian after it, the next step of the last
    coefficient, and what the cost after it has besides.
    """

    variance: float
    coef: float
    cost: float


@part
def load_slopes(work: Any, at: layout.Places) -> None:
    """Put the derivatives of the curvatures into `scaled`."""
    raw, tails, curvature, slope = (
        np.uint64(at.raw), np.uint64(at.tail), np.uint64(at.curvature), np.uint64(at.scaled),
    )  # fmt: skip
    for row in range(np.uint64(at.height)):
        tail = work[tails + row]
        change = work[curvature + row] * ((1.0 - tail) / (1.0 + tail))
        work[slope + row] = -change if work[raw + row] >= 0.0 else change


@part
def bend_direction(work: Any, at: layout.Places, weight: float, decrement: float) -> None:
    """Add to `direction` what third derivatives ask for, where that is less than half of it.

    The gradient after a step d by the Hessian M is about half of the third derivatives along it.
    """
    keep_apart()
    load_slopes(work, at)
    zero = splat(0.0)
    clear(work, at.trial, at.trial + at.width)
    for begin in range(0, at.height, BLOCK):
        end = smaller(begin + BLOCK, at.height)
        for row in range(begin, end, LANES):
            moved = zero
            for k in range(at.size):
                value = load(work, at.columns + k * at.height + row)
                moved = multiply_add(value, broadcast(work, at.direction + k), moved)
            square = multiply_add(moved, moved, zero)
            slope = load(work, at.scaled + row)
            store(work, at.scaled + row, multiply_add(square, slope, zero))
        add_products(work, at, at.scaled, at.trial, begin, end)
    step_to(work, at.trial, -0.5 / weight - 1.0, at.trial, at.trial, at.width)
    solves.solve_half(work, at, at.trial, 0)
    if 2.0 * math.sqrt(dot(work, at.trial, at.trial, at.width)) <= decrement:
        solves.solve_rest(work, at, at.trial)
        step_to(work, at.direction, 1.0, at.trial, at.direction, at.width)


@part
def correct(work: Any, at: layout.Places, weight: float) -> Corrections:
    """Correct the step `direction` to the next order; `trial` gets the inverse's last column."""
    keep_apart()
    last = at.size - 1
    clear(work, at.trial, at.trial + at.width)
    work[at.trial + last] = 1.0
    solves.solve_half(work, at, at.trial, last)
    variance = dot(work, at.trial, at.trial, at.width)
    solves.solve_rest(work, at, at.trial)
    load_slopes(work, at)
    zero = splat(0.0)
    spread, shift, cube = zero, zero, zero
    for row in range(0, at.height, LANES):
        moved, share = zero, zero
        for k in range(at.size):
            value = load(work, at.columns + k * at.height + row)
            moved = multiply_add(value, broadcast(work, at.direction + k), moved)
            share = multiply_add(value, broadcast(work, at.trial + k), share)
        first = multiply_add(load(work, at.scaled + row), moved, zero)
        second, third = multiply_add(first, moved, zero), multiply_add(first, share, zero)
        spread = multiply_add(third, share, spread)
        shift = multiply_add(second, share, shift)
        cube = multiply_add(second, moved, cube)
    return Corrections(
        variance - total(spread) / weight, -0.5 * total(shift) / weight, total(cube) / 6.0 / weight
    )


@part
def column_separates(work: Any, at: layout.Places) -> bool:
    """Say whether the last column alone separates the classes, or but for ties."""
    keep_apart()
    own = at.columns + (at.size - 1) * at.height
    low0, high0, low1, high1 = math.inf, -math.inf, math.inf, -math.inf
    for row in range(at.n_rows):
        if work[at.weight + row] > 0.0:
            value = work[own + row]
            if work[at.target + row] > 0.5:
                low1, high1 = smaller(value, low1), larger(value, high1)
            else:
                low0, high0 = smaller(value, low0), larger(value, high0)
    return low1 >= high0 or low0 >= high1


@part
def maximum_likelihood(
    null: Null, room: Room, at: layout.Places, case: Case, place: int, found: Columns
) -> int:
    """Fit by maximum likelihood from a first step that `direction` holds; the status."""
    work, last, n = room.work, at.size - 1, case.total
    step_to(work, at.theta, 1.0, at.direction, at.theta, at.width)
    decrement, radius = polish(room, at, case)
    if not decrement >= 0.0:
        if column_separates(work, at):
            return SEPARABLE
        status = hard_fit(null, room, at)
        if status == endings.SEPARABLE:
            return SEPARABLE
        if status != endings.CONVERGED and status != endings.ROUNDING:
            return FAILED
        decrement, radius = polish(room, at, case)
        if not decrement >= 0.0:
            return FAILED
    cost = mean_loss(null, work, at, case.weight)
    far = largest_of(work, at.raw, at.height)
    found.bound[place] = bound_of(work, at, cost, decrement, radius, far)
    more = correct(work, at, case.weight)
    variance = more.variance
    coef = work[at.theta + last] + work[at.direction + last] + more.coef
    found.coef[place] = coef * case.scale
    found.error[place] = math.sqrt(variance / n) * case.scale
    found.wald[place] = n * coef * coef / variance
    fall = case.cost - (cost - 0.5 * decrement * decrement + more.cost)
    found.likelihood_ratio[place] = larger(2.0 * n * fall, 0.0)
    return CONVERGED
