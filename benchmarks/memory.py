"""Memory that a fit takes on top of X, measured in a fresh process; also the asv suite for it.

`python -m benchmarks.memory ROWS COLUMNS DTYPE CASE` prints the peak above the state before the
fit. CASE is "memory", "disk", where X is a memory map that is streamed as if it did not fit in
memory, or "disk-passes", the same without validation and proof.
"""

from __future__ import annotations

import resource
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

import fastlogit
from fastlogit.design.streamed import StreamedDesign
from fastlogit.kernels.descent import start_state
from fastlogit.objective.binomial import Binomial
from fastlogit.objective.labelled_rows import LabelledRows
from fastlogit.objective.objective import Objective

from .answers import check_cost_reached
from .fresh import run
from .problems import BLOCK_BYTES, FULL, Problem, make_problem, short_fit_call, stopping_early

STATUS = Path("/proc/self/status")
RESET_PEAK = Path("/proc/self/clear_refs")
SHAPE = (2_500_000, 100) if FULL else (50_000, 100)
N_ITER = 5
WARM_UP_ROWS = 40_000


def extra_bytes(shape: tuple[int, int], dtype: str = "float64", case: str = "memory") -> int:
    """Peak memory during a fit above that before it, in a process of its own."""
    _, printed = run("-m", "benchmarks.memory", str(shape[0]), str(shape[1]), dtype, case)
    return int(printed)


def peak_above(call: Any) -> int:
    """Run `call`; return how far the resident set rose above its size before, in bytes."""
    if RESET_PEAK.exists():
        RESET_PEAK.write_text("5")
        before = _status_bytes("VmRSS")
        call()
        return _status_bytes("VmHWM") - before
    # Elsewhere the peak cannot be reset: right as long as X was the largest thing so far.
    unit = 1 if sys.platform == "darwin" else 1024
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    call()
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * unit


def _status_bytes(name: str) -> int:
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith(name + ":"))
    return int(line.split()[1]) * 1024


def on_disk(shape: tuple[int, int], dtype: str, folder: Path) -> Problem:
    """Draw a problem whose X lies in a file, through which this process has not looked."""
    n_samples, n_features = shape
    y = np.empty(n_samples, np.uint8)
    step = max(1, BLOCK_BYTES // (8 * n_features))
    with (folder / "X.bin").open("wb") as file:
        for start in range(0, n_samples, step):
            count = min(step, n_samples - start)
            block = make_problem((count, n_features), dtype, seed=start)
            file.write(block.X)
            y[start : start + count] = block.y
    X = np.memmap(folder / "X.bin", dtype=dtype, mode="r", shape=shape)
    return Problem(X, y, np.zeros(n_features), 0.0)


class OnDisk:
    """A memory map that is no map to see: one that fits in memory would be read in place."""

    def __init__(self, X: np.memmap[Any, Any]) -> None:
        self.shape, self.dtype, self._X = X.shape, X.dtype, X

    def __getitem__(self, rows: slice) -> Any:
        return self._X[rows]


class ReadWhenAsked:
    """The array of a file of NumPy's, whose rows are read when they are asked for, and not kept."""

    def __init__(self, path: Path) -> None:
        X: Any = np.load(path, mmap_mode="r")
        assert X.flags.c_contiguous
        self.shape, self.dtype, self._path, self._begin = X.shape, X.dtype, path, X.offset

    def __getitem__(self, rows: slice) -> Any:
        begin, end, _ = rows.indices(self.shape[0])
        width, count = self.shape[1] * self.dtype.itemsize, (end - begin) * self.shape[1]
        offset = self._begin + begin * width
        read = np.fromfile(self._path, dtype=self.dtype, count=count, offset=offset)
        return read.reshape(end - begin, self.shape[1])


def short_descent_call(problem: Problem) -> Callable[[], Any]:
    """Return a short fit by gradient descent, the solver that keeps least."""
    X: Any = OnDisk(problem.X) if isinstance(problem.X, np.memmap) else problem.X

    def call() -> Any:
        with stopping_early():
            return fastlogit.gradient_descent(X, problem.y, max_iter=N_ITER)

    return call


def passes_call(problem: Problem) -> Callable[[], Any]:
    """Return the same fit without validation and proof: what the passes themselves take."""

    def call() -> Any:
        codes = problem.y.astype(np.uint8)
        rows = LabelledRows(StreamedDesign(problem.X), Binomial(), codes, [1], np.empty(0))
        objective = Objective(rows, 0.0)
        objective.standardize()
        step_size = 1.0 / objective.curvature_bound()
        state = start_state(np.zeros((1, problem.X.shape[1])), np.zeros(1))
        objective.evaluate(state)
        history = np.empty((N_ITER, 1))
        objective.descend(state, step_size, False, 0.0, history)
        coef, intercept = objective.to_user(state.point, state.point_intercept)
        costs = [*history[:, 0], state.cost[0]]
        return SimpleNamespace(coef=coef[0], intercept=float(intercept[0]), history=costs)

    return call


CALLS: dict[str, Callable[[Problem], Callable[[], Any]]] = {
    "memory": lambda problem: short_fit_call(problem, N_ITER),
    "disk": short_descent_call,
    "disk-passes": passes_call,
}


def main(n_samples: int, n_features: int, dtype: str, case: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        shape = n_samples, n_features
        in_memory = case == "memory"
        drawn = make_problem(shape, dtype) if in_memory else on_disk(shape, dtype, Path(folder))
        # Labels as they usually come: the fit then needs class codes of its own.
        problem = replace(drawn, y=drawn.y.astype(np.int64))
        # Compiled code and thread stacks are not part of the fit's memory: load them beforehand,
        # by a fit that is large enough to run in parallel (the blocks of one streamed are not).
        rows = slice(0, min(n_samples, WARM_UP_ROWS))
        small = replace(problem, X=problem.X[rows], y=problem.y[rows])
        if not in_memory:
            short_descent_call(replace(small, X=np.asarray(small.X)))()
        # Last, since it lets go of the pages that the other one has left.
        check_cost_reached(small, CALLS[case](small)())
        print(peak_above(CALLS[case](problem)))


class ExtraMemory:
    """Validation, standardisation and 5 steps; of X on disk by gradient descent."""

    params = (["float64", "float32"], ["memory", "disk"])
    param_names = ("dtype", "case")
    unit = "% of X"

    def track_share(self, dtype: str, case: str) -> float:
        size = SHAPE[0] * SHAPE[1] * np.dtype(dtype).itemsize
        return 100.0 * extra_bytes(SHAPE, dtype, case) / size


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4])
