"""Ordered classes, as users hand them in, as codes from the lowest to the highest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, cast

import numpy as np

from ..arrays import ArrayLike, Integers, Labels
from ..inputs.conversion import show
from ..inputs.validation import encode_labels

__all__ = ["ordered_codes"]


class Categorical(Protocol):
    """What is asked of a pandas Categorical: codes, -1 for missing values, and categories."""

    codes: Integers
    categories: ArrayLike
    ordered: bool


def ordered_codes(
    y: ArrayLike, n_samples: int, order: Sequence[object] | None
) -> tuple[Labels, Integers]:
    """Return the classes in their order, and the place of each row's.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
    n_samples : int
    order : sequence or None
        All labels from the lowest to the highest.

    Raises
    ------
    TypeError, ValueError
        If labels are missing, there are too few or too many, or their order is not known.
    """
    categorical = getattr(y, "cat", y)
    declared = getattr(categorical, "categories", None)
    if declared is not None and hasattr(categorical, "codes"):
        return _of_categories(cast("Categorical", categorical), n_samples, order)
    labels, codes = encode_labels(y, n_samples)
    order = _order_of_enum(y) if order is None else order
    if order is not None:
        return _in_order(labels, codes.astype(np.intp), order)
    if labels.dtype.kind not in "fbiu":
        raise ValueError(
            f"y holds text ({', '.join(map(str, labels[:3].tolist()))}), whose order is not known: "
            "give order=[...] from the lowest label to the highest, or an ordered Categorical "
            "(polars: an Enum)"
        )
    return labels, codes.astype(np.intp)


def _order_of_enum(y: ArrayLike) -> Sequence[object] | None:
    """Return the categories of an Enum of polars, which have an order; None of other labels."""
    dtype = getattr(y, "dtype", None)
    kind = type(dtype)
    if kind.__name__ != "Enum" or not kind.__module__.startswith("polars."):
        return None
    return list(cast("Sequence[object]", cast("Categorical", dtype).categories))


def _of_categories(
    y: Categorical, n_samples: int, order: Sequence[object] | None
) -> tuple[Labels, Integers]:
    """Return the same of a pandas Categorical."""
    codes = np.asarray(y.codes, dtype=np.intp)
    labels = np.asarray(y.categories)
    if codes.size != n_samples:
        raise ValueError(f"y has {codes.size} values, but X has {n_samples} rows")
    if (codes < 0).any():
        row = int(np.argmax(codes < 0))
        raise ValueError(f"y is missing in row {row}; drop such rows first")
    if order is not None:
        return _in_order(labels, codes, order)
    if not y.ordered:
        raise ValueError(
            "y is a Categorical whose categories have no order: give order=[...] from the lowest "
            "to the highest, or make it ordered (y.cat.as_ordered())"
        )
    return labels, codes


def _in_order(labels: Labels, codes: Integers, order: Sequence[object]) -> tuple[Labels, Integers]:
    """Return labels in the order that was given, and codes for them."""
    if isinstance(order, str):
        raise TypeError(f"order must be a sequence of labels, got the text {order!r}")
    wanted = list(order)
    if len(set(wanted)) < len(wanted):
        raise ValueError(f"order names a label twice: {wanted}")
    places = np.empty(len(labels), dtype=np.intp)
    for place, label in enumerate(labels.tolist()):
        if label not in wanted:
            row = codes == place
            if not row.any():
                places[place] = 0
                continue
            raise ValueError(
                f"y contains {show(label)} (row {int(np.argmax(row))}), which is not in "
                f"order={wanted}"
            )
        places[place] = wanted.index(label)
    classes: Labels = np.array(wanted)
    return classes, places[codes]
