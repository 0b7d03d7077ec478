"""Checksums of partitions: one that dask makes anew must have the rows that it had."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import Any

import numpy as np

from ..arrays import Array, ArrayLike, Indices
from ..inputs.column_names import columns_of
from ..inputs.frames import categorical_places, number_columns, read_column, rows_of

__all__ = ["stamp_of_rows", "stamp_of_values"]

# Rows of X that are looked at, spread evenly over a partition, and the numbers that these may be.
MOST_ROWS = 100
MOST_NUMBERS = 2**20
# What holds a sparse matrix: its values and their places, by its format.
PARTS_OF_SPARSE = ("data", "indices", "indptr", "row", "col")
# Arrays of these kinds are known by their bytes.
PLAIN = "fbiuUS"


def stamp_of_values(values: Iterable[Array | None], stamp: int = 0) -> int:
    """Return a checksum of arrays of labels, weights and so on, every value of them."""
    for array in values:
        if array is not None:
            stamp = _with(array, stamp)
    return stamp


def stamp_of_rows(X: ArrayLike, stamp: int) -> int:
    """Return a checksum of some rows of X: what is random without a seed differs in all.

    Parameters
    ----------
    X : array, sparse matrix or frame
        As it came, with at least one row.
    stamp : int
        Of what lies beside it, which this goes on from.
    """
    if hasattr(X, "tocsr"):
        sparse: Any = X
        kept = sparse if sparse.format in ("csr", "csc", "coo") else sparse.tocsr()
        parts = (getattr(kept, name, None) for name in PARTS_OF_SPARSE)
        return stamp_of_values((_some(part) for part in parts if part is not None), stamp)
    table: Any = X
    if columns_of(X) is None:
        return _with(np.asarray(_some(table)), stamp)
    n_rows, n_columns = table.shape
    some = rows_of(X, _spread(n_rows, n_columns))
    coded = categorical_places(some)
    for place in coded:
        column = read_column(some, place)
        levels = [column.values[code] if code >= 0 else None for code in column.codes]
        stamp = zlib.crc32(repr(levels).encode(), stamp)
    others = [place for place in range(n_columns) if place not in set(coded)]
    return _with(number_columns(some, others), stamp) if others else stamp


def _some(array: Array) -> Array:
    """Return some rows of an array, or numbers where it has one dimension."""
    if array.ndim == 1:
        numbers: Array = array[_spread(len(array), 1, MOST_ROWS**2)]
        return numbers
    rows: Array = array[_spread(len(array), array.shape[1])]
    return rows


def _spread(n_rows: int, n_columns: int, most: int = MOST_ROWS) -> Indices:
    """Return which rows are looked at: the first, the last, and others between them."""
    count = max(min(n_rows, most, MOST_NUMBERS // max(n_columns, 1)), min(n_rows, 2))
    return np.linspace(0, n_rows - 1, count).astype(np.int64)


def _with(array: Array, stamp: int) -> int:
    if array.dtype.kind not in PLAIN:
        return zlib.crc32(repr(array.tolist()).encode(), stamp)
    return zlib.crc32(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data, stamp)
