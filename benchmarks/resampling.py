"""Bootstrap and permutation beside loops over other libraries: `python -m benchmarks.resampling`.

A bootstrap of 1,000 replicates of 5,000 x 15, and 1,000 permutations of the labels of 1,000 x 8, by
one call with one and two threads; the peers fit the first of the same replicates, one after the
other. Calls take turns; a figure is the median, in microseconds a replicate. Each answer is checked
against the oracle before it is timed. Libraries that are not installed are left out. `--write PAGE`
puts the table into a page, as the other scripts do.
"""

from __future__ import annotations

import argparse
import importlib.util
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numba
import numpy as np
from sklearn.linear_model import LogisticRegression

import fastlogit
from fastlogit import reference

from .markers import Place
from .tables import Line, about, in_order, table

PLACE = Place("resampling")
# What was asked for: times the fastest loop, times one thread.
FASTER, SPEEDUP = 30.0, 1.8
N_REPLICATES, N_PEERS, N_CHECKED = 1_000, 20, 5
# How far a cost may be above the optimum.
TOL = 1e-8
TURNS = 5
# OpenBLAS, whose threads keep a core busy for a while, is waited for.
BLAS_PAUSE = 0.25
C = 1.0


class Task(NamedTuple):
    """Replicates of one data set: what is called, and rows and labels of each for the others."""

    name: str
    X: Any
    y: Any
    call: Callable[[int], Any]
    rows_of: Callable[[int], tuple[Any, Any]]


def make_rows(n_samples: int, n_features: int) -> tuple[Any, Any]:
    rng = np.random.default_rng([n_samples, n_features])
    X = rng.standard_normal((n_samples, n_features))
    coef = 0.4 * rng.standard_normal(n_features)
    return X, (X @ coef + rng.logistic(size=n_samples) > 0.0).astype(np.int64)


def bootstrap_of(n_samples: int, n_features: int, n: int) -> Task:
    X, y = make_rows(n_samples, n_features)

    def call(n_threads: int) -> Any:
        return fastlogit.bootstrap(X, y, n, C=C, random_state=0, n_threads=n_threads)

    some = fastlogit.bootstrap(X, y, N_PEERS, C=C, random_state=0)

    def rows_of(replicate: int) -> tuple[Any, Any]:
        counts = some.replicate_weights(replicate).astype(np.int64)
        rows = np.repeat(np.arange(len(y)), counts)
        return X[rows], y[rows]

    return Task("bootstrap", X, y, call, rows_of)


def permutation_of(n_samples: int, n_features: int, n: int) -> Task:
    X, y = make_rows(n_samples, n_features)
    rng = np.random.default_rng(0)
    labels = [rng.permutation(y) for _ in range(N_PEERS)]

    def call(n_threads: int) -> Any:
        return fastlogit.permutation(X, y, n=n, C=C, random_state=0, n_threads=n_threads)

    return Task("permutation", X, y, call, lambda replicate: (X, labels[replicate]))


# ------------------------------------------------------------------------------------------------
# Loops


def sklearn_loop(solver: str, tol: float) -> Callable[[list[Any]], list[Any]]:
    model = LogisticRegression(solver=solver, C=C, tol=tol, max_iter=1_000)

    def loop(replicates: list[Any]) -> list[Any]:
        found = []
        for X, y in replicates:
            model.fit(X, y)
            found.append(np.append(model.coef_, model.intercept_))
        return found

    return loop


def liblinear_loop(replicates: list[Any]) -> list[Any]:
    from liblinear.liblinearutil import parameter, problem, train

    options, found = parameter(f"-s 0 -B 1 -R -q -e 1e-6 -c {C}"), []
    for X, y in replicates:
        coef, bias = train(problem(2.0 * y - 1.0, X, bias=1.0), options).get_decfun()
        found.append(np.append(coef, bias))
    return found


def statsmodels_loop(replicates: list[Any]) -> list[Any]:
    """Without a penalty: it has none that is as quick."""
    from statsmodels.api import Logit

    return [
        Logit(y, np.column_stack([X, np.ones(len(y))])).fit(disp=0).params for X, y in replicates
    ]


def peers() -> dict[str, Callable[[list[Any]], list[Any]]]:
    found: dict[str, Callable[[list[Any]], list[Any]]] = {
        "scikit-learn newton-cholesky": sklearn_loop("newton-cholesky", 1e-4),
        "scikit-learn lbfgs": sklearn_loop("lbfgs", 1e-6),
    }
    for name, loop in (("liblinear", liblinear_loop), ("statsmodels", statsmodels_loop)):
        if importlib.util.find_spec(name) is not None:
            found[name] = loop
    return found


def check(name: str, found: list[Any], replicates: list[Any]) -> None:
    """Raise unless each of the first fits is at the optimum."""
    for theta, (X, y) in zip(found[:N_CHECKED], replicates, strict=False):
        strength = 0.0 if name == "statsmodels" else 1.0 / (C * len(y))
        best = reference.newton(X, y, l2_reg=strength)[2]
        cost = reference.cost(X, y, theta[:-1], theta[-1], l2_reg=strength)
        if not cost <= best * (1.0 + TOL):
            raise AssertionError(f"{name}: {cost / best - 1.0:.2g} above the optimum")


def check_ours(task: Task, result: Any) -> None:
    """Raise unless all converged, and the first are at the optimum."""
    assert (np.asarray(result.status) == 0).all(), f"{task.name}: {result}"
    if task.name == "bootstrap":
        replicates = [task.rows_of(k) for k in range(N_CHECKED)]
        theta = np.column_stack([result.coef, result.intercept])
        check(task.name, list(theta), replicates)
        return
    # The statistic of permutations that are made here from their description.
    n = len(task.y)
    share = task.y.mean()
    without = n * (share * np.log(share) + (1.0 - share) * np.log1p(-share))
    for draw in range(N_CHECKED):
        stream = np.random.default_rng(np.random.SeedSequence(0, spawn_key=(draw,)))
        uniform, y = stream.random(n), task.y.copy()
        for row in range(n - 1, 0, -1):
            other = int(uniform[row] * (row + 1))
            y[row], y[other] = y[other], y[row]
        best = reference.newton(task.X, y, l2_reg=1.0 / (C * n))[2]
        statistic = 2.0 * (-n * best - without)
        if abs(statistic - result.replicates[0, draw]) > 2.0 * n * best * TOL:
            raise AssertionError(f"{task.name}: {statistic} is {result.replicates[0, draw]}")


# ------------------------------------------------------------------------------------------------
# Measures


def measure(task: Task, n: int, n_peers: int, turns: int) -> dict[str, float]:
    """Return the median microseconds a replicate, of one call and of loops."""
    replicates = [task.rows_of(k) for k in range(n_peers)]
    counts = sorted({1, min(2, numba.config.NUMBA_NUM_THREADS)})
    ours = {f"{task.name}, threads: {k}": (lambda k=k: task.call(k)) for k in counts}
    loops = {name: (lambda loop=loop: loop(replicates)) for name, loop in peers().items()}
    for call in ours.values():
        check_ours(task, call())
    for name, loop in loops.items():
        check(name, loop(), replicates)
    times: dict[str, list[float]] = {name: [] for name in [*ours, *loops]}
    for _ in range(turns):
        for calls, count in ((ours, n), (loops, n_peers)):
            for name, call in calls.items():
                began = time.perf_counter()
                call()
                times[name].append(1e6 * (time.perf_counter() - began) / count)
                if name in loops:
                    time.sleep(BLAS_PAUSE)
    return {name: float(np.median(each)) for name, each in times.items()}


def lines_of(task: Task, found: dict[str, float], n: int) -> list[Line]:
    n_threads = max(int(name[-1]) for name in found if name.startswith(task.name))
    best, one = found[f"{task.name}, threads: {n_threads}"], found[f"{task.name}, threads: 1"]
    loops = [name for name in found if not name.startswith(task.name)]
    fastest = min(loops, key=found.__getitem__)
    shape = f"{task.X.shape[0]:,} x {task.X.shape[1]} float64"
    setting = f"{n:,} replicates of {shape}, C={C:g}, {n_threads} threads"
    times = in_order(found, 1.0)
    rows = [(f"a loop over {fastest}", found[fastest] / best, FASTER)]
    if n_threads > 1:
        rows.append(("on 1 thread", one / best, SPEEDUP))
    return [
        Line("resampling", task.name, setting, against, value, limit, times)
        for against, value, limit in rows
    ]


def compare(tasks: list[Task], n: int, n_peers: int, turns: int) -> str:
    """Measure, and return what a page says of it."""
    said = about(
        "resampling",
        "Median times a replicate of calls that take turns in one run; the loops fit some of the "
        "replicates, one after the other. statsmodels fits without a penalty.",
    )
    lines = []
    for task in tasks:
        found = measure(task, n, n_peers, turns)
        best = min(found.values())
        print(f"{task.name}, {task.X.shape[0]:,} x {task.X.shape[1]}, C={C:g}")
        print("| | us a replicate | times as long |\n| --- | --- | --- |")
        for name, value in found.items():
            print(f"| {name} | {value:.1f} | {value / best:.1f} |")
        lines += lines_of(task, found, n)
    return table(said, lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replicates", type=int, default=N_REPLICATES)
    parser.add_argument("--turns", type=int, default=TURNS)
    parser.add_argument("--write", type=Path, help="page to write the table into")
    arguments = parser.parse_args()
    n = arguments.replicates
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tasks = [bootstrap_of(5_000, 15, n), permutation_of(1_000, 8, n)]
        said = compare(tasks, n, min(N_PEERS, n), arguments.turns)
    if arguments.write is not None:
        PLACE.write(arguments.write, said)
