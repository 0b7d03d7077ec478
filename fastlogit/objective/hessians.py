"""Hessians of an objective at points, made once for solvers and certificates."""

from __future__ import annotations

import copy
from functools import cached_property

import numpy as np

from ..arrays import Cube, Mask, Matrix, Vector
from ..linalg.factors import FACTOR_NS
from ..linalg.resolved import Product, ResolvedHessian
from .null_directions import NullDirections
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
    sampled : Objective, optional
        The same over some of the rows.
    """

    def __init__(self, objective: Objective, sampled: Objective | None = None) -> None:
        self.objective, self.sampled = objective, objective if sampled is None else sampled
        self.share = self.sampled.rows.total_weight / objective.rows.total_weight
        self.null = NullDirections(objective)
        self._last: dict[int, LocalHessian] = {}

    def at(self, model: int, theta: Vector, curvature: RowCurvature | None = None) -> LocalHessian:
        """Return the Hessian of a model at theta, from its row curvatures or by a pass more."""
        last = self._last.get(model)
        if last is None or not np.array_equal(last.theta, theta):
            kind = ContrastHessian if self.objective.loss.is_coupled else LocalHessian
            last = self._last[model] = kind(self, model, theta.copy(), curvature)
        return last

    def last(self, model: int) -> LocalHessian | None:
        """Return the Hessian that was asked for last, wherever that was; None if none was."""
        return self._last.get(model)

    def blocks(self, model: int, theta: Vector, curvature: RowCurvature) -> Cube:
        """Return the loss's Hessian of each output of a model, from curvatures of `sampled`."""
        if self.objective.loss.is_coupled:
            return self.sampled.rows.class_hessians(curvature, model)
        return self.at(model, theta, curvature).loss[None]


class LocalHessian:
    """The Hessian of one model at a point.

    Attributes
    ----------
    theta : ndarray of shape (n_parameters,)
    loss : ndarray of shape (n_parameters, n_parameters)
        That of the rows' mean loss alone.
    share : float
        What the loss of the rows is multiplied by: their part of the weight of all.
    least_curvature : float
        The least positive row curvature; infinite where all vanish.
    n_curved : int
        Rows whose curvature is positive.
    """

    share = 1.0

    def __init__(
        self, owner: Hessians, model: int, theta: Vector, curvature: RowCurvature | None
    ) -> None:
        self.theta, self._model, self._null = theta, model, owner.null
        self._prepare(owner)
        if curvature is None:
            one = self.sampled
            one = one if one.n_models == 1 else one.only(np.array([model]))
            curvature = one.curvature(theta[None])
        self.least_curvature = curvature.least_positive()
        self.n_curved = curvature.n_positive()
        self._curvature: RowCurvature | None = curvature
        self.loss = self.sampled.rows.hessian(curvature, self._place)

    def _prepare(self, owner: Hessians) -> None:
        self.sampled, self._place = owner.sampled, self._model
        self.share = float(owner.share[self._model])

    @property
    def matrix(self) -> Matrix:
        """The Hessian with the penalty, (n_parameters, n_parameters)."""
        matrix = self.share * self.loss
        self.sampled.parameter_penalty.add_to(matrix, self._place)
        return matrix

    @cached_property
    def resolved(self) -> ResolvedHessian:
        """The Hessian with the penalty, in the directions that floating point resolves."""
        matrix = self.matrix
        self.sampled.design.counter.check(1e-9 * FACTOR_NS * len(matrix) ** 3 / 3.0)
        product = None if self._curvature is None else self._product
        return self._resolved(matrix, product, ~self.sampled.fitted())

    def _resolved(self, matrix: Matrix, product: Product | None, fixed: Mask) -> ResolvedHessian:
        def is_null(direction: Vector) -> bool:
            return self._null.contains(self._model, direction)

        n_samples = self.sampled.design.shape[0]
        return ResolvedHessian(matrix, product, is_null, fixed, n_samples)

    def _product(self, directions: Matrix) -> Matrix:
        """Return the Hessian times directions in rows, from the rows of X."""
        part, curvature = self.sampled.only([self._place]), self._curvature
        assert curvature is not None
        loss = [part.loss_product(curvature, v[None])[0] for v in directions]
        penalty = self.sampled.parameter_penalty.product(directions, self._place)
        return self.share * np.array(loss) + penalty

    def with_penalty_of(self, model: int) -> LocalHessian:
        """Return the same for a model that differs in its penalty alone."""
        other = copy.copy(self)
        other.__dict__.pop("resolved", None)
        other._model = other._place = model
        other._curvature = None
        return other

    def solve(self, gradient: Vector) -> Vector:
        """Return the inverse times a gradient; 0 along null and unresolved directions."""
        return self.resolved.solve(gradient[None, :])[0]

    def half_solve(self, gradient: Vector) -> Vector:
        """Return a vector whose sum of squares is g' H^-1 g."""
        return self.resolved.half_solve(gradient[None, :])[0]


class ContrastHessian(LocalHessian):
    """The whole Hessian of a softmax model, in what sets classes apart."""

    def _prepare(self, owner: Hessians) -> None:
        self.sampled, self._place = owner.objective.only(np.array([self._model])), 0
        self.basis = contrasts(self.sampled.n_classes)

    @cached_property
    def resolved(self) -> ResolvedHessian:
        """The Hessian with the penalty, in the directions that floating point resolves."""
        n_classes, n_contrasts = self.basis.shape
        size = self.theta.size // n_classes
        blocks = self.matrix.reshape(n_classes, size, n_classes, size)
        small = np.einsum("ka,kilj,lb->aibj", self.basis, blocks, self.basis, optimize=True)
        return self._resolved(
            small.reshape(size * n_contrasts, -1), self._product,
            ~np.tile(self.sampled.fitted()[:size], n_contrasts),
        )  # fmt: skip

    def _product(self, directions: Matrix) -> Matrix:
        """Return the Hessian of contrasts times directions in rows, from the rows of X."""
        part, curvature = self.sampled, self._curvature
        assert curvature is not None
        whole = self.to_classes(directions)
        return self.to_contrasts(
            np.array([part.hessian_product(curvature, v[None])[0] for v in whole])
        )

    def solve(self, gradient: Vector) -> Vector:
        """Return the inverse times a gradient of all classes."""
        return self.to_classes(self.resolved.solve(self.to_contrasts(gradient[None])))[0]

    def half_solve(self, gradient: Vector) -> Vector:
        """Return a vector whose sum of squares is g' H^-1 g, g without what all classes share."""
        return self.resolved.half_solve(self.to_contrasts(gradient[None]))[0]

    def to_contrasts(self, vectors: Matrix) -> Matrix:
        """Return gradients in rows, of all classes, as those of what sets classes apart."""
        classes = vectors.reshape(len(vectors), len(self.basis), -1)
        return np.einsum("rki,ka->rai", classes, self.basis).reshape(len(vectors), -1)

    def to_classes(self, vectors: Matrix) -> Matrix:
        """Return directions in rows of what sets classes apart as those of all classes."""
        each = vectors.reshape(len(vectors), self.basis.shape[1], -1)
        return np.einsum("rai,ka->rki", each, self.basis).reshape(len(vectors), -1)


def contrasts(n_classes: int) -> Matrix:
    """Return an orthonormal basis, (n_classes, n_classes - 1), of what sets classes apart."""
    steps = np.arange(1.0, n_classes)
    basis = np.triu(np.ones((n_classes, n_classes - 1)))
    basis[np.arange(1, n_classes), np.arange(n_classes - 1)] = -steps
    return basis / np.sqrt(steps * (steps + 1.0))
