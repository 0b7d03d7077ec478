"""Text files of svmlight and libsvm as batches: parsed once, block by block, and never held."""

from __future__ import annotations

import io
import os
import tempfile
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from fastlogit.arrays import Array, DType, Indices, Vector
from fastlogit.inputs.batches import BatchSource, ParsedFactory
from fastlogit.io.faults import reading
from fastlogit.io.text import open_bytes
from fastlogit.options import check_whole

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

__all__ = ["NumberedFile", "refuse_wrong_lines", "svmlight_source"]

# Text that is parsed at a time: about as many bytes of values in memory.
BLOCK_BYTES = 2**23
LARGEST_INT32 = 2**31 - 1
_FLOAT, _INT = np.dtype(np.float64), np.dtype(np.int32)


def svmlight_source(
    path: str | Path, *, n_features: int | None = None, zero_based: bool | str = "auto"
) -> BatchSource:
    r"""Return the rows of a svmlight or libsvm file as batches, for a fit that never holds them.

    The first fit parses the text once, by scikit-learn's `load_svmlight_file`, 8 MB of it at a
    time, and writes numbers into a temporary file (12 bytes a value, 16 a row; in the folder that
    `tempfile.gettempdir` names), from which all passes read. That file has no name, or goes with
    the source, also after errors. Rows are what they were when they were parsed.

    Parameters
    ----------
    path : str or Path
        Lines ``label column:value column:value ...``, columns rising. Empty lines, what follows a
        ``#``, and query ids (``qid:3``) are passed over. May end in ``.gz`` or ``.bz2``.
    n_features : int, optional
        Number of columns, where the file may not have the last ones.
    zero_based : {"auto", True, False}
        Whether the first column is number 0 or 1; "auto" finds number 0, or takes 1 for the first:
        say which where you know, as a file may have no value in its first column.

    Returns
    -------
    BatchSource
        For `fit`, `LogisticRegression.fit` and others; its `factory` gives the batches.

    Raises
    ------
    FileNotFoundError, IsADirectoryError
        If there is no such file, or it is a folder.
    ValueError
        If an option is not possible. A line that is wrong, a file without rows, a column number
        that is not possible are named by the fit.

    Examples
    --------
    >>> import pathlib, tempfile, fastlogit
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = pathlib.Path(folder.name, "words.svm")
    >>> _ = path.write_text("1 3:1 7:2.5\n0 7:1\n0 2:1 3:0.5\n1 7:3\n")
    >>> fastlogit.fit(svmlight_source(path), C=1.0).coef.shape
    (7,)
    >>> folder.cleanup()
    """
    if zero_based not in ("auto", True, False):
        raise ValueError(f"zero_based must be 'auto', True or False, got {zero_based!r}")
    if n_features is not None:
        n_features = check_whole("n_features", n_features, low=1)
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"no such file: {path}")
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder, not a svmlight file; give a file in it")
    return BatchSource(_File(path, n_features, zero_based))


class _Place(NamedTuple):
    """A block in the spool: where it begins, its rows and its values."""

    begin: int
    n_rows: int
    n_values: int


class _Block(NamedTuple):
    """Rows that have been parsed, columns numbered as in the file."""

    labels: Vector
    ends: Indices
    columns: Array
    values: Vector


class _Spool:
    """Numbers in a temporary file that goes with this object."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115  # closed by the finalizer
        self._asking = threading.Lock()
        self.close = weakref.finalize(self, self._file.close)
        self.places: list[_Place] = []

    def write(self, block: _Block) -> None:
        """Add a block."""
        begin = self._file.seek(0, os.SEEK_END)
        for part in block:
            self._file.write(np.ascontiguousarray(part).data)
        self.places.append(_Place(begin, len(block.labels), len(block.values)))

    def flush(self) -> None:
        """Let other processes that share the file see all of it."""
        self._file.flush()

    def read(self, place: _Place) -> _Block:
        """Return a block, in memory of its own."""
        parts, at = [], place.begin
        kinds = ((_FLOAT, place.n_rows), (np.dtype(np.int64), place.n_rows))
        for dtype, count in (*kinds, (_INT, place.n_values), (_FLOAT, place.n_values)):
            parts.append(self._numbers(at, dtype, count))
            at += parts[-1].nbytes
        return _Block(*parts)

    def labels(self, place: _Place) -> Vector:
        """Return the labels of a block."""
        return self._numbers(place.begin, _FLOAT, place.n_rows)

    def part(self, place: _Place, start: int, stop: int) -> tuple[Indices, Array, Vector]:
        """Return where each of some rows of a block ends, and their columns and values."""
        first = max(0, start - 1)
        at = place.begin + _FLOAT.itemsize * place.n_rows
        ends = self._numbers(at + 8 * first, np.dtype(np.int64), stop - first)
        low = int(ends[0]) if start else 0
        ends = ends[start - first :]
        count = int(ends[-1]) - low
        at += 8 * place.n_rows
        columns = self._numbers(at + _INT.itemsize * low, _INT, count)
        at += _INT.itemsize * place.n_values
        return ends - low, columns, self._numbers(at + _FLOAT.itemsize * low, _FLOAT, count)

    def _numbers(self, at: int, dtype: DType, count: int) -> Array:
        size = count * dtype.itemsize
        if hasattr(os, "pread"):  # a forked child shares the file's position
            found = os.pread(self._file.fileno(), size, at)
        else:
            with self._asking:
                self._file.seek(at)
                found = self._file.read(size)
        return np.frombuffer(found, dtype)


class _File(ParsedFactory):
    """The factory of batches over a file: the first epoch parses, the others read numbers."""

    def __init__(self, path: Path, n_features: int | None, zero_based: bool | str) -> None:
        self._given = path, n_features, zero_based
        self._path = path
        self._spool: _Spool | None = None
        self._first = self._n_features = 0

    def __reduce__(self) -> tuple[type[_File], tuple[Path, int | None, bool | str]]:
        return _File, self._given

    def prepare(self) -> Iterator[int]:
        """Parse the text, once; yield rows that were parsed, for time limits to have a say."""
        if self._spool is not None:
            return
        spool, least, largest = _Spool(), LARGEST_INT32, -1
        try:
            for block in _blocks(self._path):
                spool.write(block)
                least = min(least, int(block.columns.min(initial=LARGEST_INT32)))
                largest = max(largest, int(block.columns.max(initial=-1)))
                yield block.labels.size
            spool.flush()
            self._settle(spool, least, largest)
        except BaseException:
            spool.close()
            raise
        self._spool = spool

    def __call__(self) -> Iterator[tuple[csr_matrix, Vector]]:
        from scipy.sparse import csr_matrix

        for _ in self.prepare():
            pass
        spool = self._spool
        assert spool is not None  # prepared
        for place in spool.places:
            labels, ends, columns, values = spool.read(place)
            pointers = np.concatenate([[0], ends])
            shape = place.n_rows, self._n_features
            yield csr_matrix((values, columns - _INT.type(self._first), pointers), shape), labels

    def _settle(self, spool: _Spool, least: int, largest: int) -> None:
        """Sets: the number of the first column, and how many there are; or raises ValueError."""
        path, n_features, zero_based = self._given
        if not spool.places:
            raise ValueError(f"{path} has no rows")
        self._first = int(least > 0) if zero_based == "auto" else int(not zero_based)
        if least < self._first:
            raise ValueError(
                f"{path} has column number {least} ({_line_with(path, least)}), but "
                "zero_based=False; leave zero_based out, or pass True"
            )
        found = largest + 1 - self._first
        if n_features is not None and found > n_features:
            first = f"{self._first} is the first"
            raise ValueError(
                f"{path} has column number {largest} ({_line_with(path, largest)}; {first}), but "
                f"n_features={n_features}; {found} are needed"
            )
        if found < 1 and n_features is None:
            raise ValueError(f"{path} has no values in any row; pass n_features")
        self._n_features = n_features or found


class NumberedFile:
    """A file whose columns keep the numbers that they have there, and whose rows are numbered.

    It is parsed here, once.

    Attributes
    ----------
    n_rows : int
    first, n_columns : int
        The first column is number 0 where a row has a value of it, else 1; the last is number
        ``n_columns - 1``.

    Raises
    ------
    ValueError
        As the fit of `svmlight_source`.
    """

    def __init__(self, path: Path) -> None:
        file = _File(path, None, True)
        least = LARGEST_INT32
        for _ in file.prepare():
            pass
        assert file._spool is not None  # prepared
        self._spool = file._spool
        for place in self._spool.places:
            columns = self._spool.part(place, 0, place.n_rows)[1]
            least = min(least, int(columns.min(initial=LARGEST_INT32)))
        self.first, self.n_columns = int(least > 0), file._n_features
        counts = [place.n_rows for place in self._spool.places]
        self._starts = np.concatenate([[0], np.cumsum(counts)])
        self.n_rows = int(self._starts[-1])

    def labels(self) -> Vector:
        """Return the labels of all rows."""
        return np.concatenate([self._spool.labels(place) for place in self._spool.places])

    def rows(self, start: int, stop: int) -> tuple[Indices, Array, Vector]:
        """Return where each of some rows ends, and their columns and values."""
        parts, done = [], 0
        for begin, place in zip(self._starts, self._spool.places, strict=False):
            low, high = max(start - int(begin), 0), min(stop - int(begin), place.n_rows)
            if low < high:
                ends, columns, values = self._spool.part(place, low, high)
                parts.append((ends + done, columns, values))
                done += len(values)
        if not parts:
            return np.empty(0, np.int64), np.empty(0, _INT), np.empty(0)
        ends, columns, values = (np.concatenate(each) for each in zip(*parts, strict=True))
        return ends, columns, values


def _blocks(path: Path) -> Iterator[_Block]:
    """Parse a file, whole lines of `BLOCK_BYTES` at a time."""
    before = 0
    with reading(path, "svmlight"), open_bytes(path) as file:
        while lines := file.readlines(BLOCK_BYTES):
            block = _parsed(path, lines, before)
            before += len(lines)
            if block.labels.size:
                yield block


def refuse_wrong_lines(path: Path) -> None:
    """Raise ValueError for the first line that is no row, by its number; None where all are."""
    for _ in _blocks(path):
        pass


def _parsed(path: Path, lines: list[bytes], before: int) -> _Block:
    """Parse lines; `before` is the number of those that come before them."""
    try:
        return _parse(lines)
    except (ValueError, OverflowError, IndexError) as error:
        for number, line in enumerate(lines, before + 1):
            try:
                _parse([line])
            except (ValueError, OverflowError, IndexError) as wrong:
                raise ValueError(
                    f"{path}, line {number}: {_shown(line)} is no row of svmlight ({wrong}); "
                    "each is a number as label, then column:value, columns rising; mend that line"
                ) from None
        raise ValueError(f"{path} cannot be read from line {before + 1} on: {error}") from error


def _parse(lines: list[bytes]) -> _Block:
    from sklearn.datasets import load_svmlight_file

    # Numbers as they are written: which is the first is known after all lines.
    rows, labels = load_svmlight_file(io.BytesIO(b"".join(lines)), zero_based=True)
    if rows.indices.size and int(rows.indices.max()) >= LARGEST_INT32:
        raise ValueError(f"a column number is above {LARGEST_INT32 - 1:,}")
    if not (np.isfinite(labels).all() and np.isfinite(rows.data).all()):
        raise ValueError("a number is not finite")
    ends = rows.indptr[1:].astype(np.int64)
    return _Block(labels, ends, rows.indices.astype(np.int32), rows.data)


def _line_with(path: Path, column: int) -> str:
    """Say in which line a column number stands: only errors ask, so the file is read again."""
    with open_bytes(path) as file:
        for number, line in enumerate(file, 1):
            words = line.partition(b"#")[0].split()[1:]
            if any(word.partition(b":")[0] == str(column).encode() for word in words):
                return f"line {number}"
    return "some line"


def _shown(line: bytes) -> str:
    text = line.strip().decode("utf-8", "replace")
    return repr(text if len(text) <= 40 else f"{text[:37]}...")
