"""Columns of several kinds side by side, as a design reads them."""

import numpy as np
import pytest
import scipy.sparse

from fastlogit.design.codes import CodesDesign, code_columns
from fastlogit.design.dense import DenseDesign
from fastlogit.design.mixed import MixedRows, open_mixed
from fastlogit.design.opening import open_rows
from fastlogit.design.sparse import SparseDesign
from fastlogit.design.split import SplitDesign
from fastlogit.inputs.sparse import compressed_rows

NUMBERS = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
SPARSE = np.array([[0.0], [7.0], [0.0]])
CODES = code_columns([np.array([0, 1, 1])], [2], drop_first=False)


def rows_of(numbers=NUMBERS, sparse=None, codes=CODES, places=((1, 3), (0, 2))) -> MixedRows:
    return MixedRows(numbers, sparse, codes, tuple(np.array(place) for place in places))


def test_blocks_lie_where_their_features_are() -> None:
    sparse = compressed_rows(scipy.sparse.csr_array(SPARSE))
    rows = rows_of(sparse=sparse, places=[(1, 3), (4,), (0, 2)])
    assert rows.shape == (3, 5)
    design = open_rows(rows, None)
    assert isinstance(design, SplitDesign)
    wanted = np.array([[1, 1, 0, 2, 0], [0, 3, 1, 4, 7], [0, 5, 1, 6, 0.0]])
    np.testing.assert_array_equal(design.rows(np.arange(3)), wanted)


def test_some_rows() -> None:
    sparse = compressed_rows(scipy.sparse.csr_array(SPARSE))
    rows = rows_of(sparse=sparse, places=[(1, 3), (4,), (0, 2)])
    some = open_mixed(rows.take(np.array([2, 0])), None)
    every = open_mixed(rows, None).rows(np.arange(3))
    np.testing.assert_array_equal(some.rows(np.arange(2)), every[[2, 0]])
    alone = rows_of(codes=None, places=[(0, 1)]).take(np.array([1]))
    np.testing.assert_array_equal(alone.numbers, [[3.0, 4.0]])


@pytest.mark.parametrize(
    ("kind", "rows"),
    [
        (DenseDesign, rows_of(codes=None, places=[(0, 1)])),
        (CodesDesign, rows_of(numbers=None, places=[(0, 1)])),
        (
            SparseDesign,
            rows_of(
                numbers=None,
                sparse=compressed_rows(scipy.sparse.csr_array(SPARSE)),
                codes=None,
                places=[(0,)],
            ),
        ),
        (SplitDesign, rows_of(codes=None, places=[(1, 0)])),
    ],
)
def test_one_kind_of_columns_needs_no_blocks(kind, rows) -> None:
    assert type(open_mixed(rows, 1)) is kind


@pytest.mark.parametrize(
    ("numbers", "dtype"),
    [(NUMBERS, "f8"), (NUMBERS.astype("f4"), "f4"), (NUMBERS.astype("i4"), "f8"), (None, "f8")],
)
def test_the_number_type_is_single_where_all_numbers_are(numbers, dtype) -> None:
    places = [(0, 1)] if numbers is None else [(1, 3), (0, 2)]
    assert rows_of(numbers=numbers, places=places).dtype == np.dtype(dtype)
