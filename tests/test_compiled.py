"""`fastlogit.compiled` inside a user's own compiled code, and from plain Python."""

from __future__ import annotations

import re
from typing import Any

import numba
import numpy as np
import pytest
from problems import problem

import fastlogit
from fastlogit import compiled, reference

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
    func = getattr(compiled, name)

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
            out[0, i] = compiled.sigmoid(z[i])
            out[1, i] = compiled.log1p_exp(z[i])
            out[2, i] = compiled.log_sigmoid(z[i])
            out[3, i] = compiled.logit(p[i])
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
            total += compiled.log1p_exp(z[i]) - y[i] * z[i]
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
    func = getattr(compiled, name)

    @numba.njit
    def call(z: Any) -> Any:
        return func(z)

    for z in (1, 0, True, np.int8(1)):
        assert call(z) == getattr(fastlogit, name)(float(z))


@pytest.mark.jit
def test_a_type_that_is_not_real_does_not_compile() -> None:
    @numba.njit
    def call(z: Any) -> Any:
        return compiled.sigmoid(z)

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
    func, array_function = getattr(compiled, name), getattr(fastlogit, name)
    for z in (0.25, 1, np.float64(0.75), np.float32(0.25), np.nan):
        found = func(z)
        assert isinstance(found, np.float32 if isinstance(z, np.float32) else float)
        np.testing.assert_array_equal(found, array_function(z))
    with np.errstate(all="raise"):
        for z in (0.0, 1.0, -1e308, 1e308, np.inf, -np.inf, np.nan, -745.0):
            np.testing.assert_array_equal(func(z), array_function(z))


# ------------------------------------------------------------------------------------------------
# Fits, costs and probabilities

NONE = np.empty(0)


def resample(X: Any, y: Any, counts: Any, l2_reg: Any, coefs_out: Any, bounds_out: Any) -> None:
    """A user's function: fits of the same rows with other weights."""
    n_samples, n_features = X.shape
    none = np.empty(0)
    work = np.empty(compiled.small_work_size(n_samples, n_features))
    history = np.empty(101)
    for draw in range(len(counts)):
        found = compiled.fit_small(
            X, y, 1, counts[draw], none, l2_reg, 0.0, True, none, 1e-10, 100,
            work, history, coefs_out[draw, :n_features],
        )  # fmt: skip
        coefs_out[draw, n_features] = found.intercept
        bounds_out[draw] = found.bound if found.status == compiled.CONVERGED else np.inf


def test_fits_with_other_weights_are_those_of_fit(rng: np.random.Generator) -> None:
    X, y = problem(80, 3)[:2]
    y = y.astype(np.uint8)
    counts = rng.multinomial(80, np.full(80, 1 / 80), size=4).astype(np.float64)
    coefs, bounds = np.empty((4, 4)), np.empty(4)
    numba.njit(resample)(X, y, counts, np.full(3, 0.01), coefs, bounds)
    assert (bounds <= 1e-10).all()
    for weights, found in zip(counts, coefs, strict=True):
        wanted = fastlogit.fit(X, y, l2_reg=0.01, sample_weight=weights, tol=1e-10)
        np.testing.assert_allclose(found, np.append(wanted.coef, wanted.intercept), atol=1e-5)


def test_costs_hessians_and_probabilities_are_those_of_the_oracle() -> None:
    X, y, coef, intercept, weight = problem(50, 3)
    codes, l2, work = y.astype(np.uint8), np.full(3, 0.1), np.empty(100)
    gradient, hessian, proba = np.empty(4), np.empty((4, 4)), np.empty(50)
    cost = compiled.cost_gradient(X, codes, 1, weight, NONE, l2, coef, intercept, work, gradient)
    value, slopes, level = reference.cost_gradient(X, y, coef, intercept, 0.1, weight)
    assert cost == pytest.approx(value, rel=1e-13)
    np.testing.assert_allclose(gradient, np.append(slopes, level), rtol=1e-11, atol=1e-14)
    compiled.hessian(X, weight, NONE, l2, coef, intercept, work, hessian)
    wanted = reference.hessian(X, coef, intercept, 0.1, weight)
    np.testing.assert_allclose(hessian, wanted, rtol=1e-11, atol=1e-14)
    compiled.predict_proba(X, coef, intercept, NONE, proba)
    np.testing.assert_allclose(proba, reference.sigmoid(X @ coef + intercept), rtol=1e-13)


def test_arrays_that_do_not_match_give_nan_and_touch_nothing_else() -> None:
    X, y, coef, intercept, weight = problem(50, 3)
    codes, l2 = y.astype(np.uint8), np.full(3, 0.1)
    right = {"X": X, "y": codes, "positive": 1, "weight": weight, "offset": NONE, "l2": l2,
             "coef": coef, "intercept": intercept, "work": np.zeros(100)}  # fmt: skip
    for name, bad in (
        ("y", codes[:-1]), ("weight", weight[1:]), ("offset", np.zeros(3)), ("l2", np.zeros(4)),
        ("coef", np.zeros(2)), ("work", np.zeros(99)),
    ):  # fmt: skip
        given = right | {name: bad}
        gradient = np.zeros(4)
        assert np.isnan(compiled.cost_gradient(*given.values(), gradient))
        assert np.isnan(gradient).all()
        assert not given["work"].any()
        if name != "y":
            hessian = np.zeros((4, 4))
            rest = [given[key] for key in given if key not in ("y", "positive")]
            compiled.hessian(*rest, hessian)
            assert np.isnan(hessian).all()
    for shape in (3, 5):
        gradient, hessian = np.zeros(shape), np.zeros((4, shape))
        assert np.isnan(compiled.cost_gradient(*right.values(), gradient))
        rest = [right[key] for key in right if key not in ("y", "positive")]
        compiled.hessian(*rest, hessian)
        assert np.isnan(gradient).all()
        assert np.isnan(hessian).all()
    for given in ((coef[:2], NONE, 50), (coef, np.zeros(49), 50), (coef, NONE, 49)):
        proba = np.zeros(given[2])
        compiled.predict_proba(X, given[0], intercept, given[1], proba)
        assert np.isnan(proba).all()
    assert not right["work"].any()


def test_every_public_name_is_documented() -> None:
    for name in compiled.__all__:
        value = getattr(compiled, name)
        assert isinstance(value, int) or len(value.__doc__.splitlines()) > 3, name
