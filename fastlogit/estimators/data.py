"""From what a fit is given and gives to what scikit-learn and its users know."""

from __future__ import annotations

import numpy as np

from ..arrays import ArrayLike, Floats, Labels, Matrix, Vector
from ..design.compressed import CompressedRows
from ..design.mixed import MixedRows
from ..inputs.given import Rows
from ..inputs.sparse import scipy_rows

__all__ = ["for_others", "for_splitters", "labels_like", "rows_of_models"]


def labels_like(y: Labels | None, classes: Labels) -> Labels:
    """Return the classes as objects where the labels were."""
    return classes.astype(object) if y is not None and y.dtype.kind == "O" else classes


def rows_of_models(coef: Floats, intercept: float | Vector) -> tuple[Matrix, Vector]:
    """Return coef_ and intercept_ in scikit-learn's shapes, a row for each model; in float64.

    float32 would cost up to 3e-3 of a probability through the intercept, and 2e-2 through the
    coefficients, of columns 1e5 and 1e6 standard deviations from 0.
    """
    rows = np.array(coef.T, dtype=np.float64, order="C", ndmin=2)
    return rows, np.array(intercept, dtype=np.float64, ndmin=1)


def for_others(rows: Rows) -> ArrayLike:
    """Return X for callbacks: what is no array as the user has it."""
    return rows.carrier if isinstance(rows.X, CompressedRows | MixedRows) else rows.X


def for_splitters(rows: Rows) -> ArrayLike:
    """Return X for splitters: what is sparse as CSR of SciPy, as scikit-learn's own gets it."""
    if isinstance(rows.X, CompressedRows):
        return scipy_rows(rows.X, rows.carrier)
    return rows.carrier if isinstance(rows.X, MixedRows) else rows.X
