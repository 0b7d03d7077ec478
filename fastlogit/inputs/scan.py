"""Many columns beside the same rows, as users have them -> blocks of float64, NaN where missing.

Columns are never copied whole: a block of them is read, made dense and widened at a time. Arrays
and memory maps of any layout are read in place, sparse matrices column by column, frames by their
own libraries.
"""

from __future__ import annotations

import math
import re
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from ..arrays import Array, ArrayLike, Indices, Matrix, Vector
from ..design.base import Design
from .batches import BatchSource
from .column_names import names_and_text_names
from .conversion import as_numbers
from .objects import is_readable
from .readers import is_frame, refuse_lazy
from .sparse import columns_of, shape_of, sparse_of
from .values import column_text

__all__ = ["Block", "Columns", "look_at_columns"]

# A frame, table or sparse matrix of another library, none of which is imported here.
Foreign: TypeAlias = Any

# What stands for a missing genotype: in PLINK's texts, and in the int8 of bed-reader.
MISSING_GENOTYPES = (-9.0, -127.0)


class Block(NamedTuple):
    """Some columns: (n_columns, n_samples), and the least and the largest number of each."""

    values: Matrix
    lows: Vector
    highs: Vector


class Columns:
    """Columns that are read block by block.

    Attributes
    ----------
    shape : (int, int)
        Rows and columns.
    names : list of str or None
        The names of the columns, where they have names.
    untold : str or None
        What was read that looks like the code of missing genotypes, which nobody named.
    """

    def __init__(self, given: Foreign, missing: float | None, names: list[str] | None) -> None:
        self._given, self._missing = given, missing
        self.untold: str | None = None
        self.shape: tuple[int, int] = (int(given.shape[0]), int(given.shape[1]))
        self.names = names

    def read(self, first: int, last: int, rows: Indices | None = None) -> Block:
        """Return the columns from `first` to before `last`, of all rows or some."""
        part = self._dense(first, last)
        if rows is not None:
            part = part[rows]
        values = np.empty((last - first, part.shape[0]))
        np.copyto(values, part.T, casting="unsafe")
        if self._missing is not None:
            values[values == self._missing] = np.nan
        block = Block(values, np.fmin.reduce(values, axis=1), np.fmax.reduce(values, axis=1))
        if self._missing is None and self.untold is None and part.dtype.kind == "i":
            self.untold = self._untold_code(block, first)
        return block

    def _untold_code(self, block: Block, first: int) -> str | None:
        """Return words on the first column of 0, 1, 2 and a code that PLINK's readers have."""
        for place in np.flatnonzero(np.isin(block.lows, MISSING_GENOTYPES) & (block.highs <= 2.0)):
            low = block.lows[place]
            if not ((block.values[place] > low) & (block.values[place] < 0.0)).any():
                column = column_text(first + int(place), self.names)
                return (
                    f"{column} holds {low:.0f} beside 0, 1 and 2, as genotypes do where one is "
                    f"missing, and it was taken for a number; pass missing={low:.0f} if it is none"
                )
        return None

    def _dense(self, first: int, last: int) -> Array:
        given = self._given
        if isinstance(given, np.ndarray):
            return given[:, first:last]
        if hasattr(given, "toarray"):
            dense: Array = given[:, first:last].toarray(order="F")
            return dense
        return as_numbers("columns", _some_of(given, first, last))


def look_at_columns(given: ArrayLike, n_samples: int | None, missing: object) -> Columns:
    """Check columns, without reading them.

    Parameters
    ----------
    given : array-like, frame, table, memory map or sparse matrix of shape (n_samples, n_columns)
    n_samples : int or None
        Rows of the covariates; None where there are none.
    missing : float or None
        What stands for a missing value, besides NaN.

    Returns
    -------
    Columns

    Raises
    ------
    TypeError, ValueError
        If they have the wrong type or shape.
    """
    if isinstance(given, BatchSource | Design):
        raise TypeError(
            f"scan reads columns in place, and columns is a {type(given).__name__}; pass an array, "
            "e.g. a numpy.memmap"
        )
    if given is None:
        raise TypeError("columns is None; give an array of the columns, one for each regression")
    refuse_lazy("columns", given)
    if (sparse := sparse_of(given)) is not None:
        columns = _sparse_columns(sparse, n_samples)
    else:
        columns = _readable(given)
        _check_shape(tuple(columns.shape), n_samples)
    code = _code_of(missing)
    if code == 0.0 and hasattr(columns, "toarray"):
        raise ValueError("missing=0 would make all that a sparse matrix leaves out missing")
    return Columns(columns, code, names_and_text_names(given)[0] if is_frame(given) else None)


def _check_shape(shape: tuple[int, ...], n_samples: int | None) -> None:
    if len(shape) != 2:
        one = "reshape(-1, 1)" if len(shape) == 1 else "reshape"
        raise ValueError(
            f"columns must have 2 dimensions (rows, columns), found {len(shape)}; use {one}"
        )
    if n_samples is not None and shape[0] != n_samples:
        turned = "; turn it (columns.T)" if shape[1] == n_samples else ""
        raise ValueError(f"columns has {shape[0]} rows, but X has {n_samples}{turned}")
    if 0 in shape:
        raise ValueError(f"columns is empty: {shape[0]} rows and {shape[1]} columns")


def _sparse_columns(given: Foreign, n_samples: int | None) -> Foreign:
    """Return a sparse matrix by columns, none of whose parts SciPy has to trust."""
    try:
        _check_shape(shape_of(given), n_samples)
        return columns_of(given)
    except (TypeError, ValueError) as error:  # which call it X, as most of the library does
        raise type(error)(re.sub(r"\bX\b(?! has)", "columns", str(error))) from None


def _readable(given: ArrayLike) -> Foreign:
    """Return what `Columns` reads: an array or a frame."""
    if isinstance(given, np.ndarray):
        array = np.ma.asarray(given) if isinstance(given, np.ma.MaskedArray) else given
        if isinstance(array, np.ma.MaskedArray) or not is_readable(array.dtype):
            return as_numbers("columns", given)  # raises, or makes numbers of objects
        return array.view(np.ndarray)
    foreign: Foreign = given
    if is_frame(given) and len(getattr(given, "shape", ())) == 2:
        _check_frame(foreign)
        return foreign
    return as_numbers("columns", given)


def _check_frame(frame: Foreign) -> None:
    """Raise for a frame that holds what is no number."""
    kinds = [str(kind) for kind in getattr(frame, "dtypes", [])]
    if any(kind in ("object", "Object") for kind in kinds):
        as_numbers("columns", frame)  # what these hold, only a look at all of it can tell
    else:  # a row, for an error to show what it holds
        as_numbers("columns", frame.slice(0, 1) if hasattr(frame, "slice") else frame.iloc[:1])


def _some_of(frame: Foreign, first: int, last: int) -> Foreign:
    """Return some columns of a frame or table."""
    if hasattr(frame, "iloc"):
        return frame.iloc[:, first:last]
    if hasattr(frame, "to_pylist"):
        return frame.select(list(range(first, last)))
    return frame[:, first:last]


def _code_of(missing: object) -> float | None:
    if missing is None:
        return None
    if isinstance(missing, bool) or not isinstance(missing, int | float | np.number):
        raise TypeError(
            f"missing must be a number or None, got {missing!r}; NaN always counts as missing"
        )
    code = float(missing)
    return None if math.isnan(code) else code
