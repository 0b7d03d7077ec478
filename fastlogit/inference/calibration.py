"""Calibration: whether probabilities mean what they say, of a fit's rows or of new ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..arrays import ArrayLike, Indices, Mask, Vector
from ..elementwise import logit, sigmoid
from ..inputs.conversion import as_labels, as_numbers
from ..inputs.values import show
from ..options import check_whole
from .distributions import quantile
from .estimates import LEVEL
from .few_columns import fit_few_columns
from .frames import as_frame
from .row_weights import RowWeights, weights_by_name

__all__ = ["Calibration", "Outcomes", "calibration", "calibration_of", "groups_of", "totals_of"]

# A probability of 0 or 1, which has no log-odds, counts as so much away from it: half a unit in the
# last place of 1.
SURE = 2.0**-53


class Outcomes(NamedTuple):
    """Predictions of rows with weight, and whether the event took place."""

    linear_predictor: Vector
    events: Mask
    weights: RowWeights

    @classmethod
    def of(cls, linear_predictor: Vector, events: Mask, weights: RowWeights) -> Outcomes:
        """Return those of the rows whose weight is not 0."""
        used = weights.values > 0.0
        if not weights.values.size or used.all():
            return cls(linear_predictor, events, weights)
        kept = weights._replace(values=weights.values[used])
        return cls(linear_predictor[used], events[used], kept)

    @property
    def probability(self) -> Vector:
        """Of the event."""
        return sigmoid(self.linear_predictor)

    @property
    def counts(self) -> Vector:
        """The weight of each row, 1 where there are none."""
        return self.weights.values if self.weights.values.size else np.ones(self.events.size)


@dataclass(frozen=True, eq=False)
class Calibration:
    """How predicted probabilities agree with what happened.

    Attributes
    ----------
    intercept, intercept_error : float
        Calibration in the large, and its standard error: the intercept of a logistic regression
        with the log-odds of the predictions as an offset (Cox, 1958, Biometrika 45). Above 0 events
        are more often than predicted.
    slope, slope_error : float
        The coefficient of these log-odds in a logistic regression with an intercept. Below 1
        predictions are too extreme, as those of an overfitted model on new rows.
    brier : float
        Mean squared difference of events and probabilities (Brier, 1950).
    brier_of_mean : float
        The same of one probability for all, the share of events; brier / brier_of_mean is below 1
        for predictions that are better than that.
    predicted, observed : ndarray of shape (n_bins,)
        The curve: mean probability and share of events of each bin, bins of about as many rows.
    low, high : ndarray of shape (n_bins,)
        Wilson's (1927) interval of the share, of level 0.95.
    count : ndarray of shape (n_bins,)
        Observations; the sum of the weights.
    probability, sample_weight : ndarray of shape (n_samples,)
        The predictions, and the weight of each; 1 for none.
    """

    intercept: float
    intercept_error: float
    slope: float
    slope_error: float
    brier: float
    brier_of_mean: float
    predicted: Vector
    observed: Vector
    low: Vector
    high: Vector
    count: Vector
    probability: Vector
    sample_weight: Vector

    def to_frame(self) -> object:
        """Return the curve as a pandas data frame, a row for each bin."""
        columns = {
            name: getattr(self, name) for name in ("predicted", "observed", "low", "high", "count")
        }
        return as_frame(columns, np.arange(len(self.count)), "bin")

    def __str__(self) -> str:
        """Return three lines."""
        return (
            f"calibration intercept {self.intercept:.4f} ({self.intercept_error:.4f})\n"
            f"calibration slope     {self.slope:.4f} ({self.slope_error:.4f})\n"
            f"Brier score           {self.brier:.4f} ({self.brier_of_mean:.4f} of the mean)"
        )

    def __repr__(self) -> str:
        """Return one line."""
        return (
            f"Calibration(intercept {self.intercept:.4g}, slope {self.slope:.4g}, Brier "
            f"{self.brier:.4g}, {len(self.count)} bins)"
        )


def calibration(
    y: ArrayLike,
    proba: ArrayLike,
    *,
    sample_weight: ArrayLike = None,
    weights: str | None = None,
    n_bins: int = 10,
) -> Calibration:
    """Return how predicted probabilities agree with labels: of any model, best on new rows.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        Labels of two classes; the event is the second one in sorted order.
    proba : array-like of shape (n_samples,) or (n_samples, 2)
        Probability of the event; of two columns the second. 0 and 1 count as 2^-53 away from it.
    sample_weight : array-like of shape (n_samples,), optional
    weights : {"frequency", "probability", "analytic"}, optional
        What the weights are, as in `infer`.
    n_bins : int, default 10
        Bins of the curve.

    Returns
    -------
    Calibration

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type, shape or value; or the predictions tell the classes
        apart, so that there is no slope.

    Examples
    --------
    >>> from fastlogit import calibration
    >>> y = [0, 1, 0, 1, 1, 0, 1, 0]
    >>> found = calibration(y, [0.1, 0.8, 0.3, 0.4, 0.9, 0.5, 0.7, 0.2], n_bins=2)
    >>> round(found.brier, 4), found.observed.tolist()
    (0.1112, [0.25, 0.75])
    """
    labels = as_labels(y)
    classes, codes = np.unique(labels, return_inverse=True)
    if labels.ndim != 1 or len(classes) != 2:
        raise ValueError(
            f"y must be labels of two classes, found {len(classes)} in shape {labels.shape}"
        )
    events = codes.reshape(-1) == 1
    probability = _probabilities(proba, events.size)
    given = np.empty(0)
    if sample_weight is not None:
        given = _checked_weights(sample_weight, events.size)
    outcomes = Outcomes.of(
        np.asarray(logit(probability)), events, weights_by_name(given, weights, events.size)
    )
    return calibration_of(outcomes, check_whole("n_bins", n_bins, low=1))


def _probabilities(proba: ArrayLike, n_samples: int) -> Vector:
    found = np.asarray(as_numbers("proba", proba), dtype=np.float64)
    if found.ndim == 2 and found.shape[1] == 2:
        found = found[:, 1]
    if found.shape != (n_samples,):
        raise ValueError(
            f"proba must have a probability for each of the {n_samples} labels, found shape "
            f"{found.shape}"
        )
    inside = (found >= 0.0) & (found <= 1.0)
    if not inside.all():
        row = int(np.argmin(inside))
        raise ValueError(
            f"proba is {show(found[row])} in row {row}; probabilities are between 0 and 1"
        )
    return np.clip(found, SURE, 1.0 - SURE)


def _checked_weights(sample_weight: ArrayLike, n_samples: int) -> Vector:
    found = np.asarray(as_numbers("sample_weight", sample_weight), dtype=np.float64)
    if found.shape != (n_samples,):
        raise ValueError(
            f"sample_weight must have one number for each of the {n_samples} rows, found shape "
            f"{found.shape}"
        )
    fine = np.isfinite(found) & (found >= 0.0)
    if not fine.all():
        row = int(np.argmin(fine))
        raise ValueError(f"sample_weight is {show(found[row])} in row {row}; give numbers >= 0")
    if not found.any():
        raise ValueError("sample_weight is 0 in every row")
    return found


def calibration_of(outcomes: Outcomes, n_bins: int) -> Calibration:
    """Return the calibration of predictions.

    Raises
    ------
    ValueError
        If the predictions tell the classes apart.
    """
    eta, events, weights = outcomes
    ones, weight, probability = np.ones((1, eta.size)), outcomes.counts, outcomes.probability
    level, level_covariance = fit_few_columns(ones, events, weights, eta, np.zeros(1))
    slope, slope_covariance = fit_few_columns(
        np.concatenate([ones, eta[None]]), events, weights, 0.0, np.array([0.0, 1.0])
    )
    total, share = float(weight.sum()), float(np.average(events, weights=weight))
    groups = groups_of(probability, weight, n_bins)
    count = totals_of(groups, weight)
    predicted = totals_of(groups, weight * probability) / count
    observed = totals_of(groups, weight * events) / count
    # Kish's effective number, where a row is one observation, whatever its sampling weight.
    size = count if weights.has_likelihood else count**2 / totals_of(groups, weight**2)
    low, high = wilson(observed, size)
    return Calibration(
        intercept=float(level[0]),
        intercept_error=float(np.sqrt(level_covariance[0, 0])),
        slope=float(slope[1]),
        slope_error=float(np.sqrt(slope_covariance[1, 1])),
        brier=float(weight @ np.square(events - probability)) / total,
        brier_of_mean=share * (1.0 - share),
        predicted=predicted,
        observed=observed,
        low=low,
        high=high,
        count=count,
        probability=probability,
        sample_weight=weight,
    )


def groups_of(values: Vector, weight: Vector, n_groups: int) -> Indices:
    """Return for each row its group, by size of its value: groups of about the same weight.

    Group g ends with the first value at which the rows up to it have g / n_groups of the weight
    (that of Hosmer and Lemeshow, and of Stata); rows of equal values are in one group, and groups
    without rows are left out.
    """
    order = np.argsort(values, kind="stable")
    ordered, running = values[order], np.cumsum(weight[order])
    wanted = running[-1] * np.arange(1, n_groups) / n_groups
    # Sums of weights are right to rounding only.
    ends = np.minimum(np.searchsorted(running, wanted * (1.0 - 1e-12)), values.size - 1)
    groups = np.searchsorted(np.unique(ordered[ends]), values, side="left")
    return np.unique(groups, return_inverse=True)[1].reshape(-1)


def totals_of(groups: Indices, values: Vector) -> Vector:
    """Return the sum of the values of each group, (n_groups,)."""
    return np.asarray(np.bincount(groups, values), dtype=np.float64)


def wilson(share: Vector, size: Vector) -> tuple[Vector, Vector]:
    """Return Wilson's interval of shares of so many observations."""
    z = float(quantile(LEVEL, None))
    middle = (share + z * z / (2.0 * size)) / (1.0 + z * z / size)
    inside = share * (1.0 - share) / size + z * z / (4.0 * size * size)
    half = z * np.sqrt(inside) / (1.0 + z * z / size)
    return np.maximum(middle - half, 0.0), np.minimum(middle + half, 1.0)
