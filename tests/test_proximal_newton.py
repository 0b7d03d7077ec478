"""L1 and the elastic net through `fit`: optimality, agreement with others, every option."""

import dataclasses
import time
import warnings

import numpy as np
import pytest
import scipy.sparse
from problems import LAYOUTS, TWO_THREADS, problem, sized, three_classes
from sklearn import datasets
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression as ScikitLearn

import fastlogit
from fastlogit import LogisticRegression, reference
from fastlogit.model_file import Model, load_model, save_model

# The solver of larger data, whose cases these are; test_small_l1.py has the one of small data.
pytestmark = [pytest.mark.jit, pytest.mark.usefixtures("the_general_way")]


def kkt(X, y, result, weight=None, offset=None, is_fitted=True):
    """The largest slope of the subgradient of least norm, by an independent function."""
    slopes, last = reference.elastic_net_slopes(
        X, y, result.coef, result.intercept, result.l1_reg, result.l2_reg, weight, offset
    )
    return max(np.abs(slopes).max(), abs(last) * is_fitted)


def cost_of(X, y, coef, intercept, l1, l2=0.0, weight=None, offset=None):
    return reference.elastic_net_cost(X, y, coef, intercept, l1, l2, weight, offset)


def standardized(X):
    X = X[:, X.std(axis=0) > 0.0]
    return (X - X.mean(axis=0)) / X.std(axis=0)


@pytest.fixture(scope="module")
def cancer():
    X, y = datasets.load_breast_cancer(return_X_y=True)
    return standardized(X), y


@pytest.fixture(scope="module")
def digits():
    X, y = datasets.load_digits(return_X_y=True)
    return standardized(X), (y % 2).astype(int)


@pytest.mark.parametrize("C", [1e-3, 0.01, 0.1, 1.0, 10.0, 1e3])
@pytest.mark.parametrize("ratio", [1.0, 0.5, 0.01])
def test_cancer_is_optimal(cancer, C, ratio) -> None:
    X, y = cancer
    result = fastlogit.fit(X, y, C=C, l1_ratio=ratio)
    assert result.converged
    assert result.suboptimality <= 1e-12
    assert kkt(X, y, result) < 1e-6
    assert result.solver == "proximal-newton"
    np.testing.assert_allclose(result.l1_reg, ratio / (C * len(y)))
    np.testing.assert_allclose(result.l2_reg, (1.0 - ratio) / (C * len(y)))
    finer = fastlogit.fit(X, y, C=C, l1_ratio=ratio, tol=0.0)
    assert kkt(X, y, finer) < 1e-11
    cost = cost_of(X, y, result.coef, result.intercept, result.l1_reg, result.l2_reg)
    least = cost_of(X, y, finer.coef, finer.intercept, finer.l1_reg, finer.l2_reg)
    assert cost - least <= result.suboptimality * least + 1e-15
    np.testing.assert_array_equal(result.coef == 0.0, finer.coef == 0.0)


@pytest.mark.parametrize("ratio", [1.0, 0.5])
@pytest.mark.parametrize("name", ["cancer", "digits"])
def test_cost_and_support_are_those_of_scikit_learn(name, ratio, request) -> None:
    X, y = request.getfixturevalue(name)
    C = {"cancer": 0.1, "digits": 0.02}[name]
    ours = fastlogit.fit(X, y, C=C, l1_ratio=ratio)
    theirs = ScikitLearn(C=C, l1_ratio=ratio, solver="saga", tol=1e-9, max_iter=20_000).fit(X, y)
    costs = [
        cost_of(X, y, coef, intercept, ours.l1_reg, ours.l2_reg)
        for coef, intercept in (
            (ours.coef, ours.intercept), (theirs.coef_[0], theirs.intercept_[0])
        )
    ]  # fmt: skip
    assert costs[0] <= costs[1] * (1.0 + 1e-12)
    assert costs[1] <= costs[0] * (1.0 + 1e-8)
    np.testing.assert_array_equal(ours.coef != 0.0, theirs.coef_[0] != 0.0)


def test_cost_is_that_of_liblinear_without_an_intercept(cancer) -> None:
    X, y = cancer
    ours = fastlogit.fit(X, y, C=0.5, l1_ratio=1.0, intercept=None)
    theirs = ScikitLearn(
        C=0.5, l1_ratio=1.0, solver="liblinear", tol=1e-10, max_iter=10_000, fit_intercept=False,
        random_state=0,
    ).fit(X, y)  # fmt: skip
    cost, other = (cost_of(X, y, coef, 0.0, ours.l1_reg) for coef in (ours.coef, theirs.coef_[0]))
    assert cost <= other * (1.0 + 1e-12)
    assert other <= cost * (1.0 + 1e-8)
    np.testing.assert_array_equal(ours.coef != 0.0, theirs.coef_[0] != 0.0)


@pytest.mark.parametrize("shape", [(2, 1), (3, 5), (20, 100), (60, 300), (500, 3)])
@pytest.mark.parametrize("l1", [1e-3, 0.05])
@pytest.mark.parametrize("l2", [0.0, 0.01])
def test_shapes(shape, l1, l2) -> None:
    X, y, *_ = problem(*shape)
    result = fastlogit.fit(X, y, l1_reg=l1, l2_reg=l2)
    assert result.converged, result.message
    assert kkt(X, y, result) < 1e-6
    finer = fastlogit.fit(X, y, l1_reg=l1, l2_reg=l2, tol=1e-15, start=result)
    assert kkt(X, y, finer) < 1e-7
    if shape[1] < 10:
        least = reference.elastic_net(X, y, l1, l2)[2]
        assert cost_of(X, y, finer.coef, finer.intercept, l1, l2) <= least * (1.0 + 1e-13) + 1e-15


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("d", [4, 150])
def test_layouts_give_one_optimum(layout, d) -> None:
    X, y, *_ = problem(60, d)
    expected = fastlogit.fit(X, y, l1_reg=0.03)
    found = fastlogit.fit(LAYOUTS[layout](X), y, l1_reg=0.03)
    np.testing.assert_allclose(found.coef, expected.coef, atol=1e-7)
    np.testing.assert_array_equal(found.coef == 0.0, expected.coef == 0.0)


@pytest.mark.parametrize("dtype", ["f4", "i8", "bool"])
def test_number_types(dtype) -> None:
    X, y, *_ = problem(80, 100)
    X = X > 0.0 if dtype == "bool" else (3.0 * X).astype(dtype)
    result = fastlogit.fit(X, y, l1_reg=0.03)
    assert result.converged
    assert kkt(X.astype(float), y, result) < 1e-6


def test_weights_offset_and_weight_0() -> None:
    X, y, _, _, weight = problem(150, 6)
    offset = np.linspace(-1.0, 2.0, 150)
    weight[::3] = 0.0
    result = fastlogit.fit(X, y, l1_reg=0.03, l2_reg=0.01, sample_weight=weight, offset=offset)
    assert result.converged
    assert kkt(X, y, result, weight, offset) < 1e-7
    used = weight > 0.0
    fewer = fastlogit.fit(
        X[used], y[used], l1_reg=0.03, l2_reg=0.01, sample_weight=weight[used],
        offset=offset[used],
    )  # fmt: skip
    np.testing.assert_allclose(result.coef, fewer.coef, atol=1e-6)


@pytest.mark.parametrize("intercept", [None, 0.0, 1.5, -3.0])
@pytest.mark.parametrize("d", [5, 100])
def test_an_intercept_that_is_held(intercept, d) -> None:
    X, y, *_ = problem(100, d)
    result = fastlogit.fit(X + 1.0, y, l1_reg=0.05, intercept=intercept)
    assert result.converged
    assert result.intercept == (intercept or 0.0)
    assert kkt(X + 1.0, y, result, is_fitted=False) < 1e-6


@pytest.mark.parametrize("d", [6, 120])
def test_free_columns_are_not_penalised_and_factors_are_taken_as_they_are(d) -> None:
    X, y, *_ = problem(400, d)
    factor = np.ones(d)
    factor[[0, 3]] = 0.0
    factor[1] = 2.0
    result = fastlogit.fit(X, y, C=0.1, l1_ratio=0.7, penalty_factor=factor)
    assert result.converged
    assert (result.coef[[0, 3]] != 0.0).all()
    np.testing.assert_allclose(result.l1_reg, 0.7 * factor / (0.1 * 400))
    assert kkt(X, y, result) < 1e-6
    by_column = fastlogit.fit(X, y, l1_reg=result.l1_reg, l2_reg=result.l2_reg)
    np.testing.assert_array_equal(by_column.coef, result.coef)


@pytest.mark.parametrize("alike", [1e-2, 1e-4, 1e-6])
def test_a_weak_l1_on_columns_alike_but_for_little(alike) -> None:
    X, y, *_ = problem(40, 3)
    X[:, 1:] = X[:, :1] + alike * X[:, 1:]
    least = fastlogit.fit(X, y)
    # So weak that the coefficients, however large, cost next to nothing.
    l1 = 1e-9 * least.history[-1] / np.abs(least.coef).sum()
    found = fastlogit.fit(X, y, l1_reg=l1, max_iter=30)
    cost = cost_of(X, y, found.coef, found.intercept, 0.0)
    assert cost <= least.history[-1] * (1.0 + 2e-9)
    assert kkt(X, y, found) < 1e-5


def test_offsets_that_leave_no_row_a_curvature() -> None:
    X, y, *_ = problem(40, 2)
    offset = 1e5 * np.sin(np.arange(40.0))
    found = fastlogit.fit(X, y, l1_reg=0.1, offset=offset)
    other = fastlogit.fit(X, y, l2_reg=1e-12, offset=offset)
    costs = [
        cost_of(X, y, own.coef, own.intercept, 0.1, offset=offset) for own in (found, other)
    ]  # fmt: skip
    assert found.converged
    assert costs[0] <= costs[1] * (1.0 + 1e-10)
    assert kkt(X, y, found, offset=offset) < 1e-6


@pytest.mark.parametrize("strength", [1e3, 1e16, 1e300])
def test_a_huge_strength_holds_its_column_and_no_other(strength) -> None:
    X, y, *_ = problem(200, 6)
    X[:, 5] *= 1e-12
    expected = fastlogit.fit(X[:, :5], y, l1_reg=0.02)
    for start in (None, (np.full(6, 0.1), 0.0)):
        found = fastlogit.fit(X, y, l1_reg=np.r_[np.full(5, 0.02), strength], start=start)
        assert found.converged
        np.testing.assert_allclose(found.coef, np.append(expected.coef, 0.0), atol=1e-7)


def test_all_factors_0_are_no_penalty() -> None:
    X, y, *_ = problem(100, 3)
    plain = fastlogit.fit(X, y)
    for options in ({"l1_reg": 0.1}, {"C": 1.0, "l1_ratio": 1.0, "solver": "proximal-newton"}):
        found = fastlogit.fit(X, y, penalty_factor=np.zeros(3), **options)
        np.testing.assert_allclose(found.coef, plain.coef, atol=1e-5)
        assert found.l1_reg is None
    found = fastlogit.fit(X, y, C=np.inf, l1_ratio=1.0)
    np.testing.assert_array_equal(found.coef, plain.coef)


def test_a_tiny_C_leaves_exactly_the_intercept() -> None:
    X, y, _, _, weight = problem(100, 30)
    result = fastlogit.fit(X, y, C=1e-8, l1_ratio=1.0, sample_weight=weight)
    np.testing.assert_array_equal(result.coef, 0.0)
    assert result.converged
    assert result.intercept == pytest.approx(reference.logit(np.average(y, weights=weight)))
    assert "0 of 30 coefficients are not 0" in result.message
    # At the edge: just above the least strength that leaves nothing, and just below.
    level = np.average(y, weights=weight)
    edge = np.abs(X.T @ (weight * (level - y)) / weight.sum()).max()
    for share, count in ((1.0 + 1e-6, 0), (1.0 - 1e-6, 1)):
        found = fastlogit.fit(X, y, l1_reg=share * edge, sample_weight=weight, tol=1e-15)
        assert np.count_nonzero(found.coef) == count


def test_a_huge_C_comes_to_the_optimum_without_a_penalty() -> None:
    X, y, *_ = problem(300, 4)
    result = fastlogit.fit(X, y, C=1e10, l1_ratio=1.0)
    np.testing.assert_allclose(result.coef, fastlogit.fit(X, y).coef, atol=1e-5)
    assert result.converged


@pytest.mark.parametrize("C", [1.0, 1e4])
def test_separable_classes_have_an_optimum_under_l1(C) -> None:
    X, y, *_ = problem(60, 200)
    result = fastlogit.fit(X, y, C=C, l1_ratio=1.0, tol=1e-8)
    assert result.converged
    assert kkt(X, y, result) < 1e-4 / C
    assert np.count_nonzero(result.coef) <= 60


def test_free_columns_that_separate_leave_no_optimum() -> None:
    X, y, *_ = problem(80, 5)
    X[:, 2] = y + 0.1 * np.linspace(0.0, 1.0, 80)
    with pytest.warns(fastlogit.SeparationWarning, match="column 2 alone does"):
        result = fastlogit.fit(X, y, l1_reg=[0.1, 0.1, 0.0, 0.1, 0.1])
    assert not result.converged
    assert fastlogit.fit(X, y, l1_reg=0.1).converged


@pytest.mark.parametrize("d", [4, 100])
def test_duplicates_and_constant_columns(d) -> None:
    X, y, *_ = problem(150, d)
    plain = fastlogit.fit(X, y, l1_reg=0.02)
    wide = np.hstack([X, X[:, :2], np.ones((150, 1)), 2.0 * X[:, :1]])
    # Twice the column costs half as much: it takes the place of the first.
    found = fastlogit.fit(wide, y, l1_reg=np.r_[np.full(d + 3, 0.02), 0.04])
    assert found.converged, found.message
    assert found.coef[d + 2] == 0.0
    merged = found.coef[:d].copy()
    merged[:2] += found.coef[d : d + 2]
    merged[0] += 2.0 * found.coef[-1]
    np.testing.assert_allclose(merged, plain.coef, atol=1e-6)


@pytest.mark.parametrize("l2", [0.05, 0.0])
def test_more_coefficients_than_a_working_set_may_have(monkeypatch, l2) -> None:
    X, y, *_ = problem(100, 150)
    expected = fastlogit.fit(X, y, l1_reg=0.02, l2_reg=l2)
    monkeypatch.setattr("fastlogit.solvers.proximal_newton.MOST_WORKING", 5)
    found = fastlogit.fit(X, y, l1_reg=0.02, l2_reg=l2, tol=1e-9)
    assert found.converged
    np.testing.assert_allclose(found.coef, expected.coef, atol=1e-3)
    assert found.suboptimality <= 1e-9


@pytest.mark.parametrize("apart", [1e-4, 1e-6, 1e-8])
def test_columns_alike_but_for_little(apart) -> None:
    """Both get a coefficient on the way, which a Cholesky factor then cannot tell apart."""
    X, y, *_ = problem(106, 4)
    X[:, 1] = X[:, 0] + apart * X[:, 3]
    result = fastlogit.fit(X, y, l1_reg=0.02, start=(np.array([0.3, 0.2, 0.1, 0.0]), 0.0))
    assert result.converged, result.message
    assert result.n_iter < 20
    assert np.count_nonzero(result.coef[:2]) <= 1
    assert kkt(X, y, result) < 1e-6


def test_columns_of_many_sizes_far_from_0() -> None:
    X, y, *_ = problem(200, 6)
    scale = 10.0 ** np.array([-100.0, -5.0, 0.0, 3.0, 8.0, 100.0])
    plain = fastlogit.fit(X, y, l1_reg=0.02)
    found = fastlogit.fit(X * scale, y, l1_reg=0.02 * scale)
    np.testing.assert_allclose(found.coef * scale, plain.coef, atol=1e-7)
    moved = fastlogit.fit(X + 1e4, y, l1_reg=0.02, tol=1e-9)
    np.testing.assert_allclose(moved.coef, plain.coef, atol=1e-4)


@pytest.mark.parametrize("d", [4, 100])
def test_each_class_against_all_others(d) -> None:
    X, y = three_classes(150, d)
    weight = np.random.default_rng(0).uniform(0.1, 2.0, (150, 3))
    result = fastlogit.fit(X, y, C=0.1, l1_ratio=0.8, sample_weight=weight)
    assert result.converged
    for k in range(3):
        own = fastlogit.fit(X, y == k, C=0.1, l1_ratio=0.8, sample_weight=weight[:, k])
        np.testing.assert_allclose(result.coef[:, k], own.coef, atol=1e-6)
        np.testing.assert_allclose(result.l1_reg[:, k], own.l1_reg)
        assert result.suboptimality[k] <= 1e-12
    assert result.history.shape[1] == result.bounds.shape[1] == 3
    assert len(result.history) == result.n_iter + 1


@pytest.mark.parametrize("shape", [(sized(20_000, 200), 5), (200, 500)])
def test_the_same_bits_at_any_number_of_threads(shape) -> None:
    X, y, *_ = problem(*shape)
    one, two = (fastlogit.fit(X, y, l1_reg=0.02, n_threads=n) for n in (1, TWO_THREADS))
    np.testing.assert_array_equal(one.coef, two.coef)
    assert (one.intercept, one.suboptimality) == (two.intercept, two.suboptimality)


def test_batches_and_maps(tmp_path) -> None:
    X, y, *_ = problem(300, 100)
    expected = fastlogit.fit(X, y, l1_reg=0.03)
    batches = fastlogit.BatchSource(
        lambda: ((X[i : i + 70], y[i : i + 70]) for i in range(0, 300, 70))
    )
    np.save(tmp_path / "X.npy", X)
    for rows, labels in ((batches, None), (np.load(tmp_path / "X.npy", mmap_mode="r"), y)):
        found = fastlogit.fit(rows, labels, l1_reg=0.03)
        np.testing.assert_allclose(found.coef, expected.coef, atol=1e-6)
        np.testing.assert_array_equal(found.coef == 0.0, expected.coef == 0.0)


def sparse_problem(n, d, density=0.1):
    """Rows of which few values are stored, and what is drawn from them."""
    rng = np.random.default_rng(n + d)
    X = rng.exponential(size=(n, d)) * (rng.random((n, d)) < density)
    z = X @ (rng.normal(size=d) * (rng.random(d) < 0.2)) * 2.0
    y = (z - np.median(z) + rng.logistic(size=n) > 0.0).astype(int)
    return X, y


@pytest.mark.parametrize("l2", [0.0, 0.01])
@pytest.mark.parametrize("intercept", [0.0, True])
@pytest.mark.parametrize("tol", [1e-8, 1e-13])
def test_sparse_columns_have_the_optimum_of_dense_ones(l2, intercept, tol) -> None:
    X, y = sparse_problem(300, 200)
    weight = np.random.default_rng(1).choice([0.0, 0.5, 2.0], 300)
    options = {"l1_reg": 0.004, "l2_reg": l2, "sample_weight": weight}
    options |= {} if intercept is True else {"intercept": None}
    expected = fastlogit.fit(X, y, tol=1e-14, **options)
    assert 20 < np.count_nonzero(expected.coef) < 150
    found = fastlogit.fit(scipy.sparse.csr_array(X), y, tol=tol, **options)
    assert found.converged, found.message
    assert found.suboptimality <= tol
    costs = [cost_of(X, y, r.coef, r.intercept, 0.004, l2, weight) for r in (found, expected)]
    assert -1e-14 <= costs[0] / costs[1] - 1.0 <= found.suboptimality + 1e-14
    again = fastlogit.fit(scipy.sparse.csr_array(X), y, start=found, tol=tol, **options)
    assert again.n_iter <= 1
    np.testing.assert_array_equal(found.coef == 0.0, expected.coef == 0.0)


def test_sparse_columns_of_each_class_duplicates_and_free_ones() -> None:
    X, y = sparse_problem(300, 150)
    X[:, 3], X[:, 5] = X[:, 4], 2.0
    labels = y + (X[:, 0] > 0.0)
    factor = np.ones(150)
    factor[9] = 0.0
    X[:, 9] = np.random.default_rng(3).normal(size=300)  # free, and not separating
    options = {"C": 1.0, "l1_ratio": 1.0, "penalty_factor": factor}
    expected = fastlogit.fit(X, labels, tol=1e-12, multi_class="ovr", **options)
    for threads in (1, TWO_THREADS):
        found = fastlogit.fit(
            scipy.sparse.csr_array(X), labels, n_threads=threads, multi_class="ovr", **options
        )
        assert found.converged, found.message
        for k in range(3):
            own = [(r.coef[:, k], r.intercept[k]) for r in (found, expected)]
            # Duplicates may share what one of them has.
            raw = [X @ coef + intercept for coef, intercept in own]
            np.testing.assert_allclose(*raw, atol=1e-3)
        assert (found.coef[5] == 0.0).all()


def test_bits_of_sparse_columns_do_not_depend_on_threads() -> None:
    X, y = sparse_problem(sized(4_000, 300), 300)
    fits = [
        fastlogit.fit(scipy.sparse.csr_array(X), y, C=0.5, l1_ratio=1.0, n_threads=threads)
        for threads in (1, TWO_THREADS)
    ]
    np.testing.assert_array_equal(fits[0].coef, fits[1].coef)
    assert fits[0].suboptimality == fits[1].suboptimality


def test_far_starts_and_strong_signals_of_sparse_columns() -> None:
    X, y = sparse_problem(200, 300, 0.05)
    sparse = scipy.sparse.csr_array(X)
    cold = fastlogit.fit(sparse, y, l1_reg=1e-4, tol=1e-10)
    assert cold.converged, cold.message
    start = np.random.default_rng(0).normal(size=300) * 20.0, 5.0
    far = fastlogit.fit(sparse, y, l1_reg=1e-4, tol=1e-10, start=start)
    assert far.converged, far.message
    np.testing.assert_allclose(far.history[-1], cold.history[-1], rtol=1e-9)
    separable = fastlogit.fit(sparse, (X[:, 0] > 0.0).astype(int), l1_reg=1e-6)
    assert separable.converged


# ------------------------------------------------------------------------------------------------
# Starts, limits, callbacks


def test_a_warm_start_takes_fewer_iterations() -> None:
    X, y, *_ = problem(300, 200)
    first = fastlogit.fit(X, y, l1_reg=0.021)
    cold = fastlogit.fit(X, y, l1_reg=0.02)
    warm = fastlogit.fit(X, y, l1_reg=0.02, start=first)
    np.testing.assert_allclose(warm.coef, cold.coef, atol=1e-5)
    again = fastlogit.fit(X, y, l1_reg=0.02, start=cold)
    assert again.n_iter == 0
    assert warm.n_iter <= cold.n_iter
    far = fastlogit.fit(X, y, l1_reg=0.02, start=(np.full(200, 1e3), 0.0))
    np.testing.assert_allclose(far.coef, cold.coef, atol=1e-5)


def test_no_iterations_give_the_start_with_its_bound() -> None:
    X, y, *_ = problem(300, 5)
    best = fastlogit.fit(X, y, l1_reg=0.02)
    kept = fastlogit.fit(X, y, l1_reg=0.02, start=best, max_iter=0)
    assert kept.converged
    np.testing.assert_allclose(kept.coef, best.coef, rtol=1e-14)
    with pytest.warns(ConvergenceWarning, match="max_iter=0"):
        fastlogit.fit(X, y, l1_reg=0.02, max_iter=0)


def test_max_iter_and_callbacks_end_the_fit() -> None:
    X, y, *_ = problem(300, 5)
    with pytest.warns(ConvergenceWarning, match="stopped after 1 iterations by proximal-newton"):
        result = fastlogit.fit(X, y, l1_reg=0.02, max_iter=1, tol=1e-15)
    assert result.n_iter == 1
    seen = []
    result = fastlogit.fit(
        X, y, l1_reg=0.02, callback=lambda progress: seen.append(progress.coef) or len(seen) == 2
    )
    assert "by the callback" in result.message
    assert len(seen) == result.n_iter == 2
    np.testing.assert_array_equal(seen[-1], result.coef)


def test_costs_fall() -> None:
    for shape in ((300, 5), (100, 300)):
        X, y, *_ = problem(*shape)
        history = fastlogit.fit(X, y, l1_reg=0.01).history
        assert (np.diff(history) <= 1e-14).all()
        assert history[0] == pytest.approx(reference.cost(X, y, np.zeros(shape[1]),
                                                          reference.logit(y.mean())))  # fmt: skip


def test_a_time_limit_is_kept() -> None:
    X, y, *_ = problem(sized(200_000, 300), 30)
    began = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        result = fastlogit.fit(X, y, l1_reg=0.001, time_limit=1e-3)
    assert result.n_iter < 3
    assert time.perf_counter() - began < 60.0


def test_ctrl_c_gives_the_best_point_so_far() -> None:
    X, y, *_ = problem(300, 200)

    def interrupt(progress) -> None:
        if progress.n_iter == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        fastlogit.fit(X, y, l1_reg=0.01, callback=interrupt)
    result = caught.value.result
    assert np.count_nonzero(result.coef) > 0
    assert not result.converged


# ------------------------------------------------------------------------------------------------
# What it says, and what it refuses


def test_the_result_says_how_many_coefficients_it_has(tmp_path) -> None:
    X, y, *_ = problem(200, 10)
    result = fastlogit.fit(X, y, C=0.1, l1_ratio=0.9)
    count = np.count_nonzero(result.coef)
    assert 0 < count < 10
    assert f"{count} of 10 coefficients are not 0" in result.message
    assert f"{count} of 10 coefficients not 0" in repr(result)
    assert result.gradient_norm < 1e-7
    names = tuple("abcdefghij")
    save_model(Model(result, names, "y", {}, fastlogit.__version__), tmp_path / "m")
    kept = load_model(tmp_path / "m").result
    np.testing.assert_array_equal(kept.l1_reg, result.l1_reg)
    assert repr(kept) == repr(result)
    plain = dataclasses.replace(result, l1_reg=None)
    save_model(Model(plain, names, "y", {}, fastlogit.__version__), tmp_path / "m")
    assert load_model(tmp_path / "m").result.l1_reg is None


REFUSED = [
    ({"l1_reg": -1.0}, "l1_reg must be finite"),
    ({"l1_reg": [0.1, 0.2]}, "l1_reg has shape"),
    ({"l1_reg": [0.1, -0.2, 0.1]}, "l1_reg is negative for column 1"),
    ({"l1_ratio": 1.5, "C": 1.0}, "l1_ratio must be finite and >= 0 and <= 1"),
    ({"l1_ratio": 0.5}, "give C, or l1_reg and l2_reg in place of l1_ratio"),
    ({"l1_ratio": 0.5, "l2_reg": 1.0}, "give C, or l1_reg"),
    ({"l1_reg": 0.1, "C": 1.0}, "give C with l1_ratio, or l1_reg with l2_reg"),
    *(
        ({"l1_reg": 0.1, "solver": solver}, f"solver='{solver}' does not take L1.*'auto' or")
        for solver in ("newton", "lbfgs", "newton-cg", "gradient_descent")
    ),
    ({"solver": "proximal-newton"}, "is for L1 and bounds: give l1_reg, C with l1_ratio, or"),
]


@pytest.mark.parametrize(("options", "text"), REFUSED, ids=str)
def test_what_does_not_go_together_is_refused(options, text) -> None:
    X, y, *_ = problem(30, 3)
    with pytest.raises(ValueError, match=text):
        fastlogit.fit(X, y, **options)


def test_losses_and_functions_that_take_no_l1() -> None:
    X, y = three_classes(60, 3)
    with pytest.raises(ValueError, match="partial_fit does not take L1"):
        LogisticRegression(l1_ratio=0.5).partial_fit(X, y, np.unique(y))
    result = fastlogit.fit(X, y == 0, l1_reg=0.05)
    with pytest.raises(ValueError, match="leave_one_out takes fits without L1"):
        fastlogit.leave_one_out(result, X, y == 0)


def test_an_elastic_net_as_an_object_is_that_of_its_strengths() -> None:
    X, y, *_ = problem(100, 4)
    from fastlogit.objective.penalties import ElasticNet

    found = fastlogit.fit(X, y, penalty=ElasticNet(0.03, 0.2, 4))
    expected = fastlogit.fit(X, y, l1_reg=0.03, l2_reg=0.2)
    np.testing.assert_array_equal(found.coef, expected.coef)
    assert found.penalty is None


# ------------------------------------------------------------------------------------------------
# The estimator


@pytest.mark.parametrize("solver", ["auto", "saga", "liblinear"])
def test_the_estimator_is_scikit_learns(cancer, solver) -> None:
    X, y = cancer
    ours = LogisticRegression(C=0.1, l1_ratio=1.0, solver=solver).fit(X, y)
    theirs = ScikitLearn(C=0.1, l1_ratio=1.0, solver="saga", tol=1e-9, max_iter=20_000).fit(X, y)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-5)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, atol=1e-5)
    assert ours.result_.suboptimality <= 1e-12
    assert "l1_ratio=1.0" in repr(ours)


def test_the_estimator_against_all_others_with_class_weights() -> None:
    X, y = three_classes(200, 6)
    model = LogisticRegression(C=0.1, l1_ratio=0.5, multi_class="ovr", class_weight="balanced")
    model.fit(X, y)
    for k in range(3):
        own = ScikitLearn(
            C=0.1, l1_ratio=0.5, solver="saga", tol=1e-9, max_iter=20_000, class_weight="balanced"
        ).fit(X, y == k)
        np.testing.assert_allclose(model.coef_[k], own.coef_[0], atol=1e-5)


def test_old_names_of_penalties() -> None:
    X, y, *_ = problem(200, 6)
    expected = LogisticRegression(C=0.1, l1_ratio=1.0).fit(X, y).coef_
    with pytest.warns(FutureWarning, match="penalty") as seen:
        found = LogisticRegression(penalty="l1", C=0.1, l1_ratio=1).fit(X, y)
    assert len(seen) == 1
    np.testing.assert_array_equal(found.coef_, expected)
    with pytest.warns(FutureWarning), pytest.warns(UserWarning, match="the penalty is L1"):
        found = LogisticRegression(penalty="l1", C=0.1).fit(X, y)
    np.testing.assert_array_equal(found.coef_, expected)
    expected = LogisticRegression(C=0.1, l1_ratio=0.5).fit(X, y).coef_
    with pytest.warns(FutureWarning, match="penalty"):
        found = LogisticRegression(penalty="elasticnet", C=0.1, l1_ratio=0.5).fit(X, y)
    np.testing.assert_array_equal(found.coef_, expected)


def test_a_warm_start_of_the_estimator() -> None:
    X, y, *_ = problem(200, 100)
    model = LogisticRegression(C=0.1, l1_ratio=1.0, warm_start=True).fit(X, y)
    first = model.coef_
    model.fit(X, y)
    assert model.n_iter_[0] == 0
    np.testing.assert_allclose(model.coef_, first, rtol=1e-14)
