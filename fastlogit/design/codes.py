"""Categorical columns as codes, one small whole number a row: never expanded to indicators.

To whoever asks they are the indicators of levels, 1 where a row has the level and 0 elsewhere: of
all levels of a column (full coding), or of all but the first (reference coding).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from ..arrays import Array, Column, Features, Indices, Matrix, Vector
from ..kernels import codes as kernels
from ..kernels.policy import Twins
from .algebra import ROUNDINGS, row_measures, standard_gram
from .base import (
    Columns,
    Design,
    NotFinite,
    RowCounter,
    as_they_are,
    readonly,
)
from .compressed import CompressedRows
from .dense import DenseDesign
from .scattered import Room, ScatteredDesign
from .sparse import SparseDesign
from .stored_columns import GivesStored, design_of

__all__ = ["CodedColumns", "CodesDesign", "code_columns"]

# Serial time of a pass: for each code and model, for each row.
CODE_NS, ROW_NS = 2.0, 8.0
# Serial time of a Gram matrix: for each pair of columns and row.
PAIR_NS = 1.0
# Chunks of rows, each with a strip of its own: at most so many, of at least so many codes, and at
# least so many codes for each number of a strip. At least `FEW_CHUNKS` where there are rows for
# them, for threads.
MAX_CHUNKS, CHUNK_CODES, STRIP_CODES, FEW_CHUNKS = 64, 8192, 6, 4
# Numbers of all strips of a Gram matrix: 128 MB, or two of them.
GRAM_NUMBERS = 2**24
# Numbers of a block of rows, which are in cache when gradients follow predictions.
BLOCK_NUMBERS, LEAST_ROWS, MOST_ROWS = 2048, 16, 256


@dataclass(frozen=True, eq=False)
class CodedColumns:
    """Categorical columns, checked: each code is below the levels of its column.

    Attributes
    ----------
    codes : ndarray of shape (n_columns, n_samples)
        Of the smallest unsigned type that holds the levels of each.
    firsts : ndarray of int64, shape (n_columns,)
        Number of each column's first level: those of all columns are counted on.
    levels : ndarray of int64, shape (n_features,)
        Number of the level of which each feature is the indicator. They rise.
    n_levels : int
        Of all columns.
    """

    codes: Array
    firsts: Indices
    levels: Indices
    n_levels: int

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and features."""
        return self.codes.shape[1], len(self.levels)

    @cached_property
    def feature_of(self) -> Indices:
        """The feature of each level, -1 for a level without one."""
        found = np.full(self.n_levels, -1, dtype=np.intp)
        found[self.levels] = np.arange(len(self.levels))
        return found

    def take(self, rows: Indices | slice) -> CodedColumns:
        """Return some rows: a copy of their codes, or for a slice of step 1 the same memory."""
        return CodedColumns(self.codes[:, rows], self.firsts, self.levels, self.n_levels)

    def dense(self) -> Features:
        """Return the indicators of all rows as an array: for few of them."""
        n_samples, n_features = self.shape
        out = np.zeros((n_samples, n_features + 1))  # the last for levels without a feature
        for codes, first in zip(self.codes, self.firsts, strict=True):
            out[np.arange(n_samples), self.feature_of[first + codes.astype(np.intp)]] = 1.0
        return np.ascontiguousarray(out[:, :-1])

    def as_kernels_take(self) -> kernels.CodedRows:
        """Return the same for the kernels, over the same memory where codes lie in a row."""
        codes = self.codes
        if codes.strides[1] != codes.itemsize:
            codes = np.ascontiguousarray(codes)
        stride = codes.strides[0] // codes.itemsize
        size = (len(codes) - 1) * stride + codes.shape[1]
        flat = np.lib.stride_tricks.as_strided(codes, (size,), (codes.itemsize,), writeable=False)
        return kernels.CodedRows(flat, stride, readonly(self.firsts), self.n_levels)

    def stored(self, features: Indices) -> CompressedRows:
        """Return the indicators of some features, each as a row of what it stores."""
        places = np.searchsorted(self.firsts, self.levels[features], side="right") - 1
        begins, ends = np.empty((2, len(features)), dtype=np.int64)
        rows, n_stored = [], 0
        for place in np.unique(places):
            codes, own = self.codes[place], np.flatnonzero(places == place)
            order = np.argsort(codes, kind="stable").astype(np.int32)
            wanted = self.levels[features[own]] - self.firsts[place]
            marks = np.searchsorted(codes[order], np.stack([wanted, wanted + 1]))
            begins[own], ends[own] = marks + n_stored
            rows.append(order)
            n_stored += len(order)
        indices = np.concatenate(rows) if rows else np.empty(0, dtype=np.int32)
        return CompressedRows(
            readonly(np.ones(len(indices))), readonly(indices), readonly(begins), readonly(ends),
            (len(features), self.codes.shape[1]),
        )  # fmt: skip

    def indicator(self, feature: int) -> Column:
        """Return the indicator of one level."""
        level = int(self.levels[feature])
        column = int(np.searchsorted(self.firsts, level, side="right")) - 1
        found: Column = (self.codes[column] == level - self.firsts[column]).astype(np.float64)
        return found


def code_columns(
    columns: Sequence[Array], n_levels: Sequence[int], *, drop_first: bool
) -> CodedColumns:
    """Return categorical columns for a design.

    Parameters
    ----------
    columns : sequence of ndarray of shape (n_samples,)
        Whole numbers from 0 on, one for each row.
    n_levels : sequence of int
        How many levels each column has.
    drop_first : bool
        Reference coding: the first level of each column has no coefficient. Else each level has.

    Raises
    ------
    ValueError
        If a code is missing, which is a number below 0, or not below the levels of its column.
    """
    largest = max(n_levels)
    kind = np.min_scalar_type(max(largest - 1, 0))
    codes = np.empty((len(columns), len(columns[0])), dtype=kind)
    firsts = np.cumsum(np.concatenate([[0], n_levels]))
    levels = np.arange(firsts[-1])
    for place, (column, size) in enumerate(zip(columns, n_levels, strict=True)):
        bad = np.flatnonzero((column < 0) | (column >= size))
        if bad.size:
            row = int(bad[0])
            raise ValueError(
                f"categorical column {place} has code {int(column[row])} (row {row}), outside 0 to "
                f"{size - 1}; fill missing categories first"
            )
        codes[place] = column
    if drop_first:
        levels = np.setdiff1d(levels, firsts[:-1])
    return CodedColumns(
        readonly(codes), readonly(firsts[:-1].astype(np.int64)), readonly(levels), int(firsts[-1])
    )


class CodesDesign(ScatteredDesign, GivesStored):
    """Passes over categorical columns: coefficients are looked up, gradients scattered by code.

    Parameters
    ----------
    X : CodedColumns
    n_threads : int, optional
        Number of threads; None takes what the process may use.
    columns : Columns, optional
        Standardisation; none by default.
    counter : RowCounter, optional
        Where the rows read are counted; a new one by default.
    """

    passes = kernels.PASSES

    def __init__(
        self,
        X: CodedColumns,
        *,
        n_threads: int | None = None,
        columns: Columns | None = None,
        counter: RowCounter | None = None,
    ) -> None:
        self.given = X
        self._rows = X.as_kernels_take()
        self.shape, self.dtype = X.shape, np.dtype(np.float64)
        self.n_threads = n_threads
        self.counter = counter or RowCounter(X.shape[0])
        self.columns = columns or as_they_are(X.shape[1])

    def bounds(self, strip_numbers: int, most: int = MAX_CHUNKS) -> Indices:
        """Return the rows at which chunks begin, and the last ends, by the shape alone."""
        n_columns, n_samples = self.given.codes.shape
        n_codes = n_columns * n_samples
        few = FEW_CHUNKS if n_codes >= strip_numbers else 1
        n_chunks = max(few, n_codes // (STRIP_CODES * strip_numbers))
        n_chunks = min(n_chunks, most, max(1, n_codes // CHUNK_CODES), n_samples)
        found: Indices = np.linspace(0, n_samples, n_chunks + 1).astype(np.int64)
        return readonly(found)

    @property
    def kernel_rows(self) -> kernels.CodedRows:
        """The rows as kernels take them."""
        return self._rows

    def _over_rows(self, rows: Indices | slice) -> CodesDesign:
        return CodesDesign(
            self.given.take(rows), n_threads=self.n_threads, columns=self.columns,
            counter=self.counter,
        )  # fmt: skip

    def _bounds(self) -> Indices:
        return self.bounds(1)

    def _block(self, n_slots: int) -> int:
        return max(LEAST_ROWS, min(MOST_ROWS, BLOCK_NUMBERS // n_slots // 8 * 8))

    def _table(self, coef: Matrix) -> tuple[Vector, int, Vector]:
        """Return a coefficient for each level, 0 where it has none."""
        center, inverse_scale = self.columns
        scaled = coef * inverse_scale
        n_models, n_slots = len(scaled), kernels.model_slots(len(scaled))
        table = np.zeros((self.given.n_levels, n_slots))
        table[self.given.levels, :n_models] = scaled.T
        # Not by BLAS, whose bits and threads are its own.
        return table.reshape(-1), n_slots, (scaled * center).sum(axis=1)

    def _of_features(self, sums: Vector, n_slots: int) -> Vector:
        return sums.reshape(-1, n_slots)[self.given.levels].reshape(-1)

    def _take_room(self, n_models: int, n_slots: int) -> Room:
        numbers, bounds = self.given.n_levels * n_slots, self.bounds(self.given.n_levels)
        n_chunks = len(bounds) - 1
        strips, totals = np.empty((n_chunks, numbers)), np.empty((n_chunks, 2 * n_models))
        return Room(bounds, strips, totals, strips.reshape(-1))

    # ---- products and sums

    def gram(self, curvature: Vector) -> Matrix:
        """Return X' diag(curvature) X, shape (n_features + 1,) * 2, intercept last: one pass."""
        width, levels = self.given.n_levels, self.given.levels
        n_columns, n_samples = self.given.codes.shape
        size = width * width
        bounds = self.bounds(size, max(2, min(MAX_CHUNKS, GRAM_NUMBERS // size)))
        strips, found = np.empty((len(bounds) - 1, size)), np.empty(size)
        weights = readonly(np.ascontiguousarray(curvature))
        work_ns = PAIR_NS * n_samples * n_columns * (n_columns + 1) / 2 + size
        with self._team_for(work_ns) as parallel:
            kernels.gram.choose(parallel)(self.kernel_rows, bounds, weights, strips, found)
        self.counter.rows += n_samples
        products = found.reshape(width, width)[np.ix_(levels, levels)]
        scale = self.columns.inverse_scale
        with np.errstate(over="ignore", invalid="ignore"):
            sums = products.diagonal() * scale
            inner = (np.tril(products) + np.tril(products, -1).T) * scale * scale[:, None]
        return standard_gram(self.columns, inner, sums, float(weights.sum()))

    def products_with_dense(self, dense: DenseDesign, weights: Vector) -> Matrix:
        """Return the sums of weight times centred dense row over each feature's rows.

        Of shape (n_features, columns of `dense`), neither standardised otherwise: a part of a pass.
        """
        layout, rows = dense.kernel_rows
        n_columns, width = dense.shape[1], kernels.width_of(dense.shape[1])
        run = kernels.products_with_dense(layout)
        found = self._products(run, rows, weights, width).reshape(-1, width)
        return found[np.ix_(self.given.levels, kernels.slots_of(n_columns, layout))]

    def products_with_sparse(self, sparse: SparseDesign, weights: Vector) -> Matrix:
        """Return the sums of weight times sparse row over each feature's rows, as they are."""
        n_columns = sparse.shape[1]
        found = self._products(kernels.products_with_sparse, sparse.kernel_rows, weights, n_columns)
        return found.reshape(-1, n_columns)[self.given.levels]

    def _products(self, run: Twins, others: NamedTuple, weights: Vector, width: int) -> Vector:
        """Return the products of levels with other columns, `width` for each level."""
        size, (n_columns, n_samples) = self.given.n_levels * width, self.given.codes.shape
        bounds = self.bounds(size, max(2, min(MAX_CHUNKS, GRAM_NUMBERS // size)))
        strips, found = np.empty((len(bounds) - 1, size)), np.empty(size)
        with self._team_for(PAIR_NS * n_samples * n_columns * width + size) as parallel:
            run.choose(parallel)(self.kernel_rows, others, bounds, weights, strips, found)
        return found

    def transposed_product(self, vectors: Matrix) -> tuple[Matrix, Vector]:
        """Return X' v of each vector (n_models, n_samples), and its sum: one pass.

        Without the predictions and losses of `evaluate`, which would take as long again.
        """
        given, numbers = self.given, self.given.n_levels * len(vectors)
        bounds = self.bounds(given.n_levels)
        strips, found = np.empty((len(bounds) - 1, numbers)), np.empty(numbers)
        with self._team(len(vectors)) as parallel:
            kernels.scatter.choose(parallel)(
                self.kernel_rows, bounds, readonly(np.ascontiguousarray(vectors)), strips, found
            )
        sums = found.reshape(len(vectors), given.n_levels)
        with np.errstate(over="ignore", invalid="ignore"):
            # Each row has one level of the first column.
            levels = sums[:, : _end_of_first(given)].sum(axis=1)
            slopes = sums[:, given.levels] - levels[:, None] * self.columns.center
            slopes *= self.columns.inverse_scale
        self.counter.rows += self.shape[0]
        return slopes, levels

    def column_variances(self, weights: Vector, total_weight: float) -> Vector:
        """Return the weighted mean of each column's squared distance from `center`: one pass.

        From the share of the rows that have a level: no value but 0 and 1 occurs.
        """
        unmoved = self.standardized(as_they_are(self.shape[1]))
        share = unmoved.column_means(weights, total_weight)
        center = self.columns.center
        with np.errstate(over="ignore", invalid="ignore"):
            far, near = np.square(1.0 - center), np.square(center)
            return share * far + np.maximum(1.0 - share, 0.0) * near

    def row_sizes(self, scale: Vector, shift: Vector) -> Vector:
        """Return the sum of squares of ``(standardised row - shift) * scale`` of each row."""
        measures, base = row_measures(self.columns, scale, shift)
        middle, squares = measures.T
        with np.errstate(over="ignore", invalid="ignore"):
            # (1 - m)^2 where a row has the level, in place of m^2.
            more = squares * (1.0 - 2.0 * middle)
        plain = self.standardized(as_they_are(self.shape[1]))
        sizes: Vector = plain.raw_prediction(more[None], np.array([base]))[0]
        np.maximum(sizes, 0.0, out=sizes)
        sizes += ROUNDINGS * base
        return sizes

    def largest_row(self, scale: Vector, shift: Vector) -> float:
        """Return the largest sum of squares of ``(standardised row - shift) * scale``: one pass."""
        largest = float(self.row_sizes(scale, shift).max())
        return largest if largest == largest else np.inf

    # ---- rows and columns as they are

    @property
    def stored_share(self) -> float:
        """Share of the values that are 1, as if each level had a column."""
        return len(self.given.codes) / self.shape[1]

    def columns_of(self, indices: Indices) -> Design:
        """Return a design over where rows have some of the levels, in their order: one pass."""
        return design_of(self, indices, self.given.stored(indices))

    def rows(self, indices: Indices) -> Features:
        """Return a copy of some rows as they are, in the order of `indices`; for few of them."""
        return self.given.take(np.asarray(indices, dtype=np.intp)).dense()

    def column(self, index: int) -> Column:
        """Return a column of X as it is, without standardisation."""
        return self.given.indicator(index)

    def first_not_finite(self) -> NotFinite | None:
        """Return None: codes are finite."""
        return None

    def gram_of_rows(self) -> Matrix | None:
        """Return Z Z' for the standardised rows Z, (n_samples, n_samples): one pass."""
        center, inverse_scale = self.columns
        n_samples, given = self.shape[0], self.given
        squares = np.zeros(given.n_levels)
        squares[given.levels] = np.square(inverse_scale)
        matrix = np.zeros((n_samples, n_samples))
        for codes, first in zip(given.codes, given.firsts, strict=True):
            of_rows = squares[first + codes.astype(np.intp)]
            for row in range(n_samples):
                matrix[row] += (codes == codes[row]) * of_rows
        moved = np.square(inverse_scale) * center
        levels = self.standardized(as_they_are(self.shape[1])).raw_prediction(
            moved[None], np.zeros(1)
        )[0]
        matrix -= levels + levels[:, None] - float((moved * center).sum())
        return matrix

    # ---- what passes cost, and lose

    @property
    def density(self) -> float:
        """Share of the values that a pass reads: a code for each column."""
        return len(self.given.codes) / max(1, self.shape[1])

    def pass_ns(self, n_models: int) -> float:
        """Return roughly how many nanoseconds a pass takes in one thread."""
        n_columns, n_samples = self.given.codes.shape
        return float(n_models * n_samples * (n_columns * CODE_NS + ROW_NS))


def _end_of_first(given: CodedColumns) -> int:
    """Return how many levels the first column has."""
    return int(given.firsts[1]) if len(given.firsts) > 1 else given.n_levels
