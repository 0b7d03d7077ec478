"""One step of a descent alone, for designs whose passes are not one compiled loop."""

from __future__ import annotations

from typing import Any

from .descent import descent_step
from .policy import entry

__all__ = ["step_only"]


def _step_only(state: Any, n_classes: int, step_size: float, accelerate: bool, tol: float) -> int:
    return descent_step(state, n_classes, step_size, accelerate, tol)


# Its serial twin is the one to call: there is nothing to share between threads.
step_only = entry(_step_only)
