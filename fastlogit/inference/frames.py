"""Tables as pandas data frames, or dicts where pandas is not installed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module

import numpy as np

from ..arrays import Array

__all__ = ["as_frame"]


def as_frame(
    columns: Mapping[str, Array], index: Sequence[object] | Array, index_name: str
) -> object:
    """Return columns as a pandas data frame with an index.

    Where pandas is not installed it is a dict of arrays, with the index under its name.
    """
    try:
        pd = import_module("pandas")
    except ModuleNotFoundError:
        return {index_name: np.asarray(index), **columns}
    return pd.DataFrame(dict(columns), index=pd.Index(index, name=index_name))
