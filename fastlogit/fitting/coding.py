"""How categorical columns become features where coefficients are given, or asked for anew."""

from __future__ import annotations

from typing import TypeAlias

from ..arrays import ArrayLike
from ..inputs.categories import Categories
from ..inputs.coding import as_in_fit
from ..options import CategoryOptions, check_category_options

__all__ = ["Coding", "with_coding"]

# A rule, or what a fit found.
Coding: TypeAlias = "str | Categories"


def with_coding(
    X: ArrayLike, categories: Coding, interactions: object, *, has_penalty: bool
) -> tuple[ArrayLike, CategoryOptions | None]:
    """Return X as it is to be looked at, and what is asked about its categorical columns.

    Parameters
    ----------
    X : array-like or data frame
    categories : {"auto", "full", "reference"} or Categories
        Of a fit: its levels are those of the columns then, whichever occur in X.
    interactions : sequence of pairs of names, or None
    has_penalty : bool

    Raises
    ------
    TypeError, ValueError
        If they are something else, or interactions are given beside those of a fit.
    """
    if not isinstance(categories, Categories):
        coding = check_category_options(categories, "error", interactions, has_penalty=has_penalty)
        return X, coding
    if interactions is not None:
        raise ValueError(
            "categories are those of a fit, which have its interactions: leave interactions out"
        )
    return as_in_fit(X, categories), None
