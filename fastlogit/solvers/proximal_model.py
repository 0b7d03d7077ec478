"""What a model under L1, bounds or groups does on its way, whatever it works on.

Its steps go to the minimum of the model of second order over a working set, with a line search; of
more than a working set holds it takes accelerated gradient steps.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple, Protocol

import numpy as np

from ..arrays import Matrix, Vector
from ..objective.objective import Objective
from ..objective.row_state import RowCurvature
from .iteration import DECREASE, MAX_TRIALS
from .trace import Point

__all__ = ["ROUNDING", "SHORT", "Place", "ProximalModel"]

# Accelerated gradient steps at a time.
STEPS = 50
# Newton steps over a working set that has all it should, before all is looked at again, as long as
# they lack more than this share of what was missing before. While it grows there is one.
INNER, INNER_SHARE = 10, 0.05
# A Hessian serves where no raw prediction, or range of them, has changed by more.
NEAR_ENOUGH = 0.15
# And what may be missing before that is asked, in units of its square: a row may move ten times as
# far as others.
FAR_ROWS = 0.02
# Of what is wanted, the share that a working set may lack.
WITHIN = 0.1
# Changes of the cost below this share of it are rounding errors.
ROUNDING = 4e-15
# Below this share of a step the bound on the curvature leads on.
SHORT = 0.01
# Iterations that bring a model no nearer, after which rounding is to blame where it lacks no more
# than this share of its cost.
PATIENCE, NEAR = 4, 1e-12
# Or of more, where columns are alike but for rounding and steps between them are short.
LONG_PATIENCE, LESS_NEAR = 30, 1e-9


class Place(NamedTuple):
    """A point of a working set: parameters, cost, smooth gradient, curvatures of the rows."""

    point: Vector
    cost: float
    slopes: Vector
    curvature: RowCurvature


class Working(Protocol):
    """What a working set is asked here."""

    matrix: Matrix

    def take(self, theta: Vector) -> Vector:
        """Return a point of all parameters as one of its own."""

    def take_slopes(self, gradient: Vector) -> Vector:
        """Return a gradient in all parameters as one in its own."""

    def moved(self, point: Vector) -> float:
        """Return by how much a raw prediction changed since the Hessian was made."""

    def look(self, point: Vector, curvature: RowCurvature) -> Matrix:
        """Make the Hessian at a point of its own."""


class ProximalModel(ABC):
    """One model on its way.

    Parameters
    ----------
    objective : Objective
        Of this model alone.
    curvature : RowCurvature
        Of the rows at the start.

    Attributes
    ----------
    is_large : bool
        Whether there is more that is not 0 than a working set may have.
    tol : float
        What the fit is asked for, relative to the cost.
    """

    working: Working
    _here: Place
    _target: Vector
    _theta: Vector

    def __init__(self, objective: Objective, curvature: RowCurvature) -> None:
        assert objective.l1 is not None
        self._whole = objective
        self._varies = objective.design.columns.inverse_scale > 0.0
        self._curvature = curvature
        self._known: tuple[Vector, Vector, float] | None = None
        self._lowest, self._lack, self._waited = np.inf, np.inf, 0
        self._was_missing, self._is_complete = np.inf, True
        self.is_large, self.tol = False, 0.0
        self._inner_share = INNER_SHARE
        self._step_size: float | None = None
        self._ahead: tuple[Vector, Vector, float] | None = None

    @abstractmethod
    def _choose(self, theta: Vector, gradient: Vector) -> bool:
        """Choose the working set, and say whether it has all that should move.

        Sets: working, is_large.
        """

    @abstractmethod
    def _minimum(self, here: Place) -> tuple[Vector, float]:
        """Return the minimum of the model of second order, and by how much it falls."""

    @abstractmethod
    def _promised(self, here: Place, target: Vector) -> float:
        """Return the slope of the cost from here to a target."""

    @abstractmethod
    def _at(self, point: Vector) -> Place:
        """Return the nearest point within the bounds, evaluated over the working set."""

    @abstractmethod
    def _majorize(self, here: Place, other: Place) -> Place:
        """Return the lower of another point and the minimum of a function above the cost.

        See `majorization`: it touches the cost here, so that its minimum is no higher.
        """

    @abstractmethod
    def _ended(self, here: Place) -> tuple[Vector, float, Vector]:
        """Return parameters, cost and smooth gradient of all at a point of the working set."""

    @abstractmethod
    def _evaluated(self, theta: Vector) -> tuple[Vector, float, Vector]:
        """Return a point of all parameters as it is best written, its cost and gradient.

        Sets: _curvature.
        """

    def _may_be_near(self) -> bool:
        """Say whether it is worth a look how far raw predictions are from those of the Hessian.

        In the rows' curvatures their mean square change is about twice what was missing.
        """
        return self._was_missing < FAR_ROWS * NEAR_ENOUGH**2

    def _goes_on(self) -> bool:
        """Say whether steps over the working set alone follow each other."""
        return self._is_complete

    def _is_flat(self, here: Place) -> bool:
        """Say whether a way down may be hidden from the model of second order."""
        return False

    def look(self, point: Point, model: int) -> float:
        """Return what the model is thought to lack at a point of all parameters.

        Infinite where the working set leaves out what should move.
        """
        theta, gradient = point.theta[model], point.gradient[model]
        is_complete = self._is_complete = self._choose(theta, gradient)
        if self.is_large:
            self._theta = theta
            return self._take(self._lack_by_diagonal(theta, gradient), True)
        here, slopes = self.working.take(theta), self.working.take_slopes(gradient)
        self._here = Place(here, float(point.cost[model]), slopes, self._curvature)
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

    def _model_at(self, here: Place) -> tuple[Vector, float]:
        """Return the minimum of the model of second order, and by how much it falls."""
        if self._known is not None and np.array_equal(self._known[0], here.point):
            return self._known[1:]
        if not (self._may_be_near() and self.working.moved(here.point) <= NEAR_ENOUGH):
            self.working.look(here.point, here.curvature)
        target, lack = self._minimum(here)
        self._known, self._was_missing = (here.point, target, lack), lack
        return target, lack

    def advance(self, wanted: float) -> tuple[Vector, float, Vector]:
        """Go on by a step, or by some over the working set.

        Returns parameters, cost and smooth gradient of all.
        """
        if self.is_large:
            return self._accelerate()
        enough = max(self._inner_share * self._lack, WITHIN * wanted)
        here, target = self._search(self._here, self._target), self._target
        for _ in range(INNER if self._goes_on() else 0):
            target, lack = self._model_at(here)
            if lack <= enough:
                break
            here = self._search(here, target)
        return self._ended(here)

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
        if self._is_flat(here):
            return self._majorize(here, here)
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

    def _lower(self, here: Place, other: Place, found: Place) -> Place:
        """Return the lowest of three places, the first where none is lower."""
        lowest = min(here.cost, other.cost)
        fine = np.isfinite(found.slopes).all() and found.cost < lowest
        return found if fine else other if other.cost < here.cost else here
