"""Newton's method under L1 and bounds for one small binomial model: one compiled, serial call.

What `binomial` is for L2: rows, passes, factors and looks for separation are the same. Each
step goes to the minimum of the model of second order plus L1 (Lee, Sun and Saunders, 2014, SIAM
Journal on Optimization 24), see `l1_model`. It is `solvers.proximal_newton` and
`certificates.composite` for one model and all of its columns, with the same formulas, tolerances
and rounding errors; what it does not do ends with a status that asks for the general way.
"""

from __future__ import annotations

import math
from typing import Any

from ..inlining import keep_apart
from ..policy import entry, part
from . import binomial, intake, proofs, row_sums, separation, solves, steps
from .arithmetic import clear, dot, larger, largest, smaller, step_to
from .binomial import SmallFit
from .endings import BAD_SHAPE, CONVERGED, MAX_ITER, NOT_FINITE, ROUNDING, SEPARABLE
from .iteration import End
from .l1_model import (
    allowed,
    beside,
    clip,
    frame,
    is_corner,
    is_flat,
    l1_work_size,
    least_slope,
    minimize_model,
    of_l1,
    promise,
    take_corners,
)
from .layout import Places
from .proofs import EPS, RAISED, Proof, meets

__all__ = ["fit_small_l1", "small_l1_work_size"]

# As in solvers.proximal_newton.
DECREASE, MAX_TRIALS, SHORT, ROUNDING_OF_COST = 1e-4, 30, 0.01, 4e-15
PATIENCE, NEAR = 4, 1e-12
# The cost along a step is at most its slope plus half its square times 2 (e - 2) where no raw
# prediction changes by more than 1: with a slope of so many squares it falls.
SURE = 0.75
# As in certificates.composite.
FACES, NEARLY, STRENGTH_ERRORS = 6, 1.0 + 1e-6, 4.0


def _small_l1_work_size(n_samples: int, n_features: int) -> int:
    """Return how many float64 the work array of a fit with L1 needs.

    Parameters
    ----------
    n_samples, n_features : int
        Shape of X; more rows or columns need more.
    """
    return l1_work_size(n_samples, n_features)


small_l1_work_size = entry(_small_l1_work_size)


@part
def evaluate(work: Any, at: Places, weight: float, theta: int, gradient: int) -> float:
    """Cost with L1 at theta; sets the gradient of what is smooth, and the rest as `small` does."""
    return row_sums.evaluate(work, at, weight, theta, gradient) + of_l1(work, at, theta)


# ------------------------------------------------------------------------------------------------
# The proof: see certificates.composite


@part
def dual_gain(delta: float, tau: float) -> float:
    return 0.5 * delta * delta / (1.0 - tau) if tau < 1.0 and delta < math.inf else math.inf


@part
def mark_movable(work: Any, at: Places, margin: float) -> None:
    """Mark the columns that may move at theta, and put what holds the others into `slopes`.

    `margin` is what rounding errors may add to a slope.
    """
    by = beside(at)
    clear(work, by.inside, by.inside + at.width)
    for k in range(at.size):
        low, high = allowed(work, at, at.theta, k)
        slope = work[at.gradient + k]
        slack = smaller(slope - low, high - slope) - margin
        work[by.slopes + k] = slack - STRENGTH_ERRORS * EPS * work[by.l1 + k]
        is_held = is_corner(work, at, at.theta, k) and work[by.slopes + k] > 0.0
        work[by.inside + k] = 0.0 if is_held else 1.0


@part
def slopes_of_face(work: Any, at: Places) -> float:
    """Put the slopes of the cost on the columns inside into `half`; returns their largest L1."""
    by, strongest = beside(at), 0.0
    clear(work, at.half, at.half + at.width)
    for k in range(at.size):
        if work[by.inside + k] > 0.0:
            low, high = allowed(work, at, at.theta, k)
            slope = work[at.gradient + k]
            # Where it is at no corner both are the same.
            held = low if abs(slope - low) < abs(high - slope) else high
            work[at.half + k] = slope - held
            strongest = larger(strongest, work[by.l1 + k])
    return strongest


@part
def reach_of_step(work: Any, at: Places, radius: float, size: float, beyond: float) -> float:
    """Bound the raw predictions of the exact step, from those of `direction`.

    `radius` is by the rows' curvatures, `size` the root of the trace of M^-1, and `beyond` bounds
    what the exact step has beside, in the norm of M. Overwrites `matrix` and the raw predictions.
    """
    row_sums.predict_rows(work, at, at.direction, 0.0)
    most = 0.0
    for row in range(at.n_rows):
        if work[at.curvature + row] > 0.0:
            most = larger(most, abs(work[at.raw + row]))
    row_size = math.sqrt(proofs.largest_form(work, at, False))
    length = math.sqrt(dot(work, at.direction, at.direction, at.width))
    raw = EPS * (proofs.RAW_ERRORS + math.sqrt(float(at.size)))
    return most + raw * length * row_size + smaller(radius, row_size * size) * beyond


@part
def prove(
    work: Any, at: Places, weight: float, cost: float, offset: float, wanted: float, square: float
) -> Proof:
    """Bound what the cost at theta lacks; stop looking once it is `wanted`.

    `square` is that of the step to `target`, in the norm of the Hessian M: it lowers the cost for
    sure where no raw prediction can change by 1, as long as the model promises 3/4 of that.

    Overwrites what belongs to the quadratic model but its Hessian, and the raw predictions.
    """
    keep_apart()
    nothing = Proof(math.inf, 0.0, False)
    by, errors = beside(at), proofs.errors_of_sums(at)
    sums = errors * smaller(1.0, math.sqrt(cost))
    rows = proofs.errors_of_rows(work, at, cost, offset)
    mark_movable(work, at, sums + 0.5 * rows)
    least, _ = proofs.least_curvature(work, at)
    for _ in range(FACES):
        strongest = slopes_of_face(work, at)
        n_outside = float(frame(work, at))
        if not solves.solve_slopes(work, at):
            return nothing
        inverse_trace, scaled_trace = proofs.traces(work, at)
        size = math.sqrt(RAISED * (inverse_trace - n_outside))
        error = errors * RAISED * (scaled_trace - n_outside)
        if not error < 0.5:
            return nothing
        swell = math.sqrt(1.0 / (1.0 - error))
        noise = (sums + STRENGTH_ERRORS * EPS * strongest) * size + rows
        half = math.sqrt(dot(work, at.half, at.half, at.width))
        delta, radius = (half + noise) * swell, math.sqrt(weight / least) * swell
        gain = dual_gain(delta, delta * radius)
        if gain > wanted and (0.5 * delta * delta <= wanted or gain == math.inf):
            # The step is solved with errors of the kind that sums leave in M.
            beyond = (noise + 2.0 * error * half) * swell
            gain = smaller(gain, dual_gain(delta, reach_of_step(work, at, radius, size, beyond)))
        if not gain < math.inf:
            return nothing
        # The root mean square of a standardised column is 1 at most.
        grows = False
        for k in range(at.size):
            if work[by.inside + k] == 0.0 and work[by.slopes + k] < 0.5 * NEARLY * delta:
                work[by.inside + k], grows = 1.0, True
        if not grows:
            return Proof(gain, noise, square * radius * radius < 1.0)
    return nothing


# ------------------------------------------------------------------------------------------------
# The iteration


@part
def search(work: Any, at: Places, weight: float, cost: float, promised: float) -> float:
    """Step towards `target` until the cost has decreased enough, and take that point.

    Returns the cost there; infinite where only next to nothing of the step does.
    """
    by, size = beside(at), 1.0
    slack = ROUNDING_OF_COST * abs(cost)
    step_to(work, by.target, -1.0, at.theta, at.direction, at.width)
    step_to(work, by.target, 0.0, by.target, at.trial, at.width)
    for _ in range(MAX_TRIALS):
        found = evaluate(work, at, weight, at.trial, at.trial_gradient)
        fall = cost - found
        is_finite = largest(work, at.trial_gradient, at.size) < math.inf
        if is_finite and fall >= -DECREASE * size * promised - slack:
            steps.accept(work, at)
            return found
        size *= 0.5 if fall > -abs(cost) else 0.1
        if size < SHORT:
            break
        step_to(work, at.theta, size, at.direction, at.trial, at.width)
        clip(work, at, at.trial)
    return math.inf


@part
def majorize(work: Any, at: Places, weight: float, cost: float) -> float:
    """Go to the minimum of a function above the cost; returns the cost there, infinite if no lower.

    It touches the cost at theta: see `small.binomial.majorizing_curvature`.
    """
    by = beside(at)
    evaluate(work, at, weight, at.theta, at.gradient)
    binomial.majorizing_curvature(work, at)
    row_sums.sum_hessian(work, at, weight, at.residual)
    minimize_model(work, at)
    step_to(work, by.target, 0.0, by.target, at.trial, at.width)
    found = evaluate(work, at, weight, at.trial, at.trial_gradient)
    if found < cost and largest(work, at.trial_gradient, at.size) < math.inf:
        steps.accept(work, at)
        return found
    return math.inf


@part
def is_free(work: Any, at: Places, k: int) -> bool:
    """Say whether neither a penalty nor a bound holds a parameter."""
    by = beside(at)
    held = work[at.l2 + k] > 0.0 or work[by.l1 + k] > 0.0
    return not (held or work[by.lower + k] > -math.inf or work[by.upper + k] < math.inf)


look_for_separation, last_change_separates = separation.make_looks(
    *separation.make_separates(is_free)
)
begin = binomial.make_begin(evaluate)


@part
def take_least_slopes(work: Any, at: Places) -> None:
    """Put the slopes of the cost at theta, the least at corners, in the place of the gradient."""
    for k in range(at.size):
        work[at.gradient + k] = least_slope(work, at, k)


@part
def iterate(
    work: Any, at: Places, weight: float, offset: float, fit_intercept: bool, cost: float,
    tol: float, max_iter: int, history_out: Any,
) -> End:  # fmt: skip
    """Go on from the evaluated point `theta` until it is proven to be near, or cannot be."""
    n_iter, waited, lowest = 0, 0, math.inf
    history_out[0] = cost
    while True:
        wanted, bound = tol * abs(cost), math.inf
        row_sums.sum_hessian(work, at, weight, at.curvature)
        minimize_model(work, at)
        promised, square = promise(work, at)
        fall, flat = -promised - 0.5 * square, is_flat(work, at)
        lack = larger(fall, 0.0) if abs(fall) < math.inf and not flat else math.inf
        waited = 0 if lack < 0.5 * lowest else waited + 1
        lowest = smaller(lowest, lack)
        idle = waited >= PATIENCE and lack <= NEAR * abs(cost)
        if lack <= wanted or idle or n_iter >= max_iter:
            proof = prove(work, at, weight, cost, offset, wanted, square)
            bound = proofs.relative(
                proof.gain + proofs.lost_in_units(work, at, fit_intercept), cost
            )
            if meets(bound, tol):
                take_least_slopes(work, at)
                if proof.is_sure and promised <= -SURE * square and max_iter > 0:
                    by = beside(at)
                    step_to(work, by.target, 0.0, by.target, at.theta, at.width)
                return End(CONVERGED, n_iter, cost, bound)
            if idle:
                return End(ROUNDING, n_iter, cost, bound)
        if n_iter >= max_iter:
            return End(MAX_ITER, n_iter, cost, bound)
        found = math.inf if flat else search(work, at, weight, cost, promised)
        if not found < math.inf:
            found = majorize(work, at, weight, cost)
        if not found < math.inf:
            separable = last_change_separates(work, at, fit_intercept)
            return End(SEPARABLE if separable else ROUNDING, n_iter, cost, math.inf)
        cost = found
        n_iter += 1
        history_out[n_iter] = cost
        if look_for_separation(work, at, n_iter, fit_intercept):
            return End(SEPARABLE, n_iter, cost, math.inf)


def _fit_small_l1(
    X: Any, y: Any, positive: int, sample_weight: Any, offset: Any, l1_reg: Any, l2_reg: Any,
    lower: Any, upper: Any, intercept: float, fit_intercept: bool, start: Any, tol: float,
    max_iter: int, work: Any, history_out: Any, coef_out: Any,
) -> SmallFit:  # fmt: skip
    """Fit one small binomial model with L1: one call, which allocates nothing.

    Minimises ``sum(w log(1 + e^-s z)) / sum(w) + sum(l1_reg |coef|) + sum(l2_reg coef^2) / 2``
    with ``z = X @ coef + intercept + offset`` and s = 1 where ``y == positive``, else -1, within
    ``lower <= coef <= upper``. As `fit_small` it copies X into `work`, and hears Ctrl-C only when
    it returns.

    Parameters
    ----------
    X, y, positive, sample_weight, offset, l2_reg, intercept, fit_intercept, tol, max_iter
        As for `fit_small`.
    l1_reg : ndarray of float64, shape (n_features,)
        Strength of L1 on each column, on the scale of the mean loss; 0 is none.
    lower, upper : ndarray of float64, shape (n_features,) or (0,)
        The least and the largest value of each coefficient; none if empty.
    start : ndarray of float64, shape (n_features + 1,) or (0,)
        As for `fit_small`; the nearest point within the bounds.
    work : ndarray of float64, shape (small_l1_work_size(n_samples, n_features),) or longer
        All of it is overwritten.
    history_out, coef_out
        As for `fit_small`; coefficients are exactly 0, or at a bound, where the optimum is.

    Returns
    -------
    SmallFit
        Its costs have L1, its gradient is the least slope that there is at a corner.

    Notes
    -----
    Statuses as of `fit_small`; EXTREME also where bounds leave no coefficient, or none to a column
    that does not vary.
    """
    begun = binomial.take_rows(
        X, y, positive, sample_weight, offset, l2_reg, intercept, fit_intercept, start,
        l1_work_size(X.shape[0], X.shape[1]), work, history_out, coef_out,
    )  # fmt: skip
    if begun.status != CONVERGED:
        return binomial.unfinished(begun.status, coef_out)
    n_features = X.shape[1]
    if not (
        l1_reg.shape[0] == n_features
        and intake.is_length(lower, n_features)
        and intake.is_length(upper, n_features)
    ):
        return binomial.unfinished(BAD_SHAPE, coef_out)
    at, weight = begun.at, begun.weight
    status = take_corners(work, at, l1_reg, lower, upper, fit_intercept)
    if status != CONVERGED:
        return binomial.unfinished(status, coef_out)
    cost = begin(work, at, weight, start, fit_intercept)
    if clip(work, at, at.theta):
        cost = evaluate(work, at, weight, at.theta, at.gradient)
    if not (abs(cost) < math.inf and largest(work, at.gradient, at.size) < math.inf):
        return binomial.unfinished(NOT_FINITE, coef_out)
    most = smaller(max_iter, history_out.shape[0] - 1)
    end = iterate(work, at, weight, begun.reach, fit_intercept, cost, tol, most, history_out)
    if end.status != CONVERGED:
        take_least_slopes(work, at)
    return binomial.finished(work, at, end, fit_intercept, begun.fixed, coef_out)


fit_small_l1 = entry(_fit_small_l1, name="whole")
