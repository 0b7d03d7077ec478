"""Inverses of a diagonal plus a few rows, against NumPy's of the whole matrix."""

import numpy as np
import pytest
from problems import sized

from fastlogit.hessian import Factor
from fastlogit.kernels.lowrank import UNROLL, apply_inverse
from fastlogit.kernels.simd import LANES


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
