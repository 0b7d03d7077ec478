"""asv: gradient descent with a fixed number of steps, certified fits, of folds too, prediction."""

from __future__ import annotations

from typing import Any

import numpy as np

import fastlogit

from .answers import (
    check_descent,
    check_folds,
    check_one_vs_all,
    check_optimum,
    check_proba,
    check_raw_prediction,
    check_softmax,
)
from .kernels import require_threads
from .peers import CV_OPTIONS
from .problems import (
    DTYPES,
    FIT_SHAPES,
    SHAPES,
    THREADS,
    descent_call,
    digits,
    make_problem,
    proba_estimator,
    stable_step,
    stopping_early,
    tumours,
)

# Gradient descent takes thousands of passes to the same proof: its steps are timed by themselves.
SOLVERS = ["auto", "lbfgs", "newton", "newton-cg"]
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
    """A certified fit, validation and proof included: the tumour data, 569 x 30, each solver."""

    params = (SOLVERS, THREADS)
    param_names = ("solver", "threads")

    def setup(self, solver: str, threads: int) -> None:
        require_threads(threads)
        self.problem = tumours()
        check_optimum(self.problem, self.time_tumours(solver, threads), L2_REG, 1e-6)

    def time_tumours(self, solver: str, threads: int) -> Any:
        return fastlogit.fit(
            self.problem.X, self.problem.y, l2_reg=L2_REG, solver=solver, n_threads=threads
        )


class FitLarge:
    """A certified fit of more rows than fit in the cache, and the passes over X that it takes."""

    params = (FIT_SHAPES, DTYPES, THREADS)
    param_names = ("shape", "dtype", "threads")

    def setup(self, shape: tuple[int, int], dtype: str, threads: int) -> None:
        require_threads(threads)
        self.problem = make_problem(shape, dtype)
        check_optimum(self.problem, self.time_fit(shape, dtype, threads), L2_REG, 1e-6)

    def time_fit(self, shape: tuple[int, int], dtype: str, threads: int) -> Any:
        return fastlogit.fit(self.problem.X, self.problem.y, l2_reg=L2_REG, n_threads=threads)

    def track_passes(self, shape: tuple[int, int], dtype: str, threads: int) -> float:
        return float(self.time_fit(shape, dtype, threads).n_passes)


class OneVsAll:
    """Ten digits, 1,797 x 64: K models in one pass over X."""

    params = (THREADS,)
    param_names = ("threads",)

    def setup(self, threads: int) -> None:
        require_threads(threads)
        self.X, self.digits = digits()
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


class Softmax:
    """Ten digits, 1,797 x 64, classes together, proven; and the passes over X that it takes."""

    params = (THREADS,)
    param_names = ("threads",)

    def setup(self, threads: int) -> None:
        require_threads(threads)
        self.X, self.digits = digits()
        check_softmax(self.X, self.digits, self.time_digits(threads), 1.0, 1e-8)

    def time_digits(self, threads: int) -> Any:
        return fastlogit.fit(
            self.X, self.digits, C=1.0, tol=1e-8, multi_class="multinomial", n_threads=threads
        )

    def track_passes(self, threads: int) -> float:
        return float(self.time_digits(threads).n_passes)


class CrossValidation:
    """Ten C on five folds of the tumour data, 569 x 30, and the last fit."""

    params = (THREADS,)
    param_names = ("threads",)

    def setup(self, threads: int) -> None:
        require_threads(threads)
        self.problem = tumours()
        check_folds(self.problem.X, self.problem.y, self.time_tumours(threads), 1e-7)

    def time_tumours(self, threads: int) -> Any:
        estimator = fastlogit.LogisticRegressionCV(**CV_OPTIONS, n_jobs=threads)
        return estimator.fit(self.problem.X, self.problem.y)


class PredictProba:
    """Probabilities of two classes and of ten by the estimator, to be seen beside a read of X."""

    params = ([2, 10], SHAPES, THREADS)
    param_names = ("classes", "shape", "threads")

    def setup(self, n_classes: int, shape: tuple[int, int], threads: int) -> None:
        require_threads(threads)
        self.X = make_problem(shape).X
        self.estimator = proba_estimator(
            fastlogit.LogisticRegression(n_jobs=threads), n_classes, shape[1]
        )
        found = self.time_predict_proba(n_classes, shape, threads)
        check_proba(self.X, self.estimator.coef_, self.estimator.intercept_, found)

    def time_predict_proba(
        self, n_classes: int, shape: tuple[int, int], threads: int
    ) -> np.ndarray:
        return self.estimator.predict_proba(self.X)


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
