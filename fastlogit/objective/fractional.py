"""A fractional response: rows of which a share is of the positive class, and the rest is not.

The logistic loss of a share s of a row is ``log(1 + exp(z)) - s z``: that of its code c less
``(s - c) z``, two small numbers where the row is predicted well. So passes are those of the codes,
and the rest is linear in the coefficients.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..arrays import Vector
from ..kernels.descent import DescentState

if TYPE_CHECKING:
    from .labelled_rows import LabelledRows

__all__ = ["LinearPart", "cost_of_shares", "linear_part", "mixed"]


class LinearPart(NamedTuple):
    """The linear part of a fractional response's mean loss, less its sign.

    `weights` are those of the rows times what their shares are above their codes, (n_samples,).
    """

    weights: Vector
    slopes: Vector
    level: float
    fixed: float

    def take_off(self, state: DescentState, fit_intercept: bool) -> None:
        """Take it off a cost and gradient of rows of their codes."""
        state.cost[...] -= (
            state.point @ self.slopes + state.point_intercept * self.level + self.fixed
        )
        state.gradient[...] -= self.slopes
        state.intercept_gradient[...] -= self.level * fit_intercept


def linear_part(rows: LabelledRows, above: Vector) -> LinearPart:
    """Return the linear part of rows whose shares are so much above their codes: one pass."""
    weights, offset = rows.weights_of(0), rows.offset_of(0)
    own = above if weights is None else weights * above
    slopes, level = rows.design.transposed_product(np.ascontiguousarray(own)[None])
    total = float(rows.total_weight[0])
    fixed = 0.0 if offset is None else float(own @ offset)
    return LinearPart(own, slopes[0] / total, float(level[0]) / total, fixed / total)


def cost_of_shares(rows: LabelledRows, shares: Vector, level: float) -> float:
    """Return the mean loss of an intercept alone: each row is of both classes."""
    weights, offset = rows.weights_of(0), rows.offset_of(0)
    ones = np.ones(shares.size) if weights is None else weights
    fixed = np.zeros((1, ones.size)) if offset is None else offset[None]
    total, found = float(rows.total_weight[0]), 0.0
    for code, own in ((1, ones * shares), (0, ones * (1.0 - shares))):
        codes = np.full(ones.size, code, dtype=np.uint8)
        found += rows.loss.mean_at_levels(
            np.array([level]), fixed, codes, rows.positive, own, total
        )
    return found


def mixed(shares: Vector, of_class: Vector, of_others: Vector) -> Vector:
    """Return the mean of what rows cost on both sides; without a share infinity counts nothing."""
    with np.errstate(invalid="ignore"):
        one = np.where(shares > 0.0, shares * of_class, 0.0)
        return one + np.where(shares < 1.0, (1.0 - shares) * of_others, 0.0)
