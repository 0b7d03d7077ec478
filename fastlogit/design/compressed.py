"""Compressed rows that kernels may read: each index is checked once, at the price of one read.

Kernels have no bounds: pointers must rise and end within the values, indices lie within the
columns. What a check finds is an error of one sentence, before anything reads the rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NoReturn

import numpy as np

from .. import threads
from ..arrays import Array, Column, DType, Features, Indices, Integers, Vector
from ..kernels import sparse as kernels
from .base import readonly

__all__ = [
    "CompressedRows",
    "checked",
    "compress",
    "joined",
    "of_dense",
    "plain_values",
    "refuse_broken",
    "refuse_range",
    "side_by_side",
    "whole",
]

# Serial nanoseconds to look at an index, and parts of the rows that are looked at by a thread.
LOOK_NS, PARTS = 0.7, 64
# To copy a value to its column, and chunks of the rows that do so at once.
COPY_NS, COPIES = 6.0, 4
# Numbers of dense rows that are looked at together for those that are not 0.
DENSE_NUMBERS = 2**20


@dataclass(frozen=True, eq=False)
class CompressedRows:
    """A sparse X, checked: indices in range, rising in each row, none of them twice.

    Attributes
    ----------
    data : ndarray of float32 or float64
    indices : ndarray of int32
        Column of each value.
    begins, ends : ndarray of int64, shape (n_samples,)
        Where the values of each row begin and end.
    shape : (n_samples, n_features)
    """

    data: Array
    indices: Array
    begins: Array
    ends: Array
    shape: tuple[int, int]

    @property
    def dtype(self) -> DType:
        """Number type of the values."""
        return self.data.dtype

    def __len__(self) -> int:
        """Return the number of rows."""
        return self.shape[0]

    @cached_property
    def n_values(self) -> int:
        """Values that are stored."""
        return int((self.ends - self.begins).sum())

    def take(self, rows: Integers | slice) -> CompressedRows:
        """Return some rows, over the same memory."""
        begins = np.ascontiguousarray(self.begins[rows])
        ends = np.ascontiguousarray(self.ends[rows])
        return CompressedRows(
            self.data, self.indices, readonly(begins), readonly(ends),
            (len(begins), self.shape[1]),
        )  # fmt: skip

    def dense(self) -> Features:
        """Return all rows as an array: for few of them."""
        out = np.zeros(self.shape, dtype=self.dtype)
        places = self.places()
        rows = np.repeat(np.arange(len(out)), self.ends - self.begins)
        out[rows, self.indices[places]] = self.data[places]
        return out

    def column(self, index: int) -> Column:
        """Return a column as an array: for few of them."""
        places = self.places()
        rows = np.repeat(np.arange(len(self)), self.ends - self.begins)
        there = self.indices[places] == index
        out = np.zeros(len(self), dtype=self.dtype)
        out[rows[there]] = self.data[places][there]
        return out

    def own_columns(self) -> tuple[Indices, CompressedRows]:
        """Return which columns these rows have values of, and a copy of the rows without others.

        The first column is there for rows without any value.
        """
        found = np.unique(self.indices[self.places()])
        columns = found if found.size else np.zeros(1, dtype=np.int32)
        rows = joined([self], self.dtype)
        indices = np.searchsorted(columns, rows.indices).astype(np.int32)
        own = CompressedRows(
            rows.data, readonly(indices), rows.begins, rows.ends, (len(self), len(columns))
        )
        return columns.astype(np.int64), own

    def transposed(self) -> CompressedRows:
        """Return the columns as rows: a copy."""
        return self.scaled_columns(readonly(np.ones(self.shape[1])), self.dtype)

    def scaled_columns(self, factors: Vector, dtype: DType) -> CompressedRows:
        """Return the columns as rows, each times a factor: a copy of a type of numbers."""
        work = np.cumsum(self.ends - self.begins)
        n_chunks = min(COPIES, max(1, self.n_values // max(1, self.shape[1])))
        inner = np.searchsorted(work, np.linspace(0, self.n_values, n_chunks + 1)[1:-1])
        bounds = readonly(np.concatenate([[0], inner, [len(self)]]).astype(np.int64))
        places = np.zeros((n_chunks, self.shape[1]), dtype=np.int64)
        data, indices = np.empty(self.n_values, dtype), np.empty(self.n_values, dtype=np.int32)
        rows = self.as_kernels_take()
        with threads.team(None, COPY_NS * self.n_values) as parallel:
            copy = kernels.copy_columns.choose(parallel)
            copy(rows, bounds, factors[:0], places, data, indices)
            sizes = places.sum(axis=0)
            ends = np.cumsum(sizes)
            places[...] = ends - sizes + np.cumsum(places, axis=0) - places
            copy(rows, bounds, factors, places, data, indices)
        return CompressedRows(
            readonly(data), readonly(indices), readonly(ends - sizes), readonly(ends),
            self.shape[::-1],
        )  # fmt: skip

    def places(self) -> Indices | slice:
        """Return where the values of all rows are, one row after the other."""
        begins, ends = self.begins, self.ends
        if begins.size and np.array_equal(begins[1:], ends[:-1]):
            return slice(int(begins[0]), int(ends[-1]))
        counts = ends - begins
        before = np.cumsum(counts) - counts
        return np.repeat(begins - before, counts) + np.arange(counts.sum())

    def as_kernels_take(self) -> kernels.SparseRows:
        """Return the same for the kernels."""
        # Arrays of a pickle may be written, and kernels would compile for them once more.
        return kernels.SparseRows(
            readonly(self.data), readonly(self.indices), readonly(self.begins), readonly(self.ends)
        )


def compress(
    data: Array, indices: Array, indptr: Array, shape: tuple[int, int], by_columns: bool = False
) -> CompressedRows:
    """Return compressed rows, or columns, as rows for the kernels.

    Over the memory given where that is rows of float32 or float64 values and 32-bit indices that
    rise in each row. Values of the same place are added up.

    Parameters
    ----------
    data : ndarray of shape (n,)
        Real numbers.
    indices : ndarray of shape (n,)
        Column of each value, or row.
    indptr : ndarray of shape (n_samples + 1,) or (n_features + 1,)
        Where the values of each row, or column, begin; and where the last ends.
    shape : (n_samples, n_features)
    by_columns : bool, default False

    Raises
    ------
    ValueError
        If pointers or indices are not possible.
    """
    as_given = shape[::-1] if by_columns else shape
    if data.ndim != 1:
        refuse_broken(f"data has {data.ndim} dimensions")
    pointers, places, rises = checked(indptr, indices, data.size, as_given)
    values = plain_values(data)
    if values.dtype == bool:
        values = _plain(values, np.float64)
    rows = CompressedRows(
        readonly(values), readonly(places), readonly(pointers[:-1]), readonly(pointers[1:]),
        as_given,
    )  # fmt: skip
    if by_columns:
        rows = rows.transposed()
    elif not rises:
        rows = rows.transposed().transposed()
    return rows if rises else _without_twins(rows, data.dtype.kind == "b")


def joined(parts: Sequence[CompressedRows], dtype: DType) -> CompressedRows:
    """Return rows of several that have the same columns, one after the other: always a copy.

    Parameters
    ----------
    parts : sequence of CompressedRows
        At least one.
    dtype : dtype
        Of the values; it holds those of all parts.
    """
    places = [part.places() for part in parts]
    data = np.concatenate(
        [part.data[own] for part, own in zip(parts, places, strict=True)], dtype=dtype
    )
    indices = np.concatenate([part.indices[own] for part, own in zip(parts, places, strict=True)])
    counts = np.concatenate([part.ends - part.begins for part in parts])
    ends = np.cumsum(counts)
    return CompressedRows(
        readonly(data), readonly(indices), readonly(ends - counts), readonly(ends),
        (len(ends), parts[0].shape[1]),
    )  # fmt: skip


def of_dense(X: Features) -> CompressedRows:
    """Return what is not 0 in rows of an array of real numbers, as a copy."""
    n_samples, n_features = X.shape
    step = max(1, DENSE_NUMBERS // n_features)
    parts = []
    for start in range(0, n_samples, step):
        block = X[start : start + step]
        rows, columns = np.nonzero(block)
        ends = np.cumsum(np.bincount(rows, minlength=len(block)))
        parts.append(
            compress(block[rows, columns], columns, np.concatenate([[0], ends]), block.shape)
        )
    return joined(parts, parts[0].dtype)


def side_by_side(
    parts: Sequence[CompressedRows], places: Sequence[Indices], dtype: DType
) -> CompressedRows:
    """Return columns of several parts that have the same rows as one: a copy.

    Parameters
    ----------
    parts : sequence of CompressedRows
    places : sequence of ndarray
        Which columns of the whole those of each part are.
    dtype : dtype
        Of the values.
    """
    n_samples, n_features = len(parts[0]), sum(len(place) for place in places)
    of_part = [part.places() for part in parts]
    rows = np.concatenate([np.repeat(np.arange(n_samples), p.ends - p.begins) for p in parts])
    columns = np.concatenate(
        [place[part.indices[own]] for part, place, own in zip(parts, places, of_part, strict=True)]
    )
    data = np.concatenate(
        [part.data[own] for part, own in zip(parts, of_part, strict=True)], dtype=dtype
    )
    order = np.lexsort((columns, rows))
    ends = np.cumsum(np.bincount(rows, minlength=n_samples))
    pointers = np.concatenate([[0], ends])
    return compress(data[order], columns[order], pointers, (n_samples, n_features))


def checked(
    indptr: Array, indices: Array, n_values: int, shape: tuple[int, int]
) -> tuple[Array, Array, bool]:
    """Return pointers and indices as kernels take them, and whether each row's rise.

    Raises
    ------
    ValueError
        If they are not possible.
    """
    pointers = _plain(whole("indptr", indptr), np.int64)
    places = whole("indices", indices)
    if len(pointers) != shape[0] + 1:
        refuse_broken(f"indptr has {len(pointers)} numbers, and {shape[0] + 1} are needed")
    if pointers[0] != 0 or (pointers[1:] < pointers[:-1]).any():
        refuse_broken("indptr must begin with 0 and never fall")
    if pointers[-1] > min(n_values, len(places)):
        refuse_broken(
            f"indptr ends with {pointers[-1]}, but there are {n_values} values and "
            f"{len(places)} indices"
        )
    if places.dtype != np.int32:
        refuse_range("indices", places[: pointers[-1]], shape[1])
    places = _plain(places, np.int32)
    found = np.zeros(min(PARTS, shape[0]), dtype=np.int64)
    with threads.team(None, LOOK_NS * float(pointers[-1])) as parallel:
        kernels.look_at_rows.choose(parallel)(readonly(places), readonly(pointers), shape[1], found)
    flags = int(np.bitwise_or.reduce(found))
    if flags & kernels.OUT_OF_RANGE:
        refuse_range("indices", places[: pointers[-1]], shape[1])
    return pointers, places, not flags & kernels.UNSORTED


def whole(name: str, array: Array) -> Array:
    """Return an array that is one of whole numbers, or raise ValueError."""
    if array.ndim != 1 or array.dtype.kind not in "iu":
        refuse_broken(
            f"{name} must be whole numbers in one dimension, found {array.dtype} in {array.ndim}"
        )
    return array


def refuse_range(name: str, places: Array, size: int) -> None:
    """Raise ValueError where a place is below 0, or not below `size`."""
    if not places.size:
        return
    low, high = int(places.min()), int(places.max())
    if low < 0 or high >= size:
        refuse_broken(f"{name} has {low if low < 0 else high}, outside 0 to {size - 1}")


def refuse_broken(what: str) -> NoReturn:
    """Raise ValueError: a sparse matrix is not possible."""
    raise ValueError(f"X is a sparse matrix that is broken: {what}; make it anew from its values")


def plain_values(data: Array) -> Array:
    """Return values as float32 where they are it, booleans as they are, all others as float64."""
    kept = {"f": np.float32, "?": np.bool_}
    return _plain(data, kept.get(data.dtype.char, np.float64))


def _plain(array: Array, dtype: type[np.generic]) -> Array:
    """Return an array of a type in order, without a copy if it is one."""
    with np.errstate(over="ignore"):  # long doubles beyond float64 are named as infinite later
        return np.require(array, dtype, ["C", "A"]).view(np.ndarray)


def _without_twins(rows: CompressedRows, is_bool: bool) -> CompressedRows:
    """Return rows whose indices do not fall with values of the same place added up."""
    n_samples = rows.shape[0]
    of_row = np.repeat(np.arange(n_samples), rows.ends - rows.begins)
    is_new = np.ones(rows.n_values, dtype=bool)
    is_new[1:] = (np.diff(rows.indices) != 0) | (np.diff(of_row) != 0)
    if is_new.all():
        return rows
    firsts = np.flatnonzero(is_new)
    data = np.add.reduceat(rows.data, firsts)
    if is_bool:  # as SciPy adds them
        data = np.minimum(data, 1).astype(data.dtype)
    ends = np.cumsum(np.bincount(of_row[firsts], minlength=n_samples))
    begins = np.concatenate([[0], ends[:-1]])
    return CompressedRows(
        readonly(data), readonly(rows.indices[firsts]), readonly(begins), readonly(ends), rows.shape
    )
