"""A step that lowers the cost from anywhere: where a solver's own direction leads nowhere.

Where raw predictions are far from 0 the curvature of the rows is 0 in floating point, and a Newton
step has no length or an absurd one. The loss of a row has another quadratic function that touches
it at z and lies above it everywhere (Jaakkola and Jordan, 2000, Statistics and Computing 10),

    l(z + u) <= l(z) + l'(z) u + j(z) u^2 / 2,    j(z) = tanh(|z| / 2) / (2 |z|),

whose curvature falls as 1 / |z| only. So its minimum over all rows is as far away as it has to be,
and every step to it lowers the cost, by at least half of what its slope promises.

For softmax the loss along the raw prediction of one class alone is that of a binomial model, with
the difference d of that raw prediction and the logarithm of the other classes' sum of exponentials
in the place of z. A step of all K classes is the mean of K steps that move one class each, K times
as far; by convexity the loss is at most the mean of theirs. So K j(d_k) bounds each class.
"""

from __future__ import annotations

import numpy as np

from ..arrays import Indices, Mask, Matrix, Vector
from ..linalg.conjugate_gradients import ConjugateGradients
from ..objective.objective import Objective
from ..objective.row_state import RowCurvature
from .trace import Point, Trace

__all__ = ["majorize"]

# Conjugate gradients go on until this share of the gradient is left, in the preconditioner's norm.
# After any number of them the step lowers the cost; rows near 0 among rows far from it have nearly
# all of the curvature, and each of these takes a product.
ACCURACY = 0.01
MAX_PRODUCTS = 60
# The bound is loose for rows that move far: steps are doubled while the cost falls, this often at
# the most, and by this share of the first fall at the least.
DOUBLINGS = 30
WORTH = 0.1
# Changes of the cost below this share of it are rounding errors.
ROUNDING = 1e-13
# What a cost errs by, of the size of what adds up to a raw prediction.
EPSILON = 8.0 * 2.0**-52


def majorize(
    objective: Objective,
    point: Point,
    models: Indices,
    trace: Trace,
    curvature: RowCurvature | None = None,
) -> tuple[Point, Mask]:
    """Take a step of some models down the bound; return the point and which models cannot go on.

    Those are at a point where the bound, too, promises no more than rounding errors. `curvature`,
    if given, gets the row curvatures at the new point.
    """
    part = objective.only(models)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        direction = _direction(part, point.theta[models], point.gradient[models], trace)
        slope = np.einsum("ij,ij->i", point.gradient[models], direction)
    theta, cost, gradient = point.theta.copy(), point.cost.copy(), point.gradient.copy()
    first = np.zeros(len(models))
    slack = ROUNDING * np.abs(cost[models]) + EPSILON * _size(part, theta[models])
    pending = np.flatnonzero(np.isfinite(direction).all(axis=1) & (slope < 0.0))
    step = 1.0
    for _ in range(DOUBLINGS):
        if not pending.size or (step > 1.0 and trace.is_late()):
            break
        moving = models[pending]
        with np.errstate(over="ignore", invalid="ignore"):
            trial = point.theta[moving] + step * direction[pending]
        trial_curvature = None if curvature is None else curvature.like(len(pending))
        found = objective.only(moving).at(trial, trial_curvature)
        with np.errstate(invalid="ignore"):
            fall = cost[moving] - found.cost
        fine = np.isfinite(found.gradient).all(axis=1) & (fall > slack[pending])
        better = fine & (fall > WORTH * first[pending])
        done = moving[better]
        theta[done], cost[done] = trial[better], found.cost[better]
        gradient[done] = found.gradient[better]
        if curvature is not None and trial_curvature is not None:
            curvature[done] = trial_curvature[better]
        if step == 1.0:
            first[pending] = np.where(better, fall, 0.0)
        pending, step = pending[better], 2.0 * step
    return Point(theta, cost, gradient, restarted=True), first <= 0.0


def _size(part: Objective, theta: Matrix) -> Vector:
    """Return the size of what adds up to a raw prediction."""
    _, intercept = part.split(theta)
    return part.rows.largest_offset() + np.abs(intercept).reshape(part.n_models, -1).max(axis=1)


def _direction(part: Objective, theta: Matrix, gradient: Matrix, trace: Trace) -> Matrix:
    """Return the step to the minimum of the bound, by conjugate gradients from 0.

    One product with all outputs is a pass; an output has its own bound, whatever its model.
    """
    n_features = part.design.shape[1]
    weights = part.rows.majorizing(theta)
    level = weights.totals()[:, None] / part.rows.total_weight[:, None]
    l2 = np.broadcast_to(part.penalty.diagonal(), (part.n_outputs, n_features))
    moving = part.design.columns.inverse_scale > 0.0
    # Columns were scaled to variance + 4 l2 = 1.
    slopes = np.where(moving, level * (1.0 - 4.0 * np.minimum(l2, 0.25)) + l2, np.inf)
    last = np.where(level > 0.0, level, np.inf) if part.fit_intercept else np.inf + 0.0 * level
    inverse = 1.0 / np.column_stack([slopes, last])

    def product(vectors: Matrix) -> Matrix:
        coef = vectors[:, :-1]
        slopes, last = part.rows.output_product(weights, coef, vectors[:, -1])
        return np.column_stack([slopes + part.penalty.product(coef), last])

    found = ConjugateGradients(
        -gradient.reshape(part.n_outputs, n_features + 1),
        lambda which, vectors: vectors * inverse[which],
    )
    enough = ACCURACY**2 * found.size
    for _ in range(MAX_PRODUCTS):
        live = np.flatnonzero(found.size > enough)
        if not live.size or trace.is_late():
            break
        found.step(live, product(found.direction)[live])
    return part.loss.centred(found.solution.reshape(gradient.shape))
