"""From coefficients and rows to raw predictions, probabilities and classes."""

from __future__ import annotations

import numpy as np

from .arrays import Array, ArrayLike, Floats, Indices, Matrix, Vector
from .design.base import Design
from .design.few import PackedModels, n_outputs
from .design.opening import open_rows
from .elementwise import sigmoid
from .inputs import validation
from .inputs.categories import Categories
from .inputs.coding import as_in_fit
from .inputs.given import OfFit, Rows, look_at_model
from .inputs.values import n_dimensions
from .kernels.hypotheses import BINARY, LOG, ONE_VS_ALL, RAW, SOFTMAX
from .options import check_number, check_option

__all__ = ["class_proba", "predict", "predict_proba", "raw_prediction"]

MULTI_CLASS = ("ovr", "multinomial")

FLOAT64 = np.dtype(np.float64)
# Up to this many numbers of X, times models, a pass is serial and takes no longer than what would
# be saved by the general way: some 10 us.
FEW_NUMBERS = 20_000
# Rows with an infinite raw prediction that are looked at again.
MOST_ROWS = 1000


def raw_prediction(
    X: ArrayLike,
    coef: ArrayLike,
    intercept: ArrayLike = 0.0,
    *,
    offset: ArrayLike = None,
    n_threads: int | None = None,
    categories: Categories | None = None,
) -> Floats:
    """Return X @ coef + intercept.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Real numbers, finite.
    coef : array-like of shape (n_features,) or (n_features, n_models)
    intercept : float or array-like of shape (n_models,), default 0.0
    offset : array-like of shape (n_samples,) or (n_samples, n_models), optional
        Added to the raw predictions.
    n_threads : int, optional
        Number of threads; None takes what the process may use.
    categories : fastlogit.inputs.categories.Categories, optional
        Those of the fit that the coefficients come from, as `PathResult.categories`, where it had
        categorical columns: X is a data frame of its columns then.

    Returns
    -------
    ndarray of shape (n_samples,) or (n_samples, n_models), float64

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type, shape or value.
    """
    if categories is not None:
        X = as_in_fit(X, categories)
    out, single = _hypotheses(X, coef, intercept, offset, n_threads, RAW, RAW)
    return out[:, 0] if single else out


def predict_proba(
    X: ArrayLike,
    coef: ArrayLike,
    intercept: ArrayLike = 0.0,
    *,
    multi_class: str = "ovr",
    offset: ArrayLike = None,
    n_threads: int | None = None,
    categories: Categories | None = None,
) -> Matrix:
    """Return the probability of each class.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Real numbers, finite.
    coef : array-like of shape (n_features,) or (n_features, n_classes)
    intercept : float or array-like of shape (n_classes,), default 0.0
    multi_class : {"ovr", "multinomial"}, default "ovr"
        What several columns of coefficients are: one-vs-all, or softmax.
    offset : array-like of shape (n_samples,) or (n_samples, n_classes), optional
        Added to the raw predictions.
    n_threads : int, optional
        Number of threads; None takes what the process may use.
    categories : fastlogit.inputs.categories.Categories, optional
        Those of the fit that the coefficients come from, as `PathResult.categories`, where it had
        categorical columns: X is a data frame of its columns then.

    Returns
    -------
    ndarray of shape (n_samples, 2) or (n_samples, n_classes)
        One model: the probabilities of class 0 and class 1. Softmax: rows add up to 1. One-vs-all:
        each class's own hypothesis, sigmoid(X @ coef + intercept), so that a row need not add up
        to 1; `class_proba` normalises them.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type, shape or value.
    """
    if categories is not None:
        X = as_in_fit(X, categories)
    several = n_dimensions("coef", coef) == 2
    if several and check_option("multi_class", multi_class, MULTI_CLASS) == "ovr":
        raw = raw_prediction(X, coef, intercept, offset=offset, n_threads=n_threads)
        return sigmoid(raw, out=raw, n_threads=n_threads)
    return class_proba(X, coef, intercept, multi_class, offset=offset, n_threads=n_threads)


def class_proba(
    X: ArrayLike,
    coef: ArrayLike,
    intercept: ArrayLike,
    multi_class: str,
    *,
    log: bool = False,
    offset: ArrayLike = None,
    n_threads: int | None = None,
) -> Matrix:
    """Return probabilities of the classes that add up to 1 in each row, or their logarithms.

    Parameters
    ----------
    X, coef, intercept, multi_class, offset, n_threads
        As in `predict_proba`; one-vs-all hypotheses are divided by their sum.
    log : bool, default False
        Return logarithms, which are finite where a probability underflows.

    Returns
    -------
    ndarray of shape (n_samples, n_classes)

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type, shape or value.
    """
    several = (
        SOFTMAX
        if check_option("multi_class", multi_class, MULTI_CLASS) == "multinomial"
        else ONE_VS_ALL
    )
    return _hypotheses(
        X, coef, intercept, offset, n_threads, BINARY + LOG * log, several + LOG * log
    )[0]


def _hypotheses(
    X: ArrayLike, coef: ArrayLike, intercept: ArrayLike, offset: ArrayLike,
    n_threads: int | None, of_one: int, of_several: int,
) -> tuple[Matrix, bool]:  # fmt: skip
    """Return what is asked for, a row for each of X, and whether one model was meant.

    `of_one` and `of_several` are what is asked of one model, and of a table of them.
    """
    if offset is None and n_threads is None:
        is_coded = type(X) is OfFit and X.categories is not None
        array = X.X if type(X) is Rows or type(X) is OfFit else X
        if not is_coded and type(array) is np.ndarray and type(coef) is np.ndarray:
            found = _of_few(array, coef, intercept, of_one if coef.ndim == 1 else of_several)
            if found is not None:
                return found, coef.ndim == 1
    rows, coefs, intercepts, single, fixed = look_at_model(X, coef, intercept, offset)
    design = open_rows(rows.X, n_threads)
    n_samples = design.shape[0]
    fixed = fixed.reshape(-1 if fixed.size else 0, n_samples)
    kind = of_one if single else of_several
    out = np.empty((n_samples, n_outputs(kind, len(coefs))))
    if not design.hypotheses(coefs, intercepts, fixed, kind, out):
        validation.refuse_not_finite(design, rows.names)
        raw = design.raw_prediction(coefs, intercepts)
        _refuse_undefined(design, coefs, intercepts, raw)
    return out, single


def _of_few(X: Array, coef: Array, intercept: object, kind: int) -> Matrix | None:
    """Return what is asked of few rows, without a design; None where anything is out of the plain.

    The kernel and the bits are those of many rows. A row of 30 takes 7 us, where the general way
    takes 40. What is not finite spoils a raw prediction: the general way has the words for it.
    """
    if not (
        X.ndim == 2
        and coef.dtype == FLOAT64
        and 0 < X.size <= FEW_NUMBERS
        and X.dtype == FLOAT64
        and X.flags.carray
        and 1 <= coef.ndim <= 2
        and coef.shape[0] == X.shape[1]
    ):
        return None
    if type(intercept) is float or type(intercept) is np.float64:
        if coef.ndim == 2:
            return None
        model = PackedModels(coef[None], np.array([intercept]))
    elif type(intercept) is np.ndarray and coef.ndim == 2 and intercept.dtype == FLOAT64:
        if X.size * coef.shape[1] > FEW_NUMBERS or intercept.shape != coef.shape[1:]:
            return None
        model = PackedModels(coef.T, intercept)
    else:
        return None
    out = np.empty((X.shape[0], n_outputs(kind, len(model.intercept))))
    return out if model.hypotheses(X, kind, out) else None


def predict(
    X: ArrayLike,
    coef: ArrayLike,
    intercept: ArrayLike = 0.0,
    *,
    threshold: float = 0.5,
    n_threads: int | None = None,
    categories: Categories | None = None,
) -> Indices:
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
    categories : fastlogit.inputs.categories.Categories, optional
        Those of the fit that the coefficients come from, as `PathResult.categories`, where it had
        categorical columns: X is a data frame of its columns then.

    Returns
    -------
    ndarray of shape (n_samples,), intp

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type, shape or value.
    """
    threshold = check_number("threshold", threshold, low=0.0, high=1.0)
    raw = raw_prediction(X, coef, intercept, n_threads=n_threads, categories=categories)
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


def _refuse_undefined(design: Design, coef: Matrix, intercept: Vector, raw: Matrix) -> None:
    """Raise where terms too large for float64 cancelled, to NaN or to a false infinity."""
    for row in np.flatnonzero(~np.isfinite(raw).all(axis=0))[:MOST_ROWS]:
        with np.errstate(over="ignore", invalid="ignore"):
            values = design.rows(np.array([row]))[0].astype(np.longdouble)
            exact = coef.astype(np.longdouble) @ values + intercept
            signed = np.where(np.isnan(raw[:, row]), -np.inf, exact * np.sign(raw[:, row]))
            undefined = ~np.isfinite(raw[:, row]) & ~(signed > np.finfo(np.float64).max)
        if undefined.any():
            raise ValueError(
                f"X @ coef overflows in row {int(row)}: its terms are too large for float64, but "
                "their sum is not, or has another sign; divide the columns of X by their largest "
                "value first"
            )


def second_class(proba: Vector, threshold: float) -> Indices:
    """Return 1 where the probability of the second class is at least a threshold, else 0.

    Raises
    ------
    TypeError, ValueError
        If the threshold is no number from 0 to 1.
    """
    return (proba >= check_number("threshold", threshold, low=0.0, high=1.0)).astype(np.int64)
