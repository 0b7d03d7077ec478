"""Bounds of coefficients through `fit`: optimality, agreement with others, every option."""

import dataclasses
import warnings

import numpy as np
import pytest
import scipy.sparse
from problems import TWO_THREADS, problem, sized, three_classes
from scipy.optimize import minimize
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression as ScikitLearn

import fastlogit
from fastlogit import LogisticRegression, SeparationWarning, reference
from fastlogit.model_file import Model, load_model, save_model
from fastlogit.objective.penalties import L1, Bounds, ElasticNet
from fastlogit.solvers import quadratic_model

# The solver of larger data, whose cases these are; test_small_l1.py has the one of small data.
pytestmark = [pytest.mark.jit, pytest.mark.usefixtures("the_general_way")]


@pytest.fixture(scope="module")
def cancer():
    X, y = load_breast_cancer(return_X_y=True)
    return (X - X.mean(axis=0)) / X.std(axis=0), y


def assert_optimal(X, y, result, weight=None, offset=None, atol=1e-6):
    """No coefficient can move within its bounds so that the cost falls."""
    coef, (lower, upper) = result.coef, result.coef_bounds
    assert ((lower <= coef) & (coef <= upper)).all()
    _, slopes, last = reference.cost_gradient(
        X, y, coef, result.intercept, result.l2_reg, weight, offset
    )
    l1 = np.zeros_like(coef) if result.l1_reg is None else result.l1_reg
    up = slopes + l1 * np.where(coef < 0.0, -1.0, 1.0)
    down = slopes + l1 * np.where(coef > 0.0, 1.0, -1.0)
    assert (up[coef < upper] >= -atol).all()
    assert (down[coef > lower] <= atol).all()
    if result.fit_intercept:
        assert abs(last) <= atol


@pytest.mark.parametrize("C", [0.01, 1.0, 100.0, np.inf])
@pytest.mark.parametrize("ratio", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("bounds", [(0.0, None), (None, 0.1), (-0.2, 0.2), (0.05, 0.3)])
def test_cancer_is_optimal(cancer, C, ratio, bounds) -> None:
    X, y = cancer
    result = fastlogit.fit(X, 1 - y, C=C, l1_ratio=ratio, coef_bounds=bounds)
    assert result.converged
    assert result.suboptimality <= 1e-12
    assert result.solver == "proximal-newton"
    assert_optimal(X, 1 - y, result)
    at_bound = np.count_nonzero((result.coef == bounds[0]) | (result.coef == bounds[1]))
    assert f"{at_bound} of 30 coefficients are at a bound" in result.message


@pytest.mark.parametrize("l2", [0.0, 1e-3, 0.1])
def test_no_worse_than_scipy(rng, l2) -> None:
    X, y, _, _, weight = problem(200, 8)
    lower = np.where(rng.random(8) < 0.3, -np.inf, rng.normal(size=8) * 0.3)
    upper = np.where(rng.random(8) < 0.3, np.inf, np.maximum(lower, -1.0) + rng.random(8))
    upper = np.maximum(lower, upper)
    result = fastlogit.fit(X, y, l2_reg=l2, sample_weight=weight, coef_bounds=(lower, upper))

    def cost(theta):
        value, slopes, last = reference.cost_gradient(X, y, theta[:-1], theta[-1], l2, weight)
        return value, np.append(slopes, last)

    other = minimize(
        cost, np.append(np.clip(0.0, lower, upper), 0.0), jac=True, method="L-BFGS-B",
        bounds=[*zip(lower, upper, strict=True), (None, None)],
        options={"ftol": 1e-15, "gtol": 1e-10, "maxiter": 10_000},
    )  # fmt: skip
    assert result.history[-1] <= other.fun * (1.0 + 1e-12)
    np.testing.assert_allclose(result.coef, other.x[:-1], atol=1e-5)
    assert (result.coef_bounds == [lower, upper]).all()


def test_bounds_that_hold_nothing_change_nothing(cancer) -> None:
    X, y = cancer
    free = ScikitLearn(C=0.1, tol=1e-10, solver="newton-cholesky").fit(X, y)
    found = fastlogit.fit(X, y, C=0.1, coef_bounds=(-10.0, 10.0))
    np.testing.assert_allclose(found.coef, free.coef_[0], rtol=1e-6)
    none = fastlogit.fit(X, y, C=0.1, coef_bounds=(None, None))
    np.testing.assert_array_equal(none.coef, fastlogit.fit(X, y, C=0.1).coef)
    assert none.coef_bounds is None


def test_a_held_coefficient_is_an_offset(cancer) -> None:
    X, y = cancer
    lower, upper = np.full(30, -np.inf), np.full(30, np.inf)
    lower[3] = upper[3] = 0.7
    held = fastlogit.fit(X, y, C=1.0, coef_bounds=(lower, upper))
    rest = np.delete(X, 3, axis=1)
    other = fastlogit.fit(rest, y, C=1.0, offset=0.7 * X[:, 3])
    assert held.coef[3] == 0.7
    np.testing.assert_allclose(np.delete(held.coef, 3), other.coef, atol=1e-7)


@pytest.mark.parametrize("bounds", [(0.0, None), (None, 0.0), (-2.0, 5.0)])
def test_separated_classes_may_have_an_optimum(bounds) -> None:
    X = np.array([[0.0], [1.0], [2.0], [3.0], [4.0], [5.0]])
    y = np.array([0, 0, 0, 1, 1, 1])
    if bounds == (0.0, None):
        with pytest.warns(SeparationWarning):
            fastlogit.fit(X, y, coef_bounds=bounds)
        return
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = fastlogit.fit(X, y, coef_bounds=bounds)
    assert result.converged
    assert result.coef[0] == bounds[1]


def test_two_columns_separate_only_where_both_may_move() -> None:
    rng = np.random.default_rng(5)
    X = rng.normal(size=(80, 2))
    y = (X[:, 0] > X[:, 1]).astype(int)
    with pytest.warns(SeparationWarning, match="the columns 0, 1"):
        fastlogit.fit(X, y, coef_bounds=([0.0, -np.inf], [np.inf, 0.0]))
    for bounds in ((0.0, None), ([-np.inf, 0.0], None)):
        result = fastlogit.fit(X, y, coef_bounds=bounds)
        assert result.converged
        assert_optimal(X, y, result)


def test_every_way_to_give_rows(tmp_path) -> None:
    X, y, _, _, weight = problem(sized(3000, 300), 6)
    options = {"C": 0.5, "coef_bounds": (0.0, 0.2), "sample_weight": weight}
    whole = fastlogit.fit(X, y, **options)
    assert whole.converged
    np.save(tmp_path / "x.npy", X)
    ways = [
        np.asfortranarray(X), np.load(tmp_path / "x.npy", mmap_mode="r"),
        scipy.sparse.csr_array(X), scipy.sparse.csc_matrix(X),
    ]  # fmt: skip
    for rows in ways:
        found = fastlogit.fit(rows, y, **options)
        assert found.converged
        np.testing.assert_allclose(found.coef, whole.coef, atol=1e-8)
    one, two = (fastlogit.fit(X, y, n_threads=n, **options) for n in (1, TWO_THREADS))
    np.testing.assert_array_equal(one.coef, two.coef)
    half = X[:, :].astype(np.float32)
    single = fastlogit.fit(half, y, **options)
    double = fastlogit.fit(half.astype(np.float64), y, **options)
    np.testing.assert_allclose(single.coef, double.coef, atol=1e-8)


def test_many_columns_and_few_rows() -> None:
    rng = np.random.default_rng(3)
    X = rng.normal(size=(120, 2_000))
    y = (X[:, :5].sum(axis=1) + rng.logistic(size=120) > 0).astype(int)
    result = fastlogit.fit(X, y, C=0.3, l1_ratio=0.9, coef_bounds=(0.0, 0.5))
    assert result.converged
    assert_optimal(X, y, result)
    assert 0 < np.count_nonzero(result.coef) < 120


def test_each_class_against_all_others() -> None:
    X, codes, *_ = three_classes(300, 4)
    result = fastlogit.fit(X, codes, C=1.0, coef_bounds=(-0.1, None))
    assert result.converged
    for k in range(3):
        alone = fastlogit.fit(X, (codes == k).astype(int), C=1.0, coef_bounds=(-0.1, None))
        np.testing.assert_allclose(result.coef[:, k], alone.coef, atol=1e-8)


def test_start_offset_and_intercept(cancer) -> None:
    X, y = cancer
    offset = 0.3 * X[:, 0]
    for intercept in ("fit", None, -0.5):
        options = {"C": 1.0, "coef_bounds": (-0.3, 0.1), "offset": offset, "intercept": intercept}
        result = fastlogit.fit(X, y, **options)
        assert result.converged
        assert_optimal(X, y, result, offset=offset)
        far = fastlogit.fit(X, y, start=(np.full(30, 9.0), 0.0), **options)
        np.testing.assert_allclose(far.coef, result.coef, atol=1e-7)
        warm = fastlogit.fit(X, y, start=result, **options)
        assert warm.n_iter <= 1
    still = fastlogit.fit(X, y, start=result, max_iter=0, **options)
    np.testing.assert_allclose(still.coef, result.coef, atol=1e-12)
    assert still.converged


def test_estimator_files_and_penalty_objects(cancer, tmp_path) -> None:
    X, y = cancer
    model = LogisticRegression(C=0.5).fit(X, y, coef_bounds=(None, 0.0))
    assert (model.coef_ <= 0.0).all()
    result = fastlogit.fit(X, y, C=0.5, coef_bounds=(None, 0.0))
    np.testing.assert_allclose(model.coef_[0], result.coef, atol=1e-9)
    path = tmp_path / "model.npz"
    names = tuple(f"x{j}" for j in range(30))
    save_model(Model(result, names, "y", {}, fastlogit.__version__), path)
    loaded = load_model(path).result
    np.testing.assert_array_equal(loaded.coef_bounds, result.coef_bounds)
    assert loaded.l1_reg is None
    assert dataclasses.replace(loaded, coef_bounds=None).coef_bounds is None
    box = Bounds(np.full(30, -np.inf), np.zeros(30))
    l2 = 1.0 / (0.5 * len(y))
    own = fastlogit.fit(X, y, penalty=ElasticNet(L1(0.0, 30, box), l2, 30))
    np.testing.assert_allclose(own.coef, result.coef, atol=1e-9)


BAD = [
    ({"coef_bounds": 1.0}, "coef_bounds must be a pair"),
    ({"coef_bounds": (0.0, 1.0, 2.0)}, "coef_bounds must be a pair"),
    ({"coef_bounds": "ab"}, "coef_bounds must be a pair"),
    ({"coef_bounds": (1.0, 0.0)}, "leave column 0 no value"),
    ({"coef_bounds": ([0.0, 0.0], None)}, r"shape \(2,\), but X has 3 columns"),
    ({"coef_bounds": (np.nan, None)}, "lower coef_bounds hold nan for column 0"),
    ({"coef_bounds": (np.inf, None)}, "lower coef_bounds hold inf for column 0; -inf is for none"),
    ({"coef_bounds": (None, [1.0, -np.inf, 0.0])}, "upper coef_bounds hold -inf for column 1"),
    ({"coef_bounds": (0.0, None), "solver": "newton"}, "does not take bounds"),
    ({"coef_bounds": (0.0, None), "solver": "gradient_descent"}, "does not take bounds"),
]


@pytest.mark.parametrize(("options", "words"), BAD)
def test_bad_bounds_are_one_error(options, words) -> None:
    X, y, *_ = problem(30, 3)
    with pytest.raises(ValueError, match=words):
        fastlogit.fit(X, y, C=1.0, **options)


def test_text_in_bounds_and_columns_that_do_not_vary() -> None:
    X, y, *_ = problem(30, 3)
    with pytest.raises(TypeError, match="lower coef_bounds"):
        fastlogit.fit(X, y, C=1.0, coef_bounds=("a", None))
    X = X.copy()
    X[:, 1] = 2.0
    found = fastlogit.fit(X, y, C=1.0, coef_bounds=(0.0, 1.0))
    assert found.coef[1] == 0.0
    with pytest.raises(ValueError, match="column 1 of X does not vary"):
        fastlogit.fit(X, y, C=1.0, coef_bounds=(0.1, 1.0))
    with pytest.raises(ValueError, match="leave_one_out takes fits without coef_bounds"):
        fastlogit.leave_one_out(found, X, y)


def test_costs_next_to_nothing_with_all_coefficients_at_bounds() -> None:
    rng = np.random.default_rng(2)
    X, y = rng.normal(size=(2, 100)), np.array([0, 1])
    result = fastlogit.fit(X, y, coef_bounds=(-0.6, 0.6))
    assert result.history[-1] < 1e-7
    assert result.converged, result.message
    np.testing.assert_array_equal(np.abs(result.coef), 0.6)


def test_wide_boxes_without_a_penalty_take_rough_steps(rng, monkeypatch) -> None:
    """Where columns explain each other the minimum of each model of second order took long."""
    X = rng.standard_normal((100, 900))
    y = rng.random(100) < 1.0 / (1.0 + np.exp(-X[:, 0]))
    n_calls, whole = [], quadratic_model.descend.serial

    def count(*given):
        n_calls[-1] += 1
        return whole(*given)

    counted = dataclasses.replace(quadratic_model.descend, serial=count)
    monkeypatch.setattr(quadratic_model, "descend", counted)
    for rough in (0.0, quadratic_model.ROUGH):
        monkeypatch.setattr(quadratic_model, "ROUGH", rough)
        n_calls.append(0)
        result = fastlogit.fit(X, y, coef_bounds=(-0.1, 0.1), tol=1e-9)
        assert result.converged
        assert_optimal(X, y, result, atol=1e-5)
    assert n_calls[1] < n_calls[0]
