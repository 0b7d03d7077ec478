"""FLIC and FLAC: Firth's fit with predicted probabilities that are right on average.

Firth's penalty draws probabilities towards 1/2. FLIC fits the intercept alone once more, by maximum
likelihood; FLAC fits everything once more, to the rows and to each row's leverage as a row of half
an event, which a column of its own tells apart (Puhr, Heinze, Nold, Lusa and Geroldinger, 2017,
Statistics in Medicine 36).
"""

from __future__ import annotations

import numpy as np
from scipy.special import expit

from ..arrays import Matrix, Vector
from ..linalg.factors import Factor
from ..linalg.resolved import DEPENDENT
from ..objective.objective import Objective
from .points import Point, RowNumbers
from .scores import reach_of
from .small import SmallRows

__all__ = ["AugmentedScore", "flic_covariance", "with_own_intercept"]

# The step of the intercept that is left, in its standard errors.
EXACT = 1e-12
MOST_STEPS = 100


def with_own_intercept(objective: Objective, theta: Vector) -> tuple[Vector, Vector]:
    """Return theta with the intercept of greatest likelihood, and the rows' curvatures there.

    Newton's method, with steps of at most 2; the slopes stay.
    """
    rows = objective.rows
    weights, offset = rows.weights_of(0), rows.offset_of(0)
    raw = rows.raw_predictions(theta, with_intercept=False)[0]
    raw = raw if offset is None else raw + offset
    share = np.ones_like(raw) if weights is None else weights
    wanted = float(share[rows.codes_of(0) == rows.positive[0]].sum())
    level = float(theta[-1])
    for _ in range(MOST_STEPS):
        proba = expit(raw + level)
        curvature = share * proba * expit(-raw - level)
        lacking, slope = wanted - float(share @ proba), float(curvature.sum())
        level += float(np.clip(lacking / slope, -2.0, 2.0)) if slope > 0.0 else np.sign(lacking)
        if lacking**2 <= EXACT**2 * slope:
            break
    proba = expit(raw + level)
    return np.append(theta[:-1], level), share * proba * expit(-raw - level)


def flic_covariance(objective: Objective, curvature: Vector, root: Matrix) -> Matrix:
    """Return the covariance of FLIC's parameters on standardised columns, (size, size).

    That of the slopes is Firth's. Given these, the intercept has the variance 1 / sum of c, and
    follows them by minus the mean row, weighted by c.
    """
    total = float(curvature.sum())
    mean = objective.design.transposed_product(curvature[None])[0][0] / total
    slopes = root[:-1] @ root[:-1].T
    last = -slopes @ mean
    corner = 1.0 / total + float(mean @ slopes @ mean)
    return np.block([[slopes, last[:, None]], [last[None], np.array([[corner]])]])


class AugmentedScore:
    """The likelihood of FLAC: of the rows, and of Firth's leverages as rows of half an event.

    theta has one parameter more than the objective, that of the column which is 1 for the latter.

    Parameters
    ----------
    objective : Objective
    leverages : ndarray of shape (n_samples,)
        Those of Firth's fit.
    """

    has_cost = True
    small: SmallRows | None = None

    def __init__(self, objective: Objective, leverages: Vector) -> None:
        self.objective, self.leverages = objective, leverages
        self.size = objective.design.shape[1] + 2

    def reach(self, step: Vector) -> float:
        """Return by how much a step changes the raw prediction of a row at the most: a pass."""
        return reach_of(self.objective, step[:-1]) + abs(float(step[-1]))

    def at(self, theta: Vector) -> Point:
        """Return cost, score and information at theta: three passes and a Gram matrix."""
        objective, rows, own = self.objective, self.objective.rows, theta[:-1]
        total, added = float(rows.total_weight[0]), self.leverages
        state, curvature, residuals = rows.derivatives(own[None])
        raw, offset = rows.raw_predictions(own)[0] + theta[-1], rows.offset_of(0)
        raw = raw if offset is None else raw + offset
        proba = expit(raw)
        slope, bend = added * (proba - 0.5), added * proba * expit(-raw)
        slopes, sums = objective.design.transposed_product(np.stack([slope, bend]))
        gradient = total * objective.join(state.gradient, state.intercept_gradient)[0]
        gradient += np.append(slopes[0], sums[0])
        border = np.append(slopes[1], sums[1])
        whole = objective.design.gram(curvature.values[0] + bend)
        information = np.block([[whole, border[:, None]], [border[None], np.array([[sums[1]]])]])
        factor = Factor(information, DEPENDENT)
        singular = bool(factor.dependent.any())
        root = factor.half_solve(np.eye(self.size))
        cost = total * float(state.cost.sum())
        cost += float(added @ (np.logaddexp(0.0, raw) - 0.5 * raw))
        return Point(
            theta, np.inf if singular else cost, np.append(gradient, sums[0]), information, root,
            -total * float(state.cost.sum()),
            RowNumbers(curvature.values[0], residuals.values[0], added, proba - 0.5),
        )  # fmt: skip
