"""Single values: which ones are missing or dates, and how messages speak of them."""

from __future__ import annotations

import datetime
import decimal
import numbers
from collections.abc import Sequence, Sized

import numpy as np

from ..arrays import Array, ArrayLike

__all__ = [
    "CATEGORIES",
    "DATES",
    "ENCODE",
    "IMPUTE",
    "LABELS",
    "array_of",
    "class_name",
    "column_text",
    "is_date",
    "is_missing",
    "is_number",
    "n_dimensions",
    "show",
]


DATES = (
    "dates and times are not numbers; make numbers of them first, e.g. the days since a fixed date"
)
ENCODE = (
    "encode text columns first, e.g. with sklearn.preprocessing.OneHotEncoder, or convert with "
    "astype(float); as a categorical column of a frame (pandas: astype('category'), dask: "
    "categorize(), polars: cast(pl.Categorical)) most fits take it"
)
CATEGORIES = (
    "categories are not numbers; fit, LogisticRegression, LogisticRegressionCV, logistic_path, "
    "Problem and cost read columns of them, as do the models that they fit, and predict with "
    "categories=result.categories; elsewhere pass indicators, e.g. pandas.get_dummies(X, "
    "dtype=float), or cast the column to a number type if that is what they are"
)
IMPUTE = "impute first, e.g. with sklearn.impute.SimpleImputer"
LABELS = "labels must be numbers, booleans or strings"


def is_missing(value: object) -> bool:
    """Say whether a value is None, NaN, NaT or pandas.NA."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    if isinstance(value, np.datetime64 | np.timedelta64):
        return bool(np.isnat(value))
    return isinstance(value, numbers.Real | decimal.Decimal) and value != value


def is_date(value: object) -> bool:
    """Say whether a value is a date, time or span of time, or a period of pandas."""
    dates = datetime.date | datetime.time | datetime.timedelta | np.datetime64 | np.timedelta64
    return isinstance(value, dates) or type(value).__name__ == "Period"


def is_number(kind: type) -> bool:
    """Say whether values of a class are real numbers."""
    return issubclass(kind, numbers.Real | np.bool_ | decimal.Decimal)


def column_text(column: int, names: Sequence[str] | None) -> str:
    """Return how messages call a column."""
    return f"column {column}" if names is None else f"column {names[column]!r}"


def show(value: object) -> str:
    """Return a value as messages show it."""
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, int) and value.bit_length() > 256:
        return f"a whole number of {value.bit_length()} bits"
    return repr(value)


def array_of(name: str, given: ArrayLike) -> Array:
    """Return what NumPy makes of a list or the like.

    Raises
    ------
    ValueError
        If it holds lists of different lengths, or lists beside single values.
    """
    try:
        return np.asarray(given)
    except ValueError as error:
        if "inhomogeneous" not in str(error):
            raise
    raise ValueError(f"{name} {_ragged_text(list(given))}")  # type: ignore[call-overload]  # read


def _ragged_text(given: Sequence[object]) -> str:
    """Say where a list holds lists of different lengths."""
    sizes = [len(part) if isinstance(part, Sized) else None for part in given]
    other = next((place for place, size in enumerate(sizes) if size != sizes[0]), None)
    if other is None:
        return "holds lists of different lengths; make them equally long"
    first, found = (
        "a single value" if size is None else f"a list of {size}"
        for size in (sizes[0], sizes[other])
    )
    return (
        f"holds lists of different lengths: {first} at [0], but {found} at [{other}]; make them "
        "equally long"
    )


def n_dimensions(name: str, given: ArrayLike) -> int:
    """Return how many dimensions anything has, an array or a list, a single value or none."""
    found: int = given.ndim if hasattr(given, "ndim") else array_of(name, given).ndim
    return found


def class_name(given: ArrayLike) -> str:
    """Return how messages call the class of an object."""
    return f"{type(given).__module__.partition('.')[0]}.{type(given).__qualname__}"
