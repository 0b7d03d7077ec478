"""Firth's fits of a scan, four ordinary columns at a time: `scan_panel` with leverages.

The panel begins at Firth's fit of the covariates alone, in a basis in which its Hessian is the
identity. There the logarithm of the determinant of the Hessian with a column r more is that of
``rest``, the square that the covariates leave of it. So its slopes and its second derivative along
r are sums of third and fourth derivatives of the losses with r^2, and give a first step along r and
the covariates that is right to about 1e-3 standard errors. From there each step takes one pass with
the Hessian and one with the leverages, by the inverse Hessian as a form of pairs of covariates. A
step leaves about a leverage of itself, so that two are enough for nearly all.

Without the column's coefficient the penalised likelihood differs from that of the covariates by
half the logarithm of ``rest``, so that its optimum needs no pass.

Columns that are not ordinary, or not done in few steps, keep the status NOT_FITTED, and go one by
one through `scan.scan_columns`.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from . import scan_panel as panels
from .inlining import keep_apart
from .policy import entry, part
from .scan_four import REFINEMENTS, put_columns, set_steps
from .scan_rows import FIRTH, Columns, Null
from .simd import LANES, broadcast, load, maximum, multiply_add, splat, store, total
from .small import layout, solves
from .small.arithmetic import clear, dot, larger, smaller

__all__ = ["Penalty", "PenaltyRoom", "firth_panels", "firth_work_size"]

COLUMNS, BLOCK = panels.COLUMNS, panels.BLOCK
# Passes of a panel at the most; in standard errors how far the end may be from the optimum, as in
# `scan`; and how much of itself a standard error may change by the last step.
PASSES, NEAR = 3, 3e-7
# Numbers of a column in places that maximum likelihood has for other ones: the fall of the cost
# without its coefficient, its score test, half the logarithm of the determinant, and the decrement
# of the step before.
HELD, SCORE = panels.SPREAD, panels.SHIFT
LOG_ROOT, BEFORE = panels.INVERSE, panels.SCALED
# Sums: the largest form x' M^-1 x of a row.
FORM = panels.THIRD


class Penalty(NamedTuple):
    """What all columns share of Firth's penalty, at its fit of the covariates; read-only.

    `pull` (n_samples,) is what it adds to residuals, leverage times (proba - 1/2). `wide` is fourth
    derivatives times the squared lengths of rows of the basis. `inverse` (n_basis, n_basis) is the
    inverse Hessian of the penalised likelihood.
    """

    pull: Any
    wide: Any
    inverse: Any


class PenaltyRoom(NamedTuple):
    """Room to work in, of one thread; `state` is zero until the rows are loaded.

    `work` has the basis of Firth's fit, `plain` that of maximum likelihood, for score tests.
    """

    work: Any
    plain: Any
    state: Any
    panel: Any


class Beside(NamedTuple):
    """Where what a panel of Firth's has besides lies.

    Of the null of maximum likelihood, of the penalty, and the inverse Hessians, number by number
    for the four columns.
    """

    curvature: int
    residual: int
    gradient: int
    positive: int
    pull: int
    wide: int
    forms: int


@part
def n_forms(n_basis: int) -> int:
    return n_basis * (n_basis + 1) // 2 + n_basis + 1


def _firth_work_size(n_samples: int, n_basis: int) -> int:
    """Return how many float64 the array of a panel of Firth's needs.

    Parameters
    ----------
    n_samples, n_basis : int
        Shape of the basis, turned.
    """
    numbers = 4 * layout.column_height(n_samples) + 2 * layout.vector_width(n_basis)
    return int(panels.panel_size(n_samples, n_basis)) + numbers + COLUMNS * n_forms(n_basis)


firth_work_size = entry(_firth_work_size)


@part
def lay_out_beside(panel: panels.Panel) -> Beside:
    n_sums = panels.N_OWN + 2 * panel.n_threes + panel.n_pairs
    first = panels.sum_place(panel, n_sums, 0)
    height, vectors = panel.height, first + 4 * panel.height
    return Beside(
        first, first + height, vectors, vectors + panel.width, first + 2 * height,
        first + 3 * height, vectors + 2 * panel.width,
    )  # fmt: skip


@part
def for_scores(panel: panels.Panel, to: Beside) -> panels.Panel:
    """Return the panel with the curvatures and residuals of maximum likelihood."""
    return panels.Panel(
        panel.n_rows, panel.height, panel.n_basis, panel.width, panel.n_threes, panel.n_pairs,
        panel.own, panel.slope, to.curvature, panel.proba, to.residual, panel.third, panel.fourth,
        panel.curvature, panel.bent, panel.moved, panel.explained, panel.direction, panel.share,
        to.gradient, to.positive, panel.scalars, panel.sums,
    )  # fmt: skip


@part
def load_basis(null: Null, work: Any, at: layout.Places) -> None:
    """Copy the basis and labels."""
    clear(work, 0, work.shape[0])
    for k in range(at.size):
        place = at.columns + k * at.height
        for row in range(at.n_rows):
            work[place + row] = null.basis[k, row]
    for row in range(at.n_rows):
        work[at.target + row] = 1.0 if null.codes[row] == 1 else 0.0


@part
def load_beside(
    score: Null, penalty: Penalty, work: Any, at: layout.Places, area: Any, panel: panels.Panel,
    to: Beside,
) -> None:  # fmt: skip
    """Copy what all columns share; `work` has the basis of maximum likelihood."""
    keep_apart()
    clear(area, to.curvature, to.forms + COLUMNS * n_forms(panel.n_basis))
    for row in range(panel.n_rows):
        area[to.curvature + row], area[to.residual + row] = (
            score.curvature[row],
            score.residual[row],
        )
        area[to.pull + row], area[to.wide + row] = penalty.pull[row], penalty.wide[row]
    for k in range(panel.n_basis):
        column = at.columns + k * at.height
        gradient = splat(0.0)
        for row in range(0, at.height, LANES):
            gradient = multiply_add(
                load(work, column + row), load(area, to.residual + row), gradient
            )
        area[to.gradient + k] = total(gradient)


# ------------------------------------------------------------------------------------------------
# The first step


@part
def set_scores(area: Any, panel: panels.Panel, weight: float) -> None:
    """Set the score test of each column, from sums at the null of maximum likelihood."""
    keep_apart()
    for slot in range(COLUMNS):
        square = panels.sum_of(area, panel, panels.BENT, slot) / weight
        slope, rest = panels.sum_of(area, panel, panels.MOVED, slot), square
        for k in range(panel.n_basis):
            a = panels.sum_of(area, panel, panels.N_OWN + k, slot) / weight
            rest -= a * a
            slope -= a * area[panel.base_gradient + k]
        # Columns that depend on the covariates are left out later.
        rest = rest if rest > 0.0 else 1.0
        area[panels.scalars_of(panel, slot) + SCORE] = slope * slope / weight / rest


@part
def look_at_penalty(
    work: Any, at: layout.Places, area: Any, panel: panels.Panel, to: Beside
) -> None:
    """Sum r times `pull`, r^2 times `wide`, and the covariates with r^2 and third derivatives."""
    keep_apart()
    zero = splat(0.0)
    clear(area, panel.sums, panels.sum_place(panel, panels.POSITIVE, 0))
    first = panels.sum_place(panel, panels.N_OWN, 0)
    clear(area, first, panels.sum_place(panel, panels.N_OWN + panel.n_threes, 0))
    for begin in range(0, at.height, BLOCK):
        end = smaller(begin + BLOCK, at.height)
        for slot in range(COLUMNS):
            own, bent = panel.own + slot * panel.height, panel.bent + slot * BLOCK - begin
            wide = panels.sum_place(panel, panels.BENT, slot)
            pull = panels.sum_place(panel, panels.MOVED, slot)
            a, b = load(area, wide), load(area, pull)
            for row in range(begin, end, LANES):
                value = load(area, own + row)
                square = multiply_add(value, value, zero)
                a = multiply_add(square, load(area, to.wide + row), a)
                b = multiply_add(value, load(area, to.pull + row), b)
                store(area, bent + row, multiply_add(square, load(area, panel.third + row), zero))
            store(area, wide, a)
            store(area, pull, b)
        panels.add_covariates(work, at, area, panel, panel.bent, begin, end, panels.N_OWN)


@part
def leave_out(area: Any, panel: panels.Panel, slot: int) -> None:
    """Take a column out of the panel."""
    area[panels.kept_of(panel, slot)] = 0.0
    area[panels.scalars_of(panel, slot) + panels.STEP] = 0.0
    along = panel.direction + slot * panel.width
    clear(area, along, along + panel.width)


@part
def set_first_steps(null: Null, penalty: Penalty, area: Any, panel: panels.Panel) -> None:
    """Set the first step of each column, and what its penalised likelihood is without it."""
    keep_apart()
    weight, n_basis = null.weight, panel.n_basis
    for slot in range(COLUMNS):
        at, kept = panels.scalars_of(panel, slot), panels.kept_of(panel, slot)
        along, held = panel.direction + slot * panel.width, panel.share + slot * panel.width
        clear(area, along, along + panel.width)
        if area[kept] == 0.0:
            leave_out(area, panel, slot)
            continue
        square = area[kept + panels.REST]
        third = panels.sum_of(area, panel, panels.THIRD, slot) / weight
        fourth = panels.sum_of(area, panel, panels.FOURTH, slot) / weight
        # Minus half the logarithm of the determinant: its slopes along covariates and r, and its
        # second derivative along r but for products of pairs of covariates, which are near 0.
        half, cross = 0.5 / weight / square, 0.0
        for k in range(n_basis):
            area[held + k] = panels.sum_of(area, panel, panels.N_OWN + k, slot) / weight
            cross += area[held + k] ** 2
        slope = area[at + panels.SLOPE] - half * third
        slope += panels.sum_of(area, panel, panels.MOVED, slot) / weight
        wide = panels.sum_of(area, panel, panels.BENT, slot) / weight
        bend = fourth - 2.0 * cross - third * third / square
        curvature = square - 0.5 / weight * wide - half * bend
        plain = -slope / curvature
        step = plain
        for _ in range(REFINEMENTS):
            rise = curvature + step * (third + 0.5 * fourth * step)
            step -= (slope + step * (curvature + step * (0.5 * third + fourth / 6.0 * step))) / rise
        if not abs(step - plain) <= 0.5 * abs(plain):
            step = plain
        fall, far = 0.0, 0.0
        share = half - 0.5 * step * step
        for k in range(n_basis):
            product = 0.0
            for m in range(n_basis):
                product += penalty.inverse[k, m] * area[held + m]
            fall += area[held + k] * product
            # An eighth, as `bend_block` takes it.
            area[along + k] = 0.125 * share * area[held + k]
            far += (share * area[held + k]) ** 2
        area[at + panels.STEP], area[at + HELD] = step, 0.5 * half * half * fall
        area[kept + BEFORE] = math.inf
        far = math.sqrt(far * null.reach) + abs(step) * panels.peak_of(area, panel, slot)
        for k in range(n_basis):
            area[held + k] *= half
        if not (curvature > 0.5 * square and far <= panels.FARTHEST):
            leave_out(area, panel, slot)


@part
def look_at_held(work: Any, at: layout.Places, area: Any, panel: panels.Panel) -> None:
    """Sum what the fall of the cost without a coefficient has of third order, along `share`.

    With m the change of a raw prediction: third derivatives with m^3, fourth ones with r^2 m^2, and
    the covariates with third ones and r m.
    """
    keep_apart()
    zero = splat(0.0)
    clear(area, panel.sums, panels.sum_place(panel, panels.POSITIVE, 0))
    first = panels.sum_place(panel, panels.N_OWN, 0)
    clear(area, first, panels.sum_place(panel, panels.N_OWN + panel.n_threes, 0))
    for begin in range(0, at.height, BLOCK):
        end = smaller(begin + BLOCK, at.height)
        for slot in range(COLUMNS):
            own, bent = panel.own + slot * panel.height, panel.bent + slot * BLOCK - begin
            along = panel.share + slot * panel.width
            wide = panels.sum_place(panel, panels.BENT, slot)
            cube = panels.sum_place(panel, panels.MOVED, slot)
            a, b = load(area, wide), load(area, cube)
            for row in range(begin, end, LANES):
                moved = zero
                for k in range(panel.n_basis):
                    value = load(work, at.columns + k * at.height + row)
                    moved = multiply_add(value, broadcast(area, along + k), moved)
                both = multiply_add(moved, load(area, own + row), zero)
                third = load(area, panel.third + row)
                square = multiply_add(both, both, zero)
                a = multiply_add(square, load(area, panel.fourth + row), a)
                square = multiply_add(moved, moved, zero)
                b = multiply_add(multiply_add(square, moved, zero), third, b)
                store(area, bent + row, multiply_add(both, third, zero))
            store(area, wide, a)
            store(area, cube, b)
        panels.add_covariates(work, at, area, panel, panel.bent, begin, end, panels.N_OWN)


@part
def correct_held(area: Any, panel: panels.Panel, weight: float) -> None:
    """Take off the fall of the cost without a coefficient what is of third order."""
    keep_apart()
    for slot in range(COLUMNS):
        kept, along = panels.kept_of(panel, slot), panel.share + slot * panel.width
        rest, half, products, square = area[kept + panels.REST], 0.5 / weight, 0.0, 0.0
        for k in range(panel.n_basis):
            products += (panels.sum_of(area, panel, panels.N_OWN + k, slot) / weight) ** 2
            square += area[along + k] ** 2
        # The second derivative of half the logarithm of `rest`, of which `square` is the first.
        bend = (panels.sum_of(area, panel, panels.BENT, slot) / weight - 2.0 * products) / rest
        bend -= (square / half) ** 2
        cube = panels.sum_of(area, panel, panels.MOVED, slot) / weight
        area[panels.scalars_of(panel, slot) + HELD] += 0.5 * half * bend - cube / 6.0


# ------------------------------------------------------------------------------------------------
# Leverages


@part
def solve_form(
    null: Null, work: Any, area: Any, panel: panels.Panel, to: Beside, slot: int
) -> None:
    """Set gradient and inverse Hessian of a column, as numbers of a form; zeros if there is none.

    The form of a row (x, r) is the sum of its numbers times the products of pairs: those not of the
    diagonal are doubled.
    """
    keep_apart()
    n_basis = panel.n_basis
    at = layout.lay_out(work, panel.n_rows, n_basis, n_basis + 1)
    kept, slope = panels.kept_of(panel, slot), panel.share + slot * panel.width
    is_solved = area[kept] > 0.0
    if is_solved:
        panels.put_system(work, at, area, panel, slot, null.weight)
        is_solved = solves.factor_matrix(work, at)
    if not is_solved:
        leave_out(area, panel, slot)
        for k in range(n_forms(n_basis)):
            area[to.forms + k * COLUMNS + slot] = 0.0
        return
    log_root = 0.0
    for k in range(at.size):
        log_root += math.log(work[at.factor + k * (at.width + 1)])
        area[slope + k] = work[at.gradient + k]
        # Row k of U'^-1 turned, into `matrix`.
        row = at.matrix + k * at.width
        clear(work, row, row + at.width)
        work[row + k] = 1.0
        solves.solve_half(work, at, row, k)
    area[kept + LOG_ROOT] = log_root
    place = to.forms + slot
    for k in range(n_basis):
        for m in range(k, n_basis):
            twice = 1.0 if k == m else 2.0
            area[place] = twice * product_of(work, at, k, m)
            place += COLUMNS
    for k in range(n_basis):
        area[place] = 2.0 * product_of(work, at, k, n_basis)
        place += COLUMNS
    area[place] = product_of(work, at, n_basis, n_basis)


@part
def product_of(work: Any, at: layout.Places, k: int, m: int) -> float:
    return dot(work, at.matrix + k * at.width, at.matrix + m * at.width, at.width)


@part
def put_forms(
    work: Any, at: layout.Places, area: Any, panel: panels.Panel, to: Beside, begin: int, end: int
) -> None:
    """Put the forms of the rows of a block into `bent`."""
    last, zero, n_basis = at.height - LANES, splat(0.0), panel.n_basis
    own0 = panel.own
    own1, own2, own3 = own0 + at.height, own0 + 2 * at.height, own0 + 3 * at.height
    b0 = panel.bent - begin
    b1, b2, b3 = b0 + BLOCK, b0 + 2 * BLOCK, b0 + 3 * BLOCK
    for row in range(begin, end, 2 * LANES):
        # Two vectors of rows share what is loaded of the forms; the last one may come again.
        other = smaller(row + LANES, last)
        f0, f1, f2, f3, g0, g1, g2, g3 = zero, zero, zero, zero, zero, zero, zero, zero
        place = to.forms
        for i in range(n_basis):
            left = at.columns + i * at.height
            x, y = load(work, left + row), load(work, left + other)
            s0, s1, s2, s3, t0, t1, t2, t3 = zero, zero, zero, zero, zero, zero, zero, zero
            for j in range(i, n_basis):
                right = at.columns + j * at.height
                u, v = load(work, right + row), load(work, right + other)
                e = broadcast(area, place)
                s0, t0 = multiply_add(u, e, s0), multiply_add(v, e, t0)
                e = broadcast(area, place + 1)
                s1, t1 = multiply_add(u, e, s1), multiply_add(v, e, t1)
                e = broadcast(area, place + 2)
                s2, t2 = multiply_add(u, e, s2), multiply_add(v, e, t2)
                e = broadcast(area, place + 3)
                s3, t3 = multiply_add(u, e, s3), multiply_add(v, e, t3)
                place += COLUMNS
            f0, f1 = multiply_add(s0, x, f0), multiply_add(s1, x, f1)
            f2, f3 = multiply_add(s2, x, f2), multiply_add(s3, x, f3)
            g0, g1 = multiply_add(t0, y, g0), multiply_add(t1, y, g1)
            g2, g3 = multiply_add(t2, y, g2), multiply_add(t3, y, g3)
        s0, s1, s2, s3, t0, t1, t2, t3 = zero, zero, zero, zero, zero, zero, zero, zero
        for i in range(n_basis):
            left = at.columns + i * at.height
            x, y = load(work, left + row), load(work, left + other)
            e = broadcast(area, place)
            s0, t0 = multiply_add(x, e, s0), multiply_add(y, e, t0)
            e = broadcast(area, place + 1)
            s1, t1 = multiply_add(x, e, s1), multiply_add(y, e, t1)
            e = broadcast(area, place + 2)
            s2, t2 = multiply_add(x, e, s2), multiply_add(y, e, t2)
            e = broadcast(area, place + 3)
            s3, t3 = multiply_add(x, e, s3), multiply_add(y, e, t3)
            place += COLUMNS
        x, y, e = load(area, own0 + row), load(area, own0 + other), broadcast(area, place)
        store(area, b0 + row, multiply_add(multiply_add(x, e, s0), x, f0))
        store(area, b0 + other, multiply_add(multiply_add(y, e, t0), y, g0))
        x, y, e = load(area, own1 + row), load(area, own1 + other), broadcast(area, place + 1)
        store(area, b1 + row, multiply_add(multiply_add(x, e, s1), x, f1))
        store(area, b1 + other, multiply_add(multiply_add(y, e, t1), y, g1))
        x, y, e = load(area, own2 + row), load(area, own2 + other), broadcast(area, place + 2)
        store(area, b2 + row, multiply_add(multiply_add(x, e, s2), x, f2))
        store(area, b2 + other, multiply_add(multiply_add(y, e, t2), y, g2))
        x, y, e = load(area, own3 + row), load(area, own3 + other), broadcast(area, place + 3)
        store(area, b3 + row, multiply_add(multiply_add(x, e, s3), x, f3))
        store(area, b3 + other, multiply_add(multiply_add(y, e, t3), y, g3))


@part
def sum_pulls(work: Any, at: layout.Places, area: Any, panel: panels.Panel, to: Beside) -> None:
    """Sum the covariates and r with form times curvature times (proba - 1/2)."""
    keep_apart()
    zero, quarter, minus = splat(0.0), splat(0.25), splat(-0.25)
    first = panels.sum_place(panel, panels.N_OWN, 0)
    clear(area, first, panels.sum_place(panel, panels.N_OWN + panel.n_threes, 0))
    clear(area, panel.sums, panels.sum_place(panel, panels.MOVED, 0))
    first = panels.sum_place(panel, FORM, 0)
    clear(area, first, first + COLUMNS * LANES)
    for begin in range(0, at.height, BLOCK):
        end = smaller(begin + BLOCK, at.height)
        put_forms(work, at, area, panel, to, begin, end)
        for slot in range(COLUMNS):
            own, slope = panel.own + slot * panel.height, panel.slope + slot * panel.height
            form, pull = panel.bent + slot * BLOCK - begin, panel.moved + slot * BLOCK - begin
            total_place = panels.sum_place(panel, panels.BENT, slot)
            most_place = panels.sum_place(panel, FORM, slot)
            found, most = load(area, total_place), load(area, most_place)
            for row in range(begin, end, LANES):
                value, lean = load(area, form + row), load(area, slope + row)
                most = maximum(value, most)
                # Half of 2 proba - 1 is -lean / 2, of which the curvature is (1 - lean^2) / 4.
                curvature = multiply_add(multiply_add(lean, minus, zero), lean, quarter)
                value = multiply_add(multiply_add(value, curvature, zero), lean, zero)
                store(area, pull + row, value)
                found = multiply_add(value, load(area, own + row), found)
            store(area, total_place, found)
            store(area, most_place, most)
        panels.add_covariates(work, at, area, panel, panel.moved, begin, end, panels.N_OWN)


# ------------------------------------------------------------------------------------------------
# Steps


@part
def step_slot(null: Null, area: Any, panel: panels.Panel, to: Beside, slot: int) -> bool:
    """Make the step of a column, by the gradient with the penalty; whether it is the last."""
    keep_apart()
    weight, n_basis = null.weight, panel.n_basis
    at, kept = panels.scalars_of(panel, slot), panels.kept_of(panel, slot)
    slope, along = panel.share + slot * panel.width, panel.direction + slot * panel.width
    # Sums lack the sign, the half and the weight of leverages.
    half = -0.5 / weight / weight
    for k in range(n_basis):
        area[slope + k] += half * panels.sum_of(area, panel, panels.N_OWN + k, slot)
    area[slope + n_basis] += half * panels.sum_of(area, panel, panels.BENT, slot)
    # The form of the gradient, and its slopes, of which a step is minus a half.
    place, square = to.forms + slot, 0.0
    pairs = n_basis * (n_basis + 1) // 2
    own = area[slope + n_basis]
    corner = to.forms + (pairs + n_basis) * COLUMNS + slot
    variance = area[corner]
    last = -variance * own
    for k in range(n_basis):
        across = 0.5 * area[to.forms + (pairs + k) * COLUMNS + slot]
        last -= across * area[slope + k]
        step = -across * own
        for m in range(n_basis):
            i, j = smaller(k, m), larger(k, m)
            number = (i * n_basis - i * (i - 1) // 2 + j - i) * COLUMNS
            number_of = area[place + number]
            step -= (number_of if k == m else 0.5 * number_of) * area[slope + m]
        square -= step * area[slope + k]
        area[along + k] += 0.125 * step
    square -= last * own
    area[at + panels.STEP] += last
    decrement = math.sqrt(square) if square >= 0.0 else math.nan
    area[kept + panels.VARIANCE], area[kept + panels.DECREMENT] = variance, decrement
    # In standard errors; each step leaves about the same share.
    size, before = math.sqrt(weight) * decrement, area[kept + BEFORE]
    share = size / before if before < math.inf else 0.5
    left = size * share / (1.0 - share) if share < 1.0 else math.inf
    area[kept + BEFORE] = size
    # By no more does a raw prediction change, and so the logarithm of a curvature.
    radius = math.sqrt(panels.largest_lane(area, panels.sum_place(panel, FORM, slot)))
    return left <= NEAR and 0.5 * decrement * radius <= NEAR


@part
def may_go_on(null: Null, area: Any, panel: panels.Panel, slot: int) -> bool:
    """Say whether raw predictions are still near those of the null."""
    along, square = panel.direction + slot * panel.width, 0.0
    for k in range(panel.n_basis):
        square += area[along + k] ** 2
    step = area[panels.scalars_of(panel, slot) + panels.STEP]
    far = 8.0 * math.sqrt(square * null.reach)
    far += abs(step) * panels.peak_of(area, panel, slot)
    return bool(far <= panels.FARTHEST)


@part
def cost_of(null: Null, area: Any, panel: panels.Panel, slot: int) -> float:
    """Penalised cost where the pass was, less the null's loss; steps are those that led there."""
    along, gain = panel.direction + slot * panel.width, 0.0
    for k in range(panel.n_basis):
        gain += 8.0 * area[along + k] * area[panel.base_positive + k]
    change = panels.change_of_loss(area, panel, slot, null.weight)
    return change - (gain + area[panels.kept_of(panel, slot) + LOG_ROOT]) / null.weight


@part
def put_penalised(
    null: Null, area: Any, panel: panels.Panel, slot: int, cost: float, place: int, found: Columns
) -> None:
    """Put what a column comes to into its place."""
    n, at, kept = null.weight, panels.scalars_of(panel, slot), panels.kept_of(panel, slot)
    coef, scale = area[at + panels.STEP], area[kept + panels.SCALE]
    variance = area[kept + panels.VARIANCE]
    held = -0.5 * math.log(area[kept + panels.REST]) / n - area[at + HELD]
    fall = held - cost + 0.5 * area[kept + panels.DECREMENT] ** 2
    found.n_samples[place] = panel.n_rows
    found.coef[place] = coef * scale
    found.error[place] = math.sqrt(variance / n) * scale
    found.wald[place] = n * coef * coef / variance
    found.score[place] = area[at + SCORE]
    found.likelihood_ratio[place] = larger(2.0 * n * fall, 0.0)
    found.status[place] = FIRTH


@part
def fit_firth_panel(
    null: Null, penalty: Penalty, block: Any, lows: Any, highs: Any, begin: int, first: int,
    room: PenaltyRoom, found: Columns,
) -> None:  # fmt: skip
    """Fit those of four columns that are ordinary."""
    keep_apart()
    n_basis, n_samples = null.basis.shape
    work, area = room.work, room.panel
    panel = panels.lay_out_panel(area, n_samples, n_basis)
    to = lay_out_beside(panel)
    at = layout.lay_out(work, n_samples, n_basis, n_basis + 1)
    plain = layout.lay_out(room.plain, n_samples, n_basis, n_basis + 1)
    put_columns(null, block, lows, highs, begin, work, area, panel)
    scores = for_scores(panel, to)
    panels.look_at_columns(room.plain, plain, area, scores)
    set_scores(area, scores, null.weight)
    panels.look_at_columns(work, at, area, panel)
    set_steps(area, panel, null.weight)
    panels.leave_the_rest(work, at, area, panel)
    look_at_penalty(work, at, area, panel, to)
    set_first_steps(null, penalty, area, panel)
    look_at_held(work, at, area, panel)
    correct_held(area, panel, null.weight)
    for _ in range(PASSES):
        n_left = 0
        for slot in range(COLUMNS):
            n_left += 1 if area[panels.kept_of(panel, slot)] > 0.0 else 0
        if n_left == 0:
            return
        panels.pass_panel(work, at, area, panel, n_basis)
        for slot in range(COLUMNS):
            solve_form(null, work, area, panel, to, slot)
        sum_pulls(work, at, area, panel, to)
        for slot in range(COLUMNS):
            if area[panels.kept_of(panel, slot)] == 0.0:
                continue
            cost = cost_of(null, area, panel, slot)
            if step_slot(null, area, panel, to, slot):
                put_penalised(null, area, panel, slot, cost, first + begin + slot, found)
                leave_out(area, panel, slot)
            elif not may_go_on(null, area, panel, slot):
                leave_out(area, panel, slot)


def _firth_panels(
    null: Null, score: Null, penalty: Penalty, block: Any, lows: Any, highs: Any, first: int,
    room: PenaltyRoom, found: Columns,
) -> None:  # fmt: skip
    """Fit those of some columns by Firth's penalised likelihood that are ordinary.

    Parameters
    ----------
    null : Null
        Firth's fit of the covariates alone; rows have no weights.
    score : Null
        The same by maximum likelihood, for score tests.
    penalty : Penalty
    block, lows, highs, first
        As for `scan.scan_columns`.
    room : PenaltyRoom
    found : Columns
        Gets what is found; columns that are left keep their status.
    """
    n_basis, n_samples = null.basis.shape
    if room.state[0] == 0:
        at = layout.lay_out(room.work, n_samples, n_basis, n_basis)
        load_basis(null, room.work, at)
        panel = panels.lay_out_panel(room.panel, n_samples, n_basis)
        panels.load_panel(null, room.work, at, room.panel, panel)
        plain = layout.lay_out(room.plain, n_samples, n_basis, n_basis)
        load_basis(score, room.plain, plain)
        to = lay_out_beside(panel)
        load_beside(score, penalty, room.plain, plain, room.panel, panel, to)
        room.state[0] = 1
    for column in range(0, block.shape[0], COLUMNS):
        fit_firth_panel(null, penalty, block, lows, highs, column, first, room, found)


firth_panels = entry(_firth_panels)
