"""Separable classes are said to be so, with the columns that do it; others are not."""

import time
import warnings

import numpy as np
import pytest
from problems import EACH_SOLVER, DataFrame, fit_by, objective_of, problem, sized, three_classes
from sklearn.datasets import load_iris

import fastlogit
from fastlogit import SeparationWarning, reference
from fastlogit.fitting import SOLVERS
from fastlogit.separation import Separation

NEWTONLIKE = [name for name in SOLVERS if name != "gradient_descent"]
ROWS = sized(300, 80)


def separated(X, y, **options):
    """Fit separable classes; return the result and the text of the warning."""
    with pytest.warns(SeparationWarning) as caught:
        result = fastlogit.fit(X, y, **options)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert result.message == str(caught[0].message)
    assert not result.converged
    assert np.isfinite(result.coef).all()
    assert np.isfinite(result.history).all()
    assert "set C or l2_reg" in result.message
    return result


@pytest.mark.parametrize("solver", NEWTONLIKE)
def test_a_column_that_separates_is_named(solver) -> None:
    X = problem(ROWS, 4).X
    y = X[:, 2] > 0.3
    result = separated(X, y, solver=solver)
    assert "separable: column 2 alone does" in result.message
    np.testing.assert_array_equal(result.predict(X), y)
    frame = DataFrame(X, ["age", "height", "weight", "shoe"])
    assert "column weight alone" in separated(frame, y, solver=solver).message


@pytest.mark.parametrize("solver", NEWTONLIKE)
def test_each_of_two_columns_that_separate(solver) -> None:
    X = problem(ROWS, 4).X
    y = X[:, 2] > 0.3
    X[:, 0] = np.where(y, -1.0, 1.0) * (2.0 + X[:, 0] ** 2)
    assert "each of the columns 0, 2 alone does" in separated(X, y, solver=solver).message


@pytest.mark.parametrize("solver", NEWTONLIKE)
@pytest.mark.parametrize("rows", [ROWS, pytest.param(20_000, marks=pytest.mark.jit)])
def test_a_combination_that_separates(rows, solver) -> None:
    X = problem(rows, 4).X
    y = X[:, 0] - X[:, 3] > 0.2
    began = time.perf_counter()
    result = separated(X, y, solver=solver)
    assert time.perf_counter() - began < 60.0
    assert "a combination of the columns 0, 3 does" in result.message
    assert result.n_iter <= 64


@pytest.mark.parametrize("solver", NEWTONLIKE)
def test_more_columns_than_rows(solver) -> None:
    X, y = problem(20, 40)[:2]
    message = separated(X, y, solver=solver).message
    assert "a combination of the columns" in message
    assert "more does" in message


@pytest.mark.parametrize("solver", NEWTONLIKE)
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize(
    ("rows", "ones"),
    [
        (ROWS, 3),
        (ROWS, 40),
        pytest.param(20_000, 5, marks=pytest.mark.jit),
        pytest.param(20_000, 2_000, marks=pytest.mark.jit),
    ],
)
def test_quasi_separation_by_a_rare_column(rows, ones, scale, solver) -> None:
    """The cost is within 1e-12 of its infimum long before the coefficient is large."""
    X, y = problem(rows, 3)[:2]
    dummy = np.zeros(rows)
    dummy[np.random.default_rng(0).choice(rows, ones, replace=False)] = scale
    y[dummy > 0.0] = 1
    result = separated(np.column_stack([X, dummy]), y, solver=solver)
    assert "column 3 alone does" in result.message


@pytest.mark.parametrize("solver", NEWTONLIKE)
def test_quasi_separation_by_ties(solver) -> None:
    x = np.repeat([0.0, 1.0, 2.0], 10)
    y = np.r_[np.zeros(10), np.arange(10) % 2, np.ones(10)]
    assert "column 0 alone does" in separated(x[:, None], y, solver=solver).message


@pytest.mark.parametrize("solver", NEWTONLIKE)
def test_without_intercept(solver) -> None:
    X, y = problem(ROWS, 3)[:2]
    X[:, 1] = (2.0 * y - 1.0) * (0.1 + np.abs(X[:, 1]))
    message = separated(X, y, solver=solver, intercept=None).message
    assert "column 1 alone does" in message
    # A threshold away from 0 is out of reach without an intercept.
    X[:, 1] = np.where(y == 1, 5.0, 4.0)
    coef = reference.newton(X, y, intercept=0.0)[0]
    held = fastlogit.fit(X, y, solver=solver, intercept=None)
    assert held.converged
    np.testing.assert_allclose(held.coef, coef, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("solver", NEWTONLIKE)
def test_one_class_of_several(solver) -> None:
    X, y = load_iris(return_X_y=True)
    message = separated(
        X, np.array(["setosa", "versicolor", "virginica"])[y], solver=solver
    ).message
    assert "separable (class setosa against the others): each of the columns 2, 3 alone" in message


@pytest.mark.parametrize("solver", NEWTONLIKE)
def test_weights_of_zero_that_take_the_overlap_away(solver) -> None:
    X = problem(ROWS, 3).X
    y = X[:, 1] > 0.0
    flipped = np.arange(5, ROWS, 9)
    y[flipped] ^= True
    weight = np.ones(ROWS)
    assert fit_by(solver, X, y, sample_weight=weight).converged
    weight[flipped] = 0.0
    message = separated(X, y, sample_weight=weight, solver=solver).message
    assert "column 1 alone does" in message


@pytest.mark.parametrize("solver", NEWTONLIKE)
@pytest.mark.parametrize("overlap", [0.1, 1e-3, 1e-5])
def test_hard_data_that_overlap_have_an_optimum(overlap, solver) -> None:
    x = np.r_[np.linspace(0.0, 1.0, 50), np.linspace(1.0 - overlap, 2.0, 50)][:, None]
    y = np.arange(100) >= 50
    result = fit_by(solver, x, y)
    assert result.converged
    cost = reference.newton(x, y)[2]
    assert result.history[-1] - cost <= 1.1e-12 * cost


@pytest.mark.parametrize("solver", NEWTONLIKE)
def test_strong_signals_with_few_errors_have_an_optimum(solver) -> None:
    X = problem(ROWS, 3).X
    y = X @ [5.0, -3.0, 2.0] > 0.0
    y[[3, 40]] ^= True
    assert fit_by(solver, X, y).converged


@pytest.mark.parametrize("solver", EACH_SOLVER)
@pytest.mark.parametrize("l2_reg", [1e-4, 0.1, np.array([0.1, 0.0, 0.0])])
def test_a_penalty_on_what_separates_leaves_an_optimum(l2_reg, solver) -> None:
    X = problem(ROWS, 3).X
    y = X[:, 0] > 0.0
    result = fit_by(solver, X, y, l2_reg=l2_reg)
    assert result.converged
    coef = reference.newton(X, y, l2_reg)[0]
    np.testing.assert_allclose(result.coef, coef, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("solver", NEWTONLIKE)
def test_a_penalty_on_other_columns_leaves_none(solver) -> None:
    X = problem(ROWS, 3).X
    message = separated(X, X[:, 0] > 0.0, l2_reg=[0.0, 0.1, 0.1], solver=solver).message
    assert "column 0 alone does" in message


def test_gradient_descent_says_so_too() -> None:
    X = problem(ROWS, 3).X
    with pytest.warns(SeparationWarning, match="column 0 alone does"):
        fastlogit.fit(X, X[:, 0] > 0.0, solver="gradient_descent", max_iter=300)


def test_columns_that_repeat_are_no_separation() -> None:
    X, y = problem(ROWS, 3)[:2]
    X = np.column_stack([X, X, np.ones(ROWS)])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert fastlogit.fit(X, y).converged


def test_large_values_do_not_overflow() -> None:
    X = 1e150 * problem(ROWS, 2).X
    separated(X, X[:, 0] > 0.0)


def test_a_class_that_overlaps_is_not_named() -> None:
    X, codes = three_classes(ROWS, 3)
    objective = objective_of(X, codes, positive=(0, 1, 2))
    objective.standardize()
    separation = Separation(objective)
    theta = np.random.default_rng(0).standard_normal((3, 4)) * 30.0
    for n_iter in (4, 8, 12, 16):
        assert not separation.look(theta, n_iter).any()
    separation.inspect(theta)
    separation.decide(np.arange(3), theta)
    assert not separation.found
