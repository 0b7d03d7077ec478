"""Taking target, weights and features from a table, with the checks of their values."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, time, timedelta
from types import MappingProxyType

import numpy as np

from fastlogit.io.faults import comment, near_names, quoted
from fastlogit.io.svmlight_table import RowsOfFile, SvmlightTable
from fastlogit.io.tables import (
    Array,
    ColumnTable,
    MatrixTable,
    SparseMatrix,
    SparseMatrixTable,
    SparseTable,
    Table,
)
from fastlogit.io.values import SEPARATORS, TextFormat, is_date, options_for

#: As many different texts among numbers are taken for marks such as "?", more for text.
MOST_MARKS = 2
# One block of rows of about 1 MB at 100 columns: the finiteness check needs no mask as long as X.
_CHECK_ROWS = 1024


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
    check_column(table, name, "target")
    return name


def labels(table: Table, name: str) -> Array:
    """Return a column as class labels: text, numbers or bool, shape (n_rows,).

    Raises
    ------
    ValueError
        If there is no such column, a label is missing, or it is neither text nor a number.
    """
    return _values_of(
        table, name, "target", "remove the rows without a label",
        "labels must be text or numbers", ": make classes of the dates first",
    )  # fmt: skip


def values_of(table: Table, name: str, role: str) -> Array:
    """Return a column that says where rows belong: text, numbers or bool, shape (n_rows,).

    Raises
    ------
    ValueError
        If there is no such column, a value is missing, or it is neither text nor a number.
    """
    return _values_of(
        table, name, role, "leave such rows out with --drop-missing", "it must hold text or numbers"
    )


def _values_of(
    table: Table, name: str, role: str, of_missing: str, allowed: str, of_dates: str = ""
) -> Array:
    check_column(table, name, role)
    column = table.column(name)
    check_present(table, name, column, of_missing)
    place = f"{table.path}: {role} column {name!r}"
    if column.dtype == object:
        if not all(isinstance(value, str | bool) for value in column):
            raise ValueError(f"{place} is neither text nor numbers")
        return np.array(column.tolist())
    if column.dtype.kind not in "fiubUS":
        advice = of_dates * (column.dtype.kind in "mM")
        raise ValueError(f"{place} holds {column.dtype} values; {allowed}{advice}")
    return column


def weights(table: Table, name: str) -> Array:
    """Return a column of sample weights as float64, shape (n_rows,).

    Raises
    ------
    ValueError
        If there is no such column, it is not numeric, or a value is missing, infinite or negative.
    """
    check_column(table, name, "weights")
    column = table.column(name)
    _check_numeric(table, {name: column})
    values: Array = np.asarray(column, dtype=np.float64)
    _check_finite(table, [name], values[:, np.newaxis])
    if (values < 0.0).any():
        row = int(np.argmax(values < 0.0))
        shown = _as_written(table, name, row) or f"{values[row]:g}"
        raise ValueError(
            f"{table.path}: column {name!r} is negative in {table.where(row)}: {shown}; weights "
            "must be >= 0"
        )
    return values


def feature_names(
    table: Table, leave_out: Iterable[str], roles: Mapping[str | None, str] = MappingProxyType({})
) -> tuple[str, ...]:
    """Return all columns but those to be left out (target, weights, dropped ones).

    The name of a list stands for its elements, ``emb[0]``, ``emb[1]``. `roles` says what some of
    the columns are, for the words of an error.

    Raises
    ------
    ValueError
        If a column to be left out is not there, or none is left.
    """
    left_out = {each for name in leave_out for each in _elements(table, name)}
    for name in sorted(left_out):
        check_column(table, name, roles.get(name, "dropped"))
    names = tuple(name for name in table.names if name not in left_out)
    if not names:
        raise ValueError(f"{table.path}: no column is left to predict from")
    return names


def _elements(table: Table, name: str) -> list[str]:
    """Return the columns that are elements of a list of this name; else the name."""
    if name in (*table.names, *table.extra_names):
        return [name]
    element = re.compile(rf"{re.escape(name)}\[\d+\]")
    return [each for each in table.names if element.fullmatch(each)] or [name]


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
        Of a sparse file a sparse matrix of SciPy, by rows.

    Raises
    ------
    ValueError
        If columns are missing (near names are suggested) or not numeric, or a value is missing
        or infinite (column and line are named).
    """
    check_none_absent(table, names)
    if isinstance(table, ColumnTable):
        _check_numeric(table, {name: table.columns[name] for name in names})
    elif isinstance(table, MatrixTable):
        _check_numeric(table, {"X": table.values})
    matrix = table.matrix(names)
    _check_finite(table, names, matrix)
    return matrix


def complete_rows(table: Table, names: Iterable[str]) -> Table:
    """Return the table without the rows that lack a value in one of these columns.

    Raises
    ------
    ValueError
        If no row is left.
    """
    if isinstance(table, SvmlightTable):  # its values and labels are all there
        return table
    complete, wanted = np.ones(table.n_rows, dtype=bool), list(names)
    if isinstance(table, SparseTable | SparseMatrixTable):
        # Column by column a million of them would take minutes.
        beside = set(table.extra_names)
        matrix = table.matrix([name for name in wanted if name not in beside])
        complete[matrix.nonzero()[0][_missing(matrix.data[matrix.data != 0])]] = False
        wanted = [name for name in wanted if name in beside]
    for name in wanted:
        complete &= ~_missing(table.column(name))
    if complete.all():
        return table
    if not complete.any():
        raise ValueError(f"{table.path}: every row lacks a value; see which columns to --drop")
    return table.rows(np.flatnonzero(complete))


def unused_names(table: Table, names: Iterable[str]) -> list[str]:
    """Return the feature columns of a table that are not among `names`."""
    used = set(names)
    return [name for name in table.names if name not in used]


# --- checks --------------------------------------------------------------------------------


def check_column(table: Table, name: str, role: str) -> None:
    """Raise, with near names, unless the table has this column."""
    known = (*table.names, *table.extra_names)
    if name not in known:
        raise ValueError(
            f"{role} column {name!r} is not in {table.path}{near_names(name, known)}"
            + _header_hint(table)
        )


def _header_hint(table: Table) -> str:
    """Say what may be wrong with the header of a CSV file, or nothing."""
    if isinstance(table, SparseMatrixTable) and not table.others:
        return f"; labels of a sparse matrix stand in {table.path.with_suffix('.y.npy')} beside it"
    form = getattr(table, "form", None)
    if form is None:
        return ""
    if table.names[0].startswith("#"):
        return f"; the first line {comment(table.path, table.names[0])}"
    if len(table.names) == 1 and not table.names[0].isidentifier():
        return "; the header has one column only" + _other_separator(table.names[0], form.sep)
    if 2 * sum(map(form.is_number, table.names)) > len(table.names):
        return "; the first line holds numbers: is the header missing, which names the columns?"
    return ""


def _other_separator(header: str, given: str | None) -> str:
    """Say with what separator a header of one column would have more."""
    likely = max(SEPARATORS, key=header.count)
    if not header.count(likely):
        return ": is another separator needed, with --sep?"
    option = "--sep tab" if likely == "\t" else f"--sep {shlex.quote(likely)}"
    was = f" with --sep {shlex.quote(given)}" if given is not None else ""
    return f"{was}: is {option} meant?"


def check_none_absent(table: Table, names: Sequence[str]) -> None:
    """Raise, with near names, if the table lacks columns that a model needs."""
    absent = table.absent(names)
    if not absent:
        return
    unused = unused_names(table, names)
    shown = [repr(name) + near_names(name, unused, else_list=False) for name in absent[:5]]
    more = f" and {len(absent) - 5} more" if len(absent) > 5 else ""
    raise ValueError(
        f"{table.path} lacks {len(absent)} of the model's {len(names)} columns: "
        + ", ".join(shown)
        + more
        + _header_hint(table)
    )


def _check_numeric(table: Table, columns: Mapping[str, Array]) -> None:
    """Raise, naming all of them, if columns hold something else than numbers."""
    wrong = [name for name, column in columns.items() if not _is_numeric(column)]
    if not wrong:
        return
    name = wrong[0]
    # What is no number, in the first of them: the place of each value, in the order of the rows.
    places: dict[str, list[int]] = {}
    form = getattr(table, "form", None) or TextFormat()
    for row, value in enumerate(columns[name].flat):
        if value is not None and not (isinstance(value, str) and form.is_number(value)):
            places.setdefault(str(value), []).append(row)
    if not places:
        raise ValueError(
            f"{table.path}: column {name!r} holds numbers that are written as text "
            f"({table.where(0)}: {columns[name].flat[0]!r}); convert it to numbers first"
        )
    value, rows = next(iter(places.items()))
    if _holds_dates(columns[name], places):
        dates = [
            each for each in wrong if _holds_dates(columns[each], map(str, columns[each].flat))
        ]
        raise ValueError(
            f"{table.path}: column {name!r} holds dates or times ({table.where(rows[0])}: "
            f"{value!r}); make numbers of them first, e.g. days since a first day, month and "
            "weekday, or leave such columns out with "
            + " ".join(f"--drop {shlex.quote(each)}" for each in dates)
        )
    raise ValueError(
        f"{table.path}: not numeric: {quoted(wrong)} ({table.where(rows[0])}: {value!r}); "
        + _advice(table, name, columns[name], places)
    )


def _holds_dates(column: Array, texts: Iterable[str]) -> bool:
    """Tell whether a column holds dates, times or spans of time, as such or as these texts."""
    if column.dtype.kind in "mM":
        return True
    if any(isinstance(value, date | time | timedelta) for value in column.flat):
        return True
    return all(map(is_date, texts))


def _advice(table: Table, name: str, column: Array, places: Mapping[str, list[int]]) -> str:
    """Say what to do about values that are no numbers: of another notation, marks, or text."""
    is_csv = getattr(table, "form", None) is not None
    if is_csv and name == table.names[0] and all(text.lstrip().startswith("#") for text in places):
        return f"that line {comment(table.path, next(iter(places)))}"
    if is_csv and all(map(TextFormat().is_number, places)):
        return "with --decimal and --thousands as they were given that is no number"
    options = options_for(places)
    if is_csv and options is not None:
        return f"if that is a number, say how it is written: {options}"
    n_wrong = sum(map(len, places.values()))
    n_missing = sum(value is None for value in column.flat)
    # One or two texts among numbers stand for something, most often for "no value".
    if len(places) <= MOST_MARKS and n_wrong + n_missing < column.size:
        all_marks = " and ".join(f"{mark!r} ({len(rows):,} times)" for mark, rows in places.items())
        what = (
            "say so with " + " ".join(f"--na {shlex.quote(mark)}" for mark in places)
            if is_csv
            else "write it as a missing value"
        )
        return (
            f'column {name!r} holds numbers but for {all_marks}; if that means "no value", {what}, '
            "else correct it, read the column as categories with --categories, or leave it out "
            "with --drop"
        )
    return (
        "read such columns as categories with --categories, make numbers of them, or leave them "
        "out with --drop"
    )


def _is_numeric(column: Array) -> bool:
    """Tell whether a column holds numbers or truth values (None: a missing one)."""
    if column.dtype == object:
        return all(value is None or isinstance(value, bool) for value in column.flat)
    return column.dtype.kind in "fiub"


def check_present(table: Table, name: str, column: Array, advice: str) -> None:
    """Raise if a value is missing."""
    missing = _missing(column)
    if missing.any():
        row = int(np.argmax(missing))
        mark = _as_written(table, name, row)
        shown = f" ({mark!r})" if mark else ""
        raise ValueError(
            f"{table.path}: column {name!r} has no value{shown} in {table.where(row)} "
            f"({int(missing.sum())} missing in all); {advice}"
        )


def _missing(column: Array) -> Array:
    """Tell which values are missing: None, NaN or the empty text."""
    if column.dtype.kind == "f":
        return np.isnan(column)
    if column.dtype == object:
        return np.array([value is None for value in column], dtype=bool)
    if column.dtype.kind in "US":
        return np.asarray(column == np.zeros((), column.dtype))
    return np.zeros(column.shape, dtype=bool)


def _check_finite(table: Table, names: Sequence[str], matrix: Array | SparseMatrix) -> None:
    """Raise, naming the first row and column, if a value is missing or infinite."""
    if matrix.dtype.kind != "f" or isinstance(matrix, RowsOfFile):  # parsed, and looked at there
        return
    if not isinstance(matrix, np.ndarray):  # a sparse one, by rows
        for place in np.flatnonzero(~np.isfinite(matrix.data))[:1]:
            row = int(np.searchsorted(matrix.indptr, place, side="right")) - 1
            name = names[matrix.indices[place]]
            raise ValueError(_not_finite(table, name, row, float(matrix.data[place])))
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
    text = _as_written(table, name, row)
    if np.isnan(value):
        shown = "or NaN" if text is None else repr(text) if text else "an empty cell"
        return (
            f"{place} has no value ({shown}) in {table.where(row)}; fill it in first, e.g. with "
            "sklearn.impute.SimpleImputer, or leave the column out with --drop, or such rows with "
            "--drop-missing"
        )
    shown = "" if text is None else f" ({text!r})"
    return f"{place} is infinite{shown} in {table.where(row)}; correct the value or remove the row"


def _as_written(table: Table, name: str, row: int) -> str | None:
    """Return a value as it stands in a CSV file; None for other files."""
    text = getattr(table, "text", None)
    return None if text is None else text(row, name)
