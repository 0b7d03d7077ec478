"""Columns of tables by their names as text: of pandas, polars, pyarrow, and of dask's frames."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..inputs.column_names import columns_of
from ..inputs.conversion import refuse_twice
from .rounds import Table

__all__ = ["chosen", "labels_of"]


def labels_of(X: Table) -> dict[str, Any] | None:
    """Return the columns' own names by their text, as numbers of pandas; None of what has none.

    Raises
    ------
    ValueError
        If two columns have one name.
    """
    labels = columns_of(X)
    if labels is None:
        return None
    own = list(labels)
    names = [str(label) for label in own]
    refuse_twice(names)
    return dict(zip(names, own, strict=True))


def chosen(X: Table, names: Iterable[str], labels: dict[str, Any]) -> Table:
    """Return a table of some columns, in this order; the table itself where they are all."""
    wanted = list(names)
    if wanted == list(labels):
        return X
    own = [labels[name] for name in wanted]
    return X.select(own) if hasattr(X, "column_names") or hasattr(X, "to_pylist") else X[own]
