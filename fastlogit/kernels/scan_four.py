"""Four columns of a scan by maximum likelihood: from the sums of `scan_panel` to what is found."""

from __future__ import annotations

import math
from typing import Any

from . import scan_panel as panels
from .inlining import keep_apart
from .policy import part
from .scan_null import direction_of, inverse_traces
from .scan_optimum import NEAR, ROUNDED, Traces, bound_by
from .scan_rows import (
    CONVERGED,
    FAILED,
    NOT_FITTED,
    Columns,
    Null,
    Room,
    count_missing,
    refuse_column,
)
from .small import layout, solves
from .small.arithmetic import clear, dot, larger, smaller

__all__ = [
    "DEPENDENT",
    "fit_panel",
]

# A column of whose weighted square the covariates leave no more than this share goes by itself, and
# is then replaced by what they leave.
DEPENDENT = 1e-2
# By which share curvatures may change by the last step, where what it does to each row is known:
# of third order it leaves a fiftieth more than `scan_optimum.CHANGE` does.
LARGEST_CHANGE = 0.02
# Newton's steps to the least of four terms.
REFINEMENTS = 3


@part
def put_columns(
    null: Null, block: Any, lows: Any, highs: Any, begin: int, work: Any, area: Any,
    panel: panels.Panel,
) -> None:  # fmt: skip
    """Put four columns into the panel, zeros for those that are not ordinary, or are none."""
    n_samples = panel.n_rows
    at = layout.lay_out(work, n_samples, panel.n_basis, panel.n_basis + 1)
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
    at = layout.lay_out(work, panel.n_rows, last, last + 1)
    kept = panels.kept_of(panel, slot)
    direction, share = panel.direction + slot * at.width, panel.share + slot * at.width
    clear(area, direction, direction + at.width)
    clear(area, share, share + at.width)
    if area[kept] == 0.0:
        return False
    panels.put_system(work, at, area, panel, slot, null.weight)
    if not solves.factor_matrix(work, at):
        return False
    area[kept + panels.DECREMENT] = direction_of(work, at)
    inverse, scaled = inverse_traces(work, at)
    area[kept + panels.INVERSE], area[kept + panels.SCALED] = inverse, scaled
    clear(work, at.trial, at.trial + at.width)
    work[at.trial + last] = 1.0
    solves.solve_half(work, at, at.trial, last)
    area[kept + panels.VARIANCE] = dot(work, at.trial, at.trial, at.width)
    solves.solve_rest(work, at, at.trial)
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
    radius = smaller(near, math.sqrt(reach * area[kept + panels.INVERSE]))
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
    found.likelihood_ratio[place] = larger(2.0 * n * fall, 0.0)
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
    at = layout.lay_out(room.work, n_samples, n_basis, n_basis + 1)
    put_columns(null, block, lows, highs, begin, room.work, area, panel)
    panels.look_at_columns(room.work, at, area, panel)
    set_steps(area, panel, null.weight)
    panels.leave_the_rest(room.work, at, area, panel)
    refine_steps(area, panel, null.weight)
    panels.pass_panel(room.work, at, area, panel, 0)
    end = smaller(begin + panels.COLUMNS, block.shape[0])
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
