"""Products of two categorical columns: the pairs of levels that occur, each row's by its number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..arrays import Integers
from ..options import CategoryOptions, Pair

if TYPE_CHECKING:
    from .categories import Categories

__all__ = ["Interaction", "pair_codes", "pairs_of", "refuse_interactions"]

# Pairs of levels that are counted in a table of all of them; above that they are sorted.
MOST_PAIRS = 2**24


class Interaction(NamedTuple):
    """The pairs of levels of two columns that occurred in a fit and have a coefficient."""

    # Places of the columns, the first and the second.
    first: int
    second: int
    # Places of the levels: of each pair one of the first column and one of the second. They rise.
    pairs: tuple[tuple[int, int], ...]


def refuse_interactions(asked: CategoryOptions | None, found: Categories | None) -> None:
    """Raise for interactions of categorical columns where there are none."""
    if asked is not None and asked.interactions and found is None:
        first, second = asked.interactions[0]
        raise ValueError(
            f"interactions names {first!r} and {second!r}, but X has no categorical columns; leave "
            "it out, or give a data frame with some"
        )


def pairs_of(
    wanted: Sequence[Pair], categories: Categories, codes: dict[int, Integers]
) -> tuple[Interaction, ...]:
    """Return the pairs of levels that occur, of each two columns, and have a coefficient."""
    found = []
    for names in wanted:
        for name in names:
            if name not in categories.columns:
                raise ValueError(f"interactions names {name!r}, which is no column of X")
            if categories.levels[categories.columns.index(name)] is None:
                raise ValueError(
                    f"interactions names {name!r}, a column of numbers; it takes categorical ones"
                )
        first, second = (categories.columns.index(name) for name in names)
        width = len(categories.codes_of[second])
        joined = codes[first].astype(np.int64) * width + codes[second]
        n_pairs = width * len(categories.codes_of[first])
        if n_pairs <= MOST_PAIRS:
            present = np.flatnonzero(np.bincount(joined, minlength=n_pairs))
        else:
            present = np.unique(joined)
        ones, others = np.divmod(present, width)
        if categories.coding == "reference":
            both = (ones > 0) & (others > 0)
            ones, others = ones[both], others[both]
        pairs = tuple(zip(ones.tolist(), others.tolist(), strict=True))
        if pairs:
            found.append(Interaction(first, second, pairs))
    return tuple(found)


def pair_codes(
    interaction: Interaction, categories: Categories, codes: dict[int, Integers]
) -> Integers:
    """Return the place of each row's pair; one above the last where it has no coefficient."""
    first, second, pairs = interaction
    # One more, for unknown ones.
    width = len(categories.codes_of[second]) + 1
    keys = np.array([a * width + b for a, b in pairs], dtype=np.int64)
    joined = codes[first].astype(np.int64) * width + codes[second]
    found = np.searchsorted(keys, joined)
    near = np.minimum(found, len(keys) - 1)
    return np.where(keys[near] == joined, near, len(keys))
