"""Ordered classes, as users hand them in, as codes from the lowest to the highest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Protocol, cast

import numpy as np

from ..arrays import ArrayLike, Integers, Labels
from ..inputs.validation import encode_labels
from ..inputs.values import show

__all__ = ["ordered_codes"]

# Labels that a message lists.
LISTED = 10


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
        All labels from the lowest to the highest, each once.

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
    declared = _order_of_enum(y)
    if order is not None or declared is not None:
        return _in_order(labels, codes.astype(np.intp), order, declared or ())
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
        used = np.flatnonzero(np.bincount(codes, minlength=len(labels)))
        places = np.searchsorted(used, codes)
        return _in_order(labels[used], places, order, labels.tolist())
    if not y.ordered:
        raise ValueError(
            "y is a Categorical whose categories have no order: give order=[...] from the lowest "
            "to the highest, or make it ordered (y.cat.as_ordered())"
        )
    return labels, codes


def _in_order(
    labels: Labels, codes: Integers, order: Sequence[object] | None, declared: Sequence[object]
) -> tuple[Labels, Integers]:
    """Return labels in the order that was given, or that of what is declared, and codes for them.

    `declared` are categories of y, also those that no row has.

    Raises
    ------
    TypeError, ValueError
        If the order does not name each label once, and nothing else but categories.
    """
    order = declared if order is None else order
    if isinstance(order, str | bytes | Set | Mapping) or not isinstance(order, Iterable):
        raise TypeError(
            "order must be a sequence of labels, from the lowest to the highest, got "
            f"{order!r} ({type(order).__name__})"
        )
    wanted, known = [_plain(label) for label in order], labels.tolist()
    keys, own, others = (list(map(_key, some)) for some in (wanted, known, declared))
    faults = {
        "leaves out": [label for label, key in zip(known, own, strict=True) if key not in keys],
        "names twice": [label for n, label in enumerate(wanted) if keys[n] in keys[:n]],
        "names what y has not,": [
            label for label, key in zip(wanted, keys, strict=True) if key not in own + others
        ],
    }
    said = [f"{what} {_listed(some)}" for what, some in faults.items() if some]
    if said:
        raise ValueError(
            "order must name each label of y once, from the lowest to the highest: it "
            f"{'; it '.join(said)}. The labels are {_listed(known)}"
        )
    places = [own.index(key) for key in keys if key in own]
    turned = np.empty(len(known), dtype=np.intp)
    turned[places] = np.arange(len(known))
    return labels[places], turned[codes]


def _listed(labels: Sequence[object]) -> str:
    return ", ".join(map(show, labels[:LISTED])) + " ..." * (len(labels) > LISTED)


def _plain(label: object) -> object:
    """Return a label as Python has it, not NumPy."""
    return label.item() if isinstance(label, np.generic) else label


def _key(label: object) -> tuple[bool, object]:
    """Return what labels are the same by: True is not 1."""
    try:
        hash(label)
    except TypeError:
        raise TypeError(
            f"order has {label!r} ({type(label).__name__}), which is no label"
        ) from None
    return isinstance(label, bool), label
