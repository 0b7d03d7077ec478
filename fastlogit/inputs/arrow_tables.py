"""Tables, batches and arrays of pyarrow -> arrays of numbers, and labels."""

from __future__ import annotations

import sys

import numpy as np

from ..arrays import Array, DType
from .column_types import FLOAT64, Foreign, joined_type, refuse_column
from .objects import checked_labels, missing_label
from .values import LABELS

__all__ = [
    "arrow_column",
    "arrow_kind",
    "arrow_labels",
    "arrow_numbers",
    "arrow_table_labels",
]


def arrow_numbers(name: str, table: Foreign) -> Array:
    """Return a table or batch of number columns as one array, nulls as NaN."""
    names, columns = table.schema.names, table.columns
    kinds: list[DType] = []
    for column, values in zip(names, columns, strict=True):
        kind = arrow_kind(values.type)
        if isinstance(kind, str):
            first = values[0].as_py() if len(values) else None
            refuse_column(name, values.type, column, first, kind)
        else:
            kinds.append(kind)
    nullable = any(column.null_count for column in columns)
    joined = joined_type(set(kinds) or {FLOAT64}, nullable=nullable)
    out = np.empty((table.num_rows, len(columns)), dtype=joined, order="F")
    for place, (values, kind) in enumerate(zip(columns, kinds, strict=True)):
        decimals = str(values.type).startswith("decimal")
        cast = decimals or str(values.type) == "null" or (kind.kind == "b" and values.null_count)
        out[:, place] = np.asarray(values.cast("float64") if cast else values)
    return out


def arrow_kind(arrow: Foreign) -> DType | str:
    """Return the NumPy type of an Arrow type of numbers, or in a word what else it is."""
    text = str(arrow)
    for start, kind in _KINDS_OF_ARROW.items():
        if text.startswith(start):
            return kind
    return np.dtype(arrow.to_pandas_dtype()) if text in _NUMBERS_OF_ARROW else "other"


_KINDS_OF_ARROW: dict[str, DType | str] = {
    "decimal": FLOAT64, "null": FLOAT64, "dictionary": "categories",
    "timestamp": "dates", "date": "dates", "time": "dates", "duration": "dates",
    "month_day_nano_interval": "dates", "string": "text", "large_string": "text",
}  # fmt: skip
_NUMBERS_OF_ARROW = {
    *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)),
    "bool", "halffloat", "float", "double",
}  # fmt: skip


def arrow_column(name: str, column: Foreign) -> Array:
    """Return an array of numbers, (n_samples,)."""
    return arrow_numbers(name, sys.modules["pyarrow"].table({name: column}))[:, 0]


def arrow_labels(name: str, column: Foreign) -> Array:
    """Return an array as labels, of its own type where it holds numbers or text."""
    if column.null_count:
        valid = np.asarray(column.is_valid(), dtype=bool)
        raise missing_label(None, int(np.argmin(valid)))
    kind = arrow_kind(column.type)
    if kind == "dates":
        raise TypeError(f'y has dtype {column.type}: {LABELS}, not dates; use y.cast("string")')
    if kind == "categories":
        return arrow_labels(name, column.cast(column.type.value_type))
    if isinstance(kind, np.dtype):
        return arrow_column(name, column) if kind.kind == "f" else np.asarray(column)
    return np.array(column.to_pylist(), dtype=object)


def arrow_table_labels(name: str, table: Foreign) -> Array:
    """Return a table as labels; one column as they are, (n_samples, 1)."""
    if table.num_columns != 1:
        return np.asarray(table)
    return checked_labels(arrow_labels(name, table.columns[0]))[:, None]
