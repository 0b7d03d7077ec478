"""Cholesky factor of a positive semidefinite matrix, and solves with it.

Row by row: everything is a dot product of two rows of the factor, which lie contiguous. Four rows
share each load of a row above them, so that the factor is read from the outer caches a quarter as
often. The order of the sums is fixed. Of one matrix only the serial twins are of use; where there
are many, threads take whole ones.
"""

from __future__ import annotations

import math
from typing import Any

from numba import prange

from .policy import entry, kernel
from .simd import LANES, load, multiply_add, splat, store, total

__all__ = ["BACKWARD", "FORWARD", "WHOLE", "factor", "factor_each", "solve", "solve_each"]

# What `solve` solves: L y = b, L L' x = b, or L' x = b.
FORWARD, WHOLE, BACKWARD = 0, 1, 2
UNROLL = 4


@kernel
def dot(a: Any, first: int, b: Any, second: int, count: int) -> float:
    """Product of ``a[first : first + count]`` and ``b[second : second + count]``."""
    partial = splat(0.0)
    whole = count - count % LANES
    for k in range(0, whole, LANES):
        partial = multiply_add(load(a, first + k), load(b, second + k), partial)
    result = total(partial)
    for k in range(whole, count):
        result += a[first + k] * b[second + k]
    return result


@kernel
def eliminate(matrix: Any, lower: Any, row: int, begin: int, end: int) -> None:
    """Set columns `begin` to `end` of one row of the factor; those before are set already."""
    size = matrix.shape[0]
    for column in range(begin, end):
        pivot = lower[column * size + column]
        value = 0.0
        if pivot > 0.0:
            product = dot(lower, row * size, lower, column * size, column)
            value = (matrix[row, column] - product) / pivot
        lower[row * size + column] = value


@kernel
def eliminate_four(matrix: Any, lower: Any, row: int) -> None:
    """Set all columns before `row` of four rows of the factor, from `row` on."""
    size = matrix.shape[0]
    a0 = row * size
    a1, a2, a3 = a0 + size, a0 + 2 * size, a0 + 3 * size
    for column in range(row):
        b = column * size
        pivot = lower[b + column]
        v0, v1, v2, v3 = 0.0, 0.0, 0.0, 0.0
        if pivot > 0.0:
            c0, c1, c2, c3 = splat(0.0), splat(0.0), splat(0.0), splat(0.0)
            whole = column - column % LANES
            for k in range(0, whole, LANES):
                above = load(lower, b + k)
                c0 = multiply_add(load(lower, a0 + k), above, c0)
                c1 = multiply_add(load(lower, a1 + k), above, c1)
                c2 = multiply_add(load(lower, a2 + k), above, c2)
                c3 = multiply_add(load(lower, a3 + k), above, c3)
            v0, v1, v2, v3 = total(c0), total(c1), total(c2), total(c3)
            for k in range(whole, column):
                value = lower[b + k]
                v0 += lower[a0 + k] * value
                v1 += lower[a1 + k] * value
                v2 += lower[a2 + k] * value
                v3 += lower[a3 + k] * value
            v0 = (matrix[row, column] - v0) / pivot
            v1 = (matrix[row + 1, column] - v1) / pivot
            v2 = (matrix[row + 2, column] - v2) / pivot
            v3 = (matrix[row + 3, column] - v3) / pivot
        lower[a0 + column], lower[a1 + column] = v0, v1
        lower[a2 + column], lower[a3 + column] = v2, v3


@kernel
def set_pivot(matrix: Any, lower: Any, row: int, threshold: float) -> int:
    """Set the diagonal element and clear the row behind it; 1 if the row is independent, else 0."""
    size = matrix.shape[0]
    place = row * size
    own = matrix[row, row]
    rest = own - dot(lower, place, lower, place, row)
    # Written so that a NaN counts as dependent.
    independent = own > 0.0 and rest > threshold * own
    for column in range(row, size):
        lower[place + column] = 0.0
    if independent:
        lower[place + row] = math.sqrt(rest)
        return 1
    return 0


@kernel
def factor_one(matrix: Any, threshold: float, factor_out: Any) -> int:
    size = matrix.shape[0]
    lower = factor_out.reshape(size * size)
    rank = 0
    for first in range(0, size, UNROLL):
        last = min(first + UNROLL, size)
        done = 0
        if last - first == UNROLL:
            eliminate_four(matrix, lower, first)
            done = first
        for row in range(first, last):
            eliminate(matrix, lower, row, done, row)
            rank += set_pivot(matrix, lower, row, threshold)
    return rank


def _factor(matrix: Any, threshold: float, factor_out: Any) -> int:
    return factor_one(matrix, threshold, factor_out)


def _factor_each(matrices: Any, threshold: float) -> None:
    for index in prange(len(matrices)):
        factor_one(matrices[index], threshold, matrices[index])


# factor(matrix, threshold, factor_out) -> rank: put the lower factor L of a float64 matrix of shape
# (size, size), with zeros above the diagonal, into `factor_out`, C-contiguous and of the same
# shape; it may be the matrix itself. A column of which no more than the share `threshold` is left
# after those before it, or that has no positive diagonal, is dependent: it becomes 0, the diagonal
# included. The rank is the number of the others.
factor = entry(_factor, name="factor")
# factor_each(matrices, threshold): the same of (n_matrices, size, size), each in its own place.
factor_each = entry(_factor_each)


@kernel
def solve_forward(factor: Any, lower: Any, right: Any, side: int, solution: Any) -> None:
    size = factor.shape[0]
    start = side * size
    for row in range(size):
        pivot = factor[row, row]
        value = 0.0
        if pivot > 0.0:
            product = dot(lower, row * size, solution, start, row)
            value = (right[side, row] - product) / pivot
        solution[start + row] = value


@kernel
def solve_backward(factor: Any, lower: Any, side: int, solution: Any) -> None:
    size = factor.shape[0]
    start = side * size
    for row in range(size - 1, -1, -1):
        pivot = factor[row, row]
        if pivot > 0.0:
            value = solution[start + row] / pivot
            solution[start + row] = value
            whole = row - row % LANES
            factors, place = splat(-value), row * size
            for k in range(0, whole, LANES):
                rest = multiply_add(load(lower, place + k), factors, load(solution, start + k))
                store(solution, start + k, rest)
            for k in range(whole, row):
                solution[start + k] -= lower[place + k] * value


def _solve(factor: Any, right: Any, mode: int, solution_out: Any) -> None:
    size = factor.shape[0]
    lower = factor.reshape(size * size)
    solution = solution_out.reshape(right.shape[0] * size)
    for side in range(right.shape[0]):
        if mode == BACKWARD:
            for row in range(size):
                solution[side * size + row] = right[side, row] if factor[row, row] > 0.0 else 0.0
        else:
            solve_forward(factor, lower, right, side, solution)
        if mode != FORWARD:
            solve_backward(factor, lower, side, solution)


def _solve_each(factors: Any, which: Any, right: Any, solution_out: Any) -> None:
    size = right.shape[1]
    solution = solution_out.reshape(right.shape[0] * size)
    for side in prange(right.shape[0]):
        factor = factors[which[side]]
        lower = factor.reshape(size * size)
        solve_forward(factor, lower, right, side, solution)
        solve_backward(factor, lower, side, solution)


# solve(factor, right, mode, solution_out): for right-hand sides in rows, shape (n_sides, size).
# WHOLE solves L L' x = b, FORWARD L y = b and BACKWARD L' x = b; all give 0 for dependent columns
# and ignore their part of `right`. The squares of FORWARD's y add up to b' (L L')^+ b.
# `solution_out`, C-contiguous, may be `right` itself.
solve = entry(_solve, name="solve")
# solve_each(factors, which, right, solution_out): WHOLE, each side with the factor it asks for.
solve_each = entry(_solve_each)
