"""How much each row draws the fit to itself: the diagonal of the hat matrix, or blocks of it.

Of two classes the leverage of a row is ``h = c x' H^-1 x``, c its weighted curvature (Pregibon,
1981, Annals of Statistics 9). A softmax row has K outputs and a matrix: with C = w (diag(p) - p p')
and G = X H^-1 X' of the row's own outputs, ``C G``, whose trace is the row's leverage (Lesaffre and
Albert, 1989, Journal of the Royal Statistical Society B 51). Functions of it are made of the
symmetric R' G R, with R R' = C and R = w^½ diag(s) (I - s s'), s the roots of the probabilities:
f(C G) = I + R g(R' G R) R' G, g(x) = (f(x) - 1) / x, which needs no inverse of C.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from ..arrays import Cube, Matrix, Vector
from ..design.dense import DenseDesign
from ..design.row_sums import dense_blocks, squares_of_rows
from .optimum import Optimum

__all__ = [
    "LeverageBlock",
    "adjusted_residuals",
    "leverage_blocks",
    "leverages",
    "per_repetition",
    "refuse_sole",
    "unit_weights",
]

# Rows of a leverage nearer to 1 decide a coefficient alone.
NEAREST = 1e-9


def leverages(optimum: Optimum) -> Vector:
    """Return the leverage of each row of a binomial model, with its weight: one pass.

    A row that stands for several has the leverage of one of them.
    """
    squares = squares_of_rows(optimum.objective.design, np.ascontiguousarray(optimum.root.T))
    squares *= optimum.point.curvature.values[0]
    np.minimum(squares, 1.0, out=squares)
    return per_repetition(optimum, squares)


def per_repetition(optimum: Optimum, values: Vector) -> Vector:
    """Return numbers of rows over their frequency: of each of the rows that one stands for."""
    weights = optimum.weights
    if not (weights.is_frequency and weights.values.size):
        return values
    return np.divide(values, weights.values, out=np.zeros_like(values), where=weights.values > 0.0)


def unit_weights(optimum: Optimum) -> Vector | None:
    """Return what each observation weighs: its weight, 1 or 0 for frequencies; None for none."""
    weights = optimum.weights
    if not weights.values.size:
        return None
    return (weights.values > 0.0).astype(np.float64) if weights.is_frequency else weights.values


def refuse_sole(rest: Vector, who: str) -> None:
    """Raise where 1 - leverage of a row is next to nothing.

    Raises
    ------
    ValueError
    """
    if float(rest.min()) < NEAREST:
        raise ValueError(
            f"row {int(rest.argmin())} has leverage 1: it decides a coefficient alone, and "
            f"{who} divides by 1 - leverage; use HC0 or HC1, or leave its column out"
        )


class LeverageBlock(NamedTuple):
    """Rows of a softmax model, K outputs each, an observation of each of them.

    `spread` is G and `root` R of the module's text, (n_rows, K, K); `values` (n_rows, K) and
    `vectors` are those of R' G R, and `residuals` (n_rows, K) the slopes of the losses.
    """

    rows: slice
    spread: Cube
    root: Cube
    values: Matrix
    vectors: Cube
    residuals: Matrix

    def adjusted(self, power: float) -> Matrix:
        """Return (I - C G)^-power times the residuals, (n_rows, K); power 1/2 or 1."""
        rest = 1.0 - self.values
        root = np.sqrt(rest)
        factors = 1.0 / rest if power == 1.0 else 1.0 / (root * (1.0 + root))
        moved = np.einsum("nkl,nl->nk", self.spread, self.residuals)
        moved = np.einsum("nlk,nl->nk", self.root, moved)
        moved = np.einsum("nlk,nl->nk", self.vectors, moved) * factors
        moved = np.einsum("nkl,nl->nk", self.vectors, moved)
        return self.residuals + np.einsum("nkl,nl->nk", self.root, moved)


def leverage_blocks(optimum: Optimum) -> Iterator[LeverageBlock]:
    """Go over the rows of a softmax model: one pass."""
    root, n_classes = optimum.root, optimum.objective.n_classes
    outputs = root.T.reshape(root.shape[1], n_classes, -1)
    shares = optimum.point.curvature.values.reshape(n_classes, -1)
    for rows, block in dense_blocks(optimum.objective.design, n_classes * (root.shape[1] + 6)):
        own = shares[:, rows].T
        total = own.sum(axis=1, keepdims=True)
        proba = np.divide(own, total, out=np.zeros_like(own), where=total > 0.0)
        residuals = optimum.residuals[:, rows].T
        if optimum.weights.is_frequency:
            residuals = np.divide(residuals, total, out=np.zeros_like(own), where=total > 0.0)
            total = (total > 0.0).astype(np.float64)
        spread = _spread(outputs, block)
        sizes = np.sqrt(proba)
        centred = np.eye(n_classes) - sizes[:, :, None] * sizes[:, None, :]
        half = (np.sqrt(total) * sizes)[:, :, None] * centred
        values, vectors = np.linalg.eigh(half.transpose(0, 2, 1) @ spread @ half)
        yield LeverageBlock(rows, spread, half, np.clip(values, 0.0, 1.0), vectors, residuals)


def _spread(outputs: Cube, block: DenseDesign) -> Cube:
    """Return G of each row, (n_rows, K, K)."""
    halves = np.stack(
        [
            block.raw_prediction(
                np.ascontiguousarray(own[:, :-1]), np.ascontiguousarray(own[:, -1])
            )
            for own in outputs.transpose(1, 0, 2)
        ]
    )
    turned = halves.transpose(2, 0, 1)
    return turned @ turned.transpose(0, 2, 1)


def adjusted_residuals(optimum: Optimum, power: float, who: str) -> Matrix:
    """Return (I - C G)^-power times the weighted residuals of a softmax, (K, n_samples).

    Raises
    ------
    ValueError
        If a row decides a direction of the coefficients alone.
    """
    adjusted = np.empty_like(optimum.residuals)
    rest = np.empty(adjusted.shape[1])
    for block in leverage_blocks(optimum):
        rest[block.rows] = 1.0 - block.values.max(axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            adjusted[:, block.rows] = block.adjusted(power).T
    refuse_sole(rest, who)
    weights = optimum.weights
    return adjusted * weights.values if weights.is_frequency and weights.values.size else adjusted
