"""The quadratic model of one small binomial model under L1 and bounds, and its minimum.

Coordinate descent on the Hessian finds which coefficients are 0 or at a bound, and linear systems
the values of the others: `solvers.quadratic_model`, with the matrices of `solves`.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from ..coordinate_descent import least_along, passes_corner
from ..inlining import keep_apart
from ..policy import part
from ..simd import LANES
from . import solves
from .arithmetic import clear, larger, largest, smaller, step_to
from .endings import CONVERGED, EXTREME, NOT_FINITE
from .layout import Places, column_of, own_size, vector_width

__all__ = [
    "Beside",
    "allowed",
    "beside",
    "clip",
    "frame",
    "is_corner",
    "is_flat",
    "l1_work_size",
    "least_slope",
    "minimize_model",
    "of_l1",
    "promise",
    "take_corners",
]

# As in solvers.quadratic_model, but for fewer sweeps between two systems of so few columns.
SWEEPS, ROUNDS, CORNERS = 5, 200, 20
WITHIN, ENOUGH = 1e-10, 1e-20
# As in objective.penalties: a strength that holds every coefficient at 0.
STRONGEST = 2.0**1000
# Vectors of parameters beside those of `small`.
VECTOR_PARTS = 6


# ------------------------------------------------------------------------------------------------
# Where things lie


class Beside(NamedTuple):
    """Where lies what the work array has beside the `Places` of `small`.

    `l1`, `lower` and `upper` are those of the standardised coefficients; of the intercept 0 and
    infinite. `target` and `slopes` are a point of the quadratic model and the slopes of what is
    smooth of it there, `inside` marks columns that may move, `hessian` is the whole symmetric
    matrix.
    """

    l1: int
    lower: int
    upper: int
    target: int
    slopes: int
    inside: int
    hessian: int


@part
def beside(at: Places) -> Beside:
    """Return where lies what `small` does not know of."""
    begin, width = at.counts + at.width, at.width
    return Beside(
        begin, begin + width, begin + 2 * width, begin + 3 * width, begin + 4 * width,
        begin + 5 * width, begin + VECTOR_PARTS * width,
    )  # fmt: skip


@part
def l1_work_size(n_samples: int, n_features: int) -> int:
    """Return how many float64 the work array of a fit needs."""
    width = vector_width(n_features)
    return own_size(n_samples, n_features) + width * (width + VECTOR_PARTS) + LANES - 1


@part
def take_corners(
    work: Any, at: Places, l1_reg: Any, lower: Any, upper: Any, fit_intercept: bool
) -> int:
    """Put L1 and bounds in the units of standardised columns; returns a status."""
    by = beside(at)
    clear(work, by.l1, by.hessian)
    for k in range(at.width):
        work[by.lower + k], work[by.upper + k] = -math.inf, math.inf
    has_lower, has_upper = lower.shape[0] > 0, upper.shape[0] > 0
    for j in range(l1_reg.shape[0]):
        low = lower[j] if has_lower else -math.inf
        high = upper[j] if has_upper else math.inf
        if not 0.0 <= l1_reg[j] < math.inf:
            return NOT_FINITE
        # A column that does not vary has a coefficient of 0.
        is_out = work[at.scale + j] == 0.0 and (low > 0.0 or high < 0.0)
        if is_out or not (low <= high and low < math.inf and high > -math.inf):
            return EXTREME
    slopes = at.size - 1 if fit_intercept else at.size
    for k in range(slopes):
        j = column_of(work, at, k)
        scale = work[at.scale + j]
        work[by.l1 + k] = smaller(l1_reg[j] * scale, STRONGEST)
        if has_lower:
            work[by.lower + k] = lower[j] / scale
        if has_upper:
            work[by.upper + k] = upper[j] / scale
    return CONVERGED


# ------------------------------------------------------------------------------------------------
# L1 at a point


@part
def of_l1(work: Any, at: Places, theta: int) -> float:
    """Return the sum of the absolute values, each times its strength."""
    by, found = beside(at), 0.0
    for k in range(at.size):
        found += work[by.l1 + k] * abs(work[theta + k])
    return found


@part
def is_corner(work: Any, at: Places, theta: int, k: int) -> bool:
    """Say whether a coefficient is at 0 with L1, or at a bound."""
    by, value = beside(at), work[theta + k]
    at_bound = value == work[by.lower + k] or value == work[by.upper + k]
    return at_bound or (value == 0.0 and work[by.l1 + k] > 0.0)


@part
def allowed(work: Any, at: Places, theta: int, k: int) -> tuple[float, float]:
    """Least and largest slope of what is smooth that leave a coefficient where it is."""
    by, value = beside(at), work[theta + k]
    l1 = work[by.l1 + k]
    low = l1 if value < 0.0 else -l1
    high = -l1 if value > 0.0 else l1
    low = -math.inf if value == work[by.upper + k] else low
    high = math.inf if value == work[by.lower + k] else high
    return low, high


@part
def least_slope(work: Any, at: Places, k: int) -> float:
    """Slope of the cost along a parameter at theta, of those that there are the least."""
    low, high = allowed(work, at, at.theta, k)
    slope = work[at.gradient + k]
    return slope - low if slope < low else slope - high if slope > high else 0.0


@part
def clip(work: Any, at: Places, theta: int) -> bool:
    """Put a point within the bounds; says whether it was not."""
    by, was_out = beside(at), False
    for k in range(at.size):
        value = smaller(larger(work[theta + k], work[by.lower + k]), work[by.upper + k])
        was_out = was_out or value != work[theta + k]
        work[theta + k] = value
    return was_out


# ------------------------------------------------------------------------------------------------
# The quadratic model


@part
def keep_hessian(work: Any, at: Places) -> None:
    """Copy the upper triangle of `matrix` to the whole of `hessian`."""
    by = beside(at)
    for k in range(at.size):
        clear(work, by.hessian + k * at.width + at.size, by.hessian + (k + 1) * at.width)
        for m in range(k, at.size):
            value = work[at.matrix + k * at.width + m]
            work[by.hessian + k * at.width + m] = value
            work[by.hessian + m * at.width + k] = value


@part
def curvature_of(work: Any, at: Places, k: int) -> float:
    return work[beside(at).hessian + k * (at.width + 1)]


@part
def frame(work: Any, at: Places) -> int:
    """Put the Hessian of the columns inside into `matrix`, the unit matrix for all others.

    Their entries of `half` are set to 0; returns how many are outside.
    """
    keep_apart()
    by, n_outside = beside(at), 0
    for k in range(at.size):
        row, is_inside = k * at.width, work[by.inside + k] > 0.0
        for m in range(at.width):
            both = is_inside and work[by.inside + m] > 0.0
            work[at.matrix + row + m] = work[by.hessian + row + m] if both else 0.0
        if not is_inside:
            n_outside += 1
            work[at.matrix + row + k] = 1.0
            work[at.half + k] = 0.0
    return n_outside


@part
def sweep(work: Any, at: Places) -> tuple[float, int]:
    """Let each coefficient of `target` go to its own minimum, one after the other.

    Returns the largest squared step times curvature, and how many came past a corner.
    """
    by = beside(at)
    most, changed = 0.0, 0
    for j in range(at.size):
        curvature = curvature_of(work, at, j)
        if not curvature > 0.0:
            continue
        old, low, high = work[by.target + j], work[by.lower + j], work[by.upper + j]
        new = least_along(old, curvature, work[by.slopes + j], work[by.l1 + j], low, high)
        if new == old:
            continue
        if passes_corner(old, new, low, high):
            changed += 1
        step, row = new - old, by.hessian + j * at.width
        work[by.target + j] = new
        step_to(work, by.slopes, step, row, by.slopes, at.width)
        most = larger(most, step * step * curvature)
    return most, changed


@part
def next_corner(work: Any, at: Places, k: int) -> float:
    """How far a coefficient of `target`, at no corner, may go along `direction`."""
    by, value = beside(at), work[beside(at).target + k]
    has_l1 = work[by.l1 + k] > 0.0
    if work[at.direction + k] < 0.0:
        low = work[by.lower + k]
        return larger(low, 0.0) if value > 0.0 and has_l1 else low
    high = work[by.upper + k]
    return smaller(high, 0.0) if value < 0.0 and has_l1 else high


@part
def share_of_step(work: Any, at: Places) -> float:
    """How much of `direction` passes no corner; 1 where all of it does not."""
    by, share = beside(at), 1.0
    for k in range(at.size):
        change = work[at.direction + k]
        if work[by.inside + k] > 0.0 and change != 0.0:
            reach = (next_corner(work, at, k) - work[by.target + k]) / change
            share = smaller(share, reach)
    return share


@part
def move_target(work: Any, at: Places, share: float) -> None:
    """Go a share of `direction`; whoever comes to a corner is there exactly."""
    by = beside(at)
    for k in range(at.size):
        step = work[at.direction + k]
        if not (work[by.inside + k] > 0.0 and step != 0.0):
            continue
        old, corner = work[by.target + k], next_corner(work, at, k)
        new = corner if (corner - old) / step <= share else old + share * step
        work[by.target + k] = new
        step_to(work, by.slopes, new - old, by.hessian + k * at.width, by.slopes, at.width)


@part
def is_least(work: Any, at: Places) -> bool:
    """Say whether no slope leads away from a corner of `target`."""
    by, sure = beside(at), WITHIN * largest(work, at.gradient, at.size)
    for k in range(at.size):
        if not (curvature_of(work, at, k) > 0.0 and is_corner(work, at, by.target, k)):
            continue
        low, high = allowed(work, at, by.target, k)
        slope, slack = work[by.slopes + k], WITHIN * work[by.l1 + k]
        if work[by.target + k] != 0.0:
            slack += sure
        if slope < low - slack or slope > high + slack:
            return False
    return True


@part
def settle(work: Any, at: Places) -> bool:
    """Go to the minimum among coefficients at no corner; says whether it is that of all.

    Whoever comes to a corner on the way stays there. Overwrites `matrix`, `half`, `direction`.
    """
    keep_apart()
    by = beside(at)
    for _ in range(CORNERS):
        n_inside = 0
        clear(work, by.inside, by.inside + at.width)
        for k in range(at.size):
            if curvature_of(work, at, k) > 0.0 and not is_corner(work, at, by.target, k):
                low, _ = allowed(work, at, by.target, k)
                work[by.inside + k] = 1.0
                work[at.half + k] = work[by.slopes + k] - low
                n_inside += 1
        if n_inside == 0:
            return is_least(work, at)
        clear(work, at.half + at.size, at.half + at.width)
        frame(work, at)
        if not solves.solve_slopes(work, at):
            return False
        share = share_of_step(work, at)
        move_target(work, at, share)
        if not share < 1.0:
            return is_least(work, at)
    return False


@part
def minimize_model(work: Any, at: Places) -> None:
    """Put the minimum of the quadratic model plus L1 at theta into `target`, and its slopes."""
    keep_apart()
    by = beside(at)
    keep_hessian(work, at)
    step_to(work, at.theta, 0.0, at.theta, by.target, at.width)
    step_to(work, at.gradient, 0.0, at.gradient, by.slopes, at.width)
    # Near the end the signs stand, and one system does it.
    most, is_settled = 0.0, settle(work, at)
    for _ in range(ROUNDS):
        if is_settled:
            break
        change, changed = 0.0, 0
        for _ in range(SWEEPS):
            change, passed = sweep(work, at)
            changed += passed
            most = larger(most, change)
        if change <= ENOUGH * most:
            break
        is_settled = changed == 0 and settle(work, at)


@part
def promise(work: Any, at: Places) -> tuple[float, float]:
    """Slope of the cost towards `target`, and the square of the step in the norm of the Hessian.

    Of an exact minimum the first is no more than the second, negative.
    """
    by = beside(at)
    promised, curved = 0.0, 0.0
    for k in range(at.size):
        step = work[by.target + k] - work[at.theta + k]
        slope = work[at.gradient + k]
        more = abs(work[by.target + k]) - abs(work[at.theta + k])
        promised += slope * step + work[by.l1 + k] * more
        curved += step * (work[by.slopes + k] - slope)
    return promised, curved


@part
def is_flat(work: Any, at: Places) -> bool:
    """Say whether a way down may be hidden, where no row has curvature."""
    found = False
    for k in range(at.size):
        hidden = not curvature_of(work, at, k) > 0.0 and least_slope(work, at, k) != 0.0
        found = found or hidden
    return found
