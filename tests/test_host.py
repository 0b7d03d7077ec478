"""The process that fits goes on unharmed: whole fits among real threads, processes and signals.

A scenario is a function of this module that a fresh process calls under one threading layer; what
it returns comes back as JSON. `test_threads.py` has the guard alone, `test_cache.py` the cache.
"""

import functools
import hashlib
import json
import logging
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest
from problems import problem, three_classes
from test_threads import TBB, layers

import fastlogit
from fastlogit import threads
from fastlogit.fitting.fit import SOLVERS
from fastlogit.kernels import policy

pytestmark = pytest.mark.jit

PACKAGE = Path(fastlogit.__file__).parent
CPUS = threads._affinity_cpus()
TEAM = threads.team
# The pass over these rows is worth a team under every layer.
LARGE = (200_000, 20)
L2_REG = 1e-3


# ------------------------------------------------------------------------------------------------
# Fits, and what is left of them to compare


def digest(*values: Any) -> str:
    content = b"".join(np.ascontiguousarray(value).tobytes() for value in values)
    return hashlib.sha256(content).hexdigest()


def fit(X: Any, y: Any, solver: str = "auto", **options: Any) -> str:
    """Fit, and return a hash of every bit of the result."""
    if solver == "gradient_descent":
        options = {"max_iter": 60} | options
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a solver ends early is fine here
        result = fastlogit.fit(X, y, solver=solver, l2_reg=L2_REG, **options)
    return digest(result.coef, result.intercept, result.history)


@functools.cache
def large() -> tuple[Any, Any]:
    return problem(*LARGE)[:2]


def fit_large(*_: Any, **options: Any) -> str:
    return fit(*large(), **options)


# ------------------------------------------------------------------------------------------------
# Fresh processes


def environment(layer: str, settings: dict[str, str | None]) -> dict[str, str]:
    """A layer for the process and all that it starts; the compile cache is that of the tests."""
    folders = [str(Path(__file__).parent), str(PACKAGE.parent)]
    given = {
        "PYTHONPATH": os.pathsep.join(folders),
        "NUMBA_DISABLE_JIT": "0",
        "NUMBA_THREADING_LAYER": layer,
        "NUMBA_NUM_THREADS": None,
        # PyPI's tbb lies outside the loader's path (numba#6108).
        "LD_LIBRARY_PATH": str(TBB.parent) if TBB.exists() else None,
    }
    changed = os.environ | given | settings
    return {name: value for name, value in changed.items() if value is not None}


@contextmanager
def process(code: str, environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """Run code in a fresh process; in the end it is gone, with all that it has started."""
    started = subprocess.Popen(
        [sys.executable, "-P", "-W", "error", "-c", code],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield started
    finally:
        if started.poll() is None:
            os.killpg(started.pid, signal.SIGKILL)
        started.communicate()


def call(scenario: Callable[..., Any], *arguments: str) -> str:
    given = "".join(f", {argument!r}" for argument in arguments)
    return f"import test_host; test_host.answer(test_host.{scenario.__name__}{given})"


def answer(scenario: Callable[..., Any], *arguments: str) -> None:
    print(json.dumps(scenario(*arguments)), flush=True)


def run(scenario: Callable[..., Any], layer: str, *arguments: str, **settings: str | None) -> Any:
    with process(call(scenario, *arguments), environment(layer, settings)) as started:
        out, errors = started.communicate(timeout=240)
    assert started.returncode == 0, errors
    assert errors == ""
    # numba's tbb layer prints a line of its own where a process forks amid a parallel run.
    return json.loads(out.splitlines()[-1])


# ------------------------------------------------------------------------------------------------
# The same bits

BITS: dict[str, Callable[[], tuple[Any, Any]]] = {
    "30,000 x 20": lambda: problem(30_000, 20)[:2],
    "40 x 200": lambda: problem(40, 200)[:2],
    "float32": lambda: single_precision(*problem(5_000, 20)[:2]),
    "three classes": lambda: three_classes(2_000, 9),
}


def single_precision(X: Any, y: Any) -> tuple[Any, Any]:
    return X.astype(np.float32), y


def passes(X: Any, y: Any, n_threads: int) -> str:
    """Hash one evaluation of everything that is a single pass."""
    coef = np.linspace(-0.3, 0.3, X.shape[1])
    options = {"n_threads": n_threads}
    found = fastlogit.cost_gradient(X, y > 0, coef, 0.2, l2_reg=L2_REG, **options)
    return digest(
        *found,
        fastlogit.raw_prediction(X, coef, 0.2, **options),
        fastlogit.predict_proba(X, coef, 0.2, **options),
        fastlogit.log_sigmoid(X, **options),
    )


def bits() -> dict[str, list[str]]:
    """Hashes over all numbers of threads, every call going parallel however small it is."""
    threads.BREAK_EVEN_NS = threads.BREAK_EVEN_WORKQUEUE_NS = 0.0
    found: dict[str, set[str]] = {}
    for name, make in BITS.items():
        X, y = make()
        for n_threads in range(1, 9):
            found.setdefault(f"{name}, passes", set()).add(passes(X, y, n_threads))
            for solver in SOLVERS:
                key = f"{name}, {solver}"
                found.setdefault(key, set()).add(fit(X, y, solver, n_threads=n_threads))
    assert numba.threading_layer() == os.environ["NUMBA_THREADING_LAYER"]
    return {name: sorted(hashes) for name, hashes in found.items()}


@pytest.mark.slow(seconds=80)
def test_passes_and_fits_have_the_same_bits_for_all_counts_and_layers() -> None:
    runs = [run(bits, layer, NUMBA_NUM_THREADS="8") for layer in layers()]
    assert len(runs[0]) == len(BITS) * (len(SOLVERS) + 1)
    for found in runs:
        assert {name: hashes for name, hashes in found.items() if len(hashes) != 1} == {}
        assert found == runs[0]


# ------------------------------------------------------------------------------------------------
# The number of threads


class Watched:
    """Stands in for `threads.team` and notes what numba is told inside, and who ran parallel."""

    def __init__(self) -> None:
        self.masks: set[int] = set()

    @contextmanager
    def __call__(self, n_threads: int | None, work_ns: float) -> Iterator[bool]:
        with TEAM(n_threads, work_ns) as parallel:
            self.masks.add(numba.get_num_threads() if parallel else 1)
            yield parallel


def cpu_times() -> dict[str, int]:
    """Nanoseconds that each thread of this process has run."""
    found = {}
    for folder in Path("/proc/self/task").glob("*"):
        found[folder.name] = int((folder / "schedstat").read_text().split()[0])
    return found


def busy_helpers(work: Callable[[], Any]) -> int:
    """Threads besides the main one that run more than an eighth as long as the busiest thread.

    Workers that wait look for work again and again, a few hundredths of that (more on busy CPUs);
    those of a team have run a quarter and more.
    """
    before = cpu_times()
    work()
    spent = {name: time - before.get(name, 0) for name, time in cpu_times().items()}
    limit = max(spent.values()) / 8
    return sum(time > limit for name, time in spent.items() if name != str(os.getpid()))


def obeyed() -> list[Any]:
    """For each number of threads: the masks inside, numba's own number after, busy helpers."""
    fit_large(n_threads=4)
    numba.set_num_threads(3)
    found = []
    for n_threads in (1, 2, 3, 4, None):
        threads.team = watched = Watched()
        helpers = busy_helpers(lambda n=n_threads: [fit_large(n_threads=n) for _ in range(2)])
        found.append([n_threads, max(watched.masks), numba.get_num_threads(), helpers])
    return found


@pytest.mark.parametrize("layer", layers())
def test_a_fit_takes_exactly_its_threads_and_leaves_numbas_number(layer: str) -> None:
    for n_threads, used, after, helpers in run(obeyed, layer, NUMBA_NUM_THREADS="4"):
        assert used == (n_threads or min(3, CPUS))
        assert after == 3
        # The calling thread waits for a team of others under workqueue, and is one of the team
        # elsewhere. Four threads on two busy CPUs may leave one of them next to nothing to do, so
        # that only teams no larger than the CPUs are counted exactly; and tbb's threads come only
        # where work is left for them.
        team = used if layer == "workqueue" and used > 1 else used - 1
        least = 0 if layer == "tbb" else team if used <= CPUS else 1
        assert least <= helpers <= team


def counted() -> list[Any]:
    """The default number of threads, and whether numba's pool runs after a large fit."""
    fit_large()
    return [threads.thread_count(None), threads._pool_is_running()]


def with_limits(quota_of_one: str) -> list[Any]:
    """Under a quota of one CPU, then with the affinity to one, then without either."""
    found = []
    threads.Path = lambda _: Path(quota_of_one)  # type: ignore[misc, assignment]
    found.append(counted())
    threads.Path = Path  # type: ignore[misc]
    threads._own_quota_cpus.cache_clear()
    cpus = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cpus)})
    found.append(counted())
    os.sched_setaffinity(0, cpus)
    return [*found, counted()]


def test_the_default_follows_numbas_variable() -> None:
    assert run(counted, "workqueue", NUMBA_NUM_THREADS="1") == [1, False]


def test_the_default_follows_quota_and_affinity(tmp_path: Path) -> None:
    # The real files of a quota belong to the machine.
    for name, text in {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "9 10\n"}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    found = run(with_limits, "workqueue", str(tmp_path), NUMBA_NUM_THREADS="8")
    count = min(8, CPUS, threads._own_quota_cpus())
    assert found == [[1, False], [1, False], [count, count > 1]]


def growing() -> list[bool]:
    """Whether fits of growing size run parallel, in a process that has had no larger work."""
    found = []
    for shape in ((100, 5), (300, 61), (40_000, 20), LARGE):
        threads.team = watched = Watched()
        fit(*problem(*shape)[:2], n_threads=2)
        found.append(2 in watched.masks)
        # The first is one compiled call, which asks for no threads.
        assert watched.masks == (set() if shape[1] == 5 else {1}) or threads._pool_is_running()
        assert shape[0] > 2_000 or not threads._pool_is_running()
    return found


@pytest.mark.parametrize("layer", layers())
def test_fits_run_parallel_from_the_break_even_on(layer: str) -> None:
    medium = layer != "workqueue"  # whose launches are dear
    assert run(growing, layer, NUMBA_NUM_THREADS="2") == [False, False, medium, True]


# ------------------------------------------------------------------------------------------------
# Threads and processes of the host


FITS_OF_A_THREAD = 2


def eight_threads() -> list[Any]:
    """Whole fits by every solver in eight Python threads, the first to start numba's pool."""
    expected = {solver: fit_large(solver=solver, n_threads=1) for solver in SOLVERS}
    assert not threads._pool_is_running()
    ready = threading.Barrier(8)

    def work(index: int) -> list[bool]:
        ready.wait()
        found = []
        for turn in range(FITS_OF_A_THREAD):
            solver = SOLVERS[(index + turn) % len(SOLVERS)]
            bits = fit_large(solver=solver, n_threads=(None, 2, 4)[index % 3])
            found.append(bits == expected[solver])
        return found

    with ThreadPoolExecutor(8) as pool:
        found = [same for one in pool.map(work, range(8)) for same in one]
    return [len(found), all(found), threads._pool_is_running(), numba.get_num_threads()]


@pytest.mark.parametrize("layer", layers())
def test_eight_python_threads_fit_at_once(layer: str) -> None:
    expected = [8 * FITS_OF_A_THREAD, True, True, 4]
    assert run(eight_threads, layer, NUMBA_NUM_THREADS="4") == expected


def in_a_child(context: Any, work: Callable[[], list[str]]) -> list[str]:
    """Return what `work` returns in a process of its own."""
    here, there = context.Pipe(duplex=False)
    child = context.Process(target=lambda: there.send(work()))
    child.start()
    there.close()
    try:
        answers: list[str] = here.recv()
    except EOFError:
        answers = ["dead"]
    child.join()
    return [*answers, f"exit {child.exitcode}"]


def forks() -> list[str]:
    """Fits here, in a forked child, in a fork of the child, and here again."""
    warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12: fork with threads running
    context = multiprocessing.get_context("fork")
    expected = fit_large(n_threads=1)

    def once() -> list[str]:
        return ["same" if fit_large() == expected else "other"]

    def with_a_child() -> list[str]:
        return once() + in_a_child(context, once) + once()

    before = in_a_child(context, with_a_child)  # no pool has run yet
    here = once()
    assert threads._pool_is_running() == (threads.thread_count(None) > 1)
    after = in_a_child(context, with_a_child)
    with ThreadPoolExecutor(1) as pool:
        during = pool.submit(lambda: [fit_large() for _ in range(4)])  # a fork amidst its fits
        amidst = in_a_child(context, with_a_child)
        assert set(during.result()) == {expected}
    with context.Pool(2) as workers:
        pooled = [
            "same" if bits == expected else "other" for bits in workers.map(fit_large, [0] * 4)
        ]
    return before + here + after + amidst + pooled + once()


@pytest.mark.parametrize("layer", layers())
def test_fits_in_forked_children_and_their_children(layer: str) -> None:
    if not hasattr(os, "fork"):
        assert sys.platform == "win32"
        return
    child = ["same", "same", "exit 0", "same", "exit 0"]
    expected = [*child, "same", *child, *child, *["same"] * 4, "same"]
    assert run(forks, layer) == expected


def spawned() -> list[str]:
    """Fits in spawned processes, each with a pool of its own."""
    found = [fit_large()]
    with multiprocessing.get_context("spawn").Pool(2) as workers:
        found += workers.map(fit_large, [0] * 4)
    return sorted({*found, fit_large(n_threads=1)})


@pytest.mark.slow
@pytest.mark.parametrize("layer", layers())
def test_fits_in_spawned_processes(layer: str) -> None:
    assert len(run(spawned, layer)) == 1


def report_of_a_worker(_: int) -> list[Any]:
    """A fit in somebody's worker: its bits, its number of threads, and whether a team has run."""
    return [fit_large(), threads.thread_count(None), threads._pool_is_running()]


def joblib_backends() -> dict[str, list[Any]]:
    """Fits in two workers at once, after one here, for each backend."""
    from joblib import Parallel, delayed

    warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12: fork with threads running
    expected, found = fit_large(), {}
    for backend in ("loky", "threading", "multiprocessing"):
        tasks = (delayed(report_of_a_worker)(index) for index in range(4))
        reports = Parallel(n_jobs=2, backend=backend)(tasks)
        counts = sorted({count for _, count, _ in reports})
        found[backend] = [{bits for bits, _, _ in reports} == {expected}, counts]
    assert fit_large() == expected
    return found


@pytest.mark.slow
@pytest.mark.parametrize("layer", layers())
def test_fits_in_joblibs_workers(layer: str) -> None:
    default = min(CPUS, threads._own_quota_cpus())
    # loky shares the CPUs out; the other two say nothing to their workers.
    counts = {"loky": [max(1, default // 2)], "threading": [default], "multiprocessing": [default]}
    found = run(joblib_backends, layer)
    assert found == {backend: [True, count] for backend, count in counts.items()}


def dask_cluster() -> list[Any]:
    """Fits on two dask workers of two threads each, all four at once."""
    from distributed import Client, LocalCluster

    cluster = LocalCluster(
        n_workers=2, threads_per_worker=2, host="127.0.0.1", dashboard_address=":0",
        silence_logs=logging.ERROR,  # a busy machine ends the workers late, with a warning
    )  # fmt: skip
    with cluster, Client(cluster) as client:
        reports = client.gather(client.map(report_of_a_worker, range(8), pure=False))
        asked = client.submit(fit_large, n_threads=2, pure=False).result()
        workers = client.run(os.getpid)
    expected = fit_large()
    same = {bits for bits, _, _ in reports} == {expected} and asked == expected
    teams = sorted({(count, pool) for _, count, pool in reports})
    return [len(workers), same, teams, threads.thread_count(None)]


@pytest.mark.slow
@pytest.mark.parametrize("layer", layers())
def test_fits_on_a_dask_cluster_take_one_thread_each(layer: str) -> None:
    here = min(2, CPUS, threads._own_quota_cpus())
    found = run(dask_cluster, layer, NUMBA_NUM_THREADS="2")
    assert found == [2, True, [[1, False]], here]


# ------------------------------------------------------------------------------------------------
# Ctrl-C

# After it come at most an evaluation of the best point and the proof of how good that is: 7 seen.
CALLS_OF_A_PROOF = 10
# Compiled calls of a fit during which the signal comes, evenly chosen.
STRIKES = 6


class Strike:
    """Stands in for `threads.team`: asks the test for SIGINT as one compiled call begins.

    The signal comes from another process, during that call or in the Python code after it. No
    further call begins before it is there.
    """

    def __init__(self, at: int) -> None:
        self.at = at
        self.calls = 0
        self.calls_then: int | None = None

    def __call__(self, n_threads: int | None, work_ns: float) -> Any:
        self.calls += 1
        if self.calls == self.at:
            print("now", flush=True)
        elif self.calls == self.at + 1 > 1:
            wait_until(lambda: self.calls_then is not None)
        return TEAM(n_threads, work_ns)

    def handle(self, number: int, frame: Any) -> None:
        self.calls_then = self.calls
        signal.default_int_handler(number, frame)


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60.0
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)


def struck(X: Any, y: Any, solver: str, at: int) -> dict[str, Any]:
    """Interrupt a fit at one of its compiled calls; say how it ended."""
    threads.team = strike = Strike(at)
    signal.signal(signal.SIGINT, strike.handle)
    result: Any = "finished"
    try:
        fit(X, y, solver)
    except KeyboardInterrupt as interrupt:
        result = getattr(interrupt, "result", None)
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        threads.team = TEAM
    return {
        "interrupted": result != "finished",
        "finite": result is None or bool(np.isfinite(result.coef).all()),
        "kept": result is not None,
        "calls": strike.calls - (strike.calls_then or 0),
        "locked": threads._state.lock.locked(),
        "threads": numba.get_num_threads(),
    }


def struck_fits() -> list[Any]:
    """Interrupt fits by each solver at some of their compiled calls; fit again after each."""
    threads.BREAK_EVEN_WORKQUEUE_NS = threads.BREAK_EVEN_NS
    X, y = problem(20_000, 40)[:2]  # which one compiled call does not take
    found = []
    for solver in SOLVERS:
        threads.team = whole = Strike(0)
        expected = fit(X, y, solver)
        threads.team = TEAM
        for at in {1 + (whole.calls - 2) * part // STRIKES for part in range(STRIKES + 1)}:
            how = struck(X, y, solver, at)
            # A result needs a point, and one that is being proven may be lost.
            how["kept"] |= not 2 < at < whole.calls - CALLS_OF_A_PROOF
            found.append([f"{solver}, call {at}", how, fit(X, y, solver) == expected])
    return found


def endless() -> dict[str, Any]:
    """Interrupt a descent that would take weeks, in one of its bursts."""
    X, y = large()
    seen = []

    def callback(progress: Any) -> None:
        seen.append(progress.n_iter)
        if len(seen) == 2:
            print("now", flush=True)

    def handle(number: int, frame: Any) -> None:
        seen.append("signal")
        signal.default_int_handler(number, frame)

    signal.signal(signal.SIGINT, handle)
    options = {"step_size": 1e-9, "tol": 0.0, "max_iter": 10**9, "callback": callback}
    try:
        fastlogit.gradient_descent(X, y, **options)
    except KeyboardInterrupt as interrupt:
        result = interrupt.result  # type: ignore[attr-defined]
    return {
        "n_iter": result.n_iter,
        "bursts": len(seen),
        "bursts after": len(seen) - 1 - seen.index("signal"),
        "cost": float(result.history[-1] - result.history[0]),
    }


def with_signals(scenario: Callable[..., Any], layer: str) -> Any:
    """Run a scenario, with a SIGINT each time it asks for one."""
    with process(call(scenario), environment(layer, {"NUMBA_NUM_THREADS": "2"})) as started:
        line = started.stdout.readline()
        while line == "now\n":
            started.send_signal(signal.SIGINT)
            line = started.stdout.readline()
        errors = started.communicate(timeout=60)[1]
    assert (started.returncode, errors) == (0, "")
    return json.loads(line)


@pytest.mark.parametrize("layer", layers())
def test_ctrl_c_ends_a_fit_at_any_moment_and_the_next_fit_is_right(layer: str) -> None:
    for where, how, next_is_right in with_signals(struck_fits, layer):
        assert how["interrupted"], where
        assert (how["kept"], how["finite"]) == (True, True), where
        assert how["calls"] <= CALLS_OF_A_PROOF, where
        assert (how["locked"], how["threads"], next_is_right) == (False, 2, True), where


@pytest.mark.parametrize("layer", layers())
def test_ctrl_c_ends_a_descent_of_weeks_within_its_burst(layer: str) -> None:
    found = with_signals(endless, layer)
    assert found["bursts after"] == 0
    # A burst is made to last 50 ms.
    assert found["n_iter"] < 10**6
    assert found["cost"] < 0.0


# ------------------------------------------------------------------------------------------------
# Places that cannot be written, and one cache for several processes

# Root may write anywhere. A process that it starts anew without this right (CAP_DAC_OVERRIDE, taken
# from the bounding set by prctl) finds what other users find.
WITHOUT_ROOTS_RIGHTS = """
import ctypes, os, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(24, 1)
os.execv(sys.executable, [sys.executable, "-P", "-W", "error", "-c", {code!r}])
"""


def fit_small() -> str:
    """A whole fit with the fewest entries to compile."""
    result = fastlogit.gradient_descent(*problem(2_000, 20)[:2], l2_reg=L2_REG)
    return digest(result.coef, result.intercept, result.history)


def functions() -> str:
    """Hash results of several entries that compile in a second or two each."""
    z = np.linspace(-40.0, 40.0, 1001)
    return digest(*(f(z) for f in (fastlogit.sigmoid, fastlogit.log1p_exp, fastlogit.log_sigmoid)))


def fit_where_nothing_can_be_written() -> list[Any]:
    refused = 0
    for folder in (PACKAGE, PACKAGE / "kernels", Path.home()):
        try:
            (folder / "new").write_text("")
        except PermissionError:
            refused += 1
    return [str(PACKAGE), refused, policy.cache_folder(), fit_small()]


@pytest.mark.slow(seconds=23)
def test_read_only_site_packages_and_home(tmp_path: Path) -> None:
    package, home = tmp_path / "site-packages" / "fastlogit", tmp_path / "home"
    shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__"))
    home.mkdir()
    for path in (home, package, *package.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    settings = dict.fromkeys(("HOME", "LOCALAPPDATA", "USERPROFILE"), str(home))
    settings |= dict.fromkeys(("NUMBA_CACHE_DIR", "XDG_CACHE_HOME"))
    settings["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parent), str(package.parent)])
    code = WITHOUT_ROOTS_RIGHTS.format(code=call(fit_where_nothing_can_be_written))
    with process(code, environment("workqueue", settings)) as started:
        out, errors = started.communicate(timeout=240)
    assert (started.returncode, errors) == (0, "")
    assert json.loads(out) == [str(package), 3, None, fit_small()]


@pytest.mark.slow(seconds=17)
def test_a_killed_process_and_two_at_once_leave_a_good_cache(tmp_path: Path) -> None:
    settings = environment("workqueue", {"NUMBA_CACHE_DIR": str(tmp_path)})
    with process(call(functions), settings) as victim:
        wait_until(lambda: any(tmp_path.rglob("*.nbc*")))
        victim.kill()  # amid the first compilations
        victim.wait()
    assert victim.returncode == -signal.SIGKILL
    with process(call(functions), settings) as one, process(call(functions), settings) as two:
        answers = [started.communicate(timeout=240) for started in (one, two)]
    assert answers == [(json.dumps(functions()) + "\n", "")] * 2
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.nbc")}
    with process(call(functions), settings) as third:
        assert third.communicate(timeout=240) == answers[0]
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.nbc")} == kept
    assert len(list(tmp_path.rglob("*.tmp"))) <= 1  # what the killed one was writing
