"""Paths with L1 beside other libraries: `python -m benchmarks.l1_path`.

A path of 100 C from the largest one at which all coefficients are 0, to a hundred times that, and
the same for the five folds of a cross-validation: dense 1,000 x 20,000 of which 50 columns count,
and made text by Zipf's law. Without intercept, which celer has not. Peers (`--peers PYTHON`, see
`benchmarks.l1_peers`) climb a ladder of tolerances until every C is within 1e-8 of its optimum,
relative to the cost; fastlogit proves 1e-8. Seconds of the last of `--turns` calls, in a process of
their own. `--shrink` makes all smaller, to try it out; `--only` and `--parts` leave some out.
`--write docs/benchmarks.md` puts the table into that page.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse
from sklearn.model_selection import StratifiedKFold

import fastlogit
from fastlogit.fitting.grid import GridOptions
from fastlogit.fitting.grid_result import GridResult
from fastlogit.fitting.l1_grid import fit_l1_grid
from fastlogit.inputs.given import Given

from .l1_peers import PEERS
from .markers import Place
from .tables import Line, about, in_order, table
from .workloads import Source, zipf_text

ROOT = Path(__file__).parents[1]
ACCURACY = 1e-8
# How many times faster than the best peer a path, and that of folds, should be.
FASTER = {"path": 5.0, "folds": 8.0}
PLACE = Place("l1-path")
# What a peer comes to counts as that.
NEAR = 1.5 * ACCURACY
N_CS, RANGE, N_FOLDS = 100, 100.0, 5
# Seconds that a peer may take for one tolerance.
LIMIT = 600.0


def dense(shrink: int) -> tuple[Any, Any, str]:
    n_samples, n_features = max(1_000 // shrink, 100), max(20_000 // shrink, 200)
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n_samples, n_features))
    z = X[:, :50] @ rng.standard_normal(50)
    y = 2.0 * z / z.std() + rng.logistic(size=n_samples) > 0.0
    return X, y.astype(np.int64), f"dense {n_samples:,} x {n_features:,}"


def text(shrink: int) -> tuple[Any, Any, str]:
    found = zipf_text(Source(shrink), n_samples=20_000, n_features=50_000)
    return found.X, found.y, f"text {found.X.shape[0]:,} x {found.X.shape[1]:,}"


def own_path(X: Any, y: Any, Cs: Any, folds: Any, n_threads: int | None) -> GridResult:
    options = GridOptions(
        l1_ratio=1.0, tol=ACCURACY, fit_intercept=False, multi_class="ovr", n_threads=n_threads
    )
    return fit_l1_grid(Given(X, y), Cs, options=options, fold_weights=folds)


def costs(X: Any, y: Any, Cs: Any, coefs: Any) -> Any:
    """Return the mean loss and L1 of each C, (n_Cs,)."""
    raw = np.asarray(X @ coefs.T)
    losses = np.logaddexp(0.0, np.where(y[:, None] > 0, -raw, raw)).mean(axis=0)
    return losses + np.abs(coefs).sum(axis=1) / (Cs * len(y))


def worst(X: Any, y: Any, Cs: Any, folds: Any, coefs: Any, optima: Any) -> float:
    """Return what the worst of all fits lacks, relative to its optimum."""
    found = [costs(X[rows], y[rows], Cs, own) for rows, own in zip(folds, coefs, strict=True)]
    return float((np.array(found) / optima - 1.0).max())


def peers(
    python: str, X: Any, y: Any, Cs: Any, folds: Any, optima: Any, threads: int
) -> Iterator[tuple[str, float, float]]:
    """Yield name, seconds and what it lacks, of each peer that can be had."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        if scipy.sparse.issparse(X):
            scipy.sparse.save_npz(folder / "X.npz", scipy.sparse.csr_matrix(X))
        else:
            np.save(folder / "X.npy", X)
        for name, values in (("y", y), ("Cs", Cs), ("folds", folds)):
            np.save(folder / f"{name}.npy", values)
        for name, (_, _, ladder) in PEERS.items():
            command = [python, "-m", "benchmarks.l1_peers", "serve", name, place]
            limits = dict.fromkeys(("OMP_NUM_THREADS", "NUMBA_NUM_THREADS"), str(threads))
            with subprocess.Popen(
                command, cwd=ROOT, env=dict(os.environ, **limits), text=True, bufsize=1,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            ) as worker:  # fmt: skip
                hello = answer(worker)
                if "version" not in hello:
                    print(f"  {name}: {hello.get('reason', 'did not answer')}")
                    worker.kill()
                    continue
                for tol in ladder:
                    assert worker.stdin is not None
                    print(tol, file=worker.stdin, flush=True)
                    found = answer(worker)
                    if "seconds" not in found:
                        yield f"{name} {hello['version']} (stopped)", np.nan, np.nan
                        break
                    lacks = worst(X, y, Cs, folds, np.load(folder / "coefs.npy"), optima)
                    if lacks <= NEAR:
                        break
                if "seconds" in found:
                    yield f"{name} {hello['version']} at {tol:g}", found["seconds"], lacks
                worker.kill()


def answer(worker: Any) -> dict[str, Any]:
    """Return what a worker says within the limit, or nothing."""
    ready, _, _ = select.select([worker.stdout], [], [], LIMIT)
    line = worker.stdout.readline() if ready else ""
    return json.loads(line) if line else {}


def compare(X: Any, y: Any, name: str, asked: argparse.Namespace) -> list[Line]:
    lines = []
    first = np.abs(np.asarray(X.T @ (y - 0.5))).max()
    Cs = np.geomspace(1.0, RANGE, asked.size) / first
    splits = StratifiedKFold(N_FOLDS).split(np.zeros(len(y)), y)
    folds = np.ones((N_FOLDS, len(y)), dtype=bool)
    for fold, (_, test) in enumerate(splits):
        folds[fold, test] = False
    for what, rows in (("path", np.ones((1, len(y)), dtype=bool)), ("folds", folds)):
        if what not in asked.parts:
            continue
        own_path(X, y, Cs[:3], rows, asked.threads)  # compiled
        for _ in range(asked.turns):
            began = time.perf_counter()
            found = own_path(X, y, Cs, rows, asked.threads)
            seconds = time.perf_counter() - began
        options = GridOptions(l1_ratio=1.0, tol=1e-11, fit_intercept=False, multi_class="ovr")
        best = fit_l1_grid(Given(X, y), Cs, options=options, fold_weights=rows)
        optima = np.array(
            [costs(X[own], y[own], Cs, c[:, 0]) for own, c in zip(rows, best.coef, strict=True)]
        )
        lacks = worst(X, y, Cs, rows, found.coef[:, :, 0], optima)
        assert found.converged.all()
        assert lacks <= ACCURACY
        counts = np.count_nonzero(found.coef[0, -1])
        print(
            f"{name}, {what} of {asked.size} C: {counts} coefficients in the end, "
            f"{found.n_passes:.0f} passes"
        )
        print(f"  {'fastlogit':36} {seconds:9.2f} s   to {lacks:.0e}")
        times, near = {"fastlogit": seconds}, {}
        if asked.peers is not None:
            threads = asked.threads or fastlogit.threads.thread_count(None)
            for peer, took, short in peers(asked.peers, X, y, Cs, rows, optima, threads):
                print(f"  {peer:36} {took:9.2f} s   to {short:.0e}   {took / seconds:.1f}x")
                times[peer] = took
                if short <= NEAR:
                    near[peer] = took
        if near:
            best = min(near, key=near.__getitem__)
            setting, ratio = f"{name}, {asked.size} C, without intercept", near[best] / seconds
            said = in_order(times, 1.0, "s")
            against = f"best peer: {best}"
            lines.append(Line(name[:5].strip(), what, setting, against, ratio, FASTER[what], said))
    return lines


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shrink", type=int, default=1)
    parser.add_argument("--size", type=int, default=N_CS, help="number of C")
    parser.add_argument("--turns", type=int, default=2)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--peers", help="a Python that can import celer and skglm")
    parser.add_argument("--only", choices=["dense", "text"])
    parser.add_argument("--parts", nargs="*", choices=list(FASTER), default=list(FASTER))
    parser.add_argument("--write", type=Path, help="page to write the table into")
    asked = parser.parse_args(arguments)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        lines = [
            line
            for name, make in (("dense", dense), ("text", text))
            if asked.only in (None, name)
            for line in compare(*make(asked.shrink), asked)
        ]
    if asked.write is not None:
        said = about("l1_path", "Seconds of the last of some calls, each library in a process of "
                     "its own, at the loosest tolerance that brings every C to 1e-8 of its "
                     "optimum.")  # fmt: skip
        PLACE.write(asked.write, table(said, lines))


if __name__ == "__main__":
    sys.exit(main())
