"""What `fastlogit info` shows: versions, threads, the threading layer, the cache folder."""

from __future__ import annotations

from collections.abc import Iterator

import fastlogit
from fastlogit import threads
from fastlogit.kernels.policy import cache_folder

__all__ = ["facts"]


def facts() -> dict[str, object]:
    """Return what there is to know about this installation, by name."""
    return {
        **dict(_versions()),
        "CPUs": _cpus(),
        "threads": f"{threads.thread_count(None)} (NUMBA_NUM_THREADS: {_pool_size()})",
        "threading layer": _threading_layer(),
        "cache folder": cache_folder() or "none can be written",
    }


def _versions() -> Iterator[tuple[str, str]]:
    """Yield the names and versions of everything that takes part."""
    import platform
    from importlib.metadata import PackageNotFoundError, version

    yield "fastlogit", fastlogit.__version__
    yield "Python", f"{platform.python_version()} on {platform.platform()}"
    for name in ("numpy", "numba", "llvmlite", "scipy", "scikit-learn"):
        yield name, version(name)
    for name in ("typer", "rich", "matplotlib", "pyarrow", "tbb"):
        try:
            yield name, version(name)
        except PackageNotFoundError:
            yield name, "not installed (optional)"


def _cpus() -> str:
    """Return the number of CPUs of the machine, and how many this process may use."""
    import os

    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{os.cpu_count()}, of which this process may use {usable}"


def _pool_size() -> int:
    """Return the size of numba's thread pool."""
    import numba

    return int(numba.config.NUMBA_NUM_THREADS)


def _threading_layer() -> str:
    """Return the threading layer that numba takes, which it decides when threads first start."""
    import numba
    import numpy as np

    if not numba.config.DISABLE_JIT:
        fastlogit.sigmoid(np.zeros(2_000_000))
    try:
        return str(numba.threading_layer())
    except ValueError:
        return "none: one thread, or compiled code is switched off"
