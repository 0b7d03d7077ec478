"""Data files: what is read is what was written, and each fault is one clear error."""

import builtins
import datetime
import gzip
import io as stdio
import random
import re

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import scipy.sparse
from pyarrow import parquet
from sklearn.datasets import dump_svmlight_file, load_breast_cancer

from fastlogit import io
from fastlogit.io import categories
from fastlogit.io.values import is_date

TEXT = (
    "size,town,ripe,count,weight\n"
    "1.5,Oslo,true,3,0.5\n"
    '-2e-3,"a, ""b""",false,4,1\n'
    "7,Rome,true,5,2\n"
)


@pytest.fixture(params=["pyarrow", "plain"])
def csv_reader(request, monkeypatch):
    """Both CSV readers: pyarrow's, and the standard library's where pyarrow is missing."""
    if request.param == "plain":
        hide_pyarrow(monkeypatch)
    return request.param


def hide_pyarrow(monkeypatch):
    """Make `import pyarrow` fail as if it were not installed."""
    real_import = builtins.__import__

    def no_pyarrow(name, *args, **kwargs):
        if name.split(".")[0] == "pyarrow":
            raise ModuleNotFoundError("No module named 'pyarrow'", name="pyarrow")
        return real_import(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", no_pyarrow)


def written(tmp_path, text, name="data.csv"):
    """Return the path of a new file with this text."""
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


# --- CSV


def test_csv_columns_by_name_and_type(tmp_path, csv_reader):
    table = io.read_table(written(tmp_path, TEXT))
    assert table.names == ("size", "town", "ripe", "count", "weight")
    assert table.n_rows == 3
    assert table.column("size").tolist() == [1.5, -2e-3, 7.0]
    assert table.column("count").dtype == np.int64
    assert table.column("ripe").tolist() == [True, False, True]
    assert io.labels(table, "town").tolist() == ["Oslo", 'a, "b"', "Rome"]


def test_csv_matrix_is_c_ordered_float64_in_the_order_asked_for(tmp_path, csv_reader):
    table = io.read_table(written(tmp_path, TEXT))
    X = io.features(table, ["count", "ripe", "size"])
    assert X.dtype == np.float64
    assert X.flags.c_contiguous
    np.testing.assert_array_equal(X, [[3, 1, 1.5], [4, 0, -2e-3], [5, 1, 7]])


def test_csv_real_data_comes_back_to_the_bit(tmp_path, csv_reader):
    data = load_breast_cancer()
    columns = dict(zip(data.feature_names.tolist(), data.data.T, strict=True))
    path = tmp_path / "tumour.csv"
    io.write_columns(path, columns | {"kind": data.target_names[data.target]})
    table = io.read_table(path)
    names = io.feature_names(table, ["kind"])
    assert names == tuple(data.feature_names)
    np.testing.assert_array_equal(io.features(table, names), data.data)
    np.testing.assert_array_equal(io.labels(table, "kind"), data.target_names[data.target])


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("data.csv", TEXT.replace(",", ";").replace('"a; ', '"a, ')),
        ("data.tsv", TEXT.replace(",", "\t").replace('"a\t ', '"a, ')),
        ("data.csv", b"\xef\xbb\xbf" + TEXT.encode()),
        ("data.csv.gz", gzip.compress(TEXT.encode())),
        ("data.CSV", TEXT.replace("\n", "\r\n")),
    ],
    ids=["semicolon", "tab", "byte order mark", "gzip", "CRLF"],
)
def test_csv_dialects(tmp_path, csv_reader, name, text):
    table = io.read_table(written(tmp_path, text, name))
    assert table.names == ("size", "town", "ripe", "count", "weight")
    assert io.labels(table, "town").tolist() == ["Oslo", 'a, "b"', "Rome"]
    assert io.features(table, ["size"]).ravel().tolist() == [1.5, -2e-3, 7.0]


def test_csv_missing_number_names_column_and_line(tmp_path, csv_reader):
    path = written(tmp_path, "a,b,y\n1,2,0\n\n3,NA,1\n5,,0\n")
    with pytest.raises(ValueError, match=r"column 'b' has no value .* in line 4; .*SimpleImputer"):
        io.features(io.read_table(path), ["a", "b"])


def test_csv_line_counts_line_breaks_inside_quotes(tmp_path, csv_reader):
    path = written(tmp_path, 'a,t\n1,"x\ny"\nnan,z\n')
    with pytest.raises(ValueError, match="in line 4"):
        io.features(io.read_table(path), ["a"])


def test_csv_infinite_value_names_column_and_line(tmp_path, csv_reader):
    path = written(tmp_path, "a,b\n1,2\n3,inf\n")
    with pytest.raises(ValueError, match=r"column 'b' is infinite \('inf'\) in line 3"):
        io.features(io.read_table(path), ["a", "b"])


def test_csv_missing_label_names_line(tmp_path, csv_reader):
    path = written(tmp_path, "a,y\n1,yes\n2,\n3,no\n")
    with pytest.raises(ValueError, match=r"column 'y' has no value in line 3 \(1 missing in all\)"):
        io.labels(io.read_table(path), "y")


def test_csv_missing_truth_value_is_missing(tmp_path, csv_reader):
    path = written(tmp_path, "a,y\ntrue,true\n,\nfalse,false\n")
    table = io.read_table(path)
    with pytest.raises(ValueError, match="column 'y' has no value in line 3"):
        io.labels(table, "y")


def test_csv_text_columns_are_named_with_a_value(tmp_path, csv_reader):
    path = written(tmp_path, "a,town,b,kind\n1,,2,x\n2,Oslo,3,y\n")
    with pytest.raises(
        ValueError, match=r"not numeric: 'town', 'kind' \(line 3: 'Oslo'\); .*--drop"
    ):
        io.features(io.read_table(path), ["a", "town", "b", "kind"])


def test_csv_truncated_names_line(tmp_path, csv_reader):
    path = written(tmp_path, "a,b,c\n1,2,3\n4,5,6\n7,8")
    with pytest.raises(ValueError, match=r"line 4: 2 values, but the header names 3 columns"):
        io.read_table(path)


def test_csv_truncated_gzip(tmp_path, csv_reader):
    rng = np.random.default_rng(0)
    text = "a,b\n" + "\n".join(f"{a},{b}" for a, b in rng.random((5000, 2)))
    path = written(tmp_path, gzip.compress(text.encode())[:-2000], "data.csv.gz")
    with pytest.raises(ValueError, match="damaged, truncated or not a CSV file"):
        io.read_table(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("a,b\n", "has no rows"),
        ("\n1,2\n", "has no columns"),
        ("a,a\n1,2\n", "more than one column is called 'a'"),
        (",a\n1,2\n", "column 1 has no name"),
        (b"a,b\n1,\xff\xfe\n2,\xff\n", None),
        (b"\x89PNG\r\n\x1a\n\x00\x00\xff", "damaged, truncated or not a CSV file"),
    ],
)
def test_csv_that_is_none(tmp_path, csv_reader, text, message):
    path = written(tmp_path, text)
    with pytest.raises(ValueError, match=message):
        io.features(io.read_table(path), ["a", "b"])


def test_csv_integer_too_large_becomes_float(tmp_path, csv_reader):
    table = io.read_table(written(tmp_path, "a\n123456789012345678901234567890\n1\n"))
    assert io.features(table, ["a"]).ravel().tolist() == [123456789012345678901234567890.0, 1.0]


# --- Parquet


def test_parquet_round_trip_keeps_float32(tmp_path):
    path = tmp_path / "data.parquet"
    values = np.random.default_rng(1).standard_normal((50, 2)).astype(np.float32)
    table = pa.table({"a": values[:, 0], "b": values[:, 1], "y": ["no", "yes"] * 25})
    parquet.write_table(table, path)
    table = io.read_table(path)
    X = io.features(table, ["b", "a"])
    assert X.dtype == np.float32
    np.testing.assert_array_equal(X, values[:, ::-1])
    assert io.labels(table, "y").tolist() == ["no", "yes"] * 25


def test_parquet_odd_types(tmp_path):
    path = tmp_path / "data.parquet"
    columns = {
        "half": pa.array(np.array([1, 2], np.float16)),
        "money": pa.array(["1.25", "2.5"]).cast(pa.decimal128(10, 2)),
        "kind": pa.array(["u", "v"]).dictionary_encode(),
        "when": pa.array([0, 1], pa.timestamp("s")),
        "nothing": pa.array([None, None]),
        "__index_level_0__": pa.array([7, 8]),
    }
    parquet.write_table(pa.table(columns), path)
    table = io.read_table(path)
    assert table.names == ("half", "money", "kind", "when", "nothing")
    np.testing.assert_array_equal(io.features(table, ["half", "money"]), [[1, 1.25], [2, 2.5]])
    assert io.labels(table, "kind").tolist() == ["u", "v"]
    with pytest.raises(ValueError, match="column 'when' holds dates or times"):
        io.features(table, ["when"])
    with pytest.raises(ValueError, match="labels must be text or numbers"):
        io.labels(table, "when")
    with pytest.raises(ValueError, match=r"'nothing' has no value .* row 0, counting from 0"):
        io.features(table, ["nothing"])


def test_parquet_labels_of_lists(tmp_path):
    path = tmp_path / "data.parquet"
    parquet.write_table(pa.table({"a": [1.0, 2.0], "y": [[1], [2]]}), path)
    with pytest.raises(ValueError, match="'y' is neither text nor numbers"):
        io.labels(io.read_table(path), "y")


def test_parquet_truncated_or_foreign(tmp_path):
    path = tmp_path / "data.parquet"
    parquet.write_table(pa.table({"a": np.arange(1000.0)}), path)
    for content in (path.read_bytes()[:-100], TEXT.encode()):
        bad = written(tmp_path, content, "bad.parquet")
        with pytest.raises(ValueError, match="damaged, truncated or not a Parquet file"):
            io.read_table(bad)


def test_parquet_without_pyarrow_says_what_to_install(tmp_path, monkeypatch):
    path = written(tmp_path, b"PAR1", "data.parquet")
    hide_pyarrow(monkeypatch)
    for action in (
        lambda: io.read_table(path),
        lambda: io.write_columns(path, {"a": np.zeros(1)}),
    ):
        with pytest.raises(ModuleNotFoundError, match=r"pip install 'fastlogit\[all\]'"):
            action()


# --- .npz


def test_npz_matrix_is_not_copied_and_extras_are_columns(tmp_path):
    path = tmp_path / "data.npz"
    X = np.random.default_rng(2).standard_normal((20, 3)).astype(np.float32)
    np.savez(path, X=X, y=np.arange(20) % 2, importance=np.ones(20), date=np.array(5))
    table = io.read_table(path)
    assert table.names == ("x0", "x1", "x2")
    assert io.target_name(table, None) == "y"
    assert io.features(table, table.names) is table.values
    np.testing.assert_array_equal(io.features(table, ["x2", "x0"]), X[:, [2, 0]])
    np.testing.assert_array_equal(io.weights(table, "importance"), np.ones(20))
    with pytest.raises(ValueError, match=r"column .x1. is negative in row .*, counting from 0"):
        io.weights(table, "x1")


def test_npz_feature_names(tmp_path):
    path = tmp_path / "data.npz"
    np.savez(path, X=np.eye(2), y=[0, 1], feature_names=["tall", "wide"])
    assert io.read_table(path).names == ("tall", "wide")


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"Z": np.eye(2)}, r"has no array 'X' \(found: Z\)"),
        ({}, r"has no array 'X' \(found: no arrays\)"),
        ({"X": np.zeros(3)}, r"X has 1 dimension\(s\), 2 are needed"),
        ({"X": np.eye(2), "y": np.zeros(3)}, "X has 2 rows, but y has 3 values"),
        ({"X": np.eye(2), "feature_names": ["a"]}, "has 1 names, but X has 2 columns"),
        ({"X": np.eye(2), "feature_names": ["a", "a"]}, "more than one column is called 'a'"),
        ({"X": np.zeros((0, 2))}, "has no rows"),
        ({"X": np.array([[1, None]], dtype=object)}, "the array 'X' holds Python objects"),
        (
            {"X": np.eye(2), "y": np.array(["a", None], dtype=object)},
            r"the array 'y' holds Python objects .*y\.astype\(float\)",
        ),
    ],
)
def test_npz_that_does_not_fit(tmp_path, arrays, message):
    path = tmp_path / "data.npz"
    np.savez(path, **arrays)
    with pytest.raises(ValueError, match=message):
        io.read_table(path)


def test_npz_complex_or_text_matrix(tmp_path):
    for k, X in enumerate((np.eye(2) * 1j, np.array([["a", "b"]]))):
        path = tmp_path / f"data{k}.npz"
        np.savez(path, X=X)
        with pytest.raises(ValueError, match="not numeric: 'X'"):
            io.features(io.read_table(path), ["x0", "x1"])


def test_npz_infinite_value_far_down_is_found(tmp_path):
    path = tmp_path / "data.npz"
    X = np.zeros((5000, 2))
    X[4321, 1] = -np.inf
    np.savez(path, X=X)
    with pytest.raises(ValueError, match="column 'x1' is infinite in row 4321, counting from 0"):
        io.features(io.read_table(path), ["x0", "x1"])


def test_npz_empty_text_label(tmp_path):
    path = tmp_path / "data.npz"
    np.savez(path, X=np.eye(2), y=["a", ""])
    with pytest.raises(ValueError, match="column 'y' has no value in row 1"):
        io.labels(io.read_table(path), "y")


def test_npz_damaged(tmp_path):
    path = tmp_path / "data.npz"
    np.savez(path, X=np.random.default_rng(3).random((100, 5)), y=np.zeros(100))
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[1000] ^= 1
    for content in (whole[:2000], whole[:-1], bytes(flipped), b"PK\x03\x04", TEXT.encode()):
        bad = written(tmp_path, content, "bad.npz")
        with pytest.raises(ValueError, match="damaged, truncated or not"):
            io.read_table(bad)


def test_npy_under_the_name_npz(tmp_path):
    buffer = stdio.BytesIO()
    np.save(buffer, np.eye(2))
    path = written(tmp_path, buffer.getvalue(), "data.npz")
    with pytest.raises(ValueError, match=r"it is an \.npy file; save it with numpy.savez"):
        io.read_table(path)


# --- svmlight


@pytest.mark.parametrize("zero_based", [True, False])
def test_svmlight_round_trip_by_the_numbers_in_the_file(tmp_path, zero_based):
    data = load_breast_cancer()
    path = tmp_path / "tumour.svmlight"
    dump_svmlight_file(data.data, data.target, str(path), zero_based=zero_based)
    table = io.read_table(path)
    first = 0 if zero_based else 1
    assert table.names == tuple(f"f{j}" for j in range(first, 30 + first))
    assert io.target_name(table, None) == "y"
    np.testing.assert_array_equal(io.labels(table, "y"), data.target)
    X = io.features(table, table.names)
    assert scipy.sparse.issparse(X)
    np.testing.assert_allclose(X.toarray(), data.data, rtol=1e-15)
    np.testing.assert_allclose(table.column("f3"), data.data[:, 3 - first], rtol=1e-15)


def test_svmlight_column_that_the_file_does_not_mention_is_zero(tmp_path):
    table = io.read_table(written(tmp_path, "1 1:2.5\n0 2:1\n", "data.libsvm"))
    X = io.features(table, ["f1", "f2", "f9"])
    np.testing.assert_array_equal(X.toarray(), [[2.5, 0, 0], [0, 1, 0]])
    with pytest.raises(ValueError, match="lacks 1 of the model's 1 columns: 'size'"):
        io.features(table, ["size"])


@pytest.mark.parametrize("number", [20_000_000, 100_000_000, 10**12])
@pytest.mark.parametrize("name", ["data.svm", "data.svm.gz"])
def test_svmlight_of_too_many_columns_is_refused_by_the_counts(tmp_path, monkeypatch, number, name):
    """Names of 2e7 columns took 3.3 GB and 48 s."""
    text = f"1 qid:3 1:0.5 {number}:1 # 5:6\n\n# 7:8\n0 2:1\n".encode()
    path = written(tmp_path, gzip.compress(text) if name.endswith("gz") else text, name)
    monkeypatch.setattr("sklearn.datasets.load_svmlight_file", None)
    with pytest.raises(ValueError, match=f"{number:,} columns.*the limit is.*svmlight_source"):
        io.read_table(path)


def test_sparse_columns_beside_categories_are_unpacked_up_to_a_size(tmp_path, monkeypatch):
    table = io.read_table(written(tmp_path, "1 1:2 2:1\n0 1:1 3:4\n", "data.svm"))
    X = io.frame_of(table, table.names, ["f1"])
    np.testing.assert_array_equal(X.numbers, [[1, 0], [0, 4]])
    monkeypatch.setattr("fastlogit.io.tables.MAX_DENSE_BYTES", 16)
    with pytest.raises(ValueError, match=r"2 rows x 2 columns would take .*leave --categories"):
        io.frame_of(table, table.names, ["f1"])


def test_rows_of_a_sparse_file_that_lack_a_value(tmp_path):
    table = io.read_table(written(tmp_path, "1 1:2 2:nan\n0 1:1 3:4\n1 2:0 3:1\n", "data.svm"))
    kept = io.complete_rows(table, (*table.names, "y"))
    np.testing.assert_array_equal(kept.matrix(table.names).toarray(), [[1, 0, 4], [0, 0, 1]])
    assert kept.where(1) == "row 2, counting from 0"
    assert io.complete_rows(table, ("f1", "f3", "y")) is table


# --- .npz of scipy.sparse.save_npz

SPARSE = scipy.sparse.csr_matrix([[1.5, 0, 0], [0, 0, 2], [0, 1, 0]])


@pytest.mark.parametrize("form", ["csr", "csc", "coo"])
@pytest.mark.parametrize("kind", ["matrix", "array"])
def test_a_sparse_matrix_of_scipy(tmp_path, form, kind):
    path = tmp_path / "words.npz"
    scipy.sparse.save_npz(path, getattr(scipy.sparse, f"{form}_{kind}")(SPARSE))
    table = io.read_table(path)
    assert table.names == ("x0", "x1", "x2")
    X = io.features(table, table.names)
    assert X.format == "csr"
    np.testing.assert_array_equal(X.toarray(), SPARSE.toarray())
    np.testing.assert_array_equal(
        io.features(table, ["x2", "x0"]).toarray(), SPARSE.toarray()[:, [2, 0]]
    )
    np.testing.assert_array_equal(table.column("x1"), [0, 0, 1])
    with pytest.raises(ValueError, match=r"labels of a sparse matrix stand in .*words\.y\.npy"):
        io.target_name(table, None)


@pytest.mark.parametrize("name", ["words.y.npy", "words.y.txt"])
def test_labels_beside_a_sparse_matrix(tmp_path, name):
    path = tmp_path / "words.npz"
    scipy.sparse.save_npz(path, SPARSE)

    def write(labels):
        if name.endswith("npy"):
            np.save(tmp_path / name, labels)
        else:
            (tmp_path / name).write_text("\n".join(map(str, labels)))

    write([0, 1, 1])
    table = io.read_table(path)
    np.testing.assert_array_equal(io.labels(table, io.target_name(table, None)), [0, 1, 1])
    write(["no", "yes", "yes"])
    assert io.labels(io.read_table(path), "y").tolist() == ["no", "yes", "yes"]
    write([0, 1])
    with pytest.raises(ValueError, match=r"y\.(npy|txt) has shape \(2,\), but the matrix .* has 3"):
        io.read_table(path)


def parts(**change):
    """What `save_npz` writes, changed."""
    kept = {
        "format": b"csr", "shape": [3, 3], "data": SPARSE.data, "indices": SPARSE.indices,
        "indptr": SPARSE.indptr,
    } | change  # fmt: skip
    return {name: np.array(value) for name, value in kept.items() if value is not None}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"format": b"bsr"}, "format 'bsr'; save X.tocsr()"),
        ({"data": SPARSE.data * 1j}, "X holds complex128 values"),
        ({"indices": [0, 2, 7]}, "damaged, truncated or not"),
        ({"indptr": [0, 1]}, "damaged, truncated or not"),
        ({"indptr": None}, "damaged, truncated or not"),
        ({"shape": [3, 10**9]}, r"1,000,000,000 columns.*the limit is"),
        ({"y": [0, 1]}, "X has 3 rows, but y has 2 values"),
    ],
    ids=str,
)
def test_sparse_matrices_that_are_broken(tmp_path, change, words):
    path = tmp_path / "words.npz"
    np.savez(path, **parts(**change))
    with pytest.raises(ValueError, match=words):
        io.read_table(path)


def test_names_and_labels_in_the_file_of_a_sparse_matrix(tmp_path):
    path = tmp_path / "words.npz"
    np.savez(path, **parts(y=[0, 1, 1], feature_names=["a", "b", "c"]))
    table = io.read_table(path)
    assert table.names == ("a", "b", "c")
    np.testing.assert_array_equal(io.labels(table, "y"), [0, 1, 1])


def test_svmlight_value_that_is_no_number(tmp_path):
    table = io.read_table(written(tmp_path, "1 1:1\n0 1:nan\n", "data.svm"))
    with pytest.raises(ValueError, match=r"'f1' has no value .* in row 1, counting from 0"):
        io.features(table, ["f1"])


def test_svmlight_foreign(tmp_path):
    with pytest.raises(ValueError, match=r"data.svm, line 1: '.*' is no row of svmlight"):
        io.read_table(written(tmp_path, TEXT, "data.svm"))


@pytest.mark.parametrize("line", ["0 2:1 1:3", "1 1:x", "foo 1:1", "1 1"])
def test_svmlight_wrong_lines_of_small_files_are_named(tmp_path, line):
    path = written(tmp_path, f"1 1:1 2:2\n# a remark\n0 2:1\n{line}\n", "data.svm")
    with pytest.raises(ValueError, match=rf"data.svm, line 4: '{line}' is no row of svmlight"):
        io.read_table(path)


def test_labels_beside_a_sparse_matrix_are_those_of_a_csv_file(tmp_path):
    from scipy import sparse

    sparse.save_npz(tmp_path / "words.npz", sparse.eye_array(4).tocsr())
    for lines, wanted in (
        (["1", "0", "1", "0"], [1, 0, 1, 0]),
        (["true", "false", "true", "true"], [True, False, True, True]),
        (["0.5", "1", "1", "1"], [0.5, 1.0, 1.0, 1.0]),
        (["a", "b ", "a", "a"], ["a", "b", "a", "a"]),
    ):
        (tmp_path / "words.y.txt").write_text("\n".join(lines) + "\n")
        found = io.labels(io.read_table(tmp_path / "words.npz"), "y")
        assert found.tolist() == wanted
        assert [type(each) for each in found.tolist()] == [type(each) for each in wanted]
    (tmp_path / "words.y.txt").write_text("a\nNA\nb\na\n")
    with pytest.raises(ValueError, match="column 'y' has no value"):
        io.labels(io.read_table(tmp_path / "words.npz"), "y")


@pytest.mark.parametrize(
    ("text", "names", "wanted"),
    [
        ("a,b", ["a,b", "c"], ["a,b"]),
        ("a,b", ["a", "b"], ["a", "b"]),
        ("a,b, c", ["a,b", "c"], ["a,b", "c"]),
        ("c,a,b", ["a,b", "c", "a"], ["c", "a,b"]),
        ("x, y", ["a"], ["x", "y"]),
    ],
)
def test_names_with_commas_between_commas(text, names, wanted):
    assert categories.names_in(text, names) == wanted


def test_categories_of_a_file_in_blocks_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("fastlogit.io.sparse_files.is_too_large", lambda path: True)
    table = io.read_table(written(tmp_path, "1 1:1 2:2\n0 1:2 2:1\n", "data.svm"))
    with pytest.raises(ValueError, match=r"is read in blocks, .* no categorical columns \('f2'\)"):
        io.frame_of(table, ["f1", "f2"], ["f2"])


# --- columns by name


def test_near_names_of_the_target(tmp_path):
    table = io.read_table(written(tmp_path, "radius,Diagnosis\n1,a\n2,b\n"))
    with pytest.raises(
        ValueError, match=r"target column 'diagnosi' is not in .* \(did you mean 'Diagnosis'\?\)"
    ):
        io.target_name(table, "diagnosi")
    with pytest.raises(ValueError, match=r"\(there are: 'radius', 'Diagnosis'\)"):
        io.target_name(table, "zzz")
    with pytest.raises(ValueError, match="--target is needed"):
        io.target_name(table, None)


def test_columns_are_taken_by_name_not_by_place(tmp_path):
    table = io.read_table(written(tmp_path, "b,extra,a\n1,9,2\n3,9,4\n"))
    np.testing.assert_array_equal(io.features(table, ["a", "b"]), [[2, 1], [4, 3]])
    assert io.unused_names(table, ["a", "b"]) == ["extra"]


def test_absent_columns_with_near_names(tmp_path):
    table = io.read_table(written(tmp_path, "mean_radius,texture\n1,2\n"))
    names = ["mean radius", "texture", *(f"q{k}" for k in range(7))]
    with pytest.raises(
        ValueError,
        match=r"lacks 8 of the model's 9 columns: 'mean radius' \(did you mean 'mean_radius'\?\), "
        r"'q0', 'q1', 'q2', 'q3' and 3 more",
    ):
        io.features(table, names)


def test_feature_names_leave_out(tmp_path):
    table = io.read_table(written(tmp_path, TEXT))
    assert io.feature_names(table, ["town", "weight"]) == ("size", "ripe", "count")
    with pytest.raises(ValueError, match=r"dropped column 'twon' .* mean 'town'"):
        io.feature_names(table, ["twon"])
    with pytest.raises(ValueError, match="no column is left"):
        io.feature_names(table, table.names)


def test_weights_must_be_numbers(tmp_path):
    table = io.read_table(written(tmp_path, TEXT))
    assert io.weights(table, "weight").tolist() == [0.5, 1.0, 2.0]
    with pytest.raises(ValueError, match="not numeric: 'town'"):
        io.weights(table, "town")
    with pytest.raises(ValueError, match=r"weights column 'wieght' .* mean 'weight'"):
        io.weights(table, "wieght")


# --- paths


def test_paths_that_cannot_be_read(tmp_path):
    written(tmp_path, TEXT)
    with pytest.raises(FileNotFoundError, match=r"no such file: .*dat.csv \(did you mean 'data"):
        io.read_table(tmp_path / "dat.csv")
    with pytest.raises(FileNotFoundError, match="no such file"):
        io.read_table(tmp_path / "nowhere" / "dat.csv")
    with pytest.raises(ValueError, match=r"unknown kind of file '\.xlsx'; fastlogit reads \.csv,"):
        io.read_table(tmp_path / "data.xlsx")
    with pytest.raises(ValueError, match="unknown kind of file ''"):
        io.read_table(tmp_path / "data")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(IsADirectoryError, match="is a directory"):
        io.read_table(tmp_path / "folder.csv")


# --- writing


COLUMNS = {"prediction": np.array(["a", "b"]), "proba_b": np.array([0.1, 1 / 3])}


@pytest.mark.parametrize("name", ["out.csv", "out.parquet"])
def test_written_columns_are_read_back(tmp_path, name):
    io.write_columns(tmp_path / name, COLUMNS)
    table = io.read_table(tmp_path / name)
    np.testing.assert_array_equal(io.labels(table, "prediction"), COLUMNS["prediction"])
    np.testing.assert_array_equal(table.column("proba_b"), COLUMNS["proba_b"])


def test_written_npz(tmp_path):
    io.write_columns(tmp_path / "out.npz", COLUMNS)
    with np.load(tmp_path / "out.npz") as file:
        np.testing.assert_array_equal(file["proba_b"], COLUMNS["proba_b"])


def test_written_to_the_standard_output(capsys):
    io.write_columns(None, COLUMNS)
    assert capsys.readouterr().out == "prediction,proba_b\na,0.1\nb,0.3333333333333333\n"


def test_check_writable(tmp_path):
    io.check_writable(tmp_path / "out.csv", io.WRITABLE)
    with pytest.raises(ValueError, match="there is no directory"):
        io.check_writable(tmp_path / "none" / "out.csv")
    with pytest.raises(ValueError, match="it is a directory"):
        io.check_writable(tmp_path)
    with pytest.raises(ValueError, match=r"must end in \.csv or \.parquet or \.npz"):
        io.check_writable(tmp_path / "out.txt", io.WRITABLE)


# --- CSV: the two readers give the same, and texts mean one thing

VALUES = (
    "0x10", "0X1F", "-0x10", "1_000", "\u00a01", "1\u00a0000", "\u2003 1", "\uff11", "٣", "inf",
    "Inf", "-inf", "+inf", "INFINITY", "nan", "-nan", "NAN", "nan(1)", "nan(", "+1", "+1.5",
    "1e5", "1E+05", "1e", "1e400", "1e-400", ".5", "5.", "-.5", ".", "-", "", " ", " 1 ", " 1.5 ",
    "\t1", "1.5\x0b", " NA ", "NA", "null", "None", "?", " true ", "TRUE", "true", "False", "0",
    "1", "007", "-0", "-0.0", "1,5", "1.234,5", "1,234.5", "1,234", "1'000", "1 000",
    "2020-01-01", "12:30", "2020-01-01 10:00:00", "123456789012345678901234567890",
    "9223372036854775808", "-9223372036854775808", "1.7976931348623159e308", "4.9e-324", "0b1",
    "1f", "x", "é", '"', 'a"b',
)  # fmt: skip
FORMS = (
    io.TextFormat(),
    io.TextFormat(sep=";", decimal=","),
    io.TextFormat(sep=";", decimal=",", thousands="."),
    io.TextFormat(thousands=","),
    io.TextFormat(thousands=" "),
    io.TextFormat(na=("?", "x")),
)


def outcome(path, form):
    """Return types and values of all columns, or the words of the error."""
    try:
        table = io.read_table(path, form)
    except ValueError as error:
        return str(error)
    columns = {name: table.column(name) for name in table.names}
    return {name: (str(c.dtype), [repr(v) for v in c.tolist()]) for name, c in columns.items()}


def texts_of_files():
    """Yield files with each value in several neighbourhoods, then random ones with odd lines."""
    rng = random.Random(7)

    def quoted(value):
        return '"' + value.replace('"', '""') + '"'

    for form in FORMS:
        sep = form.sep or ","
        for value in VALUES:
            for column in ([value], ["3", value], ["2.5", value], ["true", value], ["", value]):
                for write in (quoted, str):
                    yield form, f"a{sep}b\n" + "".join(f"{write(v)}{sep}1\n" for v in column)
        for _ in range(200):
            lines = [
                rng.choice((quoted, str))(value)
                + rng.choice((f"{sep}1", f"{sep}1", f"{sep}", f"{sep}1{sep}", f"{sep} 1"))
                + rng.choice(("\n", "\r\n", "\n\n", "\n  \n"))
                for value in rng.choices(VALUES, k=3)
            ]
            yield form, rng.choice(("", "\ufeff")) + f"a{sep}b\n" + "".join(lines)


@pytest.mark.parametrize("step", [31, pytest.param(1, marks=pytest.mark.slow)])
def test_both_csv_readers_give_the_same(tmp_path, monkeypatch, step):
    files = list(texts_of_files())
    assert len(files) > 4000
    files = files[::step]
    outcomes = []
    for hidden in (False, True):
        with monkeypatch.context() as patch:
            if hidden:
                hide_pyarrow(patch)
            outcomes.append([outcome(written(tmp_path, text), form) for form, text in files])
    different = [
        (form, text, one, other)
        for (form, text), one, other in zip(files, *outcomes, strict=True)
        if one != other
    ]
    assert different[:3] == []


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0x10", None), ("1_000", None), ("\u00a01", None), ("1\u00a0000", None), ("\uff11", None),
        ("nan(", None), ("1e", None), ("2020-01-01", None), (" 1 ", 1.0), ("\t1", 1.0),
        ("+1", 1.0), ("1e5", 1e5), ("-.5", -0.5), ("5.", 5.0), ("007", 7.0), ("inf", np.inf),
        ("-Infinity", -np.inf), ("1e400", np.inf), ("1e-400", 0.0),
    ],
)  # fmt: skip
def test_csv_what_is_a_number(tmp_path, csv_reader, text, number):
    column = io.read_table(written(tmp_path, f"a,b\n{text},1\n2.5,1\n")).column("a")
    assert column.tolist() == ([text, "2.5"] if number is None else [number, 2.5])


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ('"Income (EUR, yearly)";"ok"\n1;2\n', ("Income (EUR, yearly)", "ok")),
        ('"a, b, c";"d"\n"1, 2, 3";2\n', ("a, b, c", "d")),
        ("Income (EUR, yearly);ok\n1;2\n3;4\n", ("Income (EUR, yearly)", "ok")),
        ('"a;b;c",d\n1,2\n', ("a;b;c", "d")),
        ("a;b\n1,5;2,5\n", ("a", "b")),
        ("a|b\n1|2\n", ("a", "b")),
        ("a\tb, c\n1\t2\n", ("a", "b, c")),
        ('id,text\n1,"x; y; z"\n', ("id", "text")),
        ('"a\n, b";c\n1;2\n', ("a\n, b", "c")),
        ("only\n1\n", ("only",)),
    ],
)
def test_csv_separator_is_found_outside_quotes(tmp_path, csv_reader, text, names):
    assert io.read_table(written(tmp_path, text)).names == names


def test_csv_options(tmp_path, csv_reader):
    path = written(tmp_path, "a:b:c\n1,5:1.234.567,25:-\n-2:12:3\n")
    form = io.TextFormat(sep=":", decimal=",", thousands=".", na=("-",))
    table = io.read_table(path, form)
    assert table.column("a").tolist() == [1.5, -2.0]
    assert table.column("b").tolist() == [1234567.25, 12.0]
    assert np.isnan(table.column("c")).tolist() == [True, False]
    with pytest.raises(ValueError, match=r"column 'c' has no value \('-'\) in line 2; .*--drop-m"):
        io.features(table, ["a", "c"])
    path = written(tmp_path, "a\tb\n1\u00a0000\t1 234\n2\u202f000,5\t7\n")
    table = io.read_table(path, io.TextFormat(sep="tab", decimal=",", thousands=" "))
    assert table.column("a").tolist() == [1000.0, 2000.5]
    assert table.column("b").tolist() == [1234, 7]
    assert table.column("b").dtype == np.int64


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sep": ",,"}, "--sep must be one character"),
        ({"sep": ""}, r"--sep must be one character .*got ''$"),
        ({"sep": ";;"}, r"got ';;'; did you mean --sep ';'\?$"),
        ({"sep": "';'"}, r"did you mean --sep ';'\?$"),
        ({"sep": "\\;"}, r"did you mean --sep ';'\?$"),
        ({"sep": "Semicolon"}, r"did you mean --sep ';'\?$"),
        ({"sep": "\\\\t"}, r"did you mean --sep tab\?$"),
        ({"sep": "semikolon"}, r"got 'semikolon'$"),
        ({"sep": ";,"}, r"got ';,'$"),
        ({"decimal": "comma"}, r"did you mean --decimal ,\?$"),
        ({"thousands": "space"}, r"did you mean --thousands ' '\?$"),
        ({"decimal": "1"}, "--decimal must be one character that is no letter"),
        ({"thousands": "-"}, "--thousands cannot be a sign"),
        ({"decimal": ",", "thousands": ","}, "--thousands and --decimal are both ','"),
    ],
)
def test_csv_options_that_mean_nothing(options, message):
    with pytest.raises(ValueError, match=message):
        io.TextFormat(**options)


def test_csv_options_are_for_csv_files(tmp_path):
    np.savez(tmp_path / "data.npz", X=np.eye(2))
    with pytest.raises(ValueError, match=r"is no CSV file: leave --sep, --decimal"):
        io.read_table(tmp_path / "data.npz", io.TextFormat(sep=";"))


@pytest.mark.parametrize(
    ("values", "advice"),
    [
        (["1,5", "2,25"], "--decimal ,"),
        (["1.234,5", "2.000,25"], r"--decimal , --thousands \."),
        (["1,234", "12,000"], "--thousands ,"),
        (["1,234.5", "12"], "--thousands ,"),
        (["1'234.5", "12"], '--thousands "\'"'),
        (["1\u00a0234", "12"], "--thousands ' '"),
        (["1_234", "12"], "--thousands _"),
    ],
)
def test_csv_numbers_written_otherwise_are_hinted_at(tmp_path, csv_reader, values, advice):
    path = written(tmp_path, "a;b\n7;7\n" + "".join(f"{value};7\n" for value in values))
    shown = re.escape(repr(values[0]))
    with pytest.raises(ValueError, match=rf"\(line 3: {shown}\); .*written: {advice}$"):
        io.features(io.read_table(path), ["a", "b"])


def test_csv_decimal_commas_that_split_values(tmp_path, csv_reader):
    with pytest.raises(ValueError, match=r"line 2: 4 values, .* decimal commas need another"):
        io.read_table(written(tmp_path, "a,b\n1,5,2,5\n"))


def test_csv_options_that_are_wrong_for_the_file(tmp_path, csv_reader):
    table = io.read_table(written(tmp_path, "a;b\n1.5;2\n"), io.TextFormat(decimal=","))
    with pytest.raises(ValueError, match=r"line 2: '1\.5'\); with --decimal .* is no number"):
        io.features(table, ["a", "b"])


@pytest.mark.parametrize("mark", ["?", "missing", "-"])
def test_csv_mark_of_missing_values_is_named_with_its_line(tmp_path, csv_reader, mark):
    rows = ["1.5,2"] * 3000
    rows[2498] = rows[2999] = f"{mark},2"
    table = io.read_table(written(tmp_path, "a,b\n" + "\n".join(rows)))
    with pytest.raises(ValueError) as caught:
        io.features(table, ["a", "b"])
    assert f"not numeric: 'a' (line 2500: '{mark}')" in str(caught.value)
    assert f"holds numbers but for '{mark}' (2 times)" in str(caught.value)
    assert "--na " in str(caught.value)


@pytest.mark.parametrize("mark", ["NA", "null", "", "n/a", " NA "])
def test_csv_known_mark_is_shown_as_it_stands(tmp_path, csv_reader, mark):
    table = io.read_table(written(tmp_path, f"a,y\n1.5,u\n{mark},{mark}\n"))
    shown = repr(mark) if mark else "an empty cell"
    with pytest.raises(ValueError, match=rf"column 'a' has no value \({shown}\) in line 3"):
        io.features(table, ["a"])
    shown = rf" \({mark!r}\)" if mark else ""
    with pytest.raises(ValueError, match=rf"column 'y' has no value{shown} in line 3 \(1 missing"):
        io.labels(table, "y")


@pytest.mark.slow
def test_csv_mark_in_a_file_of_240_001_rows(tmp_path, csv_reader):
    rows = ["1.5,2"] * 240_001
    rows[200_000] = "?,2"
    table = io.read_table(written(tmp_path, "a,b\n" + "\n".join(rows)))
    with pytest.raises(ValueError, match=r"\(line 200002: '\?'\).*'\?' \(1 times\)"):
        io.features(table, ["a", "b"])


def test_csv_of_latin_1(tmp_path, csv_reader):
    for text, line in (("größe,b\n1,2\n", 1), ("a,b\n1,x\n2,Zürich\n", 3)):
        path = written(tmp_path, text.encode("latin-1"))
        with pytest.raises(ValueError) as caught:
            io.read_table(path)
        assert "is not UTF-8 text: byte 0xF" in str(caught.value)
        assert f"in line {line}, which Latin-1 reads as" in str(caught.value)
        assert "iconv -f latin1" in str(caught.value)
        assert "damaged" not in str(caught.value)


def test_csv_of_utf_16(tmp_path, csv_reader):
    with pytest.raises(ValueError, match="is UTF-16 text, but UTF-8 is needed"):
        io.read_table(written(tmp_path, "a,b\n1,2\n".encode("utf-16")))


def test_csv_that_pyarrow_cannot_read_but_is_right(tmp_path, csv_reader):
    """A row must fit into a block of pyarrow's; a text of 2 MB did not."""
    path = written(tmp_path, "a,t\n1," + "x" * 100_000 + "\n2,y\n")
    assert io.read_table(path).column("a").tolist() == [1, 2]
    names = [f"{'column ' * 30}{j}" for j in range(5_000)]
    path = written(tmp_path, ",".join(names) + "\n" + ",".join(["1.25"] * len(names)) + "\n")
    assert io.read_table(path).names == tuple(names)


def test_csv_without_a_header_or_with_another_separator(tmp_path, csv_reader):
    table = io.read_table(written(tmp_path, "5.1,3.5,setosa\n4.9,3.0,setosa\n"))
    with pytest.raises(ValueError, match="is the header missing"):
        io.target_name(table, "kind")
    table = io.read_table(written(tmp_path, "a:b\n1:2\n"))
    with pytest.raises(ValueError, match="another separator needed, with --sep"):
        io.target_name(table, "b")


@pytest.mark.parametrize(
    ("text", "form", "message"),
    [
        ("a;b\n1;2\n", io.TextFormat(sep=","), r"one column only with --sep ,: is --sep ';' meant"),
        ("a\tb\n1\t2\n", io.TextFormat(sep=";"), r"with --sep ';': is --sep tab meant"),
        ("# by hand\na\n1\n", None, r"the first line begins with '# by hand': if that is a comm"),
    ],
)
def test_csv_header_of_one_column(tmp_path, csv_reader, text, form, message):
    table = io.read_table(written(tmp_path, text), form or io.TextFormat())
    with pytest.raises(ValueError, match=message):
        io.target_name(table, "b")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("# by hand\na,b\n1,2\n", "line 1 begins with '# by hand'"),
        ("# by hand\n# 2024, x\na,b\n1,2\n", "line 1 begins with '# by hand'"),
        ("a,b\n1,2\n# the rest\n3,4\n", "line 3 begins with '# the rest'"),
        ("a,b\n1,2\n # from here, on\n3,4\n", r"\(line 3: ' # from here'\); that line begins"),
    ],
)
def test_csv_comments_are_named_with_their_line(tmp_path, csv_reader, text, line):
    with pytest.raises(ValueError, match=rf"{line}.* if that is a comment, .*grep -v") as caught:
        io.features(io.read_table(written(tmp_path, text)), ["a", "b"])
    assert "truncated" not in str(caught.value)


def test_csv_header_after_a_hash_is_no_comment(tmp_path, csv_reader):
    table = io.read_table(written(tmp_path, "#a,b\n1,2\n3,4\n"))
    assert io.features(table, ["#a", "b"]).tolist() == [[1.0, 2.0], [3.0, 4.0]]


# --- dates

DATES = ["2024-03-01", "2024/3/1", "1.3.2024", "03/01/24", "1 Mar 2024", "March 1, 2024", "10:30",
         "2024-03-01T10:30:00Z", "2024-03-01 10:30:00.5+01:00", "3/1/2024 10:30 PM"]  # fmt: skip


@pytest.mark.parametrize("day", DATES)
def test_csv_columns_of_dates_are_named(tmp_path, csv_reader, day):
    text = f'x,first day,last\n1,"{day}","{day}"\n2,"{day}","{day}"\n'
    table = io.read_table(written(tmp_path, text))
    with pytest.raises(
        ValueError, match=r"column 'first day' holds dates or times \(line 2: "
    ) as e:
        io.features(table, ["x", "first day", "last"])
    assert "make numbers of them first" in str(e.value)
    assert str(e.value).endswith("--drop 'first day' --drop last")


@pytest.mark.parametrize("text", ["1.2024", "1-2", "2024-3", "12.3.4.5", "1e3-2-4", "Oslo 12"])
def test_what_is_no_date(tmp_path, csv_reader, text):
    table = io.read_table(written(tmp_path, f"x,t\n1,a{text}\n2,{text}\n"))
    with pytest.raises(ValueError, match="not numeric: 't'"):
        io.features(table, ["t"])
    assert not is_date(text)


def test_arrow_files_with_dates(tmp_path):
    day, span = datetime.date(2024, 3, 1), datetime.timedelta(hours=2)
    at = datetime.datetime(2024, 3, 1, 10, 30, tzinfo=datetime.UTC)
    columns = {"day": [day, None], "at": [at, at], "span": [span, span], "time": [at.time()] * 2}
    parquet.write_table(pa.table(columns | {"x": [1.0, 2.0]}), tmp_path / "d.parquet")
    table = io.read_table(tmp_path / "d.parquet")
    for name in columns:
        with pytest.raises(ValueError, match=f"column '{name}' holds dates or times .*row 0"):
            io.features(table, ["x", name])
    with pytest.raises(ValueError, match="make classes of the dates first"):
        io.labels(table, "at")


# --- what other programs write


def test_files_that_pandas_writes(tmp_path):
    frame = pd.DataFrame(
        {"a": [1.5, 2.5, -3.0], "n": [1, 2, 3], "ok": [True, False, True], "kind": ["u", "v", "u"]},
        index=[7, 8, 9],
    )
    frame.to_parquet(tmp_path / "d.parquet")
    frame.reset_index(drop=True).to_feather(tmp_path / "d.feather")
    frame.to_csv(tmp_path / "d.csv", index=False)
    frame.to_csv(tmp_path / "d.csv.gz", index=False, sep=";", decimal=",")
    for name in ("d.parquet", "d.feather", "d.csv", "d.csv.gz"):
        form = io.TextFormat(decimal=",") if name.endswith("gz") else None
        table = io.read_table(tmp_path / name, form)
        assert table.names == ("a", "n", "ok", "kind")
        np.testing.assert_array_equal(
            io.features(table, ["a", "n", "ok"]), [[1.5, 1, 1], [2.5, 2, 0], [-3, 3, 1]]
        )
        assert io.labels(table, "kind").tolist() == ["u", "v", "u"]


def test_arrow_files_with_one_name_twice(tmp_path):
    twice = pa.table([pa.array([1.0]), pa.array([2.0])], names=["a", "a"])
    parquet.write_table(twice, tmp_path / "d.parquet")
    with (
        pa.OSFile(str(tmp_path / "d.feather"), "wb") as sink,
        pa.ipc.new_file(sink, twice.schema) as writer,
    ):
        writer.write_table(twice)
    for name in ("d.parquet", "d.feather"):
        with pytest.raises(ValueError, match=r"more than one column is called 'a'$"):
            io.read_table(tmp_path / name)


def test_parquet_numbers_written_as_text(tmp_path):
    path = tmp_path / "d.parquet"
    parquet.write_table(pa.table({"a": ["1.5", "2"], "b": ["1", "?"]}), path)
    table = io.read_table(path)
    with pytest.raises(ValueError, match=r"'a' holds numbers that are written as text .*'1\.5'"):
        io.features(table, ["a"])
    with pytest.raises(ValueError, match=r"row 1, .*'\?'.* write it as a missing value"):
        io.features(table, ["b"])
