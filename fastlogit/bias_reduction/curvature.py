"""What Jeffreys' prior adds to the second derivative, exactly: for steps that hardly err.

With q = W' x, W W' the inverse information, the Hessian of minus Firth's penalised log-likelihood
is F + X' diag(h (3 c - 1/2)) X + T T' / 2, where T is the sum over the rows of ``w c (1 - 2 p) x``
times the products of q with itself, (n_features + 1, rank (rank + 1) / 2).
"""

from __future__ import annotations

import numpy as np

from ..arrays import Matrix, Vector
from ..objective.objective import Objective
from .points import Point
from .small import SmallRows

__all__ = ["added_curvature", "is_worth_it"]

# Multiply-adds that pay for themselves where many searches begin at a point, and the share of
# parameters in rows below which the information alone leads there as fast.
MOST_WORK, LEAST_SHARE = 4e8, 2e-3
# Numbers of the products of q that are made at a time.
BLOCK = 2**20


def is_worth_it(objective: Objective) -> bool:
    """Say whether the exact second derivative is worth its time."""
    n_samples, n_features = objective.design.shape
    size = n_features + 1
    return n_samples * size**3 <= 2.0 * MOST_WORK and size >= LEAST_SHARE * n_samples


def added_curvature(objective: Objective, point: Point, small: SmallRows | None = None) -> Matrix:
    """Return the Hessian of the cost less the information: two passes and the sum of T.

    Parameters
    ----------
    objective : Objective
    point : Point
        Of its `MeanScore`.
    small : SmallRows, optional
        The same rows as a small table, where the sum of T is compiled.

    Returns
    -------
    ndarray of shape (size, size)
    """
    design, rows = objective.design, point.rows
    curvature = 0.25 - rows.beyond * rows.beyond
    each = rows.leverages * (3.0 * curvature - 0.5)
    # A Gram matrix takes weights that are not negative.
    matrix = design.gram(np.maximum(each, 0.0)) - design.gram(np.maximum(-each, 0.0))
    factor = -2.0 * rows.curvature * rows.beyond
    if small is not None and small.knows(point):
        matrix += 0.5 * small.third_order(factor, point.root)
    else:
        matrix += 0.5 * _summed(objective, point, factor)
    if not objective.fit_intercept:
        matrix[-1], matrix[:, -1] = 0.0, 0.0
    return matrix


def _summed(objective: Objective, point: Point, factor: Vector) -> Matrix:
    """Return T T' over the rows of any design: T is the sum of ``factor x`` and products of q."""
    design = objective.design
    center, inverse_scale = design.columns
    size, rank = point.root.shape
    one, other = np.triu_indices(rank)
    doubled = np.where(one == other, 1.0, np.sqrt(2.0))
    tensor = np.zeros((size, one.size))
    for start, stop, block in design.row_blocks(max(1, BLOCK // one.size)):
        x = np.empty((stop - start, size))
        x[:, :-1] = (np.asarray(block, dtype=np.float64) - center) * inverse_scale
        x[:, -1] = 1.0 if objective.fit_intercept else 0.0
        q = x @ point.root
        x *= factor[start:stop, None]
        tensor += x.T @ (q[:, one] * q[:, other] * doubled)
    return tensor @ tensor.T
