"""One fit under L1 from afar, over columns that come in by their slopes: rough steps, few passes.

Each stage looks at all columns once, takes in those whose slopes exceed L1 by the most, and goes
near the minimum over those that are in by coordinate descent (working sets that grow with the
support: Massias and others, 2020, Journal of Machine Learning Research 21). Predictions come from
the columns that are in alone. Where next to nothing comes in, a `PathFollower` goes on from there.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from ..arrays import Indices, Mask, Vector
from ..objective.column_model import SomeModel, descend_some
from ..objective.known_slopes import KnownSlopes
from ..objective.objective import Objective
from ..objective.working_columns import RowsThere, WorkingColumns
from .iteration import DECREASE

__all__ = ["Stage", "growing"]

# Of the columns whose slopes exceed L1 so many come in at a time at the most: a number, so many
# times the root of all columns, or so many times those with a coefficient.
LEAST, ROOTS, GROWTH = 64, 7.0, 2.0
# Of more than so many times these only as many are looked at, those whose slopes exceed it by most.
DISTINCT = 2
# Where no more than this share of those comes in, it is time for exact steps.
FEW = 0.1
STAGES, STEPS, MOST_HALVINGS = 12, 3, 6
# Sweeps of coordinate descent, which end when the last one's squared steps are this share of all;
# steps go on while one lowers the cost by more than SLOW of what the first of the stage did.
SWEEPS, ROUGH, SLOW = 20, 0.05, 0.1
# The same where all columns are in that should be: steps go on while one lowers the cost by more
# than CLOSE of it. That is near enough for exact steps, also where few columns come in last.
LAST_STEPS, LAST_SWEEPS, CLOSE = 8, 10, 1e-3
# Columns whose slopes come that near to L1, as a share of it, come in where all do that exceed it.
NEXT = 0.05
# Columns whose slopes at a step are no more than this share of L1 rest in it, and in the stage's
# next ones.
REST = 0.8
# Columns that are in, at the most.
MOST_WORKING = 4_000


class Stage(NamedTuple):
    """Where a stage ended, as all columns see it.

    Attributes
    ----------
    theta, gradient : ndarray of shape (n_parameters,)
        The gradient is that of what is smooth.
    cost : float
    slopes : ndarray of shape (n_features,)
        Those of the loss alone.
    is_last : bool
    """

    theta: Vector
    cost: float
    gradient: Vector
    slopes: Vector
    is_last: bool


def growing(one: Objective, theta: Vector, known: KnownSlopes) -> Iterator[Stage]:
    """Go on from `theta` stage by stage; give each, the last of which is near the optimum.

    `known` takes the residuals looked at. The first is where it begins, and the last as well if
    that is near; no stage is the last where there is no way.
    """
    grown = _Grown(one, theta)
    for number in range(STAGES):
        known.take(grown.rows.residual)
        slopes, _ = known.bounds(grown.rows.residual)
        more, is_all, is_few = grown.beyond(slopes, known)
        is_near = is_few and (number == 0 or (grown.is_close and grown.share_of(more) <= FEW))
        yield grown.stage(slopes, is_near)
        if is_near or not grown.is_cheap(more.size):
            return
        grown.add(more)
        grown.go_on(is_all)
        if is_few:
            yield grown.stage(known.bounds(grown.rows.residual)[0], True)
            return


class _Grown:
    """The columns that are in, and a point of theirs."""

    def __init__(self, one: Objective, theta: Vector) -> None:
        assert one.l1 is not None
        self._one, self._l1, self._l2 = one, one.l1.strengths[0], one.penalty.diagonal()[0]
        self._varies = one.design.columns.inverse_scale > 0.0
        needed = self._varies & ((theta[:-1] != 0.0) | (self._l1 == 0.0))
        self._working = WorkingColumns(one, np.flatnonzero(needed))
        self._theta = theta[np.append(self._working.indices, theta.size - 1)]
        self.rows, self._cost = self._look(self._theta)
        self.is_close = False

    def _look(self, theta: Vector) -> tuple[RowsThere, float]:
        """Return what rows say of a point, and its cost."""
        with np.errstate(over="ignore", invalid="ignore"):
            rows, own = self._working.rows_at(theta), self._working.indices
            sizes = self._l1[own] * np.abs(theta[:-1]) + 0.5 * self._l2[own] * theta[:-1] ** 2
            return rows, rows.loss + float(sizes.sum())

    def _inside(self) -> Mask:
        inside = np.zeros(self._varies.size, dtype=bool)
        inside[self._working.indices] = True
        return inside

    def beyond(self, slopes: Vector, known: KnownSlopes) -> tuple[Indices, bool, bool]:
        """Return columns that should come in; say if they are all that should, and next to none."""
        excess, outside = np.abs(slopes) - self._l1, self._varies & ~self._inside()
        near = np.flatnonzero(outside & (excess > -NEXT * self._l1))
        n_needed = int(np.count_nonzero(self._theta[:-1]))
        most = max(LEAST, int(ROOTS * np.sqrt(excess.size)), int(GROWTH * n_needed))
        while most > LEAST and not self.is_cheap(most):
            most //= 2
        some = near[excess[near] > 0.0]
        if some.size > DISTINCT * most:  # of so many not all are compared
            some = _largest(excess, some, DISTINCT * most)
            some = self._distinct(some, known)
            if some.size > most:
                return _largest(excess, some, most), False, False
        near = self._distinct(near, known)
        found = near[excess[near] > 0.0]
        if found.size > most:
            return _largest(excess, found, most), False, False
        near = near if self.is_cheap(near.size) else found
        return near, True, found.size <= FEW * n_needed

    def _distinct(self, more: Indices, known: KnownSlopes) -> Indices:
        """Return them without those that look like others: all where L2 makes these share."""
        return more if self._l2.any() else known.distinct(more, self._working.indices)

    def share_of(self, more: Indices) -> float:
        """Return how many columns these are to one with a coefficient."""
        return more.size / max(1, int(np.count_nonzero(self._theta[:-1])))

    def is_cheap(self, count: int) -> bool:
        """Say whether so many more columns may come in."""
        size = len(self._working) + count
        return size <= MOST_WORKING and self._one.design.gives_columns(size)

    def add(self, more: Indices) -> None:
        """Let columns in."""
        self._working.add(more)
        self._theta = np.concatenate([self._theta[:-1], np.zeros(more.size), self._theta[-1:]])

    def go_on(self, is_all: bool) -> None:
        """Take rough Newton steps over the columns that are in, less so if all are that should."""
        first, self._moving = 0.0, np.arange(len(self._working))
        for step in range(LAST_STEPS if is_all else STEPS):
            before = self._cost
            if not self._step(LAST_SWEEPS if is_all else SWEEPS):
                return
            fall = before - self._cost
            first, self.is_close = max(first, fall), fall <= CLOSE * abs(self._cost)
            if self.is_close if is_all else step > 0 and fall <= SLOW * first:
                return

    def _step(self, n_sweeps: int) -> bool:
        working, rows = self._working, self.rows
        gradient = self._slopes_of_moving()
        moving = self._moving
        own, theta = working.indices[moving], self._own(self._theta)
        some, middles = working.some(moving)
        model = SomeModel(
            some, middles, working.measures_of(some, rows.curvature), rows.curvature,
            (self._l1[own], self._l2[own]), self._one.fit_intercept,
        )  # fmt: skip
        found = descend_some(model, theta, gradient, (n_sweeps, ROUGH))
        if not (np.isfinite(found.target).all() and found.promised < 0.0):
            return False
        target = np.zeros(len(working) + 1)
        target[moving], target[-1] = found.target[:-1], found.target[-1]
        size = 1.0
        for _ in range(MOST_HALVINGS):
            theta = self._theta + size * (target - self._theta)
            rows, cost = self._look(theta)
            if self._cost - cost >= -DECREASE * size * found.promised:
                self._theta, self.rows, self._cost = theta, rows, cost
                return True
            size *= 0.5
        return False

    def _slopes_of_moving(self) -> Vector:
        """Let columns rest whose slopes are far below L1; return those of the others.

        Sets: _moving.
        """
        working, moving = self._working, self._moving
        own, coef = working.indices[moving], self._theta[moving]
        gradient = working.slopes_of(*working.some(moving), self.rows.residual)
        gradient[:-1] += self._l2[own] * coef
        moves = (np.abs(gradient[:-1]) > REST * self._l1[own]) | (coef != 0.0)
        self._moving = moving[moves]
        return gradient[np.append(moves, True)]

    def _own(self, theta: Vector) -> Vector:
        """Return those of the columns that move, and of the intercept."""
        return np.append(theta[self._moving], theta[-1])

    def stage(self, slopes: Vector, is_last: bool) -> Stage:
        """Return the point as all columns see it."""
        theta = np.zeros(self._varies.size + 1)
        theta[self._working.indices], theta[-1] = self._theta[:-1], self._theta[-1]
        level = float(self.rows.residual.sum()) if self._one.fit_intercept else 0.0
        gradient = np.append(slopes + self._l2 * theta[:-1], level)
        return Stage(theta, self._cost, gradient, slopes, is_last)


def _largest(excess: Vector, columns: Indices, count: int) -> Indices:
    """Return so many of the columns, those with the largest `excess`, in order."""
    return np.sort(columns[np.argpartition(-excess[columns], count)[:count]])
