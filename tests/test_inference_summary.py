"""The summary in its forms, and the frame below it."""

import sys
from io import StringIO
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rich.console import Console
from test_inference import spector

from fastlogit import fit, infer
from fastlogit.inference.hypothesis_tests import HypothesisTest
from fastlogit.inference.table import Table, is_probability, number, probability

pytestmark = pytest.mark.jit

TEXT = """\
Logistic regression of 1 against 0
observations         32                      likelihood ratio chi2(3)  15.4042 (p = 0.0015)
parameters           4                       AIC                       33.7793
covariance           observed information    BIC                       39.6422
log-likelihood       -12.8896                McFadden's R2             0.3740
null log-likelihood  -20.5917                Nagelkerke's R2           0.5278
"""


@pytest.fixture
def found() -> Any:
    X, y = spector()
    return infer(fit(X, y, C=np.inf), X, y)


def test_text(found: Any) -> None:
    lines = str(found.summary()).splitlines()
    assert "\n".join(lines[:6]) == TEXT.strip()
    row = next(line for line in lines if line.startswith("GPA")).split()
    assert row == [
        "GPA", "2.8261", "1.2629", "2.238", "0.0252", "0.3508", "5.3014", "16.8797", "1.4202",
        "200.6238",
    ]  # fmt: skip
    assert len({len(line) for line in lines if line.startswith(("GPA", "TUCE", "---"))}) == 1
    assert str(found) == str(found.summary())
    assert "2.5 %" in str(found.summary())
    assert "2.5 %" not in str(found.summary(0.9))


def test_other_forms(found: Any) -> None:
    summary = found.summary()
    markdown = summary.to_markdown().splitlines()
    assert markdown[0] == "**Logistic regression of 1 against 0**"
    assert sum(line.startswith("| ") for line in markdown) == 6  # head, rule and four coefficients
    assert len({line.count("|") for line in markdown if line.startswith("| ")}) <= 2
    latex = summary.to_latex()
    assert latex.startswith(r"\begin{tabular}{lrrrrrrrrr}")
    assert r"P$>$$|$z$|$" in latex
    assert r"2.5 \%" in latex
    html = found._repr_html_()
    assert html.count("<tr>") == 1 + 4 + len(summary.facts)
    assert "P&gt;|z|" in html
    console = Console(width=140, record=True, file=StringIO())
    console.print(summary)
    printed = console.export_text()
    assert "2.8261" in printed
    assert "McFadden's R2" in printed
    assert repr(found).startswith("Inference(4 coefficients, nonrobust, 32 observations")


def test_frame(found: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = found.to_frame(0.9)
    assert isinstance(frame, pd.DataFrame)
    assert list(frame.index) == found.names
    np.testing.assert_array_equal(frame["coef"], found.coef)
    np.testing.assert_array_equal(frame["conf_low"], found.conf_int(0.9)[:, 0])
    monkeypatch.setitem(sys.modules, "pandas", None)
    columns = found.to_frame()
    assert list(columns["term"]) == found.names
    np.testing.assert_array_equal(columns["p_value"], found.p_values)


def test_t_has_degrees_of_freedom(found: Any) -> None:
    own = found.with_covariance("CR2", np.arange(32) % 6)
    head = str(own.summary())
    assert "P>|t|" in head
    assert "clusters, CR2 (6 clusters)" in head
    assert " df " in head
    np.testing.assert_array_equal(own.to_frame()["df"], own.degrees_of_freedom)


def test_names_that_are_markup_are_escaped() -> None:
    X, y = spector()
    X.columns = ["<GPA>", "a_b|c", "[bold]PSI"]
    summary = infer(fit(X, y, C=np.inf), X, y).summary()
    assert "&lt;GPA&gt;" in summary._repr_html_()
    assert r"a\_b$|$c" in summary.to_latex()
    assert r"a_b\|c" in summary.to_markdown()
    console = Console(width=140, record=True, file=StringIO())
    console.print(summary)
    assert "[bold]PSI" in console.export_text()


def printed(table: Any, width: int) -> list[str]:
    """What rich prints, without spaces at the ends of lines."""
    console = Console(width=width, record=True, file=StringIO())
    console.print(table)
    return [line.rstrip() for line in console.export_text().splitlines()]


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_rich_cuts_tables_and_no_cell(found: Any, width: int) -> None:
    summary = found.summary()
    lines = printed(summary, width)
    assert max(map(len, lines)) <= width
    text = "\n".join(lines)
    for row in summary.rows:
        assert all(cell in text for cell in row)
    heads = [line for line in lines if "odds ratio" in line]
    assert len(heads) == 1
    # The table is whole where it fits, and cut before the odds ratios where that will do.
    assert ("std error" in heads[0]) == (width == 120)
    n_tables = sum("GPA" in line for line in lines)
    assert n_tables == {120: 1, 80: 2}.get(width, n_tables)
    assert n_tables >= 1


def test_names_in_one_line_and_long_ones(found: Any) -> None:
    X, y = spector()
    long = "a name that goes on and on, for ever and ever [level seven]"
    X.columns = ["a name\nwith a break", "50 % of_a & b", long]
    summary = infer(fit(X, y, C=np.inf), X, y).summary()
    text = str(summary)
    assert len(text.splitlines()) == len(str(found.summary()).splitlines())
    assert "a name with a break" in text
    assert "r [level seven]" in text
    assert long not in text
    assert r"50 \% of\_a \& b & 0.0952" in summary.to_latex()
    assert "50 % of_a &amp; b" in summary._repr_html_()
    for form in (summary.to_latex(), summary.to_markdown(), summary._repr_html_()):
        assert long in form
        assert "name with a break" in form
    for width in (60, 80):
        lines = printed(summary, width)
        assert max(map(len, lines)) <= width
        assert all(cell in "\n".join(lines) for row in summary.rows for cell in row[1:])


def test_a_probability_that_leaves_float64_is_not_zero():
    """Of z = 80 it is below 1e-1000, and was "0.0000" beside 1.07e-295."""
    assert probability(0.0) == "<1e-300"
    assert is_probability(0.0) == "p < 1e-300"
    assert is_probability(0.25) == "p = 0.2500"
    test = HypothesisTest("Wald", "x", 13145.0, 1, 0.0)
    assert str(test) == "Wald test of x: chi2(1) = 13145.0000, p < 1e-300"


def test_names_that_latex_would_take_for_options() -> None:
    table = Table("t", [], ["", "x"], [["[a] b", "1"], ["*c*", "2"], ["d[e]", "[3]"]])
    assert table.to_latex().splitlines()[4:7] == [
        r"{}[a] b & 1 \\",
        r"{}*c* & 2 \\",
        r"d[e] & [3] \\",
    ]


def test_nothing_has_no_sign() -> None:
    X, y = np.array([[0.0], [1.0], [0.0], [1.0]]), [0, 1, 1, 0]
    assert "-0.0000" not in str(infer(fit(X, y, C=np.inf), X, y).summary()).split("----")[0]
    assert number(-0.0) == "0.0000"
