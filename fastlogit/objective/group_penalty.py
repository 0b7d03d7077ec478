"""Group lasso: the length of the coefficients of a group of columns, times its strength."""

from __future__ import annotations

from typing import NoReturn, Self

import numpy as np

from ..arrays import Floats, Indices, Labels, Mask, Matrix, Vector
from .penalties import L1

__all__ = ["GroupL1", "length_hessian"]


class GroupL1(L1):
    """The length of the coefficients of each group, over all classes that compete.

    It is an `L1` whose corner is the whole group at 0.

    Parameters
    ----------
    strengths : float or ndarray of shape (n_features,) or (n_models, n_features)
        Of each column's group: numbers >= 0; where columns of a group differ the largest counts.
    labels : ndarray of shape (n_features,)
        The group of each column: whole numbers or text.
    n_classes : int
        Outputs that a group spans: those of a softmax, else 1.

    Attributes
    ----------
    of_groups : ndarray of shape (1, n_groups) or (n_models, n_groups)
        The strengths, in the order of the sorted labels.
    strengths : ndarray of shape (n_sets, n_features)
        Those of the columns; where models differ of each output, as of all penalties.
    """

    def __init__(self, strengths: float | Floats, labels: Labels, n_classes: int = 1) -> None:
        super().__init__(strengths, labels.size)
        self.labels, self.n_classes = labels, n_classes
        self.names, self.places = np.unique(labels, return_inverse=True)
        largest = np.zeros((len(self.strengths), self.names.size))
        for own, found in zip(self.strengths, largest, strict=True):
            np.maximum.at(found, self.places, own)
        self.of_groups = largest
        self._of_models = largest[:, self.places]
        self.strengths = self._of_models
        if len(largest) > 1:
            self.strengths = np.repeat(self._of_models, n_classes, axis=0)
        self.n_sets = len(self.strengths)

    def lengths(self, coef: Matrix) -> Matrix:
        """Return the length of each group, (n_models, n_groups)."""
        each = coef.reshape(-1, self.n_classes, coef.shape[1])
        # Of squares of numbers near 1: lengths of tiny or huge coefficients keep their digits.
        size = np.abs(each).max(axis=(1, 2), initial=0.0)
        unit = np.where((size > 0.0) & np.isfinite(size), size, 1.0)
        squares = np.square(each / unit[:, None, None]).sum(axis=1)
        sums = np.zeros((len(each), self.names.size))
        for own, found in zip(squares, sums, strict=True):
            np.add.at(found, self.places, own)
        return np.asarray(np.sqrt(sums) * unit[:, None])

    def value(self, coef: Matrix) -> Vector:
        """Return the penalty: that of a model stands at its first output, the others have 0."""
        found = np.zeros(len(coef))
        found[:: self.n_classes] = (self.of_groups * self.lengths(coef)).sum(axis=1)
        return found

    def _spread(self, of_groups: Matrix, coef: Matrix) -> Matrix:
        """Return a number of each model and group for each coefficient."""
        return np.repeat(of_groups[:, self.places], self.n_classes, axis=0).reshape(coef.shape)

    def _by(self, coef: Matrix) -> Matrix:
        """Return the coefficients over the length of their group; 0 for a group at 0."""
        lengths = self._spread(self.lengths(coef), coef)
        return np.divide(coef, lengths, out=np.zeros(coef.shape), where=lengths > 0.0)

    def gradient(self, coef: Matrix) -> Matrix:
        """Return the subgradient of least norm, as `coef`: 0 at groups that are 0."""
        of_groups = np.broadcast_to(self.of_groups, (len(coef) // self.n_classes, self.names.size))
        return self._spread(of_groups, coef) * self._by(coef)

    def drawn(self, coef: Matrix, step_size: float) -> Matrix:
        """Return groups that are shorter by ``step_size * strengths``, and 0 within."""
        lengths = self.lengths(coef)
        left = np.maximum(lengths - step_size * self.of_groups, 0.0)
        return self._spread(left, coef) * self._by(coef)

    def corners(self, coef: Matrix) -> Mask:
        """Return which coefficients belong to a group at 0."""
        at_zero = (self.lengths(coef) == 0.0) & (self.of_groups > 0.0)
        return np.asarray(self._spread(at_zero.astype(np.float64), coef) > 0.0)

    def least_slopes(self, coef: Matrix, slopes: Matrix) -> Matrix:
        """Return the subgradient of least norm of this plus a function with these `slopes`."""
        return np.where(self.corners(coef), self.drawn(slopes, 1.0), slopes + self.gradient(coef))

    def conjugate(self, slopes: Matrix) -> Vector:
        """Return 0 where the slopes of each group are within its strength, else infinity."""
        found = np.zeros(len(slopes))
        beyond = (self.lengths(slopes) > self.of_groups).any(axis=1)
        found[:: self.n_classes] = np.where(beyond, np.inf, 0.0)
        return found

    def allowed(self, coef: Matrix) -> NoReturn:
        """Raise: slopes of a group are allowed together, and not each for itself."""
        raise NotImplementedError("slopes of a group are allowed together: see least_slopes")

    def scaled(self, inverse_scale: Vector) -> Self:
        """Return the same as a function of b with ``coef = b * inverse_scale``.

        All columns of a group that vary are to have the same.
        """
        return type(self)(self._of_models * inverse_scale, self.labels, self.n_classes)

    def times(self, factor: float) -> Self:
        """Return this penalty times a number > 0."""
        return type(self)(self._of_models * factor, self.labels, self.n_classes)

    def uniform(self, inverse_scale: Vector) -> Vector:
        """Return scales of which columns of a group have one: the least; those of 0 keep it."""
        varies = inverse_scale > 0.0
        least = np.full(self.names.size, np.inf)
        np.minimum.at(least, self.places[varies], inverse_scale[varies])
        return np.where(varies, least[self.places], inverse_scale)

    def of_outputs(self, outputs: Indices) -> Self:
        """Return the penalty of some outputs (an index array)."""
        if self.n_sets == 1:
            return self
        models = np.asarray(outputs)[:: self.n_classes] // self.n_classes
        return type(self)(self._of_models[models], self.labels, self.n_classes)

    def of_columns(self, columns: Indices) -> Self:
        """Return the penalty of some columns (an index array), whole groups of them."""
        return type(self)(self._of_models[:, columns], self.labels[columns], self.n_classes)


def length_hessian(coef: Vector, starts: Indices, strengths: Vector) -> Matrix:
    """Return the Hessian of the lengths of groups times their strengths; 0 for those at 0."""
    matrix = np.zeros((coef.size, coef.size))
    for first, stop, strength in zip(starts[:-1], starts[1:], strengths, strict=True):
        own = coef[first:stop]
        length = float(np.sqrt(np.square(own).sum()))
        if strength > 0.0 and length > 0.0 and stop - first > 1:
            unit = own / length
            block = np.eye(stop - first) - unit[:, None] * unit
            matrix[first:stop, first:stop] = strength / length * block
    return matrix
