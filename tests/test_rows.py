"""The block kernels, each alone, against the oracle or against plain sums."""

from typing import Any

import numpy as np
import pytest

from fastlogit import reference
from fastlogit.kernels import rows
from fastlogit.kernels.elements import elements_of
from fastlogit.kernels.passes import Rows
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
def softmax_residuals(
    raw: Any, block: Any, model: int, codes: Any, group: int, positive: Any, costs: Any, work: int,
    curvature: Any,
) -> None:  # fmt: skip
    rows.softmax_residual(raw, block, model, 3, codes, group, positive, costs, work, curvature)


@formula
def softmax_products(
    raw: Any, block: Any, model: int, curvature: Any, costs: Any, work: int
) -> None:
    rows.softmax_product(raw, block, model, 3, curvature, costs, work)


@formula
def kept(residual: Any, at: int, count: int, row_state: Any, to: int, first: int) -> None:
    rows.keep_residual(residual, at, count, row_state, to, first)


@formula
def shifted(offset: Any, group: int, first: int, raw: Any, at: int, count: int) -> None:
    rows.add_offset(offset, group, first, raw, at, count)


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
def gathered(given: Any, start: int, count: int, width: int, out: Any, to: int) -> None:
    rows.gather(given, start, count, width, out, to)


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


# ------------------------------------------------------------------------------------------------
# Softmax of three classes

NO_CURVATURE = np.empty((0, 0))


def softmax_block(z: Any, codes: Any, curvature: Any = NO_CURVATURE) -> tuple[Any, Any]:
    """Residuals and costs (n_rows, 3) of rows that are one block."""
    raw, costs = np.ascontiguousarray(z.T), np.full((6, len(z)), np.nan)
    given = np.asarray(codes, dtype=np.uint8)[None]
    with np.errstate(all="ignore"):  # for plain Python under NUMBA_DISABLE_JIT
        softmax_residuals(
            raw.reshape(-1), rows.Block(0, len(z), len(z)), 0, given, 0, np.arange(3),
            costs.reshape(-1), 3 * len(z), curvature,
        )  # fmt: skip
    return raw.T, costs[:3].T


def softmax_by_the_oracle(z: Any, codes: Any) -> tuple[Any, Any]:
    own = np.arange(len(z)), codes
    with np.errstate(all="ignore"):
        residual = reference.softmax(z)
        residual[own] = 0.0
        residual[own] = -residual.sum(axis=1)
        costs = np.zeros(z.shape)
        costs[own] = -reference.log_softmax(z)[own]
    return residual, costs


@pytest.mark.parametrize("code", [0, 1, 2])
def test_softmax_at_every_size_of_z(rng, code) -> None:
    finite = Z[np.abs(Z) < 1e308]
    z = np.column_stack([finite, rng.permutation(finite), rng.permutation(finite)])
    near = (
        z / np.maximum(np.abs(z).max(axis=1, keepdims=True), 1.0) * rng.uniform(0, 9, (len(z), 1))
    )
    z = np.vstack([z, near, np.repeat(z[:, :1], 3, axis=1), z[:, [0, 0, 1]]])
    proba = np.full((3, len(z)), np.nan)
    codes = np.full(len(z), code)
    residual, costs = softmax_block(z, codes, proba)
    wanted, wanted_costs = softmax_by_the_oracle(z, codes)
    # 8 ulp of normal results, and subnormal ones to a few of theirs; e^z of z near -745 is as wrong
    # as z itself times 745, in the oracle and here alike.
    np.testing.assert_allclose(residual, wanted, rtol=8 * 2.0**-52, atol=2e-323)
    np.testing.assert_allclose(costs, wanted_costs, rtol=8 * 2.0**-52, atol=2e-323)
    np.testing.assert_allclose(proba.T, reference.softmax(z), rtol=8 * 2.0**-52, atol=2e-323)
    assert (np.abs(residual.sum(axis=1)) <= 4 * 2.0**-53 * np.abs(residual).max(axis=1)).all()


def test_softmax_of_ties_is_exact() -> None:
    z = np.array([[7.0, 7.0, 7.0], [-1e300] * 3, [2.0, 2.0, -1e9], [-1e9, 0.0, 0.0]])
    residual, costs = softmax_block(z, [0, 1, 0, 0])
    third, half = 1.0 / 3.0, 0.5
    wanted = [[-2 * third, third, third], [third, -2 * third, third], [-half, half, 0.0]]
    np.testing.assert_allclose(residual[:3], wanted, rtol=1e-15)
    np.testing.assert_array_equal(residual[3], [-1.0, half, half])
    np.testing.assert_allclose(costs.sum(axis=1)[:3], np.log([3.0, 3.0, 2.0]), rtol=1e-15)
    assert costs[3, 0] == pytest.approx(1e9 + np.log(2.0), rel=1e-15)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_softmax_of_what_is_not_finite_is_not_finite(place, bad) -> None:
    z = np.tile([0.5, -1.0, 0.0], (3, 1))
    z[:, place] = bad
    residual, costs = softmax_block(z, [0, 1, 2])
    total = costs.sum(axis=1)
    if bad == -np.inf:
        # That class is impossible: a loss only for the rows that are of it.
        assert total[place] == np.inf
        assert np.isfinite(np.delete(total, place)).all()
        np.testing.assert_array_equal(
            residual[:, place], np.where(np.arange(3) == place, -1.0, 0.0)
        )
    else:
        assert not np.isfinite(total).any()
        assert np.isnan(residual[:, place]).all()


def test_a_softmax_lies_where_it_is_told_and_touches_nothing_else(rng) -> None:
    """The second group of a block with room for 8 rows, 5 of them used."""
    block, count, first = 8, 5, 3
    raw, costs = rng.standard_normal(6 * block), np.full(9 * block, np.nan)
    codes = rng.integers(0, 3, (2, first + count)) * 100
    positive, curvature = np.array([0, 1, 2, 200, 0, 100]), np.full((6, first + count), np.nan)
    before = raw.copy()
    of_rows = rows.Block(first, count, block)
    softmax_residuals(raw, of_rows, 3, codes, 1, positive, costs, 6 * block, curvature)
    z = before.reshape(6, block)[3:, :count].T
    own = np.array([1, 2, 0])[codes[1, first:] // 100]
    residual, cost = softmax_by_the_oracle(z, own)
    outputs = raw.reshape(6, block)
    np.testing.assert_allclose(outputs[3:, :count].T, residual, rtol=1e-14)
    np.testing.assert_array_equal(outputs[:3], before.reshape(6, block)[:3])
    np.testing.assert_array_equal(outputs[3:, count:], before.reshape(6, block)[3:, count:])
    np.testing.assert_allclose(costs.reshape(9, block)[3:6, :count].T, cost, rtol=1e-14)
    assert np.isnan(costs[: 3 * block]).all()
    np.testing.assert_allclose(curvature[3:, first:].T, reference.softmax(z), rtol=1e-14)
    assert np.isnan(curvature[:3]).all()
    assert np.isnan(curvature[:, :first]).all()


def test_softmax_products(rng) -> None:
    block, count, first = 8, 5, 2
    raw, costs = rng.standard_normal(6 * block), np.full(8 * block, np.nan)
    weight = rng.uniform(0.0, 3.0, first + count)
    weight[first + 1] = 0.0
    curvature = np.full((6, first + count), np.nan)
    proba = reference.softmax(rng.standard_normal((first + count, 3)))
    curvature[3:] = (weight[:, None] * proba).T
    before = raw.copy()
    softmax_products(raw, rows.Block(first, count, block), 3, curvature, costs, 6 * block)
    z, p = before.reshape(6, block)[3:, :count].T, proba[first:]
    bent = weight[first:, None] * p * (z - np.sum(p * z, axis=1, keepdims=True))
    np.testing.assert_allclose(raw.reshape(6, block)[3:, :count].T, bent, rtol=1e-13, atol=1e-16)
    found = costs.reshape(8, block)[3:6, :count].T
    np.testing.assert_allclose(found, 0.5 * z * bent, rtol=1e-13, atol=1e-16)
    np.testing.assert_array_equal(raw.reshape(6, block)[3:, 1], 0.0)
    np.testing.assert_array_equal(raw[: 3 * block], before[: 3 * block])


def test_residuals_are_kept_in_their_line_and_touch_nothing_else(rng) -> None:
    residual, row_state = rng.standard_normal(30), np.full((4, 20), np.nan)
    kept(residual, 10, 4, row_state, 3, 7)
    np.testing.assert_array_equal(row_state[3, 7:11], residual[10:14])
    assert np.isnan(row_state).sum() == row_state.size - 4


def test_an_offset_comes_from_its_set(rng) -> None:
    offset, raw = rng.standard_normal((3, 20)), rng.standard_normal(30)
    expected = raw.copy()
    expected[10:14] += offset[2, 7:11]
    shifted(offset, 2, 7, raw, 10, 4)
    np.testing.assert_array_equal(raw, expected)


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


@pytest.mark.parametrize("dtype", ["f8", ">f8", "i1", ">u4"])
def test_gather_copies_rows_and_leaves_the_padding(rng, dtype) -> None:
    X = np.asfortranarray(rng.integers(0, 100, (9, 3)).astype(dtype))
    X.flags.writeable = False
    given = Rows(*elements_of(X), 9, np.zeros(3), np.ones(3))
    out = np.full(5 + 4 * 8, -1.0)
    gathered(given, 2, 4, 8, out, 5)
    block = out[5:].reshape(4, 8)
    np.testing.assert_array_equal(block[:, :3], X[2:6])
    assert (block[:, 3:] == -1.0).all()
    assert (out[:5] == -1.0).all()
