"""Frames and series of polars -> arrays of numbers, and labels."""

from __future__ import annotations

import sys

import numpy as np

from ..arrays import Array, DType
from .column_types import FLOAT64, Foreign, joined_type, refuse_column
from .objects import as_real, checked_labels, floats_of_objects, missing_label
from .values import LABELS

__all__ = [
    "polars_column",
    "polars_kind",
    "polars_labels",
    "polars_numbers",
    "polars_table_labels",
]


def polars_numbers(name: str, frame: Foreign) -> Array:
    """Return a frame of number columns as one array, nulls as NaN."""
    types: set[DType] = set()
    columns, plain = [], True
    for column, dtype in frame.schema.items():
        kind = polars_kind(dtype)
        if kind == "objects":
            columns.append(column)
        elif isinstance(kind, str):
            first = frame[column][0] if len(frame) else None
            refuse_column(name, dtype, column, first, kind)
        types.add(FLOAT64 if isinstance(kind, str) else kind)
        plain = plain and isinstance(kind, np.dtype) and not dtype.is_decimal()
    nullable = any(frame.null_count().row(0)) if frame.width else False
    joined = joined_type(types or {FLOAT64}, nullable=nullable)
    if columns:
        return _polars_objects(name, frame, joined)
    if plain and types == {joined} and not nullable:
        return np.asarray(frame.to_numpy())
    polars = sys.modules["polars"]
    target = getattr(polars, joined.name.title().replace("Ui", "UI").replace("Bool", "Boolean"))
    return np.asarray(frame.cast(target).to_numpy())


def _polars_objects(name: str, frame: Foreign, joined: DType) -> Array:
    """Return a frame some of whose columns are Python's objects."""
    out = np.empty(frame.shape, dtype=joined, order="F")
    for place, (column, dtype) in enumerate(frame.schema.items()):
        if polars_kind(dtype) == "objects":
            values = np.array(frame[column].to_list(), dtype=object)[:, None]
            out[:, [place]] = floats_of_objects(name, values, [column])
        else:
            out[:, [place]] = polars_numbers(name, frame.select(column))
    return out


def polars_kind(dtype: Foreign) -> DType | str:
    """Return the NumPy type of a polars type of numbers, or in a word what else it is."""
    if dtype.is_decimal():
        return FLOAT64
    if dtype.is_temporal():
        return "dates"
    kind = dtype.base_type().__name__
    if dtype.is_numeric() or kind == "Boolean":
        return _NUMBERS_OF_POLARS.get(kind, FLOAT64)
    found: dict[str, DType | str] = {
        "String": "text", "Utf8": "text", "Categorical": "categories", "Enum": "categories",
        "Object": "objects", "Null": FLOAT64,
    }  # fmt: skip
    return found.get(kind, "other")


_NUMBERS_OF_POLARS = {
    **{f"Int{bits}": np.dtype(f"i{bits // 8}") for bits in (8, 16, 32, 64)},
    **{f"UInt{bits}": np.dtype(f"u{bits // 8}") for bits in (8, 16, 32, 64)},
    "Float32": np.dtype(np.float32),
    "Boolean": np.dtype(bool),
}


def polars_column(name: str, series: Foreign) -> Array:
    """Return a series of numbers, (n_samples,); of nested ones more columns."""
    if series.dtype.is_nested():
        return as_real(name, np.asarray(series.to_numpy()), None)
    return polars_numbers(name, series.to_frame())[:, 0]


def polars_labels(name: str, series: Foreign) -> Array:
    """Return a series as labels, of its own type where it holds numbers or text."""
    if series.null_count():
        raise missing_label(None, int(series.is_null().arg_max()))
    kind = polars_kind(series.dtype)
    if kind == "dates":
        raise TypeError(
            f"y has dtype {series.dtype}: {LABELS}, not dates; use y.cast(polars.String)"
        )
    if kind == "objects":
        return np.array(series.to_list(), dtype=object)
    if series.dtype.is_decimal():
        return polars_column(name, series)
    return np.asarray(series)


def polars_table_labels(name: str, frame: Foreign) -> Array:
    """Return a frame as labels; one column as they are, (n_samples, 1)."""
    if frame.width != 1:
        return np.asarray(frame)
    return checked_labels(polars_labels(name, frame.to_series()))[:, None]
