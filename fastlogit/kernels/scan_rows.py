"""What a scan shares, finds and walks over: its arrays, its rows, and passes over them."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from .elementwise import exp_nonpositive, log1p_unit
from .inlining import keep_apart
from .policy import part
from .simd import LANES, broadcast, load, multiply_add, splat, store, total
from .small import arithmetic, binomial, layout
from .small.arithmetic import larger, smaller

__all__ = [
    "ALWAYS",
    "BLOCK",
    "COLLINEAR",
    "CONSTANT_COLUMN",
    "CONVERGED",
    "FAILED",
    "FALLBACK",
    "FIRTH",
    "NEVER",
    "NOT_FINITE",
    "NOT_FITTED",
    "NO_ROWS",
    "ONE_CLASS",
    "SEPARABLE",
    "TOO_FEW_ROWS",
    "Case",
    "Columns",
    "Null",
    "Room",
    "add_products",
    "center_column",
    "clear",
    "count_missing",
    "dot",
    "fit_small",
    "hard_fit",
    "largest_of",
    "load_column",
    "load_rows",
    "load_weights",
    "mean_loss",
    "pass_rows",
    "refuse_column",
    "step_to",
    "sum_gradient",
    "sum_of",
]

# How the regression of a column ended; `fitting.column_fits.ScanStatus` has the words.
CONVERGED = 0
FIRTH = 1
CONSTANT_COLUMN = 2
COLLINEAR = 3
SEPARABLE = 4
ONE_CLASS = 5
TOO_FEW_ROWS = 6
NO_ROWS = 7
NOT_FINITE = 8
FAILED = 9
NOT_FITTED = 10
# When a fit is Firth's.
NEVER, FALLBACK, ALWAYS = 0, 1, 2
# Rows that a pass treats at a time: ten columns of them are 20 KB, which stays in L1.
BLOCK = 256
# Factors of which the logarithm is taken at a time.
FACTORS = 512
# What the values of a column may span.
NARROWEST, WIDEST = 1e-290, 1e290
# For fits whose Hessian is no guide.
HARD_TOL, HARD_STEPS = 1e-12, 100


class Null(NamedTuple):
    """The fit of the covariates alone, and what all columns share; arrays are read-only.

    `basis` (n_basis, n_samples) has ``basis @ diag(curvature) @ basis.T / weight`` = identity.
    `raw` is the raw prediction z, offset included, `tail` e^-|z|; `residual` and `curvature` have
    the weights in them, which are those given times `unit`. `weight` is their sum, `cost` the mean
    loss, `reach` the largest squared length of a row of the basis, `far` the largest |z|.
    `by_panels`: ordinary columns are fitted four at a time, which takes rows without weights.
    """

    basis: Any
    codes: Any
    weights: Any
    raw: Any
    tail: Any
    residual: Any
    curvature: Any
    weight: float
    unit: float
    cost: float
    reach: float
    far: float
    by_panels: bool


class Room(NamedTuple):
    """Room to work in, of one thread; `state` is zero until the rows are loaded."""

    work: Any
    state: Any
    scratch: Any
    # For `small.binomial.fit_small`; what is seen are read-only views.
    X: Any
    codes: Any
    weights: Any
    offset: Any
    codes_seen: Any
    weights_seen: Any
    offset_seen: Any
    l2_reg: Any
    history: Any
    coef: Any
    fit_work: Any
    # For four columns at a time.
    panel: Any


class Case(NamedTuple):
    """Numbers of a column.

    Its scale, the weight of its rows as they are kept and as they were given, the cost of its null,
    the largest length of a row in the metric of the Hessian there, and the largest squared length
    as it is.
    """

    scale: float
    weight: float
    total: float
    cost: float
    radius: float
    reach: float


class Columns(NamedTuple):
    """What is found, a number for each column."""

    status: Any
    n_samples: Any
    coef: Any
    error: Any
    wald: Any
    score: Any
    likelihood_ratio: Any
    bound: Any


# As `fit` calls it: its compiled code is taken from the cache.
fit_small = binomial.fit_small.serial


@part
def load_rows(null: Null, work: Any, at: layout.Places) -> None:
    """Copy what all columns share."""
    keep_apart()
    clear(work, 0, work.shape[0])
    n_rows = at.n_rows
    for k in range(at.size):
        place = at.columns + k * at.height
        for row in range(n_rows):
            work[place + row] = null.basis[k, row]
    for row in range(n_rows):
        work[at.offset + row] = null.raw[row]
        work[at.target + row] = 1.0 if null.codes[row] == 1 else 0.0
    load_weights(null, work, at)


@part
def load_weights(null: Null, work: Any, at: layout.Places) -> None:
    """Copy the weights of the rows, or ones."""
    weight = np.uint64(at.weight)
    if null.weights.shape[0] > 0:
        for row in range(np.uint64(at.n_rows)):
            work[weight + row] = null.weights[row]
    else:
        for row in range(np.uint64(at.n_rows)):
            work[weight + row] = 1.0


@part
def count_missing(values: Any) -> int:
    """Count the rows that lack a value."""
    count = 0
    for row in range(np.uint64(values.shape[0])):
        count += 1 if values[row] != values[row] else 0
    return count


@part
def load_column(
    values: Any, shift: float, scale: float, work: Any, at: layout.Places, column: int
) -> None:
    """Put a column, less `shift` and times `scale`, into its place; 0 where it is missing."""
    place = np.uint64(column)
    for row in range(np.uint64(at.n_rows)):
        value = (values[row] - shift) * scale
        work[place + row] = value if value == value else 0.0


@part
def leave_out(values: Any, work: Any, at: layout.Places) -> None:
    """Take the weight of the rows that lack a value."""
    weight = np.uint64(at.weight)
    for row in range(np.uint64(at.n_rows)):
        w = work[weight + row]
        work[weight + row] = w if values[row] == values[row] else 0.0


@part
def sum_of(work: Any, begin: int, count: int) -> float:
    """Sum of some numbers, whole vectors of them."""
    partial, ones = splat(0.0), splat(1.0)
    for place in range(begin, begin + count, LANES):
        partial = multiply_add(load(work, place), ones, partial)
    return total(partial)


@part
def largest_of(work: Any, begin: int, count: int) -> float:
    """Largest absolute value of some numbers, whole vectors of them."""
    a, b, c, d = 0.0, 0.0, 0.0, 0.0
    for place in range(begin, begin + count, 4):
        # Four chains: one of 10,000 comparisons takes as long as a pass.
        a = larger(abs(work[place]), a)
        b = larger(abs(work[place + 1]), b)
        c = larger(abs(work[place + 2]), c)
        d = larger(abs(work[place + 3]), d)
    return larger(larger(a, b), larger(c, d))


@part
def has_both_classes(work: Any, at: layout.Places) -> bool:
    """Say whether rows of both classes have weight."""
    positive, negative = 0, 0
    for row in range(np.uint64(at.n_rows)):
        has_weight = work[np.uint64(at.weight) + row] > 0.0
        is_positive = work[np.uint64(at.target) + row] > 0.5
        positive += 1 if has_weight and is_positive else 0
        negative += 1 if has_weight and not is_positive else 0
    return positive > 0 and negative > 0


clear, dot, step_to = arithmetic.clear, arithmetic.dot, arithmetic.step_to


@part
def look_at_rows(work: Any, at: layout.Places, begin: int, end: int) -> None:
    """From `raw`: weighted residuals and curvatures, e^-|z| in `tail`."""
    raw, tails, weight, target = (
        np.uint64(at.raw), np.uint64(at.tail), np.uint64(at.weight), np.uint64(at.target),
    )  # fmt: skip
    residual, curvature = np.uint64(at.residual), np.uint64(at.curvature)
    for row in range(np.uint64(begin), np.uint64(end)):
        work[tails + row] = exp_nonpositive(-abs(work[raw + row]))
    for row in range(np.uint64(begin), np.uint64(end)):
        z, tail, w = work[raw + row], work[tails + row], work[weight + row]
        positive = work[target + row] > 0.5
        inverse = 1.0 / (1.0 + tail)
        share = inverse if positive != (z >= 0.0) else tail * inverse
        work[residual + row] = w * (-share if positive else share)
        work[curvature + row] = w * (tail * inverse * inverse)


@part
def add_products(work: Any, at: layout.Places, left: int, to: int, begin: int, end: int) -> None:
    """Add the products of a vector of rows with each column, of some rows, to the numbers there."""
    last, zero = at.size - 1, splat(0.0)
    for k in range(0, at.size, 2):
        first = at.columns + k * at.height
        second = at.columns + smaller(k + 1, last) * at.height
        a, b = zero, zero
        for row in range(begin, end, LANES):
            value = load(work, left + row)
            a = multiply_add(load(work, first + row), value, a)
            b = multiply_add(load(work, second + row), value, b)
        work[to + k] += total(a)
        if k < last:
            work[to + k + 1] += total(b)


@part
def predict_block(
    work: Any, at: layout.Places, theta: int, base: int, to: int, begin: int, end: int
) -> None:
    """Put products of some rows with theta, added to those at `base`, into the numbers at `to`."""
    for row in range(begin, end, LANES):
        z = load(work, base + row)
        for k in range(at.size):
            z = multiply_add(
                load(work, at.columns + k * at.height + row), broadcast(work, theta + k), z
            )
        store(work, to + row, z)


@part
def add_hessian(work: Any, at: layout.Places, begin: int, end: int, sums: Any) -> None:
    """Add the Hessian of some rows to `sums`, a vector for each element: `row_sums.sum_hessian`."""
    zero, last = splat(0.0), at.size - 1
    for i in range(0, at.size, 2):
        z0, z1 = at.columns + i * at.height, at.columns + smaller(i + 1, last) * at.height
        for j in range(0, i + 2, 4):
            y0, y1 = at.columns + j * at.height, at.columns + smaller(j + 1, last) * at.height
            y2 = at.columns + smaller(j + 2, last) * at.height
            y3 = at.columns + smaller(j + 3, last) * at.height
            step = at.width * LANES
            to = j * step + i * LANES
            a0, b0 = load(sums, to), load(sums, to + LANES)
            a1, b1 = load(sums, to + step), load(sums, to + step + LANES)
            a2, b2 = load(sums, to + 2 * step), load(sums, to + 2 * step + LANES)
            a3, b3 = load(sums, to + 3 * step), load(sums, to + 3 * step + LANES)
            for row in range(begin, end, LANES):
                # Weighed anew for each four: to keep it takes two stores and as many loads.
                value = load(work, at.curvature + row)
                first = multiply_add(load(work, z0 + row), value, zero)
                second = multiply_add(load(work, z1 + row), value, zero)
                value = load(work, y0 + row)
                a0, b0 = multiply_add(value, first, a0), multiply_add(value, second, b0)
                value = load(work, y1 + row)
                a1, b1 = multiply_add(value, first, a1), multiply_add(value, second, b1)
                value = load(work, y2 + row)
                a2, b2 = multiply_add(value, first, a2), multiply_add(value, second, b2)
                value = load(work, y3 + row)
                a3, b3 = multiply_add(value, first, a3), multiply_add(value, second, b3)
            store(sums, to, a0)
            store(sums, to + LANES, b0)
            store(sums, to + step, a1)
            store(sums, to + step + LANES, b1)
            store(sums, to + 2 * step, a2)
            store(sums, to + 2 * step + LANES, b2)
            store(sums, to + 3 * step, a3)
            store(sums, to + 3 * step + LANES, b3)


@part
def pass_rows(work: Any, at: layout.Places, weight: float, whole: bool, sums: Any) -> None:
    """Set raw predictions, residuals, curvatures and gradient at theta, and if `whole` `matrix`.

    `sums` has room for a vector for each element of `matrix`: to add up the lanes of each for every
    block of rows would take as long as the products.
    """
    keep_apart()
    clear(work, at.gradient, at.gradient + at.width)
    if whole:
        clear(sums, 0, at.width * at.width * LANES)
    for begin in range(0, at.height, BLOCK):
        end = smaller(begin + BLOCK, at.height)
        predict_block(work, at, at.theta, at.offset, at.raw, begin, end)
        look_at_rows(work, at, begin, end)
        add_products(work, at, at.residual, at.gradient, begin, end)
        if whole:
            add_hessian(work, at, begin, end, sums)
    share = 1.0 / weight - 1.0
    step_to(work, at.gradient, share, at.gradient, at.gradient, at.width)
    if not whole:
        return
    for k in range(at.size):
        row = at.matrix + k * at.width
        clear(work, row, row + at.width)
        for m in range(k, at.size):
            work[row + m] = total(load(sums, (k * at.width + m) * LANES)) / weight


@part
def mean_loss(null: Null, work: Any, at: layout.Places, weight: float) -> float:
    """Mean loss of the raw predictions."""
    keep_apart()
    raw, tails, target, loss, weights = (
        np.uint64(at.raw), np.uint64(at.tail), np.uint64(at.target), np.uint64(at.scaled),
        np.uint64(at.weight),
    )  # fmt: skip
    if null.weights.shape[0] > 0:
        for row in range(np.uint64(at.height)):
            z = work[raw + row]
            wrong = (work[target + row] > 0.5) != (z >= 0.0)
            work[loss + row] = log1p_unit(work[tails + row]) + (abs(z) if wrong else 0.0)
        return dot(work, at.weight, at.scaled, at.height) / weight
    for row in range(np.uint64(at.height)):
        z = work[raw + row]
        wrong = (work[target + row] > 0.5) != (z >= 0.0)
        work[loss + row] = work[weights + row] * (abs(z) if wrong else 0.0)
    return (sum_of(work, at.scaled, at.height) + log_of_product(work, at)) / weight


@part
def log_of_product(work: Any, at: layout.Places) -> float:
    """Sum of log(1 + w e^-|z|), where weights are 0 or 1: as the logarithm of a product.

    Of 512 factors between 1 and 2, which is no overflow, in place of as many logarithms.
    """
    one, found = splat(1.0), 0.0
    for begin in range(0, at.height, FACTORS * LANES):
        product = splat(1.0)
        for row in range(begin, smaller(begin + FACTORS * LANES, at.height), LANES):
            factor = multiply_add(load(work, at.tail + row), load(work, at.weight + row), one)
            product = multiply_add(product, factor, splat(0.0))
        store(work, at.trial, product)
        for lane in range(LANES):
            found += math.log(work[at.trial + lane])
    return found


@part
def sum_gradient(work: Any, at: layout.Places, weight: float) -> None:
    """Set the gradient from the residuals."""
    clear(work, at.gradient, at.gradient + at.width)
    for begin in range(0, at.height, BLOCK):
        end = smaller(begin + BLOCK, at.height)
        add_products(work, at, at.residual, at.gradient, begin, end)
    step_to(work, at.gradient, 1.0 / weight - 1.0, at.gradient, at.gradient, at.width)


@part
def hard_fit(null: Null, room: Room, at: layout.Places) -> int:
    """Fit the rows of weight by `small.binomial.fit_small`, into `theta`; its status."""
    keep_apart()
    work, count = room.work, 0
    for row in range(at.n_rows):
        w = work[at.weight + row]
        if w > 0.0:
            for k in range(at.size):
                room.X[count, k] = work[at.columns + k * at.height + row]
            room.codes[count] = null.codes[row]
            room.weights[count] = w
            room.offset[count] = null.raw[row]
            count += 1
    n_weights = count if null.weights.shape[0] > 0 else 0
    found = fit_small(
        room.X[:count], room.codes_seen[:count], 1, room.weights_seen[:n_weights],
        room.offset_seen[:count], room.l2_reg, 0.0, False, room.offset_seen[:0], HARD_TOL,
        HARD_STEPS, room.fit_work, room.history, room.coef,
    )  # fmt: skip
    clear(work, at.theta, at.theta + at.width)
    for k in range(at.size):
        work[at.theta + k] = room.coef[k]
    return found.status


@part
def refuse_column(
    null: Null, values: Any, low: float, high: float, n_missing: int, work: Any, at: layout.Places
) -> int:
    """Status of a column that needs no fit, else CONVERGED; rows that lack a value lose weight."""
    count = values.shape[0] - n_missing
    if count == 0:
        return NO_ROWS
    if not (abs(low) < math.inf and abs(high) < math.inf and high - low < WIDEST):
        return NOT_FINITE
    if n_missing > 0:
        leave_out(values, work, at)
        if not has_both_classes(work, at):
            return ONE_CLASS
    if low == high:
        return CONSTANT_COLUMN
    if count < at.size:
        return TOO_FEW_ROWS
    return CONVERGED if high - low > NARROWEST else FAILED


@part
def center_column(work: Any, at: layout.Places, own: int) -> float:
    """Take the mean in the metric of the curvatures off a column; returns it."""
    middle = dot(work, at.curvature, own, at.height) / sum_of(work, at.curvature, at.height)
    minus, ones = splat(-middle), splat(1.0)
    for row in range(0, at.height, LANES):
        store(work, own + row, multiply_add(minus, ones, load(work, own + row)))
    clear(work, own + at.n_rows, own + at.height)
    return middle
