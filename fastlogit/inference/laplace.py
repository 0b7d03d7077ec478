"""`posterior`: what data say of coefficients of which something is known before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from ..arrays import ArrayLike, Floats, Labels, Matrix, Vector
from ..design.base import Columns
from ..design.opening import open_rows
from ..design.row_sums import squares_of_rows
from ..elementwise import sigmoid
from ..inputs.categories import Categories
from ..inputs.given import Given, OfFit, look_at_rows
from ..inputs.validation import check_offset
from ..objective.objective import Objective
from ..options import check_category_options, check_option
from .estimates import LEVEL, errors_of, exponentials, intervals_of
from .fitted import INTERCEPT
from .penalised import Minimum, least, proven, with_constant_columns
from .priors import BoundPrior, GaussianPrior, Parameters, Prior
from .unfitted import MOST_COEFFICIENTS, Unfitted, look_at_unfitted

__all__ = ["Posterior", "posterior"]

METHODS = ("probit", "quadrature", "mode")
# Nodes of the trapezoid rule reach so far; their distance is 1 / the standard deviation, which is
# exact to 1e-8, down to a 30th.
REACH, WIDEST, FINEST = 8.5, 0.5, 1.0 / 30.0


class Read(NamedTuple):
    """How new rows are read, as those that the posterior was made of."""

    names: Sequence[str] | None
    categories: Categories | None
    n_features: int
    n_threads: int | None


@dataclass(frozen=True, eq=False)
class Posterior:
    """Laplace's normal approximation of a posterior: its mode, and the inverse Hessian there.

    Attributes
    ----------
    names : list of str
        Of the coefficients; the intercept first.
    coef : ndarray of shape (n_coefficients,)
        The mode: the most probable coefficients.
    covariance : ndarray of shape (n_coefficients, n_coefficients)
    prior : Prior
    classes : ndarray of shape (2,)
        Coefficients are those of the second.
    n_samples : float
        Observations: rows of weight above 0, or their frequencies. What a prior is worth in rows
        does not count.
    log_likelihood : float
        At the mode.
    log_evidence : float or None
        The logarithm of the probability of the labels under the prior, by Laplace's method. An
        intercept without a prior counts with a density of 1, so that it compares models that all
        leave it free. None where the prior of other coefficients is improper, or weights are
        sampling weights: there is none then.
    suboptimality : float
        How far below its maximum the log posterior may be at most, proven; for a prior that is not
        log-concave (Student's t) half of Newton's decrement, an estimate at the mode that was
        found.
    is_proven : bool
        Which of the two it is.
    """

    names: list[str]
    coef: Vector
    covariance: Matrix
    prior: Prior
    classes: Labels
    n_samples: float
    log_likelihood: float
    log_evidence: float | None
    suboptimality: float
    is_proven: bool
    _read: Read = field(repr=False)

    # ---- each coefficient

    @property
    def standard_deviations(self) -> Vector:
        """Posterior standard deviations, (n_coefficients,)."""
        return errors_of(self.covariance)

    def credible_intervals(self, level: float = LEVEL) -> Matrix:
        """Return intervals that hold a coefficient with a probability, (n_coefficients, 2).

        Parameters
        ----------
        level : float between 0 and 1, default 0.95

        Raises
        ------
        TypeError, ValueError
            If `level` is no such number.
        """
        return intervals_of(self.coef, self.standard_deviations, level)

    @property
    def odds_ratios(self) -> Vector:
        """exp(coef)."""
        return exponentials(self.coef)

    def odds_ratio_intervals(self, level: float = LEVEL) -> Matrix:
        """Return the exponentials of `credible_intervals`, (n_coefficients, 2)."""
        return exponentials(self.credible_intervals(level))

    # ---- as a prior

    def as_prior(self) -> GaussianPrior:
        """Return it as the prior of a model of the same coefficients, for rows that come next."""
        return GaussianPrior(
            self.coef, self.covariance, with_intercept=self.names[:1] == [INTERCEPT]
        )

    # ---- predictions

    def raw_moments(self, X: ArrayLike, offset: ArrayLike = None) -> tuple[Vector, Vector]:
        """Return mean and standard deviation of the raw prediction of each row, (n_rows,) each."""
        read = self._read
        rows = look_at_rows(OfFit(X, read.names, read.categories))
        n_rows, n_features = rows.X.shape
        if n_features != read.n_features:
            raise ValueError(f"X has {n_features} columns, but the fit had {read.n_features}")
        shift = check_offset(offset, n_rows)
        design = open_rows(rows.X, read.n_threads)
        design = design.standardized(Columns(np.zeros(n_features), np.ones(n_features)))
        slopes, level = self._apart(self.coef[None])
        mean = design.raw_prediction(slopes, level)[0]
        root = np.linalg.cholesky(self.covariance)
        parts, last = self._apart(np.ascontiguousarray(root.T))
        square = squares_of_rows(design, np.column_stack([parts, last]))
        return mean + shift if shift.size else mean, np.sqrt(square)

    def _apart(self, vectors: Matrix) -> tuple[Matrix, Vector]:
        """Return the coefficients of columns and of the intercept, 0 where there is none."""
        if self.names[:1] != [INTERCEPT]:
            return np.ascontiguousarray(vectors), np.zeros(len(vectors))
        return np.ascontiguousarray(vectors[:, 1:]), np.ascontiguousarray(vectors[:, 0])

    def predict_proba(
        self, X: ArrayLike, *, offset: ArrayLike = None, method: str = "probit"
    ) -> Matrix:
        """Return the predictive probability of each class, averaged over the posterior.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features)
        offset : array-like of shape (n_rows,), optional
        method : {"probit", "quadrature", "mode"}, default "probit"
            "probit" divides the mean of the raw prediction by sqrt(1 + pi variance / 8) (MacKay,
            1992, Neural Computation 4), which is off by 0.02 at most; "quadrature" integrates over
            the raw prediction's normal distribution, to 1e-8 up to a standard deviation of 30;
            "mode" takes the most probable coefficients as if they were known.

        Returns
        -------
        ndarray of shape (n_rows, 2)

        Raises
        ------
        TypeError, ValueError
            If an argument has the wrong type, shape or value.
        """
        check_option("method", method, METHODS)
        mean, deviation = self.raw_moments(X, offset)
        if method == "mode":
            second = sigmoid(mean)
        elif method == "probit":
            second = sigmoid(mean / np.sqrt(1.0 + np.pi * deviation**2 / 8.0))
        else:
            second = _averaged(mean, deviation)
        return np.column_stack([1.0 - second, second])

    def proba_intervals(
        self, X: ArrayLike, *, offset: ArrayLike = None, level: float = LEVEL
    ) -> Matrix:
        """Return credible intervals of the probability of the second class, (n_rows, 2)."""
        mean, deviation = self.raw_moments(X, offset)
        return np.asarray(sigmoid(intervals_of(mean, deviation, level)))

    # ---- tables

    def __str__(self) -> str:
        """Return a table of the coefficients."""
        width = max(map(len, self.names))
        low, high = self.credible_intervals().T
        evidence = "none" if self.log_evidence is None else f"{self.log_evidence:.4f}"
        lines = [
            f"Posterior of {self.classes[1]!s} against {self.classes[0]!s}, normal approximation",
            (
                f"observations {self.n_samples:,.10g}, log-likelihood {self.log_likelihood:.4f}, "
                f"log evidence {evidence}"
            ),
            (
                f"{'':{width}}  {'mode':>9}  {'std dev':>9}  {'2.5 %':>9}  {'97.5 %':>9}  "
                f"{'odds ratio':>10}"
            ),
        ]
        lines += [
            f"{name:{width}}  {mode:9.4f}  {deviation:9.4f}  {below:9.4f}  {above:9.4f}  "
            f"{ratio:10.4f}"
            for name, mode, deviation, below, above, ratio in zip(
                self.names, self.coef, self.standard_deviations, low, high, self.odds_ratios,
                strict=True,
            )
        ]  # fmt: skip
        return "\n".join(lines)

    def __repr__(self) -> str:
        """Return one line."""
        return (
            f"Posterior({len(self.names)} coefficients, {type(self.prior).__name__}, "
            f"{self.n_samples:g} observations)"
        )


def posterior(
    X: ArrayLike,
    y: ArrayLike,
    prior: Prior,
    *,
    sample_weight: ArrayLike = None,
    offset: ArrayLike = None,
    weights: str | None = None,
    fit_intercept: bool = True,
    categories: str = "auto",
    n_threads: int | None = None,
) -> Posterior:
    """Return the posterior of a logistic regression of two classes, by Laplace's approximation.

    The mode is found by Newton's method to all digits and proven; the covariance is the inverse of
    the Hessian of minus the log posterior there.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Whatever `fit` takes, but batches.
    y : array-like of shape (n_samples,)
        Labels of two classes.
    prior : GaussianPrior, LogFPrior or StudentPrior
        Of the coefficients in the units of X.
    sample_weight : array-like of shape (n_samples,), optional
    offset : array-like of shape (n_samples,), optional
    weights : {"frequency", "probability", "analytic"}, optional
        What the weights are, see `infer`. With sampling weights there is no evidence, and the
        covariance is that of a likelihood which they only stand for.
    fit_intercept : bool, default True
    categories : {"auto", "full", "reference"}, default "auto"
        Which levels of a categorical column have a coefficient, see `fit`; "auto" is "full".
    n_threads : int, optional
        None takes what the process may use. The result has the same bits for every number.

    Returns
    -------
    Posterior

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type, shape or value, there are more than two classes, or prior
        and rows together leave a direction of the coefficients open.

    References
    ----------
    MacKay (1992, Neural Computation 4); Spiegelhalter and Lauritzen (1990, Networks 20).

    Examples
    --------
    >>> import numpy as np
    >>> from fastlogit import GaussianPrior, posterior
    >>> X, y = np.array([[-2.0], [-1.0], [1.0], [2.0]]), [0, 0, 1, 1]
    >>> found = posterior(X, y, GaussianPrior(0.0, 4.0))
    >>> found.coef[1].round(4), found.standard_deviations.round(4).tolist()
    (np.float64(1.7174), [1.7717, 1.1546])
    """
    if not isinstance(prior, Prior):
        raise TypeError(
            "prior must be a GaussianPrior, a LogFPrior or a StudentPrior, got "
            f"{type(prior).__name__}"
        )
    coding = check_category_options(categories, "error", None, has_penalty=True)

    def look(offset: ArrayLike) -> Unfitted:
        return look_at_unfitted(
            Given(X, y, sample_weight, offset, categories=coding), "posterior",
            fit_intercept=fit_intercept, weights=weights, n_threads=n_threads,
        )  # fmt: skip

    rows = look(offset)
    _refuse(rows)
    with_constant_columns(rows.objective)
    bound = prior.bind(Parameters(rows.features, rows.objective.fit_intercept, _measures(rows)))
    units = in_units(rows.objective)
    found = _mode(rows.objective, bound, units)
    if found is None and rows.data.offset.size:
        found = _mode_by_steps(rows, look, bound, units)
    if found is None or not found.is_own:
        raise ValueError(
            "prior and rows leave a direction of the coefficients open: columns that have no "
            "prior, or of which only differences have one, are combinations of others or separate "
            "the classes. Give a prior of all of them (a covariance has no infinite variance)"
        )
    return _conclude(rows, prior, bound, found, units, n_threads)


def _mode(
    objective: Objective, bound: BoundPrior, units: Matrix, start: Vector | None = None
) -> Minimum | None:
    """Return where the log posterior is greatest, None where that is not found."""

    def addition(theta: Vector) -> tuple[float, Vector, list[Matrix]]:
        coef = units @ theta
        value, gradient, hessian = bound.derivatives(coef)
        hessians = [hessian] if bound.is_proven else [hessian, bound.above(coef)]
        return value, units.T @ gradient, [units.T @ each @ units for each in hessians]

    free = np.append(np.ones(objective.design.shape[1], bool), objective.fit_intercept)
    if start is None:
        start = objective.loss.start(objective.rows)[0]
    return least(objective, addition, start * free, free)


def _mode_by_steps(
    rows: Unfitted, look: Callable[[ArrayLike], Unfitted], bound: BoundPrior, units: Matrix
) -> Minimum | None:
    """Return the mode where the offset leaves most rows without curvature in float64.

    With a share of the offset that is small enough, then twice that share from what was found.
    None where there is no mode without the offset, which opens no direction.

    Raises
    ------
    ValueError
        If there is one, but the offset is too large to follow it.
    """
    offset = rows.data.offset.reshape(-1)
    share = 2.0 ** -np.ceil(np.log2(max(2.0, float(np.abs(offset).max()))))
    found = _mode(_standardised_as(rows, look(None)), bound, units)
    if found is None:
        return None
    while share <= 1.0:
        objective = _standardised_as(rows, look(share * offset))
        found = _mode(objective, bound, units, 2.0 * found.theta)
        if found is None:
            raise ValueError(
                f"the offset is between {offset.min():.4g} and {offset.max():.4g}: probabilities "
                "are 0 or 1 in float64 for most rows, which leave too little curvature to find "
                "the mode. An offset is on the scale of log-odds: look at its unit"
            )
        share *= 2.0
    return found


def _standardised_as(rows: Unfitted, others: Unfitted) -> Objective:
    """Return an objective of the same columns with the same scale."""
    others.objective.take_columns(rows.objective.design.columns)
    return others.objective


def _refuse(rows: Unfitted) -> None:
    if len(rows.data.classes) > 2:
        raise ValueError(
            f"y has {len(rows.data.classes)} classes, and posterior is for two: take one class "
            "against the others (y == label) at a time"
        )
    size = len(rows.names)
    if size > MOST_COEFFICIENTS:
        raise ValueError(
            f"the covariance would have {size} rows, more than {MOST_COEFFICIENTS}; fit(penalty=) "
            "has the mode of normal priors, without a covariance"
        )


def in_units(objective: Objective) -> Matrix:
    """Return T, with T theta the coefficients in the units of X, the intercept first."""
    center, inverse_scale = objective.design.columns
    slopes = np.column_stack([np.diag(inverse_scale), np.zeros(len(center))])
    if not objective.fit_intercept:
        return slopes
    return np.concatenate([np.append(-center * inverse_scale, 1.0)[None], slopes])


def _measures(rows: Unfitted) -> Callable[[], tuple[Vector, Vector]]:
    """Return what looks for the standard deviation of columns, and ranges of two-valued ones."""

    def look() -> tuple[Vector, Vector]:
        objective = rows.objective
        weights = rows.weights.values
        used = weights > 0.0 if weights.size else np.ones(objective.design.shape[0], bool)
        spread = np.empty(len(rows.features))
        ranges = np.full(len(rows.features), np.nan)
        for place in range(len(rows.features)):
            column = np.asarray(objective.design.column(place), dtype=np.float64)[used]
            low, high = column.min(), column.max()
            spread[place] = column.std(ddof=1) if column.size > 1 else 0.0
            if ((column == low) | (column == high)).all():
                ranges[place] = high - low
        return spread, ranges

    return look


def _conclude(
    rows: Unfitted, prior: Prior, bound: BoundPrior, found: Minimum, units: Matrix,
    n_threads: int | None,
) -> Posterior:  # fmt: skip
    root = units @ found.root
    covariance = root @ root.T
    more = bound.steepness(covariance)
    lacks = proven(rows.objective, found, more) if bound.is_proven else 0.5 * found.square
    evidence = None
    if bound.log_constant is not None and rows.weights.has_likelihood:
        _, log_det = np.linalg.slogdet(covariance)
        evidence = bound.log_constant - found.value
        evidence += 0.5 * (float(log_det) + len(covariance) * float(np.log(2.0 * np.pi)))
    of = rows.data.rows
    names = None if of.categories is not None else of.text_names
    return Posterior(
        names=rows.names, coef=units @ found.theta, covariance=covariance, prior=prior,
        classes=rows.data.classes, n_samples=rows.weights.n_samples, log_likelihood=-found.loss,
        log_evidence=evidence, suboptimality=lacks, is_proven=bound.is_proven,
        _read=Read(names, of.categories, len(rows.features), n_threads),
    )  # fmt: skip


def _averaged(mean: Vector, deviation: Vector) -> Floats:
    """Return the mean of the sigmoid over normal distributions, by the trapezoid rule.

    It converges geometrically: the sigmoid has no pole nearer to the real line than pi.
    """
    step = float(np.clip(1.0 / max(float(deviation.max(initial=0.0)), 1e-300), FINEST, WIDEST))
    nodes = step * np.arange(-np.ceil(REACH / step), np.ceil(REACH / step) + 1.0)
    shares = np.exp(-0.5 * nodes**2)
    shares /= shares.sum()
    total = np.zeros(mean.shape)
    for node, share in zip(nodes.tolist(), shares.tolist(), strict=True):
        total += share * sigmoid(mean + node * deviation)
    return total
