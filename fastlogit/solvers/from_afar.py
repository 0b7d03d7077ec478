"""A fit under L1 of one model over many dense columns, from afar to the proof.

Working columns grow, then a step or two are exact; `proximal_newton` takes over where that leads
nowhere.
"""

from __future__ import annotations

import numpy as np

from ..arrays import Matrix, Vector
from ..certificates.composite import CompositeCertificate
from ..clock import TimeUp
from ..objective.objective import Objective
from .path_follower import PathFollower, may_follow
from .stopping import AnyCertificate, bound_in_units, meets
from .trace import Limits, Point, Reason, Trace

__all__ = ["from_afar"]


def from_afar(
    objective: Objective, theta: Matrix, certificate: AnyCertificate | None, limits: Limits,
    trace: Trace,
) -> tuple[tuple[Point, Vector, Reason] | None, Matrix]:  # fmt: skip
    """Minimise from `theta`; return the point, what is proven of it, and why it ended there.

    None where this is no way, or proves too little; and where it has come to.
    """
    is_one = objective.n_models == 1 and isinstance(certificate, CompositeCertificate)
    # Of sparse columns a Gram matrix takes longer than all of coordinate descent: text of 50,000 x
    # 50,000, 1,729 coefficients, 1.4 s of processor time where that takes 0.25.
    fits = is_one and objective.design.density == 1.0 and may_follow(objective, limits)
    if not fits or not objective.penalized().all():
        return None, theta
    assert isinstance(certificate, CompositeCertificate)
    objective.design.counter.phase = "iterations"
    follower = PathFollower(objective, certificate.sizes_of_columns(0))
    point, stage = None, None
    try:
        for stage in follower.approach(objective, theta[0]):
            point = Point(stage.theta[None], np.array([stage.cost]), stage.gradient[None])
            theta = point.theta
            if not trace.history:
                trace.begin(point)
                continue
            reason = trace.note(point)
            if reason is not None:
                return (point, np.full(1, np.inf), reason), theta
        if stage is None or not stage.is_last:
            return None, theta
        found = follower.follow(objective, stage.theta, limits.tol)
        if found is None:
            return None, theta
        theta = found.theta[None]
        point = Point(theta, np.array([found.cost]), found.gradient[None])
        bound = bound_in_units(objective, found.theta, found.gradient, found.cost, found.gain)
        reason = trace.note(point)
    except (KeyboardInterrupt, TimeUp) as end:
        if point is None:
            raise
        reason = Reason.TIME_LIMIT if isinstance(end, TimeUp) else Reason.INTERRUPTED
        return (point, np.full(1, np.inf), reason), theta
    if meets(bound, limits.tol):
        reason = Reason.CONVERGED if reason in (None, Reason.MAX_ITER) else reason
    return ((point, np.array([bound]), reason) if reason is not None else None), theta
