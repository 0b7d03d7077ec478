"""Seeded problems, layouts of X and checks against the oracle that several test files share."""

import functools
import hashlib
import warnings
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import numba
import numpy as np
import pytest
from sklearn import datasets
from sklearn.exceptions import ConvergenceWarning

import fastlogit
from fastlogit import reference
from fastlogit.design.base import Columns
from fastlogit.design.dense import DenseDesign
from fastlogit.fitting.fit import SOLVERS
from fastlogit.fitting.grid import GridOptions, fit_grid
from fastlogit.fitting.grid_result import GridResult
from fastlogit.fitting.problem import given_of
from fastlogit.kernels.passes import BINOMIAL, MULTINOMIAL, Targets
from fastlogit.objective.binomial import Binomial
from fastlogit.objective.labelled_rows import LabelledRows
from fastlogit.objective.multinomial import Multinomial
from fastlogit.objective.objective import Objective
from fastlogit.objective.penalties import L1, Bounds, ElasticNet

JIT = not numba.config.DISABLE_JIT
# Threads that a test may ask for: .ci/run also sets NUMBA_NUM_THREADS=1.
TWO_THREADS = min(2, numba.config.NUMBA_NUM_THREADS)


class Problem(NamedTuple):
    X: Any
    y: Any
    coef: Any
    intercept: float
    weight: Any


def grid_of(
    X, y, Cs, *, fold_weights=None, sample_weight=None, offset=None, penalty_factor=None,
    start=None, **options,
) -> GridResult:  # fmt: skip
    """`fit_grid` of what a user gives, with options by name."""
    given = given_of(X, y, sample_weight, offset, None, penalty_factor, start)
    return fit_grid(given, Cs, fold_weights=fold_weights, options=GridOptions(**options))


def sized(with_jit: int, without: int) -> int:
    """A size that plain Python, a thousand times slower, can bear."""
    return with_jit if JIT else without


def problem(n_samples: int, n_features: int, seed: int = 0) -> Problem:
    """Rows of two overlapping classes, so that an optimum exists."""
    rng = np.random.default_rng([seed, n_samples, n_features])
    X = rng.standard_normal((n_samples, n_features))
    coef = rng.standard_normal(n_features)
    z = X @ coef / np.sqrt(n_features) + 0.3
    y = (z + rng.logistic(size=n_samples) > 0.0).astype(np.int64)
    y[: min(2, n_samples)] = [0, 1][: min(2, n_samples)]
    return Problem(X, y, coef, 0.4, rng.uniform(0.1, 2.0, n_samples))


def three_classes(n_samples: int, n_features: int, seed: int = 0) -> tuple[Any, Any]:
    """Rows of three overlapping classes, coded 0 to 2."""
    rng = np.random.default_rng([seed, n_samples, n_features, 3])
    codes = np.arange(n_samples) % 3
    centers = rng.standard_normal((3, n_features))
    return centers[codes] + rng.standard_normal((n_samples, n_features)), codes


def assert_value_gradient(
    actual: Any,
    X: Any,
    y: Any,
    coef: Any,
    intercept: float,
    l2_reg: float = 0.0,
    weight: Any = None,
) -> None:
    """Compare with the oracle, to rounding errors of the terms that are added."""
    expected = reference.cost_gradient(X, y, coef, intercept, l2_reg, weight)
    size, coef = np.abs(np.asarray(X, dtype=np.float64)), np.abs(coef)
    share = np.ones(len(size)) if weight is None else np.asarray(weight, dtype=np.float64)
    spread = share / share.sum() * (size @ coef + abs(intercept) + 1.0)
    tolerance = 1e-14
    cost, gradient, intercept_gradient = actual
    assert abs(cost - expected[0]) <= tolerance * (spread.sum() + l2_reg * coef @ coef)
    assert (np.abs(gradient - expected[1]) <= tolerance * (size.T @ spread + l2_reg * coef)).all()
    assert abs(intercept_gradient - expected[2]) <= tolerance * spread.sum()


def unaligned(X: Any) -> Any:
    """The same numbers, each one byte off its natural place."""
    memory = np.empty(X.nbytes + 1, dtype=np.uint8)
    shifted = memory[1:].view(X.dtype).reshape(X.shape)
    shifted[...] = X
    return shifted


def readonly(X: Any) -> Any:
    view = X.view()
    view.flags.writeable = False
    return view


def memory_mapped(X: Any, folder: Path) -> Any:
    path = folder / "X.bin"
    path.write_bytes(X.tobytes())
    return np.memmap(path, dtype=X.dtype, mode="r", shape=X.shape)


# Views of the same float64 numbers in other layouts.
LAYOUTS: dict[str, Callable[[Any], Any]] = {
    "C": lambda X: X,
    "F": np.asfortranarray,
    "first columns": lambda X: np.hstack([X, X])[:, : X.shape[1]],
    "every second row": lambda X: np.repeat(X, 2, axis=0)[::2],
    "every second column": lambda X: np.repeat(X, 2, axis=1)[:, ::2],
    "reversed rows": lambda X: X[::-1].copy()[::-1],
    "reversed columns": lambda X: X[:, ::-1].copy()[:, ::-1],
    "read-only": readonly,
    "unaligned": unaligned,
    "big-endian": lambda X: X.astype(">f8"),
}
# Other number types; the values change, so that the oracle is asked again.
NUMBER_TYPES = ("f4", ">f4", "i8", ">i4", "u8", "bool")


def as_type(X: Any, dtype: str) -> Any:
    """Values of X as another number type, with some at the far end of the type."""
    if np.dtype(dtype).kind == "b":
        return X > 0.0
    if np.dtype(dtype).kind == "u":
        converted = np.floor(np.abs(X) * 3.0).astype(dtype)
        converted[0, 0] = 2**63 + 4096
        return converted
    return (X * 3.0).astype(dtype)


class DataFrame:
    """What the package may know of a data frame: column names and a conversion."""

    def __init__(self, values: Any, columns: list[str]) -> None:
        self.values, self.columns = values, columns

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return np.asarray(self.values, dtype=dtype)


def force_twin(monkeypatch: pytest.MonkeyPatch, parallel: bool) -> None:
    """Run every pass through one of the two compiled twins, however small it is."""
    monkeypatch.setattr("fastlogit.threads.team", lambda n_threads, ns: nullcontext(parallel))


def binomial_targets(codes: Any, positive: Any = (1,), weight: Any = None) -> Targets:
    """Targets as the front end makes them: read-only, weights empty where there are none."""
    codes = np.atleast_2d(np.asarray(codes).astype(np.uint8))
    n_samples = codes.shape[1]
    given = np.empty((0, n_samples)) if weight is None else weight
    weights = np.atleast_2d(np.asarray(given, dtype=np.float64))
    totals = weights.sum(axis=1) if len(weights) else np.array([float(n_samples)])
    totals = np.broadcast_to(totals, len(positive)).copy()
    sets = np.arange(len(positive)) if len(weights) > 1 else np.zeros(len(positive), dtype=np.int64)
    return Targets(
        BINOMIAL, 1, readonly(codes), readonly(np.array(positive)), readonly(weights),
        readonly(sets), totals, readonly(np.empty((0, n_samples))),
    )  # fmt: skip


def softmax_targets(codes: Any, n_classes: int, weight: Any = None, offset: Any = None) -> Targets:
    """Targets of softmax models next to each other: as many as there are sets of codes or weights.

    `weight` (n_samples,) or (n_models, n_samples), `offset` (n_samples, n_classes).
    """
    codes = np.atleast_2d(np.asarray(codes).astype(np.uint8))
    n_samples = codes.shape[1]
    weights = np.atleast_2d(np.empty((0, n_samples)) if weight is None else weight)
    n_models = max(len(codes), len(weights))
    of_model = np.arange(n_models) if len(weights) > 1 else np.zeros(n_models, dtype=np.int64)
    totals = weights.sum(axis=1)[of_model] if len(weights) else np.full(n_models, float(n_samples))
    fixed = np.empty((0, n_samples)) if offset is None else np.ascontiguousarray(offset.T)
    return Targets(
        MULTINOMIAL, n_classes, readonly(codes), readonly(np.tile(np.arange(n_classes), n_models)),
        readonly(weights), readonly(np.repeat(of_model, n_classes)), np.repeat(totals, n_classes),
        readonly(fixed),
    )  # fmt: skip


def one_model(values: Any) -> Any:
    """Take the single model's part of cost, gradient and intercept gradient."""
    return tuple(value[0] for value in values)


# ------------------------------------------------------------------------------------------------
# Fits


# Gradient descent, of many passes, waits for compiled code here; it has tests of its own besides.
EACH_SOLVER = [
    pytest.param(solver, marks=pytest.mark.jit) if solver == "gradient_descent" else solver
    for solver in SOLVERS
]


def fit_by(solver: str, X: Any, y: Any, **options: Any) -> Any:
    """Fit; gradient descent may take the steps that it needs."""
    if solver == "gradient_descent":
        options.setdefault("max_iter", 100_000)
    return fastlogit.fit(X, y, solver=solver, **options)


def unfinished(X: Any, y: Any, **options: Any) -> Any:
    """Fit where it is meant to end above its tolerance."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return fastlogit.fit(X, y, **options)


def bits(result: Any) -> bytes:
    """All numbers of a fit, to compare to the last bit."""
    parts = (result.coef, result.intercept, result.history, result.suboptimality)
    return b"".join(np.asarray(part).tobytes() for part in parts)


@functools.cache
def real(name: str) -> tuple[Any, Any]:
    """Data sets that come with scikit-learn, and one with more columns than rows."""
    if name == "wide":
        X, y = problem(40, 200)[:2]
        return X, y
    load = {
        "cancer": datasets.load_breast_cancer, "iris": datasets.load_iris,
        "wine": datasets.load_wine, "digits": datasets.load_digits,
    }[name]  # fmt: skip
    X, y = load(return_X_y=True)
    return readonly(X), y


_optima: dict[bytes, tuple[Any, Any, Any]] = {}


def optimum(X: Any, y: Any, classes: Any, **options: Any) -> tuple[Any, Any, Any]:
    """Coefficients (n_features, n_models), intercepts and costs of the oracle, kept for others."""
    arrays = (X, y, classes, *(value for value in options.values() if value is not None))
    parts = [np.asarray(array) for array in arrays]
    known = b"".join(part.tobytes() + str((part.shape, part.dtype)).encode() for part in parts)
    key = hashlib.sha256(known + str(list(options)).encode()).digest()
    if key not in _optima:
        positive = classes[1:] if len(classes) == 2 else classes
        fits = [reference.newton(X, y == label, **options) for label in positive]
        coefs, intercepts, costs = zip(*fits, strict=True)
        _optima[key] = np.column_stack(coefs), np.array(intercepts), np.array(costs)
    return _optima[key]


def assert_at_optimum(result: Any, X: Any, y: Any, rtol: float, **options: Any) -> None:
    """Compare with the oracle: coefficients a standard deviation's worth, cost and bound."""
    coef, intercept, cost = optimum(X, y, result.classes, **options)
    found = result.coef.reshape(coef.shape)
    spread = np.asarray(X, dtype=np.float64).std(axis=0)[:, None]
    size = np.maximum(np.abs(coef * spread).max(axis=0), 1.0)
    error = np.abs((found - coef) * spread).max(axis=0) / size
    assert (error <= rtol).all(), error
    middle = np.asarray(X, dtype=np.float64).mean(axis=0)
    at_middle = middle @ (found - coef) + np.reshape(result.intercept, -1) - intercept
    assert (np.abs(at_middle) <= 3.0 * rtol * size).all(), at_middle
    last = result.history[-1].reshape(-1)
    lacks = (last - cost) / cost
    assert (lacks <= np.reshape(result.suboptimality, -1) + 1e-13).all(), lacks


def objective_over(
    design: Any, loss: Any, codes: Any, positive: Any, weights: Any, penalty: Any,
    offset: Any = None, fit_intercept: bool = True, weight_set: Any = None,
) -> Objective:  # fmt: skip
    """The cost of models over the rows of a design."""
    rows = LabelledRows(design, loss, codes, positive, weights, offset, fit_intercept, weight_set)
    return Objective(rows, penalty)


def objective_of(
    X: Any, codes: Any, weight: Any = None, l2_reg: Any = 0.0, positive: Any = (1,), **options: Any
) -> Objective:
    """The cost of models over dense rows, as the front end makes it."""
    weights = readonly(np.empty(0) if weight is None else weight)
    codes = readonly(np.asarray(codes).astype(np.uint8))
    rows = LabelledRows(DenseDesign(X), Binomial(), codes, list(positive), weights, **options)
    return Objective(rows, l2_reg)


def elastic_net_of(
    X: Any, codes: Any, l1_reg: Any = 0.02, l2_reg: Any = 0.1, weight: Any = None,
    bounds: Any = None,
) -> Objective:  # fmt: skip
    """The same with L1, maybe within bounds, on standardised columns."""
    l1 = L1(l1_reg, X.shape[1], None if bounds is None else Bounds(*bounds))
    objective = objective_of(X, codes, weight, ElasticNet(l1, l2_reg, X.shape[1]))
    objective.standardize()
    return objective


def columns_of(n_features: int) -> Columns:
    """Centres and inverse scales; the middle column counts as one that does not vary."""
    rng = np.random.default_rng(n_features)
    inverse_scale = np.exp(rng.standard_normal(n_features))
    inverse_scale[n_features // 2] = 0.0
    return Columns(rng.standard_normal(n_features), inverse_scale)


def softmax_of(
    X: Any, codes: Any, weight: Any = None, l2_reg: Any = 0.0, n_classes: int = 3, **options: Any
) -> Objective:
    """The cost of one softmax model over dense rows, as the front end makes it."""
    weights = readonly(np.empty(0) if weight is None else weight)
    codes = readonly(np.asarray(codes).astype(np.uint8))
    positive = options.pop("positive", list(range(n_classes)))
    rows = LabelledRows(DenseDesign(X), Multinomial(n_classes), codes, positive, weights, **options)
    return Objective(rows, l2_reg)


def parts(result: Any) -> tuple[Any, Any, Any]:
    """The least cost, coefficients and intercept of a fit."""
    return result.history[-1], result.coef, result.intercept


def assert_same_fit(found: Any, wanted: Any, rtol: float, atol: float) -> None:
    """Compare cost, coefficients and intercept."""
    for one, other in zip(parts(found), parts(wanted), strict=True):
        np.testing.assert_allclose(one, other, rtol=rtol, atol=atol)
