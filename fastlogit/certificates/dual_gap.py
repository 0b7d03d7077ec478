"""How far a point's cost can lie above the optimum under L1: a duality gap, without a matrix.

Any direction p leads to a dual point: row i has its tangent at the probability q_i = p_i + c_i u_i,
u_i = x_i' p. Where p is next to the minimum of the quadratic model at the point, which coordinate
descent finds, its tangents are next to feasible, and a share a of them is: that of a row moves to
a q_i + (1 - a) y_i, whose loss at the point is above it by at most a KL(q_i || p_i) + (1 - a)
times the row's loss. What each column has above the least of its slope, L1 and L2 is added up. Two
passes; all errors of floating point are first order, so that bounds of some 1e-11 of the cost are
the least that it gives: `composite` has one with a matrix for less.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from ..arrays import Vector
from ..linalg.resolved import EPS
from ..objective.objective import Objective
from ..objective.row_state import RowCurvature
from .binomial import Place, Rounding

__all__ = ["KnownStep", "Tangents", "dual_gap", "gap_of_columns", "gap_of_dual"]

# What rounding errors of sums of positive terms may take away, as a factor.
ROUNDED = 1.0 + 1e-12


class KnownStep(NamedTuple):
    """A point, a step to the minimum of the quadratic model there, and the row curvatures there."""

    theta: Vector
    step: Vector
    curvature: RowCurvature


def dual_gap(
    one: Objective, there: Place, known: KnownStep, rounding: Rounding, size: Vector | float
) -> float:
    """Return a bound on the cost less the optimum; infinite where nothing can be said.

    Parameters
    ----------
    one : Objective
        Of one model, with L1.
    there : Place
    known : KnownStep
        From that point; it is of any quality.
    rounding : Rounding
    size : float or ndarray of shape (n_features,)
        At least the root mean squares of the standardised columns.
    """
    assert one.l1 is not None
    l1, l2 = one.l1.strengths[0], one.penalty.diagonal()[0]
    varies = one.design.columns.inverse_scale > 0.0
    if (varies & (l1 == 0.0) & (l2 == 0.0)).any():
        return math.inf
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        gap = _gap(one, there, known, rounding, size)
    return gap if gap < math.inf else math.inf


def _gap(
    one: Objective, there: Place, known: KnownStep, rounding: Rounding, size: Vector | float
) -> float:
    assert one.l1 is not None
    curvature, l1, l2 = known.curvature, one.l1.strengths[0], one.penalty.diagonal()[0]
    coef, varies = there.theta[:-1], one.design.columns.inverse_scale > 0.0
    raw = one.rows.predictions(known.step[None])
    weight = float(one.rows.total_weight[0])
    mean, tau = float(curvature.totals()[0]) / weight, float(raw.largest(curvature)[0])
    spread = float(np.sqrt(raw.squares(curvature)[0] / weight))
    del raw  # rows and columns may be many: no more vectors of them at a time than it takes
    # The slopes of the tangents, and how far rounding errors may move these.
    moved = one.loss_product(curvature, known.step[None])[0]
    slopes = there.gradient[:-1] + moved[:-1]
    slopes -= l2 * coef
    level = float(there.gradient[-1] + moved[-1])
    del moved
    error = rounding.of_sums(there.cost) + 0.5 * rounding.of_rows(there.theta, there.cost)
    error += rounding.of_product(spread)
    if one.fit_intercept:
        # All rows move a little more, in proportion to their curvatures: its own slope is 0 then.
        level = (abs(level) + error) / mean
        tau, spread = tau + level, spread + level * math.sqrt(mean)
        error += 0.5 * level * math.sqrt(mean)
    rows = Tangents(there.cost, tau, spread)
    errors = error * np.maximum(size, 1.0) + 4.0 * EPS * np.abs(l2 * coef)
    errors = np.where(varies, errors, 0.0)
    slopes[~varies] = 0.0  # and so they lack nothing
    if coef[~varies].any():
        coef = np.where(varies, coef, 0.0)
    return gap_of_dual(rows, coef, slopes, errors, l1, l2)


class Tangents(NamedTuple):
    """Tangents of the rows: that of row i at the probability p_i + c_i u_i, p_i that of a point.

    Attributes
    ----------
    cost : float
        That of the point.
    largest, spread : float
        The largest size of u_i, and the root of the mean c_i u_i^2, over rows that count.
    """

    cost: float
    largest: float
    spread: float


def gap_of_dual(
    rows: Tangents, coef: Vector, slopes: Vector, errors: Vector, l1: Vector, l2: Vector
) -> float:
    """Return a bound on the cost less the optimum, from tangents; the intercept's slope is 0.

    Arrays are of shape (n_columns,): coefficients of the point, the tangents' slopes and how far
    these may err, L1 and L2. Columns left out have no coefficient, and slopes within their L1.
    """
    if not rows.largest < 1.0:
        return math.inf
    sizes = np.abs(slopes)
    sizes += errors
    bound = (l2 == 0.0) & (sizes > l1)
    share = float((l1[bound] / sizes[bound]).min(initial=1.0))
    del sizes
    if share < 1.0:
        share *= 1.0 - 4.0 * EPS
    own = share * 0.5 * rows.spread * rows.spread / (1.0 - rows.largest)
    own += (1.0 - share) * rows.cost
    # Others lack nothing.
    some = (coef != 0.0) | (l2 > 0.0)
    of_some = coef[some], share * slopes[some], errors[some], l1[some], l2[some]
    return ROUNDED * (own + gap_of_columns(*of_some))


def gap_of_columns(coef: Vector, slopes: Vector, errors: Vector, l1: Vector, l2: Vector) -> float:
    """Return what coefficients have above the least of slope, L1 and L2, in all and at the most.

    Of ``slope * w + l1 * |w| + l2 * w^2 / 2``, for slopes that may err; of columns without L2 their
    sizes are at most `l1`, whatever the errors.
    """
    size = np.abs(coef)
    # How far the slope is from L1, on the side where the coefficient is: 0 at the optimum, or -m.
    short = slopes * np.sign(coef) + l1
    beyond = np.where(l2 > 0.0, np.maximum(np.abs(slopes) + errors - l1, 0.0), 0.0)
    half = np.square(beyond) / (2.0 * np.where(l2 > 0.0, l2, 1.0))
    own = np.maximum(size * (short + errors) + 0.5 * l2 * np.square(size) + half, 0.0)
    # The same as a square, where there is L2: what differs cancels in it.
    whole = np.square(np.abs(l2 * size + short) + errors) / (2.0 * np.where(l2 > 0.0, l2, 1.0))
    own = np.where((l2 > 0.0) & (coef != 0.0), np.minimum(own, whole), own)
    rounding = 8.0 * EPS * float((size * (np.abs(slopes) + l1 + l2 * size)).sum())
    return float(own.sum()) + rounding
