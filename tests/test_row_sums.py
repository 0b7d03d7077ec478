"""Sums of squares of rows and sums over clusters, against NumPy, for every layout and twin."""

from typing import Any

import numpy as np
import pytest
from problems import force_twin, sized
from scipy import sparse

from fastlogit.design.base import Columns
from fastlogit.design.compressed import of_dense
from fastlogit.design.dense import DenseDesign
from fastlogit.design.row_sums import grams_of_clusters, squares_of_rows, sums_of_clusters
from fastlogit.design.sparse import SparseDesign

N_ROWS = sized(1000, 70)


@pytest.fixture(params=["rows", "columns", "short", "float32", "integers", "sparse"])
def design(request: pytest.FixtureRequest, rng: Any) -> Any:
    """A design, and its standardised rows with a column of ones."""
    n_features = 3 if request.param == "short" else 13
    X = np.round(rng.standard_normal((N_ROWS, n_features)) * 4.0)
    columns = Columns(rng.standard_normal(n_features), rng.uniform(0.5, 2.0, n_features))
    given: Any = {
        "columns": np.asfortranarray(X), "float32": X.astype(np.float32), "integers": X.astype(int),
    }.get(request.param, X)  # fmt: skip
    if request.param == "sparse":
        assert sparse.issparse(sparse.csr_matrix(X))
        made: Any = SparseDesign(of_dense(X), columns=columns)
    else:
        made = DenseDesign(given, columns=columns)
    return made, np.column_stack([(X - columns.center) * columns.inverse_scale, np.ones(N_ROWS)])


@pytest.mark.parametrize("parallel", [False, True])
@pytest.mark.parametrize("shape", ["triangular", "few", "full"])
def test_squares_of_rows(
    design: Any, parallel: bool, shape: str, rng: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    force_twin(monkeypatch, parallel)
    made, rows = design
    size = rows.shape[1]
    functions = rng.standard_normal((2 if shape == "few" else size, size))
    if shape == "triangular":
        functions = np.tril(functions)
    np.testing.assert_allclose(
        squares_of_rows(made, functions), np.square(rows @ functions.T).sum(axis=1), rtol=1e-12
    )


@pytest.mark.parametrize("parallel", [False, True])
@pytest.mark.parametrize("n_clusters", [1, 7, 300])
def test_sums_over_clusters(
    design: Any, parallel: bool, n_clusters: int, rng: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    force_twin(monkeypatch, parallel)
    made, rows = design
    codes = rng.integers(-1, n_clusters + 1, N_ROWS).astype(np.int32)  # some are of none
    values, weights = rng.standard_normal((2, N_ROWS)), rng.uniform(size=N_ROWS)
    sums = sums_of_clusters(made, values, codes, n_clusters)
    grams = grams_of_clusters(made, weights, codes, n_clusters)
    order = np.argsort(codes, kind="stable")
    order = order[(codes[order] >= 0) & (codes[order] < n_clusters)]
    sorted_grams = grams_of_clusters(made, weights, codes, n_clusters, order)
    for cluster in range(n_clusters):
        own = codes == cluster
        np.testing.assert_allclose(sums[cluster], values[:, own] @ rows[own], atol=1e-10)
        wanted = (rows[own].T * weights[own]) @ rows[own]
        np.testing.assert_allclose(grams[cluster], wanted, atol=1e-10)
        np.testing.assert_allclose(sorted_grams[cluster], wanted, atol=1e-10)
