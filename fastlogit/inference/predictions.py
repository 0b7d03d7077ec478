"""`Predictions`: probabilities of rows with standard errors and intervals."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit

from ..arrays import Array, ArrayLike, Cube, Floats, Labels, Matrix, Vector
from ..design.row_sums import squares_of_rows
from ..objective.links import link_loss
from ..options import check_level, check_option
from .estimates import LEVEL, intervals_of
from .frames import as_frame
from .margins_model import Coefficients
from .margins_population import GivenRows, Population, new_rows
from .margins_request import coefficients_of, degrees_of
from .margins_scenarios import Scenario

if TYPE_CHECKING:
    from .inference import Inference

__all__ = ["Predictions", "predictions_of"]

# Rows that get Satterthwaite's degrees of freedom, which take a pass for 128 of them.
MOST_ROWS = 2000


@dataclass(frozen=True, eq=False)
class Predictions:
    """Probabilities of rows, and how sure they are.

    Of two classes those of the second, (n_samples,); of more of each, (n_samples, n_classes).

    Attributes
    ----------
    estimates : ndarray
        Probabilities.
    standard_errors : ndarray
        Of the probabilities, by the delta method.
    logit_standard_errors : ndarray
        Of their log-odds; of two classes those of the raw predictions, whatever the link.
    classes : ndarray of shape (n_classes,)
    degrees_of_freedom : ndarray of shape (n_samples,) or None
        Of Student's t, where the inference has CR2 or CR3.
    link : {"logit", "probit", "cloglog"}
    """

    estimates: Floats
    standard_errors: Floats
    logit_standard_errors: Floats
    classes: Labels
    degrees_of_freedom: Vector | None
    _log_odds: Floats = field(repr=False)
    link: str = "logit"

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.estimates)

    def conf_int(self, level: float = LEVEL, method: str | None = None) -> Floats:
        """Return confidence intervals of the probabilities, in a last axis of two.

        Parameters
        ----------
        level : float between 0 and 1, default 0.95
        method : {"logit", "probit", "cloglog", "delta"}, default the fit's link
            Wald's interval on the scale of the link, transformed, which stays between 0 and 1; or
            of the probability itself.

        Raises
        ------
        TypeError, ValueError
            If an argument is not possible.
        """
        share, degrees = check_level(level), self.degrees_of_freedom
        given = self.link if method is None else method
        if check_option("method", given, (self.link, "delta")) == "delta":
            return intervals_of(self.estimates, self.standard_errors, share, degrees)
        ends = intervals_of(self._log_odds, self.logit_standard_errors, share, degrees)
        loss = link_loss(self.link)
        if loss is None:
            return np.asarray(expit(ends))
        return loss.probabilities(ends.reshape(-1))[:, 1].reshape(ends.shape)

    def to_frame(self, level: float = LEVEL, method: str | None = None) -> object:
        """Return a pandas data frame, a row for each of X, of more classes for each class of it.

        Where pandas is not installed it is a dict of arrays.
        """
        low, high = np.moveaxis(self.conf_int(level, method), -1, 0)
        columns: dict[str, Array] = {}
        if self.estimates.ndim == 2:
            n_samples, n_classes = self.estimates.shape
            columns["row"] = np.repeat(np.arange(n_samples), n_classes)
            columns["class"] = np.tile(self.classes, n_samples)
        columns |= {
            "probability": self.estimates.reshape(-1),
            "std_error": self.standard_errors.reshape(-1),
            "conf_low": low.reshape(-1), "conf_high": high.reshape(-1),
        }  # fmt: skip
        return as_frame(columns)

    def __repr__(self) -> str:
        """Return one line."""
        of = str(self.classes[1]) if self.estimates.ndim == 1 else f"{len(self.classes)} classes"
        return f"Predictions({len(self):,} rows, probability of {of})"


def predictions_of(inference: Inference, X: ArrayLike, offset: ArrayLike) -> Predictions:
    """Return the predictions of rows, with errors.

    Raises
    ------
    TypeError, ValueError
        If the rows have the wrong type, shape or value.
    """
    rows = new_rows(inference, GivenRows(X, None, offset))
    model = coefficients_of(inference)
    proba = rows.probabilities(model, Scenario.observed(model.coef.shape[1]))
    if model.n_classes == 2:
        return _of_two(inference, rows, model, proba)
    own = proba[model.free]
    spread = _spreads(rows, _root(inference, model))
    errors = np.empty_like(proba)
    for place in range(model.n_classes):
        slopes = -own * proba[place]
        slopes[model.free == place] += proba[place]
        errors[place] = np.einsum("mn,mln,ln->n", slopes, spread, slopes)
    errors = np.sqrt(np.maximum(errors, 0.0))
    with np.errstate(divide="ignore", invalid="ignore"):
        log_odds = np.log(proba) - np.log1p(-proba)
        of_logit = errors / (proba * (1.0 - proba))
    by_row = [np.ascontiguousarray(each.T) for each in (proba, errors, of_logit, log_odds)]
    return Predictions(by_row[0], by_row[1], by_row[2], inference.classes, None, by_row[3])


def _of_two(
    inference: Inference, rows: Population, model: Coefficients, proba: Matrix
) -> Predictions:
    raw = rows.design.raw_prediction(model.coef, model.intercept)[0]
    if len(rows.offset):
        raw = raw + rows.offset[0]
    functions = _functions(_root(inference, model)[0])
    errors = np.sqrt(squares_of_rows(rows.design, functions))
    loss = link_loss(model.link)
    slopes = proba[0] * proba[1] if loss is None else loss.slopes(raw)[0]
    return Predictions(
        proba[1], errors * slopes, errors, inference.classes, _degrees(inference, rows), raw,
        model.link,
    )  # fmt: skip


def _degrees(inference: Inference, rows: Population) -> Vector | None:
    of = degrees_of(inference)
    if of is None:
        return None
    n_samples = rows.n_samples
    if n_samples > MOST_ROWS:
        raise ValueError(
            f"{inference.cov_type} has degrees of freedom for each row, of at most {MOST_ROWS:,} "
            f"rows, X has {n_samples:,}; predict in parts, or use with_covariance('CR1')"
        )
    own = np.asarray(rows.design.rows(np.arange(n_samples)), dtype=np.float64)
    if inference._fit.fit_intercept:
        own = np.column_stack([np.ones(n_samples), own])
    return of(own)


def _root(inference: Inference, model: Coefficients) -> Cube:
    """Return W of each free class, (n_free, n_features + 1, rank), intercept first.

    All of them one below the other, W W' is the covariance of the coefficients.
    """
    covariance = inference.covariance
    lengths = np.sqrt(np.diag(covariance))
    values, vectors = np.linalg.eigh(covariance / np.outer(lengths, lengths))
    root = lengths[:, None] * vectors * np.sqrt(np.maximum(values, 0.0))
    each = root.reshape(len(model.coef), -1, root.shape[1])
    if model.fit_intercept:
        return each
    return np.concatenate([np.zeros((len(each), 1, root.shape[1])), each], axis=1)


def _functions(root: Matrix) -> Matrix:
    """Return W' as `squares_of_rows` takes it, with the intercept last."""
    return np.ascontiguousarray(np.concatenate([root[1:], root[:1]]).T)


def _spreads(rows: Population, root: Cube) -> Cube:
    """Return x' V_ml x of each row, (n_free, n_free, n_samples): a pass for each pair."""
    n_free = len(root)
    found = np.empty((n_free, n_free, rows.n_samples))
    for one in range(n_free):
        found[one, one] = squares_of_rows(rows.design, _functions(root[one]))
    for one in range(n_free):
        for other in range(one):
            # 2 a b = (a + b)^2 - a^2 - b^2
            both = squares_of_rows(rows.design, _functions(root[one] + root[other]))
            found[one, other] = 0.5 * (both - found[one, one] - found[other, other])
            found[other, one] = found[one, other]
    return found
