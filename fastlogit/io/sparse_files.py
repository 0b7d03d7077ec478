"""Files of sparse rows: svmlight, and what `scipy.sparse.save_npz` writes; read as sparse rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from fastlogit.io.faults import damaged_file, reading
from fastlogit.io.svmlight import refuse_wrong_lines
from fastlogit.io.svmlight_table import SvmlightTable, is_too_large
from fastlogit.io.tables import (
    Array,
    SparseMatrix,
    SparseMatrixTable,
    SparseTable,
    Table,
    check_column_count,
)
from fastlogit.io.text import open_bytes
from fastlogit.io.values import TextFormat, column_from_texts

__all__ = ["read_svmlight", "scipy_matrix", "sparse_matrix_table"]

# What scipy.sparse.save_npz writes, but for data.
PARTS = ("format", "shape", "data", "indices", "indptr", "row", "col", "offsets", "_is_array")
COMPRESSED, TRIPLES = ("csr", "csc"), "coo"


def read_svmlight(path: Path) -> Table:
    """Read an svmlight file: at once, or in blocks where it is large beside the memory."""
    from sklearn.datasets import load_svmlight_file

    with reading(path, "svmlight"):
        if is_too_large(path):
            return SvmlightTable.of(path)
        check_column_count(path, _largest_column(path))
        try:
            # zero_based=True keeps the numbers as written: "auto" would shift some files only.
            values, y = load_svmlight_file(path, zero_based=True)
        except (ValueError, IndexError, OverflowError) as error:
            refuse_wrong_lines(path)
            raise ValueError(damaged_file(path, "svmlight", error)) from error
    first = 0 if values.shape[1] == 0 or values[:, [0]].nnz else 1
    return SparseTable(path, values.tocsc(), y, first)


def _largest_column(path: Path) -> int:
    """Return the largest column number of an svmlight file, read line by line.

    The numbers of a row must rise, so that the last one tells: 60 MB/s, and no memory.
    """
    largest = 0
    with open_bytes(path) as file:
        for line in file:
            words = line.partition(b"#")[0].rsplit(maxsplit=1)
            if words:
                number = words[-1].partition(b":")[0]
                if len(words) > 1 and number.isdigit():
                    largest = max(largest, int(number))
    return largest


def scipy_matrix(path: Path, arrays: dict[str, Array]) -> Any | None:
    """Return the matrix that `scipy.sparse.save_npz` wrote, by columns; None where it did not.

    Sets: takes its parts out of the arrays.

    Raises
    ------
    ValueError
        If it is broken, holds no real numbers, or has too many columns.
    """
    if "format" not in arrays or "shape" not in arrays or "data" not in arrays:
        return None
    parts = {name: arrays.pop(name) for name in PARTS if name in arrays}
    form = parts["format"].item()
    form = form.decode("ascii", "replace") if isinstance(form, bytes) else str(form)
    if form not in (*COMPRESSED, TRIPLES):
        raise ValueError(
            f"{path} holds a sparse matrix of format {form!r}; save X.tocsr() with "
            "scipy.sparse.save_npz"
        )
    if parts["data"].dtype.kind not in "fiub":
        raise ValueError(f"{path}: X holds {parts['data'].dtype} values; real numbers are needed")
    return _checked(path, form, parts)


def _checked(path: Path, form: str, parts: dict[str, Array]) -> Any:
    """Return a matrix of parts that SciPy need not trust."""
    from scipy import sparse

    from fastlogit.inputs.sparse import columns_of

    try:
        shape = tuple(parts["shape"].tolist())
        check_column_count(path, int(shape[-1]))
        make = getattr(sparse, f"{form}_matrix")
        names = ("row", "col") if form == TRIPLES else ("indices", "indptr")
        of_places = tuple(parts[name] for name in names)
        if form == TRIPLES:
            return columns_of(make((parts["data"], of_places), shape=shape))
        return columns_of(make((parts["data"], *of_places), shape=shape))
    except (KeyError, TypeError, ValueError) as error:
        if str(error).startswith(str(path)):
            raise
        raise ValueError(damaged_file(path, "scipy.sparse.save_npz", error)) from error


def _labels_beside(path: Path, n_rows: int) -> dict[str, Array]:
    """Return the labels of a sparse matrix that stand in a file beside it, as y.

    For ``words.npz`` that is ``words.y.npy`` (`numpy.save`), or ``words.y.txt``, a label a line.

    Raises
    ------
    ValueError
        If it has another number of labels than the matrix has rows, or is no such file.
    """
    array, text = path.with_suffix(".y.npy"), path.with_suffix(".y.txt")
    if array.exists():
        with reading(array, "NumPy .npy"), array.open("rb") as raw:
            try:
                y = np.load(raw, allow_pickle=False)
            except ValueError as error:
                raise ValueError(damaged_file(array, "NumPy .npy", error)) from error
        found = array
    elif text.exists():
        y, found = _of_lines(text.read_text("utf-8").splitlines()), text
    else:
        return {}
    if not isinstance(y, np.ndarray) or y.shape != (n_rows,):
        shape = getattr(y, "shape", "that of no array")
        raise ValueError(
            f"{found} has shape {shape}, but the matrix in {path} has {n_rows} rows: a label for "
            "each is needed"
        )
    return {"y": y}


def _of_lines(lines: list[str]) -> Array:
    """Return labels as those of a column of a CSV file: numbers, True and False, or text."""
    return column_from_texts([line.strip() for line in lines], TextFormat())


def sparse_matrix_table(
    path: Path, matrix: SparseMatrix, names: tuple[str, ...], others: dict[str, Array]
) -> Table:
    """Return a matrix and the arrays beside it as a table."""
    n_rows = matrix.shape[0]
    beside = others if "y" in others else {**_labels_beside(path, n_rows), **others}
    return SparseMatrixTable(path, names, matrix, beside)  # type: ignore[arg-type]  # of SciPy, in the place of an array
