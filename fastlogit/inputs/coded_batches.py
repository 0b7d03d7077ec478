"""Categorical columns of frames that come in batches: which levels there are, and the rows.

The levels of all batches are known when the first epoch is over. Rows are sparse ones then, with
an indicator for each level: as batches of sparse matrices are.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..arrays import ArrayLike, DType, Integers
from ..design.compressed import CompressedRows
from ..design.mixed import as_sparse
from ..design.sparse import SparseDesign
from ..options import CategoryOptions
from . import validation
from .categories import Categories, missing_category, number_blocks, rows_of_fit
from .conversion import refuse_names_twice
from .frames import Level, categorical_places, read_column
from .interactions import MOST_PAIRS, Interaction, interaction_of, places_of
from .values import column_text

__all__ = ["BatchLevels", "declared_categories", "rows_of_batch"]


class BatchLevels:
    """The levels that batches of frames have, batch by batch.

    Parameters
    ----------
    X : frame
        The first batch: its categorical columns are those of all. In other batches they may be
        text, numbers or objects as well.
    names : sequence of str
        Of its columns.
    options : CategoryOptions
    """

    def __init__(self, X: ArrayLike, names: Sequence[str], options: CategoryOptions) -> None:
        refuse_names_twice(X)
        self.names, self.options = tuple(names), options
        self.places = categorical_places(X)
        self._numbers = [k for k in range(len(names)) if k not in set(self.places)]
        self._pairs_of = [places_of(pair, self.names, self.places) for pair in options.interactions]
        self._pairs: list[set[tuple[Level, Level]]] = [set() for _ in self._pairs_of]
        self._used: dict[int, dict[Level, None]] = {place: {} for place in self.places}
        # What all batches declare alike, in its order; None where they differ.
        self._declared: dict[int, list[Level] | None] = {
            place: read_column(X, place).values for place in self.places
        }

    def add(self, X: ArrayLike) -> tuple[DType, int]:
        """Look at a batch; return the number type of its columns of numbers, and its values.

        Raises
        ------
        TypeError, ValueError
            If a category is missing, or a column of numbers holds none, or NaN or infinity.
        """
        dense, sparse, chosen = number_blocks(X, self._numbers)
        n_values, dtypes = 0, []
        named = iter([[self.names[place] for place in places] for places in chosen])
        if dense is not None:
            validation.check_finite(dense, next(named))
            dtypes.append(dense.dtype)
            n_values += int(np.count_nonzero(dense))
        if sparse is not None:
            validation.refuse_not_finite(SparseDesign(sparse), next(named))
            dtypes.append(sparse.dtype)
            n_values += sparse.n_values
        columns = {place: read_column(X, place) for place in self.places}
        for place, (codes, values) in columns.items():
            if codes.size and codes.min() < 0:
                raise missing_category(int(np.argmax(codes < 0)), place, self.names)
            present = np.flatnonzero(np.bincount(codes, minlength=len(values)))
            self._used[place].update(dict.fromkeys(values[code] for code in present))
            if values != self._declared[place]:
                self._declared[place] = None
            n_values += len(codes)
        for (first, second), seen in zip(self._pairs_of, self._pairs, strict=True):
            seen.update(_pairs(columns[first], columns[second]))
        single = bool(dtypes) and all(dtype == np.float32 for dtype in dtypes)
        return np.dtype(np.float32 if single else np.float64), n_values

    def conclude(self) -> Categories:
        """Return the levels that occur, once all batches were seen.

        In the order that all batches declare; where they declare others, sorted, or as they came
        where they have no order.
        """
        levels: list[tuple[Level, ...] | None] = [None] * len(self.names)
        for place in self.places:
            levels[place] = _ordered(self._used[place], self._declared[place])
        found = Categories(self.names, tuple(levels), self.options.coding, self.options.unknown)
        of_pairs = []
        for (first, second), seen in zip(self._pairs_of, self._pairs, strict=True):
            ones, others = found.codes_of[first], found.codes_of[second]
            of_pairs.append((first, second, sorted((ones[a], others[b]) for a, b in seen)))
        return _with_pairs(found, of_pairs)


def rows_of_batch(X: ArrayLike, categories: Categories) -> CompressedRows:
    """Return a batch of a later epoch as sparse rows.

    Raises
    ------
    TypeError, ValueError
        If it has a level that was not in the first epoch, or another number of columns.
    """
    try:
        return as_sparse(rows_of_fit(X, categories.taking("error")))
    except ValueError as error:
        said = str(error).partition("; its levels")[0].replace("the fit", "the first epoch")
        raise ValueError(f"{said}; the factory must give the same rows each time") from None


def declared_categories(X: ArrayLike, names: Sequence[str], options: CategoryOptions) -> Categories:
    """Return the levels that the columns of a frame declare, whether they occur or not.

    For a stream, whose first batch may lack some. Of interactions all pairs of levels have a
    coefficient.

    Raises
    ------
    ValueError
        If a column declares no level, or there are more pairs than there can be coefficients.
    """
    refuse_names_twice(X)
    levels: list[tuple[Level, ...] | None] = [None] * len(names)
    places = categorical_places(X)
    for place in places:
        levels[place] = tuple(read_column(X, place).values)
        if not levels[place]:
            raise ValueError(
                f"X declares no level in {column_text(place, names)}; give it those that will ever "
                "come, e.g. X.astype(pandas.CategoricalDtype(levels))"
            )
    found = Categories(tuple(names), tuple(levels), options.coding, options.unknown)
    of_pairs: list[tuple[int, int, list[tuple[int, int]]]] = []
    for pair in options.interactions:
        first, second = places_of(pair, names, places)
        ones, others = len(found.codes_of[first]), len(found.codes_of[second])
        if ones * others > MOST_PAIRS:
            raise ValueError(
                f"interactions names {pair[0]!r} and {pair[1]!r}, which have {ones:,} times "
                f"{others:,} pairs of levels; a stream has a coefficient for each of them"
            )
        of_pairs.append((first, second, list(itertools.product(range(ones), range(others)))))
    return _with_pairs(found, of_pairs)


def _with_pairs(
    categories: Categories, of_pairs: Sequence[tuple[int, int, list[tuple[int, int]]]]
) -> Categories:
    """Return categories with these pairs of levels, or raise where nothing has a coefficient."""
    interactions: list[Interaction] = []
    for first, second, pairs in of_pairs:
        interactions += interaction_of(first, second, pairs, categories.coding)
    found = replace(categories, interactions=tuple(interactions))
    found.check()
    return found


def _pairs(
    first: tuple[Integers, Sequence[Level]], second: tuple[Integers, Sequence[Level]]
) -> set[tuple[Level, Level]]:
    """Return the pairs of levels that rows have."""
    (ones, one_values), (others, other_values) = first, second
    joined = np.unique(ones.astype(np.int64) * len(other_values) + others)
    return {
        (one_values[a], other_values[b])
        for a, b in zip(*map(np.ndarray.tolist, np.divmod(joined, len(other_values))), strict=True)
    }


def _ordered(used: dict[Level, None], declared: list[Level] | None) -> tuple[Level, ...]:
    if declared is not None:
        return tuple(level for level in declared if level in used)
    try:
        return tuple(sorted(used))
    except TypeError:  # of several types
        return tuple(used)
