"""Modified scores: what is 0 at an estimate of reduced bias.

With h the leverages of the rows, ``h = w c x' F^-1 x`` of the information F = X' diag(w c) X, the
score of mean bias reduction is ``X' (w (y - p) + h (1/2 - p))`` (Firth, 1993, Biometrika 80). It is
the slope of the log-likelihood plus half the logarithm of det F, Jeffreys' prior. Median bias
reduction (Kenne Pagui, Salvan and Sartori, 2017, Biometrika 104; Kosmidis, Kenne Pagui and Sartori,
2020, Statistics and Computing 30) adds F u to that score, with ``u_j = -1/3 sum of w c (1 - 2 p)
(x' f_j)^3 / F^-1_jj`` and f_j the column of F^-1 of a coefficient; it is the slope of no function.
"""

from __future__ import annotations

import numpy as np

from ..arrays import Matrix, Vector
from ..design.row_sums import squares_of_rows
from ..linalg.factors import Factor
from ..linalg.resolved import DEPENDENT
from ..objective.hessians import Hessians
from ..objective.objective import Objective
from .points import Point, RowNumbers
from .small import SmallRows

__all__ = ["MeanScore", "MedianScore", "dependent_columns", "reach_of"]

# Raw predictions of so many coefficients are made in one pass.
TOGETHER = 16


class MeanScore:
    """Firth's modified score, over the rows of an objective without a penalty."""

    has_cost = True

    def __init__(self, objective: Objective) -> None:
        self.objective = objective
        self.size = objective.design.shape[1] + 1
        self.total = float(objective.rows.total_weight[0])
        self._hessians = Hessians(objective)
        self._free = objective.fitted()
        rows = objective.rows
        self._is_one = rows.codes_of(0) == rows.positive[0]
        self._weights = rows.weights_of(0)
        # Of the determinant in the units of X.
        scale = objective.design.columns.inverse_scale
        self._log_scale = float(np.log(scale[scale > 0.0]).sum())
        self.small: SmallRows | None = SmallRows.of(objective)

    def at(self, theta: Vector) -> Point:
        """Return cost, modified score and information at theta: three passes and a Gram matrix."""
        if self.small is not None:
            point = self.small.at(theta)
            if point is not None:
                return point._replace(cost=point.cost + self._log_scale)
        objective, total = self.objective, self.total
        state, curvature, residuals = objective.rows.derivatives(theta[None])
        hessian = self._hessians.at(0, theta, curvature)
        root = hessian.resolved.inverse_root() / np.sqrt(total)
        log_likelihood = -total * float(state.cost.sum())
        gradient = total * objective.join(state.gradient, state.intercept_gradient)[0]
        own_curvature, own_residuals = curvature.values[0], residuals.values[0]
        beyond = self._beyond(own_residuals)
        half_log_det = _half_log_det(root, self._free) - self._log_scale
        if not half_log_det > -np.inf:
            numbers = RowNumbers(own_curvature, own_residuals, 0.0 * own_curvature, beyond)
            return Point(
                theta, np.inf, gradient, total * hessian.loss, root, log_likelihood, numbers
            )
        leverages = squares_of_rows(objective.design, np.ascontiguousarray(root.T))
        leverages *= own_curvature
        slopes, last = objective.design.transposed_product((leverages * beyond)[None])
        gradient[:-1] += slopes[0]
        if objective.fit_intercept:
            gradient[-1] += last[0]
        numbers = RowNumbers(own_curvature, own_residuals, leverages, beyond)
        return Point(
            theta, -log_likelihood - half_log_det, gradient, total * hessian.loss, root,
            log_likelihood, numbers,
        )  # fmt: skip

    def reach(self, step: Vector) -> float:
        """Return by how much a step changes the raw prediction of a row at the most: a pass."""
        return reach_of(self.objective, step)

    def _beyond(self, residuals: Vector) -> Vector:
        """Return the probability of each row less 1/2, from its weighted residual p - y."""
        if self._weights is not None:
            residuals = np.divide(
                residuals, self._weights, out=np.zeros_like(residuals), where=self._weights > 0.0
            )
        return residuals + np.where(self._is_one, 0.5, -0.5)


class MedianScore(MeanScore):
    """The score of median bias reduction: of each coefficient in the units of X."""

    has_cost = False

    def at(self, theta: Vector) -> Point:
        """Return the modified score and information at theta; the cost is minus log-likelihood."""
        point = super().at(theta)
        if not point.cost < np.inf:
            return point
        gradient = point.gradient - point.information @ self._shift(point)
        return point._replace(gradient=gradient, cost=-point.log_likelihood)

    def _shift(self, point: Point) -> Vector:
        """Return u, as a step of theta."""
        design = self.objective.design
        center, inverse_scale = design.columns
        # The parameters that are reported, as functions of theta.
        functions = np.eye(self.size)
        np.fill_diagonal(functions[:-1, :-1], inverse_scale)
        if self.objective.fit_intercept:
            functions[-1, :-1] = -center * inverse_scale
        directions = functions @ point.root @ point.root.T
        variances = np.einsum("ij,ij->i", directions, functions)
        factor = point.rows.curvature * point.rows.beyond
        shift = np.zeros(self.size)
        for first in range(0, self.size, TOGETHER):
            part = slice(first, min(first + TOGETHER, self.size))
            raw = design.raw_prediction(
                np.ascontiguousarray(directions[part, :-1]),
                np.ascontiguousarray(directions[part, -1]) * self.objective.fit_intercept,
            )
            # 1 - 2 p = -2 (p - 1/2)
            shift[part] = 2.0 / 3.0 * ((raw * raw * raw) @ factor)
        shift = np.divide(shift, variances, out=np.zeros(self.size), where=variances > 0.0)
        slopes = np.divide(shift[:-1], inverse_scale, out=np.zeros(self.size - 1),
                           where=inverse_scale > 0.0)  # fmt: skip
        if not self.objective.fit_intercept:
            return np.append(slopes, 0.0)
        return np.append(slopes, shift[-1] + float(center @ shift[:-1]))


def reach_of(objective: Objective, step: Vector) -> float:
    """Return by how much a step changes the raw prediction of a row that counts at the most."""
    raw, weights = objective.rows.raw_predictions(step)[0], objective.rows.weights_of(0)
    used = raw if weights is None else raw[weights > 0.0]
    return float(np.abs(used).max(initial=0.0))


def dependent_columns(point: Point, objective: Objective) -> list[int]:
    """Return columns that are combinations of others, of the intercept too; none as a rule."""
    free = objective.fitted()
    constant = np.flatnonzero(~free[:-1])
    if constant.size:
        return [int(column) for column in constant]
    if np.count_nonzero(point.root.any(axis=0)) >= int(free.sum()):
        return []
    found = np.flatnonzero(Factor(point.information, DEPENDENT).dependent & free)
    # The intercept comes last: what it depends on is the columns before.
    columns = [int(column) for column in found if column < len(free) - 1]
    return columns or [len(free) - 2]


def _half_log_det(root: Matrix, free: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> float:
    """Return half the logarithm of det F from W, with W W' its inverse; -inf where it is singular.

    On standardised columns.
    """
    used = root.any(axis=0)
    if not np.isfinite(root).all() or np.count_nonzero(used) < np.count_nonzero(free):
        return -np.inf
    square = root[free][:, used]
    if square.shape[0] != square.shape[1]:
        return -np.inf
    if not np.tril(square, -1).any():
        return -float(np.log(np.abs(np.diag(square))).sum())
    return -float(np.linalg.slogdet(square)[1])
