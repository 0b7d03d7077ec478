"""One small softmax in one compiled call: against the oracle, `fit`, and exact arithmetic."""

import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import mpmath
import numba
import numpy as np
import pytest
from exact import DIGITS, ExactProblem, numbers
from problems import LAYOUTS, real, sized, three_classes
from test_truth import hard_columns

import fastlogit
from fastlogit import reference
from fastlogit.kernels.small import endings, softmax, softmax_cg, softmax_intake

NONE, NO_TABLE = np.empty(0), np.empty((0, 0))


class Fitted(NamedTuple):
    status: int
    coef: Any
    intercept: Any
    cost: float
    bound: float
    n_iter: int
    gradient_norm: float
    history: Any


def fit_small(
    X: Any, y: Any, n_classes: int = 3, weight: Any = None, offset: Any = None, l2_reg: Any = 0.0,
    fit_intercept: bool = True, start: Any = None, tol: float = 1e-12, max_iter: int = 100,
    as_it_lies: bool = False, by_products: bool = False,
) -> Fitted:  # fmt: skip
    """By the kernel that forms the Hessian, or by the one of conjugate gradients."""
    n_samples, n_features = X.shape
    if not as_it_lies:  # one compilation for all
        X, y = np.array(X, dtype=np.float64, order="C"), np.asarray(y).astype(np.uint8)
    method, room = softmax.fit_small_softmax, softmax.small_softmax_work_size
    if by_products:
        method, room = softmax_cg.fit_small_softmax_cg, softmax_cg.small_softmax_cg_work_size
    size = room.serial(n_samples, n_features, n_classes)
    work, history = np.full(size, np.nan), np.full(max_iter + 1, np.nan)
    coef, intercept = np.full((n_features, n_classes), np.nan), np.full(n_classes, np.nan)
    l2 = np.broadcast_to(np.asarray(l2_reg, dtype=np.float64), n_features).copy()
    with np.errstate(all="ignore"):  # plain Python's numbers warn
        found = method.serial(
            X, y, NONE if weight is None else weight, NO_TABLE if offset is None else offset, l2,
            fit_intercept, NO_TABLE if start is None else start, tol, max_iter, work, history,
            coef, intercept,
        )  # fmt: skip
    return Fitted(
        found.status, coef, intercept, found.cost, found.bound, found.n_iter, found.gradient_norm,
        history[: found.n_iter + 1],
    )  # fmt: skip


class Case(NamedTuple):
    X: Any
    y: Any
    n_classes: int
    weight: Any
    offset: Any
    l2_reg: Any
    fit_intercept: bool


def random_case(seed: int) -> Case:
    """A problem that most often has an optimum, of plain to somewhat awkward data."""
    rng = np.random.default_rng([seed, 78])
    n_samples, n_features = int(rng.integers(40, 150)), int(rng.integers(1, 8))
    n_classes = int(rng.choice([3, 3, 4, 6]))
    X = rng.standard_normal((n_samples, n_features)) * 10.0 ** rng.uniform(-3, 3, n_features)
    X += rng.choice([0.0, 1.0, 30.0], n_features) * X.std(axis=0)
    if rng.random() < 0.3:
        X[:, rng.integers(n_features)] = rng.choice([0.0, 1.0, 3.5])
    if rng.random() < 0.3:
        X = np.round(X / X.std(axis=0).clip(1e-9)) + 0.0
    spread = np.where(X.std(axis=0) > 0.0, X.std(axis=0), 1.0)
    coef = rng.standard_normal((n_features, n_classes)) / np.sqrt(n_features)
    z = (X - X.mean(axis=0)) / spread @ coef + rng.gumbel(size=(n_samples, n_classes)) * 1.5
    y = z.argmax(axis=1)
    y[:n_classes] = np.arange(n_classes)
    weight = rng.uniform(0.0, 2.0, n_samples) if rng.random() < 0.4 else None
    if weight is not None:
        weight[n_classes:][rng.random(n_samples - n_classes) < 0.1] = 0.0
    offset = rng.standard_normal((n_samples, n_classes)) * 2.0 if rng.random() < 0.4 else None
    l2_reg = 10.0 ** rng.uniform(-6, 2, n_features) * (rng.random() < 0.6)
    return Case(X, y, n_classes, weight, offset, l2_reg, bool(rng.random() < 0.7))


def by_fit(case: Case, **options: Any) -> Any:
    """By `fit`, in tests that make it take the general way."""
    if not case.fit_intercept:
        options["intercept"] = None
    if case.weight is not None:
        options["sample_weight"] = case.weight
    if case.offset is not None:
        options["offset"] = case.offset
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return fastlogit.fit(
            case.X, case.y, l2_reg=case.l2_reg, solver="newton", tol=1e-12,
            multi_class="multinomial", **options,
        )  # fmt: skip


def assert_agrees(found: Fitted, wanted: Any, X: Any) -> None:
    spread = np.maximum(X.std(axis=0), 1e-300)[:, None]
    size = max(1.0, float(np.abs(wanted.coef * spread).max(initial=0.0)))
    assert (np.abs(found.coef - wanted.coef) * spread <= 4e-6 * size).all()
    middle = X.mean(axis=0)
    level = middle @ (found.coef - wanted.coef) + found.intercept - wanted.intercept
    assert (np.abs(level) <= 4e-6 * size).all()
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
            assert not case.fit_intercept
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
@pytest.mark.usefixtures("the_general_way")
def test_it_finds_what_fit_finds() -> None:
    assert run_seeds(range(100)) > 85


@pytest.mark.jit
@pytest.mark.usefixtures("the_general_way")
@pytest.mark.slow(seconds=30)
def test_it_finds_what_fit_finds_in_hundreds_of_problems() -> None:
    assert run_seeds(range(150, 400)) > 200


@pytest.mark.parametrize("shape", [(6, 1), (9, 3), (40, 7), (41, 8), (64, 9)])
@pytest.mark.parametrize("l2_reg", [0.01, 3.0])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_the_oracle(shape, l2_reg, fit_intercept, rng) -> None:
    X, codes = three_classes(*shape)
    weight, offset = rng.uniform(0.5, 2.0, shape[0]), rng.standard_normal((shape[0], 3))
    coef, intercept, cost = reference.multinomial_newton(
        X, codes, 3, l2_reg=l2_reg, sample_weight=weight, offset=offset,
        fit_intercept=fit_intercept,
    )  # fmt: skip
    found = fit_small(X, codes, 3, weight, offset, l2_reg, fit_intercept)
    assert found.status == endings.CONVERGED
    np.testing.assert_allclose(found.coef, coef, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(found.intercept, intercept, rtol=1e-6, atol=1e-8)
    assert found.cost == pytest.approx(cost, rel=2e-12)
    assert (np.diff(found.history) <= 1e-13).all()
    np.testing.assert_allclose(found.coef.sum(axis=1), 0.0, atol=1e-12)
    assert abs(found.intercept.sum()) <= 1e-12


@pytest.mark.parametrize("n_features", [1, 20])
def test_fewer_rows_than_columns(n_features) -> None:
    X, codes = three_classes(4, n_features)
    found = fit_small(X, codes, l2_reg=0.1)
    assert found.status == endings.CONVERGED
    _, _, cost = reference.multinomial_newton(X, codes, 3, l2_reg=0.1)
    assert found.cost == pytest.approx(cost, rel=2e-12)


def test_two_classes_are_a_binomial_model() -> None:
    """z = z_1 - z_0, at half the coefficients each: twice the strength on their difference."""
    X, codes = three_classes(50, 3)
    y = codes == 1
    found = fit_small(X, y, 2, l2_reg=0.2)
    coef, intercept, _ = reference.newton(X, y, l2_reg=0.1)
    assert found.status == endings.CONVERGED
    np.testing.assert_allclose(found.coef[:, 1] - found.coef[:, 0], coef, rtol=1e-6)
    assert found.intercept[1] - found.intercept[0] == pytest.approx(intercept, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("name", ["wine", "iris"])
@pytest.mark.parametrize("C", [0.01, 1.0, 100.0])
@pytest.mark.jit
@pytest.mark.usefixtures("the_general_way")
def test_real_data(name, C) -> None:
    X, codes = real(name)
    case = Case(X, codes, 3, None, None, 1.0 / (C * len(codes)), True)
    found, wanted = fit_small(*case), by_fit(case)
    assert found.status == endings.CONVERGED
    assert_agrees(found, wanted, X)
    assert abs(found.n_iter - wanted.n_iter) <= 1
    assert found.gradient_norm <= 1e-6


@pytest.mark.jit
@pytest.mark.slow(seconds=40)
@pytest.mark.parametrize("layout", ["F", "first columns", "every second column", "read-only"])
@pytest.mark.parametrize("labels", [np.int64, np.float64])
def test_layouts(layout, labels) -> None:
    X, codes = three_classes(50, 3)
    wanted = fit_small(X, codes)
    found = fit_small(LAYOUTS[layout](X), codes.astype(labels), as_it_lies=True)
    assert found.coef.tobytes() == wanted.coef.tobytes()
    assert found.history.tobytes() == wanted.history.tobytes()


# ------------------------------------------------------------------------------------------------
# Statuses


def test_separable_classes() -> None:
    x = np.arange(30.0)
    y = np.repeat([0, 1, 2], 10)
    assert fit_small(x[:, None], y).status == endings.SEPARABLE
    assert fit_small(x[:, None], y, l2_reg=1e-3).status == endings.CONVERGED
    X, codes = three_classes(60, 4)
    X[:, 2] += 20.0 * (codes == 2)
    assert fit_small(X, codes).status == endings.SEPARABLE  # one class from the two others
    # Penalised there is an optimum; so is there where a column without penalty does not separate.
    assert fit_small(X, codes, l2_reg=1e-3).status == endings.CONVERGED
    assert fit_small(X, codes, l2_reg=np.array([0.0, 0.0, 1e-3, 0.0])).status == endings.CONVERGED


def test_quasi_separable_classes_are_never_said_to_have_an_optimum() -> None:
    rng = np.random.default_rng(0)
    for _ in range(sized(200, 3)):
        X = rng.integers(0, 2, (40, 2)).astype(float)
        y = rng.integers(0, 3, 40)
        y[X[:, 0] == 1.0] = 2
        found = fit_small(X, y, tol=1e-8)
        assert found.status in (
            endings.SEPARABLE,
            endings.SINGULAR,
            endings.MAX_ITER,
            endings.ROUNDING,
        )
        assert found.bound == np.inf


def test_a_class_without_weight() -> None:
    X, codes = three_classes(30, 2)
    assert fit_small(X, np.minimum(codes, 1), l2_reg=1.0).status == endings.ONE_CLASS
    assert fit_small(X, codes, 3, (codes != 1) * 1.0, l2_reg=1.0).status == endings.ONE_CLASS
    assert fit_small(X, codes, 4, l2_reg=1.0).status == endings.ONE_CLASS


def test_no_rows() -> None:
    X, codes = three_classes(30, 2)
    assert fit_small(X, codes, 3, np.zeros(30)).status == endings.NO_ROWS
    assert fit_small(X[:0], codes[:0]).status == endings.NO_ROWS
    assert fit_small(X[:, :0], codes, fit_intercept=False).status == endings.NO_ROWS


def test_the_intercepts_alone() -> None:
    y = np.array([0, 1, 1, 2, 1, 2, 1])
    wanted = np.log([1.0, 4.0, 2.0])
    for X in (np.empty((7, 0)), np.full((7, 2), [3.5, 0.0])):
        found = fit_small(X, y)
        assert found.status == endings.CONVERGED
        np.testing.assert_allclose(found.intercept, wanted - wanted.mean(), atol=1e-12)
        np.testing.assert_array_equal(found.coef, 0.0)


@pytest.mark.parametrize("what", ["X", "weight", "offset", "l2_reg", "unused row"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_numbers_that_are_not_finite(what, value) -> None:
    X, codes = three_classes(30, 2)
    case = {"weight": np.ones(30), "offset": np.zeros((30, 3)), "l2_reg": np.ones(2)}
    if what in ("X", "unused row"):
        X[4, 1] = value
        case["weight"][4] = 0.0 if what == "unused row" else 1.0
    else:
        case[what][1] = value
    found = fit_small(X, codes, **case)
    assert found.status == endings.NOT_FINITE
    assert np.isnan(found.coef).all()
    assert np.isnan(found.intercept).all()
    assert found.bound == np.inf


def test_collinear_columns() -> None:
    X, codes = three_classes(60, 3)
    X = np.column_stack([X, X[:, 0] * 2.0 - X[:, 1]])
    found = fit_small(X, codes)
    assert found.status == endings.SINGULAR
    assert found.bound == np.inf
    assert fit_small(X, codes, l2_reg=1e-4).status == endings.CONVERGED


@pytest.mark.parametrize("scale", [1e-150, 1e-300, 1e150, 1e300])
def test_columns_of_odd_sizes_are_left_to_the_general_way(scale) -> None:
    X, codes = three_classes(60, 3)
    found = fit_small(X * [scale, 1.0, 1.0], codes)
    assert found.status == endings.EXTREME
    assert found.bound == np.inf


@pytest.mark.parametrize("scale", [1e-100, 1e100])
def test_weights_and_columns_of_any_usual_size(scale) -> None:
    X, codes = three_classes(60, 3)
    wanted = fit_small(X, codes, l2_reg=0.1)
    for found in (
        fit_small(X, codes, 3, np.full(60, scale), l2_reg=0.1),
        fit_small(X * scale, codes, l2_reg=0.1 * scale * scale),
    ):
        assert found.status == endings.CONVERGED
        assert found.cost == pytest.approx(wanted.cost, rel=1e-12)


def test_a_column_far_from_zero() -> None:
    X, codes = three_classes(60, 2)
    X[:, 0] = 1e8 + np.round(X[:, 0] * 2.0**18) * 2.0**-22
    found, wanted = fit_small(X, codes), fit_small(X - [1e8, 0.0], codes)
    assert found.status == wanted.status == endings.CONVERGED
    assert found.cost == pytest.approx(wanted.cost, rel=1e-12)
    # The intercepts, large numbers, lose digits in the units of X.
    assert 1e-15 < found.bound < 1e-11


def test_shapes_and_room() -> None:
    X, codes = three_classes(30, 2)
    assert fit_small(X, codes[:29]).status == endings.BAD_SHAPE
    assert fit_small(X, codes, 3, np.ones(31)).status == endings.BAD_SHAPE
    assert fit_small(X, codes, 3, None, np.ones((3, 3))).status == endings.BAD_SHAPE
    assert fit_small(X, codes, 3, None, np.ones((30, 2))).status == endings.BAD_SHAPE
    assert fit_small(X, codes, start=np.ones((2, 3))).status == endings.BAD_SHAPE
    assert fit_small(X, codes, start=np.ones((3, 2))).status == endings.BAD_SHAPE
    assert fit_small(X, codes, 2).status == endings.BAD_SHAPE  # a label that is none
    assert fit_small(X, codes, 1).status == endings.BAD_SHAPE
    size = softmax.small_softmax_work_size.serial(30, 2, 3)
    y, coef, intercept = codes.astype(np.uint8), np.empty((2, 3)), np.empty(3)
    given = (X, y, NONE, NO_TABLE, np.zeros(2), True, NO_TABLE, 1e-12, 50)
    for length, room in ((size - 1, 51), (size, 0)):
        found = softmax.fit_small_softmax.serial(
            *given, np.empty(length), np.empty(room), coef, intercept
        )
        assert found.status == endings.TOO_LARGE


def test_labels_that_are_no_codes() -> None:
    X, codes = three_classes(30, 2)
    for label in (-1.0, 0.5, 3.0, np.nan, np.inf):
        y = codes.astype(float)
        y[7] = label
        assert fit_small(X, y, l2_reg=0.1, as_it_lies=True).status == endings.BAD_SHAPE


@pytest.mark.jit
def test_codes_without_sign_of_eight_bytes() -> None:
    """Beside -1 numba makes float64 of them, which is no index: it did not compile."""
    look = softmax_intake.look_at_classes

    @numba.njit
    def status(labels, seen):
        return look(labels, 3, NONE, seen)

    for last, wanted in (
        (2, endings.CONVERGED),
        (3, endings.BAD_SHAPE),
        (2**64 - 1, endings.BAD_SHAPE),
    ):
        labels = np.array([0, 1, last], dtype=np.uint64)
        assert status(labels, np.empty(3)) == wanted


def test_iterations_end_at_their_limit() -> None:
    X, codes = three_classes(60, 3)
    whole = fit_small(X, codes)
    for max_iter in range(whole.n_iter):
        found = fit_small(X, codes, max_iter=max_iter)
        assert found.status == endings.MAX_ITER
        assert found.n_iter == max_iter
        np.testing.assert_array_equal(found.history, whole.history[: max_iter + 1])
        assert found.bound > 1e-12
    again = fit_small(X, codes, start=np.vstack([whole.coef, whole.intercept]), max_iter=0)
    assert again.status == endings.CONVERGED
    assert again.n_iter == 0
    np.testing.assert_allclose(again.coef, whole.coef, rtol=1e-13, atol=1e-15)


def test_a_tolerance_of_zero_ends_by_rounding() -> None:
    X, codes = three_classes(60, 3)
    found = fit_small(X, codes, tol=0.0)
    assert found.status == endings.ROUNDING
    assert found.bound < 1e-15


# ------------------------------------------------------------------------------------------------
# Starts


@pytest.mark.parametrize("size", [0.0, 1.0, 1e3, 1e8, 1e100, 1e300])
def test_it_converges_from_any_start(size) -> None:
    X, codes = three_classes(80, 3)
    wanted = fit_small(X, codes)
    for seed in range(sized(10, 1)):
        start = np.random.default_rng(seed).standard_normal((4, 3)) * size
        found = fit_small(X, codes, start=start, max_iter=300)
        assert found.status == endings.CONVERGED
        np.testing.assert_allclose(found.coef, wanted.coef, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("level", [30.0, -45.0, 300.0])
@pytest.mark.jit
@pytest.mark.usefixtures("the_general_way")
def test_offsets_that_predict_surely(level) -> None:
    """The curvature is next to 0 where the fit begins: steps go down the majorising bound."""
    X, codes = three_classes(60, 3)
    offset = np.zeros((60, 3))
    offset[np.arange(60), np.arange(60) // 2 % 3] = level
    found = fit_small(X, codes, 3, None, offset, 1e-3, max_iter=300)
    wanted = by_fit(Case(X, codes, 3, None, offset, 1e-3, True))
    assert found.status == endings.CONVERGED
    assert found.cost == pytest.approx(float(wanted.history[-1]), rel=1e-11)


# ------------------------------------------------------------------------------------------------
# Truth


def check_truth(seed: int, by_products: bool = False) -> int:
    rng = np.random.default_rng([seed, 6])
    n_samples, n_features = int(rng.integers(20, 50)), int(rng.integers(1, 4))
    n_classes = int(rng.choice([3, 3, 4]))
    X = hard_columns(rng, n_samples, n_features)
    if rng.random() < 0.7:
        X /= np.where(np.abs(X) > 1e100, 1e150, 1.0)
        X *= np.where(np.abs(X) < 1e-100, 1e150, 1.0)
    units = np.abs(X - X.mean(axis=0)).mean(axis=0)
    z = (X - X.mean(axis=0)) / np.where(units > 0.0, units, 1.0) @ rng.standard_normal(n_features)
    noise = rng.logistic(size=n_samples) * 1.5
    y = np.digitize(np.clip(z, -3, 3) + noise, np.linspace(-1.0, 1.0, n_classes - 1))
    y[:n_classes] = np.arange(n_classes)
    weight = 10.0 ** rng.uniform(-4, 4, n_samples) if rng.random() < 0.4 else None
    if weight is not None and rng.random() < 0.5:
        weight[n_classes:][rng.random(n_samples - n_classes) < 0.2] = 0.0
    several = n_features if rng.random() < 0.3 else None
    l2_reg: Any = 10.0 ** rng.uniform(-8, 1, several) if rng.random() < 0.6 else 0.0
    if by_products and np.ndim(l2_reg) == 0 and l2_reg == 0.0:
        l2_reg = 10.0 ** rng.uniform(-6, 0)
    fit_intercept = bool(rng.random() < 0.7)
    offset = None
    if rng.random() < 0.3:
        offset = rng.standard_normal((n_samples, n_classes)) * rng.choice([1.0, 20.0])
        offset += rng.choice([0.0, 50.0])
    tol = float(rng.choice([1e-3, 1e-6, 1e-8, 1e-12, 1e-16, 0.0]))
    found = fit_small(
        X, y, n_classes, weight, offset, l2_reg, fit_intercept, tol=tol, max_iter=200,
        by_products=by_products,
    )  # fmt: skip
    if not np.isfinite(found.bound):
        assert found.status != endings.CONVERGED
        return 0
    with mpmath.workdps(DIGITS):
        exact = ExactProblem(X, y, n_classes, l2_reg, weight, offset, fit_intercept)
        theta = numbers(np.column_stack([found.coef.T, found.intercept]))
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
@pytest.mark.parametrize("seed", range(10))
def test_no_bound_lies_below_the_truth(seed) -> None:
    check_truth(seed)


@pytest.mark.jit
@pytest.mark.slow(seconds=40)
def test_no_bound_lies_below_the_truth_in_hundreds_of_hard_problems() -> None:
    # Not by proving nothing.
    assert sum(check_truth(seed) for seed in range(100, 200)) > 45


# ------------------------------------------------------------------------------------------------
# Conjugate gradients


def run_seeds_by_products(seeds: range) -> int:
    proven = 0
    for seed in seeds:
        case = random_case(seed)
        strengths = 10.0 ** np.random.default_rng(seed).uniform(-5, 1, case.X.shape[1])
        case = case._replace(l2_reg=strengths)
        found, wanted = fit_small(*case, by_products=True), by_fit(case)
        if found.status == endings.CONVERGED:
            assert found.bound <= 1e-12
            assert_agrees(found, wanted, case.X)
            proven += 1
        else:
            # Beside a column of 1e9 and no intercept the penalty proves nothing.
            assert found.status in (endings.NO_ROWS, endings.ROUNDING), (seed, found)
            assert found.bound == np.inf
    return proven


@pytest.mark.jit
@pytest.mark.usefixtures("the_general_way")
def test_conjugate_gradients_find_what_fit_finds() -> None:
    assert run_seeds_by_products(range(60)) > 55


@pytest.mark.jit
@pytest.mark.usefixtures("the_general_way")
@pytest.mark.slow(seconds=30)
def test_conjugate_gradients_find_what_fit_finds_in_hundreds_of_problems() -> None:
    assert run_seeds_by_products(range(150, 400)) > 230


@pytest.mark.parametrize("shape", [(9, 3), (40, 7), (41, 8)])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_the_oracle_by_products(shape, fit_intercept, rng) -> None:
    X, codes = three_classes(*shape)
    weight, offset = rng.uniform(0.5, 2.0, shape[0]), rng.standard_normal((shape[0], 3))
    weight[3] = 0.0
    coef, intercept, cost = reference.multinomial_newton(
        X, codes, 3, l2_reg=0.05, sample_weight=weight, offset=offset, fit_intercept=fit_intercept
    )
    found = fit_small(X, codes, 3, weight, offset, 0.05, fit_intercept, by_products=True)
    assert found.status == endings.CONVERGED
    np.testing.assert_allclose(found.coef, coef, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found.intercept, intercept, rtol=1e-4, atol=1e-5)
    assert found.cost == pytest.approx(cost, rel=2e-12)
    assert (np.diff(found.history) <= 1e-13).all()


@pytest.mark.jit
@pytest.mark.parametrize("C", [1e-3, 1.0, 1e3])
@pytest.mark.usefixtures("the_general_way")
def test_digits_by_products(C) -> None:
    X, codes = real("digits")
    l2_reg = 1.0 / (C * len(codes))
    found = fit_small(X, codes, 10, l2_reg=l2_reg, tol=1e-10, by_products=True)
    wanted = fastlogit.fit(X, codes, l2_reg=l2_reg, multi_class="multinomial")
    assert found.status == endings.CONVERGED
    assert found.cost == pytest.approx(float(wanted.history[-1]), rel=2e-10)


def test_what_conjugate_gradients_do_not_take() -> None:
    X, codes = three_classes(40, 3)
    free = np.array([1.0, 0.0, 1.0])
    assert fit_small(X, codes, by_products=True).status == endings.EXTREME
    assert fit_small(X, codes, l2_reg=free, by_products=True).status == endings.EXTREME
    # A column that does not vary needs no penalty.
    X[:, 1] = 7.0
    assert fit_small(X, codes, l2_reg=free, by_products=True).status == endings.CONVERGED
    assert fit_small(X, codes, 4, l2_reg=1.0, by_products=True).status == endings.ONE_CLASS
    assert fit_small(X, codes[:3], l2_reg=1.0, by_products=True).status == endings.BAD_SHAPE
    X[3, 0] = np.nan
    assert fit_small(X, codes, l2_reg=1.0, by_products=True).status == endings.NOT_FINITE


@pytest.mark.parametrize("size", [1.0, 1e8, 1e300])
def test_conjugate_gradients_converge_from_any_start(size) -> None:
    X, codes = three_classes(80, 3)
    wanted = fit_small(X, codes, l2_reg=0.01)
    for seed in range(sized(10, 1)):
        start = np.random.default_rng(seed).standard_normal((4, 3)) * size
        found = fit_small(X, codes, l2_reg=0.01, start=start, max_iter=300, by_products=True)
        assert found.status == endings.CONVERGED
        assert found.cost == pytest.approx(wanted.cost, rel=1e-11)


@pytest.mark.parametrize("level", [30.0, -45.0, 300.0])
def test_offsets_that_predict_surely_by_products(level) -> None:
    X, codes = three_classes(60, 3)
    offset = np.zeros((60, 3))
    offset[np.arange(60), np.arange(60) // 2 % 3] = level
    given = X, codes, 3, None, offset, 1e-3
    found = fit_small(*given, max_iter=300, by_products=True)
    assert found.status == endings.CONVERGED
    assert found.cost == pytest.approx(fit_small(*given, max_iter=300).cost, rel=1e-11)


@pytest.mark.jit
@pytest.mark.parametrize("seed", range(10))
def test_no_bound_by_products_lies_below_the_truth(seed) -> None:
    check_truth(seed, by_products=True)


@pytest.mark.jit
@pytest.mark.slow(seconds=40)
def test_no_bound_by_products_lies_below_the_truth_in_hundreds_of_hard_problems() -> None:
    assert sum(check_truth(seed, by_products=True) for seed in range(100, 200)) > 45


# ------------------------------------------------------------------------------------------------
# Inside compiled code


@pytest.mark.jit
def test_fits_from_several_threads_have_the_same_bits() -> None:
    X, codes = three_classes(90, 5)
    wanted = fit_small(X, codes, l2_reg=1e-3)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: fit_small(X, codes, l2_reg=1e-3), range(40)))
    assert {each.coef.tobytes() for each in found} == {wanted.coef.tobytes()}


def _compiled() -> Any:
    """A user's own function: many fits in a parallel loop."""
    import numba

    from fastlogit import compiled

    fit, size = compiled.fit_small_softmax, compiled.small_softmax_work_size

    @numba.njit(parallel=True)
    def in_parallel(X, codes, n_threads, l2_reg, costs, coefs, statuses):
        none, no_table = np.empty(0), np.empty((0, 0))
        length = size(X.shape[0], X.shape[1], coefs.shape[2])
        work, history = np.empty((n_threads, length)), np.empty((n_threads, 101))
        intercepts = np.empty((n_threads, coefs.shape[2]))
        for block in numba.prange(n_threads):
            for m in range(block, len(codes), n_threads):
                found = fit(
                    X, codes[m], none, no_table, l2_reg, True, no_table, 1e-12, 100,
                    work[block], history[block], coefs[m], intercepts[block],
                )  # fmt: skip
                costs[m], statuses[m] = found.cost, found.status

    return in_parallel


@pytest.mark.jit
def test_many_fits_inside_a_users_own_loop_have_the_same_bits() -> None:
    X, first = three_classes(90, 3)
    rng = np.random.default_rng(3)
    codes = np.where(rng.random((20, 90)) < 0.3, rng.integers(0, 3, (20, 90)), first)
    codes = codes.astype(np.uint8)
    codes[7] = 1
    l2_reg = np.full(3, 1e-3)
    wanted = [fit_small(X, y, l2_reg=l2_reg) for y in codes]
    costs, statuses, coefs = np.empty(20), np.empty(20, dtype=np.int64), np.empty((20, 3, 3))
    _compiled()(X, codes, 2, l2_reg, costs, coefs, statuses)
    assert list(statuses) == [found.status for found in wanted]
    assert statuses[7] == endings.ONE_CLASS
    for m, found in enumerate(wanted):
        assert coefs[m].tobytes() == found.coef.tobytes()
        assert costs[m].tobytes() == np.float64(found.cost).tobytes()


@pytest.mark.jit
def test_nothing_is_allocated() -> None:
    import numba
    from numba.core.runtime import _nrt_python, rtsys

    _nrt_python.memsys_enable_stats()
    fit = softmax.fit_small_softmax.serial

    @numba.njit
    def many(times, X, y, none, no_table, l2_reg, start, work, history, coef, intercept):
        for _ in range(times):
            fit(
                X, y, none, no_table, l2_reg, True, start, 1e-12, 100, work, history, coef,
                intercept,
            )  # fmt: skip

    X, codes = three_classes(60, 3)
    given = (
        X, codes.astype(np.uint8), NONE, NO_TABLE, np.zeros(3), np.full((4, 3), 1e5),
        np.empty(10_000), np.empty(101), np.empty((3, 3)), np.empty(3),
    )  # fmt: skip
    many(1, *given)
    counts = []
    for times in (1, 50):  # arrays that come from Python cost a few
        before = rtsys.get_allocation_stats()
        many(times, *given)
        after = rtsys.get_allocation_stats()
        counts.append((after.alloc - before.alloc, after.mi_alloc - before.mi_alloc))
    assert counts[0] == counts[1]
