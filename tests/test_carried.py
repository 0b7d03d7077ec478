"""What a fit leaves to the next of a path saves passes, and changes no optimum."""

import numpy as np
import pytest
from problems import elastic_net_of, problem

from fastlogit.solvers.carried import Carried
from fastlogit.solvers.l1_path import solve_next
from fastlogit.solvers.trace import Limits, Trace

pytestmark = pytest.mark.jit

LIMITS = Limits(1e-12, 100)


def path_of(X, y, l2s, carried_of):
    """Fits along a path of L1, each from where the one before ended."""
    theta, found, passes = np.zeros((1, X.shape[1] + 1)), [], 0.0
    columns = elastic_net_of(X, y, 0.2, 0.0).design.columns
    for l1, l2 in zip(np.geomspace(0.2, 0.01, 8), l2s, strict=True):
        objective = elastic_net_of(X, y, l1, l2)
        objective.take_columns(columns)
        before = objective.design.n_passes
        trace = Trace(LIMITS, 0.0, objective)
        point, bound, _ = solve_next(objective, theta, LIMITS, trace, carried_of())
        theta = point.theta
        found.append(theta[0])
        passes += objective.design.n_passes - before
        assert (bound <= 1e-12).all()
    return np.array(found), passes


@pytest.mark.parametrize("l2", [np.zeros(8), np.geomspace(0.1, 0.001, 8)])
def test_the_optima_are_the_same_with_fewer_passes(l2) -> None:
    X, y = problem(100, 300)[:2]
    carried = Carried()
    found, passes = path_of(X, y, l2, lambda: carried)
    wanted, more = path_of(X, y, l2, Carried)
    np.testing.assert_allclose(found, wanted, atol=1e-4)
    if not l2.any():
        np.testing.assert_array_equal(found != 0.0, wanted != 0.0)
        assert passes <= more - 7


def test_the_start_is_known_where_nothing_but_l1_changes() -> None:
    X, y = problem(80, 10)[:2]
    carried, one = Carried(), elastic_net_of(X, y, 0.1, 0.0)
    theta = np.zeros((1, 11))
    point, *_ = solve_next(one, theta, LIMITS, Trace(LIMITS, 0.0, one), carried)
    for l1, l2, is_known in ((0.05, 0.0, True), (0.05, 0.1, False)):
        other = elastic_net_of(X, y, l1, l2)
        other.take_columns(one.design.columns)
        before = other.design.n_passes
        begin = carried.begin(
            other, point.theta, Trace(LIMITS, 0.0, other), other.rows.empty_curvature()
        )
        assert (other.design.n_passes == before) == is_known
        wanted = other.at(point.theta)
        np.testing.assert_allclose(begin.cost, wanted.cost, rtol=1e-12)
        np.testing.assert_allclose(begin.gradient, wanted.gradient, atol=1e-12)
    elsewhere = point.theta + 0.1
    begin = carried.begin(one, elsewhere, Trace(LIMITS, 0.0, one), one.rows.empty_curvature())
    np.testing.assert_array_equal(begin.cost, one.at(elsewhere).cost)


def test_of_pooled_rows_the_sizes_of_columns_are_those_of_the_model_and_measured_once() -> None:
    X, y = problem(60, 4)[:2]
    weight = np.linspace(0.1, 3.0, 60)
    X[50:] *= 3.0
    pooled, one = elastic_net_of(X, y), elastic_net_of(X, y, weight=weight)
    one.take_columns(pooled.design.columns)
    scaled = (X - pooled.design.columns.center) * pooled.design.columns.inverse_scale
    means = np.average(np.square(scaled), axis=0, weights=weight)
    carried = Carried(is_pooled=True)
    first = carried.certificate(one)
    np.testing.assert_allclose(first.sizes_of_columns(0), np.sqrt(means), rtol=1e-12)
    assert (first.sizes_of_columns(0) > 1.0).any()
    before = one.design.n_passes
    again = carried.certificate(one).sizes_of_columns(0)
    np.testing.assert_array_equal(again, first.sizes_of_columns(0))
    assert one.design.n_passes == before
    assert Carried().certificate(one).sizes_of_columns(0) == 1.0
