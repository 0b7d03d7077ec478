"""`bootstrap` and `permutation` of sparse rows against the same rows as an array."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse

import fastlogit
from fastlogit import bootstrap, permutation
from fastlogit.design.compressed import CompressedRows
from fastlogit.fitting import in_memory
from fastlogit.inputs.sparse import compressed_rows
from fastlogit.resampling import columns, refits

# Dozens of fits: too slow without compiled code.
pytestmark = pytest.mark.jit

N_ROWS, N_FEATURES = 300, 6
RNG = np.random.default_rng(5)
S = scipy.sparse.random_array((N_ROWS, N_FEATURES), density=0.3, rng=5, format="csr")
X = S.toarray()
Y = (X @ RNG.standard_normal(N_FEATURES) * 2.0 + RNG.logistic(size=N_ROWS) > 0.0).astype(int)
CLUSTERS = RNG.integers(0, 40, N_ROWS)
WEIGHT = RNG.integers(0, 3, N_ROWS).astype(float)
OFFSET = RNG.standard_normal(N_ROWS)


@pytest.fixture(autouse=True)
def stays_sparse(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refits, "MOST_NUMBERS", 0)


BOOTSTRAPS: dict[str, dict[str, Any]] = {
    "C": {"C": 1.0},
    "no penalty": {},
    "clusters": {"C": 1.0, "groups": CLUSTERS},
    "weights and offset": {"l2_reg": 0.1, "sample_weight": WEIGHT, "offset": OFFSET},
    "bayesian": {"C": 1.0, "weights": "bayesian"},
    "no intercept": {"C": 1.0, "intercept": None},
    "held intercept": {"C": 1.0, "intercept": 0.3},
}


@pytest.mark.parametrize("options", BOOTSTRAPS.values(), ids=BOOTSTRAPS)
def test_replicates_are_those_of_dense_rows(options: dict[str, Any]) -> None:
    found = bootstrap(S, Y, n=10, random_state=1, **options)
    wanted = bootstrap(X, Y, n=10, random_state=1, **options)
    assert found.converged.all()
    assert (found.suboptimality <= 1e-12).all()
    np.testing.assert_allclose(found.coef, wanted.coef, rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(found.intercept, wanted.intercept, rtol=1e-5, atol=1e-4)
    own = fastlogit.fit(
        X, Y, **{name: value for name, value in options.items() if name in ("C", "l2_reg")},
        sample_weight=found.replicate_weights(3), offset=options.get("offset"),
        intercept=options.get("intercept", "fit"),
    )  # fmt: skip
    np.testing.assert_allclose(found.coef[3], own.coef, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("multi_class", ["ovr", "multinomial"])
def test_more_classes(multi_class: str) -> None:
    y = RNG.integers(0, 3, N_ROWS)
    options: dict[str, Any] = {"n": 5, "random_state": 1, "C": 1.0, "multi_class": multi_class}
    found, wanted = bootstrap(S, y, **options), bootstrap(X, y, **options)
    assert found.converged.all()
    np.testing.assert_allclose(found.coef, wanted.coef, rtol=1e-5, atol=1e-4)


def test_replicates_that_separate_have_a_status() -> None:
    rare = np.zeros(N_ROWS)  # of one row of each class, and of few replicates both
    rare[[np.argmin(Y), np.argmax(Y)]] = 1.0
    rows = np.column_stack([X, rare])
    asked: dict[str, Any] = {"n": 12, "random_state": 2, "l2_reg": [0.1] * N_FEATURES + [0.0]}
    found = bootstrap(scipy.sparse.csr_array(rows), Y, **asked)
    wanted = bootstrap(rows, Y, **asked)
    is_separable = wanted.status == fastlogit.GroupStatus.SEPARABLE
    assert 0 < is_separable.sum() < 12
    np.testing.assert_array_equal(found.status == fastlogit.GroupStatus.SEPARABLE, is_separable)
    assert np.isnan(found.coef[is_separable]).all()


def test_bca_says_what_it_is_for() -> None:
    found = bootstrap(S, Y, n=10, random_state=1, C=1.0)
    with pytest.raises(ValueError, match="a dense X of less than 256 MB"):
        found.confidence_intervals(method="bca")


def test_a_table_without_room_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(in_memory, "available_memory", lambda: 1e8)
    rows = scipy.sparse.random_array((50, 100_000), density=1e-4, rng=1, format="csr")
    with pytest.raises(ValueError, match=r"of 1,000 replicates x 100,000 take 0\.745 GiB"):
        bootstrap(rows, np.arange(50) % 2, C=1.0)


PERMUTATIONS: dict[str, dict[str, Any]] = {
    "labels": {"C": 1.0},
    "labels, no penalty": {},
    "each column": {"C": 1.0, "columns": "each", "n": 4},
    "columns, no penalty": {"columns": [0, 3]},
    "strata": {"C": 1.0, "groups": CLUSTERS, "columns": [2]},
}


@pytest.mark.parametrize("options", PERMUTATIONS.values(), ids=PERMUTATIONS)
def test_permutations_are_those_of_dense_rows(options: dict[str, Any]) -> None:
    asked = {"n": 10, "random_state": 1, **options}
    found, wanted = permutation(S, Y, **asked), permutation(X, Y, **asked)
    np.testing.assert_array_equal(found.status, wanted.status)
    np.testing.assert_allclose(found.statistic, wanted.statistic, rtol=1e-7, atol=1e-8)
    np.testing.assert_allclose(found.replicates, wanted.replicates, rtol=1e-6, atol=1e-6)
    np.testing.assert_array_equal(found.p_value, wanted.p_value)


def test_columns_that_add_nothing() -> None:
    rows = scipy.sparse.csr_array(np.column_stack([X[:, 0], 2.0 * X[:, 0], np.zeros(N_ROWS)]))
    found = permutation(rows, Y, columns=[1, 2], n=3, C=1.0, random_state=0)
    wanted = permutation(rows.toarray(), Y, columns=[1, 2], n=3, C=1.0, random_state=0)
    np.testing.assert_array_equal(found.status, wanted.status)
    np.testing.assert_array_equal(found.p_value, [1.0, 1.0])


def test_a_single_column() -> None:
    found = permutation(S[:, [1]], Y, columns=[0], n=5, random_state=0)
    wanted = permutation(X[:, [1]], Y, columns=[0], n=5, random_state=0)
    np.testing.assert_allclose(found.replicates, wanted.replicates, rtol=1e-7, atol=1e-8)


def test_a_residual_is_that_of_least_squares() -> None:
    others = compressed_rows(scipy.sparse.csr_array(X[:, 1:]))
    found = columns.residual_of(X[:, 0], others)
    wanted = columns.residual_of(X[:, 0], X[:, 1:])
    np.testing.assert_allclose(found, wanted, atol=1e-10)
    np.testing.assert_allclose(others.dense().T @ found, 0.0, atol=1e-9)


def test_a_column_is_left_out_of_sparse_rows() -> None:
    found = columns.without(compressed_rows(S), 2)
    assert isinstance(found, CompressedRows)
    np.testing.assert_array_equal(found.dense(), np.delete(X, 2, axis=1))


@pytest.mark.parametrize("n_sparse", [N_FEATURES, N_FEATURES - 2], ids=["all", "some"])
def test_frames_of_sparse_columns(n_sparse: int) -> None:
    names = [f"word {k}" for k in range(N_FEATURES)]
    frame = pd.DataFrame.sparse.from_spmatrix(scipy.sparse.csc_matrix(S), columns=names)
    for name in names[n_sparse:]:
        frame[name] = frame[name].sparse.to_dense()
    found = bootstrap(frame, Y, n=3, random_state=1, C=1.0)
    assert found.feature_names == names
    np.testing.assert_allclose(
        found.coef, bootstrap(X, Y, n=3, random_state=1, C=1.0).coef, rtol=1e-5, atol=1e-4
    )
    assert permutation(frame, Y, columns="word 1", n=2, random_state=0).tested == ["word 1"]


def test_small_rows_are_read_as_an_array(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refits, "MOST_NUMBERS", 1_000_000)
    found = bootstrap(S, Y, n=5, random_state=1, C=1.0)
    wanted = bootstrap(X, Y, n=5, random_state=1, C=1.0)
    assert found.coef.tobytes() == wanted.coef.tobytes()
    asked: dict[str, Any] = {"n": 5, "random_state": 1, "columns": [1]}
    tested = permutation(S, Y, **asked)
    assert tested.replicates.tobytes() == permutation(X, Y, **asked).replicates.tobytes()


def test_ctrl_c_keeps_what_is_finished() -> None:
    def stop(progress: Any) -> bool:
        if progress.n_done >= 2:
            raise KeyboardInterrupt
        return False

    with pytest.raises(KeyboardInterrupt) as caught:
        permutation(S, Y, n=10, random_state=1, C=1.0, callback=stop)
    assert np.isfinite(caught.value.result.replicates).sum() == 2  # type: ignore[attr-defined]
