"""Types of the columns of frames: joined for an array of all, or refused in words."""

from __future__ import annotations

from typing import Any, NoReturn, TypeAlias

import numpy as np

from ..arrays import DType
from .values import CATEGORIES, DATES, ENCODE

__all__ = ["FLOAT64", "Foreign", "joined_type", "refuse_column"]


# A frame, column or type of pandas, polars or pyarrow, none of which is imported here: its reader
# knows what to ask of it.
Foreign: TypeAlias = Any
FLOAT64 = np.dtype(np.float64)


def joined_type(types: set[DType], *, nullable: bool) -> DType:
    """Return the type that holds columns of all the types given, as kernels read it."""
    if len(types) == 1:  # of any byte order
        joined = np.dtype(next(iter(types)))
        if joined.char == "d":
            return joined
    else:
        joined = np.result_type(*types)
    if joined.char == "f" or (joined.kind in "biu" and not nullable):
        return joined
    return FLOAT64


def refuse_column(name: str, dtype: Foreign, column: object, first: object, kind: str) -> NoReturn:
    """Raise for a column of a frame that holds no numbers."""
    where = f"{name} has dtype {dtype} in column {column!r}"
    if kind == "dates":
        raise TypeError(f"{where}: {DATES}")
    if kind == "categories":
        raise TypeError(f"{where}: {CATEGORIES}")
    if kind == "complex":
        raise TypeError(f"{where}, complex numbers; take a real part first")
    if kind == "text":
        raise TypeError(
            f"{name} has dtype {dtype}: column {column!r} holds {first!r} (row 0); {ENCODE}"
        )
    raise TypeError(f"{where}, which holds no numbers; make columns of numbers of it, or drop it")
