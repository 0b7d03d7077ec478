"""Predictions of dask collections, computed when they are asked for, where the rows are."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from ..arrays import Array
from ..inputs.values import show
from ..result import FitResult
from .collections import blocks_of_array, is_array, is_delayed_list, is_frame
from .rounds import Collection, Table

__all__ = ["is_collection", "lazily", "predict", "predict_proba", "raw_prediction"]


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
    _check_result(result)
    return lazily(_Of(result, "predict_proba"), X, columns_of(result), len(result.classes))


def predict(result: FitResult, X: Collection) -> Any:
    """Return the predicted labels of dask rows, lazily: as `predict_proba`, of one dimension."""
    _check_result(result)
    return lazily(_Of(result, "predict"), X, columns_of(result), None, result.classes.dtype)


def raw_prediction(result: FitResult, X: Collection) -> Any:
    """Return the raw predictions of dask rows, lazily: as `predict_proba`.

    Of two classes they have one dimension.
    """
    _check_result(result)
    width = None if len(result.classes) == 2 else len(result.classes)
    return lazily(_Of(result, "raw_prediction"), X, columns_of(result), width)


def _check_result(result: object) -> None:
    if not isinstance(result, FitResult):
        raise TypeError(f"result must be a FitResult, got {show(result)} ({type(result).__name__})")


class _Of:
    """What a method of a fit says of rows in memory."""

    def __init__(self, result: FitResult, name: str) -> None:
        self._result, self._name = result, name

    def __call__(self, rows: Table) -> Array:
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
    of_rows: Callable[[Any], Array],
    X: Collection,
    columns: Sequence[str] | None,
    width: int | None,
    dtype: DTypeLike = np.float64,
) -> Collection:
    """Return a dask array of what a function says of the rows of each partition.

    Parameters
    ----------
    of_rows : callable
        Of a table in memory that has rows.
    X : dask collection
    columns : sequence of str or None
        Those of a frame that it takes.
    width : int or None
        Numbers of a row; None for one, without a second dimension.
    dtype : dtype
    """
    from dask.delayed import delayed as later

    da: Any = importlib.import_module("dask.array")  # which has no types

    if is_array(X):
        blocks, sizes = blocks_of_array(X), list(X.chunks[0])
    elif is_frame(X):
        if columns is not None:
            names = [str(name) for name in X.columns]
            missing = [name for name in columns if name not in names]
            if missing:
                raise ValueError(f"X has no column {missing[0]!r}, which the fit had")
            X = X[list(columns)]
        blocks = list(X.to_delayed())
        sizes = [np.nan] * len(blocks)
    elif is_delayed_list(X):
        blocks, sizes = list(X), [np.nan] * len(X)
    else:
        raise TypeError(
            f"X must be a dask array, a dask DataFrame or a list of delayed tables, got {show(X)} "
            f"({type(X).__name__})"
        )
    more = () if width is None else (width,)
    work = later(_of_partition)
    parts = [
        da.from_delayed(work(block, of_rows, more, dtype), (size, *more), dtype=dtype)
        for block, size in zip(blocks, sizes, strict=True)
    ]
    return da.concatenate(parts, allow_unknown_chunksizes=True)


def _of_partition(
    rows: Table, of_rows: Callable[[Any], Array], more: tuple[int, ...], dtype: DTypeLike
) -> Array:
    """Return what is said of a partition, which may have no rows."""
    if rows.shape[0] == 0:
        return np.empty((0, *more), dtype=dtype)
    return of_rows(rows)
