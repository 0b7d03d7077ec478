"""What every design is: passes over rows, wherever these lie."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .. import threads
from ..arrays import (
    Array,
    Column,
    Cube,
    DType,
    Features,
    IndexMatrix,
    Indices,
    Matrix,
    Number,
    Shape,
    Vector,
)
from ..clock import Clock
from ..kernels.column_descent import SomeColumns, measure_columns
from ..kernels.descent import RUNNING, DescentState, Penalty, state_at
from ..kernels.passes import LINEAR, SPREAD, SQUARED, Targets
from ..kernels.simd import LANES
from ..kernels.stepping import step_only
from .first_look import FirstLook

if TYPE_CHECKING:
    from .narrow import NarrowEquation, Quadratics
    from .weighed import Weighed

__all__ = [
    "Columns",
    "CounterElsewhere",
    "Design",
    "NotFinite",
    "RowCounter",
    "as_they_are",
    "at_line",
    "plain_targets",
    "readonly",
    "step_by_step",
]

# Serial time of a pass, for the choice of the serial kernel: per element and per row.
ELEMENT_NS = 0.4
ROW_NS = 6.0
# Rows that are looked at together where single values are asked for.
LOOK_BYTES = 2**24
# Rows at a time of which some columns are copied.
LOOK_ROWS = 4096

NO_ROW_STATE = np.empty((0, 0))
_NO_CODES = np.empty((0, 0), dtype=np.uint8)
NO_OFFSET = np.empty((0, 0))
_ONE_MODEL = np.ones(1, dtype=np.int64)
# Read-only as the users' arrays are: each kernel is then compiled for one type only.
_NO_CODES.flags.writeable = _ONE_MODEL.flags.writeable = NO_OFFSET.flags.writeable = False


class Columns(NamedTuple):
    """Centre and inverse scale of each column; inverse scale 0 for one that does not vary."""

    center: Vector
    inverse_scale: Vector


@lru_cache(maxsize=64)
def as_they_are(n_features: int) -> Columns:
    """Return what leaves columns as they are; read-only, so that a design need not copy it."""
    return Columns(readonly(np.zeros(n_features)), readonly(np.ones(n_features)))


class NotFinite(NamedTuple):
    """The first value of X, by rows, that is NaN or infinite."""

    row: int
    column: int
    value: float
    # Of rows in several places, which one; the row is counted in it.
    partition: int | None = None


class RowCounter:
    """What all designs over the same X share, subsamples included.

    Attributes
    ----------
    rows : int
        Rows read so far.
    n_samples : int
        Rows of X.
    clock : Clock or None
        Says when passes must no longer begin.
    phase : str
        What the passes are for, in words for those who watch a fit.
    """

    def __init__(self, n_samples: int = 1) -> None:
        self.rows, self.n_samples = 0, n_samples
        self.clock: Clock | None = None
        self.phase = ""

    @property
    def n_passes(self) -> float:
        """Passes over X so far."""
        return float(self.rows / self.n_samples)

    def check(self, seconds: float = 0.0) -> None:
        """Raise `TimeUp` where the limit has passed, or work of so many seconds would pass it."""
        if self.clock is not None:
            self.clock.check(seconds)


class CounterElsewhere(RowCounter):
    """Of rows that are read in the place of those of X: counts none; clock and phase are X's.

    Parameters
    ----------
    of : RowCounter
        That of X.
    """

    def __init__(self, of: RowCounter) -> None:
        self._of, self.n_samples = of, of.n_samples

    @property
    def rows(self) -> int:
        """Rows of X read so far."""
        return self._of.rows

    @rows.setter
    def rows(self, value: int) -> None:
        """Count nothing."""

    @property
    def clock(self) -> Clock | None:
        """Says when passes must no longer begin."""
        return self._of.clock

    @clock.setter
    def clock(self, value: Clock | None) -> None:
        self._of.clock = value

    @property
    def phase(self) -> str:
        """What the passes are for."""
        return self._of.phase

    @phase.setter
    def phase(self, value: str) -> None:
        self._of.phase = value


# Serial time of a value of a column, by another for its row.
VALUE_NS = 1.5


class Design(ABC):
    """Passes over the rows of X, which nobody outside sees otherwise.

    Vectors of coefficients are `(n_models, n_features)` arrays here, on the standardised scale
    that `columns` defines: passes see ``(X - center) * inverse_scale``, block by block.

    Attributes
    ----------
    shape : (n_samples, n_features)
    dtype : dtype
        Number type of X.
    columns : Columns
        Standardisation.
    n_threads : int or None
        Number of threads; None takes what the process may use.
    counter : RowCounter
        Where the rows read are counted.
    """

    shape: tuple[int, int]
    dtype: DType
    columns: Columns
    n_threads: int | None
    counter: RowCounter

    # ---- passes

    @abstractmethod
    def evaluate(
        self, targets: Targets, penalty: Penalty, state: DescentState,
        row_state_out: Matrix = NO_ROW_STATE,
    ) -> None:  # fmt: skip
        """Put cost and gradient at the state's point into the state: one pass.

        `row_state_out` (n_models, n_samples), if given, gets the weighted second derivative of the
        loss at each row, and one of (2 * n_models, n_samples) below it the weighted residual, which
        is the first derivative.
        """

    def descend(
        self, targets: Targets, penalty: Penalty, step_size: float, accelerate: bool, tol: float,
        state: DescentState, history_out: Matrix,
    ) -> tuple[int, int]:  # fmt: skip
        """Take up to ``len(history_out)`` steps from an evaluated state, one pass each.

        Returns how many were taken and a status of `kernels.descent`.
        """

        def evaluate(state: DescentState) -> None:
            self.evaluate(targets, penalty, state)

        return step_by_step(
            evaluate, targets.n_classes, step_size, accelerate, tol, state, history_out
        )

    @abstractmethod
    def gram(self, curvature: Vector) -> Matrix:
        """Return X' diag(curvature) X, shape (n_features + 1,) * 2, intercept last: one pass."""

    def grams(self, weights: Matrix) -> Cube:
        """Return `gram` for each row of weights (n_outputs, n_samples): as many passes."""
        return np.array([self.gram(each) for each in weights])

    @abstractmethod
    def raw_prediction(self, coef: Matrix, intercept: Vector) -> Matrix:
        """Return the raw prediction of each row, shape (n_models, n_samples): one pass."""

    @abstractmethod
    def hypotheses(
        self, coef: Matrix, intercept: Vector, offset: Matrix, kind: int, out: Array
    ) -> bool:
        """Write what `coef` (n_models, n_features) says about each row of X as it is: one pass.

        `kind` is one of `kernels.hypotheses`, `out` of the shape that it asks for. Returns whether
        all raw predictions are finite.
        """

    @abstractmethod
    def largest_row(self, scale: Vector, shift: Vector) -> float:
        """Return the largest sum of squares of ``(standardised row - shift) * scale``: one pass."""

    # ---- rows and columns as they are

    def row_blocks(self, size: int) -> Iterator[tuple[int, int, Features]]:
        """Go over the rows of X as they are: begin, end and rows of each block. One pass.

        Of about `size` rows, or in what blocks the design has; copies are of 16 MB at the most.
        """
        n_samples, n_features = self.shape
        size = max(1, min(size, LOOK_BYTES // (8 * n_features)))
        for start in range(0, n_samples, size):
            stop = min(start + size, n_samples)
            yield start, stop, self.rows(np.arange(start, stop))
            self.counter.rows += stop - start

    @abstractmethod
    def rows(self, indices: Indices) -> Features:
        """Return a copy of some rows as they are, in the order of `indices`: at most one pass."""

    @abstractmethod
    def column(self, index: int) -> Column:
        """Return a column of X as it is, without standardisation: at most one pass."""

    # ---- other designs over the same rows

    @abstractmethod
    def standardized(self, columns: Columns) -> Design:
        """Return a design over the same rows with another standardisation."""

    @abstractmethod
    def subsample(self, stride: int) -> Design:
        """Return a design over every `stride`-th row; passes over it count by its share."""

    @abstractmethod
    def take(self, indices: Indices) -> Design:
        """Return a design over a copy of some rows."""

    @abstractmethod
    def sample(
        self, rows: IndexMatrix, sizes: Vector, intercept: float, inverse: Matrix
    ) -> tuple[Array, Cube]:
        """Return what `kernels.lowrank` takes for the rows of each output: a part of a pass.

        `rows` (n_outputs, m) are indices, m a multiple of 4. See `kernels.lowrank.sample`.
        """

    def columns_of(self, indices: Indices) -> Design:
        """Return a design over a copy of some columns in memory, in their order: one pass.

        Passes over it do not count as passes over X.
        """
        from .dense import DenseDesign  # which is built on this module

        copied = np.empty((self.shape[0], len(indices)))
        for start, stop, rows in self.row_blocks(LOOK_ROWS):
            copied[start:stop] = rows[:, indices]
        return DenseDesign(
            copied, n_threads=self.n_threads,
            columns=Columns(*(part[indices] for part in self.columns)),
            counter=CounterElsewhere(self.counter),
        )  # fmt: skip

    def some_columns(self, indices: Indices) -> tuple[SomeColumns, Vector]:
        """Return some scaled columns for kernels, and what their centres are on that scale.

        Of designs that give their columns.
        """
        raise NotImplementedError(f"{type(self).__name__} does not give its columns")

    def measures_of(self, some: SomeColumns, weights: Vector) -> tuple[Vector, Vector]:
        """Return sums of values of `some_columns`, and of squares, each row times its weight."""
        levels, squares = np.empty(some.begins.size), np.empty(some.begins.size)
        n_values = int((some.ends - some.begins).sum())
        with self._team_for(VALUE_NS * n_values) as parallel:
            measure_columns.choose(parallel)(some, weights, levels, squares)
        return levels, squares

    def weighed_columns(self, indices: Indices, weights: Vector) -> Weighed | None:
        """Return some columns as sweeps over sparse ones take them; None where they are dense."""
        return None

    # ---- how rows may be asked for

    def gram_of_rows(self) -> Matrix | None:
        """Return Z Z' for the standardised rows Z, (n_samples, n_samples): one pass.

        None where columns are not to be had as they lie in memory: on disk, in several places.
        """
        return None

    def stride_for(self, wanted: int) -> int:
        """Return the stride of the largest subsample that may be taken, from `wanted` on."""
        return wanted

    @property
    def gives_rows_freely(self) -> bool:
        """Say whether rows by index cost no more than they take; else they are read anew."""
        return True

    def side_by_side(self) -> Design | None:
        """Return a design over the same X for a thread of Python, which counts for itself.

        It starts no threads and shares nothing that changes; None where there is none.
        """
        return None

    def gives_columns(self, count: int) -> bool:
        """Say whether so many of `some_columns` can be had, for the price of their values."""
        return False

    @property
    def density(self) -> float:
        """Share of the values that a pass reads; the others are 0 and are not stored."""
        return 1.0

    @property
    def most_centred(self) -> float | Vector:
        """How many standard deviations from 0 the mean of a column may be that is centred.

        By algebra, one farther away would lose too many digits. One number, or one for each column.
        """
        return np.inf

    @property
    def rounding(self) -> float:
        """How much larger than standardised values the numbers are that passes add up."""
        return 1.0

    @property
    def longest_sum(self) -> float:
        """How many products of a row's raw prediction are added one after the other, at the most.

        Sums are made of eight lanes.
        """
        return self.shape[1] / LANES

    # ---- what follows

    # Vectors of the rows, and X' v of each of the standardised X, which need no pass.
    known_products: Sequence[tuple[Vector, Vector]] = ()

    @property
    def n_passes(self) -> float:
        """Passes over X so far; those over a subsample of the rows count by its share."""
        return float(self.counter.rows / self.shape[0])

    def value_gradient(
        self, targets: Targets, coef: Matrix, intercept: Vector
    ) -> tuple[Vector, Matrix, Vector]:
        """Return cost, gradient and intercept gradient of each model: one pass."""
        state = state_at(coef, intercept)
        self.evaluate(targets, self._no_penalty(), state)
        return state.cost, state.gradient, state.intercept_gradient

    def _no_penalty(self) -> Penalty:
        """Return what `evaluate` takes for the loss alone."""
        return Penalty(np.zeros((1, self.shape[1])), True)

    def column_means(self, weights: Vector, total_weight: float) -> Vector:
        """Return the weighted mean of each column of X less `center`: one pass."""
        return self._column_sums(LINEAR, weights, total_weight)

    def column_variances(self, weights: Vector, total_weight: float) -> Vector:
        """Return the weighted mean of each column's squared distance from `center`: one pass."""
        return self._column_sums(SPREAD, weights, total_weight)

    @property
    def looks_once(self) -> bool:
        """Whether `first_look` may tell something."""
        return False

    def first_look(self, shares: Vector, vector: Vector) -> FirstLook | None:
        """Return what weighted means, variances and products with a vector come from: one pass.

        Of X as it is, whatever its standardisation; `shares` are the rows' of the weight, and both
        are of shape (n_samples,). None where that takes a pass for each, or digits would be lost.
        """
        return None

    def _column_sums(self, loss: int, weights: Vector, total_weight: float) -> Vector:
        targets = plain_targets(loss, weights, np.array([total_weight]))
        return self.value_gradient(targets, np.zeros((1, self.shape[1])), np.zeros(1))[1][0]

    def hessian_product(
        self, targets: Targets, vectors: Matrix, intercepts: Vector
    ) -> tuple[Matrix, Vector]:
        """Return X' diag(weights) X v / total_weight for each model: one pass.

        X is the standardised one with a column of ones, `targets` those of SQUARED or another loss
        whose gradient is a product; `vectors` (n_models, n_features), `intercepts` (n_models,).
        """
        return self.value_gradient(targets, vectors, intercepts)[1:]

    def solves_narrow(self, n_outputs: int) -> bool:
        """Say whether Newton's equation of so many outputs is best solved in float32, and can be.

        By `narrow_equation`.
        """
        return False

    def narrow_equation(self, models: Quadratics, gradient: Matrix) -> NarrowEquation:
        """Return that equation, of gradients (n_outputs, n_features + 1)."""
        raise NotImplementedError(type(self).__name__)

    def transposed_product(self, vectors: Matrix) -> tuple[Matrix, Vector]:
        """Return X' v of each vector (n_models, n_samples), and its sum: one pass.

        Of the standardised X: the gradient of half the squares of z + v at z = 0.
        """
        n_models = len(vectors)
        targets = plain_targets(SQUARED, np.empty(0), np.ones(n_models))
        targets = targets._replace(offset=readonly(np.ascontiguousarray(vectors)))
        return self.value_gradient(
            targets, np.zeros((n_models, self.shape[1])), np.zeros(n_models)
        )[1:]

    def first_not_finite(self) -> NotFinite | None:
        """Return the first value that is NaN or infinite, None where there is none: one pass."""
        if self.dtype.kind != "f":
            return None
        for start, _, rows in self.row_blocks(
            max(1, LOOK_BYTES // (self.dtype.itemsize * self.shape[1]))
        ):
            bad = ~np.isfinite(rows)
            if bad.any():
                row, column = (int(index) for index in np.argwhere(bad)[0])
                return NotFinite(start + row, column, float(rows[row, column]))
        return None

    def passes_within(self, seconds: float, n_models: int) -> int:
        """Return roughly how many passes take `seconds` in one thread; at least 1."""
        return max(1, int(1e9 * seconds / self.pass_ns(n_models)))

    def pass_ns(self, n_models: int) -> float:
        """Return roughly how many nanoseconds a pass takes in one thread."""
        n_samples, n_features = self.shape
        return float(n_models * n_samples * (n_features * ELEMENT_NS + ROW_NS))

    def _team(self, n_models: int) -> AbstractContextManager[bool]:
        """Return the threads for a pass, where there is time for one."""
        return self._team_for(self.pass_ns(n_models))

    def _team_for(self, work_ns: float) -> AbstractContextManager[bool]:
        """Return the threads for work of so many nanoseconds, where there is time for it."""
        if self.counter.clock is not None and self.counter.clock.limit is not None:
            self.counter.check(1e-9 * work_ns / threads.thread_count(self.n_threads))
        return threads.team(self.n_threads, work_ns)


def step_by_step(
    evaluate: Callable[[DescentState], None], n_classes: int, step_size: float, accelerate: bool,
    tol: float, state: DescentState, history_out: Matrix,
) -> tuple[int, int]:  # fmt: skip
    """Take up to ``len(history_out)`` steps from an evaluated state, an evaluation for each.

    For passes, or penalties, that are not part of one compiled loop. Returns as `Design.descend`.
    """
    for done in range(len(history_out)):
        history_out[done] = state.cost
        status = step_only.serial(state, n_classes, step_size, accelerate, tol)
        if status != RUNNING:
            return done + 1, status
        evaluate(state)
    return len(history_out), RUNNING


def plain_targets(
    loss: int, weights: Vector | Matrix, total_weight: Vector, n_classes: int = 1
) -> Targets:
    """Return targets of a loss that asks for no classes; `weights` of one dimension are one set."""
    sets = (
        weights if weights.ndim == 2 else weights.reshape(-1 if weights.size else 0, weights.size)
    )
    weight_set = np.arange(len(total_weight)) if len(sets) > 1 else np.zeros_like(total_weight)
    return Targets(
        loss, n_classes, _NO_CODES, _ONE_MODEL, readonly(sets),
        readonly(weight_set.astype(np.int64)), total_weight, NO_OFFSET,
    )  # fmt: skip


def at_line(count: int) -> Vector:
    """Return room for so many numbers from the beginning of a cache line on.

    Numbers of eight models, or of eight rows, are then one line. Products of 3 and of 20 models
    with a sparse X of 100,000 x 100,000, 45 values a row, take 55 and 176 ms where they took 73 and
    203 (2 threads of a busy machine, the least of 20 in turns); a sweep of coordinate descent over
    columns of 1,000 rows takes two thirds of the time.
    """
    room = np.empty(count + LANES - 1)
    first = -room.ctypes.data % (8 * LANES) // 8
    return room[first : first + count]


def readonly(array: np.ndarray[Shape, np.dtype[Number]]) -> np.ndarray[Shape, np.dtype[Number]]:
    """Return a read-only view: numba then compiles once for arrays that may be written or not."""
    if type(array) is np.ndarray and not array.flags.writeable:
        return array
    view = array.view(np.ndarray)
    if view.flags.writeable:
        view.flags.writeable = False
    return view
