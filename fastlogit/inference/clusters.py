"""Covariance of coefficients where rows of a cluster may depend on each other.

The meat is the sum over clusters of s s', s the sum of the slopes of a cluster's rows. CR0 is that;
CR1 has the factor G / (G - 1), as Stata's vce(cluster) after logit and R's vcovCL; CR1S besides
(n - 1) / (n - k), as statsmodels and Stata's regress. CR2 and CR3 correct each s for what its rows
draw the fit to themselves (Bell and McCaffrey, 2002, Survey Methodology 28; for generalised linear
models Pustejovsky and Tipton, 2018, Journal of Business & Economic Statistics 36), with
Satterthwaite's degrees of freedom for each coefficient. With V = Z W of a cluster, Z its rows times
the root of their curvature and W W' = H^-1, the adjustment (I - V V')^-q acts on s through the
small matrix S = V'V alone, since V' f(V V') = f(V'V) V': no matrix of a cluster's rows is made. So
it is for a softmax, of whose rows each output has a line of Z: s and S are all that is needed.
The root of CR2 is that of whitened rows (Kauermann and Carroll, 2001, Journal of the American
Statistical Association 96), which no scale of the residuals changes; R's clubSandwich takes the
symmetric one on the scale of the response. Both have the right mean under the model.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from ..arrays import ArrayLike, Cube, Indices, Integers, Labels, Mask, Matrix, Vector
from ..design.row_sums import ClusterCodes, grams_of_clusters, sums_of_clusters
from ..inputs.conversion import as_array
from ..inputs.groups import encode_groups
from .moments import JointMoments, Moments, products_of_columns
from .optimum import Optimum

__all__ = [
    "CLUSTERED",
    "ClusterCovariance",
    "Clusters",
    "Grouping",
    "JointCovariance",
    "cluster_covariance",
    "cluster_factor",
    "joint_covariance",
    "look_at_clusters",
    "slopes_of_clusters",
]

CLUSTERED = ("CR0", "CR1", "CR1S", "CR2", "CR3")
# The power q of the adjustment.
POWERS = {"CR2": 0.5, "CR3": 1.0}
# Numbers of the Gram matrices that are held at a time.
GRAM_NUMBERS = 2**23
# Satterthwaite's degrees of freedom take so many numbers cubed.
MOST_COEFFICIENTS = 200
# A joint test sums as many numbers squared as it has restrictions times coefficients.
MOST_PRODUCTS = 2500
# (I - S)^-q is a series of a few terms where S is this small, as with many clusters.
SMALL, TINY = 0.05, 1e-17
# A part of a cluster's rows whose own share of the information is nearer to 1 stands alone.
ALONE = 1e-9


class Grouping(NamedTuple):
    """The cluster of each row, -1 for rows without weight, and how many there are."""

    codes: ClusterCodes
    n_clusters: int

    def meat(self, optimum: Optimum) -> Matrix:
        """Return the sum over the clusters of s s': a pass."""
        sums = slopes_of_clusters(optimum, self.codes, self.n_clusters)
        return products_of_columns(sums, optimum.objective.design.n_threads)


class Clusters(NamedTuple):
    """One grouping of the rows, or two with that of both together."""

    groupings: tuple[Grouping, ...]
    labels: Labels

    @property
    def n_clusters(self) -> int:
        """Clusters, of two ways the fewer."""
        return min(each.n_clusters for each in self.groupings[:2])


class ClusterCovariance(NamedTuple):
    """A covariance, and degrees of freedom of each coefficient where there are some."""

    matrix: Matrix
    degrees_of_freedom: Vector | None


class JointCovariance(NamedTuple):
    """A covariance of several contrasts, and its degrees of freedom as a Wishart matrix."""

    matrix: Matrix
    degrees_of_freedom: float


def look_at_clusters(clusters: ArrayLike, n_samples: int, weights: Vector) -> Clusters:
    """Return the clusters of the rows, without rows of weight 0.

    Parameters
    ----------
    clusters : array-like of shape (n_samples,), or a tuple of two of them
    n_samples : int
    weights : ndarray of shape (n_samples,), or empty

    Raises
    ------
    TypeError, ValueError
        If there is not one label for each row, or one is missing, or there is one cluster only.
    """
    ways = list(clusters) if isinstance(clusters, tuple) else [clusters]
    if len(ways) not in (1, 2):
        raise ValueError(
            f"clusters must be an array, or a tuple of two for two-way clusters, got a tuple of "
            f"{len(ways)}"
        )
    if len(ways) == 1 and getattr(ways[0], "ndim", 1) == 2:
        table = as_array("clusters", ways[0])
        if table.shape[1] not in (1, 2):
            raise ValueError(
                f"clusters has {table.shape[1]} columns; give one, or two for two-way clusters"
            )
        ways = [table[:, column] for column in range(table.shape[1])]
    used = weights > 0.0 if weights.size else None
    encoded = [_encoded(way, n_samples) for way in ways]
    found = [_counted(codes, used) for _, codes in encoded]
    if len(found) == 2:
        pairs = encoded[0][1].astype(np.int64) * (int(encoded[1][1].max()) + 1) + encoded[1][1]
        found.append(_counted(np.unique(pairs, return_inverse=True)[1].reshape(-1), used))
    for grouping in found[:2]:
        if grouping.n_clusters < 2:
            raise ValueError("clusters has one cluster only; a covariance takes at least two")
    return Clusters(tuple(found), encoded[0][0])


def _encoded(way: ArrayLike, n_samples: int) -> tuple[Labels, Integers]:
    try:
        groups = encode_groups(way, n_samples)
    except (TypeError, ValueError) as error:
        raise type(error)(str(error).replace("groups", "clusters")) from None
    return groups.labels, groups.codes


def _counted(codes: Integers, used: Mask | None) -> Grouping:
    """Return codes without holes, of rows that are used, -1 for the others."""
    if used is None:
        return Grouping(codes.astype(np.int32), int(codes.max()) + 1)
    kept, places = np.unique(codes[used], return_inverse=True)
    all_codes = np.full(codes.size, -1, dtype=np.int32)
    all_codes[used] = places.reshape(-1)
    return Grouping(all_codes, len(kept))


def cluster_covariance(
    optimum: Optimum, cov_type: str, clusters: Clusters, contrasts: Matrix | None = None
) -> ClusterCovariance:
    """Return the covariance of the parameters that are reported, or of contrasts of them.

    Raises
    ------
    ValueError
        If it is not one for such clusters.
    """
    outer = optimum.parameters_of(optimum.root.T)
    size = outer.shape[1]
    if contrasts is not None:
        outer = outer @ contrasts.T
    if cov_type in POWERS:
        moments = Moments.empty(outer.shape[1], len(outer))
        adjusted = _adjusted(optimum, cov_type, clusters, outer, moments)
        return ClusterCovariance(adjusted, moments.degrees_of_freedom())
    whole = optimum.root @ outer
    matrix = np.zeros((outer.shape[1], outer.shape[1]))
    for grouping, sign in zip(clusters.groupings, (1.0, 1.0, -1.0), strict=False):
        factor = cluster_factor(cov_type, grouping.n_clusters, optimum.weights.n_samples, size)
        matrix += sign * factor * (whole.T @ grouping.meat(optimum) @ whole)
    matrix = 0.5 * (matrix + matrix.T)
    if (np.diag(matrix) <= 0.0).any():
        raise ValueError(
            "the two-way covariance has a variance that is not positive, as happens with few "
            "clusters: use one way, that of the fewer clusters"
        )
    return ClusterCovariance(matrix, None)


def cluster_factor(cov_type: str, n_clusters: int, n_samples: float, size: int) -> float:
    """Return what the sum over clusters is multiplied by, of so many observations and parameters.

    Raises
    ------
    ValueError
        If CR1S has no more observations than parameters.
    """
    if cov_type == "CR0":
        return 1.0
    factor = n_clusters / (n_clusters - 1.0)
    if cov_type == "CR1":
        return factor
    if n_samples <= size:
        raise ValueError(
            f"CR1S has the factor (n - 1) / (n - k), but there are {n_samples:g} observations for "
            f"{size} coefficients; use CR1"
        )
    return factor * (n_samples - 1.0) / (n_samples - size)


def slopes_of_clusters(optimum: Optimum, codes: ClusterCodes, n_clusters: int) -> Matrix:
    """Return the slopes s of each cluster, (n_clusters, n_theta): a pass."""
    sums = sums_of_clusters(optimum.objective.design, optimum.residuals, codes, n_clusters)
    return sums.reshape(n_clusters, -1)


def _slopes(optimum: Optimum, grouping: Grouping) -> Matrix:
    """Return W' s of each cluster, (n_clusters, rank): a pass."""
    return slopes_of_clusters(optimum, grouping.codes, grouping.n_clusters) @ optimum.root


def joint_covariance(
    optimum: Optimum, cov_type: str, clusters: Clusters, contrasts: Matrix
) -> JointCovariance:
    """Return CR2 or CR3 of contrasts (n_contrasts, n_parameters) with what a joint test takes.

    Raises
    ------
    ValueError
        If it is not one for such clusters, or the contrasts are too many.
    """
    outer = optimum.parameters_of(optimum.root.T) @ contrasts.T
    if outer.size > MOST_PRODUCTS:
        raise ValueError(
            f"{cov_type} tests at most {MOST_PRODUCTS // len(outer)} restrictions of {len(outer)} "
            f"coefficients together, here are {len(contrasts)}; test fewer at a time, or take "
            "cov_type='CR1'"
        )
    moments = JointMoments(outer.shape[1], len(outer))
    matrix = _adjusted(optimum, cov_type, clusters, outer, moments)
    return JointCovariance(matrix, moments.degrees_of_freedom())


def _adjusted(
    optimum: Optimum, cov_type: str, clusters: Clusters, outer: Matrix,
    moments: Moments | JointMoments,
) -> Matrix:  # fmt: skip
    """Return CR2 or CR3 of contrasts W'c, (rank, n_contrasts), and add to their moments."""
    if optimum.objective.rows.in_parts:
        raise NotImplementedError(
            f"{cov_type} adjusts each cluster by its rows, which is not there for dask partitions: "
            "use CR0, CR1 or CR1S"
        )
    if len(clusters.groupings) > 1:
        raise ValueError(f"{cov_type} is for one way of clusters; use CR1 for two")
    grouping, power = clusters.groupings[0], POWERS[cov_type]
    rank = len(outer)
    if rank > MOST_COEFFICIENTS:
        raise ValueError(
            f"{cov_type} has degrees of freedom for at most {MOST_COEFFICIENTS} coefficients, "
            f"here are {rank}; use CR1"
        )
    slopes = _slopes(optimum, grouping)
    middle, rows = np.zeros((rank, rank)), _RowsByCluster.of(optimum, grouping)
    step = max(1, GRAM_NUMBERS // (rank + 1) ** 2)
    for first in range(0, grouping.n_clusters, step):
        count = min(step, grouping.n_clusters - first)
        shares = _own_information(optimum, rows, first, count)
        powers = _powers(shares, power, cov_type, clusters, first)
        adjusted = (powers @ slopes[first : first + count, :, None])[:, :, 0]
        middle += products_of_columns(adjusted, optimum.objective.design.n_threads)
        moments.add(outer, shares, powers)
    matrix = outer.T @ middle @ outer
    return 0.5 * (matrix + matrix.T)


class _RowsByCluster(NamedTuple):
    """The cluster of each row, and where rows by index are free, these in order of clusters."""

    codes: ClusterCodes
    # Of the rows in `order` those of cluster g are from bounds[g] to bounds[g + 1].
    order: Indices | None
    bounds: Indices

    @classmethod
    def of(cls, optimum: Optimum, grouping: Grouping) -> _RowsByCluster:
        codes = grouping.codes
        if not optimum.objective.design.gives_rows_freely:
            return cls(codes, None, np.empty(0, dtype=np.int64))
        # NumPy sorts numbers of two bytes by their digits, in a tenth of the time.
        short = grouping.n_clusters < np.iinfo(np.uint16).max
        order = np.argsort((codes + 1).astype(np.uint16) if short else codes, kind="stable")
        bounds = np.searchsorted(codes[order], np.arange(grouping.n_clusters + 1))
        return cls(codes, order, bounds)

    def part(self, first: int, count: int) -> tuple[ClusterCodes, Indices | None]:
        """Return codes that begin at 0 with cluster `first`, and the rows of some clusters."""
        codes = np.where(self.codes >= 0, self.codes - first, -1).astype(np.int32)
        if self.order is None:
            return codes, None
        return codes, self.order[self.bounds[first] : self.bounds[first + count]]


def _own_information(optimum: Optimum, rows: _RowsByCluster, first: int, count: int) -> Cube:
    """Return V'V of some clusters, (count, rank, rank): their shares of the information."""
    design, root = optimum.objective.design, optimum.root
    parts = root.reshape(optimum.objective.n_classes, -1, root.shape[1])
    codes, order = rows.part(first, count)
    whole = np.zeros((count, root.shape[1], root.shape[1]))
    for one, other, weights in _curvature_blocks(optimum):
        grams = grams_of_clusters(design, weights, codes, count, order)
        # Matrix by matrix: of a large product BLAS makes threads, which other work keeps waiting.
        block = parts[one].T @ grams @ parts[other]
        whole += block if one == other else block + block.transpose(0, 2, 1)
    return whole


def _curvature_blocks(optimum: Optimum) -> Iterator[tuple[int, int, Vector]]:
    """Go over the outputs by pairs: what each row adds to that block of the Hessian."""
    n_classes = optimum.objective.n_classes
    shares = optimum.point.curvature.values.reshape(n_classes, -1)
    if n_classes == 1:
        yield 0, 0, shares[0]
        return
    own = optimum.objective.loss.class_weights(optimum.point.curvature.values)[0]
    total = shares.sum(axis=0)
    inverse = np.divide(1.0, total, out=np.zeros_like(total), where=total > 0.0)
    for one in range(n_classes):
        yield one, one, own[one]
        for other in range(one):
            yield one, other, -shares[one] * shares[other] * inverse


def _powers(shares: Cube, power: float, cov_type: str, clusters: Clusters, first: int) -> Cube:
    """Return (I - S)^-power of clusters; 0 where nothing is left (Moore and Penrose).

    Raises
    ------
    ValueError
        With CR3 if nothing is left of a direction.
    """
    # No eigenvalue of S is above its trace.
    traces = np.trace(shares, axis1=1, axis2=2)
    is_small = traces <= SMALL
    found = np.empty_like(shares)
    if is_small.any():
        found[is_small] = _series(shares[is_small], power, float(traces[is_small].max()))
    if is_small.all():
        return found
    values, vectors = np.linalg.eigh(shares[~is_small])
    rest = 1.0 - np.clip(values, 0.0, 1.0)
    alone = rest <= ALONE
    if cov_type == "CR3" and alone.any():
        cluster = first + int(np.flatnonzero(~is_small)[alone.any(axis=1).argmax()])
        raise ValueError(
            f"cluster {cluster} (in the order of the labels) decides a coefficient alone, which "
            "CR3 divides by nothing; use CR2, or leave that column out"
        )
    factors = np.where(alone, 0.0, np.maximum(rest, ALONE) ** -power)
    found[~is_small] = (vectors * factors[:, None, :]) @ vectors.transpose(0, 2, 1)
    return found


def _series(shares: Cube, power: float, largest: float) -> Cube:
    """Return (I - S)^-power by its series in S, whose eigenvalues are at most `largest`."""
    n_terms = 1 + int(np.ceil(np.log(TINY) / np.log(max(largest, TINY))))
    orders = np.arange(1.0, n_terms + 1.0)
    weights = np.append(1.0, np.cumprod((power + orders - 1.0) / orders))
    identity = np.eye(shares.shape[1])
    found = np.broadcast_to(weights[-1] * identity, shares.shape)
    for weight in weights[-2::-1]:
        found = shares @ found
        found += weight * identity
    return found
