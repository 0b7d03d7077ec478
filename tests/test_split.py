"""Blocks side by side: sums over parts of the rows, products across blocks, whole fits."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from problems import TWO_THREADS

import fastlogit
from fastlogit.design.base import Columns
from fastlogit.design.codes import CodesDesign, code_columns
from fastlogit.design.dense import DenseDesign
from fastlogit.design.sparse import SparseDesign
from fastlogit.design.split import SplitDesign
from fastlogit.inputs.sparse import compressed_rows

pytestmark = pytest.mark.jit

SIZES = [4, 7]


def table(rng, n_samples, n_dense=5, n_sparse=3):
    """Return a split design and the dense X of the same columns, the blocks' interleaved."""
    numbers = rng.normal(size=(n_samples, n_dense)) + 0.5
    counts = rng.poisson(0.3, size=(n_samples, n_sparse)).astype(float)
    codes = [rng.integers(0, size, n_samples) for size in SIZES]
    levels = [
        (c[:, None] == np.arange(1, s)).astype(float) for c, s in zip(codes, SIZES, strict=True)
    ]
    widths = [n_dense, n_sparse, sum(SIZES) - len(SIZES)]
    order = rng.permutation(sum(widths))
    places = np.split(order, np.cumsum(widths)[:-1])
    X = np.empty((n_samples, sum(widths)))
    for place, part in zip(places, [numbers, counts, np.hstack(levels)], strict=True):
        X[:, place] = part
    blocks = [
        DenseDesign(numbers),
        SparseDesign(compressed_rows(scipy.sparse.csr_array(counts))),
        CodesDesign(code_columns(codes, SIZES, drop_first=True)),
    ]
    return SplitDesign(blocks, places), X


@pytest.mark.parametrize("n_dense", [5, 12])
def test_products_of_rows_in_parts(rng, monkeypatch, n_dense) -> None:
    monkeypatch.setattr("fastlogit.design.split.PART_ROWS", 256)
    monkeypatch.setattr("fastlogit.design.split.LEAST_PART", 64)
    design, X = table(rng, 1_000, n_dense)
    columns = Columns(X.mean(axis=0), 1.0 / X.std(axis=0))
    design = design.standardized(columns)
    np.testing.assert_array_equal(design.columns.center, columns.center)
    Z = (X - columns.center) * columns.inverse_scale
    ones, weight = np.column_stack([Z, np.ones(len(Z))]), rng.uniform(size=len(Z))
    gram = ones.T @ (weight[:, None] * ones)
    np.testing.assert_allclose(design.gram(weight), gram, rtol=1e-10, atol=1e-9)
    coef, intercept = rng.normal(size=(3, X.shape[1])), rng.normal(size=3)
    raw = design.raw_prediction(coef, intercept)
    np.testing.assert_allclose(raw, coef @ Z.T + intercept[:, None], rtol=1e-10, atol=1e-11)
    scale, shift = rng.uniform(size=X.shape[1]), rng.normal(size=X.shape[1])
    largest = np.square((Z - shift) * scale).sum(axis=1).max()
    assert design.largest_row(scale, shift) == pytest.approx(largest, rel=1e-12)
    assert design.n_passes == 3.0


@pytest.mark.parametrize("solver", ["newton", "newton-cg", "lbfgs", "auto"])
def test_fits_are_those_of_the_dense_matrix(rng, solver) -> None:
    design, X = table(rng, 3_000)
    y = (X @ rng.normal(size=X.shape[1]) + rng.logistic(size=len(X)) > 0.5).astype(int)
    found = fastlogit.fit(design, y, l2_reg=1e-2, solver=solver)
    wanted = fastlogit.fit(X, y, l2_reg=1e-2)
    assert found.converged
    np.testing.assert_allclose(found.coef, wanted.coef, atol=1e-6)
    np.testing.assert_allclose(found.intercept, wanted.intercept, atol=1e-6)
    np.testing.assert_allclose(found.history[-1], wanted.history[-1], rtol=1e-9)


@pytest.mark.parametrize("multi_class", ["multinomial", "ovr"])
def test_classes_in_parts(rng, monkeypatch, multi_class) -> None:
    monkeypatch.setattr("fastlogit.design.split.LEAST_PART", 512)
    monkeypatch.setattr("fastlogit.design.split.PART_ROWS", 1024)
    design, X = table(rng, 3_000)
    y = (X @ rng.normal(size=(X.shape[1], 3)) + rng.gumbel(size=(len(X), 3))).argmax(axis=1)
    weight, offset = rng.uniform(size=len(X)), rng.normal(size=(len(X), 3))
    options = {"l2_reg": 1e-2, "multi_class": multi_class, "offset": offset}
    found = fastlogit.fit(design, y, sample_weight=weight, **options)
    wanted = fastlogit.fit(X, y, sample_weight=weight, **options)
    assert found.converged
    np.testing.assert_allclose(found.coef, wanted.coef, atol=1e-6)
    proba = found.predict_proba(design)
    np.testing.assert_allclose(proba, wanted.predict_proba(X), atol=1e-6)


def test_the_same_bits_for_any_number_of_threads(rng) -> None:
    design, X = table(rng, 150_000)
    y = (X @ rng.normal(size=X.shape[1]) + rng.logistic(size=len(X)) > 0.5).astype(int)
    one, two = (
        fastlogit.fit(SplitDesign(design.blocks, design.places, n_threads=n), y, l2_reg=1e-3)
        for n in (1, TWO_THREADS)
    )
    np.testing.assert_array_equal(one.coef, two.coef)
    assert one.history[-1] == two.history[-1]


@pytest.mark.parametrize("drop_first", [True, False])
@pytest.mark.parametrize("n_samples", [1, 2, 9, 131_071, 131_073, 196_608, 196_609, 262_145])
def test_odd_numbers_of_rows_and_blocks_of_no_columns(rng, n_samples, drop_first) -> None:
    # A column of one level, which reference coding leaves without a feature, and one of levels
    # that no row has; parts of the rows end at 131,072, or with a last one of half as many more.
    sizes = [1, 9]
    codes = [np.zeros(n_samples, dtype=int), rng.integers(0, 3, n_samples)]
    coded = CodesDesign(code_columns(codes, sizes, drop_first=drop_first))
    levels = [c[:, None] == np.arange(drop_first, s) for c, s in zip(codes, sizes, strict=True)]
    numbers = rng.normal(size=(n_samples, 2))
    X = np.hstack([numbers, *levels])
    design = SplitDesign([coded, DenseDesign(numbers)], [np.arange(2, X.shape[1]), np.arange(2)])
    coef, vectors = rng.normal(size=(2, X.shape[1])), rng.normal(size=(1, n_samples))
    np.testing.assert_allclose(design.raw_prediction(coef, np.ones(2)), coef @ X.T + 1.0, rtol=1e-9)
    slopes, _ = design.transposed_product(vectors)
    np.testing.assert_allclose(slopes, vectors @ X, rtol=1e-9, atol=1e-8)
    ones, weight = np.column_stack([X, np.ones(n_samples)]), rng.uniform(size=n_samples)
    gram = ones.T @ (weight[:, None] * ones)
    np.testing.assert_allclose(design.gram(weight), gram, rtol=1e-9, atol=1e-8)
    np.testing.assert_array_equal(design.rows(np.arange(n_samples)[-3:]), X[-3:])
    alone = CodesDesign(code_columns(codes[:1], sizes[:1], drop_first=drop_first))
    lonely = SplitDesign([alone], [np.arange(1 - drop_first)])
    assert lonely.shape == (n_samples, 1 - drop_first)
    assert lonely.density == (0.0 if drop_first else 1.0)


def test_a_design_of_no_columns_is_refused() -> None:
    codes = CodesDesign(code_columns([np.zeros(8, dtype=int)], [1], drop_first=True))
    for design in (codes, SplitDesign([codes], [np.arange(0)])):
        with pytest.raises(ValueError, match="X is empty: 8 rows and 0 columns"):
            fastlogit.fit(design, np.arange(8) % 2, C=1.0)


@pytest.mark.parametrize("count", [2, 9, 17])
def test_columns_are_made_of_what_they_store(rng, count) -> None:
    design, X = table(rng, 300)
    columns = Columns(X.mean(axis=0), 1.0 / X.std(axis=0))
    design = design.standardized(columns)
    Z = (X - columns.center) * columns.inverse_scale
    for some in (rng.choice(X.shape[1], count, replace=False), np.arange(count)):
        part, coef = design.columns_of(some), rng.normal(size=(1, count))
        raw = part.raw_prediction(coef, np.zeros(1))[0]
        np.testing.assert_allclose(raw, Z[:, some] @ coef[0], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("with_numbers", [True, False])
def test_few_of_many_levels_are_sparse_columns(rng, with_numbers) -> None:
    levels, n_samples = rng.integers(0, 1_500, 4_000), 4_000
    codes = CodesDesign(code_columns([levels], [1_500], drop_first=True))
    numbers = rng.normal(size=(n_samples, 2)) + 1e3
    dense = (levels[:, None] == np.arange(1, 1_500)).astype(float)
    design, X = codes, dense
    if with_numbers:
        places = [np.array([0, 1_500]), np.setdiff1d(np.arange(1_501), [0, 1_500])]
        design = SplitDesign([DenseDesign(numbers), codes], places)
        X = np.column_stack([numbers[:, 0], dense, numbers[:, 1]])
    scales = np.divide(1.0, X.std(axis=0), out=np.zeros(X.shape[1]), where=X.std(axis=0) > 0.0)
    columns = Columns(X.mean(axis=0), scales)
    design = design.standardized(columns)
    assert design.gives_columns(10)
    some = np.append(np.arange(0, X.shape[1] - 1, 50), X.shape[1] - 1)
    part = design.columns_of(some)
    assert isinstance(part, SparseDesign)
    Z = (X[:, some] - columns.center[some]) * columns.inverse_scale[some]
    coef = rng.normal(size=(1, some.size))
    raw = part.raw_prediction(coef, np.zeros(1))[0]
    np.testing.assert_allclose(raw, Z @ coef[0], rtol=1e-11, atol=1e-10)
    weights = rng.uniform(size=n_samples)
    given, middles = design.some_columns(some)
    levels_of, squares = design.measures_of(given, weights)
    np.testing.assert_allclose(levels_of - middles * weights.sum(), weights @ Z, atol=1e-8)
    centred = squares - 2.0 * middles * levels_of + middles**2 * weights.sum()
    np.testing.assert_allclose(centred, weights @ Z**2, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("l1_ratio", [1.0, 0.5])
def test_thousands_of_levels_under_l1_as_sparse_rows(rng, l1_ratio) -> None:
    """20,000 levels of 50,000 rows took 30 s without an end, for columns were made dense."""
    n_samples, n_levels = 5_000, 2_000
    levels = rng.integers(0, n_levels, n_samples)
    levels[:n_levels] = np.arange(n_levels)
    x = rng.normal(size=n_samples) + 50.0
    z = x - 50.0 + rng.normal(size=n_levels)[levels]
    y = (rng.random(n_samples) < 1.0 / (1.0 + np.exp(-z))).astype(int)
    frame = pd.DataFrame({"x": x, "k": pd.Categorical(levels, categories=range(n_levels))})
    found = fastlogit.fit(frame, y, C=1.0, l1_ratio=l1_ratio, tol=1e-9, time_limit=30.0)
    indicators = (np.ones(n_samples), (np.arange(n_samples), levels))
    one_hot = scipy.sparse.csr_array(indicators, shape=(n_samples, n_levels))
    rows = scipy.sparse.hstack([scipy.sparse.csr_array(x[:, None] - 50.0), one_hot]).tocsr()
    expected = fastlogit.fit(rows, y, C=1.0, l1_ratio=l1_ratio, tol=1e-9)
    assert found.converged
    assert expected.converged
    assert found.history[-1] == pytest.approx(expected.history[-1], rel=2e-9)
    np.testing.assert_array_equal(found.coef != 0.0, expected.coef != 0.0)
