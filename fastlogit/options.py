"""Options: numbers, whole numbers, choices, the strength of a penalty, categories; checked.

They say how something is computed. What it is computed from is the business of `inputs/`.
"""

from __future__ import annotations

import difflib
import math
import numbers
from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np

__all__ = [
    "CODINGS",
    "UNKNOWN",
    "CategoryOptions",
    "Pair",
    "check_category_options",
    "check_level",
    "check_names",
    "check_number",
    "check_option",
    "check_strength",
    "check_whole",
]

# Which levels of a categorical column have a coefficient, and what others are at prediction.
CODINGS = ("auto", "full", "reference")
UNKNOWN = ("error", "zero")
# Names of two columns.
Pair: TypeAlias = tuple[str, str]


def check_number(
    name: str,
    value: object,
    *,
    low: float = -math.inf,
    high: float = math.inf,
    open_low: bool = False,
) -> float:
    """Return a finite real number within bounds as float."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name} must be a number, got {value!r} ({type(value).__name__})")
    try:
        number = float(value)
    except OverflowError:  # a whole number beyond float64
        number = math.inf
    if not math.isfinite(number) or number < low or number > high or (open_low and number == low):
        above = f" and > {low:g}" if open_low else f" and >= {low:g}"
        bounds = above * (low > -math.inf) + f" and <= {high:g}" * (high < math.inf)
        raise ValueError(f"{name} must be finite{bounds}, got {value!r}")
    return number


def check_level(level: object) -> float:
    """Return the level of an interval, between 0 and 1."""
    found = check_number("level", level)
    if not 0.0 < found < 1.0:
        raise ValueError(f"level must be between 0 and 1, as 0.95, got {level!r}")
    return found


def check_whole(name: str, value: object, *, low: int) -> int:
    """Return a whole number, at least `low`, as int."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{name} must be a whole number, got {value!r} ({type(value).__name__})")
    if value < low:
        raise ValueError(f"{name} must be at least {low}, got {value!r}")
    return int(value)


def check_strength(name: str, value: object) -> float:
    """Return an inverse strength of the penalty: a number > 0, or infinity for none."""
    if isinstance(value, float | np.floating) and value == math.inf:
        return math.inf
    try:
        return check_number(name, value, low=0.0, open_low=True)
    except ValueError:
        raise ValueError(
            f"{name} must be > 0 or infinite, got {value!r}; it is the inverse strength of the "
            "penalty: infinity (numpy.inf) is none, a small number a strong one"
        ) from None


def check_names(name: str, given: object) -> list[str]:
    """Return names of columns; raises TypeError for what is no list of texts."""
    if isinstance(given, str) or not isinstance(given, Sequence):
        raise TypeError(f"{name} must be a list of names of columns, got {given!r}")
    for each in given:
        if not isinstance(each, str):
            raise TypeError(f"{name} must hold names of columns, found {each!r}")
    return list(given)


def check_option(name: str, value: object, allowed: Iterable[str]) -> str:
    """Return a text option, or raise an error that lists the allowed ones."""
    choices = allowed if isinstance(allowed, tuple) else list(allowed)
    if isinstance(value, str) and value in choices:
        return value
    near = difflib.get_close_matches(value, choices, n=1) if isinstance(value, str) else []
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}, got {value!r}{hint}")


class CategoryOptions(NamedTuple):
    """What a fit is asked about categorical columns, checked."""

    # "full" or "reference"
    coding: str = "full"
    # "error" or "zero"
    unknown: str = "error"
    # Names of the two columns of each.
    interactions: tuple[Pair, ...] = ()


def check_category_options(
    categories: object, handle_unknown: object, interactions: object, *, has_penalty: bool
) -> CategoryOptions:
    """Check what a fit is asked about categorical columns.

    Parameters
    ----------
    categories : {"auto", "full", "reference"}
    handle_unknown : {"error", "zero"}
    interactions : sequence of pairs of names, or None
    has_penalty : bool
        Whether the fit has a penalty: "auto" is "full" then, else "reference".
    """
    coding = check_option("categories", categories, CODINGS)
    if coding == "auto":
        coding = "full" if has_penalty else "reference"
    unknown = check_option("handle_unknown", handle_unknown, UNKNOWN)
    return CategoryOptions(coding, unknown, _check_pairs(interactions))


def _check_pairs(interactions: object) -> tuple[Pair, ...]:
    """Return pairs of names of columns; each a pair of two."""
    if interactions is None:
        return ()
    says = "interactions must be pairs of names of columns, as [('carrier', 'origin')]"
    if isinstance(interactions, str | bytes) or not isinstance(interactions, Sequence):
        raise TypeError(f"{says}, got {interactions!r}")
    found: list[Pair] = []
    for pair in interactions:
        if isinstance(pair, str | bytes) or not isinstance(pair, Sequence) or len(pair) != 2:
            raise ValueError(f"{says}, got {pair!r}")
        first, second = (str(name) for name in pair)
        if first == second:
            raise ValueError(f"interactions has {first!r} with itself; give two columns")
        if {first, second} in [set(each) for each in found]:
            raise ValueError(f"interactions has {first!r} and {second!r} twice; give them once")
        found.append((first, second))
    return tuple(found)
