"""The table of margins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING

import numpy as np

from ..arrays import Array
from .summary import Summary
from .table import number, probability

if TYPE_CHECKING:
    from .margins import Margins

__all__ = ["frame_of", "summary_of_margins"]


def frame_of(columns: Mapping[str, Array], names: Sequence[str] | None = None) -> object:
    """Return a pandas data frame, or a dict of arrays where pandas is not installed.

    `names` of its rows become its index, or the column "term".
    """
    try:
        pd = import_module("pandas")
    except ModuleNotFoundError:
        terms = {} if names is None else {"term": np.array(names, dtype=object)}
        return {**terms, **columns}
    return pd.DataFrame(columns, index=None if names is None else pd.Index(names, name="term"))


def summary_of_margins(margins: Margins, level: float) -> Summary:
    """Return the table of margins with intervals of a level."""
    degrees, is_tested = margins.degrees_of_freedom, margins.scale != "logit"
    name = "z" if degrees is None else "t"
    columns = ["", margins.measure, "std error"]
    numbers = [margins.estimates, margins.standard_errors, *margins.conf_int(level).T]
    cells = [[number(float(value)) for value in each] for each in numbers]
    between = []
    if is_tested:
        columns += [name, *["df"] * (degrees is not None), f"P>|{name}|"]
        between.append([f"{value:.3f}" for value in margins.statistics])
        if degrees is not None:
            between.append([f"{value:.2f}" for value in degrees])
        between.append([probability(float(value)) for value in margins.p_values])
    low, high = 50.0 - 50.0 * level, 50.0 + 50.0 * level
    columns += [f"{low:.4g} %", f"{high:.4g} %"]
    rows = list(zip(margins.names, *cells[:2], *between, *cells[2:], strict=True))
    return Summary(margins.title, list(margins.facts), columns, [list(row) for row in rows])
