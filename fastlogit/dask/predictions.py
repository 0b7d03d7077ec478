"""Predictions of dask collections, computed when they are asked for, where the rows are."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from ..arrays import Array, ArrayLike
from ..inputs.values import show
from ..result import FitResult
from .collections import (
    Partitions,
    blocks_beside,
    blocks_of_array,
    client_of,
    is_array,
    is_delayed_list,
    is_frame,
)
from .reading import Fault, Taken, taken
from .rounds import Client, Collection, Rounds, Table, add

__all__ = [
    "is_collection",
    "lazily",
    "predict",
    "predict_proba",
    "raw_prediction",
    "share_of_hits",
]


def predict_proba(result: FitResult, X: Collection) -> Any:
    """Return the probabilities of dask rows, lazily: see `FitResult.predict_proba`.

    Parameters
    ----------
    result : FitResult
        Of any fit, in memory or not.
    X : dask array, dask DataFrame or list of delayed
        With the columns of the fit; of a frame others are left out.

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
        names = [str(each) for each in X.columns]
        wanted = names if columns is None else list(columns)
        missing = [each for each in wanted if each not in names]
        if missing:
            raise ValueError(f"X has no column {missing[0]!r}, which the fit had")
        if name is not None and name not in names:
            raise ValueError(f"X has no column {name!r} (offset); its columns are {names[:10]}")
        columns = wanted = [each for each in wanted if each != name]
        X = X[wanted if name is None else [*wanted, name]]
        blocks = list(X.to_delayed())
        sizes = [np.nan] * len(blocks)
    elif is_delayed_list(X):
        blocks, sizes = list(X), [np.nan] * len(X)
    else:
        raise TypeError(
            f"X must be a dask array, a dask DataFrame or a list of delayed tables, got {show(X)} "
            f"({type(X).__name__})"
        )
    beside = [None] * len(blocks)
    if offset is not None and name is None:
        beside = blocks_beside("offset", offset, len(blocks))
    more = () if width is None else (width,)
    work = later(_of_partition)
    parts = [
        da.from_delayed(
            work(block, own, name, columns, of_rows, more, dtype), (size, *more), dtype=dtype
        )
        for block, own, size in zip(blocks, beside, sizes, strict=True)
    ]
    return da.concatenate(parts, allow_unknown_chunksizes=True)


def _of_partition(
    rows: Table, offset: Table, name: str | None, columns: Sequence[str] | None,
    of_rows: Callable[[Any, Any], Array], more: tuple[int, ...], dtype: DTypeLike,
) -> Array:  # fmt: skip
    """Return what is said of a partition, which may have no rows."""
    if rows.shape[0] == 0:
        return np.empty((0, *more), dtype=dtype)
    if name is not None:
        offset = rows[name]
        if columns is not None:
            rows = rows[list(columns)]
    return of_rows(rows, None if offset is None else np.asarray(offset))


def share_of_hits(predict: Callable[[Any, Any], Array], given: Partitions, client: Client) -> float:
    """Return the share of the weight of the rows whose label a function predicts.

    Parameters
    ----------
    predict : callable
        Of a table in memory and its offset.
    given : Partitions
        With labels, and weights or none.
    client : distributed.Client
    """
    rounds = Rounds(client_of(client))
    chunks = taken(rounds, given)
    hits, total = add(rounds.gather(rounds.map(_hits, "score", chunks, predict=predict)))
    if not total > 0.0:
        raise ValueError("sample_weight is zero for every row, or X has no rows: there is no score")
    return float(hits / total)


def _hits(found: Taken | Fault, predict: Callable[[Any, Any], Array]) -> tuple[float, float]:
    """Return the weight of the rows that are predicted, and that of all."""
    if isinstance(found, Fault):
        raise found.raised()
    if found.y is None:
        return 0.0, 0.0
    right = np.asarray(predict(found.X, found.offset) == found.y, dtype=np.float64)
    if found.weights is None:
        return float(right.sum()), float(right.size)
    return float(right @ found.weights), float(found.weights.sum())
