"""Columns of numbers, sparse columns and categorical ones side by side, as checked input has them.

What a frame with categories is read as: nothing is expanded, each kind lies as its kernels take it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..arrays import DType, Features, Indices
from .base import Design, RowCounter
from .codes import CodedColumns, CodesDesign
from .compressed import CompressedRows, compress, of_dense, side_by_side
from .dense import DenseDesign
from .sparse import SparseDesign
from .split import Block, SplitDesign

__all__ = ["MixedRows", "as_sparse", "open_mixed"]


@dataclass(frozen=True, eq=False)
class MixedRows:
    """Rows of columns of several kinds, checked; at least one of the kinds is there.

    Attributes
    ----------
    numbers : ndarray of shape (n_samples, n_numbers), or None
    sparse : CompressedRows or None
    codes : CodedColumns or None
    places : tuple of ndarray
        Which features the columns of each kind are, of those that are there, in this order.
    """

    numbers: Features | None
    sparse: CompressedRows | None
    codes: CodedColumns | None
    places: tuple[Indices, ...]

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and features."""
        first = next(kind for kind in self._kinds if kind is not None)
        return first.shape[0], sum(len(place) for place in self.places)

    @property
    def dtype(self) -> DType:
        """The number type of what is read: float32 where all numbers are."""
        found = [kind.dtype for kind in (self.numbers, self.sparse) if kind is not None]
        single = bool(found) and all(dtype == np.float32 for dtype in found)
        return np.dtype(np.float32 if single else np.float64)

    def take(self, rows: Indices) -> MixedRows:
        """Return a copy of some rows."""
        numbers, sparse, codes = self._kinds
        return MixedRows(
            None if numbers is None else np.asarray(numbers[rows]),
            None if sparse is None else sparse.take(rows),
            None if codes is None else codes.take(rows),
            self.places,
        )

    @property
    def _kinds(self) -> tuple[Features | None, CompressedRows | None, CodedColumns | None]:
        return self.numbers, self.sparse, self.codes


def as_sparse(rows: MixedRows) -> CompressedRows:
    """Return rows of columns of several kinds as sparse rows: a copy.

    A value takes 12 bytes, and a categorical column has one for each row: for functions that do
    many fits of few rows, which have no kernels for codes.
    """
    parts = [
        None if rows.numbers is None else of_dense(rows.numbers),
        rows.sparse,
        None if rows.codes is None else _indicators(rows.codes),
    ]
    return side_by_side([part for part in parts if part is not None], rows.places, rows.dtype)


def _indicators(coded: CodedColumns) -> CompressedRows:
    """Return the indicators of levels, of which a row has one or none for each column."""
    features = coded.feature_of[coded.firsts[:, None] + coded.codes].T
    there = features >= 0
    pointers = np.concatenate([[0], np.cumsum(there.sum(axis=1))])
    indices = features[there]
    return compress(np.ones(len(indices)), indices, pointers, coded.shape)


def open_mixed(rows: MixedRows, n_threads: int | None, counter: RowCounter | None = None) -> Design:
    """Return a design over the rows: of blocks side by side, or of the only one."""
    blocks: list[Block] = []
    if rows.numbers is not None:
        blocks.append(DenseDesign(rows.numbers, n_threads=n_threads, counter=counter))
    if rows.sparse is not None:
        blocks.append(SparseDesign(rows.sparse, n_threads=n_threads, counter=counter))
    if rows.codes is not None:
        blocks.append(CodesDesign(rows.codes, n_threads=n_threads, counter=counter))
    place = rows.places[0]
    if len(blocks) == 1 and np.array_equal(place, np.arange(len(place))):
        return blocks[0]
    return SplitDesign(blocks, rows.places, n_threads=n_threads, counter=counter)
