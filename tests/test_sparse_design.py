"""Designs over sparse rows: what the contract of all designs does not ask."""

import numpy as np
import pytest
import scipy.sparse

from fastlogit.design.base import Columns, plain_targets
from fastlogit.design.dense import DenseDesign
from fastlogit.design.opening import open_rows
from fastlogit.design.sparse import CHUNK_VALUES, SparseDesign
from fastlogit.inputs.sparse import compressed_rows
from fastlogit.kernels.passes import SQUARED

pytestmark = pytest.mark.jit


def few_values(n_samples: int, n_features: int, seed: int = 0, share: float = 0.1):
    rng = np.random.default_rng([seed, n_samples, n_features])
    X = rng.normal(size=(n_samples, n_features))
    X[rng.random(X.shape) > share] = 0.0
    X[:, n_features // 2] = 0.0
    X[n_samples // 2] = 0.0
    X[:, 0] = 3.0
    return X


def design_of(X, **options) -> SparseDesign:
    return SparseDesign(compressed_rows(scipy.sparse.csr_array(X)), **options)


def test_sparse_rows_are_opened_as_such() -> None:
    rows = compressed_rows(scipy.sparse.csr_array(few_values(20, 6)))
    design = open_rows(rows, 1)
    assert type(design) is SparseDesign
    assert design.n_threads == 1
    assert not issubclass(SparseDesign, DenseDesign)
    with pytest.raises(ValueError, match="n_threads must be between"):
        open_rows(rows, 0)


def test_variances_of_columns_that_do_not_vary_are_zero() -> None:
    X = few_values(500, 20)
    weights = np.random.default_rng(0).uniform(0.1, 3.0, 500)
    design = design_of(X)
    for given, total in ((np.empty(0), 500.0), (weights, float(weights.sum()))):
        means = design.column_means(given, total)
        own = weights if given.size else np.ones(500)
        np.testing.assert_allclose(means, own @ X / total, rtol=1e-12, atol=1e-15)
        centred = design.standardized(Columns(means, np.ones(20)))
        found = centred.column_variances(given, total)
        wanted = own @ (X - means) ** 2 / total
        np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-28)
        assert found[10] == 0.0
        assert found[0] < 1e-28


def test_numbers_of_columns_far_beyond_the_number_of_values() -> None:
    X = few_values(40, 5_000, share=0.004)
    design, dense = design_of(X), DenseDesign(X)
    vectors = np.random.default_rng(1).normal(size=(2, 40))
    for one, other in zip(
        design.transposed_product(vectors), dense.transposed_product(vectors), strict=True
    ):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(design.gram_of_rows(), X @ X.T, rtol=1e-12, atol=1e-13)
    assert design.density == pytest.approx(np.count_nonzero(X) / X.size)
    assert dense.density == 1.0


@pytest.mark.parametrize("n_models", [1, 5])
def test_threads_and_rooms_change_no_bit(n_models) -> None:
    X = few_values(30_000, 300, share=0.05)
    rng = np.random.default_rng(2)
    coef, intercept = rng.normal(size=(n_models, 300)), rng.normal(size=n_models)
    targets = plain_targets(SQUARED, rng.uniform(size=30_000), np.ones(n_models))
    columns = Columns(X.mean(axis=0), rng.uniform(0.5, 2.0, 300))
    found = set()
    for n_threads in (1, None):
        design = design_of(X, n_threads=n_threads).standardized(columns)
        for _ in range(2):
            parts = design.hessian_product(targets, coef, intercept)
            parts += (design.raw_prediction(coef, intercept), design.gram(targets.weights[0]))
            found.add(b"".join(part.tobytes() for part in parts))
    assert len(found) == 1


def test_passes_are_counted_and_priced_by_the_values() -> None:
    design = design_of(few_values(500, 40))
    design.raw_prediction(np.ones((1, 40)), np.zeros(1))
    design.gram(np.ones(500))
    assert design.n_passes == 2.0
    part = design.subsample(5)
    part.raw_prediction(np.ones((1, 40)), np.zeros(1))
    assert design.n_passes == pytest.approx(2.2)
    full = design_of(np.ones((500, 40)))
    assert design.passes_within(1.0, 1) > 2 * full.passes_within(1.0, 1)


def test_centring_by_algebra_says_what_it_loses() -> None:
    X = few_values(200, 6)
    X[:, 1] += 1000.0
    plain = design_of(X)
    assert plain.rounding == 1.0
    centred = plain.standardized(Columns(X.mean(axis=0), 1.0 / np.maximum(X.std(axis=0), 0.1)))
    assert centred.rounding > 1000.0
    assert DenseDesign(X).standardized(centred.columns).rounding == 1.0


def test_sums_are_as_long_as_the_longest_row() -> None:
    """And as what centring takes off, by parts of the columns; never longer than dense ones."""
    X = np.zeros((30, 6_400))
    X[:, :5] = 1.0
    X[7, :90] = 1.0
    assert design_of(X).longest_sum == 90 + 100
    assert DenseDesign(X).longest_sum == 800
    X[7] = 1.0
    assert design_of(X).longest_sum == 800


def test_the_largest_row_is_no_smaller_than_it_is() -> None:
    X = few_values(300, 10)
    X[:, 3] = 1e4 + np.random.default_rng(0).normal(size=300)
    columns = Columns(X.mean(axis=0), 1.0 / np.maximum(X.std(axis=0), 1e-3))
    exact = ((X - columns.center) * columns.inverse_scale).astype(np.longdouble)
    largest = np.square(exact).sum(axis=1).max()
    found = design_of(X).standardized(columns).largest_row(np.ones(10), np.zeros(10))
    assert largest * (1.0 - 1e-12) <= found <= largest * (1.0 + 1e-4)


def test_gram_matrices_of_columns_of_any_size() -> None:
    X = few_values(200, 6)
    sizes = np.array([1.0, 1e200, 1e-200, 1.0, 1e-170, 1e150])
    columns = Columns(np.zeros(6), 1.0 / sizes)
    found = design_of(X * sizes).standardized(columns)
    weights = np.random.default_rng(0).uniform(size=200)
    ones = np.column_stack([X, np.ones(200)])
    wanted = ones.T @ (weights[:, None] * ones)
    np.testing.assert_allclose(found.gram(weights), wanted, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(found.gram_of_rows(), X @ X.T, rtol=1e-12, atol=1e-12)


def test_blocks_of_many_columns_are_small() -> None:
    X = scipy.sparse.random_array((60, 100_000), density=1e-4, rng=1, format="csr")
    design = SparseDesign(compressed_rows(X))
    blocks = list(design.row_blocks(1000))
    assert max(stop - start for start, stop, _ in blocks) == 20
    dense = X.toarray()
    for start, stop, rows in blocks:
        np.testing.assert_array_equal(rows, dense[start:stop])
    np.testing.assert_array_equal(design.column(77), dense[:, 77])


@pytest.mark.parametrize(("n_samples", "n_features"), [(7, 3), (3_000, 40), (9_000, 700)])
def test_threads_get_as_many_chunks_each_of_as_many_values(n_samples, n_features) -> None:
    X = few_values(n_samples, n_features, share=0.1)
    rows = compressed_rows(scipy.sparse.csr_array(X))
    bounds = SparseDesign(rows)._all.bounds
    n_chunks = len(bounds) - 1
    assert (n_chunks & (n_chunks - 1)) == 0
    assert (bounds[0], bounds[-1]) == (0, n_samples)
    values = np.diff(np.append(rows.begins, rows.ends[-1])[bounds])
    assert values.max() <= 1.2 * rows.n_values / n_chunks + n_features
    assert n_chunks <= max(1, rows.n_values // CHUNK_VALUES)


def test_strips_take_a_small_part_of_the_memory_of_X() -> None:
    X = scipy.sparse.random_array((20_000, 3_000), density=0.015, rng=1, format="csr")
    design = SparseDesign(compressed_rows(X))
    room = design._take_room(1, 1)
    assert room.strips.nbytes <= 0.05 * (X.data.nbytes + X.indices.nbytes)
    # The sums of two numbers a column, as of variances, need no more memory than those of one.
    design._keep_room(room)
    pairs = design._all.take_room_of_pairs()
    assert np.shares_memory(pairs.strips, room.strips)
    assert pairs.strips.size <= room.strips.size


@pytest.mark.parametrize("weighted", [True, False])
def test_variances_in_fewer_chunks_have_the_bits_of_any_number_of_threads(weighted) -> None:
    X = scipy.sparse.random_array((20_000, 3_000), density=0.015, rng=1, format="csr")
    rows = np.random.default_rng(0).uniform(size=20_000) if weighted else np.ones(20_000)
    weights = rows if weighted else np.empty(0)
    found = [
        SparseDesign(compressed_rows(X), n_threads=n_threads).column_variances(
            weights, float(rows.sum())
        )
        for n_threads in (1, 2)
    ]
    np.testing.assert_array_equal(*found)
    np.testing.assert_allclose(found[0], X.power(2).T @ rows / rows.sum(), rtol=1e-12)
