"""The maximum of the likelihood under linear restrictions: what tests compare it with.

Newton's method within the restrictions, over the rows as they are: no columns are made anew. With
B = W W' the inverse Hessian, R theta = q the restrictions and g the gradient, a step is
``-B (g - R' l)`` with ``R B R' l = R B g``, so that restrictions which hold are kept.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..arrays import Matrix, Vector
from ..objective.hessians import Hessians
from .optimum import EXACT, Optimum, Point, evaluate

__all__ = ["Restricted", "restricted_optimum"]

MOST_STEPS, MOST_HALVES = 100, 40
# The share of a step's promise that the cost must fall by.
SUFFICIENT = 1e-4
# A cost that grows by less than this, relative to itself, has only been rounded.
ROUNDING = 1e-13
TOO_FAR = (
    "the hypothesis is so far from the estimates that under it fitted probabilities are 0 and 1 to "
    "rounding, and the likelihood has no slope there: it is refuted by any test, wald_test among "
    "them; look at the units of its numbers"
)


class Restricted(NamedTuple):
    """The optimum under restrictions: parameters on standardised columns, and derivatives there."""

    theta: Vector
    point: Point


def restricted_optimum(optimum: Optimum, matrix: Matrix, values: Vector) -> Restricted:
    """Return the least mean loss with ``matrix @ theta = values``.

    Begins where the quadratic model of the loss at the optimum has it.

    Parameters
    ----------
    optimum : Optimum
    matrix : ndarray of shape (n_restrictions, n_theta)
        On standardised columns.
    values : ndarray of shape (n_restrictions,)

    Raises
    ------
    ValueError
        If it is not found: there is none, as where a restriction separates the classes, or so far
        away that probabilities are 0 and 1 to rounding.
    """
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            return _restricted(optimum, matrix, values)
    except np.linalg.LinAlgError as error:
        raise ValueError(TOO_FAR) from error


def _restricted(optimum: Optimum, matrix: Matrix, values: Vector) -> Restricted:
    objective, hessians = optimum.objective, Hessians(optimum.objective)
    theta = _start(optimum, matrix, values)
    point = evaluate(objective, hessians, theta)
    for _ in range(MOST_STEPS):
        move, square = _step(point, matrix)
        if not np.isfinite(square):
            raise np.linalg.LinAlgError
        curvature = float(point.curvature.totals()[0]) / optimum.total_weight
        if square <= EXACT * EXACT * curvature:
            if _rank(point.root) < _rank(optimum.point.root):  # a flat direction has no step
                raise np.linalg.LinAlgError
            return Restricted(theta + move, point)
        size, before = 1.0, point.cost
        for _ in range(MOST_HALVES):
            near = theta + size * move
            point = evaluate(objective, hessians, near)
            if point.cost <= before - SUFFICIENT * size * square + ROUNDING * abs(before):
                break
            size *= 0.5
        theta = near
    raise ValueError(
        f"the optimum under the hypothesis was not found within {MOST_STEPS} steps; use a Wald test"
    )


def _rank(root: Matrix) -> int:
    """Return how many directions the rows tell, to rounding."""
    return int(np.count_nonzero(root.any(axis=0)))


def _start(optimum: Optimum, matrix: Matrix, values: Vector) -> Vector:
    """Return the better of two points where the restrictions hold, near all slopes and near none.

    The quadratic model may lead far away, to where all probabilities are 0 or 1.
    """
    objective, root = optimum.objective, optimum.point.root
    flat = np.zeros_like(optimum.theta)
    if objective.fit_intercept:
        flat = objective.loss.start(objective.rows)[0]
    starts = [
        near + _towards(root, matrix, values - matrix @ near) for near in (optimum.theta, flat)
    ]
    costs = [float(objective.at(start[None]).cost[0]) for start in starts]
    return starts[int(np.argmin(costs))]


def _towards(root: Matrix, matrix: Matrix, lacking: Vector) -> Vector:
    """Return the shortest way, in the norm of the Hessian, to where restrictions hold."""
    half = matrix @ root
    return root @ (half.T @ np.linalg.solve(half @ half.T, lacking))


def _step(point: Point, matrix: Matrix) -> tuple[Vector, float]:
    """Return a step that keeps the restrictions, and its squared decrement."""
    half, along = matrix @ point.root, point.half_step
    multipliers = np.linalg.solve(half @ half.T, half @ along)
    own = along - half.T @ multipliers
    return -(point.root @ own), float(own @ own)
