"""Predictions of dask collections, computed when they are asked for, where the rows are."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from ..arrays import Array, ArrayLike, Labels
from ..estimators.row_scores import QuickScore, right
from ..inputs.conversion import refuse_special
from ..inputs.values import show
from ..result import FitResult
from .collections import (
    Partitions,
    blocks_beside,
    blocks_of_array,
    delayed_of,
    is_array,
    is_delayed_list,
    is_frame,
)
from .reading import Fault, Taken, taken, within
from .rounds import Client, Collection, Rounds, Table, add
from .tables import chosen, labels_of
from .workers import client_of

__all__ = [
    "is_collection",
    "lazily",
    "mean_score",
    "predict",
    "predict_proba",
    "raw_prediction",
]


def predict_proba(result: FitResult, X: Collection) -> Any:
    """Return the probabilities of dask rows, lazily: see `FitResult.predict_proba`.

    Parameters
    ----------
    result : FitResult
        Of any fit, in memory or not.
    X : dask array, dask DataFrame or list of delayed
        With the columns of the fit; of frames, delayed ones too, others are left out, and so are
        labels and weights of tuples.

    Returns
    -------
    dask array of shape (n_samples, n_classes)
        In the partitions of X, of unknown sizes where those of X are.

    Raises
    ------
    TypeError, ValueError
        If X is no dask collection, or lacks a column of the fit.
    """
    width = len(_check_result(result).classes)
    return lazily(_Of(result, "predict_proba"), X, columns_of(result), width)


def predict(result: FitResult, X: Collection) -> Any:
    """Return the predicted labels of dask rows, lazily: as `predict_proba`, of one dimension."""
    dtype = _check_result(result).classes.dtype
    return lazily(_Of(result, "predict"), X, columns_of(result), None, dtype)


def raw_prediction(result: FitResult, X: Collection) -> Any:
    """Return the raw predictions of dask rows, lazily: as `predict_proba`.

    Of two classes they have one dimension.
    """
    n_classes = len(_check_result(result).classes)
    width = None if n_classes == 2 else n_classes
    return lazily(_Of(result, "raw_prediction"), X, columns_of(result), width)


def _check_result(result: object) -> FitResult:
    if not isinstance(result, FitResult):
        raise TypeError(f"result must be a FitResult, got {show(result)} ({type(result).__name__})")
    return result


class _Of:
    """What a method of a fit says of rows in memory."""

    def __init__(self, result: FitResult, name: str) -> None:
        self._result, self._name = result, name

    def __call__(self, rows: Table, offset: ArrayLike) -> Array:
        assert offset is None  # which a result does not take
        return getattr(self._result, self._name)(rows)


def columns_of(result: FitResult) -> list[str] | None:
    """Return the names of the columns of a frame that a fit takes; None where it knows none."""
    if result.categories is not None:
        return list(result.categories.columns)
    return result.feature_names


def is_collection(X: object) -> bool:
    """Say whether X is of dask."""
    return is_array(X) or is_frame(X) or is_delayed_list(X)


def lazily(
    of_rows: Callable[[Any, Any], Array],
    X: Collection,
    columns: Sequence[str] | None,
    width: int | None,
    dtype: DTypeLike = np.float64,
    offset: Collection = None,
) -> Collection:
    """Return a dask array of what a function says of the rows of each partition.

    Parameters
    ----------
    of_rows : callable
        Of a table in memory that has rows, and their offset or None.
    X : dask collection
    columns : sequence of str or None
        Those of a frame that it takes.
    width : int or None
        Numbers of a row; None for one, without a second dimension.
    dtype : dtype
    offset : str, dask array or Series, optional
    """
    from dask.delayed import delayed as later

    da: Any = importlib.import_module("dask.array")  # which has no types

    name = offset if isinstance(offset, str) else None
    if is_array(X):
        if name is not None:
            raise TypeError(
                f"a dask array has no column {name!r}: give offset as a dask array of the same "
                "chunks"
            )
        blocks, sizes = blocks_of_array(X), list(X.chunks[0])
    elif is_frame(X):
        labels = labels_of(X) or {}
        wanted = list(labels) if columns is None else list(columns)
        if name is not None and name not in labels:
            raise ValueError(
                f"X has no column {name!r} (offset); its columns are {list(labels)[:10]}"
            )
        columns = [each for each in wanted if each != name]
        X = _chosen(X, columns if name is None else [*columns, name], labels)
        blocks = list(X.to_delayed())
        sizes = [np.nan] * len(blocks)
    elif is_delayed_list(X):
        blocks, sizes = delayed_of(X), [np.nan] * len(X)
    else:
        raise TypeError(
            "X must be a dask array, a dask DataFrame or a list of delayed tables or futures, got "
            f"a {type(X).__name__}"
        )
    beside = [None] * len(blocks)
    if offset is not None and name is None:
        beside = blocks_beside("offset", offset, len(blocks))
    more = () if width is None else (width,)
    work = later(_of_partition)
    parts = [
        da.from_delayed(
            work(number, block, own, name, columns, of_rows, more, dtype),
            (size, *more),
            dtype=dtype,
        )
        for number, (block, own, size) in enumerate(zip(blocks, beside, sizes, strict=True))
    ]
    return da.concatenate(parts, allow_unknown_chunksizes=True)


def _of_partition(
    number: int, rows: Table, offset: Table, name: str | None, columns: Sequence[str] | None,
    of_rows: Callable[[Any, Any], Array], more: tuple[int, ...], dtype: DTypeLike,
) -> Array:  # fmt: skip
    """Return what is said of a partition; errors have its number."""
    return within(
        number, lambda: _of_table(rows, offset, name, columns, of_rows, more, dtype)
    )  # fmt: skip


def _of_table(
    rows: Table, offset: Table, name: str | None, columns: Sequence[str] | None,
    of_rows: Callable[[Any, Any], Array], more: tuple[int, ...], dtype: DTypeLike,
) -> Array:  # fmt: skip
    """Return what is said of a table, which may have no rows."""
    if isinstance(rows, tuple):
        rows = rows[0]  # as those of a fit: labels and weights come after
    labels = labels_of(rows)
    if name is not None:
        if labels is None or name not in labels:
            raise ValueError(f"{type(rows).__name__} has no column {name!r} (offset)")
        offset = rows[labels[name]]
    if labels is not None:
        wanted = labels if columns is None else columns
        rows = _chosen(rows, [each for each in wanted if each != name], labels)
    if rows.shape[0] == 0:
        return np.empty((0, *more), dtype=dtype)
    refuse_special("offset", offset)
    return of_rows(rows, None if offset is None else np.asarray(offset))


def _chosen(X: Table, wanted: Sequence[str], labels: dict[str, Any]) -> Table:
    """Return the columns that the fit had."""
    missing = [each for each in wanted if each not in labels]
    if missing:
        raise ValueError(f"X has no column {missing[0]!r}, which the fit had")
    return chosen(X, wanted, labels)


def mean_score(
    of_rows: Callable[[Any, Any], Array], given: Partitions, score: QuickScore,
    model: tuple[Labels, str], client: Client,
) -> float:  # fmt: skip
    """Return a score that is a mean over the rows, by their weights.

    Parameters
    ----------
    of_rows : callable
        Returns raw predictions of a table in memory and its offset.
    given : Partitions
        With labels, and weights or none.
    score : callable
        What each row adds to the mean.
    model : tuple
        Classes, and what several of them are.
    client : distributed.Client
    """
    rounds = Rounds(client_of(client))
    chunks = taken(rounds, given)
    found = rounds.map(_score, "score", chunks, of_rows=of_rows, score=score, model=model)
    whole, total = add(rounds.gather(found))
    if not total > 0.0:
        raise ValueError("sample_weight is zero for every row, or X has no rows: there is no score")
    return float(whole / total)


def _score(
    found: Taken | Fault, of_rows: Callable[[Any, Any], Array], score: QuickScore,
    model: tuple[Labels, str],
) -> tuple[float, float]:  # fmt: skip
    """Return the score of a partition times the weight of its rows, and that."""
    if isinstance(found, Fault):
        raise found.raised()
    if found.y is None:
        return 0.0, 0.0
    weights = found.weights
    total = float(len(found.y) if weights is None else weights.sum())
    if total == 0.0:
        return 0.0, 0.0
    classes, multi_class = model
    known = np.isin(found.y, classes)
    if score is not right and not known.all():
        label = found.y[int(np.argmin(known))]
        raise ValueError(
            f"partition {found.number}: y has the label {show(label)}, which the fit did not have"
        )
    # No label that was not there is predicted.
    codes = np.where(known, np.searchsorted(classes, np.where(known, found.y, classes[0])), -1)
    raw = within(found.number, lambda: of_rows(found.X, found.offset))
    values = score(raw, codes, multi_class)
    return float(values.sum() if weights is None else weights @ values), total
