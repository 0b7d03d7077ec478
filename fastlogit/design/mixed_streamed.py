"""Columns of numbers and of codes that need not fit in memory: read block by block in each pass."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Protocol, TypeGuard

import numpy as np

from ..arrays import Column, DType, Features, Indices, Matrix, Vector
from .base import LOOK_BYTES, Columns, Design, RowCounter
from .blockwise import Block
from .codes import CodedColumns
from .mixed import MixedRows, open_mixed
from .streamed import BLOCK_BYTES, LEAST_BLOCKS, MIN_BLOCK_ROWS, READ_NS
from .streamed_parts import PartsDesign

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


class StreamedMixedDesign(PartsDesign[MixedRows]):
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

    def _over(self, rows: MixedRows) -> Block:
        found: Block = open_mixed(rows, self.n_threads, self.counter).standardized(self.columns)
        return found

    def _slice(self, start: int, stop: int) -> MixedRows:
        return self._X[start:stop]

    def _plain(self, rows: MixedRows) -> Design:
        return open_mixed(rows, self.n_threads)

    def _join(self, parts: list[MixedRows]) -> MixedRows:
        return joined_rows(parts)

    # ---- passes

    def column_means(self, weights: Vector, total_weight: float) -> Vector:
        """Return the weighted mean of each column of X less `center`: one pass."""
        return self._added_up(weights, total_weight, "column_means")

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
