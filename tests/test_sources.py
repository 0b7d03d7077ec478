"""Parquet files: the fit is the one in memory, whatever the columns, and wherever the rows are."""

import errno
import os
import pickle
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

import fastlogit
from fastlogit import ArrowSource, ParquetSource
from fastlogit.design import mixed_streamed
from fastlogit.options import CategoryOptions

# Rooms above the kernels, with fits that take minutes in plain Python.
pytestmark = pytest.mark.jit

N = 600
RNG = np.random.default_rng(14)
X = RNG.normal(size=(N, 3))
LETTERS = RNG.choice(list("uvw"), N)
Y = (X[:, 0] + (LETTERS == "v") + RNG.logistic(size=N) > 0.5).astype(int)
W = RNG.uniform(0.5, 2.0, N)
NAMES = ["a", "b", "c"]
CHOSEN: dict[str, Any] = {
    "Cs": 3,
    "cv": 3,
    "l1_ratios": (0,),
    "scoring": "neg_log_loss",
    "use_legacy_attributes": False,
}
TABLE = pa.table(
    {**dict(zip(NAMES, X.T, strict=True)), "letter": pa.array(LETTERS).dictionary_encode()}
    | {"y": Y, "w": W}
)
FEATURES = TABLE.select([*NAMES, "letter"])


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the few rows of these tests be several blocks."""
    monkeypatch.setattr(mixed_streamed, "LEAST_BYTES", 1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four files of two row groups each."""
    data = tmp_path / "data"
    data.mkdir()
    for k in range(4):
        pq.write_table(TABLE.slice(150 * k, 150), data / f"part-{k}.parquet", row_group_size=80)
    return data


def in_memory(**options: Any) -> fastlogit.FitResult:
    return fastlogit.fit(FEATURES, Y, sample_weight=W, C=1.0, **options)


def same(found: fastlogit.FitResult, expected: fastlogit.FitResult, tol: float = 1e-10) -> bool:
    return (
        found.converged
        and np.max(found.suboptimality) <= 1e-12
        and np.allclose(found.coef, expected.coef, rtol=0.0, atol=tol)
        and np.allclose(found.intercept, expected.intercept, rtol=0.0, atol=tol)
    )


# ---- the same fit


@pytest.mark.parametrize("spool", ["auto", "disk", "never"])
def test_the_fit_is_the_one_in_memory(folder: Path, spool: str) -> None:
    found = fastlogit.fit(folder, target="y", sample_weight="w", C=1.0, spool=spool)
    expected = in_memory()
    assert same(found, expected)
    assert found.feature_names == expected.feature_names
    assert found.categories == expected.categories
    if spool == "auto":  # in memory: then it is the very same computation
        assert np.array_equal(found.coef, expected.coef)


@pytest.mark.parametrize("spool", ["disk", "never"])
def test_bits_do_not_depend_on_threads(folder: Path, spool: str) -> None:
    pattern = str(folder / "*.parquet")
    one, two = (
        fastlogit.fit(
            pattern, target="y", sample_weight="w", C=1.0, spool=spool, n_threads=n
        )
        for n in (1, 2)
    )  # fmt: skip
    assert np.array_equal(one.coef, two.coef)
    assert one.n_passes == two.n_passes


@pytest.mark.parametrize("solver", ["lbfgs", "newton-cg", "gradient_descent"])
def test_all_solvers_run_on_codes_that_are_streamed(folder: Path, solver: str) -> None:
    tol = {"tol": 1e-9} if solver == "gradient_descent" else {}
    source = ParquetSource(folder, target="y", sample_weight="w", spool="disk")
    found = fastlogit.fit(source, C=1.0, solver=solver, **tol)
    assert found.converged
    assert np.allclose(found.coef, in_memory().coef, rtol=0.0, atol=1e-4 if tol else 1e-6)


def test_l1_and_interactions_and_bounds_on_streamed_codes(tmp_path: Path) -> None:
    other = pa.array(RNG.choice(list("pq"), N)).dictionary_encode()
    table = TABLE.append_column("side", other)
    pq.write_table(table, tmp_path / "t.parquet")
    options: dict[str, Any] = {"C": 1.0, "interactions": [("letter", "side")]}
    expected = fastlogit.fit(table.drop_columns(["y", "w"]), Y, **options)
    left_out = [name for name in table.column_names if name not in ("y", "w")]
    path = tmp_path / "t.parquet"
    found = fastlogit.fit(path, target="y", features=left_out, spool="disk", **options)
    assert same(found, expected)
    assert found.feature_names == expected.feature_names
    options = {"l1_reg": 0.01, "coef_bounds": (0.0, None)}
    expected = fastlogit.fit(FEATURES, Y, **options)
    found = fastlogit.fit(path, target="y", features=FEATURES.column_names, spool="disk", **options)
    assert same(found, expected, 1e-6)
    assert np.array_equal(found.coef == 0.0, expected.coef == 0.0)


def test_a_softmax_with_text_labels_and_an_offset(tmp_path: Path) -> None:
    labels = np.array(["no", "perhaps", "yes"])[RNG.integers(0, 3, N)]
    table = FEATURES.append_column("label", pa.array(labels)).append_column("o", pa.array(W))
    path = tmp_path / "t.parquet"
    pq.write_table(table, path)
    found = fastlogit.fit(
        path, target="label", offset="o", C=1.0, spool="disk", features=FEATURES.column_names
    )
    expected = fastlogit.fit(FEATURES, labels, offset=W, C=1.0)
    assert found.classes.tolist() == ["no", "perhaps", "yes"]
    assert same(found, expected)
    found = fastlogit.fit(
        path, target="label", features=FEATURES.column_names, multi_class="multinomial", C=1.0,
        spool="never",
    )  # fmt: skip
    assert same(found, fastlogit.fit(FEATURES, labels, multi_class="multinomial", C=1.0), 1e-7)


def test_shares_are_a_fractional_response(tmp_path: Path) -> None:
    shares = RNG.uniform(size=N)
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"a": X[:, 0], "share": shares}), path)
    found = fastlogit.fit(path, target="share", fractional=True, spool="disk")
    expected = fastlogit.fit(X[:, :1], shares, fractional=True)
    assert same(found, expected, 1e-8)


# ---- estimators, inference, cross-validation


@pytest.mark.parametrize("spool", ["auto", "disk", "never"])
def test_an_estimator_fits_and_predicts(folder: Path, spool: str) -> None:
    source = ParquetSource(folder, target="y", sample_weight="w", spool=spool)
    model = fastlogit.LogisticRegression(class_weight="balanced").fit(source)
    expected = fastlogit.LogisticRegression(class_weight="balanced").fit(FEATURES, Y, W)
    assert model.feature_names_in_.tolist() == FEATURES.column_names
    assert model.n_features_in_ == 4
    assert np.allclose(model.coef_, expected.coef_, rtol=0.0, atol=1e-7)
    probabilities = model.predict_proba(source)
    assert np.array_equal(probabilities, model.predict_proba(FEATURES))
    assert np.array_equal(model.result_.predict_proba(source), probabilities)


@pytest.mark.parametrize("spool", ["auto", "disk"])
def test_inference_is_that_in_memory(folder: Path, spool: str) -> None:
    clusters = TABLE.append_column("firm", pa.array(np.arange(N) // 20))
    pq.write_table(clusters, folder / "t.parquet")
    source = ParquetSource(
        folder / "t.parquet", target="y", clusters="firm", features=FEATURES.column_names,
        spool=spool,
    )  # fmt: skip
    fitted, expected = fastlogit.fit(source), fastlogit.fit(FEATURES, Y)
    for kind in ("nonrobust", "HC0", "HC3", "CR1", "CR2"):
        of_rows = np.arange(N) // 20 if kind.startswith("CR") else None
        found = fastlogit.infer(fitted, source, cov_type=kind)
        known = fastlogit.infer(expected, FEATURES, Y, cov_type=kind, clusters=of_rows)
        assert found.names == known.names
        assert np.allclose(found.covariance, known.covariance, rtol=1e-8, atol=0.0)


def test_cross_validation_over_a_source(folder: Path) -> None:
    numbers = TABLE.select(NAMES)
    expected = fastlogit.LogisticRegressionCV(**CHOSEN).fit(numbers, Y)
    source = ParquetSource(folder, target="y", features=NAMES, spool="disk")
    found = fastlogit.LogisticRegressionCV(**CHOSEN).fit(source)
    assert found.C_ == expected.C_
    assert np.allclose(found.coef_, expected.coef_, rtol=0.0, atol=1e-7)
    coded = ParquetSource(folder, target="y", features=FEATURES.column_names, spool="disk")
    expected = fastlogit.LogisticRegressionCV(**CHOSEN).fit(FEATURES, Y)
    found = fastlogit.LogisticRegressionCV(**CHOSEN).fit(coded)
    assert np.allclose(found.coef_, expected.coef_, rtol=0.0, atol=1e-7)


def test_the_spool_serves_what_comes_after_the_fit(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fastlogit.sources.files import FileStream

    read = []
    batches = FileStream.batches
    monkeypatch.setattr(
        FileStream, "batches", lambda self, asked: (read.append(1), batches(self, asked))[1]
    )
    source = ParquetSource(folder, target="y", features=NAMES)
    fitted = fastlogit.fit(source)
    fastlogit.infer(fitted, source)
    fitted.predict_proba(source)
    assert len(read) == 1
    source.close()
    fitted.predict_proba(source)
    assert len(read) == 2


def test_a_source_is_pickled_without_its_rows(folder: Path) -> None:
    source = ParquetSource(folder, target="y", sample_weight="w", spool="disk")
    before = fastlogit.fit(source, C=1.0)
    text = pickle.dumps(source)
    assert len(text) < 2000
    after = fastlogit.fit(pickle.loads(text), C=1.0)
    assert np.array_equal(before.coef, after.coef)


# ---- columns


def test_dictionaries_differ_between_row_groups(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    chunks = [
        pa.DictionaryArray.from_arrays([0, 1, 2, 0] * 30, ["u", "v", "u"]),  # a text twice
        pa.DictionaryArray.from_arrays([1, 0] * 40, ["w", "u"]),
    ]
    kind = chunks[0].type
    schema = pa.schema([("letter", kind), ("a", pa.float64()), ("y", pa.int64())])
    parts = []
    start = 0
    for chunk in chunks:
        stop = start + len(chunk)
        parts.append(
            pa.RecordBatch.from_arrays([chunk, X[start:stop, 0], Y[start:stop]], schema=schema)
        )
        start = stop
    table = pa.Table.from_batches(parts)
    expected = fastlogit.fit(table.select(["letter", "a"]), Y[:200], C=1.0)
    found = fastlogit.fit(table, target="y", C=1.0, spool="disk")
    assert found.categories == expected.categories
    assert same(found, expected)
    plain = table.set_column(0, "letter", table["letter"].cast("string"))
    pq.write_table(
        plain.set_column(0, "letter", plain["letter"].dictionary_encode()), path, row_group_size=70
    )
    found = fastlogit.fit(path, target="y", C=1.0)
    assert sorted(found.feature_names or ()) == ["a", "letter[u]", "letter[v]", "letter[w]"]


def test_text_becomes_categories_where_it_is_said(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    texts = TABLE.set_column(3, "letter", pa.array(LETTERS))
    pq.write_table(texts, path)
    with pytest.raises(TypeError, match=r"column 'letter' has the type string.*categorical="):
        fastlogit.fit(path, target="y")
    found = fastlogit.fit(path, target="y", categorical=["letter"], C=1.0, features=["letter"])
    assert found.feature_names == ["letter[u]", "letter[v]", "letter[w]"]  # sorted
    # A model of dictionaries reads columns of text.
    fitted = fastlogit.fit(folder, target="y", sample_weight="w", C=1.0)
    assert np.array_equal(fitted.predict_proba(ParquetSource(path)), fitted.predict_proba(FEATURES))


def test_lists_of_one_size_are_a_block_of_columns(tmp_path: Path) -> None:
    lists = pa.FixedSizeListArray.from_arrays(X[:, :2].reshape(-1), 2)
    table = pa.table({"emb": lists, "c": X[:, 2], "y": Y}).slice(40)  # whose values are all
    expected = fastlogit.fit(X[40:], Y[40:], C=1.0)
    path = tmp_path / "t.parquet"
    pq.write_table(table, path)
    for given in (path, table):
        found = fastlogit.fit(given, target="y", C=1.0)
        assert found.feature_names == ["emb[0]", "emb[1]", "c"]
        assert np.array_equal(found.coef, expected.coef)
    predicted = found.predict_proba(ParquetSource(path))
    assert np.array_equal(predicted, found.predict_proba(X[40:]))
    missing = pa.array([[1.0, 2.0], None, [3.0, None]] * 20, pa.list_(pa.float64(), 2))
    holes = pa.table({"emb": missing, "y": [0, 1, 0] * 20})
    with pytest.raises(ValueError, match=r"column 'emb' is null \(row 1\)"):
        fastlogit.fit(holes, target="y")
    source = fastlogit.ArrowSource(
        pa.concat_tables([holes, table.select(["emb", "y"])]), target="y", nulls="drop"
    )
    fastlogit.fit(source, C=1.0)
    assert source.n_dropped == 40


def test_numbers_of_all_types(tmp_path: Path) -> None:
    whole = RNG.integers(-100, 100, N)
    columns = {
        "half": pa.array(X[:, 0].astype(np.float16)),
        "single": pa.array(X[:, 1].astype(np.float32)),
        "decimal": pa.array(whole).cast(pa.decimal128(30, 2)),
        "bool": pa.array(X[:, 2] > 0.0),
        "small": pa.array(whole.astype(np.int8)),
        "unsigned": pa.array(np.abs(whole).astype(np.uint64)),
    }
    values = np.column_stack([
        X[:, 0].astype(np.float16), X[:, 1].astype(np.float32), whole, X[:, 2] > 0.0, whole,
        np.abs(whole),
    ]).astype(np.float64)  # fmt: skip
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({**columns, "y": pa.array(Y).cast(pa.decimal128(30, 1))}), path)
    found = fastlogit.fit(path, target="y", C=1.0)
    assert np.array_equal(found.coef, fastlogit.fit(values, Y, C=1.0).coef)
    assert found.classes.tolist() == [0.0, 1.0]


def test_booleans_and_half_floats_are_kept_in_half_the_room(tmp_path: Path) -> None:
    table = pa.table({"a": X[:, 0].astype(np.float16), "b": X[:, 1] > 0, "y": Y > 0})
    path = tmp_path / "t.parquet"
    pq.write_table(table, path)
    source = ParquetSource(path, target="y")
    found = fastlogit.fit(source, C=1.0)
    values = np.column_stack([X[:, 0].astype(np.float16), X[:, 1] > 0]).astype(np.float64)
    assert np.allclose(found.coef, fastlogit.fit(values, Y, C=1.0).coef, rtol=0.0, atol=1e-12)
    assert found.classes.tolist() == [False, True]
    assert source._kept is not None
    assert source._kept.spooled.numbers.dtype == np.float32


def test_what_is_no_number_is_named(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    day = pa.array([0] * N, pa.date32())
    lists = pa.array([[1.0]] * N, pa.list_(pa.float64()))
    pq.write_table(pa.table({"a": X[:, 0], "day": day, "list": lists, "y": Y}), path)
    with pytest.raises(TypeError, match=r"t\.parquet: column 'day' has the type date32.*days"):
        fastlogit.fit(path, target="y", features=["a", "day"])
    with pytest.raises(TypeError, match="fixed-size list"):
        fastlogit.fit(path, target="y", features=["a", "list"])
    with pytest.raises(ValueError, match=r"no column 'aa' \(features=\); did you mean 'a'"):
        fastlogit.fit(path, target="y", features=["aa"])
    with pytest.raises(ValueError, match=r"no column 'z' \(target=\); it has 'a', 'day'"):
        fastlogit.fit(path, target="z")


# ---- files and folders


def test_files_are_read_in_the_order_of_their_names(tmp_path: Path) -> None:
    duckdb = pytest.importorskip("duckdb")
    polars = pytest.importorskip("polars")
    for place, k in enumerate((1, 10, 2)):
        rows = slice(200 * place, 200 * (place + 1))
        pq.write_table(pa.table({"a": X[rows, 0], "y": Y[rows]}), tmp_path / f"part-{k}.parquet")
    (tmp_path / "_SUCCESS").touch()
    (tmp_path / ".part-0.parquet.crc").touch()
    pattern = str(tmp_path / "*.parquet")
    fitted = fastlogit.fit(X[:, :1], Y)
    expected = fastlogit.fit(tmp_path, target="y")
    assert np.array_equal(expected.coef, fitted.coef)
    predicted = expected.predict_proba(ParquetSource(pattern))
    assert np.array_equal(predicted, expected.predict_proba(X[:, :1]))
    for others in (
        ds.dataset(tmp_path, format="parquet", exclude_invalid_files=True).to_table()["a"],
        polars.scan_parquet(pattern).collect()["a"],
        duckdb.sql(f"select a from '{pattern}'").fetchnumpy()["a"],
    ):
        assert np.array_equal(np.asarray(others), X[:, 0])
    # A list is read in its own order.
    paths = [tmp_path / f"part-{k}.parquet" for k in (2, 1)]
    source = ParquetSource(paths)
    assert np.array_equal(
        expected.predict_proba(source), expected.predict_proba(np.r_[X[400:, :1], X[:200, :1]])
    )


def test_folders_that_name_a_value_are_columns(tmp_path: Path) -> None:
    years = np.repeat([2019, 2020, 2021], 200)
    places = np.tile(np.repeat(["a b", "c"], 100), 3)
    for year in (2019, 2020, 2021):
        for text, name in (("a b", "a%20b"), ("c", "c")):
            chosen = (years == year) & (places == text)
            below = tmp_path / f"year={year}" / f"place={name}"
            below.mkdir(parents=True)
            pq.write_table(pa.table({"a": X[chosen, 0], "y": Y[chosen]}), below / "p.parquet")
    table = pa.table({"a": X[:, 0], "year": years, "place": pa.array(places).dictionary_encode()})
    found = fastlogit.fit(tmp_path, target="y", C=1.0)
    assert np.array_equal(found.coef, fastlogit.fit(table, Y, C=1.0).coef)
    assert found.feature_names == ["a", "year", "place[a b]", "place[c]"]
    # The filter asks for a column that is no feature, and for one of the files.
    source = ParquetSource(
        tmp_path, target="y", features=["a"], filter=[("year", ">", 2019), ("a", "<", 1.0)]
    )
    kept = (years > 2019) & (X[:, 0] < 1.0)
    found = fastlogit.fit(source, C=1.0)
    assert source.n_rows == kept.sum()
    assert np.array_equal(found.coef, fastlogit.fit(X[kept, :1], Y[kept], C=1.0).coef)
    pattern = str(tmp_path / "year=*" / "*" / "*.parquet")
    found = fastlogit.fit(pattern, target="y", C=1.0, filter=ds.field("place") == "c")
    assert found.feature_names is not None
    assert "place[c]" in found.feature_names


def test_a_filter_that_leaves_nothing(folder: Path) -> None:
    with pytest.raises(ValueError, match="has no rows that the filter leaves"):
        fastlogit.fit(folder, target="y", filter=[("a", ">", 1e9)])
    with pytest.raises(TypeError, match="filter must be an expression of pyarrow"):
        fastlogit.fit(folder, target="y", filter="a > 1")


# ---- nulls


def test_a_null_is_named_by_column_and_row(tmp_path: Path) -> None:
    holes = TABLE.set_column(1, "b", pa.array(X[:, 1], mask=np.arange(N) % 100 == 77))
    for k in range(2):
        pq.write_table(holes.slice(300 * k, 300), tmp_path / f"p{k}.parquet")
    rest = FEATURES.column_names
    with pytest.raises(
        ValueError, match=r"column 'b' is null \(row 77, which is row 77 of p0\.parquet\).*drop"
    ):
        fastlogit.fit(tmp_path, target="y", features=rest)
    with pytest.raises(ValueError, match=r"column 'b' is null \(row 0 of those that the filter"):
        fastlogit.fit(tmp_path, target="y", features=rest, filter=ds.field("b").is_null())
    source = ParquetSource(tmp_path, target="y", features=rest, nulls="drop", spool="disk")
    found = fastlogit.fit(source, C=1.0)
    kept = np.arange(N) % 100 != 77
    assert (source.n_rows, source.n_dropped) == (N - 6, 6)
    assert same(found, fastlogit.fit(FEATURES.filter(kept), Y[kept], C=1.0))


def test_nan_is_dropped_with_nulls_and_else_named(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    values = np.where(np.arange(N) == 5, np.nan, X[:, 0])
    pq.write_table(pa.table({"a": values, "y": Y}), path)
    with pytest.raises(ValueError, match=r"NaN in column 'a' \(row 5\)"):
        fastlogit.fit(path, target="y")
    with pytest.raises(ValueError, match=r"NaN in column 'a' \(row 5\)"):
        fastlogit.fit(path, target="y", spool="disk")
    source = ParquetSource(path, target="y", nulls="drop")
    fastlogit.fit(source)
    assert source.n_dropped == 1
    labels = np.where(np.arange(N) == 7, np.nan, Y)
    pq.write_table(pa.table({"a": X[:, 0], "y": labels}), path)
    with pytest.raises(ValueError, match=r"column 'y' is NaN \(row 7, which is row 7 of t\.par"):
        fastlogit.fit(path, target="y")


def test_missing_categories_are_of_no_level_where_the_model_says_so(tmp_path: Path) -> None:
    fitted = fastlogit.fit(TABLE, target="y", features=["letter"], C=1.0, handle_unknown="zero")
    new = pa.table({"letter": pa.array(["u", None, "zz"])})
    pq.write_table(new, tmp_path / "t.parquet")
    source = ParquetSource(tmp_path / "t.parquet")
    assert np.array_equal(fitted.predict_proba(source), fitted.predict_proba(new))
    strict = fastlogit.fit(TABLE, target="y", features=["letter"], C=1.0)
    with pytest.raises(ValueError, match=r"missing category in column 'letter' \(row 1\)"):
        strict.predict_proba(source)


# ---- labels


def test_labels_that_are_none(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"a": X[:, 0], "one": np.ones(N), "y": X[:, 1]}), path)
    with pytest.raises(ValueError, match="one class only"):
        fastlogit.fit(path, target="one", features=["a"])
    with pytest.raises(ValueError, match=r"not whole numbers, as in a regression"):
        fastlogit.fit(path, target="y", features=["a"])
    with pytest.raises(TypeError, match="target is missing"):
        fastlogit.fit(path)
    with pytest.raises(TypeError, match="target is missing"):
        fastlogit.fit(ParquetSource(path))
    with pytest.raises(TypeError, match="give y or target"):
        fastlogit.fit(path, Y, target="one")
    with pytest.raises(TypeError, match="X is a source already: give it target, nulls"):
        fastlogit.fit(ParquetSource(path), target="one", nulls="drop")
    with pytest.raises(TypeError, match="y must be left out with a source"):
        fastlogit.fit(ParquetSource(path, target="one"), Y)
    with pytest.raises(TypeError, match="target='one' is the column of a table, and X is a ndarr"):
        fastlogit.fit(X, target="one")


# ---- bad files


def test_a_file_that_is_cut_off(folder: Path) -> None:
    file = folder / "part-2.parquet"
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"part-2\.parquet cannot be read as Parquet, it is cut"):
        fastlogit.fit(folder, target="y")
    file.write_bytes(whole[:4] + bytes(200) + whole[204:])
    with pytest.raises(ValueError, match=r"part-2\.parquet cannot be read as Parquet"):
        fastlogit.fit(folder, target="y", features=NAMES)


def test_there_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"none\.parquet: there is no such file"):
        fastlogit.fit(tmp_path / "none.parquet", target="y")
    with pytest.raises(FileNotFoundError, match="no Parquet or Arrow file matches"):
        fastlogit.fit(str(tmp_path / "*.parquet"), target="y")


def test_a_file_that_changes_between_passes_is_named(folder: Path) -> None:
    source = ParquetSource(folder, target="y", features=NAMES, spool="never")
    changed = folder / "part-1.parquet"

    def change(progress: object) -> None:
        pq.write_table(TABLE.slice(0, 50), changed)

    with pytest.raises(ValueError, match=r"part-1\.parquet changed while it was read"):
        fastlogit.fit(source, C=1.0, solver="lbfgs", callback=change)
    # The next fit reads the files of today.
    found = fastlogit.fit(source, C=1.0)
    assert source.n_rows == 500
    assert found.converged
    changed.unlink()
    with pytest.raises(FileNotFoundError):
        pickle.loads(pickle.dumps(ParquetSource(changed, target="y")))


def test_a_spool_does_not_see_files_that_change(folder: Path) -> None:
    source = ParquetSource(folder, target="y", features=NAMES, spool="disk")

    def change(progress: object) -> None:
        pq.write_table(TABLE.slice(0, 50), folder / "part-1.parquet")

    found = fastlogit.fit(source, C=1.0, solver="lbfgs", callback=change)
    assert same(found, fastlogit.fit(X, Y, C=1.0), 1e-6)


def test_schemas_that_differ(folder: Path) -> None:
    file = folder / "part-3.parquet"
    pq.write_table(TABLE.slice(0, 50).drop_columns(["b"]), file)
    with pytest.raises(ValueError, match=r"part-3\.parquet has no column 'b', which .*part-0"):
        fastlogit.fit(folder, target="y", features=NAMES)
    texts = pa.array(["1"] * 50)
    pq.write_table(TABLE.slice(0, 50).set_column(1, "b", texts), file)
    with pytest.raises(ValueError, match=r"part-3\.parquet has the type string in column 'b', but"):
        fastlogit.fit(folder, target="y", features=NAMES)
    assert fastlogit.fit(folder, target="y", features=["a", "c"]).converged  # which all have


def test_a_column_that_turns_null(folder: Path) -> None:
    nulls = pa.nulls(50)
    pq.write_table(TABLE.slice(0, 50).set_column(1, "b", nulls), folder / "part-3.parquet")
    with pytest.raises(ValueError, match=r"column 'b' is null \(row 450, which is row 0 of part-3"):
        fastlogit.fit(folder, target="y", features=NAMES)
    source = ParquetSource(folder, target="y", features=NAMES, nulls="drop")
    fastlogit.fit(source)
    assert source.n_dropped == 50


# ---- the spool


def test_where_the_rows_go(folder: Path) -> None:
    for limit, on_disk in (("1 MB", False), (20_000, True), (None, False)):
        source = ParquetSource(folder, target="y", features=NAMES, memory_limit=limit)
        found = fastlogit.fit(source, C=1.0)
        assert source._kept is not None
        assert source._kept.spooled.on_disk == on_disk
        assert same(found, fastlogit.fit(X, Y, C=1.0))


def test_a_disk_without_room(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: Any, **options: Any) -> Any:
        return open("/dev/full", "r+b", buffering=0)

    with monkeypatch.context() as patched:
        patched.setattr(tempfile, "TemporaryFile", full)
        with pytest.raises(OSError, match=r"spool were written into .* set TMPDIR") as caught:
            fastlogit.fit(folder, target="y", features=NAMES, spool="disk")
        assert caught.value.errno == errno.ENOSPC
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage)
    with pytest.raises(OSError, match=r"the spool would take 14,400 bytes, and .* has 1,000 free"):
        fastlogit.fit(folder, target="y", features=NAMES, spool="disk")


def test_without_a_spool_nothing_is_written(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "TemporaryFile", None)
    more = TABLE.append_column("sign", pa.array(np.sign(X[:, 1]).astype(int)))
    options: dict[str, Any] = {"C": 1.0, "interactions": [("letter", "sign")]}
    features = ["a", "letter", "sign"]
    file = folder / "part-0.parquet"
    pq.write_table(more, file, row_group_size=80)
    source = ParquetSource(
        file, target="y", features=features, categorical=["sign"], spool="never", memory_limit=1
    )
    fastlogit.fit(source, C=1.0)  # what it learns knows no combinations
    found = fastlogit.fit(source, **options)
    table = more.select([*features, "y"])
    expected = fastlogit.fit(table, target="y", categorical=["sign"], **options)
    assert found.feature_names == expected.feature_names
    assert same(found, expected)
    of_others = ArrowSource(table.filter(pc.field("letter") != "w"), target="y")
    first = LETTERS.tolist().index("w")
    with pytest.raises(ValueError, match=rf"'w' in .*\(row {first}\)"):
        fastlogit.fit(of_others, C=1.0).predict_proba(source)


CRASH = """
import os, sys, fastlogit
def die(progress):
    print(len(os.listdir(os.environ["TMPDIR"])), flush=True)
    os._exit(9)
fastlogit.fit(sys.argv[1], target="y", C=1.0, spool="disk", solver="lbfgs", callback=die,
              sample_weight="w")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="files without names")
def test_nothing_is_left_even_after_a_crash(folder: Path, tmp_path: Path) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    ended = subprocess.run(
        [sys.executable, "-c", CRASH, str(folder)],
        env=os.environ | {"TMPDIR": str(temporary)}, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert ended.returncode == 9, ended.stderr
    assert ended.stdout.strip() == "0"
    assert list(temporary.iterdir()) == []


def test_a_time_limit_ends_the_first_pass(folder: Path) -> None:
    with pytest.raises(TimeoutError, match=r"during the first pass over .*there is no result yet"):
        fastlogit.fit(folder, target="y", features=NAMES, time_limit=1e-9)


@pytest.mark.parametrize(
    ("option", "text"),
    [
        ({"nulls": "skip"}, "nulls must be one of 'error', 'drop'"),
        ({"spool": "ram"}, "spool must be one of 'auto', 'memory'"),
        ({"memory_limit": "a lot"}, "memory_limit must be a number of bytes"),
        ({"memory_limit": -1}, "memory_limit must be a number of bytes"),
        ({"memory_limit": "1.2.3 GB"}, "memory_limit must be a number of bytes"),
        ({"features": "a"}, "features must be a list of names"),
        ({"features": [1]}, "features must hold names"),
        ({"sample_weight": W}, "sample_weight must be the name of a column"),
        ({"features": ["a", "y"]}, "'y' is the target and a feature"),
        ({"sample_weight": "letter"}, "column 'letter' .sample_weight. has the type dictionary"),
    ],
)
def test_options_that_are_wrong(folder: Path, option: dict[str, Any], text: str) -> None:
    with pytest.raises((TypeError, ValueError), match=text):
        fastlogit.fit(folder, target="y", **option)


def test_what_takes_rows_in_memory_refuses_a_source(folder: Path) -> None:
    source = ParquetSource(folder, target="y", features=NAMES)
    for call in (
        lambda: fastlogit.bootstrap(source, Y),
        lambda: fastlogit.fit_groups(source, Y, Y),
        lambda: fastlogit.scan(source, X, Y),
        lambda: fastlogit.LogisticRegression().partial_fit(source, Y, classes=[0, 1]),
        lambda: fastlogit.conditional_logit(source, Y, Y),
    ):
        with pytest.raises(TypeError, match=r"which fits, infer|must be left out with a source"):
            call()
    with pytest.raises(TypeError, match="y must be left out with a source"):
        fastlogit.leave_one_out(fastlogit.fit(source), source, Y)


@pytest.mark.parametrize("spool", ["auto", "disk", "never"])
def test_cost_and_gradient_over_a_source(folder: Path, spool: str) -> None:
    source = ParquetSource(folder, target="y", sample_weight="w", spool=spool)
    fitted = in_memory()
    point = {"coef": fitted.coef + 0.1, "intercept": 0.3, "categories": fitted.categories}
    found = fastlogit.cost_gradient(source, None, **point)
    expected = fastlogit.cost_gradient(FEATURES, Y, **point, sample_weight=W)
    assert np.isclose(found[0], expected[0], rtol=1e-13)
    assert np.allclose(found[1], expected[1], rtol=0.0, atol=1e-14)
    numbers = ParquetSource(folder, target="y", features=NAMES, spool=spool)
    coef = np.array([[1.0, -1.0], [0.0, 0.5], [2.0, 0.1]])
    assert np.allclose(
        fastlogit.cost(numbers, None, coef), fastlogit.cost(X, Y, coef), rtol=1e-13, atol=0.0
    )
    with pytest.raises(TypeError, match="y must be left out with a source"):
        fastlogit.cost(numbers, Y, coef)


def test_a_stream_learns_from_a_source(folder: Path) -> None:
    source = ParquetSource(folder, target="y", sample_weight="w", memory_limit=1)
    model = fastlogit.LogisticRegression().partial_fit(source, classes=[0, 1])
    batch_by_batch = fastlogit.LogisticRegression()
    for start in range(0, N, 150):  # a file after the other, of row groups of 80
        for first, last in ((start, start + 80), (start + 80, start + 150)):
            part = slice(first, last)
            rows = FEATURES.slice(first, last - first)
            batch_by_batch.partial_fit(rows, Y[part], [0, 1], W[part])
    assert model.feature_names_in_.tolist() == FEATURES.column_names
    assert np.allclose(model.coef_, batch_by_batch.coef_, rtol=0.0, atol=1e-8)
    model.partial_fit(source)
    assert np.allclose(model.coef_, in_memory().coef, rtol=0.0, atol=0.1)
    before = model.coef_.copy()
    other = TABLE.set_column(TABLE.column_names.index("y"), "y", pa.array(np.full(N, 7)))
    pq.write_table(other, folder / "part-9.parquet")  # after four files that are as they should be
    with pytest.raises(ValueError, match="7"):
        model.partial_fit(ParquetSource(folder, target="y", features=FEATURES.column_names))
    assert np.array_equal(model.coef_, before)
    assert model.predict_proba(FEATURES).shape == (N, 2)
    assert model.feature_names_in_.tolist() == FEATURES.column_names
    with pytest.raises(TypeError, match="y must be left out with a source"):
        model.partial_fit(source, Y)
    with pytest.raises(TypeError, match="partial_fit takes no offset"):
        model.partial_fit(ParquetSource(folder, target="y", offset="w", features=NAMES))


def test_functions_of_rows_in_memory_take_a_source_that_is_there(folder: Path) -> None:
    source = ParquetSource(folder, target="y", sample_weight="w", features=NAMES)
    asked: dict[str, Any] = {"C": 1.0, "random_state": 0}
    found = fastlogit.bootstrap(source, None, 20, **asked)
    expected = fastlogit.bootstrap(X, Y, 20, sample_weight=W, **asked)
    assert np.array_equal(found.coef, expected.coef)
    assert np.allclose(
        fastlogit.ordinal_logit(source, None, weights="analytic").coef,
        fastlogit.ordinal_logit(X, Y, sample_weight=W, weights="analytic").coef,
    )
    with pytest.raises(TypeError, match="y must be left out with a source"):
        fastlogit.ordinal_logit(source, Y)
    on_disk = ParquetSource(folder, target="y", features=NAMES, spool="disk")
    for call in (
        lambda: fastlogit.bootstrap(on_disk, None),
        lambda: fastlogit.permutation(on_disk, None),
        lambda: fastlogit.fit_groups(on_disk, None, Y),
        lambda: fastlogit.scan(on_disk, X, None),
    ):
        with pytest.raises(ValueError, match=r"source are on disk.* give the source a larger"):
            call()


def test_pages_of_a_spool_with_codes_are_let_go(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All but those of two blocks: else a fit has all of its spool in memory."""
    from fastlogit.sources import decoded

    gone: list[tuple[int, int]] = []
    rest = decoded.SpooledMixed._let_go

    def let_go(self: Any, rows: slice) -> None:
        gone.append((rows.start, rows.stop))
        rest(self, rows)

    monkeypatch.setattr(decoded.SpooledMixed, "_let_go", let_go)
    source = ParquetSource(folder, target="y", sample_weight="w", spool="disk")
    rows = source.read(CategoryOptions("full"), None, shares=False).rows.X
    gone.clear()
    whole = [rows[start : start + 100] for start in range(0, N, 100)]
    assert [rows for rows in gone if rows[1] - rows[0] == 100] == [
        (start, start + 100) for start in range(0, N - 200, 100)
    ]
    first = whole[0]  # pages that were let go are read again
    assert np.array_equal(first.numbers, X[:100])
    assert same(fastlogit.fit(source, C=1.0), in_memory())
