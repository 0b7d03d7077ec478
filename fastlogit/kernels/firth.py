"""Firth's penalised likelihood of a small table of rows: one evaluation is one compiled call.

With c the curvatures of the rows, ``F = X' diag(c) X = U' U`` and q = U'^-1 x, what is minimised is
minus the log-likelihood less the sum of the logarithms of U's diagonal. The leverage of a row is
``c |q|^2``, and the slope of the penalty ``X' (leverage (p - 1/2))`` (Firth, 1993, Biometrika 80).

Rows are kept column after column, as in `small`, whose work array and pieces serve here too; sums
are not divided by the weight.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from .elementwise import exp_nonpositive
from .inlining import keep_apart
from .policy import entry, part
from .simd import LANES, aligned, broadcast, load, multiply_add, splat, store, total
from .small import layout, row_sums, solves
from .small.arithmetic import clear, dot, smaller, step_to

__all__ = [
    "Extra",
    "FirthRows",
    "Places",
    "evaluate",
    "evaluate_firth",
    "invert_factor",
    "is_clear",
    "lay_out_extra",
    "likelihood",
    "place_rows",
    "row_forms",
    "third_order",
    "whole_size",
]

Places = layout.Places
# A pivot below this share of its column's curvature is unclear: passes look closer.
CLEAR = 1e-7


class FirthRows(NamedTuple):
    """Standardised rows, column after column, each of `height` numbers, of which the last are 0.

    Attributes
    ----------
    columns : ndarray of shape (size, height)
        With that of ones where the intercept is fitted.
    weight, offset, target : ndarray of shape (height,)
        Targets are 0 or 1; beyond the last row all are 0.
    """

    columns: Any
    weight: Any
    offset: Any
    target: Any


class Extra(NamedTuple):
    """Where a search keeps what `small.layout.Places` has no place for: matrices, then vectors.

    `inverse` is U'^-1, `beside` what the Hessian has beside F, `top` the factor of their sum at the
    peak. `slope` is the penalty's, `reference` where it was made; `origin` and `origin_slope` are
    those of the peak. `function` is a, of which `across` is the inverse Hessian times it.
    """

    inverse: int
    beside: int
    top: int
    slope: int
    reference: int
    origin: int
    origin_slope: int
    function: int
    across: int
    along: int
    apart: int
    product: int
    mismatch: int
    bent: int


MATRICES, VECTORS = 3, 11


@part
def whole_size(height: int, size: int) -> int:
    """Numbers of a work array for `place_rows` and `lay_out_extra`."""
    width = layout.vector_width(size - 1)
    return layout.work_size(height, size - 1) + width * (MATRICES * width + VECTORS)


@part
def place_rows(rows: FirthRows, n_rows: int, work: Any) -> Places:
    """Copy a table to a work array."""
    size, height = rows.columns.shape
    at = layout.lay_out(work, n_rows, size - 1, size)
    for k in range(size):
        to = np.uint64(at.columns + k * height)
        for row in range(np.uint64(height)):
            work[to + row] = rows.columns[k, row]
    weight, offset, target = np.uint64(at.weight), np.uint64(at.offset), np.uint64(at.target)
    for row in range(np.uint64(height)):
        work[weight + row] = rows.weight[row]
        work[offset + row] = rows.offset[row]
        work[target + row] = rows.target[row]
    clear(work, at.l2, at.counts + at.width)
    return at


@part
def lay_out_extra(work: Any, at: Places) -> Extra:
    """Say where the rest lies, and clear it."""
    square = at.width * at.width
    first = aligned(work) + layout.own_size(at.height, at.size - 1)
    vectors, width = first + MATRICES * square, at.width
    clear(work, first, vectors + VECTORS * width)
    return Extra(
        first, first + square, first + 2 * square,
        vectors, vectors + width, vectors + 2 * width, vectors + 3 * width, vectors + 4 * width,
        vectors + 5 * width, vectors + 6 * width, vectors + 7 * width, vectors + 8 * width,
        vectors + 9 * width, vectors + 10 * width,
    )  # fmt: skip


@part
def invert_factor(work: Any, at: Places, inverse_out: Any, to: int) -> None:
    """Put U'^-1 into ``inverse_out[to:]``, rows of `width` numbers; uses `trial`."""
    for k in range(at.size):
        clear(work, at.trial, at.trial + at.width)
        work[at.trial + k] = 1.0
        solves.solve_half(work, at, at.trial, k)
        for i in range(at.width):
            inverse_out[to + i * at.width + k] = work[at.trial + i]


@part
def row_forms(work: Any, at: Places, inverse: Any, place: int) -> None:
    """Put |U'^-1 x|^2 of each row into `scaled`; U'^-1 begins at ``inverse[place]``.

    It is lower triangular, with a row of zeros more where its size is odd.
    """
    keep_apart()
    width, zero, last = at.width, splat(0.0), at.height - LANES
    for row in range(0, at.height, 4 * LANES):
        # Four vectors of rows share what is loaded of the factor; the last one may come again.
        r1, r2 = smaller(row + LANES, last), smaller(row + 2 * LANES, last)
        r3 = smaller(row + 3 * LANES, last)
        s0, s1, s2, s3 = zero, zero, zero, zero
        # Two components at a time.
        for i in range(0, at.size, 2):
            a0, a1, a2, a3, b0, b1, b2, b3 = zero, zero, zero, zero, zero, zero, zero, zero
            for k in range(smaller(i + 2, at.size)):
                column, cell = at.columns + k * at.height, place + i * width + k
                v0, v1 = load(work, column + row), load(work, column + r1)
                v2, v3 = load(work, column + r2), load(work, column + r3)
                factor = broadcast(inverse, cell)
                a0, a1 = multiply_add(v0, factor, a0), multiply_add(v1, factor, a1)
                a2, a3 = multiply_add(v2, factor, a2), multiply_add(v3, factor, a3)
                factor = broadcast(inverse, cell + width)
                b0, b1 = multiply_add(v0, factor, b0), multiply_add(v1, factor, b1)
                b2, b3 = multiply_add(v2, factor, b2), multiply_add(v3, factor, b3)
            s0 = multiply_add(b0, b0, multiply_add(a0, a0, s0))
            s1 = multiply_add(b1, b1, multiply_add(a1, a1, s1))
            s2 = multiply_add(b2, b2, multiply_add(a2, a2, s2))
            s3 = multiply_add(b3, b3, multiply_add(a3, a3, s3))
        store(work, at.scaled + row, s0)
        store(work, at.scaled + r1, s1)
        store(work, at.scaled + r2, s2)
        store(work, at.scaled + r3, s3)


@part
def likelihood(work: Any, at: Places, theta: int) -> float:
    """Minus the log-likelihood at theta; `gradient` becomes its slope: two products."""
    row_sums.predict_rows(work, at, theta, 1.0)
    row_sums.row_losses(work, at)
    row_sums.sum_slopes(work, at, at.residual, at.gradient)
    return dot(work, at.weight, at.scaled, at.height)


@part
def is_clear(work: Any, at: Places) -> bool:
    """Say whether each pivot is more than rounding of its column's curvature."""
    for k in range(at.size):
        pivot = work[at.factor + k * (at.width + 1)]
        if not pivot * pivot > CLEAR * work[at.matrix + k * (at.width + 1)]:
            return False
    return True


class Value(NamedTuple):
    """Minus the log-likelihood, and minus half the logarithm of the determinant; NaN if unclear."""

    loss: float
    penalty: float


@part
def evaluate(work: Any, at: Places, to: Extra, theta: int) -> Value:
    """Look at theta: the likelihood's slope in `gradient`, the penalty's in `slope`, F and U.

    Leverages are in `scaled`, U'^-1 is in `inverse`, and (p - 1/2) leverage in `tail`.
    """
    keep_apart()
    loss = likelihood(work, at, theta)
    row_sums.sum_products(work, at, at.curvature)
    for k in range(at.size):
        # Products of an odd last column with itself lie here.
        clear(work, at.matrix + k * at.width + at.size, at.matrix + (k + 1) * at.width)
    if not (solves.factor_matrix(work, at) and is_clear(work, at)):
        return Value(loss, math.nan)
    invert_factor(work, at, work, to.inverse)
    row_forms(work, at, work, to.inverse)
    raw, tails, curvature, form = (
        np.uint64(at.raw), np.uint64(at.tail), np.uint64(at.curvature), np.uint64(at.scaled),
    )  # fmt: skip
    for row in range(np.uint64(at.height)):
        tail = work[tails + row]
        leverage = work[curvature + row] * work[form + row]
        pull = 0.5 * leverage * (1.0 - tail) / (1.0 + tail)
        work[tails + row] = pull if work[raw + row] >= 0.0 else -pull
        work[form + row] = leverage
    row_sums.sum_slopes(work, at, at.tail, to.slope)
    penalty = 0.0
    for k in range(at.size):
        penalty -= math.log(work[at.factor + k * (at.width + 1)])
    return Value(loss, penalty)


class Looked(NamedTuple):
    """What `evaluate_firth` fills in: one array for each.

    `slopes` are the gradients of minus the log-likelihood and of the penalty, (2, size). `root` is
    U^-1. What belongs to a row has `height` numbers; `beyond` is its probability less 1/2.
    """

    slopes: Any
    information: Any
    root: Any
    curvature: Any
    residuals: Any
    leverages: Any
    beyond: Any


def _evaluate_firth(rows: FirthRows, n_rows: int, theta: Any, out: Looked) -> tuple[float, float]:
    """Evaluate Firth's likelihood of a table at theta.

    Parameters
    ----------
    rows : FirthRows
    n_rows : int
    theta : ndarray of shape (size,)
    out : Looked

    Returns
    -------
    tuple of float
        Minus the log-likelihood, and minus half the logarithm of the determinant of F, which is NaN
        where a pivot is no more than rounding.
    """
    size, height = rows.columns.shape
    work = np.empty(whole_size(height, size))
    at = place_rows(rows, n_rows, work)
    to = lay_out_extra(work, at)
    clear(work, at.theta, at.theta + at.width)
    for k in range(size):
        work[at.theta + k] = theta[k]
    value = evaluate(work, at, to, at.theta)
    for k in range(size):
        out.slopes[0, k], out.slopes[1, k] = work[at.gradient + k], work[to.slope + k]
        for m in range(k, size):
            product = work[at.matrix + k * at.width + m]
            out.information[k, m], out.information[m, k] = product, product
            out.root[k, m] = work[to.inverse + m * at.width + k]
            if m > k:
                out.root[m, k] = 0.0
    for row in range(height):
        out.curvature[row] = work[at.curvature + row]
        out.residuals[row] = work[at.residual + row]
        out.leverages[row] = work[at.scaled + row]
        raw = work[at.raw + row]
        tail = exp_nonpositive(-abs(raw))
        out.beyond[row] = math.copysign(0.5 * (1.0 - tail) / (1.0 + tail), raw)
    return value.loss, value.penalty


evaluate_firth = entry(_evaluate_firth)


# ------------------------------------------------------------------------------------------------
# What the penalty adds to the Hessian


@part
def whiten(work: Any, at: Places, inverse: Any) -> None:
    """Replace each column k by component k of U'^-1 x: the last one first."""
    for i in range(at.size - 1, -1, -1):
        own = at.columns + i * at.height
        step_to(work, own, inverse[i, i] - 1.0, own, own, at.height)
        for k in range(i):
            step_to(work, own, inverse[i, k], at.columns + k * at.height, own, at.height)


def _third_order(
    rows: FirthRows, n_rows: int, root: Any, factors: Any, tensor_out: Any, products_out: Any
) -> None:
    """Sum ``f q q q`` over the rows, with q = root' x; and the products of that with itself.

    A Gram matrix for each first component, of the components from there on: a sixth of all sums.

    Parameters
    ----------
    rows : FirthRows
    n_rows : int
    root : ndarray of shape (size, size)
        Upper triangular.
    factors : ndarray of shape (height,)
        f, of any sign.
    tensor_out : ndarray of shape (size, size, size)
    products_out : ndarray of shape (size, size)
        Sums over the last two indices.
    """
    size, height = rows.columns.shape
    work = np.empty(whole_size(height, size))
    at = place_rows(rows, n_rows, work)
    whiten(work, at, root.T)
    for first in range(size):
        own = at.columns + first * height
        for row in range(height):
            work[at.curvature + row] = factors[row] * work[own + row]
        rest = layout.lay_out(work, n_rows, size - 1, size - first)
        moved = from_column(rest, own)
        row_sums.sum_products(work, moved, at.curvature)
        for k in range(first, size):
            for m in range(k, size):
                value = work[at.matrix + (k - first) * at.width + m - first]
                tensor_out[first, k, m], tensor_out[first, m, k] = value, value
                tensor_out[k, first, m], tensor_out[m, first, k] = value, value
                tensor_out[k, m, first], tensor_out[m, k, first] = value, value
    flat, each = tensor_out.reshape(size * size * size), size * size
    whole = each - each % LANES
    for k in range(size):
        for m in range(k + 1):
            sums = splat(0.0)
            for place in range(0, whole, LANES):
                own = load(flat, k * each + place)
                sums = multiply_add(own, load(flat, m * each + place), sums)
            product = total(sums)
            for place in range(whole, each):
                product += flat[k * each + place] * flat[m * each + place]
            products_out[k, m], products_out[m, k] = product, product


third_order = entry(_third_order)


@part
def from_column(at: Places, columns: int) -> Places:
    """Return the same with the columns from another place on."""
    return Places(
        at.n_rows, at.height, at.size, at.width, columns, at.offset, at.weight, at.target, at.raw,
        at.tail, at.residual, at.curvature, at.scaled, at.matrix, at.factor, at.l2, at.theta,
        at.gradient, at.trial, at.trial_gradient, at.direction, at.half, at.last, at.center,
        at.scale, at.column, at.counts,
    )  # fmt: skip
