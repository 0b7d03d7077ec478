"""L1, elastic nets and bounds over rows in dask partitions: by the code of rows in memory."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

import fastlogit

dask = pytest.importorskip("dask")
distributed = pytest.importorskip("distributed")

import dask.array as da  # noqa: E402
from dask.delayed import delayed  # noqa: E402
from dask_cluster import MARKS, client_of_threads  # noqa: E402

import fastlogit.dask as of_dask  # noqa: E402

pytestmark = MARKS

CUTS = (350, 50, 300, 200)


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    """Workers in the threads of this process."""
    with client_of_threads() as client:
        yield client


@pytest.fixture(scope="module")
def table() -> tuple[Any, Any, Any]:
    """More columns than are worked on at once, labels of two and of three kinds."""
    rng = np.random.default_rng(3)
    X = rng.normal(size=(900, 80)) * np.linspace(0.5, 5.0, 80)
    raw = X[:, :5].sum(axis=1) + rng.logistic(size=900)
    return X, (raw > 0.5).astype(int), np.digitize(raw, [-1.0, 1.5])


def blocks(array: Any) -> Any:
    return da.from_array(array, chunks=(CUTS, *(-1,) * (array.ndim - 1)))


@pytest.mark.parametrize(
    "options",
    [
        {"C": 0.05, "l1_ratio": 1.0},
        {"C": 0.05, "l1_ratio": 0.5, "coef_bounds": (0.0, None)},
        {"C": 0.1, "l1_ratio": 1.0, "multi_class": "multinomial"},
        {"C": 0.05, "l1_ratio": 1.0, "penalty_groups": np.arange(80) // 4},
    ],
)
def test_coefficients_zeros_and_proof_are_those_in_memory(client, table, options) -> None:
    X, two, three = table
    y = three if "multi_class" in options else two
    found = of_dask.fit(blocks(X), blocks(y), **options)
    wanted = fastlogit.fit(X, y, **options)
    assert found.converged
    assert found.suboptimality <= 1e-12
    np.testing.assert_allclose(found.coef, wanted.coef, rtol=0, atol=1e-10)
    np.testing.assert_array_equal(found.coef != 0.0, wanted.coef != 0.0)
    assert 0 < np.count_nonzero(found.coef) < found.coef.size
    assert found.n_passes <= wanted.n_passes + 1.0


def test_sparse_blocks(client) -> None:
    rng = np.random.default_rng(1)
    X = sp.random(600, 120, density=0.05, random_state=1, format="csr")
    y = (X @ rng.normal(size=120) * 4 + rng.logistic(size=600) > 0).astype(int)
    parts = [delayed((X[k : k + 200], y[k : k + 200])) for k in (0, 200, 400)]
    options = {"C": 0.5, "l1_ratio": 1.0, "tol": 1e-15}
    found, wanted = of_dask.fit(parts, **options), fastlogit.fit(X, y, **options)
    assert found.suboptimality <= 1e-15
    np.testing.assert_allclose(found.coef, wanted.coef, rtol=0, atol=1e-6)


def test_a_path_of_folds(client, table) -> None:
    X, y, _ = table
    options: dict[str, Any] = {
        "Cs": [0.02, 0.1], "l1_ratios": (0.5, 1), "use_legacy_attributes": False,
        "scoring": "neg_log_loss",
    }  # fmt: skip
    found = of_dask.LogisticRegressionCV(**options, cv=2).fit(blocks(X), blocks(y))
    wanted = fastlogit.LogisticRegressionCV(**options, cv=fastlogit.HashKFold(2)).fit(X, y)
    np.testing.assert_allclose(found.coefs_paths_, wanted.coefs_paths_, rtol=0, atol=1e-7)
    np.testing.assert_allclose(found.scores_, wanted.scores_, rtol=0, atol=1e-8)
    assert (found.C_, found.l1_ratio_) == (wanted.C_, wanted.l1_ratio_)
    np.testing.assert_allclose(found.coef_, wanted.coef_, rtol=0, atol=1e-7)
    assert found.grid_.converged.all()


def test_what_does_not_go_together_is_told(client, table) -> None:
    rows = blocks(table[0]), blocks(table[1])
    with pytest.raises(ValueError, match="solver='newton' does not take L1"):
        of_dask.fit(*rows, C=1.0, l1_ratio=1.0, solver="newton")
    with pytest.raises(ValueError, match="'proximal-newton' is for L1 and bounds"):
        of_dask.fit(*rows, solver="proximal-newton")
    with pytest.raises(ValueError, match="coef_bounds leave column 0 no value"):
        of_dask.fit(*rows, coef_bounds=(1.0, 0.0))
