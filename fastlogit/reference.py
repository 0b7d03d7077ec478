"""Logistic regression in plain NumPy, written from the formulas: the oracle of every test.

It imports nothing of this package, computes in float64 and checks nothing. y and the coefficients
mean what they mean elsewhere: y in {0, 1}; `coef` of shape (n_features,) for two classes, or
(n_features, n_classes) for one-vs-all and softmax, with `intercept` a number or of shape
(n_classes,). Softmax takes the classes as `codes`, 0 to n_classes - 1.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

__all__ = [
    "cost",
    "cost_gradient",
    "elastic_net",
    "elastic_net_cost",
    "elastic_net_prox",
    "elastic_net_slopes",
    "firth",
    "firth_cost",
    "gradient_descent",
    "group_lasso_penalty",
    "group_lasso_slopes",
    "hessian",
    "link_cost",
    "link_log_proba",
    "link_newton",
    "log1p_exp",
    "log_sigmoid",
    "log_softmax",
    "logit",
    "multinomial_cost",
    "multinomial_cost_gradient",
    "multinomial_elastic_net",
    "multinomial_elastic_net_cost",
    "multinomial_elastic_net_slopes",
    "multinomial_gradient_descent",
    "multinomial_hessian",
    "multinomial_hessian_product",
    "multinomial_newton",
    "multinomial_residual",
    "newton",
    "one_vs_all",
    "one_vs_all_log_proba",
    "one_vs_all_proba",
    "ordinal_cost",
    "predict_proba",
    "raw_prediction",
    "residual",
    "sigmoid",
    "softmax",
]

Floats = NDArray[np.float64]

# A cost that grows by less than this, relative to itself, has only been rounded.
ROUNDING = 1e-13
# Newton's method ends after so many steps that do not halve a decrement so small.
NEWTON_PATIENCE = 4
NEWTON_NEAR = 1e-9
NEWTON_STEPS = 500


def sigmoid(z: ArrayLike) -> Any:
    """Return 1 / (1 + e^-z), element by element.

    Parameters
    ----------
    z : array_like of any shape

    Returns
    -------
    numpy.ndarray or float of the shape of `z`, float64
    """
    z = np.asarray(z, dtype=np.float64)
    t = np.exp(-np.abs(z))
    return np.where(z >= 0.0, 1.0, t) / (1.0 + t)


def log1p_exp(z: ArrayLike) -> Any:
    """Return log(1 + e^z), element by element.

    Parameters
    ----------
    z : array_like of any shape

    Returns
    -------
    numpy.ndarray or float of the shape of `z`, float64
    """
    z = np.asarray(z, dtype=np.float64)
    return np.maximum(z, 0.0) + np.log1p(np.exp(-np.abs(z)))


def log_sigmoid(z: ArrayLike) -> Any:
    """Return log(1 / (1 + e^-z)), element by element.

    Parameters
    ----------
    z : array_like of any shape

    Returns
    -------
    numpy.ndarray or float of the shape of `z`, float64
    """
    return -log1p_exp(-np.asarray(z, dtype=np.float64))


def logit(p: ArrayLike) -> Any:
    """Return log(p / (1 - p)), element by element; NaN outside [0, 1].

    Parameters
    ----------
    p : array_like of any shape

    Returns
    -------
    numpy.ndarray or float of the shape of `p`, float64
    """
    p = np.asarray(p, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        # Near 1/2 the two logarithms cancel; log(p / (1 - p)) = 2 atanh(2 p - 1) does not.
        near_half = 2.0 * np.arctanh(2.0 * p - 1.0)
        return np.where(np.abs(p - 0.5) < 0.25, near_half, np.log(p) - np.log1p(-p))[()]


def softmax(z: ArrayLike) -> Floats:
    """Return e^z_k / sum e^z_j of each row.

    Parameters
    ----------
    z : array_like of shape (n_samples, n_classes)

    Returns
    -------
    numpy.ndarray of shape (n_samples, n_classes), float64
    """
    tail, rest, _ = _below_top(z)
    return np.asarray(tail / (1.0 + rest))


def log_softmax(z: ArrayLike) -> Floats:
    """Return log(e^z_k / sum e^z_j) of each row: finite where the probability underflows.

    Parameters
    ----------
    z : array_like of shape (n_samples, n_classes)

    Returns
    -------
    numpy.ndarray of shape (n_samples, n_classes), float64
    """
    _, rest, below = _below_top(z)
    return np.asarray(below - np.log1p(rest))


def one_vs_all_proba(z: ArrayLike) -> Floats:
    """Return the hypotheses of one-vs-all over their sum, as scikit-learn's one-vs-rest.

    Parameters
    ----------
    z : array_like of shape (n_samples, n_classes)

    Returns
    -------
    numpy.ndarray of shape (n_samples, n_classes), float64
        Its rows sum to 1, however small the hypotheses are.
    """
    return softmax(log_sigmoid(z))


def one_vs_all_log_proba(z: ArrayLike) -> Floats:
    """Return the logarithms of `one_vs_all_proba`.

    Parameters
    ----------
    z : array_like of shape (n_samples, n_classes)

    Returns
    -------
    numpy.ndarray of shape (n_samples, n_classes), float64
    """
    return log_softmax(log_sigmoid(z))


def _below_top(z: ArrayLike) -> tuple[Floats, Floats, Floats]:
    """Return e^(z - top) with top the largest of the row, the others' sum, and z - top.

    The largest is 1: apart from it the sum keeps the digits of small ones.
    """
    z = np.asarray(z, dtype=np.float64)
    below = z - z.max(axis=1, keepdims=True)
    tail = np.exp(below)
    others = tail.copy()
    others[np.arange(len(z)), z.argmax(axis=1)] = 0.0
    return tail, others.sum(axis=1, keepdims=True), below


def raw_prediction(X: ArrayLike, coef: ArrayLike, intercept: ArrayLike) -> Any:
    """Return z = X coef + intercept.

    Parameters
    ----------
    X : array_like of shape (n_samples, n_features)
    coef : array_like of shape (n_features,) or (n_features, n_classes)
    intercept : float, or array_like of shape (n_classes,)

    Returns
    -------
    numpy.ndarray of shape (n_samples,) or (n_samples, n_classes), float64
    """
    coef = np.asarray(coef, dtype=np.float64)
    return np.asarray(X, dtype=np.float64) @ coef + np.asarray(intercept, dtype=np.float64)


def predict_proba(X: ArrayLike, coef: ArrayLike, intercept: ArrayLike) -> Any:
    """Return the probabilities: [1 - h, h], or the hypotheses of one-vs-all side by side.

    Parameters
    ----------
    X : array_like of shape (n_samples, n_features)
    coef : array_like of shape (n_features,) or (n_features, n_classes)
    intercept : float, or array_like of shape (n_classes,)

    Returns
    -------
    numpy.ndarray of shape (n_samples, n_classes), float64
        With two classes the rows sum to 1; the hypotheses of one-vs-all do not.
    """
    z = raw_prediction(X, coef, intercept)
    if z.ndim == 1:
        return np.column_stack([sigmoid(-z), sigmoid(z)])
    return sigmoid(z)


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
    share = _shares(len(X), sample_weight)
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
    curvature = _shares(len(X), sample_weight) * sigmoid(z) * sigmoid(-z)
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
    center = _shares(len(X), sample_weight) @ X if fitted else np.zeros(X.shape[1])
    centred = X - center

    def derivatives(point: Floats) -> tuple[float, Floats, Floats]:
        value, slope, last = cost_gradient(
            centred, y, point[:-1], point[-1], l2_reg, sample_weight, offset
        )
        hessian_there = hessian(centred, point[:-1], point[-1], l2_reg, sample_weight, offset)
        return value, np.append(slope, last), hessian_there

    start = np.append(np.zeros(X.shape[1]), 0.0 if intercept is None else intercept)
    point, value = _newton_descent(derivatives, start, X.shape[1] + fitted)
    return point[:-1], float(point[-1] - center @ point[:-1]), value


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
    center = _shares(len(X), sample_weight) @ X if fitted else np.zeros(n_features)
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
    share = _shares(len(X), sample_weight)
    z = _class_prediction(X, coef, intercept, offset)
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
    tail, rest, _ = _below_top(_class_prediction(X, coef, intercept, offset))
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
    proba = softmax(_class_prediction(X, coef, intercept, offset))
    change = raw_prediction(X, direction, intercept_direction)
    mean = np.sum(proba * change, axis=1, keepdims=True)
    curved = _shares(len(X), sample_weight)[:, None] * proba * (change - mean)
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
    tail, rest, _ = _below_top(_class_prediction(X, coef, intercept, offset))
    share, proba = _shares(len(X), sample_weight), tail / (1.0 + rest)
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
    center = _shares(len(X), sample_weight) @ X
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
    center = _shares(len(X), sample_weight) @ X if fit_intercept else np.zeros(n_features)
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
    point, value = _newton_descent(derivatives, start, n_slopes + n_classes * fit_intercept)
    coef = point[:n_slopes].reshape(n_classes, -1).T
    coef = coef - coef.mean(axis=1, keepdims=True)
    intercept = point[n_slopes:] - center @ coef
    return coef, intercept - intercept.mean() * fit_intercept, value


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


def link_log_proba(z: ArrayLike, link: str) -> tuple[Floats, Floats]:
    """Return log P(y = 0) and log P(y = 1) at raw predictions, of "probit" or "cloglog"."""
    z = np.asarray(z, dtype=np.float64)
    if link == "probit":
        return special.log_ndtr(-z), special.log_ndtr(z)
    return -np.exp(z), np.log(-np.expm1(-np.exp(z)))


def link_cost(
    X: ArrayLike, y: ArrayLike, coef: ArrayLike, intercept: float, link: str,
    *, sample_weight: ArrayLike | None = None, offset: ArrayLike = 0.0,
) -> float:  # fmt: skip
    """Return the weighted mean of minus the log-likelihoods; y may be shares from 0 to 1."""
    y = np.asarray(y, dtype=np.float64)
    first, second = link_log_proba(raw_prediction(X, coef, intercept) + offset, link)
    shares = _shares(len(y), sample_weight)
    return float(-shares @ (y * second + (1.0 - y) * first))


def link_newton(
    X: ArrayLike, y: ArrayLike, link: str, *, sample_weight: ArrayLike | None = None,
    offset: ArrayLike = 0.0,
) -> tuple[Floats, float]:  # fmt: skip
    """Return coefficients and intercept of the least `link_cost`, by Newton's method.

    With p and q the probabilities of 1 and 0, and p', p'' the derivatives of p by z, minus the
    logarithms of p and q have derivatives ``-p' / p``, ``p' / q`` and ``(p' / p)^2 - p'' / p``,
    ``(p' / q)^2 + p'' / q``.
    """
    y = np.asarray(y, dtype=np.float64)
    Z: Floats = np.column_stack([np.asarray(X, dtype=np.float64), np.ones(len(y))])
    shares, theta = _shares(len(y), sample_weight), np.zeros(Z.shape[1])
    for _ in range(60):
        z: Floats = Z @ theta + np.asarray(offset, dtype=np.float64)
        if link == "probit":
            p, q, first = special.ndtr(z), special.ndtr(-z), np.exp(-0.5 * z * z)
            first /= np.sqrt(2.0 * np.pi)
            second = -z * first
        else:
            p, q, first = -np.expm1(-np.exp(z)), np.exp(-np.exp(z)), np.exp(z - np.exp(z))
            second = first * (1.0 - np.exp(z))
        slope = -y * first / p + (1.0 - y) * first / q
        curvature = y * ((first / p) ** 2 - second / p)
        curvature += (1.0 - y) * ((first / q) ** 2 + second / q)
        theta = theta - _solve((Z.T * (shares * curvature)) @ Z, Z.T @ (shares * slope))
    return theta[:-1], float(theta[-1])


def ordinal_cost(
    X: ArrayLike, y: ArrayLike, coef: ArrayLike, thresholds: ArrayLike, link: str,
    *, sample_weight: ArrayLike | None = None, offset: ArrayLike = 0.0,
) -> float:  # fmt: skip
    """Return the weighted mean of -log P(y), P(y <= k) = F(threshold_k - X @ coef - offset).

    `y` are the places of the classes, 0 to n_classes - 1; F is that of "logit", "probit" or
    "cloglog", 1 - exp(-exp(.)).
    """
    y = np.asarray(y)
    ends = np.concatenate([[-np.inf], np.asarray(thresholds, dtype=np.float64), [np.inf]])
    z = raw_prediction(X, coef, 0.0) + offset
    with np.errstate(over="ignore"):
        up, down = ends[y + 1] - z, ends[y] - z
        if link == "cloglog":
            proba = np.exp(-np.exp(down)) - np.exp(-np.exp(up))
        else:
            F = special.ndtr if link == "probit" else special.expit
            proba = F(up) - F(down)
    return float(-_shares(len(y), sample_weight) @ np.log(proba))


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


def _class_prediction(
    X: Floats, coef: ArrayLike, intercept: ArrayLike, offset: ArrayLike | None
) -> Any:
    """Return the raw predictions of the classes, (n_samples, n_classes)."""
    fixed = 0.0 if offset is None else np.asarray(offset, dtype=np.float64)
    return raw_prediction(X, coef, intercept) + fixed


def _shares(n_samples: int, sample_weight: ArrayLike | None) -> Floats:
    """Each row's part of the mean; they sum to 1."""
    if sample_weight is None:
        return np.full(n_samples, 1.0 / n_samples)
    weight = np.asarray(sample_weight, dtype=np.float64)
    return np.asarray(weight / weight.sum())


def _newton_descent(derivatives: Any, point: Floats, n_free: int) -> tuple[Floats, float]:
    """Step until the decrement, twice what is missing, has become the least that it can."""
    best, least, waited = point, np.inf, 0
    value, slope, hessian_there = derivatives(point)
    lowest = value
    for _ in range(NEWTON_STEPS):
        step = np.zeros_like(point)
        step[:n_free] = _solve(hessian_there[:n_free, :n_free], -slope[:n_free])
        decrement = -float(slope @ step)
        waited = waited + 1 if 0.5 * least <= decrement < NEWTON_NEAR * value else 0
        if decrement < least:
            best, least, lowest = point, decrement, value
        if waited > NEWTON_PATIENCE or not decrement > 0.0:
            break
        length = 1.0
        while True:
            new = derivatives(point + length * step)
            if new[0] <= value - 1e-4 * length * decrement + ROUNDING * value:
                break
            length *= 0.5
            if length < 1e-12:
                return best, lowest
        point = point + length * step
        value, slope, hessian_there = new
    return best, lowest


def _solve(matrix: Floats, right: Floats) -> Floats:
    """Solve for the scaled unknowns, whose matrix has ones in its diagonal, by least squares."""
    diagonal = np.diag(matrix)
    scale = np.where(diagonal > 0.0, 1.0 / np.sqrt(np.where(diagonal > 0.0, diagonal, 1.0)), 0.0)
    scaled = matrix * scale[:, None] * scale
    return np.asarray(scale * np.linalg.lstsq(scaled, scale * right, rcond=1e-13)[0])


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
