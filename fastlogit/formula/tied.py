"""Which features change together with others, because they are made of the same columns."""

from __future__ import annotations

from .coding import Coding, Part
from .parsing import Parsed, columns_of

__all__ = ["tied_features"]


def tied_features(parsed: Parsed, coding: Coding) -> dict[str, str]:
    """Return the features that no change of the data changes alone, and what they are.

    A feature is free if it is a column of numbers of its own, and nothing else is made of what it
    is made of: an effect of ``age`` beside ``np.log(age)``, or of one level, is none.
    """
    by_text = {each.text: columns_of(each, parsed) for each in coding.expressions}
    made_of = [frozenset().union(*(by_text[text] for text in part.scope.factors))
               for part in coding.parts]  # fmt: skip
    fixed = frozenset().union(*(columns_of(each, parsed) for each in parsed.offsets))
    found: dict[str, str] = {}
    for place, part in enumerate(coding.parts):
        others = [*made_of[:place], *made_of[place + 1 :], fixed]
        what = _what(part, bool(made_of[place] & frozenset().union(*others)))
        if what:
            found |= dict.fromkeys(part.names, what)
    return found


def _what(part: Part, is_shared: bool) -> str:
    """Say why the features of a part do not change alone; nothing if they do."""
    if len(part.scope.factors) > 1:
        return f"is a product, {part.scope.term}"
    if part.starts is not None:
        return f"is a level of {part.scope.term}"
    if len(part.names) > 1:
        return f"is one of the columns of {part.scope.term}"
    return "is made of what other terms are made of, too" if is_shared else ""
