"""Block coordinate descent on lengths of groups, against minima found otherwise."""

import itertools

import numpy as np
import pytest
from scipy.optimize import brentq

from fastlogit.kernels.group_descent import descend_groups, group_size


@pytest.mark.parametrize("seed", range(30))
def test_the_length_of_a_group_is_that_of_its_minimum(seed) -> None:
    rng = np.random.default_rng(seed)
    count = int(rng.integers(1, 7))
    pull = rng.normal(size=count) * 10.0 ** rng.uniform(-3, 3)
    diagonal = 10.0 ** rng.uniform(-6, 2, count)
    strength = float(np.linalg.norm(pull) * rng.uniform(0.001, 0.999))

    def excess(size):
        return float(np.sum((pull / (diagonal * size + strength)) ** 2)) - 1.0

    expected = brentq(excess, 0.0, np.linalg.norm(pull) / diagonal.min(), xtol=1e-300, rtol=1e-14)
    assert group_size.serial(pull, diagonal, strength) == pytest.approx(expected, rel=1e-9)


def blocks(matrix, starts):
    """Return the eigenvectors of the groups' blocks, one after the other, and the eigenvalues."""
    own = [np.linalg.eigh(matrix[a:b, a:b]) for a, b in itertools.pairwise(starts)]
    return np.concatenate([v.reshape(-1) for _, v in own]), np.concatenate([w for w, _ in own])


def value(matrix, slopes, starts, strengths, coef):
    lengths = [np.linalg.norm(coef[a:b]) for a, b in itertools.pairwise(starts)]
    return 0.5 * coef @ matrix @ coef + slopes @ coef + strengths @ lengths


@pytest.mark.parametrize("share", [0.0, 0.5, 2.0])
def test_each_group_in_turn_is_least(rng, share) -> None:
    starts, strengths = np.array([0, 1, 4, 6, 7]), share * np.array([0.4, 0.8, 0.6, 0.0])
    rows = rng.normal(size=(30, 7))
    matrix = rows.T @ rows / 30
    slopes = rng.normal(size=7)
    coef, left, work = np.zeros(7), slopes.copy(), np.empty((2, 7))
    for _ in range(3):
        before = coef.copy()
        descend_groups.serial(
            matrix, starts, strengths, *blocks(matrix, starts), 1, coef, left, work
        )
        np.testing.assert_allclose(left, slopes + matrix @ coef, atol=1e-12)
        lowest = value(matrix, slopes, starts, strengths, coef)
        assert lowest <= value(matrix, slopes, starts, strengths, before) + 1e-14
    # The last group that was moved is at its own minimum.
    for change in 1e-4 * rng.normal(size=(20, 1)):
        other = coef.copy()
        other[6:] += change
        assert value(matrix, slopes, starts, strengths, other) >= lowest - 1e-15


@pytest.mark.parametrize("strength", [0.02, 0.3, 1.0])
def test_one_sweep_takes_a_group_of_many_columns_to_its_minimum(rng, strength) -> None:
    """Also of more columns than rows, whose block has directions without curvature."""
    rows = rng.normal(size=(12, 25))
    matrix, slopes = rows.T @ rows / 12, rows.T @ rng.normal(size=12) / 12
    starts, strengths = np.array([0, 25]), np.array([strength])
    coef, left = rng.normal(size=25), np.empty(25)
    left[:] = slopes + matrix @ coef
    descend_groups.serial(
        matrix, starts, strengths, *blocks(matrix, starts), 1, coef, left, np.empty((2, 25))
    )
    np.testing.assert_allclose(left, slopes + matrix @ coef, atol=1e-12)
    length = np.linalg.norm(coef)
    if length > 0.0:
        np.testing.assert_allclose(left + strength * coef / length, 0.0, atol=1e-10)
    else:
        assert np.linalg.norm(left) <= strength


def test_strong_groups_come_to_0_and_what_has_no_curvature_stays() -> None:
    matrix = np.diag([1.0, 2.0, 0.0, 1.0])
    coef, slopes = np.array([0.3, -0.2, 0.7, 0.5]), np.array([0.3, -0.4, 0.0, 0.5])
    starts, strengths = np.array([0, 2, 3, 4]), np.array([5.0, 0.0, 0.1])
    largest, changed = descend_groups.serial(
        matrix, starts, strengths, *blocks(matrix, starts), 1, coef, slopes, np.empty((2, 4))
    )
    np.testing.assert_array_equal(coef, [0.0, 0.0, 0.7, 0.0])
    assert changed == 2
    assert largest == pytest.approx(0.25)


def test_what_has_no_curvature_in_a_group_is_0() -> None:
    """As columns of few rows have: rounding errors there would keep the group from being 0."""
    matrix = np.diag([1.0, 0.0, 1.0, 0.0])
    coef, slopes = np.array([0.3, 1e-17, 0.5, 0.1]), np.array([0.3, 0.0, -1.0, 0.0])
    starts, strengths = np.array([0, 2, 4]), np.array([5.0, 0.25])
    _, changed = descend_groups.serial(
        matrix, starts, strengths, *blocks(matrix, starts), 9, coef, slopes, np.empty((2, 4))
    )
    np.testing.assert_array_equal(coef[[0, 1, 3]], 0.0)
    assert coef[2] == pytest.approx(1.25)
    assert changed == 1
