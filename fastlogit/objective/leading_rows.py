"""The rows of largest curvature of a model, and the inverse of their products plus a diagonal."""

from __future__ import annotations

import numpy as np

from ..arrays import Matrix, Vector
from ..design.base import Columns, Design
from ..linalg.factors import Factor

__all__ = ["LeadingInverse", "LeadingRows"]


class LeadingRows:
    """Some rows S of a model, times the roots of their share in its Hessian.

    Parameters
    ----------
    design : Design
        A copy of the rows, in memory.
    shares : ndarray of shape (n_rows,)
        Their curvatures over the weight of all rows.
    fit_intercept : bool

    Attributes
    ----------
    n_rows : int
    weight : float
        The sum of the shares.
    """

    def __init__(self, design: Design, shares: Vector, fit_intercept: bool) -> None:
        self._design, self._roots, self._level = design, np.sqrt(shares), float(fit_intercept)
        self.n_rows, self.weight = len(shares), float(shares.sum())

    def inverse_beside(self, diagonal: Vector) -> LeadingInverse:
        """Return (B + S' S)^-1 for a diagonal B >= 0; where that is 0 the inverse is, too."""
        inverse = np.divide(1.0, diagonal, out=np.zeros_like(diagonal), where=diagonal > 0.0)
        inverse[-1] *= self._level
        center, inverse_scale = self._design.columns
        scaled = self._design.standardized(Columns(center, inverse_scale * np.sqrt(inverse[:-1])))
        gram = scaled.gram_of_rows()
        assert gram is not None  # of rows in memory
        gram += inverse[-1]
        gram *= self._roots * self._roots[:, None]
        gram.flat[:: len(gram) + 1] += 1.0
        return LeadingInverse(self._design, self._roots, inverse, gram)


class LeadingInverse:
    """(B + S' S)^-1 by way of I + S B^-1 S' (Woodbury, 1950).

    Parameters
    ----------
    design : Design
    roots : ndarray of shape (n_rows,)
        What the rows of the design are multiplied by.
    inverse : ndarray of shape (n_parameters,)
        The diagonal of B^-1.
    inner : ndarray of shape (n_rows, n_rows)
        I + S B^-1 S'.
    """

    def __init__(self, design: Design, roots: Vector, inverse: Vector, inner: Matrix) -> None:
        self._design, self._roots, self._inverse = design, roots, inverse
        self._factor = Factor(inner, 0.0)

    def solve(self, vector: Vector) -> Vector:
        """Return the inverse times a vector: two passes over the rows."""
        scaled = self._inverse * vector
        raw = self._design.raw_prediction(scaled[None, :-1].copy(), scaled[-1:].copy())
        shares = self._roots * self._factor.solve(self._roots * raw)
        slopes, levels = self._design.transposed_product(shares)
        return scaled - self._inverse * np.append(slopes[0], levels[0])
