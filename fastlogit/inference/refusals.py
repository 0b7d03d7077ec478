"""What inference says where there is nothing to infer: fits that have no standard errors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..arrays import Floats
from ..certificates.separation import Separated
from ..result import FitResult
from .separation import SeparationReport, no_maximum

__all__ = [
    "SeparatedClasses",
    "not_at_optimum",
    "not_identified",
    "refuse_beyond_float64",
    "refuse_odds",
    "refuse_other_fits",
    "separated",
]

# Names that a message lists.
LISTED = 10


def refuse_odds(link: str) -> None:
    """Raise where coefficients are no logarithms of odds ratios."""
    if link != "logit":
        raise ValueError(
            f"link={link!r} has no odds ratios: its coefficients are no logarithms of some; "
            "link='logit' has these"
        )


def refuse_other_fits(result: FitResult, *, takes_links: bool = False) -> None:
    """Raise for fits that are no maximum of a likelihood, and say what to do.

    Parameters
    ----------
    result : FitResult
    takes_links : bool, default False
        Whether another link than the logit, and a fractional response, will do.

    Raises
    ------
    ValueError
    """
    if not takes_links and (result.link != "logit" or result.fractional):
        what = "fractional=True" if result.link == "logit" else f"link={result.link!r}"
        raise ValueError(f"this is for logistic regression of labels, the fit has {what}")
    if result.loss is not None and result.link == "logit":
        raise ValueError(
            f"inference knows the logistic losses, not {type(result.loss).__name__}; "
            "fastlogit.bootstrap takes no likelihood"
        )
    strengths = [("l2_reg", result.l2_reg), ("l1_reg", result.l1_reg)]
    has_penalty = result.penalty is not None or any(
        strength is not None and np.any(strength) for _, strength in strengths
    )
    if has_penalty:
        raise ValueError(
            "the fit has a penalty: its coefficients are drawn towards 0, and standard errors, p "
            "and intervals of the usual kind are not true of them. Fit without one (C=numpy.inf, "
            "or l2_reg=0), or use fastlogit.bootstrap for the spread of the penalised ones"
        )
    if result.coef_bounds is not None:
        raise ValueError(
            "the fit has coef_bounds: estimates at a bound have no standard error. Fit without "
            "bounds, or leave out the columns at theirs"
        )
    if len(result.classes) > 2 and result.multi_class != "multinomial":
        raise ValueError(
            "the fit has a model for each class against all others, which are no model of the "
            "classes together: fit with multi_class='multinomial', or one class against the others "
            "(y == label) at a time"
        )


class SeparatedClasses(ValueError):
    """The classes are separable: the likelihood has no maximum."""


def separated(
    found: Separated, names: Sequence[str], result: FitResult,
    report: SeparationReport | None = None,
) -> SeparatedClasses:  # fmt: skip
    """Return the error for classes that are separable, with what the report has found of them."""
    columns = listed([names[column] for column in found.columns])
    how = {True: "completely ", False: "quasi-completely ", None: ""}[found.complete]
    what = (
        f"{'column' if len(found.columns) == 1 else 'each of the columns'} {columns} alone does"
        if found.alone
        else f"a combination of the columns {columns} does"
    )
    more = f" ({report.sentence})" if report is not None and report.is_separable else ""
    is_logistic = result.link == "logit" and not result.fractional
    advice = no_maximum(len(result.classes), is_logistic)
    return SeparatedClasses(f"the classes are {how}separable: {what}{more}. {advice}")


def not_identified(columns: Sequence[str], with_intercept: bool) -> ValueError:
    """Return the error for columns that are combinations of others."""
    of = "the intercept and the other columns" if with_intercept else "other columns"
    return ValueError(
        f"the rows do not tell the coefficients of {listed(columns)}: "
        f"{'it is' if len(columns) == 1 else 'they are'} constant or a combination of {of}. "
        "Leave out as many columns; of indicator columns leave out one level "
        "(categories='reference')"
    )


def not_at_optimum(result: FitResult, distance: float) -> ValueError:
    """Return the error for a fit that ended far from its optimum."""
    return ValueError(
        f"the fit is not at its optimum ({result.message}): coefficients are off by "
        f"{distance:.2g} standard errors. Fit with a smaller tol or a larger max_iter, and give "
        "inference the rows, weights and offset of the fit"
    )


def refuse_beyond_float64(variances: Floats, names: Sequence[str]) -> None:
    """Raise where a variance of a coefficient is no number of float64: of columns of 1e300, say.

    Raises
    ------
    ValueError
    """
    lost = ~np.isfinite(variances) | (variances == 0.0)
    if lost.any():
        columns = listed([names[place] for place in np.flatnonzero(lost).tolist()])
        raise ValueError(
            f"the variance of the coefficient of {columns} is too small or too large for float64: "
            "give such columns in another unit, so that their numbers are nearer to 1"
        )


def listed(names: Sequence[str]) -> str:
    """Return names with commas, the first ten of them."""
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + more
