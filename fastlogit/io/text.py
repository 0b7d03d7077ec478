"""CSV files, read with pyarrow or with the standard library."""

from __future__ import annotations

import bz2
import csv
import gzip
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np

from fastlogit.io.arrow import from_arrow
from fastlogit.io.faults import check_names, damaged_file, reading
from fastlogit.io.tables import Array, ColumnTable, Table

#: Texts of a CSV file that mean "no value": pyarrow's list, which the other reader shares.
MISSING_TEXTS = frozenset(
    ("", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN",
     "N/A", "NA", "NULL", "NaN", "n/a", "nan", "null")
)  # fmt: skip
_TRUE_TEXTS = frozenset(["true", "True", "TRUE"])
_FALSE_TEXTS = frozenset(["false", "False", "FALSE"])


def read_csv(path: Path) -> Table:
    """Read a CSV file with pyarrow, or with the standard library where pyarrow is missing."""
    with reading(path, "CSV"):
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
        raise ValueError(damaged_file(path, "CSV", error)) from error
    return {name: from_arrow(table.column(j)) for j, name in enumerate(names)}


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
    check_names(path, names)
    return names


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
