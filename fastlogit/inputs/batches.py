"""Rows that come in batches from the user's own code: `BatchSource`, and the first look at it."""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from ..arrays import ArrayLike, DType, Features, Labels, Vector
from ..clock import Clock, activity
from ..design.batched import Batch, BatchRows, Conversion, Factory, epoch, is_empty
from ..design.compressed import CompressedRows
from ..design.mixed import as_sparse
from ..design.sparse import SparseDesign
from ..options import CategoryOptions
from . import validation
from .categories import Categories, has_categories, mixed_numbers, refuse_categories
from .coded_batches import BatchLevels, rows_of_batch
from .conversion import as_labels, as_numbers
from .readers import is_frame, refuse_lazy
from .sparse import compressed_rows, sparse_of

__all__ = ["BatchSource", "Looked", "ParsedFactory", "first_look"]


class ParsedFactory(ABC):
    """A factory of batches that has text to parse before it has any: one of the library's own."""

    @abstractmethod
    def prepare(self) -> Iterator[int]:
        """Parse, once; yield rows that were parsed, for time limits to have a say."""

    @abstractmethod
    def __call__(self) -> Iterable[object]:
        """Return the batches of an epoch."""


def _rows_of(X: ArrayLike) -> Features | CompressedRows:
    """Return rows of a batch of a later epoch."""
    sparse = _sparse_rows(X)
    return as_numbers("X", X) if sparse is None else sparse


def _sparse_rows(X: ArrayLike) -> CompressedRows | None:
    """Return a sparse matrix, or a frame some of whose columns are sparse, as rows; else None."""
    if (sparse := sparse_of(X)) is not None:
        return compressed_rows(sparse)
    mixed = mixed_numbers(X)
    return None if mixed is None else as_sparse(mixed)


# The same conversion in each epoch.
READING = Conversion(
    rows=_rows_of,
    labels=as_labels,
    weights=functools.partial(as_numbers, "sample_weight"),
)


class Looked(NamedTuple):
    """What a fit was given, once batches were looked at: their rows as a source."""

    X: ArrayLike
    y: ArrayLike
    sample_weight: ArrayLike
    # Of batches of frames with categorical columns.
    categories: Categories | None = None


class BatchSource:
    """Rows that come in batches, for a fit that never holds them all.

    ``fit(BatchSource(factory))`` finds the certified optimum that a fit in memory finds: each pass
    asks the factory for a new iterator and adds up the batches' sums. In memory are the
    labels and weights of all rows, two blocks of at most 1 % of the rows, and a subsample.

    Parameters
    ----------
    factory : callable
        Takes nothing and returns a new iterator (or other iterable) of batches ``(X, y)`` or
        ``(X, y, sample_weight)``: X array-like of shape (n_rows, n_features), or in all batches a
        sparse matrix of SciPy, or in all a data frame with categorical columns; y labels and
        weights of shape (n_rows,). Batches may have any numbers of rows, the same rows come in the
        same order each time. A generator function will do. After the first epoch it is called, and
        its batches drawn, in threads of the fit's own, one at a time.

    Raises
    ------
    TypeError
        If the factory cannot be called.

    Notes
    -----
    A fit draws all batches a dozen times or two, so a factory that reads text is better read into
    a file of numbers once (see `fit` on `numpy.memmap`). Where the factory's own random numbers
    make the rows or their order, seed them inside. A fit that finds other labels, weights or
    numbers of rows than in the first epoch raises ValueError.

    Examples
    --------
    >>> import numpy as np, fastlogit
    >>> def batches():
    ...     for seed in range(20):
    ...         rng = np.random.default_rng(seed)
    ...         X = rng.normal(size=(100, 2))
    ...         yield X, X[:, 0] + rng.logistic(size=100) > 0
    >>> fastlogit.fit(fastlogit.BatchSource(batches), C=1.0).converged
    True
    """

    def __init__(self, factory: Factory) -> None:
        if not callable(factory):
            raise TypeError(
                "BatchSource takes a function that returns a new iterator of batches in each call, "
                f"got {type(factory).__name__}; for a list of them: BatchSource(lambda: batches)"
            )
        self.factory = factory


def first_look(
    X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike, clock: Clock | None = None,
    options: CategoryOptions | None = None,
) -> Looked:  # fmt: skip
    """Return what `fit` was given; a `BatchSource` as source of rows, with its labels and weights.

    Others see how far it is (`clock.activity`), and `clock` says when it must end. Categorical
    columns are read as `options` say, None refuses them.

    Raises
    ------
    TypeError, ValueError
        If y is missing or given twice, or there are no batches, or one of them has another number
        of columns, another kind of labels or values that are not finite.
    TimeoutError
        If the time limit passes before all batches were seen.
    KeyboardInterrupt
        After Ctrl-C; its ``result`` is None.
    """
    if not isinstance(X, BatchSource):
        if y is None:
            raise TypeError("y is missing; only the batches of a BatchSource bring labels along")
        return Looked(X, y, sample_weight)
    if y is not None:
        raise TypeError("y must be left out with a BatchSource, whose batches bring labels along")
    look = _FirstLook(options)
    activity().begin(look)
    try:
        if isinstance(X.factory, ParsedFactory):
            for n_rows in X.factory.prepare():
                look.n_parsed += n_rows
                _check_time(look, clock)
        batches = X.factory()
        for batch in epoch(batches, READING):
            _add(look, batch, clock)
    except KeyboardInterrupt:
        interrupt = KeyboardInterrupt(f"interrupted {look.where()}")
        interrupt.result = None  # type: ignore[attr-defined]
        raise interrupt from None
    finally:
        activity().end()
    rows, labels, weights = look.conclude(X.factory, batches)
    if weights is not None and sample_weight is not None:
        raise TypeError("sample_weight is given twice: leave it out, or leave it to the batches")
    sample_weight = sample_weight if weights is None else weights
    return Looked(rows, labels, sample_weight, look.categories)


def _add(look: _FirstLook, batch: Batch, clock: Clock | None) -> None:
    """Look at a batch; raise where it is wrong, or where there is no time for the next one."""
    try:
        look.add(batch)
    except (TypeError, ValueError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"batch {batch.number}: {error}") from None
    _check_time(look, clock)


def _check_time(look: _FirstLook, clock: Clock | None) -> None:
    if clock is not None and clock.is_late():
        raise TimeoutError(
            f"time_limit={clock.limit:g} s passed {look.where()}; raise time_limit, or write the "
            "rows once into a file of numbers that is read faster (see fit on numpy.memmap)"
        )


class _FirstLook:
    """Checks the batches of the first epoch; keeps labels, weights and what X is like."""

    # Of the epochs that are over, for those who watch.
    n_passes = 0.0

    def __init__(self, options: CategoryOptions | None) -> None:
        self._options = options
        # Of batches of frames with categorical columns, and what it comes to.
        self.levels: BatchLevels | None = None
        self.categories: Categories | None = None
        # Rows of text that are parsed, before the first batch.
        self.n_batches = self.n_samples = self.n_parsed = 0
        self.n_features: int | None = None
        self.dtype: DType = np.dtype(bool)
        self.names: list[str] | None = None
        self.weighted = False
        # Values that are stored in batches that are sparse; None where they are dense.
        self.n_values: int | None = None
        self.labels: list[Labels] = []
        self.weights: list[Vector] = []

    @property
    def phase(self) -> str:
        """What is being done, for those who watch."""
        return f"first look at the batches ({self._seen()} so far)"

    def _seen(self) -> str:
        if self.n_parsed and not self.n_batches:
            return f"{self.n_parsed:,} rows of text"
        return f"{self.n_batches:,} with {self.n_samples:,} rows"

    def where(self) -> str:
        """Say how far the look was, and that there is no result."""
        return (
            "during the first look at the batches of a BatchSource, which finds labels and number "
            f"of rows: {self._seen()} were seen, and there is no result yet"
        )

    def add(self, batch: Batch) -> None:
        """Look at a batch; one without rows says nothing."""
        self.n_batches += 1
        if is_empty(batch):
            return
        refuse_lazy("X", batch.X)
        names = validation.feature_names(batch.X)
        is_first = self.n_features is None
        if is_first and self._options is not None and has_categories(batch.X):
            assert names is not None  # of a frame
            self.levels = BatchLevels(batch.X, names, self._options)
        X = self._read(batch.X)
        n_rows, n_features = X.shape
        if is_first:
            self.n_features, self.names = n_features, names
            self.weighted = batch.weight is not None
        if n_features != self.n_features:
            raise ValueError(
                f"X has {n_features} columns, but batches before had {self.n_features}"
            )
        if names != self.names:
            raise ValueError(f"X has the columns {names}, but batches before had {self.names}")
        if self.levels is not None:
            dtype, n_values = self.levels.add(batch.X)
            self.n_values = n_values + (self.n_values or 0)
        else:
            dtype = X.dtype
            self._add_values(X, names, is_first)
        self.dtype = dtype if is_first else np.result_type(self.dtype, dtype)
        self._add_labels(batch.y, n_rows)
        self._add_weights(batch.weight, n_rows)
        self.n_samples += n_rows

    def _read(self, X: ArrayLike) -> Features | CompressedRows:
        """Return rows; of frames with categorical columns the frame, which its levels look at."""
        if self.levels is not None:
            if not is_frame(X):
                raise TypeError(
                    "batches before were data frames with categorical columns, and this one is a "
                    f"{type(X).__name__}; give frames of the same columns"
                )
            return X  # type: ignore[return-value]  # of which the shape alone is asked
        refuse_categories("a batch", X)
        sparse = _sparse_rows(X)
        return validation.check_features(X) if sparse is None else sparse

    def _add_values(
        self, X: Features | CompressedRows, names: list[str] | None, is_first: bool
    ) -> None:
        if is_first:
            self.n_values = 0 if isinstance(X, CompressedRows) else None
        if isinstance(X, CompressedRows) != (self.n_values is not None):
            kinds = ("dense", "sparse") if self.n_values is not None else ("sparse", "dense")
            raise TypeError(
                "X is {}, but batches before were {}; use one kind for all: X.toarray(), or "
                "scipy.sparse.csr_matrix(X)".format(*kinds)
            )
        if isinstance(X, CompressedRows):
            self.n_values = X.n_values + (self.n_values or 0)
            validation.refuse_not_finite(SparseDesign(X), names)
        else:
            validation.check_finite(X, names)

    def _add_labels(self, y: Labels, n_rows: int) -> None:
        if y.shape != (n_rows,):
            raise ValueError(f"y has shape {y.shape}, but X has {n_rows} rows")
        if self.labels and _is_another_kind(y, self.labels[0]):
            raise TypeError(
                f"y has dtype {y.dtype}, but batches before had {self.labels[0].dtype}; use one "
                "type of labels for all"
            )
        self.labels.append(y.copy())

    def _add_weights(self, weight: Vector | None, n_rows: int) -> None:
        if (weight is not None) != self.weighted:
            raise ValueError("either all batches have sample weights or none")
        if weight is None:
            return
        if weight.shape != (n_rows,):
            raise ValueError(f"sample_weight has shape {weight.shape}, but X has {n_rows} rows")
        self.weights.append(weight.copy())

    def conclude(
        self, factory: Factory, batches: Iterable[object]
    ) -> tuple[BatchRows, Labels, Vector | None]:
        """Return the rows as a source, their labels, and their weights or None."""
        if self.n_features is None:
            raise ValueError("BatchSource has no batches, or none with rows")
        labels = np.concatenate(self.labels)
        weights = np.concatenate(self.weights) if self.weights else None
        n_features, reading = self.n_features, READING
        if self.levels is not None:
            self.categories = found = self.levels.conclude()
            n_features = found.n_features
            reading = READING._replace(rows=functools.partial(rows_of_batch, categories=found))
        rows = BatchRows(
            factory, (self.n_samples, n_features), self.dtype, self.names, labels, weights, batches,
            reading, self.n_values,
        )  # fmt: skip
        return rows, labels, weights


def _is_another_kind(labels: Labels, first: Labels) -> bool:
    """Say whether labels are text, bytes or neither, and the first another; objects hold any."""
    if "O" in (labels.dtype.kind, first.dtype.kind):
        return False
    return validation.text_kind(labels.dtype) != validation.text_kind(first.dtype)
