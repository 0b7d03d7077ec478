"""Data files as commands read them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fastlogit.cli.errors import say
from fastlogit.cli.watching import Watcher

if TYPE_CHECKING:
    from fastlogit.io import Table as DataTable
    from fastlogit.io import TextFormat

__all__ = ["read_data", "without_missing"]


def read_data(
    path: Path, form: TextFormat, watcher: Watcher, texts: Sequence[str] = ()
) -> DataTable:
    """Read a data file; a large one shows that something is going on."""
    from fastlogit import io

    watcher.stage(f"reading {path.name}")
    return io.read_table(path, form, texts=texts)


def without_missing(table: DataTable, names: Sequence[str]) -> DataTable:
    """Leave out the rows that lack a value of these columns, and say how many there are."""
    from fastlogit import io

    kept = io.complete_rows(table, names)
    if kept.n_rows < table.n_rows:
        say(f"note: {table.n_rows - kept.n_rows:,} of {table.n_rows:,} rows lack a value")
    return kept
