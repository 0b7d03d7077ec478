"""The weighted Gram matrix of the rows: what Newton steps and preconditioners are made of.

A block of rows, standardised and times the root of its weights, is packed once into *panels* of
eight columns, row after row, so that the inner loop meets nothing but whole vectors at consecutive
places. The micro kernel then keeps a *tile* of the matrix, one panel times six columns, in
registers for the length of the block: two loads and six broadcasts serve twelve multiply-adds of
four lanes, which is all that AVX2's two multiply-add units can do.

Tiles lie in *cells* of one panel times three panels (24 columns, the smallest number that both
eight and six divide), of which only those at or below the diagonal exist. Chunks of the rows times
bands of the cells are the tasks: they depend on the shape of X alone, chunks are added in the
order of the rows, and so the result has the same bits for any number of threads.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from numba import prange

from .elements import item_bytes
from .passes import Layout, direct_block, direct_source, gathered_block, gathered_source
from .policy import Twins, entry, kernel, part
from .rows import Span, empty_at_line, packed_width, unpack_slot
from .simd import LANES, add, broadcast, load, multiply_add, splat, store, subtract

__all__ = ["gram", "grams"]

# Columns of a tile: six accumulators of eight lanes are 12 of AVX2's 16 registers.
GROUP = 6
TILE = GROUP * LANES
# Panels along a cell, and tiles in it.
CELL_PANELS = 3
CELL_GROUPS = CELL_PANELS * LANES // GROUP
CELL = CELL_GROUPS * TILE
# Rows packed at a time: the four panels that a cell meets are 32 KB, which is L1.
BLOCK = 128
# Rows gathered at a time.
GATHERED = 32
# A chunk is long beside the adding of its sums to the total; 64 of them keep many threads busy.
MIN_CHUNK_ROWS = 512
MAX_CHUNKS = 64
# The chunks' sums take at most this share of the memory of X, or so many numbers.
SUMS_SHARE = 0.025
SUMS_LEAST = 500_000
# Where the chunks are few, their cells are cut in bands, each of which packs its rows for itself.
# With bands as wide as this that costs nothing to speak of: 60,000 x 784 in six bands ran at
# 40e9 n d^2 / s in one thread, 100,000 x 300 in two at 39e9.
MIN_TASKS = 16
BAND_COLUMNS = 128


# Numbers alone, as in `Span`: such tuples cost nothing. Each is made where it is used: numba takes
# none from outside into a parallel loop (NameError: name of its class).
class Panels(NamedTuple):
    """Panels that rows are packed to: the first one, how far apart they lie, the slot of ones."""

    first: int
    height: int
    ones_slot: int


class Cells(NamedTuple):
    """Cells of a matrix of `n_slots` columns, from (`panel`, `strip`) on, down to later strips.

    Their sums lie next to each other.
    """

    n_slots: int
    strip: int
    panel: int
    n_cells: int


@part
def panels_of(n_slots: int) -> int:
    """Panels that hold so many columns."""
    return (n_slots + LANES - 1) // LANES


@part
def cells_before(strip: int, n_panels: int) -> int:
    """Cells in the strips (of three panels of columns) to the left of `strip`."""
    return strip * n_panels - CELL_PANELS * (strip * (strip - 1) // 2)


@part
def intercept_slot(n_features: int, width: int, packed: int) -> int:
    """Place of the column of ones: a lane that no feature uses, or else a panel of its own."""
    if width == packed:
        return n_features
    return packed - LANES


@part
def slot_of(column: int, n_features: int, width: int, packed: int) -> int:
    """Place of a column of the matrix among the packed columns; the last is that of ones."""
    if column < n_features:
        return unpack_slot(column, width, packed)
    return intercept_slot(n_features, width, packed)


@part
def pack_columns(rows: Any, width: int, center_out: Any, scale_out: Any) -> None:
    """Pack centre and inverse scale; lanes that no feature uses have inverse scale 0."""
    center_out[:] = 0.0
    scale_out[:] = 0.0
    for column in range(rows.center.size):
        slot = unpack_slot(column, width, center_out.size)
        center_out[slot] = rows.center[column]
        scale_out[slot] = rows.inverse_scale[column]


@part
def pack_panels(
    values: Any, span: Span, weights: Any, first_row: int, center: Any, scale: Any, panels: Panels,
    work: Any, row_to: int,
) -> int:  # fmt: skip
    """Write rows on to the panels, as their rows from `row_to` on.

    The rows of the span are looked at, those without weight left out. Returns where the next goes.
    """
    place, stride, width, count = span
    first_panel, height, ones_slot = panels
    last = center.size - LANES
    zero = splat(0.0)
    ones = ones_slot // LANES * height + ones_slot % LANES
    for row in range(count):
        # Here rather than in a loop of its own, whose vector code takes 0.6 s to compile.
        root = math.sqrt(weights[first_row + row])
        if root == 0.0:
            continue
        source = place + row * stride
        factor = splat(root)
        to = first_panel * height + row_to * LANES
        column = first_panel * LANES
        while column <= last:
            at = source + (column if column < last else width - LANES)
            centred = subtract(load(values, at), load(center, column))
            scaled = multiply_add(centred, load(scale, column), zero)
            store(work, to, multiply_add(scaled, factor, zero))
            to += height
            column += LANES
        work[ones + row_to * LANES] = root
        row_to += 1
    return row_to


@part
def add_tile(
    panels: Any, panel: int, column: int, height: int, count: int, sums_out: Any, to: int
) -> None:
    """Add the products of one panel with six columns, over `count` rows."""
    # The six columns lie in one panel or in two neighbours; all six start at an even lane.
    b0 = column // LANES * height + column % LANES
    b2 = (column + 2) // LANES * height + (column + 2) % LANES
    b4 = (column + 4) // LANES * height + (column + 4) % LANES
    c0, c1, c2 = splat(0.0), splat(0.0), splat(0.0)
    c3, c4, c5 = splat(0.0), splat(0.0), splat(0.0)
    a = panel * height
    for k in range(0, count * LANES, LANES):
        v = load(panels, a + k)
        c0 = multiply_add(v, broadcast(panels, b0 + k), c0)
        c1 = multiply_add(v, broadcast(panels, b0 + 1 + k), c1)
        c2 = multiply_add(v, broadcast(panels, b2 + k), c2)
        c3 = multiply_add(v, broadcast(panels, b2 + 1 + k), c3)
        c4 = multiply_add(v, broadcast(panels, b4 + k), c4)
        c5 = multiply_add(v, broadcast(panels, b4 + 1 + k), c5)
    store(sums_out, to, add(load(sums_out, to), c0))
    store(sums_out, to + LANES, add(load(sums_out, to + LANES), c1))
    store(sums_out, to + 2 * LANES, add(load(sums_out, to + 2 * LANES), c2))
    store(sums_out, to + 3 * LANES, add(load(sums_out, to + 3 * LANES), c3))
    store(sums_out, to + 4 * LANES, add(load(sums_out, to + 4 * LANES), c4))
    store(sums_out, to + 5 * LANES, add(load(sums_out, to + 5 * LANES), c5))


@part
def add_cells(panels: Any, height: int, count: int, cells: Cells, sums_out: Any, to: int) -> None:
    """Add the products of a block to cells, whose sums begin at `to`."""
    n_slots, strip, panel, n_cells = cells
    n_panels = panels_of(n_slots)
    for cell in range(n_cells):
        # Tiles wholly above the diagonal or beyond the last column stay as they are: unread.
        left = strip * CELL_PANELS * LANES
        columns = min(n_slots, (panel + 1) * LANES) - left
        n_tiles = min(CELL_GROUPS, (columns + GROUP - 1) // GROUP)
        for tile in range(n_tiles):
            at = to + cell * CELL + tile * TILE
            add_tile(panels, panel, left + tile * GROUP, height, count, sums_out, at)
        panel += 1
        if panel == n_panels:
            strip += 1
            panel = strip * CELL_PANELS


@part
def strip_of(cell: int, n_panels: int) -> int:
    """Strip of three panels of columns in which a cell lies."""
    strip = 0
    while cells_before(strip + 1, n_panels) <= cell:
        strip += 1
    return strip


@part
def plan(n_samples: int, n_slots: int, size: int, itemsize: int) -> tuple[int, int]:
    """Rows of a chunk and bands of the cells, by the shape and the type of X alone."""
    share = int(SUMS_SHARE * itemsize / 8 * n_samples * n_slots)
    n_chunks = min(MAX_CHUNKS, (n_samples + MIN_CHUNK_ROWS - 1) // MIN_CHUNK_ROWS)
    n_chunks = max(1, min(n_chunks, max(share, SUMS_LEAST) // size))
    n_bands = min((MIN_TASKS + n_chunks - 1) // n_chunks, max(1, n_slots // BAND_COLUMNS))
    step = (n_samples + n_chunks - 1) // n_chunks
    return (step + BLOCK - 1) // BLOCK * BLOCK, n_bands


@part
def add_chunks(sums: Any, n_chunks: int, size: int) -> None:
    """Add the chunks' sums to those of the first, in the order of the rows."""
    for chunk in range(1, n_chunks):
        for place in range(0, size, LANES):
            more = load(sums, chunk * size + place)
            store(sums, place, add(load(sums, place), more))


@part
def unpack_cells(
    sums: Any, n_features: int, width: int, packed: int, n_panels: int, gram_out: Any
) -> None:
    """Copy the cells to both triangles of the matrix, in the order of the features."""
    for column in range(n_features + 1):
        for row in range(column, n_features + 1):
            low = slot_of(column, n_features, width, packed)
            high = slot_of(row, n_features, width, packed)
            if low > high:
                low, high = high, low
            strip = low // (CELL_PANELS * LANES)
            cell = cells_before(strip, n_panels) + high // LANES - CELL_PANELS * strip
            inside = low - strip * CELL_PANELS * LANES
            value = sums[cell * CELL + inside * LANES + high % LANES]
            gram_out[row, column] = value
            gram_out[column, row] = value


@part
def lay_out(n_features: int, direct: bool) -> tuple[int, int, int, int]:
    """Return packed width, width of the rows as they are read, slots and cells."""
    packed = packed_width(n_features)
    width = n_features if direct else packed
    n_slots = max(packed if direct else n_features, intercept_slot(n_features, width, packed) + 1)
    n_panels = panels_of(n_slots)
    n_cells = cells_before((n_panels + CELL_PANELS - 1) // CELL_PANELS, n_panels)
    return packed, width, n_slots, n_cells


def _add_rows(layout: Layout) -> Any:
    direct = layout is Layout.DIRECT
    source = direct_source if direct else gathered_source
    bring_block = direct_block if direct else gathered_block

    @kernel
    def add_rows(
        rows: Any, weights: Any, start: int, stop: int, width: int, center: Any, scale: Any,
        cells: Cells, sums_out: Any, to: int,
    ) -> None:  # fmt: skip
        """Set cells, whose sums begin at `to`, to those of the rows from `start` to `stop`."""
        # One line more than whole pages: the panels' rows do not all fall on one set of L1.
        height = BLOCK * LANES + LANES
        # Panels of whole strips, and behind them what is gathered.
        to_gather = (cells.n_slots // (CELL_PANELS * LANES) + 1) * CELL_PANELS * height
        work = empty_at_line(to_gather + (0 if direct else GATHERED * width))
        work[:] = 0.0
        values = source(rows.X, work)
        stride = rows.stride if direct else width
        ones_slot = intercept_slot(rows.center.size, width, center.size)
        panels = Panels(cells.strip * CELL_PANELS, height, ones_slot)
        for place in range(to, to + cells.n_cells * CELL, LANES):
            store(sums_out, place, splat(0.0))
        packed = 0
        for begin in range(start, stop, GATHERED):
            count = min(GATHERED, stop - begin)
            place = bring_block(rows, begin, count, width, work, to_gather)
            span = Span(place, stride, width, count)
            packed = pack_panels(values, span, weights, begin, center, scale, panels, work, packed)
            if packed > BLOCK - GATHERED or begin + count == stop:
                add_cells(work, height, packed, cells, sums_out, to)
                packed = 0

    return add_rows


_ADD_ROWS = {layout: _add_rows(layout) for layout in Layout}


@part
def direct_bytes(rows: Any) -> int:
    return int(rows.X.itemsize)


@part
def gathered_bytes(rows: Any) -> int:
    return int(item_bytes(rows.kind))


def _gram(layout: Layout) -> Twins:
    direct, add_rows = layout is Layout.DIRECT, _ADD_ROWS[layout]
    bytes_of = direct_bytes if direct else gathered_bytes

    def gram(rows: Any, weights: Any, gram_out: Any) -> None:
        packed, width, n_slots, n_cells = lay_out(rows.center.size, direct)
        n_panels, size = panels_of(n_slots), n_cells * CELL
        center, scale = empty_at_line(packed), empty_at_line(packed)
        pack_columns(rows, width, center, scale)
        step, n_bands = plan(rows.n_samples, n_slots, size, bytes_of(rows))
        n_chunks = (rows.n_samples + step - 1) // step
        sums = empty_at_line(n_chunks * size)
        for task in prange(n_chunks * n_bands):
            chunk, band = task // n_bands, task % n_bands
            begin, end = n_cells * band // n_bands, n_cells * (band + 1) // n_bands
            strip = strip_of(begin, n_panels)
            panel = CELL_PANELS * strip + begin - cells_before(strip, n_panels)
            add_rows(
                rows, weights, chunk * step, min((chunk + 1) * step, rows.n_samples), width,
                center, scale, Cells(n_slots, strip, panel, end - begin), sums,
                chunk * size + begin * CELL,
            )  # fmt: skip
        add_chunks(sums, n_chunks, size)
        unpack_cells(sums, rows.center.size, width, packed, n_panels, gram_out)

    return entry(gram, name=layout.value)


def _grams(layout: Layout) -> Twins:
    direct, add_rows = layout is Layout.DIRECT, _ADD_ROWS[layout]

    def grams(rows: Any, weights: Any, grams_out: Any) -> None:
        packed, width, n_slots, n_cells = lay_out(rows.center.size, direct)
        center, scale = empty_at_line(packed), empty_at_line(packed)
        pack_columns(rows, width, center, scale)
        for output in prange(len(weights)):
            sums = empty_at_line(n_cells * CELL)
            add_rows(
                rows, weights[output], 0, rows.n_samples, width, center, scale,
                Cells(n_slots, 0, 0, n_cells), sums, 0,
            )  # fmt: skip
            unpack_cells(
                sums, rows.center.size, width, packed, panels_of(n_slots), grams_out[output]
            )

    return entry(grams, name=layout.value)


_GRAM = {layout: _gram(layout) for layout in Layout}
_GRAMS = {layout: _grams(layout) for layout in Layout}


def gram(layout: Layout) -> Twins:
    """Return the compiled ``gram(rows, weights, gram_out)`` for rows read in place or gathered.

    It sets `gram_out`, of shape (n_features + 1, n_features + 1), to the sum over the rows of
    ``weights[i] * outer(x, x)`` with x the standardised row and a 1 behind it. The weights are
    not negative.
    """
    return _GRAM[layout]


def grams(layout: Layout) -> Twins:
    """Return the compiled ``grams(rows, weights, grams_out)``, for many weights of few rows.

    `weights` are (n_outputs, n_samples), and each of `grams_out` is what `gram` gives, to rounding:
    threads take whole matrices here, not parts of the rows.
    """
    return _GRAMS[layout]
