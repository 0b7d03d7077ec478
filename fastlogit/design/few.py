"""A few rows in memory, for models that are packed once: no design, and no time for one."""

from __future__ import annotations

import numpy as np

from ..arrays import Floats, Matrix, Vector
from ..kernels.hypotheses import BINARY, LOG, hypotheses
from ..kernels.passes import Layout, Rows
from ..kernels.simd import LANES
from .base import NO_OFFSET, as_they_are

__all__ = ["PackedModels", "n_outputs"]

_DIRECT, _GATHERED = hypotheses(Layout.DIRECT).serial, hypotheses(Layout.GATHERED).serial


def n_outputs(kind: int, n_models: int) -> int:
    """Return how many numbers a kind of `kernels.hypotheses` gives for each row."""
    return 2 if kind % LOG == BINARY else n_models


class PackedModels:
    """Coefficients as kernels take them, asked about a few rows at a time: by one thread.

    The kernels, and so the bits, are those of `DenseDesign.hypotheses`. Nothing is kept between
    calls: threads may share one.

    Parameters
    ----------
    coef : ndarray of float64, shape (n_models, n_features)
    intercept : ndarray of float64, shape (n_models,)
    """

    __slots__ = ("_call", "_columns", "_is_direct", "coef", "intercept")

    def __init__(self, coef: Matrix, intercept: Vector) -> None:
        self.coef = (coef if coef.flags.c_contiguous else np.ascontiguousarray(coef)).view()
        self.intercept = np.ascontiguousarray(intercept).view()
        # Read-only, as all that designs hand to kernels: these are compiled for one kind alone.
        self.coef.flags.writeable = self.intercept.flags.writeable = False
        n_features = coef.shape[1]
        self._columns = as_they_are(n_features)
        self._is_direct = n_features >= LANES
        self._call = _DIRECT if self._is_direct else _GATHERED

    def hypotheses(self, X: Floats, kind: int, out: Floats) -> bool:
        """Write what the models say about rows; return whether all raw predictions are finite.

        Parameters
        ----------
        X : ndarray of float64, shape (n_samples, n_features), in the order of C
        kind : int
            One of `kernels.hypotheses`.
        out : ndarray of float64, shape (n_samples, `n_outputs`)
        """
        n_samples, n_features = X.shape
        values = X.reshape(-1) if self._is_direct else X.view()
        values.flags.writeable = False
        center, inverse_scale = self._columns
        rows = Rows(
            values, n_features if self._is_direct else 0, False, n_samples, center, inverse_scale
        )
        spoiled = self._call(rows, self.coef, self.intercept, NO_OFFSET, kind, out.reshape(-1))
        return bool(spoiled == 0.0)
