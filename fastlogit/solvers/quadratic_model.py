"""The minimum of a quadratic function plus L1: what a proximal Newton step goes to.

Coordinate descent finds which coefficients are 0 and the signs of the others; a linear system then
gives their values, exactly.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..arrays import Indices, Mask, Matrix, Vector
from ..kernels.coordinate_descent import descend
from ..linalg.factors import FACTOR_NS, Factor

__all__ = ["QuadraticModel"]

# Sweeps of coordinate descent between two linear systems, and rounds of both.
SWEEPS, ROUNDS = 20, 200
# Coefficients that come to 0 one after the other, a linear system each, and up to how many that are
# not 0: of more coordinate descent, which takes as long as a sweep, finds them sooner.
CORNERS, SMALL_FACE = 20, 100
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


class QuadraticModel:
    """A quadratic function of given Hessian, plus L1.

    Parameters
    ----------
    matrix : ndarray of shape (size, size)
        The Hessian M, without a negative eigenvalue. Coefficients without curvature stay.
    l1 : ndarray of shape (size,)
    check : callable, optional
        Called with the seconds of what is about to begin; raises where that is too much.
    """

    def __init__(
        self, matrix: Matrix, l1: Vector, check: Callable[[float], None] = lambda seconds: None
    ) -> None:
        self.matrix, self._l1, self._check = matrix, l1, check
        self._curved = np.diag(matrix) > 0.0
        self._face: Face | None = None

    def minimum(self, slopes: Vector, start: Vector) -> Vector:
        """Return the b at which ``slopes @ (b - start) + (b - start)' M (b - start) / 2`` is least.

        With ``l1 @ |b|`` added: up to rounding, with exact zeros; of columns that depend on others
        some are left out.
        """
        coef, slopes = start.copy(), slopes.copy()
        # Where the factor of these signs is known, one linear system may do it.
        if self._is_known(coef) and self._settle(coef, slopes):
            return coef
        n_sweeps = max(1, min(SWEEPS, int(CALL_NUMBERS / coef.size**2)))
        most = 0.0
        for _ in range(ROUNDS):
            self._check(0.0)
            _, largest, changed = descend.serial(self.matrix, self._l1, n_sweeps, 0.0, coef, slopes)
            most = max(most, largest)
            if largest <= ENOUGH * most or (changed == 0 and self._settle(coef, slopes)):
                break
        return coef

    def _used(self, coef: Vector) -> Indices:
        return np.flatnonzero(self._curved & ((coef != 0.0) | (self._l1 == 0.0)))

    def _is_known(self, coef: Vector) -> bool:
        return self._face is not None and np.array_equal(self._face.used, self._used(coef))

    def _settle(self, coef: Vector, slopes: Vector) -> bool:
        """Go to the minimum among coefficients that are not 0, and say whether it is that of all.

        Whoever comes to 0 on the way stays there; the others go on where they are few.
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
            least = slopes[used] + self._l1[used] * np.sign(coef[used])
            step = self._face.step(least, coef[used])
            change, corners = _while_signs_last(self._l1[used], coef[used], step)
            if not self._face.lowers(least, change):
                change, corners = self._face.level_step(least, self._l1[used], coef[used])
                if not (corners.any() and self._face.lowers(least, change)):
                    return False
            coef[used] += change
            coef[used[corners]] = 0.0
            # Not by BLAS, whose sums depend on the number of threads.
            slopes += np.einsum("ij,i->j", self.matrix[used], change)
            if np.array_equal(change, step):
                break
            if used.size > SMALL_FACE:
                return False
        else:
            return False
        at_zero = self._curved & (coef == 0.0) & (self._l1 > 0.0)
        return bool((np.abs(slopes) <= self._l1 * (1.0 + WITHIN))[at_zero].all())


class Face:
    """The quadratic function of some coefficients, with a factor of its Hessian."""

    def __init__(self, matrix: Matrix, used: Indices) -> None:
        self.used, self._matrix = used, matrix[np.ix_(used, used)]
        self._factor = Factor(self._matrix, DEPENDENT)

    def step(self, least: Vector, coef: Vector) -> Vector:
        """Return the step to where slopes `least` vanish; dependent columns go to 0."""
        if not self._factor.dependent.any():
            return self._factor.solve(-least[None])[0]
        right = np.einsum("ij,j->i", self._matrix, coef) - least
        return self._factor.solve(right[None])[0] - coef

    def level_step(self, least: Vector, l1: Vector, coef: Vector) -> tuple[Vector, Mask]:
        """Return a step along columns that depend on others, to the first 0, and who comes there.

        Along these the function is as good as linear.
        """
        none = np.zeros_like(coef), np.zeros(coef.size, dtype=bool)
        if not self._factor.dependent.any():
            return none
        column = int(np.argmax(self._factor.dependent))
        way = -self._factor.solve(self._matrix[column][None])[0]
        way[column] += 1.0
        way *= -np.sign(way @ least)
        falls = (l1 > 0.0) & (np.sign(coef) * np.sign(way) < 0.0)
        if not falls.any():
            return none
        lengths = np.divide(-coef, way, out=np.full(coef.size, np.inf), where=falls)
        corners = falls & (lengths <= lengths.min())
        change = lengths.min() * way
        change[corners] = -coef[corners]
        return change, corners

    def lowers(self, least: Vector, change: Vector) -> bool:
        """Say whether the function falls by a change, up to rounding errors."""
        with np.errstate(over="ignore", invalid="ignore"):
            curved = change @ np.einsum("ij,j->i", self._matrix, change)
            return bool(least @ change + 0.5 * curved <= WITHIN * (np.abs(least) @ np.abs(change)))


def _while_signs_last(l1: Vector, coef: Vector, step: Vector) -> tuple[Vector, Mask]:
    """Return as much of a step as no coefficient changes sign in, and which of them come to 0."""
    # By signs: products may leave float64.
    crosses = (l1 > 0.0) & (np.sign(coef) * np.sign(coef + step) <= 0.0)
    if not crosses.any():
        return step, crosses
    shares = np.divide(-coef, step, out=np.full(coef.size, np.inf), where=crosses)
    share = min(float(shares.min()), 1.0)
    corners = crosses & (shares <= share)
    change = share * step
    change[corners] = -coef[corners]
    return change, corners
