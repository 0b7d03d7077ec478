"""Columns of categories: which columns of a table they are, and their values as codes."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from fastlogit.inputs.coded_frame import CodedFrame, Level, ReadColumn
from fastlogit.inputs.frames import level_of
from fastlogit.io.columns import check_column, check_none_absent, check_present, features
from fastlogit.io.svmlight_table import RowsOfFile
from fastlogit.io.tables import Array, ColumnTable, Table, dense
from fastlogit.io.values import TextFormat, column_from_texts, is_date, options_for

# So many different texts in a column are identifiers, where more than half of all are different.
MANY = 50
SHOWN = 10


def categorical_names(
    table: Table, names: Sequence[str], chosen: Iterable[str]
) -> tuple[list[str], list[str]]:
    """Return which feature columns are categorical: those that are chosen, and those found.

    What is found are columns of text, none of which is a number or a date, and those that the file
    declares.

    Parameters
    ----------
    table : Table
    names : sequence of str
        The feature columns.
    chosen : iterable of str
        As the user says it: each a name, or several with commas between them.

    Raises
    ------
    ValueError
        If a chosen one is no feature column, or what is found is more likely an identifier.
    """
    said = [name for text in chosen for name in names_in(text, names)]
    for name in said:
        check_column(table, name, "categorical")
        if name not in names:
            raise ValueError(f"column {name!r} is no feature: leave it out of --categories")
    found = []
    if isinstance(table, ColumnTable):
        for name in names:
            _refuse_nested(table, name)
        declared = set(table.declared)
        for name in names:
            is_text = name in declared or _is_text(table, table.columns[name])
            if name not in said and is_text:
                _refuse_identifiers(table, name)
                found.append(name)
    return list(dict.fromkeys(said)), found


def names_in(text: str, names: Sequence[str]) -> list[str]:
    """Return the names that a text has with commas between them; they may have commas of their own.

    Where several names fit, the one of most parts is meant; what is no name is a part of its own.
    """
    known = set(names)
    parts = text.split(",")
    found = []
    at = 0
    while at < len(parts):
        ends = range(len(parts), at, -1)
        joined = ((",".join(parts[at:end]).strip(), end) for end in ends)
        name, at = next((each for each in joined if each[0] in known), (parts[at].strip(), at + 1))
        if name:
            found.append(name)
    return found


def _is_text(table: ColumnTable, column: Array) -> bool:
    """Tell whether a column is text and nothing else: no number, in whatever notation, no date."""
    if column.dtype.kind == "U":
        texts = set(column.tolist())
    elif column.dtype == object:
        texts = {value for value in column if value is not None}
    else:
        return False
    form = table.form or TextFormat()
    if not texts or not all(isinstance(text, str) for text in texts):
        return False
    if any(form.is_number(text) or options_for([text]) is not None for text in texts):
        return False
    return not all(map(is_date, texts))


def _refuse_nested(table: ColumnTable, name: str) -> None:
    """Raise where a column holds lists or structures."""
    column = table.columns[name]
    if column.dtype != object:
        return
    for row, value in enumerate(column):
        if isinstance(value, list | dict | np.ndarray):
            kind = "structures" if isinstance(value, dict) else "lists"
            raise ValueError(
                f"{table.path}: column {name!r} holds {kind} ({table.where(row)}); make a column "
                f"of each of their elements first, or leave it out with --drop {shlex.quote(name)}"
            )


def _refuse_identifiers(table: ColumnTable, name: str) -> None:
    """Raise where nearly every row has a category of its own."""
    n_levels = len(set(table.columns[name].tolist()))
    if n_levels > MANY and n_levels > table.n_rows // 2:
        word = shlex.quote(name)
        raise ValueError(
            f"{table.path}: column {name!r} has {n_levels:,} different texts in {table.n_rows:,} "
            f"rows: too many to be categories; leave it out with --drop {word}, or say that they "
            f"are with --categories {word}"
        )


def frame_of(table: Table, names: Sequence[str], categorical: Iterable[str]) -> CodedFrame | Array:
    """Return the features of a fit, some of them by codes; an array where none is.

    Levels are in the order that the file declares, or sorted.

    Raises
    ------
    ValueError
        As `features`, or if a category is missing.
    """
    coded = {}
    for name in set(categorical):
        column = table.column(name)
        check_present(
            table, name, column, "give it a category of its own, or leave such rows out with "
            "--drop-missing",
        )  # fmt: skip
        declared = table.declared.get(name, ()) if isinstance(table, ColumnTable) else ()
        coded[name] = _coded(column, declared)
    return _frame(table, names, coded)


def frame_as_fitted(
    table: Table, names: Sequence[str], levels: Mapping[str, Sequence[Level]], *, strict: bool
) -> CodedFrame | Array:
    """Return the features of a model, its categorical columns by the codes of their levels.

    Parameters
    ----------
    table : Table
        A CSV file must have been read with those columns as `texts`.
    names : sequence of str
    levels : mapping of str to sequence
        Of each categorical column.
    strict : bool
        Whether other values, and missing ones, are an error.

    Raises
    ------
    ValueError
        As `features`, or if there is such a value.
    """
    check_none_absent(table, names)
    form = getattr(table, "form", None)
    coded = {}
    for name, known in levels.items():
        column = _coded(table.column(name), ())
        values = [_as_level(value, known, form) for value in column.values]
        coded[name] = ReadColumn(column.codes, values)
        if strict:
            _refuse_unknown(table, name, coded[name], known)
    return _frame(table, names, coded)


def _frame(
    table: Table, names: Sequence[str], coded: Mapping[str, ReadColumn]
) -> CodedFrame | Array:
    if not coded:
        return features(table, names)
    numbers = [name for name in names if name not in coded]
    matrix: Any = features(table, numbers) if numbers else np.empty((table.n_rows, 0))
    if isinstance(matrix, RowsOfFile):
        raise ValueError(
            f"{table.path} is read in blocks, for it does not fit in memory, and such files have "
            f"no categorical columns ({', '.join(map(repr, sorted(coded)))}): leave --categories "
            "out, or write indicators of the levels into the file"
        )
    if not isinstance(matrix, np.ndarray):
        matrix = dense(table.path, matrix)
    places = {place: coded[name] for place, name in enumerate(names) if name in coded}
    return CodedFrame(tuple(names), matrix, places)


def _coded(column: Array, declared: Sequence[object]) -> ReadColumn:
    """Return a column by codes: values in the declared order, or sorted."""
    places: dict[object, int] = {}
    codes = np.array([places.setdefault(value, len(places)) for value in column.tolist()])
    levels = [level_of(_whole(value)) for value in places]
    order = {level_of(value): place for place, value in enumerate(declared)}

    def rank(level: Level) -> tuple[int, bool, Level]:
        return order.get(level, len(order)), isinstance(level, str), level

    values = sorted({level for level in levels if level is not None}, key=rank)
    code_of = {value: code for code, value in enumerate(values)}
    table = np.array([-1 if level is None else code_of[level] for level in levels])
    return ReadColumn(table[codes], values)


def _whole(value: object) -> object:
    """Return a whole number as such: `month[3]`, not `month[3.0]`."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _as_level(value: Level, known: Sequence[Level], form: TextFormat | None) -> Level:
    """Return what a text of a CSV file means in a column of these levels."""
    if form is None or not isinstance(value, str) or value in known:
        return value
    found: Level = column_from_texts([value], form).tolist()[0]
    return found


def _refuse_unknown(table: Table, name: str, column: ReadColumn, known: Sequence[Level]) -> None:
    """Raise where a value is missing, or none of the levels."""
    levels = set(known)
    is_known = np.array([value in levels for value in column.values] + [False])
    if is_known[column.codes].all():
        return
    row = int(np.argmin(is_known[column.codes]))
    code = int(column.codes[row])
    value = None if code < 0 else column.values[code]
    what = "no value" if value is None else repr(value)
    end = "" if value is None else ", which was not in the fit"
    more = " and more" * (len(known) > SHOWN)
    raise ValueError(
        f"{table.path}: column {name!r} has {what} in {table.where(row)}{end}; its categories are "
        f"{list(known)[:SHOWN]}{more}: {'fill it in' if value is None else 'correct it'}, or take "
        "such values as of none of them with --handle-unknown zero"
    )
