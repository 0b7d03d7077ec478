"""The Cholesky factor and its solves, against numpy.linalg."""

from typing import Any

import numpy as np
import pytest
from problems import JIT, TWO_THREADS

from fastlogit import threads
from fastlogit.kernels.cholesky import (
    BACKWARD,
    FORWARD,
    WHOLE,
    factor,
    factor_each,
    factor_in_bands,
    solve,
    solve_each,
)

# Around one vector of eight lanes and four rows at a time.
SIZES = [1, 2, 3, 4, 5, 7, 8, 9, 12, 16, 17, 33, 70, *([130] if JIT else [])]
# Around one and two bands of 48 rows, and panels of eight.
BAND_SIZES = [1, 7, 8, 47, 48, 49, *([56, 95, 96, 97, 250] if JIT else [])]
THRESHOLD = 1e-10


def gram(size: int, seed: int = 0) -> Any:
    rng = np.random.default_rng([seed, size])
    rows = rng.standard_normal((2 * size + 3, size)) * np.exp(rng.standard_normal(size))
    return rows.T @ rows


def dependent_gram(size: int) -> tuple[Any, Any]:
    """Matrix with a zero column, a duplicate and a sum of columns; and which columns are left."""
    rng = np.random.default_rng(size)
    rows = rng.standard_normal((3 * size, size))
    independent = np.ones(size, dtype=bool)
    for column, values in ((0, 0.0), (4, 3.0 * rows[:, 2]), (size - 1, rows[:, 1] + rows[:, 3])):
        rows[:, column] = values
        independent[column] = False
    return rows.T @ rows, independent


def factor_of(matrix: Any, threshold: float = THRESHOLD) -> tuple[int, Any]:
    lower = np.full_like(matrix, np.nan)
    return factor.serial(matrix, threshold, lower), lower


def solution_of(lower: Any, right: Any, mode: int) -> Any:
    solution = np.full(right.shape, np.nan)
    solve.serial(lower, right, mode, solution)
    return solution


@pytest.mark.parametrize("size", SIZES)
def test_factor(size) -> None:
    matrix = gram(size)
    rank, lower = factor_of(matrix)
    assert rank == size
    expected = np.linalg.cholesky(matrix)
    np.testing.assert_allclose(lower, expected, atol=1e-13 * np.abs(expected).max())
    np.testing.assert_array_equal(np.triu(lower, 1), 0.0)


@pytest.mark.parametrize("size", SIZES)
def test_solves(size, rng) -> None:
    matrix = gram(size)
    lower = factor_of(matrix)[1]
    right = rng.standard_normal((3, size))
    whole = solution_of(lower, right, WHOLE)
    tolerance = 1e-14 * np.linalg.cond(matrix)
    expected = np.linalg.solve(matrix, right.T).T
    assert (np.abs(whole - expected) <= tolerance * np.abs(expected).max()).all()
    half = solution_of(lower, right, FORWARD)
    forms = np.einsum("ij,ij->i", right, expected)
    np.testing.assert_allclose((half**2).sum(axis=1), forms, rtol=tolerance)
    back = solution_of(lower, right, BACKWARD)
    np.testing.assert_allclose(back @ lower, right, atol=tolerance * np.abs(right).max())


@pytest.mark.parametrize("size", [6, 8, 9, 13, 30])
def test_dependent_columns_get_nothing_and_the_others_all(size, rng) -> None:
    matrix, independent = dependent_gram(size)
    rank, lower = factor_of(matrix)
    assert rank == independent.sum()
    np.testing.assert_array_equal(lower[:, ~independent], 0.0)
    assert (np.diag(lower)[independent] > 0.0).all()
    # The rows of dependent columns remain: the product is still the matrix.
    np.testing.assert_allclose(lower @ lower.T, matrix, atol=1e-13 * matrix.max())
    right = rng.standard_normal((2, size))
    left = np.ix_(independent, independent)
    expected = np.zeros((2, size))
    expected[:, independent] = np.linalg.solve(matrix[left], right[:, independent].T).T
    whole, half = (solution_of(lower, right, mode) for mode in (WHOLE, FORWARD))
    np.testing.assert_allclose(whole, expected, atol=1e-12 * np.abs(expected).max())
    np.testing.assert_array_equal(whole[:, ~independent], 0.0)
    np.testing.assert_array_equal(half[:, ~independent], 0.0)
    np.testing.assert_allclose((half**2).sum(axis=1), (right * expected).sum(axis=1), rtol=1e-11)
    # A generalised inverse: what the matrix can reach, it reaches.
    reached = right @ matrix
    again = solution_of(lower, reached, WHOLE) @ matrix
    np.testing.assert_allclose(again, reached, atol=1e-11 * np.abs(reached).max())


def test_the_threshold_is_a_share_of_the_columns_own_size() -> None:
    for scale in (1e-150, 1.0, 1e150):
        # A tenth of the second column is left after the first.
        matrix = np.array([[1.0, 3.0], [3.0, 10.0]]) * scale
        assert factor_of(matrix, 0.09)[0] == 2
        rank, lower = factor_of(matrix, 0.11)
        assert rank == 1
        np.testing.assert_allclose(lower, np.sqrt(scale) * np.array([[1.0, 0.0], [3.0, 0.0]]))


@pytest.mark.parametrize("bad", [np.nan, -1.0, 0.0, -0.0])
def test_a_column_without_a_positive_diagonal_is_dependent(bad) -> None:
    for place in range(6):
        matrix = np.diag(np.arange(1.0, 7.0))
        matrix[place, place] = bad
        rank, lower = factor_of(matrix, 0.0)
        assert rank == 5
        expected = np.sqrt(np.arange(1.0, 7.0))
        expected[place] = 0.0
        np.testing.assert_array_equal(lower, np.diag(expected))


def test_a_nan_spoils_its_own_column_only() -> None:
    matrix = gram(9)
    matrix[6, :] = matrix[:, 6] = np.nan
    rank, lower = factor_of(matrix)
    assert rank == 8
    keep = np.arange(9) != 6
    left = matrix[np.ix_(keep, keep)]
    right = np.arange(9.0)[None, :]
    for mode in (WHOLE, FORWARD):
        assert np.isfinite(solution_of(lower, right, mode)).all()
    found = solution_of(lower, right, WHOLE)[0, keep]
    np.testing.assert_allclose(found, np.linalg.solve(left, right[0, keep]), rtol=1e-10)


@pytest.mark.parametrize("size", BAND_SIZES)
def test_in_bands_it_is_the_same_factor(size) -> None:
    matrix = gram(size)
    lower = np.full_like(matrix, np.nan)
    assert factor_in_bands.serial(matrix, THRESHOLD, lower) == size
    expected = np.linalg.cholesky(matrix)
    np.testing.assert_allclose(lower, expected, atol=1e-12 * np.abs(expected).max())
    np.testing.assert_array_equal(np.triu(lower, 1), 0.0)
    factor_in_bands.serial(matrix, THRESHOLD, matrix)
    np.testing.assert_array_equal(matrix, lower)


@pytest.mark.parametrize("size", [9, 53, *([130] if JIT else [])])
def test_in_bands_dependent_columns_get_nothing(size) -> None:
    matrix, independent = dependent_gram(size)
    rank, wanted = factor_of(matrix)
    lower = np.full_like(matrix, np.nan)
    assert factor_in_bands.serial(matrix, THRESHOLD, lower) == rank == independent.sum()
    np.testing.assert_allclose(lower, wanted, atol=1e-12 * np.abs(wanted).max())
    np.testing.assert_array_equal(lower[:, ~independent], 0.0)
    # Those after a column of NaN are as if it were not there.
    for place in (3, size - 2):
        spoilt = gram(size)
        spoilt[place, :] = spoilt[:, place] = np.nan
        assert factor_in_bands.serial(spoilt, THRESHOLD, lower) == size - 1
        keep = np.arange(size) != place
        left = np.ix_(keep, keep)
        expected = np.linalg.cholesky(spoilt[left])
        np.testing.assert_allclose(lower[left], expected, atol=1e-12 * np.abs(expected).max())
        np.testing.assert_array_equal(lower[keep, place], 0.0)


def test_in_bands_the_threshold_is_a_share_of_the_columns_own_size() -> None:
    matrix, lower = np.array([[1.0, 3.0], [3.0, 10.0]]) * 1e-150, np.empty((2, 2))
    assert factor_in_bands.serial(matrix, 0.09, lower) == 2
    assert factor_in_bands.serial(matrix, 0.11, lower) == 1
    assert factor_in_bands.serial(-matrix, 0.0, lower) == 0
    np.testing.assert_array_equal(lower, 0.0)


@pytest.mark.jit
def test_in_bands_threads_change_no_bit() -> None:
    matrix = gram(200)
    one, many = np.empty_like(matrix), np.empty_like(matrix)
    assert factor_in_bands.serial(matrix, 0.0, one) == 200
    # .ci/run comes here with one thread too, and then both are the serial twin.
    with threads.all_in_parallel(), threads.team(TWO_THREADS, 1.0) as parallel:
        assert factor_in_bands.choose(parallel)(matrix, 0.0, many) == 200
    np.testing.assert_array_equal(many, one)


def test_all_may_be_done_in_place(rng) -> None:
    matrix, right = gram(11), rng.standard_normal((2, 11))
    lower = factor_of(matrix)[1]
    factor.serial(matrix, THRESHOLD, matrix)
    np.testing.assert_array_equal(matrix, lower)
    for mode in (FORWARD, WHOLE):
        expected, given = solution_of(lower, right, mode), right.copy()
        solve.serial(lower, given, mode, given)
        np.testing.assert_array_equal(given, expected)


def test_no_right_hand_side_is_no_work() -> None:
    assert solution_of(factor_of(gram(4))[1], np.empty((0, 4)), WHOLE).shape == (0, 4)


@pytest.mark.parametrize("twin", ["serial", "parallel"])
def test_each_of_many_is_as_if_alone(twin, rng) -> None:
    matrices = np.array([gram(13, seed) for seed in range(5)])
    matrices[3], _ = dependent_gram(13)
    alone = np.array([factor_of(matrix)[1] for matrix in matrices])
    getattr(factor_each, twin)(matrices, THRESHOLD)
    np.testing.assert_array_equal(matrices, alone)
    which, right = np.array([4, 0, 3, 3, 1, 2, 0]), rng.standard_normal((7, 13))
    solution = np.full(right.shape, np.nan)
    getattr(solve_each, twin)(alone, which, right, solution)
    for index, side, found in zip(which, right, solution, strict=True):
        np.testing.assert_array_equal(found, solution_of(alone[index], side[None], WHOLE)[0])
