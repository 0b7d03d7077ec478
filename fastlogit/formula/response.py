"""The left side of a formula: the class of each row, and which is modelled."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..arrays import Array, Integers, Labels, Vector
from .factors import Values

__all__ = ["Response", "response_of", "shares_of"]


class Response(NamedTuple):
    """The classes of the rows."""

    name: str
    # As they are declared, else sorted: of two the second is modelled, of more the first is the
    # reference.
    classes: Labels
    # (n_rows,): places in `classes`.
    codes: Integers | Vector
    # Whether `codes` are shares of the second class.
    is_fractional: bool = False


def shares_of(name: str, values: Values) -> Response:
    """Return shares from 0 to 1, which `fit` looks at.

    Raises
    ------
    TypeError, ValueError
        If they are levels, or several columns.
    """
    if values.columns is None:
        raise TypeError(
            f"fractional=True takes shares from 0 to 1, and the response {name} has levels; leave "
            "fractional out for classes"
        )
    shares = _only_column(name, values.columns).astype(np.float64)
    return Response(name, np.array([0.0, 1.0]), shares, is_fractional=True)


def _only_column(name: str, columns: dict[str, Array]) -> Array:
    if len(columns) > 1:
        raise ValueError(f"the response {name} has {len(columns)} columns; it has one")
    return next(iter(columns.values()))


def response_of(name: str, values: Values) -> Response:
    """Return the classes of rows.

    Raises
    ------
    ValueError
        If there is one class only, or numbers that are no classes.
    """
    if values.columns is None:
        assert values.codes is not None  # of levels
        used = np.flatnonzero(np.bincount(values.codes, minlength=len(values.levels)))
        classes = np.array([values.levels[place] for place in used])
        codes = np.searchsorted(used, values.codes)
    else:
        numbers = _only_column(name, values.columns)
        classes, codes = np.unique(numbers, return_inverse=True)
        is_whole = bool((classes == np.floor(classes)).all())
        if len(classes) > 2 and not is_whole:
            raise ValueError(
                f"the response {name} has {len(classes):,} different values that are not whole "
                "numbers, as in a regression; a logit needs classes, or shares with fractional=True"
            )
        if is_whole and np.abs(classes).max() < 2.0**53:
            classes = classes.astype(np.int64)
    if len(classes) < 2:
        raise ValueError(
            f"the response {name} has one class only ({classes[0]!s}) in the rows of the fit; "
            "a logit needs two"
        )
    return Response(name, classes, codes)
