"""A grid of folds and penalties is its single fits."""

import warnings

import numpy as np
import pytest
from problems import problem, sized, three_classes
from sklearn.exceptions import ConvergenceWarning

import fastlogit
from fastlogit.grid import fit_grid

CS = np.array([8.0, 0.05, np.inf])


def assert_single_fits(grid, X, y, folds, rtol=1e-5, sample_weight=1.0, **options):
    for fold, index in np.ndindex(len(folds), len(grid.Cs)):
        single = fastlogit.fit(
            X, y, C=grid.Cs[index], sample_weight=folds[fold] * sample_weight, **options
        )
        coef = np.atleast_2d(single.coef.T)
        atol = rtol * max(np.abs(coef).max(), 1.0)
        np.testing.assert_allclose(grid.coef[fold, index], coef, rtol=rtol, atol=atol)
        np.testing.assert_allclose(grid.intercept[fold, index], single.intercept, atol=atol)
        assert grid.suboptimality[fold, index] <= 1e-12
    assert grid.converged.all()


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_two_classes(rng, fit_intercept) -> None:
    X, y, *_, weight = problem(sized(200, 60), 3)
    folds = rng.integers(0, 3, (2, len(y)))
    grid = fit_grid(X, y, CS, fold_weights=folds, sample_weight=weight, fit_intercept=fit_intercept)
    assert grid.coef.shape == (2, 3, 1, 3)
    assert grid.intercept.shape == grid.n_iter.shape == (2, 3, 1)
    assert grid.n_iter.dtype.kind == "i"
    assert grid.converged.shape == grid.suboptimality.shape == (2, 3)
    np.testing.assert_array_equal(grid.Cs, CS)
    intercept = "fit" if fit_intercept else None
    assert_single_fits(grid, X, y, folds, sample_weight=weight, intercept=intercept)
    assert fit_intercept or not grid.intercept.any()
    assert grid.n_passes > 0.0
    assert grid.seconds > 0.0


@pytest.mark.parametrize("multi_class", ["multinomial", "ovr"])
def test_three_classes(rng, multi_class) -> None:
    X, codes = three_classes(sized(200, 60), 2)
    y = np.array(["a", "b", "c"])[codes]
    folds = rng.integers(0, 2, (2, len(y))).astype(np.uint8)
    options = {"multi_class": multi_class, "penalty_factor": np.array([1.0, 7.0])}
    grid = fit_grid(X, y, CS[:2], fold_weights=folds, **options)
    assert grid.coef.shape == (2, 2, 3, 2)
    assert grid.classes.tolist() == ["a", "b", "c"]
    assert_single_fits(grid, X, y, folds, **options)


def test_one_fold_of_all_rows() -> None:
    X, y = problem(sized(200, 60), 3)[:2]
    offset = X[:, 1] - 0.5
    grid = fit_grid(X, y, CS[:2], offset=offset)
    assert_single_fits(grid, X, y, np.ones((1, len(y))), offset=offset)


def test_limits_warn_once() -> None:
    X, y = problem(sized(200, 60), 3)[:2]
    for limit in ({"max_iter": 1, "tol": 1e-15}, {"time_limit": 1e-9}):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            grid = fit_grid(X, y, CS[:2], **limit)
        assert [warning.category for warning in caught] == [ConvergenceWarning]
        assert not grid.converged.any()
        assert np.isfinite(grid.coef).all()


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"Cs": []}, "Cs must have shape"),
        ({"Cs": [0.0]}, "Cs must be > 0, found 0.0"),
        ({"fold_weights": np.ones((2, 3))}, "fold_weights has shape"),
        ({"fold_weights": np.ones(60)}, "fold_weights has shape"),
    ],
)
def test_bad_input(options, text) -> None:
    X, y = problem(60, 3)[:2]
    with pytest.raises(ValueError, match=text):
        fit_grid(X, y, **{"Cs": [1.0], **options})
