"""The kernels over a block stored column after column, each alone, against plain sums."""

from typing import Any

import numpy as np
import pytest

from fastlogit.kernels import columns
from fastlogit.kernels.elements import elements_of
from fastlogit.kernels.passes import Rows
from fastlogit.kernels.policy import formula

NUMBER_TYPES = [
    "f8", "f4", "i8", "i4", "i2", "i1", "u1", "u2", "u4", "u8", "?",
    ">f8", ">f4", ">i8", ">i4", ">i2", ">u2", ">u4", ">u8",
]  # fmt: skip
LAYOUTS = {
    "C": np.ascontiguousarray,
    "F": np.asfortranarray,
    "slice": lambda X: np.concatenate([X, X], axis=1)[:, : X.shape[1]],
    "backwards": lambda X: X[::-1, ::-1],
    "off the line": lambda X: np.frombuffer(b"." + X.tobytes(), X.dtype, offset=1).reshape(X.shape),
}


def values_of(rng: Any, dtype: str, shape: tuple[int, int]) -> Any:
    """Return numbers of a type, up to its largest and down to its smallest."""
    kind = np.dtype(dtype)
    if kind.kind == "f":
        return rng.standard_normal(shape).astype(kind)
    if kind.kind == "b":
        return rng.random(shape) > 0.5
    ends = np.iinfo(kind)
    return rng.integers(ends.min, ends.max, shape, dtype=kind.newbyteorder("=")).astype(kind)


def rows_of(X: Any, center: Any) -> Rows:
    """Return rows as the kernels that gather them take them."""
    return Rows(*elements_of(X), len(X), center, np.ones_like(center))


@formula
def gathered(rows: Any, start: int, count: int, out: Any) -> None:
    center = rows.center
    columns.gather_columns(rows, start, count, center, out.size // center.size, out)


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


@pytest.mark.parametrize("dtype", NUMBER_TYPES)
@pytest.mark.parametrize("lies", LAYOUTS)
def test_gather_centres_the_rows_and_fills_the_block_with_zeros(rng, lies, dtype) -> None:
    X = LAYOUTS[lies](values_of(rng, dtype, (40, 3)))
    center = np.array([0.0, 1.0, -2.5])
    out = np.full(3 * 32, -1.0)
    gathered(rows_of(X, center), 5, 30, out)
    block = out.reshape(3, 32)
    np.testing.assert_array_equal(block[:, :30], (X[5:35].astype(np.float64) - center).T)
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
