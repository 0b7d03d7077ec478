"""Hessians of collinear and nearly collinear columns, in directions that floating point resolves.

A Gram matrix holds squares. Of a direction v along which the rows differ by a share e of what the
columns do it keeps e^2 plus rounding errors of about 1e-16: with e = 1e-8 nothing is left. A
product of the Hessian with v keeps e itself. So the columns that a Cholesky factor finds dependent
on those before are replaced by what is left of them, ``v = e_j - (its regression on the others)``,
scaled to length 1 in the norm of the Hessian, and their part of the matrix is made anew from
products. Where that is all rounding error too, the direction is *null* if the values of X say so
exactly (a duplicate, a full set of indicator columns, a constant column), and else *unresolved*:
nobody can tell how much the cost would fall along it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..linalg.factors import Factor
from ..objective.objective import Objective

__all__ = ["DEPENDENT", "EPS", "NullDirections", "ResolvedHessian", "errors_of_sums", "shares_of"]

EPS = float(np.finfo(np.float64).eps)
# A pivot below this share of a column's curvature holds too many rounding errors of the matrix.
DEPENDENT = 1e-11
# Rounding errors of a sum over rows, in units of EPS and of the root of the sum of squares or of
# absolute values: so many, and those of a random walk over a chunk (Higham and Mary, 2019, SIAM
# Journal on Scientific Computing 41), of which there are so many.
ERRORS, WALK, CHUNKS = 8.0, 2.0, 64
# A pivot of such a part of the matrix is at least so many times its rounding errors.
CLEAR = 10.0
# A direction is resolved where its rounding errors are at most this share of its length.
RESOLVED = 0.05
# Columns that depend on dependent ones are taken apart in so many rounds.
ROUNDS = 6
# Random signs whose mean estimates a trace, and by how much the estimate is raised.
PROBES, RAISED = 16, 4.0
# Shares of a null direction below this are rounding errors, others are whole multiples of a power
# of two, up to such an error.
NO_SHARE, NEARLY = 1e-6, 1e-5
HALVES = 6
# Columns of a null direction whose values are no whole numbers, and rows looked at in one go.
MOST_COLUMNS = 16
BLOCK_ROWS = 4096
WHOLE = 2.0**53

# Takes directions in rows (n_directions, n_parameters); returns the Hessian times each.
Product = Callable[[Any], Any]


def errors_of_sums(n_samples: int) -> float:
    """Return about how far a sum over the rows errs, in units of EPS."""
    return ERRORS + WALK * float(np.sqrt(n_samples / CHUNKS))


class NullDirections:
    """Tells which directions change no prediction at all, by exact arithmetic on the values of X.

    Parameters
    ----------
    objective : Objective
        Whose rows count, all of them.
    """

    def __init__(self, objective: Objective) -> None:
        self._objective = objective
        self._known: dict[tuple[int, bytes], bool] = {}

    def contains(self, model: int, direction: Any) -> bool:
        """Say whether a model's direction, near this one, is null: (n_classes, n_features + 1)."""
        parts = direction.reshape(-1, self._objective.design.shape[1] + 1)
        largest = np.abs(parts).max()
        parts = [part for part in parts if np.abs(part).max() > NO_SHARE * largest]
        return all(self._is_null(model, part) for part in parts)

    def _is_null(self, model: int, direction: Any) -> bool:
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
        for factors in _whole_multiples(slopes):
            key = model, np.concatenate([columns, factors]).tobytes()
            if key not in self._known:
                self._known[key] = self._is_level(model, columns, factors)
            if self._known[key]:
                return True
        return False

    def _is_level(self, model: int, columns: Any, factors: Any) -> bool:
        """Say whether the columns times whole factors add up to the same number in each row."""
        weights = self._objective.weights_of(model * self._objective.n_classes)
        first: Any = None if self._objective.fit_intercept else np.zeros(columns.size)
        for start, stop, rows in self._objective.design.row_blocks(BLOCK_ROWS):
            values = np.asarray(rows[:, columns], dtype=np.float64)
            if weights is not None:
                values = values[weights[start:stop] > 0.0]
            if not len(values):
                continue
            first = values[0] if first is None else first
            if not _is_exactly_level(values, factors, first):
                return False
        return True


def shares_of(direction: Any) -> Any:
    """Return which parameters have a share in a direction that is more than rounding errors."""
    return np.abs(direction) > NO_SHARE * np.abs(direction).max()


def _whole_multiples(slopes: Any) -> list[Any]:
    """Return whole numbers in the ratios of these, as far as there are any of moderate size."""
    found: list[Any] = []
    for unit in np.unique(np.abs(slopes)):
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


def _is_exactly_level(values: Any, factors: Any, first: Any) -> bool:
    """Say whether ``(values - first) @ factors`` is 0 in each row, without a rounding error."""
    scaled = values * 2.0**20
    with np.errstate(over="ignore", invalid="ignore"):
        size = float((np.abs(scaled).max(axis=0) + np.abs(first) * 2.0**20) @ np.abs(factors))
    if size < WHOLE and (scaled == np.rint(scaled)).all():
        return bool((scaled @ factors == (first * 2.0**20) @ factors).all())
    if factors.size > MOST_COLUMNS:
        return False
    terms: list[Any] = []
    for column, factor in enumerate(factors):
        for numbers, sign in (
            (values[:, column], 1.0),
            (np.full(len(values), first[column]), -1.0),
        ):
            terms += _product(numbers, sign * factor)
    return _add_up_to_zero(terms)


def _product(numbers: Any, factor: float) -> list[Any]:
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


def _add_up_to_zero(terms: list[Any]) -> bool:
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


class ResolvedHessian:
    """A Hessian that is positive semidefinite, factored in the directions that it resolves.

    Parameters
    ----------
    matrix : ndarray of shape (size, size)
    product : callable, optional
        The Hessian times directions, from the rows. Without it nothing better than `matrix` can be
        had.
    is_null : callable, optional
        Says of a direction whether nothing changes along it.
    fixed : ndarray of bool, shape (size,), optional
        Parameters that are not fitted.
    n_samples : int, optional
        Rows that the matrix is a sum over.

    Attributes
    ----------
    unresolved : ndarray of int
        Parameters whose direction may hide what rounding errors cover.
    """

    def __init__(
        self,
        matrix: Any,
        product: Product | None = None,
        is_null: Callable[[Any], bool] | None = None,
        fixed: Any = None,
        n_samples: int = 1,
    ) -> None:
        self._errors = EPS * errors_of_sums(n_samples)
        self.size = len(matrix)
        self.unresolved = np.empty(0, dtype=np.int64)
        # Directions in rows; None for those of the parameters themselves.
        self._vectors: Any = None
        self._noise = 0.0
        self._inverse_size: float | None = None
        self._excess: float | None = None
        self.factor = Factor(matrix, DEPENDENT)
        self._diagonal = np.diag(matrix).copy()
        dependent = self.factor.dependent
        if fixed is not None:
            dependent = dependent & ~fixed
        if dependent.any():
            self._resolve(matrix, np.flatnonzero(dependent), product, is_null)

    def _resolve(self, matrix: Any, dependent: Any, product: Any, is_null: Any) -> None:
        unresolved: list[int] = []
        lengths = np.sqrt(np.maximum(self._diagonal, 0.0))
        origin, vectors = np.arange(self.size), np.eye(self.size)
        noise = np.zeros(self.size)
        for _ in range(ROUNDS):
            fresh: list[Any] = []
            of: list[int] = []
            for place in dependent:
                share = self.factor.solve(matrix[place][None])[0]
                direction = vectors[place] - share @ vectors
                if is_null is not None and is_null(direction):
                    continue
                scaled = self._scaled(direction, product, lengths)
                if scaled is None:
                    unresolved.append(int(origin[place]))
                    continue
                fresh.append(scaled)
                of.append(int(origin[place]))
            if not fresh:
                break
            kept = np.flatnonzero(~self.factor.dependent)
            new = np.array([direction for direction, _ in fresh])
            products = np.array([times for _, times in fresh])
            old, vectors = vectors[kept], np.concatenate([vectors[kept], new])
            origin = np.concatenate([origin[kept], np.array(of)])
            noise = np.concatenate([noise[kept], self._errors * (np.abs(new) @ lengths)])
            cross, own = products @ old.T, products @ new.T
            matrix = np.block([[matrix[np.ix_(kept, kept)], cross.T], [cross, 0.5 * (own + own.T)]])
            # What a pivot says has to stand out from the errors of the products.
            threshold = max(DEPENDENT, CLEAR * float(noise.max()))
            self._vectors, self.factor = vectors, Factor(matrix, threshold)
            self._diagonal = np.diag(matrix).copy()
            dependent = np.flatnonzero(self.factor.dependent)
            if not dependent.size:
                break
        else:
            unresolved += [int(origin[place]) for place in dependent]
        # The directions of the parameters are as exact as the matrix, those that are new not.
        self._noise = float(np.linalg.norm(noise))
        self.unresolved = np.unique(np.array(unresolved, dtype=np.int64))

    def _scaled(self, direction: Any, product: Any, lengths: Any) -> Any:
        """Return a direction of length 1 and the Hessian times it; None if that is all noise."""
        if product is None:
            return None
        times = product(direction[None])[0]
        square = float(direction @ times)
        noise = self._errors * float(np.abs(direction) @ lengths)
        if not square > (noise / RESOLVED) * (noise / RESOLVED):
            return None
        length = np.sqrt(square)
        return direction / length, times / length

    def _coordinates(self, vectors: Any) -> Any:
        return vectors if self._vectors is None else vectors @ self._vectors.T

    def half_solve(self, vectors: Any) -> Any:
        """Return rows whose sums of squares are g' M^-1 g, for each g in rows."""
        return self.factor.half_solve(self._coordinates(vectors))

    def solve(self, vectors: Any) -> Any:
        """Return M^-1 of each row; 0 along null and unresolved directions."""
        solved = self.factor.solve(self._coordinates(vectors))
        return solved if self._vectors is None else solved @ self._vectors

    def inverse_root(self) -> Any:
        """Return W, (size, rank or more), with W W' = M^-1: a row of it for each parameter."""
        return self.half_solve(np.eye(self.size))

    def inverse_size(self) -> float:
        """Return about the trace of M^-1, rather above than below it."""
        if self._inverse_size is None:
            signs = _signs(self.size)
            with np.errstate(over="ignore"):  # infinite: bounds of it say nothing then
                squares = np.square(self.half_solve(signs))
            self._inverse_size = RAISED * float(squares.sum() / len(signs))
        return self._inverse_size

    def excess(self) -> float:
        """Return by what factor rounding errors of M may make g' M^-1 g too small; inf if any."""
        if self._excess is None:
            # In units in which the diagonal is 1 each entry errs by about as much.
            scaled = _signs(len(self._diagonal)) * np.sqrt(np.maximum(self._diagonal, 0.0))
            trace = RAISED * float(np.square(self.factor.half_solve(scaled)).sum() / len(scaled))
            error = (self._errors + 2.0 * self._noise) * trace
            self._excess = 1.0 / (1.0 - error) if error < 0.5 else np.inf
        return self._excess


def _signs(size: int) -> Any:
    """Return rows of random signs, always the same."""
    return np.random.default_rng(0).choice([-1.0, 1.0], size=(min(PROBES, 4 * size), size))
