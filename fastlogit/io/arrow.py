"""What pyarrow reads: Parquet files, and its columns as NumPy arrays."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from fastlogit.io.faults import check_names, damaged_file, reading
from fastlogit.io.tables import Array, ColumnTable, Table


def read_parquet(path: Path) -> Table:
    """Read a Parquet file with pyarrow."""
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"{path}: Parquet files need pyarrow; install it with: pip install 'fastlogit[all]'"
        ) from error
    try:
        with reading(path, "Parquet"):
            table = parquet.read_table(path)
    except pa.ArrowInvalid as error:
        raise ValueError(damaged_file(path, "Parquet", error)) from error
    # pandas keeps the index of a data frame in columns of these names: no data of the user's.
    names = [name for name in table.column_names if not re.match(r"__index_level_\d+__$", name)]
    check_names(path, names)
    columns = {name: from_arrow(table.column(name)) for name in names}
    return ColumnTable(path, columns, lambda row: f"row {row}, counting from 0")


def from_arrow(column: Any) -> Array:
    """Return an Arrow column as NumPy: missing numbers become NaN, missing texts None."""
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_decimal(column.type) or pa.types.is_null(column.type):
        column = column.cast(pa.float64())
    return np.asarray(column.to_numpy())
