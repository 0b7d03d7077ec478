"""Softmax fits of small data, beside scikit-learn: `python -m benchmarks.small_softmax`.

`fit`, `LogisticRegression().fit`, `fit` by the general way and each of scikit-learn's solvers take
turns, scikit-learn's at the loosest tolerance whose cost is within 1e-8 of the optimum, by the
oracle's formula and with one thread of BLAS, which is their best; a figure is the median of the
turns' means. `--even` finds by shape how many times longer the general way takes. `--quick` tries
it out. `--write PAGE` puts the table into a page, as the other scripts do.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from sklearn import datasets
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

import fastlogit
from fastlogit import reference
from fastlogit.fitting import small as fitting

from .markers import Place
from .tables import Line, about, in_order, table

PLACE = Place("small-softmax")
# How many times the best peer was asked for.
FASTER = {"iris": 5.0}
FASTER_DIGITS = 3.0
SOLVERS = ("newton-cg", "lbfgs", "newton-cholesky")
TOLERANCES = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8)
ACCURACY, NEAREST = 1e-8, 1e-13
# A turn takes so many seconds at the least.
TURN, ROUNDS = 0.02, 15
# Longer fits of a peer than this are not timed.
LIMIT = 2.0
# Rows, columns, classes.
EVEN = [
    (100, 3, 3), (1000, 10, 3), (5000, 30, 3), (1000, 60, 3), (500, 10, 10), (500, 20, 10),
    (2000, 30, 10), (1800, 60, 10), (10_000, 20, 5), (5000, 60, 5), (2000, 100, 10),
]  # fmt: skip


def workloads() -> dict[str, tuple[Any, Any, float]]:
    """X, y and C of each row."""
    iris, wine = datasets.load_iris(return_X_y=True), datasets.load_wine(return_X_y=True)
    digits, codes = datasets.load_digits(return_X_y=True)
    scaled = StandardScaler().fit_transform(digits)
    return {
        "iris": (*iris, 1.0),
        "wine": (*wine, 1.0),
        "digits": (digits, codes, 1.0),
        "digits, standardised": (scaled, codes, 1.0),
        "digits, standardised, C=0.01": (scaled, codes, 0.01),
    }


def general_fit(X: Any, y: Any, **options: Any) -> Any:
    """`fit` as it goes with larger data."""
    most, fitting.MOST_NUMBERS = fitting.MOST_NUMBERS, 0
    try:
        return fastlogit.fit(X, y, multi_class="multinomial", **options)
    finally:
        fitting.MOST_NUMBERS = most


def cost_of(X: Any, y: Any, C: float, coef: Any, intercept: Any) -> float:
    return reference.multinomial_cost(X, y, coef, intercept, 1.0 / (C * len(y)))


def peer(solver: str, X: Any, y: Any, C: float, best: float) -> Callable[[], Any] | None:
    """A peer's fit at the loosest tolerance that is near enough; None if there is none in time."""
    for tol in TOLERANCES:
        model = LogisticRegression(solver=solver, C=C, tol=tol, max_iter=20_000)
        began = time.perf_counter()
        model.fit(X, y)
        if cost_of(X, y, C, model.coef_.T, model.intercept_) <= best * (1.0 + ACCURACY):
            return lambda: model.fit(X, y)
        if time.perf_counter() - began > LIMIT:
            break
    return None


def calls_of(X: Any, y: Any, C: float) -> dict[str, Callable[[], Any]]:
    """All that is compared, each checked."""
    nearest = general_fit(X, y, C=C, tol=NEAREST)
    best = cost_of(X, y, C, nearest.coef, nearest.intercept)
    estimator = fastlogit.LogisticRegression(C=C, tol=ACCURACY**0.5)
    calls: dict[str, Callable[[], Any]] = {
        "fit": lambda: fastlogit.fit(X, y, C=C, multi_class="multinomial", tol=ACCURACY),
        "LogisticRegression": lambda: estimator.fit(X, y).result_,
        "general way": lambda: general_fit(X, y, C=C, tol=ACCURACY),
    }
    for name, call in calls.items():
        found = call()
        excess = cost_of(X, y, C, found.coef, found.intercept) / best - 1.0
        assert excess <= ACCURACY, f"{name}: {excess:.2g} above the optimum"
    for solver in SOLVERS:
        theirs = peer(solver, X, y, C, best)
        if theirs is not None:
            calls[f"scikit-learn {solver}"] = theirs
    return calls


def medians(calls: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Return seconds a call: medians over turns."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            n_calls, start = 0, time.perf_counter()
            while n_calls == 0 or time.perf_counter() - start < TURN:
                call()
                n_calls += 1
            times[name].append((time.perf_counter() - start) / n_calls)
    return {name: float(np.median(each)) for name, each in times.items()}


def compare(rounds: int) -> str:
    """Measure, and return what a page says of it."""
    lines = []
    for row, (X, y, C) in workloads().items():
        found = medians(calls_of(X, y, C), rounds)
        theirs = {name: value for name, value in found.items() if name.startswith("scikit-learn")}
        each = ", ".join(f"{name} {1e3 * value:.3g} ms" for name, value in found.items())
        best = min(theirs, key=theirs.__getitem__, default=None)
        ratio = f"; {theirs[best] / found['fit']:.1f}x {best}" if best is not None else ""
        setting = f"{row}, {X.shape[0]:,} x {X.shape[1]}, C={C:g}"
        print(f"{setting}: {each}{ratio}", flush=True)
        if best is not None:
            value, limit = theirs[best] / found["fit"], FASTER.get(row, FASTER_DIGITS)
            against, times = f"best peer to 1e-08: {best}", in_order(found, 1e3, "ms")
            lines.append(Line("small softmax", "fit", setting, against, value, limit, times))
    said = about(
        "small_softmax",
        "float64; loops of 20 ms that take turns; scikit-learn at its loosest tolerance that comes "
        "to 1e-8 of the optimum, with one thread of BLAS. `general way` is ours for larger data.",
    )
    return table(said, lines)


def even(rounds: int) -> None:
    for n_samples, n_features, n_classes in EVEN:
        rng = np.random.default_rng([n_samples, n_features, n_classes])
        X = rng.standard_normal((n_samples, n_features))
        z = 2.0 * X @ rng.standard_normal((n_features, n_classes)) / np.sqrt(n_features)
        y = (z + rng.gumbel(size=z.shape)).argmax(axis=1)
        calls = {
            "fit": lambda X=X, y=y: fastlogit.fit(X, y, l2_reg=1e-3, multi_class="multinomial"),
            "general way": lambda X=X, y=y: general_fit(X, y, l2_reg=1e-3),
        }
        how = calls["fit"]().message
        found = medians(calls, rounds)
        ratio = found["general way"] / found["fit"]
        method = how.split(" by ")[1].split(":")[0]
        print(f"{n_samples:,} x {n_features}, K={n_classes}: {ratio:.2f}, {method}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--even", action="store_true", help="where the general way is as fast")
    parser.add_argument("--write", type=Path, help="page to write the table into")
    parser.add_argument("--quick", action="store_true", help="one round")
    arguments = parser.parse_args()
    with warnings.catch_warnings(), threadpool_limits(1, "blas"):
        warnings.simplefilter("ignore")
        rounds = 1 if arguments.quick else ROUNDS
        if arguments.even:
            even(rounds)
        else:
            page = compare(rounds)
            if arguments.write is not None:
                PLACE.write(arguments.write, page)
