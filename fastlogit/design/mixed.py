"""Columns of numbers, sparse columns and categorical ones side by side, as checked input has them.

What a frame with categories is read as: nothing is expanded, each kind lies as its kernels take it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..arrays import DType, Features, Indices
from .base import Design, RowCounter
from .codes import CodedColumns, CodesDesign
from .compressed import CompressedRows, of_dense, side_by_side
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
    """Return rows of numbers and of sparse columns, both there, as sparse rows: a copy."""
    assert rows.numbers is not None
    assert rows.sparse is not None
    return side_by_side([of_dense(rows.numbers), rows.sparse], rows.places, rows.dtype)


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
