"""What a file becomes: named columns of equal length."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from fastlogit.io.values import TextFormat

Array = NDArray[Any]

#: Largest dense array, in bytes, that sparse columns are unpacked into beside categorical ones.
MAX_DENSE_BYTES = 4 * 2**30
#: Most columns of a sparse file: each has a name, and names of 2e7 columns take 3 GB and 48 s.
MAX_SPARSE_COLUMNS = 1_000_000


class SparseMatrix(Protocol):
    """What is asked of a sparse matrix of SciPy, which has no types of its own."""

    shape: tuple[int, int]
    dtype: np.dtype[Any]
    data: Array
    indptr: Array
    indices: Array

    def toarray(self) -> Array:
        """Return all its values as an array."""


def dense(path: Path, matrix: SparseMatrix) -> Array:
    """Return a sparse matrix as an array, as it is beside categorical columns; raise if large."""
    n_rows, n_columns = matrix.shape
    n_bytes = 8 * n_rows * n_columns
    if n_bytes > MAX_DENSE_BYTES:
        raise ValueError(
            f"{path}: {n_rows:,} rows x {n_columns:,} columns would take "
            f"{n_bytes / 2**30:.2g} GiB as a dense array, which sparse columns are beside "
            f"categorical ones, the limit is {MAX_DENSE_BYTES / 2**30:.2g} GiB; leave --categories "
            "out, or other columns with --drop"
        )
    unpacked: Array = matrix.toarray()
    return unpacked


def check_column_count(path: Path, n_columns: int) -> None:
    """Raise if a sparse file has more columns than can have names."""
    if n_columns > MAX_SPARSE_COLUMNS:
        raise ValueError(
            f"{path}: {n_columns:,} columns (the largest feature number), the limit is "
            f"{MAX_SPARSE_COLUMNS:,}, since each has a name in the model; select columns first, or "
            "fit it in Python: fastlogit.fit(fastlogit.io.svmlight_source(path), ...)"
        )


class Table(Protocol):
    """Named columns of one length, read from a file."""

    @property
    def path(self) -> Path:
        """The file."""

    @property
    def names(self) -> tuple[str, ...]:
        """Columns that can be features, in the order of the file."""

    @property
    def extra_names(self) -> tuple[str, ...]:
        """Columns that can be a target or weights only."""

    @property
    def n_rows(self) -> int:
        """Number of rows."""

    @property
    def default_target(self) -> str | None:
        """The target column of a format that has a fixed one, else None."""

    def column(self, name: str) -> Array:
        """Return one column, shape (n_rows,)."""

    def absent(self, names: Iterable[str]) -> list[str]:
        """Return those of `names` for which the table has no values."""

    def matrix(self, names: Sequence[str]) -> Array:
        """Return the named columns, all numeric, as an array of shape (n_rows, len(names))."""

    def rows(self, places: Array) -> Table:
        """Return a table of some rows, by their numbers."""

    def where(self, row: int) -> str:
        """Say where row number `row` (from 0) stands in the file."""


@dataclass(frozen=True)
class ColumnTable:
    """A table kept column by column, as CSV and Parquet files give it.

    A CSV file also has `form`, how its values are written, and `text`, which reads one of them as
    it stands in the file. `declared` are the categories of columns whose file has them, in its
    order.
    """

    path: Path
    columns: Mapping[str, Array]
    place: Callable[[int], str]
    form: TextFormat | None = None
    text: Callable[[int, str], str] | None = None
    declared: Mapping[str, Sequence[object]] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """Columns that can be features, in the order of the file."""
        return tuple(self.columns)

    extra_names: tuple[str, ...] = ()
    default_target: str | None = None

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(next(iter(self.columns.values())))

    def column(self, name: str) -> Array:
        """Return one column, shape (n_rows,)."""
        return self.columns[name]

    def absent(self, names: Iterable[str]) -> list[str]:
        """Return those of `names` that are no column."""
        return [name for name in names if name not in self.columns]

    def matrix(self, names: Sequence[str]) -> Array:
        """Return the named columns as one C-ordered array, float32 if all of them are."""
        columns = [self.columns[name] for name in names]
        all_single = all(column.dtype == np.float32 for column in columns)
        matrix = np.empty((self.n_rows, len(names)), np.float32 if all_single else np.float64)
        for j, column in enumerate(columns):
            matrix[:, j] = column
        return matrix

    def rows(self, places: Array) -> ColumnTable:
        """Return a table of some rows, by their numbers."""
        text = self.text
        return replace(
            self,
            columns={name: column[places] for name, column in self.columns.items()},
            place=lambda row: self.place(int(places[row])),
            text=None if text is None else lambda row, name: text(int(places[row]), name),
        )

    def where(self, row: int) -> str:
        """Say where row number `row` (from 0) stands in the file."""
        return self.place(row)


@dataclass(frozen=True)
class MatrixTable:
    """A feature matrix with other arrays of the same length beside it: an .npz file."""

    path: Path
    names: tuple[str, ...]
    values: Array
    others: Mapping[str, Array]
    default_target: str | None = "y"
    places: Array | None = None

    @property
    def extra_names(self) -> tuple[str, ...]:
        """Names of the arrays beside X."""
        return tuple(self.others)

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return int(self.values.shape[0])

    def column(self, name: str) -> Array:
        """Return one array beside X, or one column of X, shape (n_rows,)."""
        if name in self.others:
            return self.others[name]
        return np.asarray(self.values[:, self.names.index(name)])

    def absent(self, names: Iterable[str]) -> list[str]:
        """Return those of `names` that are no column of X."""
        known = set(self.names)
        return [name for name in names if name not in known]

    def matrix(self, names: Sequence[str]) -> Array:
        """Return X itself when all its columns are asked for in order, else a copy of some."""
        if tuple(names) == self.names:
            return self.values
        place = {name: j for j, name in enumerate(self.names)}
        return np.asarray(self.values[:, [place[name] for name in names]])

    def rows(self, places: Array) -> MatrixTable:
        """Return a table of some rows, by their numbers."""
        others = {name: array[places] for name, array in self.others.items()}
        return replace(self, values=self.values[places], others=others, places=places)

    def where(self, row: int) -> str:
        """Say which row of X this is."""
        return f"row {row if self.places is None else self.places[row]}, counting from 0"


@dataclass(frozen=True)
class SparseMatrixTable(MatrixTable):
    """The same for a sparse matrix of SciPy, by columns."""

    def column(self, name: str) -> Array:
        """Return one array beside X, or one column of X made dense, shape (n_rows,)."""
        return self.others[name] if name in self.others else _column(self.matrix([name]))

    def matrix(self, names: Sequence[str]) -> Any:
        """Return the named columns as a sparse matrix by rows."""
        values: Any = self.values
        if tuple(names) == self.names:
            return values.tocsr()
        place = {name: j for j, name in enumerate(self.names)}
        return values[:, [place[name] for name in names]].tocsr()


def _column(matrix: SparseMatrix) -> Array:
    return matrix.toarray()[:, 0]


@dataclass(frozen=True)
class SparseTable:
    """An svmlight file: few non-zero values per row, columns known by their numbers.

    Column j is called ``f<j>`` with the number as it is written in the file, so that a file
    numbered from 0 and one numbered from 1 can never be mixed up unseen.  A column that a file
    does not mention is zero.
    """

    path: Path
    values: Any
    y: Array
    first: int
    default_target: str | None = "y"
    extra_names: tuple[str, ...] = ("y",)
    places: Array | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Columns that can be features, in the order of their numbers."""
        return tuple(f"f{j}" for j in range(self.first, self.values.shape[1]))

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return int(self.values.shape[0])

    def column(self, name: str) -> Array:
        """Return the target, or one column made dense, shape (n_rows,)."""
        return self.y if name == "y" else _column(self.matrix([name]))

    def absent(self, names: Iterable[str]) -> list[str]:
        """Return those of `names` that are not the name of an svmlight column."""
        return [name for name in names if not re.fullmatch(r"f\d+", name)]

    def matrix(self, names: Sequence[str]) -> Any:
        """Return the named columns as a sparse matrix by rows."""
        numbers = np.array([int(name[1:]) for name in names])
        n_columns = self.values.shape[1]
        if len(numbers) and numbers.max() >= n_columns:  # columns that the file does not mention
            from scipy.sparse import csc_matrix, hstack

            numbers = np.minimum(numbers, n_columns)
            rest = csc_matrix((self.n_rows, 1))
            return hstack([self.values, rest], format="csc")[:, numbers].tocsr()
        return self.values[:, numbers].tocsr()

    def rows(self, places: Array) -> SparseTable:
        """Return a table of some rows, by their numbers."""
        return replace(self, values=self.values[places], y=self.y[places], places=places)

    def where(self, row: int) -> str:
        """Say which row this is."""
        return f"row {row if self.places is None else self.places[row]}, counting from 0"
