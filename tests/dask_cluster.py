"""Clusters of dask and tables in partitions, for tests."""

from typing import Any

import dask.array as da
import distributed
import numpy as np
import pytest

__all__ = ["CUTS", "MARKS", "blocks", "client_of_threads", "make_table", "quiet_cluster"]

MARKS = [
    pytest.mark.jit,
    # Of dask's own: sockets and threads that end after their loop.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

CUTS = (700, 100, 600, 400)


def quiet_cluster(processes: bool = True, memory_limit: Any = 0, **options: Any) -> Any:
    return distributed.LocalCluster(
        processes=processes, dashboard_address=":0", silence_logs=50, memory_limit=memory_limit,
        **options,
    )  # fmt: skip


def client_of_threads() -> distributed.Client:
    """Return a client of two workers in the threads of this process."""
    return distributed.Client(
        processes=False, n_workers=2, threads_per_worker=1, dashboard_address=":0"
    )


def make_table() -> tuple[Any, Any, Any]:
    """Return X, labels of two classes and of three."""
    rng = np.random.default_rng(5)
    X = rng.normal(size=(1800, 5)) * [1.0, 20.0, 0.3, 1.0, 1.0] + [0.0, 7.0, 0.0, 0.0, 1.0]
    raw = X @ [1.0, 0.03, -2.0, 0.0, 0.4] + rng.logistic(size=1800)
    return X, (raw > 0.5).astype(np.int64), np.digitize(raw, [-1.0, 1.5])


def blocks(array: Any, cuts: tuple[int, ...] = CUTS) -> Any:
    return da.from_array(array, chunks=(cuts, *(-1,) * (array.ndim - 1)))
