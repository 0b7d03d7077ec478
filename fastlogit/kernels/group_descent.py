"""Block coordinate descent on a quadratic function plus norms of groups: exact zeros of groups.

One group after the other goes to its own minimum, in coordinates in which its block of the matrix
is diagonal (Qin, Scheinberg and Goldfarb, 2013, Mathematical Programming Computation 5). With its
size t that is ``b_i = c_i t / (d_i t + nu)``, and t solves ``sum (c_i / (d_i t + nu))^2 = 1``, an
equation of one unknown. A group whose pull is no longer than nu is 0.
"""

from __future__ import annotations

import math
from typing import Any

from .policy import entry, part

__all__ = ["descend_groups", "group_size"]

# Newton's method on the root of the secular equation comes to rounding errors in a few steps.
STEPS = 60


@part
def size_of_group(pull: Any, diagonal: Any, strength: float) -> float:
    """Return the t > 0 with ``sum (pull / (diagonal t + strength))^2 = 1``.

    `pull` is longer than `strength`, and 0 where the diagonal is. One over the root of the sum is
    concave in t and grows, so that Newton's method from the left comes there from the left.
    """
    size = 0.0
    for _ in range(STEPS):
        total, slope = 0.0, 0.0
        for i in range(pull.size):
            below = diagonal[i] * size + strength
            share = pull[i] / below
            total += share * share
            slope += share * share * diagonal[i] / below
        if not slope > 0.0:
            break
        # 1 / sqrt(total) - 1 over its derivative, total^(-3/2) times slope.
        step = total * (math.sqrt(total) - 1.0) / slope
        if not step > 1e-16 * size:
            break
        size += step
    return size


def _group_size(pull: Any, diagonal: Any, strength: float) -> float:
    return size_of_group(pull, diagonal, strength)


def _descend_groups(
    matrix: Any, starts: Any, strengths: Any, n_sweeps: int, coef: Any, slopes: Any, work: Any
) -> tuple[float, int]:
    size = coef.size
    largest, changed = 0.0, 0
    diagonal, pull = work[0], work[1]
    for _ in range(n_sweeps):
        largest = 0.0
        for g in range(starts.size - 1):
            first, stop, strength = starts[g], starts[g + 1], strengths[g]
            square, was = 0.0, 0.0
            for i in range(first, stop):
                diagonal[i] = matrix[i, i]
                pull[i] = coef[i] * diagonal[i] - slopes[i] if diagonal[i] > 0.0 else 0.0
                square += pull[i] * pull[i]
                was += abs(coef[i])
            length = 0.0
            if strength > 0.0 and math.sqrt(square) > strength:
                length = size_of_group(pull[first:stop], diagonal[first:stop], strength)
            if (was > 0.0) != (length > 0.0) and strength > 0.0:
                changed += 1
            for i in range(first, stop):
                if strength == 0.0 and not diagonal[i] > 0.0:
                    continue
                new = 0.0
                if strength == 0.0:
                    new = pull[i] / diagonal[i]
                elif length > 0.0 and diagonal[i] > 0.0:
                    new = pull[i] * length / (diagonal[i] * length + strength)
                step = new - coef[i]
                if step == 0.0:
                    continue
                coef[i] = new
                for k in range(size):
                    slopes[k] += step * matrix[i, k]
                largest = max(largest, step * step * diagonal[i])
    return largest, changed


# group_size(pull, diagonal, strength) -> t: the length of a group at its own minimum.
group_size = entry(_group_size)

# descend_groups(matrix, starts, strengths, n_sweeps, coef, slopes, work) -> (largest change, groups
# that came to 0 or left it): minimise q(coef) + sum(strengths * |coef of each group|) from `coef`,
# in place. Group g is ``starts[g]:starts[g + 1]``; its block of the matrix, the Hessian of q, is
# diagonal. `slopes` is the gradient of q at `coef`, kept up in place. Coordinates without curvature
# stay where they have no strength, and are 0 in a group: there they only make it longer. `work` has
# shape (2, size). The largest squared step of a coordinate times its curvature in
# the last sweep is returned. Its serial twin is the one to call: the steps follow one another.
descend_groups = entry(_descend_groups)
