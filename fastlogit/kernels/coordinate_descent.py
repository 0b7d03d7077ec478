"""Coordinate descent on a quadratic function plus L1: a Gram matrix in, exact zeros out.

One coordinate after the other goes to its own minimum, and the gradient of the quadratic function
follows by a row of the matrix (Friedman, Hastie and Tibshirani, 2010, Journal of Statistical
Software 33: covariance updates). What stays where it is costs a comparison. The order is that of
the columns, so that the bits are the same for any number of threads.
"""

from __future__ import annotations

import math
from typing import Any

from .policy import entry, part

__all__ = ["descend", "least_along", "passes_corner"]


@part
def least_along(
    old: float, curvature: float, slope: float, l1: float, low: float, high: float
) -> float:
    """Return the minimum along one coordinate, at `old` with this slope: within low and high."""
    pull = old * curvature - slope
    beyond = abs(pull) - l1
    new = 0.0
    if beyond > 0.0:
        new = math.copysign(beyond / curvature, pull)
    return min(max(new, low), high)


@part
def passes_corner(old: float, new: float, low: float, high: float) -> bool:
    """Say whether a coefficient comes to 0 or to a bound, leaves it or changes its sign."""
    return new * old <= 0.0 or not low < new < high or not low < old < high


def _descend(
    matrix: Any, l1: Any, lower: Any, upper: Any, n_sweeps: int, tol: float, coef: Any, slopes: Any
) -> tuple[int, float, int]:
    size = coef.size
    done, largest, changed = 0, 0.0, 0
    while done < n_sweeps:
        largest = 0.0
        for j in range(size):
            curvature = matrix[j, j]
            if not curvature > 0.0:
                continue
            old = coef[j]
            low, high = lower[j], upper[j]
            new = least_along(old, curvature, slopes[j], l1[j], low, high)
            if new == old:
                continue
            if passes_corner(old, new, low, high):
                changed += 1
            step = new - old
            coef[j] = new
            for k in range(size):
                slopes[k] += step * matrix[j, k]
            largest = max(largest, step * step * curvature)
        done += 1
        if largest <= tol:
            break
    return done, largest, changed


# descend(matrix, l1, lower, upper, n_sweeps, tol, coef, slopes) -> (sweeps, largest, changes):
# minimise q(coef) + sum(l1 * |coef|) within lower <= coef <= upper from `coef`, which is within, in
# place, for a convex quadratic function q whose Hessian is `matrix`, C-contiguous, and whose
# gradient at `coef` is `slopes`, kept up in place. A sweep goes over all coordinates; the last is
# the one in which no squared step, times the curvature there, is above `tol`, or the `n_sweeps`-th.
# Coordinates without curvature stay. It returns that largest change of the last sweep, and how
# often in all of them a coefficient came to 0 or to a bound, left it or changed its sign.
# Its serial twin is the one to call: the steps follow one another.
descend = entry(_descend)
