"""Which solver suits which data, and the subsamples that start one."""

import numpy as np
import pytest
from problems import objective_of, problem, three_classes

import fastlogit
from fastlogit import reference
from fastlogit.solvers import choice
from fastlogit.solvers.trace import Limits, Trace


@pytest.mark.parametrize(
    ("shape", "method"),
    [
        ((569, 30), "newton"), ((2_000, 20), "newton"), ((150, 4), "newton"), ((2, 1), "newton"),
        ((1_000_000, 50), "lbfgs"), ((200_000, 300), "lbfgs"), ((10_000_000, 5), "lbfgs"),
        ((4_000, 5_000), "newton-cg"), ((10**9, 10_000), "lbfgs"), ((10**9, 10_001), "newton-cg"),
    ],
)  # fmt: skip
def test_the_choice_by_shape(shape, method) -> None:
    chosen, why = choice.choose(*shape)
    assert chosen == method
    assert why


def test_the_choice_is_one_of_the_methods_everywhere() -> None:
    for n_samples in (1, 10, 1_000, 10**5, 10**7):
        for n_features in (1, 10, 100, 1_000, 10_000):
            assert choice.choose(n_samples, n_features)[0] in choice.METHODS


@pytest.mark.parametrize(
    ("shape", "method"),
    [
        ((150, 4, 3), "newton"), ((178, 13, 3), "newton"), ((5_000, 784, 10), "newton-cg"),
        ((60_000, 784, 10), "newton-cg"), ((1_000_000, 20, 4), "newton-cg"),
        ((300, 5_000, 3), "newton-cg"),
    ],
)  # fmt: skip
def test_the_choice_for_classes_that_compete(shape, method) -> None:
    chosen, why = choice.choose(*shape)
    assert chosen == method
    assert why


@pytest.mark.jit
@pytest.mark.parametrize("solver", ["lbfgs", "newton-cg"])
def test_a_softmax_takes_few_passes(solver) -> None:
    """The rows of largest curvature precondition: columns that correlate would take many more."""
    X, codes = three_classes(20_000, 20)
    X = X @ np.random.default_rng(0).standard_normal((20, 20))
    result = fastlogit.fit(X, codes, C=1e-3, multi_class="multinomial", solver=solver)
    assert result.converged
    assert result.n_passes <= 40


def test_strides_leave_rows_enough_and_skip_some() -> None:
    strides = set()
    for n_samples in (1, 50, 1_000, 20_000, 10**5, 10**6, 10**7):
        for n_features in (1, 10, 100, 1_000, 5_000):
            stride = choice.sample_stride(n_samples, n_features)
            strides.add(stride)
            if stride > 1:
                assert n_samples / stride >= 2 * (n_features + 1)
                assert stride >= 6
    assert 1 in strides
    assert len(strides) > 3
    assert all(s == 1 or all(s % p for p in range(2, s)) for s in strides - {6})


@pytest.mark.jit
def test_a_subsample_takes_less_passes_than_none() -> None:
    X, y = problem(40_000, 20)[:2]
    assert choice.sample_stride(*X.shape) > 1
    X = X * np.exp(np.linspace(-1.5, 1.5, 20))
    result = fastlogit.fit(X, y, C=1.0, solver="lbfgs")
    assert result.n_passes <= 18
    assert "lbfgs" in result.message


@pytest.mark.jit
def test_a_hessian_that_preconditions_proves_whatever_the_columns(monkeypatch) -> None:
    X, y = problem(20_000, 12)[:2]
    monkeypatch.setattr("fastlogit.certificates.binomial.MAX_GRAM", 3)
    result = fastlogit.fit(X, y, solver="lbfgs", tol=1e-9)
    assert result.converged
    assert 0.0 < result.suboptimality <= 1e-9
    exact = fastlogit.fit(X, y, solver="newton", tol=1e-14)
    np.testing.assert_allclose(result.coef, exact.coef, atol=1e-4)


@pytest.mark.jit
@pytest.mark.parametrize("n_features", [5, 125])
def test_hessians_of_their_own_or_one_of_the_mean(n_features) -> None:
    X, codes = three_classes(3_000, n_features)
    result = fastlogit.fit(X, codes, l2_reg=0.01, solver="lbfgs")
    expected = fastlogit.fit(X, codes, l2_reg=0.01, solver="newton")
    np.testing.assert_allclose(result.coef, expected.coef, atol=1e-5)


@pytest.mark.jit
def test_a_column_that_the_subsample_does_not_see() -> None:
    X, y = problem(20_000, 4)[:2]
    stride = choice.sample_stride(20_000, 5)
    seldom = np.zeros(20_000)
    seldom[np.arange(1, 20_000, 50 * stride)] = 1.0
    y[np.arange(1, 20_000, 50 * stride)] = np.arange(seldom.sum()) % 2
    X = np.column_stack([X, seldom])
    expected = fastlogit.fit(X, y, solver="newton")
    result = fastlogit.fit(X, y, solver="lbfgs")
    np.testing.assert_allclose(result.raw_prediction(X), expected.raw_prediction(X), atol=1e-3)


# ------------------------------------------------------------------------------------------------
# Where many fits begin


@pytest.mark.jit
def policies(n_samples, n_columns, seed=0):
    """Counts that are 0 but in few rows, and what they are worth: nearly collinear in most rows."""
    rng = np.random.default_rng(seed)
    counts = rng.poisson(np.geomspace(1e-3, 0.5, n_columns // 2), (n_samples, n_columns // 2))
    X = np.hstack([counts, counts * rng.integers(1, 4, counts.shape)]).astype(float)
    X = (X - X.mean(axis=0)) / np.maximum(X.std(axis=0), 1e-9)
    z = X @ rng.standard_normal(n_columns)
    y = rng.random(n_samples) < 1.0 / (1.0 + np.exp(2.0 - 2.0 * z / z.std()))
    return X, y.astype(float)


@pytest.mark.jit
@pytest.mark.parametrize(
    ("C", "most_for_a_hessian"),
    [(1.0, choice.MAX_HESSIAN), (1e4, choice.MAX_HESSIAN), (1.0, 10)],
)
def test_a_subsample_that_misleads_gives_way_to_all_rows(
    C, most_for_a_hessian, monkeypatch
) -> None:
    """Columns of few rows vary in other ways in all rows: 1,975 passes at C=1; at C=1e4 no end."""
    monkeypatch.setattr(choice, "MAX_HESSIAN", most_for_a_hessian)
    X, y = policies(6_000, 86)
    result = fastlogit.fit(X, y, C=C, tol=1e-8)
    assert result.solver == "lbfgs"
    assert result.converged
    assert result.n_passes < 500
    exact = fastlogit.fit(X, y, C=C, tol=1e-12, solver="newton")
    assert result.history[-1] <= exact.history[-1] * (1.0 + 1e-8)


@pytest.mark.jit
def test_a_subsample_that_tells_little_gives_way_in_time() -> None:
    """No step is of no use here, but each brings little: 1,703 passes before."""
    rng = np.random.default_rng(0)
    X = (rng.random((6_000, 86)) < np.geomspace(1e-3, 0.2, 86)).astype(float)
    X = (X - X.mean(axis=0)) / np.maximum(X.std(axis=0), 1e-9)
    z = X @ rng.standard_normal(86)
    y = (rng.random(6_000) < 1.0 / (1.0 + np.exp(2.0 - 2.0 * z / z.std()))).astype(float)
    result = fastlogit.fit(X, y, C=10.0, tol=1e-8)
    assert result.solver == "lbfgs"
    assert result.converged
    assert result.n_passes < 180


@pytest.mark.jit
def test_classes_against_the_others_are_not_misled() -> None:
    X, y = policies(6_000, 86, seed=3)
    codes = np.where(X[:, 80] > 0.0, 2.0, y)
    result = fastlogit.fit(X, codes, C=100.0, tol=1e-8)
    assert result.converged
    assert result.n_passes < 500


@pytest.mark.jit
def test_folds_of_few_columns_end_with_hessians_of_their_own(monkeypatch) -> None:
    """Ten C by five folds of 30,000 x 86 take 6 s where products took minutes."""

    def products(*args, **kwargs):
        raise AssertionError("products with the Hessian")

    monkeypatch.setattr(choice, "FINISH_WORK", 0.0)
    monkeypatch.setattr(choice, "newton_cg", products)
    monkeypatch.setattr("fastlogit.solvers.warm_starts.SHARED_ITERATIONS", 2)
    X, y = policies(6_000, 86)
    found = fastlogit.LogisticRegressionCV(
        Cs=[1.0, 1e3],
        cv=3,
        tol=1e-8,
        use_legacy_attributes=False,
        l1_ratios=(0.0,),
        scoring="neg_log_loss",
    ).fit(X, y)
    expected = fastlogit.fit(X, y, C=found.C_, tol=1e-12, solver="newton")
    np.testing.assert_allclose(found.decision_function(X), expected.raw_prediction(X), atol=0.02)


@pytest.mark.jit
def test_loose_tolerances_of_newton_read_no_more_than_tight_ones() -> None:
    """The last step, which nobody looks at, is not worth an exact radius: 27 passes, so 15."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((2_000, 120))
    z = X @ rng.standard_normal(120)
    y = (rng.random(2_000) < 1.0 / (1.0 + np.exp(1.0 - 1.5 * z / z.std()))).astype(float)
    passes = [fastlogit.fit(X, y, C=1.0, tol=tol, solver="newton").n_passes for tol in (1e-4, 1e-8)]
    assert passes[0] <= passes[1]


def test_the_optima_of_many_penalties_are_approached_by_those_that_differ() -> None:
    X, y = problem(6_000, 6)[:2]
    l2_reg = np.array([0.3, 1e-5, 1e-6, 1e-7])
    objective = objective_of(X, y, None, l2_reg[:, None] * np.ones(6), (1,) * 4)
    objective.standardize()
    stride = choice.sample_stride(6_000, 6)
    assert stride > 1
    trace = Trace(Limits(0.0, 100), 0.0, objective)
    theta = choice.approach(
        objective, objective.loss.share_logits(objective.rows), 1e-6, stride, trace
    )
    # The weak penalties get the same point.
    assert not np.array_equal(theta[0], theta[1])
    np.testing.assert_array_equal(theta[1:], theta[[1, 1, 1]])
    cost = objective.at(theta).cost
    for model, l2 in enumerate(l2_reg):
        lowest = reference.newton(X, y, l2)[2]
        assert lowest - 1e-14 <= cost[model] <= lowest * (1.0 + 1e-5)
