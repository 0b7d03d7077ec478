"""L1 and the elastic net of a softmax through `fit`: optimality, agreement with others, options."""

import warnings

import numpy as np
import pytest
from problems import LAYOUTS, TWO_THREADS, bits, sized, three_classes
from sklearn import datasets
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression as ScikitLearn

import fastlogit
from fastlogit import LogisticRegression, reference
from fastlogit.objective.penalties import ElasticNet
from fastlogit.solvers import proximal_softmax

pytestmark = pytest.mark.jit


def fit(X, y=None, **options):
    return fastlogit.fit(X, y, multi_class="multinomial", **options)


def codes_of(y):
    return np.unique(y, return_inverse=True)[1]


def kkt(X, y, result, weight=None, offset=None, is_fitted=True):
    """The largest slope of the subgradient of least norm, by an independent function."""
    slopes, last = reference.multinomial_elastic_net_slopes(
        X, codes_of(y), result.coef, result.intercept, result.l1_reg, result.l2_reg, weight, offset
    )
    return max(np.abs(slopes).max(), np.abs(last).max() * is_fitted)


def cost_of(X, y, coef, intercept, l1, l2=0.0, weight=None, offset=None):
    return reference.multinomial_elastic_net_cost(
        X, codes_of(y), coef, intercept, l1, l2, weight, offset
    )


def standardized(X):
    X = X[:, X.std(axis=0) > 0.0]
    return (X - X.mean(axis=0)) / X.std(axis=0)


def real(name):
    X, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    return standardized(X), y


@pytest.mark.parametrize("C", [1e-3, 0.01, 0.1, 1.0, 10.0])
@pytest.mark.parametrize("ratio", [1.0, 0.5, 0.01])
def test_wine_is_optimal(C, ratio) -> None:
    X, y = real("wine")
    result = fit(X, y, C=C, l1_ratio=ratio)
    assert result.converged
    assert result.suboptimality <= 1e-12
    assert kkt(X, y, result) < 1e-6
    assert result.solver == "proximal-newton"
    np.testing.assert_allclose(result.l1_reg, ratio / (C * len(y)))
    np.testing.assert_allclose(result.l2_reg, (1.0 - ratio) / (C * len(y)))
    assert abs(result.intercept.sum()) < 1e-12
    finer = fit(X, y, C=C, l1_ratio=ratio, tol=0.0)
    assert kkt(X, y, finer) < 1e-11
    cost, least = (
        cost_of(X, y, one.coef, one.intercept, one.l1_reg, one.l2_reg) for one in (result, finer)
    )
    assert cost - least <= result.suboptimality * least + 1e-15
    np.testing.assert_array_equal(result.coef == 0.0, finer.coef == 0.0)
    assert "of 39 coefficients are not 0" in result.message


@pytest.mark.parametrize("ratio", [1.0, 0.5])
@pytest.mark.parametrize("name", ["iris", "wine"])
def test_cost_and_support_are_those_of_scikit_learn(name, ratio) -> None:
    X, y = real(name)
    ours = LogisticRegression(C=0.1, l1_ratio=ratio, tol=1e-7).fit(X, y)
    theirs = ScikitLearn(C=0.1, l1_ratio=ratio, solver="saga", tol=1e-9, max_iter=20_000).fit(X, y)
    l1, l2 = ratio / (0.1 * len(y)), (1.0 - ratio) / (0.1 * len(y))
    costs = [cost_of(X, y, one.coef_.T, one.intercept_, l1, l2) for one in (ours, theirs)]
    assert costs[0] <= costs[1] * (1.0 + 1e-12)
    assert costs[1] <= costs[0] * (1.0 + 1e-8)
    np.testing.assert_array_equal(ours.coef_ != 0.0, theirs.coef_ != 0.0)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-5)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, atol=1e-5)
    assert ours.result_.suboptimality <= 1e-12


@pytest.mark.parametrize("shape", [(6, 1), (9, 5), (20, 60), (60, 300), (500, 3)])
@pytest.mark.parametrize("l1", [1e-3, 0.05])
@pytest.mark.parametrize("l2", [0.0, 0.01])
def test_shapes(shape, l1, l2) -> None:
    X, y = three_classes(*shape)
    result = fit(X, y, l1_reg=l1, l2_reg=l2)
    assert result.converged, result.message
    assert kkt(X, y, result) < 1e-5
    if shape[1] < 10:
        least = reference.multinomial_elastic_net(X, y, 3, l1, l2)[2]
        found = cost_of(X, y, result.coef, result.intercept, l1, l2)
        assert found <= least * (1.0 + 2e-12) + 1e-15


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("d", [4, 80])
def test_layouts_give_one_optimum(layout, d) -> None:
    X, y = three_classes(60, d)
    expected = fit(X, y, l1_reg=0.05)
    found = fit(LAYOUTS[layout](X), y, l1_reg=0.05)
    np.testing.assert_allclose(found.coef, expected.coef, atol=1e-7)
    np.testing.assert_array_equal(found.coef == 0.0, expected.coef == 0.0)


def test_sparse_x() -> None:
    sparse = pytest.importorskip("scipy.sparse")
    X, y = three_classes(200, 40)
    X = np.where(np.abs(X) > 1.2, X, 0.0)
    expected = fit(X, y, l1_reg=0.02)
    found = fit(sparse.csr_array(X), y, l1_reg=0.02)
    assert found.converged
    assert kkt(X, y, found) < 1e-6
    np.testing.assert_allclose(found.coef, expected.coef, atol=1e-6)


def test_weights_offset_and_weight_0() -> None:
    X, y = three_classes(150, 6)
    rng = np.random.default_rng(0)
    offset, weight = rng.normal(size=(150, 3)), rng.uniform(0.5, 2.0, 150)
    weight[::4] = 0.0
    result = fit(X, y, l1_reg=0.03, l2_reg=0.01, sample_weight=weight, offset=offset)
    assert result.converged
    assert kkt(X, y, result, weight, offset) < 1e-7
    kept = weight > 0.0
    same = fit(
        X[kept], y[kept], l1_reg=0.03, l2_reg=0.01, sample_weight=weight[kept], offset=offset[kept]
    )
    np.testing.assert_allclose(result.coef, same.coef, atol=1e-7)


def test_without_an_intercept() -> None:
    X, y = three_classes(200, 6)
    result = fit(X + 1.0, y, l1_reg=0.02, intercept=None)
    assert result.converged
    assert not result.intercept.any()
    assert kkt(X + 1.0, y, result, is_fitted=False) < 1e-6


def test_free_columns_and_factors() -> None:
    X, y = three_classes(200, 6)
    result = fit(X, y, l1_reg=0.05, penalty_factor=[0.0, 1.0, 1.0, 2.0, 0.0, 1.0])
    assert result.converged
    np.testing.assert_allclose(result.l1_reg, [0.0, 0.05, 0.05, 0.1, 0.0, 0.05])
    assert kkt(X, y, result) < 1e-6
    # Free columns have the symmetric solution, as without L1.
    np.testing.assert_allclose(result.coef[[0, 4]].sum(axis=1), 0.0, atol=1e-12)
    assert (result.coef[[0, 4]] != 0.0).all()


def test_a_tiny_c_leaves_exactly_the_intercepts() -> None:
    X, y = three_classes(90, 5)
    y = np.where(np.arange(90) < 20, 0, y)
    result = fit(X, y, C=1e-6, l1_ratio=1.0)
    assert not result.coef.any()
    shares = np.log(np.bincount(y) / 90)
    np.testing.assert_allclose(result.intercept, shares - shares.mean(), rtol=1e-12)
    assert result.suboptimality < 1e-15


@pytest.mark.parametrize("C", [1.0, 100.0])
def test_separable_classes_have_an_optimum_under_l1(C) -> None:
    X, y = three_classes(90, 4)
    X = X + 20.0 * np.eye(3, 4)[y]
    result = fit(X, y, C=C, l1_ratio=1.0)
    assert result.converged
    assert kkt(X, y, result) < 1e-7


def test_free_columns_that_separate_leave_no_optimum() -> None:
    X, y = three_classes(90, 3)
    X[:, 0] = y
    X[:, 1] = y * y
    with pytest.warns(fastlogit.SeparationWarning):
        fit(X, y, l1_reg=0.05, penalty_factor=[0.0, 0.0, 1.0])


def test_of_what_all_classes_share_the_zero_next_to_the_mean_is_taken() -> None:
    rng = np.random.default_rng(4)
    y = np.arange(400) % 4
    X = np.array([2.0, 1.0, -1.0, -2.0])[y][:, None] + rng.normal(size=(400, 1))
    result = fit(X, y, l1_reg=0.02)
    assert result.converged
    values = np.sort(result.coef[0])
    assert np.count_nonzero(values) == 3
    assert 0.0 in values[1:3]
    other = 2 if values[1] == 0.0 else 1
    assert abs(values.mean()) <= abs(values.mean() - values[other])
    # Wherever the fit begins.
    start = result.coef + 0.7, result.intercept
    again = fit(X, y, l1_reg=0.02, start=start)
    np.testing.assert_allclose(again.coef, result.coef, atol=1e-6)
    np.testing.assert_array_equal(again.coef == 0.0, result.coef == 0.0)


def test_duplicates_and_constant_columns() -> None:
    X, y = three_classes(150, 5)
    wide = np.column_stack([X, X[:, 0], np.full(150, 3.0), X[:, 2]])
    plain, result = fit(X, y, l1_reg=0.03), fit(wide, y, l1_reg=0.03)
    assert result.converged
    assert not result.coef[6].any()
    assert cost_of(wide, y, result.coef, result.intercept, 0.03) == pytest.approx(
        cost_of(X, y, plain.coef, plain.intercept, 0.03), rel=1e-11
    )


@pytest.mark.parametrize("l2", [0.0, 0.05])
def test_more_coefficients_than_a_working_set_may_have(monkeypatch, l2) -> None:
    X, y = three_classes(300, 8)
    expected = fit(X, y, l1_reg=0.003, l2_reg=l2)
    monkeypatch.setattr(proximal_softmax, "MOST_WORKING", 5)
    found = fit(X, y, l1_reg=0.003, l2_reg=l2)
    assert found.converged
    np.testing.assert_allclose(found.coef, expected.coef, atol=1e-5)


def test_columns_of_many_sizes_far_from_0() -> None:
    X, y = three_classes(200, 6)
    scale = 10.0 ** np.arange(-3, 3)
    plain = fit(X, y, l1_reg=0.03)
    result = fit(X * scale + 100.0 * scale, y, l1_reg=0.03 * scale)
    assert result.converged
    np.testing.assert_allclose(result.coef * scale[:, None], plain.coef, atol=1e-6)


@pytest.mark.parametrize("shape", [(300, 12), (100, 150)])
def test_the_same_bits_at_any_number_of_threads(shape) -> None:
    X, y = three_classes(*shape)
    one, two = (fit(X, y, l1_reg=0.02, n_threads=n) for n in (1, TWO_THREADS))
    assert bits(one) == bits(two)


def test_batches() -> None:
    X, y = three_classes(300, 6)
    expected = fit(X, y, l1_reg=0.03)
    pieces = [(X[a : a + 70], y[a : a + 70]) for a in range(0, 300, 70)]
    found = fit(fastlogit.BatchSource(lambda: iter(pieces)), l1_reg=0.03)
    np.testing.assert_allclose(found.coef, expected.coef, atol=1e-7)


def test_a_warm_start_takes_fewer_iterations() -> None:
    X, y = three_classes(300, 30)
    first = fit(X, y, l1_reg=0.02)
    again = fit(X, y, l1_reg=0.02, start=first)
    assert again.n_iter == 0
    near = fit(X, y, l1_reg=0.019, start=first)
    assert near.n_iter <= fit(X, y, l1_reg=0.019).n_iter
    model = LogisticRegression(C=0.1, l1_ratio=1.0, warm_start=True).fit(X, y)
    coef = model.coef_
    np.testing.assert_allclose(model.fit(X, y).coef_, coef, atol=1e-12)
    assert model.n_iter_[0] == 0


def test_limits_and_no_iterations() -> None:
    X, y = three_classes(200, 40)
    optimum = fit(X, y, l1_reg=0.01)
    seen = []
    with pytest.warns(ConvergenceWarning):
        stopped = fit(X, y, l1_reg=0.01, max_iter=2, callback=seen.append)
    assert stopped.n_iter == 2
    assert [progress.n_iter for progress in seen] == [1, 2]
    assert (np.diff(optimum.history) <= 0.0).all()
    stay = fit(X, y, l1_reg=0.01, start=optimum, max_iter=0)
    assert stay.converged
    assert stay.suboptimality < 1e-11
    np.testing.assert_allclose(stay.coef, optimum.coef, atol=1e-14)


def test_an_elastic_net_as_an_object_is_that_of_its_strengths() -> None:
    X, y = three_classes(100, 4)
    found = fit(X, y, penalty=ElasticNet(0.03, 0.2, 4))
    expected = fit(X, y, l1_reg=0.03, l2_reg=0.2)
    np.testing.assert_array_equal(found.coef, expected.coef)


def test_what_does_not_go_together_is_refused() -> None:
    X, y = three_classes(60, 3)
    with pytest.raises(ValueError, match=r"softmax needs one for all \(n_sets=1\)"):
        fit(X, y, penalty=ElasticNet(np.full((3, 3), 0.1), 0.0))
    with pytest.raises(ValueError, match="softmax with L1 or bounds needs rows of each"):
        fit(X, y, l1_reg=0.1, sample_weight=(y > 0).astype(float))
    with pytest.raises(ValueError, match="does not take L1"):
        fit(X, y, l1_reg=0.1, solver="newton-cg")


def test_many_classes_and_rows_that_are_sure() -> None:
    rng = np.random.default_rng(2)
    y = np.arange(sized(400, 150)) % 8
    X = 4.0 * np.eye(8)[y] + rng.normal(size=(len(y), 8))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = fit(X, y, l1_reg=1e-5)
    assert result.converged
    assert kkt(X, y, result) < 1e-7


def test_without_intercept_no_coefficient_at_all_is_proven(rng) -> None:
    X = rng.standard_normal((80, 5))
    y = rng.integers(0, 3, 80)
    result = fastlogit.fit(X, y, C=1e-3, l1_ratio=1.0, multi_class="multinomial", intercept=None)
    assert result.converged
    assert not result.coef.any()
    assert result.suboptimality <= 1e-15


def test_a_huge_strength_of_one_column_spoils_no_proof() -> None:
    """Its rounding errors are its own: those of the others are of their own strengths."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 4))
    y = np.argmax(X[:, :3] + rng.gumbel(size=(200, 3)), axis=1)
    for huge in (1e3, 1e9, 1e100):
        strengths = np.array([0.01, 0.01, huge, 0.01])
        result = fastlogit.fit(X, y, l1_reg=strengths, multi_class="multinomial")
        assert result.converged, result.message
        assert result.suboptimality <= 1e-12
        assert not result.coef[2].any()
