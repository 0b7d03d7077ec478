"""Arrays of any type -> arrays that kernels read, or labels: Python's objects too."""

from __future__ import annotations

import numbers
from collections.abc import Sequence

import numpy as np

from ..arrays import Array, ArrayLike, DType
from .column_names import feature_names
from .values import DATES, ENCODE, IMPUTE, LABELS, column_text, is_date, is_missing, is_number, show

__all__ = [
    "EXACT",
    "READABLE",
    "as_real",
    "checked_labels",
    "floats_of_objects",
    "is_readable",
    "labels_of_objects",
    "missing_label",
]


# NumPy's one-letter names of the number types that kernels read.
READABLE = frozenset("?bBhHiIlLqQfd")
# Whole numbers up to here are exact in float64.
EXACT = 2**53


def as_real(name: str, array: Array, given: ArrayLike) -> Array:
    """Return the array in a type that kernels read."""
    if array.dtype.char in READABLE:
        return array
    kind = array.dtype.kind
    if kind == "f":
        with np.errstate(over="ignore"):  # long doubles beyond float64 are named as infinite later
            return array.astype(np.float64)
    if kind == "O":
        return floats_of_objects(name, array, feature_names(given))
    if kind == "c":
        raise TypeError(
            f"{name} must hold real numbers, got dtype {array.dtype}; take a real part first"
        )
    if kind in "mM":
        raise TypeError(f"{name} has dtype {array.dtype}: {DATES}")
    if kind == "V":
        raise TypeError(
            f"{name} has dtype {array.dtype}, a structured one; use "
            f"numpy.lib.recfunctions.structured_to_unstructured({name})"
        )
    if name != "X":
        raise TypeError(f"{name} must hold real numbers, got dtype {array.dtype}")
    raise TypeError(f"{name} has dtype {array.dtype}; {ENCODE}")


def floats_of_objects(name: str, array: Array, names: Sequence[str] | None) -> Array:
    """Return Python's or NumPy's numbers as float64; raise for the first thing that is none."""
    kinds = set(map(type, array.ravel()))  # 30 ns a value; most arrays hold one or two types
    if all(is_number(kind) for kind in kinds):
        try:
            return array.astype(np.float64)
        except (OverflowError, ValueError):
            pass  # a whole number beyond float64, or a signalling NaN: the loop finds it
    for index, value in np.ndenumerate(array):
        _refuse_object(name, array, index, value, names)
    return array.astype(np.float64)


def _refuse_object(
    name: str, array: Array, index: tuple[int, ...], value: object, names: Sequence[str] | None
) -> None:
    """Raise if a value of an object array is no number."""
    row = f" (row {index[0]})" if index else ""
    column = column_text(index[1], names) if array.ndim == 2 else ""
    holds = f"{name} has dtype {array.dtype}: {column or 'it'} holds {show(value)}{row}"
    if is_number(type(value)):
        try:
            float(value)  # type: ignore[arg-type]  # a number, as `is_number` says
        except (OverflowError, ValueError):
            raise ValueError(f"{holds}, which is no number that float64 can hold") from None
    elif is_missing(value):
        where = f" in {column}" * bool(column)
        advice = IMPUTE if name == "X" else "drop such rows, or fill them"
        raise ValueError(f"{name} contains {value!r}{where}{row}; {advice}")
    elif isinstance(value, str | bytes):
        raise TypeError(f"{holds}; {ENCODE}")
    elif is_date(value):
        raise TypeError(f"{holds}: {DATES}")
    else:
        raise TypeError(
            f"{holds}: float()'s argument must be a string or a real number, not "
            f"{type(value).__name__!r}"
        )


def is_readable(dtype: DType) -> bool:
    """Say whether kernels read numbers of this type."""
    return np.dtype(dtype).char in READABLE


def checked_labels(labels: Array) -> Array:
    """Return labels of a type that is taken; objects remain only where all are text."""
    if labels.dtype.kind in "mM":
        raise TypeError(f"y has dtype {labels.dtype}: {LABELS}, not dates; use y.astype(str)")
    return labels_of_objects(labels) if labels.dtype.kind == "O" else labels


def labels_of_objects(labels: Array) -> Array:
    """Return an object array of numbers as one of numbers; one of texts as it is."""
    kinds = set(map(type, labels.ravel()))
    if all(issubclass(kind, str) for kind in kinds):
        return labels
    if not all(issubclass(kind, numbers.Integral | np.bool_) for kind in kinds):
        for index, label in np.ndenumerate(labels):
            if is_missing(label):
                raise missing_label(label, index[0] if index else 0)
    if all(is_number(kind) for kind in kinds):
        return _labels_of_numbers(labels, kinds)
    if kinds == {bytes}:
        return labels.astype(bytes)
    for index, label in np.ndenumerate(labels):
        what = "dates" if is_date(label) else "intervals" * (type(label).__name__ == "Interval")
        if what:
            row = index[0] if index else 0
            raise TypeError(f"y holds {what}: {label!r} (row {row}); {LABELS}; use y.astype(str)")
    names = sorted("str" if issubclass(kind, str) else kind.__name__ for kind in kinds)
    if len(names) > 1:
        raise TypeError(f"y mixes labels of the types {', '.join(names)}; use one type for all")
    raise TypeError(f"y holds labels of type {names[0]}; {LABELS}")


def _labels_of_numbers(labels: Array, kinds: set[type]) -> Array:
    if all(issubclass(kind, bool | np.bool_) for kind in kinds):
        return labels.astype(bool)
    if all(issubclass(kind, numbers.Integral | np.bool_) for kind in kinds):
        low, high = int(labels.min()), int(labels.max())
        for dtype in (np.int64, np.uint64):
            if np.iinfo(dtype).min <= low and high <= np.iinfo(dtype).max:
                return labels.astype(dtype)
        raise ValueError(
            f"y holds whole numbers from {low} to {high}, more than 64 bits hold; use "
            "strings as labels"
        )
    floats = labels.astype(np.float64)
    for index, label in np.ndenumerate(labels):
        if isinstance(label, numbers.Integral) and int(label) != int(floats[index]):
            raise ValueError(
                f"y mixes {label!r} (row {index[0]}) with floats, where it is not exact; use "
                "whole numbers for all labels"
            )
    return floats


def missing_label(label: object, row: int) -> ValueError:
    """Return the error that names a label that is missing."""
    return ValueError(f"y contains {label!r} (row {row}); drop such rows first")
