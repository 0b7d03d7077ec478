"""Where a row stands, for messages: among all rows that are read, and in its file."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..arrays import Integers

__all__ = ["Place", "refuse_nan"]


class Place(NamedTuple):
    """Where the first row of a batch stands, for messages."""

    # Among all rows that are read.
    row: int
    # The file, empty where there is none, and the row in it; None where a filter hides it.
    file: str = ""
    row_of_file: int | None = None

    def of(self, row: int) -> str:
        """Say where a row of the batch stands."""
        if not self.file:
            return f"row {self.row + row}"
        if self.row_of_file is None:
            return f"row {self.row + row} of those that the filter leaves, in {self.file}"
        return f"row {self.row + row}, which is row {self.row_of_file + row} of {self.file}"


def refuse_nan(codes: Integers, name: str, place: Place) -> None:
    """Raise where a label, cluster or group is NaN, which is no null."""
    if codes.size and codes.min() < 0:
        row = int(np.argmax(codes < 0))
        raise ValueError(
            f"column {name!r} is NaN ({place.of(row)}); leave such rows out with nulls='drop'"
        )
