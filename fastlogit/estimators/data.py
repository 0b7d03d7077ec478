"""From what scikit-learn's users hand in to what the fit reads, and back to their shapes."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils import assert_all_finite
from sklearn.utils.multiclass import check_classification_targets

from ..inputs.conversion import as_array, as_labels, as_real

__all__ = [
    "are_plain_labels",
    "check_labels",
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


def check_labels(y: Any, name: str = "y") -> None:
    """Refuse what scikit-learn does not take for labels, in its words and without its warnings.

    It turns real numbers into integers before it looks for NaN, infinity and 1e300 among them.
    """
    if not are_plain_labels(y):
        assert_all_finite(y, input_name=name)
        with np.errstate(invalid="ignore"):
            check_classification_targets(y)


def read_features(X: Any) -> Any:
    """Return X as an array: of numbers, or what scikit-learn has words of its own for."""
    array = as_array("X", X)
    return array if array.dtype.kind in SCIKIT_LEARNS else as_real("X", array, X)


def read_labels(y: Any) -> Any:
    """Return labels as an array of their own type, None as it is."""
    return None if y is None else as_labels(y)


def labels_like(y: Any, classes: Any) -> Any:
    """Return the classes as objects where the labels were."""
    return classes.astype(object) if y.dtype.kind == "O" else classes


def rows_of_models(coef: Any, intercept: Any) -> tuple[Any, Any]:
    """Return coef_ and intercept_ in scikit-learn's shapes, a row for each model; in float64.

    float32 would cost up to 3e-3 of a probability through the intercept, and 2e-2 through the
    coefficients, of columns 1e5 and 1e6 standard deviations from 0.
    """
    rows = np.array(coef.T, dtype=np.float64, order="C", ndmin=2)
    return rows, np.array(intercept, dtype=np.float64, ndmin=1)
