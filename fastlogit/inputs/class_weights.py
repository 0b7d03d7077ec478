"""Weights of rows from those of their classes, as scikit-learn defines `class_weight`."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.class_weight import compute_class_weight

from . import validation
from .conversion import as_numbers

__all__ = ["batch_weights", "row_weights"]


def row_weights(
    class_weight: Any, multi_class: str, y: Any, sample_weight: Any, n_samples: int
) -> Any:
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
    if sample_weight is not None:
        sample_weight = as_numbers("sample_weight", sample_weight)
        if sample_weight.ndim == 0:
            sample_weight = np.full(n_samples, sample_weight)
    if class_weight is None:
        if sample_weight is not None and sample_weight.ndim != 1:
            # A column for each class is not for users: this raises the error.
            validation.check_weights(sample_weight, n_samples)
        return sample_weight
    classes, codes = validation.encode_labels(y, n_samples)
    rows = validation.check_weights(sample_weight, n_samples)
    rows = rows if rows.size else np.ones(n_samples)
    if class_weight != "balanced":
        per_class = compute_class_weight(class_weight, classes=classes, y=classes)
        return per_class[codes] * rows
    counts = np.bincount(codes, weights=rows, minlength=classes.size)
    if multi_class == "multinomial" or classes.size == 2:
        return _balance(counts, counts.sum() / classes.size)[codes] * rows
    total = counts.sum()
    alone, others = _balance(counts, total / 2.0), _balance(total - counts, total / 2.0)
    members = codes[:, None] == np.arange(classes.size)
    return np.where(members, alone, others) * rows[:, None]


def batch_weights(class_weight: Any, y: Any, classes: Any, sample_weight: Any) -> Any:
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
    per_class = compute_class_weight(class_weight, classes=classes, y=classes)
    members = np.minimum(np.searchsorted(classes, y), len(classes) - 1)
    return per_class[members] * (1.0 if sample_weight is None else sample_weight)


def _balance(counts: Any, share: float) -> Any:
    """Return the weights that give each class the same share; 0 for one without weight."""
    return np.divide(share, counts, out=np.zeros_like(counts), where=counts > 0.0)
