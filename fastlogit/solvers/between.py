"""Models between two others that differ from them in the strength of the penalty alone.

As a function of that strength the optimum moves along a line nearly, where the penalty is weak. So
a model between two others needs no pass over the rows: its point is on the line between theirs, and
so is the gradient of its loss, but for what a row's slope bends. With t for the share of the way, z
the raw prediction and d its change from one end to the other, that is at most

    t (1 - t) / 2 |l'''| d^2 <= t (1 - t) / 2 M e^(M |d|) d (slope at one end - that at the other),

by the self-concordance of the loss l (see `certificates.binomial`); and the weighted mean of the
last over the rows is what the gradients at the ends say of the step between them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..arrays import Indices, Vector
from ..objective.objective import Objective
from ..objective.penalties import L2
from .stopping import StoppingRule
from .trace import Point

__all__ = ["Between", "may_be_between", "models_between", "prove_between"]

# Fewer models of a kind than this have none between that would be worth it.
FEWEST = 3


class Between(NamedTuple):
    """Models, those at the ends of their lines, and their shares of the way from first to last."""

    models: Indices
    first: Indices
    last: Indices
    share: Vector


def models_between(objective: Objective, leaders: Indices) -> Between:
    """Return binomial models between others of the same rows and the same of `leaders`."""
    strengths = objective.parameter_penalty.diagonals().sum(axis=1)
    strengths = np.broadcast_to(strengths, objective.n_models)
    kinds: dict[object, list[int]] = {}
    for model, leader in enumerate(leaders):
        kinds.setdefault((objective.rows.family(model), int(leader)), []).append(model)
    found: list[tuple[int, int, int, float]] = []
    for models in kinds.values():
        first = min(models, key=lambda model: strengths[model])
        last = max(models, key=lambda model: strengths[model])
        length = strengths[last] - strengths[first]
        if len(models) >= FEWEST and 0.0 < length < np.inf:
            found += [
                (model, first, last, float((strengths[model] - strengths[first]) / length))
                for model in models
                if model not in (first, last)
            ]
    table = np.array(sorted(found), dtype=np.float64).reshape(-1, 4)
    models, firsts, lasts = table[:, :3].T.astype(np.int64)
    return Between(models, firsts, lasts, table[:, 3].copy())


def may_be_between(objective: Objective) -> bool:
    """Say whether what is proven of models between others holds."""
    is_plain = isinstance(objective.penalty, L2) and objective.l1 is None
    return is_plain and not objective.loss.is_local and objective.rows.shares is None


def prove_between(objective: Objective, between: Between, point: Point, rule: StoppingRule) -> None:
    """Put models between others that are there into the point, and prove what they lack.

    Sets: theta, cost (rather below than above it) and gradient of the models in `point`, and what
    `rule` knows of them. Those that are not proven have no gradient.
    """
    first, last, share = between.first, between.last, between.share[:, None]
    theta, gradient = point.theta, point.gradient
    l2 = np.broadcast_to(objective.parameter_penalty.diagonals(), theta.shape)
    slopes = gradient - l2 * theta
    losses = point.cost - 0.5 * np.einsum("ij,ij,ij->i", l2, theta, theta)
    step = theta[last] - theta[first]
    there = theta[first] + share * step
    own = l2[between.models]
    slope = slopes[first] + share * (slopes[last] - slopes[first]) + own * there
    # The loss is above its tangents.
    ahead = losses[first] + between.share * np.einsum("ij,ij->i", slopes[first], step)
    back = losses[last] - (1.0 - between.share) * np.einsum("ij,ij->i", slopes[last], step)
    cost = np.maximum(ahead, back) + 0.5 * np.einsum("ij,ij,ij->i", own, there, there)
    bend = np.einsum("ij,ij->i", slopes[last] - slopes[first], step)
    theta[between.models], point.cost[between.models] = there, cost
    gradient[between.models] = np.nan
    known = np.flatnonzero(rule.met[first] & rule.met[last])
    if not known.size:
        return
    rule.look_between(
        between.models[known], there[known], cost[known], slope[known],
        (0.5 * between.share * (1.0 - between.share))[known], step[known], bend[known],
    )  # fmt: skip
