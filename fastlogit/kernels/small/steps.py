"""Steps down the cost of a small fit, made for each kind of model: see solvers.iteration."""

from __future__ import annotations

import math
from typing import Any

from ..inlining import keep_apart
from ..policy import part
from .arithmetic import dot, larger, largest, smaller, step_to
from .endings import CONVERGED, ROUNDING, SINGULAR
from .layout import Places

# As in solvers.iteration.
DECREASE = 1e-4
LEVEL = 1e-13
MAX_TRIALS = 30
SHORT = 0.01
STRAIGHT = 0.99
STRAIGHT_LEVEL = 1e-11
# As in solvers.majorization.
DOUBLINGS = 30
WORTH = 0.1
COST_EPSILON = 8.0 * 2.0**-52


@part
def accept(work: Any, at: Places) -> None:
    """Take the trial point."""
    step_to(work, at.trial, 0.0, at.trial, at.theta, at.width)
    step_to(work, at.trial_gradient, 0.0, at.trial_gradient, at.gradient, at.width)


def make_search(evaluate: Any) -> Any:
    """Return the line search of a kind of model, which `evaluate` gives cost and gradient of."""

    @part
    def search(work: Any, at: Any, weight: float, cost: float, slope: float) -> tuple[float, float]:
        """Step along `direction` until the cost has decreased enough.

        Returns the step (0 if none) and the cost there. The new point is `trial`.
        """
        step = 1.0
        for _ in range(MAX_TRIALS):
            step_to(work, at.theta, step, at.direction, at.trial, at.width)
            found = evaluate(work, at, weight, at.trial, at.trial_gradient)
            after = dot(work, at.trial_gradient, at.direction, at.width)
            slack = LEVEL * abs(cost)
            enough = found <= cost + DECREASE * step * slope
            # A slope that points up steeply means that the step went much too far.
            turned = after <= (2.0 * DECREASE - 1.0) * slope
            if (found <= cost + slack and turned) or (enough and (turned or found < cost - slack)):
                return step, found
            ratio = -slope * step / (2.0 * (found - cost - step * slope))
            step *= smaller(larger(ratio, 0.1), 0.5) if abs(ratio) < math.inf else 0.1
        return 0.0, cost

    return search


def make_double_steps(evaluate: Any) -> Any:
    """Return what steps along a direction of a kind of model, ever farther."""

    @part
    def double_steps(work: Any, at: Any, weight: float, cost: float, slack: float) -> float:
        """Step along `direction`, to `trial`, as long as twice the step is worth it.

        Returns by how much the cost falls; 0 where that is no more than `slack`.
        """
        slope = dot(work, at.gradient, at.direction, at.width)
        if not -math.inf < slope < 0.0:
            return 0.0
        best, first, step, best_step = cost, 0.0, 1.0, 0.0
        for _ in range(DOUBLINGS):
            step_to(work, at.theta, step, at.direction, at.trial, at.width)
            found = evaluate(work, at, weight, at.trial, at.trial_gradient)
            fall = best - found
            if not (fall > slack and fall > WORTH * first):
                break
            if not largest(work, at.trial_gradient, at.size) < math.inf:
                break
            if step == 1.0:
                first = fall
            best, best_step, step = found, step, 2.0 * step
        step_to(work, at.theta, best_step, at.direction, at.trial, at.width)
        return cost - best

    return double_steps


def make_move(evaluate: Any, search: Any, majorize: Any) -> Any:
    """Return what takes one step of a kind of model."""

    @part
    def move(
        work: Any, at: Any, weight: float, offset: float, cost: float, slope: float, lost: bool
    ) -> tuple[int, float, bool]:
        """Take a step along `direction`, and one down the bound where that is of hardly any use.

        Returns status (ROUNDING or SINGULAR where no step serves), cost, and whether the second
        kind was taken.
        """
        keep_apart()
        before, stuck = cost, True
        if not lost:
            step, found = search(work, at, weight, cost, slope)
            if step > 0.0:
                fall = cost - found
                straight = fall > STRAIGHT * -slope * step and fall > STRAIGHT_LEVEL * abs(found)
                stuck = step < SHORT or straight
                cost = found
                accept(work, at)
            else:
                cost = evaluate(work, at, weight, at.theta, at.gradient)
        if not stuck:
            return CONVERGED, cost, False
        fall = majorize(work, at, weight, cost, offset)
        if fall > 0.0:
            accept(work, at)
        elif before - cost <= LEVEL * abs(before):
            return (SINGULAR if fall < 0.0 else ROUNDING), cost, True
        return CONVERGED, evaluate(work, at, weight, at.theta, at.gradient), True

    return move
