"""Slopes of all columns from known ones: the truth is within what is said of it."""

import numpy as np
import pytest
from problems import problem
from test_column_model import objective_over

from fastlogit.objective import known_slopes
from fastlogit.objective.known_slopes import KnownSlopes


def known_of(is_sparse, weighted=True, fit_intercept=True):
    """An objective, its slopes, and a function that gives the true ones."""
    X, y, _, _, weight = problem(50, 9)
    X = X * (np.abs(X) > 0.5) + (0.0 if is_sparse else 3.0)
    weight[::7] = 0.0
    one = objective_over(X, y, 0.02, 0.0, fit_intercept, weight if weighted else None, is_sparse)
    center, scale = one.design.columns
    Z = (X - center) * scale
    shares = one.rows.table()[1]
    sizes = np.sqrt(shares @ np.square(Z))
    return one, KnownSlopes(one, np.maximum(sizes, 1e-3)), shares, lambda v: v @ Z


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("is_sparse", [True, False])
def test_the_truth_is_within_the_bounds(rng, is_sparse, weighted, fit_intercept) -> None:
    one, known, shares, true_of = known_of(is_sparse, weighted, fit_intercept)
    first, second = shares * rng.normal(size=(2, 50))
    known.take(first)
    for vector in (first, second, first + 0.01 * second, -2.0 * first):
        slopes, doubt = known.bounds(vector)
        assert (np.abs(slopes - true_of(vector)) <= doubt).all()
        assert known.size_of(vector) == pytest.approx(
            np.sqrt(np.sum(np.square(vector[shares > 0.0]) / shares[shares > 0.0]))
        )
    # What is near known ones is known nearly.
    near = known.bounds(first + 1e-4 * second)[1].max()
    assert 1e-6 < near < 1e-3
    known.take(second)
    both = 0.7 * first - 0.2 * second
    slopes, doubt = known.bounds(both)
    np.testing.assert_allclose(slopes, true_of(both), atol=1e-13)
    assert doubt.max() < 1e-12
    passes = one.design.n_passes
    known.take(both)
    assert len(known) == 2
    assert one.design.n_passes == passes
    columns = np.array([7, 2])
    found, times = known.of_columns(second, columns)
    np.testing.assert_allclose(found, true_of(second)[columns], atol=1e-13)
    assert (times >= 1.0).all()


def test_with_one_more_than_is_kept_it_begins_anew(rng, monkeypatch) -> None:
    monkeypatch.setattr(known_slopes, "MOST", 2)
    _, known, shares, true_of = known_of(False)
    for count in (1, 2, 1):
        vector = shares * rng.normal(size=50)
        known.take(vector)
        assert len(known) == count
        np.testing.assert_allclose(known.bounds(vector)[0], true_of(vector), atol=1e-13)


@pytest.mark.parametrize("weighted", [True, False])
def test_products_that_are_known_need_no_pass(rng, weighted) -> None:
    one, _, shares, true_of = known_of(False, weighted)
    vectors = shares, shares * rng.random(50), np.ones(50)
    one.design.known_products = [(vector, true_of(vector)) for vector in vectors]
    passes, known = one.design.n_passes, KnownSlopes(one, 1.0)
    # That with numbers where rows have no weight says nothing.
    assert len(known) == (2 if weighted else 3) - (not weighted)
    both = vectors[1] - 0.3 * vectors[0]
    known.take(both)
    assert one.design.n_passes == passes
    slopes, doubt = known.bounds(both)
    assert (np.abs(slopes - true_of(both)) <= doubt).all()
    assert doubt.max() < 1e-11


def test_columns_alike_or_opposite_are_told_from_others(rng) -> None:
    _, known, shares, _ = known_of(False)
    columns = np.arange(5)
    np.testing.assert_array_equal(known.distinct(columns, columns[:0]), columns)
    for _ in range(2):
        known.take(shares * rng.normal(size=50))
    np.testing.assert_array_equal(known.distinct(columns, columns[:0]), columns)
    for slopes in known._slopes:
        slopes[3], slopes[4], slopes[8] = slopes[1], -slopes[1], -slopes[2]
    np.testing.assert_array_equal(known.distinct(columns, columns[:0]), [0, 1, 2])
    np.testing.assert_array_equal(known.distinct(columns, np.array([8])), [0, 1])
    np.testing.assert_array_equal(known.distinct(columns[3:], columns[:2]), [])
