"""Columns made of what they store: as a design of their own, and for sweeps over columns.

Categorical columns are read as codes, whatever their levels. A few of the levels as columns, and
L1, which sweeps over columns, take a copy of where each level stands: 12 bytes for a code and row,
made where it is asked for.
"""

from __future__ import annotations

from abc import abstractmethod

import numpy as np

from ..arrays import Indices, Vector
from ..kernels.column_descent import SomeColumns
from .base import Columns, CounterElsewhere, Design, readonly
from .compressed import CompressedRows
from .dense import DenseDesign
from .sparse import SparseDesign
from .weighed import Weighed

__all__ = ["GivesStored", "design_of", "of_numbers"]

# Up to this share of the values is worth its places.
SPARSE = 0.2
# With fewer columns a Gram matrix of them takes less than sweeps: 300,000 x 229 at C=1, where all
# have a coefficient, 0.7 s where sweeps take 5.5.
MANY = 1000


class GivesStored(Design):
    """A design whose columns store little: it gives them as sparse rows give theirs."""

    _copied: SparseDesign | None = None

    @property
    @abstractmethod
    def stored_share(self) -> float:
        """Share of the values that are no zeros of a categorical or sparse column."""

    def gives_columns(self, count: int) -> bool:
        """Say whether so many of `some_columns` can be had, for the price of their values."""
        return self.shape[1] > MANY and self.stored_share <= SPARSE

    def some_columns(self, indices: Indices) -> tuple[SomeColumns, Vector]:
        """Return some scaled columns for kernels, and what their centres are on that scale."""
        return self._copy().some_columns(indices)

    def weighed_columns(self, indices: Indices, weights: Vector) -> Weighed | None:
        """Return some columns as sweeps over sparse ones take them."""
        return self._copy().weighed_columns(indices, weights)

    def _copy(self) -> SparseDesign:
        """Return all columns as sparse rows: made once."""
        if self._copied is None:
            copied = self.columns_of(np.arange(self.shape[1]))
            assert isinstance(copied, SparseDesign)  # so little is stored
            self._copied = copied
        return self._copied


def design_of(
    design: Design, indices: Indices, stored: CompressedRows, center: Vector | None = None
) -> Design:
    """Return a design over some columns of one, each a row of `stored`; one pass.

    Sparse, or an array where what is stored is no small part. `center` is what centring is still
    to take off where it is sparse, by default that of the design.
    """
    design.counter.rows += design.shape[0]
    counter = CounterElsewhere(design.counter)
    own_center, inverse_scale = (readonly(part[indices]) for part in design.columns)
    if stored.n_values > SPARSE * stored.shape[0] * stored.shape[1]:
        copied = np.empty(stored.shape[::-1])
        for place, index in enumerate(indices):
            copied[:, place] = design.column(int(index))
        columns = Columns(own_center, inverse_scale)
        return DenseDesign(copied, n_threads=design.n_threads, columns=columns, counter=counter)
    columns = Columns(own_center if center is None else readonly(center), inverse_scale)
    return SparseDesign(
        stored.transposed(), n_threads=design.n_threads, columns=columns, counter=counter
    )


def of_numbers(design: DenseDesign, indices: Indices) -> CompressedRows:
    """Return columns of an array, less their centres, each as a row that stores all of it."""
    n_samples, n_columns = design.shape[0], len(indices)
    data = np.empty((n_columns, n_samples))
    with np.errstate(over="ignore", invalid="ignore"):
        for place, index in enumerate(indices):
            np.subtract(design.column(int(index)), design.columns.center[index], out=data[place])
    ends = n_samples * np.arange(1, n_columns + 1)
    rows = np.tile(np.arange(n_samples, dtype=np.int32), n_columns)
    return CompressedRows(
        readonly(data.reshape(-1)), readonly(rows), readonly(ends - n_samples), readonly(ends),
        (n_columns, n_samples),
    )  # fmt: skip
