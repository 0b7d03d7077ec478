"""The bound bounds: against the oracle's optimum, near and far, of both kinds, all strides."""

import mpmath
import numpy as np
import pytest
from problems import objective_of, problem, sized, three_classes

from fastlogit import reference
from fastlogit.certificates.binomial import Certificate, PenaltyCertificate, gain_bound
from fastlogit.solvers.stopping import StoppingRule

ROWS = sized(260, 90)


def exact_gain(decrement, radius):
    """(tau + (1 - tau) log(1 - tau)) / R^2 in 60 digits."""
    with mpmath.workdps(60):
        d, r = mpmath.mpf(float(decrement)), mpmath.mpf(float(radius))
        tau = d * r
        return float((tau + (1 - tau) * mpmath.log(1 - tau)) / r**2)


@pytest.mark.parametrize("radius", [1e-3, 1.0, 30.0, 1e5])
@pytest.mark.parametrize(
    "tau", [1e-12, 1e-7, 1e-3, 0.0199999, 0.02, 0.0200001, 0.1, 0.5, 0.9, 0.999999]
)
def test_the_formula_of_the_gain(tau, radius) -> None:
    decrement = tau / radius
    found, exact = float(gain_bound(decrement, radius)), exact_gain(decrement, radius)
    assert found == pytest.approx(exact, rel=2e-8)
    assert found >= exact * (1.0 - 1e-11)
    assert found >= 0.5 * decrement**2 * (1.0 - 1e-11)


def test_the_ends_of_the_gain() -> None:
    assert gain_bound(1.0, 1.0) == np.inf
    assert gain_bound(3.0, 1.0) == np.inf
    assert gain_bound(0.0, 5.0) == 0.0
    assert gain_bound(2.0, 0.0) == pytest.approx(2.0)
    assert [gain_bound(d, 1.0) for d in (0.0, 2.0, np.nan)] == [0.0, np.inf, np.inf]


def points(optimum, rng):
    """Points from very near the optimum to far off."""
    for size in (0.0, 1e-6, 1e-3, 0.03, 0.3, 1.0, 3.0):
        for _ in range(3):
            yield size, optimum + size * rng.standard_normal(optimum.size)


def theta_of(objective, coef, intercept):
    return np.column_stack(objective.from_user(coef[None, :], np.array([intercept])))[0]


CASES = [
    (l2_reg, held, stride, weighted)
    for l2_reg in (0.0, 1e-3, 0.3)
    for held in (None, 0.5)
    for stride in (1, 3, 7)
    for weighted in (False, True)
]


@pytest.mark.parametrize(("l2_reg", "held", "stride", "weighted"), CASES)
def test_it_bounds_what_a_point_lacks(l2_reg, held, stride, weighted) -> None:
    X, y, _, _, weight = problem(ROWS, 4)
    X = X * [1.0, 100.0, 0.1, 1.0] + [0.0, 0.0, 3.0, -1.0]
    weight = weight if weighted else None
    objective = objective_of(X, y, weight, l2_reg, fit_intercept=held is None)
    objective.standardize()
    coef, intercept, lowest = reference.newton(X, y, l2_reg, weight, intercept=held)
    optimum = theta_of(objective, coef, intercept)
    rng = np.random.default_rng(3)
    for size, theta in points(optimum, rng):
        if held is not None:
            theta[-1] = optimum[-1]
        found = objective.at(theta[None, :])
        lacks = found.cost[0] - lowest
        bound = Certificate(objective, stride).bound(0, theta, found.gradient[0])
        assert bound >= lacks - 1e-14
        if size <= 1e-3:
            # Near the optimum within a factor of the truth: the rows of the subsample alone bend M.
            assert bound <= 10.0 * stride * max(lacks, 1e-14)


@pytest.mark.parametrize("held", [None, 0.5])
@pytest.mark.parametrize("l2_reg", [0.02, 0.3, np.array([1e-2, 1.0, 0.3, 5.0])])
def test_the_bound_without_a_matrix(l2_reg, held, monkeypatch) -> None:
    monkeypatch.setattr("fastlogit.certificates.binomial.MAX_GRAM", 0)
    X, y, _, _, weight = problem(ROWS, 4)
    objective = objective_of(X, y, weight, l2_reg, fit_intercept=held is None)
    objective.standardize()
    coef, intercept, lowest = reference.newton(X, y, l2_reg, weight, intercept=held)
    optimum = theta_of(objective, coef, intercept)
    rng = np.random.default_rng(4)
    finite = 0
    for _, theta in points(optimum, rng):
        if held is not None:
            theta[-1] = optimum[-1]
        found = objective.at(theta[None, :])
        bound = Certificate(objective, 1).bound(0, theta, found.gradient[0])
        assert bound >= found.cost[0] - lowest - 1e-14
        finite += np.isfinite(bound)
    assert finite >= 9
    if held is not None:
        assert finite == 21


def test_without_a_penalty_and_without_a_matrix_nothing_is_proven(monkeypatch) -> None:
    monkeypatch.setattr("fastlogit.certificates.binomial.MAX_GRAM", 0)
    X, y = problem(60, 3)[:2]
    for l2_reg in (0.0, np.array([0.0, 1.0, 1.0])):
        objective = objective_of(X, y, l2_reg=l2_reg)
        found = objective.at(np.zeros((1, 4)))
        bound = Certificate(objective).bound(0, np.zeros(4), found.gradient[0])
        assert bound == np.inf


@pytest.mark.parametrize("stride", [1, 4])
def test_a_matrix_made_nearby_serves_and_still_bounds(stride) -> None:
    X, y = problem(ROWS, 4)[:2]
    objective = objective_of(X, y)
    coef, intercept, lowest = reference.newton(X, y)
    optimum = np.append(coef, intercept)
    rng = np.random.default_rng(5)
    for _ in range(sized(60, 15)):
        there = optimum + 0.04 * rng.standard_normal(5)
        here = optimum + rng.uniform(-1.5, 2.0) * (there - optimum)
        certificate = Certificate(objective, stride)
        made = certificate.hessians.at(0, there, certificate.sampled.curvature(there[None, :])[0])
        found = objective.at(here[None, :])
        for wanted in (0.0, 1e-3, 1.0):
            bound = certificate.bound(0, here, found.gradient[0], wanted)
            assert bound >= found.cost[0] - lowest - 1e-14
        assert certificate.hessians.last(0) is made


def test_a_matrix_made_far_away_is_made_anew() -> None:
    X, y = problem(ROWS, 4)[:2]
    objective = objective_of(X, y)
    coef, intercept, lowest = reference.newton(X, y)
    optimum, certificate = np.append(coef, intercept), Certificate(objective)
    far = optimum + 3.0
    made = certificate.hessians.at(0, far, objective.curvature(far[None, :])[0])
    found = objective.at(optimum[None, :])
    assert certificate.bound(0, optimum, found.gradient[0], at_once=True) == np.inf
    assert certificate.bound(0, optimum, found.gradient[0]) >= found.cost[0] - lowest - 1e-15
    assert certificate.hessians.last(0) is not made


@pytest.mark.parametrize("l2_reg", [0.0, 0.01])
def test_columns_that_repeat_or_do_not_vary(l2_reg) -> None:
    X, y = problem(ROWS, 4)[:2]
    X = np.round(X * 1024.0) / 1024.0  # sums and differences are exact
    X = np.column_stack([X, X[:, 1], np.full(ROWS, 7.0), X[:, 0] - X[:, 2]])
    objective = objective_of(X, y, l2_reg=l2_reg)
    objective.standardize()
    coef, intercept, lowest = reference.newton(X, y, l2_reg)
    optimum = theta_of(objective, coef, intercept)
    for size, theta in points(optimum, np.random.default_rng(6)):
        found = objective.at(theta[None, :])
        bound = Certificate(objective).bound(0, theta, found.gradient[0])
        assert bound >= found.cost[0] - lowest - 1e-14
        if size <= 1e-3:
            assert np.isfinite(bound)


def test_each_model_has_its_own_bound() -> None:
    X, codes = three_classes(90, 4)
    objective = objective_of(X, codes, l2_reg=0.1, positive=(0, 1, 2))
    parts = [reference.newton(X, codes == model, 0.1) for model in range(3)]
    theta = np.array([[*coef, intercept] for coef, intercept, _ in parts])
    theta += np.random.default_rng(0).standard_normal((3, 5)) * 0.03
    found = objective.at(theta)
    certificate = Certificate(objective)
    for model in range(3):
        lacks = found.cost[model] - parts[model][2]
        bound = certificate.bound(model, theta[model], found.gradient[model])
        assert lacks <= bound <= 10.0 * lacks


def test_an_offset_counts() -> None:
    X, y = problem(ROWS, 3)[:2]
    offset = 2.0 * X[:, 0] - 1.0
    objective = objective_of(X, y, offset=offset)
    coef, intercept, lowest = reference.newton(X, y, offset=offset)
    optimum = np.append(coef, intercept)
    for size, theta in points(optimum, np.random.default_rng(7)):
        found = objective.at(theta[None, :])
        bound = Certificate(objective, 2).bound(0, theta, found.gradient[0])
        assert bound >= found.cost[0] - lowest - 1e-14
        assert size > 1e-3 or bound <= 20.0 * max(found.cost[0] - lowest, 1e-14)


def test_row_curvatures_that_are_known_save_a_pass() -> None:
    X, y, *_ = problem(ROWS, 4)
    objective = objective_of(X, y, None, 0.3)
    objective.standardize()
    coef, intercept, _ = reference.newton(X, y, 0.3)
    theta = theta_of(objective, coef, intercept)[None, :]
    curvature = objective.rows.empty_curvature(1)
    found = objective.at(theta, curvature)

    def price(*steps: str) -> tuple[float, float]:
        certificate = PenaltyCertificate(objective)
        if "know" in steps:
            certificate.know(theta, curvature)
        if "leave" in steps:
            StoppingRule(1e-8, 1, certificate).leave()
        before = objective.design.n_passes
        bound = certificate.bound(0, theta[0], found.gradient[0], cost=found.cost[0])
        return bound, objective.design.n_passes - before

    bound, passes = price()
    assert price("know") == (bound, passes - 1.0)
    # The solver overwrites them.
    assert price("know", "leave") == (bound, passes)


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("constant", [False, True])
def test_each_radius_is_above_that_of_every_row(fit_intercept, constant) -> None:
    rng = np.random.default_rng(5)
    n_samples, n_features = sized(900, 60), sized(40, 6)
    X = rng.normal(size=(n_samples, n_features)) + rng.normal(size=(n_samples, 1))
    X[:, 0] = 7.0 if constant else X[:, 0]
    y = (X[:, 1] + rng.logistic(size=n_samples) > 0.0).astype(int)
    objective = objective_of(X, y, None, 1e-3, fit_intercept=fit_intercept)
    objective.standardize()
    known = Certificate(objective)._reference_at(0, np.zeros(n_features + 1))
    known.radius = np.inf  # what curvatures say of 900 rows, 60, is near enough already
    radii = [known.radius]
    for tighten in (known._tighten_cheaply, known._tighten_by_scales, known._tighten):
        tighten()
        radii.append(known.radius)
    center, factor = objective.design.columns
    varies = factor > 0.0
    rows = np.column_stack([(X - center) * factor, np.ones(n_samples)])
    penalty = np.append(1e-3 * factor**2 + ~varies, 1.0 - fit_intercept)
    rows[:, -1] *= fit_intercept
    inverse = np.linalg.inv(0.25 * rows.T @ rows / n_samples + np.diag(penalty))
    exact = np.sqrt(np.einsum("ij,jk,ik->i", rows, inverse, rows).max())
    assert radii[3] == pytest.approx(exact, rel=1e-9)
    assert radii == sorted(radii, reverse=True)
    assert radii[2] < sized(10, 5) * exact
    assert radii[1] > sized(3, 1) * radii[2]  # correlated columns, of which the trace says little
