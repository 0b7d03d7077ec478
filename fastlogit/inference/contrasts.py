"""Linear hypotheses about coefficients, as users write them: text, names or matrices.

``"x1 = x2, x3 = 0"`` is two restrictions; ``"2 * x1 - x2 / 3 = 1"`` one; a name alone says that its
coefficient is 0, and the name of a categorical column that all of its coefficients are.

A name may hold anything, as commas, brackets, blanks and signs: where several names fit, the
longest is meant, and a name between backticks is that name whatever stands around it. Blanks beside
signs and the kind of quotes make no difference. What reads as a number is one, but for backticks.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np

from ..arrays import ArrayLike, Indices, Matrix, Vector
from ..inputs.conversion import as_numbers

__all__ = ["Contrasts", "contrasts_of", "places_of"]

# A number as it may stand in a hypothesis.
NUMBER = r"(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
READS_AS_NUMBER = re.compile(NUMBER)
WORD = re.compile(r"\w+")
SIGNS = re.compile(r"[^\w\s]")
QUOTES, QUOTE = "'\"", "['\"]"
# Names that a message lists.
LISTED = 20
# The largest share by which a restriction may follow from the others.
DEPENDENT = 1e-10

Linear: TypeAlias = "dict[int, float]"


class Contrasts(NamedTuple):
    """Restrictions ``matrix @ coefficients = values`` and what they are called."""

    # (n_restrictions, n_parameters) and (n_restrictions,)
    matrix: Matrix
    values: Vector
    text: str


def contrasts_of(
    hypothesis: ArrayLike, names: Sequence[str], terms: Mapping[str, Sequence[int]]
) -> Contrasts:
    """Return a hypothesis as a matrix.

    Parameters
    ----------
    hypothesis : str, sequence of str, array-like of shape (n_restrictions, n_parameters) or \
(n_parameters,), or a pair of such an array and values
        See above. Of an array the restrictions are that its products with the coefficients are 0,
        or equal to the values.
    names : sequence of str
        Of the coefficients.
    terms : mapping
        The places of the coefficients of each term.

    Raises
    ------
    TypeError, ValueError
        If it is not understood, names what is not there, or a restriction follows from others or
        contradicts them.
    """
    reader = _Reader(names, terms)
    if isinstance(hypothesis, str):
        found = _of_texts(_parts(hypothesis, reader), reader)
    elif _is_texts(hypothesis):
        texts: Sequence[str] = hypothesis  # type: ignore[assignment]  # as was looked at
        found = _of_texts([part for each in texts for part in _parts(each, reader)], reader)
    else:
        found = _of_matrix(hypothesis, len(names))
    _refuse_dependent(found)
    return found


def places_of(
    coefficients: object, names: Sequence[str], terms: Mapping[str, Sequence[int]]
) -> Indices:
    """Return the places of the coefficients that are asked for; of all for None.

    Parameters
    ----------
    coefficients : str, int, or sequence of these, or None
        Names, of which that of a term stands for all of its coefficients, or places.
    names, terms
        As of `contrasts_of`.

    Raises
    ------
    TypeError, ValueError
        If one is neither, or not there.
    """
    if coefficients is None:
        return np.arange(len(names))
    one = isinstance(coefficients, str | int | np.integer)
    if not one and not isinstance(coefficients, Sequence | np.ndarray):
        raise TypeError(
            "coefficients must be a name, a place or a sequence of these, got "
            f"{type(coefficients).__name__}"
        )
    known = {name: [place] for place, name in reversed([*enumerate(names)])}
    found: list[int] = []
    for each in [coefficients] if one else coefficients:  # type: ignore[attr-defined]
        if isinstance(each, str):
            places = terms.get(each) or known.get(each)
        elif isinstance(each, int | np.integer) and not isinstance(each, bool):
            places = [int(each)] if 0 <= each < len(names) else None
        else:
            raise TypeError(
                f"coefficients must be names or places, got {each!r} ({type(each).__name__})"
            )
        if places is None:
            raise ValueError(
                f"there is no coefficient {each!r}; they are {', '.join(names[:20])}"
                f"{' ...' * (len(names) > 20)}, numbered from 0"
            )
        found += places
    return np.array(found, dtype=np.int64)


def _is_texts(hypothesis: ArrayLike) -> bool:
    return (
        isinstance(hypothesis, list | tuple)
        and len(hypothesis) > 0
        and all(isinstance(each, str) for each in hypothesis)
    )


class _Reader:
    """Finds the names of coefficients and terms in a text."""

    def __init__(self, names: Sequence[str], terms: Mapping[str, Sequence[int]]) -> None:
        self.names = names
        self.terms = terms
        self.places = {name: place for place, name in enumerate(names)}
        self._by_length = sorted({*names, *terms}, key=len, reverse=True)
        self._patterns: list[tuple[str, re.Pattern[str]]] | None = None

    def at(self, text: str, at: int) -> tuple[str, int] | None:
        """Return the name that begins at a place, and where it ends; None where there is none."""
        if text[at] == "`":
            return self._quoted(text, at)
        if not text[at].isspace():
            for name in self._by_length:
                if _is_at(text, at, name) and not READS_AS_NUMBER.fullmatch(name):
                    return name, at + len(name)
            for name, pattern in self._loose:
                found = pattern.match(text, at)
                if found and _is_at(text, at, found.group()):
                    return name, found.end()
        return None

    def _quoted(self, text: str, at: int) -> tuple[str, int]:
        # A name may have backticks of its own.
        ends = [place for place in range(at + 1, len(text)) if text[place] == "`"]
        for end in ends:
            if text[at + 1 : end] in self.places or text[at + 1 : end] in self.terms:
                return text[at + 1 : end], end + 1
        said = text[at + 1 : ends[0]] if ends else text[at + 1 :]
        raise ValueError(f"the hypothesis {text!r} names {said!r}, {self.listed()}")

    @property
    def _loose(self) -> list[tuple[str, re.Pattern[str]]]:
        """Patterns of names with signs, for other blanks beside these and other quotes."""
        if self._patterns is None:
            signed = [name for name in self._by_length if SIGNS.search(name)]
            self._patterns = [(name, re.compile(_pattern(name))) for name in signed]
        return self._patterns

    def listed(self) -> str:
        """Return what a message says of the names."""
        more = " ..." * (len(self.names) > LISTED)
        return f"which is none; the coefficients are {', '.join(self.names[:LISTED])}{more}"


def _pattern(name: str) -> str:
    """Return a pattern of a name whose signs may have other blanks and quotes beside them."""
    pieces = re.findall(r"\w+|[^\w\s]", name)
    pattern = ""
    for before, piece in zip(["", *pieces], pieces, strict=False):
        both_words = SIGNS.search(before + piece) is None
        gap = "" if not before else r"\s+" if both_words else r"\s*"
        pattern += gap + (QUOTE if piece in QUOTES else re.escape(piece))
    return pattern


def _parts(text: str, reader: _Reader) -> list[str]:
    """Cut at the commas that are neither part of a name nor inside brackets."""
    parts, depth, begin, at = [], 0, 0, 0
    while at < len(text):
        found = reader.at(text, at)
        if found is not None:
            at = found[1]
            continue
        word = WORD.match(text, at)
        if word:
            at = word.end()
            continue
        sign = text[at]
        depth = max(0, depth + (sign in "[(") - (sign in "])"))
        if sign == "," and depth == 0:
            parts.append(text[begin:at])
            begin = at + 1
        at += 1
    return [part.strip() for part in [*parts, text[begin:]]]


def _of_texts(parts: Sequence[str], reader: _Reader) -> Contrasts:
    rows: list[Linear] = []
    values: list[float] = []
    for part in parts:
        whole = reader.at(part, 0) if part else None
        term = part if part in reader.terms else whole[0] if whole else ""
        if term in reader.terms and (term == part or (whole and whole[1] == len(part))):
            rows += [{place: 1.0} for place in reader.terms[term]]
            values += [0.0] * len(reader.terms[term])
            continue
        row, value = _restriction(part, reader)
        rows.append(row)
        values.append(value)
    matrix = np.zeros((len(rows), len(reader.names)))
    for number, row in enumerate(rows):
        for place, factor in row.items():
            matrix[number, place] = factor
    return Contrasts(matrix, np.array(values), ", ".join(parts))


def _restriction(text: str, reader: _Reader) -> tuple[Linear, float]:
    sides = _sides(text, reader)
    (left, level), (right, other) = sides[0], sides[1] if len(sides) > 1 else ({}, 0.0)
    row = {place: left.get(place, 0.0) - right.get(place, 0.0) for place in {*left, *right}}
    if not any(row.values()):
        raise ValueError(f"the hypothesis {text!r} says nothing about a coefficient")
    return row, other - level


def _sides(text: str, reader: _Reader) -> list[tuple[Linear, float]]:
    tokens = _tokens(text, reader)
    signs = [place for place, token in enumerate(tokens) if token == "="]
    if len(signs) > 1:
        raise ValueError(f"the hypothesis {text!r} has {len(signs)} signs '='; separate by commas")
    cuts = [tokens[: signs[0]], tokens[signs[0] + 1 :]] if signs else [tokens]
    return [_sum_of(side, text) for side in cuts]


# A number, the place of a name as ("name", place), or a sign.
Token: TypeAlias = "float | tuple[str, int] | str"


def _tokens(text: str, reader: _Reader) -> list[Token]:
    """Cut into names (the longest that fits), numbers and signs."""
    tokens: list[Token] = []
    at = 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        found = reader.at(text, at)
        number = re.compile(NUMBER).match(text, at)
        if found:
            name, at = found
            if name not in reader.places:
                n_own = len(reader.terms[name])
                raise ValueError(
                    f"the hypothesis {text!r} has the term {name}, of {n_own} coefficients, in a "
                    "sum: a term stands alone, or name one of its coefficients, as "
                    f"{reader.names[reader.terms[name][0]]}"
                )
            tokens.append(("name", reader.places[name]))
        elif number:
            tokens.append(float(number.group()))
            at = number.end()
        elif text[at] in "+-*/=":
            tokens.append(text[at])
            at += 1
        else:
            raise ValueError(
                f"the hypothesis {text!r} is not understood from {text[at:]!r} on, "
                f"{reader.listed()}"
            )
    return tokens


def _is_at(text: str, at: int, name: str) -> bool:
    """Say whether a name begins here, and no longer word does."""
    end = at + len(name)
    if not text.startswith(name, at):
        return False
    goes_on = end < len(text) and (text[end].isalnum() or text[end] == "_")
    return not (goes_on and (name[-1].isalnum() or name[-1] == "_"))


def _sum_of(tokens: Sequence[Token], text: str) -> tuple[Linear, float]:
    """Return the factors of coefficients and the number of a sum of products."""
    factors: Linear = {}
    number, begin = 0.0, 0
    if not tokens:
        raise ValueError(f"the hypothesis {text!r} has an empty side")
    while begin < len(tokens):
        sign = 1.0
        while begin < len(tokens) and tokens[begin] in ("+", "-"):
            sign = -sign if tokens[begin] == "-" else sign
            begin += 1
        end = begin
        while end < len(tokens) and tokens[end] not in ("+", "-"):
            end += 1
        factor, place = _product(tokens[begin:end], text)
        if place is None:
            number += sign * factor
        else:
            factors[place] = factors.get(place, 0.0) + sign * factor
        begin = end
    return factors, number


def _product(tokens: Sequence[Token], text: str) -> tuple[float, int | None]:
    """Return the factor of ``2 * x``, ``x * 2``, ``x / 2`` or a number, and the place of x."""
    factor, place, divides = 1.0, None, False
    for number, token in enumerate(tokens):
        if number % 2:
            if token not in ("*", "/"):
                raise ValueError(f"the hypothesis {text!r} lacks a sign between two of its parts")
            divides = token == "/"
        elif isinstance(token, tuple):
            if place is not None or divides:
                raise ValueError(f"the hypothesis {text!r} is not linear in the coefficients")
            place = token[1]
        elif isinstance(token, float):
            if divides and token == 0.0:
                raise ValueError(f"the hypothesis {text!r} divides by 0")
            factor = factor / token if divides else factor * token
        else:
            raise ValueError(f"the hypothesis {text!r} has two signs that follow each other")
    if len(tokens) % 2 == 0:
        raise ValueError(f"the hypothesis {text!r} ends with a sign, or lacks a part")
    return factor, place


def _of_matrix(hypothesis: ArrayLike, size: int) -> Contrasts:
    given, values = _with_values(hypothesis)
    matrix = np.atleast_2d(np.asarray(as_numbers("hypothesis", given), dtype=np.float64))
    if matrix.shape[1:] != (size,) or not len(matrix):
        raise ValueError(
            f"a hypothesis as a matrix has a column for each of the {size} coefficients (see "
            f"names), found shape {matrix.shape}"
        )
    right = np.zeros(len(matrix))
    if values is not None:
        right = np.atleast_1d(np.asarray(values, dtype=np.float64))
        if right.shape != (len(matrix),):
            raise ValueError(f"the hypothesis has {len(matrix)} rows, but {right.size} values")
    if not (np.isfinite(matrix).all() and np.isfinite(right).all()):
        raise ValueError("the hypothesis has a value that is not finite")
    return Contrasts(matrix, right, f"{len(matrix)} restrictions")


def _with_values(hypothesis: ArrayLike) -> tuple[ArrayLike, ArrayLike]:
    """Return a matrix, and the values beside it or None."""
    if isinstance(hypothesis, tuple) and len(hypothesis) == 2:
        given, values = hypothesis
        if np.ndim(values) < np.ndim(given):
            return given, values
    return hypothesis, None


def _refuse_dependent(contrasts: Contrasts) -> None:
    matrix = contrasts.matrix
    lengths = np.linalg.norm(matrix, axis=1)
    if not lengths.all():
        raise ValueError("a row of the hypothesis is 0: it says nothing about a coefficient")
    if np.linalg.matrix_rank(matrix / lengths[:, None], tol=DEPENDENT) < len(matrix):
        raise ValueError(
            "the restrictions of the hypothesis follow from each other, or contradict each other; "
            "leave out as many"
        )
