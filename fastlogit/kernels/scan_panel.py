"""Four columns of a scan at a time: the quick way of `scan`, for columns that are ordinary.

A column x is taken as what the covariates leave of it, ``r = x - Q' a``, so that the null's Hessian
is diagonal, and the first Newton step goes along r alone: raw predictions change by ``b r``. Then
with ``m = e^(b r) - 1`` and the null's proba p a row's new residual is ``c m / (1 + p m)`` above
the old one, and its curvature ``c (1 + m) / (1 + p m)^2``: no labels, no signs, and no difference
of large numbers. One pass sums gradient and Hessian there for all four columns, whose loads of the
covariates, and products of pairs of them, are shared. What follows is what
`scan_optimum.polish` does where its first step is the last.

Columns that lack values, that change a raw prediction by much, or whose last step would not be a
short one are left to `scan.fit_column`. A column has the same bits whatever its neighbours are.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from .inlining import keep_apart
from .policy import part
from .simd import (
    LANES,
    add,
    aligned,
    broadcast,
    divide,
    load,
    maximum,
    multiply_add,
    splat,
    store,
    subtract,
    total,
)
from .small import layout
from .small.arithmetic import clear, larger, smaller

__all__ = [
    "COLUMNS",
    "FARTHEST",
    "Panel",
    "change_of_loss",
    "correct_panel",
    "lay_out_panel",
    "leave_the_rest",
    "load_panel",
    "look_at_columns",
    "panel_size",
    "pass_panel",
    "peak_of",
    "put_column",
    "put_nothing",
    "put_system",
]

# Columns at a time, and rows: four times as many numbers of each of three kinds are 24 KB.
COLUMNS, BLOCK = 4, 256
# Blocks after which logarithms are taken of products of 128 factors of at most e^2.
LOGARITHMS = 4
# How far a raw prediction may go from the null's.
FARTHEST = 2.0
# Vectors of parameters of each column.
VECTORS = 3


class Panel(NamedTuple):
    """Where the parts of a panel lie in its array.

    Four columns each, one after the other: `own`, what the covariates leave of a column, and
    `slope`, 1 - 2 proba, with `height` numbers each; `curvature`, `bent` (curvature
    times r) and `moved` (change of residuals) of a block. `base_curvature`, `proba` and `residual`
    are the null's. `sums` has a vector for each sum and column: products of r, pairs of covariates,
    covariates with `bent`, and with `moved`.
    """

    n_rows: int
    height: int
    n_basis: int
    width: int
    n_threes: int
    n_pairs: int
    own: int
    slope: int
    base_curvature: int
    proba: int
    residual: int
    third: int
    fourth: int
    curvature: int
    bent: int
    moved: int
    explained: int
    direction: int
    share: int
    base_gradient: int
    base_positive: int
    scalars: int
    sums: int


# Sums of a column besides those of covariates: r bent, r moved (at the null the square, and the
# products with the residuals and with the positive rows), the product of factors, the largest r,
# third and fourth derivatives of the null's loss along r.
BENT, MOVED, POSITIVE, FACTORS, PEAK, THIRD, FOURTH, N_OWN = 0, 1, 2, 3, 4, 5, 6, 7
# Numbers of a column: its first step, the sum of the logarithms of its factors, its score, and sums
# of third derivatives, by how much its last step moves a raw prediction at the most, and the sum of
# curvature (moved share)^2.
STEP, LOGARITHM, SLOPE, SPREAD, SHIFT, CUBE, MOST, SECOND = 0, 1, 2, 3, 4, 5, 6, 7
# And: whether it is in the panel (1 or 0), what it is scaled by, what is left of its square, the
# sum of it over the positive rows, the decrement, a diagonal element of the inverse Hessian, its
# trace, and the same times the diagonal of the Hessian.
SCALE, REST, POSITIVES, DECREMENT, VARIANCE, INVERSE, SCALED = 1, 2, 3, 4, 5, 6, 7


@part
def in_threes(count: int) -> int:
    return (count + 2) // 3 * 3


@part
def panel_size(n_samples: int, n_basis: int) -> int:
    """How many float64 the array of a panel needs."""
    height, width = layout.column_height(n_samples), layout.vector_width(n_basis)
    n_sums = N_OWN + 2 * in_threes(n_basis) + in_threes(n_basis * (n_basis + 1) // 2)
    numbers = (2 * COLUMNS + 5) * height + 3 * COLUMNS * BLOCK
    numbers += (VECTORS * COLUMNS + 2) * width + 2 * COLUMNS * LANES + n_sums * COLUMNS * LANES
    return numbers + LANES - 1


@part
def lay_out_panel(area: Any, n_rows: int, n_basis: int) -> Panel:
    """Say where the parts of a panel lie."""
    height, width = layout.column_height(n_rows), layout.vector_width(n_basis)
    own = aligned(area)
    slope = own + COLUMNS * height
    base = slope + COLUMNS * height
    block = base + 5 * height
    vectors = block + 3 * COLUMNS * BLOCK
    scalars = vectors + (VECTORS * COLUMNS + 2) * width
    return Panel(
        n_rows, height, n_basis, width, in_threes(n_basis),
        in_threes(n_basis * (n_basis + 1) // 2),
        own, slope, base, base + height, base + 2 * height, base + 3 * height, base + 4 * height,
        block, block + COLUMNS * BLOCK, block + 2 * COLUMNS * BLOCK,
        vectors, vectors + COLUMNS * width, vectors + 2 * COLUMNS * width,
        vectors + 3 * COLUMNS * width, vectors + (3 * COLUMNS + 1) * width,
        scalars, scalars + 2 * COLUMNS * LANES,
    )  # fmt: skip


@part
def scalars_of(panel: Panel, slot: int) -> int:
    return panel.scalars + slot * LANES


@part
def kept_of(panel: Panel, slot: int) -> int:
    return panel.scalars + (COLUMNS + slot) * LANES


@part
def sum_place(panel: Panel, item: int, slot: int) -> int:
    return panel.sums + (item * COLUMNS + slot) * LANES


@part
def sum_of(area: Any, panel: Panel, item: int, slot: int) -> float:
    return total(load(area, sum_place(panel, item, slot)))


# ------------------------------------------------------------------------------------------------
# What the columns share


@part
def load_panel(null: Any, work: Any, at: layout.Places, area: Any, panel: Panel) -> None:
    """Copy the state of the null; `work` has the covariates and labels."""
    keep_apart()
    clear(area, panel.own, panel.sums)
    for row in range(panel.n_rows):
        tail, inverse = null.tail[row], 1.0 / (1.0 + null.tail[row])
        area[panel.base_curvature + row] = null.curvature[row]
        area[panel.residual + row] = null.residual[row]
        area[panel.proba + row] = inverse if null.raw[row] >= 0.0 else tail * inverse
        lean = (1.0 - tail) * inverse if null.raw[row] < 0.0 else (tail - 1.0) * inverse
        area[panel.third + row] = null.curvature[row] * lean
        # (p q)' = p q (q - p), and of that p q (1 - 6 p q).
        spread = tail * inverse * inverse
        area[panel.fourth + row] = null.curvature[row] * (1.0 - 6.0 * spread)
    for k in range(panel.n_basis):
        gradient, positive = splat(0.0), splat(0.0)
        column = at.columns + k * at.height
        for row in range(0, at.height, LANES):
            value = load(work, column + row)
            gradient = multiply_add(value, load(area, panel.residual + row), gradient)
            positive = multiply_add(value, load(work, at.target + row), positive)
        area[panel.base_gradient + k] = total(gradient)
        area[panel.base_positive + k] = total(positive)


@part
def put_column(values: Any, low: float, scale: float, area: Any, panel: Panel, slot: int) -> None:
    """Put a column into its place."""
    place = np.uint64(panel.own + slot * panel.height)
    for row in range(np.uint64(panel.n_rows)):
        area[place + row] = (values[row] - low) * scale


@part
def put_nothing(area: Any, panel: Panel, slot: int) -> None:
    """Put zeros in the place of a column."""
    clear(area, panel.own + slot * panel.height, panel.own + (slot + 1) * panel.height)


# ------------------------------------------------------------------------------------------------
# Sums


@part
def farther(most: Any, value: Any) -> Any:
    """The larger of a vector and absolute values."""
    return maximum(maximum(value, subtract(splat(0.0), value)), most)


@part
def store_four(area: Any, place: int, a: Any, b: Any, c: Any, d: Any) -> None:
    """Store vectors that follow each other."""
    store(area, place, a)
    store(area, place + LANES, b)
    store(area, place + 2 * LANES, c)
    store(area, place + 3 * LANES, d)


@part
def add_three(
    work: Any, columns: tuple[int, int, int], area: Any, right: int, begin: int, end: int,
    sums: int,
) -> None:  # fmt: skip
    """Add products of three covariates with four vectors of a block to 12 sums."""
    x0, x1, x2 = columns
    y0, y1, y2, y3 = right, right + BLOCK, right + 2 * BLOCK, right + 3 * BLOCK
    a0, a1 = load(area, sums), load(area, sums + LANES)
    a2, a3 = load(area, sums + 2 * LANES), load(area, sums + 3 * LANES)
    b0, b1 = load(area, sums + 4 * LANES), load(area, sums + 5 * LANES)
    b2, b3 = load(area, sums + 6 * LANES), load(area, sums + 7 * LANES)
    c0, c1 = load(area, sums + 8 * LANES), load(area, sums + 9 * LANES)
    c2, c3 = load(area, sums + 10 * LANES), load(area, sums + 11 * LANES)
    for row in range(begin, end, LANES):
        place = row - begin
        v0, v1 = load(area, y0 + place), load(area, y1 + place)
        v2, v3 = load(area, y2 + place), load(area, y3 + place)
        u = load(work, x0 + row)
        a0, a1 = multiply_add(u, v0, a0), multiply_add(u, v1, a1)
        a2, a3 = multiply_add(u, v2, a2), multiply_add(u, v3, a3)
        u = load(work, x1 + row)
        b0, b1 = multiply_add(u, v0, b0), multiply_add(u, v1, b1)
        b2, b3 = multiply_add(u, v2, b2), multiply_add(u, v3, b3)
        u = load(work, x2 + row)
        c0, c1 = multiply_add(u, v0, c0), multiply_add(u, v1, c1)
        c2, c3 = multiply_add(u, v2, c2), multiply_add(u, v3, c3)
    store_four(area, sums, a0, a1, a2, a3)
    store_four(area, sums + 4 * LANES, b0, b1, b2, b3)
    store_four(area, sums + 8 * LANES, c0, c1, c2, c3)


@part
def add_three_pairs(
    work: Any, lefts: tuple[int, int, int], rights: tuple[int, int, int], area: Any, right: int,
    begin: int, end: int, sums: int,
) -> None:  # fmt: skip
    """Add products of three pairs of covariates with four vectors of a block to 12 sums."""
    l0, l1, l2 = lefts
    r0, r1, r2 = rights
    y0, y1, y2, y3 = right, right + BLOCK, right + 2 * BLOCK, right + 3 * BLOCK
    zero = splat(0.0)
    a0, a1 = load(area, sums), load(area, sums + LANES)
    a2, a3 = load(area, sums + 2 * LANES), load(area, sums + 3 * LANES)
    b0, b1 = load(area, sums + 4 * LANES), load(area, sums + 5 * LANES)
    b2, b3 = load(area, sums + 6 * LANES), load(area, sums + 7 * LANES)
    c0, c1 = load(area, sums + 8 * LANES), load(area, sums + 9 * LANES)
    c2, c3 = load(area, sums + 10 * LANES), load(area, sums + 11 * LANES)
    for row in range(begin, end, LANES):
        place = row - begin
        v0, v1 = load(area, y0 + place), load(area, y1 + place)
        v2, v3 = load(area, y2 + place), load(area, y3 + place)
        u = multiply_add(load(work, l0 + row), load(work, r0 + row), zero)
        a0, a1 = multiply_add(u, v0, a0), multiply_add(u, v1, a1)
        a2, a3 = multiply_add(u, v2, a2), multiply_add(u, v3, a3)
        u = multiply_add(load(work, l1 + row), load(work, r1 + row), zero)
        b0, b1 = multiply_add(u, v0, b0), multiply_add(u, v1, b1)
        b2, b3 = multiply_add(u, v2, b2), multiply_add(u, v3, b3)
        u = multiply_add(load(work, l2 + row), load(work, r2 + row), zero)
        c0, c1 = multiply_add(u, v0, c0), multiply_add(u, v1, c1)
        c2, c3 = multiply_add(u, v2, c2), multiply_add(u, v3, c3)
    store_four(area, sums, a0, a1, a2, a3)
    store_four(area, sums + 4 * LANES, b0, b1, b2, b3)
    store_four(area, sums + 8 * LANES, c0, c1, c2, c3)


@part
def add_covariates(
    work: Any, at: layout.Places, area: Any, panel: Panel, right: int, begin: int, end: int,
    first: int,
) -> None:  # fmt: skip
    """Add the products of each covariate with four vectors of a block to sums from `first` on."""
    last = panel.n_basis - 1
    for k in range(0, panel.n_basis, 3):
        columns = (
            at.columns + k * at.height,
            at.columns + smaller(k + 1, last) * at.height,
            at.columns + smaller(k + 2, last) * at.height,
        )
        add_three(work, columns, area, right, begin, end, sum_place(panel, first + k, 0))


@part
def next_pair(i: int, j: int, n_basis: int) -> tuple[int, int]:
    """The pair after (i, j), by rows of the upper triangle; the last one follows itself."""
    if j + 1 < n_basis:
        return i, j + 1
    if i + 1 < n_basis:
        return i + 1, i + 1
    return i, j


@part
def add_pairs(
    work: Any, at: layout.Places, area: Any, panel: Panel, begin: int, end: int, first: int
) -> None:
    """Add the products of each pair of covariates with the curvatures of a block to sums."""
    i0, j0 = 0, 0
    for pair in range(0, panel.n_pairs, 3):
        i1, j1 = next_pair(i0, j0, panel.n_basis)
        i2, j2 = next_pair(i1, j1, panel.n_basis)
        lefts = (
            at.columns + i0 * at.height, at.columns + i1 * at.height, at.columns + i2 * at.height,
        )  # fmt: skip
        rights = (
            at.columns + j0 * at.height, at.columns + j1 * at.height, at.columns + j2 * at.height,
        )  # fmt: skip
        place = sum_place(panel, first + pair, 0)
        add_three_pairs(work, lefts, rights, area, panel.curvature, begin, end, place)
        i0, j0 = next_pair(i2, j2, panel.n_basis)


# ------------------------------------------------------------------------------------------------
# At the null


@part
def weigh_block(
    work: Any, at: layout.Places, area: Any, panel: Panel, slot: int, begin: int, end: int
) -> None:
    """Put curvatures times a column into `bent`; add its products with itself and the null's."""
    own, to = panel.own + slot * panel.height, panel.bent + slot * BLOCK
    square, slope, positive = (
        sum_place(panel, BENT, slot), sum_place(panel, MOVED, slot),
        sum_place(panel, POSITIVE, slot),
    )  # fmt: skip
    a, b, c, zero = load(area, square), load(area, slope), load(area, positive), splat(0.0)
    for row in range(begin, end, LANES):
        value = load(area, own + row)
        weighed = multiply_add(value, load(area, panel.base_curvature + row), zero)
        store(area, to + row - begin, weighed)
        a = multiply_add(value, weighed, a)
        b = multiply_add(value, load(area, panel.residual + row), b)
        c = multiply_add(value, load(work, at.target + row), c)
    store(area, square, a)
    store(area, slope, b)
    store(area, positive, c)


@part
def look_at_columns(work: Any, at: layout.Places, area: Any, panel: Panel) -> None:
    """Sum the products of the columns with the covariates at the null."""
    keep_apart()
    n_sums = N_OWN + panel.n_threes
    clear(area, panel.sums, sum_place(panel, n_sums, 0))
    for begin in range(0, at.height, BLOCK):
        end = smaller(begin + BLOCK, at.height)
        for slot in range(COLUMNS):
            weigh_block(work, at, area, panel, slot, begin, end)
        add_covariates(work, at, area, panel, panel.bent, begin, end, N_OWN)


@part
def leave_the_rest(work: Any, at: layout.Places, area: Any, panel: Panel) -> None:
    """Take off each column what the covariates explain, by `explained`.

    Sets the largest number that is left, and the derivatives along it.
    """
    keep_apart()
    a0 = panel.explained
    a1, a2, a3 = a0 + panel.width, a0 + 2 * panel.width, a0 + 3 * panel.width
    own0 = panel.own
    own1, own2, own3 = own0 + at.height, own0 + 2 * at.height, own0 + 3 * at.height
    zero = splat(0.0)
    p0, p1, p2, p3 = zero, zero, zero, zero
    t0, t1, t2, t3, f0, f1, f2, f3 = zero, zero, zero, zero, zero, zero, zero, zero
    for row in range(0, at.height, LANES):
        r0, r1 = load(area, own0 + row), load(area, own1 + row)
        r2, r3 = load(area, own2 + row), load(area, own3 + row)
        for k in range(panel.n_basis):
            value = load(work, at.columns + k * at.height + row)
            # `explained` has the sign turned.
            r0 = multiply_add(value, broadcast(area, a0 + k), r0)
            r1 = multiply_add(value, broadcast(area, a1 + k), r1)
            r2 = multiply_add(value, broadcast(area, a2 + k), r2)
            r3 = multiply_add(value, broadcast(area, a3 + k), r3)
        store(area, own0 + row, r0)
        store(area, own1 + row, r1)
        store(area, own2 + row, r2)
        store(area, own3 + row, r3)
        p0, p1 = farther(p0, r0), farther(p1, r1)
        p2, p3 = farther(p2, r2), farther(p3, r3)
        third, fourth = load(area, panel.third + row), load(area, panel.fourth + row)
        r = multiply_add(r0, r0, zero)
        t0 = multiply_add(multiply_add(r, third, zero), r0, t0)
        f0 = multiply_add(multiply_add(r, fourth, zero), r, f0)
        r = multiply_add(r1, r1, zero)
        t1 = multiply_add(multiply_add(r, third, zero), r1, t1)
        f1 = multiply_add(multiply_add(r, fourth, zero), r, f1)
        r = multiply_add(r2, r2, zero)
        t2 = multiply_add(multiply_add(r, third, zero), r2, t2)
        f2 = multiply_add(multiply_add(r, fourth, zero), r, f2)
        r = multiply_add(r3, r3, zero)
        t3 = multiply_add(multiply_add(r, third, zero), r3, t3)
        f3 = multiply_add(multiply_add(r, fourth, zero), r, f3)
    store_four(area, sum_place(panel, PEAK, 0), p0, p1, p2, p3)
    store_four(area, sum_place(panel, THIRD, 0), t0, t1, t2, t3)
    store_four(area, sum_place(panel, FOURTH, 0), f0, f1, f2, f3)


@part
def largest_lane(area: Any, place: int) -> float:
    found = 0.0
    for lane in range(LANES):
        found = larger(area[place + lane], found)
    return found


@part
def peak_of(area: Any, panel: Panel, slot: int) -> float:
    """Largest absolute value of what is left of a column."""
    return largest_lane(area, sum_place(panel, PEAK, slot))


# ------------------------------------------------------------------------------------------------
# After the first step


@part
def bend_block(
    work: Any, at: layout.Places, area: Any, panel: Panel, slot: int, n_moved: int, begin: int,
    end: int,
) -> None:  # fmt: skip
    """Set what rows come to where raw predictions have moved by the step times a column.

    And by `direction`, an eighth of which is kept, times the first `n_moved` covariates. With d
    that change and m = e^d - 1, by a series of d / 8 (Taylor's, of which the first term left
    out is 2e-18) and three times m <- m (2 + m). Adds the products of r with both, and multiplies
    the product of the factors 1 + p m.
    """
    own, to = panel.own + slot * panel.height, slot * BLOCK - begin
    slope, along = panel.slope + slot * panel.height, panel.direction + slot * panel.width
    eighth = splat(0.125 * area[scalars_of(panel, slot) + STEP])
    one, two, zero = splat(1.0), splat(2.0), splat(0.0)
    bent, moved, factors = (
        sum_place(panel, BENT, slot), sum_place(panel, MOVED, slot),
        sum_place(panel, FACTORS, slot),
    )  # fmt: skip
    a, b, product = load(area, bent), load(area, moved), load(area, factors)
    for row in range(begin, end, LANES):
        r = load(area, own + row)
        d = multiply_add(r, eighth, zero)
        for k in range(n_moved):
            value = load(work, at.columns + k * at.height + row)
            d = multiply_add(value, broadcast(area, along + k), d)
        m = multiply_add(d, splat(1.0 / 479001600.0), splat(1.0 / 39916800.0))
        m = multiply_add(m, d, splat(1.0 / 3628800.0))
        m = multiply_add(m, d, splat(1.0 / 362880.0))
        m = multiply_add(m, d, splat(1.0 / 40320.0))
        m = multiply_add(m, d, splat(1.0 / 5040.0))
        m = multiply_add(m, d, splat(1.0 / 720.0))
        m = multiply_add(m, d, splat(1.0 / 120.0))
        m = multiply_add(m, d, splat(1.0 / 24.0))
        m = multiply_add(m, d, splat(1.0 / 6.0))
        m = multiply_add(m, d, splat(0.5))
        m = multiply_add(multiply_add(m, d, one), d, zero)
        m = multiply_add(m, add(two, m), zero)
        m = multiply_add(m, add(two, m), zero)
        m = multiply_add(m, add(two, m), zero)
        p, c = load(area, panel.proba + row), load(area, panel.base_curvature + row)
        factor = multiply_add(p, m, one)
        inverse = divide(one, factor)
        product = multiply_add(product, factor, zero)
        rest = multiply_add(c, inverse, zero)
        change = multiply_add(rest, m, zero)
        rise = multiply_add(m, one, one)
        curvature = multiply_add(multiply_add(rest, inverse, zero), rise, zero)
        weighed = multiply_add(curvature, r, zero)
        store(area, panel.moved + to + row, change)
        store(area, panel.curvature + to + row, curvature)
        store(area, panel.bent + to + row, weighed)
        a = multiply_add(weighed, r, a)
        b = multiply_add(change, r, b)
        proba = multiply_add(multiply_add(p, rise, zero), inverse, zero)
        store(area, slope + row, subtract(one, add(proba, proba)))
    store(area, bent, a)
    store(area, moved, b)
    store(area, factors, product)


@part
def take_logarithms(area: Any, panel: Panel) -> None:
    """Add the logarithms of the products of factors to the scalars, and begin new products."""
    for slot in range(COLUMNS):
        place, found = sum_place(panel, FACTORS, slot), 0.0
        for lane in range(LANES):
            found += math.log(area[place + lane])
            area[place + lane] = 1.0
        area[scalars_of(panel, slot) + LOGARITHM] += found


@part
def pass_panel(work: Any, at: layout.Places, area: Any, panel: Panel, n_moved: int) -> None:
    """Sum gradients, Hessians and losses where each column has its step.

    The scalars of a column are its step, and the sum of the logarithms of its factors. `n_moved`
    covariates have moved too: see `bend_block`.
    """
    keep_apart()
    pairs = N_OWN + 2 * panel.n_threes
    clear(area, panel.sums, sum_place(panel, PEAK, 0))
    clear(area, sum_place(panel, N_OWN, 0), sum_place(panel, pairs + panel.n_pairs, 0))
    for slot in range(COLUMNS):
        area[scalars_of(panel, slot) + LOGARITHM] = 0.0
        store(area, sum_place(panel, FACTORS, slot), splat(1.0))
    for begin in range(0, at.height, BLOCK):
        end = smaller(begin + BLOCK, at.height)
        for slot in range(COLUMNS):
            bend_block(work, at, area, panel, slot, n_moved, begin, end)
        add_covariates(work, at, area, panel, panel.bent, begin, end, N_OWN)
        add_covariates(work, at, area, panel, panel.moved, begin, end, N_OWN + panel.n_threes)
        add_pairs(work, at, area, panel, begin, end, pairs)
        if begin // BLOCK % LOGARITHMS == LOGARITHMS - 1:
            take_logarithms(area, panel)
    take_logarithms(area, panel)


@part
def put_system(
    work: Any, at: layout.Places, area: Any, panel: Panel, slot: int, weight: float
) -> None:
    """Put gradient and Hessian of a column into `gradient` and `matrix`; the last is r."""
    keep_apart()
    last, threes = panel.n_basis, panel.n_threes
    clear(work, at.gradient, at.gradient + at.width)
    clear(work, at.matrix, at.matrix + at.width * at.width)
    item = N_OWN + 2 * threes
    for k in range(last):
        for m in range(k, last):
            value = sum_of(area, panel, item, slot)
            work[at.matrix + k * at.width + m] = value / weight
            item += 1
        bent = sum_of(area, panel, N_OWN + k, slot)
        work[at.matrix + k * at.width + last] = bent / weight
        moved = sum_of(area, panel, N_OWN + threes + k, slot)
        work[at.gradient + k] = (area[panel.base_gradient + k] + moved) / weight
    corner = at.matrix + last * (at.width + 1)
    work[corner] = sum_of(area, panel, BENT, slot) / weight
    moved = sum_of(area, panel, MOVED, slot) / weight
    work[at.gradient + last] = area[scalars_of(panel, slot) + SLOPE] + moved


@part
def change_of_loss(area: Any, panel: Panel, slot: int, weight: float) -> float:
    """Mean loss after a column's first step, less the null's.

    A row's is log(1 + p m) less the step times r where it is positive.
    """
    place = scalars_of(panel, slot)
    gain = area[place + STEP] * area[kept_of(panel, slot) + POSITIVES]
    return (area[place + LOGARITHM] - gain) / weight


# ------------------------------------------------------------------------------------------------
# Third derivatives


@part
def correct_panel(work: Any, at: layout.Places, area: Any, panel: Panel) -> None:
    """Sum third derivatives along `direction` and `share`, as `scan_optimum.correct` does.

    Sets of each column the sums of moved share^2, moved^2 share and moved^3, times the slopes of
    curvatures, of curvature moved^2 share^2, and the largest |moved|.
    """
    keep_apart()
    for slot in range(0, COLUMNS, 2):
        correct_two(work, at, area, panel, slot)


@part
def correct_two(work: Any, at: layout.Places, area: Any, panel: Panel, slot: int) -> None:
    """The same for two columns."""
    last, zero = panel.n_basis, splat(0.0)
    own0, own1 = panel.own + slot * at.height, panel.own + (slot + 1) * at.height
    slope0, slope1 = panel.slope + slot * at.height, panel.slope + (slot + 1) * at.height
    d0, d1 = panel.direction + slot * panel.width, panel.direction + (slot + 1) * panel.width
    u0, u1 = panel.share + slot * panel.width, panel.share + (slot + 1) * panel.width
    spread0, shift0, cube0, spread1, shift1, cube1 = zero, zero, zero, zero, zero, zero
    most0, most1, second0, second1 = zero, zero, zero, zero
    quarter, minus = splat(0.25), splat(-0.25)
    for row in range(0, at.height, LANES):
        value, other = load(area, own0 + row), load(area, own1 + row)
        moved0 = multiply_add(value, broadcast(area, d0 + last), zero)
        share0 = multiply_add(value, broadcast(area, u0 + last), zero)
        moved1 = multiply_add(other, broadcast(area, d1 + last), zero)
        share1 = multiply_add(other, broadcast(area, u1 + last), zero)
        for k in range(last):
            value = load(work, at.columns + k * at.height + row)
            moved0 = multiply_add(value, broadcast(area, d0 + k), moved0)
            share0 = multiply_add(value, broadcast(area, u0 + k), share0)
            moved1 = multiply_add(value, broadcast(area, d1 + k), moved1)
            share1 = multiply_add(value, broadcast(area, u1 + k), share1)
        most0, most1 = farther(most0, moved0), farther(most1, moved1)
        # 1 - 2 p, of which the curvature is (1 - its square) / 4.
        lean = load(area, slope0 + row)
        curvature = multiply_add(multiply_add(lean, minus, zero), lean, quarter)
        slope, both = multiply_add(curvature, lean, zero), multiply_add(moved0, share0, zero)
        first, second = multiply_add(slope, both, zero), multiply_add(curvature, both, zero)
        spread0, shift0 = multiply_add(first, share0, spread0), multiply_add(first, moved0, shift0)
        second0 = multiply_add(second, both, second0)
        slope = multiply_add(slope, moved0, zero)
        cube0 = multiply_add(multiply_add(slope, moved0, zero), moved0, cube0)
        lean = load(area, slope1 + row)
        curvature = multiply_add(multiply_add(lean, minus, zero), lean, quarter)
        slope, both = multiply_add(curvature, lean, zero), multiply_add(moved1, share1, zero)
        first, second = multiply_add(slope, both, zero), multiply_add(curvature, both, zero)
        spread1, shift1 = multiply_add(first, share1, spread1), multiply_add(first, moved1, shift1)
        second1 = multiply_add(second, both, second1)
        slope = multiply_add(slope, moved1, zero)
        cube1 = multiply_add(multiply_add(slope, moved1, zero), moved1, cube1)
    to = scalars_of(panel, slot)
    area[to + SPREAD], area[to + SHIFT] = total(spread0), total(shift0)
    area[to + CUBE], area[to + SECOND] = total(cube0), total(second0)
    store(area, panel.moved, most0)
    area[to + MOST] = largest_lane(area, panel.moved)
    to = scalars_of(panel, slot + 1)
    area[to + SPREAD], area[to + SHIFT] = total(spread1), total(shift1)
    area[to + CUBE], area[to + SECOND] = total(cube1), total(second1)
    store(area, panel.moved, most1)
    area[to + MOST] = largest_lane(area, panel.moved)
