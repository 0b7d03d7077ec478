"""Rows of a kind of their own, sparse or of numbers and codes, that are read part by part."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import Protocol, Self, TypeVar

import numpy as np

from ..arrays import Indices, Vector
from .base import Design, NotFinite
from .blockwise import Block
from .streamed import Bring, SourceDesign, where

__all__ = ["PartsDesign"]


class Rows(Protocol):
    """What such rows have."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and features."""

    def take(self, rows: Indices, /) -> Self:
        """Return some of them."""


OfRows = TypeVar("OfRows", bound=Rows)


class PartsDesign(SourceDesign[OfRows]):
    """Passes over rows that their source gives as objects, not as arrays.

    A subclass says what a design over such rows is, and how they are put together.
    """

    @abstractmethod
    def _slice(self, start: int, stop: int) -> OfRows:
        """Return what the source gives for rows ``start:stop``."""

    @abstractmethod
    def _plain(self, rows: OfRows) -> Design:
        """Return a design over rows in memory as they are, without standardisation."""

    @abstractmethod
    def _join(self, parts: list[OfRows]) -> OfRows:
        """Return rows of several parts one after the other, which the source does not change."""

    def _bringing(self) -> Bring[OfRows]:
        def bring(_: int, start: int, stop: int) -> OfRows:
            return self._read(start, stop)

        return bring

    def _read(self, start: int, stop: int) -> OfRows:
        """Ask the source for rows ``start:stop``, and look at their shape."""
        try:
            rows = self._slice(start, stop)
            if rows.shape != (stop - start, self.shape[1]):
                raise ValueError(
                    f"X has shape {self.shape}, but X[{start}:{stop}] has shape {rows.shape}; its "
                    "rows must stay the same during a fit"
                )
        except Exception as error:
            error.add_note(where(start, stop))
            raise
        return rows

    def _read_blocks(self) -> Iterator[tuple[int, int, OfRows]]:
        """Go over all blocks without work that could be done meanwhile: one pass."""
        self._turns.begin(None)
        for start, stop in self._blocks():
            self.counter.check()
            yield start, stop, self._read(start, stop)
            self.counter.rows += stop - start

    def column_variances(self, weights: Vector, total_weight: float) -> Vector:
        """Return the weighted mean of each column's squared distance from `center`: one pass."""
        return self._added_up(weights, total_weight, "column_variances")

    def _added_up(self, weights: Vector, total_weight: float, of_block: str) -> Vector:
        """Return the weighted mean of what blocks say of their columns: one pass."""
        total = np.zeros(self.shape[1])

        def add(block: Block, start: int, stop: int) -> None:
            own = weights[start:stop]
            weight = float(own.sum()) if weights.size else float(stop - start)
            if weight > 0.0:
                found = getattr(block, of_block)(own, weight)
                np.add(total, found * (weight / total_weight), out=total)

        with np.errstate(over="ignore", invalid="ignore"):
            self._for_each_block(add)
        return total

    def first_not_finite(self) -> NotFinite | None:
        """Return the first value that is NaN or infinite, None where there is none: one pass."""
        for start, _, rows in self._read_blocks():
            found = self._plain(rows).first_not_finite()
            if found is not None:
                return found._replace(row=start + found.row)
        return None

    def _every(self, stride: int) -> OfRows:
        return self._gathered(np.arange(0, self.shape[0], stride))

    def _gathered(self, indices: Indices) -> OfRows:
        """Return a copy of some rows, in the order of `indices`: at most one pass."""
        order = np.argsort(indices, kind="stable")
        wanted = indices[order]
        parts = [
            self._join([self._read(begin, end).take(wanted[place] - begin)])
            for place, begin, end in self._wanted(wanted)
        ]
        if not parts:
            parts = [self._join([self._read(0, 1).take(np.empty(0, dtype=np.intp))])]
        places = np.empty_like(order)
        places[order] = np.arange(order.size)
        return self._join(parts).take(places)
