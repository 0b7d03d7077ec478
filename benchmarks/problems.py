"""The data that the benchmarks run on, and the calls that are timed."""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

import fastlogit
from fastlogit.design.dense import DenseDesign
from fastlogit.kernels.passes import read_sum
from fastlogit.objective.binomial import Binomial
from fastlogit.objective.labelled_rows import LabelledRows
from fastlogit.objective.objective import Objective
from fastlogit.threads import team

FULL = os.environ.get("FASTLOGIT_BENCH_FULL") == "1"
SHAPES = (
    [(1_000_000, 10), (1_000_000, 100), (250_000, 500)] if FULL else [(2_000, 10), (1_000, 100)]
)
FIT_SHAPES = [(1_000_000, 50)] if FULL else [(2_000, 20)]
LENGTHS = [1_000_000, 20_000_000] if FULL else [100_000]
DTYPES = ["float64", "float32"]
THREADS = [1, 2]

# Serial time of a read, by which `team` decides about threads as it does for the passes.
ELEMENT_NS = 0.4
READ_CHUNKS = 64
BLOCK_BYTES = 2**23


@dataclass(frozen=True)
class Problem:
    """A two-class problem and a point at which its cost and gradient are wanted."""

    X: np.ndarray
    y: np.ndarray
    coef: np.ndarray
    intercept: float


def make_problem(shape: tuple[int, int], dtype: str = "float64", seed: int = 0) -> Problem:
    """Draw X from the normal distribution and y from the model at (coef, intercept).

    X is filled block by block: memory never peaks above X itself.
    """
    n_samples, n_features = shape
    rng = np.random.default_rng(seed)
    coef = rng.standard_normal(n_features) / np.sqrt(n_features)
    intercept = 0.25
    X, y = np.empty(shape, dtype), np.empty(n_samples, np.uint8)
    step = max(1, BLOCK_BYTES // (8 * n_features))
    for start in range(0, n_samples, step):
        block = X[start : start + step]
        rng.standard_normal(out=block, dtype=block.dtype)
        odds = np.exp(-(block @ coef.astype(dtype) + intercept))
        y[start : start + step] = rng.random(len(block)) * (1.0 + odds) < 1.0
    return Problem(X, y, coef, intercept)


def tumours() -> Problem:
    """Wisconsin tumour data, 569 x 30, standardised."""
    # Here, since asv starts a process for every case, and scikit-learn takes most of a start.
    from sklearn.datasets import load_breast_cancer

    X, y = load_breast_cancer(return_X_y=True)
    X = np.ascontiguousarray((X - X.mean(axis=0)) / X.std(axis=0))
    return Problem(X, y.astype(np.uint8), np.zeros(X.shape[1]), 0.0)


def digits() -> tuple[np.ndarray, np.ndarray]:
    """scikit-learn's digits, 1,797 x 64, scaled to [0, 1], and their classes."""
    from sklearn.datasets import load_digits

    X, y = load_digits(return_X_y=True)
    return np.ascontiguousarray(X / 16.0), y


def proba_estimator(estimator: Any, n_classes: int, n_features: int) -> Any:
    """Give an estimator coefficients, always the same, as if it had been fitted."""
    rng = np.random.default_rng(7)
    n_models = 1 if n_classes == 2 else n_classes
    estimator.coef_ = rng.standard_normal((n_models, n_features)) / np.sqrt(n_features)
    estimator.intercept_ = rng.standard_normal(n_models)
    estimator.classes_ = np.arange(n_classes)
    estimator.n_features_in_ = n_features
    return estimator


def stable_step(X: np.ndarray) -> float:
    """Return 1/L: the curvature of the mean cost is at most a quarter of [X, 1]'[X, 1] / n."""
    n_samples, n_features = X.shape
    gram = np.empty((n_features + 1, n_features + 1))
    gram[:-1, :-1] = X.T @ X
    gram[-1, :-1] = gram[:-1, -1] = X.sum(axis=0)
    gram[-1, -1] = n_samples
    return float(4.0 * n_samples / np.linalg.eigvalsh(gram)[-1])


@contextlib.contextmanager
def stopping_early() -> Iterator[None]:
    """Do not warn of a fit that stops at `max_iter`: here that is what it is asked for."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*max_iter|the classes are separable")
        yield


def read_call(X: np.ndarray, n_threads: int) -> Callable[[], float]:
    """Read all of a contiguous X once and sum it, in chunks fixed by its shape."""
    values, sums = X.reshape(-1), np.empty(READ_CHUNKS)

    def call() -> float:
        with team(n_threads, X.size * ELEMENT_NS) as parallel:
            read_sum.choose(parallel)(values, sums)
        return float(sums.sum())

    return call


def cost_gradient_call(problem: Problem, n_threads: int) -> Callable[[], Any]:
    """Cost and gradient by the public function, its validation of X included."""

    def call() -> Any:
        return fastlogit.cost_gradient(
            problem.X, problem.y, problem.coef, problem.intercept, n_threads=n_threads
        )

    return call


def bare_pass_call(problem: Problem, n_threads: int) -> Callable[[], Any]:
    """The same pass alone, as solvers call it: on data that has been validated before."""
    design = DenseDesign(problem.X, n_threads=n_threads)
    objective = Objective(LabelledRows(design, Binomial(), problem.y, [1], np.empty(0)), 0.0)
    coef, intercept = problem.coef[None, :], np.array([problem.intercept])

    def call() -> Any:
        cost, gradient, intercept_gradient = objective.value_gradient(coef, intercept)
        return cost[0], gradient[0], intercept_gradient[0]

    return call


def descent_call(
    problem: Problem, step_size: float, n_iter: int, n_threads: int | None, momentum: str = "none"
) -> Callable[[], Any]:
    """Gradient descent of exactly `n_iter` steps on X as it stands."""

    def call() -> Any:
        with stopping_early():
            return fastlogit.gradient_descent(
                problem.X,
                problem.y,
                step_size=step_size,
                momentum=momentum,
                tol=0.0,
                max_iter=n_iter,
                standardize=False,
                n_threads=n_threads,
            )

    return call


def short_fit_call(problem: Problem, n_iter: int) -> Callable[[], Any]:
    """A fit with the defaults, validation and standardisation included, stopped early."""

    def call() -> Any:
        with stopping_early():
            return fastlogit.fit(problem.X, problem.y, max_iter=n_iter)

    return call
