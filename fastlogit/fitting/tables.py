"""What results that are tables of fits share: data frames, and counts of how fits ended."""

from __future__ import annotations

import importlib
from datetime import date, time, timedelta
from decimal import Decimal
from enum import IntEnum
from html import escape
from typing import Any

import numpy as np

from ..arrays import Array, Integers
from ..options import check_option

__all__ = ["counts_of", "frame_of", "html_of"]

FRAMES = ("pandas", "polars", "pyarrow")
# A notebook shows so many rows.
SHOWN = 20
# What Arrow has a type for, of objects that are all of one.
ARROW = (bool, int, float, str, bytes, Decimal, date, time, timedelta)


def frame_of(library: str, columns: dict[str, Any]) -> Any:
    """Return a data frame of these columns, made by the library that is named."""
    check_option("library", library, FRAMES)
    try:
        module = importlib.import_module(library)
    except ImportError:
        raise ImportError(
            f"to_frame({library!r}) needs {library}, which is not installed"
        ) from None
    if library != "pandas":
        columns = {name: _storable(values) for name, values in columns.items()}
    return (module.table if library == "pyarrow" else module.DataFrame)(columns)


def _storable(values: list[Any] | Array) -> list[Any] | Array:
    """Return a column as Arrow has it: dates in units that it knows, text for other objects."""
    if isinstance(values, list):
        kinds = {type(value) for value in values}
        has_type = len(kinds) == 1 and issubclass(next(iter(kinds)), ARROW)
        return values if has_type else [str(value) for value in values]
    kind = values.dtype.kind
    if kind not in "mM" or np.datetime_data(values.dtype)[0] in ("ms", "us", "ns"):
        return values
    if kind == "M":
        days = np.datetime_data(values.dtype)[0] in ("Y", "M", "W", "D")
        return values.astype("M8[D]" if days else "M8[ms]")
    is_calendar = np.datetime_data(values.dtype)[0] in ("Y", "M", "generic")
    return values.astype(str) if is_calendar else values.astype("m8[ms]")


def html_of(columns: dict[str, Any]) -> str:
    """Return a table of these columns for notebooks: its first rows, and how many are left."""
    rows = list(zip(*columns.values(), strict=True))
    head = "".join(f"<th>{escape(name)}</th>" for name in columns)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows[:SHOWN])
    more = f"<p>and {len(rows) - SHOWN} more</p>" if len(rows) > SHOWN else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}"


def _cell(value: object) -> str:
    is_number = isinstance(value, float | np.floating)
    return f"<td>{f'{value:.6g}' if is_number else escape(str(value))}</td>"


def counts_of(status: Integers, kinds: type[IntEnum]) -> list[str]:
    """Say how many fits ended in which way; each kind has a `text`."""
    counts = np.bincount(status.ravel(), minlength=len(kinds))
    return [f"{counts[each]:,} {each.text}" for each in kinds if counts[each]]  # type: ignore[attr-defined]
