"""What coefficients and their covariance say, whatever the model: errors, tests, intervals."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import numpy as np

from ..arrays import Array, Floats, Matrix, Vector
from ..options import check_level
from .distributions import quantile, two_sided
from .frames import as_frame

if TYPE_CHECKING:
    from .summary import Summary

__all__ = ["LEVEL", "Estimates", "TabledEstimates", "errors_of", "exponentials", "intervals_of"]

LEVEL = 0.95


def errors_of(covariance: Matrix) -> Vector:
    """Return the square roots of the diagonal."""
    return np.sqrt(np.diag(covariance))


def intervals_of(
    values: Floats, errors: Floats, level: float, degrees: Vector | None = None
) -> Floats:
    """Return values less and plus so many errors that a share `level` lies between, (..., 2).

    Raises
    ------
    TypeError, ValueError
        If `level` is no number between 0 and 1.
    """
    half = quantile(check_level(level), degrees) * errors
    return np.stack([values - half, values + half], axis=-1)


def exponentials(values: Floats) -> Floats:
    """Return exp(values), without a warning where it is infinite."""
    with np.errstate(over="ignore"):
        return np.exp(values)


class Estimates:
    """Estimates with names and a covariance.

    A frozen dataclass that derives from it holds `names`, `coef` and `covariance`. It may say that
    more than the coefficients is estimated, and that errors have degrees of freedom.
    """

    names: list[str]
    coef: Vector
    covariance: Matrix

    @property
    def _values(self) -> Vector:
        """Return the estimates that `covariance` is of."""
        return self.coef

    @property
    def _degrees(self) -> Vector | None:
        """Return degrees of freedom of Student's t; None where errors are normal."""
        return None

    @property
    def standard_errors(self) -> Vector:
        """Standard errors, one for each of `names`."""
        return errors_of(self.covariance)

    @property
    def statistics(self) -> Vector:
        """Estimates over their standard errors: z, or t where there are degrees of freedom."""
        return self._values / self.standard_errors

    @property
    def p_values(self) -> Vector:
        """Two-sided p of each estimate's being 0."""
        return two_sided(self.statistics, self._degrees)

    def conf_int(self, level: float = LEVEL) -> Matrix:
        """Return Wald's confidence intervals, a row of two ends for each of `names`.

        Parameters
        ----------
        level : float between 0 and 1, default 0.95

        Raises
        ------
        TypeError, ValueError
            If `level` is no such number.
        """
        return intervals_of(self._values, self.standard_errors, level, self._degrees)


class TabledEstimates(Estimates, ABC):
    """Estimates that are shown as a table, which a class that derives from it makes."""

    @abstractmethod
    def summary(self, level: float = LEVEL) -> Summary:
        """Return what statisticians read of a model, as text, HTML, Markdown or LaTeX.

        Parameters
        ----------
        level : float between 0 and 1, default 0.95
            Of the intervals.
        """

    def to_frame(self, level: float = LEVEL) -> object:
        """Return the table of estimates as a pandas data frame, a row for each of `names`.

        Where pandas is not installed it is a dict of arrays, with the names under "term".
        """
        return as_frame(self._columns(self.conf_int(level)), self.names)

    def _columns(self, intervals: Matrix, *, with_odds: bool = False) -> dict[str, Array]:
        low, high = intervals.T
        columns: dict[str, Array] = {
            "coef": self._values, "std_error": self.standard_errors, "statistic": self.statistics,
            "p_value": self.p_values, "conf_low": low, "conf_high": high,
        }  # fmt: skip
        if with_odds:
            odds_low, odds_high = exponentials(intervals).T
            columns |= {
                "odds_ratio": exponentials(self._values), "odds_low": odds_low,
                "odds_high": odds_high,
            }  # fmt: skip
        return columns

    def __str__(self) -> str:
        """Return the summary as text."""
        return str(self.summary())

    def _repr_html_(self) -> str:
        """Return the summary, for notebooks."""
        return self.summary()._repr_html_()
