"""The binomial loss: log(1 + exp(-z)) of a row of the positive class, log(1 + exp(z)) of others."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING

import numpy as np

from ..arrays import Codes, Cube, Indices, Matrix, Vector
from ..kernels.passes import BINOMIAL
from .levels import level_of_share, with_offsets
from .losses import Loss

if TYPE_CHECKING:
    from .labelled_rows import LabelledRows

__all__ = ["Binomial"]


class Binomial(Loss):
    """The logistic loss of one raw prediction."""

    kernel = BINOMIAL
    most_curvature = 0.25
    is_separable = True

    def residual_size(self, cost: float, n_samples: float = 1.0) -> float:
        """Return a bound on the residuals: each is at most 1, and at most its row's loss."""
        return min(1.0, float(np.sqrt(cost)))

    def curvature_size(self, cost: float) -> float:
        """Return a bound on the curvatures: each is at most 1/4, and at most its row's loss."""
        return min(0.5, float(np.sqrt(cost)))

    def majorizing(self, raw: Cube) -> Cube:
        """Return j(z) = tanh(|z| / 2) / (2 |z|), of Jaakkola and Jordan (2000)."""
        size = np.maximum(np.abs(raw), 1e-8)
        return self.n_classes * np.tanh(0.5 * size) / (2.0 * size)

    def share_logits(self, rows: LabelledRows) -> Matrix:
        """Return theta without slopes, that predicts each model's share of positive rows."""
        theta = np.zeros((rows.n_models, rows.design.shape[1] + 1))
        known: dict[Hashable, float] = {}
        for model in range(rows.n_models):
            key = rows.family(model)
            if key not in known:
                count, rest = rows.weights_of_class(model)
                known[key] = np.log(count) - np.log(rest)
            theta[model, -1] = known[key]
        return theta

    def start(self, rows: LabelledRows) -> Matrix:
        """Return theta without slopes that predicts each share, offsets included.

        Each intercept b solves ``sum of weight * (sigmoid(b + offset) - y) = 0``.
        """
        return with_offsets(
            rows,
            self.share_logits(rows),
            lambda levels, offset, weights: level_of_share(float(levels[0]), offset[0], weights[0]),
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
        """Return the mean loss of a model that has an intercept and no slopes."""
        raw = levels[:, None] + offset
        sign = np.where(codes == positive[0], -1.0, 1.0)
        losses = np.logaddexp(0.0, sign * raw[0])
        return float((losses.sum() if weights is None else losses @ weights) / total_weight)
