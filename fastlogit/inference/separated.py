"""Profile intervals where the classes are separable: one-sided, or none, and proven to be so."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..arrays import Indices, Mask, Matrix, Vector
from ..objective.hessians import Hessians
from ..objective.objective import Objective
from .optimum import EXACT, Optimum, Point, evaluate
from .profile import LossFall, level_of, tolerance
from .recession import BinaryMargins, ClassMargins, Recession
from .roots import level_ends, profile_end
from .row_weights import RowWeights

__all__ = ["Separable", "separable_intervals"]

MOST_STEPS, MOST_HALVES = 200, 40
# A likelihood without a maximum is climbed to this share of the drop below its supremum.
NEAR_SUPREMUM = 0.5
# A direction in which a standardised coefficient has this error is of a class that is left out of
# all rows: it has no curvature but that of rounding, and nothing depends on it.
OUT_OF_THE_QUESTION = 1e8


class Separable(NamedTuple):
    """Coefficients of separable classes, (n_chosen,), and intervals, (n_chosen, 2).

    A coefficient without an end is infinite, one that the rows do not tell at all NaN.
    """

    coef: Vector
    intervals: Matrix
    # Supremum of the log-likelihood.
    log_likelihood: float


class _Part(NamedTuple):
    """What is left of the likelihood where margins that grow for ever are left out."""

    base: Optimum
    # Rises of the sum of losses around the base, above the infimum of all.
    surface: LossFall
    # Of the coefficients that are reported, in the coordinates of the surface: (n, size).
    slopes: Matrix
    values: Vector


def separable_intervals(
    objective: Objective, weights: RowWeights, reference: int, chosen: Indices, level: float
) -> Separable:
    """Return profile-likelihood intervals of separable classes.

    Parameters
    ----------
    objective : Objective
        The loss of all rows, on standardised columns.
    weights : RowWeights
    reference : int
        The class that the others are compared with.
    chosen : ndarray of int
        Places among the coefficients that are reported.
    level : float

    Raises
    ------
    ValueError
        If the linear programmes, or a root, are not found.
    """
    margins = (ClassMargins if objective.loss.is_coupled else BinaryMargins)(objective)
    recession = Recession(margins)
    size = margins.size

    def part_of(active: Mask, least: float | None, until: float) -> _Part | None:
        left = margins.left(active)
        return None if left is None else _part(left, weights, reference, least, until)

    overlap = part_of(recession.overlap, None, 0.0)
    least = 0.0
    if overlap is not None:
        least = overlap.base.total_weight * overlap.base.point.cost
    fall = level_of(level)
    tol = tolerance(objective, least / float(objective.rows.total_weight[0]))
    every = Optimum(objective, weights, np.zeros(size), None, reference)  # type: ignore[arg-type]
    of_theta = every.parameters_of(np.eye(size))
    coef, intervals = np.empty(len(chosen)), np.tile([-np.inf, np.inf], (len(chosen), 1))
    known: dict[bytes, _Part | None] = {}
    for row, place in enumerate(chosen.tolist()):
        slopes = np.ascontiguousarray(of_theta[:, place])
        up, down = recession.grows(slopes), recession.grows(-slopes)
        if not (up or down):
            assert overlap is not None  # what the rows do not tell grows to both sides
            coef[row] = overlap.values[place]
            intervals[row] = _both_ends(overlap, place, fall, tol)
            continue
        coef[row] = np.nan if up and down else np.inf if up else -np.inf
        if up and down:
            continue
        active = recession.ties(slopes)
        if active.tobytes() not in known:
            known[active.tobytes()] = part_of(active, least, NEAR_SUPREMUM * fall)
        part = known[active.tobytes()]
        assert part is not None  # along its margins the other side is lost
        intervals[row, 0 if up else 1] = _one_end(part, place, -1.0 if up else 1.0, fall, tol)
    return Separable(coef, intervals, -least)


def _one_end(part: _Part, place: int, side: float, fall: float, tol: float) -> float:
    slopes = part.slopes[place]
    length = float(np.linalg.norm(slopes))
    point, _ = profile_end(part.surface, side * slopes / length, fall, np.zeros(slopes.size), tol)
    return float(part.values[place] + slopes @ point)


def _both_ends(part: _Part, place: int, fall: float, tol: float) -> tuple[float, float]:
    slopes = part.slopes[place]
    ends = level_ends(part.surface, np.array([-slopes, slopes]), fall, tol)
    low, high = ends.values
    return float(part.values[place] - low), float(part.values[place] + high)


def _part(
    objective: Objective, weights: RowWeights, reference: int, least: float | None, until: float
) -> _Part:
    """Go down until the sum of losses is within `until` of an infimum, or to the optimum."""
    total = float(objective.rows.total_weight[0])
    base = _descend(objective, weights, reference, (least or 0.0) / total, until / total)
    infimum = base.point.cost if least is None else least / total
    surface = LossFall(objective, base.theta, base.root, infimum)
    slopes = base.parameters_of(np.ascontiguousarray(base.root.T)).T
    return _Part(base, surface, slopes, base.values(base.theta))


def _descend(
    objective: Objective, weights: RowWeights, reference: int, least: float, until: float
) -> Optimum:
    """Return a point of mean loss below ``least + until``, or the optimum, by Newton's method.

    From probabilities that are all alike, so that no margin is far out where it stops.
    """
    hessians = Hessians(objective)
    total = float(objective.rows.total_weight[0])
    theta = np.zeros(objective.n_classes * (objective.design.shape[1] + 1))
    point = _confined(evaluate(objective, hessians, theta))
    for _ in range(MOST_STEPS):
        half = point.half_step
        square, move = float(half @ half), point.root @ half
        curvature = float(point.curvature.totals()[0]) / total
        if point.cost <= least + until or square <= EXACT * EXACT * curvature:
            return Optimum(objective, weights, theta, point, reference)
        size, before = 1.0, point.cost
        for _ in range(MOST_HALVES):
            near = theta - size * move
            cost = float(objective.at(near[None]).cost[0])
            if cost <= before - 1e-4 * size * square:
                break
            size *= 0.5
        else:
            return Optimum(objective, weights, theta, point, reference)
        theta = near
        point = _confined(evaluate(objective, hessians, theta))
    raise ValueError(
        f"the likelihood without the separated rows has no maximum within {MOST_STEPS} steps; "
        "leave out the columns that separate the classes"
    )


def _confined(point: Point) -> Point:
    """Return a point whose inverse Hessian has no direction that nothing depends on."""
    lost = np.linalg.norm(point.root, axis=0) > OUT_OF_THE_QUESTION
    return point._replace(root=np.where(lost, 0.0, point.root))
