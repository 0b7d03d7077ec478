"""A file by its name: `read_table`, and the readers of .npz and svmlight."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path

import numpy as np
from numpy.lib.npyio import NpzFile

from fastlogit.arrays import DType
from fastlogit.io.arrow import read_feather, read_parquet
from fastlogit.io.faults import check_names, damaged_file, near_names, reading
from fastlogit.io.sparse_files import read_svmlight, scipy_matrix, sparse_matrix_table
from fastlogit.io.tables import Array, MatrixTable, Table
from fastlogit.io.text import read_csv
from fastlogit.io.values import TextFormat


def read_table(
    path: str | Path, form: TextFormat | None = None, *, texts: Collection[str] = ()
) -> Table:
    """Read a data file; its format is told by its name.

    Parameters
    ----------
    path : str or Path
        A ``.csv`` or ``.tsv`` file with a header line (separator comma, semicolon, tab or bar,
        unless `form` says another), ``.parquet``, ``.feather``, ``.npz`` with an array ``X`` (and
        ``y``, ``feature_names``, weights) or a sparse matrix of `scipy.sparse.save_npz`, whose
        labels may stand beside it (``words.y.npy`` or, a label a line, ``words.y.txt`` for
        ``words.npz``), or svmlight (``.svmlight``, ``.libsvm``, ``.svm``).
        Text files may end in ``.gz`` or ``.bz2``.
    form : TextFormat, optional
        How a CSV file writes its values; only for such files.
    texts : collection of str, optional
        Columns of a CSV file that stay texts, as they stand there, though they look like numbers.

    Returns
    -------
    Table
        Its named columns.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the format is unknown, or the file is damaged, empty or of another format, or `form` is
        given for a file that is no CSV file.
    ModuleNotFoundError
        If a Parquet or Feather file is read without pyarrow.
    """
    path = Path(path)
    reader = _reader(path, form or TextFormat(), texts)
    if not path.exists():
        raise FileNotFoundError(_no_such_file(path))
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a directory, not a data file")
    if path.stat().st_size == 0:
        raise ValueError(f"{path} is empty")
    table = reader()
    if table.n_rows == 0:
        raise ValueError(f"{path} has no rows")
    return table


def _reader(path: Path, form: TextFormat, texts: Collection[str]) -> Callable[[], Table]:
    """Return what reads a file of this name."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in (".gz", ".bz2"):
        suffixes.pop()
    suffix = suffixes[-1] if suffixes else ""
    if suffix in _CSV:
        return partial(read_csv, path, form, texts)
    if suffix in _READERS:
        if form != TextFormat():
            raise ValueError(
                f"{path} is no CSV file: leave --sep, --decimal, --thousands and --na out"
            )
        return partial(_READERS[suffix], path)
    if path.is_dir():
        raise IsADirectoryError(
            f"{path} is a folder, which fit and predict alone take; give a file"
        )
    known = ", ".join((*_CSV, *_READERS))
    raise ValueError(f"{path}: unknown kind of file {suffix!r}; fastlogit reads {known}")


def _no_such_file(path: Path) -> str:
    """Say that a file is not there, and which files beside it have nearly that name."""
    beside = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
    return f"no such file: {path}{near_names(path.name, beside, else_list=False)}"


# --- .npz, svmlight ------------------------------------------------------------------------


def _read_npz(path: Path) -> Table:
    """Read an .npz file: X, dense or sparse, and the arrays that have a value for each row."""
    arrays = _npz_arrays(path)
    sparse = scipy_matrix(path, arrays)
    if sparse is not None:
        arrays["X"] = sparse
    if "X" not in arrays:
        found = ", ".join(sorted(arrays)) or "no arrays"
        raise ValueError(f"{path} has no array 'X' (found: {found})")
    X = arrays.pop("X")
    if X.ndim != 2:
        raise ValueError(f"{path}: X has {X.ndim} dimension(s), 2 are needed (rows, columns)")
    names = _npz_names(path, arrays.pop("feature_names", None), X.shape[1])
    for name, array in arrays.items():
        if array.ndim == 1 and len(array) != X.shape[0]:
            raise ValueError(f"{path}: X has {X.shape[0]} rows, but {name} has {len(array)} values")
    others = {name: array for name, array in arrays.items() if array.ndim == 1}
    if sparse is not None:
        return sparse_matrix_table(path, sparse, names, others)
    return MatrixTable(path, names, X, others)


def _npz_arrays(path: Path) -> dict[str, Array]:
    """Return all arrays of an .npz file; the zip's checksums are verified on the way."""
    # np.load leaves a file that it opened itself open when it fails.
    with reading(path, "NumPy .npz"), path.open("rb") as raw:
        try:
            file = np.load(raw, allow_pickle=False)
            if isinstance(file, np.ndarray):
                raise ValueError("it is an .npy file; save it with numpy.savez")
            for name in file.files:
                # Objects are kept as a pickle, and loading one can run anything.
                if _npy_dtype(file, name).hasobject:
                    raise _HoldsObjectsError(
                        f"{path}: the array {name!r} holds Python objects (dtype object), which "
                        "are not loaded from files: that could run code. Save it as numbers or "
                        f"text, e.g. with numpy.savez(..., {name}={name}.astype(float)) or "
                        ".astype(str)"
                    )
            return {name: file[name] for name in file.files}
        except _HoldsObjectsError:
            raise
        except ValueError as error:
            raise ValueError(damaged_file(path, "NumPy .npz", error)) from error


class _HoldsObjectsError(ValueError):
    """An array of Python objects: the file is whole, but not to be loaded."""


def _npy_dtype(file: NpzFile, name: str) -> DType:
    """Return the dtype of an array of an .npz file, from its header."""
    assert file.zip is not None  # the file is open
    member = name if name in file.zip.namelist() else f"{name}.npy"
    with file.zip.open(member) as raw:
        version = np.lib.format.read_magic(raw)
        if version == (1, 0):
            header = np.lib.format.read_array_header_1_0(raw)
        else:
            header = np.lib.format.read_array_header_2_0(raw)
        return header[2]


def _npz_names(path: Path, stored: Array | None, n_features: int) -> tuple[str, ...]:
    """Return the stored column names, or x0, x1, ... where there are none."""
    if stored is None:
        return tuple(f"x{j}" for j in range(n_features))
    names = tuple(str(name) for name in np.ravel(stored))
    if len(names) != n_features:
        raise ValueError(
            f"{path}: feature_names has {len(names)} names, but X has {n_features} columns"
        )
    check_names(path, names)
    return names


_CSV = (".csv", ".tsv")
_READERS: dict[str, Callable[[Path], Table]] = {
    ".parquet": read_parquet,
    ".feather": read_feather,
    ".npz": _read_npz,
    ".svmlight": read_svmlight,
    ".libsvm": read_svmlight,
    ".svm": read_svmlight,
}
