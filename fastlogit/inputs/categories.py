"""Frames with categorical columns: how they are coded in a fit, and read by a fitted model.

A categorical column has a coefficient for each of its levels, the values that occur in the fit
(full coding), or for all but the first, whose coefficient is 0 (reference coding). It is read as
codes, one small whole number a row (`design.codes`): indicators of levels are never formed.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from numbers import Real
from typing import Any

import numpy as np

from ..arrays import Array, ArrayLike, Features, Indices, Integers, Vector
from ..design.codes import CodedColumns, code_columns
from ..design.compressed import CompressedRows
from ..design.mixed import MixedRows
from ..options import CODINGS, UNKNOWN, CategoryOptions, check_option
from .column_names import feature_names
from .conversion import refuse_names_twice
from .frames import (
    Level,
    ReadColumn,
    categorical_places,
    level_of,
    number_columns,
    read_column,
    sparse_columns,
    sparse_places,
)
from .interactions import Interaction, pair_codes, pairs_of
from .readers import is_frame
from .values import column_text, is_missing, show

__all__ = [
    "Categories",
    "Interaction",
    "categories_from",
    "coded_columns",
    "has_categories",
    "look_at_categories",
    "missing_category",
    "mixed_numbers",
    "number_blocks",
    "refuse_categories",
    "rows_of_fit",
    "unknown_level",
]

# An error shows so many levels.
SHOWN = 10


@dataclass(frozen=True)
class Categories:
    """How the columns of a frame became the features of a fit, and so how new rows are read.

    Features are in the order of the columns, a categorical one in the place of its levels; those
    of interactions come last.

    Attributes
    ----------
    columns : tuple of str
        Names of the columns of the frame.
    levels : tuple
        Of each column: None for one of numbers, else the values that occurred in the fit, in the
        order that the column declared (pandas, polars' Enum, Arrow), or sorted (polars'
        Categorical).
    coding : {"full", "reference"}
        Whether each level has a coefficient, or all but the first, whose coefficient is 0.
    handle_unknown : {"error", "zero"}
        What a value is at prediction that was not in the fit, or that is missing: an error, or of
        no level, so that no coefficient of the column is added.
    interactions : tuple of Interaction
    """

    columns: tuple[str, ...]
    levels: tuple[tuple[Level, ...] | None, ...]
    coding: str
    handle_unknown: str = "error"
    interactions: tuple[Interaction, ...] = ()

    @property
    def n_columns(self) -> int:
        """How many columns the frame has."""
        return len(self.columns)

    @cached_property
    def features(self) -> list[tuple[str, Level | tuple[Level, Level] | None]]:
        """What each feature is: a column and its level, None for numbers; ("a:b", (x, y))."""
        found: list[tuple[str, Level | tuple[Level, Level] | None]] = []
        for name, levels in zip(self.columns, self.levels, strict=True):
            if levels is None:
                found.append((name, None))
            else:
                found += [(name, level) for level in levels[self._n_dropped :]]
        for first, second, pairs in self.interactions:
            name = f"{self.columns[first]}:{self.columns[second]}"
            one, other = self._levels_of(first), self._levels_of(second)
            found += [(name, (one[a], other[b])) for a, b in pairs]
        return found

    @cached_property
    def feature_names(self) -> list[str]:
        """Names of the features: ``carrier[AA]``, ``carrier:origin[AA:JFK]``, or of a column."""
        return [
            name
            if level is None
            else f"{name}[{':'.join(map(str, level)) if isinstance(level, tuple) else level}]"
            for name, level in self.features
        ]

    @property
    def n_features(self) -> int:
        """How many features the columns become: as many as there are coefficients."""
        return len(self.features)

    @cached_property
    def places(self) -> list[Indices]:
        """The features of each column, and then of each interaction."""
        widths = [
            1 if levels is None else len(levels) - self._n_dropped for levels in self.levels
        ] + [len(each.pairs) for each in self.interactions]
        ends = itertools.accumulate(widths, initial=0)
        return [np.arange(a, b) for a, b in itertools.pairwise(ends)]

    @cached_property
    def codes_of(self) -> list[dict[Level, int]]:
        """The code of each level, of each column; none for numbers."""
        return [{level: code for code, level in enumerate(levels or ())} for levels in self.levels]

    def row(self, values: Sequence[object]) -> Vector:
        """Return the features of a single row, from the value of each column.

        Raises
        ------
        TypeError, ValueError
            If there are more values or fewer, a column of numbers has none, or a categorical one
            has a value that was not in the fit where that is an error.
        """
        if len(values) != self.n_columns:
            raise ValueError(f"row has {len(values)} values, but the fit had {self.n_columns}")
        found = np.zeros(self.n_features)
        codes: dict[int, int] = {}
        for place, value in enumerate(values):
            if self.levels[place] is None:
                found[self.places[place][0]] = self._number(value, place)
                continue
            codes[place] = code = self._code(value, place)
            if self._n_dropped <= code < len(self.codes_of[place]):
                found[self.places[place][0] + code - self._n_dropped] = 1.0
        for number, pair in enumerate(self.interactions):
            at = self.pair_places[number].get((codes[pair.first], codes[pair.second]))
            if at is not None:
                found[self.places[self.n_columns + number][at]] = 1.0
        return found

    @cached_property
    def pair_places(self) -> list[dict[tuple[int, int], int]]:
        """The place of each pair of levels, of each interaction."""
        return [{pair: at for at, pair in enumerate(each.pairs)} for each in self.interactions]

    def _number(self, value: object, place: int) -> float:
        if type(value) is float:
            return value
        if isinstance(value, Real | np.bool_):
            return float(value)
        if is_missing(value):
            return np.nan
        raise TypeError(f"row has {show(value)} in {self.column_text(place)}, which is no number")

    def _code(self, value: object, place: int) -> int:
        """Return the code of a value; one above the last where the fit had it not."""
        known, level = self.codes_of[place], level_of(value)
        none = len(known)
        code = none if level is None else known.get(level, none)
        if code == none and self.handle_unknown == "error":
            raise unknown_level("row", value, known, self.column_text(place))
        return code

    @property
    def _n_dropped(self) -> int:
        return int(self.coding == "reference")

    def _levels_of(self, place: int) -> tuple[Level, ...]:
        levels = self.levels[place]
        assert levels is not None  # of a categorical column
        return levels

    def check(self) -> None:
        """Raise ValueError where no column has a coefficient."""
        if self.n_features == 0:
            raise ValueError(
                "X has categorical columns of one level only, which categories='reference' leaves "
                "without a coefficient; use categories='full', or more columns"
            )

    def taking(self, handle_unknown: object) -> Categories:
        """Return the same with another rule for levels that were not in the fit."""
        rule = check_option("handle_unknown", handle_unknown, UNKNOWN)
        return self if rule == self.handle_unknown else replace(self, handle_unknown=rule)

    def column_text(self, place: int) -> str:
        """Return how messages call a column."""
        return column_text(place, self.columns)


def categories_from(said: Mapping[str, Any] | None) -> Categories | None:
    """Return categories that `dataclasses.asdict` and JSON have made lists of; None of none.

    Raises
    ------
    KeyError, TypeError, ValueError
        If they are not whole.
    """
    if said is None:
        return None
    levels = tuple(None if each is None else tuple(each) for each in said["levels"])
    columns = tuple(map(str, said["columns"]))
    coding = check_option("coding", said["coding"], CODINGS[1:])
    rule = check_option("handle_unknown", said["handle_unknown"], UNKNOWN)
    interactions = tuple(
        Interaction(int(first), int(second), tuple((int(a), int(b)) for a, b in pairs))
        for first, second, pairs in said["interactions"]
    )
    found = Categories(columns, levels, coding, rule, interactions)
    if not _is_whole(found):
        raise ValueError("its categories are not those of a fit")
    return found


def _is_whole(categories: Categories) -> bool:
    """Say whether there are levels for each column, each once, and for each pair."""
    levels = categories.levels
    sizes = [0 if each is None else len(set(each)) for each in levels]
    if len(levels) != categories.n_columns or sizes != [len(each or ()) for each in levels]:
        return False
    return all(
        0 <= place < len(sizes) and all(0 <= level < sizes[place] for level in used)
        for each in categories.interactions
        for place, used in zip(each[:2], zip(*each.pairs, strict=True), strict=True)
    )


def has_categories(X: ArrayLike) -> bool:
    """Say whether X is a frame with a categorical column."""
    return bool(categorical_places(X))


def refuse_categories(name: str, X: ArrayLike) -> None:
    """Raise TypeError where X is a frame with a categorical column: of a function without them."""
    for place in categorical_places(X):
        names = feature_names(X)
        raise TypeError(
            f"{name} takes no categorical columns, and X has one in {column_text(place, names)}; "
            "pass indicators of the levels, e.g. pandas.get_dummies(X, drop_first=True, "
            "dtype=float), without drop_first where there is a penalty"
        )


def look_at_categories(
    X: ArrayLike, names: Sequence[str], options: CategoryOptions
) -> tuple[MixedRows, Categories]:
    """Read a frame with categorical columns for a fit.

    Parameters
    ----------
    X : frame or table
    names : sequence of str
        Of its columns.
    options : CategoryOptions

    Returns
    -------
    MixedRows
    Categories
        With the levels that occur.

    Raises
    ------
    TypeError, ValueError
        If a category is missing, a column holds neither numbers nor categories, or two columns have
        one name.
    """
    refuse_names_twice(X)
    _refuse_empty(X)
    chosen = categorical_places(X)
    levels: list[tuple[Level, ...] | None] = [None] * len(names)
    codes: dict[int, Integers] = {}
    for place in chosen:
        codes[place], levels[place] = _occurring(read_column(X, place), place, names)
    found = Categories(tuple(names), tuple(levels), options.coding, options.unknown)
    if options.interactions:
        found = replace(found, interactions=pairs_of(options.interactions, found, codes))
    found.check()
    return _mixed(X, found, codes), found


def _refuse_empty(X: ArrayLike) -> int:
    """Return how many columns a frame has; raise where it has no rows."""
    n_samples, n_columns = X.shape  # type: ignore[attr-defined]  # of a frame
    if n_samples == 0:
        raise ValueError(f"X is empty: {n_samples} rows and {n_columns} columns")
    return int(n_columns)


def _occurring(
    column: ReadColumn, place: int, names: Sequence[str]
) -> tuple[Integers, tuple[Level, ...]]:
    """Return codes and levels of a column, without the levels that no row has."""
    codes, values = column
    if codes.min() < 0:
        raise missing_category(int(np.argmax(codes < 0)), place, names)
    counts = np.bincount(codes, minlength=len(values))
    if counts.all():
        return codes, tuple(values)
    used = np.flatnonzero(counts)
    table = np.zeros(len(values), dtype=np.min_scalar_type(len(used)))
    table[used] = np.arange(len(used))
    return table[codes], tuple(values[place] for place in used)


def missing_category(row: int, place: int, names: Sequence[str]) -> ValueError:
    """Return an error that says where a category is missing in a fit."""
    return ValueError(
        f"X has a missing category in {column_text(place, names)} (row {row}); "
        "give missing values a category of their own, or drop such rows"
    )


def rows_of_fit(X: ArrayLike, categories: Categories) -> MixedRows:
    """Read new rows as those of a fit were: levels by their values, columns by their places.

    Parameters
    ----------
    X : frame or table
        Of the columns of the fit, in its order; a categorical one may be of any type here, as text.
    categories : Categories

    Raises
    ------
    TypeError
        If it is no frame, or holds what is neither number nor category.
    ValueError
        If it has another number of columns, or a value that was not in the fit where that is an
        error.
    """
    places = [place for place, levels in enumerate(categories.levels) if levels is not None]
    shape = getattr(X, "shape", None)
    if not is_frame(X) or shape is None or len(shape) != 2:
        raise TypeError(
            f"the fit had categorical columns ({categories.column_text(places[0])}), so that X "
            f"must be a data frame with the columns of the fit, got {type(X).__name__}"
        )
    if shape[1] != categories.n_columns:
        raise ValueError(
            f"X has {shape[1]} columns, but the fit had {categories.n_columns}: "
            f"{list(categories.columns[:SHOWN])}"
        )
    refuse_names_twice(X)
    _refuse_empty(X)
    return _mixed(X, categories, {place: _known(X, place, categories) for place in places})


def _known(X: ArrayLike, place: int, categories: Categories) -> Integers:
    """Return the codes of a column by the levels of the fit; unknown is one above the last."""
    try:
        column = read_column(X, place)
    except (TypeError, NotImplementedError) as error:  # as of lists, which nobody compares
        where = categories.column_text(place)
        raise TypeError(f"X has values in {where} that are no categories: {error}") from error
    known = categories.codes_of[place]
    none = len(known)
    kind = np.min_scalar_type(none)
    table = np.array([*(known.get(value, none) for value in column.values), none], dtype=kind)
    codes: Integers = table[column.codes]
    if categories.handle_unknown == "error" and (bad := codes == none).any():
        row = int(np.argmax(bad))
        code = int(column.codes[row])
        value = None if code < 0 else column.values[code]
        where = f"{categories.column_text(place)} (row {row})"
        raise unknown_level("X", value, known, where)
    return codes


OF_NO_LEVEL = ", or fit with handle_unknown='zero', which takes it as of no level"


def unknown_level(
    name: str, value: object, known: Mapping[Level, int], where: str, otherwise: str = OF_NO_LEVEL
) -> ValueError:
    """Return an error that says which value has no level, and which there are."""
    if level_of(value) is None:
        what = f"{name} has a missing category in {where}"
    else:
        what = f"{name} has {show(value)} in {where}, which was not in the fit"
    more = " and more" * (len(known) > SHOWN)
    return ValueError(f"{what}; its levels are {list(known)[:SHOWN]}{more}: correct it{otherwise}")


# ------------------------------------------------------------------------------------------------
# Rows for a design


def _mixed(X: ArrayLike, categories: Categories, codes: dict[int, Integers]) -> MixedRows:
    """Return the columns of numbers and the codes of the others, side by side."""
    numbers = [place for place, levels in enumerate(categories.levels) if levels is None]
    dense, sparse, chosen = number_blocks(X, numbers)
    places = [np.concatenate([categories.places[place] for place in each]) for each in chosen]
    coded, of_codes = coded_columns(categories, codes)
    if coded is not None:
        places.append(of_codes)
    return MixedRows(dense, sparse, coded, tuple(places))


def number_blocks(
    X: ArrayLike, numbers: Sequence[int]
) -> tuple[Features | None, CompressedRows | None, list[list[int]]]:
    """Return columns of numbers, those that are stored sparse apart; and which each are."""
    chosen = [place for place in sparse_places(X) if place in set(numbers)]
    sparse = sparse_columns(X, chosen) if chosen else None
    if sparse is None:
        chosen = []  # others than zeros are left out: such columns are refused
    others = [place for place in numbers if place not in set(chosen)]
    dense = number_columns(X, others) if others else None
    return dense, sparse, [places for places in (others, chosen) if places]


def mixed_numbers(X: ArrayLike) -> MixedRows | None:
    """Return a frame some of whose columns are sparse, as such; None for any other.

    Raises
    ------
    TypeError, ValueError
        If the columns hold no numbers, or two have one name.
    """
    places = sparse_places(X)
    if not places:
        return None
    refuse_names_twice(X)
    n_columns = _refuse_empty(X)
    if len(places) == n_columns:
        return None
    dense, sparse, chosen = number_blocks(X, range(n_columns))
    return MixedRows(dense, sparse, None, tuple(np.array(places) for places in chosen))


def coded_columns(
    categories: Categories, codes: dict[int, Integers]
) -> tuple[CodedColumns | None, Indices]:
    """Return what has a coefficient for each level or pair as codes, and its features.

    Parameters
    ----------
    categories : Categories
    codes : dict of int to ndarray of shape (n_rows,)
        Of each categorical column, by its place; one above the last level for what is unknown.
    """
    columns: list[Array] = []
    sizes, kept, places = [], [], []
    for place, column in codes.items():
        if len(categories.places[place]):  # none for the only level in reference coding
            n_levels = len(categories.codes_of[place])
            columns.append(column)
            sizes.append(n_levels + 1)  # the last for unknown ones
            kept.append(np.arange(n_levels - len(categories.places[place]), n_levels))
            places.append(categories.places[place])
    for number, interaction in enumerate(categories.interactions, categories.n_columns):
        columns.append(pair_codes(interaction, categories, codes))
        sizes.append(len(interaction.pairs) + 1)
        kept.append(np.arange(len(interaction.pairs)))
        places.append(categories.places[number])
    if not columns:
        return None, np.empty(0, dtype=np.intp)
    firsts = np.cumsum([0, *sizes[:-1]])
    levels = np.concatenate([first + each for first, each in zip(firsts, kept, strict=True)])
    levels.flags.writeable = False
    coded = replace(code_columns(columns, sizes, drop_first=False), levels=levels)
    return coded, np.concatenate(places)
