"""Newton's method for few rows and many columns, against the formulas in NumPy."""

import numpy as np
import pytest
from problems import sized

from fastlogit import reference
from fastlogit.kernels.few_rows import fit_few_rows

N_SAMPLES, N_FEATURES, STRENGTH = sized(30, 9), sized(80, 20), 0.03


def wide(rng, form="plain"):
    """Rows X, and the table of classes, shares of the weight and offsets."""
    X = rng.standard_normal((N_SAMPLES, N_FEATURES))
    table = np.zeros((3, N_SAMPLES))
    table[0] = X[:, 0] + rng.logistic(size=N_SAMPLES) > 0.0
    table[0, :2] = 0.0, 1.0
    weight = np.ones(N_SAMPLES)
    if form == "weights and offset":
        weight, table[2] = rng.uniform(0.0, 2.0, N_SAMPLES), rng.normal(size=N_SAMPLES)
        weight[3] = 0.0
    if form == "rows twice":
        X[4], X[6] = X[5], -X[5]
    table[1] = weight / weight.sum()
    return X, table


def fitted(X, table, fit_intercept=True, tol=1e-14, most=50, shares=None, level=0.0, f=STRENGTH):
    shares = np.zeros(len(X)) if shares is None else shares
    costs = np.full(most + 1, np.nan)
    end = fit_few_rows.serial(X @ X.T, table, f, level, fit_intercept, tol, shares, costs)
    return *end, shares, costs


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("form", ["plain", "weights and offset", "rows twice"])
def test_the_gradient_vanishes_and_costs_are_those_of_the_coefficients(
    form, fit_intercept, rng
) -> None:
    X, table = wide(rng, form)
    start = 0.0 if fit_intercept else 0.4
    n_iter, level, met, shares, costs = fitted(X, table, fit_intercept, level=start)
    assert met
    assert 2 <= n_iter <= 20
    coef, raw = X.T @ shares, X @ (X.T @ shares) + level + table[2]
    residual = table[1] * (reference.sigmoid(raw) - table[0])
    np.testing.assert_allclose(X.T @ residual + STRENGTH * coef, 0.0, atol=1e-7)
    if fit_intercept:
        assert abs(residual.sum()) < 1e-7
    else:
        assert level == start
    losses = reference.log1p_exp(raw) - table[0] * raw
    cost = table[1] @ losses + 0.5 * STRENGTH * coef @ coef
    assert costs[n_iter] == pytest.approx(cost, rel=1e-13)
    assert (np.diff(costs[: n_iter + 1]) < 0.0).all()
    assert np.isnan(costs[n_iter + 1 :]).all()


def test_what_it_lacks_is_less_than_was_asked_for(rng) -> None:
    X, table = wide(rng)
    best = fitted(X, table)[4]
    lowest, ends = np.nanmin(best), []
    for tol in (1e-1, 1e-3, 1e-6):
        n_iter, _, met, _, costs = fitted(X, table, tol=tol)
        assert met
        assert costs[n_iter] / lowest - 1.0 <= tol
        ends.append(n_iter)
    assert ends == sorted(ends)
    assert ends[0] < ends[-1]


def test_it_begins_where_it_is_told(rng) -> None:
    X, table = wide(rng)
    n_iter, level, _, shares, costs = fitted(X, table)
    again = fitted(X, table, tol=1e-10, shares=shares.copy(), level=level)
    assert again[0] == 0
    assert again[1:3] == (level, True)
    assert again[4][0] == pytest.approx(costs[n_iter], rel=1e-13)
    np.testing.assert_array_equal(again[3], shares)


def test_it_says_when_it_did_not_get_there(rng) -> None:
    X, table = wide(rng)
    n_iter, _, met, shares, costs = fitted(X, table, most=2)
    assert (n_iter, met) == (2, False)
    assert shares.any()
    assert np.isfinite(costs).all()
    X[3, 4] = np.nan
    assert fitted(X, table)[2] is not True


def test_steps_that_are_too_long_are_shortened(rng) -> None:
    X, table = wide(rng)
    far = rng.normal(size=N_SAMPLES) * 3.0
    n_iter, _, met, shares, costs = fitted(X, table, shares=far, f=1e-4)
    assert met
    assert (np.diff(costs[: n_iter + 1]) <= 1e-13 * costs[0]).all()
    wanted = fitted(X, table, f=1e-4)
    np.testing.assert_allclose(X.T @ shares, X.T @ wanted[3], rtol=1e-4, atol=1e-5)


@pytest.mark.jit
def test_classes_far_apart_take_few_long_steps(rng) -> None:
    """Steps of length 1 lower the cost by a factor e each while classes are told apart."""
    X, table = wide(rng)
    n_iter, _, met, _, costs = fitted(X, table, tol=1e-8, f=1e-6)
    assert met
    assert n_iter <= 12  # 21 of length 1
    assert (np.diff(costs[: n_iter + 1]) < 0.0).all()
