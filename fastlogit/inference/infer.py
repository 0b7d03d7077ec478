"""`infer`: from a fit and its rows to an `Inference`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..arrays import ArrayLike
from ..design.opening import open_rows
from ..inputs.conversion import show
from ..inputs.given import Data
from ..result import FitResult
from .covariance import covariance_of, look_at_cov_type
from .fitted import INTERCEPT, HasResult, Names, look_at_rows_of_fit, names_of, result_of
from .inference import Inference
from .likelihood import likelihood_of
from .optimum import find_optimum, objective_of_fit
from .refusals import refuse_other_fits
from .row_weights import weights_by_name

__all__ = ["infer"]

# A covariance of more coefficients would take too much memory (128 MB).
MOST_COEFFICIENTS = 4000


def infer(
    fitted: FitResult | HasResult,
    X: ArrayLike,
    y: ArrayLike,
    *,
    sample_weight: ArrayLike = None,
    offset: ArrayLike = None,
    weights: str | None = None,
    cov_type: str = "nonrobust",
    clusters: ArrayLike = None,
    reference: object = None,
    n_threads: int | None = None,
) -> Inference:
    """Return standard errors, tests and intervals of a fit without a penalty.

    Refines the fit to all digits of its coefficients, which takes a pass over the rows and one for
    the information matrix, or two of each; HC2 and HC3 take two passes more, clusters one.

    Parameters
    ----------
    fitted : FitResult or estimator
        A fit without a penalty (``C=numpy.inf``) of two classes, or a softmax.
    X : array-like of shape (n_samples, n_features)
        The rows of the fit: whatever `fit` takes, but batches.
    y : array-like of shape (n_samples,)
        Their labels.
    sample_weight : array-like of shape (n_samples,), optional
        The weights of the fit; an estimator's `class_weight` comes on top.
    offset : array-like of shape (n_samples,) or (n_samples, n_classes), optional
        The offset of the fit.
    weights : {"frequency", "probability", "analytic"}, optional
        What the weights are; needed where some are neither 0 nor 1. Frequencies are counts of equal
        rows, and n is their sum. Probability weights, inverse to those of being sampled, make no
        likelihood: they need a robust `cov_type`. Analytic weights are precisions of rows that are
        means, and are scaled to a mean of 1. Rows of weight 0 count nowhere.
    cov_type : str, default "nonrobust"
        "nonrobust" is the inverse of the observed information; "HC0" to "HC3" are sandwiches for
        rows that are independent; "CR0", "CR1" (factor G / (G - 1)), "CR1S" (besides
        (n - 1) / (n - k)), "CR2" and "CR3" (with Satterthwaite's degrees of freedom) for clusters.
    clusters : array-like of shape (n_samples,), or a tuple of two, optional
        The cluster of each row, of any type; two for two-way clusters (Cameron, Gelbach and Miller,
        2011).
    reference : label, optional
        Of more than two classes the one that the others are compared with; the first by default.
    n_threads : int, optional
        None takes what the process may use. The result has the same bits for every number.

    Returns
    -------
    Inference

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
    refuse_other_fits(result)
    place = _place_of(reference, result)
    data = look_at_rows_of_fit(fitted, X, y, sample_weight, offset)
    n_rows = data.rows.X.shape[0]
    _refuse_absent_classes(data, result)
    known = weights_by_name(data.weights, weights, n_rows)
    ways = look_at_cov_type(cov_type, clusters, n_rows, known)
    n_outputs = max(1, len(result.classes) - 1)
    n_coefficients = n_outputs * (len(result.coef) + result.fit_intercept)
    if n_coefficients > MOST_COEFFICIENTS:
        raise ValueError(
            f"the covariance would have {n_coefficients} rows, more than {MOST_COEFFICIENTS}; "
            "fastlogit.bootstrap has standard errors of single coefficients"
        )
    names = names_of(result)
    objective = objective_of_fit(result, open_rows(data.rows.X, n_threads), data, known)
    optimum = find_optimum(result, objective, known, names.features, place)
    covariance = covariance_of(optimum, cov_type, ways)
    all_names, terms = _names_of_coefficients(names, result, place)
    has_weights = bool(data.weights.size)
    return Inference(
        names=all_names,
        coef=optimum.values(optimum.theta),
        covariance=covariance.matrix,
        cov_type=cov_type,
        degrees_of_freedom=covariance.degrees_of_freedom,
        likelihood=likelihood_of(optimum),
        classes=result.classes,
        reference=result.classes[place],
        n_clusters=None if ways is None else ways.n_clusters,
        weights=known.kind if has_weights else None,
        terms=terms,
        _optimum=optimum,
        _clusters=ways,
    )


def _place_of(reference: object, result: FitResult) -> int:
    """Return the place of the class that the others are compared with."""
    if reference is None:
        return 0
    if len(result.classes) == 2:
        raise ValueError(
            "reference is for more than two classes; of two the coefficients are those of the "
            f"second, {show(result.classes[1])}"
        )
    places = [place for place, label in enumerate(result.classes.tolist()) if label == reference]
    if not places:
        raise ValueError(
            f"reference must be one of the classes {result.classes[:10].tolist()}, "
            f"got {reference!r}"
        )
    return places[0]


def _refuse_absent_classes(data: Data, result: FitResult) -> None:
    """Raise where no row of a class counts: coefficients of the class have no optimum."""
    weights = data.weights if data.weights.size else np.ones(len(data.codes))
    if weights.ndim > 1:
        return
    found = np.bincount(data.codes, weights=weights, minlength=len(result.classes))
    absent = result.classes[found == 0.0].tolist()
    if absent:
        raise ValueError(
            f"no row of the class {', '.join(map(show, absent[:10]))} has positive weight: its "
            "probability is 0, and coefficients have no optimum. Give inference all rows of the "
            "fit; a class without rows is left out of the fit"
        )


def _names_of_coefficients(
    names: Names, result: FitResult, reference: int
) -> tuple[list[str], dict[str, list[int]]]:
    """Return the names of all coefficients, and which belong to a term."""
    own = [INTERCEPT, *names.features] if result.fit_intercept else names.features
    of_terms = [None, *names.terms] if result.fit_intercept else names.terms
    labels: Sequence[object] = [None]
    if len(result.classes) > 2:
        labels = np.delete(result.classes, reference).tolist()
    all_names = [name if label is None else f"{label}:{name}" for label in labels for name in own]
    terms: dict[str, list[int]] = {}
    for place, term in enumerate([*of_terms] * len(labels)):
        if term is not None:
            terms.setdefault(term, []).append(place)
    return all_names, terms
