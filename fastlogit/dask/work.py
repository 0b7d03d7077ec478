"""What runs in workers: a partition's rows as one part of all, and what they are asked.

Each function takes the rows of a partition as a model sees them now, and returns what is added up,
or the largest, over all partitions. Means are of the weight of all rows: they add up as they are.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..arrays import Array, Floats, Indices, Matrix, Vector
from ..design.base import Columns, RowCounter
from ..kernels.descent import state_at
from ..objective.labelled_rows import LabelledRows
from ..objective.penalties import CompiledL2
from ..objective.row_state import RowCurvature, RowPredictions
from .rounds import Answer, Kept, Value

__all__ = [
    "Place",
    "View",
    "answer",
    "keep",
]


class View(NamedTuple):
    """How a model sees rows now: standardisation, which models, the weight of all rows."""

    columns: Columns
    models: Indices | None
    total_weight: Vector
    # What offsets are divided by.
    scale: float = 1.0


class Place:
    """The rows of a partition, where they lie.

    Parameters
    ----------
    rows : LabelledRows
    """

    def __init__(self, rows: LabelledRows) -> None:
        self.rows = rows

    def __sizeof__(self) -> int:
        """Say how much memory they take: dask decides by it what to spill and what to move."""
        return object.__sizeof__(self) + _bytes_of(self.rows, set(), 4)

    def as_seen(self, view: View) -> LabelledRows:
        """Return the rows as part of all, with a counter of their own."""
        design = copy.copy(self.rows.design)
        design.counter = RowCounter(design.shape[0])
        rows = self.rows.over(design.standardized(view.columns))
        rows = rows if view.models is None else rows.only(view.models)
        rows = rows if view.scale == 1.0 else rows.cooled(view.scale)
        return rows.among(view.total_weight)


class Own(NamedTuple):
    """What one partition gets, and no other."""

    value: Any


def _bytes_of(what: Value, seen: set[int], depth: int) -> int:
    """Return the bytes of the arrays that an object holds, each once."""
    if id(what) in seen or depth < 0:
        return 0
    seen.add(id(what))
    if isinstance(what, np.ndarray):
        owner = what
        while isinstance(owner.base, np.ndarray):
            owner = owner.base
        if owner is not what and id(owner) in seen:
            return 0
        seen.add(id(owner))
        return what.nbytes
    if isinstance(what, tuple | list):
        return sum(_bytes_of(part, seen, depth - 1) for part in what)
    inside = getattr(what, "__dict__", None)
    if inside is None:
        return sys.getsizeof(what)
    return sum(_bytes_of(part, seen, depth - 1) for part in inside.values())


def answer(
    place: Place, *held: Value, does: Callable[..., Any], view: View, given: tuple[Any, ...]
) -> Answer:
    """Return what a partition answers; `held` are row states that tasks have kept, or own parts."""
    rows = place.as_seen(view)
    own = [part.state if isinstance(part, Kept) else part.value for part in held]
    value = does(rows, *own, *given)
    return Answer(value, rows.design.counter.rows)


def keep(
    place: Place, *held: Value, does: Callable[..., Any], view: View, given: tuple[Any, ...]
) -> Kept:
    """Return a row state, which stays here, with what the partition answers."""
    rows = place.as_seen(view)
    own = [part.state if isinstance(part, Kept) else part.value for part in held]
    state, value = does(rows, *own, *given)
    return Kept(state, Answer(value, rows.design.counter.rows))


# ------------------------------------------------------------------------------------------------
# Passes at a point


def evaluate(rows: LabelledRows, coef: Matrix, intercept: Vector) -> tuple[Floats, ...]:
    """Return the part of the mean losses, and of their gradients."""
    return _evaluate(rows, coef, intercept, None)


def evaluate_and_keep(
    rows: LabelledRows, coef: Matrix, intercept: Vector
) -> tuple[RowCurvature, tuple[tuple[Any, ...], float]]:
    """Return row curvatures, and what `evaluate` does with what is asked of curvatures next."""
    curvature = rows.empty_curvature()
    found = _evaluate(rows, coef, intercept, curvature)
    sums = (*found, curvature.totals(), float(curvature.n_positive()))
    return curvature, (sums, curvature.least_positive())


def _evaluate(
    rows: LabelledRows, coef: Matrix, intercept: Vector, curvature: RowCurvature | None
) -> tuple[Floats, ...]:
    state = state_at(coef.copy(), intercept.copy())
    none = CompiledL2(np.zeros((1, coef.shape[1])), rows.fit_intercept)
    rows.evaluate(state, none, curvature)
    return state.cost, state.gradient, state.intercept_gradient


def predictions(rows: LabelledRows, theta: Matrix) -> tuple[RowPredictions, float]:
    """Return raw predictions, which stay where the rows are."""
    return rows.predictions(theta), 0.0


def majorizing(rows: LabelledRows, theta: Matrix) -> tuple[RowCurvature, float]:
    """Return curvatures of functions above the loss."""
    return rows.majorizing(theta), 0.0


def output_curvature(
    rows: LabelledRows, curvature: RowCurvature
) -> tuple[RowCurvature, float]:  # fmt: skip
    """Return what each row adds to the Hessian of each output."""
    return rows.output_curvature(curvature), 0.0


def likely_classes(
    rows: LabelledRows, curvature: RowCurvature, share: float
) -> tuple[RowCurvature, float]:  # fmt: skip
    """Return row curvatures without classes that are out of the question."""
    return rows.likely_classes(curvature, share), 0.0


def call(rows: LabelledRows, *given: Value) -> Any:
    """Return what a method of the rows does: its name comes last but for the arguments."""
    place = next(i for i, part in enumerate(given) if isinstance(part, Method))
    return getattr(rows, given[place].name)(*given[:place], *given[place + 1 :])


def call_design(rows: LabelledRows, *given: Value) -> Any:
    """Return what a method of the design does."""
    place = next(i for i, part in enumerate(given) if isinstance(part, Method))
    return getattr(rows.design, given[place].name)(*given[:place], *given[place + 1 :])


class Method(NamedTuple):
    """The name of a method."""

    name: str


# ------------------------------------------------------------------------------------------------
# Sums over the rows


def weights_of_all(rows: LabelledRows, n_classes: int) -> tuple[Vector, Matrix, Vector]:
    """Return the weight of all rows for each output, and of each class in each set of weights.

    Last come how many rows of weight each class has.
    """
    codes, sets = rows.codes_of(0), rows._targets.weights
    counts = np.bincount(codes, minlength=n_classes).astype(np.float64)
    if not len(sets):
        return np.full(rows.n_outputs, float(codes.size)), counts[None], counts
    of_class = np.array([np.bincount(codes, own, n_classes) for own in sets])
    counts = np.bincount(codes[(sets > 0.0).all(axis=0)], minlength=n_classes).astype(np.float64)
    return sets.sum(axis=1)[rows.weight_set], of_class, counts


def subsample(place: Place, first: int, stride: int) -> Place:
    """Return every `stride`-th row of a partition from one on, which stay there."""
    rows, targets = place.rows, place.rows._targets
    design: Any = rows.design
    some = slice(first, None, stride)
    if hasattr(design, "part"):
        taken = design.part(first, design.shape[0]).subsample(stride)
    else:
        taken = design.take(np.arange(first, design.shape[0], stride))
    return Place(
        LabelledRows(
            taken, rows.loss, np.ascontiguousarray(targets.codes[:, some]), targets.positive,
            np.ascontiguousarray(targets.weights[:, some]),
            np.ascontiguousarray(targets.offset[:, some]), rows.fit_intercept, targets.weight_set,
        )
    )  # fmt: skip


def weight_of_place(place: Place) -> Answer:
    """Return the sum of the weights of each output."""
    return Answer(place.rows.total_weight.copy(), 0)


def means_of_columns(rows: LabelledRows, variances: bool) -> tuple[Vector, float]:
    """Return sums of columns, or of squares of their distance from the centre, and the weight."""
    weights = np.ascontiguousarray(rows.common_weights())
    total = float(weights.sum()) if weights.size else float(rows.design.shape[0])
    which = rows.design.column_variances if variances else rows.design.column_means
    return which(weights, 1.0), total


def column_sums(rows: LabelledRows, curvature: RowCurvature) -> tuple[Vector, float]:
    """Return sums of columns weighted by curvatures, and the sum of these."""
    return rows.design.column_means(curvature.values[0], 1.0), float(curvature.totals()[0])


def weights_at_ends(rows: LabelledRows) -> tuple[float, float]:
    """Return the least positive weight, and less the largest: minima of all are those of parts."""
    weights = rows.common_weights()
    if not weights.size:
        return 1.0, -1.0
    positive = weights[weights > 0.0]
    return float(positive.min(initial=np.inf)), -float(weights.max())


def n_of_weight(rows: LabelledRows, output: int) -> float:
    """Return how many rows have weight for an output."""
    return float(rows.n_of_weight(output))


def weights_of_class(rows: LabelledRows, output: int) -> tuple[float, float]:
    """Return the weight of the rows that count as 1 for an output, and that of the others."""
    return rows.weights_of_class(output)


def output_grams(rows: LabelledRows, curvature: RowCurvature, tiny: Vector) -> Floats:
    """Return X' diag(curvature) X of each output over its weight, without tiny curvatures."""
    values = np.where(curvature.values >= tiny[:, None], curvature.values, 0.0)
    return rows.design.grams(values / rows.total_weight[:, None])


def drawn_rows(
    rows: LabelledRows, curvature: RowCurvature, counts: Indices
) -> list[Array]:  # fmt: skip
    """Return copies of rows in proportion to their curvatures, so many for each output."""
    found = []
    for output, count in enumerate(counts):
        which = curvature[output].draw(int(count))[0] if count else np.empty(0, dtype=np.int64)
        found.append(np.asarray(rows.design.rows(which), dtype=np.float64))
    return [found]  # type: ignore[list-item]  # a list of each partition


def leading_rows(
    rows: LabelledRows, curvature: RowCurvature, count: int
) -> list[tuple[Array, Vector]]:
    """Return copies of the rows of largest curvature of one model, and these curvatures."""
    which, values = curvature.leading(count)
    return [(np.asarray(rows.design.rows(which), dtype=np.float64), values)]


def weights_in_list(rows: LabelledRows, output: int) -> list[Vector | None]:
    """Return the weights of a partition's rows for an output, in a list."""
    return [rows.weights_of(output)]


def common_weights_in_list(rows: LabelledRows) -> list[Vector]:
    """Return weights that see every row which a model sees, in a list."""
    return [rows.common_weights()]


def codes_in_list(rows: LabelledRows, model: int) -> list[Array]:
    """Return the classes of a partition's rows, in a list."""
    return [rows.codes_of(model)]


def gram(rows: LabelledRows, curvature: Vector) -> Matrix:
    """Return X' diag(curvature) X."""
    return rows.design.gram(curvature)


def rows_by_place(rows: LabelledRows, indices: Indices) -> list[Array]:
    """Return copies of some rows as they are, in a list."""
    return [np.asarray(rows.design.rows(indices), dtype=np.float64)]


def totals_in_list(rows: LabelledRows, curvature: RowCurvature) -> list[Vector]:
    """Return the sum of each output's curvatures, in a list."""
    return [curvature.totals()]


def every(rows: LabelledRows, first: int, stride: int) -> list[tuple[Array, ...]]:
    """Return copies of every `stride`-th row from one on, classes, weights, offsets, in a list."""
    which = np.arange(first, rows.design.shape[0], stride)
    rows.design.counter.rows += which.size
    targets = rows._targets
    X = np.ascontiguousarray(rows.design.rows(which))
    return [(X, targets.codes[0, which], targets.weights[:, which], targets.offset[:, which])]


def offsets_of_every(
    rows: LabelledRows, first: int, model: int, stride: int
) -> list[tuple[Array, ...]]:
    """Return offsets of every `stride`-th row from one on, and its weights, in a list."""
    offset, weights = rows.offsets_of_every(1, model)
    own = np.array([each[first::stride] for each in weights if each is not None])
    return [(np.ascontiguousarray(offset[:, first::stride]), own)]


def in_list(rows: LabelledRows, *given: Value) -> list[Any]:
    """Return what a method of the design does, in a list."""
    return [call_design(rows, *given)]


def blocks_of_weight(rows: LabelledRows, output: int, size: int, columns: Indices) -> list[Array]:
    """Return some columns of the rows that have weight, as they are, in a list."""
    blocks = rows.blocks_of_weight(output, size, columns)
    return [np.asarray(block, dtype=np.float64) for block in blocks]


def first_not_finite(rows: LabelledRows) -> list[Any]:
    """Return the first value that is NaN or infinite, in a list, with how many rows there are."""
    return [(rows.design.first_not_finite(), rows.design.shape[0])]


# ------------------------------------------------------------------------------------------------
# Row states, of which handles are held elsewhere


def totals(rows: LabelledRows, state: RowCurvature) -> Vector:
    """Return the sum over the rows of each model."""
    return state.totals()


def least_positive(rows: LabelledRows, state: RowCurvature) -> float:
    """Return the least that is positive."""
    return state.least_positive()


def n_positive(rows: LabelledRows, state: RowCurvature) -> float:
    """Return how many are positive."""
    return float(state.n_positive())


def apart(rows: LabelledRows, state: RowCurvature, model: int, other: int) -> tuple[float, float]:
    """Return how far two models are apart in sum, and the sum of the second."""
    difference = np.abs(state.values[model] - state.values[other]).sum()
    return float(difference), float(state.values[other].sum())


def largest_change(rows: LabelledRows, one: RowPredictions, other: RowPredictions) -> Vector:
    """Return for each model the largest difference."""
    return one.largest_change(other)


def largest_of(rows: LabelledRows, raw: RowPredictions, curvature: RowCurvature) -> Vector:
    """Return the largest size of each model's, among rows whose curvature is positive."""
    return raw.largest(curvature)


def squares_of(rows: LabelledRows, raw: RowPredictions, curvature: RowCurvature) -> Vector:
    """Return the sum of squares times curvatures."""
    return raw.squares(curvature)


def some_models(kept: Kept, models: Value) -> Kept:
    """Return the row states of some models."""
    return Kept(kept.state[models], kept.answer)


def with_models(kept: Kept | None, others: Kept, models: Value, n_models: int) -> Kept:
    """Return row states with those of some models taken from others."""
    state = others.state.like(n_models) if kept is None else copy.deepcopy(kept.state)
    state[models] = others.state
    return Kept(state, others.answer)
