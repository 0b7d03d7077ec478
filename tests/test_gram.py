"""The weighted Gram matrix, against NumPy."""

from typing import Any

import numpy as np
import pytest
from problems import (
    JIT,
    LAYOUTS,
    NUMBER_TYPES,
    as_type,
    columns_of,
    memory_mapped,
    readonly,
    sized,
)

from fastlogit.design.base import Columns
from fastlogit.design.dense import _rows
from fastlogit.kernels import gram as module
from fastlogit.kernels.gram import BLOCK, MAX_CHUNKS, gram, grams
from fastlogit.kernels.policy import formula

# Around whole vectors, cells of 24 columns, and two bands of cells.
FEATURE_COUNTS = [1, 3, 7, 8, 9, 16, 25, *([17, 23, 24, 70, 130, 300] if JIT else [])]
ROW_COUNTS = [1, 2, 33, 129, *([31, 32, 128, 257, 1000] if JIT else [])]
# Of the tests of layouts and types: more than one block, where it costs little.
N_SAMPLES = sized(270, 40)
TWINS = ["serial", "parallel"]


@formula
def planned(n_samples: int, n_slots: int, size: int, itemsize: int) -> tuple[int, int]:
    return module.plan(n_samples, n_slots, size, itemsize)


@formula
def places(n_features: int, width: int, packed: int, out: Any) -> None:
    for column in range(out.size):
        out[column] = module.slot_of(column, n_features, width, packed)


def weights_of(n_samples: int) -> Any:
    """Curvatures as they are, zeros and tiny ones among them."""
    weights = np.random.default_rng(n_samples).uniform(0.0, 0.25, n_samples)
    weights[::5] = 0.0
    weights[3::7] = 1e-300
    return readonly(weights)


def gram_of(X: Any, weights: Any, columns: Columns, twin: str = "serial") -> Any:
    form, rows = _rows(X, columns)
    size = X.shape[1] + 1
    matrix = np.full((size, size), np.nan)
    getattr(gram(form), twin)(rows, weights, matrix)
    return matrix


def assert_gram(matrix: Any, X: Any, weights: Any, columns: Columns) -> None:
    """Compare with NumPy, to rounding errors of the terms that are added."""
    standardized = (np.asarray(X, dtype=np.float64) - columns.center) * columns.inverse_scale
    standardized = np.column_stack([standardized, np.ones(len(X))])
    expected = standardized.T @ (weights[:, None] * standardized)
    size = np.abs(standardized).T @ (weights[:, None] * np.abs(standardized))
    assert (np.abs(matrix - expected) <= 1e-14 * size).all()
    np.testing.assert_array_equal(matrix, matrix.T)


@pytest.mark.parametrize("n_features", FEATURE_COUNTS)
@pytest.mark.parametrize("n_samples", ROW_COUNTS)
def test_every_shape(n_samples, n_features, rng) -> None:
    X, weights = rng.standard_normal((n_samples, n_features)), weights_of(n_samples)
    # The gathered form takes any width, the direct one whole vectors.
    for given in (X, np.asfortranarray(X)):
        columns = columns_of(X.shape[1])
        assert_gram(gram_of(given, weights, columns), X, weights, columns)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("n_features", [3, 21])
def test_every_layout(layout, n_features, rng) -> None:
    X, weights = rng.standard_normal((N_SAMPLES, n_features)), weights_of(N_SAMPLES)
    columns = columns_of(X.shape[1])
    assert_gram(gram_of(LAYOUTS[layout](X), weights, columns), X, weights, columns)


def test_rows_on_disk(rng, tmp_path) -> None:
    X, weights = rng.standard_normal((N_SAMPLES, 12)), weights_of(N_SAMPLES)
    columns = columns_of(X.shape[1])
    mapped = memory_mapped(X, tmp_path)
    assert_gram(gram_of(mapped, weights, columns), X, weights, columns)


@pytest.mark.parametrize("dtype", NUMBER_TYPES)
@pytest.mark.parametrize("n_features", [3, 21])
def test_every_number_type(dtype, n_features, rng) -> None:
    X = as_type(rng.standard_normal((N_SAMPLES, n_features)), dtype)
    weights, columns = weights_of(N_SAMPLES), columns_of(X.shape[1])
    assert_gram(gram_of(X, weights, columns), X, weights, columns)


@pytest.mark.parametrize("n_features", [2, 8, 20])
def test_numbers_behind_the_rows_are_not_looked_at(n_features, rng) -> None:
    X, weights = rng.standard_normal((N_SAMPLES, n_features)), weights_of(N_SAMPLES)
    wider = np.hstack([np.full((N_SAMPLES, 3), np.nan), X, np.full((N_SAMPLES, 8), np.nan)])
    columns = columns_of(X.shape[1])
    assert_gram(gram_of(wider[:, 3 : 3 + n_features], weights, columns), X, weights, columns)


@pytest.mark.jit
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(
    ("n_samples", "n_features"), [(30_000, 5), (40_000, 20), (5000, 64), (3000, 300), (900, 700)]
)
def test_twins_give_the_same_bits(n_samples, n_features, dtype, rng) -> None:
    X = rng.standard_normal((n_samples, n_features)).astype(dtype)
    weights, columns = weights_of(n_samples), columns_of(X.shape[1])
    serial, parallel = (gram_of(X, weights, columns, twin) for twin in TWINS)
    assert serial.tobytes() == parallel.tobytes()
    assert_gram(serial, X, weights, columns)


def test_integers_add_up_exactly(rng) -> None:
    X = rng.integers(-9, 9, (sized(5000, 200), 19)).astype(np.float64)
    weights = readonly(rng.integers(0, 3, len(X)).astype(np.float64) ** 2)
    columns = Columns(np.full(19, 2.0), np.full(19, 0.5))
    standardized = np.column_stack([(X - 2.0) * 0.5, np.ones(len(X))])
    expected = standardized.T @ (weights[:, None] * standardized)
    for twin in TWINS:
        np.testing.assert_array_equal(gram_of(X, weights, columns, twin), expected)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("n_features", [3, 21])
def test_a_matrix_for_each_of_many_weights(layout, n_features, rng) -> None:
    X = rng.standard_normal((N_SAMPLES, n_features))
    weights = readonly(np.array([weights_of(N_SAMPLES) ** power for power in (0.5, 1.0, 2.0)]))
    columns = columns_of(X.shape[1])
    form, rows = _rows(LAYOUTS[layout](X), columns)
    found = [np.full((3, n_features + 1, n_features + 1), np.nan) for _ in TWINS]
    for matrices, twin in zip(found, TWINS, strict=True):
        getattr(grams(form), twin)(rows, weights, matrices)
    assert found[0].tobytes() == found[1].tobytes()
    for matrix, own in zip(found[0], weights, strict=True):
        assert_gram(matrix, X, own, columns)


def test_rows_without_weight_are_not_looked_at(rng) -> None:
    X, weights = rng.standard_normal((N_SAMPLES, 9)), weights_of(N_SAMPLES)
    without, columns = X.copy(), columns_of(X.shape[1])
    without[weights == 0.0] = np.nan
    expected = gram_of(X, weights, columns)
    np.testing.assert_array_equal(gram_of(without, weights, columns), expected)


def test_weights_of_zero_give_a_zero_matrix(rng) -> None:
    X, weights = rng.standard_normal((40, 9)), readonly(np.zeros(40))
    np.testing.assert_array_equal(gram_of(X, weights, columns_of(X.shape[1])), 0.0)


@pytest.mark.parametrize("itemsize", [4, 8])
@pytest.mark.parametrize("n_features", [1, 20, 50, 300, 784, 5000])
@pytest.mark.parametrize("n_samples", [1, 569, 2000, 60_000, 3_000_000])
def test_the_plan_keeps_sums_small_and_many_threads_busy(n_samples, n_features, itemsize) -> None:
    n_slots = n_features + 1
    size = n_slots * (n_slots + 1) // 2
    step, n_bands = planned(n_samples, n_slots, size, itemsize)
    n_chunks = -(-n_samples // step)
    assert step % BLOCK == 0
    assert n_chunks <= MAX_CHUNKS
    limit = max(0.0251 * n_samples * n_slots * itemsize, 4e6)
    assert n_chunks == 1 or n_chunks * size * 8 <= limit
    assert n_bands * module.BAND_COLUMNS <= max(n_slots, module.BAND_COLUMNS)
    if n_samples * n_features**2 > 1e9:
        assert n_chunks * n_bands >= min(16, n_slots // module.BAND_COLUMNS)


@pytest.mark.parametrize("n_features", range(1, 50))
def test_each_column_has_a_place_of_its_own(n_features) -> None:
    packed = max(1, -(-n_features // 8)) * 8
    for width in {packed, max(n_features, 8)}:
        out = np.empty(n_features + 1)
        places(n_features, width, packed, out)
        assert len(set(out)) == n_features + 1
        assert 0 <= out.min()
        assert out.max() <= packed
        assert (out.max() < packed) == (n_features % 8 > 0)
