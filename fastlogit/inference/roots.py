"""Where a linear function is largest while a convex one stays below a level: ends of intervals.

A profile-likelihood interval ends where the drop of the log-likelihood, at its best under a given
value of a parameter, reaches a level. That is the largest value of a linear function on a convex
set. `level_ends` looks for many such ends together, by steps to the same end of a quadratic model
(Venzon and Moolgavkar, 1988, Applied Statistics 37): first with the Hessian at the optimum, which
costs a pass a step for all ends, then with that at the end's own point. What does not get there is
found by `profile_end`, a bracketed search along the parameter with a descent at each value.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

import numpy as np

from ..arrays import Matrix, Vector

__all__ = ["Ends", "Smooth", "level_ends", "outer_root", "profile_end"]

# Rounds of steps for all ends together, before they are looked for one by one.
MOST_ROUNDS = 16
# A step longer than this share of the one before asks for the Hessian at its point: a chord at this
# rate takes as long as Newton's method, whose Hessians cost six passes each.
RATE = 0.15
# A step longer than so many times the distance of the quadratic model's end leads astray.
ASTRAY = 4.0
# An end that gets no better is taken where it is off by no more than so many times the tolerance.
NEARLY = 64.0
# Steps of a descent, halvings of one, and values that a bracketed search tries.
MOST_STEPS, MOST_HALVES, MOST_VALUES = 100, 40, 100
# What a descent promises yet where rounding ends it: more, and it is lost.
ROUGH = 1e-6
# The share of a step's promise that the function must fall by.
SUFFICIENT = 1e-4
# The search goes outwards by at most this factor, until the end lies inside.
OUTWARDS = 4.0
# Added to a Hessian, as a share of its mean curvature, so that flat directions have a factor.
RIDGE, TINY = 1e-13, 1e-300


class Smooth(Protocol):
    """A convex function, or one that is nearly so, from 0 at its least value."""

    def evaluate(self, points: Matrix) -> tuple[Vector, Matrix]:
        """Return values (n_points,) and gradients (n_points, size) at points in rows."""

    def hessian(self, point: Vector) -> Matrix:
        """Return the Hessian at a point, or what is near it, (size, size)."""


class Ends(NamedTuple):
    """Where linear functions are largest: values (n,), points (n, size).

    `errors` (n,) are bounds on how far the least of the function at such a value is from the level:
    of what was seen, and of what a descent could still gain by the last Hessian.
    """

    values: Vector
    points: Matrix
    errors: Vector


class _Least(NamedTuple):
    """The least of a function at a value of a linear one, where, its slope, and where it goes."""

    point: Vector
    value: float
    slope: float
    tangent: Vector


class _Look(NamedTuple):
    """A step from a point to the end of its quadratic model, and how far the point is off."""

    step: Vector
    error: float


def level_ends(function: Smooth, directions: Matrix, level: float, tol: float) -> Ends:
    """Return where linear functions are largest while a convex function is at most `level`.

    Parameters
    ----------
    function : Smooth
        Least at 0, with the identity as its Hessian there.
    directions : ndarray of shape (n, size)
        Linear functions, each ``direction @ point``.
    level : float
    tol : float
        How far the least of the function at a value may be from the level.

    Raises
    ------
    ValueError
        If an end is not found.
    """
    units = directions / np.linalg.norm(directions, axis=1, keepdims=True)
    radius = float(np.sqrt(2.0 * level))
    points, errors = radius * units, np.full(len(units), np.inf)
    inverses: list[Matrix | None] = [None] * len(units)
    lengths = np.full(len(units), radius)
    active, hard = list(range(len(units))), []
    for _ in range(MOST_ROUNDS):
        values, gradients = function.evaluate(points[active])
        left = []
        for end, value, gradient in zip(active, values, gradients, strict=True):
            look = _look(value, gradient, units[end], level, inverses[end])
            best, errors[end] = errors[end], look.error
            stuck = NEARLY * tol >= look.error >= 0.5 * best
            if look.error <= tol or stuck:
                continue
            length = float(np.linalg.norm(look.step))
            if length > RATE * lengths[end]:
                inverses[end] = _inverse(function.hessian(points[end]))
                look = _look(value, gradient, units[end], level, inverses[end])
                length = float(np.linalg.norm(look.step))
            if not length <= ASTRAY * radius:
                hard.append(end)
                continue
            lengths[end] = length
            points[end] += look.step
            left.append(end)
        active = left
        if not active:
            break
    for end in [*hard, *active]:
        points[end], errors[end] = profile_end(
            function, units[end], level, np.zeros(len(units[end])), tol
        )
    return Ends(np.einsum("ij,ij->i", directions, points), points, errors)


def _look(
    value: float, gradient: Vector, unit: Vector, level: float, inverse: Matrix | None
) -> _Look:
    """Return the step to where the quadratic model at a point ends, in a direction."""
    down, along = (gradient, unit) if inverse is None else (inverse @ gradient, inverse @ unit)
    size, shared, falls = float(unit @ along), float(unit @ down), float(gradient @ down)
    # What a descent that keeps the value of the linear function would gain.
    gain = max(0.5 * (falls - shared * shared / size), 0.0)
    room = 2.0 * (level - value) + falls
    multiplier = float(np.sqrt(max(room / size, 0.0)))
    # A minimum of the linear function is no end.
    error = abs(float(value) - level) + gain if shared > 0.0 else float("inf")
    return _Look(multiplier * along - down, error)


def _inverse(hessian: Matrix) -> Matrix:
    shift = max(RIDGE * float(np.diag(hessian).mean()), TINY)
    return np.asarray(np.linalg.inv(hessian + shift * np.eye(len(hessian))), dtype=np.float64)


def profile_end(
    function: Smooth, unit: Vector, level: float, inside: Vector, tol: float
) -> tuple[Vector, float]:
    """Return the end in one direction by a bracketed search, and how far it is off.

    At each value of the linear function the least of the function is found by Newton's method.

    Parameters
    ----------
    function : Smooth
    unit : ndarray of shape (size,)
        Of length 1.
    level : float
    inside : ndarray of shape (size,)
        A point where the function is below the level.
    tol : float

    Raises
    ------
    ValueError
        If it is not found.
    """
    point, tangent = inside, unit
    begin = float(unit @ inside)

    def least(value: float) -> tuple[float, float]:
        nonlocal point, tangent
        here, ahead = float(unit @ point), value
        for _ in range(MOST_VALUES):
            found = _descend(function, unit, point + (ahead - here) * tangent, 0.1 * tol)
            if found is None:
                # From far out, where all curvature is rounding, no way leads back: go half as far.
                ahead = here + 0.5 * (ahead - here)
                continue
            point, tangent = found.point, found.tangent
            if ahead == value:
                return found.value, found.slope
            here, ahead = ahead, value
        raise ValueError(
            f"the likelihood at a value of a coefficient was not found within {MOST_VALUES} "
            "values on the way; use method='wald', or leave out the columns that say the least"
        )

    guess = begin + np.sqrt(2.0 * level)
    _, off = outer_root(least, begin, float(guess), level, tol)
    return point, off


def outer_root(
    at: Callable[[float], tuple[float, float]], inside: float, guess: float, level: float,
    tol: float,
) -> tuple[float, float]:  # fmt: skip
    """Return where a convex function of one variable reaches a level to the right of a point.

    Newton's method for the root of the function, which is nearly straight where the function is
    nearly quadratic, within a bracket.

    Parameters
    ----------
    at : callable
        Takes a value, and returns the function, which is not negative, and its slope.
    inside : float
        Where the function is below the level.
    guess : float
        Right of it.
    level, tol : float

    Returns
    -------
    value : float
        The last one that `at` was asked for.
    off : float
        How far the function is from the level there.

    Raises
    ------
    ValueError
        If it is not found.
    """
    low, high, value = inside, float("inf"), guess
    for _ in range(MOST_VALUES):
        found, slope = at(value)
        off = abs(found - level)
        if off <= tol or high - low <= 4.0 * np.spacing(max(abs(low), abs(value))):
            return value, off
        if found < level:
            low = value
        else:
            high = value
        root = float(np.sqrt(max(found, 0.0)))
        ahead = float("inf")
        if slope > 0.0 and root > 0.0:
            ahead = value + float(np.sqrt(level) - root) * 2.0 * root / slope
        if not np.isfinite(high):
            value = min(max(ahead, value), inside + OUTWARDS * (value - inside))
        elif low < ahead < high:
            value = ahead
        else:
            value = 0.5 * (low + high)
    raise ValueError(
        f"the end of a profile interval was not found within {MOST_VALUES} values; use "
        "method='wald', or leave out the columns that say the least"
    )


def _descend(function: Smooth, unit: Vector, point: Vector, tol: float) -> _Least | None:
    """Return where a function is least with ``unit @ point`` as it is, by Newton's method.

    None where it does not get there.
    """
    values, gradients = function.evaluate(point[None])
    for _ in range(MOST_STEPS):
        try:
            inverse = _inverse(function.hessian(point))
        except np.linalg.LinAlgError:
            return None
        down, along = inverse @ gradients[0], inverse @ unit
        slope = float(unit @ down / (unit @ along))
        move = slope * along - down
        square = -float(gradients[0] @ move)
        here = _Least(point, float(values[0]), slope, along / (unit @ along))
        if square <= tol:
            return here
        size, before = 1.0, values[0]
        for _ in range(MOST_HALVES):
            near = point + size * move
            values, gradients = function.evaluate(near[None])
            if values[0] <= before - SUFFICIENT * size * square:
                break
            size *= 0.5
        else:
            return here if square <= ROUGH else None  # nothing but rounding is left to gain
        point = near
    return None
