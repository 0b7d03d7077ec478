"""Sparse rows block by block: what the contract of all designs does not ask, and whole fits."""

import tracemalloc
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
from problems import EACH_SOLVER, TWO_THREADS, bits, fit_by
from scipy import sparse
from sklearn.base import clone

import fastlogit
from fastlogit import BatchSource, LogisticRegression, LogisticRegressionCV
from fastlogit.design import sparse_streamed
from fastlogit.design.batched import BatchRows
from fastlogit.design.sparse_streamed import StreamedSparseDesign, is_sparse_source
from fastlogit.inputs.batches import READING, first_look
from fastlogit.inputs.opening import open_design

pytestmark = pytest.mark.jit

FORMATS = ("csr", "csc", "coo", "bsr", "lil", "dok")


def rows_of_words(n_samples: int, n_features: int, n_classes: int = 2) -> tuple[Any, Any]:
    """Few values a row; an empty row, a column without values, and one that all rows have."""
    rng = np.random.default_rng([n_samples, n_features])
    X = rng.normal(size=(n_samples, n_features)) + 0.4
    X[rng.random(X.shape) > 6.0 / n_features] = 0.0
    X[:, 1], X[:, 2] = 0.0, 1.0 + rng.random(n_samples)
    X[3] = 0.0
    raw = X @ rng.normal(size=(n_features, n_classes)) + rng.gumbel(size=(n_samples, n_classes))
    return sparse.csr_array(X), raw.argmax(axis=1)


def source(X: Any, y: Any, *sizes: int, formats: Any = ("csr",)) -> BatchSource:
    """The rows in batches of the given sizes, and in these formats, over and over."""

    def factory() -> Iterator[Any]:
        start, turn = 0, 0
        while start < X.shape[0]:
            part = slice(start, start + sizes[turn % len(sizes)])
            yield X[part].asformat(formats[turn % len(formats)]), y[part]
            start, turn = part.stop, turn + 1

    return BatchSource(factory)


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sparse_streamed, "LEAST_BYTES", 1)


def assert_same_fit(found: Any, wanted: Any, atol: float = 1e-10) -> None:
    assert found.converged
    assert wanted.converged
    np.testing.assert_allclose(found.history[-1], wanted.history[-1], rtol=1e-12)
    np.testing.assert_allclose(found.coef, wanted.coef, rtol=0, atol=atol)
    np.testing.assert_allclose(found.intercept, wanted.intercept, rtol=0, atol=atol)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("solver", EACH_SOLVER)
def test_every_solver_finds_the_optimum_of_memory(solver, n_classes) -> None:
    X, y = rows_of_words(1_000, 25, n_classes)
    options = {"C": 1.0, "tol": 1e-13, "multi_class": "multinomial"}
    if solver not in ("newton", "lbfgs", "newton-cg"):
        options["tol"] = 1e-9
    found = fit_by(solver, source(X, y, 97, 0, 3), None, **options)
    wanted = fit_by(solver, X, y, **options)
    assert found.n_passes > wanted.n_passes
    assert_same_fit(found, wanted, 20.0 * np.sqrt(options["tol"]))


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("mode", ["ovr", "multinomial"])
def test_newton_to_the_last_digits(mode) -> None:
    X, y = rows_of_words(1_000, 25, 3)
    options = {"C": 1.0, "tol": 1e-20, "multi_class": mode, "solver": "newton"}
    found = fastlogit.fit(source(X, y, 130, formats=FORMATS), **options)
    assert_same_fit(found, fastlogit.fit(X, y, **options))


@pytest.mark.usefixtures("small_blocks")
def test_l1_keeps_the_same_columns() -> None:
    X, y = rows_of_words(1_000, 40, 3)
    options = {"l1_reg": 0.01, "l2_reg": 0.001, "tol": 1e-15}
    found = fastlogit.fit(source(X, y, 130), **options)
    wanted = fastlogit.fit(X, y, **options)
    assert_same_fit(found, wanted, 1e-8)
    np.testing.assert_array_equal(found.coef == 0.0, wanted.coef == 0.0)
    assert 5 < np.count_nonzero(found.coef) < found.coef.size


@pytest.mark.usefixtures("small_blocks")
def test_more_columns_than_rows_and_than_a_hessian_takes() -> None:
    X, y = rows_of_words(700, 3_000)
    for solver in ("auto", "newton-cg", "lbfgs"):
        options = {"C": 1.0, "tol": 1e-14, "solver": solver}
        found = fastlogit.fit(source(X, y, 64), **options)
        assert_same_fit(found, fastlogit.fit(X, y, **options), 1e-6)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("sizes", [(1,), (64, 0, 0), (1000, 1), (100_000,)], ids=str)
def test_whatever_the_batches_and_the_threads_the_bits_are_the_same(sizes) -> None:
    X, y = rows_of_words(600 if sizes == (1,) else 3_000, 12, 3)
    wanted = bits(fastlogit.fit(source(X, y, 500), C=1.0, n_threads=1, solver="newton"))
    options = {"C": 1.0, "n_threads": TWO_THREADS, "solver": "newton"}
    found = fastlogit.fit(source(X, y, *sizes, formats=("csr", "coo")), **options)
    assert bits(found) == wanted


def test_blocks_large_enough_for_threads_give_the_bits_of_one() -> None:
    X, y = rows_of_words(60_000, 30)
    found = {
        bits(fastlogit.fit(source(X, y, 20_011), C=1.0, n_threads=n_threads, max_iter=3, tol=0.5))
        for n_threads in (1, TWO_THREADS)
    }
    assert len(found) == 1


@pytest.mark.usefixtures("small_blocks")
def test_weights_offsets_and_number_types() -> None:
    X, y = rows_of_words(900, 20)
    X.data[...] = np.round(4.0 * X.data)
    X.eliminate_zeros()
    weight = np.random.default_rng(0).uniform(0.1, 2.0, 900)
    weight[:300] = 0.0  # a whole block counts nothing
    kinds = (np.float32, np.int16, np.float64)

    def factory() -> Iterator[Any]:
        for turn in range(3):
            part = slice(300 * turn, 300 * turn + 300)
            yield X[part].astype(kinds[turn]), y[part], weight[part]

    rows = first_look(BatchSource(factory), None, None)[0]
    assert isinstance(rows, BatchRows)
    assert (rows.dtype, rows.n_values) == (np.float64, X.nnz)
    options = {"C": 1.0, "offset": 0.1 * weight, "tol": 1e-20}
    found = fastlogit.fit(BatchSource(factory), **options)
    assert_same_fit(found, fastlogit.fit(X, y, sample_weight=weight, **options))
    wide = fastlogit.fit(source(X.astype(np.float32), y, 200), C=1.0, tol=1e-20)
    assert_same_fit(wide, fastlogit.fit(X.astype(np.float32), y, C=1.0, tol=1e-20))


def test_frames_of_sparse_columns_keep_their_names() -> None:
    X, y = rows_of_words(300, 5)
    names = [f"word {k}" for k in range(5)]
    frame = pd.DataFrame.sparse.from_spmatrix(X, columns=names)

    def factory() -> Iterator[Any]:
        yield frame[:200], y[:200]
        yield frame[200:], y[200:]

    found = fastlogit.fit(BatchSource(factory), C=1.0)
    assert found.feature_names == names
    model = LogisticRegression().fit(BatchSource(factory))
    assert model.feature_names_in_.tolist() == names
    np.testing.assert_allclose(model.predict_proba(frame), found.predict_proba(frame))


def test_a_factory_may_use_its_memory_again() -> None:
    X, y = rows_of_words(900, 20)
    data, indices = np.empty(X.nnz), np.empty(X.nnz, dtype=np.int32)

    def factory() -> Iterator[Any]:
        for start in range(0, 900, 90):
            part = X[start : start + 90]
            data[...], indices[...] = np.nan, 0
            data[: part.nnz], indices[: part.nnz] = part.data, part.indices
            yield (
                sparse.csr_array((data[: part.nnz], indices[: part.nnz], part.indptr), part.shape),
                y[start : start + 90],
            )

    found = fastlogit.fit(BatchSource(factory), C=1.0, tol=1e-20)
    assert_same_fit(found, fastlogit.fit(X, y, C=1.0, tol=1e-20))


def test_a_batch_that_becomes_dense_is_refused_in_later_epochs() -> None:
    X, y = rows_of_words(300, 20)
    epochs = []

    def factory() -> Any:
        epochs.append(None)
        return [(X if len(epochs) == 1 else X.toarray(), y)]

    with pytest.raises(ValueError, match="batch 0 is not sparse as those of the first epoch"):
        fastlogit.fit(BatchSource(factory), C=1.0)


def test_values_that_break_a_later_epoch_are_refused_before_kernels_read_them() -> None:
    X, y = rows_of_words(300, 20)
    epochs = []

    def factory() -> Any:
        epochs.append(None)
        batch = X.copy()
        batch.indices[5] += 10_000 * (len(epochs) > 2)
        return [(batch, y)]

    with pytest.raises(ValueError, match=r"broken: indices has 100\d\d, outside 0 to 19") as caught:
        fastlogit.fit(BatchSource(factory), C=1.0)
    assert any("rows 0 to 299 of X were read" in note for note in caught.value.__notes__)


def test_a_source_that_gives_other_shapes_is_named() -> None:
    X, y = rows_of_words(600, 20)

    class Fewer(BatchRows):
        def __getitem__(self, rows: slice) -> Any:
            return super().__getitem__(slice(rows.start, rows.stop - 1))

    rows = Fewer(
        lambda: iter([(X, y)]), X.shape, X.dtype, None, y, None, [], READING, X.nnz
    )  # fmt: skip
    assert is_sparse_source(rows)
    design = StreamedSparseDesign(rows, block_rows=256)
    with pytest.raises(ValueError, match=r"X\[0:256\] has shape \(255, 20\)"):
        design.column_means(np.empty(0), 600.0)


def test_columns_that_do_not_vary_have_no_variance_in_any_block() -> None:
    X, y = rows_of_words(900, 20)
    rows = first_look(source(X, y, 100), None, None)[0]
    design = StreamedSparseDesign(rows, block_rows=128)
    found = design.column_variances(np.empty(0), 900.0)
    assert found[1] == 0.0
    weights = np.where(np.arange(900) < 256, 0.0, 1.0)
    found = design.column_variances(weights, 644.0)
    np.testing.assert_allclose(found, np.square(X[256:].toarray()).mean(axis=0), rtol=1e-12)
    assert design.density == pytest.approx(X.nnz / (900 * 20))


@pytest.mark.parametrize(
    ("shape", "n_values", "expected"),
    [
        # 1 MB of rows of 28 bytes; 1 % of the rows; 16 MB; a value a column; at least 256.
        ((10_000, 10), 10_000, 37_376),
        ((10_000_000, 10), 10_000_000, 99_840),
        ((10_000_000, 1_000), 1_000_000_000, 13_568),
        ((10_000_000, 10_000_000), 1_000_000_000, 13_568),
        ((1_000_000, 200_000), 30_000_000, 10_000 // 256 * 256),
        ((1_000, 1_000_000), 1_000_000_000, 256),
    ],
)
def test_the_size_of_a_block(shape, n_values, expected) -> None:
    rows = BatchRows(list, shape, np.dtype(float), None, np.empty(0), None, [], READING, n_values)
    design = StreamedSparseDesign(rows)
    assert design.block_rows == expected
    assert design.pass_ns(100) > design.pass_ns(1) > n_values


def test_a_fit_holds_blocks_only() -> None:
    rng = np.random.default_rng(0)
    n_samples, n_values = 60_000, 60
    columns = rng.integers(0, 100, n_samples * n_values).astype(np.int32)
    X = sparse.csr_array(
        (rng.normal(size=columns.size), columns, np.arange(0, columns.size + 1, n_values)),
        (n_samples, 100),
    )
    X.sum_duplicates()
    y = X @ np.linspace(-1.0, 1.0, 100) + rng.logistic(size=n_samples) > 0
    options = {"C": 1.0, "tol": 1e-2, "solver": "lbfgs"}
    fastlogit.fit(source(X[:4_000], y, 500), **options)
    tracemalloc.start()
    result = fastlogit.fit(source(X, y, 500), **options)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert result.converged
    # Batches, two blocks of 1 MB and a subsample of 1/61; labels and row states of all rows.
    assert peak < 0.25 * X.nnz * 12


class OnDisk:
    """Rows of a file, as anndata has them: sparse slices, and little else."""

    def __init__(self, X: Any, form: Any = "csr") -> None:
        self._X, self.shape, self.dtype, self.format = X, X.shape, X.dtype, form

    def __getitem__(self, rows: slice) -> Any:
        return self._X[rows]


@pytest.mark.usefixtures("small_blocks")
def test_a_source_of_sparse_slices_is_streamed_too() -> None:
    X, y = rows_of_words(900, 20)
    for rows in (OnDisk(X), OnDisk(sparse.csc_matrix(X), "csc"), OnDisk(X.astype(np.float32))):
        assert type(open_design(rows, 1)) is StreamedSparseDesign
        found = fastlogit.fit(rows, y, C=1.0, tol=1e-20)
        assert_same_fit(found, fastlogit.fit(rows[:900], y, C=1.0, tol=1e-20))
        np.testing.assert_allclose(found.predict_proba(rows), found.predict_proba(rows[:900]))
        model = LogisticRegression().fit(rows, y)
        np.testing.assert_allclose(model.predict_proba(rows), model.predict_proba(rows[:900]))
    rows = OnDisk(X)
    rows.nnz = X.nnz
    assert open_design(rows, 1).density == pytest.approx(X.nnz / 18_000)
    assert open_design(OnDisk(X), 1).density == pytest.approx(X[:256].nnz / (256 * 20), rel=1e-3)


def test_a_source_that_does_not_say_what_its_slices_are() -> None:
    X, y = rows_of_words(300, 20)
    with pytest.raises(TypeError, match=r"is sparse \(csr_array\); a source of sparse"):
        fastlogit.fit(OnDisk(X, None), y, C=1.0)
    with pytest.raises(TypeError, match=r"format 'csr' of a sparse matrix, but .*ndarray"):
        fastlogit.fit(OnDisk(X.toarray(), "csr"), y, C=1.0)
    with pytest.raises(ValueError, match=r"X is empty: 0 rows"):
        fastlogit.fit(OnDisk(X[:0]), y[:0], C=1.0)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("scoring", [None, "neg_log_loss", "own"])
def test_cross_validation_scores_as_in_memory(scoring) -> None:
    X, y = rows_of_words(900, 12, 3)
    seen = []

    def own(model: Any, X: Any, y: Any) -> float:
        seen.append(sparse.issparse(X))
        return float((model.predict(X) == y).mean())

    options = {"Cs": 2, "cv": 3, "l1_ratios": (0,), "use_legacy_attributes": False}
    model = LogisticRegressionCV(scoring=own if scoring == "own" else scoring, **options)
    found = clone(model).fit(source(X, y, 130), None)
    wanted = model.fit(X, y)
    np.testing.assert_allclose(found.scores_, wanted.scores_, rtol=1e-5)
    np.testing.assert_allclose(found.coef_, wanted.coef_, rtol=0, atol=1e-5)
    assert all(seen)
    assert bool(seen) == (scoring == "own")


def test_what_is_not_streamed_is_not_a_sparse_source() -> None:
    assert not is_sparse_source(np.zeros((3, 2)))
    X, y = rows_of_words(300, 20)
    assert type(open_design(first_look(source(X, y, 7), None, None)[0], 1)) is StreamedSparseDesign
