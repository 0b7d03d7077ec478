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
# Nanoseconds of a block's eigenvectors for each number cubed, and of a product that turns it.
EIGEN_NS, TURN_NS = 1.0, 0.5
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
        self._turn()

    def _turn(self) -> None:
        """Turn the coordinates of each group so that its block is diagonal."""
        turned = self.matrix.copy()
        self._turns: list[tuple[slice, Matrix]] = []
        for first, stop in zip(self._starts[:-1], self._starts[1:], strict=True):
            if stop - first > 1:
                own = slice(int(first), int(stop))
                size, whole = float(stop - first), float(len(turned))
                self._check(1e-9 * size**2 * (EIGEN_NS * size + TURN_NS * whole))
                _, basis = np.linalg.eigh(self.matrix[own, own])
                self._turns.append((own, basis))
                turned[own] = np.einsum("ia,ij->aj", basis, turned[own])
        for own, basis in self._turns:
            self._check(1e-9 * TURN_NS * len(turned) * float(len(basis)) ** 2)
            turned[:, own] = np.einsum("ji,ia->ja", turned[:, own], basis)
            values = np.maximum(np.diag(turned[own, own]), 0.0)
            turned[own, own] = np.diag(values)
        self._turned = np.ascontiguousarray(turned)

    def _into(self, vector: Vector, back: bool = False) -> Vector:
        found = vector.copy()
        for own, basis in self._turns:
            found[own] = np.einsum("ia,a->i" if back else "ia,i->a", basis, vector[own])
        return found

    def near_minimum(self, slopes: Vector, start: Vector, share: float, rounds: int) -> Vector:
        """Return a point near `minimum`: until sweeps gain less than a share of all before."""
        coef, left = self._into(start), self._into(slopes)
        begin, work, fall = coef.copy(), np.empty((2, coef.size)), 0.0
        of_start = left.copy()
        for _ in range(rounds):
            self._descend(coef, left, work)
            before, fall = fall, self.fall(of_start, begin, coef, self._turned)
            if fall - before <= share * fall:
                break
        return self._into(coef, back=True)

    def minimum(self, slopes: Vector, start: Vector, at: Vector | None = None) -> Vector:
        """Return the b at which ``slopes @ (b - start) + (b - start)' M (b - start) / 2`` is least.

        With the strengths times the lengths added: up to rounding, with groups exactly 0. `at` is
        where to begin, by default at `start`.
        """
        left, begin = self._into(slopes), self._into(start)
        coef = begin.copy() if at is None else self._into(at)
        left += np.einsum("ij,j->i", self._turned, coef - begin)
        work, most = np.empty((2, coef.size)), 0.0
        for _ in range(ROUNDS):
            self._check(0.0)
            largest, changed = self._descend(coef, left, work)
            most = max(most, largest)
            if largest <= ENOUGH * most or (changed == 0 and self._settle(coef, left)):
                break
        return self._into(coef, back=True)

    def _descend(self, coef: Vector, slopes: Vector, work: Matrix) -> tuple[float, int]:
        found: tuple[float, int] = descend_groups.serial(
            self._turned, self._starts, self._strengths, SWEEPS, coef, slopes, work
        )
        return found

    def lengths(self, coef: Vector) -> Vector:
        """Return the length of each group."""
        if not coef.size:
            return np.zeros(0)
        return np.asarray(np.sqrt(np.add.reduceat(np.square(coef), self._starts[:-1])))

    def fall(self, slopes: Vector, start: Vector, coef: Vector, matrix: Matrix) -> float:
        """Return by how much the function falls from `start`, where it has these slopes."""
        step = coef - start
        curved = float(step @ np.einsum("ij,j->i", matrix, step))
        longer = float(self._strengths @ (self.lengths(coef) - self.lengths(start)))
        return -(float(slopes @ step) + 0.5 * curved + longer)

    def _settle(self, coef: Vector, slopes: Vector) -> bool:
        """Go to the minimum among groups that are not 0, and say whether it is that of all.

        Sets: coef, slopes, but where Newton's steps do not come to an end.
        """
        is_used = (self.lengths(coef) > 0.0) | (self._strengths == 0.0)
        used = np.flatnonzero(is_used[self._block_of] & (np.diag(self._turned) > 0.0))
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
        for _ in range(STEPS):
            least = (left + self._pulls(found))[used]
            self._check(1e-9 * FACTOR_NS * used.size**3 / 3.0)
            matrix = self._turned[np.ix_(used, used)]
            matrix += length_hessian(found, self._starts, self._strengths)[np.ix_(used, used)]
            step = np.zeros_like(found)
            step[used] = -Factor(matrix, DEPENDENT).solve(least[None])[0]
            promised = -float(least @ step[used])
            if not promised < LEVEL * before:
                break
            shares = self.lengths(step) > NOT_FAR * self.lengths(found)
            if shares[self._strengths > 0.0].any():
                return False
            found += step
            left += np.einsum("ij,j->i", self._turned, step)
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
