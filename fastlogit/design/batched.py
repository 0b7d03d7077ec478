"""Rows that come in batches from an iterator, read forwards, once in each pass."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np

from ..arrays import Array, ArrayLike, DType, Features, Labels, Vector
from .compressed import CompressedRows, joined

__all__ = ["Batch", "BatchRows", "Conversion", "epoch", "is_empty"]

Factory = Callable[[], Iterable[object]]


class Batch(NamedTuple):
    """A batch as the user gave it: `weight` is None where there is none."""

    number: int
    X: ArrayLike
    y: Labels
    weight: Vector | None


class Conversion(NamedTuple):
    """How what a batch holds becomes arrays; by NumPy alone unless the caller knows better."""

    rows: Callable[[ArrayLike], Features | CompressedRows] = np.asarray
    labels: Callable[[ArrayLike], Labels] = np.asarray
    weights: Callable[[ArrayLike], Vector] = np.asarray


BY_NUMPY = Conversion()


def epoch(batches: Iterable[object], conversion: Conversion = BY_NUMPY) -> Iterator[Batch]:
    """Take batches ``(X, y)`` or ``(X, y, sample_weight)`` apart; raises TypeError for others."""
    for index, given in enumerate(batches):
        if not isinstance(given, tuple) or len(given) not in (2, 3):
            size = f" of {len(given)}" if isinstance(given, tuple) else ""
            raise TypeError(
                f"batch {index} must be a tuple (X, y) or (X, y, sample_weight), got "
                f"{type(given).__name__}{size}"
            )
        try:
            weight = conversion.weights(given[2]) if len(given) == 3 else None
            labels = conversion.labels(given[1])
        except (TypeError, ValueError) as error:
            kind = TypeError if isinstance(error, TypeError) else ValueError
            raise kind(f"batch {index}: {error}") from None
        yield Batch(index, given[0], labels, weight)


def is_empty(batch: Batch) -> bool:
    """Say whether a batch has no rows; its number of columns does not matter then."""
    return batch.y.size == 0 and np.shape(batch.X)[:1] == (0,)  # type: ignore[call-overload]  # anything


class BatchRows:
    """Slices of rows that a factory's batches hold one after the other: all dense, or all sparse.

    Meant to be read forwards: each slice that begins before the end of the last one starts a new
    epoch, with a new iterator. Labels and weights of every batch are compared with those of the
    first epoch, so that no pass can take rows for others.

    Parameters
    ----------
    factory : callable
        Returns an iterable of batches; checked in the first epoch.
    shape : (n_samples, n_features)
    dtype : dtype
        Number type that holds the values of all batches.
    names : list of str or None
        Column names.
    labels, weights : ndarray of shape (n_samples,)
        Those of the first epoch; weights None where the batches have none.
    last : iterable
        What the factory returned in the first epoch.
    conversion : Conversion, optional
        How what a batch holds becomes arrays.
    n_values : int, optional
        Values that are stored in all batches, which are sparse; None where they are dense.

    Raises
    ------
    TypeError, ValueError
        By ``rows[start:stop]``, where an epoch is not the first one again.
    """

    def __init__(
        self,
        factory: Factory,
        shape: tuple[int, int],
        dtype: DType,
        names: list[str] | None,
        labels: Labels,
        weights: Vector | None,
        last: Iterable[object],
        conversion: Conversion = BY_NUMPY,
        n_values: int | None = None,
    ) -> None:
        self.shape, self.dtype, self.columns, self.n_values = shape, dtype, names, n_values
        self._factory = factory
        self._labels, self._weights = labels, weights
        self._last = last
        self._conversion = conversion
        self._stop()

    def __getitem__(self, rows: slice) -> Features | CompressedRows:
        """Return rows ``start:stop``; of dense ones a view of a batch that holds them all."""
        start, stop, _ = rows.indices(self.shape[0])
        try:
            if self._stream is None or start < self._at:
                self._begin()
            while self._at + len(self._rest) <= start:
                self._advance()
            self._take(start - self._at)
            return self._collect(stop - start)
        except BaseException:
            self._stop()
            raise

    def _stop(self) -> None:
        self._stream: Iterator[Batch] | None = None
        self._at = 0
        self._rest: Features | CompressedRows = np.empty((0, self.shape[1]))

    def _begin(self) -> None:
        self._stop()
        batches = self._factory()
        if batches is self._last and iter(batches) is batches:
            raise ValueError(
                "the factory of BatchSource returned the same iterator again, which is used up; it "
                "must make a new one in each call, as a generator function does"
            )
        self._last = batches
        self._stream = epoch(batches, self._conversion)

    def _advance(self) -> None:
        """Leave the current batch for the next one that has rows."""
        n_samples = self.shape[0]
        self._at += len(self._rest)
        batch = next(self._stream, None) if self._stream is not None else None
        if batch is None:
            raise ValueError(
                f"the batches of this epoch have {self._at} rows, those of the first one had "
                f"{n_samples}; the factory must give the same rows each time"
            )
        if is_empty(batch):
            self._rest = _part(self._rest, slice(0))
            return
        rows = self._conversion.rows(batch.X)
        if isinstance(rows, CompressedRows) != (self.n_values is not None):
            first = "dense" if self.n_values is None else "sparse"
            raise ValueError(f"batch {batch.number} is not {first} as those of the first epoch")
        if len(rows.shape) != 2 or rows.shape[1] != self.shape[1]:
            raise ValueError(
                f"batch {batch.number} has shape {rows.shape}, but in the first epoch batches had "
                f"{self.shape[1]} columns"
            )
        if self._at + len(rows) > n_samples:
            raise ValueError(
                f"batch {batch.number} ends at row {self._at + len(rows)} of this epoch, but the "
                f"first one had {n_samples} rows; the factory must give the same rows each time"
            )
        self._compare(batch, "y", batch.y, self._labels, len(rows))
        if self._weights is not None or batch.weight is not None:
            self._compare(batch, "sample_weight", batch.weight, self._weights, len(rows))
        self._rest = rows

    def _compare(
        self, batch: Batch, what: str, found: Array | None, first: Array | None, n_rows: int
    ) -> None:
        where = f"{what} of batch {batch.number}"
        if found is None or first is None:
            some = "has" if first is None else "is missing, but had"
            raise ValueError(f"{where} {some} values {'not ' * (first is None)}in the first epoch")
        if found.shape != (n_rows,):
            raise ValueError(f"{where} has shape {found.shape}, but its X has {n_rows} rows")
        same = found == first[self._at : self._at + n_rows]
        if np.all(same):
            return
        row = int(np.argmin(same)) if np.ndim(same) else 0
        value = repr(found[row].item() if isinstance(found[row], np.generic) else found[row])
        if what == "y" and not np.any(found[row] == first):
            raise ValueError(
                f"{where} has a label that was not in the first epoch: {value} (row {row})"
            )
        raise ValueError(
            f"{where} differs from the first epoch: {value} (row {row}); the factory must give "
            "the same rows in the same order each time"
        )

    def _take(self, count: int) -> Features | CompressedRows:
        taken, self._rest = _part(self._rest, slice(count)), _part(self._rest, slice(count, None))
        self._at += count
        return taken

    def _parts(self, count: int) -> Iterator[Features | CompressedRows]:
        """Give the next rows, batch by batch; the memory of one is its factory's own."""
        is_last = self._at + count == self.shape[0]
        while True:
            part = self._take(min(count, len(self._rest)))
            yield part
            count -= len(part)
            if not count:
                break
            self._advance()
        if is_last:
            self._end()

    def _collect(self, count: int) -> Features | CompressedRows:
        if self.n_values is not None:
            return self._joined(count)
        whole = self._at + count == self.shape[0]
        if count < len(self._rest) or (count == len(self._rest) and not whole):
            return self._take(count)
        rows = np.empty((count, self.shape[1]), self.dtype)
        done = 0
        for part in self._parts(count):
            assert not isinstance(part, CompressedRows)
            np.copyto(rows[done : done + len(part)], part, casting="safe")
            done += len(part)
        return rows

    def _joined(self, count: int) -> CompressedRows:
        copies = []
        for part in self._parts(count):
            assert isinstance(part, CompressedRows)  # as each batch is that was let in
            copies.append(joined([part], self.dtype))
        return copies[0] if len(copies) == 1 else joined(copies, self.dtype)

    def _end(self) -> None:
        """Raise if there are more rows than in the first epoch."""
        for batch in self._stream or ():
            if not is_empty(batch):
                raise ValueError(
                    f"the first epoch had {self.shape[0]} rows, and this one has more, in batch "
                    f"{batch.number}; the factory must give the same rows each time"
                )
        self._stop()


def _part(rows: Features | CompressedRows, part: slice) -> Features | CompressedRows:
    return rows.take(part) if isinstance(rows, CompressedRows) else rows[part]
