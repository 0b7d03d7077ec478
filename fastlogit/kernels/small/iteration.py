"""The iteration of a small fit, made for each kind of model: see solvers.iteration."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from ..policy import part
from .arithmetic import dot, larger, smaller, step_to
from .endings import CONVERGED, MAX_ITER, ROUNDING, SEPARABLE
from .proofs import meets, relative

# As in solvers.iteration.
PATIENCE = 6
NEAR = 1e-13
LOOSE = 1e3
USELESS = 1e-4
ABSURD = 1e4


class End(NamedTuple):
    """Where an iteration ended, at `theta`."""

    status: int
    n_iter: int
    cost: float
    bound: float


class Model(NamedTuple):
    """What the iteration asks of a kind of model: compiled functions, see `binomial`."""

    newton_step: Any
    most_curvature: Any
    prove: Any
    lost_in_units: Any
    move: Any
    last_change_separates: Any
    look_for_separation: Any


def make_iterate(model: Model) -> Any:
    """Return the iteration of a kind of model."""
    newton_step, most_curvature, prove, lost_in_units = model[:4]
    move, last_change_separates, look_for_separation = model[4:]

    @part
    def iterate(
        work: Any, at: Any, weight: float, offset: float, fit_intercept: bool, cost: float,
        tol: float, max_iter: int, history_out: Any,
    ) -> End:  # fmt: skip
        """Go on from the evaluated point `theta` until it is proven to be near, or cannot be."""
        n_iter, waited, lowest = 0, 0, math.inf
        history_out[0] = cost
        most = most_curvature(work, at)
        while True:
            wanted = tol * abs(cost)
            resolved = newton_step(work, at, weight, wanted)
            slope = dot(work, at.gradient, at.direction, at.width) if resolved else 0.0
            square = dot(work, at.gradient, at.gradient, at.width)
            # The cost can fall by the squared gradient over twice the largest curvature at the
            # least, and by itself at the most.
            lost = not (resolved and USELESS * square / most <= -slope <= ABSURD * abs(cost))
            estimate = math.inf if lost else -0.5 * slope
            waited = 0 if lost or estimate < 0.5 * lowest else waited + 1
            lowest = smaller(lowest, estimate)
            idle, bound = waited >= PATIENCE, math.inf
            if resolved and (estimate <= wanted or idle or n_iter >= max_iter):
                proof = prove(work, at, weight, cost, offset, wanted)
                bound = relative(proof.gain + lost_in_units(work, at, fit_intercept), cost)
                if meets(bound, tol):
                    if proof.is_sure and max_iter > 0:
                        step_to(work, at.theta, 1.0, at.direction, at.theta, at.width)
                    return End(CONVERGED, n_iter, cost, bound)
                level = larger(0.5 * NEAR * abs(cost), 0.5 * proof.noise * proof.noise)
                if idle and lowest < level and estimate < 2.0 * LOOSE * level:
                    return End(ROUNDING, n_iter, cost, bound)
            if n_iter >= max_iter:
                return End(MAX_ITER, n_iter, cost, bound)
            status, cost, restarted = move(work, at, weight, offset, cost, slope, lost)
            if status != CONVERGED:
                # Raw predictions grow by about one a step: theta may still be small where rows of
                # one level of a column, all of one class, have lost their curvature.
                if last_change_separates(work, at, fit_intercept):
                    status = SEPARABLE
                return End(status, n_iter, cost, math.inf)
            if restarted:
                waited, lowest = 0, math.inf
            n_iter += 1
            history_out[n_iter] = cost
            if look_for_separation(work, at, n_iter, fit_intercept):
                return End(SEPARABLE, n_iter, cost, math.inf)

    return iterate
