"""Firth's fits of a scan, four columns at a time: against one at a time, and the oracle."""

from typing import Any

import numba
import numpy as np
import pytest

from fastlogit import ScanStatus, reference, scan
from fastlogit.fitting import scan as module
from fastlogit.kernels import scan as kernels
from fastlogit.kernels import scan_firth as firth
from fastlogit.kernels import scan_panel as panels
from fastlogit.kernels.policy import formula

IS_PLAIN = bool(numba.config.DISABLE_JIT)
N_ROWS = 1_200
STATISTICS = ("coef", "standard_errors", "wald", "score", "likelihood_ratio")


def make_rows(n_covariates: int, n_columns: int, effect: float = 0.0) -> tuple[Any, Any, Any]:
    rng = np.random.default_rng([n_covariates, n_columns, 3])
    X = rng.standard_normal((N_ROWS, n_covariates))
    columns = rng.binomial(2, rng.uniform(0.05, 0.5, n_columns), (N_ROWS, n_columns)).astype(float)
    columns[:, ::3] += rng.standard_normal((N_ROWS, columns[:, ::3].shape[1])) + 50.0
    z = 0.4 * X.sum(axis=1) - 0.7 + effect * (columns[:, 0] - columns[:, 0].mean())
    return X, columns, (z + rng.logistic(size=N_ROWS) > 0.0).astype(int)


def one_by_one(X: Any, columns: Any, y: Any, **options: Any) -> Any:
    """Rows with weights go that way."""
    return scan(X, columns, y, firth=True, sample_weight=np.ones(len(y)), **options)


def assert_same(found: Any, wanted: Any) -> None:
    near = np.abs(found.coef - wanted.coef) / wanted.standard_errors
    assert near.max() <= 6e-7
    for name in STATISTICS[1:]:
        np.testing.assert_allclose(
            getattr(found, name), getattr(wanted, name), rtol=2e-6, atol=2e-8, err_msg=name
        )


def assert_oracle(result: Any, X: Any, columns: Any, y: Any) -> None:
    """Compare with a plain loop; columns of no mean, as the oracle's solver wants them."""
    for column in range(columns.shape[1]):
        rows = np.column_stack([X, columns[:, column]])
        rows = rows - rows.mean(axis=0)
        coef, intercept, cost = reference.firth(rows, y)
        _, _, held = reference.firth(rows, y, held=rows.shape[1] - 1)
        information = len(y) * reference.hessian(rows, coef, intercept)
        error = np.sqrt(np.linalg.inv(information)[-2, -2])
        assert result.coef[column] == pytest.approx(coef[-1], abs=1e-6 * error)
        assert result.standard_errors[column] == pytest.approx(error, rel=1e-6)
        ratio = 2.0 * (held - cost)
        assert result.likelihood_ratio[column] == pytest.approx(ratio, rel=1e-6, abs=1e-8)


def left_by_panels(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return where the columns will be counted that go one by one."""
    left, plain = [], kernels.scan_columns.serial

    class Spy:
        @staticmethod
        def serial(null: Any, block: Any, *rest: Any) -> None:
            first, found = rest[2], rest[5]
            status = found.status[first : first + len(block)]
            left.append(int((status != ScanStatus.FIRTH).sum()))
            plain(null, block, *rest)

    monkeypatch.setattr(kernels, "scan_columns", Spy)
    return left


@pytest.mark.parametrize("n_covariates", [1, 2, 3, 7])
@pytest.mark.parametrize("n_columns", [1, 4, 6])
def test_four_at_a_time_are_what_one_is(
    n_covariates: int, n_columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    X, columns, y = make_rows(n_covariates, n_columns)
    wanted = one_by_one(X, columns, y)
    left = left_by_panels(monkeypatch)
    found = scan(X, columns, y, firth=True)
    assert not left
    assert (found.status == ScanStatus.FIRTH).all()
    assert (found.suboptimality == np.inf).all()
    assert (found.n_samples == N_ROWS).all()
    assert_same(found, wanted)
    # The score test is that of maximum likelihood.
    np.testing.assert_allclose(found.score, scan(X, columns, y).score, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("effect", [0.0, 0.3, 1.0, 3.0])
def test_the_oracle(effect: float) -> None:
    """Columns of large effect, and of few carriers, are as right as others, in a panel or not."""
    X, columns, y = make_rows(2, 4, effect)
    columns[:, 1] = np.arange(N_ROWS) % 300 == 7
    columns[:, 2] = np.flatnonzero(y)[3] == np.arange(N_ROWS)
    result = scan(X, columns, y, firth=True)
    assert (result.status == ScanStatus.FIRTH).all()
    assert_oracle(result, X, columns, y)


def test_an_offset_and_no_covariates() -> None:
    X, columns, y = make_rows(1, 5)
    for covariates in (None, X):
        found = scan(covariates, columns, y, firth=True, offset=0.5 * X[:, 0])
        assert_same(found, one_by_one(covariates, columns, y, offset=0.5 * X[:, 0]))


def test_covariates_that_separate() -> None:
    X, columns, y = make_rows(1, 4)
    rows = np.column_stack([X, np.arange(N_ROWS) == np.flatnonzero(y)[0]])
    result = scan(rows, columns, y, firth=True)
    assert (result.status == ScanStatus.FIRTH).all()
    assert np.isnan(result.score).all()
    assert_oracle(result, rows, columns, y)


def test_neighbours_and_threads_change_no_bit() -> None:
    """Whatever stands beside a column, its numbers are the same; odd ones have their status."""
    X, columns, y = make_rows(3, 8)
    odd = np.where(np.arange(N_ROWS) % 7 == 0, np.nan, columns[:, 0])
    order = [5, 0, 7, 2, 1, 6, 3, 4]
    beside = np.insert(columns[:, order], [1, 3, 6], np.column_stack([odd, 0 * odd, odd]), axis=1)
    beside[:, 4], beside[:, 8] = 7.0, X[:, 1]
    places = [0, 2, 3, 5, 6, 7, 9, 10]
    result = scan(X, beside, y, firth=True, n_threads=1)
    again = scan(X, beside, y, firth=True)
    wanted = one_by_one(X, beside, y)
    np.testing.assert_array_equal(result.status, wanted.status)
    for name in STATISTICS:
        np.testing.assert_array_equal(getattr(again, name), getattr(result, name))
        for place, column in list(zip(places, order, strict=True))[: 1 if IS_PLAIN else 8]:
            alone = scan(X, columns[:, [column]], y, firth=True)
            if result.status[place] == ScanStatus.FIRTH:
                assert getattr(alone, name)[0] == getattr(result, name)[place]


def test_what_a_panel_does_not_end_goes_on_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A column that moves raw predictions far is left."""
    X, columns, y = make_rows(2, 4, 3.0)
    left = left_by_panels(monkeypatch)
    result = scan(X, columns, y, firth=True)
    assert left
    assert 1 <= left[0] <= 3
    assert_oracle(result, X, columns, y)


def test_few_rows_go_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    X, columns, y = make_rows(2, 3)
    monkeypatch.setattr(module, "PANEL_ROWS", N_ROWS + 1)
    left = left_by_panels(monkeypatch)
    scan(X, columns, y, firth=True)
    assert left == [3]


@formula
def ends(area: Any, n_rows: int, n_basis: int, out: Any) -> None:
    panel = panels.lay_out_panel(area, n_rows, n_basis)
    to = firth.lay_out_beside(panel)
    out[0] = to.forms + panels.COLUMNS * firth.n_forms(n_basis)


@pytest.mark.parametrize("n_basis", [1, 2, 7, 8, 9])
@pytest.mark.parametrize("n_rows", [1, 255, 300])
def test_the_array_has_room_for_all(n_rows: int, n_basis: int) -> None:
    size = firth.firth_work_size.serial(n_rows, n_basis)
    out = np.zeros(1, dtype=np.int64)
    ends(np.empty(size), n_rows, n_basis, out)
    assert out[0] <= size
    assert out[0] > size - 2 * panels.LANES
