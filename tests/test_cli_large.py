"""Parquet larger than memory at the command line: as the library fits it."""

import shlex
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import feather
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


@pytest.mark.parametrize("how", ["--group-column g --folds 3", "--fold-column f"])
def test_columns_of_folds(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folds, and so what is chosen, are the same in memory, beyond it, and by the estimator."""
    groups, folds = RNG.integers(0, 40, N), RNG.integers(0, 3, N)
    table = (
        TABLE.drop(["w"]).append_column("g", pa.array(groups)).append_column("f", pa.array(folds))
    )
    pq.write_table(table, "folds.parquet")
    left_out = "f" if "-g" in how.split()[0][1:] else "g"
    words = ["fit", "folds.parquet", "--target", "late", "--drop", left_out, "--cv", *how.split()]
    said = succeed(*words, "--out", "plain.npz")
    assert "by 3-fold cross-validation" in said
    monkeypatch.setattr(large, "available_memory", lambda: 1000.0)
    assert succeed(*words, "--out", "large.npz").splitlines()[1] == said.splitlines()[1]
    one, other = (load_model(Path(f"{name}.npz")) for name in ("plain", "large"))
    assert one.feature_names == other.feature_names == ("a", "b", "letter")
    assert np.allclose(one.result.coef, other.result.coef, rtol=0.0, atol=1e-7)
    role = {"groups": "g"} if left_out == "f" else {"folds": "f"}
    source = fastlogit.ArrowSource(
        table.drop([left_out]), target="late", categorical=["letter"], **role
    )
    model = fastlogit.LogisticRegressionCV(
        cv=3 if left_out == "f" else None,
        scoring="neg_log_loss",
        l1_ratios=[0.0],
        use_legacy_attributes=False,
    ).fit(source)
    assert f"C = {model.C_:.4g} of 10" in said
    assert f"mean neg_log_loss {model.scores_.mean(axis=0).max():.4f}" in said


def test_columns_of_folds_that_are_none() -> None:
    columns = {
        "one": [0] * N,
        "text": ["x"] * N,
        "half": [0.5, 1.0] * (N // 2),
        "none": [None, "x"] * (N // 2),
        "two": [1, 2] * (N // 2),
    }
    table = TABLE
    for name, values in columns.items():
        table = table.append_column(name, pa.array(values))
    pq.write_table(table, "folds.parquet")
    for words, said in {
        "--fold-column one": "fold column 'one' holds 0 alone; it needs two folds",
        "--fold-column text": "fold column 'text' must hold whole numbers",
        "--fold-column half": "fold column 'half' must hold whole numbers",
        "--group-column none": "column 'none' has no value",
        "--fold-column none": "leave such rows out with --drop-missing",
        "--fold-column late": "column 'late' is the target",
        "--fold-column twp": "fold column 'twp' is not in folds.parquet (did you mean 'two'?)",
        "--group-column twp": "group column 'twp' is not in folds.parquet (did you mean 'two'?)",
        "--group-column two": "of 5 has no row: the groups are few; use fewer folds",
        "--fold-column two --folds 3": "the folds themselves: leave --folds out",
        "--fold-column two --group-column g": "leave --group-column out",
    }.items():
        words = ["fit", "folds.parquet", "--target", "late", "--cv", *words.split()]
        assert said in fail(2, *words), words
    assert "--group-column is for --cv" in fail(
        2, "fit", "folds.parquet", "--target", "late", "--group-column", "two"
    )


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


def test_lists_are_columns_of_small_files_too() -> None:
    rng = np.random.default_rng(4)
    emb = rng.normal(size=(150, 2))
    lists = pa.FixedSizeListArray.from_arrays(emb.reshape(-1), 2)
    table = pa.table({"emb": lists, "late": rng.choice(["no", "yes"], 150)})
    Path("lists").mkdir()
    for path in ("lists/t.parquet", "t.parquet"):
        pq.write_table(table, path)
    feather.write_feather(table, "t.feather")
    for data in ("lists", "t.parquet", "t.feather"):
        succeed("fit", data, "--target", "late", "--C", "1", "--out", "m.npz")
        expected = load_model(Path("m.npz")).result.predict_proba(emb)[:, 1]
        for rows in ("lists", "t.parquet", "t.feather"):
            succeed("predict", "m.npz", rows, "--proba", "--out", "out.parquet")
            found = pq.read_table("out.parquet")["proba_yes"].to_numpy()
            assert np.allclose(found, expected, rtol=0.0, atol=1e-15)
    others = {"v": pa.array([[1.0]] * 150), "x": pa.array(emb[:, 0])}
    for name, column in others.items():
        table = table.append_column(name, column)
    pq.write_table(table, "v.parquet")
    for more in ([], ["--categories", "v"]):
        said = fail(2, "fit", "v.parquet", "--target", "late", *more)
        assert "column 'v' holds lists (row 0, counting from 0)" in said
    succeed("fit", "v.parquet", "--target", "late", "--C", "1", "--drop", "v", "--drop", "emb")
    assert list(load_model(Path("v.model.npz")).feature_names) == ["x"]
