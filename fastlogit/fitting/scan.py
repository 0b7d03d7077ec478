"""`scan`: a logistic regression on covariates and one further column, for each of many columns."""

from __future__ import annotations

import math
import time
import warnings
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from .. import threads
from ..arrays import ArrayLike, Indices, Integers, Matrix, Vector
from ..clock import Clock
from ..design.base import readonly
from ..design.compressed import CompressedRows
from ..errors import SeparationWarning
from ..inputs.given import Data, Given
from ..inputs.scan import Columns, look_at_columns
from ..kernels import scan as kernels
from ..kernels import scan_firth
from ..kernels.scan_panel import COLUMNS
from ..kernels.scan_rows import HARD_STEPS
from ..kernels.small import binomial
from ..options import CategoryOptions
from ..result import Callback, FitResult, Progress
from .chunks import Crew
from .fit import fit
from .in_memory import check_finite, check_table, check_two_classes, look_in_memory, teller
from .problem import check_callback, check_time_limit, moderate_weights
from .scan_result import ScanResult

__all__ = ["scan"]

FIRTH = {False: kernels.NEVER, "fallback": kernels.FALLBACK, True: kernels.ALWAYS}
# A piece of work has so many columns at the most, and so many numbers: a few milliseconds.
MOST_COLUMNS, PIECE = 64, 160_000
# Rows from which four columns at a time are quicker than one after the other: of 300 rows few
# columns are done with one step of a panel, and the pass is lost (8 covariates, genotypes: at 300
# rows 0.9 times as quick, 1,000 as quick, 2,000 1.2, 4,000 1.4 times).
PANEL_ROWS = 1_000
# What the covariates before it leave of a column in the root of its square, for it to be one more.
INDEPENDENT = 1e-6
# Times that the null is refined and its basis made; from nothing, as Firth's, to begin with.
ROUNDS, FIRTH_ROUNDS = 2, 20
# Firth's is refined until raw predictions change by no more: from there one step more leaves 1e-10.
SETTLED = 1e-7


def scan(
    X: ArrayLike,
    columns: ArrayLike,
    y: ArrayLike,
    *,
    firth: bool | str = False,
    missing: float | None = None,
    sample_weight: ArrayLike = None,
    offset: ArrayLike = None,
    n_threads: int | None = None,
    callback: Callback | None = None,
    time_limit: float | None = None,
) -> ScanResult:
    """Fit y on the covariates X and one further column, for each column: tests of many columns.

    The same as a loop over ``fit([X, column], y)`` by maximum likelihood, in one call: what the
    covariates share is done once, and a column takes a few passes over its rows. A column that
    cannot be fitted gets a status that says why, and stops no other.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_covariates), or None
        The covariates of every regression: real numbers, finite, in memory. An intercept is added;
        None is the intercept alone. Sparse ones, and the levels of categorical columns but for the
        first of each, are made an array, as an orthonormal basis of all is anyway.
    columns : array-like of shape (n_samples, n_columns)
        The columns, one for each regression: an array or `numpy.memmap` of numbers or booleans in
        any layout (columns that lie together are read fastest), a SciPy sparse matrix, a frame.
        Read block by block and never copied whole (a CSR matrix is turned to CSC first). NaN is a
        missing value: its row is left out of that regression.
    y : array-like of shape (n_samples,)
        Labels of two classes.
    firth : False, True or "fallback", default False
        Whether to maximise Firth's (1993) penalised likelihood, which always has an optimum:
        never, for all columns, or for those of which the likelihood has none.
    missing : float, optional
        A number that stands for a missing value too, as -9 or -127 of genotypes.
    sample_weight : array-like of shape (n_samples,), optional
        Weights >= 0 of the rows: 2 is the row twice, 0 the row absent.
    offset : array-like of shape (n_samples,), optional
        Fixed part of the raw predictions.
    n_threads : int, optional
        Number of threads; None takes what the process may use. The result has the same bits
        for every number.
    callback : callable, optional
        Called about every 50 ms with a `Progress` whose `n_done` and `n_fits` count columns;
        returning True ends the scan.
    time_limit : float > 0, optional
        Seconds after which columns that are not fitted get the status NOT_FITTED.

    Returns
    -------
    ScanResult

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type, shape or value, or the covariates alone separate the
        classes (and `firth` is not True): before any column is fitted.
    KeyboardInterrupt
        After Ctrl-C; its ``result`` attribute is a `ScanResult` with the columns that are fitted.

    Warns
    -----
    UserWarning
        If whole numbers are 0, 1, 2 and -9 or -127, a code of missing genotypes, and `missing` is
        not given.

    See Also
    --------
    fit : One fit, of more columns at once.
    fit_groups : A regression for each group of rows.

    Notes
    -----
    Coefficients are within 1e-7 standard errors of the optimum, standard errors right to about
    1e-7 of themselves (Firth's: 3e-7). "Many small fits" in the documentation says why.
    """
    began = time.perf_counter()
    is_flag = isinstance(firth, bool | np.bool_)
    is_known = is_flag or (isinstance(firth, str) and firth in FIRTH)
    if not is_known:
        raise ValueError(f'firth must be False, True or "fallback", got {firth!r}')
    tell = check_callback(callback)
    clock = Clock(began, check_time_limit(time_limit))
    threads.thread_count(n_threads)
    if X is None:
        looked = look_at_columns(columns, None, missing)
        X = np.zeros((looked.shape[0], 1))
        data = _look(Given(X, y, sample_weight, offset, clock=clock))
    else:
        data = _look(Given(X, y, sample_weight, offset, clock=clock))
        looked = look_at_columns(columns, data.rows.X.shape[0], missing)
    check_finite(data, n_threads)
    fitted, has_optimum = _fit_null(data, n_threads)
    if not has_optimum and not (is_flag and firth):
        raise ValueError(
            "the covariates alone separate the classes, so that no column can add to them: "
            f"{fitted.message.partition('. ')[0]}; leave those columns out, or set firth=True"
        )
    fits = _Scan(
        data,
        looked,
        fitted,
        has_optimum,
        FIRTH[bool(firth) if is_flag else firth],
        n_threads,
        clock,
        tell,
    )
    try:
        fits.run()
    except KeyboardInterrupt as interrupt:
        interrupt.result = fits.result(began)  # type: ignore[attr-defined]
        raise
    if looked.untold is not None:
        warnings.warn(looked.untold, UserWarning, stacklevel=2)
    return fits.result(began)


# ------------------------------------------------------------------------------------------------
# The covariates


def _look(given: Given) -> Data:
    """Check covariates, labels, weights and offset."""
    data = look_in_memory(given._replace(categories=CategoryOptions("reference")), "scan")
    check_two_classes(data, "scan")
    X = data.rows.X
    if not isinstance(X, CompressedRows):
        return data
    n_samples, n_columns = X.shape
    check_table(f"covariates of {n_samples:,} rows x {n_columns:,} columns", n_samples * n_columns)
    dense = X.dense()
    return data._replace(rows=data.rows._replace(X=dense, carrier=dense))


def _fit_null(data: Data, n_threads: int | None) -> tuple[FitResult, bool]:
    """Fit the covariates alone; say whether they have an optimum."""
    used = data.codes[data.weights > 0.0] if data.weights.size else data.codes
    if not used.size or np.ptp(used) == 0:
        raise ValueError(
            "the rows of positive weight are of one class, so that no column can tell classes apart"
        )
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        found = fit(data, n_threads=n_threads)
    return found, not any(issubclass(each.category, SeparationWarning) for each in said)


def _shared(data: Data, fitted: FitResult | None, rows: Indices | None) -> kernels.Null:
    """Refine the null, and make the basis in which its Hessian is the identity.

    Where the covariates have no optimum, and so no fit, the null is Firth's.
    """
    X = np.asarray(data.rows.X, dtype=np.float64)
    codes, weights, offset = data.codes, data.weights, data.offset
    if rows is not None:
        X, codes, weights = X[rows], codes[rows], weights[rows]
        offset = offset[rows] if offset.size else offset
    moderate, power = moderate_weights(weights)
    unit = float(np.ldexp(1.0, -int(np.ravel(power)[0])))
    raw = offset.copy() if offset.size else np.zeros(len(X))
    if fitted is not None:
        # From the first row on: far from 0 products of X itself are rounded by more than the basis,
        # which takes the intercept along, can put right.
        level = float(fitted.intercept) + float(X[0] @ fitted.coef) if fitted.fit_intercept else 0.0
        first = X[0] if fitted.fit_intercept else np.zeros(X.shape[1])
        raw += np.einsum("ij,j->i", X - first, fitted.coef) + level
    w = moderate if moderate.size else np.ones(len(raw))
    weight = float(w.sum())
    for _ in range(FIRTH_ROUNDS if fitted is None else ROUNDS):
        residual, curvature, _ = _at(raw, codes, w)
        basis = _basis_of(X, curvature, weight)
        if fitted is None:  # rows count half more for each class, by their leverages
            leverage = np.einsum("ki,ki,i->i", basis, basis, curvature) / weight
            residual = residual + unit * leverage * 0.5 * np.tanh(0.5 * raw)
        step = np.einsum("ki,i->k", basis, residual) / weight
        change = np.einsum("k,ki->i", step, basis)
        raw = raw - change / max(1.0, 0.5 * float(np.abs(change).max()))
    residual, curvature, cost = _at(raw, codes, w)
    return kernels.Null(
        readonly(basis), readonly(codes.astype(np.uint8)), readonly(moderate), readonly(raw),
        readonly(np.exp(-np.abs(raw))),
        readonly(residual), readonly(curvature), weight, unit, cost / weight,
        float(np.einsum("ki,ki->i", basis, basis).max()), float(np.abs(raw).max()),
        moderate.size == 0 and len(raw) >= PANEL_ROWS,
    )  # fmt: skip


def _with_penalty(data: Data, null: kernels.Null) -> tuple[kernels.Null, scan_firth.Penalty]:
    """Return Firth's fit of the covariates, from that of maximum likelihood, and its penalty.

    Rows have no weights.
    """
    X, n = np.asarray(data.rows.X, dtype=np.float64), null.weight
    raw, basis, w, most = null.raw, null.basis, np.ones(len(null.raw)), math.inf
    for round_ in range(FIRTH_ROUNDS):
        residual, curvature, cost = _at(raw, null.codes, w)
        if round_ > 0:
            basis = _basis_of(X, curvature, n)
        squares = np.einsum("ki,ki->i", basis, basis)
        pull = squares * curvature / n * (0.5 * np.tanh(0.5 * raw))
        if most <= SETTLED:
            break
        step = np.einsum("ki,i->k", basis, residual + pull) / n
        change = np.einsum("k,ki->i", step, basis)
        most = float(np.abs(change).max())
        raw = raw - change / max(1.0, 0.5 * most)
    tail = np.exp(-np.abs(raw))
    fitted = null._replace(
        basis=readonly(basis), raw=readonly(raw), tail=readonly(tail), residual=readonly(residual),
        curvature=readonly(curvature), cost=cost / n, reach=float(squares.max()),
        far=float(np.abs(raw).max()),
    )  # fmt: skip
    third = curvature * -np.tanh(0.5 * raw)
    wide = curvature * (1.0 - 6.0 * curvature) * squares
    inverse = _inverse_with_penalty(basis, third, wide)
    return fitted, scan_firth.Penalty(readonly(pull), readonly(wide), readonly(inverse))


def _inverse_with_penalty(basis: Matrix, third: Vector, wide: Vector) -> Matrix:
    """Return the inverse Hessian of Firth's likelihood, that of the likelihood being the identity.

    The penalty's has squares of third derivatives: of the log-determinant the second derivative is
    tr(M^-1 d^2 M) - tr(M^-1 dM M^-1 dM). It is a few leverages; three terms of the series in it do.
    """
    size, n = basis.shape
    thirds = np.empty((size, size, size))
    for k in range(size):
        for m in range(k, size):
            sums = np.einsum("i,ji->j", third * basis[k] * basis[m], basis[m:]) / n
            for places in ((k, m), (m, k)):
                thirds[places][m:] = sums
                thirds[places[0], m:, places[1]] = sums
            thirds[m:, k, m], thirds[m:, m, k] = sums, sums
    bends = np.einsum("i,ki,mi->km", wide, basis, basis) / n
    bends -= np.einsum("kab,mab->km", thirds, thirds)
    extra = -0.5 / n * bends
    return np.eye(size) - extra + np.einsum("ka,am->km", extra, extra)


def _at(raw: Vector, codes: Integers, weights: Vector) -> tuple[Vector, Vector, float]:
    """Return weighted residuals and curvatures, and the sum of losses."""
    tail = np.exp(-np.abs(raw))
    wrong = (codes == 1) != (raw >= 0.0)
    share = np.where(wrong, 1.0, tail) / (1.0 + tail)
    losses = np.log1p(tail) + np.where(wrong, np.abs(raw), 0.0)
    residual = weights * np.where(codes == 1, -share, share)
    curvature = weights * tail / (1.0 + tail) ** 2
    return residual, curvature, float(np.einsum("i,i->", weights, losses))


def _basis_of(X: Matrix, curvature: Vector, weight: float) -> Matrix:
    """Return an orthonormal basis, (n_basis, n_samples), of the columns and the constant.

    By Gram and Schmidt, twice, in the inner product of the curvatures; sums without BLAS, whose
    bits change with its threads. A column that those before it explain is left out.
    """
    share = curvature / weight
    basis: list[Vector] = []
    for column in [np.ones(len(X)), *X.T]:
        center = column[0] if basis else 0.0
        rest = column - center
        largest = float(np.max(np.abs(rest)))
        if not largest > 1e-13 * abs(center):
            continue
        rest = rest / largest
        before = math.sqrt(np.einsum("i,i,i->", share, rest, rest))
        for _ in range(2):
            weighed = share * rest
            for each in basis:
                rest = rest - np.einsum("i,i->", each, weighed) * each
                weighed = share * rest
        left = math.sqrt(np.einsum("i,i,i->", share, rest, rest))
        if left > INDEPENDENT * before:
            basis.append(rest / left)
    return np.ascontiguousarray(basis)


# ------------------------------------------------------------------------------------------------
# All columns


class _Piece(NamedTuple):
    """Columns that follow each other."""

    first: int
    last: int


class _Rooms:
    """Room to work in, of one thread: made where it is used first."""

    def __init__(self, scan: _Scan) -> None:
        self.shape = scan.null.basis.shape

    @cached_property
    def of_panels(self) -> scan_firth.PenaltyRoom:
        """Return that of Firth's fits of four columns at a time."""
        n_basis, n_rows = self.shape
        size = kernels.scan_work_size.serial(n_rows, n_basis)
        return scan_firth.PenaltyRoom(
            np.empty(size), np.empty(size), np.zeros(1, dtype=np.int64),
            np.empty(scan_firth.firth_work_size.serial(n_rows, n_basis)),
        )  # fmt: skip

    @cached_property
    def single(self) -> kernels.Room:
        """Return that of `kernels.scan_columns`."""
        n_basis, n_rows = self.shape
        size = n_basis + 1
        width = (size + 7) // 8 * 8
        codes, weights = np.empty(n_rows, dtype=np.uint8), np.empty(n_rows)
        offset = np.empty(n_rows)
        return kernels.Room(
            np.empty(kernels.scan_work_size.serial(n_rows, n_basis)), np.zeros(1, dtype=np.int64),
            np.zeros(width * width * 8), np.empty((n_rows, size)), codes, weights, offset,
            readonly(codes), readonly(weights), readonly(offset), np.zeros(size),
            np.empty(HARD_STEPS + 1), np.empty(size),
            np.empty(binomial.small_work_size.serial(n_rows, size)),
            np.empty(kernels.scan_panel_size.serial(n_rows, n_basis)),
        )  # fmt: skip


class _Scan:
    """Regressions of all columns: what is asked, and what is found so far."""

    def __init__(
        self, data: Data, columns: Columns, fitted: FitResult, has_optimum: bool, firth: int,
        n_threads: int | None, clock: Clock, tell: Callback | None,
    ) -> None:  # fmt: skip
        self.data, self.columns, self.fitted, self.firth = data, columns, fitted, firth
        self.n_threads, self.clock, self.tell = n_threads, clock, tell
        weights = data.weights
        has_zeros = weights.size > 0 and not bool((weights > 0.0).all())
        self.rows: Indices | None = np.flatnonzero(weights > 0.0) if has_zeros else None
        # Without an optimum of the covariates there is no score test.
        self.has_optimum = has_optimum
        self.null = _shared(data, fitted if has_optimum else None, self.rows)
        self.penalised: tuple[kernels.Null, scan_firth.Penalty] | None = None
        if firth == kernels.ALWAYS and self.null.by_panels:
            self.penalised = _with_penalty(data, self.null)
        n_columns = columns.shape[1]
        coef, error, wald, score, ratio = (np.full(n_columns, np.nan) for _ in range(5))
        self.found = kernels.Columns(
            np.full(n_columns, kernels.NOT_FITTED, dtype=np.int8),
            np.zeros(n_columns, dtype=np.int64),
            coef, error, wald, score, ratio,
            np.full(n_columns, np.inf),
        )  # fmt: skip
        self.ended_by = ""

    def run(self) -> None:
        """Fit all columns, piece by piece; those that fail get another look."""
        tell = teller(self.tell, self._progress)
        crew = Crew(self._pieces(), self._fit_piece, lambda: _Rooms(self), self.clock, tell)
        crew.run(threads.thread_count(self.n_threads))
        if (self.found.status == kernels.NOT_FITTED).any():
            self.ended_by = crew.ended_by
            return
        if self.firth == kernels.ALWAYS:
            return  # an optimum there is
        for column in np.flatnonzero(self.found.status == kernels.FAILED):
            if self.clock.is_late():
                return
            if self._is_separable(int(column)):
                self.found.status[column] = kernels.SEPARABLE

    def _pieces(self) -> list[_Piece]:
        n_columns = self.columns.shape[1]
        # Whole panels: see `kernels.scan_panel`.
        size = PIECE // self.null.basis.shape[1] // COLUMNS * COLUMNS
        size = min(max(size, COLUMNS), MOST_COLUMNS)
        return [_Piece(first, min(first + size, n_columns)) for first in range(0, n_columns, size)]

    def _fit_piece(self, piece: _Piece, rooms: _Rooms) -> None:
        block = self.columns.read(piece.first, piece.last, self.rows)
        if self.penalised is not None:
            null, penalty = self.penalised
            scan_firth.firth_panels.serial(
                null, self.null, penalty, block.values, block.lows, block.highs, piece.first,
                rooms.of_panels, self.found,
            )  # fmt: skip
            if (self.found.status[piece.first : piece.last] == kernels.FIRTH).all():
                return
        kernels.scan_columns.serial(
            self.null, block.values, block.lows, block.highs, piece.first, self.firth, rooms.single,
            self.found,
        )  # fmt: skip

    def _is_separable(self, column: int) -> bool:
        """Say whether `fit` finds that column and covariates separate the classes."""
        data, values = self.data, self.columns.read(column, column + 1).values[0]
        X = np.column_stack([np.asarray(data.rows.X, dtype=np.float64), values])
        has_value = ~np.isnan(values)
        weights = data.weights[has_value] if data.weights.size else None
        offset = data.offset[has_value] if data.offset.size else None
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            try:
                fit(
                    X[has_value], data.codes[has_value], sample_weight=weights, offset=offset,
                    n_threads=self.n_threads, time_limit=self.clock.left(),
                )  # fmt: skip
            except (ValueError, ArithmeticError):
                return False
        return any(issubclass(each.category, SeparationWarning) for each in said)

    def _progress(self) -> Progress:
        found, fitted = self.found, self.fitted
        n_done = int(np.count_nonzero(found.status != kernels.NOT_FITTED))
        seconds = time.perf_counter() - self.clock.began

        def at() -> tuple[Any, Any]:
            return fitted.coef, fitted.intercept

        return Progress(n_done, self.null.cost, seconds, at, n_done, len(found.status))

    def result(self, began: float) -> ScanResult:
        """Return what is found, at the end or before."""
        found = self.found
        if not self.has_optimum:
            found.score[:] = np.nan
        return ScanResult(
            coef=found.coef, standard_errors=found.error, wald=found.wald, score=found.score,
            likelihood_ratio=found.likelihood_ratio, n_samples=found.n_samples,
            suboptimality=found.bound, status=found.status, null=self.fitted,
            classes=self.data.classes, names=self.columns.names, ended_by=self.ended_by,
            seconds=time.perf_counter() - began,
        )  # fmt: skip
