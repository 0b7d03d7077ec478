"""Compiling ahead of the first call: small real calls of every kind of data that users bring.

An entry of the kernels is compiled for rows of float64 and of float32 that are read where they
lie, and once for all other kinds of X; and once more for threads. What a call compiles depends on
these alone, not on its size, so that calls on a few hundred rows fill the cache. They are the calls
that users make, or passes of the Design that stand behind them; a list of signatures would be a
second truth, which could drift from the first.

A step compiles one part of one kind. Steps are dealt out to a few processes that share the cache on
the disk: numba's compiler holds a lock, so that threads would wait for each other.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from . import threads
from .arrays import Features
from .clock import activity
from .design.codes import code_columns
from .design.dense import DenseDesign
from .design.mixed import MixedRows, open_mixed
from .elementwise import log1p_exp, log_sigmoid, logit, sigmoid
from .fitting.cost import cost_gradient
from .fitting.evaluation import Problem
from .fitting.fit import fit, gradient_descent
from .fitting.groups import fit_groups
from .fitting.path import logistic_path
from .inference.infer import infer
from .inference.leave_one_out import leave_one_out
from .inputs.batches import BatchSource
from .kernels.policy import cache_folder, numba_setting
from .kernels.small.proofs import stated_bound
from .objective.penalties import L1, L2, Bounds, ElasticNet
from .options import check_option, check_whole
from .prediction import class_proba, predict_proba
from .relatives.conditional import conditional_logit
from .resampling.bootstrap import bootstrap
from .resampling.permutation import permutation

__all__ = ["LeftOut", "WarmUp", "warmup"]

# More rows than the classes that are coded in a byte.
N_ROWS = 260
GROUPS = ("quick", "common", "all")
# So many processes at the most: each takes up to 700 MB.
MOST_PROCESSES = 4

# Processor seconds of a step from an empty cache, in one thread and with threads (AMD EPYC, numba
# 0.68): they order the steps, and say what those left out would cost.
SECONDS = {
    "fit": (6.0, 11.0),
    "predict": (2.0, 3.0),
    "many columns": (0.8, 1.5),
    "more than 256 classes": (3.0, 6.0),
    "robust standard errors": (1.5, 3.0),
    "small fits": (10.0, 10.0),
    "sigmoid and its relatives": (3.0, 6.0),
    "batches, leave-one-out, paths": (7.0, 10.0),
    "groups of rows": (8.0, 8.0),
    "Firth's fits and intervals": (3.0, 5.0),
    "sparse rows": (6.0, 10.0),
    "L1, bounds, groups of columns": (5.0, 6.0),
    "categorical columns": (3.0, 6.0),
}
FUNCTIONS = tuple(SECONDS)[-8:]
# No entry of these is compiled for threads.
SERIAL_PARTS = ("small fits", "groups of rows")

# What no step compiles, in words.
RARE = ("scan",)


class Kind(NamedTuple):
    """A kind of X: its number type and columns, and both in words."""

    name: str
    dtype: str
    n_columns: int


WIDE = Kind("float64, rows of 8 columns or more", "float64", 12)
WIDE32 = Kind("float32, rows of 8 columns or more", "float32", 12)
# The kernels that gather rows are the same for all of these.
OTHER = Kind("other number types and layouts, fewer columns", "float64", 3)
# Those who ask for these have seldom so many rows that threads are used.
SERIAL = (
    (WIDE, "more than 256 classes"),
    (WIDE, "robust standard errors"),
    (OTHER, "robust standard errors"),
)


class Step(NamedTuple):
    """One part of a kind, or of what has no kind: for one thread, or for one and for several.

    Both in one process take half the time of both apart: they share the storeys below.
    """

    group: str
    kind: Kind | None
    part: str
    parallel: bool

    @property
    def name(self) -> str:
        """What it is, in words."""
        return f"{self.kind.name}: {self.part}" if self.kind else self.part

    @property
    def what(self) -> str:
        """What it belongs to: a kind of X, or functions; what comes later is for threads."""
        is_later = self.group == "all" and (self.kind, self.part) in SERIAL
        later = ", with threads" if is_later else ""
        return f"{self.kind.name if self.kind else self.part}{later}"

    @property
    def usual_seconds(self) -> float:
        """Processor seconds that it takes from an empty cache."""
        return SECONDS[self.part][self.parallel]


class LeftOut(NamedTuple):
    """A kind of X that was not compiled for, and about how many seconds first calls take for it."""

    name: str
    seconds: float


@dataclass(frozen=True)
class WarmUp:
    """What `warmup` did.

    Attributes
    ----------
    compiled : tuple of str
        Steps that had something to compile.
    present : tuple of str
        Steps whose compiled code was there already.
    failed : tuple of str
        Steps that were not done, and why.
    left_out : tuple of LeftOut
        What larger groups would compile.
    n_functions : int
        Functions compiled.
    seconds : float
        From the beginning to the end.
    compile_seconds : float
        Seconds of all steps together, in all processes.
    n_processes : int
    folder : str or None
        Where the compiled code is kept; None if it cannot be kept.
    """

    compiled: tuple[str, ...]
    present: tuple[str, ...]
    failed: tuple[str, ...]
    left_out: tuple[LeftOut, ...]
    n_functions: int
    seconds: float
    compile_seconds: float
    n_processes: int
    folder: str | None

    def summary(self) -> str:
        """Return what was compiled, what was there, and what is left out, in a few lines."""
        processes = "1 process" if self.n_processes == 1 else f"{self.n_processes} processes"
        counts = f"{len(self.compiled)} steps compiled {self.n_functions} functions, "
        times = f"{self.seconds:.1f} s with {processes} ({self.compile_seconds:.1f} s of one)"
        lines = [f"{counts}{len(self.present)} had nothing to do: {times}"]
        if self.failed:
            lines.append("failed: " + "; ".join(self.failed))
        if self.left_out:
            lines.append("left out; first calls will compile, each kind once, for about")
            names: dict[str, list[str]] = {}
            for left in self.left_out:
                names.setdefault(f"{left.seconds:.0f} s", []).append(left.name)
            lines += [f"  {seconds}: {'; '.join(found)}" for seconds, found in names.items()]
        lines.append(f"never compiled ahead, as they are rare: {'; '.join(RARE)}")
        lines.append(f"cache: {self.folder or 'none, each process compiles anew'}")
        return "\n".join(lines)


def warmup(
    kinds: str = "common",
    *,
    n_processes: int | None = None,
    verbose: bool | Callable[[str], None] = True,
) -> WarmUp:
    """Compile ahead what first calls need, and keep it on the disk for all later processes.

    The kernels are compiled for float64 and float32 rows of 8 columns or more, once for all other
    kinds of X, and apart for one thread and for several. What is there already is not compiled
    again.

    Parameters
    ----------
    kinds : {"quick", "common", "all"}, default "common"
        "quick": fits and predictions of float64 rows, of few and of many columns, and of whatever
        is neither float64 nor float32. "common": besides float32 rows of many columns, more than
        256 classes, robust standard errors of float64, and all functions. "all": these with threads
        and of every kind too.
    n_processes : int >= 1, optional
        Processes that compile beside each other; each takes up to 700 MB, with "all" more. By
        default one for each processor that this process may use, at most 4. With 1 this process
        compiles.
    verbose : bool or callable, default True
        Print what is compiled as it goes, and the summary at the end. A callable takes the lines.

    Returns
    -------
    WarmUp
        What was compiled, what was there, what is left out and what that would cost.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or value.

    Examples
    --------
    >>> import fastlogit
    >>> done = fastlogit.warmup("quick", verbose=False)  # doctest: +SKIP
    >>> print(done.summary())  # doctest: +SKIP
    """
    kinds = check_option("kinds", kinds, GROUPS)
    if n_processes is None:
        wanted = min(threads.usable_cpus(), MOST_PROCESSES)
    else:
        wanted = check_whole("n_processes", n_processes, low=1)
    say = verbose if callable(verbose) else print if verbose else _silent
    began = time.perf_counter()
    # Without the JIT nothing is compiled, and the steps would run for minutes.
    taken, left = ([], []) if numba_setting("DISABLE_JIT") else _steps(kinds)
    folder = cache_folder()
    if folder is None:
        wanted = 1  # what another process compiled would be lost
    results = []
    wanted = max(1, min(wanted, len(taken)))
    for result in _results(taken, wanted, say):
        results.append(result)
        say(f"{len(results)} of {len(taken)}: {result.step.name}: {result.words()}")
    done = _summed(results, left, time.perf_counter() - began, wanted, folder)
    say(done.summary())
    return done


def _silent(line: str) -> None:
    """Say nothing."""


# ------------------------------------------------------------------------------------------------
# The steps


def _steps(kinds: str) -> tuple[list[Step], list[Step]]:
    """Return the steps up to a group, those that take longest first within each, and the others."""
    steps = list(_all_steps())
    if threads.thread_count(None) == 1:
        one_thread = [step._replace(parallel=False) for step in steps]
        steps = list({step[1:]: step for step in reversed(one_thread)}.values())
    steps.sort(key=lambda step: (GROUPS.index(step.group), -step.usual_seconds))
    last = GROUPS.index(kinds)
    taken = [step for step in steps if GROUPS.index(step.group) <= last]
    return taken, steps[len(taken) :]


def _all_steps() -> Iterator[Step]:
    yield Step("quick", None, "small fits", False)
    for group, kind in (("quick", WIDE), ("quick", OTHER), ("common", WIDE32)):
        yield Step(group, kind, "fit", True)
        yield Step(group, kind, "predict", True)
    for kind in (WIDE, OTHER, WIDE32):
        yield Step("common", kind, "many columns", True)
    for kind, part in SERIAL:
        yield Step("common", kind, part, False)
        yield Step("all", kind, part, True)
    for part in FUNCTIONS[1:]:
        yield Step("common", None, part, part not in SERIAL_PARTS)
    for kind in (OTHER, WIDE32):
        yield Step("all", kind, "more than 256 classes", True)
    yield Step("all", WIDE32, "robust standard errors", True)


def _run_step(step: Step) -> None:
    """Make the calls of a step, for several threads after one."""
    for use in (contextlib.nullcontext, threads.all_in_parallel)[: 1 + step.parallel]:
        with warnings.catch_warnings(action="ignore"), use():  # of fits that mean nothing
            if step.kind is None:
                _FUNCTION_PARTS[step.part]()
            else:
                _KIND_PARTS[step.part](_data(step.kind))


def _data(kind: Kind) -> Features:
    """Return zeros and ones as a kind of X."""
    values = np.random.default_rng(0).integers(0, 2, (N_ROWS, kind.n_columns))
    return values.astype(kind.dtype)


def _small_fits() -> None:
    """Fit two and more classes by the kernels of small data, which are the same for every kind."""
    X, labels = _data(WIDE), np.arange(N_ROWS) % 3
    fit(X, labels > 0, C=1.0)
    fit(X, labels, C=1.0, multi_class="multinomial")
    fit(np.eye(50, 20), np.arange(50) % 10, C=1.0, multi_class="multinomial")


def _fit(X: Features) -> None:
    """Fit two and three classes, and ask for what certificates and preconditioners need.

    A penalty that is an object takes the way of larger data.
    """
    labels = np.arange(len(X)) % 3
    fit(X, labels > 0, penalty=L2(1.0, X.shape[1]), solver="newton")
    fit(X, labels, penalty=L2(1.0, X.shape[1]), multi_class="multinomial", solver="newton")
    design, n_columns = DenseDesign(X), X.shape[1]
    design.raw_prediction(np.zeros((1, n_columns)), np.zeros(1))
    design.largest_row(np.ones(n_columns), np.zeros(n_columns))
    design.grams(np.ones((2, len(X))))


def _predict(X: Features) -> None:
    # With an offset as many rows do; without one few of float64 have kernels of their own.
    predict_proba(X, np.zeros(X.shape[1]), offset=np.zeros(len(X)))
    predict_proba(X, np.zeros(X.shape[1]))
    for multi_class in ("multinomial", "ovr"):
        class_proba(X, np.zeros((X.shape[1], 3)), np.zeros(3), multi_class)


def _many_columns(X: Features) -> None:
    """Do what the preconditioner of a softmax of many columns needs; these few will do."""
    rows, inverse = np.arange(8)[None, :], np.ones((1, X.shape[1] + 1))
    DenseDesign(X).sample(rows, np.ones(1), 1.0, inverse)


def _many_labels(X: Features) -> None:
    """Take one step towards 260 classes, whose codes do not fit in a byte."""
    gradient_descent(X, np.arange(len(X)), max_iter=1, step_size=0.1)


def _robust(X: Features) -> None:
    """Ask for what HC2, HC3 and predictions need of each row, and clusters and groups of theirs."""
    labels, clusters = np.arange(len(X)) % 3 > 0, np.arange(len(X)) // 13
    fitted = fit(X, labels, C=np.inf)
    for cov_type in ("HC3", "CR1", "CR2"):
        found = infer(
            fitted, X, labels, cov_type=cov_type, clusters=clusters if cov_type[0] == "C" else None
        )
    found.marginal_effects(by=clusters % 2)


def _elementwise() -> None:
    for dtype in (np.float64, np.float32):
        for function in (sigmoid, log1p_exp, log_sigmoid, logit):
            values = np.full(9, 0.5, dtype=dtype)
            function(values)
            function(values, out=values)


def _other_calls() -> None:
    """Call what reads rows in other ways, on rows that steps before this one have compiled for."""
    labels = np.arange(N_ROWS) % 3
    for kind in (OTHER, WIDE):
        X = _data(kind)
        fitted = fit(X, labels, C=1.0, multi_class="multinomial", solver="newton-cg")
        leave_one_out(fitted, X, labels)
        logistic_path(X, labels > 0, Cs=[1.0, 2.0])
        targets, coef = (labels > 0) * 1, np.zeros(X.shape[1])
        cost_gradient(X, targets, coef)  # by the kernel of small data
        cost_gradient(X, targets, coef, np.zeros(1))
        Problem(X, targets).hessian(np.zeros(X.shape[1] + 1))
        fit(X, labels, C=1.0, solver="lbfgs")
        source = BatchSource(lambda X=X: iter([(X, labels > 0)]))  # type: ignore[misc]
        fit(source, C=1.0, solver="gradient_descent", max_iter=1, step_size=0.1, tol=1.0)
    few = np.random.default_rng(0).standard_normal((N_ROWS, 2))
    bootstrap(few, labels > 0, 3, C=1.0, random_state=0)
    permutation(few, labels > 0, n=3, C=1.0, random_state=0)
    stated_bound.serial(0.0)  # of replicates that are fitted from nothing
    # So many columns that the preconditioner draws rows.
    many = np.random.default_rng(0).standard_normal((N_ROWS, 160))
    fit(many, labels, C=1.0, multi_class="multinomial", solver="newton-cg", tol=1e-3)
    # Fewer rows than columns, and so many that their matrix is factored in bands.
    fit(np.eye(400, 408), np.arange(400) % 2, C=1.0)


def _firth() -> None:
    """Fit, and ask for intervals and tests, which are made by the kernels of small tables."""
    X, labels = _data(WIDE), np.arange(N_ROWS) % 3 > 0
    found = infer(fit(X, labels, penalty="firth"), X, labels)
    found.conf_int()


def _groups() -> None:
    """Fit groups whose rows lie together, and groups whose rows do not; of sparse rows too.

    And matched sets.
    """
    from scipy.sparse import csr_array

    narrow, codes = _data(OTHER), np.arange(N_ROWS)
    for X in (narrow, csr_array(narrow)):
        fit_groups(X, codes % 2, codes % 5, C=1.0)
        fitted = fit_groups(X, codes % 2, codes // 13, C=1.0)
        fitted.predict_proba(X, codes // 13)
    few = np.random.default_rng(0).standard_normal((N_ROWS, 2))
    conditional_logit(few, codes % 5 == 0, codes // 5)


def _sparse() -> None:
    """Fit sparse rows of few columns and of so many that there is no Hessian, with L1 too."""
    from scipy.sparse import csr_array

    labels, narrow = np.arange(N_ROWS) % 3, csr_array(_data(OTHER))
    for ratio in (0.0, 1.0):
        fit(narrow, labels > 0, C=1.0, l1_ratio=ratio)
        fit(narrow, labels, multi_class="multinomial", C=1.0, l1_ratio=ratio)
        # Of more columns than L1 takes whole.
        fit(csr_array(np.eye(N_ROWS, 90)), labels > 0, C=1.0, l1_ratio=ratio)
    fitted = fit(narrow, labels > 0, C=1.0, solver="newton-cg")
    fitted.predict_proba(narrow)
    fit(narrow, labels, C=1.0, multi_class="multinomial", solver="newton-cg")
    # Of so many columns that a path works on some of them.
    wide = csr_array(np.eye(N_ROWS, 130) + np.eye(N_ROWS, 130, -130))
    logistic_path(wide, labels > 0, Cs=[1.0, 2.0], l1_ratio=1.0)
    bootstrap(narrow, labels > 0, 3, C=1.0, random_state=0)


def _corners() -> None:
    """Fit with L1, bounds and groups of columns, which pass over rows as others do.

    A penalty that is an object takes the way of larger data, numbers that of small data.
    """
    labels, X = np.arange(N_ROWS) % 3, _data(WIDE)
    wide = np.random.default_rng(0).standard_normal((80, 90))
    fit(X, labels > 0, C=1.0, l1_ratio=1.0)
    box = Bounds(np.zeros(12), np.full(12, np.inf))
    for l1 in (L1(0.01, 12), L1(0.0, 12, box)):
        fit(X, labels > 0, penalty=ElasticNet(l1, 0.01, 12))
    fit(X, labels, C=1.0, l1_ratio=1.0, multi_class="multinomial")
    fit(X, labels > 0, C=1.0, l1_ratio=1.0, penalty_groups=np.arange(12) // 3)
    fit(wide, np.arange(80) % 2, C=1.0, l1_ratio=1.0)


def _categories() -> None:
    """Fit categorical columns, alone and beside numbers."""
    labels, numbers = np.arange(N_ROWS) % 3, _data(OTHER)
    codes = code_columns([np.arange(N_ROWS) % 4, np.arange(N_ROWS) // 90], [4, 3], drop_first=False)
    alone = np.arange(7)
    beside = MixedRows(numbers, None, codes, (np.arange(3), alone + 3))
    for rows in (MixedRows(None, None, codes, (alone,)), beside):
        for ratio in (0.0, 1.0):
            fit(open_mixed(rows, None), labels > 0, C=1.0, l1_ratio=ratio)
        fitted = fit(open_mixed(rows, None), labels, C=1.0, multi_class="multinomial")
        open_mixed(rows, None).raw_prediction(fitted.coef.T.copy(), np.array(fitted.intercept))


_KIND_PARTS: dict[str, Callable[[Features], None]] = {
    "fit": _fit,
    "predict": _predict,
    "many columns": _many_columns,
    "more than 256 classes": _many_labels,
    "robust standard errors": _robust,
}
_FUNCTION_PARTS: dict[str, Callable[[], None]] = dict(
    zip(
        FUNCTIONS,
        (_small_fits, _elementwise, _other_calls, _groups, _firth, _sparse, _corners, _categories),
        strict=True,
    )
)


# ------------------------------------------------------------------------------------------------
# Who runs them


class Result(NamedTuple):
    """What became of a step; `error` says why it was not done."""

    step: Step
    n_functions: int
    seconds: float
    error: str = ""

    def words(self) -> str:
        """Return the result as text."""
        if self.error:
            return f"failed: {self.error}"
        if self.n_functions == 0:
            return "there already"
        functions = "1 function" if self.n_functions == 1 else f"{self.n_functions} functions"
        return f"{functions}, {self.seconds:.1f} s"


def _results(
    steps: Sequence[Step], n_processes: int, say: Callable[[str], None]
) -> Iterator[Result]:
    """Run the steps, in `n_processes` other processes where there are several."""
    waiting: queue.SimpleQueue[Step] = queue.SimpleQueue()
    for step in steps:
        waiting.put(step)
    if n_processes > 1:
        workers = _start_workers(n_processes)
        if workers:
            say(f"compiling in {len(workers)} processes; each line comes when a step is done")
        yield from _dealt_out(waiting, workers)
    while not waiting.empty():  # one process is enough, or no other could be started or is left
        yield _measured(waiting.get())


def _measured(step: Step) -> Result:
    before, began, error = activity().n_compiled, time.perf_counter(), ""
    try:
        _run_step(step)
    except Exception as failure:  # the other steps are of use without this one
        error = f"{type(failure).__name__}: {failure}"
    return Result(step, activity().n_compiled - before, time.perf_counter() - began, error)


# What another process runs: it finds this very package, whatever its own path would be.
_SERVE = (
    "import json, sys; sys.path[:] = json.loads(sys.stdin.readline()); "
    "from fastlogit.warming import _serve; _serve()"
)


def _serve() -> None:
    """Run the steps whose positions come line by line, and answer with what came out."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # nothing else may write between the answers
    steps = list(_all_steps())
    for line in sys.stdin:
        place, parallel = json.loads(line)
        result = _measured(steps[place]._replace(parallel=parallel))
        print(json.dumps(result[1:]), file=answers, flush=True)


def _start_workers(count: int) -> list[subprocess.Popen[str]]:
    """Start processes that `_serve`; fewer or none where that is not possible."""
    settings = dict(os.environ)
    if numba_setting("CACHE_DIR"):
        settings["NUMBA_CACHE_DIR"] = str(numba_setting("CACHE_DIR"))
    workers: list[subprocess.Popen[str]] = []
    with contextlib.suppress(OSError):
        for _ in range(count if sys.executable else 0):
            workers.append(
                subprocess.Popen(
                    [sys.executable, "-c", _SERVE], env=settings, text=True,
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                )
            )  # fmt: skip
    return workers


def _dealt_out(
    waiting: queue.SimpleQueue[Step], workers: list[subprocess.Popen[str]]
) -> Iterator[Result]:
    """Yield results as workers bring them, until all is done or no worker is left."""
    results: queue.SimpleQueue[Result | None] = queue.SimpleQueue()
    dealers = [
        threading.Thread(target=_keep_busy, args=(worker, waiting, results), daemon=True)
        for worker in workers
    ]
    for dealer in dealers:
        dealer.start()
    try:
        left = len(workers)
        while left:
            result = results.get()
            if result is None:
                left -= 1
            else:
                yield result
    finally:  # Ctrl-C too
        for worker, dealer in zip(workers, dealers, strict=True):
            worker.kill()
            dealer.join()
            with contextlib.suppress(OSError), worker:  # closes the pipes
                pass


def _keep_busy(
    worker: subprocess.Popen[str],
    waiting: queue.SimpleQueue[Step],
    results: queue.SimpleQueue[Result | None],
) -> None:
    """Give a worker step after step; None at the end, or when the worker has ended."""
    places = [step[:3] for step in _all_steps()]
    assert worker.stdin is not None
    assert worker.stdout is not None
    step: Step | None = None
    try:
        with contextlib.suppress(OSError, ValueError):
            worker.stdin.write(json.dumps(sys.path) + "\n")
            while True:
                step = waiting.get_nowait()
                place = places.index(step[:3])
                worker.stdin.write(f"{json.dumps([place, step.parallel])}\n")
                worker.stdin.flush()
                results.put(Result(step, *json.loads(worker.stdout.readline())))
                step = None
    except queue.Empty:
        step = None
    finally:
        if step is not None:
            results.put(Result(step, 0, 0.0, "the process that compiled it ended"))
        results.put(None)


def _summed(
    results: Sequence[Result],
    left: Sequence[Step],
    seconds: float,
    n_processes: int,
    folder: Path | None,
) -> WarmUp:
    """Return the report; what was measured here says how long the steps left out would take."""
    done = [result for result in results if not result.error]
    compiled = [result for result in done if result.n_functions]
    spent = sum(result.seconds for result in compiled)
    usual = sum(result.step.usual_seconds for result in compiled)
    pace = spent / usual if usual else 1.0
    costs: dict[str, float] = {}
    # Of a kind that was compiled in part, which parts were not.
    begun, parts = {result.step.kind for result in results}, dict[str, list[str]]()
    for step in left:
        costs[step.what] = costs.get(step.what, 0.0) + pace * step.usual_seconds
        if step.kind is not None and step.kind in begun and not step.what.endswith("threads"):
            own = parts.setdefault(step.what, [])
            own += [step.part] * (step.part not in own)
    return WarmUp(
        compiled=tuple(result.step.name for result in compiled),
        present=tuple(result.step.name for result in done if not result.n_functions),
        failed=tuple(f"{result.step.name}: {result.error}" for result in results if result.error),
        left_out=tuple(
            LeftOut(f"{what} ({', '.join(parts[what])})" if what in parts else what, cost)
            for what, cost in costs.items()
        ),
        n_functions=sum(result.n_functions for result in results),
        seconds=seconds,
        compile_seconds=spent,
        n_processes=n_processes,
        folder=None if folder is None else str(folder),
    )
