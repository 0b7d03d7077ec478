"""Newton's method to the last digit."""

from typing import Any

import numpy as np

from .common import ROUNDING, Floats, solve

# Newton's method ends after so many steps that do not halve a decrement so small.
NEWTON_PATIENCE = 4
NEWTON_NEAR = 1e-9
NEWTON_STEPS = 500


def newton_descent(derivatives: Any, point: Floats, n_free: int) -> tuple[Floats, float]:
    """Step until the decrement, twice what is missing, has become the least that it can."""
    best, least, waited = point, np.inf, 0
    value, slope, hessian_there = derivatives(point)
    lowest = value
    for _ in range(NEWTON_STEPS):
        step = np.zeros_like(point)
        step[:n_free] = solve(hessian_there[:n_free, :n_free], -slope[:n_free])
        decrement = -float(slope @ step)
        waited = waited + 1 if 0.5 * least <= decrement < NEWTON_NEAR * value else 0
        if decrement < least:
            best, least, lowest = point, decrement, value
        if waited > NEWTON_PATIENCE or not decrement > 0.0:
            break
        length = 1.0
        while True:
            new = derivatives(point + length * step)
            if new[0] <= value - 1e-4 * length * decrement + ROUNDING * value:
                break
            length *= 0.5
            if length < 1e-12:
                return best, lowest
        point = point + length * step
        value, slope, hessian_there = new
    return best, lowest
