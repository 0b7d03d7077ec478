"""Rows whose labels, weights and offsets are columns beside them: what a fit asks of a source.

What reads them is above this room (`sources`): here is what `look` and its like take.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ..arrays import ArrayLike, Codes, Integers, Labels, Vector
from ..clock import Clock
from ..options import CategoryOptions
from .categories import Categories
from .rows import Rows

__all__ = ["FoldColumns", "LabelledBatch", "ReadTable", "TableSource", "refuse_beside_source"]


class ReadTable(NamedTuple):
    """What a source has been read into."""

    rows: Rows
    # Sorted labels and the place of each row's among them; None without a target, or of shares.
    coded: tuple[Labels, Codes] | None
    shares: Vector | None
    weights: Vector | None
    offset: Vector | None


class FoldColumns(NamedTuple):
    """What a source says of the folds of a cross-validation; None for what it has no column of."""

    # What is hashed of each row's group, uint64: rows of one group have the same.
    groups: Integers | None = None
    # The fold that each row is in, -1 for rows that are in every training part.
    folds: Integers | None = None


class LabelledBatch(NamedTuple):
    """Some rows of a source, decoded, with their labels and weights."""

    X: ArrayLike
    y: Labels
    sample_weight: Vector | None


class TableSource(ABC):
    """Rows of a table with columns for labels, weights and offsets."""

    @abstractmethod
    def read(
        self, categories: CategoryOptions | None, clock: Clock | None, *, shares: bool,
        features_only: bool = False,
    ) -> ReadTable:  # fmt: skip
        """Read the rows for a fit.

        Parameters
        ----------
        categories : CategoryOptions or None
            What is asked about categorical columns; None refuses them.
        clock : Clock or None
            Says when it must end.
        shares : bool
            Whether the target holds shares from 0 to 1 in the place of labels.
        features_only : bool, default False
            Whether nothing but the rows is wanted.

        Raises
        ------
        TypeError, ValueError, OSError
            If a column or a value is wrong, a file is broken or changed, or there is no room.
        TimeoutError, KeyboardInterrupt
            If the clock or Ctrl-C ends it; there is no result yet.
        """

    @abstractmethod
    def read_as_fitted(
        self, names: Sequence[str] | None, categories: Categories | None, *,
        shares: bool = False, with_target: bool = False,
    ) -> ReadTable:  # fmt: skip
        """Read rows as those of a fit were.

        Parameters
        ----------
        names : sequence of str or None
            Of the features of the fit.
        categories : Categories or None
            How its columns became features.
        shares, with_target : bool, default False
            Whether the target holds shares, and whether target, weights and offset are wanted.
        """

    @property
    @abstractmethod
    def has_offset(self) -> bool:
        """Whether a column is an offset."""

    @abstractmethod
    def labelled_batches(
        self, names: Sequence[str] | None, categories: Categories | None
    ) -> Iterator[LabelledBatch]:
        """Go over the rows batch by batch, of which none is kept: one pass.

        Parameters
        ----------
        names : sequence of str or None
            Of the features of a stream that goes on; None takes those of the source.
        categories : Categories or None
            Those of the stream.
        """

    @abstractmethod
    def clusters_of_rows(self) -> Integers | None:
        """Return the cluster of each row that was read last, as a whole number; None for none."""

    @abstractmethod
    def folds_of_rows(self) -> FoldColumns:
        """Return what the rows that were read last say of their folds."""


def refuse_beside_source(**given: ArrayLike) -> None:
    """Raise TypeError for arrays beside a source, whose columns they would have to be."""
    for name, value in given.items():
        if value is not None:
            raise TypeError(
                f"{name} must be left out with a source, of which it is a column: give the "
                f"column's name to the source, as ParquetSource(path, target='y', "
                f"{'target' if name == 'y' else name}=...)"
            )
