"""The evaluation of Firth's score over a small table of rows in memory.

The same numbers as the passes of `scores.MeanScore`: of 1,000 rows of 50 columns these spend half
of their time between the passes, and intervals of all columns ask for hundreds of evaluations. Not
by BLAS: its threads take 11 to 13 times as long where other processes keep the cores busy.
"""

from __future__ import annotations

import numpy as np
from scipy.special import expit

from ..arrays import Mask, Matrix, Vector
from ..design.base import Design
from ..design.row_sums import squares_of_rows
from ..linalg.factors import Factor
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
    design : Design
    table : ndarray of shape (n_samples, n_fitted)
    free : ndarray of bool, shape (size,)
        Which parameters these are.
    labels, weights, offset : ndarray of shape (n_samples,)
    """

    def __init__(
        self, design: Design, table: Matrix, free: Mask, labels: Vector, weights: Vector,
        offset: Vector,
    ) -> None:  # fmt: skip
        self._design = design
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
            design, np.ascontiguousarray(table[:, free]), free,
            (rows.codes_of(0) == rows.positive[0]).astype(np.float64),
            np.ones(n_samples) if weights is None else np.array(weights),
            np.zeros(n_samples) if offset is None else np.array(offset),
        )  # fmt: skip

    def at(self, theta: Vector) -> Point | None:
        """Return the point, its determinant on standardised columns; None where it is unclear."""
        free, table, weights = self._free, self._table, self._weights
        # A parameter that is not fitted stays: that of an intercept which is held.
        raw = np.einsum("ij,j->i", table, theta[free]) + self._offset
        if not free[-1]:
            raw += theta[-1]
        proba, rest = expit(raw), expit(-raw)
        beyond, curvature = proba - 0.5, weights * proba * rest
        information = self._design.gram(curvature)
        information[~free], information[:, ~free] = 0.0, 0.0
        factor = Factor(information, CLEAR)
        if (factor.dependent & free).any():
            return None
        root = factor.half_solve(np.eye(free.size))
        root[~free] = 0.0
        leverages = squares_of_rows(self._design, np.ascontiguousarray(root.T))
        leverages *= curvature
        residuals = weights * (proba - self._labels)
        gradient = np.zeros(free.size)
        gradient[free] = np.einsum("i,ij->j", residuals + leverages * beyond, table)
        # log(1 + e^z) - y z, without a difference of large numbers.
        losses = np.log1p(np.exp(-np.abs(raw))) + np.maximum(raw, 0.0) - self._labels * raw
        log_likelihood = -float(weights @ losses)
        half_log_det = float(np.log(np.diag(factor.lower)[free]).sum())
        return Point(
            theta, -log_likelihood - half_log_det, gradient, information, root, log_likelihood,
            RowNumbers(curvature, residuals, leverages, beyond),
        )  # fmt: skip
