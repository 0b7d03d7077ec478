"""Columns that are worked on: the numbers that NumPy gives for them."""

import numba
import numpy as np
import pytest
from problems import problem
from test_column_model import objective_over

from fastlogit import reference
from fastlogit.objective import working_columns
from fastlogit.objective.working_columns import WorkingColumns

COLUMNS = np.array([5, 0, 7, 2, 8, 3, 10])


def made(is_sparse, fit_intercept=True, weighted=True, n_samples=1_101, dtype=np.float64):
    X, y, _, _, weight = problem(n_samples, 11)
    X = (X * (np.abs(X) > 0.7) + (0.0 if is_sparse else 2.0)).astype(dtype)
    weight[::9] = 0.0
    weight = weight if weighted else None
    one = objective_over(X, y, 0.02, 0.0, fit_intercept, weight, is_sparse)
    center, scale = one.design.columns
    return one, (X - center) * scale, y, one.rows.table()[1]


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("is_sparse", [True, False])
def test_they_agree_with_numpy(rng, is_sparse, fit_intercept, weighted) -> None:
    one, Z, y, shares = made(is_sparse, fit_intercept, weighted)
    # One after the other, so that packed columns and the Gram matrix are widened.
    working = WorkingColumns(one, COLUMNS[:2])
    working.look(shares * rng.random(len(y)))
    working.hessian()
    for more in (COLUMNS[2:3], COLUMNS[3:]):
        working.add(more)
        working.hessian()
    own = Z[:, working.indices]
    np.testing.assert_array_equal(working.indices, COLUMNS)
    theta = np.append(rng.normal(size=COLUMNS.size), 0.3)
    theta[3] = 0.0
    raw = own @ theta[:-1] + theta[-1]
    np.testing.assert_allclose(working.predictions(theta), raw, atol=1e-12)
    there = working.rows_at(theta)
    proba = reference.sigmoid(raw)
    np.testing.assert_allclose(there.residual, shares * (proba - y), rtol=1e-12, atol=1e-18)
    np.testing.assert_allclose(there.curvature, shares * proba * (1.0 - proba), rtol=1e-11)
    losses = reference.log1p_exp(np.where(y == 1, -raw, raw))
    assert there.loss == pytest.approx(shares @ losses, rel=1e-13)
    slopes = working.slopes(there.residual)
    np.testing.assert_allclose(slopes[:-1], there.residual @ own, atol=1e-14)
    assert slopes[-1] == pytest.approx(there.residual.sum() * fit_intercept, abs=1e-15)
    both = np.column_stack([own, np.full(len(y), float(fit_intercept))])
    assert working.curvature is not None
    wanted = both.T @ (working.curvature[:, None] * both)
    np.testing.assert_allclose(working.hessian(), wanted, atol=1e-13)
    working.look(there.curvature)
    wanted = both.T @ (there.curvature[:, None] * both)
    np.testing.assert_allclose(working.hessian(), wanted, atol=1e-13)


def test_room_grows_and_keeps_what_is_known(rng, monkeypatch) -> None:
    monkeypatch.setattr(working_columns, "ROOM", 3)
    one, Z, _, shares = made(False, n_samples=70, dtype=np.float32)
    working = WorkingColumns(one, COLUMNS[:3])
    curvature = shares * rng.random(70)
    working.look(curvature)
    for more in (COLUMNS[3:4], COLUMNS[4:]):
        before = working.hessian()
        working.add(more)
        assert working.hessian() is not before
        assert working.hessian() is working.hessian()
    own = Z[:, COLUMNS]
    wanted = own.T @ (curvature[:, None] * own)
    np.testing.assert_allclose(working.hessian()[:-1, :-1], wanted, atol=1e-6)


def test_no_columns_have_the_intercept_alone() -> None:
    one, _, y, shares = made(False, n_samples=60)
    working = WorkingColumns(one, np.empty(0, dtype=np.int64))
    there = working.rows_at(np.zeros(1))
    assert there.loss == pytest.approx(np.log(2.0))
    working.look(there.curvature)
    np.testing.assert_allclose(working.hessian(), [[0.25]])
    np.testing.assert_allclose(working.slopes(there.residual), [shares @ (0.5 - y)])


def test_raw_predictions_that_overflow_lose_no_digit() -> None:
    one, *_ = made(False, n_samples=60)
    there = WorkingColumns(one, COLUMNS[:1]).rows_at(np.array([0.0, 800.0]))
    table = one.rows.table()
    assert there.loss == pytest.approx(800.0 * table[1] @ (table[0] == 0.0))
    assert (there.residual[table[0] == 1.0] <= 0.0).all()
    assert np.isfinite(there.residual).all()


def test_dense_and_sparse_columns_are_of_one_type_so_that_kernels_are_compiled_once():
    designs = [made(is_sparse)[0] for is_sparse in (True, False)]
    kinds = {numba.typeof(WorkingColumns(one, COLUMNS)._columns) for one in designs}
    kinds |= {numba.typeof(one.design.some_columns(COLUMNS)[0]) for one in designs}
    assert len(kinds) == 1
