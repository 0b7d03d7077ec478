"""`permutation`: tests of all columns together, or of each given the others, by permutation.

All columns: under the hypothesis that labels do not depend on X they may be permuted. One column
given others: what the others do not tell of it, the residual of its regression on them by least
squares, is permuted (Potter, 2005, Statistics in Medicine 24, 693-708; Werft and Benner, 2010, The
R Journal 2). The residual spans the same space with the others as the column does, so that the
statistic of the data is that of the column. The test is exact where the column does not depend on
the others, and approximate else.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np

from .. import threads
from ..arrays import ArrayLike, Codes, Indices, Integers, Vector
from ..clock import Clock
from ..design.compressed import CompressedRows
from ..fitting.chunks import Crew
from ..fitting.fit import TOLERANCE
from ..fitting.in_memory import (
    check_finite,
    check_two_classes,
    look_in_memory,
    strength_of,
    teller,
)
from ..fitting.problem import check_callback, check_time_limit
from ..fitting.small import BESIDE
from ..inputs.given import Data, Given
from ..inputs.groups import encode_groups
from ..inputs.validation import NO_NUMBERS
from ..kernels import groups as statuses
from ..kernels import resampling as kernels
from ..options import check_category_options, check_number, check_whole
from ..result import Callback, FitResult, Progress
from .bootstrap import CHUNK_NS, MOST_NUMBERS, NUMBER_NS
from .columns import AnyColumns, AnyRows, beside, column_of, last_moved, residual_of, without
from .draws import UniformStreams, check_random_state
from .refits import (
    Asked,
    Found,
    Refits,
    as_plain,
    dense_where_small,
    fit_whole,
    found_models,
    put,
)
from .replicates import PermutationResult
from .sparse_refits import SparseRefits

__all__ = ["permutation"]

# A column whose residual is below this share of its spread is a combination of the others.
DEPENDENT = 1e-9
# Two costs of the same optimum may differ by so much, relatively, besides what is proven of them.
ROUNDING = 1e-12
ALL, EACH = "all columns", "each"


def permutation(
    X: ArrayLike,
    y: ArrayLike,
    columns: ArrayLike = None,
    *,
    n: int = 1_000,
    groups: ArrayLike = None,
    random_state: object = None,
    C: float | None = None,
    l2_reg: ArrayLike = None,
    penalty_factor: ArrayLike = None,
    tol: float = TOLERANCE,
    categories: str = "auto",
    interactions: Sequence[Sequence[str]] | None = None,
    n_threads: int | None = None,
    callback: Callback | None = None,
    time_limit: float | None = None,
) -> PermutationResult:
    """Test by permutation whether labels depend on all columns, or on some given the others.

    The statistic is that of the likelihood ratio. Its distribution comes from permutations instead
    of a large sample: of the labels for all columns together, and for one column of the residual of
    its regression on the others (Potter, 2005). Each permutation is a fit to a certified optimum.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Real numbers, finite, in memory. A sparse matrix or array of SciPy, and a frame with sparse
        or categorical columns, stay sparse above 8 MB: each permutation is then a `fit` of its own.
    y : array-like of shape (n_samples,)
        Labels of two classes.
    columns : None, "each", int, str or a sequence of these, optional
        None tests all columns together; else each of these columns by itself, given the others.
        Places, or names of the columns of a frame; of a categorical column its levels, by their
        names, as "carrier[AA]".
    n : int >= 1, default 1000
        Number of permutations of each test; the smallest p-value is 1 / (n + 1).
    groups : array-like of shape (n_samples,), optional
        Labels of strata: rows are exchanged within each only.
    random_state : None, int, numpy.random.Generator, SeedSequence or RandomState, optional
        The seed. Each permutation has a stream of its own, the same for all columns.
    C, l2_reg, penalty_factor, tol
        As for `fit`. With a penalty the statistic is of the penalised likelihood, and separable
        classes have one.
    categories, interactions
        How categorical columns of a frame are coded, as in `fit`.
    n_threads : int, optional
        Number of threads; None takes what the process may use. The result has the same bits
        for every number.
    callback : callable, optional
        Called about every 50 ms, and at the end of each test, with a `Progress` whose `n_done` and
        `n_fits` count permutations; returning True ends the call.
    time_limit : float > 0, optional
        Seconds after which permutations that are not fitted get the status NOT_FITTED.

    Returns
    -------
    PermutationResult
        Statistic and p-value of each test, and the statistics of all permutations.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type, shape or value, or the data have no optimum: before any
        permutation.
    KeyboardInterrupt
        After Ctrl-C; its ``result`` attribute is a `PermutationResult` with the permutations that
        are fitted (there is none while the data themselves are fitted).

    References
    ----------
    Potter (2005), Statistics in Medicine 24, 693-708; Phipson and Smyth (2010), Statistical
    Applications in Genetics and Molecular Biology 9, for the 1 that is added to both counts.
    """
    began = time.perf_counter()
    n = check_whole("n", n, low=1)
    tol = check_number("tol", tol, low=0.0)
    tell, clock = check_callback(callback), Clock(began, check_time_limit(time_limit))
    threads.thread_count(n_threads)
    seed = check_random_state(random_state)
    coding = check_category_options(
        categories, "error", interactions, has_penalty=C is not None or l2_reg is not None
    )
    given = Given(X, y, None, None, l2_reg, penalty_factor, clock=clock, categories=coding)
    data = look_in_memory(given, "permutation")
    check_finite(data, n_threads)
    data = dense_where_small(data)
    check_two_classes(data, "permutation")
    strength, by_weight = strength_of(C, data)
    tested = _columns(columns, data)
    starts, data = _blocks(groups, data)
    asked = Asked(strength, by_weight, None, tol)
    tests = _Tests(data, asked, tested, starts, seed, n, n_threads, clock, tell)
    try:
        tests.run()
    except KeyboardInterrupt as interrupt:
        interrupt.result = tests.result(began)  # type: ignore[attr-defined]
        raise
    return tests.result(began)


# ------------------------------------------------------------------------------------------------
# What is asked


def _columns(columns: ArrayLike, data: Data) -> list[int]:
    """Return the places of the columns to test; none for all together."""
    n_features, names = data.rows.X.shape[1], data.rows.text_names
    if columns is None:
        return []
    if isinstance(columns, str) and columns == EACH and EACH not in (names or []):
        return list(range(n_features))
    if isinstance(columns, np.ndarray) and columns.ndim == 0:
        columns = columns.item()
    several = isinstance(columns, Iterable) and not isinstance(columns, str | bytes)
    wanted = list(columns) if several else [columns]  # type: ignore[call-overload]
    found = [_place(each, n_features, names) for each in wanted]
    if not found:
        raise ValueError("columns is empty; None tests all columns together")
    if len(set(found)) < len(found):
        raise ValueError(f"columns names a column twice: {columns!r}")
    return found


def _place(column: object, n_features: int, names: list[str] | None) -> int:
    if isinstance(column, str):
        if names is None:
            raise ValueError(
                f"columns names {column!r}, but X has no names; give places, {EACH!r} or None"
            )
        if column not in names:
            raise ValueError(f"X has no column {column!r}; it has {', '.join(names[:10])}")
        return names.index(column)
    if isinstance(column, bool | np.bool_) or not isinstance(column, int | np.integer):
        raise TypeError(
            f"columns must be None, {EACH!r}, or places or names of columns, got {column!r} "
            f"({type(column).__name__})"
        )
    if not -n_features <= column < n_features:
        raise ValueError(f"columns has {column}, but X has {n_features} columns")
    return int(column) % n_features


def _blocks(groups: ArrayLike, data: Data) -> tuple[Integers, Data]:
    """Return where blocks of exchangeable rows begin and end, and the rows in their order."""
    n_samples = len(data.codes)
    if groups is None:
        return np.array([0, n_samples]), as_plain(data)
    codes = encode_groups(groups, n_samples).codes
    counts = np.bincount(codes)
    if counts.max() < 2:
        raise ValueError(
            "each row has a group of its own, and rows are exchanged within groups only"
        )
    order: Indices = np.argsort(codes, kind="stable")
    return np.concatenate([[0], np.cumsum(counts)]), as_plain(data, order)


# ------------------------------------------------------------------------------------------------
# One test


class _Test(NamedTuple):
    """Fits of one test: the rows, the parameter whose column is permuted (-1: the labels)."""

    refits: Refits | SparseRefits
    column: int
    # Of the data: log-likelihoods, penalties included, without and with what is tested.
    without: float
    full: float
    is_small: bool


class _Tests:
    """All tests: what is asked, and what is found so far."""

    def __init__(
        self, data: Data, asked: Asked, tested: list[int], starts: Integers,
        seed: np.random.SeedSequence, n: int, n_threads: int | None, clock: Clock,
        tell: Callback | None,
    ) -> None:  # fmt: skip
        self.data, self.asked, self.tested, self.starts = data, asked, tested, starts
        self.n, self.n_threads = n, n_threads
        self.clock, self.tell = clock, tell
        X, self.n_samples = data.rows.X, len(data.codes)
        self.uniform = UniformStreams(seed, self.n_samples)
        assert isinstance(X, np.ndarray | CompressedRows)
        self.X: AnyRows = X  # type: ignore[assignment]  # float64, of `as_plain`
        n_tests = max(len(tested), 1)
        self.statistic = np.full(n_tests, np.nan)
        self.replicates = np.full((n_tests, n), np.nan)
        self.status = np.full((n_tests, n), statuses.NOT_FITTED, dtype=np.int8)
        self.ended_by, self.n_done = "", 0
        self.estimate = self._fit(data, asked)

    def run(self) -> None:
        """Do one test after the other."""
        for place, column in enumerate(self.tested or [-1]):
            # A fit of the data that time has ended is no test.
            test = None if self.clock.is_late() else self._test_of(column)
            if test is None or self.clock.is_late():
                self.ended_by = "time_limit"
                return
            self._run_test(place, test)
            if self.ended_by:
                return

    def _test_of(self, column: int) -> _Test | int:
        return self._labels() if column < 0 else self._column(column)

    def _fit(self, data: Data, asked: Asked) -> FitResult:
        """Fit rows of the data; raise where they have no optimum, or none that can be told."""
        return fit_whole(data, asked, self.n_threads, self.clock, "permutation", needs_proof=True)

    def _run_test(self, place: int, test: _Test | int) -> None:
        if isinstance(test, int):
            self.status[place], self.statistic[place], self.replicates[place] = test, 0.0, 0.0
            self.n_done += self.n
            return
        self.statistic[place] = 2.0 * (test.full - test.without)
        models = found_models(self.n, test.refits.X.shape[1])
        try:
            self._fit_all(test, models, place)
        finally:
            status = np.where(models.status == statuses.GENERAL, statuses.NOT_FITTED, models.status)
            self.status[place] = status
            fitted = -self.n_samples * models.cost
            self.replicates[place] = 2.0 * (fitted - test.without)
            self.n_done += self.n

    def _fit_all(self, test: _Test, models: kernels.Replicates, place: int) -> None:
        """Fit all permutations of a test: in chunks, and what is left one after the other."""
        refits = test.refits
        tell = teller(self.tell, lambda: self._progress(models))
        if isinstance(refits, Refits) and refits.is_ready and test.is_small:
            cost = NUMBER_NS * self.n_samples * (refits.X.shape[1] + BESIDE)
            size = int(np.clip(CHUNK_NS / cost, 1, 256))

            def fit_chunk(chunk: range, room: kernels.Room) -> None:
                uniform = self.uniform.some(chunk)
                kernels.fit_permuted.serial(
                    refits.base, uniform, self.starts, test.column, chunk.start, room, models
                )
                for draw in chunk:
                    if models.status[draw] == statuses.GENERAL:
                        put(self._again(test, draw, False), models, draw)

            chunks = [range(k, min(k + size, self.n)) for k in range(0, self.n, size)]
            crew = Crew(chunks, fit_chunk, refits.room, self.clock, tell)
            crew.run(threads.thread_count(self.n_threads))
            self.ended_by = crew.ended_by
        else:
            models.status[:] = statuses.GENERAL
        if not (models.status >= statuses.NOT_FITTED).any():
            if place + 1 == len(self.statistic):
                self.ended_by = ""  # all is done: it is too late to end anything
        elif not self.ended_by:
            self._fit_the_rest(test, models, tell)

    def _fit_the_rest(
        self, test: _Test, models: kernels.Replicates, tell: Callable[[], object] | None
    ) -> None:
        for draw in np.flatnonzero(models.status == statuses.GENERAL).tolist():
            if self.clock.is_late():
                self.ended_by = "time_limit"
                return
            put(self._again(test, draw, True), models, draw)
            if tell is not None and tell():
                self.ended_by = "callback"
                return

    def _again(self, test: _Test, draw: int, in_general: bool) -> Found:
        """Fit one permutation from nothing."""
        places = shuffled(self.uniform.one(draw), self.starts)
        refits = test.refits
        if test.column < 0:
            codes: Codes = refits.data.codes[places]
            return refits.again(NO_NUMBERS, codes=codes, in_general=in_general)
        moved = last_moved(refits.X, places)  # type: ignore[arg-type]  # what is tested is last
        return refits.again(NO_NUMBERS, X=moved, in_general=in_general)  # type: ignore[arg-type]

    # --------------------------------------------------------------------------------------------
    # The fits of the data

    def _labels(self) -> _Test:
        """Return the test of all columns: without them each label has the same probability."""
        share = float(self.data.codes.mean())
        start = np.append(np.zeros(self.X.shape[1]), np.log(share / (1.0 - share)))
        refits = self._refits(self.data, self.asked, start)
        full = -self.n_samples * float(self.estimate.history[-1])
        return _Test(refits, -1, _likelihood(share, self.n_samples), full, self._is_small())

    def _column(self, column: int) -> _Test | int:
        """Return the test of a column given the others; its status where it adds nothing to them.

        The residual takes its place, last among the columns.
        """
        others, own = without(self.X, column), column_of(self.X, column)
        residual = residual_of(own, others)
        left, spread = float(np.abs(residual).max()), float(np.ptp(own))
        if not spread > DEPENDENT * float(np.abs(own).max()):
            return statuses.CONSTANT_COLUMN
        if not left > DEPENDENT * spread:
            return statuses.COLLINEAR
        strength = self.asked.l2_reg
        fewer = self.asked._replace(l2_reg=np.delete(strength, column))
        asked = self.asked._replace(l2_reg=np.append(fewer.l2_reg, strength[column]))
        data = self._with(beside(others, residual))
        start = np.zeros(self.X.shape[1] + 1)
        if others.shape[1]:
            fit = self._fit(self._with(others), fewer)
            likelihood = -self.n_samples * float(fit.history[-1])
            start[:-2], start[-1] = fit.coef, fit.intercept
        else:
            share = float(self.data.codes.mean())
            likelihood = _likelihood(share, self.n_samples)
            start[-1] = np.log(share / (1.0 - share))
        fit = self._fit(data, asked)
        full = -self.n_samples * float(fit.history[-1])
        refits = self._refits(data, asked, start)
        # The intercept is the last parameter; to the kernel columns that do not vary are none.
        last = refits.base.size - 2 if isinstance(refits, Refits) else self.X.shape[1] - 1
        return _Test(refits, max(last, 0), likelihood, full, self._is_small())

    def _with(self, X: AnyRows | AnyColumns) -> Data:
        """Return the data with other columns."""
        if isinstance(X, np.ndarray):
            X = np.ascontiguousarray(X)
        rows = self.data.rows._replace(X=X, carrier=X, names=None, text_names=None, categories=None)
        return self.data._replace(rows=rows, penalty_factor=None, l2_reg=None)

    def _refits(self, data: Data, asked: Asked, start: Vector) -> Refits | SparseRefits:
        if not isinstance(data.rows.X, np.ndarray):
            return SparseRefits(data, asked, start, self.n_threads, self.clock)
        of_row = np.arange(self.n_samples, dtype=np.int32)
        return Refits(data, asked, start, of_row, self.n_threads, self.clock)

    def _is_small(self) -> bool:
        return self.n_samples * (self.X.shape[1] + BESIDE) <= MOST_NUMBERS

    # --------------------------------------------------------------------------------------------
    # What is told

    def _progress(self, models: kernels.Replicates) -> Progress:
        done = self.n_done + int((models.status < statuses.NOT_FITTED).sum())
        cost, seconds = float(self.estimate.history[-1]), time.perf_counter() - self.clock.began
        estimate = self.estimate.coef, self.estimate.intercept
        return Progress(done, cost, seconds, lambda: estimate, done, self.status.size)

    def result(self, began: float) -> PermutationResult:
        """Return what is found, at the end or before."""
        names = self.data.rows.text_names or [str(j) for j in range(self.X.shape[1])]
        status, replicates = self.status, self.replicates
        adds_nothing = (status == statuses.COLLINEAR) | (status == statuses.CONSTANT_COLUMN)
        fitted = (status == statuses.CONVERGED) | adds_nothing
        replicates = np.where(fitted, replicates, np.nan)
        done = (status != statuses.NOT_FITTED).sum(axis=1)
        # Equal statistics count as large, and each is known to within what is proven.
        cost = self.n_samples * float(self.estimate.history[-1])
        slack = 4.0 * (cost + np.abs(self.statistic)) * (self.asked.tol + ROUNDING)
        large = ~(replicates < (self.statistic - slack)[:, None]) & (status != statuses.NOT_FITTED)
        p_value = (1.0 + large.sum(axis=1)) / (1.0 + done)
        return PermutationResult(
            tested=[names[column] for column in self.tested] or [ALL],
            statistic=self.statistic,
            p_value=np.where(np.isnan(self.statistic), np.nan, p_value),
            replicates=replicates,
            status=status,
            estimate=self.estimate,
            n_samples=self.n_samples,
            ended_by=self.ended_by,
            seconds=time.perf_counter() - began,
        )


# ------------------------------------------------------------------------------------------------
# Arrays


def shuffled(uniform: Vector, starts: Integers) -> Indices:
    """Return the permutation that `kernels.resampling` makes of the same numbers."""
    places = np.arange(len(uniform))
    for begin, end in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True):
        for row in range(end - 1, begin, -1):
            other = begin + int(uniform[row] * (row - begin + 1))
            places[[row, other]] = places[[other, row]]
    return places


def _likelihood(share: float, n_samples: int) -> float:
    """Return the log-likelihood of rows that all have the same probability."""
    return n_samples * (share * np.log(share) + (1.0 - share) * np.log1p(-share))
