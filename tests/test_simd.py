"""The vector operations, against their plain NumPy twins."""

from typing import Any

import numpy as np
import pytest

from fastlogit.kernels import simd
from fastlogit.kernels.policy import formula

LANES = simd.LANES


@formula
def load_at(values: Any, place: int, out: Any) -> None:
    simd.store(out, 0, simd.load(values, place))


@formula
def store_at(values: Any, place: int, out: Any) -> None:
    simd.store(out, place, simd.load(values, 0))


@formula
def arithmetic(a: Any, b: Any, number: float, out: Any) -> None:
    left, right = simd.load(a, 0), simd.load(b, 0)
    simd.store(out, 0, simd.add(left, right))
    simd.store(out, LANES, simd.subtract(left, right))
    simd.store(out, 2 * LANES, simd.multiply_add(left, right, simd.splat(number)))
    simd.store(out, 3 * LANES, simd.splat(number))


@formula
def quotient_and_larger(a: Any, b: Any, out: Any) -> None:
    left, right = simd.load(a, 0), simd.load(b, 0)
    simd.store(out, 0, simd.divide(left, right))
    simd.store(out, LANES, simd.maximum(left, right))


@formula
def broadcast_from(values: Any, place: int, out: Any) -> None:
    simd.store(out, 0, simd.broadcast(values, place))


@formula
def lane_total(values: Any) -> float:
    return simd.total(simd.load(values, 0))


@formula
def four_totals(values: Any, place: int, shift: float, out: Any) -> None:
    a, b = simd.load(values, 0), simd.load(values, LANES)
    c, d = simd.load(values, 2 * LANES), simd.load(values, 3 * LANES)
    simd.store_totals(out, place, a, b, c, d, shift)


@formula
def four_added(values: Any, place: int, width: int, out: Any) -> None:
    a, b = simd.load(values, 0), simd.load(values, LANES)
    c, d = simd.load(values, 2 * LANES), simd.load(values, 3 * LANES)
    simd.add_totals(out, place, width, a, b, c, d)


@formula
def ask_for(values: Any, place: int) -> float:
    simd.prefetch(values, place)
    simd.prefetch_l2(values, place)
    return values[0]


@formula
def first_aligned(values: Any) -> int:
    return simd.aligned(values)


@formula
def swap_all(values: Any, out: Any) -> None:
    for index in range(values.size):
        out[index] = simd.byteswap(values[index])


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_load_takes_eight_numbers_from_any_place_as_float64(rng, dtype) -> None:
    values, out = rng.standard_normal(20).astype(dtype), np.empty(LANES)
    for place in (0, 1, 3, 12):
        load_at(values, place, out)
        np.testing.assert_array_equal(out, values[place : place + LANES].astype(np.float64))
        np.testing.assert_array_equal(out, simd._plain_load(values, place))


def test_store_touches_eight_numbers_and_no_more(rng) -> None:
    values = rng.standard_normal(LANES)
    for place in (0, 1, 5, 12):
        out, expected = np.full(20, -7.0), np.full(20, -7.0)
        store_at(values, place, out)
        simd._plain_store(expected, place, values)
        np.testing.assert_array_equal(out, expected)


def test_broadcast_fills_all_lanes_with_one_number(rng) -> None:
    values, out = rng.standard_normal(5), np.empty(LANES)
    for place in range(5):
        broadcast_from(values, place, out)
        np.testing.assert_array_equal(out, np.full(LANES, values[place]))
        np.testing.assert_array_equal(out, simd._plain_broadcast(values, place))


def test_arithmetic_is_that_of_each_lane(rng) -> None:
    # Whole numbers: multiply_add rounds once or twice as the machine likes, here it need not round.
    a, b = rng.integers(-1000, 1000, (2, LANES)).astype(np.float64)
    out = np.empty(4 * LANES)
    arithmetic(a, b, 5.0, out)
    np.testing.assert_array_equal(
        out, np.concatenate([a + b, a - b, a * b + 5.0, np.full(LANES, 5.0)])
    )


def test_quotients_and_the_larger_of_two(rng) -> None:
    a, b = rng.standard_normal((2, LANES))
    out = np.empty(2 * LANES)
    quotient_and_larger(a, b, out)
    np.testing.assert_array_equal(out, np.concatenate([a / b, np.maximum(a, b)]))
    np.testing.assert_array_equal(out[:LANES], simd._plain_divide(a, b))
    np.testing.assert_array_equal(out[LANES:], simd._plain_maximum(a, b))
    a[3], b[5] = np.nan, np.nan
    quotient_and_larger(a, b, out)
    np.testing.assert_array_equal(out[LANES:], simd._plain_maximum(a, b))
    assert out[LANES + 3] == b[3]
    assert np.isnan(out[LANES + 5])


def test_plain_twins_do_the_same(rng) -> None:
    a, b = rng.standard_normal((2, LANES))
    np.testing.assert_array_equal(simd._plain_add(a, b), a + b)
    np.testing.assert_array_equal(simd._plain_subtract(a, b), a - b)
    np.testing.assert_array_equal(
        simd._plain_multiply_add(a, b, simd._plain_splat(2.0)), a * b + 2.0
    )
    assert simd._plain_prefetch(a, 0) is None


def test_nothing_is_reordered_or_assumed_finite() -> None:
    a = np.array([np.inf, -np.inf, np.nan, 1e308, -1e308, 5e-324, -0.0, 1.0])
    out = np.empty(4 * LANES)
    with np.errstate(all="ignore"):
        arithmetic(a, a, 0.0, out)
        np.testing.assert_array_equal(out[:LANES], a + a)
        np.testing.assert_array_equal(out[LANES : 2 * LANES], a - a)


def test_total_adds_in_one_fixed_order(rng) -> None:
    for scale in (1.0, 1e16, 1e300):
        values = rng.standard_normal(LANES) * (np.logspace(-11, -1, LANES) * scale)
        low = [(values[i] + values[i + 4]) + (values[i + 2] + values[i + 6]) for i in range(2)]
        assert lane_total(values) == low[0] + low[1]
        assert simd._plain_total(values) == low[0] + low[1]


def test_four_totals_have_the_bits_of_each_alone(rng) -> None:
    values = rng.standard_normal(4 * LANES) * np.tile(np.logspace(-11, -1, LANES), 4) * 1e16
    out = np.full(8, -1.0)
    four_totals(values, 3, 0.7, out)
    expected = [lane_total(values[start:]) + 0.7 for start in range(0, 4 * LANES, LANES)]
    np.testing.assert_array_equal(out, [-1.0] * 3 + expected + [-1.0])


def test_four_totals_added_have_the_bits_of_each_alone(rng) -> None:
    values = rng.standard_normal(4 * LANES) * np.tile(np.logspace(-11, -1, LANES), 4) * 1e16
    out = rng.standard_normal(9) * 1e15
    before = out.copy()
    four_added(values, 1, 5, out)
    totals = [lane_total(values[start:]) for start in range(0, 4 * LANES, LANES)]
    before[[1, 2, 6, 7]] += totals
    np.testing.assert_array_equal(out, before)


def test_prefetch_changes_nothing_even_beyond_the_end() -> None:
    values = np.arange(8.0)
    for place in (0, 7, 2048, 10**6):
        assert ask_for(values, place) == 0.0
    np.testing.assert_array_equal(values, np.arange(8.0))


@pytest.mark.parametrize("dtype", ["f4", "f8", "i2", "i8", "u4", "u1", "bool"])
def test_byteswap_reads_foreign_byte_order(rng, dtype) -> None:
    native = (rng.standard_normal(5) * 100).clip(0, 200).astype(dtype)
    foreign = native.astype(np.dtype(dtype).newbyteorder(">"))
    out = np.empty(5, dtype=dtype)
    swap_all(native.byteswap(), out)
    np.testing.assert_array_equal(out, foreign.astype(dtype))
    assert simd._plain_byteswap(native.byteswap()[2]) == native[2]


def test_aligned_is_the_first_number_at_a_cache_line() -> None:
    values = np.zeros(40)
    for start in range(20):
        some = values[start:]
        place = first_aligned(some)
        assert 0 <= place < LANES
        assert some[place:].ctypes.data % 64 == 0
