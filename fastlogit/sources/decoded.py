"""Rows of a spool, or decoded anew in each pass, as what streamed designs read."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple, NoReturn

import numpy as np

from ..arrays import Array, DType, Features
from ..design.mixed import MixedRows
from ..design.streamed import let_go
from .coding import Coding
from .converting import Block, Converter
from .reading import Spooled, blocks_of
from .streams import Asked, Stream

__all__ = ["DecodedMixed", "DecodedNumbers", "SpooledMixed"]


# A slice is good until the next but one is asked for.
GOOD = 2


class SpooledMixed:
    """Slices of numbers and codes that lie in maps of files.

    Parameters
    ----------
    coding : Coding
    numbers : ndarray of shape (n_rows, n_numbers) or None
    codes : ndarray of shape (n_columns, n_rows) or None
    """

    def __init__(self, coding: Coding, numbers: Array | None, codes: Array | None) -> None:
        self._coding, self._numbers, self._codes = coding, numbers, codes
        self._asked: deque[slice] = deque()
        n_rows = 0
        self.row_bytes = 0
        if numbers is not None:
            n_rows = len(numbers)
            self.row_bytes += numbers.shape[1] * numbers.itemsize
        if codes is not None:
            n_rows = codes.shape[1]
            self.row_bytes += len(codes) * codes.itemsize
        first = self[0:1]
        self.shape = (n_rows, first.shape[1])
        self.dtype: DType = first.dtype

    def __getitem__(self, rows: slice) -> MixedRows:
        """Return rows ``start:stop``."""
        self._asked.append(rows)
        if len(self._asked) > GOOD:
            self._let_go(self._asked.popleft())
        numbers = None if self._numbers is None else np.asarray(self._numbers[rows])
        codes = None if self._codes is None else np.asarray(self._codes[:, rows])
        return self._coding.mixed(numbers, codes)

    def _let_go(self, rows: slice) -> None:
        """Take the pages of rows off this process's memory; the files keep them."""
        if self._numbers is not None:
            let_go(self._numbers[rows])
        for column in () if self._codes is None else self._codes:
            let_go(column[rows])


class _Expected(NamedTuple):
    """What the first pass found, which every other must find again."""

    stream: Stream
    asked: Asked
    converter: Converter
    spooled: Spooled


class _Decoded:
    """Rows that are decoded in each pass, from the first to the last.

    A slice that begins before the end of the last one begins a new pass. Labels and weights are
    compared with those of the first pass, files with what they were.
    """

    def __init__(self, stream: Stream, asked: Asked, spooled: Spooled) -> None:
        self._expected = _Expected(stream, asked, spooled.converter, spooled)
        self._n_values = [len(each) for each in spooled.levels]
        self._blocks: Iterator[Block] | None = None
        self._rest: Block | None = None
        self._at = 0

    def _stop(self) -> None:
        if self._blocks is not None:
            self._blocks.close()  # type: ignore[attr-defined]  # a generator
        self._blocks, self._rest, self._at = None, None, 0

    def _take(self, start: int, stop: int) -> list[Block]:
        """Return blocks that hold rows ``start:stop``, cut to them."""
        found = []
        try:
            if self._blocks is None or start < self._at:
                self._stop()
                expected = self._expected
                self._blocks = blocks_of(expected.stream, expected.asked, expected.converter)
            while self._at < stop:
                block = self._rest if self._rest is not None else self._next()
                n_rows = min(block.n_rows, stop - self._at)
                first = max(0, start - self._at)
                if first < n_rows:
                    found.append(_cut(block, first, n_rows))
                self._rest = _cut(block, n_rows, block.n_rows) if n_rows < block.n_rows else None
                self._at += n_rows
            if self._at == self._expected.spooled.n_rows:
                self._end()
        except BaseException:
            self._stop()
            raise
        return found

    def _next(self) -> Block:
        assert self._blocks is not None
        block = next((each for each in self._blocks if each.n_rows), None)
        if block is None:
            self._refuse(f"it has {self._at:,} rows now")
        stop = self._at + block.n_rows
        spooled = self._expected.spooled
        if stop > spooled.n_rows:
            self._refuse("it has more rows now")
        for name, rows in (
            ("target", block.target), ("shares", block.target), ("weight", block.weight),
        ):  # fmt: skip
            before = spooled.of_rows.get(name)
            if before is None or rows is None:
                continue
            if not np.array_equal(before[self._at : stop], rows):
                self._refuse(f"rows {self._at:,} to {stop - 1:,} have another {name}")
        if [len(each) for each in spooled.levels] != self._n_values:
            self._refuse("a category came that was not there")
        return block

    def _end(self) -> None:
        assert self._blocks is not None
        if any(block.n_rows for block in self._blocks):
            self._refuse("it has more rows now")
        self._stop()

    def _refuse(self, what: str) -> NoReturn:
        stream = self._expected.stream
        stream.check()
        raise ValueError(
            f"{stream.name} changed between two passes: the first had "
            f"{self._expected.spooled.n_rows:,} rows, and {what}; with a spool it would be read "
            "once only"
        )


class DecodedNumbers(_Decoded):
    """The same for columns of numbers alone."""

    def __init__(self, stream: Stream, asked: Asked, spooled: Spooled) -> None:
        super().__init__(stream, asked, spooled)
        layout = spooled.layout
        self.shape, self.dtype = (spooled.n_rows, layout.n_numbers), layout.dtype

    def __getitem__(self, rows: slice) -> Features:
        """Return rows ``start:stop``."""
        found = [block.numbers for block in self._take(*_ends(rows, self.shape[0]))]
        numbers: Features = np.concatenate([each for each in found if each is not None])
        return numbers


class DecodedMixed(_Decoded):
    """The same for numbers and codes."""

    def __init__(self, stream: Stream, asked: Asked, spooled: Spooled, coding: Coding) -> None:
        super().__init__(stream, asked, spooled)
        self._coding = coding
        layout = spooled.layout
        self.shape = (spooled.n_rows, coding.categories.n_features)
        single = bool(layout.numbers) and layout.dtype == np.float32
        self.dtype: DType = np.dtype(np.float32 if single else np.float64)
        self.row_bytes = layout.row_bytes

    def __getitem__(self, rows: slice) -> MixedRows:
        """Return rows ``start:stop``."""
        blocks = self._take(*_ends(rows, self.shape[0]))
        numbers = [block.numbers for block in blocks if block.numbers is not None]
        codes = [block.codes for block in blocks if block.codes is not None]
        coded = self._coding.coded(np.concatenate(codes)) if self._coding.columns else None
        return self._coding.mixed(np.concatenate(numbers) if numbers else None, coded)


def _ends(rows: slice, n_rows: int) -> tuple[int, int]:
    start, stop, _ = rows.indices(n_rows)
    return start, stop


def _cut(block: Block, start: int, stop: int) -> Block:
    def part(array: Array | None) -> Array | None:
        return None if array is None else array[start:stop]

    return Block(
        part(block.numbers), part(block.codes), part(block.target), part(block.weight),
        part(block.offset), part(block.clusters), part(block.groups), part(block.folds),
        stop - start, 0,
    )  # fmt: skip
