"""The quadratic model of a cost over some of its columns, by coordinate descent on these alone.

Where a Gram matrix of the columns takes as long as many sweeps over them, as of sparse columns, or
of hundreds of short ones, the model's minimum is found sooner without it; but only roughly. Many
sweeps are extrapolated (Bertrand and Massias, 2021, Proceedings of Machine Learning Research 130:
Anderson acceleration of coordinate descent).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np

from ..arrays import Indices, Matrix, Vector
from ..design.base import at_line, readonly
from ..design.weighed import Weighed
from ..kernels.column_descent import SomeColumns, descend_columns
from .objective import Objective
from .row_state import RowCurvature

__all__ = ["Descent", "SomeModel", "descend_model", "descend_some"]

# Takes the fall of the model; returns ends of more sweeps, or None.
GoOn: TypeAlias = Callable[[float], tuple[int, float] | None]

# Nanoseconds of a value in a sweep, and how many sweeps there are most often.
SWEEP_NS, USUAL = 2.0, 5
# Sweeps, of which the first and the last go over all columns, and so many times that before
# coefficients are extrapolated. On text of 50,000 x 50,000 without intercept the exact minimum
# takes 75 sweeps so, and 297 without.
BLOCK, BLOCKS = 5, 4
# What the squares of differences have added, as a share of their mean.
RIDGE = 1e-10


class Descent(NamedTuple):
    """Where coordinate descent ended.

    Attributes
    ----------
    target : ndarray of shape (n_parameters,)
        Parameters of all columns.
    promised : float
        The slope of the cost from the start to there, L1 included.
    lack : float
        By how much the model has fallen.
    n_sweeps : int
    """

    target: Vector
    promised: float
    lack: float
    n_sweeps: int


def descend_model(
    objective: Objective, theta: Vector, gradient: Vector, curvature: RowCurvature,
    columns: Indices, ends: tuple[int, float], go_on: GoOn | None = None,
) -> Descent:  # fmt: skip
    """Minimise the model of second order of one model's cost over some columns, and the intercept.

    Parameters
    ----------
    objective : Objective
        Of one model, with L1, over a design that gives its columns.
    theta, gradient : ndarray of shape (n_parameters,)
        The point, and the gradient of what is smooth there.
    curvature : RowCurvature
        That of the rows there.
    columns : ndarray of int
    ends : (int, float)
        How many sweeps there are at the most; and the share of all sweeps' squared steps below
        which one over all columns is the last.
    go_on : callable, optional
        Takes the fall of the model found so; returns such ends of more sweeps, or None.
    """
    assert objective.l1 is not None
    design, total_weight = objective.design, float(objective.rows.total_weight[0])
    weights = readonly(curvature.values[0] / total_weight)
    some: SomeColumns | Weighed | None = design.weighed_columns(columns, weights)
    if isinstance(some, Weighed):
        middles, measures, n_values = some.middles, some.measures, some.n_values
    else:
        some, middles = design.some_columns(columns)
        measures, n_values = design.measures_of(some, weights), int((some.ends - some.begins).sum())
    design.counter.check(1e-9 * SWEEP_NS * USUAL * n_values)
    own = np.append(columns, theta.size - 1)
    model = SomeModel(
        some, middles, measures, weights,
        (objective.l1.strengths[0, columns], objective.penalty.diagonal()[0, columns]),
        objective.fit_intercept,
    )  # fmt: skip
    found = descend_some(model, theta[own], gradient[own], ends, go_on)
    target = theta.copy()
    target[own] = found.target
    return found._replace(target=target)


class SomeModel(NamedTuple):
    """What makes the model of second order over some columns, besides point and gradient.

    Attributes
    ----------
    columns : SomeColumns or Weighed
    middles : ndarray of shape (n_columns,)
        What centring takes off each.
    measures : (ndarray, ndarray)
        Their sums of values, and of squares, each row times its weight.
    weights : ndarray of shape (n_samples,)
        Row curvatures times the rows' shares of the weight.
    strengths : (ndarray, ndarray)
        L1 and L2.
    has_intercept : bool
    """

    columns: SomeColumns | Weighed
    middles: Vector
    measures: tuple[Vector, Vector]
    weights: Vector
    strengths: tuple[Vector, Vector]
    has_intercept: bool


def descend_some(
    model: SomeModel, theta: Vector, gradient: Vector, ends: tuple[int, float],
    go_on: GoOn | None = None,
) -> Descent:  # fmt: skip
    """Do the same over columns that are at hand; parameters and gradient are those of them alone.

    The intercept's come last.
    """
    some, middles, (levels, squares), weights, (l1, l2), has_intercept = model
    if isinstance(some, Weighed):
        state = some.state
    else:
        state, at_lines = at_line(weights.size), at_line(weights.size)
        state[:], at_lines[:] = 0.0, weights
        weights = readonly(at_lines)  # as kernels are compiled for it
    last, total = float(gradient[-1]), float(weights.sum()) if has_intercept else 0.0
    # The intercept's slope is 0 all the time: what centring adds is known.
    slopes = gradient[:-1] + (middles * last if total > 0.0 else 0.0)
    start = theta[:-1].copy()
    coef = start.copy()

    share = ends[1]

    def sweep(n_sweeps: int, sums: float) -> tuple[int, float, float, float]:
        if isinstance(some, Weighed):
            limits = n_sweeps, share, sums
            return some.sweep((l1, l2), slopes, (last, total), limits, start, coef)
        return descend_columns.serial(
            some, (levels, squares), weights, (l1, l2), slopes, (last, total),
            (n_sweeps, share, sums), start, coef, state,
        )  # fmt: skip

    def curved(change: Vector, level: float) -> float:
        """Return twice what a change adds to the model beside its slope."""
        of_l2 = float((l2 * np.square(change)).sum())
        if isinstance(some, Weighed):
            return some.squared(level) + of_l2
        of_rows = level * weights
        of_rows += state
        np.square(of_rows, out=of_rows)
        np.divide(of_rows, weights, out=of_rows, where=weights > 0.0)
        return float(of_rows.sum()) + of_l2

    def value() -> float:
        """Return what the model has at the coefficients, of their own minimum of the intercept."""
        change = coef - start
        level = (-last - float((levels * change).sum())) / total if total > 0.0 else 0.0
        sloped = float((slopes * change + l1 * np.abs(coef)).sum()) + last * level
        return sloped + 0.5 * curved(change, level)

    n_sweeps, sums = 0, 0.0
    while True:
        done, along, sums = _sweep_ahead(sweep, value, coef, state, ends, sums)
        n_sweeps += done
        change = coef - start
        level = (-last - along) / total if total > 0.0 else 0.0
        target = np.append(coef, theta[-1] + level + float((middles * change).sum()))
        promised = float(gradient[:-1] @ change + gradient[-1] * (target[-1] - theta[-1]))
        promised += float(l1 @ (np.abs(coef) - np.abs(start)))
        lack = max(0.0, -promised - 0.5 * curved(change, level))
        more = go_on(lack) if go_on is not None else None
        if more is None:
            return Descent(target, promised, lack, n_sweeps)
        ends, share, go_on = more, more[1], None


def _sweep_ahead(
    sweep: Callable[[int, float], tuple[int, float, float, float]], value: Callable[[], float],
    coef: Vector, state: Vector, ends: tuple[int, float], sums: float,
) -> tuple[int, float, float]:  # fmt: skip
    """Sweep until it is enough; extrapolate coefficients and rows' state, in place, on the way.

    Returns the sweeps, the last one's `along`, and the sum of squared steps with those before.
    """
    n_sweeps, before = 0, coef.copy()
    history: list[tuple[Vector, Vector]] = []
    while True:
        wanted = min(BLOCK, ends[0] - n_sweeps)
        done, along, moved, sums = sweep(wanted, sums)
        n_sweeps += done
        if done < BLOCK or moved <= ends[1] * sums or n_sweeps >= ends[0]:
            return n_sweeps, along, sums
        history.append((coef.copy(), state.copy()))
        if len(history) == BLOCKS:
            shares = _extrapolation(np.array([before, *(each for each, _ in history)]))
            lowest = value()
            for place, now in enumerate((coef, state)):
                now[:] = 0.0
                for share, each in zip(shares, history, strict=True):
                    now += share * each[place]
            if not value() < lowest:
                coef[:], state[:] = history[-1]
            before, history = coef.copy(), []


def _extrapolation(points: Matrix) -> Vector:
    """Return the shares of all points but the first whose differences add up to the least."""
    steps = np.diff(points, axis=0)
    products = np.einsum("ij,kj->ik", steps, steps)
    products[np.diag_indices(len(steps))] += RIDGE * np.trace(products) / len(steps)
    ones = np.ones(len(steps))
    try:
        shares = np.linalg.solve(products, ones)
    except np.linalg.LinAlgError:  # nothing has moved
        return ones / ones.size
    return np.asarray(shares / shares.sum())
