"""`separation`: whether classes are separable, by what, and how much of the data is left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..arrays import ArrayLike, Masks, Matrix
from ..certificates.recession import Recession, find_recession
from ..inputs.given import Given
from ..objective.objective import Objective
from ..options import check_category_options
from .fitted import INTERCEPT, place_of_reference
from .unfitted import look_at_unfitted

__all__ = ["SeparationReport", "no_maximum", "refusal", "report_of", "separation"]

# Names that a message lists.
LISTED = 10
# Rows of a table.
SHOWN = 40
# What to do where there is no maximum, in the order in which it is best tried: whatever the model,
# and with a logistic one of the labels of two classes, of more, or another.
LEAVE_OUT = "Join such levels with others, leave such columns out"
OF_TWO = (
    f"{LEAVE_OUT}, fit with penalty='firth', say what is known of the coefficients "
    "(fastlogit.posterior with a prior), or fit with a penalty (a smaller C) and use "
    "fastlogit.bootstrap"
)
OF_MORE = (
    f"{LEAVE_OUT}, fit with a penalty (a smaller C) and use fastlogit.bootstrap, or fit two of the "
    "classes at a time with penalty='firth'"
)
OF_OTHERS = (
    f"{LEAVE_OUT}, or fit with a penalty (a smaller C), which has no standard errors; of labels "
    "with the logit link there is penalty='firth' too"
)


@dataclass(frozen=True, eq=False)
class SeparationReport:
    """How far the classes of labelled rows are separable; print it.

    Attributes
    ----------
    kind : {"none", "quasi-complete", "complete", "undecided"}
        Complete where some direction wins every row for its class, quasi-complete where it wins
        some and loses none. Undecided where the linear programmes would be too large.
    names : list of str
        Of the coefficients, the intercept first; of more than two classes ``class:column``.
    direction : dict of str to float
        Along it the likelihood rises for ever: the coefficients that take part, in the units of X,
        the largest of them 1 or -1.
    infinite : dict of str to float
        ``inf`` or ``-inf`` for the estimates that do not exist. Estimates of all other
        coefficients are finite, and are those of the rows that overlap.
    not_identified : list of str
        Columns that are constant or combinations of others; they were left out.
    n_samples : int
        Rows that count: those of weight above 0.
    n_separated : int
        Rows that some other class is ruled out of, whose fitted probability goes to 0.
    separated : ndarray of bool, shape (n_rows,)
        Which rows these are; rows of weight 0 are not.
    n_classes : int
    """

    kind: str
    names: list[str]
    direction: dict[str, float]
    infinite: dict[str, float]
    not_identified: list[str]
    n_samples: int
    n_separated: int
    separated: Masks
    n_classes: int = 2

    @property
    def is_separable(self) -> bool:
        """Whether the likelihood has no maximum."""
        return self.kind in ("quasi-complete", "complete")

    @property
    def n_overlapped(self) -> int:
        """Rows that are left to estimate from, once the others are predicted surely."""
        return self.n_samples - self.n_separated

    @property
    def sentence(self) -> str:
        """What was found, in words."""
        if self.kind == "none":
            return "the classes overlap: the likelihood has a maximum"
        if self.kind == "undecided":
            return (
                "whether the classes are separable is not known: the linear programmes would be "
                "too large; a sample of the rows that is separable would not tell either, one that "
                "overlaps would"
            )
        ends = [
            f"{name} {'+' if end > 0.0 else '-'}inf"
            for name, end in list(self.infinite.items())[:LISTED]
        ]
        more = len(self.infinite) - LISTED
        listed = ", ".join(ends) + (f" and {more} more" if more > 0 else "")
        of = f"{self.n_separated:,} of {self.n_samples:,} rows are separated"
        if self.n_overlapped:
            of += f", {self.n_overlapped:,} overlap"
        return f"{of}; estimates that do not exist: {listed}"

    def __str__(self) -> str:
        """Return the report as text."""
        title = {
            "none": "No separation", "quasi-complete": "Quasi-complete separation",
            "complete": "Complete separation", "undecided": "Separation is undecided",
        }[self.kind]  # fmt: skip
        lines = [f"{title}: {self.sentence}"]
        if self.is_separable:
            width = max(map(len, self.infinite))
            lines += [f"{'':{width}}  direction  estimate"]
            lines += [
                f"{name:{width}}  {self.direction[name]:9.4g}  {end:+8g}"
                for name, end in list(self.infinite.items())[:SHOWN]
            ]
            if len(self.infinite) > SHOWN:
                lines.append(f"and {len(self.infinite) - SHOWN} more")
            lines.append(f"{remedy(self.n_classes)}.")
        if self.not_identified:
            lines.append(
                f"Constant, or combinations of other columns: {', '.join(self.not_identified)}"
            )
        return "\n".join(lines)

    def __repr__(self) -> str:
        """Return one line."""
        return f"SeparationReport({self.kind}, {self.n_separated} of {self.n_samples} rows)"


def separation(
    X: ArrayLike,
    y: ArrayLike,
    *,
    sample_weight: ArrayLike = None,
    fit_intercept: bool = True,
    reference: object = None,
    categories: str = "auto",
    n_threads: int | None = None,
) -> SeparationReport:
    """Return whether some combination of the columns separates the classes, and which one.

    Then a logistic regression without a penalty has no estimate: some coefficients grow for ever.
    Exact, by linear programmes over the rows that matter; no fit is made.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Whatever `fit` takes, but batches.
    y : array-like of shape (n_samples,)
        Labels of two classes, or of more, which are looked at as a softmax sees them.
    sample_weight : array-like of shape (n_samples,), optional
        Rows of weight 0 do not count; other weights are all the same here.
    fit_intercept : bool, default True
    reference : label, optional
        Of more than two classes the one that the others are compared with; the first by default.
    categories : {"auto", "full", "reference"}, default "auto"
        Which levels of a categorical column have a coefficient, see `fit`; "auto" is "reference".
    n_threads : int, optional
        None takes what the process may use.

    Returns
    -------
    SeparationReport

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type, shape or value.

    Notes
    -----
    Where several directions separate, as always where the classes are separated completely, which
    coefficients are said to be infinite depends on the one that is found: it has the largest sum of
    margins with standardised coefficients between -1 and 1. How many rows are separated, and
    whether completely, does not depend on it.

    References
    ----------
    Albert and Anderson (1984, Biometrika 71); Konis (2007, Oxford thesis), as in R's
    detectseparation; Geyer (2009, Electronic Journal of Statistics 3).

    Examples
    --------
    >>> import numpy as np
    >>> from fastlogit import separation
    >>> X = np.array([[0, 2.0], [0, 1.0], [0, 3.0], [1, 2.5], [1, 0.5]])
    >>> found = separation(X, [0, 1, 0, 1, 1])
    >>> found.kind, found.infinite, found.n_separated
    ('complete', {'intercept': inf, 'x0': inf, 'x1': -inf}, 5)
    """
    coding = check_category_options(categories, "error", None, has_penalty=False)
    rows = look_at_unfitted(
        Given(X, y, sample_weight, categories=coding), "separation",
        fit_intercept=fit_intercept, weights="probability", n_threads=n_threads,
    )  # fmt: skip
    place = place_of_reference(reference, rows.data.classes)
    return report_of(rows.objective, rows.features, rows.data.classes.tolist(), place)


def report_of(
    objective: Objective, features: Sequence[str], classes: Sequence[object], reference: int = 0
) -> SeparationReport:
    """Return the report of one model on standardised columns, without a penalty."""
    found = find_recession(objective, reference)
    own = [INTERCEPT] * objective.fit_intercept + list(features)
    labels = [None] if len(classes) == 2 else np.delete(np.array(classes, object), reference)
    names = [name if label is None else f"{label}:{name}" for label in labels for name in own]
    values = _in_order(found, objective.fit_intercept).reshape(-1).tolist()
    taking = {name: value for name, value in zip(names, values, strict=True) if value != 0.0}
    weights = objective.rows.weights_of(0)
    n_samples = objective.design.shape[0]
    return SeparationReport(
        kind=_kind(found),
        names=names,
        direction=taking,
        infinite={name: float(np.copysign(np.inf, value)) for name, value in taking.items()},
        not_identified=[features[column] for column in found.dependent.tolist()],
        n_samples=n_samples if weights is None else int(np.count_nonzero(weights)),
        n_separated=int(np.count_nonzero(found.separated)),
        separated=found.separated,
        n_classes=len(classes),
    )


def _kind(found: Recession) -> str:
    if not found.is_decided:
        return "undecided"
    if found.is_complete:
        return "complete"
    return "quasi-complete" if found.separated.any() else "none"


def _in_order(found: Recession, fit_intercept: bool) -> Matrix:
    """Return the direction with the intercept first."""
    slopes, last = found.direction[:, :-1], found.direction[:, -1:]
    return np.concatenate([last, slopes], axis=1) if fit_intercept else slopes


def refusal(report: SeparationReport) -> ValueError:
    """Return the error of whoever needs a maximum of the likelihood."""
    how = {"complete": "completely ", "quasi-complete": "quasi-completely "}.get(report.kind, "")
    return ValueError(
        f"the classes are {how}separable: {report.sentence}. {no_maximum(report.n_classes)}"
    )


def remedy(n_classes: int, is_logistic: bool = True) -> str:
    """Return what to do where the likelihood has no maximum.

    `is_logistic` is False for another link than the logit, and for shares in place of labels.
    """
    if not is_logistic:
        return OF_OTHERS
    return OF_TWO if n_classes == 2 else OF_MORE


def no_maximum(n_classes: int, is_logistic: bool = True) -> str:
    """Return what it means that classes are separable, and what to do."""
    means = (
        "The likelihood has no maximum, fitted probabilities go to 0 or 1, and there are no "
        f"standard errors. {remedy(n_classes, is_logistic)}"
    )
    if not is_logistic:
        return means
    return (
        f"{means}. fastlogit.profile_intervals has the intervals that the likelihood still gives, "
        "some of one end, and fastlogit.separation(X, y) the direction"
    )
