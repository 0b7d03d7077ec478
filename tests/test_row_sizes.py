"""The largest row, against NumPy."""

from typing import Any

import numpy as np
import pytest
from problems import LAYOUTS, NUMBER_TYPES, as_type, columns_of, sized

from fastlogit.design.base import Columns
from fastlogit.design.dense import DenseDesign, _rows
from fastlogit.kernels.passes import MAX_CHUNKS
from fastlogit.kernels.row_sizes import largest_row

N_SAMPLES = sized(600, 70)


def expected_of(X: Any, columns: Columns, scale: Any, shift: Any) -> float:
    standard = (np.asarray(X, dtype=np.float64) - columns.center) * columns.inverse_scale
    moved = np.where(columns.inverse_scale > 0.0, standard - shift, 0.0) * scale
    return float(np.square(moved).sum(axis=1).max())


@pytest.mark.parametrize("n_features", [1, 7, 8, 9, 16, 25])
@pytest.mark.parametrize("largest", [0, 31, 32, -1])
def test_wherever_it_lies(n_features, largest, rng) -> None:
    X, columns = rng.standard_normal((N_SAMPLES, n_features)), columns_of(n_features)
    X[largest] *= 100.0
    scale, shift = rng.uniform(0.5, 2.0, n_features), rng.standard_normal(n_features)
    for given in (X, np.asfortranarray(X)):
        found = DenseDesign(given, columns=columns).largest_row(scale, shift)
        assert found == pytest.approx(expected_of(X, columns, scale, shift), rel=1e-13)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout(layout, rng) -> None:
    X, columns = rng.standard_normal((N_SAMPLES, 21)), columns_of(21)
    found = DenseDesign(LAYOUTS[layout](X), columns=columns).largest_row(np.ones(21), np.zeros(21))
    assert found == pytest.approx(expected_of(X, columns, 1.0, 0.0), rel=1e-13)


@pytest.mark.parametrize("dtype", NUMBER_TYPES)
@pytest.mark.parametrize("n_features", [3, 21])
def test_every_number_type(dtype, n_features, rng) -> None:
    X, columns = as_type(rng.standard_normal((40, n_features)), dtype), columns_of(n_features)
    ones = np.ones(n_features)
    found = DenseDesign(X, columns=columns).largest_row(ones, 0.0 * ones)
    assert found == pytest.approx(expected_of(X, columns, 1.0, 0.0), rel=1e-13)


def test_twins_give_the_same_bits(rng) -> None:
    layout, rows = _rows(rng.standard_normal((N_SAMPLES, 20)), columns_of(20))
    found = [np.zeros(MAX_CHUNKS) for _ in range(2)]
    for twin, largest in zip(("serial", "parallel"), found, strict=True):
        getattr(largest_row(layout), twin)(rows, largest)
    assert found[0].tobytes() == found[1].tobytes()
    assert (found[0] > 0.0).sum() == -(-N_SAMPLES // 256)


@pytest.mark.parametrize("bad", [1e200, np.inf])
def test_rows_that_overflow_are_infinitely_large(bad, rng) -> None:
    X = rng.standard_normal((40, 9))
    X[3, 2] = bad
    # Infinite less infinite is no number.
    for center in (0.0, bad):
        design = DenseDesign(X, columns=Columns(np.full(9, center), np.ones(9)))
        with np.errstate(over="ignore", invalid="ignore"):  # without the JIT these warn
            assert design.largest_row(np.ones(9), np.zeros(9)) == np.inf


def test_it_counts_as_a_pass(rng) -> None:
    design = DenseDesign(rng.standard_normal((50, 9)))
    design.largest_row(np.ones(9), np.zeros(9))
    assert design.n_passes == 1
