"""The chosen columns once more, without a penalty: the same as a fit of these columns alone."""

import numpy as np
import pytest
import scipy.sparse
from problems import problem, three_classes

import fastlogit
from fastlogit.fitting.grid import GridOptions
from fastlogit.fitting.relaxed import relax
from fastlogit.inputs.given import Given, look

pytestmark = pytest.mark.jit


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_two_classes(rng, fit_intercept, sparse) -> None:
    X, y, *_, weight = problem(200, 6)
    offset = rng.normal(size=200)
    chosen, coef = [1, 4], np.zeros((1, 6))
    coef[0, chosen] = 0.1
    rows = scipy.sparse.csr_array(X) if sparse else X
    # A penalty that was given is none of this fit's.
    data = look(Given(rows, y, weight, offset, penalty_factor=np.arange(6.0)), "ovr")
    found = relax(data, (coef, np.zeros(1)), GridOptions(fit_intercept=fit_intercept))
    wanted = fastlogit.fit(
        X[:, chosen], y, sample_weight=weight, offset=offset,
        intercept="fit" if fit_intercept else None,
    )  # fmt: skip
    np.testing.assert_allclose(found.coef[0, chosen], wanted.coef, rtol=1e-5)
    np.testing.assert_allclose(found.intercept, wanted.intercept, rtol=1e-5)
    assert not np.delete(found.coef, chosen, axis=1).any()
    assert found.fits[0].converged


def test_each_class_has_columns_of_its_own(rng) -> None:
    X, y = three_classes(200, 5)
    weight, offset = rng.uniform(0.5, 2.0, (200, 3)), rng.normal(size=(200, 3))
    coef = np.zeros((3, 5))
    coef[0, [0, 2]] = coef[2, [1, 3, 4]] = 0.1
    data = look(Given(X, y, weight, offset), "ovr")
    found = relax(data, (coef, np.array([0.0, 0.7, 0.0])), GridOptions(multi_class="ovr"))
    for k in (0, 2):
        chosen = np.flatnonzero(coef[k])
        wanted = fastlogit.fit(
            X[:, chosen], y == k, sample_weight=weight[:, k], offset=offset[:, k]
        )
        np.testing.assert_allclose(found.coef[k, chosen], wanted.coef, rtol=1e-5, atol=1e-7)
        np.testing.assert_allclose(found.intercept[k], wanted.intercept, rtol=1e-5)
    assert not found.coef[1].any()
    assert found.intercept[1] == 0.7
    assert found.fits[1] is None


def test_columns_that_separate_are_named_as_the_user_counts_them() -> None:
    X, y = problem(60, 5)[:2]
    X[:, 3] = y
    data = look(Given(X, y), "ovr")
    coef = np.array([[0.0, 0.1, 0.0, 1.0, 0.0]])
    with pytest.warns(fastlogit.SeparationWarning, match="column 3 alone"):
        relax(data, (coef, np.zeros(1)), GridOptions())
