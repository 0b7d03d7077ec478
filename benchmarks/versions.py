"""Whole fits of two states of the package, in turns: is the present one as fast as an earlier one?

    git worktree add ../before COMMIT
    python -m benchmarks.versions ../before

Each state runs in a process of its own over the same data, which fits once to compile and then
whenever it is told to. The ratio is that of the medians: above 1 the present state is faster.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from .workloads import Source, digits, normal, tumour_data

HERE = Path(__file__).parents[1]
TURNS = 11
TOLERANCE = 1e-8
SHAPES = {
    "wide_scales": ((1_000_000, 50), True),
    "standardised": ((1_000_000, 50), False),
    "features_300": ((200_000, 300), True),
    "features_20": ((3_000_000, 20), False),
    "few_rows": ((4_000, 5_000), False),
    "small": ((2_000, 20), False),
    "thin": ((20_000, 15), False),
}
ROWS = (*SHAPES, "tumours", "digits")
# What a process of either state runs: fit when a line comes, say how long it took and the cost.
SERVE = """
import sys, time
import numpy as np
import fastlogit
folder, C, tol = sys.argv[1], float(sys.argv[2]), float(sys.argv[3])
X, y = np.load(folder + "/X.npy"), np.load(folder + "/y.npy")
options = {"C": C, "tol": tol, "multi_class": "multinomial"}
fastlogit.fit(X, y, **options)
print("ready", fastlogit.__path__[0], flush=True)
for _ in sys.stdin:
    began = time.perf_counter()
    result = fastlogit.fit(X, y, **options)
    print(time.perf_counter() - began, result.history[-1], result.n_passes, flush=True)
"""


def workload(row: str, folder: Path, quick: bool) -> Any:
    source = Source(1000 if quick else 1)
    if row == "tumours":
        return tumour_data(source)
    if row == "digits":
        return digits(source, folder)
    shape, correlated = SHAPES[row]
    return normal(source, shape, correlated)


class Server:
    """A process that fits when it is asked to."""

    def __init__(self, checkout: Path, folder: Path, C: float) -> None:
        environment = os.environ | {"PYTHONPATH": str(checkout.resolve())}
        command = [sys.executable, "-W", "ignore", "-c", SERVE, str(folder), str(C), str(TOLERANCE)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment,
            cwd=folder,  # else `-c` looks for the package where this was started, before any path
        )  # fmt: skip
        ready, *place = self._answer()
        assert ready == "ready"
        if not Path(" ".join(place)).is_relative_to(checkout.resolve()):
            self.end()
            raise RuntimeError(f"{checkout} was to be measured, but the package is of {place}")

    def _answer(self) -> list[str]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the process that fits has ended: see what it printed above")
        return line.split()

    def fit(self) -> tuple[float, float, float]:
        """Return seconds, cost and passes of one fit."""
        assert self._process.stdin is not None
        print(file=self._process.stdin, flush=True)
        seconds, cost, passes = map(float, self._answer())
        return seconds, cost, passes

    def end(self) -> None:
        self._process.communicate()


def compare(row: str, before: Path, turns: int, quick: bool) -> str:
    """Return a line of the table; raises where the two states end at other costs."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        given = workload(row, folder, quick)
        np.save(folder / "X.npy", given.X)
        np.save(folder / "y.npy", given.y)
        shape = " x ".join(f"{size:,}" for size in given.X.shape)
        C = given.C
        del given
        servers = [Server(before, folder, C), Server(HERE, folder, C)]
        found: list[list[tuple[float, float, float]]] = [[], []]
        for turn in range(turns):
            for which in (0, 1) if turn % 2 else (1, 0):
                found[which].append(servers[which].fit())
                time.sleep(0.05)
        for server in servers:
            server.end()
    old, new = (statistics.median(seconds for seconds, _, _ in each) for each in found)
    costs = [each[-1][1] for each in found]
    assert abs(costs[1] - costs[0]) <= 2.0 * TOLERANCE * costs[0], costs
    passes = [each[-1][2] for each in found]
    return (
        f"| {row} | {shape} | {1e3 * old:.3g} ms | {1e3 * new:.3g} ms | {old / new:.2f} | "
        f"{passes[0]:g}, {passes[1]:g} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("before", type=Path, help="a checkout of the earlier state")
    parser.add_argument("--rows", nargs="*", default=ROWS, choices=ROWS)
    parser.add_argument("--turns", type=int, default=TURNS)
    parser.add_argument("--quick", action="store_true", help="small data, to try it out")
    options = parser.parse_args()
    print("| row | shape, float64 | before | now | ratio | passes |\n| - | - | - | - | - | - |")
    for row in options.rows:
        print(compare(row, options.before, options.turns, options.quick), flush=True)


if __name__ == "__main__":
    main()
