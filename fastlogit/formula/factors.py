"""Factors of a formula, computed: columns of numbers, or codes of levels.

What a factor has learnt from the rows of the fit (knots, means, levels) is kept, and new rows are
read by it.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from ..arrays import Array, Features, Indices, Integers, Matrix
from ..inputs.categories import unknown_level
from ..inputs.frames import Level, level_of
from .columns import Series
from .parsing import Expression, formulaic

__all__ = ["Block", "Factor", "Levels", "Numbers", "State", "Values", "compute", "fit_factor"]


class Block(NamedTuple):
    """Columns of a factor: numbers, or which of them is 1 in each row."""

    # (n_rows, n_columns), or None
    numbers: Features | None
    # (n_rows,): the column that is 1, -1 for none; None for numbers.
    codes: Integers | None
    names: list[str]


@dataclass(frozen=True)
class State:
    """What functions of a formula have learnt (formulaic's state), and what it names besides."""

    context: Mapping[str, Any]
    learnt: dict[str, Any] = field(default_factory=dict)


# Whatever formulaic's functions return.
Foreign: TypeAlias = Any


class Values(NamedTuple):
    """A factor computed for some rows: columns of numbers, or levels."""

    # Columns by their names, (n_rows,) each; None for levels.
    columns: dict[str, Array] | None
    # (n_rows,), -1 for none, and what they stand for: in declared order, else sorted.
    codes: Integers | None
    levels: list[Level]
    # What formulaic says of it, or None.
    metadata: Any

    def take(self, rows: Array) -> Values:
        """Return some rows."""
        if self.columns is not None:
            columns = {name: column[rows] for name, column in self.columns.items()}
            return self._replace(columns=columns)
        assert self.codes is not None  # of levels
        return self._replace(codes=self.codes[rows])

    def lacking(self) -> Array:
        """Say of each row whether it is without a number or level, (n_rows,)."""
        if self.columns is None:
            assert self.codes is not None  # of levels
            return self.codes < 0
        found = np.zeros(len(next(iter(self.columns.values()))), dtype=bool)
        for column in self.columns.values():
            found |= np.isnan(column)
        return found


def compute(
    expression: Expression, columns: Mapping[str, Series], state: State, n_rows: int
) -> Values:
    """Return the values of a factor, as formulaic computes them.

    Sets: `state.learnt`, at the fit.

    Raises
    ------
    TypeError, ValueError
        If it cannot be computed, or is neither of numbers nor of levels.
    """
    text = expression.text
    found = columns[text] if expression.is_name else _evaluated(text, columns, state)
    metadata, plain = _metadata(found), _plain(found)
    if np.ndim(plain) == 0 and not isinstance(plain, Mapping):
        raise ValueError(f"{text} is a single value, not a column")
    if _is_categorical(found):
        codes, levels = _coded(plain, text)
        values = Values(None, codes, levels, metadata)
    else:
        values = Values(_numeric_columns(found, text), None, [], metadata)
        _refuse_infinite(values, text)
    length = len(values.lacking())
    if length != n_rows:
        raise ValueError(f"{text} has {length:,} values for {n_rows:,} rows")
    return values


def _evaluated(text: str, columns: Mapping[str, Series], state: State) -> Foreign:
    transforms = formulaic("transforms").TRANSFORMS
    layered = formulaic("utils.layered_mapping").LayeredMapping
    layers = [
        layered(found, name=name)
        for name, found in (
            ("data", columns), ("context", state.context), ("transforms", transforms)
        )
    ]  # fmt: skip
    evaluate = formulaic("utils.stateful_transforms").stateful_eval
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            return evaluate(text, layered(*layers), {}, state.learnt, _spec())
    except Exception as error:  # whatever the user's own functions raise
        said = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise ValueError(f"{text} cannot be computed from data: {said}") from error


def _refuse_infinite(values: Values, text: str) -> None:
    for column in (values.columns or {}).values():
        if np.isinf(column).any():
            row = int(np.argmax(np.isinf(column)))
            raise ValueError(
                f"{text} is infinite in {np.isinf(column).sum():,} rows (the first is row {row} of "
                "those that lack nothing), as a logarithm of 0 is; change the formula or the data"
            )


def _spec() -> Any:
    return formulaic().ModelSpec(formula=[], output="pandas")


# ------------------------------------------------------------------------------------------------
# What kind a factor is


def _plain(found: Foreign) -> Foreign:
    return getattr(found, "__wrapped__", found)


def _metadata(found: Foreign) -> Any:
    return getattr(found, "__formulaic_metadata__", None)


def _is_categorical(found: Foreign) -> bool:
    """Say whether values are of levels: marked by C(...), text, True and False, or categories."""
    metadata, plain = _metadata(found), _plain(found)
    if metadata is not None and metadata.kind.value == "categorical":
        return True
    kind = getattr(plain, "dtype", None)
    if kind is None or np.ndim(plain) != 1:
        return False
    return not isinstance(kind, np.dtype) or kind.kind in "bOUST"


def _numeric_columns(found: Foreign, name: str) -> dict[str, Array]:
    """Return the columns of a factor of numbers by their names."""
    split = formulaic("utils.cast").as_columns(found)
    if isinstance(_plain(split), Mapping):
        columns: dict[str, Array] = {}
        metadata = _metadata(found)
        text = "{name}[{field}]" if metadata is None else metadata.get_format()
        for key, column in split.items():
            if not (isinstance(key, str) and key.startswith("__")):
                columns |= _numeric_columns(column, text.format(name=name, field=key))
        return columns
    plain = _plain(split)
    values = np.asarray(plain.toarray()[:, 0] if hasattr(plain, "toarray") else plain)
    if values.dtype.kind not in "fiub":
        raise TypeError(
            f"{name} holds {values.dtype}, neither numbers nor levels; write C({name}) for levels, "
            "or make it a number first"
        )
    return {name: values if values.dtype == np.float32 else values.astype(np.float64)}


def _spans_intercept(values: Values) -> bool:
    """Say whether the columns of a factor add up to a constant, so that one may be left out."""
    metadata = values.metadata
    if metadata is not None and metadata.kind.value != "unknown":
        return bool(metadata.spans_intercept)
    return values.columns is None


# ------------------------------------------------------------------------------------------------
# Factors that have been fitted


@dataclass(frozen=True)
class Numbers:
    """A factor of numbers."""

    text: str
    names: tuple[str, ...]
    spans_intercept: bool = False
    # The column that is left out where it is reduced.
    dropped: str | None = None

    def block(self, values: Values, reduced: bool, handle_unknown: str) -> Block:
        """Return the columns of rows."""
        found = values.columns or {}
        if tuple(found) != self.names:
            raise ValueError(
                f"{self.text} has the columns {list(found)}, but had {list(self.names)} in the fit"
            )
        kept = [name for name in self.names if not (reduced and name == self.dropped)]
        return Block(np.column_stack([found[name] for name in kept]), None, kept)


class Table(NamedTuple):
    """How levels are coded: what each column has for each level."""

    # (n_levels, n_columns)
    values: Matrix
    names: list[str]

    @property
    def column_of(self) -> Indices | None:
        """The column that is 1 for each level, -1 for none; None if columns are no indicators."""
        is_one = self.values == 1.0
        if not ((is_one | (self.values == 0.0)).all() and (is_one.sum(axis=1) <= 1).all()):
            return None
        if not is_one.shape[1]:
            return np.full(len(is_one), -1)
        return np.where(is_one.any(axis=1), is_one.argmax(axis=1), -1)


@dataclass(frozen=True)
class Levels:
    """A categorical factor: the levels that occur in the fit, in their order."""

    text: str
    levels: tuple[Level, ...]
    # Of all columns, and of all but one.
    full: Table
    reduced: Table
    spans_intercept: bool = True

    def block(self, values: Values, reduced: bool, handle_unknown: str) -> Block:
        """Return the columns of rows; of a level that was not in the fit by `handle_unknown`."""
        table = self.reduced if reduced else self.full
        codes = self.codes(values, handle_unknown)
        columns = table.column_of
        if columns is not None:
            return Block(None, np.append(columns, -1)[codes], table.names)
        with_none = np.vstack([table.values, np.zeros(table.values.shape[1])])
        return Block(with_none[codes], None, table.names)

    def codes(self, values: Values, handle_unknown: str) -> Integers:
        """Return the place of each row's level, as many as there are for none of them."""
        codes, found = values.codes, values.levels
        if codes is None:
            raise TypeError(f"{self.text} holds numbers, but levels in the fit")
        known = {level: place for place, level in enumerate(self.levels)}
        places = np.array([*(known.get(each, len(known)) for each in found), len(known)])
        if handle_unknown == "error" and (places[codes] == len(known)).any():
            row = int(np.argmax(places[codes] == len(known)))
            raise unknown_level(
                "data", found[codes[row]], dict(known), f"{self.text} (row {row} of those used)"
            )
        return places[codes]


Factor = Numbers | Levels


def _coded(plain: Foreign, name: str) -> tuple[Integers, list[Level]]:
    """Return the place of each row's level, -1 for none, and the levels: as declared, or sorted."""
    pd = import_module("pandas")
    plain = pd.Series(plain)
    if isinstance(plain.dtype, pd.CategoricalDtype):
        codes = np.asarray(plain.cat.codes, dtype=np.intp)
        given = list(plain.cat.categories)
    else:
        codes, unique = pd.factorize(plain)
        try:
            given = sorted(unique)
        except TypeError as error:
            raise TypeError(
                f"{name} holds values of several kinds, which have no order: {error}"
            ) from error
        place = {value: number for number, value in enumerate(given)}
        codes = np.array([*(place[value] for value in unique), -1], dtype=np.intp)[codes]
    levels = [level_of(value) for value in given]
    return codes, [str(given[k]) if level is None else level for k, level in enumerate(levels)]


def fit_factor(text: str, values: Values) -> Factor:
    """Return what a factor is, from the rows of a fit.

    Raises
    ------
    TypeError, ValueError
        If it has one level only, or values that are neither numbers nor levels.
    """
    if values.columns is not None:
        spans = _spans_intercept(values)
        dropped = None
        if spans:
            said = values.metadata
            dropped = said.get_format().format(name=text, field=said.drop_field)
        return Numbers(text, tuple(values.columns), spans, dropped)
    assert values.codes is not None  # of levels
    codes, levels = values.codes, values.levels
    used = np.flatnonzero(np.bincount(codes, minlength=len(levels)))
    kept = tuple(levels[place] for place in used)
    if len(kept) < 2:
        raise ValueError(
            f"{text} has one level only ({kept[0]!r}) in the rows of the fit, which tells nothing: "
            "leave it out of the formula"
        )
    full, reduced = (_table(text, values.metadata, kept, reduced=each) for each in (False, True))
    return Levels(text, kept, full, reduced, _spans_intercept(values))


def _table(text: str, metadata: Any, levels: tuple[Level, ...], *, reduced: bool) -> Table:
    """Return formulaic's coding of levels, asked for each of them once."""
    pd = import_module("pandas")
    contrasts = formulaic("transforms.contrasts")
    each = pd.Series(pd.Categorical(list(levels), categories=list(levels)))
    encoder = None if metadata is None else metadata.encoder
    with warnings.catch_warnings():
        warnings.simplefilter("error", formulaic("errors").DataMismatchWarning)
        try:
            if encoder is not None:
                encoded = encoder(
                    each, reduced_rank=reduced, drop_rows=[], encoder_state={}, model_spec=_spec()
                )
            else:
                encoded = contrasts.encode_contrasts(
                    each, reduced_rank=reduced, _state={}, _spec=_spec()
                )
        except (Warning, ValueError, KeyError, TypeError) as error:
            raise ValueError(
                f"the levels of {text}, which are {list(levels)[:10]}, cannot be coded: {error}"
            ) from error
    text_of = _metadata(encoded).get_format()
    table = np.asarray(_plain(encoded), dtype=np.float64).reshape(len(levels), -1)
    names = [text_of.format(name=text, field=each) for each in _metadata(encoded).column_names]
    occurring = table.any(axis=0)
    found = Table(table[:, occurring], [names[place] for place in np.flatnonzero(occurring)])
    if reduced and found.column_of is not None and (found.column_of >= 0).all():
        # The level that formulaic leaves out, of a list of levels, does not occur.
        return Table(found.values[:, 1:], found.names[1:])
    return found
