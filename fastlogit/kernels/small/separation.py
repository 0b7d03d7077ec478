"""Looks for a direction that separates the classes, made for each kind of model."""

from __future__ import annotations

import math
from typing import Any

from ..inlining import keep_apart
from ..policy import part
from .arithmetic import larger, largest, smaller, step_to
from .layout import Places
from .row_sums import predict_rows

# As in certificates.separation.
LARGE = 8.0
LOOK_FROM, LOOK_EACH = 8, 4
SLACK = 1e-7
LEAST_MARGIN = 1e-3


def make_separates(is_free: Any) -> tuple[Any, Any]:
    """Return what tries a direction for separation, and what says whether there may be one.

    `is_free` says of a parameter whether nothing holds it.
    """

    @part
    def separates(work: Any, at: Places, direction: int, fit_intercept: bool) -> bool:
        """Say whether the unpenalised part of a direction separates the classes.

        Overwrites `trial` and the raw predictions.
        """
        slopes = at.size - 1 if fit_intercept else at.size
        for k in range(at.width):
            free = k < at.size and is_free(work, at, k)
            work[at.trial + k] = work[direction + k] if free else 0.0
        size = largest(work, at.trial, at.size)
        if not 0.0 < size < math.inf or slopes == 0:
            return False
        for k in range(at.size):
            work[at.trial + k] /= size
        predict_rows(work, at, at.trial, 0.0)
        least, most = math.inf, -math.inf
        for row in range(at.n_rows):
            z = work[at.raw + row]
            margin = z if work[at.target + row] > 0.5 else -z
            least, most = smaller(least, margin), larger(most, margin)
        reach = larger(most, -least)
        return reach > LEAST_MARGIN and least >= -SLACK * reach

    @part
    def has_free_slopes(work: Any, at: Places, fit_intercept: bool) -> bool:
        """Say whether a column has no penalty."""
        slopes = at.size - 1 if fit_intercept else at.size
        free = False
        for k in range(slopes):
            free = free or is_free(work, at, k)
        return free

    return separates, has_free_slopes


@part
def has_no_l2(work: Any, at: Places, k: int) -> bool:
    """Say whether nothing holds a parameter."""
    return work[at.l2 + k] == 0.0


separates, has_free_slopes = make_separates(has_no_l2)


def make_looks(separates: Any, has_free_slopes: Any) -> Any:
    """Return two looks for separation, now and at the end, of a kind of model."""

    @part
    def last_change_separates(work: Any, at: Any, fit_intercept: bool) -> bool:
        """Try the change of the iterate since the last look, which it overwrites."""
        keep_apart()
        step_to(work, at.theta, -1.0, at.last, at.last, at.width)
        return separates(work, at, at.last, fit_intercept)

    @part
    def look_for_separation(work: Any, at: Any, n_iter: int, fit_intercept: bool) -> bool:
        """Try the iterate and its change since the last look, now and then; keeps the iterate."""
        keep_apart()
        if n_iter < LOOK_FROM or n_iter % LOOK_EACH != 0:
            return False
        if not has_free_slopes(work, at, fit_intercept):
            return False
        found = False
        if largest(work, at.theta, at.size) > LARGE:
            found = separates(work, at, at.theta, fit_intercept)
            if not found and n_iter > LOOK_FROM:
                found = last_change_separates(work, at, fit_intercept)
        step_to(work, at.theta, 0.0, at.theta, at.last, at.width)
        return found

    return look_for_separation, last_change_separates


look_for_separation, last_change_separates = make_looks(separates, has_free_slopes)
