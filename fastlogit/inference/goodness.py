"""Tests of a whole model of two classes: Hosmer and Lemeshow's, and that of the link."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..arrays import Vector
from ..elementwise import sigmoid
from .calibration import Outcomes, groups_of, totals_of
from .distributions import chi2_tail, two_sided
from .few_columns import fit_few_columns
from .frames import as_frame

__all__ = ["HosmerLemeshow", "LinkTest", "hosmer_lemeshow", "link_test"]

# The test spends two of its groups on the fit.
SPENT = 2


@dataclass(frozen=True, eq=False)
class HosmerLemeshow:
    """Hosmer and Lemeshow's goodness-of-fit test (1980, Communications in Statistics A9).

    Attributes
    ----------
    statistic : float
        The sum of (observed - expected)^2 / (expected (1 - expected / n)) over the groups.
    df : int
        Groups less 2.
    p_value : float
        Small where the model does not fit.
    low, high : ndarray of shape (n_groups,)
        Least and largest probability of each group.
    count, observed, expected : ndarray of shape (n_groups,)
        Observations, events, and the sum of the probabilities.
    """

    statistic: float
    df: int
    p_value: float
    low: Vector
    high: Vector
    count: Vector
    observed: Vector
    expected: Vector

    def to_frame(self) -> object:
        """Return the groups as a pandas data frame."""
        names = ("low", "high", "count", "observed", "expected")
        columns = {name: getattr(self, name) for name in names}
        return as_frame(columns, np.arange(len(self.count)), "group")

    def __str__(self) -> str:
        """Return one line."""
        return (
            f"Hosmer-Lemeshow test, {len(self.count)} groups: chi2({self.df}) = "
            f"{self.statistic:.4f}, p = {self.p_value:.4g}"
        )

    __repr__ = __str__


def hosmer_lemeshow(outcomes: Outcomes, n_groups: int) -> HosmerLemeshow:
    """Return the test.

    Raises
    ------
    ValueError
        If weights are no counts, or equal probabilities leave fewer than three groups.
    """
    if not outcomes.weights.is_frequency:
        raise ValueError(
            "the Hosmer-Lemeshow test counts observations; with weights="
            f"{outcomes.weights.kind!r} there is none, see calibration()"
        )
    probability, weight = outcomes.probability, outcomes.counts
    groups = groups_of(probability, weight, n_groups)
    count = totals_of(groups, weight)
    if len(count) <= SPENT:
        raise ValueError(
            f"the probabilities make {len(count)} groups, since equal ones stay together; the "
            "Hosmer-Lemeshow test takes at least 3: the model has too few different rows for it"
        )
    observed = totals_of(groups, weight * outcomes.events)
    expected = totals_of(groups, weight * probability)
    order = np.argsort(groups, kind="stable")
    bounds = np.searchsorted(groups[order], np.arange(len(count)))
    low = np.minimum.reduceat(probability[order], bounds)
    high = np.maximum.reduceat(probability[order], bounds)
    rest = totals_of(groups, weight * sigmoid(-outcomes.linear_predictor))
    squares, variance = np.square(observed - expected), expected * rest / count
    # A group whose probabilities are all 0 or 1 in float64 is as expected, or cannot be.
    parts = np.where(squares > 0.0, np.inf, 0.0)
    statistic = float(np.divide(squares, variance, out=parts, where=variance > 0.0).sum())
    df = len(count) - SPENT
    return HosmerLemeshow(
        statistic, df, chi2_tail(statistic, df), low, high, count, observed, expected
    )


@dataclass(frozen=True, eq=False)
class LinkTest:
    """Pregibon's link test (1980, Applied Statistics 29): Stata's linktest.

    Of a logistic regression on the linear predictor and its square: where the square has a
    coefficient, the log-odds are not linear in the columns, or columns are missing.

    Attributes
    ----------
    coef, standard_errors, statistics, p_values : ndarray of shape (3,)
        Of the intercept, the linear predictor and its square.
    """

    coef: Vector
    standard_errors: Vector
    statistics: Vector
    p_values: Vector

    @property
    def p_value(self) -> float:
        """Of the square: small where the model does not fit."""
        return float(self.p_values[2])

    def to_frame(self) -> object:
        """Return the three coefficients as a pandas data frame."""
        columns = {
            "coef": self.coef, "std_error": self.standard_errors, "statistic": self.statistics,
            "p_value": self.p_values,
        }  # fmt: skip
        return as_frame(columns, ["intercept", "linear_predictor", "square"], "term")

    def __str__(self) -> str:
        """Return one line."""
        return (
            f"link test: the square of the linear predictor has {self.coef[2]:.4f} "
            f"({self.standard_errors[2]:.4f}), z = {self.statistics[2]:.3f}, p = {self.p_value:.4g}"
        )

    __repr__ = __str__


def link_test(outcomes: Outcomes) -> LinkTest:
    """Return the test.

    Raises
    ------
    ValueError
        If the linear predictor takes two values only.
    """
    eta = outcomes.linear_predictor
    center, spread = float(eta.mean()), float(eta.std())
    if not spread > 1e-12 * (abs(center) + 1.0):
        raise ValueError("the model predicts the same for all rows: there is no link to test")
    # Of the standardised predictor, which its square is not nearly a combination of.
    scaled = (eta - center) / spread
    columns = np.stack([np.ones_like(eta), scaled, np.square(scaled)])
    rest = columns[2] - np.linalg.lstsq(columns[:2].T, columns[2])[0] @ columns[:2]
    if float(np.abs(rest).max()) < 1e-9:
        raise ValueError("the model predicts two values only: there is no link to test")
    start = np.array([center, spread, 0.0])
    found, covariance = fit_few_columns(columns, outcomes.events, outcomes.weights, 0.0, start)
    share = center / spread
    turn = np.array([
        [1.0, -share, share * share],
        [0.0, 1.0 / spread, -2.0 * share / spread],
        [0.0, 0.0, 1.0 / spread**2],
    ])  # fmt: skip
    coef = turn @ found
    errors = np.sqrt(np.diag(turn @ covariance @ turn.T))
    return LinkTest(coef, errors, coef / errors, two_sided(coef / errors, None))
