"""From what scikit-learn's users hand in to what the fit reads, and back to their shapes."""

from __future__ import annotations

from typing import Any

import numpy as np

from .inputs import as_array, as_labels, as_real

__all__ = [
    "are_plain_labels",
    "coef_dtype",
    "is_plain",
    "labels_like",
    "read_features",
    "read_labels",
    "rows_of_models",
]

# Kinds of arrays that scikit-learn refuses in words that its checks of estimators look for: complex
# numbers and text.
SCIKIT_LEARNS = frozenset("cUS")


def is_plain(X: Any) -> bool:
    """Say whether kernels can read X as it is, and nothing about its shape is amiss."""
    return (
        type(X) is np.ndarray
        and X.ndim == 2
        and X.size > 0
        and (X.dtype.kind in "biu" or (X.dtype.kind == "f" and X.dtype.itemsize in (4, 8)))
    )


def are_plain_labels(y: Any) -> bool:
    """Say whether y is a vector of booleans, integers, texts or whole numbers."""
    if type(y) is not np.ndarray or y.ndim != 1:
        return False
    kind = y.dtype.kind
    return kind in "biuU" or (kind == "f" and bool((np.isfinite(y) & (y == np.floor(y))).all()))


def read_features(X: Any) -> Any:
    """Return X as an array: of numbers, or what scikit-learn has words of its own for."""
    array = as_array("X", X)
    return array if array.dtype.kind in SCIKIT_LEARNS else as_real("X", array, X)


def read_labels(y: Any) -> Any:
    """Return labels as an array of their own type, None as it is."""
    return None if y is None else as_labels(y)


def coef_dtype(X: Any) -> Any:
    """Return the type of coefficients: float32 for float32 data, as in scikit-learn."""
    return np.dtype(np.float32 if np.dtype(X.dtype) == np.float32 else np.float64)


def labels_like(y: Any, classes: Any) -> Any:
    """Return the classes as objects where the labels were."""
    return classes.astype(object) if y.dtype.kind == "O" else classes


def rows_of_models(coef: Any, intercept: Any, dtype: Any) -> tuple[Any, Any]:
    """Return coef_ and intercept_ in scikit-learn's shapes: a row for each model."""
    rows = np.array(coef.T, dtype=dtype, order="C", ndmin=2)
    return rows, np.array(intercept, dtype=dtype, ndmin=1)
