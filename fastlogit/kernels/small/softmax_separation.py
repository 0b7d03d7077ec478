"""Looks for a direction that separates the classes of a softmax."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..policy import part
from . import separation
from .arithmetic import clear, larger, largest, smaller
from .separation import LEAST_MARGIN, SLACK
from .softmax_layout import Places, to_classes
from .softmax_sums import predict_rows


@part
def separates(work: Any, at: Places, direction: int, fit_intercept: bool) -> bool:
    """Say whether the unpenalised part of a direction separates the classes.

    No row's own class loses against another along it, and some row's wins. Overwrites `trial`,
    `classes` and the raw predictions.
    """
    one = at.one
    if one.size == 1 and fit_intercept:
        return False
    clear(work, at.trial, at.trial + at.width)
    for k in range(at.size):
        if work[one.l2 + k % one.size] == 0.0:
            work[at.trial + k] = work[direction + k]
    size = largest(work, at.trial, at.size)
    if not 0.0 < size < math.inf:
        return False
    for k in range(at.size):
        work[at.trial + k] /= size
    to_classes(work, at, at.trial, at.classes)
    predict_rows(work, at, 0.0)
    least, most = math.inf, -math.inf
    for row in range(one.n_rows):
        code = np.int64(work[one.target + row])
        own = work[at.raw + code * one.height + row]
        for k in range(at.n_classes):
            if k != code:
                margin = own - work[at.raw + k * one.height + row]
                least, most = smaller(least, margin), larger(most, margin)
    reach = larger(most, -least)
    return reach > LEAST_MARGIN and least >= -SLACK * reach


@part
def has_free_slopes(work: Any, at: Places, fit_intercept: bool) -> bool:
    """Say whether a column has no penalty."""
    return separation.has_free_slopes(work, at.one, fit_intercept)


look_for_separation, last_change_separates = separation.make_looks(separates, has_free_slopes)
