"""The iteration that Newton-like solvers share: direction, proof, line search."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..arrays import Indices, Integers, Mask, Matrix, Vector
from ..clock import TimeUp
from ..objective.objective import Evaluation, Objective
from ..objective.row_state import RowCurvature
from .majorization import majorize
from .stopping import StoppingRule
from .trace import Point, Reason, Trace, of_models

__all__ = ["Directions", "evaluate", "iterate"]

# Least decrease of the cost, as a share of what its slope promises.
DECREASE = 1e-4
# Changes of the cost below this share of it are rounding errors.
ROUNDING = 1e-13
MAX_TRIALS = 30
# Iterations near the end that do not halve what is missing, after which rounding is to blame.
PATIENCE = 6
NEAR = 1e-13
# But not while the present estimate is above so many times that: it is no rounding error.
LOOSE = 1e3
# A direction is of no use whose slope is less than this share of what the bound on the curvature
# promises of the gradient itself, or more than so many times the whole cost: rows of no curvature.
USELESS = 1e-4
ABSURD = 1e4
# A line search that ends with less than this share of the direction asks for a better one.
SHORT = 0.01
# So does a step along which the cost falls as on a straight line, this share of the slope: what
# limited it was no curvature.
STRAIGHT = 0.99
# As far as differences of the cost have that many digits.
LEVEL = 1e-11

# Takes a point and the models that still move; returns a direction of descent for each of them.
Directions = Callable[[Point, Indices], Matrix]


def evaluate(
    objective: Objective, theta: Matrix, trace: Trace, curvature_out: RowCurvature | None = None
) -> Point:
    """Return the evaluated start of an iteration, or of one that takes over from another."""
    objective.design.counter.phase = "iterations"
    found = objective.at_start(theta, curvature_out)
    point = Point(theta, found.cost, found.gradient)
    trace.begin(point)
    return point


def iterate(
    objective: Objective, point: Point, directions: Directions, rule: StoppingRule, trace: Trace,
    curvature: RowCurvature | None = None, patience: int | None = None,
    rough_until: int | None = None,
) -> tuple[Point, Reason]:  # fmt: skip
    """Go on from an evaluated point until every model rests; return the last point and why.

    1. directions of the models that still move; 2. half the slope along it estimates what a model
    lacks: those that meet the rule rest, and those that rounding keeps from it; 3. line search from
    step 1; 4. where the direction is of no use or hardly any of it served, a step down a bound of
    the cost, which lowers it from anywhere; 5. separable classes, limits and the user may end it.
    Directions that come from some of the rows serve `rough_until` so many iterations, and in the
    place of 4. another method goes on.
    """
    if not np.isfinite(point.cost).all() or not np.isfinite(point.gradient).all():
        return point, Reason.NOT_FINITE
    lowest = np.full(objective.n_models, np.inf)
    waited = np.zeros(objective.n_models, dtype=int)
    resting = np.zeros(objective.n_models, dtype=bool)
    try:
        while True:
            active = np.flatnonzero(~resting)
            # Of directions from absurd curvatures the slope says that they lead nowhere.
            with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
                direction = directions(point, active)
            gradient, cost = of_models(point.gradient, active), point.cost[active]
            slope, lost = _slope(objective, cost, gradient, direction)
            estimate = np.where(lost, np.inf, -0.5 * slope)
            rule.look(active, of_models(point.theta, active), cost, gradient, estimate)
            trace.prove(rule.bound)
            better = lost | (estimate < 0.5 * lowest[active])
            waited[active] = np.where(better, 0, waited[active] + 1)
            lowest[active] = np.minimum(lowest[active], estimate)
            latest = np.full(objective.n_models, np.inf)
            latest[active] = estimate
            vain = _waits_in_vain(rule, point, waited, lowest, latest)
            resting |= rule.met | rule.hidden | vain
            keep = ~resting[active]
            if rule.steps_on:
                _step_on(rule, point, active[~lost], direction[~lost])
            if keep.any():
                moving, before = active[keep], point.cost
                ahead = ~lost[keep]
                rule.leave()
                point, stuck = _search_some(
                    objective, point, moving, direction if keep.all() else direction[keep],
                    slope[keep], ahead, curvature,
                )  # fmt: skip
                if stuck.size and rough_until is None:
                    # Not before the point is evaluated: what `majorize` finds is lower still.
                    point, failed = majorize(objective, point, stuck, trace, curvature)
                    level = before - point.cost <= ROUNDING * np.abs(before)
                    resting[stuck] = failed & level[stuck]
                    waited[stuck], lowest[stuck] = 0, np.inf
                trace.steps[moving] += 1
                trace.n_resting = int(resting.sum())
                reason = trace.note(point, patience)
                resting |= rule.hopeless(point.theta, trace.n_iter)
                if reason:
                    return point, rule.conclude(point, reason)
                if rough_until is not None and (stuck.size or trace.n_iter >= rough_until):
                    return point, Reason.MISLED
            del direction, gradient  # of the last point: vectors of a million numbers each
            if resting.all():
                return point, rule.conclude(point, Reason.ROUNDING)
    except KeyboardInterrupt:
        return point, Reason.INTERRUPTED
    except TimeUp:
        return point, rule.conclude(point, Reason.TIME_LIMIT)


def _step_on(rule: StoppingRule, point: Point, models: Indices, direction: Matrix) -> None:
    """Let models that meet the rule take a last step, which nobody looks at, where that is sure."""
    for model, step in zip(models, direction, strict=True):
        if rule.met[model] and rule.step_lowers(int(model), point.gradient[model]):
            point.theta[model] += step


def _waits_in_vain(
    rule: StoppingRule, point: Point, waited: Integers, lowest: Vector, latest: Vector
) -> Mask:
    """Return which models get no nearer, for a while, where rounding errors are to blame.

    `lowest` and `latest` are estimates of what they lack: the least so far, and the last.
    """
    idle = waited >= PATIENCE
    if idle.any():
        models = np.flatnonzero(idle)
        level = np.maximum(
            0.5 * NEAR * np.abs(point.cost[models]), rule.level_of_rounding(point, models)
        )
        idle[models] = (lowest[models] < level) & (latest[models] < 2.0 * LOOSE * level)
    return idle


def _slope(
    objective: Objective, cost: Vector, gradient: Matrix, direction: Matrix
) -> tuple[Vector, Mask]:
    """Return the slopes along the directions, and which of these are of no use.

    The standardised columns have a curvature of at most `most_curvature` each. So the cost can fall
    by the squared gradient over twice the sum of that at the least, and by itself at the most.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        slope = np.einsum("ij,ij->i", gradient, direction)
        least = USELESS * np.einsum("ij,ij->i", gradient, gradient) / objective.most_curvature
        lost = ~((-slope >= least) & (-slope <= ABSURD * np.abs(cost)))
    return np.where(lost, 0.0, slope), lost


def _search_some(
    objective: Objective, point: Point, moving: Indices, direction: Matrix, slope: Vector,
    ahead: Mask, curvature: RowCurvature | None,
) -> tuple[Point, Indices]:  # fmt: skip
    """Search along the directions that lead `ahead`; return the point, and models it is no good to.

    Where little of the direction served, or all of it and the cost still falls as steeply.
    """
    stuck = ~ahead
    if ahead.any():
        models, whole = moving[ahead], direction if ahead.all() else direction[ahead]
        found, _ = search(objective, point, models, whole, slope[ahead], curvature)
        step = np.abs(of_models(found.theta, models) - of_models(point.theta, models)).max(axis=1)
        step /= np.abs(whole).max(axis=1, initial=1e-300)
        fall = point.cost[models] - found.cost[models]
        straight = fall > STRAIGHT * -slope[ahead] * step
        stuck[ahead] = (step < SHORT) | (straight & (fall > LEVEL * np.abs(found.cost[models])))
        point = found
    return point, moving[stuck]


def search(
    objective: Objective, point: Point, models: Indices, direction: Matrix, slope: Vector,
    curvature: RowCurvature | None = None,
) -> tuple[Point, Mask]:  # fmt: skip
    """Step along `direction` until the cost of each model has decreased enough.

    Where the decrease is too small to be told from rounding, the slope at the new point decides
    (Hager and Zhang, 2005, SIAM Journal on Optimization 16). Returns the new point of all models,
    and for each of `models` whether no step served. `curvature`, if given, gets the row curvatures
    there.
    """
    if len(models) == objective.n_models:
        # The usual case, without the bookkeeping: every model takes the step of 1.
        trial_curvature = None if curvature is None else curvature.like()
        trial = point.theta + direction
        found = objective.at(trial, trial_curvature)
        accepted = _accepted(point.cost, slope, 1.0, found, direction)
        if accepted.all():
            if curvature is not None and trial_curvature is not None:
                curvature[...] = trial_curvature
            return Point(trial, found.cost, found.gradient), np.zeros(len(models), dtype=bool)
        step = np.where(accepted, 1.0, _shorter(point.cost, slope, 1.0, found))
    else:
        step = np.ones(len(models))
    return _search_each(objective, point, models, direction, slope, step, curvature)


def _search_each(
    objective: Objective, point: Point, models: Indices, direction: Matrix, slope: Vector,
    step: Vector, curvature: RowCurvature | None,
) -> tuple[Point, Mask]:  # fmt: skip
    theta, cost, gradient = point.theta.copy(), point.cost.copy(), point.gradient.copy()
    pending = np.arange(len(models))
    for _ in range(MAX_TRIALS):
        moving = models[pending]
        trial = point.theta[moving] + step[pending, None] * direction[pending]
        trial_curvature = None if curvature is None else curvature.like(len(pending))
        found = objective.only(moving).at(trial, trial_curvature)
        before, promised = point.cost[moving], slope[pending]
        accepted = _accepted(before, promised, step[pending], found, direction[pending])
        done = moving[accepted]
        theta[done], cost[done] = trial[accepted], found.cost[accepted]
        gradient[done] = found.gradient[accepted]
        if curvature is not None and trial_curvature is not None:
            curvature[done] = trial_curvature[accepted]
        step[pending] *= _shorter(before, promised, step[pending], found)
        pending = pending[~accepted]
        if not pending.size:
            break
    failed = np.zeros(len(models), dtype=bool)
    failed[pending] = True
    return Point(theta, cost, gradient), failed


def _accepted(
    before: Vector, slope: Vector, step: float | Vector, found: Evaluation, direction: Matrix
) -> Mask:
    """Say which models' costs have decreased enough, or by rounding errors with a good slope."""
    with np.errstate(invalid="ignore", over="ignore"):
        after = np.einsum("ij,ij->i", found.gradient, direction)
        enough = found.cost <= before + DECREASE * step * slope
        slack = ROUNDING * np.abs(before)
        # A slope that points up steeply means that the step went much too far.
        turned = after <= (2.0 * DECREASE - 1.0) * slope
        level = (found.cost <= before + slack) & turned
        return level | (enough & (turned | (found.cost < before - slack)))


def _shorter(before: Vector, slope: Vector, step: float | Vector, found: Evaluation) -> Vector:
    """Return by how much to shorten each step: the minimum of a parabola, within limits."""
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        ratio = -slope * step / (2.0 * (found.cost - before - step * slope))
    return np.where(np.isfinite(ratio), np.clip(ratio, 0.1, 0.5), 0.1)
