"""Rows on their way in: weights looked at, rows copied, columns centred and scaled."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..inlining import keep_apart
from ..policy import part
from ..simd import LANES, load, multiply_add, splat, store, subtract, total
from .arithmetic import clear, larger, smaller
from .endings import CONVERGED, EXTREME, NO_ROWS, NOT_FINITE, ONE_CLASS
from .layout import Places

# Columns whose spread is below this share of their mean, or beyond these sizes, and weights this
# much below the largest take the general way.
FINE = 1e-10
SMALLEST, LARGEST = 1e-140, 1e140
LEAST_WEIGHT = 1e-250


@part
def is_length(array: Any, length: int) -> bool:
    """Say whether there is a number for each row or column, or none at all."""
    return array.shape[0] == length or array.shape[0] == 0


@part
def look_at_weights(sample_weight: Any, n_samples: int) -> tuple[int, int, float]:
    """Status, rows of positive weight, and the power of two that the largest weight is below."""
    if sample_weight.shape[0] == 0:
        return (CONVERGED if n_samples > 0 else NO_ROWS), n_samples, 1.0
    most, least, n_used = 0.0, math.inf, 0
    for i in range(n_samples):
        w = sample_weight[i]
        if not 0.0 <= w < math.inf:
            return NOT_FINITE, 0, 1.0
        if w > 0.0:
            most, least = larger(most, w), smaller(least, w)
            n_used += 1
    if n_used == 0:
        return NO_ROWS, 0, 1.0
    if least < LEAST_WEIGHT * most or not 1e-280 < most < 1e280:
        return EXTREME, n_used, 1.0
    _, power = math.frexp(most)
    return CONVERGED, n_used, math.ldexp(1.0, -power)


@part
def weigh_rows(y: Any, positive: int, sample_weight: Any) -> tuple[int, int, float]:
    """`look_at_weights`, and whether rows of both classes have weight."""
    status, n_used, unit = look_at_weights(sample_weight, y.shape[0])
    if status != CONVERGED and status != EXTREME:
        return status, n_used, unit
    n_positive, has_weights = 0, sample_weight.shape[0] > 0
    for i in range(y.shape[0]):
        if not has_weights or sample_weight[i] > 0.0:
            n_positive += 1 if y[i] == positive else 0
    if n_positive == 0 or n_positive == n_used:
        status = ONE_CLASS
    return status, n_used, unit


@part
def total_weight(work: Any, at: Places, has_weights: bool) -> float:
    """Sum of the weights, one after the other; without a loop where all are 1."""
    if not has_weights:
        return float(at.n_rows)
    weight = 0.0
    for row in range(at.n_rows):
        weight += work[at.weight + row]
    return weight


@part
def copy_rows(
    X: Any, y: Any, positive: int, sample_weight: Any, unit: float, offset: Any, fixed: float,
    work: Any, at: Places,
) -> float:  # fmt: skip
    """Copy the rows of positive weight to columns; NaN if any number is not finite, else 0."""
    n_samples, n_features = np.uint64(X.shape[0]), np.uint64(X.shape[1])
    height, row = np.uint64(at.height), np.uint64(0)
    has_weights, has_offset = sample_weight.shape[0] > 0, offset.shape[0] > 0
    bad = 0.0
    for i in range(n_samples):
        w = sample_weight[i] * unit if has_weights else 1.0
        o = offset[i] if has_offset else 0.0
        bad += 0.0 * o
        if w == 0.0:
            for j in range(n_features):
                bad += 0.0 * X[i, j]
            continue
        place = np.uint64(at.columns) + row
        for j in range(n_features):
            work[place] = X[i, j]
            place += height
        work[np.uint64(at.weight) + row] = w
        work[np.uint64(at.offset) + row] = o + fixed
        work[np.uint64(at.target) + row] = 1.0 if y[i] == positive else 0.0
        row += np.uint64(1)
    clear(work, at.weight + at.n_rows, at.weight + at.height)
    clear(work, at.offset + at.n_rows, at.offset + at.height)
    clear(work, at.target + at.n_rows, at.target + at.height)
    for j in range(X.shape[1]):
        end = at.columns + (j + 1) * at.height
        clear(work, end - at.height + at.n_rows, end)
    return bad


@part
def look_closely(work: Any, at: Places, column: int, fit_intercept: bool) -> tuple[int, float]:
    """Status of a column of odd size or hardly any spread, and its value where that is constant.

    CONVERGED stands for a column that does not vary.
    """
    low, high = math.inf, -math.inf
    for place in range(column, column + at.n_rows):
        value = work[place]
        if not abs(value) < math.inf:
            return NOT_FINITE, 0.0
        low, high = smaller(low, value), larger(high, value)
    if low == high and (fit_intercept or low == 0.0):
        return CONVERGED, low
    return EXTREME, 0.0


@part
def scale_column(
    work: Any, at: Places, source: int, to: int, weight: float, l2: float, fit_intercept: bool
) -> tuple[int, float, float]:
    """Centre and scale one column; returns status, centre and scale.

    The scale is 0 where the column does not vary.
    """
    keep_apart()
    partial = splat(0.0)
    if fit_intercept:
        for row in range(0, at.height, LANES):
            partial = multiply_add(load(work, at.weight + row), load(work, source + row), partial)
    center = total(partial) / weight
    middle, partial = splat(center), splat(0.0)
    for row in range(0, at.height, LANES):
        centred = subtract(load(work, source + row), middle)
        weighed = multiply_add(load(work, at.weight + row), centred, splat(0.0))
        partial = multiply_add(weighed, centred, partial)
    spread = math.sqrt(total(partial) / weight)
    if not (spread > FINE * abs(center) and SMALLEST < spread < LARGEST):
        status, value = look_closely(work, at, source, fit_intercept)
        return status, value, 0.0
    size = math.sqrt(spread * spread + 4.0 * l2)
    if not size < LARGEST:
        return EXTREME, center, 0.0
    _, power = math.frexp(size)
    scale = math.ldexp(1.0, -power)
    factor = splat(scale)
    for row in range(0, at.height, LANES):
        centred = subtract(load(work, source + row), middle)
        store(work, to + row, multiply_add(centred, factor, splat(0.0)))
    clear(work, to + at.n_rows, to + at.height)
    return CONVERGED, center, scale


@part
def standardize(
    work: Any, at: Places, weight: float, l2_reg: Any, fit_intercept: bool
) -> tuple[int, int]:
    """Centre and scale the columns in place, those that do not vary left out; status and size.

    Sets center and scale of all columns, and l2 and column of those that are left.
    """
    size, n_features = 0, l2_reg.shape[0]
    clear(work, at.l2, at.counts + at.width)
    for j in range(n_features):
        l2 = l2_reg[j]
        if not 0.0 <= l2 < math.inf:
            return NOT_FINITE, size
        source, to = at.columns + j * at.height, at.columns + size * at.height
        status, center, scale = scale_column(work, at, source, to, weight, l2, fit_intercept)
        if status != CONVERGED:
            return status, size
        work[at.center + j], work[at.scale + j] = center, scale
        if scale > 0.0:
            work[at.l2 + size] = l2 * scale * scale
            work[at.column + size] = float(j)
            size += 1
    if fit_intercept:
        ones = at.columns + size * at.height
        for row in range(at.height):
            work[ones + row] = 1.0 if row < at.n_rows else 0.0
        size += 1
    return (CONVERGED if size > 0 else NO_ROWS), size
