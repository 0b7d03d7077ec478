"""Some groups of columns: the same numbers as all of them give."""

import numpy as np
import pytest
from problems import objective_of, problem, softmax_of, three_classes

from fastlogit.design.base import Columns
from fastlogit.objective.group_penalty import GroupL1
from fastlogit.objective.group_working_set import GroupWorkingSet
from fastlogit.objective.penalties import L2, ElasticNet

LABELS = np.array([0, 1, 1, 2, 3, 0, 4, 5, 4, 6, 7, 7])


def whole_of(n_classes, fit_intercept=True):
    strengths = np.where(LABELS == 2, 0.0, 0.05)
    penalty = ElasticNet(GroupL1(strengths, LABELS, n_classes), L2(0.1, 12))
    weight = np.linspace(0.5, 2.0, 60)
    if n_classes == 1:
        X, y, *_ = problem(60, 12)
        objective = objective_of(X + 2.0, y, weight, penalty, fit_intercept=fit_intercept)
    else:
        X, y = three_classes(60, 12)
        objective = softmax_of(X + 2.0, y, weight, penalty, fit_intercept=fit_intercept)
    objective.standardize()
    center, scale = objective.design.columns
    objective.take_columns(Columns(center, objective.user_l1.uniform(scale)))
    return objective


@pytest.mark.parametrize("n_classes", [1, 3])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("groups", [[0, 2, 4], [0, 1, 2, 3, 4, 5, 6, 7], []])
def test_cost_gradient_and_hessian_are_those_of_the_whole(
    rng, n_classes, fit_intercept, groups
) -> None:
    whole = whole_of(n_classes, fit_intercept)
    working = GroupWorkingSet(whole, np.array(groups, dtype=int), np.zeros(n_classes))
    own = rng.normal(size=working.size)
    theta = working.put(own)
    np.testing.assert_allclose(working.take(theta), own, atol=1e-14)
    curvature = whole.rows.empty_curvature()
    at = whole.at(theta[None], curvature)
    cost, slopes, _ = working.at(own)
    assert cost == pytest.approx(at.cost[0], rel=1e-13)
    np.testing.assert_allclose(slopes, working.take_slopes(at.gradient[0]), atol=1e-13)
    matrix = working.look(own, working.at(own)[2])
    np.testing.assert_allclose(matrix, matrix.T, atol=1e-14)
    directions = rng.normal(size=(2, working.size))
    products = [
        working.take_slopes(whole.hessian_product(curvature, working.put(v)[None])[0])
        for v in directions
    ]
    np.testing.assert_allclose(
        directions @ matrix, np.reshape(products, directions.shape), atol=1e-12
    )
    np.testing.assert_allclose(working.product(directions), directions @ matrix, atol=1e-12)
    assert working.moved(own) == 0.0
    change = 0.1 * rng.normal(size=working.size)
    raw = whole.rows.raw_predictions(working.put(change))
    apart = np.abs(raw).max() if n_classes == 1 else np.ptp(raw, axis=0).max()
    assert working.moved(own + change) == pytest.approx(apart, abs=1e-12)
    # Lengths of blocks are those of groups.
    length = whole.l1.value(whole.split(theta)[0]).sum()
    assert working.strengths @ working.lengths(own) == pytest.approx(length, abs=1e-13)


@pytest.mark.parametrize("n_classes", [1, 3])
def test_a_function_above_the_cost(rng, n_classes) -> None:
    whole = whole_of(n_classes)
    working = GroupWorkingSet(whole, np.array([0, 2, 4]), np.zeros(n_classes))
    here = rng.normal(size=working.size)
    cost, slopes, _ = working.at(here)
    matrix = working.majorizing(here)
    for size in (1e-3, 0.1, 3.0):
        step = size * rng.normal(size=working.size)
        longer = working.strengths @ (working.lengths(here + step) - working.lengths(here))
        above = cost + longer + slopes @ step + 0.5 * step @ matrix @ step
        assert working.at(here + step)[0] <= above + 1e-12


def test_blocks() -> None:
    working = GroupWorkingSet(whole_of(3), np.array([0, 2, 4]), np.zeros(3))
    np.testing.assert_array_equal(working.columns, [0, 5, 3, 6, 8])
    # Groups of two columns in two contrasts; a free column and intercepts one by one.
    np.testing.assert_array_equal(working.starts, [0, 4, 5, 6, 10, 11, 12])
    assert working.covers(np.array([0, 4]))
    assert not working.covers(np.array([0, 3]))
    point = np.zeros(12)
    point[7] = 1.0
    np.testing.assert_array_equal(
        working.active(point), np.repeat([False, True, True, True], [4, 2, 4, 2])
    )
