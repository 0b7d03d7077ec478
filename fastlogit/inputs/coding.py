"""New rows for given coefficients, read as those of the fit that these come from."""

from __future__ import annotations

from ..arrays import ArrayLike
from .categories import Categories
from .given import OfFit
from .values import show

__all__ = ["as_in_fit"]


def as_in_fit(X: ArrayLike, categories: object) -> OfFit:
    """Return X as a frame with the columns of a fit.

    Parameters
    ----------
    X : data frame
    categories : Categories

    Raises
    ------
    TypeError
        If they are something else.
    """
    if not isinstance(categories, Categories):
        raise TypeError(
            "categories must be those of a fit, as result.categories, or None, got "
            f"{show(categories)} ({type(categories).__name__})"
        )
    return OfFit(X, categories.columns, categories)
