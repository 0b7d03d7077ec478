"""Which categorical factors of a term have all their columns, and which all but one.

Terms before it span a part of what a term spans: the intercept, the levels of a factor in the sum
of its columns. Only what is new gets columns, so that these are no combinations of each other
whatever the data are (the rules of R and patsy; Chambers and Hastie, 1992, Statistical Models in S,
section 2.4.1).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from .parsing import Term

__all__ = ["Scope", "scopes_of"]


class Scope(NamedTuple):
    """A product of factors, by their texts in the order of the term, for a part of its columns."""

    term: str
    factors: tuple[str, ...]
    # Of each factor: whether one of its columns is left out.
    reduced: tuple[bool, ...]


# Factors that span the intercept -> whether each is reduced.
Part = dict[str, bool]


def scopes_of(
    terms: Sequence[Term], spans_intercept: Callable[[str], bool], *, has_intercept: bool
) -> list[Scope]:
    """Return what has columns of its own, term after term."""
    # The numbers of a product, and which factors beside them are spanned.
    spanned: dict[frozenset[str], set[frozenset[str]]] = {}
    if has_intercept:
        spanned[frozenset()] = {frozenset()}
    found = []
    for term in terms:
        texts = [factor.text for factor in term.factors]
        spanning = [text for text in texts if spans_intercept(text)]
        known = spanned.setdefault(frozenset(texts) - frozenset(spanning), set())
        new = [subset for subset in _subsets(spanning) if subset not in known]
        known.update(new)
        for part in _joined([dict.fromkeys(_in_order(subset, spanning), True) for subset in new]):
            own = [text for text in texts if text not in spanning or text in part]
            found.append(Scope(term.name, tuple(own), tuple(part.get(text, False) for text in own)))
    return found


def _subsets(factors: Sequence[str]) -> list[frozenset[str]]:
    sizes = range(len(factors) + 1)
    return [frozenset(each) for size in sizes for each in itertools.combinations(factors, size)]


def _in_order(subset: frozenset[str], factors: Iterable[str]) -> list[str]:
    return [factor for factor in factors if factor in subset]


def _joined(parts: list[Part]) -> list[Part]:
    """Join a part and the same with one factor more, reduced: that factor then has all columns."""
    for short, long in itertools.permutations(parts, 2):
        more = long.keys() - short.keys()
        if len(long) != len(short) + 1 or len(more) != 1 or short.keys() - long.keys():
            continue
        factor = next(iter(more))
        if long[factor] and all(long[name] == reduced for name, reduced in short.items()):
            rest = [part for part in parts if part is not short and part is not long]
            whole = {name: reduced and name != factor for name, reduced in long.items()}
            return _joined([*rest, whole])
    return parts
