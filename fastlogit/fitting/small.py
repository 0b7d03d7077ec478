"""Small problems: the whole fit in one compiled call, see `kernels.small` and those beside it.

Between the general way and this one lies Python: some milliseconds, whatever the size of X.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import NamedTuple, TypeGuard, cast

import numpy as np

from .. import threads
from ..arrays import Codes, Features, Floats, Integers, Mask, Matrix, Vector
from ..design.base import readonly
from ..inputs.given import Data
from ..inputs.validation import NO_NUMBERS
from ..kernels.policy import Twins
from ..kernels.small import binomial, endings, proofs, softmax, softmax_cg, softmax_layout
from ..kernels.small import l1 as small_l1
from ..objective.penalties import L1, L2, ElasticNet, Penalty
from ..result import Callback, FitResult, Progress
from ..solvers.stopping import stated_of_one
from ..solvers.trace import Limits, Reason
from .messages import ended_message
from .problem import Strengths, check_intercept, penalty_of
from .shown import at_corners, bounds_of, of_columns, strengths_of_l1

__all__ = [
    "BESIDE",
    "MOST_ITERATIONS",
    "NO_TABLE",
    "fit_small",
    "is_plain",
    "of_model",
    "plain_rows",
    "softmax_kind",
    "softmax_method",
    "suits",
    "targets_of",
    "within_limits",
]

# The copy of X and what is beside it has so many numbers at the most, 8 MB: it is no burden, and
# what one thread does with it from the cache two do not sooner from memory. A Hessian is so many
# products at the most, and the kernel compiled to be called with few columns. The general way takes
# 5.2 times as long at 2,000 x 20, 3.7 at 10,000 x 10, 2.9 at 20,000 x 15, 2.5 at 10,000 x 30, 2.2
# at 5,000 x 50, 2.1 at 50,000 x 10, 1.2 at 15,000 x 60; for ten classes against all others 3.8 at
# 5,000 x 10 (medians, 2 cores; `python -m benchmarks.small --even` has more shapes).
# Under L1 it takes 6 times as long at 569 x 30, 5 at 10,000 x 10, 2.9 at 20,000 x 15, 2.5 at
# 10,000 x 30, 2 to 2.7 at 5,000 x 50 (processor time of one thread, to 1e-8).
MOST_NUMBERS, MOST_COLUMNS, MOST_PRODUCTS = 1_000_000, 60, 2e7
# Of a softmax with a Hessian of all classes: parameters, and products of the Gram matrices of its
# pairs of classes, at the most; with more conjugate gradients are faster (1.1 ms where it took 8.5
# at 500 x 20, K = 10).
MOST_PARAMETERS, MOST_PAIR_PRODUCTS = 100, 2e7
# Of one without: columns, and products of a product with the Hessian. The general way takes 16
# times as long at 500 x 20 and K = 10, 2.8 at 1,800 x 60 and at 5,000 x 30, 2.7 at 10,000 x 20 and
# K = 5, 1.8 at 2,000 x 100, and 1.7 at 20,000 x 20, which is beyond (`python -m
# benchmarks.small_softmax --even`; 2 busy cores, where threads help it less).
MOST_CG_COLUMNS, MOST_CG_PRODUCTS = 100, 2e6
# Codes of more are of a type that the kernels would have to be compiled for once more.
MOST_CLASSES = 256
# Columns of numbers that the kernel works with beside those of X.
BESIDE = 10
# What takes more iterations is odd enough for the general way.
MOST_ITERATIONS = 100
# The kernel hears no clock: with less time than this the general way ends sooner; ten times as much
# where there are many parameters.
SHORTEST_LIMIT = 0.1
SOLVERS, SOLVERS_OF_L1 = ("auto", "newton"), ("auto", "proximal-newton")
CHOICE = "one compiled call, for small data"
NO_TABLE = readonly(np.empty((0, 0)))


class _Fits(NamedTuple):
    """How the fits of all models ended, the costs of their iterations, and what they found.

    `coef` has shape (n_outputs, n_features). `n_sums` counts sums over the rows.
    """

    solver: str

    ends: list[binomial.SmallFit | softmax.SoftmaxFit]
    costs: list[Vector]
    coef: Matrix
    intercept: Vector
    n_sums: int

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
            return self.coef[0].copy(), float(self.intercept[0])
        return np.array(self.coef.T, order="C"), self.intercept.copy()


def within_limits(n_samples: Integers | int, n_features: Integers | int) -> Mask | bool:
    """Say of rows and columns (a number or several), all models counted, whether they are few."""
    numbers, products = n_samples * (n_features + BESIDE), n_samples * n_features**2
    is_narrow = n_features <= MOST_COLUMNS
    return (numbers <= MOST_NUMBERS) & (products <= MOST_PRODUCTS) & is_narrow


def softmax_kind(n_samples: int, n_features: int, n_classes: int, solver: str) -> str:
    """Return the method of a softmax that is small enough for one call: a solver's name, or ""."""
    numbers = n_samples * (n_features + BESIDE + softmax_layout.CLASS_PARTS * n_classes)
    size, n_pairs = (n_classes - 1) * (n_features + 1), n_classes * (n_classes - 1) / 2
    if numbers > MOST_NUMBERS or n_classes > MOST_CLASSES:
        return ""
    if size <= MOST_PARAMETERS and n_pairs * n_samples * n_features**2 <= MOST_PAIR_PRODUCTS:
        return "newton"
    products = n_samples * n_features * n_classes
    is_medium = n_features <= MOST_CG_COLUMNS and products <= MOST_CG_PRODUCTS
    return "newton-cg" if is_medium and solver == "auto" else ""


def suits(
    data: Data, multi_class: str, solver: str, limits: Limits, has_corners: bool = False
) -> bool:
    """Say whether a fit of the logistic or softmax loss is one for a small kernel.

    Under L2, or where it `has_corners` under L1 and within bounds, but not as a softmax.
    """
    X = data.rows.X
    if type(X) is not np.ndarray or solver not in (SOLVERS_OF_L1 if has_corners else SOLVERS):
        return False
    n_samples, n_features = X.shape
    n_classes, shortest = data.classes.size, SHORTEST_LIMIT
    if n_classes > 2 and multi_class == "multinomial":
        if has_corners:
            return False
        kind = softmax_kind(n_samples, n_features, n_classes, solver)
        # Without a last step of Newton's what is finer than a cost in float64 is out of reach.
        is_small = kind == "newton" or (kind == "newton-cg" and limits.tol >= proofs.FINEST)
        shortest *= 10.0 if kind == "newton-cg" else 1.0
    else:
        n_models = 1 if n_classes == 2 else n_classes
        is_small = bool(within_limits(n_samples * n_models, n_features))
    return (
        is_small
        and limits.max_iter > 0
        and (limits.time_limit is None or limits.time_limit >= shortest)
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
    l1, l2 = _penalties(penalty_of(strengths, data, n_samples, n_features), n_features)
    is_binary = data.classes.size == 2
    is_softmax = not is_binary and multi_class == "multinomial"
    n_models = 1 if is_binary or is_softmax else data.classes.size

    kind = softmax_kind(n_samples, n_features, data.classes.size, "auto")

    def fits(max_iter: int, to_the_end: bool = True) -> _Fits | None:
        if is_softmax:
            l2_reg = _of_columns(l2.strengths, 0)
            return _fit_softmax(data, l2_reg, fixed, limits.tol, max_iter, to_the_end, kind)
        return _fit_models(data, n_models, l1, l2, fixed, limits.tol, max_iter, to_the_end)

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
    result = _result(data, found, reason, multi_class, limits, began, fixed is None, l1, l2)
    if reason == Reason.INTERRUPTED:
        interrupt = KeyboardInterrupt(result.message)
        interrupt.result = result  # type: ignore[attr-defined]
        raise interrupt
    return result


def _penalties(penalty: float | Floats | Penalty, n_features: int) -> tuple[L1 | None, L2]:
    """Return L1 with its bounds, if there is any of either, and L2."""
    if isinstance(penalty, ElasticNet):
        return penalty.l1, penalty.l2
    assert isinstance(penalty, L2) or not isinstance(penalty, Penalty)
    return None, penalty if isinstance(penalty, L2) else L2(penalty, n_features)


def _fit_models(
    data: Data, n_models: int, l1: L1 | None, l2: L2, fixed: float | None, tol: float,
    max_iter: int, to_the_end: bool,
) -> _Fits | None:  # fmt: skip
    """Fit each model; None unless all are proven, or `to_the_end` is false and some go on."""
    X = plain_rows(data)
    n_features = X.shape[1]
    size = binomial.small_work_size if l1 is None else small_l1.small_l1_work_size
    work, history = np.empty(size.serial(*X.shape)), np.empty(max_iter + 1)
    ends: list[binomial.SmallFit | softmax.SoftmaxFit] = []
    costs, n_sums = [], 0
    coef, intercept = np.empty((n_models, n_features)), np.empty(n_models)
    bounds = NO_NUMBERS, NO_NUMBERS
    if l1 is not None and l1.bounds is not None:
        bounds = readonly(l1.bounds.lower.copy()), readonly(l1.bounds.upper.copy())
    for model in range(n_models):
        targets = targets_of(data.codes, None if n_models == 1 else model)
        weights, offset = of_model(data.weights, model), of_model(data.offset, model)
        level = 0.0 if fixed is None else fixed, fixed is None, _start_of(data.start, model)
        rest = tol, max_iter, work, history, coef[model]
        l2_reg = _of_columns(l2.strengths, model)
        if l1 is None:
            end = binomial.fit_small.serial(X, targets, 1, weights, offset, l2_reg, *level, *rest)
        else:
            l1_reg = _of_columns(l1.strengths, model)
            end = small_l1.fit_small_l1.serial(
                X, targets, 1, weights, offset, l1_reg, l2_reg, *bounds, *level, *rest
            )
        if end.status != endings.CONVERGED and (to_the_end or end.status != endings.MAX_ITER):
            return None
        ends.append(end)
        costs.append(history[: end.n_iter + 1].copy())
        intercept[model] = end.intercept
        n_sums += end.n_evaluations + end.n_hessians
    solver = "newton" if l1 is None else "proximal-newton"
    return _Fits(solver, ends, costs, coef, intercept, n_sums)


def _of_columns(strengths: Matrix, model: int) -> Vector:
    """Return the strengths of a model's columns, or those of all models, as an array of its own.

    One number for all columns is kept once: kernels would be compiled for that layout, too.
    """
    return np.array(strengths[min(model, len(strengths) - 1)])


def _fit_softmax(
    data: Data, l2_reg: Vector, fixed: float | None, tol: float, max_iter: int, to_the_end: bool,
    solver: str,
) -> _Fits | None:  # fmt: skip
    """Fit all classes together; None unless that is proven, or may go on as for `_fit_models`."""
    X, n_classes = plain_rows(data), data.classes.size
    n_samples, n_features = X.shape
    if solver == "newton-cg" and not (l2_reg > 0.0).all():
        return None  # its proof rests on the penalty
    method, size = softmax_method(solver)
    work = np.empty(size.serial(n_samples, n_features, n_classes))
    history = np.empty(max_iter + 1)
    coef, intercept = np.empty((n_features, n_classes)), np.empty(n_classes)
    offset, start = NO_TABLE, NO_TABLE
    if data.offset.size:
        offset = readonly(np.ascontiguousarray(data.offset.T))
    if data.start is not None:
        start = readonly(np.array([*data.start[0].T, data.start[1]], order="C"))
    end = method.serial(
        X, data.codes, of_model(data.weights, 0), offset, l2_reg, fixed is None, start,
        tol, max_iter, work, history, coef, intercept,
    )  # fmt: skip
    if end.status != endings.CONVERGED and (to_the_end or end.status != endings.MAX_ITER):
        return None
    if fixed is not None:
        intercept[:] = fixed
    costs = [history[: end.n_iter + 1].copy()]
    return _Fits(solver, [end], costs, coef.T, intercept, end.n_evaluations + end.n_grams)


def softmax_method(solver: str) -> tuple[Twins, Twins]:
    """Return the kernels that fit a softmax and that say what room they need."""
    if solver == "newton-cg":
        return softmax_cg.fit_small_softmax_cg, softmax_cg.small_softmax_cg_work_size
    return softmax.fit_small_softmax, softmax.small_softmax_work_size


def plain_rows(data: Data) -> Matrix:
    """Return rows as the kernels are compiled for: those that are there, or a copy."""
    given = cast(Floats, data.rows.X)
    return given if is_plain(given) else np.array(given, dtype=np.float64, order="C")


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


def targets_of(codes: Codes, model: int | None) -> Codes:
    """Return 1 where a row is of the model's class, else 0; codes of two classes are that."""
    if model is None:
        return codes
    return readonly((codes == model).view(np.uint8))


def of_model(given: Floats, model: int) -> Vector:
    """Return the weights or offsets of one model; empty for none."""
    return given if given.ndim == 1 and given.size else given[model] if given.size else NO_NUMBERS


def _start_of(start: tuple[Matrix, Vector] | None, model: int) -> Vector:
    """Return coefficients and intercept to begin with, (n_features + 1,); empty for none."""
    if start is None:
        return NO_NUMBERS
    return readonly(np.append(start[0][model], start[1][model]))


def _result(
    data: Data, found: _Fits, reason: Reason, multi_class: str, limits: Limits, began: float,
    fit_intercept: bool, l1: L1 | None, l2: L2,
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
    share = np.arange(n_iter + 1.0) / max(n_iter, 1)
    passes = 3.0 * n_models + (found.n_sums - n_models) * share
    coef, intercept = found.coef_intercept(is_binary)
    seconds, choice = time.perf_counter() - began, f"{found.solver} ({CHOICE})"
    return FitResult(
        coef=coef,
        intercept=intercept,
        classes=data.classes,
        n_iter=n_iter,
        n_passes=float(passes[-1]),
        converged=reason == Reason.CONVERGED,
        message=ended_message(reason, n_iter, choice, float(bound.max()), limits.tol)
        + at_corners(l1, found.coef),
        history=history[:, 0] if n_models == 1 else history,
        gradient_norm=float(max(end.gradient_norm for end in found.ends)),
        suboptimality=float(bound[0]) if n_models == 1 else bound,
        seconds=seconds,
        solver=found.solver,
        multi_class=multi_class,
        l2_reg=of_columns(l2, n_models == 1),
        l1_reg=strengths_of_l1(l1, n_models == 1),
        coef_bounds=bounds_of(l1),
        fit_intercept=fit_intercept,
        passes=passes,
        times=seconds * share,
        bounds=bounds[:, 0] if n_models == 1 else bounds,
        feature_names=data.rows.text_names,
        categories=data.rows.categories,
    )
