"""Columns of numbers and of codes that need not fit in memory: read block by block in each pass."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Protocol, TypeGuard

import numpy as np

from ..arrays import Column, DType, Features, Indices, Matrix, Vector
from .base import LOOK_BYTES, Columns, Design, NotFinite, RowCounter
from .blockwise import Block
from .codes import CodedColumns
from .mixed import MixedRows, open_mixed
from .streamed import BLOCK_BYTES, LEAST_BLOCKS, MIN_BLOCK_ROWS, READ_NS, Bring, SourceDesign, where

__all__ = ["MixedSource", "StreamedMixedDesign", "is_mixed_source", "joined_rows"]

# A block has at least so many bytes: each makes designs of its own, and strips of its levels. A fit
# to 336,776 rows of 5 numbers and three codes took 0.41 s of processors in blocks of 0.15 MB.
LEAST_BYTES = 2**21
# Rows by which a block is judged: what a pass takes, how far columns are centred.
PROBE_ROWS = 256


class MixedSource(Protocol):
    """What a streamed design asks of rows of numbers and codes."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and features."""

    @property
    def dtype(self) -> DType:
        """Number type of what is read."""

    @property
    def row_bytes(self) -> int:
        """What a row takes: of a mixed source alone."""

    def __getitem__(self, rows: slice, /) -> MixedRows:
        """Return rows ``start:stop``, good until the next but one is asked for."""


def is_mixed_source(X: object) -> TypeGuard[MixedSource]:
    """Say whether slices of a source are numbers and codes."""
    return getattr(X, "row_bytes", None) is not None


class StreamedMixedDesign(SourceDesign[MixedRows]):
    """Passes over rows of numbers and codes that are read from their source in each pass.

    Each block is what `design.mixed.open_mixed` makes of it.

    Parameters
    ----------
    X : MixedSource
    n_threads : int, optional
        Number of threads that work on a block; None takes what the process may use.
    columns : Columns, optional
        Standardisation; none by default.
    counter : RowCounter, optional
        Where the rows read are counted; a new one by default.
    block_rows : int, optional
        Rows of a block. By default 16 MB, at most 1 % of X, at least 256 rows and 2 MB.
    """

    def __init__(
        self,
        X: MixedSource,
        *,
        n_threads: int | None = None,
        columns: Columns | None = None,
        counter: RowCounter | None = None,
        block_rows: int | None = None,
    ) -> None:
        self._X = X
        self._begin(X.shape, np.dtype(X.dtype), n_threads, columns, counter)
        self.block_rows = block_rows or _block_rows(X)

    def _bringing(self) -> Bring[MixedRows]:
        def bring(_: int, start: int, stop: int) -> MixedRows:
            return self._read(start, stop)

        return bring

    def _over(self, rows: MixedRows) -> Block:
        found: Block = open_mixed(rows, self.n_threads, self.counter).standardized(self.columns)
        return found

    def _read(self, start: int, stop: int) -> MixedRows:
        """Ask the source for rows ``start:stop``."""
        try:
            rows = self._X[start:stop]
        except Exception as error:
            error.add_note(where(start, stop))
            raise
        return rows

    def _read_blocks(self) -> Iterator[tuple[int, int, MixedRows]]:
        """Go over all blocks without work that could be done meanwhile: one pass."""
        self._turns.begin(None)
        for start, stop in self._blocks():
            self.counter.check()
            yield start, stop, self._read(start, stop)
            self.counter.rows += stop - start

    # ---- passes

    def column_means(self, weights: Vector, total_weight: float) -> Vector:
        """Return the weighted mean of each column of X less `center`: one pass."""
        return self._added_up(weights, total_weight, "column_means")

    def column_variances(self, weights: Vector, total_weight: float) -> Vector:
        """Return the weighted mean of each column's squared distance from `center`: one pass."""
        return self._added_up(weights, total_weight, "column_variances")

    def _added_up(self, weights: Vector, total_weight: float, of_block: str) -> Vector:
        total = np.zeros(self.shape[1])

        def add(block: Block, start: int, stop: int) -> None:
            own = weights[start:stop]
            weight = float(own.sum()) if weights.size else float(stop - start)
            if weight > 0.0:
                found = getattr(block, of_block)(own, weight)
                np.add(total, found * (weight / total_weight), out=total)

        with np.errstate(over="ignore", invalid="ignore"):
            self._for_each_block(add)
        return total

    def transposed_product(self, vectors: Matrix) -> tuple[Matrix, Vector]:
        """Return X' v of each vector (n_models, n_samples), and its sum: one pass."""
        slopes, levels = np.zeros((len(vectors), self.shape[1])), np.zeros(len(vectors))

        def add(block: Block, start: int, stop: int) -> None:
            own = np.ascontiguousarray(vectors[:, start:stop])
            of_columns, of_intercept = block.transposed_product(own)
            np.add(slopes, of_columns, out=slopes)
            np.add(levels, of_intercept, out=levels)

        self._for_each_block(add)
        return slopes, levels

    def first_not_finite(self) -> NotFinite | None:
        """Return the first value that is NaN or infinite, None where there is none: one pass."""
        for start, _, rows in self._read_blocks():
            found = open_mixed(rows, self.n_threads).first_not_finite()
            if found is not None:
                return found._replace(row=start + found.row)
        return None

    # ---- rows and columns as they are

    def row_blocks(self, size: int) -> Iterator[tuple[int, int, Features]]:
        """Go over the rows of X as they are: begin, end and rows of each block. One pass."""
        size = max(1, min(size, LOOK_BYTES // (8 * self.shape[1])))
        for start, stop, rows in self._read_blocks():
            block = open_mixed(rows, self.n_threads)
            for first in range(0, stop - start, size):
                last = min(first + size, stop - start)
                yield start + first, start + last, block.rows(np.arange(first, last))

    def rows(self, indices: Indices) -> Features:
        """Return a copy of some rows as they are, in the order of `indices`: at most one pass."""
        gathered = self._gathered(np.asarray(indices))
        return open_mixed(gathered, self.n_threads).rows(np.arange(len(indices)))

    def take(self, indices: Indices) -> Design:
        """Return a design over a copy of some rows."""
        return self._over(self._gathered(np.asarray(indices)))

    def _every(self, stride: int) -> MixedRows:
        return self._gathered(np.arange(0, self.shape[0], stride))

    def _gathered(self, indices: Indices) -> MixedRows:
        order = np.argsort(indices, kind="stable")
        wanted = indices[order]
        parts = [
            self._read(begin, end).take(wanted[place] - begin)
            for place, begin, end in self._wanted(wanted)
        ]
        if not parts:
            parts = [self._read(0, 1).take(np.empty(0, dtype=np.intp))]
        places = np.empty_like(order)
        places[order] = np.arange(order.size)
        return joined_rows(parts).take(places)

    def column(self, index: int) -> Column:
        """Return a column of X as it is, without standardisation: one pass."""
        parts = [open_mixed(rows, self.n_threads).column(index) for *_, rows in self._read_blocks()]
        return np.concatenate(parts)

    # ---- what passes cost, and lose

    @cached_property
    def _probe(self) -> Design:
        """A design over a copy of the first rows."""
        few = self._read(0, min(PROBE_ROWS, self.shape[0]))
        return open_mixed(few.take(np.arange(few.shape[0])), self.n_threads)

    @property
    def density(self) -> float:
        """Share of the values that a pass reads."""
        return self._probe.density

    @property
    def most_centred(self) -> float | Vector:
        """How many standard deviations from 0 the mean of each column may be that is centred."""
        return self._probe.most_centred

    @property
    def rounding(self) -> float:
        """How much larger than standardised values the numbers are that passes add up."""
        return self._probe.standardized(self.columns).rounding

    def pass_ns(self, n_models: int) -> float:
        """Return roughly how many nanoseconds a pass takes in one thread."""
        share = self.shape[0] / self._probe.shape[0]
        reading = READ_NS * self.shape[0] * self._X.row_bytes
        return float(max(reading, share * self._probe.pass_ns(n_models)))


def joined_rows(parts: list[MixedRows]) -> MixedRows:
    """Return rows of several parts one after the other: a copy."""
    if len(parts) == 1:
        return parts[0]
    first = parts[0]
    assert first.sparse is None  # sources have none such
    numbers = [part.numbers for part in parts if part.numbers is not None]
    codes = [part.codes for part in parts if part.codes is not None]
    coded = first.codes
    if coded is not None:
        joined = np.concatenate([part.codes for part in codes], axis=1)
        coded = CodedColumns(joined, coded.firsts, coded.levels, coded.n_levels)
    return MixedRows(np.concatenate(numbers) if numbers else None, None, coded, first.places)


def _block_rows(X: MixedSource) -> int:
    rows = max(X.shape[0] // LEAST_BLOCKS, LEAST_BYTES // X.row_bytes)
    rows = min(rows, BLOCK_BYTES // X.row_bytes)
    return max(1, rows // MIN_BLOCK_ROWS) * MIN_BLOCK_ROWS
