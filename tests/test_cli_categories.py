"""Categorical columns at the command line: as the library fits the same data frame."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from test_cli import fail, run, succeed

import fastlogit
from fastlogit import io
from fastlogit.model_file import Model, load_model, save_model

# Rooms above the kernels, with fits that take minutes in plain Python.
pytestmark = pytest.mark.jit

N = 200


def flights() -> pd.DataFrame:
    """A column of numbers, one of text, one of whole numbers, one of text and numbers."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame({
        "distance": rng.normal(size=N).round(3),
        "carrier": rng.choice(["UA", "AA", "DL"], N),
        "month": rng.integers(1, 4, N),
        "zip": rng.choice(["01", "1A", "2"], N),
    })  # fmt: skip
    score = X["distance"] + (X["carrier"] == "AA") + rng.logistic(size=N)
    return X.assign(late=np.where(score > 0, "yes", "no"))


FLIGHTS = flights()
CODED = FLIGHTS.drop(columns="late").astype(
    {"carrier": "category", "month": "category", "zip": "category"}
)
CSV = ["flights.csv", "--target", "late", "--categories", "month,zip", "--out", "m.npz"]


@pytest.fixture(autouse=True)
def in_own_directory(tmp_path, monkeypatch):
    """Run each test in a directory of its own, with the flights as text and as Parquet."""
    monkeypatch.chdir(tmp_path)
    FLIGHTS.to_csv("flights.csv", index=False)
    FLIGHTS.astype({"carrier": pd.CategoricalDtype(["UA", "DL", "AA"])}).to_parquet(
        "flights.parquet"
    )


@pytest.mark.parametrize(
    ("words", "options"),
    [
        ([], {}),
        (["--C", "1"], {"C": 1.0}),
        (["--C", "0.2", "--l1-ratio", "0.5"], {"C": 0.2, "l1_ratio": 0.5}),
        (["--l2-reg", "0.1", "--coding", "reference"], {"l2_reg": 0.1, "categories": "reference"}),
        (
            ["--C", "1", "--interactions", "carrier:month", "--interactions", "zip:carrier"],
            {"C": 1.0, "interactions": [("carrier", "month"), ("zip", "carrier")]},
        ),
    ],
    ids=str,
)
def test_a_fit_is_that_of_the_library(words, options) -> None:
    output = succeed("fit", *CSV, *words, "--tol", "1e-15", "--coefficients")
    expected = fastlogit.fit(CODED, FLIGHTS["late"], **options, tol=1e-15)
    found = load_model("m.npz").result
    assert found.feature_names == expected.feature_names
    assert found.categories == expected.categories
    np.testing.assert_allclose(found.coef, expected.coef, atol=1e-10)
    first, *lines = output.splitlines()
    assert first == f"{N} rows, 4 columns with {len(expected.coef)} coefficients, late: no, yes"
    assert [line.split("  ")[0] for line in lines if line.startswith("zip[")] == [
        name for name in expected.feature_names if name.startswith("zip[")
    ]
    assert load_model("m.npz").settings["categories"] == ["carrier", "month", "zip"]


@pytest.mark.parametrize("multi_class", ["ovr", "multinomial"])
def test_a_cross_validation_of_three_classes(multi_class) -> None:
    y = np.where(FLIGHTS["distance"] < -0.5, "early", FLIGHTS["late"])
    FLIGHTS.assign(late=y).to_csv("flights.csv", index=False)
    output = succeed("fit", *CSV, "--cv", "--folds", "3", "--multi-class", multi_class)
    expected = fastlogit.LogisticRegressionCV(
        l1_ratios=(0,), use_legacy_attributes=False, cv=3, scoring="neg_log_loss",
        multi_class=multi_class,
    ).fit(CODED, y)  # fmt: skip
    assert f"C = {expected.C_:.4g} of 10" in output
    found = load_model("m.npz").result
    np.testing.assert_allclose(found.coef.T, expected.coef_, atol=1e-6)
    assert found.feature_names == expected.result_.feature_names


@pytest.mark.parametrize("groups", [["carrier,zip"], ["features"]])
def test_groups_of_columns_are_groups_of_their_levels(groups) -> None:
    words = ["--C", "0.05", "--l1-ratio", "1", "--interactions", "carrier:month"]
    for each in groups:
        words += ["--penalty-groups", each]
    words += ["--multi-class", "multinomial"] if groups == ["features"] else []
    y = FLIGHTS["late"]
    if groups == ["features"]:
        y = np.where(FLIGHTS["distance"] < -0.5, "early", FLIGHTS["late"])
        FLIGHTS.assign(late=y).to_csv("flights.csv", index=False)
    succeed("fit", *CSV, *words, "--tol", "1e-14")
    found = load_model("m.npz").result
    columns = [name for name, _ in found.categories.features]
    labels = ["both" if name in ("carrier", "zip") else name for name in columns]
    expected = fastlogit.fit(
        CODED, y, C=0.05, l1_ratio=1.0, interactions=[("carrier", "month")], tol=1e-14,
        penalty_groups=labels if groups != ["features"] else "features", multi_class=(
            "multinomial" if groups == ["features"] else "ovr"
        ),
    )  # fmt: skip
    np.testing.assert_allclose(found.predict_proba(CODED), expected.predict_proba(CODED), atol=1e-6)
    np.testing.assert_array_equal(found.coef == 0.0, expected.coef == 0.0)
    assert (found.coef == 0.0).any()


def test_columns_of_text_are_noted() -> None:
    ended = run("fit", *CSV)
    assert ended.exit_code == 0
    assert ended.stderr == (
        "note: columns that are read as categories (how many there are): 'carrier' (3)\n"
    )
    ended = run("fit", *CSV, "--categories", "carrier")
    assert ended.stderr == ""
    ended = run("fit", *CSV, "--drop", "carrier")
    assert ended.stderr == ""


def test_levels_of_a_file_that_declares_them() -> None:
    parquet = ["flights.parquet", "--target", "late", "--categories", "month", "--drop", "zip"]
    succeed("fit", *parquet, "--out", "m.npz")
    found = load_model("m.npz").result
    assert found.categories.levels == (None, ("UA", "DL", "AA"), (1, 2, 3))
    expected = fastlogit.fit(
        CODED.drop(columns="zip").assign(
            carrier=CODED["carrier"].cat.reorder_categories(["UA", "DL", "AA"])
        ),
        FLIGHTS["late"],
    )
    np.testing.assert_allclose(found.coef, expected.coef, atol=1e-10)
    # The same model reads text.
    FLIGHTS[:7].to_csv("new.csv", index=False)
    succeed("predict", "m.npz", "new.csv", "--proba", "--out", "p.csv")
    np.testing.assert_allclose(
        pd.read_csv("p.csv")["proba_yes"], found.predict_proba(CODED[:7].drop(columns="zip"))[:, 1]
    )


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_predictions_are_those_of_the_library(suffix) -> None:
    succeed("fit", *CSV, "--C", "1", "--interactions", "month:zip")
    result = load_model("m.npz").result
    # Few rows, whose columns of text look like numbers now.
    new = FLIGHTS[FLIGHTS["zip"] != "1A"][:5].drop(columns="late")
    getattr(new, f"to_{suffix}")(f"new.{suffix}", index=False)
    succeed("predict", "m.npz", f"new.{suffix}", "--proba", "--out", "p.csv")
    found = pd.read_csv("p.csv")
    proba = result.predict_proba(new)
    np.testing.assert_allclose(found["proba_yes"], proba[:, 1], rtol=1e-12)
    assert found["prediction"].tolist() == result.predict(new).tolist()
    output = succeed("evaluate", "m.npz", f"flights.{suffix}")
    right = np.mean(result.predict(CODED) == FLIGHTS["late"])
    assert f"accuracy        {right:.4f}\n" in output


def test_new_and_missing_categories() -> None:
    succeed("fit", *CSV, "--C", "1")
    new = FLIGHTS[:4].assign(carrier=["AA", "ZZ", None, "UA"])
    new.to_csv("new.csv", index=False)
    line = fail(2, "predict", "m.npz", "new.csv")
    assert "new.csv: column 'carrier' has 'ZZ' in line 3, which was not in the fit" in line
    assert "['AA', 'DL', 'UA']: correct it, or" in line
    assert line.endswith("--handle-unknown zero")
    succeed("predict", "m.npz", "new.csv", "--proba", "--out", "p.csv", "--handle-unknown", "zero")
    succeed("fit", *CSV, "--C", "1", "--handle-unknown", "zero", "--out", "zero.npz")
    succeed("predict", "zero.npz", "new.csv", "--proba", "--out", "q.csv")
    assert Path("p.csv").read_text() == Path("q.csv").read_text()
    fail(2, "predict", "zero.npz", "new.csv", "--handle-unknown", "error")
    zero = load_model("zero.npz").result
    np.testing.assert_allclose(
        pd.read_csv("q.csv")["proba_yes"], zero.predict_proba(new.drop(columns="late"))[:, 1]
    )
    line = fail(2, "evaluate", "m.npz", "new.csv")
    assert "has 'ZZ' in line 3" in line
    FLIGHTS[:9].assign(month=7).to_csv("new.csv", index=False)
    assert "column 'month' has 7 in line 2" in fail(2, "predict", "m.npz", "new.csv")
    FLIGHTS[:9].assign(carrier=None).to_csv("new.csv", index=False)
    assert "column 'carrier' has no value in line 2" in fail(2, "predict", "m.npz", "new.csv")
    assert "lacks 1 of the model's 4" in fail(
        2, "predict", "m.npz", write(FLIGHTS.drop(columns="zip"))
    )


def write(frame: pd.DataFrame) -> str:
    """Write a CSV file, and return its name."""
    frame.to_csv("other.csv", index=False)
    return "other.csv"


def test_missing_categories_of_a_fit() -> None:
    holes = FLIGHTS.copy()
    holes.loc[[4, 6], "carrier"] = None
    holes.to_csv("flights.csv", index=False)
    line = fail(2, "fit", *CSV)
    assert "column 'carrier' has no value in line 6 (2 missing in all); give it a" in line
    ended = run("fit", *CSV, "--drop-missing")
    assert f"note: 2 of {N} rows lack a value" in ended.stderr
    expected = fastlogit.fit(CODED.drop(index=[4, 6]), FLIGHTS["late"].drop(index=[4, 6]))
    np.testing.assert_allclose(load_model("m.npz").result.coef, expected.coef, atol=1e-8)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--categories", "mont"], "categorical column 'mont' is not in flights.csv (did you"),
        (["--categories", "late"], "column 'late' is no feature: leave it out of --categories"),
        (["--interactions", "carrier"], "--interactions takes two feature columns with a colon"),
        (["--interactions", "carrier:mont"], "got 'carrier:mont'; columns are 'distance', "),
        (["--interactions", "carrier:distance"], "'distance', a column of numbers; it takes"),
        (["--coding", "ful"], "--coding must be one of 'auto', 'full', 'reference', got 'ful'"),
        (["--handle-unknown", "nan"], "--handle-unknown must be one of 'error', 'zero'"),
    ],
)
def test_bad_input(words, message) -> None:
    ended = run("fit", *CSV, "--categories", "carrier", *words)
    assert ended.exit_code == 2
    assert message in ended.stderr.splitlines()[-1]
    assert not Path("m.npz").exists()


def test_what_is_no_category() -> None:
    FLIGHTS.assign(id=[f"flight {k}" for k in range(N)]).to_csv("flights.csv", index=False)
    line = fail(2, "fit", *CSV)
    assert f"column 'id' has {N} different texts in {N} rows: too many to be categories" in line
    assert "--drop id, or say that they are with --categories id" in line
    succeed("fit", *CSV, "--categories", "id", "--C", "1")
    assert len(load_model("m.npz").result.categories.levels[-1]) == N
    FLIGHTS.assign(day="2024-03-01").to_csv("flights.csv", index=False)
    assert "column 'day' holds dates or times" in fail(2, "fit", *CSV)
    FLIGHTS.assign(price="1,234").to_csv("flights.csv", index=False)
    assert "say how it is written: --thousands ," in fail(2, "fit", *CSV)
    plain = ["flights.csv", "--target", "late"]
    line = fail(2, "fit", *plain, "--drop", "price")
    assert "not numeric: 'zip'" in line
    assert "read the column as categories with --categories" in line


def test_columns_of_other_names_and_files() -> None:
    """Names with commas and colons, whole numbers of an array, truth values."""
    odd = FLIGHTS.rename(columns={"carrier": "a,b", "month": "c:d"}).assign(
        truth=np.arange(N) % 3 == 0
    )
    odd.to_csv("flights.csv", index=False)
    succeed(
        "fit", "flights.csv", "--target", "late", "--categories", "a,b", "--categories",
        "c:d, truth", "--drop", "zip", "--interactions", "a,b:c:d", "--out", "m.npz",
    )  # fmt: skip
    names = load_model("m.npz").result.feature_names
    assert "a,b:c:d[DL:2]" in names
    assert names[5] == "truth[True]"
    succeed("predict", "m.npz", "flights.csv", "--out", "p.csv")
    X = np.column_stack([FLIGHTS["distance"], FLIGHTS["month"]])
    np.savez("rows.npz", X=X, y=np.asarray(FLIGHTS["late"], dtype=str))
    succeed("fit", "rows.npz", "--categories", "x1", "--C", "1", "--out", "rows.model.npz")
    assert load_model("rows.model.npz").result.feature_names == ["x0", "x1[1]", "x1[2]", "x1[3]"]
    succeed("predict", "rows.model.npz", "rows.npz", "--out", "p.csv")
    Path("rows.svmlight").write_text("1 1:0.5 2:1\n0 1:1.5 2:2\n1 1:0.1\n0 1:1.0 2:1\n")
    succeed("fit", "rows.svmlight", "--categories", "f2", "--C", "1", "--out", "s.npz")
    assert load_model("s.npz").result.feature_names == ["f1", "f2[0]", "f2[1]", "f2[2]"]


def test_a_model_of_the_library_reads_files() -> None:
    """Its columns have the names that the file was given."""
    X = CODED.set_axis(["d", "c", "m", "z"], axis=1)
    result = fastlogit.fit(X, FLIGHTS["late"], C=1.0)
    names = tuple(CODED.columns)
    save_model(Model(result, names, "late", {}, fastlogit.__version__), "m.npz")
    succeed("predict", "m.npz", "flights.csv", "--proba", "--out", "p.csv")
    np.testing.assert_allclose(
        pd.read_csv("p.csv")["proba_yes"], result.predict_proba(X)[:, 1], rtol=1e-12
    )


def test_without_pyarrow(monkeypatch) -> None:
    """The reader of the standard library keeps the same columns as text."""
    from fastlogit.io import text

    with monkeypatch.context() as patched:
        patched.setattr(text, "_with_pyarrow", lambda file: None)
        table = io.read_table("flights.csv", texts=["zip", "month"])
    assert set(table.column("zip")) == {"01", "1A", "2"}
    assert set(table.column("month")) == {"1", "2", "3"}
    again = io.read_table("flights.csv", texts=["zip", "month"])
    for name in table.names:
        np.testing.assert_array_equal(again.column(name), table.column(name))
