"""Products of two categorical columns: the pairs of levels that occur, each row's by its number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..arrays import Integers
from ..options import CategoryOptions, Pair

if TYPE_CHECKING:
    from .categories import Categories

__all__ = [
    "MOST_PAIRS",
    "Interaction",
    "interaction_of",
    "pair_codes",
    "pairs_of",
    "places_of",
    "refuse_interactions",
]

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


def places_of(names: Pair, columns: Sequence[str], categorical: Sequence[int]) -> tuple[int, int]:
    """Return the places of two categorical columns; raise ValueError where they are no such."""
    places = []
    for name in names:
        if name not in columns:
            raise ValueError(f"interactions names {name!r}, which is no column of X")
        places.append(list(columns).index(name))
        if places[-1] not in categorical:
            raise ValueError(
                f"interactions names {name!r}, a column of numbers; it takes categorical ones"
            )
    return places[0], places[1]


def interaction_of(
    first: int, second: int, pairs: Sequence[tuple[int, int]], coding: str
) -> list[Interaction]:
    """Return the pairs that have a coefficient as an interaction; none where there are none."""
    if coding == "reference":
        pairs = [(one, other) for one, other in pairs if one > 0 and other > 0]
    return [Interaction(first, second, tuple(pairs))] if pairs else []


def pairs_of(
    wanted: Sequence[Pair], categories: Categories, codes: dict[int, Integers]
) -> tuple[Interaction, ...]:
    """Return the pairs of levels that occur, of each two columns, and have a coefficient."""
    found: list[Interaction] = []
    for names in wanted:
        first, second = places_of(names, categories.columns, list(codes))
        width = len(categories.codes_of[second])
        joined = codes[first].astype(np.int64) * width + codes[second]
        n_pairs = width * len(categories.codes_of[first])
        if n_pairs <= MOST_PAIRS:
            present = np.flatnonzero(np.bincount(joined, minlength=n_pairs))
        else:
            present = np.unique(joined)
        ones, others = np.divmod(present, width)
        pairs = list(zip(ones.tolist(), others.tolist(), strict=True))
        found += interaction_of(first, second, pairs, categories.coding)
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
