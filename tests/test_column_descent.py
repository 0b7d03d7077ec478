"""Coordinate descent over the columns of X against its formula."""

import numpy as np
import pytest
import scipy.sparse

from fastlogit import reference
from fastlogit.design.base import Columns
from fastlogit.design.dense import DenseDesign
from fastlogit.design.sparse import SparseDesign
from fastlogit.inputs.sparse import compressed_rows
from fastlogit.kernels.column_descent import SomeColumns, descend_columns, measure_columns


def rows_of(rng, n_samples, n_features):
    """Sparse rows, with an empty column."""
    X = rng.normal(size=(n_samples, n_features)) * (rng.random((n_samples, n_features)) < 0.4)
    X[:, 1] = 0.0
    return scipy.sparse.csr_array(X)


def one_sweep(Z, roots, l1, l2, slopes, last, start, coef, is_wide=True):
    """The formula: a coordinate to its minimum, with the intercept at its own."""
    coef, total = coef.copy(), float(roots @ roots)
    for j in range(coef.size):
        if not is_wide and coef[j] == 0.0:
            continue
        rest = Z[:, j] - (Z[:, j] @ roots / total) * roots if total > 0.0 else Z[:, j]
        curvature = rest @ rest + l2[j]
        if not curvature > 0.0:
            continue
        state = Z @ (coef - start)
        level = (-last - roots @ state) / total if total > 0.0 else 0.0
        slope = slopes[j] + Z[:, j] @ (state + level * roots) + l2[j] * (coef[j] - start[j])
        wanted = coef[j] - slope / curvature
        coef[j] = reference.elastic_net_prox(wanted, l1[j] / curvature, 0.0)
    return coef


def columns_of(X, scale, is_sparse):
    """All columns of sparse rows, as kernels see them."""
    if is_sparse:
        source = compressed_rows(X).transposed()
        return SomeColumns(source.data, source.indices, source.begins, source.ends, scale)
    n, d = X.shape
    begins = np.arange(d) * n
    flat = np.ascontiguousarray(X.toarray().T).reshape(-1)
    return SomeColumns(flat, np.empty(0, dtype=np.int32), begins, begins + n, scale)


def measures_of(columns, weights):
    levels, squares = np.empty(columns.begins.size), np.empty(columns.begins.size)
    measure_columns.serial(columns, weights, levels, squares)
    return levels, squares


@pytest.mark.parametrize("is_sparse", [True, False])
def test_sums_and_squares_of_columns(rng, is_sparse) -> None:
    X, weights, scale = rows_of(rng, 30, 7), rng.uniform(0.1, 1.0, 30), rng.uniform(0.5, 2.0, 7)
    levels, squares = measures_of(columns_of(X, scale, is_sparse), weights)
    scaled = X.toarray() * scale
    np.testing.assert_allclose(levels, weights @ scaled, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(squares, weights @ np.square(scaled), rtol=1e-12)


@pytest.mark.parametrize("is_sparse", [True, False])
@pytest.mark.parametrize("with_intercept", [True, False])
@pytest.mark.parametrize("l2", [0.0, 0.5])
def test_sweeps_are_those_of_the_formula(rng, is_sparse, with_intercept, l2) -> None:
    n, d = 77, 7
    X, weights, scale = rows_of(rng, n, d), rng.uniform(0.1, 1.0, n), rng.uniform(0.5, 2.0, d)
    Z, roots = X.toarray() * scale * np.sqrt(weights)[:, None], np.sqrt(weights)
    columns = columns_of(X, scale, is_sparse)
    l1, strengths, slopes = np.full(d, 0.3), np.full(d, l2), rng.normal(size=d)
    start = rng.normal(size=d) * (rng.random(d) < 0.6)
    z, last = (roots, 0.7) if with_intercept else (np.zeros(n), 0.0)
    expected = start
    for sweep in range(6):
        coef, state = start.copy(), np.zeros(n)
        arguments = (
            columns, measures_of(columns, weights), weights, (l1, strengths), slopes,
            (last, float(z @ z)),
        )  # fmt: skip
        done, along, moved, sums = descend_columns.serial(
            *arguments, (sweep + 1, 0.0, 0.5), start, coef, state
        )
        before = expected
        expected = one_sweep(Z, z, l1, strengths, slopes, last, start, before, sweep % 4 == 0)
        assert done == sweep + 1
        np.testing.assert_allclose(coef, expected, rtol=1e-9, atol=1e-11)
        np.testing.assert_array_equal(coef == 0.0, expected == 0.0)
        np.testing.assert_allclose(state, roots * (Z @ (coef - start)), atol=1e-12)
        np.testing.assert_allclose(along, Z.T @ roots @ (coef - start), atol=1e-12)
        assert (moved > 0.0) == (expected != before).any()
        assert sums > 0.5 + 0.99 * moved
    # From where it has come to it goes on, with what it has counted.
    again, whole = coef.copy(), state.copy()
    *_, more = descend_columns.serial(*arguments, (1, 0.0, sums), start, again, whole)
    expected = one_sweep(Z, z, l1, strengths, slopes, last, start, coef)
    np.testing.assert_allclose(again, expected, rtol=1e-9, atol=1e-11)
    assert more >= sums


def test_it_ends_by_its_share_and_at_the_minimum(rng) -> None:
    X, weights = rng.normal(size=(40, 6)), rng.uniform(0.5, 1.0, 40)
    l1, l2, start = np.full(6, 2.0), np.zeros(6), np.zeros(6)
    slopes = 10.0 * rng.normal(size=6)
    coef, state = np.zeros(6), np.zeros(40)
    columns = columns_of(scipy.sparse.csr_array(X), np.ones(6), True)
    measures = measures_of(columns, weights)
    arguments = columns, measures, weights, (l1, l2), slopes, (0.0, 0.0)
    done, *_ = descend_columns.serial(*arguments, (10_000, 1e-24, 0.0), start, coef, state)
    assert 1 < done < 10_000
    assert done % 4 == 1
    left = slopes + X.T @ state
    used = coef != 0.0
    np.testing.assert_allclose((left + l1 * np.sign(coef))[used], 0.0, atol=1e-9)
    assert (np.abs(left) <= l1 + 1e-9).all()
    coef, state = np.zeros(6), np.zeros(40)
    assert descend_columns.serial(*arguments, (10_000, 1.0, 0.0), start, coef, state)[0] == 1


@pytest.mark.parametrize("dtype", ["f8", "f4", "i8"])
def test_dense_columns_are_standardised_once(rng, dtype, monkeypatch) -> None:
    X, weights = (10.0 * rng.normal(size=(9, 40))).astype(dtype), rng.uniform(0.1, 1.0, 9)
    columns = Columns(rng.normal(size=40), rng.uniform(0.5, 2.0, 40))
    design = DenseDesign(X, columns=columns)
    assert design.gives_columns(40)  # of little data all of them
    monkeypatch.setattr("fastlogit.design.dense.LITTLE", 0.0)
    assert design.gives_columns(10)
    assert not design.gives_columns(11)
    assert not DenseDesign(X.T).gives_columns(1)
    for which in ([5, 2], [2], [1, 2, 7, 5], np.arange(0, 40, 3)):
        which = np.array(which)
        some, middles = design.some_columns(which)
        assert not middles.any()
        scaled = (X[:, which] - columns.center[which]) * columns.inverse_scale[which]
        for j in range(len(which)):
            own = some.data[some.begins[j] : some.ends[j]] * some.scale[j]
            np.testing.assert_array_equal(own, scaled[:, j])
        levels, _ = design.measures_of(some, weights)
        np.testing.assert_allclose(levels, weights @ scaled, rtol=1e-11, atol=1e-12)


def test_the_design_gives_its_columns(rng) -> None:
    X, weights = rows_of(rng, 30, 7), rng.uniform(0.1, 1.0, 30)
    columns = Columns(rng.normal(size=7), rng.uniform(0.5, 2.0, 7))
    design = SparseDesign(compressed_rows(X), columns=columns)
    which = np.array([2, 5])
    some, middles = design.some_columns(which)
    assert design.gives_columns(7)
    np.testing.assert_allclose(middles, (columns.center * columns.inverse_scale)[which])
    scaled = X.toarray()[:, which] * columns.inverse_scale[which]
    levels, squares = design.measures_of(some, weights)
    np.testing.assert_allclose(levels, weights @ scaled, atol=1e-14)
    np.testing.assert_allclose(squares, weights @ np.square(scaled), rtol=1e-12)


@pytest.mark.parametrize("with_intercept", [True, False])
def test_weighed_columns_are_swept_as_others(rng, with_intercept) -> None:
    n, d = 40, 9
    X, weights = rows_of(rng, n, d), rng.uniform(0.1, 1.0, n)
    weights[:3] = 0.0
    scales = 10.0 ** np.linspace(-60.0, 60.0, d)  # beyond numbers of 32 bits
    X = X @ scipy.sparse.diags_array(scales)
    columns = Columns(scales * rng.normal(size=d), rng.uniform(0.5, 2.0, d) / scales)
    design, which = SparseDesign(compressed_rows(X), columns=columns), np.array([7, 0, 2, 3])
    some, middles = design.some_columns(which)
    weighed = design.weighed_columns(which, weights)
    np.testing.assert_array_equal(weighed.middles, middles)
    assert weighed.n_values == (some.ends - some.begins).sum()
    measures = design.measures_of(some, weights)
    for found, wanted in zip(weighed.measures, measures, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-6)
    strengths, slopes = (np.full(4, 0.3), np.array([0.0, 0.1, 0.2, 0.0])), rng.normal(size=4)
    start, of_intercept = np.array([0.4, 0.0, 0.0, -1.0]), (0.7, float(weights.sum()))
    of_intercept = of_intercept if with_intercept else (0.0, 0.0)
    coef, state, ends = start.copy(), np.zeros(n), (6, 0.0, 0.5)
    wanted = descend_columns.serial(
        some, measures, weights, strengths, slopes, of_intercept, ends, start, coef, state
    )
    own = start.copy()
    found = weighed.sweep(strengths, slopes, of_intercept, ends, start, own)
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(own, coef, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(own == 0.0, coef == 0.0)
    np.testing.assert_allclose(weighed.state * np.sqrt(weights), state, atol=1e-6)
    rest = (state + 0.2 * weights)[weights > 0.0]
    np.testing.assert_allclose(
        weighed.squared(0.2), (np.square(rest) / weights[weights > 0.0]).sum(), rtol=1e-5
    )


def test_other_standardisations_share_a_copy(rng) -> None:
    X, weights = rows_of(rng, 30, 7), rng.uniform(0.1, 1.0, 30)
    design, which = SparseDesign(compressed_rows(X)), np.arange(7)
    for scale in (rng.uniform(0.5, 2.0, 7) * (np.arange(7) != 1), rng.uniform(0.5, 2.0, 7)):
        other = design.standardized(Columns(np.zeros(7), scale))
        levels, squares = other.weighed_columns(which, weights).measures
        scaled = X.toarray() * scale
        np.testing.assert_allclose(levels, weights @ scaled, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(squares, weights @ np.square(scaled), rtol=1e-5)
