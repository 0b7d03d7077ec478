"""Some of the columns, those that may move, with the Hessian of the smooth cost over them."""

from __future__ import annotations

import copy

import numpy as np

from ..arrays import Indices, Matrix, Vector
from .objective import Objective
from .row_state import RowCurvature, RowPredictions

__all__ = ["WorkingSet"]


class WorkingSet:
    """The cost of one model in some columns, all others held at 0.

    Parameters
    ----------
    whole : Objective
        Of one model.
    columns : ndarray of int, optional
        In order; they are copied. None for all of them, in place.

    Attributes
    ----------
    part : Objective
    columns : ndarray of int
    is_whole : bool
    theta : ndarray of shape (n_columns + 1,)
        Where the Hessian was made last.
    matrix : ndarray of shape (n_columns + 1, n_columns + 1)
        That of the smooth cost there; the intercept's comes last.
    curvature : RowCurvature
        That of the rows there.
    """

    theta: Vector
    matrix: Matrix
    curvature: RowCurvature

    def __init__(self, whole: Objective, columns: Indices | None = None) -> None:
        self.is_whole = columns is None
        if columns is None:
            self.part, self.columns = whole, np.arange(whole.design.shape[1])
        else:
            self.part, self.columns = whole.of_columns(columns), columns
        self._raw: RowPredictions | None = None
        self._parameters = np.append(self.columns, whole.design.shape[1])
        self._n_parameters = whole.design.shape[1] + 1

    def under(self, whole: Objective) -> WorkingSet:
        """Return the same columns of a cost that differs in its penalty alone, without a copy.

        A Hessian that was made is known there, too.
        """
        if self.is_whole:
            other = WorkingSet(whole)
        else:
            other = copy.copy(self)
            other.part = whole.of_columns(self.columns, self.part)
        if hasattr(self, "theta"):
            other.theta, other.curvature, other.matrix = self.theta, self.curvature, self.matrix
            more = other.part.penalty.diagonal()[0] - self.part.penalty.diagonal()[0]
            if more.any():
                other.matrix = self.matrix.copy()
                other.matrix[np.arange(more.size), np.arange(more.size)] += more
        return other

    def covers(self, columns: Indices) -> bool:
        """Say whether these columns are among its own."""
        return self.is_whole or bool(np.isin(columns, self.columns).all())

    def places(self, columns: Indices) -> Indices:
        """Return where columns that it covers stand among its own, and the intercept."""
        return np.append(np.searchsorted(self.columns, columns), self.columns.size)

    def take(self, theta: Vector) -> Vector:
        """Return the parameters of its columns, and the intercept."""
        return theta[self._parameters]

    take_slopes = take

    def put(self, theta: Vector) -> Vector:
        """Return what `take` was given, with 0 for all other columns."""
        everywhere = np.zeros(self._n_parameters)
        everywhere[self._parameters] = theta
        return everywhere

    def look(self, theta: Vector, curvature: RowCurvature) -> Matrix:
        """Return the Hessian at a point of its columns, from the row curvatures there: one pass.

        Sets: theta, matrix, curvature.
        """
        matrix = self.part.rows.hessian(curvature, 0)
        self.part.parameter_penalty.add_to(matrix, 0)
        self.theta, self.curvature, self.matrix = theta.copy(), curvature, matrix
        self._raw = None
        return matrix

    def moved(self, theta: Vector) -> float:
        """Return how much a raw prediction changed since the Hessian was made, at most: a pass.

        `theta` is of its columns. Infinite where there is no Hessian yet.
        """
        if not hasattr(self, "theta"):
            return np.inf
        if np.array_equal(self.theta, theta):
            return 0.0
        if self._raw is None:
            self._raw = self.part.rows.predictions(self.theta[None])
        return float(self.part.rows.predictions(theta[None]).largest_change(self._raw)[0])

    def product(self, directions: Matrix) -> Matrix:
        """Return the Hessian there times directions of its columns, in rows: a pass for each."""
        return np.array(
            [self.part.hessian_product(self.curvature, v[None])[0] for v in directions]
        ).reshape(directions.shape)
