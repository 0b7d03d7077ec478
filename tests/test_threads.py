"""Threads: the count, the guard, and the crashes it prevents, in real processes on each layer."""

import ctypes.util
import importlib.util
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numba
import numpy as np
import pytest

from fastlogit import threads

PACKAGE = Path(threads.__file__).parent
TBB = Path(sys.prefix) / "lib" / "libtbb.so.12"
LARGE = 1e12
JIT = not numba.config.DISABLE_JIT


def layers() -> list[str]:
    """Threading layers that a process here can load."""
    found = ["workqueue"]
    if importlib.util.find_spec("numba.np.ufunc.omppool"):
        found.append("omp")
    if TBB.exists() or ctypes.util.find_library("tbb"):
        found.append("tbb")
    return found


# `fill` writes which thread did a row; `sums` adds terms of many sizes, so that another order of
# the additions would give other bits.
PRELUDE = f"""
import ctypes, json, os, signal, sys, threading, warnings
from pathlib import Path
if os.environ["NUMBA_THREADING_LAYER"] == "tbb" and Path({str(TBB)!r}).exists():
    # PyPI's tbb lies outside the loader's path (numba#6108).
    ctypes.CDLL({str(TBB)!r}, mode=ctypes.RTLD_GLOBAL)
import numba, numpy as np
from numba import prange
from fastlogit import threads
from fastlogit.kernels.policy import entry

LARGE = 1e12

def fill(out):
    for row in prange(out.size):
        out[row] = numba.get_thread_id()

def sums(values, out):
    size = values.size // out.size
    for block in prange(out.size):
        total = 0.0
        for row in range(block * size, (block + 1) * size):
            total += values[row]
        out[block] = total

fill, sums = entry(fill), entry(sums)
values = np.random.default_rng(0).standard_cauchy(64_000)

def blocks(n_threads):
    out = np.empty(64)
    with threads.team(n_threads, LARGE) as parallel:
        sums.choose(parallel)(values, out)
    return parallel, out

def digest(out):
    return out.tobytes().hex()
"""

BITS = """
runs = [blocks(n) for n in (1, 2, 3, 4)]
assert [parallel for parallel, _ in runs] == [False, True, True, True]
assert len({digest(out) for _, out in runs}) == 1
assert numba.threading_layer() == os.environ["NUMBA_THREADING_LAYER"]
print(json.dumps(digest(runs[0][1])))
"""

OBEYED = """
numba.set_num_threads(3)
for n_threads in (2, 4):
    ids = np.full(4000, -1)
    with threads.team(n_threads, LARGE) as parallel:
        assert parallel and numba.get_num_threads() == n_threads
        fill.parallel(ids)
    assert 0 <= ids.min() and ids.max() < n_threads
    assert numba.get_num_threads() == 3
print(json.dumps("done"))
"""

EIGHT_THREADS = """
expected = digest(blocks(1)[1])
ready = threading.Barrier(8)
parallel_runs, failures = [], []

def work(n_threads):
    try:
        ready.wait()
        for _ in range(50):
            parallel, out = blocks(n_threads)
            parallel_runs.append(parallel)
            assert digest(out) == expected
            assert numba.get_num_threads() == 4
    except BaseException as error:
        failures.append(repr(error))

team = [threading.Thread(target=work, args=(2 + i % 3,)) for i in range(8)]
for thread in team:
    thread.start()
for thread in team:
    thread.join()
print(json.dumps([failures, len(parallel_runs), any(parallel_runs)]))
"""

# A forked process ends with 0 only if its runs were right; the alarm ends one that hangs.
FORK = """
warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12: fork with threads running
expected = digest(blocks(1)[1])

def in_child(action):
    child = os.fork()
    if child == 0:
        signal.alarm(30)
        code = 1
        try:
            code = 0 if action() else 2
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0

def runs(parallel):
    results = [blocks(None) for _ in range(3)]
    return all(found == parallel and digest(out) == expected for found, out in results)

os.sched_getaffinity = lambda _: range(4)
before = in_child(lambda: runs(True))
parent = runs(True)
with threads.team(None, LARGE):  # a lock held at the fork stays behind
    inside = in_child(lambda: runs(False) and not threads._state.lock.locked())
after = in_child(lambda: runs(False) and in_child(lambda: runs(False)) and runs(False))
print(json.dumps([before, parent, inside, after, runs(True)]))
"""


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One compile cache for all processes: the layers share their code."""
    return tmp_path_factory.mktemp("cache")


def run(script: str, layer: str, cache: Path) -> Any:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PRELUDE + script],
        env=os.environ
        | {
            "PYTHONPATH": str(PACKAGE.parent),
            "NUMBA_CACHE_DIR": str(cache),
            "NUMBA_DISABLE_JIT": "0",
            "NUMBA_NUM_THREADS": "4",
            "NUMBA_THREADING_LAYER": layer,
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return json.loads(done.stdout)


def test_the_bits_are_the_same_for_all_counts_and_layers(cache: Path) -> None:
    assert len({run(BITS, layer, cache) for layer in layers()}) == 1


@pytest.mark.parametrize("layer", layers())
def test_the_number_of_threads_is_obeyed_and_restored(layer: str, cache: Path) -> None:
    assert run(OBEYED, layer, cache) == "done"


@pytest.mark.parametrize("layer", layers())
def test_eight_python_threads_at_once(layer: str, cache: Path) -> None:
    assert run(EIGHT_THREADS, layer, cache) == [[], 400, True]


@pytest.mark.parametrize("layer", layers())
def test_a_fork_after_a_parallel_run(layer: str, cache: Path) -> None:
    if hasattr(os, "fork"):
        assert run(FORK, layer, cache) == [True] * 5
    else:
        assert sys.platform == "win32"


# ------------------------------------------------------------------------------------------------
# In this process: the count


@pytest.mark.parametrize("wrong", [True, 1.0, 2.5, "2", [1], np.float64(1.0), object()])
def test_a_count_that_is_no_integer_is_refused(wrong: Any) -> None:
    with pytest.raises(TypeError, match="n_threads must be an integer or None, got"):
        threads.thread_count(wrong)
    with pytest.raises(TypeError, match="n_threads"):
        threads.team(wrong, 0.0)


@pytest.mark.parametrize("wrong", [0, -1, numba.config.NUMBA_NUM_THREADS + 1, 10**30])
def test_a_count_out_of_range_is_refused(wrong: int) -> None:
    limit = numba.config.NUMBA_NUM_THREADS
    with pytest.raises(ValueError, match=f"between 1 and {limit}.*got {wrong}.*NUMBA_NUM_THREADS"):
        threads.thread_count(wrong)
    with pytest.raises(ValueError, match="n_threads"):
        threads.team(wrong, 0.0)


@pytest.mark.parametrize("right", [1, np.int32(1), np.uint8(1), numba.config.NUMBA_NUM_THREADS])
def test_a_count_in_range_is_taken_as_it_is(right: int) -> None:
    count = threads.thread_count(right)
    assert count == right
    assert type(count) is int


@pytest.mark.parametrize(
    ("pool", "affinity", "quota", "expected"),
    [(8, 8, sys.maxsize, 8), (2, 8, 8, 2), (8, 3, 8, 3), (8, 8, 1, 1), (8, 0, 8, 1)],
)
def test_the_default_count_is_the_smallest_limit(
    monkeypatch: pytest.MonkeyPatch, pool: int, affinity: int, quota: int, expected: int
) -> None:
    monkeypatch.setattr(threads, "_numba_threads", lambda: pool)
    monkeypatch.setattr(threads, "_affinity_cpus", lambda: affinity)
    monkeypatch.setattr(threads, "_own_quota_cpus", lambda: quota)
    assert threads.thread_count(None) == expected


def test_the_default_count_follows_numbas_setting() -> None:
    before = numba.get_num_threads()
    numba.set_num_threads(1)
    try:
        assert threads.thread_count(None) == 1
    finally:
        numba.set_num_threads(before)
    assert 1 <= threads.thread_count(None) <= before


def get_worker(task: bool) -> str:
    if not task:
        raise ValueError("No worker found")
    return "worker"


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        (None, 4),
        (SimpleNamespace(), 4),  # half imported by another thread
        (SimpleNamespace(get_worker=lambda: get_worker(False)), 4),
        (SimpleNamespace(get_worker=lambda: get_worker(True)), 1),
    ],
)
def test_a_task_of_dask_has_one_thread_unless_it_asks_for_more(
    monkeypatch: pytest.MonkeyPatch, module: Any, expected: int
) -> None:
    for name in ("_numba_threads", "_affinity_cpus", "_own_quota_cpus", "_pool_size"):
        monkeypatch.setattr(threads, name, lambda: 4)
    monkeypatch.setitem(sys.modules, "distributed.worker", module)
    assert threads.thread_count(None) == expected
    assert threads.thread_count(3) == 3


def test_a_system_without_affinity_counts_its_cpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "os", SimpleNamespace(cpu_count=lambda: None))
    assert threads._affinity_cpus() == 1


def test_counting_does_not_start_the_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numba.np.ufunc.parallel", None)
    monkeypatch.setattr(numba, "get_num_threads", None)  # would be an error if it were called
    assert not threads._pool_is_running()
    assert threads._numba_threads() == numba.config.NUMBA_NUM_THREADS


def test_an_unknown_numba_is_taken_to_run_its_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numba.np.ufunc.parallel", SimpleNamespace())  # type: ignore[arg-type]
    assert threads._pool_is_running()


# ------------------------------------------------------------------------------------------------
# The cgroup quota, read from a made-up file system


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


V1 = "3:cpu,cpuacct:/docker/abc\n2:memory:/docker/abc\n"


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, sys.maxsize),
        ({"proc/self/cgroup": "0::/\n"}, sys.maxsize),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "max 100000\n"}, sys.maxsize),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "200000 100000\n"}, 2),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "150000 100000\n"}, 2),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "10000 100000\n"}, 1),
        (
            {
                "proc/self/cgroup": "0::/a/b\n",
                "sys/fs/cgroup/a/b/cpu.max": "max 100000",
                "sys/fs/cgroup/a/cpu.max": "300000 100000",
                "sys/fs/cgroup/cpu.max": "400000 100000",
            },
            3,
        ),
        ({"proc/self/cgroup": "0::/../x\n", "sys/fs/cgroup/cpu.max": "100000 100000"}, 1),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "nonsense"}, sys.maxsize),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "1 0"}, sys.maxsize),
        ({"proc/self/cgroup": "nonsense"}, sys.maxsize),
        (
            {
                "proc/self/cgroup": V1,
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "400000",
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000",
            },
            4,
        ),
        (
            {
                "proc/self/cgroup": V1,
                "sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_quota_us": "-1",
                "sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_period_us": "100000",
            },
            sys.maxsize,
        ),
        ({"proc/self/cgroup": V1}, sys.maxsize),
    ],
)
def test_the_cgroup_quota(tmp_path: Path, files: dict[str, str], expected: int) -> None:
    write(tmp_path, files)
    assert threads.quota_cpus(tmp_path) == expected


def test_the_own_quota_is_at_least_one() -> None:
    assert threads._own_quota_cpus() >= 1


# ------------------------------------------------------------------------------------------------
# In this process: the guard


@pytest.fixture
def pretend(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Set the layer's name and leave the pool alone, so that one CPU and no JIT will do."""

    def set_layer(layer: str) -> None:
        limits = {"DISABLE_JIT": 0, "NUMBA_NUM_THREADS": 4}
        monkeypatch.setattr(threads, "_numba_setting", limits.__getitem__)
        monkeypatch.setattr(threads, "_layer", lambda: layer)
        monkeypatch.setattr(numba, "get_num_threads", lambda: 4)
        monkeypatch.setattr(numba, "set_num_threads", lambda count: None)

    return set_layer


def decision(n_threads: int | None, work_ns: float) -> bool:
    with threads.team(n_threads, work_ns) as parallel:
        return parallel


@pytest.mark.parametrize(
    ("layer", "break_even"),
    [
        ("omp", threads.BREAK_EVEN_NS),
        ("tbb", threads.BREAK_EVEN_NS),
        ("workqueue", threads.BREAK_EVEN_WORKQUEUE_NS),
    ],
)
def test_small_work_and_one_thread_are_serial(pretend: Any, layer: str, break_even: float) -> None:
    pretend(layer)
    assert [decision(2, work) for work in (0.0, 0.99 * break_even, break_even)] == [
        False,
        False,
        True,
    ]
    assert not decision(1, LARGE)
    assert not decision(None, 0.0)


@pytest.mark.parametrize("layer", ["omp", "workqueue"])
def test_small_work_can_be_parallel_for_once(pretend: Any, layer: str) -> None:
    pretend(layer)
    with threads.all_in_parallel():
        assert decision(None, 1.0)
        assert not decision(1, LARGE)
    assert not decision(None, 1.0)
    with pytest.raises(KeyboardInterrupt), threads.all_in_parallel():
        raise KeyboardInterrupt
    assert not decision(2, 1.0)


def test_a_second_thread_is_serial_where_two_would_crash(pretend: Any) -> None:
    for layer, second in (("workqueue", False), ("omp", True), ("tbb", True)):
        pretend(layer)
        with threads.team(2, LARGE) as first, ThreadPoolExecutor(1) as pool:
            found = pool.submit(decision, 2, LARGE).result()
        assert (layer, first, found) == (layer, True, second)
        assert decision(2, LARGE)


def test_an_exception_frees_the_lock_and_restores_the_count(
    pretend: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend("workqueue")
    counts: list[int] = []
    monkeypatch.setattr(numba, "set_num_threads", counts.append)
    with pytest.raises(KeyboardInterrupt), threads.team(2, LARGE):
        raise KeyboardInterrupt
    assert counts == [2, 4]
    assert not threads._state.lock.locked()
    assert decision(2, LARGE)


def test_a_pool_that_fails_frees_the_lock(pretend: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend("workqueue")

    def fail() -> int:
        raise ValueError("No threading layer could be loaded.")

    monkeypatch.setattr(numba, "get_num_threads", fail)
    with pytest.raises(ValueError, match="threading layer"), threads.team(2, LARGE):
        pass
    assert not threads._state.lock.locked()


def test_a_forked_child_gets_a_free_lock_and_stays_serial(
    pretend: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend("omp")
    monkeypatch.setattr(threads, "_state", threads._State())
    monkeypatch.setattr(threads, "_pool_is_running", lambda: False)
    threads._state.lock.acquire()
    threads._after_fork_in_child()
    assert not threads._state.lock.locked()
    assert decision(2, LARGE)
    monkeypatch.setattr(threads, "_pool_is_running", lambda: True)
    threads._after_fork_in_child()
    assert not decision(2, LARGE)
    monkeypatch.setattr(threads, "_pool_is_running", lambda: False)
    threads._after_fork_in_child()  # the grandchild
    assert not decision(2, LARGE)


def test_the_real_guard_follows_the_machine() -> None:
    before = numba.get_num_threads()
    assert decision(None, LARGE) == (JIT and threads.thread_count(None) > 1)
    assert numba.get_num_threads() == before
    assert threads._layer() in {"omp", "tbb", "workqueue"}


def test_asking_for_the_layer_starts_the_pool_that_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[str] = []
    monkeypatch.setattr(numba, "get_num_threads", lambda: events.append("started"))
    monkeypatch.setattr(numba, "threading_layer", lambda: events.append("asked") or "tbb")
    assert threads._layer() == "tbb"
    assert events == ["started", "asked"]


def test_importing_the_module_does_not_import_numba() -> None:
    subprocess.run(
        [sys.executable, "-W", "error", "-c",
         "import sys, fastlogit.threads; assert 'numba' not in sys.modules"],
        env=os.environ | {"PYTHONPATH": str(PACKAGE.parent)},
        check=True,
        timeout=60,
    )  # fmt: skip


# ------------------------------------------------------------------------------------------------
# Waiting threads


def test_short_spins_leave_nothing_in_the_environment(monkeypatch) -> None:
    for name in threads.SPIN_SETTINGS:
        monkeypatch.delenv(name, raising=False)
    with threads._short_spins():
        assert os.environ["GOMP_SPINCOUNT"] == threads.SPIN_ROUNDS
    assert not set(threads.SPIN_SETTINGS) & set(os.environ)


@pytest.mark.parametrize("name", threads.SPIN_SETTINGS)
def test_what_the_user_set_for_waiting_threads_stays(name, monkeypatch) -> None:
    for each in threads.SPIN_SETTINGS:
        monkeypatch.delenv(each, raising=False)
    monkeypatch.setenv(name, "ACTIVE" if name == "OMP_WAIT_POLICY" else "77")
    before = dict(os.environ)
    with threads._short_spins():
        assert dict(os.environ) == before
    assert dict(os.environ) == before


def test_the_pool_is_started_with_short_spins_and_a_clean_environment() -> None:
    code = (
        "import os, sys; seen = []\n"
        "class Finder:\n"
        "    def find_spec(self, name, *rest):\n"
        "        if name.endswith(('omppool', 'workqueue', 'tbbpool')):\n"
        "            seen.append(os.environ.get('GOMP_SPINCOUNT'))\n"
        "sys.meta_path.insert(0, Finder())\n"
        "from fastlogit import threads\n"
        "threads._layer()\n"
        "print(seen[0], os.environ.get('GOMP_SPINCOUNT'))\n"
    )
    clean = {k: v for k, v in os.environ.items() if k not in threads.SPIN_SETTINGS}
    found = subprocess.run(
        [sys.executable, "-c", code], env=clean, capture_output=True, text=True, check=True
    )
    assert found.stdout.split() == [threads.SPIN_ROUNDS, "None"]
