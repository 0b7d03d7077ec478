"""X, checked, as what can be read."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from ..arrays import ArrayLike, Features
from ..design.base import Design
from ..design.compressed import CompressedRows
from ..design.mixed import MixedRows
from ..design.mixed_streamed import MixedSource
from ..design.streamed import RowSource
from .categories import Categories
from .sparse import SparseSlices

__all__ = ["Readable", "Rows"]

# X, checked: an array that kernels read, sparse rows, rows of columns of several kinds, a source
# of rows that are streamed, or a design.
Readable: TypeAlias = (
    Features | CompressedRows | MixedRows | RowSource | SparseSlices | MixedSource | Design
)


class Rows(NamedTuple):
    """X, checked, with what it was read from."""

    X: Readable
    # The frame that X is read from, or X.
    carrier: ArrayLike
    # Of the features: for messages, and where the names of all columns are text.
    names: list[str] | None = None
    text_names: list[str] | None = None
    # How the columns of a frame with categories became features.
    categories: Categories | None = None

    @property
    def unit(self) -> str:
        """What messages call the features: columns, unless a level has one of its own."""
        return "columns" if self.categories is None else "coefficients, one for each level"
