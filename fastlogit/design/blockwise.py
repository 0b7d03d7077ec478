"""Rows that are taken block by block: sums over the blocks are added in the order of the rows."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from ..arrays import Array, Cube, Features, IndexMatrix, Indices, Matrix, Number, Vector
from ..kernels.descent import DescentState, Penalty
from ..kernels.passes import Targets
from .base import NO_ROW_STATE, Columns, Design, RowCounter, readonly
from .dense import ArrayDesign, DenseDesign, every

__all__ = [
    "SLICE_BYTES",
    "Block",
    "BlockwiseDesign",
    "SlicedDesign",
    "finish_evaluation",
    "targets_of",
]

# Blocks of an array in memory: 1 GB takes 40 ms on two cores, some 100 ms on one.
SLICE_BYTES = 1e9

# What blocks are: designs in memory, all of one kind.
Block: TypeAlias = Design


class BlockwiseDesign(Design):
    """Passes that are made of passes over blocks, each of which is a design in memory.

    Its bits are not those of such a design over all rows: that adds what up to 64 chunks of X sum
    to, each chunk by one thread, which from disk would take a chunk for each thread in memory or as
    many places of the file at once.
    """

    block_rows: int

    @abstractmethod
    def _for_each_block(self, work: Callable[[Block, int, int], None]) -> None:
        """Call ``work(block, start, stop)`` in the order of the rows."""

    def _dense(self, rows: Features) -> DenseDesign:
        return DenseDesign(
            rows, n_threads=self.n_threads, columns=self.columns, counter=self.counter
        )

    def _blocks(self) -> list[tuple[int, int]]:
        n_samples, step = self.shape[0], self.block_rows
        return [(start, min(start + step, n_samples)) for start in range(0, n_samples, step)]

    def evaluate(
        self, targets: Targets, penalty: Penalty, state: DescentState,
        row_state_out: Matrix = NO_ROW_STATE,
    ) -> None:  # fmt: skip
        """Put cost and gradient at the state's point into the state: one pass."""
        n_models, n_features = state.point.shape
        part = state._replace(
            cost=np.empty(n_models),
            gradient=np.empty((n_models, n_features)),
            intercept_gradient=np.empty(n_models),
        )
        sums = np.zeros((n_models, n_features + 2))
        no_penalty = Penalty(np.zeros((1, n_features)), True)

        def add(block: Block, start: int, stop: int) -> None:
            row_state = np.empty((len(row_state_out), stop - start))
            block.evaluate(targets_of(targets, start, stop), no_penalty, part, row_state)
            if row_state.size:
                row_state_out[:, start:stop] = row_state
            sums[:, :-2] += part.gradient
            sums[:, -2] += part.intercept_gradient
            sums[:, -1] += part.cost

        with np.errstate(over="ignore", invalid="ignore"):  # the kernels do not warn either
            self._for_each_block(add)
            finish_evaluation(state, sums / targets.total_weight[:, None], penalty)

    def gram(self, curvature: Vector) -> Matrix:
        """Return X' diag(curvature) X, shape (n_features + 1,) * 2, intercept last: one pass."""
        size = self.shape[1] + 1
        total = np.zeros((size, size))

        def add(block: Block, start: int, stop: int) -> None:
            np.add(total, block.gram(curvature[start:stop]), out=total)

        with np.errstate(over="ignore", invalid="ignore"):
            self._for_each_block(add)
        return total

    def grams(self, weights: Matrix) -> Cube:
        """Return `gram` for each row of weights (n_outputs, n_samples): rows are read once."""
        size = self.shape[1] + 1
        totals = np.zeros((len(weights), size, size))

        def add(block: Block, start: int, stop: int) -> None:
            np.add(totals, block.grams(_block_of(weights, start, stop)), out=totals)

        with np.errstate(over="ignore", invalid="ignore"):
            self._for_each_block(add)
        return totals

    def largest_row(self, scale: Vector, shift: Vector) -> float:
        """Return the largest sum of squares of ``(standardised row - shift) * scale``: one pass."""
        largest = 0.0

        def compare(block: Block, start: int, stop: int) -> None:
            nonlocal largest
            largest = max(largest, block.largest_row(scale, shift))

        self._for_each_block(compare)
        return largest

    def raw_prediction(self, coef: Matrix, intercept: Vector) -> Matrix:
        """Return the raw prediction of each row, shape (n_models, n_samples): one pass."""
        raw = np.empty((coef.shape[0], self.shape[0]))

        def predict(block: Block, start: int, stop: int) -> None:
            raw[:, start:stop] = block.raw_prediction(coef, intercept)

        self._for_each_block(predict)
        return raw

    def hypotheses(
        self, coef: Matrix, intercept: Vector, offset: Matrix, kind: int, out: Array
    ) -> bool:
        """Write what `coef` (n_models, n_features) says about each row of X as it is: one pass."""
        finite = True

        def predict(block: Block, start: int, stop: int) -> None:
            nonlocal finite
            fixed = _block_of(offset, start, stop)
            finite &= block.hypotheses(coef, intercept, fixed, kind, out[start:stop])

        self._for_each_block(predict)
        return finite

    def take(self, indices: Indices) -> Design:
        """Return a design over a copy of some rows."""
        return self._dense(self.rows(indices))

    def sample(
        self, rows: IndexMatrix, sizes: Vector, intercept: float, inverse: Matrix
    ) -> tuple[Array, Cube]:
        """Return what `kernels.lowrank` takes for the rows of each output, each row read once."""
        drawn, places = np.unique(rows, return_inverse=True)
        return self.take(drawn).sample(places.reshape(rows.shape), sizes, intercept, inverse)


class SlicedDesign(ArrayDesign, BlockwiseDesign):
    """Passes over an array in memory that is so large that it has to be taken in blocks.

    Ctrl-C is answered when a compiled call returns: a block takes a tenth of a second at the most.
    """

    def __init__(
        self,
        X: Features,
        *,
        n_threads: int | None = None,
        columns: Columns | None = None,
        counter: RowCounter | None = None,
        block_rows: int | None = None,
    ) -> None:
        self._X = X
        self.shape, self.dtype, self.n_threads = X.shape, X.dtype, n_threads
        self.counter = counter or RowCounter(X.shape[0])
        self.columns = columns or Columns(np.zeros(X.shape[1]), np.ones(X.shape[1]))
        self.block_rows = block_rows or max(1, int(SLICE_BYTES / (X.shape[1] * X.itemsize)))

    def standardized(self, columns: Columns) -> SlicedDesign:
        """Return a design over the same memory with another standardisation."""
        return SlicedDesign(
            self._X, n_threads=self.n_threads, columns=columns, counter=self.counter,
            block_rows=self.block_rows,
        )  # fmt: skip

    def subsample(self, stride: int) -> DenseDesign:
        """Return a design over every `stride`-th row."""
        return self._dense(every(self._X, stride))

    def _for_each_block(self, work: Callable[[Block, int, int], None]) -> None:
        for start, stop in self._blocks():
            work(self._dense(self._X[start:stop]), start, stop)


def targets_of(targets: Targets, start: int, stop: int) -> Targets:
    """Return the targets of rows ``start:stop``, for sums that are not divided."""
    return targets._replace(
        codes=_block_of(targets.codes, start, stop),
        weights=_block_of(targets.weights, start, stop),
        offset=_block_of(targets.offset, start, stop),
        total_weight=np.ones(len(targets.total_weight)),
    )


def _block_of(
    sets: np.ndarray[tuple[int, int], np.dtype[Number]], start: int, stop: int
) -> np.ndarray[tuple[int, int], np.dtype[Number]]:
    return readonly(np.ascontiguousarray(sets[:, start:stop]))


def finish_evaluation(state: DescentState, means: Matrix, penalty: Penalty) -> None:
    """Add the L2 penalty to means over all rows, as the kernel of the same name does."""
    slope = penalty.l2 * state.point
    state.gradient[...] = means[:, :-2] + slope
    state.intercept_gradient[...] = means[:, -2] if penalty.fit_intercept else 0.0
    state.cost[...] = means[:, -1] + 0.5 * np.einsum("ij,ij->i", slope, state.point)
