"""What row weights mean, told apart by name: counts, sampling weights or precisions."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..arrays import Floats, Vector
from ..inputs.values import show
from ..options import check_option

__all__ = ["KINDS", "RowWeights", "weights_by_name"]

KINDS = ("frequency", "probability", "analytic")


class RowWeights(NamedTuple):
    """Weights of the rows, and what they say of the number of observations.

    `n_samples` counts a row as often as its frequency says, else once, and not where its weight is
    0. Analytic and probability weights are scaled to a mean of 1 over the rows that have some, so
    that leverages, residuals and pseudo-R² do not hang on their unit.
    """

    kind: str
    # (n_samples,), empty for none
    values: Vector
    n_samples: float
    # Whether rows are shares that are no counts: the mean of two losses is no likelihood then.
    is_quasi: bool = False

    @property
    def is_frequency(self) -> bool:
        """Whether a row stands for as many as its weight says."""
        return self.kind == "frequency"

    @property
    def has_likelihood(self) -> bool:
        """Whether the weighted sum of the losses is a likelihood."""
        return self.kind != "probability" and not self.is_quasi

    def of_shares(self, shares: Vector | None) -> RowWeights:
        """Return the same for a fractional response, None for labels.

        Shares times frequencies that are whole numbers are counts of either class.
        """
        if shares is None:
            return self
        counts = self.values * shares if self.values.size else shares
        are_counts = self.is_frequency and np.allclose(counts, np.rint(counts), rtol=0.0, atol=1e-6)
        return self._replace(is_quasi=not are_counts)


def weights_by_name(weights: Floats, kind: str | None, n_rows: int) -> RowWeights:
    """Return row weights as what they are called.

    Parameters
    ----------
    weights : ndarray of shape (n_rows,), or empty
    kind : {"frequency", "probability", "analytic"} or None
    n_rows : int

    Raises
    ------
    ValueError
        If weights other than 0 and 1 have no name, or frequencies are no whole numbers.
    """
    if kind is not None:
        check_option("weights", kind, KINDS)
    if not weights.size:
        return RowWeights(kind or "frequency", weights, float(n_rows))
    if kind is None:
        if not ((weights == 0.0) | (weights == 1.0)).all():
            raise ValueError(
                "sample_weight, times class_weight, has values other than 0 and 1: say what they "
                "are. weights='frequency' are counts of equal rows, 'probability' inverse sampling "
                "probabilities or other weights that leave n as it is (then with a robust "
                "cov_type), 'analytic' precisions of rows that are means"
            )
        kind = "frequency"
    if kind == "frequency":
        whole = weights == np.floor(weights)
        if not whole.all():
            row = int(np.argmin(whole))
            raise ValueError(
                f"weights='frequency' are counts, but sample_weight is {show(weights[row])} in row "
                f"{row}; use weights='probability' or 'analytic', or whole numbers"
            )
        return RowWeights(kind, weights, float(weights.sum()))
    n_used = float(np.count_nonzero(weights))
    shares = weights / weights.max()
    weights = shares * (n_used / shares.sum())
    weights.flags.writeable = False
    return RowWeights(kind, weights, n_used)
