"""Some coefficients of a softmax: the same numbers as all of them give."""

import numpy as np
import pytest
from problems import softmax_of, three_classes

from fastlogit.objective.class_working_set import ClassWorkingSet
from fastlogit.objective.penalties import ElasticNet

FEW = np.zeros((3, 12), dtype=bool)
FEW[[0, 0, 1, 2, 2], [1, 5, 5, 1, 9]] = True


def objective_of(fit_intercept=True):
    X, codes = three_classes(60, 12)
    X = X * np.linspace(1.0, 5.0, 12) + 3.0
    objective = softmax_of(
        X, codes, np.linspace(0.5, 2.0, 60), ElasticNet(0.02, 0.1, 12), fit_intercept=fit_intercept
    )
    objective.standardize()
    return objective


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("inside", [FEW, FEW | True, FEW & False])
def test_cost_gradient_and_hessian_are_those_of_the_whole(rng, inside, fit_intercept) -> None:
    whole = objective_of(fit_intercept)
    levels = np.array([0.3, -0.1, -0.2]) * fit_intercept
    working = ClassWorkingSet(whole, inside, levels)
    own = rng.normal(size=working.size)
    theta = working.put(own)
    np.testing.assert_allclose(working.take(theta), own, atol=1e-15)
    curvature = whole.rows.empty_curvature()
    at = whole.at(theta[None], curvature)
    cost, slopes, _ = working.at(own)
    assert cost == pytest.approx(at.cost[0], rel=1e-13)
    np.testing.assert_allclose(slopes, working.take_slopes(at.gradient[0]), atol=1e-13)
    matrix = working.look(own, working.at(own)[2])
    directions = rng.normal(size=(2, working.size))
    products = [
        working.take_slopes(whole.hessian_product(curvature, working.put(v)[None])[0])
        for v in directions
    ]
    if fit_intercept:
        np.testing.assert_allclose(directions @ matrix, products, atol=1e-12)
    np.testing.assert_allclose(working.product(directions), directions @ matrix, atol=1e-12)
    change = np.full(working.size, 0.1)
    apart = np.ptp(whole.rows.raw_predictions(working.put(change)), axis=0).max()
    assert working.moved(own) == 0.0
    if fit_intercept:
        assert working.moved(own + change) == pytest.approx(apart)
    assert ClassWorkingSet(whole, inside, levels).moved(own) == np.inf


def test_a_function_above_the_cost(rng) -> None:
    working = ClassWorkingSet(objective_of(), FEW, np.zeros(3))
    here = rng.normal(size=working.size)
    cost, slopes, _ = working.at(here)
    matrix = working.majorizing(here)
    for size in (1e-3, 0.1, 3.0):
        step = size * rng.normal(size=working.size)
        smooth = working.at(here + step)[0] - working.l1 @ np.abs(here + step)
        above = cost - working.l1 @ np.abs(here) + slopes @ step + 0.5 * step @ matrix @ step
        assert smooth <= above + 1e-12


def test_pairs_and_places() -> None:
    whole = objective_of()
    working = ClassWorkingSet(whole, FEW, np.zeros(3))
    assert working.covers(FEW)
    assert not working.covers(FEW | True)
    np.testing.assert_array_equal(working.classes, [0, 0, 1, 2, 2])
    np.testing.assert_array_equal(working.columns, [1, 5, 5, 1, 9])
    np.testing.assert_array_equal(working.part_columns, [0, 1, 1, 0, 2])
    some = FEW.copy()
    some[0, 1] = False
    np.testing.assert_array_equal(working.places(some), [0, 1, 1, 1, 1, 1, 1])
    np.testing.assert_allclose(
        working.l1[:5], 0.02 * whole.design.columns.inverse_scale[working.columns]
    )
    np.testing.assert_array_equal(working.l1[5:], 0.0)
