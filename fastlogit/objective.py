"""The cost that solvers minimise: weighted mean loss over a design, plus L2 penalty."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .design.dense import Columns, DenseDesign, readonly
from .kernels.descent import DescentState, Penalty, start_state
from .kernels.passes import BINOMIAL, Targets

__all__ = ["Evaluation", "Objective"]

# A column whose standard deviation is below this share of its mean holds rounding errors only.
CONSTANT = 1e-13
# The logistic loss bends at most this much: proba (1 - proba) <= 1/4.
CURVATURE = 0.25
LANCZOS_STEPS = 12


class Evaluation(NamedTuple):
    """Cost (n_models,) and gradient (n_models, n_features + 1), intercept last, at a point."""

    cost: Any
    gradient: Any


class Objective:
    """Mean binomial loss of one or several models over the same rows, plus L2 penalty.

    Coefficients are `(n_models, n_features)` on the scale of `design.columns`; `to_user` and
    `from_user` translate. The penalty is half the squared coefficients *in the units of X*, times
    `l2_reg`, whatever the standardisation, and leaves the intercept out.

    Parameters
    ----------
    design : DenseDesign
    codes : ndarray of uint8 or int32, shape (n_samples,) or (n_models, n_samples)
        Class of each row, for all models or for each.
    positive : sequence of int
        For each model the class that counts as 1.
    weights : ndarray of float64, shape (n_samples,), (n_models, n_samples) or (0,)
        Row weights; empty means 1 each.
    l2_reg : float or ndarray of shape (n_features,) or (n_models, n_features)
    offset : ndarray of float64, shape (n_samples,) or (0,)
        Fixed part of the raw predictions.
    fit_intercept : bool
        False leaves the intercepts where they start, and X without centring.

    Attributes
    ----------
    penalty : Penalty
        L2 strengths on the standardised scale, (1 or n_models, n_features).
    """

    penalty: Penalty

    def __init__(
        self,
        design: DenseDesign,
        codes: Any,
        positive: Any,
        weights: Any,
        l2_reg: Any,
        offset: Any = None,
        fit_intercept: bool = True,
    ) -> None:
        self.n_models = len(positive)
        n_samples, n_features = design.shape
        sets = weights.reshape(-1 if weights.size else 0, n_samples)
        totals = sets.sum(axis=1) if sets.size else np.array([float(n_samples)])
        self.targets = Targets(
            BINOMIAL,
            readonly(codes.reshape(-1, n_samples)),
            readonly(np.array(positive, dtype=np.int64)),
            readonly(sets),
            np.broadcast_to(totals, self.n_models).copy(),
            readonly(np.empty(0) if offset is None else offset),
        )
        l2_reg = np.asarray(l2_reg, dtype=np.float64)
        strengths = (
            l2_reg.reshape(-1, n_features) if l2_reg.ndim else np.full((1, n_features), l2_reg)
        )
        self.l2_reg = np.array(strengths)
        self.fit_intercept = fit_intercept
        self.design = design
        self._state: DescentState | None = None

    @property
    def design(self) -> DenseDesign:
        """The rows, and their standardisation."""
        return self._design

    @design.setter
    def design(self, design: DenseDesign) -> None:
        self._design = design
        self.penalty = Penalty(self.l2_reg * design.columns.inverse_scale**2, self.fit_intercept)

    def subsample(self, stride: int) -> Objective:
        """Return the same cost over every `stride`-th row: the same penalty, a mean of fewer."""
        targets = self.targets
        return Objective(
            self.design.subsample(stride),
            np.ascontiguousarray(targets.codes[:, ::stride]),
            targets.positive,
            np.ascontiguousarray(targets.weights[:, ::stride]),
            self.l2_reg,
            np.ascontiguousarray(targets.offset[::stride]),
            self.fit_intercept,
        )

    def standardize(self, stride: int = 1) -> bool:
        """Centre the columns and scale them so that each bends the cost equally: two passes.

        The scale is sqrt(variance + 4 l2_reg): the bound of each column's curvature, loss and
        penalty together, is then 1/4. Columns that do not vary get inverse scale 0, and those
        whose variance is not finite NaN. Where the intercept is not fitted the centre is 0, since
        a shift of the columns would be one of the intercept.

        With a `stride` the rows looked at are every `stride`-th; nothing is done, and False
        returned, where a column does not vary among them.
        """
        design = self.design.subsample(stride) if stride > 1 else self.design
        weights = self.targets.weights[:1, ::stride].ravel()
        total = float(weights.sum()) if weights.size else float(design.shape[0])
        means = design.column_means(weights, total)
        center = means if self.fit_intercept else np.zeros_like(means)
        ones = np.ones_like(means)
        with np.errstate(over="ignore", invalid="ignore"):
            centred = design.standardized(Columns(center, ones))
            variances = centred.column_variances(weights, total)
            varies = np.sqrt(variances) > CONSTANT * np.abs(center)
        if stride > 1 and not varies.all():
            return False
        with np.errstate(over="ignore", invalid="ignore"):
            scales = np.sqrt(np.where(varies, variances + 4.0 * self.l2_reg.min(axis=0), 1.0))
            inverse_scale = np.where(varies, 1.0 / scales, 0.0)
        inverse_scale[~np.isfinite(variances)] = np.nan
        self.design = self.design.standardized(Columns(center, inverse_scale))
        return True

    def column_means(self) -> Any:
        """Return the weighted mean of each column of X: one pass; not finite where X is not."""
        weights = self.targets.weights[:1].ravel()
        return self.design.column_means(weights, float(self.targets.total_weight[0]))

    def share_logits(self) -> Any:
        """Return log(p / (1 - p)) for the weighted share p of each model's positive rows."""
        targets = self.targets
        logits = np.empty(self.n_models)
        for model in range(self.n_models):
            codes = targets.codes[min(model, len(targets.codes) - 1)] == targets.positive[model]
            if len(targets.weights):
                weights = targets.weights[min(model, len(targets.weights) - 1)]
                share = float(weights[codes].sum()) / targets.total_weight[model]
            else:
                share = np.count_nonzero(codes) / targets.total_weight[model]
            logits[model] = np.log(share) - np.log1p(-share)
        return logits

    def evaluate(self, state: DescentState, curvature_out: Any = None) -> None:
        """Put cost and gradient at the state's point into the state: one pass."""
        if curvature_out is None:
            self.design.evaluate(self.targets, self.penalty, state)
        else:
            self.design.evaluate(self.targets, self.penalty, state, curvature_out)

    def value_gradient(self, coef: Any, intercept: Any) -> tuple[Any, Any, Any]:
        """Return cost (n_models,), gradient (n_models, n_features) and intercept gradient."""
        state = start_state(coef, intercept)
        self.evaluate(state)
        return state.cost, state.gradient, state.intercept_gradient

    def at(self, theta: Any, curvature_out: Any = None) -> Evaluation:
        """Return cost and gradient at `theta` (n_models, n_features + 1), intercept last."""
        if self._state is None or self._state.cost.size != len(theta):
            self._state = start_state(theta[:, :-1], theta[:, -1])
        state = self._state
        state.point[...] = theta[:, :-1]
        state.point_intercept[...] = theta[:, -1]
        self.evaluate(state, curvature_out)
        gradient = np.empty_like(theta)
        gradient[:, :-1] = state.gradient
        gradient[:, -1] = state.intercept_gradient
        return Evaluation(state.cost.copy(), gradient)

    def only(self, models: Any) -> Objective:
        """Return the cost of some of the models alone (an index array)."""
        targets = self.targets
        part = Objective.__new__(Objective)
        part.__dict__.update(self.__dict__)
        part.n_models, part._state = len(models), None
        part.l2_reg = self.l2_reg if len(self.l2_reg) == 1 else self.l2_reg[models]
        part.design = self.design
        part.targets = targets._replace(
            codes=targets.codes if len(targets.codes) == 1 else _rows_of(targets.codes, models),
            positive=readonly(targets.positive[models]),
            weights=targets.weights
            if len(targets.weights) < 2
            else _rows_of(targets.weights, models),
            total_weight=targets.total_weight[models],
        )
        return part

    def curvature(self, theta: Any) -> Any:
        """Return the weighted second derivative of the loss, (n_models, n_samples): one pass."""
        out = np.empty((len(theta), self.design.shape[0]))
        self.at(theta, out)
        return out

    def loss_hessian(self, curvature: Any, model: int) -> Any:
        """Return the Hessian of one model's mean loss from its row curvatures: one pass."""
        hessian = self.design.gram(curvature) / self.targets.total_weight[model]
        if not self.fit_intercept:
            hessian[-1], hessian[:, -1] = 0.0, 0.0
        return hessian

    def penalty_diagonal(self, model: int) -> Any:
        """Return the penalty's Hessian, a diagonal of length n_features + 1."""
        l2 = self.penalty.l2
        diagonal = np.zeros(l2.shape[1] + 1)
        diagonal[:-1] = l2[min(model, len(l2) - 1)]
        return diagonal

    def hessian_product(self, curvature: Any, vectors: Any) -> Any:
        """Return the Hessians times vectors (n_models, n_features + 1): one pass."""
        product, last = self.design.hessian_product(
            curvature, self.targets.total_weight, np.ascontiguousarray(vectors[:, :-1]),
            np.ascontiguousarray(vectors[:, -1]) * self.fit_intercept,
        )  # fmt: skip
        product += self.penalty.l2 * vectors[:, :-1]
        return np.column_stack([product, last * self.fit_intercept])

    def curvature_bound(self) -> float:
        """Return a bound on the largest eigenvalue of the Hessian of any model, anywhere.

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
        """Return the bound of every model's Hessian times a vector."""
        sets = self.targets.weights
        weights = sets if len(sets) < 2 else sets.max(axis=0)[None, :]
        product, last = self.design.hessian_product(
            weights, self.targets.total_weight.min(keepdims=True), vector[None, :-1].copy(),
            vector[-1:] * self.fit_intercept,
        )  # fmt: skip
        slopes = CURVATURE * product[0] + self.penalty.l2.max(axis=0) * vector[:-1]
        return np.append(slopes, CURVATURE * last[0] * self.fit_intercept)

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


def _rows_of(array: Any, rows: Any) -> Any:
    return readonly(np.ascontiguousarray(array[rows]))
