"""Bounds of points under a group lasso: never below the truth, and of second order."""

import exact
import mpmath
import numpy as np
import pytest
from exact import DIGITS, ExactProblem, numbers
from problems import objective_of, problem, softmax_of, three_classes

import fastlogit
from fastlogit import reference
from fastlogit.certificates.composite_groups import GroupCertificate
from fastlogit.design.base import Columns
from fastlogit.objective.group_penalty import GroupL1
from fastlogit.objective.group_working_set import GroupWorkingSet
from fastlogit.objective.penalties import L2, ElasticNet

pytestmark = pytest.mark.jit


def made(X, codes, labels, strengths, l2=0.0, weight=None, n_classes=1):
    """The cost of a group lasso; `strengths` are those of the groups."""
    places = np.unique(labels, return_inverse=True)[1]
    penalty = ElasticNet(
        GroupL1(np.asarray(strengths)[places], labels, n_classes), L2(l2, X.shape[1])
    )
    if n_classes == 1:
        objective = objective_of(X, codes, weight, penalty)
    else:
        objective = softmax_of(X, codes, weight, penalty, n_classes)
    objective.standardize()
    center, scale = objective.design.columns
    objective.take_columns(Columns(center, objective.user_l1.uniform(scale)))
    return objective


def bound_at(objective, coef, intercept, wanted=0.0):
    """The bound at coefficients (n_outputs, n_features) in the units of X."""
    theta = objective.join(*objective.from_user(coef, np.atleast_1d(intercept)))
    found = objective.at(theta)
    return GroupCertificate(objective).bound(
        0, theta[0], found.gradient[0], wanted, cost=float(found.cost[0])
    )


def optimum_of(X, codes, labels, strengths, l2=0.0, weight=None, n_classes=1):
    """The optimum as a fit finds it, (n_outputs, n_features), whose conditions hold."""
    counts = np.unique(labels, return_counts=True)[1]
    result = fastlogit.fit(
        X, codes, l1_reg=1.0, l2_reg=l2, penalty_groups=labels, group_weights=strengths, tol=0.0,
        sample_weight=weight, multi_class="multinomial" if n_classes > 1 else "ovr",
    )  # fmt: skip
    assert counts.size == len(strengths)
    coef = np.atleast_2d(result.coef if n_classes == 1 else result.coef.T)
    return coef, np.atleast_1d(result.intercept)


@pytest.mark.parametrize("n_classes", [1, 3])
@pytest.mark.parametrize("l2", [0.0, 0.05])
def test_it_is_of_second_order(rng, n_classes, l2) -> None:
    labels = np.array([0, 0, 1, 1, 1, 2, 3, 3])
    strengths = np.array([0.02, 0.03, 0.015, 0.2])
    X, y = problem(300, 8)[:2] if n_classes == 1 else three_classes(300, 8)
    coef, intercept = optimum_of(X, y, labels, strengths, l2, n_classes=n_classes)
    objective = made(X, y, labels, strengths, l2, n_classes=n_classes)
    assert bound_at(objective, coef, intercept) < 1e-13
    way = rng.normal(size=coef.shape) * (coef != 0.0)
    if n_classes > 1:
        way -= way.mean(axis=0)
    bounds = [bound_at(objective, coef + size * way, intercept) for size in (1e-3, 1e-4, 1e-5)]
    assert bounds[0] < 1e-3
    np.testing.assert_allclose(np.divide(bounds[:-1], bounds[1:]), 100.0, rtol=0.2)


def test_levels_of_a_factor_beside_the_intercept() -> None:
    rng = np.random.default_rng(3)
    levels = rng.integers(0, 4, 200)
    X = np.column_stack([np.eye(4)[levels], rng.normal(size=(200, 2))])
    y = (rng.logistic(size=200) < X @ [1.0, -1.0, 0.5, 0.0, 1.0, 0.0]).astype(int)
    labels, strengths = np.array([0, 0, 0, 0, 1, 1]), np.array([0.02, 0.02])
    coef, intercept = optimum_of(X, y, labels, strengths)
    objective = made(X, y, labels, strengths)
    assert bound_at(objective, coef, intercept) < 1e-13
    # A shift of the levels, and of the intercept against them, changes the length alone.
    shifted = coef + np.array([0.1, 0.1, 0.1, 0.1, 0.0, 0.0])
    more = reference.group_lasso_penalty(shifted[0], labels, strengths)
    more -= reference.group_lasso_penalty(coef[0], labels, strengths)
    assert more <= bound_at(objective, shifted, intercept - 0.1) < 50.0 * more


def test_what_classes_share_is_counted() -> None:
    X, y = three_classes(200, 4)
    labels, strengths = np.arange(4), np.full(4, 0.03)
    coef, intercept = optimum_of(X, y, labels, strengths, n_classes=3)
    objective = made(X, y, labels, strengths, n_classes=3)
    shifted = coef + 0.01
    more = reference.group_lasso_penalty(shifted.T, labels, strengths)
    more -= reference.group_lasso_penalty(coef.T, labels, strengths)
    assert more > 0.0
    assert bound_at(objective, shifted, intercept) >= more


def test_a_group_that_ought_to_be_there_is_counted() -> None:
    X, y, *_ = problem(300, 6)
    labels, strengths = np.array([0, 0, 1, 1, 2, 2]), np.full(3, 0.01)
    coef, intercept = optimum_of(X, y, labels, strengths)
    objective = made(X, y, labels, strengths)
    least = objective.at(objective.join(*objective.from_user(coef, intercept))).cost[0]
    lengths = np.sqrt(np.add.reduceat(np.square(coef[0]), [0, 2, 4]))
    coef[0, labels == np.argmin(lengths)] = 0.0
    gap = objective.at(objective.join(*objective.from_user(coef, intercept))).cost[0] - least
    assert gap < bound_at(objective, coef, intercept, 3.0 * gap)


def test_far_off_nothing_is_proven() -> None:
    X, y, *_ = problem(100, 4)
    objective = made(X, y, np.array([0, 0, 1, 1]), np.full(2, 0.05))
    assert bound_at(objective, np.full((1, 4), 5.0), 3.0) == np.inf


def test_the_hessian_of_a_working_set_serves(monkeypatch) -> None:
    X, y, *_ = problem(150, 6)
    labels, strengths = np.array([0, 0, 1, 1, 2, 2]), np.full(3, 0.02)
    coef, intercept = optimum_of(X, y, labels, strengths)
    objective = made(X, y, labels, strengths)
    theta = objective.join(*objective.from_user(coef, intercept))[0]
    found = objective.at(theta[None])
    working = GroupWorkingSet(objective, np.arange(3), np.zeros(1))
    own = working.take(theta)
    working.look(own, working.at(own)[2])
    certificate = GroupCertificate(objective)
    certificate.take_working_set(0, working)
    monkeypatch.setattr(GroupWorkingSet, "look", None)
    cost = float(found.cost[0])
    assert certificate.bound(0, theta, found.gradient[0], cost=cost) < 1e-13
    assert certificate.bound(0, theta + 1e-3, found.gradient[0], 0.0, True, cost) == np.inf
    assert not certificate.unresolved(0).size


def optimum_in_digits(X, codes, labels, strengths, coef, intercept, l2, weight):
    """The least cost at 60 digits over the groups that float64 found, whose conditions hold."""
    n_outputs = len(coef)
    problem = ExactProblem(X, codes, n_outputs, l2, weight, None, True)
    theta = numbers(np.column_stack([coef, intercept]))
    used = np.column_stack([coef.any(axis=0)[None].repeat(n_outputs, 0), np.ones(n_outputs, bool)])
    problem.free = used.reshape(-1).astype(bool)
    members = [
        [k * (len(labels) + 1) + j for k in range(n_outputs) for j in np.flatnonzero(labels == g)]
        for g in np.unique(labels)
    ]
    free = np.flatnonzero(problem.free)
    for _ in range(7):
        gradient, hessian = problem._derivatives(theta)
        flat = theta.reshape(-1)
        for own, strength in zip(members, strengths, strict=True):
            length = mpmath.sqrt(sum(flat[i] ** 2 for i in own))
            if length == 0:
                continue
            at = [int(np.searchsorted(free, i)) for i in own]
            for a, i in zip(at, own, strict=True):
                gradient[a] += strength * flat[i] / length
                for b, j in zip(at, own, strict=True):
                    curved = (i == j) - flat[i] * flat[j] / length**2
                    hessian[a, b] += strength / length * curved
        moved = flat.copy()
        moved[free] -= exact._solve(hessian, gradient)
        theta = moved.reshape(theta.shape)
    return problem, theta, members


def cost_in_digits(problem, theta, members, strengths):
    flat = theta.reshape(-1)
    lengths = [mpmath.sqrt(sum(flat[i] ** 2 for i in own)) for own in members]
    return problem.cost(theta) + sum(s * n for s, n in zip(strengths, lengths, strict=True))


def check(seed):
    """Compare bounds at points around the optimum with the truth at 60 digits."""
    rng = np.random.default_rng(seed)
    n, d = int(rng.integers(25, 45)), int(rng.integers(2, 7))
    n_outputs = int(rng.choice([1, 3]))
    if n_outputs > 1:
        d = min(d, 3)
    X = rng.normal(size=(n, d)) * 10.0 ** rng.uniform(-1, 1, d) + rng.choice([0.0, 1.0, 30.0], d)
    labels = rng.integers(0, max(1, d // 2 + 1), d)
    counts = np.unique(labels, return_counts=True)[1]
    raw = (X - X.mean(axis=0)) / X.std(axis=0) @ rng.normal(size=(d, max(2, n_outputs)))
    codes = (raw + rng.gumbel(size=raw.shape)).argmax(axis=1)
    codes[: max(2, n_outputs)] = np.arange(max(2, n_outputs))
    weight = 10.0 ** rng.uniform(-2, 2, n) if rng.random() < 0.5 else None
    strengths = 10.0 ** rng.uniform(-3, -1) * X.std() * rng.uniform(0.5, 2.0, counts.size)
    l2 = np.zeros(d) if rng.random() < 0.5 else np.full(d, 10.0 ** rng.uniform(-4, 0))
    coef, intercept = optimum_of(X, codes, labels, strengths, l2, weight, n_outputs)
    objective = made(X, codes, labels, strengths, l2, weight, n_outputs)
    finite = 0
    with mpmath.workdps(DIGITS):
        given = X, codes, labels, strengths, coef, intercept, l2, weight
        problem, best, members = optimum_in_digits(*given)
        least = cost_in_digits(problem, best, members, strengths)
        for size in (0.0, 1e-12, 1e-8, 1e-4, 1e-1):
            there = coef * (1.0 + size * rng.normal(size=coef.shape))
            if size >= 1e-4 and rng.random() < 0.5:
                there = there + size * rng.normal(size=coef.shape) / X.std(axis=0)
            level = intercept + size * rng.normal(size=n_outputs)
            bound = bound_at(objective, there, level)
            theta = numbers(np.column_stack([there, level]))
            cost = cost_in_digits(problem, theta, members, strengths)
            finite += np.isfinite(bound)
            assert cost - least <= bound + 1e-16 * float(cost), (seed, size)
    return finite


@pytest.mark.parametrize("seed", range(10))
def test_no_bound_lies_below_the_truth(seed) -> None:
    assert check(seed) > 0


@pytest.mark.slow(seconds=60)
def test_no_bound_of_hundreds_lies_below_the_truth() -> None:
    assert sum(check(seed) > 0 for seed in range(100, 140)) > 34


def two_levels(n_samples=300):
    """Two levels of a factor, both with a column, and three classes."""
    rng = np.random.default_rng(n_samples)
    X = np.eye(2)[rng.integers(0, 2, n_samples)]
    raw = X @ np.array([[1.0, 0.0, -1.0], [-1.0, 0.5, 0.5]])
    y = (raw + rng.gumbel(size=(n_samples, 3))).argmax(axis=1)
    return X, y


def test_lengths_that_go_over_from_one_level_to_the_other() -> None:
    X, y = two_levels()
    labels, strengths = np.arange(2), np.full(2, 0.01)
    coef, intercept = optimum_of(X, y, labels, strengths, n_classes=3)
    objective = made(X, y, labels, strengths, n_classes=3)
    total = np.linalg.norm(coef, axis=0).sum()
    assert total > 0.5
    unit = (coef[:, 0] - coef[:, 1]) / total
    # All splits of the length are optima, which the intercepts make up for.
    for share in (0.0, 0.1, 0.5, 1.0):
        there = np.column_stack([share * total * unit, (share - 1.0) * total * unit])
        level = intercept + coef[:, 0] - there[:, 0]
        assert bound_at(objective, there, level) < 1e-13
        # Lengths whose directions are parallel but for an angle.
        for angle in (1e-9, 3e-8, 1e-6, 1e-4):
            beside = np.cross(unit, np.full(3, np.sqrt(1.0 / 3.0)))
            turned = there + angle * total * np.column_stack([beside, 0.0 * beside])
            gap = objective.at(objective.join(*objective.from_user(turned, level))).cost[0]
            gap -= objective.at(objective.join(*objective.from_user(there, level))).cost[0]
            assert bound_at(objective, turned, level) >= gap - 1e-15


def test_other_strengths_of_two_levels_leave_one_out() -> None:
    X, y = two_levels()
    labels, strengths = np.arange(2), np.array([0.01, 0.0101])
    coef, intercept = optimum_of(X, y, labels, strengths, n_classes=3)
    assert coef[:, 0].any()
    assert not coef[:, 1].any()
    objective = made(X, y, labels, strengths, n_classes=3)
    assert bound_at(objective, coef, intercept) < 1e-13
    # Parallel, but the length that goes over costs more there.
    half = np.column_stack([0.5 * coef[:, 0], -0.5 * coef[:, 0]])
    gap = 0.5 * np.linalg.norm(coef[:, 0]) * 0.0001
    assert bound_at(objective, half, intercept + 0.5 * coef[:, 0]) >= 0.999 * gap
