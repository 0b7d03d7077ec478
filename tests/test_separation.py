"""Separable classes are said to be so, with the columns that do it; others are not."""

import re
import time
import warnings

import numpy as np
import pytest
from problems import (
    EACH_SOLVER,
    DataFrame,
    fit_by,
    objective_of,
    problem,
    sized,
    softmax_of,
    three_classes,
)
from sklearn.datasets import load_iris

import fastlogit
from fastlogit import SeparationWarning, reference
from fastlogit.certificates.separation import Separation, SoftmaxSeparation
from fastlogit.fitting.fit import SOLVERS

NEWTONLIKE = [name for name in SOLVERS if name != "gradient_descent"]
ROWS = sized(300, 80)


def separated(X, y, advice="set C or l2_reg", **options):
    """Fit separable classes; return the result and the text of the warning."""
    with pytest.warns(SeparationWarning) as caught:
        result = fastlogit.fit(X, y, **options)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert result.message == str(caught[0].message)
    assert not result.converged
    assert np.isfinite(result.coef).all()
    assert np.isfinite(result.history).all()
    assert advice in result.message
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


@pytest.mark.jit
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
    options = {"l2_reg": [0.0, 0.1, 0.1], "solver": solver}
    message = separated(X, X[:, 0] > 0.0, "give these one too", **options).message
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


# ------------------------------------------------------------------------------------------------
# Softmax


def crowded(n_samples=ROWS, n_features=3):
    """Three classes that overlap everywhere."""
    rng = np.random.default_rng(n_features)
    X = rng.standard_normal((n_samples, n_features))
    z = X @ rng.standard_normal((n_features, 3)) + rng.gumbel(size=(n_samples, 3))
    return X, z.argmax(axis=1)


@pytest.mark.parametrize("solver", NEWTONLIKE)
def test_one_class_of_a_softmax_that_separates(solver) -> None:
    X, y = load_iris(return_X_y=True)
    for C in (None, np.inf):
        result = separated(X, y, solver=solver, multi_class="multinomial", C=C)
        assert "quasi-completely separable (class 0 from the others): a " in result.message
        assert "a combination of the columns" in result.message
        np.testing.assert_array_equal(result.predict(X)[y == 0], 0)


@pytest.mark.parametrize("solver", NEWTONLIKE)
def test_all_classes_of_a_softmax_separate(solver) -> None:
    X = problem(ROWS, 3).X
    y = np.digitize(X[:, 1], [-0.4, 0.4])
    result = separated(X, y, solver=solver, multi_class="multinomial")
    assert "the classes are completely separable: " in result.message
    assert re.search(r"columns? [\d, ]*1", result.message)
    np.testing.assert_array_equal(result.predict(X), y)


@pytest.mark.parametrize("solver", NEWTONLIKE)
def test_a_softmax_of_more_columns_than_rows_separates(solver) -> None:
    X, y = three_classes(21, 40)
    separated(X, y, solver=solver, multi_class="multinomial")


@pytest.mark.parametrize("solver", EACH_SOLVER)
def test_classes_that_overlap_have_a_softmax_optimum(solver) -> None:
    X, y = crowded()
    result = fit_by(solver, X, y, multi_class="multinomial")
    assert result.converged
    coef, _, lowest = reference.multinomial_newton(X, y, 3)
    np.testing.assert_allclose(result.coef, coef, rtol=1e-4, atol=1e-5)
    assert result.history[-1] - lowest <= 1.1e-12 * lowest


@pytest.mark.parametrize("solver", NEWTONLIKE)
def test_a_penalty_leaves_a_softmax_optimum(solver) -> None:
    X, y = load_iris(return_X_y=True)
    result = fit_by(solver, X, y, multi_class="multinomial", l2_reg=1e-4)
    assert result.converged
    coef, _, _ = reference.multinomial_newton(X, y, 3, 1e-4)
    np.testing.assert_allclose(result.coef, coef, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("solver", NEWTONLIKE)
def test_rows_of_weight_zero_do_not_overlap_in_a_softmax(solver) -> None:
    X = problem(ROWS, 3).X
    y = np.digitize(X[:, 1], [-0.4, 0.4])
    flipped = np.arange(5, ROWS, 9)
    y[flipped] = (y[flipped] + 1) % 3
    weight = np.ones(ROWS)
    options = {"multi_class": "multinomial", "solver": solver}
    assert fit_by(solver, X, y, sample_weight=weight, multi_class="multinomial").converged
    weight[flipped] = 0.0
    separated(X, y, sample_weight=weight, **options)


def test_a_softmax_separates_without_intercept_only_through_the_origin() -> None:
    X = problem(ROWS, 2).X
    angle = np.arctan2(X[:, 1], X[:, 0])
    y = np.digitize(angle, [-1.0, 1.0])
    separated(X, y, multi_class="multinomial", intercept=None)
    # Three stretches of one column need thresholds, hence intercepts.
    x = np.linspace(1.0, 2.0, ROWS)[:, None]
    codes = np.digitize(x[:, 0], [1.3, 1.7])
    separated(x, codes, multi_class="multinomial")
    held = fastlogit.fit(x, codes, multi_class="multinomial", intercept=None)
    assert held.converged
    coef = reference.multinomial_newton(x, codes, 3, fit_intercept=False)[0]
    np.testing.assert_allclose(held.coef, coef, rtol=1e-4, atol=1e-5)


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
def test_quasi_separation_of_a_softmax_by_a_rare_column(rows, ones, scale, solver) -> None:
    """The cost is within 1e-12 of its infimum long before the coefficient is large."""
    X, y = crowded(rows)
    dummy = np.zeros(rows)
    dummy[np.random.default_rng(0).choice(rows, ones, replace=False)] = scale
    y[dummy > 0.0] = 1
    result = separated(np.column_stack([X, dummy]), y, solver=solver, multi_class="multinomial")
    assert "columns 3 does" in result.message


def test_what_the_softmax_iterates_show() -> None:
    """Directions are tried as they come; classes that overlap are not said to separate."""
    X, y = crowded()
    objective = softmax_of(X, y)
    objective.standardize()
    separation = SoftmaxSeparation(objective)
    rng = np.random.default_rng(0)
    for n_iter in (4, 8, 12, 16, 32):
        theta = 30.0 * objective.loss.centred(rng.standard_normal((1, 12)))
        assert not separation.look(theta, n_iter).any()
        separation.inspect(theta)
        separation.decide(np.arange(1), theta)
    assert not separation.found
    order = np.digitize(X[:, 0], [-0.4, 0.4])
    objective = softmax_of(X, order)
    objective.standardize()
    separation = SoftmaxSeparation(objective)
    separation.decide(np.arange(1), np.zeros((1, 12)))
    assert set(separation.found) == {0}
    coef = separation.found[0].reshape(3, 4)
    center, inverse_scale = objective.design.columns
    z = (X - center) * inverse_scale @ coef[:, :3].T + coef[:, 3]
    own = z[np.arange(ROWS), order]
    assert (own >= z.max(axis=1) - 1e-9).all()
    assert 0 in separation.columns(0)[0]


def test_labels_of_a_softmax_in_any_order_separate() -> None:
    """`positive` need not be 0, 1, 2 in this order."""
    X = problem(ROWS, 3).X
    y = np.digitize(X[:, 1], [-0.4, 0.4])
    objective = softmax_of(X, y, positive=[2, 0, 1])
    objective.standardize()
    separation = SoftmaxSeparation(objective)
    separation.decide(np.arange(1), np.zeros((1, 12)))
    assert set(separation.found) == {0}
    slopes = dict(zip([2, 0, 1], separation.found[0].reshape(3, 4)[:, 1], strict=True))
    assert slopes[2] > slopes[0]


# ------------------------------------------------------------------------------------------------
# Complete or quasi-complete


def ties(column: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A column whose two ends are of one class each, and whose middle has rows of both."""
    X = problem(ROWS, 3).X
    X[:, column] = np.round(X[:, column])
    y = X[:, column] > 0
    y[np.flatnonzero(X[:, column] == 0)[::2]] = True
    return X, y


@pytest.mark.parametrize("solver", NEWTONLIKE)
def test_complete_and_quasi_complete_are_told_apart(solver) -> None:
    X, y = ties()
    text = "the classes are quasi-completely separable: column 0 alone does"
    assert text in separated(X, y, solver=solver).message
    X = problem(ROWS, 3).X
    text = "the classes are completely separable: column 1 alone does"
    assert text in separated(X, X[:, 1] > 0.1, solver=solver).message
    text = "the classes are completely separable: a combination of the columns 0, 1 does"
    assert text in separated(X, X[:, 0] + X[:, 1] > 0.1, solver=solver).message


def test_ties_of_one_column_that_another_one_breaks_are_complete_separation() -> None:
    X, y = ties()
    tied = X[:, 0] == 0
    X[tied, 2] = np.where(y[tied], 1.0, -1.0) * (0.5 + np.abs(X[tied, 2]))
    assert "the classes are completely separable" in separated(X, y).message


@pytest.mark.parametrize("gap", [1e-3, 0.0])
def test_a_small_gap_is_a_gap(gap) -> None:
    X, y = ties()
    X[(X[:, 0] == 0) & y, 0] = gap
    X[:, 0] *= 1e5  # the units do not matter
    expected = "completely" if gap else "quasi-completely"
    assert f"the classes are {expected} separable: column 0" in separated(X, y).message


@pytest.mark.jit
def test_many_rows_are_decided_by_a_few(monkeypatch) -> None:
    X, y = (np.tile(part, 70) if part.ndim == 1 else np.tile(part, (70, 1)) for part in ties())
    X[:, 1:] = np.random.default_rng(0).normal(size=(len(X), 2))
    assert "quasi-completely separable" in separated(X, y).message
    # What takes too large a programme is not guessed.
    monkeypatch.setattr("fastlogit.certificates.separation.LINEAR_PROGRAMME", 0)
    assert "the classes are separable: column 0 alone" in separated(X, y).message


def test_the_class_of_a_softmax_that_is_told_apart_is_named_by_its_label() -> None:
    X, y = three_classes(ROWS, 3)
    X[:, 2] = np.where(y == 1, 3.0, -3.0) + np.random.default_rng(0).uniform(-1, 1, len(y))
    labels = np.array(["ash", "birch", "cedar"])[y]
    message = separated(X, labels, multi_class="multinomial").message
    assert "quasi-completely separable (class birch from the others): " in message
    assert re.search(r"columns? [\d, ]*2", message)


@pytest.mark.parametrize("options", [{"C": 1.0}, {"l1_reg": 0.01}])
def test_columns_without_the_penalty_of_others_are_named_as_such(options) -> None:
    X = problem(ROWS, 4).X
    y = X[:, 2] > 0.3
    with pytest.warns(SeparationWarning, match=r"column 2 alone does.*give these one too") as said:
        fastlogit.fit(X, y, penalty_factor=[1.0, 1.0, 0.0, 1.0], **options)
    assert "set C" not in str(said[0].message)
