"""How a fit ended, in words, and where warnings point."""

from __future__ import annotations

import sys
from types import FrameType

import numpy as np

from ..solvers.stopping import FINEST
from ..solvers.trace import Limits, Outcome, Reason
from .problem import CheckedProblem

__all__ = ["ended_message", "message_of", "stack_level"]


def message_of(
    problem: CheckedProblem, outcome: Outcome, limits: Limits, stable: float, seconds: float
) -> str:
    """Return how a fit ended after so many seconds; `stable` is a step size that is stable."""
    bound = float(np.max(outcome.bound))
    if outcome.reason in (Reason.CONVERGED, Reason.CALLBACK, Reason.INTERRUPTED):
        return ended_message(outcome.reason, outcome.n_iter, outcome.choice, bound, limits.tol)
    proven = _proven(bound)
    stopped = _stopped(outcome.n_iter, outcome.choice)
    texts = {
        Reason.DIVERGED: (
            f"the cost grew at iteration {outcome.n_iter}: step_size={outcome.step_size:g} is too "
            f"large for these data; a step size of {stable:.3g} is stable (or step_size='auto')"
        ),
        Reason.MAX_ITER: (
            f"{stopped} at max_iter={limits.max_iter} before it converged: {proven}; raise "
            f"max_iter or tol{_faster(limits)}"
        ),
        Reason.TIME_LIMIT: (
            f"{stopped} at time_limit={limits.time_limit} s{_ahead(seconds, limits)} before it "
            f"converged: {proven}; raise time_limit or tol"
        ),
        Reason.ROUNDING: (
            f"{stopped}: rounding errors of float64 leave no further progress; {proven}, but "
            f"{limits.tol:g} was asked for; "
            f"raise tol{_far(problem, outcome)}"
        ),
        Reason.COLLINEAR: _collinear_message(problem, outcome, stopped),
        Reason.SEPARABLE: _separation_message(problem, outcome),
    }
    return texts[outcome.reason]


def ended_message(reason: Reason, n_iter: int, choice: str, bound: float, tol: float) -> str:
    """Return how a fit ended that met its tolerance, or that the user ended.

    `choice` is the method, and empty for gradient descent by its own rule.
    """
    if reason == Reason.CONVERGED and choice:
        return f"converged by {choice}: {_proven(bound)} ({_asked(tol)})"
    if reason == Reason.CONVERGED:
        return f"converged: no parameter moved by more than tol={tol:g}; {_proven(bound)}"
    stopped = _stopped(n_iter, choice)
    if reason == Reason.CALLBACK:
        return f"{stopped} by the callback; {_proven(bound)}"
    return f"interrupted, {stopped}: the best point so far is in .result; {_proven(bound)}"


def _stopped(n_iter: int, choice: str) -> str:
    return f"stopped after {n_iter} iterations" + (f" by {choice}" if choice else "")


def _proven(bound: float) -> str:
    if not bound < np.inf:
        return "how far the cost is from the optimum could not be proven"
    return f"the cost is proven to be within {bound:.1e} of the optimum, relative to it"


def _asked(tol: float) -> str:
    """Say what bound was asked for, and met: in other words where a cost has not the digits."""
    if 0.0 < tol < FINEST:
        return f"{tol:g} asked for, and met but for the rounding of the cost"
    return f"{tol:g} asked for"


def _ahead(seconds: float, limits: Limits) -> str:
    """Say so where a fit ended well before its limit, since what comes next would pass it."""
    early = seconds < 0.8 * (limits.time_limit or 0.0)
    return ", which the next step would have passed," if early else ""


def _faster(limits: Limits) -> str:
    return ", or use momentum='nesterov'" if getattr(limits, "accelerate", True) is False else ""


def _collinear_message(problem: CheckedProblem, outcome: Outcome, stopped: str) -> str:
    if not outcome.hidden:
        return ""
    columns = outcome.hidden[min(outcome.hidden)]
    n_features = problem.objective.design.shape[1]
    places = [int(column) for column in columns if column < n_features]
    names = ", ".join(str(problem.names[c] if problem.names else c) for c in places[:10])
    names += f" and {len(places) - 10} more" if len(places) > 10 else ""
    which, it = (
        (f"column {names} is a combination", "it")
        if len(places) == 1
        else (f"columns {names} are combinations", "them")
    )
    return (
        f"{stopped} at what float64 resolves: {which} of others but for rounding errors of the "
        f"values, and how much the cost could fall by these cannot be proven; leave {it} out, or "
        "set C or l2_reg"
    )


def _far(problem: CheckedProblem, outcome: Outcome) -> str:
    """Name the column whose distance from 0 costs the digits, where it is that."""
    column = outcome.lost
    if column is None:
        return ""
    center, inverse_scale = problem.objective.design.columns
    far = abs(float(center[column] * inverse_scale[column]))
    if far < 1e3:
        return ""
    return (
        f", or subtract its mean from {_name_of(problem, column)}, which lies {far:.0e} standard "
        "deviations from 0: the intercept in its units has too few digits left"
    )


def _name_of(problem: CheckedProblem, column: int) -> str:
    return f"column {problem.names[column] if problem.names else column}"


def _separation_message(problem: CheckedProblem, outcome: Outcome) -> str:
    if not outcome.separated:
        return ""
    model = min(outcome.separated)
    columns, alone, complete, among = outcome.separated[model]
    names = [problem.names[c] if problem.names else str(c) for c in columns]
    listed = _some(names)
    several = problem.classes.size > 2 and not problem.objective.loss.is_coupled
    who = f" (class {problem.classes[model]!s} against the others)" * several
    if among is not None and len(among) < problem.classes.size:
        labels = _some([str(problem.classes[code]) for code in among])
        who = f" (class{'es' * (len(among) > 1)} {labels} from the others)"
    how = {True: "completely ", False: "quasi-completely ", None: ""}[complete]
    what = (
        f"column {listed} alone does" if alone and len(columns) == 1
        else f"each of the columns {listed} alone does" if alone
        else f"a combination of the columns {listed} does"
    )  # fmt: skip
    if _has_penalty(problem):
        return (
            f"the classes are {how}separable{who}: {what}. Of columns that have no penalty the "
            "cost has no minimum then, their coefficients grow for ever; give these one too "
            "(their penalty_factor, group_weights, l1_reg or l2_reg is 0), or leave them out"
        )
    return (
        f"the classes are {how}separable{who}: {what}. Without a penalty the cost has no "
        "minimum, the coefficients grow for ever; set C or l2_reg, or leave those columns out"
    )


def _has_penalty(problem: CheckedProblem) -> bool:
    l1, penalty = problem.objective.user_l1, problem.objective.user_penalty
    return bool((l1 is not None and l1.strengths.any()) or penalty.diagonal().any())


def _some(names: list[str]) -> str:
    """Return names with commas, the first ten of them."""
    return ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")


def stack_level() -> int:
    """Return the stack level of the first frame outside the package, for the caller to warn.

    scikit-learn's frames, which wrap the methods of estimators, do not count either.
    """
    level, frame = 1, sys._getframe(1)
    inside = {_package(sys._getframe(0)), "sklearn"}
    while frame.f_back is not None and _package(frame) in inside:
        level, frame = level + 1, frame.f_back
    return level


def _package(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0]
