"""What inference asks of rows, of any design: sums of squares of each, and sums over clusters.

A dense array is read by one compiled pass; of other designs the rows are made dense block by block.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

import numpy as np

from .. import threads
from ..arrays import Cube, Indices, Matrix, Vector
from ..kernels.clusters import cluster_grams, cluster_sums
from ..kernels.leverage import FUNCTIONS, row_squares
from ..kernels.passes import Layout, Rows
from ..kernels.policy import Twins
from ..kernels.simd import LANES
from .base import Design, readonly
from .dense import DenseDesign

__all__ = [
    "ClusterCodes",
    "dense_blocks",
    "grams_of_clusters",
    "squares_of_rows",
    "sums_of_clusters",
]

# The cluster of each row; rows whose code is none are left out.
ClusterCodes: TypeAlias = np.ndarray[tuple[int], np.dtype[np.int32]]
# Serial time of a product of a row's number with a coefficient, and of a sum for a cluster.
SQUARE_NS, SUM_NS = 0.1, 0.3
# Chunks of rows that have sums of their own: as many as take this share of the numbers of X.
MOST_CHUNKS, SUMS_SHARE = 16, 0.05
# Rows that are made dense at a time.
BLOCK_NUMBERS = 2**20


def squares_of_rows(design: Design, functions: Matrix) -> Vector:
    """Return ``|functions @ (row, 1)|^2`` for each standardised row: one pass.

    Parameters
    ----------
    design : Design
    functions : ndarray of shape (n_functions, n_features + 1)
        Best lower triangular, which takes half the time.

    Returns
    -------
    ndarray of shape (n_samples,)
    """
    n_samples, n_features = design.shape
    n_tiles = -(-len(functions) // FUNCTIONS)
    padded = np.zeros((n_tiles * FUNCTIONS, n_features + 1))
    padded[: len(functions)] = functions
    last = readonly(np.ascontiguousarray(padded[:, -1]))
    slopes = padded[:, :-1] * design.columns.inverse_scale
    tiles = slopes.reshape(n_tiles, FUNCTIONS, n_features)
    used = (tiles != 0.0).any(axis=1)
    reach = np.where(used.any(axis=1), n_features - np.argmax(used[:, ::-1], axis=1), 0)
    factor = readonly(np.ascontiguousarray(tiles.transpose(0, 2, 1)).reshape(-1))
    squares = np.empty(n_samples)
    row_ns = SQUARE_NS * n_features * len(functions)
    for rows, block in dense_blocks(design):
        layout, source = block.kernel_rows
        with threads.team(design.n_threads, row_ns * block.shape[0]) as parallel:
            row_squares(layout).choose(parallel)(
                source, factor, last, readonly(reach), squares[rows]
            )
    return squares


def sums_of_clusters(design: Design, values: Matrix, codes: ClusterCodes, n_clusters: int) -> Cube:
    """Return for each cluster the sum of its standardised rows times their values: one pass.

    Parameters
    ----------
    design : Design
    values : ndarray of shape (n_outputs, n_samples)
    codes : ndarray of int32, shape (n_samples,)
        The cluster of each row; those that are not from 0 to n_clusters - 1 are left out.
    n_clusters : int

    Returns
    -------
    ndarray of shape (n_clusters, n_outputs, n_features + 1)
    """
    width = _width(design)
    sums = np.zeros((n_clusters, len(values), width))
    layout = Layout.GATHERED
    for rows, block in dense_blocks(design):
        layout, source = block.kernel_rows
        work = SUM_NS * width * values[:, rows].size
        _add(cluster_sums(layout), block, source, values[:, rows], codes[rows], work, sums)
    return np.ascontiguousarray(sums[:, :, _slots(design, layout)])


def grams_of_clusters(
    design: Design, weights: Vector, codes: ClusterCodes, n_clusters: int,
    order: Indices | None = None,
) -> Cube:  # fmt: skip
    """Return for each cluster the Gram matrix of its standardised rows, weighted: one pass.

    As `sums_of_clusters`, with (n_clusters, n_features + 1, n_features + 1) numbers.

    Parameters
    ----------
    design : Design
    weights : ndarray of shape (n_samples,)
        Of any sign.
    codes, n_clusters
        See `sums_of_clusters`.
    order : ndarray of int64, optional
        The rows of these clusters, cluster after cluster, so that each Gram matrix is in cache
        while its rows come.
    """
    width = _width(design)
    sums = np.zeros((n_clusters, width, width))
    if order is None:
        layout = _add_grams(design, weights, codes, sums)
    else:
        step = max(1, BLOCK_NUMBERS // design.shape[1])
        layout = Layout.GATHERED
        for start in range(0, order.size, step):
            rows = order[start : start + step]
            own = codes[rows]
            low, high = int(own[0]), int(own[-1]) + 1
            layout = _add_grams(design.take(rows), weights[rows], own - own[0], sums[low:high])
    slots = _slots(design, layout)
    return sums[:, slots[:, None], slots]


def _add_grams(design: Design, weights: Vector, codes: ClusterCodes, sums_out: Cube) -> Layout:
    """Add the Gram matrices of clusters, and say how rows are laid out in them."""
    width, layout = _width(design), Layout.GATHERED
    for rows, block in dense_blocks(design):
        layout, source = block.kernel_rows
        work = SUM_NS * width * width * block.shape[0]
        _add(cluster_grams(layout), block, source, weights[None, rows], codes[rows], work, sums_out)
    return layout


def _add(
    kernel: Twins, block: DenseDesign, rows: Rows, values: Matrix, codes: ClusterCodes,
    work_ns: float, sums_out: Cube,
) -> None:  # fmt: skip
    """Let a kernel of `kernels.clusters` add a block of rows."""
    n_chunks = _chunks(block.shape[0] * block.shape[1], sums_out.size)
    sums = sums_out[None] if n_chunks == 1 else np.zeros((n_chunks, *sums_out.shape))
    with threads.team(block.n_threads, work_ns) as parallel:
        n_threads = threads.thread_count(block.n_threads) if parallel else 1
        kernel.choose(parallel)(
            rows, readonly(np.ascontiguousarray(values)), readonly(codes), len(sums_out),
            -(-n_threads // n_chunks), n_chunks, sums.reshape(-1),
        )  # fmt: skip
    if n_chunks > 1:
        for part in sums:
            sums_out += part


def _chunks(n_numbers: int, size: int) -> int:
    """Return how many chunks of rows have sums of their own: a power of two, by the shapes alone.

    A thread that has a chunk for itself reads no other rows, and has no branch to guess: of 10,000
    clusters in no order 1,000,000 x 20 took 7 ms, not 15.
    """
    n_chunks = 1
    while n_chunks < MOST_CHUNKS and 2 * n_chunks * size <= SUMS_SHARE * n_numbers:
        n_chunks *= 2
    return n_chunks


def _packed(design: Design) -> int:
    """Numbers of a packed row: whole vectors."""
    return -(-design.shape[1] // LANES) * LANES


def _width(design: Design) -> int:
    """Numbers of a row in sums: a packed one, and a vector with the 1."""
    return _packed(design) + LANES


def _slots(design: Design, layout: Layout) -> Indices:
    """Return the places of the columns in a packed row, and of the 1."""
    packed = _packed(design)
    slots = np.arange(design.shape[1])
    if layout is Layout.DIRECT:
        # The last vector of a row that is read in place ends with the row.
        slots[slots >= packed - LANES] += packed - design.shape[1]
    return np.append(slots, packed)


def dense_blocks(design: Design, numbers: int = 0) -> Iterator[tuple[slice, DenseDesign]]:
    """Go over the rows as dense designs: a dense one as it is, else block by block.

    Parameters
    ----------
    design : Design
    numbers : int, default 0
        How many numbers each row takes besides its own; where it is given, a dense design comes in
        blocks too, as many rows at a time as have `BLOCK_NUMBERS`.
    """
    if not numbers and isinstance(design, DenseDesign):
        design.counter.rows += design.shape[0]
        yield slice(None), design
        return
    for start, stop, rows in design.row_blocks(
        max(1, BLOCK_NUMBERS // (design.shape[1] + numbers))
    ):
        yield (
            slice(start, stop),
            DenseDesign(np.asarray(rows), n_threads=design.n_threads, columns=design.columns),
        )
