"""Predictions for a source, written as Parquet block by block."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import numpy as np

from ..arrays import Array, ArrayLike, Floats, Labels, Matrix
from ..inputs.categories import Categories
from ..inputs.table_source import TableSource
from .library import arrow, module
from .source import Source

__all__ = ["write_predictions"]


class _Fitted(Protocol):
    """What a `FitResult` has."""

    @property
    def classes(self) -> Labels:
        """The labels."""

    @property
    def column_names(self) -> Sequence[str] | None:
        """Names of the columns of the fit."""

    @property
    def categories(self) -> Categories | None:
        """How columns became features."""

    def raw_prediction(self, X: ArrayLike, *, n_threads: int | None = ...) -> Floats:
        """Return raw predictions."""

    def predict(
        self, X: ArrayLike, threshold: float = ..., *, n_threads: int | None = ...
    ) -> Array:
        """Return labels."""

    def predict_proba(self, X: ArrayLike, *, n_threads: int | None = ...) -> Matrix:
        """Return probabilities."""


def write_predictions(
    fitted: _Fitted, source: TableSource, path: str | os.PathLike[str], *, proba: bool = True,
    threshold: float = 0.5, n_threads: int | None = None,
) -> int:  # fmt: skip
    """Predict the rows of a source, and write the predictions into a Parquet file.

    The rows are read once, block by block, and nothing is kept of them. The file has a column
    "prediction" with the label of each row, and columns ``proba_<label>``; it has its name once it
    is whole.

    Parameters
    ----------
    fitted : FitResult
        Columns of the source are found by the names of the fit's.
    source : ParquetSource or ArrowSource
        Without a target it may be, too. Rows with a null are an error, or left out by its
        ``nulls="drop"``.
    path : str or path
        The file; one that is there is replaced, but none that is read, and none where the source
        would find it.
    proba : bool, default True
        Whether probabilities are written too.
    threshold : float from 0 to 1, default 0.5
        Of two classes, the second is predicted from this probability on.
    n_threads : int, optional
        None takes what the process may use.

    Returns
    -------
    int
        How many rows were written.

    Raises
    ------
    TypeError, ValueError, OSError
        If a column or value is wrong, or the file cannot be written; there is no file then.

    Examples
    --------
    >>> import fastlogit, pyarrow as pa, tempfile, pathlib
    >>> table = pa.table({"x": [0.5, 1.2, -0.3, 2.1], "y": [0, 1, 1, 0]})
    >>> fitted = fastlogit.fit(table, target="y", C=1.0)
    >>> out = pathlib.Path(tempfile.mkdtemp()) / "predicted.parquet"
    >>> fastlogit.write_predictions(fitted, fastlogit.ArrowSource(table), out)
    4
    """
    if not isinstance(source, Source):
        raise TypeError(
            f"source must be a ParquetSource or ArrowSource, got {type(source).__name__}; of rows "
            "in memory use predict_proba"
        )
    if not hasattr(fitted, "column_names"):
        raise TypeError(
            f"fitted must be a FitResult, got {type(fitted).__name__}; of an estimator or a model "
            "file it is the result"
        )
    n_rows = 0
    with _written(_checked(Path(path), source)) as write:
        for block in source.blocks_as_fitted(fitted.column_names, fitted.categories):
            with _rows_from(n_rows):
                labels = fitted.predict(block, threshold, n_threads=n_threads)
                columns = {"prediction": labels}
                if proba:
                    values = fitted.predict_proba(block, n_threads=n_threads)
                    columns |= {
                        f"proba_{label}": np.ascontiguousarray(values[:, place])
                        for place, label in enumerate(fitted.classes)
                    }
            write(columns)
            n_rows += len(labels)
        if n_rows == 0:
            raise ValueError("the source has no rows to predict")
    return n_rows


def _checked(path: Path, source: Source) -> Path:
    """Return where to write, if that can be."""
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder; give the name of a file in it")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"cannot write {path}: there is no folder {path.parent}")
    source.refuse_to_write(path)
    return path


@contextmanager
def _rows_from(start: int) -> Iterator[None]:
    """Let errors name the rows of a block by their number among all."""
    try:
        yield
    except ValueError as error:
        raise ValueError(
            re.sub(r"\(row (\d+)\)", lambda found: f"(row {start + int(found[1])})", str(error))
        ) from error


@contextmanager
def _written(path: Path) -> Iterator[Callable[[dict[str, Array]], None]]:
    """Give a function that writes columns; the file gets its name when all are there."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    writer = None

    def write(columns: dict[str, Array]) -> None:
        nonlocal writer
        table = arrow().table({name: arrow().array(column) for name, column in columns.items()})
        if writer is None:
            writer = module("parquet").ParquetWriter(part, table.schema)
        writer.write_table(table)

    try:
        yield write
        if writer is not None:
            writer.close()
            writer = None
            os.replace(part, path)
    finally:
        if writer is not None:
            writer.close()
        part.unlink(missing_ok=True)
