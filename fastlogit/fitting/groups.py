"""`fit_groups`: a logistic regression of its own for each of many groups of rows."""

from __future__ import annotations

import itertools
import time
import warnings
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np

from .. import threads
from ..arrays import ArrayLike, Vector
from ..clock import Clock
from ..design.opening import open_rows
from ..errors import SeparationWarning
from ..inputs import validation
from ..inputs.conversion import as_numbers
from ..inputs.given import Data, Given
from ..inputs.groups import Groups, encode_groups
from ..kernels import groups as kernels
from ..linalg.factors import Factor
from ..linalg.resolved import DEPENDENT
from ..objective.binomial import Binomial
from ..objective.hessians import Hessians
from ..objective.labelled_rows import LabelledRows
from ..objective.objective import Objective
from ..options import check_category_options, check_number, check_whole
from ..result import Callback, FitResult, Progress
from .chunks import Crew
from .fit import TOLERANCE, fit
from .group_fits import GroupFits
from .group_rows import group_rows
from .in_memory import (
    check_finite,
    check_table,
    check_two_classes,
    look_in_memory,
    strength_of,
    teller,
)
from .problem import (
    check_callback,
    check_intercept,
    check_time_limit,
    moderate_weights,
)

__all__ = ["fit_groups"]

# A chunk takes about so long, by a guess of what its groups take.
CHUNK_NS = 3e6
POOLED = "pooled"
# Columns of a group, at the most, of which there are standard errors: a Hessian of 72 MB.
MOST_MEASURED = 3_000


def fit_groups(
    X: ArrayLike,
    y: ArrayLike,
    groups: ArrayLike,
    *,
    C: float | None = None,
    l2_reg: ArrayLike = None,
    prior_mean: ArrayLike | Literal["pooled"] = None,
    tol: float = TOLERANCE,
    max_iter: int = 1_000,
    sample_weight: ArrayLike = None,
    offset: ArrayLike = None,
    penalty_factor: ArrayLike = None,
    intercept: Literal["fit"] | float | None = "fit",
    categories: str = "auto",
    handle_unknown: str = "error",
    interactions: Sequence[Sequence[str]] | None = None,
    n_threads: int | None = None,
    callback: Callback | None = None,
    time_limit: float | None = None,
) -> GroupFits:
    """Fit a logistic regression of its own to each group of rows, each to a certified optimum.

    The same as a loop over `fastlogit.fit`, in one call: small groups take some microseconds each.
    A group that has no optimum, or whose fit fails, gets a status that says so; the others go on.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Real numbers, finite, in memory. Float64 in rows (C order) is read in place, other arrays
        a few megabytes at a time. A sparse matrix or array of SciPy, and a frame with sparse
        columns, stay sparse: each group is fitted in the columns that its rows have values of, and
        the others are known to be at 0, or at the prior's mean. So it is with the levels of
        categorical columns, which are sparse columns here, 12 bytes for each row and column.
    y : array-like of shape (n_samples,)
        Labels of two classes, the same two for all groups.
    groups : array-like of shape (n_samples,)
        The group of each row, in any order: whole numbers, text, dates, categories, or objects of
        several types. None may be missing.
    C : float > 0, optional
        Inverse strength of the penalty, of each group's fit by itself: it minimises
        ``C * sum(loss) + sum((coef - prior_mean)**2) / 2``. So C is the variance of a normal prior
        that all groups share, and groups of few rows stay near its mean. Infinity is no penalty.
    l2_reg : float >= 0 or array-like of shape (n_features,), optional
        The strength on the scale of a group's mean loss, in the units of X, in place of C: the same
        pull whatever the number of rows.
    prior_mean : array-like of shape (n_features,) or "pooled", optional
        What the penalty draws the coefficients to, 0 by default. "pooled": the coefficients that
        `fit` finds for all rows with the same options and mean 0. It needs `C` or `l2_reg`. The
        intercept of each group is its own and never penalised.
    tol : float >= 0, default 1e-12
        Bound on (cost - optimum) / optimum that each fit must be proven to have.
    max_iter : int >= 1, default 1000
    sample_weight : array-like of shape (n_samples,), optional
        Weights >= 0 of the rows: 2 is the row twice, 0 the row absent.
    offset : array-like of shape (n_samples,), optional
        Fixed part of the raw predictions.
    penalty_factor : array-like of shape (n_features,), optional
        Factors >= 0 of the penalty of each column; 0 leaves a column without penalty.
    intercept : "fit", float or None, default "fit"
        A number holds the intercepts there; None or 0 is none.
    categories, handle_unknown, interactions
        How categorical columns of a frame are coded, as in `fit`: the levels are those of all rows.
        In full coding, which "auto" is with a penalty, levels depend on each other, so that groups
        are COLLINEAR and have no standard errors; in reference coding those without rows of the
        first level of all are.
    n_threads : int, optional
        Number of threads; None takes what the process may use. The result has the same bits
        for every number.
    callback : callable, optional
        Called about every 50 ms, and once when the small groups are done, with a `Progress` whose
        `n_done` and `n_fits` count groups; returning True ends the fits.
    time_limit : float > 0, optional
        Seconds after which groups that are not fitted get the status NOT_FITTED.

    Returns
    -------
    GroupFits

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type, shape or value: before any work.
    KeyboardInterrupt
        After Ctrl-C; its ``result`` attribute is a `GroupFits` with the groups that are fitted.

    See Also
    --------
    fit : One fit; more classes, other penalties, rows on disk.
    """
    began = time.perf_counter()
    tol = check_number("tol", tol, low=0.0)
    max_iter = check_whole("max_iter", max_iter, low=1)
    tell = check_callback(callback)
    clock = Clock(began, check_time_limit(time_limit))
    fixed = check_intercept(intercept)
    threads.thread_count(n_threads)
    coding = check_category_options(
        categories, handle_unknown, interactions, has_penalty=C is not None or l2_reg is not None
    )
    given = Given(
        X, y, sample_weight, offset, l2_reg, penalty_factor, clock=clock, categories=coding
    )
    data = look_in_memory(given, "fit_groups")
    check_two_classes(data, "fit_groups")
    grouped = encode_groups(groups, len(data.codes))
    strength, by_weight = strength_of(C, data)
    mean, ask_pooled = _prior_mean(prior_mean, data, strength)
    check_finite(data, n_threads)
    n_groups, n_features = len(grouped.labels), len(strength)
    check_table(
        f"coefficients and standard errors of {n_groups:,} groups x {n_features:,} columns",
        2 * n_groups * (n_features + 1),
    )
    task = kernels.Task(
        1, strength, by_weight, mean, 0.0 if fixed is None else fixed, fixed is None, tol, max_iter
    )
    fits = _Fits(data, grouped, task, n_threads, clock, tell)
    try:
        if ask_pooled:
            fits.draw_to(_pooled(data, C, tol, max_iter, intercept, n_threads, clock))
        fits.run()
    except KeyboardInterrupt as interrupt:
        interrupt.result = fits.result(began)  # type: ignore[attr-defined]
        raise
    return fits.result(began)


# ------------------------------------------------------------------------------------------------
# What is asked


def _prior_mean(given: ArrayLike, data: Data, strength: Vector) -> tuple[Vector, bool]:
    """Return the mean, empty for zeros, and whether the pooled fit is asked for."""
    none = np.empty(0)
    if given is None:
        return none, False
    if not strength.any():
        raise ValueError(
            "prior_mean is what a penalty draws the coefficients to, and there is none; set C or "
            "l2_reg"
        )
    if isinstance(given, str):
        if given != POOLED:
            raise ValueError(f"prior_mean must be numbers or {POOLED!r}, got {given!r}")
        return none, True
    n_features = data.rows.X.shape[1]
    coefs, _, _ = validation.check_coef(_as_column(given, n_features), 0.0, n_features)
    return coefs[0].copy(), False


def _as_column(given: ArrayLike, n_features: int) -> ArrayLike:
    """Raise for a mean that is not one number for each column."""
    mean = as_numbers("prior_mean", given)
    if mean.shape != (n_features,):
        raise ValueError(
            f"prior_mean has shape {mean.shape}, but X has {n_features} columns: it must be "
            f"({n_features},) or {POOLED!r}"
        )
    if not np.isfinite(mean).all():
        raise ValueError("prior_mean contains NaN or infinity")
    return mean


def _pooled(
    data: Data, C: float | None, tol: float, max_iter: int, intercept: object,
    n_threads: int | None, clock: Clock,
) -> FitResult:  # fmt: skip
    """Fit all rows; raise where they have no optimum to draw to."""
    left = clock.left()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        found = fit(
            data, C=C, tol=tol, max_iter=max_iter, intercept=intercept,  # type: ignore[arg-type]
            n_threads=n_threads, time_limit=left,
        )  # fmt: skip
    for warning in said:
        if issubclass(warning.category, SeparationWarning):
            raise ValueError(
                f"prior_mean={POOLED!r} needs an optimum of all rows, and there is none: "
                f"{found.message}"
            )
        warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
    return found


# ------------------------------------------------------------------------------------------------
# All fits


class _Chunk(NamedTuple):
    """Groups that follow each other."""

    first: int
    last: int


class _Fits:
    """Fits of all groups: what is asked, and what is found so far."""

    def __init__(
        self, data: Data, groups: Groups, task: kernels.Task, n_threads: int | None, clock: Clock,
        tell: Callback | None,
    ) -> None:  # fmt: skip
        self.data, self.groups, self.task = data, groups, task
        self.n_threads, self.clock, self.tell = n_threads, clock, tell
        n_groups, n_features = len(groups.labels), data.rows.X.shape[1]
        self.models = kernels.Models(
            np.full(n_groups, kernels.NOT_FITTED, dtype=np.int8),
            np.zeros(n_groups, dtype=bool),
            np.zeros(n_groups, dtype=np.int64),
            np.zeros(n_groups, dtype=np.int32),
            np.full((n_groups, n_features), np.nan),
            np.full(n_groups, np.nan),
            np.full((n_groups, n_features + 1), np.nan),
            np.full(n_groups, np.nan),
            np.full(n_groups, np.inf),
        )
        self.failures: dict[int, str] = {}
        self.pooled: FitResult | None = None
        self.ended_by = ""
        self.rows = group_rows(data, groups)

    def draw_to(self, pooled: FitResult) -> None:
        """Let the penalty draw to the coefficients of a fit."""
        self.pooled = pooled
        self.task = self.task._replace(mean=np.ascontiguousarray(pooled.coef))

    def run(self) -> None:
        """Fit all groups: those that are small in chunks, what is left one after the other."""
        if self.rows.is_small.any():
            tell = teller(self.tell, self._progress)
            crew = Crew(
                self._chunks(),
                lambda chunk, room: self.rows.fit(*chunk, self.task, room, self.models),
                lambda: self.rows.room(self.task.max_iter), self.clock, tell,
            )  # fmt: skip
            crew.run(threads.thread_count(self.n_threads))
            self.ended_by = crew.ended_by
        else:
            self.models.status[:] = kernels.GENERAL
        if not (self.models.status >= kernels.NOT_FITTED).any():
            self.ended_by = ""  # all is done: it is too late to end anything
        elif not self.ended_by:
            self._fit_the_rest()

    def _chunks(self) -> list[_Chunk]:
        """Cut the groups into chunks that take about equally long."""
        cost = self.rows.nanoseconds
        chunk = (np.cumsum(cost) / CHUNK_NS).astype(np.int64)
        firsts = np.concatenate([[0], np.flatnonzero(np.diff(chunk)) + 1, [len(cost)]])
        return [_Chunk(int(a), int(b)) for a, b in itertools.pairwise(firsts)]

    def _progress(self) -> Progress:
        models = self.models
        done = models.status < kernels.NOT_FITTED
        n_rows = models.n_samples[done & np.isfinite(models.log_likelihood)].sum()
        cost = -float(np.nansum(models.log_likelihood)) / max(int(n_rows), 1)
        seconds = time.perf_counter() - self.clock.began
        n_done = int(done.sum())
        return Progress(
            n_done, cost, seconds, lambda: (models.coef, models.intercept), n_done, len(done)
        )

    # --------------------------------------------------------------------------------------------
    # What the kernel leaves

    def _fit_the_rest(self) -> None:
        tell = teller(self.tell, self._progress)
        for group in np.flatnonzero(self.models.status == kernels.GENERAL):
            if self.clock.is_late():
                self.ended_by = "time_limit"
                return
            self._fit_in_general(int(group))
            if tell is not None and tell():
                self.ended_by = "callback"
                return

    def _fit_in_general(self, group: int) -> None:
        """Fit one group as `fit` does, and put what it comes to in its place."""
        models, mean = self.models, self.task.mean
        data, columns = self.rows.data_of(group, mean)
        weights = data.weights
        used = data.codes if not weights.size else data.codes[weights > 0.0]
        models.n_samples[group] = used.size
        if used.size == 0 or np.ptp(used) == 0:
            models.status[group] = kernels.ONE_CLASS if used.size else kernels.NO_ROWS
            return
        total = float(weights.sum()) if weights.size else float(used.size)
        with np.errstate(over="ignore"):
            l2_reg = self.task.l2_reg / (total if self.task.by_weight else 1.0)
        try:
            if not np.isfinite(l2_reg).all():
                raise ValueError(
                    f"the penalty overflows over the weight of the group, {total:.3g}; a larger C "
                    "or weights are needed"
                )
            result, is_separable = self._result_of(data._replace(l2_reg=l2_reg[columns]))
        except (ValueError, ArithmeticError) as error:
            models.status[group] = kernels.FAILED
            self.failures[group] = str(error)
            return
        models.n_iter[group] = result.n_iter
        is_few = used.size < int((l2_reg == 0.0).sum()) + self.task.fit_intercept
        if is_separable:
            models.status[group] = kernels.TOO_FEW_ROWS if is_few else kernels.SEPARABLE
            return
        level = float(result.intercept)
        measured = _measure(data, result.coef, level, self.task.fit_intercept, self.n_threads)
        if is_few and (measured.is_singular or not result.converged):
            models.status[group] = kernels.TOO_FEW_ROWS
            return
        models.coef[group] = mean if mean.size else 0.0
        models.coef[group, columns] += result.coef
        models.intercept[group] = level
        models.bound[group] = result.suboptimality
        models.converged[group] = result.converged
        models.errors[group, :-1][columns] = measured.errors[:-1]
        models.errors[group, -1] = measured.errors[-1]
        models.log_likelihood[group] = measured.log_likelihood
        models.status[group] = self._status_of(result, measured)

    def _status_of(self, result: FitResult, measured: _Measured) -> int:
        """Say how a fit ended that has coefficients."""
        if measured.is_singular:
            return kernels.COLLINEAR
        if not result.converged:
            if self.clock.is_late():
                return kernels.TIME_LIMIT
            return kernels.MAX_ITER if result.n_iter >= self.task.max_iter else kernels.ROUNDING
        has_all = len(result.coef) == self.models.coef.shape[1] and not measured.n_constant
        return kernels.CONVERGED if has_all else kernels.CONSTANT_COLUMN

    def _result_of(self, data: Data) -> tuple[FitResult, bool]:
        """Fit rows as `fit` does, quietly; whether their classes are separable."""
        task = self.task
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            found = fit(
                data, tol=task.tol, max_iter=task.max_iter, n_threads=self.n_threads,
                intercept="fit" if task.fit_intercept else task.intercept,
                time_limit=self.clock.left(),
            )  # fmt: skip
        return found, any(issubclass(each.category, SeparationWarning) for each in said)

    def result(self, began: float) -> GroupFits:
        """Return what is found, at the end or before."""
        models = self.models
        status = np.where(models.status == kernels.GENERAL, kernels.NOT_FITTED, models.status)
        return GroupFits(
            groups=self.groups.labels,
            n_samples=models.n_samples,
            coef=models.coef,
            intercept=models.intercept,
            standard_errors=models.errors,
            log_likelihood=models.log_likelihood,
            suboptimality=models.bound,
            converged=models.converged,
            n_iter=models.n_iter,
            status=status.astype(np.int8),
            classes=self.data.classes,
            tol=self.task.tol,
            prior_mean=self.task.mean if self.task.mean.size else None,
            pooled=self.pooled,
            feature_names=self.data.rows.text_names,
            categories=self.data.rows.categories,
            failures=self.failures,
            ended_by=self.ended_by,
            seconds=time.perf_counter() - began,
        )


# ------------------------------------------------------------------------------------------------
# One fit, measured


class _Measured(NamedTuple):
    """Standard errors (intercept last) and log-likelihood at coefficients."""

    errors: Vector
    log_likelihood: float
    # Columns that do not vary, and whether the others depend on each other.
    n_constant: int
    is_singular: bool


def _measure(
    data: Data, coef: Vector, intercept: float, fit_intercept: bool, n_threads: int | None
) -> _Measured:
    """Return what `kernels.groups.measure` gives, for rows of any number.

    Of fewer rows than parameters the Hessian is singular, and need not be made.
    """
    moderate, power = moderate_weights(data.weights)
    rows = LabelledRows(
        open_rows(data.rows.X, n_threads), Binomial(), data.codes, [1], moderate, data.offset,
        fit_intercept,
    )  # fmt: skip
    objective = Objective(rows, 0.0)
    objective.standardize()
    center, inverse_scale = objective.design.columns
    start = objective.from_user(coef[None], np.array([intercept]))
    theta = objective.join(*start)
    curvature = rows.empty_curvature(1)
    cost = float(objective.at(theta, curvature).cost[0])
    total = float(np.ldexp(rows.total_weight, power)[0])
    errors = np.full(len(inverse_scale) + 1, np.nan)
    n_constant, n_rows = int((inverse_scale == 0.0).sum()), len(data.codes)
    if data.weights.size:
        n_rows = int(np.count_nonzero(data.weights))
    n_parameters = len(inverse_scale) - n_constant + fit_intercept
    if n_rows < n_parameters or n_parameters > MOST_MEASURED:
        return _Measured(errors, -total * cost, n_constant, n_rows < n_parameters)
    matrix = Hessians(objective).at(0, theta[0], curvature).loss
    fitted = objective.fitted()
    factor = Factor(np.ascontiguousarray(matrix[np.ix_(fitted, fitted)]), DEPENDENT)
    singular = bool(factor.dependent.any())
    if not singular:
        # A row for each slope, in standard units, and one for the intercept in the units of X.
        wanted = np.eye(len(fitted))
        wanted[-1, :-1] = -inverse_scale * center
        halves = factor.half_solve(wanted[np.ix_(fitted, fitted)])
        errors[fitted] = np.sqrt((halves**2).sum(axis=1) / total)
        errors[:-1] *= inverse_scale
    return _Measured(errors, -total * cost, n_constant, singular)
