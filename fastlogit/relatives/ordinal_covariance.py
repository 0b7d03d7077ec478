"""Covariance of an ordinal model: of its information, and sandwiches that do not trust it.

A row's slopes are those of its two ends, ``slope_a A + slope_b B``, where A and B are how a and b
change with the parameters. So sums of their squares have the form of the Hessian, with products of
slopes in place of second derivatives, and cost what it does. HC0 is White's (1980, Econometrica
48), HC1 has the factor n / (n - k); CR0, CR1 and CR1S are those of clusters (`inference.clusters`).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..arrays import Matrix, Vector
from ..design.row_sums import sums_of_clusters
from ..inference.clusters import Clusters, Grouping, cluster_factor
from ..inference.moments import products_of_columns
from ..inference.row_weights import RowWeights
from .ordinal_model import OrdinalPoint, OrdinalRows

__all__ = ["COV_TYPES", "OrdinalOptimum", "covariance_of", "in_units"]

ROBUST, CLUSTERED = ("HC0", "HC1"), ("CR0", "CR1", "CR1S")
COV_TYPES = ("nonrobust", *ROBUST, *CLUSTERED)


class OrdinalOptimum(NamedTuple):
    """Where the mean loss is least, what was found just before, and what the weights are."""

    rows: OrdinalRows
    theta: Vector
    point: OrdinalPoint
    weights: RowWeights


def covariance_of(found: OrdinalOptimum, cov_type: str, clusters: Clusters | None) -> Matrix:
    """Return the covariance in the units of X, coefficients first.

    Raises
    ------
    ValueError
        If it is not one for such rows or clusters.
    """
    rows = found.rows
    outer = in_units(rows, found.point.root) / np.sqrt(rows.total)
    if cov_type == "nonrobust":
        return outer @ outer.T
    half = found.point.root / np.sqrt(rows.total)
    if clusters is None:
        matrix = outer @ (half.T @ _squares(found) @ half) @ outer.T
        if cov_type == "HC1":
            n_samples, size = found.weights.n_samples, len(matrix)
            if n_samples <= size:
                raise ValueError(
                    f"HC1 has the factor n / (n - k), but there are {n_samples:g} observations "
                    f"for {size} coefficients; use HC0"
                )
            matrix *= n_samples / (n_samples - size)
        return 0.5 * (matrix + matrix.T)
    matrix = np.zeros((len(outer), len(outer)))
    for grouping, sign in zip(clusters.groupings, (1.0, 1.0, -1.0), strict=False):
        slopes = _slopes(found, grouping) @ half @ outer.T
        factor = cluster_factor(cov_type, grouping.n_clusters, found.weights.n_samples, len(matrix))
        matrix += sign * factor * products_of_columns(slopes)
    if (np.diag(matrix) <= 0.0).any():
        raise ValueError(
            "the two-way covariance has a variance that is not positive, as happens with few "
            "clusters: use one way, that of the fewer clusters"
        )
    return matrix


def in_units(rows: OrdinalRows, directions: Matrix) -> Matrix:
    """Return directions in columns of theta as those of coefficients and thresholds of X."""
    assert rows.design is not None
    center, inverse_scale = rows.design.columns
    slopes = directions[rows.n_cuts :] * inverse_scale[:, None]
    return np.concatenate([slopes, directions[: rows.n_cuts] + center @ slopes])


def _squares(found: OrdinalOptimum) -> Matrix:
    """Return the sum of the rows' squared slopes; a row of a frequency is as many rows."""
    rows, parts = found.rows, found.rows.parts(found.theta)
    one, other = parts.slope_a, parts.slope_b
    if found.weights.is_frequency:
        times = np.divide(1.0, rows.weights, out=np.zeros_like(one), where=rows.weights > 0.0)
    else:
        times = np.ones_like(one)
    products = {
        "curvature_aa": times * one * one, "curvature_ab": times * one * other,
        "curvature_bb": times * other * other,
    }  # fmt: skip
    return rows.total * rows.second_moments(parts._replace(**products))


def _slopes(found: OrdinalOptimum, grouping: Grouping) -> Matrix:
    """Return the sum of the slopes of each cluster's rows, (n_clusters, n_parameters)."""
    rows, parts = found.rows, found.rows.parts(found.theta)
    assert rows.design is not None
    n_clusters = grouping.n_clusters
    both = np.ascontiguousarray(-(parts.slope_a + parts.slope_b)[None])
    sums = sums_of_clusters(rows.design, both, grouping.codes, n_clusters)[:, 0, :-1]
    used = grouping.codes >= 0
    cells = grouping.codes[used].astype(np.intp) * rows.n_classes + rows.codes[used]
    size = n_clusters * rows.n_classes
    upper, lower = (
        np.bincount(cells, part[used], size).reshape(n_clusters, -1)
        for part in (parts.slope_a, parts.slope_b)
    )
    return np.concatenate([upper[:, :-1] + lower[:, 1:], sums], axis=1)
