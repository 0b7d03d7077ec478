"""What a row of an ordered class costs: ``-log(F(a) - F(b))`` of its two thresholds.

With a = upper threshold - raw prediction and b = lower threshold - raw prediction, infinite for the
last and the first class. It is convex in (a, b) for each F whose density is log-concave (Burridge,
1981, JRSS B 43; Pratt, 1981, JASA 76). For the logistic F it is a sum of functions of one number,

    log(1 + e^-a) + log(1 + e^b) - log(1 - e^-(a - b)),

from which all derivatives follow without a difference that cancels. For the others logarithms of F
and of its complement are subtracted on the side where these are small.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy import special

from ..arrays import Vector
from ..objective.links import shrinkage, shrinkage_excess

__all__ = ["LINKS", "OrdinalLink", "OrdinalParts"]

# exp of it is no infinity.
MOST_EXPONENT = 700.0


class OrdinalParts(NamedTuple):
    """Loss of each row, its slopes by a and b, and second derivatives; 0 by what is infinite."""

    loss: Vector
    slope_a: Vector
    slope_b: Vector
    curvature_aa: Vector
    curvature_ab: Vector
    curvature_bb: Vector


class OrdinalLink(NamedTuple):
    """A link: what rows cost at (a, b), log probabilities there, and the quantile of F.

    Pickled by its name, for its functions are no part of a result.
    """

    name: str
    title: str
    parts: Callable[[Vector, Vector], OrdinalParts]
    log_proba: Callable[[Vector, Vector], Vector]
    quantile: Callable[[Vector], Vector]

    def __reduce__(self) -> tuple[Callable[[str], OrdinalLink], tuple[str]]:
        """Return how it is made again."""
        return _link_of, (self.name,)


def _link_of(name: str) -> OrdinalLink:
    return LINKS[name]


def _log_one_minus_exp(size: Vector) -> Vector:
    """Return log(1 - e^-size) for sizes > 0."""
    with np.errstate(divide="ignore"):
        small = np.log(-np.expm1(-np.minimum(size, 1.0)))
    return np.where(size < np.log(2.0), small, np.log1p(-np.exp(-np.maximum(size, 0.5))))


def _logit_log_proba(a: Vector, b: Vector) -> Vector:
    return special.log_expit(a) + special.log_expit(-b) + _log_one_minus_exp(a - b)


def _logit_parts(a: Vector, b: Vector) -> OrdinalParts:
    gap = a - b
    above, below = special.expit(-a), special.expit(b)
    with np.errstate(over="ignore", divide="ignore"):
        pull = 1.0 / np.expm1(np.minimum(gap, 700.0))
        turn = pull * (1.0 + pull)  # e^gap / (e^gap - 1)^2
    return OrdinalParts(
        -_logit_log_proba(a, b), -above - pull, below + pull,
        above * special.expit(a) + turn, -turn, below * special.expit(-b) + turn,
    )  # fmt: skip


def _of_density(
    log_density: Callable[[Vector], Vector], log_slope: Callable[[Vector], Vector],
    log_proba: Callable[[Vector, Vector], Vector],
) -> Callable[[Vector, Vector], OrdinalParts]:  # fmt: skip
    """Return the parts for a density f with f' = f * log_slope."""

    def parts(a: Vector, b: Vector) -> OrdinalParts:
        log_p = log_proba(a, b)
        ends = []
        for end in (a, b):
            finite = np.isfinite(end)
            at = np.where(finite, end, 0.0)
            with np.errstate(over="ignore", invalid="ignore"):
                ratio = np.where(finite, np.exp(log_density(at) - log_p), 0.0)
                # Far out the density is 0, and the slope of its logarithm infinite.
                turn = np.where(ratio == 0.0, 0.0, ratio * log_slope(at))
            ends.append((ratio, turn))
        (upper, upper_turn), (lower, lower_turn) = ends
        return OrdinalParts(
            -log_p, -upper, lower, upper * upper - upper_turn, -upper * lower,
            lower * lower + lower_turn,
        )  # fmt: skip

    return parts


def _probit_log_proba(a: Vector, b: Vector) -> Vector:
    # On the side where both are small: Phi(a) - Phi(b) = Phi(-b) - Phi(-a).
    with np.errstate(invalid="ignore"):
        turned = a + b > 0.0
    high, low = np.where(turned, -b, a), np.where(turned, -a, b)
    larger, smaller = special.log_ndtr(high), special.log_ndtr(low)
    with np.errstate(invalid="ignore"):
        return larger + _log_one_minus_exp(larger - smaller)


def _rates(a: Vector, b: Vector) -> tuple[Vector, Vector, Vector]:
    """Return e^a, e^b and their difference, which does not cancel."""
    high, low = np.exp(np.minimum(a, MOST_EXPONENT)), np.exp(np.minimum(b, MOST_EXPONENT))
    high = np.where(np.isposinf(a), np.inf, high)
    with np.errstate(invalid="ignore", over="ignore"):
        near = low * np.expm1(np.minimum(a - b, 1.0))
    return high, low, np.where(a - b < 1.0, near, high - low)


def _cloglog_log_proba(a: Vector, b: Vector) -> Vector:
    _, low, gap = _rates(a, b)
    return -low + _log_one_minus_exp(gap)


def _cloglog_parts(a: Vector, b: Vector) -> OrdinalParts:
    """Return the parts of ``v - log(1 - e^-(u - v))``, u = e^a, v = e^b: sums of one sign."""
    high, low, gap = _rates(a, b)
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        left = -np.expm1(-gap)
        pull = np.exp(-gap) / left  # 1 / (e^gap - 1)
        upper = np.where(pull == 0.0, 0.0, high * pull)
        lower = low / left
        bent = lower + shrinkage_excess(gap, shrinkage(gap))
        return OrdinalParts(
            low - _log_one_minus_exp(gap), -upper, lower,
            np.where(upper == 0.0, 0.0, upper * bent), -upper * lower,
            lower * (1.0 + low * pull),
        )  # fmt: skip


def _quantile_cloglog(share: Vector) -> Vector:
    return np.log(-np.log1p(-share))


LINKS = {
    "logit": OrdinalLink("logit", "logistic", _logit_parts, _logit_log_proba, special.logit),
    "probit": OrdinalLink(
        "probit",
        "probit",
        _of_density(
            lambda q: -0.5 * q * q - 0.5 * np.log(2.0 * np.pi), lambda q: -q, _probit_log_proba
        ),
        _probit_log_proba,
        special.ndtri,
    ),
    "cloglog": OrdinalLink(
        "cloglog",
        "complementary log-log",
        _cloglog_parts,
        _cloglog_log_proba,
        _quantile_cloglog,
    ),
}
