"""`Margins`: averages of predictions or of effects, with errors, intervals and tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from scipy.special import expit, logit

from ..arrays import Array, ArrayLike, Matrix, Vector
from ..options import check_level, check_option
from .contrasts import contrasts_of
from .distributions import two_sided
from .estimates import LEVEL, exponentials, intervals_of
from .frames import as_frame
from .hypothesis_tests import HypothesisTest, wald
from .margins_pairs import MEASURES, pairs_of

if TYPE_CHECKING:
    from .summary import Summary

__all__ = ["DegreesOfFreedom", "Margins"]

METHODS = ("transformed", "delta")
# Degrees of freedom of linear combinations of coefficients, (n, n_coefficients).
DegreesOfFreedom: TypeAlias = Callable[[Matrix], Vector]


@dataclass(frozen=True, eq=False)
class Margins:
    """Averages over rows of predictions or of effects, and how sure they are.

    By the delta method their covariance is ``jacobian @ covariance of the coefficients @
    jacobian.T``, with the rows taken as fixed; with bootstrap replicates it is that of these.

    Attributes
    ----------
    names : list of str
    labels : mapping of str to list
        What each row is of: "class" (of more than two), "column" and "change", "at", "group".
    estimates : ndarray of shape (n_margins,)
    jacobian : ndarray of shape (n_margins, n_coefficients)
        Derivatives by the coefficients of the `Inference`.
    title, measure : str
        Of the table, and of the column of estimates.
    scale : {"identity", "log", "logit"}
        On what scale statistics and intervals are made: ratios on that of their logarithms,
        probabilities on that of log-odds.
    facts : list of (str, str)
        Above the table.
    replicates : ndarray of shape (n_replicates, n_margins) or None
        Of a bootstrap.
    """

    names: list[str]
    labels: Mapping[str, list[object]]
    estimates: Vector
    jacobian: Matrix
    title: str
    measure: str
    scale: str
    facts: list[tuple[str, str]]
    replicates: Matrix | None
    _coef_covariance: Matrix = field(repr=False)
    _degrees: DegreesOfFreedom | None = field(repr=False)

    def __len__(self) -> int:
        """Return how many margins there are."""
        return len(self.names)

    # ---- each margin

    @cached_property
    def covariance(self) -> Matrix:
        """Covariance of the estimates, (n_margins, n_margins)."""
        if self.replicates is not None:
            return np.cov(self.replicates, rowvar=False).reshape(len(self), len(self))
        return self.jacobian @ self._coef_covariance @ self.jacobian.T

    @cached_property
    def standard_errors(self) -> Vector:
        """Standard errors of the estimates, (n_margins,)."""
        if self.replicates is not None:
            return self.replicates.std(axis=0, ddof=1)
        products = self.jacobian @ self._coef_covariance
        return np.sqrt(np.maximum((products * self.jacobian).sum(axis=1), 0.0))

    @cached_property
    def degrees_of_freedom(self) -> Vector | None:
        """Of Student's t, where the inference has CR2 or CR3; None where statistics are normal."""
        if self._degrees is None or self.replicates is not None:
            return None
        return self._degrees(self.jacobian)

    @property
    def statistics(self) -> Vector:
        """Z (or t) of the hypothesis that an effect is 0, or a ratio 1.

        Raises
        ------
        ValueError
            Of probabilities, which have no such hypothesis.
        """
        if self.scale == "logit":
            raise ValueError(
                "an average probability has no natural hypothesis to be tested; compare two of "
                "them, as margins.compare()"
            )
        values, errors = self._on_scale()
        with np.errstate(divide="ignore", invalid="ignore"):
            return values / errors

    @property
    def p_values(self) -> Vector:
        """Two-sided p of `statistics`.

        Raises
        ------
        ValueError
            As there.
        """
        return two_sided(self.statistics, self.degrees_of_freedom)

    def conf_int(self, level: float = LEVEL, method: str = "transformed") -> Matrix:
        """Return confidence intervals, (n_margins, 2).

        Parameters
        ----------
        level : float between 0 and 1, default 0.95
        method : {"transformed", "delta"}, default "transformed"
            Made on `scale` and transformed back, so that probabilities stay between 0 and 1 and
            ratios above 0; or estimate plus and minus quantile times standard error. With bootstrap
            replicates the first are their percentiles.

        Raises
        ------
        TypeError, ValueError
            If an argument is not possible.
        """
        share = check_level(level)
        check_option("method", method, METHODS)
        if method == "transformed" and self.replicates is not None:
            tails = [0.5 - 0.5 * share, 0.5 + 0.5 * share]
            return np.quantile(self.replicates, tails, axis=0).T
        values, errors = self._on_scale() if method == "transformed" else self._plain()
        ends = intervals_of(values, errors, share, self.degrees_of_freedom)
        if method == "delta" or self.scale == "identity":
            return ends
        return exponentials(ends) if self.scale == "log" else expit(ends)

    def _plain(self) -> tuple[Vector, Vector]:
        return self.estimates, self.standard_errors

    def _on_scale(self) -> tuple[Vector, Vector]:
        """Return estimates on the scale of the intervals, and their errors there."""
        values, errors = self._plain()
        if self.scale == "log":
            return np.log(values), errors / values
        if self.scale == "logit":
            return logit(values), errors / (values * (1.0 - values))
        return values, errors

    # ---- what follows from them

    def compare(self, measure: str = "difference", pairs: ArrayLike = "reference") -> Margins:
        """Return comparisons of average predictions: risk differences, ratios, odds ratios.

        Parameters
        ----------
        measure : {"difference", "ratio", "odds ratio"}, default "difference"
            p1 - p0, p1 / p0, or p1 (1 - p0) / (p0 (1 - p1)), which is the marginal odds ratio: of
            average probabilities, not of a row. Ratios have intervals on the scale of logarithms.
        pairs : {"reference", "sequential", "pairwise"} or sequence of pairs, default "reference"
            Each scenario against the first, against the one before, all pairs, or given pairs
            ``(one, other)`` of the names in ``labels["at"]``: of one against the other. Within
            each class and group.

        Returns
        -------
        Margins

        Raises
        ------
        TypeError, ValueError
            If these are no average predictions of two or more scenarios, or an argument is not
            possible.
        """
        check_option("measure", measure, tuple(MEASURES))
        if self.scale != "logit":
            raise ValueError(
                f"compare is for average predictions, these are a {self.measure}; use contrast"
            )
        found = pairs_of(self.labels, self.names, measure, pairs)
        kind = MEASURES[measure]
        values, slopes = kind.of(self.estimates[found.high], self.estimates[found.low])
        jacobian = (
            slopes[0][:, None] * self.jacobian[found.high]
            + slopes[1][:, None] * self.jacobian[found.low]
        )
        replicates = None
        if self.replicates is not None:
            replicates = kind.of(self.replicates[:, found.high], self.replicates[:, found.low])[0]
        return replace(
            self, names=found.names, labels=found.labels, estimates=values, jacobian=jacobian,
            title=f"{kind.title} of average predictions", measure=kind.column, scale=kind.scale,
            replicates=replicates,
        )  # fmt: skip

    def contrast(self, hypothesis: ArrayLike) -> Margins:
        """Return linear combinations of the estimates.

        Parameters
        ----------
        hypothesis : str, sequence of str, array-like or (array-like, values)
            Of `names`, as ``"age - weight"``, or a matrix of shape (n, n_margins); see
            `Inference.wald_test`. Values are subtracted.

        Raises
        ------
        TypeError, ValueError
            If it is not understood.
        """
        found = contrasts_of(hypothesis, self.names, {})
        names = _texts_of(hypothesis, len(found.matrix))
        replicates = None
        if self.replicates is not None:
            replicates = self.replicates @ found.matrix.T - found.values
        return replace(
            self, names=names, labels={"contrast": list(names)},
            estimates=found.matrix @ self.estimates - found.values,
            jacobian=found.matrix @ self.jacobian, title=f"Contrasts: {self.title}",
            measure="contrast", scale="identity", replicates=replicates,
        )  # fmt: skip

    def wald_test(self, hypothesis: ArrayLike) -> HypothesisTest:
        """Return the Wald test of linear restrictions of the estimates, by chi-squared.

        See `contrast` for hypotheses; ``"a = b, b = c"`` are two.
        """
        return wald(contrasts_of(hypothesis, self.names, {}), self.estimates, self.covariance)

    # ---- tables

    def summary(self, level: float = LEVEL) -> Summary:
        """Return the table, as text, HTML, Markdown or LaTeX.

        Parameters
        ----------
        level : float between 0 and 1, default 0.95
            Of the intervals.
        """
        from .margins_table import summary_of_margins

        return summary_of_margins(self, check_level(level))

    def to_frame(self, level: float = LEVEL) -> object:
        """Return the table as a pandas data frame, a row for each of `names`.

        Columns are the labels, estimate, std_error, statistic and p_value (not of probabilities),
        conf_low and conf_high. Where pandas is not installed it is a dict of arrays, with the names
        under "term".
        """
        return as_frame(self._columns(check_level(level)), self.names)

    def _columns(self, level: float) -> dict[str, Array]:
        labels = {name: np.array(each, dtype=object) for name, each in self.labels.items()}
        columns: dict[str, Array] = {
            **labels, "estimate": self.estimates, "std_error": self.standard_errors,
        }  # fmt: skip
        if self.scale != "logit":
            columns |= {"statistic": self.statistics, "p_value": self.p_values}
        if self.degrees_of_freedom is not None:
            columns["df"] = self.degrees_of_freedom
        low, high = self.conf_int(level).T
        return columns | {"conf_low": low, "conf_high": high}

    def __str__(self) -> str:
        """Return the summary as text."""
        return str(self.summary())

    def __repr__(self) -> str:
        """Return one line."""
        return f"Margins({len(self)} of {self.measure}, {dict(self.facts).get('covariance', '')})"

    def _repr_html_(self) -> str:
        """Return the summary, for notebooks."""
        return self.summary()._repr_html_()


def _texts_of(hypothesis: ArrayLike, size: int) -> list[str]:
    """Return what contrasts are called: their texts where there is one for each."""
    texts: Sequence[object] = [hypothesis] if isinstance(hypothesis, str) else []
    if isinstance(hypothesis, list | tuple) and all(isinstance(each, str) for each in hypothesis):
        texts = hypothesis
    return [str(each) for each in texts] if len(texts) == size else [
        f"contrast {number}" for number in range(1, size + 1)
    ]  # fmt: skip
