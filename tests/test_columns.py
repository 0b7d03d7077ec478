"""The kernels over a block stored column after column, each alone, against plain sums."""

from typing import Any

import numpy as np
import pytest

from fastlogit.kernels import columns
from fastlogit.kernels.policy import formula


@formula
def gathered(X: Any, swapped: bool, start: int, count: int, center: Any, out: Any) -> None:
    columns.gather_columns(X, swapped, start, count, center, out.size // X.shape[1], out)


@formula
def swept(block: Any, coef: Any, base: int, intercept: float, raw_out: Any, at: int) -> None:
    n_features = coef.size // 2
    height = block.size // n_features
    columns.sweep_prediction(block, height, n_features, coef, base, intercept, raw_out, at)


@formula
def summed(block: Any, factor: Any, at: int, sums_out: Any, squares_out: Any) -> None:
    n_features = squares_out.size
    height = block.size // n_features
    columns.sum_columns(block, height, n_features, factor, at, sums_out, n_features)
    columns.sum_squares(block, height, n_features, factor[at:], squares_out)


@formula
def height_of(n_features: int) -> int:
    return columns.block_height(n_features)


@pytest.mark.parametrize("n_features", [1, 8, 9, 32, 33, 5000])
def test_a_block_is_whole_tiles(n_features) -> None:
    assert height_of(n_features) % 32 == 0


@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize("order", ["C", "F"])
def test_gather_centres_the_rows_and_fills_the_block_with_zeros(rng, order, swapped) -> None:
    X = np.asarray(rng.standard_normal((40, 3)), order=order)
    center = np.array([0.0, 1.0, -2.5])
    given = np.asarray(X.byteswap() if swapped else X, order=order)
    out = np.full(3 * 32, -1.0)
    gathered(given, swapped, 5, 30, center, out)
    block = out.reshape(3, 32)
    np.testing.assert_array_equal(block[:, :30], (X[5:35] - center).T)
    assert (block[:, 30:] == 0.0).all()


@pytest.mark.parametrize("n_features", [1, 2, 3, 4, 5, 7])
def test_sweeps(rng, n_features) -> None:
    block = rng.standard_normal((n_features, 64))
    coef = rng.standard_normal((2, n_features))
    raw = np.full(64 + 6, 9.0)
    swept(block.ravel(), coef.ravel(), n_features, 0.5, raw, 3)
    np.testing.assert_allclose(raw[3:67], coef[1] @ block + 0.5, atol=1e-14)
    assert (raw[:3] == 9.0).all()
    assert (raw[67:] == 9.0).all()
    factor, sums, squares = (
        rng.standard_normal(64 + 5),
        np.ones((2, n_features)),
        np.ones(n_features),
    )
    flat = sums.ravel()
    summed(block.ravel(), factor, 5, flat, squares)
    np.testing.assert_allclose(sums[1], 1.0 + block @ factor[5:], atol=1e-13)
    assert (sums[0] == 1.0).all()
    np.testing.assert_allclose(squares, 1.0 + block**2 @ factor[5:], atol=1e-13)
