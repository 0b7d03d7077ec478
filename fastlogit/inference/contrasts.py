"""Linear hypotheses about coefficients, as users write them: text, names or matrices.

``"x1 = x2, x3 = 0"`` is two restrictions; ``"2 * x1 - x2 / 3 = 1"`` one; a name alone says that its
coefficient is 0, and the name of a categorical column that all of its coefficients are.
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
    if isinstance(hypothesis, str):
        found = _of_texts(_parts(hypothesis), names, terms)
    elif _is_texts(hypothesis):
        parts = [part for each in hypothesis for part in _parts(each)]  # type: ignore[attr-defined]
        found = _of_texts(parts, names, terms)
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


def _parts(text: str) -> list[str]:
    """Cut at the commas that are not inside brackets, as those of names of levels are."""
    parts, depth, begin = [], 0, 0
    for place, sign in enumerate(text):
        depth += (sign in "[(") - (sign in "])")
        if sign == "," and depth <= 0:
            parts.append(text[begin:place])
            begin = place + 1
    return [part.strip() for part in [*parts, text[begin:]]]


def _of_texts(
    parts: Sequence[str], names: Sequence[str], terms: Mapping[str, Sequence[int]]
) -> Contrasts:
    rows: list[Linear] = []
    values: list[float] = []
    for part in parts:
        if part in terms:
            rows += [{place: 1.0} for place in terms[part]]
            values += [0.0] * len(terms[part])
            continue
        row, value = _restriction(part, names)
        rows.append(row)
        values.append(value)
    matrix = np.zeros((len(rows), len(names)))
    for number, row in enumerate(rows):
        for place, factor in row.items():
            matrix[number, place] = factor
    return Contrasts(matrix, np.array(values), ", ".join(parts))


def _restriction(text: str, names: Sequence[str]) -> tuple[Linear, float]:
    sides = _sides(text, names)
    (left, level), (right, other) = sides[0], sides[1] if len(sides) > 1 else ({}, 0.0)
    row = {place: left.get(place, 0.0) - right.get(place, 0.0) for place in {*left, *right}}
    if not any(row.values()):
        raise ValueError(f"the hypothesis {text!r} says nothing about a coefficient")
    return row, other - level


def _sides(text: str, names: Sequence[str]) -> list[tuple[Linear, float]]:
    tokens = _tokens(text, names)
    signs = [place for place, token in enumerate(tokens) if token == "="]
    if len(signs) > 1:
        raise ValueError(f"the hypothesis {text!r} has {len(signs)} signs '='; separate by commas")
    cuts = [tokens[: signs[0]], tokens[signs[0] + 1 :]] if signs else [tokens]
    return [_sum_of(side, text) for side in cuts]


# A number, the place of a name as ("name", place), or a sign.
Token: TypeAlias = "float | tuple[str, int] | str"


def _tokens(text: str, names: Sequence[str]) -> list[Token]:
    """Cut into names (the longest that fits), numbers and signs."""
    places = {name: place for place, name in enumerate(names)}
    by_length = sorted(places, key=len, reverse=True)
    tokens: list[Token] = []
    at = 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        name = next((name for name in by_length if _is_at(text, at, name)), None)
        number = re.compile(NUMBER).match(text, at)
        if name:
            tokens.append(("name", places[name]))
            at += len(name)
        elif number:
            tokens.append(float(number.group()))
            at = number.end()
        elif text[at] in "+-*/=":
            tokens.append(text[at])
            at += 1
        else:
            shown = list(names[:20])
            raise ValueError(
                f"the hypothesis {text!r} is not understood from {text[at:]!r} on; the "
                f"coefficients are {', '.join(shown)}{' ...' * (len(names) > 20)}"
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
