"""Models between two penalties are proven from those, and what is proven of them is true."""

import warnings

import numpy as np
import pytest
from problems import grid_of, objective_of, problem

import fastlogit
from fastlogit import reference
from fastlogit.certificates.shared import SharedCertificate
from fastlogit.clock import TimeUp
from fastlogit.solvers import choice, warm_starts
from fastlogit.solvers.between import models_between
from fastlogit.solvers.preconditioner import SharedHessians, bases_of
from fastlogit.solvers.trace import Reason

pytestmark = [pytest.mark.jit, pytest.mark.usefixtures("the_general_way")]

CS = np.array([1e-3, 1.0, 100.0, 1e-1, 1e4, 10.0])


def many_rows(n_samples: int = 4_000) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(8)
    X = rng.normal(size=(n_samples, 6)) @ rng.normal(size=(6, 6))
    y = (X[:, 0] - 0.3 * X[:, 1] + rng.logistic(size=n_samples) > 0.4).astype(int)
    return X, y


def halves(n_samples: int) -> np.ndarray:
    order = np.random.default_rng(0).permutation(n_samples) % 2
    return (order != np.arange(2)[:, None]).astype(float)


@pytest.fixture
def proven(monkeypatch) -> list[np.ndarray]:
    """Which models between others were proven by them, call by call."""
    found, prove = [], warm_starts.prove_between

    def prove_and_keep(objective, between, point, rule):
        prove(objective, between, point, rule)
        found.append(rule.met[between.models])

    monkeypatch.setattr(warm_starts, "prove_between", prove_and_keep)
    return found


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_what_is_proven_is_true(fit_intercept, proven) -> None:
    X, y = many_rows()
    factor, folds = np.array([1.0, 2.0, 1.0, 0.5, 1.0, 0.0]), halves(len(y))
    grid = grid_of(
        X, y, CS, fold_weights=folds, penalty_factor=factor, fit_intercept=fit_intercept, tol=1e-8
    )
    assert grid.converged.all()
    assert proven[0].any()
    intercept = "fit" if fit_intercept else None
    for fold, index in np.ndindex(2, len(CS)):
        own, l2_reg = folds[fold], factor / (CS[index] * folds[fold].sum())
        best = fastlogit.fit(
            X, y, C=CS[index], sample_weight=own, penalty_factor=factor, intercept=intercept,
            tol=1e-13,
        )  # fmt: skip
        points = (grid.coef[fold, index, 0], grid.intercept[fold, index, 0]), (
            best.coef, best.intercept,
        )  # fmt: skip
        cost, least = (reference.cost(X, y, *point, l2_reg, own) for point in points)
        assert cost <= least * (1.0 + grid.suboptimality[fold, index]) + 1e-15
    # Each has coefficients of its own.
    assert len(np.unique(grid.coef[0, :, 0, 0])) == len(CS)
    assert (grid.n_iter > 0).all()


def test_far_penalties_are_solved(proven) -> None:
    """Where the course of the optimum is no line nothing false is said, and all is solved."""
    X, y = many_rows(600)
    Cs = np.array([100.0, 1.0, 1e-2, 3e-3])
    grid = grid_of(X, y, Cs, fold_weights=halves(len(y)), tol=1e-13)
    assert grid.converged.all()
    for index, C in enumerate(Cs):
        best = fastlogit.fit(X, y, C=C, sample_weight=halves(len(y))[1], tol=1e-13)
        np.testing.assert_allclose(grid.coef[1, index, 0], best.coef, rtol=1e-4, atol=1e-6)


def test_between_are_models_of_the_same_rows_and_leader() -> None:
    X, y, *_, weight = problem(60, 3)
    sets = np.array([weight, weight[::-1], weight[::-1]])
    l2_reg = np.array([0.1, 0.4, 0.2, 0.3, 0.9, 0.5, 0.1, 0.1])
    objective = objective_of(
        X, y, sets, np.repeat(l2_reg[:, None], 3, axis=1), positive=[1] * 8,
        weight_set=[0, 0, 0, 0, 1, 1, 1, 2],
    )  # fmt: skip
    found = models_between(objective, np.array([0, 0, 0, 0, 4, 4, 6, 4]))
    np.testing.assert_array_equal(found.models, [2, 3])
    np.testing.assert_array_equal(found.first, [0, 0])
    np.testing.assert_array_equal(found.last, [1, 1])
    np.testing.assert_allclose(found.share, [1.0 / 3.0, 2.0 / 3.0])


@pytest.mark.parametrize("size", [0.01, 1.0, 4.0])
def test_what_a_gradient_between_may_lack(size, rng) -> None:
    """Along no direction more than its longest row times the bound."""
    X, y, *_ = problem(300, 4)
    objective = objective_of(X, y, positive=[1])
    certificate = SharedCertificate(objective)
    first = rng.normal(size=(1, 5))
    last = first + size * rng.normal(size=(1, 5))
    ends = [objective.at(theta).gradient[0] for theta in (first, last)]
    step = last - first
    bend = np.einsum("ij,j->i", step, ends[1] - ends[0])
    rows = np.column_stack([X, np.ones(len(X))])
    for share in (0.1, 0.5, 0.8):
        exact = objective.at(first + share * step).gradient[0]
        lacks = exact - (1.0 - share) * ends[0] - share * ends[1]
        bound = 0.5 * share * (1.0 - share) * certificate.spread(step, bend, np.ones(1))[0]
        for direction in [lacks, *rng.normal(size=(20, 5))]:
            assert abs(direction @ lacks) <= bound * np.abs(rows @ direction).max()
    assert certificate.largest_row == pytest.approx(np.square(rows).sum(axis=1).max())


def test_a_few_rows_say_how_hessians_differ() -> None:
    """Bases are made of all rows; what is near one is it and what a few rows say it has besides."""
    X, y = many_rows(2_000)
    l2_reg = np.array([1.0, 0.1, 1e-3, 1e-4, 0.0])
    objective = objective_of(X, y, l2_reg=np.repeat(l2_reg[:, None], 6, axis=1), positive=[1] * 5)
    theta = np.array([
        [*fastlogit.fit(X, y, l2_reg=l2).coef, 0.0] for l2 in l2_reg
    ])  # fmt: skip
    everyone = np.arange(5)
    bases = bases_of(objective, theta, everyone)
    assert bases[4] == bases[3] == bases[2] == 4
    vectors = np.random.default_rng(0).normal(size=(5, 7))
    exact = SharedHessians(objective, theta, everyone).solve(everyone, vectors)
    by_few = SharedHessians(objective, theta, everyone, objective).solve(everyone, vectors)
    np.testing.assert_allclose(by_few, exact, rtol=1e-9)
    some = SharedHessians(objective, theta, everyone, objective.subsample(4))
    np.testing.assert_allclose(some.solve(everyone, vectors), exact, rtol=0.1, atol=0.1)


@pytest.mark.parametrize("end", [TimeUp, KeyboardInterrupt])
def test_what_ends_it_later_leaves_proofs_with_their_points(end, monkeypatch) -> None:
    """A limit between the first models and the rest once gave the start with the proofs of more."""

    def late(*args) -> None:
        raise end

    X, y = many_rows()
    Cs, folds = CS, halves(len(y))
    monkeypatch.setattr(warm_starts, "prove_between", late)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            grid = grid_of(X, y, Cs, fold_weights=folds, tol=1e-13)
    except KeyboardInterrupt as interrupt:
        grid = interrupt.result
    assert 0 < grid.converged.sum() < grid.converged.size
    for fold, index in zip(*np.nonzero(grid.converged), strict=True):
        best = fastlogit.fit(X, y, C=Cs[index], sample_weight=folds[fold], tol=1e-13)
        np.testing.assert_allclose(grid.coef[fold, index, 0], best.coef, rtol=1e-5, atol=1e-7)


def test_a_limit_between_two_methods_keeps_the_point(monkeypatch) -> None:
    climb = choice.climb_by_products

    def to_rounding(*args):
        point, _ = climb(*args)
        args[2].forget()
        return point, Reason.ROUNDING

    def late(*args) -> None:
        raise TimeUp

    monkeypatch.setattr(choice, "climb_by_products", to_rounding)
    monkeypatch.setattr(choice, "_finish_by_newton", late)
    X, y = many_rows()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = fastlogit.fit(X, y, C=1.0, solver="newton-cg")
    monkeypatch.undo()
    assert np.isinf(found.suboptimality)
    np.testing.assert_allclose(found.coef, fastlogit.fit(X, y, C=1.0).coef, rtol=1e-4)
