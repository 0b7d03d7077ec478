"""The quadratic model of a cost over some of its columns, by coordinate descent on these alone.

Where a Gram matrix of the columns takes as long as many sweeps over them, as of sparse columns, or
of hundreds of short ones, the model's minimum is found sooner without it; but only roughly.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..arrays import Indices, Vector
from ..design.base import readonly
from ..kernels.column_descent import descend_columns
from .objective import Objective
from .row_state import RowCurvature

__all__ = ["Descent", "descend_model"]


# Nanoseconds of a value in a sweep, and how many sweeps there are most often.
SWEEP_NS, USUAL = 2.0, 5


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
    columns: Indices, ends: tuple[int, float],
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

    """
    assert objective.l1 is not None
    design, total_weight = objective.design, float(objective.rows.total_weight[0])
    weights = readonly(curvature.values[0] / total_weight)
    some, middles = design.some_columns(columns)
    design.counter.check(1e-9 * SWEEP_NS * USUAL * float((some.ends - some.begins).sum()))
    levels, squares = design.measures_of(some, weights)
    last, total = float(gradient[-1]), float(weights.sum()) if objective.fit_intercept else 0.0
    l1, l2 = objective.l1.strengths[0, columns], objective.penalty.diagonal()[0, columns]
    # The intercept's slope is 0 all the time: what centring adds is known.
    slopes = gradient[columns] + (middles * last if total > 0.0 else 0.0)
    start = theta[columns]
    coef, state = start.copy(), np.zeros(weights.size)
    n_sweeps, along, _ = descend_columns.serial(
        some, (levels, squares), weights, (l1, l2), slopes, (last, total), ends, start, coef, state
    )
    change = coef - start
    level = (-last - along) / total if total > 0.0 else 0.0
    target = theta.copy()
    target[columns] = coef
    target[-1] += level + float((middles * change).sum())
    promised = float(gradient[columns] @ change + gradient[-1] * (target[-1] - theta[-1]))
    promised += float(l1 @ (np.abs(coef) - np.abs(start)))
    state += level * weights
    squared = np.divide(np.square(state), weights, out=state, where=weights > 0.0)
    curved = float(squared.sum() + (l2 * np.square(change)).sum())
    return Descent(target, promised, max(0.0, -promised - 0.5 * curved), n_sweeps)
