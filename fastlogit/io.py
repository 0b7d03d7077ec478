"""Data files in, predictions out: CSV, Parquet, .npz and svmlight.

A file becomes a table: named columns of equal length.  From a table the command line takes a
target, perhaps weights, and the feature matrix, always by name.  Every fault of a file is one
ValueError that names the file, the column and the line, so that it can be mended.

pyarrow reads CSV when it is installed (several times faster than the standard library, which
does the work otherwise) and is needed for Parquet.
"""

from __future__ import annotations

import bz2
import csv
import difflib
import gzip
import re
import sys
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

#: Largest dense array, in bytes, that an svmlight file is unpacked into.
MAX_DENSE_BYTES = 4 * 2**30

#: Texts of a CSV file that mean "no value": pyarrow's list, which the other reader shares.
MISSING_TEXTS = frozenset(
    ("", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN",
     "N/A", "NA", "NULL", "NaN", "n/a", "nan", "null")
)  # fmt: skip
_TRUE_TEXTS = frozenset(["true", "True", "TRUE"])
_FALSE_TEXTS = frozenset(["false", "False", "FALSE"])

# One block of rows of about 1 MB at 100 columns: the finiteness check needs no mask as long as X.
_CHECK_ROWS = 1024


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

    def where(self, row: int) -> str:
        """Say where row number `row` (from 0) stands in the file."""


@dataclass(frozen=True)
class ColumnTable:
    """A table kept column by column, as CSV and Parquet files give it."""

    path: Path
    columns: Mapping[str, Array]
    place: Callable[[int], str]

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

    def where(self, row: int) -> str:
        """Say which row of X this is."""
        return f"row {row}, counting from 0"


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
        return self.y if name == "y" else self.matrix([name])[:, 0]

    def absent(self, names: Iterable[str]) -> list[str]:
        """Return those of `names` that are not the name of an svmlight column."""
        return [name for name in names if not re.fullmatch(r"f\d+", name)]

    def matrix(self, names: Sequence[str]) -> Array:
        """Return the named columns as one dense array.

        Raises
        ------
        ValueError
            If that array would be larger than `MAX_DENSE_BYTES`.
        """
        n_bytes = 8 * self.n_rows * len(names)
        if n_bytes > MAX_DENSE_BYTES:
            raise ValueError(
                f"{self.path}: {self.n_rows:,} rows x {len(names):,} columns would take "
                f"{n_bytes / 2**30:.2g} GiB as a dense array, the limit is "
                f"{MAX_DENSE_BYTES / 2**30:.2g} GiB; fastlogit cannot use sparse data yet, "
                "so select columns or rows first"
            )
        numbers = [int(name[1:]) for name in names]
        known = [k for k, number in enumerate(numbers) if number < self.values.shape[1]]
        matrix = np.zeros((self.n_rows, len(names)))
        matrix[:, known] = self.values[:, [numbers[k] for k in known]].toarray()
        return matrix

    def where(self, row: int) -> str:
        """Say which row this is."""
        return f"row {row}, counting from 0"


# --- reading -------------------------------------------------------------------------------


def read_table(path: str | Path) -> Table:
    """Read a data file; its format is told by its name.

    Parameters
    ----------
    path : str or Path
        A ``.csv`` or ``.tsv`` file with a header line (separator comma, semicolon or tab),
        ``.parquet``, ``.npz`` with an array ``X`` (and ``y``, ``feature_names``, weights), or
        svmlight (``.svmlight``, ``.libsvm``, ``.svm``).  Text files may end in ``.gz`` or
        ``.bz2``.

    Returns
    -------
    Table
        Its named columns.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the format is unknown, or the file is damaged, empty or of another format.
    ModuleNotFoundError
        If a Parquet file is read without pyarrow.
    """
    path = Path(path)
    reader = _reader(path)
    if not path.exists():
        raise FileNotFoundError(_no_such_file(path))
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a directory, not a data file")
    if path.stat().st_size == 0:
        raise ValueError(f"{path} is empty")
    table = reader(path)
    if table.n_rows == 0:
        raise ValueError(f"{path} has no rows")
    return table


def _reader(path: Path) -> Callable[[Path], Table]:
    """Return the reader for a file of this name."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in (".gz", ".bz2"):
        suffixes.pop()
    suffix = suffixes[-1] if suffixes else ""
    if suffix in _READERS:
        return _READERS[suffix]
    known = ", ".join(_READERS)
    raise ValueError(f"{path}: unknown kind of file {suffix!r}; fastlogit reads {known}")


def _no_such_file(path: Path) -> str:
    """Say that a file is not there, and which files beside it have nearly that name."""
    beside = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
    return f"no such file: {path}{_near(path.name, beside, else_list=False)}"


@contextmanager
def _reading(path: Path, kind: str) -> Iterator[None]:
    """Turn the many errors of a decoder into one that names the file."""
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, EOFError, KeyError, UnicodeDecodeError) as error:
        raise ValueError(_damaged(path, kind, error)) from error
    except OSError as error:
        if error.errno is not None:  # permission, disk: the system's own message is the clear one
            raise
        raise ValueError(_damaged(path, kind, error)) from error


def _damaged(path: Path, kind: str, error: Exception) -> str:
    """Say that a file cannot be decoded."""
    detail = str(error).strip().splitlines()
    reason = detail[0] if detail else type(error).__name__
    return f"{path} is damaged, truncated or not a {kind} file: {reason}"


# --- CSV -----------------------------------------------------------------------------------


def _read_csv(path: Path) -> Table:
    """Read a CSV file with pyarrow, or with the standard library where pyarrow is missing."""
    with _reading(path, "CSV"):
        delimiter = _delimiter(path)
        names = _header(path, delimiter)
        columns = _csv_columns(path, delimiter, names)
    return ColumnTable(path, columns, lambda row: f"line {_csv_line(path, delimiter, row)}")


def _csv_columns(path: Path, delimiter: str, names: list[str]) -> dict[str, Array]:
    """Return the columns of a CSV file by name."""
    try:
        import pyarrow as pa
        from pyarrow import csv as pa_csv
    except ModuleNotFoundError:
        return _csv_columns_plain(path, delimiter, names)
    try:
        table = pa_csv.read_csv(
            path,
            parse_options=pa_csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
            convert_options=pa_csv.ConvertOptions(
                strings_can_be_null=True,
                null_values=sorted(MISSING_TEXTS),
                true_values=sorted(_TRUE_TEXTS),
                false_values=sorted(_FALSE_TEXTS),
            ),
        )
    except pa.ArrowInvalid as error:
        _csv_columns_plain(path, delimiter, names)  # says which line is wrong
        raise ValueError(_damaged(path, "CSV", error)) from error
    return {name: _from_arrow(table.column(j)) for j, name in enumerate(names)}


def _csv_columns_plain(path: Path, delimiter: str, names: list[str]) -> dict[str, Array]:
    """Return the columns of a CSV file by name, with the standard library and NumPy alone."""
    values: list[list[str]] = [[] for _ in names]
    for line, row in _csv_rows(path, delimiter):
        if len(row) != len(names):
            raise ValueError(
                f"{path}, line {line}: {len(row)} values, but the header names {len(names)} "
                "columns; is the file truncated?"
            )
        for column, value in zip(values, row, strict=True):
            column.append(value)
    return {name: _from_texts(column) for name, column in zip(names, values, strict=True)}


def _csv_rows(path: Path, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the line on which each row ends and its values, without header and empty lines."""
    with _open_text(path) as file:
        reader = csv.reader(file, delimiter=delimiter)
        next(reader)
        for row in reader:
            if row:
                yield reader.line_num, row


def _csv_line(path: Path, delimiter: str, row: int) -> int:
    """Return the line of row number `row`: only errors ask, so the file is simply read again."""
    for k, (line, _) in enumerate(_csv_rows(path, delimiter)):
        if k == row:
            return line
    return row + 2


def _open_text(path: Path) -> IO[str]:
    """Open a text file that may be compressed; a byte order mark is skipped."""
    openers: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".bz2": bz2.open}
    opener = openers.get(path.suffix.lower(), open)
    file: IO[str] = opener(path, "rt", encoding="utf-8-sig", newline="")
    return file


def _delimiter(path: Path) -> str:
    """Return the separator that stands most often in the header line."""
    with _open_text(path) as file:
        header = file.readline()
    return max(",;\t", key=header.count)


def _header(path: Path, delimiter: str) -> list[str]:
    """Return the column names of a CSV file."""
    with _open_text(path) as file:
        names = next(csv.reader(file, delimiter=delimiter), [])
    _check_names(path, names)
    return names


def _check_names(path: Path, names: Sequence[str]) -> None:
    """Raise unless every column has a name of its own."""
    if not names:
        raise ValueError(f"{path} has no columns")
    if "" in names:
        raise ValueError(
            f"{path}: column {names.index('') + 1} has no name; name it in the header "
            "(pandas writes such a column unless index=False is given)"
        )
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ValueError(f"{path}: more than one column is called {_quoted(twice)}")


def _from_texts(texts: list[str]) -> Array:
    """Return a column of texts as int64, bool, float64 (NaN: missing) or object (None: missing)."""
    column = np.array(texts, dtype=object)
    missing = np.array([text in MISSING_TEXTS for text in texts], dtype=bool)
    present = column[~missing]
    if not missing.any():
        for convert in (_as_integers, _as_bools):
            converted = convert(present)
            if converted is not None:
                return converted
    floats = np.full(len(column), np.nan)
    try:
        floats[~missing] = present.astype(np.float64)
    except ValueError:
        column[missing] = None
        return column
    return floats


def _as_integers(texts: Array) -> Array | None:
    """Return texts as int64, or None if they are not integers."""
    try:
        return texts.astype(np.int64)
    except (ValueError, OverflowError):
        return None


def _as_bools(texts: Array) -> Array | None:
    """Return texts as bool, or None if they are not truth values."""
    if set(texts) <= _TRUE_TEXTS | _FALSE_TEXTS:
        return np.array([text in _TRUE_TEXTS for text in texts], dtype=bool)
    return None


# --- Parquet, .npz, svmlight ---------------------------------------------------------------


def _read_parquet(path: Path) -> Table:
    """Read a Parquet file with pyarrow."""
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"{path}: Parquet files need pyarrow; install it with: pip install 'fastlogit[all]'"
        ) from error
    try:
        with _reading(path, "Parquet"):
            table = parquet.read_table(path)
    except pa.ArrowInvalid as error:
        raise ValueError(_damaged(path, "Parquet", error)) from error
    # pandas keeps the index of a data frame in columns of these names: no data of the user's.
    names = [name for name in table.column_names if not re.match(r"__index_level_\d+__$", name)]
    _check_names(path, names)
    columns = {name: _from_arrow(table.column(name)) for name in names}
    return ColumnTable(path, columns, lambda row: f"row {row}, counting from 0")


def _from_arrow(column: Any) -> Array:
    """Return an Arrow column as NumPy: missing numbers become NaN, missing texts None."""
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_decimal(column.type) or pa.types.is_null(column.type):
        column = column.cast(pa.float64())
    return np.asarray(column.to_numpy())


def _read_npz(path: Path) -> Table:
    """Read an .npz file: X, and the one-dimensional arrays that have a value for each row."""
    arrays = _npz_arrays(path)
    if "X" not in arrays:
        found = ", ".join(sorted(arrays)) or "no arrays"
        raise ValueError(f"{path} has no array 'X' (found: {found})")
    X = arrays.pop("X")
    if X.ndim != 2:
        raise ValueError(f"{path}: X has {X.ndim} dimension(s), 2 are needed (rows, columns)")
    names = _npz_names(path, arrays.pop("feature_names", None), X.shape[1])
    for name, array in arrays.items():
        if array.ndim == 1 and len(array) != len(X):
            raise ValueError(f"{path}: X has {len(X)} rows, but {name} has {len(array)} values")
    others = {name: array for name, array in arrays.items() if array.ndim == 1}
    return MatrixTable(path, names, X, others)


def _npz_arrays(path: Path) -> dict[str, Array]:
    """Return all arrays of an .npz file; the zip's checksums are verified on the way."""
    # np.load leaves a file that it opened itself open when it fails.
    with _reading(path, "NumPy .npz"), path.open("rb") as raw:
        try:
            file = np.load(raw, allow_pickle=False)
            if isinstance(file, np.ndarray):
                raise ValueError("it is an .npy file; save it with numpy.savez")
            return {name: file[name] for name in file.files}
        except ValueError as error:
            raise ValueError(_damaged(path, "NumPy .npz", error)) from error


def _npz_names(path: Path, stored: Array | None, n_features: int) -> tuple[str, ...]:
    """Return the stored column names, or x0, x1, ... where there are none."""
    if stored is None:
        return tuple(f"x{j}" for j in range(n_features))
    names = tuple(str(name) for name in np.ravel(stored))
    if len(names) != n_features:
        raise ValueError(
            f"{path}: feature_names has {len(names)} names, but X has {n_features} columns"
        )
    _check_names(path, names)
    return names


def _read_svmlight(path: Path) -> Table:
    """Read an svmlight file."""
    from sklearn.datasets import load_svmlight_file

    with _reading(path, "svmlight"):
        try:
            # zero_based=True keeps the numbers as written: "auto" would shift some files only.
            values, y = load_svmlight_file(path, zero_based=True)
        except (ValueError, IndexError) as error:
            raise ValueError(_damaged(path, "svmlight", error)) from error
    first = 0 if values.shape[1] == 0 or values[:, [0]].nnz else 1
    return SparseTable(path, values.tocsc(), y, first)


_READERS: dict[str, Callable[[Path], Table]] = {
    ".csv": _read_csv,
    ".tsv": _read_csv,
    ".parquet": _read_parquet,
    ".npz": _read_npz,
    ".svmlight": _read_svmlight,
    ".libsvm": _read_svmlight,
    ".svm": _read_svmlight,
}


# --- taking target, weights and features from a table --------------------------------------


def target_name(table: Table, target: str | None) -> str:
    """Return the name of the target column.

    Parameters
    ----------
    table : Table
        The data.
    target : str or None
        The name that the user gave; None is allowed for formats with a fixed one.

    Raises
    ------
    ValueError
        If there is no such column (near names are suggested), or no name was given and the
        format has no fixed one.
    """
    name = table.default_target if target is None else target
    if name is None:
        raise ValueError(f"--target is needed: which column of {table.path} is to be predicted?")
    _check_column(table, name, "target")
    return name


def labels(table: Table, name: str) -> Array:
    """Return a column as class labels: text, numbers or bool, shape (n_rows,).

    Raises
    ------
    ValueError
        If there is no such column, a label is missing, or it is neither text nor a number.
    """
    _check_column(table, name, "target")
    column = table.column(name)
    _check_present(table, name, column, "remove the rows without a label")
    if column.dtype == object:
        if not all(isinstance(value, str | bool) for value in column):
            raise ValueError(f"{table.path}: target column {name!r} is neither text nor numbers")
        return np.array(column.tolist())
    if column.dtype.kind not in "fiubUS":
        raise ValueError(
            f"{table.path}: target column {name!r} holds {column.dtype} values; labels must be "
            "text or numbers"
        )
    return column


def numbers(table: Table, name: str, role: str) -> Array:
    """Return one numeric column, such as sample weights, as float64, shape (n_rows,).

    Raises
    ------
    ValueError
        If there is no such column, it is not numeric, or a value is missing or infinite.
    """
    _check_column(table, name, role)
    column = table.column(name)
    _check_numeric(table, {name: column})
    values: Array = np.asarray(column, dtype=np.float64)
    _check_finite(table, [name], values[:, np.newaxis])
    return values


def feature_names(table: Table, leave_out: Iterable[str]) -> tuple[str, ...]:
    """Return all columns but those to be left out (target, weights, dropped ones).

    Raises
    ------
    ValueError
        If a column to be left out is not there, or none is left.
    """
    left_out = set(leave_out)
    for name in sorted(left_out):
        _check_column(table, name, "dropped")
    names = tuple(name for name in table.names if name not in left_out)
    if not names:
        raise ValueError(f"{table.path}: no column is left to predict from")
    return names


def features(table: Table, names: Sequence[str]) -> Array:
    """Return the feature matrix with its columns in the order of `names`.

    Parameters
    ----------
    table : Table
        The data.
    names : sequence of str
        The columns, in the order in which a model takes them.

    Returns
    -------
    ndarray of shape (n_rows, len(names)), float32 or float64 (or the dtype of X in an .npz)

    Raises
    ------
    ValueError
        If columns are missing (near names are suggested) or not numeric, or a value is missing
        or infinite (column and line are named).
    """
    _check_none_absent(table, names)
    if isinstance(table, ColumnTable):
        _check_numeric(table, {name: table.columns[name] for name in names})
    elif isinstance(table, MatrixTable):
        _check_numeric(table, {"X": table.values})
    matrix = table.matrix(names)
    _check_finite(table, names, matrix)
    return matrix


def unused_names(table: Table, names: Iterable[str]) -> list[str]:
    """Return the feature columns of a table that are not among `names`."""
    used = set(names)
    return [name for name in table.names if name not in used]


# --- checks --------------------------------------------------------------------------------


def _check_column(table: Table, name: str, role: str) -> None:
    """Raise, with near names, unless the table has this column."""
    known = (*table.names, *table.extra_names)
    if name not in known:
        raise ValueError(f"{role} column {name!r} is not in {table.path}{_near(name, known)}")


def _check_none_absent(table: Table, names: Sequence[str]) -> None:
    """Raise, with near names, if the table lacks columns that a model needs."""
    absent = table.absent(names)
    if not absent:
        return
    unused = unused_names(table, names)
    shown = [repr(name) + _near(name, unused, else_list=False) for name in absent[:5]]
    more = f" and {len(absent) - 5} more" if len(absent) > 5 else ""
    raise ValueError(
        f"{table.path} lacks {len(absent)} of the model's {len(names)} columns: "
        + ", ".join(shown)
        + more
    )


def _near(name: str, known: Iterable[str], *, else_list: bool = True) -> str:
    """Return " (did you mean ...?)" with the nearest known names, or else the known names."""
    by_lower: dict[str, str] = {}
    for candidate in known:
        by_lower.setdefault(candidate.lower(), candidate)
    near = difflib.get_close_matches(name.lower(), by_lower, n=3, cutoff=0.6)
    if near:
        return f" (did you mean {' or '.join(repr(by_lower[key]) for key in near)}?)"
    if else_list and by_lower:
        return f" (there are: {_quoted(list(by_lower.values()))})"
    return ""


def _quoted(names: Sequence[str], limit: int = 8) -> str:
    """Return a few names in quotes."""
    more = f", ... {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(repr(name) for name in names[:limit]) + more


def _check_numeric(table: Table, columns: Mapping[str, Array]) -> None:
    """Raise, naming all of them, if columns hold something else than numbers."""
    wrong = [name for name, column in columns.items() if not _is_numeric(column)]
    if not wrong:
        return
    column = columns[wrong[0]]
    row, value = next((k, v) for k, v in enumerate(column.flat) if v is not None)
    raise ValueError(
        f"{table.path}: not numeric: {_quoted(wrong)} ({table.where(row)}: {str(value)!r}); "
        "encode such columns as numbers, or leave them out with --drop"
    )


def _is_numeric(column: Array) -> bool:
    """Tell whether a column holds numbers or truth values (None: a missing one)."""
    if column.dtype == object:
        return all(value is None or isinstance(value, bool) for value in column.flat)
    return column.dtype.kind in "fiub"


def _check_present(table: Table, name: str, column: Array, advice: str) -> None:
    """Raise if a value is missing: None, NaN or the empty text."""
    if column.dtype.kind == "f":
        missing = np.isnan(column)
    elif column.dtype == object:
        missing = np.array([value is None for value in column], dtype=bool)
    elif column.dtype.kind in "US":
        missing = np.asarray(column == np.zeros((), column.dtype))
    else:
        return
    if missing.any():
        row = int(np.argmax(missing))
        raise ValueError(
            f"{table.path}: column {name!r} has no value in {table.where(row)} "
            f"({int(missing.sum())} missing in all); {advice}"
        )


def _check_finite(table: Table, names: Sequence[str], matrix: Array) -> None:
    """Raise, naming the first row and column, if a value is missing or infinite."""
    if matrix.dtype.kind != "f":
        return
    for start in range(0, len(matrix), _CHECK_ROWS):
        finite = np.isfinite(matrix[start : start + _CHECK_ROWS])
        if not finite.all():
            row, column = np.argwhere(~finite)[0]
            value = float(matrix[start + row, column])
            raise ValueError(_not_finite(table, names[column], start + int(row), value))


def _not_finite(table: Table, name: str, row: int, value: float) -> str:
    """Say where a value is missing or infinite."""
    place = f"{table.path}: column {name!r}"
    if np.isnan(value):
        return (
            f"{place} has no value (or NaN) in {table.where(row)}; fill it in first, e.g. with "
            "sklearn.impute.SimpleImputer, or leave the column out with --drop"
        )
    return f"{place} is infinite in {table.where(row)}; correct the value or remove the row"


# --- writing -------------------------------------------------------------------------------


def check_writable(path: Path, suffixes: Sequence[str] = ()) -> None:
    """Raise, before any work is done, if a file cannot be written at this place.

    Raises
    ------
    ValueError
        If the directory is not there, or the name ends otherwise than in `suffixes`.
    """
    if path.is_dir():
        raise ValueError(f"cannot write {path}: it is a directory")
    if not path.parent.is_dir():
        raise ValueError(f"cannot write {path}: there is no directory {path.parent}")
    if suffixes and path.suffix.lower() not in suffixes:
        raise ValueError(f"cannot write {path}: the name must end in {' or '.join(suffixes)}")


#: Kinds of files that `write_columns` can write.
WRITABLE = (".csv", ".parquet", ".npz")


def write_columns(path: Path | None, columns: Mapping[str, Array]) -> None:
    """Write named columns of one length.

    Parameters
    ----------
    path : Path or None
        A ``.csv``, ``.parquet`` or ``.npz`` file; None writes CSV to the standard output.
    columns : mapping of str to ndarray of shape (n_rows,)
        Numbers are written so that reading them gives the same number again.

    Raises
    ------
    ModuleNotFoundError
        If a Parquet file is written without pyarrow.
    """
    if path is None:
        _write_csv(sys.stdout, columns)
        sys.stdout.flush()  # a reader that has gone away is then noticed here, not at exit
    elif path.suffix.lower() == ".npz":
        np.savez(path, **dict(columns))  # type: ignore[arg-type]
    elif path.suffix.lower() == ".parquet":
        _write_parquet(path, columns)
    else:
        with path.open("w", encoding="utf-8", newline="") as file:
            _write_csv(file, columns)


def _write_csv(file: IO[str], columns: Mapping[str, Array]) -> None:
    """Write columns as CSV."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*(column.tolist() for column in columns.values()), strict=True))


def _write_parquet(path: Path, columns: Mapping[str, Array]) -> None:
    """Write columns as Parquet."""
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"{path}: Parquet files need pyarrow; install it with: pip install 'fastlogit[all]'"
        ) from error
    arrays = {name: pa.array(column) for name, column in columns.items()}
    parquet.write_table(pa.table(arrays), path)
