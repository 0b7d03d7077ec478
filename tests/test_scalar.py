"""The scalar functions inside a user's own compiled code, and from plain Python."""

from __future__ import annotations

import re
from typing import Any

import numba
import numpy as np
import pytest

import fastlogit
from fastlogit import scalar

JIT = not numba.config.DISABLE_JIT
SIZE = 20_003 if JIT else 60
NAMES = ["sigmoid", "log1p_exp", "log_sigmoid", "logit"]
DTYPES = [np.float64, np.float32]
EPSILONS = 4


def arguments(rng: np.random.Generator, dtype: Any) -> tuple[Any, Any]:
    """Draw raw predictions and probabilities, with their ends."""
    z, p = 3.0 * rng.standard_normal(SIZE), rng.random(SIZE)
    z[:4], p[:4] = [0.0, np.inf, -np.inf, np.nan], [0.0, 0.5, 1.0, np.nan]
    return z.astype(dtype), p.astype(dtype)


def user_loop(name: str, **options: Any) -> Any:
    """What a user would write, with numba's defaults unless `options` say otherwise."""
    func = getattr(scalar, name)

    @numba.njit(**options)
    def apply(z: Any) -> Any:
        out = np.empty_like(z)
        for i in numba.prange(z.size):
            out[i] = func(z[i])
        return out

    return apply


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("parallel", [False, True])
def test_inside_a_users_function(parallel: bool, dtype: Any, rng: np.random.Generator) -> None:
    @numba.njit(parallel=parallel)
    def apply(z: Any, p: Any) -> Any:
        out = np.empty((4, z.size), z.dtype)
        for i in numba.prange(z.size):
            out[0, i] = scalar.sigmoid(z[i])
            out[1, i] = scalar.log1p_exp(z[i])
            out[2, i] = scalar.log_sigmoid(z[i])
            out[3, i] = scalar.logit(p[i])
        return out

    z, p = arguments(rng, dtype)
    for name, found in zip(NAMES, apply(z, p), strict=True):
        expected = getattr(fastlogit, name)(p if name == "logit" else z)
        np.testing.assert_array_equal(found, expected, err_msg=name)


def test_a_reduction_in_a_users_parallel_function(rng: np.random.Generator) -> None:
    @numba.njit(parallel=True)
    def mean_cost(z: Any, y: Any) -> Any:
        total = 0.0
        for i in numba.prange(z.size):
            total += scalar.log1p_exp(z[i]) - y[i] * z[i]
        return total / z.size

    z, y = rng.standard_normal(SIZE), rng.integers(0, 2, SIZE)
    expected = np.mean(np.logaddexp(0.0, z) - y * z)
    np.testing.assert_allclose(mean_cost(z, y), expected, rtol=1e-12)


def test_a_users_fastmath_does_not_break_the_rounding(rng: np.random.Generator) -> None:
    """The formulas keep their own flags where they are inlined."""
    z = 100.0 * rng.standard_normal(SIZE)
    found = user_loop("sigmoid", fastmath=True)(z)
    expected = fastlogit.sigmoid(z)
    np.testing.assert_array_less(
        np.abs(found - expected), EPSILONS * np.spacing(expected) + np.spacing(0.0)
    )


@pytest.mark.parametrize("name", NAMES)
def test_integers_and_bool_count_as_float64(name: str) -> None:
    func = getattr(scalar, name)

    @numba.njit
    def call(z: Any) -> Any:
        return func(z)

    for z in (1, 0, True, np.int8(1)):
        assert call(z) == getattr(fastlogit, name)(float(z))


@pytest.mark.jit
def test_a_type_that_is_not_real_does_not_compile() -> None:
    @numba.njit
    def call(z: Any) -> Any:
        return scalar.sigmoid(z)

    with pytest.raises(numba.TypingError):
        call(1j)


@pytest.mark.jit
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_a_users_loop_becomes_vector_code(name: str, dtype: Any) -> None:
    apply = user_loop(name, boundscheck=False)
    apply(np.ones(3, dtype=dtype))
    (code,) = apply.inspect_llvm().values()
    element = "double" if dtype is np.float64 else "float"
    other = "float" if dtype is np.float64 else "double"
    # All four divide: a division of whole vectors, in the precision of the argument.
    assert re.search(rf"fdiv contract <\d+ x {element}>", code)
    assert not re.search(rf"fdiv contract (<\d+ x )?{other}", code)


@pytest.mark.parametrize("name", NAMES)
def test_from_plain_python(name: str) -> None:
    func, array_function = getattr(scalar, name), getattr(fastlogit, name)
    for z in (0.25, 1, np.float64(0.75), np.float32(0.25), np.nan):
        found = func(z)
        assert isinstance(found, np.float32 if isinstance(z, np.float32) else float)
        np.testing.assert_array_equal(found, array_function(z))
    with np.errstate(all="raise"):
        for z in (0.0, 1.0, -1e308, 1e308, np.inf, -np.inf, np.nan, -745.0):
            np.testing.assert_array_equal(func(z), array_function(z))
