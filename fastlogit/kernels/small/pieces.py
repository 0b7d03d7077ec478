"""Pieces of a small fit, over rows where they lie: probabilities, cost and gradient, Hessian."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..elementwise import _sigmoid64 as sigmoid64
from ..elementwise import exp_nonpositive, log1p_unit
from ..policy import entry, part
from ..rows import sum_block
from .intake import is_length

__all__ = ["cost_gradient_small", "hessian_small", "predict_small"]


@part
def raw_predictions(X: Any, coef: Any, intercept: float, offset: Any, raw_out: Any) -> None:
    n_features, has_offset = np.uint64(X.shape[1]), offset.shape[0] > 0
    for i in range(np.uint64(X.shape[0])):
        z = intercept
        for j in range(n_features):
            z += X[i, j] * coef[j]
        raw_out[i] = z + offset[i] if has_offset else z


@part
def exponentials(raw: Any, count: int, exp_out: Any, at: int) -> None:
    """Put e^-|z| of `count` raw predictions into ``exp_out[at:]``."""
    place = np.uint64(at)
    for i in range(np.uint64(count)):
        exp_out[place + i] = exp_nonpositive(-abs(raw[i]))


def _predict_small(X: Any, coef: Any, intercept: float, offset: Any, proba_out: Any) -> None:
    """Put the probability of the positive class into `proba_out`; NaN where arrays do not match.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Of any layout and number type.
    coef : ndarray of float64, shape (n_features,)
    intercept : float
    offset : ndarray of float64, shape (n_samples,) or (0,)
    proba_out : ndarray of float64, shape (n_samples,)
    """
    n_samples, n_features = X.shape
    if not (
        coef.shape[0] == n_features
        and is_length(offset, n_samples)
        and proba_out.shape[0] == n_samples
    ):
        proba_out[:] = math.nan
        return
    raw_predictions(X, coef, intercept, offset, proba_out)
    for i in range(np.uint64(X.shape[0])):
        proba_out[i] = sigmoid64(proba_out[i])


predict_small = entry(_predict_small)


def _cost_gradient_small(
    X: Any, y: Any, positive: int, sample_weight: Any, offset: Any, l2_reg: Any,
    coef: Any, intercept: float, work: Any, gradient_out: Any,
) -> float:  # fmt: skip
    """Return the cost at a point, and put its gradient into `gradient_out`.

    Both are NaN where arrays do not match.

    Parameters
    ----------
    X, y, positive, sample_weight, offset, l2_reg
        As for `fit_small`.
    coef : ndarray of float64, shape (n_features,)
    intercept : float
    work : ndarray of float64, shape (2 * n_samples,) or longer
        Overwritten; none of the other arrays may lie in it.
    gradient_out : ndarray of float64, shape (n_features + 1,)
        The slope of the intercept is last.

    Returns
    -------
    float
    """
    n_samples, n_features = X.shape
    if not (
        y.shape[0] == n_samples
        and is_length(sample_weight, n_samples)
        and is_length(offset, n_samples)
        and l2_reg.shape[0] == n_features
        and coef.shape[0] == n_features
        and work.shape[0] >= 2 * n_samples
        and gradient_out.shape[0] == n_features + 1
    ):
        gradient_out[:] = math.nan
        return math.nan
    has_weights = sample_weight.shape[0] > 0
    raw_predictions(X, coef, intercept, offset, work)
    exponentials(work, n_samples, work, n_samples)
    losses = np.uint64(n_samples)
    for i in range(np.uint64(n_samples)):
        z, tail, is_positive = work[i], work[losses + i], y[i] == positive
        wrong = is_positive != (z >= 0.0)
        share = (1.0 if wrong else tail) / (1.0 + tail)
        work[i] = -share if is_positive else share
        work[losses + i] = log1p_unit(tail) + (abs(z) if wrong else 0.0)
    weight = float(n_samples)
    if has_weights:
        weight = 0.0
        for i in range(np.uint64(n_samples)):
            w = sample_weight[i]
            weight += w
            work[i] = w * work[i] if w > 0.0 else 0.0
            work[losses + i] = w * work[losses + i] if w > 0.0 else 0.0
    cost = sum_block(work, n_samples, n_samples) / weight
    gradient_out[:] = 0.0
    level = np.uint64(n_features)
    for i in range(np.uint64(n_samples)):
        residual = work[i]
        for j in range(level):
            gradient_out[j] += residual * X[i, j]
    gradient_out[level] = sum_block(work, 0, n_samples) / weight
    for j in range(level):
        gradient_out[j] = gradient_out[j] / weight + l2_reg[j] * coef[j]
        cost += 0.5 * l2_reg[j] * coef[j] * coef[j]
    return cost


cost_gradient_small = entry(_cost_gradient_small)


def _hessian_small(
    X: Any, sample_weight: Any, offset: Any, l2_reg: Any, coef: Any, intercept: float,
    work: Any, hessian_out: Any,
) -> None:  # fmt: skip
    """Put the second derivatives of the cost into `hessian_out`; NaN where arrays do not match.

    Parameters
    ----------
    X, sample_weight, offset, l2_reg, coef, intercept, work
        As for `cost_gradient`.
    hessian_out : ndarray of float64, shape (n_features + 1, n_features + 1)
        The intercept is last.
    """
    n_samples, n_features = X.shape
    if not (
        is_length(sample_weight, n_samples)
        and is_length(offset, n_samples)
        and l2_reg.shape[0] == n_features
        and coef.shape[0] == n_features
        and work.shape[0] >= 2 * n_samples
        and hessian_out.shape[0] == n_features + 1
        and hessian_out.shape[1] == n_features + 1
    ):
        hessian_out[:] = math.nan
        return
    has_weights = sample_weight.shape[0] > 0
    raw_predictions(X, coef, intercept, offset, work)
    exponentials(work, n_samples, work, n_samples)
    hessian_out[:] = 0.0
    weight, last = 0.0, np.uint64(n_features)
    tails = np.uint64(n_samples)
    for i in range(np.uint64(n_samples)):
        w = sample_weight[i] if has_weights else 1.0
        weight += w
        tail = work[tails + i]
        inverse = 1.0 / (1.0 + tail)
        curvature = w * (tail * inverse * inverse) if w > 0.0 else 0.0
        for j in range(last):
            scaled = curvature * X[i, j]
            for k in range(j + np.uint64(1)):
                hessian_out[j, k] += scaled * X[i, k]
            hessian_out[last, j] += scaled
        hessian_out[last, last] += curvature
    for j in range(last + np.uint64(1)):
        for k in range(j + np.uint64(1)):
            value = hessian_out[j, k] / weight
            if j == k and j < last:
                value += l2_reg[j]
            hessian_out[j, k] = value
            hessian_out[k, j] = value


hessian_small = entry(_hessian_small)
