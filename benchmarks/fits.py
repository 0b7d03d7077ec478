"""asv: gradient descent with a fixed number of steps, whole fits, one-vs-all, prediction."""

from __future__ import annotations

from typing import Any

import numpy as np

import fastlogit

from .answers import check_descent, check_one_vs_all, check_optimum, check_raw_prediction
from .kernels import require_threads
from .problems import (
    DTYPES,
    FIT_SHAPES,
    THREADS,
    descent_call,
    make_problem,
    stable_step,
    stopping_early,
    tumours,
)

N_ITER = 50
L2_REG = 0.01


class GradientDescent:
    params = (FIT_SHAPES, DTYPES, ["none", "nesterov"], THREADS)
    param_names = ("shape", "dtype", "momentum", "threads")

    def setup(self, shape: tuple[int, int], dtype: str, momentum: str, threads: int) -> None:
        require_threads(threads)
        problem = make_problem(shape, dtype)
        step_size = stable_step(problem.X)
        self.descend = descent_call(problem, step_size, N_ITER, threads, momentum)
        check_descent(problem, step_size, N_ITER, self.descend(), momentum)

    def time_steps(self, shape: tuple[int, int], dtype: str, momentum: str, threads: int) -> None:
        self.descend()


class Fit:
    """A fit to its end with the defaults: the tumour data, 569 x 30."""

    params = (THREADS,)
    param_names = ("threads",)

    def setup(self, threads: int) -> None:
        require_threads(threads)
        self.problem = tumours()
        check_optimum(self.problem, self.time_tumours(threads), L2_REG, gradient_limit=1e-4)

    def time_tumours(self, threads: int) -> Any:
        return fastlogit.fit(self.problem.X, self.problem.y, l2_reg=L2_REG, n_threads=threads)


class OneVsAll:
    """Ten digits, 1,797 x 64: K models in one pass over X."""

    params = (THREADS,)
    param_names = ("threads",)

    def setup(self, threads: int) -> None:
        require_threads(threads)
        from sklearn.datasets import load_digits

        X, self.digits = load_digits(return_X_y=True)
        self.X = np.ascontiguousarray(X / 16.0)
        self.step_size = stable_step(self.X)
        found = self.time_digits(threads)
        check_one_vs_all(self.X, self.digits, self.step_size, N_ITER, found)

    def time_digits(self, threads: int) -> Any:
        with stopping_early():
            return fastlogit.gradient_descent(
                self.X,
                self.digits,
                step_size=self.step_size,
                tol=0.0,
                max_iter=N_ITER,
                standardize=False,
                n_threads=threads,
            )


class Predict:
    params = (FIT_SHAPES, DTYPES)
    param_names = ("shape", "dtype")

    def setup(self, shape: tuple[int, int], dtype: str) -> None:
        self.problem = make_problem(shape, dtype)
        self.fitted = descent_call(self.problem, 1.0, 5, 1)()
        found = self.time_raw_prediction(shape, dtype)
        check_raw_prediction(self.problem, self.fitted, found)
        self.time_predict(shape, dtype)

    def time_raw_prediction(self, shape: tuple[int, int], dtype: str) -> np.ndarray:
        return self.fitted.raw_prediction(self.problem.X)

    def time_predict(self, shape: tuple[int, int], dtype: str) -> np.ndarray:
        return self.fitted.predict(self.problem.X)
