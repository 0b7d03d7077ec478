"""Formulas: what is missing, what is not known, and what is no formula."""

import subprocess
import sys
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from fastlogit.formula import logit, mnlogit

pytestmark = pytest.mark.jit


@pytest.fixture
def data() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({
        "y": rng.integers(0, 2, 120), "kind": rng.choice(["p", "q", "r"], 120),
        "x": rng.normal(size=120), "g": rng.choice(["a", "b", "c"], 120),
        "one": "u", "day": pd.date_range("2020", periods=120), "n": rng.uniform(size=120) - 0.1,
    })  # fmt: skip
    frame.loc[3, "x"] = np.nan
    frame.loc[[5, 6], "g"] = None
    return frame


def test_rows_that_lack_a_value_are_counted(data: pd.DataFrame) -> None:
    model = logit("y ~ x + g", data)
    assert (model.n_rows, model.n_samples, model.n_dropped) == (120, 117, 3)
    assert model.lacking == {"x": 1, "g": 2}
    assert ("rows left out", "3 (values missing)") in model.summary().facts
    assert repr(model).startswith("FormulaResult('y ~ x + g', 117 rows (3 rows left out), 3 coef")
    whole = logit("y ~ x + g", data.dropna())
    np.testing.assert_array_equal(model.inference().coef, whole.inference().coef)
    with pytest.raises(ValueError, match="3 rows lack a value, the first of x in row 3; fill them"):
        logit("y ~ x + g", data, missing="error")
    # Weights and clusters count too.
    site = np.arange(120.0)
    site[100] = np.nan
    assert logit("y ~ x", data, clusters=site).lacking == {"x": 1, "clusters": 1}


def test_rows_where_functions_give_nan_are_dropped_with_a_warning(data: pd.DataFrame) -> None:
    n_bad = int((data["n"] < 0)[data["g"].notna()].sum())
    with pytest.warns(UserWarning, match=rf"{n_bad} rows are dropped .* give NaN: np.log\(n\)"):
        model = logit("y ~ np.log(n) + g", data)
    assert model.lacking == {"g": 2, "np.log(n)": n_bad}
    with pytest.raises(ValueError, match=r"rows lack a value, the first of np.log\(n\)"):
        logit("y ~ np.log(n)", data, missing="error")


def test_new_rows_that_lack_a_value(data: pd.DataFrame) -> None:
    model = logit("y ~ x + g", data)
    with pytest.raises(ValueError, match=r"1 rows lack a value, .* x in row 3; .* missing='nan'"):
        model.predict(data.head(5))
    found = model.predict_proba(data.head(8), missing="nan")
    assert np.flatnonzero(np.isnan(found[:, 1])).tolist() == [3, 5, 6]
    known = data.head(8).dropna()
    np.testing.assert_array_equal(found[~np.isnan(found[:, 1])], model.predict_proba(known))


def test_levels_that_the_fit_had_not(data: pd.DataFrame) -> None:
    model = logit("y ~ x * g", data)
    rows = data.head(3).assign(g=["a", "zz", "b"])
    with pytest.raises(ValueError, match=r"data has 'zz' in g \(row 1 of those used\), which was"):
        model.predict(rows)
    found = model.predict_proba(rows, handle_unknown="zero")
    np.testing.assert_array_equal(found[1], model.predict_proba(rows.assign(g="a"))[1])
    lenient = logit("y ~ x * g", data, handle_unknown="zero")
    np.testing.assert_array_equal(lenient.predict_proba(rows), found)


def test_functions_of_the_caller(data: pd.DataFrame) -> None:
    power = 2.0

    def raised(values: Any) -> Any:
        return values**power

    found = logit("y ~ raised(x) + I(n * power)", data)
    wanted = logit("y ~ I(x ** 2) + I(2 * n)", data)
    np.testing.assert_allclose(found.inference().coef, wanted.inference().coef)
    own = logit("y ~ f(x)", data, context={"f": np.exp})
    assert own.names == ["f(x)"]
    with pytest.raises(ValueError, match=r"names 'raised' in raised\(x\), which is no column"):
        logit("y ~ raised(x)", data, context={})


@pytest.mark.parametrize(
    ("formula", "error", "words"),
    [
        (5, TypeError, "formula must be text, as 'y ~ x1"),
        ("~ x", ValueError, "has no response: write it before a tilde"),
        ("x", ValueError, "has no response: write it before a tilde"),
        ("y ~ 1", ValueError, "has no term besides the intercept"),
        ("y ~ 0", ValueError, "has no term besides the intercept"),
        ("y ~ x +", ValueError, "is not understood: Operator `\\+` has insuff"),
        ("y ~ x | g", ValueError, "has several parts at its right side"),
        ("y + kind ~ x", ValueError, r"has 2 terms as its response \(y, kind\)"),
        ("y ~ 2:x", ValueError, r"has the number 2 in the term 2:x: .*I\(2 \* x\)"),
        ("y ~ xx", ValueError, "names 'xx', which is no column of data.*did you mean 'x'"),
        ("yy ~ x", ValueError, "names 'yy', which is no column of data"),
        ("y ~ sqrtt(x)", ValueError, r"names 'sqrtt' in sqrtt\(x\), which is no column"),
        ("one ~ x", ValueError, r"the response one has one class only \(u\)"),
        ("x ~ g", ValueError, "the response x has 117 different values that are not whole"),
        ("kind ~ x", ValueError, r"has 3 classes \(p, q, r\); logit takes two: use mnlogit"),
        ("y ~ one", ValueError, r"one has one level only \('u'\) in the rows of the fit"),
        ("y ~ day", TypeError, "day holds datetime64.*neither numbers nor levels"),
        ("y ~ C(g, Treatment('z'))", ValueError, r"levels of C\(g.* cannot be coded: Value"),
        ("y ~ C(g, levels=['a', 'b'])", ValueError, "cannot be coded: Data has categories outsi"),
        ("y ~ log(n * 0)", ValueError, r"log\(n \* 0\) is infinite in 120 rows"),
        ("y ~ x.foo()", ValueError, r"x.foo\(\) cannot be computed from data: AttributeError"),
        ("y ~ np.ones(3)", ValueError, r"np.ones\(3\) has 3 values for 120 rows"),
        ("y ~ beside", ValueError, "names 'beside', which is no column of data but a variable wit"),
    ],
)
def test_what_is_no_formula_for_the_data(
    data: pd.DataFrame, formula: Any, error: Any, words: str
) -> None:
    beside = np.ones(120)
    assert beside.all()
    with pytest.raises(error, match=words):
        logit(formula, data)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"missing": "pass"}, ValueError, "missing must be one of 'drop', 'error'"),
        ({"handle_unknown": "x"}, ValueError, "handle_unknown must be one of"),
        ({"weights": "counts"}, ValueError, "weights must be one of 'frequency'"),
        ({"sample_weight": "ww"}, ValueError, "sample_weight is 'ww', which is no column"),
        ({"sample_weight": [1, 2]}, ValueError, r"sample_weight has shape \(2,\), but data have"),
        ({"offset": "g"}, TypeError, "offset"),
        ({"intercept": None}, TypeError, "takes no intercept: write '- 1' in the formula"),
        ({"interactions": []}, TypeError, "takes no interactions: write them in the formula"),
        ({"C": -1}, ValueError, "C must be > 0 or infinite"),
    ],
)
def test_options_that_are_not_possible(
    data: pd.DataFrame, options: Any, error: Any, words: str
) -> None:
    with pytest.raises(error, match=words):
        logit("y ~ x", data, **options)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: d.iloc[:0], "data are empty: they have no rows"),
        (lambda d: d.assign(x=np.nan), r"no row is complete: values are missing in x \(120 rows\)"),
        (lambda d: pd.concat([d, d[["x"]]], axis=1), "data have 2 columns named 'x'"),
    ],
)
def test_data_that_are_not_possible(data: pd.DataFrame, change: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        logit("y ~ x", change(data))


def test_what_is_no_frame(data: pd.DataFrame) -> None:
    with pytest.raises(TypeError, match="data must be a frame of pandas, polars or pyarrow, or"):
        logit("y ~ x", 3)
    with pytest.raises(TypeError, match="LazyFrame, whose rows are not computed yet"):
        logit("y ~ x", pl.from_pandas(data).lazy())
    model = logit("y ~ x + g", data)
    with pytest.raises(ValueError, match="data have no column 'g'; they have 'x'"):
        model.predict(data[["x"]])
    with pytest.raises(ValueError, match="an offset of a single column means nothing for more"):
        mnlogit("kind ~ x + offset(n)", data)


def test_an_offset_that_is_no_column_is_asked_for(data: pd.DataFrame) -> None:
    model = logit("y ~ x", data, offset=np.ones(120))
    with pytest.raises(ValueError, match="the fit had an offset that is no column of the data"):
        model.predict(data.dropna())
    assert len(model.predict(data.dropna(), offset=np.zeros(117))) == 117


def test_dots_are_all_other_columns(data: pd.DataFrame) -> None:
    assert list(logit("y ~ .", data[["y", "x", "g"]]).terms) == ["x", "g"]


def test_formulaic_is_loaded_when_a_function_is_called() -> None:
    code = "import sys, fastlogit.formula; print('formulaic' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
    code = (
        "import sys; sys.modules['formulaic'] = None\nimport fastlogit\n"
        "try:\n    fastlogit.formula.logit('y ~ x', {'y': [0, 1], 'x': [1, 2]})\n"
        "except ModuleNotFoundError as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'fastlogit[formula]'" in done.stdout
