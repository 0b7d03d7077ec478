"""Folders called ``key=value`` are columns (hive partitions).

Whole numbers where all values of a key are, else categories.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote

from .library import Foreign, arrow

__all__ = ["keys_of", "kind_of_key", "value_of_key"]

# How a folder of a partition without a value is called.
NO_VALUE = "__HIVE_DEFAULT_PARTITION__"
PARTITION = re.compile(r"([^=]+)=(.*)")


def keys_of(path: Path, base: Path) -> dict[str, str | None]:
    """Return the values that the folders of a file, below one, name; None for no value."""
    keys: dict[str, str | None] = {}
    for part in path.relative_to(base).parts[:-1]:
        found = PARTITION.fullmatch(part)
        if found:
            keys[unquote(found[1])] = None if found[2] == NO_VALUE else unquote(found[2])
    return keys


def kind_of_key(values: Sequence[str | None]) -> Foreign:
    """Return the type of the column of a key, whose value in each file is given."""
    pa = arrow()
    if all(value is None or re.fullmatch(r"-?\d{1,18}", value) for value in values):
        return pa.int64()
    return pa.dictionary(pa.int32(), pa.string())


def value_of_key(path: Path, key: str, value: str | None, kind: Foreign) -> Foreign:
    """Return the value of a key of a partition, of the type of its column.

    Raises
    ------
    ValueError
        If it is no value of that type.
    """
    pa = arrow()
    plain = kind.value_type if pa.types.is_dictionary(kind) else kind
    try:
        return pa.scalar(value, pa.string()).cast(plain)
    except pa.ArrowException:
        raise ValueError(
            f"{path}: the folder says {key}={value}, and the column {key!r} of the files has "
            f"the type {kind}; rename one of them"
        ) from None
