"""What a result and its message show of L1, L2 and bounds."""

from __future__ import annotations

import numpy as np

from ..arrays import Floats, Matrix
from ..objective.group_penalty import GroupL1
from ..objective.penalties import L1, L2, Penalty

__all__ = ["at_corners", "bounds_of", "of_columns", "strengths_of_l1"]


def of_columns(penalty: Penalty | None, single: bool) -> Floats | None:
    """Return the strengths as (n_features,), or (n_features, n_classes) where they differ.

    None where the penalty has none. `single`: there is one model.
    """
    if not isinstance(penalty, L1 | L2):
        return None
    each = penalty.strengths
    return each[0].copy() if single or len(each) == 1 else np.ascontiguousarray(each.T)


def strengths_of_l1(l1: L1 | None, single: bool) -> Floats | None:
    """Return the same of L1; None where there is none."""
    return None if l1 is None or not l1.strengths.any() else of_columns(l1, single)


def bounds_of(l1: L1 | None) -> Matrix | None:
    """Return the bounds of the coefficients, (2, n_features), if there are any."""
    return None if l1 is None or l1.bounds is None else np.array(l1.bounds)


def at_corners(l1: L1 | None, coef: Matrix) -> str:
    """Return what a message says of the coefficients: how many are not 0, or at a bound."""
    said = ""
    if isinstance(l1, GroupL1):
        used = l1.lengths(coef) > 0.0
        return f"; {np.count_nonzero(used)} of {used.size} groups are not 0"
    if l1 is not None and l1.strengths.any():
        said += f"; {np.count_nonzero(coef)} of {coef.size} coefficients are not 0"
    if l1 is not None and l1.bounds is not None:
        at_bound = (coef == l1.bounds.lower) | (coef == l1.bounds.upper)
        said += f"; {np.count_nonzero(at_bound)} of {coef.size} coefficients are at a bound"
    return said
