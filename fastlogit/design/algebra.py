"""Products of standardised columns, by algebra from those of the columns as they are."""

from __future__ import annotations

import numpy as np

from ..arrays import Matrix, Vector
from .base import Columns

__all__ = ["MOST_CENTRED", "ROUNDINGS", "row_measures", "standard_gram", "standard_products"]

# Farther from 0, in standard deviations, columns are not centred: the Hessian in their direction
# would lose four digits and more.
MOST_CENTRED = 100.0
# Roundings of the sum of squares of a row of zeros, as shares of it.
ROUNDINGS = 2.0**-46


def row_measures(columns: Columns, scale: Vector, shift: Vector) -> tuple[Matrix, float]:
    """Return what sizes of rows ``(standardised row - shift) * scale`` are made of.

    Returns
    -------
    measures : ndarray of shape (n_features, 2)
        The middle of each column and its square: a row's size is the sum of
        ``square * (x - middle)^2``.
    base : float
        That of a row of zeros.
    """
    center, inverse_scale = columns
    with np.errstate(over="ignore", invalid="ignore"):
        measures = np.zeros((len(center), 2))
        middle, squares = measures.T
        np.divide(shift, inverse_scale, out=middle, where=inverse_scale > 0.0)
        middle += center
        scales = inverse_scale * scale
        np.square(scales, out=squares)
        scales *= middle
        base = float(np.square(scales, out=scales).sum())
    return measures, base


def standard_gram(columns: Columns, inner: Matrix, sums: Vector, weight: float) -> Matrix:
    """Return the Gram matrix of standardised columns, and of ones behind them.

    Parameters
    ----------
    columns : Columns
    inner : ndarray of shape (n_features, n_features)
        Weighted products of the scaled columns, not centred; used up.
    sums : ndarray of shape (n_features,)
        Weighted sums of the same.
    weight : float
        That of all rows.

    Returns
    -------
    ndarray of shape (n_features + 1, n_features + 1)
    """
    center, inverse_scale = columns
    size = len(center) + 1
    matrix = np.empty((size, size))
    with np.errstate(over="ignore", invalid="ignore"):
        moved = sums
        if center.any():
            middle = center * inverse_scale
            moved = sums - weight * middle
            # x y' - c y' - (x - c w) c'
            inner -= np.multiply.outer(middle, sums) + np.multiply.outer(moved, middle)
            inner[...] = 0.5 * (inner + inner.T)
    matrix[:-1, :-1], matrix[-1, :-1], matrix[:-1, -1] = inner, moved, moved
    matrix[-1, -1] = weight
    return matrix


def standard_products(
    products: Matrix, of_rows: Columns, of_columns: Columns, sums: Vector, moved: Vector
) -> Matrix:
    """Return weighted products of two sets of standardised columns.

    Parameters
    ----------
    products : ndarray of shape (n, m)
        Those of the columns as they are.
    of_rows, of_columns : Columns
        Standardisation of the first and of the second set.
    sums : ndarray of shape (n,)
        Weighted sums of the first set as it is.
    moved : ndarray of shape (m,)
        Weighted sums of the second set, centred.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        found = products - np.multiply.outer(sums, of_columns.center)
        found -= np.multiply.outer(of_rows.center, moved)
        found *= of_columns.inverse_scale
        found *= of_rows.inverse_scale[:, None]
    return found
