"""One small model with L1 in one compiled call: against the oracle, `fit`, and exact arithmetic."""

import warnings
from typing import Any, NamedTuple

import mpmath
import numpy as np
import pytest
from exact import DIGITS, ExactProblem, numbers
from problems import elastic_net_of, problem, real, sized
from test_composite_certificate import one_problem, optimum_in_digits, point_of

import fastlogit
from fastlogit import reference
from fastlogit.certificates.binomial import Place
from fastlogit.certificates.composite import CompositeCertificate
from fastlogit.kernels.small import endings
from fastlogit.kernels.small import l1 as small_l1
from fastlogit.objective.penalties import L1, Bounds, ElasticNet

NONE = np.empty(0)


class Fitted(NamedTuple):
    end: Any
    coef: Any
    history: Any

    @property
    def status(self) -> int:
        return int(self.end.status)


def fit_small(
    X: Any, y: Any, l1: Any = 0.0, l2: Any = 0.0, weight: Any = None, offset: Any = None,
    bounds: Any = None, intercept: float | None = None, start: Any = None, tol: float = 1e-12,
    max_iter: int = 100,
) -> Fitted:  # fmt: skip
    X, y = np.array(X, dtype=np.float64, order="C"), np.asarray(y).astype(np.uint8)
    n_samples, n_features = X.shape
    work = np.full(small_l1.small_l1_work_size.serial(n_samples, n_features), np.nan)
    history, coef = np.full(max_iter + 1, np.nan), np.full(n_features, np.nan)

    def each(value: Any) -> Any:
        return np.broadcast_to(np.asarray(value, dtype=np.float64), n_features).copy()

    lower, upper = (NONE, NONE) if bounds is None else map(each, bounds)
    given = [NONE if value is None else value for value in (weight, offset, start)]
    with np.errstate(all="ignore"):  # plain Python's numbers warn
        end = small_l1.fit_small_l1.serial(
            X, y, 1, given[0], given[1], each(l1), each(l2), lower, upper,
            0.0 if intercept is None else intercept, intercept is None, given[2], tol, max_iter,
            work, history, coef,
        )  # fmt: skip
    return Fitted(end, coef, history[: end.n_iter + 1])


def by_fit(X: Any, y: Any, l1: Any, l2: Any, bounds: Any = None, **options: Any) -> Any:
    """The general way: a penalty that is an object is no case for a small kernel."""
    box = None
    if bounds is not None:
        lower, upper = (np.broadcast_to(np.float64(end), X.shape[1]) for end in bounds)
        box = Bounds(lower, upper)
    penalty = ElasticNet(L1(l1, X.shape[1], box), l2, X.shape[1])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return fastlogit.fit(X, y, penalty=penalty, **options)


def assert_is_least(
    X: Any, y: Any, found: Fitted, l1: Any, l2: Any = 0.0, weight: Any = None, offset: Any = None,
    bounds: Any = (-np.inf, np.inf), intercept: float | None = None,
) -> None:  # fmt: skip
    """Compare with the oracle: coefficients, zeros, and costs that are no farther than proven."""
    coef, level, cost = reference.elastic_net(X, y, l1, l2, weight, offset, intercept, bounds)
    assert found.status == endings.CONVERGED
    spread = X.std(axis=0)
    size = max(1.0, float(np.abs(coef * spread).max(initial=0.0)))
    assert (np.abs(found.coef - coef) * spread <= 3e-5 * size).all()
    at_middle = X.mean(axis=0) @ (found.coef - coef) + found.end.intercept - level
    assert abs(at_middle) <= 3e-5 * size
    truth = reference.elastic_net_cost(
        X, y, found.coef, found.end.intercept, l1, l2, weight, offset
    )
    assert found.end.cost == pytest.approx(truth, rel=1e-12)
    assert truth - cost <= (found.end.bound + 1e-14) * cost
    assert (np.diff(found.history) <= 1e-13).all()
    near_corner = np.abs(coef * spread) < 1e-5 * size
    np.testing.assert_array_equal((found.coef == 0.0)[~near_corner], (coef == 0.0)[~near_corner])


# ------------------------------------------------------------------------------------------------
# The optimum


@pytest.mark.parametrize("shape", [(5, 1), (9, 3), (40, 7), (41, 8), (64, 9), (100, 16)])
@pytest.mark.parametrize("l1", [0.003, 0.05])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_the_oracle(shape, l1, fit_intercept) -> None:
    X, y, _, _, weight = problem(*shape)
    intercept = None if fit_intercept else 0.3
    for l2 in (0.0, 0.1):
        found = fit_small(X, y, l1, l2, weight, intercept=intercept)
        assert_is_least(X, y, found, l1, l2, weight, intercept=intercept)


@pytest.mark.parametrize("l1", [1e-3, 0.03])
def test_strengths_of_each_column_and_offsets(l1, rng) -> None:
    X, y, _, _, weight = problem(80, 6)
    offset = rng.standard_normal(80)
    each, l2 = l1 * np.array([0.0, 1.0, 2.0, 0.5, 1.0, 3.0]), np.array([0.1, 0, 0, 1.0, 0, 0])
    found = fit_small(X, y, each, l2, weight, offset)
    assert_is_least(X, y, found, each, l2, weight, offset)
    assert found.coef[0] != 0.0


BOUNDS = {
    "no negative ones": (0.0, np.inf),
    "a box": (-0.1, 0.2),
    "zero left out": (0.05, 0.3),
    "held": (np.array([0.1, -np.inf, 0.0, -0.2]), np.array([0.1, np.inf, 0.0, -0.2])),
}


@pytest.mark.parametrize("name", BOUNDS)
@pytest.mark.parametrize("l1", [0.0, 0.02])
def test_bounds(name, l1) -> None:
    X, y, _, _, weight = problem(90, 4)
    lower, upper = bounds = BOUNDS[name]
    for l2 in (0.0, 0.05):
        found = fit_small(X, y, l1, l2, weight, bounds=bounds)
        assert_is_least(X, y, found, l1, l2, weight, bounds=bounds)
        assert (found.coef >= lower).all()
        assert (found.coef <= upper).all()
    wanted = by_fit(X, y, l1, l2, bounds, sample_weight=weight)
    np.testing.assert_array_equal(found.coef == lower, wanted.coef == lower)


@pytest.mark.jit
@pytest.mark.parametrize("name", ["cancer", "wine", "iris"])
@pytest.mark.parametrize("C", [0.01, 1.0, 100.0])
def test_real_data(name, C) -> None:
    X, codes = real(name)
    for positive in range(len(np.unique(codes)) if name != "cancer" else 1):
        y = (codes == positive) * 1
        for ratio in (1.0, 0.3):
            l1, l2 = ratio / (C * len(y)), (1.0 - ratio) / (C * len(y))
            found = fit_small(X, y, l1, l2)
            assert found.status == endings.CONVERGED
            wanted = by_fit(X, y, l1, l2)
            assert found.end.cost == pytest.approx(float(wanted.history[-1]), rel=2e-12)
            np.testing.assert_array_equal(found.coef != 0.0, wanted.coef != 0.0)
            slopes, last = reference.elastic_net_slopes(
                X, y, found.coef, found.end.intercept, l1, l2
            )
            assert max(np.abs(slopes).max(), abs(last)) <= 3e-5
            assert abs(found.end.n_iter - wanted.n_iter) <= 1
            if found.end.n_iter == wanted.n_iter:
                norm = pytest.approx(wanted.gradient_norm, rel=1e-3, abs=1e-9)
                assert found.end.gradient_norm == norm


@pytest.mark.parametrize("l1", [0.01, 0.1])
def test_fewer_rows_than_columns(l1) -> None:
    X, y, _, _, _ = problem(12, 40)
    found = fit_small(X, y, l1)
    assert_is_least(X, y, found, l1)
    assert 0 < np.count_nonzero(found.coef) < 12


def test_without_l1_it_is_the_fit_under_l2() -> None:
    X, y, _, _, weight = problem(60, 4)
    coef, intercept, cost = reference.newton(X, y, sample_weight=weight, l2_reg=0.1)
    found = fit_small(X, y, 0.0, 0.1, weight)
    assert found.status == endings.CONVERGED
    np.testing.assert_allclose([*found.coef, found.end.intercept], [*coef, intercept], rtol=1e-5)
    assert found.end.cost == pytest.approx(cost, rel=2e-12)


def test_above_the_largest_slope_all_are_zero() -> None:
    X, y, _, _, _ = problem(60, 4)
    slopes = reference.cost_gradient(X, y, np.zeros(4), reference.logit(y.mean()))[1]
    most = float(np.abs(slopes).max())
    found = fit_small(X, y, most * (1.0 + 1e-9))
    assert not found.coef.any()
    assert (found.status, found.end.n_iter) == (endings.CONVERGED, 0)
    assert np.count_nonzero(fit_small(X, y, most * 0.999).coef) == 1


@pytest.mark.parametrize("gap", [1e-2, 1e-4, 1e-6])
def test_columns_nearly_alike(gap, rng) -> None:
    """Coordinate descent alone would take ever so many sweeps."""
    X, y, _, _, _ = problem(100, 4)
    X = np.column_stack([X, X[:, 0] + gap * rng.standard_normal(100), X[:, 1]])
    l1 = np.array([0.01, 0.01, 0.01, 0.01, 0.01, 0.02])
    found = fit_small(X, y, l1)
    assert found.status == endings.CONVERGED
    least = reference.elastic_net(X, y, l1)[2]
    assert found.end.cost - least <= 2e-12 * least
    assert found.coef[5] == 0.0


# ------------------------------------------------------------------------------------------------
# Statuses


def test_separable_classes() -> None:
    x = np.arange(20.0)
    assert fit_small(x[:, None], x > 9.5).status == endings.SEPARABLE
    assert fit_small(x[:, None], x > 9.5, 0.01).status == endings.CONVERGED
    X, y, _, _, _ = problem(60, 4)
    X[:, 2] += 20.0 * y
    # The column that separates has no penalty; or another one has none.
    assert fit_small(X, y, np.array([0.1, 0.1, 0.0, 0.1])).status == endings.SEPARABLE
    assert fit_small(X, y, np.array([0.0, 0.1, 0.1, 0.1])).status == endings.CONVERGED
    upper = np.array([np.inf, np.inf, 1.0, np.inf])
    bounded = fit_small(X, y, np.array([0.1, 0.1, 0.0, 0.1]), bounds=(-np.inf, upper))
    assert bounded.status == endings.CONVERGED
    assert bounded.coef[2] == 1.0


@pytest.mark.parametrize("what", ["X", "weight", "offset", "l1", "l2", "intercept"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_numbers_that_are_not_finite(what, value) -> None:
    X, y, _, _, weight = problem(30, 2)
    case = {"weight": weight, "offset": np.zeros(30), "l1": np.ones(2), "l2": np.ones(2)}
    if what == "X":
        X[4, 1] = value
    elif what == "intercept":
        case[what] = value
    else:
        case[what][1] = value
    found = fit_small(X, y, **case)
    assert found.status == endings.NOT_FINITE
    assert np.isnan(found.coef).all()
    assert found.end.bound == np.inf


def test_strengths_below_zero_and_bounds_that_leave_nothing() -> None:
    X, y, _, _, _ = problem(30, 2)
    assert fit_small(X, y, -1.0).status == endings.NOT_FINITE
    for bounds in ((1.0, 0.0), (np.nan, 1.0), (np.inf, np.inf), (-np.inf, -np.inf)):
        assert fit_small(X, y, 0.1, bounds=bounds).status == endings.EXTREME
    X[:, 1] = 3.0
    assert fit_small(X, y, 0.1, bounds=(0.5, 1.0)).status == endings.EXTREME
    assert fit_small(X, y, 0.1, bounds=(-0.5, 1.0)).coef[1] == 0.0


def test_rows_and_columns_that_are_no_case() -> None:
    X, y, _, _, _ = problem(30, 2)
    assert fit_small(X, y * 0, 0.1).status == endings.ONE_CLASS
    assert fit_small(X, y, 0.1, weight=np.zeros(30)).status == endings.NO_ROWS
    assert fit_small(X[:, :0], y, 0.1, intercept=0.0).status == endings.NO_ROWS
    assert fit_small(X[:, :0], y, 0.1).status == endings.CONVERGED
    assert fit_small(X * [1e200, 1.0], y, 0.1).status == endings.EXTREME


def test_shapes_and_room() -> None:
    X, y, _, _, _ = problem(30, 2)
    y, coef, two = y.astype(np.uint8), np.empty(2), np.full(2, 0.1)
    size = small_l1.small_l1_work_size.serial(30, 2)

    def status(l1: Any = two, lower: Any = NONE, upper: Any = NONE, room: int = size) -> int:
        found = small_l1.fit_small_l1.serial(
            X, y, 1, NONE, NONE, l1, two, lower, upper, 0.0, True, NONE, 1e-12, 50,
            np.empty(room), np.empty(51), coef,
        )  # fmt: skip
        return int(found.status)

    assert status() == endings.CONVERGED
    assert status(room=size - 1) == endings.TOO_LARGE
    assert status(l1=np.ones(3)) == endings.BAD_SHAPE
    assert status(lower=np.zeros(1)) == endings.BAD_SHAPE
    assert status(upper=np.ones(3)) == endings.BAD_SHAPE


@pytest.mark.parametrize("begin", range(8))
def test_nothing_is_written_outside_the_work_array(begin) -> None:
    X, y, _, _, weight = problem(53, 4)
    size, coef, history = small_l1.small_l1_work_size.serial(53, 4), np.empty(4), np.empty(51)
    work = np.full(size + 2 * begin + 8, np.nan)
    found = small_l1.fit_small_l1.serial(
        X, y.astype(np.uint8), 1, weight, NONE, np.full(4, 0.02), np.zeros(4), NONE, NONE, 0.0,
        True, NONE, 1e-12, 50, work[begin : begin + size], history, coef,
    )  # fmt: skip
    assert found.status == endings.CONVERGED
    assert np.isnan(work[:begin]).all()
    assert np.isnan(work[begin + size :]).all()
    expected = fit_small(X, y, 0.02, weight=weight, max_iter=50)
    np.testing.assert_array_equal(coef, expected.coef)
    assert (found.cost, found.bound) == (expected.end.cost, expected.end.bound)


def test_iterations_end_at_their_limit() -> None:
    X, y, _, _, _ = problem(60, 3)
    whole = fit_small(X, y, 0.01)
    for max_iter in range(whole.end.n_iter):
        found = fit_small(X, y, 0.01, max_iter=max_iter)
        assert found.status == endings.MAX_ITER
        assert found.end.n_iter == max_iter
        np.testing.assert_array_equal(found.history, whole.history[: max_iter + 1])
        assert found.end.bound > 1e-12
    again = fit_small(X, y, 0.01, start=np.append(whole.coef, whole.end.intercept), max_iter=0)
    assert again.status == endings.CONVERGED
    np.testing.assert_allclose(again.coef, whole.coef, rtol=1e-14)


def test_a_tolerance_of_zero_ends_by_rounding() -> None:
    X, y, _, _, _ = problem(60, 3)
    found = fit_small(X, y, 0.01, tol=0.0)
    assert found.status == endings.ROUNDING
    assert found.end.bound < 1e-15


@pytest.mark.parametrize("size", [0.0, 1.0, 1e3, 1e8, 1e100])
def test_it_converges_from_any_start(size) -> None:
    X, y, _, _, _ = problem(80, 3)
    wanted = fit_small(X, y, 0.01)
    for seed in range(sized(10, 1)):
        start = np.random.default_rng(seed).standard_normal(4) * size
        found = fit_small(X, y, 0.01, start=start)
        assert found.status == endings.CONVERGED
        np.testing.assert_allclose(found.coef, wanted.coef, rtol=1e-5)


@pytest.mark.parametrize("level", [30.0, -45.0, 300.0])
def test_offsets_that_predict_surely(level) -> None:
    """The curvature is next to 0 where the fit begins: steps go down the majorising bound."""
    X, y, _, _, _ = problem(60, 3)
    offset = np.where(np.arange(60) % 2 == 0, level, -level)
    found = fit_small(X, y, 1e-3, 1e-3, offset=offset, max_iter=300)
    assert found.status == endings.CONVERGED
    wanted = by_fit(X, y, 1e-3, 1e-3, offset=offset)
    assert found.end.cost == pytest.approx(float(wanted.history[-1]), rel=1e-11)


# ------------------------------------------------------------------------------------------------
# The proof


@pytest.mark.jit
@pytest.mark.parametrize("seed", range(8))
def test_the_bound_is_that_of_the_certificate(seed) -> None:
    _, X, y, weight, l1, l2 = one_problem(seed)
    objective, compared = elastic_net_of(X, y, l1, l2, weight), 0
    for max_iter in range(1, 7):
        found = fit_small(X, y, l1, l2, weight, tol=0.0, max_iter=max_iter)
        if found.status != endings.MAX_ITER or not found.end.bound < np.inf:
            continue
        there = Place(*point_of(objective, found.coef, found.end.intercept))
        with np.errstate(all="ignore"):
            wanted = CompositeCertificate(objective)._by_face(0, objective, there, 0.0)
        gain = found.end.bound * found.end.cost / (1.0 + found.end.bound)
        # Beside it stands what rounding in the units of X may cost.
        assert wanted * (1.0 - 1e-6) <= gain <= wanted * (1.0 + 1e-6) + 1e-14
        compared += 1
    assert compared >= 2


def check_truth(seed: int) -> int:
    """Compare a fit's bound with the truth at 60 digits; return whether there is one."""
    rng, X, y, weight, l1, l2 = one_problem(seed)
    tol = float(rng.choice([1e-2, 1e-5, 1e-8, 1e-12, 1e-16, 0.0]))
    coef, intercept, _ = reference.elastic_net(X, y, l1, l2, weight)
    found = fit_small(X, y, l1, l2, weight, tol=tol)
    if not np.isfinite(found.end.bound):
        assert found.status != endings.CONVERGED
        return 0
    with mpmath.workdps(DIGITS):
        least = optimum_in_digits(X, y, coef, intercept, l1, l2, weight)
        exact = ExactProblem(X, y, 1, l2, weight, None, True)
        cost = exact.cost(numbers(np.append(found.coef, found.end.intercept))[None])
        cost += sum(numbers(l1) * abs(numbers(found.coef)))
        truth = (cost - least) / least
    assert truth <= found.end.bound, f"seed {seed}: {mpmath.nstr(truth, 5)} above, {found}"
    assert found.status != endings.CONVERGED or truth <= max(tol, 1e-15)
    return 1


@pytest.mark.jit
@pytest.mark.parametrize("seed", range(20))
def test_no_bound_lies_below_the_truth(seed) -> None:
    check_truth(seed)


@pytest.mark.jit
@pytest.mark.slow(seconds=25)
def test_no_bound_lies_below_the_truth_in_hundreds_of_problems() -> None:
    # Not by proving nothing.
    assert sum(check_truth(seed) for seed in range(100, 220)) > 105


def run_seeds(seeds: range) -> int:
    """Compare with the general way, with bounds and free columns; return how many are proven."""
    proven = 0
    for seed in seeds:
        rng, X, y, weight, l1, l2 = one_problem(seed)
        l1 = l1 * (rng.random(l1.size) < 0.8)
        bounds, size = None, 1.0 / X.std(axis=0)
        if rng.random() < 0.5:
            lower = np.where(rng.random(l1.size) < 0.5, -np.inf, size * rng.uniform(-1, 0.2))
            upper = np.where(rng.random(l1.size) < 0.5, np.inf, size * rng.uniform(0.3, 1.0))
            bounds = lower, upper
        intercept = 0.4 if rng.random() < 0.2 else None
        offset = rng.standard_normal(len(y)) if rng.random() < 0.3 else None
        options = {} if intercept is None else {"intercept": intercept}
        wanted = by_fit(X, y, l1, l2, bounds, sample_weight=weight, offset=offset, **options)
        found = fit_small(X, y, l1, l2, weight, offset, bounds, intercept)
        if found.status != endings.CONVERGED:
            continue
        proven += 1
        assert wanted.suboptimality < 1e-11, (seed, wanted.message)
        costs = found.end.cost, float(wanted.history[-1])
        assert costs[0] == pytest.approx(costs[1], rel=3e-12), seed
        assert found.end.bound <= 1e-12
    return proven


@pytest.mark.jit
def test_it_finds_what_fit_finds() -> None:
    assert run_seeds(range(60)) > 50


@pytest.mark.jit
@pytest.mark.slow(seconds=30)
def test_it_finds_what_fit_finds_in_hundreds_of_problems() -> None:
    assert run_seeds(range(60, 300)) > 210


@pytest.mark.jit
def test_inside_a_users_own_parallel_loop() -> None:
    import numba

    from fastlogit import compiled

    fit, size = compiled.fit_small_l1, compiled.small_l1_work_size

    @numba.njit(parallel=True)
    def path(X, y, strengths, coefs):
        none, d = np.empty(0), X.shape[1]
        for m in numba.prange(strengths.size):
            work, history = np.empty(size(X.shape[0], d)), np.empty(101)
            l1, l2 = np.full(d, strengths[m]), np.zeros(d)
            fit(
                X, y, 1, none, none, l1, l2, none, none, 0.0, True, none, 1e-12, 100,
                work, history, coefs[m],
            )  # fmt: skip

    X, y, _, _, _ = problem(90, 5)
    strengths, coefs = np.geomspace(0.1, 1e-3, 12), np.empty((12, 5))
    path(X, y.astype(np.uint8), strengths, coefs)
    for strength, coef in zip(strengths, coefs, strict=True):
        assert fit_small(X, y, strength).coef.tobytes() == coef.tobytes()
    assert np.count_nonzero(coefs[0]) < np.count_nonzero(coefs[-1])
