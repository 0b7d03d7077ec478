"""What `scan` gives back: a table of regressions, one for each column."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum
from html import escape
from typing import Any

import numpy as np

from ..arrays import Floats, Integers, Labels, Mask, Vector
from ..kernels import scan as kernels
from ..options import check_option
from ..result import FitResult
from .tables import counts_of, frame_of, html_of

__all__ = ["ScanResult", "ScanStatus"]

TESTS = ("likelihood_ratio", "wald", "score")


class ScanStatus(IntEnum):
    """How the regression of a column ended, and so why numbers of it are NaN.

    Attributes
    ----------
    CONVERGED
        The optimum of the likelihood; everything is there. Only where one value lies very far from
        the others may the bound be infinite, as float64 proves nothing then.
    FIRTH
        The optimum of Firth's penalised likelihood, on request or because the likelihood has none.
        Everything is there but the bound, which is infinite: nothing is proven.
    CONSTANT_COLUMN
        The column has one value. All NaN.
    COLLINEAR
        The covariates explain the column. All NaN.
    SEPARABLE
        Column and covariates separate the classes, or the covariates alone do on the rows that are
        left: the likelihood has no optimum. All NaN but, in the first case, the score test.
    ONE_CLASS
        The rows that have a value are of one class. All NaN.
    TOO_FEW_ROWS
        Fewer rows have a value than there are parameters. All NaN.
    NO_ROWS
        All values are missing. All NaN.
    NOT_FINITE
        The column has an infinite value, or spans more than float64 can take. All NaN.
    FAILED
        Rounding errors ended the fit. All NaN but, where the null could be fitted, the score test.
    NOT_FITTED
        The time limit, the callback or Ctrl-C came first. All NaN.
    """

    CONVERGED = kernels.CONVERGED
    FIRTH = kernels.FIRTH
    CONSTANT_COLUMN = kernels.CONSTANT_COLUMN
    COLLINEAR = kernels.COLLINEAR
    SEPARABLE = kernels.SEPARABLE
    ONE_CLASS = kernels.ONE_CLASS
    TOO_FEW_ROWS = kernels.TOO_FEW_ROWS
    NO_ROWS = kernels.NO_ROWS
    NOT_FINITE = kernels.NOT_FINITE
    FAILED = kernels.FAILED
    NOT_FITTED = kernels.NOT_FITTED

    @property
    def text(self) -> str:
        """The name in words, as "one class"."""
        return "Firth" if self is ScanStatus.FIRTH else self.name.lower().replace("_", " ")


@dataclass(frozen=True, eq=False)
class ScanResult:
    """Logistic regressions of the same labels on covariates and one column each, as a table.

    ``len(result)`` is the number of columns. Each array has a number for each.

    Attributes
    ----------
    coef : ndarray of shape (n_columns,)
        The coefficient of the column.
    standard_errors : ndarray of shape (n_columns,)
        Its standard error: from the inverse of the observed information at the optimum; with
        Firth's penalty, of that of the likelihood there.
    wald : ndarray of shape (n_columns,)
        ``(coef / standard_error)**2``.
    score : ndarray of shape (n_columns,)
        Rao's efficient score statistic, at the fit of the covariates alone to the same rows.
    likelihood_ratio : ndarray of shape (n_columns,)
        Twice what the log-likelihood gains by the column; where the status is FIRTH, of the
        penalised one (Heinze and Schemper 2002).
    n_samples : ndarray of shape (n_columns,), int
        Rows of positive weight that have a value.
    suboptimality : ndarray of shape (n_columns,)
        Proven bound on (cost - optimum) / optimum; infinite where nothing is proven.
    status : ndarray of shape (n_columns,), int8
        A `ScanStatus` each.
    null : FitResult
        The fit of the covariates alone, to all rows.
    classes : ndarray of shape (2,)
        The labels of y, sorted; coefficients are of the log-odds of the second.
    names : list of str or None
        The names of the columns, of a frame.
    ended_by : str
        "time_limit" or "callback" where that came before the last column; else empty.
    seconds : float
        Wall time, validation and the fit of the covariates included.

    Notes
    -----
    Each statistic has the chi-squared distribution of one degree of freedom where the column has
    no effect and rows are many.
    """

    coef: Vector
    standard_errors: Vector
    wald: Vector
    score: Vector
    likelihood_ratio: Vector
    n_samples: Integers
    suboptimality: Vector
    status: Integers
    null: FitResult
    classes: Labels
    names: list[str] | None = None
    ended_by: str = ""
    seconds: float = 0.0

    def __len__(self) -> int:
        """Return the number of columns."""
        return len(self.coef)

    @property
    def converged(self) -> Mask:
        """Whether the fit of a column came to its end: CONVERGED or FIRTH, (n_columns,)."""
        found: Mask = self.status <= kernels.FIRTH
        return found

    @property
    def status_text(self) -> Labels:
        """The status of each column in words, (n_columns,)."""
        words = np.array([each.text for each in ScanStatus])
        return words[self.status]

    def p_values(self, test: str = "likelihood_ratio") -> Vector:
        """Return the p-value of each column; 0 where it is below the least float64.

        Parameters
        ----------
        test : {"likelihood_ratio", "wald", "score"}, default "likelihood_ratio"

        Returns
        -------
        ndarray of shape (n_columns,)
            NaN where the statistic is.

        Raises
        ------
        ValueError
            For another test.
        """
        from scipy.special import erfc

        found: Vector = erfc(np.sqrt(0.5 * self._statistic(test)))
        return found

    def log10_p_values(self, test: str = "likelihood_ratio") -> Vector:
        """Return the logarithm to base 10 of each p-value, which does not underflow.

        Parameters
        ----------
        test : {"likelihood_ratio", "wald", "score"}, default "likelihood_ratio"

        Returns
        -------
        ndarray of shape (n_columns,)
            NaN where the statistic is.

        Raises
        ------
        ValueError
            For another test.
        """
        from scipy.special import log_ndtr

        two_sided: Vector = math.log(2.0) + log_ndtr(-np.sqrt(self._statistic(test)))
        return two_sided / math.log(10.0)

    def _statistic(self, test: str) -> Floats:
        found: Floats = getattr(self, check_option("test", test, TESTS))
        return found

    def to_frame(self, library: str = "pandas") -> Any:
        """Return the table as a data frame, a row for each column.

        Parameters
        ----------
        library : {"pandas", "polars", "pyarrow"}, default "pandas"
            Which has to be installed.

        Returns
        -------
        pandas.DataFrame, polars.DataFrame or pyarrow.Table
            Columns column (name or number), n_samples, status (in words), coef, standard_error,
            and for each test its statistic and ``log10_p_TEST``; suboptimality.

        Raises
        ------
        ValueError
            For another library.
        ImportError
            If it is not installed.
        """
        return frame_of(library, self._columns())

    def _repr_html_(self) -> str:
        """Return the same as the repr and the first columns as a table, for notebooks."""
        return f"<p><b>ScanResult</b>{escape(repr(self)[len('ScanResult') :])}</p>" + html_of(
            self._columns()
        )

    def _columns(self) -> dict[str, Any]:
        """Return the columns of the table by name."""
        tests = {
            name: values
            for test in TESTS
            for name, values in (
                (test, getattr(self, test)), (f"log10_p_{test}", self.log10_p_values(test)),
            )
        }  # fmt: skip
        return {
            "column": np.arange(len(self)) if self.names is None else self.names,
            "n_samples": self.n_samples,
            "status": self.status_text,
            "coef": self.coef,
            "standard_error": self.standard_errors,
            **tests,
            "suboptimality": self.suboptimality,
        }

    def __repr__(self) -> str:
        """Return one line: how many columns, and how their fits ended."""
        proven = self.suboptimality[self.status == kernels.CONVERGED]
        worst = float(np.max(proven, initial=0.0))
        facts = [
            f"{len(self):,} columns",
            *counts_of(self.status, ScanStatus),
            f"suboptimality <= {worst:.1e} where converged",
            f"{self.seconds:.3g} s",
        ]
        return f"ScanResult({', '.join(facts)})"
