"""Columns of sparse rows, copied where they are asked for.

Under L1 most columns of text never move: those that may have 6 of 10 values of 50,000 x 50,000. The
memory is asked for at once for all values, but what is not written takes none.
"""

from __future__ import annotations

import os
import threading

import numpy as np

from ..arrays import Indices
from .base import readonly
from .compressed import CompressedRows, copy_columns, count_columns

__all__ = ["ColumnStore"]

# After so many copies of some columns all others are copied at once.
MOST = 6


class ColumnStore:
    """Copies of columns, each made when it is first asked for.

    Parameters
    ----------
    given : CompressedRows
    """

    def __init__(self, given: CompressedRows) -> None:
        self._given = given
        self._asking, self._process = threading.Lock(), os.getpid()
        self._n_copies, self._used = 0, 0
        # Which columns are there, and where.
        self._is_there = np.zeros(given.shape[1], dtype=bool)
        self._begins, self._ends = np.zeros((2, given.shape[1]), dtype=np.int64)
        self._data = np.empty(given.n_values, dtype=given.dtype)
        self._rows = np.empty(given.n_values, dtype=np.int32)
        self._bounds, self._counts = count_columns(given)

    def __reduce__(self) -> tuple[type[ColumnStore], tuple[CompressedRows]]:
        """Leave the copies out of pickles."""
        return ColumnStore, (self._given,)

    def of(self, indices: Indices) -> CompressedRows:
        """Return some columns as rows."""
        if self._process != os.getpid():  # another thread of the parent may hold the lock
            self._asking, self._process = threading.Lock(), os.getpid()
        with self._asking:
            if not self._is_there[indices].all():
                self._copy(indices)
        return CompressedRows(
            readonly(self._data), readonly(self._rows), readonly(self._begins[indices]),
            readonly(self._ends[indices]), (len(indices), self._given.shape[0]),
        )  # fmt: skip

    def all(self) -> CompressedRows:
        """Return all columns as rows."""
        return self.of(np.arange(self._given.shape[1]))

    def _copy(self, indices: Indices) -> None:
        missing = ~self._is_there
        if self._n_copies < MOST:
            asked = np.zeros(missing.size, dtype=bool)
            asked[indices] = True
            missing &= asked
        columns = np.flatnonzero(missing)
        counts = self._counts[:, columns]
        begins, ends = copy_columns(
            self._given, self._bounds, columns, counts, self._used, self._data, self._rows
        )
        self._begins[columns], self._ends[columns] = begins, ends
        self._used, self._n_copies = int(ends[-1]), self._n_copies + 1
        self._is_there |= missing
