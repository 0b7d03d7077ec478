"""L-BFGS with a preconditioner, for several models over the same rows at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..arrays import Floats, Indices, Matrix, Vector
from ..objective.objective import Objective
from ..objective.penalties import Quadratic
from .abilities import Abilities
from .iteration import iterate
from .stopping import StoppingRule
from .trace import Point, Reason, Trace

__all__ = ["ABILITIES", "Precondition", "Renew", "lbfgs"]

ABILITIES = Abilities(penalties=Quadratic)

MEMORY = 12

# Progress is slow where an iteration leaves more than this share of the squared decrement.
SLOW = 0.1
# Iterations that a preconditioner is tried for at least.
LEAST = 4

# Makes a preconditioner at a point.
Renew = Callable[[Matrix], "Precondition"]
# Takes models and vectors, one for each; returns the inverse of an approximate Hessian times them.
Precondition = Callable[[Indices, Matrix], Matrix]


class Pairs:
    """The last steps and changes of the gradient, of all models."""

    def __init__(self) -> None:
        self.pairs: list[tuple[Matrix, Matrix, Vector]] = []
        self.scale: Floats = np.ones(())

    def add(
        self, step: Matrix, change: Matrix, precondition: Precondition, models: Indices
    ) -> None:
        """Remember a pair; for models whose cost had no curvature along it, nothing."""
        curvature = np.einsum("ij,ij->i", step, change)
        smooth = precondition(models, change)
        spread = np.einsum("ij,ij->i", change, smooth)
        valid = (
            (curvature > 0.0)
            & (spread > 0.0)
            & np.isfinite(curvature / np.where(spread > 0, spread, 1))
        )
        weight = np.where(valid, 1.0 / np.where(valid, curvature, 1.0), 0.0)
        self.pairs = [*self.pairs[1 - MEMORY :], (step, change, weight)]
        self.scale = np.where(valid, curvature / np.where(valid, spread, 1.0), self.scale)

    def direction(self, gradient: Matrix, precondition: Precondition, models: Indices) -> Matrix:
        """Return the descent direction of the given models (two loops; Nocedal, 1980)."""
        part = [(s[models], y[models], w[models]) for s, y, w in self.pairs]
        result = -gradient
        shares = []
        for step, change, weight in reversed(part):
            share = weight * np.einsum("ij,ij->i", step, result)
            result = result - share[:, None] * change
            shares.append(share)
        scale = self.scale[models] if self.pairs else np.ones(len(models))
        result = scale[:, None] * precondition(models, result)
        for (step, change, weight), share in zip(part, reversed(shares), strict=True):
            back = weight * np.einsum("ij,ij->i", change, result)
            result = result + (share - back)[:, None] * step
        return result


def lbfgs(
    objective: Objective, point: Point, renew: Renew, price: float, rule: StoppingRule,
    trace: Trace, patience: int | None = None, rough_until: int | None = None,
) -> tuple[Point, Reason]:  # fmt: skip
    """Minimise from an evaluated point; return the last point and why it ended there.

    The direction comes from the last steps and the preconditioner that `renew` makes at a point;
    see `iterate` for the rest. One pass over the rows for an iteration, as long as the line search
    takes its first step. Once the passes since the last preconditioner have cost as much as one
    does, `price` passes, and progress has been slow, a new one is made. After `patience` iterations
    it ends, for another method to go on; and a preconditioner of some of the rows serves
    `rough_until` so many, or until it leads nowhere.
    """
    everyone = np.arange(objective.n_models)
    pairs, precondition = Pairs(), renew(point.theta)
    last: list[Point] = []
    best: list[float] = []

    def directions(here: Point, active: Indices) -> Matrix:
        nonlocal pairs, precondition
        if here.restarted:
            pairs, precondition = Pairs(), renew(here.theta)
            best.clear()
        elif last:
            step, change = here.theta - last[0].theta, here.gradient - last[0].gradient
            pairs.add(step, change, precondition, everyone)
        last[:] = [here]
        gradient = here.gradient[active]
        smooth = precondition(active, gradient)
        best.append(float(np.einsum("ij,ij->i", gradient, smooth).max()))
        if len(best) > max(price, LEAST) and best[-1] > best[0] * SLOW ** (len(best) - 1):
            pairs, precondition = Pairs(), renew(here.theta)
            best.clear()
        direction = pairs.direction(gradient, precondition, active)
        uphill = ~(np.einsum("ij,ij->i", gradient, direction) < 0.0)
        if uphill.any():
            direction[uphill] = -precondition(active[uphill], gradient[uphill])
        return direction

    return iterate(objective, point, directions, rule, trace, None, patience, rough_until)
