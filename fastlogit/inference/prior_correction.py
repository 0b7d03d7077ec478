"""Prior correction: the intercept for a population that was not sampled as it is.

Where rows were sampled by their class, or weighted by it, with rates r_k of class k, the odds of a
fit are those of the population times the ratio of the rates: slopes are right as they are, and each
class's intercept is too large by log r_k (Prentice and Pyke, 1979; King and Zeng, 2001).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from ..arrays import ArrayLike, Floats, Labels, Vector
from ..inputs import validation
from ..inputs.conversion import as_labels, as_numbers
from ..result import FitResult
from .fitted import HasResult, result_of

__all__ = ["prior_correction"]

# By how much shares that should add up to 1 may miss it.
ROUNDED = 1e-6


def prior_correction(
    fitted: FitResult | HasResult,
    y: ArrayLike = None,
    *,
    sample_weight: ArrayLike = None,
    prevalence: ArrayLike = None,
    sampling_fractions: ArrayLike = None,
    class_weight: object = None,
) -> FitResult:
    """Return a fit with its intercept, and so its probabilities, corrected for another prior.

    For case-control samples, whose classes do not have the shares of the population, and for fits
    with class weights, whose probabilities are those of the weighted rows. Slopes, odds ratios and
    their errors need no correction, and the order of the rows by probability stays.

    Parameters
    ----------
    fitted : FitResult or estimator
        A fit with an intercept, of two classes or a softmax, with a penalty or without.
    y : array-like of shape (n_samples,), optional
        The labels of the fit; needed with `prevalence`, and with ``class_weight="balanced"``.
    sample_weight : array-like of shape (n_samples,), optional
        The weights of the fit, where y is needed.
    prevalence : float, mapping of labels, or array-like of shape (n_classes,), optional
        The share of each class in the population, as it is known; of two classes a number is that
        of the second.
    sampling_fractions : mapping of labels or array-like of shape (n_classes,), optional
        The share of each class of the population that was sampled; only their ratios matter.
    class_weight : dict or "balanced", optional
        The class weights of the fit; those of an estimator are known.

    Returns
    -------
    FitResult
        With another intercept; `message` says so. All else is that of the fit: its bounds, cost and
        history are of the intercept before.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type, shape or value, there is nothing to correct for, or the
        fit has no intercept of its own or is one-vs-all.

    References
    ----------
    Prentice and Pyke (1979, Biometrika 66); King and Zeng (2001, Political Analysis 9).

    Examples
    --------
    >>> import numpy as np
    >>> from fastlogit import fit, prior_correction
    >>> X = np.array([[0.5], [1.2], [-0.3], [2.1], [0.8], [-1.1]])
    >>> y = np.array([0, 1, 0, 1, 1, 1])
    >>> result = fit(X, y)
    >>> corrected = prior_correction(result, y, prevalence=0.1)
    >>> round(corrected.intercept - result.intercept, 4)  # log(1/9) - log(4/2)
    -2.8904
    """
    result = result_of(fitted)
    _refuse_others(result)
    own_weight = getattr(fitted, "class_weight", None)
    if class_weight is None:
        class_weight = own_weight
    if prevalence is not None and sampling_fractions is not None:
        raise ValueError("give prevalence or sampling_fractions, not both: one follows from both")
    classes = result.classes
    if prevalence is not None:
        shares = _shares(y, sample_weight, class_weight, result, "prevalence")
        wanted = _of_classes("prevalence", prevalence, classes)
        if abs(wanted.sum() - 1.0) > ROUNDED:
            raise ValueError(
                f"prevalence has shares {wanted.tolist()} of the classes {classes.tolist()}, which "
                f"add up to {wanted.sum():.6g}, not to 1"
            )
        rates = shares / wanted
    elif sampling_fractions is not None or class_weight is not None:
        rates = _weights_of(class_weight, y, sample_weight, result)
        if sampling_fractions is not None:
            rates = rates * _of_classes("sampling_fractions", sampling_fractions, classes)
    else:
        raise ValueError(
            "there is nothing to correct for: give the prevalence of the population, the "
            "sampling_fractions of the classes, or the class_weight of the fit"
        )
    return _moved(result, np.log(rates))


def _refuse_others(result: FitResult) -> None:
    if result.fractional:
        raise ValueError(
            "a prior is corrected of rows sampled by their class, the fit has fractional=True: its "
            "rows have shares, and no class"
        )
    if result.loss is not None:
        raise ValueError(
            f"a prior is corrected on the scale of log-odds, which {type(result.loss).__name__} "
            "has not: fit with the logistic loss"
        )
    if len(result.classes) > 2 and result.multi_class != "multinomial":
        raise ValueError(
            "the fit has a model for each class against all others, which sampling by class "
            "changes in their slopes, too: fit with multi_class='multinomial'"
        )
    if not result.fit_intercept:
        raise ValueError("the fit has no intercept of its own, which the correction changes")


def _moved(result: FitResult, logs: Vector) -> FitResult:
    """Return the fit with log rates subtracted from its intercepts."""
    intercept: float | Vector
    if len(logs) == 2:
        intercept = float(result.intercept) - float(logs[1] - logs[0])
    else:
        # As intercepts of a softmax, the changes add up to 0.
        intercept = np.asarray(result.intercept) - (logs - logs.mean())
    message = f"{result.message}; then its intercept was corrected for another prior"
    return replace(result, intercept=intercept, message=message)


def _of_classes(name: str, given: ArrayLike, classes: Labels) -> Vector:
    """Return a positive number for each class.

    Raises
    ------
    TypeError, ValueError
        If it is not that.
    """
    labels = classes.tolist()
    if isinstance(given, Mapping):
        unlike = [label for label in given if label not in labels]
        lacking = [label for label in labels if label not in given]
        if unlike or lacking:
            raise ValueError(
                f"{name} needs a number for each of the classes {labels[:10]}, and no other; got "
                f"{list(given)[:10]}"
            )
        given = [given[label] for label in labels]
    values = np.asarray(as_numbers(name, given), dtype=np.float64)
    if values.ndim == 0 and name == "prevalence" and len(labels) == 2:
        values = np.array([1.0 - float(values), float(values)])
    if values.shape != (len(labels),):
        raise ValueError(
            f"{name} needs a number for each of the classes {labels[:10]}, found shape "
            f"{values.shape}"
        )
    if not (np.isfinite(values).all() and (values > 0.0).all()):
        between = "between 0 and 1" if name == "prevalence" else "above 0"
        raise ValueError(f"{name} must be {between} for each class, got {given!r}")
    return values


def _shares(
    y: ArrayLike, sample_weight: ArrayLike, class_weight: object, result: FitResult, what: str
) -> Vector:
    """Return the share of each class in the weighted rows of the fit."""
    if y is None:
        raise ValueError(f"{what} needs y, the labels of the fit, for the shares that they have")
    classes, labels = result.classes, as_labels(y)
    n_samples = labels.shape[0] if labels.ndim else 1
    codes = validation.encode_known_labels(y, n_samples, classes)
    weights = validation.check_weights(sample_weight, n_samples)
    rows = weights if weights.size else np.ones(n_samples)
    counts = np.bincount(codes, weights=rows, minlength=len(classes)).astype(np.float64)
    if not counts.all():
        raise ValueError(f"y has no row of {classes[int(np.argmin(counts))]!r}, a class of the fit")
    if class_weight is not None:
        counts = counts * _per_class(class_weight, counts, classes)
    found: Vector = counts / counts.sum()
    return found


def _weights_of(
    class_weight: object, y: ArrayLike, sample_weight: ArrayLike, result: FitResult
) -> Vector:
    """Return the weight of each class."""
    if class_weight is None:
        return np.ones(len(result.classes))
    shares: Floats = np.ones(len(result.classes))
    if isinstance(class_weight, str):
        shares = _shares(y, sample_weight, None, result, f"class_weight={class_weight!r}")
    return _per_class(class_weight, shares, result.classes)


def _per_class(class_weight: object, shares: Floats, classes: Labels) -> Vector:
    """Return weights of the classes, balanced ones inverse to their shares.

    Raises
    ------
    TypeError, ValueError
        If they are no class weights, of labels that are no classes, or not above 0.
    """
    if isinstance(class_weight, str) and class_weight == "balanced":
        return shares.sum() / (len(classes) * shares)
    if not isinstance(class_weight, Mapping):
        raise TypeError(
            f"class_weight must be a dict of labels or 'balanced', got {class_weight!r}"
        )
    labels = classes.tolist()
    unknown = [label for label in class_weight if label not in labels]
    if unknown:
        raise ValueError(
            f"class_weight names {unknown[:10]}, no classes of the fit, which are {labels[:10]}; "
            "give a weight for these alone"
        )
    # As in scikit-learn, a class that is not named has weight 1.
    whole = {label: class_weight.get(label, 1.0) for label in labels}
    return _of_classes("class_weight", whole, classes)
