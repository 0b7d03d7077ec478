"""Weights of rows from those of their classes, as scikit-learn defines `class_weight`."""

from __future__ import annotations

import numpy as np
from sklearn.utils.class_weight import compute_class_weight

from ..arrays import Array, ArrayLike, Codes, Floats, Labels, Vector
from . import validation
from .conversion import as_numbers

__all__ = [
    "batch_weights",
    "factors_of_classes",
    "one_dimensional",
    "row_weights",
    "weights_of_classes",
]


def row_weights(
    class_weight: object, multi_class: str, y: ArrayLike, sample_weight: ArrayLike, n_samples: int
) -> Floats | None:
    """Return weights of the rows, times those of their classes; None for no weights.

    Parameters
    ----------
    class_weight : dict, "balanced" or None
    multi_class : {"multinomial", "ovr"}
    y : array-like of shape (n_samples,)
        Labels.
    sample_weight : array-like of shape (n_samples,), number or None
    n_samples : int

    Returns
    -------
    ndarray of shape (n_samples,) or (n_samples, n_classes), or None
        A column for each class where each one-vs-rest problem is balanced by itself.

    Raises
    ------
    TypeError, ValueError
        If weights or labels have the wrong type, shape or value.
    """
    rows = one_dimensional(sample_weight, n_samples)
    if class_weight is None:
        return rows
    classes, codes = validation.encode_labels(y, n_samples)
    return weights_of_classes(class_weight, multi_class, classes, codes, rows)


def one_dimensional(sample_weight: ArrayLike, n_samples: int) -> Vector | None:
    """Return weights of the rows as an array, a number for every row; None for no weights."""
    if sample_weight is None:
        return None
    rows = as_numbers("sample_weight", sample_weight)
    if rows.ndim == 0:
        return np.full(n_samples, rows)
    if rows.ndim != 1:
        # A column for each class is not for users: this raises the error.
        validation.check_weights(rows, n_samples)
    return rows


def weights_of_classes(
    class_weight: object, multi_class: str, classes: Labels, codes: Codes,
    sample_weight: Vector | None,
) -> Floats | None:  # fmt: skip
    """Return the same where the labels are codes already, and weights an array or None.

    Parameters
    ----------
    class_weight : dict, "balanced" or None
    multi_class : {"multinomial", "ovr"}
    classes : ndarray of shape (n_classes,)
    codes : ndarray of shape (n_samples,)
        The place of each row's label among them.
    sample_weight : ndarray of shape (n_samples,) or None

    Returns
    -------
    ndarray of shape (n_samples,) or (n_samples, n_classes), or None

    Raises
    ------
    TypeError, ValueError
        If weights have the wrong shape or value.
    """
    if class_weight is None:
        return sample_weight
    rows = validation.check_weights(sample_weight, len(codes))
    rows = rows if rows.size else np.ones(len(codes))
    counts: Array = np.bincount(codes, weights=rows, minlength=classes.size)  # of float64
    factors = factors_of_classes(class_weight, multi_class, classes, counts)
    if factors.ndim == 1:
        return factors[codes] * rows
    return factors.T[codes] * rows[:, None]


def factors_of_classes(
    class_weight: object, multi_class: str, classes: Labels, counts: Vector
) -> Floats:
    """Return what the weights of the rows of each class are multiplied by.

    Parameters
    ----------
    class_weight : dict or "balanced"
    multi_class : {"multinomial", "ovr"}
    classes : ndarray of shape (n_classes,)
    counts : ndarray of shape (n_classes,)
        The weight of the rows of each class.

    Returns
    -------
    ndarray of shape (n_classes,) or (n_classes, n_classes)
        A row for each one-vs-rest problem, where each is balanced by itself.

    Raises
    ------
    ValueError
        If the weights have a class that there is not.
    """
    if class_weight != "balanced":
        per_class: Vector = compute_class_weight(class_weight, classes=classes, y=classes)
        return per_class
    total = counts.sum()
    if multi_class == "multinomial" or classes.size == 2:
        return _balance(counts, total / classes.size)
    alone, others = _balance(counts, total / 2.0), _balance(total - counts, total / 2.0)
    own = np.eye(classes.size, dtype=bool)
    return np.where(own, alone[:, None], others[:, None])


def batch_weights(
    class_weight: object, y: Labels, classes: Labels, sample_weight: ArrayLike
) -> Vector | None:
    """Return weights of a batch's rows, times those of their classes; None for no weights.

    Parameters
    ----------
    class_weight : dict, "balanced" or None
    y : array-like of shape (n_samples,)
        Labels of the batch.
    classes : ndarray of shape (n_classes,)
        All labels, sorted.
    sample_weight : array-like of shape (n_samples,) or None

    Returns
    -------
    ndarray of shape (n_samples,), or None

    Raises
    ------
    ValueError
        If `class_weight` is "balanced", which no batch can tell.
    """
    if class_weight == "balanced":
        raise ValueError(
            "class_weight='balanced' is not known before all rows are; give partial_fit a dict"
        )
    if sample_weight is not None:
        sample_weight = as_numbers("sample_weight", sample_weight)
    if class_weight is None:
        return sample_weight
    per_class: Vector = compute_class_weight(class_weight, classes=classes, y=classes)
    members = np.minimum(np.searchsorted(classes, y), len(classes) - 1)
    return per_class[members] * (1.0 if sample_weight is None else sample_weight)


def _balance(counts: Vector, share: float) -> Vector:
    """Return the weights that give each class the same share; 0 for one without weight."""
    return np.divide(share, counts, out=np.zeros_like(counts), where=counts > 0.0)
