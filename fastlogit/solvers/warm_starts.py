"""Many models near those of all rows together, as the folds of a cross-validation are.

Softmax models of many columns are solved one after the other: see `_each_alone`.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace

import numpy as np

from ..arrays import Indices, Matrix, Vector
from ..certificates.shared import SharedCertificate
from ..clock import TimeUp
from ..objective.objective import Objective
from ..objective.row_state import RowCurvature
from ..result import Callback
from .between import Between, may_be_between, models_between, prove_between
from .choice import (
    ROWS_PER_COLUMN,
    choose,
    climb_by_products,
    evaluate_at_last,
    finish_each,
    own_hessians,
    sample_price,
)
from .iteration import evaluate
from .lbfgs import Precondition, lbfgs
from .newton_cg import newton_cg
from .preconditioner import (
    SampledHessians,
    SharedHessians,
    bases_of,
    leaders_of,
    may_have_own,
)
from .row_space import reduce_to_rows, row_space
from .stopping import StoppingRule, certificate_of, separation_of
from .trace import Interrupted, Limits, Point, Reason, Trace

__all__ = ["goes_alone", "solve_warm"]

# Work of the Hessians that many models share (with 3 a grid of 10 by 5 takes 0.213 s, with 2
# 0.224 s), and after how many passes they are made anew.
SHARED_WORK = 3.0
SHARED_PRICE = 12.0
# Iterations with Hessians that many models share, before each goes on with its own.
SHARED_ITERATIONS = 15
# Numbers that a copy of the rows of one fold may take: some megabytes are always there.
FEW_NUMBERS = 10_000_000


def solve_warm(
    objective: Objective, theta: Matrix, pooled: Objective, model_of_pooled: Indices, stride: int,
    limits: Limits, trace: Trace,
) -> tuple[Point, Vector]:  # fmt: skip
    """Minimise many models from points near their optima; return where they end, and the bounds.

    Model m starts from model ``model_of_pooled[m]`` of `pooled`, whose Hessian preconditions it.
    """
    is_softmax = objective.loss.is_coupled
    prove = certificate_of if is_softmax else SharedCertificate
    rule = StoppingRule(
        limits.tol, objective.n_models, prove(objective, stride), separation_of(objective)
    )
    family = _Family(objective, pooled, model_of_pooled)
    point: Point | None = None
    try:
        if goes_alone(objective):
            return _each_alone(objective, theta, stride, rule, trace)[0], rule.bound
        if is_softmax:
            point, reason = _by_products(family, theta, rule, trace)
        else:
            point, reason = _by_lbfgs(family, theta, stride, rule, trace)
        if reason.may_go_on and trace.n_iter < limits.max_iter:
            point, reason = finish_each(objective, point, rule, trace)
    except Interrupted:  # one model after the other: others have ended before
        raise
    except KeyboardInterrupt:
        reason = Reason.INTERRUPTED
    except TimeUp:
        reason = Reason.TIME_LIMIT
    if reason == Reason.INTERRUPTED:
        if point is not None:
            rule.prove_at_once(point)
        raise Interrupted(theta if point is None else point.theta, rule.bound)
    if point is None:
        # Nobody asks for more than the place: an evaluation of all models may take a second.
        unknown = np.full(objective.n_models, np.nan)
        point = Point(theta, unknown, np.full_like(theta, np.nan))
    return point, rule.bound


def goes_alone(objective: Objective) -> bool:
    """Say whether models of the objective are solved one after the other, from no common start.

    Where Hessians of their own would take too much memory or time: of three folds of ten C on
    2,000 x 3,000 shared ones took 8 times as long as 30 fits.
    """
    if objective.loss.is_coupled:
        return not may_have_own(objective, 1)
    design = objective.design
    return choose(*design.shape, density=design.density)[0] == "newton-cg"


class _Family:
    """Models that start from pooled ones: several share one of `pooled`, which is near them.

    Attributes
    ----------
    members : ndarray of int
        The models of `pooled` that others start from.
    place : ndarray of int, shape (n_models,)
        For each model the place of its pooled one among them.
    """

    def __init__(self, objective: Objective, pooled: Objective, model_of_pooled: Indices) -> None:
        self.objective, self.pooled, self._of = objective, pooled, model_of_pooled
        self.members, self._first, self.place = np.unique(
            model_of_pooled, return_index=True, return_inverse=True
        )

    def only(self, models: Indices) -> _Family:
        """Return some of the models alone."""
        return _Family(self.objective.only(models), self.pooled, self._of[models])

    def middle(self, theta: Matrix) -> Matrix:
        """Return for each member the mean point of the models that start from it."""
        members = range(self.members.size)
        return np.array([theta[self.place == member].mean(axis=0) for member in members])

    def are_together(self, theta: Matrix) -> bool:
        """Say whether all models of each member are at the same point."""
        return np.array_equal(theta, theta[self._first][self.place])

    def sampled(self, stride: int) -> Objective:
        """Return the members over every `stride`-th row."""
        return _every(self.pooled, stride).only(self.members)


def _every(objective: Objective, stride: int) -> Objective:
    """Return the objective over every `stride`-th row, or so few as fit in memory."""
    least = objective.design.stride_for(stride)
    return objective.subsample(least) if least > 1 else objective


def _by_lbfgs(
    family: _Family, theta: Matrix, stride: int, rule: StoppingRule, trace: Trace
) -> tuple[Point, Reason]:
    """L-BFGS of binomial models, but of those between others only where these do not prove them."""
    objective = family.objective
    leaders = leaders_of(family.sampled(stride), family.middle(theta))
    between = models_between(objective, leaders[family.place])
    if not (between.models.size and may_be_between(objective)):
        return _together(family, theta, stride, rule, trace)
    unknown = np.full(objective.n_models, np.nan)
    point = Point(theta.copy(), unknown, np.full_like(theta, np.nan))
    trace.steps = np.zeros(objective.n_models, dtype=np.int64)
    others = np.setdiff1d(np.arange(objective.n_models), between.models)
    reason = _some(family, others, point, stride, rule, trace)
    if reason not in (Reason.CONVERGED, Reason.ROUNDING, Reason.MAX_ITER):
        return point, reason
    try:
        rest = _those_between(family, between, point, stride, rule, trace)
    except (KeyboardInterrupt, TimeUp) as end:  # what is proven by now is so at this point alone
        return point, Reason.TIME_LIMIT if isinstance(end, TimeUp) else Reason.INTERRUPTED
    # Where some of the first ones lack something still, that is what is to be said.
    return point, reason if rest == Reason.CONVERGED else rest


def _those_between(
    family: _Family, between: Between, point: Point, stride: int, rule: StoppingRule, trace: Trace
) -> Reason:
    """Prove models between others, or minimise them; return why that ended.

    Sets: what `_some` sets, of these models.
    """
    objective = family.objective
    prove_between(objective, between, point, rule)
    trace.steps[between.models] = np.maximum(trace.steps[between.first], trace.steps[between.last])
    left = between.models[~rule.met[between.models]]
    if left.size:
        _look_at(objective, left, point, rule)
        left = left[~rule.met[left]]
    if left.size and trace.n_iter < trace.limits.max_iter:
        return _some(family, left, point, stride, rule, trace)
    return Reason.CONVERGED


def _look_at(objective: Objective, models: Indices, point: Point, rule: StoppingRule) -> None:
    """Evaluate some models where they are, and prove them.

    Sets: cost and gradient of these models in `point`, what `rule` knows of them.
    """
    found = objective.only(models).at(point.theta[models])
    point.cost[models], point.gradient[models] = found.cost, found.gradient
    none = np.zeros(models.size)
    rule.look(models, point.theta[models], found.cost, found.gradient, none)


def _some(
    family: _Family, models: Indices, point: Point, stride: int, rule: StoppingRule, trace: Trace
) -> Reason:
    """Minimise some of the models from where they are; return why it ended.

    Sets: theta, cost and gradient of these models in `point`, what `rule` and `trace` say of them.
    """
    part = family.only(models)
    certificate = SharedCertificate(part.objective, stride)
    own = StoppingRule(rule.tol, models.size, certificate, separation_of(part.objective))
    most = max(1, trace.limits.max_iter - trace.n_iter)
    rest = Trace(replace(trace.limits, max_iter=most), trace.began, part.objective)
    found, reason = _together(part, point.theta[models], stride, own, rest)
    point.theta[models], point.cost[models] = found.theta, found.cost
    point.gradient[models] = found.gradient
    rule.take_over(models, own)
    trace.n_iter += rest.n_iter
    trace.steps[models] += rest.steps
    return reason


def _together(
    family: _Family, theta: Matrix, stride: int, rule: StoppingRule, trace: Trace
) -> tuple[Point, Reason]:
    """L-BFGS of binomial models; those of one pooled model, or of alike ones, share a Hessian."""
    objective, few = family.objective, family.sampled(stride)
    leaders = leaders_of(few, family.middle(theta))
    n_made = np.unique(bases_of(few, family.middle(theta), np.unique(leaders))).size
    sampled = family.sampled(_shared_stride(objective, n_made))

    def shared(theta: Matrix) -> Precondition:
        made = SharedHessians(sampled, family.middle(theta), leaders, few)
        return lambda models, vectors: made.solve(family.place[models], vectors)

    start = evaluate(objective, theta, trace)
    return lbfgs(objective, start, shared, SHARED_PRICE, rule, trace, SHARED_ITERATIONS)


def _by_products(
    family: _Family, theta: Matrix, rule: StoppingRule, trace: Trace
) -> tuple[Point, Reason]:
    """Newton with conjugate gradients of softmax models, preconditioned by Hessians of outputs.

    At the start those of one pooled model may be at the same point, and share them. Else each model
    has its own, where memory allows: 50 models of scikit-learn's digits then take 300 products
    instead of 3,250, since the rows which the weakest penalties leave in doubt are others without a
    fold.
    """
    objective = family.objective
    own, shared = _every(objective, 1), family.sampled(1)
    start = theta.copy()

    def renew(theta: Matrix, curvature: RowCurvature, models: Indices) -> Precondition:
        is_start = family.are_together(theta) and np.array_equal(theta, start)
        if may_have_own(objective, models.size) and not is_start:
            return own_hessians(objective, own, theta, curvature, models)
        made = SampledHessians(shared, shared.curvature(family.middle(theta)))
        return lambda models, vectors: made.solve(family.place[models], vectors)

    return newton_cg(objective, theta, rule, trace, renew, sample_price(objective), True)


def _each_alone(
    objective: Objective, theta: Matrix, stride: int, rule: StoppingRule, trace: Trace
) -> tuple[Point, Reason]:
    """Minimise one model after another, each from that of the next stronger penalty.

    A pass over the rows for the classes of a softmax is all arithmetic, so that nothing is saved by
    passes for several. And where classes are told apart almost surely the Hessian of all folds
    together says little of one: the rows in doubt are others. With those three folds of 5,000
    digits at C=1e4 took 3.6 times as long as three fits.
    """
    limits, theta = trace.limits, theta.copy()
    cost, gradient = np.full(objective.n_models, np.nan), np.full_like(theta, np.nan)
    trace.steps, reason = np.zeros(objective.n_models, dtype=np.int64), Reason.CONVERGED
    found = _each_in_row_space(objective, theta, rule, trace)
    if found is not None:
        point, reason = found
        if rule.met.all() or reason == Reason.CALLBACK:
            return point, reason
        theta, cost, gradient = point.theta, point.cost.copy(), point.gradient.copy()
    last = theta[:, None].copy()  # of each set of weights, at the index of its first model
    warm = np.zeros(objective.n_models, dtype=bool)
    for model, family in _in_turn(objective):
        if rule.met[model] or trace.steps[model] >= limits.max_iter:
            continue
        if found is not None:
            last[family], warm[family] = theta[model], True
        # All rows of three folds are half as many again as those of one.
        part = objective.only(np.array([model])).counted(FEW_NUMBERS)
        own = StoppingRule(rule.tol, 1, certificate_of(part, stride), separation_of(part))
        within = replace(limits, callback=_counting(limits.callback, rule))
        rest = Trace(within, trace.began, part)
        try:
            point, reason = climb_by_products(
                part, last[family], own, stride, bool(warm[family]), rest
            )
            if reason.may_go_on and rest.n_iter < limits.max_iter:
                point, reason = finish_each(part, point, own, rest)
        except TimeUp:
            reason = Reason.TIME_LIMIT
        except KeyboardInterrupt:
            raise Interrupted(theta, rule.bound) from None
        else:
            last[family], warm[family] = point.theta, True
            cost[model], gradient[model] = point.cost[0], point.gradient[0]
            rule.bound[model], rule.met[model] = own.bound[0], own.met[0]
            trace.steps[model] = rest.steps[0]
        # Where the limit ends it: the point of a stronger penalty is better than none.
        theta[model] = last[family][0]
        if reason == Reason.INTERRUPTED:
            raise Interrupted(theta, rule.bound)
        if reason == Reason.CALLBACK:
            break
    return Point(theta, cost, gradient), reason


def _each_in_row_space(
    objective: Objective, theta: Matrix, rule: StoppingRule, trace: Trace
) -> tuple[Point, Reason] | None:
    """Minimise one model after another in the space of the rows, and prove all of them in X.

    Each starts from the model of the next stronger penalty. None where that space is no good.
    """
    space = reduce_to_rows(objective)
    if space is None:
        return None
    points, reason, done = space.project(theta), Reason.CONVERGED, 0
    last, order = points.copy(), _in_turn(space)
    try:
        for model, family in order:
            part = space.only(np.array([model]))
            within = replace(trace.limits, callback=_telling(trace.limits.callback, done))
            rest = Trace(within, trace.began, part)
            found, reason = row_space(part, last[[family]], rule.tol, rest)
            last[family] = points[model] = found.theta[0]
            trace.steps[model] = rest.steps[0]
            if reason in (Reason.CALLBACK, Reason.INTERRUPTED):
                break
            done += 1
    except TimeUp:
        reason = Reason.TIME_LIMIT
    except KeyboardInterrupt:
        reason = Reason.INTERRUPTED
    for model, family in order[done + 1 :]:
        points[model] = last[family]  # of a stronger penalty: better than none
    clock = objective.design.counter.clock
    with contextlib.nullcontext() if clock is None else clock.stopped():
        theta = space.lift(points)
    if reason == Reason.INTERRUPTED:
        raise Interrupted(theta, rule.bound)
    point = evaluate_at_last(objective, theta, trace)
    own = StoppingRule(rule.tol, objective.n_models, certificate_of(objective, 1))
    everyone = np.arange(objective.n_models)
    with contextlib.suppress(TimeUp):
        own.look(everyone, theta, point.cost, point.gradient, 0.0 * point.cost)
    rule.take_over(everyone, own)
    return point, reason


def _telling(callback: Callback | None, n_done: int) -> Callback | None:
    """Return a callback that hears that so many models are done."""
    if callback is None:
        return None
    return lambda progress: callback(replace(progress, n_done=n_done))


def _in_turn(objective: Objective) -> list[tuple[int, int]]:
    """Return the models from the strongest penalty on, each with the first of the same weights.

    All folds of a penalty before the next: a limit then leaves whole penalties.
    """
    first = objective.rows.outputs_of(np.arange(objective.n_models))[:: objective.n_classes]
    sets = objective.rows.weight_set[first]
    strengths = objective.user_penalty.diagonal().sum(axis=1)
    strength = np.broadcast_to(strengths, objective.n_outputs)[first]
    ranks = np.empty(objective.n_models, dtype=np.int64)
    families = np.empty(objective.n_models, dtype=np.int64)
    for own in np.unique(sets):
        models = np.flatnonzero(sets == own)
        families[models] = models[0]
        ranks[models[np.argsort(-strength[models], kind="stable")]] = np.arange(models.size)
    return [(int(m), int(families[m])) for m in np.lexsort((families, ranks))]


def _counting(callback: Callback | None, rule: StoppingRule) -> Callback | None:
    """Return a callback that hears how many models are done."""
    if callback is None:
        return None
    return lambda progress: callback(replace(progress, n_done=int(rule.met.sum())))


def _shared_stride(objective: Objective, n_hessians: int) -> int:
    """Return the stride of the rows whose Hessians many models share: half a pass of work."""
    n_samples, n_features = objective.design.shape
    size = n_features + 1
    share = SHARED_WORK * objective.n_models / (n_hessians * size)
    least = ROWS_PER_COLUMN * size / n_samples
    return max(1, int(1.0 / max(share, least)))
