"""`ordinal_logit`: regression of ordered classes, by proportional odds or another link."""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from ..arrays import Array, ArrayLike, Integers, Labels, Matrix, Vector
from ..design.opening import open_rows
from ..inference.contrasts import contrasts_of
from ..inference.covariance import look_at_cov_type
from ..inference.estimates import LEVEL, TabledEstimates
from ..inference.hypothesis_tests import HypothesisTest, wald
from ..inference.refusals import not_identified, refuse_beyond_float64
from ..inference.row_weights import weights_by_name
from ..inputs import validation
from ..inputs.batches import BatchSource
from ..inputs.categories import Categories
from ..inputs.given import OfFit, Rows, look_at_rows, with_columns_of_source
from ..objective.binomial import Binomial
from ..objective.labelled_rows import LabelledRows
from ..objective.objective import Objective
from ..options import check_category_options, check_level, check_option
from ..prediction import raw_prediction
from .nested import nested_ratio, ratio_of, refuse_other
from .ordinal_brant import BrantTest, brant
from .ordinal_classes import ordered_codes
from .ordinal_covariance import (
    COV_TYPES,
    OrdinalOptimum,
    covariance_of,
    in_units,
)
from .ordinal_losses import LINKS
from .ordinal_model import OrdinalRows, Unfinished, maximum, proven_gain
from .ordinal_parallel import ParallelLinesTest, parallel_lines
from .ordinal_separation import refuse_separable, refuse_without_optimum

if TYPE_CHECKING:
    from ..inference.summary import Summary

__all__ = ["OrdinalResult", "ordinal_logit"]

MOST_COEFFICIENTS = 2000


@dataclass(frozen=True, eq=False)
class OrdinalResult(TabledEstimates):
    """A fitted model of ordered classes, and what can be said of its coefficients.

    ``P(y <= k) = F(threshold_k - x' coef - offset)``: a positive coefficient makes higher classes
    likelier. It holds the rows that it was made of, for the test of proportional odds.

    Attributes
    ----------
    classes : ndarray of shape (n_classes,)
        In their order.
    thresholds : ndarray of shape (n_classes - 1,)
        Between each two classes, rising.
    coef : ndarray of shape (n_features,)
    names : list of str
        Of coefficients and thresholds, in the order of `covariance`: the coefficients first.
    covariance : ndarray of shape (n_features + n_classes - 1,) * 2
    cov_type : {"nonrobust", "HC0", "HC1", "CR0", "CR1", "CR1S"}
        The inverse of the observed information, or a sandwich.
    n_clusters : int or None
    terms : mapping of str to list of int
        Places of the coefficients of each column of X; a categorical one has several.
    link : {"logit", "probit", "cloglog"}
    log_likelihood, null_log_likelihood : float
        Of the model, and of thresholds and offset alone: NaN where the latter was not found, as
        with an offset of the columns that makes outcomes certain.
    n_samples : float
        Observations: rows of weight above 0, or the sum of their frequencies.
    weights : {"frequency", "probability", "analytic"} or None
    decrement : float
        Half the squared Newton decrement where derivatives were taken last, over the cost: an
        estimate of what the mean loss lacked there, before one more step. No proof.
    suboptimality : float
        With the logit link a proven bound on (cost - optimum) / optimum in exact arithmetic; it
        leaves out rounding errors. Infinity for other links, of which nothing is proven.
    n_iter : int
    seconds : float
    feature_names : sequence of str or None
        Names of the columns of X, where all were text.
    categories : fastlogit.inputs.categories.Categories or None
    """

    classes: Labels
    thresholds: Vector
    coef: Vector
    names: list[str]
    covariance: Matrix
    cov_type: str
    n_clusters: int | None
    terms: Mapping[str, list[int]]
    link: str
    log_likelihood: float
    null_log_likelihood: float
    n_samples: float
    weights: str | None
    decrement: float
    suboptimality: float
    n_iter: int
    seconds: float
    feature_names: Sequence[str] | None
    categories: Categories | None
    _found: OrdinalOptimum = field(repr=False)

    # ---- each parameter

    @property
    def parameters(self) -> Vector:
        """Coefficients, then thresholds, as in `names`."""
        return np.concatenate([self.coef, self.thresholds])

    @property
    def _values(self) -> Vector:
        return self.parameters

    # ---- the model as a whole

    @property
    def _counts(self) -> list[float]:
        """Return the weight of each class."""
        rows = self._found.rows
        return np.bincount(rows.codes, rows.weights, rows.n_classes).tolist()

    @property
    def n_parameters(self) -> int:
        """Coefficients and thresholds."""
        return len(self.names)

    @property
    def is_likelihood(self) -> bool:
        """False for sampling weights."""
        return self._found.weights.has_likelihood

    @property
    def aic(self) -> float:
        """Akaike's information criterion; NaN for sampling weights."""
        return 2.0 * (self.n_parameters - self.log_likelihood) if self.is_likelihood else np.nan

    @property
    def bic(self) -> float:
        """Schwarz's information criterion; NaN for sampling weights."""
        if not self.is_likelihood:
            return np.nan
        return float(self.n_parameters * np.log(self.n_samples) - 2.0 * self.log_likelihood)

    @property
    def mcfadden(self) -> float:
        """McFadden's pseudo-R^2 (1974)."""
        return 1.0 - self.log_likelihood / self.null_log_likelihood

    def likelihood_ratio_test(self, part: OrdinalResult | None = None) -> HypothesisTest:
        """Return the likelihood-ratio test against a smaller model.

        Parameters
        ----------
        part : OrdinalResult, optional
            A model of some of the columns, fitted to the same rows; by default that all
            coefficients are 0.

        Raises
        ------
        TypeError, ValueError
            If the other model is not nested in this one, the fit without coefficients was not
            found, or weights are those of sampling.
        """
        self._refuse_pseudo("a likelihood-ratio test")
        if np.isnan(self.null_log_likelihood):
            raise ValueError(
                "the maximum of the likelihood of thresholds and offset alone was not found: is "
                "the offset on the scale of the raw predictions? Use z and p of the coefficients"
            )
        if part is None:
            return ratio_of(self, self.null_log_likelihood, len(self.coef), "all coefficients")
        if not isinstance(part, OrdinalResult):
            raise TypeError(
                f"the smaller model must be an OrdinalResult, got {type(part).__name__}; "
                "wald_test takes hypotheses"
            )
        refuse_other("link", part.link, self.link)
        refuse_other("order of classes", part.classes.tolist(), self.classes.tolist())
        refuse_other("number of rows by class", part._counts, self._counts)
        return nested_ratio(self, part)

    def wald_test(self, hypothesis: ArrayLike) -> HypothesisTest:
        """Return the Wald test of linear restrictions, by the covariance that is held.

        Parameters
        ----------
        hypothesis : str, sequence of str, array-like or (array-like, values)
            As of `Inference.wald_test`, of coefficients and thresholds: ``"x1 = x2"``, the name of
            a column.

        Raises
        ------
        TypeError, ValueError
            If the hypothesis is not understood, or its restrictions depend on each other.
        """
        contrasts = contrasts_of(hypothesis, self.names, self.terms)
        return wald(contrasts, self.parameters, self.covariance)

    def with_covariance(self, cov_type: str, clusters: ArrayLike = None) -> OrdinalResult:
        """Return the same with another covariance, without a fit.

        Parameters
        ----------
        cov_type, clusters
            See `ordinal_logit`.

        Raises
        ------
        TypeError, ValueError
        """
        found = self._found
        ways = look_at_cov_type(cov_type, clusters, found.rows.codes.size, found.weights, COV_TYPES)
        return replace(
            self, covariance=covariance_of(found, cov_type, ways), cov_type=cov_type,
            n_clusters=None if ways is None else ways.n_clusters,
        )  # fmt: skip

    def parallel_lines_test(self, information: str = "observed") -> ParallelLinesTest:
        """Return the score test of proportional odds, with another link of parallel lines.

        That coefficients of each threshold are the same. It fits no other model, so that it is
        there also where Brant's is not. It takes a Gram matrix for each threshold and each two next
        to each other.

        Parameters
        ----------
        information : {"observed", "expected"}, default "observed"
            What the score is measured in: the second derivatives, as SAS's PROC LOGISTIC does, or
            their expectation under the fit, which is surer where cells are empty.

        Returns
        -------
        ParallelLinesTest
            `whole`, and in `of_columns` a test of each coefficient.

        Raises
        ------
        ValueError
            If there are two classes only, or weights are those of sampling.

        References
        ----------
        Peterson and Harrell (1990, Applied Statistics 39).
        """
        check_option("information", information, ("observed", "expected"))
        self._refuse_pseudo("a score test")
        what = "proportional odds" if self.link == "logit" else "parallel lines"
        found, names = self._found, self.names[: len(self.coef)]
        return parallel_lines(found.rows, found.theta, names, what, information)

    def brant_test(self) -> BrantTest:
        """Return Brant's Wald test (1990) of proportional odds.

        Of binary models for each threshold, fitted by themselves: are their coefficients the same?

        Returns
        -------
        BrantTest
            `whole`, and in `of_columns` a test of each coefficient.

        Raises
        ------
        ValueError
            If there are two classes only, the link is not the logit, weights are those of sampling,
            a binary model has no optimum, or the covariance of the differences is none.

        References
        ----------
        Brant (1990, Biometrics 46).
        """
        if self.link != "logit":
            raise ValueError(
                f"Brant's test is of proportional odds, the fit has link={self.link!r}"
            )
        self._refuse_pseudo("a test by the model's covariances")
        return brant(self._found.rows, self.names[: len(self.coef)])

    def _refuse_pseudo(self, what: str) -> None:
        if not self.is_likelihood:
            raise ValueError(
                f"with weights='probability' there is no likelihood, and so not {what}; use "
                "wald_test"
            )

    # ---- predictions

    def raw_prediction(
        self, X: ArrayLike, *, offset: ArrayLike = None, n_threads: int | None = None
    ) -> Vector:
        """Return ``X @ coef``, and the offset if there is one, (n_samples,)."""
        rows = look_at_rows(OfFit(X, self.feature_names, self.categories))
        if rows.X.shape[1] != len(self.coef):
            raise ValueError(f"X has {rows.X.shape[1]} columns, but the fit had {len(self.coef)}")
        return raw_prediction(rows, self.coef, 0.0, offset=offset, n_threads=n_threads)

    def predict_proba(
        self, X: ArrayLike, *, offset: ArrayLike = None, n_threads: int | None = None
    ) -> Matrix:
        """Return the probabilities of all classes, (n_samples, n_classes)."""
        raw = self.raw_prediction(X, offset=offset, n_threads=n_threads)
        ends = np.concatenate([[-np.inf], self.thresholds, [np.inf]])
        log_proba = LINKS[self.link].log_proba
        return np.exp(
            np.column_stack(
                [log_proba(ends[k + 1] - raw, ends[k] - raw) for k in range(len(self.classes))]
            )
        )

    def predict(
        self, X: ArrayLike, *, offset: ArrayLike = None, n_threads: int | None = None
    ) -> Array:
        """Return the likeliest class of each row."""
        proba = self.predict_proba(X, offset=offset, n_threads=n_threads)
        return self.classes[proba.argmax(axis=1)]

    # ---- tables

    def summary(self, level: float = LEVEL) -> Summary:
        """Return what statisticians read of a model, as text, HTML, Markdown or LaTeX."""
        from .ordinal_summary import summary_of

        return summary_of(self, check_level(level))

    def __repr__(self) -> str:
        """Return one line."""
        return (
            f"OrdinalResult({len(self.classes)} classes, {len(self.coef)} columns, "
            f"link={self.link!r}, log-likelihood {self.log_likelihood:.6g})"
        )


def ordinal_logit(
    X: ArrayLike,
    y: ArrayLike,
    *,
    order: Sequence[object] | None = None,
    link: str = "logit",
    sample_weight: ArrayLike = None,
    weights: str | None = None,
    offset: ArrayLike = None,
    cov_type: str = "nonrobust",
    clusters: ArrayLike = None,
    handle_unknown: str = "error",
    n_threads: int | None = None,
) -> OrdinalResult:
    """Fit proportional odds to ordered classes (McCullagh, 1980), by maximum likelihood.

    ``log(P(y <= k) / P(y > k)) = threshold_k - x' coef - offset``, with thresholds that rise, as in
    R's ``MASS::polr``. The likelihood is log-concave in thresholds and coefficients together, so
    that its maximum is the only one; Newton's method with the exact Hessian finds it.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        What `fit` takes, but batches; without a column of ones. Categorical columns of a frame have
        a coefficient for each level but the first.
    y : array-like of shape (n_samples,)
        Numbers, booleans, an ordered pandas Categorical, an Enum of polars, or labels of any kind
        with `order`. Classes that no row has are left out.
    order : sequence, optional
        All labels from the lowest to the highest, each once; needed for text and unordered
        categories.
    link : {"logit", "probit", "cloglog"}, default "logit"
        F of ``P(y <= k) = F(threshold_k - x' coef)``: logistic, normal, or
        ``1 - exp(-exp(.))`` (proportional hazards in grouped time, with the sign of polr).
    sample_weight : array-like of shape (n_samples,), optional
    weights : {"frequency", "probability", "analytic"}, optional
        What the weights are, as in `infer`; needed where some are neither 0 nor 1. Sampling weights
        ("probability") make no likelihood, and need a robust `cov_type`.
    offset : array-like of shape (n_samples,), optional
        Fixed part of the raw predictions, beside ``x' coef``.
    cov_type : {"nonrobust", "HC0", "HC1", "CR0", "CR1", "CR1S"}, default "nonrobust"
        The inverse of the observed information; sandwiches for rows that are independent; or for
        clusters, CR1 with the factor G / (G - 1), CR1S besides (n - 1) / (n - k).
    clusters : array-like of shape (n_samples,), or a tuple of two, optional
        The cluster of each row, of any type; two for two-way clusters.
    handle_unknown : {"error", "zero"}, default "error"
        What a level is at prediction that did not occur in the fit.
    n_threads : int, optional
        None takes what the process may use. The result has the same bits for every number.

    Returns
    -------
    OrdinalResult

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type, shape or value; if columns are combinations of others, or
        the classes are separable.

    References
    ----------
    McCullagh (1980, Journal of the Royal Statistical Society B 42); Burridge (1981, same journal
    43) and Pratt (1981, Journal of the American Statistical Association 76) on its one maximum.

    Examples
    --------
    >>> import numpy as np
    >>> from fastlogit import ordinal_logit
    >>> X = np.array([[0.1], [1.0], [0.4], [1.9], [0.9], [1.2], [2.2], [0.3]])
    >>> y = np.array([0, 1, 0, 2, 0, 2, 1, 1])
    >>> ordinal_logit(X, y).coef.round(3).tolist()
    [1.518]
    """
    began = time.perf_counter()
    check_option("link", link, tuple(LINKS))
    check_option("cov_type", cov_type, COV_TYPES)
    if isinstance(X, BatchSource):
        raise TypeError(
            "X is a BatchSource, but ordinal_logit reads its rows many times: use arrays"
        )
    coding = check_category_options("reference", handle_unknown, None, has_penalty=False)
    X, y, sample_weight, offset = with_columns_of_source(X, y, sample_weight, offset, coding)
    looked = look_at_rows(X, None, coding)
    n_samples, n_features = looked.X.shape
    classes, codes = ordered_codes(y, n_samples, order)
    own = validation.check_weights(sample_weight, n_samples)
    known = weights_by_name(own, weights, n_samples)
    ways = look_at_cov_type(cov_type, clusters, n_samples, known, COV_TYPES)
    classes, codes = _of_weight(classes, codes, known.values)
    fixed, level = _centred(validation.check_offset(offset, n_samples), known.values)
    if n_features + len(classes) - 1 > MOST_COEFFICIENTS:
        raise ValueError(
            f"the covariance would have {n_features + len(classes) - 1} rows, more than "
            f"{MOST_COEFFICIENTS}; leave out columns, or join classes"
        )
    names = _names_of(looked, n_features)
    objective = _standardized(looked, codes, known.values, n_threads, names)
    rows = OrdinalRows(objective.design, codes, len(classes), known.values, fixed, LINKS[link])
    try:
        theta, point, n_iter = maximum(rows)
    except Unfinished as end:
        refuse_without_optimum(rows, end.theta, names)
    refuse_separable(rows, point, names)
    lost = proven_gain(rows, theta, point) if link == "logit" else np.inf
    null_log_likelihood = _null_log_likelihood(rows)
    found = OrdinalOptimum(rows, theta, point, known)
    parameters = in_units(rows, theta[:, None])[:, 0]
    covariance = covariance_of(found, cov_type, ways)
    refuse_beyond_float64(np.diag(covariance)[: len(names)], names)
    least = point.cost - lost
    texts = [str(label) for label in classes.tolist()]
    return OrdinalResult(
        classes=classes,
        thresholds=parameters[n_features:] + level,
        coef=parameters[:n_features],
        names=[*names, *(f"{low}|{high}" for low, high in itertools.pairwise(texts))],
        covariance=covariance,
        cov_type=cov_type,
        n_clusters=None if ways is None else ways.n_clusters,
        terms=_terms_of(looked, names),
        link=link,
        log_likelihood=-rows.total * rows.cost(theta),
        null_log_likelihood=null_log_likelihood,
        n_samples=known.n_samples,
        weights=known.kind if own.size else None,
        decrement=float(0.5 * np.square(point.half_step).sum() / point.cost),
        suboptimality=float(lost / least) if least > 0.0 else np.inf,
        n_iter=n_iter,
        seconds=time.perf_counter() - began,
        feature_names=looked.text_names if looked.categories is None else looked.categories.columns,
        categories=looked.categories,
        _found=found,
    )


def _null_log_likelihood(rows: OrdinalRows) -> float:
    """Return the log-likelihood of thresholds and offset alone; NaN where it is not found."""
    null = rows.without_slopes()
    try:
        theta, _, _ = maximum(null)
    except Unfinished:
        return float("nan")
    return -null.total * null.cost(theta)


def _centred(offset: Vector, weights: Vector) -> tuple[Vector, float]:
    """Return an offset less its mean, which the thresholds take up, and that mean."""
    if not offset.size:
        return offset, 0.0
    used = offset[weights > 0.0] if weights.size else offset
    level = float((used / used.size).sum())
    with np.errstate(over="ignore"):
        found = offset - level
    if not np.isfinite(found).all():
        raise ValueError("differences of the offset leave float64; rescale it")
    return found, level


def _of_weight(classes: Labels, codes: Integers, weights: Vector) -> tuple[Labels, Integers]:
    """Return classes and codes without those of no weight.

    Raises
    ------
    ValueError
        If one class is left.
    """
    counts = np.bincount(codes, weights if weights.size else None, len(classes))
    kept = np.flatnonzero(counts)
    if kept.size < 2:
        where = " among the rows whose sample_weight is positive" if weights.size else ""
        raise ValueError(f"y has one class only{where}")
    places = np.clip(np.cumsum(counts > 0.0) - 1, 0, None)
    return classes[kept], places[codes]


def _names_of(rows: Rows, n_features: int) -> list[str]:
    if rows.categories is not None:
        return list(rows.categories.feature_names)
    return list(rows.text_names or [f"x{column}" for column in range(n_features)])


def _terms_of(rows: Rows, names: Sequence[str]) -> dict[str, list[int]]:
    """Return the places of the coefficients of each column."""
    if rows.categories is None:
        return {name: [place] for place, name in enumerate(names)}
    terms: dict[str, list[int]] = {}
    for place, (term, _) in enumerate(rows.categories.features):
        terms.setdefault(term, []).append(place)
    return terms


def _standardized(
    rows: Rows, codes: Integers, weights: Vector, n_threads: int | None, names: list[str]
) -> Objective:
    """Return the rows on standardised columns; refuse columns that are none."""
    higher = (codes > 0).astype(np.uint8)
    labelled = LabelledRows(open_rows(rows.X, n_threads), Binomial(), higher, [1], weights)
    objective = Objective(labelled, 0.0)
    objective.standardize()
    scale = objective.design.columns.inverse_scale
    if not np.isfinite(scale).all():
        validation.refuse_not_finite(objective.design, rows.names)
    constant = np.flatnonzero(scale == 0.0)
    if constant.size:
        raise not_identified([names[column] for column in constant], True)
    return objective
