"""Many small fits in one call beside loops over other libraries: `python -m benchmarks.groups`.

100,000 groups of 50 to 500 rows x 8, by `fit_groups` with one and two threads, rows together and
shuffled; the peers fit the first 300 of them, one after the other. Calls take turns; a figure is
the median, in microseconds a group (times threads: a group and core). Each answer is checked
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
from typing import Any

import numba
import numpy as np
from sklearn.linear_model import LogisticRegression

import fastlogit
from fastlogit import reference

from .markers import Place
from .tables import Line, about, in_order, table

PLACE = Place("groups")
# What was asked for: times the fastest loop, microseconds a group and core, times one thread.
FASTER, OF_CORE, SPEEDUP = 50.0, 15.0, 1.8
N_GROUPS, N_FEATURES, N_PEERS, N_CHECKED = 100_000, 8, 300, 100
SIZES = (50, 501)
TURNS = 5
C = 1.0
# How far a cost may be above the optimum.
TOL = 1e-8


def make_groups(n_groups: int) -> tuple[Any, Any, Any]:
    """Rows of all groups, one group after the other, each with a model of its own."""
    rng = np.random.default_rng([n_groups, N_FEATURES])
    codes = np.repeat(np.arange(n_groups), rng.integers(*SIZES, n_groups))
    X = rng.standard_normal((len(codes), N_FEATURES))
    coef = 0.3 * rng.standard_normal((n_groups, N_FEATURES))
    y = np.empty(len(codes), dtype=np.uint8)
    for start in range(0, len(codes), 1_000_000):
        some = slice(start, start + 1_000_000)
        z = np.einsum("ij,ij->i", X[some], coef[codes[some]])
        y[some] = z + rng.logistic(size=len(z)) > 0.0
    return X, y, codes


def sklearn_loop(X: Any, y: Any, bounds: Any) -> list[Any]:
    model = LogisticRegression(solver="newton-cholesky", C=C, tol=1e-6)
    found = []
    for begin, end in bounds:
        model.fit(X[begin:end], y[begin:end])
        found.append(np.append(model.coef_, model.intercept_))
    return found


def liblinear_loop(X: Any, y: Any, bounds: Any) -> list[Any]:
    from liblinear.liblinearutil import parameter, problem, train

    signs, options = 2.0 * y - 1.0, parameter(f"-s 0 -B 1 -R -q -e 1e-7 -c {C}")
    found = []
    for begin, end in bounds:
        rows = problem(signs[begin:end], X[begin:end], bias=1.0)
        coef, bias = train(rows, options).get_decfun()
        found.append(np.append(coef, bias))
    return found


def statsmodels_loop(X: Any, y: Any, bounds: Any) -> list[Any]:
    """Without a penalty: it has none that is as quick. Its standard errors come with it."""
    from statsmodels.api import Logit

    columns = np.column_stack([X, np.ones(len(y))])
    found = []
    for begin, end in bounds:
        result = Logit(y[begin:end], columns[begin:end]).fit(disp=0)
        found.append(result.params if np.isfinite(result.bse).all() else None)
    return found


def peers() -> dict[str, Any]:
    found = {"scikit-learn": sklearn_loop}
    for name, loop in (("liblinear", liblinear_loop), ("statsmodels", statsmodels_loop)):
        if importlib.util.find_spec(name) is not None:
            found[name] = loop
    return found


def check(name: str, found: Any, X: Any, y: Any, bounds: Any) -> None:
    """Raise unless each of the first fits is at the optimum."""
    for theta, (begin, end) in zip(found[:N_CHECKED], bounds, strict=False):
        rows, labels = X[begin:end], y[begin:end]
        strength = 0.0 if name == "statsmodels" else 1.0 / (C * (end - begin))
        best = reference.newton(rows, labels, l2_reg=strength)[2]
        cost = reference.cost(rows, labels, theta[:-1], theta[-1], l2_reg=strength)
        if not cost <= best * (1.0 + TOL):
            raise AssertionError(f"{name}: {cost / best - 1.0:.2g} above the optimum")


def our_calls(X: Any, y: Any, codes: Any, n_threads: int) -> dict[str, Callable[[], Any]]:
    def call(n: int, rows: Any, labels: Any, groups: Any) -> Callable[[], Any]:
        return lambda: fastlogit.fit_groups(rows, labels, groups, C=C, n_threads=n)

    order = np.random.default_rng(0).permutation(len(y))
    shuffled = X[order], y[order], codes[order]
    counts = sorted({1, n_threads})
    return {f"fit_groups, threads: {n}": call(n, X, y, codes) for n in counts} | {
        f"fit_groups, shuffled, threads: {n_threads}": call(n_threads, *shuffled)
    }


def compare(n_groups: int, n_peers: int, turns: int) -> str:
    """Measure, and return what a page says of it."""
    X, y, codes = make_groups(n_groups)
    n_threads = min(2, numba.config.NUMBA_NUM_THREADS)
    starts = np.searchsorted(codes, np.arange(n_peers + 1))
    bounds = list(zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True))
    print(f"{n_groups:,} groups, {len(y):,} rows x {N_FEATURES}, C={C:g}")
    ours = our_calls(X, y, codes, n_threads)
    loops = {name: (lambda loop=loop: loop(X, y, bounds)) for name, loop in peers().items()}
    for name, call in ours.items():
        result = call()
        assert result.converged.all(), f"{name}: {result}"
        check(name, np.column_stack([result.coef, result.intercept]), X, y, bounds)
    for name, loop in loops.items():
        check(name, loop(), X, y, bounds)
    times: dict[str, list[float]] = {name: [] for name in [*ours, *loops]}
    for _ in range(turns):
        for calls, count in ((ours, n_groups), (loops, n_peers)):
            for name, call in calls.items():
                began = time.perf_counter()
                call()
                times[name].append(1e6 * (time.perf_counter() - began) / count)
    found = {name: float(np.median(each)) for name, each in times.items()}
    best = found[f"fit_groups, threads: {n_threads}"]
    print("| | us a group | us a group and core | times as long |\n| --- | --- | --- | --- |")
    for name, value in found.items():
        n = int(name[-1]) if name in ours else 1
        print(f"| {name} | {value:.1f} | {n * value:.1f} | {value / best:.1f} |")
    return section(found, list(loops), n_groups, n_threads)


def section(found: dict[str, float], loops: list[str], n_groups: int, n_threads: int) -> str:
    """Return what a page says of the medians, in microseconds a group."""
    said = about(
        "groups",
        "Medians of calls that take turns in one run; the loops fit some of the groups, one after "
        "the other. statsmodels fits without a penalty.",
    )
    sizes = f"{SIZES[0]} to {SIZES[1] - 1} rows x {N_FEATURES} float64, C={C:g}"
    setting = f"{n_groups:,} groups of {sizes}, {n_threads} threads"
    best, one = found[f"fit_groups, threads: {n_threads}"], found["fit_groups, threads: 1"]
    fastest = min(loops, key=found.__getitem__)
    rows = [
        (f"a loop over {fastest}", found[fastest] / best, FASTER, "times faster"),
        ("none, a group and core", n_threads * best, -OF_CORE, "us"),
        ("on 1 thread", one / best, SPEEDUP, "times faster"),
    ]
    times = in_order(found, 1.0)
    return table(
        said,
        [
            Line("groups", "fit_groups", setting, against, value, limit, times, unit)
            for against, value, limit, unit in rows
        ],
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--groups", type=int, default=N_GROUPS)
    parser.add_argument("--turns", type=int, default=TURNS)
    parser.add_argument("--write", type=Path, help="page to write the table into")
    arguments = parser.parse_args()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        said = compare(arguments.groups, min(N_PEERS, arguments.groups), arguments.turns)
    if arguments.write is not None:
        PLACE.write(arguments.write, said)
