"""Serial kernels over one block of rows: what every pass does while the block is in cache.

A block is `rows_per_block` rows that lie in a flat array, each `stride` elements after the one
before, `width` of them used. Vectors that meet the rows (coefficients, centre, gradient) are
*packed*: padded to whole 8-lane vectors, of which the last one overlaps the one before, so that the
last columns of a row need neither a mask nor a scalar loop. Overlapped lanes carry coefficient 0.
"""

from __future__ import annotations

from typing import Any

from .elementwise import exp_nonpositive, log1p_unit
from .policy import formula, kernel
from .simd import (
    LANES,
    add,
    byteswap,
    load,
    multiply_add,
    prefetch,
    splat,
    store,
    subtract,
    total,
)

__all__ = [
    "add_gradient",
    "add_offset",
    "add_squares",
    "binomial_residual",
    "gather",
    "linear_residual",
    "logistic_curvature",
    "packed_width",
    "predict_and_add_gradient",
    "predict_rows",
    "rows_per_block",
    "squared_residual",
    "sum_block",
    "unpack_slot",
    "weigh",
]

# Four rows share each load of coefficient, centre and gradient.
UNROLL = 4
# How far ahead of the row being read the next lines are asked for, in elements. Without it the
# short rows of 1,000,000 x 100 break the hardware's streams: 2.3 reads of X per pass, 1.5 with it.
AHEAD = 2048


@kernel
def packed_width(n_features: int) -> int:
    """Length of a packed vector of `n_features`: whole vectors, at least one."""
    return max(1, (n_features + LANES - 1) // LANES) * LANES


@kernel
def rows_per_block(n_features: int) -> int:
    """Rows of one block: two blocks stay in L1 or L2, and 32 short rows fill exp's vectors."""
    return 32 if n_features <= 64 else 16


@formula
def unpack_slot(column: int, width: int, packed: int) -> int:
    """Place of `column` in a packed vector for rows of `width` elements."""
    last = packed - LANES
    return column if column < last else last + column - (width - LANES)


@kernel
def gather(
    X: Any, swapped: bool, start: int, count: int, width: int, rows_out: Any, to: int
) -> None:
    """Copy rows `start .. start + count` of any X, as float64 and padded, to `rows_out[to:]`."""
    n_features = X.shape[1]
    for row in range(count):
        place = to + row * width
        for column in range(n_features):
            value = X[start + row, column]
            rows_out[place + column] = byteswap(value) if swapped else value


@kernel
def predict_rows(
    rows: Any, place: int, stride: int, width: int, count: int,
    coef: Any, intercept: float, center: Any, raw_out: Any,
) -> None:  # fmt: skip
    """Raw prediction of `count` rows, one at a time."""
    last = coef.size - LANES
    for row in range(count):
        start = place + row * stride
        partial = splat(0.0)
        column = 0
        while column < last:
            centred = subtract(load(rows, start + column), load(center, column))
            partial = multiply_add(centred, load(coef, column), partial)
            column += LANES
        centred = subtract(load(rows, start + width - LANES), load(center, last))
        partial = multiply_add(centred, load(coef, last), partial)
        raw_out[row] = total(partial) + intercept


@kernel
def add_gradient(
    rows: Any, place: int, stride: int, width: int, count: int,
    center: Any, residual: Any, gradient_out: Any,
) -> None:  # fmt: skip
    """Add residual times centred row for `count` rows, one at a time."""
    last = gradient_out.size - LANES
    for row in range(count):
        start = place + row * stride
        factor = splat(residual[row])
        column = 0
        while column < last:
            centred = subtract(load(rows, start + column), load(center, column))
            store(gradient_out, column, multiply_add(centred, factor, load(gradient_out, column)))
            column += LANES
        centred = subtract(load(rows, start + width - LANES), load(center, last))
        store(gradient_out, last, multiply_add(centred, factor, load(gradient_out, last)))


@kernel
def prefetch_lines(rows: Any, place: int) -> None:
    """Ask for the four cache lines from `place` on: as much as four rows use in one step."""
    prefetch(rows, place)
    prefetch(rows, place + LANES)
    prefetch(rows, place + 2 * LANES)
    prefetch(rows, place + 3 * LANES)


@kernel
def predict_and_add_gradient(
    rows: Any, current: int, following: int, stride: int, width: int, count: int,
    coef: Any, intercept: float, center: Any, residual: Any, raw_out: Any, gradient_out: Any,
) -> None:  # fmt: skip
    """Gradient of the current block and raw prediction of the following one, in one sweep.

    Doing both at once keeps memory busy all the time: while the gradient works on rows that are
    in L1, the prediction pulls in the next ones. `count` is a multiple of four.
    """
    last = coef.size - LANES
    tail = width - LANES
    for row in range(0, count, UNROLL):
        p0 = current + row * stride
        p1, p2, p3 = p0 + stride, p0 + 2 * stride, p0 + 3 * stride
        q0 = following + row * stride
        q1, q2, q3 = q0 + stride, q0 + 2 * stride, q0 + 3 * stride
        r0, r1 = splat(residual[row]), splat(residual[row + 1])
        r2, r3 = splat(residual[row + 2]), splat(residual[row + 3])
        a0, a1, a2, a3 = splat(0.0), splat(0.0), splat(0.0), splat(0.0)
        ahead = q0 + AHEAD
        column = 0
        while column < last:
            prefetch_lines(rows, ahead)
            ahead += UNROLL * LANES
            mu, c = load(center, column), load(coef, column)
            a0 = multiply_add(subtract(load(rows, q0 + column), mu), c, a0)
            a1 = multiply_add(subtract(load(rows, q1 + column), mu), c, a1)
            a2 = multiply_add(subtract(load(rows, q2 + column), mu), c, a2)
            a3 = multiply_add(subtract(load(rows, q3 + column), mu), c, a3)
            g = load(gradient_out, column)
            g = multiply_add(subtract(load(rows, p0 + column), mu), r0, g)
            g = multiply_add(subtract(load(rows, p1 + column), mu), r1, g)
            g = multiply_add(subtract(load(rows, p2 + column), mu), r2, g)
            g = multiply_add(subtract(load(rows, p3 + column), mu), r3, g)
            store(gradient_out, column, g)
            column += LANES
        prefetch_lines(rows, ahead)
        mu, c = load(center, last), load(coef, last)
        a0 = multiply_add(subtract(load(rows, q0 + tail), mu), c, a0)
        a1 = multiply_add(subtract(load(rows, q1 + tail), mu), c, a1)
        a2 = multiply_add(subtract(load(rows, q2 + tail), mu), c, a2)
        a3 = multiply_add(subtract(load(rows, q3 + tail), mu), c, a3)
        g = load(gradient_out, last)
        g = multiply_add(subtract(load(rows, p0 + tail), mu), r0, g)
        g = multiply_add(subtract(load(rows, p1 + tail), mu), r1, g)
        g = multiply_add(subtract(load(rows, p2 + tail), mu), r2, g)
        g = multiply_add(subtract(load(rows, p3 + tail), mu), r3, g)
        store(gradient_out, last, g)
        raw_out[row] = total(a0) + intercept
        raw_out[row + 1] = total(a1) + intercept
        raw_out[row + 2] = total(a2) + intercept
        raw_out[row + 3] = total(a3) + intercept


@kernel
def binomial_residual(
    raw: Any, codes: Any, first: int, positive: int, count: int, cost_out: Any
) -> None:
    """Turn raw predictions into residuals in place, and give their cost; `positive` counts as 1."""
    # In a loop of its own: exp and log1p in one chain wait for each other, a tenth of a pass.
    for row in range(count):
        cost_out[row] = exp_nonpositive(-abs(raw[row]))
    for row in range(count):
        z = raw[row]
        zero_target = codes[first + row] != positive
        wrong = zero_target == (z >= 0.0)
        tail = cost_out[row]
        # proba - target and max(z, 0) - target * z, each without a difference that could cancel.
        share = (1.0 if wrong else tail) / (1.0 + tail)
        raw[row] = share if zero_target else -share
        cost_out[row] = log1p_unit(tail) + (abs(z) if wrong else 0.0)


@kernel
def squared_residual(raw: Any, count: int, cost_out: Any) -> None:
    """Cost z^2 / 2, whose derivative is z itself."""
    for row in range(count):
        cost_out[row] = 0.5 * raw[row] * raw[row]


@kernel
def linear_residual(raw: Any, count: int, cost_out: Any) -> None:
    """Cost z, with derivative 1."""
    for row in range(count):
        cost_out[row] = raw[row]
        raw[row] = 1.0


@kernel
def add_offset(offset: Any, first: int, count: int, raw_out: Any) -> None:
    """Add the fixed part of the raw predictions of a block."""
    for row in range(count):
        raw_out[row] += offset[first + row]


@kernel
def logistic_curvature(residual: Any, count: int, curvature_out: Any) -> None:
    """Second derivative proba (1 - proba) of the loss, from the residual proba - y."""
    for row in range(count):
        wrong = abs(residual[row])
        curvature_out[row] = wrong * (1.0 - wrong)


@kernel
def weigh(weights: Any, first: int, count: int, values_out: Any) -> None:
    """Multiply a block's values by their rows' weights (0 * inf counts as 0)."""
    for row in range(count):
        weight = weights[first + row]
        values_out[row] = values_out[row] * weight if weight > 0.0 else 0.0


@kernel
def sum_block(values: Any, count: int) -> float:
    """Sum in eight fixed lanes; `count` beyond the last whole vector one by one."""
    partial = splat(0.0)
    whole = count - count % LANES
    for place in range(0, whole, LANES):
        partial = add(partial, load(values, place))
    result = total(partial)
    for place in range(whole, count):
        result += values[place]
    return result


@kernel
def add_squares(
    rows: Any, place: int, stride: int, width: int, count: int,
    center: Any, residual: Any, sums_out: Any,
) -> None:  # fmt: skip
    """Add residual times the squares of the centred row for `count` rows."""
    last = sums_out.size - LANES
    zero = splat(0.0)
    for row in range(count):
        start = place + row * stride
        factor = splat(residual[row])
        column = 0
        while column < last:
            centred = subtract(load(rows, start + column), load(center, column))
            scaled = multiply_add(centred, factor, zero)
            store(sums_out, column, multiply_add(centred, scaled, load(sums_out, column)))
            column += LANES
        centred = subtract(load(rows, start + width - LANES), load(center, last))
        scaled = multiply_add(centred, factor, zero)
        store(sums_out, last, multiply_add(centred, scaled, load(sums_out, last)))
