"""The evaluation of Firth's score over a small table of rows in memory, in a few products.

The same numbers as the passes of `scores.MeanScore`: of 1,000 rows of 50 columns these spend most
of their time between the passes, and intervals of all columns ask for hundreds of evaluations.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg.lapack import dtrtri
from scipy.special import expit

from ..arrays import Mask, Matrix, Vector
from ..objective.objective import Objective
from .points import Point, RowNumbers

__all__ = ["SmallRows"]

# Numbers of a table: 2 MB.
MOST_NUMBERS = 2**18
# Where a pivot is below this share of its column's curvature the passes look closer.
CLEAR = 1e-7


class SmallRows:
    """Standardised rows with their 1, labels, weights and offset, in the columns that are fitted.

    Parameters
    ----------
    table : ndarray of shape (n_samples, n_fitted)
    free : ndarray of bool, shape (size,)
        Which parameters these are.
    labels, weights, offset : ndarray of shape (n_samples,)
    """

    def __init__(
        self, table: Matrix, free: Mask, labels: Vector, weights: Vector, offset: Vector
    ) -> None:
        self._table, self._free = table, free
        self._labels, self._weights, self._offset = labels, weights, offset

    @classmethod
    def of(cls, objective: Objective) -> SmallRows | None:
        """Return the rows of an objective, where they are few and to be had at no cost."""
        design, rows = objective.design, objective.rows
        n_samples, n_features = design.shape
        if n_samples * (n_features + 1) > MOST_NUMBERS or not design.gives_rows_freely:
            return None
        center, inverse_scale = design.columns
        table = np.ones((n_samples, n_features + 1))
        for start, stop, block in design.row_blocks(n_samples):
            table[start:stop, :-1] = (np.asarray(block, np.float64) - center) * inverse_scale
        free = objective.fitted()
        weights, offset = rows.weights_of(0), rows.offset_of(0)
        return cls(
            np.ascontiguousarray(table[:, free]), free,
            (rows.codes_of(0) == rows.positive[0]).astype(np.float64),
            np.ones(n_samples) if weights is None else np.array(weights),
            np.zeros(n_samples) if offset is None else np.array(offset),
        )  # fmt: skip

    def at(self, theta: Vector) -> Point | None:
        """Return the point, its determinant on standardised columns; None where it is unclear."""
        free, table, weights = self._free, self._table, self._weights
        # A parameter that is not fitted stays: that of an intercept which is held.
        raw = table @ theta[free] + self._offset
        if not free[-1]:
            raw += theta[-1]
        proba, rest = expit(raw), expit(-raw)
        beyond, curvature = proba - 0.5, weights * proba * rest
        half = table * np.sqrt(curvature)[:, None]
        information = half.T @ half
        try:
            lower = np.linalg.cholesky(information)
        except np.linalg.LinAlgError:
            return None
        pivots = np.diag(lower)
        if not (pivots * pivots > CLEAR * np.diag(information)).all():
            return None
        inverse, _ = dtrtri(lower, lower=1)
        root = np.ascontiguousarray(np.tril(inverse).T)
        spread = half @ root
        leverages = np.einsum("ij,ij->i", spread, spread)
        residuals = weights * (proba - self._labels)
        gradient = table.T @ (residuals + leverages * beyond)
        # log(1 + e^z) - y z, without a difference of large numbers.
        losses = np.log1p(np.exp(-np.abs(raw))) + np.maximum(raw, 0.0) - self._labels * raw
        log_likelihood = -float(weights @ losses)
        return Point(
            theta, -log_likelihood - float(np.log(pivots).sum()), self._whole(gradient[None])[0],
            self._whole(self._whole(information).T), self._whole(root.T).T, log_likelihood,
            RowNumbers(curvature, residuals, leverages, beyond),
        )  # fmt: skip

    def _whole(self, rows: Matrix) -> Matrix:
        """Return rows with zeros for parameters that are not fitted."""
        if self._free.all():
            return rows
        whole = np.zeros((len(rows), self._free.size))
        whole[:, self._free] = rows
        return whole
