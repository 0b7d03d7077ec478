"""The cost that solvers minimise: weighted mean loss over a design, plus L2 penalty."""

from __future__ import annotations

from typing import Any

import numpy as np

from .design.dense import Columns, DenseDesign
from .kernels.descent import DescentState, start_state
from .kernels.passes import BINOMIAL, Targets

__all__ = ["Objective"]

# A column whose standard deviation is below this share of its mean holds rounding errors only.
CONSTANT = 1e-13
# The logistic loss bends at most this much: proba (1 - proba) <= 1/4.
CURVATURE = 0.25
LANCZOS_STEPS = 12


class Objective:
    """Mean binomial loss of one or several models over the same rows, plus L2 penalty.

    Coefficients are `(n_models, n_features)` on the scale of `design.columns`; `to_user` and
    `from_user` translate. The penalty is ``l2_reg / 2`` times the squared coefficients *in the
    units of X*, whatever the standardisation, and leaves the intercept out.

    Parameters
    ----------
    design : DenseDesign
    codes : ndarray of uint8 or int32, shape (n_samples,)
        Class of each row.
    positive : sequence of int
        For each model the class that counts as 1.
    weights : ndarray of float64, shape (n_samples,) or (0,)
        Row weights; empty means 1 each.
    l2_reg : float
    """

    def __init__(
        self, design: DenseDesign, codes: Any, positive: Any, weights: Any, l2_reg: float
    ) -> None:
        self.design = design
        total = float(weights.sum()) if weights.size else float(codes.size)
        models = np.array(positive, dtype=np.int64)
        models.flags.writeable = False
        self.targets = Targets(BINOMIAL, codes, models, weights, total)
        self.l2_reg = l2_reg
        self.n_models = len(positive)

    @property
    def penalty(self) -> Any:
        """L2 strength of each coefficient on the standardised scale."""
        return self.l2_reg * self.design.columns.inverse_scale**2

    def standardize(self) -> None:
        """Centre the columns and scale them so that each bends the cost equally: two passes.

        The scale is sqrt(variance + 4 l2_reg): the bound of each column's curvature, loss and
        penalty together, is then 1/4. Columns that do not vary get inverse scale 0, and those
        whose variance is not finite NaN.
        """
        weights, total = self.targets.weights, self.targets.total_weight
        means = self.column_means()
        ones = np.ones_like(means)
        centred = self.design.standardized(Columns(means, ones))
        with np.errstate(over="ignore", invalid="ignore"):
            variances = centred.column_variances(weights, total)
        varies = np.sqrt(variances) > CONSTANT * np.abs(means)
        scales = np.sqrt(np.where(varies, variances + 4.0 * self.l2_reg, 1.0))
        inverse_scale = np.where(varies, 1.0 / scales, 0.0)
        inverse_scale[~np.isfinite(variances)] = np.nan
        self.design = centred.standardized(Columns(means, inverse_scale))

    def column_means(self) -> Any:
        """Return the weighted mean of each column of X: one pass; not finite where X is not."""
        return self.design.column_means(self.targets.weights, self.targets.total_weight)

    def value_gradient(self, coef: Any, intercept: Any) -> tuple[Any, Any, Any]:
        """Return cost (n_models,), gradient (n_models, n_features) and intercept gradient."""
        state = start_state(coef, intercept)
        self.evaluate(state)
        return state.cost, state.gradient, state.intercept_gradient

    def evaluate(self, state: DescentState) -> None:
        """Put cost and gradient at the state's point into the state: one pass."""
        self.design.evaluate(self.targets, self.penalty, state)

    def curvature_bound(self) -> float:
        """Return a bound on the largest eigenvalue of the Hessian, anywhere.

        Lanczos steps from a seeded start on ``X' W X / 4 + penalty``; the largest Ritz value
        plus the last residual bounds the spectrum (Zhou and Li, 2011, Linear Algebra and its
        Applications 435). One pass each, at most 12. Raises ValueError where it overflows.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            bound = self._lanczos_bound()
        if not np.isfinite(bound):
            raise ValueError(
                "X has values so large that the curvature of the cost overflows; keep "
                "standardize=True, or divide the columns by their largest values first"
            )
        return bound

    def _lanczos_bound(self) -> float:
        size = self.design.shape[1] + 1
        basis = [_unit(np.random.default_rng(0).standard_normal(size))]
        diagonal: list[float] = []
        off_diagonal: list[float] = []
        while True:
            product = self._curvature_product(basis[-1])
            diagonal.append(float(basis[-1] @ product))
            for vector in basis + basis:  # twice: orthogonal to the last digit
                product -= (vector @ product) * vector
            residual = float(np.linalg.norm(product))
            if not np.isfinite(residual):
                return np.inf
            if len(basis) == min(size, LANCZOS_STEPS) or residual <= 1e-12 * abs(diagonal[0]):
                break
            basis.append(product / residual)
            off_diagonal.append(residual)
        ritz = np.diag(diagonal) + np.diag(off_diagonal, 1) + np.diag(off_diagonal, -1)
        bound = float(np.linalg.eigvalsh(ritz)[-1])
        return bound if len(basis) == size else bound + residual

    def _curvature_product(self, vector: Any) -> Any:
        product, last = self.design.gram_product(
            self.targets.weights, self.targets.total_weight, vector[:-1], float(vector[-1])
        )
        return np.append(CURVATURE * product + self.penalty * vector[:-1], CURVATURE * last)

    def to_user(self, coef: Any, intercept: Any) -> tuple[Any, Any]:
        """Return coefficients and intercepts in the units of X."""
        center, inverse_scale = self.design.columns
        user = coef * inverse_scale
        return user, intercept - user @ center

    def from_user(self, coef: Any, intercept: Any) -> tuple[Any, Any]:
        """Return standardised coefficients and intercepts from those in the units of X."""
        center, inverse_scale = self.design.columns
        varies = inverse_scale > 0.0
        with np.errstate(over="ignore", invalid="ignore"):
            standard = np.divide(coef, inverse_scale, out=np.zeros_like(coef), where=varies)
            return standard, intercept + coef @ center

    def user_gradient(self, gradient: Any, intercept_gradient: Any) -> Any:
        """Return the gradient in the units of X, intercept last, from the standardised one."""
        center, inverse_scale = self.design.columns
        varies = inverse_scale > 0.0
        slopes = np.divide(gradient, inverse_scale, out=np.zeros_like(gradient), where=varies)
        slopes += intercept_gradient[:, None] * center
        return np.column_stack([slopes, intercept_gradient])


def _unit(vector: Any) -> Any:
    return vector / np.linalg.norm(vector)
