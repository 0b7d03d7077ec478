"""What an iteration knows of each row, kept where the rows are.

Solvers and certificates hold such an object and hand it back to the objective: they take the models
that still move, and ask for sums and extremes over the rows. The numbers themselves are for the
objective and its loss, which go over the rows.
"""

from __future__ import annotations

from types import EllipsisType
from typing import NoReturn

import numpy as np

from ..arrays import IndexMatrix, Indices, Mask, Matrix, Vector

__all__ = ["RowCurvature", "RowPredictions", "RowResiduals"]


class _OfModels:
    """Numbers of the rows for each of several models.

    Attributes
    ----------
    values : ndarray of shape (n_models, ...)
        For those who go over the rows.
    """

    def __init__(self, values: Matrix) -> None:
        self.values = values

    def __len__(self) -> int:
        return len(self.values)

    def __array__(self, *_: object, **__: object) -> NoReturn:
        raise TypeError(f"{type(self).__name__} is no array: ask it, or the objective")


class RowCurvature(_OfModels):
    """Row curvatures of models, (n_models, n_classes * n_samples): see `Objective.curvature`."""

    def __getitem__(self, models: int | np.intp | Indices | Mask) -> RowCurvature:
        """Return those of some models: an index, or an array of them or of booleans."""
        which = slice(models, models + 1) if np.ndim(models) == 0 else models
        return RowCurvature(self.values[which])

    def __setitem__(self, models: int | Indices | Mask | EllipsisType, other: RowCurvature) -> None:
        """Take those of some models over from another."""
        self.values[models] = other.values

    def like(self, n_models: int | None = None) -> RowCurvature:
        """Return another of the same rows, for as many models or so many, not filled yet."""
        n_models = len(self) if n_models is None else n_models
        return RowCurvature(np.empty((n_models, self.values.shape[1])))

    def totals(self) -> Vector:
        """Return the sum over the rows (and classes) of each model, (n_models,)."""
        return self.values.sum(axis=1)

    def least_positive(self) -> float:
        """Return the least of those that are positive; infinite where none is."""
        least = float(self.values.min(initial=np.inf))
        if least > 0.0:  # as a rule: to leave some out takes four times as long
            return least
        return float(self.values.min(initial=np.inf, where=self.values > 0.0))

    def n_positive(self) -> int:
        """Return how many are positive."""
        if self.values.min(initial=np.inf) > 0.0:
            return self.values.size
        return int(np.count_nonzero(self.values))

    def draw(self, count: int) -> IndexMatrix:
        """Return `count` indices of rows for each model, in proportion to its curvatures."""
        return np.array([_draw(own, count) for own in self.values])

    def leading(self, count: int) -> tuple[Indices, Vector]:
        """Return the `count` rows of largest curvature of the first model, and these curvatures."""
        own = self.values[0]
        rows = np.sort(np.argsort(-own, kind="stable")[:count])
        return rows, own[rows]

    def is_like(self, model: int, other: int, share: float) -> bool:
        """Say whether two models differ by at most a share of the second, in the mean."""
        apart = np.abs(self.values[model] - self.values[other]).sum()
        return bool(not apart > share * self.values[other].sum())


class RowResiduals(_OfModels):
    """Weighted residuals of outputs, (n_outputs, n_samples): the slopes of the rows' losses."""

    def totals(self) -> Vector:
        """Return the sum over the rows of each output: the slope of the intercept."""
        return self.values.sum(axis=1)


class RowPredictions(_OfModels):
    """Raw predictions of models for the rows, (n_models, n_samples), without offset."""

    def __getitem__(self, models: int) -> RowPredictions:
        """Return a copy of those of a model."""
        return RowPredictions(self.values[[models]])

    def largest(self, curvature: RowCurvature) -> Vector:
        """Return the largest size of each model's, among rows whose curvature is positive."""
        counts = curvature.values > 0.0
        highest = self.values.max(axis=1, initial=0.0, where=counts)
        found: Vector = np.maximum(highest, -self.values.min(axis=1, initial=0.0, where=counts))
        # Whatever is not a number counts as large.
        return np.where(np.isnan(found), np.inf, found)

    def squares(self, curvature: RowCurvature) -> Vector:
        """Return the sum of each model's squares, times the rows' curvatures."""
        found: Vector = np.einsum("ij,ij,ij->i", self.values, self.values, curvature.values)
        return found

    def largest_change(self, other: RowPredictions) -> Vector:
        """Return for each model the largest difference to the other's only or same model."""
        return np.abs(self.values - other.values).max(axis=1)


def _draw(weights: Vector, count: int) -> Indices:
    """Return `count` indices, in equal steps along the running sum of the weights."""
    total = np.cumsum(weights)
    if not total[-1] > 0.0:
        return np.linspace(0, weights.size - 1, count).astype(np.int64)
    steps = (np.arange(count) + 0.5) / count * total[-1]
    return np.minimum(np.searchsorted(total, steps), weights.size - 1)
