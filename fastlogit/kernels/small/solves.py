"""The factor of a Hessian in the work array, and solves with it."""

from __future__ import annotations

import math
from typing import Any

from ..inlining import keep_apart
from ..policy import part
from ..simd import LANES
from .arithmetic import clear, dot, step_to
from .layout import Places

# As in linalg.resolved.
DEPENDENT = 1e-11


@part
def factor_matrix(work: Any, at: Places) -> bool:
    """Put U with U' U = `matrix` into `factor`; False where a pivot is nothing but rounding."""
    keep_apart()
    width = at.width
    step_to(work, at.matrix, 0.0, at.matrix, at.factor, at.size * width)
    for k in range(at.size):
        own, row = work[at.matrix + k * (width + 1)], at.factor + k * width
        rest = work[row + k]
        # Written so that a NaN counts as dependent.
        if not (own > 0.0 and DEPENDENT * own < rest < math.inf):
            return False
        root = math.sqrt(rest)
        clear(work, row, row + k)
        work[row + k] = root
        for j in range(k + 1, at.size):
            work[row + j] /= root
        for i in range(k + 1, at.size):
            first, below = i - i % LANES, at.factor + i * width
            step_to(work, below + first, -work[row + i], row + first, below + first, width - first)
    return True


@part
def solve_half(work: Any, at: Places, vector: int, begin: int) -> None:
    """Replace a vector, 0 before `begin`, by U'^-1 of it: its squares add up to v' M^-1 v."""
    keep_apart()
    for k in range(begin, at.size):
        row, first = at.factor + k * at.width, k - k % LANES
        value = work[vector + k] / work[row + k]
        # What lies before is 0 in the row.
        step_to(work, vector + first, -value, row + first, vector + first, at.width - first)
        work[vector + k] = value


@part
def solve_rest(work: Any, at: Places, vector: int) -> None:
    """Replace a vector by U^-1 of it."""
    for k in range(at.size - 1, -1, -1):
        row, value = at.factor + k * at.width, work[vector + k]
        work[vector + k] = 0.0
        first = k - k % LANES
        known = dot(work, row + first, vector + first, at.width - first)
        work[vector + k] = (value - known) / work[row + k]


@part
def solve_slopes(work: Any, at: Places) -> bool:
    """Put -M^-1 v of the v in `half` into `direction`, its first half into `half`.

    False where M is singular.
    """
    if not factor_matrix(work, at):
        return False
    solve_half(work, at, at.half, 0)
    step_to(work, at.half, -2.0, at.half, at.direction, at.width)
    solve_rest(work, at, at.direction)
    return True


@part
def newton_direction(work: Any, at: Places) -> bool:
    """Put -M^-1 g into `direction` and its first half into `half`; False where M is singular."""
    step_to(work, at.gradient, 0.0, at.gradient, at.half, at.width)
    return solve_slopes(work, at)
