"""Newton's method with conjugate gradients for one softmax of more parameters: one compiled call.

`softmax` without its Hessian of all classes, which costs as many Gram matrices as there are
pairs of classes: products with it are two passes over rows in the cache. It is `solvers.newton_cg`
with a block for each class as preconditioner, and the choice of M in `certificates.softmax` that
needs no matrix: every column must be penalised.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from ..inlining import keep_apart
from ..policy import entry, part
from . import iteration, layout, proofs, row_sums, solves
from .arithmetic import absolute_sum, clear, dot, larger, largest, smaller, step_to
from .endings import CONVERGED, EXTREME, TOO_LARGE
from .iteration import Model
from .proofs import EPS, RAISED, RAW_ERRORS, SUM_ERRORS, WALK, Proof
from .softmax import SoftmaxFit, conclude, most_curvature, prepare, unfinished
from .softmax_layout import Places, common_size, padded, to_classes, to_contrasts
from .softmax_proofs import lost_in_units
from .softmax_separation import last_change_separates, look_for_separation
from .softmax_steps import move
from .softmax_sums import add_penalty, predict_rows, sum_slopes

__all__ = ["fit_small_softmax_cg", "small_softmax_cg_work_size"]

# As in solvers.newton_cg, but for the share that may be left of the Newton equation: 0.35 takes
# digits at C=100 from 97 passes to 101, and from 13 matrices of the classes to 15.
MAX_PRODUCTS, TIMES_UNKNOWNS, SOME_MORE = 500, 4, 20
# Products of all iterations together, after which each has one: nobody waits for long.
MOST_PRODUCTS = 2000
ACCURACY = 0.25
FAR, LONG = 0.1, 4.0
LEFT, STRETCH = 0.5, 64.0
# Rows whose curvature is below this share of the mean are left out of a class's block: together
# they have less than that share of it. But only where no more than the second share is left.
TINY, FEW = 1e-3, 0.7
# Products with the Hessian that a block for each class costs, for each column.
PRICE = 0.3


class Room(NamedTuple):
    """Where the rest of a fit lies: vectors of contrasts, and what the blocks are made of.

    `factors` has a block for each class, `rows` the columns of those that are not left out, as many
    as all rows have, and four more; `state` says whether there are blocks, products and way since
    they were made, and all products.
    """

    residual: int
    smooth: int
    search: int
    times: int
    factors: int
    intercepts: int
    inverse: int
    state: int
    rows: int


# Vectors of contrasts, and columns of the rows that are not left out besides those of X.
VECTORS, KEPT_PARTS, STATES = 4, 4, 8


@part
def find_room(at: Places) -> Room:
    one = at.one
    factors = at.matrix + VECTORS * at.width
    intercepts = factors + at.n_classes * one.width * one.width
    square = padded(at.n_classes) * padded(at.n_classes)
    state = intercepts + 2 * square
    return Room(
        at.matrix, at.matrix + at.width, at.matrix + 2 * at.width, at.matrix + 3 * at.width,
        factors, intercepts, intercepts + square, state, state + STATES,
    )  # fmt: skip


@part
def work_size(n_samples: int, n_features: int, n_classes: int) -> int:
    one, square = layout.vector_width(n_features), padded(n_classes) * padded(n_classes)
    return (
        common_size(n_samples, n_features, n_classes)
        + VECTORS * padded((n_classes - 1) * (n_features + 1))
        + n_classes * one * one
        + 2 * square
        + STATES
        + layout.column_height(n_samples) * (n_features + 1 + KEPT_PARTS)
    )


def _small_softmax_cg_work_size(n_samples: int, n_features: int, n_classes: int) -> int:
    """Return how many float64 the work array of a fit needs, as `small_softmax_work_size`."""
    return work_size(n_samples, n_features, n_classes)


small_softmax_cg_work_size = entry(_small_softmax_cg_work_size)


# ------------------------------------------------------------------------------------------------
# Products


@part
def curve_rows(work: Any, at: Places) -> None:
    """Turn a direction's raw predictions v into w p (v - p' v)."""
    one, height = at.one, np.uint64(at.one.height)
    middle, weight = np.uint64(one.tail), np.uint64(one.weight)
    for row in range(height):
        work[middle + row] = 0.0
    for k in range(at.n_classes):
        raw, proba = np.uint64(at.raw + k * one.height), np.uint64(at.proba + k * one.height)
        for row in range(height):
            work[middle + row] += work[proba + row] * work[raw + row]
    for k in range(at.n_classes):
        raw, proba = np.uint64(at.raw + k * one.height), np.uint64(at.proba + k * one.height)
        for row in range(height):
            share = work[weight + row] * work[proba + row]
            work[raw + row] = share * (work[raw + row] - work[middle + row])


@part
def hessian_product(work: Any, at: Places, weight: float, vector: int, to: int) -> None:
    """Put the Hessian times a direction there. Overwrites raw predictions, classes and slopes."""
    keep_apart()
    one = at.one
    work[one.counts + 1] += 1.0
    to_classes(work, at, vector, at.classes)
    predict_rows(work, at, 0.0)
    curve_rows(work, at)
    sum_slopes(work, at)
    to_contrasts(work, at, at.slopes, to)
    add_penalty(work, at, weight, vector, to)


# ------------------------------------------------------------------------------------------------
# The preconditioner: a block for each class


@part
def with_factor(one: layout.Places, factor: int) -> layout.Places:
    """The places of a class alone, with a factor of its own."""
    return layout.Places(
        one.n_rows, one.height, one.size, one.width, one.columns, one.offset, one.weight,
        one.target, one.raw, one.tail, one.residual, one.curvature, one.scaled, one.matrix, factor,
        one.l2, one.theta, one.gradient, one.trial, one.trial_gradient, one.direction, one.half,
        one.last, one.center, one.scale, one.column, one.counts,
    )  # fmt: skip


@part
def with_rows(one: layout.Places, rows: int, count: int) -> layout.Places:
    """The places of a class alone, with some rows that lie from `rows` on in place of all."""
    height = layout.column_height(count)
    curvature = rows + height * one.size
    return layout.Places(
        count, height, one.size, one.width, rows, one.offset, one.weight, one.target, one.raw,
        one.tail, one.residual, curvature, curvature + height, one.matrix, one.factor, one.l2,
        one.theta, one.gradient, one.trial, one.trial_gradient, one.direction, one.half, one.last,
        one.center, one.scale, one.column, one.counts,
    )  # fmt: skip


@part
def sum_curvature(work: Any, at: Places, k: int) -> float:
    """Put a class's row curvatures w p (1 - p) into `one.curvature`; return their sum."""
    one, height = at.one, np.uint64(at.one.height)
    proba, weight = np.uint64(at.proba + k * one.height), np.uint64(one.weight)
    curvature, whole = np.uint64(one.curvature), 0.0
    for row in range(height):
        p = work[proba + row]
        work[curvature + row] = work[weight + row] * (p * (1.0 - p))
    for row in range(height):
        whole += work[curvature + row]
    return whole


@part
def sum_block(work: Any, at: Places, k: int, room: Room) -> None:
    """Put the products of the columns weighted by a class's curvatures into `one.matrix`."""
    keep_apart()
    one = at.one
    least = TINY * sum_curvature(work, at, k) / one.n_rows
    places, count = np.uint64(one.tail), 0
    for row in range(one.n_rows):
        work[places + np.uint64(count)] = float(row)
        count += 1 if work[one.curvature + row] >= least else 0
    work[one.counts + 1] += 1.0
    if count > FEW * one.n_rows:
        row_sums.sum_products(work, one, one.curvature)
        return
    kept = with_rows(one, room.rows, count)
    for j in range(one.size + 1):
        # The curvatures lie behind the columns.
        source = one.columns + j * one.height if j < one.size else one.curvature
        to, origin = np.uint64(kept.columns + j * kept.height), np.uint64(source)
        for s in range(np.uint64(count)):
            work[to + s] = work[origin + np.uint64(work[places + s])]
        end = kept.columns + (j + 1) * kept.height
        clear(work, end - kept.height + count, end)
    row_sums.sum_products(work, kept, kept.curvature)


@part
def sum_block_of_all(work: Any, at: Places) -> None:
    """Put the products of the weighted columns into `one.factor`."""
    one = at.one
    step_to(work, one.weight, 0.0, one.weight, one.curvature, one.height)
    row_sums.sum_products(work, one, one.curvature)
    step_to(work, one.matrix, 0.0, one.matrix, one.factor, one.size * one.width)
    work[one.counts + 1] += 1.0


@part
def make_blocks(work: Any, at: Places, weight: float, room: Room, is_first: bool) -> bool:
    """Factor the Hessian of each class by itself; False where one is singular.

    The first ones, of predictions that hardly differ, have the same products of the columns.
    """
    keep_apart()
    one = at.one
    if is_first:
        sum_block_of_all(work, at)
    for k in range(at.n_classes):
        factor = 1.0 / weight
        if is_first:
            factor = sum_curvature(work, at, k) / (weight * weight)
            step_to(work, one.factor, 0.0, one.factor, one.matrix, one.size * one.width)
        else:
            sum_block(work, at, k, room)
        for j in range(one.size):
            row = one.matrix + j * one.width
            for m in range(j, one.size):
                work[row + m] *= factor
            clear(work, row + one.size, row + one.width)
            work[row + j] += work[one.l2 + j]
        own = with_factor(one, room.factors + k * one.width * one.width)
        if not solves.factor_matrix(work, own):
            return False
    return True


@part
def precondition(work: Any, at: Places, room: Room, vector: int, to: int) -> None:
    """Put the inverse of the blocks times a vector there. Overwrites slopes."""
    keep_apart()
    one = at.one
    to_classes(work, at, vector, at.slopes)
    for k in range(at.n_classes):
        own = with_factor(one, room.factors + k * one.width * one.width)
        solves.solve_half(work, own, at.slopes + k * one.width, 0)
        solves.solve_rest(work, own, at.slopes + k * one.width)
    to_contrasts(work, at, at.slopes, to)


# ------------------------------------------------------------------------------------------------
# The direction: see solvers.newton_cg


@part
def penalty_norm(work: Any, at: Places, vector: int) -> float:
    """Squared size of the slopes of a gradient in the norm of the inverse penalty."""
    one, found = at.one, 0.0
    for a in range(at.n_classes - 1):
        for j in range(one.size):
            if work[one.l2 + j] > 0.0:
                value = work[vector + a * one.size + j]
                found += value * value / work[one.l2 + j]
    return found


@part
def has_slopes(work: Any, at: Places) -> bool:
    """Say whether predictions at theta differ among the rows, as at a start that was given."""
    one, found = at.one, False
    for a in range(at.n_classes - 1):
        for j in range(one.size - 1):
            found = found or work[at.theta + a * one.size + j] != 0.0
    return found


@part
def newton_step(work: Any, at: Places, weight: float, wanted: float) -> bool:
    """Put about Newton's step into `direction`; False where there are no blocks to precondition."""
    keep_apart()
    one = at.one
    room = find_room(at)
    price = PRICE * one.size
    state = room.state
    far, spent = work[state + 2] > FAR, work[state + 1]
    if work[state] == 0.0 or (spent >= price and (far or spent >= LONG * price)):
        is_first = work[state] == 0.0 and not has_slopes(work, at)
        work[state], work[state + 2] = 1.0, 0.0
        work[state + 1] = 0.5 * price if is_first else 0.0
        if not make_blocks(work, at, weight, room, is_first):
            work[state + 1], work[state + 2] = LONG * price, math.inf
            return False
    step_to(work, at.gradient, -2.0, at.gradient, room.residual, at.width)
    clear(work, at.direction, at.direction + at.width)
    precondition(work, at, room, room.residual, room.smooth)
    step_to(work, room.smooth, 0.0, room.smooth, room.search, at.width)
    size = dot(work, room.residual, room.smooth, at.width)
    work[state + 2] += math.sqrt(larger(size, 0.0))
    left = ACCURACY * ACCURACY * size
    is_last = left <= STRETCH * 2.0 * LEFT * wanted
    if is_last:
        left = smaller(left, 2.0 * LEFT * wanted)
    most = smaller(MAX_PRODUCTS, TIMES_UNKNOWNS * at.size + SOME_MORE)
    most = larger(1, smaller(most, MOST_PRODUCTS - np.int64(work[state + 3])))
    for products in range(most):
        rough = is_last and penalty_norm(work, at, room.residual) > LEFT * wanted
        if not (size > left or rough or products == 0):
            break
        hessian_product(work, at, weight, room.search, room.times)
        work[state + 1] += 1.0
        work[state + 3] += 1.0
        curved = dot(work, room.search, room.times, at.width)
        if not 0.0 < curved < math.inf:
            break
        step = size / curved
        step_to(work, at.direction, step, room.search, at.direction, at.width)
        step_to(work, room.residual, -step, room.times, room.residual, at.width)
        precondition(work, at, room, room.residual, room.smooth)
        before, size = size, dot(work, room.residual, room.smooth, at.width)
        if not size > 0.0:
            break
        step_to(work, room.smooth, size / before, room.search, room.search, at.width)
    return True


# ------------------------------------------------------------------------------------------------
# The proof: see certificates.softmax


@part
def intercept_places(at: Places, room: Room) -> layout.Places:
    """The curvature of the intercepts, in contrasts, as a small Hessian with its factor."""
    one, width = at.one, padded(at.n_classes)
    return layout.Places(
        one.n_rows, one.height, at.n_classes - 1, width, one.columns, one.offset, one.weight,
        one.target, one.raw, one.tail, one.residual, one.curvature, one.scaled,
        room.intercepts, room.inverse, one.l2, one.theta, one.gradient, one.trial,
        one.trial_gradient, one.direction, one.half, one.last, one.center, one.scale, one.column,
        one.counts,
    )  # fmt: skip


@part
def sum_intercepts(work: Any, at: Places, weight: float, level: layout.Places) -> None:
    """Put the Hessian of the intercepts, in contrasts, into `level.matrix`."""
    one, n_contrasts, height = at.one, at.n_classes - 1, np.uint64(at.one.height)
    clear(work, level.matrix, level.matrix + level.size * level.width)
    curvature, weights = np.uint64(one.curvature), np.uint64(one.weight)
    for k in range(1, at.n_classes):
        left = np.uint64(at.proba) + np.uint64(k) * height
        for row in range(height):
            work[curvature + row] = work[weights + row] * work[left + row]
        for other in range(k):
            right = at.proba + other * one.height
            both = dot(work, one.curvature, right, one.height) / weight
            for a in range(n_contrasts):
                first = work[at.basis + k * n_contrasts + a]
                first -= work[at.basis + other * n_contrasts + a]
                for b in range(a, n_contrasts):
                    second = work[at.basis + k * n_contrasts + b]
                    second -= work[at.basis + other * n_contrasts + b]
                    work[level.matrix + a * level.width + b] += both * first * second


class Levels(NamedTuple):
    """What is known of the intercepts' curvature A, in the classes: bounds above the truth.

    Traces of A and of its inverse, the largest (e_j - e_k)' A^-1 (e_j - e_k), and the factor by
    which rounding errors may make the inverse too small; infinite where there is none.
    """

    trace: float
    inverse_trace: float
    apart: float
    excess: float


@part
def know_levels(
    work: Any, at: Places, weight: float, level: layout.Places, errors: float
) -> Levels:
    """Factor the Hessian of the intercepts."""
    sum_intercepts(work, at, weight, level)
    trace, inverse_trace, scaled, apart = 0.0, 0.0, 0.0, 0.0
    n_contrasts = at.n_classes - 1
    for a in range(n_contrasts):
        trace += work[level.matrix + a * (level.width + 1)]
    if not solves.factor_matrix(work, level):
        return Levels(trace, math.inf, math.inf, math.inf)
    for a in range(n_contrasts):
        clear(work, at.trial, at.trial + level.width)
        work[at.trial + a] = 1.0
        solves.solve_half(work, level, at.trial, 0)
        square = dot(work, at.trial, at.trial, level.width)
        inverse_trace += square
        scaled += square * work[level.matrix + a * (level.width + 1)]
    for k in range(1, at.n_classes):
        for other in range(k):
            clear(work, at.trial, at.trial + level.width)
            for a in range(n_contrasts):
                work[at.trial + a] = work[at.basis + k * n_contrasts + a]
                work[at.trial + a] -= work[at.basis + other * n_contrasts + a]
            solves.solve_half(work, level, at.trial, 0)
            apart = larger(apart, dot(work, at.trial, at.trial, level.width))
    error = errors * RAISED * scaled
    excess = 1.0 / (1.0 - error) if error < 0.5 else math.inf
    return Levels(trace, inverse_trace, apart, excess)


@part
def reduced_norm(work: Any, at: Places, weight: float, level: layout.Places, room: Room) -> float:
    """Squared norm of the residual by M^-1, for M of penalty and curvature of the intercepts.

    Overwrites `search` and `times`. The factor of the intercepts is there.
    """
    one, n_contrasts = at.one, at.n_classes - 1
    last = one.size - 1
    clear(work, at.trial, at.trial + level.width)
    for a in range(n_contrasts):
        work[at.trial + a] = work[room.residual + a * one.size + last]
    solves.solve_half(work, level, at.trial, 0)
    found = dot(work, at.trial, at.trial, level.width)
    solves.solve_rest(work, level, at.trial)
    clear(work, room.search, room.search + at.width)
    for a in range(n_contrasts):
        work[room.search + a * one.size + last] = work[at.trial + a]
    hessian_product(work, at, weight, room.search, room.times)
    step_to(work, room.residual, -1.0, room.times, room.times, at.width)
    return found + penalty_norm(work, at, room.times)


@part
def largest_row(work: Any, at: Places) -> float:
    """Largest size of a row in the norm of the inverse penalty."""
    one, height = at.one, np.uint64(at.one.height)
    clear(work, one.raw, one.raw + one.height)
    squares = np.uint64(one.raw)
    for j in range(one.size):
        l2, column = work[one.l2 + j], np.uint64(one.columns + j * one.height)
        if l2 > 0.0:
            for row in range(height):
                value = work[column + row]
                work[squares + row] += value * value / l2
    return math.sqrt(largest(work, one.raw, one.n_rows))


@part
def prove(work: Any, at: Places, weight: float, cost: float, offset: float, wanted: float) -> Proof:
    """Bound what the cost at theta lacks: g = r - H d, for the step d and what it leaves, r.

    ``delta <= sqrt(d' H d) + sqrt(r' H^-1 r)``, and the last root is at most that for M of the
    penalty and the intercepts. `offset` is the largest one.
    """
    keep_apart()
    one, n_classes = at.one, at.n_classes
    room = find_room(at)
    has_levels = work[one.l2 + one.size - 1] == 0.0
    errors = EPS * (SUM_ERRORS + WALK * math.sqrt(one.n_rows / proofs.CHUNKS))
    hessian_product(work, at, weight, at.direction, room.times)
    length = math.sqrt(larger(dot(work, at.direction, room.times, at.width), 0.0))
    step_to(work, at.gradient, 1.0, room.times, room.residual, at.width)
    rho, scale = largest_row(work, at), 0.0
    for j in range(one.size):
        if work[one.l2 + j] > 0.0:
            scale += 1.0 / work[one.l2 + j]
    size, radius, swell = math.sqrt(scale), math.sqrt(2.0) * rho, 1.0
    if has_levels:
        level = intercept_places(at, room)
        known = know_levels(work, at, weight, level, errors)
        if not known.excess < math.inf:
            return Proof(math.inf, 0.0, False)
        rest = reduced_norm(work, at, weight, level, room)
        reach = rho * (math.sqrt(2.0) + math.sqrt(known.trace * known.apart))
        radius = math.sqrt(reach * reach + known.apart)
        size += rho + math.sqrt(known.inverse_trace)
        swell = math.sqrt(known.excess)
    else:
        rest = penalty_norm(work, at, room.residual)
    to_classes(work, at, at.theta, at.classes)
    reach = absolute_sum(work, at.classes, n_classes * one.width) + offset
    raw = EPS * (RAW_ERRORS + math.sqrt(float(one.size)) + n_classes)
    noise = errors * (smaller(1.0, math.sqrt(cost)) + length)
    noise += raw * reach * smaller(0.5, math.sqrt(cost))
    noise *= math.sqrt(float(n_classes)) * size
    delta = (length + math.sqrt(rest) + noise) * swell
    # A step with g' d = -s^2 of length s changes the cost by s^2 (0.6 - 1) at the most, for s R
    # below a half (see `solvers.newton`).
    slope = dot(work, at.gradient, at.direction, at.width)
    is_sure = length * radius * swell < 0.5 and slope <= -0.9 * length * length
    return Proof(proofs.gain_bound(delta, radius * swell), noise, is_sure)


iterate = iteration.make_iterate(
    Model(
        newton_step, most_curvature, prove, lost_in_units, move, last_change_separates,
        look_for_separation,
    )
)  # fmt: skip


@part
def all_penalized(work: Any, at: Places, fit_intercept: bool) -> bool:
    slopes, every = at.one.size - 1 if fit_intercept else at.one.size, True
    for j in range(slopes):
        every = every and work[at.one.l2 + j] > 0.0
    return every


def _fit_small_softmax_cg(
    X: Any, y: Any, sample_weight: Any, offset: Any, l2_reg: Any, fit_intercept: bool, start: Any,
    tol: float, max_iter: int, work: Any, history_out: Any, coef_out: Any, intercept_out: Any,
) -> SoftmaxFit:  # fmt: skip
    """Fit one softmax model by Newton's method with conjugate gradients, in one call.

    As `fit_small_softmax`, with ``small_softmax_cg_work_size`` numbers for `work`; for some hundred
    parameters. EXTREME also where a column has no penalty.
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
    if not all_penalized(work, at, fit_intercept):
        return unfinished(EXTREME, coef_out, intercept_out)
    state = find_room(at).state
    clear(work, state, state + STATES)
    end = iterate(
        work, at, begun.weight, begun.reach, fit_intercept, begun.cost, tol, most, history_out
    )
    return conclude(end, work, at, fit_intercept, coef_out, intercept_out)


fit_small_softmax_cg = entry(_fit_small_softmax_cg, name="whole")
