"""What pyarrow reads: Parquet and Feather files, and its columns as NumPy arrays."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import IO, Any, TypeAlias

import numpy as np

from fastlogit.io.faults import check_names, damaged_file, reading
from fastlogit.io.tables import Array, ColumnTable, Table

# Tables and columns of pyarrow, which ships no types.
Foreign: TypeAlias = Any
Reader: TypeAlias = Callable[[ModuleType, IO[bytes]], Foreign]


def read_parquet(path: Path) -> Table:
    """Read a Parquet file with pyarrow."""

    def read(parquet: ModuleType, file: IO[bytes]) -> Foreign:
        # `parquet.read_table` fails where two columns have one name, and does not say so.
        return parquet.ParquetFile(file).read()

    return _read_arrow(path, "Parquet", "parquet", read)


def read_feather(path: Path) -> Table:
    """Read a Feather file, or another file of Arrow's, with pyarrow."""
    return _read_arrow(path, "Feather", "feather", lambda module, file: module.read_table(file))


def _read_arrow(path: Path, kind: str, module: str, read: Reader) -> Table:
    """Read a file with one of pyarrow's modules."""
    try:
        import pyarrow as pa

        library = import_module(f"pyarrow.{module}")
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"{path}: {kind} files need pyarrow; install it with: pip install 'fastlogit[all]'"
        ) from error
    try:
        with reading(path, kind), path.open("rb") as file:
            table = read(library, file)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise ValueError(damaged_file(path, kind, error)) from error
    table = _with_elements(table)
    # pandas keeps the index of a data frame in columns of these names: no data of the user's.
    index = re.compile(r"__index_level_\d+__")
    places = {k: name for k, name in enumerate(table.column_names) if not index.fullmatch(name)}
    check_names(path, list(places.values()))
    columns = {name: from_arrow(table.column(k)) for k, name in places.items()}
    declared = {
        name: _categories(table.column(k))
        for k, name in places.items()
        if pa.types.is_dictionary(table.column(k).type)
    }
    return ColumnTable(path, columns, lambda row: f"row {row}, counting from 0", declared=declared)


def _with_elements(table: Foreign) -> Foreign:
    """Return a table with a column for each element of fixed-size lists, as `emb[0]`."""
    import pyarrow as pa
    from pyarrow import compute

    names: list[str] = []
    columns: list[Foreign] = []
    for name, column in zip(table.column_names, table.columns, strict=True):
        if not pa.types.is_fixed_size_list(column.type):
            names, columns = [*names, name], [*columns, column]
            continue
        places = range(column.type.list_size)
        names += [f"{name}[{place}]" for place in places]
        columns += [compute.list_element(column, place) for place in places]
    return table if names == table.column_names else pa.table(columns, names=names)


def _categories(column: Foreign) -> list[object]:
    """Return the categories that a column has, in its order; each once."""
    found = [value for chunk in column.chunks for value in chunk.dictionary.to_pylist()]
    return list(dict.fromkeys(found))


def from_arrow(column: Foreign) -> Array:
    """Return an Arrow column as NumPy: missing numbers become NaN, missing texts None."""
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_decimal(column.type) or pa.types.is_null(column.type):
        column = column.cast(pa.float64())
    return np.asarray(column.to_numpy())
