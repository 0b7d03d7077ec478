"""For all tests: no windows, seeded random numbers, a report of how numba runs."""

import os
import signal
from collections.abc import Iterator

os.environ.setdefault("MPLBACKEND", "Agg")  # before anything imports matplotlib
if "PYTEST_XDIST_WORKER" in os.environ:
    # Workers share the cores: threads of GNU OpenMP that wait must sleep, not spin.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import numba
import numpy as np
import pytest
from threadpoolctl import threadpool_limits

# Shells ignore Ctrl-C on behalf of jobs in the background, and their children inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_report_header() -> str:
    """Say how numba is set up: the passes of .ci/run differ only in this."""
    config = numba.config
    return (
        f"numba {numba.__version__}, numpy {np.__version__}, "
        f"jit {'off' if config.DISABLE_JIT else 'on'}, "
        f"boundscheck {'on' if config.BOUNDSCHECK else 'off'}, "
        f"threads {config.NUMBA_NUM_THREADS}, layer {config.THREADING_LAYER}"
    )


def count_cpus() -> int:
    """Return how many CPUs this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Return how many processes ``-n auto`` starts: each compiles kernels and has threads."""
    return min(4, count_cpus())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the slow tests that take longest: no core then waits for the last one."""

    def seconds(item: pytest.Item) -> float:
        mark = item.get_closest_marker("slow")
        return mark.kwargs.get("seconds", 10.0) if mark else 0.0

    items.sort(key=seconds, reverse=True)


@pytest.fixture
def the_general_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let small data be fitted as larger data are: by Python over passes, not by one call."""
    from fastlogit.fitting import small

    monkeypatch.setattr(small, "MOST_NUMBERS", 0)


@pytest.fixture
def rng() -> np.random.Generator:
    """A generator that starts at the same state in every test."""
    return np.random.default_rng(20260101)


@pytest.fixture(autouse=True, scope="session")
def _one_blas_thread() -> Iterator[None]:
    """Oracles and scikit-learn in one BLAS thread.

    Those that wait spin, and take the cores from each other and from the kernels: on two busy cores
    scikit-learn's digits take 0.7 s with one thread and 24 s with two.
    """
    with threadpool_limits(1, "blas"):
        yield
