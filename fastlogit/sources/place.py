"""Where a row stands, for messages: among all rows that are read, and in its file."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Place"]


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
