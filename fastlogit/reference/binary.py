"""Two classes: cost, gradient, Hessian and the optimum; Firth's penalised likelihood."""

import numpy as np
from numpy.typing import ArrayLike

from .common import ROUNDING, Floats, raw_prediction, shares_of
from .optimum import NEWTON_STEPS, newton_descent
from .probabilities import log1p_exp, sigmoid


def cost(
    X: ArrayLike,
    y: ArrayLike,
    coef: ArrayLike,
    intercept: float = 0.0,
    l2_reg: ArrayLike = 0.0,
    sample_weight: ArrayLike | None = None,
    offset: ArrayLike | None = None,
) -> float:
    """Return J = -mean(y log h + (1 - y) log(1 - h)) + sum(l2_reg coef^2) / 2.

    Parameters
    ----------
    X : array_like of shape (n_samples, n_features)
    y : array_like of shape (n_samples,)
        Labels, 0 or 1.
    coef : array_like of shape (n_features,)
    intercept : float
    l2_reg : float or array_like of shape (n_features,)
        Strength of the penalty, which leaves the intercept out; one or one for each column.
    sample_weight : array_like of shape (n_samples,), optional
        Weights of the mean.
    offset : array_like of shape (n_samples,), optional
        Fixed part of the raw predictions.

    Returns
    -------
    float
    """
    return cost_gradient(X, y, coef, intercept, l2_reg, sample_weight, offset)[0]


def cost_gradient(
    X: ArrayLike,
    y: ArrayLike,
    coef: ArrayLike,
    intercept: float = 0.0,
    l2_reg: ArrayLike = 0.0,
    sample_weight: ArrayLike | None = None,
    offset: ArrayLike | None = None,
) -> tuple[float, Floats, float]:
    """Return the cost and its derivatives by `coef` and by `intercept`.

    Parameters
    ----------
    X, y, coef, intercept, l2_reg, sample_weight, offset
        As for `cost`.

    Returns
    -------
    cost : float
    coef_gradient : numpy.ndarray of shape (n_features,), float64
    intercept_gradient : float
    """
    X, coef = np.asarray(X, dtype=np.float64), np.asarray(coef, dtype=np.float64)
    sign = 2.0 * np.asarray(y, dtype=np.float64) - 1.0
    share = shares_of(len(X), sample_weight)
    # The probability of the true label is h(margin): log h is never formed.
    fixed = 0.0 if offset is None else np.asarray(offset, dtype=np.float64)
    margin = sign * (raw_prediction(X, coef, intercept) + fixed)
    slope = share * residual(X, y, coef, intercept, None, offset)
    slopes = np.asarray(l2_reg, dtype=np.float64) * coef
    value = float(share @ log1p_exp(-margin) + 0.5 * (slopes @ coef))
    return value, X.T @ slope + slopes, float(slope.sum())


def residual(
    X: ArrayLike,
    y: ArrayLike,
    coef: ArrayLike,
    intercept: float = 0.0,
    sample_weight: ArrayLike | None = None,
    offset: ArrayLike | None = None,
) -> Floats:
    """Return w (h - y) of each row: its part of the score, before it is divided by sum(w).

    Parameters
    ----------
    X, y, coef, intercept, sample_weight, offset
        As for `cost`.

    Returns
    -------
    numpy.ndarray of shape (n_samples,), float64
    """
    sign = 2.0 * np.asarray(y, dtype=np.float64) - 1.0
    fixed = 0.0 if offset is None else np.asarray(offset, dtype=np.float64)
    # h - y of a row that is predicted well keeps all its digits.
    plain = -sign * sigmoid(-(sign * (raw_prediction(X, coef, intercept) + fixed)))
    return np.asarray(plain if sample_weight is None else np.asarray(sample_weight) * plain)


def hessian(
    X: ArrayLike,
    coef: ArrayLike,
    intercept: float = 0.0,
    l2_reg: ArrayLike = 0.0,
    sample_weight: ArrayLike | None = None,
    offset: ArrayLike | None = None,
) -> Floats:
    """Return the second derivatives of the cost, the intercept's in the last row and column.

    Parameters
    ----------
    X, coef, intercept, l2_reg, sample_weight, offset
        As for `cost`; it does not depend on y.

    Returns
    -------
    numpy.ndarray of shape (n_features + 1, n_features + 1), float64
    """
    X = np.asarray(X, dtype=np.float64)
    fixed = 0.0 if offset is None else np.asarray(offset, dtype=np.float64)
    z = raw_prediction(X, coef, intercept) + fixed
    curvature = shares_of(len(X), sample_weight) * sigmoid(z) * sigmoid(-z)
    extended = np.column_stack([X, np.ones(len(X))])
    half = np.sqrt(curvature)[:, None] * extended
    matrix = half.T @ half
    columns = np.arange(X.shape[1])
    matrix[columns, columns] += np.asarray(l2_reg, dtype=np.float64)
    return np.asarray(matrix)


def newton(
    X: ArrayLike,
    y: ArrayLike,
    l2_reg: ArrayLike = 0.0,
    sample_weight: ArrayLike | None = None,
    offset: ArrayLike | None = None,
    intercept: float | None = None,
) -> tuple[Floats, float, float]:
    """Return the optimum, by Newton's method with step halving, as exact as float64 allows.

    Parameters
    ----------
    X, y, l2_reg, sample_weight, offset
        As for `cost`.
    intercept : float, optional
        The number that the intercept is held at; by default it is fitted.

    Returns
    -------
    coef : numpy.ndarray of shape (n_features,), float64
        The smallest steps among those that the data leave open: 0 for a column of zeros.
    intercept : float
    cost : float
        The lowest, if an optimum exists: without a penalty the classes must overlap.
    """
    X = np.asarray(X, dtype=np.float64)
    fitted = intercept is None
    # Centred columns and an intercept do not take from each other; the model is the same.
    center = shares_of(len(X), sample_weight) @ X if fitted else np.zeros(X.shape[1])
    centred = X - center

    def derivatives(point: Floats) -> tuple[float, Floats, Floats]:
        value, slope, last = cost_gradient(
            centred, y, point[:-1], point[-1], l2_reg, sample_weight, offset
        )
        hessian_there = hessian(centred, point[:-1], point[-1], l2_reg, sample_weight, offset)
        return value, np.append(slope, last), hessian_there

    start = np.append(np.zeros(X.shape[1]), 0.0 if intercept is None else intercept)
    point, value = newton_descent(derivatives, start, X.shape[1] + fitted)
    return point[:-1], float(point[-1] - center @ point[:-1]), value


def firth_cost(
    X: ArrayLike,
    y: ArrayLike,
    coef: ArrayLike,
    intercept: float = 0.0,
    sample_weight: ArrayLike | None = None,
    offset: ArrayLike | None = None,
) -> float:
    """Return the sum of losses less half the log-determinant of the information.

    Parameters
    ----------
    X, y, coef, intercept, sample_weight, offset
        As for `cost`.

    Returns
    -------
    float

    References
    ----------
    Firth (1993), Bias reduction of maximum likelihood estimates, Biometrika 80.
    """
    total = float(len(np.asarray(X)) if sample_weight is None else np.sum(sample_weight))
    information = total * hessian(X, coef, intercept, 0.0, sample_weight, offset)
    loss = total * cost(X, y, coef, intercept, 0.0, sample_weight, offset)
    return float(loss - 0.5 * np.linalg.slogdet(information)[1])


def firth(
    X: ArrayLike,
    y: ArrayLike,
    sample_weight: ArrayLike | None = None,
    offset: ArrayLike | None = None,
    held: int | None = None,
) -> tuple[Floats, float, float]:
    """Return the optimum of `firth_cost`: Newton's steps with leverages held, halved as needed.

    Parameters
    ----------
    X, y, sample_weight, offset
        As for `cost`.
    held : int, optional
        A column whose coefficient is held at 0.

    Returns
    -------
    coef : numpy.ndarray of shape (n_features,), float64
    intercept : float
    cost : float
    """
    X, y = np.asarray(X, dtype=np.float64), np.asarray(y, dtype=np.float64)
    extended = np.column_stack([X, np.ones(len(X))])
    free = np.array([j for j in range(extended.shape[1]) if j != held])
    weight = np.ones(len(X)) if sample_weight is None else np.asarray(sample_weight, np.float64)
    fixed = 0.0 if offset is None else np.asarray(offset, dtype=np.float64)
    point = np.zeros(extended.shape[1])
    value = firth_cost(X, y, point[:-1], point[-1], weight, offset)
    for _ in range(NEWTON_STEPS):
        z = extended @ point + fixed
        proba = sigmoid(z)
        curvature = proba * sigmoid(-z)
        information = (extended.T * (weight * curvature)) @ extended
        inverse = np.linalg.inv(information)
        leverage = weight * curvature * np.einsum("ij,jk,ik->i", extended, inverse, extended)
        slope = extended.T @ (weight * (proba - y) + leverage * (proba - 0.5))
        matrix = (extended.T * ((weight + leverage) * curvature)) @ extended
        step = np.zeros_like(point)
        step[free] = -np.linalg.solve(matrix[np.ix_(free, free)], slope[free])
        if float(-slope @ step) < 1e-24:
            break
        found = firth_cost(X, y, (point + step)[:-1], (point + step)[-1], weight, offset)
        while found > value + ROUNDING * abs(value):
            step *= 0.5
            found = firth_cost(X, y, (point + step)[:-1], (point + step)[-1], weight, offset)
        point, value = point + step, found
    return point[:-1], float(point[-1]), value
