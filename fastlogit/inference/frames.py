"""Tables as pandas data frames, or dicts where pandas is not installed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

import numpy as np

from ..arrays import Array

__all__ = ["as_frame"]


def as_frame(
    columns: Mapping[Any, Array],
    index: Sequence[object] | Array | None = None,
    index_name: str = "term",
) -> object:
    """Return columns as a pandas data frame, with an index where one is given.

    Where pandas is not installed it is a dict of arrays, with the index under its name.
    """
    try:
        pd = import_module("pandas")
    except ModuleNotFoundError:
        if index is None:
            return dict(columns)
        own = index if isinstance(index, np.ndarray) else np.array(index, dtype=object)
        return {index_name: own, **columns}
    return pd.DataFrame(
        dict(columns), index=None if index is None else pd.Index(index, name=index_name)
    )
