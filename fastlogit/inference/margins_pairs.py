"""Which average predictions are compared, and how: differences, ratios and odds ratios."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from ..arrays import ArrayLike, Floats, Indices
from ..options import check_option

__all__ = ["MEASURES", "Measure", "Pairs", "pairs_of"]

WAYS = ("reference", "sequential", "pairwise")


class Measure(NamedTuple):
    """How two probabilities are compared."""

    title: str
    column: str
    scale: str
    # How a comparison of two scenarios is written.
    pattern: str
    # From p1 and p0 to the measure, and its derivatives by them.
    of: Callable[[Floats, Floats], tuple[Floats, tuple[Floats, Floats]]]


class Pairs(NamedTuple):
    """Rows that are compared, and what the comparisons are called."""

    high: Indices
    low: Indices
    names: list[str]
    labels: dict[str, list[object]]


def _difference(one: Floats, other: Floats) -> tuple[Floats, tuple[Floats, Floats]]:
    return one - other, (np.ones_like(one), -np.ones_like(other))


def _ratio(one: Floats, other: Floats) -> tuple[Floats, tuple[Floats, Floats]]:
    found = one / other
    return found, (1.0 / other, -found / other)


def _odds_ratio(one: Floats, other: Floats) -> tuple[Floats, tuple[Floats, Floats]]:
    found = one * (1.0 - other) / (other * (1.0 - one))
    return found, (found / (one * (1.0 - one)), -found / (other * (1.0 - other)))


MEASURES = {
    "difference": Measure("Differences", "difference", "identity", "{} - {}", _difference),
    "ratio": Measure("Ratios", "risk ratio", "log", "{} / {}", _ratio),
    "odds ratio": Measure("Odds ratios", "odds ratio", "log", "odds {} / {}", _odds_ratio),
}


def pairs_of(
    labels: Mapping[str, list[object]], names: list[str], measure: str, pairs: ArrayLike
) -> Pairs:
    """Return the pairs of rows that agree in all labels but the scenario.

    Raises
    ------
    TypeError, ValueError
        If there are no two scenarios, or `pairs` is neither a way nor pairs of them.
    """
    scenarios = list(dict.fromkeys(labels.get("at", [])))
    if len(scenarios) < 2:
        raise ValueError(
            "there is one scenario only, and nothing to compare it with: give at several values, "
            "as average_predictions({'smoke': [0, 1]})"
        )
    wanted = _wanted(scenarios, pairs)
    others = [name for name in labels if name != "at"]
    strata = list(zip(*(labels[name] for name in others), strict=True)) or [()] * len(names)
    row_of = {place: row for row, place in enumerate(zip(strata, labels["at"], strict=True))}
    high, low, texts, kept = [], [], [], []
    for stratum in dict.fromkeys(strata):
        for one, other in wanted:
            high.append(row_of[stratum, one])
            low.append(row_of[stratum, other])
            texts.append(MEASURES[measure].pattern.format(one, other))
            kept.append(high[-1])
    found: dict[str, list[object]] = {}
    for name, values in labels.items():
        if name == "at":
            found["comparison"] = [*texts]
        else:
            found[name] = [values[row] for row in kept]
    return Pairs(np.array(high), np.array(low), names_of_labels(found), found)


def _wanted(scenarios: Sequence[object], pairs: ArrayLike) -> list[tuple[object, object]]:
    """Return pairs of scenarios, each of one against the other."""
    if isinstance(pairs, str):
        way = check_option("pairs", pairs, WAYS)
        if way == "reference":
            return [(each, scenarios[0]) for each in scenarios[1:]]
        if way == "sequential":
            return [(after, before) for before, after in itertools.pairwise(scenarios)]
        return [(after, before) for before, after in itertools.combinations(scenarios, 2)]
    if not isinstance(pairs, Sequence) or not len(pairs):
        raise TypeError(f"pairs must be one of {', '.join(WAYS)}, or pairs of names, got {pairs!r}")
    found = []
    for pair in pairs:
        if isinstance(pair, str) or not isinstance(pair, Sequence) or len(pair) != 2:
            raise TypeError(f"pairs must have two names each, got {pair!r}")
        for each in pair:
            if each not in scenarios:
                raise ValueError(
                    f"pairs names {each!r}; the scenarios are "
                    f"{', '.join(map(str, scenarios[:10]))}{' ...' * (len(scenarios) > 10)}"
                )
        found.append((pair[0], pair[1]))
    return found


def names_of_labels(labels: Mapping[str, list[object]]) -> list[str]:
    """Return a name for each row: ``class:column[change] at ... | group``."""
    size = len(next(iter(labels.values())))
    return [_name({key: values[row] for key, values in labels.items()}) for row in range(size)]


def _name(labels: Mapping[str, object]) -> str:
    found = str(labels.get("column", labels.get("comparison", labels.get("at", "all rows"))))
    if labels.get("change", "dy/dx") not in ("dy/dx", "ey/ex"):
        found += f"[{labels['change']}]"
    given = labels.get("at") if "column" in labels else labels.get("given")
    if given:
        found += f" at {given}"
    if "class" in labels:
        found = f"{labels['class']}:{found}"
    return found + (f" | {labels['group']}" if "group" in labels else "")
