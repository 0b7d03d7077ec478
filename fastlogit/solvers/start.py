"""Where a fit begins: at the better of the user's start and one that knows the offset."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np

from ..clock import Clock, TimeUp
from ..design.base import readonly
from ..objective.binomial import Objective
from .choice import approach, choose
from .course import Limits, Watch
from .goal import Goal, certificate_of
from .newton import newton

__all__ = ["begin", "default_start", "level_costs"]

# Rows that the intercepts of the default start are looked for with, at most.
LEVEL_ROWS = 20_000
# Steps of a root that is looked for: 60 halvings, or fewer with Newton's.
MAX_HALVINGS = 200
# Rounds over the classes of a softmax, each in turn at its own best intercept.
SWEEPS = 8
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
    objective: Objective, given: Any, default: Any, stride: int, limits: Limits, began: float
) -> tuple[Any, bool]:
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
    rows = objective
    if given is None and not (len(objective.targets.offset) or default[:, -1].any()):
        return default, False
    clock = objective.design.counter.clock or Clock(began, None)
    if stride > 1:
        try:
            # Also after the time limit: a warm start is better than what it would end with.
            with contextlib.nullcontext() if given is None else clock.stopped():
                rows = objective.subsample(stride)
        except TimeUp:
            return default, False
    theta, taken = default.copy(), np.zeros(objective.n_models, dtype=bool)
    known = level_costs(rows, default)
    if given is not None:
        with np.errstate(over="ignore", invalid="ignore"), clock.stopped():
            found = rows.at_start(given)
        fine = np.isfinite(found.gradient).all(axis=1)
        taken = fine & (found.cost <= known)
        theta[taken] = given[taken]
    wide = np.flatnonzero(~taken & (known > WIDE))
    if wide.size:
        with contextlib.suppress(TimeUp):
            part, bound = rows.only(wide), known[wide]
            cooled = _cool(part, theta[wide], float(bound.max()), limits, began)
            found = part.at(cooled)
            better = np.isfinite(found.gradient).all(axis=1) & (found.cost < bound)
            theta[wide[better]] = cooled[better]
            taken[wide[better]] = True
    return theta, bool(taken.all())


def default_start(objective: Objective) -> Any:
    """Return theta without slopes that predicts the share of each class, offsets included.

    Each intercept b solves ``sum of weight * (sigmoid(b + offset) - y) = 0``; those of a softmax
    together. From a part of the rows, where they are many and their offsets differ.
    """
    theta = objective.share_logits()
    if not len(objective.targets.offset):
        return theta
    levels = theta.reshape(objective.n_outputs, -1)[:, -1]
    known: dict[Any, Any] = {}
    size = objective.n_classes
    for model in range(objective.n_models):
        own = slice(model * size, (model + 1) * size)
        offset, weights = _offsets_of(objective, model)
        key = (levels[own].tobytes(), int(own.start) % len(objective.targets.offset),
               *objective.targets.weight_set[own])  # fmt: skip
        if key not in known:
            known[key] = (
                np.array([_level(float(levels[own][0]), offset[0], weights[0])])
                if size == 1
                else _levels(levels[own], offset, weights[0])
            )
        levels[own] = known[key]
    return theta


def level_costs(rows: Objective, theta: Any) -> Any:
    """Return the cost of points without slopes (n_models,): no pass over X.

    Models that differ in their penalties alone have the same, which is computed once.
    """
    targets, size = rows.targets, rows.n_classes
    levels = theta.reshape(rows.n_outputs, -1)[:, -1]
    costs = np.empty(rows.n_models)
    known: dict[Any, float] = {}
    for model in range(rows.n_models):
        own = slice(model * size, (model + 1) * size)
        place = min(model, len(targets.codes) - 1)
        offsets = own.start % len(targets.offset) if len(targets.offset) else -1
        key = (place, offsets, levels[own].tobytes(), targets.positive[own].tobytes(),
               *targets.weight_set[own])  # fmt: skip
        if key not in known:
            known[key] = _level_cost(rows, model, targets.codes[place], levels[own])
        costs[model] = known[key]
    return costs


def _level_cost(rows: Objective, model: int, codes: Any, levels: Any) -> float:
    """Return the cost of a model whose outputs have these intercepts and no slopes."""
    targets, size = rows.targets, rows.n_classes
    own = slice(model * size, (model + 1) * size)
    total = float(targets.total_weight[own.start])
    of_rows = rows.weights_of(own.start)
    if not len(targets.offset):
        # All rows of a class have the same loss.
        labels, codes = np.unique(codes, return_inverse=True)
        of_rows = np.bincount(codes, of_rows)
        codes, offset = labels, np.zeros((size, labels.size))
    else:
        offset, _ = _offsets_of(rows, model, 1)
    with np.errstate(over="ignore", invalid="ignore"):
        raw = levels[:, None] + offset
        if size == 1:
            sign = np.where(codes == targets.positive[model], -1.0, 1.0)
            losses = np.logaddexp(0.0, sign * raw[0])
        else:
            order = np.argsort(targets.positive[own])
            losses = _log_sum_exp(raw) - raw[order[codes], np.arange(codes.size)]
        return float((losses.sum() if of_rows is None else losses @ of_rows) / total)


def _offsets_of(objective: Objective, model: int, stride: int | None = None) -> tuple[Any, Any]:
    """Return offsets (n_classes, n_rows) and weights of a model's outputs, of some rows."""
    targets, size = objective.targets, objective.n_classes
    n_samples = objective.design.shape[0]
    stride = stride or max(1, n_samples * size // LEVEL_ROWS)
    outputs = model * size + np.arange(size)
    weights = [objective.weights_of(int(output)) for output in outputs]
    if stride > 1 and any(w is not None and not w[::stride].sum() > 0.0 for w in weights):
        stride = 1
    if len(targets.offset):
        offset = targets.offset[outputs % len(targets.offset), ::stride]
    else:
        offset = np.zeros((size, n_samples))[:, ::stride]
    return offset, [None if w is None else w[::stride] for w in weights]


def _level(share_logit: float, offset: Any, weights: Any) -> float:
    """Return b with a mean of sigmoid(b + offset) whose logit is given; a safeguarded Newton."""
    lowest, highest = float(offset.min()), float(offset.max())
    low, high = share_logit - highest, share_logit - lowest
    if not low < high:
        return low
    share = _sigmoid(np.array(share_logit))
    level = min(max(share_logit - float(np.median(offset)), low), high)
    for _ in range(MAX_HALVINGS):
        proba = _sigmoid(level + offset)
        mean = np.average(proba, weights=weights)
        if abs(mean - share) <= 1e-6 * share * (1.0 - share):
            break
        low, high = (low, level) if mean > share else (level, high)
        bend = np.average(proba * (1.0 - proba), weights=weights)
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            step = level - (mean - share) / bend
        level = float(step) if low < step < high else 0.5 * low + 0.5 * high
        if not low < level < high:
            break
    return level


def _levels(logs: Any, offset: Any, weights: Any) -> Any:
    """Return the intercepts of a softmax that predicts the shares whose logarithms are given.

    Each class in turn, as a binomial model against the others: the cost falls with each of them.
    """
    constant = offset.min(axis=1) == offset.max(axis=1)
    middle = np.where(constant, offset[:, 0], np.median(offset, axis=1))
    levels = logs - middle
    shares = np.exp(logs - _log_sum_exp(logs[:, None])[0])
    logits = logs - np.array(
        [_log_sum_exp(np.delete(logs, k)[:, None])[0] for k in range(len(logs))]
    )
    for _ in range(0 if constant.all() else SWEEPS):
        before = levels.copy()
        for k in range(len(levels)):
            raw = levels[:, None] + offset
            others = _log_sum_exp(np.delete(raw, k, axis=0))
            levels[k] = _level(float(logits[k]), offset[k] - others, weights)
        levels -= levels @ shares
        if np.abs(levels - before).max() < 1e-3:
            break
    return levels - levels.mean()


def _cool(rows: Objective, theta: Any, hottest: float, limits: Limits, began: float) -> Any:
    """Return theta near the optimum, by way of higher temperatures.

    With the loss T l(z / T) in the place of l(z) rows that are T away from 0 are in doubt still.
    In theta / T that is the same cost with the offset over T and T times the penalty. The optima
    change little from one temperature to the next, as those along the path of an interior point.
    """
    scale = coldest = 2.0 ** np.ceil(np.log2(min(hottest, 1e300)))
    coldest *= COLDEST
    watch = Watch(Limits(0.0, MAX_ITER, None, limits.time_limit), began, rows)
    while scale > max(1.0, coldest) and not watch.is_late():
        stage = _at_temperature(rows, scale)
        if np.isfinite(stage.penalty.diagonal()).all():
            quiet = Watch(watch.limits, began, stage)
            theta = scale * _settle(stage, theta / scale, hottest / scale, quiet)
        scale /= COOLING
    return theta


def _settle(stage: Objective, theta: Any, cost: float, watch: Watch) -> Any:
    """Return theta near the optimum of a temperature, whose cost is roughly given."""
    n_samples, n_features = stage.design.shape
    tol = min(LOOSE, ROUGH * theta.shape[1] / (n_samples * max(cost, 1.0)))
    if choose(n_samples, n_features, stage.n_classes, stage.n_models)[0] == "newton":
        goal = Goal(tol, stage.n_models)
        return newton(stage, theta, goal, certificate_of(stage, 1), watch)[0].theta
    return approach(stage, theta, tol, 1, watch)


def _at_temperature(rows: Objective, scale: float) -> Objective:
    """Return the cost of theta / scale with every raw prediction over `scale`, over `scale`."""
    stage = rows.only(np.arange(rows.n_models))
    stage.targets = stage.targets._replace(offset=readonly(stage.targets.offset / scale))
    with np.errstate(over="ignore"):
        stage.user_penalty = stage.user_penalty.times(scale)
        stage.design = rows.design  # takes the penalty over
    return stage


def _sigmoid(raw: Any) -> Any:
    small = np.exp(-np.abs(raw))
    return np.where(raw >= 0.0, 1.0, small) / (1.0 + small)


def _log_sum_exp(raw: Any) -> Any:
    """Return log(sum exp) over the first axis."""
    largest = raw.max(axis=0)
    return largest + np.log(np.exp(raw - largest).sum(axis=0))
