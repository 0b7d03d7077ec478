"""Memory of tasks: arrays that a task frees serve it again, where dask would give each back.

A worker of dask has ``MALLOC_TRIM_THRESHOLD_=65536`` in its environment: what the C library frees
goes back to the system at once, and each array above 128 kB is of pages that the system clears
anew. An addition of 100,000 numbers takes twenty times as long so. While a task of a fit runs, the
library keeps what is freed; then it is told what it was told before.
"""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

__all__ = ["keeping_memory"]

# What glibc calls them, and the environment.
TRIM, MMAP = -1, -3
VARIABLES = {TRIM: "MALLOC_TRIM_THRESHOLD_", MMAP: "MALLOC_MMAP_THRESHOLD_"}
# What glibc takes for arrays that are not mapped where nothing is said, and the largest it may.
DEFAULT_MMAP, MOST = 128 * 1024, 32 * 2**20

_lock = threading.Lock()
_n_tasks = 0


@contextmanager
def keeping_memory() -> Iterator[None]:
    """Let this process keep what is freed within, where its environment says it should not."""
    global _n_tasks
    before = _told_before()
    if before is None:
        yield
        return
    with _lock:
        _n_tasks += 1
        if _n_tasks == 1:
            _tell({TRIM: MOST, MMAP: MOST})
    try:
        yield
    finally:
        with _lock:
            _n_tasks -= 1
            if _n_tasks == 0:
                _tell(before)


def _told_before() -> dict[int, int] | None:
    """Return what the environment says; None where it says nothing, or nobody would listen."""
    try:
        trim = int(os.environ[VARIABLES[TRIM]])
        mapped = int(os.environ.get(VARIABLES[MMAP], DEFAULT_MMAP))
    except (KeyError, ValueError):
        return None
    return {TRIM: trim, MMAP: mapped} if 0 <= trim < MOST and _mallopt() is not None else None


def _tell(limits: dict[int, int]) -> None:
    tell = _mallopt()
    assert tell is not None
    for what, size in limits.items():
        tell(what, size)


@cache
def _mallopt() -> Callable[[int, int], Any] | None:
    """Return the function of the C library; None where it has none."""
    try:
        found: Callable[[int, int], Any] = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # not glibc
        return None
    return found
