"""The maximum of a conditional likelihood: Newton's method, and a bound that proves it.

Minus the log-likelihood of a stratum is the logarithm of a sum of exponentials. Along a line its
third derivative is at most its second times S, how far two outcomes of the stratum can be apart on
that line: of a bounded variable the third central moment is at most its range times its variance.
So the curvature changes by e^S at most over the line (Bach, 2010, Electronic Journal of Statistics
4, whose functions these are). Let l be Newton's decrement and K a bound on S per unit of the norm
of the information. Where l K < 1 there is a maximum; it is at most s / K away, s = -log(1 - l K),
and the log-likelihood lacks at most l^2 / (4 f), f = (e^-s - 1 + s) / s^2, near l^2 / 2.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..arrays import Integers, Matrix, Vector
from ..linalg.factors import Factor
from .strata import MatchedRows, Point

__all__ = ["Maximum", "bound_on_lack", "dependent_columns", "maximise"]

# A column that others explain up to this share of its squared size is a combination of them.
DEPENDENT = 1e-12
# Standard errors that the coefficients may be off, where rounding allows it.
NEAR = 1e-11
# Below it a decrement that does not halve is all rounding.
ROUNDING = 1e-6
# The least share of what half the slope promises that a step must gain, and shorter steps to try.
GAIN, HALVINGS = 1e-4, 40
# Of the size of the log-likelihood: what it may lose to rounding.
NOISE = 1e-13


class Maximum(NamedTuple):
    """Where Newton's method ended.

    `decrement` is the distance from the maximum in standard errors, as a quadratic function has it;
    `lack` a proven bound on what the log-likelihood is below its maximum, infinite where there is
    none; `half` W of the inverse W W' of the information in the free directions, 0 where that is
    not identified.
    """

    point: Point
    decrement: float
    lack: float
    half: Matrix
    n_iter: int

    @property
    def is_level(self) -> bool:
        """Whether the likelihood is flat here in some direction, as where there is no maximum."""
        return not self.half.any() or self.decrement <= ROUNDING

    @property
    def is_proven(self) -> bool:
        """Whether there is a maximum, and this is it but for rounding."""
        return np.isfinite(self.lack) and self.decrement <= ROUNDING


class _Newton(NamedTuple):
    """Newton's step at a point, its decrement, and a root of the inverse of the information."""

    step: Vector
    decrement: float
    half: Matrix
    is_whole: bool


def maximise(
    rows: MatchedRows, max_iter: int, point: Point, basis: Matrix | None = None
) -> Maximum:
    """Return the maximum over the coefficients ``point.coef + basis @ free``, all by default.

    `basis` is of shape (n_features, n_free). Coefficients are those of the scaled columns.
    """
    directions = np.eye(len(point.coef)) if basis is None else basis
    before = np.inf
    for iteration in range(max_iter + 1):
        newton = _newton_at(point, directions)
        stalls = newton.decrement <= ROUNDING and newton.decrement > 0.5 * before
        if newton.decrement <= NEAR or stalls or iteration == max_iter or not newton.is_whole:
            break
        before = newton.decrement
        better = _search(rows, point, newton)
        if better is None:
            break
        point = better
    lack = np.inf
    if newton.is_whole:
        lack = bound_on_lack(newton.decrement, rows.reach(newton.half))
    return Maximum(point, newton.decrement, lack, newton.half, iteration)


def bound_on_lack(decrement: float, reach: float) -> float:
    """Return what the log-likelihood is below its maximum at the most; infinite if not known."""
    if decrement == 0.0:
        return 0.0
    if not decrement * reach < 1.0:
        return np.inf
    spread = -np.log1p(-decrement * reach)
    # Of a small spread the formula cancels; the least share is 1/2 - s/6.
    share = (np.expm1(-spread) + spread) / spread**2 if spread > 1e-3 else 0.5 - spread / 6.0
    return float(decrement**2 / (4.0 * share))


def dependent_columns(information: Matrix) -> Integers:
    """Return the columns of an information that are combinations of those before them."""
    size = np.sqrt(np.diag(information))
    scaled = information / np.outer(size, size)
    return np.flatnonzero(Factor(scaled, DEPENDENT).dependent)


def _newton_at(point: Point, basis: Matrix) -> _Newton:
    """Return Newton's step along the columns of a basis."""
    information = basis.T @ point.information @ basis
    size = np.sqrt(np.diag(information))
    is_level = size <= 0.0
    size[is_level] = 1.0
    factor = Factor(information / np.outer(size, size), DEPENDENT)
    is_whole = not (is_level.any() or factor.dependent.any())
    slope = basis.T @ point.score / size
    step = factor.solve(slope[None])[0] / size
    decrement = float(np.sqrt(max(0.0, step @ (basis.T @ point.score))))
    half = np.zeros_like(basis)
    if is_whole:
        # Rows of the inverse of the factor: their products are the inverse of the information.
        half = basis @ (factor.half_solve(np.eye(len(size))) / size[:, None])
    return _Newton(basis @ step, decrement, half, is_whole)


def _search(rows: MatchedRows, point: Point, newton: _Newton) -> Point | None:
    """Return a better point along a step, half as far each time; None where there is none."""
    length = 1.0
    for _ in range(HALVINGS):
        found = rows.at(point.coef + length * newton.step)
        gain = found.log_likelihood - point.log_likelihood
        noise = NOISE * (1.0 + abs(point.log_likelihood))
        if gain >= GAIN * length * newton.decrement**2 - noise:
            return found
        length *= 0.5
    return None
