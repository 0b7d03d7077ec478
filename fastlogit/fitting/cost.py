"""Cost and gradient of given coefficients."""

from __future__ import annotations

import numpy as np

from ..arrays import ArrayLike, Floats, Vector
from ..design.opening import open_rows
from ..inputs import validation
from ..inputs.given import look_at_cost
from ..objective.binomial import Binomial
from ..objective.labelled_rows import LabelledRows
from ..objective.objective import Objective
from .problem import moderate_weights

__all__ = ["cost", "cost_gradient"]


def cost(
    X: ArrayLike,
    y: ArrayLike,
    coef: ArrayLike,
    intercept: ArrayLike = 0.0,
    *,
    l2_reg: ArrayLike = 0.0,
    sample_weight: ArrayLike = None,
    offset: ArrayLike = None,
    n_threads: int | None = None,
) -> float | Vector:
    """Return the cost of given coefficients: mean binomial loss plus L2 penalty.

    With z = X @ coef + intercept the loss of a row is log(1 + e^z) - y z, computed without
    log(h) or e^z ever being formed.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Real numbers, finite; read in place.
    y : array-like of shape (n_samples,) or (n_samples, n_models)
        0 and 1 (numbers or booleans); for all models, or for each its own.
    coef : array-like of shape (n_features,) or (n_features, n_models)
        Several models are evaluated in one pass over X.
    intercept : float or array-like of shape (n_models,), default 0.0
    l2_reg : float >= 0 or array-like of shape (n_features,), default 0.0
        Adds ``1/2 * sum(l2_reg * coef**2)``; the intercept is left out.
    sample_weight : array-like of shape (n_samples,) or (n_samples, n_models), optional
        Weights >= 0 of the rows; the loss is their weighted mean.
    offset : array-like of shape (n_samples,), optional
        Fixed part of z.
    n_threads : int, optional
        Number of threads; None takes what the process may use. The result has the same bits
        for every number.

    Returns
    -------
    float, or ndarray of shape (n_models,)

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type, shape or value; the text says which, where and what
        to do.
    """
    return cost_gradient(
        X, y, coef, intercept, l2_reg=l2_reg, sample_weight=sample_weight, offset=offset,
        n_threads=n_threads,
    )[0]  # fmt: skip


def cost_gradient(
    X: ArrayLike,
    y: ArrayLike,
    coef: ArrayLike,
    intercept: ArrayLike = 0.0,
    *,
    l2_reg: ArrayLike = 0.0,
    sample_weight: ArrayLike = None,
    offset: ArrayLike = None,
    n_threads: int | None = None,
) -> tuple[float | Vector, Floats, float | Vector]:
    """Return cost and gradient of given coefficients, in one pass over X.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Real numbers, finite; read in place.
    y : array-like of shape (n_samples,) or (n_samples, n_models)
        0 and 1 (numbers or booleans); for all models, or for each its own.
    coef : array-like of shape (n_features,) or (n_features, n_models)
        Several models are evaluated in one pass over X.
    intercept : float or array-like of shape (n_models,), default 0.0
    l2_reg : float >= 0 or array-like of shape (n_features,), default 0.0
        Adds ``1/2 * sum(l2_reg * coef**2)``; the intercept is left out.
    sample_weight : array-like of shape (n_samples,) or (n_samples, n_models), optional
        Weights >= 0 of the rows; the loss is their weighted mean.
    offset : array-like of shape (n_samples,), optional
        Fixed part of z.
    n_threads : int, optional
        Number of threads; None takes what the process may use. The result has the same bits
        for every number.

    Returns
    -------
    cost : float, or ndarray of shape (n_models,)
    coef_gradient : ndarray of the shape of `coef`, float64
    intercept_gradient : float, or ndarray of shape (n_models,)

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type, shape or value; the text says which, where and what
        to do.
    """
    model, codes, weights, strengths = look_at_cost(
        X, y, coef, intercept, l2_reg, sample_weight, offset
    )
    design = open_rows(model.rows.X, n_threads)
    moderate, _ = moderate_weights(weights)  # sums of losses times 1e300 would overflow
    rows = LabelledRows(design, Binomial(), codes, [1] * len(model.coef), moderate, model.offset)
    objective = Objective(rows, strengths)
    value, gradient, slope = objective.value_gradient(model.coef, model.intercept)
    if not (np.isfinite(value).all() and np.isfinite(gradient).all()):
        validation.refuse_not_finite(design, model.rows.names)
    if model.single:
        return float(value[0]), gradient[0], float(slope[0])
    return value, np.ascontiguousarray(gradient.T), slope
