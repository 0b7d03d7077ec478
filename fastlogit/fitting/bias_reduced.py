"""Fits of reduced bias: from what the user asks to a `FitResult`."""

from __future__ import annotations

import time
import warnings
from typing import NamedTuple

import numpy as np

from ..arrays import Vector
from ..bias_reduction.estimate import CALLED, KINDS, Dependent, Estimate, estimate
from ..bias_reduction.maximum import EXACT, End
from ..bias_reduction.points import Point
from ..clock import TimeUp
from ..design.opening import open_rows
from ..inputs.given import Data
from ..objective.binomial import Binomial
from ..objective.labelled_rows import LabelledRows
from ..objective.objective import Objective
from ..options import check_option
from ..result import FitResult
from ..solvers.start import default_start
from ..solvers.trace import Limits, Reason, Trace
from ..solvers.trace import Point as TracePoint
from .messages import stack_level
from .problem import (
    CheckedProblem,
    check_intercept,
    refuse_bad_columns,
    set_clock,
    standardize_by,
    stop_clock,
    stride_of,
)

__all__ = ["FIRTH", "KINDS", "fit_bias_reduced", "kind_of", "refuse_beside"]

FIRTH = "firth"
# A start by some of the rows is worth it from so many on.
ENOUGH_ROWS = 16_384
# Of a score that is larger, in standard errors, no message says that it is 0.
STATIONARY = 1e-3


def kind_of(penalty: object, bias_reduction: object) -> str | None:
    """Return which reduction of bias is asked for, by either option; None for none.

    Raises
    ------
    TypeError, ValueError
        If one is no such choice, or they contradict each other.
    """
    kind = "mean" if isinstance(penalty, str) and penalty == FIRTH else None
    if bias_reduction is None:
        return kind
    if kind is None:
        return check_option("bias_reduction", bias_reduction, KINDS)
    found = check_option("bias_reduction", bias_reduction, KINDS)
    if found == "median":
        raise ValueError(
            "penalty='firth' is the mean bias reduction, and bias_reduction='median' is another: "
            "give one of them"
        )
    return found


def refuse_beside(kind: str, data: Data, given: dict[str, object], intercept: object) -> None:
    """Raise for what an estimate of reduced bias does not go with.

    `given` has the other options of the fit that the user gave.
    """
    for name, value in given.items():
        if value is not None:
            raise ValueError(
                f"bias_reduction={kind!r} takes no other penalty, link, loss, bounds or solver, "
                f"got {name}={_short(value)}; leave {name} out"
            )
    if data.shares is not None:
        raise ValueError(
            f"bias_reduction={kind!r} is for labels, not for fractional=True; of counts give a row "
            "for each class with its number as sample_weight"
        )
    if data.classes.size > 2:
        raise ValueError(
            f"bias_reduction={kind!r} is for two classes, found {data.classes.size}; fit one class "
            "against the others (y == label) or against a reference class at a time"
        )
    if kind in ("flic", "flac") and check_intercept(intercept) is not None:
        raise ValueError(
            f"bias_reduction={kind!r} corrects the intercept, which is not fitted here "
            f"(intercept={intercept!r}); use bias_reduction='mean'"
        )


def fit_bias_reduced(
    data: Data, kind: str, intercept: object, n_threads: int | None, limits: Limits, began: float
) -> FitResult:
    """Return the fit of reduced bias of checked rows; see `fit`.

    Raises
    ------
    ValueError
        If columns are combinations of others.
    KeyboardInterrupt
        With the best point so far.
    """
    fixed = check_intercept(intercept)
    rows = LabelledRows(
        open_rows(data.rows.X, n_threads), Binomial(), data.codes, [1], data.weights, data.offset,
        fixed is None,
    )  # fmt: skip
    objective = Objective(rows, 0.0)
    problem = CheckedProblem(data, objective, data.start, fixed, "ovr")
    set_clock(objective, began, limits.time_limit)
    stride = stride_of(objective) if rows.design.shape[0] >= ENOUGH_ROWS else 1
    standardize_by(objective, stride)
    refuse_bad_columns(problem)
    trace = Trace(limits, began, objective)
    progress = _Progress(trace, limits)
    theta = _start(problem)
    found: Estimate | None = None
    try:
        objective.design.counter.phase = CALLED[kind]
        found = estimate(
            objective, kind, theta, stride=stride, exact=max(limits.tol, EXACT),
            most_steps=limits.max_iter, note=progress.note,
        )  # fmt: skip
    except Dependent as error:
        raise _not_identified(error.columns, problem) from None
    except TimeUp:
        progress.reason = Reason.TIME_LIMIT
    except KeyboardInterrupt:
        progress.reason = Reason.INTERRUPTED
    stop_clock(objective)
    return _conclude(problem, kind, found, progress, theta, began)


class _Progress:
    """Keeps the last point, and says when the user or a limit ends the fit."""

    def __init__(self, trace: Trace, limits: Limits) -> None:
        self.trace, self.limits = trace, limits
        self.last: Point | None = None
        self.reason: Reason | None = None

    def note(self, point: Point) -> bool:
        self.last = point
        mean = np.array([point.cost / float(self.trace.objective.rows.total_weight[0])])
        known = TracePoint(point.theta[None], mean, point.gradient[None])
        if not self.trace.history:
            self.trace.begin(known)
        self.reason = self.trace.note(known)
        if self.reason is Reason.MAX_ITER:
            self.reason = None
        return self.reason is not None


def _start(problem: CheckedProblem) -> Vector:
    """Return the user's start, or no slopes and the intercept of the classes' shares."""
    objective = problem.objective
    if problem.start is None:
        if objective.fit_intercept:
            return default_start(objective)[0]
        coef, level = np.zeros((1, objective.design.shape[1])), np.zeros(1)
    else:
        coef, level = problem.start
    if problem.fixed_intercept is not None:
        level = np.full(1, problem.fixed_intercept)
    return objective.join(*objective.from_user(coef, level))[0]


def _not_identified(columns: list[int], problem: CheckedProblem) -> ValueError:
    names = problem.names or [str(column) for column in range(problem.objective.design.shape[1])]
    listed = ", ".join(names[column] for column in columns[:10])
    listed += f" and {len(columns) - 10} more" if len(columns) > 10 else ""
    one = len(columns) == 1
    others = "the intercept and the other columns"
    return ValueError(
        f"the rows do not tell the coefficient{'' if one else 's'} of column"
        f"{'' if one else 's'} {listed}: {'it is' if one else 'they are'} constant or a "
        f"combination of {others if problem.objective.fit_intercept else 'other columns'}, and the "
        "information, whose determinant bias reduction needs, is singular. Leave out as many "
        "columns; of indicator columns leave out one level (categories='reference')"
    )


class _Ended(NamedTuple):
    """How a fit ended, for the user."""

    converged: bool
    message: str
    warns: bool


def _conclude(
    problem: CheckedProblem, kind: str, found: Estimate | None, progress: _Progress, theta: Vector,
    began: float,
) -> FitResult:  # fmt: skip
    objective, trace = problem.objective, progress.trace
    if found is not None:
        theta, gradient = found.theta, found.found.point.gradient
    elif progress.last is not None:
        theta, gradient = progress.last.theta, progress.last.gradient
    else:
        gradient = np.full(theta.size, np.nan)
    if found is not None and not trace.history:
        mean = np.array([found.found.point.cost / found.score.total])
        trace.begin(TracePoint(theta[None], mean, gradient[None]))
    coef, level = objective.to_user(*objective.split(theta))
    total = float(objective.rows.total_weight[0])
    slopes = objective.user_gradient(*(part / total for part in objective.split(gradient)))
    ended = _ended(kind, found, progress)
    history = np.array(trace.history).reshape(-1)
    result = FitResult(
        coef=coef[0],
        intercept=float(level[0]),
        classes=problem.classes,
        n_iter=trace.n_iter,
        n_passes=round(objective.design.n_passes, 3),
        converged=ended.converged,
        message=ended.message,
        history=history,
        gradient_norm=float(np.abs(slopes).max()),
        suboptimality=np.inf,
        seconds=time.perf_counter() - began,
        solver="fisher-scoring",
        l2_reg=np.zeros(coef.shape[1]),
        fit_intercept=objective.fit_intercept,
        passes=np.array(trace.passes),
        times=np.array(trace.times),
        bounds=np.full(history.size, np.inf),
        feature_names=problem.feature_names,
        categories=problem.data.rows.categories,
        bias_reduction=kind,
    )
    if progress.reason is Reason.INTERRUPTED:
        interrupt = KeyboardInterrupt(ended.message)
        interrupt.result = result  # type: ignore[attr-defined]
        raise interrupt
    if ended.warns:
        from sklearn.exceptions import ConvergenceWarning

        warnings.warn(ended.message, ConvergenceWarning, stacklevel=stack_level())
    return result


def _ended(kind: str, found: Estimate | None, progress: _Progress) -> _Ended:
    """Return how it ended: what is left of the modified score, and that nothing else is proven."""
    name, n_iter = CALLED[kind], progress.trace.n_iter
    if progress.reason is Reason.TIME_LIMIT:
        limit = progress.limits.time_limit
        said = f"stopped after {n_iter} iterations of {name} at time_limit={limit} s before it "
        return _Ended(False, said + "converged; raise time_limit", True)
    if progress.reason is Reason.INTERRUPTED:
        said = f"interrupted, stopped after {n_iter} iterations of {name}"
        return _Ended(False, f"{said}: the last point is in .result", False)
    assert found is not None
    left = (
        f"the modified score is 0 but for {found.last.decrement:.1e} of a standard error; it is "
        "a stationary point, and no bound on its distance from the optimum is proven"
    )
    if found.last.decrement > STATIONARY:
        left = f"the modified score is still {found.last.decrement:.1e} of a standard error"
    end = found.last.end
    if end is End.STOPPED:
        return _Ended(False, f"stopped after {n_iter} iterations by the callback; {left}", False)
    if end is End.FOUND:
        return _Ended(True, f"converged by Fisher scoring, {name}: {left}", False)
    if end is End.ROUNDING:
        said = f"stopped after {n_iter} iterations: rounding errors of float64 leave no further"
        return _Ended(False, f"{said} progress; {left}; raise tol", True)
    said = f"stopped after {n_iter} iterations at max_iter={progress.limits.max_iter}"
    return _Ended(False, f"{said} before it converged; {left}; raise max_iter", True)


def _short(value: object) -> str:
    """Return a value, or the name of its type where it is not a number or a text."""
    return repr(value) if isinstance(value, float | int | str) else type(value).__name__
