"""What results that are tables of fits share: data frames, and counts of how fits ended."""

from __future__ import annotations

import importlib
from enum import IntEnum
from typing import Any

import numpy as np

from ..arrays import Integers
from ..options import check_option

__all__ = ["counts_of", "frame_of"]

FRAMES = ("pandas", "polars", "pyarrow")


def frame_of(library: str, columns: dict[str, Any]) -> Any:
    """Return a data frame of these columns, made by the library that is named."""
    check_option("library", library, FRAMES)
    try:
        module = importlib.import_module(library)
    except ImportError:
        raise ImportError(
            f"to_frame({library!r}) needs {library}, which is not installed"
        ) from None
    return (module.table if library == "pyarrow" else module.DataFrame)(columns)


def counts_of(status: Integers, kinds: type[IntEnum]) -> list[str]:
    """Say how many fits ended in which way; each kind has a `text`."""
    counts = np.bincount(status.ravel(), minlength=len(kinds))
    return [f"{counts[each]:,} {each.text}" for each in kinds if counts[each]]  # type: ignore[attr-defined]
