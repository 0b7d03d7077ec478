"""The Hessian of a softmax in pairs of class and column: the entries of the whole one."""

import numpy as np
import pytest
from problems import columns_of, three_classes

from fastlogit import reference
from fastlogit.design.dense import DenseDesign
from fastlogit.objective import pair_hessian as module
from fastlogit.objective.pair_hessian import class_blocks, pair_hessian

INSIDE = np.array([[1, 0, 1, 1, 0], [0, 0, 1, 0, 0], [1, 1, 0, 1, 0]], dtype=bool)


def expected(Z, coef, weight, inside, fit_intercept):
    whole = reference.multinomial_hessian(Z, coef, 0.0, 0.0, weight)
    used = np.column_stack([inside, np.zeros(3, dtype=bool)]).reshape(-1)
    last = np.arange(Z.shape[1], whole.shape[0], Z.shape[1] + 1)[: 2 * fit_intercept]
    places = np.append(np.flatnonzero(used), last)
    return whole[np.ix_(places, places)]


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("inside", [INSIDE, INSIDE & False, np.ones((3, 5), dtype=bool)])
@pytest.mark.parametrize("rows", [10**6, 40])
def test_its_entries_are_those_of_the_whole(rng, monkeypatch, fit_intercept, inside, rows) -> None:
    monkeypatch.setattr(module, "GATHERED", rows)
    monkeypatch.setattr(module, "LEAST_ROWS", 16)
    X, _ = three_classes(90, 5)
    design = DenseDesign(X, columns=columns_of(5))
    Z = (X - design.columns.center) * design.columns.inverse_scale
    coef, weight = rng.normal(size=(5, 3)), rng.uniform(0.0, 2.0, 90)
    shares = (weight[:, None] * reference.softmax(Z @ coef)).T
    classes, places = np.nonzero(inside)
    found = pair_hessian(design, shares, weight.sum(), classes, places, fit_intercept)
    np.testing.assert_allclose(found, expected(Z, coef, weight, inside, fit_intercept), atol=1e-13)


def test_rows_that_are_sure_keep_their_digits(rng) -> None:
    X, _ = three_classes(40, 2)
    raw = np.column_stack([np.full(40, 60.0), rng.normal(size=40), np.full(40, -500.0)])
    shares = np.ascontiguousarray(reference.softmax(raw).T)
    classes, places = np.array([0, 1, 1]), np.array([0, 0, 1])
    found = pair_hessian(DenseDesign(X), shares, 40.0, classes, places, False)
    weight = shares[1]
    assert found[0, 0] == pytest.approx(weight @ X[:, 0] ** 2 / 40.0, rel=1e-12)
    assert found[0, 1] == pytest.approx(-weight @ X[:, 0] ** 2 / 40.0, rel=1e-12)
    assert found[1, 2] == pytest.approx(weight @ (X[:, 0] * X[:, 1]) / 40.0, rel=1e-12)


def test_blocks_of_the_classes(rng) -> None:
    X, _ = three_classes(50, 5)
    curvature = rng.uniform(size=(3, 50))
    classes, places = np.nonzero(INSIDE)
    found = class_blocks(DenseDesign(X), curvature, 5.0, classes, places, True)
    extended = np.column_stack([X, np.ones(50)])
    wanted = np.zeros_like(found)
    for a in range(len(found)):
        for b in range(len(found)):
            of = [(*pair,) for pair in zip(classes, places, strict=True)] + [(0, 5), (1, 5)]
            (k, i), (m, j) = of[a], of[b]
            if k == m:
                wanted[a, b] = curvature[k] @ (extended[:, i] * extended[:, j]) / 5.0
    np.testing.assert_allclose(found, wanted, atol=1e-13)
