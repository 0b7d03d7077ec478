"""Coefficients before a pass over columns scaled by algebra, and gradients after it."""

from typing import Any

import numpy as np
import pytest

from fastlogit.design.base import readonly
from fastlogit.kernels.scaling import PARTS, finish, pack


def columns_of(rng: Any, n_columns: int) -> tuple[Any, Any]:
    return readonly(rng.normal(size=n_columns)), readonly(rng.uniform(0.5, 2.0, n_columns))


@pytest.mark.parametrize(("n_models", "n_slots"), [(1, 1), (3, 4), (9, 16)])
@pytest.mark.parametrize("n_columns", [1, 23, 1100])
def test_coefficients_are_scaled_into_their_slots(n_models, n_slots, n_columns, rng) -> None:
    center, inverse_scale = columns_of(rng, n_columns)
    coef = readonly(rng.normal(size=(n_models, n_columns)))
    table, shifts = np.full(n_columns * n_slots, np.nan), np.full((PARTS, n_models), np.nan)
    pack.serial(coef, center, inverse_scale, n_slots, table, shifts)
    wanted = np.zeros((n_columns, n_slots))
    wanted[:, :n_models] = (coef * inverse_scale).T
    np.testing.assert_array_equal(table.reshape(n_columns, n_slots), wanted)
    np.testing.assert_allclose(shifts.sum(axis=0), (coef * inverse_scale) @ center, atol=1e-12)
    again, other = np.empty_like(table), np.empty_like(shifts)
    pack.parallel(coef, center, inverse_scale, n_slots, again, other)
    np.testing.assert_array_equal(again, table)
    np.testing.assert_array_equal(other, shifts)


@pytest.mark.parametrize(("n_models", "n_slots"), [(1, 1), (3, 4), (9, 16)])
@pytest.mark.parametrize("n_columns", [1, 23, 1100])
@pytest.mark.parametrize("of_each", [False, True])
def test_sums_become_slopes(n_models, n_slots, n_columns, of_each, rng) -> None:
    center, inverse_scale = columns_of(rng, n_columns)
    coef, sums = rng.normal(size=(n_models, n_columns)), rng.normal(size=(n_columns, n_slots))
    totals, weight = rng.normal(size=(n_models, 2)), rng.uniform(1.0, 9.0, n_models)
    strengths = rng.uniform(0.0, 1.0, (n_models if of_each else 1, n_columns))
    given = readonly(weight), (center, inverse_scale), readonly(strengths), readonly(coef)
    args = sums.reshape(-1), n_slots, totals, *given
    gradient, pulls = np.empty_like(coef), np.empty((PARTS, n_models))
    finish.serial(*args, gradient, pulls)
    slopes = (sums[:, :n_models].T - totals[:, 1:] * center) * inverse_scale / weight[:, None]
    np.testing.assert_allclose(gradient, slopes + strengths * coef, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(pulls.sum(axis=0), (strengths * coef**2).sum(axis=1), rtol=1e-12)
    again, other = np.empty_like(gradient), np.empty_like(pulls)
    finish.parallel(*args, again, other)
    np.testing.assert_array_equal(again, gradient)
    np.testing.assert_array_equal(other, pulls)
