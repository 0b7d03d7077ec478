"""Small binomial problems: the whole fit in one compiled call, see `kernels.small`.

Between the general way and this one lies Python: some hundred microseconds, whatever the size of X.
"""

from __future__ import annotations

import time
from typing import cast

import numpy as np

from .. import threads
from ..arrays import Codes, Features, Floats, Matrix, Vector
from ..inputs.given import Data
from ..kernels import small
from ..objective.penalties import Penalty
from ..result import FitResult
from ..solvers.trace import Limits
from .messages import converged_message
from .problem import Strengths, check_intercept, l2_reg_of

__all__ = ["fit_small", "suits"]

# Up to this many numbers of the copy of X, and this many columns, the small kernel is the faster:
# `python -m benchmarks.small --even`.
MOST_NUMBERS, MOST_COLUMNS = 200_000, 60
# Columns of numbers that the kernel works with beside those of X.
BESIDE = 10
# Classes against all others whose fits, one after the other, are still faster than all at once.
MOST_MODELS = 10
SOLVERS = ("auto", "newton")
CHOICE = "newton (one compiled call, for small data)"

# Read-only, as checked weights, offsets and codes are: the kernel is compiled for one kind only.
_NONE = np.empty(0)
_NONE.flags.writeable = False


def suits(data: Data, multi_class: str, solver: str, limits: Limits) -> bool:
    """Say whether a fit of the logistic loss under L2 is one for the small kernel.

    It tells nobody how it goes on, and hears no clock.
    """
    X = data.rows.X
    if type(X) is not np.ndarray or solver not in SOLVERS:
        return False
    n_samples, n_features = X.shape
    n_models = 1 if data.classes.size == 2 else data.classes.size
    return (
        n_features <= MOST_COLUMNS
        and n_samples * (n_features + BESIDE) * n_models <= MOST_NUMBERS
        and n_models <= MOST_MODELS
        and (n_models == 1 or multi_class == "ovr")
        and limits.max_iter > 0
        and limits.callback is None
        and limits.time_limit is None
    )


def fit_small(
    data: Data, strengths: Strengths, multi_class: str, intercept: object, n_threads: int | None,
    limits: Limits, began: float,
) -> FitResult | None:  # fmt: skip
    """Fit what `suits`; None where something is odd enough for the general way.

    That is whatever does not end with a proof: it also finds the words for it.
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
    assert isinstance(data.rows.X, np.ndarray)
    X = _plain(data.rows.X)
    work = np.empty(small.small_work_size.serial(n_samples, n_features))
    history = np.empty(limits.max_iter + 1)
    coef = np.empty((n_models, n_features))
    ends: list[small.SmallFit] = []
    costs: list[Vector] = []
    for model in range(n_models):
        targets = _targets(data.codes, None if is_binary else model)
        weights, offset = _of_model(data.weights, model), _of_model(data.offset, model)
        end = small.fit_small.serial(
            X, targets, 1, weights, offset, l2_reg[model],
            0.0 if fixed is None else fixed, fixed is None, _start_of(data.start, model),
            limits.tol, limits.max_iter, work, history, coef[model],
        )  # fmt: skip
        if end.status != small.CONVERGED:
            return None
        ends.append(end)
        costs.append(history[: end.n_iter + 1].copy())
    several = np.ndim(strength) == 2 and not is_binary
    shown = np.ascontiguousarray(l2_reg.T) if several else l2_reg[0].copy()
    return _result(data, multi_class, limits, began, fixed is None, shown, coef, ends, costs)


def _plain(X: Features) -> Matrix:
    """Return the rows as the one kind of array for which the kernel is compiled."""
    flags = X.flags
    if X.dtype == np.float64 and flags.c_contiguous and flags.aligned and flags.writeable:
        return cast("Matrix", X)
    return np.array(X, dtype=np.float64, order="C")


def _targets(codes: Codes, model: int | None) -> Codes:
    """Return 1 where a row is of the model's class, else 0; codes of two classes are that."""
    if model is None:
        return codes
    targets = (codes == model).view(np.uint8)
    targets.flags.writeable = False
    return targets


def _of_model(given: Floats, model: int) -> Vector:
    """Return the weights or offsets of one model; empty for none."""
    return given if given.ndim == 1 and given.size else given[model] if given.size else _NONE


def _start_of(start: tuple[Matrix, Vector] | None, model: int) -> Vector:
    return _NONE if start is None else np.append(start[0][model], start[1][model])


def _result(
    data: Data, multi_class: str, limits: Limits, began: float, fit_intercept: bool,
    l2_reg: Floats, coef: Matrix, ends: list[small.SmallFit], costs: list[Vector],
) -> FitResult:  # fmt: skip
    """Return what the fits of all models, each of which has converged, come to."""
    is_binary, n_models = data.classes.size == 2, len(ends)
    n_iter = max(end.n_iter for end in ends)
    bound = max(end.bound for end in ends)
    if n_models == 1:
        history = costs[0]
        bounds = np.full(n_iter + 1, np.inf)
        bounds[-1] = bound
    else:
        # A model that has ended stays where it is while others go on.
        history, bounds = np.empty((n_iter + 1, n_models)), np.full((n_iter + 1, n_models), np.inf)
        for model, (end, own) in enumerate(zip(ends, costs, strict=True)):
            history[: end.n_iter, model], history[end.n_iter :, model] = own[:-1], own[-1]
            bounds[end.n_iter :, model] = end.bound
    # Centre and scale, the start, and then each iteration takes about as much as any other.
    sums = sum(end.n_evaluations + end.n_hessians for end in ends) / n_models
    share = np.arange(n_iter + 1.0) / max(n_iter, 1)
    passes = 3.0 + (sums - 1.0) * share
    seconds = time.perf_counter() - began
    return FitResult(
        coef=coef[0] if is_binary else np.ascontiguousarray(coef.T),
        intercept=(ends[0].intercept if is_binary else np.array([end.intercept for end in ends])),
        classes=data.classes,
        n_iter=n_iter,
        n_passes=round(float(passes[-1]), 3),
        converged=True,
        message=converged_message(CHOICE, bound, limits.tol),
        history=history,
        gradient_norm=max(end.gradient_norm for end in ends),
        suboptimality=bound if is_binary else np.array([end.bound for end in ends]),
        seconds=seconds,
        solver="newton",
        multi_class=multi_class,
        l2_reg=l2_reg,
        fit_intercept=fit_intercept,
        passes=passes,
        times=seconds * share,
        bounds=bounds,
        feature_names=data.rows.text_names,
    )
