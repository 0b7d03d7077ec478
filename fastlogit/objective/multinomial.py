"""The multinomial loss: the classes of a model compete, and are fitted together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..arrays import Codes, Cube, Floats, Indices, Matrix, Vector
from ..design.base import plain_targets
from ..kernels.passes import MULTINOMIAL, MULTINOMIAL_PRODUCT, Targets
from .levels import levels_of_shares, log_sum_exp, with_offsets
from .losses import Gram, Loss

if TYPE_CHECKING:
    from .labelled_rows import LabelledRows

__all__ = ["Multinomial", "against_the_others"]


class Multinomial(Loss):
    """The softmax loss of the raw predictions of all classes.

    With z_k the raw prediction of class k the loss of a row of class y is log(sum e^z_k) - z_y.
    A model has an output for each class; adding the same to all classes changes no prediction, and
    of all points that predict the same the one whose classes sum to zero has the lowest penalty:
    points stay there, since gradients sum to zero as well. Row curvatures are row weight times
    probability, class after class.

    Parameters
    ----------
    n_classes : int
    """

    kernel = MULTINOMIAL
    # The largest eigenvalue of diag(p) - p p'.
    most_curvature = 0.5
    is_separable = True

    def __init__(self, n_classes: int) -> None:
        self.n_classes = n_classes

    def residual_size(self, cost: float, n_samples: float = 1.0) -> float:
        """Return a bound on the residuals: each is at most 1, and at most its row's loss."""
        return min(1.0, float(np.sqrt(cost)))

    def curvature_size(self, cost: float) -> float:
        """Return a bound on the curvatures of an output, at most 1/4 and at most the row's loss."""
        return min(0.5, float(np.sqrt(cost)))

    def majorizing(self, raw: Cube) -> Cube:
        """Return K j(d_k) of each class, d_k its difference to what the other classes make.

        The loss along the raw prediction of one class alone is that of a binomial model. A step of
        all K classes is the mean of K steps that move one class each, K times as far; by convexity
        the loss is at most the mean of theirs.
        """
        size = np.maximum(np.abs(against_the_others(raw)), 1e-8)
        return self.n_classes * np.tanh(0.5 * size) / (2.0 * size)

    def share_logits(self, rows: LabelledRows) -> Matrix:
        """Return theta without slopes, that predicts each model's share of every class."""
        intercepts = np.empty(rows.n_outputs)
        for output in range(rows.n_outputs):
            count, _ = rows.weights_of_class(output)
            # A class without rows has no finite logarithm: half a row stands for it.
            row = rows.total_weight[output] / rows.design.shape[0]
            intercepts[output] = np.log(max(count, 0.5 * row))
        theta = np.zeros((rows.n_models, self.n_classes, rows.design.shape[1] + 1))
        levels = intercepts.reshape(rows.n_models, self.n_classes)
        theta[:, :, -1] = levels - levels.mean(axis=1, keepdims=True)
        return theta.reshape(rows.n_models, -1)

    def start(self, rows: LabelledRows) -> Matrix:
        """Return theta without slopes that predicts the share of each class, offsets included."""
        return with_offsets(
            rows,
            self.share_logits(rows),
            lambda levels, offset, weights: levels_of_shares(levels, offset, weights[0]),
        )

    def mean_at_levels(
        self,
        levels: Vector,
        offset: Matrix,
        codes: Codes,
        positive: Indices,
        weights: Vector | None,
        total_weight: float,
    ) -> float:
        """Return the mean loss of a model that has intercepts and no slopes."""
        raw = levels[:, None] + offset
        order = np.argsort(positive)
        losses = log_sum_exp(raw) - raw[order[codes], np.arange(codes.size)]
        return float((losses.sum() if weights is None else losses @ weights) / total_weight)

    def class_weights(self, curvature: Matrix) -> Cube:
        """Return what each row adds to the Hessian of each output: w p (1 - p)."""
        shares = curvature.reshape(len(curvature), self.n_classes, -1)
        weight = shares.sum(axis=1, keepdims=True)
        inverse = np.divide(1.0, weight, out=np.zeros_like(weight), where=weight > 0.0)
        return shares * ((weight - shares) * inverse)

    def product_targets(self, curvature: Matrix, total_weight: Vector) -> Targets:
        """Return the targets whose gradient is the product of the loss's Hessian with the point."""
        outputs = curvature.reshape(len(total_weight), -1)
        return plain_targets(MULTINOMIAL_PRODUCT, outputs, total_weight, self.n_classes)

    def class_hessians(self, curvature: Vector, gram: Gram, total_weight: float) -> Cube:
        """Return the blocks on the diagonal of `hessian`, one for each class."""
        weights = self.class_weights(curvature[None])[0]
        return np.array([gram(of_class, total_weight) for of_class in weights])

    def hessian(self, curvature: Vector, gram: Gram, total_weight: float) -> Matrix:
        """Return the Hessian of one model's mean loss from its row curvatures.

        A pass for each pair of classes, and (n_parameters, n_parameters) numbers. The rows of
        blocks add up to 0: the diagonal is made of the others, without a difference that cancels.
        """
        shares = curvature.reshape(self.n_classes, -1)
        weight = shares.sum(axis=0)
        inverse = np.divide(1.0, weight, out=np.zeros_like(weight), where=weight > 0.0)
        whole: Floats | None = None
        for row in range(self.n_classes):
            for column in range(row):
                block = gram(shares[row] * shares[column] * inverse, total_weight)
                if whole is None:
                    whole = np.zeros((self.n_classes, len(block), self.n_classes, len(block)))
                whole[row, :, column] = whole[column, :, row] = -block
                whole[row, :, row] += block
                whole[column, :, column] += block
        assert whole is not None  # two classes at the least
        return whole.reshape(self.n_classes * whole.shape[1], -1)

    def settle(self, coef: Matrix, intercept: Vector, fit_intercept: bool) -> tuple[Matrix, Vector]:
        """Return the point whose classes sum to zero: the same predictions, at no more cost."""
        groups = coef.reshape(-1, self.n_classes, coef.shape[1])
        level = intercept.reshape(-1, self.n_classes)
        if fit_intercept:
            level = level - level.mean(axis=1, keepdims=True)
        centred = groups - groups.mean(axis=1, keepdims=True)
        return centred.reshape(coef.shape), level.reshape(intercept.shape)

    def centred(self, vectors: Matrix) -> Matrix:
        """Return parameters of each model less their mean over the classes."""
        classes = vectors.reshape(len(vectors), self.n_classes, -1)
        return (classes - classes.mean(axis=1, keepdims=True)).reshape(vectors.shape)


def against_the_others(raw: Cube) -> Cube:
    """Return z_k less the logarithm of the sum of exp(z_j) of the other classes j.

    `raw` has shape (n_models, n_classes, n_samples).
    """
    best = raw.argmax(axis=1)[:, None]
    largest = np.take_along_axis(raw, best, axis=1)
    others = raw.copy()
    np.put_along_axis(others, best, -np.inf, axis=1)
    second = others.max(axis=1, keepdims=True)
    # All but the largest, and what is left of them without each.
    rest = np.exp(others - second)
    behind = second + np.log(rest.sum(axis=1, keepdims=True))
    share = np.exp(others - largest)
    left = np.maximum(share.sum(axis=1, keepdims=True) - share, 0.0)
    against = raw - (largest + np.log1p(left))
    np.put_along_axis(against, best, largest - behind, axis=1)
    return against
