"""What SQL engines want otherwise from each other: names, texts, types, and how far `exp` goes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from fastlogit.inputs.coded_frame import Level

__all__ = ["DIALECTS", "Dialect"]

# Further from 0 the exponential is cut off where engines fail instead of saying infinity or 0: it
# changes a probability by 1e-304.
_LIMIT = "700e0"
_LARGEST = "1.7976931348623157e308"


@dataclasses.dataclass(frozen=True)
class Dialect:
    """How an engine wants it.

    Attributes
    ----------
    title : str
        Its name in messages.
    quote : callable
        A name of a column, quoted.
    text : callable
        A text, quoted.
    number : callable
        The value of a column as a double, NULL where it has none.
    text_type : str
        The type of texts.
    booleans : tuple of str
        How it writes false and true.
    exponential : callable
        The exponential of an expression, which neither fails nor loses NULL or NaN.
    same_name : callable
        What two names share that are one to the engine.
    casts_booleans : bool
        Whether `number` takes a boolean column as it is.
    """

    title: str
    quote: Callable[[str], str]
    text: Callable[[str], str]
    number: Callable[[str], str]
    text_type: str
    booleans: tuple[str, str]
    exponential: Callable[[str], str]
    same_name: Callable[[str], object]
    casts_booleans: bool

    def level(self, value: Level) -> str:
        """Return a level as a literal."""
        if isinstance(value, bool):
            return self.booleans[value]
        if isinstance(value, str):
            return self.text(value)
        return str(value) if isinstance(value, int) else literal(value)


def literal(value: float) -> str:
    """Return a number exactly, with an exponent: engines take others for decimals of few digits."""
    text = repr(float(value))
    text = text if "e" in text else f"{text}e0"
    return f"({text})" if text.startswith("-") else text


def _doubled(mark: str) -> Callable[[str], str]:
    return lambda text: f"{mark}{text.replace(mark, 2 * mark)}{mark}"


def _backslashed(mark: str) -> Callable[[str], str]:
    """Return what quotes as BigQuery does, where a text ends with its line."""
    changes = {"\\": "\\\\", mark: f"\\{mark}", "\n": "\\n", "\r": "\\r"}
    table = str.maketrans(changes)
    return lambda text: f"{mark}{text.translate(table)}{mark}"


def _plain_exponential(value: str) -> str:
    return f"exp({value})"


def _exponential_by_cases(value: str) -> str:
    # LEAST and GREATEST leave NULL out, and NaN is above all numbers: such go on to exp.
    return (
        f"CASE WHEN {value} < -{_LIMIT} THEN 0e0 WHEN {value} BETWEEN {_LIMIT} AND {_LARGEST} "
        f"THEN exp({_LIMIT}) ELSE exp({value}) END"
    )


def _exponential_within(value: str) -> str:
    return f"EXP(LEAST(GREATEST({value}, -{_LIMIT}), {_LIMIT}))"


def _cast_to(kind: str) -> Callable[[str], str]:
    return lambda value: f"CAST({value} AS {kind})"


def _number_of_sqlite(value: str) -> str:
    # A cast makes 0 of any text.
    return f"CASE WHEN typeof({value}) IN ('integer', 'real') THEN CAST({value} AS REAL) END"


DIALECTS = {
    "duckdb": Dialect(
        "DuckDB", _doubled('"'), _doubled("'"), _cast_to("DOUBLE"), "VARCHAR", ("FALSE", "TRUE"),
        _plain_exponential, str.lower, True,
    ),
    # Between double quotes a name that no column has is a text.
    "sqlite": Dialect(
        "SQLite", _doubled("`"), _doubled("'"), _number_of_sqlite, "TEXT", ("0", "1"),
        _plain_exponential, str.lower, True,
    ),
    "postgres": Dialect(
        "PostgreSQL", _doubled('"'), _doubled("'"), _cast_to("double precision"), "text",
        ("FALSE", "TRUE"), _exponential_by_cases, lambda name: name.encode()[:63], False,
    ),
    "bigquery": Dialect(
        "BigQuery", _backslashed("`"), _backslashed("'"), _cast_to("FLOAT64"), "STRING",
        ("FALSE", "TRUE"), _exponential_within, str.lower, False,
    ),
}  # fmt: skip
