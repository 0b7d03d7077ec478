"""The cost that solvers minimise: weighted mean loss over a design, plus a penalty."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..design.base import Design, plain_targets, readonly, step_by_step
from ..kernels.descent import DescentState, start_state
from ..kernels.passes import SQUARED, Targets
from ..linalg.lanczos import largest_eigenvalue
from . import units
from .losses import Loss, RowLoss
from .penalties import L2, CompiledL2, Quadratic
from .row_state import RowCurvature, RowPredictions
from .standardization import common_weights, standardize

__all__ = ["Evaluation", "Objective"]


class Evaluation(NamedTuple):
    """Cost (n_models,) and gradient (n_models, n_parameters) at a point."""

    cost: Any
    gradient: Any


class Objective:
    """Mean loss of one or several models over the same rows, plus a penalty.

    To solvers a point is *theta*, `(n_models, n_parameters)`: for each model the coefficients of an
    output and its intercept, one output after the other. Coefficients are (n_outputs, n_features),
    over all models, on the scale of `design.columns`; `to_user` and `from_user` translate. The
    penalty is a function of the coefficients *in the units of X*, whatever the standardisation, and
    leaves the intercepts out.

    Parameters
    ----------
    design : Design
    loss : Loss
        `Binomial`, of one output a model, or another.
    codes : ndarray of uint8 or int32, shape (n_samples,) or (n_models, n_samples)
        Class of each row, for all models or for each.
    positive : sequence of int
        For each output the class that counts as 1.
    weights : ndarray of float64, shape (n_samples,), (n_sets, n_samples) or (0,)
        Row weights; empty means 1 each.
    penalty : Quadratic, float or ndarray of shape (n_features,) or (n_outputs, n_features)
        In the units of X; numbers are strengths of `L2`.
    offset : ndarray of float64, shape (n_samples,), (n_sets, n_samples) or (0,)
        Fixed part of the raw predictions: one for all outputs, or for each class in turn.
    fit_intercept : bool
        False leaves the intercepts where they start, and X without centring.
    weight_set : sequence of int, optional
        The set of weights that each output takes; by default its own, or the only one.

    Attributes
    ----------
    user_penalty, penalty : Quadratic
        The penalty in the units of X, and on the standardised scale.
    """

    penalty: Quadratic
    user_penalty: Quadratic

    def __init__(
        self,
        design: Design,
        loss: Loss,
        codes: Any,
        positive: Any,
        weights: Any,
        penalty: Any,
        offset: Any = None,
        fit_intercept: bool = True,
        weight_set: Any = None,
    ) -> None:
        n_outputs, n_classes = len(positive), loss.n_classes
        self.loss, self.n_models = loss, n_outputs // n_classes
        n_samples, n_features = design.shape
        sets = weights.reshape(-1 if weights.size else 0, n_samples)
        if weight_set is None:
            weight_set = np.arange(n_outputs) if len(sets) > 1 else np.zeros(n_outputs)
        weight_set = np.array(weight_set, dtype=np.int64)
        self.targets = Targets(
            -1 if loss.kernel is None else loss.kernel,
            n_classes,
            readonly(codes.reshape(-1, n_samples)),
            readonly(np.array(positive, dtype=np.int64)),
            readonly(sets),
            readonly(weight_set),
            sets.sum(axis=1)[weight_set] if sets.size else np.full(n_outputs, float(n_samples)),
            readonly(_sets_of(offset, n_samples)),
        )
        self.user_penalty = penalty if isinstance(penalty, Quadratic) else L2(penalty, n_features)
        self.fit_intercept = fit_intercept
        self.design = design
        self._state: DescentState | None = None

    @property
    def design(self) -> Design:
        """The rows, and their standardisation."""
        return self._design

    @design.setter
    def design(self, design: Design) -> None:
        self._design = design
        self._take_penalty(self.user_penalty.scaled(design.columns.inverse_scale))

    def _take_penalty(self, penalty: Quadratic) -> None:
        """Take a penalty on the standardised scale, and what of it passes can add themselves."""
        self.penalty = penalty
        self._in_pass = (
            penalty.compiled(self.fit_intercept)
            if isinstance(penalty, L2)
            else CompiledL2(np.zeros((1, self.design.shape[1])), self.fit_intercept)
        )

    @property
    def n_classes(self) -> int:
        """Outputs of a model: 1, or the classes that compete."""
        return self.loss.n_classes

    @property
    def n_outputs(self) -> int:
        """Raw predictions for a row: the classes of all models."""
        return self.n_models * self.n_classes

    def split(self, theta: Any) -> tuple[Any, Any]:
        """Return coefficients and intercepts of all outputs as views of theta."""
        outputs = theta.reshape(-1, self.design.shape[1] + 1)
        return outputs[:, :-1], outputs[:, -1]

    def join(self, coef: Any, intercept: Any) -> Any:
        """Return theta from coefficients and intercepts of all outputs."""
        return np.column_stack([coef, intercept]).reshape(len(coef) // self.n_classes, -1)

    def subsample(self, stride: int) -> Objective:
        """Return the same cost over every `stride`-th row: the same penalty, a mean of fewer."""
        targets = self.targets
        return Objective(
            self.design.subsample(stride),
            self.loss,
            np.ascontiguousarray(targets.codes[:, ::stride]),
            targets.positive,
            np.ascontiguousarray(targets.weights[:, ::stride]),
            self.user_penalty,
            np.ascontiguousarray(targets.offset[:, ::stride]),
            self.fit_intercept,
            targets.weight_set,
        )

    def standardize(self, stride: int = 1) -> bool:
        """Centre and scale the columns: see `standardization.standardize`."""
        return standardize(self, stride)

    def column_means(self) -> Any:
        """Return the weighted mean of each column of X: one pass; not finite where X is not."""
        weights = common_weights(self)
        total = float(weights.sum()) if weights.size else float(self.design.shape[0])
        return self.design.column_means(weights, total)

    def weights_of(self, output: int) -> Any:
        """Return the row weights of an output; None where all are 1."""
        targets = self.targets
        return targets.weights[targets.weight_set[output]] if len(targets.weights) else None

    def evaluate(self, state: DescentState, curvature_out: Any = None) -> None:
        """Put cost and gradient at the state's point into the state: one pass."""
        if isinstance(self.loss, RowLoss):
            self.loss.evaluate(self, state, curvature_out)
        elif curvature_out is None:
            self.design.evaluate(self.targets, self._in_pass, state)
        else:
            self.design.evaluate(self.targets, self._in_pass, state, curvature_out)
        if isinstance(self.loss, RowLoss) or not isinstance(self.penalty, L2):
            state.gradient[...] += self.penalty.gradient(state.point)
            state.cost[...] += self.penalty.value(state.point)

    def descend(
        self, state: DescentState, step_size: float, accelerate: bool, tol: float, history_out: Any
    ) -> tuple[int, int]:
        """Take up to ``len(history_out)`` gradient steps from an evaluated state, one pass each.

        Returns how many were taken and a status of `kernels.descent`.
        """
        if isinstance(self.penalty, L2) and not isinstance(self.loss, RowLoss):
            return self.design.descend(
                self.targets, self._in_pass, step_size, accelerate, tol, state, history_out
            )
        return step_by_step(
            self.evaluate, self.n_classes, step_size, accelerate, tol, state, history_out
        )

    def value_gradient(self, coef: Any, intercept: Any) -> tuple[Any, Any, Any]:
        """Return cost (n_models,), gradient (n_models, n_features) and intercept gradient."""
        state = start_state(coef, intercept)
        self.evaluate(state)
        return state.cost, state.gradient, state.intercept_gradient

    def at(self, theta: Any, curvature_out: RowCurvature | None = None) -> Evaluation:
        """Return cost (n_models,) and gradient (n_models, n_parameters) at theta: one pass.

        `curvature_out`, as `empty_curvature` makes it, gets the row curvatures.
        """
        coef, intercept = self.split(theta)
        if self._state is None or self._state.cost.size != len(coef):
            self._state = start_state(coef, intercept)
        state = self._state
        state.point[...], state.point_intercept[...] = coef, intercept
        outputs = None
        if curvature_out is not None:
            outputs = curvature_out.values.reshape(len(coef), self.design.shape[0])
        self.evaluate(state, outputs)
        gradient = self.join(state.gradient, state.intercept_gradient)
        return Evaluation(self.cost_of_models(state.cost), gradient)

    def at_start(self, theta: Any, curvature_out: RowCurvature | None = None) -> Evaluation:
        """Return what `at` does, computing once what differs in the penalty alone.

        As at the start of a path, where the models of all strengths are at the same point.
        """
        leading, place = self._alike(theta)
        if len(leading) == self.n_models:
            return self.at(theta, curvature_out)
        part = self.only(leading)
        if curvature_out is None:
            found = part.at(theta[leading])
        else:
            of_part = part.empty_curvature()
            found = part.at(theta[leading], of_part)
            curvature_out[...] = of_part[place]
        slopes = np.empty_like(theta)
        for model in range(self.n_models):
            leader = int(leading[place[model]])
            coef, intercept = self.split(theta[model])
            more = self.penalty.gradient_change(
                coef, self.outputs_of([model]), self.outputs_of([leader])
            )
            slopes[model] = self.join(more, 0.0 * intercept)[0]
        cost = found.cost[place] + 0.5 * np.einsum("ij,ij->i", slopes, theta)
        return Evaluation(cost, found.gradient[place] + slopes)

    def _alike(self, theta: Any) -> tuple[Any, Any]:
        """Return models that differ in more than their penalty, and the place there of each."""
        targets = self.targets
        known: dict[Any, tuple[int, int]] = {}
        place = np.empty(self.n_models, dtype=np.int64)
        for model in range(self.n_models):
            outputs = self.outputs_of([model])
            group = model if len(targets.codes) > 1 else 0
            offset = int(outputs[0]) if len(targets.offset) > 1 else 0
            what = theta[model], targets.weight_set[outputs], targets.positive[outputs]
            key = (group, offset, *(values.tobytes() for values in what))
            place[model] = known.setdefault(key, (len(known), model))[0]
        return np.array([model for _, model in known.values()]), place

    def cost_of_models(self, cost: Any) -> Any:
        """Return the cost of each model from those of the outputs, along the last axis."""
        if self.n_classes == 1:
            return cost.copy()
        n_models = cost.shape[-1] // self.n_classes  # said, for there may be no rows
        return cost.reshape(*cost.shape[:-1], n_models, self.n_classes).sum(axis=-1)

    def only(self, models: Any) -> Objective:
        """Return the cost of some of the models alone (an index array)."""
        targets = self.targets
        part = Objective.__new__(Objective)
        part.__dict__.update(self.__dict__)
        part.n_models, part._state = len(models), None
        outputs = self.outputs_of(models)
        part.user_penalty = self.user_penalty.of_outputs(outputs)
        part._take_penalty(self.penalty.of_outputs(outputs))
        part.targets = targets._replace(
            codes=targets.codes if len(targets.codes) == 1 else _rows_of(targets.codes, models),
            positive=readonly(targets.positive[outputs]),
            weight_set=readonly(targets.weight_set[outputs]),
            total_weight=targets.total_weight[outputs],
            offset=targets.offset
            if len(targets.offset) < 2
            else _rows_of(targets.offset, outputs % len(targets.offset)),
        )
        return part

    def outputs_of(self, models: Any) -> Any:
        """Return the indices of the outputs of some models."""
        first = np.asarray(models)[:, None] * self.n_classes
        return (first + np.arange(self.n_classes)).ravel()

    def empty_curvature(self, n_models: int | None = None) -> RowCurvature:
        """Return what row curvatures of models are put into."""
        n_models = self.n_models if n_models is None else n_models
        return RowCurvature(np.empty((n_models, self.n_classes * self.design.shape[0])))

    def curvature(self, theta: Any) -> RowCurvature:
        """Return the curvature of the weighted loss at each row: one pass.

        For the binomial loss it is the second derivative.
        """
        out = self.empty_curvature(len(theta))
        self.at(theta, out)
        return out

    def loss_hessian(self, curvature: RowCurvature, model: int) -> Any:
        """Return the Hessian of one model's mean loss from its row curvatures, and no others."""
        total = self.total_weight_of(model)
        return self.loss.hessian(curvature.values[0], self._gram, total)

    def class_hessians(self, curvature: RowCurvature, model: int) -> Any:
        """Return the blocks on the diagonal of `loss_hessian`, one for each output of the model."""
        total = self.total_weight_of(model)
        return self.loss.class_hessians(curvature.values[0], self._gram, total)

    def total_weight_of(self, model: int) -> Any:
        """Return the sum of a model's row weights."""
        return self.targets.total_weight[model * self.n_classes]

    def mean_hessian(self, curvature: RowCurvature) -> Any:
        """Return the Hessian of the loss of an output, the mean over all outputs: one pass."""
        weights = self.loss.class_weights(curvature.values).mean(axis=(0, 1))
        return self._gram(weights, self.targets.total_weight.mean())

    def _gram(self, weights: Any, total_weight: float) -> Any:
        hessian = self.design.gram(weights) / total_weight
        if not self.fit_intercept:
            hessian[-1], hessian[:, -1] = 0.0, 0.0
        return hessian

    def output_penalty(self, output: int) -> Any:
        """Return the diagonal of the penalty's Hessian for an output, intercept last."""
        l2 = self.penalty.diagonal()
        return np.append(l2[min(output, len(l2) - 1)], 0.0)

    def penalties(self) -> Any:
        """Return `output_penalty` of all outputs, shape (n_outputs, n_features + 1)."""
        l2 = self.penalty.diagonal()
        l2 = np.broadcast_to(l2, (self.n_outputs, l2.shape[1]))
        return np.column_stack([l2, np.zeros(self.n_outputs)])

    def penalty_diagonal(self, model: int) -> Any:
        """Return the diagonal of the penalty's Hessian for a model, of length n_parameters."""
        outputs = self.outputs_of([model])
        return np.concatenate([self.output_penalty(int(output)) for output in outputs])

    def penalty_floor(self, model: int) -> Any:
        """Return a diagonal below the penalty's Hessian for a model, of length n_parameters."""
        floor = self.penalty.floor()
        outputs = self.outputs_of([model])
        return np.concatenate([np.append(floor[min(k, len(floor) - 1)], 0.0) for k in outputs])

    def penalize(self, matrix: Any, model: int) -> None:
        """Add the penalty's Hessian to a matrix (n_parameters, n_parameters) of a model."""
        matrix.flat[:: len(matrix) + 1] += self.penalty_diagonal(model)
        size = self.design.shape[1] + 1
        for place, output in enumerate(self.outputs_of([model])):
            own = slice(place * size, (place + 1) * size)
            self.penalty.couple(matrix[own, own], int(output))

    def penalty_product(self, vectors: Any, model: int) -> Any:
        """Return the penalty's Hessian for a model times vectors in rows."""
        penalty = self.penalty.of_outputs(self.outputs_of([model]))
        return np.array(
            [self.join(penalty.product(c), 0.0 * b)[0] for c, b in map(self.split, vectors)]
        )

    def fitted(self) -> Any:
        """Return which parameters of a model are fitted: columns that vary, intercepts if so."""
        varies = np.append(self.design.columns.inverse_scale > 0.0, self.fit_intercept)
        return np.tile(varies, self.n_classes)

    def hessian_product(self, curvature: RowCurvature, vectors: Any) -> Any:
        """Return the Hessians times vectors, one for each model: one pass."""
        coef, _ = self.split(vectors)
        penalty = self.join(self.penalty.product(coef), np.zeros(len(coef)))
        return self.loss_product(curvature, vectors) + penalty

    def loss_product(self, curvature: RowCurvature, vectors: Any) -> Any:
        """Return the Hessians of the mean losses times vectors, one for each model: one pass."""
        coef, intercept = self.split(vectors)
        targets = self.loss.product_targets(curvature.values, self.targets.total_weight)
        product, last = self.design.hessian_product(
            targets, np.ascontiguousarray(coef), intercept * self.fit_intercept
        )
        return self.join(product, last * self.fit_intercept)

    def diagonal(self, curvature: RowCurvature) -> Any:
        """Return the Hessian's diagonal as if curvature and columns were independent."""
        weights = self.loss.class_weights(curvature.values)
        curvature_of_row = weights.reshape(self.n_outputs, -1).sum(axis=1, keepdims=True)
        curvature_of_row /= self.targets.total_weight[:, None]
        l2 = self.penalty.diagonal()
        # Columns were scaled to variance + 4 l2 = 1.
        slopes = np.maximum(curvature_of_row * (1.0 - 4.0 * np.minimum(l2, 0.25)) + l2, 1e-300)
        return self.join(
            np.broadcast_to(slopes, (self.n_outputs, l2.shape[1])),
            np.maximum(curvature_of_row[:, 0], 1e-300),
        )

    def output_curvature(self, curvature: RowCurvature) -> RowCurvature:
        """Return what each row adds to the Hessian of each output, (n_outputs, n_samples)."""
        weights = self.loss.class_weights(curvature.values)
        return RowCurvature(weights.reshape(len(curvature) * self.n_classes, -1))

    def output_grams(self, curvature: RowCurvature, tiny: float) -> Any:
        """Return X' diag(curvature) X of each output over its weight: as many passes.

        Without rows whose curvature is below the share `tiny` of the mean row's.
        """
        values = curvature.values
        values = np.where(values >= tiny * values.mean(axis=1, keepdims=True), values, 0.0)
        return self.design.grams(values / self.targets.total_weight[:, None])

    def curvature_mean(self, curvature: RowCurvature) -> Any:
        """Return the rows' mean, weighted by the curvatures of a model of one output: one pass."""
        return self.design.column_means(curvature.values[0], float(curvature.totals()[0]))

    def intercept_hessian(self, curvature: RowCurvature) -> Any:
        """Return the mean loss's Hessian in the intercepts of one model, (n_classes, n_classes)."""
        shares = curvature.values.reshape(self.n_classes, -1)
        weight = shares.sum(axis=0)
        inverse = np.divide(1.0, weight, out=np.zeros_like(weight), where=weight > 0.0)
        # Not by BLAS, whose threads then keep the cores busy for a while.
        products = np.einsum("kn,jn->kj", shares * inverse, shares) / self.targets.total_weight[0]
        np.fill_diagonal(products, 0.0)
        # Rows add up to 0: the diagonal without a difference that cancels.
        return np.diag(products.sum(axis=1)) - products

    def majorizing(self, theta: Any) -> RowCurvature:
        """Return curvatures of functions above the loss, of each output, times weights: one pass.

        They are at least those of the loss, for any change of the raw predictions.
        """
        coef, intercept = self.split(theta)
        raw = self.design.raw_prediction(
            np.ascontiguousarray(coef), np.ascontiguousarray(intercept)
        )
        targets = self.targets
        if len(targets.offset):
            raw += targets.offset[np.arange(len(raw)) % len(targets.offset)]
        each = raw.reshape(self.n_models, self.n_classes, -1)
        curvature = self.loss.majorizing(each).reshape(raw.shape)
        if len(targets.weights):
            curvature *= targets.weights[targets.weight_set]
        return RowCurvature(curvature)

    def output_product(self, curvature: RowCurvature, vectors: Any) -> Any:
        """Return X' diag(curvature) X of each output, over its weight, times a vector: one pass."""
        targets = plain_targets(SQUARED, curvature.values, self.targets.total_weight)
        product, last = self.design.hessian_product(
            targets, np.ascontiguousarray(vectors[:, :-1]), vectors[:, -1] * self.fit_intercept
        )
        return np.column_stack([product, last * self.fit_intercept])

    def predictions(self, theta: Any) -> RowPredictions:
        """Return what models of one output predict for the rows, without offset: one pass."""
        coef, intercept = np.ascontiguousarray(theta[:, :-1]), np.ascontiguousarray(theta[:, -1])
        return RowPredictions(self.design.raw_prediction(coef, intercept))

    def largest_range(self, direction: Any) -> float:
        """Return the largest range, over the classes of one model, of a row's raw predictions."""
        coef, intercept = self.split(direction[None])
        raw = self.design.raw_prediction(np.ascontiguousarray(coef), intercept.copy())
        return float(np.ptp(raw, axis=0).max())

    def largest_square(self, directions: Any, together: int) -> float:
        """Return the largest sum over directions of a row's squared raw predictions.

        `directions` (n, n_parameters) of one model; passes take `together` of them at once.
        """
        squares = np.zeros(self.design.shape[0])
        for first in range(0, len(directions), together):
            coef, intercept = self.split(np.ascontiguousarray(directions[first : first + together]))
            last = intercept * self.fit_intercept
            raw = self.design.raw_prediction(np.ascontiguousarray(coef), last)
            squares += np.square(raw).sum(axis=0)
        return float(squares.max())

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

    def _curvature_product(self, vector: Any) -> Any:
        """Return the bound of every model's Hessian times a vector."""
        sets = self.targets.weights
        weights = sets if len(sets) < 2 else sets.max(axis=0)[None, :]
        targets = plain_targets(SQUARED, weights, self.targets.total_weight.min(keepdims=True))
        product, last = self.design.hessian_product(
            targets, vector[None, :-1].copy(), vector[-1:] * self.fit_intercept
        )
        most = self.loss.most_curvature
        slopes = most * product[0] + self.penalty.above_all().product(vector[None, :-1])[0]
        return np.append(slopes, most * last[0] * self.fit_intercept)

    def to_user(self, coef: Any, intercept: Any) -> tuple[Any, Any]:
        """Return coefficients and intercepts in the units of X."""
        return units.to_user(self.design.columns, coef, intercept)

    def lost_in_units(self, theta: Any) -> Any:
        """Return how far raw predictions err by rounding in the units of X, (n_models,)."""
        lost = units.lost_in_units(self.design.columns, *self.split(theta))
        return lost.reshape(len(theta), -1).max(axis=1)

    def from_user(self, coef: Any, intercept: Any) -> tuple[Any, Any]:
        """Return standardised coefficients and intercepts from those in the units of X."""
        return units.from_user(self.design.columns, coef, intercept)

    def user_gradient(self, gradient: Any, intercept_gradient: Any) -> Any:
        """Return the gradient in the units of X, intercept last, from the standardised one."""
        return units.gradient_to_user(self.design.columns, gradient, intercept_gradient)

    def centred(self, vectors: Any) -> Any:
        """Return the part of a direction that changes predictions, where not all of it does."""
        return self.loss.centred(vectors)

    def settle(self, coef: Any, intercept: Any) -> tuple[Any, Any]:
        """Return the point that stands for all that predict as this one does, at no more cost."""
        return self.loss.settle(coef, intercept, self.fit_intercept)


def _sets_of(offset: Any, n_samples: int) -> Any:
    if offset is None or not offset.size:
        return np.empty((0, n_samples))
    return offset.reshape(-1, n_samples)


def _rows_of(array: Any, rows: Any) -> Any:
    return readonly(np.ascontiguousarray(array[rows]))
