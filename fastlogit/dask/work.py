"""What runs in workers: partitions' rows as parts of all, and what they are asked.

`answer` and `keep` are tasks: each goes over the partitions of a group. The functions that these
are given take the rows of a partition as a model sees them now, and return what is added up, or the
largest, over all partitions. Means are of the weight of all rows: they add up as they are.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from .. import threads
from ..arrays import Array, Floats, Indices, Matrix, Vector
from ..design.base import Columns, RowCounter
from ..kernels.descent import state_at
from ..objective.labelled_rows import LabelledRows
from ..objective.penalties import CompiledL2
from ..objective.row_state import RowCurvature, RowPredictions, RowResiduals
from .allocation import keeping_memory
from .placement import Values
from .rounds import Combine, Told, Value, add
from .tree import Answer, Node, fold

__all__ = [
    "Held",
    "Kept",
    "Own",
    "Place",
    "Question",
    "View",
    "answer",
    "derive",
    "here",
    "items_of",
    "keep",
    "subsamples",
    "told_of",
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
    owns_rows : bool, default True
        Whether X is counted as theirs, and not as another place's.
    """

    def __init__(self, rows: LabelledRows, owns_rows: bool = True) -> None:
        self.rows, self._owns_rows = rows, owns_rows

    def __sizeof__(self) -> int:
        """Say how much memory they take: dask decides by it what to spill and what to move."""
        seen: set[int] = set() if self._owns_rows else {id(self.rows.design)}
        return object.__sizeof__(self) + _bytes_of(self.rows, seen, 4)

    def as_seen(self, view: View, n_threads: int = 1) -> LabelledRows:
        """Return the rows as part of all, with a counter of their own."""
        design = copy.copy(self.rows.design)
        design.counter, design.n_threads = RowCounter(design.shape[0]), n_threads
        rows = self.rows.over(design.standardized(view.columns))
        rows = rows if view.models is None else rows.only(view.models)
        rows = rows if view.scale == 1.0 else rows.cooled(view.scale)
        return rows.among(view.total_weight)


class Own(NamedTuple):
    """What one partition gets, and no other."""

    value: Any


def size_of(what: Value) -> int:
    """Return the bytes of the arrays of a partition, or of a row state."""
    return sys.getsizeof(what) if isinstance(what, Place) else _bytes_of(what, set(), 4)


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


class Question(NamedTuple):
    """What all groups of partitions are asked.

    Attributes
    ----------
    does : callable
        ``does(rows, *held, *given)``, of a module.
    given : tuple
        What all partitions get.
    combine : callable
        Of what two neighbours say.
    n_leaves : int
        How many partitions there are in all.
    """

    does: Callable[..., Any]
    given: tuple[Any, ...]
    combine: Combine
    n_leaves: int


# Partitions of a group, or their row states, as a task gets them: one value of a task before, or
# one of each partition.
Held: TypeAlias = Values | list[Any]


@keeping_memory()
def answer(
    members: Sequence[int],
    n_threads: int,
    view: View,
    places: Held,
    *held: Held,
    question: Question,
) -> Told:
    """Return what the partitions of a group answer; `held` are row states, or parts of their own.

    Parameters
    ----------
    members : sequence of int
        Which of all partitions they are, rising.
    n_threads : int
        What the task may use.
    view : View
    places : Values or list of Place
    *held : Values, or list of row states or of Own
    question : Question
    """

    def told() -> Iterator[tuple[Node, Answer | None]]:
        for member, rows, own in _each(members, n_threads, view, places, held):
            if rows is None:
                yield Node(0, member), None
            else:
                value = question.does(rows, *own, *question.given)
                yield Node(0, member), Answer(value, rows.design.counter.rows)

    return Told(fold(told(), question.n_leaves, question.combine), here())


class Kept(Values):
    """Row states that stay here, with what their partitions answer."""

    told: Told

    @classmethod
    def of(cls, states: Sequence[Any], size_of: Callable[[Any], int], told: Told) -> Kept:
        """Return row states with an answer."""
        kept = cls(states, size_of)
        kept.told = told
        return kept


@keeping_memory()
def keep(
    members: Sequence[int],
    n_threads: int,
    view: View,
    places: Held,
    *held: Held,
    question: Question,
) -> Kept:
    """Return row states of a group, which stay here, with what its partitions answer.

    ``question.does`` gives both; parameters are those of `answer`.
    """
    states: list[Any] = []

    def told() -> Iterator[tuple[Node, Answer | None]]:
        for member, rows, own in _each(members, n_threads, view, places, held):
            if rows is None:
                states.append(None)
                yield Node(0, member), None
            else:
                state, value = question.does(rows, *own, *question.given)
                states.append(state)
                yield Node(0, member), Answer(value, rows.design.counter.rows)

    found = fold(told(), question.n_leaves, question.combine)
    return Kept.of(states, size_of, Told(found, here()))


def told_of(kept: Kept) -> Told:
    """Return the answers of a task that left something in its worker."""
    return kept.told


def derive(*held: Held | None, does: Callable[..., Any], given: tuple[Any, ...]) -> Values:
    """Return row states made of others of a group; None where there are no rows, or none yet."""
    size = max(len(items_of(each)) for each in held if each is not None)
    columns = [[None] * size if each is None else items_of(each) for each in held]
    made = [None if own[-1] is None else does(*own, *given) for own in zip(*columns, strict=True)]
    return Values(made, size_of)


def _each(
    members: Sequence[int], n_threads: int, view: View, places: Held, held: Sequence[Held]
) -> Iterator[tuple[int, LabelledRows | None, list[Any]]]:
    """Go over the partitions of a group: number, rows as they are seen, and what is theirs."""
    n_threads = threads.at_most(n_threads)
    columns = [items_of(each) for each in held]
    for i, (member, place) in enumerate(zip(members, items_of(places), strict=True)):
        rows = None if place is None else place.as_seen(view, n_threads)
        own = [column[i] for column in columns]
        yield member, rows, [part.value if isinstance(part, Own) else part for part in own]


def items_of(held: Held) -> list[Any]:
    """Return the values of the partitions of a group."""
    return held.items if isinstance(held, Values) else held


def here() -> str | None:
    """Return the worker whose task this is; None outside of one."""
    from distributed import get_worker

    try:
        return str(get_worker().address)
    except ValueError:
        return None


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
    means = rows.mean_curvatures(curvature)
    sums = (*found, curvature.totals(), float(curvature.n_positive()), means)
    return curvature, (sums, curvature.least_positive())


def _evaluate(
    rows: LabelledRows, coef: Matrix, intercept: Vector, curvature: RowCurvature | None
) -> tuple[Floats, ...]:
    state = state_at(coef.copy(), intercept.copy())
    none = CompiledL2(np.zeros((1, coef.shape[1])), rows.fit_intercept)
    rows.evaluate(state, none, curvature)
    return state.cost, state.gradient, state.intercept_gradient


def derivatives(
    rows: LabelledRows, theta: Matrix
) -> tuple[tuple[RowCurvature, RowResiduals], tuple[tuple[Any, ...], float]]:
    """Return row curvatures and residuals, and what `evaluate_and_keep` does."""
    state, curvature, residuals = rows.derivatives(theta)
    sums = (
        state.cost, state.gradient, state.intercept_gradient,
        curvature.totals(), float(curvature.n_positive()),
    )  # fmt: skip
    return (curvature, residuals), (sums, curvature.least_positive())


def item(states: tuple[Value, ...], place: int) -> Value:
    """Return one of several row states."""
    return states[place]


def some_columns(place: Place, columns: Indices) -> Place:
    """Return rows with a copy of some columns."""
    return Place(place.rows.over(place.rows.design.columns_of(columns)))


def squares_of_columns(rows: LabelledRows, output: int) -> Vector:
    """Return the weighted sum of squares of each column's distance from its centre, as it is."""
    center, inverse_scale = rows.design.columns
    unscaled = rows.design.standardized(Columns(center, np.ones_like(inverse_scale)))
    weights = rows.weights_of(output)
    own = np.ones(rows.design.shape[0]) if weights is None else np.ascontiguousarray(weights)
    with np.errstate(over="ignore"):
        return unscaled.column_variances(own, 1.0)


def scaled(place: Place, factor: float) -> Place:
    """Return rows whose weights are multiplied."""
    rows = place.rows
    sets = rows._targets.weights * factor
    return Place(rows.weighted(rows.positive, sets, rows.weight_set), owns_rows=False)


class Numbered:
    """A function whose errors say of which partition they are.

    Parameters
    ----------
    function : callable
        Of rows and what is of them, of a module.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function, self.__name__ = function, function.__name__

    def __call__(self, rows: LabelledRows, number: int, *given: Value) -> Any:
        """Return what the function does."""
        try:
            return self.function(rows, *given)
        except (TypeError, ValueError) as error:
            raise type(error)(f"partition {number}: {error}") from None


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


@keeping_memory()
def subsamples(
    members: Sequence[int], places: Held, firsts: Sequence[int], stride: int, n_leaves: int
) -> Kept:
    """Return every `stride`-th row of the partitions of a group, and the weight of each output."""
    found: list[Place | None] = []
    nodes: list[tuple[Node, Answer | None]] = []
    for member, place, first in zip(members, items_of(places), firsts, strict=True):
        has_rows = place is not None and first < place.rows.design.shape[0]
        own = subsample(place, first, stride) if has_rows else None
        found.append(own)
        total = None if own is None else Answer(own.rows.total_weight.copy(), 0)
        nodes.append((Node(0, member), total))
    return Kept.of(found, size_of, Told(fold(nodes, n_leaves, add), here()))


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
    """Return the first value that is NaN or infinite, in a list; None where there is none."""
    return [rows.design.first_not_finite()]


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


def some_models(state: Value, models: Value) -> Value:
    """Return the row states of some models."""
    return state[models]


def with_models(state: Value, others: Value, models: Value, n_models: int) -> Value:
    """Return row states with those of some models taken from others."""
    found = others.like(n_models) if state is None else copy.deepcopy(state)
    found[models] = others
    return found
