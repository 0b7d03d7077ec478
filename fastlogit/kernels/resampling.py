"""A binomial model for each replicate of one data set: rows weighed anew, or labels permuted.

The optimum of a replicate is near that of all rows (bootstrap), or of the model without what is
tested (permutation). So each begins there, and one Hessian of its own, at that point, serves for
all its steps (the chord, or simplified Newton method, with a secant of BFGS). The proof takes the
same one, since a Hessian changes by e^r at most where no raw prediction changes by more than r. At
5,000 x 15 that is 1 Hessian and 4 gradients, where Newton's method takes 4 and 5.

Rows that a bootstrap leaves out, 37 % of them, are left out of the copy that a replicate works
with. What is not done in few steps is left to `small.binomial.fit_small` and `fit`, with the status
GENERAL. Replicates do not touch each other: a result has the same bits whoever computes it.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from .groups import CONVERGED, GENERAL, NO_ROWS, ONE_CLASS
from .inlining import keep_apart
from .policy import entry, part
from .simd import LANES, add, load, multiply_add, splat, store, total
from .small import binomial, endings, intake, layout, proofs, row_sums, solves
from .small.arithmetic import (
    absolute_sum,
    clear,
    dot,
    largest,
    level_less_products,
    smaller,
    step_to,
)

__all__ = [
    "Base",
    "Replicates",
    "Room",
    "fit_permuted",
    "fit_replicates",
    "prepare",
    "room_size",
]

# Steps and Hessians of a replicate at the most: what takes more has no optimum nearby.
MOST_STEPS, MOST_HESSIANS = 16, 4
# A new Hessian is worth it where a step leaves more than this of the squared decrement: below it
# two more steps take no longer than the Hessian.
SLOW = 0.02
# A proof by an old Hessian is worth trying up to this change of raw predictions, and a last step
# lowers the cost for sure where e^(r + s) < 2.
NEARBY, SURE = 3.0, 0.6


class Base(NamedTuple):
    """All rows, prepared by `prepare`, and what each replicate is asked.

    `work` is laid out as `small` does, for all rows, with `size` parameters; theta in it is where
    each replicate begins. `unit_of_row` says whose weight a row takes. With `by_weight` the
    penalty is on the scale of the sum of the losses.
    """

    work: Any
    n_rows: int
    n_features: int
    size: int
    unit_of_row: Any
    by_weight: bool
    intercept: float
    fit_intercept: bool
    tol: float


class Room(NamedTuple):
    """Room to work in, of one thread: `room_size` numbers, a place for each row, units' weights."""

    work: Any
    places: Any
    units: Any


class Replicates(NamedTuple):
    """What is found, a row or a number for each replicate."""

    status: Any
    n_iter: Any
    coef: Any
    intercept: Any
    cost: Any
    bound: Any


class Refit(NamedTuple):
    """How a refit ended: status, steps, cost before the last of them, bound."""

    status: int
    n_iter: int
    cost: float
    bound: float


def _room_size(n_samples: int, n_features: int) -> int:
    """Return how many float64 the work array of a room needs.

    Parameters
    ----------
    n_samples, n_features : int
        Shape of X.
    """
    return layout.work_size(n_samples, n_features) + layout.column_height(n_samples)


room_size = entry(_room_size)


# ------------------------------------------------------------------------------------------------
# All rows


def _prepare(
    X: Any, y: Any, positive: int, sample_weight: Any, offset: Any, l2_reg: Any,
    intercept: float, fit_intercept: bool, start: Any, work: Any,
) -> tuple[int, int]:  # fmt: skip
    """Copy all rows to columns, standardised, and set where replicates begin.

    Parameters
    ----------
    X : ndarray of float64, shape (n_samples, n_features)
    y, positive, sample_weight, offset, l2_reg, intercept, fit_intercept
        As for `small.binomial.fit_small`; weights are positive.
    start : ndarray of float64, shape (n_features + 1,)
        Coefficients and intercept, in the units of X.
    work : ndarray of float64, shape (room_size(n_samples, n_features),)

    Returns
    -------
    status : int
        `small.endings.CONVERGED`, or why these rows are nothing for `fit_replicates`.
    size : int
        Number of parameters: columns that vary, and the intercept.
    """
    n_features = X.shape[1]
    fixed = 0.0 if fit_intercept else intercept
    status, n_rows, unit = intake.weigh_rows(y, positive, sample_weight)
    if status != endings.CONVERGED:
        return status, 0
    at = layout.lay_out(work, n_rows, n_features, 0)
    bad = intake.copy_rows(X, y, positive, sample_weight, unit, offset, fixed, work, at)
    if not (bad == 0.0 and abs(fixed) < math.inf):
        return endings.NOT_FINITE, 0
    weight = 0.0
    for row in range(n_rows):
        weight += work[at.weight + row]
    status, size = intake.standardize(work, at, weight, l2_reg, fit_intercept)
    if status != endings.CONVERGED:
        return status, size
    at = layout.lay_out(work, n_rows, n_features, size)
    slopes = size - 1 if fit_intercept else size
    for k in range(slopes):
        j = layout.column_of(work, at, k)
        work[at.theta + k] = start[j] / work[at.scale + j]
    if fit_intercept:
        for j in range(n_features):
            work[at.half + j] = start[j]
        work[at.theta + slopes] = level_less_products(
            start[n_features], -1.0, work, at.half, at.center, n_features
        )
    return status, size


prepare = entry(_prepare)


# ------------------------------------------------------------------------------------------------
# One replicate


@part
def predict(work: Any, at: Any) -> None:
    """Put the raw predictions of theta into `raw`: four columns at a time, and no other array."""
    keep_apart()
    step_to(work, at.offset, 0.0, at.offset, at.raw, at.height)
    last = at.size - 1
    for k in range(0, at.size, 4):
        a, b, c, d = (
            at.columns + k * at.height, at.columns + smaller(k + 1, last) * at.height,
            at.columns + smaller(k + 2, last) * at.height,
            at.columns + smaller(k + 3, last) * at.height,
        )  # fmt: skip
        # Beyond `size` theta is 0.
        of_a, of_b = splat(work[at.theta + k]), splat(work[at.theta + k + 1])
        of_c, of_d = splat(work[at.theta + k + 2]), splat(work[at.theta + k + 3])
        for row in range(0, at.height, LANES):
            z = multiply_add(load(work, a + row), of_a, load(work, at.raw + row))
            z = multiply_add(load(work, b + row), of_b, z)
            z = multiply_add(load(work, c + row), of_c, z)
            store(work, at.raw + row, multiply_add(load(work, d + row), of_d, z))


@part
def sum_gradient(work: Any, at: Any, weight: float) -> None:
    """Put the gradient at theta into `gradient`, four columns at a time."""
    keep_apart()
    zero, last = splat(0.0), at.size - 1
    for k in range(0, at.size, 4):
        a, b, c, d = (
            at.columns + k * at.height, at.columns + smaller(k + 1, last) * at.height,
            at.columns + smaller(k + 2, last) * at.height,
            at.columns + smaller(k + 3, last) * at.height,
        )  # fmt: skip
        to_a, to_b, to_c, to_d = zero, zero, zero, zero
        for row in range(0, at.height, LANES):
            residual = load(work, at.residual + row)
            to_a = multiply_add(load(work, a + row), residual, to_a)
            to_b = multiply_add(load(work, b + row), residual, to_b)
            to_c = multiply_add(load(work, c + row), residual, to_c)
            to_d = multiply_add(load(work, d + row), residual, to_d)
        work[at.gradient + k], work[at.gradient + k + 1] = total(to_a), total(to_b)
        work[at.gradient + k + 2], work[at.gradient + k + 3] = total(to_c), total(to_d)
    clear(work, at.gradient + at.size, at.gradient + at.width)
    for k in range(at.size):
        slope = work[at.gradient + k] / weight
        work[at.gradient + k] = slope + work[at.l2 + k] * work[at.theta + k]


@part
def evaluate(work: Any, at: Any, weight: float) -> float:
    """As `small.row_sums.evaluate` at theta, in half the time: the cost; sets all else known there.

    33 us at 3,160 rows x 16 there, most of them for reading and writing `raw` for each column and
    for sums whose terms wait for one another.
    """
    predict(work, at)
    row_sums.row_losses(work, at)
    sum_gradient(work, at, weight)
    cost = dot(work, at.weight, at.scaled, at.height) / weight
    for k in range(at.size):
        cost += 0.5 * work[at.l2 + k] * work[at.theta + k] * work[at.theta + k]
    return cost


@part
def sum_of(work: Any, column: int, height: int) -> float:
    """Sum of a column."""
    partial = splat(0.0)
    for row in range(0, height, LANES):
        partial = add(partial, load(work, column + row))
    return total(partial)


@part
def farthest(work: Any, at: Any, kept: int) -> float:
    """By how much a raw prediction has changed since those from `kept` on, at most."""
    found = 0.0
    raw, before = np.uint64(at.raw), np.uint64(kept)
    for row in range(np.uint64(at.n_rows)):
        change = abs(work[raw + row] - work[before + row])
        found = change if not change <= found else found
    return found


@part
def prove_near(work: Any, at: Any, weight: float, cost: float, offset: float, change: float) -> Any:
    """As `small.proofs.prove`, by the factor of a Hessian M', no raw prediction changed more since.

    The Hessian here is at least e^-change M', since the logarithm of p (1 - p) has slopes of 1 at
    most; so decrement and errors grow by e^(change / 2) at most. `half` is U'^-1 g.
    """
    keep_apart()
    inverse_trace, scaled_trace = 0.0, 0.0
    for k in range(at.size):
        clear(work, at.trial, at.trial + at.width)
        work[at.trial + k] = 1.0
        solves.solve_half(work, at, at.trial, k)
        square = dot(work, at.trial, at.trial, at.width)
        inverse_trace += square
        scaled_trace += square * work[at.matrix + k * (at.width + 1)]
    walk = proofs.WALK * math.sqrt(at.n_rows / proofs.CHUNKS)
    errors = proofs.EPS * (proofs.SUM_ERRORS + walk)
    noise = errors * smaller(1.0, math.sqrt(cost)) * math.sqrt(proofs.RAISED * inverse_trace)
    reach = absolute_sum(work, at.theta, at.size) + offset
    raw = proofs.EPS * (proofs.RAW_ERRORS + math.sqrt(float(at.size)))
    noise += raw * reach * smaller(0.5, math.sqrt(cost))
    error = errors * proofs.RAISED * scaled_trace
    if not error < 0.5:
        return proofs.Proof(math.inf, noise, False)
    swell = math.sqrt(math.exp(change * (1.0 + 1e-8) + 4.0 * raw * reach) / (1.0 - error))
    decrement = math.sqrt(dot(work, at.half, at.half, at.width))
    delta = (decrement + noise) * swell
    least, all_positive = proofs.least_curvature(work, at)
    radius = math.sqrt(weight / least) * swell
    sure = all_positive and change + radius * swell * decrement < SURE
    return proofs.Proof(proofs.gain_bound(delta, radius), noise, sure)


@part
def factor_here(work: Any, at: Any, weight: float, kept: int) -> bool:
    """Factor the Hessian here, set the direction, and keep the raw predictions."""
    row_sums.sum_hessian(work, at, weight, at.curvature)
    step_to(work, at.raw, 0.0, at.raw, kept, at.height)
    return solves.newton_direction(work, at)


@part
def chord_direction(work: Any, at: Any) -> None:
    """Set the direction by the factored Hessian and one secant, as BFGS does it.

    In units in which that Hessian is the identity: `half` is the gradient there, `last` the last
    step, `trial_gradient` the change of the gradient over it. 1,000 replicates of 5,000 x 15 take
    3.2 steps each to 1e-12, without the secant 4.4.
    """
    step, change = at.last, at.trial_gradient
    step_to(work, at.half, -2.0, at.half, at.direction, at.width)
    product = dot(work, step, change, at.width)
    if product > 0.0:
        along = dot(work, step, at.direction, at.width) / product
        step_to(work, at.direction, -along, change, at.direction, at.width)
        back = dot(work, change, at.direction, at.width) / product
        step_to(work, at.direction, along - back, step, at.direction, at.width)
    step_to(work, at.direction, 0.0, at.direction, at.last, at.width)
    solves.solve_rest(work, at, at.direction)


@part
def refit(
    work: Any, at: Any, weight: float, offset: float, fit_intercept: bool, tol: float
) -> Refit:
    """Go from theta to the optimum by steps of one Hessian; GENERAL if that is not soon proven.

    `offset` is the largest one.
    """
    keep_apart()
    kept = at.counts + at.width  # behind all else
    cost = evaluate(work, at, weight)
    if not (abs(cost) < math.inf and factor_here(work, at, weight, kept)):
        return Refit(GENERAL, 0, cost, math.inf)
    step_to(work, at.half, -2.0, at.half, at.last, at.width)
    before, n_hessians = dot(work, at.half, at.half, at.width), 1
    for n_iter in range(1, MOST_STEPS):
        step_to(work, at.theta, 1.0, at.direction, at.theta, at.width)
        cost = evaluate(work, at, weight)
        step_to(work, at.half, 0.0, at.half, at.trial, at.width)
        step_to(work, at.gradient, 0.0, at.gradient, at.half, at.width)
        solves.solve_half(work, at, at.half, 0)
        step_to(work, at.half, -1.0, at.trial, at.trial_gradient, at.width)
        square, wanted = dot(work, at.half, at.half, at.width), tol * abs(cost)
        # Written so that a NaN ends it.
        if not (square < before or 0.5 * square <= wanted):
            return Refit(GENERAL, n_iter, cost, math.inf)
        change = farthest(work, at, kept) if 0.5 * square <= wanted else 0.0
        if change < NEARBY and 0.5 * square * math.exp(change) <= wanted:
            proof = prove_near(work, at, weight, cost, offset, change)
            lost = proofs.lost_in_units(work, at, fit_intercept)
            bound = proofs.relative(proof.gain + lost, cost)
            if proofs.meets(bound, tol):
                if proof.is_sure:
                    step_to(work, at.half, -2.0, at.half, at.direction, at.width)
                    solves.solve_rest(work, at, at.direction)
                    step_to(work, at.theta, 1.0, at.direction, at.theta, at.width)
                return Refit(CONVERGED, n_iter, cost, bound)
        if square <= SLOW * before and change < NEARBY:
            chord_direction(work, at)
        elif n_hessians < MOST_HESSIANS and factor_here(work, at, weight, kept):
            step_to(work, at.half, -2.0, at.half, at.last, at.width)
            n_hessians += 1
            square = dot(work, at.half, at.half, at.width)
        else:
            break
        before = square
    return Refit(GENERAL, MOST_STEPS, cost, math.inf)


@part
def conclude(base: Base, work: Any, at: Any, found: Refit, models: Replicates, place: int) -> None:
    """Put what a refit came to in its place."""
    status = found.status
    models.n_iter[place] = found.n_iter
    if status == CONVERGED:
        coef = models.coef[place]
        level, finite = binomial.coefficients(work, at, base.fit_intercept, base.intercept, coef)
        models.intercept[place], models.bound[place] = level, proofs.stated(found.bound)
        models.cost[place] = found.cost
        status = CONVERGED if finite else GENERAL
    models.status[place] = status


# ------------------------------------------------------------------------------------------------
# Bootstrap


@part
def count(drawn: Any, units_out: Any) -> None:
    """Count how often each unit is drawn."""
    units_out[:] = 0.0
    for place in range(np.uint64(drawn.shape[0])):
        units_out[np.uint64(drawn[place])] += 1.0


@part
def choose_rows(base: Base, unit_weights: Any, places: Any) -> int:
    """Put the rows that have weight into `places`; returns how many there are."""
    # Without a branch, which nobody could foretell: 3 us for 5,000 rows in place of 25.
    found = np.uint64(0)
    for row in range(np.uint64(base.n_rows)):
        places[found] = row
        found += np.uint64(unit_weights[np.uint64(base.unit_of_row[row])] > 0.0)
    return int(found)


@part
def weight_of_all(base: Base) -> float:
    """Weight of all rows."""
    at = layout.lay_out(base.work, base.n_rows, base.n_features, base.size)
    return sum_of(base.work, at.weight, at.height)


@part
def take(source: Any, column: int, places: Any, count: int, work: Any, to: int, end: int) -> None:
    """Copy some rows of a column, and zeros after them."""
    begin, first = np.uint64(column), np.uint64(to)
    for i in range(np.uint64(count)):
        work[first + i] = source[begin + np.uint64(places[i])]
    clear(work, to + count, end)


@part
def take_rows(base: Base, unit_weights: Any, count: int, room: Room) -> Any:
    """Copy the chosen rows to columns of their own; returns where things lie."""
    source, work, places = base.work, room.work, room.places
    of = layout.lay_out(source, base.n_rows, base.n_features, base.size)
    at = layout.lay_out(work, count, base.n_features, base.size)
    for k in range(layout.VECTOR_PARTS * at.width):
        work[at.l2 + k] = source[of.l2 + k]
    for k in range(at.size):
        to = at.columns + k * at.height
        take(source, of.columns + k * of.height, places, count, work, to, to + at.height)
    take(source, of.offset, places, count, work, at.offset, at.offset + at.height)
    take(source, of.target, places, count, work, at.target, at.target + at.height)
    take(source, of.weight, places, count, work, at.weight, at.weight + at.height)
    for i in range(count):
        work[at.weight + i] *= unit_weights[base.unit_of_row[places[i]]]
    return at


def _fit_replicates(
    base: Base, drawn: Any, unit_weights: Any, first: int, room: Room, models: Replicates
) -> None:
    """Fit the replicates from `first` on.

    Parameters
    ----------
    base : Base
    drawn : ndarray of int64, shape (n_replicates, n_drawn)
        The units that each draws; of no numbers where these have weights.
    unit_weights : ndarray of float64, shape (n_replicates, n_units)
        Weights >= 0 of the units of each, near 1 in the mean; of no numbers where they are drawn.
    first : int
        The place of the first of them among the models.
    room : Room
    models : Replicates
        Gets what is found: the status CONVERGED, NO_ROWS, ONE_CLASS, or GENERAL for what is left.
    """
    of = layout.lay_out(base.work, base.n_rows, base.n_features, base.size)
    offset = largest(base.work, of.offset, base.n_rows)
    whole = weight_of_all(base)
    for draw in range(drawn.shape[0]):
        weights, place = room.units, first + draw
        if drawn.shape[1] > 0:
            count(drawn[draw], weights)
        else:
            weights = unit_weights[draw]
        n_rows = choose_rows(base, weights, room.places)
        at = take_rows(base, weights, n_rows, room)
        n_positive = sum_of(room.work, at.target, at.height)
        if n_positive == 0.0 or n_positive == float(n_rows):
            models.status[place] = NO_ROWS if n_rows == 0 else ONE_CLASS
            continue
        weight = sum_of(room.work, at.weight, at.height)
        if base.by_weight:
            for k in range(at.size):
                room.work[at.l2 + k] *= whole / weight
        found = refit(room.work, at, weight, offset, base.fit_intercept, base.tol)
        conclude(base, room.work, at, found, models, place)


fit_replicates = entry(_fit_replicates)


# ------------------------------------------------------------------------------------------------
# Permutation


@part
def shuffle(uniform: Any, starts: Any, places: Any) -> None:
    """Permute the rows within each block by numbers from [0, 1): the shuffle of Fisher and Yates.

    A number of 53 bits favours no place by more than 1 in 2^53 over the rows of a block.
    """
    for row in range(places.shape[0]):
        places[row] = row
    for block in range(starts.shape[0] - 1):
        begin, end = starts[block], starts[block + 1]
        for left in range(end - begin - 1):
            row = end - 1 - left
            other = begin + int(uniform[row] * (row - begin + 1))
            here = places[row]
            places[row] = places[other]
            places[other] = here


def _fit_permuted(
    base: Base, uniform: Any, starts: Any, column: int, first: int, room: Room, models: Replicates
) -> None:
    """Fit the permutations from `first` on: of the labels, or of one column.

    Parameters
    ----------
    base : Base
        Its theta is the optimum without what is permuted.
    uniform : ndarray of float64, shape (n_permutations, n_rows)
        Numbers from [0, 1) that make each permutation.
    starts : ndarray of int64, shape (n_blocks + 1,)
        Where the blocks begin within which rows are permuted, and the end of the last.
    column : int
        The parameter whose column is permuted; -1 for the labels.
    first : int
    room : Room
    models : Replicates
        Gets what is found: the status CONVERGED, or GENERAL for what is left.
    """
    work, source, places = room.work, base.work, room.places
    of = layout.lay_out(source, base.n_rows, base.n_features, base.size)
    at = layout.lay_out(work, base.n_rows, base.n_features, base.size)
    for k in range(of.counts - of.columns):
        work[at.columns + k] = source[of.columns + k]
    moved = of.target if column < 0 else of.columns + column * of.height
    to = at.columns + moved - of.columns
    weight = weight_of_all(base)
    offset = largest(source, of.offset, base.n_rows)
    for draw in range(uniform.shape[0]):
        shuffle(uniform[draw], starts, places)
        take(source, moved, places, base.n_rows, work, to, to + at.height)
        for k in range(layout.VECTOR_PARTS * at.width):
            work[at.l2 + k] = source[of.l2 + k]
        found = refit(work, at, weight, offset, base.fit_intercept, base.tol)
        conclude(base, work, at, found, models, first + draw)


fit_permuted = entry(_fit_permuted)
