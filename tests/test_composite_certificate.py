"""Bounds of points under L1: never below the truth, and of second order in what is missing."""

import mpmath
import numpy as np
import pytest
from exact import DIGITS, ExactProblem, numbers
from problems import elastic_net_of, problem, sized

from fastlogit import reference
from fastlogit.certificates.binomial import Place
from fastlogit.certificates.composite import CompositeCertificate, LevelDirections, dual_gain
from fastlogit.objective.working_set import WorkingSet

pytestmark = pytest.mark.jit


def point_of(objective, coef, intercept):
    """The standardised point of coefficients in the units of X, its cost and smooth gradient."""
    theta = objective.join(*objective.from_user(coef[None], np.array([intercept])))
    found = objective.at(theta)
    return theta[0], found.gradient[0], float(found.cost[0])


def quietly():
    """As the stopping rule asks: where numbers overflow a bound is infinite."""
    return np.errstate(over="ignore", invalid="ignore", divide="ignore")


def bound_at(objective, coef, intercept, wanted=0.0):
    theta, gradient, cost = point_of(objective, coef, intercept)
    with quietly():
        return CompositeCertificate(objective).bound(0, theta, gradient, wanted, cost=cost)


def test_the_formula_of_the_bound() -> None:
    assert dual_gain(0.1, 0.1) == pytest.approx(0.005 / 0.9)
    assert dual_gain(0.1, 0.1, 2.0) == pytest.approx(0.01 / 0.8)
    assert dual_gain(0.1, 1.0) == np.inf
    assert dual_gain(0.0, np.inf) == np.inf
    assert dual_gain(np.nan, 0.1) == np.inf
    assert dual_gain(0.1, np.nan) == np.inf


def face_at(seed, size):
    """A face of a random problem, its Hessian and slopes in digits, and rows in the same units."""
    _, X, y, weight, l1, l2 = one_problem(seed)
    coef, intercept, _ = reference.elastic_net(X, y, l1, l2, weight)
    objective = elastic_net_of(X, y, l1, l2, weight)
    theta, gradient, cost = point_of(objective, coef * (1.0 + size), intercept + size)
    certificate = CompositeCertificate(objective)
    columns = np.flatnonzero(coef)
    face = certificate._face(0, objective, Place(theta, gradient, cost), columns)
    center, scale = (numbers(part[columns]) for part in objective.design.columns)
    rows = np.column_stack([(numbers(X[:, columns]) - center) * scale, numbers(np.ones(len(X)))])
    return face, rows, objective


@pytest.mark.parametrize("seed", range(12))
def test_the_reach_of_the_step_is_not_below_that_of_the_exact_one(seed) -> None:
    for size in (1e-4, 1e-7):
        with mpmath.workdps(DIGITS):
            face, rows, objective = face_at(seed, size)
            curvature = face._working.curvature.values[0]
            shares = numbers(curvature) / numbers(objective.rows.total_weight)[0]
            matrix = (rows.T * shares) @ rows
            l2 = objective.penalty.diagonal()[0][face._working.columns[face._places[:-1]]]
            matrix[range(len(l2)), range(len(l2))] += numbers(l2)
            step = mpmath.lu_solve(
                mpmath.matrix(matrix.tolist()), mpmath.matrix(numbers(face._slopes))
            )
            raw = np.abs(rows @ np.array(list(step), dtype=object))[curvature > 0.0]
            reach = face._reach(0.0)
            assert raw.max() <= reach or np.isnan(reach)
            if reach < 0.9:
                assert reach <= 1.01 * raw.max() + 1e-4


def test_a_look_at_the_rows_proves_what_their_curvatures_do_not(rng) -> None:
    X, y, *_ = problem(sized(400, 80), 8)
    X[np.argmax(np.abs(X @ reference.elastic_net(X, y, 0.005)[0]))] *= 4.0  # of tiny curvature
    coef, intercept, _ = reference.elastic_net(X, y, 0.005)
    objective = elastic_net_of(X, y, 0.005, 0.0)
    there = coef * (1.0 + 1e-3 * rng.normal(size=8)), intercept
    theta, gradient, cost = point_of(objective, *there)
    certificate = CompositeCertificate(objective)
    face = certificate._face(0, objective, Place(theta, gradient, cost), np.flatnonzero(coef))
    noise = 1e-15
    gain, delta = face.gain(noise, 0.0)
    assert delta * face._radius_by_curvature() > 1.0
    assert 0.5 * delta**2 < gain < 0.51 * delta**2


@pytest.mark.parametrize("l2", [0.0, 0.1])
@pytest.mark.parametrize("weighted", [False, True])
def test_it_is_of_second_order(rng, l2, weighted) -> None:
    X, y, _, _, weight = problem(sized(400, 80), 8)
    weight = weight if weighted else None
    coef, intercept, least = reference.elastic_net(X, y, 0.02, l2, weight)
    assert 0 < np.count_nonzero(coef) < 8
    objective = elastic_net_of(X, y, 0.02, l2, weight)
    way, level = rng.normal(size=8) * (coef != 0.0), 0.3
    for size in (3e-3, 1e-4, 1e-6):
        there = coef + size * way, intercept + size * level
        gap = reference.elastic_net_cost(X, y, *there, 0.02, l2, weight) - least
        bound = bound_at(objective, *there, wanted=1.6 * gap)
        assert gap - 1e-16 <= bound <= 1.6 * gap + 1e-14
    assert bound_at(objective, coef, intercept) < 1e-18


def test_columns_at_the_edge_are_taken_in(rng) -> None:
    X, y, *_ = problem(300, 6)
    coef, intercept, _ = reference.elastic_net(X, y, 0.02)
    slopes = np.abs(reference.cost_gradient(X, y, coef, intercept)[1])
    # The strength of a column that is left out comes down to its slope.
    out = int(np.flatnonzero(coef == 0.0)[0])
    l1 = np.full(6, 0.02)
    for share in (1.0, 1.0 + 1e-9, 1.0 - 1e-9):
        l1[out] = slopes[out] * share
        there = coef + 1e-5 * (coef != 0.0), intercept
        least = reference.elastic_net(X, y, l1)[2]
        gap = reference.elastic_net_cost(X, y, *there, l1) - least
        bound = bound_at(elastic_net_of(X, y, l1, 0.0), *there)
        assert gap - 1e-16 <= bound <= 3.0 * gap


def test_a_column_that_ought_to_have_a_coefficient_is_counted() -> None:
    X, y, *_ = problem(300, 6)
    coef, intercept, least = reference.elastic_net(X, y, 0.01)
    objective = elastic_net_of(X, y, 0.01, 0.0)
    smallest = int(np.argmin(np.where(coef != 0.0, np.abs(coef), np.inf)))
    coef[smallest] = 0.0
    gap = reference.elastic_net_cost(X, y, coef, intercept, 0.01) - least
    assert gap < bound_at(objective, coef, intercept, 3.0 * gap) < 3.0 * gap


def test_far_off_nothing_is_proven_without_l2_and_something_with_it() -> None:
    X, y, *_ = problem(200, 5)
    far = np.full(5, 4.0), -3.0
    assert bound_at(elastic_net_of(X, y, 0.05, 0.0), *far) == np.inf
    objective = elastic_net_of(X, y, 0.05, 0.5)
    near = np.zeros(5), float(reference.logit(y.mean()))
    assert np.isfinite(bound_at(objective, *near))


def test_duplicates_of_columns_that_are_left_out_and_used() -> None:
    X, y, *_ = problem(200, 4)
    coef, intercept, _ = reference.elastic_net(X, y, 0.01)
    twice = np.hstack([X, X[:, [1, 0]]])
    objective = elastic_net_of(twice, y, 0.01, 0.0)
    for share in (1.0, 0.5):
        doubled = np.append(coef, (1.0 - share) * coef[[1, 0]])
        doubled[[1, 0]] *= share
        assert bound_at(objective, doubled, intercept) < 1e-18
    # Another strength of the same column: shifting the coefficient there lowers the cost.
    objective = elastic_net_of(twice, y, np.r_[np.full(4, 0.01), 0.005, 0.01], 0.0)
    assert bound_at(objective, np.append(coef, [0.0, 0.0]), intercept) > 1e-6


@pytest.mark.parametrize("strength", [1e3, 1e16, 1e300])
def test_a_huge_strength_of_one_column_leaves_the_others_their_bound(strength) -> None:
    X, y, *_ = problem(200, 6)
    X[:, 5] *= 1e-12
    coef, intercept, _ = reference.elastic_net(X[:, :5], y, 0.02)
    objective = elastic_net_of(X, y, np.r_[np.full(5, 0.02), strength], 0.0)
    assert bound_at(objective, np.append(coef, 0.0), intercept) < 1e-18
    # Along a column that is held something is lacking still.
    assert bound_at(objective, np.append(coef + 1e-4, 0.0), intercept) > 1e-10


def test_level_directions_ask_l1_too() -> None:
    X, y, *_ = problem(50, 2)
    objective = elastic_net_of(np.hstack([X, X[:, :1]]), y, 0.1, 0.0)
    scale = objective.design.columns.inverse_scale
    direction = np.array([1.0 / scale[0], 0.0, -1.0 / scale[2], 0.0])
    assert LevelDirections(objective, np.array([0.1, 0.1, 0.1])).contains(0, direction)
    assert not LevelDirections(objective, np.array([0.1, 0.1, -0.1])).contains(0, direction)
    assert not LevelDirections(objective, np.array([0.1, 0.1, 0.2])).contains(0, direction)


def test_the_hessian_of_a_working_set_serves(monkeypatch) -> None:
    X, y, *_ = problem(100, 10)
    coef, intercept, _ = reference.elastic_net(X, y, 0.02)
    objective = elastic_net_of(X, y, 0.02, 0.0)
    theta, gradient, cost = point_of(objective, coef, intercept)
    working = WorkingSet(objective, np.arange(10))
    working.look(working.take(theta), working.part.curvature(working.take(theta)[None]))
    certificate = CompositeCertificate(objective)
    certificate.take_working_set(0, working)
    plain = CompositeCertificate(objective).bound(0, theta, gradient, cost=cost)
    monkeypatch.setattr(WorkingSet, "look", None)
    assert certificate.bound(0, theta, gradient, cost=cost) == pytest.approx(plain, rel=0.1)
    assert certificate.bound(0, theta + 1e-3, gradient, 0.0, True, cost) == np.inf


def optimum_in_digits(X, y, coef, intercept, l1, l2, weight, at_bound=None):
    """The least cost at 60 digits over the columns and signs that float64 found, and its proof.

    Of the smooth cost plus ``l1 * sign(coef) * coef`` over those columns; `at_bound` says which
    coefficients stay where they are.
    """
    at_bound = np.zeros(coef.size, bool) if at_bound is None else at_bound
    used = np.flatnonzero((coef != 0.0) & ~at_bound)
    kept = np.flatnonzero(at_bound)
    held = numbers(X[:, kept]) @ numbers(coef[kept]) if kept.size else numbers(np.zeros(len(X)))
    exact = ExactProblem(X[:, used], y, 1, l2[used], weight, None, True)
    exact.offset = held[:, None]  # with all its digits
    signed = numbers(np.append(l1[used] * np.sign(coef[used]), 0.0))
    theta = numbers(np.append(coef[used], intercept))[None]
    for _ in range(8):
        gradient, hessian = exact._derivatives(theta)
        step = mpmath.lu_solve(mpmath.matrix(hessian.tolist()), mpmath.matrix(gradient + signed))
        theta = theta - np.array(list(step), dtype=object)[None]
    assert all((a > 0) == (b > 0) for a, b in zip(theta[0, :-1], coef[used], strict=True))
    of_held = numbers(l1[kept]) * abs(numbers(coef[kept])) + (
        numbers(l2[kept]) * numbers(coef[kept]) ** 2 / 2
    )
    return exact.cost(theta) + sum(signed * theta[0]) + sum(of_held)


def one_problem(seed):
    """A random problem with columns of many sizes, weights and strengths of each column."""
    rng = np.random.default_rng(seed)
    n, d = int(rng.integers(20, 60)), int(rng.integers(1, 9))
    X = rng.normal(size=(n, d)) * 10.0 ** rng.uniform(-3, 3, d)
    X += rng.choice([0.0, 1.0, 1e3], d) * X.std(axis=0)
    if d > 2 and rng.random() < 0.3:
        X[:, 1] = X[:, 0] + 10.0 ** -rng.uniform(1, 6) * X[:, 1]
    y = (rng.normal(size=n) + X[:, 0] / X[:, 0].std() > X[:, 0].mean() / X[:, 0].std()).astype(int)
    y[:2] = [0, 1]
    weight = 10.0 ** rng.uniform(-3, 3, n) if rng.random() < 0.5 else None
    l1 = 10.0 ** rng.uniform(-3, -1) * X.std(axis=0) * rng.uniform(0.5, 2.0, d)
    l2 = np.zeros(d) if rng.random() < 0.5 else 10.0 ** rng.uniform(-4, 0) * X.var(axis=0)
    return rng, X, y, weight, l1, l2


def check(seed):
    """Compare bounds at points around the optimum with the truth at 60 digits."""
    rng, X, y, weight, l1, l2 = one_problem(seed)
    coef, intercept, _ = reference.elastic_net(X, y, l1, l2, weight)
    objective = elastic_net_of(X, y, l1, l2, weight)
    with mpmath.workdps(DIGITS):
        least = optimum_in_digits(X, y, coef, intercept, l1, l2, weight)
        exact = ExactProblem(X, y, 1, l2, weight, None, True)
        for size in (0.0, 1e-12, 1e-8, 1e-4, 1e-1):
            there = coef * (1.0 + size * rng.normal(size=coef.size))
            if size >= 1e-4 and rng.random() < 0.5:
                there = there + size * rng.normal(size=coef.size) / X.std(axis=0)
            bound = bound_at(objective, there, intercept + size)
            theta = numbers(np.append(there, intercept + size))[None]
            cost = exact.cost(theta) + sum(numbers(l1 * np.abs(there)))
            # What the point loses by its units is counted by the stopping rule.
            assert cost - least <= bound + 1e-16 * float(cost), (seed, size)


def check_within_bounds(seed):
    """The same where coefficients have bounds, a third of them without L1."""
    rng, X, y, weight, l1, l2 = one_problem(seed)
    l1 *= rng.random(l1.size) < 0.7
    free, _, _ = reference.elastic_net(X, y, l1 + 1e-4 * X.std(axis=0), l2, weight)
    size = np.abs(free) + 0.1 / X.std(axis=0)
    lower = free + size * rng.choice([-1.0, 0.0, 0.5], free.size)
    lower[rng.random(free.size) < 0.3] = 0.0
    upper = lower + size * rng.choice([0.0, 0.1, 1.0], free.size)
    lower[rng.random(free.size) < 0.3] = -np.inf
    upper[rng.random(free.size) < 0.3] = np.inf
    bounds = lower, upper
    coef, intercept, _ = reference.elastic_net(X, y, l1, l2, weight, coef_bounds=bounds)
    at_bound = (coef == lower) | (coef == upper)
    objective = elastic_net_of(X, y, l1, l2, weight, bounds)
    with mpmath.workdps(DIGITS):
        least = optimum_in_digits(X, y, coef, intercept, l1, l2, weight, at_bound)
        exact = ExactProblem(X, y, 1, l2, weight, None, True)
        for size in (0.0, 1e-12, 1e-8, 1e-4, 1e-1):
            there = coef * (1.0 + size * rng.normal(size=coef.size) * ~at_bound)
            if size >= 1e-4 and rng.random() < 0.5:
                there = there + size * rng.normal(size=coef.size) / X.std(axis=0)
            theta = objective.join(*objective.from_user(there[None], np.array([intercept + size])))
            # As a solver hands points on: at bounds exactly, on the standardised scale.
            theta = objective.within_bounds(theta)
            for end, scaled in zip(bounds, objective.l1.bounds, strict=True):
                theta[:, :-1] = np.where(there == end, scaled, theta[:, :-1])
            found = objective.at(theta)
            with quietly():
                bound = CompositeCertificate(objective).bound(
                    0, theta[0], found.gradient[0], cost=float(found.cost[0])
                )
            user, level = objective.to_user(*objective.split(theta))
            cost = exact.cost(numbers(np.append(user[0], level))[None])
            cost += sum(numbers(l1 * np.abs(user[0])))
            lost = float(objective.lost_in_units(theta)[0])
            slope = float(np.abs(found.gradient).max())
            slack = 1e-16 * float(cost) + lost * slope + lost * lost
            assert cost - least <= bound + slack, (seed, size)


@pytest.mark.parametrize("seed", range(12))
def test_no_bound_lies_below_the_truth(seed) -> None:
    check(seed)


@pytest.mark.parametrize("seed", range(20))
def test_nor_where_coefficients_have_bounds(seed) -> None:
    check_within_bounds(seed)


@pytest.mark.slow(seconds=40)
def test_no_bound_of_hundreds_lies_below_the_truth() -> None:
    for seed in range(100, 170):
        check(seed)
        check_within_bounds(seed)
