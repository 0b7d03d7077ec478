"""Logistic regression in plain NumPy, written from the formulas: the oracle of every test.

It imports nothing of this package, computes in float64 and checks nothing. y and the coefficients
mean what they mean elsewhere: y in {0, 1}; `coef` of shape (n_features,) for two classes, or
(n_features, n_classes) for one-vs-all, with `intercept` a number or of shape (n_classes,).
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "cost",
    "cost_gradient",
    "gradient_descent",
    "hessian",
    "log1p_exp",
    "log_sigmoid",
    "logit",
    "newton",
    "one_vs_all",
    "predict_proba",
    "raw_prediction",
    "sigmoid",
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
    # The probability of the true label is h(margin): log h is never formed, and h - y of a row
    # that is predicted well keeps all its digits.
    fixed = 0.0 if offset is None else np.asarray(offset, dtype=np.float64)
    margin = sign * (raw_prediction(X, coef, intercept) + fixed)
    residual = share * (-sign * sigmoid(-margin))
    slopes = np.asarray(l2_reg, dtype=np.float64) * coef
    value = float(share @ log1p_exp(-margin) + 0.5 * (slopes @ coef))
    return value, X.T @ residual + slopes, float(residual.sum())


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
        bend = hessian(centred, point[:-1], point[-1], l2_reg, sample_weight, offset)
        return value, np.append(slope, last), bend

    start = np.append(np.zeros(X.shape[1]), 0.0 if intercept is None else intercept)
    point, value = _newton_descent(derivatives, start, X.shape[1] + fitted)
    return point[:-1], float(point[-1] - center @ point[:-1]), value


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


def _shares(n_samples: int, sample_weight: ArrayLike | None) -> Floats:
    """Each row's part of the mean; they sum to 1."""
    if sample_weight is None:
        return np.full(n_samples, 1.0 / n_samples)
    weight = np.asarray(sample_weight, dtype=np.float64)
    return np.asarray(weight / weight.sum())


def _newton_descent(derivatives: Any, point: Floats, n_free: int) -> tuple[Floats, float]:
    """Step until the decrement, twice what is missing, has become the least that it can."""
    best, least, waited = point, np.inf, 0
    value, slope, bend = derivatives(point)
    lowest = value
    for _ in range(NEWTON_STEPS):
        step = np.zeros_like(point)
        step[:n_free] = _solve(bend[:n_free, :n_free], -slope[:n_free])
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
        value, slope, bend = new
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
