"""`fit_groups` of sparse rows against the same rows as an array."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse

import fastlogit
from fastlogit import GroupFits, GroupStatus, fit_groups
from fastlogit.fitting import groups as fitting
from fastlogit.fitting import in_memory, small
from fastlogit.kernels import groups as dense_kernels

# Dozens of fits: too slow without compiled code.
pytestmark = pytest.mark.jit

N_ROWS, N_FEATURES, N_GROUPS = 400, 15, 10
RNG = np.random.default_rng(3)
GROUPS = RNG.integers(0, N_GROUPS, N_ROWS)
S = scipy.sparse.random_array((N_ROWS, N_FEATURES), density=0.15, rng=3, format="csr")
# Words that only some groups have, and a group that has none.
S = S.multiply((np.arange(N_FEATURES) % N_GROUPS != GROUPS[:, None]) & (GROUPS[:, None] != 4))
S = scipy.sparse.csr_array(S)
S.eliminate_zeros()
X = S.toarray()
Y = (3.0 * X @ RNG.standard_normal(N_FEATURES) + RNG.logistic(size=N_ROWS) > 0.0).astype(int)
WEIGHT = RNG.integers(0, 3, N_ROWS).astype(float)
OFFSET = RNG.standard_normal(N_ROWS)
FREE = np.where(np.arange(N_FEATURES) == 2, 0.0, 1.0)

OPTIONS: dict[str, dict[str, Any]] = {
    "C": {"C": 1.0},
    "no penalty": {},
    "a column without penalty": {"C": 1.0, "penalty_factor": FREE},
    "weights and offset": {"l2_reg": 0.1, "sample_weight": WEIGHT, "offset": OFFSET},
    "prior mean": {"C": 0.5, "prior_mean": RNG.standard_normal(N_FEATURES)},
    "prior mean and offset": {"C": 0.5, "prior_mean": np.ones(N_FEATURES), "offset": OFFSET},
    "pooled": {"C": 0.5, "prior_mean": "pooled", "sample_weight": WEIGHT},
    "held intercept": {"C": 1.0, "intercept": 0.25},
    "no intercept": {"C": 1.0, "intercept": None},
}


def assert_same(found: GroupFits, wanted: GroupFits) -> None:
    assert found.status_text.tolist() == wanted.status_text.tolist()
    np.testing.assert_array_equal(found.n_samples, wanted.n_samples)
    np.testing.assert_allclose(found.coef, wanted.coef, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(found.intercept, wanted.intercept, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(found.log_likelihood, wanted.log_likelihood, rtol=1e-6)
    np.testing.assert_allclose(found.standard_errors, wanted.standard_errors, rtol=1e-4)
    assert (found.suboptimality[found.converged] <= 1e-12).all()
    np.testing.assert_array_equal(found.converged, wanted.converged)


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_groups_are_those_of_dense_rows(options: dict[str, Any]) -> None:
    assert_same(fit_groups(S, Y, GROUPS, **options), fit_groups(X, Y, GROUPS, **options))


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_the_general_way_gives_the_same(
    options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = fit_groups(X, Y, GROUPS, **options)
    monkeypatch.setattr(small, "MOST_COLUMNS", 0)
    found = fit_groups(S, Y, GROUPS, **options)
    # What rounding leaves of a Hessian that is all but singular differs.
    assert set(found.status_text) <= {*wanted.status_text, "collinear"}
    np.testing.assert_allclose(found.coef, wanted.coef, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(found.log_likelihood, wanted.log_likelihood, rtol=1e-6)
    both = np.isfinite(wanted.standard_errors) & np.isfinite(found.standard_errors)
    np.testing.assert_allclose(found.standard_errors[both], wanted.standard_errors[both], rtol=1e-4)


def frame() -> Any:
    names = [f"word {k}" for k in range(N_FEATURES)]
    return pd.DataFrame.sparse.from_spmatrix(scipy.sparse.csc_matrix(S), columns=names)


def mixed_frame() -> Any:
    given = frame()
    given["word 0"] = given["word 0"].sparse.to_dense()
    return given


CARRIERS: dict[str, Any] = {
    "csc": lambda: S.tocsc(),
    "coo": lambda: S.tocoo(),
    "csr_matrix of 64-bit indices": lambda: scipy.sparse.csr_matrix(
        (S.data, S.indices.astype(np.int64), S.indptr.astype(np.int64)), shape=S.shape
    ),
    "frame": frame,
    "frame of some sparse columns": mixed_frame,
}


@pytest.mark.parametrize("carry", CARRIERS.values(), ids=CARRIERS)
def test_sparse_rows_of_any_carrier(carry: Any) -> None:
    given = carry()
    found = fit_groups(given, Y, GROUPS, C=1.0)
    assert_same(found, fit_groups(X, Y, GROUPS, C=1.0))
    if isinstance(given, pd.DataFrame):
        assert found.feature_names == list(given.columns)
    np.testing.assert_allclose(
        found.predict_proba(given, GROUPS), found.predict_proba(X, GROUPS), rtol=1e-12
    )


def test_float32_is_taken_as_it_is() -> None:
    single = S.astype(np.float32)
    found = fit_groups(single, Y, GROUPS, C=1.0)
    assert_same(found, fit_groups(single.toarray(), Y, GROUPS, C=1.0))


def test_threads_and_chunks_change_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = fit_groups(S, Y, GROUPS, C=1.0, n_threads=1)
    monkeypatch.setattr(fitting, "CHUNK_NS", 1.0)
    for n_threads in (1, 2):
        found = fit_groups(S, Y, GROUPS, C=1.0, n_threads=n_threads)
        assert found.coef.tobytes() == wanted.coef.tobytes()
        assert found.standard_errors.tobytes() == wanted.standard_errors.tobytes()


def test_groups_in_order_are_the_same_bits_as_mixed() -> None:
    order = np.argsort(GROUPS, kind="stable")
    found = fit_groups(S[order], Y[order], GROUPS[order], C=1.0)
    assert found.coef.tobytes() == fit_groups(S, Y, GROUPS, C=1.0).coef.tobytes()


def test_columns_that_a_group_lacks_are_at_zero_or_at_the_mean() -> None:
    mean = np.arange(1.0, N_FEATURES + 1.0)
    for options, rest in (({}, np.zeros(N_FEATURES)), ({"prior_mean": mean}, mean)):
        fit = fit_groups(S, Y, GROUPS, C=1.0, **options)[4]  # a group without any value
        np.testing.assert_array_equal(fit.coef, rest)
        assert fit.status == GroupStatus.CONSTANT_COLUMN
        assert np.isnan(fit.standard_errors[:-1]).all()
        assert np.isfinite(fit.standard_errors[-1])


def test_groups_of_many_words_are_those_of_a_loop_over_fit() -> None:
    rng = np.random.default_rng(8)
    rows = scipy.sparse.random_array((120, 3_000), density=0.03, rng=8, format="csr")
    y, groups = rng.integers(0, 2, 120), np.repeat([0, 1, 2], [20, 40, 60])
    found = fit_groups(rows, y, groups, C=2.0)
    for group in range(3):
        own = np.flatnonzero(groups == group)
        wanted = fastlogit.fit(rows[own], y[own], C=2.0)
        np.testing.assert_allclose(found[group].coef, wanted.coef, atol=1e-6)
        assert found[group].status == GroupStatus.COLLINEAR
        absent = np.asarray(rows[own].sum(axis=0)).ravel() == 0.0
        assert (found[group].coef[absent] == 0.0).all()


def test_more_columns_than_have_standard_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(small, "MOST_COLUMNS", 0)
    wanted = fit_groups(S, Y, np.zeros(N_ROWS), C=1.0)
    monkeypatch.setattr(fitting, "MOST_MEASURED", 3)
    found = fit_groups(S, Y, np.zeros(N_ROWS), C=1.0)
    assert np.isnan(found.standard_errors).all()
    assert found.status_text.tolist() == ["converged"]
    np.testing.assert_array_equal(found.coef, wanted.coef)
    np.testing.assert_allclose(found.log_likelihood, wanted.log_likelihood, rtol=1e-12)


def test_a_table_without_room_is_refused_before_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(in_memory, "available_memory", lambda: 1e9)
    rows = scipy.sparse.random_array((60, 2_000_000), density=1e-6, rng=8, format="csr")
    with pytest.raises(ValueError, match=r"errors of 30 groups x 2,000,000 columns take 0.894 GiB"):
        fit_groups(rows, np.arange(60) % 2, np.arange(60) // 2, C=1.0)


def test_what_is_not_finite_is_named() -> None:
    spoiled = S.copy()
    spoiled.data[3] = np.inf
    with pytest.raises(ValueError, match="X contains infinity"):
        fit_groups(spoiled, Y, GROUPS, C=1.0)
    found = fit_groups(S, Y, GROUPS, C=1.0)
    with pytest.raises(ValueError, match="X contains infinity"):
        found.predict_proba(spoiled, GROUPS)


def test_predictions_a_part_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    from fastlogit.fitting import group_predictions

    found = fit_groups(S, Y, GROUPS, C=1.0)
    wanted = found.raw_prediction(X, GROUPS, offset=OFFSET)
    monkeypatch.setattr(group_predictions, "CHUNK_NUMBERS", 7)
    np.testing.assert_allclose(
        found.raw_prediction(S, GROUPS, offset=OFFSET), wanted, rtol=1e-12, atol=1e-12
    )


def test_the_kernel_leaves_what_has_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setattr(small, "MOST_COLUMNS", 13)
    general = fitting._Fits._fit_in_general
    monkeypatch.setattr(
        fitting._Fits, "_fit_in_general",
        lambda self, group: (seen.append(group), general(self, group)),
    )  # fmt: skip
    found = fit_groups(S, Y, GROUPS, C=1.0)
    counts = [int((S[GROUPS == group] != 0).sum(axis=0).astype(bool).sum()) for group in range(10)]
    assert seen == [group for group, count in enumerate(counts) if count > 13]
    assert 0 < len(seen) < N_GROUPS
    assert (found.status != dense_kernels.NOT_FITTED).all()
