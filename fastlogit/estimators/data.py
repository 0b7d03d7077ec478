"""From what a fit gives to the shapes that scikit-learn's users know."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["labels_like", "rows_of_models"]


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
