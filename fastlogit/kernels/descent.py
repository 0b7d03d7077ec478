"""The pass that gives cost and gradient, and gradient descent as one compiled loop around it.

A descent of no steps only evaluates. One entry serves both, since each further one that holds the
row kernels takes two seconds to compile.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import prange

from .passes import Layout, add_partials, chunk_rows, model_slots, pack_models, sum_chunk_kernel
from .policy import Twins, entry, kernel, part
from .rows import empty_at_line, packed_width, unpack_slot

__all__ = [
    "CONVERGED",
    "DIVERGED",
    "RUNNING",
    "DescentState",
    "Penalty",
    "descend",
    "start_state",
    "state_at",
]

RUNNING, CONVERGED, DIVERGED = 0, 1, 2
# A cost that grows by less than this, relative to itself, has only been rounded.
ROUNDING = 1e-13


class Penalty(NamedTuple):
    """L2 strengths on the standardised scale, and whether the intercept is fitted at all.

    `l2` has shape (1, n_features), or (n_models, n_features) with strengths for each model.
    """

    l2: Any
    fit_intercept: bool


class DescentState(NamedTuple):
    """All that a descent remembers between two bursts, one row for each model.

    `cost`, `gradient` and `intercept_gradient` belong to `point`; `last_cost` and `best_cost` are
    those of all classes of a softmax together.
    `coef` is the iterate, `point` where the gradient is taken (beyond the iterate by the
    momentum), `best` the point of the lowest cost seen. `momentum` is Nesterov's sequence t;
    `plain` is 1 where the last move was a gradient step alone.
    """

    coef: Any
    intercept: Any
    point: Any
    point_intercept: Any
    gradient: Any
    intercept_gradient: Any
    cost: Any
    last_cost: Any
    best: Any
    best_intercept: Any
    best_cost: Any
    momentum: Any
    plain: Any


def start_state(coef: Any, intercept: Any) -> DescentState:
    """Return the state of a descent that has not evaluated its start yet."""
    n_models = coef.shape[0]
    return DescentState(
        coef=np.array(coef),
        intercept=np.array(intercept),
        point=np.array(coef),
        point_intercept=np.array(intercept),
        gradient=np.empty_like(coef),
        intercept_gradient=np.empty(n_models),
        cost=np.empty(n_models),
        last_cost=np.full(n_models, np.inf),
        best=np.array(coef),
        best_intercept=np.array(intercept),
        best_cost=np.full(n_models, np.inf),
        momentum=np.ones(n_models),
        plain=np.ones(n_models, dtype=np.int64),
    )


def state_at(coef: Any, intercept: Any) -> DescentState:
    """Return a state to be evaluated once: nothing of the point is copied that need not be."""
    point, n_models = np.require(coef, requirements=["C", "W"]), coef.shape[0]
    level, nothing = np.require(intercept, requirements=["C", "W"]), np.empty(n_models)
    return DescentState(
        coef=point,
        intercept=level,
        point=point,
        point_intercept=level,
        gradient=np.empty_like(point),
        intercept_gradient=np.empty(n_models),
        cost=np.empty(n_models),
        last_cost=nothing,
        best=point,
        best_intercept=level,
        best_cost=nothing,
        momentum=nothing,
        plain=np.empty(n_models, dtype=np.int64),
    )


@part
def keep_best(state: Any, model: int, cost: float) -> None:
    """Remember the point just evaluated."""
    state.best_cost[model] = cost
    state.best_intercept[model] = state.point_intercept[model]
    for column in range(state.point.shape[1]):
        state.best[model, column] = state.point[model, column]


@part
def return_to_iterate(state: Any, model: int) -> None:
    """Drop the momentum: the next gradient is taken at the iterate itself."""
    state.momentum[model] = 1.0
    state.plain[model] = 1
    state.last_cost[model] = np.inf
    state.point_intercept[model] = state.intercept[model]
    for column in range(state.point.shape[1]):
        state.point[model, column] = state.coef[model, column]


@part
def finish_evaluation(
    state: Any, total: Any, rows: Any, total_weight: Any, width: int, penalty: Any
) -> None:
    """Turn sums over rows into means on the standardised scale, and add the L2 penalty."""
    packed = total.shape[1] - 2
    for model in range(total.shape[0]):
        weight = total_weight[model]
        slope = total[model, packed + 1] / weight
        state.intercept_gradient[model] = slope if penalty.fit_intercept else 0.0
        cost = total[model, packed] / weight
        strengths = min(model, penalty.l2.shape[0] - 1)
        for column in range(rows.inverse_scale.size):
            value = total[model, unpack_slot(column, width, packed)]
            slope = penalty.l2[strengths, column] * state.point[model, column]
            cost += 0.5 * slope * state.point[model, column]
            scaled = value * rows.inverse_scale[column] / weight
            state.gradient[model, column] = scaled + slope
        state.cost[model] = cost


@part
def aim(state: Any, model: int, step_size: float) -> tuple[float, float]:
    """Put the new iterate in the gradient's place; return the largest change and the rise by it."""
    slope = state.intercept_gradient[model]
    new = state.point_intercept[model] - step_size * slope
    state.intercept_gradient[model] = new
    change = new - state.intercept[model]
    largest, rise = abs(change), slope * change
    for column in range(state.coef.shape[1]):
        slope = state.gradient[model, column]
        new = state.point[model, column] - step_size * slope
        change = new - state.coef[model, column]
        largest, rise = max(largest, abs(change)), rise + slope * change
        state.gradient[model, column] = new
    return largest, rise


@part
def go_on(state: Any, model: int, extrapolation: float) -> None:
    """Take the new iterate from the gradient's place, and the next point beyond it."""
    new = state.intercept_gradient[model]
    change = new - state.intercept[model]
    state.point_intercept[model] = new + extrapolation * change
    state.intercept[model] = new
    for column in range(state.coef.shape[1]):
        new = state.gradient[model, column]
        change = new - state.coef[model, column]
        state.point[model, column] = new + extrapolation * change
        state.coef[model, column] = new


@part
def move(state: Any, first: int, stop: int, step_size: float, accelerate: bool) -> float:
    """Step against the gradient, extrapolate by the momentum; return the largest change.

    Momentum is dropped when it points uphill (O'Donoghue and Candes, 2015, gradient scheme).
    """
    largest, rise = 0.0, 0.0
    for model in range(first, stop):
        change, slope = aim(state, model, step_size)
        # Written so that a NaN stays.
        largest = largest if largest >= change else change
        rise += slope
    extrapolation, following = 0.0, 1.0
    if accelerate and rise <= 0.0:
        before = state.momentum[first]
        following = 0.5 * (1.0 + np.sqrt(1.0 + 4.0 * (before * before)))
        extrapolation = (before - 1.0) / following
    for model in range(first, stop):
        state.momentum[model] = following
        state.plain[model] = 1 if extrapolation == 0.0 else 0
        go_on(state, model, extrapolation)
    return largest


@kernel
def descent_step(state: Any, n_classes: int, step_size: float, accelerate: bool, tol: float) -> int:
    """Update every model from the cost and gradient at its point; return how the descent goes.

    1. where the cost grew: after a gradient step alone the descent diverges, after momentum go
    back to the iterate; 2. remember the best point; 3. move; 4. converged when no model moves
    more than `tol`, by a gradient step alone. The `n_classes` outputs of a softmax move as one.
    """
    at_rest = True
    for first in range(0, state.cost.size, n_classes):
        stop = first + n_classes
        cost = 0.0
        for model in range(first, stop):
            cost += state.cost[model]
        allowed = state.last_cost[first] + ROUNDING * abs(state.last_cost[first])
        # Written so that a NaN counts as growth.
        if not cost <= allowed:
            if state.plain[first] == 1:
                return DIVERGED
            for model in range(first, stop):
                return_to_iterate(state, model)
            at_rest = False
            continue
        if cost < state.best_cost[first]:
            for model in range(first, stop):
                keep_best(state, model, cost)
        was_plain = state.plain[first] == 1
        for model in range(first, stop):
            state.last_cost[model] = cost
        if not move(state, first, stop, step_size, accelerate) <= tol:
            at_rest = False
            continue
        at_rest = at_rest and was_plain
        # Also where it is at rest: with new momentum it would not be at the next step but one, and
        # models that take turns at that (the ten digits) never rest together.
        for model in range(first, stop):
            return_to_iterate(state, model)
    return CONVERGED if at_rest else RUNNING


def _descend(layout: Layout) -> Twins:
    direct = layout is Layout.DIRECT
    sum_chunk = sum_chunk_kernel(layout)

    def descend(
        rows: Any, targets: Any, penalty: Any, step_size: float, accelerate: bool, tol: float,
        state: Any, evaluated: bool, history_out: Any, row_state_out: Any,
    ) -> tuple[int, int]:  # fmt: skip
        n_models, n_features = state.coef.shape
        packed = packed_width(n_features)
        width = n_features if direct else packed
        n_slots = model_slots(n_models)
        packed_coef, packed_intercept = empty_at_line(n_slots * packed), np.empty(n_slots)
        center = empty_at_line(packed)
        step = chunk_rows(rows.n_samples, n_features)
        n_chunks = (rows.n_samples + step - 1) // step
        partials = np.empty((n_chunks, n_models, packed + 2))
        total = np.empty((n_models, packed + 2))
        for done in range(history_out.shape[0] + 1):
            if done > 0:
                for model in range(n_models):
                    history_out[done - 1, model] = state.cost[model]
                status = descent_step(state, targets.n_classes, step_size, accelerate, tol)
                if status != RUNNING:
                    return done, status
            elif evaluated:
                continue
            pack_models(
                rows, state.point, state.point_intercept, width,
                packed_coef, packed_intercept, center,
            )  # fmt: skip
            for chunk in prange(n_chunks):
                start = chunk * step
                stop = min(start + step, rows.n_samples)
                sum_chunk(
                    rows, targets, start, stop,
                    packed_coef, packed_intercept, center, partials[chunk], row_state_out,
                )  # fmt: skip
            add_partials(partials, total)
            finish_evaluation(state, total, rows, targets.total_weight, width, penalty)
        return history_out.shape[0], RUNNING

    return entry(descend, name=layout.value)


_BY_FORM = {layout: _descend(layout) for layout in Layout}


def descend(layout: Layout) -> Twins:
    """Return the compiled descent over rows read in place (direct) or gathered block by block.

    ``descend(rows, targets, penalty, step_size, accelerate, tol, state, evaluated, history_out,
    row_state_out)`` evaluates cost and gradient at `state.point`, unless they are there already
    (`evaluated`); then takes up to ``len(history_out)`` steps, each followed by an evaluation. It
    returns the number of steps and the status; `history_out` gets the cost before each step.

    `row_state_out`, unless it has no rows, gets the loss's weighted second derivative at each row,
    (n_models, n_samples), and with twice as many rows also its weighted first one, below.
    """
    return _BY_FORM[layout]
