"""Newton's method under L1 and bounds, over the columns that may move: exact zeros.

Each step minimises the second-order model of the smooth cost plus L1, over a working set of columns
(Lee, Sun and Saunders, 2014, SIAM Journal on Optimization 24; Massias and others, 2020, Journal of
Machine Learning Research 21, for working sets).
"""

from __future__ import annotations

import numpy as np

from ..arrays import Indices, Matrix, Vector
from ..certificates.composite import CompositeCertificate
from ..certificates.composite_softmax import CompositeSoftmaxCertificate
from ..certificates.dual_gap import KnownStep
from ..clock import TimeUp
from ..objective.binomial import Binomial
from ..objective.column_model import Descent, descend_model
from ..objective.group_penalty import GroupL1
from ..objective.objective import Objective
from ..objective.penalties import ElasticNet
from ..objective.row_state import RowCurvature
from ..objective.working_set import WorkingSet
from .abilities import Abilities
from .carried import Carried
from .iteration import DECREASE
from .proximal_groups import GroupsModel
from .proximal_model import ROUNDING, SHORT, Place, ProximalModel
from .proximal_softmax import SoftmaxModel
from .quadratic_model import Corners, QuadraticModel
from .stopping import StoppingRule
from .trace import Point, Reason, Trace, of_models

__all__ = ["ABILITIES", "proximal_newton"]

ABILITIES = Abilities(penalties=ElasticNet, losses=Binomial)

# Up to so many columns, and where the working set has this share of them, all are in it: none is
# copied.
FEW_COLUMNS, MOST = 64, 0.5
# Of the columns whose slopes exceed L1 so many come in at the most: a number, so many times the
# root of all columns (a Gram matrix of some times as many costs a pass), or MORE of those that have
# to be there. And SPARE of these of the next ones. On 1,000 x 20,000 at C=0.5 twice as many took
# 1.4 s where these took 0.5, on two busy cores.
LEAST, ROOTS, SPARE, MORE = 64, 1.5, 0.1, 0.5
# A working set of more, whose Hessian would take 200 MB, gives way to gradient steps.
MOST_WORKING = 5_000
# On a path the working set of the fit before is most likely complete: less is left then. 50 C of
# 500 x 4,000 take 77 passes in place of 117, and a tenth less time, 4,000 made texts a fifth less.
INNER_SHARE_ON_PATH = 5e-4
# Up to so many columns each step has a Hessian of its own.
CHEAP_COLUMNS = 32
# Of columns that the design gives as they are (sparse ones), so many times those that have to be
# there come in at the most; sweeps of coordinate descent over them, which end when the last one's
# squared steps are this share of all. Text of 50,000 x 50,000 takes 9 evaluations and 48 sweeps so;
# with growth 1 and a share of 0.05 12 evaluations, and without an intercept, where steps that are
# too rough bring little, twice the sweeps (265 and 123).
GROWTH, SWEEPS, ROUGH = 2.0, 40, 0.005
# Where a model lacks no more than this share of its cost, the sweeps go on until steps are better,
# and where it lacks no more than what is asked for, as exact as a proof by them wants. Squares of
# 1e-12 do: what is left of the bound then, 4e-9 of the cost on that text, is rounding.
CLOSE, MIDDLE, EXACT, EXACT_SWEEPS = 1e-6, 1e-4, 1e-12, 400
# Of dense columns, all there, a model that lacks no more than this share goes on with a Gram
# matrix: few exact steps take less than many sweeps. 1,000 x 20,000, 700 coefficients, take 0.36 s
# of processor time so, 0.55 with sweeps to the end and 0.50 with Gram matrices from the start.
LATE = 1e-4
# Columns whose slopes come that near to L1, as a share of it, are there as well.
NEXT = 0.05


def proximal_newton(
    objective: Objective, theta: Matrix, rule: StoppingRule, trace: Trace,
    carried: Carried | None = None,
) -> tuple[Point, Reason]:  # fmt: skip
    """Minimise from `theta`; return the last point and why it ended there.

    `carried` has what the fit before left, on a path of penalties, and takes what this one leaves.

    For each model: 1. the working set: columns with a coefficient or without L1, and those whose
    slopes exceed L1 by the most; 2. the minimum of the model of second order over it, whose fall
    estimates what the point lacks: models that meet the rule rest; 3. Newton steps over the working
    set, with line search; 4. cost and gradient of all columns; 5. limits and the user may end it.
    """
    curvature = objective.rows.empty_curvature()
    carried = carried or Carried()
    point = carried.begin(objective, objective.within_bounds(theta), trace, curvature)
    if not np.isfinite(point.cost).all() or not np.isfinite(point.gradient).all():
        return point, Reason.NOT_FINITE
    made: type[Model | SoftmaxModel] = SoftmaxModel if objective.loss.is_coupled else Model
    made = GroupsModel if isinstance(objective.l1, GroupL1) else made
    models: list[Model | SoftmaxModel] = [
        made(objective.only(np.array([k])), curvature[k]) for k in range(objective.n_models)
    ]
    for k, model in enumerate(models):
        model.begin_with(carried, k)
        model.tol = rule.tol
    resting = np.zeros(objective.n_models, dtype=bool)
    try:
        while True:
            active = np.flatnonzero(~resting)
            lacks = np.array([models[k].look(point, int(k)) for k in active])
            _tell(rule, models, active)
            theta, gradient = of_models(point.theta, active), of_models(point.gradient, active)
            rule.look(active, theta, point.cost[active], gradient, lacks)
            del theta, gradient
            trace.prove(rule.bound)
            resting |= rule.met | rule.hidden
            resting[[k for k in active if models[k].waits_in_vain(float(point.cost[k]))]] = True
            moving = active[~resting[active]]
            if not moving.size:
                return point, rule.conclude(point, Reason.ROUNDING)
            point = _advance(models, moving, point, rule.tol)
            trace.steps[moving] += 1
            trace.n_resting = int(resting.sum())
            reason = trace.note(point)
            resting |= rule.hopeless(point.theta, trace.n_iter)
            if reason or resting.all():
                return point, rule.conclude(point, reason or Reason.ROUNDING)
    except KeyboardInterrupt:
        return point, Reason.INTERRUPTED
    except TimeUp:
        return point, rule.conclude(point, Reason.TIME_LIMIT)
    finally:
        carried.take(objective, point, [model.left() for model in models])


def _tell(rule: StoppingRule, models: list[Model | SoftmaxModel], active: Indices) -> None:
    """Hand the certificate the Hessians of the models' working sets, or the steps without one."""
    certificate = rule.certificate
    for k in active:
        model = models[k]
        if isinstance(model, SoftmaxModel):
            if isinstance(certificate, CompositeSoftmaxCertificate) and not model.is_large:
                certificate.take_working_set(int(k), model.working)
        elif isinstance(certificate, CompositeCertificate):
            step = model.exact_step()
            if step is not None:
                certificate.take_step(int(k), step)
            elif not (model.is_large or model.by_columns):
                certificate.take_working_set(int(k), model.working)


def _advance(
    models: list[Model | SoftmaxModel], moving: Indices, point: Point, tol: float
) -> Point:
    found = [models[k].advance(tol * abs(float(point.cost[k]))) for k in moving]
    theta, cost, gradient = point.theta.copy(), point.cost.copy(), point.gradient.copy()
    for k, (of_theta, of_cost, slopes) in zip(moving, found, strict=True):
        theta[k], cost[k], gradient[k] = of_theta, of_cost, slopes
    return Point(theta, cost, gradient)


class Model(ProximalModel):
    """One model of two classes on its way, over columns.

    Attributes
    ----------
    working : WorkingSet
        Of the last look, but where that was large.
    by_columns : bool
        Whether steps are found without a Gram matrix.
    """

    working: WorkingSet

    def __init__(self, objective: Objective, curvature: RowCurvature) -> None:
        super().__init__(objective, curvature)
        assert objective.l1 is not None
        self._corners = objective.l1
        self._l1 = objective.l1.strengths[0]
        self._model: QuadraticModel | None = None
        # Where no function above the cost leads down.
        self._lowest_flat = np.empty(0)
        self.by_columns = objective.design.shape[1] > FEW_COLUMNS and self._corners.bounds is None
        self._descent: Descent | None = None

    def begin_with(self, carried: Carried, model: int) -> None:
        """Take the working set of the fit before, if there is one."""
        working = carried.working_set(model, self._whole)
        if working is not None:
            self.working, self._inner_share = working, INNER_SHARE_ON_PATH
            self.by_columns = False

    def left(self) -> tuple[RowCurvature, WorkingSet | None]:
        """Return what the next fit may begin with."""
        return self._curvature, getattr(self, "working", None)

    def look(self, point: Point, model: int) -> float:
        """Return what the model is thought to lack at a point of all columns.

        Infinite where the working set leaves columns out whose slopes exceed L1.
        """
        if self.by_columns:
            cost = float(point.cost[model])
            lack = self._look_at_columns(point.theta[model], point.gradient[model], cost)
            if lack is not None:
                return lack
        return super().look(point, model)

    def _look_at_columns(self, theta: Vector, gradient: Vector, cost: float) -> float | None:
        """Return the same by coordinate descent over the columns; None where that says nothing."""
        columns, is_complete = self._some_columns(theta, gradient)
        if not self._whole.design.gives_columns(columns.size):
            self.by_columns = False
            return None
        is_dense, self._is_exact = self._whole.design.density == 1.0, False

        def go_on(lack: float) -> tuple[int, float] | None:
            if is_dense or not is_complete or lack > CLOSE * abs(cost):
                return None
            self._is_exact = lack <= self.tol * abs(cost)
            return EXACT_SWEEPS, EXACT if self._is_exact else MIDDLE

        found = descend_model(
            self._whole, theta, gradient, self._curvature, columns, (SWEEPS, ROUGH), go_on
        )
        if is_dense and is_complete and found.lack <= LATE * abs(cost):
            self.by_columns, self._descent = False, None
            return None
        if not np.isfinite(found.target).all() or not found.promised <= 0.0:
            self.by_columns, self._descent = False, None
            return None
        self._descent, self._here = found, Place(theta, cost, gradient, self._curvature)
        return self._take(found.lack, is_complete)

    def _some_columns(self, theta: Vector, gradient: Vector) -> tuple[Indices, bool]:
        """Choose the columns that may move, and say whether these are all that should."""
        excess = np.abs(gradient[:-1]) - self._l1
        needed = self._varies & ((theta[:-1] != 0.0) | (self._l1 == 0.0))
        others = self._varies & ~needed
        beyond, n_needed = np.flatnonzero(others & (excess > 0.0)), int(needed.sum())
        most = max(LEAST, int(ROOTS * np.sqrt(len(excess))), int(GROWTH * n_needed))
        if beyond.size > most:
            needed[beyond[np.argpartition(-excess[beyond], most)[:most]]] = True
            return np.flatnonzero(needed), False
        # And those that come next, for a step may bring them in.
        near = others & (excess > -NEXT * self._l1)
        return np.flatnonzero(needed | near), True

    def exact_step(self) -> KnownStep | None:
        """Return the point looked at last, the step from there and row curvatures, if exact."""
        if self._descent is None or not self._is_exact:
            return None
        here = self._here
        return KnownStep(here.point, self._descent.target - here.point, here.curvature)

    def _choose(self, theta: Vector, gradient: Vector) -> bool:
        """Choose the working set, and say whether it has all columns that should move."""
        low, high = self._corners.allowed(theta[None, :-1])
        excess = np.maximum(low[0] - gradient[:-1], gradient[:-1] - high[0])
        at_corner = self._corners.corners(theta[None, :-1])[0]
        needed = self._varies & ((theta[:-1] != 0.0) | ~at_corner)
        beyond = self._varies & ~needed & (excess > 0.0)
        n_columns, n_needed = len(excess), int(needed.sum())
        if hasattr(self, "working") and self.working.covers(np.flatnonzero(needed | beyond)):
            self.is_large = False
            return True
        least = max(LEAST, int(ROOTS * np.sqrt(n_columns)))
        spare = max(LEAST // 2, int(SPARE * n_needed))
        size = n_needed + spare + min(int(beyond.sum()), max(int(MORE * n_needed), least))
        self.is_large = n_needed + min(int(beyond.sum()), LEAST) > MOST_WORKING
        if self.is_large:
            return True
        self._known = None
        if n_columns <= max(FEW_COLUMNS, min(int(size / MOST), MOST_WORKING)):
            self.working = WorkingSet(self._whole)
            return True
        size = min(size, MOST_WORKING)
        worst = np.where(self._varies & ~needed, excess, -np.inf)
        chosen = np.argsort(-worst, kind="stable")[: size - n_needed]
        inside = needed.copy()
        inside[chosen[np.isfinite(worst[chosen])]] = True
        self.working = WorkingSet(self._whole, np.flatnonzero(inside))
        return not (beyond & ~inside).any()

    def _minimum(self, here: Place) -> tuple[Vector, float]:
        """Return the minimum of the model of second order, and by how much it falls."""
        if self._model is None or self._model.matrix is not self.working.matrix:
            check = self._whole.design.counter.check
            self._model = QuadraticModel(self.working.matrix, self._of_working(), check)
        target = self._model.minimum(here.slopes, here.point)
        step = target - here.point
        # Where next to no row has curvature, the step may be of any size.
        with np.errstate(over="ignore", invalid="ignore"):
            curved = float(step @ np.einsum("ij,j->i", self.working.matrix, step))
            fall = -self._promised(here, target) - 0.5 * curved
        lack = max(0.0, fall) if np.isfinite(fall) and not self._is_flat(here) else np.inf
        return target, lack

    def _is_flat(self, here: Place) -> bool:
        """Say whether a way down may be hidden, as where an offset of 1e5 takes all curvature.

        The model of second order says nothing of a parameter in which no row has any.
        """
        part = self.working.part
        flat = part.fitted() & ~(np.diag(self.working.matrix) > 0.0)
        if not flat.any() or np.array_equal(self._lowest_flat, here.point):
            return False
        return bool(part.least_slopes(here.point[None], here.slopes[None])[0, flat].any())

    def _may_be_near(self) -> bool:
        """Say whether another Hessian may serve: one of few columns is made sooner than asked."""
        return self.working.columns.size > CHEAP_COLUMNS and super()._may_be_near()

    def _goes_on(self) -> bool:
        """Say whether steps over some columns follow each other, before all are looked at."""
        return self._is_complete and not self.working.is_whole

    def _of_working(self) -> Corners:
        """Return L1 and bounds of the working set, and of the intercept, which has none."""
        l1 = np.append(self._l1[self.working.columns], 0.0)
        if self._corners.bounds is None:
            return Corners.of_l1(l1)
        lower, upper = self._corners.bounds.of(self.working.columns)
        return Corners(l1, np.append(lower, -np.inf), np.append(upper, np.inf))

    def _promised(self, here: Place, target: Vector) -> float:
        """Return the slope of the cost from here to a target."""
        more = np.abs(target) - np.abs(here.point)
        return float(here.slopes @ (target - here.point) + self._of_working().l1 @ more)

    def advance(self, wanted: float) -> tuple[Vector, float, Vector]:
        """Go on by a step, or by some over a part of the columns.

        Returns parameters, cost and smooth gradient of all columns.
        """
        if self._descent is not None:
            return self._step_over_columns(self._descent)
        return super().advance(wanted)

    def _ended(self, here: Place) -> tuple[Vector, float, Vector]:
        """Return parameters, cost and smooth gradient of all columns at a point of some."""
        self._curvature = here.curvature
        if self.working.is_whole:
            return here.point, here.cost, here.slopes
        theta = self.working.put(here.point)
        found = self._whole.at(theta[None])
        return theta, float(found.cost[0]), found.gradient[0]

    def _evaluated(self, theta: Vector) -> tuple[Vector, float, Vector]:
        """Return a point of all columns, its cost and gradient."""
        curvature = self._curvature.like()
        found = self._whole.at(theta[None], curvature)
        self._curvature = curvature
        return theta, float(found.cost[0]), found.gradient[0]

    def _step_over_columns(self, found: Descent) -> tuple[Vector, float, Vector]:
        """Go to where coordinate descent has led, or some of the way."""
        here, self._descent = self._here, None
        del self._here  # a vector of the rows, while others are made
        slack, size = ROUNDING * abs(here.cost), 1.0
        while size >= SHORT:
            theta = here.point + size * (found.target - here.point)
            curvature = self._curvature.like()
            with np.errstate(over="ignore", invalid="ignore"):
                at = self._whole.at(theta[None], curvature)
            cost, gradient = float(at.cost[0]), at.gradient[0]
            fall = here.cost - cost
            enough = fall >= -DECREASE * size * found.promised - slack
            if np.isfinite(gradient).all() and enough:
                self._curvature = curvature
                return theta, cost, gradient
            size *= 0.5
        self.by_columns = False
        return here.point, here.cost, here.slopes

    def _at(self, point: Vector) -> Place:
        """Return the nearest point within the bounds, evaluated over the working set."""
        part = self.working.part
        point, curvature = part.within_bounds(point[None])[0], part.rows.empty_curvature()
        with np.errstate(over="ignore", invalid="ignore"):
            found = part.at(point[None], curvature)
        return Place(point, float(found.cost[0]), found.gradient[0], curvature)

    def _majorize(self, here: Place, other: Place) -> Place:
        """Return the lower of another point and the minimum of a function above the cost."""
        part = self.working.part
        matrix = part.rows.hessian(part.rows.majorizing(here.point[None]), 0)
        part.parameter_penalty.add_to(matrix, 0)
        check = self._whole.design.counter.check
        model = QuadraticModel(matrix, self._of_working(), check)
        target = model.minimum(here.slopes, here.point)
        lowest = self._lower(here, other, self._at(target))
        if lowest is here:
            self._lowest_flat = here.point
        return lowest
