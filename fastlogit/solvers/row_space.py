"""Fits in the space of the rows, where these are fewer than the columns: X is read a few times."""

from __future__ import annotations

import numpy as np

from ..arrays import Indices, Matrix
from ..certificates.binomial import PenaltyCertificate
from ..certificates.softmax import SMALL, SoftmaxCertificate
from ..objective.objective import Objective
from ..objective.penalties import L2
from ..objective.row_space import RowSpaceObjective, row_space_of
from ..objective.row_state import RowCurvature
from .abilities import Abilities
from .newton import newton
from .newton_cg import Precondition, newton_cg
from .stopping import StoppingRule
from .trace import Point, Reason, Trace

__all__ = ["ABILITIES", "MOST_ROWS", "reduce_to_rows", "row_space", "suits_rows"]

ABILITIES = Abilities(penalties=L2)

# More rows than this make Z Z' and its factor, n^2 d / 2 + n^3 / 6 multiply-adds, dearer than the
# passes that they save.
MOST_ROWS = 2000
# Up to so many rows each iteration has a Hessian of its own; with more it is factored where the
# products since the last one have cost as much.
FEW_ROWS = 200
# Products with the rows of L that a Hessian of theirs and its factor cost, for each row.
PRICE = 0.05
# Share of the tolerance that the fewer columns are solved to: what rounding adds in X has the rest.
SHARE = 0.5


def suits_rows(n_samples: int, n_features: int, n_classes: int = 1) -> bool:
    """Say whether a shape is worth a Gram matrix of the rows; `n_classes` are those that compete.

    Models of these have one Hessian of all classes, which has to be small.
    """
    most = MOST_ROWS if n_classes == 1 else SMALL // n_classes
    return n_samples <= most and n_features > n_samples


def reduce_to_rows(objective: Objective) -> RowSpaceObjective | None:
    """Return the objective in the space of the rows; None where that is no good."""
    if not suits_rows(*objective.design.shape, objective.n_classes):
        return None
    objective.design.counter.phase = "Gram matrix of the rows"
    return row_space_of(objective)


def row_space(
    space: RowSpaceObjective, theta: Matrix, tol: float, trace: Trace
) -> tuple[Point, Reason]:
    """Minimise the cost in the space of the rows from `theta`; return the last point and why.

    1. Newton's method over the rows of L, of as many columns as rows; from `FEW_ROWS` on with
    conjugate gradients that a Hessian of theirs preconditions. 2. It ends where the penalty alone
    proves the point: coefficients and intercept then keep the same bound in X, where it is proven
    again by whoever lifts them.
    """
    n_samples = space.design.shape[0]
    prove = SoftmaxCertificate if space.loss.is_coupled else PenaltyCertificate
    certificate = prove(space)
    rule = StoppingRule(SHARE * tol, space.n_models, certificate)
    if n_samples <= FEW_ROWS or space.loss.is_coupled:
        return newton(space, theta, rule, certificate.hessians, trace)

    def renew(theta: Matrix, curvature: RowCurvature, models: Indices) -> Precondition:
        factors = {
            int(m): certificate.hessians.at(int(m), theta[m], curvature[int(m)]) for m in models
        }

        def precondition(which: Indices, vectors: Matrix) -> Matrix:
            each = zip(which, vectors, strict=True)
            return np.array([factors[int(m)].solve(v) for m, v in each])

        return precondition

    return newton_cg(space, theta, rule, trace, renew, PRICE * n_samples, True)
