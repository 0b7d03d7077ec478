"""From coefficients and rows to raw predictions, probabilities and classes."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import validation
from .elementwise import sigmoid
from .opening import open_design

__all__ = ["predict", "predict_proba", "raw_prediction"]

# Rows with an infinite raw prediction that are looked at again.
MOST_ROWS = 1000


def raw_prediction(X: Any, coef: Any, intercept: Any = 0.0, *, n_threads: int | None = None) -> Any:
    """Return X @ coef + intercept.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Real numbers, finite.
    coef : array-like of shape (n_features,) or (n_features, n_models)
    intercept : float or array-like of shape (n_models,), default 0.0
    n_threads : int, optional
        Number of threads; None takes what the process may use.

    Returns
    -------
    ndarray of shape (n_samples,) or (n_samples, n_models), float64

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type, shape or value.
    """
    design = open_design(X, n_threads)
    coefs, intercepts, single = validation.check_coef(coef, intercept, design.shape[1])
    raw = design.raw_prediction(coefs, intercepts)
    if not np.isfinite(raw).all():
        validation.check_finite(design.X, validation.feature_names(X))
        _refuse_undefined(design, coefs, intercepts, raw)
    return raw[0] if single else raw.T


def predict_proba(X: Any, coef: Any, intercept: Any = 0.0, *, n_threads: int | None = None) -> Any:
    """Return the probability of each class, sigmoid(X @ coef + intercept).

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Real numbers, finite.
    coef : array-like of shape (n_features,) or (n_features, n_classes)
    intercept : float or array-like of shape (n_classes,), default 0.0
    n_threads : int, optional
        Number of threads; None takes what the process may use.

    Returns
    -------
    ndarray of shape (n_samples, 2) or (n_samples, n_classes)
        One model: the probabilities of class 0 and class 1. Several: each class's own
        one-vs-all hypothesis, so that a row need not add up to 1.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type, shape or value.
    """
    raw = raw_prediction(X, coef, intercept, n_threads=n_threads)
    if raw.ndim == 2:
        return sigmoid(raw, n_threads=n_threads)
    proba = np.empty((raw.size, 2))
    # 1 - p from -z, so that a probability near 0 keeps its digits on both sides.
    proba[:, 0] = sigmoid(-raw, n_threads=n_threads)
    proba[:, 1] = sigmoid(raw, n_threads=n_threads)
    return proba


def predict(
    X: Any,
    coef: Any,
    intercept: Any = 0.0,
    *,
    threshold: float = 0.5,
    n_threads: int | None = None,
) -> Any:
    """Return the index of the predicted class of each row.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Real numbers, finite.
    coef : array-like of shape (n_features,) or (n_features, n_classes)
    intercept : float or array-like of shape (n_classes,), default 0.0
    threshold : float in [0, 1], default 0.5
        One model: class 1 is predicted where its probability is at least this. At 0.5 the
        boundary is exactly X @ coef + intercept >= 0.
    n_threads : int, optional
        Number of threads; None takes what the process may use.

    Returns
    -------
    ndarray of shape (n_samples,), intp

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type, shape or value.
    """
    threshold = validation.check_number("threshold", threshold, low=0.0, high=1.0)
    raw = raw_prediction(X, coef, intercept, n_threads=n_threads)
    if raw.ndim == 2:
        if threshold != 0.5:
            raise ValueError(
                f"threshold={threshold} has no meaning for {raw.shape[1]} classes, where the "
                "largest hypothesis wins; leave it at 0.5"
            )
        return np.argmax(raw, axis=1)
    if threshold == 0.5:
        return (raw >= 0.0).astype(np.intp)
    return (sigmoid(raw, n_threads=n_threads) >= threshold).astype(np.intp)


def _refuse_undefined(design: Any, coef: Any, intercept: Any, raw: Any) -> None:
    """Raise where terms too large for float64 cancelled, to NaN or to infinity of either sign."""
    for row in np.flatnonzero(~np.isfinite(raw).all(axis=0))[:MOST_ROWS]:
        with np.errstate(over="ignore", invalid="ignore"):
            values = np.asarray(design.X[row : row + 1])[0].astype(np.longdouble)
            exact = coef.astype(np.longdouble) @ values + intercept
            undefined = ~np.isfinite(raw[:, row]) & ~(np.abs(exact) > np.finfo(np.float64).max)
        if undefined.any():
            raise ValueError(
                f"X @ coef overflows in row {int(row)}: its terms are too large for float64, but "
                "their sum is not; divide the columns of X by their largest value first"
            )
