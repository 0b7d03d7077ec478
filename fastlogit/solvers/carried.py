"""What a fit with L1 leaves to the next one of a path, whose penalty alone is another."""

from __future__ import annotations

import numpy as np

from ..arrays import Matrix, Vector
from ..certificates.composite import CompositeCertificate
from ..certificates.composite_groups import GroupCertificate
from ..certificates.composite_softmax import CompositeSoftmaxCertificate
from ..objective.group_penalty import GroupL1
from ..objective.objective import Objective
from ..objective.row_state import RowCurvature
from ..objective.working_set import WorkingSet
from .iteration import evaluate
from .path_follower import PathFollower, may_follow
from .trace import Limits, Point, Trace

__all__ = ["Carried"]


class Carried:
    """The point where a fit ended, its working sets and what its certificate knows of the columns.

    The next fit of the path begins with slopes of all columns that are known: which of them may
    move is told without a pass (the sequential rules of Tibshirani and others, 2012, Journal of the
    Royal Statistical Society B 74, guess no better), and its own proof looks at all of them.

    Parameters
    ----------
    is_pooled : bool, default False
        The columns were standardised by other weights than those of the models, as for folds.
    is_path : bool, default False
        There are many penalties: what each model leaves is worth to be kept by a follower.
    """

    def __init__(self, is_pooled: bool = False, is_path: bool = False) -> None:
        self._is_pooled, self._is_path = is_pooled, is_path
        self._followers: list[PathFollower] = []
        self._objective: Objective | None = None
        self._certificate: CompositeCertificate | None = None
        self._working: dict[int, WorkingSet] = {}

    def certificate(
        self, objective: Objective
    ) -> CompositeCertificate | CompositeSoftmaxCertificate:
        """Return what proves the points of the next objective."""
        if isinstance(objective.l1, GroupL1):
            return GroupCertificate(objective, self._is_pooled)
        if objective.loss.is_coupled:
            return CompositeSoftmaxCertificate(objective, self._is_pooled)
        if self._certificate is None:
            self._certificate = CompositeCertificate(objective, self._is_pooled)
        else:
            self._certificate = self._certificate.under(objective)
        return self._certificate

    def followers(self, objective: Objective, limits: Limits) -> list[PathFollower]:
        """Return what follows each model from penalty to penalty; nothing where none can be."""
        if not (self._is_path and may_follow(objective, limits)):
            return []
        if not self._followers:
            certificate = self.certificate(objective)
            assert isinstance(certificate, CompositeCertificate)
            self._followers = [
                PathFollower(objective.only(np.array([model])), certificate.sizes_of_columns(model))
                for model in range(objective.n_models)
            ]
        return self._followers

    def begin(
        self, objective: Objective, theta: Matrix, trace: Trace, curvature_out: RowCurvature
    ) -> Point:
        """Return the evaluated start of a fit: without a pass where it is known."""
        if not self._knows(objective, theta):
            return evaluate(objective, theta, trace, curvature_out)
        coef = objective.split(theta)[0]
        assert self._objective is not None
        cost = self._point.cost + _l1_of(objective, coef) - _l1_of(self._objective, coef)
        for model, curvature in enumerate(self._curvature):
            curvature_out[np.array([model])] = curvature
        point = Point(theta, cost, self._point.gradient)
        trace.begin(point)
        return point

    def _knows(self, objective: Objective, theta: Matrix) -> bool:
        """Say whether cost and slopes at a point are known but for L1."""
        known = self._objective
        if known is None or known.n_models != objective.n_models:
            return False
        alike = np.array_equal(known.penalty.diagonal(), objective.penalty.diagonal())
        return alike and np.array_equal(theta, self._point.theta)

    def working_set(self, model: int, whole: Objective) -> WorkingSet | None:
        """Return the columns that a model worked on last, under the next penalty."""
        known = self._working.get(model)
        return None if known is None else known.under(whole)

    def take(
        self, objective: Objective, point: Point,
        left: list[tuple[RowCurvature, WorkingSet | None]],
    ) -> None:  # fmt: skip
        """Take where the models of a fit ended: their row curvatures and working sets.

        Sets: all that is asked above.
        """
        self._objective, self._point = objective, point
        self._curvature = [curvature for curvature, _ in left]
        each = enumerate(working for _, working in left)
        self._working = {model: working for model, working in each if working is not None}


def _l1_of(objective: Objective, coef: Matrix) -> Vector:
    """Return the L1 of each model, (n_models,)."""
    assert objective.l1 is not None
    return np.asarray(objective.cost_of_models(objective.l1.value(coef)))
