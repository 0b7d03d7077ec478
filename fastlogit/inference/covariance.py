"""Covariance of the coefficients: of the model, and sandwiches that do not trust it.

With H the Hessian of the sum of the losses (the observed information) and s_i the slopes of a
row's loss, r_i x_i, the covariance of the model is H^-1, and that of a sandwich H^-1 M H^-1. The
meat M is X' diag(r^2 (1 - h)^-p) X: HC0 has p = 0, HC1 besides a factor n / (n - k), HC2 p = 1 and
HC3 p = 2 (MacKinnon and White, 1985, Journal of Econometrics 29), with the weighted leverages h of
the generalised linear model. Everything is one Gram matrix of a pass over the rows. A row of a
softmax has a matrix of leverages, of which HC2 takes the inverse root and HC3 the inverse.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from ..arrays import ArrayLike, Matrix, Vector
from ..objective.losses import RowLoss
from ..options import check_option
from .clusters import CLUSTERED, Clusters, cluster_covariance, look_at_clusters
from .hat_matrix import adjusted_residuals, leverages, per_repetition, refuse_sole
from .optimum import Optimum
from .row_weights import RowWeights

__all__ = ["COV_TYPES", "Covariance", "covariance_of", "look_at_cov_type"]

# The power of 1 - leverage in the meat.
POWERS = {"HC0": 0, "HC1": 0, "HC2": 1, "HC3": 2}
COV_TYPES = ("nonrobust", *POWERS, *CLUSTERED)


class Covariance(NamedTuple):
    """A covariance (n_parameters, n_parameters), and degrees of freedom of each coefficient."""

    matrix: Matrix
    # None for the normal distribution.
    degrees_of_freedom: Vector | None = None


def look_at_cov_type(
    cov_type: str, clusters: ArrayLike, n_rows: int, weights: RowWeights,
    cov_types: Sequence[str] = COV_TYPES,
) -> Clusters | None:  # fmt: skip
    """Check what covariance is asked for; return the clusters of the rows, if it has some.

    Parameters
    ----------
    cov_type : str
    clusters : array-like of shape (n_rows,) or (n_rows, 2), optional
    n_rows : int
    weights : RowWeights
    cov_types : sequence of str
        Those that the model has.

    Raises
    ------
    TypeError, ValueError
        If it is not known, or does not go with clusters or weights as they are given.
    """
    check_option("cov_type", cov_type, cov_types)
    if cov_type not in CLUSTERED:
        if clusters is not None:
            others = ", ".join(
                repr(each) for each in CLUSTERED if each in cov_types and each != "CR1"
            )
            raise ValueError(
                f"cov_type={cov_type!r} has no clusters; use cov_type='CR1' (or {others}), or "
                "leave clusters out"
            )
        if cov_type == "nonrobust" and weights.kind == "probability":
            raise ValueError(
                "weights='probability' make no likelihood, so that its information is no "
                "covariance; use cov_type='HC1', or 'CR1' with clusters"
            )
        return None
    if clusters is None:
        raise ValueError(f"cov_type={cov_type!r} needs clusters: a label for each row")
    return look_at_clusters(clusters, n_rows, weights.values)


def covariance_of(optimum: Optimum, cov_type: str, clusters: Clusters | None) -> Covariance:
    """Return the covariance of the parameters that are reported.

    Raises
    ------
    ValueError
        If the covariance is not one for such rows.
    """
    if cov_type == "nonrobust":
        root = optimum.parameters_of(optimum.root.T)
        return Covariance(root.T @ root)
    if clusters is not None:
        found = cluster_covariance(optimum, cov_type, clusters)
        return Covariance(found.matrix, found.degrees_of_freedom)
    root = optimum.root
    middle = root.T @ optimum.added_up(partial(_meat, cov_type=cov_type)) @ root
    outer = optimum.parameters_of(root.T)
    matrix = outer.T @ middle @ outer
    if cov_type == "HC1":
        n_samples, size = optimum.weights.n_samples, len(matrix)
        if n_samples <= size:
            raise ValueError(
                f"HC1 has the factor n / (n - k), but there are {n_samples:g} observations for "
                f"{size} coefficients; use HC0 or HC3"
            )
        matrix *= n_samples / (n_samples - size)
    return Covariance(0.5 * (matrix + matrix.T))


def _within_counts(optimum: Optimum, cov_type: str) -> Vector | None:
    """Return what squared slopes of single events have beside that of their share, of each row.

    Of w events, a share s of them of the second class, whose slopes are a and others' b, squares
    add up to w (s a + (1 - s) b)^2 and w s (1 - s) (a - b)^2. None where rows are single events.

    Raises
    ------
    ValueError
        If events of a row have leverages of two sizes, as of other links than the logit.
    """
    rows, weights = optimum.objective.rows, optimum.weights
    if rows.shares is None or weights.is_quasi or not weights.values.size:
        return None
    spread: Vector = weights.values * rows.shares * (1.0 - rows.shares)
    if not isinstance(rows.loss, RowLoss):
        return spread
    if POWERS[cov_type]:
        raise ValueError(
            f"{cov_type} of counts as shares is for link='logit', where both classes have one "
            "leverage: give a row for each class, with its number as sample_weight"
        )
    raw, offset = rows.raw_predictions(optimum.theta)[0], rows.offset_of(0)
    raw = raw if offset is None else raw + offset
    events, others = (rows.loss.rows(raw, np.full(raw.size, side))[1] for side in (True, False))
    return spread * np.square(events - others)


def _meat(optimum: Optimum, cov_type: str) -> Matrix:
    """Return the sum of the rows' squared slopes, on standardised columns: (n_theta, n_theta)."""
    design, residuals = optimum.objective.design, optimum.residuals
    if len(residuals) == 1:
        squares = per_repetition(optimum, np.square(residuals[0]))
        within = _within_counts(optimum, cov_type)
        if within is not None:
            squares += within
        if POWERS[cov_type]:
            rest = leverages(optimum)
            np.subtract(1.0, rest, out=rest)
            refuse_sole(rest, cov_type)
            for _ in range(POWERS[cov_type]):  # a power of floats takes as long as the pass
                squares /= rest
        return design.gram(squares)
    if POWERS[cov_type]:
        residuals = adjusted_residuals(optimum, 0.5 * POWERS[cov_type], cov_type)
    n_outputs, size = len(residuals), design.shape[1] + 1
    factor = per_repetition(optimum, np.ones(design.shape[0]))
    whole = np.empty((n_outputs, size, n_outputs, size))
    for one in range(n_outputs):
        whole[one, :, one] = design.gram(factor * np.square(residuals[one]))
    for one in range(n_outputs):
        for other in range(one):
            # A Gram matrix takes weights that are not negative: 2 a b = (a + b)^2 - a^2 - b^2.
            both = design.gram(factor * np.square(residuals[one] + residuals[other]))
            block = 0.5 * (both - whole[one, :, one] - whole[other, :, other])
            whole[one, :, other] = whole[other, :, one] = block
    return whole.reshape(n_outputs * size, -1)
