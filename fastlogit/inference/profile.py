"""Profile-likelihood intervals: values whose likelihood-ratio test does not reject them.

Parameters are taken in a basis in which the log-likelihood has the identity as its second
derivative at the optimum, so that ends of all coefficients begin on a sphere and share their passes
over the rows, as many models.
"""

from __future__ import annotations

import numpy as np

from ..arrays import Indices, Matrix, Vector
from ..objective.hessians import Hessians
from ..objective.objective import Objective
from .distributions import quantile
from .optimum import Optimum
from .roots import level_ends

__all__ = ["LossFall", "intervals_of_optimum", "level_of", "tolerance"]

# The drop of the log-likelihood is right to this, and to so many roundings of the sum of losses.
DROP, ROUNDINGS = 5e-11, 8.0
# Models that one pass takes together, and numbers of the Hessians of ends that are held at once.
TOGETHER, HELD = 64, 2**24


class LossFall:
    """How far the sum of the rows' losses is above its least, around a point; see `roots.Smooth`.

    Parameters
    ----------
    objective : Objective
        Of one model.
    center : ndarray of shape (n_theta,)
        The parameters at 0.
    root : ndarray of shape (n_theta, size)
        What a point is multiplied by: W with W W' the inverse of the sum's Hessian at the centre.
    least : float
        Mean loss that is taken for 0.
    """

    def __init__(self, objective: Objective, center: Vector, root: Matrix, least: float) -> None:
        self._objective, self._center, self._root, self._least = objective, center, root, least
        self._total = float(objective.rows.total_weight[0])
        self._hessians = Hessians(objective)
        self._models: dict[int, Objective] = {1: objective}

    def evaluate(self, points: Matrix) -> tuple[Vector, Matrix]:
        """Return values (n_points,) and gradients (n_points, size): a pass for 64 outputs."""
        together = max(1, TOGETHER // self._objective.n_classes)
        values, gradients = np.empty(len(points)), np.empty(points.shape)
        for first in range(0, len(points), together):
            part = slice(first, first + together)
            theta = self.theta(points[part])
            found = self._of_models(len(theta)).at(theta)
            values[part] = self._total * (found.cost - self._least)
            gradients[part] = self._total * (found.gradient @ self._root)
        return values, gradients

    def hessian(self, point: Vector) -> Matrix:
        """Return the second derivative, (size, size): two passes."""
        loss = self._hessians.at(0, self.theta(point[None])[0]).loss
        matrix = self._total * (self._root.T @ loss @ self._root)
        return 0.5 * (matrix + matrix.T)

    def theta(self, points: Matrix) -> Matrix:
        """Return the parameters of points in rows."""
        return self._center + points @ self._root.T

    def _of_models(self, n_models: int) -> Objective:
        """Return the loss of the same rows, as so many models of one kind see them."""
        if n_models not in self._models:
            many = self._objective.rows.only(np.zeros(n_models, dtype=np.int64))
            self._models[n_models] = Objective(many, 0.0)
        return self._models[n_models]


def level_of(level: float) -> float:
    """Return the drop of the log-likelihood at the ends of an interval: half of chi-squared(1)."""
    return 0.5 * float(quantile(level, None)) ** 2


def tolerance(objective: Objective, mean_loss: float) -> float:
    """Return how far from its level the drop of the log-likelihood at an end may be."""
    total = float(objective.rows.total_weight[0])
    return max(DROP, ROUNDINGS * float(np.finfo(float).eps) * total * abs(mean_loss))


def intervals_of_optimum(optimum: Optimum, chosen: Indices, level: float) -> Matrix:
    """Return the profile-likelihood intervals of some coefficients, (n_chosen, 2).

    Parameters
    ----------
    optimum : Optimum
    chosen : ndarray of int
        Places among the coefficients that are reported.
    level : float
    """
    objective, root, least = optimum.objective, optimum.root, optimum.point.cost
    surface = LossFall(objective, optimum.theta, root, least)
    slopes = optimum.parameters_of(root.T)[:, chosen].T
    estimates = optimum.values(optimum.theta)[chosen]
    intervals = np.empty((len(chosen), 2))
    fall, tol = level_of(level), tolerance(objective, least)
    together = max(1, HELD // (2 * root.shape[1] ** 2))
    for first in range(0, len(chosen), together):
        own = slopes[first : first + together]
        ends = level_ends(surface, np.concatenate([-own, own]), fall, tol)
        low, high = ends.values.reshape(2, -1)
        intervals[first : first + together] = np.column_stack([-low, high])
    return estimates[:, None] + intervals
