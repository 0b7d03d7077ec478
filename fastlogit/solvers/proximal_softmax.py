"""The way of a softmax under L1 and bounds: its part of `proximal_newton`.

As for two classes each step goes to the minimum of the model of second order plus L1, over a
working set; here that is of single coefficients, so that a column may belong to some classes alone.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..arrays import Masks, Matrix, Vector
from ..kernels.coordinate_descent import descend
from ..objective.class_working_set import ClassWorkingSet
from ..objective.objective import Objective
from ..objective.row_state import RowCurvature
from .carried import Carried
from .iteration import DECREASE, MAX_TRIALS
from .quadratic_model import Corners, QuadraticModel
from .trace import Point

__all__ = ["SoftmaxModel"]

# Of the coefficients whose slopes exceed L1 so many come in at the most: a number, so many times
# the root of all, or MORE of those that have to be there. And SPARE of these of the next ones.
LEAST, ROOTS, SPARE, MORE = 64, 1.5, 0.1, 0.5
# A working set of more, whose Hessian takes 72 MB, gives way to so many accelerated gradient steps
# at a time over all coefficients.
MOST_WORKING, STEPS = 3_000, 50
# Newton steps over a working set that has all coefficients it should, before all are looked at
# again, as long as they lack more than this share of what was missing before.
INNER, INNER_SHARE = 10, 0.05
# Sweeps of coordinate descent before their fall is compared with that of all before, so often at
# most, and the share below which they are enough where more than FAR of the cost is missing.
SWEEPS, ROUNDS, ROUGH, FAR = 4, 25, 0.02, 1e-3
# A Hessian serves where no range of raw predictions has changed by more.
NEAR_ENOUGH = 0.15
# And what may be missing before that is asked, in units of its square.
FAR_ROWS = 0.02
# Of what is wanted, the share that a working set may lack.
WITHIN = 0.1
# Changes of the cost below this share of it are rounding errors.
ROUNDING = 4e-15
# Below this share of a step the bound on the curvature leads on.
SHORT = 0.01
# Iterations that bring it no nearer, after which rounding is to blame where it lacks no more than
# this share of its cost; or of more, where steps are short.
PATIENCE, NEAR = 4, 1e-12
# What is no larger than this share of the largest is at 0, where the fall of the quadratic model
# loses no more than this share of the cost by it.
TRACE, LOST = 1e-11, 1e-16
LONG_PATIENCE, LESS_NEAR = 30, 1e-9


class Place(NamedTuple):
    """A point of a working set: coefficients, cost, smooth gradient, curvatures of the rows."""

    point: Vector
    cost: float
    slopes: Vector
    curvature: RowCurvature


class SoftmaxModel:
    """One softmax on its way.

    Parameters
    ----------
    objective : Objective
        Of this model alone.
    curvature : RowCurvature
        Of the rows at the start.

    Attributes
    ----------
    working : ClassWorkingSet
        Of the last look, but where that was large.
    is_large : bool
        Whether there are more coefficients that are not 0 than a working set may have.
    """

    working: ClassWorkingSet

    def __init__(self, objective: Objective, curvature: RowCurvature) -> None:
        assert objective.l1 is not None
        self._whole = objective
        self._l1 = objective.l1
        self._varies = objective.design.columns.inverse_scale > 0.0
        self._curvature = curvature
        self._model: QuadraticModel | None = None
        self._known: tuple[Vector, Vector, float] | None = None
        self._lowest, self._lack, self._waited = np.inf, np.inf, 0
        self._was_missing, self._is_complete = np.inf, True
        self.is_large = False
        self._step_size: float | None = None
        self._ahead: tuple[Vector, Vector, float] | None = None

    def begin_with(self, carried: Carried, model: int) -> None:
        """Take nothing of the fit before: its pairs are chosen anew."""

    def left(self) -> tuple[RowCurvature, None]:
        """Return what the next fit may begin with: the row curvatures."""
        return self._curvature, None

    def look(self, point: Point, model: int) -> float:
        """Return what the model is thought to lack at a point of all coefficients.

        Infinite where the working set leaves out coefficients whose slopes exceed L1.
        """
        theta, gradient = point.theta[model], point.gradient[model]
        is_complete = self._is_complete = self._choose(theta, gradient)
        if self.is_large:
            self._theta, self._lack = theta, self._lack_by_diagonal(theta, gradient)
            return self._take(self._lack, True)
        here = self.working.take(theta), float(point.cost[model])
        self._here = Place(*here, self.working.take_slopes(gradient), self._curvature)
        self._target, lack = self._model_at(self._here)
        return self._take(lack, is_complete)

    def _take(self, lack: float, is_complete: bool) -> float:
        better = not is_complete or lack < 0.5 * self._lowest
        self._waited = 0 if better else self._waited + 1
        if better:
            self._lowest = lack if is_complete else np.inf
        self._lack = lack
        return lack if is_complete else np.inf

    def _lack_by_diagonal(self, theta: Vector, gradient: Vector) -> float:
        least = self._whole.least_slopes(theta[None], gradient[None])[0]
        return float(0.5 * np.square(least) @ (1.0 / self._whole.diagonal(self._curvature)[0]))

    def waits_in_vain(self, cost: float) -> bool:
        """Say whether the model gets no nearer where rounding errors are to blame."""
        share = self._lack / max(abs(cost), 1e-300)
        is_idle = self._waited >= PATIENCE and share <= NEAR
        return is_idle or (self._waited >= LONG_PATIENCE and share <= LESS_NEAR)

    def _choose(self, theta: Vector, gradient: Vector) -> bool:
        """Choose the working set, and say whether it has all coefficients that should move."""
        coef, levels = self._whole.split(theta[None])
        slopes, _ = self._whole.split(gradient[None])
        low, high = self._l1.allowed(coef)
        excess = np.maximum(low - slopes, slopes - high)
        needed = self._varies & ((coef != 0.0) | ~self._l1.corners(coef))
        beyond = self._varies & ~needed & (excess > 0.0)
        n_needed, n_beyond = int(needed.sum()), int(beyond.sum())
        self.is_large = n_needed + min(n_beyond, LEAST) > MOST_WORKING
        if self.is_large:
            return True
        if hasattr(self, "working") and self.working.covers(needed | beyond):
            return True
        self._known = None
        least = max(LEAST, int(ROOTS * np.sqrt(excess.size)))
        spare = max(LEAST // 2, int(SPARE * n_needed))
        size = n_needed + spare + min(n_beyond, max(int(MORE * n_needed), least))
        inside = self._inside(needed, excess, min(size, MOST_WORKING))
        self.working = ClassWorkingSet(self._whole, inside, levels)
        self._corners = Corners(self.working.l1, self.working.lower, self.working.upper)
        self._model = None
        return not (beyond & ~inside).any()

    def _inside(self, needed: Masks, excess: Matrix, size: int) -> Masks:
        """Return the needed coefficients and those of the largest slopes, so many in all."""
        worst = np.where(self._varies & ~needed, excess, -np.inf).reshape(-1)
        chosen = np.argsort(-worst, kind="stable")[: size - int(needed.sum())]
        inside = needed.copy()
        inside.reshape(-1)[chosen[np.isfinite(worst[chosen])]] = True
        return inside

    def _model_at(self, here: Place) -> tuple[Vector, float]:
        """Return the minimum of the model of second order, and by how much it falls."""
        if self._known is not None and np.array_equal(self._known[0], here.point):
            return self._known[1:]
        if not (self._may_be_near() and self.working.moved(here.point) <= NEAR_ENOUGH):
            self.working.look(here.point, here.curvature)
        if self._model is None or self._model.matrix is not self.working.matrix:
            check = self._whole.design.counter.check
            self._model = QuadraticModel(self.working.matrix, self._corners, check)
        target, slopes = self._descended(here)
        lack = self._fall(here, target)
        if not lack > FAR * abs(here.cost):
            target = self._without_traces(here, self._model.minimum(slopes, target))
            lack = self._fall(here, target)
        self._known, self._was_missing = (here.point, target, lack), lack
        return target, lack

    def _without_traces(self, here: Place, target: Vector) -> Vector:
        """Return the target with what is 0 but for rounding errors at 0.

        As of two levels of a factor, whose coefficients may go over to each other for nothing.
        """
        sizes, strengths = self._sizes_of(target)
        traces = (strengths > 0.0) & (sizes > 0.0) & (sizes <= TRACE * sizes.max(initial=0.0))
        if not traces.any():
            return target
        without = np.where(traces, 0.0, target)
        lost = self._fall(here, target) - self._fall(here, without)
        return without if lost <= LOST * abs(here.cost) else target

    def _sizes_of(self, point: Vector) -> tuple[Vector, Vector]:
        """Return for each component the size that L1 sees, and its strength there."""
        return np.abs(point), self.working.l1

    def _may_be_near(self) -> bool:
        """Say whether it is worth a look how far raw predictions are from those of the Hessian."""
        return self._was_missing < FAR_ROWS * NEAR_ENOUGH**2

    def _descended(self, here: Place) -> tuple[Vector, Vector]:
        """Return a point near the minimum of the model, and the slopes of what is smooth there."""
        target, slopes, fall = here.point.copy(), here.slopes.copy(), 0.0
        for _ in range(ROUNDS):
            descend.serial(self.working.matrix, *self._corners, SWEEPS, 0.0, target, slopes)
            before, fall = fall, self._fall(here, target)
            if fall - before <= ROUGH * fall:
                break
        return target, slopes

    def _fall(self, here: Place, target: Vector) -> float:
        """Return by how much the model falls from here to a target."""
        step = target - here.point
        curved = float(step @ np.einsum("ij,j->i", self.working.matrix, step))
        return max(0.0, -self._promised(here, target) - 0.5 * curved)

    def _promised(self, here: Place, target: Vector) -> float:
        """Return the slope of the cost from here to a target."""
        more = np.abs(target) - np.abs(here.point)
        return float(here.slopes @ (target - here.point) + self.working.l1 @ more)

    def advance(self, wanted: float) -> tuple[Vector, float, Vector]:
        """Go on by a step, or by some over a part of the coefficients.

        Returns parameters, cost and smooth gradient of all.
        """
        if self.is_large:
            return self._accelerate()
        enough = max(INNER_SHARE * self._lack, WITHIN * wanted)
        here, target = self._search(self._here, self._target), self._target
        for _ in range(INNER if self._is_complete else 0):
            target, lack = self._model_at(here)
            if lack <= enough:
                break
            here = self._search(here, target)
        return self._evaluated(self.working.put(here.point))

    def _evaluated(self, theta: Vector) -> tuple[Vector, float, Vector]:
        """Return a point with the least of what all classes share, its cost and gradient."""
        settled, _ = self._whole.settled(theta[None])
        theta = theta.copy()
        self._whole.split(theta)[0][...] = settled
        curvature = self._curvature.like()
        found = self._whole.at(theta[None], curvature)
        self._curvature = curvature
        return theta, float(found.cost[0]), found.gradient[0]

    def _accelerate(self) -> tuple[Vector, float, Vector]:
        """Take accelerated proximal gradient steps, with restarts (O'Donoghue and Candes, 2015)."""
        whole = self._whole
        assert whole.l1 is not None
        if self._step_size is None:
            self._step_size = 1.0 / whole.curvature_bound()
        here, ahead, turn = self._theta, self._theta, 1.0
        if self._ahead is not None and np.array_equal(self._ahead[0], here):
            here, ahead, turn = self._ahead
        for _ in range(STEPS):
            new = ahead - self._step_size * whole.at(ahead[None]).gradient[0]
            coef, _ = whole.split(new)
            coef[...] = whole.l1.prox(coef, self._step_size)
            if (ahead - new) @ (new - here) > 0.0:
                turn = 1.0
            later = 0.5 * (1.0 + np.sqrt(1.0 + 4.0 * turn * turn))
            here, ahead = new, new + (turn - 1.0) / later * (new - here)
            turn = later
        self._ahead = here, ahead, turn
        return self._evaluated(here)

    def _search(self, here: Place, target: Vector) -> Place:
        """Return the first point on the way to the target where the cost is low enough.

        Where that is near, as among rows without curvature, the minimum of a function above the
        cost is looked at as well.
        """
        promised, size = self._promised(here, target), 1.0
        slack = ROUNDING * abs(here.cost)
        for _ in range(MAX_TRIALS):
            found = self._at(target if size == 1.0 else here.point + size * (target - here.point))
            fall = here.cost - found.cost
            if np.isfinite(found.slopes).all() and fall >= -DECREASE * size * promised - slack:
                break
            if size < SHORT:
                found = here
                break
            size *= 0.5 if fall > -abs(here.cost) else 0.1
        return found if size >= SHORT else self._majorize(here, found)

    def _at(self, point: Vector) -> Place:
        point = self.working.within(point)
        with np.errstate(over="ignore", invalid="ignore"):
            return Place(point, *self.working.at(point))

    def _majorize(self, here: Place, other: Place) -> Place:
        """Return the lower of another point and the minimum of a function above the cost."""
        matrix = self.working.majorizing(here.point)
        target = QuadraticModel(matrix, self._corners).minimum(here.slopes, here.point)
        return self._lower(here, other, target)

    def _lower(self, here: Place, other: Place, target: Vector) -> Place:
        found = self._at(target)
        lowest = min(here.cost, other.cost)
        fine = np.isfinite(found.slopes).all() and found.cost < lowest
        return found if fine else other if other.cost < here.cost else here
