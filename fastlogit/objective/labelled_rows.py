"""Rows of a design with what belongs to each: its class, its weights, its offset.

All sums over the rows are made here, and no number of a single row leaves: solvers and certificates
give coefficients, and get sums, extremes, or a handle of `row_state` to hand back. So the same
solver runs where the rows are in one array, on disk, or in several places that add up what theirs
give (tests/test_partitions.py has such rows). Who has to look at the rows themselves, as linear
programmes do, asks for `codes_of` and `weights_of`.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import TypeVar

import numpy as np

from ..arrays import (
    CodeMatrix,
    Codes,
    Cube,
    Features,
    IndexMatrix,
    Indices,
    Integers,
    Mask,
    Matrix,
    Number,
    Vector,
)
from ..design.base import Columns, Design, plain_targets, readonly
from ..design.first_look import FirstLook
from ..design.fold_weights import FoldWeights
from ..design.narrow import NarrowEquation, Quadratics
from ..kernels.descent import DescentState, start_state
from ..kernels.passes import SQUARED, Targets
from .fractional import LinearPart, cost_of_shares, linear_part, mixed
from .leading_rows import LeadingRows
from .levels import offsets_of
from .losses import Loss, RowLoss
from .pair_hessian import class_blocks, pair_hessian
from .penalties import CompiledL2
from .row_state import RowCurvature, RowPredictions, RowResiduals

__all__ = ["LabelledRows"]

Answer = TypeVar("Answer")

# Above the root of squares that vanish in float64.
TINY = 1e-150


class LabelledRows:
    """Rows with their classes, weights and offsets, as one or several models see them.

    Outputs of all models lie one after the other, `loss.n_classes` for each. Coefficients are
    (n_outputs, n_features) on the scale of `design.columns`, intercepts (n_outputs,).

    Parameters
    ----------
    design : Design
    loss : Loss
    codes : ndarray of uint8 or int32, shape (n_samples,) or (n_models, n_samples)
        Class of each row, for all models or for each.
    positive : sequence of int
        For each output the class that counts as 1.
    weights : ndarray of float64, shape (n_samples,), (n_sets, n_samples) or (0,), or FoldWeights
        Row weights; empty means 1 each. `FoldWeights` are for designs that take blocks of rows.
    offset : ndarray of float64, shape (n_samples,), (n_sets, n_samples) or (0,), optional
        Fixed part of the raw predictions: one for all outputs, or for each class in turn.
    fit_intercept : bool
        Whether the rows have a column of ones.
    weight_set : sequence of int, optional
        The set of weights that each output takes; by default its own, or the only one.
    shares : ndarray of shape (n_samples,), optional
        How much of each row is of the positive class, from 0 to 1: a fractional response. Codes are
        those of the class that a row is more of. Of one model of one output.

    Attributes
    ----------
    positive, weight_set : ndarray of int64, shape (n_outputs,)
    total_weight : ndarray of shape (n_outputs,)
        The sum of the row weights.
    """

    def __init__(
        self, design: Design, loss: Loss, codes: Codes | CodeMatrix,
        positive: Indices | Sequence[int], weights: Vector | Matrix | FoldWeights,
        offset: Vector | Matrix | None = None, fit_intercept: bool = True,
        weight_set: Indices | Sequence[int] | None = None, shares: Vector | None = None,
    ) -> None:  # fmt: skip
        n_outputs, n_samples = len(positive), design.shape[0]
        sets: Matrix | FoldWeights
        if isinstance(weights, FoldWeights):
            sets = weights
        else:
            sets = readonly(weights.reshape(-1 if weights.size else 0, n_samples))
        if weight_set is None:
            weight_set = np.arange(n_outputs) if len(sets) > 1 else np.zeros(n_outputs, int)
        weight_set = np.array(weight_set, dtype=np.int64)
        self.design, self.loss, self.fit_intercept = design, loss, fit_intercept
        self.shares = shares
        self._linear: LinearPart | None = None
        self._targets = Targets(
            -1 if loss.kernel is None else loss.kernel,
            loss.n_classes,
            readonly(codes.reshape(-1, n_samples)),
            readonly(np.array(positive, dtype=np.int64)),
            sets,
            readonly(weight_set),
            sets.sum(axis=1)[weight_set] if sets.size else np.full(n_outputs, float(n_samples)),
            readonly(_sets_of(offset, n_samples)),
        )

    # Whether rows lie in several places, each of which says what adds up.
    in_parts = False

    @property
    def positive(self) -> Indices:
        """The class that counts as 1 of each output."""
        return self._targets.positive

    @property
    def weight_set(self) -> Indices:
        """The set of weights of each output."""
        return self._targets.weight_set

    @property
    def total_weight(self) -> Vector:
        """The sum of the row weights of each output."""
        return self._targets.total_weight

    @property
    def n_outputs(self) -> int:
        """Raw predictions for a row: the classes of all models."""
        return len(self.positive)

    @property
    def n_models(self) -> int:
        """Models, of `loss.n_classes` outputs each."""
        return self.n_outputs // self.loss.n_classes

    def split(self, theta: Vector | Matrix) -> tuple[Matrix, Vector]:
        """Return coefficients and intercepts of all outputs as views of theta."""
        outputs = theta.reshape(-1, self.design.shape[1] + 1)
        return outputs[:, :-1], outputs[:, -1]

    def outputs_of(self, models: Indices | Sequence[int]) -> Indices:
        """Return the indices of the outputs of some models."""
        first = np.asarray(models)[:, None] * self.loss.n_classes
        return (first + np.arange(self.loss.n_classes)).ravel()

    # ---- other rows, other models

    def standardized(self, columns: Columns) -> LabelledRows:
        """Return the same with another standardisation of the design."""
        return self._with_design(self.design.standardized(columns))

    def _with_design(self, design: Design) -> LabelledRows:
        other = copy.copy(self)
        other.design, other._linear = design, None
        return other

    def _with_targets(self, targets: Targets) -> LabelledRows:
        other = copy.copy(self)
        other._targets = targets
        return other

    def only(self, models: Indices | Sequence[int]) -> LabelledRows:
        """Return the same as some of the models alone see it (an index array)."""
        targets, outputs = self._targets, self.outputs_of(models)
        one_set = len(targets.offset) < 2
        return self._with_targets(
            targets._replace(
                codes=targets.codes if len(targets.codes) == 1 else _some(targets.codes, models),
                positive=readonly(targets.positive[outputs]),
                weight_set=readonly(targets.weight_set[outputs]),
                total_weight=targets.total_weight[outputs],
                offset=targets.offset
                if one_set
                else _some(targets.offset, outputs % len(targets.offset)),
            )
        )

    def subsample(self, stride: int) -> LabelledRows:
        """Return every `stride`-th row."""
        targets = self._targets
        return LabelledRows(
            self.design.subsample(stride), self.loss, _every(targets.codes, stride),
            targets.positive, _every(targets.weights, stride), _every(targets.offset, stride),
            self.fit_intercept, targets.weight_set,
            None if self.shares is None else np.ascontiguousarray(self.shares[::stride]),
        )  # fmt: skip

    def counted(self, most_numbers: int) -> LabelledRows:
        """Return a copy of the rows that count in a model, where some do not and it is small."""
        weights, targets = self.weights_of(0), self._targets
        if weights is None or weights.size * self.design.shape[1] > most_numbers:
            return self
        rows = np.flatnonzero(weights)
        if rows.size == weights.size:
            return self
        return LabelledRows(
            self.design.take(rows), self.loss, np.ascontiguousarray(targets.codes[:, rows]),
            targets.positive, weights[rows], np.ascontiguousarray(targets.offset[:, rows]),
            self.fit_intercept, shares=None if self.shares is None else self.shares[rows],
        )  # fmt: skip

    def among(self, total_weight: Vector) -> LabelledRows:
        """Return the same as a part of rows of so much weight for each output: sums add up then."""
        return self._with_targets(self._targets._replace(total_weight=total_weight))

    def over(self, design: Design) -> LabelledRows:
        """Return the same rows with other columns: a design of as many rows."""
        return self._with_design(design)

    def cooled(self, scale: float) -> LabelledRows:
        """Return the same with the offset over `scale`."""
        other = self._with_targets(
            self._targets._replace(offset=readonly(self._targets.offset / scale))
        )
        other._linear = None
        return other

    def weighted(
        self, positive: Indices, weights: Vector | Matrix | FoldWeights, weight_set: Indices
    ) -> LabelledRows:
        """Return the same rows, as other models with other weights see them."""
        targets = self._targets
        return LabelledRows(
            self.design, self.loss, targets.codes, positive, weights, targets.offset,
            self.fit_intercept, weight_set, self.shares,
        )  # fmt: skip

    def of_parts(
        self, function: Callable[..., Answer], states: tuple[object, ...], *given: object
    ) -> Answer:
        """Return what a function says of the rows and row states, added up over their parts.

        Here they are one: ``function(rows, *states, *given)``.
        """
        return function(self, *states, *given)

    # ---- what rows say of themselves

    def shares_of(self, output: int) -> Vector | Mask:
        """Return how much of each row is of the positive class of an output: all or nothing.

        But for a fractional response.
        """
        return self._is_positive(output) if self.shares is None else self.shares

    def _is_positive(self, output: int) -> Mask:
        """Return which rows have the code of the positive class of an output."""
        return self.codes_of(output // self.loss.n_classes) == self.positive[output]

    def rows_of(self, output: int, raw: Vector) -> tuple[Vector, Vector, Vector]:
        """Return loss, slope and curvature of each row at raw predictions, of a `RowLoss`."""
        assert isinstance(self.loss, RowLoss)
        if self.shares is None:
            return self.loss.rows(raw, self._is_positive(output))
        sides = [self.loss.rows(raw, np.full(raw.size, side)) for side in (True, False)]
        loss, slope, curvature = (mixed(self.shares, *parts) for parts in zip(*sides, strict=True))
        return loss, slope, curvature

    def concordance(self, theta: Vector, model: int, reach: float) -> float:
        """Return the loss's self-concordance near a point of one model: a pass, where it is local.

        Where raw predictions change by at most `reach`; at least 1 then.
        """
        if not self.loss.is_local:
            return self.loss.self_concordance
        raw, offset, weights = (
            self.raw_predictions(theta)[0],
            self.offset_of(model),
            self.weights_of(model),
        )
        if offset is not None:
            raw += offset
        used = np.ones(raw.size, bool) if weights is None else weights > 0.0
        shares = self.shares_of(model)
        sides = ((used & (shares > 0.0), True), (used & (shares < 1.0), False))
        found = [
            self.loss.concordance_near(raw[rows], np.full(int(rows.sum()), side), reach)
            for rows, side in sides
            if rows.any()
        ]
        return max(1.0, *found)

    def weights_of(self, output: int) -> Vector | None:
        """Return the row weights of an output; None where all are 1."""
        targets = self._targets
        return targets.weights[targets.weight_set[output]] if len(targets.weights) else None

    def largest_curvature(self, curvature: RowCurvature, output: int) -> float:
        """Return the largest curvature of a row's loss at the first model's point, weight aside."""
        each, weights = curvature.values[0], self.weights_of(output)
        if weights is not None:
            each = np.divide(each, weights, out=np.zeros(weights.shape), where=weights > 0.0)
        return float(each.max(initial=0.0))

    def root_mean_squares(self, output: int) -> Vector:
        """Return that of each standardised column in the weights of an output: one pass.

        Rather above than below it, where squares in the units of X underflow.
        """
        weights = self.weights_of(output)
        assert weights is not None
        total = float(self.total_weight[output])
        center, inverse_scale = self.design.columns
        unscaled = self.design.standardized(Columns(center, np.ones_like(center)))
        with np.errstate(over="ignore"):  # infinite: nothing is known of the column then
            squares = unscaled.column_variances(np.ascontiguousarray(weights), total)
            return (np.sqrt(squares) + TINY) * inverse_scale

    def n_of_weight(self, output: int) -> int:
        """Return how many rows have weight for an output."""
        weights = self.weights_of(output)
        return self.design.shape[0] if weights is None else int(np.count_nonzero(weights))

    def codes_of(self, model: int) -> Codes:
        """Return the class of each row, as a model sees it."""
        return self._targets.codes[min(model, len(self._targets.codes) - 1)]

    def offset_of(self, output: int) -> Vector | None:
        """Return the offset of each row for an output; None where there is none."""
        sets = self._targets.offset
        return sets[output % len(sets)] if len(sets) else None

    def offsets_of_every(self, stride: int, model: int) -> tuple[Matrix, list[Vector | None]]:
        """Return offsets (n_classes, n_rows) and weights of a model, of every `stride`-th row."""
        outputs = model * self.loss.n_classes + np.arange(self.loss.n_classes)
        offset = np.zeros((outputs.size, len(range(0, self.design.shape[0], stride))))
        if self.n_offsets:
            fixed = [self.offset_of(int(output)) for output in outputs]
            offset[...] = [of_output[::stride] for of_output in fixed if of_output is not None]
        weights = [self.weights_of(int(output)) for output in outputs]
        return offset, [None if own is None else own[::stride] for own in weights]

    @property
    def n_offsets(self) -> int:
        """Sets of offsets: 0, 1 for all outputs, or one for each class."""
        return len(self._targets.offset)

    def largest_offset(self) -> float:
        """Return the largest size of an offset."""
        sets = self._targets.offset
        return float(max(sets.max(), -sets.min())) if sets.size else 0.0

    def mean_offset(self) -> float:
        """Return the weighted mean of the offset of the first output, which there is."""
        weights, offset = self.weights_of(0), self.offset_of(0)
        assert offset is not None
        total = (offset if weights is None else weights * offset).sum()
        return float(total / self.total_weight[0])

    def sums_at_level(self, level: float) -> tuple[float, float, float]:
        """Return the sums of losses, slopes and curvatures of a model of an intercept alone.

        Of one output, whose loss is a `RowLoss`, with an offset.
        """
        weights, offset = self.weights_of(0), self.offset_of(0)
        assert offset is not None
        parts = self.rows_of(0, level + offset)
        sums = [part.sum() if weights is None else part @ weights for part in parts]
        return float(sums[0]), float(sums[1]), float(sums[2])

    def table(self) -> Matrix:
        """Return for the rows of one binomial model 1 or 0, share of the weight, and offset."""
        weights, offset = self.weights_of(0), self.offset_of(0)
        table = np.zeros((3, self.design.shape[0]))
        table[0] = self.codes_of(0) == self.positive[0]
        table[1] = (1.0 if weights is None else weights) / self.total_weight[0]
        if offset is not None:
            table[2] = offset
        return table

    def family(self, model: int) -> Hashable:
        """Return what tells models apart that see the rows otherwise than in their penalty."""
        targets, outputs = self._targets, self.outputs_of([model])
        return (
            min(model, len(targets.codes) - 1),
            int(outputs[0]) % len(targets.offset) if len(targets.offset) else -1,
            targets.positive[outputs].tobytes(),
            targets.weight_set[outputs].tobytes(),
        )

    def weights_of_class(self, output: int) -> tuple[float, float]:
        """Return the weight of the rows that count as 1 for an output, and that of the others.

        Each side by itself: one may be next to nothing beside the other.
        """
        weights = self.weights_of(output)
        if self.shares is not None:
            weights = np.ones(self.shares.size) if weights is None else weights
            return float(weights @ self.shares), float(weights @ (1.0 - self.shares))
        codes = self._is_positive(output)
        if weights is None:
            count = np.count_nonzero(codes)
            return float(count), float(codes.size - count)
        return float(weights[codes].sum()), float(weights[~codes].sum())

    def rows_of_classes(self, stride: int) -> Integers:
        """Return how many of every `stride`-th row of weight are of each class of the outputs."""
        targets = self._targets
        if self.shares is not None:
            shares, weights = self.shares[::stride], self.weights_of(0)
            shares = shares if weights is None else shares[weights[::stride] > 0.0]
            return np.array([np.count_nonzero(shares < 1.0), np.count_nonzero(shares > 0.0)])
        codes = targets.codes[0, ::stride]
        if len(targets.weights):
            codes = codes[(targets.weights[:, ::stride] > 0.0).all(axis=0)]
        return np.bincount(codes, minlength=int(targets.positive.max()) + 1)

    def common_weights(self) -> Vector:
        """Return weights (n_samples,) that see every row which a model sees; empty for none."""
        sets = self._targets.weights
        return sets.mean(axis=0) if len(sets) > 1 else sets.ravel()

    def least_weight_share(self) -> float | None:
        """Return the least positive weight over the largest, of `common_weights`; None for none."""
        weights = self.common_weights()
        if not weights.size:
            return None
        return float(weights.min(initial=1.0, where=weights > 0.0) / weights.max())

    def column_means(self) -> Vector:
        """Return the weighted mean of each column of X: one pass; not finite where X is not."""
        return self.design.column_means(*self._common())

    def column_variances(self) -> Vector:
        """Return the weighted mean of each column's squared distance from its centre: one pass."""
        return self.design.column_variances(*self._common())

    def first_look(self) -> FirstLook | None:
        """Return what means, variances and slopes of the classes come from, if one pass tells."""
        if not self.design.looks_once:
            return None
        weights, total = self._common()
        shares = weights / total if weights.size else np.full(self.design.shape[0], 1.0 / total)
        positive = self._is_positive(0) if self.n_outputs == 1 else 0.0
        return self.design.first_look(shares, shares * positive)

    def _common(self) -> tuple[Vector, float]:
        weights = np.ascontiguousarray(self.common_weights())
        return weights, float(weights.sum()) if weights.size else float(self.design.shape[0])

    def blocks_of_weight(self, output: int, size: int, columns: Indices) -> Iterator[Features]:
        """Go over some columns of the rows that have weight for an output: one pass."""
        weights = self.weights_of(output)
        for start, stop, rows in self.design.row_blocks(size):
            some = rows[:, columns]
            yield some if weights is None else some[weights[start:stop] > 0.0]

    def level_cost(self, model: int, levels: Vector) -> float:
        """Return the mean loss of a model of these intercepts and no slopes: no pass over X."""
        if self.shares is not None:
            return cost_of_shares(self, self.shares, float(levels[0]))
        codes, weights = self.codes_of(model), self.weights_of(model * self.loss.n_classes)
        own = self.outputs_of([model])
        if self.n_offsets:
            offset, _ = offsets_of(self, model, 1)
        else:
            # All rows of a class have the same loss.
            counts = self._weights_of_codes(model)
            labels = np.flatnonzero(counts)
            weights = counts[labels]
            codes = labels.astype(codes.dtype)
            offset = np.zeros((own.size, labels.size))
        total = float(self.total_weight[own[0]])
        with np.errstate(over="ignore", invalid="ignore"):
            return self.loss.mean_at_levels(
                levels, offset, codes, self.positive[own], weights, total
            )

    def _weights_of_codes(self, model: int) -> Vector:
        """Return the weight of the rows of each code; of one output, of some other code for all."""
        if self.loss.n_classes > 1:
            weights = self.weights_of(model * self.loss.n_classes)
            return np.bincount(self.codes_of(model), weights).astype(np.float64)
        positive = int(self.positive[model])
        counts = np.zeros(positive + 2)
        counts[positive], counts[0 if positive else 1] = self.weights_of_class(model)
        return counts

    # ---- passes at a point

    def _linear_part(self, shares: Vector) -> LinearPart:
        """Return what a fractional response takes off the cost: one pass, the first time."""
        if self._linear is None:
            self._linear = linear_part(self, shares - self._is_positive(0))
        return self._linear

    def evaluate(
        self, state: DescentState, penalty: CompiledL2, curvature_out: RowCurvature | None = None
    ) -> None:
        """Put the cost, with the penalty that passes can add, and its gradient into the state."""
        shape = self.n_outputs, self.design.shape[0]
        outputs = None if curvature_out is None else curvature_out.values.reshape(shape)
        if isinstance(self.loss, RowLoss):
            self.loss.evaluate(self, state, outputs)
            return
        if outputs is None:
            self.design.evaluate(self._targets, penalty, state)
        else:
            self.design.evaluate(self._targets, penalty, state, outputs)
        if self.shares is not None:
            self._linear_part(self.shares).take_off(state, self.fit_intercept)

    def descend(
        self, state: DescentState, penalty: CompiledL2, step_size: float, accelerate: bool,
        tol: float, history_out: Matrix,
    ) -> tuple[int, int]:  # fmt: skip
        """Take up to ``len(history_out)`` gradient steps from an evaluated state, one pass each."""
        return self.design.descend(
            self._targets, penalty, step_size, accelerate, tol, state, history_out
        )

    def empty_curvature(self, n_models: int | None = None) -> RowCurvature:
        """Return what row curvatures of models are put into."""
        n_models = self.n_models if n_models is None else n_models
        return RowCurvature(np.empty((n_models, self.loss.n_classes * self.design.shape[0])))

    def raw_predictions(self, theta: Vector | Matrix, with_intercept: bool = True) -> Matrix:
        """Return the raw predictions of all outputs, (n_outputs, n_samples), without offset."""
        coef, intercept = (np.ascontiguousarray(part) for part in self.split(theta))
        return self.design.raw_prediction(coef, intercept if with_intercept else 0.0 * intercept)

    def predictions(self, theta: Matrix) -> RowPredictions:
        """Return what models of one output predict for the rows, without offset: one pass."""
        return RowPredictions(self.raw_predictions(theta))

    def residuals(self, theta: Matrix) -> RowResiduals:
        """Return the weighted residuals, ``weight * (probability of k - (class is k))``: a pass."""
        return self.derivatives(theta)[2]

    def derivatives(self, theta: Matrix) -> tuple[DescentState, RowCurvature, RowResiduals]:
        """Return mean losses and their gradients, row curvatures and residuals: one pass."""
        state = start_state(*(np.ascontiguousarray(part) for part in self.split(theta)))
        outputs = np.empty((2 * self.n_outputs, self.design.shape[0]))
        if isinstance(self.loss, RowLoss):
            self.loss.evaluate(self, state, outputs)
        else:
            none = CompiledL2(np.zeros((1, self.design.shape[1])), self.fit_intercept)
            self.design.evaluate(self._targets, none, state, outputs)
            if self.shares is not None:
                self._linear_part(self.shares).take_off(state, self.fit_intercept)
                outputs[self.n_outputs :] -= self._linear_part(self.shares).weights
        curvature = outputs[: self.n_outputs].reshape(self.n_models, -1)
        return state, RowCurvature(curvature), RowResiduals(outputs[self.n_outputs :])

    def majorizing(self, theta: Matrix) -> RowCurvature:
        """Return curvatures of functions above the loss, of each output, times weights: one pass.

        They are at least those of the loss, for any change of the raw predictions.
        """
        raw, targets = self.raw_predictions(theta), self._targets
        if len(targets.offset):
            raw += targets.offset[np.arange(len(raw)) % len(targets.offset)]
        each = raw.reshape(self.n_models, self.loss.n_classes, -1)
        curvature = self.loss.majorizing(each).reshape(raw.shape)
        if len(targets.weights):
            curvature *= targets.weights[targets.weight_set]
        return RowCurvature(curvature)

    def largest_range(self, direction: Vector) -> float:
        """Return the largest range, over the classes of one model, of a row's raw predictions."""
        return float(np.ptp(self.raw_predictions(direction), axis=0).max())

    def largest_square(self, directions: Matrix, together: int) -> float:
        """Return the largest sum over directions of a row's squared raw predictions.

        `directions` (n, n_parameters) of one model; passes take `together` of them at once.
        """
        squares = np.zeros(self.design.shape[0])
        for first in range(0, len(directions), together):
            part = np.ascontiguousarray(directions[first : first + together])
            squares += np.square(self.raw_predictions(part, self.fit_intercept)).sum(axis=0)
        return float(squares.max())

    # ---- sums with row curvatures

    def hessian(self, curvature: RowCurvature, model: int) -> Matrix:
        """Return the Hessian of one model's mean loss from its row curvatures, and no others."""
        total = self.total_weight[model * self.loss.n_classes]
        return self.loss.hessian(curvature.values[0], self._gram, total)

    def pair_hessian(self, curvature: RowCurvature, classes: Indices, places: Indices) -> Matrix:
        """Return a softmax's Hessian in pairs of class and column, and intercepts but the last.

        See `objective.pair_hessian`; of one model.
        """
        shares = curvature.values.reshape(self.loss.n_classes, -1)
        total = float(self.total_weight[0])
        return pair_hessian(self.design, shares, total, classes, places, self.fit_intercept)

    def class_pair_blocks(
        self, curvature: RowCurvature, classes: Indices, places: Indices
    ) -> Matrix:
        """Return X' diag(curvature) X of each class in its pairs and its intercept but the last.

        `curvature` holds a number for each output of one model.
        """
        each = curvature.values.reshape(self.loss.n_classes, -1)
        total = float(self.total_weight[0])
        return class_blocks(self.design, each, total, classes, places, self.fit_intercept)

    def class_hessians(self, curvature: RowCurvature, model: int) -> Cube:
        """Return the blocks on the diagonal of `hessian`, one for each output of the model."""
        total = self.total_weight[model * self.loss.n_classes]
        return self.loss.class_hessians(curvature.values[0], self._gram, total)

    def mean_hessian(self, curvature: RowCurvature) -> Matrix:
        """Return the Hessian of the loss of an output, the mean over all outputs: one pass."""
        weights = self.loss.class_weights(curvature.values).mean(axis=(0, 1))
        return self._gram(weights, self.total_weight.mean())

    def _gram(self, weights: Vector, total_weight: float) -> Matrix:
        hessian = self.design.gram(weights) / total_weight
        if not self.fit_intercept:
            hessian[-1], hessian[:, -1] = 0.0, 0.0
        return hessian

    def product(
        self, curvature: RowCurvature, coef: Matrix, intercept: Vector
    ) -> tuple[Matrix, Vector]:
        """Return the Hessians of the mean losses times vectors, one for each model: one pass."""
        targets = self.loss.product_targets(curvature.values, self.total_weight)
        return self._product(targets, coef, intercept)

    def narrow_equation(
        self, curvature: RowCurvature, strengths: Vector, gradient: Matrix
    ) -> NarrowEquation:
        """Return Newton's equation in float32, with an L2 penalty: see `Design.solves_narrow`."""
        targets = self.loss.product_targets(curvature.values, self.total_weight)
        means = self.mean_curvatures(curvature)[:, 0]
        models = Quadratics(targets, means, strengths, self.loss.is_coupled, self.fit_intercept)
        return self.design.narrow_equation(models, gradient.reshape(self.n_outputs, -1))

    def output_product(
        self, curvature: RowCurvature, coef: Matrix, intercept: Vector
    ) -> tuple[Matrix, Vector]:
        """Return X' diag(curvature) X of each output, over its weight, times a vector: one pass."""
        targets = plain_targets(SQUARED, curvature.values, self.total_weight)
        return self._product(targets, coef, intercept)

    def weight_product(self, coef: Matrix, intercept: Vector) -> tuple[Matrix, Vector]:
        """Return what is at least X' W X of every model, over its weight, times a vector."""
        sets = self._targets.weights
        weights = sets if len(sets) < 2 else sets.max(axis=0)[None, :]
        targets = plain_targets(SQUARED, weights, self.total_weight.min(keepdims=True))
        return self._product(targets, coef, intercept)

    def _product(self, targets: Targets, coef: Matrix, intercept: Vector) -> tuple[Matrix, Vector]:
        slopes, last = self.design.hessian_product(
            targets, np.ascontiguousarray(coef), intercept * self.fit_intercept
        )
        return slopes, last * self.fit_intercept

    def mean_curvatures(self, curvature: RowCurvature) -> Matrix:
        """Return what the mean row adds to the Hessian of each output, (n_outputs, 1)."""
        weights = self.loss.class_weights(curvature.values)
        total = weights.reshape(self.n_outputs, -1).sum(axis=1, keepdims=True)
        total /= self.total_weight[:, None]
        return total

    def output_curvature(self, curvature: RowCurvature) -> RowCurvature:
        """Return what each row adds to the Hessian of each output."""
        weights = self.loss.class_weights(curvature.values)
        return RowCurvature(weights.reshape(self.n_outputs, -1))

    def likely_classes(self, curvature: RowCurvature, share: float) -> RowCurvature:
        """Return row curvatures of one softmax model, 0 for classes out of the question for a row.

        Those whose probability is below `share`, but for the row's own.
        """
        shares = curvature.values.reshape(self.loss.n_classes, -1)
        codes = np.argsort(self.positive)[self.codes_of(0)]
        likely = shares >= share * shares.sum(axis=0)
        likely[codes, np.arange(codes.size)] = True
        return RowCurvature((shares * likely).reshape(1, -1))

    def draw(self, curvature: RowCurvature, count: int) -> tuple[Design, IndexMatrix]:
        """Return a design, and (n_outputs, count) rows of it in proportion to the curvatures."""
        return self.design, curvature.draw(count)

    def leading(self, curvature: RowCurvature, count: int) -> LeadingRows:
        """Return a copy of the rows of largest curvature of one model of one output."""
        rows, values = curvature.leading(count)
        shares = values / self.total_weight[0]
        return LeadingRows(self.design.take(rows), shares, self.fit_intercept)

    def output_grams(self, curvature: RowCurvature, tiny: float) -> Cube:
        """Return X' diag(curvature) X of each output over its weight: as many passes.

        Without rows whose curvature is below the share `tiny` of the mean row's.
        """
        values = curvature.values
        values = np.where(values >= tiny * values.mean(axis=1, keepdims=True), values, 0.0)
        return self.design.grams(values / self.total_weight[:, None])

    def curvature_mean(self, curvature: RowCurvature) -> Vector:
        """Return the rows' mean, weighted by the curvatures of a model of one output: one pass."""
        return self.design.column_means(curvature.values[0], float(curvature.totals()[0]))

    def intercept_hessian(self, curvature: RowCurvature) -> Matrix:
        """Return the mean loss's Hessian in the intercepts of one model, (n_classes, n_classes)."""
        shares = curvature.values.reshape(self.loss.n_classes, -1)
        weight = shares.sum(axis=0)
        inverse = np.divide(1.0, weight, out=np.zeros_like(weight), where=weight > 0.0)
        # Not by BLAS, whose threads then keep the cores busy for a while.
        products = np.einsum("kn,jn->kj", shares * inverse, shares) / self.total_weight[0]
        np.fill_diagonal(products, 0.0)
        # Rows add up to 0: the diagonal without a difference that cancels.
        return np.diag(products.sum(axis=1)) - products


def _sets_of(offset: Vector | Matrix | None, n_samples: int) -> Matrix:
    if offset is None or not offset.size:
        return np.empty((0, n_samples))
    return offset.reshape(-1, n_samples)


def _some(
    array: np.ndarray[tuple[int, int], np.dtype[Number]], rows: Indices | Sequence[int]
) -> np.ndarray[tuple[int, int], np.dtype[Number]]:
    return readonly(np.ascontiguousarray(array[rows]))


def _every(
    sets: np.ndarray[tuple[int, int], np.dtype[Number]], stride: int
) -> np.ndarray[tuple[int, int], np.dtype[Number]]:
    return np.ascontiguousarray(sets[:, ::stride])
