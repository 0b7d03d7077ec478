"""A binomial model of its own for each of many groups of rows: a serial kernel over some of them.

Rows of a group may lie anywhere: where they are not together they are copied into a buffer, one
group at a time, which `small.binomial.fit_small` then copies into columns, both in cache. Groups
do not touch each other, so that a result has the same bits whoever computes it. The kernel releases
the GIL: threads take chunks of groups from a queue (`fitting.chunks`), which is fair where groups
take unlike times, and needs one compilation; a twin with `prange` would take ten more seconds to
compile.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from .policy import entry, part
from .simd import LANES, load, multiply_add, splat, total
from .small import binomial, endings, intake, layout, proofs, row_sums, solves
from .small.arithmetic import clear, dot

__all__ = [
    "COLLINEAR",
    "CONSTANT_COLUMN",
    "CONVERGED",
    "FAILED",
    "GENERAL",
    "MAX_ITER",
    "NOT_FITTED",
    "NO_ROWS",
    "ONE_CLASS",
    "ROUNDING",
    "SEPARABLE",
    "TIME_LIMIT",
    "TOO_FEW_ROWS",
    "GroupRows",
    "Models",
    "Room",
    "Task",
    "all_finite",
    "count_rows",
    "fit_groups",
    "order_rows",
]

# How the fit of a group ended; `fitting.groups.GroupStatus` has the words.
CONVERGED = 0
CONSTANT_COLUMN = 1
COLLINEAR = 2
MAX_ITER = 3
ROUNDING = 4
TIME_LIMIT = 5
SEPARABLE = 6
ONE_CLASS = 7
TOO_FEW_ROWS = 8
NO_ROWS = 9
FAILED = 10
NOT_FITTED = 11
# It has to take the general way; nobody outside sees this.
GENERAL = 12


class GroupRows(NamedTuple):
    """The rows of all groups, or of some that follow each other.

    The rows of group g are ``order[starts[g] - base : starts[g + 1] - base]``, or these places
    themselves where `order` is empty. Weights and offset are empty for none.
    """

    X: Any
    codes: Any
    weights: Any
    offset: Any
    order: Any
    starts: Any
    base: int


class Task(NamedTuple):
    """What each group is asked.

    `positive` is the code of the class that counts as 1 (a 1 in the source is a type of its own to
    numba). `l2_reg` is on the scale of the mean loss, or with `by_weight` on that of the sum: then
    it is divided by the weight of a group. `mean` is what the penalty draws to; empty for zeros.
    """

    positive: int
    l2_reg: Any
    by_weight: bool
    mean: Any
    intercept: float
    fit_intercept: bool
    tol: float
    max_iter: int


class Room(NamedTuple):
    """Room to work in, for groups of up to ``len(codes)`` rows; of one thread.

    Those seen are read-only views: codes, weights and offsets where they lie are read-only too, and
    `small.binomial.fit_small` is compiled once for both, and for `fit`.
    """

    X: Any
    codes: Any
    weights: Any
    offset: Any
    codes_seen: Any
    weights_seen: Any
    offset_seen: Any
    l2_reg: Any
    history: Any
    work: Any


class Models(NamedTuple):
    """What is found, a row or a number for each group; `errors` has the intercept last."""

    status: Any
    converged: Any
    n_samples: Any
    n_iter: Any
    coef: Any
    intercept: Any
    errors: Any
    log_likelihood: Any
    bound: Any


# As `fit` calls it: its compiled code is taken from the cache, and need not be made again.
fit_small = binomial.fit_small.serial


@part
def gather(rows: GroupRows, begin: int, end: int, room: Room) -> None:
    """Copy the rows of a group that lie apart to the front of the room."""
    n_features = rows.X.shape[1]
    has_weights, has_offset = rows.weights.shape[0] > 0, rows.offset.shape[0] > 0
    for i in range(end - begin):
        row = rows.order[begin + i]
        for j in range(n_features):
            room.X[i, j] = rows.X[row, j]
        room.codes[i] = rows.codes[row]
        if has_weights:
            room.weights[i] = rows.weights[row]
        if has_offset:
            room.offset[i] = rows.offset[row]


@part
def add_mean(X: Any, offset: Any, mean: Any, offset_out: Any) -> None:
    """Put the raw predictions of the prior's mean, with the offset, into `offset_out`."""
    for i in range(X.shape[0]):
        fixed = offset[i] if offset.shape[0] > 0 else 0.0
        for j in range(X.shape[1]):
            fixed += X[i, j] * mean[j]
        offset_out[i] = fixed


@part
def weigh(weights: Any, n_rows: int) -> tuple[int, float]:
    """Rows of positive weight, and their weight."""
    if weights.shape[0] == 0:
        return n_rows, float(n_rows)
    count, total = 0, 0.0
    for i in range(n_rows):
        total += weights[i]
        count += 1 if weights[i] > 0.0 else 0
    return count, total


@part
def n_free(l2_reg: Any, fit_intercept: bool) -> int:
    """Parameters that have no penalty."""
    count = 1 if fit_intercept else 0
    for j in range(l2_reg.shape[0]):
        count += 1 if l2_reg[j] == 0.0 else 0
    return count


@part
def n_varying(work: Any, at: Any, n_features: int) -> int:
    """Columns that vary in the group."""
    count = 0
    for j in range(n_features):
        count += 1 if work[at.scale + j] > 0.0 else 0
    return count


@part
def measure(
    work: Any, at: Any, total: float, has_weights: bool, fit_intercept: bool, errors_out: Any
) -> tuple[float, bool]:
    """Put standard errors at the parameters in `work` into `errors_out`; log-likelihood, success.

    They are of the Hessian of the loss alone, there, in the units in which columns have a spread
    near one: NaN, and no success, where that is singular.
    """
    clear(work, at.l2, at.l2 + at.size)
    weight = intake.total_weight(work, at, has_weights)
    row_sums.predict_rows(work, at, at.theta, 1.0)
    row_sums.row_losses(work, at)
    likelihood = -total * (dot(work, at.weight, at.scaled, at.height) / weight)
    row_sums.sum_hessian(work, at, weight, at.curvature)
    if not solves.factor_matrix(work, at):
        return likelihood, False
    slopes = at.size - 1 if fit_intercept else at.size
    for k in range(slopes):
        clear(work, at.trial, at.trial + at.width)
        work[at.trial + k] = 1.0
        solves.solve_half(work, at, at.trial, k)
        variance = dot(work, at.trial, at.trial, at.width) / total
        j = layout.column_of(work, at, k)
        errors_out[j] = math.sqrt(variance) * work[at.scale + j]
    if fit_intercept:
        clear(work, at.trial, at.trial + at.width)
        for k in range(slopes):
            j = layout.column_of(work, at, k)
            work[at.trial + k] = -work[at.scale + j] * work[at.center + j]
        work[at.trial + slopes] = 1.0
        solves.solve_half(work, at, at.trial, 0)
        variance = dot(work, at.trial, at.trial, at.width) / total
        errors_out[errors_out.shape[0] - 1] = math.sqrt(variance)
    return likelihood, True


@part
def status_of(found: int, n_rows: int, free: int) -> int:
    """Return what the status of a small fit means for a group."""
    if found == endings.CONVERGED:
        return CONVERGED
    if n_rows == 0:
        return NO_ROWS
    if found == endings.ONE_CLASS:
        return ONE_CLASS
    # No optimum, or one of many: nothing that the general way, 1,000 times slower, would tell.
    if n_rows < free and found != endings.EXTREME and found != endings.NOT_FINITE:
        return TOO_FEW_ROWS
    return SEPARABLE if found == endings.SEPARABLE else GENERAL


class OwnRows(NamedTuple):
    """Rows of one group that lie together, their weight, and how many parameters have no penalty.

    Weights and offset are empty for none.
    """

    X: Any
    codes: Any
    weights: Any
    offset: Any
    total: float
    n_free: int


@part
def fit_rows(
    rows: OwnRows, group: int, task: Task, room: Room, models: Models, coef: Any, errors: Any
) -> int:
    """Fit rows that lie together, under the penalty in the room, and measure the fit; the status.

    `coef` and `errors`, which come with NaN, get what is found: `errors` with the intercept last.
    """
    X, codes, weights, offset, total, free = rows
    n_features = X.shape[1]
    count = models.n_samples[group]
    found = fit_small(
        X, codes, task.positive, weights, offset, room.l2_reg[:n_features], task.intercept,
        task.fit_intercept, room.offset_seen[:0], task.tol, task.max_iter, room.work, room.history,
        coef,
    )  # fmt: skip
    status = status_of(found.status, count, free)
    models.n_iter[group] = found.n_iter
    if status != CONVERGED:
        coef[:] = math.nan
        return status
    models.converged[group] = True
    models.intercept[group], models.bound[group] = found.intercept, proofs.stated(found.bound)
    at = layout.lay_out(room.work, count, n_features, 0)
    varying = n_varying(room.work, at, n_features)
    size = varying + (1 if task.fit_intercept else 0)
    at = layout.lay_out(room.work, count, n_features, size)
    likelihood, resolved = measure(
        room.work, at, total, weights.shape[0] > 0, task.fit_intercept, errors
    )
    models.log_likelihood[group] = likelihood
    if not resolved:
        errors[:] = math.nan
        return COLLINEAR
    return CONSTANT_COLUMN if varying < n_features else CONVERGED


@part
def share_of(task: Task, total: float) -> float:
    """What multiplies the penalty of a group of this weight."""
    return 1.0 / total if task.by_weight and total > 0.0 else 1.0


@part
def fit_group(rows: GroupRows, group: int, task: Task, room: Room, models: Models) -> None:
    """Fit one group, which has room."""
    n_features = rows.X.shape[1]
    begin, end = rows.starts[group] - rows.base, rows.starts[group + 1] - rows.base
    size = end - begin
    n_weights = size if rows.weights.shape[0] > 0 else 0
    n_offsets = size if rows.offset.shape[0] > 0 else 0
    if rows.order.shape[0] > 0:
        gather(rows, begin, end, room)
        X, codes = room.X[:size], room.codes_seen[:size]
        weights, offset = room.weights_seen[:n_weights], room.offset_seen[:n_offsets]
    else:
        X, codes = rows.X[begin:end], rows.codes[begin:end]
        weights = rows.weights[begin : begin + n_weights]
        offset = rows.offset[begin : begin + n_offsets]
    if task.mean.shape[0] > 0:
        add_mean(X, offset, task.mean, room.offset)
        offset = room.offset_seen[:size]
    models.n_samples[group], total = weigh(weights, size)
    share = share_of(task, total)
    for j in range(n_features):
        room.l2_reg[j] = task.l2_reg[j] * share
    coef = models.coef[group]
    own = OwnRows(X, codes, weights, offset, total, n_free(room.l2_reg, task.fit_intercept))
    status = fit_rows(own, group, task, room, models, coef, models.errors[group])
    models.status[group] = status
    for j in range(task.mean.shape[0]):
        coef[j] += task.mean[j]


def _fit_groups(
    rows: GroupRows, first: int, last: int, task: Task, room: Room, models: Models
) -> None:
    """Fit the groups from `first` to before `last`; those that have no room are left GENERAL.

    Parameters
    ----------
    rows : GroupRows
    first, last : int
    task : Task
    room : Room
    models : Models
        Gets what is found. It comes with NaN, and bounds of infinity.
    """
    for group in range(first, last):
        if rows.starts[group + 1] - rows.starts[group] > room.codes.shape[0]:
            models.status[group] = GENERAL
        else:
            fit_group(rows, group, task, room, models)


fit_groups = entry(_fit_groups)


def _all_finite(numbers: Any) -> bool:
    """Say whether no number is NaN or infinite.

    Parameters
    ----------
    numbers : ndarray of float64, shape (n,)

    Returns
    -------
    bool
    """
    # Of what is not finite the product with 0 is NaN. Four chains, as fast as memory is read.
    zero, four = splat(0.0), 4 * LANES
    a, b, c, d = zero, zero, zero, zero
    whole = numbers.shape[0] // four * four
    for place in range(0, whole, four):
        a = multiply_add(load(numbers, place), zero, a)
        b = multiply_add(load(numbers, place + LANES), zero, b)
        c = multiply_add(load(numbers, place + 2 * LANES), zero, c)
        d = multiply_add(load(numbers, place + 3 * LANES), zero, d)
    found = (total(a) + total(b)) + (total(c) + total(d))
    for place in range(whole, numbers.shape[0]):
        found += numbers[place] * 0.0
    return bool(found == 0.0)


all_finite = entry(_all_finite)


def _count_rows(codes: Any, counts_out: Any) -> bool:
    """Add the rows of each group to `counts_out`; say whether groups follow each other.

    Parameters
    ----------
    codes : ndarray of int32, shape (n_samples,)
        Group of each row.
    counts_out : ndarray of int64, shape (n_groups,)

    Returns
    -------
    bool
    """
    in_order, before = True, 0
    for row in range(codes.shape[0]):
        group = codes[row]
        counts_out[group] += 1
        in_order = in_order and group >= before
        before = group
    return in_order


count_rows = entry(_count_rows)


def _order_rows(codes: Any, next_place: Any, order_out: Any) -> None:
    """Put the rows of each group together, those of a group in their order: a counting sort.

    Parameters
    ----------
    codes : ndarray of int32, shape (n_samples,)
        Group of each row.
    next_place : ndarray of int64, shape (n_groups,)
        Where the rows of each group begin; overwritten.
    order_out : ndarray of int32 or int64, shape (n_samples,)
        Gets the rows.
    """
    for row in range(codes.shape[0]):
        group = codes[row]
        order_out[next_place[group]] = row
        next_place[group] += 1


order_rows = entry(_order_rows)
