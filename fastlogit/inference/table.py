"""Tables of fitted models in the forms that they are read in: text, HTML, Markdown, LaTeX, rich."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from html import escape
from importlib import import_module
from typing import Any

__all__ = ["Table", "four_decimals", "is_probability", "number", "probability"]

LATEX = str.maketrans(
    {
        "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
        "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "\\": r"\textbackslash{}",
        "<": r"$<$", ">": r"$>$", "|": r"$|$",
    }
)  # fmt: skip
MARKDOWN = str.maketrans({sign: f"\\{sign}" for sign in "|*`<\\"})
# Sizes that are written without an exponent.
SMALL, LARGE, INFINITE = 1e-3, 1e5, float("inf")
# A longer name is cut in its middle where columns have to fit beside it.
LONGEST_NAME = 40
# What each column of rich's simple boxes takes beside its cells, and what their edges take.
GAP, EDGE = 3, 2
# Letters of a name that columns may not take from it.
LEAST_NAME = 16


@dataclass(frozen=True)
class Table:
    """A table below facts about it; print it, or ask for another form.

    Attributes
    ----------
    title : str
    facts : list of (str, str)
    columns : list of str
        Heads of the table.
    rows : list of list of str
        The name of each first.
    foot : list of list of str
        Rows below a rule.
    notes : list of str
        Lines below the table.
    breaks : list of int
        Places of columns before which a table may be cut in two where a terminal is narrow.
    """

    title: str
    facts: list[tuple[str, str]]
    columns: list[str]
    rows: list[list[str]]
    foot: list[list[str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    breaks: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Write names with line breaks in one line."""
        object.__setattr__(self, "title", _in_line(self.title))
        for rows in (self.rows, self.foot, [self.columns]):
            for row in rows:
                row[:] = map(_in_line, row)
        self.facts[:] = [(_in_line(name), _in_line(value)) for name, value in self.facts]

    def __str__(self) -> str:
        """Return it as plain text."""
        lines = _aligned([self.columns, *self.rows, *self.foot])
        rule = "-" * len(lines[0])
        end = 1 + len(self.rows)
        foot = [*lines[end:], rule] if self.foot else []
        table = [rule, lines[0], rule, *lines[1:end], rule, *foot]
        return "\n".join([self.title, *self._facts_in_two(), *table, *self.notes])

    def _facts_in_two(self) -> list[str]:
        """Return the facts in two columns, the first half left."""
        if not self.facts:
            return []
        half = (len(self.facts) + 1) // 2
        left, right = _facts_in_one(self.facts[:half]), _facts_in_one(self.facts[half:])
        width = max(map(len, left))
        right += [""] * (len(left) - len(right))
        return [
            f"{one.ljust(width)}    {other}".rstrip()
            for one, other in zip(left, right, strict=True)
        ]

    def __rich_console__(self, console: Any, options: Any) -> Iterator[Any]:
        """Print it on a terminal by rich, cut in two or more where it is too narrow."""
        texts, tables, boxes = (  # rich itself calls this, and no other
            import_module(f"rich.{name}") for name in ("text", "table", "box")
        )
        width = options.max_width
        yield texts.Text(self.title, style="bold")
        facts = self._facts_in_two()
        if max(map(len, facts), default=0) > width:
            facts = _facts_in_one(self.facts)
        if facts:
            yield texts.Text("\n".join(facts))
        for places in self._parts(width):
            table = tables.Table(box=boxes.SIMPLE, pad_edge=False, padding=(0, 1))
            for place in [0, *places]:
                table.add_column(
                    texts.Text(self.columns[place]), justify="right" if place else "left",
                    overflow="fold",
                )  # fmt: skip
            for part in (self.rows, self.foot):
                for row in part:
                    cells = [_shortened(row[0]), *(row[place] for place in places)]
                    table.add_row(*map(texts.Text, cells))
                table.add_section()
            yield table
        if self.notes:
            yield texts.Text("\n".join(self.notes))

    def _parts(self, width: int) -> list[list[int]]:
        """Return the columns of each table that is no wider than so much, beside the names."""
        every = [self.columns, *self.rows, *self.foot]
        widths = [max(len(row[place]) for row in every) for place in range(len(self.columns))]
        names = max(len(_shortened(row[0])) for row in every)
        room = width - EDGE - min(names, LEAST_NAME)
        ends = [*self.breaks, len(self.columns)]
        groups = [list(range(*pair)) for pair in zip([1, *self.breaks], ends, strict=True)]
        parts: list[list[int]] = []
        free = -1
        for group in groups:
            size = sum(widths[place] + GAP for place in group)
            together = [group] if size <= room else [[place] for place in group]
            for places in together:
                size = sum(widths[place] + GAP for place in places)
                if size > free:
                    parts.append([])
                    # Names of another table need not be cut: it has few columns.
                    free = width - EDGE - names if size <= width - EDGE - names else room
                parts[-1] += places
                free -= size
            free = free if len(together) == 1 else -1
        return parts

    def _repr_html_(self) -> str:
        """Return it as HTML, for notebooks."""
        facts = "".join(
            f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>"
            for name, value in self.facts
        )
        head = "".join(f"<th>{escape(column)}</th>" for column in self.columns)
        body, foot = _html_rows(self.rows), _html_rows(self.foot)
        return (
            f"<p><b>{escape(self.title)}</b></p>"
            + (f"<table>{facts}</table>" if facts else "")
            + f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody>"
            + (f"<tfoot>{foot}</tfoot>" if foot else "")
            + "</table>"
            + "".join(f"<p>{escape(note)}</p>" for note in self.notes)
        )

    def to_markdown(self) -> str:
        """Return it as Markdown: a list of facts and a table."""

        def line(cells: list[str]) -> str:
            return "| " + " | ".join(_markdown(cell) for cell in cells) + " |"

        facts = [f"- {_markdown(name)}: {_markdown(value)}" for name, value in self.facts]
        align = ["---", *["---:"] * (len(self.columns) - 1)]
        table = [line(self.columns), line(align), *map(line, [*self.rows, *self.foot])]
        notes = [line for note in self.notes for line in ("", _markdown(note))]
        blank = [""] if facts else []
        return "\n".join([f"**{_markdown(self.title)}**", "", *facts, *blank, *table, *notes])

    def to_latex(self) -> str:
        """Return the table as a LaTeX tabular, for booktabs, with the facts as its last rows."""

        def line(cells: list[str]) -> str:
            row = " & ".join(cell.translate(LATEX) for cell in cells) + r" \\"
            # After a row or a rule these signs would be its options.
            return f"{{}}{row}" if row.startswith(("[", "*")) else row

        def across(text: str, n_columns: int) -> str:
            return f"\\multicolumn{{{n_columns}}}{{l}}{{{text.translate(LATEX)}}} \\\\"

        n_columns = len(self.columns)
        parts = [
            [*map(line, self.rows)],
            [*map(line, self.foot)],
            [f"{name.translate(LATEX)} & {across(value, n_columns - 1)}"
             for name, value in self.facts],
            [across(note, n_columns) for note in self.notes],
        ]  # fmt: skip
        body = [row for part in parts if part for row in (r"\midrule", *part)]
        return "\n".join([
            f"\\begin{{tabular}}{{l{'r' * (n_columns - 1)}}}", r"\toprule", line(self.columns),
            *body, r"\bottomrule", r"\end{tabular}",
        ])  # fmt: skip


def _in_line(text: str) -> str:
    """Return text without line breaks and other signs that move a cursor."""
    return text if text.isprintable() else " ".join(text.split())


def _shortened(name: str) -> str:
    """Return a name without its middle, where it is long."""
    if len(name) <= LONGEST_NAME:
        return name
    half = (LONGEST_NAME - 1) // 2
    return f"{name[:half]}\u2026{name[-half:]}"


def _aligned(table: list[list[str]]) -> list[str]:
    """Return rows with names to the left, and cells to the right."""
    table = [[_shortened(row[0]), *row[1:]] for row in table]
    widths = [max(len(row[place]) for row in table) for place in range(len(table[0]))]
    return [
        "  ".join(
            cell.ljust(width) if place == 0 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in table
    ]


def _facts_in_one(facts: list[tuple[str, str]]) -> list[str]:
    width = max((len(name) for name, _ in facts), default=0)
    return [f"{name.ljust(width)}  {value}" for name, value in facts]


def _html_rows(rows: list[list[str]]) -> str:
    return "".join(
        f"<tr><th>{escape(row[0])}</th>"
        + "".join(f"<td>{escape(cell)}</td>" for cell in row[1:])
        + "</tr>"
        for row in rows
    )


def _markdown(text: str) -> str:
    """Return text without the signs that Markdown takes for its own."""
    return text.translate(MARKDOWN)


def number(value: float) -> str:
    """Return a number with four decimals, or with an exponent."""
    plain = value == 0.0 or SMALL <= abs(value) < LARGE
    return (
        four_decimals(value)
        if plain or value != value or abs(value) == INFINITE
        else f"{value:.3e}"
    )


def four_decimals(value: float) -> str:
    """Return a number with four decimals, of one that rounds to 0 without a sign."""
    text = f"{value:.4f}"
    return "0.0000" if text == "-0.0000" else text


def probability(value: float) -> str:
    """Return a probability with four decimals, or with an exponent where it is small.

    One that leaves float64 is below its least number: "<1e-300".
    """
    if value == 0.0:
        return "<1e-300"
    return f"{value:.4f}" if value >= SMALL else f"{value:.2e}"


def is_probability(value: float) -> str:
    """Return "p = ..." of a probability, or "p < 1e-300" of one that leaves float64."""
    return "p < 1e-300" if value == 0.0 else f"p = {probability(value)}"
