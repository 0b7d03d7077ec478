"""What every solver shares: its limits, the watch over its course, and how it ended."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..result import Callback, Progress

__all__ = ["Limits", "Outcome", "Point", "Watch"]


@dataclass(frozen=True)
class Limits:
    """What ends a fit: `tol` bounds the suboptimality relative to the cost."""

    tol: float
    max_iter: int
    callback: Callback | None = None
    time_limit: float | None = None


@dataclass(frozen=True)
class Point:
    """An evaluated point: theta and gradient (n_models, n_features + 1), cost (n_models,)."""

    theta: Any
    cost: Any
    gradient: Any


@dataclass
class Outcome:
    """Where a solver ended and why.

    `reason` is "converged", "max_iter", "time_limit", "callback", "interrupted", "diverged",
    "rounding" (no further progress is possible in float64), "separable" or "not finite". `bound` is
    the proven relative suboptimality of each model; `gradient` is in the units of X. `separated`
    has for each model whose classes are separable the columns that do it, and whether one alone
    does.
    """

    coef: Any
    intercept: Any
    gradient: Any
    history: Any
    n_iter: int
    reason: str
    bound: Any
    choice: str = ""
    step_size: float = np.nan
    separated: Any = None


@dataclass
class Watch:
    """Counts iterations, keeps the costs, and says when limits or the user end the fit."""

    limits: Limits
    began: float
    history: list[Any] = field(default_factory=list)
    n_iter: int = 0

    def note(self, cost: Any) -> str:
        """Count an iteration that ended at `cost`; return the reason to stop, or "" for none."""
        self.n_iter += 1
        self.history.append(np.array(cost))
        if self.limits.callback is not None:
            progress = Progress(self.n_iter, float(np.mean(cost)), self.seconds())
            if self.limits.callback(progress) is True:
                return "callback"
        if self.is_late():
            return "time_limit"
        return "max_iter" if self.n_iter >= self.limits.max_iter else ""

    def is_late(self) -> bool:
        """Say whether the time limit has passed."""
        return self.limits.time_limit is not None and self.seconds() >= self.limits.time_limit

    def seconds(self) -> float:
        """Return the time since the fit began."""
        return time.perf_counter() - self.began
