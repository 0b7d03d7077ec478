"""Where a modified score is 0, with or without restrictions: Newton-like steps and a line search.

Steps take the information F, as Fisher's scoring does, plus what is known of the part that the
penalty adds to the second derivative, B. That is learned from the changes of the gradient, by
symmetric updates of rank one (the structured secant method of Dennis, Gay and Welsch, 1981, ACM
Transactions on Mathematical Software 7); without it each step would leave about p / n of the
distance. With R theta = q held, a step is ``-M^-1 (g - R' l)``, ``R M^-1 R' l = R M^-1 g``.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import NamedTuple

import numpy as np

from ..arrays import Matrix, Vector
from ..linalg.factors import Factor
from .points import Criterion, Point

__all__ = ["EXACT", "MOST_STEPS", "End", "Found", "Model", "find"]

# The length of the step that is left, in standard errors.
EXACT = 1e-10
MOST_STEPS, MOST_HALVES = 500, 30
# Steps of more than `FAR` standard errors change no raw prediction by more than `LONGEST`: of rare
# events a step may lead where all rows of a level have a probability of 1, their information is
# 1e-16 of theirs before, and the next step 1e14 times too long.
FAR, LONGEST = 1.0, 6.0
# The share of a step's promise that the cost must fall by.
SUFFICIENT = 1e-4
# A cost that grows by less than this, relative to itself, has only been rounded.
ROUNDING = 1e-13
# Below this, and without progress in so many steps, rounding has ended the way.
SMALL, PATIENCE = 1e-5, 4
# Fisher's scoring alone leaves a share of the distance that may be as large.
SLOW = 0.95
# A secant whose cosine with its step is smaller says nothing.
LEAST_COSINE = 1e-3
# A pivot of F + B below this share of its diagonal is none.
SINGULAR = 1e-10


class End(Enum):
    """Why it ended."""

    FOUND = "found"
    MOST_STEPS = "most steps"
    ROUNDING = "rounding"
    STOPPED = "stopped"


class Found(NamedTuple):
    """Where it ended: `decrement` is how far that is from a score of 0, in standard errors.

    Of restrictions, of the score within them.
    """

    point: Point
    decrement: float
    n_steps: int
    end: End


class Model:
    """A quadratic model of the cost: the information at a point, and what is known beside it.

    Parameters
    ----------
    beside : ndarray of shape (size, size), optional
        What the Hessian has besides the information, as far as it is known.
    """

    def __init__(self, size: int, beside: Matrix | None = None) -> None:
        self.beside = np.zeros((size, size)) if beside is None else beside
        self._factor: Factor | None = None
        self._point: Point | None = None

    def place(self, point: Point) -> None:
        """Go to a point."""
        self._point, self._factor = point, None
        if self.beside.any():
            factor = Factor(point.information + self.beside, SINGULAR)
            free = point.information.any(axis=0)
            if not (factor.dependent & free).any():
                self._factor = factor

    def forget(self) -> None:
        """Leave what was learned: the information alone is the model."""
        self.beside, self._factor = np.zeros_like(self.beside), None

    def solve(self, vectors: Matrix) -> Matrix:
        """Return the inverse Hessian times vectors in rows."""
        assert self._point is not None
        if self._factor is not None:
            return self._factor.solve(vectors)
        root = self._point.root
        return (vectors @ root) @ root.T

    def learn(self, before: Point, after: Point) -> None:
        """Take what the change of the gradient says of the second derivative."""
        step = after.theta - before.theta
        lacking = after.gradient - before.gradient
        lacking = lacking - 0.5 * (before.information + after.information) @ step
        lacking -= self.beside @ step
        product = float(lacking @ step)
        if abs(product) > LEAST_COSINE * float(np.linalg.norm(lacking) * np.linalg.norm(step)):
            self.beside = self.beside + np.outer(lacking, lacking) / product


def find(
    criterion: Criterion,
    theta: Vector,
    restrictions: Matrix | None = None,
    *,
    exact: float = EXACT,
    most_steps: int = MOST_STEPS,
    model: Model | None = None,
    note: Callable[[Point], bool] | None = None,
) -> Found:
    """Return where the modified score is 0, from theta on.

    Parameters
    ----------
    criterion : Criterion
    theta : ndarray of shape (size,)
        Restrictions hold there.
    restrictions : ndarray of shape (n_restrictions, size), optional
        Linear functions of theta that keep their values.
    exact : float, default 1e-10
        The step that may be left, in standard errors.
    most_steps : int
    model : Model, optional
        What is known of the second derivative from elsewhere; it learns.
    note : callable, optional
        Called with each point after the first; True ends it.
    """
    model = Model(len(theta)) if model is None else model
    point = criterion.at(theta)
    best, waited, plain = np.inf, 0, False
    for number in range(most_steps + 1):
        model.place(point)
        step, decrement = _step(model, point, restrictions)
        if decrement <= exact:
            return Found(point, decrement, number, End.FOUND)
        waited = 0 if decrement < (SLOW if plain else 0.5) * best else waited + 1
        best = min(best, decrement)
        if best < SMALL and waited >= PATIENCE:
            return Found(point, decrement, number, End.ROUNDING)
        if number == most_steps:
            break
        near = None if plain else _line_search(criterion, point, step, decrement)
        if near is None and model.beside.any():
            # What was learned far away may lead astray: Fisher's step alone.
            model.forget()
            step, decrement = _step(model, point, restrictions)
            near = _line_search(criterion, point, step, decrement)
        if near is None and not criterion.has_cost and (plain or best >= SMALL):
            # No cost falls on the way of Fisher's scoring, which gets there all the same.
            plain, near = True, _stepped(criterion, point, step, decrement)
        if near is None:
            return Found(point, decrement, number, End.ROUNDING)
        if not plain:
            model.learn(point, near)
        point = near
        if note is not None and note(point):
            model.place(point)
            _, decrement = _step(model, point, restrictions)
            return Found(point, decrement, number + 1, End.STOPPED)
    return Found(point, decrement, most_steps, End.MOST_STEPS)


def _step(model: Model, point: Point, restrictions: Matrix | None) -> tuple[Vector, float]:
    """Return the step to where the model has a slope of 0, and its length in standard errors."""
    if restrictions is None:
        step = -model.solve(point.gradient[None])[0]
        return step, float(np.sqrt(max(-(step @ point.gradient), 0.0)))
    solved = model.solve(np.vstack([point.gradient[None], restrictions]))
    along, across = solved[0], solved[1:]
    multipliers = np.linalg.solve(restrictions @ across.T, restrictions @ along)
    step = multipliers @ across - along
    return step, float(np.sqrt(max(-(step @ point.gradient), 0.0)))


def _first_size(criterion: Criterion, point: Point, step: Vector, decrement: float) -> float:
    """Return the share of a step that changes raw predictions by no more than is safe."""
    if decrement <= FAR or _most_reach(point, step) <= LONGEST:
        return 1.0
    return LONGEST / max(criterion.reach(step), LONGEST)


def _most_reach(point: Point, step: Vector) -> float:
    """Return a bound on what a step changes any raw prediction by, without a pass over the rows.

    By the inequality of Cauchy and Schwarz ``(x' s)^2 <= x' F^-1 x s' F s``, of which the leverage
    of a row knows the first part; infinite where a row has no curvature.
    """
    curvature, leverages = point.rows.curvature, point.rows.leverages
    if len(step) != len(point.information) or not curvature.all():
        return np.inf
    form = float(step @ point.information @ step)
    return float(np.sqrt(max(form, 0.0) * float((leverages / curvature).max(initial=0.0))))


def _stepped(criterion: Criterion, point: Point, step: Vector, decrement: float) -> Point | None:
    """Return the point after a step; None where the information is singular there."""
    near = criterion.at(point.theta + _first_size(criterion, point, step, decrement) * step)
    return near if near.cost < np.inf else None


def _line_search(
    criterion: Criterion, point: Point, step: Vector, decrement: float
) -> Point | None:
    """Return a point along a step where the cost, or the score, is smaller; None if there is none.

    A score without a cost is measured by its size in standard errors.
    """
    size = _first_size(criterion, point, step, decrement)
    for _ in range(MOST_HALVES):
        near = criterion.at(point.theta + size * step)
        if near.cost < np.inf:
            if criterion.has_cost:
                most = point.cost - SUFFICIENT * size * decrement**2 + ROUNDING * abs(point.cost)
                if near.cost <= most:
                    return near
            elif near.decrement < (1.0 - SUFFICIENT * size) * point.decrement or decrement < SMALL:
                return near
        size *= 0.5
    return None
