"""Whole fits: every solver at the optimum of the oracle and of scikit-learn, whatever the data."""

import functools

import numpy as np
import pytest
from problems import (
    EACH_SOLVER,
    assert_at_optimum,
    fit_by,
    problem,
    real,
    sized,
    three_classes,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

import fastlogit
from fastlogit import reference
from fastlogit.fitting.fit import SOLVERS

NEWTONLIKE = [name for name in SOLVERS if name != "gradient_descent"]


# ------------------------------------------------------------------------------------------------
# Against the oracle


@pytest.mark.jit
@pytest.mark.parametrize("solver", EACH_SOLVER)
@pytest.mark.parametrize(
    ("name", "C"),
    [
        ("cancer", 1e-3), ("cancer", 1.0), ("cancer", 1e3), ("iris", 1.0), ("iris", 1e3),
        ("wine", 1.0), ("wide", 1.0), ("wide", 100.0), ("digits", 0.01),
    ],
)  # fmt: skip
def test_real_data_in_their_own_units(name, C, solver) -> None:
    X, y = real(name)
    options = {"l2_reg": 1.0 / (C * len(y))}
    result = fit_by(solver, X, y, tol=1e-12, **options)
    assert result.converged
    assert np.max(result.suboptimality) <= 1e-12
    assert_at_optimum(result, X, y, 3e-5, **options)


@pytest.mark.jit
@pytest.mark.parametrize("solver", NEWTONLIKE)
@pytest.mark.parametrize("C", [1e-3, 1.0, 1e3])
@pytest.mark.parametrize("name", ["cancer", "iris", "wine"])
def test_six_digits_at_a_tight_tolerance(name, C, solver) -> None:
    X, y = real(name)
    X, options = StandardScaler().fit_transform(X), {"l2_reg": 1.0 / (C * len(y))}
    result = fit_by(solver, X, y, tol=1e-14, **options)
    assert np.max(result.suboptimality) <= 1e-14
    assert_at_optimum(result, X, y, 1e-6, **options)


@pytest.mark.parametrize("solver", EACH_SOLVER)
@pytest.mark.parametrize("l2_reg", [0.0, 0.05])
@pytest.mark.parametrize("n_features", [1, 4, 11])
def test_small_data(n_features, l2_reg, solver) -> None:
    X, y, _, _, weight = problem(90, n_features)
    options = {"l2_reg": l2_reg, "sample_weight": weight}
    assert_at_optimum(fit_by(solver, X, y, **options), X, y, 3e-6, **options)


@pytest.mark.parametrize("solver", EACH_SOLVER)
def test_several_classes(solver) -> None:
    X, codes = three_classes(sized(150, 60), 5)
    assert_at_optimum(fit_by(solver, X, codes, l2_reg=0.01), X, codes, 3e-6, l2_reg=0.01)


@pytest.mark.parametrize("solver", EACH_SOLVER)
def test_two_rows(solver) -> None:
    result = fit_by(solver, [[0.0], [1.0]], ["no", "yes"], l2_reg=0.1)
    assert result.predict([[0.0], [1.0]]).tolist() == ["no", "yes"]
    assert result.converged


@pytest.mark.parametrize("solver", EACH_SOLVER)
@pytest.mark.parametrize("intercept", ["fit", -1.0, None])
def test_more_columns_than_rows(solver, intercept) -> None:
    X, y = problem(8, 40)[:2]
    result = fit_by(solver, X, y, l2_reg=0.1, intercept=intercept)
    held = {"fit": None, None: 0.0}.get(intercept, intercept)
    assert_at_optimum(result, X, y, 3e-6, l2_reg=0.1, intercept=held)


# ------------------------------------------------------------------------------------------------
# Against scikit-learn


@functools.cache
def scikit_learn(name, C, label):
    X, y = real(name)
    model = LogisticRegression(C=C, solver="newton-cholesky", tol=1e-12, max_iter=10_000)
    return model.fit(StandardScaler().fit_transform(X), y == label)


@pytest.mark.jit
@pytest.mark.parametrize("solver", EACH_SOLVER)
@pytest.mark.parametrize(
    ("name", "C"),
    [*((name, C) for name in ("cancer", "iris") for C in (1e-3, 1.0, 50.0)), ("digits", 0.01)],
)
def test_as_in_scikit_learn(name, C, solver) -> None:
    X, y = real(name)
    X = StandardScaler().fit_transform(X)
    result = fit_by(solver, X, y, C=C)
    coef = result.coef.reshape(X.shape[1], -1)
    for model, label in enumerate(result.classes[-coef.shape[1] :]):
        theirs = scikit_learn(name, C, label)
        size = max(1.0, np.abs(theirs.coef_).max())
        np.testing.assert_allclose(coef[:, model], theirs.coef_[0], atol=1e-5 * size)
        intercept = np.reshape(result.intercept, -1)[model]
        assert intercept == pytest.approx(theirs.intercept_[0], abs=1e-5 * size)


# ------------------------------------------------------------------------------------------------
# Scale-proof


@pytest.mark.parametrize("solver", EACH_SOLVER)
@pytest.mark.parametrize("rows", [200, pytest.param(20_000, marks=pytest.mark.jit)])
def test_scale_and_shift_of_columns_change_only_the_units(rows, solver) -> None:
    X, y = problem(sized(rows, 60), 6)[:2]
    coef, intercept, _ = reference.newton(X, y)
    expected = X @ coef + intercept
    scale = np.array([1e-8, 1e8, 1.0, 1e-4, 1e4, 1e3])
    shift = np.array([1e6, 0.0, -1e6, 1.0, 1e6, -30.0])  # in standard deviations
    moved = (X + shift) * scale
    result = fit_by(solver, moved, y)
    np.testing.assert_allclose(result.coef * scale, coef, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(result.raw_prediction(moved), expected, atol=1e-4)


@pytest.mark.parametrize("solver", EACH_SOLVER)
@pytest.mark.parametrize("rows", [200, pytest.param(20_000, marks=pytest.mark.jit)])
def test_a_penalty_in_the_units_of_each_column(rows, solver) -> None:
    X, y = problem(sized(rows, 60), 6)[:2]
    coef, intercept, _ = reference.newton(X, y, 0.01)
    scale, shift = np.array([1e-8, 1e8, 1.0, 1e-4, 1e4, 1e3]), np.array([1e5, 0, -1e5, 1, 1e3, -30])
    moved = (X + shift) * scale
    result = fit_by(solver, moved, y, l2_reg=0.01 * scale**2)
    np.testing.assert_allclose(result.coef * scale, coef, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(
        result.raw_prediction(moved), X @ coef + intercept, rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("solver", EACH_SOLVER)
@pytest.mark.parametrize("rows", [150, pytest.param(20_000, marks=pytest.mark.jit)])
def test_columns_that_do_not_vary_get_no_coefficient(rows, solver) -> None:
    X, y = problem(sized(rows, 60), 4)[:2]
    rows = len(X)
    expected = reference.newton(X, y)[0]
    padded = np.column_stack(
        [np.zeros(rows), X[:, :2], np.full(rows, 1e5), X[:, 2:], np.full(rows, 0.1)]
    )
    for options in ({}, {"l2_reg": np.array([0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1.0])}):
        result = fit_by(solver, padded, y, **options)
        np.testing.assert_array_equal(result.coef[[0, 3, 6]], 0.0)
        np.testing.assert_allclose(result.coef[[1, 2, 4, 5]], expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("solver", EACH_SOLVER)
def test_no_column_varies(solver) -> None:
    for options in ({}, {"l2_reg": 0.3}):
        only = fit_by(solver, np.ones((10, 2)), np.arange(10) % 5 == 0, **options)
        np.testing.assert_array_equal(only.coef, 0.0)
        assert only.intercept == pytest.approx(np.log(0.2 / 0.8), rel=1e-6)


@pytest.mark.parametrize("solver", EACH_SOLVER)
def test_nothing_to_fit(solver) -> None:
    only = fit_by(solver, np.zeros((10, 2)), np.arange(10) % 5 == 0, intercept=None)
    np.testing.assert_array_equal(only.coef, 0.0)
    assert only.history[-1] == pytest.approx(np.log(2.0), rel=1e-12)
    assert only.suboptimality <= 1e-12


@pytest.mark.parametrize("solver", EACH_SOLVER)
@pytest.mark.parametrize("rows", [200, pytest.param(20_000, marks=pytest.mark.jit)])
@pytest.mark.parametrize("intercept", ["fit", None])
def test_columns_that_repeat_give_the_same_predictions(rows, intercept, solver) -> None:
    X, y = problem(sized(rows, 60), 5)[:2]
    X = np.round(X * 1024.0) / 1024.0  # combinations of columns are exact
    held = None if intercept == "fit" else 0.0
    coef, base, cost = reference.newton(X, y, intercept=held)
    repeated = np.column_stack([X, X[:, 0], 3.0 * X[:, 1] - 2.0 * X[:, 2], X[:, 0] * 2.0**-20])
    result = fit_by(solver, repeated, y, intercept=intercept)
    assert result.converged
    np.testing.assert_allclose(result.raw_prediction(repeated), X @ coef + base, atol=1e-4)
    assert result.history[-1] == pytest.approx(cost, rel=2e-12)


@pytest.mark.parametrize("solver", EACH_SOLVER)
@pytest.mark.parametrize("rows", [200, pytest.param(20_000, marks=pytest.mark.jit)])
def test_columns_that_repeat_but_for_rounding_are_named_and_nothing_is_proven(rows, solver) -> None:
    """X[:, 0] in other units is a multiple of X[:, 0] but for 1e-16: a direction of its own."""
    X, y = problem(sized(rows, 60), 5)[:2]
    coef, base, cost = reference.newton(X, y)
    repeated = np.column_stack([X, 3.0 * X[:, 1] - 2.0 * X[:, 2], X[:, 0] * 2.54])
    with pytest.warns(ConvergenceWarning, match="columns 5, 6 are combinations of others"):
        result = fit_by(solver, repeated, y)
    assert result.suboptimality == np.inf
    np.testing.assert_allclose(result.raw_prediction(repeated), X @ coef + base, atol=1e-4)
    assert result.history[-1] == pytest.approx(cost, rel=2e-12)
    # A penalty decides what the values cannot.
    assert fit_by(solver, repeated, y, l2_reg=1e-3).suboptimality <= 1e-12


@pytest.mark.parametrize("solver", NEWTONLIKE)
def test_columns_without_penalty_that_repeat_beside_penalised_ones(solver) -> None:
    X, y = problem(sized(300, 60), 4)[:2]
    repeated = np.column_stack([X, X[:, 1]])
    l2_reg = np.array([0.1, 0.0, 0.1, 0.1, 0.0])
    result = fit_by(solver, repeated, y, l2_reg=l2_reg)
    assert result.suboptimality <= 1e-12
    cost = reference.newton(X, y, l2_reg[:4])[2]
    assert result.history[-1] == pytest.approx(cost, rel=2e-12)


@pytest.mark.parametrize("solver", EACH_SOLVER)
def test_a_penalty_shares_among_columns_that_repeat(solver) -> None:
    X, y = problem(sized(300, 60), 4)[:2]
    repeated = np.column_stack([X, X[:, 1]])
    result = fit_by(solver, repeated, y, l2_reg=0.02)
    assert_at_optimum(result, repeated, y, 1e-5, l2_reg=0.02)
    assert result.coef[4] == pytest.approx(result.coef[1], rel=1e-5)


@pytest.mark.parametrize("solver", NEWTONLIKE)
def test_columns_that_nearly_repeat(solver) -> None:
    X, y = problem(300, 4)[:2]
    near = X[:, 0] + 1e-5 * np.random.default_rng(0).standard_normal(300)
    close = np.column_stack([X, near])
    result = fit_by(solver, close, y)
    cost = reference.newton(close, y)[2]
    assert result.converged
    assert result.history[-1] - cost <= 1e-12 * cost + 1e-15


# ------------------------------------------------------------------------------------------------
# Rare and sorted


def crowd(n_samples=50_000, n_features=5, seed=0):
    X, y = problem(n_samples, n_features, seed)[:2]
    return X, y


@pytest.mark.jit
@pytest.mark.parametrize("l2_reg", [0.0, 1e-4])
@pytest.mark.parametrize("solver", EACH_SOLVER)
def test_a_rare_class(solver, l2_reg) -> None:
    X = crowd()[0]
    rng = np.random.default_rng(1)
    y = np.zeros(50_000, dtype=int)
    y[rng.choice(50_000, 20, replace=False)] = 1
    X[y == 1] += 0.5
    result = fit_by(solver, X, y, l2_reg=l2_reg)
    assert_at_optimum(result, X, y, 1e-4, l2_reg=l2_reg)


@pytest.mark.jit
@pytest.mark.parametrize("l2_reg", [0.0, 1e-4])
@pytest.mark.parametrize("solver", EACH_SOLVER)
def test_a_rare_column(solver, l2_reg) -> None:
    X, y = crowd()
    dummy = np.zeros(50_000)
    ones = [1003, 20_001, 20_002, 40_010, 49_999]
    dummy[ones] = 1.0
    y[ones] = [0, 1, 1, 0, 1]
    X = np.column_stack([X, dummy])
    result = fit_by(solver, X, y, l2_reg=l2_reg)
    coef, _, cost = reference.newton(X, y, l2_reg)
    np.testing.assert_allclose(result.coef[:-1], coef[:-1], rtol=1e-4, atol=1e-5)
    # The cost of 5 rows in 50,000 bounds what their coefficient may be off.
    assert result.coef[-1] == pytest.approx(coef[-1], abs=1e-3)
    assert result.history[-1] == pytest.approx(cost, rel=2e-12)


@pytest.mark.jit
@pytest.mark.parametrize("by", ["class", "column", "period"])
@pytest.mark.parametrize("solver", NEWTONLIKE)
def test_rows_in_an_order(solver, by) -> None:
    X, y = crowd()
    if by == "period":  # in step with a stride
        X[:, 0] = np.arange(50_000) % 23 - 11.0
        y = (X @ [0.1, 0.5, 0.0, -0.5, 0.2] + np.random.default_rng(0).logistic(size=50_000)) > 0
    order = {"class": np.argsort(y, kind="stable"), "column": np.argsort(X[:, 0])}.get(by)
    X, y = (X, y) if order is None else (np.ascontiguousarray(X[order]), y[order])
    assert_at_optimum(fit_by(solver, X, y), X, y, 1e-5)


@pytest.mark.jit
@pytest.mark.parametrize("layout", ["float32", "int", "bool", "F"])
@pytest.mark.parametrize("solver", NEWTONLIKE)
def test_other_numbers_and_layouts_by_the_subsample_too(solver, layout) -> None:
    X, y = crowd(20_000)
    change = {
        "float32": lambda: X.astype(np.float32), "int": lambda: np.rint(3.0 * X).astype(np.int64),
        "bool": lambda: X > 0.0, "F": lambda: np.asfortranarray(X),
    }  # fmt: skip
    given = change[layout]()
    assert_at_optimum(fit_by(solver, given, y), given.astype(np.float64), y, 1e-5)


# ------------------------------------------------------------------------------------------------
# The tolerance


@pytest.mark.parametrize("solver", EACH_SOLVER)
@pytest.mark.parametrize("tol", [1e-2, 1e-6, 1e-10, 1e-12])
def test_the_tolerance_is_kept_and_proven(tol, solver) -> None:
    X, y = problem(150, 5)[:2]
    for l2_reg in (0.0, 0.01):
        result = fit_by(solver, X, y, l2_reg=l2_reg, tol=tol)
        cost = reference.newton(X, y, l2_reg)[2]
        lacks = (reference.cost(X, y, result.coef, result.intercept, l2_reg) - cost) / cost
        assert lacks <= result.suboptimality + 1e-15
        assert result.suboptimality <= tol
        assert f"({tol:g} asked for)" in result.message


def test_a_looser_tolerance_takes_fewer_passes() -> None:
    X, y = problem(sized(20_000, 150), 5)[:2]
    for solver in NEWTONLIKE[1:]:
        passes = [fit_by(solver, X, y, tol=tol).n_passes for tol in (1e-3, 1e-12)]
        assert passes[0] < passes[1]


@pytest.mark.parametrize("solver", NEWTONLIKE)
@pytest.mark.parametrize("l2_reg", [0.0, 0.01])
def test_a_tolerance_beyond_rounding_says_so(solver, l2_reg) -> None:

    X, y = problem(150, 5)[:2]
    with pytest.warns(ConvergenceWarning, match="rounding errors .* 1e-60 was asked for") as seen:
        result = fit_by(solver, X, y, tol=1e-60, l2_reg=l2_reg)
    assert not result.converged
    assert 1e-60 < result.suboptimality <= 1e-14
    assert f"within {result.suboptimality:.1e} of the optimum" in str(seen[0].message)
    assert seen[0].filename == __file__.replace("test_optimum", "problems")


@pytest.mark.parametrize("solver", NEWTONLIKE)
@pytest.mark.parametrize("l2_reg", [0.0, 0.01])
def test_without_tolerance_rounding_is_the_end_that_was_asked_for(solver, l2_reg) -> None:
    X, y = problem(150, 5)[:2]
    result = fit_by(solver, X, y, tol=0.0, l2_reg=l2_reg)
    assert result.converged
    assert result.suboptimality <= 1e-14
    coef = reference.newton(X, y, l2_reg)[0]
    np.testing.assert_allclose(result.coef, coef, rtol=1e-9)


@pytest.mark.jit
@pytest.mark.parametrize("seed", range(3))
def test_the_subsample_leads_where_newton_does(seed) -> None:
    X, y = problem(20_000, 10, seed)[:2]
    by_newton = fastlogit.fit(X, y, solver="newton")
    by_subsample = fastlogit.fit(X, y, solver="lbfgs")
    np.testing.assert_allclose(by_subsample.coef, by_newton.coef, rtol=1e-5, atol=1e-6)


@pytest.mark.jit
def test_a_weak_penalty_is_proven_by_the_hessian() -> None:
    # Rows enough for a subsample and columns enough that a Gram matrix is dear: the bound by the
    # penalty alone never says anything here.
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20_000, 600))
    y = X[:, 0] + rng.logistic(size=20_000) > 0
    result = fastlogit.fit(X, y, C=1e8)
    assert result.converged
    assert result.suboptimality <= 1e-12


@pytest.mark.jit
def test_wide_data_with_a_column_of_a_large_size_are_proven() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 1_500))
    y = X[:, :50].sum(axis=1) + rng.logistic(size=200) > 0
    X[:, 0] *= 1e6
    result = fastlogit.fit(X, y, C=1.0)
    assert result.converged
    assert result.suboptimality <= 1e-12
