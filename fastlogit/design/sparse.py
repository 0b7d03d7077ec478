"""Rows of which only some values are stored, read in place: SciPy's sparse matrices and arrays."""

from __future__ import annotations

import contextlib
import math
from functools import cached_property

import numpy as np

from .. import threads
from ..arrays import Column, Features, Indices, Matrix, Vector
from ..kernels import sparse as kernels
from ..kernels.column_descent import SomeColumns
from ..kernels.scaling import PARTS, pack
from ..kernels.simd import LANES
from .algebra import ROUNDINGS, row_measures, standard_gram
from .base import (
    Columns,
    CounterElsewhere,
    NotFinite,
    RowCounter,
    as_they_are,
    at_line,
    readonly,
)
from .compressed import CompressedRows
from .narrow import NarrowEquation, Quadratics, is_narrow_enough
from .scattered import COLUMN_NS as SCALING_NS
from .scattered import Room, ScatteredDesign
from .weighed import Weighed

__all__ = ["SparseDesign"]

# Serial time of a pass: for each stored value and model, for each row, for each column.
VALUE_NS, MODEL_NS, ROW_NS, COLUMN_NS = 1.5, 0.6, 12.0, 1.0
# Serial time of a Gram matrix: for each product of two stored values.
PRODUCT_NS = 1.0
# Chunks of rows, each with a strip of its own: at most so many, of at least so many values, and at
# least so many values for each number of a strip, whose memory is then 3 % of that of X. With 6 in
# place of 24 a fit of 200,000 x 100,000, 45 values a row, takes a tenth more processor time in one
# thread, and a third more in two (least of four in turns): strips have to be added up. At least
# `FEW_CHUNKS` where there are values for them, for threads.
MAX_CHUNKS, CHUNK_VALUES, STRIP_VALUES, FEW_CHUNKS = 64, 8192, 24, 4
# Numbers of all strips: 64 MB, or as many as there are values; and at least `FEW_CHUNKS` strips.
STRIP_NUMBERS = 2**23
# Numbers of all strips of a Gram matrix: 128 MB, or two of them.
GRAM_NUMBERS = 2**24
# Numbers of a table, and values times outputs, from which on Newton's equation is float32's.
NARROW_TABLE, NARROW_VALUES = 2**17, 2**24
# Values of a block of rows, which are in cache when gradients follow predictions.
BLOCK_VALUES, LEAST_ROWS, MOST_ROWS = 8192, 8, 128


class _Rows:
    """Rows with what is derived from them once, for all designs over them."""

    def __init__(self, given: CompressedRows) -> None:
        self.given = given
        self.kernel_rows = given.as_kernels_take()
        n_samples, n_features = given.shape
        mean = given.n_values / n_samples
        size = int(BLOCK_VALUES / (mean + 1.0)) // 8 * 8
        self.block = max(LEAST_ROWS, min(MOST_ROWS, size))
        wanted = given.n_values // (STRIP_VALUES * n_features)
        most = min(MAX_CHUNKS, max(1, given.n_values // CHUNK_VALUES), n_samples)
        few = FEW_CHUNKS if given.n_values >= n_features else 1
        self.bounds = self.chunks(_even(max(few, wanted), most))
        self._most_numbers = max(STRIP_NUMBERS, given.n_values)
        self._kept: list[Vector] = []
        self._scaled: tuple[CompressedRows, Vector] | None = None
        self._bounds = {len(self.bounds) - 1: self.bounds}

    def chunks(self, n_chunks: int) -> Indices:
        """Return the rows at which chunks of about as many values each begin, and the last end."""
        work = np.cumsum(self.given.ends - self.given.begins + 2)
        marks = np.linspace(0, work[-1], n_chunks + 1)[1:-1]
        inner = np.searchsorted(work, marks)
        return readonly(np.concatenate([[0], inner, [len(work)]]).astype(np.int64))

    def take_room(self, n_models: int, n_slots: int) -> Room:
        """Return room for a pass of so many models; `keep_room` takes it back."""
        n_chunks = len(self.bounds) - 1
        most = max(FEW_CHUNKS, self._most_numbers // (n_slots * self.given.shape[1]))
        if n_slots >= LANES:
            # Their strips leave the cache: a product of 20 models with 20,000 x 10,000 of 42 values
            # a row takes one thread 14.6 ms in 8 chunks, 16.6 in 16 (least of 9 in turns).
            most = min(most, max(FEW_CHUNKS, n_chunks // 2))
        return self._room(n_models, n_slots, most)

    def take_room_of_pairs(self) -> Room:
        """Return room for two sums of each column: no more than for one model."""
        return self._room(1, 2, max(1, (len(self.bounds) - 1) // 2))

    def _room(self, n_models: int, n_slots: int, most: int) -> Room:
        n_chunks, size = min(len(self.bounds) - 1, _even(most, most)), n_slots * self.given.shape[1]
        if n_chunks not in self._bounds:
            self._bounds[n_chunks] = self.chunks(n_chunks)
        numbers = np.empty(0)
        with contextlib.suppress(IndexError):  # of another thread that took the last
            numbers = self._kept.pop()
        if numbers.size < n_chunks * size:
            numbers = at_line(n_chunks * size)
        strips = numbers[: n_chunks * size].reshape(n_chunks, size)
        return Room(self._bounds[n_chunks], strips, np.empty((n_chunks, 2 * n_models)), numbers)

    def keep_room(self, room: Room) -> None:
        """Keep memory for the next pass, of any number of models."""
        self._kept.append(room.numbers)

    @cached_property
    def longest(self) -> int:
        """Values of the row that has the most."""
        return int((self.given.ends - self.given.begins).max())

    @cached_property
    def ones(self) -> Vector:
        """A 1 for each row."""
        return readonly(np.ones(self.given.shape[0]))

    @cached_property
    def columns(self) -> CompressedRows:
        """The values column by column: a copy, made where single columns are asked for."""
        return self.given.transposed()

    def scaled_columns(self, scale: Vector) -> tuple[CompressedRows, Vector]:
        """Return a copy of the columns as numbers of 32 bits, and what each is to be divided by.

        They are scaled as the first asks for it, so that none is too large or small.
        """
        if self._scaled is None:
            factors = readonly(np.where(scale > 0.0, scale, 1.0))
            self._scaled = self.given.scaled_columns(factors, np.dtype(np.float32)), factors
        return self._scaled

    @cached_property
    def n_products(self) -> float:
        """Products of two values of a row, over all rows."""
        return float(0.5 * np.square((self.given.ends - self.given.begins).astype(float)).sum())


def _even(wanted: int, most: int) -> int:
    """Return about as many chunks, a power of two: threads get as many each.

    15 chunks of equal work take two threads the time of 16.
    """
    return 2 ** min(round(math.log2(max(1, wanted))), int(math.log2(max(1, most))))


class SparseDesign(ScatteredDesign):
    """Passes over rows of which only some values are stored; the others are 0.

    Parameters
    ----------
    X : CompressedRows
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
        X: CompressedRows,
        *,
        n_threads: int | None = None,
        columns: Columns | None = None,
        counter: RowCounter | None = None,
    ) -> None:
        self._all = _Rows(X)
        self.shape, self.dtype = X.shape, X.dtype
        self.n_threads = n_threads
        self.counter = counter or RowCounter(X.shape[0])
        self.columns = columns or as_they_are(X.shape[1])

    @property
    def kernel_rows(self) -> kernels.SparseRows:
        """The rows as kernels take them."""
        return self._all.kernel_rows

    def _over_rows(self, rows: Indices | slice) -> SparseDesign:
        return SparseDesign(
            self._all.given.take(rows), n_threads=self.n_threads, columns=self.columns,
            counter=self.counter,
        )  # fmt: skip

    def _bounds(self) -> Indices:
        return self._all.bounds

    def _block(self, n_slots: int) -> int:
        return self._all.block

    def _table(self, coef: Matrix) -> tuple[Vector, int, Vector]:
        n_models, n_features = coef.shape
        n_slots, shifts = kernels.model_slots(n_models), np.empty((PARTS, n_models))
        table = at_line(n_features * n_slots)
        given = np.ascontiguousarray(coef), *self.columns
        with threads.team(self.n_threads, SCALING_NS * coef.size) as parallel:
            pack.choose(parallel)(*map(readonly, given), n_slots, table, shifts)
        return table, n_slots, np.add.reduce(shifts)

    def _of_features(self, sums: Vector, n_slots: int) -> Vector:
        return sums

    def _take_room(self, n_models: int, n_slots: int) -> Room:
        return self._all.take_room(n_models, n_slots)

    def _keep_room(self, room: Room) -> None:
        self._all.keep_room(room)

    # ---- Newton's equation in float32

    def solves_narrow(self, n_outputs: int) -> bool:
        """Say whether Newton's equation of so many outputs is best solved in float32, and can be.

        Where tables leave the second level of the cache, and a fit takes seconds.
        """
        n_samples, n_features = self.shape
        n_slots, given = kernels.model_slots(n_outputs), self._all.given
        if n_slots < LANES or n_slots * n_features < NARROW_TABLE:
            return False
        if n_outputs * given.n_values < NARROW_VALUES:
            return False
        longest = n_samples // max(1, (len(self._all.bounds) - 1) // 2)
        return is_narrow_enough(self.columns.inverse_scale, self.rounding, longest)

    def narrow_equation(self, models: Quadratics, gradient: Matrix) -> NarrowEquation:
        """Return that equation, of gradients (n_outputs, n_features + 1)."""
        return NarrowEquation(self, models, gradient)

    # ---- products and sums

    def gram(self, curvature: Vector) -> Matrix:
        """Return X' diag(curvature) X, shape (n_features + 1,) * 2, intercept last: one pass."""
        inner, sums = self._products(curvature, self._all.ones, self.columns.inverse_scale)
        return standard_gram(self.columns, inner, sums, float(curvature.sum()))

    def _products(self, weights: Vector, roots: Vector, scale: Vector) -> tuple[Matrix, Vector]:
        """Return the Gram matrix of the scaled values, and their sums: one pass."""
        n_samples, n_features = self.shape
        size, rows = n_features * (n_features + 1), self._all
        most = max(2, GRAM_NUMBERS // size)
        bounds = rows.bounds if len(rows.bounds) - 1 <= most else rows.chunks(most)
        strips, found = np.empty((len(bounds) - 1, size)), np.empty(size)
        weights = np.ascontiguousarray(weights)
        with self._team_for(PRODUCT_NS * rows.n_products + size) as parallel:
            kernels.gram.choose(parallel)(
                rows.kernel_rows, bounds, readonly(weights), readonly(roots), readonly(scale),
                strips, found,
            )  # fmt: skip
        self.counter.rows += n_samples
        lines = found.reshape(n_features + 1, n_features)
        return np.tril(lines[:-1]) + np.tril(lines[:-1], -1).T, lines[-1]

    def column_variances(self, weights: Vector, total_weight: float) -> Vector:
        """Return the weighted mean of each column's squared distance from `center`: one pass.

        The rows that do not have the column are as far from it as 0 is, and all of their weight.
        """
        rows, (center, _) = self._all, self.columns
        n_features = self.shape[1]
        sets = readonly(weights.reshape(-1 if weights.size else 0, weights.size))
        room = rows.take_room_of_pairs()
        with self._team(1) as parallel:
            kernels.column_sums.choose(parallel)(
                rows.kernel_rows, room.bounds, sets, readonly(center), room.strips, room.gradient
            )
        squares, seen = room.gradient.reshape(n_features, 2).T
        with np.errstate(over="ignore", invalid="ignore"):
            rest = np.maximum(total_weight - seen, 0.0)
            # What is left beside all rows but a part in 2^40 is rounding.
            rest[rest < 2.0**-40 * total_weight / self.shape[0]] = 0.0
            found = (squares + rest * np.square(center)) / total_weight
        rows.keep_room(room)
        self.counter.rows += self.shape[0]
        return found

    def largest_row(self, scale: Vector, shift: Vector) -> float:
        """Return the largest sum of squares of ``(standardised row - shift) * scale``: one pass."""
        measures, base = row_measures(self.columns, scale, shift)
        rows, flat = self._all, readonly(measures.reshape(-1))
        largest = np.empty(len(rows.bounds) - 1)
        with self._team(1) as parallel:
            kernels.largest_row.choose(parallel)(rows.kernel_rows, rows.bounds, flat, base, largest)
        self.counter.rows += self.shape[0]
        # Never below the truth, by what a difference may have lost.
        return max(0.0, float(largest.max())) + ROUNDINGS * base

    def row_sizes(self, scale: Vector, shift: Vector) -> Vector:
        """Return the sum of squares of ``(standardised row - shift) * scale`` of each row."""
        measures, base = row_measures(self.columns, scale, shift)
        middle, squares = measures.T
        given, n_samples = self._all.given, self.shape[0]
        with np.errstate(over="ignore", invalid="ignore"):
            of_row = np.repeat(np.arange(n_samples), given.ends - given.begins)
            columns, values = given.indices[given.places()], given.data[given.places()]
            values = values.astype(np.float64)
            parts = values * (values - 2.0 * middle[columns]) * squares[columns]
            sizes = np.bincount(of_row, weights=parts, minlength=n_samples)
            found: Vector = np.maximum(base + sizes, 0.0) + ROUNDINGS * base
        return found

    # ---- rows and columns as they are

    def rows(self, indices: Indices) -> Features:
        """Return a copy of some rows as they are, in the order of `indices`; for few of them."""
        return self._all.given.take(indices).dense()

    def column(self, index: int) -> Column:
        """Return a column of X as it is, without standardisation."""
        return self._all.columns.take(slice(index, index + 1)).dense()[0]

    def first_not_finite(self) -> NotFinite | None:
        """Return the first value that is NaN or infinite, None where there is none: one pass."""
        rows = self._all
        found = np.empty((len(rows.bounds) - 1, 2), dtype=np.int64)
        with self._team(1) as parallel:
            kernels.first_not_finite.choose(parallel)(rows.kernel_rows, rows.bounds, found)
        self.counter.rows += self.shape[0]
        for row, place in found:
            if row >= 0:
                given = rows.given
                return NotFinite(int(row), int(given.indices[place]), float(given.data[place]))
        return None

    def gram_of_rows(self) -> Matrix | None:
        """Return Z Z' for the standardised rows Z, (n_samples, n_samples): one pass.

        The sum over the columns of products of their values, as `gram` makes it of the rows.
        """
        center, inverse_scale = self.columns
        n_samples, n_features = self.shape
        turned = SparseDesign(
            self._all.columns, n_threads=self.n_threads, counter=RowCounter(n_features)
        )
        turned.counter.clock = self.counter.clock
        matrix, _ = turned._products(turned._all.ones, inverse_scale, self._all.ones)
        if center.any():
            middle = center * inverse_scale
            plain = self.standardized(Columns(np.zeros(n_features), inverse_scale))
            levels = plain.raw_prediction(middle[None], np.zeros(1))[0]
            matrix -= levels + levels[:, None] - float(np.square(middle).sum())
            return matrix  # that pass has been counted
        self.counter.rows += n_samples
        return matrix

    # ---- other designs over the same rows

    def columns_of(self, indices: Indices) -> SparseDesign:
        """Return a design over a copy of what some columns store, in their order: one pass."""
        self.counter.rows += self.shape[0]
        columns = Columns(*(part[indices] for part in self.columns))
        return SparseDesign(
            self.stored(indices).transposed(), n_threads=self.n_threads,
            columns=columns, counter=CounterElsewhere(self.counter),
        )  # fmt: skip

    def stored(self, indices: Indices) -> CompressedRows:
        """Return some columns, each as a row of what it stores."""
        return self._all.columns.take(indices)

    def gives_columns(self, count: int) -> bool:
        """Say whether so many of `some_columns` can be had, for the price of their values."""
        return True

    def some_columns(self, indices: Indices) -> tuple[SomeColumns, Vector]:
        """Return some scaled columns for kernels, and what their centres are on that scale."""
        source, (center, inverse_scale) = self._all.columns, self.columns
        begins, ends = source.begins[indices], source.ends[indices]
        self.counter.rows += int(self.shape[0] * (ends - begins).sum() / max(1, source.n_values))
        scale = inverse_scale[indices]
        middles = center[indices] * scale
        return SomeColumns(source.data, source.indices, begins, ends, scale), middles

    def weighed_columns(self, indices: Indices, weights: Vector) -> Weighed:
        """Return some columns as sweeps over sparse ones take them."""
        center, inverse_scale = self.columns
        source, factors = self._all.scaled_columns(inverse_scale)
        begins, ends = readonly(source.begins[indices]), readonly(source.ends[indices])
        self.counter.rows += int(self.shape[0] * (ends - begins).sum() / max(1, source.n_values))
        some = SomeColumns(
            source.data, source.indices, begins, ends,
            readonly(inverse_scale[indices] / factors[indices]),
        )  # fmt: skip
        return Weighed(some, weights, center[indices] * inverse_scale[indices], self._team_for)

    # ---- what passes cost, and lose

    @property
    def density(self) -> float:
        """Share of the values that are stored."""
        return self._all.given.n_values / (self.shape[0] * self.shape[1])

    @property
    def longest_sum(self) -> float:
        """How many products of a row's raw prediction are added one after the other, at the most.

        Those of the longest row, and of a part of the columns what centring takes off.
        """
        return min(super().longest_sum, self._all.longest + self.shape[1] / PARTS)

    def pass_ns(self, n_models: int) -> float:
        """Return roughly how many nanoseconds a pass takes in one thread."""
        n_samples, n_features = self.shape
        values = self._all.given.n_values * (VALUE_NS + MODEL_NS * (n_models - 1))
        return float(values + n_models * (n_samples * ROW_NS + n_features * COLUMN_NS))
