"""A few rows in memory, for models that are packed once: no design, and no time for one."""

from __future__ import annotations

import numpy as np

from ..arrays import Floats, Matrix, Vector
from ..kernels.few_hypotheses import few_hypotheses, room_for
from ..kernels.hypotheses import BINARY, LOG
from ..kernels.passes import Layout
from ..kernels.rows import MODEL_TILE
from ..kernels.simd import LANES

__all__ = ["PackedModels", "n_outputs"]


def n_outputs(kind: int, n_models: int) -> int:
    """Return how many numbers a kind of `kernels.hypotheses` gives for each row."""
    return 2 if kind % LOG == BINARY else n_models


class PackedModels:
    """Coefficients as kernels take them, asked about a few rows at a time: by one thread.

    The bits are those of `DenseDesign.hypotheses`. Nothing is kept between calls: threads may share
    one.

    Parameters
    ----------
    coef : ndarray of float64, shape (n_models, n_features)
    intercept : ndarray of float64, shape (n_models,)
    """

    __slots__ = ("_flat", "_layout", "_levels", "coef", "intercept")

    def __init__(self, coef: Matrix, intercept: Vector) -> None:
        self.coef = (coef if coef.flags.c_contiguous else np.ascontiguousarray(coef)).view()
        self.intercept = np.ascontiguousarray(intercept).view()
        # Read-only, as all that designs hand to kernels: these are compiled for one kind alone.
        self.coef.flags.writeable = self.intercept.flags.writeable = False
        self._flat, self._levels = self.coef.reshape(-1), self.intercept
        self._layout = Layout.DIRECT if coef.shape[1] >= LANES else Layout.GATHERED
        if self._layout is Layout.DIRECT and len(coef) > 1 and len(coef) % MODEL_TILE:
            self._levels = np.append(intercept, 0.0)
            self._levels.flags.writeable = False

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
        n_models = len(self.coef)
        values = X.reshape(-1)
        values.flags.writeable = False
        block, size = room_for(self._layout, n_samples, n_features, n_models)
        spoiled = few_hypotheses(self._layout, kind, n_models).serial(
            values, n_features, n_models, self._flat, self._levels, kind, block, np.zeros(size),
            out.reshape(-1),
        )  # fmt: skip
        return bool(spoiled == 0.0)
