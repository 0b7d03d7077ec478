"""Rows as they are decoded, kept for the passes that follow: in memory, or in a temporary file.

A file has no name from the beginning (POSIX), so that nothing of it is left whatever ends the
process. It is written with calls that report a full disk, and read as a memory map.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from typing import BinaryIO

import numpy as np

from ..arrays import Array, DType
from ..design.mapped import available_memory

__all__ = ["PLACES", "Budget", "Growing", "filled"]

PLACES = ("auto", "memory", "disk", "never")
# A spool takes this share of the memory that is available, unless the user gives a limit.
SHARE = 0.5
# Besides the spool a fit keeps for each row: its label, and numbers of the pass.
STATE_BYTES = 25
# An array grows by this factor where nobody knows how many rows come, at least by so many bytes.
GROWTH, LEAST_BYTES = 1.5, 2**22
# Rows of an array are made and copied so many bytes at a time.
PART_BYTES = 2**24


class Budget:
    """How much memory a source may take, and where its rows go.

    Parameters
    ----------
    place : {"auto", "memory", "disk"}
    memory_limit : int or None
        Bytes.
    """

    def __init__(self, place: str, memory_limit: int | None) -> None:
        self.place, self.limit = place, memory_limit
        self._given = SHARE * available_memory() if memory_limit is None else float(memory_limit)

    def fits(self, n_bytes: float, n_rows: float) -> bool:
        """Say whether a spool of so many bytes stays in memory."""
        if self.place != "auto":
            return self.place == "memory"
        return n_bytes + STATE_BYTES * n_rows <= self._given

    @property
    def batch_bytes(self) -> int:
        """How much a batch may take, decoded: several are alive at a time."""
        return int(min(2**24, max(2**16, self._given / 32)))


class Growing:
    """Rows of one number type that come one block after the other.

    Parameters
    ----------
    width : int
    dtype : dtype
    n_rows : int or None
        How many rows come at most; None where nobody knows.
    """

    def __init__(self, width: int, dtype: DType, n_rows: int | None, *, on_disk: bool) -> None:
        self.width, self.dtype = width, np.dtype(dtype)
        self.n_rows = 0
        self._file: BinaryIO | None = None
        self._rows = np.empty((0, width), dtype)
        if on_disk:
            self._file = _new_file(0 if n_rows is None else n_rows * self.row_bytes)
        elif n_rows is not None:
            self._rows = np.empty((n_rows, width), dtype)

    @property
    def row_bytes(self) -> int:
        """What a row takes."""
        return self.width * self.dtype.itemsize

    def add(self, block: Array) -> None:
        """Add rows.

        Raises
        ------
        OSError
            If the disk is full; says which and how much was wanted.
        """
        stop = self.n_rows + len(block)
        if self._file is not None:
            _write(self._file, np.ascontiguousarray(block, self.dtype))
        else:
            if stop > len(self._rows):
                least = LEAST_BYTES // max(1, self.row_bytes)
                size = max(stop, int(GROWTH * len(self._rows)), least)
                # The system moves pages of a large array, and copies none.
                self._rows.resize((size, self.width), refcheck=False)
            self._rows[self.n_rows : stop] = block
        self.n_rows = stop

    def to_disk(self) -> None:
        """Move the rows into a file, where those that come will be too."""
        if self._file is None:
            self._file = _new_file(self.n_rows * self.row_bytes)
            step = max(1, PART_BYTES // max(1, self.row_bytes))
            for start in range(0, self.n_rows, step):
                _write(self._file, self._rows[start : min(start + step, self.n_rows)])
            self._rows = np.empty((0, self.width), self.dtype)

    def close(self) -> None:
        """Let go of all rows."""
        if self._file is not None:
            self._file.close()

    def conclude(self) -> Array:
        """Return all rows: an array, or a read-only map of the file."""
        shape = (self.n_rows, self.width)
        if self._file is not None:
            with self._file as file:  # a map keeps the file alive
                return np.memmap(file, self.dtype, "r", shape=shape)
        if len(self._rows) > self.n_rows:
            self._rows.resize(shape, refcheck=False)
        self._rows.flags.writeable = False
        return self._rows


def filled(shape: tuple[int, int], dtype: DType, *, on_disk: bool) -> Array:
    """Return an array to be written, in memory or as a map of a temporary file that has its room.

    Raises
    ------
    OSError
        If the disk has no room for it.
    """
    if not on_disk:
        return np.empty(shape, dtype)
    n_bytes = int(np.prod(shape)) * np.dtype(dtype).itemsize
    with _new_file(n_bytes) as file:
        # A map of a file with holes ends the process where the disk is full when one is written.
        if hasattr(os, "posix_fallocate"):
            try:
                os.posix_fallocate(file.fileno(), 0, n_bytes)
            except OSError as error:
                raise _no_room(n_bytes, error) from error
        else:
            _write(file, np.zeros(n_bytes, np.uint8))
        return np.memmap(file, dtype, "r+", shape=shape)


def _new_file(n_bytes: int) -> BinaryIO:
    """Return a file without a name, on a disk that has room for so many bytes."""
    folder = tempfile.gettempdir()
    free = shutil.disk_usage(folder).free
    if n_bytes > free:
        raise OSError(
            f"the spool would take {n_bytes:,} bytes, and {folder} has {free:,} free: set TMPDIR "
            "to a folder of a larger disk, choose fewer columns, or use spool='never'"
        )
    file: BinaryIO = tempfile.TemporaryFile(prefix="fastlogit-", buffering=0)  # noqa: SIM115
    return file


def _write(file: BinaryIO, rows: Array) -> None:
    view = memoryview(rows.tobytes() if not rows.size else rows.reshape(-1).view(np.uint8).data)
    done = 0
    try:
        while done < len(view):
            done += file.write(view[done:])
    except OSError as error:
        raise _no_room(len(view), error) from error


def _no_room(n_bytes: int, error: OSError) -> OSError:
    folder = tempfile.gettempdir()
    return OSError(
        error.errno,
        f"{error.strerror} while {n_bytes:,} bytes of the spool were written into {folder}: set "
        "TMPDIR to a folder of a larger disk, or use spool='never'",
    )
