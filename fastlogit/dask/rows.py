"""Labelled rows that lie in partitions: the same questions, each answered by one round."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from ..arrays import Cube, Features, IndexMatrix, Indices, Integers, Matrix, Vector
from ..design.base import Columns, Design, RowCounter, readonly, step_by_step
from ..design.blockwise import finish_evaluation
from ..design.dense import DenseDesign
from ..kernels.descent import DescentState, start_state
from ..kernels.passes import Targets
from ..objective.labelled_rows import TINY, LabelledRows
from ..objective.leading_rows import LeadingRows
from ..objective.losses import Loss, RowLoss
from ..objective.penalties import CompiledL2
from ..objective.row_state import RowCurvature, RowPredictions, RowResiduals
from . import work
from .design import PartitionedDesign
from .parts import Parts
from .placement import Spread
from .rounds import Combine, add, add_beside_least, join, largest, least
from .states import CurvatureElsewhere, Measures, PredictionsElsewhere, ResidualsElsewhere

__all__ = ["PartitionedRows"]

# Numbers of a subsample that may come to this process: 64 MB. That of 10,000,000 x 20 has 34, and a
# start over it in the workers would take a dozen rounds of 10 ms.
FEW_NUMBERS = 2**23


class PartitionedRows(LabelledRows):
    """Rows of partitions with their classes and weights, which stay in the workers.

    Parameters
    ----------
    design : PartitionedDesign
    loss : Loss
    positive : sequence of int
        For each output the class that counts as 1.
    total_weight : ndarray of shape (n_outputs,)
    class_weights : ndarray of shape (n_sets, n_classes)
        The weight of the rows of each class, in each set of weights; of one where all are 1.
    class_counts : ndarray of int64, shape (n_classes,)
        How many rows of weight these are.
    fit_intercept : bool
    n_sets : int
        Sets of weights: 0 where all are 1, 1 for all outputs, or one for each.
    n_offsets : int
        0, or 1 for all outputs.
    """

    design: PartitionedDesign
    in_parts = True

    def __init__(
        self, design: PartitionedDesign, loss: Loss, positive: Indices | Sequence[int],
        total_weight: Vector, class_weights: Matrix, class_counts: Integers, fit_intercept: bool,
        n_sets: int, n_offsets: int,
    ) -> None:  # fmt: skip
        self.design, self.loss, self.fit_intercept = design, loss, fit_intercept
        self.shares, self._linear = None, None
        self._class_counts = class_counts
        self._class_weights: Matrix | None = class_weights
        n_outputs = len(positive)
        weight_set = np.arange(n_outputs) if n_sets > 1 else np.zeros(n_outputs, dtype=np.int64)
        # No row is here: what `only` and the properties need is.
        self._targets = Targets(
            -1 if loss.kernel is None else loss.kernel, loss.n_classes,
            np.empty((1, 0), dtype=np.uint8),
            readonly(np.array(positive, dtype=np.int64)), np.empty((n_sets, 0)),
            readonly(weight_set), total_weight, np.empty((n_offsets, 0)),
        )  # fmt: skip
        self._see(design)

    @property
    def parts(self) -> Parts:
        """The partitions."""
        return self.design.parts

    def _see(self, design: PartitionedDesign, models: Indices | None = None) -> None:
        """Let the partitions see what this does."""
        changes: dict[str, object] = {"total_weight": self.total_weight}
        if models is not None:
            changes["models"] = models
        self.design = design.over(design.parts.seen(**changes))

    def of_parts(
        self, function: Callable[..., Any], states: tuple[object, ...], *given: object,
        combine: Combine = add, numbers: int | None = None,
    ) -> Any:  # fmt: skip
        """Return what a function says of the rows and row states, added up over their parts.

        Of a module: ``function(rows, *states, *given)``. States are also what each partition gets.
        """
        held = [work.Own(number) for number in range(len(self.parts.sizes))], *map(_kept, states)
        return self.parts.ask(
            work.Numbered(function), *given, held=held, combine=combine, numbers=numbers
        )

    # ---- other rows, other models

    def seen_with(
        self, parts: Parts, positive: Indices, weight_set: Indices, class_weights: Matrix
    ) -> PartitionedRows:
        """Return the same as other models with other weights see them, of which parts are made.

        `class_weights` (n_sets, n_classes) are the weight of the rows of each class in each set.
        """
        other = copy.copy(self)
        weight_set = np.array(weight_set, dtype=np.int64)
        other._targets = self._targets._replace(
            positive=readonly(np.array(positive, dtype=np.int64)),
            weights=np.empty((len(class_weights), 0)), weight_set=readonly(weight_set),
            total_weight=class_weights.sum(axis=1)[weight_set],
        )  # fmt: skip
        other._class_weights = class_weights
        other._see(self.design.over(parts))
        return other

    def over(self, design: Design) -> PartitionedRows:
        """Return the same rows with other columns, that lie where these do."""
        assert isinstance(design, PartitionedDesign)
        other = copy.copy(self)
        other.design = design
        return other

    def counted_anew(self) -> PartitionedRows:
        """Return the same, whose passes are counted from 0."""
        other = copy.copy(self)
        other.design = self.design.with_counter(RowCounter(self.design.shape[0]))
        return other

    def weighted(self, positive: Indices, weights: object, weight_set: Indices) -> LabelledRows:
        """Return the same rows, as other models with the weights of folds see them."""
        folds: Any = weights  # `PartitionedFolds`, which imports this module
        found: LabelledRows = folds.of_rows(self, positive, weight_set)
        return found

    def scaled(self, factor: float) -> PartitionedRows:
        """Return the same with all weights multiplied by a number."""
        if factor == 1.0:
            return self
        assert self._class_weights is not None
        parts = self.parts
        other = copy.copy(self)
        other._targets = self._targets._replace(total_weight=self.total_weight * factor)
        other._class_weights = self._class_weights * factor
        other._see(self.design.over(parts.made(work.scaled, given=(factor,))))
        return other

    def standardized(self, columns: Columns) -> PartitionedRows:
        """Return the same with another standardisation of the design."""
        other = copy.copy(self)
        other.design = self.design.standardized(columns)
        return other

    def only(self, models: Indices | Sequence[int]) -> PartitionedRows:
        """Return the same as some of the models alone see it (an index array)."""
        other = super().only(models)
        assert isinstance(other, PartitionedRows)
        before = self.parts.view.models
        chosen = np.asarray(models)
        other._see(self.design, chosen if before is None else before[chosen])
        return other

    def subsample(self, stride: int) -> LabelledRows:
        """Return every `stride`-th row: a copy in this process where that is small.

        Then the start of a fit, which goes over them some twenty times, takes no rounds.
        """
        n_samples, n_features = self.design.shape
        if -(-n_samples // stride) * n_features <= FEW_NUMBERS and self.design.is_dense:
            return self._brought(stride)
        parts, total = self.parts.subsample(stride)
        models = self.parts.view.models
        total = total if models is None else total[self.outputs_of(models)]
        other = copy.copy(self)
        other._targets = self._targets._replace(total_weight=total)
        other._class_weights = None
        other._see(self.design.over(parts))
        return other

    def _brought(self, stride: int) -> LabelledRows:
        """Return a copy of every `stride`-th row: rows of one process."""
        taken, key = self.parts.taken, (stride, self.parts.view.scale)
        if key not in taken:
            firsts = self.parts.firsts(stride)
            taken.clear()
            taken[key] = self.parts.ask(
                work.every, stride, held=[firsts], combine=join, is_pass=False
            )
        X, codes, weights, offset = zip(*taken[key], strict=True)
        design = DenseDesign(
            np.concatenate(X), columns=self.design.columns, counter=self.design.counter
        )
        return LabelledRows(
            design, self.loss, np.concatenate(codes), self.positive,
            np.concatenate(weights, axis=1), np.concatenate(offset, axis=1), self.fit_intercept,
            self.weight_set,
        )  # fmt: skip

    def cooled(self, scale: float) -> LabelledRows:
        """Return the same with the offset over `scale`."""
        other = copy.copy(self)
        design = self.design
        other.design = design.over(design.parts.seen(scale=scale * design.parts.view.scale))
        return other

    def counted(self, most_numbers: int) -> LabelledRows:
        """Return the same: no rows are copied."""
        return self

    # ---- what rows say of themselves

    @property
    def has_weights(self) -> bool:
        """Whether rows have weights other than 1."""
        return len(self._targets.weights) > 0

    def weights_of(self, output: int) -> Vector | None:
        """Return the row weights of an output, which come here; None where all are 1."""
        if not self.has_weights:
            return None
        return np.concatenate(
            self.parts.ask(work.weights_in_list, output, combine=join, is_pass=False)
        )

    def codes_of(self, model: int) -> Integers:  # type: ignore[override]  # of either width
        """Return the class of each row."""
        return np.concatenate(
            self.parts.ask(work.codes_in_list, model, combine=join, is_pass=False)
        )

    def largest_curvature(self, curvature: RowCurvature, output: int) -> float:
        """Return the largest curvature of a row's loss at the first model's point, weight aside."""
        held = [_held(curvature)]
        found = self.parts.call(
            "largest_curvature", output, held=held, combine=largest, is_pass=False
        )
        return float(found)

    def n_of_weight(self, output: int) -> int:
        """Return how many rows have weight for an output."""
        return int(self.parts.ask(work.n_of_weight, output, is_pass=False))

    def offset_of(self, output: int) -> Vector | None:
        """Return the offset of each row, which comes here; None where there is none."""
        return self.offsets_of_every(1, output)[0][0] if self.n_offsets else None

    def offsets_of_every(self, stride: int, model: int) -> tuple[Matrix, list[Vector | None]]:
        """Return offsets (n_classes, n_rows) and weights of a model, of every `stride`-th row."""
        firsts = self.parts.firsts(stride)
        found = self.parts.ask(
            work.offsets_of_every, model, stride, held=[firsts], combine=join, is_pass=False
        )
        offset, weights = (np.concatenate(parts, axis=-1) for parts in zip(*found, strict=True))
        size = self.loss.n_classes
        each = [weights[k] for k in range(size)] if self.has_weights else [None] * size
        return offset, each

    def largest_offset(self) -> float:
        """Return the largest size of an offset."""
        return (
            float(self.parts.call("largest_offset", combine=largest, is_pass=False))
            if self.n_offsets
            else 0.0
        )

    def mean_offset(self) -> float:
        """Return the weighted mean of the offset of the first output, which there is."""
        return float(self.parts.call("mean_offset", is_pass=False))

    def sums_at_level(self, level: float) -> tuple[float, float, float]:
        """Return the sums of losses, slopes and curvatures of a model of an intercept alone."""
        cost, slope, curvature = self.parts.call("sums_at_level", level, is_pass=False)
        return float(cost), float(slope), float(curvature)

    def concordance(self, theta: Vector, model: int, reach: float) -> float:
        """Return the loss's self-concordance near a point of one model: a pass, where it is local.

        Where raw predictions change by at most `reach`; at least 1 then.
        """
        if not self.loss.is_local:
            return self.loss.self_concordance
        found = self.parts.call("concordance", np.array(theta), model, reach, combine=largest)
        return float(found)

    def weights_of_class(self, output: int) -> tuple[float, float]:
        """Return the weight of the rows that count as 1 for an output, and that of the others."""
        if self._class_weights is not None:
            of_class = self._class_weights[self.weight_set[output]]
            is_own = np.arange(of_class.size) == self.positive[output]
            return float(of_class[is_own].sum()), float(of_class[~is_own].sum())
        count, rest = self.parts.ask(work.weights_of_class, output, is_pass=False)
        return float(count), float(rest)

    def rows_of_classes(self, stride: int) -> Integers:
        """Return how many of every `stride`-th row of weight are of each class: about so many."""
        return self._class_counts // stride

    def least_weight_share(self) -> float | None:
        """Return the least positive weight over the largest; None where there are none."""
        if not self.has_weights:
            return None
        low, high = self.parts.ask(work.weights_at_ends, combine=least, is_pass=False)
        return float(low / -high)

    def common_weights(self) -> Vector:
        """Return weights that see every row which a model sees; empty for none. They come here."""
        if not self.has_weights:
            return np.empty(0)
        return np.concatenate(
            self.parts.ask(work.common_weights_in_list, combine=join, is_pass=False)
        )

    def column_means(self) -> Vector:
        """Return the weighted mean of each column of X: one pass; not finite where X is not."""
        return self._means(False)

    def column_variances(self) -> Vector:
        """Return the weighted mean of each column's squared distance from its centre: one pass."""
        return self._means(True)

    def first_look(self) -> None:
        """There is none: means and variances take a round each."""

    def _means(self, variances: bool) -> Vector:
        sums, weight = self.parts.ask(work.means_of_columns, variances)
        with np.errstate(over="ignore", invalid="ignore"):
            return sums / weight

    def root_mean_squares(self, output: int) -> Vector:
        """Return that of each standardised column in the weights of an output: one pass."""
        squares = self.parts.ask(work.squares_of_columns, output) / self.total_weight[output]
        return np.asarray((np.sqrt(squares) + TINY) * self.design.columns.inverse_scale)

    def blocks_of_weight(self, output: int, size: int, columns: Indices) -> Iterator[Features]:
        """Go over some columns of the rows that have weight, which come here: one pass."""
        yield from self.parts.ask(work.blocks_of_weight, output, size, columns, combine=join)

    def level_cost(self, model: int, levels: Vector) -> float:
        """Return the mean loss of a model of these intercepts and no slopes: no pass over X."""
        return float(self.parts.call("level_cost", model, levels, is_pass=False))

    # ---- passes at a point

    def evaluate(
        self, state: DescentState, penalty: CompiledL2, curvature_out: RowCurvature | None = None
    ) -> None:
        """Put the cost, with the penalty that passes can add, and its gradient into the state."""
        point, level = np.array(state.point), np.array(state.point_intercept)
        if curvature_out is None:
            cost, gradient, last = self.parts.ask(work.evaluate, point, level)
        else:
            assert isinstance(curvature_out, CurvatureElsewhere)
            kept, (sums, least_curvature) = self.parts.keep(
                work.evaluate_and_keep, point, level, combine=add_beside_least
            )
            cost, gradient, last, totals, n_positive, means = sums
            curvature_out.fill(kept, Measures(totals, least_curvature, n_positive, means))
        if isinstance(self.loss, RowLoss):  # whose penalty the objective adds
            penalty = CompiledL2(np.zeros((1, self.design.shape[1])), self.fit_intercept)
        with np.errstate(over="ignore", invalid="ignore"):
            finish_evaluation(state, np.column_stack([gradient, last, cost]), penalty)

    def descend(
        self, state: DescentState, penalty: CompiledL2, step_size: float, accelerate: bool,
        tol: float, history_out: Matrix,
    ) -> tuple[int, int]:  # fmt: skip
        """Take up to ``len(history_out)`` gradient steps from an evaluated state, a round each."""

        def evaluate(state: DescentState) -> None:
            self.evaluate(state, penalty)

        return step_by_step(
            evaluate, self.loss.n_classes, step_size, accelerate, tol, state, history_out
        )

    def empty_curvature(self, n_models: int | None = None) -> CurvatureElsewhere:
        """Return what row curvatures of models are put into."""
        return CurvatureElsewhere(self.parts, self.n_models if n_models is None else n_models)

    def predictions(self, theta: Matrix) -> RowPredictions:
        """Return what models of one output predict for the rows, without offset: one pass."""
        kept, _ = self.parts.keep(work.predictions, np.array(theta))
        return PredictionsElsewhere(self.parts, len(theta), kept)

    def derivatives(self, theta: Matrix) -> tuple[DescentState, RowCurvature, RowResiduals]:
        """Return mean losses and their gradients, row curvatures and residuals: one pass."""
        kept, (sums, least_curvature) = self.parts.keep(
            work.derivatives, np.array(theta), combine=add_beside_least
        )
        state = start_state(*(np.ascontiguousarray(part) for part in self.split(theta)))
        state.cost[...], state.gradient[...], state.intercept_gradient[...] = sums[:3]
        curvature = CurvatureElsewhere(self.parts, self.n_models)
        measures = Measures(sums[3], least_curvature, sums[4])
        curvature.fill(self.parts.derive(work.item, kept, given=(0,)), measures)
        residuals = self.parts.derive(work.item, kept, given=(1,))
        return state, curvature, ResidualsElsewhere(self.parts, self.n_outputs, residuals)

    def majorizing(self, theta: Matrix) -> RowCurvature:
        """Return curvatures of functions above the loss, of each output, times weights: a pass."""
        kept, _ = self.parts.keep(work.majorizing, np.array(theta))
        return CurvatureElsewhere(self.parts, self.n_outputs, kept)

    def largest_range(self, direction: Vector) -> float:
        """Return the largest range, over the classes of one model, of a row's raw predictions."""
        return float(self.parts.call("largest_range", direction, combine=largest))

    def largest_square(self, directions: Matrix, together: int) -> float:
        """Return the largest sum over directions of a row's squared raw predictions."""
        found = self.parts.call("largest_square", directions, together, combine=largest)
        return float(found)

    # ---- sums with row curvatures

    @property
    def _of_a_gram(self) -> int:
        """Numbers of X' diag(curvature) X, with the intercept."""
        return (self.design.shape[1] + 1) ** 2

    def hessian(self, curvature: RowCurvature, model: int) -> Matrix:
        """Return the Hessian of one model's mean loss from its row curvatures, and no others."""
        size = (self.design.shape[1] + 1) * self.loss.n_classes
        return self.parts.call("hessian", model, held=[_held(curvature)], numbers=size**2)

    def pair_hessian(self, curvature: RowCurvature, classes: Indices, places: Indices) -> Matrix:
        """Return a softmax's Hessian in pairs of class and column, and intercepts but the last."""
        return self._of_pairs("pair_hessian", curvature, classes, places)

    def class_pair_blocks(
        self, curvature: RowCurvature, classes: Indices, places: Indices
    ) -> Matrix:
        """Return X' diag(curvature) X of each class in its pairs and its intercept but the last."""
        return self._of_pairs("class_pair_blocks", curvature, classes, places)

    def _of_pairs(
        self, name: str, curvature: RowCurvature, classes: Indices, places: Indices
    ) -> Matrix:
        numbers = (classes.size + self.loss.n_classes) ** 2
        held = [_held(curvature)]
        return self.parts.call(name, classes, places, held=held, numbers=numbers)

    def class_hessians(self, curvature: RowCurvature, model: int) -> Cube:
        """Return the blocks on the diagonal of `hessian`, one for each output of the model."""
        numbers = self.loss.n_classes * self._of_a_gram
        return self.parts.call("class_hessians", model, held=[_held(curvature)], numbers=numbers)

    def mean_hessian(self, curvature: RowCurvature) -> Matrix:
        """Return the Hessian of the loss of an output, the mean over all outputs: one pass."""
        held = [_held(curvature)]
        return self.parts.call("mean_hessian", held=held, numbers=self._of_a_gram)

    def product(
        self, curvature: RowCurvature, coef: Matrix, intercept: Vector
    ) -> tuple[Matrix, Vector]:
        """Return the Hessians of the mean losses times vectors, one for each model: one pass."""
        return self.parts.call("product", coef, intercept, held=[_held(curvature)])

    def output_product(
        self, curvature: RowCurvature, coef: Matrix, intercept: Vector
    ) -> tuple[Matrix, Vector]:
        """Return X' diag(curvature) X of each output, over its weight, times a vector: one pass."""
        return self.parts.call("output_product", coef, intercept, held=[_held(curvature)])

    def weight_product(self, coef: Matrix, intercept: Vector) -> tuple[Matrix, Vector]:
        """Return what is at least X' W X of every model, over its weight, times a vector."""
        return self.parts.call("weight_product", coef, intercept)

    def mean_curvatures(self, curvature: RowCurvature) -> Matrix:
        """Return what the mean row adds to the Hessian of each output, (n_outputs, 1)."""
        assert isinstance(curvature, CurvatureElsewhere)
        if curvature.means is not None:
            return curvature.means
        return self.parts.call("mean_curvatures", held=[_held(curvature)])

    def output_curvature(self, curvature: RowCurvature) -> RowCurvature:
        """Return what each row adds to the Hessian of each output."""
        kept, _ = self.parts.keep(work.output_curvature, held=[_held(curvature)])
        return CurvatureElsewhere(self.parts, self.n_outputs, kept)

    def likely_classes(self, curvature: RowCurvature, share: float) -> RowCurvature:
        """Return row curvatures of one softmax model, 0 for classes out of the question."""
        kept, _ = self.parts.keep(work.likely_classes, share, held=[_held(curvature)])
        return CurvatureElsewhere(self.parts, 1, kept)

    def draw(self, curvature: RowCurvature, count: int) -> tuple[Design, IndexMatrix]:
        """Return copies of rows, `count` for each output in proportion to the curvatures."""
        each = np.array(self.parts.ask(work.totals_in_list, held=[_held(curvature)], combine=join))
        totals = each.sum(axis=0)
        shares = np.cumsum(each, axis=0) / np.where(totals > 0.0, totals, 1.0)
        shares[:, ~(totals > 0.0)] = 1.0
        ends = np.rint(shares * count).astype(np.int64)
        ends[-1] = count
        counts = np.diff(ends, axis=0, prepend=0)
        held: list[Spread | list[work.Own]] = [_held(curvature), self.parts.owned(list(counts))]
        found = self.parts.ask(work.drawn_rows, held=held, combine=join)
        rows = [block for output in range(len(totals)) for block in (own[output] for own in found)]
        design = DenseDesign(
            np.concatenate(rows), columns=self.design.columns, counter=self.design.counter
        )
        return design, np.arange(len(totals) * count).reshape(len(totals), count)

    def leading(self, curvature: RowCurvature, count: int) -> LeadingRows:
        """Return a copy of the rows of largest curvature of one model of one output."""
        found = self.parts.ask(work.leading_rows, count, held=[_held(curvature)], combine=join)
        curvatures = np.concatenate([values for _, values in found])
        best = np.sort(np.argsort(-curvatures, kind="stable")[:count])
        rows = np.concatenate([block for block, _ in found])[best]
        shares = curvatures[best] / self.total_weight[0]
        return LeadingRows(
            DenseDesign(rows, columns=self.design.columns), shares, self.fit_intercept
        )

    def output_grams(self, curvature: RowCurvature, tiny: float) -> Cube:
        """Return X' diag(curvature) X of each output over its weight: as many passes."""
        least_counted = tiny * curvature.totals() / self.design.shape[0]
        numbers = self.n_outputs * self._of_a_gram
        held = [_held(curvature)]
        return self.parts.ask(work.output_grams, least_counted, held=held, numbers=numbers)

    def curvature_mean(self, curvature: RowCurvature) -> Vector:
        """Return the rows' mean, weighted by the curvatures of a model of one output: one pass."""
        sums, total = self.parts.ask(work.column_sums, held=[_held(curvature)])
        return sums / total

    def intercept_hessian(self, curvature: RowCurvature) -> Matrix:
        """Return the mean loss's Hessian in the intercepts of one model, (n_classes, n_classes)."""
        return self.parts.call("intercept_hessian", held=[_held(curvature)])


def _kept(state: object) -> Spread | Sequence[Any]:
    """Return the handles of a row state, or what each partition gets."""
    if isinstance(state, CurvatureElsewhere | ResidualsElsewhere):
        return state.held
    assert isinstance(state, Spread | list)
    return state


def _held(curvature: RowCurvature) -> Spread:
    assert isinstance(curvature, CurvatureElsewhere)
    return curvature.held


# What takes or returns a number for each row, or rows in this process.
STAYING = (
    "rows_of", "table", "raw_predictions", "residuals", "among", "narrow_equation",
)  # fmt: skip


def _refused(name: str) -> object:
    def refuse(self: PartitionedRows, *_: object, **__: object) -> None:
        raise NotImplementedError(f"{name} of rows that lie in dask partitions is not there")

    return refuse


for _name in STAYING:
    setattr(PartitionedRows, _name, _refused(_name))
