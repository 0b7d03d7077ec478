"""Sparse rows that need not fit in memory: each pass reads them block by block, one block ahead."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, TypeGuard

import numpy as np

from ..arrays import Column, DType, Features, Indices
from .algebra import MOST_CENTRED
from .base import LOOK_BYTES, Columns, CounterElsewhere, RowCounter
from .compressed import CompressedRows, joined
from .sparse import COLUMN_NS, MODEL_NS, ROW_NS, VALUE_NS, SparseDesign
from .streamed import BLOCK_BYTES, LEAST_BLOCKS, MIN_BLOCK_ROWS, READ_NS
from .streamed_parts import PartsDesign

__all__ = ["SparseSource", "StreamedSparseDesign", "is_sparse_source"]

# What a row takes besides its values: where these begin and end.
ROW_BYTES = 16
# A block has at least so many bytes: 20,000 x 50 with 5 values a row take 0.03 s in one block, 0.7
# in 78.
LEAST_BYTES = 2**20


class SparseSource(Protocol):
    """What a streamed design asks of sparse X."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""

    @property
    def dtype(self) -> DType:
        """Number type of all values, float32 or float64."""

    @property
    def n_values(self) -> int:
        """Values that are stored, or about so many."""

    def __getitem__(self, rows: slice, /) -> CompressedRows:
        """Return rows ``start:stop``, in memory that nobody else uses."""


def is_sparse_source(X: object) -> TypeGuard[SparseSource]:
    """Say whether slices of a source are sparse."""
    return getattr(X, "n_values", None) is not None


class StreamedSparseDesign(PartsDesign[CompressedRows]):
    """Passes over sparse rows that are read from their source in each pass.

    Each block is a `SparseDesign`; what is taken out of the rows is sparse, too.

    Parameters
    ----------
    X : SparseSource
    n_threads : int, optional
        Number of threads that work on a block; None takes what the process may use.
    columns : Columns, optional
        Standardisation; none by default.
    counter : RowCounter, optional
        Where the rows read are counted; a new one by default.
    block_rows : int, optional
        Rows of a block. By default 16 MB, at most 1 % of X, but at least 256 rows and 1 MB, and a
        value for each column where 16 MB hold so many: a block's sums take a number for each.
    """

    def __init__(
        self,
        X: SparseSource,
        *,
        n_threads: int | None = None,
        columns: Columns | None = None,
        counter: RowCounter | None = None,
        block_rows: int | None = None,
    ) -> None:
        n_samples, n_features = X.shape
        self._X = X
        self._begin((n_samples, n_features), np.dtype(X.dtype), n_threads, columns, counter)
        self.block_rows = block_rows or _block_rows(X)

    def _over(self, rows: CompressedRows) -> SparseDesign:
        return SparseDesign(
            rows, n_threads=self.n_threads, columns=self.columns, counter=self.counter
        )

    def _slice(self, start: int, stop: int) -> CompressedRows:
        return self._X[start:stop]

    def _plain(self, rows: CompressedRows) -> SparseDesign:
        return SparseDesign(rows, n_threads=self.n_threads)

    def _join(self, parts: list[CompressedRows]) -> CompressedRows:
        return joined(parts, self.dtype)

    # ---- rows and columns as they are

    def row_blocks(self, size: int) -> Iterator[tuple[int, int, Features]]:
        """Go over the rows of X as they are: begin, end and rows of each block. One pass."""
        size = max(1, min(size, LOOK_BYTES // (8 * self.shape[1])))
        for start, stop, rows in self._read_blocks():
            for first in range(0, stop - start, size):
                last = min(first + size, stop - start)
                yield start + first, start + last, rows.take(slice(first, last)).dense()

    def rows(self, indices: Indices) -> Features:
        """Return a copy of some rows as they are, in the order of `indices`: at most one pass."""
        return self._gathered(np.asarray(indices)).dense()

    def take(self, indices: Indices) -> SparseDesign:
        """Return a design over a copy of some rows."""
        return self._over(self._gathered(np.asarray(indices)))

    def column(self, index: int) -> Column:
        """Return a column of X as it is, without standardisation: one pass."""
        return np.concatenate([rows.column(index) for _, _, rows in self._read_blocks()])

    def columns_of(self, indices: Indices) -> SparseDesign:
        """Return a design over a copy of what some columns store, in their order: one pass."""
        parts = [
            joined([rows.transposed().take(indices).transposed()], self.dtype)
            for _, _, rows in self._read_blocks()
        ]
        return SparseDesign(
            joined(parts, self.dtype), n_threads=self.n_threads,
            columns=Columns(*(part[indices] for part in self.columns)),
            counter=CounterElsewhere(self.counter),
        )  # fmt: skip

    # ---- what passes cost, and lose

    @property
    def density(self) -> float:
        """Share of the values that are stored."""
        return self._X.n_values / (self.shape[0] * self.shape[1])

    @property
    def most_centred(self) -> float:
        """How many standard deviations from 0 the mean of a column may be that is centred."""
        return MOST_CENTRED

    @property
    def rounding(self) -> float:
        """How much larger than standardised values the numbers are that passes add up."""
        center, inverse_scale = self.columns
        with np.errstate(over="ignore", invalid="ignore"):
            return 1.0 + float(np.abs(center * inverse_scale).max(initial=0.0))

    def pass_ns(self, n_models: int) -> float:
        """Return roughly how many nanoseconds a pass takes in one thread."""
        (n_samples, n_features), n_values = self.shape, self._X.n_values
        reading = READ_NS * (n_values * (self.dtype.itemsize + 4) + n_samples * ROW_BYTES)
        n_blocks = -(-n_samples // self.block_rows)
        values = n_values * (VALUE_NS + MODEL_NS * (n_models - 1))
        ends = n_samples * ROW_NS + n_blocks * n_features * COLUMN_NS
        return float(max(reading, values + n_models * ends))


def _block_rows(X: SparseSource) -> int:
    n_samples, n_features = X.shape
    of_row = X.n_values / n_samples
    row_bytes = of_row * (np.dtype(X.dtype).itemsize + 4) + ROW_BYTES
    wanted = max(n_samples / LEAST_BLOCKS, n_features / (of_row + 1.0), LEAST_BYTES / row_bytes)
    rows = min(BLOCK_BYTES / row_bytes, wanted)
    return max(1, int(rows) // MIN_BLOCK_ROWS) * MIN_BLOCK_ROWS
