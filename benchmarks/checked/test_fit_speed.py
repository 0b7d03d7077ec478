"""Gradient descent, whole fits and prediction; each answer is checked before it is timed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fastlogit
from benchmarks.answers import check_descent, check_optimum, check_raw_prediction
from benchmarks.problems import FIT_SHAPES, descent_call, make_problem, stable_step, tumours
from fastlogit import reference

N_ITER = 50
L2_REG = 0.01


@pytest.mark.parametrize("momentum", ["none", "nesterov"])
@pytest.mark.parametrize("shape", FIT_SHAPES, ids=str)
def test_gradient_descent(
    benchmark: Any, shape: tuple[int, int], momentum: str, n_threads: int
) -> None:
    problem = make_problem(shape)
    step_size = stable_step(problem.X)
    call = descent_call(problem, step_size, N_ITER, n_threads, momentum)
    check_descent(problem, step_size, N_ITER, call(), momentum)
    benchmark.group = f"{N_ITER} steps {shape} momentum {momentum}"
    benchmark(call)


@pytest.mark.parametrize("shape", FIT_SHAPES, ids=str)
def test_numpy_gradient_descent(benchmark: Any, shape: tuple[int, int]) -> None:
    """The oracle itself, for comparison; a stable step never lets the cost grow beyond rounding."""
    problem = make_problem(shape)
    arguments = (problem.X, problem.y, stable_step(problem.X), N_ITER)
    assert np.all(np.diff(reference.gradient_descent(*arguments)[2]) <= 1e-12)
    benchmark.group = f"{N_ITER} steps {shape} momentum none"
    benchmark.pedantic(reference.gradient_descent, arguments, rounds=3)


def test_fit_of_the_tumour_data(benchmark: Any, n_threads: int) -> None:
    problem = tumours()
    arguments = (problem.X, problem.y)
    fitted = fastlogit.fit(*arguments, l2_reg=L2_REG, n_threads=n_threads)
    check_optimum(problem, fitted, L2_REG, gradient_limit=1e-4)
    benchmark.group = "fit of the tumour data"
    benchmark(fastlogit.fit, *arguments, l2_reg=L2_REG, n_threads=n_threads)


@pytest.mark.parametrize("shape", FIT_SHAPES, ids=str)
def test_raw_prediction(benchmark: Any, shape: tuple[int, int]) -> None:
    problem = make_problem(shape)
    fitted = descent_call(problem, 1.0, 5, 1)()
    check_raw_prediction(problem, fitted, fitted.raw_prediction(problem.X))
    benchmark.group = f"raw prediction {shape}"
    benchmark(fitted.raw_prediction, problem.X)
