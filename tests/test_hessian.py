"""Factors of Hessians: solutions, and the columns that the others explain."""

import numpy as np
import pytest

from fastlogit.linalg.factors import Factor


def positive(size, seed=0, repeat=None):
    A = np.random.default_rng([seed, size]).standard_normal((3 * size, size))
    for column, source in repeat or ():
        A[:, column] = A[:, source]
    return A.T @ A


@pytest.mark.parametrize("size", [1, 2, 7, 8, 33])
def test_solutions(size) -> None:
    matrix = positive(size)
    right = np.random.default_rng(1).standard_normal((3, size))
    factor = Factor(matrix.copy(), 1e-11)
    assert not factor.dependent.any()
    np.testing.assert_allclose(factor.solve(right) @ matrix, right, atol=1e-9)
    half = factor.half_solve(right)
    quadratic = np.einsum("ij,ij->i", right, np.linalg.solve(matrix, right.T).T)
    np.testing.assert_allclose(np.square(half).sum(axis=1), quadratic, rtol=1e-9)
    np.testing.assert_allclose(
        np.tril(factor.lower) @ np.tril(factor.lower).T, matrix, atol=1e-10 * matrix.max()
    )


def test_the_matrix_and_the_right_hand_sides_stay_as_they_are() -> None:
    matrix, right = positive(5), np.ones((2, 5))
    before = matrix.tobytes(), right.tobytes()
    factor = Factor(matrix, 1e-11)
    factor.solve(right)
    factor.half_solve(right)
    assert (matrix.tobytes(), right.tobytes()) == before


@pytest.mark.parametrize("scale", [1e-150, 1.0, 1e150])
def test_columns_that_the_ones_before_explain_are_dependent(scale) -> None:
    matrix = scale * positive(6, repeat=[(3, 1), (5, 0)])
    factor = Factor(matrix, 1e-11)
    np.testing.assert_array_equal(factor.dependent, [False, False, False, True, False, True])
    right = matrix @ np.array([1.0, 2.0, 3.0, 0.0, 5.0, 0.0])
    solution = factor.solve(right[None, :])[0]
    np.testing.assert_array_equal(solution[[3, 5]], 0.0)
    np.testing.assert_allclose(solution, [1.0, 2.0, 3.0, 0.0, 5.0, 0.0], rtol=1e-8)


def test_a_row_of_zeros_is_dependent() -> None:
    matrix = positive(4)
    matrix[2], matrix[:, 2] = 0.0, 0.0
    factor = Factor(matrix, 1e-11)
    np.testing.assert_array_equal(factor.dependent, [False, False, True, False])
    assert np.isfinite(factor.solve(np.ones((1, 4)))).all()
    none = Factor(np.zeros((3, 3)), 1e-11)
    assert none.dependent.all()
    np.testing.assert_array_equal(none.solve(np.ones((2, 3))), 0.0)


def test_the_threshold_is_the_share_that_is_left() -> None:
    matrix = np.array([[1.0, 1.0], [1.0, 1.0 + 1e-6]])
    assert not Factor(matrix, 1e-8).dependent.any()
    np.testing.assert_array_equal(Factor(matrix, 1e-5).dependent, [False, True])
