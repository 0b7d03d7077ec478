"""Gradient descent, plain or with Nesterov's momentum, in compiled bursts."""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..certificate import Certificate
from ..kernels.descent import CONVERGED, DIVERGED, DescentState, start_state
from ..objective import Objective
from ..result import Progress
from ..separation import Separation
from .course import Limits, Outcome, Point
from .goal import Goal

__all__ = ["Options", "gradient_descent"]

# Seconds between two returns to Python, where Ctrl-C, callback and time limit are looked at.
BURST_SECONDS = 0.05
LARGEST_BURST = 65_536
# Where passes are short, what a step costs besides is not known before the first burst.
FIRST_BURST = 1024
# Iterations before the first look at the proof. The later ones too are set by the iterations alone:
# bursts follow the clock, and where a fit ends, to the bit, must not.
FIRST_LOOK = 64
# In the history of a burst: no cost is negative.
NOT_TAKEN = -1.0


@dataclass(frozen=True, kw_only=True)
class Options(Limits):
    """What the user may set; `step_size` None takes one from the curvature of the data."""

    step_size: float | None
    accelerate: bool


@dataclass
class Descent:
    """A descent under way."""

    objective: Objective
    state: DescentState
    step_size: float = np.nan
    history: list[Any] = field(default_factory=list)
    n_iter: int = 0
    goal: Any = None

    def best(self) -> tuple[Any, Any]:
        """Return the best point evaluated so far; the start if there is none."""
        seen = np.isfinite(self.state.best_cost)
        coef = np.where(seen[:, None], self.state.best, self.state.point)
        return coef, np.where(seen, self.state.best_intercept, self.state.point_intercept)


def gradient_descent(
    objective: Objective, start: tuple[Any, Any], options: Options, began: float, stride: int = 1,
    certified: bool = False,
) -> Outcome:  # fmt: skip
    """Descend from `start` until something ends it.

    1. step size: the user's, or 1 / L; 2. a burst of compiled steps, about 50 ms; 3. time limit
    and callback; 4. where an automatic step proves too long (L is an estimate), halve it and go
    on from the best point; 5. evaluate the end. Ctrl-C ends it too: the outcome then says
    "interrupted", and the caller raises.

    `tol` bounds the change of the parameters in a step; with `certified` the proven relative
    suboptimality, which is looked at between bursts. `stride` gives the rows that prove it.
    """
    descent = Descent(objective, start_state(*start))
    descent.goal = Goal(
        options.tol,
        objective.n_models,
        Certificate(objective, stride),
        Separation(objective),
    )
    if certified:
        options = dataclasses.replace(options, tol=0.0)
    try:
        descent.step_size = options.step_size or 1.0 / objective.curvature_bound()
        objective.evaluate(descent.state)
        reason = _run(descent, options, began, certified)
    except KeyboardInterrupt:
        reason = "interrupted"
    return _finish(descent, reason, certified)


def _run(descent: Descent, options: Options, began: float, certified: bool) -> str:
    within = descent.objective.design.passes_within(BURST_SECONDS, descent.objective.n_models)
    burst = min(within, FIRST_BURST)
    look = FIRST_LOOK if certified else options.max_iter
    while descent.n_iter < options.max_iter:
        steps = min(burst, options.max_iter - descent.n_iter, look - descent.n_iter)
        status, seconds = _burst(descent, options, steps)
        if status == CONVERGED:
            return "converged"
        if status == DIVERGED:
            if options.step_size is not None or not np.isfinite(descent.state.best_cost).all():
                return "diverged"
            descent.step_size *= 0.5
            descent.state = start_state(*descent.best())
            descent.objective.evaluate(descent.state)
        elif certified and descent.n_iter == look and _is_proven(descent):
            return "converged"
        if certified and descent.n_iter >= look:
            look += max(FIRST_LOOK, look // 8)
        elapsed = time.perf_counter() - began
        if options.time_limit is not None and elapsed >= options.time_limit:
            return "time_limit"
        if options.callback is not None:
            cost = float(np.mean(descent.history[-1][-1]))
            if options.callback(Progress(descent.n_iter, cost, elapsed)) is True:
                return "callback"
        burst = _next_burst(steps, seconds)
    return "max_iter"


def _burst(descent: Descent, options: Options, steps: int) -> tuple[int, float]:
    history = np.full((steps, descent.objective.n_models), NOT_TAKEN)
    started = time.perf_counter()
    try:
        _, status = descent.objective.design.descend(
            descent.objective.targets, descent.objective.penalty, descent.step_size,
            options.accelerate, options.tol, descent.state, history,
        )  # fmt: skip
    finally:
        # Ctrl-C is raised as the compiled call returns, before its answer is there.
        done = int(np.count_nonzero(history[:, 0] != NOT_TAKEN))
        descent.n_iter += done
        descent.history.append(history[:done])
    return status, time.perf_counter() - started


def _next_burst(steps: int, seconds: float) -> int:
    """Steps for the next 50 ms; at most doubled, so that one fast burst does not mislead."""
    wanted = int(steps * BURST_SECONDS / max(seconds, 1e-9))
    return max(1, min(wanted, 2 * steps, LARGEST_BURST))


def _is_proven(descent: Descent) -> bool:
    """Say whether the point that was evaluated last meets the goal; then it becomes the iterate."""
    state, goal = descent.state, descent.goal
    theta = np.column_stack([state.point, state.point_intercept])
    gradient = np.column_stack([state.gradient, state.intercept_gradient])
    goal.met[:] = False
    goal.prove(Point(theta, state.cost, gradient))
    if goal.met.all():
        state.coef[...], state.intercept[...] = state.point, state.point_intercept
    return bool(goal.met.all())


def _finish(descent: Descent, reason: str, certified: bool) -> Outcome:
    """Evaluate the last iterate; unless it converged, take the best point seen if that is lower."""
    objective = descent.objective
    coef, intercept = descent.state.coef, descent.state.intercept
    cost, gradient, intercept_gradient = objective.value_gradient(coef, intercept)
    # Written so that a cost of NaN is worse.
    worse = ~(cost <= descent.state.best_cost)
    if reason != "converged" and worse.any():
        best, best_intercept = descent.best()
        coef = np.where(worse[:, None], best, coef)
        intercept = np.where(worse, best_intercept, intercept)
        cost, gradient, intercept_gradient = objective.value_gradient(coef, intercept)
    goal = descent.goal
    if np.isfinite(cost).all() and reason != "diverged":
        theta = np.column_stack([coef, intercept])
        slopes = np.column_stack([gradient, intercept_gradient])
        point = Point(theta, cost, slopes)
        goal.met[:] = False
        if certified and reason in ("max_iter", "time_limit"):
            reason = goal.conclude(point, reason)
        elif reason in ("max_iter", "time_limit"):
            goal.prove(point)
            goal.separation.glance(theta)
            reason = "separable" if goal.separation.found else reason
        else:
            goal.prove(point, at_once=reason == "interrupted")
    separation = goal.separation
    return Outcome(
        coef=coef,
        intercept=intercept,
        bound=goal.bound,
        choice="gradient descent" if certified else "",
        separated={model: separation.columns(model) for model in separation.found},
        gradient=objective.user_gradient(gradient, intercept_gradient),
        history=np.concatenate([*descent.history, cost[None, :]]),
        n_iter=descent.n_iter,
        reason=reason,
        step_size=descent.step_size,
    )
