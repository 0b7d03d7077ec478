"""What the likelihood says of a model as a whole: against no slopes, and per parameter."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..arrays import Floats, Vector
from ..objective.links import LinkLoss
from .optimum import Optimum

__all__ = ["Likelihood", "likelihood_of"]


@dataclass(frozen=True)
class Likelihood:
    """Log-likelihood of a model and of the one without slopes, and what follows from them.

    Labels are single events, whose saturated likelihood is 1: a deviance is -2 log-likelihood.
    With sampling weights, and of shares that are no counts, these are pseudo-likelihoods, and an
    estimate of reduced bias does not maximise its likelihood: `aic` and `bic` are then NaN.

    Attributes
    ----------
    log_likelihood, null_log_likelihood : float
        Of the model, and of intercept and offset alone; an intercept that is not fitted is held at
        its number, or 0, in both.
    n_samples : float
        Observations: rows of weight above 0, or their frequencies.
    n_parameters : int
        Coefficients, intercepts counted.
    n_slopes : int
        Those that the null model does not have.
    pearson_chi2 : float
        The sum of squared residuals over their variances.
    tjur : float
        Tjur's coefficient of discrimination (2009): mean probability of the second class among its
        rows, less that among the others; NaN for more than two classes.
    is_likelihood : bool
        False for sampling weights, and for shares that are no counts.
    is_maximum : bool
        False for an estimate of reduced bias.
    """

    log_likelihood: float
    null_log_likelihood: float
    n_samples: float
    n_parameters: int
    n_slopes: int
    pearson_chi2: float
    tjur: float
    is_likelihood: bool = True
    is_maximum: bool = True

    @property
    def deviance(self) -> float:
        """-2 log-likelihood."""
        return -2.0 * self.log_likelihood

    @property
    def null_deviance(self) -> float:
        """-2 log-likelihood of the model without slopes."""
        return -2.0 * self.null_log_likelihood

    @property
    def df_residual(self) -> float:
        """Observations less parameters."""
        return self.n_samples - self.n_parameters

    @property
    def aic(self) -> float:
        """Akaike's information criterion: deviance + 2 k."""
        return self._criterion(2.0)

    @property
    def bic(self) -> float:
        """Schwarz's information criterion: deviance + k log n."""
        return self._criterion(float(np.log(self.n_samples)))

    def _criterion(self, charge: float) -> float:
        """Return the deviance and a charge for each parameter, which is of a maximum."""
        has_one = self.is_likelihood and self.is_maximum
        return self.deviance + charge * self.n_parameters if has_one else np.nan

    @property
    def mcfadden(self) -> float:
        """McFadden's pseudo-R^2 (1974): 1 - log-likelihood / null log-likelihood."""
        return 1.0 - self.log_likelihood / self.null_log_likelihood

    @property
    def cox_snell(self) -> float:
        """Cox and Snell's pseudo-R^2 (1989): 1 - (null likelihood / likelihood)^(2 / n)."""
        change = self.null_log_likelihood - self.log_likelihood
        return float(-np.expm1(2.0 * change / self.n_samples))

    @property
    def nagelkerke(self) -> float:
        """Nagelkerke's pseudo-R^2 (1991): Cox and Snell's over the largest that it can be."""
        return float(self.cox_snell / -np.expm1(2.0 * self.null_log_likelihood / self.n_samples))


def likelihood_of(optimum: Optimum) -> Likelihood:
    """Return the likelihood of a model: no pass over X."""
    objective = optimum.objective
    total, rows = optimum.total_weight, objective.rows
    n_outputs, n_features = objective.n_outputs, objective.design.shape[1]
    if objective.fit_intercept:
        levels = rows.split(objective.loss.start(rows)[0])[1]
    else:
        levels = optimum.held_intercept
    null = rows.level_cost(0, np.ascontiguousarray(levels))
    n_models = max(1, n_outputs - 1)
    return Likelihood(
        log_likelihood=-total * optimum.point.cost,
        null_log_likelihood=-total * null,
        n_samples=optimum.weights.n_samples,
        n_parameters=n_models * (n_features + objective.fit_intercept),
        n_slopes=n_models * n_features,
        pearson_chi2=optimum.added_up(_pearson),
        tjur=_tjur(optimum) if n_outputs == 1 else np.nan,
        is_likelihood=optimum.weights.has_likelihood,
    )


def _pearson(optimum: Optimum) -> float:
    """Return the sum of (w r)^2 / (w v), v being p (1 - p), or p of each class of a softmax."""
    residuals: Floats = optimum.residuals
    values: Floats = optimum.point.curvature.values.reshape(residuals.shape)
    if isinstance(optimum.objective.loss, LinkLoss):
        values, residuals = _variances(optimum)
    squares = np.square(residuals)
    shares, weights = optimum.objective.rows.shares, optimum.weights
    if shares is not None and not weights.is_quasi and weights.values.size:
        # Of single events: their share has less, by what they differ within a row.
        squares += np.square(weights.values) * shares * (1.0 - shares)
    return float(np.divide(squares, values, out=squares, where=values > 0.0).sum())


def _tjur(optimum: Optimum) -> float:
    """Return 1 - mean residual of the first class - mean size of that of the second.

    Residuals, p - y, are negative for rows of the second class and positive for those of the first.
    """
    rows = optimum.objective.rows
    of_class, of_rest = rows.weights_of_class(0)
    if rows.shares is not None:
        return _tjur_of_shares(optimum, rows.shares)
    above, total = optimum.added_up(_residuals_above)
    return 1.0 - (above - total) / of_class - above / of_rest


def _residuals_above(optimum: Optimum) -> tuple[float, float]:
    """Return the sum of the positive residuals, and that of all."""
    residual = optimum.residuals[0]
    if isinstance(optimum.objective.loss, LinkLoss):
        residual = _variances(optimum)[1]
    return float(np.maximum(residual, 0.0).sum()), float(residual.sum())


def _probabilities(optimum: Optimum) -> Vector:
    """Return each row's probability of the second class: a pass."""
    rows = optimum.objective.rows
    raw, offset = rows.raw_predictions(optimum.theta)[0], rows.offset_of(0)
    if offset is not None:
        raw += offset
    if isinstance(rows.loss, LinkLoss):
        return rows.loss.probabilities(raw)[:, 1]
    weights = rows.weights_of(0)
    residual = optimum.residuals[0]
    ones = np.ones(residual.size) if weights is None else weights
    own = np.divide(residual, ones, out=np.zeros_like(residual), where=ones > 0.0)
    return np.asarray(own + rows.shares_of(0))


def _variances(optimum: Optimum) -> tuple[Vector, Vector]:
    """Return w p (1 - p) and w (p - y) of each row, of any link."""
    rows, proba = optimum.objective.rows, _probabilities(optimum)
    weights = rows.weights_of(0)
    ones = np.ones(proba.size) if weights is None else weights
    return ones * proba * (1.0 - proba), ones * (proba - rows.shares_of(0))


def _tjur_of_shares(optimum: Optimum, shares: Vector) -> float:
    """Return the difference of the mean probabilities, each row on both sides by its shares."""
    weights, proba = optimum.objective.rows.weights_of(0), _probabilities(optimum)
    own = shares if weights is None else weights * shares
    rest = 1.0 - shares if weights is None else weights * (1.0 - shares)
    return float(own @ proba / own.sum() - rest @ proba / rest.sum())
