"""Newton's method with the Hessian of all rows: for few rows or few columns."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..objective import Objective
from .course import Point, Watch
from .goal import Goal
from .iteration import evaluate, iterate

__all__ = ["newton"]


def newton(
    objective: Objective, theta: Any, goal: Goal, certificate: Any, watch: Watch
) -> tuple[Point, str]:
    """Minimise from `theta`; return the last point and why it ended there.

    Row curvatures come with cost and gradient in one pass, the Hessian from them in another. Its
    factor gives the direction, and the certificate the decrement that bounds what is missing.
    """
    curvature = objective.empty_curvature()
    point = evaluate(objective, theta, watch, curvature)

    def directions(here: Point, active: Any) -> Any:
        direction = np.empty((len(active), theta.shape[1]))
        for place, model in enumerate(active):
            reference = certificate.provide(int(model), here.theta[model], curvature[model])
            direction[place] = -reference.factor.solve(here.gradient[model][None, :])[0]
        return direction

    return iterate(objective, point, directions, goal, watch, curvature)
