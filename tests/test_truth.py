"""No bound below the truth: hard random problems, solved again at 60 digits."""

import warnings
from typing import Any

import mpmath
import numpy as np
import pytest
from exact import DIGITS, ExactProblem, numbers

import fastlogit

pytestmark = pytest.mark.jit

SOLVERS = ("auto", "newton", "lbfgs", "newton-cg", "gradient_descent")
TOLERANCES = (1e-3, 1e-6, 1e-8, 1e-12, 0.0)


def hard_columns(rng: Any, n_samples: int, n_features: int) -> Any:
    """Columns of the kinds that users have and that make numbers small, large or alike."""
    X = rng.standard_normal((n_samples, n_features))
    for column in range(n_features):
        kind = rng.integers(9)
        if kind == 0:
            X[:, column] = rng.standard_cauchy(n_samples)
        elif kind == 1:
            X[:, column] = rng.integers(0, 3, n_samples)
        elif kind == 2 and column > 0:
            X[:, column] = X[:, column - 1] + 10.0 ** -rng.uniform(3, 13) * X[:, column]
        elif kind == 3 and column > 0:
            X[:, column] = X[:, rng.integers(column)] * rng.choice([1.0, 2.0, 2.54])
        elif kind == 4 and column > 1:
            X[:, column] = X[:, 0] + X[:, 1]
        elif kind == 5:
            X[:, column] = rng.choice([0.0, 7.0, 0.1])
        elif kind == 6:
            X[:, column] = np.exp(3.0 * X[:, column])
    X += np.where(rng.random(n_features) < 0.3, 10.0 ** rng.uniform(0, 9, n_features), 0.0)
    powers = rng.choice([0.0, 6.0, 150.0], n_features, p=[0.4, 0.4, 0.2])
    return X * 10.0 ** (powers * rng.choice([-1.0, 1.0], n_features))


def check(seed: int, finer: float | None = None) -> str:
    """Fit one hard problem and compare; return "proven" or "not proven".

    `finer` is a tolerance in place of one by chance.
    """
    rng = np.random.default_rng(seed)
    n_samples, n_features = int(rng.integers(20, 60)), int(rng.integers(1, 5))
    X = hard_columns(rng, n_samples, n_features)
    n_classes = int(rng.choice([2, 2, 3]))
    units = np.abs(X - X.mean(axis=0)).mean(axis=0)
    z = (X - X.mean(axis=0)) / np.where(units > 0.0, units, 1.0) @ rng.standard_normal(n_features)
    noise = rng.logistic(size=n_samples) * 1.5
    y = np.digitize(np.clip(z, -3, 3) + noise, [0.0] if n_classes == 2 else [-1.0, 1.0])
    y[:n_classes] = np.arange(n_classes)
    options: dict[str, Any] = {}
    if rng.random() < 0.4:
        options["sample_weight"] = 10.0 ** rng.uniform(-4, 4, n_samples)
    l2_reg: Any = 0.0
    if rng.random() < 0.5:
        l2_reg = 10.0 ** rng.uniform(-8, 1, n_features if rng.random() < 0.3 else None)
        options["l2_reg"] = l2_reg
    held = 0.0
    if rng.random() < 0.4:
        held = float(rng.choice([0.0, 0.0, 3.0, -30.0]))
        options["intercept"] = held or None
    offset = None
    if rng.random() < 0.3:
        shape = (n_samples, n_classes) if n_classes > 2 else n_samples
        offset = rng.standard_normal(shape) * rng.choice([1.0, 20.0]) + rng.choice([0.0, 50.0])
        options["offset"] = offset
    solver, tol = str(rng.choice(SOLVERS)), float(rng.choice(TOLERANCES))
    tol = tol if finer is None else finer
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", fastlogit.SeparationWarning)
        warnings.filterwarnings("ignore", "stopped after")
        result = fastlogit.fit(
            X, y, solver=solver, tol=tol, multi_class="multinomial", max_iter=300, **options
        )
    bound = float(result.suboptimality)
    if not np.isfinite(bound):
        return "not proven"
    with mpmath.workdps(DIGITS):
        several = n_classes > 2
        exact = ExactProblem(
            X, y, n_classes if several else 1, l2_reg, options.get("sample_weight"),
            offset if several or offset is None else offset[:, None], "intercept" not in options,
        )  # fmt: skip
        theta = numbers(np.column_stack([np.atleast_2d(result.coef.T), np.ravel(result.intercept)]))
        assert "intercept" not in options or (theta[:, -1] == held).all()
        lowest = exact.optimum(theta)
        # Where there is no optimum, as of separable classes, no finite bound is true.
        assert lowest is not None, f"seed {seed}: no optimum, but a bound of {bound:.3g}"
        truth = (exact.cost(theta) - lowest) / lowest
    assert truth <= bound, (
        f"seed {seed}, {solver}, tol={tol}: {mpmath.nstr(truth, 5)} above the optimum, but said to "
        f"be within {bound:.3g}"
    )
    if result.converged and tol > 0.0:
        assert truth <= tol, f"seed {seed}, {solver}: {mpmath.nstr(truth, 5)} with tol={tol}"
    return "proven" if result.converged else "not proven"


@pytest.mark.parametrize("seed", [*range(20), 1123, 1436, 3461])
def test_no_bound_lies_below_the_truth(seed) -> None:
    check(seed)


@pytest.mark.parametrize("tol", [1e-16, 1e-20])
def test_a_tolerance_finer_than_the_cost_is_kept_by_the_exact_cost(tol) -> None:
    found = [check(seed, tol) for seed in range(40, 52)]
    assert found.count("proven") >= 4


@pytest.mark.slow
@pytest.mark.parametrize("tol", [1e-15, 1e-17, 1e-20])
def test_finer_tolerances_are_kept_in_hundreds_of_hard_problems(tol) -> None:
    found = [check(seed, tol) for seed in range(700, 760)]
    assert found.count("proven") > 36


@pytest.mark.slow(seconds=60)
def test_no_bound_lies_below_the_truth_in_hundreds_of_hard_problems() -> None:
    found = [check(seed) for seed in range(100, 300)]
    # Not by proving nothing.
    assert found.count("proven") > 72


# ------------------------------------------------------------------------------------------------
# What was proven once and was not true


def found(X, y, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", "stopped after")
        return fastlogit.fit(X, y, **options)


@pytest.mark.parametrize("solver", [name for name in SOLVERS if name != "gradient_descent"])
@pytest.mark.parametrize(
    "options",
    [
        {"offset": np.array([[1e5, 0.0, 0.0]] * 6)},
        {"start": (np.zeros((1, 3)), [1000.0, 0.0, -1000.0])},
        {"start": (np.array([[1e6, -1e6, 1e9]]), np.zeros(3))},
    ],
)
def test_classes_told_apart_so_surely_that_nothing_bends(options, solver) -> None:
    X, y = np.array([[0.0], [1], [2], [3], [1], [2]]), [0, 0, 1, 2, 2, 1]
    result = found(X, y, C=1.0, multi_class="multinomial", solver=solver, **options)
    assert result.history[-1] == pytest.approx(0.9116925, rel=1e-7)
    assert result.suboptimality <= 1e-9


def three_columns():
    rng = np.random.default_rng(1)
    Z = rng.normal(size=(200, 3))
    return Z, (Z @ [1, -1, 0.5] + rng.logistic(size=200) > 0) * 1


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("size", [1e-300, 1e-208, 1e-170, 1e-158, 1e170, 1e300])
def test_columns_of_any_size(size, solver) -> None:
    Z, t = three_columns()
    wanted = found(Z, t)
    result = found(Z * [size, 1.0, 1.0], t, solver=solver)
    assert result.converged
    np.testing.assert_allclose(result.coef * [size, 1.0, 1.0], wanted.coef, rtol=1e-5)
    assert result.history[-1] == pytest.approx(wanted.history[-1], rel=1e-11)


def test_a_column_that_varies_little_so_far_from_zero() -> None:
    Z, t = three_columns()
    Z[:, 0] = 1e8 + np.round(Z[:, 0] * 3) * 2.0**-20
    wanted = found(Z - [1e8, 0.0, 0.0], t)
    result = found(Z, t)
    assert result.history[-1] == pytest.approx(wanted.history[-1], rel=1e-12)
    # The intercept in the units of X has few digits left: what is returned lies above the optimum.
    assert 1e-8 < result.suboptimality < 1e-5
    assert "subtract its mean from column 0" in result.message


@pytest.mark.parametrize("solver", ["auto", "newton", "newton-cg"])
@pytest.mark.parametrize(
    ("closeness", "near", "bound"),
    [(1e-6, 1e-11, 1e-12), (1e-8, 1e-9, 1e-11), (1e-10, 1e-6, 1e-7), (1e-12, 1e-3, 1e-3)],
)
def test_columns_alike(closeness, near, bound, solver) -> None:
    """Raw predictions, and costs with them, err by 1e-16 over the closeness."""
    rng = np.random.default_rng(0)
    u, v = rng.normal(size=(2, 500))
    s = (u + 0.5 * v + rng.logistic(size=500) > 0) * 1
    close = np.c_[u, u + closeness * v]
    wanted = found(np.c_[u, (close[:, 1] - u) / closeness], s)
    result = found(close, s, solver=solver)
    assert result.history[-1] == pytest.approx(wanted.history[-1], rel=near)
    assert result.suboptimality <= bound


@pytest.mark.parametrize("scale", [(1e-200, 1e-200), (1e-290, 1e-30), (1e200, 1e250)])
def test_sizes_of_weights_and_columns_together(scale) -> None:
    Z, t = three_columns()
    result = found(Z * scale[0], t, sample_weight=np.full(200, scale[1]))
    assert result.history[-1] == pytest.approx(found(Z, t).history[-1], rel=1e-11)


@pytest.mark.parametrize("tol", [1e-3, 1e-6, 1e-12])
@pytest.mark.parametrize("level", [30.0, 45.0, 300.0])
def test_the_last_step_of_newton_does_not_leave_what_is_proven(level, tol) -> None:
    X, y = np.array([[1.0], [-1], [2], [1], [0], [0]]), [0, 1, 0, 0, 1, 0]
    best = found(X, y, l2_reg=1e-6, intercept=level, solver="lbfgs").history[-1]
    result = found(X, y, l2_reg=1e-6, intercept=level, tol=tol)
    cost = fastlogit.cost(X, y, result.coef, level, l2_reg=1e-6)
    assert cost <= best * (1.0 + result.suboptimality + 1e-12)


@pytest.mark.parametrize("heavy", [0, 1])
def test_a_class_that_weighs_next_to_nothing(heavy) -> None:
    X = np.random.default_rng(0).normal(size=(6, 1))
    y = np.array([0, 1, 0, 1, 1, 0])
    result = found(X, y, C=1.0, sample_weight=np.where(y == heavy, 1e17, 1.0), tol=1e-8)
    assert result.converged


@pytest.mark.parametrize("size", [1e10, 1e15])
def test_a_softmax_of_a_large_column(size) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 2))
    y = np.digitize(X[:, 0] + X[:, 1] + rng.logistic(size=300), [-1, 1])
    assert found(X * [size, 1.0], y, C=1.0, multi_class="multinomial").suboptimality <= 1e-12


@pytest.mark.parametrize(("size", "what"), [(1e-310, "so small"), (1e306, "so large")])
def test_columns_beyond_float64_are_refused(size, what) -> None:
    Z, t = three_columns()
    with pytest.raises(ValueError, match=f"column 1 {what}"):
        found(Z * [1.0, size, 1.0], t)


def test_whole_numbers_far_from_zero_leak_no_warning() -> None:
    X = -1e8 + np.array([[4.0, -5], [0, 2], [3, 1], [3, 1], [1, 0]])
    assert not found(X, [0, 1, 1, 1, 1], intercept=None).converged


@pytest.mark.parametrize("multi_class", ["ovr", "multinomial"])
@pytest.mark.parametrize("size", [1e155, 1e200, 1e300])
def test_offsets_whose_squares_overflow(size, multi_class) -> None:
    """Python's own floats raise OverflowError where NumPy's become infinite."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(30, 2)), np.arange(30) % 3
    offset = rng.normal(size=(30, 3)) * size
    for solver in SOLVERS:
        result = found(
            X, y, C=1.0, offset=offset, multi_class=multi_class, solver=solver, max_iter=20
        )
        assert not np.isnan(result.suboptimality).any()


def test_offsets_whose_squares_overflow_under_plain_descent() -> None:
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(30, 1)), np.arange(30) % 2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", "stopped after")
        result = fastlogit.gradient_descent(X, y, offset=rng.normal(size=30) * 1e300)
    assert not np.isnan(result.suboptimality)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_no_number_is_refused_also_in_a_row_without_weight(value) -> None:
    """Zero times it is NaN in every sum: a path gave coefficients of 0."""
    Z, t = three_columns()
    Z[5, 1] = value
    weight = (np.arange(200) != 5) * 1.0
    for call in (
        lambda: fastlogit.fit(Z, t, C=1.0, sample_weight=weight),
        lambda: fastlogit.fit(Z, t, C=1.0, sample_weight=weight, solver="gradient_descent"),
        lambda: fastlogit.gradient_descent(Z, t, sample_weight=weight),
        lambda: fastlogit.logistic_path(Z, t, [1.0], sample_weight=weight),
    ):
        with pytest.raises(ValueError, match=r"X contains .* in column 1 \(row 5\)"):
            call()
