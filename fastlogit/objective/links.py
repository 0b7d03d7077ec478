"""Binary models whose probability is another function of the raw prediction than the logistic one.

The probability of the second class at a raw prediction z is Phi(z) for a probit model, and
1 - exp(-exp(z)) for a complementary log-log model (of proportional hazards in grouped time). Minus
their logarithms, and those of the complements, are convex (Pratt, 1981, Journal of the American
Statistical Association 76), and their derivatives here are of the observed information.

Neither loss is self-concordant everywhere: far out on the side of its class the second derivative
of a probit loss falls as exp(-z^2 / 2). But |l'''| <= M l'' within any interval, with an M that is
proven for both, so that certificates hold for a point and what is near it:

- probit, margin t: with E the excess of a normal variable above -t, l'' = l' (l' - t) and
  l''' / l'' = Var(E) / mean(E) - mean(E). A log-concave E has Var(E) <= mean(E)^2, so that the
  ratio is between -mean(E) and 0, and mean(E) = t + phi(t) / Phi(t) rises with t.
- complementary log-log, with m = exp(z) and B = m / (exp(m) - 1): of a row of the first class
  l''' = l'' = m. Of the second l'' = B (B + m - 1) and
  l''' / l'' = m / (B + m - 1) - (2 B + m - 1), which is at least 2 - 2 B - m >= -m since B <= 1,
  and at most 1 since (2 B + m - 2) (B + m) >= 0, as B >= 1 - m / 2.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

import numpy as np
from scipy import special

from ..arrays import Cube, Floats, Mask, Matrix, Vector
from .levels import with_offsets
from .losses import RowLoss

if TYPE_CHECKING:
    from .labelled_rows import LabelledRows

__all__ = ["LINKS", "CLogLog", "LinkLoss", "Probit", "link_loss"]

ROOT_TWO = float(np.sqrt(2.0))
ROOT_TWO_OVER_PI = float(np.sqrt(2.0 / np.pi))
# Below this margin the excess of a normal variable is a continued fraction of so many terms, which
# leaves nothing in float64; above, a difference that loses a digit and a half at the most.
FRACTION_BELOW, FRACTION_TERMS = -5.0, 40
# exp(-exp(z)) is 0 from here on, and z * exp(-z) too.
NOTHING_LEFT = 709.0
# Steps for the intercept of a model without slopes.
LEVEL_STEPS, LEVEL_DIGITS = 100, 1e-14


class LinkLoss(RowLoss):
    """Minus the log-likelihood of a row whose probability is a function of its raw prediction.

    Attributes
    ----------
    link : str
    title : str
        What a model of it is called.
    """

    link: str
    title: str
    is_separable = True
    is_local = True
    in_row_space = False

    @abstractmethod
    def log_probabilities(self, raw: Vector) -> tuple[Vector, Vector]:
        """Return the logarithms of the probabilities of the first and of the second class."""

    @abstractmethod
    def inverse(self, share: float) -> float:
        """Return the raw prediction at which the second class has a probability."""

    @abstractmethod
    def slopes(self, raw: Vector) -> tuple[Vector, Vector]:
        """Return the first two derivatives of the probability of the second class."""

    def probabilities(self, raw: Floats) -> Matrix:
        """Return the probabilities of both classes, (n_samples, 2)."""
        first, second = self.log_probabilities(raw)
        return np.column_stack([np.exp(first), np.exp(second)])

    def start(self, rows: LabelledRows) -> Matrix:
        """Return theta without slopes of the least mean loss, offsets included."""
        theta = np.zeros((rows.n_models, rows.design.shape[1] + 1))
        for model in range(rows.n_models):
            count, rest = rows.weights_of_class(model)
            theta[model, -1] = self.inverse(count / (count + rest))
        return with_offsets(rows, theta, lambda levels, *_: self._level(rows, float(levels[0])))

    def _level(self, rows: LabelledRows, level: float) -> float:
        """Return the intercept of least loss beside offsets, by Newton's method with halving."""
        at = rows.sums_at_level
        level -= rows.mean_offset()
        cost, slope, curvature = at(level)
        for _ in range(LEVEL_STEPS):
            if not curvature > 0.0:
                break
            step = float(np.clip(-slope / curvature, -1.0, 1.0))
            found = at(level + step)
            while not found[0] <= cost and abs(step) > LEVEL_DIGITS:
                step *= 0.5
                found = at(level + step)
            level, (cost, slope, curvature) = level + step, found
            if abs(step) <= LEVEL_DIGITS * max(1.0, abs(level)):
                break
        return level


class Probit(LinkLoss):
    """The loss ``-log Phi(z)`` of rows of the second class, ``-log Phi(-z)`` of the first."""

    link, title = "probit", "Probit"
    most_curvature = 1.0
    self_concordance = np.inf

    def rows(self, raw: Vector, is_positive: Mask) -> tuple[Vector, Vector, Vector]:
        """Return loss, residual and observed curvature of each row."""
        sign = np.where(is_positive, 1.0, -1.0)
        margin = sign * raw
        slope = inverse_mills(margin)
        return -special.log_ndtr(margin), -sign * slope, slope * excess(margin, slope)

    def log_probabilities(self, raw: Vector) -> tuple[Vector, Vector]:
        """Return log Phi(-z) and log Phi(z)."""
        return special.log_ndtr(-raw), special.log_ndtr(raw)

    def slopes(self, raw: Vector) -> tuple[Vector, Vector]:
        """Return phi(z) and -z phi(z)."""
        with np.errstate(over="ignore"):
            first = np.exp(-0.5 * np.square(raw)) * (0.5 * ROOT_TWO_OVER_PI)
        return first, -raw * first

    def inverse(self, share: float) -> float:
        """Return the quantile of the normal distribution."""
        return float(special.ndtri(share))

    def concordance_near(self, raw: Vector, is_positive: Mask, reach: float) -> float:
        """Return the largest t + phi(t) / Phi(t) of margins that may grow by `reach`."""
        most = np.array([float(np.where(is_positive, raw, -raw).max(initial=-np.inf)) + reach])
        return float(excess(most, inverse_mills(most))[0])

    def residual_size(self, cost: float, n_samples: float = 1.0) -> float:
        """Return a bound on the residuals, whose squares are at most twice the losses."""
        return float(np.sqrt(2.0 * cost))

    def curvature_size(self, cost: float) -> float:
        """Return 1: each curvature is the variance of a truncated normal variable less than 1."""
        return 1.0


class CLogLog(LinkLoss):
    """The loss ``exp(z)`` of rows of the first class, ``-log(1 - exp(-exp(z)))`` of the second."""

    link, title = "cloglog", "Complementary log-log"
    most_curvature = np.inf
    self_concordance = np.inf

    def rows(self, raw: Vector, is_positive: Mask) -> tuple[Vector, Vector, Vector]:
        """Return loss, residual and observed curvature of each row."""
        with np.errstate(over="ignore"):  # infinite, as the loss then is
            rate = np.exp(raw)
        ratio = shrinkage(rate)
        loss = np.where(is_positive, -log_one_minus_exp(raw, rate), rate)
        residual = np.where(is_positive, -ratio, rate)
        return loss, residual, np.where(is_positive, ratio * shrinkage_excess(rate, ratio), rate)

    def log_probabilities(self, raw: Vector) -> tuple[Vector, Vector]:
        """Return -exp(z) and log(1 - exp(-exp(z)))."""
        with np.errstate(over="ignore"):
            rate = np.exp(raw)
        return -rate, log_one_minus_exp(raw, rate)

    def slopes(self, raw: Vector) -> tuple[Vector, Vector]:
        """Return m exp(-m) and (1 - m) m exp(-m), m = exp(z)."""
        with np.errstate(over="ignore"):
            rate = np.exp(raw)
        first = np.exp(raw - rate)
        return first, (1.0 - np.minimum(rate, NOTHING_LEFT)) * first

    def inverse(self, share: float) -> float:
        """Return log(-log(1 - share))."""
        return float(np.log(-np.log1p(-share)))

    def concordance_near(self, raw: Vector, is_positive: Mask, reach: float) -> float:
        """Return the largest exp(z) of rows of the second class, at least 1."""
        most = float(raw.max(initial=-np.inf, where=is_positive)) + reach
        with np.errstate(over="ignore"):
            return max(1.0, float(np.exp(most)))

    def residual_size(self, cost: float, n_samples: float = 1.0) -> float:
        """Return a bound: residuals are at most 1, or the loss, whose squares n of them bound."""
        return float(np.sqrt(1.0 + n_samples * cost * cost))

    def curvature_size(self, cost: float) -> float:
        """Return a bound: curvatures are at most 1, or the loss."""
        return float(np.sqrt(1.0 + cost))

    def curvature_within(self, cost: float, change: float) -> float:
        """Return a bound on the mean curvature where raw predictions change by so much."""
        with np.errstate(over="ignore"):
            return float(1.0 + cost * np.exp(change))

    def majorizing(self, raw: Cube) -> Cube:
        """Return curvatures above those of the loss for changes of at most 1: none are for all."""
        with np.errstate(over="ignore"):
            return 1.0 + 1.5 * np.exp(raw)


_KINDS = {loss.link: loss for loss in (Probit, CLogLog)}
LINKS = ("logit", *_KINDS)


def link_loss(link: str) -> LinkLoss | None:
    """Return the loss of a link among `LINKS`; None for the logit, whose loss is `Binomial`."""
    return None if link == "logit" else _KINDS[link]()


def inverse_mills(margin: Vector) -> Vector:
    """Return phi(t) / Phi(t), right to rounding in both tails."""
    with np.errstate(over="ignore"):  # 0 far to the right
        return ROOT_TWO_OVER_PI / special.erfcx(margin / -ROOT_TWO)


def excess(margin: Vector, slope: Vector) -> Vector:
    """Return t + phi(t) / Phi(t): the mean excess of a normal variable above -t.

    Far to the left by Laplace's continued fraction 1 / (t + 2 / (t + 3 / ...)), of positive terms.
    """
    found = margin + slope
    far = margin < FRACTION_BELOW
    if far.any():
        size, tail = -margin[far], np.zeros(int(far.sum()))
        for term in range(FRACTION_TERMS, 0, -1):
            tail = term / (size + tail)
        found[far] = tail
    return found


def shrinkage(rate: Vector) -> Vector:
    """Return m / (exp(m) - 1): 1 at 0, and 0 where exp(m) leaves float64."""
    safe = np.minimum(rate, NOTHING_LEFT)
    found = np.divide(safe, np.expm1(safe), out=np.ones_like(safe), where=safe > 0.0)
    return np.where(rate > NOTHING_LEFT, 0.0, found)


def shrinkage_excess(rate: Vector, ratio: Vector) -> Vector:
    """Return m / (exp(m) - 1) + m - 1, by its series where this would cancel."""
    with np.errstate(over="ignore", invalid="ignore"):
        square = rate * rate
        series = rate * (0.5 + rate / 12.0) - square * square / 720.0 * (
            1.0 - square / 42.0 + square * square / 1680.0 - square**3 / 66528.0
        )
        return np.where(rate < 0.25, series, np.minimum(rate, 1e300) + (ratio - 1.0))


def log_one_minus_exp(raw: Vector, rate: Vector) -> Vector:
    """Return log(1 - exp(-m)) for m = exp(z) (Maechler, 2012, the R package Rmpfr)."""
    with np.errstate(divide="ignore"):
        small = np.log(-np.expm1(-np.maximum(rate, 1e-300)))
    found = np.where(rate < 1e-8, raw - 0.5 * rate, small)
    large = rate > np.log(2.0)
    return np.where(large, np.log1p(-np.exp(-np.where(large, rate, 1.0))), found)
