"""Who may run in parallel, and with how many threads.

A numba kernel compiled with `parallel=True` can end its host process: two Python threads inside one
abort it under the workqueue layer, and under GNU OpenMP a child forked after a parallel run is
killed (a grandchild hangs). So every parallel call goes through `team`, which says "serial" where
parallel is unsafe or does not pay. Kernels of other libraries cannot be guarded.
"""

import contextlib
import importlib
import math
import operator
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import cache
from pathlib import Path

# Serial work in nanoseconds from which two threads are worth their launch. Threads that are awake
# take a launch of 60 us; those that sleep, as they do 40 us after the last one, some 100 us more.
# Fits of 3,000 x 30 and 20,000 x 15 on two cores, median ms: 5.3 and 12.7 with threads kept awake
# and a break-even of 100 us; with threads that sleep 7.5 and 17.8 at 100 us, 5.4 and 14.3 at 200,
# 5.1 and 13.5 at 300, 5.3 and 13.2 at 500.
BREAK_EVEN_NS = 300_000.0
# workqueue wakes its threads late: parallel over serial was 1.2 to 1.4 at 0.6 ms of work, 0.8 to
# 1.4 at 1.2 ms, 0.6 to 1.0 at 2.4 ms.
BREAK_EVEN_WORKQUEUE_NS = 2_000_000.0

# Rounds that threads of GNU OpenMP spin while they wait for work, about 40 us; its own default is
# several milliseconds. A core that another process wants is then given away. Beside a busy process
# a fit of 3,000 x 30 takes 5.3 ms (8.8 by default), 20,000 x 15 12.7 (24.8); beside five of them
# the sigmoid of 200,000 0.3 to 0.5 (16 to 32).
SPIN_ROUNDS = "1000"
SPIN_SETTINGS = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")

# Two Python threads may be inside a parallel kernel at once under these layers only.
_THREADSAFE_LAYERS = frozenset({"tbb", "omp"})

_SERIAL = contextlib.nullcontext(False)


class _State:
    """What a forked child must make anew."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.serial_only = False


_state = _State()


def thread_count(n_threads: int | None) -> int:
    """Return the number of threads to use.

    Parameters
    ----------
    n_threads : int or None
        None: numba's current number (`numba.get_num_threads`), but not more than the CPUs that
        this process may use (affinity mask, cgroup quota), and 1 in a task of a dask worker. A
        number is taken as it is.

    Returns
    -------
    int
        At least 1, at most the size of numba's thread pool (NUMBA_NUM_THREADS).

    Raises
    ------
    TypeError
        If `n_threads` is not an integer.
    ValueError
        If `n_threads` is below 1 or above the size of numba's thread pool.
    """
    if n_threads is None:
        if _in_dask_task():
            return 1
        return min(_numba_threads(), usable_cpus())
    count = _as_integer(n_threads)
    limit = _pool_size()
    if not 1 <= count <= limit:
        raise ValueError(
            f"n_threads must be between 1 and {limit}, the size of numba's thread pool, "
            f"got {count}; the environment variable NUMBA_NUM_THREADS sets that size "
            "when Python starts"
        )
    return count


def of_jobs(n_jobs: int | None) -> int | None:
    """Return `n_threads` for scikit-learn's `n_jobs`.

    Parameters
    ----------
    n_jobs : int or None
        None or -1: all threads. Below that, all but ``-1 - n_jobs``.

    Returns
    -------
    int or None
        At most what the process may use; None for all.

    Raises
    ------
    ValueError
        If it is 0.
    """
    if n_jobs is None or n_jobs == -1:
        return None
    if n_jobs == 0:
        raise ValueError("n_jobs=0 has no meaning; None or -1 is all threads")
    available = thread_count(None)
    return min(n_jobs, available) if n_jobs > 0 else max(1, available + 1 + n_jobs)


def team(n_threads: int | None, work_ns: float) -> AbstractContextManager[bool]:
    """Choose between the serial and the parallel twin, and hold what the parallel one needs.

    Parameters
    ----------
    n_threads : int or None
        See `thread_count`.
    work_ns : float
        Rough serial run time of the call, in nanoseconds.

    Returns
    -------
    context manager of bool
        True: run the parallel twin inside the `with` block, where numba's number of threads is
        set; it is restored afterwards. False: run the serial twin, because one thread is asked
        for, or the work is too small to share, or this process was forked while numba's thread
        pool was running, or another Python thread is inside a parallel kernel under a threading
        layer that cannot bear two.

    Raises
    ------
    TypeError, ValueError
        For a bad `n_threads`, see `thread_count`.
    """
    if n_threads is None and work_ns < BREAK_EVEN_NS:
        return _SERIAL
    count = thread_count(n_threads)
    if count == 1 or work_ns < BREAK_EVEN_NS or _state.serial_only or _numba_setting("DISABLE_JIT"):
        return _SERIAL
    if _layer() in _THREADSAFE_LAYERS:
        return _mask(count)
    return _SERIAL if work_ns < BREAK_EVEN_WORKQUEUE_NS else _locked_mask(count)


@contextlib.contextmanager
def all_in_parallel() -> Iterator[None]:
    """Let `team` take small work for large in the block: its parallel twins are compiled so.

    Where parallel is unsafe, the answer is still "serial".
    """
    global BREAK_EVEN_NS, BREAK_EVEN_WORKQUEUE_NS
    before = BREAK_EVEN_NS, BREAK_EVEN_WORKQUEUE_NS
    BREAK_EVEN_NS = BREAK_EVEN_WORKQUEUE_NS = 0.0
    try:
        yield
    finally:
        BREAK_EVEN_NS, BREAK_EVEN_WORKQUEUE_NS = before


def at_most(n_threads: int) -> int:
    """Return so many threads, or fewer where numba's pool or the CPUs of this process are fewer."""
    return max(1, min(n_threads, _pool_size(), usable_cpus()))


def usable_cpus() -> int:
    """Return how many CPUs this process may use: affinity mask and cgroup quota."""
    return max(1, min(_affinity_cpus(), _own_quota_cpus()))


def quota_cpus(root: Path) -> int:
    """Read the CPU quota of this process's cgroup, version 1 or 2.

    Parameters
    ----------
    root : Path
        Root of the file system.

    Returns
    -------
    int
        The smallest quota between the process's group and the top, in CPUs, rounded up;
        `sys.maxsize` if there is none.
    """
    quotas = [math.inf]
    with contextlib.suppress(OSError, ValueError):
        for line in (root / "proc/self/cgroup").read_text().splitlines():
            _, controllers, group = line.split(":", 2)
            if not controllers:
                quotas += map(_quota_v2, _upwards(root / "sys/fs/cgroup", group))
            elif "cpu" in controllers.split(","):
                quotas += map(_quota_v1, _upwards(root / "sys/fs/cgroup" / controllers, group))
    smallest = min(quotas)
    return max(1, math.ceil(smallest)) if math.isfinite(smallest) else sys.maxsize


# ------------------------------------------------------------------------------------------------
# The guard


@contextlib.contextmanager
def _locked_mask(count: int) -> Iterator[bool]:
    """Let one Python thread in; the others do not wait, they run serial."""
    lock = _state.lock  # a local name: a fork inside the block replaces the lock
    if not lock.acquire(blocking=False):
        yield False
        return
    try:
        with _mask(count) as parallel:
            yield parallel
    finally:
        lock.release()


@contextlib.contextmanager
def _mask(count: int) -> Iterator[bool]:
    """Set numba's number of threads, which each Python thread has for itself, for the block."""
    import numba

    before = numba.get_num_threads()
    try:
        numba.set_num_threads(count)
        yield True
    finally:
        numba.set_num_threads(before)


def _layer() -> str:
    """Return the name of the threading layer; the first call starts numba's pool (3 ms).

    Only a pool that runs has a layer. Taking an unknown one for workqueue until the first launch
    kept work between the two break-evens serial for good, since it never came to a launch.
    """
    numba = importlib.import_module("numba")
    with contextlib.nullcontext() if _pool_is_running() else _short_spins():
        numba.get_num_threads()
    return str(numba.threading_layer())


@contextlib.contextmanager
def _short_spins() -> Iterator[None]:
    """Let GNU OpenMP, if the block loads it, wait for work without keeping the cores for long.

    It reads its settings from the environment when it is loaded, and has no other way to change
    this one. What the user set is left alone; nothing is left in the environment.
    """
    if any(name in os.environ for name in SPIN_SETTINGS):
        yield
        return
    os.environ[SPIN_SETTINGS[0]] = SPIN_ROUNDS
    try:
        yield
    finally:
        os.environ.pop(SPIN_SETTINGS[0], None)


def _pool_is_running() -> bool:
    module = sys.modules.get("numba.np.ufunc.parallel")
    # A numba without that private name: assume that the pool runs, which is the safe side.
    return module is not None and bool(getattr(module, "_is_initialized", True))


def _after_fork_in_child() -> None:
    # Another thread of the parent may have held the lock: nobody would release it here. GNU OpenMP
    # kills the child at its next parallel run if a pool ran before the fork, whoever started it.
    _state.lock = threading.Lock()
    _state.serial_only = _state.serial_only or _pool_is_running()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)


# ------------------------------------------------------------------------------------------------
# Counting


def _as_integer(n_threads: int) -> int:
    with contextlib.suppress(TypeError):
        if not isinstance(n_threads, bool):
            return operator.index(n_threads)
    raise TypeError(
        f"n_threads must be an integer or None, got {n_threads!r} of type "
        f"{type(n_threads).__name__}"
    )


def _numba_setting(name: str) -> int:
    import numba

    return getattr(numba.config, name)


def _pool_size() -> int:
    return int(_numba_setting("NUMBA_NUM_THREADS"))


def _numba_threads() -> int:
    """Return numba's number of threads; numba's own function would start the pool for that."""
    import numba

    return int(numba.get_num_threads()) if _pool_is_running() else _pool_size()


def _in_dask_task() -> bool:
    """Say whether this is a task of a dask worker.

    A worker runs as many tasks at once as it has been given CPUs, and its neighbours do the same;
    dask also limits BLAS and OpenMP to one thread there.
    """
    worker = sys.modules.get("distributed.worker")
    get_worker: Callable[[], object] | None = getattr(worker, "get_worker", None)
    if get_worker is None:
        return False
    try:
        get_worker()
    except ValueError:  # the process may hold a worker, but this thread runs no task of it
        return False
    return True


def _affinity_cpus() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@cache
def _own_quota_cpus() -> int:
    return quota_cpus(Path("/"))


def _upwards(mount: Path, group: str) -> list[Path]:
    """Return the folders from a group up to the mount point.

    Inside a container the group's path may be the host's, of which the mount shows only the end:
    folders that are not there have no quota.
    """
    parts = [part for part in group.split("/") if part not in ("", "..")]
    return [mount.joinpath(*parts[:depth]) for depth in range(len(parts), -1, -1)]


def _quota_v2(folder: Path) -> float:
    try:
        quota, period = (folder / "cpu.max").read_text().split()
        return math.inf if quota == "max" else float(quota) / float(period)
    except (OSError, ValueError, ZeroDivisionError):
        return math.inf


def _quota_v1(folder: Path) -> float:
    try:
        quota = float((folder / "cpu.cfs_quota_us").read_text())
        period = float((folder / "cpu.cfs_period_us").read_text())
        return quota / period if quota > 0 else math.inf
    except (OSError, ValueError, ZeroDivisionError):
        return math.inf
