"""Steps down the cost of one softmax: see solvers.iteration and solvers.majorization."""

from __future__ import annotations

import math
from typing import Any

from ..inlining import keep_apart
from ..policy import part
from . import row_sums, solves, steps
from .arithmetic import larger, step_to
from .softmax_layout import Places, to_classes, to_contrasts
from .softmax_sums import evaluate, predict_rows
from .steps import LEVEL

# A class's difference to the others below this is 0 for the bound of its curvature.
LEAST_DIFFERENCE = 1e-8


@part
def against_the_others(work: Any, at: Places, row: int) -> None:
    """Turn a row's raw predictions into their differences to what the other classes make."""
    height, best = at.one.height, 0
    for k in range(1, at.n_classes):
        if work[at.raw + k * height + row] > work[at.raw + best * height + row]:
            best = k
    top, second = work[at.raw + best * height + row], -math.inf
    for k in range(at.n_classes):
        if k != best:
            second = larger(second, work[at.raw + k * height + row])
    near, far = 0.0, 0.0
    for k in range(at.n_classes):
        if k != best:
            z = work[at.raw + k * height + row]
            near += math.exp(z - second)
            far += math.exp(z - top)
    for k in range(at.n_classes):
        z = work[at.raw + k * height + row]
        against = top - (second + math.log(near))
        if k != best:
            against = z - (top + math.log1p(larger(far - math.exp(z - top), 0.0)))
        work[at.raw + k * height + row] = against


@part
def majorizing_curvature(work: Any, at: Places) -> None:
    """Put the weights of a quadratic function above the loss, of each class, into `raw`.

    K j(d) with j(d) = tanh(|d| / 2) / (2 |d|), of Jaakkola and Jordan (2000).
    """
    one = at.one
    for row in range(one.n_rows):
        against_the_others(work, at, row)
    for k in range(at.n_classes):
        for row in range(one.height):
            place = at.raw + k * one.height + row
            size = larger(abs(work[place]), LEAST_DIFFERENCE)
            j = math.tanh(0.5 * size) / (2.0 * size)
            work[place] = work[one.weight + row] * (at.n_classes * j)


double_steps = steps.make_double_steps(evaluate)


@part
def majorize(work: Any, at: Places, weight: float, cost: float, offset: float) -> float:
    """Step down a bound of the cost from theta, to `trial`; returns by how much the cost falls.

    0 where it does not, -1 where the bound is singular.
    """
    keep_apart()
    one, level = at.one, 0.0
    to_classes(work, at, at.theta, at.classes)
    for k in range(at.n_classes):
        level = larger(level, abs(work[at.classes + k * one.width + one.size - 1]))
    predict_rows(work, at, 1.0)
    majorizing_curvature(work, at)
    to_classes(work, at, at.gradient, at.slopes)
    for k in range(at.n_classes):
        row_sums.sum_hessian(work, one, weight, at.raw + k * one.height)
        slopes = at.slopes + k * one.width
        step_to(work, slopes, 0.0, slopes, one.gradient, one.width)
        if not solves.newton_direction(work, one):
            return -1.0
        step_to(work, one.direction, 0.0, one.direction, slopes, one.width)
    to_contrasts(work, at, at.slopes, at.direction)
    slack = LEVEL * abs(cost) + steps.COST_EPSILON * (offset + level)
    return double_steps(work, at, weight, cost, slack)


search = steps.make_search(evaluate)

move = steps.make_move(evaluate, search, majorize)
