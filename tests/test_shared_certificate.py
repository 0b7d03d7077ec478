"""Bounds of many models at once: true, tight, and by few Gram matrices."""

import numpy as np
import pytest
from problems import objective_of, problem

from fastlogit import reference
from fastlogit.certificates.shared import SharedCertificate
from fastlogit.objective.hessians import Hessians

ROWS = 240
L2_REG = (0.3, 1e-3, 1e-4)


def grid(n_folds=2):
    """Penalties by folds whose weights differ, and each model's optimum: theta, lowest cost."""
    X, y = problem(ROWS, 4)[:2]
    rng = np.random.default_rng(0)
    weights = (np.arange(ROWS) % (n_folds + 1) != np.arange(n_folds)[:, None]).astype(float)
    weights *= rng.uniform(0.5, 2.0, ROWS)
    each = np.repeat(L2_REG, n_folds)
    weight_set = np.tile(np.arange(n_folds), len(L2_REG))
    objective = objective_of(
        X, y, weights, each[:, None] * np.ones(4), (1,) * len(each), weight_set=weight_set
    )
    theta, lowest = np.empty((len(each), 5)), np.empty(len(each))
    for model, (l2, fold) in enumerate(zip(each, weight_set, strict=True)):
        coef, intercept, lowest[model] = reference.newton(X, y, l2, weights[fold])
        theta[model] = [*coef, intercept]
    return objective, theta, lowest


@pytest.mark.parametrize("stride", [1, 3])
def test_it_bounds_what_each_model_lacks(stride) -> None:
    objective, optimum, lowest = grid()
    certificate = SharedCertificate(objective, stride)
    rng = np.random.default_rng(1)
    models = np.arange(len(optimum))
    for size in (0.3, 0.03, 1e-3):
        theta = optimum + size * rng.standard_normal(optimum.shape)
        found = objective.at(theta)
        lacks = found.cost - lowest
        gains = certificate.bounds(models, theta, found.gradient, 0.0 * lacks, found.cost)
        assert (gains >= lacks - 1e-15).all()
        if size < 0.1:
            assert (gains <= 20.0 * lacks).all()


def test_models_near_each_other_share_a_gram_matrix(monkeypatch) -> None:
    objective, optimum, lowest = grid()
    made = []
    at = Hessians.at
    monkeypatch.setattr(Hessians, "at", lambda *given: made.append(given[1]) or at(*given))
    certificate = SharedCertificate(objective)
    models = np.arange(len(optimum))
    theta = optimum + 1e-4
    found = objective.at(theta)
    certificate.bounds(models, theta, found.gradient, np.full(len(models), 1e-3), found.cost)
    # Of each fold one for the strong penalty and one for the two weak ones.
    assert made == [0, 2, 1, 3]
    # The next points are near: none is made, and some models alone get the same bounds.
    theta = optimum - 1e-5
    found = objective.at(theta)
    wanted = np.full(len(models), 1e-3)
    every = certificate.bounds(models, theta, found.gradient, wanted, found.cost)
    some = np.array([1, 4, 5])
    few = certificate.bounds(
        some, theta[some], found.gradient[some], wanted[some], found.cost[some]
    )
    np.testing.assert_allclose(few, every[some], rtol=1e-9)
    for model in some:
        one = certificate.bound(int(model), theta[model], found.gradient[model], 1e-3)
        assert one == pytest.approx(every[model], rel=1e-9)
    assert len(made) == 4
    assert (found.cost - lowest <= every).all()


def test_at_once_nothing_is_made(monkeypatch) -> None:
    objective, optimum, lowest = grid()
    monkeypatch.setattr(Hessians, "at", lambda *_: pytest.fail("a Gram matrix was made"))
    found = objective.at(optimum + 1e-4)
    bound = SharedCertificate(objective).bound(
        0, optimum[0] + 1e-4, found.gradient[0], at_once=True
    )
    assert bound >= found.cost[0] - lowest[0]
