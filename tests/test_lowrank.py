"""Inverses of a diagonal plus a few rows, against NumPy's of the whole matrix."""

import numpy as np
import pytest
from problems import JIT, LAYOUTS, sized

from fastlogit.design.base import Columns
from fastlogit.design.dense import DenseDesign, _rows
from fastlogit.kernels.lowrank import UNROLL, apply_inverse, sample
from fastlogit.kernels.simd import LANES
from fastlogit.linalg.factors import Factor

# More columns than a block of the Gram matrix has rows, and more rows than a cell has columns.
WIDE = [(40, 150)] if JIT else []


def inputs(n_outputs, n_rows, n_columns, seed=0):
    """Return rows, inverse diagonals and factors, and the matrices that they stand for."""
    rng = np.random.default_rng([seed, n_outputs, n_rows, n_columns])
    width = -(-n_columns // LANES) * LANES
    rows = np.zeros((n_outputs, n_rows, width), dtype=np.float32)
    rows[:, :, :n_columns] = rng.standard_normal((n_outputs, n_rows, n_columns))
    diagonal = rng.uniform(0.1, 3.0, (n_outputs, n_columns))
    used = rows[:, :, :n_columns].astype(np.float64)
    lower = np.array(
        [
            Factor(np.eye(n_rows) + (part / base) @ part.T, 0.0).lower
            for part, base in zip(used, diagonal, strict=True)
        ]
    )
    matrices = [np.diag(base) + part.T @ part for part, base in zip(used, diagonal, strict=True)]
    return rows, 1.0 / diagonal, lower, matrices


def applied(rows, inverse, lower, which, vectors, parallel=False):
    out = np.full(vectors.shape, np.nan)
    apply_inverse.choose(parallel)(rows, inverse, lower, which, vectors, out)
    return out


@pytest.mark.parametrize("n_rows", [UNROLL, 2 * UNROLL, sized(60, 12)])
@pytest.mark.parametrize("n_columns", [1, 7, 8, 9, 16, 31])
def test_it_solves_with_the_whole_matrix(n_columns, n_rows) -> None:
    rows, inverse, lower, matrices = inputs(3, n_rows, n_columns)
    vectors = np.random.default_rng(1).standard_normal((3, n_columns))
    found = applied(rows, inverse, lower, np.arange(3), vectors)
    for output, matrix in enumerate(matrices):
        expected = np.linalg.solve(matrix, vectors[output])
        np.testing.assert_allclose(found[output], expected, rtol=1e-10, atol=1e-12)


def test_each_vector_belongs_to_its_output() -> None:
    rows, inverse, lower, matrices = inputs(3, 8, 11)
    vectors = np.random.default_rng(1).standard_normal((5, 11))
    which = np.array([2, 0, 0, 1, 2])
    found = applied(rows, inverse, lower, which, vectors)
    for side, output in enumerate(which):
        expected = np.linalg.solve(matrices[output], vectors[side])
        np.testing.assert_allclose(found[side], expected, rtol=1e-10, atol=1e-12)


def test_a_column_without_inverse_stays_zero() -> None:
    """As of a column that does not vary: the matrix of the others is solved with."""
    rows, inverse, _, _ = inputs(1, 8, 11)
    inverse[0, 4] = 0.0
    part = rows[0, :, :11].astype(np.float64)
    lower = Factor(np.eye(8) + (part * inverse[0]) @ part.T, 0.0).lower[None]
    vector = np.random.default_rng(1).standard_normal((1, 11))
    found = applied(rows, inverse, lower, np.zeros(1, dtype=np.int64), vector)[0]
    rest = np.delete(np.arange(11), 4)
    matrix = np.diag(1.0 / inverse[0, rest]) + part[:, rest].T @ part[:, rest]
    assert found[4] == 0.0
    np.testing.assert_allclose(found[rest], np.linalg.solve(matrix, vector[0, rest]), rtol=1e-10)


def test_twins_and_company_do_not_change_bits() -> None:
    rows, inverse, lower, _ = inputs(4, 12, sized(70, 20))
    vectors = np.random.default_rng(1).standard_normal((4, sized(70, 20)))
    which = np.arange(4)
    together = applied(rows, inverse, lower, which, vectors)
    np.testing.assert_array_equal(applied(rows, inverse, lower, which, vectors, True), together)
    for output in range(4):
        alone = applied(rows, inverse, lower, which[output:][:1], vectors[output : output + 1])
        np.testing.assert_array_equal(alone[0], together[output])


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("n_rows", "n_features"), [(4, 3), (12, 21), *WIDE])
def test_rows_of_each_output_and_their_factor(layout, n_rows, n_features, rng) -> None:
    X = rng.standard_normal((50, n_features))
    columns = Columns(rng.standard_normal(n_features), rng.uniform(0.5, 2.0, n_features))
    indices, sizes = rng.integers(0, 50, (3, n_rows)), rng.uniform(0.1, 1.0, 3)
    inverse = rng.uniform(0.5, 2.0, (3, n_features + 1))
    inverse[:, 1] = 0.0
    design = DenseDesign(LAYOUTS[layout](X), columns=columns)
    for intercept in (0.0, 1.0):
        sampled, lower = design.sample(indices, sizes, intercept, inverse)
        standard = (X - columns.center) * columns.inverse_scale
        rows = np.column_stack([standard, np.full(50, intercept)])[indices] * sizes[:, None, None]
        np.testing.assert_allclose(sampled[:, :, : n_features + 1], rows, rtol=1e-6)
        assert not sampled[:, :, n_features + 1 :].any()
        for own, of_each, factor in zip(sampled, inverse, lower, strict=True):
            kept = own[:, : n_features + 1].astype(np.float64)
            matrix = np.eye(n_rows) + (kept * of_each) @ kept.T
            np.testing.assert_allclose(factor, np.linalg.cholesky(matrix), rtol=1e-9, atol=1e-12)


def test_twins_of_the_sample_give_the_same_bits(rng) -> None:
    layout, rows = _rows(rng.standard_normal((60, 30)), Columns(np.zeros(30), np.ones(30)))
    indices, inverse = rng.integers(0, 60, (5, 8)), np.ones((5, 31))
    found = []
    for twin in ("serial", "parallel"):
        sampled, lower = np.empty((5, 8, 32), dtype=np.float32), np.empty((5, 8, 8))
        getattr(sample(layout), twin)(rows, indices, np.ones(5), 1.0, inverse, sampled, lower)
        found.append(sampled.tobytes() + lower.tobytes())
    assert found[0] == found[1]
