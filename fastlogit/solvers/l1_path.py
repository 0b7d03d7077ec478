"""One fit after the other under L1, from the strongest penalty on: what a path does at each."""

from __future__ import annotations

import numpy as np

from ..arrays import Matrix, Vector
from ..clock import TimeUp
from ..objective.group_penalty import GroupL1
from ..objective.objective import Objective
from ..objective.penalties import L1, L2, ElasticNet
from .carried import Carried
from .choice import evaluate_at_last
from .proximal_newton import proximal_newton
from .stopping import StoppingRule, bound_in_units, meets, separation_of
from .trace import Limits, Point, Reason, Trace

__all__ = ["null_model", "null_strengths", "solve_next"]

# More than the slope of any column of mean square 1 at most: residuals are below 1.
HELD = 2.0
# What the cost of the model without penalised coefficients may lack: nothing but roundings.
EXACT = 1e-15
# Newton steps after that: a cost that is right to the last digit has slopes right to half of them.
POLISH = 2
# Roundings of a strength on its way from C to the standardised scale, in units of the last place.
ROUNDINGS = 16.0


def solve_next(
    objective: Objective, theta: Matrix, limits: Limits, trace: Trace, carried: Carried
) -> tuple[Point, Vector, Reason]:
    """Minimise from `theta`, where the fit before ended; return the point, its bounds, and why.

    Each fit has its own proof, which looks at every column: what the fit before says of them only
    chooses those that are looked at first.
    """
    rule = None
    try:
        found, theta = _follow(objective, theta, limits, trace, carried)
        if found is not None:
            return found
        rule = _rule(objective, limits, carried)
        point, reason = proximal_newton(objective, theta, rule, trace, carried)
    except (KeyboardInterrupt, TimeUp) as end:  # before the first point
        reason = Reason.TIME_LIMIT if isinstance(end, TimeUp) else Reason.INTERRUPTED
        point = evaluate_at_last(objective, theta, trace)
        rule = rule or _rule(objective, limits, carried)
        rule.forget()
    if reason == Reason.INTERRUPTED:
        rule.prove_at_once(point)
    return point, rule.bound, reason


def _rule(objective: Objective, limits: Limits, carried: Carried) -> StoppingRule:
    certificate = carried.certificate(objective)
    return StoppingRule(limits.tol, objective.n_models, certificate, separation_of(objective))


def _follow(
    objective: Objective, theta: Matrix, limits: Limits, trace: Trace, carried: Carried
) -> tuple[tuple[Point, Vector, Reason] | None, Matrix]:
    """Do the same by followers of single models, where there are and each proves its point.

    Returns None else, and where they have come to.
    """
    followers, each = carried.followers(objective, limits), []
    for model, follower in enumerate(followers):
        one = objective.only(np.array([model]))
        found = follower.follow(one, theta[model], limits.tol)
        if found is not None:
            bound = bound_in_units(one, found.theta, found.gradient, found.cost, found.gain)
            each.append((found, bound))
            theta = theta.copy()
            theta[model] = found.theta
    if not each or len(each) < len(theta) or not all(meets(b, limits.tol) for _, b in each):
        return None, theta
    bounds = np.array([bound for _, bound in each])
    point = Point(
        np.array([found.theta for found, _ in each]), np.array([found.cost for found, _ in each]),
        np.array([found.gradient for found, _ in each]),
    )  # fmt: skip
    trace.begin(point)
    try:
        reason = trace.note(point)
    except KeyboardInterrupt:
        reason = Reason.INTERRUPTED
    trace.steps += np.array([found.n_steps for found, _ in each])
    trace.prove(bounds)
    reason = Reason.CONVERGED if reason in (None, Reason.MAX_ITER) else reason
    return (point, bounds, reason), point.theta


def null_model(objective: Objective, theta: Matrix, limits: Limits, began: float) -> Point:
    """Return where the intercepts and the columns without penalty are at their optimum alone.

    Raises KeyboardInterrupt after Ctrl-C.
    """
    columns, free = objective.design.columns, ~objective.penalized()
    held = np.divide(
        HELD, columns.inverse_scale, out=np.ones_like(columns.inverse_scale),
        where=columns.inverse_scale > 0.0,
    )  # fmt: skip
    # Of one set or several: the bounds of free columns hold, others are at 0 anyway.
    assert objective.user_l1 is not None
    box = objective.user_l1.bounds
    penalty = ElasticNet(L1(np.where(free, 0.0, held), None, box), L2(np.zeros_like(held)))
    alone = Objective(objective.rows, penalty)
    carried = Carried()
    for tol, most in ((EXACT, limits.max_iter), (0.0, POLISH)):
        within = Limits(tol, most, None, limits.time_limit)
        trace = Trace(within, began, alone)
        point, _, reason = solve_next(alone, theta, within, trace, carried)
        if reason == Reason.INTERRUPTED:
            raise KeyboardInterrupt
        if trace.n_iter == 0:  # as where there is but an intercept
            break
        theta = point.theta
    return point


def null_strengths(objective: Objective, null: Point) -> Vector:
    """Return for each model the least multiple of its L1 that keeps all coefficients at 0.

    That is the largest slope there, in units of the column's L1, or length of a group's slopes.
    """
    l1 = objective.l1
    assert l1 is not None
    slopes = objective.split(null.gradient)[0]
    if isinstance(l1, GroupL1):
        sizes, strengths = l1.lengths(slopes), l1.of_groups
    else:
        sizes, strengths = np.abs(slopes), l1.strengths
    if l1.bounds is not None:
        # A bound at 0 keeps it there whatever the slope.
        sizes = sizes * np.where(slopes > 0.0, l1.bounds.lower < 0.0, l1.bounds.upper > 0.0)
    strengths = np.broadcast_to(strengths, sizes.shape)
    shares = np.divide(sizes, strengths, out=np.zeros_like(sizes), where=strengths > 0.0)
    most = shares.max(axis=1, initial=0.0) * (1.0 + ROUNDINGS * 2.0**-52)
    return most.reshape(objective.n_models, -1).max(axis=1)
