"""The left side of a formula: the class of each row, and which is modelled."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..arrays import Integers, Labels
from .factors import Values

__all__ = ["Response", "response_of"]


class Response(NamedTuple):
    """The classes of the rows."""

    name: str
    # As they are declared, else sorted: of two the second is modelled, of more the first is the
    # reference.
    classes: Labels
    # (n_rows,): places in `classes`.
    codes: Integers


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
        if len(values.columns) > 1:
            raise ValueError(f"the response {name} has {len(values.columns)} columns; it has one")
        numbers = next(iter(values.columns.values()))
        classes, codes = np.unique(numbers, return_inverse=True)
        is_whole = bool((classes == np.floor(classes)).all())
        if len(classes) > 2 and not is_whole:
            raise ValueError(
                f"the response {name} has {len(classes):,} different values that are not whole "
                "numbers, as in a regression; a logit needs classes"
            )
        if is_whole and np.abs(classes).max() < 2.0**53:
            classes = classes.astype(np.int64)
    if len(classes) < 2:
        raise ValueError(
            f"the response {name} has one class only ({classes[0]!s}) in the rows of the fit; "
            "a logit needs two"
        )
    return Response(name, classes, codes)
