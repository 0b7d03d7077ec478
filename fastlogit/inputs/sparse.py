"""SciPy's sparse matrices and arrays -> rows that kernels may read: each index is checked once.

SciPy is not imported for it: classes are known by their names. `design.compressed` checks pointers
and indices before anything reads the rows; other formats are looked at before SciPy converts them,
whose compiled code has no bounds either. The user's object is never changed. A copy is made where
it has to be: of whole numbers, booleans and other floats (the values), of 64-bit indices (the
indices), of CSC and other formats (all), and where indices do not rise in a row, or come twice
(all).
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

from ..arrays import ArrayLike
from ..design.compressed import CompressedRows, compress, refuse_range
from .conversion import is_frame, refuse_names_twice

__all__ = ["compressed_rows", "is_sparse", "refuse_sparse", "sparse_of"]

# A sparse matrix or array of SciPy, which is not imported here.
Foreign: TypeAlias = Any

LARGEST_INT32 = 2**31 - 1


def is_sparse(X: ArrayLike) -> bool:
    """Say whether X is a sparse matrix or array of SciPy."""
    if type(X) is np.ndarray or not hasattr(X, "tocsr"):
        return False
    return any(base.__module__.startswith("scipy.sparse") for base in type(X).__mro__)


def sparse_of(X: ArrayLike) -> Foreign | None:
    """Return X as a sparse matrix of SciPy, where it is one or a frame of such columns; else None.

    A frame of pandas all of whose columns are sparse and leave out zeros: others are refused
    elsewhere.

    Raises
    ------
    ValueError
        If two columns of the frame have one name.
    """
    if is_sparse(X):
        return X
    # pandas gives that to frames of sparse columns alone.
    columns: Foreign = getattr(X, "sparse", None) if is_frame(X) else None
    if not hasattr(columns, "to_coo"):
        return None
    refuse_names_twice(X)
    try:
        return columns.to_coo()
    except ValueError:  # what is left out is not 0
        return None


def refuse_sparse(name: str, X: ArrayLike, carrier: ArrayLike) -> None:
    """Raise TypeError where X, as read from its carrier, is sparse: of a function without it."""
    if isinstance(X, CompressedRows) or is_sparse(X):
        how = "X.sparse.to_dense()" if is_frame(carrier) else "X.toarray()"
        raise TypeError(
            f"{name} takes no sparse X yet, and X is sparse ({type(carrier).__name__}); if it fits "
            f"in memory, pass {how}"
        )


def compressed_rows(X: Foreign) -> CompressedRows:
    """Return a sparse matrix or array of SciPy as rows for the kernels, over its own memory.

    Parameters
    ----------
    X : scipy.sparse matrix or array of shape (n_samples, n_features)
        Of any format, its indices in any order; values of the same place are added up.

    Returns
    -------
    CompressedRows

    Raises
    ------
    TypeError
        If its values are no real numbers.
    ValueError
        If its shape, its pointers or its indices are not possible.
    """
    shape = _shape_of(X)
    _refuse_kinds(X)
    kind = X.format
    if kind in ("dok", "dia"):
        X = X.tocoo()
        kind = "coo"
    if kind == "coo":
        refuse_range("row", np.asarray(X.row), shape[0])
        refuse_range("col", np.asarray(X.col), shape[1])
        X = X.tocsr()
    elif kind == "bsr":
        high, wide = X.blocksize
        blocks = np.arange(len(X.data), dtype=np.float64)
        compress(blocks, X.indices, X.indptr, (shape[0] // high, shape[1] // wide))
        X = X.tocsr()
    elif kind not in ("csr", "csc"):
        X = X.tocsr()
    data, indices, indptr = (np.asarray(part) for part in (X.data, X.indices, X.indptr))
    return compress(data, indices, indptr, shape, X.format == "csc")


def _shape_of(X: Foreign) -> tuple[int, int]:
    if len(X.shape) != 2:
        raise ValueError(
            f"X must have 2 dimensions (rows, columns), found {len(X.shape)}; reshape it"
        )
    n_samples, n_features = (int(size) for size in X.shape)
    if n_samples == 0 or n_features == 0:
        raise ValueError(f"X is empty: {n_samples} rows and {n_features} columns")
    if max(n_samples, n_features) > LARGEST_INT32:
        raise ValueError(
            f"X is sparse and has shape {X.shape}; at most {LARGEST_INT32:,} rows and columns are "
            "possible"
        )
    return n_samples, n_features


def _refuse_kinds(X: Foreign) -> None:
    dtype = np.dtype(X.dtype)
    if dtype.kind == "c":
        raise TypeError(f"X must hold real numbers, got dtype {dtype}; take a real part first")
    if dtype.kind not in "biuf":
        raise TypeError(f"X is sparse and has dtype {dtype}, which holds no numbers")
