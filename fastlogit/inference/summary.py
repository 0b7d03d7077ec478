"""The table that statisticians read, as text, HTML, Markdown, LaTeX and for rich."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from importlib import import_module
from typing import TYPE_CHECKING, Any

from .distributions import chi2_tail

if TYPE_CHECKING:
    from .inference import Inference

__all__ = ["Summary", "summary_of"]

# What cov_type is called in a table.
CALLED = {
    "nonrobust": "observed information",
    "CR0": "clusters, CR0",
    "CR1": "clusters, CR1",
    "CR1S": "clusters, CR1S",
    "CR2": "clusters, CR2",
    "CR3": "clusters, CR3",
}
CALLED_LINKS = {"logit": "Logistic", "probit": "Probit", "cloglog": "Complementary log-log"}
LATEX = str.maketrans(
    {
        "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
        "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "\\": r"\textbackslash{}",
        "<": r"$<$", ">": r"$>$", "|": r"$|$",
    }
)  # fmt: skip
# Sizes that are written without an exponent.
SMALL, LARGE = 1e-3, 1e5


@dataclass(frozen=True)
class Summary:
    """A table of coefficients below facts about the model; print it, or ask for another form.

    Attributes
    ----------
    title : str
    facts : list of (str, str)
    columns : list of str
        Heads of the table.
    rows : list of list of str
        A row for each coefficient, its name first.
    """

    title: str
    facts: list[tuple[str, str]]
    columns: list[str]
    rows: list[list[str]]

    def __str__(self) -> str:
        """Return it as plain text."""
        table = [self.columns, *self.rows]
        widths = [max(len(row[place]) for row in table) for place in range(len(self.columns))]
        lines = [
            "  ".join(
                cell.ljust(width) if place == 0 else cell.rjust(width)
                for place, (cell, width) in enumerate(zip(row, widths, strict=True))
            )
            for row in table
        ]
        rule = "-" * len(lines[0])
        return "\n".join(
            [self.title, *self._facts_in_two(), rule, lines[0], rule, *lines[1:], rule]
        )

    def _facts_in_two(self) -> list[str]:
        """Return the facts in two columns, the first half left."""
        half = (len(self.facts) + 1) // 2
        left, right = self.facts[:half], self.facts[half:]
        names = [max((len(name) for name, _ in side), default=0) for side in (left, right)]
        cells = [
            [f"{name.ljust(width)}  {value}" for name, value in side]
            for side, width in zip((left, right), names, strict=True)
        ]
        width = max(map(len, cells[0]))
        cells[1] += [""] * (len(cells[0]) - len(cells[1]))
        pairs = zip(cells[0], cells[1], strict=True)
        return [f"{one.ljust(width)}    {other}".rstrip() for one, other in pairs]

    def __rich__(self) -> Any:
        """Return it as rich prints it on a terminal."""
        console, tables, texts = (  # rich itself calls this, and no other
            import_module(f"rich.{name}") for name in ("console", "table", "text")
        )
        text = texts.Text
        table = tables.Table(title=self.title, title_justify="left")
        for place, head in enumerate(self.columns):
            table.add_column(text(head), justify="left" if place == 0 else "right")
        for row in self.rows:
            table.add_row(*map(text, row))
        return console.Group(text("\n".join(self._facts_in_two())), table)

    def _repr_html_(self) -> str:
        """Return it as HTML, for notebooks."""
        facts = "".join(
            f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>"
            for name, value in self.facts
        )
        head = "".join(f"<th>{escape(column)}</th>" for column in self.columns)
        body = "".join(
            f"<tr><th>{escape(row[0])}</th>"
            + "".join(f"<td>{escape(cell)}</td>" for cell in row[1:])
            + "</tr>"
            for row in self.rows
        )
        return (
            f"<p><b>{escape(self.title)}</b></p><table>{facts}</table>"
            f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        )

    def to_markdown(self) -> str:
        """Return it as Markdown: a list of facts and a table."""

        def line(cells: list[str]) -> str:
            return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |"

        facts = [f"- {name}: {value}" for name, value in self.facts]
        align = ["---", *["---:"] * (len(self.columns) - 1)]
        table = [line(self.columns), line(align), *map(line, self.rows)]
        return "\n".join([f"**{self.title}**", "", *facts, "", *table])

    def to_latex(self) -> str:
        """Return the table as a LaTeX tabular, for booktabs, with the facts as its last rows."""

        def line(cells: list[str]) -> str:
            return " & ".join(cell.translate(LATEX) for cell in cells) + r" \\"

        n_columns = len(self.columns)
        facts = [
            f"{name.translate(LATEX)} & \\multicolumn{{{n_columns - 1}}}{{l}}"
            f"{{{value.translate(LATEX)}}} \\\\"
            for name, value in self.facts
        ]
        return "\n".join([
            f"\\begin{{tabular}}{{l{'r' * (n_columns - 1)}}}", r"\toprule", line(self.columns),
            r"\midrule", *map(line, self.rows), r"\midrule", *facts, r"\bottomrule",
            r"\end{tabular}",
        ])  # fmt: skip


def summary_of(inference: Inference, level: float) -> Summary:
    """Return the table of an inference with intervals of a level."""
    is_t = inference.degrees_of_freedom is not None
    name = "t" if is_t else "z"
    ratio = "odds ratio" if len(inference.classes) == 2 else "risk ratio"
    low, high = 50.0 - 50.0 * level, 50.0 + 50.0 * level
    ends = [f"{low:.4g} %", f"{high:.4g} %"]
    has_odds = inference.link == "logit"
    columns = ["", "coef", "std error", name, f"P>|{name}|", *ends, *[ratio, *ends] * has_odds]
    if is_t:
        columns.insert(4, "df")
    rows = []
    values = [
        inference.coef, inference.standard_errors, inference.statistics, inference.p_values,
        *inference.conf_int(level).T,
    ]  # fmt: skip
    if has_odds:
        values += [inference.odds_ratios, *inference.odds_ratio_intervals(level).T]
    for place, own in enumerate(inference.names):
        cells = [_number(float(each[place])) for each in values]
        cells[2] = f"{values[2][place]:.3f}"
        cells[3] = _probability(float(values[3][place]))
        if inference.degrees_of_freedom is not None:
            cells.insert(3, f"{inference.degrees_of_freedom[place]:.2f}")
        rows.append([own, *cells])
    return Summary(_title(inference), _facts(inference), columns, rows)


def _title(inference: Inference) -> str:
    labels = [str(label) for label in inference.classes.tolist()]
    called = CALLED_LINKS[inference.link]
    if inference.fractional:
        return f"Fractional {called[0].lower()}{called[1:]} regression"
    if len(labels) == 2:
        return f"{called} regression of {labels[1]} against {labels[0]}"
    return f"Multinomial logistic regression, {len(labels)} classes against {inference.reference}"


def _facts(inference: Inference) -> list[tuple[str, str]]:
    found = inference.likelihood
    called = CALLED.get(inference.cov_type, inference.cov_type)
    if inference.n_clusters is not None:
        called += f" ({inference.n_clusters:,} clusters)"
    facts = [
        ("observations", f"{found.n_samples:,.10g}"),
        ("parameters", str(found.n_parameters)),
        ("covariance", called),
    ]
    if inference.weights is not None:
        facts.append(("weights", inference.weights))
    pseudo = "" if found.is_likelihood else "pseudo-"
    facts += [
        (f"{pseudo}log-likelihood", f"{found.log_likelihood:.4f}"),
        (f"null {pseudo}log-likelihood", f"{found.null_log_likelihood:.4f}"),
    ]
    if found.is_likelihood:
        statistic = found.null_deviance - found.deviance
        p_value = _probability(chi2_tail(statistic, found.n_slopes))
        facts += [
            (f"likelihood ratio chi2({found.n_slopes})", f"{statistic:.4f} (p = {p_value})"),
            ("AIC", f"{found.aic:.4f}"),
            ("BIC", f"{found.bic:.4f}"),
        ]
    facts += [
        ("McFadden's R2", f"{found.mcfadden:.4f}"),
        ("Nagelkerke's R2", f"{found.nagelkerke:.4f}"),
    ]
    return facts


def _number(value: float) -> str:
    plain = value == 0.0 or SMALL <= abs(value) < LARGE
    return f"{value:.4f}" if plain else f"{value:.3e}"


def _probability(value: float) -> str:
    return f"{value:.4f}" if value >= SMALL or value == 0.0 else f"{value:.2e}"
