"""Bounds of softmax points under L1: never below the truth, and of second order."""

import warnings

import exact
import mpmath
import numpy as np
import pytest
from exact import DIGITS, ExactProblem, numbers
from problems import sized, softmax_of, three_classes
from sklearn.exceptions import ConvergenceWarning

import fastlogit
from fastlogit import reference
from fastlogit.certificates.composite import SharedDirections
from fastlogit.certificates.composite_softmax import CompositeSoftmaxCertificate
from fastlogit.objective.class_working_set import ClassWorkingSet
from fastlogit.objective.penalties import ElasticNet

pytestmark = pytest.mark.jit


def objective_of(X, codes, l1, l2=0.0, weight=None, n_classes=3):
    objective = softmax_of(X, codes, weight, ElasticNet(l1, l2, X.shape[1]), n_classes)
    objective.standardize()
    return objective


def point_of(objective, coef, intercept):
    """The standardised point of coefficients in the units of X, its cost and smooth gradient."""
    theta = objective.join(*objective.from_user(coef.T, intercept))
    found = objective.at(theta)
    return theta[0], found.gradient[0], float(found.cost[0])


def bound_at(objective, coef, intercept, wanted=0.0):
    theta, gradient, cost = point_of(objective, coef, intercept)
    return CompositeSoftmaxCertificate(objective).bound(0, theta, gradient, wanted, cost=cost)


@pytest.mark.parametrize("l2", [0.0, 0.1])
@pytest.mark.parametrize("weighted", [False, True])
def test_it_is_of_second_order(rng, l2, weighted) -> None:
    X, codes = three_classes(sized(300, 80), 8)
    weight = rng.uniform(0.1, 3.0, len(X)) if weighted else None
    coef, intercept, least = reference.multinomial_elastic_net(X, codes, 3, 0.03, l2, weight)
    assert 0 < np.count_nonzero(coef) < coef.size
    objective = objective_of(X, codes, 0.03, l2, weight)
    way, level = rng.normal(size=coef.shape) * (coef != 0.0), rng.normal(size=3)
    for size in (3e-3, 1e-4, 1e-6):
        there = coef + size * way, intercept + size * level
        gap = reference.multinomial_elastic_net_cost(X, codes, *there, 0.03, l2, weight) - least
        bound = bound_at(objective, *there, wanted=1.6 * gap)
        assert gap - 1e-16 <= bound <= 1.6 * gap + 1e-14
    assert bound_at(objective, coef, intercept) < 1e-17


def test_a_coefficient_that_ought_to_be_there_is_counted() -> None:
    X, codes = three_classes(200, 6)
    coef, intercept, least = reference.multinomial_elastic_net(X, codes, 3, 0.02)
    objective = objective_of(X, codes, 0.02)
    sizes = np.where(coef != 0.0, np.abs(coef), np.inf)
    coef[np.unravel_index(np.argmin(sizes), coef.shape)] = 0.0
    gap = reference.multinomial_elastic_net_cost(X, codes, coef, intercept, 0.02) - least
    assert gap < bound_at(objective, coef, intercept, 3.0 * gap) < 3.0 * gap


def test_far_off_nothing_is_proven_without_l2_and_something_with_it() -> None:
    X, codes = three_classes(150, 4)
    far = np.full((4, 3), [4.0, -3.0, 0.0]), np.zeros(3)
    assert bound_at(objective_of(X, codes, 0.05), *far) == np.inf
    start = np.zeros((4, 3)), np.zeros(3)
    assert np.isfinite(bound_at(objective_of(X, codes, 0.05, 99.0), *start))


def test_what_all_classes_share_is_counted() -> None:
    X, codes = three_classes(150, 4)
    coef, intercept, _ = reference.multinomial_elastic_net(X, codes, 3, 0.01)
    objective = objective_of(X, codes, 0.01)
    assert bound_at(objective, coef, intercept) < 1e-17
    coef[np.argmax(np.abs(coef).max(axis=1))] += 0.1
    # A shift of all classes changes no row, and L1 by a known amount.
    assert bound_at(objective, coef, intercept) == np.inf


def test_columns_of_four_classes_may_be_shifted_freely() -> None:
    rng = np.random.default_rng(4)
    codes = np.arange(200) % 4
    X = np.array([2.0, 1.0, -1.0, -2.0])[codes][:, None] + rng.normal(size=(200, 1))
    coef, intercept, least = reference.multinomial_elastic_net(X, codes, 4, 0.02)
    objective = objective_of(X, codes, 0.02, n_classes=4)
    inner = np.sort(coef[0])
    for shift in (inner[1], 0.5 * (inner[1] + inner[2]), inner[2]):
        there = coef - shift, intercept
        cost = reference.multinomial_elastic_net_cost(X, codes, *there, 0.02)
        assert cost == pytest.approx(least, rel=1e-14)
        assert bound_at(objective, *there) < 1e-15


def test_duplicates_of_columns() -> None:
    X, codes = three_classes(200, 4)
    coef, intercept, _ = reference.multinomial_elastic_net(X, codes, 3, 0.02)
    twice = np.hstack([X, X[:, [1, 0]]])
    for share in (1.0, 0.5):
        doubled = np.vstack([coef, (1.0 - share) * coef[[1, 0]]])
        doubled[[1, 0]] *= share
        assert bound_at(objective_of(twice, codes, 0.02), doubled, intercept) < 1e-17
    l1 = np.r_[np.full(4, 0.02), 0.005, 0.02]
    nothing = np.vstack([coef, np.zeros((2, 3))])
    assert bound_at(objective_of(twice, codes, l1), nothing, intercept) > 1e-6


def test_the_hessian_of_a_working_set_serves(monkeypatch) -> None:
    X, codes = three_classes(150, 10)
    coef, intercept, _ = reference.multinomial_elastic_net(X, codes, 3, 0.03)
    objective = objective_of(X, codes, 0.03)
    theta, gradient, cost = point_of(objective, coef, intercept)
    inside = np.ones((3, 10), dtype=bool)
    working = ClassWorkingSet(objective, inside, np.zeros(3))
    own = working.take(theta)
    working.look(own, working.at(own)[2])
    certificate = CompositeSoftmaxCertificate(objective)
    certificate.take_working_set(0, working)
    plain = CompositeSoftmaxCertificate(objective).bound(0, theta, gradient, cost=cost)
    monkeypatch.setattr(ClassWorkingSet, "look", None)
    found = certificate.bound(0, theta, gradient, cost=cost)
    assert found == pytest.approx(plain, rel=0.1)
    assert certificate.bound(0, theta + 1e-3, gradient, 0.0, True, cost) == np.inf
    assert certificate.level_of_rounding(0, theta, cost) < 1e-14
    assert not certificate.unresolved(0).size
    assert not certificate.step_lowers(0, gradient)


def optimum_in_digits(X, codes, coef, intercept, l1, l2, weight):
    """The least cost at 60 digits over the coefficients and signs that float64 found."""
    n_classes = coef.shape[1]
    # What is a rounding error beside the column's other classes is 0.
    sizes = np.abs(coef)
    coef = np.where(sizes > 1e-12 * sizes.max(axis=1, keepdims=True), coef, 0.0)
    problem = ExactProblem(X, codes, n_classes, l2, weight, None, True)
    theta = numbers(np.column_stack([coef.T, intercept]))
    free = np.column_stack([coef.T != 0.0, np.arange(n_classes) < n_classes - 1])
    problem.free = free.reshape(-1)
    signed = numbers(np.column_stack([l1 * np.sign(coef.T), np.zeros(n_classes)]))
    for _ in range(8):
        gradient, hessian = problem._derivatives(theta)
        step = exact._solve(hessian, gradient + signed.reshape(-1)[problem.free])
        moved = theta.reshape(-1).copy()
        moved[problem.free] -= step
        theta = moved.reshape(theta.shape)
    pairs = zip(theta[:, :-1].ravel(), coef.T.ravel(), strict=True)
    assert all(b == 0.0 or (a > 0) == (b > 0) for a, b in pairs)
    return problem.cost(theta) + (signed * theta).sum()


def one_problem(seed):
    """A random problem with columns of many sizes, weights and strengths of each column."""
    rng = np.random.default_rng(seed)
    n, d, n_classes = int(rng.integers(20, 40)), int(rng.integers(1, 5)), int(rng.integers(3, 5))
    X = rng.normal(size=(n, d)) * 10.0 ** rng.uniform(-3, 3, d)
    X += rng.choice([0.0, 1.0, 1e3], d) * X.std(axis=0)
    if d > 2 and rng.random() < 0.3:
        X[:, 1] = X[:, 0] + 10.0 ** -rng.uniform(1, 5) * X[:, 1]
    raw = (X - X.mean(axis=0)) / X.std(axis=0) @ rng.normal(size=(d, n_classes))
    codes = (raw + rng.gumbel(size=raw.shape)).argmax(axis=1)
    codes[:n_classes] = np.arange(n_classes)
    weight = 10.0 ** rng.uniform(-2, 2, n) if rng.random() < 0.5 else None
    l1 = 10.0 ** rng.uniform(-3, -1) * X.std(axis=0) * rng.uniform(0.5, 2.0, d)
    l2 = np.zeros(d) if rng.random() < 0.5 else 10.0 ** rng.uniform(-4, 0) * X.var(axis=0)
    return rng, X, codes, n_classes, weight, l1, l2


def check(seed):
    """Compare bounds at points around the optimum with the truth at 60 digits."""
    rng, X, codes, n_classes, weight, l1, l2 = one_problem(seed)
    coef, intercept, _ = reference.multinomial_elastic_net(X, codes, n_classes, l1, l2, weight)
    objective = objective_of(X, codes, l1, l2, weight, n_classes)
    finite = 0
    with mpmath.workdps(DIGITS):
        least = optimum_in_digits(X, codes, coef, intercept, l1, l2, weight)
        problem = ExactProblem(X, codes, n_classes, l2, weight, None, True)
        for size in (0.0, 1e-12, 1e-8, 1e-4, 1e-1):
            there = coef * (1.0 + size * rng.normal(size=coef.shape))
            if size >= 1e-4 and rng.random() < 0.5:
                there = there + size * rng.normal(size=coef.shape) / X.std(axis=0)[:, None]
            level = intercept + size * rng.normal(size=n_classes)
            bound = bound_at(objective, there, level)
            cost = problem.cost(numbers(np.column_stack([there.T, level])))
            cost += sum(numbers(l1 * np.abs(there.T)).ravel())
            finite += np.isfinite(bound)
            # What the point loses by its units is counted by the stopping rule.
            assert cost - least <= bound + 1e-16 * float(cost), (seed, size)
    return finite


@pytest.mark.parametrize("seed", range(8))
def test_no_bound_lies_below_the_truth(seed) -> None:
    assert check(seed) > 0


@pytest.mark.slow(seconds=80)
def test_no_bound_of_hundreds_lies_below_the_truth() -> None:
    assert sum(check(seed) > 0 for seed in range(100, 140)) > 34


@pytest.mark.jit
@pytest.mark.parametrize("seed", range(12))
def test_levels_of_factors_shift_with_intercepts_and_classes(seed) -> None:
    """All classes shift alike by levels of a factor, and intercepts by what is left of that."""
    rng = np.random.default_rng(seed)
    n_rows, n_levels, n_classes = 60, int(rng.integers(2, 7)), int(rng.integers(3, 5))
    codes = np.arange(n_rows) % n_levels, rng.integers(0, 2, n_rows)
    X = np.hstack([code[:, None] == np.unique(code) for code in codes]).astype(float)
    y, l1 = rng.integers(0, n_classes, n_rows), 10.0 ** rng.uniform(-4.0, -2.0)
    result = fastlogit.fit(X, y, l1_reg=l1, multi_class="multinomial")
    assert result.converged
    cost, *slopes = reference.multinomial_cost_gradient(X, y, result.coef, result.intercept)
    cost += l1 * np.abs(result.coef).sum()
    beyond = np.where(result.coef != 0.0, slopes[0] + l1 * np.sign(result.coef), 0.0)
    assert np.abs(beyond).max() < 1e-6
    assert np.abs(slopes[0]).max() < l1 + 1e-6
    # Nor does a bound of a rough fit lie below the truth.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for n in range(1, 6):
            rough = fastlogit.fit(X, y, l1_reg=l1, multi_class="multinomial", max_iter=n)
            above = reference.multinomial_cost_gradient(X, y, rough.coef, rough.intercept)[0]
            above += l1 * np.abs(rough.coef).sum()
            assert above / cost - 1.0 <= rough.suboptimality + 1e-12


def test_what_is_no_shared_direction(rng) -> None:
    X = np.hstack([np.eye(3)[rng.integers(0, 3, 40)], rng.standard_normal((40, 1))])
    y = rng.integers(0, 3, 40)
    objective = objective_of(X, y, 0.01)
    assert objective.user_l1 is not None
    strengths = np.broadcast_to(objective.user_l1.strengths[0], (3, 4))
    signs = np.array([[1.0, -1.0, 0.0, 1.0], [0.0, 1.0, 1.0, -1.0], [1.0, 0.0, -1.0, 0.0]])
    told = SharedDirections(objective, signs * strengths)
    scale = 1.0 / objective.design.columns.inverse_scale

    def holds(coef, levels=(0.0, 0.0, 0.0)):
        return told.holds(np.column_stack([np.array(coef) * scale, levels]))

    # All classes alike in the first column: the signs add up to 2. In the second and third to 0.
    assert holds([[0, 1, 1, 0]] * 3)
    assert holds([[0, 1.7, 3.4, 0]] * 3)
    assert not holds([[1, 0, 0, 0]] * 3)
    # One class alone by all levels, where the intercept takes it back.
    assert holds([[1, 1, 1, 0], [0] * 4, [0] * 4], [-1.0, 0.0, 0.0])
    assert not holds([[0] * 4, [1, 1, 1, 0], [0] * 4], [0.0, -1.0, 0.0])
    # Predictions change, or an intercept alone.
    assert not holds([[1, 1, 0, 0], [0] * 4, [0] * 4])
    assert not holds([[0, 1, 1, 0]] * 3, [1.0, 0.0, 0.0])
    assert not holds(np.zeros((3, 4)), [1.0, 0.0, 0.0])
    # L2 would change.
    squared = SharedDirections(objective_of(X, y, 0.01, 0.1), signs * strengths)
    assert not squared.holds(np.column_stack([np.array([[0, 1, 1, 0]] * 3) * scale, [0.0] * 3]))


def test_a_class_out_of_the_question_leaves_a_proof() -> None:
    """A pair at the edge without curvature beside those that have some: tau would be 1."""
    rng = np.random.default_rng(155)
    levels = rng.integers(0, 3, 24)
    X, codes = np.eye(3)[levels], levels.copy()
    codes[:3] = [1, 2, 0]
    result = fastlogit.fit(X, codes, l1_reg=1e-4, multi_class="multinomial", tol=1e-8)
    assert result.converged, result.message
    least, last = reference.multinomial_elastic_net_slopes(
        X, codes, result.coef, result.intercept, 1e-4
    )
    assert max(np.abs(least).max(), np.abs(last).max()) < 1e-6
