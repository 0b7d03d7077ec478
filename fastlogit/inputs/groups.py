"""Labels of groups of rows, as users have them -> the distinct labels, and each row's among them.

Labels may be of any kind: whole numbers, floats, text, dates, categories of a frame, objects of
several types. What is equal is one group; what is missing is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from ..arrays import Array, ArrayLike, Integers, Labels
from .conversion import refuse_special
from .readers import refuse_lazy
from .values import array_of, is_missing, show

__all__ = ["Groups", "encode_groups"]

# A series, array or scalar type of another library, none of which is imported here.
Foreign: TypeAlias = Any

# Whole numbers that span up to so many times the number of rows are counted in a table.
TABLE = 4
# Whole numbers without runs in so many rows are taken one by one, which is fast.
HEAD = 2**14
LEAVE_OUT = "drop such rows, or give them a label of their own"


class Groups(NamedTuple):
    """Groups of rows: one of each label, sorted where they can be, and the place of each row's."""

    labels: Labels
    codes: np.ndarray[tuple[int], np.dtype[np.int32]]


def encode_groups(groups: ArrayLike, n_samples: int) -> Groups:
    """Return the distinct labels and each row's place among them.

    Parameters
    ----------
    groups : array-like of shape (n_samples,)
        A list, array, series, index, categorical or Arrow column.
    n_samples : int
        Rows of X.

    Returns
    -------
    Groups
        Labels are sorted; categories of a frame in their own order, without those that no row has;
        labels that have no order, as of several types, as they appear.

    Raises
    ------
    TypeError, ValueError
        If there is not one label for each row, or one is missing, or no label.
    """
    refuse_lazy("groups", groups)
    refuse_special("groups", groups)
    library = type(groups).__module__.partition(".")[0].lstrip("_")
    categories = _categories(groups, library)
    if categories is not None:
        labels, codes = categories
        _check_length(codes.shape, n_samples, groups)
        if codes.min() < 0:
            raise _missing(None, int(np.argmin(codes)))
        used = np.bincount(codes, minlength=len(labels)) > 0
        places = np.cumsum(used, dtype=np.int32) - 1
        return Groups(labels[used], places[codes].astype(np.int32, copy=False))
    values = _plain(groups, library)
    _check_length(values.shape, n_samples, groups)
    if values.dtype.kind == "V":
        raise TypeError(f"groups has dtype {values.dtype}, a structured one; give one label a row")
    if values.dtype.kind in "iub":
        return _of_numbers(values)
    if values.dtype.kind in "fcmM":
        missing = np.isnat(values) if values.dtype.kind in "mM" else np.isnan(values)
        if missing.any():
            row = int(np.argmax(missing))
            raise _missing(values[row], row)
        return _of_numbers(values)
    return _of_objects(values)


def _check_length(shape: tuple[int, ...], n_samples: int, groups: ArrayLike) -> None:
    if len(shape) != 1:
        hint = (
            "for a single column use that column alone; make one label of several columns first, "
            "e.g. of their texts joined"
        )
        raise ValueError(
            f"groups must have 1 dimension, one label for each row, found {len(shape)} (shape "
            f"{shape}); {hint}"
        )
    if shape[0] != n_samples:
        raise ValueError(f"groups has {shape[0]} values, but X has {n_samples} rows")


def _missing(label: object, row: int) -> ValueError:
    return ValueError(f"groups contains {show(label)} (row {row}), a missing label; {LEAVE_OUT}")


# ------------------------------------------------------------------------------------------------
# Libraries


def _categories(given: Foreign, library: str) -> tuple[Labels, Integers] | None:
    """Return categories and codes, -1 for missing, of what has them; else None."""
    if library == "pandas":
        dtype = getattr(given, "dtype", None)
        if type(dtype).__name__ != "CategoricalDtype":
            return None
        coded: Foreign = getattr(given, "cat", given)
        return _objects(list(coded.categories)), np.asarray(coded.codes)
    if library == "pyarrow" and hasattr(given, "null_count") and hasattr(given, "type"):
        if given.null_count:
            raise _missing(None, int(np.argmin(np.asarray(given.is_valid(), dtype=bool))))
        if str(given.type).startswith("dictionary"):
            # Dictionaries may hold a label twice, and differ from chunk to chunk.
            given = given.cast(given.type.value_type)
    return None


def _plain(given: Foreign, library: str) -> Array:
    """Return labels as an array of their own type; objects where they are of several."""
    if isinstance(given, np.ndarray):
        return given
    if library == "polars":
        if hasattr(given, "columns"):
            return np.asarray(given)
        if given.null_count():
            raise _missing(None, int(given.is_null().arg_max()))
        return _polars_values(given)
    if library == "pandas" and getattr(given, "ndim", 1) == 1:
        missing = np.asarray(given.isna(), dtype=bool)
        if missing.any():
            row = int(np.argmax(missing))
            raise _missing(next(iter(given[row : row + 1])), row)
        dtype = given.dtype
        kind = dtype if isinstance(dtype, np.dtype) else getattr(dtype, "numpy_dtype", None)
        if isinstance(kind, np.dtype) and kind.kind in "iub":
            return np.asarray(given.to_numpy(dtype=kind))
        return np.asarray(given)
    if library == "pyarrow" and hasattr(given, "to_pylist"):
        values = given.cast(given.type.value_type) if _is_dictionary(given) else given
        if str(getattr(values, "type", "")) in ("string", "large_string"):
            return np.asarray(values.to_pylist())
        return np.asarray(values)
    if isinstance(given, Sequence) and not isinstance(given, str | bytes):
        return _of_sequence(given)
    return np.asarray(given)


def _is_dictionary(given: Foreign) -> bool:
    return str(getattr(given, "type", "")).startswith("dictionary")


def _polars_values(series: Foreign) -> Array:
    """Return the values of a series: text of categories, of any number type as it is."""
    kind = series.dtype.base_type().__name__
    if kind in ("Categorical", "Enum", "Decimal", "Object"):
        return _of_sequence(series.to_list())
    return np.asarray(series)


def _of_sequence(given: Sequence[Any]) -> Array:
    """Return a list as an array that merges no two labels: ``[1, "1"]`` are two."""
    kinds = set(map(type, given))
    if len(kinds) == 1 and next(iter(kinds)) in (int, float, bool, str, bytes):
        return np.asarray(given)
    if kinds and all(issubclass(kind, np.generic) for kind in kinds) and len(kinds) == 1:
        return np.asarray(given)
    if any(issubclass(kind, list | np.ndarray) for kind in kinds):
        return array_of("groups", given)
    return _objects(given)


def _objects(given: Sequence[Any]) -> Array:
    """Return labels as an array of their common type, or of objects, in one dimension."""
    kinds = set(map(type, given))
    if len(kinds) == 1 and next(iter(kinds)) in (int, float, bool, str):
        found = np.asarray(given)
        if found.dtype.kind != "O":
            return found
    array = np.empty(len(given), dtype=object)
    for place, value in enumerate(given):
        array[place] = value
    return array


# ------------------------------------------------------------------------------------------------
# Codes


def _of_numbers(values: Array) -> Groups:
    """Return groups of numbers or dates, none of which is missing."""
    head = values[:HEAD]
    if values.dtype.kind not in "iu" or 2 * _begins(head).size < head.size:
        begins = _begins(values)
        if 2 * begins.size < values.size:  # each run is looked up once
            runs = _of_single_numbers(values[begins])
            return Groups(runs.labels, _over_runs(runs.codes, begins, values.size))
    return _of_single_numbers(values)


def _of_single_numbers(values: Array) -> Groups:
    """Return the same, value by value."""
    if values.dtype.kind in "iu":
        low, high = int(values.min()), int(values.max())
        span = high - low + 1
        if span <= max(TABLE * values.size, 1024) and high < 2**63:
            shifted = values.astype(np.int64, copy=False)
            if low != 0:
                shifted = shifted - low
            used = np.zeros(span, dtype=bool)
            used[shifted] = True
            places = np.cumsum(used, dtype=np.int32) - np.int32(1)
            labels = (np.flatnonzero(used) + low).astype(values.dtype.newbyteorder("="))
            return Groups(labels, places[shifted])
    labels, codes = np.unique(values, return_inverse=True)
    return Groups(labels, codes.reshape(-1).astype(np.int32))


def _of_objects(values: Array) -> Groups:
    """Return groups of text or objects, each of which is looked up once for each run of it."""
    begins = _begins(values) if values.dtype.kind != "O" else np.arange(values.size)
    places: dict[object, int] = {}
    codes = np.empty(begins.size, dtype=np.int32)
    listed = values[begins].tolist()
    try:
        for run, label in enumerate(listed):
            codes[run] = places.setdefault(label, len(places))
    except TypeError:
        raise TypeError(
            f"groups holds {show(label)} (row {int(begins[run])}) of type {type(label).__name__}, "
            "which is no label: labels are hashable, as numbers, text, dates and tuples of these"
        ) from None
    distinct = list(places)
    for label in distinct:
        if is_missing(label):
            raise _missing(label, int(begins[int(np.argmax(codes == places[label]))]))
    is_text = values.dtype.kind != "O"
    labels = np.asarray(distinct, dtype=values.dtype) if is_text else _objects(distinct)
    rank = np.arange(len(distinct), dtype=np.int32)
    try:
        order = sorted(range(len(distinct)), key=distinct.__getitem__)  # type: ignore[arg-type]
    except TypeError:
        pass  # of several types: as they appear
    else:
        rank[order] = np.arange(len(distinct), dtype=np.int32)
        labels = labels[order]
    return Groups(labels, _over_runs(rank[codes], begins, values.size))


def _begins(values: Array) -> Integers:
    """Return where runs of equal labels begin: rows are often sorted by group."""
    changes = np.flatnonzero(values[1:] != values[:-1]) + 1
    return np.concatenate([[0], changes])


def _over_runs(codes: Integers, begins: Integers, n_samples: int) -> Any:
    """Return the code of each row from those of the runs."""
    lengths = np.diff(begins, append=n_samples)
    return np.repeat(codes.astype(np.int32), lengths)
