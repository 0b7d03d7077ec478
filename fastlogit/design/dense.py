"""Rows of a NumPy array, of any layout and number type, read in place."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import numpy as np

from .. import threads
from ..arrays import Array, Column, Cube, Features, IndexMatrix, Indices, Matrix, Vector
from ..kernels.column_descent import SomeColumns
from ..kernels.descent import RUNNING, DescentState, Penalty, descend
from ..kernels.elements import elements_of
from ..kernels.gram import gram, grams
from ..kernels.hypotheses import hypotheses
from ..kernels.lowrank import sample
from ..kernels.passes import LINEAR, MAX_CHUNKS, SPREAD, Layout, Rows, Targets, passes
from ..kernels.policy import Compiled, Twins
from ..kernels.row_sizes import largest_row as find_largest_row
from ..kernels.simd import LANES
from ..kernels.wide_rows import LEAST_COLUMNS, MOST_ROWS, add_columns, add_rows, look_at_columns
from .base import NO_ROW_STATE, ROW_NS, Columns, Design, RowCounter, as_they_are, at_line, readonly
from .first_look import FirstLook

__all__ = ["ArrayDesign", "DenseDesign", "every", "sample_of_copies"]

# Serial time of a Gram matrix: per product of two columns.
GRAM_NS = 0.05
# Ctrl-C is answered when a compiled call returns: a Gram matrix is cut into calls of this work.
GRAM_CALL_NS = 1e8
GRAM_ROWS = 4096
# Numbers of the columns that are copied at a time for the Gram matrix of the rows: 32 MB. Of 2,000
# rows that is a call of 0.1 to 0.2 s.
TURNED = 2**22
# Between these a square has all digits.
TINY, HUGE = 1e-290, 1e290
# Columns of so many rows, and no more rows than columns, are given as copies: up to this part of
# them, or so many numbers, 8 MB.
SHORT, PART, LITTLE = 20_000, 0.25, 1e6
# Room for so many times the columns that come first, and numbers copied at a time.
ROOM_OF_COPIES, COPIED_NUMBERS = 4, 65_536
NO_ROWS = readonly(np.empty(0, dtype=np.int32))
COPY_STRIDE = 37
# Rows that are gathered are copied up to this size too: a strided view of columns would be a memory
# layout of its own, for which all kernels are compiled anew (20 s, with threads 40).
COPY_BYTES = 2**24

# Rows whose sizes are found at a time, in cache.
SIZED = 4096

_NO_HISTORY = np.empty((0, 1))


class ArrayDesign(Design):
    """Rows of a NumPy array in memory: how some of them, and single columns, are had."""

    _X: Features

    def rows(self, indices: Indices) -> Features:
        """Return a copy of some rows as they are, in the order of `indices`."""
        return np.ascontiguousarray(self._X[indices])

    def column(self, index: int) -> Column:
        """Return a column of X as it is, without standardisation."""
        return self._X[:, index]

    def row_blocks(self, size: int) -> Iterator[tuple[int, int, Features]]:
        """Go over the rows of X as they are: begin, end and rows of each block. One pass."""
        for start in range(0, self.shape[0], size):
            stop = min(start + size, self.shape[0])
            yield start, stop, self._X[start:stop]
            self.counter.rows += stop - start

    def gram_of_rows(self) -> Matrix | None:
        """Return Z Z' for the standardised rows Z, (n_samples, n_samples): one pass.

        Columns are turned into rows, a block of them at a time, for the kernel of `gram`.
        """
        n_samples, n_features = self.shape
        matrix, (center, scale) = np.zeros((n_samples, n_samples)), self.columns
        with np.errstate(over="ignore", invalid="ignore"):
            weights = np.square(scale)
        # The kernel takes weights' roots: where squares lose nothing, columns are scaled by them.
        fits = bool(((weights > TINY) & (weights < HUGE) | (scale == 0.0)).all())
        weights = weights if fits else np.ones(n_features)
        step = max(LANES, TURNED // n_samples)
        counter = RowCounter(n_features)
        counter.clock = self.counter.clock
        for start in range(0, n_features, step):
            part = slice(start, start + step)
            turned = np.subtract(
                self._X[:, part].T, center[part, None], dtype=np.float64, order="C"
            )
            if not fits:
                turned *= scale[part, None]
            block = DenseDesign(turned, n_threads=self.n_threads, counter=counter)
            matrix += block.gram(weights[part])[:-1, :-1]
        self.counter.rows += n_samples
        return matrix


class DenseDesign(ArrayDesign):
    """Passes over the rows of a NumPy array.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Float64 or float32 rows that lie contiguous in memory (of any row stride) are read where
        they are; any other layout, integers, booleans and foreign byte orders are gathered block
        by block.
    n_threads : int, optional
        Number of threads; None takes what the process may use.
    columns : Columns, optional
        Standardisation; none by default.
    counter : RowCounter, optional
        Where the rows read are counted; a new one by default.
    """

    def __init__(
        self,
        X: Features,
        *,
        n_threads: int | None = None,
        columns: Columns | None = None,
        counter: RowCounter | None = None,
    ) -> None:
        self._X = X
        self.shape = X.shape
        self.dtype = X.dtype
        self.n_threads = n_threads
        self.counter = counter or RowCounter(X.shape[0])
        self.columns = columns or as_they_are(X.shape[1])
        self._layout, self._rows = _rows(X, self.columns)
        self._copied: ColumnCopies | None = None
        # A part of so many rows that passes over these are parallel.
        self._of_many = False

    def __reduce__(self) -> tuple[object, ...]:
        # Of X and its memory as kernels see it one is enough.
        return _dense, (self._X, self.n_threads, self.columns, self.counter)

    def standardized(self, columns: Columns) -> DenseDesign:
        """Return a design over the same memory with another standardisation."""
        same = DenseDesign(self._X, n_threads=self.n_threads, columns=columns, counter=self.counter)
        same._of_many = self._of_many
        return same

    def subsample(self, stride: int) -> DenseDesign:
        """Return a design over every `stride`-th row."""
        some = DenseDesign(
            every(self._X, stride), n_threads=self.n_threads, columns=self.columns,
            counter=self.counter,
        )  # fmt: skip
        some._of_many = self._of_many or self.pass_ns(1) >= threads.BREAK_EVEN_NS
        return some

    def part(self, start: int, stop: int) -> DenseDesign:
        """Return a design over rows that follow each other, in place."""
        return DenseDesign(
            self._X[start:stop], n_threads=self.n_threads, columns=self.columns,
            counter=self.counter,
        )  # fmt: skip

    def evaluate(
        self, targets: Targets, penalty: Penalty, state: DescentState,
        row_state_out: Matrix = NO_ROW_STATE,
    ) -> None:  # fmt: skip
        """Put cost and gradient at the state's point into the state: one pass."""
        self._descend(targets, penalty, 0.0, False, 0.0, state, False, _NO_HISTORY, row_state_out)

    def transposed_product(self, vectors: Matrix) -> tuple[Matrix, Vector]:
        """Return X' v of each vector (n_models, n_samples), and its sum: one pass."""
        if self._adds_rows or self._columns_lie is not None:
            return self._sums(vectors), vectors.sum(axis=1)
        return super().transposed_product(vectors)

    def _sums(self, vectors: Matrix, squared: bool = False) -> Matrix:
        """Return X' v, or that of the squares of X where columns lie one after the other."""
        sums, given = np.empty((len(vectors), self.shape[1])), np.ascontiguousarray(vectors)
        flat = self._columns_lie
        with self._team(1) as parallel:
            if flat is None:
                add_rows.choose(parallel)(self._rows, readonly(given), sums)
            else:
                add_columns.choose(parallel)(
                    flat, self._rows.center, self._rows.inverse_scale, readonly(given.reshape(-1)),
                    squared, sums,
                )  # fmt: skip
        self.counter.rows += self.shape[0] * len(vectors)
        return sums

    @property
    def _adds_rows(self) -> bool:
        """Say whether X' v is to be had without predictions."""
        return self._layout is Layout.DIRECT and self.shape[1] >= LEAST_COLUMNS

    @property
    def _columns_lie(self) -> Array | None:
        """Return the flat memory of many short columns that lie one after the other; else None.

        Of few columns sums have the same bits in any order of memory.
        """
        X = self._X
        plain = X.dtype.char in "fd" and X.dtype.isnative and X.flags.aligned
        lies = X.flags.f_contiguous and self._layout is Layout.GATHERED
        if not (plain and lies and X.shape[0] <= MOST_ROWS and X.shape[1] >= LEAST_COLUMNS):
            return None
        flat: Array = X.T.reshape(-1)
        return readonly(flat)

    def _column_sums(self, loss: int, weights: Vector, total_weight: float) -> Vector:
        # Squares of what is not scaled may overflow.
        is_plain = loss == LINEAR or bool((self.columns.inverse_scale == 1.0).all())
        is_known = self._columns_lie is not None or (self._adds_rows and loss == LINEAR)
        if not (is_known and is_plain):
            return super()._column_sums(loss, weights, total_weight)
        shares = np.full(self.shape[0], 1.0 / total_weight)
        shares = weights / total_weight if weights.size else shares
        return self._sums(shares[None], loss == SPREAD)[0]

    @property
    def looks_once(self) -> bool:
        """Whether `first_look` may tell something: of rows that are added to all columns."""
        return self._adds_rows and self.shape[0] >= 4

    def first_look(self, shares: Vector, vector: Vector) -> FirstLook | None:
        """Return sums of the columns of X as it is: one pass. See `Design`."""
        n_samples, n_features = self.shape
        if not self.looks_once:
            return None
        with np.errstate(over="ignore", invalid="ignore"):
            # Of rows apart; that of a constant column is its value.
            one, two, three, four = (
                self._X[k * n_samples // 4].astype(np.float64) for k in range(4)
            )
            shift = 0.5 * (0.5 * (one + two) + 0.5 * (three + four))
        sums = np.empty(3 * n_features)
        rows = _rows(self._X, Columns(shift, np.ones(n_features)))[1]
        with self._team(1) as parallel, np.errstate(over="ignore", invalid="ignore"):
            look_at_columns.choose(parallel)(rows, readonly(shares), readonly(vector), sums)
        self.counter.rows += n_samples
        means, squares, products = sums.reshape(3, n_features)
        found = FirstLook(shift, means, squares, shares, vector, products)
        return found if found.is_sharp() else None

    def gram(self, curvature: Vector) -> Matrix:
        """Return X' diag(curvature) X, shape (n_features + 1,) * 2, intercept last: one pass."""
        n_samples, size = self.shape[0], self.shape[1] + 1
        matrix, part = np.zeros((size, size)), np.empty((size, size))
        row_ns = GRAM_NS * size * size
        step = max(GRAM_ROWS, int(GRAM_CALL_NS / row_ns))
        for start in range(0, n_samples, step):
            stop = min(start + step, n_samples)
            rows = self._rows if step >= n_samples else _rows(self._X[start:stop], self.columns)[1]
            weights = readonly(np.ascontiguousarray(curvature[start:stop]))
            given = rows, weights, part
            with self._twin(gram(self._layout), row_ns * (stop - start), given) as add_rows_up:
                add_rows_up(*given)
            matrix += part
        self.counter.rows += n_samples
        return matrix

    def grams(self, weights: Matrix) -> Cube:
        """Return `gram` for each row of weights (n_outputs, n_samples): as many passes.

        Meant for few rows: each matrix is made by one thread.
        """
        n_samples, size = self.shape[0], self.shape[1] + 1
        matrices = np.empty((len(weights), size, size))
        output_ns = GRAM_NS * size * size * n_samples
        step = max(1, int(GRAM_CALL_NS / output_ns))
        for start in range(0, len(weights), step):
            part = slice(start, start + step)
            with self._team_for(output_ns * len(weights[part])) as parallel:
                grams(self._layout).choose(parallel)(
                    self._rows, readonly(weights[part]), matrices[part]
                )
        self.counter.rows += n_samples * len(weights)
        return matrices

    def sample(
        self, rows: IndexMatrix, sizes: Vector, intercept: float, inverse: Matrix
    ) -> tuple[Array, Cube]:
        """Return what `kernels.lowrank` takes for the rows of each output: a part of a pass.

        `rows` (n_outputs, m) are indices, m a multiple of 4. See `kernels.lowrank.sample`.
        """
        (n_outputs, n_rows), n_columns = rows.shape, inverse.shape[1]
        width = (n_columns + LANES - 1) // LANES * LANES
        sampled = np.empty((n_outputs, n_rows, width), dtype=np.float32)
        lower = np.empty((n_outputs, n_rows, n_rows))
        layout, source = _rows(self._X, self.columns)  # of all rows, also where passes take slices
        output_ns = n_rows * n_columns * (GRAM_NS * n_rows + ROW_NS)
        step = max(1, int(GRAM_CALL_NS / output_ns))
        for start in range(0, n_outputs, step):
            part = slice(start, start + step)
            with self._team_for(output_ns * len(rows[part])) as parallel:
                sample(layout).choose(parallel)(
                    source, readonly(rows[part]), readonly(sizes[part]), float(intercept),
                    readonly(inverse[part]), sampled[part], lower[part],
                )  # fmt: skip
        self.counter.rows += rows.size
        return sampled, lower

    def take(self, indices: Indices) -> DenseDesign:
        """Return a design over a copy of some rows."""
        return DenseDesign(
            self.rows(indices), n_threads=self.n_threads, columns=self.columns,
            counter=self.counter,
        )  # fmt: skip

    def largest_row(self, scale: Vector, shift: Vector) -> float:
        """Return the largest sum of squares of ``(standardised row - shift) * scale``: one pass."""
        center, inverse_scale = self.columns
        factor = inverse_scale * scale
        middle = center + np.divide(
            shift, inverse_scale, out=np.zeros_like(center), where=inverse_scale > 0.0
        )
        layout, rows = _rows(self._X, Columns(middle, factor))
        largest = np.zeros(MAX_CHUNKS)
        with self._team(1) as parallel:
            find_largest_row(layout).choose(parallel)(rows, largest)
        self.counter.rows += self.shape[0]
        return float(largest.max())

    def row_sizes(self, scale: Vector, shift: Vector) -> Vector:
        """Return the sum of squares of ``(standardised row - shift) * scale`` of each row."""
        center, inverse_scale = self.columns
        sizes = np.empty(self.shape[0])
        with np.errstate(over="ignore", invalid="ignore"):
            for start, stop, rows in self.row_blocks(SIZED):
                standard = (rows - center) * inverse_scale
                standard -= shift
                standard *= scale
                sizes[start:stop] = np.square(standard).sum(axis=1)
        return sizes

    def side_by_side(self) -> DenseDesign | None:
        """Return a design over the same memory for a thread of Python."""
        if type(self) is not DenseDesign:
            return None
        counter = RowCounter(self.counter.n_samples)
        return DenseDesign(self._X, n_threads=1, columns=self.columns, counter=counter)

    def gives_columns(self, count: int) -> bool:
        """Say whether so many of `some_columns` can be had: copies of a part of short columns."""
        n_samples, n_features = self.shape
        most = max(PART * n_features, LITTLE / n_samples)
        return n_samples <= min(SHORT, n_features) and count <= most

    def some_columns(self, indices: Indices) -> tuple[SomeColumns, Vector]:
        """Return some scaled columns for kernels, and what their centres are on that scale.

        They are copied when they are asked for first.
        """
        if self._copied is None:
            self._copied = ColumnCopies(self._X, self.columns)
        data, begins = self._copied.of(indices)
        ones, none = np.ones(len(indices)), np.zeros(len(indices))
        self.counter.rows += int(self.shape[0] * len(indices) / self.shape[1])
        return SomeColumns(data, NO_ROWS, begins, begins + self.shape[0], ones), none

    @property
    def kernel_rows(self) -> tuple[Layout, Rows]:
        """How kernels get at the rows, and these as they take them."""
        return self._layout, self._rows

    def raw_prediction(self, coef: Matrix, intercept: Vector) -> Matrix:
        """Return the raw prediction of each row, shape (n_models, n_samples): one pass."""
        raw = np.empty((coef.shape[0], self.shape[0]))
        with self._team(coef.shape[0]) as parallel:
            passes(self._layout).raw_prediction.choose(parallel)(
                self._rows, readonly(coef), readonly(intercept), raw
            )
        self.counter.rows += self.shape[0]
        return raw

    def hypotheses(
        self, coef: Matrix, intercept: Vector, offset: Matrix, kind: int, out: Array
    ) -> bool:
        """Write what `coef` (n_models, n_features) says about each row of X as it is: one pass.

        `kind` is one of `kernels.hypotheses`, `out` of the shape that it asks for. Returns whether
        all raw predictions are finite.
        """
        with self._team(coef.shape[0]) as parallel:
            spoiled = hypotheses(self._layout).choose(parallel)(
                self._rows, readonly(coef), readonly(intercept), readonly(offset), kind,
                out.reshape(-1),
            )  # fmt: skip
        self.counter.rows += self.shape[0]
        return bool(spoiled == 0.0)

    def descend(
        self, targets: Targets, penalty: Penalty, step_size: float, accelerate: bool, tol: float,
        state: DescentState, history_out: Matrix,
    ) -> tuple[int, int]:  # fmt: skip
        """Take up to ``len(history_out)`` steps from an evaluated state, one pass each."""
        return self._descend(
            targets, penalty, step_size, accelerate, tol, state, True, history_out, NO_ROW_STATE
        )

    def _descend(
        self, targets: Targets, penalty: Penalty, step_size: float, accelerate: bool, tol: float,
        state: DescentState, evaluated: bool, history_out: Matrix, row_state_out: Matrix,
    ) -> tuple[int, int]:  # fmt: skip
        given = (
            self._rows, targets, penalty, step_size, accelerate, tol, state, evaluated, history_out,
            row_state_out,
        )  # fmt: skip
        work_ns = self.pass_ns(state.coef.shape[0])
        with self._twin(descend(self._layout), work_ns, given) as go_down:
            steps, status = go_down(*given)
        # The step that ends a descent is not followed by an evaluation.
        self.counter.rows += self.shape[0] * (steps + (not evaluated) - (status != RUNNING))
        return steps, status

    @contextlib.contextmanager
    def _twin(self, twins: Twins, work_ns: float, given: tuple[object, ...]) -> Iterator[Compiled]:
        """Give the twin for work of so many nanoseconds, and its threads.

        Passes over all of the rows need the parallel one: for some of them no other is compiled.
        """
        with self._team_for(work_ns) as parallel:
            if parallel or not self._of_many or twins.has_serial(given):
                yield twins.choose(parallel)
                return
        with self._team_for(max(work_ns, threads.BREAK_EVEN_WORKQUEUE_NS)) as parallel:
            yield twins.choose(parallel)


class ColumnCopies:
    """Standardised copies of columns of an array, one after the other, as they were asked for."""

    def __init__(self, X: Features, columns: Columns) -> None:
        self._X, self._columns = X, columns
        self._places = np.full(X.shape[1], -1)
        # Each begins at a cache line.
        self._stride = -(-len(X) // LANES) * LANES
        self._data = np.empty((0, self._stride))
        self._count = 0

    def of(self, indices: Indices) -> tuple[Vector, Indices]:
        """Return the numbers of all copies, and where those of some columns begin.

        Read-only, as sparse columns are: kernels over `SomeColumns` are compiled once for both.
        """
        new = indices[self._places[indices] < 0]
        total = self._count + len(new)
        if total > len(self._data):
            # Memory that is not written to costs nothing, and what is copied anew does.
            most = min(ROOM_OF_COPIES * len(new), len(self._places))
            room = max(total, 2 * self._count, most)
            data = at_line(room * self._stride).reshape(room, self._stride)
            data[: self._count] = self._data[: self._count]
            self._data = data
        self._copy(new, self._data[self._count : total])
        self._places[new] = np.arange(self._count, total)
        self._count = total
        return readonly(self._data.reshape(-1)), self._places[indices] * self._stride

    def _copy(self, new: Indices, out: Matrix) -> None:
        """Copy columns, standardised: some rows at a time, which stay in the cache on their way."""
        center, inverse_scale = (part[new] for part in self._columns)
        if self._X.flags.f_contiguous:
            with np.errstate(over="ignore", invalid="ignore"):
                copies = out[:, : len(self._X)]
                np.subtract(self._X.T[new], center[:, None], out=copies)
                copies *= inverse_scale[:, None]
            return
        step = max(1, COPIED_NUMBERS // max(1, len(new)))
        with np.errstate(over="ignore", invalid="ignore"):
            for start in range(0, len(self._X), step):
                part = self._X[start : start + step][:, new].astype(np.float64, copy=False)
                part -= center
                part *= inverse_scale
                out[:, start : start + len(part)] = part.T


def sample_of_copies(
    design: Design, rows: IndexMatrix, sizes: Vector, intercept: float, inverse: Matrix
) -> tuple[Array, Cube]:
    """Return `Design.sample` of rows that are made dense, those of one output at a time."""
    parts = []
    for own, size, diagonal in zip(rows, sizes, inverse, strict=True):
        drawn, places = np.unique(own, return_inverse=True)
        dense = DenseDesign(
            design.rows(drawn), n_threads=design.n_threads, columns=design.columns,
            counter=design.counter,
        )  # fmt: skip
        one = np.array([size])
        parts.append(dense.sample(places.reshape(1, -1), one, intercept, diagonal[None]))
    return np.concatenate([each for each, _ in parts]), np.concatenate([s for _, s in parts])


def _dense(
    X: Features, n_threads: int | None, columns: Columns, counter: RowCounter
) -> DenseDesign:  # fmt: skip
    return DenseDesign(X, n_threads=n_threads, columns=columns, counter=counter)


def every(X: Features, stride: int) -> Features:
    """Return every `stride`-th row: a copy where that is 3 % of X, or little.

    Rows far apart are slow to read: 43,000 of 1,000,000 x 50 take 10 ms in place, and 1 ms as a
    copy, which stays in the cache.
    """
    rows = X[::stride]
    is_little = rows.nbytes <= COPY_BYTES and not _is_direct(X)
    return np.ascontiguousarray(rows) if stride >= COPY_STRIDE or is_little else rows


def _is_direct(X: Features) -> bool:
    """Say whether rows can be read where they are, without gathering them."""
    item = X.itemsize
    contiguous = X.strides[1] == item and X.strides[0] % item == 0 and X.strides[0] >= 0
    plain = X.dtype.char in "fd" and X.dtype.isnative and X.flags.aligned
    return bool(plain and contiguous and X.shape[1] >= LANES)


def _rows(X: Features, columns: Columns) -> tuple[Layout, Rows]:
    """Return how the kernels get at the rows, and describe these to them."""
    center, inverse_scale = readonly(columns.center), readonly(columns.inverse_scale)
    n_samples, n_features = X.shape
    if _is_direct(X):
        if X.flags.c_contiguous:
            # As below, without NumPy's as_strided, which takes 5 us.
            flat = readonly(X.reshape(-1))
            return Layout.DIRECT, Rows(flat, n_features, 0, 0, n_samples, center, inverse_scale)
        item = X.itemsize
        stride = X.strides[0] // item
        flat = np.lib.stride_tricks.as_strided(
            X, ((n_samples - 1) * stride + n_features,), (item,), writeable=False
        )
        return Layout.DIRECT, Rows(flat, stride, 0, 0, n_samples, center, inverse_scale)
    return Layout.GATHERED, Rows(*elements_of(X), n_samples, center, inverse_scale)
