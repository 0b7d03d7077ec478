"""`profile_intervals`: intervals of the likelihood, of separable classes too."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..arrays import ArrayLike, Matrix, Vector
from ..design.opening import open_rows
from ..options import check_level
from ..result import FitResult
from .contrasts import places_of
from .estimates import LEVEL, exponentials
from .fitted import HasResult, look_at_rows_of_fit, names_of, place_of_reference, result_of
from .frames import as_frame
from .infer import names_of_coefficients
from .optimum import find_optimum, objective_of_fit
from .profile import intervals_of_optimum
from .refusals import SeparatedClasses, refuse_odds, refuse_other_fits
from .row_weights import weights_by_name
from .separated import separable_intervals

__all__ = ["ProfileIntervals", "profile_intervals"]


@dataclass(frozen=True, eq=False)
class ProfileIntervals:
    """Profile-likelihood intervals, which need no standard errors.

    Attributes
    ----------
    names : list of str
    coef : ndarray of shape (n_coefficients,)
        Infinite where the likelihood rises for ever with the coefficient; NaN where it does so to
        both sides, so that the rows tell nothing of it (`notes` says of which).
    intervals : ndarray of shape (n_coefficients, 2)
        An end that is infinite is proven to be so by linear programmes.
    level : float
    log_likelihood : float
        The largest, or what it rises to where it has no maximum.
    notes : list of str
        Of each coefficient without two ends what the rows say, and why.
    link : {"logit", "probit", "cloglog"}
    """

    names: list[str]
    coef: Vector
    intervals: Matrix
    level: float
    log_likelihood: float
    notes: list[str]
    link: str = "logit"

    @property
    def odds_ratio_intervals(self) -> Matrix:
        """Exponentials of the intervals: 0 and infinity where these have no end.

        Raises ValueError for another link than the logit, whose coefficients are none.
        """
        refuse_odds(self.link)
        return exponentials(self.intervals)

    def to_frame(self) -> object:
        """Return a pandas data frame, a row for each of `names`; a dict without pandas."""
        low, high = self.intervals.T
        columns = {"coef": self.coef, "conf_low": low, "conf_high": high}
        if self.link == "logit":
            columns["odds_low"], columns["odds_high"] = self.odds_ratio_intervals.T
        return as_frame(columns, self.names)

    def __str__(self) -> str:
        """Return a line for each coefficient, and the notes."""
        width = max([len(name) for name in self.names], default=0)
        lines = [f"Profile-likelihood intervals, {100.0 * self.level:.4g} %"]
        for name, coef, (low, high) in zip(self.names, self.coef, self.intervals, strict=True):
            lines.append(f"{name.ljust(width)}  {coef:10.4f}  [{low:10.4f}, {high:10.4f}]")
        return "\n".join([*lines, *self.notes])


def profile_intervals(
    fitted: FitResult | HasResult,
    X: ArrayLike,
    y: ArrayLike,
    *,
    sample_weight: ArrayLike = None,
    offset: ArrayLike = None,
    weights: str | None = None,
    reference: object = None,
    level: float = LEVEL,
    coefficients: object = None,
    n_threads: int | None = None,
) -> ProfileIntervals:
    """Return profile-likelihood intervals of a fit without a penalty, also of separable classes.

    Where the classes are separable the likelihood has no maximum, and `infer` refuses: there are no
    standard errors. Yet the likelihood may fall on one side of a coefficient, and its interval is
    then one-sided. Which ends are infinite is proven by linear programmes; finite ones are found by
    root finding. Of other fits they are those of ``infer(...).conf_int(method="profile")``.

    Parameters
    ----------
    fitted : FitResult or estimator
        A fit without a penalty (``C=numpy.inf``) of two classes with any link, or a softmax, or of
        shares that are counts.
    X, y, sample_weight, offset, reference, n_threads
        As of `infer`.
    weights : {"frequency", "analytic"}, optional
        As of `infer`; sampling weights make no likelihood.
    level : float between 0 and 1, default 0.95
    coefficients : str, int, or sequence of these, optional
        Names, or places, the intercept first; of a categorical column its name stands for all of
        its coefficients. All by default.

    Returns
    -------
    ProfileIntervals

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type, shape or value; if the fit has a penalty, bounds or
        reduced bias, or its weights are those of sampling.

    References
    ----------
    Venzon and Moolgavkar (1988, Applied Statistics 37); Albert and Anderson (1984, Biometrika 71);
    Geyer (2009, Electronic Journal of Statistics 3).

    Examples
    --------
    >>> import numpy as np, warnings
    >>> from fastlogit import fit, profile_intervals
    >>> X = np.repeat([[0.0], [1.0]], 5, axis=0)
    >>> y = np.array([0, 1, 0, 1, 0, 1, 1, 1, 1, 1])  # all of the second group
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore")
    ...     result = fit(X, y, C=np.inf)
    >>> profile_intervals(result, X, y).intervals[1].round(4).tolist()
    [0.2188, inf]
    """
    result = result_of(fitted)
    refuse_other_fits(result, takes_links=True)
    if result.bias_reduction is not None:
        raise ValueError(
            f"profile_intervals are of the likelihood alone, the fit has bias_reduction="
            f"{result.bias_reduction!r}: infer(...).conf_int() has intervals of the penalised one"
        )
    level, place = check_level(level), place_of_reference(reference, result.classes)
    names = names_of(result)
    all_names, terms = names_of_coefficients(names, result, place)
    chosen = places_of(coefficients, all_names, terms)
    data = look_at_rows_of_fit(fitted, X, y, sample_weight, offset)
    known = weights_by_name(data.weights, weights, data.rows.X.shape[0]).of_shares(data.shares)
    if not known.has_likelihood:
        why = "of shares that are no counts" if known.is_quasi else "with weights='probability'"
        raise ValueError(
            f"{why} there is no likelihood, and so no profile-likelihood interval; use "
            "infer(..., cov_type='HC1').conf_int()"
        )
    objective = objective_of_fit(result, open_rows(data.rows.X, n_threads), data, known)
    try:
        optimum = find_optimum(result, objective, known, names.features, place)
    except SeparatedClasses:
        if data.shares is not None:  # the linear programmes are of labels
            raise
        found = separable_intervals(objective, known, place, chosen, level)
        coef, intervals, best = found.coef, found.intervals, found.log_likelihood
    else:
        coef = optimum.values(optimum.theta)[chosen]
        intervals = intervals_of_optimum(optimum, chosen, level)
        best = -optimum.total_weight * optimum.point.cost
    own = [all_names[each] for each in chosen]
    notes = _notes(own, coef)
    return ProfileIntervals(own, coef, intervals, level, best, notes, result.link)


def _notes(names: list[str], coef: Vector) -> list[str]:
    """Say of each coefficient that has no estimate what the rows say of it."""
    notes = []
    for name, value in zip(names, coef, strict=True):
        if np.isnan(value):
            notes.append(
                f"{name}: any value is as likely as any other beside suitable values of the other "
                "coefficients; the rows do not tell it"
            )
        elif np.isinf(value):
            side = "up" if value > 0.0 else "down"
            notes.append(
                f"{name}: the classes are separable, and the likelihood rises for ever as it goes "
                f"{side}; its interval has one end"
            )
    return notes
