"""Means, variances and products with the classes of all columns from one read of X."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..arrays import Vector

__all__ = ["NEAR_MEAN", "FirstLook"]

# A column's shift may be so many standard deviations away from its mean: the sums keep all digits
# but two.
NEAR_MEAN = 8.0


class FirstLook(NamedTuple):
    """Sums of the columns less a shift, whose values are near.

    Attributes
    ----------
    shift : ndarray of shape (n_features,)
    means, squares : ndarray of shape (n_features,)
        Weighted means of what is beyond the shift, and of its squares.
    shares, vector : ndarray of shape (n_samples,)
        The rows' shares of the weight, and numbers of theirs.
    products : ndarray of shape (n_features,)
        X' v of the vector, less the shift.
    """

    shift: Vector
    means: Vector
    squares: Vector
    shares: Vector
    vector: Vector
    products: Vector

    @property
    def variances(self) -> Vector:
        """The columns' variances."""
        return self.squares - np.square(self.means)

    def is_sharp(self) -> bool:
        """Say whether no column is far from its shift: then sums have all the digits of others."""
        with np.errstate(over="ignore", invalid="ignore"):
            near = np.square(self.means) <= NEAR_MEAN**2 * self.variances
        return bool(near.all() and np.isfinite(self.squares).all())

    def known_products(
        self, center: Vector, inverse_scale: Vector
    ) -> tuple[tuple[Vector, Vector], ...]:
        """Return both vectors of the rows, and X' v of each, of the X standardised like this."""
        moved = center - self.shift
        with np.errstate(over="ignore", invalid="ignore"):
            return tuple(
                (vector, (sums - moved * float(vector.sum())) * inverse_scale)
                for vector, sums in ((self.shares, self.means), (self.vector, self.products))
            )
