"""What a fit says of its coefficients: standard errors, intervals, tests, the likelihood."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from ..arrays import Array, ArrayLike, Labels, Matrix, Vector
from ..options import check_level, check_option
from ..result import FitResult
from .clusters import CLUSTERED, Clusters
from .contrasts import contrasts_of, places_of
from .covariance import covariance_of, look_at_cov_type
from .estimates import LEVEL, TabledEstimates, exponentials
from .frames import as_frame
from .hypothesis_tests import (
    HypothesisTest,
    likelihood_ratio,
    score,
    wald,
    wald_of_clusters,
)
from .likelihood import Likelihood
from .margins_methods import MarginsOfInference
from .nested import nested
from .optimum import Optimum
from .profile import intervals_of_optimum
from .refusals import refuse_odds

if TYPE_CHECKING:
    from .diagnostics import Diagnostics
    from .summary import Summary

__all__ = ["Inference"]

METHODS = ("wald", "profile")


@dataclass(frozen=True, eq=False)
class Inference(MarginsOfInference, TabledEstimates):
    """Coefficients of a logistic regression and what can be said of them.

    Of two classes the coefficients are those of the second; of more there is one set for each class
    but the reference, class after class, and names are ``class:column``. It holds the rows it was
    made of, for the tests that look at them again.

    Attributes
    ----------
    names : list of str
        Of the coefficients; the intercept first.
    coef : ndarray of shape (n_coefficients,)
        Of the fit, refined to all digits by Newton's method: they may differ from those of the fit
        by what its `tol` allows.
    covariance : ndarray of shape (n_coefficients, n_coefficients)
    cov_type : str
        See `infer`.
    degrees_of_freedom : ndarray of shape (n_coefficients,) or None
        Of Student's t, for CR2 and CR3; None where statistics are normal.
    likelihood : Likelihood
        Log-likelihood, deviances, AIC, BIC, pseudo-R^2.
    classes : ndarray of shape (n_classes,)
    reference : object
        The class that the others are compared with.
    n_clusters : int or None
    weights : {"frequency", "probability", "analytic"} or None
        What the row weights are; None for none.
    terms : mapping of str to list of int
        Places of the coefficients of each column of X; a categorical one has several.
    link : {"logit", "probit", "cloglog"}
    fractional : bool
        Whether y held shares from 0 to 1.
    """

    names: list[str]
    coef: Vector
    covariance: Matrix
    cov_type: str
    degrees_of_freedom: Vector | None
    likelihood: Likelihood
    classes: Labels
    reference: object
    n_clusters: int | None
    weights: str | None
    terms: Mapping[str, list[int]]
    _optimum: Optimum = field(repr=False)
    _clusters: Clusters | None = field(repr=False)
    _fit: FitResult = field(repr=False)
    link: str = "logit"
    fractional: bool = False
    # Columns of a formula that do not change alone, and what they are.
    _tied: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)

    # ---- each coefficient

    @property
    def _degrees(self) -> Vector | None:
        return self.degrees_of_freedom

    def conf_int(
        self, level: float = LEVEL, method: str = "wald", coefficients: object = None
    ) -> Matrix:
        """Return confidence intervals, (n_coefficients, 2), or of the chosen coefficients.

        Parameters
        ----------
        level : float between 0 and 1, default 0.95
        method : {"wald", "profile"}, default "wald"
            Wald's are the coefficient and so many standard errors to each side. Those of the
            profile likelihood hold the values that a likelihood-ratio test does not reject: they
            need not be symmetric, and are nearer to the truth where rows are few or an effect is
            large. They take some passes over the rows, and are found to 1e-10 of the drop of the
            likelihood.
        coefficients : str, int, or sequence of these, optional
            Names, or places in `names`; of a categorical column its name stands for all of its
            coefficients. All by default.

        Raises
        ------
        TypeError, ValueError
            If an argument is not as said, or a profile is asked for where there is no likelihood:
            with sampling weights, or a covariance for a likelihood that is not trusted.

        References
        ----------
        Venzon and Moolgavkar (1988, Applied Statistics 37).
        """
        level = check_level(level)
        check_option("method", method, METHODS)
        chosen = places_of(coefficients, self.names, self.terms)
        if method == "profile":
            self._refuse_pseudo("a profile-likelihood interval", "method='wald'")
            if self.cov_type != "nonrobust":
                raise ValueError(
                    f"cov_type={self.cov_type!r} is for a likelihood that is not trusted, and a "
                    "profile-likelihood interval has no other; use method='wald', or "
                    "with_covariance('nonrobust')"
                )
            return intervals_of_optimum(self._optimum, chosen, level)
        return super().conf_int(level)[chosen]

    @property
    def odds_ratios(self) -> Vector:
        """exp(coef): odds ratios, of more than two classes relative-risk ratios.

        Raises ValueError for another link than the logit, whose coefficients are none.
        """
        refuse_odds(self.link)
        return exponentials(self.coef)

    def odds_ratio_intervals(
        self, level: float = LEVEL, method: str = "wald", coefficients: object = None
    ) -> Matrix:
        """Return the exponentials of `conf_int`, (n_coefficients, 2)."""
        refuse_odds(self.link)
        return exponentials(self.conf_int(level, method, coefficients))

    # ---- the model as a whole

    @property
    def n_samples(self) -> float:
        """Observations: rows of weight above 0, or the sum of their frequencies."""
        return self.likelihood.n_samples

    @property
    def log_likelihood(self) -> float:
        """Log-likelihood of the model."""
        return self.likelihood.log_likelihood

    @property
    def aic(self) -> float:
        """Akaike's information criterion."""
        return self.likelihood.aic

    @property
    def bic(self) -> float:
        """Schwarz's information criterion."""
        return self.likelihood.bic

    @property
    def pseudo_r2(self) -> dict[str, float]:
        """McFadden's, Cox and Snell's, Nagelkerke's and, of two classes, Tjur's pseudo-R^2."""
        found = self.likelihood
        values = {
            "mcfadden": found.mcfadden, "cox_snell": found.cox_snell,
            "nagelkerke": found.nagelkerke, "tjur": found.tjur,
        }  # fmt: skip
        return {name: value for name, value in values.items() if not np.isnan(value)}

    # ---- another covariance

    def with_covariance(self, cov_type: str, clusters: ArrayLike = None) -> Inference:
        """Return the same with another covariance, without another look at what was given.

        Parameters
        ----------
        cov_type, clusters
            See `infer`; clusters of before are kept.

        Raises
        ------
        TypeError, ValueError
        """
        weights, n_rows = self._optimum.weights, self._optimum.objective.design.shape[0]
        known = self._clusters if cov_type in CLUSTERED else None
        if clusters is not None or known is None:
            known = look_at_cov_type(cov_type, clusters, n_rows, weights)
        found = covariance_of(self._optimum, cov_type, known)
        return replace(
            self, covariance=found.matrix, degrees_of_freedom=found.degrees_of_freedom,
            cov_type=cov_type, n_clusters=None if known is None else known.n_clusters,
            _clusters=known,
        )  # fmt: skip

    # ---- tests

    def wald_test(self, hypothesis: ArrayLike) -> HypothesisTest:
        """Return the Wald test of linear restrictions, by the covariance that is held.

        Parameters
        ----------
        hypothesis : str, sequence of str, array-like or (array-like, values)
            As ``"x1 = x2"``, ``"x1 = 0, x2 = 0"``, ``"2 * x1 - x2 = 1"``; ``"x1"`` is ``"x1 = 0"``
            and the name of a categorical column all of its coefficients. Or a matrix of shape
            (n_restrictions, n_coefficients), and values that its products with the coefficients
            have, 0 by default.

        Raises
        ------
        TypeError, ValueError
            If the hypothesis is not understood, or its restrictions depend on each other.
        """
        contrasts = contrasts_of(hypothesis, self.names, self.terms)
        if self.degrees_of_freedom is not None and self._clusters is not None:
            return wald_of_clusters(
                contrasts, self.coef, self._optimum, self.cov_type, self._clusters
            )
        return wald(contrasts, self.coef, self.covariance)

    def score_test(self, hypothesis: ArrayLike) -> HypothesisTest:
        """Return Rao's score test of linear restrictions, by the model's information.

        See `wald_test` for hypotheses. Fits once more, under the restrictions.
        """
        self._refuse_pseudo("a score test")
        return score(contrasts_of(hypothesis, self.names, self.terms), self._optimum)

    def likelihood_ratio_test(self, hypothesis: ArrayLike | Inference) -> HypothesisTest:
        """Return the likelihood-ratio test of linear restrictions, or against a smaller model.

        Parameters
        ----------
        hypothesis : as of `wald_test`, or Inference
            Another inference is of a model of the same rows that has some of the columns.

        Raises
        ------
        TypeError, ValueError
            As `wald_test`; or if the weights are no counts, so that there is no likelihood, or the
            other model is not nested in this one.
        """
        self._refuse_pseudo("a likelihood-ratio test")
        if isinstance(hypothesis, Inference):
            return nested(self, hypothesis)
        return likelihood_ratio(contrasts_of(hypothesis, self.names, self.terms), self._optimum)

    def term_tests(self) -> dict[str, HypothesisTest]:
        """Return the Wald test of each column of X, of a categorical one all levels together."""
        tests = {term: self.wald_test(self._matrix_of(term)) for term in self.terms}
        return {term: replace(test, hypothesis=term) for term, test in tests.items()}

    def diagnostics(self) -> Diagnostics:
        """Return residuals, influence and goodness of fit, each computed when it is asked for.

        Raises
        ------
        ValueError
            If the fit has a fractional response.
        """
        from .diagnostics import Diagnostics

        if self.fractional:
            raise ValueError("diagnostics are of labels, the fit has fractional=True")

        return Diagnostics(
            self.names, self.coef, self.standard_errors, self.classes, self.terms, self._optimum
        )

    def _matrix_of(self, term: str) -> Matrix:
        places = self.terms[term]
        matrix = np.zeros((len(places), len(self.coef)))
        matrix[np.arange(len(places)), places] = 1.0
        return matrix

    def _refuse_pseudo(self, what: str, instead: str = "wald_test") -> None:
        if not self.likelihood.is_likelihood:
            quasi = self._optimum.weights.is_quasi
            why = "of shares that are no counts" if quasi else "with weights='probability'"
            raise ValueError(f"{why} there is no likelihood, and so not {what}; use {instead}")

    # ---- tables

    def summary(self, level: float = LEVEL, intervals: str = "wald") -> Summary:
        """Return what statisticians read of a model, as text, HTML, Markdown or LaTeX.

        Parameters
        ----------
        level : float between 0 and 1, default 0.95
            Of the intervals.
        intervals : {"wald", "profile"}, default "wald"
            See `conf_int`.
        """
        from .summary import summary_of

        return summary_of(self, check_level(level), check_option("intervals", intervals, METHODS))

    def to_frame(self, level: float = LEVEL, intervals: str = "wald") -> object:
        """Return the table of coefficients as a pandas data frame, a row for each of `names`.

        Where pandas is not installed it is a dict of arrays, with the names under "term". `level`
        and `intervals` are as of `summary`.
        """
        check_option("intervals", intervals, METHODS)
        return as_frame(self._table(check_level(level), intervals), self.names)

    def _table(self, level: float, method: str) -> dict[str, Array]:
        """Return the columns of the frame."""
        has_odds = self.link == "logit"
        columns = self._columns(self.conf_int(level, method), with_odds=has_odds)
        if self.degrees_of_freedom is not None:
            columns["df"] = self.degrees_of_freedom
        return columns

    def __repr__(self) -> str:
        """Return one line."""
        return (
            f"Inference({len(self.names)} coefficients, {self.cov_type}, "
            f"{self.n_samples:g} observations, log-likelihood {self.log_likelihood:.6g})"
        )
