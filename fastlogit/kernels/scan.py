"""One logistic regression for each of many columns beside the same covariates: a serial kernel.

All regressions share the covariates' own fit, the null model. The covariates come as a basis Q in
which the null's Hessian is the identity, and its raw predictions come as the offset, so that the
null is the zero vector. Then the Hessian of Q and one column x more is known at the null but for
``Q' W x`` and ``x' W x``: one product, from which come the score test and a first Newton step. Then
one pass, with the Hessian summed at that point, is enough for most columns, whose effect is small:
it gives the last step, the standard error and the proof, each corrected by third derivatives.

That is done for four columns at a time where they are ordinary (`scan_panel`), and else for one.

Rows where the column is missing have weight 0, and the null is fitted anew without them. Columns
for which Newton's steps do not shrink go through `small.binomial.fit_small`.

The kernel releases the GIL; a column has the same bits whoever computes it, as for groups.
"""

from __future__ import annotations

import math
from typing import Any

from . import scan_panel as panels
from .policy import entry, part
from .scan_four import DEPENDENT, fit_panel
from .scan_null import (
    border,
    bordered_radius,
    direction_of,
    load_predictions,
    null_of_all,
    null_radius,
    null_without,
    orthogonalize,
    with_size,
)
from .scan_optimum import largest_change, maximum_likelihood
from .scan_penalised import penalised_alone, penalised_likelihood
from .scan_rows import (
    ALWAYS,
    COLLINEAR,
    CONSTANT_COLUMN,
    CONVERGED,
    FAILED,
    FALLBACK,
    FIRTH,
    NEVER,
    NO_ROWS,
    NOT_FINITE,
    NOT_FITTED,
    ONE_CLASS,
    SEPARABLE,
    TOO_FEW_ROWS,
    Case,
    Columns,
    Null,
    Room,
    center_column,
    clear,
    count_missing,
    load_column,
    load_rows,
    load_weights,
    refuse_column,
    sum_of,
)
from .small import endings, layout
from .small.arithmetic import larger

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

# A column of whose weighted square the covariates leave no more than this share depends on them.
EXPLAINED = 1e-11


def _scan_work_size(n_samples: int, n_basis: int) -> int:
    """Return how many float64 the work array of a room needs.

    Parameters
    ----------
    n_samples, n_basis : int
        Shape of the basis, turned.
    """
    return layout.work_size(n_samples, n_basis)


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


@part
def fit_both(
    null: Null, room: Room, at: layout.Places, case: Case, firth: int, place: int, found: Columns
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
def fit_column(
    null: Null, values: Any, low: float, high: float, firth: int, room: Room, place: int,
    found: Columns,
) -> int:  # fmt: skip
    """Fit one column; the status."""
    n_basis, n_samples = null.basis.shape
    work, at = room.work, layout.lay_out(room.work, n_samples, n_basis, n_basis + 1)
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
        if status != endings.CONVERGED:
            if firth != NEVER:
                load_column(values, low, scale, work, at, own)
                case = Case(scale, weight, weight / null.unit, math.nan, math.inf, math.inf)
                return penalised_alone(null, room, at, case, place, found)
            return SEPARABLE if status == endings.SEPARABLE else FAILED
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
    largest = larger(middle, (high - low) * scale - middle)
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
    at = layout.lay_out(room.work, n_samples, n_basis, n_basis)
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
