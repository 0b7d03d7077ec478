"""The null model of a scan, and a column beside it: one more row of a Hessian that is known.

Of rows that lack a value the null is fitted anew from that of all rows.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .inlining import keep_apart
from .policy import part
from .scan_rows import (
    BLOCK,
    Null,
    Room,
    add_products,
    clear,
    dot,
    hard_fit,
    largest_of,
    mean_loss,
    pass_rows,
    step_to,
    sum_gradient,
)
from .small import endings, layout, row_sums, solves
from .small.arithmetic import smaller

__all__ = [
    "border",
    "bordered_radius",
    "direction_of",
    "inverse_traces",
    "load_predictions",
    "null_of_all",
    "null_radius",
    "null_without",
    "orthogonalize",
    "with_size",
]

# By which share curvatures of a null without some rows, which are taken as they are, may be out.
NULL_CHANGE = 1e-7
# Passes with a held Hessian, each of which must bring the decrement down to this share.
PASSES, SHRINK = 8, 0.1


@part
def border(work: Any, at: layout.Places, weight: float) -> tuple[float, float, float]:
    """Put the last column of a factor of the Hessian at `curvature` beside the others of `factor`.

    Sets its gradient, from the residuals. Returns the square of the column, what the others leave
    of it, and its efficient score: less what the gradient of the others explains of it.
    """
    curvature, scaled, last = np.uint64(at.curvature), np.uint64(at.scaled), at.size - 1
    own = np.uint64(at.columns + last * at.height)
    slope = dot(work, at.residual, at.columns + last * at.height, at.height) / weight
    work[at.gradient + last] = slope
    for row in range(np.uint64(at.height)):
        work[scaled + row] = work[curvature + row] * work[own + row]
    clear(work, at.half, at.half + at.width)
    for begin in range(0, at.height, BLOCK):
        end = smaller(begin + BLOCK, at.height)
        add_products(work, at, at.scaled, at.half, begin, end)
    step_to(work, at.half, 1.0 / weight - 1.0, at.half, at.half, at.width)
    square, work[at.half + last] = work[at.half + last], 0.0
    others = with_size(work, at, last)
    solves.solve_half(work, others, at.half, 0)
    rest = square - dot(work, at.half, at.half, at.width)
    work[at.half + last] = 0.0
    for k in range(last):
        work[at.factor + k * at.width + last] = work[at.half + k]
    step_to(work, at.gradient, 0.0, at.gradient, at.trial, at.width)
    score, work[at.trial + last] = work[at.gradient + last], 0.0
    solves.solve_half(work, others, at.trial, 0)
    for k in range(last):
        score -= work[at.trial + k] * work[at.half + k]
    row_of_last = at.factor + last * at.width
    clear(work, row_of_last, row_of_last + at.width)
    work[row_of_last + last] = math.sqrt(rest) if rest > 0.0 else 0.0
    return square, rest, score


@part
def orthogonalize(work: Any, at: layout.Places) -> tuple[float, float]:
    """Take off the last column what the others explain of it, by the factor; its coefficient stays.

    Without that the Hessian of a column that is nearly explained loses digits. Returns the power of
    two that the rest is scaled by, and its largest number.
    """
    keep_apart()
    last = at.size - 1
    own = at.columns + last * at.height
    clear(work, at.trial, at.trial + at.width)
    for k in range(last):
        work[at.trial + k] = work[at.factor + k * at.width + last]
    solves.solve_rest(work, with_size(work, at, last), at.trial)
    for k in range(last):
        step_to(work, own, -work[at.trial + k], at.columns + k * at.height, own, at.height)
    largest = largest_of(work, own, at.height)
    if not largest > 0.0:
        return 1.0, 1.0
    _, power = math.frexp(largest)
    unit = math.ldexp(1.0, -power)
    step_to(work, own, unit - 1.0, own, own, at.height)
    return unit, largest * unit


@part
def with_size(work: Any, at: layout.Places, size: int) -> layout.Places:
    """The same places, with so many columns."""
    # The offset lies behind room for `width - 1` columns at the most: see `small.layout.lay_out`.
    n_features = (at.offset - at.columns) // at.height - 1
    return layout.lay_out(work, at.n_rows, n_features, size)


@part
def direction_of(work: Any, at: layout.Places) -> float:
    """Put -M^-1 g into `direction`, by the factor; the decrement."""
    step_to(work, at.gradient, 0.0, at.gradient, at.half, at.width)
    solves.solve_half(work, at, at.half, 0)
    # There may be a column more in the factor.
    clear(work, at.half + at.size, at.half + at.width)
    step_to(work, at.half, -2.0, at.half, at.direction, at.width)
    solves.solve_rest(work, at, at.direction)
    return math.sqrt(dot(work, at.half, at.half, at.width))


@part
def inverse_traces(work: Any, at: layout.Places) -> tuple[float, float]:
    """Trace of the inverse of the factored matrix, and the same times the diagonal of `matrix`."""
    inverse, scaled = 0.0, 0.0
    for k in range(at.size):
        clear(work, at.trial, at.trial + at.width)
        work[at.trial + k] = 1.0
        solves.solve_half(work, at, at.trial, k)
        square = dot(work, at.trial, at.trial, at.width)
        inverse += square
        scaled += square * work[at.matrix + k * (at.width + 1)]
    return inverse, scaled


@part
def settle(
    work: Any, at: layout.Places, weight: float, wanted: float, sums: Any
) -> bool:  # fmt: skip
    """Walk with the held factor until the decrement is as wanted: whether it came there.

    Raw predictions, residuals, curvatures, gradient and direction are those at `theta`.
    """
    keep_apart()
    before = math.inf
    for _ in range(PASSES):
        pass_rows(work, at, weight, False, sums)
        decrement = direction_of(work, at)
        if decrement <= wanted:
            return True
        # Written so that a NaN ends it.
        if not decrement < SHRINK * before:
            return False
        before = decrement
        step_to(work, at.theta, 1.0, at.direction, at.theta, at.width)
    return False


@part
def null_of_all(null: Null, work: Any, at: layout.Places) -> None:
    """Set the state of the null of all rows, whose Hessian is the identity, at those of weight."""
    keep_apart()
    residual, curvature = np.uint64(at.residual), np.uint64(at.curvature)
    for row in range(np.uint64(at.n_rows)):
        has_weight = work[np.uint64(at.weight) + row] > 0.0
        work[residual + row] = null.residual[row] if has_weight else 0.0
        work[curvature + row] = null.curvature[row] if has_weight else 0.0
    clear(work, at.theta, at.theta + at.width)
    clear(work, at.gradient, at.gradient + at.width)
    clear(work, at.factor, at.factor + at.width * at.width)
    for k in range(at.size):
        work[at.factor + k * (at.width + 1)] = 1.0


@part
def load_predictions(null: Null, work: Any, at: layout.Places) -> None:
    """Copy the raw predictions of the null, for Firth's fit to begin there."""
    for row in range(np.uint64(at.n_rows)):
        work[np.uint64(at.raw) + row] = null.raw[row]
        work[np.uint64(at.tail) + row] = null.tail[row]


@part
def settle_null(room: Room, at: layout.Places, weight: float, reach: float) -> bool:
    """Walk to the null of some rows, and factor its Hessian; whether it worked.

    Gradient and row curvatures are those at theta.
    """
    keep_apart()
    work = room.work
    row_sums.sum_hessian(work, at, weight, at.curvature)
    if not solves.factor_matrix(work, at):
        return False
    # A score test has the curvatures of the null in it, and so their relative error.
    wanted = NULL_CHANGE / null_radius(work, at, reach)
    direction_of(work, at)
    step_to(work, at.theta, 1.0, at.direction, at.theta, at.width)
    if not settle(work, at, weight, wanted, room.scratch):
        return False
    row_sums.sum_hessian(work, at, weight, at.curvature)
    return bool(solves.factor_matrix(work, at)) and direction_of(work, at) <= 2.0 * wanted


@part
def null_radius(work: Any, at: layout.Places, reach: float) -> float:
    """Largest length of a row in the metric of `matrix`, which is near the identity, or its bound.

    `reach` is the largest squared length of one. The least eigenvalue is at least 1 less the norm
    of the difference.
    """
    square = 0.0
    for k in range(at.size):
        for m in range(k, at.size):
            away = work[at.matrix + k * at.width + m] - (1.0 if k == m else 0.0)
            square += away * away * (1.0 if k == m else 2.0)
    if square < 0.25:
        return math.sqrt(reach / (1.0 - math.sqrt(square)))
    inverse, _ = inverse_traces(work, at)
    return math.sqrt(reach * inverse)


@part
def null_without(null: Null, room: Room, at: layout.Places, weight: float) -> tuple[int, float]:
    """Fit the null anew without some rows: status of a small fit, and the mean loss.

    Sets the state of the rows, gradient and factor. Overwrites the last column of `at`.
    """
    keep_apart()
    work = room.work
    others = with_size(work, at, at.size - 1)
    null_of_all(null, work, others)
    sum_gradient(work, others, weight)
    if not settle_null(room, others, weight, null.reach):
        own = at.columns + others.size * at.height
        clear(work, own, own + at.height)
        status = hard_fit(null, room, at)
        if status != endings.CONVERGED:
            return status, math.nan
        pass_rows(work, others, weight, True, room.scratch)
        if not settle_null(room, others, weight, null.reach):
            return endings.ROUNDING, math.nan
    square = dot(work, at.half, at.half, at.width)
    return endings.CONVERGED, mean_loss(null, work, others, weight) - 0.5 * square


@part
def bordered_radius(
    work: Any, at: layout.Places, radius: float, largest: float, rest: float
) -> float:
    """Bound on the length of a row once a column is beside those of this radius.

    `largest` is the largest number of the column, `rest` what the others leave of it.
    """
    last, square = at.size - 1, 0.0
    for k in range(last):
        square += work[at.factor + k * at.width + last] ** 2
    own = largest + math.sqrt(square) * radius
    return math.sqrt(radius * radius + own * own / rest)
