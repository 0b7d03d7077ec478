"""Sums over the rows of each cluster: of values times rows, and of Gram matrices.

Chunks of the rows have sums of their own, where these are small beside the rows. Within a chunk
each cluster is summed by one thread in the order of the rows, whatever the number of threads.
"""

from __future__ import annotations

from typing import Any

from numba import prange

from .gram import pack_columns
from .passes import Layout, direct_block, direct_source, gathered_block, gathered_source
from .policy import Twins, entry, part
from .rows import Span, empty_at_line, packed_width, zeros_at_line
from .simd import LANES, load, multiply_add, splat, store, subtract

__all__ = ["cluster_grams", "cluster_sums"]

# Rows gathered at a time.
GATHERED = 64


@part
def add_multiple(row: Any, factor: float, sums_out: Any, to: int) -> None:
    """Add a multiple of a row to sums, vector by vector."""
    times = splat(factor)
    for place in range(0, row.size, LANES):
        more = multiply_add(load(row, place), times, load(sums_out, to + place))
        store(sums_out, to + place, more)


@part
def add_sums(
    values: Any, at: int, width: int, center: Any, scale: Any, row: Any, factors: Any, index: int,
    cluster: int, sums_out: Any,
) -> None:  # fmt: skip
    """Add a row, times each of its factors, to the sums of its cluster.

    Vector by vector as the row lies: numbers that are put together first cannot be loaded as
    vectors before they have reached the cache.
    """
    n_outputs, last = factors.shape[0], center.size - LANES
    zero = splat(0.0)
    for output in range(n_outputs):
        factor = factors[output, index]
        to = (cluster * n_outputs + output) * row.size
        times, column = splat(factor), 0
        while column <= last:
            place = at + (column if column < last else width - LANES)
            centred = subtract(load(values, place), load(center, column))
            scaled = multiply_add(centred, load(scale, column), zero)
            store(sums_out, to + column, multiply_add(scaled, times, load(sums_out, to + column)))
            column += LANES
        sums_out[to + center.size] += factor


@part
def add_products(
    values: Any, at: int, width: int, center: Any, scale: Any, row: Any, factors: Any, index: int,
    cluster: int, sums_out: Any,
) -> None:  # fmt: skip
    """Add the products of a row's numbers, times its only factor, to those of its cluster."""
    last, size = center.size - LANES, row.size
    zero, column = splat(0.0), 0
    while column <= last:
        place = at + (column if column < last else width - LANES)
        centred = subtract(load(values, place), load(center, column))
        store(row, column, multiply_add(centred, load(scale, column), zero))
        column += LANES
    row[center.size] = 1.0
    weight = factors[0, index]
    for number in range(size):
        if row[number] != 0.0:
            add_multiple(row, weight * row[number], sums_out, (cluster * size + number) * size)


def _over_clusters(layout: Layout, add: Any, name: str) -> Twins:
    direct = layout is Layout.DIRECT
    source = direct_source if direct else gathered_source
    bring_block = direct_block if direct else gathered_block

    def over_clusters(
        rows: Any,
        factors: Any,
        codes: Any,
        n_clusters: int,
        n_parts: int,
        n_chunks: int,
        sums_out: Any,
    ) -> None:
        n_features = rows.center.size
        packed = packed_width(n_features)
        width = n_features if direct else packed
        center, scale = empty_at_line(packed), empty_at_line(packed)
        pack_columns(rows, width, center, scale)
        step = (rows.n_samples + n_chunks - 1) // n_chunks
        for task in prange(n_chunks * n_parts):
            chunk, part = task // n_parts, task % n_parts
            stop, first = min((chunk + 1) * step, rows.n_samples), chunk * n_clusters
            low, high = n_clusters * part // n_parts, n_clusters * (part + 1) // n_parts
            work = zeros_at_line(0 if direct else GATHERED * width)
            scaled = zeros_at_line(packed + LANES)
            values = source(rows.X, work)
            for begin in range(chunk * step, stop, GATHERED):
                count = min(GATHERED, stop - begin)
                place = bring_block(rows, begin, count, width, work, 0)
                span = Span(place, rows.stride if direct else width, width, count)
                for row in range(count):
                    cluster = codes[begin + row]
                    if low <= cluster and cluster < high:
                        at = span.place + row * span.stride
                        add(
                            values, at, width, center, scale, scaled, factors, begin + row,
                            first + cluster, sums_out,
                        )  # fmt: skip

    return entry(over_clusters, name=f"{name}_{layout.value}")


_SUMS = {layout: _over_clusters(layout, add_sums, "sums") for layout in Layout}
_GRAMS = {layout: _over_clusters(layout, add_products, "grams") for layout in Layout}


def cluster_sums(layout: Layout) -> Twins:
    """Return the compiled ``cluster_sums`` of sums over clusters.

    ``cluster_sums(rows, factors, codes, n_clusters, n_parts, n_chunks, sums_out)``.

    It adds ``factors[k, i]`` times the standardised row i, packed as `rows.unpack_slot` says and
    with a vector behind that begins with 1, to output k of its cluster: `sums_out` is the flat
    (n_chunks, n_clusters, n_outputs, width) of zeros. The rows are cut in `n_chunks`, and the
    clusters of each are shared out among `n_parts`.
    """
    return _SUMS[layout]


def cluster_grams(layout: Layout) -> Twins:
    """Return the same of Gram matrices: `factors` (1, n_samples) weigh the rows.

    `sums_out` is the flat (n_chunks, n_clusters, width, width).
    """
    return _GRAMS[layout]
