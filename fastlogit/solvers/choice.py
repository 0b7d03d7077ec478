"""Which solver suits which data, and the subsamples that give it start and preconditioner."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ..arrays import Indices, Matrix
from ..certificates.binomial import GRAM_PRICE, Certificate
from ..clock import TimeUp
from ..linalg.factors import FACTOR_NS, Factor
from ..linalg.resolved import DEPENDENT
from ..objective.hessians import Hessians
from ..objective.objective import Objective
from ..objective.penalties import L2
from ..objective.row_state import RowCurvature
from .from_afar import from_afar
from .iteration import evaluate
from .lbfgs import ABILITIES as lbfgs_abilities
from .lbfgs import Precondition, lbfgs
from .newton import ABILITIES as newton_abilities
from .newton import newton
from .newton_cg import ABILITIES as newton_cg_abilities
from .newton_cg import by_diagonal, newton_cg
from .preconditioner import (
    DENSE_COLUMNS,
    LeadingHessians,
    SampledHessians,
    leaders_of,
    leading_price,
    may_lead,
    sample_size,
)
from .proximal_newton import ABILITIES as proximal_newton_abilities
from .proximal_newton import proximal_newton
from .row_space import ABILITIES as row_space_abilities
from .row_space import compiled_fit, multiply_rows, price_of_rows, row_space, suits_rows
from .stopping import StoppingRule, certificate_of, meets, separation_of
from .trace import Interrupted, Limits, Outcome, Point, Reason, Trace

__all__ = [
    "METHODS",
    "METHODS_OF_L1",
    "ROWS_PER_COLUMN",
    "approach",
    "choose",
    "climb_by_products",
    "evaluate_at_last",
    "finish_each",
    "outcome_of",
    "own_hessians",
    "sample_price",
    "sample_stride",
    "solve",
]

# What each takes.
METHODS = {
    "lbfgs": lbfgs_abilities,
    "newton": newton_abilities,
    "newton-cg": newton_cg_abilities,
}
METHODS_OF_L1 = {"proximal-newton": proximal_newton_abilities}

# Rows per column in the subsample whose Hessian preconditions: as many as wanted, at least so few;
# between them as many as keep their share of all rows below what is dear. And bounds of the share.
ROWS_PER_COLUMN = 30
FEWEST_PER_COLUMN = 10
DEAR_SHARE = 1 / 12
LARGEST_SHARE = 1 / 6
SMALLEST_SHARE = 1 / 47
# How many times nearer a step with a subsample's Hessian is thought to come: on 100,000 x 50, where
# every 47th row made it, 6 to 80 times. Where it is less, the folds begin a little farther off.
LEFT_OVER = 20.0
# Up to this work of the Gram matrices (rows times columns squared) these are by Newton's method.
FINISH_WORK = 2e9
# And up to this work of their factors (columns cubed): some five seconds.
FINISH_FACTORS = 5e10
# Up to this work of a Gram matrix (rows times columns squared) Newton needs no subsample.
NEWTON_WORK = 4e6
# Up to this many columns Newton is faster than L-BFGS without a subsample.
NEWTON_SIZE = 100
# Hessians of their own for several models, up to this many columns for a whole Hessian.
OWN_HESSIANS = 120
# With more columns than this, and rows too few for a subsample, no Hessian is formed.
MAX_HESSIAN = 1000
# With more columns than this none of a subsample either: 800 MB.
MOST_COLUMNS = 10_000
# A little of the diagonal keeps the preconditioner definite where columns are collinear.
RIDGE = 1e-10
SAMPLE_ITERATIONS = 30
# Iterations after which a subsample's Hessian gives way to that of all rows: as many as cost twice
# what that does, and some at least. Columns that few rows have vary in other ways in all rows.
TIMES_WHOLE, TRIED = 2.0, 20
# The least number of passes between two preconditioners, and work that is as good as none.
LEAST_PRICE = 3.0
CHEAP = 1e6
# Products for an equation above which leading rows are taken whole: 4,000 x 5,000 normal numbers
# need 4 to 8 with the diagonal, as many columns of falling singular values 11 to 45.
SLOW = 10
# With more rows than this their Gram matrix is looked at as something dear: see `_while_cheap`.
DEAR_ROWS = 400
# All equations of a fit take so many times the products of the mean of the first ones: 15 to 25
# times on normal numbers, 23 to 40 where singular values fall.
ALL_EQUATIONS = 33
# Share of the price after which products have been too many, whatever the first ones promised.
LOST_SHARE = 0.5
# Numbers of X from which on a subsample gives the start under L1.
MANY_NUMBERS = 2e6
PROXIMAL = "proximal-newton (L1 or bounds: over the columns that may move)"
SPARED = "equations that take few products, so that a Gram matrix of the rows is dearer"
# Of sparse data so small a share of the values is stored; up to so many parameters that compete
# their Hessians, of a few products of stored values a row, are formed whole.
SPARSE, SPARSE_HESSIAN = 0.2, 500
# Suboptimality, relative, that is good enough for a start.
ROUGH = 0.02
# Iterations of L-BFGS on a softmax before Newton with conjugate gradients takes over.
PATIENT = 100
# Columns were scaled to variance 1: with less than this in a subsample one is as good as constant.
UNSEEN = 1e-6


def choose(
    n_samples: int, n_features: int, n_classes: int = 1, n_models: int = 1, density: float = 1.0
) -> tuple[str, str]:
    """Return the method for data of a shape, and why; `n_classes` are those that compete.

    `density` is the share of the values that are stored.
    """
    size = (n_features + 1) * n_classes
    if density <= SPARSE:
        if size <= SPARSE_HESSIAN:
            return "newton", "the Hessian of sparse rows is cheap"
        return "newton-cg", "sparse rows of many columns"
    if n_samples * size**2 <= NEWTON_WORK:
        return "newton", "the Hessian of all rows is cheap"
    if size <= NEWTON_SIZE and sample_stride(n_samples, n_features) == 1:
        return "newton", "too few rows for a subsample, too few columns for it to matter"
    if n_classes > 1:
        return "newton-cg", "classes that compete, preconditioned by the rows of largest curvature"
    has_subsample = sample_stride(n_samples, n_features) > 1
    if has_subsample and n_features <= MOST_COLUMNS:
        return "lbfgs", "rows enough for a subsample to precondition"
    if n_features > MAX_HESSIAN:
        return "newton-cg", "too many columns for a Hessian"
    if n_models > 1 and n_features >= DENSE_COLUMNS:
        # 5,000 digits of 784 columns: half the time of L-BFGS at C=1, a tenth at C=1000.
        return "newton-cg", "many columns for a Hessian of each class"
    return "lbfgs", "preconditioned by the Hessian at the start"


def sample_stride(n_samples: int, n_features: int) -> int:
    """Return s such that every s-th row is a subsample worth solving first; 1 for none.

    Strides above 8 are prime: cycles in the order of the rows then do not fall in step with them.
    """
    size = n_features + 1
    wanted = min(ROWS_PER_COLUMN * size, n_samples * DEAR_SHARE)
    wanted = max(wanted, FEWEST_PER_COLUMN * size, n_samples * SMALLEST_SHARE)
    stride = int(n_samples / wanted)
    if stride < 1 / LARGEST_SHARE:
        return 1
    return max(p for p in (6, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47) if p <= stride)


def solve(
    objective: Objective, theta: Matrix, method: str, stride: int, is_warm: bool, limits: Limits,
    began: float,
) -> Outcome:  # fmt: skip
    """Minimise the objective from theta (n_models, n_features + 1) by one of METHODS or "auto".

    `stride` gives the subsample that starts and preconditions "lbfgs"; with `is_warm` theta is a
    better start than the subsample's optimum.
    """
    if objective.l1 is not None:
        return _by_proximal_newton(objective, theta, 1 if is_warm else stride, limits, began)
    why = "as asked"
    if method == "auto":
        n_samples, n_features = objective.design.shape
        method, why = choose(
            n_samples, n_features, objective.n_classes, objective.n_models,
            objective.design.density,
        )  # fmt: skip
        if method == "lbfgs" and not isinstance(objective.penalty, L2):
            # Its preconditioner is of some of the rows: under a strong penalty of full Hessian
            # L-BFGS stays 10 % above the optimum for 1,000 iterations.
            method, why = "newton", "a penalty that couples the columns"
            if n_features > MAX_HESSIAN:
                method, why = "newton-cg", "too many columns for a Hessian"
        can = objective.loss.in_row_space and objective.rows.shares is None
        if can and row_space_abilities.take(objective.penalty, objective.loss):
            found = _by_row_space(objective, theta, limits, began)
            if found is not None:
                return found
    trace = Trace(limits, began, objective)
    certificate = certificate_of(objective, 1 if method == "newton" else stride)
    separation = separation_of(objective)
    # A bound that is proven stays true after one more step with the whole Hessian: the cost falls.
    is_newton = method == "newton"
    rule = StoppingRule(limits.tol, objective.n_models, certificate, separation, steps_on=is_newton)
    point: Point | None = None
    try:
        if is_newton:
            point, reason = newton(objective, theta, rule, certificate.hessians, trace)
        elif method == "newton-cg":
            point, reason = _by_products(objective, theta, rule, stride, is_warm, trace)
        else:
            is_softmax = objective.loss.is_coupled
            patience = PATIENT if is_softmax else None
            point, reason = _climb(objective, theta, rule, stride, is_warm, trace, patience)
            if is_softmax and reason.may_go_on and trace.n_iter < limits.max_iter:
                # Where classes are told apart almost surely, products with the Hessian do better.
                point, reason = climb_by_products(objective, point.theta, rule, 1, True, trace)
            elif reason == Reason.ROUNDING and stride == 1:
                point, reason = finish_each(objective, point, rule, trace)
            elif reason == Reason.ROUNDING:
                # The subsample misleads, as where columns are collinear in it alone.
                point, reason = _finish_by_newton(objective, point, rule, trace)
    except (KeyboardInterrupt, TimeUp) as end:  # between the iterations of two methods
        reason = Reason.TIME_LIMIT if isinstance(end, TimeUp) else Reason.INTERRUPTED
        point = point or _back_at(objective, theta, rule, trace)
    if reason == Reason.INTERRUPTED:
        rule.prove_at_once(point)
    return outcome_of(objective, point, rule, trace, reason, f"{method} ({why})")


def _by_proximal_newton(
    objective: Objective, theta: Matrix, stride: int, limits: Limits, began: float
) -> Outcome:
    """Minimise a cost with L1: the one method that there is for it.

    From the optimum of every `stride`-th row, where passes over all of them take some time.
    """
    trace, rule = Trace(limits, began, objective), _rule_of(objective, limits)
    point: Point | None = None
    n_samples, n_features = objective.design.shape
    try:
        found, theta = from_afar(objective, theta, rule.certificate, limits, trace)
        if found is not None:
            point, rule.bound, reason = found
            rule.met = meets(rule.bound, limits.tol)
            if reason == Reason.INTERRUPTED:
                rule.prove_at_once(point)
            elif not rule.met.all():
                reason = rule.conclude(point, reason)
            return outcome_of(objective, point, rule, trace, reason, PROXIMAL)
        if stride > 1 and n_samples * n_features >= MANY_NUMBERS:
            sampled = objective.subsample(stride)
            sampled.design.counter.phase = "the start, from some of the rows"
            inner = StoppingRule(0.05 * theta.shape[1] * stride / n_samples, objective.n_models)
            within = Limits(0.0, SAMPLE_ITERATIONS, None, limits.time_limit)
            begin, reason = proximal_newton(sampled, theta, inner, Trace(within, began, sampled))
            theta = begin.theta
            if reason in (Reason.INTERRUPTED, Reason.TIME_LIMIT):
                point = evaluate_at_last(objective, theta, trace)
                return outcome_of(objective, point, rule, trace, reason, PROXIMAL)
        point, reason = proximal_newton(objective, theta, rule, trace)
    except (KeyboardInterrupt, TimeUp) as end:  # before the first point
        reason = Reason.TIME_LIMIT if isinstance(end, TimeUp) else Reason.INTERRUPTED
        point = _back_at(objective, theta, rule, trace)
    if reason == Reason.INTERRUPTED:
        rule.prove_at_once(point)
    return outcome_of(objective, point, rule, trace, reason, PROXIMAL)


def _by_row_space(
    objective: Objective, theta: Matrix, limits: Limits, began: float
) -> Outcome | None:
    """Minimise in the space of the rows, and prove the point in X; None where that is no good.

    Of many rows products with the Hessian come first, while few of them tell a step. Should the
    proof fail, as by rounding errors of the Gram matrix of the rows, Newton's method with conjugate
    gradients goes on from that point.
    """
    trace, rule = Trace(limits, began, objective), _rule_of(objective, limits)
    point: Point | None = None
    try:
        if _may_do_without(objective):
            point, ended = _while_cheap(objective, theta, rule, trace)
            if ended is not None:
                if ended == Reason.INTERRUPTED:
                    rule.prove_at_once(point)
                return outcome_of(objective, point, rule, trace, ended, f"newton-cg ({SPARED})")
            theta, point, rule = point.theta, None, _rule_of(objective, limits)
        products = multiply_rows(objective)
        if products is None and trace.n_iter == 0:
            return None
        if products is None:
            point, reason = _by_products(objective, theta, rule, 1, True, trace)
            return outcome_of(objective, point, rule, trace, reason, "newton-cg (a weak penalty)")
        if isinstance(rule.certificate, Certificate):
            rule.certificate.know_largest_rows(products.largest_rows)
        found = compiled_fit(products, theta, limits.tol, trace)
        if found is None:
            space = products.space()
            trace.objective = space
            inner, reason = row_space(space, space.project(theta), limits.tol, trace)
            trace.objective = objective
            point = _lifted(objective, lambda: space.lift(inner.theta), rule, trace)
        else:
            theta, reason = found, Reason.CONVERGED
            point = _lifted(objective, lambda: found, rule, trace)
        everyone = np.arange(objective.n_models)
        rule.look(everyone, point.theta, point.cost, point.gradient, 0.0 * point.cost)
        trace.prove(rule.bound)
        if reason != Reason.INTERRUPTED and rule.met.all():
            reason = Reason.CONVERGED
        elif reason in (Reason.CONVERGED, Reason.ROUNDING) and trace.n_iter < limits.max_iter:
            point, reason = _by_products(objective, point.theta, rule, 1, True, trace)
    except (KeyboardInterrupt, TimeUp) as end:
        reason = Reason.TIME_LIMIT if isinstance(end, TimeUp) else Reason.INTERRUPTED
        trace.objective = objective
        point = point or _back_at(objective, theta, rule, trace)
    if reason == Reason.INTERRUPTED:
        rule.prove_at_once(point)
    elif reason != Reason.CONVERGED:
        reason = rule.conclude(point, reason)
    return outcome_of(
        objective, point, rule, trace, reason, "newton (in the space of the rows, which are few)"
    )


def _rule_of(objective: Objective, limits: Limits) -> StoppingRule:
    return StoppingRule(
        limits.tol, objective.n_models, certificate_of(objective, 1), separation_of(objective)
    )


def _may_do_without(objective: Objective) -> bool:
    """Say whether the Gram matrix of the rows is dear enough to look how it goes without."""
    n_samples, n_features = objective.design.shape
    is_dear = n_samples > DEAR_ROWS and suits_rows(n_samples, n_features, objective.n_classes)
    penalty = objective.user_penalty
    varies = objective.design.columns.inverse_scale > 0.0
    is_strict = isinstance(penalty, L2) and bool((penalty.strengths[:, varies] > 0.0).all())
    return is_dear and is_strict and not objective.loss.is_coupled


class _Slow(Exception):
    """Conjugate gradients take too many products: `theta` is where they came to."""

    def __init__(self, theta: Matrix) -> None:
        self.theta = theta


def _while_cheap(
    objective: Objective, theta: Matrix, rule: StoppingRule, trace: Trace
) -> tuple[Point, Reason | None]:
    """Newton with conjugate gradients, as long as they promise to be the cheaper way.

    That is while the products for an equation, in the mean, are few beside the price of the space
    of the rows, and have not taken half of it. Of 1,000 x 5,000 with falling singular values the
    first equation, with 10 products, is the last; normal numbers, which take 3 to 5 for one, stay.
    Returns the last point, and why it ended there; None where something else should go on.
    """

    def give_up(theta: Matrix, curvature: RowCurvature, models: Indices) -> Precondition:
        raise _Slow(theta)

    price = price_of_rows(*objective.design.shape)

    def too_many(n_products: int, n_equations: int) -> bool:
        is_slow = ALL_EQUATIONS * n_products > price * n_equations
        return is_slow or n_products > LOST_SHARE * price

    try:
        point, reason = newton_cg(
            objective, theta, rule, trace, give_up, too_many=too_many
        )  # fmt: skip
    except _Slow as end:
        return Point(end.theta, np.empty(0), np.empty((0, 0))), None
    return point, None if reason == Reason.ROUNDING else reason


def _by_products(
    objective: Objective, theta: Matrix, rule: StoppingRule, stride: int, is_warm: bool,
    trace: Trace,
) -> tuple[Point, Reason]:  # fmt: skip
    """Newton with conjugate gradients, and whole Hessians where rounding errors end that."""
    point, reason = climb_by_products(objective, theta, rule, stride, is_warm, trace)
    if reason == Reason.ROUNDING and not rule.hidden.all() and not objective.loss.is_coupled:
        try:
            return _finish_by_newton(objective, point, rule, trace)
        except (KeyboardInterrupt, TimeUp) as end:  # before the first iteration: the point is good
            return point, Reason.TIME_LIMIT if isinstance(end, TimeUp) else Reason.INTERRUPTED
    return point, reason


def _lifted(
    objective: Objective, lift: Callable[[], Matrix], rule: StoppingRule, trace: Trace
) -> Point:
    """Return the point in the columns of X, evaluated there: it takes the place of the last one."""
    clock, curvature = objective.design.counter.clock, objective.rows.empty_curvature()
    with contextlib.nullcontext() if clock is None else clock.stopped():
        theta = lift()
        found = objective.at(theta, curvature)
    if rule.certificate is not None:
        rule.certificate.know(theta, curvature)
    trace.history[-1] = np.array(found.cost)
    trace.passes[-1], trace.times[-1] = objective.design.n_passes, trace.seconds()
    return Point(theta, found.cost, found.gradient)


def outcome_of(
    objective: Objective,
    point: Point,
    rule: StoppingRule,
    trace: Trace,
    reason: Reason,
    choice: str,
) -> Outcome:
    """Return where a fit ended, and why, with all that was seen on the way."""
    trace.prove(rule.bound)
    coef, intercept = objective.settled(point.theta)
    return Outcome(
        coef=coef,
        intercept=intercept,
        gradient=objective.user_gradient(
            *objective.split(objective.least_slopes(point.theta, point.gradient))
        ),
        history=np.array(trace.history),
        passes=np.array(trace.passes),
        times=np.array(trace.times),
        bounds=np.array(trace.bounds),
        n_iter=trace.n_iter,
        reason=reason,
        bound=rule.bound,
        choice=choice,
        separated=rule.separated(),
        hidden=rule.hides(),
        lost=_column_far_from_zero(objective, point.theta) if rule.hidden.any() else None,
    )


def _column_far_from_zero(objective: Objective, theta: Matrix) -> int:
    """Return the column that makes the intercept largest in the units of X."""
    coef, _ = objective.split(theta)
    center, inverse_scale = objective.design.columns
    return int(np.argmax(np.abs(coef * inverse_scale * center).max(axis=0)))


def _finish_by_newton(
    objective: Objective, point: Point, rule: StoppingRule, trace: Trace
) -> tuple[Point, Reason]:
    """Go on with the Hessian of all rows, as where columns are nearly collinear: if it is small."""
    if point.theta.shape[1] > MAX_HESSIAN or trace.n_iter >= trace.limits.max_iter:
        return point, Reason.ROUNDING
    whole = certificate_of(objective, 1)
    rule.certificate = whole
    return newton(objective, point.theta, rule, whole.hessians, trace)


def _back_at(objective: Objective, theta: Matrix, rule: StoppingRule, trace: Trace) -> Point:
    """Return the evaluated start, where no other point is left: what was proven of others goes."""
    rule.forget()
    return evaluate_at_last(objective, theta, trace)


def evaluate_at_last(objective: Objective, theta: Matrix, trace: Trace) -> Point:
    """Return an evaluated point, whatever time it takes: without one there is no result."""
    clock = objective.design.counter.clock
    if clock is None:
        return evaluate(objective, theta, trace)
    with clock.stopped():
        return evaluate(objective, theta, trace)


def approach(objective: Objective, theta: Matrix, tol: float, stride: int, trace: Trace) -> Matrix:
    """Return theta near the optimum, about `tol` above it relative to the cost, without a proof.

    Binomial models of nearly the same row curvatures, as far as a subsample shows, get the same
    point. Raises `Interrupted` after Ctrl-C.
    """
    if objective.loss.is_coupled:
        rule = StoppingRule(LEFT_OVER * tol, objective.n_models, steps_on=True)
        point, reason = climb_by_products(objective, theta, rule, stride, False, trace)
        if reason == Reason.INTERRUPTED:
            raise Interrupted(point.theta)
        return point.theta
    place, part, is_warm = np.arange(objective.n_models), objective, False
    if stride > 1:
        sampled = objective.subsample(stride)
        begin, reason = _start_of_subsample(sampled, theta, trace)
        if reason == Reason.INTERRUPTED:
            raise Interrupted(begin.theta)
        if reason == Reason.TIME_LIMIT:
            return begin.theta
        leading, place = np.unique(leaders_of(sampled, begin.theta), return_inverse=True)
        part, theta, is_warm = objective.only(leading), begin.theta[leading], True
    rule = StoppingRule(LEFT_OVER * tol, part.n_models, steps_on=True)
    point, reason = _climb(part, theta, rule, stride, is_warm, trace)
    if reason == Reason.INTERRUPTED:
        raise Interrupted(point.theta[place])
    return point.theta[place]


def finish_each(
    objective: Objective, point: Point, rule: StoppingRule, trace: Trace
) -> tuple[Point, Reason]:
    """Go on with the models that are not where they should be, with Hessians of their own."""
    left = np.flatnonzero(~rule.met)
    part = objective.only(left)
    certificate = certificate_of(part, 1)
    own = StoppingRule(rule.tol, left.size, certificate, separation_of(part))
    within = replace(
        trace.limits, max_iter=max(1, trace.limits.max_iter - trace.n_iter), callback=None
    )
    rest = Trace(within, trace.began, part)
    n_samples, n_features = objective.design.shape
    size = (n_features + 1) * objective.n_classes
    if left.size * float(size) ** 3 > FINISH_FACTORS:
        return point, Reason.ROUNDING  # what else is known would take minutes
    work = left.size * n_samples * size**2
    is_coupled = objective.loss.is_coupled
    # A Gram matrix of so few columns takes less than the products of an equation.
    is_small = not is_coupled and size <= DENSE_COLUMNS
    if is_small or work <= (NEWTON_WORK * left.size if is_coupled else FINISH_WORK):
        found, reason = newton(part, point.theta[left], own, certificate.hessians, rest)
    else:
        found, reason = newton_cg(part, point.theta[left], own, rest)
    theta, cost, gradient = point.theta.copy(), point.cost.copy(), point.gradient.copy()
    theta[left], cost[left], gradient[left] = found.theta, found.cost, found.gradient
    rule.take_over(left, own)
    trace.go_on(rest, left, point.cost, rule.bound)
    return Point(theta, cost, gradient), reason


def _climb(
    objective: Objective, theta: Matrix, rule: StoppingRule, stride: int, is_warm: bool,
    trace: Trace, patience: int | None = None,
) -> tuple[Point, Reason]:  # fmt: skip
    """L-BFGS from the optimum of a subsample, itself found in the same way, with its Hessian.

    Where that misleads or takes long, with the Hessian of all rows from there on: of Caravan (5,822
    x 85, counts that are 0 but in few rows) at C=1 in 45 passes in place of 4,363.
    """
    certificate = rule.certificate or certificate_of(objective, stride)
    sampled, n_features = certificate.sampled, objective.design.shape[1]
    density = objective.design.density
    if sampled is not objective and not is_warm:
        begin, reason = _start_of_subsample(sampled, theta, trace)
        theta = begin.theta
        if reason in (Reason.INTERRUPTED, Reason.TIME_LIMIT):
            return evaluate_at_last(objective, theta, trace), reason

    def renew(theta: Matrix) -> Precondition:
        if n_features > MAX_HESSIAN and density <= SPARSE:
            everyone = np.arange(objective.n_models)
            return by_diagonal(objective, objective.curvature(theta), everyone)
        return _hessians(certificate.hessians, theta, sampled.curvature(theta))

    price = GRAM_PRICE * (n_features + 1)
    start = evaluate(objective, theta, trace)
    if sampled is objective:
        return lbfgs(objective, start, renew, price, rule, trace, patience)
    until = trace.n_iter + max(TRIED, int(TIMES_WHOLE * price))
    point, reason = lbfgs(objective, start, renew, price / stride, rule, trace, patience, until)
    if reason != Reason.MISLED:
        return point, reason
    if n_features > MAX_HESSIAN:
        return climb_by_products(objective, point.theta, rule, 1, True, trace)
    whole = certificate_of(objective, 1)
    if rule.certificate is not None:
        rule.certificate = whole

    def renew_by_all(theta: Matrix) -> Precondition:
        return _hessians(whole.hessians, theta, objective.curvature(theta))

    return lbfgs(objective, point, renew_by_all, price, rule, trace, patience)


def _start_of_subsample(sampled: Objective, theta: Matrix, trace: Trace) -> tuple[Point, Reason]:
    """Return a point near the optimum of a subsample, and why it ended there."""
    # That optimum is itself off by about this much.
    inner = StoppingRule(0.05 * theta.shape[1] / sampled.design.shape[0], sampled.n_models)
    within = Limits(0.0, SAMPLE_ITERATIONS, None, trace.limits.time_limit)
    quiet = Trace(within, trace.began, sampled)
    sampled.design.counter.phase = "the start, from some of the rows"
    return _climb(sampled, theta, inner, sample_stride(*sampled.design.shape), False, quiet)


def climb_by_products(
    objective: Objective,
    theta: Matrix,
    rule: StoppingRule,
    stride: int,
    is_warm: bool,
    trace: Trace,
) -> tuple[Point, Reason]:
    """Newton with conjugate gradients, from the optimum of a subsample if there is one."""
    certificate = rule.certificate or certificate_of(objective, stride)
    sampled = certificate.sampled
    if sampled is not objective and not is_warm:
        inner = StoppingRule(
            min(0.05 * theta.shape[1] / sampled.design.shape[0], ROUGH), sampled.n_models
        )
        within = Limits(0.0, SAMPLE_ITERATIONS, None, trace.limits.time_limit)
        quiet = Trace(within, trace.began, sampled)
        sampled.design.counter.phase = "the start, from some of the rows"
        begin, reason = climb_by_products(sampled, theta, inner, 1, False, quiet)
        theta = begin.theta
        if reason in (Reason.INTERRUPTED, Reason.TIME_LIMIT):
            return evaluate_at_last(objective, theta, trace), reason
    drawn = objective if objective.design.gives_rows_freely else sampled

    def renew(theta: Matrix, curvature: RowCurvature, models: Indices) -> Precondition:
        return own_hessians(objective, drawn, theta, curvature, models)

    starts_warm = is_warm or stride > 1
    if objective.design.shape[1] > MAX_HESSIAN or objective.design.density <= SPARSE:
        if objective.loss.is_coupled or not may_lead(objective):
            return newton_cg(objective, theta, rule, trace)

        def lead(theta: Matrix, curvature: RowCurvature, models: Indices) -> Precondition:
            own = curvature[models] if models.size < objective.n_models else curvature
            return LeadingHessians(objective, own, models).solve

        price = leading_price(objective)
        return newton_cg(objective, theta, rule, trace, lead, price, starts_warm, SLOW)
    return newton_cg(objective, theta, rule, trace, renew, sample_price(objective), starts_warm)


def own_hessians(
    objective: Objective,
    sampled: Objective,
    theta: Matrix,
    curvature: RowCurvature,
    models: Indices,
) -> Precondition:
    """Return the Hessians of some models, from `sampled`: all rows, or a subsample."""
    if sampled is not objective:
        drawn = sampled.only(models).curvature(theta[models])
    else:
        drawn = curvature[models] if models.size < sampled.n_models else curvature
    return SampledHessians(sampled, drawn, models).solve


def sample_price(objective: Objective) -> float:
    """Return how many passes the Hessians of a few rows cost, roughly."""
    n_samples, n_features = objective.design.shape
    count, size = sample_size(objective), n_features + 1
    small, large = sorted((count, size))
    work = 0.5 * small**2 * large + small**3
    # Where it is next to nothing, rows of weight 2 and rows that come twice take the same course.
    return LEAST_PRICE if work <= CHEAP else float(max(LEAST_PRICE, work / (n_samples * size)))


def _hessians(hessians: Hessians, theta: Matrix, curvature: RowCurvature) -> Precondition:
    """Factor the Hessian of each output, or one of their mean where each would take too long."""
    sampled = hessians.sampled
    n_samples, n_features = sampled.design.shape
    share = n_samples / hessians.objective.design.shape[0]
    if sampled.n_outputs == 1 or share * n_features <= OWN_HESSIANS:
        factors = []
        for model in range(sampled.n_models):
            blocks = hessians.blocks(model, theta[model], curvature[model])
            first = model * sampled.n_classes
            factors += [_factor(sampled, block, first + k) for k, block in enumerate(blocks)]
    else:
        mean = sampled.rows.mean_hessian(curvature)
        factors = [_factor(sampled, mean, output) for output in range(sampled.penalty.n_sets)]

    def precondition(models: Indices, vectors: Matrix) -> Matrix:
        sides = vectors.reshape(-1, n_features + 1)
        if len(factors) == 1:
            solved = factors[0].solve(sides)
        else:
            outputs = sampled.rows.outputs_of(models)
            each = [factors[o].solve(sides[i : i + 1])[0] for i, o in enumerate(outputs)]
            solved = np.array(each)
        return sampled.loss.centred(solved.reshape(vectors.shape))

    return precondition


def _factor(sampled: Objective, loss: Matrix, output: int) -> Factor:
    sampled.design.counter.check(1e-9 * FACTOR_NS * len(loss) ** 3 / 3.0)
    matrix = loss.copy()
    # A column that does not vary in the subsample may do so in the other rows.
    varies = np.append(sampled.design.columns.inverse_scale > 0.0, sampled.fit_intercept)
    curvature = loss[-1, -1] if sampled.fit_intercept else 0.25
    spread = matrix.diagonal().copy()
    if sampled.fit_intercept and curvature > 0.0:
        spread[:-1] -= loss[-1, :-1] ** 2 / curvature
    unseen = np.flatnonzero(varies & (spread <= UNSEEN * curvature))
    matrix[unseen], matrix[:, unseen] = 0.0, 0.0
    diagonal = matrix.diagonal() + sampled.parameter_penalty.diagonals()[output]
    diagonal[unseen] += curvature
    matrix.flat[:: len(matrix) + 1] = diagonal * (1.0 + RIDGE)
    sampled.penalty.couple(matrix, output)
    return Factor(matrix, DEPENDENT)
