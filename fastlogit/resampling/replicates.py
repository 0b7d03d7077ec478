"""What `bootstrap` and `permutation` give back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from statistics import NormalDist
from typing import Any

import numpy as np

from ..arrays import Array, Floats, Integers, Labels, Mask, Matrix, Vector
from ..fitting.group_fits import GroupStatus
from ..fitting.tables import counts_of, frame_of, html_of
from ..options import check_number, check_option, check_whole
from ..result import FitResult
from .draws import Draws
from .jackknife import Jackknife

__all__ = ["BootstrapDistribution", "BootstrapResult", "PermutationResult"]

METHODS = ("percentile", "basic", "normal", "bca")
NORMAL = NormalDist()


@dataclass(frozen=True, eq=False)
class BootstrapDistribution:
    """Bootstrap replicates of numbers that belong to a fit.

    Attributes
    ----------
    estimate : ndarray
        The numbers of the fit to all rows.
    replicates : ndarray of shape (n_used, *estimate.shape)
        Those of each replicate whose fit converged.
    """

    estimate: Floats
    replicates: Floats
    _of_jackknife: Callable[[], Floats] = field(repr=False)
    _strata: list[Array] = field(repr=False)

    @property
    def standard_errors(self) -> Floats:
        """Standard deviations of the replicates."""
        self._check()
        return np.std(self.replicates, axis=0, ddof=1)

    @property
    def bias(self) -> Floats:
        """Mean of the replicates less the estimate."""
        self._check()
        return np.mean(self.replicates, axis=0) - self.estimate

    def confidence_intervals(self, level: float = 0.95, method: str = "percentile") -> Floats:
        """Return lower and upper ends, in a last axis of two.

        Parameters
        ----------
        level : float, default 0.95
            Between 0 and 1.
        method : {"percentile", "basic", "normal", "bca"}, default "percentile"
            Quantiles of the replicates; twice the estimate less those; the estimate less bias, and
            standard errors times normal quantiles; or quantiles corrected for bias and
            acceleration (Efron, 1987), which need a jackknife: one Newton step for each unit.

        Returns
        -------
        ndarray of shape (*estimate.shape, 2)

        Raises
        ------
        ValueError
            If `level` or `method` is none, fewer than two replicates converged, or there is no
            jackknife (Bayesian weights, more than two classes).

        References
        ----------
        Efron and Tibshirani (1993), An Introduction to the Bootstrap; Davison and Hinkley (1997),
        Bootstrap Methods and their Application, section 5.3, with strata.
        """
        level = check_number("level", level, low=0.0, high=1.0, open_low=True)
        if 0.5 + 0.5 * level == 1.0:
            raise ValueError(f"level must be below 1, e.g. 0.95, got {level!r}")
        method = check_option("method", method, METHODS)
        self._check()
        tails = np.array([0.5 - 0.5 * level, 0.5 + 0.5 * level])
        if method == "normal":
            quantiles = [NORMAL.inv_cdf(tail) for tail in tails]
            ends = np.multiply.outer(self.standard_errors, quantiles)
            return (self.estimate - self.bias)[..., None] + ends
        if method == "bca":
            return self._bca(tails)
        ends = np.moveaxis(np.quantile(self.replicates, tails, axis=0), 0, -1)
        return 2.0 * self.estimate[..., None] - ends[..., ::-1] if method == "basic" else ends

    def _bca(self, tails: Vector) -> Floats:
        flat = self.replicates.reshape(len(self.replicates), -1)
        estimate, accelerations = self.estimate.ravel(), self._accelerations()
        found = np.empty((estimate.size, 2))
        for j, acceleration in enumerate(accelerations):
            values, count = flat[:, j], len(flat)
            below = (values < estimate[j]).sum() + (values <= estimate[j]).sum()
            # All on one side: as if half a replicate lay on the other.
            share = np.clip(below / (2 * count), 0.5 / count, 1.0 - 0.5 / count)
            middle = NORMAL.inv_cdf(share)
            for end, tail in enumerate(tails):
                shift = middle + NORMAL.inv_cdf(tail)
                left = 1.0 - acceleration * shift
                # Beyond the pole of the correction lies the end of the replicates.
                place = NORMAL.cdf(middle + shift / left) if left > 0.0 else float(shift > 0.0)
                found[j, end] = np.quantile(values, place)
        return found.reshape(*self.estimate.shape, 2)

    def _accelerations(self) -> Vector:
        """A sixth of the skewness of the influence of units, over all strata."""
        left_out = self._of_jackknife()
        left_out = left_out.reshape(len(left_out), -1)
        squares, cubes = np.zeros(left_out.shape[1]), np.zeros(left_out.shape[1])
        # Numbers of any size are squared.
        largest = np.ptp(left_out, axis=0)
        unit = np.where(largest > 0.0, largest, 1.0)
        for stratum in self._strata:
            own = left_out[stratum]
            influence = (own.mean(axis=0) - own) / unit * ((len(own) - 1.0) / len(own))
            squares += (influence**2).sum(axis=0)
            cubes += (influence**3).sum(axis=0)
        spread = squares**1.5
        return np.divide(cubes, 6.0 * spread, out=np.zeros_like(cubes), where=spread > 0.0)

    def _check(self) -> None:
        if len(self.replicates) < 2:
            raise ValueError(
                f"replicates that converged: {len(self.replicates)}, and 2 at least are needed; "
                "`status` says how the others ended"
            )


@dataclass(frozen=True, eq=False)
class BootstrapResult:
    """Fits to bootstrap replicates of the rows.

    Errors, bias and intervals are of the replicates whose status is CONVERGED. Where many are not
    (`status`, or the repr), they tell of the others only: a penalty gives every replicate with two
    classes an optimum.

    Attributes
    ----------
    estimate : FitResult
        The fit to all rows.
    coef : ndarray of shape (n, n_features) or (n, n_features, n_classes)
        Coefficients of each replicate, in the units of X.
    intercept : ndarray of shape (n,) or (n, n_classes)
    status : ndarray of shape (n,), int8
        A `GroupStatus` each: how the fit ended, and why numbers are NaN. For bootstrap replicates
        CONSTANT_COLUMN and COLLINEAR are said of columns without penalty; ONE_CLASS also where one
        of more than two classes has no row.
    suboptimality : ndarray of shape (n,)
        Proven bound on (cost - optimum) / optimum; infinity where nothing is proven.
    n_iter : ndarray of shape (n,), int
        Steps from the estimate, or iterations where the fit began anew.
    n_units : int
        Rows, or clusters, of positive weight: as many are drawn.
    classes : ndarray of shape (n_classes,)
    feature_names : list of str or None
    failures : dict
        What `fit` said of replicates whose status is FAILED, and which class others lack, by their
        place.
    ended_by : str
        "time_limit" or "callback" where that came before the last replicate; else empty.
    seconds : float
        Wall time, validation included.
    """

    estimate: FitResult
    coef: Floats
    intercept: Floats
    status: Integers
    suboptimality: Vector
    n_iter: Integers
    n_units: int
    classes: Labels
    feature_names: list[str] | None
    failures: dict[int, str]
    ended_by: str
    seconds: float
    _draws: Draws = field(repr=False)
    _rows: Integers = field(repr=False)
    _sample_weight: Vector = field(repr=False)
    _n_samples: int = field(repr=False)
    _jackknife: Jackknife | str = field(repr=False)

    @property
    def converged(self) -> Mask:
        """Whether the status of each replicate is CONVERGED, (n,)."""
        return self.status == GroupStatus.CONVERGED

    @property
    def status_text(self) -> Labels:
        """The status of each replicate in words, (n,)."""
        return np.array([each.text for each in GroupStatus])[self.status]

    @property
    def standard_errors(self) -> Floats:
        """Standard deviations over replicates, (n_features + 1,) or with an axis of classes.

        The intercept is last.
        """
        return self._parameters.standard_errors

    @property
    def bias(self) -> Floats:
        """Means over replicates less the estimate, of the shape of `standard_errors`."""
        return self._parameters.bias

    def confidence_intervals(self, level: float = 0.95, method: str = "percentile") -> Floats:
        """Return intervals of coefficients and, last, intercept: lower and upper in a last axis.

        Parameters
        ----------
        level : float, default 0.95
        method : {"percentile", "basic", "normal", "bca"}, default "percentile"
            See `BootstrapDistribution.confidence_intervals`.

        Returns
        -------
        ndarray of shape (n_features + 1, 2) or (n_features + 1, n_classes, 2)

        Raises
        ------
        ValueError
            As there.
        """
        return self._parameters.confidence_intervals(level, method)

    def distribution(
        self, statistic: Callable[[Floats, float | Vector], Any]
    ) -> BootstrapDistribution:
        """Return the bootstrap distribution of anything that follows from coefficients.

        Parameters
        ----------
        statistic : callable
            Called with coefficients and intercept, of the shapes of a `FitResult`; gives a number
            or an array, of the same shape each time. For example
            ``lambda coef, intercept: fastlogit.predict_proba(rows, coef, intercept)``.

        Returns
        -------
        BootstrapDistribution
            Its errors, bias and intervals ("bca" too).

        Raises
        ------
        TypeError, ValueError
            If the statistic cannot be called, or gives NaN, or arrays of several shapes.
        """
        if not callable(statistic):
            raise TypeError(f"statistic must be callable, got {type(statistic).__name__}")

        def of(coef: Floats, intercept: float | Floats) -> Floats:
            level = intercept if np.ndim(intercept) else float(intercept)
            found = np.array(statistic(coef, level), dtype=np.float64)
            if not np.isfinite(found).all():
                raise ValueError(f"statistic gave NaN or infinity at coef={coef}, {intercept=}")
            if found.shape != shape:
                raise ValueError(
                    f"statistic gave an array of shape {found.shape}, and one of {shape} for the "
                    "estimate; it must be the same for all"
                )
            return found

        used = self.converged
        estimate_at = self.estimate.coef.copy(), np.copy(self.estimate.intercept)[()]
        shape = np.shape(statistic(*estimate_at))
        estimate = of(*estimate_at)
        coef, levels = self.coef[used], self.intercept[used].copy()
        found = [of(*each) for each in zip(coef, levels, strict=True)]
        values = np.array(found).reshape(len(found), *shape)

        def of_jackknife() -> Floats:
            left_out = self._left_out()
            return np.array([of(each[:-1], each[-1]) for each in left_out])

        return BootstrapDistribution(estimate, values, of_jackknife, self._draws.units.strata)

    def replicate_weights(self, replicate: int) -> Vector:
        """Return the weights of the rows in a replicate, their `sample_weight` included.

        ``fit(X, y, sample_weight=result.replicate_weights(r), ...)`` is the fit of replicate r;
        rows of weight 0 are out of the bag.

        Parameters
        ----------
        replicate : int
            From 0 to n - 1.

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        replicate = check_whole("replicate", replicate, low=-len(self))
        if not 0 <= replicate < len(self.status):
            raise IndexError(f"replicate {replicate} is none of 0 to {len(self.status) - 1}")
        found = np.zeros(self._n_samples)
        found[self._rows] = self._draws.of_rows(replicate)
        return found * self._sample_weight if self._sample_weight.size else found

    def to_frame(
        self, library: str = "pandas", *, level: float = 0.95, method: str = "percentile"
    ) -> Any:
        """Return a table: a row for each coefficient (of each class), and the intercept last.

        Parameters
        ----------
        library : {"pandas", "polars", "pyarrow"}, default "pandas"
        level, method
            Of the intervals.

        Returns
        -------
        pandas.DataFrame, polars.DataFrame or pyarrow.Table
            Columns name, class (for more than two), estimate, bias, standard_error, lower, upper.

        Raises
        ------
        ValueError
            For another library, level or method.
        ImportError
            If the library is not installed.
        """
        return frame_of(library, self._columns(level, method))

    def _columns(self, level: float, method: str) -> dict[str, Any]:
        """Return the columns of the table by name."""
        found, ends = self._parameters, self.confidence_intervals(level, method)
        names, n_outputs = np.array(self._names()), 1 if self.coef.ndim == 2 else len(self.classes)
        columns: dict[str, Any] = {"name": np.repeat(names, n_outputs)}
        if n_outputs > 1:
            columns["class"] = np.tile(self.classes, len(names))
        return columns | {
            "estimate": found.estimate.ravel(),
            "bias": found.bias.ravel(),
            "standard_error": found.standard_errors.ravel(),
            "lower": ends[..., 0].ravel(),
            "upper": ends[..., 1].ravel(),
        }

    def __len__(self) -> int:
        """Return the number of replicates."""
        return len(self.status)

    def __repr__(self) -> str:
        """Return one line: how many replicates of what, and how their fits ended."""
        return f"BootstrapResult({', '.join(self._facts())})"

    def _repr_html_(self) -> str:
        """Return the same and a table of coefficients, for notebooks."""
        text = f"<p><b>BootstrapResult</b>: {escape(', '.join(self._facts()))}</p>"
        if self.converged.sum() < 2:
            return text
        return text + html_of(self._columns(0.95, "percentile"))

    def _facts(self) -> list[str]:
        kind = "Bayesian bootstrap" if self._draws.is_bayesian else "bootstrap"
        worst = float(np.max(self.suboptimality[self.converged], initial=0.0))
        return [
            f"{kind} of {self.n_units:,} units, {len(self):,} replicates",
            f"{self.coef.shape[1]} columns",
            *counts_of(self.status, GroupStatus),
            f"suboptimality <= {worst:.1e} where converged",
            f"{self.seconds:.3g} s",
        ]

    def _names(self) -> list[str]:
        names = self.feature_names or [str(j) for j in range(self.coef.shape[1])]
        return [*names, "intercept"]

    @cached_property
    def _parameters(self) -> BootstrapDistribution:
        used = self.converged
        values = np.concatenate([self.coef[used], self.intercept[used][:, None]], axis=1)
        estimate = np.concatenate([self.estimate.coef, [self.estimate.intercept]])
        return BootstrapDistribution(estimate, values, self._left_out, self._draws.units.strata)

    def _left_out(self) -> Matrix:
        """Return coefficients and intercept without each unit."""
        if isinstance(self._jackknife, str):
            raise ValueError(f"method='bca' is for {self._jackknife}; take 'percentile' or 'basic'")
        return self._jackknife.parameters


@dataclass(frozen=True, eq=False)
class PermutationResult:
    """Permutation tests of logistic regressions.

    Attributes
    ----------
    tested : list of str
        The columns that were tested, by name or place; one text, "all columns", for the test of all
        at once.
    statistic : ndarray of shape (n_tests,)
        The likelihood-ratio statistic of the data: by how much twice the penalised log-likelihood
        is larger with what is tested than without it.
    p_value : ndarray of shape (n_tests,)
        (1 + permutations whose statistic is as large) / (1 + permutations done). Permutations that
        have no optimum (their status is not CONVERGED) count as large, so that it is never too
        small.
    replicates : ndarray of shape (n_tests, n)
        The statistic of each permutation; NaN where the status says why.
    status : ndarray of shape (n_tests, n), int8
        A `GroupStatus` each. COLLINEAR and CONSTANT_COLUMN: the column adds nothing to the others,
        so that each statistic is 0.
    estimate : FitResult
        The fit to the data as they are.
    n_samples : int
    ended_by : str
        "time_limit" or "callback" where that came before the last permutation; else empty.
    seconds : float
        Wall time, validation included.
    """

    tested: list[str]
    statistic: Vector
    p_value: Vector
    replicates: Matrix
    status: Integers
    estimate: FitResult
    n_samples: int
    ended_by: str = ""
    seconds: float = 0.0

    def __len__(self) -> int:
        """Return the number of tests."""
        return len(self.tested)

    def to_frame(self, library: str = "pandas") -> Any:
        """Return a table, a row for each test.

        Parameters
        ----------
        library : {"pandas", "polars", "pyarrow"}, default "pandas"

        Returns
        -------
        pandas.DataFrame, polars.DataFrame or pyarrow.Table
            Columns tested, statistic, p_value, n_permutations (those done).

        Raises
        ------
        ValueError
            For another library.
        ImportError
            If it is not installed.
        """
        return frame_of(library, self._columns())

    def _columns(self) -> dict[str, Any]:
        """Return the columns of the table by name."""
        return {
            "tested": np.array(self.tested),
            "statistic": self.statistic,
            "p_value": self.p_value,
            "n_permutations": (self.status != GroupStatus.NOT_FITTED).sum(axis=1),
        }

    def __repr__(self) -> str:
        """Return one line: what was tested, and how the fits ended."""
        return f"PermutationResult({', '.join(self._facts())})"

    def _repr_html_(self) -> str:
        """Return the same and a table of the tests, for notebooks."""
        text = f"<p><b>PermutationResult</b>: {escape(', '.join(self._facts()))}</p>"
        return text + html_of(self._columns())

    def _facts(self) -> list[str]:
        p = ", ".join(f"{value:.3g}" for value in self.p_value[:3])
        what = self.tested[0] if len(self) == 1 else f"{len(self)} columns"
        return [
            f"{what}, {self.n_samples:,} rows, {self.status.shape[1]:,} permutations",
            f"p = {p}{', ...' if len(self) > 3 else ''}",
            *counts_of(self.status, GroupStatus),
            f"{self.seconds:.3g} s",
        ]
