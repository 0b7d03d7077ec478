"""Intercepts of models without slopes: those that predict the share of each class."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING

import numpy as np

from ..arrays import Floats, Matrix, Vector

if TYPE_CHECKING:
    from .labelled_rows import LabelledRows

__all__ = ["level_of_share", "levels_of_shares", "log_sum_exp", "offsets_of", "with_offsets"]

# Rows that the intercepts are looked for with, at most.
LEVEL_ROWS = 20_000
# Steps of a root that is looked for: 60 halvings, or fewer with Newton's.
MAX_HALVINGS = 200
# Rounds over the classes of a softmax, each in turn at its own best intercept.
SWEEPS = 8

# The row weights of each output of a model; None where all are 1.
Weights = list[Vector | None]


def offsets_of(rows: LabelledRows, model: int, stride: int | None = None) -> tuple[Matrix, Weights]:
    """Return offsets (n_classes, n_rows) and weights of a model's outputs, of some rows."""
    size, n_samples = rows.loss.n_classes, rows.design.shape[0]
    stride = stride or max(1, n_samples * size // LEVEL_ROWS)
    offset, weights = rows.offsets_of_every(stride, model)
    if stride > 1 and any(w is not None and not w.sum() > 0.0 for w in weights):
        offset, weights = rows.offsets_of_every(1, model)
    return offset, weights


def with_offsets(
    rows: LabelledRows, theta: Matrix, find: Callable[[Vector, Matrix, Weights], Vector | float]
) -> Matrix:
    """Return theta without slopes whose intercepts suit the offsets too.

    `find` takes the intercepts of a model without offsets, these (n_classes, n_rows) and the
    weights of its outputs, from a part of the rows where they are many.
    """
    if not rows.n_offsets:
        return theta
    levels = theta.reshape(rows.n_outputs, -1)[:, -1]
    known: dict[tuple[Hashable, bytes], Vector | float] = {}
    size = rows.loss.n_classes
    for model in range(rows.n_models):
        own = slice(model * size, (model + 1) * size)
        offset, weights = offsets_of(rows, model)
        key = rows.family(model), levels[own].tobytes()
        if key not in known:
            known[key] = find(levels[own], offset, weights)
        levels[own] = known[key]
    return theta


def level_of_share(share_logit: float, offset: Vector, weights: Vector | None) -> float:
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
        curvature = np.average(proba * (1.0 - proba), weights=weights)
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            step = level - (mean - share) / curvature
        level = float(step) if low < step < high else 0.5 * low + 0.5 * high
        if not low < level < high:
            break
    return level


def levels_of_shares(logs: Vector, offset: Matrix, weights: Vector | None) -> Vector:
    """Return the intercepts of a softmax that predicts the shares whose logarithms are given.

    Each class in turn, as a binomial model against the others: the cost falls with each of them.
    """
    constant = offset.min(axis=1) == offset.max(axis=1)
    middle = np.where(constant, offset[:, 0], np.median(offset, axis=1))
    levels = logs - middle
    shares = np.exp(logs - log_sum_exp(logs[:, None])[0])
    logits = logs - np.array(
        [log_sum_exp(np.delete(logs, k)[:, None])[0] for k in range(len(logs))]
    )
    for _ in range(0 if constant.all() else SWEEPS):
        before = levels.copy()
        for k in range(len(levels)):
            raw = levels[:, None] + offset
            others = log_sum_exp(np.delete(raw, k, axis=0))
            levels[k] = level_of_share(float(logits[k]), offset[k] - others, weights)
        levels -= levels @ shares
        if np.abs(levels - before).max() < 1e-3:
            break
    return levels - levels.mean()


def _sigmoid(raw: Floats) -> Floats:
    small = np.exp(-np.abs(raw))
    return np.where(raw >= 0.0, 1.0, small) / (1.0 + small)


def log_sum_exp(raw: Matrix) -> Vector:
    """Return log(sum exp) over the first axis."""
    largest = raw.max(axis=0)
    return largest + np.log(np.exp(raw - largest).sum(axis=0))
