"""`infer`: from a fit and its rows to an `Inference`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import overload

import numpy as np

from ..arrays import ArrayLike
from ..design.opening import open_rows
from ..inputs.given import Data
from ..inputs.table_source import TableSource
from ..inputs.values import show
from ..objective.objective import Objective
from ..options import check_option
from ..result import FitResult
from .bias_reduced import AskedOfReduced, infer_bias_reduced
from .bias_reduced import look_at_cov_type as look_at_cov_type_of_reduced
from .clusters import Clusters
from .covariance import covariance_of, look_at_cov_type
from .fitted import (
    INTERCEPT,
    HasResult,
    Names,
    look_at_rows_of_fit,
    names_of,
    place_of_reference,
    refuse_repeated,
    result_of,
)
from .high_dimensional import HighDimensionalInference, corrected_of, plain_weights
from .inference import Inference
from .likelihood import likelihood_of
from .optimum import find_optimum, objective_of_fit
from .refusals import refuse_beyond_float64, refuse_other_fits
from .row_weights import RowWeights, weights_by_name

__all__ = ["infer", "inference_of", "names_of_coefficients", "refuse_many_coefficients"]

# A covariance of more coefficients would take too much memory (128 MB).
MOST_COEFFICIENTS = 4000
CORRECTIONS = ("high-dimensional",)


@overload
def infer(
    fitted: FitResult | HasResult, X: ArrayLike, y: ArrayLike = ..., *,
    sample_weight: ArrayLike = ...,
    offset: ArrayLike = ..., weights: str | None = ..., cov_type: str | None = ...,
    clusters: ArrayLike = ..., reference: object = ..., correction: None = ...,
    n_threads: int | None = ...,
) -> Inference: ...  # fmt: skip


@overload
def infer(
    fitted: FitResult | HasResult, X: ArrayLike, y: ArrayLike = ..., *,
    sample_weight: ArrayLike = ...,
    offset: ArrayLike = ..., weights: str | None = ..., cov_type: str | None = ...,
    clusters: ArrayLike = ..., reference: object = ..., correction: str,
    n_threads: int | None = ...,
) -> HighDimensionalInference: ...  # fmt: skip


def infer(
    fitted: FitResult | HasResult,
    X: ArrayLike,
    y: ArrayLike = None,
    *,
    sample_weight: ArrayLike = None,
    offset: ArrayLike = None,
    weights: str | None = None,
    cov_type: str | None = None,
    clusters: ArrayLike = None,
    reference: object = None,
    correction: str | None = None,
    n_threads: int | None = None,
) -> Inference | HighDimensionalInference:
    """Return standard errors, tests and intervals of a fit without a penalty, or of reduced bias.

    Refines the fit to all digits of its coefficients, which takes a pass over the rows and one for
    the information matrix, or two of each; HC2 and HC3 take two passes more, clusters one.

    Parameters
    ----------
    fitted : FitResult or estimator
        A fit without a penalty (``C=numpy.inf``) of two classes with any link, or of a fractional
        response, or a softmax; or one of reduced bias (``penalty="firth"``, `bias_reduction`),
        which has penalised likelihood-ratio tests and profile intervals, see
        `BiasReducedInference`.
    X : array-like of shape (n_samples, n_features)
        The rows of the fit: whatever `fit` takes, but batches. A `ParquetSource` or `ArrowSource`
        brings labels, weights, offset and clusters along, those that it has.
    y : array-like of shape (n_samples,)
        Their labels, or shares. Left out with a source.
    sample_weight : array-like of shape (n_samples,), optional
        The weights of the fit; an estimator's `class_weight` comes on top.
    offset : array-like of shape (n_samples,) or (n_samples, n_classes), optional
        The offset of the fit.
    weights : {"frequency", "probability", "analytic"}, optional
        What the weights are; needed where some are neither 0 nor 1. Frequencies are counts of equal
        rows, and n is their sum. Probability weights, inverse to those of being sampled, make no
        likelihood: they need a robust `cov_type`. Analytic weights are precisions of rows that are
        means. Both are scaled to a mean of 1. Rows of weight 0 count nowhere.
    cov_type : str, optional
        By default "nonrobust", and "HC0" for a fractional response that is no count, whose
        likelihood is none (Papke and Wooldridge, 1996).
        "nonrobust" is the inverse of the observed information; "HC0" to "HC3" are sandwiches for
        rows that are independent; "CR0", "CR1" (factor G / (G - 1)), "CR1S" (besides
        (n - 1) / (n - k)), "CR2" and "CR3" (with Satterthwaite's degrees of freedom) for clusters.
        Of a fit with `bias_reduction` "nonrobust" is the inverse information at the estimate, and
        "augmented" that of rows weighted by 1 + leverage; there are no others.
    clusters : array-like of shape (n_samples,), or a tuple of two, optional
        The cluster of each row, of any type; two for two-way clusters (Cameron, Gelbach and Miller,
        2011).
    reference : label, optional
        Of more than two classes the one that the others are compared with; the first by default.
    correction : {"high-dimensional"}, optional
        Correct bias and errors of maximum likelihood for columns that are no small share of the
        rows, see `high_dimensional`, which also has estimates where there is no maximum.
    n_threads : int, optional
        None takes what the process may use. The result has the same bits for every number.

    Returns
    -------
    Inference
        With a correction a `HighDimensionalInference`.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type, shape or value; if the fit has a penalty or bounds, its
        classes are separable, columns are combinations of others, or it is far from its optimum.

    References
    ----------
    White (1980, Econometrica 48); MacKinnon and White (1985, Journal of Econometrics 29); Bell and
    McCaffrey (2002, Survey Methodology 28); Pustejovsky and Tipton (2018, Journal of Business &
    Economic Statistics 36).

    Examples
    --------
    >>> import numpy as np
    >>> from fastlogit import fit, infer
    >>> X = np.array([[0.5], [1.2], [-0.3], [2.1], [0.8], [-1.1]])
    >>> y = np.array([0, 1, 0, 1, 1, 1])
    >>> found = infer(fit(X, y, C=np.inf), X, y)
    >>> found.standard_errors.round(4).tolist()
    [0.9763, 1.0124]
    """
    result = result_of(fitted)
    refuse_other_fits(result, takes_links=correction is None)
    place = place_of_reference(reference, result.classes)
    data = look_at_rows_of_fit(fitted, X, y, sample_weight, offset)
    if isinstance(X, TableSource) and clusters is None and (cov_type or "").startswith("CR"):
        clusters = X.clusters_of_rows()
    n_rows = data.rows.X.shape[0]
    _refuse_absent_classes(data, result)
    known = weights_by_name(data.weights, weights, n_rows).of_shares(data.shares)
    if correction is not None:
        _look_at_correction(correction, cov_type, data, known)
        if result.bias_reduction is not None:
            raise ValueError(
                f"correction={correction!r} is of maximum likelihood, the fit has "
                f"bias_reduction={result.bias_reduction!r}"
            )
        objective = objective_of_fit(result, open_rows(data.rows.X, n_threads), data, known)
        return corrected_of(objective, names_of(result).features, result.classes, known, 1.0)
    cov_type = cov_type or ("HC0" if known.is_quasi else "nonrobust")
    if result.bias_reduction is not None:
        look_at_cov_type_of_reduced(cov_type, clusters, result.bias_reduction)
    else:
        ways = look_at_cov_type(cov_type, clusters, n_rows, known)
    refuse_many_coefficients(result)
    names = names_of(result)
    objective = objective_of_fit(result, open_rows(data.rows.X, n_threads), data, known)
    if result.bias_reduction is not None:
        all_names, terms = names_of_coefficients(names, result, place)
        total = float(data.weights.sum()) if data.weights.size else float(n_rows)
        asked = AskedOfReduced(result, objective, known, cov_type, all_names, terms, names.features)
        return infer_bias_reduced(asked, total)
    kind = known.kind if data.weights.size else None
    return inference_of(result, objective, known, cov_type, ways, kind, place)


def refuse_many_coefficients(result: FitResult) -> None:
    """Raise for more coefficients than a covariance is made of."""
    n_outputs = max(1, len(result.classes) - 1)
    n_coefficients = n_outputs * (len(result.coef) + result.fit_intercept)
    if n_coefficients > MOST_COEFFICIENTS:
        raise ValueError(
            f"the covariance would have {n_coefficients} rows, more than {MOST_COEFFICIENTS}; "
            "fastlogit.bootstrap has standard errors of single coefficients"
        )


def inference_of(
    result: FitResult, objective: Objective, weights: RowWeights, cov_type: str,
    clusters: Clusters | None, kind: str | None, place: int,
) -> Inference:  # fmt: skip
    """Return the inference of a fit without a penalty, wherever its rows lie.

    Parameters
    ----------
    result : FitResult
    objective : Objective
        Mean loss of the rows of the fit, on standardised columns.
    weights : RowWeights
    cov_type : str
    clusters : Clusters or None
        Those that it asks for.
    kind : str or None
        What the weights are, where there are some.
    place : int
        Of the class that others are compared with.
    """
    names = names_of(result)
    optimum = find_optimum(result, objective, weights, names.features, place)
    covariance = covariance_of(optimum, cov_type, clusters)
    all_names, terms = names_of_coefficients(names, result, place)
    refuse_beyond_float64(np.diag(covariance.matrix), all_names)
    return Inference(
        names=all_names,
        coef=optimum.values(optimum.theta),
        covariance=covariance.matrix,
        cov_type=cov_type,
        degrees_of_freedom=covariance.degrees_of_freedom,
        likelihood=likelihood_of(optimum),
        classes=result.classes,
        reference=result.classes[place],
        n_clusters=None if clusters is None else clusters.n_clusters,
        weights=kind,
        terms=terms,
        link=result.link,
        fractional=result.fractional,
        _optimum=optimum,
        _clusters=clusters,
        _fit=result,
    )


def _look_at_correction(
    correction: str, cov_type: str | None, data: Data, weights: RowWeights
) -> None:
    """Raise for a correction that is not known, or goes with nothing else that is asked."""
    check_option("correction", correction, CORRECTIONS)
    if cov_type not in (None, "nonrobust"):
        raise ValueError(
            f"correction={correction!r} has a covariance of its own: leave out cov_type="
            f"{cov_type!r}"
        )
    if data.offset.size:
        raise ValueError(f"correction={correction!r} knows no offset")
    plain_weights(weights)


def _refuse_absent_classes(data: Data, result: FitResult) -> None:
    """Raise where no row of a class counts: coefficients of the class have no optimum."""
    if data.shares is not None or data.weights.ndim > 1:
        return
    if len(result.classes) == 2 and not data.weights.size:  # counted ten times as fast
        n_second = np.count_nonzero(data.codes)
        found = np.array([len(data.codes) - n_second, n_second])
    else:
        weights = data.weights if data.weights.size else None
        found = np.bincount(data.codes, weights=weights, minlength=len(result.classes))
    absent = result.classes[found == 0.0].tolist()
    if absent:
        raise ValueError(
            f"no row of the class {', '.join(map(show, absent[:10]))} has positive weight: its "
            "probability is 0, and coefficients have no optimum. Give inference all rows of the "
            "fit; a class without rows is left out of the fit"
        )


def names_of_coefficients(
    names: Names, result: FitResult, reference: int
) -> tuple[list[str], dict[str, list[int]]]:
    """Return the names of all coefficients, and which belong to a term."""
    own = [INTERCEPT, *names.features] if result.fit_intercept else names.features
    of_terms = [None, *names.terms] if result.fit_intercept else names.terms
    labels: Sequence[object] = [None]
    if len(result.classes) > 2:
        labels = np.delete(result.classes, reference).tolist()
    all_names = [name if label is None else f"{label}:{name}" for label in labels for name in own]
    refuse_repeated(all_names)
    terms: dict[str, list[int]] = {}
    for place, term in enumerate([*of_terms] * len(labels)):
        if term is not None:
            terms.setdefault(term, []).append(place)
    return all_names, terms
