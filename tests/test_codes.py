"""Categorical columns as codes: passes over them give what their indicators give, densely."""

import numpy as np
import pytest
from problems import TWO_THREADS

from fastlogit import reference
from fastlogit.design.base import Columns, plain_targets, readonly
from fastlogit.design.codes import CodesDesign, code_columns
from fastlogit.kernels import codes as kernels
from fastlogit.kernels.descent import Penalty, start_state
from fastlogit.kernels.passes import BINOMIAL, Layout

N_SAMPLES = 60
RNG = np.random.default_rng(11)


def columns_of(n_samples=N_SAMPLES, sizes=(3, 5)):
    return [RNG.integers(0, size, n_samples) for size in sizes], list(sizes)


def indicators(columns, sizes, drop_first):
    parts = [
        (column[:, None] == np.arange(int(drop_first), size)).astype(float)
        for column, size in zip(columns, sizes, strict=True)
    ]
    return np.hstack(parts)


@pytest.mark.parametrize("drop_first", [True, False])
@pytest.mark.parametrize("n_models", [1, 3])
def test_gradients_and_products_are_those_of_the_indicators(drop_first, n_models) -> None:
    columns, sizes = columns_of()
    X = indicators(columns, sizes, drop_first)
    standard = Columns(X.mean(axis=0), RNG.uniform(0.5, 2.0, X.shape[1]))
    design = CodesDesign(code_columns(columns, sizes, drop_first=drop_first))
    assert design.given.codes.dtype == np.uint8
    design = design.standardized(standard)
    Z = (X - standard.center) * standard.inverse_scale
    y = RNG.integers(0, 2, N_SAMPLES).astype(np.uint8)
    weight = RNG.uniform(0.1, 2.0, N_SAMPLES)
    coef, intercept = RNG.normal(size=(n_models, X.shape[1])), RNG.normal(size=n_models)
    targets = plain_targets(BINOMIAL, weight, np.full(n_models, weight.sum()))
    targets = targets._replace(
        codes=readonly(y[None]), positive=readonly(np.ones(n_models, dtype=np.int64))
    )
    state = start_state(coef, intercept)
    design.evaluate(targets, Penalty(np.full((1, X.shape[1]), 0.3), True), state)
    for model in range(n_models):
        cost, gradient, of_intercept = reference.cost_gradient(
            Z, y, coef[model], intercept[model], 0.3, weight
        )
        np.testing.assert_allclose(state.cost[model], cost, rtol=1e-12)
        np.testing.assert_allclose(state.gradient[model], gradient, rtol=1e-10, atol=1e-13)
        np.testing.assert_allclose(state.intercept_gradient[model], of_intercept, rtol=1e-9)
    raw = design.raw_prediction(coef, intercept)
    np.testing.assert_allclose(raw, coef @ Z.T + intercept[:, None], rtol=1e-11, atol=1e-12)
    ones = np.column_stack([Z, np.ones(N_SAMPLES)])
    gram = ones.T @ (weight[:, None] * ones)
    np.testing.assert_allclose(design.gram(weight), gram, rtol=1e-11, atol=1e-11)
    np.testing.assert_array_equal(design.rows(np.arange(N_SAMPLES)), X)


@pytest.mark.parametrize(("largest", "kind"), [(256, "u1"), (257, "u2"), (70_000, "u4")])
def test_codes_are_of_the_smallest_type(largest, kind) -> None:
    column = np.array([0, largest - 1, 1, largest - 1])
    coded = code_columns([column], [largest], drop_first=False)
    assert coded.codes.dtype == np.dtype(kind)
    design = CodesDesign(coded)
    coef = np.arange(float(largest))[None]
    np.testing.assert_array_equal(design.raw_prediction(coef, np.zeros(1))[0], column)
    np.testing.assert_array_equal(design.column(largest - 1), column == largest - 1)
    slopes = design.transposed_product(np.array([[1.0, 2.0, 4.0, 8.0]]))[0][0]
    assert (slopes[0], slopes[1], slopes[largest - 1], slopes.sum()) == (1.0, 4.0, 10.0, 15.0)


@pytest.mark.parametrize("code", [-1, 3])
def test_a_code_that_is_missing_or_too_large_is_refused(code) -> None:
    columns, sizes = columns_of()
    columns[0][17] = code
    with pytest.raises(ValueError, match=rf"column 0 has code {code} \(row 17\), outside 0 to 2"):
        code_columns(columns, sizes, drop_first=True)


def test_a_level_that_no_row_has_is_a_column_of_zeros() -> None:
    coded = code_columns([np.array([0, 2, 0])], [4], drop_first=True)
    design = CodesDesign(coded)
    assert design.shape == (3, 3)
    np.testing.assert_array_equal(design.column(0), 0.0)
    np.testing.assert_array_equal(design.gram(np.ones(3)).diagonal(), [0.0, 1.0, 0.0, 3.0])
    assert design.first_not_finite() is None


@pytest.mark.parametrize("layout", Layout)
@pytest.mark.parametrize("n_features", [8, 11, 16, 17])
def test_packed_columns_are_found_again(layout, n_features) -> None:
    width = kernels.width_of(n_features)
    slots = kernels.slots_of(n_features, layout)
    assert width % 8 == 0
    assert len(set(slots.tolist())) == n_features
    assert slots.max() < width


@pytest.mark.jit
def test_the_same_bits_for_any_number_of_threads() -> None:
    columns, sizes = columns_of(100_000, (3, 40))
    coded = code_columns(columns, sizes, drop_first=True)
    vectors = RNG.normal(size=(1, 100_000))
    one, two = (CodesDesign(coded, n_threads=n) for n in (1, TWO_THREADS))
    for name, given in (("transposed_product", vectors), ("gram", np.abs(vectors[0]))):
        found, other = (getattr(each, name)(given) for each in (one, two))
        for a, b in zip(np.atleast_1d(found[0]), np.atleast_1d(other[0]), strict=True):
            np.testing.assert_array_equal(a, b)
