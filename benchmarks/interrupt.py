"""How long a fit takes to answer Ctrl-C: from the signal to the KeyboardInterrupt in the caller.

`python -m benchmarks.interrupt` prints the table, with the promised 0.2 s as the limit of the
medians; also the asv suite for it. A fresh process fits again and again while this one sends it
SIGINT at random moments; both read the same clock.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median

import fastlogit
from fastlogit.fitting.fit import SOLVERS

from .fresh import environment
from .problems import FULL, make_problem

SHAPES = [(1_000_000, 50), (200_000, 300)] if FULL else [(50_000, 20)]
TIMES = 11 if FULL else 3
LIMIT = 0.2
C = 1.0
# Moments of the signal, in seconds after the process said that it fits: fits take 1 ms to 1 s.
EARLIEST, LATEST = 0.02, 0.5


class Interrupt:
    """Median seconds from SIGINT to KeyboardInterrupt."""

    params = (list(SOLVERS), SHAPES)
    param_names = ("solver", "shape")
    unit = "s"

    def track_seconds(self, solver: str, shape: tuple[int, int]) -> float:
        return median(delays(solver, shape, TIMES))


def delays(solver: str, shape: tuple[int, int], times: int, seed: int = 0) -> list[float]:
    """Interrupt fits so many times; return the seconds that each took to answer."""
    moments = random.Random(seed)
    found = []
    with fitting_process(solver, shape) as process:
        for _ in range(times):
            expect(process, "fitting")
            time.sleep(moments.uniform(EARLIEST, LATEST))
            sent = time.monotonic()
            process.send_signal(signal.SIGINT)
            found.append(float(expect(process, "interrupted")) - sent)
    return found


@contextmanager
def fitting_process(solver: str, shape: tuple[int, int]) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-P", "-W", "ignore", "-m", "benchmarks.interrupt"]
    process = subprocess.Popen(
        [*command, "--fit", solver, *map(str, shape)],
        env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def expect(process: subprocess.Popen[str], word: str) -> str:
    """Read the line that starts with a word; return the rest of it."""
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line.startswith(word):
        raise RuntimeError(f"the fitting process said {line!r} instead of {word!r}")
    return line.removeprefix(word).strip()


def fit_until_killed(solver: str, shape: tuple[int, int]) -> None:
    """Fit without end; say when an interrupt has arrived here, and that a result came with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    problem = make_problem(shape)
    warnings.simplefilter("ignore")
    fastlogit.fit(problem.X, problem.y, C=C, solver=solver)  # compile
    while os.getppid() > 1:
        try:
            # Shells start background processes with SIGINT ignored.
            signal.signal(signal.SIGINT, signal.default_int_handler)
            print("fitting", flush=True)
            while True:
                fastlogit.fit(problem.X, problem.y, C=C, solver=solver)
        except KeyboardInterrupt:
            print("interrupted", time.monotonic(), flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--times", type=int, default=TIMES, help="signals for each solver and shape"
    )
    parser.add_argument(
        "--fit", nargs=3, metavar=("SOLVER", "ROWS", "COLUMNS"), help=argparse.SUPPRESS
    )
    arguments = parser.parse_args()
    if arguments.fit:
        solver, rows, columns = arguments.fit
        fit_until_killed(solver, (int(rows), int(columns)))
        return 0
    late = 0
    for shape in SHAPES:
        for solver in SOLVERS:
            found = delays(solver, shape, arguments.times)
            met = median(found) <= LIMIT
            late += not met
            print(
                f"{shape[0]:,} x {shape[1]}, {solver}: median {median(found) * 1e3:.0f} ms, "
                f"largest {max(found) * 1e3:.0f} ms, at most {LIMIT:g} s: {'yes' if met else 'NO'}",
                flush=True,
            )
    return 1 if late else 0


if __name__ == "__main__":
    sys.exit(main())
