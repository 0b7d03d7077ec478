"""Wide data of low rank beside scikit-learn's solvers: `python -m benchmarks.wide`.

Rows are few beside the columns, or both are many, and the singular values of X fall as k^-0.7 (from
the first, of 30 times the noise's size): expression data look so. `normal` is without structure.
Each solver is asked for its finest answer among a few tolerances that lies within 1e-8 of the
optimum, relative to the cost; a figure is the median of calls that take turns, in milliseconds,
with C = 1, float64. Peers that do not reach 1e-8 are shown with what they reach, and do not count.
Where scikit-learn-intelex is installed it takes part. `--only SHAPE` leaves others out, `--own`
the peers. `--write PAGE` puts the table into a page, as the other scripts do.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import fastlogit

from .markers import Place
from .tables import Line, about, in_order, table

PLACE = Place("wide")
C = 1.0
TOL = 1e-8
TURNS = 5
# How many times the best peer that reaches TOL, and milliseconds, were asked for.
FASTER = 5.0
WANTED = {"64 x 6,830": 10.0, "165 x 1,107": 5.0, "1,000 x 5,000": 250.0, "4,000 x 3,000": 1000.0}
FASTER_NORMAL = 2.0
# Exponent of the fall of the singular values, and their size beside the noise.
FALL, LEADING = 0.7, 30.0
SHAPES = {
    "64 x 6,830": (64, 6830, True),
    "165 x 1,107": (165, 1107, True),
    "1,000 x 5,000": (1000, 5000, True),
    "4,000 x 3,000": (4000, 3000, True),
    "normal 4,000 x 5,000": (4000, 5000, False),
}
TOLERANCES = (1e-4, 1e-6, 1e-8, 1e-10)


class Answer(NamedTuple):
    """What a solver returned."""

    coef: Any
    intercept: float


def make(n_samples: int, n_features: int, is_low_rank: bool) -> tuple[Any, Any]:
    """Rows of a falling spectrum, or of independent normal numbers, and labels of a model."""
    rng = np.random.default_rng([n_samples, n_features])
    X = rng.standard_normal((n_samples, n_features))
    if is_low_rank:
        rank = min(n_samples, n_features) // 2
        sizes = LEADING * np.arange(1.0, rank + 1.0) ** -FALL
        left = rng.standard_normal((n_samples, rank)) * sizes
        X += left @ rng.standard_normal((rank, n_features)) / np.sqrt(rank)
    coef = rng.standard_normal(n_features)
    z = X @ coef
    y = 2.0 * z / z.std() + rng.logistic(size=n_samples) > 0.0
    return X, y.astype(np.int64)


def cost_of(X: Any, y: Any, answer: Answer) -> float:
    """C times the summed loss plus half the squared coefficients, over C times the rows."""
    z = X @ np.ravel(answer.coef) + answer.intercept
    loss = np.logaddexp(0.0, np.where(y > 0, -z, z)).sum()
    return float(loss / len(y) + 0.5 * np.square(answer.coef).sum() / (C * len(y)))


def by_fastlogit(tol: float) -> Callable[[Any, Any], Answer]:
    def solve(X: Any, y: Any) -> Answer:
        result = fastlogit.fit(X, y, C=C, tol=tol)
        return Answer(result.coef, result.intercept)

    return solve


def by_sklearn(module: Any, solver: str, tol: float) -> Callable[[Any, Any], Answer]:
    def solve(X: Any, y: Any) -> Answer:
        model = module.LogisticRegression(C=C, solver=solver, tol=tol, max_iter=10_000)
        model.fit(X, y)
        return Answer(model.coef_[0], float(model.intercept_[0]))

    return solve


def peers() -> dict[str, Callable[[float], Callable[[Any, Any], Answer]]]:
    """Return the solvers by name, each for a tolerance."""
    import sklearn.linear_model as plain

    modules = {"scikit-learn": plain}
    try:
        import sklearnex.linear_model as intelex

        modules["intelex"] = intelex
    except ImportError:
        pass
    found = {}
    for name, module in modules.items():
        for solver in ("lbfgs", "newton-cg"):
            found[f"{name} {solver}"] = lambda tol, m=module, s=solver: by_sklearn(m, s, tol)
    return found


def timed(solve: Callable[[Any, Any], Answer], X: Any, y: Any) -> tuple[float, Answer]:
    began = time.perf_counter()
    answer = solve(X, y)
    return 1e3 * (time.perf_counter() - began), answer


def fine_enough(
    solver: Callable[[float], Callable[[Any, Any], Answer]], X: Any, y: Any, optimum: float
) -> tuple[Callable[[Any, Any], Answer], float]:
    """Return a solver of the loosest tolerance that reaches TOL, and what it lacks."""
    best = np.inf
    for tol in TOLERANCES:
        solve = solver(tol)
        lacks = cost_of(X, y, solve(X, y)) / optimum - 1.0
        best = min(best, lacks)
        if lacks <= TOL:
            break
    return solve, best


def compare(name: str, turns: int, with_peers: bool) -> list[Line]:
    """Measure a shape, print it, and return its figures beside their targets."""
    n_samples, n_features, is_low_rank = SHAPES[name]
    X, y = make(n_samples, n_features, is_low_rank)
    exact = fastlogit.fit(X, y, C=C, tol=1e-13)
    optimum = cost_of(X, y, Answer(exact.coef, exact.intercept))
    result = fastlogit.fit(X, y, C=C, tol=TOL)
    assert result.converged
    assert result.suboptimality <= TOL
    runs = {"fastlogit": (by_fastlogit(TOL), result.suboptimality)}
    if with_peers:
        for peer, solver in peers().items():
            runs[peer] = fine_enough(solver, X, y, optimum)
    times: dict[str, list[float]] = {run: [] for run in runs}
    for _ in range(turns):
        for run, (solve, _lacks) in runs.items():
            times[run].append(timed(solve, X, y)[0])
    medians = {run: 1e-3 * float(np.median(each)) for run, each in times.items()}
    own = 1e3 * medians["fastlogit"]
    print(f"{name}: cost {optimum:.6g}; fastlogit {result.n_passes:g} passes, {result.message}")
    for run, (_solve, lacks) in runs.items():
        median = 1e3 * medians[run]
        print(f"  {run:28} {median:9.1f} ms   {median / own:6.2f}x   lacks {lacks:.1e}")
    reached = {
        run: f"{run} (reaches {lacks:.0e})" if lacks > TOL else run
        for run, (_, lacks) in runs.items()
    }
    each = in_order({reached[run]: value for run, value in medians.items()}, 1e3, "ms")
    setting, lines = f"{name} float64, C=1", []
    fine = [run for run, (_, lacks) in runs.items() if lacks <= TOL and run != "fastlogit"]
    if fine:
        best = min(fine, key=medians.__getitem__)
        limit = FASTER if is_low_rank else FASTER_NORMAL
        against, ratio = f"best peer to 1e-08: {best}", 1e3 * medians[best] / own
        lines.append(Line("wide", "fit", setting, against, ratio, limit, each))
    if name in WANTED:
        against, limit = "none, milliseconds", -WANTED[name]
        lines.append(Line("wide", "fit", setting, against, own, limit, each, "ms"))
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=list(SHAPES), nargs="*", default=list(SHAPES))
    parser.add_argument("--turns", type=int, default=TURNS)
    parser.add_argument("--own", action="store_true", help="without the peers")
    parser.add_argument("--write", type=Path, help="page to write the table into")
    asked = parser.parse_args()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        lines = [line for name in asked.only for line in compare(name, asked.turns, not asked.own)]
    if asked.write is not None:
        said = about(
            "wide",
            "Singular values fall as k^-0.7 but for the normal one. Medians of calls that take "
            "turns; solvers at the loosest tolerance that comes to 1e-8 of the optimum.",
        )
        PLACE.write(asked.write, table(said, lines))


if __name__ == "__main__":
    main()
