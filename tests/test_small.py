"""One small model in one compiled call: against the oracle, `fit`, and exact arithmetic."""

import warnings
from fractions import Fraction
from typing import Any, NamedTuple

import mpmath
import numpy as np
import pytest
from exact import DIGITS, ExactProblem, numbers
from problems import LAYOUTS, problem, real, sized
from test_truth import hard_columns

import fastlogit
from fastlogit import reference
from fastlogit.kernels.policy import entry
from fastlogit.kernels.small import binomial, endings, layout, pieces, proofs, row_sums
from fastlogit.kernels.small.arithmetic import level_less_products

NONE = np.empty(0)


class Fitted(NamedTuple):
    status: int
    coef: Any
    intercept: float
    cost: float
    bound: float
    n_iter: int
    gradient_norm: float
    history: Any


def fit_small(
    X: Any, y: Any, weight: Any = None, offset: Any = None, l2_reg: Any = 0.0,
    intercept: float | None = None, start: Any = None, tol: float = 1e-12, max_iter: int = 100,
    positive: int = 1, as_it_lies: bool = False,
) -> Fitted:  # fmt: skip
    n_samples, n_features = X.shape
    if not as_it_lies:  # one compilation for all
        X, y = np.array(X, dtype=np.float64, order="C"), np.asarray(y).astype(np.uint8)
    work = np.full(binomial.small_work_size.serial(n_samples, n_features), np.nan)
    history, coef = np.full(max_iter + 1, np.nan), np.full(n_features, np.nan)
    l2 = np.broadcast_to(np.asarray(l2_reg, dtype=np.float64), n_features).copy()
    given = [NONE if value is None else value for value in (weight, offset, start)]
    with np.errstate(all="ignore"):  # plain Python's numbers warn
        found = binomial.fit_small.serial(
            X, y, positive, given[0], given[1], l2, 0.0 if intercept is None else intercept,
            intercept is None, given[2], tol, max_iter, work, history, coef,
        )  # fmt: skip
    return Fitted(
        found.status, coef, found.intercept, found.cost, found.bound, found.n_iter,
        found.gradient_norm, history[: found.n_iter + 1],
    )  # fmt: skip


class Case(NamedTuple):
    X: Any
    y: Any
    weight: Any
    offset: Any
    l2_reg: Any
    intercept: float | None


def random_case(seed: int) -> Case:
    """A problem that has an optimum, of plain to somewhat awkward data."""
    rng = np.random.default_rng([seed, 77])
    n_samples, n_features = int(rng.integers(30, 150)), int(rng.integers(1, 13))
    X = rng.standard_normal((n_samples, n_features)) * 10.0 ** rng.uniform(-3, 3, n_features)
    X += rng.choice([0.0, 1.0, 30.0], n_features) * X.std(axis=0)
    if rng.random() < 0.3:
        X[:, rng.integers(n_features)] = rng.choice([0.0, 1.0, 3.5])
    if rng.random() < 0.3:
        X = np.round(X / X.std(axis=0).clip(1e-9)) + 0.0
    spread = np.where(X.std(axis=0) > 0.0, X.std(axis=0), 1.0)
    z = (X - X.mean(axis=0)) / spread @ rng.standard_normal(n_features) / np.sqrt(n_features)
    y = (z + rng.logistic(size=n_samples) * 2.0 > 0.0).astype(np.uint8)
    y[:2] = [0, 1]
    weight = rng.uniform(0.0, 2.0, n_samples) if rng.random() < 0.4 else None
    if weight is not None:
        weight[rng.random(n_samples) < 0.1] = 0.0
    offset = rng.standard_normal(n_samples) * 2.0 if rng.random() < 0.4 else None
    l2_reg: Any = 10.0 ** rng.uniform(-6, 2, n_features)
    intercept = float(rng.choice([0.0, 0.7])) if rng.random() < 0.3 else None
    return Case(X, y, weight, offset, l2_reg * (rng.random() < 0.6), intercept)


def by_fit(case: Case, **options: Any) -> Any:
    if case.intercept is not None:
        options["intercept"] = case.intercept or None
    if case.weight is not None:
        options["sample_weight"] = case.weight
    if case.offset is not None:
        options["offset"] = case.offset
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return fastlogit.fit(
            case.X, case.y, l2_reg=case.l2_reg, solver="newton", tol=1e-12, **options
        )


def assert_agrees(found: Fitted, wanted: Any, X: Any) -> None:
    spread = np.maximum(X.std(axis=0), 1e-300)
    size = max(1.0, float(np.abs(wanted.coef * spread).max(initial=0.0)))
    assert (np.abs(found.coef - wanted.coef) * spread <= 2e-6 * size).all()
    middle = X.mean(axis=0)
    level = middle @ (found.coef - wanted.coef) + found.intercept - wanted.intercept
    assert abs(level) <= 2e-6 * size
    assert found.cost == pytest.approx(float(wanted.history[-1]), rel=3e-12)


def run_seeds(seeds: range) -> int:
    proven = 0
    for seed in seeds:
        case = random_case(seed)
        found = fit_small(*case)
        wanted = by_fit(case)
        if found.status == endings.CONVERGED:
            assert wanted.converged, seed
            assert found.bound <= 1e-12
            assert_agrees(found, wanted, case.X)
            proven += 1
        elif found.status == endings.NO_ROWS:
            assert case.intercept is not None
            assert (case.X == 0.0).all()
        else:
            # Not by giving up what the general way finds, but where the classes are separable, or
            # columns collinear.
            assert found.status in (endings.SEPARABLE, endings.SINGULAR, endings.MAX_ITER), (
                seed,
                found,
            )
            if found.status == endings.SEPARABLE:
                assert "separable" in wanted.message, (seed, wanted.message)
    return proven


@pytest.mark.jit
def test_it_finds_what_fit_finds() -> None:
    assert run_seeds(range(150)) > 120


@pytest.mark.jit
@pytest.mark.slow(seconds=30)
def test_it_finds_what_fit_finds_in_hundreds_of_problems() -> None:
    assert run_seeds(range(150, 500)) > 285


@pytest.mark.parametrize("shape", [(2, 1), (5, 1), (9, 3), (40, 7), (41, 8), (64, 9), (100, 16)])
@pytest.mark.parametrize("l2_reg", [0.01, 3.0])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_the_oracle(shape, l2_reg, fit_intercept) -> None:
    X, y, _, _, weight = problem(*shape)
    fixed = None if fit_intercept else 0.3
    coef, intercept, cost = reference.newton(
        X, y, sample_weight=weight, l2_reg=l2_reg, intercept=fixed
    )
    found = fit_small(X, y, weight, l2_reg=l2_reg, intercept=fixed)
    assert found.status == endings.CONVERGED
    np.testing.assert_allclose(found.coef, coef, rtol=1e-7, atol=1e-9)
    assert found.intercept == pytest.approx(intercept, rel=1e-7, abs=1e-9)
    assert found.cost == pytest.approx(cost, rel=2e-12)
    assert (np.diff(found.history) <= 1e-13).all()


@pytest.mark.parametrize("n_samples", [1, 2, 3, 8])
@pytest.mark.parametrize("n_features", [1, 5, 20])
def test_fewer_rows_than_columns(n_samples, n_features) -> None:
    X, y, _, _, _ = problem(n_samples, n_features)
    found = fit_small(X, y, l2_reg=0.1)
    if n_samples == 1:
        assert found.status == endings.ONE_CLASS
        return
    assert found.status == endings.CONVERGED
    _, _, cost = reference.newton(X, y, l2_reg=0.1)
    assert found.cost == pytest.approx(cost, rel=2e-12)


@pytest.mark.parametrize("name", ["cancer", "wine", "iris"])
@pytest.mark.parametrize("C", [0.01, 1.0, 100.0])
@pytest.mark.jit
def test_real_data(name, C) -> None:
    X, codes = real(name)
    for positive in range(len(np.unique(codes)) if name != "cancer" else 1):
        y = (codes == positive) * 1
        l2_reg = 1.0 / (C * len(y))
        found = fit_small(X, codes, l2_reg=l2_reg, positive=positive)
        wanted = by_fit(Case(X, y, None, None, l2_reg, None))
        assert found.status == endings.CONVERGED
        assert_agrees(found, wanted, X)


@pytest.mark.jit
def test_pairs_of_iris() -> None:
    X, codes = real("iris")
    for pair, status in (((0, 1), endings.SEPARABLE), ((1, 2), endings.CONVERGED)):
        rows = np.isin(codes, pair)
        found = fit_small(X[rows], codes[rows], positive=pair[1])
        assert found.status == status
        if status == endings.CONVERGED:
            wanted = by_fit(Case(X[rows], codes[rows] == pair[1], None, None, 0.0, None))
            assert_agrees(found, wanted, X[rows])
            assert found.n_iter == wanted.n_iter
            np.testing.assert_allclose(found.history, wanted.history, rtol=1e-9)
            assert found.gradient_norm <= 1e-6


@pytest.mark.jit
@pytest.mark.slow(seconds=30)
@pytest.mark.parametrize("layout", ["F", "first columns", "every second column", "read-only"])
@pytest.mark.parametrize("labels", [np.int64, np.bool_])
def test_layouts(layout, labels) -> None:
    X, y, _, _, _ = problem(50, 3)
    wanted = fit_small(X, y)
    found = fit_small(LAYOUTS[layout](X), y.astype(labels), as_it_lies=True)
    assert found.coef.tobytes() == wanted.coef.tobytes()
    assert found.history.tobytes() == wanted.history.tobytes()


# ------------------------------------------------------------------------------------------------
# Statuses


def test_separable_classes() -> None:
    x = np.arange(20.0)
    assert fit_small(x[:, None], x > 9.5).status == endings.SEPARABLE
    X, y, _, _, _ = problem(60, 4)
    X[:, 2] += 20.0 * y
    assert fit_small(X, y).status == endings.SEPARABLE
    # Penalised there is an optimum; so is there where a column without penalty does not separate.
    assert fit_small(X, y, l2_reg=1e-3).status == endings.CONVERGED
    assert fit_small(X, y, l2_reg=np.array([0.0, 0.0, 1e-3, 0.0])).status == endings.CONVERGED


def test_quasi_separable_classes_are_never_said_to_have_an_optimum() -> None:
    rng = np.random.default_rng(0)
    for _ in range(sized(200, 5)):
        X = rng.integers(0, 3, (40, 3)).astype(float)
        y = (X[:, 0] + rng.random(40) > 1.0) * 1
        y[X[:, 0] == 2.0] = 1
        found = fit_small(X, y, tol=1e-8)
        assert found.status in (
            endings.SEPARABLE,
            endings.SINGULAR,
            endings.MAX_ITER,
            endings.ROUNDING,
        )
        assert found.bound == np.inf


def test_one_class() -> None:
    X, y, _, _, _ = problem(30, 2)
    for codes in (np.zeros(30, int), np.ones(30, int)):
        assert fit_small(X, codes, l2_reg=1.0).status == endings.ONE_CLASS
    assert fit_small(X, y, (y == 1) * 1.0, l2_reg=1.0).status == endings.ONE_CLASS


def test_no_rows() -> None:
    X, y, _, _, _ = problem(30, 2)
    assert fit_small(X, y, np.zeros(30)).status == endings.NO_ROWS
    assert fit_small(X[:0], y[:0]).status == endings.NO_ROWS
    assert fit_small(X[:, :0], y, intercept=0.0).status == endings.NO_ROWS


def test_the_intercept_alone() -> None:
    y = np.array([0, 1, 1, 0, 1, 1, 1])
    for X in (np.empty((7, 0)), np.full((7, 2), [3.5, 0.0])):
        found = fit_small(X, y)
        assert found.status == endings.CONVERGED
        assert found.intercept == pytest.approx(np.log(5 / 2), rel=1e-12)
        np.testing.assert_array_equal(found.coef, 0.0)
    found = fit_small(np.full((7, 1), 2.0), y, intercept=0.0)
    assert found.coef[0] == pytest.approx(np.log(5 / 2) / 2.0, rel=1e-8)


@pytest.mark.parametrize("what", ["X", "weight", "offset", "l2_reg", "intercept", "unused row"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_numbers_that_are_not_finite(what, value) -> None:
    X, y, _, _, weight = problem(30, 2)
    case = {"weight": weight, "offset": np.zeros(30), "l2_reg": np.ones(2), "intercept": 0.3}
    if what in ("X", "unused row"):
        X[4, 1] = value
        weight[4] = 0.0 if what == "unused row" else 1.0
    elif what == "intercept":
        case[what] = value
    else:
        case[what][1] = value
    found = fit_small(X, y, **case)
    assert found.status == endings.NOT_FINITE
    assert np.isnan(found.coef).all()
    assert found.bound == np.inf


def test_collinear_columns() -> None:
    X, y, _, _, _ = problem(60, 3)
    X = np.column_stack([X, X[:, 0] * 2.0 - X[:, 1]])
    found = fit_small(X, y)
    assert found.status == endings.SINGULAR
    assert found.bound == np.inf
    assert fit_small(X, y, l2_reg=1e-4).status == endings.CONVERGED


@pytest.mark.parametrize("scale", [1e-150, 1e-300, 1e150, 1e300])
def test_columns_of_odd_sizes_are_left_to_the_general_way(scale) -> None:
    X, y, _, _, _ = problem(60, 3)
    found = fit_small(X * [scale, 1.0, 1.0], y)
    assert found.status == endings.EXTREME
    assert found.bound == np.inf


def test_a_column_far_from_zero() -> None:
    X, y, _, _, _ = problem(60, 2)
    X[:, 0] = 1e8 + np.round(X[:, 0] * 2.0**18) * 2.0**-22
    found, wanted = fit_small(X, y), fit_small(X - [1e8, 0.0], y)
    assert found.status == wanted.status == endings.CONVERGED
    assert found.cost == pytest.approx(wanted.cost, rel=1e-12)
    # The intercept, a large number, loses digits in the units of X.
    assert 1e-15 < found.bound < 1e-12
    X[:, 0] = 1e11 + np.round((X[:, 0] - 1e8) * 2.0**10) * 2.0**-15
    assert fit_small(X, y).status == endings.EXTREME


def test_shapes_and_room() -> None:
    X, y, _, _, _ = problem(30, 2)
    assert fit_small(X, y[:29]).status == endings.BAD_SHAPE
    assert fit_small(X, y, np.ones(31)).status == endings.BAD_SHAPE
    assert fit_small(X, y, None, np.ones(3)).status == endings.BAD_SHAPE
    assert fit_small(X, y, start=np.ones(2)).status == endings.BAD_SHAPE
    size = binomial.small_work_size.serial(30, 2)
    coef, l2, y = np.empty(2), np.zeros(2), y.astype(np.uint8)
    rest = (NONE, NONE, l2, 0.0, True, NONE, 1e-12, 50)
    for length, room in ((size - 1, 51), (size, 0)):
        found = binomial.fit_small.serial(X, y, 1, *rest, np.empty(length), np.empty(room), coef)
        assert found.status == endings.TOO_LARGE


@pytest.mark.parametrize("start", range(8))
def test_bits_do_not_depend_on_where_the_work_array_begins(start) -> None:
    X, y, _, _, weight = problem(53, 4)
    size, coef, history = binomial.small_work_size.serial(53, 4), np.empty(4), np.empty(51)
    work = np.full(size + 2 * start + 8, np.nan)
    found = binomial.fit_small.serial(
        X, y.astype(np.uint8), 1, weight, NONE, np.full(4, 0.01), 0.0, True, NONE, 1e-14, 50,
        work[start : start + size], history, coef,
    )  # fmt: skip
    assert found.status == endings.CONVERGED
    # Nothing is written outside.
    assert np.isnan(work[:start]).all()
    assert np.isnan(work[start + size :]).all()
    expected = fit_small(X, y, weight, l2_reg=0.01, tol=1e-14, max_iter=50)
    np.testing.assert_array_equal(coef, expected.coef)
    assert (found.cost, found.bound) == (expected.cost, expected.bound)


def test_iterations_end_at_their_limit() -> None:
    X, y, _, _, _ = problem(60, 3)
    whole = fit_small(X, y)
    for max_iter in range(whole.n_iter):
        found = fit_small(X, y, max_iter=max_iter)
        assert found.status == endings.MAX_ITER
        assert found.n_iter == max_iter
        np.testing.assert_array_equal(found.history, whole.history[: max_iter + 1])
        assert found.bound > 1e-12
    again = fit_small(X, y, start=np.append(whole.coef, whole.intercept), max_iter=0)
    assert again.status == endings.CONVERGED
    assert again.n_iter == 0
    np.testing.assert_allclose(again.coef, whole.coef, rtol=1e-15)


def test_a_tolerance_of_zero_ends_by_rounding() -> None:
    X, y, _, _, _ = problem(60, 3)
    found = fit_small(X, y, tol=0.0)
    assert found.status == endings.ROUNDING
    assert found.bound < 1e-15


# ------------------------------------------------------------------------------------------------
# Starts


@pytest.mark.parametrize("size", [0.0, 1.0, 1e3, 1e8, 1e100, 1e300])
def test_it_converges_from_any_start(size) -> None:
    X, y, _, _, _ = problem(80, 3)
    wanted = fit_small(X, y)
    for seed in range(sized(10, 1)):
        start = np.random.default_rng(seed).standard_normal(4) * size
        found = fit_small(X, y, start=start, max_iter=300)
        assert found.status == endings.CONVERGED
        np.testing.assert_allclose(found.coef, wanted.coef, rtol=1e-6)


@pytest.mark.parametrize("level", [30.0, -45.0, 300.0, 1e4])
def test_offsets_that_predict_surely(level) -> None:
    """The curvature is next to 0 where the fit begins: steps go down the majorising bound."""
    X, y, _, _, _ = problem(60, 3)
    offset = np.where(np.arange(60) % 2 == 0, level, -level)
    found = fit_small(X, y, offset=offset, l2_reg=1e-3, max_iter=300)
    wanted = by_fit(Case(X, y, None, offset, 1e-3, None))
    assert found.status == endings.CONVERGED
    assert found.cost == pytest.approx(float(wanted.history[-1]), rel=1e-11)
    fixed = fit_small(X, y, l2_reg=1e-3, intercept=level, max_iter=300)
    wanted = by_fit(Case(X, y, None, None, 1e-3, level))
    assert fixed.status == endings.CONVERGED
    assert fixed.cost == pytest.approx(float(wanted.history[-1]), rel=1e-11)


# ------------------------------------------------------------------------------------------------
# Truth


def check_truth(seed: int) -> int:
    rng = np.random.default_rng([seed, 5])
    n_samples, n_features = int(rng.integers(20, 60)), int(rng.integers(1, 5))
    X = hard_columns(rng, n_samples, n_features)
    if rng.random() < 0.7:
        X /= np.where(np.abs(X) > 1e100, 1e150, 1.0)
        X *= np.where(np.abs(X) < 1e-100, 1e150, 1.0)
    units = np.abs(X - X.mean(axis=0)).mean(axis=0)
    z = (X - X.mean(axis=0)) / np.where(units > 0.0, units, 1.0) @ rng.standard_normal(n_features)
    y = (np.clip(z, -3, 3) + rng.logistic(size=n_samples) * 1.5 > 0.0) * 1
    y[:2] = [0, 1]
    weight = 10.0 ** rng.uniform(-4, 4, n_samples) if rng.random() < 0.4 else None
    several = n_features if rng.random() < 0.3 else None
    l2_reg: Any = 10.0 ** rng.uniform(-8, 1, several) if rng.random() < 0.5 else 0.0
    intercept = float(rng.choice([0.0, 3.0, -30.0])) if rng.random() < 0.4 else None
    offset = None
    if rng.random() < 0.3:
        offset = rng.standard_normal(n_samples) * rng.choice([1.0, 20.0]) + rng.choice([0.0, 50.0])
    tol = float(rng.choice([1e-3, 1e-6, 1e-8, 1e-12, 1e-16, 0.0]))
    found = fit_small(X, y, weight, offset, l2_reg, intercept, tol=tol, max_iter=200)
    if not np.isfinite(found.bound):
        assert found.status != endings.CONVERGED
        return 0
    with mpmath.workdps(DIGITS):
        exact = ExactProblem(
            X, y, 1, l2_reg, weight, None if offset is None else offset[:, None], intercept is None
        )
        theta = numbers(np.append(found.coef, found.intercept)[None])
        lowest = exact.optimum(theta)
        assert lowest is not None, f"seed {seed}: no optimum, but a bound of {found.bound:.3g}"
        truth = (exact.cost(theta) - lowest) / lowest
        at_end = abs(mpmath.mpf(float(found.cost)) - exact.cost(theta)) / lowest
    assert truth <= found.bound, f"seed {seed}: {mpmath.nstr(truth, 5)} above, {found}"
    if found.status == endings.CONVERGED and tol > 0.0:
        assert truth <= tol
        # The cost told is that of a point less than the tolerance away.
        assert at_end <= tol + 1e-12
    return 1


@pytest.mark.jit
@pytest.mark.parametrize("seed", range(20))
def test_no_bound_lies_below_the_truth(seed) -> None:
    check_truth(seed)


@pytest.mark.jit
@pytest.mark.slow(seconds=20)
def test_no_bound_lies_below_the_truth_in_hundreds_of_hard_problems() -> None:
    # Not by proving nothing.
    assert sum(check_truth(seed) for seed in range(100, 300)) > 90


# ------------------------------------------------------------------------------------------------
# Pieces


@pytest.mark.parametrize("shape", [(1, 1), (7, 3), (64, 9)])
@pytest.mark.parametrize("weighted", [True, False])
def test_pieces(shape, weighted, rng) -> None:
    X, y, coef, intercept, weight = problem(*shape)
    offset = rng.standard_normal(shape[0]) * 3.0 if weighted else None
    l2_reg = rng.uniform(0.0, 2.0, shape[1])
    options = {"sample_weight": weight if weighted else None, "offset": offset}
    given = weight if weighted else NONE, NONE if offset is None else offset
    work, gradient = np.full(2 * shape[0], np.nan), np.full(shape[1] + 1, np.nan)
    cost = pieces.cost_gradient_small.serial(
        X, y, 1, *given, l2_reg, coef, intercept, work, gradient
    )
    wanted, slopes, level = reference.cost_gradient(X, y, coef, intercept, l2_reg, **options)
    assert cost == pytest.approx(wanted, rel=1e-14)
    np.testing.assert_allclose(gradient, np.append(slopes, level), rtol=1e-12, atol=1e-15)
    hessian = np.full((shape[1] + 1, shape[1] + 1), np.nan)
    pieces.hessian_small.serial(X, *given, l2_reg, coef, intercept, work, hessian)
    wanted = reference.hessian(X, coef, intercept, l2_reg, **options)
    np.testing.assert_allclose(hessian, wanted, rtol=1e-12, atol=1e-15)
    proba = np.full(shape[0], np.nan)
    pieces.predict_small.serial(X, coef, intercept, given[1], proba)
    z = reference.raw_prediction(X, coef, intercept) + (0.0 if offset is None else offset)
    np.testing.assert_allclose(proba, reference.sigmoid(z), rtol=1e-13)


def test_a_row_without_weight_counts_for_nothing() -> None:
    X, y, coef, intercept, weight = problem(20, 3)
    weight[[3, 9]] = 0.0
    used = weight > 0.0
    l2, work = np.zeros(3), np.empty(40)
    X[3] = 1e300
    coef = np.abs(coef) * 1e10
    both = []
    for rows in (np.ones(20, bool), used):
        gradient = np.empty(4)
        with np.errstate(all="ignore"):
            cost = pieces.cost_gradient_small.serial(
                X[rows], y[rows], 1, weight[rows], NONE, l2, coef, intercept, work, gradient
            )
        both.append([cost, *gradient])
    np.testing.assert_allclose(*both, rtol=1e-13)


def _levels(level: float, work: Any, count: int) -> float:
    return level_less_products(level, 1.0, work, 0, count, count)


levels = entry(_levels)


def test_intercepts_are_rounded_once(rng) -> None:
    """A product that LLVM merges into a sum has no error of its own: it was counted twice."""
    for _ in range(sized(300, 20)):
        count = int(rng.integers(1, 6))
        slopes, center = rng.standard_normal((2, count)) * 10.0 ** rng.uniform(-8, 8, (2, count))
        level = float(slopes @ center * (1.0 + 10.0 ** -rng.uniform(0, 15)))
        exact = Fraction(level) - sum(
            Fraction(a) * Fraction(b) for a, b in zip(slopes, center, strict=True)
        )
        found = levels.serial(level, np.concatenate([slopes, center]), count)
        assert abs(Fraction(found) - exact) <= Fraction(0.501 * np.spacing(abs(float(exact))))


def test_intercepts_that_overflow() -> None:
    with np.errstate(all="ignore"):
        assert levels.serial(1.0, np.array([1e300, 1e300]), 1) == -np.inf


# ------------------------------------------------------------------------------------------------
# Inside compiled code


def _compiled() -> Any:
    """A user's own functions: many fits in a parallel loop, in a serial one, and one by itself."""
    import numba

    serial, size = binomial.fit_small.serial, binomial.small_work_size.serial

    @numba.njit(parallel=True)
    def in_parallel(X, codes, n_threads, l2_reg, costs, coefs, statuses):
        none, d = np.empty(0), X.shape[1]
        length = size(X.shape[0], d)
        work, history = np.empty((n_threads, length)), np.empty((n_threads, 101))
        for block in numba.prange(n_threads):
            for m in range(block, len(codes), n_threads):
                found = serial(
                    X, codes[m], 1, none, none, l2_reg, 0.0, True, none, 1e-12, 100,
                    work[block], history[block], coefs[m, :d],
                )  # fmt: skip
                coefs[m, d] = found.intercept
                costs[m], statuses[m] = found.cost, found.status

    @numba.njit(fastmath=True)
    def in_turn(X, codes, n_threads, l2_reg, costs, coefs, statuses):
        none, d = np.empty(0), X.shape[1]
        work, history = np.empty(size(X.shape[0], d)), np.empty(101)
        for m in range(len(codes)):
            found = serial(
                X, codes[m], 1, none, none, l2_reg, 0.0, True, none, 1e-12, 100,
                work, history, coefs[m, :d],
            )  # fmt: skip
            coefs[m, d] = found.intercept
            costs[m], statuses[m] = found.cost, found.status

    return in_parallel, in_turn


@pytest.mark.jit
def test_many_fits_inside_a_users_own_loops_have_the_same_bits() -> None:
    X, _, coef, _, _ = problem(90, 5)
    rng = np.random.default_rng(3)
    codes = (X @ coef / 3.0 + rng.logistic(size=(40, 90)) > 0.0).astype(np.uint8)
    codes[7] = 1
    l2_reg = np.full(5, 1e-3)
    wanted = [fit_small(X, y, l2_reg=l2_reg) for y in codes]
    for loop in _compiled():
        costs, statuses = np.empty(40), np.empty(40, dtype=np.int64)
        coefs = np.empty((40, 6))
        loop(X, codes, 4, l2_reg, costs, coefs, statuses)
        assert list(statuses) == [found.status for found in wanted]
        assert statuses[7] == endings.ONE_CLASS
        for m, found in enumerate(wanted):
            assert coefs[m].tobytes() == np.append(found.coef, found.intercept).tobytes()
            assert costs[m].tobytes() == np.float64(found.cost).tobytes()


@pytest.mark.jit
def test_nothing_is_allocated() -> None:
    import numba
    from numba.core.runtime import _nrt_python, rtsys

    _nrt_python.memsys_enable_stats()
    serial, cost_gradient = binomial.fit_small.serial, pieces.cost_gradient_small.serial
    hessian_small, predict = pieces.hessian_small.serial, pieces.predict_small.serial

    @numba.njit
    def many(times, X, y, none, l2_reg, start, work, history, coef, hessian):
        for _ in range(times):
            serial(X, y, 1, none, none, l2_reg, 0.0, True, start, 1e-12, 100, work, history, coef)
            cost_gradient(X, y, 1, none, none, l2_reg, coef, 0.0, work, history)
            hessian_small(X, none, none, l2_reg, coef, 0.0, work, hessian)
            predict(X, coef, 0.0, none, work)

    X, y, _, _, _ = problem(60, 3)
    given = (
        X, y.astype(np.uint8), np.empty(0), np.zeros(3), np.full(4, 1e5), np.empty(5000),
        np.empty(101), np.empty(3), np.empty((4, 4)),
    )  # fmt: skip
    many(1, *given)
    counts = []
    for times in (1, 50):  # arrays that come from Python cost a few
        before = rtsys.get_allocation_stats()
        many(times, *given)
        after = rtsys.get_allocation_stats()
        counts.append((after.alloc - before.alloc, after.mi_alloc - before.mi_alloc))
    assert counts[0] == counts[1]


def test_stated_bounds() -> None:
    for bound, wanted in ((0.0, 2.0**-53), (1e-12, 1e-12), (1.0, 1.0), (np.inf, np.inf)):
        assert proofs.stated_bound.serial(bound) == pytest.approx(wanted, rel=1e-3)


def _products_by(tiles: Any) -> Any:
    def products(work: Any, n_samples: int, n_features: int, curvature: Any) -> Any:
        at = layout.lay_out(work, n_samples, n_features, n_features)
        for row in range(n_samples):
            work[at.scaled + row] = work[at.columns + row] * curvature[row]
            work[at.scaled + at.height + row] = work[at.columns + at.height + row] * curvature[row]
        tiles(work, at, n_features - 1 - (n_features - 1) % 2, 0, 0, at.height)
        return at

    return entry(products, name=f"products_{tiles.__name__}").serial


NARROW, WIDE = _products_by(row_sums.add_tiles), _products_by(row_sums.add_wide_tiles)


@pytest.mark.parametrize("n_features", [2, 3, 5, 6, 9])
def test_wide_tiles_have_the_bits_of_narrow_ones(n_features, rng) -> None:
    """Which of them a machine takes depends on its registers."""
    n_samples = 37
    work, found = np.zeros(binomial.small_work_size.serial(n_samples, n_features)), []
    at = NARROW(work, n_samples, n_features, np.zeros(n_samples))
    for column in range(n_features):
        begin = at.columns + column * at.height
        work[begin : begin + n_samples] = rng.standard_normal(n_samples)
    matrix = work[at.matrix : at.matrix + at.width * at.width]
    for products in (NARROW, WIDE):
        matrix[:] = 0.0
        products(work, n_samples, n_features, np.ones(n_samples))
        found.append(matrix.copy())
    np.testing.assert_array_equal(*found)
    assert found[0].any()
