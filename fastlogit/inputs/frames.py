"""Categorical columns of frames -> codes and the values that they stand for, by library.

pandas (Categorical, and Arrow's dictionaries as pandas holds them), polars (Categorical, Enum),
pyarrow (dictionaries, whose batches may each have one of its own) and our own `CodedFrame`. No
library of frames is imported here, as in `conversion.py`.

A value is text, a number or True and False, as it is; any other, as an interval or a date, is
known by its text. So frames of different libraries mean the same categories.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from ..arrays import Array, ArrayLike, Indices, Integers
from ..design.compressed import CompressedRows
from .arrow_tables import arrow_kind
from .coded_frame import CodedFrame, Level, ReadColumn
from .conversion import as_table
from .objects import as_real
from .pandas_tables import pandas_kind
from .polars_tables import polars_kind
from .sparse import compressed_rows, sparse_of
from .values import is_missing

__all__ = [
    "Level",
    "ReadColumn",
    "categorical_places",
    "columns_at",
    "level_of",
    "number_columns",
    "read_column",
    "rows_of",
    "sparse_columns",
    "sparse_places",
]

# A frame or column of pandas, polars or pyarrow, none of which is imported here.
Foreign: TypeAlias = Any
CATEGORIES, SPARSE = "categories", "sparse"


class _Library(NamedTuple):
    """How the columns of a library's frames are looked at."""

    # What each column holds: "categories", "sparse", or anything else.
    kinds: Callable[[Foreign], list[object]]
    # Some columns as a frame of their own.
    select: Callable[[Foreign, list[int]], Foreign]
    # A column of any kind, by codes.
    read: Callable[[Foreign, int], ReadColumn]
    # Some rows as a frame of their own.
    take: Callable[[Foreign, Indices], Foreign]


def categorical_places(X: ArrayLike) -> list[int]:
    """Return which columns of X are categorical: none where it is no frame."""
    library = _library_of(X)
    if library is None:
        return []
    return [place for place, kind in enumerate(library.kinds(X)) if kind == CATEGORIES]


def sparse_places(X: ArrayLike) -> list[int]:
    """Return which columns of a frame are stored sparse: of pandas, others have none such."""
    library = _library_of(X)
    if library is None or library.read is not _read_pandas:
        return []
    return [place for place, kind in enumerate(library.kinds(X)) if kind == SPARSE]


def sparse_columns(X: ArrayLike, places: Sequence[int]) -> CompressedRows | None:
    """Return some sparse columns as compressed rows; None where others than zeros are left out.

    Raises
    ------
    TypeError
        If they hold no numbers.
    """
    library = _library_of(X)
    assert library is not None
    chosen = library.select(X, list(places))
    dtypes = set(chosen.dtypes)
    if any(dtype.fill_value != 0 for dtype in dtypes):
        return None
    if len(dtypes) > 1:
        chosen = chosen.astype(type(next(iter(dtypes)))(np.float64, 0.0))  # as one matrix
    found = sparse_of(chosen)
    return None if found is None else compressed_rows(found)


def number_columns(X: ArrayLike, places: Sequence[int]) -> Array:
    """Return some columns of a frame as an array of numbers.

    Raises
    ------
    TypeError, ValueError
        If they hold no numbers.
    """
    library = _library_of(X)
    assert library is not None
    chosen = library.select(X, list(places))
    return as_real("X", as_table(chosen), chosen)


def read_column(X: ArrayLike, place: int) -> ReadColumn:
    """Return a column of a frame by codes, be it categorical, text or numbers.

    Raises
    ------
    TypeError
        If it holds what has no order and no equal, as lists.
    """
    library = _library_of(X)
    assert library is not None
    return library.read(X, place)


def columns_at(X: ArrayLike, places: Sequence[int]) -> ArrayLike:
    """Return some columns of a frame as one of the same kind."""
    library = _library_of(X)
    assert library is not None
    return library.select(X, list(places))


def rows_of(X: ArrayLike, rows: Indices) -> ArrayLike:
    """Return some rows of a frame as one of the same kind."""
    library = _library_of(X)
    assert library is not None
    return library.take(X, rows)


def _library_of(X: ArrayLike) -> _Library | None:
    if type(X) is np.ndarray:
        return None
    for base in type(X).__mro__:
        found = _LIBRARIES.get((base.__module__.partition(".")[0].lstrip("_"), base.__name__))
        if found is not None:
            return found
    return None


def level_of(value: object) -> Level | None:
    """Return the value of a category as it is remembered; None for one that is missing."""
    kind = type(value)
    if kind is str:
        return value  # type: ignore[return-value]  # as its class says
    if isinstance(value, np.generic):
        value = value.item()
        kind = type(value)
    if is_missing(value):
        return None
    if kind in (str, int, float, bool):
        return value  # type: ignore[return-value]  # one of these
    return str(value)


def _coded(codes: Integers, values: Iterable[object]) -> ReadColumn:
    """Return codes of values that may come twice, or be missing, as those of each value once."""
    known: dict[Level, int] = {}
    places = []
    for value in values:
        level = level_of(value)
        places.append(-1 if level is None else known.setdefault(level, len(known)))
    if places == list(range(len(places))):
        return ReadColumn(codes, list(known))
    return ReadColumn(_table_of(places)[codes], list(known))


def _table_of(places: list[int]) -> Integers:
    """Return the place of each code, of the smallest type; the last is of -1, what is missing."""
    kind = np.min_scalar_type(-len(places) - 1)
    found: Integers = np.array([*places, -1], dtype=kind)
    return found


def _coded_objects(values: Iterable[object]) -> ReadColumn:
    """Return plain values by codes, in the order in which they first come."""
    known: dict[object, int] = {}
    codes = [known.setdefault(value, len(known)) for value in values]
    return _coded(np.array(codes, dtype=np.int64), known)


# pandas


def _pandas_kinds(frame: Foreign) -> list[object]:
    dtypes = list(frame.dtypes)
    kinds = {dtype: pandas_kind(dtype) for dtype in set(dtypes)}
    return [kinds[dtype] for dtype in dtypes]


def _pandas_select(frame: Foreign, places: list[int]) -> Foreign:
    return frame.iloc[:, places]


def _pandas_take(frame: Foreign, rows: Indices) -> Foreign:
    return frame.iloc[rows]


def _read_pandas(frame: Foreign, place: int) -> ReadColumn:
    series = frame.iloc[:, place]
    if getattr(series.dtype, "pyarrow_dtype", None) is not None:
        return _read_arrow_column(series.array.__arrow_array__())
    if type(series.dtype).__name__ != "CategoricalDtype":
        series = series.astype("category")
    return _coded(np.asarray(series.cat.codes), series.cat.categories)


# polars


def _polars_kinds(frame: Foreign) -> list[object]:
    return [polars_kind(dtype) for dtype in frame.dtypes]


def _polars_select(frame: Foreign, places: list[int]) -> Foreign:
    columns = frame.columns
    return frame.select([columns[place] for place in places])


def _polars_take(frame: Foreign, rows: Indices) -> Foreign:
    return frame[rows]


def _read_polars(frame: Foreign, place: int) -> ReadColumn:
    series = frame.to_series(place)
    if polars_kind(series.dtype) != CATEGORIES:
        return _coded_objects(series.to_list())
    physical = series.to_physical()
    missing = np.asarray(series.is_null().to_numpy(), dtype=bool)
    codes = np.asarray(physical.fill_null(0).to_numpy())
    if series.dtype.base_type().__name__ == "Enum":
        codes, values = codes.astype(np.int64), series.dtype.categories.to_list()
    else:
        # What numbers texts have depends on all that the process has seen: they are sorted.
        known = series.unique().drop_nulls()
        number_of = dict(zip(known.to_list(), known.to_physical().to_list(), strict=True))
        values = sorted(number_of)
        places = [-1] * (max(number_of.values(), default=0) + 1)
        for place, value in enumerate(values):
            places[number_of[value]] = place
        codes = _table_of(places)[codes]
    codes[missing] = -1
    return _coded(codes, values)


# pyarrow


def _arrow_kinds(table: Foreign) -> list[object]:
    return [arrow_kind(column.type) for column in table.columns]


def _arrow_select(table: Foreign, places: list[int]) -> Foreign:
    return table.select(places)


def _arrow_take(table: Foreign, rows: Indices) -> Foreign:
    return table.take(rows)


def _read_arrow(table: Foreign, place: int) -> ReadColumn:
    return _read_arrow_column(table.columns[place])


def _read_arrow_column(column: Foreign) -> ReadColumn:
    """Return an array or chunks by codes; each chunk may have a dictionary of its own."""
    if arrow_kind(column.type) != CATEGORIES:
        column = column.dictionary_encode()
    known: dict[Level, int] = {}
    parts = []
    for chunk in getattr(column, "chunks", [column]):
        places = []
        for value in chunk.dictionary.to_pylist():
            level = level_of(value)
            places.append(-1 if level is None else known.setdefault(level, len(known)))
        codes = np.asarray(chunk.indices.cast("int64").fill_null(-1))
        parts.append(_table_of(places)[codes])
    codes = np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)
    return ReadColumn(codes, list(known))


# our own


def _our_kinds(frame: CodedFrame) -> list[object]:
    return [CATEGORIES if place in frame.coded else "" for place in range(len(frame.columns))]


_LIBRARIES = {
    ("pandas", "DataFrame"): _Library(_pandas_kinds, _pandas_select, _read_pandas, _pandas_take),
    ("polars", "DataFrame"): _Library(_polars_kinds, _polars_select, _read_polars, _polars_take),
    ("pyarrow", "Table"): _Library(_arrow_kinds, _arrow_select, _read_arrow, _arrow_take),
    ("pyarrow", "RecordBatch"): _Library(_arrow_kinds, _arrow_select, _read_arrow, _arrow_take),
    ("fastlogit", "CodedFrame"): _Library(
        _our_kinds, CodedFrame.select, CodedFrame.column, CodedFrame.__getitem__
    ),
}
