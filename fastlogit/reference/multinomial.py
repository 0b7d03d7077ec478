"""Softmax: cost, gradient, Hessian and the optimum."""

import numpy as np
from numpy.typing import ArrayLike

from .common import Floats, class_prediction, raw_prediction, shares_of
from .optimum import newton_descent
from .probabilities import below_top, log_softmax, softmax


def multinomial_cost(
    X: ArrayLike,
    codes: ArrayLike,
    coef: ArrayLike,
    intercept: ArrayLike = 0.0,
    l2_reg: ArrayLike = 0.0,
    sample_weight: ArrayLike | None = None,
    offset: ArrayLike | None = None,
) -> float:
    """Return J = mean(log sum_k e^z_k - z_y) + sum(l2_reg coef^2) / 2.

    Parameters
    ----------
    X : array_like of shape (n_samples, n_features)
    codes : array_like of shape (n_samples,)
        Class of each row, 0 to n_classes - 1.
    coef : array_like of shape (n_features, n_classes)
    intercept : float, or array_like of shape (n_classes,)
    l2_reg : float or array_like of shape (n_features,)
        Strength of the penalty, which leaves the intercepts out; one or one for each column.
    sample_weight : array_like of shape (n_samples,), optional
        Weights of the mean.
    offset : array_like of shape (n_samples, n_classes), optional
        Fixed part of the raw predictions.

    Returns
    -------
    float
    """
    return multinomial_cost_gradient(X, codes, coef, intercept, l2_reg, sample_weight, offset)[0]


def multinomial_cost_gradient(
    X: ArrayLike,
    codes: ArrayLike,
    coef: ArrayLike,
    intercept: ArrayLike = 0.0,
    l2_reg: ArrayLike = 0.0,
    sample_weight: ArrayLike | None = None,
    offset: ArrayLike | None = None,
) -> tuple[float, Floats, Floats]:
    """Return the softmax cost and its derivatives by `coef` and by `intercept`.

    Parameters
    ----------
    X, codes, coef, intercept, l2_reg, sample_weight, offset
        As for `multinomial_cost`.

    Returns
    -------
    cost : float
    coef_gradient : numpy.ndarray of shape (n_features, n_classes), float64
    intercept_gradient : numpy.ndarray of shape (n_classes,), float64
    """
    X, coef = np.asarray(X, dtype=np.float64), np.asarray(coef, dtype=np.float64)
    share = shares_of(len(X), sample_weight)
    z = class_prediction(X, coef, intercept, offset)
    own = np.arange(len(X)), np.asarray(codes, dtype=np.int64)
    slope = multinomial_residual(X, codes, coef, intercept, share, offset)
    slopes = np.reshape(np.asarray(l2_reg, dtype=np.float64), (-1, 1)) * coef
    value = float(share @ -log_softmax(z)[own] + 0.5 * np.sum(slopes * coef))
    return value, X.T @ slope + slopes, slope.sum(axis=0)


def multinomial_residual(
    X: ArrayLike,
    codes: ArrayLike,
    coef: ArrayLike,
    intercept: ArrayLike = 0.0,
    sample_weight: ArrayLike | None = None,
    offset: ArrayLike | None = None,
) -> Floats:
    """Return w (p - y) of each row and class, y being 1 for the row's own class and 0 else.

    Parameters
    ----------
    X, codes, coef, intercept, sample_weight, offset
        As for `multinomial_cost`.

    Returns
    -------
    numpy.ndarray of shape (n_samples, n_classes), float64
    """
    X = np.asarray(X, dtype=np.float64)
    weight = np.ones(len(X)) if sample_weight is None else np.asarray(sample_weight)
    own = np.arange(len(X)), np.asarray(codes, dtype=np.int64)
    tail, rest, _ = below_top(class_prediction(X, coef, intercept, offset))
    apart = tail.copy()
    # 1 - p of the own class from the others' sum: a row that is predicted well keeps its digits.
    apart[own] = 0.0
    apart[own] = -apart.sum(axis=1)
    return np.asarray(apart * (weight[:, None] / (1.0 + rest)))


def multinomial_hessian_product(
    X: ArrayLike,
    coef: ArrayLike,
    intercept: ArrayLike,
    direction: ArrayLike,
    intercept_direction: ArrayLike,
    l2_reg: ArrayLike = 0.0,
    sample_weight: ArrayLike | None = None,
    offset: ArrayLike | None = None,
) -> tuple[Floats, Floats]:
    """Return the second derivatives of the softmax cost times a direction.

    Parameters
    ----------
    X, coef, intercept, l2_reg, sample_weight, offset
        As for `multinomial_cost`; it does not depend on the classes of the rows.
    direction : array_like of shape (n_features, n_classes)
    intercept_direction : float, or array_like of shape (n_classes,)

    Returns
    -------
    product : numpy.ndarray of shape (n_features, n_classes), float64
    intercept_product : numpy.ndarray of shape (n_classes,), float64
    """
    X, direction = np.asarray(X, dtype=np.float64), np.asarray(direction, dtype=np.float64)
    proba = softmax(class_prediction(X, coef, intercept, offset))
    change = raw_prediction(X, direction, intercept_direction)
    mean = np.sum(proba * change, axis=1, keepdims=True)
    curved = shares_of(len(X), sample_weight)[:, None] * proba * (change - mean)
    penalty = np.reshape(np.asarray(l2_reg, dtype=np.float64), (-1, 1)) * direction
    return X.T @ curved + penalty, curved.sum(axis=0)


def multinomial_hessian(
    X: ArrayLike,
    coef: ArrayLike,
    intercept: ArrayLike = 0.0,
    l2_reg: ArrayLike = 0.0,
    sample_weight: ArrayLike | None = None,
    offset: ArrayLike | None = None,
) -> Floats:
    """Return the second derivatives of the softmax cost.

    Parameters
    ----------
    X, coef, intercept, l2_reg, sample_weight, offset
        As for `multinomial_cost`; it does not depend on the classes of the rows.

    Returns
    -------
    numpy.ndarray of shape (n_classes * (n_features + 1),) * 2, float64
        Class after class, each class's intercept behind its coefficients.
    """
    X = np.asarray(X, dtype=np.float64)
    tail, rest, _ = below_top(class_prediction(X, coef, intercept, offset))
    share, proba = shares_of(len(X), sample_weight), tail / (1.0 + rest)
    extended = np.column_stack([X, np.ones(len(X))])
    n_classes, size = tail.shape[1], extended.shape[1]
    penalty = np.diag(np.append(np.broadcast_to(np.asarray(l2_reg, np.float64), size - 1), 0.0))
    matrix = np.empty((n_classes, size, n_classes, size))
    for row in range(n_classes):
        for column in range(n_classes):
            if row == column:
                curvature = proba[:, row] * np.delete(proba, row, axis=1).sum(axis=1)
            else:
                curvature = -proba[:, row] * proba[:, column]
            block = extended.T @ ((share * curvature)[:, None] * extended)
            matrix[row, :, column] = block + penalty * (row == column)
    return matrix.reshape(n_classes * size, n_classes * size)


def multinomial_newton(
    X: ArrayLike,
    codes: ArrayLike,
    n_classes: int,
    l2_reg: ArrayLike = 0.0,
    sample_weight: ArrayLike | None = None,
    offset: ArrayLike | None = None,
    fit_intercept: bool = True,
) -> tuple[Floats, Floats, float]:
    """Return the optimum of the softmax cost, by Newton's method as in `newton`.

    Parameters
    ----------
    X, codes, l2_reg, sample_weight, offset
        As for `multinomial_cost`.
    n_classes : int
    fit_intercept : bool
        False leaves the intercepts 0.

    Returns
    -------
    coef : numpy.ndarray of shape (n_features, n_classes), float64
        Its rows sum to 0.
    intercept : numpy.ndarray of shape (n_classes,), float64
        Its sum is 0.
    cost : float
        The lowest, if an optimum exists: without a penalty the classes must overlap.
    """
    X = np.asarray(X, dtype=np.float64)
    n_features = X.shape[1]
    center = shares_of(len(X), sample_weight) @ X if fit_intercept else np.zeros(n_features)
    centred, n_slopes = X - center, n_features * n_classes
    # Coefficients class after class, then the intercepts, which may be held.
    of_class = np.arange(n_classes)[:, None] * (n_features + 1)
    order = np.append(of_class + np.arange(n_features), of_class + n_features)

    def derivatives(point: Floats) -> tuple[float, Floats, Floats]:
        coef, intercept = point[:n_slopes].reshape(n_classes, -1).T, point[n_slopes:]
        value, slope, last = multinomial_cost_gradient(
            centred, codes, coef, intercept, l2_reg, sample_weight, offset
        )
        hessian_there = multinomial_hessian(centred, coef, intercept, l2_reg, sample_weight, offset)
        return value, np.append(slope.T, last), hessian_there[np.ix_(order, order)]

    start = np.zeros(n_slopes + n_classes)
    point, value = newton_descent(derivatives, start, n_slopes + n_classes * fit_intercept)
    coef = point[:n_slopes].reshape(n_classes, -1).T
    coef = coef - coef.mean(axis=1, keepdims=True)
    intercept = point[n_slopes:] - center @ coef
    return coef, intercept - intercept.mean() * fit_intercept, value
