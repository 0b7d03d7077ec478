"""The way of a model under a group lasso: its part of `proximal_newton`, over groups of columns."""

from __future__ import annotations

import numpy as np

from ..arrays import Indices, Vector
from ..objective.group_penalty import GroupL1
from ..objective.group_working_set import GroupWorkingSet
from ..objective.objective import Objective
from ..objective.row_state import RowCurvature
from .group_model import GroupModel
from .proximal_model import Place
from .proximal_softmax import FAR, ROUGH, ROUNDS, SoftmaxModel

__all__ = ["GroupsModel"]

# Of the groups whose slopes exceed L1 so many come in at the most: a number, so many times the root
# of all, or MORE of those that have to be there. And SPARE of these of the next ones, as long as
# they have no more coordinates than NARROW or this share of those that have to be there.
LEAST, ROOTS, SPARE, MORE = 10, 1.0, 0.1, 0.5
NARROW = 64
# Coordinates of a working set, whose Hessian takes 72 MB.
MOST_WORKING = 3_000


class GroupsModel(SoftmaxModel):
    """One model on its way: see `SoftmaxModel`, whose steps it takes over groups of columns."""

    working: GroupWorkingSet  # type: ignore[assignment]

    def __init__(self, objective: Objective, curvature: RowCurvature) -> None:
        super().__init__(objective, curvature)
        assert isinstance(objective.l1, GroupL1)
        self._groups = objective.l1
        self._steps: GroupModel | None = None
        varies = np.zeros(self._groups.names.size)
        np.add.at(varies, self._groups.places, self._varies.astype(np.float64))
        width = max(1, objective.n_classes - 1)
        self._sizes = varies * width

    def _choose(self, theta: Vector, gradient: Vector) -> bool:
        """Choose the working set, and say whether it has all groups that should move."""
        (coef, levels), (slopes, _) = (self._whole.split(v[None]) for v in (theta, gradient))
        strengths, varies = self._groups.of_groups[0], self._sizes > 0.0
        excess = self._groups.lengths(slopes * self._varies)[0] - strengths
        needed = varies & ((self._groups.lengths(coef)[0] > 0.0) | (strengths == 0.0))
        beyond = varies & ~needed & (excess > 0.0)
        self.is_large = self._sizes[needed].sum() + self._sizes.max(initial=0.0) > MOST_WORKING
        if self.is_large:
            return True
        if hasattr(self, "working") and self.working.covers(np.flatnonzero(needed | beyond)):
            return True
        self._known = None
        n_needed, n_beyond = int(needed.sum()), int(beyond.sum())
        least = max(LEAST, int(ROOTS * np.sqrt(excess.size)))
        size = min(n_beyond, max(int(MORE * n_needed), least))
        spare = size + max(LEAST // 2, int(SPARE * n_needed))
        worst = np.where(varies & ~needed, excess, -np.inf)
        order = np.argsort(-worst, kind="stable")
        room = max(NARROW, SPARE * self._sizes[needed].sum())
        narrow = np.cumsum(self._sizes[order[size:spare]]) <= room
        chosen = np.append(order[:size], order[size:spare][narrow])
        inside = needed.copy()
        inside[self._that_fit(chosen[np.isfinite(worst[chosen])], needed)] = True
        self.working = GroupWorkingSet(self._whole, np.flatnonzero(inside), levels)
        self._steps = None
        return not (beyond & ~inside).any()

    def _that_fit(self, chosen: Indices, needed: Vector) -> Indices:
        """Return as many of the groups as there is room for, one at the least."""
        room = MOST_WORKING - self._sizes[needed].sum()
        n_fit = int(np.searchsorted(np.cumsum(self._sizes[chosen]), room, side="right"))
        return chosen[: max(1, n_fit)]

    def _minimum(self, here: Place) -> tuple[Vector, float]:
        """Return the minimum of the model of second order, and by how much it falls."""
        if self._steps is None or self._steps.matrix is not self.working.matrix:
            check = self._whole.design.counter.check
            working = self.working
            self._steps = GroupModel(working.matrix, working.starts, working.strengths, check)
        target = self._steps.near_minimum(here.slopes, here.point, ROUGH, ROUNDS)
        lack = self._fall(here, target)
        if not lack > FAR * abs(here.cost):
            target = self._steps.minimum(here.slopes, here.point, target)
            target = self._without_traces(here, target)
            lack = self._fall(here, target)
        return target, lack

    def _sizes_of(self, point: Vector) -> tuple[Vector, Vector]:
        """Return for each component the length of its group, and the strength there."""
        blocks = self.working.block_of
        return self.working.lengths(point)[blocks], self.working.strengths[blocks]

    def _promised(self, here: Place, target: Vector) -> float:
        """Return the slope of the cost from here to a target."""
        more = self.working.lengths(target) - self.working.lengths(here.point)
        return float(here.slopes @ (target - here.point) + self.working.strengths @ more)

    def _majorize(self, here: Place, other: Place) -> Place:
        """Return the lower of another point and the minimum of a function above the cost."""
        working, check = self.working, self._whole.design.counter.check
        matrix = working.majorizing(here.point)
        model = GroupModel(matrix, working.starts, working.strengths, check)
        return self._lower(here, other, self._at(model.minimum(here.slopes, here.point)))
