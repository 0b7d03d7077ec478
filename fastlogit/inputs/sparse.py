"""SciPy's sparse matrices and arrays -> rows that kernels may read: each index is checked once.

SciPy is not imported to know them: classes go by their names. `design.compressed` checks pointers
and indices before anything reads the rows. SciPy's compiled code has no bounds either, and does
not look at what was changed after a matrix was made: it is handed nothing but arrays that were
checked here, never the user's object, which is never changed. A copy is made where it has to be: of
whole numbers, booleans and other floats (the values), of 64-bit indices (the indices), of CSC and
other formats (all), and where indices do not rise in a row, or come twice (all).
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from itertools import chain
from typing import Any, TypeAlias

import numpy as np

from ..arrays import Array, ArrayLike, DType
from ..design.compressed import (
    CompressedRows,
    checked,
    compress,
    joined,
    plain_values,
    refuse_broken,
    refuse_range,
    whole,
)
from ..design.mapped import available_memory
from ..design.streamed import RowSource
from .conversion import refuse_names_twice, refuse_special
from .objects import is_readable
from .readers import is_frame

__all__ = [
    "SparseSlices",
    "columns_of",
    "compressed_rows",
    "is_sparse",
    "scipy_rows",
    "shape_of",
    "source_of",
    "sparse_of",
]

# A sparse matrix or array of SciPy, which is not imported here.
Foreign: TypeAlias = Any

LARGEST_INT32 = 2**31 - 1
# Formats that have no pointers to rows, and what these take while they are made, for each row.
BY_PLACES, POINTER_BYTES = ("csc", "coo", "dia", "dok"), 24
# The first rows of a source, which say about how many values there are.
LOOK_ROWS = 256


def is_sparse(X: ArrayLike) -> bool:
    """Say whether X is a sparse matrix or array of SciPy."""
    if type(X) is np.ndarray or not hasattr(X, "tocsr"):
        return False
    return any(base.__module__.startswith("scipy.sparse") for base in type(X).__mro__)


def sparse_of(X: ArrayLike) -> Foreign | None:
    """Return X as a sparse matrix of SciPy, where it is one or a frame of such columns; else None.

    A frame of pandas all of whose columns are sparse and leave out nothing but zeros; a frame some
    of whose columns are dense is read or refused elsewhere.

    Raises
    ------
    TypeError
        If a column holds no real numbers, or leaves out anything but zeros.
    ValueError
        If two columns of the frame have one name, or a column is broken.
    """
    if is_sparse(X):
        return X
    # pandas gives that to frames, and single columns, that are sparse.
    columns: Foreign = getattr(X, "sparse", None) if is_frame(X) else None
    if not hasattr(columns, "to_coo") or getattr(X, "ndim", 0) != 2:
        return None
    refuse_names_twice(X)
    return _by_columns(X)


def _by_columns(frame: Foreign) -> Foreign:
    """Return a frame of sparse columns as one matrix, of arrays of its own.

    pandas' `to_coo` warns of columns that leave out several numbers, and refuses mixtures of
    booleans with numbers.
    """
    from scipy.sparse import csc_matrix

    values, places = [np.empty(0, bool)], [np.empty(0, np.int32)]
    for name, series in frame.items():
        column = series.array
        own, where = np.asarray(column.sp_values), _stored(column.sp_index)
        if own.dtype.kind not in "biuf":
            raise TypeError(
                f"X has dtype {column.dtype} in column {name!r}, where real numbers are needed"
            )
        if len(own) != len(where):
            refuse_broken(f"column {name!r} has {len(own)} values, but {len(where)} rows of them")
        if len(own) < len(frame) and not column.fill_value == 0:
            raise TypeError(
                f"X is a frame of sparse columns, and column {name!r} leaves out "
                f"{column.fill_value}, not 0; if it fits in memory, pass X.sparse.to_dense()"
            )
        refuse_range(f"column {name!r}", where, len(frame))
        values.append(plain_values(own))
        places.append(where)
    pointers = np.cumsum([len(each) for each in places])
    parts = np.concatenate(values), np.concatenate(places), pointers
    return csc_matrix(parts, shape=(len(frame), frame.shape[1]))


def _stored(index: Foreign) -> Array:
    """Return the rows that a sparse column of pandas has values of."""
    if not hasattr(index, "blocs"):
        return np.asarray(index.indices)
    begins, counts = np.asarray(index.blocs), np.asarray(index.blengths)
    if (counts < 0).any() or counts.sum() > index.length:
        refuse_broken("a column has blocks that are no blocks of its rows")
    return np.repeat(begins - (np.cumsum(counts) - counts), counts) + np.arange(counts.sum())


class SparseSlices:
    """Rows of a source whose slices are sparse matrices of SciPy, as of those kept in files.

    Parameters
    ----------
    X : object
        With `shape`, `dtype`, and `__getitem__` of slices.
    """

    def __init__(self, X: RowSource) -> None:
        n_samples, n_features = (int(size) for size in X.shape)
        self._X, self.shape = X, (n_samples, n_features)
        self.dtype = np.dtype(np.float32 if np.dtype(X.dtype) == np.float32 else np.float64)
        stored: Foreign = getattr(X, "nnz", None)
        if not isinstance(stored, int | np.integer):
            first = self[: min(LOOK_ROWS, n_samples)]
            stored = first.n_values * n_samples // len(first)
        self.n_values = int(stored)

    def __getitem__(self, rows: slice) -> CompressedRows:
        """Return rows ``start:stop``, as a copy."""
        part = self._X[rows]
        if not is_sparse(part):
            raise TypeError(
                f"X has the format {getattr(self._X, 'format', '')!r} of a sparse matrix, but its "
                f"slices of rows are no sparse matrices of SciPy: {type(part).__name__}"
            )
        return joined([compressed_rows(part)], self.dtype)


def source_of(X: RowSource) -> RowSource | SparseSlices:
    """Return a source, as one of sparse rows where it has the `format` of a sparse matrix."""
    form = getattr(X, "format", None)
    return SparseSlices(X) if isinstance(form, str) and form in READERS else X


def compressed_rows(X: Foreign) -> CompressedRows:
    """Return a sparse matrix or array of SciPy as rows for the kernels, over its own memory.

    Parameters
    ----------
    X : scipy.sparse matrix or array of shape (n_samples, n_features)
        Of any format, its indices in any order; values of the same place are added up.

    Returns
    -------
    CompressedRows

    Raises
    ------
    TypeError
        If its values are no real numbers, or a part is a masked array.
    ValueError
        If its format is not known, or its shape or its parts are not possible.
    """
    shape = shape_of(X)
    if X.format in BY_PLACES:
        _check_room(shape[0])
    read = READERS.get(X.format)
    if read is None:
        raise ValueError(
            f"X is sparse and of format {X.format!r}, which is not known; X.tocsr() is"
        )
    return read(X, shape)


def _check_room(n_samples: int) -> None:
    """Raise for rows whose pointers, which are to be made, memory has no room for."""
    n_bytes = POINTER_BYTES * n_samples
    # The question for the memory that is left costs 50 us.
    if n_bytes > 2**26 and n_bytes > available_memory():
        raise ValueError(
            f"X is sparse and claims {n_samples:,} rows, whose pointers alone would take "
            f"{n_bytes / 2**30:.3g} GiB, more than the memory that is left; look at its shape"
        )


def columns_of(X: Foreign) -> Foreign:
    """Return a sparse matrix of SciPy by columns, checked, for `X[:, first:last].toarray()`.

    CSC over its own memory, CSR as a copy by SciPy, both in the number type that they have; any
    other as float64 or float32.

    Raises
    ------
    TypeError, ValueError
        As `compressed_rows`.
    """
    from scipy.sparse import csc_matrix, csr_matrix

    shape = shape_of(X)
    if X.format in ("csr", "csc"):
        by_columns, data = X.format == "csc", _values(X, 1, is_readable)
        pointers, places, rises = checked(
            _part(X, "indptr"), _part(X, "indices"), data.size, shape[::-1] if by_columns else shape
        )
        if rises:
            make, n_values = csc_matrix if by_columns else csr_matrix, pointers[-1]
            return make((data[:n_values], places[:n_values], pointers), shape=shape).tocsc()
    columns = compressed_rows(X).transposed()
    return csc_matrix(_parts_for_scipy(columns), shape=shape)


def scipy_rows(rows: CompressedRows, carrier: ArrayLike) -> Foreign:
    """Return rows as CSR of SciPy, over the same memory, for splitters and scorers.

    An array of SciPy where the carrier is one, else a matrix. What its user holds is not handed to
    SciPy: it may have parts that kernels take and SciPy does not.
    """
    from scipy.sparse import csr_array, csr_matrix, sparray

    make = csr_array if isinstance(carrier, sparray) else csr_matrix
    return make(_parts_for_scipy(rows), shape=rows.shape)


def _parts_for_scipy(rows: CompressedRows) -> tuple[Array, Array, Array]:
    places = rows.places()
    pointers = np.concatenate([[0], np.cumsum(rows.ends - rows.begins)])
    return rows.data[places], rows.indices[places], pointers


def shape_of(X: Foreign) -> tuple[int, int]:
    """Return the rows and columns of a sparse matrix of SciPy, or raise ValueError."""
    try:
        shape = tuple(operator.index(size) for size in X.shape)
    except TypeError:
        refuse_broken(f"its shape is {X.shape!r}, and two whole numbers are needed")
    if len(shape) != 2:
        raise ValueError(
            f"X must have 2 dimensions (rows, columns), found {len(shape)}; reshape it"
        )
    n_samples, n_features = shape
    if n_samples < 1 or n_features < 1:
        raise ValueError(f"X is empty: {n_samples} rows and {n_features} columns")
    if max(n_samples, n_features) > LARGEST_INT32:
        raise ValueError(
            f"X is sparse and has shape {X.shape}; at most {LARGEST_INT32:,} rows and columns are "
            "possible"
        )
    return n_samples, n_features


# ------------------------------------------------------------------------------------------------
# Formats, each with its parts


def _of_rows(X: Foreign, shape: tuple[int, int]) -> CompressedRows:
    """Read CSR or CSC."""
    by_columns = X.format == "csc"
    return compress(_values(X, 1), _part(X, "indices"), _part(X, "indptr"), shape, by_columns)


def _of_blocks(X: Foreign, shape: tuple[int, int]) -> CompressedRows:
    """Read BSR: data (n_blocks, high, wide), and the rows of blocks as those of CSR."""
    data = _values(X, 3)
    high, wide = data.shape[1:]
    if not (high and wide) or shape[0] % high or shape[1] % wide:
        refuse_broken(f"blocks of shape {(high, wide)} do not tile its shape {shape}")
    pointers, places, _ = checked(
        _part(X, "indptr"), _part(X, "indices"), len(data), (shape[0] // high, shape[1] // wide)
    )
    from scipy.sparse import bsr_matrix

    n_blocks = pointers[-1]
    rows = bsr_matrix((data[:n_blocks], places[:n_blocks], pointers), shape=shape).tocsr()
    return compress(rows.data, rows.indices, rows.indptr, shape)


def _of_triples(X: Foreign, shape: tuple[int, int]) -> CompressedRows:
    """Read COO: a row and a column for each value."""
    n_coordinates = len(getattr(X, "coords", shape))  # SciPy before 1.13 has none
    if n_coordinates != 2:
        refuse_broken(f"it has coordinates of {n_coordinates} dimensions, and 2 are needed")
    return _placed(_values(X, 1), _part(X, "row"), _part(X, "col"), shape)


def _of_diagonals(X: Foreign, shape: tuple[int, int]) -> CompressedRows:
    """Read DIA: data (n_diagonals, width) has the value of column j of a diagonal at place j."""
    data, offsets = _values(X, 2), whole("offsets", _part(X, "offsets"))
    if len(data) != len(offsets):
        refuse_broken(f"it has {len(data)} diagonals, but {len(offsets)} offsets")
    values, rows, columns = [data[:0].ravel()], [np.arange(0)], [np.arange(0)]
    for line, offset in zip(data, offsets.tolist(), strict=True):
        first, last = max(0, offset), min(shape[1], shape[0] + offset, len(line))
        if first < last:
            inside = first + np.flatnonzero(line[first:last])
            values.append(line[inside])
            rows.append(inside - offset)
            columns.append(inside)
    return _placed(np.concatenate(values), np.concatenate(rows), np.concatenate(columns), shape)


def _of_lists(X: Foreign, shape: tuple[int, int]) -> CompressedRows:
    """Read LIL: a list of columns and one of values for each row."""
    rows, data = _part(X, "rows"), _part(X, "data")
    if rows.shape != (shape[0],) or data.shape != rows.shape:
        refuse_broken(f"rows and data have shapes {rows.shape} and {data.shape}")
    if not all(isinstance(line, list) for line in chain(rows, data)):
        refuse_broken("rows and data must hold a list for each row")
    counts = np.array([len(line) for line in rows])
    different = np.flatnonzero(counts != [len(line) for line in data])
    if different.size:
        row = different[0]
        refuse_broken(f"row {row} has {counts[row]} columns, but {len(data[row])} values")
    values = _numbers(chain.from_iterable(data), X.dtype)
    pointers = np.concatenate([[0], np.cumsum(counts)])
    return compress(values, _places(chain.from_iterable(rows)), pointers, shape)


def _of_keys(X: Foreign, shape: tuple[int, int]) -> CompressedRows:
    """Read DOK: a dictionary from (row, column) to a value."""
    try:
        keys, values = list(X.keys()), list(X.values())
    except (AttributeError, TypeError):
        refuse_broken("it has no keys and values")
    if not all(isinstance(key, tuple) and len(key) == 2 for key in keys):
        refuse_broken("its keys must be pairs of a row and a column")
    places = _places(chain.from_iterable(keys))
    return _placed(_numbers(values, X.dtype), places[::2], places[1::2], shape)


READERS: dict[str, Callable[[Foreign, tuple[int, int]], CompressedRows]] = {
    "csr": _of_rows,
    "csc": _of_rows,
    "bsr": _of_blocks,
    "coo": _of_triples,
    "dia": _of_diagonals,
    "lil": _of_lists,
    "dok": _of_keys,
}


def _placed(data: Array, row: Array, col: Array, shape: tuple[int, int]) -> CompressedRows:
    """Return values of any places as rows; those of the same place are added up."""
    row, col = whole("row", row), whole("col", col)
    if not len(row) == len(col) == len(data):
        refuse_broken(
            f"row, col and data have {len(row)}, {len(col)} and {len(data)} numbers, which differ"
        )
    refuse_range("row", row, shape[0])
    refuse_range("col", col, shape[1])
    from scipy.sparse import coo_matrix

    places = (np.ascontiguousarray(row, np.int32), np.ascontiguousarray(col, np.int32))
    rows = coo_matrix((data, places), shape=shape).tocsr()
    return compress(rows.data, rows.indices, rows.indptr, shape)


# ------------------------------------------------------------------------------------------------
# Parts


def _part(X: Foreign, name: str) -> Array:
    try:
        part = getattr(X, name)
        refuse_special(f"X.{name}", part)
        return np.asarray(part)
    except (AttributeError, IndexError, ValueError):
        refuse_broken(f"it has no array {name}")


def _values(
    X: Foreign, n_dimensions: int, keeps: Callable[[DType], bool] = lambda dtype: False
) -> Array:
    """Return the values: in a type that kernels and SciPy take, or that is to be kept."""
    data = _part(X, "data")
    _refuse_kinds(data.dtype)
    if data.ndim != n_dimensions:
        refuse_broken(f"data has {data.ndim} dimensions, and {n_dimensions} are needed")
    if keeps(data.dtype) and data.dtype.isnative:
        return np.require(data, requirements=["C", "A"])
    return plain_values(data)


def _numbers(values: Iterable[Any], dtype: DType) -> Array:
    """Return numbers of Python as an array."""
    _refuse_kinds(np.dtype(dtype))
    try:
        return plain_values(np.fromiter(values, dtype=dtype))
    except (OverflowError, TypeError, ValueError):
        refuse_broken(f"not all of its values are numbers of its dtype {dtype}")


def _places(places: Iterable[Any]) -> Array:
    """Return rows or columns of Python as an array."""
    try:
        return np.fromiter(map(operator.index, places), dtype=np.int64)
    except (OverflowError, TypeError):
        refuse_broken("not all of its rows and columns are whole numbers")


def _refuse_kinds(dtype: DType) -> None:
    if dtype.kind == "c":
        raise TypeError(f"X must hold real numbers, got dtype {dtype}; take a real part first")
    if dtype.kind not in "biuf":
        raise TypeError(
            f"X is sparse and has dtype {dtype}, where numbers are needed; pass X.astype(float), "
            "or encode what is no number"
        )
