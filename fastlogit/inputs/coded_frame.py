"""A frame of numbers and codes, for callers without a library of frames: the command line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeAlias

import numpy as np

from ..arrays import Features, Indices, Integers

__all__ = ["CodedFrame", "Level", "ReadColumn"]

# The value of a category.
Level: TypeAlias = str | int | float | bool


class ReadColumn(NamedTuple):
    """A column by codes."""

    # (n_samples,): places in `values`, -1 where it is missing.
    codes: Integers
    # In the order that the column declares, if it declares one; each once.
    values: list[Level]


@dataclass(frozen=True, eq=False)
class CodedFrame:
    """Columns by name, each of numbers or of codes; read wherever frames of libraries are.

    Attributes
    ----------
    columns : tuple of str
    numbers : ndarray of shape (n_samples, n_numbers)
        The columns of numbers, in their order.
    coded : mapping of int to ReadColumn
        The others, by their places among `columns`.
    """

    columns: tuple[str, ...]
    numbers: Features
    coded: Mapping[int, ReadColumn]

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return len(self.numbers), len(self.columns)

    @property
    def ndim(self) -> int:
        """Two, as of any frame."""
        return 2

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.numbers)

    def __getitem__(self, rows: Indices) -> CodedFrame:
        """Return some rows, as splitters and scorers of scikit-learn take them."""
        coded = {
            place: column._replace(codes=column.codes[rows]) for place, column in self.coded.items()
        }
        return replace(self, numbers=np.asarray(self.numbers[rows]), coded=coded)

    def select(self, places: list[int]) -> CodedFrame:
        """Return some columns."""
        numbers = [place for place in range(len(self.columns)) if place not in self.coded]
        kept = [numbers.index(place) for place in places if place not in self.coded]
        return CodedFrame(
            tuple(self.columns[place] for place in places),
            self.numbers if kept == list(range(len(numbers))) else self.numbers[:, kept],
            {new: self.coded[old] for new, old in enumerate(places) if old in self.coded},
        )

    def column(self, place: int) -> ReadColumn:
        """Return a column of any kind, by codes."""
        if place in self.coded:
            return self.coded[place]
        values, codes = np.unique(self.select([place]).numbers[:, 0], return_inverse=True)
        return ReadColumn(codes.reshape(-1), values.tolist())
