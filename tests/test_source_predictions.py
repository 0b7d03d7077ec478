"""Predictions of a source, written as Parquet block by block."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
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
