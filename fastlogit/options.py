"""Single options: numbers, whole numbers, choices, the strength of a penalty; checked, or an error.

They say how something is computed. What it is computed from is the business of `inputs/`.
"""

from __future__ import annotations

import difflib
import math
import numbers
from collections.abc import Iterable

import numpy as np

__all__ = ["check_number", "check_option", "check_strength", "check_whole"]


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


def check_option(name: str, value: object, allowed: Iterable[str]) -> str:
    """Return a text option, or raise an error that lists the allowed ones."""
    choices = allowed if isinstance(allowed, tuple) else list(allowed)
    if isinstance(value, str) and value in choices:
        return value
    near = difflib.get_close_matches(value, choices, n=1) if isinstance(value, str) else []
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}, got {value!r}{hint}")
