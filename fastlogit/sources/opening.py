"""What a fit is given with the name of a target -> a source."""

from __future__ import annotations

from typing import NamedTuple

from ..arrays import ArrayLike
from ..inputs.table_source import TableSource
from .finding import format_of, is_path
from .source import ArrowSource, ParquetSource, Source
from .tables import is_table

__all__ = ["Opened", "SourceOptions", "opened"]


class SourceOptions(NamedTuple):
    """What is asked of the columns of a source; None for what was not said."""

    target: object = None
    features: object = None
    categorical: object = None
    filter: object = None
    nulls: object = None
    spool: object = None
    memory_limit: object = None

    def given(self) -> dict[str, object]:
        """Return what was said."""
        return {name: value for name, value in self._asdict().items() if value is not None}


class Opened(NamedTuple):
    """What a fit goes on with."""

    X: ArrayLike
    y: ArrayLike
    sample_weight: ArrayLike
    offset: ArrayLike


def opened(
    X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike, offset: ArrayLike, options: SourceOptions
) -> Opened:
    """Return a source where X is a path or a table with its target, else what was given.

    Raises
    ------
    TypeError, ValueError
        If an option is wrong, or belongs to a source that X is not.
    """
    said = options.given()
    if isinstance(X, TableSource):
        if said:
            raise TypeError(
                f"X is a source already: give it {', '.join(said)}, not the fit, as "
                f"{type(X).__name__}(..., {next(iter(said))}=...)"
            )
        return Opened(X, y, sample_weight, offset)
    if not said and (y is not None or not is_path(X)):  # a list of texts is no path then
        return Opened(X, y, sample_weight, offset)
    if options.target is None:
        raise TypeError(
            "target is missing: say which column is predicted, as fit(path, target='clicked')"
            if is_path(X)
            else f"{', '.join(said)} is for a table with its target: give target='column' too"
        )
    if y is not None:
        raise TypeError("give y or target, not both")
    for role, column in (("sample_weight", sample_weight), ("offset", offset)):
        if column is not None:
            said[role] = column
    return Opened(_source(X, said), None, None, None)


def _source(X: ArrayLike, said: dict[str, object]) -> Source:
    kind: type[Source] = ArrowSource
    if is_path(X):
        kind = ParquetSource if format_of(X) == "parquet" else ArrowSource
    elif not is_table(X):
        raise TypeError(
            f"target={said['target']!r} is the column of a table, and X is a {type(X).__name__}; "
            "give labels as y, or a path, a table of pyarrow, a LazyFrame, a relation of DuckDB"
        )
    return kind(X, **said)  # type: ignore[arg-type]  # checked there
