"""From a checked problem to its optimum, and to the result that says what is proven of it."""

from __future__ import annotations

import contextlib
import time
import warnings
from dataclasses import replace

import numpy as np

from ..arrays import Matrix, Vector
from ..clock import TimeUp
from ..errors import DivergenceError, SeparationWarning
from ..inputs import validation
from ..objective.group_penalty import GroupL1
from ..objective.losses import RowLoss
from ..objective.objective import Objective
from ..objective.penalties import L2
from ..result import FitResult
from ..solvers.choice import METHODS_OF_L1, evaluate_at_last, outcome_of, solve
from ..solvers.gradient_descent import Options
from ..solvers.gradient_descent import gradient_descent as descend
from ..solvers.start import begin, default_start
from ..solvers.stopping import StoppingRule, certificate_of, separation_of, stated
from ..solvers.trace import Limits, Outcome, Reason, Trace
from .column_groups import scale_groups
from .messages import message_of, stack_level
from .problem import (
    CheckedProblem,
    refuse_bad_columns,
    set_clock,
    standardize_by,
    stop_clock,
    stride_of,
)
from .shown import at_corners, bounds_of, of_columns, strengths_of_l1

__all__ = ["conclude", "look_at_columns", "minimise", "start_of", "stay"]


def minimise(
    problem: CheckedProblem, solver: str, descent: tuple[Options, bool] | None, limits: Limits,
    began: float, has_corners: bool = False,
) -> FitResult:  # fmt: skip
    """Fit a checked problem, wherever its rows lie.

    Parameters
    ----------
    problem : CheckedProblem
    solver : str
    descent : tuple or None
        Options of gradient descent, and whether to standardise: of that solver alone.
    limits : Limits
    began : float
    has_corners : bool, default False
        Whether there is L1, or bounds.
    """
    objective = problem.objective
    set_clock(objective, began, limits.time_limit)
    if descent is not None:
        look_at_columns(problem, descent[1])
        if limits.max_iter == 0:
            return stay(problem, "gradient_descent", limits, began)
        stride = stride_of(objective)
        level = objective.rows.n_offsets
        try:
            theta, _ = _first_theta(problem, stride, limits, began, level=level)
        except KeyboardInterrupt:
            return stay(problem, "gradient_descent", limits, began, interrupted=True)
        coef, levels = objective.split(theta)
        start = np.ascontiguousarray(coef), np.ascontiguousarray(levels)
        outcome = descend(objective, start, descent[0], began, stride, certified=True)
        return conclude(problem, outcome, descent[0], "gradient_descent", began)
    stride = stride_of(objective)
    # Under L1 the proof asks for the columns' sizes over all rows.
    standardize_by(objective, 1 if has_corners else stride)
    refuse_bad_columns(problem)
    scale_groups(objective)
    if limits.max_iter == 0:
        return stay(problem, solver, limits, began)
    try:
        theta, is_warm = _first_theta(problem, stride, limits, began)
    except KeyboardInterrupt:
        return stay(problem, solver, limits, began, interrupted=True)
    # Where all factors are 0 there is no L1.
    solver = "auto" if solver in METHODS_OF_L1 else solver
    outcome = solve(objective, theta, solver, stride, is_warm, limits, began)
    return conclude(problem, outcome, limits, outcome.choice.partition(" ")[0], began)


def stay(
    problem: CheckedProblem, solver: str, limits: Limits, began: float, interrupted: bool = False
) -> FitResult:
    """Return the start as it is, with what can be proven about it: what max_iter=0 asks for.

    Raises KeyboardInterrupt with it after Ctrl-C.
    """
    objective = problem.objective
    theta = objective.join(*start_of(problem))
    if problem.start is None and objective.fit_intercept:
        theta = default_start(objective)
    theta = objective.within_bounds(theta)
    trace = Trace(limits, began, objective)
    point = evaluate_at_last(objective, theta, trace)
    rule = StoppingRule(
        limits.tol, objective.n_models, certificate_of(objective, 1), separation_of(objective)
    )
    finite = np.isfinite(point.cost).all() and np.isfinite(point.gradient).all()
    reason = Reason.INTERRUPTED if finite else Reason.NOT_FINITE
    if finite and not interrupted:
        reason = rule.conclude(point, Reason.MAX_ITER)
    choice = "the start (max_iter=0)" if reason == Reason.CONVERGED else ""
    outcome = outcome_of(objective, point, rule, trace, reason, choice)
    return conclude(problem, outcome, limits, solver, began)


def start_of(problem: CheckedProblem) -> tuple[Matrix, Vector]:
    """Return the start on the standardised scale: the user's, or zeros."""
    objective = problem.objective
    if problem.start is not None:
        with np.errstate(over="ignore", invalid="ignore"):
            coef, intercept = problem.start
            if objective.l1 is None or isinstance(objective.l1, GroupL1):
                coef, intercept = objective.loss.settle(coef, intercept, objective.fit_intercept)
    else:
        coef = np.zeros((objective.n_outputs, objective.design.shape[1]))
        intercept = np.zeros(objective.n_outputs)
    if problem.fixed_intercept is not None:
        intercept = np.full_like(intercept, problem.fixed_intercept)
    return objective.from_user(coef, intercept)


def _first_theta(
    problem: CheckedProblem, stride: int, limits: Limits, began: float, level: bool | int = True
) -> tuple[Matrix, bool]:
    """Return the start, and whether it is a better one than the optimum of a subsample.

    Where the intercept is fitted and `level` asked for, the default is at the classes' shares.
    """
    objective = problem.objective
    if objective.fit_intercept and level:
        default = default_start(objective)
    else:
        default = objective.join(*start_of(replace(problem, start=None)))
    given = None if problem.start is None else objective.join(*start_of(problem))
    return begin(objective, given, default, stride, limits, began)


def look_at_columns(problem: CheckedProblem, standardize: bool) -> None:
    """Look at each value of X once, through its column means, and standardise if asked."""
    objective = problem.objective
    if standardize:
        standardize_by(objective, 1)
        refuse_bad_columns(problem)
        return
    # Where the time is up values that are not finite show in the cost of the start.
    with contextlib.suppress(TimeUp):
        if not np.isfinite(objective.rows.column_means()).all():
            validation.refuse_not_finite(objective.design, problem.names)


def _in_units_of_x(objective: Objective, outcome: Outcome) -> tuple[Matrix, Vector]:
    """Return coefficients and intercepts; raise ValueError where these are beyond float64."""
    with np.errstate(over="ignore", invalid="ignore"):
        coef, intercept = objective.to_user(outcome.coef, outcome.intercept)
    if np.isfinite(coef).all() and np.isfinite(intercept).all():
        return coef, intercept
    raise ValueError(
        "coefficients or intercepts in the units of X are too large for float64; give smaller "
        "offsets or a penalty, or divide the columns of X by their largest values first"
    )


def conclude(
    problem: CheckedProblem, outcome: Outcome, limits: Limits, solver: str, began: float
) -> FitResult:
    """Put the outcome in the user's units; warn or raise as the reason asks for."""
    stop_clock(problem.objective)
    outcome.bound, outcome.bounds = stated(outcome.bound), stated(outcome.bounds)
    if outcome.reason == Reason.ROUNDING and limits.tol == 0.0 and np.isfinite(outcome.bound).all():
        outcome.reason = Reason.CONVERGED  # the end that the user asked for
    objective = problem.objective
    if not np.isfinite(outcome.history[0]).all() or outcome.reason == Reason.NOT_FINITE:
        validation.refuse_not_finite(objective.design, problem.names)
        raise ValueError(
            "the cost at the start is not finite; start from smaller coefficients, or from none, "
            "or divide the columns of X by their largest values first"
        )
    stable = 1.0 / objective.curvature_bound() if outcome.reason == Reason.DIVERGED else 0.0
    seconds = time.perf_counter() - began
    message = message_of(problem, outcome, limits, stable, seconds)
    coef, intercept = _in_units_of_x(objective, outcome)
    message += at_corners(objective.user_l1, coef)
    binary, coupled = problem.classes.size == 2, objective.n_models == 1
    result = FitResult(
        coef=coef[0] if binary else np.ascontiguousarray(coef.T),
        intercept=float(intercept[0]) if binary else intercept,
        classes=problem.classes,
        n_iter=outcome.n_iter,
        n_passes=round(objective.design.n_passes, 3),
        converged=outcome.reason == Reason.CONVERGED,
        message=message,
        history=outcome.history[:, 0] if coupled else outcome.history,
        gradient_norm=float(np.abs(outcome.gradient).max()),
        suboptimality=float(outcome.bound[0]) if coupled else outcome.bound,
        seconds=seconds,
        solver=solver,
        multi_class=problem.multi_class,
        l2_reg=of_columns(objective.user_penalty, binary or coupled),
        penalty=None if isinstance(objective.user_penalty, L2) else objective.user_penalty,
        l1_reg=strengths_of_l1(objective.user_l1, binary or coupled),
        coef_bounds=bounds_of(objective.user_l1),
        penalty_groups=None if problem.groups is None else problem.groups.labels,
        loss=objective.loss if isinstance(objective.loss, RowLoss) else None,
        fractional=problem.data.shares is not None,
        fit_intercept=objective.fit_intercept,
        passes=outcome.passes, times=outcome.times,
        bounds=outcome.bounds[:, 0] if coupled else outcome.bounds,
        feature_names=problem.feature_names,
        categories=problem.data.rows.categories,
    )  # fmt: skip
    if outcome.reason == Reason.DIVERGED:
        raise DivergenceError(message, result)
    if outcome.reason == Reason.INTERRUPTED:
        interrupt = KeyboardInterrupt(message)
        interrupt.result = result  # type: ignore[attr-defined]
        raise interrupt
    if outcome.reason == Reason.SEPARABLE:
        warnings.warn(message, SeparationWarning, stacklevel=stack_level())
    elif outcome.reason in (Reason.MAX_ITER, Reason.TIME_LIMIT, Reason.ROUNDING, Reason.COLLINEAR):
        from sklearn.exceptions import ConvergenceWarning

        warnings.warn(message, ConvergenceWarning, stacklevel=stack_level())
    return result
