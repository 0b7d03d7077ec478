"""Names of the columns of frames."""

from __future__ import annotations

from collections.abc import Sequence

from ..arrays import ArrayLike
from .column_types import Foreign

__all__ = [
    "columns_of",
    "differing_names",
    "feature_names",
    "listed",
    "names_and_text_names",
    "text_names",
]


def feature_names(X: ArrayLike) -> list[str] | None:
    """Return the column names of a data frame as text, or None."""
    columns = columns_of(X)
    return None if columns is None else [str(name) for name in columns]


def text_names(X: ArrayLike) -> list[str] | None:
    """Return the column names where all are text, else None: the rule of scikit-learn."""
    return names_and_text_names(X)[1]


def names_and_text_names(X: ArrayLike) -> tuple[list[str] | None, list[str] | None]:
    """Return `feature_names` and `text_names`; pandas takes 1 us to tell a name."""
    columns = columns_of(X)
    if columns is None:
        return None, None
    given = list(columns)
    names = [str(name) for name in given]
    return names, names if given and all(isinstance(name, str) for name in given) else None


def columns_of(X: ArrayLike) -> Foreign:
    """Return the names of the columns of a frame, as they are; None of what has none."""
    # A pyarrow table's columns are the data themselves; a record batch's names are in its schema.
    columns = getattr(X, "column_names", getattr(X, "columns", None))
    if columns is None or callable(columns) or hasattr(columns, "inverse_scale"):
        return None  # those of a design are its units
    names = getattr(getattr(X, "schema", None), "names", None)
    return names if callable(getattr(X, "to_pylist", None)) and names is not None else columns


def differing_names(found: Sequence[str], expected: Sequence[str]) -> str:
    """Say how the columns of X differ from those of the fit; empty if they do not."""
    if list(found) == list(expected):
        return ""
    missing = [name for name in expected if name not in set(found)]
    more = [name for name in found if name not in set(expected)]
    parts = [f"lacks {listed(missing)}"] * bool(missing)
    parts += [f"has {listed(more)} beside them"] * bool(more)
    if parts:
        return f"X must have the columns of the fit, in that order: it {' and '.join(parts)}"
    if len(found) != len(expected):
        return f"X has {len(found)} columns, some twice, but the fit had {len(expected)}"
    place = next(i for i, name in enumerate(expected) if found[i] != name)
    return (
        f"X has the columns of the fit in another order: column {place} is {found[place]!r}, but "
        f"was {expected[place]!r}; sort them first"
    )


def listed(names: Sequence[str]) -> str:
    """Return names as messages list them, the first five."""
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(repr(name) for name in names[:5]) + more
