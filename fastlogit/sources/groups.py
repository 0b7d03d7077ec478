"""Columns that say which rows stay together in a cross-validation, and which fold each is in."""

from __future__ import annotations

import numpy as np

from ..arrays import Array, Integers
from ..inputs.frames import level_of
from ..inputs.hashed_folds import MOST_FOLDS, keys_of_values
from .library import Foreign, arrow

__all__ = ["GroupKeys", "folds_of_column"]


class GroupKeys:
    """What is hashed of groups, from their values: no list of all groups is kept."""

    def __init__(self) -> None:
        # The last dictionary, and the key of each of its entries.
        self._dictionary: Foreign = None
        self._keys: Integers = np.empty(0, dtype=np.uint64)

    def of(self, batch: Foreign, name: str) -> Integers:
        """Return the keys of a batch without nulls and NaN, uint64."""
        column, types = batch[name], arrow().types
        if types.is_boolean(column.type) or types.is_integer(column.type):
            numbers: Array = column.to_numpy(zero_copy_only=False)
            signed = numbers.dtype.kind == "i"
            return numbers.astype(np.int64).view(np.uint64) if signed else numbers.astype(np.uint64)
        if not types.is_dictionary(column.type):
            column = column.dictionary_encode()
        if self._dictionary is None or not self._dictionary.equals(column.dictionary):
            self._dictionary = column.dictionary
            levels = [level_of(value) for value in column.dictionary.to_pylist()]
            self._keys = keys_of_values([0 if level is None else level for level in levels])
        found: Integers = self._keys[np.asarray(column.indices)]
        return found


def folds_of_column(batch: Foreign, name: str) -> Integers:
    """Return the folds that a column holds, int32.

    Raises
    ------
    TypeError, ValueError
        If they are no whole numbers from -1 on.
    """
    column, types = batch[name], arrow().types
    says = f"column {name!r} (folds) must hold the fold of each row, whole numbers from 0 on, or -1"
    if not (types.is_integer(column.type) or types.is_floating(column.type)):
        raise TypeError(f"{says}; it has the type {column.type}; give groups= for other values")
    numbers: Array = column.to_numpy(zero_copy_only=False)
    good = (numbers >= -1) & (numbers < MOST_FOLDS) & (numbers == np.floor(numbers))
    if not good.all():
        raise ValueError(f"{says}, below {MOST_FOLDS:,}; found {numbers[~good][0]}")
    return numbers.astype(np.int32)
