"""Newton's method for one small softmax model: the whole fit is one compiled, serial call.

It is `small` for classes that compete, with the formulas of `objective.multinomial`,
`solvers.majorization` and `certificates.softmax`: rows copied once, standardised, column after
column; everything in one flat array that the caller hands in.

The classes' parameters are theta = B phi with the orthonormal contrasts B of Helmert, (n_classes,
n_classes - 1): phi is what sets classes apart, and what all share is 0, as in the symmetric
solution. Penalty and norms are the same in both. The Hessian is a sum over pairs of classes,

    sum_i w_i p_ik p_il (e_k - e_l) (e_k - e_l)' (x) x_i x_i',

a Gram matrix for each pair: no difference that could cancel.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from .elementwise import exp_nonpositive, log1p_positive
from .inlining import keep_apart
from .policy import entry, part
from .simd import LANES, load, multiply_add, splat, store, total
from .small import intake, iteration, layout, proofs, row_sums, separation, solves, steps
from .small.arithmetic import (
    absolute_sum,
    clear,
    dot,
    larger,
    largest,
    level_less_products,
    smaller,
    step_to,
)
from .small.endings import BAD_SHAPE, CONVERGED, EXTREME, NOT_FINITE, ONE_CLASS, TOO_LARGE
from .small.iteration import Model
from .small.proofs import EPS, RAISED, RAW_ERRORS, ROUNDED, SUM_ERRORS, WALK, Proof
from .small.separation import LEAST_MARGIN, SLACK
from .small.steps import LEVEL

__all__ = ["SoftmaxFit", "fit_small_softmax", "small_softmax_work_size"]

# A class's difference to the others below this is 0 for the bound of its curvature.
LEAST_DIFFERENCE = 1e-8


# ------------------------------------------------------------------------------------------------
# Where things lie


class SoftmaxFit(NamedTuple):
    """How the fit of one small softmax model ended.

    Attributes
    ----------
    status : int
        CONVERGED or another of the constants of `small`.
    n_iter : int
        Iterations; ``history_out[: n_iter + 1]`` are their costs.
    cost : float
        Mean loss plus penalty at the last point looked at. Where the fit converged the
        coefficients are one step further.
    bound : float
        Proven bound on (cost - optimum) / optimum of the exact cost of the coefficients;
        `stated_bound` adds the rounding of a cost as a number. Infinite where nothing is proven.
    gradient_norm : float
        Largest component of the gradient there, in the units of X.
    n_evaluations, n_grams : int
        How often cost and gradient, and how often a Gram matrix, were summed over the rows.
    """

    status: int
    n_iter: int
    cost: float
    bound: float
    gradient_norm: float
    n_evaluations: int
    n_grams: int


class Places(NamedTuple):
    """Where the parts of a fit lie in its work array.

    `one` has the rows, and room for the parameters and the Hessian of a class by itself. Vectors of
    all contrasts have `size` numbers, those of one after those of the other, and `width` of them
    are whole vectors; vectors of all classes `one.width` for each.
    """

    one: layout.Places
    n_classes: int
    size: int
    width: int
    offset: int
    raw: int
    proba: int
    basis: int
    classes: int
    slopes: int
    matrix: int
    factor: int
    theta: int
    gradient: int
    trial: int
    trial_gradient: int
    direction: int
    half: int
    last: int


# Columns of numbers for each class, and vectors of contrasts and of classes.
CLASS_PARTS, VECTOR_PARTS = 3, 7


@part
def padded(size: int) -> int:
    return (size + LANES - 1) // LANES * LANES


@part
def common_size(n_samples: int, n_features: int, n_classes: int) -> int:
    """Numbers of a work array besides those of Hessians."""
    height, one = layout.column_height(n_samples), layout.vector_width(n_features)
    return (
        layout.work_size(n_samples, n_features)
        + n_classes * (CLASS_PARTS * height + 2 * one)
        + padded(n_classes * n_classes)
        + VECTOR_PARTS * padded((n_classes - 1) * (n_features + 1))
    )


@part
def work_size(n_samples: int, n_features: int, n_classes: int) -> int:
    width = padded((n_classes - 1) * (n_features + 1))
    return common_size(n_samples, n_features, n_classes) + 2 * width * width


def _small_softmax_work_size(n_samples: int, n_features: int, n_classes: int) -> int:
    """Return how many float64 the work array of a softmax fit needs.

    Parameters
    ----------
    n_samples, n_features : int
        Shape of X; more rows or columns need more.
    n_classes : int
    """
    return work_size(n_samples, n_features, n_classes)


small_softmax_work_size = entry(_small_softmax_work_size)


@part
def lay_out(one: layout.Places, n_features: int, n_classes: int) -> Places:
    size = (n_classes - 1) * one.size
    width, block = padded(size), n_classes * one.height
    # Behind all that `one` has; vectors begin at cache lines as those do.
    offset = one.columns + layout.own_size(one.n_rows, n_features)
    basis = offset + CLASS_PARTS * block
    classes = basis + padded(n_classes * n_classes)
    vectors = classes + 2 * n_classes * one.width
    matrix = vectors + VECTOR_PARTS * width
    return Places(
        one, n_classes, size, width,
        offset, offset + block, offset + 2 * block,
        basis, classes, classes + n_classes * one.width, matrix, matrix + width * width,
        vectors, vectors + width, vectors + 2 * width, vectors + 3 * width, vectors + 4 * width,
        vectors + 5 * width, vectors + 6 * width,
    )  # fmt: skip


# ------------------------------------------------------------------------------------------------
# Contrasts of classes


@part
def make_basis(work: Any, at: Places) -> None:
    """Put B into `basis`, a row of n_classes - 1 numbers for each class."""
    n_contrasts = at.n_classes - 1
    for a in range(n_contrasts):
        length = math.sqrt((a + 1.0) * (a + 2.0))
        for k in range(at.n_classes):
            value = 1.0 if k <= a else (-(a + 1.0) if k == a + 1 else 0.0)
            work[at.basis + k * n_contrasts + a] = value / length


@part
def to_classes(work: Any, at: Places, vector: int, to: int) -> None:
    """Put parameters of all classes, from those of the contrasts, from `to` on."""
    keep_apart()
    one, n_contrasts = at.one, at.n_classes - 1
    for k in range(at.n_classes):
        place = to + k * one.width
        clear(work, place, place + one.width)
        for a in range(n_contrasts):
            share = work[at.basis + k * n_contrasts + a]
            for j in range(one.size):
                work[place + j] += share * work[vector + a * one.size + j]


@part
def to_contrasts(work: Any, at: Places, classes: int, to: int) -> None:
    """Put gradients or directions of the contrasts, from those of all classes, from `to` on."""
    keep_apart()
    one, n_contrasts = at.one, at.n_classes - 1
    clear(work, to, to + at.width)
    for k in range(at.n_classes):
        place = classes + k * one.width
        for a in range(n_contrasts):
            share = work[at.basis + k * n_contrasts + a]
            for j in range(one.size):
                work[to + a * one.size + j] += share * work[place + j]


# ------------------------------------------------------------------------------------------------
# Sums over the rows


@part
def predict_rows(work: Any, at: Places, keep: float) -> None:
    """Put raw predictions of the parameters in `classes`, with `keep` times the offset, into `raw`.

    Four classes and sixteen rows at a time stay in registers.
    """
    keep_apart()
    one, height, last = at.one, at.one.height, at.n_classes - 1
    kept = splat(keep)
    zero = splat(0.0)
    for k in range(0, at.n_classes, 4):
        k1, k2, k3 = (
            smaller(k + 1, last),
            smaller(k + 2, last),
            smaller(k + 3, last),
        )
        c0, c1 = at.classes + k * one.width, at.classes + k1 * one.width
        c2, c3 = at.classes + k2 * one.width, at.classes + k3 * one.width
        o0, o1 = at.offset + k * height, at.offset + k1 * height
        o2, o3 = at.offset + k2 * height, at.offset + k3 * height
        shift = at.raw - at.offset
        for row in range(0, height, 2 * LANES):
            # What is done twice at the end is the same.
            other = smaller(row + LANES, height - LANES)
            a0 = multiply_add(load(work, o0 + row), kept, zero)
            a1 = multiply_add(load(work, o1 + row), kept, zero)
            a2 = multiply_add(load(work, o2 + row), kept, zero)
            a3 = multiply_add(load(work, o3 + row), kept, zero)
            b0 = multiply_add(load(work, o0 + other), kept, zero)
            b1 = multiply_add(load(work, o1 + other), kept, zero)
            b2 = multiply_add(load(work, o2 + other), kept, zero)
            b3 = multiply_add(load(work, o3 + other), kept, zero)
            column = one.columns
            for j in range(one.size):
                x, y = load(work, column + row), load(work, column + other)
                t0, t1 = splat(work[c0 + j]), splat(work[c1 + j])
                t2, t3 = splat(work[c2 + j]), splat(work[c3 + j])
                a0, b0 = multiply_add(x, t0, a0), multiply_add(y, t0, b0)
                a1, b1 = multiply_add(x, t1, a1), multiply_add(y, t1, b1)
                a2, b2 = multiply_add(x, t2, a2), multiply_add(y, t2, b2)
                a3, b3 = multiply_add(x, t3, a3), multiply_add(y, t3, b3)
                column += height
            store(work, o0 + shift + row, a0)
            store(work, o1 + shift + row, a1)
            store(work, o2 + shift + row, a2)
            store(work, o3 + shift + row, a3)
            store(work, o0 + shift + other, b0)
            store(work, o1 + shift + other, b1)
            store(work, o2 + shift + other, b2)
            store(work, o3 + shift + other, b3)


@part
def sum_slopes(work: Any, at: Places) -> None:
    """Put the products of each column with what is in `raw`, of each class, into `slopes`."""
    keep_apart()
    one, height, last = at.one, at.one.height, at.n_classes - 1
    end = one.size - 1
    zero = splat(0.0)
    for k in range(0, at.n_classes, 4):
        k1, k2, k3 = (
            smaller(k + 1, last),
            smaller(k + 2, last),
            smaller(k + 3, last),
        )
        r0, r1 = at.raw + k * height, at.raw + k1 * height
        r2, r3 = at.raw + k2 * height, at.raw + k3 * height
        s0, s1 = at.slopes + k * one.width, at.slopes + k1 * one.width
        s2, s3 = at.slopes + k2 * one.width, at.slopes + k3 * one.width
        for j in range(0, one.size, 2):
            other = smaller(j + 1, end)
            x, y = one.columns + j * height, one.columns + other * height
            a0, a1, a2, a3 = zero, zero, zero, zero
            b0, b1, b2, b3 = zero, zero, zero, zero
            for row in range(0, height, LANES):
                left, right = load(work, x + row), load(work, y + row)
                v0, v1 = load(work, r0 + row), load(work, r1 + row)
                v2, v3 = load(work, r2 + row), load(work, r3 + row)
                a0, b0 = multiply_add(left, v0, a0), multiply_add(right, v0, b0)
                a1, b1 = multiply_add(left, v1, a1), multiply_add(right, v1, b1)
                a2, b2 = multiply_add(left, v2, a2), multiply_add(right, v2, b2)
                a3, b3 = multiply_add(left, v3, a3), multiply_add(right, v3, b3)
            work[s0 + j], work[s0 + other] = total(a0), total(b0)
            work[s1 + j], work[s1 + other] = total(a1), total(b1)
            work[s2 + j], work[s2 + other] = total(a2), total(b2)
            work[s3 + j], work[s3 + other] = total(a3), total(b3)


@part
def largest_predictions(work: Any, at: Places) -> None:
    """Put each row's largest raw prediction into `one.raw`."""
    height, top = np.uint64(at.one.height), np.uint64(at.one.raw)
    for row in range(height):
        work[top + row] = work[np.uint64(at.raw) + row]
    for k in range(1, at.n_classes):
        place = np.uint64(at.raw + k * at.one.height)
        for row in range(height):
            z = work[place + row]
            work[top + row] = z if z > work[top + row] else work[top + row]


@part
def row_losses(work: Any, at: Places) -> None:
    """Turn raw predictions into weighted residuals; probabilities, and losses in `one.scaled`."""
    one = at.one
    # Numbers without sign need no check for an index from the end, which would end vectorisation.
    height, top, rest = np.uint64(one.height), np.uint64(one.raw), np.uint64(one.tail)
    ties, loss = np.uint64(one.residual), np.uint64(one.scaled)
    weight, target = np.uint64(one.weight), np.uint64(one.target)
    largest_predictions(work, at)
    for row in range(height):
        work[rest + row], work[ties + row] = 0.0, -1.0
    for k in range(at.n_classes):
        raw, proba = np.uint64(at.raw + k * one.height), np.uint64(at.proba + k * one.height)
        for row in range(height):
            work[proba + row] = exp_nonpositive(work[raw + row] - work[top + row])
        for row in range(height):
            is_top = work[raw + row] >= work[top + row]
            # The largest e^z is 1: without it the sum keeps the digits of small ones.
            work[rest + row] += 0.0 if is_top else work[proba + row]
            work[ties + row] += 1.0 if is_top else 0.0
    for row in range(height):
        others = work[rest + row] + work[ties + row]
        work[rest + row] = others
        work[ties + row] = 1.0 / (1.0 + others)
        work[loss + row] = log1p_positive(others)
    for k in range(at.n_classes):
        raw, proba = np.uint64(at.raw + k * one.height), np.uint64(at.proba + k * one.height)
        label = float(k)
        for row in range(height):
            own = work[target + row] == label
            below, share = work[raw + row] - work[top + row], work[proba + row]
            inverse, w, others = work[ties + row], work[weight + row], work[rest + row]
            # 1 - proba from the other classes' sum, which does not cancel.
            others = others if below >= 0.0 else (1.0 + others) - share
            work[raw + row] = w * ((-others if own else share) * inverse)
            work[proba + row] = share * inverse
            work[loss + row] += -below if own else 0.0


@part
def penalty_of(work: Any, at: Places, theta: int) -> float:
    cost = 0.0
    for a in range(at.n_classes - 1):
        for j in range(at.one.size):
            value = work[theta + a * at.one.size + j]
            cost += 0.5 * work[at.one.l2 + j] * value * value
    return cost


@part
def add_penalty(work: Any, at: Places, weight: float, vector: int, to: int) -> None:
    """Divide sums over the rows by the total `weight`, and add the penalty times a vector."""
    for a in range(at.n_classes - 1):
        for j in range(at.one.size):
            place = a * at.one.size + j
            work[to + place] = (
                work[to + place] / weight + work[at.one.l2 + j] * work[vector + place]
            )


@part
def evaluate(work: Any, at: Places, weight: float, theta: int, gradient: int) -> float:
    """Cost at theta; sets gradient and probabilities."""
    keep_apart()
    one = at.one
    work[one.counts] += 1.0
    to_classes(work, at, theta, at.classes)
    predict_rows(work, at, 1.0)
    row_losses(work, at)
    sum_slopes(work, at)
    to_contrasts(work, at, at.slopes, gradient)
    add_penalty(work, at, weight, theta, gradient)
    cost = dot(work, one.weight, one.scaled, one.height) / weight
    return cost + penalty_of(work, at, theta)


@part
def add_block(work: Any, at: Places, a: int, b: int, factor: float) -> None:
    """Add `factor` times the Gram matrix in `one` to a block of the upper triangle of `matrix`."""
    one = at.one
    for j in range(one.size):
        first = j if a == b else 0
        source = np.uint64(one.matrix + j * one.width + first)
        to = np.uint64(at.matrix + (a * one.size + j) * at.width + b * one.size + first)
        for m in range(np.uint64(one.size - first)):
            work[to + m] += factor * work[source + m]


@part
def sum_hessian(work: Any, at: Places, weight: float) -> None:
    """Put the Hessian of the probabilities into the upper triangle of `matrix`."""
    keep_apart()
    one, n_contrasts, height = at.one, at.n_classes - 1, np.uint64(at.one.height)
    clear(work, at.matrix, at.matrix + at.size * at.width)
    curvature, weights = np.uint64(one.curvature), np.uint64(one.weight)
    for k in range(1, at.n_classes):
        for other in range(k):
            left, right = np.uint64(at.proba) + k * height, np.uint64(at.proba) + other * height
            for row in range(height):
                work[curvature + row] = work[weights + row] * (work[left + row] * work[right + row])
            work[one.counts + 1] += 1.0
            row_sums.sum_products(work, one, one.curvature)
            for j in range(one.size):
                for m in range(j):
                    work[one.matrix + j * one.width + m] = work[one.matrix + m * one.width + j]
            for a in range(n_contrasts):
                first = work[at.basis + k * n_contrasts + a]
                first -= work[at.basis + other * n_contrasts + a]
                for b in range(a, n_contrasts):
                    second = work[at.basis + k * n_contrasts + b]
                    second -= work[at.basis + other * n_contrasts + b]
                    if first * second != 0.0:
                        add_block(work, at, a, b, first * second / weight)
    for a in range(n_contrasts):
        for j in range(one.size):
            work[at.matrix + (a * one.size + j) * (at.width + 1)] += work[one.l2 + j]


@part
def newton_step(work: Any, at: Places, weight: float, wanted: float) -> bool:
    """Put Newton's step into `direction`; False where the Hessian is singular.

    It is exact, whatever gain is `wanted`.
    """
    sum_hessian(work, at, weight)
    return solves.newton_direction(work, at)


@part
def most_curvature(work: Any, at: Places) -> float:
    """A bound on the largest eigenvalue of the Hessian."""
    return 0.5 * at.one.size + largest(work, at.one.l2, at.one.size)


# ------------------------------------------------------------------------------------------------
# The proof: see certificates.softmax


@part
def invert(work: Any, at: Places) -> tuple[float, float]:
    """Put the inverse root of the Hessian into `matrix`, a row for each parameter.

    Returns the trace of the inverse, and that in units in which the Hessian's diagonal is 1.
    """
    trace, scaled = 0.0, 0.0
    for k in range(at.size):
        row = at.matrix + k * at.width
        own = work[row + k]
        clear(work, row, row + at.width)
        work[row + k] = 1.0
        solves.solve_half(work, at, row, k)
        square = dot(work, row, row, at.width)
        trace += square
        scaled += square * own
    return trace, scaled


@part
def largest_form(work: Any, at: Places) -> float:
    """Largest sum over the contrasts of x' (M^-1)_aa x, of all rows x, from `invert`."""
    one = at.one
    for j in range(one.size):
        for m in range(one.size):
            found = 0.0
            for a in range(at.n_classes - 1):
                left = at.matrix + (a * one.size + j) * at.width
                right = at.matrix + (a * one.size + m) * at.width
                found += dot(work, left, right, at.width)
            work[one.matrix + j * one.width + m] = found
    zero = splat(0.0)
    for row in range(0, one.height, LANES):
        form = zero
        for j in range(one.size):
            product = zero
            for m in range(one.size):
                share = splat(work[one.matrix + j * one.width + m])
                product = multiply_add(
                    load(work, one.columns + m * one.height + row), share, product
                )
            form = multiply_add(load(work, one.columns + j * one.height + row), product, form)
        store(work, one.raw + row, form)
    return largest(work, one.raw, one.n_rows)


@part
def prove(work: Any, at: Places, weight: float, cost: float, offset: float, wanted: float) -> Proof:
    """Bound what the cost at theta lacks, by the factor of the Hessian there.

    `offset` is the largest one. Overwrites `matrix` and `classes`.
    """
    keep_apart()
    one = at.one
    trace, scaled_trace = invert(work, at)
    errors = EPS * (SUM_ERRORS + WALK * math.sqrt(one.n_rows / proofs.CHUNKS))
    noise = errors * smaller(1.0, math.sqrt(cost)) * math.sqrt(RAISED * trace)
    to_classes(work, at, at.theta, at.classes)
    reach = absolute_sum(work, at.classes, at.n_classes * one.width) + offset
    # A parameter of a class is a sum over the contrasts.
    raw = EPS * (RAW_ERRORS + math.sqrt(float(one.size)) + at.n_classes)
    noise += 2.0 * raw * reach * smaller(0.5, math.sqrt(cost))
    error = errors * RAISED * scaled_trace
    if not error < 0.5:
        return Proof(math.inf, noise, False)
    swell = math.sqrt(1.0 / (1.0 - error))
    decrement = math.sqrt(dot(work, at.half, at.half, at.width))
    # The range of numbers that add up to 0 is at most the root of twice their squares.
    radius = math.sqrt(2.0 * largest_form(work, at))
    gain = proofs.gain_bound((decrement + noise) * swell, radius * swell)
    return Proof(gain, noise, decrement * radius < 1.0)


@part
def level_in_units(work: Any, at: Places, place: int, n_features: int) -> float:
    """Intercept in the units of X of the class whose parameters lie at `place`, rounded once."""
    one = at.one
    slopes = one.size - 1
    clear(work, one.half, one.half + n_features)
    for j in range(slopes):
        column = layout.column_of(work, one, j)
        work[one.half + column] = work[place + j] * work[one.scale + column]
    level = work[place + slopes]
    return level_less_products(level, 1.0, work, one.half, one.center, n_features)


@part
def lost_in_units(work: Any, at: Places, fit_intercept: bool) -> float:
    """By how much the cost may rise where theta is rounded in the units of X."""
    one, lost = at.one, 0.0
    to_classes(work, at, at.theta, at.classes)
    for k in range(at.n_classes):
        place = at.classes + k * one.width
        slopes = one.size - 1 if fit_intercept else one.size
        lost += absolute_sum(work, place, slopes)
        if fit_intercept:
            lost += abs(level_in_units(work, at, place, one.width - 1))
    lost *= ROUNDED
    return lost * largest(work, at.gradient, at.size) + 0.25 * lost * lost


# ------------------------------------------------------------------------------------------------
# The iteration: see solvers.iteration and solvers.majorization


@part
def against_the_others(work: Any, at: Places, row: int) -> None:
    """Turn a row's raw predictions into their differences to what the other classes make."""
    height, best = at.one.height, 0
    for k in range(1, at.n_classes):
        if work[at.raw + k * height + row] > work[at.raw + best * height + row]:
            best = k
    top, second = work[at.raw + best * height + row], -math.inf
    for k in range(at.n_classes):
        if k != best:
            second = larger(second, work[at.raw + k * height + row])
    near, far = 0.0, 0.0
    for k in range(at.n_classes):
        if k != best:
            z = work[at.raw + k * height + row]
            near += math.exp(z - second)
            far += math.exp(z - top)
    for k in range(at.n_classes):
        z = work[at.raw + k * height + row]
        against = top - (second + math.log(near))
        if k != best:
            against = z - (top + math.log1p(larger(far - math.exp(z - top), 0.0)))
        work[at.raw + k * height + row] = against


@part
def majorizing_curvature(work: Any, at: Places) -> None:
    """Put the weights of a quadratic function above the loss, of each class, into `raw`.

    K j(d) with j(d) = tanh(|d| / 2) / (2 |d|), of Jaakkola and Jordan (2000).
    """
    one = at.one
    for row in range(one.n_rows):
        against_the_others(work, at, row)
    for k in range(at.n_classes):
        for row in range(one.height):
            place = at.raw + k * one.height + row
            size = larger(abs(work[place]), LEAST_DIFFERENCE)
            j = math.tanh(0.5 * size) / (2.0 * size)
            work[place] = work[one.weight + row] * (at.n_classes * j)


double_steps = steps.make_double_steps(evaluate)


@part
def majorize(work: Any, at: Places, weight: float, cost: float, offset: float) -> float:
    """Step down a bound of the cost from theta, to `trial`; returns by how much the cost falls.

    0 where it does not, -1 where the bound is singular.
    """
    keep_apart()
    one, level = at.one, 0.0
    to_classes(work, at, at.theta, at.classes)
    for k in range(at.n_classes):
        level = larger(level, abs(work[at.classes + k * one.width + one.size - 1]))
    predict_rows(work, at, 1.0)
    majorizing_curvature(work, at)
    to_classes(work, at, at.gradient, at.slopes)
    for k in range(at.n_classes):
        row_sums.sum_hessian(work, one, weight, at.raw + k * one.height)
        slopes = at.slopes + k * one.width
        step_to(work, slopes, 0.0, slopes, one.gradient, one.width)
        if not solves.newton_direction(work, one):
            return -1.0
        step_to(work, one.direction, 0.0, one.direction, slopes, one.width)
    to_contrasts(work, at, at.slopes, at.direction)
    slack = LEVEL * abs(cost) + steps.COST_EPSILON * (offset + level)
    return double_steps(work, at, weight, cost, slack)


@part
def separates(work: Any, at: Places, direction: int, fit_intercept: bool) -> bool:
    """Say whether the unpenalised part of a direction separates the classes.

    No row's own class loses against another along it, and some row's wins. Overwrites `trial`,
    `classes` and the raw predictions.
    """
    one = at.one
    if one.size == 1 and fit_intercept:
        return False
    clear(work, at.trial, at.trial + at.width)
    for k in range(at.size):
        if work[one.l2 + k % one.size] == 0.0:
            work[at.trial + k] = work[direction + k]
    size = largest(work, at.trial, at.size)
    if not 0.0 < size < math.inf:
        return False
    for k in range(at.size):
        work[at.trial + k] /= size
    to_classes(work, at, at.trial, at.classes)
    predict_rows(work, at, 0.0)
    least, most = math.inf, -math.inf
    for row in range(one.n_rows):
        code = np.int64(work[one.target + row])
        own = work[at.raw + code * one.height + row]
        for k in range(at.n_classes):
            if k != code:
                margin = own - work[at.raw + k * one.height + row]
                least, most = smaller(least, margin), larger(most, margin)
    reach = larger(most, -least)
    return reach > LEAST_MARGIN and least >= -SLACK * reach


@part
def has_free_slopes(work: Any, at: Places, fit_intercept: bool) -> bool:
    """Say whether a column has no penalty."""
    return separation.has_free_slopes(work, at.one, fit_intercept)


search = steps.make_search(evaluate)
move = steps.make_move(evaluate, search, majorize)
look_for_separation, last_change_separates = separation.make_looks(separates, has_free_slopes)
iterate = iteration.make_iterate(
    Model(
        newton_step, most_curvature, prove, lost_in_units, move, last_change_separates,
        look_for_separation,
    )
)  # fmt: skip


# ------------------------------------------------------------------------------------------------
# Start and end


@part
def code_of(y: Any, i: int, n_classes: int) -> int:
    """Code of a row's class; -1 where it is none."""
    # Codes without sign are compared as such: with -1 they would make a float64, which is no index.
    label, code = y[i], np.int64(-1)
    if 0 <= label < n_classes and label == np.int64(label):
        code = np.int64(label)
    return int(code)


@part
def copy_classes(
    X: Any, y: Any, n_classes: int, sample_weight: Any, offset: Any, work: Any, at: Places
) -> float:
    """Copy codes and offsets of the rows of positive weight, and sum the classes' weights.

    The weights go to `half`. Returns NaN if any offset is not finite, else 0.
    """
    one, row, bad = at.one, 0, 0.0
    has_weights, has_offset = sample_weight.shape[0] > 0, offset.shape[0] > 0
    clear(work, at.offset, at.offset + n_classes * one.height)
    clear(work, at.classes, at.classes + n_classes)
    clear(work, one.target, one.target + one.height)
    for i in range(X.shape[0]):
        if has_offset:
            for k in range(n_classes):
                bad += 0.0 * offset[i, k]
        if has_weights and sample_weight[i] == 0.0:
            continue
        code = code_of(y, i, n_classes)
        work[one.target + row] = float(code)
        work[at.classes + code] += work[one.weight + row]
        if has_offset:
            for k in range(n_classes):
                work[at.offset + k * one.height + row] = offset[i, k]
        row += 1
    return bad


@part
def look_at_classes(y: Any, n_classes: int, sample_weight: Any, seen: Any) -> int:
    """Status: BAD_SHAPE where a label is no class, ONE_CLASS where a class has no weight.

    `seen` has room for a number for each class.
    """
    for k in range(n_classes):
        seen[k] = 0.0
    for i in range(y.shape[0]):
        code = code_of(y, i, n_classes)
        if code < 0:
            return BAD_SHAPE
        if sample_weight.shape[0] == 0 or sample_weight[i] > 0.0:
            seen[code] = 1.0
    for k in range(n_classes):
        if seen[k] == 0.0:
            return ONE_CLASS
    return CONVERGED


@part
def set_levels(work: Any, at: Places, weight: float) -> None:
    """Put intercepts of the classes' shares, at their mean offsets, into `theta`.

    The classes' weights lie in `classes`.
    """
    one = at.one
    clear(work, at.slopes, at.slopes + at.n_classes * one.width)
    for k in range(at.n_classes):
        middle = dot(work, one.weight, at.offset + k * one.height, one.height) / weight
        place = at.slopes + k * one.width + one.size - 1
        work[place] = math.log(work[at.classes + k]) - middle
    to_contrasts(work, at, at.slopes, at.theta)


@part
def begin(work: Any, at: Places, weight: float, start: Any, fit_intercept: bool) -> float:
    """Set theta, gradient and the rest at the better of two starts; return the cost there.

    Those are the user's, (n_features + 1, n_classes) in the units of X or of no numbers, and the
    default without slopes.
    """
    one = at.one
    clear(work, at.theta, at.last + at.width)
    if fit_intercept:
        set_levels(work, at, weight)
    cost = evaluate(work, at, weight, at.theta, at.gradient)
    n_features = start.shape[0] - 1
    if n_features < 0:
        return cost
    slopes = one.size - 1 if fit_intercept else one.size
    clear(work, at.slopes, at.slopes + at.n_classes * one.width)
    for k in range(at.n_classes):
        place = at.slopes + k * one.width
        for m in range(slopes):
            j = layout.column_of(work, one, m)
            work[place + m] = start[j, k] / work[one.scale + j]
        if fit_intercept:
            for j in range(n_features):
                work[one.half + j] = start[j, k]
            work[place + slopes] = level_less_products(
                start[n_features, k], -1.0, work, one.half, one.center, n_features
            )
    to_contrasts(work, at, at.slopes, at.trial)
    found = evaluate(work, at, weight, at.trial, at.trial_gradient)
    if found <= cost and largest(work, at.trial_gradient, at.size) < math.inf:
        steps.accept(work, at)
        return found
    return evaluate(work, at, weight, at.theta, at.gradient)


@part
def largest_slope(work: Any, at: Places, n_features: int, fit_intercept: bool) -> float:
    """Largest component of the gradient in the units of X."""
    one, found = at.one, 0.0
    slopes = one.size - 1 if fit_intercept else one.size
    to_classes(work, at, at.gradient, at.slopes)
    for k in range(at.n_classes):
        place = at.slopes + k * one.width
        level = work[place + slopes] if fit_intercept else 0.0
        found = larger(found, abs(level))
        for j in range(n_features):
            work[one.half + j] = level * work[one.center + j]
        for m in range(slopes):
            j = layout.column_of(work, one, m)
            work[one.half + j] += work[place + m] / work[one.scale + j]
        found = larger(found, largest(work, one.half, n_features))
    return found


@part
def coefficients(
    work: Any, at: Places, fit_intercept: bool, coef_out: Any, intercept_out: Any
) -> bool:
    """Put coefficients and intercepts in the units of X; say whether all are finite."""
    one, n_features = at.one, coef_out.shape[0]
    slopes = one.size - 1 if fit_intercept else one.size
    to_classes(work, at, at.theta, at.classes)
    finite = True
    for k in range(at.n_classes):
        place = at.classes + k * one.width
        for j in range(n_features):
            coef_out[j, k] = 0.0
        for m in range(slopes):
            j = layout.column_of(work, one, m)
            coef_out[j, k] = work[place + m] * work[one.scale + j]
            finite = finite and abs(coef_out[j, k]) < math.inf
        intercept_out[k] = level_in_units(work, at, place, n_features) if fit_intercept else 0.0
        finite = finite and abs(intercept_out[k]) < math.inf
    return finite


@part
def unfinished(status: int, coef_out: Any, intercept_out: Any) -> SoftmaxFit:
    for j in range(coef_out.shape[0]):
        for k in range(coef_out.shape[1]):
            coef_out[j, k] = math.nan
    for k in range(intercept_out.shape[0]):
        intercept_out[k] = math.nan
    return SoftmaxFit(status, 0, math.nan, math.inf, math.nan, 0, 0)


class Begun(NamedTuple):
    """A fit at its start: status, places, weight of all rows, largest offset, and cost there."""

    status: int
    at: Places
    weight: float
    reach: float
    cost: float


@part
def match(
    X: Any, y: Any, sample_weight: Any, offset: Any, l2_reg: Any, start: Any, coef_out: Any,
    intercept_out: Any,
) -> bool:  # fmt: skip
    """Say whether the arrays are of shapes that go together."""
    n_features, n_classes = coef_out.shape
    return (
        X.shape[1] == n_features
        and n_classes >= 2
        and y.shape[0] == X.shape[0]
        and intake.is_length(sample_weight, X.shape[0])
        and intake.is_length(offset, X.shape[0])
        and (offset.shape[0] == 0 or offset.shape[1] == n_classes)
        and l2_reg.shape[0] == n_features
        and intake.is_length(start, n_features + 1)
        and (start.shape[0] == 0 or start.shape[1] == n_classes)
        and intercept_out.shape[0] == n_classes
    )


@part
def prepare(
    X: Any, y: Any, sample_weight: Any, offset: Any, l2_reg: Any, fit_intercept: bool, start: Any,
    work: Any, coef_out: Any, intercept_out: Any,
) -> Begun:  # fmt: skip
    """Look at what is given, copy and standardise the rows, and evaluate the start."""
    keep_apart()
    n_features, n_classes = coef_out.shape
    nowhere = lay_out(layout.lay_out(work, 0, 0, 0), 0, 0)
    if not match(X, y, sample_weight, offset, l2_reg, start, coef_out, intercept_out):
        return Begun(BAD_SHAPE, nowhere, 0.0, 0.0, 0.0)
    status, n_rows, unit = intake.look_at_weights(sample_weight, X.shape[0])
    if status == CONVERGED:
        status = look_at_classes(y, n_classes, sample_weight, intercept_out)
    if status != CONVERGED:
        return Begun(status, nowhere, 0.0, 0.0, 0.0)
    one = layout.lay_out(work, n_rows, n_features, 0)
    bad = intake.copy_rows(X, y, -1, sample_weight, unit, l2_reg[:0], 0.0, work, one)
    weight = intake.total_weight(work, one, sample_weight.shape[0] > 0)
    status, size = intake.standardize(work, one, weight, l2_reg, fit_intercept)
    if bad != 0.0:
        status = NOT_FINITE
    if status != CONVERGED:
        return Begun(status, nowhere, 0.0, 0.0, 0.0)
    one = layout.lay_out(work, n_rows, n_features, size)
    at = lay_out(one, n_features, n_classes)
    make_basis(work, at)
    bad = copy_classes(X, y, n_classes, sample_weight, offset, work, at)
    reach = largest(work, at.offset, n_classes * one.height)
    cost = begin(work, at, weight, start, fit_intercept)
    finite = abs(cost) < math.inf and largest(work, at.gradient, at.size) < math.inf
    status = CONVERGED if bad == 0.0 and finite else NOT_FINITE
    return Begun(status, at, weight, reach, cost)


@part
def conclude(
    end: iteration.End,
    work: Any,
    at: Places,
    fit_intercept: bool,
    coef_out: Any,
    intercept_out: Any,
) -> SoftmaxFit:
    """Put what was found in the units of X, and say how it ended."""
    if not coefficients(work, at, fit_intercept, coef_out, intercept_out):
        return unfinished(EXTREME, coef_out, intercept_out)
    norm = largest_slope(work, at, coef_out.shape[0], fit_intercept)
    evaluations, grams = int(work[at.one.counts]), int(work[at.one.counts + 1])
    return SoftmaxFit(end.status, end.n_iter, end.cost, end.bound, norm, evaluations, grams)


def _fit_small_softmax(
    X: Any, y: Any, sample_weight: Any, offset: Any, l2_reg: Any, fit_intercept: bool, start: Any,
    tol: float, max_iter: int, work: Any, history_out: Any, coef_out: Any, intercept_out: Any,
) -> SoftmaxFit:  # fmt: skip
    """Fit one small softmax model by Newton's method: one call, which allocates nothing.

    Minimises ``sum(w (log(sum_k e^z_k) - z_y)) / sum(w) + sum(l2_reg coef^2) / 2`` with ``z = X @
    coef + intercept + offset``, a column for each class. Copies X into `work`, and hears Ctrl-C
    only when it returns: for some 100,000 numbers of X, and 100 parameters of all classes.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Of any layout and number type.
    y : ndarray of shape (n_samples,)
        Codes of the classes, 0 to n_classes - 1: whole numbers, or numbers.
    sample_weight : ndarray of float64, shape (n_samples,) or (0,)
        Weights >= 0 of the rows; none if empty.
    offset : ndarray of float64, shape (n_samples, n_classes) or (0, 0)
        What is added to the raw predictions; none if empty.
    l2_reg : ndarray of float64, shape (n_features,)
        Strength of the penalty on each column, on the scale of the mean loss.
    fit_intercept : bool
    start : ndarray of float64, shape (n_features + 1, n_classes) or (0, 0)
        Coefficients, and intercepts in the last row, to begin with, where they cost less than no
        slopes at all.
    tol : float
        Bound wanted on (cost - optimum) / optimum.
    max_iter : int
    work : ndarray of float64
        Of ``small_softmax_work_size(n_samples, n_features, n_classes)`` numbers or more. All of it
        is overwritten.
    history_out : ndarray of float64, shape (max_iter + 1,)
        Gets the costs; fewer numbers end the fit sooner.
    coef_out : ndarray of float64, shape (n_features, n_classes)
        Gets the coefficients, in the units of X, which sum to zero over the classes; NaN where the
        status is EXTREME or later. Its shape says how many classes there are.
    intercept_out : ndarray of float64, shape (n_classes,)
        Gets the intercepts, 0 where they are not fitted.

    Returns
    -------
    SoftmaxFit
        Status, iterations, cost, proven bound, size of the gradient.

    Notes
    -----
    Statuses are those of `fit_small`. ONE_CLASS: a class has no row with weight. BAD_SHAPE: arrays
    do not match, there are fewer than two classes, or a label is no code of a class.
    """
    room = work_size(X.shape[0], coef_out.shape[0], coef_out.shape[1])
    if work.shape[0] < room or history_out.shape[0] == 0:
        return unfinished(TOO_LARGE, coef_out, intercept_out)
    begun = prepare(
        X, y, sample_weight, offset, l2_reg, fit_intercept, start, work, coef_out, intercept_out
    )
    if begun.status != CONVERGED:
        return unfinished(begun.status, coef_out, intercept_out)
    at, most = begun.at, smaller(max_iter, history_out.shape[0] - 1)
    end = iterate(
        work, at, begun.weight, begun.reach, fit_intercept, begun.cost, tol, most, history_out
    )
    return conclude(end, work, at, fit_intercept, coef_out, intercept_out)


fit_small_softmax = entry(_fit_small_softmax, name="whole")
