"""Some coefficients of a softmax, those that may move, with the smooth cost's Hessian there."""

from __future__ import annotations

import numpy as np

from ..arrays import Mask, Masks, Matrix, Vector
from .objective import Objective
from .row_state import RowCurvature

__all__ = ["ClassWorkingSet"]

# From this share of the columns on none of them is copied.
MOST = 0.5


class ClassWorkingSet:
    """The cost of one softmax in some pairs of class and column, all other coefficients 0.

    Its points are vectors: the coefficients of the pairs, class after class, then the intercepts
    less that of the last class, which changes no prediction.

    Parameters
    ----------
    whole : Objective
        Of one model, with the L2 penalty.
    inside : ndarray of bool, shape (n_classes, n_features)
        The pairs; the columns that have any are copied, but where these are most of them.
    levels : ndarray of shape (n_classes,)
        The intercepts, which stay where they are not fitted.

    Attributes
    ----------
    part : Objective
        Of the columns, all classes.
    classes, columns, part_columns : ndarray of int, shape (n_pairs,)
        Class and column of each pair, and the place of the column in the part.
    n_pairs : int
    size : int
        Of its points.
    l1, lower, upper : ndarray of shape (size,)
        The strength of L1, 0 for intercepts, and the bounds, which these have none of.
    theta : ndarray of shape (size,)
        Where the Hessian was made last.
    matrix : ndarray of shape (size, size)
        That of the smooth cost there.
    curvature : RowCurvature
        That of the rows there.
    """

    theta: Vector
    matrix: Matrix
    curvature: RowCurvature

    def __init__(self, whole: Objective, inside: Masks, levels: Vector) -> None:
        assert whole.l1 is not None
        self.inside, self._levels = inside, levels
        self._shape = inside.shape[0], inside.shape[1] + 1
        columns = np.flatnonzero(inside.any(axis=0))
        self.is_whole = columns.size >= MOST * inside.shape[1]
        if self.is_whole:
            columns = np.arange(inside.shape[1])
        elif not columns.size:
            columns = np.zeros(1, dtype=np.int64)  # a design has a column at the least
        self.part = whole if self.is_whole else whole.of_columns(columns)
        self.classes, self.part_columns = np.nonzero(inside[:, columns])
        self.columns = columns[self.part_columns]
        n_classes, self._width = inside.shape[0], columns.size + 1
        self.n_pairs, self._n_levels = self.classes.size, (n_classes - 1) * whole.fit_intercept
        self.size = self.n_pairs + self._n_levels
        of_levels = np.zeros(self._n_levels)
        self.l1 = np.concatenate([whole.l1.strengths[0, self.columns], of_levels])
        self.lower, self.upper = np.full((2, self.size), [[-np.inf], [np.inf]])
        if whole.l1.bounds is not None:
            each = whole.l1.bounds.of(self.columns)
            self.lower[: self.n_pairs], self.upper[: self.n_pairs] = each
        self._l2 = np.concatenate([whole.penalty.diagonal()[0, self.columns], of_levels])

    def covers(self, inside: Masks) -> bool:
        """Say whether these pairs are among its own."""
        return not (inside & ~self.inside).any()

    def places(self, inside: Masks) -> Mask:
        """Return which components of its points belong to some of its pairs, or to intercepts."""
        of_levels = np.ones(self._n_levels, dtype=bool)
        return np.concatenate([inside[self.classes, self.columns], of_levels])

    def within(self, point: Vector) -> Vector:
        """Return the nearest point within the bounds."""
        return np.clip(point, self.lower, self.upper)

    def take(self, theta: Vector) -> Vector:
        """Return a point of all coefficients as one of its own."""
        every = theta.reshape(self._shape)
        levels = (every[:-1, -1] - every[-1, -1])[: self._n_levels]
        return np.concatenate([every[self.classes, self.columns], levels])

    def take_slopes(self, gradient: Vector) -> Vector:
        """Return a gradient in all coefficients as one in its own."""
        every = gradient.reshape(self._shape)
        return np.concatenate([every[self.classes, self.columns], every[:-1, -1][: self._n_levels]])

    def put(self, point: Vector) -> Vector:
        """Return a point of its own as one of all coefficients; intercepts add up to 0."""
        return self._put(point, self.columns, self._shape[1])

    def _put(self, point: Vector, places: np.ndarray, width: int) -> Vector:
        every = np.zeros((self._shape[0], width))
        every[self.classes, places] = point[: self.n_pairs]
        if self._n_levels:
            every[:-1, -1] = point[self.n_pairs :]
            every[:, -1] -= every[:, -1].mean()
        else:
            every[:, -1] = self._levels
        return every.reshape(-1)

    def at(self, point: Vector) -> tuple[float, Vector, RowCurvature]:
        """Return cost, smooth gradient and row curvatures at a point of its own: a pass."""
        curvature = self.part.rows.empty_curvature()
        found = self.part.at(self._of_part(point)[None], curvature)
        return float(found.cost[0]), self._slopes_of_part(found.gradient[0]), curvature

    def _of_part(self, point: Vector) -> Vector:
        return self._put(point, self.part_columns, self._width)

    def _slopes_of_part(self, gradient: Vector) -> Vector:
        every = gradient.reshape(self._shape[0], self._width)
        return np.concatenate(
            [every[self.classes, self.part_columns], every[:-1, -1][: self._n_levels]]
        )

    def look(self, point: Vector, curvature: RowCurvature) -> Matrix:
        """Return the Hessian at a point of its own, from the row curvatures there.

        Sets: theta, matrix, curvature.
        """
        rows, places = self.part.rows, (self.classes, self.part_columns)
        matrix = rows.pair_hessian(curvature, *places)
        matrix.flat[:: self.size + 1] += self._l2
        self.theta, self.curvature, self.matrix = point.copy(), curvature, matrix
        return matrix

    def majorizing(self, point: Vector) -> Matrix:
        """Return the Hessian of a function above the smooth cost that touches it at a point.

        It has a block for each class: see `Loss.majorizing`.
        """
        rows = self.part.rows
        curvature = rows.majorizing(self._of_part(point)[None])
        matrix = rows.class_pair_blocks(curvature, self.classes, self.part_columns)
        matrix.flat[:: self.size + 1] += self._l2
        return matrix

    def moved(self, point: Vector) -> float:
        """Return by how much the logarithm of a curvature changed since the Hessian was made.

        At the most: by the largest range of the change of a row's raw predictions. A pass.
        """
        if not hasattr(self, "theta"):
            return np.inf
        if np.array_equal(self.theta, point):
            return 0.0
        return self.part.rows.largest_range(self._of_part(point - self.theta))

    def product(self, directions: Matrix) -> Matrix:
        """Return the Hessian there times directions of its own, in rows: a pass for each."""
        return np.array(
            [
                self._slopes_of_part(
                    self.part.hessian_product(self.curvature, self._of_part(v)[None])[0]
                )
                for v in directions
            ]
        ).reshape(directions.shape)

    def of_part(self, directions: Matrix) -> Matrix:
        """Return directions of its own, in rows, as those of the part's parameters."""
        return np.array([self._of_part(v) for v in directions]).reshape(len(directions), -1)
