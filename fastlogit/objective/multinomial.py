"""The softmax cost: the classes of a model compete, and are fitted together."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..design.base import plain_targets
from ..kernels.passes import MULTINOMIAL, MULTINOMIAL_PRODUCT, Targets
from .binomial import Objective

__all__ = ["Multinomial"]


class Multinomial(Objective):
    """Mean multinomial loss of one or several models over the same rows, plus L2 penalty.

    With z_k the raw prediction of class k the loss of a row of class y is log(sum e^z_k) - z_y.
    A model has an output for each class; adding the same to all classes changes no prediction, and
    of all points that predict the same the one whose classes sum to zero has the lowest penalty:
    points stay there, since gradients sum to zero as well. Row curvatures are row weight times
    probability, class after class.
    """

    LOSS = MULTINOMIAL
    # The largest eigenvalue of diag(p) - p p'.
    MOST_CURVATURE = 0.5

    def share_logits(self) -> Any:
        """Return theta without slopes, that predicts each model's share of every class."""
        targets = self.targets
        intercepts = np.empty(self.n_outputs)
        for output in range(self.n_outputs):
            group = min(output // self.n_classes, len(targets.codes) - 1)
            codes = targets.codes[group] == targets.positive[output]
            weights = self.weights_of(output)
            count = np.count_nonzero(codes) if weights is None else float(weights[codes].sum())
            # A class without rows has no finite logarithm: half a row stands for it.
            row = targets.total_weight[output] / codes.size
            intercepts[output] = np.log(max(count, 0.5 * row))
        theta = np.zeros((self.n_models, self.n_classes, self.design.shape[1] + 1))
        levels = intercepts.reshape(self.n_models, self.n_classes)
        theta[:, :, -1] = levels - levels.mean(axis=1, keepdims=True)
        return theta.reshape(self.n_models, -1)

    def product_targets(self, curvature: Any) -> Targets:
        """Return the targets whose gradient is the product of the loss's Hessian with the point."""
        outputs = curvature.reshape(self.n_outputs, -1)
        return plain_targets(
            MULTINOMIAL_PRODUCT, outputs, self.targets.total_weight, self.n_classes
        )

    def diagonal(self, curvature: Any) -> Any:
        """Return the Hessian's diagonal as if curvature and columns were independent."""
        return super().diagonal(self.class_weights(curvature).reshape(len(curvature), -1))

    def class_hessians(self, curvature: Any, model: int) -> Any:
        """Return the blocks on the diagonal of `loss_hessian`, one for each class."""
        total = self.targets.total_weight[model * self.n_classes]
        weights = self.class_weights(curvature[None])[0]
        return np.array([self._gram(of_class, total) for of_class in weights])

    def loss_hessian(self, curvature: Any, model: int) -> Any:
        """Return the Hessian of one model's mean loss from its row curvatures.

        A pass for each pair of classes, and (n_parameters, n_parameters) numbers. The rows of
        blocks add up to 0: the diagonal is made of the others, without a difference that cancels.
        """
        total = self.targets.total_weight[model * self.n_classes]
        shares = curvature.reshape(self.n_classes, -1)
        weight = shares.sum(axis=0)
        inverse = np.divide(1.0, weight, out=np.zeros_like(weight), where=weight > 0.0)
        size = self.design.shape[1] + 1
        hessian = np.zeros((self.n_classes, size, self.n_classes, size))
        for row in range(self.n_classes):
            for column in range(row):
                block = self._gram(shares[row] * shares[column] * inverse, total)
                hessian[row, :, column] = hessian[column, :, row] = -block
                hessian[row, :, row] += block
                hessian[column, :, column] += block
        return hessian.reshape(self.n_classes * size, -1)

    def mean_hessian(self, curvature: Any) -> Any:
        """Return the Hessian of the loss of a class, the mean over all outputs: one pass."""
        weights = self.class_weights(curvature).mean(axis=(0, 1))
        return self._gram(weights, self.targets.total_weight.mean())

    def class_weights(self, curvature: Any) -> Any:
        """Return what each row adds to the Hessian of each output: w p (1 - p)."""
        shares = curvature.reshape(len(curvature), self.n_classes, -1)
        weight = shares.sum(axis=1, keepdims=True)
        inverse = np.divide(1.0, weight, out=np.zeros_like(weight), where=weight > 0.0)
        return shares * ((weight - shares) * inverse)

    def settle(self, coef: Any, intercept: Any) -> tuple[Any, Any]:
        """Return the point whose classes sum to zero: the same predictions, at no more cost."""
        groups = coef.reshape(-1, self.n_classes, coef.shape[1])
        level = intercept.reshape(-1, self.n_classes)
        if self.fit_intercept:
            level = level - level.mean(axis=1, keepdims=True)
        centred = groups - groups.mean(axis=1, keepdims=True)
        return centred.reshape(coef.shape), level.reshape(intercept.shape)

    def centred(self, vectors: Any) -> Any:
        """Return parameters of each model less their mean over the classes."""
        classes = vectors.reshape(len(vectors), self.n_classes, -1)
        return (classes - classes.mean(axis=1, keepdims=True)).reshape(vectors.shape)
