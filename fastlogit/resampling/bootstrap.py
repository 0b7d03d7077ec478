"""`bootstrap`: fits to replicates of the rows, which tell how far an estimate can be trusted."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from .. import threads
from ..arrays import ArrayLike, Codes, Floats, Indices, Integers, Vector
from ..clock import Clock
from ..design.base import readonly
from ..fitting.chunks import Crew
from ..fitting.fit import TOLERANCE
from ..fitting.in_memory import check_finite, check_table, look_in_memory, strength_of, teller
from ..fitting.problem import check_callback, check_intercept, check_time_limit
from ..fitting.small import BESIDE
from ..fitting.weightless import with_codes
from ..inputs.given import Data, Given
from ..inputs.groups import encode_groups
from ..kernels import groups as statuses
from ..kernels import resampling as kernels
from ..options import check_category_options, check_number, check_option, check_whole
from ..result import Callback, FitResult, Progress
from .batches import fit_weighed
from .draws import Draws, Units, check_random_state
from .jackknife import Jackknife, Sampled
from .refits import (
    Asked,
    Found,
    Refits,
    as_plain,
    dense_where_small,
    ended_as,
    fit_quietly,
    fit_whole,
    found_models,
    put,
)
from .replicates import BootstrapResult

__all__ = ["bootstrap"]

# A chunk of replicates takes about so long, by this guess of what a row and column of one takes.
CHUNK_NS, NUMBER_NS = 3e6, 1.5
# Numbers of a copy of X, and what is beside it, for all models together (256 MB; a thread keeps
# as many for one). The passes of `fit_grid`, in which many replicates share each row that is read,
# take 0.9 times as long as the kernel at 100,000 x 20 and 300,000 x 10, 1.6 at 100,000 x 60, 1.7 at
# 20,000 x 20, 4 at 3,000 x 200, 6 at 5,000 x 15, 7 at 20,000 x 60 (16 or 32 replicates, 2 busy
# cores); for softmax 0.4 to 0.8 of one fit after the other. So they are for softmax, and for what
# has no room; and for sparse rows.
MOST_NUMBERS = 32_000_000
# Replicates of one call of `fit_grid`. It makes all of them, whether they are asked for or not: the
# bits of a replicate depend on its companions.
BATCH = 8
MULTI_CLASS = ("ovr", "multinomial")


def bootstrap(
    X: ArrayLike,
    y: ArrayLike,
    n: int = 1_000,
    *,
    groups: ArrayLike = None,
    stratify: bool = False,
    weights: str = "multinomial",
    random_state: object = None,
    C: float | None = None,
    l2_reg: ArrayLike = None,
    tol: float = TOLERANCE,
    multi_class: str = "ovr",
    sample_weight: ArrayLike = None,
    offset: ArrayLike = None,
    penalty_factor: ArrayLike = None,
    intercept: str | float | None = "fit",
    categories: str = "auto",
    handle_unknown: str = "error",
    interactions: Sequence[Sequence[str]] | None = None,
    n_threads: int | None = None,
    callback: Callback | None = None,
    time_limit: float | None = None,
) -> BootstrapResult:
    """Fit logistic regression to bootstrap replicates of the rows, each to a certified optimum.

    The same as a loop over `fastlogit.fit` with the drawn rows, in one call: each replicate begins
    at the fit to all rows, and takes one Hessian and a few gradients. A replicate that has no
    optimum gets a status that says so; the others go on.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Real numbers, finite, in memory. A sparse matrix or array of SciPy, and a frame with sparse
        or categorical columns, stay sparse above 8 MB: replicates are then fitted eight at a time,
        each row read once for all.
    y : array-like of shape (n_samples,)
        Class labels: numbers, booleans or strings.
    n : int >= 1, default 1000
        Number of replicates.
    groups : array-like of shape (n_samples,), optional
        Labels of clusters of rows that belong together, as visits of a patient: whole clusters are
        drawn, as many as there are.
    stratify : bool, default False
        Draw from each class as many units as it has. With `groups` each must be of one class.
    weights : {"multinomial", "bayesian"}, default "multinomial"
        Draw with replacement (Efron, 1979), or weigh units by numbers of a Dirichlet distribution
        (Rubin, 1981): then no unit is ever absent.
    random_state : None, int, numpy.random.Generator, SeedSequence or RandomState, optional
        The seed. Each replicate has a stream of its own: the first 500 of 1,000 are those of 500.
    C, l2_reg, tol, multi_class, sample_weight, offset, penalty_factor, intercept
        As for `fit`, and the same in each replicate; C counts on the sum of its losses. A row is
        one unit, whatever its weight; rows of weight 0 are none.
    categories, handle_unknown, interactions
        How categorical columns of a frame are coded, as in `fit`: the levels are those of all rows,
        whichever a replicate has.
    n_threads : int, optional
        Number of threads; None takes what the process may use. The result has the same bits
        for every number.
    callback : callable, optional
        Called about every 50 ms, and at the end, with a `Progress` whose `n_done` and `n_fits`
        count replicates; returning True ends the call.
    time_limit : float > 0, optional
        Seconds after which replicates that are not fitted get the status NOT_FITTED.

    Returns
    -------
    BootstrapResult
        Coefficients and status of each replicate; `standard_errors`, `bias`,
        `confidence_intervals`, and `distribution` for what follows from coefficients.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type, shape or value, or all rows together have no optimum:
        before any replicate.
    KeyboardInterrupt
        After Ctrl-C; its ``result`` attribute is a `BootstrapResult` with the replicates that are
        fitted (there is none while all rows are fitted).

    Warns
    -----
    sklearn.exceptions.ConvergenceWarning
        If the fit to all rows ended above `tol`.

    References
    ----------
    Efron (1979), Annals of Statistics 7; Davison and Hinkley (1997), Bootstrap Methods and their
    Application.
    """
    began = time.perf_counter()
    n = check_whole("n", n, low=1)
    tol = check_number("tol", tol, low=0.0)
    multi_class = check_option("multi_class", multi_class, MULTI_CLASS)
    tell, clock = check_callback(callback), Clock(began, check_time_limit(time_limit))
    fixed = check_intercept(intercept)
    threads.thread_count(n_threads)
    seed = check_random_state(random_state)
    coding = check_category_options(
        categories, handle_unknown, interactions, has_penalty=C is not None or l2_reg is not None
    )
    given = Given(
        X, y, sample_weight, offset, l2_reg, penalty_factor, clock=clock, categories=coding
    )
    data = look_in_memory(given, "bootstrap", multi_class)
    check_finite(data, n_threads)
    data = dense_where_small(data)
    strength, by_weight = strength_of(C, data)
    asked = Asked(strength, by_weight, fixed, tol)
    n_features = data.rows.X.shape[1]
    n_models = 1 if data.classes.size == 2 else data.classes.size
    check_table(
        f"coefficients of {n:,} replicates x {n_features * n_models:,}", n * n_features * n_models
    )
    sample = _sample(data, groups, stratify)
    draws = Draws(seed, sample.units, weights)
    estimate = fit_whole(sample.data, asked, n_threads, clock, "bootstrap", multi_class)
    replicates = _Replicates(sample, asked, draws, estimate, n, n_threads, clock, tell)
    try:
        replicates.run()
    except KeyboardInterrupt as interrupt:
        interrupt.result = replicates.result(began)  # type: ignore[attr-defined]
        raise
    return replicates.result(began)


# ------------------------------------------------------------------------------------------------
# What is asked


class _Sample(NamedTuple):
    """The rows of positive weight, where they lie among all, and their units."""

    data: Data
    rows: Indices
    units: Units
    n_samples: int
    sample_weight: Vector


def _sample(data: Data, groups: ArrayLike, stratify: object) -> _Sample:
    """Return the rows that count, and what is drawn as a whole."""
    if not isinstance(stratify, bool | np.bool_):
        raise TypeError(f"stratify must be True or False, got {stratify!r}")
    n_samples = len(data.codes)
    if data.weights.ndim > 1:
        raise ValueError("bootstrap takes one sample_weight for each row, of shape (n_samples,)")
    codes = None if groups is None else encode_groups(groups, n_samples).codes
    weights = data.weights
    rows = np.flatnonzero(weights) if weights.size else np.arange(n_samples)
    if len(rows) < n_samples:
        data = as_plain(data, rows)
    elif data.classes.size == 2:
        data = as_plain(data)
    of_row: Integers = np.arange(len(rows), dtype=np.int32)
    count = len(rows)
    if codes is not None:
        used, of_row = np.unique(codes[rows], return_inverse=True)
        of_row, count = of_row.reshape(-1).astype(np.int32), len(used)
    if count < 2:
        what = "rows have positive weight" if codes is None else "groups have rows that do"
        raise ValueError(f"bootstrap draws two units at least, and {count} {what}")
    strata = [np.arange(count)]
    if stratify:
        strata = _strata(data.codes, of_row, rows, data.classes.size)
    return _Sample(data, rows, Units(of_row, count, strata), n_samples, weights)


def _strata(codes: Codes, of_row: Integers, rows: Indices, n_classes: int) -> list[Indices]:
    """Return the units of each class; `rows` says which rows these are."""
    of_unit = np.empty(int(of_row.max()) + 1, dtype=np.int64)
    of_unit[of_row] = codes
    mixed = of_unit[of_row] != codes
    if mixed.any():
        row = int(rows[int(np.argmax(mixed))])
        raise ValueError(
            f"stratify=True needs groups of one class each, and that of row {row} has rows of "
            "several; leave stratify out"
        )
    found = [np.flatnonzero(of_unit == code) for code in range(n_classes)]
    return [units for units in found if units.size]


# ------------------------------------------------------------------------------------------------
# All replicates


class _Replicates:
    """Fits of all replicates: what is asked, and what is found so far, for each model.

    Two classes are one model; more are one for each class, of softmax all fitted together.
    """

    def __init__(
        self, sample: _Sample, asked: Asked, draws: Draws, estimate: FitResult, n: int,
        n_threads: int | None, clock: Clock, tell: Callback | None,
    ) -> None:  # fmt: skip
        self.sample, self.asked, self.draws, self.estimate = sample, asked, draws, estimate
        self.n, self.n_threads, self.clock, self.tell = n, n_threads, clock, tell
        data = sample.data
        n_samples, n_features = data.rows.X.shape
        self.n_models = 1 if data.classes.size == 2 else data.classes.size
        self.models = [found_models(n, n_features) for _ in range(self.n_models)]
        self.failures: dict[int, str] = {}
        self.ended_by = ""
        self.is_softmax = self.n_models > 1 and estimate.multi_class == "multinomial"
        self.refits: list[Refits] = []
        numbers = n_samples * (n_features + BESIDE) * self.n_models
        is_dense = isinstance(data.rows.X, np.ndarray)
        if is_dense and not self.is_softmax and numbers <= MOST_NUMBERS:
            self.refits = [self._refits_of(model) for model in range(self.n_models)]

    def _refits_of(self, model: int) -> Refits:
        data, coef = self.sample.data, self.estimate.coef.reshape(-1, self.n_models)
        level = np.atleast_1d(self.estimate.intercept)[model]
        start, of_row = np.append(coef[:, model], level), self.draws.units.of_row
        own = data if self.n_models == 1 else self._data_of(model)
        return Refits(own, self.asked, start, of_row, self.n_threads, self.clock)

    def _data_of(self, model: int) -> Data:
        """Return a class against all others."""
        data = as_plain(self.sample.data)
        offset = data.offset[model] if data.offset.ndim > 1 else data.offset
        labels = np.array([0, 1], dtype=np.uint8)
        return with_codes(data, labels, data.codes == model)._replace(offset=offset)

    @property
    def status(self) -> Integers:
        """The worst status of the models of each replicate, (n,)."""
        return np.max([models.status for models in self.models], axis=0)

    def run(self) -> None:
        """Fit all replicates: in chunks or batches, and what is left one after the other."""
        for models in self.models:
            models.status[:] = statuses.NOT_FITTED if self._is_ready() else statuses.GENERAL
        if self._is_ready():
            n_samples, n_features = self.sample.data.rows.X.shape
            cost = NUMBER_NS * n_samples * (n_features + BESIDE) * self.n_models
            size = int(np.clip(CHUNK_NS / cost, 1, 256))
            chunks = [range(k, min(k + size, self.n)) for k in range(0, self.n, size)]
            tell = teller(self.tell, self._progress)
            crew = Crew(chunks, self._fit_chunk, self.refits[0].room, self.clock, tell)
            crew.run(threads.thread_count(self.n_threads))
            self.ended_by = crew.ended_by
        elif not self.refits and self.asked.fixed in (None, 0.0):
            self._fit_batches()
        if not (self.status >= statuses.NOT_FITTED).any():
            self.ended_by = ""  # all is done: it is too late to end anything
        elif not self.ended_by:
            self._fit_the_rest()

    def _is_ready(self) -> bool:
        return bool(self.refits) and all(refits.is_ready for refits in self.refits)

    def _weights(self, replicate: int) -> Vector:
        """Return the weight of each row that counts in a replicate."""
        drawn, own = self.draws.of_rows(replicate), self.sample.data.weights
        return drawn * own if own.size else drawn

    def _fit_chunk(self, chunk: range, room: kernels.Room) -> None:
        drawn, weights = self.draws.draw(chunk)
        for refits, models in zip(self.refits, self.models, strict=True):
            kernels.fit_replicates.serial(refits.base, drawn, weights, chunk.start, room, models)
            for replicate in chunk:
                if models.status[replicate] == statuses.GENERAL:
                    found = refits.again(self._weights(replicate), in_general=False)
                    put(found, models, replicate)

    # --------------------------------------------------------------------------------------------
    # What the kernel does not take

    def _fit_batches(self) -> None:
        """Fit batches of replicates in the same passes; those of no proof are left."""
        tell = teller(self.tell, self._progress)
        for first in range(0, self.n, BATCH):
            if self.clock.is_late():
                self.ended_by = "time_limit"
                return
            batch = [k for k in range(first, first + BATCH) if not self._lacks_a_class(k)]
            if batch:
                self._fit_batch(batch)
            if tell is not None and tell():
                self.ended_by = "callback"
                return

    def _lacks_a_class(self, replicate: int) -> bool:
        """Say whether a class has no row in a replicate, which then has no optimum."""
        data = self.sample.data
        count = data.classes.size
        present = np.bincount(data.codes, self.draws.of_rows(replicate), count) > 0.0
        if present.all():
            return False
        if replicate < self.n:
            for models in self.models:
                models.status[replicate] = statuses.ONE_CLASS
            missing = data.classes[~present][0]
            self.failures[replicate] = f"the replicate has no row of class {missing!s}"
        return True

    def _fit_batch(self, batch: list[int]) -> None:
        drawn = np.array([self.draws.of_rows(replicate) for replicate in batch])
        result = fit_weighed(
            self.sample.data, drawn, self.asked, self.estimate, self.n_threads, self.clock
        )
        for place, replicate in enumerate(batch):
            if replicate >= self.n or not result.converged[place, 0]:
                continue
            for model, models in enumerate(self.models):
                found = Found(
                    statuses.CONVERGED, result.coef[place, 0, model],
                    float(result.intercept[place, 0, model]), np.nan,
                    float(result.suboptimality[place, 0]),
                    int(result.n_iter[place, 0].max()),
                )  # fmt: skip
                put(found, models, replicate)

    def _fit_the_rest(self) -> None:
        tell = teller(self.tell, self._progress)
        for replicate in np.flatnonzero(self.status == statuses.GENERAL).tolist():
            if self.clock.is_late():
                self.ended_by = "time_limit"
                return
            if self.refits:
                self._fit_again(replicate)
            elif not self._lacks_a_class(replicate):
                self._fit_alone(replicate)
            if tell is not None and tell():
                self.ended_by = "callback"
                return

    def _fit_again(self, replicate: int) -> None:
        weights = self._weights(replicate)
        for refits, models in zip(self.refits, self.models, strict=True):
            if models.status[replicate] == statuses.GENERAL:
                found = refits.again(weights)
                put(found, models, replicate)
                if found.failure:
                    self.failures[replicate] = found.failure

    def _fit_alone(self, replicate: int) -> None:
        """Fit all models of a replicate by `fit`."""
        weights, data, estimate = self._weights(replicate), self.sample.data, self.estimate
        coef = np.ascontiguousarray(estimate.coef.reshape(-1, self.n_models).T)
        strength = self.asked.strength(weights, len(weights))
        own = data._replace(
            weights=readonly(weights), l2_reg=strength, penalty_factor=None, seconds=0.0,
            start=(coef, np.atleast_1d(estimate.intercept)),
        )  # fmt: skip
        status, failure = statuses.FAILED, ""
        try:
            result, is_separable = fit_quietly(
                own, self.asked, self.n_threads, self.clock, estimate.multi_class
            )
            status = statuses.SEPARABLE if is_separable else ended_as(result, self.clock)
        except (ValueError, ArithmeticError) as error:
            failure = self.failures[replicate] = str(error)
        for model, models in enumerate(self.models):
            models.status[replicate] = status
            if failure:
                continue
            models.n_iter[replicate] = result.n_iter
            if not is_separable:
                models.coef[replicate] = result.coef.reshape(-1, self.n_models)[:, model]
                models.intercept[replicate] = np.atleast_1d(result.intercept)[model]
                models.bound[replicate] = np.max(result.suboptimality)

    # --------------------------------------------------------------------------------------------
    # What is told

    def _progress(self) -> Progress:
        n_done = int((self.status < statuses.NOT_FITTED).sum())
        cost = float(np.mean(self.estimate.history[-1]))
        seconds = time.perf_counter() - self.clock.began
        return Progress(n_done, cost, seconds, self._coefficients, n_done, self.n)

    def _coefficients(self) -> tuple[Floats, Floats]:
        """Return coefficients and intercepts of all replicates, NaN where one has no answer."""
        status = self.status
        coef = np.stack([models.coef for models in self.models], axis=2)
        level = np.stack([models.intercept for models in self.models], axis=1)
        coef[status >= statuses.SEPARABLE], level[status >= statuses.SEPARABLE] = np.nan, np.nan
        return (coef[:, :, 0], level[:, 0]) if self.n_models == 1 else (coef, level)

    def result(self, began: float) -> BootstrapResult:
        """Return what is found, at the end or before."""
        sample, data = self.sample, self.sample.data
        coef, intercept = self._coefficients()
        status, left = self.status, statuses.NOT_FITTED
        bound = np.max([models.bound for models in self.models], axis=0)
        bound[status >= statuses.SEPARABLE] = np.inf
        return BootstrapResult(
            estimate=self.estimate,
            coef=np.ascontiguousarray(coef),
            intercept=np.ascontiguousarray(intercept),
            status=np.where(status == statuses.GENERAL, left, status).astype(np.int8),
            suboptimality=bound,
            n_iter=np.max([models.n_iter for models in self.models], axis=0),
            n_units=sample.units.n_units,
            classes=data.classes,
            feature_names=data.rows.text_names,
            failures=self.failures,
            ended_by=self.ended_by,
            seconds=time.perf_counter() - began,
            _draws=self.draws,
            _rows=sample.rows,
            _sample_weight=sample.sample_weight.copy(),
            _n_samples=sample.n_samples,
            _jackknife=self._jackknife(),
        )

    def _jackknife(self) -> Jackknife | str:
        """Return the fits without each unit, or what they are for."""
        if self.draws.is_bayesian:
            return "weights='multinomial'"
        if not self.refits:
            return "two classes and one-vs-all, with a dense X of less than 256 MB"
        units, estimate = self.sample.units, self.estimate
        strength = self.asked.strength(self.sample.data.weights, len(self.sample.rows))
        X = self.refits[0].X.copy()  # of all models; arrays of the caller may change
        models = []
        for model, refits in enumerate(self.refits):
            own = refits.data
            models.append(Sampled(
                X, own.codes.copy(), own.weights.copy(), own.offset.copy(), units.of_row,
                units.n_units,
                estimate.coef.reshape(-1, self.n_models)[:, model],
                float(np.atleast_1d(estimate.intercept)[model]),
            ))  # fmt: skip
        return Jackknife(models, strength, self.asked.by_weight, self.asked.fixed is None)
