"""Which rows are read: filters as expressions of pyarrow, and whether they fit the columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .library import Foreign, arrow, module
from .views import without_views

__all__ = ["check_filter", "expression_of", "filtered"]

WANTED = (
    "filter must be an expression of pyarrow.dataset or a list of tuples (column, operator, value)"
)


def expression_of(given: Foreign) -> Foreign:
    """Return a filter as an expression of pyarrow; None for none.

    Raises
    ------
    TypeError, ValueError
        If it is of another kind, or no list of tuples of three.
    """
    if given is None or type(given).__name__ == "Expression":
        return given
    if not isinstance(given, list | tuple):
        raise TypeError(
            f"{WANTED}, got {type(given).__name__}; those of polars and DuckDB go with their own "
            "frames"
        )
    try:
        return module("parquet").filters_to_expression(list(given))
    except (TypeError, ValueError) as error:
        raise ValueError(f"{WANTED}, got {given!r}: {error}") from None


def check_filter(schema: Foreign, expression: Foreign, where: str) -> None:
    """Raise ValueError where a filter does not fit the columns of a table."""
    if expression is None:
        return
    try:
        without_views(schema.empty_table()).filter(expression)
    except (TypeError, arrow().ArrowException) as error:
        said = " ".join(str(error).split())
        raise ValueError(f"the filter does not fit the columns of {where}: {said[:300]}") from None


def filtered(batch: Foreign, expression: Foreign, columns: Sequence[str]) -> Iterator[Foreign]:
    """Go over the rows of a batch that a filter leaves, with some columns."""
    table = arrow().Table.from_batches([without_views(batch)])
    yield from table.filter(expression).select(list(columns)).to_batches()
