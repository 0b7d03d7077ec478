"""Gradient descent as a loop in plain NumPy, beside which ours is timed."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from fastlogit import reference
from fastlogit.demo.data import N_THREADS, Array
from fastlogit.fitting.fit import gradient_descent

#: Seconds that one timing of the NumPy loop takes, about.
TIMING_SECONDS = 0.05


def times_numpy(X: Array, y: Array, momentum: str = "none", l2_reg: float = 0.0) -> float:
    """Return how many times faster a step of gradient descent is than the same loop in NumPy.

    Both take the same number of steps of the same fixed size; the best of three timings each.
    The steps are tiny, so that neither loop arrives while it is timed.
    """
    X = np.ascontiguousarray(X)
    classes, codes = np.unique(y, return_inverse=True)
    bound = float(0.25 * np.linalg.norm(np.column_stack([np.ones(len(X)), X]), 2) ** 2 / len(X))
    step = 1e-3 / (bound + l2_reg)
    in_numpy = _numpy_loop(X, codes, len(classes), step, momentum, l2_reg)
    n_iter = 8
    while n_iter < 100_000 and (seconds := _timed(in_numpy, n_iter)) < TIMING_SECONDS:
        n_iter *= 2 if seconds > TIMING_SECONDS / 4 else 4

    def ours(steps: int) -> None:
        gradient_descent(
            X,
            y,
            step_size=step,
            momentum="none" if momentum == "none" else "nesterov",
            tol=0.0,
            max_iter=steps,
            standardize=False,
            l2_reg=l2_reg,
            n_threads=N_THREADS,
        )

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # to stop at max_iter is the plan
        fast = min(_timed(ours, n_iter) for _ in range(3))
    return min(_timed(in_numpy, n_iter) for _ in range(3)) / fast


def _numpy_loop(
    X: Array, codes: Array, n_classes: int, step: float, momentum: str, l2_reg: float
) -> Callable[[int], object]:
    """Return the plain NumPy loop as a function of the number of iterations."""
    if n_classes > 2:
        return lambda steps: reference.one_vs_all(X, codes, n_classes, step, steps, l2_reg=l2_reg)
    return lambda steps: reference.gradient_descent(
        X, codes, step, steps, momentum=momentum, l2_reg=l2_reg
    )


def _timed(action: Callable[[int], object], steps: int) -> float:
    """Return the seconds that an action takes."""
    began = time.perf_counter()
    action(steps)
    return time.perf_counter() - began
