"""CSV files, read with pyarrow or with the standard library.

Both readers give the same: pyarrow's own types are taken for plain numbers and truth values only,
all other columns go through `column_from_texts`, as they do without pyarrow.
"""

from __future__ import annotations

import bz2
import csv
import gzip
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Any

from fastlogit.io.arrow import Foreign, from_arrow
from fastlogit.io.faults import check_names, comment, not_utf8, reading
from fastlogit.io.tables import Array, ColumnTable, Table
from fastlogit.io.values import (
    FALSE_TEXTS,
    SEPARATORS,
    TRUE_TEXTS,
    TextFormat,
    column_from_texts,
    texts_or_none,
)

# The separator is found in so many rows, of at most so many characters.
_LOOK_ROWS = 20
_LOOK_CHARACTERS = 1_000_000
_BLOCK_BYTES = 1 << 20
_SCAN_BYTES = 1 << 24


def read_csv(path: Path, form: TextFormat, texts: Collection[str] = ()) -> Table:
    """Read a CSV file with pyarrow, or with the standard library where pyarrow is missing.

    Columns whose names are among `texts` stay texts, as they stand in the file.
    """
    with reading(path, "CSV"):
        try:
            separator = form.sep or _separator(path, form)
            names = _header(path, separator)
            file = _File(path, separator, names, form, frozenset(texts))
            columns = _with_pyarrow(file)
            if columns is None:
                columns = _plainly(file)
        except UnicodeDecodeError as error:
            raise ValueError(not_utf8(path, open_bytes)) from error
    return ColumnTable(
        path, columns, lambda row: f"line {file.line(row)}", form=form, text=file.text
    )


@dataclass(frozen=True)
class _File:
    """A CSV file whose header is known."""

    path: Path
    separator: str
    names: list[str]
    form: TextFormat
    texts: frozenset[str]

    def column(self, name: str, values: list[str]) -> Array:
        """Return a column, from its texts."""
        read = texts_or_none if name in self.texts else column_from_texts
        return read(values, self.form)

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Yield the line on which each row ends and its values, without header, empty lines."""
        with _open_text(self.path) as file:
            reader = csv.reader(file, delimiter=self.separator)
            next(reader)
            for row in reader:
                if row:
                    yield reader.line_num, row

    def line(self, number: int) -> int:
        """Return the line of row `number`: only errors ask, so the file is simply read again."""
        return next(islice(self.rows(), number, None), (number + 2, []))[0]

    def text(self, number: int, name: str) -> str:
        """Return a value as it stands in the file."""
        return next(islice(self.rows(), number, None))[1][self.names.index(name)]


# --- the two readers -----------------------------------------------------------------------


def _with_pyarrow(file: _File) -> dict[str, Array] | None:
    """Return the columns by name; None where pyarrow is missing or cannot read the file."""
    try:
        import pyarrow as pa
    except ModuleNotFoundError:
        return None
    try:
        table = _arrow_table(file)
        if len(set(table.column_names)) != len(file.names):  # a header that it takes otherwise
            return None
        unsure = _unsure(file, table.schema.types)
        texts: Foreign = (
            _arrow_table(file, [table.column_names[k] for k in unsure]) if unsure else None
        )
    except pa.ArrowInvalid:
        return None  # the other reader says which line is wrong, or finds nothing wrong
    columns = {
        name: from_arrow(column) for name, column in zip(file.names, table.columns, strict=True)
    }
    for place, k in enumerate(unsure):
        values = texts.column(place).to_pylist()
        columns[file.names[k]] = file.column(file.names[k], values)
    return columns


def _unsure(file: _File, kinds: list[Foreign]) -> list[int]:
    """Return the columns that pyarrow may have read otherwise than `column_from_texts` does."""
    import pyarrow as pa

    is_plain = [
        pa.types.is_floating(k) or pa.types.is_boolean(k) or pa.types.is_null(k) for k in kinds
    ]
    is_whole = [pa.types.is_integer(kind) for kind in kinds]
    # pyarrow takes 0x10 for 16.
    if any(is_whole) and not _holds(file.path, b"0x", b"0X"):
        is_plain = [plain or whole for plain, whole in zip(is_plain, is_whole, strict=True)]
    return [
        k
        for k, (plain, name) in enumerate(zip(is_plain, file.names, strict=True))
        if not plain or name in file.texts
    ]


def _arrow_table(file: _File, as_texts: list[str] | None = None) -> Foreign:
    """Read a CSV file into an Arrow table; with `as_texts` these columns alone, as they stand."""
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    if as_texts is None:
        options = arrow_csv.ConvertOptions(
            strings_can_be_null=True,
            null_values=sorted(file.form.missing),
            true_values=sorted(TRUE_TEXTS),
            false_values=sorted(FALSE_TEXTS),
            decimal_point=file.form.decimal,
        )
    else:
        options = arrow_csv.ConvertOptions(
            include_columns=as_texts, column_types=dict.fromkeys(as_texts, pa.string())
        )
    return arrow_csv.read_csv(
        file.path,
        # Header and row must fit into a block.
        read_options=arrow_csv.ReadOptions(
            block_size=max(_BLOCK_BYTES, sum(4 * len(name) + 64 for name in file.names))
        ),
        parse_options=arrow_csv.ParseOptions(delimiter=file.separator, newlines_in_values=True),
        convert_options=options,
    )


def _plainly(file: _File) -> dict[str, Array]:
    """Return the columns by name, with the standard library and NumPy alone."""
    values: list[list[str]] = [[] for _ in file.names]
    for line, row in file.rows():
        if len(row) != len(file.names):
            raise ValueError(_ragged(file, line, row))
        for column, value in zip(values, row, strict=True):
            column.append(value)
    return {
        name: file.column(name, column) for name, column in zip(file.names, values, strict=True)
    }


def _ragged(file: _File, line: int, row: list[str]) -> str:
    """Say that a row has another number of values than the header."""
    for number, first in ((1, file.names[0]), (line, row[0])):
        if first.lstrip().startswith("#"):
            return f"{file.path}, line {number} {comment(file.path, first)}"
    if len(row) < len(file.names):
        advice = "is the file truncated?"
    elif file.separator == ",":
        advice = (
            "put a text with commas in quotes; numbers with decimal commas need another separator "
            "than the comma, or quotes, and --decimal ,"
        )
    else:
        advice = f"put a text that holds {file.separator!r} in quotes"
    return (
        f"{file.path}, line {line}: {len(row)} values, but the header names {len(file.names)} "
        f"columns (separator {file.separator!r}); {advice}"
    )


# --- header, separator, encoding -----------------------------------------------------------


def open_bytes(path: Path) -> IO[bytes]:
    """Open a file that may be compressed."""
    openers: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".bz2": bz2.open}
    file: IO[bytes] = openers.get(path.suffix.lower(), open)(path, "rb")
    return file


def _open_text(path: Path) -> IO[str]:
    """Open a text file that may be compressed; a byte order mark is skipped."""
    openers: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".bz2": bz2.open}
    opener = openers.get(path.suffix.lower(), open)
    file: IO[str] = opener(path, "rt", encoding="utf-8-sig", newline="")
    return file


def _holds(path: Path, *marks: bytes) -> bool:
    """Tell whether a file holds one of some marks, two bytes long each."""
    with open_bytes(path) as file:
        end = b""
        while part := file.read(_SCAN_BYTES):
            part = end + part
            if any(mark in part for mark in marks):
                return True
            end = part[-1:]
    return False


def _separator(path: Path, form: TextFormat) -> str:
    """Return the separator that splits the first rows most evenly, and then into most columns.

    What stands in quotes does not count.
    """
    with _open_text(path) as file:
        lines = file.readlines(_LOOK_CHARACTERS)[: 4 * _LOOK_ROWS]
    best, found = (0.0, 1), ","
    for separator in SEPARATORS:
        # "--decimal ," says that commas are something else, where another separator is there too.
        likely = separator not in (form.decimal, form.thousands)
        try:
            rows = [row for row in csv.reader(lines, delimiter=separator) if row][: _LOOK_ROWS + 1]
        except csv.Error:  # a quote that never ends
            continue
        if not rows or len(rows[0]) < 2:
            continue
        body = rows[1:]
        even = sum(len(row) == len(rows[0]) for row in body) / max(1, len(body))
        score = (likely + even, len(rows[0]))
        if score > best:
            best, found = score, separator
    return found


def _header(path: Path, separator: str) -> list[str]:
    """Return the column names of a CSV file."""
    with _open_text(path) as file:
        names = next(csv.reader(file, delimiter=separator), [])
    check_names(path, names)
    return names
