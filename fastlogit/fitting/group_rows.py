"""The rows of `fit_groups` in the order of their groups: of an array, or of compressed rows.

Each kind says which groups its kernel takes, fits them chunk by chunk, and gives the rows of a
single group to those that `fit` has to take.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Generic, TypeVar

import numpy as np

from ..arrays import Array, Features, Indices, Integers, Mask, Vector
from ..design.base import readonly
from ..design.compressed import CompressedRows
from ..design.sparse import SparseDesign
from ..inputs import validation
from ..inputs.given import Data
from ..inputs.groups import Groups
from ..kernels import groups as kernels
from ..kernels import sparse_groups
from ..kernels.small import binomial
from .small import MOST_ITERATIONS, is_plain, within_limits

__all__ = ["AnyGroupRows", "ArrayGroupRows", "SparseGroupRows", "group_rows"]

# What a group takes, by a guess: so much, and so much for each row and column.
GROUP_NS, NUMBER_NS = 15_000.0, 12.0
# The room of one thread, made by rows of a kind and handed back to them.
AnyRoom = TypeVar("AnyRoom")


class AnyGroupRows(ABC, Generic[AnyRoom]):
    """Rows with their labels, weights and offsets, group by group.

    Attributes
    ----------
    starts : ndarray of int64, shape (n_groups + 1,)
        Where the rows of each group begin, and those of the last end.
    order : ndarray of int32 or int64
        The rows in the order of their groups; empty where they lie so.
    counts : ndarray of int64, shape (n_groups,)
    is_small : ndarray of bool, shape (n_groups,)
        Which groups the kernel takes.
    nanoseconds : ndarray of shape (n_groups,)
        What each of them takes, by a guess.
    """

    is_small: Mask
    nanoseconds: Array

    def __init__(self, data: Data, groups: Groups) -> None:
        self.data = data
        self.counts = np.zeros(len(groups.labels), dtype=np.int64)
        in_order = kernels.count_rows.serial(readonly(groups.codes), self.counts)
        self.starts = np.concatenate([[0], np.cumsum(self.counts)])
        self.order = _order_of(groups.codes, self.starts, in_order)

    @abstractmethod
    def room(self, max_iter: int) -> AnyRoom:
        """Return the room of one thread."""

    @abstractmethod
    def fit(
        self, first: int, last: int, task: kernels.Task, room: AnyRoom, models: kernels.Models
    ) -> None:
        """Fit the groups from `first` to before `last`, but for those that are not small."""

    @abstractmethod
    def data_of(self, group: int, mean: Vector) -> tuple[Data, Indices | slice]:
        """Return the rows of a group, the prior's mean folded into their offset; their columns.

        Columns of which none of these rows has a value may be left out.
        """

    def _of_group(self, group: int) -> Integers | slice:
        begin, end = int(self.starts[group]), int(self.starts[group + 1])
        return self.order[begin:end] if self.order.size else slice(begin, end)

    def _data_with(
        self, X: Features | CompressedRows, some: Integers | slice, fixed: Vector
    ) -> Data:
        """Return some rows as data of their own, `fixed` added to their offset."""
        data, none = self.data, validation.NO_NUMBERS
        offset = data.offset[some] if data.offset.size else none
        if fixed.size:
            offset = offset + fixed if offset.size else fixed
        rows = data.rows._replace(X=X, carrier=X, categories=None)
        return Data(
            rows, data.classes, readonly(data.codes[some]),
            readonly(data.weights[some] if data.weights.size else none), readonly(offset),
        )  # fmt: skip


class ArrayGroupRows(AnyGroupRows[kernels.Room]):
    """Rows of an array: float64 in rows is read in place, others a chunk at a time."""

    def __init__(self, data: Data, groups: Groups) -> None:
        super().__init__(data, groups)
        X = data.rows.X
        assert isinstance(X, np.ndarray)
        self.X: Features = X
        n_features = X.shape[1]
        self.is_small = np.asarray(within_limits(self.counts, n_features))
        self.nanoseconds = GROUP_NS + NUMBER_NS * self.counts * (n_features + 1)
        self._rows = kernels.GroupRows(
            X if is_plain(X) else None, data.codes, data.weights, data.offset,
            readonly(self.order), readonly(self.starts), 0,
        )  # fmt: skip

    def room(self, max_iter: int) -> kernels.Room:
        """Return the room of one thread."""
        n_rows, n_features = int(self.counts[self.is_small].max(initial=0)), self.X.shape[1]
        size = binomial.small_work_size.serial(n_rows, n_features)
        return _room((n_rows, n_features), size, max_iter)

    def fit(
        self, first: int, last: int, task: kernels.Task, room: kernels.Room, models: kernels.Models
    ) -> None:
        """Fit the groups from `first` to before `last`, but for those that are not small."""
        rows = self._rows if self._rows.X is not None else self._copied(first, last)
        kernels.fit_groups.serial(rows, first, last, task, room, models)

    def _copied(self, first: int, last: int) -> kernels.GroupRows:
        """Return the rows of some groups as the one kind of array that the kernel is made for."""
        begin, end = int(self.starts[first]), int(self.starts[last])
        some = self.order[begin:end] if self.order.size else slice(begin, end)
        of = self._rows
        return of._replace(
            X=np.array(self.X[some], dtype=np.float64, order="C"),
            codes=readonly(of.codes[some]),
            weights=readonly(of.weights[some]) if of.weights.size else of.weights,
            offset=readonly(of.offset[some]) if of.offset.size else of.offset,
            order=of.order[:0],
            base=begin,
        )

    def data_of(self, group: int, mean: Vector) -> tuple[Data, slice]:
        """Return the rows of a group, the prior's mean folded into their offset."""
        some = self._of_group(group)
        X = self.X[some]
        fixed = np.einsum("ij,j->i", X, mean) if mean.size else mean
        return self._data_with(X, some, fixed), slice(None)


class SparseGroupRows(AnyGroupRows[sparse_groups.SparseRoom]):
    """Compressed rows: each group is a problem of the columns that its rows have values of."""

    def __init__(self, data: Data, groups: Groups) -> None:
        super().__init__(data, groups)
        X = data.rows.X
        assert isinstance(X, CompressedRows)
        self.X = X
        self._rows = sparse_groups.SparseGroupRows(
            *X.as_kernels_take(), data.codes, data.weights, data.offset,
            readonly(self.order), readonly(self.starts),
        )  # fmt: skip
        n_columns = np.empty(len(self.counts), dtype=np.int64)
        seen = np.full(X.shape[1], -1, dtype=np.int32)
        sparse_groups.count_columns.serial(self._rows, seen, n_columns)
        self.is_small = np.asarray(within_limits(self.counts, n_columns))
        self.nanoseconds = GROUP_NS + NUMBER_NS * self.counts * (n_columns + 1)
        self._n_columns = np.where(self.is_small, n_columns, 0)

    def room(self, max_iter: int) -> sparse_groups.SparseRoom:
        """Return the room of one thread."""
        own = self._n_columns[self.is_small]
        n_rows, n_columns = int(self.counts[self.is_small].max(initial=0)), int(own.max(initial=1))
        numbers = int((self.counts * self._n_columns).max(initial=1))
        shapes = set(zip(self.counts[self.is_small].tolist(), own.tolist(), strict=True))
        size = max((binomial.small_work_size.serial(*shape) for shape in shapes), default=1)
        return sparse_groups.SparseRoom(
            np.empty(numbers), np.empty(n_columns, dtype=np.int32),
            np.full(self.X.shape[1], -1, dtype=np.int32), np.empty(n_columns), np.empty(n_columns),
            np.empty(n_columns + 1), _room((n_rows, n_columns), size, max_iter, keeps_rows=False),
        )  # fmt: skip

    def fit(
        self, first: int, last: int, task: kernels.Task, room: sparse_groups.SparseRoom,
        models: kernels.Models,
    ) -> None:  # fmt: skip
        """Fit the groups from `first` to before `last`, but for those that are not small."""
        sparse_groups.fit_sparse_groups.serial(
            self._rows, first, last, self._n_columns, task, room, models
        )

    def data_of(self, group: int, mean: Vector) -> tuple[Data, Indices]:
        """Return the rows of a group, of the columns that they have; and these."""
        some = self._of_group(group)
        rows = self.X.take(some)
        columns, own = rows.own_columns()
        fixed = mean
        if mean.size:
            fixed = SparseDesign(own).raw_prediction(mean[None, columns], np.zeros(1))[0]
        data, names = self._data_with(own, some, fixed), self.data.rows.names
        if names is not None:
            names = [names[column] for column in columns.tolist()]
        return data._replace(rows=data.rows._replace(names=names, text_names=None)), columns


def group_rows(data: Data, groups: Groups) -> AnyGroupRows[kernels.Room | sparse_groups.SparseRoom]:
    """Return the rows of checked data in the order of their groups."""
    kind = SparseGroupRows if isinstance(data.rows.X, CompressedRows) else ArrayGroupRows
    return kind(data, groups)  # type: ignore[return-value]  # each takes the room that it gives


def _room(
    shape: tuple[int, int], work_size: int, max_iter: int, keeps_rows: bool = True
) -> kernels.Room:
    """Return room for groups of up to so many rows and columns."""
    n_rows, n_features = shape
    X = np.empty((n_rows if keeps_rows else 0, n_features))
    codes = np.empty(n_rows, dtype=np.uint8)
    weights, offset = np.empty(n_rows), np.empty(n_rows)
    return kernels.Room(
        X, codes, weights, offset, readonly(codes), readonly(weights), readonly(offset),
        np.empty(n_features), np.empty(min(max_iter, MOST_ITERATIONS) + 1), np.empty(work_size),
    )  # fmt: skip


def _order_of(codes: Integers, starts: Integers, in_order: bool) -> Integers:
    """Return the rows in the order of their groups; empty where they lie so."""
    is_short = len(codes) < 2**31
    size = 0 if in_order else len(codes)
    order: Integers = np.empty(size, dtype=np.int32 if is_short else np.int64)
    if size:
        kernels.order_rows.serial(readonly(codes), starts[:-1].copy(), order)
    return order
