"""A design whose rows lie in partitions, each a design in a worker."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import NoReturn

import numpy as np

from ..arrays import Array, Column, Cube, DType, Features, IndexMatrix, Indices, Matrix, Vector
from ..design.base import (
    NO_ROW_STATE,
    Columns,
    CounterElsewhere,
    Design,
    NotFinite,
    RowCounter,
)
from ..design.dense import DenseDesign
from ..kernels.descent import DescentState, Penalty
from ..kernels.passes import Targets
from . import work
from .parts import Parts
from .rounds import join, largest

__all__ = ["PartitionedDesign"]


class PartitionedDesign(Design):
    """What is asked of the rows of X alone.

    Solvers ask `PartitionedRows`, which keeps row states with the rows. Here those few things are
    that take or return a number for each row: the look whether classes are separable, which is
    taken without a penalty alone.

    Parameters
    ----------
    parts : Parts
    like : Design
        A row of X, in this process: a design of the same kind.
    dtype : dtype
    density : float
        Share of the values that a pass reads.
    """

    def __init__(self, parts: Parts, like: Design, dtype: DType, density: float) -> None:
        self.parts, self.dtype, self._density = parts, dtype, density
        self.columns = parts.view.columns
        self._like = like.standardized(self.columns)
        self.shape = int(parts.sizes.sum()), like.shape[1]
        self.n_threads: int | None = None
        self.counter: RowCounter = parts.counter

    @property
    def n_passes(self) -> float:
        """Passes over X so far; those over a subsample of the rows count by its share."""
        return float(self.counter.rows / self.counter.n_samples)

    def standardized(self, columns: Columns) -> PartitionedDesign:
        """Return a design over the same rows with another standardisation."""
        return self.over(self.parts.seen(columns=columns))

    def over(self, parts: Parts) -> PartitionedDesign:
        """Return a design of the same kind over other partitions, or these seen otherwise."""
        return PartitionedDesign(parts, self._like, self.dtype, self._density)

    def with_counter(self, counter: RowCounter) -> PartitionedDesign:
        """Return the same with another counter."""
        parts = copy.copy(self.parts)
        parts.counter = counter
        return self.over(parts)

    # ---- what the kind of design says

    @property
    def gives_rows_freely(self) -> bool:
        """Rows by index come from the workers each time."""
        return False

    @property
    def is_dense(self) -> bool:
        """Whether rows are arrays."""
        return isinstance(self._like, DenseDesign)

    @property
    def density(self) -> float:
        """Share of the values that a pass reads; the others are 0 and are not stored."""
        return self._density

    @property
    def most_centred(self) -> float | Vector:
        """How many standard deviations from 0 the mean of a column may be that is centred."""
        return self._like.most_centred

    @property
    def rounding(self) -> float:
        """How much larger than standardised values the numbers are that passes add up."""
        return self._like.rounding

    # ---- passes

    def largest_row(self, scale: Vector, shift: Vector) -> float:
        """Return the largest sum of squares of ``(standardised row - shift) * scale``: one pass."""
        return float(self.parts.call_design("largest_row", scale, shift, combine=largest))

    def gram(self, curvature: Vector) -> Matrix:
        """Return X' diag(curvature) X, shape (n_features + 1,) * 2, intercept last: one pass."""
        held = [_own(self.parts.split(curvature))]
        return self.parts.ask(work.gram, held=held, numbers=(self.shape[1] + 1) ** 2)

    def raw_prediction(self, coef: Matrix, intercept: Vector) -> Matrix:
        """Return the raw prediction of each row, shape (n_models, n_samples): one pass."""
        return np.concatenate(self.parts.lists("raw_prediction", coef, intercept), axis=1)

    def rows(self, indices: Indices) -> Features:
        """Return a copy of some rows as they are, in the order of `indices`: at most one pass."""
        order = np.argsort(indices, kind="stable")
        held = [_own(self.parts.of_rows(np.asarray(indices)[order]))]
        found = np.concatenate(self.parts.ask(work.rows_by_place, held=held, combine=join))
        rows = np.empty_like(found)
        rows[order] = found
        return rows

    def column(self, index: int) -> Column:
        """Return a column of X as it is, without standardisation: at most one pass."""
        return np.concatenate(self.parts.lists("column", index))

    def row_blocks(self, size: int) -> Iterator[tuple[int, int, Features]]:
        """Raise: rows do not come to this process."""
        self._stays("row_blocks")

    def first_not_finite(self) -> NotFinite | None:
        """Return the first value that is NaN or infinite, None where there is none: one pass."""
        answers = self.parts.ask(work.first_not_finite, combine=join)
        places = np.flatnonzero(self.parts.sizes).tolist()
        for place, found in zip(places, answers, strict=True):
            if found is not None:
                return found._replace(partition=self.parts.numbers[place])
        return None

    def subsample(self, stride: int) -> PartitionedDesign:
        """Return a design over every `stride`-th row of each partition."""
        return self.over(self.parts.subsample(stride)[0])

    def columns_of(self, indices: Indices) -> PartitionedDesign:
        """Return a design over a copy of some columns, in the workers: one pass."""
        parts = self.parts.made(work.some_columns, given=(indices,))
        parts = parts.seen(columns=Columns(*(part[indices] for part in self.columns)))
        self.counter.rows += self.shape[0]
        parts.counter = CounterElsewhere(self.counter)
        like = self._like.columns_of(indices)
        density = 1.0 if isinstance(like, DenseDesign) else self._density
        return PartitionedDesign(parts, like, like.dtype, density)

    def take(self, indices: Indices) -> Design:
        """Return a design over a copy of some rows, in this process."""
        return DenseDesign(self.rows(indices), columns=self.columns, counter=self.counter)

    # ---- what labelled rows ask where they are

    def _stays(self, name: str) -> NoReturn:
        raise NotImplementedError(
            f"{name}: what rows of dask partitions say one by one stays in their workers"
        )

    def evaluate(
        self, targets: Targets, penalty: Penalty, state: DescentState,
        row_state_out: Matrix = NO_ROW_STATE,
    ) -> None:  # fmt: skip
        """Raise: see `PartitionedRows.evaluate`."""
        self._stays("evaluate")

    def hypotheses(
        self, coef: Matrix, intercept: Vector, offset: Matrix, kind: int, out: Array
    ) -> bool:
        """Raise: see `fastlogit.dask.predict_proba`."""
        self._stays("hypotheses")

    def sample(
        self, rows: IndexMatrix, sizes: Vector, intercept: float, inverse: Matrix
    ) -> tuple[Array, Cube]:
        """Raise: see `PartitionedRows.draw`."""
        self._stays("sample")


def _own(parts: list[Array]) -> list[Callable[..., Array] | work.Own]:
    return [work.Own(part) for part in parts]
