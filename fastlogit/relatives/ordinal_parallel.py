"""The score test of proportional odds, or of parallel lines with another link.

The larger model has coefficients of its own for each threshold: ends of a row of class k are
``threshold_k - x' coef_k`` and ``threshold_{k-1} - x' coef_{k-1}``. Its score at the fit with equal
coefficients, in the information there, is chi-squared where they are equal (Peterson and Harrell,
1990, Applied Statistics 39). The observed information has the second derivatives of the rows'
losses, which is what SAS's PROC LOGISTIC takes; it is positive semidefinite, as the losses are
convex in both ends. The expected one has, of a row with probabilities p_k and densities f_k at the
thresholds, ``f_k^2 (1 / p_k + 1 / p_{k+1})`` for threshold k, and ``-f_k f_{k+1} / p_{k+1}`` for k
and k + 1. Others are 0: a Gram matrix of a pass over the rows for each. Nothing is fitted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..arrays import Cube, Floats, Matrix, Vector
from ..inference.distributions import chi2_tail
from ..inference.hypothesis_tests import HypothesisTest
from ..linalg.factors import Factor
from .ordinal_losses import OrdinalParts
from .ordinal_model import OrdinalRows

__all__ = ["ParallelLinesTest", "parallel_lines"]

# A direction that the others explain up to this share of its information has none.
DEPENDENT = 1e-12


@dataclass(frozen=True)
class ParallelLinesTest:
    """The score test of all coefficients together, and of each.

    Attributes
    ----------
    whole : HypothesisTest
    of_columns : dict of str to HypothesisTest
        That the coefficient is the same for all thresholds, those of the other columns being so.
    """

    whole: HypothesisTest
    of_columns: dict[str, HypothesisTest]

    def __str__(self) -> str:
        """Return a line for each test."""
        return "\n".join(map(str, [self.whole, *self.of_columns.values()]))


class _Score(NamedTuple):
    """Slope of the log-likelihood and information, the thresholds' column of ones last."""

    # (n_cuts, n_features + 1)
    slope: Matrix
    # (n_cuts, n_features + 1, n_cuts, n_features + 1)
    information: Floats
    # Of one threshold with all of them, and of all with all: where coefficients are the same.
    beside: Cube
    together: Matrix


def parallel_lines(
    rows: OrdinalRows, theta: Vector, names: list[str], what: str, information: str
) -> ParallelLinesTest:
    """Return the test at the parameters of a fit, by "observed" or "expected" information.

    Raises
    ------
    ValueError
        If there are two classes only.
    """
    if rows.n_cuts < 2:
        raise ValueError("two classes have one threshold: there is nothing that could be unequal")
    found = _score_of(rows, theta, information)
    columns = range(rows.n_features)
    whole = _test(found, [*columns], what)
    each = {name: _test(found, [column], name) for column, name in zip(columns, names, strict=True)}
    return ParallelLinesTest(whole, each)


def _score_of(rows: OrdinalRows, theta: Vector, information: str) -> _Score:
    assert rows.design is not None
    n_cuts, size, parts = rows.n_cuts, rows.n_features + 1, rows.parts(theta)
    sides = np.array([
        -np.where(rows.codes == cut, parts.slope_a, 0.0)
        - np.where(rows.codes == cut + 1, parts.slope_b, 0.0)
        for cut in range(n_cuts)
    ])  # fmt: skip
    of = _expected(rows, theta) if information == "expected" else _observed(rows, parts)
    slopes, totals = rows.design.transposed_product(sides)
    # Ends fall with the columns: the sign of X is turned, of ones it is not.
    turn = np.append(-np.ones(size - 1), 1.0)
    whole = np.zeros((n_cuts, size, n_cuts, size))
    for cut in range(n_cuts):
        whole[cut, :, cut] = rows.design.gram(of.same[cut])
        if cut:
            block = -rows.design.gram(np.maximum(of.next_to[cut - 1], 0.0))
            whole[cut, :, cut - 1] = whole[cut - 1, :, cut] = block
    whole *= turn[:, None, None] * turn
    beside = whole.sum(axis=2)
    return _Score(np.column_stack([-slopes, totals]), whole, beside, beside.sum(axis=0))


class _Weights(NamedTuple):
    """What rows add to the information of a threshold, and, negative, of it and the next."""

    # (n_cuts, n_samples) and (n_cuts - 1, n_samples)
    same: Matrix
    next_to: Matrix


def _observed(rows: OrdinalRows, parts: OrdinalParts) -> _Weights:
    codes, cuts = rows.codes, range(rows.n_cuts)
    same = [
        np.where(codes == cut, parts.curvature_aa, 0.0)
        + np.where(codes == cut + 1, parts.curvature_bb, 0.0)
        for cut in cuts
    ]
    next_to = [np.where(codes == cut + 1, -parts.curvature_ab, 0.0) for cut in cuts[:-1]]
    return _Weights(np.array(same), np.array(next_to))


def _expected(rows: OrdinalRows, theta: Vector) -> _Weights:
    n_cuts, raw = rows.n_cuts, rows.raw(theta)
    cuts = np.concatenate([[-np.inf], theta[:n_cuts], [np.inf]])
    same, next_to = np.zeros((n_cuts, raw.size)), np.zeros((n_cuts - 1, raw.size))
    for label in range(rows.n_classes):
        own = rows.link.parts(cuts[label + 1] - raw, cuts[label] - raw)
        proba = rows.weights * np.exp(-own.loss)
        if label < n_cuts:
            same[label] += proba * np.square(own.slope_a)
        if label > 0:
            same[label - 1] += proba * np.square(own.slope_b)
        if 0 < label < n_cuts:
            next_to[label - 1] = -proba * own.slope_a * own.slope_b
    return _Weights(same, next_to)


def _test(found: _Score, columns: list[int], hypothesis: str) -> HypothesisTest:
    """Return the test that some columns have one coefficient, those of the others being one."""
    n_cuts, size = found.slope.shape
    own = [*columns, size - 1]
    others = np.setdiff1d(np.arange(size), own)
    single = found.information[:, own][..., own].reshape(n_cuts * len(own), -1)
    mixed = found.beside[:, own][..., others].reshape(n_cuts * len(own), -1)
    common = found.together[np.ix_(others, others)]
    information = np.block([[single, mixed], [mixed.T, common]])
    slope = np.concatenate([found.slope[:, own].reshape(-1), found.slope[:, others].sum(axis=0)])
    length = np.sqrt(np.maximum(np.diag(information), 0.0))
    # A direction of which rows say nothing, as between classes that none has, has no slope either.
    length[length == 0.0] = 1.0
    factor = Factor(np.ascontiguousarray(information / np.outer(length, length)), DEPENDENT)
    half = factor.half_solve((slope / length)[None])[0]
    statistic, df = float(half @ half), (n_cuts - 1) * len(columns)
    return HypothesisTest("score", hypothesis, statistic, df, chi2_tail(statistic, df))
