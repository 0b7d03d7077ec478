"""Which codes of categorical columns the rows have had, and where first."""

from __future__ import annotations

import numpy as np

from ..arrays import Array, Indices, Integers

__all__ = ["Seen"]


class Seen:
    """Learnt from block to block, so that the codes themselves need not be kept.

    Parameters
    ----------
    n_columns : int
    with_combinations : bool
        Whether the combinations of codes that rows have are remembered.
    """

    def __init__(self, n_columns: int, *, with_combinations: bool) -> None:
        self._n_rows = 0
        # Of each column the first row of a missing category, and of each code; -1 for none.
        self._first: list[Integers] = [np.full(1, -1, np.int64) for _ in range(n_columns)]
        self._combinations: Integers | None = None
        if with_combinations:
            self._combinations = np.empty((0, n_columns), np.int32)

    def add(self, codes: Integers) -> None:
        """Add codes of rows, (n_rows, n_columns), -1 for a missing category."""
        for column, first in enumerate(self._first):
            own = codes[:, column]
            counts = np.bincount(own + 1, minlength=len(first))
            grown = np.append(first, np.full(len(counts) - len(first), -1))
            for place in np.flatnonzero((counts > 0) & (grown < 0)).tolist():
                grown[place] = self._n_rows + int(np.argmax(own == place - 1))
            self._first[column] = grown
        if self._combinations is not None:
            own = np.unique(codes, axis=0)
            self._combinations = np.unique(np.concatenate([self._combinations, own]), axis=0)
        self._n_rows += len(codes)

    def used(self, column: int) -> Indices:
        """Return the codes that rows of a column have, in their order."""
        found: Indices = np.flatnonzero(self._first[column][1:] >= 0)
        return found

    def first_of(self, column: int, bad: Array) -> tuple[int, int] | None:
        """Return the first row with one of some codes, and its code; None where no row has one.

        `bad` says it of each code, and last of -1.
        """
        first = self._first[column]
        there = np.flatnonzero((first >= 0) & np.roll(bad, 1)[: len(first)])
        if not there.size:
            return None
        place = int(there[np.argmin(first[there])])
        return int(first[place]), place - 1

    @property
    def combinations(self) -> Integers | None:
        """The combinations of codes that rows have, each once; None where nobody asked."""
        return self._combinations
