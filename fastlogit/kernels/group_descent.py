"""Block coordinate descent on a quadratic function plus norms of groups: exact zeros of groups.

One group after the other goes to its own minimum, in coordinates in which its block of the matrix
is diagonal (Qin, Scheinberg and Goldfarb, 2013, Mathematical Programming Computation 5). Only the
group is turned into them and back: to turn the whole matrix takes more than many sweeps. With its
size t the minimum is ``b_i = c_i t / (d_i t + nu)``, and t solves
``sum (c_i / (d_i t + nu))^2 = 1``, an equation of one unknown. A group whose pull is no longer than
nu is 0.
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
    matrix: Any, starts: Any, strengths: Any, bases: Any, diagonal: Any, n_sweeps: int, coef: Any,
    slopes: Any, work: Any,
) -> tuple[float, int]:  # fmt: skip
    size = coef.size
    largest, changed = 0.0, 0
    turned, pull = work[0], work[1]
    for _ in range(n_sweeps):
        largest, at = 0.0, 0
        for g in range(starts.size - 1):
            first, stop, strength = starts[g], starts[g + 1], strengths[g]
            n, basis = stop - first, at
            at += n * n
            was, steep = 0.0, 0.0
            for i in range(first, stop):
                was += abs(coef[i])
                steep += slopes[i] * slopes[i]
            if was == 0.0 and strength > 0.0 and math.sqrt(steep) <= strength:
                continue
            for i in range(first, stop):
                turned[i] = pull[i] = 0.0
            for k in range(n):
                own, slope, row = coef[first + k], slopes[first + k], basis + k * n
                for i in range(n):
                    turned[first + i] += bases[row + i] * own
                    pull[first + i] += bases[row + i] * slope
            square = 0.0
            for i in range(first, stop):
                pull[i] = turned[i] * diagonal[i] - pull[i] if diagonal[i] > 0.0 else 0.0
                square += pull[i] * pull[i]
            length = 0.0
            if strength > 0.0 and math.sqrt(square) > strength:
                length = size_of_group(pull[first:stop], diagonal[first:stop], strength)
            if (was > 0.0) != (length > 0.0) and strength > 0.0:
                changed += 1
            # From here on `pull` has the steps.
            for i in range(first, stop):
                new = 0.0
                if strength == 0.0:
                    new = pull[i] / diagonal[i] if diagonal[i] > 0.0 else turned[i]
                elif length > 0.0 and diagonal[i] > 0.0:
                    new = pull[i] * length / (diagonal[i] * length + strength)
                pull[i] = new - turned[i]
                largest = max(largest, pull[i] * pull[i] * diagonal[i])
            for k in range(n):
                step, row = 0.0, basis + k * n
                if strength > 0.0 and length == 0.0:
                    step = -coef[first + k]
                else:
                    for i in range(n):
                        step += bases[row + i] * pull[first + i]
                if step == 0.0:
                    continue
                coef[first + k] += step
                for i in range(size):
                    slopes[i] += step * matrix[first + k, i]
    return largest, changed


# group_size(pull, diagonal, strength) -> t: the length of a group at its own minimum.
group_size = entry(_group_size)

# descend_groups(matrix, starts, strengths, bases, diagonal, n_sweeps, coef, slopes, work) ->
# (largest change, groups that came to 0 or left it): minimise q(coef) + sum(strengths * |coef of
# each group|) from `coef`, in place. Group g is ``starts[g]:starts[g + 1]``; `bases` has the
# eigenvectors of its block of the matrix, the Hessian of q, in columns, one group's matrix after
# the other's, and `diagonal` the eigenvalues, none below 0. `slopes` is the gradient of q at
# `coef`, kept up in place. What has no curvature stays where it has no strength, and is 0 in a
# group: there it only makes it longer. `work` has shape (2, size). The largest squared step times
# its curvature in the last sweep is returned. Its serial twin is the one to call: the steps follow
# one another.
descend_groups = entry(_descend_groups)
