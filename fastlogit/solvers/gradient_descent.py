"""Gradient descent, plain or with Nesterov's momentum, in compiled bursts."""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass, field

import numpy as np

from ..arrays import Matrix, Vector
from ..clock import Clock, TimeUp
from ..kernels.descent import CONVERGED, DIVERGED, DescentState, start_state
from ..objective.objective import Objective
from ..objective.penalties import Quadratic
from ..result import Progress
from .abilities import Abilities
from .stopping import StoppingRule, certificate_of, separation_of
from .trace import Limits, Outcome, Point, Reason, progress_of

__all__ = ["ABILITIES", "Options", "gradient_descent"]

ABILITIES = Abilities(penalties=Quadratic, options=("step_size", "momentum", "standardize"))

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
    rule: StoppingRule
    step_size: float = np.nan
    history: list[Matrix] = field(default_factory=list)
    passes: list[Vector] = field(default_factory=list)
    times: list[Vector] = field(default_factory=list)
    n_iter: int = 0

    def best(self) -> tuple[Matrix, Vector]:
        """Return the best point evaluated so far; the start if there is none."""
        seen = np.isfinite(self.state.best_cost)
        coef = np.where(seen[:, None], self.state.best, self.state.point)
        return coef, np.where(seen, self.state.best_intercept, self.state.point_intercept)


def gradient_descent(
    objective: Objective, start: tuple[Matrix, Vector], options: Options, began: float,
    stride: int = 1, certified: bool = False,
) -> Outcome:  # fmt: skip
    """Descend from `start` until something ends it.

    1. step size: the user's, or 1 / L; 2. a burst of compiled steps, about 50 ms; 3. time limit
    and callback; 4. where an automatic step proves too long (L is an estimate), halve it and go
    on from the best point; 5. evaluate the end. Ctrl-C ends it too: the outcome then says
    "interrupted", and the caller raises.

    `tol` bounds the change of the parameters in a step; with `certified` the proven relative
    suboptimality, which is looked at between bursts. `stride` gives the rows that prove it.
    """
    rule = StoppingRule(
        options.tol, objective.n_models, certificate_of(objective, stride), separation_of(objective)
    )
    descent = Descent(objective, start_state(*start), rule)
    if certified:
        options = dataclasses.replace(options, tol=0.0)
    try:
        descent.step_size = options.step_size or _stable_step(objective)
        objective.evaluate(descent.state)
        reason = _run(descent, options, began, certified)
    except KeyboardInterrupt:
        reason = Reason.INTERRUPTED
    except TimeUp:
        reason = Reason.TIME_LIMIT
    return _finish(descent, reason, began, certified)


def _stable_step(objective: Objective) -> float:
    """Return 1 / L; any step will do where nothing is fitted that varies, and L is 0."""
    bound = objective.curvature_bound()
    return 1.0 / bound if bound > 0.0 else 1.0


def _run(descent: Descent, options: Options, began: float, certified: bool) -> Reason:
    within = descent.objective.design.passes_within(BURST_SECONDS, descent.objective.n_outputs)
    burst, clock = min(within, FIRST_BURST), Clock(began, options.time_limit)
    look = FIRST_LOOK if certified else options.max_iter
    while descent.n_iter < options.max_iter:
        steps = min(burst, options.max_iter - descent.n_iter, look - descent.n_iter)
        status, seconds = _burst(descent, options, steps, began)
        if status == CONVERGED:
            return Reason.CONVERGED
        if status == DIVERGED:
            if options.step_size is not None or not np.isfinite(descent.state.best_cost).all():
                return Reason.DIVERGED
            descent.step_size *= 0.5
            descent.state = start_state(*descent.best())
            descent.objective.evaluate(descent.state)
        elif certified and descent.n_iter == look and _is_proven(descent):
            return descent.rule.conclude_by_rounding()
        if certified and descent.n_iter >= look:
            look += max(FIRST_LOOK, look // 8)
        elapsed = time.perf_counter() - began
        if clock.is_late():
            return Reason.TIME_LIMIT
        callback = options.callback
        if callback is not None and callback(_progress(descent, elapsed)) is True:
            return Reason.CALLBACK
        burst = _next_burst(steps, seconds)
    return Reason.MAX_ITER


def _burst(descent: Descent, options: Options, steps: int, began: float) -> tuple[int, float]:
    design = descent.objective.design
    history = np.full((steps, descent.objective.n_outputs), NOT_TAKEN)
    passes, started = design.n_passes, time.perf_counter()
    try:
        _, status = descent.objective.descend(
            descent.state, descent.step_size, options.accelerate, options.tol, history
        )
    finally:
        # Ctrl-C is raised as the compiled call returns, before its answer is there.
        done = int(np.count_nonzero(history[:, 0] != NOT_TAKEN))
        ended = time.perf_counter()
        descent.n_iter += done
        descent.history.append(descent.objective.cost_of_models(history[:done]))
        # Steps between two looks at the clock share the time between them.
        descent.passes.append(np.linspace(passes, design.n_passes, done, endpoint=False))
        descent.times.append(np.linspace(started, ended, done, endpoint=False) - began)
    return status, ended - started


def _progress(descent: Descent, seconds: float) -> Progress:
    objective, state = descent.objective, descent.state
    theta = objective.join(state.coef, state.intercept)
    unknown = np.full_like(theta, np.nan)
    point = Point(theta, descent.history[-1][-1], unknown)
    return progress_of(objective, descent.n_iter, point, seconds)


def _next_burst(steps: int, seconds: float) -> int:
    """Steps for the next 50 ms; at most doubled, so that one fast burst does not mislead."""
    wanted = int(steps * BURST_SECONDS / max(seconds, 1e-9))
    return max(1, min(wanted, 2 * steps, LARGEST_BURST))


def _is_proven(descent: Descent) -> bool:
    """Say whether the point that was evaluated last meets the rule; then it becomes the iterate.

    Or all of it but what rounding errors hide.
    """
    state, rule, objective = descent.state, descent.rule, descent.objective
    theta = objective.join(state.point, state.point_intercept)
    gradient = objective.join(state.gradient, state.intercept_gradient)
    rule.met[:] = False
    rule.prove(Point(theta, objective.cost_of_models(state.cost), gradient))
    done = bool((rule.met | rule.hidden).all())
    if done:
        state.coef[...], state.intercept[...] = state.point, state.point_intercept
    return done


def _end_of(descent: Descent, reason: Reason) -> tuple[Matrix, Vector, Matrix]:
    """Return theta, cost and gradient of the last iterate, or of a better point seen before."""
    objective = descent.objective
    theta = objective.join(descent.state.coef, descent.state.intercept)
    cost, gradient = objective.at(theta)
    # Written so that a cost of NaN is worse.
    worse = ~(cost <= descent.state.best_cost[:: objective.n_classes])
    if reason != Reason.CONVERGED and worse.any():
        theta = np.where(worse[:, None], objective.join(*descent.best()), theta)
        cost, gradient = objective.at(theta)
    return theta, cost, gradient


def _finish(descent: Descent, reason: Reason, began: float, certified: bool) -> Outcome:
    """Evaluate the last iterate; unless it converged, take the best point seen if that is lower."""
    objective = descent.objective
    with (objective.design.counter.clock or Clock(began, None)).stopped():
        theta, cost, gradient = _end_of(descent, reason)
    rule = descent.rule
    if np.isfinite(cost).all() and reason != Reason.DIVERGED:
        point = Point(theta, cost, gradient)
        if not (certified and reason == Reason.CONVERGED):
            # Momentum may raise the cost: what was proven of another point says nothing here.
            rule.bound[:] = np.inf
        rule.met[:] = False
        limited = reason in (Reason.MAX_ITER, Reason.TIME_LIMIT)
        ended = reason in (Reason.CONVERGED, Reason.ROUNDING, Reason.COLLINEAR)
        if certified and (ended or limited):
            # Steps that change nothing are the end, but no proof; and the end is another point.
            reason = rule.conclude(point, reason if limited else Reason.ROUNDING)
        else:
            with (objective.design.counter.clock or Clock(began, None)).conclusion():
                rule.prove(point, at_once=reason == Reason.INTERRUPTED)
                if limited:
                    reason = Reason.SEPARABLE if rule.glance(theta) else reason
    coef, intercept = objective.settled(theta)
    return Outcome(
        coef=coef,
        intercept=intercept,
        bound=rule.bound,
        choice="gradient descent" if certified else "",
        separated=rule.separated(),
        hidden=rule.hides(),
        gradient=objective.user_gradient(*objective.split(gradient)),
        history=np.concatenate([*descent.history, cost[None, :]]),
        passes=np.concatenate([*descent.passes, [objective.design.n_passes]]),
        times=np.concatenate([*descent.times, [time.perf_counter() - began]]),
        bounds=np.concatenate([np.full((descent.n_iter, cost.size), np.inf), rule.bound[None]]),
        n_iter=descent.n_iter,
        reason=reason,
        step_size=descent.step_size,
    )
