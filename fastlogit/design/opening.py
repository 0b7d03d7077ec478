"""Rows that have been checked -> the design that reads them."""

from __future__ import annotations

import numpy as np

from .. import threads
from ..arrays import Features
from .base import Design
from .batched import BatchRows
from .blockwise import SLICE_BYTES, SlicedDesign
from .compressed import CompressedRows
from .dense import DenseDesign
from .mixed import MixedRows, open_mixed
from .mixed_streamed import MixedSource, StreamedMixedDesign, is_mixed_source
from .sparse import SparseDesign
from .sparse_streamed import SparseSource, StreamedSparseDesign, is_sparse_source
from .streamed import RowSource, StreamedDesign

__all__ = ["open_rows"]


def open_rows(
    X: Features | CompressedRows | MixedRows | RowSource | SparseSource | MixedSource | Design,
    n_threads: int | None,
) -> Design:
    """Return a new design over the rows of X; what is a design already is taken as it is.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features), CompressedRows, MixedRows, a source or Design
        Checked: see `inputs.given.look_at_rows`.
    n_threads : int or None

    Raises
    ------
    TypeError, ValueError
        If `n_threads` is not possible.
    """
    if n_threads is not None:
        threads.thread_count(n_threads)
    if type(X) is np.ndarray:
        if X.nbytes > 2.0 * SLICE_BYTES:
            return SlicedDesign(X, n_threads=n_threads)
        return DenseDesign(X, n_threads=n_threads)
    if isinstance(X, CompressedRows):
        return SparseDesign(X, n_threads=n_threads)
    if isinstance(X, MixedRows):
        return open_mixed(X, n_threads)
    if isinstance(X, Design):
        return X
    if is_mixed_source(X):
        return StreamedMixedDesign(X, n_threads=n_threads)
    design: StreamedDesign | StreamedSparseDesign = (
        StreamedSparseDesign(X, n_threads=n_threads)
        if is_sparse_source(X)
        else StreamedDesign(X, n_threads=n_threads)
    )
    if isinstance(X, BatchRows):
        design.counter.rows = X.shape[0]  # the epoch that found out how many there are
    return design
