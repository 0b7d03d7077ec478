"""Columns of frames -> series of pandas, which formulaic's functions take; and what they lack."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import Any, TypeAlias

import numpy as np

from ..arrays import Array, ArrayLike
from ..inputs.column_names import feature_names
from ..inputs.frames import categorical_places, read_column
from ..inputs.polars_tables import polars_kind
from ..inputs.readers import is_frame, refuse_lazy

__all__ = ["Series", "columns_of", "is_missing", "names_of", "size_of", "take"]

# A series of pandas, which is no dependency of ours (but of formulaic).
Series: TypeAlias = Any


def names_of(data: ArrayLike) -> list[str]:
    """Return the names of the columns.

    Raises
    ------
    TypeError
        If data are no frame and no mapping.
    ValueError
        If two columns have one name.
    """
    refuse_lazy("data", data)
    if isinstance(data, Mapping):
        return [str(name) for name in data]
    fields = getattr(getattr(data, "dtype", None), "names", None)
    if fields:  # a structured array
        return list(fields)
    if not is_frame(data):
        raise TypeError(
            "data must be a frame of pandas, polars or pyarrow, or a mapping of names to columns, "
            f"got {type(data).__name__}"
        )
    return [str(name) for name in feature_names(data) or ()]


def size_of(data: ArrayLike) -> int:
    """Return the number of rows; raise ValueError where there are none."""
    if isinstance(data, Mapping):
        sizes = {len(np.atleast_1d(column)) for column in data.values()}
        if len(sizes) > 1:
            raise ValueError(f"the columns of data have different lengths: {sorted(sizes)}")
        n_rows = sizes.pop() if sizes else 0
    else:
        n_rows = int(data.shape[0])  # type: ignore[attr-defined]  # of a frame
    if n_rows == 0:
        raise ValueError("data are empty: they have no rows")
    return n_rows


def columns_of(data: ArrayLike, names: Iterable[str]) -> dict[str, Series]:
    """Return some columns as series of pandas, numbered from 0.

    Raises
    ------
    ValueError
        If one is not there, or twice.
    """
    known = names_of(data)
    found = {}
    for name in names:
        places = [place for place, own in enumerate(known) if own == name]
        if len(places) != 1:
            said = f"{len(places)} columns named" if places else "no column"
            raise ValueError(f"data have {said} {name!r}; they have {', '.join(map(repr, known))}")
        found[name] = _series(data, places[0], name)
    return found


def _series(data: Any, place: int, name: str) -> Series:
    pd = import_module("pandas")
    if isinstance(data, Mapping):
        return pd.Series(next(column for key, column in data.items() if str(key) == name))
    if isinstance(data, np.ndarray):
        return pd.Series(data[name])
    library = type(data).__module__.partition(".")[0]
    if library == "pandas":
        return data.iloc[:, place].reset_index(drop=True)
    if place in categorical_places(data):
        codes, values = read_column(data, place)
        return pd.Series(pd.Categorical.from_codes(np.asarray(codes, dtype=np.int64), values))
    if library == "polars":
        return _of_polars(data.to_series(place))
    return data.column(place).to_pandas().reset_index(drop=True)


def _of_polars(column: Any) -> Series:
    pd = import_module("pandas")
    kind = str(column.dtype)
    if kind.startswith("Decimal"):
        column = column.cast(import_module("polars").Float64)
    if polars_kind(column.dtype) is None or not (column.dtype.is_numeric() or kind == "Boolean"):
        return pd.Series(column.to_list(), dtype=object if kind in ("String", "Utf8") else None)
    return pd.Series(column.to_numpy())


def is_missing(column: Series) -> Array:
    """Say of each value whether it is missing, (n_rows,)."""
    found: Array = np.asarray(column.isna(), dtype=bool)
    return found


def take(column: Series, rows: Array) -> Series:
    """Return some rows of a column that lack nothing, as a plain type: numbers, bool or text."""
    pd = import_module("pandas")
    chosen = column.iloc[rows].reset_index(drop=True)
    kind = chosen.dtype
    if isinstance(kind, pd.CategoricalDtype):
        return chosen
    if kind.kind == "O" and isinstance(kind, np.dtype):
        chosen = chosen.infer_objects()
        inferred = pd.api.types.infer_dtype(chosen, skipna=False)
        if inferred in ("decimal", "mixed-integer-float"):
            return chosen.astype(np.float64)
        return chosen
    if pd.api.types.is_bool_dtype(kind):
        return pd.Series(np.asarray(chosen, dtype=bool))
    if pd.api.types.is_numeric_dtype(kind) and not isinstance(kind, np.dtype):
        floating = pd.api.types.is_float_dtype(kind)
        return pd.Series(np.asarray(chosen, dtype=np.float64 if floating else np.int64))
    return chosen
