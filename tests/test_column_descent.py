"""Coordinate descent over the columns of X against its formula."""

import numpy as np
import pytest
import scipy.sparse

from fastlogit import reference
from fastlogit.design.base import Columns
from fastlogit.design.sparse import SparseDesign
from fastlogit.inputs.sparse import compressed_rows
from fastlogit.kernels.column_descent import WeightedColumns, descend_columns, weigh


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


def dense_columns(Z, roots):
    begins = np.arange(Z.shape[1] + 1) * len(Z)
    data = np.ascontiguousarray(Z.T).reshape(-1)
    none = np.empty(0, dtype=np.int32)
    return WeightedColumns(data, none, begins, Z.T @ roots, np.square(Z).sum(axis=0))


def weighted(X, roots, which, scale):
    """What `weigh` makes of columns of sparse rows."""
    source = compressed_rows(X).transposed()
    begins = np.append(0, np.cumsum((source.ends - source.begins)[which]))
    n = int(begins[-1])
    found = WeightedColumns(
        np.empty(n), np.empty(n, np.int32), begins, np.empty(len(which)), np.empty(len(which))
    )
    weigh.serial(source.as_kernels_take(), which, scale, roots, found.begins, found.data,
                 found.rows, found.levels, found.squares)  # fmt: skip
    return found


def test_columns_are_weighted(rng) -> None:
    X, roots, scale = rows_of(rng, 30, 7), rng.uniform(0.1, 1.0, 30), rng.uniform(0.5, 2.0, 7)
    which = np.array([0, 1, 4, 6])
    found = weighted(X, roots, which, scale)
    Z = X.toarray()[:, which] * scale[which] * roots[:, None]
    dense = np.zeros_like(Z)
    for j in range(4):
        own = slice(found.begins[j], found.begins[j + 1])
        dense[found.rows[own], j] = found.data[own]
    np.testing.assert_allclose(dense, Z, rtol=1e-14)
    np.testing.assert_allclose(found.levels, Z.T @ roots, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(found.squares, np.square(Z).sum(axis=0), rtol=1e-12)


@pytest.mark.parametrize("is_sparse", [True, False])
@pytest.mark.parametrize("with_intercept", [True, False])
@pytest.mark.parametrize("l2", [0.0, 0.5])
def test_sweeps_are_those_of_the_formula(rng, is_sparse, with_intercept, l2) -> None:
    n, d = 30, 7
    X, roots = rows_of(rng, n, d), rng.uniform(0.1, 1.0, n)
    Z = X.toarray() * roots[:, None]
    columns = dense_columns(Z, roots)
    if is_sparse:
        columns = weighted(X, roots, np.arange(d), np.ones(d))
    l1, strengths, slopes = np.full(d, 0.3), np.full(d, l2), rng.normal(size=d)
    start = rng.normal(size=d) * (rng.random(d) < 0.6)
    z, last = (roots, 0.7) if with_intercept else (np.zeros(n), 0.0)
    expected = start
    for sweep in range(6):
        coef, state = start.copy(), np.zeros(n)
        done, along, moved = descend_columns.serial(
            columns, l1, strengths, slopes, (last, float(z @ z)), (sweep + 1, 0.0), start, coef,
            state,
        )  # fmt: skip
        before = expected
        expected = one_sweep(Z, z, l1, strengths, slopes, last, start, before, sweep % 4 == 0)
        assert done == sweep + 1
        np.testing.assert_allclose(coef, expected, rtol=1e-9, atol=1e-11)
        np.testing.assert_array_equal(coef == 0.0, expected == 0.0)
        np.testing.assert_allclose(state, Z @ (coef - start), atol=1e-12)
        np.testing.assert_allclose(along, Z.T @ roots @ (coef - start), atol=1e-12)
        assert (moved > 0.0) == (expected != before).any()


def test_it_ends_by_its_share_and_at_the_minimum(rng) -> None:
    Z, roots = rng.normal(size=(40, 6)), np.zeros(40)
    l1, l2, start = np.full(6, 2.0), np.zeros(6), np.zeros(6)
    slopes = 10.0 * rng.normal(size=6)
    coef, state = np.zeros(6), np.zeros(40)
    arguments = dense_columns(Z, roots), l1, l2, slopes, (0.0, 0.0)
    done, _, _ = descend_columns.serial(*arguments, (10_000, 1e-24), start, coef, state)
    assert 1 < done < 10_000
    assert done % 4 == 1
    left = slopes + Z.T @ state
    used = coef != 0.0
    np.testing.assert_allclose((left + l1 * np.sign(coef))[used], 0.0, atol=1e-9)
    assert (np.abs(left) <= l1 + 1e-9).all()
    coef, state = np.zeros(6), np.zeros(40)
    assert descend_columns.serial(*arguments, (10_000, 1.0), start, coef, state)[0] == 1


def test_the_design_gives_its_columns(rng) -> None:
    X, roots = rows_of(rng, 30, 7), rng.uniform(0.1, 1.0, 30)
    columns = Columns(rng.normal(size=7), rng.uniform(0.5, 2.0, 7))
    design = SparseDesign(compressed_rows(X), columns=columns)
    which = np.array([2, 5])
    found, middles = design.weighted_columns(which, roots)
    assert design.gives_columns
    np.testing.assert_allclose(middles, (columns.center * columns.inverse_scale)[which])
    Z = X.toarray()[:, which] * columns.inverse_scale[which] * roots[:, None]
    np.testing.assert_allclose(found.squares, np.square(Z).sum(axis=0), rtol=1e-12)
