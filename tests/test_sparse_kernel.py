"""Kernels over compressed rows, against dense NumPy and the oracle."""

from typing import Any

import numpy as np
import pytest
import scipy.sparse
from problems import sized, softmax_targets

from fastlogit import reference
from fastlogit.design.base import plain_targets, readonly
from fastlogit.design.compressed import CompressedRows, compress
from fastlogit.kernels import sparse as kernels
from fastlogit.kernels.hypotheses import BINARY, RAW
from fastlogit.kernels.passes import BINOMIAL, LINEAR, SQUARED
from fastlogit.kernels.policy import Twins

N_SAMPLES, N_FEATURES = sized(300, 40), 23
NO_STATE = np.empty((0, 0))
NO_OFFSET = readonly(np.empty((0, 0)))


def dense_rows(rng: Any, dtype: Any = np.float64) -> Any:
    """Rows with few values: an empty row, an empty column and a full one among them."""
    X = rng.normal(size=(N_SAMPLES, N_FEATURES)) * (rng.random((N_SAMPLES, N_FEATURES)) < 0.2)
    X[:, 5] = rng.normal(size=N_SAMPLES) + 3.0
    X[:, 7] = 0.0
    X[11] = 0.0
    return X.astype(dtype)


def rows_of(X: Any) -> CompressedRows:
    csr = scipy.sparse.csr_array(X)
    return compress(csr.data, csr.indices, csr.indptr, X.shape)


def bounds_of(n_chunks: int) -> Any:
    return readonly(np.linspace(0, N_SAMPLES, n_chunks + 1).astype(np.int64))


def packed(coef: Any, intercept: Any) -> tuple[Any, Any]:
    n_models, n_features = coef.shape
    n_slots = kernels.model_slots(n_models)
    flat, levels = np.zeros((n_features, n_slots)), np.zeros(n_slots)
    flat[:, :n_models], levels[:n_models] = coef.T, intercept
    return readonly(flat.reshape(-1)), readonly(levels)


def summed(
    X: Any, targets: Any, coef: Any, intercept: Any, state: Any = NO_STATE, twin: str = "serial",
    n_chunks: int = 3, block: int = 8,
) -> tuple[Any, Any]:  # fmt: skip
    """Cost and residual sums (2, n_models), and gradients (n_models, n_features)."""
    n_models = len(coef)
    flat, levels = packed(coef, intercept)
    strips, totals = np.empty((n_chunks, flat.size)), np.empty((n_chunks, 2 * n_models))
    gradient = np.empty(flat.size)
    getattr(kernels.PASSES.sums, twin)(
        rows_of(X).as_kernels_take(), bounds_of(n_chunks), targets, block, flat, levels, strips,
        totals, gradient, state,
    )  # fmt: skip
    sums = totals.sum(axis=0).reshape(n_models, 2).T
    return sums, gradient.reshape(N_FEATURES, -1)[:, :n_models].T


def binomial(y: Any, weights: Any) -> Any:
    targets = plain_targets(BINOMIAL, weights, np.array([weights.sum()]))
    return targets._replace(codes=readonly(y[None].astype(np.uint8)))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_cost_gradient_and_row_state_of_one_model(dtype, rng) -> None:
    X, y = dense_rows(rng, dtype), rng.integers(0, 2, N_SAMPLES)
    weights, coef = rng.uniform(0.1, 2.0, N_SAMPLES), rng.normal(size=(1, N_FEATURES))
    state = np.empty((2, N_SAMPLES))
    sums, gradient = summed(X, binomial(y, weights), coef, np.array([0.3]), state)
    wide, total = X.astype(np.float64), weights.sum()
    wanted = reference.cost_gradient(wide, y, coef[0], 0.3, 0.0, weights)
    np.testing.assert_allclose(sums[0] / total, wanted[0], rtol=1e-12)
    np.testing.assert_allclose(sums[1] / total, wanted[2], rtol=1e-10, atol=1e-13)
    np.testing.assert_allclose(gradient[0] / total, wanted[1], rtol=1e-10, atol=1e-13)
    p = reference.sigmoid(wide @ coef[0] + 0.3)
    np.testing.assert_allclose(state[0], weights * p * (1.0 - p), rtol=1e-9)
    residual = reference.residual(wide, y, coef[0], 0.3, weights)
    np.testing.assert_allclose(state[1], residual, rtol=1e-9)


@pytest.mark.parametrize("n_models", [2, 3, 4, 5, 8, 9, 17])
def test_several_models_are_what_each_is_alone(n_models, rng) -> None:
    X, y = dense_rows(rng), rng.integers(0, 2, N_SAMPLES).astype(np.uint8)
    coef, intercept = rng.normal(size=(n_models, N_FEATURES)), rng.normal(size=n_models)
    plain = plain_targets(BINOMIAL, np.empty(0), np.ones(n_models))
    positive = rng.integers(0, 2, n_models)
    targets = plain._replace(codes=readonly(y[None]), positive=readonly(positive))
    sums, gradient = summed(X, targets, coef, intercept)
    for model in range(n_models):
        own = (y == positive[model]).astype(int)
        wanted = reference.cost_gradient(X, own, coef[model], intercept[model], 0.0)
        np.testing.assert_allclose(sums[0, model] / N_SAMPLES, wanted[0], rtol=1e-12)
        np.testing.assert_allclose(sums[1, model] / N_SAMPLES, wanted[2], rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(gradient[model] / N_SAMPLES, wanted[1], rtol=1e-9, atol=1e-12)


def test_classes_that_compete(rng) -> None:
    X, codes = dense_rows(rng), rng.integers(0, 3, N_SAMPLES)
    coef, intercept = rng.normal(size=(3, N_FEATURES)), rng.normal(size=3)
    weights, offset = rng.uniform(0.1, 2.0, N_SAMPLES), rng.normal(size=(N_SAMPLES, 3))
    state = np.empty((6, N_SAMPLES))
    sums, gradient = summed(X, softmax_targets(codes, 3, weights, offset), coef, intercept, state)
    residual = reference.multinomial_residual(X, codes, coef.T, intercept, weights, offset)
    np.testing.assert_allclose(state[3:].T, residual, rtol=1e-9, atol=1e-13)
    np.testing.assert_allclose(gradient, residual.T @ X, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(sums[1], residual.sum(axis=0), rtol=1e-9, atol=1e-11)


def test_products_and_sums_of_columns(rng) -> None:
    X, weights = dense_rows(rng), rng.uniform(0.1, 2.0, N_SAMPLES)
    vector = rng.normal(size=(1, N_FEATURES))
    _, found = summed(X, plain_targets(SQUARED, weights, np.ones(1)), vector, np.array([0.5]))
    np.testing.assert_allclose(found[0], X.T @ (weights * (X @ vector[0] + 0.5)), rtol=1e-11)
    sums, found = summed(X, plain_targets(LINEAR, weights, np.ones(1)), vector, np.zeros(1))
    np.testing.assert_allclose(found[0], weights @ X, rtol=1e-11)
    assert sums[1, 0] == pytest.approx(weights.sum())


def test_squared_distances_and_weights_of_the_values_there_are(rng) -> None:
    X, weights = dense_rows(rng), rng.uniform(0.1, 2.0, N_SAMPLES)
    weights[::7] = 0.0
    center = rng.normal(size=N_FEATURES)
    out, strips = np.empty(2 * N_FEATURES), np.empty((3, 2 * N_FEATURES))
    args = rows_of(X).as_kernels_take(), bounds_of(3)
    kernels.column_sums.serial(*args, readonly(weights[None]), readonly(center), strips, out)
    there = X != 0.0
    np.testing.assert_allclose(out[::2], weights @ (there * (X - center) ** 2), rtol=1e-12)
    np.testing.assert_allclose(out[1::2], weights @ there, rtol=1e-12)
    kernels.column_sums.serial(*args, NO_OFFSET, readonly(center), strips, out)
    np.testing.assert_allclose(out[1::2], there.sum(axis=0))


def test_gram_matrix(rng) -> None:
    X, weights = dense_rows(rng), rng.normal(size=N_SAMPLES)
    weights[3] = 0.0
    roots, scale = rng.normal(size=N_SAMPLES), rng.normal(size=N_FEATURES)
    size = N_FEATURES * (N_FEATURES + 1)
    out, strips = np.empty(size), np.empty((4, size))
    rows = rows_of(X).as_kernels_take()
    given = (readonly(part) for part in (weights, roots, scale))
    kernels.gram.serial(rows, bounds_of(4), *given, strips, out)
    lines, Z = out.reshape(-1, N_FEATURES), roots[:, None] * X * scale
    wanted = np.tril(Z.T @ (weights[:, None] * Z))
    np.testing.assert_allclose(lines[:-1], wanted, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(lines[-1], weights @ Z, rtol=1e-10, atol=1e-11)


def test_raw_predictions_and_hypotheses(rng) -> None:
    X, rows = dense_rows(rng), None
    rows = rows_of(X).as_kernels_take()
    for n_models in (1, 3, 10):
        coef, intercept = rng.normal(size=(n_models, N_FEATURES)), rng.normal(size=n_models)
        wanted = X @ coef.T + intercept
        flat, levels = packed(coef, intercept)
        raw = np.empty((n_models, N_SAMPLES))
        kernels.PASSES.raw_prediction.serial(rows, bounds_of(3), 8, flat, levels, raw)
        np.testing.assert_allclose(raw.T, wanted, rtol=1e-11, atol=1e-12)
        out, spoiled = np.empty(N_SAMPLES * n_models), np.full(3, np.nan)
        offset = readonly(np.linspace(0.0, 1.0, N_SAMPLES)[None])
        kernels.PASSES.hypotheses.serial(
            rows, bounds_of(3), 8, flat, levels, offset, RAW, n_models, spoiled, out
        )
        with_offset = wanted + offset[0][:, None]
        np.testing.assert_allclose(out.reshape(-1, n_models), with_offset, rtol=1e-11, atol=1e-12)
        np.testing.assert_array_equal(spoiled, 0.0)
    flat, levels = packed(coef[:1], intercept[:1])
    out = np.empty(2 * N_SAMPLES)
    kernels.PASSES.hypotheses.serial(
        rows, bounds_of(3), 8, flat, levels, NO_OFFSET, BINARY, 1, spoiled, out
    )
    proba = reference.sigmoid(X @ coef[0] + intercept[0])
    np.testing.assert_allclose(out.reshape(-1, 2)[:, 1], proba, rtol=1e-12)
    bad = X.copy()
    bad[2, 5] = np.inf
    with np.errstate(invalid="ignore"):
        kernels.PASSES.hypotheses.serial(
            rows_of(bad).as_kernels_take(), bounds_of(3), 8, flat, levels, NO_OFFSET, BINARY, 1,
            spoiled, out,
        )  # fmt: skip
    assert np.isnan(spoiled[0])
    assert spoiled[1] == 0.0


def test_the_largest_row(rng) -> None:
    X, center = dense_rows(rng), rng.normal(size=N_FEATURES)
    squares, largest = rng.uniform(0.5, 2.0, N_FEATURES), np.empty(3)
    base = float((center**2 * squares).sum())
    measures = readonly(np.column_stack([center, squares]).reshape(-1))
    kernels.largest_row.serial(rows_of(X).as_kernels_take(), bounds_of(3), measures, base, largest)
    wanted = ((X - center) ** 2 * squares).sum(axis=1)
    assert largest.max() == pytest.approx(wanted.max(), rel=1e-12)
    X[3, 5] = 1e200
    with np.errstate(over="ignore"):
        kernels.largest_row.serial(
            rows_of(X).as_kernels_take(), bounds_of(3), measures, base, largest
        )
    assert largest[0] == np.inf


def test_the_first_value_that_is_not_finite(rng) -> None:
    X = dense_rows(rng)
    found = np.empty((2, 2), dtype=np.int64)
    kernels.first_not_finite.serial(rows_of(X).as_kernels_take(), bounds_of(2), found)
    np.testing.assert_array_equal(found, -1)
    X[N_SAMPLES - 2, 5] = np.nan
    rows = rows_of(X)
    kernels.first_not_finite.serial(rows.as_kernels_take(), bounds_of(2), found)
    assert found[0, 0] == -1
    assert found[1, 0] == N_SAMPLES - 2
    assert np.isnan(rows.data[found[1, 1]])


def test_a_look_at_indices() -> None:
    indptr = readonly(np.array([0, 2, 2, 4], dtype=np.int64))

    def look(*indices: int) -> int:
        found = np.zeros(2, dtype=np.int64)
        places = readonly(np.array(indices, dtype=np.int32))
        kernels.look_at_rows.serial(places, indptr, 5, found)
        return int(found[0] | found[1])

    assert look(0, 1, 3, 4) == look(3, 4, 0, 1) == 0
    assert look(1, 0, 3, 4) == look(0, 1, 3, 3) == kernels.UNSORTED
    assert look(0, 1, 3, 5) == kernels.OUT_OF_RANGE
    assert look(-1, 1, 3, 4) == kernels.OUT_OF_RANGE | kernels.UNSORTED
    assert look(0, 1, 4, -3) == kernels.OUT_OF_RANGE | kernels.UNSORTED


@pytest.mark.jit
def test_twins_give_the_same_bits(rng) -> None:
    X, y = dense_rows(rng), rng.integers(0, 2, N_SAMPLES)
    weights, intercept = rng.uniform(0.1, 2.0, N_SAMPLES), rng.normal(size=3)
    coef = rng.normal(size=(3, N_FEATURES))
    several = binomial(y, weights)._replace(
        positive=readonly(np.array([0, 1, 1])), weight_set=readonly(np.zeros(3, dtype=np.int64))
    )
    for targets, n_models in ((binomial(y, weights), 1), (several, 3)):
        found = [
            summed(X, targets, coef[:n_models], intercept[:n_models], twin=twin)
            for twin in ("serial", "parallel")
        ]
        for one, other in zip(*found, strict=True):
            assert one.tobytes() == other.tobytes()
    assert isinstance(kernels.PASSES.sums, Twins)
