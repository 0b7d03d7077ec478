"""Fits to dask partitions beside the fit in memory: `python -m benchmarks.dask`.

Two worker processes of one thread each hold the persisted partitions, this process holds the same
rows for `fastlogit.fit` with two threads. Fits take turns; answers are compared before times count.
Of one fit a worker is killed half-way. `--only ROW` runs one of `numbers`, `killed` and `text`,
`--shrink N` takes an N-th of the rows, `--write PAGE` puts the table into a page.
"""

from __future__ import annotations

import argparse
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import distributed
import numpy as np
import scipy.sparse as sp
from dask.delayed import delayed

import fastlogit
import fastlogit.dask

from .markers import Place
from .tables import Line, in_order, publish

PLACE = Place("dask")
COLUMNS, WORDS = 20, 100_000
PARTITIONS, TURNS = 10, 7
MOST = 1.6
EQUAL = 1e-10


class Case(NamedTuple):
    """What a partition is made of: ``part(seed, n_rows)`` is rows and labels."""

    part: Callable[[int, int], tuple[Any, Any]]
    n_rows: int
    said: str

    @property
    def parts(self) -> list[tuple[int, int]]:
        """Seed and rows of each partition."""
        return [(seed, self.n_rows // PARTITIONS) for seed in range(PARTITIONS)]

    def persisted(self, client: Any) -> Any:
        """Return the partitions, in the workers."""
        kept = client.persist([delayed(self.part)(*each) for each in self.parts])
        distributed.wait(kept)
        return kept

    def here(self) -> tuple[Any, Any]:
        """Return all rows and labels in this process."""
        X, y = zip(*(self.part(*each) for each in self.parts), strict=True)
        return (sp.vstack(X, "csr") if sp.issparse(X[0]) else np.concatenate(X)), np.concatenate(y)


def numbers(seed: int, n_rows: int) -> tuple[Any, Any]:
    """Normal columns, and labels of a logistic model of them."""
    coef = np.random.default_rng(0).normal(size=COLUMNS) / 2.0
    rng = np.random.default_rng([1, seed])
    X = rng.normal(size=(n_rows, COLUMNS))
    return X, (X @ coef + rng.logistic(size=n_rows) > 0.0).astype(np.int8)


def text(seed: int, n_rows: int) -> tuple[Any, Any]:
    """Rows of some 40 words by Zipf's law, of length 1; words of a class are likelier there."""
    of_all, rng = np.random.default_rng(2), np.random.default_rng([3, seed])
    tilt = np.exp(0.7 * of_all.standard_normal((2, WORDS)))
    steps = np.cumsum(tilt / (np.arange(WORDS) + 4.0), axis=1)
    names = of_all.permutation(WORDS)
    y = rng.integers(0, 2, n_rows)
    of_row = np.repeat(np.arange(n_rows), 1 + rng.poisson(45.0, n_rows))
    drawn = np.empty(of_row.size, dtype=np.int64)
    for label in (0, 1):
        own = y[of_row] == label
        at = rng.random(np.count_nonzero(own)) * steps[label, -1]
        drawn[own] = np.searchsorted(steps[label], at, side="right")
    X = sp.csr_matrix((np.ones(of_row.size), (of_row, names[drawn])), shape=(n_rows, WORDS))
    X.sort_indices()
    sizes = np.repeat(np.sqrt(np.add.reduceat(X.data**2, X.indptr[:-1])), np.diff(X.indptr))
    X.data /= sizes
    flipped = rng.random(n_rows) < 0.05
    return X, np.where(flipped, 1 - y, y).astype(np.int8)


@contextmanager
def two_workers() -> Iterator[Any]:
    """Two worker processes of one thread each, and their client."""
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0",
            silence_logs=50, memory_limit=0,
        ) as cluster,
        distributed.Client(cluster) as client,
    ):  # fmt: skip
        yield client


def beside_memory(name: str, case: Case, turns: int) -> Line:
    """Fit in the workers and in memory, in turns."""
    times: dict[str, list[float]] = {"dask": [], "in memory": []}
    with two_workers() as client:
        kept = case.persisted(client)
        X, y = case.here()
        for turn in range(turns + 1):  # the first compiles
            found, spent = timed(lambda: fastlogit.dask.fit(kept, C=1.0, client=client))
            wanted, own = timed(lambda: fastlogit.fit(X, y, C=1.0, n_threads=2))
            check(found, wanted)
            if turn:
                times["dask"].append(spent)
                times["in memory"].append(own)
    middle = {way: float(np.median(each)) for way, each in times.items()}
    ratio = float(np.median(np.divide(times["dask"], times["in memory"])))
    print(f"{name}: passes {found.n_passes:.1f} and {wanted.n_passes:.1f}; {found.message}")
    said = f"{case.said}, {PARTITIONS} partitions, C=1, 2 processes x 1 thread"
    against = "fit in memory, 2 threads"
    last = in_order(middle, 1.0, "s")
    return Line("dask", name, said, against, ratio, -MOST, last, "times its time")


def with_a_loss(case: Case) -> Line:
    """Fit without trouble, and with a worker killed half-way."""
    killed: list[int] = []
    with two_workers() as client:
        kept = case.persisted(client)
        timed(lambda: fastlogit.dask.fit(kept, C=1.0, client=client))
        wanted, own = timed(lambda: fastlogit.dask.fit(kept, C=1.0, client=client))

        def kill(progress: Any) -> bool:
            if not killed and progress.n_iter >= wanted.n_iter / 2:
                killed.append(min(client.run(os.getpid).values()))
                os.kill(killed[0], signal.SIGKILL)
            return False

        found, spent = timed(lambda: fastlogit.dask.fit(kept, C=1.0, client=client, callback=kill))
    assert killed
    assert found.converged
    apart = float(
        np.abs(np.append(found.coef - wanted.coef, found.intercept - wanted.intercept)).max()
    )
    said = f"{case.said}, {PARTITIONS} partitions, C=1, 2 processes x 1 thread"
    last = in_order({"killed": spent, "whole": own}, 1.0, "s")
    return Line(
        "dask", "a worker killed half-way", said, "none killed", apart, -EQUAL, last, "apart"
    )


def timed(fit: Callable[[], Any]) -> tuple[Any, float]:
    began = time.perf_counter()
    found = fit()
    return found, time.perf_counter() - began


def check(found: Any, wanted: Any) -> None:
    """Raise unless both fits are proven, and the same optimum."""
    assert found.converged
    assert wanted.converged
    assert np.max(found.suboptimality) <= 1e-12
    # Both are within 1e-12 of the cost at the optimum, which says less of coefficients of few rows.
    np.testing.assert_allclose(found.coef, wanted.coef, rtol=0.0, atol=1e-4)


def main(given: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=("numbers", "killed", "text"))
    parser.add_argument("--shrink", type=int, default=1)
    parser.add_argument("--turns", type=int, default=TURNS)
    parser.add_argument("--write", type=Path, help="page to write the table into")
    asked = parser.parse_args(given)

    def rows(count: int) -> int:
        return max(1000, count // asked.shrink)

    def of_numbers(count: int) -> Case:
        return Case(numbers, rows(count), f"{rows(count):,} x {COLUMNS} float64")

    def of_text(count: int) -> Case:
        return Case(text, rows(count), f"{rows(count):,} x {WORDS:,} CSR, 40 values a row")

    measures = {
        "numbers": lambda: beside_memory("numbers", of_numbers(10_000_000), asked.turns),
        "killed": lambda: with_a_loss(of_numbers(5_000_000)),
        "text": lambda: beside_memory("text", of_text(1_000_000), asked.turns),
    }
    chosen = [asked.only] if asked.only else list(measures)
    lines = [measures[name]() for name in chosen]
    publish(
        PLACE,
        "Persisted partitions; medians of fits in turns, which start with a look at the labels and "
        "end with the proof; scheduler and client share the two cores with the workers.",
        lines,
        asked.write,
    )


if __name__ == "__main__":
    main()
