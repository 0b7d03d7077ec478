"""`HashKFold`: folds by a hash of the row's number, or of its group."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np
from sklearn.model_selection import BaseCrossValidator
from sklearn.utils.validation import _num_samples

from ..arrays import Array, ArrayLike, Integers, Masks
from ..inputs.conversion import as_labels
from ..inputs.hashed_folds import check_folds, folds_of_keys, folds_of_rows, keys_of_values

__all__ = ["HashKFold"]


class HashKFold(BaseCrossValidator):  # type: ignore[misc]  # without types
    """Folds by a hash: those of a row do not depend on the other rows, on machines or on threads.

    For tables of any size: nothing is drawn, sorted or kept, and the fold of a row is the same
    wherever it lies, in a file, a partition or in memory. Rows of one group have the same fold.
    Folds are as large as draws make them, to within some ``sqrt(n_samples / n_splits)`` rows, or as
    the groups have it; few groups may leave a fold empty, which is an error.

    Parameters
    ----------
    n_splits : int >= 2, default 5
    seed : int >= 0, default 0
        Other seeds are other folds.

    Notes
    -----
    With SplitMix64's constants (Steele, Lea and Flood, 2014), in whole numbers of 64 bits that wrap
    around::

        mix(z): z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9
                z = (z ^ (z >> 27)) * 0x94D049BB133111EB
                return z ^ (z >> 31)
        hash = mix(mix(seed + G) + (key + 1) * G),  G = 0x9E3779B97F4A7C15
        fold = ((hash >> 32) * n_splits) >> 32

    The key is the number of the row, from 0, among those that the fit uses; or the group's value
    where it is a whole number; the first 8 bytes, little-endian, of ``BLAKE2b(text,
    digest_size=8)`` of its UTF-8 where it is text; the bits of the float64 of other numbers.

    Examples
    --------
    >>> import numpy as np
    >>> from fastlogit import HashKFold
    >>> [test.tolist() for _, test in HashKFold(3).split(np.zeros((8, 1)))]
    [[5, 7], [0, 2, 3], [1, 4, 6]]
    """

    __metadata_request__split: ClassVar[dict[str, object]] = {"groups": True}

    def __init__(self, n_splits: int = 5, *, seed: int = 0) -> None:
        check_folds(n_splits, seed)
        self.n_splits, self.seed = n_splits, seed

    def get_n_splits(
        self, X: ArrayLike = None, y: ArrayLike = None, groups: ArrayLike = None
    ) -> int:
        """Return the number of folds.

        Parameters
        ----------
        X, y, groups : object
            Ignored.

        Returns
        -------
        int
        """
        return self.n_splits

    def folds(self, n_samples: int, groups: ArrayLike = None) -> Integers:
        """Return the fold of each row.

        Parameters
        ----------
        n_samples : int
        groups : array-like of shape (n_samples,), optional

        Returns
        -------
        ndarray of shape (n_samples,), uint16

        Raises
        ------
        ValueError
            If a fold has no row, or the groups are not as many as the rows.
        """
        if groups is None:
            found = folds_of_rows(0, n_samples, self.n_splits, self.seed)
        else:
            found = folds_of_keys(_keys_of(groups, n_samples), self.n_splits, self.seed)
        counts = np.bincount(found, minlength=self.n_splits)
        if not counts.all():
            what = f"{n_samples:,} rows" if groups is None else "the groups"
            raise ValueError(
                f"fold {int(np.argmin(counts))} of {self.n_splits} has no row: {what} are few; use "
                "fewer folds, another seed, or a column that holds folds"
            )
        return found

    def _iter_test_masks(
        self, X: ArrayLike = None, y: ArrayLike = None, groups: ArrayLike = None
    ) -> Iterator[Masks]:
        folds = self.folds(_num_samples(X), groups)
        for fold in range(self.n_splits):
            yield folds == fold


def _keys_of(groups: ArrayLike, n_samples: int) -> Integers:
    """Return what is hashed of each row's group."""
    values: Array = as_labels(groups)
    if values.shape != (n_samples,):
        raise ValueError(f"groups has shape {values.shape}, but there are {n_samples:,} rows")
    if values.dtype == np.uint64:  # keys of a source are their own
        return values
    distinct, places = np.unique(values, return_inverse=True)
    return keys_of_values(distinct.tolist())[places]
