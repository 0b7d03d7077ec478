"""Batches of Arrow -> blocks of NumPy: numbers, codes, labels, weights; nulls by the policy."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..arrays import Array, Features, Integers, Labels, Mask, Vector
from ..inputs.values import IMPUTE
from .groups import GroupKeys, folds_of_column
from .layout import LISTS, Layout, number_type
from .levels import MOST_VALUES, Levels
from .library import Foreign, arrow
from .place import Place
from .views import without_views

__all__ = ["NULLS", "Block", "Converter"]

NULLS = ("error", "drop")


class Block(NamedTuple):
    """Rows of a batch, as arrays; None for what the table has no columns for."""

    # (n_rows, n_numbers), C-ordered, and int32 (n_rows, n_coded), -1 for a missing category.
    numbers: Features | None
    codes: Integers | None
    # Codes of the labels, or the shares.
    target: Array | None
    weight: Vector | None
    offset: Vector | None
    clusters: Integers | None
    # What is hashed of each row's group, uint64, and the fold that it is in, int32.
    groups: Integers | None
    folds: Integers | None
    n_rows: int
    n_dropped: int


class Converter:
    """Makes blocks of batches, and remembers which values categorical columns have had.

    Parameters
    ----------
    layout : Layout
    nulls : {"error", "drop"}
    missing_categories : bool, default False
        Whether a missing category is a code of its own, -1, and no null: of models that take it.
    """

    def __init__(self, layout: Layout, nulls: str, *, missing_categories: bool = False) -> None:
        self.layout, self.nulls = layout, nulls
        self.labels, self.clusters, self._groups = Levels(), Levels(), GroupKeys()
        self.levels = [Levels() for _ in layout.coded]
        coded = {column.name for column in layout.coded}
        self._allowed = coded if missing_categories else set()
        # Where NaN is no number: others are an error of the fit, which names it.
        roles = layout.roles
        self._nan_too = {*coded, roles.target, roles.clusters, roles.groups}

    def block(self, batch: Foreign, place: Place) -> Block:
        """Return the rows of a batch.

        Raises
        ------
        ValueError
            If a value is null and nulls are errors, or a decimal is beyond float64.
        """
        batch, n_dropped = self._without_nulls(batch, place)
        layout, roles = self.layout, self.layout.roles
        return Block(
            self._numbers(batch) if layout.numbers else None,
            self._codes(batch) if layout.coded else None,
            self._target(batch),
            self._vector(batch, roles.sample_weight, "sample_weight"),
            self._vector(batch, roles.offset, "offset"),
            self._clusters(batch),
            None if roles.groups is None else self._groups.of(batch, roles.groups),
            None if roles.folds is None else folds_of_column(batch, roles.folds),
            batch.num_rows,
            n_dropped,
        )

    # ---- nulls

    def _without_nulls(self, batch: Foreign, place: Place) -> tuple[Foreign, int]:
        """Return the rows without a null or NaN, and how many are left out."""
        bad: Mask | None = None
        for name in self.layout.read:
            own = self._missing(batch[name], name)
            if own is None:
                continue
            if self.nulls == "error":
                row = int(np.argmax(own))
                what = "null" if _has_null(batch[name], row) else "NaN"
                of_role = name in {own for _, own in self.layout.roles.named()}
                advice = "" if of_role else f"{IMPUTE}, or "
                raise ValueError(
                    f"column {name!r} is {what} ({place.of(row)}); {advice}leave such rows out "
                    "with nulls='drop'"
                )
            bad = own if bad is None else bad | own
        if bad is None:
            return batch, 0
        kept = arrow().array(~bad)
        return without_views(batch).filter(kept), int(np.count_nonzero(bad))

    def _missing(self, column: Foreign, name: str) -> Mask | None:
        """Return which rows of a column have no value; None for none.

        NaN among numbers is an error of the fit, which names it, so that it is looked for to be
        dropped only. Among labels and categories it is no value.
        """
        if name in self._allowed:
            return None
        types, kind = arrow().types, column.type
        nan_too = self.nulls == "drop" or name in self._nan_too
        found = _without_value(column, nan_too)
        if types.is_dictionary(kind):
            entries = _without_value(column.dictionary, nan_too)
            if entries is not None:
                codes = np.asarray(column.indices.cast("int64").fill_null(-1))
                found = np.append(entries, True)[codes]
        elif types.is_fixed_size_list(kind):
            own = _missing_elements(column, nan_too)
            found = own if found is None else found | own if own is not None else found
        return found if found is None or found.any() else None

    # ---- values

    def _numbers(self, batch: Foreign) -> Features:
        layout = self.layout
        rows = np.empty((batch.num_rows, layout.n_numbers), layout.dtype)
        start = 0
        for plan in layout.numbers:
            stop = start + plan.width
            column = batch[plan.name]
            if plan.kind == LISTS:
                # Not `values`, which are those of the array that a slice was cut from.
                rows[:, start:stop] = _plain(column.flatten()).reshape(-1, plan.width)
            else:
                rows[:, start] = _plain(column)
            start = stop
        return rows

    def _codes(self, batch: Foreign) -> Integers:
        codes = np.empty((batch.num_rows, len(self.levels)), np.int32)
        for place, (plan, levels) in enumerate(zip(self.layout.coded, self.levels, strict=True)):
            codes[:, place] = levels.codes_of(batch[plan.name])
        return codes

    def _target(self, batch: Foreign) -> Array | None:
        name = self.layout.roles.target
        if name is None:
            return None
        if self.layout.shares:
            return self._vector(batch, name, "fractional target")
        codes = self.labels.codes_of(batch[name])
        if len(self.labels.values) > MOST_VALUES:
            raise ValueError(
                f"column {name!r} has more than {MOST_VALUES:,} different values, as in a "
                "regression; a classifier needs class labels"
            )
        return codes

    def _clusters(self, batch: Foreign) -> Integers | None:
        name = self.layout.roles.clusters
        return None if name is None else self.clusters.codes_of(batch[name])

    def _vector(self, batch: Foreign, name: str | None, role: str) -> Vector | None:
        if name is None:
            return None
        column = batch[name]
        if number_type(column.type) is None:
            raise TypeError(f"column {name!r} ({role}) has the type {column.type}, no numbers")
        found: Vector = _plain(column).astype(np.float64)
        return found

    # ---- what was learnt

    def classes(self) -> Labels:
        """Return the labels that have come, in the order in which they came."""
        values = self.labels.values
        # Of these NumPy makes float64, which is not exact there.
        large = any(isinstance(value, int) and value >= 2**63 for value in values)
        return np.array(values, np.uint64 if large else None)


def _plain(column: Foreign) -> Array:
    """Return an array of Arrow without nulls as NumPy's numbers."""
    types = arrow().types
    if types.is_decimal(column.type) or types.is_null(column.type):
        column = column.cast("float64")
    found: Array = column.to_numpy(zero_copy_only=False)
    return found


def _without_value(column: Foreign, nan_too: bool) -> Mask | None:
    """Return which entries of an array are null, or NaN if that is none either; None for none."""
    nan_too = nan_too and arrow().types.is_floating(column.type)
    if not nan_too and not column.null_count:
        return None
    found: Mask = column.is_null(nan_is_null=nan_too).to_numpy(zero_copy_only=False)
    return found if found.any() else None


def _has_null(column: Foreign, row: int) -> bool:
    """Say whether it is a null that is wrong in a row, or in a list there, and not a NaN."""
    value = column[row].as_py()
    return value is None or (isinstance(value, list) and None in value)


def _missing_elements(column: Foreign, nan_too: bool) -> Mask | None:
    """Return the rows of fixed-size lists of which an element is missing."""
    whole = column.is_valid().to_numpy(zero_copy_only=False)
    bad = _without_value(column.flatten(), nan_too)  # those of lists that are there
    if bad is None:
        return None
    found = np.zeros(len(column), dtype=bool)
    found[whole] = bad.reshape(-1, column.type.list_size).any(axis=1)
    return found
