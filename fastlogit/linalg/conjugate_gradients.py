"""Conjugate gradients for several equations at once, a product at a time."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..arrays import Indices, Matrix

__all__ = ["ConjugateGradients"]


class ConjugateGradients:
    """Solves ``H x = right`` for several H, symmetric without a negative eigenvalue, from x = 0.

    Whoever asks makes the products, and says how long to go on; equations take part in a step or
    not. After any number of steps the solution is one of descent.

    Parameters
    ----------
    right : ndarray of shape (n_equations, size)
    precondition : callable
        Takes indices of equations and vectors, one for each; returns approximate inverses of their
        H times them.
    smooth : ndarray of shape (n_equations, size), optional
        That of `right`, where it is known.

    Attributes
    ----------
    solution, residual, smooth : ndarray of shape (n_equations, size)
        ``smooth`` is the preconditioned residual.
    direction : ndarray of shape (n_equations, size)
        What the next products are asked of.
    size : ndarray of shape (n_equations,)
        Squared norm of the residual in that of the preconditioner; 0 where an equation is done for.
    """

    def __init__(
        self, right: Matrix, precondition: Callable[[Indices, Matrix], Matrix],
        smooth: Matrix | None = None,
    ) -> None:  # fmt: skip
        self._precondition = precondition
        self.solution, self.residual = np.zeros_like(right), right
        self.smooth = precondition(np.arange(len(right)), right) if smooth is None else smooth
        self.direction = self.smooth.copy()
        self.size = np.einsum("ij,ij->i", self.residual, self.smooth)

    def step(self, live: Indices, products: Matrix) -> None:
        """Go on with the equations `live` (indices), from their products with `direction`.

        Where a direction has no curvature left, the equation is done for.
        """
        # Where all take part nothing is gathered: 100,000 numbers a vector.
        part: Indices | slice = slice(None) if len(live) == len(self.size) else live
        along = self.direction[part]
        curved = np.einsum("ij,ij->i", along, products)
        moves = curved > 0.0
        step = np.where(moves, self.size[part] / np.where(moves, curved, 1.0), 0.0)[:, None]
        self.solution[part] += step * along
        self.residual[part] -= step * products
        residual = self.residual[part]
        smooth = self._precondition(live, residual)
        size = np.einsum("ij,ij->i", residual, smooth)
        previous = np.where(self.size[part] > 0.0, self.size[part], 1.0)
        along *= np.where(moves, size / previous, 0.0)[:, None]
        along += smooth
        self.smooth[part], self.direction[part] = smooth, along
        self.size[part] = np.where(moves, size, 0.0)
