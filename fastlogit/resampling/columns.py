"""Columns of X taken apart and put together again, for tests of one given the others.

X is an array or compressed rows. A residual is dense: beside sparse columns it is a block of its
own, so that these stay as they are.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TypeAlias

import numpy as np

from ..arrays import Indices, Matrix, Vector
from ..design.base import Columns
from ..design.compressed import CompressedRows
from ..design.mixed import MixedRows
from ..design.sparse import SparseDesign
from ..inputs.validation import NO_NUMBERS

__all__ = ["AnyColumns", "AnyRows", "beside", "column_of", "last_moved", "residual_of", "without"]

# X as given, and with a dense column as its last.
AnyRows: TypeAlias = Matrix | CompressedRows
AnyColumns: TypeAlias = Matrix | MixedRows

# Conjugate gradients of a regression on sparse columns end where the square of the gradient is so
# small beside the first, what is left so small beside the column, or after so many products.
LEAST_SQUARE, LEAST_LEFT, MOST_PRODUCTS = 1e-26, 1e-12, 1_000


def column_of(X: AnyRows, index: int) -> Vector:
    """Return a column as float64."""
    if isinstance(X, CompressedRows):
        return X.column(index).astype(np.float64)
    return X[:, index]


def without(X: AnyRows, index: int) -> AnyRows:
    """Return a copy without a column."""
    if isinstance(X, CompressedRows):
        kept = np.delete(np.arange(X.shape[1]), index)
        return X.transposed().take(kept).transposed()
    return np.delete(X, index, axis=1)


def beside(others: AnyRows, column: Vector) -> AnyColumns:
    """Return columns with one more behind them."""
    if not isinstance(others, CompressedRows):
        return np.column_stack([others, column])
    n_others = others.shape[1]
    if not n_others:
        return np.ascontiguousarray(column[:, None])
    places = (np.array([n_others]), np.arange(n_others))
    return MixedRows(np.ascontiguousarray(column[:, None]), others, None, places)


def last_moved(X: AnyColumns, places: Indices) -> AnyColumns:
    """Return a copy of which the last column has its values of these rows."""
    if isinstance(X, MixedRows):
        assert X.numbers is not None
        return replace(X, numbers=X.numbers[places])
    moved = X.copy()
    moved[:, -1] = X[places, -1]
    return moved


def residual_of(column: Vector, others: AnyRows) -> Vector:
    """Return what a regression on others, with an intercept, leaves of a column.

    On sparse columns it is by conjugate gradients (CGLS; Bjorck, 1996, Numerical Methods for Least
    Squares Problems, section 7.4): what they have not reached stays in the residual, which together
    with the others spans the same space in any case.
    """
    unit = np.ldexp(1.0, int(np.frexp(np.abs(column).max())[1]))
    centered = column / unit
    centered = centered - centered.mean()
    left = _beside_sparse if isinstance(others, CompressedRows) else _beside_dense
    return left(centered, others) * unit  # type: ignore[arg-type]  # of the kind just asked for


def _beside_dense(centered: Vector, others: Matrix) -> Vector:
    # Columns of any size are squared.
    largest = np.abs(others).max(axis=0)
    rest = others[:, largest > 0.0] / largest[largest > 0.0]
    rest = rest - rest.mean(axis=0)
    scale = np.sqrt((rest**2).mean(axis=0))
    rest = rest[:, scale > 0.0] / scale[scale > 0.0]
    if not rest.shape[1]:
        return centered
    return centered - rest @ np.linalg.lstsq(rest, centered)[0]


def _beside_sparse(centered: Vector, others: CompressedRows) -> Vector:
    if not others.shape[1]:
        return centered
    design = _standardized(others)
    left, first = centered.copy(), _square(centered)
    gradient = design.transposed_product(left[None])[0][0]
    direction, size = gradient, _square(gradient)
    enough = LEAST_SQUARE * size
    for _ in range(MOST_PRODUCTS):
        if size <= enough or _square(left) <= LEAST_LEFT**2 * first:
            break
        product = design.raw_prediction(direction[None], np.zeros(1))[0]
        square = _square(product)
        if not square > 0.0:
            break
        left = left - (size / square) * product
        gradient = design.transposed_product(left[None])[0][0]
        before, size = size, _square(gradient)
        direction = gradient + (size / before) * direction
    return left - left.mean()


def _standardized(rows: CompressedRows) -> SparseDesign:
    """Return rows with columns of mean 0 and variance 1; those that do not vary are 0."""
    n_samples, n_features = rows.shape
    plain = SparseDesign(rows)
    mean = plain.column_means(NO_NUMBERS, float(n_samples))
    centred = plain.standardized(Columns(mean, np.ones(n_features)))
    variance = centred.column_variances(NO_NUMBERS, float(n_samples))
    inverse_scale = np.zeros(n_features)
    varies = variance > 0.0
    inverse_scale[varies] = 1.0 / np.sqrt(variance[varies])
    return plain.standardized(Columns(mean, inverse_scale))


def _square(vector: Vector) -> float:
    # Without BLAS, whose bits change with its threads.
    return float(np.einsum("i,i->", vector, vector))
