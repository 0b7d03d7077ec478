"""Several models in one table."""

import sys
from typing import Any

import numpy as np
import pandas as pd
import pytest
from test_inference import spector, unpenalised
from test_inference_summary import printed

from fastlogit import compare_models, fit, infer

pytestmark = pytest.mark.jit

TEXT = """\
Coefficients and, in brackets, standard errors
----------------------------------
                     (1)       (2)
----------------------------------
intercept        -9.7032  -13.0213
                (3.6711)  (4.9313)
GPA               2.8401    2.8261
                (1.1270)  (1.2629)
TUCE                        0.0952
                          (0.1416)
PSI                         2.3787
                          (1.0646)
----------------------------------
observations          32        32
log-likelihood  -16.2089  -12.8896
AIC              36.4178   33.7793
BIC              39.3493   39.6422
McFadden's R2     0.2128    0.3740
----------------------------------"""


@pytest.fixture
def models() -> Any:
    X, y = spector()
    return [infer(unpenalised(part, y), part, y) for part in (X[["GPA"]], X)]


def test_text(models: Any) -> None:
    assert str(compare_models(models)) == TEXT


def test_odds_ratios_intervals_and_stars(models: Any) -> None:
    table = compare_models(
        {"small": models[0], "large": models[1]}, values="odds_ratio", brackets="interval",
        level=0.9, stars=True,
    )  # fmt: skip
    text = str(table)
    low, high = models[1].odds_ratio_intervals(0.9)[3]
    assert f"[{low:.4f}, {high:.4f}]" in text
    assert f"{models[1].odds_ratios[3]:.4f}*" in text
    assert "Odds ratios and, in brackets, 90 % intervals" in text
    assert "* p < 0.05, ** p < 0.01, *** p < 0.001" in text
    assert table.columns == ["", "small", "large"]
    assert "*" not in str(compare_models(models))
    error = models[1].odds_ratios[3] * models[1].standard_errors[3]
    assert f"({error:.4f})" in str(compare_models(models, values="odds_ratio"))
    assert f"({models[1].p_values[2]:.4f})" in str(compare_models(models, brackets="p_value"))


def test_other_forms(models: Any) -> None:
    table = compare_models([*models, models[1].with_covariance("HC1")], stars=True)
    assert "HC1" in table.foot[-1]
    markdown = table.to_markdown()
    assert "| GPA | 2.8401\\* | 2.8261\\* |" in markdown
    latex = table.to_latex()
    assert latex.startswith("\\begin{tabular}{lrrr}")
    assert latex.count(r"\midrule") == 3
    assert r"\multicolumn{4}{l}{* p $<$ 0.05" in latex
    html = table._repr_html_()
    assert "<tfoot><tr><th>observations</th><td>32</td>" in html
    assert html.count("<table>") == 1
    for width, n_tables in ((80, 1), (50, 2), (38, 3)):
        lines = printed(table, width)
        assert max(map(len, lines)) <= width
        assert sum("GPA" in line for line in lines) == n_tables


def test_frames(models: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    table = compare_models({"a": models[0], "b": models[1]})
    frame: Any = table.to_frame()
    assert isinstance(frame, pd.DataFrame)
    assert list(frame.index) == models[1].names
    np.testing.assert_array_equal(frame["b", "coef"], models[1].coef)
    assert frame["a", "std_error"].isna().tolist() == [False, False, True, True]
    facts: Any = table.fit_statistics()
    assert facts.loc["b", "aic"] == models[1].aic
    monkeypatch.setitem(sys.modules, "pandas", None)
    columns: Any = table.to_frame()
    assert list(columns["term"]) == models[1].names
    assert list(table.fit_statistics()["model"]) == ["a", "b"]  # type: ignore[index]


def test_what_does_not_compare_is_said(models: Any) -> None:
    X, y = spector()
    fewer = infer(unpenalised(X[:28], y[:28]), X[:28], y[:28])
    assert "different numbers of observations" in str(compare_models([models[0], fewer]))
    assert "different numbers" not in str(compare_models(models))
    weight = np.linspace(0.5, 1.5, 32)
    fitted = unpenalised(X, y, sample_weight=weight)
    found = infer(fitted, X, y, sample_weight=weight, weights="probability", cov_type="HC1")
    text = str(compare_models({"plain": models[1], "sampled": found}))
    assert "Of sampled the log-likelihood is that of a sample" in text
    aic = next(line for line in text.splitlines() if line.startswith("AIC"))
    assert aic.split() == ["AIC", "33.7793"]


def test_what_is_refused(models: Any) -> None:
    with pytest.raises(TypeError, match=r"model \(2\) must be an Inference.*str"):
        compare_models([models[0], "second"])
    with pytest.raises(TypeError, match="dict of names"):
        compare_models(models[0])
    with pytest.raises(ValueError, match="models is empty"):
        compare_models([])
    with pytest.raises(ValueError, match="brackets"):
        compare_models(models, brackets="t")
    with pytest.raises(TypeError, match="stars must be True or False"):
        compare_models(models, stars=1)


def test_what_other_models_are_is_said(models: Any) -> None:
    X, y = spector()
    share, fewer = 0.2 + 0.5 * (y == 1), X[["GPA", "TUCE"]]
    probit = infer(fit(X, y, C=np.inf, link="probit"), X, y)
    of_shares = infer(fit(X, share, C=np.inf, fractional=True), X, share)
    firth = infer(fit(X, y, penalty="firth"), X, y)
    table = compare_models({"a": models[0], "b": probit, "c": of_shares, "d": firth})
    scales, shares, reduced = table.notes
    assert scales.endswith("of different links: a logit, b probit, c logit, d logit.")
    assert shares.startswith("Of c the log-likelihood is that of shares that are no counts")
    assert reduced.startswith("Of reduced bias: d (mean). The log-likelihood there is")
    with pytest.raises(ValueError, match="not nested in this one: it has link='logit'"):
        probit.likelihood_ratio_test(infer(unpenalised(fewer, y), fewer, y))
    part = infer(fit(fewer, y, penalty="firth"), fewer, y)
    with pytest.raises(ValueError, match="bias_reduction='mean', and does not maximise"):
        infer(unpenalised(X, y), X, y).likelihood_ratio_test(part)
