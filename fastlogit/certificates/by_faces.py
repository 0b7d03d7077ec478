"""What certificates share: several models one after the other, and what a face left behind."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from ..arrays import Indices, Matrix, Vector
from ..objective.row_state import RowCurvature

__all__ = ["ByFaces", "KnowsRows", "ModelByModel"]


class ModelByModel(ABC):
    """Bounds several models one after the other."""

    @abstractmethod
    def bound(
        self, model: int, theta: Vector, gradient: Vector, wanted: float = 0.0,
        at_once: bool = False, cost: float = 1.0,
    ) -> float:  # fmt: skip
        """Return a bound on cost less optimum of one model; stop looking once it is `wanted`."""

    def bounds(
        self, models: Indices, theta: Matrix, gradient: Matrix, wanted: Vector, cost: Vector
    ) -> Vector:
        """Return `bound` of several models, with a row of theta and gradient for each."""
        each = zip(models, theta, gradient, wanted, cost, strict=True)
        return np.array(
            [self.bound(int(m), t, g, float(w), cost=float(c)) for m, t, g, w, c in each]
        )


class KnowsRows(ModelByModel):
    """Bounds that may need the row curvatures of a point, which solvers have there."""

    _known: tuple[Matrix, RowCurvature] | None = None

    def know(self, theta: Matrix, curvature: RowCurvature) -> None:
        """Take the row curvatures of all models at a point, until they are overwritten."""
        self._known = theta, curvature

    def forget(self) -> None:
        """Row curvatures are those of another point from now on."""
        self._known = None

    def _known_curvature(self, model: int, theta: Vector) -> RowCurvature | None:
        """Return those of a model at a point, None where they are not known."""
        if self._known is None or not np.array_equal(self._known[0][model], theta):
            return None
        return self._known[1][model]


class ByFaces(ModelByModel):
    """Bounds points by the coefficients that may move, and keeps what rounding hides of them.

    Attributes
    ----------
    beside : dict of int to float
        Bounds of models that count all directions but the unresolved ones.
    """

    def __init__(self) -> None:
        self.beside: dict[int, float] = {}
        self._unresolved: dict[int, Indices] = {}
        self._noise: dict[int, float] = {}

    def know(self, theta: Matrix, curvature: RowCurvature) -> None:
        """Take the row curvatures of all models at a point: nothing here asks for them."""

    def forget(self) -> None:
        """Row curvatures are those of another point from now on: none are kept."""

    def _resolved(self, model: int, unresolved: Indices, is_resolved: bool, gain: float) -> float:
        """Return the bound of a face, infinite where rounding hides some of its directions."""
        self._unresolved[model] = unresolved
        if not is_resolved:
            self.beside[model] = gain
            return np.inf
        self.beside.pop(model, None)
        return gain

    def step_lowers(self, model: int, gradient: Vector) -> bool:
        """Return False: no step is taken unseen."""
        return False

    def level_of_rounding(self, model: int, theta: Vector, cost: float) -> float:
        """Return the gain that rounding errors of the gradient look like, as far as is known."""
        noise = self._noise.get(model, 0.0)
        return 0.5 * noise * noise

    def unresolved(self, model: int) -> Indices:
        """Return the columns along which rounding errors may hide a gain, as last seen."""
        return self._unresolved.get(model, np.empty(0, dtype=np.int64))
