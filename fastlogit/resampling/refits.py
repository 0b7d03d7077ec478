"""Many fits near one another: what `bootstrap` and `permutation` share.

Each begins at a fit that is known, by the kernel of `kernels.resampling`. What that leaves goes
through the kernel of small fits, and at last through `fit`.
"""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np

from ..arrays import Codes, Features, Indices, Integers, Matrix, Vector
from ..clock import Clock
from ..design.base import readonly
from ..design.compressed import CompressedRows
from ..errors import SeparationWarning
from ..fitting.fit import fit
from ..fitting.small import BESIDE, MOST_ITERATIONS, MOST_NUMBERS, is_plain, within_limits
from ..inputs import validation
from ..inputs.given import Data
from ..kernels import groups as statuses
from ..kernels import resampling as kernels
from ..kernels.small import binomial, endings, proofs
from ..result import FitResult

__all__ = [
    "Asked",
    "Found",
    "Refits",
    "as_plain",
    "dense_where_small",
    "ended_as",
    "fit_in_general",
    "fit_quietly",
    "fit_whole",
    "found_models",
    "judged_by_size",
    "put",
]

# Of a fit that takes the general way.
MAX_ITER = 1_000
# What the status of a small fit says of a replicate; others take the general way.
KNOWN = {
    endings.CONVERGED: statuses.CONVERGED,
    endings.ONE_CLASS: statuses.ONE_CLASS,
    endings.NO_ROWS: statuses.NO_ROWS,
    endings.SEPARABLE: statuses.SEPARABLE,
}


class Asked(NamedTuple):
    """What each fit is asked.

    With `by_weight` the penalty is on the scale of the sum of the losses, else of their mean.
    `fixed` is the number that the intercept is held at.
    """

    l2_reg: Vector
    by_weight: bool
    fixed: float | None
    tol: float

    def strength(self, weights: Vector, n_rows: int) -> Vector:
        """Return the penalty of each column on the scale of the mean loss of these rows."""
        if not self.by_weight:
            return self.l2_reg
        return self.l2_reg / (float(weights.sum()) if weights.size else float(n_rows))


class Found(NamedTuple):
    """What one fit came to; coefficients are NaN where the status says so."""

    status: int
    coef: Vector
    intercept: float
    cost: float
    bound: float
    n_iter: int
    failure: str = ""


def as_plain(data: Data, rows: Indices | None = None) -> Data:
    """Return some rows, or all: dense ones as arrays that the kernels read in place."""
    X, none = data.rows.X, validation.NO_NUMBERS
    if isinstance(X, CompressedRows):
        X = X if rows is None else X.take(rows)
    else:
        assert isinstance(X, np.ndarray)
        X = _plain(X if rows is None else X[rows])
    if rows is None:
        return data._replace(rows=data.rows._replace(X=X, carrier=X))
    return data._replace(
        rows=data.rows._replace(X=X, carrier=X),
        codes=readonly(data.codes[rows]),
        weights=readonly(data.weights[..., rows]) if data.weights.size else none,
        offset=readonly(data.offset[..., rows]) if data.offset.size else none,
    )


def dense_where_small(data: Data) -> Data:
    """Return data with X as an array where that is no burden, 8 MB at the most: kernels take it."""
    X = data.rows.X
    if not isinstance(X, CompressedRows) or len(X) * (X.shape[1] + BESIDE) > MOST_NUMBERS:
        return data
    dense = _plain(X.dense())
    return data._replace(rows=data.rows._replace(X=dense, carrier=dense))


def _plain(X: Features) -> Matrix:
    if is_plain(X):
        return X
    return np.array(X, dtype=np.float64, order="C")


def found_models(n: int, n_features: int) -> kernels.Replicates:
    """Return room for what is found, nothing of which is fitted yet."""
    return kernels.Replicates(
        np.full(n, statuses.NOT_FITTED, dtype=np.int8), np.zeros(n, dtype=np.int32),
        np.full((n, n_features), np.nan), np.full(n, np.nan), np.full(n, np.nan),
        np.full(n, np.inf),
    )  # fmt: skip


def put(found: Found, models: kernels.Replicates, place: int) -> None:
    """Put what is found in its place."""
    models.n_iter[place], models.coef[place] = found.n_iter, found.coef
    models.intercept[place], models.cost[place] = found.intercept, found.cost
    models.bound[place], models.status[place] = found.bound, found.status


class Refits:
    """Fits to rows of two classes that are weighed, or labelled, anew.

    Parameters
    ----------
    data : Data
        Of `as_plain`; rows of no weight are left out.
    asked : Asked
    start : ndarray of shape (n_features + 1,)
        Coefficients and intercept near which the optima are.
    unit_of_row : ndarray of int32, shape (n_samples,)
    n_threads : int or None
        Of a fit that takes the general way.
    clock : Clock
    """

    def __init__(
        self, data: Data, asked: Asked, start: Vector, unit_of_row: Integers,
        n_threads: int | None, clock: Clock,
    ) -> None:  # fmt: skip
        self.data, self.asked, self.start = data, asked, start
        self.n_threads, self.clock = n_threads, clock
        assert isinstance(data.rows.X, np.ndarray)
        self.X = _plain(data.rows.X)
        n_samples, n_features = self.X.shape
        work = np.empty(kernels.room_size.serial(n_samples, n_features))
        strength = asked.strength(data.weights, n_samples)
        level = 0.0 if asked.fixed is None else asked.fixed
        fits = asked.fixed is None
        status, size = kernels.prepare.serial(
            self.X, data.codes, 1, data.weights, data.offset, strength, level, fits, start, work
        )
        # Whether the kernel takes these rows.
        self.is_ready = status == endings.CONVERGED
        self.base = kernels.Base(
            work, n_samples, n_features, size, readonly(unit_of_row), asked.by_weight, level, fits,
            asked.tol,
        )  # fmt: skip

    def room(self) -> kernels.Room:
        """Return the room of one thread."""
        n_rows = self.base.n_rows
        n_units = int(self.base.unit_of_row.max()) + 1
        return kernels.Room(
            np.empty(len(self.base.work)), np.empty(n_rows, np.int32), np.empty(n_units)
        )

    def again(
        self, weights: Vector, X: Matrix | None = None, codes: Codes | None = None,
        in_general: bool = True,
    ) -> Found:  # fmt: skip
        """Fit rows with these weights (none: all alike), columns and labels, from nothing.

        Without `in_general` the status GENERAL says what is left; `fit` counts warnings, and is for
        one thread at a time.
        """
        X = self.X if X is None else X
        codes = self.data.codes if codes is None else codes
        if weights.size and not weights.all():
            used = weights > 0.0
            X, codes, weights, offset = X[used], codes[used], weights[used], self.data.offset
            offset = readonly(offset[used]) if offset.size else offset
        else:
            offset = self.data.offset
        codes, weights = readonly(codes), readonly(weights)
        strength = self.asked.strength(weights, len(X))
        found, was_singular = self._by_small_kernel(X, codes, weights, offset, strength)
        if found is None and not in_general:
            return without_numbers(statuses.GENERAL, X.shape[1])
        if found is None:
            rows = self.data.rows._replace(X=X, carrier=X)
            data = Data(rows, self.data.classes, codes, weights, offset, strength)
            found = fit_in_general(data, self.asked, self.n_threads, self.clock)
        return self._judged(found, X, strength, was_singular)

    def _by_small_kernel(
        self, X: Matrix, codes: Codes, weights: Vector, offset: Vector, strength: Vector
    ) -> tuple[Found | None, bool]:
        """Return what the kernel of small fits finds; whether columns depend on each other."""
        asked, n_features = self.asked, X.shape[1]
        if not within_limits(len(X), n_features):
            return None, False
        coef, most = np.empty(n_features), MOST_ITERATIONS
        end = binomial.fit_small.serial(
            X, codes, 1, weights, offset, strength,
            0.0 if asked.fixed is None else asked.fixed, asked.fixed is None,
            validation.NO_NUMBERS, asked.tol, most,
            np.empty(binomial.small_work_size.serial(*X.shape)), np.empty(most + 1), coef,
        )  # fmt: skip
        if end.status not in KNOWN:
            return None, end.status == endings.SINGULAR
        status = KNOWN[end.status]
        if status != statuses.CONVERGED:
            return without_numbers(status, n_features, end.n_iter), False
        bound = proofs.stated_bound.serial(end.bound)
        return Found(status, coef, end.intercept, end.cost, bound, end.n_iter), False

    def _judged(self, found: Found, X: Matrix, strength: Vector, was_singular: bool) -> Found:
        """Say of a fit that converged where its coefficients are not the only ones."""
        found = judged_by_size(found, len(X), strength, self.asked)
        if found.status != statuses.CONVERGED or (strength > 0.0).all():
            return found
        still = (X == X[0]).all(axis=0) & (strength == 0.0)
        if self.asked.fixed is not None:
            still &= X[0] == 0.0
        if still.any():
            return found._replace(status=statuses.CONSTANT_COLUMN)
        return found._replace(status=statuses.COLLINEAR) if was_singular else found


def judged_by_size(found: Found, n_rows: int, strength: Vector, asked: Asked) -> Found:
    """Say of separable classes where there are fewer rows than parameters without penalty."""
    few = n_rows < int((strength == 0.0).sum()) + (asked.fixed is None)
    if found.status == statuses.SEPARABLE and few:
        return found._replace(status=statuses.TOO_FEW_ROWS)
    return found


def fit_in_general(data: Data, asked: Asked, n_threads: int | None, clock: Clock) -> Found:
    """Fit rows as `fit` does, quietly."""
    n_features = data.rows.X.shape[1]
    if not len(data.codes) or np.ptp(data.codes) == 0:
        status = statuses.ONE_CLASS if len(data.codes) else statuses.NO_ROWS
        return without_numbers(status, n_features)
    try:
        result, is_separable = fit_quietly(data, asked, n_threads, clock)
    except (ValueError, ArithmeticError) as error:
        return without_numbers(statuses.FAILED, n_features)._replace(failure=str(error))
    if is_separable:
        return without_numbers(statuses.SEPARABLE, n_features, result.n_iter)
    return Found(
        ended_as(result, clock), result.coef, float(result.intercept),
        float(result.history[-1]), float(result.suboptimality), result.n_iter,
    )  # fmt: skip


def ended_as(result: FitResult, clock: Clock) -> int:
    """Return the status of a fit that has coefficients."""
    if result.converged:
        return statuses.CONVERGED
    if clock.is_late():
        return statuses.TIME_LIMIT
    return statuses.MAX_ITER if result.n_iter >= MAX_ITER else statuses.ROUNDING


def without_numbers(status: int, n_features: int, n_iter: int = 0) -> Found:
    """Return what a fit comes to that has no numbers."""
    nothing = np.full(n_features, np.nan)
    return Found(status, nothing, np.nan, np.nan, np.inf, n_iter)


def fit_quietly(
    data: Data, asked: Asked, n_threads: int | None, clock: Clock, multi_class: str = "ovr"
) -> tuple[FitResult, bool]:
    """Fit rows as `fit` does, without warnings; whether their classes are separable."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        found = fit(
            data, tol=asked.tol, max_iter=MAX_ITER, n_threads=n_threads,
            intercept="fit" if asked.fixed is None else asked.fixed, time_limit=clock.left(),
            multi_class=multi_class,
        )  # fmt: skip
    return found, any(issubclass(each.category, SeparationWarning) for each in said)


def fit_whole(
    data: Data, asked: Asked, n_threads: int | None, clock: Clock, caller: str,
    multi_class: str = "ovr", needs_proof: bool = False,
) -> FitResult:  # fmt: skip
    """Fit all rows; raise where they have no optimum, and pass other warnings on.

    With `needs_proof` raise, too, where a fit that time has not ended comes without a bound.
    """
    total = data.weights if data.weights.size else validation.NO_NUMBERS
    strength = asked.strength(total, len(data.codes))
    own = data._replace(l2_reg=strength, penalty_factor=None, seconds=0.0)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        found = fit(
            own, tol=asked.tol, multi_class=multi_class, n_threads=n_threads,
            intercept="fit" if asked.fixed is None else asked.fixed, time_limit=clock.left(),
        )  # fmt: skip
    is_separable = any(issubclass(warning.category, SeparationWarning) for warning in said)
    if needs_proof and not (is_separable or np.isfinite(found.suboptimality) or clock.is_late()):
        raise ValueError(
            f"{caller} compares costs that are proven, and nothing is proven of the data's own "
            f"fit: {found.message}"
        )
    for warning in said:
        if issubclass(warning.category, SeparationWarning):
            raise ValueError(
                f"{caller} needs an optimum of all rows, and there is none: {found.message}"
            )
        warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
    return found
