"""Every solver reaches the optimum from any finite start and with any finite offset.

Optima are those of cold fits without an offset, which other files compare with the oracle, or are
proven here: with a penalty and no slope along the intercept, the gradient bounds what a cost lacks
by ``sum(gradient**2) / (2 l2_reg)``, the duality gap at the point that the residuals make.
"""

import warnings

import numpy as np
import pytest
from problems import grid_of, real, softmax_of, three_classes
from scipy.optimize import brentq
from sklearn.exceptions import ConvergenceWarning

import fastlogit
from fastlogit import LogisticRegression, reference
from fastlogit.fitting.fit import SOLVERS
from fastlogit.objective.multinomial import against_the_others
from fastlogit.solvers.majorization import majorize
from fastlogit.solvers.start import default_start, level_costs
from fastlogit.solvers.trace import Limits, Point, Trace

# Hundreds of fits: too slow without compiled code.
pytestmark = pytest.mark.jit

NEWTON_LIKE = [solver for solver in SOLVERS if solver != "gradient_descent"]


def two_classes(n_samples=100, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_samples, 2))
    return X, (rng.uniform(size=n_samples) < reference.sigmoid(X[:, 0])) * 1


def lacking(X, y, result, l2_reg, offset):
    """Return a bound on what the cost of a binomial fit lacks, relative to it."""

    def slope(intercept):
        return reference.cost_gradient(X, y, result.coef, intercept, l2_reg, offset=offset)[2]

    near = result.intercept
    intercept = near
    if result.fit_intercept:
        intercept = brentq(slope, near - 1.0, near + 1.0, xtol=1e-300, rtol=1e-15)
    cost, gradient, _ = reference.cost_gradient(X, y, result.coef, intercept, l2_reg, offset=offset)
    return 0.5 * np.sum(gradient**2) / l2_reg / cost


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("size", [40.0, 55.0, 1e3, -1e5])
@pytest.mark.parametrize("C", [1.0, None])
def test_a_constant_offset_shifts_the_intercept(solver, size, C) -> None:
    X, y = two_classes()
    cold = fastlogit.fit(X, y, C=C)
    if C is None:
        right = [0.77566837, 0.07895823, -0.27523219]
        np.testing.assert_allclose([*cold.coef, cold.intercept], right, atol=1e-8)
    found = fastlogit.fit(X, y, C=C, solver=solver, offset=np.full(100, size))
    assert found.converged
    np.testing.assert_allclose(found.coef, cold.coef, rtol=2e-5)
    np.testing.assert_allclose(found.intercept + size, cold.intercept, rtol=2e-5)
    np.testing.assert_allclose(found.history[-1], cold.history[-1], rtol=1e-10)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("size", [50.0, 1e5])
def test_a_constant_offset_of_a_class(solver, size) -> None:
    X, y = real("iris")
    offset = np.zeros((150, 3))
    offset[:, 0] = size
    # Steps of gradient descent end where rounding errors of raw predictions of 1e5 hide the rest.
    tol = 1e-11 if size > 1e3 and solver == "gradient_descent" else 1e-12
    found = fastlogit.fit(
        X, y, C=1.0, multi_class="multinomial", solver=solver, offset=offset, max_iter=20_000,
        tol=tol,
    )  # fmt: skip
    assert found.history[-1] * 150 == pytest.approx(28.886316604103, rel=1e-10)
    cold = fastlogit.fit(X, y, C=1.0, multi_class="multinomial")
    level = found.intercept + np.array([size, 0.0, 0.0])
    np.testing.assert_allclose(level - level.mean(), cold.intercept, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("multi_class", ["ovr", "multinomial"])
@pytest.mark.parametrize("largest", [11.0, 1e6, 1e100, 1e308])
def test_a_start_far_off(solver, multi_class, largest) -> None:
    X, y = real("iris")
    options = {"C": 1.0, "multi_class": multi_class}
    cold = fastlogit.fit(X, y, **options)
    start = (np.arange(12.0).reshape(4, 3) / 11.0 * largest, np.zeros(3))
    found = fastlogit.fit(X, y, **options, solver=solver, start=start)
    assert found.converged
    np.testing.assert_allclose(found.history[-1], cold.history[-1], rtol=1e-10)


@pytest.mark.parametrize("solver", NEWTON_LIKE)
@pytest.mark.parametrize("factor", [2.0, 30.0, 1e4])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_start_in_other_units(solver, factor, sign) -> None:
    X, y = real("cancer")
    cold = fastlogit.fit(X, y, C=1.0)
    start = (sign * factor * cold.coef, sign * factor * cold.intercept)
    found = fastlogit.fit(X, y, C=1.0, solver=solver, start=start)
    assert found.converged
    np.testing.assert_allclose(found.history[-1], cold.history[-1], rtol=1e-10)


def test_an_estimator_starts_again_on_other_units() -> None:
    X, y = real("cancer")
    warm = LogisticRegression(warm_start=True).fit(X, y).fit(X * 10.0, y)
    cold = LogisticRegression().fit(X * 10.0, y)
    assert warm.score(X * 10.0, y) == cold.score(X * 10.0, y) > 0.95
    assert warm.result_.history[-1] == pytest.approx(cold.result_.history[-1], rel=1e-8)


@pytest.mark.parametrize("multi_class", ["ovr", "multinomial"])
def test_a_grid_from_a_start_far_off(multi_class) -> None:
    X, y = real("iris")
    folds = np.ones((3, 150))
    folds[np.arange(150) % 3, np.arange(150)] = 0.0
    options = {"fold_weights": folds, "multi_class": multi_class}
    cold = grid_of(X, y, [0.1, 10.0], **options)
    far = (np.arange(12.0).reshape(4, 3) * 1e3, np.zeros(3))
    found = grid_of(X, y, [0.1, 10.0], **options, start=far)
    assert found.converged.all()
    np.testing.assert_allclose(found.coef, cold.coef, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("size", [10.0, 100.0, 1e3, 1e5])
@pytest.mark.parametrize("intercept", ["fit", None])
def test_offsets_of_many_sizes(solver, size, intercept) -> None:
    X, y = two_classes(seed=3)
    rng = np.random.default_rng(4)
    offset = size * rng.normal(size=100) * 10.0 ** rng.uniform(-4.0, 0.0, 100)
    found = fastlogit.fit(
        X, y, l2_reg=0.01, solver=solver, offset=offset, intercept=intercept, max_iter=100_000
    )
    assert lacking(X, y, found, 0.01, offset) < 1e-10


@pytest.mark.parametrize("solver", NEWTON_LIKE)
@pytest.mark.parametrize("size", [10.0, 1e3, 1e5])
def test_offsets_of_many_sizes_for_each_class(solver, size) -> None:
    X, y = three_classes(90, 3)
    rng = np.random.default_rng(5)
    offset = size * rng.normal(size=(90, 3))
    found = fastlogit.fit(
        X, y, l2_reg=0.01, solver=solver, offset=offset, intercept=None, multi_class="multinomial"
    )
    raw = X @ found.coef + offset
    residual = reference.softmax(raw) - np.eye(3)[y]
    gradient = X.T @ residual / 90 + 0.01 * found.coef
    assert 0.5 * np.sum(gradient**2) / 0.01 / found.history[-1] < 1e-10


@pytest.mark.parametrize("solver", NEWTON_LIKE)
@pytest.mark.parametrize("held", [300.0, -1e4])
def test_an_intercept_held_far_off(solver, held) -> None:
    X, y = two_classes(seed=6)
    found = fastlogit.fit(X + 0.5, y, l2_reg=0.01, solver=solver, intercept=held)
    assert found.intercept == held
    assert lacking(X + 0.5, y, found, 0.01, None) < 1e-10


def test_a_warm_fit_takes_the_better_start() -> None:
    X, y = two_classes(400)
    cold = fastlogit.fit(X, y, C=1.0)
    near = fastlogit.fit(X, y, C=1.0, start=cold)
    assert near.n_iter <= 1
    far = fastlogit.fit(X, y, C=1.0, start=(1e4 * np.ones(2), 0.0))
    assert far.n_iter == cold.n_iter
    assert far.n_passes <= cold.n_passes + 1.0


@pytest.mark.parametrize("weighted", [False, True])
def test_the_default_start_knows_the_offset(weighted) -> None:
    rng = np.random.default_rng(8)
    X, codes = three_classes(120, 2)
    weights = rng.exponential(size=120) if weighted else np.ones(120)
    offset = rng.normal(size=(3, 120)) * np.array([[1.0], [30.0], [1e3]])
    softmax = softmax_of(X, codes, l2_reg=0.1, weight=weights, offset=offset)
    theta = default_start(softmax)
    np.testing.assert_allclose(level_costs(softmax, theta), softmax.at(theta).cost, rtol=1e-12)
    levels = softmax.split(softmax.at(theta).gradient)[1]
    assert np.abs(levels).max() < 0.05
    np.testing.assert_allclose(theta.reshape(3, -1)[:, :-1], 0.0)


def test_the_bound_lies_above_the_loss() -> None:
    rng = np.random.default_rng(9)
    X, codes = three_classes(50, 2)
    softmax = softmax_of(X, codes)
    for size in (0.1, 3.0, 50.0, 1e4):
        theta = rng.normal(size=(1, 9)) * size
        raw = softmax.rows.predictions(theta.reshape(3, 3)).values
        curvature = softmax.rows.majorizing(theta).values
        moves = rng.normal(size=raw.shape) * size * 10.0 ** rng.uniform(-3, 1)
        proba = reference.softmax(raw.T).T

        def losses(raw):
            return np.log(np.exp(raw - raw.max(axis=0)).sum(axis=0)) + raw.max(axis=0)

        above = losses(raw) + (proba * moves + 0.5 * curvature * moves**2).sum(axis=0)
        assert (losses(raw + moves) <= above * (1.0 + 1e-13) + 1e-12).all()
        np.testing.assert_allclose(
            against_the_others(raw[None])[0][0],
            raw[0] - np.logaddexp(raw[1], raw[2]),
            rtol=1e-12,
            atol=1e-12,
        )


def test_a_step_down_the_bound_from_where_no_row_bends() -> None:
    X, codes = three_classes(60, 2)
    softmax = softmax_of(X, codes, l2_reg=1e-6)
    theta = np.array([[900.0, -700.0, 4e3, -300.0, 900.0, -4e3, -600.0, -200.0, 0.0]])
    found = softmax.at(theta)
    trace = Trace(Limits(1e-12, 10), 0.0, softmax)
    point, failed = majorize(softmax, Point(theta, *found), np.array([0]), trace)
    assert not failed.any()
    assert point.cost[0] < 0.5 * found.cost[0]
    assert point.restarted
    np.testing.assert_allclose(softmax.at(point.theta).cost, point.cost)


def test_what_ends_at_the_optimum_cannot_step_down() -> None:
    X, y = two_classes()
    result = fastlogit.fit(X, y, C=1.0, tol=0.0)
    assert "rounding" not in result.message
    assert result.converged


@pytest.mark.slow
@pytest.mark.parametrize("part", range(10))
def test_any_start_and_any_offset(part) -> None:
    """Random problems: each solver ends within 1e-9 of the best that any of them finds."""
    for seed in range(40 * part, 40 * part + 40):
        rng = np.random.default_rng(seed)
        X, y, options = _random_problem(rng)
        costs = []
        for solver in NEWTON_LIKE:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)  # rounding, at offsets of 1e5
                result = fastlogit.fit(X, y, solver=solver, **options)
            costs.append(np.atleast_1d(result.history[-1]))
            assert np.isfinite(result.coef).all()
        lowest = np.min(costs, axis=0)
        np.testing.assert_allclose(np.max(costs, axis=0), lowest, rtol=1e-9, err_msg=f"seed {seed}")


def _random_problem(rng):
    n_samples, n_features = int(rng.choice([40, 100, 300])), int(rng.choice([1, 2, 5, 8]))
    n_classes = int(rng.choice([2, 2, 3, 5]))
    X = rng.normal(size=(n_samples, n_features))
    raw = X @ rng.normal(size=(n_features, n_classes)) + rng.gumbel(size=(n_samples, n_classes))
    y = np.argmax(raw, axis=1)
    y[:n_classes] = np.arange(n_classes)
    X *= 10.0 ** rng.uniform(-1.0, 2.0)
    options = {"C": float(rng.choice([0.01, 1.0, 100.0]))}
    is_softmax = n_classes > 2 and rng.random() < 0.5
    if is_softmax:
        options["multi_class"] = "multinomial"
    if rng.random() < 0.3:
        options["intercept"] = float(rng.choice([0.0, 1.0, 300.0, -1e4]))
    if rng.random() < 0.3:
        weights = rng.exponential(size=n_samples) * 10.0 ** rng.normal(size=n_samples)
        options["sample_weight"] = weights
    if rng.random() < 0.6:
        offset = rng.normal(size=(n_samples, n_classes) if is_softmax else n_samples)
        offset *= float(rng.choice([1.0, 10.0, 50.0, 1e3, 1e5]))
        if rng.random() < 0.5:
            offset *= 10.0 ** rng.uniform(-4.0, 0.0, offset.shape)
        options["offset"] = offset
    if rng.random() < 0.8:
        size = 10.0 ** rng.choice([0.0, 1.0, 3.0, 8.0, 100.0, 300.0])
        shape = (n_features,) if n_classes == 2 else (n_features, n_classes)
        level = float(rng.normal()) if n_classes == 2 else rng.normal(size=n_classes)
        options["start"] = (size * rng.normal(size=shape), size * level)
    return X, y, options


def test_offsets_near_the_largest_number_end_in_words_or_numbers() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(8, 2)) + np.array([1e8, 0.0])
    y = np.arange(8) % 3
    offset = 1e300 * rng.normal(size=8)
    with pytest.raises(ValueError, match="too large for float64; give smaller offsets"):
        fastlogit.fit(X, y, offset=offset)
    with pytest.warns(ConvergenceWarning, match="rounding errors"):
        near = fastlogit.fit(X, y, offset=offset, C=1e-3)
    assert np.isfinite(near.intercept).all()
