"""What users hand in -> NumPy arrays: data frames, tables, lists, arrays of other libraries.

One way for every entry, so that a table means the same numbers at each of them. No library of
frames is imported here: what someone hands in is known by the names of its classes.

Number types are joined as NumPy joins them, which loses nothing but whole numbers above 2^53:
bool and float32 columns make a float32 array, int64 and float32 columns a float64 one. float16,
long double, decimals and Python's own numbers become float64. Missing values become NaN, which the
checks that follow name by row and column.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, TypeGuard

import numpy as np

from ..arrays import Array, ArrayLike, Features
from .column_names import columns_of, listed
from .objects import EXACT, READABLE, as_real, checked_labels, labels_of_objects
from .readers import is_frame, reader_for
from .values import array_of, class_name

__all__ = [
    "as_array",
    "as_labels",
    "as_numbers",
    "as_table",
    "is_plain",
    "refuse_names_twice",
    "refuse_special",
]


# Labels of these kinds are taken as they are.
PLAIN_LABELS = frozenset("biufU")


def as_numbers(name: str, given: ArrayLike) -> Array:
    """Return real numbers as an array that kernels read; an array that they read, as it is.

    Parameters
    ----------
    name : str
        What the user calls it, for messages.
    given : array-like, data frame, series or table

    Returns
    -------
    ndarray of bool, integers, float32 or float64

    Raises
    ------
    TypeError
        If it holds text, categories, dates, complex numbers or other objects, is masked or sparse,
        or has no rows yet.
    ValueError
        If an object array has missing values.
    """
    if type(given) is np.ndarray and given.dtype.char in READABLE:
        return given
    return as_real(name, as_array(name, given), given)


def as_array(name: str, given: ArrayLike) -> Array:
    """Return an array of what NumPy or this module can make one of, of whatever type."""
    if type(given) is np.ndarray:
        return given
    reader = reader_for(given)
    if reader is not None:
        return reader.numbers(name, given)
    refuse_special(name, given)
    try:
        return array_of(name, given)
    except (TypeError, ValueError):
        raise
    except Exception as error:  # whatever the library behind it raises
        raise TypeError(
            f"{name} is a {class_name(given)}, of which NumPy can make no array: {error}"
        ) from error


def as_table(X: ArrayLike) -> Array:
    """Return X by `as_array`; raises ValueError for a frame two of whose columns have one name.

    Messages, coefficients and the check of names at prediction would mean either of them, and
    scikit-learn's own checks of frames raise what their library raises.
    """
    array = as_array("X", X)
    refuse_names_twice(X)
    return array


def is_plain(X: ArrayLike) -> TypeGuard[Features]:
    """Say whether kernels can read X as it is, and nothing about its shape is amiss."""
    return type(X) is np.ndarray and X.ndim == 2 and X.size > 0 and X.dtype.char in READABLE


def refuse_names_twice(X: ArrayLike) -> None:
    """Raise ValueError for a frame two of whose columns have one name."""
    if type(X) is not np.ndarray and is_frame(X):
        columns = columns_of(X)
        refuse_twice([] if columns is None else list(columns))


def refuse_twice(names: Sequence[Any]) -> None:
    """Raise ValueError for names of columns two of which are the same."""
    if len(set(names)) < len(names):
        twice = [name for name, count in Counter(names).items() if count > 1]
        places = [place for place, name in enumerate(names) if name == twice[0]]
        raise ValueError(
            f"X has {len(places)} columns called {twice[0]!r} (columns "
            f"{', '.join(map(str, places))}, counting from 0)"
            + f", and {listed(twice[1:])} more than once" * (len(twice) > 1)
            + "; give each column a name of its own, or pass an array"
        )


def refuse_special(name: str, value: object) -> None:
    """Raise for a masked array or a sparse matrix."""
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError(
            f"{name} is a masked array, whose mask would be ignored; fill it first, e.g. with "
            f"{name}.filled(value) or by imputation"
        )
    if hasattr(value, "tocsr") or hasattr(value, "todense"):
        has_only = hasattr(value, "todense") and not hasattr(value, "toarray")
        how = "todense" if has_only else "toarray"
        raise TypeError(
            f"{name} is sparse ({type(value).__name__}), which is not supported here; if it "
            f"fits in memory, pass {name}.{how}()"
        )


def as_labels(given: ArrayLike) -> Array:
    """Return labels as an array of their own type; objects remain only where all are text.

    Whole numbers stay exact: nullable integers become integers, not floats.

    Parameters
    ----------
    given : array-like, series or table

    Returns
    -------
    ndarray
        Of any number of dimensions, and of a type that the caller looks at.

    Raises
    ------
    TypeError
        If it is masked or sparse, or holds dates, periods, intervals, several types or other
        objects.
    ValueError
        If a label is missing, or whole numbers do not fit one type.
    """
    if type(given) is np.ndarray and given.dtype.kind in PLAIN_LABELS:
        return given
    reader = reader_for(given)
    if reader is not None:
        labels = reader.labels("y", given)
    else:
        refuse_special("y", given)
        labels = array_of("y", given)
    labels = checked_labels(labels)
    if labels.dtype.kind == "f" and isinstance(given, list | tuple):
        with np.errstate(invalid="ignore"):
            large = bool((np.abs(labels) >= EXACT).any())
        if large:  # NumPy joins numbers of two types in a list to floats
            return labels_of_objects(np.array(given, dtype=object))
    return labels
