"""The least of a sum of losses and a smooth function of the parameters, by Newton's method.

For models of few columns, whose coefficients are to be read: a pass over the rows for the
derivatives of each step, and one for the Hessian. The certificate needs no strong convexity: row
curvatures change by e^r at most where raw predictions change by r, so that with the squared
decrement d^2 = g' H^-1 g and the largest h^2 = x' H^-1 x of any row the function lacks at most
d^2 e^(4 d h) / 2 wherever 4 d h < log 2.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from ..arrays import Mask, Matrix, Vector
from ..design.base import Columns
from ..design.row_sums import squares_of_rows
from ..objective.objective import Objective
from ..objective.row_state import RowCurvature, RowResiduals

__all__ = ["Addition", "Minimum", "least", "proven", "with_constant_columns"]

# Value and gradient of what is added, at theta, and Hessians to try: its own, then, where the sum
# with that one has a negative eigenvalue, one of a function above it.
Addition = Callable[[Vector], tuple[float, Vector, Sequence[Matrix]]]
MOST_STEPS, MOST_HALVES = 100, 50
# The share of a step's promise that the function must fall by.
SUFFICIENT = 1e-4
# Squared decrements of the sum over this times the sum of the row curvatures are rounding.
EXACT = 1e-20
# A function that grows by less than this, relative to itself, has only been rounded.
ROUNDING = 1e-13
# A decrement from which on steps that do not help mean that rounding has ended it.
NEAR = 1e-8
# It does: where classes are separated the decrement falls by a third with each step, for ever.
SAME = 0.9
# Of a column whose share of its own curvature is less than the square of this nothing is known.
SINGULAR = 1e-7


class Minimum(NamedTuple):
    """Where the sum is least, and what was found there.

    Attributes
    ----------
    theta, gradient : ndarray of shape (n_theta,)
    value, loss : float
        The sum, and the rows' part of it.
    root : ndarray of shape (n_theta, n_free)
        W with W W' the inverse of the sum's Hessian among the parameters that are free.
    square : float
        Newton's decrement, squared: g' H^-1 g.
    curvature : RowCurvature
    residuals : RowResiduals
    is_own : bool
        Whether the Hessian is that of the sum, not of a function above it.
    """

    theta: Vector
    value: float
    loss: float
    gradient: Vector
    root: Matrix
    square: float
    curvature: RowCurvature
    residuals: RowResiduals
    is_own: bool


class _Flat(Exception):
    """The Hessian is singular."""


def least(objective: Objective, addition: Addition, theta: Vector, free: Mask) -> Minimum | None:
    """Return where the sum of the weighted losses and an addition is least, None where nowhere.

    Parameters
    ----------
    objective : Objective
        Of one model of two classes, without a penalty, standardised.
    addition : callable
        Of theta.
    theta : ndarray of shape (n_theta,)
        Where to begin.
    free : ndarray of bool, shape (n_theta,)
        Parameters that move.
    """
    try:
        return _descend(objective, addition, theta, free)
    except _Flat:
        return None


def _descend(objective: Objective, addition: Addition, theta: Vector, free: Mask) -> Minimum:
    point = _evaluate(objective, addition, theta, free)
    for _ in range(MOST_STEPS):
        if point.square <= EXACT * float(point.curvature.totals()[0]):
            return point
        move = -(point.root @ (point.root.T @ point.gradient))
        size, before = 1.0, point
        for _ in range(MOST_HALVES):
            point = _evaluate(objective, addition, before.theta + size * move, free)
            enough = before.value - SUFFICIENT * size * before.square
            if point.value <= enough + ROUNDING * abs(before.value):
                break
            size *= 0.5
        if before.square <= NEAR and point.square >= SAME * before.square:
            return point if point.square < before.square else before
    raise _Flat


def _evaluate(objective: Objective, addition: Addition, theta: Vector, free: Mask) -> Minimum:
    total = float(objective.rows.total_weight[0])
    state, curvature, residuals = objective.rows.derivatives(theta[None])
    value, gradient, hessians = addition(theta)
    loss = total * float(state.cost.sum())
    slopes = objective.join(state.gradient, state.intercept_gradient)[0]
    gradient = np.where(free, total * slopes + gradient, 0.0)
    of_rows = total * objective.rows.hessian(curvature, 0)
    root = np.zeros((theta.size, int(free.sum())))
    found, is_own = _inverse_root((of_rows + hessians[0])[np.ix_(free, free)]), True
    if found is None and len(hessians) > 1:
        found, is_own = _inverse_root((of_rows + hessians[1])[np.ix_(free, free)]), False
    if found is None:
        raise _Flat
    root[free] = found
    half = root.T @ gradient
    with np.errstate(over="ignore"):  # of next to no curvature
        square = float(half @ half)
    return Minimum(
        theta, loss + value, loss, gradient, root, square, curvature, residuals, is_own
    )  # fmt: skip


def _inverse_root(matrix: Matrix) -> Matrix | None:
    """Return W, upper triangular, with W W' the inverse of a matrix; None if it has none."""
    scale = 1.0 / np.sqrt(np.maximum(np.diag(matrix), np.finfo(np.float64).tiny))
    try:
        lower = np.linalg.cholesky(matrix * scale * scale[:, None])
    except np.linalg.LinAlgError:
        return None
    if np.diag(lower).min(initial=1.0) < SINGULAR:
        return None
    inverse = np.linalg.solve(lower, np.eye(len(lower)))
    return np.asarray(scale[:, None] * np.tril(inverse).T)


def proven(objective: Objective, minimum: Minimum, more: float = 0.0) -> float:
    """Return a proven bound on how much lower the sum is anywhere; infinite far from the least.

    Parameters
    ----------
    objective : Objective
    minimum : Minimum
    more : float
        The largest h^2 of an addition whose curvature changes as that of a row does.
    """
    squares = squares_of_rows(objective.design, np.ascontiguousarray(minimum.root.T))
    decrement = np.sqrt(minimum.square)
    turn = 4.0 * decrement * np.sqrt(max(float(squares.max()), more))
    return float(0.5 * minimum.square * np.exp(turn)) if turn < np.log(2.0) else np.inf


def with_constant_columns(objective: Objective) -> None:
    """Let columns that do not vary take part: a prior moves their coefficients."""
    center, inverse_scale = objective.design.columns
    objective.take_columns(Columns(center, np.where(inverse_scale == 0.0, 1.0, inverse_scale)))
