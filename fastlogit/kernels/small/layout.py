"""Where the parts of a small fit lie in its work array."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..policy import part
from ..simd import LANES, aligned


class Places(NamedTuple):
    """Where the parts of a fit lie in its work array.

    `n_rows` rows of positive weight are kept in columns of `height` numbers, of which there are
    `size`; the last is 1 where the intercept is fitted. Vectors of parameters have `width` numbers,
    whole vectors, and rows of matrices too; what lies beyond `size` is 0.
    """

    n_rows: int
    height: int
    size: int
    width: int
    columns: int
    offset: int
    weight: int
    target: int
    raw: int
    tail: int
    residual: int
    curvature: int
    scaled: int
    matrix: int
    factor: int
    l2: int
    theta: int
    gradient: int
    trial: int
    trial_gradient: int
    direction: int
    half: int
    last: int
    center: int
    scale: int
    column: int
    counts: int


@part
def column_height(n_rows: int) -> int:
    """Rows of a column: whole vectors, of an odd number, so that columns do not share L1's sets."""
    vectors = (n_rows + LANES - 1) // LANES
    return (vectors + 1 - vectors % 2) * LANES


@part
def vector_width(n_features: int) -> int:
    """Numbers of a vector of parameters: whole vectors, with room for the intercept."""
    return (n_features + 1 + LANES - 1) // LANES * LANES


# Columns of `height` numbers besides those of X, and vectors of parameters.
ROW_PARTS, VECTOR_PARTS = 9, 12


@part
def own_size(n_samples: int, n_features: int) -> int:
    """Numbers of a work array that begins at a cache line."""
    height, width = column_height(n_samples), vector_width(n_features)
    return height * (n_features + 1 + ROW_PARTS) + width * (2 * width + VECTOR_PARTS)


@part
def work_size(n_samples: int, n_features: int) -> int:
    """Numbers of a work array that begins anywhere."""
    # The first of them may have to stand aside.
    return own_size(n_samples, n_features) + LANES - 1


@part
def lay_out(work: Any, n_rows: int, n_features: int, size: int) -> Places:
    """Say where all parts lie, of columns of X of which `size` vary, the intercept counted."""
    height, width = column_height(n_rows), vector_width(n_features)
    # Vectors that cross cache lines cost a fit of 275 x 8 12 % of its time.
    columns = aligned(work)
    rows = columns + height * (n_features + 1)
    matrix = rows + ROW_PARTS * height
    vectors = matrix + 2 * width * width
    return Places(
        n_rows, height, size, width, columns,
        rows, rows + height, rows + 2 * height, rows + 3 * height, rows + 4 * height,
        rows + 5 * height, rows + 6 * height, rows + 7 * height,
        matrix, matrix + width * width,
        vectors, vectors + width, vectors + 2 * width, vectors + 3 * width, vectors + 4 * width,
        vectors + 5 * width, vectors + 6 * width, vectors + 7 * width, vectors + 8 * width,
        vectors + 9 * width, vectors + 10 * width, vectors + 11 * width,
    )  # fmt: skip


@part
def column_of(work: Any, at: Places, k: int) -> Any:
    """Column of X that the k-th parameter belongs to."""
    return np.int64(work[at.column + k])
