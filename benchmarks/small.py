"""One small fit as one compiled call, beside `fit` and peers: `python -m benchmarks.small`.

Calls that are compared take turns; a figure is the median. Each answer is checked against the
oracle before it is timed. `--even` finds where the general way of `fit` overtakes the small kernel
instead.
Libraries that are not installed are left out.
"""

from __future__ import annotations

import argparse
import importlib.util
import platform
import time
import warnings
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from sklearn.linear_model import LogisticRegression

import fastlogit
from fastlogit import reference
from fastlogit.fitting import small as fitting
from fastlogit.kernels import small

SHAPES = [(100, 3), (400, 8), (569, 30), (2000, 20)]
EVEN_SAMPLES = [100, 400, 1600, 6400, 25600, 51200]
EVEN_FEATURES = [2, 5, 10, 20, 40, 60]
SECONDS = 0.5
TOL = 1e-12


def make_problem(n_samples: int, n_features: int) -> tuple[Any, Any]:
    rng = np.random.default_rng([n_samples, n_features])
    X = 3.0 * rng.standard_normal((n_samples, n_features)) + 1.0
    z = (X - 1.0) @ rng.standard_normal(n_features) / (3.0 * np.sqrt(n_features))
    return X, (z + rng.logistic(size=n_samples) > 0.0).astype(np.uint8)


def kernel_call(X: Any, y: Any, l2_reg: float) -> Callable[[], Any]:
    """The compiled call alone, with work arrays that are there already."""
    n_samples, n_features = X.shape
    none, strengths = np.empty(0), np.full(n_features, l2_reg)
    work = np.empty(small.small_work_size.serial(n_samples, n_features))
    history, coef = np.empty(101), np.empty(n_features)

    def call() -> Any:
        found = small.fit_small.serial(
            X, y, 1, none, none, strengths, 0.0, True, none, TOL, 100, work, history, coef
        )
        return np.append(coef, found.intercept)

    return call


def fit_call(X: Any, y: Any, l2_reg: float) -> Callable[[], Any]:
    def call() -> Any:
        result = fastlogit.fit(X, y, l2_reg=l2_reg, solver="newton", tol=TOL)
        return np.append(result.coef, result.intercept)

    return call


def sklearn_call(X: Any, y: Any, l2_reg: float) -> Callable[[], Any]:
    model = LogisticRegression(solver="newton-cholesky", C=1.0 / (l2_reg * len(y)), tol=1e-6)

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
    found: dict[str, Any] = {"kernel": kernel_call, "fit": fit_call, "scikit-learn": sklearn_call}
    for name, call in (("liblinear", liblinear_call), ("statsmodels", statsmodels_call)):
        if importlib.util.find_spec(name) is not None:
            found[name] = call
    return found


def medians(calls: dict[str, Callable[[], Any]], seconds: float = SECONDS) -> dict[str, float]:
    times: dict[str, list[float]] = {name: [] for name in calls}
    began = time.perf_counter()
    while time.perf_counter() - began < seconds * len(calls) or len(times["kernel"]) < 5:
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            times[name].append(time.perf_counter() - start)
    return {name: float(np.median(each)) for name, each in times.items()}


def compare() -> None:
    for n_samples, n_features in SHAPES:
        X, y = make_problem(n_samples, n_features)
        l2_reg = 1.0 / len(y)
        calls = {name: make(X, y, l2_reg) for name, make in peers().items()}
        for name, call in calls.items():
            strength = 0.0 if name == "statsmodels" else l2_reg
            cost = reference.newton(X, y, l2_reg=strength)[2]
            found = call()
            there = reference.cost(X, y, found[:-1], found[-1], l2_reg=strength)
            assert there <= cost * (1.0 + 1e-8), f"{name}: {there / cost - 1.0:.2g} above"
        found = medians(calls)
        row = ", ".join(
            f"{name} {1e6 * value:.0f} us ({value / found['kernel']:.0f}x)"
            for name, value in found.items()
        )
        print(f"{n_samples} x {n_features}: {row}")


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
            found = medians(calls, 0.1)
            ratios.append(f"{found['general'] / found['kernel']:.2f}")
        print(f"{n_samples} rows:", *ratios, sep="\t")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--even", action="store_true", help="where `fit` overtakes the kernel")
    arguments = parser.parse_args()
    print(f"{platform.processor() or platform.machine()}, numba {numba.__version__}, medians")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        break_even() if arguments.even else compare()
