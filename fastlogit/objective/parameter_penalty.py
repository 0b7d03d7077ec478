"""A penalty as theta sees it: of the parameters of whole models, intercepts included."""

from __future__ import annotations

import numpy as np

from ..arrays import Indices, Matrix, Vector
from .penalties import Quadratic

__all__ = ["ParameterPenalty"]


class ParameterPenalty:
    """The Hessian of a penalty, in the parameters of models.

    A model has, for each of its outputs, the coefficients and then the intercept, which has no
    penalty.

    Parameters
    ----------
    penalty : Quadratic
        Of the coefficients of outputs, on the standardised scale.
    n_models, n_classes, n_features : int
    """

    def __init__(self, penalty: Quadratic, n_models: int, n_classes: int, n_features: int) -> None:
        self._penalty, self._n_features = penalty, n_features
        self._n_models, self._n_classes = n_models, n_classes

    def _outputs(self, model: int) -> Indices:
        return model * self._n_classes + np.arange(self._n_classes)

    def diagonals(self) -> Matrix:
        """Return the diagonal for each output of all models, (n_outputs, n_features + 1)."""
        l2, n_outputs = self._penalty.diagonal(), self._n_models * self._n_classes
        return np.column_stack(
            [np.broadcast_to(l2, (n_outputs, self._n_features)), np.zeros(n_outputs)]
        )

    def diagonal(self, model: int) -> Vector:
        """Return the diagonal for a model, of length n_parameters."""
        return self._with_intercepts(self._penalty.diagonal(), model)

    def floor(self, model: int) -> Vector:
        """Return a diagonal below the Hessian for a model, of length n_parameters."""
        return self._with_intercepts(self._penalty.floor(), model)

    def _with_intercepts(self, sets: Matrix, model: int) -> Vector:
        each = [np.append(sets[min(int(k), len(sets) - 1)], 0.0) for k in self._outputs(model)]
        return np.concatenate(each)

    def add_to(self, matrix: Matrix, model: int) -> None:
        """Add the Hessian to a matrix (n_parameters, n_parameters) of a model."""
        matrix.flat[:: len(matrix) + 1] += self.diagonal(model)
        size = self._n_features + 1
        for place, output in enumerate(self._outputs(model)):
            own = slice(place * size, (place + 1) * size)
            self._penalty.couple(matrix[own, own], int(output))

    def product(self, vectors: Matrix, model: int) -> Matrix:
        """Return the Hessian for a model times vectors in rows."""
        of_model = self._penalty.of_outputs(self._outputs(model))
        products = np.zeros((len(vectors), self._n_classes, self._n_features + 1))
        for own, vector in zip(products, vectors, strict=True):
            own[:, :-1] = of_model.product(vector.reshape(own.shape)[:, :-1])
        return products.reshape(len(vectors), -1)
