"""One model of two classes along a path of L1: few columns are worked on, few others looked at.

Newton's method over a working set of columns, as `proximal_newton`; but cost, gradient and proof
come from the working set and from the rows' residuals alone. Of all other columns it is known from
vectors seen before that their slopes are within L1 (`certificates.known_slopes`). A pass over all
columns comes where that leaves too many open: one for several penalties.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from ..arrays import Indices, Mask, Matrix, Vector
from ..certificates.binomial import Rounding
from ..certificates.dual_gap import Tangents, gap_of_dual
from ..linalg.resolved import EPS
from ..objective.column_model import SomeModel, descend_some
from ..objective.group_penalty import GroupL1
from ..objective.known_slopes import KnownSlopes
from ..objective.objective import Objective
from ..objective.working_columns import RowsThere, WorkingColumns
from .growing import Stage, growing
from .quadratic_model import Corners, QuadraticModel
from .trace import Limits

__all__ = ["Followed", "PathFollower", "may_follow"]

# Newton steps for one penalty, and halvings of a step.
MOST_STEPS, MOST_HALVINGS = 12, 6
# Columns of the working set at the most.
MOST_WORKING = 2_000
# Columns whose slopes come that near to L1, as a share of it, are there before they have to be.
NEXT = 0.03
# A working set of more columns than so many times those with a coefficient is chosen anew.
MOST_SPARE = 1.3
# Where more than this share of the columns is open, all of them are looked at.
OPEN = 1.0 / 16.0
# A Hessian serves until row curvatures have changed by this share of their sum, and as long as each
# step leaves no more than SLOW of what was missing. Where one that was made for a step leaves more
# than STALLED, rounding errors are all that is left.
CHANGED, SLOW, STALLED = 0.2, 0.1, 0.5
# Up to so many multiply-adds each step has a Hessian of its own.
CHEAP = 2e6
# Columns of X at the least, and the finest tolerance: a bound of first order has rounding errors of
# slopes in it, in units of L1.
LEAST_COLUMNS, FINEST = 128, 1e-12
# Sweeps of coordinate descent in the place of a Gram matrix, where all columns have L2: as many as
# take half as long as that, so many columns for each, and few do not suffice. They end when the
# last one's squared steps are this share of all: what is left of the bound then is of second order.
# 1,000 x 20,000, 1,025 coefficients, half of the penalty L2: 41 sweeps, 17 ms in place of 65.
COLUMNS_A_SWEEP, FEW_SWEEPS, EXACT = 10, 40, 1e-7
# Changes of the cost below this share of it are rounding errors.
ROUNDING = 4e-15


class Place(NamedTuple):
    """A point of the working set: parameters, cost, smooth gradient and what its rows say."""

    theta: Vector
    cost: float
    gradient: Vector
    rows: RowsThere


class Followed(NamedTuple):
    """Where a model ended: parameters and slopes of all columns, and what is proven.

    Attributes
    ----------
    theta, gradient : ndarray of shape (n_parameters,)
        The gradient is as good as it is known.
    cost, gain : float
        The cost there, and a bound on what it lacks.
    n_steps : int
    """

    theta: Vector
    gradient: Vector
    cost: float
    gain: float
    n_steps: int


def may_follow(objective: Objective, limits: Limits) -> bool:
    """Say whether models can be followed: of two classes, with L1 alone or L2 besides.

    Their columns are many, and to be had one by one; and the proof is not asked for more digits
    than sums over the rows have.
    """
    l1, design = objective.l1, objective.design
    if objective.loss.is_coupled or isinstance(l1, GroupL1) or l1 is None or l1.bounds is not None:
        return False
    if objective.rows.shares is not None:
        return False
    is_wide = design.shape[1] >= LEAST_COLUMNS and design.gives_columns(LEAST_COLUMNS // 4)
    return is_wide and limits.tol >= FINEST and limits.max_iter >= MOST_STEPS


class PathFollower:
    """A model on its way from penalty to penalty.

    Parameters
    ----------
    one : Objective
        Of one model, whose design gives its columns.
    size : float or ndarray of shape (n_features,)
        At least the root mean squares of the standardised columns.
    """

    _model: QuadraticModel
    _one: Objective
    _l1: Vector
    _l2: Vector

    def __init__(self, one: Objective, size: Vector | float) -> None:
        self._known, self._rounding = KnownSlopes(one, size), Rounding(one)
        self._size = np.broadcast_to(np.maximum(size, 1.0), one.design.shape[1:])
        self._varies = one.design.columns.inverse_scale > 0.0
        self._working = WorkingColumns(one, np.empty(0, dtype=np.int64))
        self._inside = np.zeros(one.design.shape[1], dtype=bool)
        self._slopes, self._own_l2 = np.zeros(self._inside.size), np.empty(0)
        self._hessian: Matrix | None = None
        self._by_columns = False
        # The sum of L1 and the parameters of the last two optima.
        self._course: list[tuple[float, Vector]] = []

    def approach(self, one: Objective, theta: Vector) -> Iterator[Stage]:
        """Come near the optimum from afar: give each stage of `growing`, and begin at the last."""
        self._take(one)
        # A path has a Gram matrix that serves many penalties.
        self._by_columns = bool((self._l2 > 0.0)[self._varies].all())
        for stage in growing(one, theta, self._known):
            yield stage
            if stage.is_last:
                self._slopes = stage.slopes
                near = np.abs(stage.slopes) > (1.0 - NEXT) * self._l1
                needed = self._varies & (stage.theta[:-1] != 0.0)
                self._choose(needed | self._distinct(self._varies & near & ~needed, needed))

    def _distinct(self, more: Mask, beside: Mask) -> Mask:
        """Return which columns look like none of the others, nor of some beside them.

        With L2 all of them: what columns that are alike share there is the optimum's.
        """
        if self._l2.any():
            return more
        return self._marked(self._known.distinct(np.flatnonzero(more), np.flatnonzero(beside)))

    def _marked(self, columns: Indices) -> Mask:
        found = np.zeros_like(self._inside)
        found[columns] = True
        return found

    def _take(self, one: Objective) -> None:
        assert one.l1 is not None
        self._one, self._l1, self._l2 = one, one.l1.strengths[0], one.penalty.diagonal()[0]

    def follow(self, one: Objective, theta: Vector, tol: float) -> Followed | None:
        """Minimise the cost under the next penalty from `theta`; None where there is no way.

        Rounding errors may leave more than `tol`.

        1. the working set: columns with a coefficient, and those whose slopes exceed L1 or come
        near; 2. the minimum of the quadratic model over it, and a step there; 3. the tangents of
        the rows that the step promises: what they prove of the working set; 4. the other columns:
        those that may exceed L1 are looked at, and join the working set where they do.
        """
        self._take(one)
        if (self._varies & (self._l1 == 0.0) & (self._l2 == 0.0)).any():
            return None
        here, before, is_exact = self._ahead(self._begin(theta)), math.inf, False
        for n_steps in range(1, MOST_STEPS + 1):
            if here is None:
                return None
            new, dual = self._step(here, is_exact)
            if new is None:
                if is_exact:
                    return None
                is_exact = True
                continue
            wanted = tol * abs(new.cost)
            gain, more = self._prove(new, dual, wanted)
            if gain <= wanted:
                found = self._found(new, gain, n_steps)
                self._course = [*self._course[-1:], (float(self._l1.sum()), found.theta)]
                return found
            if is_exact and not more.size and gain > STALLED * before:
                return self._found(new, gain, n_steps)  # rounding errors are what is left
            is_slow = gain > SLOW * before
            self._by_columns &= not is_slow
            if more.size:
                fresh = np.flatnonzero(self._distinct(self._marked(more), self._inside))
                # Those that look like others may be no more than near to them.
                more = more if is_slow and not fresh.size else fresh
            here, is_exact, before = new, is_slow, gain
            if more.size:
                theta = np.append(new.theta[:-1], np.zeros(more.size + 1))
                theta[-1] = new.theta[-1]
                here, before = self._at(theta) if self._add(more) else None, math.inf
        return None

    def _found(self, new: Place, gain: float, n_steps: int) -> Followed:
        theta = np.zeros(self._l1.size + 1)
        theta[self._working.indices], theta[-1] = new.theta[:-1], new.theta[-1]
        gradient = np.append(self._slopes + self._l2 * theta[:-1], new.gradient[-1])
        gradient[self._working.indices] = new.gradient[:-1]
        return Followed(theta, gradient, new.cost, gain, n_steps)

    def _ahead(self, here: Place | None) -> Place | None:
        """Return where the course of the last two optima leads, if the cost is lower there.

        As a function of L1 it is nearly a line for each coefficient, until that comes to 0.
        """
        if here is None or len(self._course) < 2:
            return here
        (first, one), (second, other) = self._course
        if first == second:
            return here
        one, other = self._own(one), self._own(other)
        there = other + (float(self._l1.sum()) - second) / (second - first) * (other - one)
        stays = (one * other > 0.0) & (other * there > 0.0)
        stays[-1] = True
        new = self._at(np.where(stays, there, here.theta))
        return new if new.cost < here.cost else here

    # ---- the working set

    def _begin(self, theta: Vector) -> Place | None:
        """Take a working set that has all columns known to be needed; None where they are many.

        The slopes are those of the tangents that proved the fit before.
        """
        needed = self._varies & (theta[:-1] != 0.0)
        if not len(self._known) or not self._inside[needed].all():
            if not self._choose(needed):
                return None
            residual = self._at(self._own(theta)).rows.residual
            self._known.take(residual)
            self._slopes, _ = self._known.bounds(residual)
        outside, sizes = self._varies & ~self._inside, np.abs(self._slopes)
        if (sizes > self._l1)[outside].any():
            near = outside & (sizes > (1.0 - NEXT) * self._l1)
            more = self._distinct(near, self._inside)
            size = int(needed.sum()) + int(more.sum())
            if len(self._working) > MOST_SPARE * (1 + size):
                fine = self._choose(needed | more)
            else:
                fine = self._add(np.flatnonzero(more))
            if not fine:
                return None
        return self._at(self._own(theta))

    def _own(self, theta: Vector) -> Vector:
        return np.append(theta[self._working.indices], theta[-1])

    def _choose(self, needed: Mask) -> bool:
        """Take these columns and no others."""
        columns = np.flatnonzero(needed)
        if not self._is_cheap(columns):
            return False
        self._working = WorkingColumns(self._one, columns)
        self._inside = needed.copy()
        return True

    def _add(self, more: Indices) -> bool:
        if not self._is_cheap(np.append(self._working.indices, more)):
            return False
        self._working.add(more)
        self._inside[more] = True
        return True

    def _is_cheap(self, columns: Indices) -> bool:
        return columns.size <= MOST_WORKING and self._one.design.gives_columns(columns.size)

    def _at(self, theta: Vector) -> Place:
        working = self._working
        with np.errstate(over="ignore", invalid="ignore"):
            rows = working.rows_at(theta)
            coef, slopes = theta[:-1], working.slopes(rows.residual)
            l1, l2 = self._l1[working.indices], self._l2[working.indices]
            slopes[:-1] += l2 * coef
            penalty = (l1 * np.abs(coef)).sum() + 0.5 * (l2 * np.square(coef)).sum()
        return Place(theta, rows.loss + float(penalty), slopes, rows)

    # ---- steps

    def _step(self, here: Place, is_exact: bool) -> tuple[Place | None, Vector]:
        """Go to the minimum of the quadratic model, or some of the way.

        Returns the point, None where the cost is no lower there, and the rows' tangents that the
        whole step promises, less their classes and times their shares of the weight.
        """
        working, weights = self._working, here.rows.curvature
        target = self._descended(here) if self._by_columns else None
        if target is None:
            is_cheap = len(working) ** 2 * weights.size <= CHEAP
            if is_exact or is_cheap or self._is_far(weights):
                working.look(weights)
            target = self._model_of(working).minimum(here.gradient, here.theta)
            assert working.curvature is not None
            weights = working.curvature
        step = target - here.theta
        dual = here.rows.residual + weights * working.predictions(step)
        size, slack = 1.0, ROUNDING * abs(here.cost)
        for _ in range(MOST_HALVINGS):
            new = self._at(here.theta + size * step)
            if np.isfinite(new.gradient).all() and new.cost <= here.cost + slack:
                return new, dual
            size *= 0.5
        return None, dual

    def _descended(self, here: Place) -> Vector | None:
        """Return the minimum of the quadratic model by coordinate descent; None where that is slow.

        Sets: _by_columns.
        """
        working, weights = self._working, here.rows.curvature
        n_sweeps = int(len(working) / COLUMNS_A_SWEEP)
        if n_sweeps < FEW_SWEEPS:
            self._by_columns = False
            return None
        some, middles = working.some(np.arange(len(working)))
        own = working.indices
        model = SomeModel(
            some, middles, working.measures_of(some, weights), weights,
            (self._l1[own], self._l2[own]), self._one.fit_intercept,
        )  # fmt: skip
        found = descend_some(model, here.theta, here.gradient, (n_sweeps, EXACT))
        self._by_columns = found.n_sweeps < n_sweeps and bool(np.isfinite(found.target).all())
        return found.target if self._by_columns else None

    def _model_of(self, working: WorkingColumns) -> QuadraticModel:
        """Return the quadratic model over the working set, with what is factored of it."""
        corners = Corners.of_l1(np.append(self._l1[working.indices], 0.0))
        hessian, l2 = working.hessian(), self._l2[working.indices]
        if self._hessian is not hessian or (l2 != self._own_l2).any():
            matrix = hessian.copy() if l2.any() else hessian
            matrix[np.arange(l2.size), np.arange(l2.size)] += l2
            check = self._one.design.counter.check
            self._model = QuadraticModel(matrix, corners, check)
            self._hessian, self._own_l2 = hessian, l2
        self._model = self._model.under(corners)
        return self._model

    def _is_far(self, curvature: Vector) -> bool:
        """Say whether there is no Hessian, or row curvatures have changed since."""
        known = self._working.curvature
        return known is None or not np.abs(curvature - known).sum() <= CHANGED * known.sum()

    # ---- proof

    def _prove(self, new: Place, dual: Vector, wanted: float) -> tuple[float, Indices]:
        """Return a bound on what a point lacks, and the columns that the working set lacks.

        `dual` are tangents of the rows, less their classes and times their shares of the weight:
        in proportion to the curvatures they are moved to where the intercept's slope is 0. The
        bound counts the columns outside only where it is as wanted without them.
        """
        curvature, none = new.rows.curvature, np.empty(0, dtype=np.int64)
        mean = float(curvature.sum())
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            if self._one.fit_intercept:
                dual = dual - curvature * (float(dual.sum()) / mean)
            apart = dual - new.rows.residual
            moved = np.divide(apart, curvature, out=np.zeros_like(apart), where=apart != 0.0)
            tau = float(np.abs(moved).max(initial=0.0))
            spread = math.sqrt(float((apart * moved).sum()))
        if not tau < 1.0:
            return math.inf, none
        error = self._rounding.of_product(self._known.size_of(dual))
        spread += self._rounding.of_rows(new.theta, new.cost)
        tau += 2.0 * self._rounding.of_rows(new.theta, 1.0)
        if self._one.fit_intercept:
            level = error / mean
            tau, spread = tau + level, spread + level * math.sqrt(mean)
            error += 0.5 * level * math.sqrt(mean)
        of_rows = Tangents(new.cost, tau, spread)
        inside, coef = self._working.indices, new.theta[:-1]
        slopes, errors = self._working.slopes(dual)[:-1], error * self._size[inside]
        gain = self._sum_up(of_rows, coef, slopes, errors, inside)
        if not gain <= wanted:
            return gain, none
        outside, theirs, doubts = self._open(dual, error)
        if not outside.size:
            return gain, none
        gain = self._sum_up(
            of_rows, np.append(coef, np.zeros(outside.size)), np.append(slopes, theirs),
            np.append(errors, doubts), np.append(inside, outside),
        )  # fmt: skip
        return gain, none if gain <= wanted else outside[np.abs(theirs) > self._l1[outside]]

    def _sum_up(
        self, rows: Tangents, coef: Vector, slopes: Vector, errors: Vector, columns: Indices
    ) -> float:
        l1, l2 = self._l1[columns], self._l2[columns]
        return gap_of_dual(rows, coef, slopes, errors + 4.0 * EPS * np.abs(l2 * coef), l1, l2)

    def _open(self, dual: Vector, error: float) -> tuple[Indices, Vector, Vector]:
        """Return columns outside that may exceed L1, for all that is known.

        Their slopes, and how far these may err.
        """
        outside, errors = self._varies & ~self._inside, error * self._size
        for is_known in (False, True):
            self._slopes, doubt = self._known.bounds(dual)
            beyond = outside & (np.abs(self._slopes) + doubt + errors > self._l1)
            found = np.flatnonzero(beyond)
            if is_known or found.size <= OPEN * outside.size:
                break
            self._known.take(dual)
        slopes, times = self._known.of_columns(dual, found)
        self._slopes[found] = slopes
        return found, slopes, times * errors[found]
