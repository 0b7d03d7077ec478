"""Matched sets: which rows belong together, which of them say something, in one order.

A stratum without a case, or without a control, has one outcome only and says nothing. The others
are read in the order of their strata, block by block, each column less its mean in the stratum.
"""

from __future__ import annotations

import time
from copy import copy
from typing import NamedTuple

import numpy as np

from .. import threads
from ..arrays import ArrayLike, Indices, Integers, Mask, Matrix, Vector
from ..clock import Clock
from ..design.base import Design, readonly
from ..fitting.chunks import Crew
from ..inference.row_weights import RowWeights
from ..inputs.given import Data
from ..inputs.groups import encode_groups
from ..inputs.values import show
from ..kernels.conditional import sums_of_strata
from ..kernels.simd import LANES

__all__ = ["MatchedRows", "Point", "Strata", "encoded", "look_at_strata"]

# Numbers of a block of rows, unless one stratum has more; and bytes of blocks that are kept.
BLOCK_NUMBERS, KEPT_BYTES = 65_536, 2**28


class Strata(NamedTuple):
    """The strata that have cases and controls, their rows one after the other.

    Attributes
    ----------
    rows : ndarray of shape (n_rows,)
        Places in X.
    starts : ndarray of int64, shape (n_strata + 1,)
    is_case : ndarray of uint8, shape (n_rows,)
    weights : ndarray of shape (n_strata,)
    offset : ndarray of shape (n_rows,), or empty
    n_without_cases, n_without_controls : float
        Strata that say nothing; with frequencies, as often as these say.
    """

    rows: Indices
    starts: Integers
    is_case: np.ndarray[tuple[int], np.dtype[np.uint8]]
    weights: Vector
    offset: Vector
    n_without_cases: float
    n_without_controls: float

    @property
    def counts(self) -> Integers:
        """Rows of each stratum, (n_strata,)."""
        return np.diff(self.starts)

    @property
    def n_cases(self) -> Integers:
        """Cases of each stratum, (n_strata,)."""
        return np.add.reduceat(self.is_case.astype(np.int64), self.starts[:-1])

    def constant(self, codes: Integers) -> Integers:
        """Return the code of each stratum's rows, -1 where they have several."""
        own = codes[self.rows]
        low = np.minimum.reduceat(own, self.starts[:-1])
        return np.where(low == np.maximum.reduceat(own, self.starts[:-1]), low, -1)


def encoded(name: str, labels: ArrayLike, n_rows: int) -> tuple[Integers, Integers]:
    """Return the distinct labels of an argument, and the place of each row's among them.

    Raises
    ------
    TypeError, ValueError
        If there is not one label for each row, or one is missing.
    """
    try:
        groups = encode_groups(labels, n_rows)
    except (TypeError, ValueError) as error:
        raise type(error)(str(error).replace("groups", name)) from None
    return groups.labels, groups.codes  # type: ignore[return-value]  # labels are of any type


def look_at_strata(data: Data, strata: ArrayLike, weights: RowWeights) -> Strata:
    """Return the strata that say something; rows of weight 0 are left out.

    Raises
    ------
    TypeError, ValueError
        If strata are no labels, weights differ within one, or none has a case and a control.
    """
    n_rows = len(data.codes)
    labels, codes = encoded("strata", strata, n_rows)
    order = np.argsort(codes, kind="stable")
    if weights.values.size:
        order = order[weights.values[order] > 0.0]
    own = codes[order]
    counts = np.bincount(own, minlength=len(labels))
    n_cases = np.bincount(own, weights=data.codes[order], minlength=len(labels)).astype(np.int64)
    own_weights = _of_strata(weights, order, own, counts, labels)
    speaks = (n_cases > 0) & (n_cases < counts)
    if not speaks.any():
        raise ValueError(
            "no stratum has both a case and a control: strata must be the matched sets, whose rows "
            f"are compared; there are {np.count_nonzero(counts):,} strata of {len(own):,} rows"
        )
    rows = order[speaks[own]]
    times = own_weights if weights.is_frequency else np.ones(len(labels))
    starts = np.concatenate([[0], np.cumsum(counts[speaks])])
    return Strata(
        rows, starts, data.codes[rows].astype(np.uint8), own_weights[speaks],
        _within(data.offset[rows], starts) if data.offset.size else data.offset,
        float(times[(counts > 0) & (n_cases == 0)].sum()),
        float(times[(counts > 0) & (n_cases == counts)].sum()),
    )  # fmt: skip


def _within(offset: Vector, starts: Integers) -> Vector:
    """Return an offset less that of its stratum's first row: the likelihood is the same.

    Raises
    ------
    ValueError
        If a difference leaves float64.
    """
    with np.errstate(over="ignore"):
        found = offset - np.repeat(offset[starts[:-1]], np.diff(starts))
    if not np.isfinite(found).all():
        raise ValueError("differences of the offset within a stratum leave float64; rescale it")
    return np.asarray(found)


def _of_strata(
    weights: RowWeights, order: Indices, own: Integers, counts: Integers, labels: Integers
) -> Vector:
    """Return the weight of each stratum, which its rows share."""
    found = np.ones(len(labels))
    if not weights.values.size:
        return found
    found[own] = weights.values[order]
    differs = weights.values[order] != found[own]
    if differs.any():
        place = int(np.argmax(differs))
        raise ValueError(
            "sample_weight is that of a stratum, the same for all of its rows (or 0 for rows that "
            f"are left out), but stratum {show(labels[own[place]])} has "
            f"{show(weights.values[order[place]])} in row {int(order[place])} and "
            f"{show(found[own[place]])} in another"
        )
    return found


class Point(NamedTuple):
    """The conditional likelihood at coefficients.

    `scores` (n_strata, n_features) are slopes of single strata, without weights; `score` their
    weighted sum; `information` minus the Hessian.
    """

    coef: Vector
    log_likelihood: float
    score: Vector
    information: Matrix
    scores: Matrix


class _Block(NamedTuple):
    """Strata and rows from the first to before the last."""

    strata: slice
    rows: slice


class MatchedRows:
    """Rows in the order of their strata, read in blocks that threads share out.

    Columns are less their mean in the stratum, which changes nothing, and divided by their largest
    size then. Blocks are kept while they take up to 256 MB together; else they are read again by
    each pass.

    Attributes
    ----------
    strata : Strata
    scale : ndarray of shape (n_features,)
        Coefficients of X are those of its columns over this; 0 for columns that are constant in
        each stratum.
    """

    def __init__(self, design: Design, strata: Strata, n_threads: int | None) -> None:
        self.strata, self._design = strata, design
        self._n_threads = threads.thread_count(n_threads)
        self._blocks = _blocks_of(strata.counts, design.shape[1])
        keeps = 8 * len(strata.rows) * design.shape[1] <= KEPT_BYTES
        self.scale = np.ones(design.shape[1])
        largest = np.zeros(design.shape[1])
        kept = []
        for block in self._blocks:
            values = self._read(block)
            np.maximum(largest, np.abs(values).max(axis=0), out=largest)
            kept += [values] * keeps
        self.scale = largest
        with np.errstate(divide="ignore"):
            self._inverse = np.where(largest > 0.0, 1.0 / largest, 0.0)
        for values in kept:
            values *= self._inverse
        self._kept = kept

    def _read(self, block: _Block) -> Matrix:
        """Return the rows of a block, less their stratum's first row and then their mean."""
        rows = self._design.rows(self.strata.rows[block.rows])
        values = np.array(rows, dtype=np.float64, order="C")
        begins = self.strata.starts[block.strata] - block.rows.start
        counts = self.strata.counts[block.strata]
        values -= np.repeat(values[begins], counts, axis=0)
        means = np.add.reduceat(values, begins, axis=0) / counts[:, None]
        values -= np.repeat(means, counts, axis=0)
        return values

    @property
    def n_blocks(self) -> int:
        """Blocks of rows."""
        return len(self._blocks)

    def values(self, number: int) -> Matrix:
        """Return the scaled rows of a block."""
        if self._kept:
            return self._kept[number]
        values = self._read(self._blocks[number])
        values *= self._inverse
        return values

    def without_offset(self) -> MatchedRows:
        """Return the same rows, as they are without their offset."""
        if not self.strata.offset.size:
            return self
        found = copy(self)
        found.strata = self.strata._replace(offset=np.empty(0))
        return found

    def at(self, coef: Vector) -> Point:
        """Return the likelihood at coefficients of the scaled columns: one pass."""
        strata, n_blocks, size = self.strata, len(self._blocks), len(coef)
        scores = np.empty((len(strata.weights), size))
        width = -(-size // LANES) * LANES
        information = np.zeros((n_blocks, size * width))
        sums = np.zeros(n_blocks)
        point = readonly(np.ascontiguousarray(coef, dtype=np.float64).copy())

        def evaluate(number: int, _: None) -> None:
            block = self._blocks[number]
            offset = strata.offset[block.rows] if strata.offset.size else strata.offset
            starts = strata.starts[block.strata.start : block.strata.stop + 1]
            sums[number] = sums_of_strata.serial(
                readonly(self.values(number)), readonly(strata.is_case[block.rows]),
                readonly(np.ascontiguousarray(offset)), readonly(starts - starts[0]),
                readonly(strata.weights[block.strata]), point, scores[block.strata],
                information[number],
            )  # fmt: skip

        clock = Clock(time.perf_counter(), None)
        Crew(range(n_blocks), evaluate, lambda: None, clock).run(self._n_threads)
        lower = np.tril(np.add.reduce(information, axis=0).reshape(size, width)[:, :size])
        whole = lower + np.tril(lower, -1).T
        score = np.add.reduce(strata.weights[:, None] * scores, axis=0)
        return Point(point, float(sums.sum()), score, whole, scores)

    def reach(self, half: Matrix) -> float:
        """Return how far two outcomes of a stratum are apart at the most.

        The largest |half' (s - t)| for sums s and t of the rows of as many cases as the stratum
        has; a bound on it: as often as rows can differ, what the row adds that is the farthest from
        the mean. `half` is of shape (n_features, n_directions).
        """
        strata, found = self.strata, 0.0
        n_different = 2 * np.minimum(strata.n_cases, strata.counts - strata.n_cases)
        for number, block in enumerate(self._blocks):
            # By no threads of BLAS, which take longer to begin than this does.
            along = np.einsum("ij,jk->ik", self.values(number), half)
            lengths = np.einsum("ij,ij->i", along, along)
            begins = strata.starts[block.strata] - block.rows.start
            farthest = np.sqrt(np.maximum.reduceat(lengths, begins))
            found = max(found, float((n_different[block.strata] * farthest).max()))
        return found

    def constant_columns(self) -> Mask:
        """Return which columns do not vary within any stratum."""
        return self.scale == 0.0


def _blocks_of(counts: Integers, n_features: int) -> list[_Block]:
    """Cut strata into blocks, by their sizes alone."""
    ends = np.cumsum(counts)
    most = max(1, BLOCK_NUMBERS // n_features)
    blocks, first, begin = [], 0, 0
    while first < len(counts):
        last = max(first + 1, int(np.searchsorted(ends, begin + most, side="right")))
        end = int(ends[last - 1])
        blocks.append(_Block(slice(first, last), slice(begin, end)))
        first, begin = last, end
    return blocks
