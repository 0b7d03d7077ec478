"""`groups` for compressed rows: each group is a small dense problem of the columns it has.

A column of which no row of a group has a value is 0 there: its coefficient, or what it differs from
the prior's mean, is 0 at the optimum, with a penalty or without. So only the others are put
together as dense rows, in a buffer in cache, and fitted as those of a dense X are.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from .groups import (
    COLLINEAR,
    CONSTANT_COLUMN,
    CONVERGED,
    GENERAL,
    Models,
    OwnRows,
    Room,
    Task,
    add_mean,
    fit_rows,
    n_free,
    share_of,
    weigh,
)
from .policy import entry, part

__all__ = ["SparseGroupRows", "SparseRoom", "count_columns", "fit_sparse_groups"]


class SparseGroupRows(NamedTuple):
    """The rows of all groups.

    The values of row i are ``data[begins[i]:ends[i]]``, of the columns ``indices``. The rows of
    group g are ``order[starts[g]:starts[g + 1]]``, or these places themselves where `order` is
    empty. Weights and offset are empty for none.
    """

    data: Any
    indices: Any
    begins: Any
    ends: Any
    codes: Any
    weights: Any
    offset: Any
    order: Any
    starts: Any


class SparseRoom(NamedTuple):
    """Room to work in, of one thread.

    `numbers` holds the dense rows of a group, `columns` which columns those are. `places` has a
    number for each column of X, -1 between groups. `mean`, `coef` and `errors` are for the columns
    of a group, `room` for the rest; its `X` is not used.
    """

    numbers: Any
    columns: Any
    places: Any
    mean: Any
    coef: Any
    errors: Any
    room: Room


@part
def row_at(order: Any, place: int) -> int:
    """The row at a place in the order of the groups."""
    return order[place] if order.shape[0] > 0 else place


@part
def gather_columns(rows: SparseGroupRows, begin: int, end: int, room: SparseRoom) -> int:
    """Put the rows of a group together, of the columns that they have; return how many these are.

    The first column stands for those of a group without any.
    """
    has_weights, has_offset = rows.weights.shape[0] > 0, rows.offset.shape[0] > 0
    count = 0
    for i in range(end - begin):
        row = row_at(rows.order, begin + i)
        room.room.codes[i] = rows.codes[row]
        if has_weights:
            room.room.weights[i] = rows.weights[row]
        if has_offset:
            room.room.offset[i] = rows.offset[row]
        for place in range(rows.begins[row], rows.ends[row]):
            column = rows.indices[place]
            if room.places[column] < 0:
                room.places[column] = count
                room.columns[count] = column
                count += 1
    if count == 0:
        room.columns[0] = 0
        count = 1
    for place in range((end - begin) * count):
        room.numbers[place] = 0.0
    for i in range(end - begin):
        row = row_at(rows.order, begin + i)
        for place in range(rows.begins[row], rows.ends[row]):
            room.numbers[i * count + room.places[rows.indices[place]]] = rows.data[place]
    for k in range(count):
        room.places[room.columns[k]] = -1
    return count


@part
def fit_group(
    rows: SparseGroupRows, group: int, task: Task, room: SparseRoom, models: Models
) -> None:
    """Fit one group, which has room."""
    n_features, own = task.l2_reg.shape[0], room.room
    begin, end = rows.starts[group], rows.starts[group + 1]
    size = end - begin
    count = gather_columns(rows, begin, end, room)
    X, codes = room.numbers[: size * count].reshape(size, count), own.codes_seen[:size]
    weights = own.weights_seen[: size if rows.weights.shape[0] > 0 else 0]
    offset = own.offset_seen[: size if rows.offset.shape[0] > 0 else 0]
    n_means = task.mean.shape[0]
    if n_means > 0:
        for k in range(count):
            room.mean[k] = task.mean[room.columns[k]]
        add_mean(X, offset, room.mean[:count], own.offset)
        offset = own.offset_seen[:size]
    models.n_samples[group], total = weigh(weights, size)
    share = share_of(task, total)
    for k in range(count):
        own.l2_reg[k] = task.l2_reg[room.columns[k]] * share
    # The last number is the error of the intercept.
    errors = room.errors[: count + 1]
    errors[:] = float("nan")
    found = OwnRows(X, codes, weights, offset, total, n_free(task.l2_reg, task.fit_intercept))
    status = fit_rows(found, group, task, own, models, room.coef[:count], errors)
    if status <= COLLINEAR:
        coef, wanted = models.coef[group], models.errors[group]
        for j in range(n_features):
            coef[j] = task.mean[j] if n_means > 0 else 0.0
        for k in range(count):
            coef[room.columns[k]] += room.coef[k]
            wanted[room.columns[k]] = errors[k]
        wanted[n_features] = errors[count]
        if status == CONVERGED and count < n_features:
            status = CONSTANT_COLUMN
    models.status[group] = status


def _fit_sparse_groups(
    rows: SparseGroupRows, first: int, last: int, n_columns: Any, task: Task, room: SparseRoom,
    models: Models,
) -> None:  # fmt: skip
    """Fit the groups from `first` to before `last`; those that have no room are left GENERAL.

    Parameters
    ----------
    rows : SparseGroupRows
    first, last : int
    n_columns : ndarray of int64, shape (n_groups,)
        Columns of which each group has values; 0 for those that have no room.
    task : Task
    room : SparseRoom
    models : Models
        Gets what is found. It comes with NaN, and bounds of infinity.
    """
    for group in range(first, last):
        if n_columns[group] == 0:
            models.status[group] = GENERAL
        else:
            fit_group(rows, group, task, room, models)


fit_sparse_groups = entry(_fit_sparse_groups)


def _count_columns(rows: SparseGroupRows, last_seen: Any, counts_out: Any) -> None:
    """Count the columns of which each group has values: 1 at the least.

    Parameters
    ----------
    rows : SparseGroupRows
    last_seen : ndarray of int32, shape (n_features,)
        Work space, which comes with -1.
    counts_out : ndarray of int64, shape (n_groups,)
    """
    for group in range(counts_out.shape[0]):
        count = 0
        for at in range(rows.starts[group], rows.starts[group + 1]):
            row = row_at(rows.order, at)
            for place in range(rows.begins[row], rows.ends[row]):
                column = rows.indices[place]
                if last_seen[column] != group:
                    last_seen[column] = group
                    count += 1
        counts_out[group] = count if count > 0 else 1


count_columns = entry(_count_columns)
