"""Some of the columns: the same numbers as all of them give."""

import numpy as np
import pytest
from problems import elastic_net_of, problem

from fastlogit.objective.working_set import WorkingSet

COLUMNS = np.array([1, 4, 5, 9])


@pytest.fixture
def whole():
    X, y, _, _, weight = problem(60, 12)
    return elastic_net_of(X * np.linspace(1.0, 5.0, 12) + 3.0, y, weight=weight)


@pytest.mark.parametrize("columns", [COLUMNS, None])
def test_cost_gradient_and_hessian_are_those_of_the_whole(rng, whole, columns) -> None:
    working = WorkingSet(whole, columns)
    theta = working.put(rng.normal(size=working.columns.size + 1))
    curvature = whole.rows.empty_curvature()
    at = whole.at(theta[None], curvature)
    part = working.part.at(working.take(theta)[None])
    np.testing.assert_allclose(part.cost, at.cost, rtol=1e-13)
    np.testing.assert_allclose(part.gradient[0], working.take(at.gradient[0]), atol=1e-13)
    matrix = working.look(working.take(theta), curvature)
    everything = WorkingSet(whole).look(theta, curvature)
    places = np.append(working.columns, 12)
    np.testing.assert_allclose(matrix, everything[np.ix_(places, places)], atol=1e-13)
    directions = rng.normal(size=(2, working.columns.size + 1))
    np.testing.assert_allclose(working.product(directions), directions @ matrix, atol=1e-12)
    own = working.take(theta)
    assert working.moved(own) == 0.0
    change = np.append(0.1 * np.ones(working.columns.size), 0.2)
    apart = working.part.rows.raw_predictions(change[None])
    assert working.moved(own + change) == pytest.approx(np.abs(apart).max())
    assert WorkingSet(whole, columns).moved(own) == np.inf


def test_places(whole) -> None:
    working = WorkingSet(whole, COLUMNS)
    assert working.covers(np.array([4, 9]))
    assert not working.covers(np.array([4, 8]))
    np.testing.assert_array_equal(working.places(np.array([4, 9])), [1, 3, 4])
    assert WorkingSet(whole).covers(np.arange(12))
    passes = whole.design.n_passes
    working.part.at(np.zeros((1, 5)))
    assert whole.design.n_passes == passes
