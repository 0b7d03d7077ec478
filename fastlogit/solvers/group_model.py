"""The minimum of a quadratic function plus the lengths of groups: what a proximal step goes to.

Block coordinate descent finds which groups are 0; Newton's method, for which the length of a group
that is not 0 is smooth, then gives the others.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..arrays import Indices, Matrix, Vector
from ..kernels.group_descent import descend_groups
from ..linalg.factors import FACTOR_NS, Factor
from ..linalg.resolved import DEPENDENT
from ..objective.group_penalty import length_hessian

__all__ = ["GroupModel"]

# Sweeps of coordinate descent between two looks at what they gained, and rounds of both.
SWEEPS, ROUNDS = 10, 400
# Newton steps over groups that are not 0, none of which goes by more than this share of a length.
# They are at their end where one promises no less than this share of the one before, and that
# promised next to nothing beside the function.
STEPS, NOT_FAR, LEVEL, SETTLED = 20, 0.5, 0.25, 1e-20
# Nanoseconds of a block's eigenvectors for each number cubed.
EIGEN_NS = 1.0
# Above so many coordinates no system is solved.
LARGE_FACE = 4000
# A slope may exceed the strength of a group at 0 by this share of it.
WITHIN = 1e-10
# Changes of a sweep, or of a step, that are next to nothing beside what the function has fallen by.
ENOUGH = 1e-20


class GroupModel:
    """A quadratic function of given Hessian, plus the lengths of groups.

    Parameters
    ----------
    matrix : ndarray of shape (size, size)
        The Hessian M, without a negative eigenvalue. Free coordinates without curvature stay.
    starts : ndarray of int, shape (n_groups + 1,)
        Where the groups begin.
    strengths : ndarray of shape (n_groups,)
        What the length of each group counts; 0 for free coordinates, each a group of its own.
    check : callable, optional
        Called with the seconds of what is about to begin; raises where that is too much.
    """

    def __init__(
        self, matrix: Matrix, starts: Indices, strengths: Vector,
        check: Callable[[float], None] = lambda seconds: None,
    ) -> None:  # fmt: skip
        self.matrix, self._starts, self._strengths = matrix, starts, strengths
        self._check = check
        self._block_of = np.repeat(np.arange(strengths.size), np.diff(starts))
        self._look_at_blocks()

    def _look_at_blocks(self) -> None:
        """Find the eigenvectors and eigenvalues of each group's block of the matrix.

        Sets: _bases, those of all groups one after the other, and _curvatures.
        """
        sizes = np.diff(self._starts)
        ends = np.cumsum(sizes * sizes)
        self._bases = np.ones(int(ends[-1]) if ends.size else 0)
        self._curvatures = np.maximum(np.diag(self.matrix), 0.0)
        for g in np.flatnonzero(sizes > 1):
            size = int(sizes[g])
            own = slice(int(self._starts[g]), int(self._starts[g + 1]))
            self._check(1e-9 * EIGEN_NS * float(size) ** 3)
            values, basis = np.linalg.eigh(self.matrix[own, own])
            self._bases[ends[g] - size * size : ends[g]] = basis.reshape(-1)
            self._curvatures[own] = np.maximum(values, 0.0)

    def near_minimum(self, slopes: Vector, start: Vector, share: float, rounds: int) -> Vector:
        """Return a point near `minimum`: until sweeps gain less than a share of all before."""
        coef, left, fall = start.copy(), slopes.copy(), 0.0
        work = np.empty((2, coef.size))
        for _ in range(rounds):
            self._descend(coef, left, work)
            before, fall = fall, self.fall(slopes, start, coef)
            if fall - before <= share * fall:
                break
        return coef

    def minimum(self, slopes: Vector, start: Vector, at: Vector | None = None) -> Vector:
        """Return the b at which ``slopes @ (b - start) + (b - start)' M (b - start) / 2`` is least.

        With the strengths times the lengths added: up to rounding, with groups exactly 0. `at` is
        where to begin, by default at `start`.
        """
        coef = start.copy() if at is None else at.copy()
        left = slopes + np.einsum("ij,j->i", self.matrix, coef - start)
        work, most = np.empty((2, coef.size)), 0.0
        for _ in range(ROUNDS):
            self._check(0.0)
            largest, changed = self._descend(coef, left, work)
            most = max(most, largest)
            if largest <= ENOUGH * most or (changed == 0 and self._settle(coef, left)):
                break
        return coef

    def _descend(self, coef: Vector, slopes: Vector, work: Matrix) -> tuple[float, int]:
        found: tuple[float, int] = descend_groups.serial(
            self.matrix, self._starts, self._strengths, self._bases, self._curvatures, SWEEPS, coef,
            slopes, work,
        )  # fmt: skip
        return found

    def lengths(self, coef: Vector) -> Vector:
        """Return the length of each group."""
        if not coef.size:
            return np.zeros(0)
        return np.asarray(np.sqrt(np.add.reduceat(np.square(coef), self._starts[:-1])))

    def fall(self, slopes: Vector, start: Vector, coef: Vector) -> float:
        """Return by how much the function falls from `start`, where it has these slopes."""
        step = coef - start
        curved = float(step @ np.einsum("ij,j->i", self.matrix, step))
        longer = float(self._strengths @ (self.lengths(coef) - self.lengths(start)))
        return -(float(slopes @ step) + 0.5 * curved + longer)

    def _settle(self, coef: Vector, slopes: Vector) -> bool:
        """Go to the minimum among groups that are not 0, and say whether it is that of all.

        Sets: coef, slopes, but where Newton's steps do not come to an end.
        """
        is_used = (self.lengths(coef) > 0.0) | (self._strengths == 0.0)
        used = np.flatnonzero(is_used[self._block_of] & (np.diag(self.matrix) > 0.0))
        if used.size > LARGE_FACE:
            return False
        if used.size and not self._by_newton(coef, slopes, used):
            return False
        lengths = self.lengths(slopes)
        return bool((lengths <= self._strengths * (1.0 + WITHIN))[~is_used].all())

    def _by_newton(self, coef: Vector, slopes: Vector, used: Indices) -> bool:
        """Take Newton steps of some coordinates; say whether they came to the minimum."""
        found, left, before = coef.copy(), slopes.copy(), np.inf
        size = float(self._strengths @ self.lengths(coef)) + abs(float(slopes @ coef))
        own = self.matrix[np.ix_(used, used)]
        counts = np.bincount(self._block_of[used], minlength=self._strengths.size)
        starts = np.append(0, np.cumsum(counts[counts > 0]))
        strengths = self._strengths[counts > 0]
        for _ in range(STEPS):
            least = (left + self._pulls(found))[used]
            self._check(1e-9 * FACTOR_NS * used.size**3 / 3.0)
            matrix = own + length_hessian(found[used], starts, strengths)
            step = np.zeros_like(found)
            step[used] = -Factor(matrix, DEPENDENT).solve(least[None])[0]
            promised = -float(least @ step[used])
            if not promised < LEVEL * before:
                break
            shares = self.lengths(step) > NOT_FAR * self.lengths(found)
            if shares[self._strengths > 0.0].any():
                return False
            found += step
            left += np.einsum("ij,j->i", self.matrix, step)
            before = promised
        if not before <= SETTLED * size:
            return False
        coef[...], slopes[...] = found, left
        return True

    def _pulls(self, coef: Vector) -> Vector:
        """Return the slopes of the lengths of groups that are not 0, times their strengths."""
        lengths = self.lengths(coef)
        each = np.divide(self._strengths, lengths, out=np.zeros(lengths.shape), where=lengths > 0.0)
        return each[self._block_of] * coef
