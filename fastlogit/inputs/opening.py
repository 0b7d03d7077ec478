"""X as the user gives it -> the design that reads its rows."""

from __future__ import annotations

from ..arrays import ArrayLike
from ..design.base import Design
from ..design.opening import open_rows
from .given import look_at_rows

__all__ = ["open_design"]


def open_design(X: ArrayLike, n_threads: int | None) -> Design:
    """Check X and return a design over it: in place, or streamed where it does not fit in memory.

    What is a design already is taken as it is.

    Raises
    ------
    TypeError, ValueError
        If X has the wrong type or shape, or `n_threads` is not possible.
    """
    return open_rows(look_at_rows(X).X, n_threads)
