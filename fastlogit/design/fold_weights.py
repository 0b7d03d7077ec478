"""Weights of rows in the folds of a cross-validation, made where they are asked for.

As an array they take 8 bytes for each row and fold, which is more than rows on disk leave room for.
"""

from __future__ import annotations

from typing import overload

import numpy as np

from ..arrays import Array, DType, Indices, Integers, Matrix, Vector

__all__ = ["FoldWeights"]

# Weights of so many rows are made at a time where all are asked for.
PART = 2**18


class FoldWeights:
    """What an array of shape (n_folds * n_sets, n_samples) would hold, to who reads parts of it.

    Set k of fold f, ``f * n_sets + k``, has the weights of set k, and 0 for the rows of the fold.

    Parameters
    ----------
    numbers : ndarray of shape (n_samples,)
        The fold that leaves each row out; n_folds for none.
    n_folds : int
    sets : ndarray of shape (n_sets, n_samples) or (0, n_samples), optional
        Weights of the rows; none means 1 each.
    """

    ndim = 2
    dtype = np.dtype(np.float64)

    def __init__(self, numbers: Integers, n_folds: int, sets: Matrix | None = None) -> None:
        self.numbers, self.n_folds = numbers, n_folds
        self._sets = np.empty((0, len(numbers))) if sets is None else sets
        self._n_sets = max(1, len(self._sets))
        self.shape = (n_folds * self._n_sets, len(numbers))
        self.size = self.shape[0] * self.shape[1]

    def times(self, sets: Matrix) -> FoldWeights:
        """Return the same times weights of the rows, (n_sets, n_samples); none means 1 each."""
        return FoldWeights(self.numbers, self.n_folds, sets)

    def __len__(self) -> int:
        """Return the number of sets, those of each fold one after the other."""
        return self.shape[0]

    def __array__(self, dtype: DType | None = None, copy: bool | None = None) -> Array:
        """Return the array."""
        return np.asarray(self[:, :], dtype=dtype)

    @overload
    def __getitem__(self, key: int) -> Vector: ...

    @overload
    def __getitem__(self, key: Indices | tuple[slice, slice | Indices]) -> Matrix: ...

    def __getitem__(self, key: int | Indices | tuple[slice, slice | Indices]) -> Vector | Matrix:
        """Return a set, some of them, or some rows of all."""
        if isinstance(key, tuple):
            some, rows = key
            return np.stack([self._part(each, rows) for each in np.arange(len(self))[some]])
        if isinstance(key, int | np.integer):
            return self._part(int(key), slice(None))
        return np.stack([self._part(int(each), slice(None)) for each in key])

    def _part(self, number: int, rows: slice | Indices) -> Vector:
        fold, place = divmod(number, self._n_sets)
        kept = self.numbers[rows] != fold
        return kept * self._sets[place, rows] if len(self._sets) else kept.astype(np.float64)

    def sum(self, axis: int) -> Vector:
        """Return the weight of each set."""
        assert axis == 1
        return np.array([self[number].sum() for number in range(len(self))])

    def max(self, axis: int) -> Vector:
        """Return the largest weight of each row."""
        assert axis == 0
        largest = np.zeros(self.shape[1])
        for number in range(len(self)):
            np.maximum(largest, self[number], out=largest)
        return largest

    def mean(self, axis: int) -> Vector:
        """Return the mean weight of each row over all sets."""
        assert axis == 0
        return self.together().mean(axis=0)

    def together(self) -> Matrix:
        """Return the mean of each row's weights over the folds, (n_sets, n_samples)."""
        share = np.where(self.numbers < self.n_folds, (self.n_folds - 1.0) / self.n_folds, 1.0)
        return share * self._sets if len(self._sets) else share[None]
