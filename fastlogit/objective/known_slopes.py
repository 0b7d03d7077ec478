"""Slopes of all columns along a vector of the rows, from those of vectors that are known.

A path of penalties moves the residuals of the rows little by little: the next ones are nearly a sum
of those before. What they have beside such a sum moves the slope of a column by at most the product
of both sizes (Cauchy and Schwarz). So most columns are known to rest without a look at them, as in
screening by a sphere (El Ghaoui, Viallon and Rabbani, 2012, Pacific Journal of Optimization 8),
whose centre is a sum of vectors here, so that its radius is of second order.
"""

from __future__ import annotations

import numpy as np

from ..arrays import Indices, Vector
from ..design.first_look import NEAR_MEAN
from ..kernels.working_columns import products
from ..linalg.resolved import EPS, errors_of_sums
from .objective import Objective

__all__ = ["KnownSlopes"]

# Vectors that are kept: with one more it begins anew.
MOST = 24
# A vector whose part beside the known ones has this share of its size, at most, is known.
NOTHING = 1e-10
# One whose slopes are known must have more, for these lose as many digits as it has less.
PLAIN = 0.03
# Columns are alike whose slopes differ by no more than this share.
ALIKE = 1e-9
# Roundings of a row on its way to what it has beside the known vectors, for each of these.
ROW_ERRORS = 4.0


class KnownSlopes:
    """Bounds X' v of one model, the columns standardised; rows times their shares of the weight.

    Parameters
    ----------
    one : Objective
        Of one model of two classes.
    size : float or ndarray of shape (n_features,)
        At least the root mean squares of the standardised columns, in the model's weights.
    """

    def __init__(self, one: Objective, size: Vector | float) -> None:
        self._design, shares = one.design, one.rows.table()[1]
        self._inverse = np.divide(1.0, shares, out=np.zeros_like(shares), where=shares > 0.0)
        self._size = size
        # Sums here are those of four parts.
        n_parts = 16 * one.design.shape[0]
        self._error = EPS * one.design.rounding * errors_of_sums(n_parts)
        self._vectors: list[Vector] = []
        self._slopes: list[Vector] = []
        # What the slopes of each may err, in units of a pass'.
        self._doubts: list[float] = []
        for vector, slopes in one.design.known_products:
            if not vector[shares == 0.0].any():
                self._learn(vector, slopes, NEAR_MEAN + 1.0)

    def __len__(self) -> int:
        return len(self._vectors)

    def size_of(self, vector: Vector) -> float:
        """Return the root mean square of a vector, as the rows are without their shares."""
        return float(np.sqrt(self._product(vector, vector)))

    def take(self, vector: Vector) -> None:
        """Look at all columns for a vector, (n_samples,): one pass."""
        if len(self) >= MOST:
            self._vectors, self._slopes, self._doubts = [], [], []
        _, rest = self._parts(vector)
        size = self.size_of(rest)
        if not size > NOTHING * self.size_of(vector):
            return
        rest /= size
        self._vectors.append(rest)
        self._slopes.append(self._design.transposed_product(rest[None])[0][0])
        self._doubts.append(1.0)

    def _learn(self, vector: Vector, slopes: Vector, doubt: float) -> None:
        """Take a vector whose slopes are known, with errors that are so many times a pass'."""
        factors, rest = self._parts(vector)
        size, whole = self.size_of(rest), self.size_of(vector)
        if not size > PLAIN * whole:
            return
        doubt = doubt * whole + float(np.abs(factors) @ np.array(self._doubts))
        for factor, known in zip(factors, self._slopes, strict=True):
            slopes = slopes - factor * known
        self._vectors.append(rest / size)
        self._slopes.append(slopes / size)
        self._doubts.append(doubt / size)

    def bounds(self, vector: Vector) -> tuple[Vector, Vector]:
        """Return slopes of a vector, (n_features,), and how far from them the true ones may be."""
        factors, rest = self._parts(vector)
        slopes = np.zeros(self._design.shape[1])
        for factor, known in zip(factors, self._slopes, strict=True):
            slopes += factor * known
        size = self.size_of(vector)
        lost = ROW_ERRORS * (1 + len(self)) * EPS * size
        errors = self._error * float(np.abs(factors) @ np.array(self._doubts)) + lost
        doubt = (self.size_of(rest) + errors) * np.maximum(self._size, 1.0)
        return slopes, np.broadcast_to(doubt, slopes.shape) + 8.0 * EPS * np.abs(slopes)

    def distinct(self, columns: Indices, beside: Indices) -> Indices:
        """Return `columns` without those that look like another of them, or one of `beside`.

        They have the same slopes along all known vectors, or opposite ones: coordinate descent over
        columns that are alike takes no end. No more than a guess.
        """
        every = np.append(beside, columns)
        if len(self) < 2 or every.size < 2:
            return columns
        slopes = np.array(self._slopes)[:, every]
        sizes = np.abs(slopes).sum(axis=0)
        order = np.argsort(sizes, kind="stable")
        one, other = slopes[:, order[:-1]], slopes[:, order[1:]]
        within = ALIKE * sizes[order[1:]]
        alike = (np.abs(one - other) <= within).all(axis=0)
        alike |= (np.abs(one + other) <= within).all(axis=0)
        firsts = np.minimum.reduceat(order, np.flatnonzero(np.append(True, ~alike)))
        stays = np.zeros(every.size, dtype=bool)
        stays[firsts] = True
        return columns[stays[beside.size :]]

    def of_columns(self, vector: Vector, columns: Indices) -> tuple[Vector, Vector]:
        """Return the slopes of a vector along some columns, which are read.

        And how many times as far as that of a centred column each may err.
        """
        some, middles = self._design.some_columns(columns)
        found = np.empty(columns.size)
        products.serial(some, middles, vector, float(vector.sum()), found)
        return found, 1.0 + np.abs(middles)

    def _product(self, one: Vector, other: Vector) -> float:
        return float((one * other * self._inverse).sum())

    def _parts(self, vector: Vector) -> tuple[Vector, Vector]:
        """Return the factors of the known vectors in one, and what it has beside them."""
        rest, factors = vector.copy(), np.zeros(len(self))
        for _ in range(2):  # once more, for what rounding errors left
            for place, known in enumerate(self._vectors):
                factor = self._product(known, rest)
                rest -= factor * known
                factors[place] += factor
        return factors, rest
