"""What coefficients and their covariance say, whatever the model: errors, tests, intervals."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from importlib import import_module

import numpy as np

from ..arrays import Array, ArrayLike, Matrix, Vector
from ..inference.contrasts import Contrasts, contrasts_of
from ..inference.distributions import quantile, two_sided
from ..inference.hypothesis_tests import HypothesisTest, wald
from ..inference.summary import Summary
from ..inference.table import number, probability
from ..options import check_level

__all__ = ["Estimates"]

LEVEL = 0.95


class Estimates(ABC):
    """Coefficients with names and a covariance, whose errors are normal.

    A frozen dataclass that derives from it holds `names`, `coef`, `covariance` and `terms`, the
    places of the coefficients of each column.
    """

    names: list[str]
    coef: Vector
    covariance: Matrix
    terms: Mapping[str, list[int]]

    @property
    def standard_errors(self) -> Vector:
        """Standard errors of the coefficients, (n_coefficients,)."""
        return np.sqrt(np.diag(self.covariance))

    @property
    def statistics(self) -> Vector:
        """Coefficients over their standard errors: z."""
        return self.coef / self.standard_errors

    @property
    def p_values(self) -> Vector:
        """Two-sided p of each coefficient's being 0."""
        return two_sided(self.statistics, None)

    def conf_int(self, level: float = LEVEL) -> Matrix:
        """Return Wald's confidence intervals, (n_coefficients, 2).

        Parameters
        ----------
        level : float between 0 and 1, default 0.95

        Raises
        ------
        TypeError, ValueError
            If `level` is no such number.
        """
        half = quantile(check_level(level), None) * self.standard_errors
        return np.column_stack([self.coef - half, self.coef + half])

    @property
    def odds_ratios(self) -> Vector:
        """exp(coef)."""
        with np.errstate(over="ignore"):
            return np.exp(self.coef)

    def odds_ratio_intervals(self, level: float = LEVEL) -> Matrix:
        """Return the exponentials of `conf_int`, (n_coefficients, 2)."""
        with np.errstate(over="ignore"):
            return np.exp(self.conf_int(level))

    def wald_test(self, hypothesis: ArrayLike) -> HypothesisTest:
        """Return the Wald test of linear restrictions, by the covariance that is held.

        Parameters
        ----------
        hypothesis : str, sequence of str, array-like or (array-like, values)
            As of `Inference.wald_test`: ``"x1 = x2"``, ``"x1 = 0, x2 = 0"``, the name of a column.

        Raises
        ------
        TypeError, ValueError
            If the hypothesis is not understood, or its restrictions depend on each other.
        """
        return wald(self._contrasts(hypothesis), self.coef, self.covariance)

    def _contrasts(self, hypothesis: ArrayLike) -> Contrasts:
        return contrasts_of(hypothesis, self.names, self.terms)

    # ---- tables

    @abstractmethod
    def _head(self) -> tuple[str, list[tuple[str, str]]]:
        """Return the title of the table and the facts above it."""

    def summary(self, level: float = LEVEL) -> Summary:
        """Return what statisticians read of a model, as text, HTML, Markdown or LaTeX.

        Parameters
        ----------
        level : float between 0 and 1, default 0.95
            Of the intervals.
        """
        low, high = 50.0 - 50.0 * check_level(level), 50.0 + 50.0 * level
        ends = [f"{low:.4g} %", f"{high:.4g} %"]
        heads = ["", "coef", "std error", "z", "P>|z|", *ends, "odds ratio", *ends]
        table = np.column_stack(list(self._columns(level).values()))
        rows = []
        for name, values in zip(self.names, table.tolist(), strict=True):
            cells = [number(value) for value in values]
            cells[2], cells[3] = f"{values[2]:.3f}", probability(values[3])
            rows.append([name, *cells])
        return Summary(*self._head(), heads, rows)

    def to_frame(self, level: float = LEVEL) -> object:
        """Return the table of coefficients as a pandas data frame, a row for each of `names`.

        Where pandas is not installed it is a dict of arrays, with the names under "term".
        """
        columns = self._columns(check_level(level))
        try:
            pd = import_module("pandas")
        except ModuleNotFoundError:
            return {"term": np.array(self.names, dtype=object), **columns}
        return pd.DataFrame(columns, index=pd.Index(self.names, name="term"))

    def _columns(self, level: float) -> dict[str, Array]:
        intervals, odds = self.conf_int(level), self.odds_ratio_intervals(level)
        return {
            "coef": self.coef, "std_error": self.standard_errors, "statistic": self.statistics,
            "p_value": self.p_values, "conf_low": intervals[:, 0], "conf_high": intervals[:, 1],
            "odds_ratio": self.odds_ratios, "odds_low": odds[:, 0], "odds_high": odds[:, 1],
        }  # fmt: skip

    def __str__(self) -> str:
        """Return the summary as text."""
        return str(self.summary())

    def _repr_html_(self) -> str:
        """Return the summary, for notebooks."""
        return self.summary()._repr_html_()
