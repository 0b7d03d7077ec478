"""From the texts of a file to numbers: one meaning, whoever split the file into texts."""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from fastlogit.io.tables import Array

__all__ = [
    "FALSE_TEXTS",
    "MISSING_TEXTS",
    "SEPARATORS",
    "TRUE_TEXTS",
    "TextFormat",
    "column_from_texts",
    "is_date",
    "options_for",
    "texts_or_none",
]

#: What may separate columns unless the user says it; the first wins where two fit equally well.
SEPARATORS = ",;\t|"
#: Texts that mean "no value" in every CSV file: pyarrow's list.
MISSING_TEXTS = frozenset(
    ("", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN",
     "N/A", "NA", "NULL", "NaN", "n/a", "nan", "null")
)  # fmt: skip
TRUE_TEXTS = frozenset(["true", "True", "TRUE"])
FALSE_TEXTS = frozenset(["false", "False", "FALSE"])

# Around numbers and marks. Other white space, such as no-break spaces, is part of a text.
_BLANKS = " \t"
# With `thousands=" "` those that typesetters use instead: no-break, thin, narrow no-break.
_SPACES = " \u00a0\u2009\u202f"


@dataclass(frozen=True)
class TextFormat:
    r"""How a CSV file writes its values.

    Attributes
    ----------
    sep : str or None
        Separator of the columns; None finds it in the first lines. ``tab`` and ``\t`` are the
        tabulator.
    decimal : str
        What stands before the decimals.
    thousands : str or None
        What stands between groups of three digits. A space means every kind of space.
    na : tuple of str
        Texts that mean "no value", besides `MISSING_TEXTS`.

    Raises
    ------
    ValueError
        If a separator is not one character, or one character has two meanings.
    """

    sep: str | None = None
    decimal: str = "."
    thousands: str | None = None
    na: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check the options against each other."""
        if self.sep in ("tab", "\\t"):
            object.__setattr__(self, "sep", "\t")
        for name in ("sep", "decimal", "thousands"):
            value = getattr(self, name)
            if value is not None and (len(value) != 1 or value in '"\r\n\0' or value.isalnum()):
                raise ValueError(
                    f"--{name} must be one character that is no letter, digit or quote, got "
                    f"{value!r}{_meant(name, value)}"
                )
        for name in ("decimal", "thousands"):
            if getattr(self, name) in ("+", "-"):
                raise ValueError(f"--{name} cannot be a sign, got {getattr(self, name)!r}")
        if self.thousands == self.decimal:
            raise ValueError(f"--thousands and --decimal are both {self.decimal!r}")

    @cached_property
    def missing(self) -> frozenset[str]:
        """All texts that mean "no value"."""
        return MISSING_TEXTS | {text.strip(_BLANKS) for text in self.na} | set(self.na)

    @cached_property
    def _number(self) -> re.Pattern[str]:
        point = re.escape(self.decimal)
        kinds = [
            rf"(?:\d+(?:{point}\d*)?|{point}\d+)(?:[eE][+-]?\d+)?",
            r"(?i:inf|infinity|nan(?:\(\w*\))?)",
        ]
        if self.thousands is not None:
            group = f"[{_SPACES}]" if self.thousands == " " else re.escape(self.thousands)
            kinds.append(rf"\d{{1,3}}(?:{group}\d{{3}})+(?:{point}\d*)?")
        return re.compile(rf"[+-]?(?:{'|'.join(kinds)})", re.ASCII)

    @cached_property
    def _to_python(self) -> dict[int, str | None]:
        """What `str.translate` makes a number that `float` reads."""
        groups = _SPACES if self.thousands == " " else self.thousands or ""
        return {ord(mark): None for mark in groups} | {ord(self.decimal): "."}

    def is_missing(self, text: str) -> bool:
        """Tell whether a text means "no value"."""
        return text in self.missing or text.strip(_BLANKS) in self.missing

    def is_number(self, text: str) -> bool:
        """Tell whether a text is a number."""
        return self._number.fullmatch(text.strip(_BLANKS)) is not None

    def number(self, text: str) -> float:
        """Return the number that a text is."""
        plain = text.strip(_BLANKS)
        if "(" in plain:  # nan(...), as C writes it
            return math.nan
        return float(plain.translate(self._to_python))


# Characters that people call by a name.
_NAMED = {"comma": ",", "semicolon": ";", "pipe": "|", "bar": "|", "colon": ":", "space": " ",
          "blank": " ", "point": ".", "dot": ".", "period": ".", "apostrophe": "'",
          "underscore": "_"}  # fmt: skip


def _meant(option: str, value: str) -> str:
    r"""Return what was meant: a name, one character more than once, in quotes or after a \."""
    plain = value.strip().strip("'\"`\\")
    if plain.lower() in ("t", "tab", "tabs", "tabulator") and option == "sep":
        return "; did you mean --sep tab?"
    if len(set(plain)) == 1 and not plain.isalnum():
        plain = plain[0]
    mark = _NAMED.get(plain.lower().replace("-", ""), plain)
    if len(mark) != 1 or mark.isalnum():
        return ""
    return f"; did you mean --{option} {shlex.quote(mark)}?"


# The first that fits all texts is taken: "1,234" alone can be thousands or decimals.
_OTHERS = (
    ("--thousands ,", TextFormat(thousands=",")),
    ("--decimal ,", TextFormat(decimal=",")),
    ("--decimal , --thousands .", TextFormat(decimal=",", thousands=".")),
    ('--thousands "\'"', TextFormat(thousands="'")),
    ("--thousands _", TextFormat(thousands="_")),
    ("--thousands ' '", TextFormat(thousands=" ")),
    ("--decimal , --thousands ' '", TextFormat(decimal=",", thousands=" ")),
)


def options_for(texts: Collection[str]) -> str | None:
    """Return the options with which all texts would be numbers, as words of a command line."""
    for options, form in _OTHERS:
        if all(map(form.is_number, texts)):
            return options
    return None


# Dates as people and programs write them, and times of day, alone or after a date.
_CLOCK = r"\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?(?: ?[AaPp][Mm])?(?: ?(?:Z|UTC|[+-]\d{2}:?\d{2}))?"
_DAY = (
    r"\d{4}-\d{1,2}-\d{1,2}|\d{4}/\d{1,2}/\d{1,2}|\d{4}\.\d{1,2}\.\d{1,2}"
    r"|\d{1,2}/\d{1,2}/\d{2,4}|\d{1,2}-\d{1,2}-\d{2,4}|\d{1,2}\.\d{1,2}\.\d{2,4}"
    r"|\d{1,2}[ -][A-Za-z]{3,9}[ -]\d{2,4}|[A-Za-z]{3,9} \d{1,2},? \d{4}"
)
_DATE = re.compile(rf"(?:{_DAY})(?:[T ]+{_CLOCK})?|{_CLOCK}", re.ASCII)


def is_date(text: str) -> bool:
    """Tell whether a text is a date, a time of day or both."""
    return _DATE.fullmatch(text.strip(_BLANKS)) is not None


def column_from_texts(texts: Sequence[str], form: TextFormat) -> Array:
    """Return a column of texts as int64, bool, float64 (NaN: missing) or object (None: missing)."""
    missing = np.array([form.is_missing(text) for text in texts], dtype=bool)
    column = np.array(texts, dtype=object)
    present = column[~missing]
    bools = _as_bools(present)
    if bools is not None:
        if not missing.any():
            return bools
        column[missing], column[~missing] = None, bools
        return column
    if not all(form.is_number(text) for text in present):
        column[missing] = None
        return column
    whole = _as_integers(present, form)
    if whole is not None and not missing.any():
        return whole
    floats = np.full(len(column), np.nan)
    floats[~missing] = [form.number(text) for text in present] if whole is None else whole
    return floats


def texts_or_none(texts: Sequence[str], form: TextFormat) -> Array:
    """Return a column of texts as they stand, as objects; None where a value is missing."""
    column = np.array(texts, dtype=object)
    column[[form.is_missing(text) for text in texts]] = None
    return column


def _as_integers(texts: Array, form: TextFormat) -> Array | None:
    """Return numbers as int64, or None if they are no integers or too large."""
    marks = {mark: None for mark, python in form._to_python.items() if python is None}
    plain = [text.strip(_BLANKS).translate(marks) for text in texts]
    # A plus sign makes a float64, as pyarrow has it.
    if not all(text.removeprefix("-").isdecimal() for text in plain):
        return None
    try:
        return np.array([int(text) for text in plain], dtype=np.int64)
    except OverflowError:
        return None


def _as_bools(texts: Array) -> Array | None:
    """Return texts as bool, or None if they are not truth values."""
    plain = [text.strip(_BLANKS) for text in texts]
    if plain and set(plain) <= TRUE_TEXTS | FALSE_TEXTS:
        return np.array([text in TRUE_TEXTS for text in plain], dtype=bool)
    return None
