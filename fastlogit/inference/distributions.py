"""Tails and quantiles of the distributions that tests refer to, right to the last digit.

Of SciPy's special functions: `scipy.stats` takes a third of a second to import.
"""

from __future__ import annotations

import numpy as np
from scipy import special

from ..arrays import Floats, Vector

__all__ = ["chi2_tail", "f_tail", "quantile", "two_sided"]


def two_sided(statistic: Vector, degrees_of_freedom: Vector | None) -> Vector:
    """Return the probability of a larger size, under the normal or Student's t distribution."""
    size = -np.abs(statistic)
    if degrees_of_freedom is None:
        return 2.0 * special.ndtr(size)
    return 2.0 * special.stdtr(degrees_of_freedom, size)


def quantile(level: float, degrees_of_freedom: Vector | None) -> Floats:
    """Return the size that a share `level` stays below, two-sided: 1.96 of 0.95."""
    above = 0.5 - 0.5 * level
    if degrees_of_freedom is None:
        return np.asarray(-special.ndtri(above))
    return -special.stdtrit(degrees_of_freedom, above)


def chi2_tail(statistic: float, df: float) -> float:
    """Return the probability of a larger value of a chi-squared variable."""
    return float(special.chdtrc(df, max(statistic, 0.0)))


def f_tail(statistic: float, df: float, df_denominator: float) -> float:
    """Return the probability of a larger value of an F variable."""
    return float(special.fdtrc(df, df_denominator, max(statistic, 0.0)))
