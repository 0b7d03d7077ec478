"""Newton's method for one small softmax model: the whole fit is one compiled, serial call.

It is `binomial` for classes that compete, with the formulas of `objective.multinomial`,
`solvers.majorization` and `certificates.softmax`.

The classes' parameters are theta = B phi with the orthonormal contrasts B of Helmert, (n_classes,
n_classes - 1): phi is what sets classes apart, and what all share is 0, as in the symmetric
solution. Penalty and norms are the same in both. The Hessian is a sum over pairs of classes,

    sum_i w_i p_ik p_il (e_k - e_l) (e_k - e_l)' (x) x_i x_i',

a Gram matrix for each pair: no difference that could cancel.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from ..inlining import keep_apart
from ..policy import entry, part
from . import intake, iteration, layout, solves, steps
from .arithmetic import clear, dot, larger, largest, level_less_products, smaller
from .endings import BAD_SHAPE, CONVERGED, EXTREME, NOT_FINITE, TOO_LARGE
from .iteration import Model
from .softmax_intake import copy_classes, look_at_classes, match
from .softmax_layout import Places, lay_out, make_basis, to_classes, to_contrasts, work_size
from .softmax_proofs import level_in_units, lost_in_units, prove
from .softmax_separation import last_change_separates, look_for_separation
from .softmax_steps import move
from .softmax_sums import evaluate, sum_hessian


class SoftmaxFit(NamedTuple):
    """How the fit of one small softmax model ended.

    Attributes
    ----------
    status : int
        CONVERGED or another of `endings`.
    n_iter : int
        Iterations; ``history_out[: n_iter + 1]`` are their costs.
    cost : float
        Mean loss plus penalty at the last point looked at. Where the fit converged the
        coefficients are one step further.
    bound : float
        Proven bound on (cost - optimum) / optimum of the exact cost of the coefficients;
        `stated_bound` adds the rounding of a cost as a number. Infinite where nothing is proven.
    gradient_norm : float
        Largest component of the gradient there, in the units of X.
    n_evaluations, n_grams : int
        How often cost and gradient, and how often a Gram matrix, were summed over the rows.
    """

    status: int
    n_iter: int
    cost: float
    bound: float
    gradient_norm: float
    n_evaluations: int
    n_grams: int


def _small_softmax_work_size(n_samples: int, n_features: int, n_classes: int) -> int:
    """Return how many float64 the work array of a softmax fit needs.

    Parameters
    ----------
    n_samples, n_features : int
        Shape of X; more rows or columns need more.
    n_classes : int
    """
    return work_size(n_samples, n_features, n_classes)


small_softmax_work_size = entry(_small_softmax_work_size)


@part
def newton_step(work: Any, at: Places, weight: float, wanted: float) -> bool:
    """Put Newton's step into `direction`; False where the Hessian is singular.

    It is exact, whatever gain is `wanted`.
    """
    sum_hessian(work, at, weight)
    return solves.newton_direction(work, at)


@part
def most_curvature(work: Any, at: Places) -> float:
    """A bound on the largest eigenvalue of the Hessian."""
    return 0.5 * at.one.size + largest(work, at.one.l2, at.one.size)


iterate = iteration.make_iterate(
    Model(
        newton_step, most_curvature, prove, lost_in_units, move, last_change_separates,
        look_for_separation,
    )
)  # fmt: skip


@part
def set_levels(work: Any, at: Places, weight: float) -> None:
    """Put intercepts of the classes' shares, at their mean offsets, into `theta`.

    The classes' weights lie in `classes`.
    """
    one = at.one
    clear(work, at.slopes, at.slopes + at.n_classes * one.width)
    for k in range(at.n_classes):
        middle = dot(work, one.weight, at.offset + k * one.height, one.height) / weight
        place = at.slopes + k * one.width + one.size - 1
        work[place] = math.log(work[at.classes + k]) - middle
    to_contrasts(work, at, at.slopes, at.theta)


@part
def begin(work: Any, at: Places, weight: float, start: Any, fit_intercept: bool) -> float:
    """Set theta, gradient and the rest at the better of two starts; return the cost there.

    Those are the user's, (n_features + 1, n_classes) in the units of X or of no numbers, and the
    default without slopes.
    """
    one = at.one
    clear(work, at.theta, at.last + at.width)
    if fit_intercept:
        set_levels(work, at, weight)
    cost = evaluate(work, at, weight, at.theta, at.gradient)
    n_features = start.shape[0] - 1
    if n_features < 0:
        return cost
    slopes = one.size - 1 if fit_intercept else one.size
    clear(work, at.slopes, at.slopes + at.n_classes * one.width)
    for k in range(at.n_classes):
        place = at.slopes + k * one.width
        for m in range(slopes):
            j = layout.column_of(work, one, m)
            work[place + m] = start[j, k] / work[one.scale + j]
        if fit_intercept:
            for j in range(n_features):
                work[one.half + j] = start[j, k]
            work[place + slopes] = level_less_products(
                start[n_features, k], -1.0, work, one.half, one.center, n_features
            )
    to_contrasts(work, at, at.slopes, at.trial)
    found = evaluate(work, at, weight, at.trial, at.trial_gradient)
    if found <= cost and largest(work, at.trial_gradient, at.size) < math.inf:
        steps.accept(work, at)
        return found
    return evaluate(work, at, weight, at.theta, at.gradient)


@part
def largest_slope(work: Any, at: Places, n_features: int, fit_intercept: bool) -> float:
    """Largest component of the gradient in the units of X."""
    one, found = at.one, 0.0
    slopes = one.size - 1 if fit_intercept else one.size
    to_classes(work, at, at.gradient, at.slopes)
    for k in range(at.n_classes):
        place = at.slopes + k * one.width
        level = work[place + slopes] if fit_intercept else 0.0
        found = larger(found, abs(level))
        for j in range(n_features):
            work[one.half + j] = level * work[one.center + j]
        for m in range(slopes):
            j = layout.column_of(work, one, m)
            work[one.half + j] += work[place + m] / work[one.scale + j]
        found = larger(found, largest(work, one.half, n_features))
    return found


@part
def coefficients(
    work: Any, at: Places, fit_intercept: bool, coef_out: Any, intercept_out: Any
) -> bool:
    """Put coefficients and intercepts in the units of X; say whether all are finite."""
    one, n_features = at.one, coef_out.shape[0]
    slopes = one.size - 1 if fit_intercept else one.size
    to_classes(work, at, at.theta, at.classes)
    finite = True
    for k in range(at.n_classes):
        place = at.classes + k * one.width
        for j in range(n_features):
            coef_out[j, k] = 0.0
        for m in range(slopes):
            j = layout.column_of(work, one, m)
            coef_out[j, k] = work[place + m] * work[one.scale + j]
            finite = finite and abs(coef_out[j, k]) < math.inf
        intercept_out[k] = level_in_units(work, at, place, n_features) if fit_intercept else 0.0
        finite = finite and abs(intercept_out[k]) < math.inf
    return finite


@part
def unfinished(status: int, coef_out: Any, intercept_out: Any) -> SoftmaxFit:
    """End without coefficients: these are NaN."""
    for j in range(coef_out.shape[0]):
        for k in range(coef_out.shape[1]):
            coef_out[j, k] = math.nan
    for k in range(intercept_out.shape[0]):
        intercept_out[k] = math.nan
    return SoftmaxFit(status, 0, math.nan, math.inf, math.nan, 0, 0)


class Begun(NamedTuple):
    """A fit at its start: status, places, weight of all rows, largest offset, and cost there."""

    status: int
    at: Places
    weight: float
    reach: float
    cost: float


@part
def prepare(
    X: Any, y: Any, sample_weight: Any, offset: Any, l2_reg: Any, fit_intercept: bool, start: Any,
    work: Any, coef_out: Any, intercept_out: Any,
) -> Begun:  # fmt: skip
    """Look at what is given, copy and standardise the rows, and evaluate the start."""
    keep_apart()
    n_features, n_classes = coef_out.shape
    nowhere = lay_out(layout.lay_out(work, 0, 0, 0), 0, 0)
    if not match(X, y, sample_weight, offset, l2_reg, start, coef_out, intercept_out):
        return Begun(BAD_SHAPE, nowhere, 0.0, 0.0, 0.0)
    status, n_rows, unit = intake.look_at_weights(sample_weight, X.shape[0])
    if status == CONVERGED:
        status = look_at_classes(y, n_classes, sample_weight, intercept_out)
    if status != CONVERGED:
        return Begun(status, nowhere, 0.0, 0.0, 0.0)
    one = layout.lay_out(work, n_rows, n_features, 0)
    bad = intake.copy_rows(X, y, -1, sample_weight, unit, l2_reg[:0], 0.0, work, one)
    weight = intake.total_weight(work, one, sample_weight.shape[0] > 0)
    status, size = intake.standardize(work, one, weight, l2_reg, fit_intercept)
    if bad != 0.0:
        status = NOT_FINITE
    if status != CONVERGED:
        return Begun(status, nowhere, 0.0, 0.0, 0.0)
    one = layout.lay_out(work, n_rows, n_features, size)
    at = lay_out(one, n_features, n_classes)
    make_basis(work, at)
    bad = copy_classes(X, y, n_classes, sample_weight, offset, work, at)
    reach = largest(work, at.offset, n_classes * one.height)
    cost = begin(work, at, weight, start, fit_intercept)
    finite = abs(cost) < math.inf and largest(work, at.gradient, at.size) < math.inf
    status = CONVERGED if bad == 0.0 and finite else NOT_FINITE
    return Begun(status, at, weight, reach, cost)


@part
def conclude(
    end: iteration.End,
    work: Any,
    at: Places,
    fit_intercept: bool,
    coef_out: Any,
    intercept_out: Any,
) -> SoftmaxFit:
    """Put what was found in the units of X, and say how it ended."""
    if not coefficients(work, at, fit_intercept, coef_out, intercept_out):
        return unfinished(EXTREME, coef_out, intercept_out)
    norm = largest_slope(work, at, coef_out.shape[0], fit_intercept)
    evaluations, grams = int(work[at.one.counts]), int(work[at.one.counts + 1])
    return SoftmaxFit(end.status, end.n_iter, end.cost, end.bound, norm, evaluations, grams)


def _fit_small_softmax(
    X: Any, y: Any, sample_weight: Any, offset: Any, l2_reg: Any, fit_intercept: bool, start: Any,
    tol: float, max_iter: int, work: Any, history_out: Any, coef_out: Any, intercept_out: Any,
) -> SoftmaxFit:  # fmt: skip
    """Fit one small softmax model by Newton's method: one call, which allocates nothing.

    Minimises ``sum(w (log(sum_k e^z_k) - z_y)) / sum(w) + sum(l2_reg coef^2) / 2`` with ``z = X @
    coef + intercept + offset``, a column for each class. Copies X into `work`, and hears Ctrl-C
    only when it returns: for some 100,000 numbers of X, and 100 parameters of all classes.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Of any layout and number type.
    y : ndarray of shape (n_samples,)
        Codes of the classes, 0 to n_classes - 1: whole numbers, or numbers.
    sample_weight : ndarray of float64, shape (n_samples,) or (0,)
        Weights >= 0 of the rows; none if empty.
    offset : ndarray of float64, shape (n_samples, n_classes) or (0, 0)
        What is added to the raw predictions; none if empty.
    l2_reg : ndarray of float64, shape (n_features,)
        Strength of the penalty on each column, on the scale of the mean loss.
    fit_intercept : bool
    start : ndarray of float64, shape (n_features + 1, n_classes) or (0, 0)
        Coefficients, and intercepts in the last row, to begin with, where they cost less than no
        slopes at all.
    tol : float
        Bound wanted on (cost - optimum) / optimum.
    max_iter : int
    work : ndarray of float64
        Of ``small_softmax_work_size(n_samples, n_features, n_classes)`` numbers or more. All of it
        is overwritten.
    history_out : ndarray of float64, shape (max_iter + 1,)
        Gets the costs; fewer numbers end the fit sooner.
    coef_out : ndarray of float64, shape (n_features, n_classes)
        Gets the coefficients, in the units of X, which sum to zero over the classes; NaN where the
        status is EXTREME or later. Its shape says how many classes there are.
    intercept_out : ndarray of float64, shape (n_classes,)
        Gets the intercepts, 0 where they are not fitted.

    Returns
    -------
    SoftmaxFit
        Status, iterations, cost, proven bound, size of the gradient.

    Notes
    -----
    Statuses are those of `fit_small`. ONE_CLASS: a class has no row with weight. BAD_SHAPE: arrays
    do not match, there are fewer than two classes, or a label is no code of a class.
    """
    room = work_size(X.shape[0], coef_out.shape[0], coef_out.shape[1])
    if work.shape[0] < room or history_out.shape[0] == 0:
        return unfinished(TOO_LARGE, coef_out, intercept_out)
    begun = prepare(
        X, y, sample_weight, offset, l2_reg, fit_intercept, start, work, coef_out, intercept_out
    )
    if begun.status != CONVERGED:
        return unfinished(begun.status, coef_out, intercept_out)
    at, most = begun.at, smaller(max_iter, history_out.shape[0] - 1)
    end = iterate(
        work, at, begun.weight, begun.reach, fit_intercept, begun.cost, tol, most, history_out
    )
    return conclude(end, work, at, fit_intercept, coef_out, intercept_out)


fit_small_softmax = entry(_fit_small_softmax, name="whole")
