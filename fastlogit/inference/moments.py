"""Degrees of freedom of variance estimates over clusters, CR2 and CR3.

Of one contrast Satterthwaite's: twice the squared mean over the variance of its estimate. Of more
their covariance is taken for a Wishart matrix, whose degrees of freedom eta come from its mean and
total variance under the model; the Wald statistic Q over q is then nearly Hotelling's T^2, and
``(eta - q + 1) / (eta q) Q`` is F with q and eta - q + 1 degrees of freedom: "HTZ" of Pustejovsky
and Tipton (2018, Journal of Business & Economic Statistics 36, section 3.2).
"""

from __future__ import annotations

import numpy as np

from ..arrays import Cube, Matrix, Vector
from ..design.dense import DenseDesign

__all__ = ["JointMoments", "Moments", "products_of_columns"]

# A direction of the estimate with a smaller share of the largest is rounding.
DEPENDENT = 1e-12


def products_of_columns(rows: Matrix, n_threads: int | None = None) -> Matrix:
    """Return the sum over rows (n_rows, n_columns) of their outer products.

    By our own threads: those of BLAS took 300 ms of processor time for 10,000 rows of 21 numbers on
    a machine that had other work, and longer than all passes over a million rows; this takes 0.2.
    """
    design = DenseDesign(np.ascontiguousarray(rows), n_threads=n_threads)
    return design.gram(np.ones(len(rows)))[:-1, :-1]


def _moved_contrasts(outer: Matrix, shares: Cube, powers: Cube) -> tuple[Cube, Cube]:
    """Return F a of contrasts a = W'c for each cluster, (n_clusters, rank, n_contrasts), and S F a.

    With S its share of the information and F = (I - S)^-q: the products of the adjusted contrasts
    p = V F a with themselves and with V.
    """
    moved = powers @ outer  # matrix by matrix, which makes no threads of BLAS
    return moved, shares @ moved


class Moments:
    """Sums over clusters that Satterthwaite's degrees of freedom are made of.

    For a contrast a = W'c the variance estimate is a quadratic form sum (p_g' e_g)^2 in residuals
    whose covariance is I - V V' under the model. Its mean is the trace of P, and half its variance
    the sum of squares of P, with P_gh = p_g' (I - V V') p_h.
    """

    def __init__(self, trace: Vector, squares: Vector, cross: Cube) -> None:
        self._trace, self._squares, self._cross = trace, squares, cross

    @classmethod
    def empty(cls, size: int, rank: int) -> Moments:
        """Return sums of no clusters, for `size` contrasts."""
        return cls(np.zeros(size), np.zeros(size), np.zeros((size, rank, rank)))

    def add(self, outer: Matrix, shares: Cube, powers: Cube) -> None:
        """Add clusters: S, and (I - S)^-q."""
        moved, inside = _moved_contrasts(outer, shares, powers)
        own = np.einsum("gac,gac->gc", moved, inside)
        length = np.einsum("gac,gac->gc", inside, inside)
        self._trace += (own - length).sum(axis=0)
        self._squares += (np.square(own) - 2.0 * own * length).sum(axis=0)
        for place, cross in enumerate(self._cross):
            cross += products_of_columns(inside[:, :, place])

    def degrees_of_freedom(self) -> Vector:
        """Return those of each contrast."""
        squares = self._squares + np.square(self._cross).sum(axis=(1, 2))
        return np.square(self._trace) / squares


class JointMoments:
    """Sums over clusters that eta is made of.

    With a cluster's share of contrast s in the residuals, p_s' e, the covariances of those of
    clusters g and h are P_gh (q, q), which is -B_g' B_h, and D_g - B_g' B_g of one with itself. The
    estimate's mean is sum P_gg, and its total variance, in the units of that mean,
    sum over g, h of (tr P_gh)^2 + tr(P_gh P_gh).
    """

    def __init__(self, n_contrasts: int, rank: int) -> None:
        size = rank * n_contrasts
        self._mean = np.zeros((n_contrasts, n_contrasts))
        self._own = np.zeros((n_contrasts**2, n_contrasts**2))
        self._cross = np.zeros((size, size))

    def add(self, outer: Matrix, shares: Cube, powers: Cube) -> None:
        """Add clusters: S, and (I - S)^-q."""
        moved, inside = _moved_contrasts(outer, shares, powers)
        whole = moved.transpose(0, 2, 1) @ inside
        products = inside.transpose(0, 2, 1) @ inside
        covariances = whole - products
        self._mean += covariances.sum(axis=0)
        for each, sign in ((covariances, 1.0), (products, -1.0)):
            flat = each.reshape(len(each), -1)
            self._own += sign * products_of_columns(flat)
        self._cross += products_of_columns(inside.reshape(len(inside), -1))

    def degrees_of_freedom(self) -> float:
        """Return eta; 0 where the estimate has fewer directions than there are contrasts."""
        size, lengths = len(self._mean), np.sqrt(np.diag(self._mean))
        if not lengths.all():
            return 0.0
        scaled = self._mean / np.outer(lengths, lengths)
        if np.linalg.matrix_rank(scaled, tol=DEPENDENT, hermitian=True) < size:
            return 0.0
        inverse = np.linalg.inv(self._mean)
        own = self._own.reshape(size, size, size, size)
        total = np.einsum("stuv,ts,vu->", own, inverse, inverse, optimize=True)
        total += np.einsum("stuv,tu,vs->", own, inverse, inverse, optimize=True)
        cross = self._cross.reshape(len(self._cross) // size, size, -1, size)
        turned = np.einsum("rspt,sa,tb->rapb", cross, inverse, inverse, optimize=True)
        total += float((cross * turned).sum() + (cross * turned.transpose(0, 3, 2, 1)).sum())
        return float(size * (size + 1.0) / total)
