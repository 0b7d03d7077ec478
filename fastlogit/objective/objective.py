"""The cost that solvers minimise: weighted mean loss over rows, plus a penalty."""

from __future__ import annotations

import copy
from collections.abc import Hashable, Sequence
from typing import NamedTuple, Self

import numpy as np

from ..arrays import Floats, Indices, Mask, Matrix, Vector
from ..design.base import Columns, Design, step_by_step
from ..design.narrow import NarrowEquation
from ..kernels.descent import DescentState, state_at
from ..linalg.lanczos import largest_eigenvalue
from . import units
from .class_levels import least_shifts
from .group_penalty import GroupL1
from .labelled_rows import LabelledRows
from .losses import Loss, RowLoss
from .parameter_penalty import ParameterPenalty
from .penalties import L1, L2, CompiledL2, ElasticNet, Penalty, Quadratic
from .row_state import RowCurvature
from .standardization import standardize

__all__ = ["Evaluation", "Objective"]


class Evaluation(NamedTuple):
    """Cost (n_models,) and gradient (n_models, n_parameters) at a point."""

    cost: Vector
    gradient: Matrix


class Objective:
    """Mean loss of one or several models over the same rows, plus a penalty.

    To solvers a point is *theta*, `(n_models, n_parameters)`: for each model the coefficients of an
    output and its intercept, one output after the other. Coefficients are (n_outputs, n_features),
    over all models, on the scale of `design.columns`; `to_user` and `from_user` translate. The
    penalty is a function of the coefficients *in the units of X*, whatever the standardisation, and
    leaves the intercepts out.

    Parameters
    ----------
    rows : LabelledRows
        With their loss. An intercept that these do not have stays where it starts, and X without
        centring.
    penalty : Quadratic, ElasticNet, float or ndarray, (n_features,) or (n_outputs, n_features)
        In the units of X; numbers are strengths of `L2`.

    Attributes
    ----------
    user_penalty, penalty : Quadratic
        The penalty in the units of X, and on the standardised scale: of an elastic net its L2.
    user_l1, l1 : L1 or None
        The L1 of an elastic net, likewise: a part of the cost, but not of gradients and Hessians.
    parameter_penalty : ParameterPenalty
        That in the parameters of theta.
    """

    penalty: Quadratic
    user_penalty: Quadratic
    parameter_penalty: ParameterPenalty
    l1: L1 | None = None

    def __init__(self, rows: LabelledRows, penalty: Penalty | float | Floats) -> None:
        self.rows = rows
        self.user_l1: L1 | None = None
        if isinstance(penalty, ElasticNet):
            self.user_l1, penalty = penalty.l1, penalty.l2
        if not isinstance(penalty, Quadratic):
            assert not isinstance(penalty, Penalty)  # one that no solver takes was refused before
            penalty = L2(penalty, rows.design.shape[1])
        self._take(penalty)

    def _take(self, user_penalty: Quadratic) -> None:
        """Take a penalty in the units of X."""
        self.user_penalty = user_penalty
        if self.user_l1 is not None:
            self.l1 = self.user_l1.scaled(self.design.columns.inverse_scale)
        self._take_scaled(user_penalty.scaled(self.design.columns.inverse_scale))

    def _take_scaled(self, penalty: Quadratic) -> None:
        """Take a penalty on the standardised scale, and what of it passes can add themselves."""
        self.penalty = penalty
        self._in_pass = (
            penalty.compiled(self.fit_intercept)
            if isinstance(penalty, L2)
            else CompiledL2(np.zeros((1, self.design.shape[1])), self.fit_intercept)
        )
        self.parameter_penalty = ParameterPenalty(
            penalty, self.n_models, self.n_classes, self.design.shape[1]
        )
        self._most_curvature: float | None = None

    # ---- what it is made of

    @property
    def design(self) -> Design:
        """The rows of X, and their standardisation."""
        return self.rows.design

    @property
    def loss(self) -> Loss:
        """What a row costs."""
        return self.rows.loss

    @property
    def fit_intercept(self) -> bool:
        """Whether intercepts are fitted."""
        return self.rows.fit_intercept

    @property
    def n_classes(self) -> int:
        """Outputs of a model: 1, or the classes that compete."""
        return self.rows.loss.n_classes

    @property
    def n_models(self) -> int:
        """Models over the same rows."""
        return self.rows.n_models

    @property
    def n_outputs(self) -> int:
        """Raw predictions for a row: the classes of all models."""
        return self.rows.n_outputs

    def split(self, theta: Vector | Matrix) -> tuple[Matrix, Vector]:
        """Return coefficients and intercepts of all outputs as views of theta."""
        return self.rows.split(theta)

    def join(self, coef: Matrix, intercept: Vector) -> Matrix:
        """Return theta from coefficients and intercepts of all outputs."""
        return np.column_stack([coef, intercept]).reshape(len(coef) // self.n_classes, -1)

    def settled(self, theta: Matrix) -> tuple[Matrix, Vector]:
        """Return coefficients and intercepts of outputs that stand for all that predict so."""
        coef, intercept = self.split(theta)
        settled, levels = self.loss.settle(coef, intercept, self.fit_intercept)
        if self.l1 is None or not self.loss.is_coupled or isinstance(self.l1, GroupL1):
            return settled, levels
        # What all classes share is where the penalty is least, and L1 has its zeros there.
        each = coef.reshape(-1, self.n_classes, coef.shape[1])
        l1, l2 = self.l1.strengths[0], self.penalty.diagonal()[0]
        shifts = np.array([least_shifts(own, l1, l2, self.l1.bounds) for own in each])
        return self.l1.inside((each - shifts[:, None]).reshape(coef.shape)), levels

    # ---- the same of other rows, models, scales

    def subsample(self, stride: int) -> Objective:
        """Return the same cost over every `stride`-th row: the same penalty, a mean of fewer."""
        return Objective(self.rows.subsample(stride), self._whole_penalty)

    @property
    def _whole_penalty(self) -> Penalty:
        """The penalty in the units of X, L1 included."""
        if self.user_l1 is None:
            return self.user_penalty
        assert isinstance(self.user_penalty, L2)
        return ElasticNet(self.user_l1, self.user_penalty)

    def of_columns(self, columns: Indices, known: Objective | None = None) -> Objective:
        """Return the cost of some columns alone (an index array), all others held at 0.

        Of an elastic net; the columns are copied, unless they are `known` from another penalty.
        """
        penalty = self._whole_penalty
        assert isinstance(penalty, ElasticNet)
        rows = self.rows.over(self.design.columns_of(columns)) if known is None else known.rows
        return Objective(rows, penalty.of_columns(columns))

    def only(self, models: Indices | Sequence[int]) -> Self:
        """Return the cost of some of the models alone (an index array)."""
        part, outputs = copy.copy(self), self.rows.outputs_of(models)
        part.rows = self.rows.only(models)
        part.user_penalty = self.user_penalty.of_outputs(outputs)
        if self.l1 is not None and self.user_l1 is not None:
            part.l1, part.user_l1 = self.l1.of_outputs(outputs), self.user_l1.of_outputs(outputs)
        part._take_scaled(self.penalty.of_outputs(outputs))
        return part

    def counted(self, most_numbers: int) -> Objective:
        """Return the cost of one model over a copy of the rows that count, where that is small."""
        rows = self.rows.counted(most_numbers)
        return self if rows is self.rows else Objective(rows, self._whole_penalty)

    def cooled(self, scale: float) -> Objective:
        """Return the cost of theta / scale with every raw prediction over `scale`, over `scale`."""
        with np.errstate(over="ignore"):
            return Objective(self.rows.cooled(scale), self._whole_penalty.times(scale))

    def take_columns(self, columns: Columns) -> None:
        """Take another standardisation of the columns, in place."""
        self.rows = self.rows.standardized(columns)
        self._take(self.user_penalty)

    def standardize(self, stride: int = 1) -> bool:
        """Centre and scale the columns: see `standardization.standardize`."""
        return standardize(self, stride)

    # ---- cost and gradient

    def evaluate(self, state: DescentState, curvature_out: RowCurvature | None = None) -> None:
        """Put cost and gradient at the state's point into the state: one pass."""
        self.rows.evaluate(state, self._in_pass, curvature_out)
        if isinstance(self.loss, RowLoss) or not isinstance(self.penalty, L2):
            state.gradient[...] += self.penalty.gradient(state.point)
            state.cost[...] += self.penalty.value(state.point)

    def descend(
        self,
        state: DescentState,
        step_size: float,
        accelerate: bool,
        tol: float,
        history_out: Matrix,
    ) -> tuple[int, int]:
        """Take up to ``len(history_out)`` gradient steps from an evaluated state, one pass each.

        Returns how many were taken and a status of `kernels.descent`.
        """
        plain = not isinstance(self.loss, RowLoss) and self.rows.shares is None
        if isinstance(self.penalty, L2) and plain:
            return self.rows.descend(state, self._in_pass, step_size, accelerate, tol, history_out)
        return step_by_step(
            self.evaluate, self.n_classes, step_size, accelerate, tol, state, history_out
        )

    def value_gradient(self, coef: Matrix, intercept: Vector) -> tuple[Vector, Matrix, Vector]:
        """Return cost (n_models,), gradient (n_models, n_features) and intercept gradient."""
        state = state_at(coef, intercept)
        self.evaluate(state)
        return state.cost, state.gradient, state.intercept_gradient

    def at(self, theta: Matrix, curvature_out: RowCurvature | None = None) -> Evaluation:
        """Return cost (n_models,) and gradient (n_models, n_parameters) at theta: one pass.

        The gradient is that of what is smooth: the cost without L1, see `least_slopes`.
        `curvature_out`, as `rows.empty_curvature` makes it, gets the row curvatures.
        """
        coef, intercept = self.split(theta)
        state = state_at(coef, intercept)
        self.evaluate(state, curvature_out)
        gradient = self.join(state.gradient, state.intercept_gradient)
        cost = state.cost if self.l1 is None else state.cost + self.l1.value(coef)
        return Evaluation(self.cost_of_models(cost), gradient)

    def least_slopes(self, theta: Matrix, gradient: Matrix) -> Matrix:
        """Return the subgradients of least norm from the gradients of `at`; these without L1."""
        if self.l1 is None:
            return gradient
        (coef, _), (slopes, last) = self.split(theta), self.split(gradient)
        return self.join(self.l1.least_slopes(coef, slopes), last)

    def penalized(self) -> Mask:
        """Return which coefficients have a penalty, (n_sets, n_features)."""
        found = self.user_penalty.diagonal() != 0.0
        return found if self.user_l1 is None else found | (self.user_l1.strengths > 0.0)

    def reach(self) -> tuple[Vector, Vector]:
        """Return how far down and up coefficients may go from 0: -1 or 0, and 0 or 1, of a box.

        0 where a bound ends the way to infinity.
        """
        bounds = None if self.user_l1 is None else self.user_l1.bounds
        if bounds is None:
            ones = np.ones(self.design.shape[1])
            return -ones, ones
        down, up = np.isinf(bounds.lower), np.isinf(bounds.upper)
        return -down.astype(np.float64), up.astype(np.float64)

    def at_start(self, theta: Matrix, curvature_out: RowCurvature | None = None) -> Evaluation:
        """Return what `at` does, computing once what differs in the penalty alone.

        As at the start of a path, where the models of all strengths are at the same point.
        """
        leading, place = self._alike(theta)
        if len(leading) == self.n_models or self.l1 is not None:
            return self.at(theta, curvature_out)
        part = self.only(leading)
        if curvature_out is None:
            found = part.at(theta[leading])
        else:
            of_part = part.rows.empty_curvature()
            found = part.at(theta[leading], of_part)
            curvature_out[...] = of_part[place]
        slopes = np.empty_like(theta)
        for model in range(self.n_models):
            leader = int(leading[place[model]])
            coef, intercept = self.split(theta[model])
            more = self.penalty.gradient_change(
                coef, self.rows.outputs_of([model]), self.rows.outputs_of([leader])
            )
            slopes[model] = self.join(more, 0.0 * intercept)[0]
        cost = found.cost[place] + 0.5 * np.einsum("ij,ij->i", slopes, theta)
        return Evaluation(cost, found.gradient[place] + slopes)

    def _alike(self, theta: Matrix) -> tuple[Indices, Indices]:
        """Return models that differ in more than their penalty, and the place there of each."""
        known: dict[tuple[Hashable, bytes], tuple[int, int]] = {}
        place = np.empty(self.n_models, dtype=np.int64)
        for model in range(self.n_models):
            key = self.rows.family(model), theta[model].tobytes()
            place[model] = known.setdefault(key, (len(known), model))[0]
        return np.array([model for _, model in known.values()]), place

    def cost_of_models(self, cost: Floats) -> Floats:
        """Return the cost of each model from those of the outputs, along the last axis."""
        if self.n_classes == 1:
            return cost.copy()
        n_models = cost.shape[-1] // self.n_classes  # said, for there may be no rows
        return cost.reshape(*cost.shape[:-1], n_models, self.n_classes).sum(axis=-1)

    # ---- second derivatives

    def curvature(self, theta: Matrix) -> RowCurvature:
        """Return the curvature of the weighted loss at each row: one pass.

        For the binomial loss it is the second derivative.
        """
        out = self.rows.empty_curvature(len(theta))
        self.at(theta, out)
        return out

    def fitted(self) -> Mask:
        """Return which parameters of a model are fitted: columns that vary, intercepts if so."""
        varies = np.append(self.design.columns.inverse_scale > 0.0, self.fit_intercept)
        return np.tile(varies, self.n_classes)

    def hessian_product(self, curvature: RowCurvature, vectors: Matrix) -> Matrix:
        """Return the Hessians times vectors, one for each model: one pass."""
        coef, intercept = self.split(vectors)
        slopes, last = self.rows.product(curvature, coef, intercept)
        slopes += self.penalty.product(coef)
        return self.join(slopes, last)

    @property
    def solves_narrow(self) -> bool:
        """Whether Newton's equation is best solved in float32, and can be: `narrow_equation`."""
        if self.l1 is not None or not isinstance(self.penalty, L2) or self.penalty.n_sets > 1:
            return False
        is_one = self.n_models == 1 or not self.loss.is_coupled
        return is_one and self.design.solves_narrow(self.n_outputs)

    def narrow_equation(self, curvature: RowCurvature, gradient: Matrix) -> NarrowEquation:
        """Return Newton's equation of all models in float32, preconditioned by `diagonal`."""
        return self.rows.narrow_equation(curvature, self.penalty.diagonal()[0], gradient)

    def loss_product(self, curvature: RowCurvature, vectors: Matrix) -> Matrix:
        """Return the Hessians of the mean losses times vectors, one for each model: one pass."""
        return self.join(*self.rows.product(curvature, *self.split(vectors)))

    def diagonal(self, curvature: RowCurvature) -> Matrix:
        """Return the Hessian's diagonal as if curvature and columns were independent."""
        mean_curvature = self.rows.mean_curvatures(curvature)
        l2 = self.penalty.diagonal()
        # Columns were scaled to variance + 4 l2 = 1.
        slopes = np.maximum(mean_curvature * (1.0 - 4.0 * np.minimum(l2, 0.25)) + l2, 1e-300)
        return self.join(
            np.broadcast_to(slopes, (self.n_outputs, l2.shape[1])),
            np.maximum(mean_curvature[:, 0], 1e-300),
        )

    def curvature_bound(self) -> float:
        """Return a bound on the largest eigenvalue of the Hessian of any model, anywhere.

        That of ``most_curvature * X' W X + penalty``, by at most 12 passes. Raises ValueError where
        it overflows.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            bound = largest_eigenvalue(self._curvature_product, self.design.shape[1] + 1)
        if not np.isfinite(bound):
            raise ValueError(
                "X has values so large that the curvature of the cost overflows; keep "
                "standardize=True, or divide the columns by their largest values first"
            )
        return bound

    @property
    def most_curvature(self) -> float:
        """A bound on the sum of the Hessian's eigenvalues of the loss, and its penalty's largest.

        Of standardised columns; for nothing but the judgement of directions.
        """
        if self._most_curvature is None:
            loss = self.loss.most_curvature * (self.design.shape[1] + 1)
            self._most_curvature = loss + float(self.penalty.ceiling().max(initial=0.0))
        return self._most_curvature

    def _curvature_product(self, vector: Vector) -> Vector:
        """Return the bound of every model's Hessian times a vector."""
        coef, intercept = vector[None, :-1].copy(), vector[-1:]
        product, last = self.rows.weight_product(coef, intercept)
        most = self.loss.most_curvature
        slopes = most * product[0] + self.penalty.above_all().product(coef)[0]
        return np.append(slopes, most * last[0])

    # ---- in the units of X

    def to_user(self, coef: Matrix, intercept: Vector) -> tuple[Matrix, Vector]:
        """Return coefficients and intercepts in the units of X, at a bound where they are there."""
        user, level = units.to_user(self.design.columns, coef, intercept)
        if self.l1 is not None and self.loss.is_coupled and self.fit_intercept:
            # Coefficients of classes that do not add up to 0 shift the intercepts with the centre.
            level = self.loss.settle(user, level, True)[1]
        if self.l1 is None or self.user_l1 is None or self.l1.bounds is None:
            return user, level
        assert self.user_l1.bounds is not None
        for scaled, end in zip(self.l1.bounds, self.user_l1.bounds, strict=True):
            user = np.where(coef == scaled, end, user)
        return self.user_l1.inside(user), level

    def lost_in_units(self, theta: Matrix) -> Vector:
        """Return how far raw predictions err by rounding in the units of X, (n_models,)."""
        lost = units.lost_in_units(self.design.columns, *self.split(theta))
        if self.l1 is not None and self.l1.bounds is not None:
            lost *= 4.0  # a bound is rounded on its way to standardised columns and back
        return lost.reshape(len(theta), -1).max(axis=1)

    def from_user(self, coef: Matrix, intercept: Vector) -> tuple[Matrix, Vector]:
        """Return standardised coefficients and intercepts from those in the units of X."""
        return units.from_user(self.design.columns, coef, intercept)

    def within_bounds(self, theta: Matrix) -> Matrix:
        """Return the nearest point whose coefficients are within their bounds."""
        if self.l1 is None or self.l1.bounds is None:
            return theta
        coef, intercept = self.split(theta)
        return self.join(self.l1.inside(coef), intercept)

    def user_gradient(self, gradient: Matrix, intercept_gradient: Vector) -> Matrix:
        """Return the gradient in the units of X, intercept last, from the standardised one."""
        return units.gradient_to_user(self.design.columns, gradient, intercept_gradient)
