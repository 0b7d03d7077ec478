"""Ends of profile intervals, and the least cost under restrictions.

The end of an interval is where a function a' theta is largest, or smallest, with a cost that is by
a given amount above the least one. Newton's method for both at once (Venzon and Moolgavkar, 1988,
Applied Statistics 37): with M the Hessian the step is ``-M^-1 g + l M^-1 a``, with l so that the
quadratic model has the wanted cost. Where that goes astray the end is found by bisection, with a
restricted fit for each value.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq

from ..arrays import Matrix, Vector
from .maximum import End, Model, find
from .points import Criterion, Point

__all__ = ["Least", "Peak", "end_of_profile", "ends_of_profiles", "rise_under", "rises_at"]

# In standard errors: the step that is left to the end, and from the least cost on the way there.
# The end then errs by about the square of these.
NEAR = 2e-5
MOST_STEPS, MOST_HALVES = 20, 20
# A step is no longer than this, in standard errors.
LONGEST = 4.0
# The cost of restricted fits errs by the square of this.
RESTRICTED = 1e-6
# As far as rounding may leave them, in standard errors.
ROUGH = 1e-4
# Bisection looks for the end up to so many doublings of the way, and stops at this share of it.
DOUBLINGS, SHARE = 40, 1e-12


class Peak(NamedTuple):
    """Where a criterion has its least cost, and what is known of the second derivative."""

    criterion: Criterion
    point: Point
    beside: Matrix


class Least(NamedTuple):
    """A point of a profile: the value of the function, and theta."""

    value: float
    theta: Vector


def ends_of_profiles(peak: Peak, functions: Matrix, rise: float) -> Matrix:
    """Return both ends of the profile of each function, (n_functions, 2): see `end_of_profile`.

    Over a small table all are one compiled call; what it does not find goes the general way.

    Raises
    ------
    ValueError
        If one is not found.
    """
    ends = np.full((len(functions), 2), np.nan)
    small = peak.criterion.small
    if small is not None and len(functions):
        sides = np.ones((len(functions), 2), dtype=np.int64)
        sides[:, 0] = -1
        rises = np.full((len(functions), 2), rise)
        ends = small.profile(peak.point, peak.beside, functions, sides, rises)[0]
    for function, each in zip(functions, ends, strict=True):
        if np.isnan(each).any():
            low = end_of_profile(peak, function, -1, rise)
            high = end_of_profile(peak, function, 1, rise, _mirrored(peak, function, low))
            each[:] = low.value, high.value
    return ends


def _mirrored(peak: Peak, function: Vector, low: Least) -> Vector:
    """Return where the upper end would be, if the way there bent as that to the lower one."""
    top, root = peak.point.theta, peak.point.root
    back = low.theta - top
    tangent = root @ (root.T @ function)
    tangent /= float(tangent @ function)
    value = float(function @ back)
    bent = back - value * tangent
    return top - value * tangent + bent


def rises_at(peak: Peak, functions: Matrix, values: Vector) -> Vector:
    """Return by how much the least cost rises with each function held alone, at its value.

    As `rise_under`, of all in one compiled call where the table is small.

    Raises
    ------
    ValueError
        If one is not found.
    """
    rises = np.full(len(functions), np.nan)
    small = peak.criterion.small
    if small is not None and len(functions):
        sides = np.zeros((len(functions), 1), dtype=np.int64)
        found = small.profile(peak.point, peak.beside, functions, sides, values[:, None])[1]
        rises = np.maximum(found[:, 0], 0.0)
    for row in np.flatnonzero(np.isnan(rises)):
        rises[row] = rise_under(peak, functions[row : row + 1], values[row : row + 1])[0]
    return rises


def end_of_profile(
    peak: Peak, function: Vector, side: int, rise: float, start: Vector | None = None
) -> Least:
    """Return where a profile of the cost has risen by so much.

    Parameters
    ----------
    peak : Peak
    function : ndarray of shape (size,)
        a, of which a' theta is the value.
    side : {-1, 1}
    rise : float > 0
    start : ndarray of shape (size,), optional
        About where the end is; by default where the quadratic model has it.

    Raises
    ------
    ValueError
        If it is not found.
    """
    found = _newton(peak, function, side, rise, start)
    if found is None and start is not None:
        found = _newton(peak, function, side, rise, None)
    return _bisected(peak, function, side, rise) if found is None else found


def rise_under(peak: Peak, restrictions: Matrix, values: Vector) -> tuple[float, Vector]:
    """Return by how much the least cost rises with ``restrictions @ theta = values``, and where.

    Raises
    ------
    ValueError
        If it is not found.
    """
    model = Model(len(peak.point.theta), peak.beside)
    model.place(peak.point)
    across = model.solve(np.ascontiguousarray(restrictions))
    lacking = values - restrictions @ peak.point.theta
    theta = peak.point.theta + np.linalg.solve(restrictions @ across.T, lacking) @ across
    return _rise(peak, theta, restrictions, model)


def _rise(peak: Peak, theta: Vector, restrictions: Matrix, model: Model) -> tuple[float, Vector]:
    found = find(peak.criterion, theta, restrictions, exact=RESTRICTED, model=model)
    if found.end is not End.FOUND and not found.decrement < ROUGH:
        # What was learned elsewhere may lead astray: from what the information says alone.
        fresh = Model(len(theta))
        found = find(peak.criterion, found.point.theta, restrictions, exact=RESTRICTED, model=fresh)
    if found.end is not End.FOUND and not found.decrement < ROUGH:
        raise ValueError(
            "the greatest penalised likelihood under the hypothesis was not found; use a Wald test"
        )
    rise = found.point.cost - 0.5 * found.decrement**2 - peak.point.cost
    return max(rise, 0.0), found.point.theta


def _newton(
    peak: Peak, function: Vector, side: int, rise: float, start: Vector | None
) -> Least | None:
    """Return the end by Newton's method, or None where it does not get there."""
    model = Model(len(function), peak.beside)
    target, best = peak.point.cost + rise, np.inf
    if start is None:
        model.place(peak.point)
        across = model.solve(function[None])[0]
        start = peak.point.theta + side * np.sqrt(2.0 * rise / (across @ function)) * across
    point = peak.criterion.at(start)
    for _ in range(MOST_STEPS):
        if not point.cost < np.inf:
            return None
        model.place(point)
        along, across = model.solve(np.stack([point.gradient, function]))
        variance, gain = float(across @ function), float(along @ point.gradient)
        if not (variance > 0.0 and gain >= 0.0):
            return None
        # What is left of the slope once the function is held.
        aside = gain - float(along @ function) ** 2 / variance
        room = 2.0 * (target - point.cost) + gain
        factor = side * np.sqrt(max(room, 0.0) / variance)
        step = factor * across - along
        move = float(step @ function) / np.sqrt(variance)
        if max(aside, 0.0) <= NEAR**2 and abs(move) <= NEAR:
            theta = point.theta + step
            value = float(function @ theta)
            right_side = side * (value - float(function @ peak.point.theta)) > 0.0
            return Least(value, theta) if right_side else None
        length = float(np.sqrt(max(aside, 0.0)) + abs(move))
        if length > 2.0 * best:
            return None
        best = min(best, length)
        point = _shortened(peak.criterion, point, step * min(1.0, LONGEST / length))
    return None


def _shortened(criterion: Criterion, point: Point, step: Vector) -> Point:
    """Return the point after a step, halved until the cost is finite there."""
    near = criterion.at(point.theta + step)
    for _ in range(MOST_HALVES):
        if near.cost < np.inf:
            break
        step = 0.5 * step
        near = criterion.at(point.theta + step)
    return near


def _bisected(peak: Peak, function: Vector, side: int, rise: float) -> Least:
    """Return the end by bisection: a restricted fit for each value."""
    model = Model(len(function), peak.beside)
    model.place(peak.point)
    across = model.solve(function[None])[0]
    variance = float(across @ function)
    origin, last = float(function @ peak.point.theta), peak.point.theta
    ahead, tangent = side * np.sqrt(2.0 * rise * variance), across / variance

    def lacking(share: float) -> float:
        nonlocal last
        theta = last + (origin + share * ahead - float(function @ last)) * tangent
        found, last = _rise(peak, theta, function[None], Model(len(function), peak.beside))
        return found - rise

    low, high = 0.0, 1.0
    for _ in range(DOUBLINGS):
        if lacking(high) >= 0.0:
            break
        low, high = high, 2.0 * high
    else:
        raise ValueError(
            "a profile interval has no end that is found: the penalised likelihood hardly falls"
        )
    share = float(brentq(lacking, low, high, xtol=SHARE, rtol=1e-13)) if low or high else 0.0
    return Least(origin + share * ahead, last)
