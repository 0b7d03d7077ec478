"""Newton's method with the Hessian of all rows: for few rows or few columns."""

from __future__ import annotations

import numpy as np

from ..arrays import Indices, Matrix
from ..objective.hessians import Hessians
from ..objective.objective import Objective
from ..objective.penalties import Quadratic
from .abilities import Abilities
from .iteration import evaluate, iterate
from .stopping import StoppingRule
from .trace import Point, Reason, Trace

__all__ = ["ABILITIES", "newton"]

ABILITIES = Abilities(penalties=Quadratic)


def newton(
    objective: Objective, theta: Matrix, rule: StoppingRule, hessians: Hessians, trace: Trace
) -> tuple[Point, Reason]:
    """Minimise from `theta`; return the last point and why it ended there.

    Row curvatures come with cost and gradient in one pass, the Hessian from them in another. Its
    factor gives the direction; where the rule's certificate has the same `hessians`, it also gives
    the decrement that bounds what is missing.

    Where the rule takes a last step nobody evaluates it, but the bound of the point before holds:
    for a loss that is self-concordant as in `certificate`, a step d with d' H d = delta^2 changes
    the cost by at most -delta^2 + delta^2 (e^tau - tau - 1) / tau^2, which is negative for the
    tau < 1 that every finite bound has. It squares what is missing of the coefficients: on 3,000 x
    54 at tol=1e-14 their relative error falls from 1e-6 to 1e-10.
    """
    curvature = objective.rows.empty_curvature()
    point = evaluate(objective, theta, trace, curvature)

    def directions(here: Point, active: Indices) -> Matrix:
        direction = np.empty((len(active), theta.shape[1]))
        for place, model in enumerate(active):
            hessian = hessians.at(int(model), here.theta[model], curvature[model])
            direction[place] = -hessian.solve(here.gradient[model])
        return direction

    return iterate(objective, point, directions, rule, trace, curvature)
