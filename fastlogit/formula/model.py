"""A fitted formula: inference, the table, predictions of new data by the same coding."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..arrays import Array, ArrayLike, Floats, Labels, Matrix, Vector
from ..design.mixed import MixedRows
from ..inference.estimates import LEVEL
from ..inference.infer import infer
from ..inference.inference import Inference
from ..options import UNKNOWN, check_option
from ..prediction import class_proba, raw_prediction
from ..result import FitResult
from .coding import Coding
from .factors import State, Values
from .parsing import Parsed
from .rows import numbers_beside, used_rows
from .tied import tied_features

if TYPE_CHECKING:
    from ..inference.hypothesis_tests import HypothesisTest
    from ..inference.summary import Summary

__all__ = ["FormulaResult", "Rows", "offset_of"]

OF_MISSING = ("error", "nan")


class Rows(NamedTuple):
    """The rows of a fit, which inference looks at once more."""

    X: MixedRows
    y: Labels
    sample_weight: Vector | None
    offset: Vector | None
    clusters: Array | None
    # Which rows of the data they are, and how many the data have.
    used: Array
    n_rows: int


@dataclass(frozen=True, eq=False)
class FormulaResult:
    """A fitted formula.

    It can be pickled if the functions that its formula names can. It holds the rows of the fit, for
    `inference`; `without_rows` gives one that does not.

    Attributes
    ----------
    formula : str
    result : FitResult
        The fit: coefficients, classes, how it went. Its columns are those of `design`.
    response : str
        The left side.
    names : list of str
        Of the coefficients, as formulaic names them: ``C(race)[T.b]``; without the intercept.
    terms : dict of str to list of str
        The names of the coefficients of each term.
    n_rows, n_samples, n_dropped : int
        Rows of the data, of the fit, and those that were left out because a value is missing. Rows
        of weight 0 are in none of the latter.
    lacking : dict of str to int
        In how many rows each column, or function of some, lacks a value.
    weights : {"frequency", "probability", "analytic"} or None
        What `sample_weight` is.
    """

    formula: str
    result: FitResult
    response: str
    n_rows: int
    n_dropped: int
    lacking: dict[str, int]
    n_samples: int
    weights: str | None
    reference: object
    _coding: Coding = field(repr=False)
    _parsed: Parsed = field(repr=False)
    _state: State = field(repr=False)
    # The column that the offset of the fit was; True for an array.
    _offset: str | bool | None = field(repr=False)
    _rows: Rows | None = field(repr=False)

    @property
    def names(self) -> list[str]:
        """Names of the coefficients without the intercept."""
        return self._coding.names

    @property
    def terms(self) -> dict[str, list[str]]:
        """The names of the coefficients of each term."""
        found: dict[str, list[str]] = {}
        for term, name in zip(self._coding.terms, self._coding.names, strict=True):
            found.setdefault(term, []).append(name)
        return found

    @property
    def classes(self) -> Labels:
        """The classes; of two the second is modelled."""
        return self.result.classes

    # ---- what the fit says

    def inference(
        self,
        *,
        cov_type: str | None = None,
        clusters: ArrayLike = None,
        reference: object = None,
        n_threads: int | None = None,
    ) -> Inference:
        """Return standard errors, tests and intervals; see `fastlogit.infer`.

        Hypotheses name coefficients as `names` does, or whole terms:
        ``wald_test("C(race)[T.b] = C(race)[T.c]")``, ``wald_test("bs(x, 4)")``. Margins of columns
        that do not change alone, as levels, are those of rows that `design` makes of changed data.

        Parameters
        ----------
        cov_type : str, optional
            "nonrobust" by default, "CR1" where there are clusters, "HC0" with probability weights
            and of shares that are no counts.
        clusters : array-like of shape (n_rows,) or (n_samples,), optional
            Those of the fit by default.
        reference : label, optional
            Of more than two classes the one that the others are compared with.
        n_threads : int, optional

        Returns
        -------
        Inference

        Raises
        ------
        TypeError, ValueError
            As `fastlogit.infer` does; or if the rows were left out by `without_rows`.
        """
        rows = self._held_rows()
        groups = rows.clusters if clusters is None else self._own(clusters, rows)
        if cov_type is None and groups is not None:
            cov_type = "CR1"
        if cov_type is None and self.weights == "probability":
            cov_type = "HC0"
        is_clustered = cov_type is not None and cov_type.startswith("CR")
        if reference is None:
            reference = self.reference
        found = infer(
            self.result, rows.X, rows.y, sample_weight=rows.sample_weight, offset=rows.offset,
            weights=self.weights, cov_type=cov_type, clusters=groups if is_clustered else None,
            reference=reference, n_threads=n_threads,
        )  # fmt: skip
        tied = tied_features(self._parsed, self._coding)
        return replace(found, terms=self._places(len(found.names)), _tied=tied)

    def _held_rows(self) -> Rows:
        if self._rows is None:
            raise ValueError(
                "this model has no rows any more (without_rows), and inference needs those of the "
                "fit: fit once more, or keep the inference"
            )
        return self._rows

    def _own(self, clusters: ArrayLike, rows: Rows) -> ArrayLike:
        """Return the clusters of the rows of the fit from those of all rows of the data."""
        if isinstance(clusters, str):
            raise TypeError(
                f"clusters is {clusters!r}: give the name of a column at the fit (clusters=...), "
                "here the column itself"
            )
        if isinstance(clusters, tuple):
            return tuple(self._own(each, rows) for each in clusters)
        values = np.asarray(clusters)
        if values.shape[:1] == (rows.n_rows,):
            return values[rows.used]
        return values

    def _places(self, n_coefficients: int) -> dict[str, list[int]]:
        """Return the places of the coefficients of each term."""
        own = [None, *self._coding.terms] if self.result.fit_intercept else [*self._coding.terms]
        found: dict[str, list[int]] = {}
        for place, term in enumerate(own * (n_coefficients // len(own))):
            if term is not None:
                found.setdefault(term, []).append(place)
        return found

    def term_tests(self, **options: object) -> dict[str, HypothesisTest]:
        """Return the test of each term, all its coefficients together: Wald's.

        Of a fit of reduced bias penalised likelihood-ratio tests; see `Inference.term_tests`.

        Parameters
        ----------
        **options
            Those of `inference`.
        """
        return self.inference(**options).term_tests()  # type: ignore[arg-type]  # which checks them

    def summary(
        self, level: float = LEVEL, intervals: str | None = None, **options: object
    ) -> Summary:
        """Return the table of coefficients, with the formula and the rows that are left out.

        Parameters
        ----------
        level : float between 0 and 1, default 0.95
            Of the intervals.
        intervals : {"wald", "profile"}, optional
            As of the summary of an inference, whose default it is.
        **options
            Those of `inference`.
        """
        inference = self.inference(**options)  # type: ignore[arg-type]  # likewise
        given = {} if intervals is None else {"intervals": intervals}
        found = inference.summary(level, **given)
        facts = list(found.facts)
        if self.n_dropped:
            facts.insert(1, ("rows left out", f"{self.n_dropped:,} (values missing)"))
        return replace(found, title=f"{found.title}: {self.formula}", facts=facts)

    def without_rows(self) -> FormulaResult:
        """Return the same without the rows of the fit: small, for predictions alone."""
        return replace(self, _rows=None)

    # ---- predictions

    def design(self, data: ArrayLike = None) -> MixedRows:
        """Return the rows of the fit as its columns, or those of new data, which lack nothing.

        What `fastlogit.infer` and others that look at rows of `result` take as X.

        Parameters
        ----------
        data : frame or mapping, optional
        """
        if data is None:
            return self._held_rows().X
        return self._new_rows(data, None, None, "error")[0]

    def raw_prediction(
        self,
        data: ArrayLike,
        *,
        offset: ArrayLike = None,
        handle_unknown: str | None = None,
        missing: str = "error",
        n_threads: int | None = None,
    ) -> Floats:
        """Return linear predictions of new rows, coded as those of the fit.

        Parameters
        ----------
        data : frame or mapping
            With the columns that the right side of the formula names.
        offset : str or array-like of shape (n_rows,), optional
            A column or an array; where the offset of the fit was a column, that one by default.
        handle_unknown : {"error", "zero"}, optional
            What a level is that the fit had not: an error, or of no column, so that none of the
            factor's coefficients is added. As in the fit by default.
        missing : {"error", "nan"}, default "error"
            What a row is that lacks a value: an error, or NaN.
        n_threads : int, optional

        Returns
        -------
        ndarray of shape (n_rows,) or (n_rows, n_classes)

        Raises
        ------
        TypeError, ValueError
            If a column is missing, or has what the fit does not know.
        """
        return self._predicted(
            raw_prediction, data, offset, handle_unknown, missing, n_threads=n_threads
        )

    def predict_proba(
        self,
        data: ArrayLike,
        *,
        offset: ArrayLike = None,
        handle_unknown: str | None = None,
        missing: str = "error",
        n_threads: int | None = None,
    ) -> Matrix:
        """Return the probability of each class, (n_rows, n_classes); see `raw_prediction`."""
        of_link = self.result._link_probabilities()
        if of_link is not None:
            return of_link(
                self.raw_prediction(
                    data,
                    offset=offset,
                    handle_unknown=handle_unknown,
                    missing=missing,
                    n_threads=n_threads,
                )
            )
        return self._predicted(
            class_proba, data, offset, handle_unknown, missing, n_threads=n_threads,
            multi_class=self.result.multi_class,
        )  # fmt: skip

    def predict(
        self,
        data: ArrayLike,
        threshold: float = 0.5,
        *,
        offset: ArrayLike = None,
        handle_unknown: str | None = None,
        n_threads: int | None = None,
    ) -> Array:
        """Return the predicted class of each row, (n_rows,); see `raw_prediction`.

        Of two classes the second where its probability is at least `threshold`.
        """
        proba = self.predict_proba(
            data, offset=offset, handle_unknown=handle_unknown, n_threads=n_threads
        )
        if proba.shape[1] == 2:
            return self.classes[(proba[:, 1] >= threshold).astype(np.intp)]
        if threshold != 0.5:
            raise ValueError("threshold is for two classes; of more the likeliest is predicted")
        return self.classes[proba.argmax(axis=1)]

    def _predicted(
        self, predict: Callable[..., Floats], data: ArrayLike, offset: ArrayLike,
        handle_unknown: str | None, missing: str, **options: object,
    ) -> Floats:  # fmt: skip
        """Return predictions of new rows, NaN for those that lack something."""
        X, fixed, rows, n_rows = self._new_rows(data, offset, handle_unknown, missing)
        result = self.result
        found = predict(X, result.coef, result.intercept, offset=fixed, **options)
        return _spread(found, rows, n_rows)

    def _new_rows(
        self, data: ArrayLike, offset: ArrayLike, handle_unknown: str | None, missing: str
    ) -> tuple[MixedRows, Vector | None, Array, int]:
        """Return features and offset of the rows that lack nothing, which they are, of how many."""
        check_option("missing", missing, OF_MISSING)
        if offset is None and isinstance(self._offset, str):
            offset = self._offset
        if offset is None and self._offset is True:
            raise ValueError(
                "the fit had an offset that is no column of the data: give offset= one of the new "
                "rows (0 for each where there is none)"
            )
        fixed = numbers_beside("offset", offset, data)
        others = {} if fixed is None else {"offset": fixed}
        state = State(self._state.context, copy.deepcopy(self._state.learnt))
        parsed, coding = self._parsed, self._coding
        expressions = [*coding.expressions, *parsed.offsets]
        used = used_rows(data, parsed.columns, expressions, state, others, missing, fitting=False)
        if handle_unknown is not None:
            coding = coding.with_rule(check_option("handle_unknown", handle_unknown, UNKNOWN))
        X = coding.rows(used.values, len(used.rows))
        return X, offset_of(parsed, used.values, fixed, used.rows), used.rows, used.n_rows

    def __repr__(self) -> str:
        """Return one line."""
        dropped = f" ({self.n_dropped:,} rows left out)" if self.n_dropped else ""
        return (
            f"FormulaResult({self.formula!r}, {self.n_samples:,} rows{dropped}, "
            f"{len(self.names)} coefficients, "
            f"{'converged' if self.result.converged else 'not converged'})"
        )


def offset_of(
    parsed: Parsed, values: Mapping[str, Values], fixed: Vector | None, rows: Array
) -> Vector | None:
    """Return the sum of what the formula has as `offset(...)` and of what stands beside it."""
    parts = [] if fixed is None else [fixed[rows]]
    for each in parsed.offsets:
        columns = values[each.text].columns
        if columns is None or len(columns) != 1:
            raise TypeError(f"offset({each.text}) is not a column of numbers")
        parts.append(next(iter(columns.values())).astype(np.float64))
    return np.sum(parts, axis=0) if parts else None


def _spread(found: Floats, rows: Array, n_rows: int) -> Floats:
    """Return predictions of some rows among all: NaN for the others."""
    if len(rows) == n_rows:
        return found
    out = np.full((n_rows, *found.shape[1:]), np.nan)
    out[rows] = found
    return out
