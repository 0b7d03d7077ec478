"""What is proven of a point of one binomial model: see certificates.binomial."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from ..inlining import keep_apart
from ..policy import entry, part
from ..simd import LANES, add, broadcast, load, multiply_add, splat, store, subtract
from .arithmetic import absolute_sum, clear, dot, larger, largest, smaller
from .layout import Places, column_of
from .solves import solve_half

# As in certificates.binomial and linalg.resolved.
EPS = 2.0**-52
RAW_ERRORS = 4.0
SUM_ERRORS, WALK, CHUNKS = 8.0, 2.0, 64.0
RAISED = 4.0
SERIES = 0.02
# As in solvers.stopping.
ROUNDED = 2.0**-53
FINEST = 2.0**-50


class Proof(NamedTuple):
    """What is known at a point: `gain` bounds cost less optimum, `noise` is that of its decrement.

    `is_sure`: a step -M^-1 g lowers the cost.
    """

    gain: float
    noise: float
    is_sure: bool


@part
def gain_bound(decrement: float, radius: float) -> float:
    """By how much the cost may fall, by the decrement and how fast the Hessian may change."""
    tau = decrement * radius
    if not tau < 1.0:
        return math.inf
    if tau < SERIES:
        share = 0.5 + tau * (1.0 / 6.0 + tau * (1.0 / 12.0 + tau * (0.05 + tau / 30.0)))
        share *= 1.0 + 1e-8
    else:
        share = (tau + (1.0 - tau) * math.log1p(-tau)) / (tau * tau)
    return decrement * decrement * share


@part
def least_curvature(work: Any, at: Places) -> tuple[float, bool]:
    """Least positive curvature of a row (infinite where there is none), and whether all are."""
    least, all_positive = math.inf, True
    for row in range(at.n_rows):
        value = work[at.curvature + row]
        if value > 0.0:
            least = smaller(least, value)
        else:
            all_positive = False
    return least, all_positive


@part
def solve_half_of_eight(work: Any, at: Places, begin: int, whole: bool) -> None:
    """Put -U'^-1 x, or -x, of eight rows x into `matrix`, parameter by parameter.

    Operation by operation what `solve_half` does for one row, so that it has the same bits.
    """
    zero = splat(0.0)
    for j in range(at.size):
        to = at.matrix + j * LANES
        value = load(work, at.columns + j * at.height + begin)
        if whole:
            for k in range(j):
                slope = broadcast(work, at.factor + k * at.width + j)
                value = multiply_add(slope, load(work, at.matrix + k * LANES), value)
        store(work, to, subtract(zero, value))
        if whole:
            pivot, place = work[at.factor + j * (at.width + 1)], np.uint64(to)
            for lane in range(np.uint64(LANES)):
                work[place + lane] /= pivot
    clear(work, at.matrix + at.size * LANES, at.matrix + at.width * LANES)


@part
def largest_form(work: Any, at: Places, whole: bool) -> float:
    """Largest x' M^-1 x of all rows x; without `whole` the largest x' x. Overwrites `matrix`."""
    keep_apart()
    found, zero = 0.0, splat(0.0)
    for begin in range(0, at.n_rows, LANES):
        solve_half_of_eight(work, at, begin, whole)
        # The squares are added up in the order of `dot`.
        for lane in range(LANES):
            square = zero
            for k in range(at.matrix + lane * LANES, at.matrix + at.width * LANES, LANES * LANES):
                square = multiply_add(load(work, k), load(work, k), square)
            store(work, at.matrix + lane * LANES, square)
        half, place = LANES // 2, at.matrix
        while half > 0:
            for k in range(place, place + half * LANES, LANES):
                store(work, k, add(load(work, k), load(work, k + half * LANES)))
            half //= 2
        for row in range(smaller(LANES, at.n_rows - begin)):
            found = larger(found, work[at.matrix + row])
    return found


@part
def traces(work: Any, at: Places) -> tuple[float, float]:
    """Traces of M^-1, and of it times the diagonal of M. Overwrites `trial`."""
    inverse_trace, scaled_trace = 0.0, 0.0
    for k in range(at.size):
        clear(work, at.trial, at.trial + at.width)
        work[at.trial + k] = 1.0
        solve_half(work, at, at.trial, k)
        square = dot(work, at.trial, at.trial, at.width)
        inverse_trace += square
        scaled_trace += square * work[at.matrix + k * (at.width + 1)]
    return inverse_trace, scaled_trace


@part
def errors_of_sums(at: Places) -> float:
    """Relative rounding error of a sum over the rows."""
    return EPS * (SUM_ERRORS + WALK * math.sqrt(at.n_rows / CHUNKS))


@part
def errors_of_rows(work: Any, at: Places, cost: float, offset: float) -> float:
    """What errors of raw predictions may add to the decrement; `offset` is the largest one."""
    reach = absolute_sum(work, at.theta, at.size) + offset
    raw = EPS * (RAW_ERRORS + math.sqrt(float(at.size)))
    return raw * reach * smaller(0.5, math.sqrt(cost))


@part
def prove(work: Any, at: Places, weight: float, cost: float, offset: float, wanted: float) -> Proof:
    """Bound what the cost at theta lacks, by the factor of the Hessian there.

    `offset` is the largest one. Overwrites `trial`.
    """
    keep_apart()
    inverse_trace, scaled_trace = traces(work, at)
    errors = errors_of_sums(at)
    noise = errors * smaller(1.0, math.sqrt(cost)) * math.sqrt(RAISED * inverse_trace)
    noise += errors_of_rows(work, at, cost, offset)
    error = errors * RAISED * scaled_trace
    if not error < 0.5:
        return Proof(math.inf, noise, False)
    swell = math.sqrt(1.0 / (1.0 - error))
    decrement = math.sqrt(dot(work, at.half, at.half, at.width))
    delta = (decrement + noise) * swell
    least, all_positive = least_curvature(work, at)
    # x_i' M^-1 x_i is at most 1 over the share that the row's own term has in M.
    first = math.sqrt(weight / least)
    radius = first
    gain = gain_bound(delta, radius * swell)
    sure = all_positive and decrement * first < 1.0
    if gain > wanted and 0.5 * delta * delta <= 0.8 * wanted:
        radius = smaller(radius, math.sqrt(largest_form(work, at, False) * inverse_trace))
        gain = gain_bound(delta, radius * swell)
    near = gain > wanted and 0.5 * delta * delta <= 0.8 * wanted
    if near or gain == math.inf or not sure:
        exact = math.sqrt(largest_form(work, at, True))
        gain = gain_bound(delta, smaller(radius, exact) * swell)
        sure = sure or decrement * exact < 1.0
    return Proof(gain, noise, sure)


@part
def relative(gain: float, cost: float) -> float:
    """Bound on what the cost lacks, over the optimum, from that of the difference."""
    lowest = cost - gain
    return gain / lowest if lowest > 0.0 else math.inf


@part
def stated(bound: float) -> float:
    """Bound of a cost as a float64 number."""
    gain = bound / (1.0 + bound) + ROUNDED
    return gain / (1.0 - gain) if 0.0 <= gain < 1.0 else math.inf


def _stated_bound(bound: float) -> float:
    """Return the bound of a cost as a float64 number, from that of the exact cost.

    Parameters
    ----------
    bound : float
        Of a `SmallFit`.

    Returns
    -------
    float
    """
    return stated(bound)


stated_bound = entry(_stated_bound)


@part
def lost_in_units(work: Any, at: Places, fit_intercept: bool) -> float:
    """By how much the cost may rise where theta is rounded in the units of X."""
    slopes = at.size - 1 if fit_intercept else at.size
    lost = absolute_sum(work, at.theta, slopes)
    if fit_intercept:
        level = work[at.theta + slopes]
        for k in range(slopes):
            j = column_of(work, at, k)
            level -= work[at.theta + k] * work[at.scale + j] * work[at.center + j]
        lost += abs(level)
    lost *= ROUNDED
    return lost * largest(work, at.gradient, at.size) + 0.125 * lost * lost


@part
def meets(bound: float, tol: float) -> bool:
    """Say whether a bound is at most `tol`, rounding of the cost included where that matters."""
    return (stated(bound) if tol >= FINEST else bound) <= tol
