"""Bounds of a softmax's coefficients, and of the fits of paths and folds: optimal, and proven."""

import warnings

import numpy as np
import pytest
from problems import TWO_THREADS, bits, problem, three_classes
from scipy.optimize import minimize
from sklearn import datasets
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import PredefinedSplit

import fastlogit
from fastlogit import LogisticRegressionCV, SeparationWarning, logistic_path, reference
from fastlogit.objective.class_levels import least_shifts
from fastlogit.objective.penalties import L1, Bounds, ElasticNet
from fastlogit.solvers import proximal_softmax

pytestmark = pytest.mark.jit

SOFTMAX = {"multi_class": "multinomial"}
BOXES = [(0.0, None), (None, 0.0), (-0.2, 0.3), (0.05, None), (-0.1, 0.0)]
QUIET = {"scoring": "neg_log_loss", "use_legacy_attributes": False}


def furthest(X, y, coef, intercept, bounds, l1=0.0, l2=0.0, weight=None):
    """How steeply the cost falls along a coefficient that may move, and along an intercept.

    `coef` has shape (n_features, n_classes).
    """
    lower, upper = (
        np.inf * sign if b is None else b for sign, b in zip((-1, 1), bounds, strict=True)
    )
    assert ((lower <= coef) & (coef <= upper)).all()
    _, slopes, last = reference.multinomial_cost_gradient(X, y, coef, intercept, l2, weight)
    l1 = np.reshape(l1, (-1, 1))
    up = slopes + l1 * np.where(coef < 0.0, -1.0, 1.0)
    down = slopes + l1 * np.where(coef > 0.0, 1.0, -1.0)
    worst = max((-up[coef < upper]).max(initial=0.0), down[coef > lower].max(initial=0.0))
    return max(worst, np.abs(last).max())


def data(n_samples=200, n_features=6):
    X, y = three_classes(n_samples, n_features)
    return X * 2.0 ** np.arange(-3, n_features - 3) + 1.0, y


@pytest.mark.parametrize("bounds", BOXES)
@pytest.mark.parametrize(("l1", "l2"), [(0.0, 0.02), (0.02, 0.0), (0.01, 0.01), (0.0, 0.0)])
def test_it_is_optimal(bounds, l1, l2) -> None:
    X, y = data()
    result = fastlogit.fit(X, y, l1_reg=l1, l2_reg=l2, coef_bounds=bounds, **SOFTMAX)
    assert result.converged, result.message
    assert result.suboptimality <= 1e-12
    assert furthest(X, y, result.coef, result.intercept, bounds, l1, l2) < 1e-5
    at_bound = (result.coef == bounds[0]) | (result.coef == bounds[1])
    assert f"{np.count_nonzero(at_bound)} of 18 coefficients are at a bound" in result.message


@pytest.mark.parametrize("l2", [1e-3, 0.1])
def test_no_worse_than_scipy(rng, l2) -> None:
    X, y = data()
    weight = rng.uniform(0.2, 2.0, len(y))
    lower = np.where(rng.random(6) < 0.3, -np.inf, rng.normal(size=6) * 0.3)
    upper = np.where(rng.random(6) < 0.3, np.inf, np.maximum(lower, -1.0) + rng.random(6))
    options = {"l2_reg": l2, "coef_bounds": (lower, upper), "sample_weight": weight}
    result = fastlogit.fit(X, y, **options, **SOFTMAX)
    assert result.converged

    def cost(theta):
        coef = theta.reshape(7, 3)
        value, slopes, last = reference.multinomial_cost_gradient(
            X, y, coef[:-1], coef[-1], l2, weight
        )
        return value, np.vstack([slopes, last]).reshape(-1)

    ends = [(a, b) for a, b in zip(lower, upper, strict=True) for _ in range(3)]
    start = np.append(np.repeat(np.clip(0.0, lower, upper), 3), np.zeros(3))
    other = minimize(
        cost, start, jac=True, method="L-BFGS-B", bounds=ends + [(None, None)] * 3,
        options={"ftol": 1e-15, "gtol": 1e-9, "maxiter": 20_000, "maxfun": 50_000},
    )  # fmt: skip
    assert result.history[-1] <= other.fun * (1.0 + 1e-12)
    assert furthest(X, y, result.coef, result.intercept, (lower[:, None], upper[:, None]), 0.0, l2,
        weight) < 1e-5  # fmt: skip


def test_bounds_that_hold_nothing_change_nothing() -> None:
    X, y = data()
    for options in ({"l2_reg": 0.01}, {"l1_reg": 0.01}, {"l1_reg": 0.01, "l2_reg": 0.01}):
        free = fastlogit.fit(X, y, **options, **SOFTMAX)
        held = fastlogit.fit(X, y, **options, **SOFTMAX, coef_bounds=(-99.0, 99.0))
        np.testing.assert_allclose(held.coef, free.coef, atol=1e-5)
        assert held.history[-1] == pytest.approx(free.history[-1], rel=1e-11)


def test_held_coefficients_and_one_box_for_each_column() -> None:
    X, y = data()
    lower, upper = np.full(6, -np.inf), np.full(6, np.inf)
    lower[2] = upper[2] = 0.3  # of all classes alike, which changes no probability
    lower[4], upper[4] = -0.05, 0.02
    held = fastlogit.fit(X, y, C=0.1, coef_bounds=(lower, upper), **SOFTMAX)
    np.testing.assert_array_equal(held.coef[2], 0.3)
    without = fastlogit.fit(
        np.delete(X, 2, axis=1), y, C=0.1, **SOFTMAX,
        coef_bounds=(np.delete(lower, 2), np.delete(upper, 2)),
    )  # fmt: skip
    np.testing.assert_allclose(np.delete(held.coef, 2, axis=0), without.coef, atol=1e-6)


def test_iris_without_a_penalty_in_a_box() -> None:
    X, y = datasets.load_iris(return_X_y=True)
    result = fastlogit.fit(X, y, coef_bounds=(-2.0, 2.0), **SOFTMAX)
    assert result.converged
    assert furthest(X, y, result.coef, result.intercept, (-2.0, 2.0)) < 1e-6
    # No negative coefficient keeps no softmax from telling classes apart: all may be shifted.
    with pytest.warns(SeparationWarning):
        fastlogit.fit(X, y, coef_bounds=(0.0, None), **SOFTMAX)


def test_digits_with_a_working_set_and_gradient_steps(monkeypatch) -> None:
    X, y = datasets.load_digits(return_X_y=True)
    X, y = X[:400], y[:400]
    options = {"C": 0.02, "l1_ratio": 0.9, "coef_bounds": (-0.05, 0.03), **SOFTMAX}
    result = fastlogit.fit(X, y, **options)
    l1, l2 = 0.9 / (0.02 * 400), 0.1 / (0.02 * 400)
    assert result.converged
    assert furthest(X, y, result.coef, result.intercept, (-0.05, 0.03), l1, l2) < 1e-5
    assert ((result.coef == -0.05) | (result.coef == 0.03)).any()
    assert (result.coef == 0.0).any()
    one, two = (fastlogit.fit(X, y, **options, n_threads=n) for n in (1, TWO_THREADS))
    assert bits(one) == bits(two)
    monkeypatch.setattr(proximal_softmax, "MOST_WORKING", 60)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        rough = fastlogit.fit(X, y, **options, tol=1e-8, max_iter=40)
    np.testing.assert_allclose(rough.coef, result.coef, atol=2e-3)


def test_a_penalty_that_is_an_object() -> None:
    X, y = data()
    box = Bounds(np.full(6, -0.1), np.full(6, 0.2))
    penalty = ElasticNet(L1(0.01, 6, box), 0.02, 6)
    found = fastlogit.fit(X, y, penalty=penalty, **SOFTMAX)
    wanted = fastlogit.fit(X, y, l1_reg=0.01, l2_reg=0.02, coef_bounds=(-0.1, 0.2), **SOFTMAX)
    np.testing.assert_array_equal(found.coef, wanted.coef)


def test_what_all_classes_share_stays_within_bounds(rng) -> None:
    coef = rng.uniform(-1.0, 2.0, (4, 50))
    box = Bounds(np.full(50, -1.0), np.full(50, 2.0))
    for l1, l2 in ((1.0, 0.0), (0.3, 0.5), (0.0, 1.0), (0.0, 0.0)):
        shifts = least_shifts(coef, np.full(50, l1), np.full(50, l2), box)
        for column, shift in zip(coef.T, shifts, strict=True):
            ways = np.linspace(column.max() - 2.0, column.min() + 1.0, 2001)
            values = [
                l1 * np.abs(column - way).sum() + 0.5 * l2 * np.square(column - way).sum()
                for way in (shift, *ways)
            ]
            assert ways[0] - 1e-15 <= shift <= ways[-1] + 1e-15
            assert values[0] <= min(values) + 1e-5 * l2 + 1e-14


# --- paths and folds


@pytest.mark.parametrize("ratio", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("bounds", [(0.0, None), (-0.1, 0.2)])
@pytest.mark.parametrize("kind", ["two", "softmax", "ovr"])
def test_each_fit_of_a_path_is_that_of_fit(kind, bounds, ratio) -> None:
    X, y = problem(150, 6)[:2] if kind == "two" else data(150)
    options = {"coef_bounds": bounds, "multi_class": "ovr" if kind == "ovr" else "multinomial"}
    Cs = [0.01, 0.1, 1.0, 10.0]
    path = logistic_path(X, y, Cs, l1_ratio=ratio, **options)
    assert path.converged.all()
    assert (path.suboptimality <= 1e-12).all()
    for k, C in enumerate(Cs):
        one = fastlogit.fit(X, y, C=C, l1_ratio=ratio, **options)
        np.testing.assert_allclose(path.coefs[k], np.atleast_2d(one.coef.T), atol=2e-5)
        np.testing.assert_array_equal(
            path.coefs[k] == bounds[0], np.atleast_2d(one.coef.T) == bounds[0]
        )


def test_no_penalty_at_the_end_of_a_path_within_bounds() -> None:
    X, y = problem(150, 6)[:2]
    path = logistic_path(X, y, [1.0, np.inf], coef_bounds=(0.0, 0.3))
    one = fastlogit.fit(X, y, coef_bounds=(0.0, 0.3))
    np.testing.assert_allclose(path.coefs[1, 0], one.coef, atol=1e-5)
    X, y = data()
    path = logistic_path(X, y, [1.0, np.inf], coef_bounds=(-0.3, 0.3))
    assert path.converged.all()
    one = fastlogit.fit(X, y, coef_bounds=(-0.3, 0.3), **SOFTMAX)
    np.testing.assert_allclose(path.coefs[1], one.coef.T, atol=1e-5)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_where_a_path_begins(n_classes) -> None:
    X, y = problem(150, 6)[:2] if n_classes == 2 else data(150)
    options = {"l1_ratio": 1.0, "coef_bounds": (0.0, None)}
    path = logistic_path(X, y, 10, **options)
    assert path.converged.all()
    assert not path.coefs[0].any()
    above = logistic_path(X, y, [1.0001 * path.C_null], **options)
    assert above.coefs.any()
    # Free columns keep their bounds where the others are 0.
    factor = np.array([0.0, *np.ones(5)])
    freed = logistic_path(X, y, 5, **options, penalty_factor=factor)
    assert freed.converged.all()
    assert (freed.coefs >= 0.0).all()
    assert not freed.coefs[0, :, 1:].any()
    with pytest.raises(ValueError, match="coef_bounds leave 0 out for column 2"):
        logistic_path(X, y, 10, l1_ratio=1.0, coef_bounds=([0, 0, 0.1, 0, 0, 0], None))


@pytest.mark.parametrize("ratio", [0.0, 0.7])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_folds_are_fits_with_their_rows(n_classes, ratio) -> None:
    X, y = problem(150, 6)[:2] if n_classes == 2 else data(150)
    Cs, cv = [0.05, 1.0], PredefinedSplit(np.arange(len(y)) // 6 % 2)
    model = LogisticRegressionCV(Cs=Cs, l1_ratios=(ratio,), cv=cv, **QUIET)
    model.fit(X, y, coef_bounds=(-0.1, 0.3))
    assert model.grid_.converged.all()
    assert (model.grid_.suboptimality <= 1e-12).all()
    options = {"l1_ratio": ratio, "coef_bounds": (-0.1, 0.3), **SOFTMAX}
    for fold, (train, _) in enumerate(cv.split()):
        for place, C in enumerate(Cs):
            one = fastlogit.fit(X[train], y[train], C=C, **options)
            found = model.coefs_paths_[fold, 0, place][:, :-1]
            np.testing.assert_allclose(found, np.atleast_2d(one.coef.T), atol=2e-5)
    last = fastlogit.fit(X, y, C=model.C_, **options)
    np.testing.assert_allclose(model.coef_, np.atleast_2d(last.coef.T), atol=1e-6)
    assert (model.coef_ == -0.1).any() or (model.coef_ == 0.3).any()


def test_relaxed_fits_keep_the_bounds() -> None:
    X, y = problem(200, 8)[:2]
    model = LogisticRegressionCV(Cs=[0.1], l1_ratios=(1.0,), cv=2, relax=True, **QUIET)
    model.fit(X, y, coef_bounds=(0.0, 0.4))
    chosen = np.flatnonzero(model.result_.coef)
    wanted = fastlogit.fit(X[:, chosen], y, coef_bounds=(0.0, 0.4))
    np.testing.assert_allclose(model.coef_[0, chosen], wanted.coef, atol=1e-6)
    assert (np.delete(model.coef_[0], chosen) == 0.0).all()


def test_a_fold_of_a_softmax_needs_all_classes() -> None:
    X, y = data(150)
    cv = [(np.flatnonzero(y != 2), np.arange(150)), (np.arange(150), np.arange(150))]
    model = LogisticRegressionCV(Cs=[1.0], l1_ratios=(0.0,), cv=cv, **QUIET)
    with pytest.raises(ValueError, match="fold 0 lack class 2, and softmax with coef_bounds"):
        model.fit(X, y, coef_bounds=(0.0, None))


def test_bounds_of_other_shapes_are_named() -> None:
    X, y = data(150)
    for bounds, message in (((1.0, 0.0), "leave column 0 no value"), (3.0, "must be a pair")):
        with pytest.raises(ValueError, match=message):
            logistic_path(X, y, [1.0], coef_bounds=bounds)
        with pytest.raises(ValueError, match=message):
            LogisticRegressionCV(Cs=[1.0], l1_ratios=(0.0,), **QUIET).fit(X, y, coef_bounds=bounds)
