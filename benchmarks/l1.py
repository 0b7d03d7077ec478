"""L1 and elastic nets beside other libraries' solvers, two classes: `python -m benchmarks.l1`.

Each solver at the loosest of its tolerances that comes to 1e-8 of the optimum, or as near as it
comes; fastlogit proves its 1e-8. All have an intercept without a penalty, but for celer, which has
none and is compared with fits without one. Least of calls that take turns, by the clock; columns
are stored as each solver likes them before. A solver is left out of a shape where one fit takes
longer than `--limit` seconds. `--processor`: processor time, of all threads together.

Shapes whose names end in -net have half of their penalty as L1, the rest as L2.

skglm, celer and cyanure are used where they can be imported: `--peers-path` is a folder that they
are in, as `pip install --no-deps --target FOLDER skglm celer` makes it. `--shrink` makes shapes
smaller. `--write docs/benchmarks.md` puts the table of the wide shapes into that page.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse
from sklearn.linear_model import LogisticRegression as ScikitLearn

import fastlogit

from .markers import Place
from .peers import liblinear_problem
from .tables import Line, about, in_order, table
from .workloads import Source, normal, standardised, zipf_text

TOL = 1e-8
# What a solver comes to counts as 1e-8.
NEAR = 1.5 * TOL
PLACE = Place("l1")
# How many times faster than the best peer each of the shapes in the table should be.
FASTER = {"text": 4.0, "wide": 4.0, "text-net": 5.0, "wide-net": 5.0, "small": 5.0, "tall": 5.0}

# Takes a tolerance, returns coefficients and intercept.
Fit = Callable[[float], tuple[np.ndarray, float]]
# The seconds until now.
Clock = Callable[[], float]


class Case(NamedTuple):
    """What is to be fitted; `C` and `l1_ratio` are scikit-learn's."""

    name: str
    X: Any
    y: np.ndarray
    C: float
    l1_ratio: float = 1.0

    @property
    def strength(self) -> float:
        """L1 and L2 together, beside the mean loss."""
        return 1.0 / (self.C * len(self.y))

    def cost(self, coef: np.ndarray, intercept: float) -> float:
        loss = fastlogit.cost(self.X, self.y, coef, intercept)
        penalty = self.l1_ratio * np.abs(coef).sum()
        penalty += 0.5 * (1.0 - self.l1_ratio) * np.square(coef).sum()
        return float(loss + self.strength * penalty)

    def optimum(self, intercept: bool) -> float:
        found = self.fit(1e-12, intercept)
        assert found.suboptimality <= 1e-10
        return self.cost(found.coef, found.intercept)

    def fit(self, tol: float, intercept: bool = True) -> Any:
        options = {} if intercept else {"intercept": None}
        return fastlogit.fit(self.X, self.y, C=self.C, l1_ratio=self.l1_ratio, tol=tol, **options)


def cases(shrink: int, names: Sequence[str]) -> list[Case]:
    """The shapes that are asked for."""
    source = Source(shrink)

    def text() -> Case:
        found = zipf_text(source, 50_000, 50_000)
        X = found.X
        X.indices, X.indptr = X.indices.astype(np.int32), X.indptr.astype(np.int32)
        return Case("text", X, found.y, 2.0)

    def dense(name: str, shape: tuple[int, int], C: float) -> Case:
        found = normal(source, shape, False, least=100)
        X = standardised(found).X if name == "wide" else found.X
        return Case(name, X, found.y, C)

    made: dict[str, Callable[[], Case]] = {
        "text": text,
        "wide": lambda: dense("wide", (1_000, 20_000), 0.5),
        "small": lambda: dense("small", (10_000, 10), 1.0),
        "tall": lambda: dense("tall", (1_000_000, 50), 1.0),
    }
    found = []
    for name in names:
        case = made[name.removesuffix("-net")]()
        found.append(case._replace(name=name, l1_ratio=0.5 if name.endswith("-net") else 1.0))
    return found


def scikit_learn(case: Case, solver: str) -> Fit:
    def fit(tol: float) -> tuple[np.ndarray, float]:
        options: dict[str, Any] = {"intercept_scaling": 1e3} if solver == "liblinear" else {}
        model = ScikitLearn(
            l1_ratio=case.l1_ratio, C=case.C, solver=solver, tol=tol, max_iter=100_000,
            random_state=0, **options,
        )  # fmt: skip
        model.fit(case.X, case.y)
        return model.coef_[0], float(model.intercept_[0])

    return fit


def liblinear(case: Case) -> Fit:
    """LIBLINEAR's own interface: a column of ones without a penalty."""
    is_sparse = scipy.sparse.issparse(case.X)
    from liblinear.liblinear import problem
    from liblinear.liblinearutil import train

    data = problem(case.y.astype(float), scipy.sparse.csr_matrix(case.X)) if is_sparse else (
        liblinear_problem(case.X, case.y)
    )  # fmt: skip

    def fit(tol: float) -> tuple[np.ndarray, float]:
        model = train(data, f"-q -s 6 -B 1 -R -c {case.C!r} -e {tol!r}")
        weights, intercept = model.get_decfun()
        sign = 1.0 if model.get_labels()[0] == 1 else -1.0
        return sign * np.array(weights), sign * intercept

    return fit


def skglm(case: Case) -> Fit:
    from skglm import SparseLogisticRegression

    X = scipy.sparse.csc_matrix(case.X) if scipy.sparse.issparse(case.X) else case.X
    X = X if scipy.sparse.issparse(X) else np.asfortranarray(X)

    def fit(tol: float) -> tuple[np.ndarray, float]:
        model = SparseLogisticRegression(
            alpha=case.strength, l1_ratio=case.l1_ratio, tol=tol, max_iter=1000
        )
        model.fit(X, case.y)
        return np.ravel(model.coef_), float(np.ravel(model.intercept_)[0])

    return fit


def celer(case: Case) -> Fit:
    from celer import LogisticRegression

    X = scipy.sparse.csc_matrix(case.X) if scipy.sparse.issparse(case.X) else case.X
    X = X if scipy.sparse.issparse(X) else np.asfortranarray(X)

    def fit(tol: float) -> tuple[np.ndarray, float]:
        model = LogisticRegression(C=case.C, tol=tol, max_iter=1000).fit(X, case.y)
        return np.ravel(model.coef_), 0.0

    return fit


def cyanure(case: Case) -> Fit:
    from cyanure.estimators import Classifier

    y = np.where(case.y > 0, 1.0, -1.0)

    def fit(tol: float) -> tuple[np.ndarray, float]:
        model = Classifier(
            loss="logistic", penalty="elasticnet", lambda_1=case.strength * case.l1_ratio,
            lambda_2=case.strength * (1.0 - case.l1_ratio), tol=tol, max_iter=2000,
            fit_intercept=True, verbose=False, duality_gap_interval=10,
        )  # fmt: skip
        model.fit(case.X, y)
        return np.ravel(model.coef_), float(np.ravel(model.intercept_)[0])

    return fit


class Solver(NamedTuple):
    """Another library's solver, and the tolerances that it is tried with, loosest first.

    `nets`: whether it fits elastic nets, and L1 alone.
    """

    name: str
    make: Callable[[Case], Fit]
    ladder: Sequence[float]
    module: str = "numpy"
    intercept: bool = True
    nets: tuple[bool, ...] = (False, True)

    def fits(self, case: Case) -> bool:
        return (case.l1_ratio < 1.0) in self.nets


ONLY_L1, ONLY_NETS = (False,), (True,)
SOLVERS = (
    Solver("LIBLINEAR -s 6", liblinear, (1e-2, 1e-3, 1e-4, 1e-5, 1e-6), module="liblinear",
           nets=ONLY_L1),
    Solver("scikit-learn liblinear", lambda case: scikit_learn(case, "liblinear"),
           (1e-2, 1e-3, 1e-4, 1e-5, 1e-6), nets=ONLY_L1),
    Solver("skglm", skglm, (1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9), "skglm"),
    Solver("celer", celer, (1e-4, 1e-5, 1e-6, 1e-7, 1e-8), "celer", intercept=False,
           nets=ONLY_L1),
    Solver("cyanure", cyanure, (1e-3, 1e-5, 1e-7, 1e-8, 1e-9), "cyanure", nets=ONLY_NETS),
    Solver("scikit-learn saga", lambda case: scikit_learn(case, "saga"),
           (1e-3, 1e-4, 1e-5, 1e-6, 1e-7)),
)  # fmt: skip


def timed(clock: Clock, run: Callable[..., object], *arguments: float) -> float:
    began = clock()
    run(*arguments)
    return clock() - began


def climb(solver: Solver, case: Case, optimum: float, limit: float) -> tuple[str, Fit, float]:
    """Find the loosest tolerance that comes near enough, within the limit of time."""
    fit, reached, tol = solver.make(case), np.inf, np.inf
    fit(solver.ladder[0])  # what compiles
    for tol in solver.ladder:
        seconds = timed(time.perf_counter, fit, tol)
        reached = case.cost(*fit(tol)) / optimum - 1.0
        assert reached > -1e-9, f"{solver.name} comes below the optimum"
        if reached <= NEAR or seconds > limit:
            break
    return f"{solver.name} (to {max(reached, 0.0):.0e})", fit, tol


def compare(
    case: Case, turns: int, limit: float, wanted: Sequence[str], clock: Clock = time.perf_counter
) -> list[Line]:
    """Print what each takes, and return lines of the table."""
    result = case.fit(TOL)
    assert result.converged
    assert result.suboptimality <= TOL
    optima = {intercept: case.optimum(intercept) for intercept in (True, False)}
    assert case.cost(result.coef, result.intercept) <= optima[True] * (1.0 + TOL)
    n_samples, n_features = case.X.shape
    setting = f"{n_samples:,} x {n_features:,}, C={case.C:g}, l1_ratio={case.l1_ratio:g}"
    print(f"{case.name}: {setting}: {result.message}")
    # With whom each peer is compared, and whether it comes near enough.
    rivals: dict[str, tuple[str, bool]] = {}
    runs: dict[str, Callable[[], object]] = {
        "fastlogit": lambda: case.fit(TOL),
        "fastlogit, no intercept": lambda: case.fit(TOL, False),
    }
    for solver in SOLVERS:
        if not (solver.fits(case) and any(name in solver.name for name in wanted)):
            continue
        if importlib.util.find_spec(solver.module) is None:
            print(f"  {solver.name}: not installed")
            continue
        name, fit, tol = climb(solver, case, optima[solver.intercept], limit)
        runs[name if solver.intercept else f"{name}, no intercept"] = lambda f=fit, t=tol: f(t)
        rivals[name if solver.intercept else f"{name}, no intercept"] = (
            "fastlogit" if solver.intercept else "fastlogit, no intercept",
            case.cost(*fit(tol)) / optima[solver.intercept] - 1.0 <= NEAR,
        )
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(turns):
        for name, run in runs.items():
            times[name].append(timed(clock, run))
    first = min(times["fastlogit"])
    for name, each in times.items():
        print(f"  {name:44} {1e3 * min(each):9.1f} ms   {min(each) / first:6.2f}x")
    least = {name: min(each) for name, each in times.items()}
    said = in_order(least, 1e3, "ms")
    lines = []
    for own in ("fastlogit", "fastlogit, no intercept"):
        near = [name for name, (rival, is_near) in rivals.items() if rival == own and is_near]
        if near:
            best = min(near, key=least.__getitem__)
            against, ratio = f"best peer: {best}", least[best] / least[own]
            lines.append(Line(case.name, "fit", setting, against, ratio, FASTER[case.name], said))
    return lines


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shapes", nargs="*", default=list(FASTER))
    parser.add_argument("--solvers", nargs="*", default=[""], help="parts of their names")
    parser.add_argument("--shrink", type=int, default=1)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--limit", type=float, default=60.0, help="seconds of one fit")
    parser.add_argument("--peers-path", help="a folder with skglm and celer")
    parser.add_argument(
        "--processor", action="store_true", help="processor time, on a machine that is busy"
    )
    parser.add_argument("--write", type=Path, help="page to write the table into")
    asked = parser.parse_args(arguments)
    if asked.peers_path:
        sys.path.append(asked.peers_path)
    clock = time.process_time if asked.processor else time.perf_counter
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        lines = [
            line
            for case in cases(asked.shrink, asked.shapes)
            for line in compare(case, asked.turns, asked.limit, asked.solvers, clock)
        ]
    if asked.write is not None:
        kind = "processor times" if asked.processor else "times"
        said = f"Least {kind} of calls that take turns; solvers at the loosest tolerance that comes"
        said = about("l1", f"{said} to 1e-8 of the optimum.")
        PLACE.write(asked.write, table(said, lines))


if __name__ == "__main__":
    main()
