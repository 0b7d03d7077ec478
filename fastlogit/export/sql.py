"""A model as SQL: the probability of a class as one expression over the columns of a table.

It is 1 / (1 + exp(a) + exp(b) + ...), a sum of exponentials for each class but one, of differences
of raw predictions. Where one is too large for a double the probability is 0, so that nothing can
overflow, and both small and large probabilities have all their digits. Engines whose `exp` fails
instead get its argument cut off.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from fastlogit.arrays import Matrix
from fastlogit.inputs.coded_frame import Level
from fastlogit.options import check_option

from .dialects import DIALECTS, Dialect, literal
from .scoring import Column, Exportable, Pairs, Scoring, check_levels, scoring_of

__all__ = ["to_sql", "to_sql_columns"]

# Engines stop at expressions 1,000 deep, as a plain sum of so many terms is.
_MOST_TERMS = 50
_NEW_TERM = "\n  + "


def to_sql(
    model: Exportable,
    dialect: str = "duckdb",
    label: object = None,
    *,
    feature_names: Sequence[str] | None = None,
    booleans: Collection[str] = (),
) -> str:
    """Return the probability of a class as one SQL expression.

    Parameters
    ----------
    model : FitResult, Model or fitted estimator
        Of the logistic link.
    dialect : {"duckdb", "sqlite", "postgres", "bigquery"}, default "duckdb"
    label : optional
        The class; None takes the second of two.
    feature_names : sequence of str, optional
        Names of the table's columns, where the fit has none or others.
    booleans : collection of str, optional
        Columns of numbers that are boolean in the table: PostgreSQL and BigQuery turn these into
        integers only.

    Returns
    -------
    str
        Over the columns whose coefficients are not all 0. It is NULL in a row where a number is
        NULL, or a category that was not in the fit (with ``handle_unknown="zero"`` that adds
        nothing instead). More than two classes: with softmax the probability, else the one-vs-all
        hypothesis, as `FitResult.predict_proba` has it.

    Raises
    ------
    TypeError, ValueError
        If it is no model, or one that cannot be written so; no such class; or two columns have one
        name in this dialect.
    """
    scoring, chosen = _checked(model, dialect, feature_names, booleans)
    if label is None and not scoring.is_binary:
        raise ValueError(
            f"the model has {len(scoring.classes)} classes; give the label of one of "
            f"{scoring.classes[:10]}, or take to_sql_columns"
        )
    found = 1 if label is None else _place(label, scoring.classes)
    return _probability(scoring, found, chosen, booleans)


def to_sql_columns(
    model: Exportable,
    dialect: str = "duckdb",
    *,
    feature_names: Sequence[str] | None = None,
    booleans: Collection[str] = (),
) -> dict[str, str]:
    """Return the probability of each class as an SQL expression.

    Parameters
    ----------
    model, dialect, feature_names, booleans
        As in `to_sql`.

    Returns
    -------
    dict of str to str
        By the name of the result, ``proba_LABEL``, quoted as the dialect has it.

    Raises
    ------
    TypeError, ValueError
        As `to_sql`.
    """
    scoring, chosen = _checked(model, dialect, feature_names, booleans)
    return {
        chosen.quote(f"proba_{label}"): _probability(scoring, place, chosen, booleans)
        for place, label in enumerate(scoring.classes)
    }


def _checked(
    model: Exportable, dialect: str, names: Sequence[str] | None, booleans: Collection[str]
) -> tuple[Scoring, Dialect]:
    """Return what is to be written, and how."""
    if isinstance(booleans, str):
        raise TypeError(f"booleans must be a list of names of columns, got {booleans!r}")
    chosen = DIALECTS[check_option("dialect", dialect, tuple(DIALECTS))]
    scoring = scoring_of(model, names, needs_names=True)
    scoring.check_logistic("SQL")
    known: dict[object, str] = {}
    for column in scoring.columns:
        same = known.setdefault(chosen.same_name(column.name), column.name)
        if same != column.name:
            raise ValueError(
                f"columns {same!r} and {column.name!r} have one name in {chosen.title}; rename one"
            )
        check_levels(column)
        if texts := [each for each in (column.name, *(column.levels or ())) if "\0" in str(each)]:
            raise ValueError(
                f"column {column.name!r}: {texts[0]!r} has the character U+0000, which SQL has not"
            )
    numbers = {column.name for column in scoring.columns if column.levels is None}
    for name in booleans:
        if name not in numbers:
            raise ValueError(f"booleans has {name!r}, which is no column of numbers of the model")
    return scoring, chosen


def _place(label: object, classes: list[Level]) -> int:
    """Return the place of a class, which a command line gives as text."""
    for place, known in enumerate(classes):
        if label == known or label == str(known):
            return place
    raise ValueError(f"label {label!r} is no class of the model; its classes are {classes[:10]}")


def _probability(scoring: Scoring, place: int, dialect: Dialect, booleans: Collection[str]) -> str:
    """Return the expression of one class."""
    sums = scoring.combined(_exponents(scoring, place))
    used = scoring.used
    writer = _Writer(sums, used, dialect, frozenset(booleans))
    exponentials = [
        dialect.exponential(f"({writer.sum(number)})") for number in range(len(sums.intercept))
    ]
    return f"1e0 / ({_sum(['1e0', *exponentials])})"


def _exponents(scoring: Scoring, place: int) -> Matrix:
    """Return the weights of the outputs in each exponent of a class's probability."""
    if scoring.is_binary:
        return np.array([[1.0 if place == 0 else -1.0]])
    identity = np.eye(len(scoring.classes))
    own = identity[:, [place]]
    if scoring.multi_class == "ovr":
        return -own
    return np.delete(identity, place, axis=1) - own


class _Writer:
    """Writes the sums over the columns of a table."""

    def __init__(
        self, sums: Scoring, used: list[bool], dialect: Dialect, booleans: frozenset[str]
    ) -> None:
        self.sums, self.used, self.dialect, self.booleans = sums, used, dialect, booleans

    def sum(self, number: int) -> str:
        """Return the sum of this number."""
        sums = self.sums
        columns = [
            self._column(column, number)
            for column, is_used in zip(sums.columns, self.used, strict=True)
            if is_used
        ]
        pairs = [self._pairs(each, number) for each in sums.pairs if each.coef.any()]
        return _sum([literal(sums.intercept[number]), *columns, *pairs])

    def _column(self, column: Column, number: int) -> str:
        coef = column.coef[:, number].tolist()
        if column.levels is None:
            return f"{literal(coef[0])} * {self._number(column.name)}"
        cases = [
            f"WHEN {self.dialect.level(level)} THEN {literal(value)}"
            for level, value in zip(column.levels, coef, strict=True)
        ]
        # Without ELSE another level is NULL, and so is the sum.
        rest = " ELSE 0e0" if self.sums.handle_unknown == "zero" else ""
        return f"CASE {self._category(column)} {' '.join(cases)}{rest} END"

    def _pairs(self, pairs: Pairs, number: int) -> str:
        """Return what a pair of levels adds: nothing where there was no such pair in the fit."""
        first, second = self.sums.columns[pairs.first], self.sums.columns[pairs.second]
        within: dict[int, list[str]] = {}
        for (one, other), value in zip(pairs.pairs, pairs.coef[:, number].tolist(), strict=True):
            level = self.dialect.level(_levels(second)[other])
            within.setdefault(one, []).append(f"WHEN {level} THEN {literal(value)}")
        cases = [
            f"WHEN {self.dialect.level(_levels(first)[one])} THEN "
            f"CASE {self._category(second)} {' '.join(inner)} ELSE 0e0 END"
            for one, inner in within.items()
        ]
        return f"CASE {self._category(first)} {' '.join(cases)} ELSE 0e0 END"

    def _number(self, name: str) -> str:
        value = self.dialect.quote(name)
        if name in self.booleans and not self.dialect.casts_booleans:
            value = f"CAST({value} AS integer)"
        return self.dialect.number(value)

    def _category(self, column: Column) -> str:
        value = self.dialect.quote(column.name)
        is_text = isinstance(_levels(column)[0], str)
        return f"CAST({value} AS {self.dialect.text_type})" if is_text else value


def _levels(column: Column) -> tuple[Level, ...]:
    assert column.levels is not None  # of a categorical column
    return column.levels


def _sum(terms: list[str]) -> str:
    """Return a sum that is nowhere deep."""
    while len(terms) > _MOST_TERMS:
        terms = [
            f"({_NEW_TERM.join(terms[k : k + _MOST_TERMS])})"
            for k in range(0, len(terms), _MOST_TERMS)
        ]
    return _NEW_TERM.join(terms)
