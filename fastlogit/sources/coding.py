"""Codes as they were read -> categories of a fit: levels that occur, or those of a fitted model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..arrays import Array, ArrayLike, Features, Indices, Integers
from ..design.codes import CodedColumns
from ..design.mixed import MixedRows
from ..design.streamed import let_go
from ..inputs.categories import Categories, coded_columns, unknown_level
from ..inputs.coded_frame import CodedFrame, Level, ReadColumn
from ..inputs.interactions import pairs_of
from ..options import CategoryOptions
from .converting import Block, Converter
from .layout import Layout
from .seen import Seen

__all__ = ["Coding", "coding_of_fit", "coding_of_fitted", "frame_of", "parts"]

# Rows that are looked at together.
PART_ROWS = 2**18


def parts(raw: Array) -> Iterator[slice]:
    """Go over all rows, some at a time; pages of a mapped file are let go after them."""
    for start in range(0, len(raw), PART_ROWS):
        part = slice(start, min(start + PART_ROWS, len(raw)))
        yield part
        let_go(raw[part])


@dataclass(frozen=True, eq=False)
class Coding:
    """How codes as they were read become those of categories.

    Attributes
    ----------
    categories : Categories
    tables : mapping of int to ndarray
        For each categorical column, by its place among the columns: the code of each value that
        was read, and last of a missing one.
    places : tuple of ndarray
        Which features the columns of numbers are, if there are some, and those of codes.
    """

    categories: Categories
    tables: Mapping[int, Integers]
    places: tuple[Indices, ...]
    # What all blocks have in common: their codes are put in.
    columns: CodedColumns | None

    def codes(self, raw: Integers) -> dict[int, Integers]:
        """Return the codes of each categorical column, from (n_rows, n_coded) as they were read."""
        return {
            place: table[raw[:, number]]
            for number, (place, table) in enumerate(self.tables.items())
        }

    def coded(self, raw: Integers) -> Array:
        """Return what a design reads of some rows, (n_columns, n_rows)."""
        found, _ = coded_columns(self.categories, self.codes(raw))
        assert found is not None
        return found.codes

    def mixed(self, numbers: Features | None, codes: Array | None) -> MixedRows:
        """Return rows for a design; `codes` as `coded` returns them."""
        coded = None if codes is None or self.columns is None else replace(
            self.columns, codes=codes
        )  # fmt: skip
        return MixedRows(numbers, None, coded, self.places)


def coding_of_fit(
    layout: Layout, seen: Seen, raw: Array | None, values: Sequence[Sequence[Level]],
    options: CategoryOptions,
) -> Coding:  # fmt: skip
    """Return the categories of a fit: the levels that occur.

    Parameters
    ----------
    layout : Layout
    seen : Seen
        Which codes the rows have.
    raw : ndarray of shape (n_rows, n_coded) or None
        Codes as they were read, where they were kept; else `seen` has the combinations that
        interactions ask for.
    values : sequence of sequences
        What they stand for, of each categorical column.
    options : CategoryOptions
    """
    places = _coded_places(layout)
    levels: list[tuple[Level, ...] | None] = [None] * len(layout.columns)
    tables = {}
    for number, (place, plan) in enumerate(zip(places, layout.coded, strict=True)):
        known = values[number]
        used = seen.used(number).tolist()
        if plan.is_sorted:
            used.sort(key=lambda code: (type(known[code]).__name__, known[code]))
        table = np.zeros(len(known) + 1, dtype=np.min_scalar_type(len(used)))
        table[used] = np.arange(len(used))
        levels[place], tables[place] = tuple(known[code] for code in used), table
    found = Categories(layout.columns, tuple(levels), options.coding, options.unknown)
    if options.interactions:
        rows = seen.combinations if raw is None else _combinations(raw)
        assert rows is not None  # as the reading was asked for them
        codes = {
            place: table[rows[:, number]] for number, (place, table) in enumerate(tables.items())
        }
        found = replace(found, interactions=pairs_of(options.interactions, found, codes))
    if found.n_features == 0:
        raise ValueError(
            "all columns are categorical with one level only, which categories='reference' leaves "
            "without a coefficient; use categories='full', or more columns"
        )
    return _concluded(found, tables)


def coding_of_fitted(
    layout: Layout, seen: Seen, values: Sequence[Sequence[Level]], categories: Categories
) -> Coding:
    """Return how codes are read by a fitted model.

    Raises
    ------
    ValueError
        If a value was not in the fit where that is an error.
    """
    tables = {}
    for number, (place, known) in enumerate(zip(_coded_places(layout), values, strict=True)):
        of_fit = categories.codes_of[place]
        none = len(of_fit)
        kind = np.min_scalar_type(none)
        table = np.array([*(of_fit.get(value, none) for value in known), none], dtype=kind)
        bad = seen.first_of(number, table == none)
        if categories.handle_unknown == "error" and bad is not None:
            row, code = bad
            value = None if code < 0 else known[code]
            where = f"{categories.column_text(place)} (row {row})"
            raise unknown_level("X", value, of_fit, where)
        tables[place] = table
    return _concluded(categories, tables)


def frame_of(layout: Layout, converter: Converter, block: Block) -> ArrayLike:
    """Return a block as what models predict: an array, or a frame with categorical columns."""
    return named_frame_of(layout, converter, block) if layout.coded else block.numbers


def named_frame_of(layout: Layout, converter: Converter, block: Block) -> CodedFrame:
    """Return a block as a frame, whose columns have names."""
    numbers = np.empty((block.n_rows, 0)) if block.numbers is None else block.numbers
    codes = np.empty((block.n_rows, 0), np.int32) if block.codes is None else block.codes
    coded = {
        place: ReadColumn(codes[:, number], list(converter.levels[number].values))
        for number, place in enumerate(_coded_places(layout))
    }
    return CodedFrame(layout.columns, numbers, coded)


def _coded_places(layout: Layout) -> list[int]:
    """Return the places of the categorical columns among all."""
    names = {column.name for column in layout.coded}
    return [place for place, name in enumerate(layout.columns) if name in names]


def _combinations(raw: Array) -> Integers:
    """Return rows of codes in which each combination is that occurs."""
    found: Integers = np.unique(
        np.concatenate([np.unique(raw[part], axis=0) for part in parts(raw)]), axis=0
    )
    return found


def _concluded(categories: Categories, tables: dict[int, Integers]) -> Coding:
    numbers = [place for place, levels in enumerate(categories.levels) if levels is None]
    places = []
    if numbers:
        places.append(np.concatenate([categories.places[place] for place in numbers]))
    none: dict[int, Integers] = {place: np.empty(0, dtype=np.int64) for place in tables}
    coded, of_codes = coded_columns(categories, none)
    if coded is not None:
        places.append(of_codes)
    return Coding(categories, tables, tuple(places), coded)
