"""Probit, complementary log-log and ordered classes."""

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from .common import Floats, raw_prediction, shares_of, solve


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
    shares = shares_of(len(y), sample_weight)
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
    shares, theta = shares_of(len(y), sample_weight), np.zeros(Z.shape[1])
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
        theta = theta - solve((Z.T * (shares * curvature)) @ Z, Z.T @ (shares * slope))
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
    return float(-shares_of(len(y), sample_weight) @ np.log(proba))
