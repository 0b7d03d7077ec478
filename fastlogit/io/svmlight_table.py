"""svmlight files that do not fit in memory, as tables whose rows are read when asked for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from fastlogit.arrays import Array, DType, Indices, Vector
from fastlogit.design.mapped import available_memory
from fastlogit.io.svmlight import NumberedFile
from fastlogit.io.tables import SparseTable, check_column_count

__all__ = ["RowsOfFile", "SvmlightTable", "is_too_large"]

# A file is read in blocks where its text takes more than this share of the memory that is left: at
# once it takes three to four times its text, in two orders; the text of a compressed one is longer.
SHARE = 0.2
COMPRESSED = 5.0


def is_too_large(path: Path) -> bool:
    """Say whether a file is better read in blocks."""
    size = path.stat().st_size * (COMPRESSED if path.suffix in (".gz", ".bz2") else 1.0)
    return size > SHARE * available_memory()


class RowsOfFile:
    """Some columns of a file, as a source of sparse rows that designs stream.

    Parameters
    ----------
    file : NumberedFile
    columns : ndarray of int
        Their numbers, as they stand in the file; one that it does not mention is 0.
    """

    dtype: ClassVar[DType] = np.dtype(np.float64)
    format: ClassVar[str] = "csr"

    def __init__(self, file: NumberedFile, columns: Indices) -> None:
        self._file, self._columns = file, columns
        self._width = max(file.n_columns, int(columns.max(initial=-1)) + 1)
        self.shape = file.n_rows, len(columns)

    def __getitem__(self, rows: slice) -> Any:
        """Return some rows as a sparse matrix of SciPy."""
        from scipy.sparse import csr_matrix

        start, stop, _ = rows.indices(self.shape[0])
        ends, columns, values = self._file.rows(start, stop)
        pointers = np.concatenate([[0], ends])
        every = csr_matrix((values, columns, pointers), shape=(len(ends), self._width))
        first, last = int(self._columns[0]), int(self._columns[-1])
        if np.array_equal(self._columns, np.arange(first, last + 1)):
            return every[:, first : last + 1]
        return every[:, self._columns]


@dataclass(frozen=True)
class SvmlightTable:
    """What `SparseTable` is, of a file whose values stay on disk: in memory are the labels."""

    path: Path
    file: NumberedFile
    y: Vector
    default_target: str | None = "y"
    extra_names: tuple[str, ...] = ("y",)

    @classmethod
    def of(cls, path: Path) -> SvmlightTable:
        """Parse a file, block by block, into numbers on disk."""
        file = NumberedFile(path)
        check_column_count(path, file.n_columns - 1)
        return cls(path, file, file.labels())

    @property
    def names(self) -> tuple[str, ...]:
        """Columns that can be features, in the order of their numbers."""
        return tuple(f"f{j}" for j in range(self.file.first, self.file.n_columns))

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return self.file.n_rows

    def column(self, name: str) -> Array:
        """Return the target, or one column made dense, shape (n_rows,)."""
        if name == "y":
            return self.y
        found: Array = self.matrix([name])[:].toarray()[:, 0]
        return found

    def absent(self, names: Iterable[str]) -> list[str]:
        """Return those of `names` that are not the name of an svmlight column."""
        return [name for name in names if not re.fullmatch(r"f\d+", name)]

    def matrix(self, names: Sequence[str]) -> Any:
        """Return the named columns as a source of sparse rows, `RowsOfFile`."""
        return RowsOfFile(self.file, np.array([int(name[1:]) for name in names]))

    def rows(self, places: Array) -> SparseTable:
        """Return a table of some rows, by their numbers: in memory, for few of them."""
        every = RowsOfFile(self.file, np.arange(self.file.n_columns))
        parts = [every[int(place) : int(place) + 1] for place in places]
        from scipy.sparse import vstack

        values = vstack(parts, format="csc")
        return SparseTable(self.path, values, self.y[places], self.file.first, places=places)

    def where(self, row: int) -> str:
        """Say which row this is."""
        return f"row {row}, counting from 0"
