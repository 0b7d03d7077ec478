"""Minima of quadratic functions plus lengths of groups: their conditions, to rounding."""

import numpy as np
import pytest

from fastlogit.solvers.group_model import GroupModel


def conditions(matrix, slopes, starts, strengths, coef):
    """The largest slope of the subgradient of least norm."""
    here, worst = slopes + matrix @ coef, 0.0
    for a, b, strength in zip(starts[:-1], starts[1:], strengths, strict=True):
        length = np.linalg.norm(coef[a:b])
        if length > 0.0:
            left = np.linalg.norm(here[a:b] + strength * coef[a:b] / length)
        else:
            left = max(0.0, np.linalg.norm(here[a:b]) - strength)
        worst = max(worst, left)
    return worst


@pytest.mark.parametrize("seed", range(30))
def test_it_meets_its_conditions(seed) -> None:
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 5, rng.integers(2, 12))
    starts = np.append(0, np.cumsum(sizes))
    n = int(starts[-1])
    rows = rng.normal(size=(int(rng.integers(n // 2 + 1, 2 * n + 3)), n))
    matrix = rows.T @ rows / len(rows)
    slopes = rows.T @ rng.normal(size=len(rows)) / np.sqrt(len(rows))
    strengths = rng.uniform(0.05, 1.0, sizes.size) * rng.choice([0.1, 1.0, 3.0])
    if len(rows) > n:
        strengths[(sizes == 1) & (rng.random(sizes.size) < 0.5)] = 0.0
    model = GroupModel(matrix, starts, strengths)
    start = rng.normal(size=n) * (seed % 2)
    at = slopes - matrix @ start
    found = model.minimum(slopes, start)
    assert conditions(matrix, at, starts, strengths, found) < 1e-9
    near = model.near_minimum(slopes, start, 0.01, 50)
    again = model.minimum(slopes, start, near)
    np.testing.assert_allclose(again, found, atol=1e-6)
    falls = [model.fall(slopes, start, one) for one in (found, near)]
    assert falls[0] >= falls[1] * (1.0 - 1e-13)


def test_strong_groups_are_exactly_0_and_constant_coordinates_stay() -> None:
    matrix = np.zeros((5, 5))
    matrix[:4, :4] = np.eye(4) + 0.5
    starts, strengths = np.array([0, 2, 4, 5]), np.array([50.0, 0.1, 0.0])
    model = GroupModel(matrix, starts, strengths)
    found = model.minimum(np.array([1.0, -1.0, 1.0, 2.0, 0.0]), np.full(5, 0.5))
    np.testing.assert_array_equal(found[:2], 0.0)
    assert (found[2:4] != 0.0).all()
    assert found[4] == 0.5
