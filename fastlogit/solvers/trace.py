"""What every solver shares: its limits, the trace of a fit, and how it ended."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from enum import StrEnum

import numpy as np

from ..arrays import Floats, Indices, Integers, Matrix, Vector
from ..certificates.separation import Separated
from ..clock import Clock
from ..objective.objective import Objective
from ..result import Callback, Progress

__all__ = [
    "Interrupted",
    "Limits",
    "Outcome",
    "Point",
    "Reason",
    "Trace",
    "of_models",
    "progress_of",
]


class Reason(StrEnum):
    """Why a solver ended."""

    CONVERGED = "converged"
    MAX_ITER = "max_iter"
    TIME_LIMIT = "time_limit"
    CALLBACK = "callback"
    INTERRUPTED = "interrupted"
    DIVERGED = "diverged"
    # Nothing is missing but what rounding errors of some columns hide.
    COLLINEAR = "collinear"
    # No further progress is possible in float64.
    ROUNDING = "rounding"
    SEPARABLE = "separable"
    NOT_FINITE = "not finite"
    # The rows that the directions were made of say little of all: other rows should.
    MISLED = "misled"

    @property
    def may_go_on(self) -> bool:
        """Say whether another method could still come nearer."""
        return self in (Reason.MAX_ITER, Reason.ROUNDING)


class Interrupted(KeyboardInterrupt):
    """Ctrl-C in a part of a larger computation, which takes over where the part's models were.

    Attributes
    ----------
    theta : ndarray of shape (n_models, n_parameters)
    bound : ndarray of shape (n_models,)
        Proven relative suboptimality there; infinity where nothing was proven.
    """

    def __init__(self, theta: Matrix, bound: float | Vector = np.inf) -> None:
        super().__init__("interrupted")
        self.theta, self.bound = theta, np.broadcast_to(bound, len(theta))


def of_models(values: Matrix, models: Indices) -> Matrix:
    """Return the lines of some models (rising indices): no copy where it is all of them."""
    return values if len(models) == len(values) else values[models]


@dataclass(frozen=True)
class Limits:
    """What ends a fit: `tol` bounds the suboptimality relative to the cost."""

    tol: float
    max_iter: int
    callback: Callback | None = None
    time_limit: float | None = None


@dataclass(frozen=True)
class Point:
    """An evaluated point: theta and gradient (n_models, n_parameters), cost (n_models,).

    `restarted`: a step that was not along the solver's own direction led here, so that what it
    knows of the curvature is of another place.
    """

    theta: Matrix
    cost: Vector
    gradient: Matrix
    restarted: bool = False


@dataclass
class Outcome:
    """Where a solver ended and why; `coef` and `intercept` are those of all outputs.

    `bound` is the proven relative suboptimality of each model; `gradient` is in the units
    of X. `passes`, `times` (seconds) and `bounds` go with `history`. `separated` has for each model
    whose classes are separable the columns that do it, and whether one alone does; where the reason
    is COLLINEAR `hidden` has for each model the columns that depend on others up to rounding
    errors. `lost` is the column whose distance from 0 costs the most digits, where only the units
    of X stand in the way.
    """

    coef: Matrix
    intercept: Vector
    gradient: Matrix
    history: Matrix
    passes: Vector
    times: Vector
    bounds: Matrix
    n_iter: int
    reason: Reason
    bound: Vector
    choice: str = ""
    step_size: float = np.nan
    separated: dict[int, Separated] | None = None
    hidden: dict[int, Indices] | None = None
    lost: int | None = None


@dataclass
class Trace:
    """Counts iterations, keeps the costs, and says when limits or the user end the fit.

    `steps` are the iterations of each model, `n_resting` says how many need no more.
    """

    limits: Limits
    began: float
    objective: Objective
    history: list[Vector] = field(default_factory=list)
    passes: list[float] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    bounds: list[Vector] = field(default_factory=list)
    n_iter: int = 0
    steps: Integers = field(default_factory=lambda: np.zeros((), dtype=np.int64))
    n_resting: int = 0
    clock: Clock = field(init=False)

    def __post_init__(self) -> None:
        self.clock = Clock(self.began, self.limits.time_limit)

    def begin(self, point: Point) -> None:
        """Keep the cost of a start; where one solver takes over from another it is known."""
        if not self.history:
            self.record(point)
            self.steps = np.zeros(len(point.cost), dtype=np.int64)

    def record(self, point: Point) -> None:
        """Keep the cost of a point."""
        self.history.append(np.array(point.cost))
        self.passes.append(self.objective.design.n_passes)
        self.times.append(self.seconds())
        self.bounds.append(np.full(len(point.cost), np.inf))

    def note(self, point: Point, patience: int | None = None) -> Reason | None:
        """Count an iteration that ended at a point; return the reason to stop, or None.

        `patience` is the number of iterations after which another method takes over.
        """
        self.n_iter += 1
        self.record(point)
        if self.limits.callback is not None:
            progress = progress_of(self.objective, self.n_iter, point, self.seconds())
            progress = replace(progress, n_done=self.n_resting, n_fits=self.objective.n_models)
            if self.limits.callback(progress) is True:
                return Reason.CALLBACK
        if self.is_late():
            return Reason.TIME_LIMIT
        most = self.limits.max_iter if patience is None else min(patience, self.limits.max_iter)
        return Reason.MAX_ITER if self.n_iter >= most else None

    def go_on(self, rest: Trace, models: Indices, cost: Vector, bound: Vector) -> None:
        """Take over the course of some models, while the others rest at a cost and a bound."""
        for place in range(1, len(rest.history)):
            for values, whole, part in (
                (self.history, cost, rest.history[place]),
                (self.bounds, bound, rest.bounds[place]),
            ):
                values.append(np.array(whole))
                values[-1][models] = part
        self.passes += rest.passes[1:]
        self.times += rest.times[1:]
        self.n_iter += rest.n_iter
        self.steps[models] += rest.steps

    def prove(self, bound: Vector) -> None:
        """Keep what is proven about the point recorded last."""
        self.bounds[-1] = np.array(bound)

    def is_late(self) -> bool:
        """Say whether the time limit has passed."""
        return self.clock.is_late()

    def seconds(self) -> float:
        """Return the time since the fit began."""
        return time.perf_counter() - self.began


def progress_of(objective: Objective, n_iter: int, point: Point, seconds: float) -> Progress:
    """Return what a callback receives: the coefficients are made when they are asked for."""

    def coefficients() -> tuple[Floats, float | Vector]:
        coef, intercept = objective.to_user(*objective.settled(point.theta))
        if objective.n_outputs == 1:
            return coef[0], float(intercept[0])
        return np.ascontiguousarray(coef.T), intercept

    return Progress(n_iter, float(np.mean(point.cost)), seconds, coefficients)
