"""Memory that a fit takes on top of X, measured in a fresh process; also the asv suite for it.

`python -m benchmarks.memory ROWS COLUMNS DTYPE` prints the peak above the state before the fit.
"""

from __future__ import annotations

import resource
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from .answers import check_cost_reached
from .fresh import run
from .problems import FULL, make_problem, short_fit_call

STATUS = Path("/proc/self/status")
RESET_PEAK = Path("/proc/self/clear_refs")
SHAPE = (2_500_000, 100) if FULL else (50_000, 100)
N_ITER = 5


def extra_bytes(shape: tuple[int, int], dtype: str = "float64") -> int:
    """Peak memory during a fit above that before it, in a process of its own."""
    _, printed = run("-m", "benchmarks.memory", str(shape[0]), str(shape[1]), dtype)
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


def main(n_samples: int, n_features: int, dtype: str) -> None:
    drawn = make_problem((n_samples, n_features), dtype)
    # Labels as they usually come: the fit then needs class codes of its own.
    problem = replace(drawn, y=drawn.y.astype(np.int64))
    # Compiled code and thread stacks are not part of the fit's memory: load them beforehand, by
    # a fit that is large enough to run in parallel.
    rows = slice(0, min(n_samples, 20_000))
    small = replace(problem, X=problem.X[rows], y=problem.y[rows])
    check_cost_reached(small, short_fit_call(small, N_ITER)())
    print(peak_above(short_fit_call(problem, N_ITER)))


class ExtraMemory:
    """Validation, standardisation and 5 steps."""

    params = (["float64", "float32"],)
    param_names = ("dtype",)
    unit = "% of X"

    def track_share(self, dtype: str) -> float:
        return 100.0 * extra_bytes(SHAPE, dtype) / (SHAPE[0] * SHAPE[1] * np.dtype(dtype).itemsize)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
