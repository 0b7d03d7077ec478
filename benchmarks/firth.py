"""Firth's fits beside firthmodels: `python -m benchmarks.firth`.

A fit of 1,000 x 50 with penalised likelihood-ratio tests and profile intervals of all coefficients,
and a fit of 100,000 x 30. Medians, and least processor times, of calls that take turns; before they
are timed coefficients, tests and interval ends are compared. `--write PAGE` puts the table there.

Both take one thread: firthmodels takes numba and BLAS, and with threads of BLAS it took 30 times as
long where other processes kept the cores busy. It is measured with the tolerances that it has by
default, 1e-4, and with 1e-8, which is still more than is left here.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

import fastlogit

from .markers import Place
from .tables import Line, in_order, publish

PLACE = Place("firth")
TURNS = 5
WITH_INTERVALS, ALONE = (1_000, 50), (100_000, 30)
# firthmodels fits to 1e-4 of score and step by default, and looks for interval ends as far.
LOOSE, TIGHT = 1e-4, 1e-8
NEAR, NEAR_TIGHT = 1e-3, 1e-7
FASTER_INTERVALS, FASTER_FIT = 4.0, 6.0


class Contest(NamedTuple):
    """What is measured: both return an array that is compared."""

    what: str
    setting: str
    own: Callable[[], Any]
    peer: Callable[[], Any]
    near: float
    limit: float


class Times(NamedTuple):
    """Median wall time and least processor time, in seconds."""

    wall: float
    processor: float


def make(n_rows: int, n_features: int) -> tuple[Any, Any]:
    """Independent normal columns, and labels of a model."""
    rng = np.random.default_rng([n_rows, n_features])
    X = rng.standard_normal((n_rows, n_features))
    coef = rng.standard_normal(n_features) / np.sqrt(n_features)
    return X, (X @ coef + 0.3 + rng.logistic(size=n_rows) > 0.0).astype(np.int64)


def own_intervals(X: Any, y: Any) -> Any:
    """Fit, test and return interval ends and p."""
    found = fastlogit.infer(fastlogit.fit(X, y, penalty="firth", n_threads=1), X, y, n_threads=1)
    return np.column_stack([found.conf_int(), found.p_values])[1:]


def peer_intervals(X: Any, y: Any, tol: float) -> Any:
    """Return the same of firthmodels."""
    from firthmodels import FirthLogisticRegression

    with threadpool_limits(1, "blas"):
        model = FirthLogisticRegression(gtol=tol, xtol=tol).fit(X, y).lrt()
        ends = model.conf_int(method="pl", tol=tol)
    return np.column_stack([ends, model.lrt_pvalues_])[: X.shape[1]]


def own_fit(X: Any, y: Any) -> Any:
    """Fit, and return the coefficients."""
    return fastlogit.fit(X, y, penalty="firth", n_threads=1).coef


def peer_fit(X: Any, y: Any, tol: float) -> Any:
    """Return those of firthmodels."""
    from firthmodels import FirthLogisticRegression

    with threadpool_limits(1, "blas"):
        return FirthLogisticRegression(gtol=tol, xtol=tol).fit(X, y).coef_


def setting(shape: tuple[int, int]) -> str:
    """Return a shape in words."""
    return f"{shape[0]:,} x {shape[1]} float64"


def contests() -> list[Contest]:
    """Return what is measured."""
    small, large = make(*WITH_INTERVALS), make(*ALONE)
    found = []
    for tol, near, said in ((LOOSE, NEAR, "its default, 1e-4"), (TIGHT, NEAR_TIGHT, "to 1e-8")):
        found += [
            Contest(
                f"fit, tests and intervals; {said}", setting(WITH_INTERVALS),
                lambda: own_intervals(*small), partial(peer_intervals, *small, tol), near,
                FASTER_INTERVALS,
            ),
            Contest(
                f"fit; {said}", setting(WITH_INTERVALS), lambda: own_fit(*small),
                partial(peer_fit, *small, tol), near, 1.0,
            ),
            Contest(
                f"fit; {said}", setting(ALONE), lambda: own_fit(*large),
                partial(peer_fit, *large, tol), near, FASTER_FIT,
            ),
        ]  # fmt: skip
    return found


def measure(contest: Contest) -> tuple[Times, Times]:
    """Compare the answers, and return the times of calls in turns."""
    np.testing.assert_allclose(contest.own(), contest.peer(), rtol=contest.near, atol=contest.near)
    both: list[list[tuple[float, float]]] = [[], []]
    for _ in range(TURNS):
        for times, call in zip(both, (contest.own, contest.peer), strict=True):
            began, used = time.perf_counter(), time.process_time()
            call()
            times.append((time.perf_counter() - began, time.process_time() - used))
    found = [Times(*(float(f(t)) for f, t in zip((np.median, np.min), zip(*times, strict=True),
             strict=True))) for times in both]  # fmt: skip
    return found[0], found[1]


def main(arguments: list[str] | None = None) -> None:
    """Measure, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", type=Path, help="page to write the table into")
    page = parser.parse_args(arguments).write
    lines = []
    for contest in contests():
        own, peer = measure(contest)
        of_processor = peer.processor / own.processor
        each = in_order({"fastlogit": own.wall, "firthmodels": peer.wall}, 1e3, "ms")
        print(f"{contest.what}: {each}; of processor time {of_processor:.1f} times", flush=True)
        lines.append(
            Line("Firth", contest.what, contest.setting, "firthmodels", peer.wall / own.wall,
                 contest.limit, each)
        )  # fmt: skip
    how = "One thread each; medians of calls that take turns, answers compared before."
    publish(PLACE, how, lines, page)


if __name__ == "__main__":
    main()
