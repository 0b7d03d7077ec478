"""Sparse text beside scikit-learn's solvers: `python -m benchmarks.sparse`.

Made text of 200,000 rows and 100,000 columns, 45 values a row, C = 1: a fit proven to 1e-8, the
solvers of scikit-learn that take sparse rows at the loosest tolerance that comes to 1e-8 of the
optimum (or what they reach), and a pass for cost, gradient and row curvatures beside a parallel
read of values and indices. Medians of calls that take turns. `--shrink` makes it smaller.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression as Peer

import fastlogit
from fastlogit import threads
from fastlogit.design.base import plain_targets, readonly
from fastlogit.design.sparse import SparseDesign
from fastlogit.inputs.sparse import compressed_rows
from fastlogit.kernels.descent import Penalty, start_state
from fastlogit.kernels.passes import BINOMIAL, read_sum

from .workloads import Source, zipf_text

TOL = 1e-8
TOLERANCES = (1e-4, 1e-6, 1e-8)


def passes(X: Any, y: Any) -> dict[str, Callable[[], object]]:
    """A pass over the rows, and a read of what it reads."""
    n_samples, n_features = X.shape
    design = SparseDesign(compressed_rows(X))
    targets = plain_targets(BINOMIAL, np.empty(0), np.array([float(n_samples)]))
    targets = targets._replace(codes=readonly(y[None].astype(np.uint8)))
    state, curvature = start_state(np.zeros((1, n_features)), np.zeros(1)), np.empty((1, n_samples))
    penalty, sums = Penalty(np.zeros((1, n_features)), True), np.zeros(64)
    pairs = X.indices[: len(X.indices) // 2 * 2].view(np.float64)
    flat = readonly(np.concatenate([X.data, pairs]))

    def read() -> None:
        with threads.team(None, float(len(flat))) as parallel:
            read_sum.choose(parallel)(flat, sums)

    return {
        "a read of values and indices": read,
        "a pass": lambda: design.evaluate(targets, penalty, state, curvature),
    }


def fits(X: Any, y: Any, optimum: float, solvers: list[str]) -> dict[str, Callable[[], object]]:
    """Fits by each solver, at the loosest tolerance that comes to TOL."""

    def lacks(coef: Any, intercept: float) -> float:
        return fastlogit.cost(X, y, coef, intercept, l2_reg=1.0 / len(y)) / optimum - 1.0

    found: dict[str, Callable[[], object]] = {
        "fastlogit": lambda: fastlogit.fit(X, y, C=1.0, tol=TOL)
    }
    for solver in solvers:
        for tol in TOLERANCES:
            model = Peer(C=1.0, solver=solver, tol=tol, max_iter=1000).fit(X, y)
            reached = lacks(model.coef_[0], float(model.intercept_[0]))
            if reached <= 2.0 * TOL:
                break
        found[f"scikit-learn {solver} (to {reached:.0e})"] = lambda m=model: m.fit(X, y)
    return found


def medians(runs: dict[str, Callable[[], object]], turns: int) -> dict[str, float]:
    """Seconds of each, in turns."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(turns + 1):
        for name, run in runs.items():
            began = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - began)
    return {name: float(np.median(each[1:])) for name, each in times.items()}


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shrink", type=int, default=1)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--solvers", nargs="*", default=["newton-cg", "lbfgs"], help="of peers")
    asked = parser.parse_args(arguments)
    workload = zipf_text(Source(asked.shrink))
    X, y = workload.X, workload.y
    X.indices, X.indptr = X.indices.astype(np.int32), X.indptr.astype(np.int32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        best = fastlogit.fit(X, y, C=1.0, tol=1e-12)
        optimum = fastlogit.cost(X, y, best.coef, best.intercept, l2_reg=1.0 / len(y))
        result = fastlogit.fit(X, y, C=1.0, tol=TOL)
        assert result.converged
        assert result.suboptimality <= TOL
        print(f"{workload.setting}: {result.n_passes:g} passes, {result.message}")
        for runs, turns in (
            (passes(X, y), 5 * asked.turns),
            (fits(X, y, optimum, asked.solvers), asked.turns),
        ):
            found = medians(runs, turns)
            first = next(iter(found.values()))
            for name, seconds in found.items():
                print(f"  {name:36} {1e3 * seconds:9.1f} ms   {seconds / first:6.2f}x")


if __name__ == "__main__":
    main()
