"""Models as SQL, PMML and JSON: the engines give what predict_proba gives."""

import dataclasses
import json
import math
import shutil
import sqlite3
import subprocess
import sys
from xml.etree import ElementTree as ET

import duckdb
import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import make_pipeline

import fastlogit
import fastlogit.formula
from fastlogit.export import to_json, to_onnx, to_pmml, to_sql, to_sql_columns
from fastlogit.model_file import Model

# Rooms above the kernels.
pytestmark = pytest.mark.jit

N = 90
RNG = np.random.default_rng(14)
# Names and texts that must be quoted; numbers of float32, so that a REAL column holds them.
ODD, FAR, QUOTED = "a b", 'q"`[x]', "A'\\A"
FRAME = pd.DataFrame({
    ODD: RNG.normal(size=N),
    FAR: RNG.normal(size=N).astype(np.float32).astype(float),
    "whole": RNG.integers(0, 1000, N).astype(float),
    "flag": RNG.integers(0, 2, N).astype(float),
    "carrier": pd.Categorical(RNG.choice(["UA", QUOTED, "DL"], N)),
    "month": pd.Categorical(RNG.integers(1, 4, N)),
    "weekend": pd.Categorical(RNG.integers(0, 2, N).astype(bool)),
})  # fmt: skip
SCORE = 2 * FRAME[ODD] - FRAME[FAR] + (FRAME["carrier"] == "UA") + RNG.logistic(size=N)
TWO, THREE = np.where(SCORE > 0, "yes", "no"), np.digitize(SCORE, [-1.0, 1.0])
# Beside them rows whose exponentials are infinite, and 0.
ROWS = pd.concat([FRAME, FRAME.head(4).assign(**{ODD: [1e4, -1e4, 400.0, -400.0]})])
PAIRS = [("carrier", "month")]
CASES = {
    "two": (TWO, {}),
    "reference": (TWO, {"categories": "reference", "interactions": PAIRS}),
    "one-vs-all": (THREE, {}),
    "softmax": (THREE, {"multi_class": "multinomial", "interactions": PAIRS}),
    "zero": (TWO, {"handle_unknown": "zero", "interactions": PAIRS}),
}


def fitted(case):
    y, options = CASES[case]
    return fastlogit.fit(FRAME, y, l2_reg=1e-2, tol=1e-6, **options)


def in_duckdb(rows=ROWS):
    """Return a connection with the rows as a table t whose columns are of the narrowest types."""
    connection = duckdb.connect()
    connection.execute(
        'CREATE TABLE t ("a b" DOUBLE, "q""`[x]" REAL, whole SMALLINT, flag BOOLEAN, '
        "carrier VARCHAR, month TINYINT, weekend BOOLEAN)"
    )
    connection.executemany("INSERT INTO t VALUES (?, ?, ?, ?, ?, ?, ?)", values_of(rows))
    return connection


def in_sqlite(rows=ROWS):
    connection = sqlite3.connect(":memory:")
    connection.execute(
        'CREATE TABLE t (`a b` REAL, `q"``[x]` REAL, whole INTEGER, flag INTEGER, carrier TEXT, '
        "month INTEGER, weekend INTEGER)"
    )
    connection.executemany("INSERT INTO t VALUES (?, ?, ?, ?, ?, ?, ?)", values_of(rows))
    return connection


def values_of(rows):
    return rows.astype(object).where(rows.notna(), None).to_numpy().tolist()


def selected(connection, *expressions):
    found = connection.execute(f"SELECT {', '.join(expressions)} FROM t").fetchall()
    return np.array(found, dtype=float)


def scored(text, row):
    """Return probabilities of a row by what JSON says, in plain Python."""
    model = json.loads(text)
    raw = list(model["intercept"])
    for column in model["columns"]:
        value, coef = row[column["name"]], column["coef"]
        if "levels" in column:
            coef, value = coef[column["levels"].index(value)], 1.0
        raw = [total + value * each for total, each in zip(raw, coef, strict=True)]
    for pairs in model["interactions"]:
        pair = [row[name] for name in pairs["columns"]]
        if pair in pairs["pairs"]:
            coef = pairs["coef"][pairs["pairs"].index(pair)]
            raw = [total + each for total, each in zip(raw, coef, strict=True)]
    if model["multi_class"] == "multinomial":
        terms = [math.exp(each - max(raw)) for each in raw]
        return [each / sum(terms) for each in terms]
    second = [1 / (1 + math.exp(-each)) for each in raw]
    return second if len(second) > 1 else [1 - second[0], second[0]]


@pytest.mark.parametrize("case", CASES)
def test_engines_give_what_predict_proba_gives(case):
    result = fitted(case)
    expected = result.predict_proba(ROWS)
    for dialect, connection in (("duckdb", in_duckdb()), ("sqlite", in_sqlite())):
        columns = to_sql_columns(result, dialect)
        found = selected(connection, *columns.values())
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-15)
        # Small probabilities have their digits too, as far as those of the exponent go.
        np.testing.assert_allclose(found[:N], expected[:N], rtol=1e-13)
        aliases = [f"{text} AS {name}" for name, text in columns.items()]
        names = connection.execute(f"SELECT {', '.join(aliases)} FROM t").description
        assert [each[0] for each in names] == [f"proba_{label}" for label in result.classes]
    # What is written for PostgreSQL, whose exp fails where others say infinity, is DuckDB's too.
    found = selected(in_duckdb(), *to_sql_columns(result, "postgres").values())
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-15)
    for at in (0, 1, 2):
        row = FRAME.iloc[at].to_dict()
        np.testing.assert_allclose(scored(to_json(result), row), expected[at], rtol=1e-12)


def test_missing_values_and_levels_that_were_not_in_the_fit():
    rows = FRAME.head(4).astype({"carrier": object})
    rows.iloc[1, 0] = None
    rows.iloc[2, 4] = None
    rows.iloc[3, 4] = "ZZ"
    strict, lenient = fitted("two"), fitted("zero")
    expected = lenient.predict_proba(rows.iloc[[0, 2, 3]])[:, 1]
    for dialect, connect in (("duckdb", in_duckdb), ("sqlite", in_sqlite)):
        found = selected(connect(rows), to_sql(strict, dialect), to_sql(lenient, dialect))
        assert np.isnan(found[:, 0]).tolist() == [False, True, True, True]  # NULL
        assert np.isnan(found[:, 1]).tolist() == [False, True, False, False]
        np.testing.assert_allclose(found[[0, 2, 3], 1], expected, atol=1e-15)
    for dialect in ("duckdb", "postgres"):  # NaN is above all numbers there
        connection = in_duckdb(FRAME.head(1))
        connection.execute("UPDATE t SET \"a b\" = 'nan'")
        value = connection.execute(f"SELECT {to_sql(strict, dialect)} FROM t").fetchall()[0][0]
        assert value is not None
        assert math.isnan(value)


def test_sqlite_takes_no_text_for_a_number():
    result = fastlogit.fit(FRAME[["whole"]], TWO, l2_reg=0.1)
    text = to_sql(result, "sqlite")
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE t (whole)")
    connection.executemany("INSERT INTO t VALUES (?)", [("3",), ("",), (3,), (math.nan,)])
    found = selected(connection, text)[:, 0]
    assert np.isnan(found).tolist() == [True, True, False, True]
    connection.execute("ALTER TABLE t RENAME whole TO other")
    # Between double quotes a name without a column would be a text, and that is 0.
    with pytest.raises(sqlite3.OperationalError, match="no such column"):
        connection.execute(f"SELECT {text} FROM t")


def test_columns_without_coefficients_are_not_asked_for():
    result = fitted("reference")
    coef = result.coef.copy()
    places = result.categories.places
    for place in (1, 2, 6):
        coef[places[place]] = 0.0
    coef[places[4]] = 0.0  # those of carrier, which has a part in an interaction
    text = to_sql(dataclasses.replace(result, coef=coef))
    assert "carrier" in text
    assert not any(name in text for name in ("whole", "weekend", "q"))


def test_thousands_of_columns_are_no_deep_expression():
    """Engines stop at 1,000 levels."""
    width = 1_900
    small = fastlogit.fit(np.eye(6)[:, :2], [0, 1, 0, 1, 1, 0], l2_reg=1.0)
    coef = np.random.default_rng(0).normal(size=width)
    names = [f"c{k}" for k in range(width)]
    result = dataclasses.replace(small, coef=coef)
    expected = result.predict_proba(np.ones((1, width)))[0, 1]
    table = "SELECT " + ", ".join(f"1 AS {name}" for name in names)
    for dialect, connection in (
        ("duckdb", duckdb.connect()),
        ("sqlite", sqlite3.connect(":memory:")),
    ):
        text = to_sql(result, dialect, feature_names=names)
        found = connection.execute(f"SELECT {text} FROM ({table}) AS t").fetchall()[0][0]
        assert found == pytest.approx(expected, abs=1e-14)


def test_what_is_written_for_bigquery():
    result = fastlogit.fit(FRAME[["flag", "carrier"]], TWO, l2_reg=1.0)
    odd = dataclasses.replace(result, coef=np.array([0.5, -1e-9, 0.0, 2.0]), intercept=1e300)
    assert to_sql(odd, "bigquery", "no", feature_names=["a`b", "carrier"], booleans=["a`b"]) == (
        "1e0 / (1e0\n  + EXP(LEAST(GREATEST((1e+300\n"
        "  + 0.5e0 * CAST(CAST(`a\\`b` AS integer) AS FLOAT64)\n"
        "  + CASE CAST(`carrier` AS STRING) WHEN 'A\\'\\\\A' THEN (-1e-09) WHEN 'DL' THEN 0.0e0 "
        "WHEN 'UA' THEN 2.0e0 END), -700e0), 700e0)))"
    )


def test_estimators_and_models_are_taken():
    numbers = FRAME[[ODD, "flag"]]
    estimator = fastlogit.LogisticRegression().fit(numbers, THREE)
    expected = estimator.predict_proba(ROWS[[ODD, "flag"]])
    found = selected(in_duckdb(), *to_sql_columns(estimator).values())
    np.testing.assert_allclose(found, expected, atol=1e-15)
    result = fastlogit.fit(numbers.to_numpy(), TWO, C=1.0)
    model = Model(result, (ODD, "flag"), "late", {}, fastlogit.__version__)
    found = selected(in_duckdb(), to_sql(model, label="no"))[:, 0]
    expected = result.predict_proba(ROWS[[ODD, "flag"]].to_numpy())[:, 0]
    np.testing.assert_allclose(found, expected, atol=1e-15)
    said = json.loads(to_json(model))
    assert (said["target"], said["classes"], said["link"]) == ("late", ["no", "yes"], "logit")
    assert [each["name"] for each in json.loads(to_json(result))["columns"]] == ["x0", "x1"]


OF_PMML = ["two", "reference", "softmax", "zero"]
NAMESPACE = "{http://www.dmg.org/PMML-4_4}"


def scored_by_pmml(text, row):
    """Return the raw predictions that the tables of a RegressionModel make of a row."""
    text_of = {k: str(v).lower() if isinstance(v, bool) else str(v) for k, v in row.items()}
    model = ET.fromstring(text).find(f"{NAMESPACE}RegressionModel")
    values = dict(row)
    for field in model.iter(f"{NAMESPACE}DerivedField"):
        (norm,) = field
        values[field.get("name")] = float(text_of[norm.get("field")] == norm.get("value"))
    found = {}
    for table in model.iter(f"{NAMESPACE}RegressionTable"):
        total = float(table.get("intercept"))
        for each in table:
            size = float(each.get("coefficient"))
            if each.tag.endswith("NumericPredictor"):
                total += size * values[each.get("name")]
            elif each.tag.endswith("CategoricalPredictor"):
                total += size * (text_of[each.get("name")] == each.get("value"))
            else:
                total += size * math.prod(values[ref.get("field")] for ref in each)
        found[table.get("targetCategory")] = total
    return found


@pytest.mark.parametrize("case", OF_PMML)
def test_tables_of_pmml_are_the_raw_predictions(case):
    result = fitted(case)
    raw = np.atleast_2d(result.raw_prediction(FRAME.head(3)).T)
    labels = result.classes if len(result.classes) > 2 else result.classes[1:]
    for at in range(3):
        found = scored_by_pmml(to_pmml(result), FRAME.iloc[at].to_dict())
        for label, expected in zip(labels, raw, strict=True):
            assert found[str(label)] == pytest.approx(expected[at], rel=1e-13)


IN_JPMML = """
import json, sys
import pandas as pd
from jpmml_evaluator import make_evaluator
text, rows, more = json.load(sys.stdin)
open("model.pmml", "w", encoding="utf-8").write(text)
evaluator = make_evaluator("model.pmml").verify()
found = evaluator.evaluateAll(pd.DataFrame(rows))
said = []
for row in more:
    try:
        said.append(evaluator.evaluate(row).get("proba_yes"))
    except Exception as error:
        said.append(str(error))
print(json.dumps([found.filter(like="proba_").to_numpy(float).tolist(),
                  found["label"].astype(str).tolist(), said]))
"""


@pytest.mark.slow(seconds=15)
@pytest.mark.skipif(shutil.which("java") is None, reason="JPMML runs on Java")
@pytest.mark.parametrize("case", OF_PMML)
def test_jpmml_gives_what_predict_proba_gives(case, tmp_path):
    pytest.importorskip("jpmml_evaluator")
    result = fitted(case)
    rows = [dict(zip(ROWS, row, strict=True)) for row in values_of(ROWS)]
    more = [rows[0] | {ODD: None}, rows[0] | {"carrier": "ZZ"}, rows[0] | {"carrier": None}]
    done = subprocess.run(
        [sys.executable, "-c", IN_JPMML], input=json.dumps([to_pmml(result), rows, more]),
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    proba, labels, said = json.loads(done.stdout.splitlines()[-1])
    np.testing.assert_allclose(proba, result.predict_proba(ROWS), rtol=0, atol=1e-15)
    assert labels == [str(label) for label in result.predict(ROWS)]
    assert said[0] is None
    if case == "zero":
        lenient = FRAME.head(1).astype({"carrier": object}).assign(carrier="ZZ")
        expected = result.predict_proba(lenient)[0, 1]
        assert said[1:] == pytest.approx([expected, expected], abs=1e-15)
    else:
        assert "cannot accept invalid value" in said[1]
        assert "cannot accept missing value" in said[2]


@pytest.mark.filterwarnings("ignore:X has feature names:UserWarning")
@pytest.mark.parametrize("columns", [[ODD, FAR], [ODD, "carrier", "flag"]])
@pytest.mark.parametrize("y", [TWO, THREE], ids=["two", "softmax"])
def test_an_engine_in_python_gives_what_predict_proba_gives(columns, y, tmp_path):
    engine = pytest.importorskip("sklearn_pmml_model.linear_model").PMMLLogisticRegression
    rows = ROWS[columns]
    result = fastlogit.fit(FRAME[columns], y, l2_reg=1e-2, multi_class="multinomial")
    (tmp_path / "model.pmml").write_text(to_pmml(result), encoding="utf-8")
    model = engine(pmml=str(tmp_path / "model.pmml"))
    found = model.predict_proba(rows)
    assert [str(label) for label in model.classes_] == [str(label) for label in result.classes]
    np.testing.assert_allclose(found, result.predict_proba(rows), rtol=0, atol=1e-15)


def test_errors_say_what_to_do():
    numbers = FRAME[[ODD, "flag"]]
    plain = fastlogit.fit(numbers.to_numpy(), TWO, C=1.0)
    three = fastlogit.fit(numbers, THREE, C=1.0)
    mixed = fastlogit.fit(pd.DataFrame({"m": pd.Categorical([1, "1"] * 3)}), [0, 1] * 3, C=1.0)
    probit = fastlogit.fit(numbers, TWO, C=1.0, link="probit")
    ovr = fastlogit.LogisticRegression(multi_class="ovr").fit(numbers, THREE)
    endless = dataclasses.replace(three, intercept=np.full(3, np.inf))
    for message, error, arguments, options in (
        ("columns have no names; give feature_names", ValueError, (plain,), {}),
        ("3 names, but the fit had 2", ValueError, (plain,), {"feature_names": ["a", "b", "c"]}),
        ("column 1 has an empty name", ValueError, (plain,), {"feature_names": ["a", ""]}),
        ("two columns have the name 'a'", ValueError, (plain,), {"feature_names": ["a", "a"]}),
        ("'a' and 'A' have one name in SQLite", ValueError, (plain, "sqlite"),
         {"feature_names": ["a", "A"]}),
        ("dialect must be", ValueError, (three, "mysql"), {}),
        ("has 3 classes; give the label", ValueError, (three,), {}),
        ("label 7 is no class", ValueError, (three, "duckdb", 7), {}),
        ("'other', which is no column of numbers", ValueError, (three,), {"booleans": ["other"]}),
        ("levels of several types", ValueError, (mixed,), {}),
        ("link='probit'; export it as JSON", ValueError, (probit,), {}),
        ("export model.result_", ValueError, (ovr,), {}),
        ("not finite", ValueError, (endless, "duckdb", 1), {}),
        ("got dict", TypeError, ({},), {}),
    ):  # fmt: skip
        with pytest.raises(error, match=message):
            to_sql(*arguments, **options)
    with pytest.raises(ValueError, match="PMML has no one-vs-all"):
        to_pmml(three)
    with pytest.raises(ValueError, match="'proba_no' has the name of an output"):
        to_pmml(plain, feature_names=["a", "proba_no"])
    for model, message in (
        (fastlogit.LogisticRegression(), "not fitted, or not of fastlogit"),
        (make_pipeline(fastlogit.LogisticRegression()).fit(numbers, TWO), "export its last step"),
        (fastlogit.formula.logit("flag ~ whole", FRAME), "the terms of a formula are no columns"),
    ):
        with pytest.raises(TypeError, match=message):
            to_json(model)
    for given in ({"feature_names": "ab"}, {"booleans": "ab"}):
        with pytest.raises(TypeError, match="must be a list of names"):
            to_sql(plain, **given)
    assert to_sql(plain, "postgres", feature_names=["a", "A"])  # are two columns there
    assert json.loads(to_json(probit))["link"] == "probit"


def test_texts_and_levels_that_no_engine_takes():
    plain = fastlogit.fit(FRAME[["flag"]], TWO, C=1.0)
    for write, text, message in (
        (to_sql, "a\0b", r"U\+0000, which SQL has not"),
        (to_pmml, "a\x01b", r"'a\\x01b' has the character U\+0001"),
        (to_pmml, "a\ufffe", r"U\+FFFE"),
    ):
        with pytest.raises(ValueError, match=message):
            write(plain, feature_names=[text])
        levels = pd.DataFrame({"m": pd.Categorical([text, "b"] * 3)})
        with pytest.raises(ValueError, match=message):
            write(fastlogit.fit(levels, [0, 1] * 3, C=1.0))
    with pytest.raises(ValueError, match=message):
        to_pmml(fastlogit.fit(FRAME[["flag"]].iloc[:6], [text, "b"] * 3, C=1.0))
    endless = fastlogit.fit(pd.DataFrame({"m": pd.Categorical([1.0, np.inf] * 3)}), [0, 1] * 3, C=1)
    raw = dataclasses.replace(plain, classes=np.array([b"no", b"yes"]))
    for write in (to_sql, to_onnx, to_pmml, to_json):
        with pytest.raises(ValueError, match="'m' has the level inf; make texts"):
            write(endless)
        with pytest.raises(ValueError, match="classes are of type bytes"):
            write(raw)
    # JPMML's integers have 32 bits.
    far = fastlogit.fit(pd.DataFrame({"m": pd.Categorical([2**31, 1] * 3)}), [0, 1] * 3, C=1.0)
    found = ET.fromstring(to_pmml(far))
    assert [each.get("dataType") for each in found.iter(f"{NAMESPACE}DataField")] == [
        "integer", "string",
    ]  # fmt: skip
    # What XML has to write otherwise comes back.
    odd = "a\n\t<&>'\" \U0001f600"
    found = ET.fromstring(to_pmml(plain, feature_names=[odd]))
    assert found.find(f".//{NAMESPACE}NumericPredictor").get("name") == odd
