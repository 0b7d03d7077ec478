"""Small binomial problems: the whole fit in one compiled call, see `kernels.small`.

Between the general way and this one lies Python: some milliseconds, whatever the size of X.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import NamedTuple, TypeGuard

import numpy as np

from .. import threads
from ..arrays import Codes, Features, Floats, Integers, Mask, Matrix, Vector
from ..design.base import readonly
from ..inputs.given import Data
from ..inputs.validation import NO_NUMBERS
from ..kernels import small
from ..objective.penalties import Penalty
from ..result import Callback, FitResult, Progress
from ..solvers.stopping import stated_of_one
from ..solvers.trace import Limits, Reason
from .messages import ended_message
from .problem import Strengths, check_intercept, l2_reg_of

__all__ = ["BESIDE", "MOST_ITERATIONS", "fit_small", "is_plain", "suits", "within_limits"]

# The copy of X and what is beside it has so many numbers at the most, 8 MB: it is no burden, and
# what one thread does with it from the cache two do not sooner from memory. A Hessian is so many
# products at the most, and the kernel compiled to be called with few columns. The general way takes
# 5.2 times as long at 2,000 x 20, 3.7 at 10,000 x 10, 2.9 at 20,000 x 15, 2.5 at 10,000 x 30, 2.2
# at 5,000 x 50, 2.1 at 50,000 x 10, 1.2 at 15,000 x 60; for ten classes against all others 3.8 at
# 5,000 x 10 (medians, 2 cores; `python -m benchmarks.small --even` has more shapes).
MOST_NUMBERS, MOST_COLUMNS, MOST_PRODUCTS = 1_000_000, 60, 2e7
# Columns of numbers that the kernel works with beside those of X.
BESIDE = 10
# What takes more iterations is odd enough for the general way.
MOST_ITERATIONS = 100
# The kernel hears no clock: with less time than this the general way ends sooner.
SHORTEST_LIMIT = 0.1
SOLVERS = ("auto", "newton")
CHOICE = "newton (one compiled call, for small data)"


class _Fits(NamedTuple):
    """How the fits of all models ended, the costs of their iterations, (n_models, n_features)."""

    ends: list[small.SmallFit]
    costs: list[Vector]
    coef: Matrix

    @property
    def n_iter(self) -> int:
        return max(end.n_iter for end in self.ends)

    @property
    def bounds(self) -> Vector:
        """What the costs of the models lack as float64 numbers, at most."""
        return np.array([stated_of_one(end.bound) for end in self.ends])

    def coef_intercept(self, is_binary: bool) -> tuple[Floats, float | Vector]:
        """Return both in the shapes of a `FitResult`: arrays of their own."""
        if is_binary:
            return self.coef[0].copy(), float(self.ends[0].intercept)
        return np.ascontiguousarray(self.coef.T), np.array([end.intercept for end in self.ends])


def within_limits(n_samples: Integers | int, n_features: int) -> Mask | bool:
    """Say of rows (one number or several), all models counted, whether they are small enough."""
    numbers, products = n_samples * (n_features + BESIDE), n_samples * n_features**2
    is_narrow = n_features <= MOST_COLUMNS
    return (numbers <= MOST_NUMBERS) & (products <= MOST_PRODUCTS) & is_narrow


def suits(data: Data, multi_class: str, solver: str, limits: Limits) -> bool:
    """Say whether a fit of the logistic loss under L2 is one for the small kernel."""
    X = data.rows.X
    if type(X) is not np.ndarray or solver not in SOLVERS:
        return False
    n_samples, n_features = X.shape
    n_models = 1 if data.classes.size == 2 else data.classes.size
    return (
        bool(within_limits(n_samples * n_models, n_features))
        and (n_models == 1 or multi_class == "ovr")
        and limits.max_iter > 0
        and (limits.time_limit is None or limits.time_limit >= SHORTEST_LIMIT)
    )


def fit_small(
    data: Data, strengths: Strengths, multi_class: str, intercept: object, n_threads: int | None,
    limits: Limits, began: float,
) -> FitResult | None:  # fmt: skip
    """Fit what `suits`; None where something is odd enough for the general way.

    That is whatever does not end with a proof: it also finds the words for it. Ctrl-C is answered
    when the fit is done.
    """
    threads.thread_count(n_threads)
    fixed = check_intercept(intercept)
    n_samples, n_features = data.rows.X.shape
    strength = l2_reg_of(strengths, data, n_samples, n_features)
    assert not isinstance(strength, Penalty)
    is_binary = data.classes.size == 2
    n_models = 1 if is_binary else data.classes.size
    l2_reg = np.empty((n_models, n_features))
    l2_reg[...] = strength
    several = np.ndim(strength) == 2 and not is_binary
    shown = np.ascontiguousarray(l2_reg.T) if several else l2_reg[0].copy()

    def fits(max_iter: int, to_the_end: bool = True) -> _Fits | None:
        return _fit_models(data, l2_reg, fixed, limits.tol, max_iter, to_the_end)

    most = min(limits.max_iter, MOST_ITERATIONS)
    reason = Reason.CONVERGED
    try:
        found = fits(most)
        if found is not None and limits.callback is not None:
            reason, found = _tell(limits.callback, fits, found, is_binary, began)
    except KeyboardInterrupt:
        reason, found = Reason.INTERRUPTED, fits(most)
    if found is None:
        if reason == Reason.INTERRUPTED:
            raise KeyboardInterrupt
        return None
    result = _result(data, found, reason, multi_class, limits, began, fixed is None, shown)
    if reason == Reason.INTERRUPTED:
        interrupt = KeyboardInterrupt(result.message)
        interrupt.result = result  # type: ignore[attr-defined]
        raise interrupt
    return result


def _fit_models(
    data: Data, l2_reg: Matrix, fixed: float | None, tol: float, max_iter: int, to_the_end: bool
) -> _Fits | None:
    """Fit each model; None unless all are proven, or `to_the_end` is false and some go on."""
    assert isinstance(data.rows.X, np.ndarray)
    given = data.rows.X
    X = given if is_plain(given) else np.array(given, dtype=np.float64, order="C")
    n_models, n_features = l2_reg.shape
    work = np.empty(small.small_work_size.serial(*X.shape))
    history = np.empty(max_iter + 1)
    found = _Fits([], [], np.empty((n_models, n_features)))
    for model in range(n_models):
        targets = _targets(data.codes, None if n_models == 1 else model)
        weights, offset = _of_model(data.weights, model), _of_model(data.offset, model)
        end = small.fit_small.serial(
            X, targets, 1, weights, offset, l2_reg[model],
            0.0 if fixed is None else fixed, fixed is None, _start_of(data.start, model),
            tol, max_iter, work, history, found.coef[model],
        )  # fmt: skip
        if end.status != small.CONVERGED and (to_the_end or end.status != small.MAX_ITER):
            return None
        found.ends.append(end)
        found.costs.append(history[: end.n_iter + 1].copy())
    return found


def _tell(
    callback: Callback, fits: Callable[[int, bool], _Fits | None], whole: _Fits, is_binary: bool,
    began: float,
) -> tuple[Reason, _Fits]:  # fmt: skip
    """Tell of each iteration by the same fit that ends there: it takes microseconds.

    Watching a fit changes no bit of it. Returns why it ended, and where.
    """
    for n_iter in range(1, whole.n_iter + 1):
        found = whole if n_iter == whole.n_iter else fits(n_iter, False)
        assert found is not None
        cost = float(np.mean([own[-1] for own in found.costs]))
        resting = sum(end.n_iter < n_iter for end in whole.ends)
        progress = Progress(
            n_iter, cost, time.perf_counter() - began,
            partial(found.coef_intercept, is_binary), resting, len(whole.ends),
        )  # fmt: skip
        if callback(progress) is True and found is not whole:
            return Reason.CALLBACK, found
    return Reason.CONVERGED, whole


def is_plain(X: Features) -> TypeGuard[Matrix]:
    """Say whether rows are the one kind of array for which the kernels are compiled."""
    return X.dtype == np.float64 and X.flags.carray


def _targets(codes: Codes, model: int | None) -> Codes:
    """Return 1 where a row is of the model's class, else 0; codes of two classes are that."""
    if model is None:
        return codes
    return readonly((codes == model).view(np.uint8))


def _of_model(given: Floats, model: int) -> Vector:
    """Return the weights or offsets of one model; empty for none."""
    return given if given.ndim == 1 and given.size else given[model] if given.size else NO_NUMBERS


def _start_of(start: tuple[Matrix, Vector] | None, model: int) -> Vector:
    """Return coefficients and intercept to begin with, (n_features + 1,); empty for none."""
    if start is None:
        return NO_NUMBERS
    return readonly(np.append(start[0][model], start[1][model]))


def _result(
    data: Data, found: _Fits, reason: Reason, multi_class: str, limits: Limits, began: float,
    fit_intercept: bool, l2_reg: Floats,
) -> FitResult:  # fmt: skip
    """Return what the fits of all models come to."""
    is_binary, n_models, n_iter = data.classes.size == 2, len(found.ends), found.n_iter
    bound = found.bounds
    bounds = np.full((n_iter + 1, n_models), np.inf)
    history = found.costs[0][:, None] if n_models == 1 else np.empty((n_iter + 1, n_models))
    # A model that has ended stays where it is while others go on.
    for model, (end, costs) in enumerate(zip(found.ends, found.costs, strict=True)):
        history[: end.n_iter, model], history[end.n_iter :, model] = costs[:-1], costs[-1]
        bounds[end.n_iter :, model] = bound[model]
    # Centre and scale, the start, and then each iteration takes about as much as any other.
    sums = sum(end.n_evaluations + end.n_hessians for end in found.ends)
    share = np.arange(n_iter + 1.0) / max(n_iter, 1)
    passes = 3.0 * n_models + (sums - n_models) * share
    coef, intercept = found.coef_intercept(is_binary)
    seconds = time.perf_counter() - began
    return FitResult(
        coef=coef,
        intercept=intercept,
        classes=data.classes,
        n_iter=n_iter,
        n_passes=float(passes[-1]),
        converged=reason == Reason.CONVERGED,
        message=ended_message(reason, n_iter, CHOICE, float(bound.max()), limits.tol),
        history=history[:, 0] if is_binary else history,
        gradient_norm=float(max(end.gradient_norm for end in found.ends)),
        suboptimality=float(bound[0]) if is_binary else bound,
        seconds=seconds,
        solver="newton",
        multi_class=multi_class,
        l2_reg=l2_reg,
        fit_intercept=fit_intercept,
        passes=passes,
        times=seconds * share,
        bounds=bounds[:, 0] if is_binary else bounds,
        feature_names=data.rows.text_names,
    )
