"""Means, variances and products from one read of X: the numbers of two passes, or none."""

import numpy as np
import pytest

import fastlogit
from fastlogit.design.base import Columns
from fastlogit.design.dense import DenseDesign
from fastlogit.design.first_look import NEAR_MEAN

N_SAMPLES, N_FEATURES = 103, 531


def rows_of(rng, dtype=np.float64):
    X = rng.normal(size=(N_SAMPLES, N_FEATURES)) * rng.uniform(0.1, 10.0, N_FEATURES)
    X += rng.normal(size=N_FEATURES) * 100.0
    X[:, 7] = 0.1
    return X.astype(dtype)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("stride", [1, 2])
def test_it_agrees_with_numpy(rng, dtype, stride) -> None:
    wide = np.zeros((N_SAMPLES, stride * N_FEATURES), dtype=dtype)
    X = wide[:, :N_FEATURES]
    X[...] = rows_of(rng, dtype)
    Z, shares = X.astype(float), rng.random(N_SAMPLES)
    shares /= shares.sum()
    vector = shares * rng.normal(size=N_SAMPLES)
    found = DenseDesign(X).first_look(shares, vector)
    assert found is not None
    mean = shares @ Z
    np.testing.assert_allclose(found.shift + found.means, mean, rtol=1e-13)
    np.testing.assert_allclose(
        found.variances, shares @ np.square(Z - mean), rtol=1e-11, atol=1e-25
    )
    assert found.variances[7] == found.means[7] == 0.0
    columns = Columns(found.shift + found.means, rng.random(N_FEATURES))
    for (own, slopes), wanted in zip(
        found.known_products(*columns), (shares, vector), strict=True
    ):  # fmt: skip
        np.testing.assert_array_equal(own, wanted)
        truth = wanted @ ((Z - columns.center) * columns.inverse_scale)
        np.testing.assert_allclose(slopes, truth, atol=1e-12)


@pytest.mark.parametrize("value", [np.nan, np.inf, -1e200])
def test_columns_that_would_lose_digits_are_left_to_two_passes(rng, value) -> None:
    X, shares = rows_of(rng), np.full(N_SAMPLES, 1.0 / N_SAMPLES)
    X[3, 5] = value
    assert DenseDesign(X).first_look(shares, shares) is None
    # A column whose first rows are far from all others of weight.
    X = rows_of(rng)
    X[: N_SAMPLES // 4 + 1, 5] += 1e4 * NEAR_MEAN
    shares[: N_SAMPLES // 4 + 1] = 0.0
    shares /= shares.sum()
    assert DenseDesign(X).first_look(shares, shares) is None
    assert DenseDesign(X[:, :100]).first_look(shares, shares) is None


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_the_first_slopes_of_a_wide_fit_need_no_pass(rng, fit_intercept) -> None:
    X = rows_of(rng)
    y = X[:, 0] > np.median(X[:, 0])
    intercept = {} if fit_intercept else {"intercept": None}
    fits = [
        fastlogit.fit(array, y, C=0.05, l1_ratio=1.0, tol=1e-8, **intercept)
        for array in (X, np.asfortranarray(X))
    ]
    assert fits[0].n_passes <= fits[1].n_passes - 1.9
    np.testing.assert_allclose(fits[0].coef, fits[1].coef, atol=1e-4)
