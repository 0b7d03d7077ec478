"""Data -> the rows of a formula: what is missing is found, counted, and dropped or refused."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from ..arrays import Array, ArrayLike, Vector
from ..inputs.conversion import as_numbers
from .columns import columns_of, is_missing, names_of, size_of, take
from .factors import State, Values, compute
from .parsing import Expression

__all__ = ["Used", "beside", "numbers_beside", "used_rows"]

MISSING = ("drop", "error")


class Used(NamedTuple):
    """Rows that lack nothing, with the factors computed for them."""

    # Of the data, rising, and how many rows these have.
    rows: Array
    n_rows: int
    values: dict[str, Values]
    # Of each column or factor, in how many rows it lacks a value; where it does.
    lacking: dict[str, int]

    @property
    def n_dropped(self) -> int:
        """Rows that are left out because something is missing."""
        return self.n_rows - len(self.rows)


def used_rows(
    data: ArrayLike, columns: Sequence[str], expressions: Sequence[Expression], state: State,
    others: Mapping[str, Array], missing: str, *, fitting: bool,
) -> Used:  # fmt: skip
    """Return the rows that lack nothing.

    Columns that lack a value are looked at before anything is computed, so that means and knots are
    those of the rows of the fit; rows where a function gives NaN are left out after it.

    Parameters
    ----------
    data : frame or mapping
    columns : sequence of str
        What the expressions name.
    expressions : sequence of Expression
    state : State
    others : mapping of str to ndarray of shape (n_rows,)
        What stands beside the rows, as weights.
    missing : {"drop", "error"} of a fit, {"nan", "error"} of predictions

    Raises
    ------
    ValueError
        If a value is missing and `missing` is "error", or no row is complete.
    """
    n_rows = size_of(data)
    found = columns_of(data, columns)
    masks = {name: is_missing(column) for name, column in found.items()}
    masks |= {name: _is_nan(values) for name, values in others.items()}
    complete = ~np.any([np.zeros(n_rows, dtype=bool), *masks.values()], axis=0)
    lacking = {name: int(mask.sum()) for name, mask in masks.items() if mask.any()}
    if missing == "error" and lacking:
        raise _refused(masks, next(iter(lacking)), n_rows - int(complete.sum()), fitting)
    rows = np.flatnonzero(complete)
    if not len(rows):
        raise ValueError(f"no row is complete: values are missing in {_counts(lacking)}")
    kept = {name: take(column, rows) for name, column in found.items()}
    values = {each.text: compute(each, kept, state, len(rows)) for each in expressions}
    lacked = {text: own.lacking() for text, own in values.items()}
    made = {text: mask for text, mask in lacked.items() if mask.any()}
    if made:
        first = next(iter(made))
        bad = np.any(list(made.values()), axis=0)
        if missing == "error":
            raise _refused(made, first, int(bad.sum()), fitting)
        counts = {text: int(mask.sum()) for text, mask in made.items()}
        if bad.all():
            raise ValueError(f"no row is left: functions give NaN, {_counts(counts)}")
        if missing == "drop":
            warnings.warn(
                f"{int(bad.sum()):,} rows are dropped where the data lack nothing but functions "
                f"give NaN: {_counts(counts)}",
                stacklevel=5,
            )
        rows, lacking = rows[~bad], lacking | counts
        values = {text: own.take(~bad) for text, own in values.items()}
    return Used(rows, n_rows, values, lacking)


def _is_nan(values: Array) -> Array:
    if values.dtype.kind == "f":
        return np.isnan(values)
    if values.dtype.kind == "O":
        return np.array([each is None or each != each for each in values])
    return np.zeros(len(values), dtype=bool)


def _refused(masks: Mapping[str, Array], first: str, n_rows: int, fitting: bool) -> ValueError:
    row = int(np.argmax(masks[first]))
    how = (
        "leave such rows out with missing='drop', which counts them"
        if fitting
        else "take missing='nan' for probabilities that are NaN there"
    )
    return ValueError(
        f"{n_rows:,} rows lack a value, the first of {first} in row {row}; fill them in, or {how}"
    )


def _counts(lacking: Mapping[str, int]) -> str:
    return ", ".join(f"{name} ({count:,} rows)" for name, count in lacking.items())


def beside(name: str, given: ArrayLike, data: ArrayLike) -> Array | None:
    """Return what stands beside the rows: the values of a column, where it is named, or an array.

    Raises
    ------
    ValueError
        If it has another length than the data.
    """
    if given is None:
        return None
    n_rows = size_of(data)
    if isinstance(given, str):
        if given not in names_of(data):
            raise ValueError(f"{name} is {given!r}, which is no column of data")
        return np.asarray(columns_of(data, [given])[given])
    values = np.asarray(given)
    if values.shape[:1] != (n_rows,):
        raise ValueError(
            f"{name} has shape {values.shape}, but data have {n_rows} rows (those that lack a "
            "value included)"
        )
    return values


def numbers_beside(name: str, given: ArrayLike, data: ArrayLike) -> Vector | None:
    """Return the same as numbers; NaN where one is missing."""
    found = beside(name, given, data)
    if found is None:
        return None
    if found.dtype.kind == "O":
        found = np.array([np.nan if each is None else each for each in found])
    if found.ndim != 1:
        raise ValueError(f"{name} must have one number for each row, got shape {found.shape}")
    return np.asarray(as_numbers(name, found), dtype=np.float64)
