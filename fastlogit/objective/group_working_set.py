"""Some groups of columns, those that may move, with the Hessian of the smooth cost over them."""

from __future__ import annotations

import numpy as np

from ..arrays import Indices, Mask, Matrix, Vector
from .group_penalty import GroupL1
from .hessians import contrasts
from .objective import Objective
from .row_state import RowCurvature

__all__ = ["GroupWorkingSet"]

# From this share of the columns on none of them is copied.
MOST = 0.5


class GroupWorkingSet:
    """The cost of one model in some groups of columns, all others held at 0.

    Its points are vectors: group after group the coefficients of each column, then the intercepts.
    Of a softmax these are those of contrasts of the classes, in an orthonormal basis: what all
    classes share changes no prediction, and is 0 at the optimum.

    Parameters
    ----------
    whole : Objective
        Of one model, with a `GroupL1`.
    groups : ndarray of int
        Numbers of the groups in the order of their names; their columns are copied, but where these
        are most of all.
    levels : ndarray of shape (n_classes,)
        The intercepts, which stay where they are not fitted.

    Attributes
    ----------
    part : Objective
        Of the columns.
    groups : ndarray of int
    columns, part_columns : ndarray of int
        The columns in the order of its points, among all and among those of the part.
    size : int
        Of its points.
    starts : ndarray of int, shape (n_blocks + 1,)
        Where the blocks of a point begin: groups with L1, and free coefficients one by one.
    strengths : ndarray of shape (n_blocks,)
        Those of L1.
    theta, matrix, curvature
        Where the Hessian was made last, the Hessian of the smooth cost there, and row curvatures.
    """

    theta: Vector
    matrix: Matrix
    curvature: RowCurvature

    def __init__(self, whole: Objective, groups: Indices, levels: Vector) -> None:
        l1 = whole.l1
        assert isinstance(l1, GroupL1)
        self._whole, self.groups, self._levels = whole, groups, levels
        n_classes = whole.n_classes
        self._basis = contrasts(n_classes) if n_classes > 1 else np.ones((1, 1))
        varies = whole.design.columns.inverse_scale > 0.0
        inside = np.isin(l1.places, groups) & varies
        columns = np.flatnonzero(inside)
        order = columns[np.argsort(l1.places[columns], kind="stable")]
        self.columns, n_features = order, varies.size
        self.is_whole = columns.size >= MOST * n_features
        some = columns if columns.size else np.zeros(1, dtype=np.int64)
        self.part = whole if self.is_whole else whole.of_columns(some)
        self.part_columns = order if self.is_whole else np.searchsorted(some, order)
        self._shape = n_classes, n_features + 1
        self._lay_out(l1)

    def _lay_out(self, l1: GroupL1) -> None:
        """Set size, starts and strengths."""
        width = self._basis.shape[1]
        self._n_levels = width * self._whole.fit_intercept
        self.n_coef = width * self.columns.size
        self.size = self.n_coef + self._n_levels
        of_columns = l1.places[self.columns]
        strengths = l1.of_groups[0, of_columns]
        leads = np.ones(of_columns.size, dtype=bool)
        leads[1:] = of_columns[1:] != of_columns[:-1]
        first = np.repeat(strengths == 0.0, width)
        first[::width] |= leads
        begins = np.append(np.flatnonzero(first), self.n_coef + np.arange(self._n_levels))
        each = np.append(np.repeat(strengths, width), np.zeros(self._n_levels))
        self.starts = np.append(begins, self.size)
        self.strengths = each[begins]
        self.block_of = np.repeat(np.arange(begins.size), np.diff(self.starts))

    def covers(self, groups: Indices) -> bool:
        """Say whether these groups are among its own."""
        return bool(np.isin(groups, self.groups).all())

    def within(self, point: Vector) -> Vector:
        """Return the point: groups have no bounds."""
        return point

    def take(self, theta: Vector) -> Vector:
        """Return a point of all coefficients as one of its own."""
        return self._taken(theta.reshape(self._shape), self.columns)

    take_slopes = take

    def _taken(self, every: Matrix, places: Indices) -> Vector:
        coef = np.einsum("kj,ka->ja", every[:, :-1][:, places], self._basis)
        levels = np.einsum("k,ka->a", every[:, -1], self._basis)[: self._n_levels]
        return np.concatenate([coef.reshape(-1), levels])

    def put(self, point: Vector) -> Vector:
        """Return a point of its own as one of all coefficients."""
        return self._put(point, self.columns, self._shape[1])

    def _put(self, point: Vector, places: Indices, width: int) -> Vector:
        every = np.zeros((self._shape[0], width))
        coef = point[: self.n_coef].reshape(-1, self._basis.shape[1])
        every[:, places] = np.einsum("ja,ka->kj", coef, self._basis)
        every[:, -1] = self._levels
        if self._n_levels:
            every[:, -1] = np.einsum("a,ka->k", point[self.n_coef :], self._basis)
        return every.reshape(-1)

    def of_part(self, point: Vector) -> Vector:
        """Return a point of its own as one of the part."""
        return self._put(point, self.part_columns, self.part.design.shape[1] + 1)

    def _of_slopes(self, gradient: Vector) -> Vector:
        return self._taken(gradient.reshape(self._shape[0], -1), self.part_columns)

    def at(self, point: Vector) -> tuple[float, Vector, RowCurvature]:
        """Return cost, smooth gradient and row curvatures at a point of its own: a pass."""
        curvature = self.part.rows.empty_curvature()
        found = self.part.at(self.of_part(point)[None], curvature)
        return float(found.cost[0]), self._of_slopes(found.gradient[0]), curvature

    def look(self, point: Vector, curvature: RowCurvature) -> Matrix:
        """Return the Hessian at a point of its own, from the row curvatures there.

        Sets: theta, matrix, curvature.
        """
        self.theta, self.curvature = point.copy(), curvature
        self.matrix = self._hessian(curvature)
        return self.matrix

    def _hessian(self, curvature: RowCurvature) -> Matrix:
        return self._with_l2(self._of_matrix(self.part.rows.hessian(curvature, 0)))

    def majorizing(self, point: Vector) -> Matrix:
        """Return the Hessian of a function above the smooth cost that touches it at a point."""
        rows, n_classes = self.part.rows, self._shape[0]
        curvature = rows.majorizing(self.of_part(point)[None])
        blocks = rows.output_grams(curvature, 0.0)
        every = np.zeros((n_classes, blocks.shape[1], n_classes, blocks.shape[1]))
        for k, block in enumerate(blocks):
            every[k, :, k] = block
        return self._with_l2(self._of_matrix(every.reshape(n_classes * blocks.shape[1], -1)))

    def _of_matrix(self, matrix: Matrix) -> Matrix:
        """Return a matrix of all parameters of the part in the working set's coordinates."""
        n_classes = self._shape[0]
        width = len(matrix) // n_classes
        used = self.part_columns
        if self._n_levels:
            used = np.append(used, width - 1)
        if n_classes == 1:
            return matrix[np.ix_(used, used)]
        # Element by element: the sums of BLAS depend on the number of threads, and numpy's over
        # other axes than the last take ten times as long.
        every = matrix.reshape(n_classes, width, n_classes, width)
        basis, n_contrasts = self._basis, self._basis.shape[1]
        found = np.empty((used.size, n_contrasts, used.size, n_contrasts))
        own = [
            [every[k, :, m][np.ix_(used, used)] for m in range(n_classes)] for k in range(n_classes)
        ]
        for a in range(n_contrasts):
            half = [
                _combined(basis[:, a], [own[k][m] for k in range(n_classes)])
                for m in range(n_classes)
            ]
            for b in range(a, n_contrasts):
                both = _combined(basis[:, b], half)
                found[:, b, :, a] = both.T
                found[:, a, :, b] = both
        return found.reshape(self.size, self.size)

    def _with_l2(self, matrix: Matrix) -> Matrix:
        l2 = np.repeat(self._whole.penalty.diagonal()[0, self.columns], self._basis.shape[1])
        matrix.flat[: self.n_coef * (self.size + 1) : self.size + 1] += l2
        return matrix

    def reach(self, step: Vector) -> float:
        """Return the largest change of a raw prediction along a step, of a range of a softmax."""
        rows, direction = self.part.rows, self.of_part(step)
        if self._shape[0] > 1:
            return rows.largest_range(direction)
        if not self._n_levels:
            direction[-1] = 0.0
        nothing = rows.predictions(np.zeros((1, direction.size)))
        return float(rows.predictions(direction[None]).largest_change(nothing)[0])

    def moved(self, point: Vector) -> float:
        """Return by how much the logarithm of a curvature changed since the Hessian was made."""
        if not hasattr(self, "theta"):
            return np.inf
        if np.array_equal(self.theta, point):
            return 0.0
        return self.reach(point - self.theta)

    def product(self, directions: Matrix) -> Matrix:
        """Return the Hessian there times directions of its own, in rows: a pass for each."""
        return np.array(
            [
                self._of_slopes(self.part.hessian_product(self.curvature, self.of_part(v)[None])[0])
                for v in directions
            ]
        ).reshape(directions.shape)

    def lengths(self, point: Vector) -> Vector:
        """Return the length of each block of a point."""
        return np.asarray(np.sqrt(np.add.reduceat(np.square(point), self.starts[:-1])))

    def active(self, point: Vector) -> Mask:
        """Return which components belong to a block that is not 0, or that has no L1."""
        return ((self.lengths(point) > 0.0) | (self.strengths == 0.0))[self.block_of]


def _combined(shares: Vector, matrices: list[Matrix]) -> Matrix:
    """Return the sum of matrices times their shares."""
    found = shares[0] * matrices[0]
    for share, matrix in zip(shares[1:], matrices[1:], strict=True):
        if share != 0.0:
            found += share * matrix
    return found
