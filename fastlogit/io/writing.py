"""Predictions out: columns as CSV, Parquet or .npz."""

from __future__ import annotations

import csv
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

import numpy as np

from fastlogit.io.tables import Array


def check_writable(path: Path, suffixes: Sequence[str] = (), *, read: Sequence[Path] = ()) -> None:
    """Raise, before any work is done, if a file cannot be written at this place.

    Raises
    ------
    ValueError
        If the directory is not there, the name ends otherwise than in `suffixes`, or it is one of
        the files that are `read`.
    """
    if path.is_dir():
        raise ValueError(f"cannot write {path}: it is a directory")
    if not path.parent.is_dir():
        raise ValueError(f"cannot write {path}: there is no directory {path.parent}")
    if suffixes and path.suffix.lower() not in suffixes:
        raise ValueError(f"cannot write {path}: the name must end in {' or '.join(suffixes)}")
    if any(path.resolve() == each.resolve() for each in read):
        raise ValueError(f"cannot write {path}: it is read; give --out another name")


#: Kinds of files that `write_columns` can write.
WRITABLE = (".csv", ".parquet", ".npz")


def write_columns(path: Path | None, columns: Mapping[str, Array]) -> None:
    """Write named columns of one length.

    Parameters
    ----------
    path : Path or None
        A ``.csv``, ``.parquet`` or ``.npz`` file; None writes CSV to the standard output.
    columns : mapping of str to ndarray of shape (n_rows,)
        Numbers are written so that reading them gives the same number again.

    Raises
    ------
    ModuleNotFoundError
        If a Parquet file is written without pyarrow.
    """
    if path is None:
        _write_csv(sys.stdout, columns)
        sys.stdout.flush()  # a reader that has gone away is then noticed here, not at exit
    elif path.suffix.lower() == ".npz":
        np.savez(path, **dict(columns))  # type: ignore[arg-type]
    elif path.suffix.lower() == ".parquet":
        _write_parquet(path, columns)
    else:
        with path.open("w", encoding="utf-8", newline="") as file:
            _write_csv(file, columns)


def _write_csv(file: IO[str], columns: Mapping[str, Array]) -> None:
    """Write columns as CSV."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*(column.tolist() for column in columns.values()), strict=True))


def _write_parquet(path: Path, columns: Mapping[str, Array]) -> None:
    """Write columns as Parquet."""
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"{path}: Parquet files need pyarrow; install it with: pip install 'fastlogit[all]'"
        ) from error
    arrays = {name: pa.array(column) for name, column in columns.items()}
    parquet.write_table(pa.table(arrays), path)
