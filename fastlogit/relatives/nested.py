"""Likelihood-ratio tests of two fitted models of the same rows."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from ..inference.distributions import chi2_tail
from ..inference.hypothesis_tests import HypothesisTest

__all__ = ["Fitted", "nested_ratio", "ratio_of", "refuse_other"]

# Null log-likelihoods of the same rows agree to this share.
SAME = 1e-9


class Fitted(Protocol):
    """What is asked of a model."""

    @property
    def names(self) -> list[str]:
        """Of all parameters."""

    @property
    def log_likelihood(self) -> float:
        """Of the model."""

    @property
    def null_log_likelihood(self) -> float:
        """Without coefficients: of the rows, not of the columns."""


def ratio_of(whole: Fitted, log_likelihood: float, df: int, text: str) -> HypothesisTest:
    """Return the test of a model against a smaller one of a log-likelihood."""
    statistic = max(0.0, 2.0 * (whole.log_likelihood - log_likelihood))
    return HypothesisTest("likelihood ratio", text, statistic, df, chi2_tail(statistic, df))


def nested_ratio(whole: Fitted, part: Fitted) -> HypothesisTest:
    """Return the test of a model against one that has some of its columns.

    Raises
    ------
    ValueError
        If the other is not such a model, or was not made of the same rows.
    """
    others = [name for name in part.names if name not in whole.names]
    df = len(whole.names) - len(part.names)
    if others or df <= 0:
        what = f"has {', '.join(others[:3])}" if others else "has no fewer coefficients"
        raise ValueError(f"the other model is not nested in this one: it {what}")
    null, other = whole.null_log_likelihood, part.null_log_likelihood
    if not np.isclose(null, other, rtol=SAME, atol=0.0):
        raise ValueError(
            f"the other model is of other rows or weights: its null log-likelihood is {other:.6g}, "
            f"here {null:.6g}"
        )
    dropped = [name for name in whole.names if name not in part.names]
    return ratio_of(whole, part.log_likelihood, df, ", ".join(dropped))


def refuse_other(what: str, other: object, own: object) -> None:
    """Raise where two models differ in something.

    Raises
    ------
    ValueError
    """
    if other != own:
        raise ValueError(
            f"the other model is not nested in this one: its {what} is {other}, here {own}"
        )
