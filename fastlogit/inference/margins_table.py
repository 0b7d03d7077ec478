"""The table of margins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .summary import Summary, cells_of_tests, heads_of_ends, heads_of_tests, wald_tests
from .table import number

if TYPE_CHECKING:
    from .margins import Margins

__all__ = ["summary_of_margins"]


def summary_of_margins(margins: Margins, level: float) -> Summary:
    """Return the table of margins with intervals of a level."""
    columns = ["", margins.measure, "std error"]
    numbers = [margins.estimates, margins.standard_errors, *margins.conf_int(level).T]
    cells = [[number(value) for value in each.tolist()] for each in numbers]
    between = []
    if margins.scale != "logit":
        tests = wald_tests(margins.statistics, margins.p_values, margins.degrees_of_freedom)
        columns += heads_of_tests(tests)
        between = cells_of_tests(tests)
    columns += heads_of_ends(level)
    rows = list(zip(margins.names, *cells[:2], *between, *cells[2:], strict=True))
    return Summary(margins.title, list(margins.facts), columns, [list(row) for row in rows])
