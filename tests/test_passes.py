"""The passes that are entries of their own: raw prediction, column squares, the bare read of X."""

import numpy as np
import pytest
from problems import JIT, force_twin, problem, readonly, sized

from fastlogit.design.dense import Columns, DenseDesign
from fastlogit.kernels.passes import MAX_CHUNKS, chunk_rows, passes, read_sum
from fastlogit.kernels.policy import formula
from fastlogit.kernels.rows import rows_per_block

# Around one block of 32 rows, one chunk of 256, and beyond two chunks.
ROW_COUNTS = [1, 2, 3, 31, 32, 33, 64, 65, 255, 256, 257, 300, 600]


@formula
def cut(n_samples: int, n_features: int) -> tuple[int, int]:
    return chunk_rows(n_samples, n_features), rows_per_block(n_features)


@pytest.mark.parametrize("n_features", [1, 64, 65, 500])
@pytest.mark.parametrize("n_samples", [1, 255, 256, 16_384, 16_385, 1_000_000, 10**9])
def test_chunks_are_whole_blocks_of_a_number_that_the_shape_sets(n_samples, n_features) -> None:
    step, block = cut(n_samples, n_features)
    assert step % block == 0
    assert block % 4 == 0
    assert -(-n_samples // step) <= MAX_CHUNKS


@pytest.mark.parametrize("parallel", [False, True])
@pytest.mark.parametrize("n_features", [3, 11, 70])
@pytest.mark.parametrize("n_samples", ROW_COUNTS)
def test_raw_prediction_of_several_models(n_samples, n_features, parallel, monkeypatch) -> None:
    force_twin(monkeypatch, parallel)
    X = problem(n_samples, n_features).X
    rng = np.random.default_rng(1)
    coef, intercept = rng.standard_normal((2, n_features)), np.array([0.5, -3.0])
    raw = DenseDesign(X).raw_prediction(coef, intercept)
    scale = np.abs(coef) @ np.abs(X.T) + 3.0
    assert (np.abs(raw - (coef @ X.T + intercept[:, None])) <= 1e-15 * scale).all()


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("parallel", [False, True])
@pytest.mark.parametrize("n_features", [3, 11, 70])
@pytest.mark.parametrize("n_samples", ROW_COUNTS)
def test_column_variances(n_samples, n_features, weighted, parallel, monkeypatch) -> None:
    force_twin(monkeypatch, parallel)
    X, _, _, _, weight = problem(n_samples, n_features)
    weight = weight if weighted else np.ones(n_samples)
    columns = Columns(np.arange(n_features) * 1.0, np.ones(n_features))
    given = readonly(weight if weighted else np.empty(0))
    actual = DenseDesign(X, columns=columns).column_variances(given, weight.sum())
    expected = weight @ (X - columns.center) ** 2 / weight.sum()
    np.testing.assert_allclose(actual, expected, rtol=1e-14)


@pytest.mark.parametrize("n_features", [3, 12])
def test_twins_give_the_same_bits(n_features, monkeypatch) -> None:
    X, _, coef, _, weight = problem(sized(5000, 600), n_features)
    design = DenseDesign(X)
    found = []
    for parallel in (False, True):
        force_twin(monkeypatch, parallel)
        raw = design.raw_prediction(coef[None, :], np.zeros(1))
        squares = design.column_variances(readonly(weight), weight.sum())
        found.append((raw.tobytes(), squares.tobytes()))
    assert found[0] == found[1]


def test_the_two_forms_have_twins_of_their_own() -> None:
    direct, gathered = passes(True), passes(False)
    assert direct is passes(True)
    for name in direct._fields:
        functions = {
            getattr(form, name).choose(parallel)
            for form in (direct, gathered)
            for parallel in (False, True)
        }
        assert len(functions) == (4 if JIT else 2)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_read_sum_reads_every_number_once(rng, dtype) -> None:
    values = rng.integers(-9, 9, 10_007).astype(dtype)
    values.flags.writeable = False
    for n_chunks in (1, 7, 64):
        for function in (read_sum.serial, read_sum.parallel):
            sums = np.empty(n_chunks)
            function(values, sums)
            assert sums.sum() == values.sum()
