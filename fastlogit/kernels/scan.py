"""One logistic regression for each of many columns beside the same covariates: a serial kernel.

All regressions share the covariates' own fit, the null model. The covariates come as a basis Q in
which the null's Hessian is the identity, and its raw predictions come as the offset, so that the
null is the zero vector. Then the Hessian of Q and one column x more is known at the null but for
``Q' W x`` and ``x' W x``: one product, from which come the score test and a first Newton step. Then
one pass, with the Hessian summed at that point, is enough for most columns, whose effect is small:
it gives the last step, the standard error and the proof, each corrected by third derivatives.

That is done for four columns at a time where they are ordinary (`scan_panel`), and else for one.

Rows where the column is missing have weight 0, and the null is fitted anew without them. Columns
for which Newton's steps do not shrink go through `small.fit_small`.

The kernel releases the GIL; a column has the same bits whoever computes it, as for groups.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from . import scan_panel as panels
from . import small
from .elementwise import exp_nonpositive, log1p_unit
from .firth import invert_factor, row_forms
from .inlining import keep_apart
from .policy import entry, part
from .simd import LANES, broadcast, load, multiply_add, splat, store, total

__all__ = [
    "ALWAYS",
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
    "Columns",
    "Null",
    "Room",
    "scan_columns",
    "scan_panel_size",
    "scan_work_size",
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
# A column of whose weighted square the covariates leave no more than this share depends on them.
EXPLAINED = 1e-11
# Where they leave less than this share, it is replaced by what they leave.
DEPENDENT = 1e-2
# How far a coefficient may be from the optimum, in standard errors, and by which share curvatures
# may change by the last step. Third derivatives are counted: what is left of a standard error is
# about the square of that share, of a coefficient the square times the step.
NEAR, CHANGE = 1e-7, 5e-4
# The same where what a step does to each row is known: of third order it leaves a fiftieth more.
LARGEST_CHANGE = 0.02
# Newton's steps to the least of four terms.
REFINEMENTS = 3
# A decrement that is rounding errors: weights of 1e300 allow none of 1e-7 standard errors.
ROUNDED = 1e-13
# What the values of a column may span.
NARROWEST, WIDEST = 1e-290, 1e290
# The same of a null without some rows, whose curvatures are taken as they are.
NULL_CHANGE = 1e-7
# Passes with a held Hessian, each of which must bring the decrement down to the first share, and
# steps with its own, each of which must bring it down to the second.
PASSES, SHRINK = 8, 0.1
STEPS, HALVED = 20, 0.5
# For fits whose Hessian is no guide.
HARD_TOL, HARD_STEPS = 1e-12, 100
# Firth's fit: steps, halvings of one; in standard errors how far its end may be from the optimum,
# the same where only the cost is asked for, the last step where the change of the standard error is
# known, and a step below which rounding errors may allow no smaller one.
FIRTH_STEPS, HALVINGS = 2_000, 25
FIRTH_NEAR, FIRTH_HELD, FIRTH_STEP, FIRTH_LEAST = 3e-7, 1e-5, 1e-3, 1e-8
# A leverage below which the Hessian of the likelihood alone will do.
LEVERAGE = 0.02


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
    # For `small.fit_small`; what is seen are read-only views.
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
fit_small = small.fit_small.serial


def _scan_work_size(n_samples: int, n_basis: int) -> int:
    """Return how many float64 the work array of a room needs.

    Parameters
    ----------
    n_samples, n_basis : int
        Shape of the basis, turned.
    """
    return small.work_size(n_samples, n_basis)


scan_work_size = entry(_scan_work_size)


def _scan_panel_size(n_samples: int, n_basis: int) -> int:
    """Return how many float64 the array of a room for four columns at a time needs.

    Parameters
    ----------
    n_samples, n_basis : int
        Shape of the basis, turned.
    """
    return panels.panel_size(n_samples, n_basis)


scan_panel_size = entry(_scan_panel_size)


# ------------------------------------------------------------------------------------------------
# Rows in


@part
def load_rows(null: Null, work: Any, at: small.Places) -> None:
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
def load_weights(null: Null, work: Any, at: small.Places) -> None:
    weight = np.uint64(at.weight)
    if null.weights.shape[0] > 0:
        for row in range(np.uint64(at.n_rows)):
            work[weight + row] = null.weights[row]
    else:
        for row in range(np.uint64(at.n_rows)):
            work[weight + row] = 1.0


@part
def count_missing(values: Any) -> int:
    count = 0
    for row in range(np.uint64(values.shape[0])):
        count += 1 if values[row] != values[row] else 0
    return count


@part
def load_column(
    values: Any, shift: float, scale: float, work: Any, at: small.Places, column: int
) -> None:
    """Put a column, less `shift` and times `scale`, into its place; 0 where it is missing."""
    place = np.uint64(column)
    for row in range(np.uint64(at.n_rows)):
        value = (values[row] - shift) * scale
        work[place + row] = value if value == value else 0.0


@part
def leave_out(values: Any, work: Any, at: small.Places) -> None:
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
        a = small.larger(abs(work[place]), a)
        b = small.larger(abs(work[place + 1]), b)
        c = small.larger(abs(work[place + 2]), c)
        d = small.larger(abs(work[place + 3]), d)
    return small.larger(small.larger(a, b), small.larger(c, d))


@part
def has_both_classes(work: Any, at: small.Places) -> bool:
    positive, negative = 0, 0
    for row in range(np.uint64(at.n_rows)):
        has_weight = work[np.uint64(at.weight) + row] > 0.0
        is_positive = work[np.uint64(at.target) + row] > 0.5
        positive += 1 if has_weight and is_positive else 0
        negative += 1 if has_weight and not is_positive else 0
    return positive > 0 and negative > 0


# ------------------------------------------------------------------------------------------------
# Passes over the rows

clear, dot, step_to = small.clear, small.dot, small.step_to


@part
def look_at_rows(work: Any, at: small.Places, begin: int, end: int) -> None:
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
def add_products(work: Any, at: small.Places, left: int, to: int, begin: int, end: int) -> None:
    """Add the products of a vector of rows with each column, of some rows, to the numbers there."""
    last, zero = at.size - 1, splat(0.0)
    for k in range(0, at.size, 2):
        first = at.columns + k * at.height
        second = at.columns + small.smaller(k + 1, last) * at.height
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
    work: Any, at: small.Places, theta: int, base: int, to: int, begin: int, end: int
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
def add_hessian(work: Any, at: small.Places, begin: int, end: int, sums: Any) -> None:
    """Add the Hessian of some rows to `sums`, a vector for each element, as `small.sum_hessian`."""
    zero, last = splat(0.0), at.size - 1
    for i in range(0, at.size, 2):
        z0, z1 = at.columns + i * at.height, at.columns + small.smaller(i + 1, last) * at.height
        for j in range(0, i + 2, 4):
            y0, y1 = at.columns + j * at.height, at.columns + small.smaller(j + 1, last) * at.height
            y2 = at.columns + small.smaller(j + 2, last) * at.height
            y3 = at.columns + small.smaller(j + 3, last) * at.height
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
def pass_rows(work: Any, at: small.Places, weight: float, whole: bool, sums: Any) -> None:
    """Set raw predictions, residuals, curvatures and gradient at theta, and if `whole` `matrix`.

    `sums` has room for a vector for each element of `matrix`: to add up the lanes of each for every
    block of rows would take as long as the products.
    """
    keep_apart()
    clear(work, at.gradient, at.gradient + at.width)
    if whole:
        clear(sums, 0, at.width * at.width * LANES)
    for begin in range(0, at.height, BLOCK):
        end = small.smaller(begin + BLOCK, at.height)
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
def mean_loss(null: Null, work: Any, at: small.Places, weight: float) -> float:
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
def log_of_product(work: Any, at: small.Places) -> float:
    """Sum of log(1 + w e^-|z|), where weights are 0 or 1: as the logarithm of a product.

    Of 512 factors between 1 and 2, which is no overflow, in place of as many logarithms.
    """
    one, found = splat(1.0), 0.0
    for begin in range(0, at.height, FACTORS * LANES):
        product = splat(1.0)
        for row in range(begin, small.smaller(begin + FACTORS * LANES, at.height), LANES):
            factor = multiply_add(load(work, at.tail + row), load(work, at.weight + row), one)
            product = multiply_add(product, factor, splat(0.0))
        store(work, at.trial, product)
        for lane in range(LANES):
            found += math.log(work[at.trial + lane])
    return found


# ------------------------------------------------------------------------------------------------
# The column beside the null


@part
def border(work: Any, at: small.Places, weight: float) -> tuple[float, float, float]:
    """Put the last column of a factor of the Hessian at `curvature` beside the others of `factor`.

    Sets its gradient, from the residuals. Returns the square of the column, what the others leave
    of it, and its efficient score: less what the gradient of the others explains of it.
    """
    curvature, scaled, last = np.uint64(at.curvature), np.uint64(at.scaled), at.size - 1
    own = np.uint64(at.columns + last * at.height)
    slope = dot(work, at.residual, at.columns + last * at.height, at.height) / weight
    work[at.gradient + last] = slope
    for row in range(np.uint64(at.height)):
        work[scaled + row] = work[curvature + row] * work[own + row]
    clear(work, at.half, at.half + at.width)
    for begin in range(0, at.height, BLOCK):
        end = small.smaller(begin + BLOCK, at.height)
        add_products(work, at, at.scaled, at.half, begin, end)
    step_to(work, at.half, 1.0 / weight - 1.0, at.half, at.half, at.width)
    square, work[at.half + last] = work[at.half + last], 0.0
    others = with_size(work, at, last)
    small.solve_half(work, others, at.half, 0)
    rest = square - dot(work, at.half, at.half, at.width)
    work[at.half + last] = 0.0
    for k in range(last):
        work[at.factor + k * at.width + last] = work[at.half + k]
    step_to(work, at.gradient, 0.0, at.gradient, at.trial, at.width)
    score, work[at.trial + last] = work[at.gradient + last], 0.0
    small.solve_half(work, others, at.trial, 0)
    for k in range(last):
        score -= work[at.trial + k] * work[at.half + k]
    row_of_last = at.factor + last * at.width
    clear(work, row_of_last, row_of_last + at.width)
    work[row_of_last + last] = math.sqrt(rest) if rest > 0.0 else 0.0
    return square, rest, score


@part
def orthogonalize(work: Any, at: small.Places) -> tuple[float, float]:
    """Take off the last column what the others explain of it, by the factor; its coefficient stays.

    Without that the Hessian of a column that is nearly explained loses digits. Returns the power of
    two that the rest is scaled by, and its largest number.
    """
    keep_apart()
    last = at.size - 1
    own = at.columns + last * at.height
    clear(work, at.trial, at.trial + at.width)
    for k in range(last):
        work[at.trial + k] = work[at.factor + k * at.width + last]
    small.solve_rest(work, with_size(work, at, last), at.trial)
    for k in range(last):
        step_to(work, own, -work[at.trial + k], at.columns + k * at.height, own, at.height)
    largest = largest_of(work, own, at.height)
    if not largest > 0.0:
        return 1.0, 1.0
    _, power = math.frexp(largest)
    unit = math.ldexp(1.0, -power)
    step_to(work, own, unit - 1.0, own, own, at.height)
    return unit, largest * unit


@part
def with_size(work: Any, at: small.Places, size: int) -> small.Places:
    """The same places, with so many columns."""
    # The offset lies behind room for `width - 1` columns at the most: see `small.lay_out`.
    n_features = (at.offset - at.columns) // at.height - 1
    return small.lay_out(work, at.n_rows, n_features, size)


@part
def direction_of(work: Any, at: small.Places) -> float:
    """Put -M^-1 g into `direction`, by the factor; the decrement."""
    step_to(work, at.gradient, 0.0, at.gradient, at.half, at.width)
    small.solve_half(work, at, at.half, 0)
    # There may be a column more in the factor.
    clear(work, at.half + at.size, at.half + at.width)
    step_to(work, at.half, -2.0, at.half, at.direction, at.width)
    small.solve_rest(work, at, at.direction)
    return math.sqrt(dot(work, at.half, at.half, at.width))


@part
def inverse_traces(work: Any, at: small.Places) -> tuple[float, float]:
    """Trace of the inverse of the factored matrix, and the same times the diagonal of `matrix`."""
    inverse, scaled = 0.0, 0.0
    for k in range(at.size):
        clear(work, at.trial, at.trial + at.width)
        work[at.trial + k] = 1.0
        small.solve_half(work, at, at.trial, k)
        square = dot(work, at.trial, at.trial, at.width)
        inverse += square
        scaled += square * work[at.matrix + k * (at.width + 1)]
    return inverse, scaled


@part
def settle(
    work: Any, at: small.Places, weight: float, wanted: float, sums: Any
) -> bool:  # fmt: skip
    """Walk with the held factor until the decrement is as wanted: whether it came there.

    Raw predictions, residuals, curvatures, gradient and direction are those at `theta`.
    """
    keep_apart()
    before = math.inf
    for _ in range(PASSES):
        pass_rows(work, at, weight, False, sums)
        decrement = direction_of(work, at)
        if decrement <= wanted:
            return True
        # Written so that a NaN ends it.
        if not decrement < SHRINK * before:
            return False
        before = decrement
        step_to(work, at.theta, 1.0, at.direction, at.theta, at.width)
    return False


@part
def null_of_all(null: Null, work: Any, at: small.Places) -> None:
    """Set the state of the null of all rows, whose Hessian is the identity, at those of weight."""
    keep_apart()
    residual, curvature = np.uint64(at.residual), np.uint64(at.curvature)
    for row in range(np.uint64(at.n_rows)):
        has_weight = work[np.uint64(at.weight) + row] > 0.0
        work[residual + row] = null.residual[row] if has_weight else 0.0
        work[curvature + row] = null.curvature[row] if has_weight else 0.0
    clear(work, at.theta, at.theta + at.width)
    clear(work, at.gradient, at.gradient + at.width)
    clear(work, at.factor, at.factor + at.width * at.width)
    for k in range(at.size):
        work[at.factor + k * (at.width + 1)] = 1.0


@part
def load_predictions(null: Null, work: Any, at: small.Places) -> None:
    """Copy the raw predictions of the null, for Firth's fit to begin there."""
    for row in range(np.uint64(at.n_rows)):
        work[np.uint64(at.raw) + row] = null.raw[row]
        work[np.uint64(at.tail) + row] = null.tail[row]


@part
def settle_null(room: Room, at: small.Places, weight: float, reach: float) -> bool:
    """Walk to the null of some rows, and factor its Hessian; whether it worked.

    Gradient and row curvatures are those at theta.
    """
    keep_apart()
    work = room.work
    small.sum_hessian(work, at, weight, at.curvature)
    if not small.factor_matrix(work, at):
        return False
    # A score test has the curvatures of the null in it, and so their relative error.
    wanted = NULL_CHANGE / null_radius(work, at, reach)
    direction_of(work, at)
    step_to(work, at.theta, 1.0, at.direction, at.theta, at.width)
    if not settle(work, at, weight, wanted, room.scratch):
        return False
    small.sum_hessian(work, at, weight, at.curvature)
    return bool(small.factor_matrix(work, at)) and direction_of(work, at) <= 2.0 * wanted


@part
def null_radius(work: Any, at: small.Places, reach: float) -> float:
    """Largest length of a row in the metric of `matrix`, which is near the identity, or its bound.

    `reach` is the largest squared length of one. The least eigenvalue is at least 1 less the norm
    of the difference.
    """
    square = 0.0
    for k in range(at.size):
        for m in range(k, at.size):
            away = work[at.matrix + k * at.width + m] - (1.0 if k == m else 0.0)
            square += away * away * (1.0 if k == m else 2.0)
    if square < 0.25:
        return math.sqrt(reach / (1.0 - math.sqrt(square)))
    inverse, _ = inverse_traces(work, at)
    return math.sqrt(reach * inverse)


@part
def sum_gradient(work: Any, at: small.Places, weight: float) -> None:
    """Set the gradient from the residuals."""
    clear(work, at.gradient, at.gradient + at.width)
    for begin in range(0, at.height, BLOCK):
        end = small.smaller(begin + BLOCK, at.height)
        add_products(work, at, at.residual, at.gradient, begin, end)
    step_to(work, at.gradient, 1.0 / weight - 1.0, at.gradient, at.gradient, at.width)


@part
def null_without(null: Null, room: Room, at: small.Places, weight: float) -> tuple[int, float]:
    """Fit the null anew without some rows: status of a small fit, and the mean loss.

    Sets the state of the rows, gradient and factor. Overwrites the last column of `at`.
    """
    keep_apart()
    work = room.work
    others = with_size(work, at, at.size - 1)
    null_of_all(null, work, others)
    sum_gradient(work, others, weight)
    if not settle_null(room, others, weight, null.reach):
        own = at.columns + others.size * at.height
        clear(work, own, own + at.height)
        status = hard_fit(null, room, at)
        if status != small.CONVERGED:
            return status, math.nan
        pass_rows(work, others, weight, True, room.scratch)
        if not settle_null(room, others, weight, null.reach):
            return small.ROUNDING, math.nan
    square = dot(work, at.half, at.half, at.width)
    return small.CONVERGED, mean_loss(null, work, others, weight) - 0.5 * square


# ------------------------------------------------------------------------------------------------
# The optimum


@part
def largest_change(work: Any, at: small.Places) -> float:
    """Largest change of a raw prediction from the offset."""
    step_to(work, at.raw, -1.0, at.offset, at.scaled, at.height)
    return largest_of(work, at.scaled, at.height)


@part
def radius_here(work: Any, at: small.Places, case: Case) -> float:
    """Bound on the largest length of a row in the metric of the Hessian, of which the factor is.

    A curvature is at least e^-d times that at a raw prediction d away (Bach 2010): those of the
    null are the offset, or near it. Or by the trace of the inverse.
    """
    change = largest_change(work, at)
    inverse, _ = inverse_traces(work, at)
    radius = math.sqrt(case.reach * inverse)
    return small.smaller(case.radius * math.exp(0.5 * change), radius) if change < 100.0 else radius


@part
def polish(room: Room, at: small.Places, case: Case) -> tuple[float, float]:
    """Go on by Newton's method from theta while the last step would not be a short one.

    Returns the decrement, NaN where a Hessian is singular or the steps do not shrink, and the
    radius.
    """
    keep_apart()
    work, before = room.work, math.inf
    for _ in range(STEPS):
        pass_rows(work, at, case.weight, True, room.scratch)
        if not small.factor_matrix(work, at):
            break
        decrement = direction_of(work, at)
        radius = radius_here(work, at, case)
        change = decrement * radius
        left = math.sqrt(case.total) * decrement * change * change
        if change <= CHANGE and (left <= NEAR or decrement <= ROUNDED):
            return decrement, radius
        # Where there is no optimum it becomes smaller by a third, for ever.
        if not decrement < HALVED * before:
            break
        before = decrement
        step_to(work, at.theta, 1.0, at.direction, at.theta, at.width)
    return math.nan, math.inf


@part
def bound_of(
    work: Any, at: small.Places, cost: float, decrement: float, radius: float, far: float
) -> float:
    """Bound on (cost - optimum) / optimum after a step by the factor of the Hessian.

    As in `small.prove`, by a radius that is known; `far` is the largest raw prediction.
    """
    inverse, scaled = inverse_traces(work, at)
    size = small.absolute_sum(work, at.theta, at.size) + far
    traces = Traces(at.n_rows, at.size, inverse, scaled)
    return bound_by(traces, size, cost, decrement, radius, decrement * radius)


class Traces(NamedTuple):
    """Rows and columns of a factored Hessian, and what `inverse_traces` says of it."""

    n_rows: int
    size: int
    inverse: float
    scaled: float


@part
def bound_by(
    traces: Traces, size: float, cost: float, decrement: float, radius: float, change: float
) -> float:
    """The same, where the step changes raw predictions by no more than `change`.

    `size` is what a raw prediction adds up to, in absolute values.
    """
    errors = small.EPS * (small.SUM_ERRORS + small.WALK * math.sqrt(traces.n_rows / small.CHUNKS))
    noise = errors * small.smaller(1.0, math.sqrt(cost)) * math.sqrt(small.RAISED * traces.inverse)
    raw = small.EPS * (small.RAW_ERRORS + math.sqrt(float(traces.size)))
    noise += raw * size * small.smaller(0.5, math.sqrt(cost))
    error = errors * small.RAISED * traces.scaled
    if not error < 0.5:
        return math.inf
    swell = math.sqrt(1.0 / (1.0 - error))
    # What Newton's step leaves: curvatures change along it by e^d at most.
    after = decrement * 0.5 * change * math.exp(1.5 * change)
    gain = small.gain_bound((after + noise) * swell, radius * math.exp(0.5 * change) * swell)
    return small.stated(small.relative(gain, cost))


class Corrections(NamedTuple):
    """What third derivatives add to the step `direction`.

    The last diagonal element of the inverse Hessian after it, the next step of the last
    coefficient, and what the cost after it has besides.
    """

    variance: float
    coef: float
    cost: float


@part
def load_slopes(work: Any, at: small.Places) -> None:
    """Put the derivatives of the curvatures into `scaled`."""
    raw, tails, curvature, slope = (
        np.uint64(at.raw), np.uint64(at.tail), np.uint64(at.curvature), np.uint64(at.scaled),
    )  # fmt: skip
    for row in range(np.uint64(at.height)):
        tail = work[tails + row]
        change = work[curvature + row] * ((1.0 - tail) / (1.0 + tail))
        work[slope + row] = -change if work[raw + row] >= 0.0 else change


@part
def bend_direction(work: Any, at: small.Places, weight: float, decrement: float) -> None:
    """Add to `direction` what third derivatives ask for, where that is less than half of it.

    The gradient after a step d by the Hessian M is about half of the third derivatives along it.
    """
    keep_apart()
    load_slopes(work, at)
    zero = splat(0.0)
    clear(work, at.trial, at.trial + at.width)
    for begin in range(0, at.height, BLOCK):
        end = small.smaller(begin + BLOCK, at.height)
        for row in range(begin, end, LANES):
            moved = zero
            for k in range(at.size):
                value = load(work, at.columns + k * at.height + row)
                moved = multiply_add(value, broadcast(work, at.direction + k), moved)
            square = multiply_add(moved, moved, zero)
            slope = load(work, at.scaled + row)
            store(work, at.scaled + row, multiply_add(square, slope, zero))
        add_products(work, at, at.scaled, at.trial, begin, end)
    step_to(work, at.trial, -0.5 / weight - 1.0, at.trial, at.trial, at.width)
    small.solve_half(work, at, at.trial, 0)
    if 2.0 * math.sqrt(dot(work, at.trial, at.trial, at.width)) <= decrement:
        small.solve_rest(work, at, at.trial)
        step_to(work, at.direction, 1.0, at.trial, at.direction, at.width)


@part
def correct(work: Any, at: small.Places, weight: float) -> Corrections:
    """Correct the step `direction` to the next order; `trial` gets the inverse's last column."""
    keep_apart()
    last = at.size - 1
    clear(work, at.trial, at.trial + at.width)
    work[at.trial + last] = 1.0
    small.solve_half(work, at, at.trial, last)
    variance = dot(work, at.trial, at.trial, at.width)
    small.solve_rest(work, at, at.trial)
    load_slopes(work, at)
    zero = splat(0.0)
    spread, shift, cube = zero, zero, zero
    for row in range(0, at.height, LANES):
        moved, share = zero, zero
        for k in range(at.size):
            value = load(work, at.columns + k * at.height + row)
            moved = multiply_add(value, broadcast(work, at.direction + k), moved)
            share = multiply_add(value, broadcast(work, at.trial + k), share)
        first = multiply_add(load(work, at.scaled + row), moved, zero)
        second, third = multiply_add(first, moved, zero), multiply_add(first, share, zero)
        spread = multiply_add(third, share, spread)
        shift = multiply_add(second, share, shift)
        cube = multiply_add(second, moved, cube)
    return Corrections(
        variance - total(spread) / weight, -0.5 * total(shift) / weight, total(cube) / 6.0 / weight
    )


@part
def column_separates(work: Any, at: small.Places) -> bool:
    """Say whether the last column alone separates the classes, or but for ties."""
    keep_apart()
    own = at.columns + (at.size - 1) * at.height
    low0, high0, low1, high1 = math.inf, -math.inf, math.inf, -math.inf
    for row in range(at.n_rows):
        if work[at.weight + row] > 0.0:
            value = work[own + row]
            if work[at.target + row] > 0.5:
                low1, high1 = small.smaller(value, low1), small.larger(value, high1)
            else:
                low0, high0 = small.smaller(value, low0), small.larger(value, high0)
    return low1 >= high0 or low0 >= high1


@part
def hard_fit(null: Null, room: Room, at: small.Places) -> int:
    """Fit the rows of weight by `small.fit_small`, into `theta`; its status."""
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


# ------------------------------------------------------------------------------------------------
# One column


@part
def maximum_likelihood(
    null: Null, room: Room, at: small.Places, case: Case, place: int, found: Columns
) -> int:
    """Fit by maximum likelihood from a first step that `direction` holds; the status."""
    work, last, n = room.work, at.size - 1, case.total
    step_to(work, at.theta, 1.0, at.direction, at.theta, at.width)
    decrement, radius = polish(room, at, case)
    if not decrement >= 0.0:
        if column_separates(work, at):
            return SEPARABLE
        status = hard_fit(null, room, at)
        if status == small.SEPARABLE:
            return SEPARABLE
        if status != small.CONVERGED and status != small.ROUNDING:
            return FAILED
        decrement, radius = polish(room, at, case)
        if not decrement >= 0.0:
            return FAILED
    cost = mean_loss(null, work, at, case.weight)
    far = largest_of(work, at.raw, at.height)
    found.bound[place] = bound_of(work, at, cost, decrement, radius, far)
    more = correct(work, at, case.weight)
    variance = more.variance
    coef = work[at.theta + last] + work[at.direction + last] + more.coef
    found.coef[place] = coef * case.scale
    found.error[place] = math.sqrt(variance / n) * case.scale
    found.wald[place] = n * coef * coef / variance
    fall = case.cost - (cost - 0.5 * decrement * decrement + more.cost)
    found.likelihood_ratio[place] = small.larger(2.0 * n * fall, 0.0)
    return CONVERGED


@part
def penalised_cost(null: Null, work: Any, at: small.Places, weight: float) -> float:
    """Firth's cost at theta, over the weight, by the factor of the Hessian there."""
    log_root = 0.0
    for k in range(at.size):
        log_root += math.log(work[at.factor + k * (at.width + 1)])
    return mean_loss(null, work, at, weight) - null.unit * log_root / weight


@part
def add_leverages(work: Any, at: small.Places, weight: float, unit: float, scratch: Any) -> float:
    """Add leverage times (proba - 1/2) to the residuals: the slope of Firth's penalty.

    The leverage of a row x is its curvature times x' M^-1 x. `scratch` has room for the inverse of
    the factor. Curvatures become those of the
    penalised likelihood with its leverages held. Returns the largest leverage.
    """
    keep_apart()
    invert_factor(work, at, scratch, 0)
    row_forms(work, at, scratch, 0)
    raw, tails, curvature, form, residual = (
        np.uint64(at.raw), np.uint64(at.tail), np.uint64(at.curvature), np.uint64(at.scaled),
        np.uint64(at.residual),
    )  # fmt: skip
    for row in range(np.uint64(at.height)):
        tail = work[tails + row]
        inverse = 1.0 / (1.0 + tail)
        leverage = work[curvature + row] * work[form + row] / weight
        pull = 0.5 * unit * leverage * (1.0 - tail) * inverse
        work[residual + row] += pull if work[raw + row] >= 0.0 else -pull
        work[curvature + row] += unit * leverage * (tail * inverse * inverse)
        work[form + row] = leverage
    return largest_of(work, at.scaled, at.height)


class Penalised(NamedTuple):
    """How Firth's fit ended: the cost, which is NaN where it did not come to its end."""

    cost: float
    # Of the last coefficient, per unit of weight.
    variance: float
    # Before the last step.
    before: float


@part
def is_end(decrement: float, before: float, is_held: bool, is_plain: bool) -> bool:
    """Say whether Firth's fit may end with the step that has this decrement, in standard errors.

    Steps shrink by about the same share each. The first step has none to be compared with.
    """
    if decrement <= FIRTH_LEAST:
        return True
    share = decrement / before if before < math.inf else 0.5
    left = decrement * share / (1.0 - share) if share < 1.0 else math.inf
    if is_held:
        return left <= FIRTH_HELD
    # A standard error changes with the step: to first order that is known where rows are plain.
    return left <= FIRTH_NEAR and decrement <= (FIRTH_STEP if is_plain else FIRTH_NEAR)


@part
def firth_fit(
    null: Null, room: Room, at: small.Places, case: Case, is_held: bool, is_ready: bool,
    lowest: float,
) -> Penalised:  # fmt: skip
    """Fit by Firth's penalised likelihood from `theta` on; `is_held` leaves the last as it is.

    Newton's steps with the Hessian of the likelihood (Firth 1993), or where a leverage is large of
    the likelihood with leverages as further rows, halved until the penalised cost falls (Heinze and
    Schemper 2002). `last` keeps the step. `is_ready`: rows and factor are those at theta already.
    `lowest` is the cost before the step `last` that led there; infinite if none did. The state that
    is left is that before the last step, which theta lacks where it `is_held`.
    """
    keep_apart()
    work, last = room.work, at.size - 1
    free = with_size(work, at, last) if is_held else at
    before, n_halved = math.inf, 0
    for _ in range(FIRTH_STEPS):
        cost, is_factored = math.nan, is_ready
        if not is_ready:
            pass_rows(work, at, case.weight, True, room.scratch)
            is_factored = small.factor_matrix(work, at)
        if is_factored:
            cost = penalised_cost(null, work, at, case.weight)
        is_ready = False
        if not cost <= lowest + small.LEVEL * abs(lowest):
            if n_halved >= HALVINGS or lowest == math.inf:
                return Penalised(math.nan, math.nan, math.nan)
            n_halved += 1
            step_to(work, at.last, -0.5, at.last, at.last, at.width)
            step_to(work, at.theta, -1.0, at.last, at.theta, at.width)
            continue
        lowest, n_halved = cost, 0
        variance = 1.0 / work[at.factor + last * (at.width + 1)] ** 2
        most = add_leverages(work, at, case.weight, null.unit, room.scratch)
        sum_gradient(work, free, case.weight)
        if most > LEVERAGE:
            small.sum_hessian(work, at, case.weight, at.curvature)
            if not small.factor_matrix(work, at):
                break
        decrement = math.sqrt(case.total) * direction_of(work, free)
        is_plain = most <= LEVERAGE
        if is_end(decrement, before, is_held, is_plain):
            if is_plain and not is_held:
                variance = correct(work, at, case.weight).variance
            if not is_held:
                step_to(work, at.theta, 1.0, at.direction, at.theta, at.width)
            lower = cost - 0.5 * decrement * decrement / case.total
            return Penalised(lower, variance, cost)
        before = decrement
        step_to(work, at.direction, 0.0, at.direction, at.last, at.width)
        step_to(work, at.theta, 1.0, at.direction, at.theta, at.width)
    return Penalised(math.nan, math.nan, math.nan)


@part
def penalised_likelihood(
    null: Null, room: Room, at: small.Places, case: Case, is_ready: bool, place: int,
    found: Columns,
) -> int:  # fmt: skip
    """Fit by Firth's penalised likelihood, from `theta` on; the status."""
    work, last = room.work, at.size - 1
    held = firth_fit(null, room, at, case, True, is_ready, math.inf)
    # From there all coefficients go on, by the Hessian that is at hand.
    sum_gradient(work, at, case.weight)
    decrement = direction_of(work, at)
    bend_direction(work, at, case.weight, decrement)
    step_to(work, at.direction, 0.0, at.direction, at.last, at.width)
    step_to(work, at.theta, 1.0, at.direction, at.theta, at.width)
    full = firth_fit(null, room, at, case, False, False, held.before)
    coef = work[at.theta + last]
    if not (abs(full.cost) < math.inf and abs(held.cost) < math.inf):
        return FAILED
    found.coef[place] = coef * case.scale
    found.error[place] = math.sqrt(full.variance / case.total) * case.scale
    found.wald[place] = case.total * coef * coef / full.variance
    fall = held.cost - full.cost
    found.likelihood_ratio[place] = small.larger(2.0 * case.total * fall, 0.0)
    return FIRTH


@part
def penalised_alone(
    null: Null, room: Room, at: small.Places, case: Case, place: int, found: Columns
) -> int:
    """Fit as Firth where the covariates have no optimum on these rows; the status."""
    work = room.work
    middle = center_column(work, at, at.columns + (at.size - 1) * at.height)
    clear(work, at.theta, at.theta + at.width)
    pass_rows(work, at, case.weight, True, room.scratch)
    if not (middle >= 0.0 and small.factor_matrix(work, at)):
        return COLLINEAR
    return penalised_likelihood(null, room, at, case, False, place, found)


@part
def fit_both(
    null: Null, room: Room, at: small.Places, case: Case, firth: int, place: int, found: Columns
) -> int:
    """Fit by maximum likelihood, or as Firth where that is asked for, from the null; the status."""
    work, status = room.work, FAILED
    if firth != ALWAYS:
        status = maximum_likelihood(null, room, at, case, place, found)
        if status == CONVERGED or firth == NEVER:
            return status
        clear(work, at.theta, at.theta + at.width)
    as_firth = penalised_likelihood(null, room, at, case, firth == ALWAYS, place, found)
    return as_firth if as_firth == FIRTH else status


@part
def refuse_column(
    null: Null, values: Any, low: float, high: float, n_missing: int, work: Any, at: small.Places
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
def fit_column(
    null: Null, values: Any, low: float, high: float, firth: int, room: Room, place: int,
    found: Columns,
) -> int:  # fmt: skip
    """Fit one column; the status."""
    n_basis, n_samples = null.basis.shape
    work, at = room.work, small.lay_out(room.work, n_samples, n_basis, n_basis + 1)
    n_missing = count_missing(values)
    found.n_samples[place] = n_samples - n_missing
    status = refuse_column(null, values, low, high, n_missing, work, at)
    if status != CONVERGED:
        return status
    _, power = math.frexp(high - low)
    scale, own = math.ldexp(1.0, -power), at.columns + n_basis * at.height
    others = with_size(work, at, n_basis)
    weight, cost, radius = null.weight, null.cost, math.sqrt(null.reach)
    if n_missing > 0:
        weight = sum_of(work, at.weight, at.height)
        status, cost = null_without(null, room, at, weight)
        if status != small.CONVERGED:
            if firth != NEVER:
                load_column(values, low, scale, work, at, own)
                case = Case(scale, weight, weight / null.unit, math.nan, math.inf, math.inf)
                return penalised_alone(null, room, at, case, place, found)
            return SEPARABLE if status == small.SEPARABLE else FAILED
        radius = null_radius(work, others, null.reach)
        radius *= math.exp(0.5 * largest_change(work, at))
    else:
        null_of_all(null, work, others)
        if firth == ALWAYS:
            load_predictions(null, work, others)
    load_column(values, low, scale, work, at, own)
    middle = center_column(work, at, own)
    work[at.theta + n_basis] = 0.0
    square, rest, score = border(work, at, weight)
    if not rest > EXPLAINED * square:
        return COLLINEAR
    largest = small.larger(middle, (high - low) * scale - middle)
    if rest < DEPENDENT * square:
        unit, largest = orthogonalize(work, at)
        scale *= unit
        square, rest, score = border(work, at, weight)
        if not rest > 0.0:
            return COLLINEAR
    total_weight = weight / null.unit
    found.score[place] = total_weight * score * score / rest
    radius = bordered_radius(work, at, radius, largest, rest)
    direction_of(work, at)
    case = Case(scale, weight, total_weight, cost, radius, null.reach + largest * largest)
    return fit_both(null, room, at, case, firth, place, found)


@part
def center_column(work: Any, at: small.Places, own: int) -> float:
    """Take the mean in the metric of the curvatures off a column; returns it."""
    middle = dot(work, at.curvature, own, at.height) / sum_of(work, at.curvature, at.height)
    minus, ones = splat(-middle), splat(1.0)
    for row in range(0, at.height, LANES):
        store(work, own + row, multiply_add(minus, ones, load(work, own + row)))
    clear(work, own + at.n_rows, own + at.height)
    return middle


@part
def bordered_radius(
    work: Any, at: small.Places, radius: float, largest: float, rest: float
) -> float:
    """Bound on the length of a row once a column is beside those of this radius.

    `largest` is the largest number of the column, `rest` what the others leave of it.
    """
    last, square = at.size - 1, 0.0
    for k in range(last):
        square += work[at.factor + k * at.width + last] ** 2
    own = largest + math.sqrt(square) * radius
    return math.sqrt(radius * radius + own * own / rest)


# ------------------------------------------------------------------------------------------------
# Four columns


@part
def put_columns(
    null: Null, block: Any, lows: Any, highs: Any, begin: int, work: Any, area: Any,
    panel: panels.Panel,
) -> None:  # fmt: skip
    """Put four columns into the panel, zeros for those that are not ordinary, or are none."""
    n_samples = panel.n_rows
    at = small.lay_out(work, n_samples, panel.n_basis, panel.n_basis + 1)
    for slot in range(panels.COLUMNS):
        kept, column = panels.kept_of(panel, slot), begin + slot
        area[kept] = 0.0
        if column < block.shape[0]:
            values, low, high = block[column], lows[column], highs[column]
            n_missing = count_missing(values)
            status = FAILED
            if n_missing == 0:
                status = refuse_column(null, values, low, high, n_missing, work, at)
            if status == CONVERGED:
                _, power = math.frexp(high - low)
                scale = math.ldexp(1.0, -power)
                area[kept], area[kept + panels.SCALE] = 1.0, scale
                panels.put_column(values, low, scale, area, panel, slot)
        if area[kept] == 0.0:
            panels.put_nothing(area, panel, slot)


@part
def set_steps(area: Any, panel: panels.Panel, weight: float) -> None:
    """Set the first step of each column, and what the covariates explain of it."""
    keep_apart()
    for slot in range(panels.COLUMNS):
        place, kept = panels.scalars_of(panel, slot), panels.kept_of(panel, slot)
        explained = panel.explained + slot * panel.width
        square = panels.sum_of(area, panel, panels.BENT, slot) / weight
        slope = panels.sum_of(area, panel, panels.MOVED, slot)
        positive, rest = panels.sum_of(area, panel, panels.POSITIVE, slot), square
        for k in range(panel.n_basis):
            a = panels.sum_of(area, panel, panels.N_OWN + k, slot) / weight
            area[explained + k] = -a
            rest -= a * a
            slope -= a * area[panel.base_gradient + k]
            positive -= a * area[panel.base_positive + k]
        if not rest > DEPENDENT * square:
            area[kept], rest = 0.0, 1.0
        area[place + panels.STEP] = -slope / weight / rest if area[kept] > 0.0 else 0.0
        area[place + panels.SLOPE] = slope / weight
        area[kept + panels.REST], area[kept + panels.POSITIVES] = rest, positive


@part
def refine_steps(area: Any, panel: panels.Panel, weight: float) -> None:
    """Make each first step that to the least of four terms along the column.

    Of columns of few rare values the plain one is too long. Leaves out columns that still move a
    raw prediction by much.
    """
    keep_apart()
    for slot in range(panels.COLUMNS):
        place, kept = panels.scalars_of(panel, slot), panels.kept_of(panel, slot)
        slope, square = area[place + panels.SLOPE], area[kept + panels.REST]
        third = 0.5 * panels.sum_of(area, panel, panels.THIRD, slot) / weight
        fourth = panels.sum_of(area, panel, panels.FOURTH, slot) / weight / 6.0
        plain = area[place + panels.STEP]
        step = plain
        for _ in range(REFINEMENTS):
            rise = square + step * (2.0 * third + 3.0 * fourth * step)
            step -= (slope + step * (square + step * (third + fourth * step))) / rise
        # Written so that a NaN fails.
        if not abs(step - plain) <= 0.5 * abs(plain):
            step = plain
        area[place + panels.STEP] = step
        if not abs(step) * panels.peak_of(area, panel, slot) <= panels.FARTHEST:
            area[kept], area[place + panels.STEP] = 0.0, 0.0


@part
def solve_slot(null: Null, room: Room, panel: panels.Panel, slot: int) -> bool:
    """Set the last step of a column and the last column of the inverse Hessian in the panel.

    Says whether there are such; zeros if not.
    """
    keep_apart()
    work, area, last = room.work, room.panel, panel.n_basis
    at = small.lay_out(work, panel.n_rows, last, last + 1)
    kept = panels.kept_of(panel, slot)
    direction, share = panel.direction + slot * at.width, panel.share + slot * at.width
    small.clear(area, direction, direction + at.width)
    small.clear(area, share, share + at.width)
    if area[kept] == 0.0:
        return False
    panels.put_system(work, at, area, panel, slot, null.weight)
    if not small.factor_matrix(work, at):
        return False
    area[kept + panels.DECREMENT] = direction_of(work, at)
    inverse, scaled = inverse_traces(work, at)
    area[kept + panels.INVERSE], area[kept + panels.SCALED] = inverse, scaled
    small.clear(work, at.trial, at.trial + at.width)
    work[at.trial + last] = 1.0
    small.solve_half(work, at, at.trial, last)
    area[kept + panels.VARIANCE] = small.dot(work, at.trial, at.trial, at.width)
    small.solve_rest(work, at, at.trial)
    for k in range(at.size):
        area[direction + k], area[share + k] = work[at.direction + k], work[at.trial + k]
    return True


@part
def prove_slot(null: Null, area: Any, panel: panels.Panel, slot: int) -> float:
    """Bound on (cost - optimum) / optimum after the last step; NaN where that is not a short one.

    By how much it moves raw predictions is known here, row by row, so that no worst row has to be
    thought of. With M the Hessian, moved a raw prediction's change and u the last column of M^-1,
    second derivatives of a curvature c, which are less than c, change u' M u by half of
    S = sum c moved^2 (x' u)^2 at the most, and the squares of the first ones M^-1 by S.
    """
    place, kept = panels.scalars_of(panel, slot), panels.kept_of(panel, slot)
    change, decrement = area[place + panels.MOST], area[kept + panels.DECREMENT]
    left = math.sqrt(null.weight / null.unit) * decrement * change * change
    is_near = left <= NEAR or decrement <= ROUNDED
    spread = 1.5 * area[place + panels.SECOND] / null.weight
    is_plain = change <= LARGEST_CHANGE and spread <= 2.0 * NEAR * area[kept + panels.VARIANCE]
    if not (area[kept] > 0.0 and is_near and is_plain):
        return math.nan
    peak, step = panels.peak_of(area, panel, slot), area[place + panels.STEP]
    moved, reach = abs(step) * peak, null.reach + peak * peak
    near = math.sqrt(null.reach + peak * peak / area[kept + panels.REST]) * math.exp(0.5 * moved)
    radius = small.smaller(near, math.sqrt(reach * area[kept + panels.INVERSE]))
    # What is left of the column has the rounding errors of all that was taken off it.
    size = peak
    for k in range(panel.n_basis):
        size += abs(area[panel.explained + slot * panel.width + k]) * math.sqrt(null.reach)
    size = null.far + moved + abs(step) * (1.0 + size)
    cost = null.cost + panels.change_of_loss(area, panel, slot, null.weight)
    traces = Traces(
        panel.n_rows, panel.n_basis + 1, area[kept + panels.INVERSE], area[kept + panels.SCALED]
    )
    return bound_by(traces, size, cost, decrement, radius, change)


@part
def put_results(
    null: Null, area: Any, panel: panels.Panel, slot: int, place: int, found: Columns
) -> None:
    """Put what a column of the panel comes to into its place."""
    weight, n = null.weight, null.weight / null.unit
    at, kept = panels.scalars_of(panel, slot), panels.kept_of(panel, slot)
    step, scale = area[at + panels.STEP], area[kept + panels.SCALE]
    variance = area[kept + panels.VARIANCE] - area[at + panels.SPREAD] / weight
    coef = step + area[panel.direction + slot * panel.width + panel.n_basis]
    coef -= 0.5 * area[at + panels.SHIFT] / weight
    fall = 0.5 * area[kept + panels.DECREMENT] ** 2 - area[at + panels.CUBE] / 6.0 / weight
    fall -= panels.change_of_loss(area, panel, slot, weight)
    slope = area[at + panels.SLOPE]
    found.n_samples[place] = panel.n_rows
    found.coef[place] = coef * scale
    found.error[place] = math.sqrt(variance / n) * scale
    found.wald[place] = n * coef * coef / variance
    found.score[place] = n * slope * slope / area[kept + panels.REST]
    found.likelihood_ratio[place] = small.larger(2.0 * n * fall, 0.0)
    found.status[place] = CONVERGED


@part
def fit_panel(
    null: Null, block: Any, lows: Any, highs: Any, begin: int, first: int, room: Room,
    found: Columns,
) -> None:  # fmt: skip
    """Fit those of four columns by maximum likelihood that are ordinary; others get NOT_FITTED."""
    keep_apart()
    n_basis, n_samples = null.basis.shape
    area, panel = room.panel, panels.lay_out_panel(room.panel, n_samples, n_basis)
    at = small.lay_out(room.work, n_samples, n_basis, n_basis + 1)
    put_columns(null, block, lows, highs, begin, room.work, area, panel)
    panels.look_at_columns(room.work, at, area, panel)
    set_steps(area, panel, null.weight)
    panels.leave_the_rest(room.work, at, area, panel)
    refine_steps(area, panel, null.weight)
    panels.pass_panel(room.work, at, area, panel, 0)
    end = small.smaller(begin + panels.COLUMNS, block.shape[0])
    for slot in range(panels.COLUMNS):
        is_solved = solve_slot(null, room, panel, slot)
        area[panels.kept_of(panel, slot)] = 1.0 if is_solved else 0.0
    panels.correct_panel(room.work, at, area, panel)
    for column in range(begin, end):
        bound = prove_slot(null, area, panel, column - begin)
        found.status[first + column] = NOT_FITTED
        if bound >= 0.0:
            found.bound[first + column] = bound
            put_results(null, area, panel, column - begin, first + column, found)


def _scan_columns(
    null: Null, block: Any, lows: Any, highs: Any, first: int, firth: int, room: Room,
    found: Columns,
) -> None:  # fmt: skip
    """Fit some columns.

    Parameters
    ----------
    null : Null
    block : ndarray of float64, shape (n_columns, n_samples)
        The columns; NaN where a value is missing.
    lows, highs : ndarray of float64, shape (n_columns,)
        The least and largest value of each; NaN where all are missing.
    first : int
        The place of the first in `found`.
    firth : int
        NEVER, FALLBACK (where maximum likelihood has no optimum) or ALWAYS.
    room : Room
    found : Columns
        Gets what is found. It comes with NaN, and bounds of infinity; a column that has the status
        FIRTH is done.
    """
    n_basis, n_samples = null.basis.shape
    at = small.lay_out(room.work, n_samples, n_basis, n_basis)
    by_panels = firth != ALWAYS and null.by_panels
    if room.state[0] == 0:
        load_rows(null, room.work, at)
        if by_panels:
            panel = panels.lay_out_panel(room.panel, n_samples, n_basis)
            panels.load_panel(null, room.work, at, room.panel, panel)
        room.state[0] = 1
    for column in range(block.shape[0]):
        place = first + column
        if found.status[place] == FIRTH:
            continue
        if by_panels and column % panels.COLUMNS == 0:
            fit_panel(null, block, lows, highs, column, first, room, found)
        if by_panels and found.status[place] == CONVERGED:
            continue
        values = block[column]
        found.status[place] = fit_column(
            null, values, lows[column], highs[column], firth, room, place, found
        )
        if found.n_samples[place] < n_samples:
            load_weights(null, room.work, at)


scan_columns = entry(_scan_columns)
