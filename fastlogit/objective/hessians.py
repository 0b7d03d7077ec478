"""Hessians of an objective at points, made once for solvers and certificates."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from ..linalg.factors import FACTOR_NS
from ..linalg.resolved import ResolvedHessian
from .null_directions import NullDirections, shares_of
from .objective import Objective
from .row_state import RowCurvature

__all__ = ["ContrastHessian", "Hessians", "LocalHessian", "contrasts"]


class Hessians:
    """The Hessian of each model at the last point that was asked for.

    Those of a loss of one output a model are of a subsample of the rows, where one is given: its
    loss times the share of its weight, plus the penalty. Those of a softmax are of all rows.

    Parameters
    ----------
    objective : Objective
    rows : Objective, optional
        The same over some of the rows.
    """

    def __init__(self, objective: Objective, rows: Objective | None = None) -> None:
        self.objective, self.rows = objective, objective if rows is None else rows
        self.share = self.rows.targets.total_weight / objective.targets.total_weight
        self.null = NullDirections(objective)
        self._last: dict[int, LocalHessian] = {}

    def at(self, model: int, theta: Any, curvature: RowCurvature | None = None) -> LocalHessian:
        """Return the Hessian of a model at theta, from its row curvatures or by a pass more."""
        last = self._last.get(model)
        if last is None or not np.array_equal(last.theta, theta):
            kind = ContrastHessian if self.objective.loss.is_coupled else LocalHessian
            last = self._last[model] = kind(self, model, theta.copy(), curvature)
        return last

    def last(self, model: int) -> LocalHessian | None:
        """Return the Hessian that was asked for last, wherever that was; None if none was."""
        return self._last.get(model)

    def blocks(self, model: int, theta: Any, curvature: RowCurvature) -> Any:
        """Return the loss's Hessian of each output of a model, from curvatures of `rows`."""
        if self.objective.loss.is_coupled:
            return self.rows.class_hessians(curvature, model)
        return self.at(model, theta, curvature).loss[None]


class LocalHessian:
    """The Hessian of one model at a point.

    Attributes
    ----------
    theta : ndarray of shape (n_parameters,)
    loss : ndarray of shape (n_parameters, n_parameters)
        That of the rows' mean loss alone.
    resolved : ResolvedHessian
        With the penalty, in the directions that floating point resolves.
    least_curvature : float
        The least positive row curvature; infinite where all vanish.
    n_curved : int
        Rows whose curvature is positive.
    """

    def __init__(
        self, owner: Hessians, model: int, theta: Any, curvature: RowCurvature | None
    ) -> None:
        self.rows = self._rows_of(owner, model)
        self.theta, self._null = theta, owner.null
        if curvature is None:
            one = self.rows if self.rows.n_models == 1 else self.rows.only(np.array([model]))
            curvature = one.curvature(theta[None])
        self.least_curvature = curvature.least_positive()
        self.n_curved = curvature.n_positive()
        self._resolve(owner, model, curvature)

    def _rows_of(self, owner: Hessians, model: int) -> Objective:
        return owner.rows

    def _resolve(self, owner: Hessians, model: int, curvature: RowCurvature) -> None:
        self.share = float(owner.share[model])
        self.loss = self.rows.loss_hessian(curvature, model)

        def product(directions: Any) -> Any:
            part = self.rows.only([model])
            loss = [part.loss_product(curvature, v[None])[0] for v in directions]
            return self.share * np.array(loss) + self.rows.penalty_product(directions, model)

        self._penalize(model, product)

    def _penalize(self, model: int, product: Any = None) -> None:
        penalty = self.rows.penalty_diagonal(model)
        matrix = self.share * self.loss
        self.rows.penalize(matrix, model)
        self.rows.design.counter.check(1e-9 * FACTOR_NS * len(matrix) ** 3 / 3.0)

        def is_null(direction: Any) -> bool:
            free = not (penalty[shares_of(direction)] > 0.0).any()
            return free and self._null.contains(model, direction)

        self.resolved = ResolvedHessian(
            matrix, product, is_null, ~self.rows.fitted(), self.rows.design.shape[0]
        )

    def with_penalty_of(self, model: int) -> LocalHessian:
        """Return the same for a model that differs in its penalty alone."""
        other = copy.copy(self)
        other._penalize(model)
        return other

    def solve(self, gradient: Any) -> Any:
        """Return the inverse times a gradient; 0 along null and unresolved directions."""
        return self.resolved.solve(gradient[None, :])[0]

    def half_solve(self, gradient: Any) -> Any:
        """Return a vector whose sum of squares is g' H^-1 g."""
        return self.resolved.half_solve(gradient[None, :])[0]


class ContrastHessian(LocalHessian):
    """The whole Hessian of a softmax model, in what sets classes apart."""

    def _rows_of(self, owner: Hessians, model: int) -> Objective:
        return owner.objective.only(np.array([model]))

    def _resolve(self, owner: Hessians, model: int, curvature: RowCurvature) -> None:
        part, n_classes = self.rows, self.rows.n_classes
        size = self.theta.size // n_classes
        self.basis = contrasts(n_classes)
        self.loss = part.loss_hessian(curvature, 0)
        matrix = self.loss.copy()
        part.penalize(matrix, 0)
        blocks = matrix.reshape(n_classes, size, n_classes, size)
        small = np.einsum("ka,kilj,lb->aibj", self.basis, blocks, self.basis, optimize=True)
        small = small.reshape(size * self.basis.shape[1], -1)
        penalty = np.tile(part.penalty_diagonal(0)[:size], self.basis.shape[1])

        def product(directions: Any) -> Any:
            whole = self.to_classes(directions)
            each = [part.hessian_product(curvature, v[None])[0] for v in whole]
            return self.to_contrasts(np.array(each))

        def is_null(direction: Any) -> bool:
            free = not (penalty[shares_of(direction)] > 0.0).any()
            return free and self._null.contains(model, direction)

        fixed = ~np.tile(part.fitted()[:size], self.basis.shape[1])
        self.resolved = ResolvedHessian(small, product, is_null, fixed, part.design.shape[0])

    def solve(self, gradient: Any) -> Any:
        """Return the inverse times a gradient of all classes."""
        return self.to_classes(self.resolved.solve(self.to_contrasts(gradient[None])))[0]

    def half_solve(self, gradient: Any) -> Any:
        """Return a vector whose sum of squares is g' H^-1 g, g without what all classes share."""
        return self.resolved.half_solve(self.to_contrasts(gradient[None]))[0]

    def to_contrasts(self, vectors: Any) -> Any:
        """Return gradients in rows, of all classes, as those of what sets classes apart."""
        classes = vectors.reshape(len(vectors), len(self.basis), -1)
        return np.einsum("rki,ka->rai", classes, self.basis).reshape(len(vectors), -1)

    def to_classes(self, vectors: Any) -> Any:
        """Return directions in rows of what sets classes apart as those of all classes."""
        each = vectors.reshape(len(vectors), self.basis.shape[1], -1)
        return np.einsum("rai,ka->rki", each, self.basis).reshape(len(vectors), -1)


def contrasts(n_classes: int) -> Any:
    """Return an orthonormal basis, (n_classes, n_classes - 1), of what sets classes apart."""
    steps = np.arange(1.0, n_classes)
    basis = np.triu(np.ones((n_classes, n_classes - 1)))
    basis[np.arange(1, n_classes), np.arange(n_classes - 1)] = -steps
    return basis / np.sqrt(steps * (steps + 1.0))
