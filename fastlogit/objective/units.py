"""From the units of X to those of standardised columns, and back."""

from __future__ import annotations

import math

import numpy as np

from ..arrays import Matrix, Vector
from ..design.base import Columns

__all__ = ["from_user", "gradient_to_user", "lost_in_units", "to_user"]

HALF_UNIT = 2.0**-53
# Splits the 53 digits of a float64 in two halves (Veltkamp, 1968).
SPLIT = 2.0**27 + 1.0
# So many numbers are added one by one.
FEW_TERMS = 256


def to_user(columns: Columns, coef: Matrix, intercept: Vector) -> tuple[Matrix, Vector]:
    """Return coefficients and intercepts in the units of X.

    The intercepts go with the coefficients as they are rounded, and are themselves rounded
    once: far from 0 they are large numbers that cancel against coefficients times columns.
    """
    center, inverse_scale = columns
    user = coef * inverse_scale
    if not center.any():
        return user, np.array(intercept, dtype=np.float64)
    return user, np.array(
        [_less_product(a, b, center) for a, b in zip(intercept, user, strict=True)]
    )


def from_user(columns: Columns, coef: Matrix, intercept: Vector) -> tuple[Matrix, Vector]:
    """Return standardised coefficients and intercepts from those in the units of X."""
    center, inverse_scale = columns
    varies = inverse_scale > 0.0
    with np.errstate(over="ignore", invalid="ignore"):
        standard = np.divide(coef, inverse_scale, out=np.zeros_like(coef), where=varies)
        if not center.any():
            return standard, np.array(intercept, dtype=np.float64)
        each = zip(intercept, coef, strict=True)
        return standard, np.array([_less_product(a, -b, center) for a, b in each])


def gradient_to_user(columns: Columns, gradient: Matrix, intercept_gradient: Vector) -> Matrix:
    """Return the gradient in the units of X, intercept last, from the standardised one."""
    center, inverse_scale = columns
    varies = inverse_scale > 0.0
    slopes = np.divide(gradient, inverse_scale, out=np.zeros_like(gradient), where=varies)
    slopes += intercept_gradient[:, None] * center
    return np.column_stack([slopes, intercept_gradient])


def lost_in_units(columns: Columns, coef: Matrix, intercept: Vector) -> Vector:
    """Return how far raw predictions err by rounding in the units of X, at most: (n_outputs,).

    In the mean over the rows, from standardised coefficients and intercepts.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        # Not by BLAS: for 20,000 columns its threads took 7 ms to begin on a busy machine.
        user = intercept - np.einsum("ij,j->i", coef * columns.inverse_scale, columns.center)
    return HALF_UNIT * np.abs(coef).sum(axis=1) + 0.5 * np.spacing(np.abs(user))


def _less_product(level: float, slopes: Vector, center: Vector) -> float:
    """Return ``level - slopes @ center``, as if rounded once (Dekker, 1971, for exact products)."""
    with np.errstate(over="ignore", invalid="ignore"):
        product = slopes * center
        high, top = _high(slopes), _high(center)
        low, rest = slopes - high, center - top
        error = ((high * top - product) + high * rest + low * top) + low * rest
        if not np.isfinite(error).all():
            return float(level - product.sum())
    return math.fsum([float(level), *_few_terms(-product), *_few_terms(-error)])


def _few_terms(values: Vector) -> list[float]:
    """Return a few numbers of the same sum, but for 2^-100 of the numbers' sizes.

    Halves are added, and what that rounds off is found (Knuth's TwoSum): `fsum` takes 100,000
    numbers one by one, as long as a pass over a million values.
    """
    lost = []
    while values.size > FEW_TERMS:
        middle = values.size // 2
        one, other, rest = values[:middle], values[middle : 2 * middle], values[2 * middle :]
        sums = one + other
        moved = sums - one
        lost.append(float(((one - (sums - moved)) + (other - moved)).sum()))
        values = np.append(sums, rest)
    return [*lost, *values.tolist()]


def _high(values: Vector) -> Vector:
    """Return the upper half of the digits of each number."""
    shifted = values * SPLIT
    return shifted - (shifted - values)
