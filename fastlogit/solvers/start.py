"""Where a fit begins: at the better of the user's start and one that knows the offset."""

from __future__ import annotations

import contextlib
from collections.abc import Hashable

import numpy as np

from ..arrays import Matrix, Vector
from ..clock import Clock, TimeUp
from ..objective.hessians import Hessians
from ..objective.objective import Objective
from .choice import approach, choose
from .newton import newton
from .stopping import StoppingRule
from .trace import Limits, Trace

__all__ = ["begin", "default_start", "level_costs"]

# A mean loss above this at the default start: raw predictions are wrong by that much in the mean,
# and the cost is solved at a higher temperature first.
WIDE = 8.0
# Each temperature is so many times lower than the one before; below this share of the first one
# differences of raw predictions are rounding errors.
COOLING = 4.0
COLDEST = 2.0**-50
# How near the optimum of a temperature is worth going, in units of it and of the parameters over
# the rows, or relative to its cost; and its most iterations.
ROUGH, LOOSE, MAX_ITER = 0.1, 1e-3, 50


def begin(
    objective: Objective,
    given: Matrix | None,
    default: Matrix,
    stride: int,
    limits: Limits,
    began: float,
) -> tuple[Matrix, bool]:
    """Return theta to begin with, and whether it is a better one than a subsample's optimum.

    Parameters
    ----------
    objective : Objective
    given : ndarray of shape (n_models, n_parameters), or None
        The user's start. A model takes it where it costs no more than `default`, over every
        `stride`-th row. That is all that a start has to be: solvers converge from anywhere.
    default : ndarray of the same shape
        Without slopes.
    stride : int
    limits, began
        Of the fit.
    """
    sampled = objective
    # Intercepts alone, fitted and without offset, predict the classes' shares: nobody's mean loss
    # is large there.
    at_shares = not objective.rows.n_offsets and (objective.fit_intercept or not default.any())
    if given is None and at_shares:
        return default, False
    clock = objective.design.counter.clock or Clock(began, None)
    if stride > 1:
        try:
            # Also after the time limit: a warm start is better than what it would end with.
            with contextlib.nullcontext() if given is None else clock.stopped():
                sampled = objective.subsample(stride)
        except TimeUp:
            return default, False
    theta, taken = default.copy(), np.zeros(objective.n_models, dtype=bool)
    known = level_costs(sampled, default)
    if given is not None:
        with np.errstate(over="ignore", invalid="ignore"), clock.stopped():
            found = sampled.at_start(given)
        fine = np.isfinite(found.gradient).all(axis=1)
        taken = fine & (found.cost <= known)
        theta[taken] = given[taken]
    # With L1 line searches have to do.
    wide = np.flatnonzero(~taken & (known > WIDE) & (objective.l1 is None))
    if wide.size:
        with contextlib.suppress(TimeUp):
            part, bound = sampled.only(wide), known[wide]
            cooled = _cool(part, theta[wide], float(bound.max()), limits, began)
            found = part.at(cooled)
            better = np.isfinite(found.gradient).all(axis=1) & (found.cost < bound)
            theta[wide[better]] = cooled[better]
            taken[wide[better]] = True
    return theta, bool(taken.all())


def default_start(objective: Objective) -> Matrix:
    """Return theta without slopes that predicts the share of each class, offsets included."""
    return objective.loss.start(objective.rows)


def level_costs(objective: Objective, theta: Matrix) -> Vector:
    """Return the cost of points without slopes (n_models,): no pass over X.

    Models that differ in their penalties alone have the same, which is computed once.
    """
    rows = objective.rows
    levels = theta.reshape(objective.n_models, objective.n_classes, -1)[:, :, -1]
    costs = np.empty(objective.n_models)
    known: dict[tuple[Hashable, bytes], float] = {}
    for model, own in enumerate(levels):
        key = rows.family(model), own.tobytes()
        if key not in known:
            known[key] = rows.level_cost(model, own)
        costs[model] = known[key]
    return costs


def _cool(
    objective: Objective, theta: Matrix, hottest: float, limits: Limits, began: float
) -> Matrix:
    """Return theta near the optimum, by way of higher temperatures.

    With the loss T l(z / T) in the place of l(z) rows that are T away from 0 are in doubt still.
    In theta / T that is the same cost with the offset over T and T times the penalty. The optima
    change little from one temperature to the next, as those along the path of an interior point.
    """
    scale = coldest = 2.0 ** np.ceil(np.log2(min(hottest, 1e300)))
    coldest *= COLDEST
    trace = Trace(Limits(0.0, MAX_ITER, None, limits.time_limit), began, objective)
    while scale > max(1.0, coldest) and not trace.is_late():
        stage = objective.cooled(scale)
        if np.isfinite(stage.penalty.diagonal()).all():
            quiet = Trace(trace.limits, began, stage)
            cooler = _settle(stage, theta / scale, hottest / scale, quiet)
            with np.errstate(over="ignore"):
                cooler = scale * cooler
            if not np.isfinite(cooler).all():  # beside offsets near the largest number
                return theta
            theta = cooler
        scale /= COOLING
    return theta


def _settle(stage: Objective, theta: Matrix, cost: float, trace: Trace) -> Matrix:
    """Return theta near the optimum of a temperature, whose cost is roughly given."""
    n_samples, n_features = stage.design.shape
    tol = min(LOOSE, ROUGH * theta.shape[1] / (n_samples * max(cost, 1.0)))
    if choose(n_samples, n_features, stage.n_classes, stage.n_models)[0] == "newton":
        rule = StoppingRule(tol, stage.n_models)
        return newton(stage, theta, rule, Hessians(stage), trace)[0].theta
    return approach(stage, theta, tol, 1, trace)
