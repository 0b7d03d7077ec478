"""Numbers and codes that are streamed give what the same rows in memory do."""

import numpy as np
import pytest

from fastlogit.design.base import Columns
from fastlogit.design.codes import code_columns
from fastlogit.design.mixed import MixedRows, open_mixed
from fastlogit.design.mixed_streamed import StreamedMixedDesign, joined_rows

# Rooms above the kernels, with fits that take minutes in plain Python.
pytestmark = pytest.mark.jit

N = 700
RNG = np.random.default_rng(18)
NUMBERS = RNG.normal(size=(N, 2)) + 3.0
CODES = code_columns(
    [RNG.integers(0, 3, N), RNG.integers(0, 2, N)], [3, 2], drop_first=False
)  # fmt: skip
ROWS = MixedRows(NUMBERS, None, CODES, (np.array([0, 4]), np.array([1, 2, 3, 5, 6])))
WEIGHTS = RNG.uniform(0.5, 2.0, N)
COLUMNS = Columns(RNG.normal(size=7), RNG.uniform(0.5, 2.0, 7))


class Source:
    """Slices of rows in memory."""

    shape, dtype, row_bytes = ROWS.shape, ROWS.dtype, 18

    def __getitem__(self, rows: slice) -> MixedRows:
        return ROWS.take(np.arange(*rows.indices(N)))


IN_MEMORY = open_mixed(ROWS, 1).standardized(COLUMNS)
STREAMED = StreamedMixedDesign(Source(), n_threads=1, block_rows=256).standardized(COLUMNS)


def test_it_has_several_blocks() -> None:
    assert STREAMED.block_rows < N
    assert STREAMED.shape == IN_MEMORY.shape
    assert STREAMED.density == IN_MEMORY.density
    assert np.allclose(STREAMED.rounding, IN_MEMORY.rounding)
    assert np.array_equal(STREAMED.most_centred, IN_MEMORY.most_centred)
    assert STREAMED.pass_ns(1) > 0.0


@pytest.mark.parametrize(
    "call",
    [
        lambda design: design.column_means(WEIGHTS, WEIGHTS.sum()),
        lambda design: design.column_variances(WEIGHTS, WEIGHTS.sum()),
        lambda design: design.gram(WEIGHTS),
        lambda design: design.transposed_product(np.array([WEIGHTS, -WEIGHTS]))[0],
        lambda design: design.transposed_product(np.array([WEIGHTS, -WEIGHTS]))[1],
        lambda design: design.raw_prediction(np.arange(14.0).reshape(2, 7), np.ones(2)),
        lambda design: design.largest_row(np.arange(7.0), np.ones(7)),
        lambda design: design.rows(np.array([600, 3, 3, 255, 256])),
        lambda design: design.column(4),
        lambda design: design.column(2),
        lambda design: design.take(np.array([5, 650])).raw_prediction(np.ones((1, 7)), np.ones(1)),
        lambda design: design.subsample(61).gram(np.ones(12)),
        lambda design: np.concatenate([rows for *_, rows in design.row_blocks(100)]),
        lambda design: design.columns_of(np.array([1, 4])).gram(WEIGHTS),
    ],
)
def test_what_is_asked_of_rows(call) -> None:
    assert np.allclose(call(STREAMED), call(IN_MEMORY), rtol=1e-12, atol=1e-12)


def test_passes_are_counted_and_rows_that_are_not_finite_found() -> None:
    design = StreamedMixedDesign(Source(), n_threads=1, block_rows=256)
    design.gram(WEIGHTS)
    assert design.n_passes == 1.0
    assert design.first_not_finite() is None

    class Spoiled(Source):
        def __getitem__(self, rows: slice) -> MixedRows:
            part = super().__getitem__(rows)
            if rows.start <= 300 < rows.stop:
                assert part.numbers is not None
                part.numbers[300 - rows.start, 1] = np.nan
            return part

    found = StreamedMixedDesign(Spoiled(), n_threads=1, block_rows=256).first_not_finite()
    assert found is not None
    assert (found.row, found.column) == (300, 4)


def test_no_rows_may_be_taken() -> None:
    assert STREAMED.rows(np.empty(0, dtype=np.intp)).shape == (0, 7)
    assert joined_rows([ROWS]) is ROWS
