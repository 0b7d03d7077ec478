"""The way of a softmax under L1 and bounds: its part of `proximal_newton`.

As for two classes each step goes to the minimum of the model of second order plus L1, over a
working set; here that is of single coefficients, so that a column may belong to some classes alone.
"""

from __future__ import annotations

import numpy as np

from ..arrays import Masks, Matrix, Vector
from ..kernels.coordinate_descent import descend
from ..objective.class_working_set import ClassWorkingSet
from ..objective.objective import Objective
from ..objective.row_state import RowCurvature
from .carried import Carried
from .proximal_model import Place, ProximalModel
from .quadratic_model import Corners, QuadraticModel

__all__ = ["SoftmaxModel"]

# Of the coefficients whose slopes exceed L1 so many come in at the most: a number, so many times
# the root of all, or MORE of those that have to be there. And SPARE of these of the next ones.
LEAST, ROOTS, SPARE, MORE = 64, 1.5, 0.1, 0.5
# A working set of more, whose Hessian takes 72 MB, gives way to gradient steps.
MOST_WORKING = 3_000
# Sweeps of coordinate descent before their fall is compared with that of all before, so often at
# most, and the share below which they are enough where more than FAR of the cost is missing.
SWEEPS, ROUNDS, ROUGH, FAR = 4, 25, 0.02, 1e-3
# What is no larger than this share of the largest is at 0, where the fall of the quadratic model
# loses no more than this share of the cost by it.
TRACE, LOST = 1e-11, 1e-16
LONG_PATIENCE, LESS_NEAR = 30, 1e-9


class SoftmaxModel(ProximalModel):
    """One softmax on its way, over coefficients of classes.

    Attributes
    ----------
    working : ClassWorkingSet
        Of the last look, but where that was large.
    """

    working: ClassWorkingSet

    def __init__(self, objective: Objective, curvature: RowCurvature) -> None:
        super().__init__(objective, curvature)
        assert objective.l1 is not None
        self._l1 = objective.l1
        self._model: QuadraticModel | None = None

    def begin_with(self, carried: Carried, model: int) -> None:
        """Take nothing of the fit before: its pairs are chosen anew."""

    def left(self) -> tuple[RowCurvature, None]:
        """Return what the next fit may begin with: the row curvatures."""
        return self._curvature, None

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

    def _minimum(self, here: Place) -> tuple[Vector, float]:
        """Return the minimum of the model of second order, and by how much it falls."""
        if self._model is None or self._model.matrix is not self.working.matrix:
            check = self._whole.design.counter.check
            self._model = QuadraticModel(self.working.matrix, self._corners, check)
        target, slopes = self._descended(here)
        lack = self._fall(here, target)
        if not lack > FAR * abs(here.cost):
            target = self._without_traces(here, self._model.minimum(slopes, target))
            lack = self._fall(here, target)
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

    def _ended(self, here: Place) -> tuple[Vector, float, Vector]:
        """Return parameters, cost and smooth gradient of all at a point of the working set."""
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

    def _at(self, point: Vector) -> Place:
        point = self.working.within(point)
        with np.errstate(over="ignore", invalid="ignore"):
            return Place(point, *self.working.at(point))

    def _majorize(self, here: Place, other: Place) -> Place:
        """Return the lower of another point and the minimum of a function above the cost."""
        matrix = self.working.majorizing(here.point)
        check = self._whole.design.counter.check
        target = QuadraticModel(matrix, self._corners, check).minimum(here.slopes, here.point)
        return self._lower(here, other, self._at(target))
