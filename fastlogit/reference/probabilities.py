"""Sigmoid, softmax and one-vs-all: probabilities and their logarithms."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .common import Floats, raw_prediction


def sigmoid(z: ArrayLike) -> Any:
    """Return 1 / (1 + e^-z), element by element.

    Parameters
    ----------
    z : array_like of any shape

    Returns
    -------
    numpy.ndarray or float of the shape of `z`, float64
    """
    z = np.asarray(z, dtype=np.float64)
    t = np.exp(-np.abs(z))
    return np.where(z >= 0.0, 1.0, t) / (1.0 + t)


def log1p_exp(z: ArrayLike) -> Any:
    """Return log(1 + e^z), element by element.

    Parameters
    ----------
    z : array_like of any shape

    Returns
    -------
    numpy.ndarray or float of the shape of `z`, float64
    """
    z = np.asarray(z, dtype=np.float64)
    return np.maximum(z, 0.0) + np.log1p(np.exp(-np.abs(z)))


def log_sigmoid(z: ArrayLike) -> Any:
    """Return log(1 / (1 + e^-z)), element by element.

    Parameters
    ----------
    z : array_like of any shape

    Returns
    -------
    numpy.ndarray or float of the shape of `z`, float64
    """
    return -log1p_exp(-np.asarray(z, dtype=np.float64))


def logit(p: ArrayLike) -> Any:
    """Return log(p / (1 - p)), element by element; NaN outside [0, 1].

    Parameters
    ----------
    p : array_like of any shape

    Returns
    -------
    numpy.ndarray or float of the shape of `p`, float64
    """
    p = np.asarray(p, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        # Near 1/2 the two logarithms cancel; log(p / (1 - p)) = 2 atanh(2 p - 1) does not.
        near_half = 2.0 * np.arctanh(2.0 * p - 1.0)
        return np.where(np.abs(p - 0.5) < 0.25, near_half, np.log(p) - np.log1p(-p))[()]


def softmax(z: ArrayLike) -> Floats:
    """Return e^z_k / sum e^z_j of each row.

    Parameters
    ----------
    z : array_like of shape (n_samples, n_classes)

    Returns
    -------
    numpy.ndarray of shape (n_samples, n_classes), float64
    """
    tail, rest, _ = below_top(z)
    return np.asarray(tail / (1.0 + rest))


def log_softmax(z: ArrayLike) -> Floats:
    """Return log(e^z_k / sum e^z_j) of each row: finite where the probability underflows.

    Parameters
    ----------
    z : array_like of shape (n_samples, n_classes)

    Returns
    -------
    numpy.ndarray of shape (n_samples, n_classes), float64
    """
    _, rest, below = below_top(z)
    return np.asarray(below - np.log1p(rest))


def one_vs_all_proba(z: ArrayLike) -> Floats:
    """Return the hypotheses of one-vs-all over their sum, as scikit-learn's one-vs-rest.

    Parameters
    ----------
    z : array_like of shape (n_samples, n_classes)

    Returns
    -------
    numpy.ndarray of shape (n_samples, n_classes), float64
        Its rows sum to 1, however small the hypotheses are.
    """
    return softmax(log_sigmoid(z))


def one_vs_all_log_proba(z: ArrayLike) -> Floats:
    """Return the logarithms of `one_vs_all_proba`.

    Parameters
    ----------
    z : array_like of shape (n_samples, n_classes)

    Returns
    -------
    numpy.ndarray of shape (n_samples, n_classes), float64
    """
    return log_softmax(log_sigmoid(z))


def below_top(z: ArrayLike) -> tuple[Floats, Floats, Floats]:
    """Return e^(z - top) with top the largest of the row, the others' sum, and z - top.

    The largest is 1: apart from it the sum keeps the digits of small ones.
    """
    z = np.asarray(z, dtype=np.float64)
    below = z - z.max(axis=1, keepdims=True)
    tail = np.exp(below)
    others = tail.copy()
    others[np.arange(len(z)), z.argmax(axis=1)] = 0.0
    return tail, others.sum(axis=1, keepdims=True), below


def predict_proba(X: ArrayLike, coef: ArrayLike, intercept: ArrayLike) -> Any:
    """Return the probabilities: [1 - h, h], or the hypotheses of one-vs-all side by side.

    Parameters
    ----------
    X : array_like of shape (n_samples, n_features)
    coef : array_like of shape (n_features,) or (n_features, n_classes)
    intercept : float, or array_like of shape (n_classes,)

    Returns
    -------
    numpy.ndarray of shape (n_samples, n_classes), float64
        With two classes the rows sum to 1; the hypotheses of one-vs-all do not.
    """
    z = raw_prediction(X, coef, intercept)
    if z.ndim == 1:
        return np.column_stack([sigmoid(-z), sigmoid(z)])
    return sigmoid(z)
