"""Cholesky factor of a positive semidefinite matrix, and solves with it.

Row by row: everything is a dot product of two rows of the factor, which lie contiguous. Four rows
share each load of a row above them, so that the factor is read from the outer caches a quarter as
often. The order of the sums is fixed. Of one matrix only the serial twins are of use; where there
are many, threads take whole ones.

A matrix of many rows is factored in *bands*: 48 rows of U = L' at a time, in panels of eight
columns, row after row, which is how tiles as in `gram` want both of their sides. A panel of a band
is what the matrix has there, less the products of the bands above, which stay in registers for 48
rows of these, and then solved with the triangle of its own band. Threads take panels. In one thread
that takes half as long at 1,000 rows.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import prange

from .policy import entry, kernel, part
from .rows import empty_at_line
from .simd import LANES, broadcast, load, multiply_add, splat, store, subtract, total

__all__ = [
    "BACKWARD",
    "FORWARD",
    "WHOLE",
    "factor",
    "factor_each",
    "factor_in_bands",
    "solve",
    "solve_each",
]

# What `solve` solves: L y = b, L L' x = b, or L' x = b.
FORWARD, WHOLE, BACKWARD = 0, 1, 2
UNROLL = 4
# Rows of a tile, which with eight columns is 12 of AVX2's 16 registers; rows of a band, which both
# of these divide; and panels of a band that a thread takes at a time.
GROUP = 6
BAND = 48
BAND_PANELS = BAND // LANES
PANEL = BAND * LANES
STRIP = 3


@part
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


@part
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


@part
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


@part
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


@part
def panel_at(band: int, panel: int, n_bands: int) -> int:
    """Place of a panel of a band: panels left of the diagonal are not kept."""
    before = BAND_PANELS * (band * n_bands - band * (band - 1) // 2)
    return (before + panel - BAND_PANELS * band) * PANEL


@part
def subtract_tile(work: Any, a: int, b: int, column: int, count: int, to: int) -> None:
    """Subtract from six rows of a panel, at `to`, products with six columns over `count` rows.

    The panel's own columns are at `a`, the six from `column` on in the panels at `b`.
    """
    # The six lie in one panel or in two neighbours; all six start at an even lane.
    b0 = b + column // LANES * PANEL + column % LANES
    b2 = b + (column + 2) // LANES * PANEL + (column + 2) % LANES
    b4 = b + (column + 4) // LANES * PANEL + (column + 4) % LANES
    c0, c1, c2 = splat(0.0), splat(0.0), splat(0.0)
    c3, c4, c5 = splat(0.0), splat(0.0), splat(0.0)
    for k in range(0, count * LANES, LANES):
        v = load(work, a + k)
        c0 = multiply_add(v, broadcast(work, b0 + k), c0)
        c1 = multiply_add(v, broadcast(work, b0 + 1 + k), c1)
        c2 = multiply_add(v, broadcast(work, b2 + k), c2)
        c3 = multiply_add(v, broadcast(work, b2 + 1 + k), c3)
        c4 = multiply_add(v, broadcast(work, b4 + k), c4)
        c5 = multiply_add(v, broadcast(work, b4 + 1 + k), c5)
    store(work, to, subtract(load(work, to), c0))
    store(work, to + LANES, subtract(load(work, to + LANES), c1))
    store(work, to + 2 * LANES, subtract(load(work, to + 2 * LANES), c2))
    store(work, to + 3 * LANES, subtract(load(work, to + 3 * LANES), c3))
    store(work, to + 4 * LANES, subtract(load(work, to + 4 * LANES), c4))
    store(work, to + 5 * LANES, subtract(load(work, to + 5 * LANES), c5))


@part
def subtract_bands(work: Any, band: int, first: int, last: int, n_bands: int, edge: int) -> None:
    """Subtract the products of all bands above from panels `first` to `last` of a band.

    Of the band's own panels rows that lie wholly below the diagonal, by `edge`, are left out.
    """
    for above in range(band):
        b = panel_at(above, BAND_PANELS * band, n_bands)
        for panel in range(first, last):
            a, to = panel_at(above, panel, n_bands), panel_at(band, panel, n_bands)
            rows = min(BAND, edge + (panel + 1) * LANES)
            for row in range(0, rows, GROUP):
                subtract_tile(work, a, b, row, BAND, to + row * LANES)


@part
def factor_triangle(work: Any, start: int, threshold: float, own: Any, first: int) -> int:
    """Factor the triangle of a band, six panels from `start` on; `own` is the matrix's diagonal.

    Rows of dependent columns become 0. Returns the rank.
    """
    rank = 0
    for row in range(BAND):
        place = start + row // LANES * PANEL + row * LANES + row % LANES
        rest, whole = work[place], own[first + row]
        # Written so that a NaN counts as dependent.
        independent = whole > 0.0 and rest > threshold * whole
        pivot = math.sqrt(rest) if independent else 0.0
        rank += 1 if independent else 0
        inverse = splat(1.0 / pivot if independent else 0.0)
        for panel in range(row // LANES, BAND_PANELS):
            at = start + panel * PANEL + row * LANES
            scaled = multiply_add(load(work, at), inverse, splat(0.0))
            store(work, at, scaled if independent else splat(0.0))
        work[place] = pivot
        for below in range(row + 1, BAND):
            factors = splat(work[start + below // LANES * PANEL + row * LANES + below % LANES])
            for panel in range(below // LANES, BAND_PANELS):
                at = start + panel * PANEL
                product = multiply_add(factors, load(work, at + row * LANES), splat(0.0))
                rest_of = subtract(load(work, at + below * LANES), product)
                store(work, at + below * LANES, rest_of)
    return rank


@part
def solve_panel(work: Any, start: int, to: int) -> None:
    """Solve U' x = b for a panel of right-hand sides, with the triangle at `start`, in place."""
    for first in range(0, BAND, GROUP):
        if first > 0:
            subtract_tile(work, to, start, first, first, to + first * LANES)
        for row in range(first, first + GROUP):
            column = start + row // LANES * PANEL + row % LANES
            rest = load(work, to + row * LANES)
            for k in range(first, row):
                factors = broadcast(work, column + k * LANES)
                product = multiply_add(factors, load(work, to + k * LANES), splat(0.0))
                rest = subtract(rest, product)
            pivot = work[column + row * LANES]
            if pivot > 0.0:
                store(work, to + row * LANES, multiply_add(rest, splat(1.0 / pivot), splat(0.0)))
            else:
                store(work, to + row * LANES, splat(0.0))


@part
def copy_panels(matrix: Any, panel: int, n_bands: int, work: Any) -> None:
    """Copy eight rows of the lower triangle to the panel of each band; what is beyond is 0."""
    size = matrix.shape[0]
    for band in range(panel // BAND_PANELS + 1):
        to = panel_at(band, panel, n_bands)
        for place in range(to, to + PANEL, LANES):
            store(work, place, splat(0.0))
        for row in range(panel * LANES, min((panel + 1) * LANES, size)):
            lane, left = row % LANES, band * BAND
            for column in range(left, min(left + BAND, row + 1)):
                work[to + (column - left) * LANES + lane] = matrix[row, column]


@part
def copy_factor(work: Any, panel: int, n_bands: int, factor_out: Any) -> None:
    """Copy the panel of each band to eight rows of the factor, with zeros behind the diagonal."""
    size = factor_out.shape[0]
    for row in range(panel * LANES, min((panel + 1) * LANES, size)):
        for band in range(panel // BAND_PANELS + 1):
            at, left = panel_at(band, panel, n_bands) + row % LANES, band * BAND
            for column in range(left, min(left + BAND, row + 1)):
                factor_out[row, column] = work[at + (column - left) * LANES]
        for column in range(row + 1, size):
            factor_out[row, column] = 0.0


def _factor_in_bands(matrix: Any, threshold: float, factor_out: Any) -> int:
    size = matrix.shape[0]
    n_bands = (size + BAND - 1) // BAND
    n_panels = BAND_PANELS * n_bands
    own = np.zeros(n_bands * BAND)
    for row in range(size):
        own[row] = matrix[row, row]
    work = empty_at_line(panel_at(n_bands, n_panels, n_bands))
    for panel in prange(n_panels):
        copy_panels(matrix, panel, n_bands, work)
    rank = 0
    for band in range(n_bands):
        begin, start = BAND_PANELS * band, panel_at(band, BAND_PANELS * band, n_bands)
        subtract_bands(work, band, begin, begin + BAND_PANELS, n_bands, -band * BAND)
        rank += factor_triangle(work, start, threshold, own, band * BAND)
        begin += BAND_PANELS
        for strip in prange((n_panels - begin) // STRIP):
            first = begin + strip * STRIP
            subtract_bands(work, band, first, first + STRIP, n_bands, BAND)
            for panel in range(first, first + STRIP):
                solve_panel(work, start, panel_at(band, panel, n_bands))
    for panel in prange(n_panels):
        copy_factor(work, panel, n_bands, factor_out)
    return rank


# factor_in_bands(matrix, threshold, factor_out) -> rank: what `factor` gives, to rounding, sooner
# where rows are many.
factor_in_bands = entry(_factor_in_bands)


@part
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


@part
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
