"""What a row costs: a convex function of its raw predictions, and what solvers ask of it.

A loss has `n_classes` outputs for each model: 1, or the classes that compete in a softmax. Its sums
over the rows are made by compiled passes where it names their `kernel`, else, as those of `RowLoss`
are, by two passes with what it says of a row's raw prediction between them.

Certificates take any loss that is self-concordant in the sense of Bach (2010, Electronic Journal of
Statistics 4): along any line the third derivative is at most `self_concordance` times the second
and the largest change of a raw prediction (of the range of them, for a softmax).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from ..arrays import Codes, Cube, Indices, Mask, Matrix, Vector
from ..design.base import plain_targets
from ..kernels.descent import DescentState
from ..kernels.passes import SQUARED, Targets

if TYPE_CHECKING:
    from .labelled_rows import LabelledRows

__all__ = ["Gram", "Loss", "RowLoss"]

# Takes row weights (n_samples,) and what to divide by; returns the Gram matrix of the design.
Gram = Callable[[Vector, float], Matrix]


# Raw predictions at which a loss is asked whether its slope turns. Up to SAFE, in units of its
# self-concordance, the slope must not be 0 either; a difference of probabilities is from 37 on.
SAFE = 30.0
_FAR = np.geomspace(SAFE, 1e12, 100)
MARGINS = np.concatenate([-_FAR, np.linspace(-SAFE, SAFE, 121), _FAR])


class Loss(ABC):
    """A convex function of a row's raw predictions.

    Attributes
    ----------
    n_classes : int
        Outputs of a model.
    kernel : int or None
        The loss of `kernels.passes`; None where there is none.
    most_curvature : float
        The largest second derivative of the loss of a row along its raw predictions.
    self_concordance : float
        See above.
    is_separable : bool
        Whether the loss falls to its infimum as margins grow, so that without a penalty there may
        be no optimum.
    is_local : bool
        Whether it is self-concordant near each point, but not everywhere with the same constant:
        see `concordance_near`.
    in_row_space : bool
        Whether it may be fitted in the space of the rows.
    link : str
        The function that makes a raw prediction of a probability.
    """

    n_classes: int = 1
    kernel: int | None = None
    most_curvature: float
    self_concordance: float = 1.0
    is_separable: bool = False
    is_local: bool = False
    in_row_space: bool = True
    link: str = "logit"

    @property
    def is_coupled(self) -> bool:
        """Whether outputs of a model share rows' losses, as classes that compete do."""
        return self.n_classes > 1

    # ---- sizes that rounding errors are judged by

    @abstractmethod
    def residual_size(self, cost: float, n_samples: float = 1.0) -> float:
        """Return a bound on the root mean square of the rows' residuals, from their mean loss.

        `n_samples` is how many times the mean a row's loss may be.
        """

    @abstractmethod
    def curvature_size(self, cost: float) -> float:
        """Return a bound on the root of the rows' mean curvature, from their mean loss."""

    # ---- constants that hold near a point

    def concordance_near(self, raw: Vector, is_positive: Mask, reach: float) -> float:
        """Return the self-concordance where raw predictions change by at most `reach`."""
        return self.self_concordance

    def curvature_within(self, cost: float, change: float) -> float:
        """Return a bound on the rows' mean curvature where raw predictions change by so much."""
        return self.most_curvature

    # ---- from row curvatures to Hessians: those of the binomial loss, row by row

    def class_weights(self, curvature: Matrix) -> Cube:
        """Return what rows add to Hessians of outputs, (n_models, n_classes, n_samples)."""
        return curvature[:, None]

    def hessian(self, curvature: Vector, gram: Gram, total_weight: float) -> Matrix:
        """Return the Hessian of one model's mean loss from its row curvatures."""
        return gram(curvature, total_weight)

    def class_hessians(self, curvature: Vector, gram: Gram, total_weight: float) -> Cube:
        """Return the blocks on the diagonal of `hessian`, one for each output of the model."""
        return self.hessian(curvature, gram, total_weight)[None]

    def product_targets(self, curvature: Matrix, total_weight: Vector) -> Targets:
        """Return the targets whose gradient is the product of the loss's Hessian with the point."""
        return plain_targets(SQUARED, curvature, total_weight)

    def majorizing(self, raw: Cube) -> Cube:
        """Return curvatures of quadratic functions above the loss that touch it at `raw`.

        Raw predictions are ``(n_models, n_classes, n_samples)``; each output has a function of its
        own, such that the loss of a step is at most what they promise together.
        """
        return np.full(raw.shape, self.most_curvature * self.n_classes)

    # ---- points that predict the same

    def settle(self, coef: Matrix, intercept: Vector, fit_intercept: bool) -> tuple[Matrix, Vector]:
        """Return the point that stands for all that predict as this one does, at no more cost."""
        return coef, intercept

    def centred(self, vectors: Matrix) -> Matrix:
        """Return the part of directions (n_models, n_parameters) that changes predictions."""
        return vectors

    # ---- points without slopes

    def start(self, rows: LabelledRows) -> Matrix:
        """Return theta without slopes, to begin with: intercepts that suit labels and offsets."""
        return np.zeros((rows.n_models, self.n_classes * (rows.design.shape[1] + 1)))

    @abstractmethod
    def mean_at_levels(
        self,
        levels: Vector,
        offset: Matrix,
        codes: Codes,
        positive: Indices,
        weights: Vector | None,
        total_weight: float,
    ) -> float:
        """Return the mean loss of a model that has intercepts and no slopes.

        Parameters
        ----------
        levels : ndarray of shape (n_classes,)
            The intercepts.
        offset : ndarray of shape (n_classes, n_samples)
        codes : ndarray of shape (n_samples,)
            Classes of the rows.
        positive : ndarray of shape (n_classes,)
            The code that counts as 1 of each output.
        weights : ndarray of shape (n_samples,) or None
        total_weight : float
        """


class RowLoss(Loss):
    """A loss of one raw prediction that is said in NumPy, for rows that are of a class or not.

    A subclass has to say `rows` and `most_curvature`; where its residuals may be larger than 1 also
    `most_residual`.
    """

    most_residual: float = 1.0

    @property
    def is_separable(self) -> bool:  # type: ignore[override]
        """Whether the loss falls for ever as margins grow: `rows` is asked, see `never_turns`."""
        return self.never_turns()

    def never_turns(self) -> bool:
        """Say whether the slope has one sign at all margins, as far as float64 tells.

        A self-concordant loss has some curvature everywhere, so that a slope which never turns is
        never 0 either. Small numbers matter: where labels are thought wrong with a probability of
        1e-15 the loss has its minimum at a margin of 34.5.
        """
        near = np.abs(MARGINS) * max(self.self_concordance, 1.0) <= SAFE
        for is_positive, sign in ((True, 1.0), (False, -1.0)):
            with np.errstate(all="ignore"):  # what overflows far away says nothing
                slope = sign * self.rows(MARGINS.copy(), np.full(MARGINS.size, is_positive))[1]
            if (slope > 0.0).any() or not (slope[near] < 0.0).all():
                return False
        return True

    def probabilities(self, raw: Vector) -> Matrix:
        """Return the probabilities of both classes (n_samples, 2), of a loss that has a link."""
        raise NotImplementedError(f"{type(self).__name__} has no link")

    @abstractmethod
    def rows(self, raw: Vector, is_positive: Mask) -> tuple[Vector, Vector, Vector]:
        """Return the loss, its first and its second derivative at raw predictions (n_samples,)."""

    def residual_size(self, cost: float, n_samples: float = 1.0) -> float:
        """Return `most_residual`."""
        return self.most_residual

    def curvature_size(self, cost: float) -> float:
        """Return the root of `most_curvature`."""
        return float(np.sqrt(self.most_curvature))

    def evaluate(
        self, rows: LabelledRows, state: DescentState, row_state_out: Matrix | None = None
    ) -> None:
        """Put mean loss and its gradient into the state: a pass, and one for sums of residuals.

        `row_state_out` gets what a pass over the rows puts there: see `Design.evaluate`.
        """
        design, n_outputs = rows.design, rows.n_outputs
        raw = design.raw_prediction(state.point, state.point_intercept)
        residuals = np.empty((n_outputs, design.shape[0]))
        for output in range(n_outputs):
            offset, weights = rows.offset_of(output), rows.weights_of(output)
            if offset is not None:
                raw[output] += offset
            parts: tuple[Vector, ...] = rows.rows_of(output, raw[output])
            if weights is not None:
                with np.errstate(over="ignore", invalid="ignore"):
                    parts = tuple(np.where(weights > 0.0, weights * part, 0.0) for part in parts)
            loss, residual, curvature = parts
            residuals[output] = residual
            with np.errstate(over="ignore"):
                state.cost[output] = loss.sum() / rows.total_weight[output]
            if row_state_out is not None:
                row_state_out[output] = curvature
                if len(row_state_out) > n_outputs:
                    row_state_out[n_outputs + output] = residual
        slopes, last = design.transposed_product(residuals)
        with np.errstate(over="ignore", invalid="ignore"):
            state.gradient[...] = slopes / rows.total_weight[:, None]
            state.intercept_gradient[...] = last / rows.total_weight * rows.fit_intercept

    def mean_at_levels(
        self,
        levels: Vector,
        offset: Matrix,
        codes: Codes,
        positive: Indices,
        weights: Vector | None,
        total_weight: float,
    ) -> float:
        """Return the mean loss of a model that has an intercept and no slopes."""
        loss = self.rows(levels[0] + offset[0], codes == positive[0])[0]
        return float((loss.sum() if weights is None else loss @ weights) / total_weight)
