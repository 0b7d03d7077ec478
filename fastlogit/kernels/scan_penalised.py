"""Firth's fit of one column of a scan; `scan_firth` has that of four."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from .firth import invert_factor, row_forms
from .inlining import keep_apart
from .policy import part
from .scan_null import direction_of, with_size
from .scan_optimum import bend_direction, correct
from .scan_rows import (
    COLLINEAR,
    FAILED,
    FIRTH,
    Case,
    Columns,
    Null,
    Room,
    center_column,
    clear,
    largest_of,
    mean_loss,
    pass_rows,
    step_to,
    sum_gradient,
)
from .small import layout, row_sums, solves, steps
from .small.arithmetic import larger

__all__ = [
    "penalised_alone",
    "penalised_likelihood",
]

# Firth's fit: steps, halvings of one; in standard errors how far its end may be from the optimum,
# the same where only the cost is asked for, the last step where the change of the standard error is
# known, and a step below which rounding errors may allow no smaller one.
FIRTH_STEPS, HALVINGS = 2_000, 25
FIRTH_NEAR, FIRTH_HELD, FIRTH_STEP, FIRTH_LEAST = 3e-7, 1e-5, 1e-3, 1e-8
# A leverage below which the Hessian of the likelihood alone will do.
LEVERAGE = 0.02


@part
def penalised_cost(null: Null, work: Any, at: layout.Places, weight: float) -> float:
    """Firth's cost at theta, over the weight, by the factor of the Hessian there."""
    log_root = 0.0
    for k in range(at.size):
        log_root += math.log(work[at.factor + k * (at.width + 1)])
    return mean_loss(null, work, at, weight) - null.unit * log_root / weight


@part
def add_leverages(work: Any, at: layout.Places, weight: float, unit: float, scratch: Any) -> float:
    """Add leverage times (proba - 1/2) to the residuals: the slope of Firth's penalty.

    The leverage of a row x is its curvature times x' M^-1 x. `scratch` has room for the inverse of
    the factor. Curvatures become those of the
    penalised likelihood with its leverages held. Returns the largest leverage.
    """
    keep_apart()
    invert_factor(work, at, scratch, 0)
    row_forms(work, at, scratch, 0)
    raw, tails, curvature, form, residual = (
        np.uint64(at.raw), np.uint64(at.tail), np.uint64(at.curvature), np.uint64(at.scaled),
        np.uint64(at.residual),
    )  # fmt: skip
    for row in range(np.uint64(at.height)):
        tail = work[tails + row]
        inverse = 1.0 / (1.0 + tail)
        leverage = work[curvature + row] * work[form + row] / weight
        pull = 0.5 * unit * leverage * (1.0 - tail) * inverse
        work[residual + row] += pull if work[raw + row] >= 0.0 else -pull
        work[curvature + row] += unit * leverage * (tail * inverse * inverse)
        work[form + row] = leverage
    return largest_of(work, at.scaled, at.height)


class Penalised(NamedTuple):
    """How Firth's fit ended: the cost, which is NaN where it did not come to its end."""

    cost: float
    # Of the last coefficient, per unit of weight.
    variance: float
    # Before the last step.
    before: float


@part
def is_end(decrement: float, before: float, is_held: bool, is_plain: bool) -> bool:
    """Say whether Firth's fit may end with the step that has this decrement, in standard errors.

    Steps shrink by about the same share each. The first step has none to be compared with.
    """
    if decrement <= FIRTH_LEAST:
        return True
    share = decrement / before if before < math.inf else 0.5
    left = decrement * share / (1.0 - share) if share < 1.0 else math.inf
    if is_held:
        return left <= FIRTH_HELD
    # A standard error changes with the step: to first order that is known where rows are plain.
    return left <= FIRTH_NEAR and decrement <= (FIRTH_STEP if is_plain else FIRTH_NEAR)


@part
def firth_fit(
    null: Null, room: Room, at: layout.Places, case: Case, is_held: bool, is_ready: bool,
    lowest: float,
) -> Penalised:  # fmt: skip
    """Fit by Firth's penalised likelihood from `theta` on; `is_held` leaves the last as it is.

    Newton's steps with the Hessian of the likelihood (Firth 1993), or where a leverage is large of
    the likelihood with leverages as further rows, halved until the penalised cost falls (Heinze and
    Schemper 2002). `last` keeps the step. `is_ready`: rows and factor are those at theta already.
    `lowest` is the cost before the step `last` that led there; infinite if none did. The state that
    is left is that before the last step, which theta lacks where it `is_held`.
    """
    keep_apart()
    work, last = room.work, at.size - 1
    free = with_size(work, at, last) if is_held else at
    before, n_halved = math.inf, 0
    for _ in range(FIRTH_STEPS):
        cost, is_factored = math.nan, is_ready
        if not is_ready:
            pass_rows(work, at, case.weight, True, room.scratch)
            is_factored = solves.factor_matrix(work, at)
        if is_factored:
            cost = penalised_cost(null, work, at, case.weight)
        is_ready = False
        if not cost <= lowest + steps.LEVEL * abs(lowest):
            if n_halved >= HALVINGS or lowest == math.inf:
                return Penalised(math.nan, math.nan, math.nan)
            n_halved += 1
            step_to(work, at.last, -0.5, at.last, at.last, at.width)
            step_to(work, at.theta, -1.0, at.last, at.theta, at.width)
            continue
        lowest, n_halved = cost, 0
        variance = 1.0 / work[at.factor + last * (at.width + 1)] ** 2
        most = add_leverages(work, at, case.weight, null.unit, room.scratch)
        sum_gradient(work, free, case.weight)
        if most > LEVERAGE:
            row_sums.sum_hessian(work, at, case.weight, at.curvature)
            if not solves.factor_matrix(work, at):
                break
        decrement = math.sqrt(case.total) * direction_of(work, free)
        is_plain = most <= LEVERAGE
        if is_end(decrement, before, is_held, is_plain):
            if is_plain and not is_held:
                variance = correct(work, at, case.weight).variance
            if not is_held:
                step_to(work, at.theta, 1.0, at.direction, at.theta, at.width)
            lower = cost - 0.5 * decrement * decrement / case.total
            return Penalised(lower, variance, cost)
        before = decrement
        step_to(work, at.direction, 0.0, at.direction, at.last, at.width)
        step_to(work, at.theta, 1.0, at.direction, at.theta, at.width)
    return Penalised(math.nan, math.nan, math.nan)


@part
def penalised_likelihood(
    null: Null, room: Room, at: layout.Places, case: Case, is_ready: bool, place: int,
    found: Columns,
) -> int:  # fmt: skip
    """Fit by Firth's penalised likelihood, from `theta` on; the status."""
    work, last = room.work, at.size - 1
    held = firth_fit(null, room, at, case, True, is_ready, math.inf)
    # From there all coefficients go on, by the Hessian that is at hand.
    sum_gradient(work, at, case.weight)
    decrement = direction_of(work, at)
    bend_direction(work, at, case.weight, decrement)
    step_to(work, at.direction, 0.0, at.direction, at.last, at.width)
    step_to(work, at.theta, 1.0, at.direction, at.theta, at.width)
    full = firth_fit(null, room, at, case, False, False, held.before)
    coef = work[at.theta + last]
    if not (abs(full.cost) < math.inf and abs(held.cost) < math.inf):
        return FAILED
    found.coef[place] = coef * case.scale
    found.error[place] = math.sqrt(full.variance / case.total) * case.scale
    found.wald[place] = case.total * coef * coef / full.variance
    fall = held.cost - full.cost
    found.likelihood_ratio[place] = larger(2.0 * case.total * fall, 0.0)
    return FIRTH


@part
def penalised_alone(
    null: Null, room: Room, at: layout.Places, case: Case, place: int, found: Columns
) -> int:
    """Fit as Firth where the covariates have no optimum on these rows; the status."""
    work = room.work
    middle = center_column(work, at, at.columns + (at.size - 1) * at.height)
    clear(work, at.theta, at.theta + at.width)
    pass_rows(work, at, case.weight, True, room.scratch)
    if not (middle >= 0.0 and solves.factor_matrix(work, at)):
        return COLLINEAR
    return penalised_likelihood(null, room, at, case, False, place, found)
