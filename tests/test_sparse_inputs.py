"""Sparse matrices of any format and order: read as they mean, refused where they are broken."""

import copy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from bad_input import assert_refused
from spoiled import FORMATS, meant, spoiled

import fastlogit
from fastlogit.design.compressed import CompressedRows
from fastlogit.inputs.sparse import compressed_rows, is_sparse, sparse_of

RNG = np.random.default_rng(2)
X0 = np.round(RNG.normal(size=(12, 8)) * 3.0) * (RNG.random((12, 8)) < 0.4)
X0[4], X0[:, 3] = 0.0, 0.0
Y0 = (RNG.random(12) < 0.5).astype(int)
CLASSES = ("array", "matrix")


def values_of(rows: CompressedRows) -> Any:
    """What the rows hold, and that their indices rise."""
    for begin, end in zip(rows.begins, rows.ends, strict=True):
        assert (np.diff(rows.indices[begin:end]) > 0).all()
    assert rows.indices.dtype == np.int32
    return rows.dense()


def made(format: str, kind: str, X: Any = X0) -> Any:
    return getattr(scipy.sparse, f"{format}_{kind}")(X)


def state_of(X: Any) -> dict[str, bytes]:
    return {
        name: np.asarray(value).tobytes()
        for name, value in vars(X).items()
        if isinstance(value, np.ndarray)
    }


@pytest.mark.parametrize("kind", CLASSES)
@pytest.mark.parametrize("format", FORMATS)
def test_every_format_means_the_same(format, kind) -> None:
    X = made(format, kind)
    before = state_of(X)
    assert is_sparse(X)
    np.testing.assert_array_equal(values_of(compressed_rows(X)), X0)
    assert state_of(X) == before


def test_rows_are_read_where_they_are() -> None:
    for dtype in (np.float64, np.float32):
        X = scipy.sparse.csr_array(X0.astype(dtype))
        rows = compressed_rows(X)
        assert np.shares_memory(rows.data, X.data)
        assert np.shares_memory(rows.indices, X.indices)
        assert rows.dtype == dtype
        assert not rows.data.flags.writeable
        assert X.data.flags.writeable


@pytest.mark.parametrize("format", ["csr", "csc"])
@pytest.mark.parametrize(
    "dtype",
    ["?", "b", "B", "h", "H", "i", "I", "q", "Q", "f", "d", ">f8", ">i4", "g"],
)
def test_every_number_type(format, dtype) -> None:
    X = np.abs(X0).astype(dtype)
    rows = compressed_rows(_typed(X, format))
    wanted = np.float32 if dtype == "f" else np.float64
    assert rows.dtype == wanted
    assert rows.data.dtype.isnative
    np.testing.assert_array_equal(values_of(rows), X.astype(np.float64))


def _typed(X: Any, format: str) -> Any:
    """A sparse array of a type that SciPy may refuse to make, but not to hold."""
    plain = made(format, "array", X.astype(np.float64))
    plain.data = plain.data.astype(X.dtype)
    return plain


@pytest.mark.parametrize("format", ["csr", "csc"])
def test_wide_indices(format) -> None:
    X = made(format, "array")
    X.indices, X.indptr = X.indices.astype(np.int64), X.indptr.astype(np.int64)
    np.testing.assert_array_equal(values_of(compressed_rows(X)), X0)


@pytest.mark.parametrize("format", ["csr", "csc"])
def test_unsorted_and_repeated_indices_and_zeros_that_are_stored(format) -> None:
    rows = np.array([3, 1, 1, 1, 0, 3, 1, 2, 2])
    columns = np.array([2, 4, 0, 4, 1, 0, 4, 3, 1])
    values = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, -1.0, 0.0, 7.0])
    wanted = np.zeros((5, 6))
    np.add.at(wanted, (rows, columns), values)
    major, minor = (rows, columns) if format == "csr" else (columns, rows)
    order = np.argsort(major, kind="stable")
    size = 5 if format == "csr" else 6
    indptr = np.concatenate([[0], np.cumsum(np.bincount(major, minlength=size))])
    make = getattr(scipy.sparse, f"{format}_array")
    X = make((values[order], minor[order], indptr), shape=(5, 6))
    assert not X.has_canonical_format
    before = state_of(X)
    found = compressed_rows(X)
    np.testing.assert_array_equal(values_of(found), wanted)
    assert found.n_values == 7  # the zero among them
    assert state_of(X) == before
    flags = make((np.ones(9, dtype=bool), minor[order], indptr), shape=(5, 6))
    np.testing.assert_array_equal(values_of(compressed_rows(flags)), flags.toarray())


def test_values_beyond_the_last_pointer_are_no_values() -> None:
    data, indices = np.arange(1.0, 5.0), np.array([0, 2, 1, 99])
    X = scipy.sparse.csr_array((3, 3))
    X.data, X.indices, X.indptr = data, indices.astype(np.int32), np.array([0, 2, 2, 3])
    np.testing.assert_array_equal(values_of(compressed_rows(X)), [[1, 0, 2], [0, 0, 0], [0, 3, 0]])


def broken(change: Callable[[Any], None], format: str = "csr") -> Any:
    X = copy.deepcopy(made(format, "array"))
    change(X)
    return X


def with_index(place: int, value: int) -> Callable[[Any], None]:
    def change(X: Any) -> None:
        X.indices[place] = value

    return change


def with_pointer(place: int, value: int) -> Callable[[Any], None]:
    def change(X: Any) -> None:
        X.indptr[place] = value

    return change


def with_part(**parts: Any) -> Callable[[Any], None]:
    def change(X: Any) -> None:
        for name, value in parts.items():
            setattr(X, name, value)

    return change


N = int((X0 != 0.0).sum())
BROKEN = [
    (with_index(3, 8), "indices has 8, outside 0 to 7"),
    (with_index(N - 1, -1), "indices has -1, outside 0 to 7"),
    (with_index(0, 2**31 - 1), "indices has 2147483647"),
    (with_part(indices=np.full(N, 2**33)), "indices has 8589934592"),
    (with_pointer(0, 1), "indptr must begin with 0"),
    (with_pointer(3, -5), "never fall"),
    (with_pointer(2, 10**6), "never fall"),
    (with_pointer(12, 10**6), f"indptr ends with 1000000, but there are {N} values"),
    (with_part(indptr=np.array([0, 3])), "indptr has 2 numbers, and 13 are needed"),
    (with_part(indptr=np.zeros((13, 1), dtype=int)), "one dimension"),
    # whose differences overflow, so that none of them is negative
    (
        with_part(indptr=np.array([0, 2**63 - 1, -(2**63), -1, *[N] * 9])),
        "indptr must begin with 0 and never fall",
    ),
    (with_part(indptr=np.array([0] * 12 + [2**64 - 1], dtype=np.uint64)), "never fall"),
    (with_part(indices=np.zeros(N)), "indices must be whole numbers"),
    (with_part(indices=np.zeros(3, dtype=np.int32)), "3 indices"),
    (with_part(data=np.zeros(3)), "there are 3 values"),
    (with_part(data=np.zeros((N, 1))), "data has 2 dimensions"),
]


@pytest.mark.parametrize(
    ("change", "text"), BROKEN, ids=lambda value: value if isinstance(value, str) else ""
)
def test_what_is_broken_is_refused(change, text) -> None:
    X = broken(change)
    assert_refused(fastlogit.fit, {"X": X, "y": Y0}, ValueError, ["X is a sparse matrix", text])


def test_broken_matrices_of_other_formats() -> None:
    X = made("csc", "array")
    X.indices[2] = 12
    with pytest.raises(ValueError, match="indices has 12, outside 0 to 11"):
        compressed_rows(X)
    X = made("coo", "matrix")
    X.row[0] = 77
    with pytest.raises(ValueError, match="row has 77, outside 0 to 11"):
        compressed_rows(X)
    X = scipy.sparse.bsr_array(X0, blocksize=(3, 2))
    np.testing.assert_array_equal(values_of(compressed_rows(X)), X0)
    X.indices[0] = 50
    with pytest.raises(ValueError, match="indices has 50, outside 0 to 3"):
        compressed_rows(X)


def test_what_holds_no_real_numbers_and_odd_shapes() -> None:
    with pytest.raises(TypeError, match="real numbers, got dtype complex128; take a real part"):
        compressed_rows(made("csr", "array", X0 * 1j))
    X = made("csr", "array")
    X.data = X.data.astype(object)
    with pytest.raises(TypeError, match="sparse and has dtype object, where numbers are needed"):
        compressed_rows(X)
    with pytest.raises(ValueError, match="X is empty: 3 rows and 0 columns"):
        compressed_rows(scipy.sparse.csr_array((3, 0)))
    with pytest.raises(ValueError, match="X must have 2 dimensions"):
        compressed_rows(scipy.sparse.coo_array(np.arange(3.0)))
    with pytest.raises(ValueError, match="at most 2,147,483,647 rows and columns"):
        compressed_rows(scipy.sparse.csr_array((2, 2**31)))


def test_what_is_sparse() -> None:
    assert not is_sparse(X0)
    assert not is_sparse([1.0])

    class Other:
        def tocsr(self) -> None:
            """Of another library."""

    assert not is_sparse(Other())


def test_a_few_rows_and_columns_as_rows() -> None:
    rows = compressed_rows(made("csr", "array"))
    some = np.array([3, 3, 0, 11])
    np.testing.assert_array_equal(rows.take(some).dense(), X0[some])
    np.testing.assert_array_equal(rows.take(some).transposed().dense(), X0[some].T)
    np.testing.assert_array_equal(values_of(rows.transposed()), X0.T)
    np.testing.assert_array_equal(rows.take(slice(2, 9, 3)).dense(), X0[2:9:3])
    assert rows.take(some[:0]).dense().shape == (0, 8)


# ------------------------------------------------------------------------------------------------
# Frames of pandas all of whose columns are sparse


def sparse_frame(**columns: Any) -> Any:
    """A frame of columns, each given as its values, what it leaves out, and its kind of index."""
    return pd.DataFrame(
        {
            name: pd.arrays.SparseArray(values, fill_value=fill, kind=(*kind, "integer")[0])
            for name, (values, fill, *kind) in columns.items()
        }
    )


def read_frame(frame: Any) -> CompressedRows:
    return compressed_rows(sparse_of(frame))


def test_frames_of_columns_of_several_number_types() -> None:
    types = {"a": "f8", "b": "f4", "c": "?", "d": "i1", "e": "u8"}
    dense = pd.DataFrame({name: X0[:, k].clip(0) for k, name in enumerate(types)}).astype(types)
    parts = {
        name: (dense[name], np.dtype(kind).type(0), "block" if name < "c" else "integer")
        for name, kind in types.items()
    }
    frame = sparse_frame(**parts)
    assert hasattr(frame["a"].array.sp_index, "blocs")
    assert not hasattr(frame["c"].array.sp_index, "blocs")
    rows = read_frame(frame)
    np.testing.assert_array_equal(values_of(rows), dense.astype(float))
    assert rows.dtype == np.float64
    assert read_frame(frame[["b", "c"]]).dtype == np.float32
    assert read_frame(frame[["c"]]).dtype == np.float64
    dummies = pd.get_dummies(pd.Series(list("abca")), sparse=True)
    np.testing.assert_array_equal(read_frame(dummies).dense(), dummies.sparse.to_dense())


def test_what_else_a_frame_may_leave_out() -> None:
    full = sparse_frame(a=(X0[:, 0] + 9.0, np.nan), b=(X0[:, 1], 0.0))
    np.testing.assert_array_equal(
        values_of(read_frame(full)), np.column_stack([X0[:, 0] + 9.0, X0[:, 1]])
    )
    for fill in (np.nan, 1.0):
        values = np.where(X0[:, 1] == 0.0, fill, X0[:, 1])
        frame = sparse_frame(a=(X0[:, 0], 0.0), b=(values, fill))
        with pytest.raises(TypeError, match=rf"column 'b' leaves out {fill}, not 0; .*to_dense"):
            sparse_of(frame)
    for values in (X0[:, 0] * 1j, X0[:, 0].astype(object)):
        with pytest.raises(TypeError, match=r"X has dtype Sparse\[.*in column 'a', where real num"):
            sparse_of(sparse_frame(a=(values, 0)))
    assert sparse_of(full["a"]) is None
    assert sparse_of(full.assign(c=1.0)) is None


def test_broken_frames() -> None:
    def fresh(kind: str) -> tuple[Any, Any]:
        frame = sparse_frame(a=(X0[:, 0], 0.0, kind))
        return frame, frame["a"].array

    frame, column = fresh("integer")
    column.sp_index.indices[0] = 99
    with pytest.raises(ValueError, match="column 'a' has 99, outside 0 to 11"):
        sparse_of(frame)
    frame, column = fresh("block")
    column._sparse_values = column.sp_values[:1]
    with pytest.raises(ValueError, match="column 'a' has 1 values, but "):
        sparse_of(frame)
    for lengths in (2**30, -1):
        frame, column = fresh("block")
        column.sp_index.blengths[0] = lengths
        with pytest.raises(ValueError, match="a column has blocks that are no blocks of its rows"):
            sparse_of(frame)


# ------------------------------------------------------------------------------------------------
# Whatever the parts hold, a matrix is read as they mean it or refused in one sentence


def parts_of(X: Any) -> dict[str, Any]:
    """Every byte of a matrix, and what is in its lists and dictionaries."""
    return {name: _bytes_of(value) for name, value in vars(X).items()}


def _bytes_of(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_bytes_of(each) for each in value]
    if isinstance(value, np.ndarray) and value.dtype != object:
        return value.dtype, value.shape, value.strides, value.flags.writeable, value.tobytes()
    return repr(value)


def look_at_spoiled(seed: int, count: int) -> None:
    n_refused = 0
    for place in range(count):
        X = spoiled(np.random.default_rng([seed, place]))
        wanted, before = meant(X), parts_of(X)
        if wanted is None:
            n_refused += 1
            with pytest.raises((TypeError, ValueError), match=r"X[ .]") as caught:
                compressed_rows(X)
            assert "\n" not in str(caught.value)
        else:
            np.testing.assert_array_equal(values_of(compressed_rows(X)), wanted)
        assert parts_of(X) == before
    assert 0.2 * count < n_refused < 0.9 * count


def test_spoiled_matrices() -> None:
    look_at_spoiled(0, 600)


@pytest.mark.slow(seconds=20)
@pytest.mark.jit
@pytest.mark.parametrize("seed", range(1, 11))
def test_a_hundred_thousand_spoiled_matrices(seed) -> None:
    code = f"import test_sparse_inputs as t; t.look_at_spoiled({seed}, 10_000)"
    child = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=Path(__file__).parent, timeout=300,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert child.returncode == 0, child.stderr[-2_000:]


@pytest.mark.parametrize("form", ["coo", "csc", "dok"])
def test_rows_whose_pointers_have_no_room_are_one_clear_error(form, monkeypatch) -> None:
    monkeypatch.setattr("fastlogit.inputs.sparse.available_memory", lambda: 1e9)
    X = getattr(scipy.sparse, f"{form}_array")((2**31 - 1, 3))
    words = "claims 2,147,483,647 rows, whose pointers alone would take 48 GiB.*look at its shape"
    with pytest.raises(ValueError, match=words):
        compressed_rows(X)
    with pytest.raises(ValueError, match=words):
        fastlogit.raw_prediction(X, np.ones(3))
