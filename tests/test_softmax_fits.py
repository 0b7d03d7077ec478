"""Softmax fits: the oracle's and scikit-learn's optimum, by every solver, whatever goes in."""

import functools

import numpy as np
import pytest
from problems import (
    EACH_SOLVER,
    LAYOUTS,
    TWO_THREADS,
    assert_same_fit,
    bits,
    fit_by,
    force_twin,
    problem,
    real,
    sized,
    three_classes,
    unfinished,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

import fastlogit
from fastlogit import reference

DESCENT = "gradient_descent"
NO_DESCENT = EACH_SOLVER[:-1]


def softmax(X, y, **options):
    return fit_by(options.pop("solver", "auto"), X, y, multi_class="multinomial", **options)


def assert_softmax_optimum(found, X, codes, l2_reg=0.0, *given, rtol=1e-5, **options) -> None:
    """Compare with the oracle, and with what a softmax result must be."""
    n_classes = len(found.classes)
    coef, intercept, lowest = reference.multinomial_newton(
        X, codes, n_classes, l2_reg, *given, **options
    )
    size = max(np.abs(coef).max(), 1.0)
    np.testing.assert_allclose(found.coef, coef, atol=rtol * size)
    np.testing.assert_allclose(found.intercept, intercept, atol=3.0 * rtol * size)
    np.testing.assert_allclose(found.coef.sum(axis=1), 0.0, atol=1e-12 * size)
    assert np.sum(found.intercept) == pytest.approx(0.0, abs=1e-11 * size)
    assert found.history[-1] - lowest <= (found.suboptimality + 1e-13) * lowest
    assert found.multi_class == "multinomial"
    assert found.converged


@functools.cache
def by_scikit_learn(name, fit_intercept):
    X, y = real(name)
    model = LogisticRegression(
        solver="newton-cholesky", tol=1e-12, max_iter=1000, fit_intercept=fit_intercept
    )
    return model.fit(X, y)


KNOWN = [
    *(("iris", True), ("iris", False)),
    *(
        pytest.param(name, fit_intercept, marks=pytest.mark.jit)
        for name, fit_intercept in (("wine", True), ("wine", False), ("digits", True))
    ),
]


@pytest.mark.parametrize(("name", "fit_intercept"), KNOWN)
@pytest.mark.parametrize("solver", NO_DESCENT)
def test_softmax_is_that_of_scikit_learn(solver, name, fit_intercept) -> None:
    X, y = real(name)
    intercept = "fit" if fit_intercept else None
    found = softmax(X, y, C=1.0, solver=solver, intercept=intercept, tol=1e-14)
    wanted = by_scikit_learn(name, fit_intercept)
    size = np.abs(wanted.coef_).max()
    np.testing.assert_allclose(found.coef.T, wanted.coef_, rtol=1e-6, atol=1e-6 * size)
    level = wanted.intercept_ * np.ones(len(found.classes))
    np.testing.assert_allclose(found.intercept, level, rtol=1e-6, atol=1e-6 * size)
    np.testing.assert_allclose(found.coef.sum(axis=1), 0.0, atol=1e-12 * size)
    assert np.sum(found.intercept) == pytest.approx(0.0, abs=1e-9)
    assert found.converged
    assert found.history.shape == (found.n_iter + 1,)
    assert np.ndim(found.suboptimality) == 0
    np.testing.assert_allclose(found.predict_proba(X), wanted.predict_proba(X), atol=1e-6)
    np.testing.assert_array_equal(found.predict(X), wanted.predict(X))


@pytest.mark.parametrize("solver", EACH_SOLVER)
@pytest.mark.parametrize("n_features", [3, 12])
def test_softmax_with_weights_offset_and_strengths(n_features, solver) -> None:
    X, codes = three_classes(sized(150, 60), n_features)
    rng = np.random.default_rng(n_features)
    weight = rng.uniform(0.2, 2.0, len(X)) * (rng.random(len(X)) < 0.8)
    offset = rng.standard_normal((len(X), 3))
    factor = np.linspace(0.0, 3.0, n_features)  # the first column is not penalised
    found = softmax(
        X, codes, C=0.3, sample_weight=weight, offset=offset, penalty_factor=factor, solver=solver
    )
    strengths = factor / (0.3 * weight.sum())
    assert_softmax_optimum(found, X, codes, strengths, weight, offset)
    np.testing.assert_allclose(found.l2_reg, strengths, rtol=1e-14)


@pytest.mark.parametrize("solver", EACH_SOLVER)
def test_softmax_without_intercept(solver) -> None:
    X, codes = three_classes(sized(150, 60), 4)
    found = softmax(X + 1.0, codes, l2_reg=0.02, intercept=None, solver=solver)
    np.testing.assert_array_equal(found.intercept, np.zeros(3))
    assert_softmax_optimum(found, X + 1.0, codes, 0.02, fit_intercept=False)


@pytest.mark.parametrize("solver", EACH_SOLVER)
def test_softmax_weight_two_is_the_row_twice(solver) -> None:
    X, codes = three_classes(sized(150, 60), 4)
    weight = np.resize([0.0, 1.0, 2.0, 3.0], len(X))
    rows = np.repeat(np.arange(len(X)), weight.astype(int))
    options = {"l2_reg": 0.1, "tol": 1e-14, "solver": solver}
    found = softmax(X, codes, sample_weight=weight, **options)
    assert_same_fit(found, softmax(X[rows], codes[rows], **options), 1e-6, 1e-7)


@pytest.mark.parametrize("solver", EACH_SOLVER)
def test_the_softmax_of_two_classes_is_the_binomial_model(solver) -> None:
    X, y = problem(150, 4)[:2]
    found = softmax(X, y, C=1.0, solver=solver)
    assert found.coef.shape == (4,)
    assert isinstance(found.intercept, float)
    assert bits(found) == bits(fit_by(solver, X, y, C=1.0))


@pytest.mark.parametrize("solver", NO_DESCENT)
def test_softmax_of_columns_of_every_scale(solver) -> None:
    X, codes = three_classes(sized(150, 60), 4)
    X = X * [1e-6, 1.0, 1e6, 1.0] + [0.0, 1e4, 0.0, -3.0]
    X[:, 3] = 5.0  # a column that does not vary
    found = softmax(X, codes, l2_reg=np.array([1e-14, 0.01, 1e10, 0.0]), solver=solver)
    scale = np.array([1e-6, 1.0, 1e6, 1.0])
    plain = softmax((X - [0.0, 1e4, 0.0, 0.0]) / scale, codes, l2_reg=np.full(4, 0.01))
    np.testing.assert_allclose(found.coef * scale[:, None], plain.coef, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(found.coef[3], 0.0)


@pytest.mark.parametrize("solver", ["auto", "lbfgs", "newton-cg"])
def test_a_warm_start_of_a_softmax(solver) -> None:
    X, codes = three_classes(sized(6_000, 90), 6)
    options = {"l2_reg": 0.01, "solver": solver}
    cold = softmax(X, codes, tol=1e-13, **options)
    warm = softmax(X, codes, start=cold, **options)
    assert warm.n_iter == 0
    assert warm.history.shape == warm.passes.shape == (1,)
    np.testing.assert_allclose(warm.coef, cold.coef, rtol=1e-10, atol=1e-12)
    # The same predictions by other numbers, and a point nearby.
    shifted = cold.coef + np.arange(6.0)[:, None], cold.intercept + 7.0
    for start in (shifted, (1.001 * cold.coef, cold.intercept)):
        again = softmax(X, codes, start=start, **options)
        assert again.n_iter <= cold.n_iter
        np.testing.assert_allclose(again.coef, cold.coef, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("multi_class", ["ovr", "multinomial"])
@pytest.mark.parametrize("solver", EACH_SOLVER)
def test_the_course_of_a_fit_of_several_classes(solver, multi_class) -> None:
    X, codes = three_classes(sized(150, 60), 4)
    seen = []
    result = fit_by(
        solver, X, codes, l2_reg=0.02, multi_class=multi_class,
        callback=lambda progress: seen.append((progress, progress.coef, progress.intercept)),
    )  # fmt: skip
    shape = (result.n_iter + 1, 3) if multi_class == "ovr" else (result.n_iter + 1,)
    assert result.history.shape == result.bounds.shape == shape
    assert result.passes.shape == result.times.shape == (result.n_iter + 1,)
    for increasing in (result.passes, result.times):
        assert (np.diff(increasing) >= 0.0).all()
    assert 0.0 < result.passes[-1] <= result.n_passes
    assert 0.0 < result.times[-1] <= result.seconds
    np.testing.assert_array_equal(result.bounds[-1], result.suboptimality)
    optimum = result.history[-1]
    assert ((result.history - optimum) / optimum <= result.bounds + 1e-12).all()
    for progress, coef, intercept in seen:
        assert coef.shape == (4, 3)
        assert intercept.shape == (3,)
        z = X @ coef + intercept
        if multi_class == "multinomial":
            cost = reference.multinomial_cost(X, codes, coef, intercept, 0.02)
            np.testing.assert_allclose(coef.sum(axis=1), 0.0, atol=1e-10)
        else:
            costs = [
                reference.cost(X, codes == k, coef[:, k], intercept[k], 0.02) for k in range(3)
            ]
            cost = np.mean(costs)
        assert np.isfinite(z).all()
        if solver != DESCENT:  # it tells the iterate's coefficients and the cost where it looked
            assert progress.cost == pytest.approx(cost, rel=1e-9)
    if solver != DESCENT:
        assert [progress.n_iter for progress, *_ in seen] == list(range(1, result.n_iter + 1))


@pytest.mark.parametrize("solver", EACH_SOLVER)
def test_limits_of_a_softmax_fit(solver) -> None:
    X, codes = three_classes(sized(300, 60), 6)
    options = {"multi_class": "multinomial", "solver": solver, "l2_reg": 1e-3}
    with pytest.warns(ConvergenceWarning, match="max_iter=1 before it converged"):
        result = fastlogit.fit(X, codes, max_iter=1, tol=1e-15, **options)
    assert result.n_iter == 1
    with pytest.warns(ConvergenceWarning, match="at time_limit=1e-09 s"):
        late = fastlogit.fit(X, codes, time_limit=1e-9, tol=1e-15, **options)
    stopped = fastlogit.fit(X, codes, callback=lambda _: True, tol=1e-15, **options)
    assert "by the callback" in stopped.message
    for found in (result, late, stopped):
        assert not found.converged
        assert np.isfinite(found.coef).all()
        assert found.history[-1] <= found.history[0]
        lowest = reference.multinomial_newton(X, codes, 3, 1e-3)[2]
        assert found.history[-1] - lowest <= found.suboptimality * lowest + 1e-14


@pytest.mark.jit
@pytest.mark.parametrize("solver", EACH_SOLVER)
def test_softmax_gives_the_same_bits(solver, monkeypatch) -> None:
    X, codes = three_classes(4_000, 12)
    options = {"multi_class": "multinomial", "solver": solver, "l2_reg": 0.01, "max_iter": 200}
    found = {bits(unfinished(X, codes, n_threads=n, **options)) for n in (1, TWO_THREADS, None)}
    for parallel in (False, True):
        force_twin(monkeypatch, parallel)
        found.add(bits(unfinished(X, codes, **options)))
    assert len(found) == 1


@pytest.mark.parametrize("layout", ["F", "every second row", "read-only", "big-endian"])
def test_softmax_of_layouts_and_types(layout) -> None:
    X, codes = three_classes(90, 9)
    expected = softmax(X, codes, l2_reg=0.1)
    found = softmax(LAYOUTS[layout](X), codes, l2_reg=0.1)
    np.testing.assert_allclose(found.coef, expected.coef, rtol=1e-5, atol=1e-7)
    single = X.astype(np.float32)
    assert_softmax_optimum(softmax(single, codes, l2_reg=0.1), single, codes, 0.1)


@pytest.mark.parametrize("names", [["setosa", "iris", "x"], [30, -10, 20]])
def test_labels_of_a_softmax_come_back_as_they_went_in(names) -> None:
    X, codes = three_classes(90, 3)
    labels = np.array(names)[codes]
    result = softmax(X, labels, l2_reg=0.1)
    assert result.classes.tolist() == sorted(names)
    order = np.argsort(np.argsort(names))
    assert_softmax_optimum(result, X, order[codes], 0.1)
    assert (result.predict(X) == labels).mean() > 0.5


@pytest.mark.jit
def test_a_softmax_of_many_columns_and_many_classes() -> None:
    """More parameters than a matrix is made for, and a class of two rows among many."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((400, 90))
    codes = rng.integers(0, 11, 400)
    codes[codes == 10] = 9
    codes[:2] = 10
    result = softmax(X, codes, C=0.1)
    cost, slope, last = reference.multinomial_cost_gradient(
        X, codes, result.coef, result.intercept, 1.0 / (0.1 * 400)
    )
    assert result.converged
    assert result.history[-1] == pytest.approx(cost, rel=1e-12)
    # Half the squared norm over the strength: a bound of what is lacking.
    assert 0.5 * 0.1 * 400 * np.square(slope).sum() <= 1e-11 * cost
    assert np.abs(last).max() < 1e-7
