"""Newton's method for one small binomial model: the whole fit is one compiled, serial call.

It is `solvers.newton`, `solvers.iteration`, `solvers.majorization` and `certificates.binomial` for
one model, with the same formulas, tolerances and rounding errors.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from ..inlining import keep_apart
from ..policy import entry, part
from .arithmetic import clear, dot, larger, largest, level_less_products, smaller
from .endings import BAD_SHAPE, CONVERGED, EXTREME, NOT_FINITE, TOO_LARGE
from .intake import copy_rows, is_length, standardize, total_weight, weigh_rows
from .iteration import End, Model, make_iterate
from .layout import Places, column_of, lay_out, work_size
from .proofs import lost_in_units, prove
from .row_sums import evaluate, row_losses, sum_hessian
from .separation import last_change_separates, look_for_separation
from .solves import newton_direction
from .steps import COST_EPSILON, LEVEL, accept, make_double_steps, make_move, make_search


class SmallFit(NamedTuple):
    """How the fit of one small model ended.

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
    intercept : float
        The fitted intercept, or the fixed one.
    n_evaluations, n_hessians : int
        How often cost and gradient, and how often a Hessian, were summed over the rows.
    """

    status: int
    n_iter: int
    cost: float
    bound: float
    gradient_norm: float
    intercept: float
    n_evaluations: int
    n_hessians: int


def _small_work_size(n_samples: int, n_features: int) -> int:
    """Return how many float64 the work array of a fit needs.

    Parameters
    ----------
    n_samples, n_features : int
        Shape of X; more rows or columns need more.
    """
    return work_size(n_samples, n_features)


small_work_size = entry(_small_work_size)


@part
def majorizing_curvature(work: Any, at: Places) -> None:
    """Put the weights of a quadratic function above the loss into `residual`.

    j(z) = tanh(|z| / 2) / (2 |z|), of Jaakkola and Jordan (2000).
    """
    for row in range(at.height):
        size, tail = abs(work[at.raw + row]), work[at.tail + row]
        # Below 1e-4 it is 1/4 up to 2e-10.
        j = 0.25 if size < 1e-4 else (1.0 - tail) / (1.0 + tail) / (2.0 * size)
        work[at.residual + row] = work[at.weight + row] * j


double_steps = make_double_steps(evaluate)


@part
def majorize(work: Any, at: Places, weight: float, cost: float, offset: float) -> float:
    """Step down a bound of the cost from theta, to `trial`; returns by how much the cost falls.

    0 where it does not, -1 where the bound is singular. Raw predictions are those at theta.
    """
    keep_apart()
    majorizing_curvature(work, at)
    sum_hessian(work, at, weight, at.residual)
    if not newton_direction(work, at):
        return -1.0
    slack = LEVEL * abs(cost) + COST_EPSILON * (offset + abs(work[at.theta + at.size - 1]))
    return double_steps(work, at, weight, cost, slack)


search = make_search(evaluate)

move = make_move(evaluate, search, majorize)


@part
def newton_step(work: Any, at: Places, weight: float, wanted: float) -> bool:
    """Put Newton's step into `direction`; False where the Hessian is singular.

    It is exact, whatever gain is `wanted`.
    """
    sum_hessian(work, at, weight, at.curvature)
    return newton_direction(work, at)


@part
def most_curvature(work: Any, at: Places) -> float:
    """A bound on the largest eigenvalue of the Hessian."""
    return 0.25 * at.size + largest(work, at.l2, at.size)


iterate = make_iterate(
    Model(
        newton_step, most_curvature, prove, lost_in_units, move, last_change_separates,
        look_for_separation,
    )
)  # fmt: skip


@part
def first_level(work: Any, at: Places, weight: float) -> float:
    """Intercept of the share of positive rows, at their mean offset."""
    positive = dot(work, at.weight, at.target, at.height)
    rest = 0.0
    # Each side by itself: one may be next to nothing beside the other.
    for row in range(at.n_rows):
        if work[at.target + row] < 0.5:
            rest += work[at.weight + row]
    return math.log(positive) - math.log(rest) - dot(work, at.weight, at.offset, at.height) / weight


@part
def level_cost(work: Any, at: Places, weight: float, level: float) -> float:
    """Cost without slopes: no pass over the columns."""
    for row in range(at.height):
        work[at.raw + row] = work[at.offset + row] + level
    row_losses(work, at)
    return dot(work, at.weight, at.scaled, at.height) / weight


def make_begin(evaluate: Any) -> Any:
    """Return what finds the start of a kind of model, which `evaluate` gives cost and gradient."""

    @part
    def begin(work: Any, at: Places, weight: float, start: Any, fit_intercept: bool) -> float:
        """Set theta, gradient and the rest at the better of two starts; return the cost there.

        Those are the user's, (n_features + 1,) in the units of X or of no numbers, and the default
        without slopes.
        """
        slopes = at.size - 1 if fit_intercept else at.size
        level = 0.0
        if fit_intercept:
            level = first_level(work, at, weight)
            work[at.theta + slopes] = level
        n_features = start.shape[0] - 1
        if n_features < 0:
            return evaluate(work, at, weight, at.theta, at.gradient)
        cost = level_cost(work, at, weight, level)
        clear(work, at.trial, at.trial + at.width)
        for k in range(slopes):
            j = column_of(work, at, k)
            work[at.trial + k] = start[j] / work[at.scale + j]
        if fit_intercept:
            for j in range(n_features):
                work[at.half + j] = start[j]
            work[at.trial + slopes] = level_less_products(
                start[n_features], -1.0, work, at.half, at.center, n_features
            )
        found = evaluate(work, at, weight, at.trial, at.trial_gradient)
        if found <= cost and largest(work, at.trial_gradient, at.size) < math.inf:
            accept(work, at)
            return found
        return evaluate(work, at, weight, at.theta, at.gradient)

    return begin


begin = make_begin(evaluate)


@part
def largest_slope(work: Any, at: Places, n_features: int, fit_intercept: bool) -> float:
    """Largest component of the gradient in the units of X."""
    slopes = at.size - 1 if fit_intercept else at.size
    level = work[at.gradient + slopes] if fit_intercept else 0.0
    found = abs(level)
    for j in range(n_features):
        work[at.half + j] = level * work[at.center + j]
    for k in range(slopes):
        j = column_of(work, at, k)
        work[at.half + j] += work[at.gradient + k] / work[at.scale + j]
    return larger(found, largest(work, at.half, n_features))


@part
def coefficients(
    work: Any, at: Places, fit_intercept: bool, fixed: float, coef_out: Any
) -> tuple[float, bool]:
    """Put coefficients in the units of X into `coef_out`; intercept, and whether all are finite."""
    slopes = at.size - 1 if fit_intercept else at.size
    for j in range(coef_out.shape[0]):
        coef_out[j] = 0.0
    finite = True
    for k in range(slopes):
        j = column_of(work, at, k)
        coef_out[j] = work[at.theta + k] * work[at.scale + j]
        finite = finite and abs(coef_out[j]) < math.inf
    if not fit_intercept:
        return fixed, finite
    for j in range(coef_out.shape[0]):
        work[at.half + j] = coef_out[j]
    level = work[at.theta + slopes]
    level = level_less_products(level, 1.0, work, at.half, at.center, coef_out.shape[0])
    return level, finite and abs(level) < math.inf


@part
def unfinished(status: int, coef_out: Any) -> SmallFit:
    """End without coefficients: these are NaN."""
    for j in range(coef_out.shape[0]):
        coef_out[j] = math.nan
    return SmallFit(status, 0, math.nan, math.inf, math.nan, math.nan, 0, 0)


class Begun(NamedTuple):
    """Rows that were taken into the work array, or the status that says why they were not.

    `reach` is the largest offset, `fixed` what the intercept is held at (0 where it is fitted).
    """

    status: int
    at: Places
    weight: float
    reach: float
    fixed: float


@part
def take_rows(
    X: Any, y: Any, positive: int, sample_weight: Any, offset: Any, l2_reg: Any,
    intercept: float, fit_intercept: bool, start: Any, needed: int,
    work: Any, history_out: Any, coef_out: Any,
) -> Begun:  # fmt: skip
    """Check what `fit_small` is given, and standardise the rows; `needed` is the size of `work`."""
    n_features = X.shape[1]
    fixed = 0.0 if fit_intercept else intercept
    at = lay_out(work, 0, n_features, 0)
    if not (
        y.shape[0] == X.shape[0]
        and is_length(sample_weight, X.shape[0])
        and is_length(offset, X.shape[0])
        and l2_reg.shape[0] == n_features
        and is_length(start, n_features + 1)
        and coef_out.shape[0] == n_features
    ):
        return Begun(BAD_SHAPE, at, 0.0, 0.0, fixed)
    if work.shape[0] < needed or history_out.shape[0] == 0:
        return Begun(TOO_LARGE, at, 0.0, 0.0, fixed)
    status, n_rows, unit = weigh_rows(y, positive, sample_weight)
    if status != CONVERGED:
        return Begun(status, at, 0.0, 0.0, fixed)
    at = lay_out(work, n_rows, n_features, 0)
    bad = copy_rows(X, y, positive, sample_weight, unit, offset, fixed, work, at)
    if not (bad == 0.0 and abs(fixed) < math.inf):
        return Begun(NOT_FINITE, at, 0.0, 0.0, fixed)
    weight = total_weight(work, at, sample_weight.shape[0] > 0)
    status, size = standardize(work, at, weight, l2_reg, fit_intercept)
    at = lay_out(work, n_rows, n_features, size)
    reach = largest(work, at.offset, n_rows) if offset.shape[0] > 0 else abs(fixed)
    return Begun(status, at, weight, reach, fixed)


@part
def finished(
    work: Any, at: Places, end: End, fit_intercept: bool, fixed: float, coef_out: Any
) -> SmallFit:
    """Put the coefficients of `theta` into `coef_out`, and return how the fit ended."""
    level, finite = coefficients(work, at, fit_intercept, fixed, coef_out)
    if not finite:
        return unfinished(EXTREME, coef_out)
    norm = largest_slope(work, at, coef_out.shape[0], fit_intercept)
    evaluations, hessians = int(work[at.counts]), int(work[at.counts + 1])
    return SmallFit(end.status, end.n_iter, end.cost, end.bound, norm, level, evaluations, hessians)


def _fit_small(
    X: Any, y: Any, positive: int, sample_weight: Any, offset: Any, l2_reg: Any,
    intercept: float, fit_intercept: bool, start: Any, tol: float, max_iter: int,
    work: Any, history_out: Any, coef_out: Any,
) -> SmallFit:  # fmt: skip
    """Fit one small binomial model by Newton's method: one call, which allocates nothing.

    Minimises ``sum(w log(1 + e^-s z)) / sum(w) + sum(l2_reg coef^2) / 2`` with ``z = X @ coef +
    intercept + offset`` and s = 1 where ``y == positive``, else -1. Copies X into `work`, and hears
    Ctrl-C only when it returns: for some 100,000 numbers of X and 60 columns at the most.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Of any layout and number type.
    y : ndarray of shape (n_samples,)
        Labels: whole numbers, or numbers.
    positive : int
        The label that counts as 1.
    sample_weight, offset : ndarray of float64, shape (n_samples,) or (0,)
        Weights >= 0 of the rows, and what is added to their raw predictions; none if empty.
    l2_reg : ndarray of float64, shape (n_features,)
        Strength of the penalty on each column, on the scale of the mean loss.
    intercept : float
        What the intercept is held at where `fit_intercept` is False.
    fit_intercept : bool
    start : ndarray of float64, shape (n_features + 1,) or (0,)
        Coefficients and intercept to begin with, where they cost less than no slopes at all.
    tol : float
        Bound wanted on (cost - optimum) / optimum.
    max_iter : int
    work : ndarray of float64, shape (small_work_size(n_samples, n_features),) or longer
        All of it is overwritten.
    history_out : ndarray of float64, shape (max_iter + 1,)
        Gets the costs; fewer numbers end the fit sooner.
    coef_out : ndarray of float64, shape (n_features,)
        Gets the coefficients, in the units of X; NaN where the status is EXTREME or later.

    Returns
    -------
    SmallFit
        Status, iterations, cost, proven bound, size of the gradient, intercept.

    Notes
    -----
    Statuses: CONVERGED (the bound is at most `tol`), MAX_ITER, ROUNDING (no further progress in
    float64; the bound says what is proven), SEPARABLE (a direction that separates the classes, seen
    at every row), SINGULAR (collinear columns), EXTREME (columns, weights or strengths of odd size:
    `fastlogit.fit` takes them), NOT_FINITE, ONE_CLASS, NO_ROWS (none has weight), TOO_LARGE (`work`
    or `history_out` is too short), BAD_SHAPE (arrays do not match).
    """
    begun = take_rows(
        X, y, positive, sample_weight, offset, l2_reg, intercept, fit_intercept, start,
        work_size(X.shape[0], X.shape[1]), work, history_out, coef_out,
    )  # fmt: skip
    if begun.status != CONVERGED:
        return unfinished(begun.status, coef_out)
    at, weight = begun.at, begun.weight
    cost = begin(work, at, weight, start, fit_intercept)
    if not (abs(cost) < math.inf and largest(work, at.gradient, at.size) < math.inf):
        return unfinished(NOT_FINITE, coef_out)
    most = smaller(max_iter, history_out.shape[0] - 1)
    end = iterate(work, at, weight, begun.reach, fit_intercept, cost, tol, most, history_out)
    return finished(work, at, end, fit_intercept, begun.fixed, coef_out)


fit_small = entry(_fit_small, name="whole")
