"""Four columns of a scan at a time: against one at a time, and the oracle."""

from typing import Any

import numba
import numpy as np
import pytest

from fastlogit import ScanStatus, reference, scan
from fastlogit.kernels import scan as kernels
from fastlogit.kernels import scan_panel as panels
from fastlogit.kernels.policy import formula
from fastlogit.kernels.simd import LANES

IS_PLAIN = bool(numba.config.DISABLE_JIT)
N_ROWS = 1_200 if IS_PLAIN else 6_000
STATISTICS = ("coef", "standard_errors", "wald", "score", "likelihood_ratio")


def make_rows(
    n_covariates: int, n_columns: int, effect: float = 0.0, n_rows: int = N_ROWS
) -> tuple[Any, Any, Any]:
    rng = np.random.default_rng([n_covariates, n_columns])
    X = rng.standard_normal((n_rows, n_covariates))
    columns = rng.binomial(2, rng.uniform(0.1, 0.5, n_columns), (n_rows, n_columns))
    columns = columns.astype(float)
    columns[:, ::3] += rng.standard_normal((n_rows, columns[:, ::3].shape[1])) + 50.0
    z = 0.4 * X.sum(axis=1) - 0.7 + effect * (columns[:, 0] - columns[:, 0].mean())
    return X, columns, (z + rng.logistic(size=n_rows) > 0.0).astype(int)


def one_by_one(X: Any, columns: Any, y: Any) -> Any:
    """Rows with weights go that way."""
    return scan(X, columns, y, sample_weight=np.ones(len(y)))


@pytest.mark.parametrize("n_covariates", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("n_columns", [1, 4, 6])
def test_four_at_a_time_are_what_one_is(n_covariates: int, n_columns: int) -> None:
    """Panels of all numbers of covariates, of which three are taken at a time, some half empty."""
    X, columns, y = make_rows(n_covariates, n_columns)
    found, wanted = scan(X, columns, y), one_by_one(X, columns, y)
    assert (found.status == ScanStatus.CONVERGED).all()
    near = np.abs(found.coef - wanted.coef) / wanted.standard_errors
    assert near.max() <= 2e-7
    for name in STATISTICS[1:]:
        np.testing.assert_allclose(
            getattr(found, name), getattr(wanted, name), rtol=4e-7, atol=1e-9, err_msg=name
        )
    # Other arithmetic: it was the other way.
    assert IS_PLAIN or any(
        (getattr(found, name) != getattr(wanted, name)).any() for name in STATISTICS
    )
    assert found.suboptimality.max() <= 1e-12


@pytest.mark.parametrize("effect", [0.3, 1.0, 3.0])
def test_columns_of_large_effect(effect: float) -> None:
    """Steps that are too long for a panel are left to the way of one column."""
    X, columns, y = make_rows(2, 4, effect)
    found = scan(X, columns, y)
    for column in range(4):
        rows = np.column_stack([X, columns[:, column]])
        coef, intercept, _ = reference.newton(rows, y)
        information = len(y) * reference.hessian(rows, coef, intercept)
        error = np.sqrt(np.linalg.inv(information)[-2, -2])
        assert found.coef[column] == pytest.approx(coef[-1], abs=2e-7 * error)
        assert found.standard_errors[column] == pytest.approx(error, rel=2e-7)


def test_neighbours_change_no_bit() -> None:
    """Whatever stands beside a column, and wherever it stands, its numbers are the same."""
    X, columns, y = make_rows(3, 8)
    odd = np.where(np.arange(N_ROWS) % 7 == 0, np.nan, columns[:, 0])
    alone = [scan(X, columns[:, [k]], y) for k in range(8)]
    order = [5, 0, 7, 2, 1, 6, 3, 4]
    beside = np.insert(columns[:, order], [1, 3, 6], np.column_stack([odd, 0 * odd, odd]), axis=1)
    beside[:, 4] = 7.0
    places = [0, 2, 3, 5, 6, 7, 9, 10]
    result = scan(X, beside, y)
    assert result.status[4] == ScanStatus.CONSTANT_COLUMN
    for place, column in zip(places, order, strict=True):
        for name in (*STATISTICS, "suboptimality"):
            wanted = getattr(alone[column], name)[0]
            assert getattr(result, name)[place] == wanted, (place, name)


@pytest.mark.skipif(not IS_PLAIN, reason="compiled code calls what it was compiled with")
def test_most_columns_need_no_other_way(monkeypatch: pytest.MonkeyPatch) -> None:
    X, columns, y = make_rows(2, 4, n_rows=6_000)
    fit_column, calls = kernels.fit_column, []
    monkeypatch.setattr(
        kernels, "fit_column", lambda *given: calls.append(given) or fit_column(*given)
    )
    assert scan(X, columns, y, n_threads=1).converged.all()
    assert len(calls) <= 1


@formula
def ends(area: Any, n_rows: int, n_basis: int, out: Any) -> None:
    panel = panels.lay_out_panel(area, n_rows, n_basis)
    n_sums = panels.N_OWN + 2 * panel.n_threes + panel.n_pairs
    out[0], out[1] = panel.own, panels.sum_place(panel, n_sums, 0)
    out[2], out[3] = panel.n_threes, panel.n_pairs


@pytest.mark.parametrize("n_basis", [1, 2, 3, 9])
@pytest.mark.parametrize("n_rows", [1, 8, 257])
def test_the_array_has_room_for_all(n_rows: int, n_basis: int) -> None:
    size = int(kernels.scan_panel_size.serial(n_rows, n_basis))
    area, out = np.empty(size), np.zeros(4, dtype=np.int64)
    ends(area, n_rows, n_basis, out)
    assert out[0] < LANES
    assert size - LANES < out[1] - out[0] <= size - out[0]
    assert out[2] % 3 == out[3] % 3 == 0
    assert out[2] >= n_basis


@formula
def walk(n_basis: int, out: Any) -> None:
    i, j = 0, 0
    for k in range(out.shape[0]):
        out[k, 0], out[k, 1] = i, j
        i, j = panels.next_pair(i, j, n_basis)


def test_pairs_go_by_rows_and_stay_at_the_last() -> None:
    out = np.zeros((7, 2), dtype=np.int64)
    walk(3, out)
    assert out.tolist() == [[0, 0], [0, 1], [0, 2], [1, 1], [1, 2], [2, 2], [2, 2]]
