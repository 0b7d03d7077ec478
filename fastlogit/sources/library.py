"""pyarrow, loaded when a source is opened: it is an optional dependency."""

from __future__ import annotations

from importlib import import_module
from typing import Any, TypeAlias

__all__ = ["Foreign", "arrow", "module"]

# Tables, columns, types and files of pyarrow, polars and DuckDB, which ship no types of use here.
Foreign: TypeAlias = Any


def module(name: str) -> Foreign:
    """Return a module of pyarrow, as "dataset" or "parquet".

    Raises
    ------
    ModuleNotFoundError
        If pyarrow is not installed; says how to get it.
    """
    try:
        return import_module(f"pyarrow.{name}" if name else "pyarrow")
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "Parquet and Arrow sources need pyarrow; install it with: pip install 'fastlogit[all]'"
        ) from error


def arrow() -> Foreign:
    """Return pyarrow itself."""
    return module("")
