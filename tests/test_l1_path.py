"""Where a path with L1 begins, in the words of the optimality conditions."""

import numpy as np
import pytest
from problems import elastic_net_of, problem

from fastlogit.solvers.l1_path import null_model, null_strengths
from fastlogit.solvers.trace import Limits

pytestmark = pytest.mark.jit


def test_the_null_model_has_the_shares_of_the_classes_and_its_slopes() -> None:
    X, y, *_, weight = problem(90, 7)
    l1 = np.linspace(0.5, 2.0, 7)
    objective = elastic_net_of(X, y, l1, 0.3, weight)
    null = null_model(objective, np.zeros((1, 8)), Limits(1e-6, 100), 0.0)
    share = np.average(y, weights=weight)
    assert not null.theta[0, :-1].any()
    assert null.theta[0, -1] == pytest.approx(np.log(share / (1.0 - share)), rel=1e-12)
    slopes = np.abs((weight * (y - share)) @ X) / weight.sum()
    np.testing.assert_allclose(null_strengths(objective, null), (slopes / l1).max(), rtol=1e-12)


def test_free_columns_are_at_their_optimum() -> None:
    X, y = problem(90, 7)[:2]
    l1 = np.array([0.0, 1.0, 1.0, 0.0, 1.0, 2.0, 1.0])
    objective = elastic_net_of(X, y, l1, 0.0)
    null = null_model(objective, np.zeros((1, 8)), Limits(1e-6, 100), 0.0)
    free = l1 == 0.0
    assert null.theta[0, :-1][free].all()
    assert not null.theta[0, :-1][~free].any()
    np.testing.assert_allclose(null.gradient[0][np.append(free, True)], 0.0, atol=1e-13)
    assert null_strengths(objective, null)[0] > 0.0
