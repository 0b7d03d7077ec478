"""asv: elementwise functions, one pass of cost and gradient, and merely reading X."""

from __future__ import annotations

import numba
import numpy as np

import fastlogit

from .answers import (
    check_cost_gradient,
    check_elements,
    check_read,
    element_input,
)
from .problems import (
    DTYPES,
    LENGTHS,
    SHAPES,
    THREADS,
    bare_pass_call,
    cost_gradient_call,
    make_problem,
    read_call,
)


def require_threads(n_threads: int) -> None:
    """Leave out what this machine's thread pool is too small for (asv's way to say so)."""
    if n_threads > numba.config.NUMBA_NUM_THREADS:
        raise NotImplementedError(f"{n_threads} threads")


class Elementwise:
    params = (["sigmoid", "log1p_exp", "log_sigmoid", "logit"], LENGTHS, DTYPES, THREADS)
    param_names = ("function", "size", "dtype", "threads")

    def setup(self, function: str, size: int, dtype: str, threads: int) -> None:
        require_threads(threads)
        self.argument = element_input(function, size, dtype)
        self.out = np.empty_like(self.argument)
        self.function = getattr(fastlogit, function)
        self.time_call(function, size, dtype, threads)
        check_elements(function, self.argument, self.out)

    def time_call(self, function: str, size: int, dtype: str, threads: int) -> None:
        self.function(self.argument, self.out, n_threads=threads)


class OnePass:
    """Cost and gradient, to be seen beside the time of a read of the same X."""

    params = (SHAPES, DTYPES, THREADS)
    param_names = ("shape", "dtype", "threads")

    def setup(self, shape: tuple[int, int], dtype: str, threads: int) -> None:
        require_threads(threads)
        problem = make_problem(shape, dtype)
        self.cost_gradient = cost_gradient_call(problem, threads)
        self.bare_pass = bare_pass_call(problem, threads)
        self.read = read_call(problem.X, threads)
        check_cost_gradient(problem, self.cost_gradient())
        check_cost_gradient(problem, self.bare_pass())
        check_read(problem.X, self.read())

    def time_cost_gradient(self, shape: tuple[int, int], dtype: str, threads: int) -> None:
        self.cost_gradient()

    def time_bare_pass(self, shape: tuple[int, int], dtype: str, threads: int) -> None:
        self.bare_pass()

    def time_read(self, shape: tuple[int, int], dtype: str, threads: int) -> None:
        self.read()
