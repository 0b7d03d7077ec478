"""Frames, series and indices of pandas -> arrays of numbers, and labels."""

from __future__ import annotations

import sys
from collections.abc import Mapping

import numpy as np

from ..arrays import Array, DType
from .arrow_tables import arrow_kind
from .column_types import FLOAT64, Foreign, joined_type, refuse_column
from .objects import checked_labels, floats_of_objects, missing_label

__all__ = [
    "pandas_column",
    "pandas_kind",
    "pandas_labels",
    "pandas_numbers",
    "pandas_table_labels",
]


def pandas_numbers(name: str, frame: Foreign) -> Array:
    """Return a frame of any mixture of number columns, without a copy where pandas needs none."""
    columns = list(frame.dtypes)
    kinds = {dtype: pandas_kind(dtype) for dtype in set(columns)}
    bad = {k: kind for k, kind in kinds.items() if isinstance(kind, str) and kind != "objects"}
    if bad:
        place = next(i for i, dtype in enumerate(columns) if dtype in bad)
        dtype, column = columns[place], frame.columns[place]
        if bad[dtype] == "sparse":
            raise TypeError(_sparse_text(name, frame, columns, kinds))
        first = frame.iloc[0, place] if len(frame) else None
        refuse_column(name, dtype, column, first, bad[dtype])
    objects = [i for i, dtype in enumerate(columns) if kinds[dtype] == "objects"]
    types = {FLOAT64 if isinstance(kind, str) else kind for kind in kinds.values()}
    extensions = any(not isinstance(dtype, np.dtype) for dtype in kinds)
    joined = joined_type(types or {FLOAT64}, nullable=extensions)
    if objects:
        return _with_objects(name, frame, objects, joined)
    if extensions:
        return np.asarray(frame.to_numpy(dtype=joined, na_value=np.nan))
    only = columns[0] if len(kinds) == 1 else None
    if only is not None and only.newbyteorder("=") == joined:
        return np.asarray(frame.to_numpy())  # of any byte order, as it lies
    return np.asarray(frame.to_numpy(dtype=joined))


def _with_objects(name: str, frame: Foreign, objects: list[int], joined: DType) -> Array:
    """Return a frame some of whose columns are objects, which are looked at one by one."""
    out = np.empty(frame.shape, dtype=joined, order="F")
    others = np.setdiff1d(np.arange(frame.shape[1]), objects)
    if others.size:
        out[:, others] = pandas_numbers(name, frame.iloc[:, others])
    for place in objects:
        column = np.asarray(frame.iloc[:, [place]], dtype=object)
        out[:, [place]] = floats_of_objects(name, column, [str(frame.columns[place])])
    return out


def pandas_kind(dtype: Foreign) -> DType | str:
    """Return the NumPy type of a number column, or in a word what else it holds."""
    if isinstance(dtype, np.dtype):
        found = {"O": "objects", "M": "dates", "m": "dates", "c": "complex", "U": "text"}
        return found.get(dtype.kind, dtype)
    arrow = getattr(dtype, "pyarrow_dtype", None)
    if arrow is not None:
        return arrow_kind(arrow)
    found = {
        "SparseDtype": "sparse", "CategoricalDtype": "categories", "DatetimeTZDtype": "dates",
        "PeriodDtype": "dates", "IntervalDtype": "intervals", "StringDtype": "text",
    }  # fmt: skip
    return found.get(type(dtype).__name__, getattr(dtype, "numpy_dtype", "other"))


def _sparse_text(
    name: str, frame: Foreign, columns: list[Foreign], kinds: Mapping[Foreign, DType | str]
) -> str:
    """Say how to make a frame dense, in a way that works for this one."""
    if all(kinds[dtype] == "sparse" for dtype in columns):
        return (
            f"{name} is a frame of sparse columns, which are not supported; if it fits in memory, "
            f"pass {name}.sparse.to_dense()"
        )
    sparse = [place for place, dtype in enumerate(columns) if kinds[dtype] == "sparse"]
    # Those that leave out zeros are read by most callers: the others are what is wrong.
    place = next((place for place in sparse if columns[place].fill_value != 0), sparse[0])
    dtype, column = columns[place], frame.columns[place]
    where = f"{name} has dtype {dtype} in column {column!r}, a sparse one"
    if dtype.fill_value != 0:
        return (
            f"{where} that leaves out others than zeros, which is not supported; pass "
            f"{name}.astype({{{column!r}: float}})"
        )
    return f"{where}, which is not supported; if it fits in memory, pass {name}.astype(float)"


def pandas_column(name: str, series: Foreign) -> Array:
    """Return a series, an index or an extension array of numbers, (n_samples,)."""
    return pandas_numbers(name, _series(series).to_frame())[:, 0]


def _series(given: Foreign) -> Foreign:
    """Return a pandas series of a series, an index or an extension array."""
    if hasattr(given, "iloc"):
        return given
    return sys.modules["pandas"].Series(given)


def pandas_labels(name: str, given: Foreign) -> Array:
    """Return a series as labels: of its own type, nullable whole numbers too."""
    series = _series(given)
    dtype = series.dtype
    if isinstance(dtype, np.dtype):
        return np.asarray(series)
    missing = np.asarray(series.isna(), dtype=bool)
    if missing.any():
        row = int(np.argmax(missing))
        raise missing_label(series.iloc[row], row)
    if type(dtype).__name__ == "CategoricalDtype":
        return pandas_labels(name, series.astype(dtype.categories.dtype))
    kind = pandas_kind(dtype)
    if isinstance(kind, np.dtype) and not str(dtype).startswith("decimal"):
        return np.asarray(series.to_numpy(dtype=kind))
    return np.asarray(series, dtype=object)


def pandas_table_labels(name: str, frame: Foreign) -> Array:
    """Return a frame as labels; one column as they are, (n_samples, 1)."""
    if frame.shape[1] != 1:
        return np.asarray(frame)
    return checked_labels(pandas_labels(name, frame.iloc[:, 0]))[:, None]
