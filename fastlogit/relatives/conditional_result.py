"""What a conditional logistic regression found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from ..arrays import Array, ArrayLike, Integers, Labels, Matrix, Vector
from ..inference.contrasts import Contrasts, contrasts_of
from ..inference.estimates import LEVEL, TabledEstimates, exponentials
from ..inference.hypothesis_tests import HypothesisTest, wald
from ..inference.moments import products_of_columns
from ..inference.row_weights import RowWeights
from ..inference.summary import CALLED, Summary, table_of
from ..inference.table import is_probability
from ..options import check_level
from .maximum import Maximum, maximise
from .nested import nested_ratio, ratio_of, refuse_other
from .strata import MatchedRows, Strata

__all__ = ["CR", "ConditionalLogit", "covariance_of", "scaled_back"]

CR = ("CR0", "CR1")
# Iterations of the fit under a hypothesis.
MAX_ITER = 100


@dataclass(frozen=True, eq=False)
class ConditionalLogit(TabledEstimates):
    """A conditional logistic regression: odds ratios within matched sets.

    Attributes
    ----------
    names : list of str
        Of the coefficients. There is no intercept.
    coef : ndarray of shape (n_coefficients,)
    covariance : ndarray of shape (n_coefficients, n_coefficients)
    cov_type : {"nonrobust", "CR0", "CR1"}
    log_likelihood, null_log_likelihood : float
        Conditional, of the model and of coefficients 0.
    n_strata : float
        Strata with cases and controls; those of a frequency as often as it says.
    n_without_cases, n_without_controls : float
        Strata that are left out, since they have one outcome only.
    n_samples, n_cases : float
        Rows and cases of the strata that count.
    n_clusters : int or None
        Where clusters were given.
    classes : ndarray of shape (2,)
        The label of controls and that of cases.
    weights : {"frequency", "probability"} or None
    decrement : float
        Newton's decrement: the distance from the maximum in standard errors.
    suboptimality : float
        Proven bound on what the log-likelihood is below its maximum, but for rounding.
    n_iter : int
    terms : mapping of str to list of int
        Places of the coefficients of each column of X.
    score_test : HypothesisTest
        That all coefficients are 0; of matched pairs and one column McNemar's. NaN where at
        coefficients 0 the offset alone makes outcomes certain, so that there is no information.
    """

    names: list[str]
    coef: Vector
    covariance: Matrix
    cov_type: str
    log_likelihood: float
    null_log_likelihood: float
    n_strata: float
    n_without_cases: float
    n_without_controls: float
    n_samples: float
    n_cases: float
    n_clusters: int | None
    classes: Labels
    weights: str | None
    decrement: float
    suboptimality: float
    n_iter: int
    terms: Mapping[str, list[int]]
    score_test: HypothesisTest
    _rows: MatchedRows = field(repr=False)

    @property
    def odds_ratios(self) -> Vector:
        """exp(coef)."""
        return exponentials(self.coef)

    def odds_ratio_intervals(self, level: float = LEVEL) -> Matrix:
        """Return the exponentials of `conf_int`, (n_coefficients, 2)."""
        return exponentials(self.conf_int(level))

    @property
    def is_likelihood(self) -> bool:
        """False for sampling weights."""
        return self.weights != "probability"

    @property
    def aic(self) -> float:
        """Akaike's information criterion; NaN for sampling weights."""
        return 2.0 * (len(self.coef) - self.log_likelihood) if self.is_likelihood else np.nan

    @property
    def bic(self) -> float:
        """Schwarz's information criterion, of as many observations as there are cases.

        As R's for conditional models; NaN for sampling weights.
        """
        if not self.is_likelihood:
            return np.nan
        return float(len(self.coef) * np.log(self.n_cases) - 2.0 * self.log_likelihood)

    @property
    def mcfadden(self) -> float:
        """McFadden's pseudo-R^2: 1 - log-likelihood / null log-likelihood."""
        return 1.0 - self.log_likelihood / self.null_log_likelihood

    def wald_test(self, hypothesis: ArrayLike) -> HypothesisTest:
        """Return the Wald test of linear restrictions, by the covariance that is held.

        Parameters
        ----------
        hypothesis : str, sequence of str, array-like or (array-like, values)
            As of `Inference.wald_test`: ``"x1 = x2"``, ``"x1 = 0, x2 = 0"``, the name of a column.

        Raises
        ------
        TypeError, ValueError
            If the hypothesis is not understood, or its restrictions depend on each other.
        """
        return wald(contrasts_of(hypothesis, self.names, self.terms), self.coef, self.covariance)

    def likelihood_ratio_test(
        self, hypothesis: ArrayLike | ConditionalLogit = None
    ) -> HypothesisTest:
        """Return the likelihood-ratio test: the fit under a hypothesis beside this one.

        Parameters
        ----------
        hypothesis : see `wald_test`, or ConditionalLogit, optional
            A model of some of the columns, fitted to the same strata; by default that all
            coefficients are 0.

        Raises
        ------
        TypeError, ValueError
            If the hypothesis is not understood, the maximum under it is not found, another model
            is not nested in this one, or there is no likelihood.
        """
        self._refuse_pseudo()
        if hypothesis is None:
            return ratio_of(self, self.null_log_likelihood, len(self.coef), ", ".join(self.terms))
        if isinstance(hypothesis, ConditionalLogit):
            refuse_other("number of strata", hypothesis.n_strata, self.n_strata)
            return nested_ratio(self, hypothesis)
        contrasts = contrasts_of(hypothesis, self.names, self.terms)
        found = self._under(contrasts)
        return ratio_of(self, found.point.log_likelihood, len(contrasts.matrix), contrasts.text)

    def _under(self, contrasts: Contrasts) -> Maximum:
        """Return the maximum under restrictions.

        Raises
        ------
        ValueError
            If it is not found, as where a hypothesis makes all outcomes certain to rounding.
        """
        scale = self._rows.scale
        matrix = contrasts.matrix / scale
        start = np.asarray(np.linalg.pinv(matrix) @ contrasts.values, dtype=np.float64)
        basis = np.linalg.svd(matrix)[2][len(matrix) :].T.astype(np.float64, order="C")
        point = self._rows.at(start)
        if not basis.size:
            return Maximum(point, 0.0, 0.0, np.zeros((len(scale), 0)), 0)
        # The other coefficients as they are, or at 0: the better of both.
        near = self._rows.at(start + basis @ (basis.T @ (self.coef * scale - start)))
        better = near if near.log_likelihood > point.log_likelihood else point
        found = maximise(self._rows, MAX_ITER, better, basis)
        if not found.is_proven:
            raise ValueError(
                f"the maximum of the likelihood under {contrasts.text} was not found: so far from "
                "the estimates fitted probabilities are 0 and 1 to rounding, and the likelihood "
                "has no slope there; use wald_test, and look at the units of the hypothesis"
            )
        return found

    def _refuse_pseudo(self) -> None:
        if not self.is_likelihood:
            raise ValueError(
                "with weights='probability' there is no likelihood, and so not a likelihood-ratio "
                "test; use wald_test"
            )

    # ---- tables

    def summary(self, level: float = LEVEL) -> Summary:
        """Return what statisticians read of a model, as text, HTML, Markdown or LaTeX.

        Parameters
        ----------
        level : float between 0 and 1, default 0.95
            Of the intervals.
        """
        level = check_level(level)
        return table_of(*self._head(), self, self.conf_int(level), level, ratio="odds ratio")

    def _columns(self, intervals: Matrix, *, with_odds: bool = True) -> dict[str, Array]:
        return super()._columns(intervals, with_odds=with_odds)

    def _head(self) -> tuple[str, list[tuple[str, str]]]:
        control, case = self.classes.tolist()
        called = CALLED.get(self.cov_type, self.cov_type)
        if self.n_clusters is not None:
            called += f" ({self.n_clusters:,} clusters)"
        elif self.cov_type in CR:
            called = called.replace("clusters", "strata")
        dropped = f"{self.n_without_cases:,g} without cases, {self.n_without_controls:,g} without "
        pseudo = "" if self.is_likelihood else "pseudo-"
        facts = [
            ("strata", f"{self.n_strata:,.10g}"),
            ("strata left out", f"{dropped}controls"),
            ("observations", f"{self.n_samples:,.10g}, {self.n_cases:,.10g} of them cases"),
            ("covariance", called),
        ]
        facts += [("weights", self.weights)] * (self.weights is not None)  # type: ignore[list-item]
        facts += [
            (f"{pseudo}log-likelihood", f"{self.log_likelihood:.4f}"),
            (f"null {pseudo}log-likelihood", f"{self.null_log_likelihood:.4f}"),
        ]
        if self.is_likelihood:
            test = self.likelihood_ratio_test()
            p_value = is_probability(test.p_value)
            facts += [
                (f"likelihood ratio chi2({test.df})", f"{test.statistic:.4f} ({p_value})"),
                ("AIC", f"{self.aic:.4f}"),
            ]
        title = f"Conditional logistic regression of {case} against {control}"
        return title, [*facts, ("McFadden's R2", f"{self.mcfadden:.4f}")]

    def __repr__(self) -> str:
        """Return one line."""
        return (
            f"ConditionalLogit({len(self.names)} coefficients, {self.cov_type}, "
            f"{self.n_strata:g} strata, log-likelihood {self.log_likelihood:.6g})"
        )


def covariance_of(
    found: Maximum, sets: Strata, kind: RowWeights, cov_type: str, clusters: Integers | None
) -> Matrix:
    """Return the covariance of the coefficients of the scaled columns.

    `clusters` are those of the strata, or None. A stratum of a frequency is as many strata, and a
    cluster of its own each time where none are given.
    """
    inverse = found.half @ found.half.T
    if cov_type not in CR:
        return inverse
    scores, weights = found.point.scores, sets.weights
    if clusters is None:
        roots = np.sqrt(weights) if kind.is_frequency else weights
        meat = products_of_columns(scores * roots[:, None])
        n_clusters = float(weights.sum()) if kind.is_frequency else float(len(weights))
    else:
        sums = np.zeros((int(clusters.max()) + 1, scores.shape[1]))
        np.add.at(sums, clusters, scores * weights[:, None])
        meat, n_clusters = products_of_columns(sums), float(len(sums))
    whole = inverse @ meat @ inverse
    return whole * (n_clusters / (n_clusters - 1.0) if cov_type == "CR1" else 1.0)


def scaled_back(rows: MatchedRows, covariance: Matrix) -> Matrix:
    """Return a covariance in the units of X, symmetric."""
    found = covariance / rows.scale / rows.scale[:, None]
    return 0.5 * (found + found.T)
