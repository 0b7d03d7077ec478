"""The minimum of a quadratic function plus L1, within bounds: what a proximal Newton step goes to.

Coordinate descent finds which coefficients are 0 or at a bound, and the signs of the others; a
linear system then gives their values, exactly.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ..arrays import Indices, Mask, Matrix, Vector
from ..kernels.coordinate_descent import descend
from ..linalg.factors import FACTOR_NS, Factor

__all__ = ["Corners", "QuadraticModel"]

# Sweeps of coordinate descent between two linear systems, and rounds of both.
SWEEPS, ROUNDS = 20, 200
# Where signs go on changing, as of columns that others explain up to rounding errors, a system is
# tried after so many rounds, and after twice as many each time.
PATIENCE = 4
# Coefficients that come to 0 one after the other, a linear system each, and up to how many that are
# not 0: of more coordinate descent, which takes as long as a sweep, finds them sooner.
CORNERS, SMALL_FACE = 20, 100
# Of more so many at the most stay at the corners that a linear system would carry them past.
MOST_HELD = 32
# Of more than SMALL_FACE coefficients within bounds a round that brings no more than this share of
# all before is the last one: after PATIENCE rounds without an end columns explain each other, and
# the next Hessian says more than the minimum for this one.
ROUGH = 0.005
# Of few coefficients so many linear systems that settle nothing: a matrix of one row's curvature.
FAILURES = 20
# Above so many no system is solved: a factor takes seconds, as long as hundreds of sweeps.
LARGE_FACE = 4000
# Numbers that a compiled call works on at the most: some 50 ms.
CALL_NUMBERS = 1e8
# A slope may exceed L1 by this share of it, at a coefficient that is 0.
WITHIN = 1e-10
# A pivot below this share of a column's curvature is nothing but rounding errors of the matrix.
# Proofs ask for more (`resolved.DEPENDENT`); a step may be rough where only coordinate descent, in
# ever so many sweeps, would do it else: columns alike up to 1e-6 stopped 10 % above the optimum.
DEPENDENT = 1e-13
# Changes of a sweep that are next to nothing, in units of what the function has fallen by.
ENOUGH = 1e-20


class Corners(NamedTuple):
    """L1 and bounds of the coefficients, an array of shape (size,) each: where slopes leap."""

    l1: Vector
    lower: Vector
    upper: Vector

    @classmethod
    def of_l1(cls, l1: Vector) -> Corners:
        """Return those of L1 alone."""
        none = np.full(l1.shape, np.inf)
        return cls(l1, -none, none)

    def of(self, used: Indices) -> Corners:
        """Return those of some coefficients."""
        return Corners(*(part[used] for part in self))

    def has_bounds(self) -> bool:
        """Say whether there are bounds."""
        return bool(np.isfinite(self.lower).any() or np.isfinite(self.upper).any())

    def at(self, coef: Vector) -> Mask:
        """Return which coefficients are there."""
        at_bound = (coef == self.lower) | (coef == self.upper)
        return np.asarray(at_bound | ((coef == 0.0) & (self.l1 > 0.0)))

    def ends(self, coef: Vector) -> tuple[Vector, Vector]:
        """Return how far each coefficient, at no corner, may go down and up to the next one."""
        low = np.where((coef > 0.0) & (self.l1 > 0.0), np.maximum(self.lower, 0.0), self.lower)
        high = np.where((coef < 0.0) & (self.l1 > 0.0), np.minimum(self.upper, 0.0), self.upper)
        return low, high


class QuadraticModel:
    """A quadratic function of given Hessian, plus L1, within bounds.

    Parameters
    ----------
    matrix : ndarray of shape (size, size)
        The Hessian M, without a negative eigenvalue. Coefficients without curvature stay.
    corners : Corners
    check : callable, optional
        Called with the seconds of what is about to begin; raises where that is too much.
    """

    def __init__(
        self, matrix: Matrix, corners: Corners,
        check: Callable[[float], None] = lambda seconds: None,
    ) -> None:  # fmt: skip
        self.matrix, self._corners, self._check = matrix, corners, check
        self._curved = np.diag(matrix) > 0.0
        self._face: Face | None = None

    def under(self, corners: Corners) -> QuadraticModel:
        """Return the same with other corners; what is factored serves it, too."""
        other = copy.copy(self)
        other._corners = corners
        return other

    def minimum(self, slopes: Vector, start: Vector) -> Vector:
        """Return the b at which ``slopes @ (b - start) + (b - start)' M (b - start) / 2`` is least.

        With ``l1 @ |b|`` added, within the bounds, as `start` is: up to rounding, with exact zeros;
        of columns that depend on others some are left out.
        """
        coef, slopes = start.copy(), slopes.copy()
        self._sure = WITHIN * float(np.abs(slopes).max(initial=0.0))
        # Where the factor of these signs is known, one linear system may do it.
        if self._is_known(coef) and self._settle(coef, slopes):
            return coef
        n_sweeps = max(1, min(SWEEPS, int(CALL_NUMBERS / coef.size**2)))
        most, failures = 0.0, 0
        begin, at_begin, fall = coef.copy(), slopes.copy(), 0.0
        is_rough = coef.size > SMALL_FACE and self._corners.has_bounds()
        for number in range(1, ROUNDS + 1):
            self._check(0.0)
            _, largest, changed = descend.serial(
                self.matrix, *self._corners, n_sweeps, 0.0, coef, slopes
            )
            most = max(most, largest)
            is_time = changed == 0 or (number >= PATIENCE and number & (number - 1) == 0)
            if largest <= ENOUGH * most or (is_time and self._settle(coef, slopes)):
                break
            failures += changed == 0 and coef.size <= SMALL_FACE
            if failures >= FAILURES:
                break
            if is_rough and number >= PATIENCE:
                before, fall = fall, self._fall(at_begin, slopes, begin, coef)
                if fall - before <= ROUGH * fall:
                    break
        return coef

    def _fall(self, at_begin: Vector, slopes: Vector, begin: Vector, coef: Vector) -> float:
        """Return by how much the function falls between two points with these slopes."""
        longer = float(self._corners.l1 @ (np.abs(coef) - np.abs(begin)))
        return -0.5 * float((at_begin + slopes) @ (coef - begin)) - longer

    def _used(self, coef: Vector) -> Indices:
        return np.flatnonzero(self._curved & ~self._corners.at(coef))

    def _is_known(self, coef: Vector) -> bool:
        return self._face is not None and np.array_equal(self._face.used, self._used(coef))

    def _settle(self, coef: Vector, slopes: Vector) -> bool:
        """Go to the minimum among coefficients at no corner, and say whether it is that of all.

        Whoever comes to a corner on the way stays there; the others go on where they are few.
        Sets: coef, slopes.
        """
        for _ in range(CORNERS):
            used = self._used(coef)
            if not used.size:
                break
            if used.size > LARGE_FACE:
                return False
            if not self._is_known(coef):
                self._check(1e-9 * FACTOR_NS * used.size**3 / 3.0)
                self._face = Face(self.matrix, used)
            assert self._face is not None
            own = self._corners.of(used)
            least = slopes[used] + own.l1 * np.sign(coef[used])
            step = self._face.step(least, coef[used])
            low, high = own.ends(coef[used])
            if used.size > SMALL_FACE:
                step = self._face.held(low, high, coef[used], step)
            change, there = _up_to_corners(low, high, coef[used], step)
            if not self._face.lowers(least, change):
                change, there = self._face.level_step(least, low, high, coef[used])
                if not (there.any() and self._face.lowers(least, change)):
                    return False
            ends = np.where(change < 0.0, low, high)
            coef[used] = np.clip(coef[used] + change, own.lower, own.upper)
            coef[used[there]] = ends[there]
            slopes += self._face.slopes_of(change)
            if np.array_equal(change, step):
                break
            if used.size > SMALL_FACE:
                return False
        else:
            return False
        return bool((self._beyond(coef, slopes) <= 0.0)[self._curved].all())

    def _beyond(self, coef: Vector, slopes: Vector) -> Vector:
        """Return how much slopes exceed what holds a coefficient at its corner; else 0."""
        l1, lower, upper = self._corners
        found = np.where((coef == 0.0) & (l1 > 0.0), np.abs(slopes) - l1 * (1.0 + WITHIN), 0.0)
        for end, way in ((lower, 1.0), (upper, -1.0)):
            there = coef == end
            if there.any():
                pull = l1 * np.where(coef * way < 0.0, -1.0, 1.0)
                of_bound = -way * slopes - pull - self._sure
                found = np.where(there, of_bound, found)
        held = lower == upper
        return np.where(held, 0.0, found) if held.any() else found


class Face:
    """The quadratic function of some coefficients, with a factor of its Hessian."""

    def __init__(self, matrix: Matrix, used: Indices) -> None:
        self.used, self._matrix = used, matrix
        own = matrix[np.ix_(used, used)]
        self._factor = Factor(own, DEPENDENT, lower_out=own)

    def slopes_of(self, change: Vector) -> Vector:
        """Return by how much the slopes of all coefficients change along with these.

        Not by BLAS, whose sums depend on the number of threads.
        """
        every = np.zeros(len(self._matrix))
        every[self.used] = change
        return np.einsum("ij,j->i", self._matrix, every)

    def step(self, least: Vector, coef: Vector) -> Vector:
        """Return the step to where slopes `least` vanish; dependent columns go to 0."""
        if not self._factor.dependent.any():
            return self._factor.solve(-least[None])[0]
        right = self.slopes_of(coef)[self.used] - least
        return self._factor.solve(right[None])[0] - coef

    def held(self, low: Vector, high: Vector, coef: Vector, step: Vector) -> Vector:
        """Return the step to where slopes vanish but of those that would pass a corner.

        These end there, so that no new factor is needed; the step as given where they are many.
        """
        there, ends, found = np.zeros(coef.size, dtype=bool), coef.copy(), step
        while not self._factor.dependent.any():
            passes = ~there & ((coef + found <= low) | (coef + found >= high))
            if not passes.any():
                return found
            there |= passes
            ends[passes] = np.where(found < 0.0, low, high)[passes]
            which = np.flatnonzero(there)
            if which.size > MOST_HELD:
                break
            sides = np.zeros((which.size, coef.size))
            sides[np.arange(which.size), which] = 1.0
            pulls = self._factor.solve(sides)
            try:
                shares = np.linalg.solve(pulls[:, which], (ends - coef - step)[which])
            except np.linalg.LinAlgError:
                break
            found = step + np.einsum("i,ij->j", shares, pulls)
            found[which] = (ends - coef)[which]
        return step

    def level_step(
        self, least: Vector, low: Vector, high: Vector, coef: Vector
    ) -> tuple[Vector, Mask]:
        """Return a step along columns that depend on others, to the first corner, and who is there.

        Along these the function is as good as linear.
        """
        none = np.zeros_like(coef), np.zeros(coef.size, dtype=bool)
        if not self._factor.dependent.any():
            return none
        column = int(np.argmax(self._factor.dependent))
        way = -self._factor.solve(self._matrix[self.used[column], self.used][None])[0]
        way[column] += 1.0
        way *= -np.sign(way @ least)
        ends = np.where(way < 0.0, low, high)
        nears = (way != 0.0) & np.isfinite(ends)
        if not nears.any():
            return none
        lengths = np.divide(ends - coef, way, out=np.full(coef.size, np.inf), where=nears)
        there = nears & (lengths <= lengths.min())
        change = lengths.min() * way
        change[there] = (ends - coef)[there]
        return change, there

    def lowers(self, least: Vector, change: Vector) -> bool:
        """Say whether the function falls by a change, up to rounding errors."""
        with np.errstate(over="ignore", invalid="ignore"):
            curved = change @ self.slopes_of(change)[self.used]
            return bool(least @ change + 0.5 * curved <= WITHIN * (np.abs(least) @ np.abs(change)))


def _up_to_corners(low: Vector, high: Vector, coef: Vector, step: Vector) -> tuple[Vector, Mask]:
    """Return as much of a step as passes no corner, and which coefficients are at one then."""
    crosses = (coef + step <= low) | (coef + step >= high)
    if not crosses.any():
        return step, crosses
    ends = np.where(step < 0.0, low, high)
    shares = np.divide(ends - coef, step, out=np.full(coef.size, np.inf), where=crosses)
    share = min(float(shares.min()), 1.0)
    there = crosses & (shares <= share)
    change = share * step
    change[there] = (ends - coef)[there]
    return change, there
