"""What estimates are like where columns are no small share of the rows: four equations.

With n rows of p normal columns, p / n = kappa, the estimates of a logistic regression are those of
``mu * coef`` plus noise, ``sqrt(n) tau_j (estimate_j - mu coef_j) ~ N(0, sigma^2)``, tau_j^2 being
the variance of a column given the others (Sur and Candes, 2019, PNAS 116; Zhao, Sur and Candes,
2022, Bernoulli 28). The same holds with labels drawn towards 1/2 by a Diaconis-Ylvisaker prior of
strength alpha, ``alpha y + (1 - alpha) / 2`` in the place of y, where the maximum always exists
(Sterzinger and Kosmidis, 2023, arXiv 2311.07419); alpha = 1 is maximum likelihood.

A raw prediction by the fit to all other rows is ``level + mu gamma Z + sqrt(kappa) sigma G``, where
the true one is ``theta + gamma Z``; the fit to all rows takes it to the proximal point of the row's
loss, b being the step. Then the mean residual is 0, uncorrelated with Z, of mean square
``kappa^2 sigma^2 / b^2``, and the mean of 1 / (1 + b * curvature) is 1 - kappa. Where rows tell how
their predictions by other rows are spread, the equations say how strong the signal is (SLOE:
Yadlowsky, Yun, McLean and D'Amour, 2021, NeurIPS).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import numpy as np
from scipy import optimize, special

from ..arrays import Floats, Vector

__all__ = ["State", "prox", "state_of_rows", "state_of_signal"]

# Nodes of two Gauss-Hermite rules, of the signal and of the noise: the proximal point bends within
# 1 / b of the noise. Those of smaller shares are left out.
NODES, FINE_NODES, LEAST_SHARE = 60, 160, 1e-18
# Equations hold to this; root finding may end with less where there is no root.
RESIDUAL = 1e-8
# A signal that no rows tell from none: the least one that is solved for.
WEAK = 0.01
PROX_STEPS, PROX_EXACT = 60, 1e-13
# Shares of the columns that are solved for one after the other: at once, else step by step.
STEPS = ((1.0,), (0.3, 0.6, 1.0), tuple(np.linspace(0.1, 1.0, 10).tolist()))


class State(NamedTuple):
    """A solution of the equations.

    Attributes
    ----------
    mu : float
        What coefficients are multiplied by: above 1 with maximum likelihood.
    sigma : float
        Their noise, see above.
    b : float
        The step of the proximal point. Twice a log-likelihood ratio of q columns without effect is
        chi-squared with q degrees of freedom times ``kappa * sigma**2 / b``.
    gamma : float
        Signal strength: the standard deviation of the true raw prediction.
    theta, level : float
        Intercepts: the true one of centred columns, and that of the fit.
    """

    mu: float
    sigma: float
    b: float
    gamma: float
    theta: float
    level: float


def state_of_signal(
    kappa: float, gamma: float, alpha: float = 1.0, theta: float | None = None
) -> State | None:
    """Return the state for a known signal; None where there is none, as beyond separation.

    Parameters
    ----------
    kappa : float between 0 and 1
        Columns over rows.
    gamma : float >= 0
        Signal strength.
    alpha : float above 0, up to 1
        Strength of the labels.
    theta : float, optional
        The true intercept; None for a model without one.
    """

    def state(free: Vector) -> State:
        sigma, b = np.exp(free[1:3])
        level = 0.0 if theta is None else float(free[3])
        return State(float(free[0]), float(sigma), float(b), gamma, theta or 0.0, level)

    start = np.array([1.0, 0.0, 0.0, theta or 0.0])
    return _solved(state, kappa, alpha, start if theta is not None else start[:3])


def state_of_rows(
    kappa: float, level: float | None, alpha: float, *, spread: float, agreement: float
) -> State | None:
    """Return the state for known moments of rows' predictions by the fits to all other rows.

    With maximum likelihood their spread tells the signal; with labels that are drawn towards 1/2
    it hardly grows with the signal, and what tells is how they agree with the labels.

    Parameters
    ----------
    kappa : float between 0 and 1
    level : float or None
        Their mean; None for a model without an intercept.
    alpha : float above 0, up to 1
    spread : float > 0
        Their standard deviation: ``sqrt(mu^2 gamma^2 + kappa sigma^2)``.
    agreement : float
        Their covariance with the labels, 0 and 1: ``mu gamma E[Z sigmoid(theta + gamma Z)]``.
    """
    start = np.array([0.0] * 3 + [0.0 if level is None else level] * (level is not None) + [0.0])

    def state(free: Vector) -> State:
        (sigma, b), gamma = np.exp(free[1:3]), float(np.exp(free[-1]))
        theta = 0.0 if level is None else float(free[3])
        return State(float(free[0]), float(sigma), float(b), gamma, theta, level or 0.0)

    def weak(free: Vector) -> State:
        return state(np.append(free, np.log(WEAK)))

    def moment(found: State, share: float) -> float:
        if alpha == 1.0:
            # Products: a power of a number of a search gone astray raises, a product is infinite.
            signal, noise = found.mu * found.gamma / spread, found.sigma / spread
            return signal * signal + share * noise * noise - 1.0
        nodes, shares = _rule(NODES)
        second = special.expit(found.theta + found.gamma * nodes)
        return found.mu * found.gamma * float((shares * nodes * second).sum()) / agreement - 1.0

    if alpha == 1.0 or agreement > 0.0:
        found = _solved(state, kappa, alpha, start, moment)
        if found is not None:
            return found
    # Rows without a signal: by chance their moments are as often below what no signal has as above.
    found = _solved(weak, kappa, alpha, start[:-1])
    is_weak = found is not None and (agreement <= 0.0 or moment(found, kappa) > 0.0)
    return found if is_weak else None


def prox(b: float, raw: Floats) -> Floats:
    """Return z with ``z + b * sigmoid(z) = raw``: the proximal point of b log(1 + e^z)."""
    low, high = raw - b, raw.copy()
    found = raw - b * special.expit(raw - 0.5 * b)
    found = np.clip(found, low, high)
    for _ in range(PROX_STEPS):
        proba = special.expit(found)
        lacks = found + b * proba - raw
        low, high = np.where(lacks < 0.0, found, low), np.where(lacks > 0.0, found, high)
        following = found - lacks / (1.0 + b * proba * (1.0 - proba))
        outside = (following < low) | (following > high)
        following = np.where(outside, 0.5 * (low + high), following)
        change = np.abs(following - found).max()
        found = following
        if change <= PROX_EXACT * (1.0 + b):
            break
    return np.asarray(found)


def _solved(
    state: Callable[[Vector], State], kappa: float, alpha: float, start: Vector,
    moment: Callable[[State, float], float] | None = None,
) -> State | None:  # fmt: skip
    """Return the state where the equations hold, from that of few columns to more and more.

    `start` has the parameters beyond mu, log sigma and log b.
    """
    for shares in STEPS:
        few = shares[0] * min(kappa, 0.9)
        # Of few columns labels that are drawn make mu, and the noise with it, alpha or less.
        sigma, b = alpha * 2.3 / np.sqrt(1.0 - few), 6.0 * few / (1.0 - few)
        free = np.array([alpha, np.log(sigma), np.log(b), *start[3:]])
        for share in shares:
            found = _root(state, share * kappa, alpha, free, moment)
            if found is None:
                break
            free = found
        else:
            return state(free)
    return None


def _root(
    state: Callable[[Vector], State], kappa: float, alpha: float, start: Vector,
    moment: Callable[[State, float], float] | None,
) -> Vector | None:  # fmt: skip
    n_others = start.size - (moment is not None)

    def equations(free: Vector) -> Vector:
        found = state(free)
        lacks = _equations(found, kappa, alpha)[:n_others]
        return lacks if moment is None else np.append(lacks, moment(found, kappa))

    with np.errstate(over="ignore", invalid="ignore"):
        found = optimize.root(equations, start, method="hybr", options={"maxfev": 400})
    good = np.isfinite(found.x).all() and np.abs(found.fun).max() < RESIDUAL and found.x[0] > 0.0
    return found.x if good else None


@cache
def _rule(n_nodes: int) -> tuple[Vector, Vector]:
    """Return nodes and shares of a Gauss-Hermite rule for a standard normal variable."""
    nodes, shares = np.polynomial.hermite_e.hermegauss(n_nodes)
    kept = shares > LEAST_SHARE * shares.max()
    return nodes[kept], shares[kept] / shares[kept].sum()


def _equations(state: State, kappa: float, alpha: float) -> Vector:
    """Return what the four equations lack; the last is that of the intercept."""
    (nodes, shares), (fine, of_fine) = _rule(NODES), _rule(FINE_NODES)
    signal, noise = nodes[:, None], fine[None, :]
    raw = state.level + state.mu * state.gamma * signal + np.sqrt(kappa) * state.sigma * noise
    second = special.expit(state.theta + state.gamma * signal)
    sums = np.zeros(4)
    for target, chance in ((0.5 + 0.5 * alpha, second), (0.5 - 0.5 * alpha, 1.0 - second)):
        share = shares[:, None] * of_fine * chance
        fitted = special.expit(prox(state.b, raw + state.b * target))
        residual = target - fitted
        curved = fitted * (1.0 - fitted)
        sums += [
            float((share * residual * signal).sum()),
            float((share * residual**2).sum()),
            float((share / (1.0 + state.b * curved)).sum()),
            float((share * residual).sum()),
        ]
    size = (state.b / (kappa * state.sigma)) ** 2
    return np.array([sums[0], sums[1] * size - 1.0, (sums[2] - 1.0 + kappa) / kappa, sums[3]])
