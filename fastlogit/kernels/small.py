"""Newton's method for one small binomial model: the whole fit is one compiled, serial call.

Calls into Python and NumPy take a few hundred microseconds a fit, whatever the size of X; here
nothing but arithmetic is left. Everything lies in one flat array that the caller hands in, so that
nothing is allocated and any number of fits can run beside each other, in users' own parallel loops
too. Rows are copied once, standardised, column after column: then every loop runs over whole
vectors of eight rows, whatever the number of columns.

It is `solvers.newton`, `solvers.iteration`, `solvers.majorization` and `certificates.binomial` for
one model, with the same formulas, tolerances and rounding errors. What it does not do (directions
that a Hessian does not resolve, sizes near the ends of float64, linear programmes) ends with a
status that asks for the general way. Columns are scaled by powers of two, so that scaling rounds
nothing.

Functions marked by `keep_apart` are never inlined: they are called from several places, and each
copy takes a tenth of a second to compile.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from .elementwise import exp_nonpositive, log1p_unit
from .inlining import keep_apart
from .policy import entry, part
from .simd import (
    LANES,
    add,
    add_totals,
    aligned,
    broadcast,
    load,
    multiply_add,
    splat,
    store,
    subtract,
    total,
)

__all__ = [
    "BAD_SHAPE",
    "CONVERGED",
    "EXTREME",
    "MAX_ITER",
    "NOT_FINITE",
    "NO_ROWS",
    "ONE_CLASS",
    "ROUNDING",
    "SEPARABLE",
    "SINGULAR",
    "TOO_LARGE",
    "SmallFit",
    "fit_small",
    "small_work_size",
    "stated_bound",
]

# How a fit ended.
# The bound is at most `tol`.
CONVERGED = 0
# After `max_iter` iterations.
MAX_ITER = 1
# Rounding errors allow no further progress; the bound says what is proven all the same.
ROUNDING = 2
# A direction separates the classes, checked against every row: there is no optimum.
SEPARABLE = 3
# The Hessian leaves a direction unresolved (collinear columns, or rows without curvature).
SINGULAR = 4
# Columns, weights or strengths of odd size, or columns nearly constant: take the general way.
EXTREME = 5
# X, weights, offset, strengths or the cost at the start are not finite.
NOT_FINITE = 6
# All rows that have weight are of one class.
ONE_CLASS = 7
# No row has weight, or there is nothing to fit.
NO_ROWS = 8
# `work` is too short for the shape of X, or `history_out` is empty.
TOO_LARGE = 9
# Arrays do not match.
BAD_SHAPE = 10

# As in solvers.iteration.
DECREASE = 1e-4
LEVEL = 1e-13
MAX_TRIALS = 30
PATIENCE = 6
NEAR = 1e-13
LOOSE = 1e3
USELESS = 1e-4
ABSURD = 1e4
SHORT = 0.01
STRAIGHT = 0.99
STRAIGHT_LEVEL = 1e-11
# As in solvers.majorization.
DOUBLINGS = 30
WORTH = 0.1
COST_EPSILON = 8.0 * 2.0**-52
# As in certificates.binomial and linalg.resolved.
EPS = 2.0**-52
RAW_ERRORS = 4.0
SUM_ERRORS, WALK, CHUNKS = 8.0, 2.0, 64.0
RAISED = 4.0
DEPENDENT = 1e-11
SERIES = 0.02
# As in solvers.stopping.
ROUNDED = 2.0**-53
FINEST = 2.0**-50
# As in certificates.separation.
LARGE = 8.0
LOOK_FROM, LOOK_EACH = 8, 4
SLACK = 1e-7
LEAST_MARGIN = 1e-3
# Columns whose spread is below this share of their mean, or beyond these sizes, and weights this
# much below the largest take the general way.
FINE = 1e-10
SMALLEST, LARGEST = 1e-140, 1e140
LEAST_WEIGHT = 1e-250
# Clears the last 27 bits of a float64.
UPPER_BITS = np.int64(-(2**27))
# Rows of which the Hessian is summed at a time: a pair of scaled columns stays in L1.
BLOCK = 512


# ------------------------------------------------------------------------------------------------
# Where things lie


class SmallFit(NamedTuple):
    """How the fit of one small model ended.

    Attributes
    ----------
    status : int
        CONVERGED or another of the constants above.
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
    intercept : float
        The fitted intercept, or the fixed one.
    n_evaluations, n_hessians : int
        How often cost and gradient, and how often a Hessian, were summed over the rows.
    """

    status: int
    n_iter: int
    cost: float
    bound: float
    gradient_norm: float
    intercept: float
    n_evaluations: int
    n_hessians: int


class Places(NamedTuple):
    """Where the parts of a fit lie in its work array.

    `n_rows` rows of positive weight are kept in columns of `height` numbers, of which there are
    `size`; the last is 1 where the intercept is fitted. Vectors of parameters have `width` numbers,
    whole vectors, and rows of matrices too; what lies beyond `size` is 0.
    """

    n_rows: int
    height: int
    size: int
    width: int
    columns: int
    offset: int
    weight: int
    target: int
    raw: int
    tail: int
    residual: int
    curvature: int
    scaled: int
    matrix: int
    factor: int
    l2: int
    theta: int
    gradient: int
    trial: int
    trial_gradient: int
    direction: int
    half: int
    last: int
    center: int
    scale: int
    column: int
    counts: int


@part
def column_height(n_rows: int) -> int:
    """Rows of a column: whole vectors, of an odd number, so that columns do not share L1's sets."""
    vectors = (n_rows + LANES - 1) // LANES
    return (vectors + 1 - vectors % 2) * LANES


@part
def vector_width(n_features: int) -> int:
    """Numbers of a vector of parameters: whole vectors, with room for the intercept."""
    return (n_features + 1 + LANES - 1) // LANES * LANES


# Columns of `height` numbers besides those of X, and vectors of parameters.
ROW_PARTS, VECTOR_PARTS = 9, 12


@part
def own_size(n_samples: int, n_features: int) -> int:
    height, width = column_height(n_samples), vector_width(n_features)
    return height * (n_features + 1 + ROW_PARTS) + width * (2 * width + VECTOR_PARTS)


@part
def work_size(n_samples: int, n_features: int) -> int:
    # The first of them may have to stand aside.
    return own_size(n_samples, n_features) + LANES - 1


def _small_work_size(n_samples: int, n_features: int) -> int:
    """Return how many float64 the work array of a fit needs.

    Parameters
    ----------
    n_samples, n_features : int
        Shape of X; more rows or columns need more.
    """
    return work_size(n_samples, n_features)


small_work_size = entry(_small_work_size)


@part
def lay_out(work: Any, n_rows: int, n_features: int, size: int) -> Places:
    height, width = column_height(n_rows), vector_width(n_features)
    # Vectors that cross cache lines cost a fit of 275 x 8 12 % of its time.
    columns = aligned(work)
    rows = columns + height * (n_features + 1)
    matrix = rows + ROW_PARTS * height
    vectors = matrix + 2 * width * width
    return Places(
        n_rows, height, size, width, columns,
        rows, rows + height, rows + 2 * height, rows + 3 * height, rows + 4 * height,
        rows + 5 * height, rows + 6 * height, rows + 7 * height,
        matrix, matrix + width * width,
        vectors, vectors + width, vectors + 2 * width, vectors + 3 * width, vectors + 4 * width,
        vectors + 5 * width, vectors + 6 * width, vectors + 7 * width, vectors + 8 * width,
        vectors + 9 * width, vectors + 10 * width, vectors + 11 * width,
    )  # fmt: skip


# ------------------------------------------------------------------------------------------------
# Vectors of parameters


@part
def smaller(a: Any, b: Any) -> Any:
    # Built-in min and max take a tenth of a second to compile for each type.
    return a if a < b else b


@part
def larger(a: Any, b: Any) -> Any:
    return a if a > b else b


@part
def dot(work: Any, a: int, b: int, count: int) -> float:
    """Product of two vectors of `count` numbers, whole vectors."""
    partial = splat(0.0)
    for k in range(0, count, LANES):
        partial = multiply_add(load(work, a + k), load(work, b + k), partial)
    return total(partial)


@part
def largest(work: Any, a: int, size: int) -> float:
    """Largest absolute value; NaN where there is one."""
    found = 0.0
    for k in range(size):
        value = abs(work[a + k])
        if not value <= found:
            found = value
    return found


@part
def absolute_sum(work: Any, a: int, size: int) -> float:
    found = 0.0
    for k in range(size):
        found += abs(work[a + k])
    return found


@part
def step_to(work: Any, start: int, step: float, direction: int, to: int, count: int) -> None:
    """Put ``start + step * direction`` into `count` numbers, whole vectors, from `to` on."""
    factor = splat(step)
    for k in range(0, count, LANES):
        moved = multiply_add(load(work, direction + k), factor, load(work, start + k))
        store(work, to + k, moved)


@part
def clear(work: Any, begin: int, end: int) -> None:
    for k in range(begin, end):
        work[k] = 0.0


@part
def upper_half(value: float) -> float:
    """A number of 26 bits that leaves 27 of `value`."""
    return np.int64(np.float64(value).view(np.int64) & UPPER_BITS).view(np.float64)


@part
def level_less_products(
    level: float, sign: float, work: Any, slopes: int, center: int, count: int
) -> float:
    """``level - sign * (slopes @ center)``, rounded about once: with the errors of all sums."""
    keep_apart()
    high, low = level, 0.0
    for k in range(count):
        slope, middle = -sign * work[slopes + k], work[center + k]
        for part_of_product in range(4):
            # Products of halves are exact, so that it does not matter if LLVM merges them into
            # the sums, as it does also where it may not.
            a, b = upper_half(slope), upper_half(middle)
            a = a if part_of_product < 2 else slope - a
            b = b if part_of_product % 2 == 0 else middle - b
            product = a * b
            both = high + product
            back = both - high
            low += (high - (both - back)) + (product - back)
            high = both
    # Where a product overflows its error is no number.
    return high + low if low == low else high


# ------------------------------------------------------------------------------------------------
# Sums over the rows


@part
def predict_rows(work: Any, at: Places, theta: int, keep: float) -> None:
    """Put raw predictions, with `keep` times the offset, into `raw`."""
    keep_apart()
    factor, last = splat(keep), at.size - at.size % 2
    for row in range(0, at.height, LANES):
        z = multiply_add(load(work, at.offset + row), factor, splat(0.0))
        store(work, at.raw + row, z)
    # Two columns at a time: raw predictions are read and written half as often.
    for k in range(0, last, 2):
        first, second = splat(work[theta + k]), splat(work[theta + k + 1])
        left = at.columns + k * at.height
        right = left + at.height
        for row in range(0, at.height, LANES):
            z = multiply_add(load(work, left + row), first, load(work, at.raw + row))
            store(work, at.raw + row, multiply_add(load(work, right + row), second, z))
    if last < at.size:
        column = at.columns + last * at.height
        step_to(work, at.raw, work[theta + last], column, at.raw, at.height)


@part
def row_losses(work: Any, at: Places) -> None:
    """From `raw`: weighted residuals and curvatures, losses in `scaled`, e^-|z| in `tail`."""
    # Numbers without sign need no check for an index from the end, which would end vectorisation.
    raw, tails, weight, target = (
        np.uint64(at.raw), np.uint64(at.tail), np.uint64(at.weight), np.uint64(at.target),
    )  # fmt: skip
    residual, curvature, loss = (
        np.uint64(at.residual), np.uint64(at.curvature), np.uint64(at.scaled),
    )  # fmt: skip
    for row in range(np.uint64(at.height)):
        work[tails + row] = exp_nonpositive(-abs(work[raw + row]))
    for row in range(np.uint64(at.height)):
        z, tail, w = work[raw + row], work[tails + row], work[weight + row]
        positive = work[target + row] > 0.5
        wrong = positive != (z >= 0.0)
        inverse = 1.0 / (1.0 + tail)
        share = (1.0 if wrong else tail) / (1.0 + tail)
        work[residual + row] = w * (-share if positive else share)
        # proba (1 - proba), without a difference that could cancel.
        work[curvature + row] = w * (tail * inverse * inverse)
        work[loss + row] = log1p_unit(tail) + (abs(z) if wrong else 0.0)


@part
def sum_gradient(work: Any, at: Places, weight: float, theta: int, gradient: int) -> None:
    """Put residuals times columns over the total `weight`, and the penalty's part, there."""
    for k in range(at.size):
        slope = dot(work, at.residual, at.columns + k * at.height, at.height) / weight
        work[gradient + k] = slope + work[at.l2 + k] * work[theta + k]
    clear(work, gradient + at.size, gradient + at.width)


@part
def evaluate(work: Any, at: Places, weight: float, theta: int, gradient: int) -> float:
    """Cost at theta; sets gradient, raw predictions, residuals and curvatures."""
    keep_apart()
    work[at.counts] += 1.0
    predict_rows(work, at, theta, 1.0)
    row_losses(work, at)
    sum_gradient(work, at, weight, theta, gradient)
    cost = dot(work, at.weight, at.scaled, at.height) / weight
    for column in range(at.size):
        value = work[theta + column]
        cost += 0.5 * work[at.l2 + column] * value * value
    return cost


@part
def sum_products(work: Any, at: Places, curvature: int) -> None:
    """Put X' diag(c) X of these row curvatures c into the upper triangle of `matrix`."""
    keep_apart()
    zero, last = splat(0.0), at.size - 1
    # Where there is an odd number of columns, a row more is added to, and never read: without it
    # plain Python would warn of what happens to be there.
    clear(work, at.matrix, at.matrix + smaller(at.size + 1, at.width) * at.width)
    block = smaller(BLOCK, at.height)
    for begin in range(0, at.height, block):
        end = smaller(begin + block, at.height)
        for i in range(0, at.size, 2):
            z0, z1 = at.columns + i * at.height, at.columns + smaller(i + 1, last) * at.height
            for row in range(begin, end, LANES):
                c, to = load(work, curvature + row), at.scaled + row - begin
                store(work, to, multiply_add(load(work, z0 + row), c, zero))
                store(work, to + block, multiply_add(load(work, z1 + row), c, zero))
            for j in range(0, i + 2, 2):
                y0, y1 = at.columns + j * at.height, at.columns + smaller(j + 1, last) * at.height
                a0, a1, a2, a3 = zero, zero, zero, zero
                for row in range(begin, end, LANES):
                    left, right = load(work, y0 + row), load(work, y1 + row)
                    place = at.scaled + row - begin
                    first, second = load(work, place), load(work, place + block)
                    a0 = multiply_add(left, first, a0)
                    a1 = multiply_add(left, second, a1)
                    a2 = multiply_add(right, first, a2)
                    a3 = multiply_add(right, second, a3)
                # `width` is even, so that all four lie in the matrix. Sums of a last column that is
                # its own neighbour land where nobody reads them, and so do those below the
                # diagonal.
                add_totals(work, at.matrix + j * at.width + i, at.width, a0, a1, a2, a3)


@part
def sum_hessian(work: Any, at: Places, weight: float, curvature: int) -> None:
    """Put the Hessian of these row curvatures into the upper triangle of `matrix`."""
    keep_apart()
    work[at.counts + 1] += 1.0
    sum_products(work, at, curvature)
    for k in range(at.size):
        for m in range(k, at.size):
            work[at.matrix + k * at.width + m] /= weight
        clear(work, at.matrix + k * at.width + at.size, at.matrix + (k + 1) * at.width)
        work[at.matrix + k * (at.width + 1)] += work[at.l2 + k]


# ------------------------------------------------------------------------------------------------
# Solves


@part
def factor_matrix(work: Any, at: Places) -> bool:
    """Put U with U' U = `matrix` into `factor`; False where a pivot is nothing but rounding."""
    keep_apart()
    width = at.width
    step_to(work, at.matrix, 0.0, at.matrix, at.factor, at.size * width)
    for k in range(at.size):
        own, row = work[at.matrix + k * (width + 1)], at.factor + k * width
        rest = work[row + k]
        # Written so that a NaN counts as dependent.
        if not (own > 0.0 and DEPENDENT * own < rest < math.inf):
            return False
        root = math.sqrt(rest)
        clear(work, row, row + k)
        work[row + k] = root
        for j in range(k + 1, at.size):
            work[row + j] /= root
        for i in range(k + 1, at.size):
            first, below = i - i % LANES, at.factor + i * width
            step_to(work, below + first, -work[row + i], row + first, below + first, width - first)
    return True


@part
def solve_half(work: Any, at: Places, vector: int, begin: int) -> None:
    """Replace a vector, 0 before `begin`, by U'^-1 of it: its squares add up to v' M^-1 v."""
    keep_apart()
    for k in range(begin, at.size):
        row, first = at.factor + k * at.width, k - k % LANES
        value = work[vector + k] / work[row + k]
        # What lies before is 0 in the row.
        step_to(work, vector + first, -value, row + first, vector + first, at.width - first)
        work[vector + k] = value


@part
def solve_rest(work: Any, at: Places, vector: int) -> None:
    """Replace a vector by U^-1 of it."""
    for k in range(at.size - 1, -1, -1):
        row, value = at.factor + k * at.width, work[vector + k]
        work[vector + k] = 0.0
        first = k - k % LANES
        known = dot(work, row + first, vector + first, at.width - first)
        work[vector + k] = (value - known) / work[row + k]


@part
def solve_slopes(work: Any, at: Places) -> bool:
    """Put -M^-1 v of the v in `half` into `direction`, its first half into `half`.

    False where M is singular.
    """
    if not factor_matrix(work, at):
        return False
    solve_half(work, at, at.half, 0)
    step_to(work, at.half, -2.0, at.half, at.direction, at.width)
    solve_rest(work, at, at.direction)
    return True


@part
def newton_direction(work: Any, at: Places) -> bool:
    """Put -M^-1 g into `direction` and its first half into `half`; False where M is singular."""
    step_to(work, at.gradient, 0.0, at.gradient, at.half, at.width)
    return solve_slopes(work, at)


# ------------------------------------------------------------------------------------------------
# The proof: see certificates.binomial


class Proof(NamedTuple):
    """What is known at a point: `gain` bounds cost less optimum, `noise` is that of its decrement.

    `is_sure`: a step -M^-1 g lowers the cost.
    """

    gain: float
    noise: float
    is_sure: bool


@part
def gain_bound(decrement: float, radius: float) -> float:
    tau = decrement * radius
    if not tau < 1.0:
        return math.inf
    if tau < SERIES:
        share = 0.5 + tau * (1.0 / 6.0 + tau * (1.0 / 12.0 + tau * (0.05 + tau / 30.0)))
        share *= 1.0 + 1e-8
    else:
        share = (tau + (1.0 - tau) * math.log1p(-tau)) / (tau * tau)
    return decrement * decrement * share


@part
def least_curvature(work: Any, at: Places) -> tuple[float, bool]:
    """Least positive curvature of a row (infinite where there is none), and whether all are."""
    least, all_positive = math.inf, True
    for row in range(at.n_rows):
        value = work[at.curvature + row]
        if value > 0.0:
            least = smaller(least, value)
        else:
            all_positive = False
    return least, all_positive


@part
def solve_half_of_eight(work: Any, at: Places, begin: int, whole: bool) -> None:
    """Put -U'^-1 x, or -x, of eight rows x into `matrix`, parameter by parameter.

    Operation by operation what `solve_half` does for one row, so that it has the same bits.
    """
    zero = splat(0.0)
    for j in range(at.size):
        to = at.matrix + j * LANES
        value = load(work, at.columns + j * at.height + begin)
        if whole:
            for k in range(j):
                slope = broadcast(work, at.factor + k * at.width + j)
                value = multiply_add(slope, load(work, at.matrix + k * LANES), value)
        store(work, to, subtract(zero, value))
        if whole:
            pivot, place = work[at.factor + j * (at.width + 1)], np.uint64(to)
            for lane in range(np.uint64(LANES)):
                work[place + lane] /= pivot
    clear(work, at.matrix + at.size * LANES, at.matrix + at.width * LANES)


@part
def largest_form(work: Any, at: Places, whole: bool) -> float:
    """Largest x' M^-1 x of all rows x; without `whole` the largest x' x. Overwrites `matrix`."""
    keep_apart()
    found, zero = 0.0, splat(0.0)
    for begin in range(0, at.n_rows, LANES):
        solve_half_of_eight(work, at, begin, whole)
        # The squares are added up in the order of `dot`.
        for lane in range(LANES):
            square = zero
            for k in range(at.matrix + lane * LANES, at.matrix + at.width * LANES, LANES * LANES):
                square = multiply_add(load(work, k), load(work, k), square)
            store(work, at.matrix + lane * LANES, square)
        half, place = LANES // 2, at.matrix
        while half > 0:
            for k in range(place, place + half * LANES, LANES):
                store(work, k, add(load(work, k), load(work, k + half * LANES)))
            half //= 2
        for row in range(smaller(LANES, at.n_rows - begin)):
            found = larger(found, work[at.matrix + row])
    return found


@part
def traces(work: Any, at: Places) -> tuple[float, float]:
    """Traces of M^-1, and of it times the diagonal of M. Overwrites `trial`."""
    inverse_trace, scaled_trace = 0.0, 0.0
    for k in range(at.size):
        clear(work, at.trial, at.trial + at.width)
        work[at.trial + k] = 1.0
        solve_half(work, at, at.trial, k)
        square = dot(work, at.trial, at.trial, at.width)
        inverse_trace += square
        scaled_trace += square * work[at.matrix + k * (at.width + 1)]
    return inverse_trace, scaled_trace


@part
def errors_of_sums(at: Places) -> float:
    return EPS * (SUM_ERRORS + WALK * math.sqrt(at.n_rows / CHUNKS))


@part
def errors_of_rows(work: Any, at: Places, cost: float, offset: float) -> float:
    """What errors of raw predictions may add to the decrement; `offset` is the largest one."""
    reach = absolute_sum(work, at.theta, at.size) + offset
    raw = EPS * (RAW_ERRORS + math.sqrt(float(at.size)))
    return raw * reach * smaller(0.5, math.sqrt(cost))


@part
def prove(work: Any, at: Places, weight: float, cost: float, offset: float, wanted: float) -> Proof:
    """Bound what the cost at theta lacks, by the factor of the Hessian there.

    `offset` is the largest one. Overwrites `trial`.
    """
    keep_apart()
    inverse_trace, scaled_trace = traces(work, at)
    errors = errors_of_sums(at)
    noise = errors * smaller(1.0, math.sqrt(cost)) * math.sqrt(RAISED * inverse_trace)
    noise += errors_of_rows(work, at, cost, offset)
    error = errors * RAISED * scaled_trace
    if not error < 0.5:
        return Proof(math.inf, noise, False)
    swell = math.sqrt(1.0 / (1.0 - error))
    decrement = math.sqrt(dot(work, at.half, at.half, at.width))
    delta = (decrement + noise) * swell
    least, all_positive = least_curvature(work, at)
    # x_i' M^-1 x_i is at most 1 over the share that the row's own term has in M.
    first = math.sqrt(weight / least)
    radius = first
    gain = gain_bound(delta, radius * swell)
    sure = all_positive and decrement * first < 1.0
    if gain > wanted and 0.5 * delta * delta <= 0.8 * wanted:
        radius = smaller(radius, math.sqrt(largest_form(work, at, False) * inverse_trace))
        gain = gain_bound(delta, radius * swell)
    near = gain > wanted and 0.5 * delta * delta <= 0.8 * wanted
    if near or gain == math.inf or not sure:
        exact = math.sqrt(largest_form(work, at, True))
        gain = gain_bound(delta, smaller(radius, exact) * swell)
        sure = sure or decrement * exact < 1.0
    return Proof(gain, noise, sure)


@part
def relative(gain: float, cost: float) -> float:
    lowest = cost - gain
    return gain / lowest if lowest > 0.0 else math.inf


@part
def stated(bound: float) -> float:
    gain = bound / (1.0 + bound) + ROUNDED
    return gain / (1.0 - gain) if 0.0 <= gain < 1.0 else math.inf


def _stated_bound(bound: float) -> float:
    """Return the bound of a cost as a float64 number, from that of the exact cost.

    Parameters
    ----------
    bound : float
        Of a `SmallFit`.

    Returns
    -------
    float
    """
    return stated(bound)


stated_bound = entry(_stated_bound)


# ------------------------------------------------------------------------------------------------
# Rows in


@part
def look_at_weights(sample_weight: Any, n_samples: int) -> tuple[int, int, float]:
    """Status, rows of positive weight, and the power of two that the largest weight is below."""
    if sample_weight.shape[0] == 0:
        return (CONVERGED if n_samples > 0 else NO_ROWS), n_samples, 1.0
    most, least, n_used = 0.0, math.inf, 0
    for i in range(n_samples):
        w = sample_weight[i]
        if not 0.0 <= w < math.inf:
            return NOT_FINITE, 0, 1.0
        if w > 0.0:
            most, least = larger(most, w), smaller(least, w)
            n_used += 1
    if n_used == 0:
        return NO_ROWS, 0, 1.0
    if least < LEAST_WEIGHT * most or not 1e-280 < most < 1e280:
        return EXTREME, n_used, 1.0
    _, power = math.frexp(most)
    return CONVERGED, n_used, math.ldexp(1.0, -power)


@part
def weigh_rows(y: Any, positive: int, sample_weight: Any) -> tuple[int, int, float]:
    """`look_at_weights`, and whether rows of both classes have weight."""
    status, n_used, unit = look_at_weights(sample_weight, y.shape[0])
    if status != CONVERGED and status != EXTREME:
        return status, n_used, unit
    n_positive, has_weights = 0, sample_weight.shape[0] > 0
    for i in range(y.shape[0]):
        if not has_weights or sample_weight[i] > 0.0:
            n_positive += 1 if y[i] == positive else 0
    if n_positive == 0 or n_positive == n_used:
        status = ONE_CLASS
    return status, n_used, unit


@part
def total_weight(work: Any, at: Places, has_weights: bool) -> float:
    """Sum of the weights, one after the other; without a loop where all are 1."""
    if not has_weights:
        return float(at.n_rows)
    weight = 0.0
    for row in range(at.n_rows):
        weight += work[at.weight + row]
    return weight


@part
def copy_rows(
    X: Any, y: Any, positive: int, sample_weight: Any, unit: float, offset: Any, fixed: float,
    work: Any, at: Places,
) -> float:  # fmt: skip
    """Copy the rows of positive weight to columns; NaN if any number is not finite, else 0."""
    n_samples, n_features = np.uint64(X.shape[0]), np.uint64(X.shape[1])
    height, row = np.uint64(at.height), np.uint64(0)
    has_weights, has_offset = sample_weight.shape[0] > 0, offset.shape[0] > 0
    bad = 0.0
    for i in range(n_samples):
        w = sample_weight[i] * unit if has_weights else 1.0
        o = offset[i] if has_offset else 0.0
        bad += 0.0 * o
        if w == 0.0:
            for j in range(n_features):
                bad += 0.0 * X[i, j]
            continue
        place = np.uint64(at.columns) + row
        for j in range(n_features):
            work[place] = X[i, j]
            place += height
        work[np.uint64(at.weight) + row] = w
        work[np.uint64(at.offset) + row] = o + fixed
        work[np.uint64(at.target) + row] = 1.0 if y[i] == positive else 0.0
        row += np.uint64(1)
    clear(work, at.weight + at.n_rows, at.weight + at.height)
    clear(work, at.offset + at.n_rows, at.offset + at.height)
    clear(work, at.target + at.n_rows, at.target + at.height)
    for j in range(X.shape[1]):
        end = at.columns + (j + 1) * at.height
        clear(work, end - at.height + at.n_rows, end)
    return bad


@part
def look_closely(work: Any, at: Places, column: int, fit_intercept: bool) -> tuple[int, float]:
    """Status of a column of odd size or hardly any spread, and its value where that is constant.

    CONVERGED stands for a column that does not vary.
    """
    low, high = math.inf, -math.inf
    for place in range(column, column + at.n_rows):
        value = work[place]
        if not abs(value) < math.inf:
            return NOT_FINITE, 0.0
        low, high = smaller(low, value), larger(high, value)
    if low == high and (fit_intercept or low == 0.0):
        return CONVERGED, low
    return EXTREME, 0.0


@part
def scale_column(
    work: Any, at: Places, source: int, to: int, weight: float, l2: float, fit_intercept: bool
) -> tuple[int, float, float]:
    """Centre and scale one column; returns status, centre and scale.

    The scale is 0 where the column does not vary.
    """
    keep_apart()
    partial = splat(0.0)
    if fit_intercept:
        for row in range(0, at.height, LANES):
            partial = multiply_add(load(work, at.weight + row), load(work, source + row), partial)
    center = total(partial) / weight
    middle, partial = splat(center), splat(0.0)
    for row in range(0, at.height, LANES):
        centred = subtract(load(work, source + row), middle)
        weighed = multiply_add(load(work, at.weight + row), centred, splat(0.0))
        partial = multiply_add(weighed, centred, partial)
    spread = math.sqrt(total(partial) / weight)
    if not (spread > FINE * abs(center) and SMALLEST < spread < LARGEST):
        status, value = look_closely(work, at, source, fit_intercept)
        return status, value, 0.0
    size = math.sqrt(spread * spread + 4.0 * l2)
    if not size < LARGEST:
        return EXTREME, center, 0.0
    _, power = math.frexp(size)
    scale = math.ldexp(1.0, -power)
    factor = splat(scale)
    for row in range(0, at.height, LANES):
        centred = subtract(load(work, source + row), middle)
        store(work, to + row, multiply_add(centred, factor, splat(0.0)))
    clear(work, to + at.n_rows, to + at.height)
    return CONVERGED, center, scale


@part
def standardize(
    work: Any, at: Places, weight: float, l2_reg: Any, fit_intercept: bool
) -> tuple[int, int]:
    """Centre and scale the columns in place, those that do not vary left out; status and size.

    Sets center and scale of all columns, and l2 and column of those that are left.
    """
    size, n_features = 0, l2_reg.shape[0]
    clear(work, at.l2, at.counts + at.width)
    for j in range(n_features):
        l2 = l2_reg[j]
        if not 0.0 <= l2 < math.inf:
            return NOT_FINITE, size
        source, to = at.columns + j * at.height, at.columns + size * at.height
        status, center, scale = scale_column(work, at, source, to, weight, l2, fit_intercept)
        if status != CONVERGED:
            return status, size
        work[at.center + j], work[at.scale + j] = center, scale
        if scale > 0.0:
            work[at.l2 + size] = l2 * scale * scale
            work[at.column + size] = float(j)
            size += 1
    if fit_intercept:
        ones = at.columns + size * at.height
        for row in range(at.height):
            work[ones + row] = 1.0 if row < at.n_rows else 0.0
        size += 1
    return (CONVERGED if size > 0 else NO_ROWS), size


# ------------------------------------------------------------------------------------------------
# The iteration: see solvers.iteration and solvers.majorization


@part
def majorizing_curvature(work: Any, at: Places) -> None:
    """Put the weights of a quadratic function above the loss into `residual`.

    j(z) = tanh(|z| / 2) / (2 |z|), of Jaakkola and Jordan (2000).
    """
    for row in range(at.height):
        size, tail = abs(work[at.raw + row]), work[at.tail + row]
        # Below 1e-4 it is 1/4 up to 2e-10.
        j = 0.25 if size < 1e-4 else (1.0 - tail) / (1.0 + tail) / (2.0 * size)
        work[at.residual + row] = work[at.weight + row] * j


def make_double_steps(evaluate: Any) -> Any:
    """Return what steps along a direction of a kind of model, ever farther."""

    @part
    def double_steps(work: Any, at: Any, weight: float, cost: float, slack: float) -> float:
        """Step along `direction`, to `trial`, as long as twice the step is worth it.

        Returns by how much the cost falls; 0 where that is no more than `slack`.
        """
        slope = dot(work, at.gradient, at.direction, at.width)
        if not -math.inf < slope < 0.0:
            return 0.0
        best, first, step, best_step = cost, 0.0, 1.0, 0.0
        for _ in range(DOUBLINGS):
            step_to(work, at.theta, step, at.direction, at.trial, at.width)
            found = evaluate(work, at, weight, at.trial, at.trial_gradient)
            fall = best - found
            if not (fall > slack and fall > WORTH * first):
                break
            if not largest(work, at.trial_gradient, at.size) < math.inf:
                break
            if step == 1.0:
                first = fall
            best, best_step, step = found, step, 2.0 * step
        step_to(work, at.theta, best_step, at.direction, at.trial, at.width)
        return cost - best

    return double_steps


double_steps = make_double_steps(evaluate)


@part
def majorize(work: Any, at: Places, weight: float, cost: float, offset: float) -> float:
    """Step down a bound of the cost from theta, to `trial`; returns by how much the cost falls.

    0 where it does not, -1 where the bound is singular. Raw predictions are those at theta.
    """
    keep_apart()
    majorizing_curvature(work, at)
    sum_hessian(work, at, weight, at.residual)
    if not newton_direction(work, at):
        return -1.0
    slack = LEVEL * abs(cost) + COST_EPSILON * (offset + abs(work[at.theta + at.size - 1]))
    return double_steps(work, at, weight, cost, slack)


def make_search(evaluate: Any) -> Any:
    """Return the line search of a kind of model, which `evaluate` gives cost and gradient of."""

    @part
    def search(work: Any, at: Any, weight: float, cost: float, slope: float) -> tuple[float, float]:
        """Step along `direction` until the cost has decreased enough.

        Returns the step (0 if none) and the cost there. The new point is `trial`.
        """
        step = 1.0
        for _ in range(MAX_TRIALS):
            step_to(work, at.theta, step, at.direction, at.trial, at.width)
            found = evaluate(work, at, weight, at.trial, at.trial_gradient)
            after = dot(work, at.trial_gradient, at.direction, at.width)
            slack = LEVEL * abs(cost)
            enough = found <= cost + DECREASE * step * slope
            # A slope that points up steeply means that the step went much too far.
            turned = after <= (2.0 * DECREASE - 1.0) * slope
            if (found <= cost + slack and turned) or (enough and (turned or found < cost - slack)):
                return step, found
            ratio = -slope * step / (2.0 * (found - cost - step * slope))
            step *= smaller(larger(ratio, 0.1), 0.5) if abs(ratio) < math.inf else 0.1
        return 0.0, cost

    return search


search = make_search(evaluate)


def make_separates(is_free: Any) -> tuple[Any, Any]:
    """Return what tries a direction for separation, and what says whether there may be one.

    `is_free` says of a parameter whether nothing holds it.
    """

    @part
    def separates(work: Any, at: Places, direction: int, fit_intercept: bool) -> bool:
        """Say whether the unpenalised part of a direction separates the classes.

        Overwrites `trial` and the raw predictions.
        """
        slopes = at.size - 1 if fit_intercept else at.size
        for k in range(at.width):
            free = k < at.size and is_free(work, at, k)
            work[at.trial + k] = work[direction + k] if free else 0.0
        size = largest(work, at.trial, at.size)
        if not 0.0 < size < math.inf or slopes == 0:
            return False
        for k in range(at.size):
            work[at.trial + k] /= size
        predict_rows(work, at, at.trial, 0.0)
        least, most = math.inf, -math.inf
        for row in range(at.n_rows):
            z = work[at.raw + row]
            margin = z if work[at.target + row] > 0.5 else -z
            least, most = smaller(least, margin), larger(most, margin)
        reach = larger(most, -least)
        return reach > LEAST_MARGIN and least >= -SLACK * reach

    @part
    def has_free_slopes(work: Any, at: Places, fit_intercept: bool) -> bool:
        """Say whether a column has no penalty."""
        slopes = at.size - 1 if fit_intercept else at.size
        free = False
        for k in range(slopes):
            free = free or is_free(work, at, k)
        return free

    return separates, has_free_slopes


@part
def has_no_l2(work: Any, at: Places, k: int) -> bool:
    return work[at.l2 + k] == 0.0


separates, has_free_slopes = make_separates(has_no_l2)


def make_looks(separates: Any, has_free_slopes: Any) -> Any:
    """Return two looks for separation, now and at the end, of a kind of model."""

    @part
    def last_change_separates(work: Any, at: Any, fit_intercept: bool) -> bool:
        """Try the change of the iterate since the last look, which it overwrites."""
        keep_apart()
        step_to(work, at.theta, -1.0, at.last, at.last, at.width)
        return separates(work, at, at.last, fit_intercept)

    @part
    def look_for_separation(work: Any, at: Any, n_iter: int, fit_intercept: bool) -> bool:
        """Try the iterate and its change since the last look, now and then; keeps the iterate."""
        keep_apart()
        if n_iter < LOOK_FROM or n_iter % LOOK_EACH != 0:
            return False
        if not has_free_slopes(work, at, fit_intercept):
            return False
        found = False
        if largest(work, at.theta, at.size) > LARGE:
            found = separates(work, at, at.theta, fit_intercept)
            if not found and n_iter > LOOK_FROM:
                found = last_change_separates(work, at, fit_intercept)
        step_to(work, at.theta, 0.0, at.theta, at.last, at.width)
        return found

    return look_for_separation, last_change_separates


look_for_separation, last_change_separates = make_looks(separates, has_free_slopes)


@part
def column_of(work: Any, at: Places, k: int) -> Any:
    """Column of X that the k-th parameter belongs to."""
    return np.int64(work[at.column + k])


@part
def lost_in_units(work: Any, at: Places, fit_intercept: bool) -> float:
    """By how much the cost may rise where theta is rounded in the units of X."""
    slopes = at.size - 1 if fit_intercept else at.size
    lost = absolute_sum(work, at.theta, slopes)
    if fit_intercept:
        level = work[at.theta + slopes]
        for k in range(slopes):
            j = column_of(work, at, k)
            level -= work[at.theta + k] * work[at.scale + j] * work[at.center + j]
        lost += abs(level)
    lost *= ROUNDED
    return lost * largest(work, at.gradient, at.size) + 0.125 * lost * lost


@part
def meets(bound: float, tol: float) -> bool:
    return (stated(bound) if tol >= FINEST else bound) <= tol


class End(NamedTuple):
    """Where an iteration ended, at `theta`."""

    status: int
    n_iter: int
    cost: float
    bound: float


@part
def accept(work: Any, at: Places) -> None:
    """Take the trial point."""
    step_to(work, at.trial, 0.0, at.trial, at.theta, at.width)
    step_to(work, at.trial_gradient, 0.0, at.trial_gradient, at.gradient, at.width)


def make_move(evaluate: Any, search: Any, majorize: Any) -> Any:
    """Return what takes one step of a kind of model."""

    @part
    def move(
        work: Any, at: Any, weight: float, offset: float, cost: float, slope: float, lost: bool
    ) -> tuple[int, float, bool]:
        """Take a step along `direction`, and one down the bound where that is of hardly any use.

        Returns status (ROUNDING or SINGULAR where no step serves), cost, and whether the second
        kind was taken.
        """
        keep_apart()
        before, stuck = cost, True
        if not lost:
            step, found = search(work, at, weight, cost, slope)
            if step > 0.0:
                fall = cost - found
                straight = fall > STRAIGHT * -slope * step and fall > STRAIGHT_LEVEL * abs(found)
                stuck = step < SHORT or straight
                cost = found
                accept(work, at)
            else:
                cost = evaluate(work, at, weight, at.theta, at.gradient)
        if not stuck:
            return CONVERGED, cost, False
        fall = majorize(work, at, weight, cost, offset)
        if fall > 0.0:
            accept(work, at)
        elif before - cost <= LEVEL * abs(before):
            return (SINGULAR if fall < 0.0 else ROUNDING), cost, True
        return CONVERGED, evaluate(work, at, weight, at.theta, at.gradient), True

    return move


move = make_move(evaluate, search, majorize)


class Model(NamedTuple):
    """What the iteration asks of a kind of model: compiled functions, see those of this file."""

    newton_step: Any
    most_curvature: Any
    prove: Any
    lost_in_units: Any
    move: Any
    last_change_separates: Any
    look_for_separation: Any


def make_iterate(model: Model) -> Any:
    """Return the iteration of a kind of model."""
    newton_step, most_curvature, prove, lost_in_units = model[:4]
    move, last_change_separates, look_for_separation = model[4:]

    @part
    def iterate(
        work: Any, at: Any, weight: float, offset: float, fit_intercept: bool, cost: float,
        tol: float, max_iter: int, history_out: Any,
    ) -> End:  # fmt: skip
        """Go on from the evaluated point `theta` until it is proven to be near, or cannot be."""
        n_iter, waited, lowest = 0, 0, math.inf
        history_out[0] = cost
        most = most_curvature(work, at)
        while True:
            wanted = tol * abs(cost)
            resolved = newton_step(work, at, weight, wanted)
            slope = dot(work, at.gradient, at.direction, at.width) if resolved else 0.0
            square = dot(work, at.gradient, at.gradient, at.width)
            # The cost can fall by the squared gradient over twice the largest curvature at the
            # least, and by itself at the most.
            lost = not (resolved and USELESS * square / most <= -slope <= ABSURD * abs(cost))
            estimate = math.inf if lost else -0.5 * slope
            waited = 0 if lost or estimate < 0.5 * lowest else waited + 1
            lowest = smaller(lowest, estimate)
            idle, bound = waited >= PATIENCE, math.inf
            if resolved and (estimate <= wanted or idle or n_iter >= max_iter):
                proof = prove(work, at, weight, cost, offset, wanted)
                bound = relative(proof.gain + lost_in_units(work, at, fit_intercept), cost)
                if meets(bound, tol):
                    if proof.is_sure and max_iter > 0:
                        step_to(work, at.theta, 1.0, at.direction, at.theta, at.width)
                    return End(CONVERGED, n_iter, cost, bound)
                level = larger(0.5 * NEAR * abs(cost), 0.5 * proof.noise * proof.noise)
                if idle and lowest < level and estimate < 2.0 * LOOSE * level:
                    return End(ROUNDING, n_iter, cost, bound)
            if n_iter >= max_iter:
                return End(MAX_ITER, n_iter, cost, bound)
            status, cost, restarted = move(work, at, weight, offset, cost, slope, lost)
            if status != CONVERGED:
                # Raw predictions grow by about one a step: theta may still be small where rows of
                # one level of a column, all of one class, have lost their curvature.
                if last_change_separates(work, at, fit_intercept):
                    status = SEPARABLE
                return End(status, n_iter, cost, math.inf)
            if restarted:
                waited, lowest = 0, math.inf
            n_iter += 1
            history_out[n_iter] = cost
            if look_for_separation(work, at, n_iter, fit_intercept):
                return End(SEPARABLE, n_iter, cost, math.inf)

    return iterate


@part
def newton_step(work: Any, at: Places, weight: float, wanted: float) -> bool:
    """Put Newton's step into `direction`; False where the Hessian is singular.

    It is exact, whatever gain is `wanted`.
    """
    sum_hessian(work, at, weight, at.curvature)
    return newton_direction(work, at)


@part
def most_curvature(work: Any, at: Places) -> float:
    """A bound on the largest eigenvalue of the Hessian."""
    return 0.25 * at.size + largest(work, at.l2, at.size)


iterate = make_iterate(
    Model(
        newton_step, most_curvature, prove, lost_in_units, move, last_change_separates,
        look_for_separation,
    )
)  # fmt: skip


# ------------------------------------------------------------------------------------------------
# Start and end


@part
def first_level(work: Any, at: Places, weight: float) -> float:
    """Intercept of the share of positive rows, at their mean offset."""
    positive = dot(work, at.weight, at.target, at.height)
    rest = 0.0
    # Each side by itself: one may be next to nothing beside the other.
    for row in range(at.n_rows):
        if work[at.target + row] < 0.5:
            rest += work[at.weight + row]
    return math.log(positive) - math.log(rest) - dot(work, at.weight, at.offset, at.height) / weight


@part
def level_cost(work: Any, at: Places, weight: float, level: float) -> float:
    """Cost without slopes: no pass over the columns."""
    for row in range(at.height):
        work[at.raw + row] = work[at.offset + row] + level
    row_losses(work, at)
    return dot(work, at.weight, at.scaled, at.height) / weight


def make_begin(evaluate: Any) -> Any:
    """Return what finds the start of a kind of model, which `evaluate` gives cost and gradient."""

    @part
    def begin(work: Any, at: Places, weight: float, start: Any, fit_intercept: bool) -> float:
        """Set theta, gradient and the rest at the better of two starts; return the cost there.

        Those are the user's, (n_features + 1,) in the units of X or of no numbers, and the default
        without slopes.
        """
        slopes = at.size - 1 if fit_intercept else at.size
        level = 0.0
        if fit_intercept:
            level = first_level(work, at, weight)
            work[at.theta + slopes] = level
        n_features = start.shape[0] - 1
        if n_features < 0:
            return evaluate(work, at, weight, at.theta, at.gradient)
        cost = level_cost(work, at, weight, level)
        clear(work, at.trial, at.trial + at.width)
        for k in range(slopes):
            j = column_of(work, at, k)
            work[at.trial + k] = start[j] / work[at.scale + j]
        if fit_intercept:
            for j in range(n_features):
                work[at.half + j] = start[j]
            work[at.trial + slopes] = level_less_products(
                start[n_features], -1.0, work, at.half, at.center, n_features
            )
        found = evaluate(work, at, weight, at.trial, at.trial_gradient)
        if found <= cost and largest(work, at.trial_gradient, at.size) < math.inf:
            accept(work, at)
            return found
        return evaluate(work, at, weight, at.theta, at.gradient)

    return begin


begin = make_begin(evaluate)


@part
def largest_slope(work: Any, at: Places, n_features: int, fit_intercept: bool) -> float:
    """Largest component of the gradient in the units of X."""
    slopes = at.size - 1 if fit_intercept else at.size
    level = work[at.gradient + slopes] if fit_intercept else 0.0
    found = abs(level)
    for j in range(n_features):
        work[at.half + j] = level * work[at.center + j]
    for k in range(slopes):
        j = column_of(work, at, k)
        work[at.half + j] += work[at.gradient + k] / work[at.scale + j]
    return larger(found, largest(work, at.half, n_features))


@part
def coefficients(
    work: Any, at: Places, fit_intercept: bool, fixed: float, coef_out: Any
) -> tuple[float, bool]:
    """Put coefficients in the units of X into `coef_out`; intercept, and whether all are finite."""
    slopes = at.size - 1 if fit_intercept else at.size
    for j in range(coef_out.shape[0]):
        coef_out[j] = 0.0
    finite = True
    for k in range(slopes):
        j = column_of(work, at, k)
        coef_out[j] = work[at.theta + k] * work[at.scale + j]
        finite = finite and abs(coef_out[j]) < math.inf
    if not fit_intercept:
        return fixed, finite
    for j in range(coef_out.shape[0]):
        work[at.half + j] = coef_out[j]
    level = work[at.theta + slopes]
    level = level_less_products(level, 1.0, work, at.half, at.center, coef_out.shape[0])
    return level, finite and abs(level) < math.inf


@part
def is_length(array: Any, length: int) -> bool:
    """Say whether there is a number for each row or column, or none at all."""
    return array.shape[0] == length or array.shape[0] == 0


@part
def unfinished(status: int, coef_out: Any) -> SmallFit:
    for j in range(coef_out.shape[0]):
        coef_out[j] = math.nan
    return SmallFit(status, 0, math.nan, math.inf, math.nan, math.nan, 0, 0)


class Begun(NamedTuple):
    """Rows that were taken into the work array, or the status that says why they were not.

    `reach` is the largest offset, `fixed` what the intercept is held at (0 where it is fitted).
    """

    status: int
    at: Places
    weight: float
    reach: float
    fixed: float


@part
def take_rows(
    X: Any, y: Any, positive: int, sample_weight: Any, offset: Any, l2_reg: Any,
    intercept: float, fit_intercept: bool, start: Any, needed: int,
    work: Any, history_out: Any, coef_out: Any,
) -> Begun:  # fmt: skip
    """Check what `fit_small` is given, and standardise the rows; `needed` is the size of `work`."""
    n_features = X.shape[1]
    fixed = 0.0 if fit_intercept else intercept
    at = lay_out(work, 0, n_features, 0)
    if not (
        y.shape[0] == X.shape[0]
        and is_length(sample_weight, X.shape[0])
        and is_length(offset, X.shape[0])
        and l2_reg.shape[0] == n_features
        and is_length(start, n_features + 1)
        and coef_out.shape[0] == n_features
    ):
        return Begun(BAD_SHAPE, at, 0.0, 0.0, fixed)
    if work.shape[0] < needed or history_out.shape[0] == 0:
        return Begun(TOO_LARGE, at, 0.0, 0.0, fixed)
    status, n_rows, unit = weigh_rows(y, positive, sample_weight)
    if status != CONVERGED:
        return Begun(status, at, 0.0, 0.0, fixed)
    at = lay_out(work, n_rows, n_features, 0)
    bad = copy_rows(X, y, positive, sample_weight, unit, offset, fixed, work, at)
    if not (bad == 0.0 and abs(fixed) < math.inf):
        return Begun(NOT_FINITE, at, 0.0, 0.0, fixed)
    weight = total_weight(work, at, sample_weight.shape[0] > 0)
    status, size = standardize(work, at, weight, l2_reg, fit_intercept)
    at = lay_out(work, n_rows, n_features, size)
    reach = largest(work, at.offset, n_rows) if offset.shape[0] > 0 else abs(fixed)
    return Begun(status, at, weight, reach, fixed)


@part
def finished(
    work: Any, at: Places, end: End, fit_intercept: bool, fixed: float, coef_out: Any
) -> SmallFit:
    """Put the coefficients of `theta` into `coef_out`, and return how the fit ended."""
    level, finite = coefficients(work, at, fit_intercept, fixed, coef_out)
    if not finite:
        return unfinished(EXTREME, coef_out)
    norm = largest_slope(work, at, coef_out.shape[0], fit_intercept)
    evaluations, hessians = int(work[at.counts]), int(work[at.counts + 1])
    return SmallFit(end.status, end.n_iter, end.cost, end.bound, norm, level, evaluations, hessians)


def _fit_small(
    X: Any, y: Any, positive: int, sample_weight: Any, offset: Any, l2_reg: Any,
    intercept: float, fit_intercept: bool, start: Any, tol: float, max_iter: int,
    work: Any, history_out: Any, coef_out: Any,
) -> SmallFit:  # fmt: skip
    """Fit one small binomial model by Newton's method: one call, which allocates nothing.

    Minimises ``sum(w log(1 + e^-s z)) / sum(w) + sum(l2_reg coef^2) / 2`` with ``z = X @ coef +
    intercept + offset`` and s = 1 where ``y == positive``, else -1. Copies X into `work`, and hears
    Ctrl-C only when it returns: for some 100,000 numbers of X and 60 columns at the most.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Of any layout and number type.
    y : ndarray of shape (n_samples,)
        Labels: whole numbers, or numbers.
    positive : int
        The label that counts as 1.
    sample_weight, offset : ndarray of float64, shape (n_samples,) or (0,)
        Weights >= 0 of the rows, and what is added to their raw predictions; none if empty.
    l2_reg : ndarray of float64, shape (n_features,)
        Strength of the penalty on each column, on the scale of the mean loss.
    intercept : float
        What the intercept is held at where `fit_intercept` is False.
    fit_intercept : bool
    start : ndarray of float64, shape (n_features + 1,) or (0,)
        Coefficients and intercept to begin with, where they cost less than no slopes at all.
    tol : float
        Bound wanted on (cost - optimum) / optimum.
    max_iter : int
    work : ndarray of float64, shape (small_work_size(n_samples, n_features),) or longer
        All of it is overwritten.
    history_out : ndarray of float64, shape (max_iter + 1,)
        Gets the costs; fewer numbers end the fit sooner.
    coef_out : ndarray of float64, shape (n_features,)
        Gets the coefficients, in the units of X; NaN where the status is EXTREME or later.

    Returns
    -------
    SmallFit
        Status, iterations, cost, proven bound, size of the gradient, intercept.

    Notes
    -----
    Statuses: CONVERGED (the bound is at most `tol`), MAX_ITER, ROUNDING (no further progress in
    float64; the bound says what is proven), SEPARABLE (a direction that separates the classes, seen
    at every row), SINGULAR (collinear columns), EXTREME (columns, weights or strengths of odd size:
    `fastlogit.fit` takes them), NOT_FINITE, ONE_CLASS, NO_ROWS (none has weight), TOO_LARGE (`work`
    or `history_out` is too short), BAD_SHAPE (arrays do not match).
    """
    begun = take_rows(
        X, y, positive, sample_weight, offset, l2_reg, intercept, fit_intercept, start,
        work_size(X.shape[0], X.shape[1]), work, history_out, coef_out,
    )  # fmt: skip
    if begun.status != CONVERGED:
        return unfinished(begun.status, coef_out)
    at, weight = begun.at, begun.weight
    cost = begin(work, at, weight, start, fit_intercept)
    if not (abs(cost) < math.inf and largest(work, at.gradient, at.size) < math.inf):
        return unfinished(NOT_FINITE, coef_out)
    most = smaller(max_iter, history_out.shape[0] - 1)
    end = iterate(work, at, weight, begun.reach, fit_intercept, cost, tol, most, history_out)
    return finished(work, at, end, fit_intercept, begun.fixed, coef_out)


fit_small = entry(_fit_small, name="whole")
