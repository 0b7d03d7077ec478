"""Logistic regression on one to three columns that are numbers of rows, as linear predictors are.

For tests that fit a model to the predictions of another: calibration, the link test.
"""

from __future__ import annotations

import numpy as np

from ..arrays import Mask, Matrix, Vector
from ..elementwise import log1p_exp, sigmoid
from .row_weights import RowWeights

__all__ = ["fit_few_columns"]

# Columns that tell the classes apart lower the cost by e in each step, and never get there.
MOST_STEPS = 30
# A step that changes raw predictions by less, as a root mean square, is the last.
EXACT = 1e-9


def fit_few_columns(
    columns: Matrix, events: Mask, weights: RowWeights, offset: Vector | float, start: Vector
) -> tuple[Vector, Matrix]:
    """Return coefficients (n_columns,) and their covariance, by Newton's method.

    With sampling weights the covariance is HC0's, else the inverse information.

    Parameters
    ----------
    columns : ndarray of shape (n_columns, n_samples)
    events : ndarray of bool, shape (n_samples,)
    weights : RowWeights
    offset : ndarray of shape (n_samples,) or float
        A fixed part of the raw predictions.
    start : ndarray of shape (n_columns,)

    Raises
    ------
    ValueError
        If the columns tell the events apart, or are combinations of each other.
    """
    weight = weights.values if weights.values.size else np.ones(events.size)
    signs, total, coef = np.where(events, 1.0, -1.0), float(weight.sum()), start.copy()
    cost = np.inf
    for _ in range(MOST_STEPS):
        raw = coef @ columns + offset
        # -residual of each row without its weight: 1 - p of an event, -p of none.
        lacking = signs * sigmoid(-signs * raw)
        curvature = weight * np.abs(lacking) * (1.0 - np.abs(lacking))
        information = (columns * curvature) @ columns.T
        slope = columns @ (weight * lacking)
        try:
            step = np.linalg.solve(information, slope)
        except np.linalg.LinAlgError:
            break
        square = float(slope @ step)
        if not square >= 0.0:
            break
        if not np.any(offset) and float((signs * raw).min()) > 0.0:
            break  # each row is on its side, and farther out is better, for ever
        if square <= EXACT * EXACT * total:
            return coef + step, _covariance(columns, information, weight * lacking, weights)
        before = cost
        cost = _cost(coef + step, columns, signs, weight, offset)
        while not cost <= before and np.abs(step).max() > 1e-12:
            step *= 0.5
            cost = _cost(coef + step, columns, signs, weight, offset)
        coef = coef + step
    raise ValueError(
        "the predictions tell the classes apart, or take too few values, so that a logistic "
        "regression on them has no finite coefficients"
    )


def _cost(
    coef: Vector, columns: Matrix, signs: Vector, weight: Vector, offset: Vector | float
) -> float:
    return float(weight @ log1p_exp(-signs * (coef @ columns + offset)))


def _covariance(
    columns: Matrix, information: Matrix, slopes: Vector, weights: RowWeights
) -> Matrix:
    inverse = np.asarray(np.linalg.inv(information), dtype=np.float64)
    if weights.has_likelihood:
        return inverse
    middle: Matrix = (columns * np.square(slopes)) @ columns.T
    return inverse @ middle @ inverse
