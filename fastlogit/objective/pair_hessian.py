"""The Hessian of a softmax in some pairs of class and column, as sums over blocks of rows.

With p the probabilities of a row and z its standardised values, the entry of (k, i) and (l, j) is
the sum of ``p_k ([k = l] - p_l) z_i z_j``. Between classes that is one Gram matrix of the columns
``p_k z_i``; within a class a Gram matrix of weights ``p_k`` times the sum of the other classes', so
that no difference of probabilities is formed.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from ..arrays import Indices, Matrix, Vector
from ..design.base import CounterElsewhere, Design
from ..design.dense import DenseDesign

__all__ = ["class_blocks", "pair_hessian"]

# Numbers of a block of rows that are gathered at a time, 8 MB; and its least rows, for each block's
# sums are added to the matrix: 24 MB of 3,000 pairs.
GATHERED, LEAST_ROWS = 1_000_000, 1024


def pair_hessian(
    design: Design, shares: Matrix, total_weight: float, classes: Indices, places: Indices,
    fit_intercept: bool,
) -> Matrix:  # fmt: skip
    """Return the Hessian of the mean loss in some pairs, and in intercepts of all classes but one.

    Parameters
    ----------
    design : Design
    shares : ndarray of shape (n_classes, n_samples)
        Row weight times probability.
    total_weight : float
    classes, places : ndarray of int, shape (n_pairs,)
        Class and column of each pair, class after class.
    fit_intercept : bool
        Whether the intercepts, less that of the last class, follow the pairs.

    Returns
    -------
    ndarray of shape (n_pairs + n_classes - 1,) * 2, or (n_pairs, n_pairs)
    """
    n_classes = len(shares)
    weight = shares.sum(axis=0)
    inverse = np.divide(1.0, weight, out=np.zeros_like(weight), where=weight > 0.0)
    within = _others(shares) * shares * inverse
    root = shares * np.sqrt(inverse)
    n_levels = (n_classes - 1) * fit_intercept
    size = classes.size + n_levels
    matrix = np.zeros((size, size))
    blocks = _Blocks(classes, n_classes, fit_intercept)
    for start, stop, values in _standardized(design, places):
        part = root[:, start:stop]
        scaled = np.empty((stop - start, size))
        np.multiply(values, part[classes].T, out=scaled[:, : classes.size])
        scaled[:, classes.size :] = part[:n_levels].T
        matrix -= _gram(design, scaled, np.ones(stop - start))[:-1, :-1]
        blocks.add(design, values, within[:, start:stop])
    blocks.write(matrix)
    return matrix / total_weight


def class_blocks(
    design: Design, curvature: Matrix, total_weight: float, classes: Indices, places: Indices,
    fit_intercept: bool,
) -> Matrix:  # fmt: skip
    """Return X' diag(curvature) X of each class in its pairs, over the weight; else 0.

    `curvature` has shape (n_classes, n_samples), the rest is as for `pair_hessian`.
    """
    n_classes = len(curvature)
    size = classes.size + (n_classes - 1) * fit_intercept
    matrix = np.zeros((size, size))
    blocks = _Blocks(classes, n_classes, fit_intercept)
    for start, stop, values in _standardized(design, places):
        blocks.add(design, values, curvature[:, start:stop])
    blocks.write(matrix)
    return matrix / total_weight


class _Blocks:
    """Sums over the rows for each class in its own pairs and its intercept."""

    def __init__(self, classes: Indices, n_classes: int, fit_intercept: bool) -> None:
        bounds = np.searchsorted(classes, np.arange(n_classes + 1))
        self._own = [slice(a, b) for a, b in itertools.pairwise(bounds)]
        self._places = [np.arange(own.start, own.stop) for own in self._own]
        if fit_intercept:
            for k in range(n_classes - 1):
                self._places[k] = np.append(self._places[k], classes.size + k)
        self._sums = [np.zeros((places.size, places.size)) for places in self._places]

    def add(self, design: Design, values: Matrix, weights: Matrix) -> None:
        """Add rows; `weights` has shape (n_classes, n_rows)."""
        for own, sums, of_class in zip(self._own, self._sums, weights, strict=True):
            columns = np.ascontiguousarray(values[:, own])
            if columns.shape[1]:
                size = len(sums)
                sums += _gram(design, columns, np.ascontiguousarray(of_class))[:size, :size]
            else:
                sums += of_class.sum()

    def write(self, matrix: Matrix) -> None:
        """Put the sums into a matrix of all pairs and intercepts."""
        for places, sums in zip(self._places, self._sums, strict=True):
            matrix[np.ix_(places, places)] = sums


def _gram(design: Design, values: Matrix, weights: Vector) -> Matrix:
    counter = CounterElsewhere(design.counter)
    return DenseDesign(values, n_threads=design.n_threads, counter=counter).gram(weights)


def _standardized(design: Design, places: Indices) -> Iterator[tuple[int, int, Matrix]]:
    """Go over the standardised values of the rows in some columns, with first and last row."""
    center, scale = design.columns.center[places], design.columns.inverse_scale[places]
    size = max(LEAST_ROWS, GATHERED // max(1, places.size))
    for first, last, rows in design.row_blocks(size):
        for start in range(first, last, size):
            stop = min(start + size, last)
            values = np.subtract(
                rows[start - first : stop - first, places], center, dtype=np.float64
            )
            values *= scale
            yield start, stop, np.ascontiguousarray(values)


def _others(shares: Matrix) -> Matrix:
    """Return for each class the sum of the others, without a difference."""
    total = np.zeros_like(shares)
    for k in range(len(shares)):
        total[k] = np.delete(shares, k, axis=0).sum(axis=0)
    return total
