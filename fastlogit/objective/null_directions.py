"""Directions along which neither a prediction nor the penalty changes, told by exact arithmetic."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..arrays import Indices, Matrix, Vector
from .penalties import L2

if TYPE_CHECKING:
    from .objective import Objective

__all__ = ["NO_SHARE", "NullDirections", "whole_multiples"]

# Shares of a null direction below this are rounding errors, others are whole multiples of a power
# of two, up to such an error.
NO_SHARE, NEARLY = 1e-6, 1e-5
HALVES = 6
# Slopes that are looked at first: with all of them 96 directions of 190 columns took a second.
FEW = 8
# Columns of a null direction whose values are no whole numbers, and rows looked at in one go.
MOST_COLUMNS = 16
BLOCK_ROWS = 4096
WHOLE = 2.0**53


class NullDirections:
    """Tells which directions change nothing at all, by exact arithmetic on X and the penalty.

    Parameters
    ----------
    objective : Objective
        Whose rows count, all of them.
    """

    def __init__(self, objective: Objective) -> None:
        self._objective = objective
        self._known: dict[tuple[int, bytes], bool] = {}

    def contains(self, model: int, direction: Vector) -> bool:
        """Say whether a model's direction, near this one, is null: (n_classes, n_features + 1)."""
        outputs = direction.reshape(-1, self._objective.design.shape[1] + 1)
        largest = np.abs(outputs).max()
        parts = [part for part in outputs if np.abs(part).max() > NO_SHARE * largest]
        return all(self._is_null(model, part) for part in parts)

    def _is_null(self, model: int, direction: Vector) -> bool:
        inverse_scale = self._objective.design.columns.inverse_scale
        slopes = np.where(inverse_scale > 0.0, direction[:-1], 0.0)
        if not self._objective.fit_intercept:
            direction = np.append(slopes, 0.0)
        largest = np.abs(direction).max()
        columns = np.flatnonzero(np.abs(slopes) > NO_SHARE * largest)
        if not columns.size:
            # The intercept alone, or a column that does not vary.
            return not self._objective.fit_intercept or abs(direction[-1]) <= NO_SHARE * largest
        slopes = slopes[columns] * inverse_scale[columns]
        for factors in whole_multiples(slopes):
            key = model, np.concatenate([columns, factors]).tobytes()
            if key not in self._known:
                self._known[key] = self._is_free(model, columns, factors) and self._is_level(
                    model, columns, factors
                )
            if self._known[key]:
                return True
        return False

    def _is_free(self, model: int, columns: Indices, factors: Vector) -> bool:
        """Say whether the penalty, as the user gave it, has no slope along the columns' factors.

        It has no negative eigenvalue, so that nothing else of it changes along them either.
        """
        penalty = self._objective.user_penalty
        output = min(model * self._objective.n_classes, penalty.n_sets - 1)
        if isinstance(penalty, L2):
            return not (penalty.strengths[output, columns] > 0.0).any()
        slopes = np.asarray(penalty.hessian(output), dtype=np.float64)[:, columns]
        return _is_exactly_level(slopes, factors, np.zeros(columns.size))

    def _is_level(self, model: int, columns: Indices, factors: Vector) -> bool:
        """Say whether the columns times whole factors add up to the same number in each row."""
        output = model * self._objective.n_classes
        first: Vector | None = None if self._objective.fit_intercept else np.zeros(columns.size)
        for rows in self._objective.rows.blocks_of_weight(output, BLOCK_ROWS, columns):
            values = np.asarray(rows, dtype=np.float64)
            if not len(values):
                continue
            first = values[0] if first is None else first
            if not _is_exactly_level(values, factors, first):
                return False
        return True


def whole_multiples(slopes: Vector) -> list[Vector]:
    """Return whole numbers in the ratios of these, as far as there are any of moderate size."""
    sizes = np.abs(slopes)
    if np.ptp(sizes) <= NEARLY * sizes.min():  # as of columns that are alike: signs are left
        return [np.sign(slopes)]
    found: list[Vector] = []
    for unit in _possible_units(slopes):
        for halves in range(HALVES + 1):
            ratios = slopes / unit * 2.0**halves
            whole = np.rint(ratios)
            if not (np.abs(whole) < 2.0**24).all():
                break
            if (whole != 0.0).all() and (np.abs(ratios - whole) <= NEARLY * np.abs(whole)).all():
                whole /= np.gcd.reduce(whole.astype(np.int64))
                if not any(np.array_equal(whole, other) for other in found):
                    found.append(whole)
                break
    return found[:4]


def _possible_units(slopes: Vector) -> Vector:
    """Return the sizes in units of which the first few slopes are whole, or so many halves.

    Others fail for all slopes too: of hundreds of columns next to none is left.
    """
    units = np.unique(np.abs(slopes))
    ratios = slopes[:FEW] / units[:, None]
    fits = np.zeros(units.size, dtype=bool)
    for halves in range(HALVES + 1):
        scaled = ratios * 2.0**halves
        whole = np.rint(scaled)
        fits |= (np.abs(scaled - whole) <= NEARLY * np.abs(whole)).all(axis=1)
    return units[fits]


def _is_exactly_level(values: Matrix, factors: Vector, first: Vector) -> bool:
    """Say whether ``(values - first) @ factors`` is 0 in each row, without a rounding error."""
    if factors.size == 2 and factors[0] == -factors[1] and first[0] == first[1]:
        return bool((values[:, 0] == values[:, 1]).all())
    scaled = values * 2.0**20
    with np.errstate(over="ignore", invalid="ignore"):
        size = float((np.abs(scaled).max(axis=0) + np.abs(first) * 2.0**20) @ np.abs(factors))
    if size < WHOLE and (scaled == np.rint(scaled)).all():
        return bool((scaled @ factors == (first * 2.0**20) @ factors).all())
    if factors.size > MOST_COLUMNS:
        return False
    terms: list[Vector] = []
    for column, factor in enumerate(factors):
        for numbers, sign in (
            (values[:, column], 1.0),
            (np.full(len(values), first[column]), -1.0),
        ):
            terms += _product(numbers, sign * factor)
    return _add_up_to_zero(terms)


def _product(numbers: Vector, factor: float) -> list[Vector]:
    """Return two arrays whose sum is ``numbers * factor`` exactly (Dekker, 1971)."""
    product = numbers * factor
    if abs(factor) == 1.0:
        return [product]
    with np.errstate(over="ignore", invalid="ignore"):
        shifted = numbers * (2.0**27 + 1.0)
        high = shifted - (shifted - numbers)
        low = numbers - high
        # The factor has at most 24 bits: its products with either half are exact.
        return [product, (high * factor - product) + low * factor]


def _add_up_to_zero(terms: list[Vector]) -> bool:
    """Say whether arrays add up to 0 everywhere, by sums that keep their errors (Knuth, 1969)."""
    with np.errstate(over="ignore", invalid="ignore"):
        for _ in range(2 * len(terms)):
            total, errors = terms[0], []
            for term in terms[1:]:
                both = total + term
                back = both - total
                errors.append((total - (both - back)) + (term - back))
                total = both
            terms = [error for error in errors if error.any()] + [total]
            if len(terms) == 1:
                return not total.any()
    return False
