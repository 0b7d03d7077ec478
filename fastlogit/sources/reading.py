"""The first pass: batches are decoded once, into a spool, while values and classes are learnt."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Self

import numpy as np

from ..arrays import Array, DType, Integers, Vector
from ..clock import Clock, activity
from ..inputs.coded_frame import Level
from .converting import Block, Converter
from .layout import Layout
from .library import Foreign, arrow
from .place import Place
from .seen import Seen
from .spool import Budget, Growing
from .streams import Asked, Found, Stream

__all__ = ["Spooled", "asked_of", "blocks_of", "read_stream"]

# Rows of a batch: few enough to be in cache while columns become rows, and for a limit on memory.
BATCH_ROWS, LEAST_ROWS = 2**17, 2**10
# The number types of what belongs to a row.
OF_ROWS: dict[str, DType] = {
    "target": np.dtype(np.uint16), "shares": np.dtype(np.float64), "weight": np.dtype(np.float64),
    "offset": np.dtype(np.float64), "clusters": np.dtype(np.int32),
    "groups": np.dtype(np.uint64), "folds": np.dtype(np.int32),
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Spooled:
    """What was read.

    Attributes
    ----------
    layout : Layout
    converter : Converter
        Knows the values of categorical columns, labels and clusters.
    numbers, codes : ndarray of shape (n_rows, n_numbers) and (n_rows, n_coded), or None
        Codes as they were read. None where there are no such columns, or nothing is kept.
    seen : Seen
        Which codes the rows have.
    of_rows : dict of ndarray of shape (n_rows,)
        Target, shares, weight, offset, clusters, keys of groups and folds, those that there are.
    n_rows, n_dropped : int
    on_disk : bool
    """

    layout: Layout
    converter: Converter
    numbers: Array | None
    codes: Array | None
    seen: Seen
    of_rows: dict[str, Array]
    n_rows: int
    n_dropped: int
    on_disk: bool

    @property
    def levels(self) -> Sequence[Sequence[Level]]:
        """The values of each categorical column, in the order of their codes."""
        return [each.values for each in self.converter.levels]

    def vector(self, name: str) -> Vector | None:
        """Return numbers of the rows, where there are some."""
        return self.of_rows.get(name)

    @property
    def clusters(self) -> Integers | None:
        """The cluster of each row, by codes."""
        return self.of_rows.get("clusters")


class _Reading:
    """How far the first pass is, for those who watch."""

    # Of the passes that are over.
    n_passes = 0.0

    def __init__(self, name: str) -> None:
        self._name, self._began = name, time.perf_counter()
        self.n_rows = 0

    @property
    def phase(self) -> str:
        """What is being done."""
        seconds = max(time.perf_counter() - self._began, 1e-9)
        return (
            f"first pass over {self._name} ({self.n_rows:,} rows so far, "
            f"{self.n_rows / seconds:,.0f} a second)"
        )

    def where(self) -> str:
        """Say how far it was, and that there is no result."""
        return (
            f"during the first pass over {self._name}, which decodes it and finds the classes: "
            f"{self.n_rows:,} rows were read, and there is no result yet"
        )


def asked_of(layout: Layout, filtered: Foreign, budget: Budget) -> Asked:
    """Return what is read of a stream."""
    row_bytes = 8 * max(1, layout.n_numbers + len(layout.coded))
    rows = max(LEAST_ROWS, min(BATCH_ROWS, budget.batch_bytes // row_bytes))
    coded = tuple(column.name for column in layout.coded)
    return Asked(tuple(layout.read), coded, filtered, rows)


def read_stream(
    stream: Stream, layout: Layout, asked: Asked, converter: Converter, budget: Budget,
    clock: Clock | None, *, keep: bool, with_combinations: bool = False,
) -> Spooled:  # fmt: skip
    """Read all rows of a stream.

    Parameters
    ----------
    stream : Stream
    layout : Layout
    asked : Asked
    converter : Converter
    budget : Budget
    clock : Clock or None
    keep : bool
        Whether numbers and codes are kept, or only what is learnt of them.
    with_combinations : bool, default False
        Whether combinations of codes are learnt where these are not kept.

    Raises
    ------
    TypeError, ValueError, OSError
        If a value or a file is wrong, or there is no room.
    TimeoutError, KeyboardInterrupt
        If the clock or Ctrl-C ends it; there is no result yet.
    """
    reading = _Reading(stream.name)
    seen = Seen(len(layout.coded), with_combinations=with_combinations and not keep)
    with _Spool(layout, stream.n_rows, budget, keep) as spool, _watched(reading):
        for block in blocks_of(stream, asked, converter):
            spool.add(block)
            if block.codes is not None:
                seen.add(block.codes)
            reading.n_rows += block.n_rows + block.n_dropped
            if clock is not None and clock.is_late():
                raise TimeoutError(
                    f"time_limit={clock.limit:g} s passed {reading.where()}; raise time_limit"
                )
        if spool.n_rows == 0:
            dropped = f": all {spool.n_dropped:,} have a null" if spool.n_dropped else ""
            left = " that the filter leaves" if asked.has_filter else ""
            once = "" if stream.is_repeatable else "; if it was read before, make a new one"
            raise ValueError(f"{stream.name} has no rows{left}{dropped}{once}")
        return spool.conclude(converter, seen)


@contextmanager
def _watched(reading: _Reading) -> Iterator[None]:
    activity().begin(reading)
    try:
        yield
    except KeyboardInterrupt:
        interrupt = KeyboardInterrupt(f"interrupted {reading.where()}")
        interrupt.result = None  # type: ignore[attr-defined]
        raise interrupt from None
    finally:
        activity().end()
        arrow().default_memory_pool().release_unused()  # what decoding took


def blocks_of(stream: Stream, asked: Asked, converter: Converter) -> Iterator[Block]:
    """Go over the rows of a stream as arrays, while the next batch is decoded."""
    batches = stream.batches(asked)
    row = 0
    with ThreadPoolExecutor(1, thread_name_prefix="fastlogit-decode") as thread:
        coming = thread.submit(next, batches, None)
        while True:
            found: Found | None = coming.result()
            if found is None:
                return
            coming = thread.submit(next, batches, None)
            if found.batch.num_rows:
                place = Place(row, found.file, found.row_of_file)
                yield converter.block(found.batch, place)
                row += found.batch.num_rows


class _Spool:
    """Takes blocks, in memory while they fit there."""

    def __init__(self, layout: Layout, n_rows: int | None, budget: Budget, keep: bool) -> None:
        self.layout, self._budget = layout, budget
        self.n_rows = self.n_dropped = 0
        row_bytes = layout.row_bytes if keep else 0
        self._row_bytes = row_bytes
        self.on_disk = budget.place == "disk" or (
            n_rows is not None and not budget.fits(n_rows * row_bytes, n_rows)
        )
        self._numbers = self._codes = None
        if layout.numbers and keep:
            self._numbers = Growing(layout.n_numbers, layout.dtype, n_rows, on_disk=self.on_disk)
        if layout.coded and keep:
            kind = np.dtype(np.int32)
            self._codes = Growing(len(layout.coded), kind, n_rows, on_disk=self.on_disk)
        roles = layout.roles
        there = {
            "target": roles.target is not None and not layout.shares, "shares": layout.shares,
            "weight": roles.sample_weight is not None, "offset": roles.offset is not None,
            "clusters": roles.clusters is not None, "groups": roles.groups is not None,
            "folds": roles.folds is not None,
        }  # fmt: skip
        self._of_rows = {
            name: Growing(1, OF_ROWS[name], n_rows, on_disk=False)
            for name, is_there in there.items()
            if is_there
        }

    def __enter__(self) -> Self:
        """Return itself; its files are closed at the end, and gone unless it was concluded."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the files."""
        for growing in (self._numbers, self._codes):
            if growing is not None:
                growing.close()

    def add(self, block: Block) -> None:
        """Add rows; move to disk where they no longer fit in memory."""
        self.n_dropped += block.n_dropped
        self.n_rows += block.n_rows
        fits = self._budget.fits(self.n_rows * self._row_bytes, self.n_rows)
        if not self.on_disk and not fits:
            self.on_disk = True
            for growing in (self._numbers, self._codes):
                if growing is not None:
                    growing.to_disk()
        for growing, rows in ((self._numbers, block.numbers), (self._codes, block.codes)):
            if growing is not None and rows is not None:
                growing.add(rows)
        own = {
            "target": block.target, "shares": block.target, "weight": block.weight,
            "offset": block.offset, "clusters": block.clusters, "groups": block.groups,
            "folds": block.folds,
        }  # fmt: skip
        for name, growing in self._of_rows.items():
            values = own[name]
            assert values is not None  # as the layout says
            growing.add(values[:, None])

    def conclude(self, converter: Converter, seen: Seen) -> Spooled:
        """Return all rows."""
        return Spooled(
            self.layout,
            converter,
            None if self._numbers is None else self._numbers.conclude(),
            None if self._codes is None else self._codes.conclude(),
            seen,
            {name: growing.conclude()[:, 0] for name, growing in self._of_rows.items()},
            self.n_rows,
            self.n_dropped,
            self.on_disk,
        )
