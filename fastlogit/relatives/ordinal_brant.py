"""Brant's Wald test of proportional odds (1990, Biometrics 46).

A binary model of y > k is fitted for each threshold. With G_k = X' diag(p_k (1 - p_k)) X their
coefficients have covariances ``G_k^-1 X' diag(p_l - p_k p_l) X G_l^-1`` for k < l, p_k being the
fitted probability of y > k; proportional odds say that they are the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from ..arrays import Matrix
from ..inference.distributions import chi2_tail
from ..inference.hypothesis_tests import HypothesisTest
from .ordinal_model import OrdinalRows, Unfinished, maximum
from .ordinal_separation import hidden_direction

__all__ = ["BrantTest", "brant"]

# A smaller eigenvalue of a covariance of variances 1 is rounding.
DEPENDENT = 1e-10


@dataclass(frozen=True)
class BrantTest:
    """The test of all coefficients together, and of each.

    Attributes
    ----------
    whole : HypothesisTest
    of_columns : dict of str to HypothesisTest
    coef : ndarray of shape (n_classes - 1, n_features)
        Coefficients of the binary models of y above each threshold, in the units of X.
    """

    whole: HypothesisTest
    of_columns: dict[str, HypothesisTest]
    coef: Matrix

    def __str__(self) -> str:
        """Return a line for each test."""
        return "\n".join(map(str, [self.whole, *self.of_columns.values()]))


def brant(rows: OrdinalRows, names: list[str]) -> BrantTest:
    """Return Brant's test.

    Raises
    ------
    ValueError
        If there are two classes only, a binary model has no optimum, or the covariance of the
        differences is none.
    """
    n_cuts, n_features = rows.n_cuts, rows.n_features
    if n_cuts < 2:
        raise ValueError("two classes have one threshold: there is nothing that could be unequal")
    assert rows.design is not None
    coef, proba = np.empty((n_cuts, n_features)), np.empty((n_cuts, rows.codes.size))
    for cut in range(n_cuts):
        own = rows.above(cut)
        try:
            theta, point, _ = maximum(own)
            if hidden_direction(own, point) is not None:
                raise Unfinished(theta)
        except Unfinished:
            raise ValueError(
                f"the binary model of y above threshold {cut + 1} of {n_cuts} has no optimum, as "
                "where its classes are separable: join classes"
            ) from None
        coef[cut], proba[cut] = theta[1:], special.expit(own.raw(theta) - theta[0])
    covariance = _covariance(rows, proba)
    tests = {
        name: _equal(coef[:, [column]], covariance[:, :, [column]][..., [column]], name)
        for column, name in enumerate(names)
    }
    whole = _equal(coef, covariance, "proportional odds")
    return BrantTest(whole, tests, coef * rows.design.columns.inverse_scale)


def _covariance(rows: OrdinalRows, proba: Matrix) -> Matrix:
    """Return covariances of the coefficients, (n_cuts, n_cuts, n_features, n_features)."""
    assert rows.design is not None
    n_cuts, size = rows.n_cuts, rows.n_features + 1
    grams = np.empty((n_cuts, n_cuts, size, size))
    for one in range(n_cuts):
        for other in range(one, n_cuts):
            weights = rows.weights * proba[other] * (1.0 - proba[one])
            grams[one, other] = grams[other, one] = rows.design.gram(weights)
    inverses = np.array([np.linalg.inv(grams[cut, cut]) for cut in range(n_cuts)])
    whole = np.einsum("kab,klbc,lcd->klad", inverses, grams, inverses)
    return whole[:, :, :-1, :-1]


def _equal(coef: Matrix, covariance: Matrix, hypothesis: str) -> HypothesisTest:
    """Return the Wald test that the rows of coef are equal."""
    n_cuts, n_columns = coef.shape
    differences = (coef[1:] - coef[0]).reshape(-1)
    spread = (
        covariance[1:, 1:] - covariance[1:, :1] - covariance[:1, 1:] + covariance[:1, :1]
    ).transpose(0, 2, 1, 3)
    spread = spread.reshape((n_cuts - 1) * n_columns, -1)
    variances = np.diag(spread)
    lengths = np.sqrt(np.where(variances > 0.0, variances, 1.0))
    away, scaled = differences / lengths, spread / np.outer(lengths, lengths)
    if (variances <= 0.0).any() or float(np.linalg.eigvalsh(scaled)[0]) < DEPENDENT:
        raise ValueError(
            f"Brant's covariance of {hypothesis} is not positive definite, as happens with few "
            "rows between thresholds, and the test has no figure: join classes, or use "
            "parallel_lines_test"
        )
    statistic, df = float(away @ np.linalg.solve(scaled, away)), away.size
    return HypothesisTest("Wald", hypothesis, statistic, df, chi2_tail(statistic, df))
