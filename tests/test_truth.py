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


def check(seed: int) -> str:
    """Fit one hard problem and compare; return "proven" or "not proven"."""
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
    if rng.random() < 0.3:
        options["intercept"] = None
    offset = None
    if rng.random() < 0.3:
        shape = (n_samples, n_classes) if n_classes > 2 else n_samples
        offset = rng.standard_normal(shape) * rng.choice([1.0, 20.0]) + rng.choice([0.0, 50.0])
        options["offset"] = offset
    solver, tol = str(rng.choice(SOLVERS)), float(rng.choice(TOLERANCES))
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
        lowest = exact.optimum(theta)
        # Where there is no optimum, as of separable classes, no finite bound is true.
        assert lowest is not None, f"seed {seed}: no optimum, but a bound of {bound:.3g}"
        truth = (exact.cost(theta) - lowest) / lowest
    assert truth <= bound, (
        f"seed {seed}, {solver}, tol={tol}: {mpmath.nstr(truth, 5)} above the optimum, but said to "
        f"be within {bound:.3g}"
    )
    return "proven" if result.converged else "not proven"


@pytest.mark.parametrize("seed", range(20))
def test_no_bound_lies_below_the_truth(seed) -> None:
    check(seed)


@pytest.mark.slow
def test_no_bound_lies_below_the_truth_in_hundreds_of_hard_problems() -> None:
    found = [check(seed) for seed in range(100, 700)]
    # Not by proving nothing.
    assert found.count("proven") > 250
