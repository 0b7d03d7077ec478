"""Coordinate descent against its formula, coordinate by coordinate."""

import numpy as np
import pytest

from fastlogit import reference
from fastlogit.kernels.coordinate_descent import descend


def quadratic(rng, size):
    rows = rng.normal(size=(2 * size, size))
    return rows.T @ rows / (2 * size), rng.normal(size=size), rng.normal(size=size)


def unbounded(size):
    return np.full(size, -np.inf), np.full(size, np.inf)


def one_sweep(matrix, l1, coef, slopes, lower=-np.inf, upper=np.inf):
    """The formula, with gradients made anew for each coordinate."""
    start, coef = coef, coef.copy()
    for j in range(coef.size):
        slope = slopes[j] + matrix[j] @ (coef - start)
        if matrix[j, j] > 0.0:
            wanted = coef[j] - slope / matrix[j, j]
            coef[j] = reference.elastic_net_prox(wanted, l1[j] / matrix[j, j], 0.0)
            coef[j] = min(max(coef[j], lower), upper)
    return coef


@pytest.mark.parametrize("size", [1, 2, 7, 20])
@pytest.mark.parametrize("l1", [0.0, 0.3, 10.0])
def test_a_sweep_is_that_of_the_formula(rng, size, l1) -> None:
    matrix, slopes, coef = quadratic(rng, size)
    strengths = np.full(size, l1)
    strengths[0] = 0.0
    expected = one_sweep(matrix, strengths, coef, slopes)
    found, kept = coef.copy(), slopes.copy()
    done, largest, _ = descend.serial(matrix, strengths, *unbounded(coef.size), 1, 0.0, found, kept)
    assert done == 1
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-13)
    np.testing.assert_array_equal(found == 0.0, expected == 0.0)
    np.testing.assert_allclose(kept, slopes + matrix @ (found - coef), atol=1e-12)
    step = np.square(found - coef) * np.diag(matrix)
    np.testing.assert_allclose(largest, step.max(), rtol=1e-12)


def test_it_ends_where_nothing_changes(rng) -> None:
    matrix, slopes, _ = quadratic(rng, 10)
    coef, kept, l1 = np.zeros(10), slopes.copy(), np.full(10, 0.2)
    done, largest, changed = descend.serial(
        matrix, l1, *unbounded(coef.size), 10_000, 0.0, coef, kept
    )
    assert done < 10_000
    assert largest == 0.0
    assert changed >= np.count_nonzero(coef)
    used = coef != 0.0
    assert 0 < used.sum() < 10
    np.testing.assert_allclose((kept + l1 * np.sign(coef))[used], 0.0, atol=1e-13)
    assert (np.abs(kept) <= l1 + 1e-13).all()


def test_tol_ends_it_sooner_and_changed_signs_are_counted(rng) -> None:
    matrix, slopes, _ = quadratic(rng, 10)
    coef, l1 = np.zeros(10), np.full(10, 0.2)
    done, largest, changed = descend.serial(
        matrix, l1, *unbounded(coef.size), 10_000, 1e3, coef, slopes
    )
    assert done == 1
    assert 0.0 < largest <= 1e3
    assert changed == np.count_nonzero(coef) > 0


def test_coordinates_without_curvature_stay() -> None:
    matrix = np.diag([1.0, 0.0, 2.0])
    coef, slopes = np.array([0.0, 5.0, 0.0]), np.array([-1.0, -1.0, -1.0])
    descend.serial(matrix, np.zeros(3), *unbounded(coef.size), 5, 0.0, coef, slopes)
    np.testing.assert_array_equal(coef, [1.0, 5.0, 0.5])


@pytest.mark.parametrize(
    ("lower", "upper"), [(0.0, np.inf), (-0.1, 0.2), (0.3, 0.4), (-np.inf, 0.0)]
)
def test_a_sweep_within_bounds_is_that_of_the_formula(rng, lower, upper) -> None:
    matrix, slopes, coef = quadratic(rng, 12)
    l1, coef = np.full(12, 0.05), np.clip(coef, lower, upper)
    expected = one_sweep(matrix, l1, coef, slopes, lower, upper)
    found, kept = coef.copy(), slopes.copy()
    ends = np.full(12, lower), np.full(12, upper)
    _, _, changed = descend.serial(matrix, l1, *ends, 1, 0.0, found, kept)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(kept, slopes + matrix @ (found - coef), atol=1e-12)
    is_corner = [(b == 0.0) | (b == lower) | (b == upper) for b in (coef, found)]
    assert changed >= np.count_nonzero(is_corner[0] != is_corner[1])
    for end in (lower, upper):
        np.testing.assert_array_equal(found == end, expected == end)
