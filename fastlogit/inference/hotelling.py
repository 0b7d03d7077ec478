"""Degrees of freedom of several restrictions with CR2 or CR3.

The covariance estimate of q contrasts is taken for a Wishart matrix, whose degrees of freedom eta
come from its mean and total variance under the model; the Wald statistic Q over q is then nearly
Hotelling's T^2, and ``(eta - q + 1) / (eta q) Q`` is F with q and eta - q + 1 degrees of freedom:
"HTZ" of Pustejovsky and Tipton (2018, Journal of Business & Economic Statistics 36, section 3.2).
"""

from __future__ import annotations

import numpy as np

from ..arrays import Cube, Matrix

__all__ = ["JointMoments"]

# A direction of the estimate with a smaller share of the largest is rounding.
DEPENDENT = 1e-12


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

    def add(self, outer: Matrix, values: Matrix, vectors: Cube, factors: Matrix) -> None:
        """Add clusters: eigenvalues and vectors of V'V, and (1 - eigenvalue)^-q."""
        # y (n_clusters, rank, n_contrasts) are the contrasts in the eigenvectors.
        y = np.einsum("gri,rj->gij", vectors, outer)
        inside = y * (values * factors)[:, :, None]
        whole = y.transpose(0, 2, 1) @ (y * (values * np.square(factors))[:, :, None])
        products = inside.transpose(0, 2, 1) @ inside
        covariances = whole - products
        self._mean += covariances.sum(axis=0)
        for each, sign in ((covariances, 1.0), (products, -1.0)):
            flat = each.reshape(len(each), -1)
            self._own += sign * (flat.T @ flat)
        back = (vectors @ inside).reshape(len(values), -1)
        self._cross += back.T @ back

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
