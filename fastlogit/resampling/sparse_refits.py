"""Fits near one another of rows that the kernel of `refits` does not take: sparse ones."""

from __future__ import annotations

import numpy as np

from ..arrays import Codes, Vector
from ..clock import Clock
from ..design.base import readonly
from ..design.compressed import CompressedRows
from ..design.mixed import MixedRows
from ..inputs.given import Data
from ..kernels import groups as statuses
from .refits import Asked, Found, fit_in_general, judged_by_size, without_numbers

__all__ = ["SparseRefits"]


class SparseRefits:
    """Fits to rows of two classes that are labelled anew, or of which a column is another.

    What `Refits` is for dense rows, each by `fit`.

    Parameters
    ----------
    data : Data
        Its X is sparse, or has a dense column beside sparse ones.
    asked : Asked
    start : ndarray of shape (n_features + 1,)
        Coefficients and intercept near which the optima are.
    n_threads : int or None
    clock : Clock
    """

    # No kernel takes these rows.
    is_ready = False

    def __init__(
        self, data: Data, asked: Asked, start: Vector, n_threads: int | None, clock: Clock
    ) -> None:
        X = data.rows.X
        assert isinstance(X, CompressedRows | MixedRows)
        self.data, self.asked, self.X = data, asked, X
        self.n_threads, self.clock = n_threads, clock
        self._start = start[None, :-1], start[-1:]

    def again(
        self, weights: Vector, X: CompressedRows | MixedRows | None = None,
        codes: Codes | None = None, in_general: bool = True,
    ) -> Found:  # fmt: skip
        """Fit rows with these weights (none: all alike), columns and labels.

        Without `in_general` the status GENERAL says that it is left.
        """
        X = self.X if X is None else X
        n_samples, n_features = X.shape
        if not in_general:
            return without_numbers(statuses.GENERAL, n_features)
        codes = self.data.codes if codes is None else codes
        strength = self.asked.strength(weights, n_samples)
        data = Data(
            self.data.rows._replace(X=X, carrier=X), self.data.classes,
            readonly(np.ascontiguousarray(codes)), readonly(weights), self.data.offset, strength,
            start=self._start,
        )  # fmt: skip
        found = fit_in_general(data, self.asked, self.n_threads, self.clock)
        return judged_by_size(found, n_samples, strength, self.asked)
