"""The command export, and models that predict on rows from any source."""

import json
import shlex
from pathlib import Path

import duckdb
import numpy as np
import onnxruntime
import pandas as pd
import pytest
from sklearn.datasets import dump_svmlight_file
from test_cli import fail, succeed

from fastlogit.model_file import load_model

# Rooms above the kernels.
pytestmark = pytest.mark.jit

N = 60
RNG = np.random.default_rng(5)
X = RNG.normal(size=(N, 2)).round(3)
KIND = RNG.choice(["u", "v"], N)
SCORE = X[:, 0] + (KIND == "u") + RNG.logistic(size=N)
TABLE = pd.DataFrame({"a": X[:, 0], "b": X[:, 1], "kind": KIND})
TABLE["late"] = np.where(SCORE > 0, "yes", "no")
TABLE["grade"] = np.digitize(SCORE, [-0.5, 0.5])


@pytest.fixture(autouse=True)
def in_own_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    TABLE.to_csv("rows.csv", index=False)


def predicted(model, data, *words):
    succeed("predict", model, data, "--proba", "--out", "p.csv", *words)
    found = pd.read_csv("p.csv")
    return found[[name for name in found if name.startswith("proba_")]].to_numpy()


def test_sql_of_a_model_file_scores_its_table():
    succeed(*shlex.split("fit rows.csv --target late --drop grade --C 1 --out two.model.npz"))
    expected = predicted("two.model.npz", "rows.csv")
    text = succeed("export", "two.model.npz", "--sql", "duckdb")
    found = duckdb.connect().sql(f"SELECT {text} FROM 'rows.csv'").fetchall()
    np.testing.assert_allclose(np.ravel(found), expected[:, 1], atol=1e-15)
    succeed("export", "two.model.npz", "--sql", "duckdb", "--label", "no", "--out", "no.sql")
    text = Path("no.sql").read_text("utf-8")
    found = duckdb.connect().sql(f"SELECT {text} FROM 'rows.csv'").fetchall()
    np.testing.assert_allclose(np.ravel(found), expected[:, 0], atol=1e-15)
    assert "CAST(CAST(\"a\" AS integer)" in succeed(
        "export", "two.model.npz", "--sql", "postgres", "--boolean", "a"
    )  # fmt: skip


def test_all_classes_are_a_list_for_select():
    succeed(*shlex.split("fit rows.csv --target grade --drop late --C 1 --out m.npz"))
    text = succeed("export", "m.npz", "--sql", "duckdb")
    found = duckdb.connect().sql(f"SELECT {text} FROM 'rows.csv'")
    assert found.columns == ["proba_0", "proba_1", "proba_2"]
    np.testing.assert_allclose(found.fetchall(), predicted("m.npz", "rows.csv"), atol=1e-15)


def test_onnx_pmml_and_json_of_a_model_file():
    words = "rows.csv --target late --drop grade --drop kind --C 1 --out m.npz"
    succeed("fit", *shlex.split(words))
    assert succeed("export", "m.npz", "--onnx") == "ONNX graph: m.onnx\n"
    run = onnxruntime.InferenceSession("m.onnx", providers=["CPUExecutionProvider"]).run
    label, proba = run(None, {"X": X})
    np.testing.assert_allclose(proba, predicted("m.npz", "rows.csv"), atol=1e-15)
    assert set(label) == {"no", "yes"}
    succeed("export", "m.npz", "--onnx", "--precision", "float", "--out", "f.onnx")
    assert Path("f.onnx").stat().st_size < Path("m.onnx").stat().st_size
    assert "<RegressionModel " in succeed("export", "m.npz", "--pmml")
    said = json.loads(succeed("export", "m.npz", "--json"))
    assert [each["coef"][0] for each in said["columns"]] == load_model("m.npz").result.coef.tolist()


def test_what_export_refuses():
    for words, message in (
        ("", "give one of --sql DIALECT, --onnx, --pmml and --json"),
        ("--json --onnx", "give one of"),
        ("--json --label yes", "--label is of --sql"),
        ("--onnx --boolean a", "--boolean is of --sql"),
        ("--json --precision float", "--precision is of --onnx"),
        ("--json", "no such model file: none.npz"),
        ("--onnx --out none/m.onnx", "there is no directory none"),
    ):
        assert message in fail(2, "export", "none.npz", *shlex.split(words))


def test_a_model_of_one_source_predicts_on_all_others():
    names = ["f0", "f1"]  # as columns of svmlight are called
    numbers = TABLE[["a", "b"]].set_axis(names, axis=1)
    labelled = numbers.assign(y=TABLE["grade"])
    Path("parts").mkdir()
    labelled.head(25).to_parquet("parts/1.parquet")
    labelled.tail(N - 25).to_parquet("parts/2.parquet")
    labelled.to_parquet("rows.parquet")
    labelled.to_csv("numbers.csv", index=False)
    labelled.to_feather("rows.feather")
    np.savez("rows.npz", X=X, y=TABLE["grade"], feature_names=names)
    dump_svmlight_file(X, TABLE["grade"], "rows.svm", zero_based=True)
    files = ["parts", "rows.parquet", "numbers.csv", "rows.feather", "rows.npz", "rows.svm"]
    for source in ("parts", "rows.svm"):
        succeed("fit", source, "--target", "y", "--C", "1", "--out", "m.npz")
        model = load_model("m.npz")
        expected = model.result.predict_proba(X)
        for data in files:
            succeed("predict", "m.npz", data, "--proba", "--out", "p.parquet")
            found = pd.read_parquet("p.parquet").filter(like="proba_").to_numpy()
            np.testing.assert_allclose(found, expected, rtol=1e-14, err_msg=data)
