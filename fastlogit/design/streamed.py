"""Rows that need not fit in memory: each pass reads them block by block, one block ahead."""

from __future__ import annotations

import mmap
import os
import threading
from abc import abstractmethod
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Generic, Protocol, Self, TypeGuard, TypeVar

import numpy as np

from ..arrays import Array, ArrayLike, Column, DType, Features, Indices
from .base import Columns, Design, RowCounter
from .blockwise import Block, BlockwiseDesign
from .dense import DenseDesign

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

__all__ = ["RowSource", "SourceDesign", "StreamedDesign", "is_streamable", "let_go", "where"]

# Rows of a block: an array, or compressed rows.
Part = TypeVar("Part")
# Returns rows ``start:stop``, block number `index`, in memory: ``bring(index, start, stop)``.
Bring = Callable[[int, int, int], Part]

# A block takes at most this much memory and this share of X, but has at least so many rows, which
# is one chunk of a pass. Two are alive, and a third one where the source makes an array of its own.
# 400 MB of 50 columns in 4 MB blocks: a pass takes 0.1 ms for each block besides its work.
BLOCK_BYTES = 2**24
LEAST_BLOCKS = 100
MIN_BLOCK_ROWS = 256
# A subsample is a copy in memory: every so many-th row at the most.
LEAST_STRIDE = 61
# What a good disk takes for a byte: for guesses of how long a pass will be.
READ_NS = 1.0
# Maps of these modes show the file's own pages, which can be let go at any time. Those of mode "c"
# are private: what was written to them would be lost.
SHARED_MODES = frozenset({"r", "r+", "w+"})
# Arrays in memory have one of the first two, sparse matrices one of the others.
NOT_ON_DISK = ("__array_interface__", "__dlpack__", "tocsr", "todense")


class RowSource(Protocol):
    """What a streamed design asks of X: h5py and zarr data sets, for instance, have it."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""

    @property
    def dtype(self) -> DTypeLike:
        """Number type of all columns, float32, float64, integer or bool."""

    def __getitem__(self, rows: slice, /) -> ArrayLike:
        """Return rows ``start:stop`` as an array or what NumPy makes one of."""


def is_streamable(X: object) -> TypeGuard[RowSource]:
    """Say whether X is a table of rows that lie elsewhere and can be read a slice at a time.

    True for a two-dimensional `numpy.memmap`, and for objects that are not arrays in memory but
    have a `shape` of two, a `dtype` that NumPy knows, and `__getitem__`.
    """
    if isinstance(X, np.memmap):
        return X.ndim == 2 and getattr(X, "_mmap", None) is not None
    if any(hasattr(X, name) for name in NOT_ON_DISK) or not hasattr(type(X), "__getitem__"):
        return False
    shape, dtype = getattr(X, "shape", None), getattr(X, "dtype", None)
    try:
        np.dtype(dtype)
    except TypeError:
        return False
    return dtype is not None and isinstance(shape, tuple) and len(shape) == 2


class SourceDesign(BlockwiseDesign, Generic[Part]):
    """Passes over rows that are read from their source in each pass, one block ahead.

    A thread of the pass's own reads; it is the only one that calls the source meanwhile. A subclass
    says of which kind rows are, and how they are read.

    Raises
    ------
    Exception
        Whatever the source raises, in the pass that reads it, with a note that names the rows;
        TypeError or ValueError where it gives other shapes or number types than it promised.
    """

    # The rows collected last, by their stride: for this design and those standardised otherwise.
    _taken: dict[int, Part]
    _turns: _Turns

    def _begin(
        self, shape: tuple[int, int], dtype: DType, n_threads: int | None, columns: Columns | None,
        counter: RowCounter | None,
    ) -> None:  # fmt: skip
        """Sets: what each design has, but `block_rows`."""
        self.shape, self.dtype, self.n_threads = shape, dtype, n_threads
        self.counter = counter or RowCounter(shape[0])
        self.columns = columns or Columns(np.zeros(shape[1]), np.ones(shape[1]))
        self._taken, self._turns = {}, _Turns()

    @abstractmethod
    def _bringing(self) -> Bring[Part]:
        """Return what brings the blocks of a pass; one is good until the next but one is there."""

    @abstractmethod
    def _over(self, rows: Part) -> Block:
        """Return a design over rows in memory."""

    @abstractmethod
    def _every(self, stride: int) -> Part:
        """Return a copy of every `stride`-th row: up to one pass."""

    def standardized(self, columns: Columns) -> Self:
        """Return a design over the same source with another standardisation."""
        design = object.__new__(type(self))
        design.__dict__.update(self.__dict__)
        design.columns = columns
        return design

    def subsample(self, stride: int) -> Design:
        """Return a design over every `stride`-th row, in memory: up to one pass to collect them.

        The rows collected last are kept, for this design and those standardised otherwise.
        """
        if stride not in self._taken:
            self._taken.clear()
            self._taken[stride] = self._every(stride)
        return self._over(self._taken[stride])

    def stride_for(self, wanted: int) -> int:
        """Return the stride of a subsample that is a small copy in memory: at most 1.7 % of X."""
        return max(wanted, LEAST_STRIDE)

    @property
    def gives_rows_freely(self) -> bool:
        """Rows by index are read from the source each time."""
        return False

    def _wanted(self, wanted: Indices) -> Iterator[tuple[slice, int, int]]:
        """Go over the blocks that hold rows of rising indices, and count what is read of them.

        Which of the indices a block holds, and the rows to be read for them.
        """
        self._turns.begin(None)
        for start, stop in self._blocks():
            low, high = np.searchsorted(wanted, (start, stop))
            if low == high:
                continue
            self.counter.check()
            begin, end = int(wanted[low]), int(wanted[high - 1]) + 1
            yield slice(low, high), begin, end
            self.counter.rows += end - begin

    def _for_each_block(self, work: Callable[[Block, int, int], None]) -> None:
        """Call ``work(block, start, stop)`` in the order of the rows, while the next one is read.

        The thread lives for one pass: a fork between passes meets none, and where `work` raises,
        Ctrl-C included, it ends with the block that it is reading. The executor does not wait for a
        thread that Ctrl-C met while it started: the next pass does.
        """
        blocks = self._blocks()
        reader = _Reader(self)
        self._turns.begin(reader)
        with ThreadPoolExecutor(1, thread_name_prefix="fastlogit-read") as thread:
            coming = thread.submit(reader.bring, 0, *blocks[0])
            for index, (start, stop) in enumerate(blocks):
                rows = coming.result()
                if index + 1 < len(blocks):
                    coming = thread.submit(reader.bring, index + 1, *blocks[index + 1])
                work(self._over(rows), start, stop)
                let_go(rows)


class StreamedDesign(SourceDesign[Features]):
    """Passes over rows of numbers that are read from their source in each pass.

    Rows of a `numpy.memmap` that lie one after the other are read where they are, and their pages
    let go after use; anything else is copied into one of two buffers.

    Parameters
    ----------
    X : RowSource
        See `is_streamable`.
    n_threads : int, optional
        Number of threads that work on a block; None takes what the process may use.
    columns : Columns, optional
        Standardisation; none by default.
    counter : RowCounter, optional
        Where the rows read are counted; a new one by default.
    block_rows : int, optional
        Rows of a block. By default 16 MB, at most 1 % of X, at least 256 rows.
    """

    def __init__(
        self,
        X: RowSource,
        *,
        n_threads: int | None = None,
        columns: Columns | None = None,
        counter: RowCounter | None = None,
        block_rows: int | None = None,
    ) -> None:
        n_samples, n_features = (int(size) for size in X.shape)
        self._X: RowSource = X
        self._begin((n_samples, n_features), np.dtype(X.dtype), n_threads, columns, counter)
        self.block_rows = block_rows or _block_rows(self.shape, self.dtype.itemsize)

    def _bringing(self) -> Bring[Features]:
        return _Buffers(self).bring

    def _over(self, rows: Features) -> DenseDesign:
        return self._dense(rows)

    def rows(self, indices: Indices) -> Features:
        """Return a copy of some rows as they are, in the order of `indices`: at most one pass."""
        indices = np.asarray(indices)
        order = np.argsort(indices, kind="stable")
        wanted = indices[order]
        taken = np.empty((wanted.size, self.shape[1]), _native(self.dtype))
        for place, begin, end in self._wanted(wanted):
            part = self._read(begin, end)
            _copy(part[wanted[place] - begin], taken[place], begin, end)
            let_go(part)
        rows = np.empty_like(taken)
        rows[order] = taken
        return rows

    def _every(self, stride: int) -> Features:
        wanted = np.arange(0, self.shape[0], stride)
        taken = np.empty((wanted.size, self.shape[1]), _native(self.dtype))
        for place, begin, end in self._wanted(wanted):
            part = self._read(begin, end)
            _copy(part[::stride], taken[place], begin, end)
            let_go(part)
        return taken

    def column(self, index: int) -> Column:
        """Return a column of X as it is, without standardisation: one pass."""
        values = np.empty(self.shape[0], _native(self.dtype))
        for start, stop, part in self.row_blocks(self.block_rows):
            _copy(part[:, index], values[start:stop], start, stop)
        return values

    def row_blocks(self, size: int) -> Iterator[tuple[int, int, Features]]:
        """Go over the rows of X as they are, in blocks of the design's own size: one pass."""
        self._turns.begin(None)
        for start, stop in self._blocks():
            self.counter.check()
            part = self._read(start, stop)
            yield start, stop, part
            let_go(part)
            self.counter.rows += stop - start

    def pass_ns(self, n_models: int) -> float:
        """Return roughly how many nanoseconds a pass takes in one thread."""
        n_samples, n_features = self.shape
        reading = READ_NS * n_samples * n_features * self.dtype.itemsize
        return float(max(reading, super().pass_ns(n_models)))

    def _read(self, start: int, stop: int) -> Features:
        """Ask the source for rows ``start:stop``, and look at their shape."""
        try:
            part = self._X[start:stop]
            if np.ma.is_masked(part):
                raise ValueError(
                    "X has masked values, and a mask would be ignored; fill them first"
                )
            if hasattr(part, "tocsr"):
                raise TypeError(
                    f"X[{start}:{stop}] is sparse ({type(part).__name__}); a source of sparse rows "
                    "says so by an attribute format, as 'csr'"
                )
            rows: Features = np.asanyarray(part)
            if rows.shape != (stop - start, self.shape[1]):
                raise ValueError(
                    f"X has shape {self.shape}, but X[{start}:{stop}] has shape {rows.shape}; its "
                    "rows must stay the same during a fit"
                )
        except Exception as error:
            error.add_note(where(start, stop))
            raise
        return rows


class _Turns:
    """Keeps a source from being asked by two passes at once, in each process for itself."""

    def __init__(self) -> None:
        self._asking, self._process = threading.Lock(), os.getpid()
        self._reader: object = None

    def __reduce__(self) -> tuple[type[_Turns], tuple[()]]:
        return _Turns, ()

    def begin(self, reader: object) -> None:
        """Let a pass begin: what an abandoned one is reading is waited for, the rest refused.

        `reader` is the one that brings the pass's blocks, None where the caller reads them itself.
        """
        if self._process != os.getpid():  # the reader that may hold the lock stayed in the parent
            self._asking, self._process = threading.Lock(), os.getpid()
        with self._asking:
            self._reader = reader

    @contextmanager
    def ask(self, reader: object) -> Iterator[None]:
        """Hold the source while a reader asks it; raises CancelledError for abandoned passes."""
        with self._asking:
            if self._reader is not reader:
                raise CancelledError
            yield


class _Reader(Generic[Part]):
    """Brings the blocks of one pass into memory, while it is its turn."""

    def __init__(self, design: SourceDesign[Part]) -> None:
        self._turns, self._bring = design._turns, design._bringing()

    def bring(self, index: int, start: int, stop: int) -> Part:
        """Return rows ``start:stop``, block number `index`."""
        with self._turns.ask(self):
            return self._bring(index, start, stop)


class _Buffers:
    """Brings blocks of numbers; a block is good until the next but one is brought."""

    def __init__(self, design: StreamedDesign) -> None:
        self._design = design
        self._buffers: list[Features] = []

    def bring(self, index: int, start: int, stop: int) -> Features:
        """Return rows ``start:stop``, block number `index`, as an array whose memory is there."""
        design = self._design
        part = design._read(start, stop)
        if isinstance(part, np.memmap) and part.flags.c_contiguous and part.dtype == design.dtype:
            # One byte of each page: the system brings the pages here, not in the pass. Twice as
            # fast as a copy where the file is in the page cache: 400 MB in blocks of 16 MB take 31
            # against 79 ms.
            part.reshape(-1).view(np.uint8)[:: mmap.PAGESIZE].max()
            return part
        if not self._buffers:
            # Copied even where the source made the array for us: it may use that memory again.
            size = (min(design.block_rows, design.shape[0]), design.shape[1])
            self._buffers = [np.empty(size, _native(design.dtype)) for _ in range(2)]
        rows = self._buffers[index % 2][: stop - start]
        _copy(part, rows, start, stop)
        let_go(part)
        return rows


def _block_rows(shape: tuple[int, int], itemsize: int) -> int:
    n_samples, n_features = shape
    rows = min(BLOCK_BYTES // (n_features * itemsize), n_samples // LEAST_BLOCKS)
    return max(1, rows // MIN_BLOCK_ROWS) * MIN_BLOCK_ROWS


def _native(dtype: DType) -> DType:
    return dtype.newbyteorder("=")


def _copy(part: Array, rows_out: Array, start: int, stop: int) -> None:
    """Copy, and change the byte order; never to a type that holds less."""
    try:
        np.copyto(rows_out, part, casting="safe")
    except Exception as error:
        error.add_note(where(start, stop))
        raise


def where(start: int, stop: int) -> str:
    """Say of which rows an error is."""
    return f"while rows {start} to {stop - 1} of X were read"


def let_go(part: object) -> None:
    """Take the pages of a part of a mapped file off this process's memory; the file keeps them.

    Without this a pass leaves all of X in the resident set: the system could take those pages back
    at any time, but they are counted as ours by whoever watches the process's memory.
    """
    if not isinstance(part, np.ndarray):
        return
    mapped = getattr(part, "_mmap", None)
    advice = getattr(mmap, "MADV_DONTNEED", None)
    if advice is None or mapped is None or getattr(part, "mode", None) not in SHARED_MODES:
        return
    base = np.frombuffer(mapped, np.uint8).ctypes.data
    low, high = (bound - base for bound in np.lib.array_utils.byte_bounds(part))
    # Whole pages: the one that this part shares with the rows before, not that with those behind.
    begin, end = (bound - bound % mmap.PAGESIZE for bound in (low, high))
    if end > begin:
        mapped.madvise(advice, begin, end - begin)
