"""L1, elastic nets and groups of columns: costs, their slopes and optima."""

import numpy as np
from numpy.typing import ArrayLike

from .binary import cost, cost_gradient, hessian
from .common import Floats, shares_of
from .multinomial import multinomial_cost, multinomial_cost_gradient, multinomial_hessian
from .optimum import NEWTON_PATIENCE, NEWTON_STEPS


def elastic_net_cost(
    X: ArrayLike,
    y: ArrayLike,
    coef: ArrayLike,
    intercept: float = 0.0,
    l1_reg: ArrayLike = 0.0,
    l2_reg: ArrayLike = 0.0,
    sample_weight: ArrayLike | None = None,
    offset: ArrayLike | None = None,
) -> float:
    """Return `cost` plus sum(l1_reg |coef|).

    Parameters
    ----------
    X, y, coef, intercept, l2_reg, sample_weight, offset
        As for `cost`.
    l1_reg : float or array_like of shape (n_features,)

    Returns
    -------
    float
    """
    smooth = cost(X, y, coef, intercept, l2_reg, sample_weight, offset)
    return smooth + float(np.sum(np.asarray(l1_reg) * np.abs(coef)))


def elastic_net_slopes(
    X: ArrayLike,
    y: ArrayLike,
    coef: ArrayLike,
    intercept: float = 0.0,
    l1_reg: ArrayLike = 0.0,
    l2_reg: ArrayLike = 0.0,
    sample_weight: ArrayLike | None = None,
    offset: ArrayLike | None = None,
) -> tuple[Floats, float]:
    """Return the subgradient of least norm of `elastic_net_cost`: 0 at the optimum.

    Parameters
    ----------
    X, y, coef, intercept, l1_reg, l2_reg, sample_weight, offset
        As for `elastic_net_cost`.

    Returns
    -------
    slopes : numpy.ndarray of shape (n_features,), float64
    intercept_slope : float
    """
    coef = np.asarray(coef, dtype=np.float64)
    _, slopes, last = cost_gradient(X, y, coef, intercept, l2_reg, sample_weight, offset)
    found = np.empty_like(slopes)
    for j, l1 in enumerate(np.broadcast_to(l1_reg, slopes.shape)):
        if coef[j] > 0.0:
            found[j] = slopes[j] + l1
        elif coef[j] < 0.0 or slopes[j] > l1:
            found[j] = slopes[j] - l1
        elif slopes[j] < -l1:
            found[j] = slopes[j] + l1
        else:
            found[j] = 0.0
    return found, last


def elastic_net_prox(value: float, l1: float, l2: float) -> float:
    """Return the b at which (b - value)^2 / 2 + l1 |b| + l2 b^2 / 2 is least.

    Parameters
    ----------
    value, l1, l2 : float

    Returns
    -------
    float
    """
    if value > l1:
        return (value - l1) / (1.0 + l2)
    if value < -l1:
        return (value + l1) / (1.0 + l2)
    return 0.0


def elastic_net(
    X: ArrayLike,
    y: ArrayLike,
    l1_reg: ArrayLike,
    l2_reg: ArrayLike = 0.0,
    sample_weight: ArrayLike | None = None,
    offset: ArrayLike | None = None,
    intercept: float | None = None,
    coef_bounds: tuple[ArrayLike, ArrayLike] = (-np.inf, np.inf),
) -> tuple[Floats, float, float]:
    """Return the optimum of `elastic_net_cost`, as exact as float64 allows.

    Newton steps with the penalty as it is, each found by coordinate descent (Lee, Sun and Saunders,
    2014), and halved until the cost falls.

    Parameters
    ----------
    X, y, l1_reg, l2_reg, sample_weight, offset
        As for `elastic_net_cost`.
    intercept : float, optional
        The number that the intercept is held at; by default it is fitted.
    coef_bounds : pair of float or array_like of shape (n_features,)
        The least and the largest value of each coefficient.

    Returns
    -------
    coef : numpy.ndarray of shape (n_features,), float64
    intercept : float
    cost : float
    """
    X = np.asarray(X, dtype=np.float64)
    n_features, fitted = X.shape[1], intercept is None
    center = shares_of(len(X), sample_weight) @ X if fitted else np.zeros(n_features)
    centred = X - center
    l1 = np.append(np.broadcast_to(np.asarray(l1_reg, dtype=np.float64), n_features), 0.0)
    lower = np.append(np.broadcast_to(coef_bounds[0], n_features), -np.inf)
    upper = np.append(np.broadcast_to(coef_bounds[1], n_features), np.inf)
    point = np.append(np.zeros(n_features), 0.0 if intercept is None else intercept)
    point = np.clip(point, lower, upper)

    def value_at(point: Floats) -> float:
        return elastic_net_cost(
            centred, y, point[:-1], point[-1], l1[:-1], l2_reg, sample_weight, offset
        )

    value, waited = value_at(point), 0
    for _ in range(NEWTON_STEPS):
        _, slope, last = cost_gradient(
            centred, y, point[:-1], point[-1], l2_reg, sample_weight, offset
        )
        matrix = hessian(centred, point[:-1], point[-1], l2_reg, sample_weight, offset)
        ends = (lower - point, upper - point)
        step = _model_step(matrix, np.append(slope, last), point, l1, ends, n_features + fitted)
        length = 1.0
        while length > 1e-12 and not value_at(point + length * step) <= value + 1e-16:
            length *= 0.5
        new = point + length * step if length < 1.0 else _exactly(point, step)
        if length == 1.0:
            new = np.where(step == ends[0], lower, np.where(step == ends[1], upper, new))
        new = np.clip(new, lower, upper)
        waited = waited + 1 if value_at(new) >= value else 0
        point, value = new, min(value, value_at(new))
        if waited > NEWTON_PATIENCE:
            break
    return point[:-1], float(point[-1] - center @ point[:-1]), value


def _exactly(point: Floats, step: Floats) -> Floats:
    """Return a point a step on, with exact zeros where the step leads to 0."""
    return np.where(step == -point, 0.0, point + step)


def _model_step(
    matrix: Floats,
    slopes: Floats,
    point: Floats,
    l1: Floats,
    ends: tuple[Floats, Floats],
    n_free: int,
    sweeps: int = 20_000,
) -> Floats:
    """Return the step to the least value of the quadratic model plus L1, by its coordinates.

    It is between the `ends`.
    """
    step = np.zeros_like(point)
    for _ in range(sweeps):
        largest = 0.0
        for j in range(n_free):
            curvature = matrix[j, j]
            if curvature == 0.0:
                continue
            slope = slopes[j] + matrix[j] @ step
            wanted = point[j] + step[j] - slope / curvature
            new = elastic_net_prox(wanted, l1[j] / curvature, 0.0) - point[j]
            new = min(max(new, ends[0][j]), ends[1][j])
            largest = max(largest, abs(new - step[j]) * curvature**0.5)
            step[j] = new
        if largest <= 1e-17:
            break
    return step


def multinomial_elastic_net_cost(
    X: ArrayLike,
    codes: ArrayLike,
    coef: ArrayLike,
    intercept: ArrayLike = 0.0,
    l1_reg: ArrayLike = 0.0,
    l2_reg: ArrayLike = 0.0,
    sample_weight: ArrayLike | None = None,
    offset: ArrayLike | None = None,
) -> float:
    """Return `multinomial_cost` plus the sum of l1_reg |coef| over columns and classes.

    Parameters
    ----------
    X, codes, coef, intercept, l2_reg, sample_weight, offset
        As for `multinomial_cost`.
    l1_reg : float or array_like of shape (n_features,)

    Returns
    -------
    float
    """
    smooth = multinomial_cost(X, codes, coef, intercept, l2_reg, sample_weight, offset)
    l1 = np.reshape(np.asarray(l1_reg, dtype=np.float64), (-1, 1))
    return smooth + float(np.sum(l1 * np.abs(coef)))


def multinomial_elastic_net_slopes(
    X: ArrayLike,
    codes: ArrayLike,
    coef: ArrayLike,
    intercept: ArrayLike = 0.0,
    l1_reg: ArrayLike = 0.0,
    l2_reg: ArrayLike = 0.0,
    sample_weight: ArrayLike | None = None,
    offset: ArrayLike | None = None,
) -> tuple[Floats, Floats]:
    """Return the subgradient of least norm of `multinomial_elastic_net_cost`: 0 at the optimum.

    Parameters
    ----------
    X, codes, coef, intercept, l1_reg, l2_reg, sample_weight, offset
        As for `multinomial_elastic_net_cost`.

    Returns
    -------
    slopes : numpy.ndarray of shape (n_features, n_classes), float64
    intercept_slopes : numpy.ndarray of shape (n_classes,), float64
    """
    coef = np.asarray(coef, dtype=np.float64)
    _, slopes, last = multinomial_cost_gradient(
        X, codes, coef, intercept, l2_reg, sample_weight, offset
    )
    for j, l1 in enumerate(np.broadcast_to(l1_reg, len(coef))):
        for k in range(coef.shape[1]):
            if coef[j, k] != 0.0:
                slopes[j, k] += l1 if coef[j, k] > 0.0 else -l1
            else:
                slopes[j, k] = elastic_net_prox(slopes[j, k], float(l1), 0.0)
    return slopes, last


def multinomial_elastic_net(
    X: ArrayLike,
    codes: ArrayLike,
    n_classes: int,
    l1_reg: ArrayLike,
    l2_reg: ArrayLike = 0.0,
    sample_weight: ArrayLike | None = None,
    offset: ArrayLike | None = None,
) -> tuple[Floats, Floats, float]:
    """Return an optimum of `multinomial_elastic_net_cost`, by the steps of `elastic_net`.

    Parameters
    ----------
    X, codes, l1_reg, l2_reg, sample_weight, offset
        As for `multinomial_elastic_net_cost`.
    n_classes : int

    Returns
    -------
    coef : numpy.ndarray of shape (n_features, n_classes), float64
    intercept : numpy.ndarray of shape (n_classes,), float64
    cost : float
    """
    X = np.asarray(X, dtype=np.float64)
    n_features = X.shape[1]
    center = shares_of(len(X), sample_weight) @ X
    own = np.append(np.broadcast_to(np.asarray(l1_reg, dtype=np.float64), n_features), 0.0)
    l1, point = np.tile(own, n_classes), np.zeros(n_classes * (n_features + 1))
    nowhere = np.full(point.size, np.inf)

    def parts(point: Floats) -> tuple[Floats, Floats]:
        every = point.reshape(n_classes, -1)
        return every[:, :-1].T, every[:, -1]

    def value_at(point: Floats) -> float:
        return multinomial_elastic_net_cost(
            X - center, codes, *parts(point), own[:-1], l2_reg, sample_weight, offset
        )

    value, waited = value_at(point), 0
    for _ in range(NEWTON_STEPS):
        _, slopes, last = multinomial_cost_gradient(
            X - center, codes, *parts(point), l2_reg, sample_weight, offset
        )
        matrix = multinomial_hessian(X - center, *parts(point), l2_reg, sample_weight, offset)
        slopes = np.column_stack([slopes.T, last]).reshape(-1)
        # The intercept of the last class stays.
        step = _model_step(matrix, slopes, point, l1, (-nowhere, nowhere), point.size - 1, 200)
        length = 1.0
        while length > 1e-12 and not value_at(point + length * step) <= value + 1e-16:
            length *= 0.5
        new = point + length * step if length < 1.0 else _exactly(point, step)
        waited = waited + 1 if value_at(new) >= value else 0
        point, value = new, min(value, value_at(new))
        if waited > NEWTON_PATIENCE:
            break
    coef, intercept = parts(point)
    intercept = intercept - center @ coef
    return coef, intercept - intercept.mean(), value


def group_lasso_penalty(coef: ArrayLike, groups: ArrayLike, strengths: ArrayLike) -> float:
    """Return the sum over groups of columns of strength times the length of the coefficients.

    Parameters
    ----------
    coef : array_like of shape (n_features,) or (n_features, n_classes)
        Those of all classes of a column belong to its group.
    groups : array_like of shape (n_features,)
        A label for each column.
    strengths : array_like of shape (n_groups,)
        In the order of the sorted labels.

    Returns
    -------
    float
    """
    coef, groups = np.asarray(coef, dtype=np.float64), np.asarray(groups)
    labels = np.unique(groups)
    lengths = [np.sqrt(np.sum(coef[groups == label] ** 2)) for label in labels]
    return float(np.dot(strengths, lengths))


def group_lasso_slopes(
    slopes: ArrayLike, coef: ArrayLike, groups: ArrayLike, strengths: ArrayLike
) -> Floats:
    """Return the subgradient of least norm of a function plus `group_lasso_penalty`.

    Parameters
    ----------
    slopes : array_like of the shape of `coef`
        The gradient of the function.
    coef, groups, strengths
        As for `group_lasso_penalty`.

    Returns
    -------
    numpy.ndarray of the shape of `coef`, float64
    """
    coef, groups = np.asarray(coef, dtype=np.float64), np.asarray(groups)
    found = np.array(slopes, dtype=np.float64)
    for label, strength in zip(np.unique(groups), np.asarray(strengths), strict=True):
        own = groups == label
        length = np.sqrt(np.sum(coef[own] ** 2))
        pull = np.sqrt(np.sum(found[own] ** 2))
        if length > 0.0:
            found[own] += strength * coef[own] / length
        elif pull > strength:
            found[own] *= 1.0 - strength / pull
        else:
            found[own] = 0.0
    return found
