"""Approximate leave-one-out: each row predicted by the fit to all others, without those fits.

Without row i the optimum moves by about one Newton step with the Hessian of the other rows, which
is a rank-one change of the Hessian H of all (for softmax of rank n_classes), so that its
factor serves for all rows (Pregibon, 1981, Annals of Statistics 9; Rad and Maleki, 2020, Journal of
the Royal Statistical Society B 82): with h_i = x_i' H^-1 x_i, row curvature c_i and weighted
residual r_i the row's raw prediction becomes

    z_i + h_i r_i / (1 - c_i h_i).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..arrays import ArrayLike, Codes, Cube, Floats, Masks, Matrix, Vector
from ..design.base import Design
from ..design.dense import DenseDesign
from ..design.opening import open_rows
from ..design.row_sums import dense_blocks
from ..elementwise import log1p_exp, log_sigmoid, sigmoid
from ..inputs import validation
from ..inputs.given import Data
from ..linalg.factors import Factor
from ..objective.hessians import Hessians
from ..objective.objective import Objective
from ..objective.penalties import Penalty
from ..result import FitResult
from .fitted import (
    HasResult,
    coefficients_by_output,
    labelled_rows,
    look_at_rows_of_fit,
    result_of,
)

__all__ = ["LeaveOneOut", "leave_one_out"]

# Columns whose share of their own curvature is below this hold rounding errors only.
DEPENDENT = 1e-11
# A Hessian of more rows would take too much memory (128 MB).
MAX_SIZE = 4000
# A row whose leverage comes nearer to 1 has a direction to itself.
NEAREST = 1e-12
# A raw prediction above this is no approximation of anything.
ABSURD = 1e100


@dataclass(frozen=True, eq=False)
class LeaveOneOut:
    """How a fit predicts rows that it has not seen.

    Attributes
    ----------
    log_loss : float
        Weighted mean of the rows' losses, each predicted without the row. For one-vs-all with
        more than two classes that of the hypotheses divided by their sum.
    accuracy : float
        Weighted share of the rows whose class is predicted, each without the row.
    raw_prediction : ndarray of shape (n_samples,) or (n_samples, n_classes)
        Raw predictions, each without the row.
    leverage : ndarray of shape (n_samples,), or (n_samples, n_classes) for one-vs-all
        How much a row draws the fit to itself, from 0 to 1 (for softmax to n_classes - 1). Their
        sum is the effective number of parameters.
    """

    log_loss: float
    accuracy: float
    raw_prediction: Floats
    leverage: Floats


def leave_one_out(
    fitted: FitResult | HasResult,
    X: ArrayLike,
    y: ArrayLike,
    *,
    sample_weight: ArrayLike = None,
    offset: ArrayLike = None,
    n_threads: int | None = None,
) -> LeaveOneOut:
    """Return how a fitted model predicts its rows, each by a fit without that row.

    Approximate: one Newton step for each row instead of a fit; two passes over X for the Hessian,
    and one in which all rows are solved with its factor. The rows left out keep the penalty as it
    is on the scale of the sum of the losses, as with a fixed `C`.

    Parameters
    ----------
    fitted : FitResult or estimator
        A converged fit; an estimator has it as its `result_`.
    X : array-like of shape (n_samples, n_features)
        The rows of the fit.
    y : array-like of shape (n_samples,)
        Their labels.
    sample_weight : array-like of shape (n_samples,) or (n_samples, n_classes), optional
        The weights of the fit; a row's weight is left out as a whole. An estimator's
        `class_weight` comes on top, but has no part in the means over the rows.
    offset : array-like of shape (n_samples,) or (n_samples, n_classes), optional
        The offset of the fit.
    n_threads : int, optional
        Number of threads; None takes what the process may use. The result has the same bits
        for every number.

    Returns
    -------
    LeaveOneOut

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type, shape or value, or the Hessian would have more than 4,000
        rows.

    Notes
    -----
    Good where no row decides for itself: the error is of second order in a row's leverage. Rows of
    weight 0 had no part in the fit and are predicted as they are.
    """
    result = result_of(fitted)
    if result.bias_reduction is not None:
        raise ValueError(
            f"leave_one_out knows the steps of penalised likelihoods with an L2, not those of "
            f"bias_reduction={result.bias_reduction!r}; fit each fold with fastlogit.fit"
        )
    if result.link != "logit" or result.fractional:
        what = "fractional=True" if result.link == "logit" else f"link={result.link!r}"
        raise ValueError(f"leave_one_out is for logistic regression of labels, the fit has {what}")
    data = look_at_rows_of_fit(fitted, X, y, sample_weight, offset)
    codes, weights = data.codes, _weight_sets(data.weights, len(data.codes))
    objective, theta = _objective(result, open_rows(data.rows.X, n_threads), data, weights)
    if not np.isfinite(objective.design.columns.inverse_scale).all():
        validation.refuse_not_finite(objective.design, data.rows.names)
    raw, leverage = _leave_out(objective, theta, codes, weights)
    of_rows = _weight_sets(data.sample_weight, len(codes)).mean(axis=0)
    return _conclude(objective, codes, of_rows, raw, leverage)


def _weight_sets(weights: Floats | None, n_samples: int) -> Matrix:
    """Return weights (1, n_samples), or for each class (n_classes, n_samples)."""
    if weights is None or not weights.size:
        return np.ones((1, n_samples))
    return weights.reshape(-1, n_samples)


def _objective(
    result: FitResult, design: Design, data: Data, weights: Matrix
) -> tuple[Objective, Matrix]:
    """Return the cost that was minimised, on standardised columns, and where it ended."""
    if result.loss is not None:
        raise ValueError(
            f"leave_one_out knows the logistic losses, not {type(result.loss).__name__}"
        )
    if result.l1_reg is not None:
        raise ValueError(
            "leave_one_out takes fits without L1, whose cost is smooth; for it, refit the columns "
            "that have coefficients with L2"
        )
    if result.coef_bounds is not None:
        raise ValueError(
            "leave_one_out takes fits without coef_bounds, whose coefficients move with every row; "
            "fit again without those at a bound"
        )
    penalty: Penalty | Floats | None = result.penalty
    if penalty is None and result.l2_reg is not None:
        penalty = result.l2_reg.T
    if penalty is None:
        raise ValueError("the result does not say how strong its penalty was; fit again")
    n_classes = len(result.classes)
    n_outputs = 1 if n_classes == 2 else n_classes
    is_softmax = n_outputs > 1 and result.multi_class == "multinomial"
    size = (design.shape[1] + 1) * (n_outputs if is_softmax else 1)
    if size > MAX_SIZE:
        raise ValueError(f"the Hessian would have {size} rows, more than {MAX_SIZE}")
    objective = Objective(labelled_rows(result, design, data, weights), penalty)
    objective.standardize()
    coef, intercept = coefficients_by_output(result)
    return objective, objective.join(*objective.from_user(coef, intercept))


def _leave_out(
    objective: Objective, theta: Matrix, codes: Codes, weights: Matrix
) -> tuple[Matrix, Matrix]:
    """Return raw predictions without each row (n_outputs, n_samples), and leverages."""
    inverses = _inverse_halves(objective, theta)
    coef, intercept = (np.ascontiguousarray(part) for part in objective.split(theta))
    raw = np.empty((objective.n_outputs, len(codes)))
    leverage = np.empty((objective.n_models, len(codes)))
    numbers = objective.n_outputs * (theta.shape[1] + objective.n_classes)
    for rows, block in dense_blocks(objective.design, numbers):
        weight = weights[:, rows]
        raw[:, rows] = block.raw_prediction(coef, intercept)
        for output, own in enumerate(raw):
            offset = objective.rows.offset_of(output)
            if offset is not None:
                own[rows] += offset[rows]
        labels = codes[rows] == objective.rows.positive[:, None]
        step = _softmax_step if objective.loss.is_coupled else _separate_step
        halves = _half_predictions(objective, block, inverses)
        with np.errstate(over="ignore", invalid="ignore"):
            change, leverage[:, rows] = step(raw[:, rows], labels, weight, halves)
            raw[:, rows] += change
    if not ((np.abs(raw) < ABSURD).all() and np.isfinite(leverage).all()):
        raise ValueError(
            "the fit is so sure of some rows that its Hessian vanishes in float64, and what such a "
            "row does to it overflows; give the sample_weight of the fit, set a smaller C, or "
            "divide the columns of X by their largest values first"
        )
    return raw, leverage


def _inverse_halves(objective: Objective, theta: Matrix) -> Cube:
    """Return for each model L^-1, the sum's Hessian being L L', (n_models, size, size)."""
    curvature, hessians = objective.curvature(theta), Hessians(objective)
    halves = np.empty((objective.n_models, theta.shape[1], theta.shape[1]))
    for model in range(objective.n_models):
        hessian = hessians.at(model, theta[model], curvature[model]).matrix
        hessian *= objective.rows.total_weight[model * objective.n_classes]
        halves[model] = Factor(hessian, DEPENDENT).half_solve(np.eye(len(hessian))).T
    return halves


def _half_predictions(objective: Objective, block: DenseDesign, inverses: Cube) -> Floats:
    """Return L^-1 x of each row as the outputs see it, (n_models, size, n_classes, n_rows)."""
    n_classes, n_rows = objective.n_classes, block.shape[0]
    halves = np.empty((objective.n_models, inverses.shape[1], n_classes, n_rows))
    for model, inverse in enumerate(inverses):
        outputs = inverse.reshape(-1, n_classes, block.shape[1] + 1)
        for output in range(n_classes):
            vectors = np.ascontiguousarray(outputs[:, output, :-1])
            last = np.ascontiguousarray(outputs[:, output, -1]) * objective.fit_intercept
            halves[model, :, output] = block.raw_prediction(vectors, last)
    return halves


def _separate_step(
    raw: Matrix, labels: Masks, weight: Matrix, halves: Floats
) -> tuple[Matrix, Matrix]:
    """Return changes of the raw predictions (n_models, n_rows) and leverages, for sigmoids."""
    spread = np.einsum("msor,msor->mr", halves, halves)
    # 1 - p from -z, so that a certain row keeps its digits.
    proba, rest = sigmoid(raw), sigmoid(-raw)
    # The row is a part of the Hessian: more than 1 comes of rounding, where that has no digits.
    leverage = np.minimum(weight * proba * rest * spread, 1.0)
    residual = weight * np.where(labels, -rest, proba)
    return spread * residual / np.maximum(1.0 - leverage, NEAREST), leverage


def _softmax_step(
    raw: Matrix, labels: Masks, weight: Matrix, halves: Floats
) -> tuple[Matrix, Matrix]:
    """Return the same for the classes of a softmax, (n_classes, n_rows) and (1, n_rows)."""
    proba = np.exp(_log_softmax(raw)).T
    weight = weight[0]
    residual = weight[:, None] * (proba - labels.T)
    spread = np.einsum("skr,slr->rkl", halves[0], halves[0])
    curvature = -weight[:, None, None] * proba[:, :, None] * proba[:, None, :]
    diagonal = np.arange(len(raw))
    curvature[:, diagonal, diagonal] += weight[:, None] * proba
    product = curvature @ spread
    leverage = np.clip(np.trace(product, axis1=1, axis2=2), 0.0, len(raw) - 1.0)
    rest = np.eye(len(raw)) - product
    moved = np.linalg.solve(rest, residual[:, :, None])
    change = (spread @ moved)[:, :, 0].T
    return change - change.mean(axis=0), leverage[None, :]


def _log_softmax(raw: Matrix) -> Matrix:
    shifted = raw - raw.max(axis=0)
    return shifted - np.log(np.exp(shifted).sum(axis=0))


def _conclude(
    objective: Objective, codes: Codes, weights: Vector, raw: Floats, leverage: Floats
) -> LeaveOneOut:
    weights = weights / weights.max()  # so that no sum of them overflows
    if len(raw) == 1:
        losses = log1p_exp(np.where(codes == 1, -raw[0], raw[0]))
        correct = (raw[0] >= 0.0) == (codes == 1)
        raw, leverage = raw[0], leverage[0]
    else:
        scores = raw if objective.loss.is_coupled else log_sigmoid(raw)
        losses = -_log_softmax(scores)[codes, np.arange(len(codes))]
        correct = np.argmax(raw, axis=0) == codes
        raw = np.ascontiguousarray(raw.T)
        leverage = leverage[0] if objective.loss.is_coupled else np.ascontiguousarray(leverage.T)
    return LeaveOneOut(
        log_loss=float(np.average(losses, weights=weights)),
        accuracy=float(np.average(correct, weights=weights)),
        raw_prediction=raw,
        leverage=leverage,
    )
