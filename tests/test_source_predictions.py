"""Predictions of a source, written as Parquet block by block."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

import fastlogit
from fastlogit import ArrowSource, ParquetSource, write_predictions

# Rooms above the kernels, with fits that take minutes in plain Python.
pytestmark = pytest.mark.jit

N = 400
RNG = np.random.default_rng(16)
LISTS = RNG.normal(size=(N, 2))
LETTERS = RNG.choice(list("uvw"), N)
LABELS = np.array(["no", "yes"])[(LISTS[:, 0] + RNG.logistic(size=N) > 0).astype(int)]
TABLE = pa.table(
    {"emb": pa.FixedSizeListArray.from_arrays(LISTS.reshape(-1), 2), "letter": LETTERS}
).set_column(1, "letter", pa.array(LETTERS).dictionary_encode())


@pytest.mark.parametrize("columns", [["emb"], ["emb", "letter"], ["letter"]])
def test_blocks_are_predicted_as_all_rows_are(columns: list[str], tmp_path: Path) -> None:
    table = TABLE.append_column("y", pa.array(LABELS))
    path, out = tmp_path / "t.parquet", tmp_path / "out.parquet"
    pq.write_table(table, path, row_group_size=90)
    fitted = fastlogit.fit(path, target="y", features=columns, C=1.0)
    assert write_predictions(fitted, ParquetSource(path, memory_limit=1), out) == N
    found = pq.read_table(out)
    expected = fitted.predict_proba(ParquetSource(path))
    assert found.column_names == ["prediction", "proba_no", "proba_yes"]
    assert found["prediction"].to_pylist() == fitted.predict(ParquetSource(path)).tolist()
    assert np.array_equal(found["proba_yes"].to_numpy(), expected[:, 1])
    assert sorted(file.name for file in tmp_path.iterdir()) == ["out.parquet", "t.parquet"]


def test_three_classes_and_a_threshold(tmp_path: Path) -> None:
    out = tmp_path / "out.parquet"
    three = TABLE.append_column("y", pa.array(RNG.integers(0, 3, N)))
    fitted = fastlogit.fit(three, target="y", C=1.0, multi_class="multinomial")
    assert write_predictions(fitted, ArrowSource(TABLE), out) == N
    assert pq.read_table(out).column_names == ["prediction", "proba_0", "proba_1", "proba_2"]
    two = fastlogit.fit(TABLE.append_column("y", pa.array(LABELS)), target="y", C=1.0)
    write_predictions(two, ArrowSource(TABLE), out, proba=False, threshold=1.0)
    assert set(pq.read_table(out)["prediction"].to_pylist()) == {"no"}


def test_nothing_is_left_of_predictions_that_end_early(tmp_path: Path) -> None:
    fitted = fastlogit.fit(TABLE.append_column("y", pa.array(LABELS)), target="y", C=1.0)
    out = tmp_path / "out.parquet"
    batches = TABLE.to_batches(max_chunksize=100)
    unknown = pa.RecordBatch.from_arrays(
        [batches[0]["emb"], pa.array(["q"] * 100).dictionary_encode()], schema=TABLE.schema
    )
    reader: Any = pa.RecordBatchReader.from_batches(TABLE.schema, [*batches, unknown])
    with pytest.raises(ValueError, match=r"'q' in column 'letter' .*not in the fit"):
        write_predictions(fitted, ArrowSource(reader), out)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ValueError, match=r"no column 'emb"):
        write_predictions(fitted, ArrowSource(TABLE.select(["letter"])), out)
    with pytest.raises(TypeError, match="source must be a ParquetSource or ArrowSource, got Table"):
        write_predictions(fitted, TABLE, out)  # type: ignore[arg-type]


def test_no_file_that_is_read_is_written(tmp_path: Path) -> None:
    table = TABLE.append_column("y", pa.array(LABELS))
    fitted = fastlogit.fit(table, target="y", C=1.0)
    data = tmp_path / "data" / "k=1"
    data.mkdir(parents=True)
    file = data / "part.parquet"
    pq.write_table(table, file)
    before = file.read_bytes()
    base = data.parent
    link = tmp_path / "link.parquet"
    link.symlink_to(file)
    for given, out in [
        (file, file),
        (link, file),
        ([str(file)], file),
        (base, file),
        (base, base / "new.parquet"),
        (base, base / "deeper" / ".." / "new.pq"),
        (f"{base}/*/*.parquet", file),
        (f"{base}/**/*.parquet", base / "new.parquet"),
        (f"{base}/k*", data / "new.parquet"),
    ]:
        (base / "deeper").mkdir(exist_ok=True)
        with pytest.raises(ValueError, match=r"would lie among the files that are read, "):
            write_predictions(fitted, ParquetSource(given), out)
    with pytest.raises(ValueError, match="is a file of the data set, which is read"):
        write_predictions(fitted, ArrowSource(ds.dataset(base, format="parquet")), file)
    assert file.read_bytes() == before
    for given, out in [
        (base, base / "_new.parquet"),
        (base, tmp_path / "new.parquet"),
        (file, data / "new.parquet"),
        (f"{base}/*/p*.parquet", data / "new.parquet"),
    ]:
        assert write_predictions(fitted, ParquetSource(given), out) == N
        out.unlink()
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        write_predictions(fitted, ParquetSource(file), tmp_path / "none" / "new.parquet")
    with pytest.raises(IsADirectoryError, match="is a folder; give the name"):
        write_predictions(fitted, ParquetSource(file), tmp_path)
    with pytest.raises(TypeError, match="of an estimator or a model file it is the result"):
        write_predictions(fastlogit.LogisticRegression(), ParquetSource(file), link)  # type: ignore[arg-type]


def test_errors_of_a_block_name_the_row_among_all(tmp_path: Path) -> None:
    table = TABLE.append_column("y", pa.array(LABELS))
    fitted = fastlogit.fit(table, target="y", C=1.0)
    emb = LISTS.copy()
    emb[250, 1] = np.nan
    columns = {"emb": pa.FixedSizeListArray.from_arrays(emb.reshape(-1), 2), "letter": LETTERS}
    batches = pa.table(columns).to_batches(max_chunksize=100)
    with pytest.raises(ValueError, match=r"NaN in column 'emb\[1\]' \(row 250\)"):
        write_predictions(
            fitted, ArrowSource(pa.Table.from_batches(batches)), tmp_path / "out.parquet"
        )


def test_columns_of_another_kind_than_in_the_fit() -> None:
    rows = pa.table({"x": LISTS[:, 0], "letter": TABLE["letter"], "y": LABELS})
    mixed = fastlogit.fit(rows, target="y", C=1.0)
    plain = fastlogit.fit(rows, target="y", features=["x"], C=1.0)
    for texts in (rows["letter"], pa.array(LETTERS)):
        source = ArrowSource(rows.set_column(0, "x", texts).drop(["y"]))
        for fitted in (mixed, plain):
            with pytest.raises(
                TypeError, match=r"'x' has the type .*but the fit had numbers there"
            ):
                fitted.predict_proba(source)
