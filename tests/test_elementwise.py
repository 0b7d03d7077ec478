"""sigmoid, log1p_exp, log_sigmoid, logit for arrays: accuracy, limits, twins, out=, bad input."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mpmath
import numba
import numpy as np
import pytest

import fastlogit
from fastlogit.kernels import elementwise as kernels
from fastlogit.kernels.policy import formula

JIT = not numba.config.DISABLE_JIT
POINTS = 700 if JIT else 60
NAMES = ["sigmoid", "log1p_exp", "log_sigmoid", "logit"]
DTYPES = [np.float64, np.float32]
# Points where a search (all of float32, 6e7 of float64) found the largest errors.
HARD = {
    "sigmoid": [-4.492612057378316, -6.930544918784571, -6.2368665159169385, -6.237699],
    "log1p_exp": [-0.8056292208550708, -0.8051964832908077, -1.2646601, 0.34509096],
    "log_sigmoid": [0.8219726821342923, 0.8286928856677389, 1.2646601, -0.34509096],
    "logit": [0.4124295430884081, 0.40995255, 0.5857, 0.4999999],
}
EXACT: dict[str, Callable[[Any], Any]] = {
    "sigmoid": lambda z: 1 / (1 + mpmath.exp(-z)),
    "log1p_exp": lambda z: mpmath.log1p(mpmath.exp(z)),
    "log_sigmoid": lambda z: -mpmath.log1p(mpmath.exp(-z)),
    "logit": lambda p: mpmath.log(p) - mpmath.log1p(-p),
}


@formula
def log1p_positive_array(t: Any, out: Any) -> None:
    for place in range(t.size):
        out[place] = kernels.log1p_positive(t[place])


def array_function(name: str) -> Callable[..., Any]:
    found: Callable[..., Any] = getattr(fastlogit, name)
    return found


def usual_points(name: str, size: int, rng: np.random.Generator) -> Any:
    return rng.random(size) if name == "logit" else 3.0 * rng.standard_normal(size)


def hard_points(name: str, dtype: Any, rng: np.random.Generator) -> Any:
    """Random points on every scale of the argument, the ends, and subnormal results."""
    info = np.finfo(dtype)
    smallest = np.log(float(info.smallest_subnormal))
    tiny = np.exp(rng.uniform(smallest, -1.0, POINTS))
    if name == "logit":
        near = [info.smallest_subnormal, info.tiny, 0.5 - info.epsneg, 0.5 + info.eps]
        last = [1.0 - info.epsneg, 1.0 - 5 * info.epsneg]
        spread = [rng.random(POINTS), 0.5 + 0.25 * rng.uniform(-1, 1, POINTS), tiny, 1.0 - tiny]
        points = np.concatenate([*spread, near, last, HARD[name]]).astype(dtype)
        return points[(points > 0.0) & (points < 1.0) & (points != 0.5)]
    ends = [0.0, -0.0, 1.0, info.tiny, info.max, info.smallest_subnormal, smallest]
    near = [smallest - 0.7, smallest - 5.0, np.log(float(info.tiny)), np.log(float(info.eps))]
    spread = [
        2.0 * rng.standard_normal(POINTS),
        rng.uniform(smallest - 2.0, 40.0, POINTS),
        rng.uniform(smallest - 2.0, np.log(float(info.tiny)), POINTS),
        tiny,
    ]
    points = np.concatenate([*spread, ends, near]).astype(dtype)
    return np.concatenate([points, -points, np.array(HARD[name], dtype=dtype)])


def largest_ulp_error(found: Any, points: Any, exact: Callable[[Any], Any]) -> float:
    """Error in units of the last place that the exact result has in the dtype of `found`."""
    worst = 0.0
    limits = np.finfo(found.dtype)
    # Wide enough for log1p(e^-745): mpmath adds the 1.
    with mpmath.workprec(200):
        for value, point in zip(found.tolist(), points.tolist(), strict=True):
            truth = exact(mpmath.mpf(point))
            _, exponent = mpmath.frexp(truth)
            unit = mpmath.ldexp(1, max(exponent, limits.minexp + 1) - limits.nmant - 1)
            worst = max(worst, float(abs(mpmath.mpf(value) - truth) / unit))
    return worst


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_error_is_at_most_2_ulp(name: str, dtype: Any, rng: np.random.Generator) -> None:
    points = hard_points(name, dtype, rng)
    found = array_function(name)(points)
    assert found.dtype == dtype
    assert np.isfinite(found).all()
    assert largest_ulp_error(found, points, EXACT[name]) <= 2.0


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("sigmoid", [-np.inf, -1e4, 0.0, -0.0, 1e4, np.inf], [0.0, 0.0, 0.5, 0.5, 1.0, 1.0]),
        ("log1p_exp", [-np.inf, -1e4, 1e4, np.inf], [0.0, 0.0, 1e4, np.inf]),
        ("log_sigmoid", [-np.inf, -1e4, 1e4, np.inf], [-np.inf, -1e4, 0.0, 0.0]),
        (
            "logit",
            [0.0, -0.0, 0.5, 1.0, -0.5, 1.5, np.inf, -np.inf],
            [-np.inf, -np.inf, 0.0, np.inf, np.nan, np.nan, np.nan, np.nan],
        ),
    ],
)
def test_limits_are_exact(
    name: str, arguments: list[float], expected: list[float], dtype: Any
) -> None:
    found = array_function(name)(np.array(arguments, dtype=dtype))
    np.testing.assert_array_equal(found, np.array(expected, dtype=dtype))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_nan_gives_nan(name: str, dtype: Any) -> None:
    quiet = np.array([np.nan, -np.nan], dtype=dtype)
    assert np.isnan(array_function(name)(np.tile(quiet, 9))).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_no_warning_whatever_numpy_is_set_to(name: str, dtype: Any) -> None:
    limits = np.finfo(dtype)
    ends = [np.nan, np.inf, -np.inf, 0.0, 1.0, 0.5, limits.max, limits.min, limits.tiny, -740.0]
    points = np.array([*ends, -95.0, limits.smallest_subnormal], dtype=dtype)
    with np.errstate(all="raise"), warnings.catch_warnings():
        warnings.simplefilter("error")
        array_function(name)(points)
        array_function(name)(points, out=points.copy())
        for point in points:
            array_function(name)(point)


@pytest.mark.parametrize("dtype", DTYPES)
def test_sigmoid_is_monotonic_enough_and_symmetric(dtype: Any) -> None:
    z = np.linspace(-90.0, 90.0, 4 * POINTS, dtype=dtype)
    found = fastlogit.sigmoid(z)
    assert (np.diff(found) >= -2.0 * np.spacing(found[1:])).all()
    np.testing.assert_allclose(found + fastlogit.sigmoid(-z), 1.0, rtol=2 * np.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_twins_give_the_same_bits(name: str, dtype: Any, rng: np.random.Generator) -> None:
    size = 3 * kernels.CHUNK + 5 if JIT else 50
    points = usual_points(name, size, rng).astype(dtype)
    loops = getattr(kernels, f"{name}_array")
    results = []
    for parallel in (False, True):
        out, in_place = np.empty_like(points), points.copy()
        loops.copying.choose(parallel)(points, out)
        loops.in_place.choose(parallel)(in_place)
        results += [out, in_place]
    for other in results[1:]:
        np.testing.assert_array_equal(results[0], other)


@pytest.mark.parametrize("name", NAMES)
def test_thread_count_does_not_change_bits(name: str, rng: np.random.Generator) -> None:
    points = usual_points(name, 300_001 if JIT else 50, rng)
    alone = array_function(name)(points, n_threads=1)
    team = array_function(name)(points, n_threads=numba.config.NUMBA_NUM_THREADS)
    np.testing.assert_array_equal(alone, team)
    np.testing.assert_array_equal(alone, array_function(name)(points))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_place_in_the_array_does_not_change_bits(
    name: str, dtype: Any, rng: np.random.Generator
) -> None:
    """Vector code and the scalar code of the last elements agree."""
    points = usual_points(name, 67, rng).astype(dtype)
    whole = array_function(name)(points)
    one_by_one = [array_function(name)(points[i : i + 1])[0] for i in range(points.size)]
    np.testing.assert_array_equal(whole, np.array(one_by_one))


# ------------------------------------------------------------------------------------------------
# What only kernels call


def test_log1p_positive_on_every_scale(rng: np.random.Generator) -> None:
    """Near 0, where 1 + t loses t; at the powers of 2, where its exponent changes; up to 1e300."""
    powers = 2.0 ** np.arange(-60, 996, 6)
    spread = [
        np.exp(rng.uniform(np.log(5e-324), np.log(1e300), POINTS)),
        rng.uniform(0.0, 20.0, POINTS),
        *(powers + change * np.spacing(powers) for change in (-1.0, 0.0, 1.0)),
        *(np.abs(powers - 1.0 + change * np.spacing(powers)) for change in (-1.0, 0.0, 1.0)),
        [0.0, 5e-324, 1e-308, np.sqrt(2.0) - 1.0, 1.0, 1.0 + 2**-52, 1e16, 1e300],
    ]
    points = np.concatenate(spread)
    found = np.empty_like(points)
    log1p_positive_array(points, found)
    assert largest_ulp_error(found, points, mpmath.log1p) <= 1.5
    ordered = np.sort(points)
    log1p_positive_array(ordered, found)
    assert (np.diff(found) >= -2.0 * np.spacing(found[1:])).all()


def test_log1p_positive_of_nan_and_zero() -> None:
    found = np.empty(3)
    log1p_positive_array(np.array([np.nan, 0.0, -0.0]), found)
    np.testing.assert_array_equal(found, [np.nan, 0.0, 0.0])


# ------------------------------------------------------------------------------------------------
# Shapes, layouts, dtypes


@pytest.mark.parametrize("shape", [(), (0,), (0, 3), (1,), (7,), (2, 3), (2, 3, 4)])
def test_any_shape(shape: tuple[int, ...], rng: np.random.Generator) -> None:
    z = np.asarray(rng.standard_normal(shape))
    found = fastlogit.sigmoid(z)
    assert np.shape(found) == shape
    assert isinstance(found, np.ndarray if shape else np.float64)
    np.testing.assert_array_equal(found, fastlogit.sigmoid(z.ravel()).reshape(shape))


@pytest.mark.parametrize("number", [0.3, 2, True, np.float64(0.3), np.int8(-3)])
def test_numbers_give_float64(number: Any) -> None:
    found = fastlogit.sigmoid(number)
    assert type(found) is np.float64
    assert found == fastlogit.sigmoid([float(number)])[0]


def test_float32_number_gives_float32() -> None:
    assert type(fastlogit.logit(np.float32(0.25))) is np.float32


def layouts(z: Any) -> dict[str, Any]:
    read_only = z.copy()
    read_only.flags.writeable = False
    wide = np.zeros((z.shape[0], 2 * z.shape[1]), dtype=z.dtype)
    wide[:, ::2] = z
    unaligned = np.zeros(z.nbytes + 1, dtype=np.uint8)[1:].view(z.dtype).reshape(z.shape)
    unaligned[...] = z
    return {
        "F": np.asfortranarray(z),
        "strided": wide[:, ::2],
        "reversed": np.ascontiguousarray(z[::-1])[::-1],
        "broadcast row": np.broadcast_to(z[:1], z.shape),
        "read-only": read_only,
        "big-endian": z.astype(z.dtype.newbyteorder(">")),
        "unaligned": unaligned,
        "list": z.tolist(),
    }


@pytest.mark.parametrize("layout", list(layouts(np.zeros((2, 2)))))
@pytest.mark.parametrize("out_layout", [None, "C", "F", "strided"])
def test_any_layout(layout: str, out_layout: str | None, rng: np.random.Generator) -> None:
    z = rng.standard_normal((5, 6))
    given = layouts(z)[layout]
    expected = fastlogit.sigmoid(np.array(given, dtype=np.float64, order="C"))
    places = {"C": np.empty((5, 6)), "F": np.empty((6, 5)).T, "strided": np.empty((10, 6))[::2]}
    out = places[out_layout] if out_layout else None
    before = np.array(given)
    found = fastlogit.sigmoid(given, out=out)
    assert out is None or found is out
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(given, before)


def test_big_endian_float32_stays_float32() -> None:
    found = fastlogit.sigmoid(np.array([0.0, 1.0], dtype=">f4"))
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, fastlogit.sigmoid(np.array([0.0, 1.0], np.float32)))


@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint8, np.int32, np.uint64, np.int64])
def test_integers_and_bool_become_float64(dtype: Any) -> None:
    z = np.array([[0, 1], [1, 0]], dtype=dtype)
    np.testing.assert_array_equal(fastlogit.sigmoid(z), fastlogit.sigmoid(z.astype(np.float64)))


def test_memory_mapped_input_and_output(tmp_path: Path, rng: np.random.Generator) -> None:
    z = rng.standard_normal(40)
    z.tofile(tmp_path / "z")
    mapped = np.memmap(tmp_path / "z", dtype=np.float64, mode="r")
    out = np.memmap(tmp_path / "out", dtype=np.float64, mode="w+", shape=(40,))
    assert type(fastlogit.sigmoid(mapped)) is np.ndarray
    assert fastlogit.sigmoid(mapped, out=out) is out
    np.testing.assert_array_equal(out, fastlogit.sigmoid(z))


# ------------------------------------------------------------------------------------------------
# out=


@pytest.mark.parametrize("name", NAMES)
def test_out_may_be_the_input(name: str, rng: np.random.Generator) -> None:
    z = usual_points(name, 100, rng)
    expected = array_function(name)(z)
    assert array_function(name)(z, out=z) is z
    np.testing.assert_array_equal(z, expected)


def test_out_may_be_the_input_where_it_is_strided(rng: np.random.Generator) -> None:
    z = rng.standard_normal((6, 8))[::2, ::2]
    expected = fastlogit.sigmoid(z)
    np.testing.assert_array_equal(fastlogit.sigmoid(z, out=z), expected)


@pytest.mark.parametrize(("source", "target"), [(0, 1), (1, 0)])
def test_out_may_overlap_the_input(source: int, target: int, rng: np.random.Generator) -> None:
    memory = rng.standard_normal(101)
    z, out = memory[source : source + 100], memory[target : target + 100]
    expected = fastlogit.sigmoid(z)
    np.testing.assert_array_equal(fastlogit.sigmoid(z, out=out), expected)


def test_out_may_be_the_reversed_input(rng: np.random.Generator) -> None:
    z = rng.standard_normal(10)
    expected = fastlogit.sigmoid(z)
    np.testing.assert_array_equal(fastlogit.sigmoid(z, out=z[::-1]), expected)


def test_out_without_dimensions() -> None:
    out = np.empty(())
    assert fastlogit.sigmoid(0.0, out=out) is out
    assert out == 0.5


def read_only(size: int) -> Any:
    out = np.empty(size)
    out.flags.writeable = False
    return out


@pytest.mark.parametrize(
    ("out", "error", "text"),
    [
        (np.empty(3), ValueError, r"shape \(2,\), as the input, got \(3,\)"),
        (np.empty((1, 2)), ValueError, r"shape \(2,\)"),
        (np.empty(2, np.float32), TypeError, "dtype float64, as the result, got float32"),
        (np.empty(2, ">f8"), TypeError, "dtype float64"),
        (read_only(2), ValueError, "read-only"),
        ([0.0, 0.0], TypeError, "must be a numpy.ndarray, got list"),
        (np.ma.masked_array([0.0, 0.0]), TypeError, "got MaskedArray"),
    ],
)
def test_unsuitable_out(out: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        fastlogit.sigmoid([1.0, 2.0], out=out)


# ------------------------------------------------------------------------------------------------
# Bad input


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("values", "text"),
    [
        (np.zeros(2, complex), "got dtype complex128"),
        (np.array(["1.0"]), "got dtype <U3"),
        (np.array(["2026-01-01"], "datetime64[D]"), "dtype datetime64"),
        (np.ma.masked_array([1.0, 2.0], [True, False]), "masked"),
        ("a", "got dtype <U1"),
    ],
)
def test_unsuitable_input(name: str, values: Any, text: str) -> None:
    with pytest.raises(TypeError, match=text) as caught:
        array_function(name)(values)
    assert str(caught.value).startswith(name)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("values", "text"),
    [
        (np.array([1.0, None]), r"contains None \(row 1\)"),
        (None, "contains None"),
        (10**400, "dtype object: it holds a whole number of 1329 bits"),
    ],
)
def test_values_that_are_no_numbers(name: str, values: Any, text: str) -> None:
    with pytest.raises(ValueError, match=text) as caught:
        array_function(name)(values)
    assert str(caught.value).startswith(name)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", [np.float16, np.longdouble, object])
def test_other_numbers_are_converted(name: str, dtype: Any) -> None:
    values = np.array([0.25, 0.5])
    found = array_function(name)(values.astype(dtype))
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, array_function(name)(values))


@pytest.mark.parametrize(
    ("n_threads", "error"), [(0, ValueError), (10**6, ValueError), (1.5, TypeError)]
)
def test_bad_thread_count(n_threads: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="n_threads"):
        fastlogit.sigmoid([1.0], n_threads=n_threads)
