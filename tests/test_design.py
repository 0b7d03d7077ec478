"""One contract for every kind of design: the answers are those of the oracle over the same rows."""

import inspect

import numpy as np
import pytest
import scipy.sparse
from problems import memory_mapped, softmax_targets

import fastlogit
from fastlogit import reference
from fastlogit.clock import Clock, TimeUp
from fastlogit.design.base import (
    Columns,
    CounterElsewhere,
    Design,
    NotFinite,
    plain_targets,
    readonly,
)
from fastlogit.design.batched import BatchRows
from fastlogit.design.blockwise import BlockwiseDesign, SlicedDesign
from fastlogit.design.codes import CodesDesign, code_columns
from fastlogit.design.dense import DenseDesign
from fastlogit.design.scattered import ScatteredDesign
from fastlogit.design.sparse import SparseDesign
from fastlogit.design.sparse_streamed import StreamedSparseDesign
from fastlogit.design.split import SplitDesign
from fastlogit.design.stored_columns import GivesStored
from fastlogit.design.streamed import SourceDesign, StreamedDesign
from fastlogit.inputs import batches
from fastlogit.inputs.opening import open_design
from fastlogit.inputs.sparse import compressed_rows
from fastlogit.kernels.descent import Penalty, start_state
from fastlogit.kernels.passes import BINOMIAL, Targets

# Kernels of many types: minutes in plain Python.
pytestmark = pytest.mark.jit

N_SAMPLES, N_NUMBERS, N_FEATURES = 700, 9, 14
RNG = np.random.default_rng(5)
X0 = np.zeros((N_SAMPLES, N_FEATURES))
X0[:, :N_NUMBERS] = RNG.normal(size=(N_SAMPLES, N_NUMBERS)) * np.geomspace(0.2, 5.0, 9) + 1.0
# Zeros, for designs that do not store them; an empty row.
X0[RNG.random(X0.shape) < 0.3] = 0.0
X0[13] = 0.0
# Indicators of two categorical columns, of 4 and 3 levels, without those of the first levels.
CODES = np.array([RNG.integers(0, 4, N_SAMPLES), RNG.integers(0, 3, N_SAMPLES)])
CODES[:, 13] = 0
for level in range(1, 4):
    X0[:, 8 + level] = CODES[0] == level
for level in range(1, 3):
    X0[:, 11 + level] = CODES[1] == level
Y = RNG.integers(0, 2, N_SAMPLES).astype(np.uint8)
WEIGHT = RNG.uniform(0.1, 2.0, N_SAMPLES)
COLUMNS = Columns(X0.mean(axis=0), 1.0 / X0.std(axis=0))


class Rows:
    """All that a source of rows must have."""

    def __init__(self, X):
        self._X, self.shape, self.dtype = X, X.shape, X.dtype

    def __getitem__(self, rows):
        return self._X[rows]


def batched(X):
    def factory():
        return iter([(X[i : i + 90], Y[i : i + 90]) for i in range(0, N_SAMPLES, 90)])

    return BatchRows(factory, X.shape, X.dtype, None, Y, None, factory())


def sparse_batches(X):
    """In three formats, with a batch without rows."""
    formats, S = ("csr", "csc", "coo"), scipy.sparse.csr_array(X)

    def factory():
        for turn, start in enumerate(range(0, N_SAMPLES, 90)):
            yield S[start : start + 90].asformat(formats[turn % 3]), Y[start : start + 90]
            yield S[:0], Y[:0]

    labels, conversion = Y, batches.READING
    return BatchRows(factory, X.shape, X.dtype, None, labels, None, [], conversion, S.nnz)


def in_disorder(X):
    """The same as compressed rows whose indices fall, with twins and zeros that are stored."""
    rows, columns = np.divmod(np.arange(X.size), N_FEATURES)
    rows, columns = np.concatenate([rows, rows]), np.concatenate([columns, columns])
    order = np.lexsort((-columns, rows))
    values = np.concatenate([0.5 * X.ravel(), 0.5 * X.ravel()])
    indptr = np.arange(N_SAMPLES + 1) * 2 * N_FEATURES
    return scipy.sparse.csr_array((values[order], columns[order], indptr), shape=X.shape)


def split(X):
    """Every kind of block, its columns among the others'."""
    dense, sparse, coded = np.r_[0, 4:7], np.r_[1:4, 7:9], np.arange(9, 14)
    blocks = [
        CodesDesign(code_columns(CODES, [4, 3], drop_first=True)),
        DenseDesign(X[:, dense]),
        SparseDesign(compressed_rows(scipy.sparse.csr_array(X[:, sparse]))),
    ]
    return SplitDesign(blocks, [coded, dense, sparse])


def wide_split(X):
    """The dense block read in place, the lead."""
    blocks = [
        DenseDesign(X[:, :9]), CodesDesign(code_columns(CODES, [4, 3], drop_first=True))
    ]  # fmt: skip
    return SplitDesign(blocks, [np.arange(9), np.arange(9, 14)])


KINDS = {
    "split": lambda X, _: split(X),
    "dense beside codes": lambda X, _: wide_split(X),
    "sparse rows": lambda X, _: SparseDesign(compressed_rows(scipy.sparse.csr_array(X))),
    "sparse columns": lambda X, _: SparseDesign(compressed_rows(scipy.sparse.csc_matrix(X))),
    "sparse, in disorder": lambda X, _: SparseDesign(compressed_rows(in_disorder(X))),
    "dense": lambda X, _: DenseDesign(X),
    "gathered": lambda X, _: DenseDesign(np.asfortranarray(X)),
    "few columns apart": lambda X, _: DenseDesign(np.repeat(X, 2, axis=1)[:, ::2]),
    "sliced": lambda X, _: SlicedDesign(X, block_rows=300),
    "mapped": lambda X, folder: StreamedDesign(memory_mapped(X, folder), block_rows=256),
    "streamed": lambda X, _: StreamedDesign(Rows(X), block_rows=256),
    "batched": lambda X, _: StreamedDesign(batched(X), block_rows=256),
    "sparse batches": lambda X, _: StreamedSparseDesign(sparse_batches(X), block_rows=256),
}


@pytest.fixture(params=KINDS)
def design(request, tmp_path) -> Design:
    return KINDS[request.param](X0, tmp_path).standardized(COLUMNS)


@pytest.fixture
def whole() -> Design:
    return DenseDesign(X0).standardized(COLUMNS)


Z0 = (X0 - COLUMNS.center) * COLUMNS.inverse_scale


def targets_of(codes, weights):
    plain = plain_targets(BINOMIAL, weights, np.array([weights.sum()]))
    return plain._replace(codes=np.ascontiguousarray(codes[None]))


def evaluated(design, targets, coef, intercept, n_lines):
    """Return the bytes of cost and gradients, and a row state of so many lines."""
    state, row_state = start_state(coef, intercept), np.full((n_lines, N_SAMPLES), np.nan)
    design.evaluate(targets, Penalty(np.zeros((1, N_FEATURES)), True), state, row_state)
    parts = (state.cost, state.gradient, state.intercept_gradient)
    return b"".join(part.tobytes() for part in parts), row_state


def test_siblings_none_of_which_is_the_base_of_another(design) -> None:
    assert isinstance(design, Design)
    assert not issubclass(BlockwiseDesign, DenseDesign)
    assert not issubclass(StreamedDesign, SlicedDesign)
    # What the two share is no design of its own.
    assert not issubclass(StreamedSparseDesign, StreamedDesign)
    assert inspect.isabstract(SourceDesign)
    assert SparseDesign.__mro__[1:3] == (ScatteredDesign, Design)
    assert CodesDesign.__mro__[1:4] == (ScatteredDesign, GivesStored, Design)
    assert SplitDesign.__mro__[1:3] == (GivesStored, Design)
    assert inspect.isabstract(ScatteredDesign)
    assert inspect.isabstract(GivesStored)
    with pytest.raises(TypeError, match="abstract"):
        Design()
    assert (design.shape, design.dtype) == ((N_SAMPLES, N_FEATURES), np.float64)
    assert not hasattr(design, "X")


def test_cost_gradient_and_curvature(design) -> None:
    coef, intercept = RNG.normal(size=(1, N_FEATURES)), np.array([0.3])
    state, curvature = start_state(coef, intercept), np.empty((1, N_SAMPLES))
    penalty = Penalty(np.full((1, N_FEATURES), 0.2), True)
    before = design.n_passes
    targets: Targets = targets_of(Y, WEIGHT)
    design.evaluate(targets, penalty, state, curvature)
    wanted = reference.cost_gradient(Z0, Y, coef[0], 0.3, 0.2, WEIGHT)
    np.testing.assert_allclose(state.cost, wanted[0], rtol=1e-12)
    np.testing.assert_allclose(state.gradient[0], wanted[1], rtol=1e-10, atol=1e-13)
    np.testing.assert_allclose(state.intercept_gradient, wanted[2], rtol=1e-10, atol=1e-13)
    p = reference.sigmoid(Z0 @ coef[0] + 0.3)
    np.testing.assert_allclose(curvature[0], WEIGHT * p * (1.0 - p), rtol=1e-10)
    assert design.n_passes == pytest.approx(before + 1.0)


def test_residuals_below_the_curvatures(design) -> None:
    # Of small z: curvatures are made of residuals, of which 1 - |residual| loses digits.
    coef, intercept = 0.3 * RNG.normal(size=(2, N_FEATURES)), np.array([0.3, -1.0])
    offset = RNG.normal(size=(1, N_SAMPLES))
    targets = targets_of(Y, WEIGHT)._replace(
        positive=readonly(np.array([1, 0])), weight_set=readonly(np.zeros(2, dtype=np.int64)),
        total_weight=np.full(2, WEIGHT.sum()), offset=readonly(offset),
    )  # fmt: skip
    alone, row_state = evaluated(design, targets, coef, intercept, 4)
    for model, y in enumerate((Y, 1 - Y)):
        wanted = reference.residual(Z0, y, coef[model], intercept[model], WEIGHT, offset[0])
        np.testing.assert_allclose(row_state[2 + model], wanted, rtol=1e-9)
        z = Z0 @ coef[model] + intercept[model] + offset[0]
        curvature = reference.sigmoid(z) * reference.sigmoid(-z)
        np.testing.assert_allclose(row_state[model], WEIGHT * curvature, rtol=1e-9)
    only_sums, _ = evaluated(design, targets, coef, intercept, 0)
    only_curvature, curvature = evaluated(design, targets, coef, intercept, 2)
    assert alone == only_sums == only_curvature
    np.testing.assert_array_equal(curvature, row_state[:2])


def test_residuals_of_classes(design) -> None:
    codes = RNG.integers(0, 3, N_SAMPLES)
    coef, intercept = RNG.normal(size=(3, N_FEATURES)), RNG.normal(size=3)
    offset = RNG.normal(size=(N_SAMPLES, 3))
    targets = softmax_targets(codes, 3, WEIGHT, offset)
    row_state = evaluated(design, targets, coef, intercept, 6)[1]
    wanted = reference.multinomial_residual(Z0, codes, coef.T, intercept, WEIGHT, offset)
    np.testing.assert_allclose(row_state[3:].T, wanted, rtol=1e-9)
    proba = reference.softmax(Z0 @ coef.T + intercept + offset)
    np.testing.assert_allclose(row_state[:3].T, WEIGHT[:, None] * proba, rtol=1e-9)


def test_products_and_gram_matrices(design) -> None:
    ones = np.column_stack([Z0, np.ones(N_SAMPLES)])
    gram = ones.T @ (WEIGHT[:, None] * ones)
    np.testing.assert_allclose(design.gram(WEIGHT), gram, rtol=1e-11, atol=1e-9)
    both = np.ascontiguousarray([WEIGHT, WEIGHT[::-1]])
    other = ones.T @ (WEIGHT[::-1, None] * ones)
    np.testing.assert_allclose(design.grams(both), [gram, other], rtol=1e-11, atol=1e-9)
    coef, intercept = RNG.normal(size=(3, N_FEATURES)), RNG.normal(size=3)
    raw = design.raw_prediction(coef, intercept)
    np.testing.assert_allclose(raw, (Z0 @ coef.T + intercept).T, rtol=1e-11, atol=1e-12)
    total = float(WEIGHT.sum())
    unscaled = design.standardized(Columns(COLUMNS.center, np.ones(N_FEATURES)))
    variances = WEIGHT @ (X0 - COLUMNS.center) ** 2 / total
    np.testing.assert_allclose(unscaled.column_variances(WEIGHT, total), variances, rtol=1e-11)
    means = WEIGHT @ (X0 - COLUMNS.center) / total
    np.testing.assert_allclose(unscaled.column_means(WEIGHT, total), means, rtol=1e-9, atol=1e-13)
    scale, shift = np.linspace(0.5, 2.0, N_FEATURES), np.full(N_FEATURES, 0.1)
    largest = np.square((Z0 - shift) * scale).sum(axis=1).max()
    assert design.largest_row(scale, shift) == pytest.approx(largest, rel=1e-12)


def test_rows_and_columns_as_they_are(design) -> None:
    indices = RNG.integers(0, N_SAMPLES, 50)
    np.testing.assert_array_equal(design.rows(indices), X0[indices])
    np.testing.assert_array_equal(design.rows([3])[0], X0[3])
    assert design.rows(np.empty(0, dtype=np.int64)).shape == (0, N_FEATURES)
    np.testing.assert_array_equal(design.column(4), X0[:, 4])
    blocks = [(start, stop, np.array(rows)) for start, stop, rows in design.row_blocks(111)]
    assert (blocks[0][0], blocks[-1][1]) == (0, N_SAMPLES)
    np.testing.assert_array_equal(np.vstack([rows for _, _, rows in blocks]), X0)


def test_other_designs_over_the_same_rows(design, whole) -> None:
    indices = RNG.integers(0, N_SAMPLES, 40)
    weight, coef = np.ones(40), RNG.normal(size=(1, N_FEATURES))
    taken = design.take(indices)
    # Products whose sums cancel keep the rounding of the others, of up to 40.
    wanted = whole.take(indices).gram(weight)
    np.testing.assert_allclose(taken.gram(weight), wanted, rtol=1e-12, atol=1e-13)
    assert taken.counter is design.counter
    part = design.subsample(61)
    raw = part.raw_prediction(coef, np.zeros(1))[0]
    np.testing.assert_allclose(raw, Z0[::61] @ coef[0], rtol=1e-11, atol=1e-12)
    assert design.stride_for(61) == 61
    assert design.stride_for(1) in (1, 61)


def test_some_columns_as_a_design_of_their_own(rng, design) -> None:
    which, coef = np.array([3, 0, 4]), rng.normal(size=(2, 3))
    before = design.n_passes
    some = design.columns_of(which)
    assert before < design.n_passes <= before + 1.5
    before = design.n_passes
    raw = some.raw_prediction(coef, np.zeros(2))
    np.testing.assert_allclose(raw, coef @ Z0[:, which].T, atol=1e-12)
    assert design.n_passes == before
    np.testing.assert_array_equal(some.column(1), X0[:, 0])


def test_samples_for_a_preconditioner(design, whole) -> None:
    rows = RNG.integers(0, N_SAMPLES, (2, 12))
    sizes, inverse = np.array([0.5, 2.0]), RNG.uniform(0.5, 2.0, (2, N_FEATURES + 1))
    found, wanted = (each.sample(rows, sizes, 1.0, inverse) for each in (design, whole))
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-9)


def test_the_gram_matrix_of_the_rows(design) -> None:
    found = design.gram_of_rows()
    if isinstance(design, SourceDesign):
        assert found is None
    else:
        np.testing.assert_allclose(found, Z0 @ Z0.T, rtol=1e-11, atol=1e-11)
        np.testing.assert_array_equal(found, found.T)


def test_the_gram_matrix_of_few_and_of_many_columns(rng, monkeypatch) -> None:
    monkeypatch.setattr("fastlogit.design.dense.TURNED", 300)
    for n_samples, n_features in ((1, 5), (3, 40), (30, 90)):
        X = rng.normal(size=(n_samples, n_features)).astype(np.float32)
        columns = Columns(rng.normal(size=n_features), rng.uniform(0.0, 2.0, n_features))
        design = DenseDesign(X).standardized(columns)
        Z = (X.astype(np.float64) - columns.center) * columns.inverse_scale
        np.testing.assert_allclose(design.gram_of_rows(), Z @ Z.T, rtol=1e-12, atol=1e-12)
        assert design.n_passes == 1.0


def test_products_with_the_transposed_rows(design) -> None:
    vectors = RNG.normal(size=(2, N_SAMPLES))
    slopes, levels = design.transposed_product(vectors)
    np.testing.assert_allclose(slopes, vectors @ Z0, rtol=1e-10, atol=1e-9)
    np.testing.assert_allclose(levels, vectors.sum(axis=1), rtol=1e-10, atol=1e-11)


def test_rows_elsewhere_count_no_pass() -> None:
    counter = DenseDesign(X0).counter
    other = CounterElsewhere(counter)
    other.rows += 5
    other.phase = "elsewhere"
    assert counter.rows == other.rows == 0
    assert counter.phase == other.phase == "elsewhere"
    counter.clock = Clock(0.0, 1e-9)
    assert other.clock is counter.clock
    with pytest.raises(TimeUp):
        other.check()
    other.clock = None
    assert counter.clock is None


def test_steps_of_descent(design, whole) -> None:
    targets, penalty = targets_of(Y, WEIGHT), Penalty(np.full((1, N_FEATURES), 0.1), True)
    ends = []
    for each in (design, whole):
        state = start_state(np.zeros((1, N_FEATURES)), np.zeros(1))
        each.evaluate(targets, penalty, state)
        history = np.empty((20, 1))
        assert each.descend(targets, penalty, 0.5, True, 0.0, state, history)[0] == 20
        ends.append((state.coef.copy(), history))
    np.testing.assert_allclose(ends[0][0], ends[1][0], rtol=1e-10, atol=1e-13)
    np.testing.assert_allclose(ends[0][1], ends[1][1], rtol=1e-12)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("kind", KINDS)
def test_the_first_value_that_is_not_finite(kind, value, tmp_path) -> None:
    assert KINDS[kind](X0, tmp_path).first_not_finite() is None
    X = X0.copy()
    X[433, 2] = X[600, 1] = value
    found = KINDS[kind](X, tmp_path).first_not_finite()
    assert isinstance(found, NotFinite)
    assert (found.row, found.column) == (433, 2)
    np.testing.assert_equal(found.value, value)
    assert DenseDesign(np.ones((3, 2), dtype=np.int8)).first_not_finite() is None


def test_softmax_from_batches_draws_rows_by_index() -> None:
    # Too few rows for a subsample: the preconditioner's rows are read from the source.
    X = np.random.default_rng(0).normal(size=(3_000, 50))
    y = (X[:, :3] + np.random.default_rng(1).gumbel(size=(3_000, 3))).argmax(axis=1)
    source = fastlogit.BatchSource(
        lambda: ((X[i : i + 500], y[i : i + 500]) for i in range(0, 3_000, 500))
    )
    result = fastlogit.fit(source, C=1.0, multi_class="multinomial")
    assert result.converged
    wanted = fastlogit.fit(X, y, C=1.0, multi_class="multinomial")
    np.testing.assert_allclose(result.coef, wanted.coef, atol=1e-7)


def test_what_opens_a_design_gives_one_of_each_kind(tmp_path, monkeypatch) -> None:
    assert type(open_design(X0, None)) is DenseDesign
    assert type(open_design(Rows(X0), None)) is StreamedDesign
    assert type(open_design(scipy.sparse.csr_array(X0), None)) is SparseDesign
    assert type(open_design(sparse_batches(X0), None)) is StreamedSparseDesign
    monkeypatch.setattr("fastlogit.design.opening.SLICE_BYTES", 1e3)
    assert type(open_design(X0, None)) is SlicedDesign
