"""Small fits in a loop, beside other libraries: `python -m benchmarks.small`.

The kernel's one call, `fit`, `LogisticRegression().fit` and the peers take turns; a turn is as many
calls one after the other as take 20 ms, and a figure is the median of the turns' means. Each answer
is checked against the oracle before it is timed. `--write PAGE` puts the table into a page, as the
other scripts do; `--even` finds where the general way of `fit` overtakes the small kernel instead.
Libraries that are not installed are left out.
"""

from __future__ import annotations

import argparse
import importlib.util
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression

import fastlogit
from fastlogit import reference
from fastlogit.fitting import small as fitting
from fastlogit.kernels.small import binomial

from .markers import Place
from .tables import Line, about, in_order, table

PLACE = Place("small-fits")
SHAPES = [(100, 3), (400, 8), (569, 30), (2000, 20)]
EVEN_SAMPLES = [100, 400, 1600, 6400, 25600, 51200]
EVEN_FEATURES = [2, 5, 10, 20, 40, 60]
SECONDS = 1.0
# A turn takes so long at the least, so that code and data are in the caches as in a loop; and then
# OpenBLAS, whose threads keep a core busy for a while, is waited for.
TURN, BLAS_PAUSE = 0.02, 0.25
TOL = 1e-12
# How many times the best peer, and milliseconds of the fit of 400 x 8, were asked for.
FASTER, OF_400 = 6.0, 0.2
OURS = ("kernel", "fit", "LogisticRegression")


def make_problem(n_samples: int, n_features: int) -> tuple[Any, Any]:
    rng = np.random.default_rng([n_samples, n_features])
    X = 3.0 * rng.standard_normal((n_samples, n_features)) + 1.0
    z = (X - 1.0) @ rng.standard_normal(n_features) / (3.0 * np.sqrt(n_features))
    return X, (z + rng.logistic(size=n_samples) > 0.0).astype(np.uint8)


def kernel_call(X: Any, y: Any, l2_reg: float) -> Callable[[], Any]:
    """The compiled call alone, with work arrays that are there already."""
    n_samples, n_features = X.shape
    none, strengths = np.empty(0), np.full(n_features, l2_reg)
    work = np.empty(binomial.small_work_size.serial(n_samples, n_features))
    history, coef = np.empty(101), np.empty(n_features)

    def call() -> Any:
        found = binomial.fit_small.serial(
            X, y, 1, none, none, strengths, 0.0, True, none, TOL, 100, work, history, coef
        )
        return np.append(coef, found.intercept)

    return call


def fit_call(X: Any, y: Any, l2_reg: float) -> Callable[[], Any]:
    def call() -> Any:
        result = fastlogit.fit(X, y, l2_reg=l2_reg, solver="newton", tol=TOL)
        return np.append(result.coef, result.intercept)

    return call


def estimator_call(X: Any, y: Any, l2_reg: float) -> Callable[[], Any]:
    """Our estimator, with its default options but C."""
    model = fastlogit.LogisticRegression(C=1.0 / (l2_reg * len(y)))

    def call() -> Any:
        model.fit(X, y)
        return np.append(model.coef_, model.intercept_)

    return call


def sklearn_call(solver: str, X: Any, y: Any, l2_reg: float) -> Callable[[], Any]:
    model = LogisticRegression(solver=solver, C=1.0 / (l2_reg * len(y)), tol=1e-6, max_iter=1000)

    def call() -> Any:
        model.fit(X, y)
        return np.append(model.coef_, model.intercept_)

    return call


def liblinear_call(X: Any, y: Any, l2_reg: float) -> Callable[[], Any]:
    from liblinear.liblinearutil import parameter, problem, train

    signs = 2.0 * y - 1.0
    options = parameter(f"-s 0 -B 1 -R -q -e 1e-7 -c {1.0 / (l2_reg * len(y))}")

    def call() -> Any:
        coef, bias = train(problem(signs, X, bias=1.0), options).get_decfun()
        return np.append(coef, bias)

    return call


def statsmodels_call(X: Any, y: Any, l2_reg: float) -> Callable[[], Any]:
    """Without a penalty: it has none that is as quick."""
    from statsmodels.api import Logit

    columns = np.column_stack([X, np.ones(len(y))])

    def call() -> Any:
        return Logit(y, columns).fit(disp=0).params

    return call


def peers() -> dict[str, Any]:
    found: dict[str, Any] = {
        "kernel": kernel_call,
        "fit": fit_call,
        "LogisticRegression": estimator_call,
        "scikit-learn": partial(sklearn_call, "newton-cholesky"),
        "scikit-learn lbfgs": partial(sklearn_call, "lbfgs"),
    }
    for name, call in (("liblinear", liblinear_call), ("statsmodels", statsmodels_call)):
        if importlib.util.find_spec(name) is not None:
            found[name] = call
    return found


def medians(
    calls: dict[str, Callable[[], Any]], seconds: float = SECONDS, turn: float = TURN
) -> dict[str, float]:
    """Return seconds a call: medians over turns of at least `turn` seconds."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    began = time.perf_counter()
    while time.perf_counter() - began < seconds * len(calls) or len(times["kernel"]) < 5:
        for name, call in calls.items():
            n_calls, start = 0, time.perf_counter()
            while n_calls == 0 or time.perf_counter() - start < turn:
                call()
                n_calls += 1
            times[name].append((time.perf_counter() - start) / n_calls)
            if name not in OURS:
                time.sleep(BLAS_PAUSE)
    return {name: float(np.median(each)) for name, each in times.items()}


def check(name: str, call: Callable[[], Any], X: Any, y: Any, l2_reg: float) -> bool:
    """Say whether an answer is at the optimum to 1e-8; of ours it has to be."""
    strength = 0.0 if name == "statsmodels" else l2_reg
    cost = reference.newton(X, y, l2_reg=strength)[2]
    found = call()
    there = reference.cost(X, y, found[:-1], found[-1], l2_reg=strength)
    fine = bool(there <= cost * (1.0 + 1e-8))
    assert fine or name not in OURS, f"{name}: {there / cost - 1.0:.2g} above the optimum"
    return fine


def compare(shapes: list[tuple[int, int]], seconds: float) -> str:
    """Measure, and return what a page says of it."""
    found = {}
    for n_samples, n_features in shapes:
        X, y = make_problem(n_samples, n_features)
        l2_reg = 1.0 / len(y)
        calls = {name: make(X, y, l2_reg) for name, make in peers().items()}
        calls = {name: call for name, call in calls.items() if check(name, call, X, y, l2_reg)}
        shape = f"{n_samples:,} x {n_features}"
        found[shape] = medians(calls, seconds)
        each = ", ".join(f"{name} {1e6 * value:.0f} us" for name, value in found[shape].items())
        print(f"{shape}: {each}")
    return section(found)


def lines_of(shape: str, times: dict[str, float]) -> list[Line]:
    """What a shape is asked, beside its target."""
    each, lines = in_order(times), []
    for name in OURS[1:]:
        others = {
            peer: value
            for peer, value in times.items()
            if peer not in OURS and (name == "fit" or peer.startswith("scikit-learn"))
        }
        best = min(others, key=others.__getitem__)
        ratio, against = others[best] / times[name], f"best peer to 1e-08: {best}"
        lines.append(Line("small fits", name, shape, against, ratio, FASTER, each))
    if shape.startswith("400 "):
        against, value = "none, milliseconds", 1e3 * times["fit"]
        lines.append(Line("small fits", "fit", shape, against, value, -OF_400, each, "ms"))
    return lines


def section(found: dict[str, dict[str, float]]) -> str:
    said = about(
        "small",
        "Normal columns, float64, C=1, default tolerances of ours; peers at settings that reach "
        "the optimum to 1e-8. Calls in loops of 20 ms that take turns; `kernel` is the compiled "
        "call alone. statsmodels fits without a penalty. `LogisticRegression` stands against "
        "scikit-learn's.",
    )
    return table(said, [line for shape in found for line in lines_of(shape, found[shape])])


def general_call(X: Any, y: Any, l2_reg: float) -> Callable[[], Any]:
    """`fit` as it goes with larger data."""

    def call() -> Any:
        most, fitting.MOST_NUMBERS = fitting.MOST_NUMBERS, 0
        try:
            return fastlogit.fit(X, y, l2_reg=l2_reg, tol=TOL)
        finally:
            fitting.MOST_NUMBERS = most

    return call


def break_even() -> None:
    """Print how many times longer the general way of `fit` takes, by shape."""
    print("columns:", *EVEN_FEATURES, sep="\t")
    for n_samples in EVEN_SAMPLES:
        ratios = []
        for n_features in EVEN_FEATURES:
            X, y = make_problem(n_samples, n_features)
            calls = {"kernel": kernel_call(X, y, 1e-3), "general": general_call(X, y, 1e-3)}
            for call in calls.values():
                call()
            found = medians(calls, 0.1, 0.0)
            ratios.append(f"{found['general'] / found['kernel']:.2f}")
        print(f"{n_samples} rows:", *ratios, sep="\t")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--even", action="store_true", help="where `fit` overtakes the kernel")
    parser.add_argument("--write", type=Path, help="page to write the table into")
    arguments = parser.parse_args()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if arguments.even:
            break_even()
        else:
            said = compare(SHAPES, SECONDS)
            if arguments.write is not None:
                PLACE.write(arguments.write, said)
