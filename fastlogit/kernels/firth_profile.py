"""Points of profiles of Firth's penalised likelihood, over a small table of rows.

A goal is the end of an interval, where a function a' theta is largest or smallest with a cost that
is given, or the least cost with a' theta held. With M the Hessian the steps are ``l M^-1 a - M^-1
g``: l is such that the quadratic model has the wanted cost (Venzon and Moolgavkar, 1988, Applied
Statistics 37), or a' theta its value.

The penalty takes n d^2 products to look at, the likelihood n d, and the penalty hardly bends. So
steps take the likelihood as it is and the penalty by its quadratic model: at first around the peak,
then around the last point where the penalty was looked at, which is one or two points for each
goal. How far that model was out there tells by how much it may be out at the next point.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numba import prange

from .firth import (
    Extra,
    FirthRows,
    Places,
    evaluate,
    is_clear,
    lay_out_extra,
    likelihood,
    place_rows,
    whole_size,
)
from .inlining import keep_apart
from .policy import entry, part
from .small import solves
from .small.arithmetic import clear, dot, larger, smaller, step_to

__all__ = ["HELD", "Goals", "PeakNumbers", "profile_points"]

# Side of a goal that holds the value of the function.
HELD = 0
# In standard errors: the step left after which the model's end is the end, to the square of this;
# where the likelihood's own way may stop; and a bound on the penalty that its model may lack, which
# is 20 times what ends lack in fact (5e-10 of a standard error at 1,000 x 50 and at 60 x 5).
NEAR, SETTLED, EXACT = 2e-5, 1e-7, 1e-8
# The share of the model's change along the way that the next change is taken to be, and its most.
SAFETY = 4.0
# Points at which the penalty is looked at, and steps between two of them.
MOST_LOOKS, MOST_STEPS = 20, 12
# A step is no longer than this, in standard errors; one that is more than so many times as long as
# the shortest before says that the way goes astray.
LONGEST, ASTRAY = 4.0, 2.0
# Steps of the likelihood alone follow if the step at the last look was no longer.
CLOSE = 1.0
# Goals of a task, which copies the rows for itself.
TASKS = 16


class PeakNumbers(NamedTuple):
    """The least cost: theta, minus the log-likelihood, the penalty and its slope, the Hessian.

    `beside` is what the Hessian has beside the information, `hessian` their sum.
    """

    theta: Any
    loss: float
    penalty: float
    slope: Any
    beside: Any
    hessian: Any


class Goals(NamedTuple):
    """What is looked for of functions, in rows: sides and targets, (n_functions, n_each).

    A side is -1 or 1, with the rise of the cost as the target, or `HELD`, with a value. What is
    learned on the way to one goal of a function helps with the next.
    """

    functions: Any
    sides: Any
    targets: Any


class Goal(NamedTuple):
    """A goal: side, and target, of which `level` is the cost where there is a side."""

    side: int
    target: float
    level: float


class Aim(NamedTuple):
    """A step in `direction`: how much of it is aside of a, and along a, in standard errors."""

    aside: float
    move: float


class Found(NamedTuple):
    """Whether a goal was reached, the value of the function and the cost there."""

    is_found: bool
    value: float
    cost: float


@part
def copy(work: Any, a: int, to: int, count: int) -> None:
    step_to(work, a, 0.0, a, to, count)


@part
def solve(work: Any, at: Places, vector: int) -> None:
    """Replace a vector by M^-1 of it."""
    solves.solve_half(work, at, vector, 0)
    solves.solve_rest(work, at, vector)


@part
def multiply(work: Any, at: Places, matrix: int, vector: int, to: int) -> None:
    """Put a matrix times a vector there."""
    clear(work, to, to + at.width)
    for k in range(at.size):
        work[to + k] = dot(work, matrix + k * at.width, vector, at.width)


@part
def form_of(work: Any, at: Places, vector: int) -> float:
    """Return v' M v by the factor."""
    square = 0.0
    for k in range(at.size):
        part_of = 0.0
        row = at.factor + k * at.width
        part_of = dot(work, row, vector, at.width)
        square += part_of * part_of
    return square


@part
def add_penalty(work: Any, at: Places, to: Extra, bent: float) -> float:
    """Add the slope of the penalty's model to `gradient`; its value less that at `reference`.

    `bent` is where the third-order part in `bent` was seen, along a; 0 where there is none.
    """
    step_to(work, at.theta, -1.0, to.reference, to.apart, at.width)
    multiply(work, at, to.beside, to.apart, to.product)
    value = dot(work, to.slope, to.apart, at.width)
    value += 0.5 * dot(work, to.product, to.apart, at.width)
    step_to(work, at.gradient, 1.0, to.slope, at.gradient, at.width)
    step_to(work, at.gradient, 1.0, to.product, at.gradient, at.width)
    if bent != 0.0:
        share = dot(work, to.function, to.apart, at.width) / bent
        step_to(work, at.gradient, share * share, to.bent, at.gradient, at.width)
        value += share * share * dot(work, to.bent, to.apart, at.width) / 3.0
    return value


@part
def set_across(work: Any, at: Places, to: Extra) -> float:
    """Put M^-1 a into `across`; the variance of a' theta."""
    copy(work, to.function, to.across, at.width)
    solve(work, at, to.across)
    return dot(work, to.across, to.function, at.width)


@part
def aim(work: Any, at: Places, to: Extra, goal: Goal, variance: float, cost: float) -> Aim:
    """Put the step to the goal of the quadratic model into `direction`; NaN where it has none."""
    copy(work, at.gradient, to.along, at.width)
    solve(work, at, to.along)
    gain = dot(work, to.along, at.gradient, at.width)
    slope = dot(work, to.along, to.function, at.width)
    if not (variance > 0.0 and gain >= 0.0):
        return Aim(math.nan, math.nan)
    aside = larger(gain - slope * slope / variance, 0.0)
    if goal.side == HELD:
        lacking = goal.target - dot(work, to.function, at.theta, at.width)
        factor = (slope + lacking) / variance
    else:
        room = 2.0 * (goal.level - cost) + gain
        factor = goal.side * math.sqrt(larger(room, 0.0) / variance)
    step_to(work, to.across, factor - 1.0, to.across, at.direction, at.width)
    step_to(work, at.direction, -1.0, to.along, at.direction, at.width)
    move = dot(work, at.direction, to.function, at.width) / math.sqrt(variance)
    return Aim(math.sqrt(aside), abs(move))


class Settled(NamedTuple):
    """Where steps with the penalty's model led: whether to its goal, and the cost there."""

    is_settled: bool
    cost: float


@part
def settle(
    work: Any, at: Places, to: Extra, goal: Goal, variance: float, penalty: float, bent: float
) -> Settled:
    """Go to the goal with the likelihood as it is, and the model of the penalty, by one factor."""
    keep_apart()
    shortest, cost = math.inf, math.nan
    for _ in range(MOST_STEPS):
        cost = likelihood(work, at, at.theta) + penalty
        cost += add_penalty(work, at, to, bent)
        step = aim(work, at, to, goal, variance, cost)
        length = step.aside + step.move
        if not length <= 0.7 * shortest:
            return Settled(False, cost)
        shortest = length
        size = 1.0 if length < LONGEST else LONGEST / length
        step_to(work, at.theta, size, at.direction, at.theta, at.width)
        if length <= SETTLED:
            return Settled(True, cost - 0.5 * step.aside * step.aside)
    return Settled(False, cost)


@part
def add_beside(work: Any, at: Places, to: Extra) -> None:
    """Add what the Hessian has beside the information to the upper triangle of `matrix`."""
    for k in range(at.size):
        row = k * at.width
        step_to(work, at.matrix + row, 1.0, to.beside + row, at.matrix + row, at.width)


@part
def go_to_peak(work: Any, at: Places, to: Extra) -> None:
    """Let the model of the penalty and the factor be those of the peak."""
    copy(work, to.origin, to.reference, at.width)
    copy(work, to.origin_slope, to.slope, at.width)
    copy(work, to.top, at.factor, at.size * at.width)


@part
def missed(work: Any, at: Places, to: Extra) -> float:
    """Return the share by which the penalty's Hessian changed since `reference`, as its slope says.

    The latter, at theta, is in `slope`, its value before in `half`. What the model lacked is left
    in `mismatch`, in slopes.
    """
    step_to(work, at.theta, -1.0, to.reference, to.apart, at.width)
    multiply(work, at, to.beside, to.apart, to.product)
    step_to(work, to.slope, -1.0, at.half, to.mismatch, at.width)
    step_to(work, to.mismatch, -1.0, to.product, to.mismatch, at.width)
    copy(work, to.mismatch, to.product, at.width)
    solves.solve_half(work, at, to.product, 0)
    lacked = math.sqrt(dot(work, to.product, to.product, at.width))
    way = math.sqrt(form_of(work, at, to.apart))
    return smaller(SAFETY * lacked / way, 1.0) if way > 0.0 else 1.0


@part
def reach(work: Any, at: Places, to: Extra, goal: Goal, base: float, bent: float) -> Found:
    """Go from the peak to a goal; `base` is the penalty at the peak, `bent`: see `add_penalty`.

    Leaves in `mismatch` what the model around the peak lacked at the first look.
    """
    keep_apart()
    go_to_peak(work, at, to)
    variance = set_across(work, at, to)
    origin = dot(work, to.function, to.origin, at.width)
    lost = Found(False, math.nan, math.nan)
    if not variance > 0.0:
        return lost
    if goal.side == HELD:
        factor = (goal.target - origin) / variance
    else:
        factor = goal.side * math.sqrt(2.0 * goal.target / variance)
    step_to(work, to.origin, factor, to.across, at.theta, at.width)
    settle(work, at, to, goal, variance, base, bent)
    shortest, first = math.inf, True
    for _ in range(MOST_LOOKS):
        copy(work, to.slope, at.half, at.width)
        value = evaluate(work, at, to, at.theta)
        if not abs(value.penalty) < math.inf:
            return lost
        add_beside(work, at, to)
        if not (solves.factor_matrix(work, at) and is_clear(work, at)):
            return lost
        share = missed(work, at, to)
        if first:
            copy(work, to.mismatch, to.bent, at.width)
            first = False
        copy(work, at.theta, to.reference, at.width)
        variance = set_across(work, at, to)
        step_to(work, at.gradient, 1.0, to.slope, at.gradient, at.width)
        cost = value.loss + value.penalty
        step = aim(work, at, to, goal, variance, cost)
        length = step.aside + step.move
        if not length <= ASTRAY * shortest:
            return lost
        shortest = smaller(shortest, length)
        size = 1.0 if length < LONGEST else LONGEST / length
        step_to(work, at.theta, size, at.direction, at.theta, at.width)
        is_there = step.aside <= NEAR and step.move <= NEAR
        cost -= 0.5 * step.aside * step.aside
        if not is_there and length <= CLOSE:
            on = settle(work, at, to, goal, variance, value.penalty, 0.0)
            if on.is_settled:
                step_to(work, at.theta, -1.0, to.reference, to.apart, at.width)
                is_there = share * form_of(work, at, to.apart) <= EXACT
                cost = on.cost
        if is_there:
            end = dot(work, to.function, at.theta, at.width)
            is_right = goal.side == HELD or goal.side * (end - origin) > 0.0
            return Found(is_right, end, cost)
    return lost


@part
def take_peak(peak: PeakNumbers, work: Any, at: Places, to: Extra) -> bool:
    """Copy what is known of the peak; whether the Hessian has a factor there."""
    for k in range(at.size):
        work[to.origin + k] = peak.theta[k]
        work[to.origin_slope + k] = peak.slope[k]
        for m in range(at.size):
            work[to.beside + k * at.width + m] = peak.beside[k, m]
            work[at.matrix + k * at.width + m] = peak.hessian[k, m]
        clear(work, at.matrix + k * at.width + at.size, at.matrix + (k + 1) * at.width)
    clear(work, at.theta, at.theta + at.width)
    if not (solves.factor_matrix(work, at) and is_clear(work, at)):
        return False
    copy(work, at.factor, to.top, at.size * at.width)
    return True


@part
def reach_goals(
    work: Any, at: Places, to: Extra, peak: PeakNumbers, goals: Goals, row: int, values_out: Any,
    costs_out: Any,
) -> None:  # fmt: skip
    """Go to the goals of one function, one after the other; NaN where one is not reached."""
    keep_apart()
    for k in range(at.size):
        work[to.function + k] = goals.functions[row, k]
    base, bent = peak.penalty, 0.0
    for each in range(goals.sides.shape[1]):
        target = goals.targets[row, each]
        goal = Goal(goals.sides[row, each], target, peak.loss + base + target)
        found = reach(work, at, to, goal, base, bent)
        bent = 0.0
        values_out[row, each], costs_out[row, each] = math.nan, math.nan
        if found.is_found:
            values_out[row, each], costs_out[row, each] = found.value, found.cost
            bent = found.value - dot(work, to.function, to.origin, at.width)


def _profile_points(
    rows: FirthRows, n_rows: int, peak: PeakNumbers, goals: Goals, values_out: Any, costs_out: Any
) -> None:
    """Find points of profiles.

    Parameters
    ----------
    rows : FirthRows
    n_rows : int
    peak : PeakNumbers
    goals : Goals
    values_out, costs_out : ndarray of shape (n_functions, n_each)
        The value of the function and the cost, or NaN where a goal was not reached.
    """
    size, height = rows.columns.shape
    n_functions = goals.functions.shape[0]
    for task in prange(TASKS):
        begin, end = n_functions * task // TASKS, n_functions * (task + 1) // TASKS
        if begin < end:
            work = np.empty(whole_size(height, size))
            at = place_rows(rows, n_rows, work)
            to = lay_out_extra(work, at)
            is_known = take_peak(peak, work, at, to)
            for row in range(begin, end):
                if is_known:
                    reach_goals(work, at, to, peak, goals, row, values_out, costs_out)
                else:
                    values_out[row], costs_out[row] = math.nan, math.nan


profile_points = entry(_profile_points)
