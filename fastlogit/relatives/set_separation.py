"""Whether a combination of columns picks the cases of every stratum: then there is no maximum.

With a direction v such that in each stratum no case has a lower x' v than a control, and somewhere
a higher one, the conditional likelihood grows for ever along v. A linear programme finds it: for
each stratum a threshold between its controls and its cases.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import sparse

from ..arrays import Integers
from .strata import MatchedRows

__all__ = ["SeparatedSets", "separated_sets"]

# Of the largest margin that columns of size 1 could have: solutions are right to 1e-7.
SLACK = 1e-6
# Columns named in a message: those with at least this share of the largest coefficient.
SHARE = 1e-3
# After so many seconds of the programme nothing is known.
SECONDS = 60.0


class SeparatedSets(NamedTuple):
    """Columns of a direction that tells cases from controls, and whether it does so everywhere."""

    columns: Integers
    complete: bool


def separated_sets(rows: MatchedRows) -> SeparatedSets | None:
    """Return a direction that separates the sets; None where there is none."""
    from scipy.optimize import linprog  # takes 0.1 s to import

    strata, n_features = rows.strata, len(rows.scale)
    n_rows, n_strata = len(strata.rows), len(strata.weights)
    values = sparse.vstack(
        [sparse.csr_array(rows.values(number)) for number in range(rows.n_blocks)], format="csr"
    )
    sign = np.where(strata.is_case == 1, 1.0, -1.0)
    of_stratum = np.repeat(np.arange(n_strata), strata.counts)
    thresholds = sparse.csr_array((sign, (np.arange(n_rows), of_stratum)), (n_rows, n_strata))
    # -(sign * (x' v - threshold)) <= 0, their sum as large as it can be.
    margins = sparse.hstack([sparse.diags_array(-sign) @ values, thresholds], format="csr")
    found = linprog(
        margins.sum(axis=0), A_ub=margins, b_ub=np.zeros(n_rows),
        bounds=[(-1.0, 1.0)] * n_features + [(None, None)] * n_strata, method="highs",
        options={"time_limit": SECONDS},
    )  # fmt: skip
    if found.status != 0:
        return None
    direction = found.x[:n_features]
    raw, begins = values @ direction, strata.starts[:-1]
    low = np.minimum.reduceat(np.where(sign > 0.0, raw, np.inf), begins)
    high = np.maximum.reduceat(np.where(sign < 0.0, raw, -np.inf), begins)
    spread = np.maximum.reduceat(raw, begins) - np.minimum.reduceat(raw, begins)
    apart, slack = low - high, SLACK * max(1.0, float(np.abs(raw).max()))
    if apart.min() < -slack or spread.max() <= slack:
        return None
    used = np.abs(direction) >= SHARE * np.abs(direction).max()
    return SeparatedSets(np.flatnonzero(used), bool(apart.min() > slack))
