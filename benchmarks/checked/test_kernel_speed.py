"""Elementwise functions, one pass and the read of X; each answer is checked before it is timed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import special

import fastlogit
from benchmarks.answers import check_cost_gradient, check_elements, check_read, element_input
from benchmarks.problems import (
    DTYPES,
    LENGTHS,
    SHAPES,
    bare_pass_call,
    cost_gradient_call,
    make_problem,
    read_call,
)
from fastlogit import reference

ELEMENTWISE = ["sigmoid", "log1p_exp", "log_sigmoid", "logit"]


@pytest.mark.parametrize("size", LENGTHS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ELEMENTWISE)
def test_elementwise(benchmark: Any, name: str, dtype: str, size: int, n_threads: int) -> None:
    argument = element_input(name, size, dtype)
    out = np.empty_like(argument)
    function = getattr(fastlogit, name)
    check_elements(name, argument, function(argument, out, n_threads=n_threads))
    benchmark.group = f"{name} {dtype} {size:,}"
    benchmark(function, argument, out, n_threads=n_threads)


@pytest.mark.parametrize("size", LENGTHS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_scipy_expit(benchmark: Any, dtype: str, size: int) -> None:
    argument = element_input("sigmoid", size, dtype)
    out = np.empty_like(argument)
    check_elements("sigmoid", argument, special.expit(argument, out=out))
    benchmark.group = f"sigmoid {dtype} {size:,}"
    benchmark(special.expit, argument, out=out)


@pytest.mark.parametrize("size", LENGTHS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_numpy_copyto(benchmark: Any, dtype: str, size: int) -> None:
    argument = element_input("sigmoid", size, dtype)
    out = np.empty_like(argument)
    np.copyto(out, argument)
    assert np.array_equal(out, argument)
    benchmark.group = f"sigmoid {dtype} {size:,}"
    benchmark(np.copyto, out, argument)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("make_call", [cost_gradient_call, bare_pass_call])
def test_cost_gradient(
    benchmark: Any, make_call: Any, dtype: str, shape: tuple[int, int], n_threads: int
) -> None:
    problem = make_problem(shape, dtype)
    call = make_call(problem, n_threads)
    check_cost_gradient(problem, call())
    benchmark.group = f"pass {dtype} {shape}"
    benchmark(call)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("dtype", DTYPES)
def test_read_of_X(benchmark: Any, dtype: str, shape: tuple[int, int], n_threads: int) -> None:
    X = make_problem(shape, dtype).X
    call = read_call(X, n_threads)
    check_read(X, call())
    benchmark.group = f"pass {dtype} {shape}"
    benchmark(call)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_numpy_cost_gradient(benchmark: Any, shape: tuple[int, int]) -> None:
    """The oracle itself, for comparison; it is checked by a difference of its cost."""
    problem = make_problem(shape)
    arguments = (problem.X, problem.y, problem.coef, problem.intercept)
    _, gradient, _ = reference.cost_gradient(*arguments)
    step = 1e-5 * gradient
    plus = reference.cost(problem.X, problem.y, problem.coef + step, problem.intercept)
    minus = reference.cost(problem.X, problem.y, problem.coef - step, problem.intercept)
    np.testing.assert_allclose((plus - minus) / 2e-5, gradient @ gradient, rtol=1e-4)
    benchmark.group = f"pass float64 {shape}"
    benchmark(reference.cost_gradient, *arguments)
