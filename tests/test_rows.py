"""The block kernels, each alone, against the oracle or against plain sums."""

from typing import Any

import numpy as np
import pytest

from fastlogit import reference
from fastlogit.kernels import rows
from fastlogit.kernels.policy import formula
from fastlogit.kernels.simd import LANES

EXTREMES = np.concatenate(
    [
        [0.0, 5e-324, 1e-308, 1e-17, 1e-9, 0.5, 1.0, 36.0, 37.5, 708.0, 709.9, 744.9, 745.2, 746.0],
        [1e4, 1e15, 1e300, 1e308, 1.7976931348623157e308, np.inf],
        np.random.default_rng(3).exponential(20.0, 212),
    ]
)
Z = np.concatenate([-EXTREMES, EXTREMES])


@formula
def residual_of(raw: Any, codes: Any, positive: int, costs: Any) -> None:
    rows.exponentials(raw, raw.size, costs)
    rows.binomial_residual(raw, 0, codes, 0, 0, positive, raw.size, costs)


@formula
def other_residuals(squared: Any, linear: Any, squared_costs: Any, linear_costs: Any) -> None:
    rows.squared_residual(squared, 0, squared.size, squared_costs)
    rows.linear_residual(linear, 0, linear.size, linear_costs)


@formula
def weighed(weights: Any, first: int, costs: Any, residual: Any) -> None:
    rows.weigh(weights, 0, first, costs, 0, costs.size)
    rows.weigh(weights, 0, first, residual, 0, residual.size)


@formula
def block_sum(values: Any, at: int, count: int) -> float:
    return rows.sum_block(values, at, count)


@formula
def slots(width: int, packed: int, slots_out: Any) -> int:
    for column in range(slots_out.size):
        slots_out[column] = rows.unpack_slot(column, width, packed)
    return rows.packed_width(slots_out.size)


@formula
def gathered(X: Any, swapped: bool, start: int, count: int, width: int, out: Any, to: int) -> None:
    rows.gather(X, swapped, start, count, width, out, to)


@pytest.mark.parametrize("target", [0, 1])
def test_cost_and_residual_match_the_oracle_at_every_size_of_z(target) -> None:
    raw, costs = Z.copy(), np.empty_like(Z)
    with np.errstate(all="ignore"):  # for plain Python under NUMBA_DISABLE_JIT
        residual_of(raw, np.full((1, Z.size), target, dtype=np.uint8), 1, costs)
        margin = Z if target else -Z
        expected = (1 - 2 * target) * reference.sigmoid(-margin)
        expected_cost = reference.log1p_exp(-margin)
    # 4 ulp, of subnormal results too.
    for actual, wanted in ((raw, expected), (costs, expected_cost)):
        finite = np.isfinite(wanted)
        np.testing.assert_array_equal(actual[~finite], wanted[~finite])
        ulp = np.spacing(np.minimum(np.abs(wanted[finite]), 1e308))
        error = np.abs(actual[finite] - wanted[finite])
        assert (error <= 4 * ulp).all()


def test_a_nan_stays_a_nan() -> None:
    raw, costs = np.array([np.nan, np.nan]), np.empty(2)
    residual_of(raw, np.array([[0, 1]], dtype=np.uint8), 1, costs)
    assert np.isnan(raw).all()
    assert np.isnan(costs).all()


def test_any_code_can_count_as_one() -> None:
    codes = np.array([[0, 5, 2, 5, 300]], dtype=np.int32)
    for positive in (0, 5, 300):
        raw, costs = np.full(5, 0.7), np.empty(5)
        residual_of(raw, codes, positive, costs)
        expected = reference.sigmoid(0.7) - (codes[0] == positive)
        np.testing.assert_allclose(raw, expected, rtol=1e-15)


def test_squared_and_linear_losses() -> None:
    z = np.linspace(-3.0, 3.0, 7)
    squared, linear, costs = z.copy(), z.copy(), np.empty((2, 7))
    other_residuals(squared, linear, costs[0], costs[1])
    np.testing.assert_array_equal(squared, z)
    np.testing.assert_array_equal(costs[0], 0.5 * z * z)
    np.testing.assert_array_equal(linear, np.ones(7))
    np.testing.assert_array_equal(costs[1], z)


def test_a_weight_of_zero_silences_even_an_infinite_cost() -> None:
    costs, residual = np.array([2.0, np.inf, np.nan]), np.array([1.0, np.inf, np.nan])
    weighed(np.array([[9.0, 3.0, 0.0, 0.0]]), 1, costs, residual)
    np.testing.assert_array_equal(costs, [6.0, 0.0, 0.0])
    np.testing.assert_array_equal(residual, [3.0, 0.0, 0.0])


@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 16, 31, 32])
def test_block_sum(rng, count) -> None:
    values = rng.standard_normal(40)
    for at in (0, 3):
        expected = values[at : at + count].sum()
        assert block_sum(values, at, count) == pytest.approx(expected, abs=1e-14)


@pytest.mark.parametrize("n_features", range(1, 41))
def test_packed_columns_lie_where_whole_vectors_meet_the_row(n_features) -> None:
    out = np.empty(n_features, dtype=np.int64)
    packed = slots(n_features, 8, out)
    assert packed % LANES == 0
    assert n_features <= packed < n_features + LANES
    for width in {packed, max(n_features, LANES)}:
        slots(width, packed, out)
        starts = [*range(0, packed - LANES, LANES), width - LANES]
        columns = np.concatenate([np.arange(start, start + LANES) for start in starts])
        np.testing.assert_array_equal(columns[out], np.arange(n_features))


@pytest.mark.parametrize("swapped", [False, True])
def test_gather_copies_rows_and_leaves_the_padding(rng, swapped) -> None:
    X = np.asfortranarray(rng.standard_normal((9, 3)))
    X.flags.writeable = False
    given = X.byteswap() if swapped else X
    out = np.full(5 + 4 * 8, -1.0)
    gathered(given, swapped, 2, 4, 8, out, 5)
    block = out[5:].reshape(4, 8)
    np.testing.assert_array_equal(block[:, :3], X[2:6])
    assert (block[:, 3:] == -1.0).all()
    assert (out[:5] == -1.0).all()
