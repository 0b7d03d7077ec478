"""The cost that solvers minimise: weighted mean loss over a design, plus a penalty."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from ..design.base import Columns, Design, plain_targets, readonly, step_by_step
from ..kernels.descent import DescentState, start_state
from ..kernels.passes import BINOMIAL, SQUARED, Targets
from .penalties import L2, CompiledL2, Quadratic

__all__ = ["Evaluation", "Objective"]

# Columns whose standard deviation is below this share of their mean, or so small or large that its
# square is near the ends of float64, are looked at value by value.
FINE = 1e-10
SMALLEST, LARGEST = 1e-140, 1e140
# Beyond these coefficients, or sums over the rows, would leave float64.
TOO_SMALL, TOO_LARGE = 1e-304, 1e302
LEAST_PRODUCT = 1e-300
LANCZOS_STEPS = 12
HALF_UNIT = 2.0**-53
# Splits the 53 digits of a float64 in two halves (Veltkamp, 1968).
SPLIT = 2.0**27 + 1.0


class Evaluation(NamedTuple):
    """Cost (n_models,) and gradient (n_models, n_parameters) at a point."""

    cost: Any
    gradient: Any


class Objective:
    """Mean loss of one or several models over the same rows, plus a penalty.

    To solvers a point is *theta*, `(n_models, n_parameters)`: for each model the coefficients of an
    output and its intercept, one output after the other. Here the loss is the binomial one, and a
    model has one output; see `Multinomial` for softmax. Coefficients are `(n_outputs, n_features)`,
    over all models, on the scale of `design.columns`; `to_user` and `from_user` translate. The
    penalty is a function of the coefficients *in the units of X*, whatever the standardisation, and
    leaves the intercepts out.

    Parameters
    ----------
    design : Design
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

    LOSS = BINOMIAL
    # The loss of a row bends at most this much along its raw predictions.
    MOST_CURVATURE = 0.25

    penalty: Quadratic
    user_penalty: Quadratic

    def __init__(
        self,
        design: Design,
        codes: Any,
        positive: Any,
        weights: Any,
        penalty: Any,
        offset: Any = None,
        fit_intercept: bool = True,
        weight_set: Any = None,
        n_classes: int = 1,
    ) -> None:
        n_outputs = len(positive)
        self.n_classes = n_classes
        self.n_models = n_outputs // n_classes
        n_samples, n_features = design.shape
        sets = weights.reshape(-1 if weights.size else 0, n_samples)
        if weight_set is None:
            weight_set = np.arange(n_outputs) if len(sets) > 1 else np.zeros(n_outputs)
        weight_set = np.array(weight_set, dtype=np.int64)
        self.targets = Targets(
            self.LOSS,
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
        self.penalty = self.user_penalty.scaled(design.columns.inverse_scale)
        self._in_pass = (
            self.penalty.compiled(self.fit_intercept)
            if isinstance(self.penalty, L2)
            else CompiledL2(np.zeros((1, design.shape[1])), self.fit_intercept)
        )

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
        return type(self)(
            self.design.subsample(stride),
            np.ascontiguousarray(targets.codes[:, ::stride]),
            targets.positive,
            np.ascontiguousarray(targets.weights[:, ::stride]),
            self.user_penalty,
            np.ascontiguousarray(targets.offset[:, ::stride]),
            self.fit_intercept,
            targets.weight_set,
            self.n_classes,
        )

    def standardize(self, stride: int = 1) -> bool:
        """Centre the columns and scale them so that each bends the cost equally: two passes.

        The scale is sqrt(variance + 4 l2), l2 the diagonal of the penalty's Hessian: the bound of
        each column's curvature, loss and penalty together, is then 1/4. Columns that do not vary
        get inverse scale 0, and those whose variance is not finite NaN. Where the intercept is not
        fitted the centre is 0, since a shift of the columns would be one of the intercept.

        With a `stride` the rows looked at are every `stride`-th; nothing is done, and False
        returned, where a column does not vary among them.
        """
        design = self.design.subsample(stride) if stride > 1 else self.design
        weights = np.ascontiguousarray(self._common_weights()[::stride])
        total = float(weights.sum()) if weights.size else float(design.shape[0])
        means = design.column_means(weights, total)
        center = means if self.fit_intercept else np.zeros_like(means)
        ones = np.ones_like(means)
        with np.errstate(over="ignore", invalid="ignore"):
            centred = design.standardized(Columns(center, ones))
            spread = np.sqrt(centred.column_variances(weights, total))
            usual = (spread > FINE * np.abs(center)) & (spread > SMALLEST) & (spread < LARGEST)
        if not usual.all():
            if stride > 1:
                return False
            self._look_again(np.flatnonzero(~usual), center, spread)
            if weights.size:
                # Rows of tiny weight times columns of tiny size: their products vanish.
                least = weights.min(initial=1.0, where=weights > 0.0) / weights.max()
                lost = (spread > 0.0) & (spread < LEAST_PRODUCT / np.sqrt(least))
                spread[lost] = np.nan
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            scales = np.hypot(spread, 2.0 * np.sqrt(self.user_penalty.diagonal().min(axis=0)))
            inverse_scale = np.where(spread > 0.0, 1.0 / scales, 0.0)
        inverse_scale[~((spread < TOO_LARGE) & ((spread == 0.0) | (spread > TOO_SMALL)))] = np.nan
        self.design = self.design.standardized(Columns(center, inverse_scale))
        return True

    def _look_again(self, columns: Any, center: Any, spread: Any) -> None:
        """Set centre and standard deviation of columns of odd size, or nearly constant ones.

        The values themselves say whether a column varies, and a power of two is taken out before
        they are squared. A column of weight 0 counts as one that does not vary.
        """
        weights = self._common_weights()
        zeros = columns[(center[columns] == 0.0) & (spread[columns] == 0.0)]
        if zeros.size and self._are_zero(zeros):
            columns = np.setdiff1d(columns, zeros)
        used = weights > 0.0 if weights.size else slice(None)
        for column in columns:
            values = np.asarray(self.design.column(int(column)), dtype=np.float64)
            # Of rows without weight too: zero times NaN is NaN in every sum.
            if not np.isfinite(values).all():
                spread[column] = np.nan
                continue
            values = values[used]
            low, high = float(values.min()), float(values.max())
            if self.fit_intercept and low == high:
                center[column], spread[column] = low, 0.0
                continue
            # Half of each: their difference may overflow.
            reach = 0.5 * high - 0.5 * low if self.fit_intercept else max(abs(low), abs(high))
            if reach == 0.0:
                center[column], spread[column] = low, 0.0
                continue
            _, power = np.frexp(reach)
            first = float(values[0]) if self.fit_intercept else 0.0
            # Subnormal numbers need two steps.
            half = -int(power) // 2
            parts = np.ldexp(np.ldexp(0.5 * values - 0.5 * first, half), -int(power) - half)
            shares = weights[used] if weights.size else None
            mean = float(np.average(parts, weights=shares)) if self.fit_intercept else 0.0
            center[column] = first + 2.0 * float(np.ldexp(mean, power))
            square = float(np.average(np.square(parts - mean), weights=shares))
            with np.errstate(over="ignore"):
                spread[column] = 2.0 * float(np.ldexp(np.sqrt(square), power))

    def _are_zero(self, columns: Any) -> bool:
        """Say whether columns hold nothing but 0, also where their squares would underflow."""
        n_features = self.design.shape[1]
        inverse_scale, coef = np.zeros(n_features), np.zeros((1, n_features))
        inverse_scale[columns] = 2.0**600
        coef[0, columns] = np.random.default_rng(0).uniform(1.0, 2.0, columns.size)
        plain = self.design.standardized(Columns(np.zeros(n_features), inverse_scale))
        return not plain.raw_prediction(coef, np.zeros(1)).any()

    def _common_weights(self) -> Any:
        """Return weights (n_samples,) that see every row which a model sees; empty for none."""
        sets = self.targets.weights
        return sets.mean(axis=0) if len(sets) > 1 else sets.ravel()

    def column_means(self) -> Any:
        """Return the weighted mean of each column of X: one pass; not finite where X is not."""
        weights = self._common_weights()
        total = float(weights.sum()) if weights.size else float(self.design.shape[0])
        return self.design.column_means(weights, total)

    def weights_of(self, output: int) -> Any:
        """Return the row weights of an output; None where all are 1."""
        targets = self.targets
        return targets.weights[targets.weight_set[output]] if len(targets.weights) else None

    def share_logits(self) -> Any:
        """Return theta without slopes, that predicts each model's share of positive rows."""
        targets = self.targets
        theta = np.zeros((self.n_models, self.design.shape[1] + 1))
        known: dict[tuple[int, int, int], float] = {}
        for model in range(self.n_models):
            group = min(model, len(targets.codes) - 1)
            key = (group, int(targets.positive[model]), int(targets.weight_set[model]))
            if key not in known:
                codes, weights = targets.codes[group] == key[1], self.weights_of(model)
                count = np.count_nonzero(codes) if weights is None else weights[codes].sum()
                # Each side by itself: one may be next to nothing beside the other.
                rest = codes.size - count if weights is None else weights[~codes].sum()
                known[key] = np.log(float(count)) - np.log(float(rest))
            theta[model, -1] = known[key]
        return theta

    def evaluate(self, state: DescentState, curvature_out: Any = None) -> None:
        """Put cost and gradient at the state's point into the state: one pass."""
        if curvature_out is None:
            self.design.evaluate(self.targets, self._in_pass, state)
        else:
            self.design.evaluate(self.targets, self._in_pass, state, curvature_out)
        if not isinstance(self.penalty, L2):
            slopes = self.penalty.gradient(state.point)
            state.gradient[...] += slopes
            state.cost[...] += self.penalty.value(state.point)

    def descend(
        self, state: DescentState, step_size: float, accelerate: bool, tol: float, history_out: Any
    ) -> tuple[int, int]:
        """Take up to ``len(history_out)`` gradient steps from an evaluated state, one pass each.

        Returns how many were taken and a status of `kernels.descent`.
        """
        if isinstance(self.penalty, L2):
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

    def at(self, theta: Any, curvature_out: Any = None) -> Evaluation:
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
            outputs = curvature_out.reshape(len(coef), self.design.shape[0])
        self.evaluate(state, outputs)
        gradient = self.join(state.gradient, state.intercept_gradient)
        return Evaluation(self.cost_of_models(state.cost), gradient)

    def at_start(self, theta: Any, curvature_out: Any = None) -> Evaluation:
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
            bent = part.empty_curvature()
            found = part.at(theta[leading], bent)
            curvature_out[...] = bent[place]
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
        part = type(self).__new__(type(self))
        part.__dict__.update(self.__dict__)
        part.n_models, part._state = len(models), None
        outputs = self.outputs_of(models)
        part.user_penalty = self.user_penalty.of_outputs(outputs)
        part.design = self.design
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

    def empty_curvature(self, n_models: int | None = None) -> Any:
        """Return an array for row curvatures: (n_models, n_samples for each output of a model)."""
        n_models = self.n_models if n_models is None else n_models
        return np.empty((n_models, self.n_classes * self.design.shape[0]))

    def curvature(self, theta: Any) -> Any:
        """Return what bends the weighted loss at each row, as `empty_curvature`: one pass.

        For the binomial loss it is the second derivative.
        """
        out = self.empty_curvature(len(theta))
        self.at(theta, out)
        return out

    def loss_hessian(self, curvature: Any, model: int) -> Any:
        """Return the Hessian of one model's mean loss from its row curvatures: one pass."""
        return self._gram(curvature, self.targets.total_weight[model])

    def class_hessians(self, curvature: Any, model: int) -> Any:
        """Return the blocks on the diagonal of `loss_hessian`, one for each output of the model."""
        return self.loss_hessian(curvature, model)[None]

    def class_weights(self, curvature: Any) -> Any:
        """Return what bends each output, (n_models, n_classes, n_samples)."""
        return curvature[:, None]

    def mean_hessian(self, curvature: Any) -> Any:
        """Return the Hessian of the loss of an output, the mean over all outputs: one pass."""
        return self._gram(curvature.mean(axis=0), self.targets.total_weight.mean())

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

    def hessian_product(self, curvature: Any, vectors: Any) -> Any:
        """Return the Hessians times vectors, one for each model: one pass."""
        coef, _ = self.split(vectors)
        penalty = self.join(self.penalty.product(coef), np.zeros(len(coef)))
        return self.loss_product(curvature, vectors) + penalty

    def loss_product(self, curvature: Any, vectors: Any) -> Any:
        """Return the Hessians of the mean losses times vectors, one for each model: one pass."""
        coef, intercept = self.split(vectors)
        product, last = self.design.hessian_product(
            self.product_targets(curvature), np.ascontiguousarray(coef),
            intercept * self.fit_intercept,
        )  # fmt: skip
        return self.join(product, last * self.fit_intercept)

    def product_targets(self, curvature: Any) -> Targets:
        """Return the targets whose gradient is the product of the loss's Hessian with the point."""
        return plain_targets(SQUARED, curvature, self.targets.total_weight)

    def diagonal(self, curvature: Any) -> Any:
        """Return the Hessian's diagonal as if curvature and columns were independent."""
        bend = curvature.reshape(self.n_outputs, -1).sum(axis=1, keepdims=True)
        bend /= self.targets.total_weight[:, None]
        l2 = self.penalty.diagonal()
        # Columns were scaled to variance + 4 l2 = 1.
        slopes = np.maximum(bend * (1.0 - 4.0 * np.minimum(l2, 0.25)) + l2, 1e-300)
        return self.join(
            np.broadcast_to(slopes, (self.n_outputs, l2.shape[1])), np.maximum(bend[:, 0], 1e-300)
        )

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
        targets = plain_targets(SQUARED, weights, self.targets.total_weight.min(keepdims=True))
        product, last = self.design.hessian_product(
            targets, vector[None, :-1].copy(), vector[-1:] * self.fit_intercept
        )
        most = self.MOST_CURVATURE
        slopes = most * product[0] + self.penalty.above_all().product(vector[None, :-1])[0]
        return np.append(slopes, most * last[0] * self.fit_intercept)

    def to_user(self, coef: Any, intercept: Any) -> tuple[Any, Any]:
        """Return coefficients and intercepts in the units of X.

        The intercepts go with the coefficients as they are rounded, and are themselves rounded
        once: far from 0 they are large numbers that cancel against coefficients times columns.
        """
        center, inverse_scale = self.design.columns
        user = coef * inverse_scale
        if not center.any():
            return user, np.array(intercept, dtype=np.float64)
        return user, np.array(
            [_less_product(a, b, center) for a, b in zip(intercept, user, strict=True)]
        )

    def lost_in_units(self, theta: Any) -> Any:
        """Return how far raw predictions err by rounding in the units of X, at most: (n_models,).

        In the mean over the rows, from the coefficients and intercepts of points theta.
        """
        coef, intercept = self.split(theta)
        with np.errstate(over="ignore", invalid="ignore"):
            user = (
                intercept - (coef * self.design.columns.inverse_scale) @ self.design.columns.center
            )
        lost = HALF_UNIT * np.abs(coef).sum(axis=1) + 0.5 * np.spacing(np.abs(user))
        return lost.reshape(len(theta), -1).max(axis=1)

    def from_user(self, coef: Any, intercept: Any) -> tuple[Any, Any]:
        """Return standardised coefficients and intercepts from those in the units of X."""
        center, inverse_scale = self.design.columns
        varies = inverse_scale > 0.0
        with np.errstate(over="ignore", invalid="ignore"):
            standard = np.divide(coef, inverse_scale, out=np.zeros_like(coef), where=varies)
            if not center.any():
                return standard, np.array(intercept, dtype=np.float64)
            each = zip(intercept, coef, strict=True)
            return standard, np.array([_less_product(a, -b, center) for a, b in each])

    def user_gradient(self, gradient: Any, intercept_gradient: Any) -> Any:
        """Return the gradient in the units of X, intercept last, from the standardised one."""
        center, inverse_scale = self.design.columns
        varies = inverse_scale > 0.0
        slopes = np.divide(gradient, inverse_scale, out=np.zeros_like(gradient), where=varies)
        slopes += intercept_gradient[:, None] * center
        return np.column_stack([slopes, intercept_gradient])

    def centred(self, vectors: Any) -> Any:
        """Return the part of a direction that changes predictions, where not all of it does."""
        return vectors

    def settle(self, coef: Any, intercept: Any) -> tuple[Any, Any]:
        """Return the point that stands for all that predict as this one does, at no more cost."""
        return coef, intercept


def _less_product(level: Any, slopes: Any, center: Any) -> float:
    """Return ``level - slopes @ center``, rounded once (Dekker, 1971, for exact products)."""
    product = slopes * center
    with np.errstate(over="ignore", invalid="ignore"):
        high, top = _high(slopes), _high(center)
        low, rest = slopes - high, center - top
        error = ((high * top - product) + high * rest + low * top) + low * rest
    if not np.isfinite(error).all():
        return float(level - slopes @ center)
    return math.fsum([float(level), *-product, *-error])


def _high(values: Any) -> Any:
    """Return the upper half of the digits of each number."""
    shifted = values * SPLIT
    return shifted - (shifted - values)


def _unit(vector: Any) -> Any:
    return vector / np.linalg.norm(vector)


def _sets_of(offset: Any, n_samples: int) -> Any:
    if offset is None or not offset.size:
        return np.empty((0, n_samples))
    return offset.reshape(-1, n_samples)


def _rows_of(array: Any, rows: Any) -> Any:
    return readonly(np.ascontiguousarray(array[rows]))
