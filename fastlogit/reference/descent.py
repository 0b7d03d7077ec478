"""Gradient descent, plain and accelerated, with its history."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .binary import cost_gradient
from .common import ROUNDING, Floats
from .multinomial import multinomial_cost_gradient


def gradient_descent(
    X: ArrayLike,
    y: ArrayLike,
    step_size: float,
    n_iter: int,
    momentum: str = "none",
    l2_reg: float = 0.0,
    sample_weight: ArrayLike | None = None,
    start: tuple[ArrayLike, float] | None = None,
) -> tuple[Floats, float, Floats]:
    """Take `n_iter` steps against the gradient, on X exactly as it is given.

    Parameters
    ----------
    X, y, l2_reg, sample_weight
        As for `cost`.
    step_size : float
        The textbook's alpha.
    n_iter : int
        Number of steps.
    momentum : {"none", "nesterov"}
        Nesterov (1983), with the momentum dropped when it points uphill (O'Donoghue and Candes,
        2015); where the cost at the extrapolated point has grown, a step is spent on going back.
    start : tuple of coef and intercept, optional
        Zeros by default.

    Returns
    -------
    coef : numpy.ndarray of shape (n_features,), float64
    intercept : float
    history : numpy.ndarray of shape (n_iter + 1,)
        The cost wherever the gradient was taken, and at the end.
    """
    X, y = np.asarray(X, dtype=np.float64), np.asarray(y, dtype=np.float64)

    def value_slope(point: Floats) -> tuple[float, Floats]:
        value, slope, intercept_slope = cost_gradient(
            X, y, point[:-1], point[-1], l2_reg, sample_weight
        )
        return value, np.append(slope, intercept_slope)

    first = np.zeros(X.shape[1] + 1) if start is None else np.append(*start).astype(np.float64)
    descend = {"none": _plain_descent, "nesterov": _nesterov_descent}[momentum]
    end, history = descend(value_slope, first, step_size, n_iter)
    history.append(value_slope(end)[0])
    return end[:-1], float(end[-1]), np.array(history)


def one_vs_all(
    X: ArrayLike,
    codes: ArrayLike,
    n_classes: int,
    step_size: float,
    n_iter: int,
    l2_reg: float = 0.0,
) -> tuple[Floats, Floats, Floats]:
    """Fit one model per class, that class against all others, by plain gradient descent.

    Parameters
    ----------
    X : array_like of shape (n_samples, n_features)
    codes : array_like of shape (n_samples,)
        Class of each row, 0 to n_classes - 1.
    n_classes : int
    step_size, n_iter, l2_reg
        As for `gradient_descent`.

    Returns
    -------
    coef : numpy.ndarray of shape (n_features, n_classes), float64
    intercept : numpy.ndarray of shape (n_classes,), float64
    history : numpy.ndarray of shape (n_iter + 1, n_classes), float64
    """
    fits = [
        gradient_descent(X, np.asarray(codes) == k, step_size, n_iter, l2_reg=l2_reg)
        for k in range(n_classes)
    ]
    coefs, intercepts, histories = zip(*fits, strict=True)
    return np.column_stack(coefs), np.array(intercepts), np.column_stack(histories)


def multinomial_gradient_descent(
    X: ArrayLike,
    codes: ArrayLike,
    n_classes: int,
    step_size: float,
    n_iter: int,
    momentum: str = "none",
    l2_reg: float = 0.0,
    sample_weight: ArrayLike | None = None,
    start: tuple[ArrayLike, ArrayLike] | None = None,
) -> tuple[Floats, Floats, Floats]:
    """Take `n_iter` steps against the gradient of the softmax cost, of all classes as one.

    Parameters
    ----------
    X, codes, l2_reg, sample_weight
        As for `multinomial_cost`.
    n_classes : int
    step_size, n_iter, momentum
        As for `gradient_descent`.
    start : tuple of coef and intercept, optional
        Zeros by default.

    Returns
    -------
    coef : numpy.ndarray of shape (n_features, n_classes), float64
    intercept : numpy.ndarray of shape (n_classes,), float64
    history : numpy.ndarray of shape (n_iter + 1,)
        The cost wherever the gradient was taken, and at the end.
    """
    X = np.asarray(X, dtype=np.float64)

    def value_slope(point: Floats) -> tuple[float, Floats]:
        rows = point.reshape(-1, n_classes)
        value, slope, intercept_slope = multinomial_cost_gradient(
            X, codes, rows[:-1], rows[-1], l2_reg, sample_weight
        )
        return value, np.vstack([slope, intercept_slope]).ravel()

    first = np.zeros((X.shape[1] + 1, n_classes))
    if start is not None:
        first[:-1], first[-1] = start
    descend = {"none": _plain_descent, "nesterov": _nesterov_descent}[momentum]
    end, history = descend(value_slope, first.ravel(), step_size, n_iter)
    history.append(value_slope(end)[0])
    rows = end.reshape(-1, n_classes)
    return rows[:-1], rows[-1], np.array(history)


def _plain_descent(
    value_slope: Any, point: Floats, step_size: float, n_iter: int
) -> tuple[Floats, list[float]]:
    history = []
    for _ in range(n_iter):
        value, slope = value_slope(point)
        history.append(value)
        point = point - step_size * slope
    return point, history


def _nesterov_descent(
    value_slope: Any, start: Floats, step_size: float, n_iter: int
) -> tuple[Floats, list[float]]:
    """Step from a point beyond the iterate; t is the sequence that sets how far beyond."""
    iterate = point = start
    t, last, history = 1.0, np.inf, []
    for _ in range(n_iter):
        value, slope = value_slope(point)
        history.append(value)
        if value > last + ROUNDING * abs(last):
            point, t, last = iterate, 1.0, np.inf
            continue
        new = point - step_size * slope
        uphill = slope @ (new - iterate) > 0.0
        following = 1.0 if uphill else (1.0 + np.sqrt(1.0 + 4.0 * t * t)) / 2.0
        beyond = 0.0 if uphill else (t - 1.0) / following
        point = new + beyond * (new - iterate)
        iterate, t, last = new, following, value
    return iterate, history
