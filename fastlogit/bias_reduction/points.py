"""What an evaluation of a modified score knows at a point."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from ..arrays import Matrix, Vector

if TYPE_CHECKING:
    from .small import SmallRows

__all__ = ["Criterion", "Point", "RowNumbers"]


class RowNumbers(NamedTuple):
    """What an evaluation knows of each row, (n_samples,) each, with the row's weight.

    `beyond` is its probability less 1/2, without weight.
    """

    curvature: Vector
    residuals: Vector
    leverages: Vector
    beyond: Vector


class Point(NamedTuple):
    """An evaluated point of a criterion: sums over the rows, on standardised columns.

    Attributes
    ----------
    theta : ndarray of shape (size,)
    cost : float
        What is minimised: minus the penalised log-likelihood, with the determinant in the units of
        X. Infinite where the information is singular in floating point.
    gradient : ndarray of shape (size,)
        Minus the modified score.
    information : ndarray of shape (size, size)
    root : ndarray of shape (size, rank)
        W, with W W' the inverse of the information.
    log_likelihood : float
        Without the penalty.
    rows : RowNumbers
    """

    theta: Vector
    cost: float
    gradient: Vector
    information: Matrix
    root: Matrix
    log_likelihood: float
    rows: RowNumbers

    @property
    def decrement(self) -> float:
        """How far the point is from a score of 0, in standard errors: root of U' F^-1 U."""
        return float(np.linalg.norm(self.root.T @ self.gradient))


class Criterion(Protocol):
    """What is solved for: evaluates points, and says whether their costs are comparable."""

    # Whether the gradient is that of the cost.
    has_cost: bool
    size: int

    @property
    def small(self) -> SmallRows | None:
        """Its rows where they are a small table, over which profiles are one call."""

    def at(self, theta: Vector) -> Point:
        """Return cost, modified score and information at theta."""

    def reach(self, step: Vector) -> float:
        """Return by how much a step changes the raw prediction of a row at the most."""
