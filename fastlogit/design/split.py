"""Blocks of columns side by side: dense, sparse and categorical ones of the same rows.

Raw predictions of the blocks are added up, losses are those of the sums, and each block makes its
own part of the gradient from the residuals. One of the blocks, the *lead*, predicts, makes losses
and adds its gradient in its own fused pass: the others' raw predictions reach it as an offset, and
its residuals go back to them. So rows are taken a part at a time, as many as leave what the blocks
tell each other in cache, and no array of a number for each row and model is ever formed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeAlias

import numpy as np

from ..arrays import (
    Array,
    Column,
    Cube,
    Features,
    Floats,
    IndexMatrix,
    Indices,
    Matrix,
    Vector,
)
from ..kernels.descent import DescentState, Penalty, start_state
from ..kernels.passes import Targets
from .algebra import standard_products
from .base import (
    NO_OFFSET,
    NO_ROW_STATE,
    Columns,
    CounterElsewhere,
    Design,
    NotFinite,
    RowCounter,
    as_they_are,
    readonly,
)
from .blockwise import finish_evaluation, targets_of
from .codes import CodesDesign
from .compressed import joined
from .dense import DenseDesign, sample_of_copies
from .sparse import SparseDesign
from .stored_columns import GivesStored, design_of, of_numbers

__all__ = ["Block", "SplitDesign"]

Block: TypeAlias = DenseDesign | SparseDesign | CodesDesign

# Rows of a part: of one model, and the least. What blocks tell each other takes three numbers for
# each model and row, 3 MB at first. Of 336,776 rows of 5 numbers and three codes a pass takes 8.5
# ms with half of it, 7.1 so, 8.7 with twice as many (2 threads of a busy machine, least of 25).
PART_ROWS, LEAST_PART = 2**17, 2**12


class SplitDesign(GivesStored):
    """Passes over blocks of columns that have the same rows.

    Parameters
    ----------
    blocks : sequence of DenseDesign, SparseDesign or CodesDesign
        At most one of each kind; without standardisation.
    places : sequence of ndarray
        Which features each block's columns are: all from 0 on, each once.
    n_threads : int, optional
        Number of threads; None takes what the process may use.
    """

    def __init__(
        self,
        blocks: Sequence[Block],
        places: Sequence[Indices],
        *,
        n_threads: int | None = None,
        counter: RowCounter | None = None,
    ) -> None:
        n_samples = blocks[0].shape[0]
        assert len({type(block) for block in blocks}) == len(blocks)
        assert {block.shape[0] for block in blocks} == {n_samples}
        self.places = [np.asarray(place, dtype=np.intp) for place in places]
        self.shape = n_samples, sum(len(place) for place in self.places)
        kinds = [block.dtype for block in blocks if not isinstance(block, CodesDesign)]
        self.dtype = np.result_type(*kinds, np.float32) if kinds else np.dtype(np.float64)
        self.n_threads = n_threads
        self.counter = counter or RowCounter(n_samples)
        # Whose values a second look costs most.
        order = [DenseDesign, SparseDesign, CodesDesign]
        self.lead = min(range(len(blocks)), key=lambda i: order.index(type(blocks[i])))
        self.blocks: list[Block] = []
        self._parts: dict[int, list[list[Block]]] = {}
        for block in blocks:
            own: Block = block.standardized(block.columns)  # of which counter and threads are ours
            own.counter, own.n_threads = CounterElsewhere(self.counter), n_threads
            self.blocks.append(own)
        self.columns = self._joined()

    # ---- blocks

    def _joined(self) -> Columns:
        """Return the standardisation of all features from those of the blocks."""
        center, inverse_scale = np.zeros(self.shape[1]), np.ones(self.shape[1])
        for block, place in zip(self.blocks, self.places, strict=True):
            center[place], inverse_scale[place] = block.columns
        return Columns(readonly(center), readonly(inverse_scale))

    def _with(self, blocks: Sequence[Block]) -> SplitDesign:
        """Return the same of other blocks."""
        return SplitDesign(blocks, self.places, n_threads=self.n_threads, counter=self.counter)

    def _of_block(self, features: Floats, number: int) -> Floats:
        """Return what belongs to the features of a block, by the last axis."""
        return np.ascontiguousarray(features[..., self.places[number]])

    def _part_rows(self, n_models: int) -> int:
        """Return the rows of a part: fewer for more models, a power of two."""
        rows = PART_ROWS
        while rows > LEAST_PART and rows * n_models > PART_ROWS:
            rows //= 2
        return rows

    def _in_parts(self, n_models: int) -> Iterator[tuple[int, int, list[Block]]]:
        """Go over parts of the rows: begin, end and blocks of each."""
        n_samples, step = self.shape[0], self._part_rows(n_models)
        if n_samples <= step + step // 2:
            yield 0, n_samples, self.blocks
            return
        starts = range(0, n_samples, step)
        if step not in self._parts:
            stops = [min(start + step, n_samples) for start in starts]
            self._parts[step] = [
                [block.part(start, stop) for block in self.blocks]
                for start, stop in zip(starts, stops, strict=True)
            ]
        for start, blocks in zip(starts, self._parts[step], strict=True):
            yield start, start + blocks[0].shape[0], blocks

    def _fixed(
        self, blocks: Sequence[Block], coef: Matrix, offset: Matrix, start: int, stop: int
    ) -> Matrix:
        """Return offset and raw predictions of all blocks but the lead for a part of the rows."""
        n_models = len(coef)
        fixed: Matrix | None = None
        for number, block in enumerate(blocks):
            if number != self.lead:
                own = block.raw_prediction(self._of_block(coef, number), np.zeros(n_models))
                fixed = own if fixed is None else np.add(fixed, own, out=fixed)
        if fixed is None:
            fixed = np.zeros((n_models, stop - start))
        if len(offset):
            # As the kernels take sets of offsets: one for all models, or for each class in turn.
            fixed += offset[np.arange(n_models) % len(offset), start:stop]
        return readonly(fixed)

    # ---- passes

    def evaluate(
        self, targets: Targets, penalty: Penalty, state: DescentState,
        row_state_out: Matrix = NO_ROW_STATE,
    ) -> None:  # fmt: skip
        """Put cost and gradient at the state's point into the state: one pass."""
        sums = self._sums(targets, state.point, state.point_intercept, row_state_out)
        with np.errstate(over="ignore", invalid="ignore"):  # the kernels do not warn either
            finish_evaluation(state, sums / targets.total_weight[:, None], penalty)

    def _sums(
        self, targets: Targets, coef: Matrix, intercept: Vector, row_state_out: Matrix
    ) -> Matrix:
        """Return sums over the rows, (n_models, n_features + 2): gradient, intercept's and cost.

        1. The blocks but the lead predict; 2. the lead adds its own, makes costs and residuals, and
        its gradient; 3. the others make their gradients of the residuals.
        """
        n_models, n_features = coef.shape
        lead, of_lead = self.lead, self._of_block(coef, self.lead)
        sums = np.zeros((n_models, n_features + 2))
        with np.errstate(over="ignore", invalid="ignore"):
            for start, stop, blocks in self._in_parts(n_models):
                own = targets_of(targets, start, stop)
                own = own._replace(offset=self._fixed(blocks, coef, targets.offset, start, stop))
                state = start_state(of_lead, intercept)
                rows = np.zeros((2 * n_models, stop - start))
                no_penalty = Penalty(np.zeros((1, of_lead.shape[1])), True)
                blocks[lead].evaluate(own, no_penalty, state, rows)
                residuals = rows[n_models:]
                for number, block in enumerate(blocks):
                    place = self.places[number]
                    if number == lead:
                        sums[:, place] += state.gradient
                    else:
                        sums[:, place] += block.transposed_product(residuals)[0]
                sums[:, -2] += state.intercept_gradient
                sums[:, -1] += state.cost
                if row_state_out.size:
                    row_state_out[:, start:stop] = rows[: len(row_state_out)]
        self.counter.rows += self.shape[0]
        return sums

    def raw_prediction(self, coef: Matrix, intercept: Vector) -> Matrix:
        """Return the raw prediction of each row, shape (n_models, n_samples): one pass."""
        raw = np.empty((len(coef), self.shape[0]))
        of_lead = self._of_block(coef, self.lead)
        for start, stop, blocks in self._in_parts(len(coef)):
            raw[:, start:stop] = blocks[self.lead].raw_prediction(of_lead, intercept)
            raw[:, start:stop] += self._fixed(blocks, coef, NO_OFFSET, start, stop)
        self.counter.rows += self.shape[0]
        return raw

    def hypotheses(
        self, coef: Matrix, intercept: Vector, offset: Matrix, kind: int, out: Array
    ) -> bool:
        """Write what `coef` (n_models, n_features) says about each row of X as it is: one pass."""
        finite, of_lead = True, self._of_block(coef, self.lead)
        for start, stop, blocks in self._in_parts(len(coef)):
            fixed = self._fixed(blocks, coef, offset, start, stop)
            finite &= blocks[self.lead].hypotheses(of_lead, intercept, fixed, kind, out[start:stop])
        self.counter.rows += self.shape[0]
        return finite

    def transposed_product(self, vectors: Matrix) -> tuple[Matrix, Vector]:
        """Return X' v of each vector (n_models, n_samples), and its sum: one pass."""
        slopes = np.empty((len(vectors), self.shape[1]))
        for block, place in zip(self.blocks, self.places, strict=True):
            slopes[:, place], levels = block.transposed_product(vectors)
        self.counter.rows += self.shape[0]
        return slopes, levels

    def column_means(self, weights: Vector, total_weight: float) -> Vector:
        """Return the weighted mean of each column of X less `center`: one pass."""
        means = np.empty(self.shape[1])
        for block, place in zip(self.blocks, self.places, strict=True):
            means[place] = block.column_means(weights, total_weight)
        self.counter.rows += self.shape[0]
        return means

    def column_variances(self, weights: Vector, total_weight: float) -> Vector:
        """Return the weighted mean of each column's squared distance from `center`: one pass."""
        variances = np.empty(self.shape[1])
        for block, place in zip(self.blocks, self.places, strict=True):
            variances[place] = block.column_variances(weights, total_weight)
        self.counter.rows += self.shape[0]
        return variances

    def largest_row(self, scale: Vector, shift: Vector) -> float:
        """Return the largest sum of squares of ``(standardised row - shift) * scale``: one pass."""
        largest = 0.0
        for _, _, blocks in self._in_parts(1):
            sizes = np.zeros(blocks[0].shape[0])
            for number, block in enumerate(blocks):
                own, moved = self._of_block(scale, number), self._of_block(shift, number)
                sizes += block.row_sizes(own, moved)
            found = float(sizes.max())
            largest = max(largest, found if found == found else np.inf)
        self.counter.rows += self.shape[0]
        return largest

    # ---- products

    def gram(self, curvature: Vector) -> Matrix:
        """Return X' diag(curvature) X, shape (n_features + 1,) * 2, intercept last: one pass."""
        size = self.shape[1] + 1
        matrix = np.empty((size, size))
        own = [block.gram(curvature) for block in self.blocks]
        for number, place in enumerate(self.places):
            matrix[np.ix_(place, place)] = own[number][:-1, :-1]
            matrix[-1, place] = matrix[place, -1] = own[number][-1, :-1]
            for other in range(number):
                across = self._products(number, other, own, curvature)
                matrix[np.ix_(place, self.places[other])] = across
                matrix[np.ix_(self.places[other], place)] = across.T
        matrix[-1, -1] = own[0][-1, -1]
        self.counter.rows += self.shape[0]
        return matrix

    def _products(self, one: int, other: int, grams: list[Matrix], weights: Vector) -> Matrix:
        """Return weighted products of the standardised columns of two blocks."""
        a, b = self.blocks[one], self.blocks[other]
        if isinstance(b, CodesDesign) or (
            isinstance(b, SparseDesign) and isinstance(a, DenseDesign)
        ):
            return np.ascontiguousarray(self._products(other, one, grams, weights).T)
        if isinstance(a, SparseDesign):
            return self._sparse_with_dense(one, other, weights)
        assert isinstance(a, CodesDesign)
        plain = readonly(np.ascontiguousarray(weights))
        moved = _unscaled(grams[other], b.columns)
        sums = _unscaled(grams[one], a.columns) + grams[one][-1, -1] * a.columns.center
        if isinstance(b, DenseDesign):
            # Centred where it is read.
            center = as_they_are(b.shape[1]).center
            products = a.products_with_dense(b, plain)
            of_columns = Columns(center, b.columns.inverse_scale)
        else:
            assert isinstance(b, SparseDesign)
            products, of_columns = a.products_with_sparse(b, plain), b.columns
        return standard_products(products, a.columns, of_columns, sums, moved)

    def _sparse_with_dense(self, one: int, other: int, weights: Vector) -> Matrix:
        """Return the products of a sparse block with each standardised column of a dense one."""
        n_columns = self.blocks[other].shape[1]
        found = np.zeros((self.blocks[one].shape[1], n_columns))
        center, inverse_scale = self.blocks[other].columns
        with np.errstate(over="ignore", invalid="ignore"):
            for start, stop, blocks in self._in_parts(n_columns):
                everyone = np.arange(stop - start)
                standard = (blocks[other].rows(everyone) - center) * inverse_scale
                weighed = np.ascontiguousarray((standard * weights[start:stop, None]).T)
                found += blocks[one].transposed_product(weighed)[0].T
        return found

    def gram_of_rows(self) -> Matrix | None:
        """Return Z Z' for the standardised rows Z, (n_samples, n_samples): one pass."""
        total = np.zeros((self.shape[0], self.shape[0]))
        for block in self.blocks:
            own = block.gram_of_rows()
            assert own is not None  # blocks lie in memory
            total += own
        self.counter.rows += self.shape[0]
        return total

    # ---- rows and columns as they are

    def rows(self, indices: Indices) -> Features:
        """Return a copy of some rows as they are, in the order of `indices`; for few of them."""
        out = np.empty((len(indices), self.shape[1]), dtype=self.dtype)
        for block, place in zip(self.blocks, self.places, strict=True):
            out[:, place] = block.rows(indices)
        return out

    @property
    def stored_share(self) -> float:
        """Share of the values that are no zeros of a categorical or sparse column."""
        shares = [
            block.stored_share if isinstance(block, CodesDesign) else block.density
            for block in self.blocks
        ]
        stored = sum(s * len(place) for s, place in zip(shares, self.places, strict=True))
        return float(stored / max(1, self.shape[1]))

    def columns_of(self, indices: Indices) -> Design:
        """Return a design over a copy of what some columns store, in their order: one pass."""
        parts, where, center = [], [], self.columns.center[indices]
        for block, place in zip(self.blocks, self.places, strict=True):
            own, order = np.flatnonzero(np.isin(indices, place)), np.argsort(place)
            within = order[np.searchsorted(place, indices[own], sorter=order)]
            where.append(own)
            if isinstance(block, DenseDesign):
                parts.append(of_numbers(block, within))
                center[own] = 0.0
            elif isinstance(block, SparseDesign):
                parts.append(block.stored(within))
            else:
                parts.append(block.given.stored(within))
        stored = joined(parts, np.dtype(np.float64)).take(np.argsort(np.concatenate(where)))
        return design_of(self, indices, stored, center)

    def column(self, index: int) -> Column:
        """Return a column of X as it is, without standardisation."""
        for block, place in zip(self.blocks, self.places, strict=True):
            found = np.flatnonzero(place == index)
            if found.size:
                return block.column(int(found[0]))
        raise IndexError(index)

    def first_not_finite(self) -> NotFinite | None:
        """Return the first value that is NaN or infinite, None where there is none: one pass."""
        found = []
        for block, place in zip(self.blocks, self.places, strict=True):
            bad = block.first_not_finite()
            if bad is not None:
                found.append(bad._replace(column=int(place[bad.column])))
        self.counter.rows += self.shape[0]
        return min(found, key=lambda bad: (bad.row, bad.column)) if found else None

    # ---- other designs over the same rows

    def standardized(self, columns: Columns) -> SplitDesign:
        """Return a design over the same memory with another standardisation."""
        center, inverse_scale = (np.asarray(each) for each in columns)
        return self._with([
            block.standardized(Columns(center[place], inverse_scale[place]))
            for block, place in zip(self.blocks, self.places, strict=True)
        ])  # fmt: skip

    def subsample(self, stride: int) -> SplitDesign:
        """Return a design over every `stride`-th row."""
        return self._with([block.subsample(stride) for block in self.blocks])

    def take(self, indices: Indices) -> SplitDesign:
        """Return a design over a copy of some rows."""
        return self._with([block.take(indices) for block in self.blocks])

    def sample(
        self, rows: IndexMatrix, sizes: Vector, intercept: float, inverse: Matrix
    ) -> tuple[Array, Cube]:
        """Return what `kernels.lowrank` takes for the rows of each output: a part of a pass."""
        return sample_of_copies(self, rows, sizes, intercept, inverse)

    # ---- what passes cost, and lose

    @property
    def density(self) -> float:
        """Share of the values that a pass reads."""
        read = sum(block.density * block.shape[1] for block in self.blocks)
        return float(read / max(1, self.shape[1]))

    @property
    def most_centred(self) -> Vector:
        """How many standard deviations from 0 the mean of each column may be that is centred."""
        most = np.empty(self.shape[1])
        for block, place in zip(self.blocks, self.places, strict=True):
            most[place] = block.most_centred
        return most

    @property
    def rounding(self) -> float:
        """How much larger than standardised values the numbers are that passes add up."""
        return max(block.rounding for block in self.blocks)

    def pass_ns(self, n_models: int) -> float:
        """Return roughly how many nanoseconds a pass takes in one thread."""
        return float(sum(block.pass_ns(n_models) for block in self.blocks))


def _unscaled(gram: Matrix, columns: Columns) -> Vector:
    """Return the weighted sums of centred columns, of which a Gram matrix has those scaled."""
    scaled, inverse_scale = gram[-1, :-1], columns.inverse_scale
    return np.divide(scaled, inverse_scale, out=np.zeros(len(scaled)), where=inverse_scale > 0.0)
