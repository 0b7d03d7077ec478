"""X as the user gives it -> the design that reads its rows."""

from __future__ import annotations

from typing import Any

from .. import threads
from ..design.base import Design
from ..design.batched import BatchRows
from ..design.blockwise import SLICE_BYTES, SlicedDesign
from ..design.dense import DenseDesign
from ..design.mapped import in_place
from ..design.streamed import StreamedDesign, is_streamable
from . import validation
from .conversion import is_frame

__all__ = ["open_design"]


def open_design(X: Any, n_threads: int | None) -> Design:
    """Check X and return a design over it: in place, or streamed where it does not fit in memory.

    What is a design already is taken as it is.

    A memory map that fits (see `design.mapped.in_place`) is read as the array it is.

    Raises
    ------
    TypeError, ValueError
        If X has the wrong type or shape, or `n_threads` is not possible.
    """
    threads.thread_count(n_threads)
    if isinstance(X, Design):
        return X
    X = in_place(X)
    if not is_frame(X) and is_streamable(X):
        design = StreamedDesign(validation.check_source(X), n_threads=n_threads)
        if isinstance(X, BatchRows):
            design.counter.rows = X.shape[0]  # the epoch that found out how many there are
        return design
    array = validation.check_features(X)
    if array.nbytes > 2.0 * SLICE_BYTES:
        return SlicedDesign(array, n_threads=n_threads)
    return DenseDesign(array, n_threads=n_threads)
