"""What a source asks of whatever holds its rows: batches of Arrow, in one order."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from .library import Foreign

__all__ = ["Asked", "Found", "Stream"]


class Asked(NamedTuple):
    """What is read."""

    columns: tuple[str, ...]
    # Those of them that become codes.
    coded: tuple[str, ...]
    # An expression of pyarrow; None for all rows.
    filter: Foreign
    # Rows of a batch at most.
    batch_rows: int

    @property
    def has_filter(self) -> bool:
        """Whether rows are left out."""
        return self.filter is not None


class Found(NamedTuple):
    """A batch, and where it begins."""

    batch: Foreign
    # The name of its file, and the row in it; None where a filter hides it.
    file: str = ""
    row_of_file: int | None = None


class Stream(ABC):
    """Rows of a table, in batches of Arrow."""

    schema: Foreign
    # Whether `batches` may be asked for again.
    is_repeatable: bool

    @property
    @abstractmethod
    def name(self) -> str:
        """What messages call it."""

    @property
    @abstractmethod
    def n_rows(self) -> int | None:
        """How many rows there are at most; None where nobody knows."""

    @abstractmethod
    def batches(self, asked: Asked) -> Iterator[Found]:
        """Go over the rows in their order; batches may be empty."""

    def refuse_differing(self, columns: Iterable[str]) -> None:
        """Raise ValueError where a column that is read is not of one type everywhere."""
        del columns

    def refuse_to_write(self, path: Path) -> None:
        """Raise ValueError where a file to be written is, or would be, among those read."""
        del path

    def check(self) -> None:  # noqa: B027  # most have nothing to look at
        """Raise ValueError where the rows are known to have changed."""
