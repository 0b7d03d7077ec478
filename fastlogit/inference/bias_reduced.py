"""Inference of fits of reduced bias: penalised likelihood-ratio tests and profile intervals."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.special import chdtri

from ..arrays import Array, ArrayLike, Matrix, Vector
from ..bias_reduction.curvature import added_curvature, is_worth_it
from ..bias_reduction.estimate import Dependent, Estimate, estimate
from ..bias_reduction.intercepts import flic_covariance
from ..bias_reduction.profile import Least, Peak, end_of_profile, rise_under
from ..objective.objective import Objective
from ..options import check_level, check_option
from ..result import FitResult
from .contrasts import Contrasts, contrasts_of, places_of
from .distributions import chi2_tail
from .estimates import LEVEL, exponentials, intervals_of
from .fitted import INTERCEPT, coefficients_by_output
from .hypothesis_tests import HypothesisTest
from .inference import Inference
from .likelihood import likelihood_of
from .optimum import Optimum, Point
from .refusals import not_at_optimum, not_identified, refuse_beyond_float64
from .row_weights import RowWeights

if TYPE_CHECKING:
    from .summary import Summary

__all__ = [
    "COV_TYPES",
    "AskedOfReduced",
    "BiasReducedInference",
    "infer_bias_reduced",
    "look_at_cov_type",
]

COV_TYPES = ("nonrobust", "augmented")
METHODS = ("profile", "wald")
# A fit whose coefficients are farther from the estimate, in standard errors, is not of these rows.
FAR = 0.25
# Analytic weights have a mean of 1 to this share.
SAME = 1e-9


@dataclass(frozen=True, eq=False, repr=False)
class BiasReducedInference(Inference):
    """What a fit of reduced bias says of its coefficients; everything else is as in `Inference`.

    P-values and intervals are those of the penalised likelihood with every column's part in its
    determinant, as of R's logistf and brglm2: tests of one coefficient leave the others free.
    Median bias reduction has no such likelihood, and FLIC none of its intercept: these have Wald's.

    Attributes
    ----------
    cov_type : {"nonrobust", "augmented"}
        Of the standard errors: the inverse information at the estimate, as of brglm2, plink2 and
        logistf; or with rows weighted by 1 + leverage, as of the Python package firthmodels, which
        are smaller. Those of FLAC are of the likelihood that it maximises.
    likelihood : Likelihood
        Of the rows alone at the estimate, without the penalty. It is no maximum: AIC and BIC are
        NaN.
    bias_reduction : {"mean", "median", "flic", "flac"}
    penalized_log_likelihood : float or None
        The greatest one, in the units of X: with half the logarithm of the information's
        determinant, of FLAC with the rows that it adds. None for "median".
    """

    bias_reduction: str = "mean"
    penalized_log_likelihood: float | None = None
    _estimate: Estimate | None = field(default=None, repr=False)

    # ---- each coefficient

    @property
    def intervals(self) -> str:
        """What intervals and p-values are made of unless said: "profile", or "wald"."""
        return "wald" if self.bias_reduction == "median" else "profile"

    @cached_property
    def profile_statistics(self) -> Vector:
        """Twice what the penalised log-likelihood falls by with each coefficient at 0.

        (n_coefficients,), chi-squared with one degree of freedom. Of FLIC's intercept it is the
        square of z.

        Raises
        ------
        ValueError
            Of median bias reduction, which maximises no likelihood.
        """
        self._refuse_median("likelihood-ratio statistics")
        values = np.empty(len(self.coef))
        for place in range(len(values)):
            if self._has_wald_only(place):
                values[place] = self.statistics[place] ** 2
                continue
            functions = np.zeros((1, len(values)))
            functions[0, place] = 1.0
            values[place] = 2.0 * self._rise(functions, np.zeros(1))
        return values

    @property
    def p_values(self) -> Vector:
        """P of each coefficient's being 0: of penalised likelihood ratios, of "median" Wald's."""
        if self.intervals == "wald":
            return super().p_values
        return np.array([chi2_tail(float(value), 1) for value in self.profile_statistics])

    @property
    def wald_p_values(self) -> Vector:
        """P of each coefficient's being 0 by z."""
        return super().p_values

    def conf_int(
        self, level: float = LEVEL, method: str | None = None, coefficients: object = None
    ) -> Matrix:
        """Return confidence intervals, (n_coefficients, 2), or of the chosen coefficients.

        Parameters
        ----------
        level : float between 0 and 1, default 0.95
        method : {"profile", "wald"}, optional
            Of the penalised likelihood, found to about 1e-9 of a standard error, or the estimate
            and so many standard errors to each side. "profile" by default, "wald" of "median".
        coefficients : str, int, or sequence of these, optional
            Names, or places in `names`; all by default.

        Raises
        ------
        TypeError, ValueError
            If an argument is not as said, or "median" is asked for a profile.

        References
        ----------
        Heinze and Schemper (2002, Statistics in Medicine 21); Venzon and Moolgavkar (1988, Applied
        Statistics 37).
        """
        found = check_level(level)
        method = self.intervals if method is None else check_option("method", method, METHODS)
        chosen = places_of(coefficients, self.names, self.terms)
        ends = intervals_of(self.coef, self.standard_errors, found)
        if method == "profile":
            self._refuse_median("profile-likelihood intervals")
            for place in chosen:
                if not self._has_wald_only(int(place)):
                    ends[place] = self._profile(int(place), found)
        return ends[chosen]

    def odds_ratio_intervals(
        self, level: float = LEVEL, method: str | None = None, coefficients: object = None
    ) -> Matrix:
        """Return the exponentials of `conf_int`."""
        return exponentials(self.conf_int(level, method, coefficients))

    def _profile(self, place: int, level: float) -> tuple[float, float]:
        """Return the ends of the profile interval of a coefficient, known ones once."""
        known = self._ends.setdefault((place, level), None)
        if known is None:
            function = self._functions[place]
            rise = 0.5 * float(chdtri(1.0, 1.0 - level))
            low = end_of_profile(self._peak, function, -1, rise)
            high = end_of_profile(self._peak, function, 1, rise, self._mirrored(place, low))
            shift = self.coef[place] - float(function @ self._peak.point.theta)
            known = self._ends[place, level] = (low.value + shift, high.value + shift)
        return known

    def _mirrored(self, place: int, low: Least) -> Vector:
        """Return where the upper end would be, if the way there bent as that to the lower one."""
        function, top = self._functions[place], self._peak.point.theta
        back = low.theta - top
        tangent = self._covariance_of_peak @ function
        tangent /= float(tangent @ function)
        value = float(function @ back)
        bent = back - value * tangent
        return top - value * tangent + bent

    @cached_property
    def _ends(self) -> dict[tuple[int, float], tuple[float, float] | None]:
        return {}

    # ---- tests

    def likelihood_ratio_test(self, hypothesis: ArrayLike | Inference) -> HypothesisTest:
        """Return the penalised likelihood-ratio test of linear restrictions.

        Twice what the penalised log-likelihood falls by under the restrictions; its determinant is
        that of all columns. See `wald_test` for hypotheses.

        Raises
        ------
        TypeError, ValueError
            As `wald_test`; of median bias reduction, of FLIC's intercept, and of another inference.
        """
        self._refuse_median("a likelihood-ratio test")
        if isinstance(hypothesis, Inference):
            raise TypeError(
                "penalised likelihoods of two models have determinants of two sizes, and are not "
                "compared: give the restrictions, as 'x1 = 0, x2 = 0'"
            )
        found = contrasts_of(hypothesis, self.names, self.terms)
        if self._has_wald_only(0) and found.matrix[:, 0].any():
            raise ValueError(
                "the intercept of FLIC maximises no penalised likelihood: restrict slopes only, or "
                "use wald_test"
            )
        return self._ratio(found)

    def _ratio(self, contrasts: Contrasts) -> HypothesisTest:
        statistic = 2.0 * self._rise(contrasts.matrix, contrasts.values)
        df = len(contrasts.matrix)
        return HypothesisTest(
            "penalised likelihood ratio", contrasts.text, statistic, df, chi2_tail(statistic, df)
        )

    def score_test(self, hypothesis: ArrayLike) -> HypothesisTest:
        """Raise: there is none; see `likelihood_ratio_test` and `wald_test`."""
        raise ValueError(
            f"of bias_reduction={self.bias_reduction!r} there is no score test; use "
            "likelihood_ratio_test or wald_test"
        )

    @cached_property
    def slopes_test(self) -> HypothesisTest | None:
        """The penalised likelihood-ratio test of all slopes' being 0; None for "median"."""
        n_slopes = self.likelihood.n_slopes
        if self.bias_reduction == "median" or not n_slopes:
            return None
        matrix = np.eye(len(self.coef))[len(self.coef) - n_slopes :]
        return self._ratio(Contrasts(matrix, np.zeros(n_slopes), "all slopes"))

    def term_tests(self) -> dict[str, HypothesisTest]:
        """Return the penalised likelihood-ratio test of each column of X; of "median" Wald's.

        Of a categorical column all levels together.
        """
        if self.intervals == "wald":
            return super().term_tests()
        return {
            term: self._ratio(Contrasts(matrix, np.zeros(len(matrix)), term))
            for term, matrix in ((term, self._matrix_of(term)) for term in self.terms)
        }

    def with_covariance(self, cov_type: str, clusters: ArrayLike = None) -> Inference:
        """Return the same with standard errors of the other convention.

        Parameters
        ----------
        cov_type : {"nonrobust", "augmented"}
        clusters : None
            There are no sandwiches for fits of reduced bias.

        Raises
        ------
        TypeError, ValueError
        """
        assert self._estimate is not None
        look_at_cov_type(cov_type, clusters, self.bias_reduction)
        matrix = _covariance(self._estimate, cov_type)
        outer = self._optimum.parameters_of(np.eye(len(matrix)))
        return replace(self, covariance=outer.T @ matrix @ outer, cov_type=cov_type)

    # ---- the criterion

    @cached_property
    def _peak(self) -> Peak:
        """The criterion at its best, with the exact second derivative where that pays."""
        found = self._estimate
        assert found is not None
        if found.again is not None and found.augmented is not None:
            size = found.augmented.size
            return Peak(found.augmented, found.again.point, np.zeros((size, size)))
        objective, point = found.score.objective, found.found.point
        exact = is_worth_it(objective)
        beside = added_curvature(objective, point) if exact else found.model.beside
        return Peak(found.score, point, beside)

    @cached_property
    def _covariance_of_peak(self) -> Matrix:
        return self._peak.point.root @ self._peak.point.root.T

    @cached_property
    def _functions(self) -> Matrix:
        """The coefficients as functions of the criterion's theta, in rows."""
        own = self._optimum.parameters_of(np.eye(self._optimum.theta.size)).T
        more = len(self._peak.point.theta) - own.shape[1]
        return np.pad(own, ((0, 0), (0, more)))

    def _rise(self, matrix: Matrix, values: Vector) -> float:
        return rise_under(self._peak, matrix @ self._functions, values)[0]

    def _has_wald_only(self, place: int) -> bool:
        return self.bias_reduction == "flic" and self.names[place] == INTERCEPT

    def _refuse_median(self, what: str) -> None:
        if self.bias_reduction == "median":
            raise ValueError(
                f"median bias reduction maximises no likelihood, and has not {what}; use Wald's "
                "(method='wald', wald_test), or fit with bias_reduction='mean'"
            )

    # ---- tables

    def summary(self, level: float = LEVEL, intervals: str | None = None) -> Summary:
        """Return the table, with what its intervals and p-values are made of among the facts.

        Parameters
        ----------
        level : float between 0 and 1, default 0.95
        intervals : {"profile", "wald"}, optional
            See `conf_int`: p-values too.
        """
        from .bias_reduced_summary import summary_of

        return summary_of(self, check_level(level), self._method(intervals))

    def to_frame(self, level: float = LEVEL, intervals: str | None = None) -> object:
        """Return the table of coefficients as a data frame; see `Inference.to_frame`, `summary`."""
        return super().to_frame(level, self._method(intervals))

    def _table(self, level: float, method: str) -> dict[str, Array]:
        columns = super()._table(level, method)
        if method == "profile":
            return columns | {"statistic": self.profile_statistics}
        return columns | {"p_value": self.wald_p_values}

    def _method(self, intervals: str | None) -> str:
        if intervals is None:
            return self.intervals
        method = check_option("intervals", intervals, METHODS)
        if method == "profile":
            self._refuse_median("profile-likelihood intervals")
        return method

    def __repr__(self) -> str:
        """Return one line."""
        return (
            f"BiasReducedInference({len(self.names)} coefficients, {self.bias_reduction}, "
            f"{self.cov_type}, {self.n_samples:g} observations)"
        )


class AskedOfReduced(NamedTuple):
    """What `infer` was asked, looked at."""

    result: FitResult
    objective: Objective
    weights: RowWeights
    cov_type: str
    names: list[str]
    terms: dict[str, list[int]]
    feature_names: list[str]


def look_at_cov_type(cov_type: str, clusters: ArrayLike, kind: str) -> None:
    """Check what covariance of a fit of reduced bias is asked for.

    Raises
    ------
    TypeError, ValueError
    """
    if clusters is not None or (isinstance(cov_type, str) and cov_type[:2] in ("HC", "CR")):
        raise ValueError(
            f"a fit with bias_reduction={kind!r} has standard errors of its information only "
            "(cov_type='nonrobust' or 'augmented'), not sandwiches; for these fit without it "
            "(C=numpy.inf)"
        )
    check_option("cov_type", cov_type, COV_TYPES)
    if cov_type == "augmented" and kind in ("flic", "flac"):
        raise ValueError(
            f"bias_reduction={kind!r} has its own covariance: cov_type='augmented' is for 'mean' "
            "and 'median'"
        )


def infer_bias_reduced(given: AskedOfReduced, sums_to: float) -> BiasReducedInference:
    """Return the inference of a fit of reduced bias; see `infer`.

    `sums_to` is the sum of the weights as the user gave them.
    """
    result, objective, weights = given.result, given.objective, given.weights
    kind = result.bias_reduction
    assert kind is not None
    _refuse_weights(weights, sums_to, kind)
    coef, intercept = coefficients_by_output(result)
    start = objective.join(*objective.from_user(coef, intercept))[0]
    try:
        found = estimate(objective, kind, start)
    except Dependent as error:
        columns = [given.feature_names[column] for column in error.columns]
        raise not_identified(columns, objective.fit_intercept) from None
    apart = found.theta - start
    distance = float(np.sqrt(max(apart @ found.found.point.information @ apart, 0.0)))
    if not distance <= FAR:
        raise not_at_optimum(result, distance)
    covariance = _covariance(found, given.cov_type)
    optimum = _optimum(found, weights, covariance)
    outer = optimum.parameters_of(np.eye(len(covariance)))
    refuse_beyond_float64(np.diag(outer.T @ covariance @ outer), given.names)
    return BiasReducedInference(
        names=given.names,
        coef=optimum.values(found.theta),
        covariance=outer.T @ covariance @ outer,
        cov_type=given.cov_type,
        degrees_of_freedom=None,
        likelihood=replace(likelihood_of(optimum), is_maximum=False),
        classes=result.classes,
        reference=result.classes[0],
        n_clusters=None,
        _fit=result,
        weights=weights.kind if weights.values.size else None,
        terms=given.terms,
        _optimum=optimum,
        _clusters=None,
        bias_reduction=kind,
        penalized_log_likelihood=_penalized(found),
        _estimate=found,
    )


def _refuse_weights(weights: RowWeights, sums_to: float, kind: str) -> None:
    if not weights.values.size or weights.is_frequency:
        return
    if not weights.has_likelihood:
        raise ValueError(
            f"weights='probability' make no likelihood, and bias_reduction={kind!r} is for one: "
            "fit without it (C=numpy.inf), and use cov_type='HC1'"
        )
    if abs(float(weights.values.sum()) - sums_to) > SAME * sums_to:
        raise ValueError(
            f"bias_reduction={kind!r} takes weights as numbers of rows, and analytic ones have a "
            "mean of 1: divide them by their mean, over the rows that have some, and fit again"
        )


def _covariance(found: Estimate, cov_type: str) -> Matrix:
    """Return the covariance of theta, on standardised columns."""
    point = found.found.point
    if cov_type == "augmented":
        rows = point.rows
        # Of a row without its weight: p (1 - p).
        own = 0.25 - rows.beyond * rows.beyond
        matrix = found.score.objective.design.gram(rows.curvature + rows.leverages * own)
        free = point.information.any(axis=0)
        inverse = np.zeros_like(matrix)
        inverse[np.ix_(free, free)] = np.linalg.inv(matrix[np.ix_(free, free)])
        return inverse
    if found.curvature is not None:
        return flic_covariance(found.score.objective, found.curvature, point.root)
    root = point.root if found.again is None else found.again.point.root[:-1]
    return root @ root.T


def _optimum(found: Estimate, weights: RowWeights, covariance: Matrix) -> Optimum:
    """Return the estimate in the form of an optimum, for what looks at rows again."""
    score = found.score
    objective, total = score.objective, score.total
    state, curvature, residuals = objective.rows.derivatives(found.theta[None])
    free = covariance.any(axis=0)
    root = np.zeros_like(covariance)
    root[np.ix_(free, free)] = np.linalg.cholesky(covariance[np.ix_(free, free)])
    gradient = objective.join(state.gradient, state.intercept_gradient)[0]
    point = Point(float(state.cost.sum()), gradient, root * np.sqrt(total), curvature, residuals)
    return Optimum(objective, weights, found.theta, point, 0)


def _penalized(found: Estimate) -> float | None:
    """Return the greatest penalised log-likelihood in the units of X."""
    return None if found.kind == "median" else -found.last.point.cost
