"""Options and arguments that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "FOR_CATEGORIES",
    "Data",
    "Decimal",
    "DropMissing",
    "HandleUnknown",
    "ModelPath",
    "Na",
    "Sep",
    "Thousands",
    "Threads",
    "Verbose",
]


_DATA_HELP = (
    "CSV, Parquet (or a folder of it), Feather, .npz (arrays X, y, or a sparse matrix) or svmlight "
    "file."
)
Data = Annotated[Path, typer.Argument(metavar="DATA", help=_DATA_HELP, show_default=False)]
ModelPath = Annotated[
    Path, typer.Argument(metavar="MODEL", help="A file that `fit` wrote.", show_default=False)
]
Threads = Annotated[
    int | None, typer.Option(help="Number of threads.", show_default="what the process may use")
]
_FOR_CSV = "How a CSV file is written"
Sep = Annotated[
    str | None,
    typer.Option(
        "--sep",
        help="Separator of the columns; tab for tabulators.",
        show_default="found in the file",
        rich_help_panel=_FOR_CSV,
    ),
]
Decimal = Annotated[
    str,
    typer.Option("--decimal", help="What stands before the decimals.", rich_help_panel=_FOR_CSV),
]
Thousands = Annotated[
    str | None,
    typer.Option(
        "--thousands",
        help="What stands between groups of three digits.",
        show_default="nothing",
        rich_help_panel=_FOR_CSV,
    ),
]
Na = Annotated[
    list[str] | None,
    typer.Option(
        "--na",
        help="Text that means no value, besides NA, NaN, null and an empty cell (may be given "
        "again).",
        rich_help_panel=_FOR_CSV,
    ),
]
DropMissing = Annotated[
    bool, typer.Option("--drop-missing", help="Leave out the rows that lack a value.")
]
FOR_CATEGORIES = "Categorical columns"
HandleUnknown = Annotated[
    str | None,
    typer.Option(
        help="What a category is that the fit had not, or a missing one: error, or zero (of none).",
        show_default="as in the fit",
    ),
]
Verbose = Annotated[
    bool, typer.Option("--verbose", "-v", help="Print on stderr what goes on, a line a second.")
]
