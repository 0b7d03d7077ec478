"""`high_dimensional`: standard errors where columns are no small share of the rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from ..arrays import ArrayLike, Labels, Mask, Matrix, Vector
from ..design.row_sums import squares_of_rows
from ..inputs.given import Given
from ..linalg.factors import Factor
from ..linalg.resolved import DEPENDENT
from ..objective.objective import Objective
from ..options import check_category_options, check_number
from .distributions import chi2_tail
from .estimates import Estimates
from .hypothesis_tests import HypothesisTest
from .laplace import in_units
from .penalised import Minimum, least
from .refusals import not_identified
from .row_weights import RowWeights
from .separation import refusal, report_of
from .state_evolution import State, state_of_rows
from .table import probability
from .unfitted import MOST_COEFFICIENTS, look_at_unfitted

__all__ = ["HighDimensionalInference", "corrected_of", "high_dimensional", "plain_weights"]

# Rows shown of a table.
SHOWN = 40


@dataclass(frozen=True, eq=False)
class HighDimensionalInference(Estimates):
    """Coefficients of a logistic regression of many columns, freed of their bias.

    Attributes
    ----------
    names : list of str
        Of the columns.
    coef : ndarray of shape (n_features,)
        Corrected: the estimates over `mu`.
    intercept : float or None
        Corrected; None for a model without one. The theory has no standard error for it.
    covariance : ndarray of shape (n_features, n_features)
        Of the corrected coefficients.
    uncorrected : ndarray of shape (n_features,)
        The estimates as they are fitted.
    uncorrected_errors : ndarray of shape (n_features,)
        Their standard errors by the usual theory, of few columns; too small.
    classes : ndarray of shape (2,)
    n_samples : int
    alpha : float
        How far labels were drawn: the likelihood is that of ``alpha y + (1 - alpha) / 2``; 1 is
        maximum likelihood.
    kappa : float
        Columns over rows.
    gamma : float
        Estimated signal strength: standard deviation of the true raw predictions.
    mu, sigma, b : float
        See `inference.state_evolution`.
    """

    names: list[str]
    coef: Vector
    intercept: float | None
    covariance: Matrix
    uncorrected: Vector
    uncorrected_errors: Vector
    classes: Labels
    n_samples: int
    alpha: float
    kappa: float
    gamma: float
    mu: float
    sigma: float
    b: float
    _fitted: _Fitted = field(repr=False)

    @property
    def likelihood_ratio_factor(self) -> float:
        """Twice a log-likelihood ratio is this times chi-squared: 1 of few columns."""
        return self.kappa * self.sigma**2 / self.b

    def likelihood_ratio_test(self, columns: str | Sequence[str]) -> HypothesisTest:
        """Return the rescaled likelihood-ratio test of columns without effect.

        Parameters
        ----------
        columns : str or sequence of str
            Names of columns whose coefficients are all 0 under the hypothesis; few of them. Fits
            once more, without them. With `alpha` below 1 it is the penalised likelihood's.

        Raises
        ------
        ValueError
            If a name is not known.
        """
        chosen = [columns] if isinstance(columns, str) else list(columns)
        unknown = [name for name in chosen if name not in self.names]
        if unknown or not chosen:
            raise ValueError(
                f"likelihood_ratio_test takes names of columns, got {unknown or columns!r}"
            )
        fitted = self._fitted
        free = fitted.free.copy()
        free[[self.names.index(name) for name in chosen]] = False
        smaller = _maximum(fitted.objective, fitted.pull, free, fitted.minimum.theta * free)
        assert smaller is not None  # where all columns have a maximum, some have one
        statistic = 2.0 * (smaller.value - fitted.minimum.value) / self.likelihood_ratio_factor
        return HypothesisTest(
            "likelihood ratio", ", ".join(chosen), statistic, float(len(chosen)),
            chi2_tail(statistic, len(chosen)),
        )  # fmt: skip

    def __str__(self) -> str:
        """Return a table of the coefficients."""
        width = max(map(len, self.names))
        low, high = self.conf_int().T
        lines = [
            (
                f"Logistic regression of {self.classes[1]!s} against {self.classes[0]!s}, "
                f"{len(self.names):,} columns, {self.n_samples:,} rows"
            ),
            (
                f"estimates are {self.mu:.3f} times too large, likelihood ratios "
                f"{self.likelihood_ratio_factor:.3f} times; signal strength {self.gamma:.3f}, "
                f"alpha {self.alpha:.4g}"
            ),
            (
                f"{'':{width}}  {'fitted':>9}  {'coef':>9}  {'std error':>9}  {'z':>7}  "
                f"{'P>|z|':>8}  {'2.5 %':>9}  {'97.5 %':>9}"
            ),
        ]
        lines += [
            f"{name:{width}}  {fitted:9.4f}  {coef:9.4f}  {error:9.4f}  {z:7.3f}  "
            f"{probability(p):>8}  {below:9.4f}  {above:9.4f}"
            for name, fitted, coef, error, z, p, below, above in zip(
                self.names[:SHOWN], self.uncorrected, self.coef, self.standard_errors,
                self.statistics, self.p_values, low, high, strict=False,
            )
        ]  # fmt: skip
        if len(self.names) > SHOWN:
            lines.append(f"and {len(self.names) - SHOWN} more")
        return "\n".join(lines)

    def __repr__(self) -> str:
        """Return one line."""
        return (
            f"HighDimensionalInference({len(self.names)} columns, {self.n_samples} rows, "
            f"mu={self.mu:.4g}, alpha={self.alpha:.4g})"
        )


@dataclass(frozen=True, eq=False)
class _Fitted:
    """What the tests fit once more."""

    objective: Objective
    # What labels that are drawn towards 1/2 add to the gradient, in theta.
    pull: Vector
    free: Mask
    minimum: Minimum


def high_dimensional(
    X: ArrayLike,
    y: ArrayLike,
    *,
    alpha: float | Literal["auto"] = "auto",
    sample_weight: ArrayLike = None,
    fit_intercept: bool = True,
    categories: str = "auto",
    n_threads: int | None = None,
) -> HighDimensionalInference:
    """Return coefficients, errors and tests that hold where columns are no small share of the rows.

    With a column to ten rows estimates of maximum likelihood are 10 to 20 % too large, and their
    usual standard errors too small; beyond some number of columns there are none at all. Theory for
    n and p that grow together says by how much, from how well rows are predicted by the fits to all
    others.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Whatever `fit` takes, but batches; fewer columns than rows. The theory is for columns that
        are normal, in any covariance; in simulations it also holds for independent signs and
        indicators of 5 %. Columns of heavy tails, or that depend on each other in other ways than
        by correlation, are beyond it.
    y : array-like of shape (n_samples,)
        Labels of two classes.
    alpha : float above 0, up to 1, or "auto"
        The strength of the labels: the likelihood is that of ``alpha y + (1 - alpha) / 2`` in the
        place of 0 and 1, which has a maximum with any alpha below 1 (Diaconis and Ylvisaker's
        conjugate prior). 1 is maximum likelihood; "auto" is 1 / (1 + p / n), Sterzinger and
        Kosmidis' choice.
    sample_weight : array-like of shape (n_samples,), optional
        0 or 1: rows of weight 0 are left out.
    fit_intercept : bool, default True
        Without one columns must have a mean of 0.
    categories : {"auto", "full", "reference"}, default "auto"
        See `fit`; "auto" is "reference".
    n_threads : int, optional
        None takes what the process may use.

    Returns
    -------
    HighDimensionalInference

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type, shape or value; if there are as many columns as rows;
        with ``alpha=1`` if the classes are separable.

    References
    ----------
    Sur and Candes (2019, PNAS 116); Zhao, Sur and Candes (2022, Bernoulli 28); Yadlowsky, Yun,
    McLean and D'Amour (2021, NeurIPS 34); Sterzinger and Kosmidis (2023, arXiv 2311.07419).
    """
    coding = check_category_options(categories, "error", None, has_penalty=False)
    rows = look_at_unfitted(
        Given(X, y, sample_weight, categories=coding), "high_dimensional",
        fit_intercept=fit_intercept, weights="probability", n_threads=n_threads,
    )  # fmt: skip
    plain_weights(rows.weights)
    if alpha != "auto":
        alpha = check_number("alpha", alpha, low=0.0, high=1.0, open_low=True)
    classes, n_features = rows.data.classes, len(rows.features)
    strength = 1.0 / (1.0 + n_features / rows.weights.n_samples) if alpha == "auto" else alpha
    return corrected_of(rows.objective, rows.features, classes, rows.weights, strength)


def plain_weights(weights: RowWeights) -> None:
    """Raise for weights other than 0 and 1."""
    values = weights.values
    most = values.max(initial=1.0)
    counts = weights.is_frequency and most != 1.0
    if values.size and (counts or not ((values == 0.0) | (values == most)).all()):
        raise ValueError(
            "the theory of many columns knows no weights: sample_weight may be 0 or 1 only; repeat "
            "rows that occur several times"
        )


def corrected_of(
    objective: Objective, features: Sequence[str], classes: Labels, weights: RowWeights,
    alpha: float,
) -> HighDimensionalInference:  # fmt: skip
    """Return the inference of rows on standardised columns.

    Raises
    ------
    ValueError
        See `high_dimensional`.
    """
    n_samples, n_features = int(weights.n_samples), len(features)
    _refuse_shapes(classes, n_samples, n_features, objective.fit_intercept)
    kappa = n_features / n_samples
    precision = _precision(objective, features, n_samples)
    pull = _pull(objective, alpha)
    free = np.append(np.ones(n_features, bool), objective.fit_intercept)
    start = objective.loss.start(objective.rows)[0] * free
    found = _maximum(objective, pull, free, start)
    if found is None:
        report = report_of(objective, features, classes.tolist())
        if report.is_separable:
            raise ValueError(
                f"{refusal(report)}. Here fastlogit.high_dimensional(X, y, alpha='auto') has "
                "estimates and errors all the same"
            )
        raise ValueError("the maximum of the likelihood was not found: its Hessian is singular")
    spread, level, agreement = _moments_of_others(objective, found, alpha)
    own = level if objective.fit_intercept else None
    state = state_of_rows(kappa, own, alpha, spread=spread, agreement=agreement)
    if state is None:
        raise ValueError(
            f"the equations of the theory have no solution for {n_features} columns of {n_samples} "
            f"rows whose predictions by the other rows have a standard deviation of {spread:.3g}: "
            + ("the likelihood is near to having no maximum; use "
               "fastlogit.high_dimensional(X, y, alpha='auto')" if alpha == 1.0
               else "columns may be far from normal; try another alpha")
        )  # fmt: skip
    return _conclude(
        _Fitted(objective, pull, free, found), list(features), classes, n_samples, alpha, kappa,
        state, precision,
    )  # fmt: skip


def _refuse_shapes(classes: Labels, n_samples: int, n_features: int, fit_intercept: bool) -> None:
    if len(classes) != 2:
        raise ValueError(
            f"y has {len(classes)} classes, and the theory of many columns is for two: take one "
            "class against the others (y == label) at a time"
        )
    if n_features + fit_intercept >= n_samples:
        raise ValueError(
            f"there are {n_features} columns and {n_samples} rows: the theory needs more rows than "
            "coefficients; fit with a penalty"
        )
    if n_features + 1 > MOST_COEFFICIENTS:
        raise ValueError(
            f"the covariance would have {n_features} rows, more than {MOST_COEFFICIENTS - 1}"
        )


def _used(objective: Objective) -> Vector:
    weights = objective.rows.weights_of(0)
    n_rows = objective.design.shape[0]
    return np.ones(n_rows) if weights is None else (weights > 0.0).astype(np.float64)


def _precision(objective: Objective, features: Sequence[str], n_samples: int) -> Matrix:
    """Return the estimated inverse covariance of the standardised columns.

    Its diagonal is 1 / tau_j^2: each column's variance given the others, of the residuals over
    their degrees of freedom.
    """
    gram = objective.design.gram(_used(objective))
    slopes, last = gram[:-1, :-1], gram[:-1, -1]
    if objective.fit_intercept:
        slopes = slopes - np.outer(last, last) / gram[-1, -1]
    dependent = Factor(np.ascontiguousarray(slopes), DEPENDENT).dependent
    dependent |= objective.design.columns.inverse_scale == 0.0
    if dependent.any():
        named = [features[column] for column in np.flatnonzero(dependent).tolist()]
        raise not_identified(named, objective.fit_intercept)
    freedom = n_samples - len(slopes) + 1 - objective.fit_intercept
    inverse = np.linalg.inv(slopes)
    return np.asarray(0.5 * freedom * (inverse + inverse.T))


def _pull(objective: Objective, alpha: float) -> Vector:
    """Return what labels drawn towards 1/2 add to the gradient: a pass over the rows."""
    codes = objective.rows.codes_of(0)
    away = np.where(codes == objective.rows.positive[0], 0.5, -0.5) * _used(objective)
    slopes, last = objective.design.transposed_product((1.0 - alpha) * away[None])
    return objective.join(slopes, last)[0]


def _maximum(objective: Objective, pull: Vector, free: Mask, start: Vector) -> Minimum | None:
    nothing = np.zeros((pull.size, pull.size))
    scale = float(objective.rows.total_weight[0]) / float(_used(objective).sum())

    def addition(theta: Vector) -> tuple[float, Vector, list[Matrix]]:
        return scale * float(pull @ theta), scale * pull, [nothing]

    return least(objective, addition, start, free)


def _moments_of_others(
    objective: Objective, found: Minimum, alpha: float
) -> tuple[float, float, float]:
    """Return moments of rows' predictions by the fits to all other rows.

    Their standard deviation, mean, and covariance with the labels.

    By one Newton step: ``x' coef - h r / (1 - h v)``, h = x' H^-1 x, residual r, curvature v.
    """
    design = objective.design
    coef, last = objective.split(found.theta[None])
    raw = design.raw_prediction(np.ascontiguousarray(coef), np.ascontiguousarray(last))[0]
    squares = squares_of_rows(design, np.ascontiguousarray(found.root.T))
    used = _used(objective) > 0.0
    second = objective.rows.codes_of(0)[used] == objective.rows.positive[0]
    fitted = found.residuals.values[0][used] + second
    residual = 0.5 + np.where(second, 0.5, -0.5) * alpha - fitted
    reach = squares[used]
    others = raw[used] - reach * residual / (1.0 - reach * found.curvature.values[0][used])
    level = float(others.mean()) if objective.fit_intercept else 0.0
    agreement = float(((others - level) * (second - 0.5)).mean())
    return float(np.sqrt(np.square(others - level).mean())), level, agreement


def _conclude(
    fitted: _Fitted, names: list[str], classes: Labels, n_samples: int, alpha: float, kappa: float,
    state: State, precision: Matrix,
) -> HighDimensionalInference:  # fmt: skip
    objective, theta = fitted.objective, fitted.minimum.theta
    inverse_scale = objective.design.columns.inverse_scale
    units = in_units(objective)
    intercept = None
    root = units @ fitted.minimum.root
    errors = np.sqrt(np.square(root).sum(axis=1))[-len(names) :]
    if objective.fit_intercept:
        used = _used(objective)
        means = objective.design.transposed_product(used[None])[0][0] / used.sum()
        slopes = theta[:-1] / state.mu
        intercept = float(units[0] @ np.append(slopes, state.theta - means @ slopes))
    fit = theta[:-1] * inverse_scale
    size = state.sigma**2 / (n_samples * state.mu**2)
    return HighDimensionalInference(
        names=names, coef=fit / state.mu, intercept=intercept,
        covariance=size * precision * inverse_scale * inverse_scale[:, None],
        uncorrected=fit, uncorrected_errors=errors, classes=classes, n_samples=n_samples,
        alpha=alpha, kappa=kappa, gamma=float(state.gamma), mu=state.mu, sigma=state.sigma,
        b=state.b, _fitted=fitted,
    )  # fmt: skip
