"""What designs over sparse rows and over codes share: columns centred and scaled by algebra.

Their values lie as they are, and none that is not stored is ever looked at:
``(x - center) * inverse_scale`` times coefficients is x times scaled coefficients, less a constant,
and sums over the rows are corrected likewise. What that costs is precision in a column whose mean
is many times its standard deviation: see `rounding`.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar, NamedTuple, Self

import numpy as np

from .. import threads
from ..arrays import Array, Cube, IndexMatrix, Indices, Matrix, Vector
from ..kernels.descent import DescentState, Penalty
from ..kernels.passes import Targets
from ..kernels.scaling import PARTS, finish
from ..kernels.scattered import Passes
from .algebra import MOST_CENTRED
from .base import NO_ROW_STATE, Columns, Design, readonly
from .dense import sample_of_copies

__all__ = ["COLUMN_NS", "Room", "ScatteredDesign"]

# Serial time of what is done for each column, and model, beside a pass.
COLUMN_NS = 1.0


class Room(NamedTuple):
    """Where a pass works: the rows at which its chunks begin and end, and room for its sums.

    `numbers` is the memory that the strips lie in.
    """

    bounds: Indices
    strips: Matrix
    totals: Matrix
    numbers: Vector

    @property
    def gradient(self) -> Vector:
        """Where the strips are added up: in the first of them."""
        first: Vector = self.strips[0]
        return first


class ScatteredDesign(Design):
    """Passes that look coefficients up, and scatter gradients.

    A subclass says how its rows lie: as kernels take them, and where coefficients and gradients
    have their places.
    """

    passes: ClassVar[Passes]

    # ---- what a kind of rows says

    @property
    @abstractmethod
    def kernel_rows(self) -> NamedTuple:
        """The rows as kernels take them."""

    @abstractmethod
    def _over_rows(self, rows: Indices | slice) -> Self:
        """Return a design over some rows."""

    @abstractmethod
    def _bounds(self) -> Indices:
        """Return the rows at which chunks begin, and the last ends, of passes without gradient."""

    @abstractmethod
    def _block(self, n_slots: int) -> int:
        """Return the rows of a block, which is in cache when gradients follow predictions."""

    @abstractmethod
    def _table(self, coef: Matrix) -> tuple[Vector, int, Vector]:
        """Return coefficients of X as it is where kernels look them up, and the slots of each.

        And for each model the sum of its coefficients times the centres of the columns.
        """

    @abstractmethod
    def _of_features(self, sums: Vector, n_slots: int) -> Vector:
        """Return what of sums, as they lie in a table, belongs to the features."""

    @abstractmethod
    def _take_room(self, n_models: int, n_slots: int) -> Room:
        """Return room for a pass of so many models; `_keep_room` takes it back."""

    def _keep_room(self, room: Room) -> None:
        """Take room that a pass has left; it may be lost."""

    # ---- passes

    def evaluate(
        self, targets: Targets, penalty: Penalty, state: DescentState,
        row_state_out: Matrix = NO_ROW_STATE,
    ) -> None:  # fmt: skip
        """Put cost and gradient at the state's point into the state: one pass."""
        coef, n_models = state.point, len(state.point)
        with np.errstate(over="ignore", invalid="ignore"):  # the kernels do not warn either
            table, levels = self._packed(coef, state.point_intercept)
            room = self._take_room(n_models, len(levels))
            with self._team(n_models) as parallel:
                self.passes.sums.choose(parallel)(
                    self.kernel_rows, room.bounds, targets, self._block(len(levels)), table,
                    levels, room.strips, room.totals, room.gradient, row_state_out,
                )  # fmt: skip
            sums = np.add.reduce(room.totals).reshape(n_models, 2)
            means = sums / targets.total_weight[:, None]
            pulls = self._finish(sums, len(levels), room, targets, penalty, state)
            state.cost[...] = means[:, 0] + 0.5 * pulls
        state.intercept_gradient[...] = means[:, 1] if penalty.fit_intercept else 0.0
        self._keep_room(room)
        self.counter.rows += self.shape[0]

    def _no_penalty(self) -> Penalty:
        return Penalty(np.empty((1, 0)), True)

    def _finish(
        self, sums: Matrix, n_slots: int, room: Room, targets: Targets, penalty: Penalty,
        state: DescentState,
    ) -> Vector:  # fmt: skip
        """Put the gradient into the state; return strengths times squared coefficients, summed."""
        found, pulls = self._of_features(room.gradient, n_slots), np.empty((PARTS, len(sums)))
        columns = tuple(map(readonly, self.columns))
        given = columns, readonly(penalty.l2), readonly(state.point)
        with threads.team(self.n_threads, COLUMN_NS * state.point.size) as parallel:
            finish.choose(parallel)(
                found, n_slots, sums, readonly(targets.total_weight), *given, state.gradient, pulls
            )
        total: Vector = np.add.reduce(pulls)
        return total

    def raw_prediction(self, coef: Matrix, intercept: Vector) -> Matrix:
        """Return the raw prediction of each row, shape (n_models, n_samples): one pass."""
        raw = np.empty((coef.shape[0], self.shape[0]))
        with np.errstate(over="ignore", invalid="ignore"):
            table, levels = self._packed(coef, intercept)
        with self._team(coef.shape[0]) as parallel:
            self.passes.raw_prediction.choose(parallel)(
                self.kernel_rows, self._bounds(), self._block(len(levels)), table, levels, raw
            )
        self.counter.rows += self.shape[0]
        return raw

    def hypotheses(
        self, coef: Matrix, intercept: Vector, offset: Matrix, kind: int, out: Array
    ) -> bool:
        """Write what `coef` (n_models, n_features) says about each row of X as it is: one pass."""
        with np.errstate(over="ignore", invalid="ignore"):
            table, levels = self._packed(coef, intercept)
        bounds = self._bounds()
        spoiled = np.zeros(len(bounds) - 1)
        with self._team(coef.shape[0]) as parallel:
            self.passes.hypotheses.choose(parallel)(
                self.kernel_rows, bounds, self._block(len(levels)), table, levels,
                readonly(offset), kind, coef.shape[0], spoiled, out.reshape(-1),
            )  # fmt: skip
        self.counter.rows += self.shape[0]
        return bool((spoiled == 0.0).all())

    def _packed(self, coef: Matrix, intercept: Vector) -> tuple[Vector, Vector]:
        """Return coefficients of X as it is where kernels look them up, and what goes with them."""
        table, n_slots, shifts = self._table(coef)
        levels = np.zeros(n_slots)
        levels[: len(coef)] = intercept - shifts
        return readonly(table), readonly(levels)

    # ---- other designs over the same rows

    def standardized(self, columns: Columns) -> Self:
        """Return a design over the same memory with another standardisation."""
        design = object.__new__(type(self))
        design.__dict__.update(self.__dict__)
        design.columns = columns
        return design

    def part(self, start: int, stop: int) -> Self:
        """Return a design over rows that follow each other, in place."""
        return self._over_rows(slice(start, stop))

    def subsample(self, stride: int) -> Self:
        """Return a design over every `stride`-th row."""
        return self._over_rows(slice(None, None, stride))

    def take(self, indices: Indices) -> Self:
        """Return a design over some rows."""
        return self._over_rows(indices)

    def sample(
        self, rows: IndexMatrix, sizes: Vector, intercept: float, inverse: Matrix
    ) -> tuple[Array, Cube]:
        """Return what `kernels.lowrank` takes for the rows of each output: a part of a pass."""
        return sample_of_copies(self, rows, sizes, intercept, inverse)

    # ---- what algebra loses

    @property
    def most_centred(self) -> float:
        """How many standard deviations from 0 the mean of a column may be that is centred."""
        return MOST_CENTRED

    @property
    def rounding(self) -> float:
        """How much larger than standardised values the numbers are that passes add up."""
        center, inverse_scale = self.columns
        with np.errstate(over="ignore", invalid="ignore"):
            return 1.0 + float(np.abs(center * inverse_scale).max(initial=0.0))
