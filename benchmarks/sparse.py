"""Sparse text beside scikit-learn's solvers: `python -m benchmarks.sparse`.

Made text of 200,000 rows and 100,000 columns, 45 values a row, C = 1: a fit proven to 1e-8, the
solvers of scikit-learn that take sparse rows at the loosest tolerance that comes to 1e-8 of the
optimum (or what they reach), and a pass for cost, gradient and row curvatures beside a parallel
read of values and indices. Text of 20 classes, softmax and one against all others, is a tenth as
large each way (`--fewer`), where some solvers need a minute. Medians of calls that take turns; a
fit of more than `LONG` seconds is timed once. `--shrink` makes all of it smaller, `--only` leaves
parts out, `--write PAGE` puts the table into a page.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy.special import logsumexp
from sklearn.linear_model import LogisticRegression as Peer
from sklearn.multiclass import OneVsRestClassifier

import fastlogit
from fastlogit import threads
from fastlogit.design.base import plain_targets, readonly
from fastlogit.design.sparse import SparseDesign
from fastlogit.inputs.sparse import compressed_rows
from fastlogit.kernels.descent import Penalty, start_state
from fastlogit.kernels.passes import BINOMIAL, read_sum

from .markers import Place
from .tables import Line, about, in_order, table
from .workloads import Source, zipf_text

PLACE = Place("sparse")
TOL = 1e-8
# What a solver comes to counts as 1e-8.
NEAR = 2.0 * TOL
TOLERANCES = (1e-4, 1e-5, 1e-6, 1e-7, 1e-8)
N_CLASSES = 20
# Seconds of a fit that is not timed again, and after which a solver gets no finer tolerance.
LONG, TOO_LONG = 10.0, 100.0
# How many times a read a pass may take; how many times the best peer fits were asked for.
MOST_READS, FASTER, FASTER_CLASSES = 2.0, 4.0, 5.0

Run = Callable[[], object]


class Case(NamedTuple):
    """What is fitted with C = 1: two classes, or several as `mode` says."""

    X: Any
    y: Any
    mode: str

    @property
    def setting(self) -> str:
        n_samples, n_features = self.X.shape
        return f"text of {n_samples:,} x {n_features:,}, {self.mode}, C=1"

    def cost(self, coef: Any, intercept: Any) -> float:
        """Objective, of all models together, from coefficients (n_outputs, n_features)."""
        raw, rows = self.X @ coef.T + intercept, np.arange(len(self.y))
        if self.mode == "softmax":
            loss = float((logsumexp(raw, axis=1) - raw[rows, self.y]).mean())
        else:
            codes = self.y[:, None] == (1 if raw.shape[1] == 1 else np.arange(raw.shape[1]))
            loss = float(np.logaddexp(0.0, np.where(codes, -raw, raw)).mean(axis=0).sum())
        return loss + 0.5 * float(np.square(coef).sum()) / len(self.y)

    def fit(self, tol: float) -> Any:
        modes = {"softmax": "multinomial", "one against all others": "ovr"}
        kind = {"multi_class": modes[self.mode]} if self.mode in modes else {}
        return fastlogit.fit(self.X, self.y, C=1.0, tol=tol, **kind)

    def own_cost(self, tol: float) -> float:
        """Objective at what `fit` finds."""
        result = self.fit(tol)
        assert result.converged
        assert np.max(result.suboptimality) <= tol
        return self.cost(np.atleast_2d(np.asarray(result.coef).T), np.ravel(result.intercept))

    def peer(self, solver: str, tol: float) -> Any:
        """A fitted model of scikit-learn."""
        # LIBLINEAR has a penalty for the intercept.
        options = {"intercept_scaling": 1e3} if solver == "liblinear" else {}
        model = Peer(C=1.0, solver=solver, tol=tol, max_iter=2000, **options)
        if self.mode == "one against all others":
            model = OneVsRestClassifier(model)
        return model.fit(self.X, self.y)

    def cost_of(self, model: Any) -> float:
        parts = getattr(model, "estimators_", [model])
        return self.cost(
            np.vstack([part.coef_ for part in parts]),
            np.concatenate([part.intercept_ for part in parts]),
        )


def text(shrink: int, n_classes: int = 2) -> tuple[Any, Any]:
    """Rows in CSR of 32-bit indices, and their classes."""
    workload = zipf_text(Source(shrink), n_classes=n_classes)
    X = workload.X
    X.indices, X.indptr = X.indices.astype(np.int32), X.indptr.astype(np.int32)
    return X, workload.y


def passes(X: Any, y: Any) -> dict[str, Run]:
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
        "a read": read,
        "a pass": lambda: design.evaluate(targets, penalty, state, curvature),
    }


def timed(run: Run) -> float:
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def medians(runs: dict[str, Run], turns: int, known: dict[str, float] | None = None) -> Any:
    """Seconds of each, in turns; those that are known are not run again."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(turns + 1):
        for name, run in runs.items():
            seconds = timed(run)
            if turn:
                times[name].append(seconds)
    return {name: float(np.median(each)) for name, each in times.items()} | (known or {})


def measure_pass(shrink: int, turns: int) -> list[Line]:
    """Print and return a pass beside a read."""
    X, y = text(shrink)
    found = medians(passes(X, y), 5 * turns)
    show(found)
    ratio = found["a pass"] / found["a read"]
    setting = f"{X.shape[0]:,} x {X.shape[1]:,}, {len(X.data) / X.shape[0]:.0f} values a row"
    against = "a parallel read of values and indices"
    return [
        Line("sparse text", "cost and gradient", setting, against, ratio, -MOST_READS,
             in_order(found, 1e3, "ms"), "times a read")
    ]  # fmt: skip


def climb(case: Case, solver: str, optimum: float) -> tuple[float, float, float]:
    """Return the loosest tolerance of a solver that comes near enough, what it lacks, seconds."""
    tol, lacks, seconds = np.nan, np.inf, 0.0
    for tol in TOLERANCES:
        began = time.perf_counter()
        model = case.peer(solver, tol)
        seconds = time.perf_counter() - began
        lacks = case.cost_of(model) / optimum - 1.0
        assert lacks > -1e-9, f"{solver} comes below the optimum"
        if lacks <= NEAR or seconds > TOO_LONG:
            break
    return tol, lacks, seconds


def measure_fit(case: Case, solvers: Sequence[str], turns: int, limit: float) -> list[Line]:
    """Print and return a fit beside those of solvers."""
    optimum = case.own_cost(1e-11)
    assert case.own_cost(TOL) <= optimum * (1.0 + NEAR)
    print(f"{case.setting}: {case.fit(TOL).message}")
    runs: dict[str, Run] = {"fastlogit": lambda: case.fit(TOL)}
    once: dict[str, float] = {}
    reached = []
    for solver in solvers:
        tol, lacks, seconds = climb(case, solver, optimum)
        name = f"scikit-learn {solver}"
        if lacks <= NEAR:
            reached.append(name)
        else:
            name = f"{name} (to {lacks:.0e})"
        if seconds > LONG:
            once[name] = seconds
        else:
            runs[name] = lambda s=solver, t=tol: case.peer(s, t)
    found = medians(runs, turns, once)
    show(found)
    if not reached:
        return []
    best = min(reached, key=found.__getitem__)
    ratio = found[best] / found["fastlogit"]
    against, each = f"best peer to 1e-08: {best}", in_order(found, 1e3, "ms")
    return [Line("sparse text", "fit", case.setting, against, ratio, limit, each)]


def show(found: dict[str, float]) -> None:
    first = next(iter(found.values()))
    for name, seconds in found.items():
        print(f"  {name:36} {1e3 * seconds:9.1f} ms   {seconds / first:6.2f}x")


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shrink", type=int, default=1)
    parser.add_argument("--fewer", type=int, default=10, help="divides rows of 20 classes besides")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--solvers", nargs="*", default=["newton-cg", "lbfgs", "liblinear"])
    parts = ["pass", "fit", "softmax", "one-vs-all"]
    parser.add_argument("--only", nargs="*", choices=parts, default=parts)
    parser.add_argument("--write", type=Path, help="page to write the table into")
    asked = parser.parse_args(arguments)
    lines: list[Line] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if "pass" in asked.only:
            lines += measure_pass(asked.shrink, asked.turns)
        if "fit" in asked.only:
            case = Case(*text(asked.shrink), "two classes")
            lines += measure_fit(case, asked.solvers, asked.turns, FASTER)
        X, y = text(asked.shrink * asked.fewer, N_CLASSES)
        if "softmax" in asked.only:
            # LIBLINEAR has no softmax.
            solvers = [solver for solver in asked.solvers if solver != "liblinear"]
            lines += measure_fit(Case(X, y, "softmax"), solvers, asked.turns, FASTER_CLASSES)
        if "one-vs-all" in asked.only:
            case = Case(X, y, "one against all others")
            lines += measure_fit(case, asked.solvers, asked.turns, FASTER_CLASSES)
    if asked.write is not None:
        said = about(
            "sparse",
            "Medians of calls that take turns, of fits of more than 10 s one call; solvers at the "
            "loosest tolerance that comes to 1e-8 of the optimum.",
        )
        PLACE.write(asked.write, table(said, lines))


if __name__ == "__main__":
    main()
