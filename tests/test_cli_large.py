"""Parquet larger than memory at the command line: as the library fits it."""

import shlex
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from test_cli import fail, succeed

import fastlogit
from fastlogit.cli import large
from fastlogit.model_file import load_model

pytestmark = pytest.mark.jit

N = 300
RNG = np.random.default_rng(17)
X = RNG.normal(size=(N, 2))
LETTERS = RNG.choice(list("uvw"), N)
Y = np.where(X[:, 0] + (LETTERS == "u") + RNG.logistic(size=N) > 0, "yes", "no")
W = RNG.integers(1, 4, N)
TABLE = pa.table({"a": X[:, 0], "b": X[:, 1], "letter": LETTERS, "late": Y, "w": W})


@pytest.fixture(autouse=True)
def in_own_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run each test in a directory of its own, with a folder of files and one of them."""
    monkeypatch.chdir(tmp_path)
    Path("data").mkdir()
    for k in range(3):
        pq.write_table(TABLE.slice(100 * k, 100), f"data/p{k}.parquet")
    pq.write_table(TABLE, "all.parquet")


def test_a_folder_is_fitted_and_predicted_in_blocks() -> None:
    said = succeed("fit", *shlex.split("data --target late --weights w --C 1 --out m.npz"))
    assert "300 rows" in said
    model = load_model(Path("m.npz"))
    table = TABLE.select(["a", "b"]).append_column(
        "letter", pa.array(LETTERS).cast(pa.dictionary(pa.int32(), pa.string()))
    )
    source = fastlogit.ArrowSource(TABLE, target="late", sample_weight="w", categorical=["letter"])
    expected = fastlogit.fit(source, C=1.0)
    assert np.array_equal(model.result.coef, expected.coef)
    succeed("predict", "m.npz", "data", "--proba", "--out", "p.parquet")
    found = pq.read_table("p.parquet")
    assert found["prediction"].to_pylist() == expected.predict(table).tolist()
    assert np.array_equal(found["proba_yes"].to_numpy(), expected.predict_proba(table)[:, 1])
    assert "give --out NAME.parquet" in fail(2, "predict", "m.npz", "data")


def test_a_large_file_takes_the_same_way(monkeypatch: pytest.MonkeyPatch) -> None:
    options = shlex.split("all.parquet --target late --drop w --C 1")
    succeed("fit", *options, "--out", "plain.npz")
    monkeypatch.setattr(large, "available_memory", lambda: 1000.0)
    assert large.is_large(Path("all.parquet"))
    succeed("fit", *options, "--out", "large.npz")
    one, other = (load_model(Path(f"{name}.npz")) for name in ("plain", "large"))
    assert one.feature_names == other.feature_names
    assert np.allclose(one.result.coef, other.result.coef, rtol=0.0, atol=1e-7)
    said = succeed("fit", *options[:-2], "--out", "large.npz", "--summary", "HC0")
    assert "letter[v]" in said
    said = succeed("fit", *options[:-2], "--out", "large.npz", "--cv", "--folds", "3")
    assert "by 3-fold cross-validation" in said


def test_what_is_wrong_is_said_in_one_line() -> None:
    assert "--target is missing" in fail(2, "fit", "data")
    assert "no column 'z' (--drop)" in fail(2, "fit", "data", "--target", "late", "--drop", "z")
    assert "did you mean 'late'" in fail(2, "fit", "data", "--target", "lat")
    Path("data/p1.parquet").write_bytes(b"PAR1 and no more")
    assert "cannot be read as Parquet" in fail(2, "fit", "data", "--target", "late")


def test_no_file_that_is_read_is_written() -> None:
    options = ["fit", "data", "--target", "late", "--C", "1", "--out", "plain.npz"]
    succeed(*options)
    file = next(Path("data").rglob("*.parquet"))
    for model, data, out in [
        ("plain.npz", "data", "data/out.parquet"),
        ("plain.npz", file, file),
        ("plain.npz", file, "plain.npz"),
    ]:
        said = fail(2, "predict", str(model), str(data), "--out", str(out))
        assert "write it elsewhere" in said or "it is read; give --out another name" in said
    said = fail(2, "fit", str(file), "--target", "late", "--out", str(file))
    assert "it is read; give --out another name" in said
    said = fail(2, "export", "plain.npz", "--json", "--out", "plain.npz")
    assert "it is read; give --out another name" in said
    assert load_model(Path("plain.npz")).target == "late"
    assert "is a folder, which fit and predict alone take" in fail(
        2, "evaluate", "plain.npz", "data"
    )
