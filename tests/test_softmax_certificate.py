"""The bounds of softmax bound: against the oracle's optimum, near and far, of all three kinds."""

import numpy as np
import pytest
from problems import objective_over, problem, readonly, real, sized, softmax_of, three_classes

import fastlogit
from fastlogit import reference
from fastlogit.certificates import softmax as softmax_certificate
from fastlogit.certificates.softmax import SoftmaxCertificate
from fastlogit.design.dense import DenseDesign
from fastlogit.objective.multinomial import Multinomial

ROWS = sized(150, 60)
# What is lacking and its bound are both rounded.
SLACK = 1e-14
# Points of each distance from the optimum; those of the two nearest must have a bound.
REPEATS = sized(3, 1)


def standardised(X, codes, weight=None, l2_reg=0.0, n_classes=3, **options):
    objective = softmax_of(X, codes, weight, l2_reg, n_classes, **options)
    objective.standardize()
    return objective


def theta_of(objective, coef, intercept):
    return objective.join(*objective.from_user(coef.T, intercept))[0]


def points(optimum, objective, rng):
    """Points from very near the optimum to far off, whose classes sum to zero as in fits."""
    for size in (0.0, 1e-6, 1e-3, 0.03, 0.3, 1.0, 3.0):
        for _ in range(REPEATS):
            change = size * objective.loss.centred(rng.standard_normal((1, optimum.size)))[0]
            if not objective.fit_intercept:
                change.reshape(objective.n_classes, -1)[:, -1] = 0.0
            yield size, optimum + change


def check(objective, optimum, lowest, rng, near=10.0, slack=SLACK):
    """Compare bounds with what points lack; return how many are finite."""
    finite = 0
    for size, theta in points(optimum, objective, rng):
        found = objective.at(theta[None])
        lacks = found.cost[0] - lowest
        bound = SoftmaxCertificate(objective).bound(0, theta, found.gradient[0])
        assert bound >= lacks - slack
        finite += np.isfinite(bound)
        if size <= 1e-6 and near is not None:
            assert bound <= near * max(lacks, slack)
    return finite


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("l2_reg", [0.0, 1e-3, 0.3, 30.0])
@pytest.mark.parametrize("small", [700, 0])
def test_it_bounds_what_a_point_lacks(small, l2_reg, fit_intercept, weighted, monkeypatch) -> None:
    monkeypatch.setattr(softmax_certificate, "SMALL", small)
    X, codes = three_classes(ROWS, 4)
    X = X * [1.0, 100.0, 0.1, 1.0] + [0.0, 0.0, 3.0, -1.0]
    weight = np.arange(ROWS) % 4 * 1.0 if weighted else None
    objective = standardised(X, codes, weight, l2_reg, fit_intercept=fit_intercept)
    coef, intercept, lowest = reference.multinomial_newton(
        X, codes, 3, l2_reg, weight, fit_intercept=fit_intercept
    )
    optimum = theta_of(objective, coef, intercept)
    proves = small > 0 or l2_reg > 0.0
    finite = check(objective, optimum, lowest, np.random.default_rng(3), 10.0 if proves else None)
    assert finite >= 2 * REPEATS if proves else finite == 0


@pytest.mark.parametrize("small", [700, 0])
@pytest.mark.parametrize("strengths", [[1e-2, 1.0, 0.3, 5.0], [0.0, 1.0, 0.3, 5.0]])
def test_strengths_of_columns(strengths, small, monkeypatch) -> None:
    monkeypatch.setattr(softmax_certificate, "SMALL", small)
    X, codes = three_classes(ROWS, 4)
    objective = standardised(X, codes, None, np.array(strengths))
    coef, intercept, lowest = reference.multinomial_newton(X, codes, 3, np.array(strengths))
    optimum = theta_of(objective, coef, intercept)
    proves = small > 0 or strengths[0] > 0.0
    finite = check(objective, optimum, lowest, np.random.default_rng(4), 10.0 if proves else None)
    assert finite >= 2 * REPEATS if proves else finite == 0


@pytest.mark.parametrize("small", [700, 0])
def test_an_offset_counts(small, monkeypatch) -> None:
    monkeypatch.setattr(softmax_certificate, "SMALL", small)
    X, codes = three_classes(ROWS, 4)
    offset = 2.0 * np.random.default_rng(5).standard_normal((ROWS, 3))
    fixed = readonly(np.ascontiguousarray(offset.T))
    objective = standardised(X, codes, None, 0.1, offset=fixed)
    coef, intercept, lowest = reference.multinomial_newton(X, codes, 3, 0.1, None, offset)
    optimum = theta_of(objective, coef, intercept)
    assert check(objective, optimum, lowest, np.random.default_rng(7)) >= 2 * REPEATS


@pytest.mark.parametrize("l2_reg", [0.0, 0.01])
def test_columns_that_repeat_or_do_not_vary(l2_reg) -> None:
    X, codes = three_classes(ROWS, 3)
    X = np.round(X * 1024.0) / 1024.0  # sums and differences are exact
    X = np.column_stack([X, X[:, 1], np.full(ROWS, 7.0), X[:, 0] - X[:, 2]])
    objective = standardised(X, codes, None, l2_reg)
    coef, intercept, lowest = reference.multinomial_newton(X, codes, 3, l2_reg)
    optimum = theta_of(objective, coef, intercept)
    assert check(objective, optimum, lowest, np.random.default_rng(6)) >= 2 * REPEATS


@pytest.mark.parametrize("l2_reg", [0.0, 1e-9])
def test_columns_that_nearly_repeat(l2_reg) -> None:
    """What a flat direction may gain is either counted, or nothing is proven."""
    X, codes = three_classes(ROWS, 3)
    rng = np.random.default_rng(0)
    for closeness in (1e-4, 1e-5, 1e-6):
        close = np.column_stack([X, X[:, 0] + closeness * rng.standard_normal(ROWS)])
        objective = standardised(close, codes, None, l2_reg)
        coef, intercept, lowest = reference.multinomial_newton(close, codes, 3, l2_reg)
        optimum = theta_of(objective, coef, intercept)
        # Coefficients of up to 1e6 cancel: so much of the cost is rounding.
        slack = SLACK + 1e-16 * np.abs(optimum).max()
        check(objective, optimum, lowest, rng, None, slack)
        # Off along the flat direction alone: the gradient is small, what is lacking is not.
        flat = np.outer([1.0, -1.0, 0.0], [1.0, 0.0, 0.0, -1.0, 0.0]).ravel()
        for step in (1e-2, 1.0, 100.0):
            theta = optimum + step * flat
            found = objective.at(theta[None])
            bound = SoftmaxCertificate(objective).bound(0, theta, found.gradient[0])
            assert bound >= found.cost[0] - lowest - slack


@pytest.mark.parametrize("name", ["iris", pytest.param("wine", marks=pytest.mark.jit)])
@pytest.mark.parametrize("l2_reg", [1e-4, 0.01])
@pytest.mark.parametrize("small", [700, 0])
def test_real_data(small, l2_reg, name, monkeypatch) -> None:
    monkeypatch.setattr(softmax_certificate, "SMALL", small)
    X, codes = real(name)
    weight = 1.0 + np.arange(len(X)) % 2
    objective = standardised(X, codes, weight, l2_reg)
    coef, intercept, lowest = reference.multinomial_newton(X, codes, 3, l2_reg, weight)
    optimum = theta_of(objective, coef, intercept)
    assert check(objective, optimum, lowest, np.random.default_rng(1), 30.0) >= 2 * REPEATS


@pytest.mark.jit
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("l2_reg", [1e-3, 0.1])
def test_more_parameters_than_a_matrix_is_made_for(l2_reg, fit_intercept) -> None:
    X, codes = three_classes(300, 240)
    best = fastlogit.fit(
        X, codes, multi_class="multinomial", l2_reg=l2_reg, tol=1e-15,
        intercept="fit" if fit_intercept else None,
    )  # fmt: skip
    lowest, *slopes = reference.multinomial_cost_gradient(
        X, codes, best.coef, best.intercept, l2_reg
    )
    # Half the squared norm over the strength is a bound without any theory of ours.
    assert np.square(slopes[0]).sum() < 1e-17
    assert not fit_intercept or np.abs(slopes[1]).max() < 1e-10
    objective = standardised(X, codes, None, l2_reg, fit_intercept=fit_intercept)
    optimum = theta_of(objective, best.coef, best.intercept)
    assert optimum.size > softmax_certificate.SMALL
    objective.rows.hessian = pytest.fail  # the form of it that is large
    assert check(objective, optimum, lowest, np.random.default_rng(2)) >= 2 * REPEATS


def test_without_a_penalty_and_without_a_matrix_nothing_is_proven(monkeypatch) -> None:
    monkeypatch.setattr(softmax_certificate, "SMALL", 0)
    X, codes = three_classes(ROWS, 3)
    for l2_reg in (0.0, np.array([0.0, 1.0, 1.0])):
        objective = standardised(X, codes, None, l2_reg)
        theta = objective.loss.share_logits(objective.rows)
        certificate = SoftmaxCertificate(objective)
        assert certificate.bound(0, theta[0], objective.at(theta).gradient[0]) == np.inf


@pytest.mark.parametrize("small", [700, 0])
def test_it_stops_looking_once_the_bound_is_what_is_wanted(small, monkeypatch) -> None:
    monkeypatch.setattr(softmax_certificate, "SMALL", small)
    X, codes = three_classes(ROWS, 4)
    objective = standardised(X, codes, None, 0.2)
    coef, intercept, lowest = reference.multinomial_newton(X, codes, 3, 0.2)
    theta = theta_of(objective, coef, intercept)
    theta = theta + 1e-4 * np.random.default_rng(0).standard_normal(theta.shape)
    found = objective.at(theta[None])
    lacks = found.cost[0] - lowest

    def looked(wanted):
        certificate, before = SoftmaxCertificate(objective), objective.design.n_passes
        bound = certificate.bound(0, theta, found.gradient[0], wanted)
        return bound, objective.design.n_passes - before

    tight, most = looked(0.0)
    easy, passes = looked(1e3 * lacks)
    assert lacks - SLACK <= tight <= easy <= 1e3 * lacks
    assert passes < most
    # What cannot be proven is not said to be.
    assert looked(0.1 * lacks)[0] >= lacks - SLACK


def test_a_hessian_that_is_there_serves_points_nearby() -> None:
    X, codes = three_classes(ROWS, 4)
    objective = standardised(X, codes)
    coef, intercept, lowest = reference.multinomial_newton(X, codes, 3)
    optimum = theta_of(objective, coef, intercept)
    rng = np.random.default_rng(0)
    certificate = SoftmaxCertificate(objective)
    made = certificate.hessians.at(0, optimum, objective.curvature(optimum[None])[0])
    hessian = objective.rows.hessian(objective.curvature(optimum[None])[0], 0)
    side = objective.loss.centred(rng.standard_normal((1, optimum.size)))[0]
    np.testing.assert_allclose(hessian @ made.solve(side), side, atol=1e-12)
    for size in (0.0, 1e-6, 1e-4):
        theta = optimum + size * rng.standard_normal(optimum.shape)
        found = objective.at(theta[None])
        bound = certificate.bound(0, theta, found.gradient[0], at_once=True)
        assert bound >= found.cost[0] - lowest - SLACK
        assert bound <= 10.0 * max(found.cost[0] - lowest, SLACK)
        assert certificate.hessians.last(0) is made
    # From far off it says nothing, and another one is made only where there is time.
    theta = optimum + 3.0 * rng.standard_normal(optimum.shape)
    found = objective.at(theta[None])
    assert certificate.bound(0, theta, found.gradient[0], at_once=True) == np.inf
    assert certificate.bound(0, theta, found.gradient[0]) >= found.cost[0] - lowest
    assert certificate.hessians.last(0) is not made


def test_at_once_without_a_hessian_says_nothing() -> None:
    X, codes = three_classes(ROWS, 3)
    objective = standardised(X, codes, None, 0.1)
    theta = objective.loss.share_logits(objective.rows)
    before = objective.design.n_passes
    certificate = SoftmaxCertificate(objective)
    assert certificate.bound(0, theta[0], np.ones(12), at_once=True) == np.inf
    assert objective.design.n_passes == before


@pytest.mark.parametrize("small", [700, 0])
def test_each_model_has_its_own_bound(small, monkeypatch) -> None:
    monkeypatch.setattr(softmax_certificate, "SMALL", small)
    X, codes = three_classes(ROWS, 3)
    weights = np.stack([np.ones(ROWS), problem(ROWS, 3).weight])
    strengths = [0.05, 0.5]
    objective = objective_over(
        DenseDesign(X), Multinomial(3), readonly(codes.astype(np.uint8)), [0, 1, 2] * 2,
        readonly(weights),
        np.repeat([[0.05] * 3, [0.5] * 3], 3, axis=0), weight_set=[0, 0, 0, 1, 1, 1],
    )  # fmt: skip
    rng = np.random.default_rng(0)
    optima, lowest = [], []
    for model in range(2):
        coef, intercept, cost = reference.multinomial_newton(
            X, codes, 3, strengths[model], weights[model]
        )
        optima.append(np.column_stack([coef.T, intercept]).ravel())
        lowest.append(cost)
    certificate = SoftmaxCertificate(objective)
    for size in (1e-5, 1e-3):
        theta = np.array(optima) + size * objective.loss.centred(rng.standard_normal((2, 12)))
        found = objective.at(theta)
        for model in (1, 0):
            lacks = found.cost[model] - lowest[model]
            bound = certificate.bound(model, theta[model], found.gradient[model])
            assert lacks - SLACK <= bound <= 10.0 * lacks


def test_hessians_of_the_subsample_precondition() -> None:
    X, codes = three_classes(ROWS, 3)
    objective = standardised(X, codes, None, 0.1)
    certificate = SoftmaxCertificate(objective, 3)
    theta = objective.loss.share_logits(objective.rows)[0]
    assert certificate.sampled.design.shape[0] == len(X[::3])
    curvature = certificate.sampled.curvature(theta[None])[0]
    found = certificate.hessians.blocks(0, theta, curvature)
    np.testing.assert_array_equal(found, certificate.sampled.rows.class_hessians(curvature, 0))
