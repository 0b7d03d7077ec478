"""The kernel of groups against the oracle, with and without compiled code."""

from typing import Any

import numpy as np
import pytest
from problems import problem

from fastlogit import reference
from fastlogit.kernels import groups as kernels
from fastlogit.kernels.small import binomial

N_ROWS, N_FEATURES, N_GROUPS = 24, 2, 3
NONE = np.empty(0)


def readonly(array: Any) -> Any:
    view = np.ascontiguousarray(array).view()
    view.flags.writeable = False
    return view


def models() -> kernels.Models:
    return kernels.Models(
        np.full(N_GROUPS, kernels.NOT_FITTED, dtype=np.int8), np.zeros(N_GROUPS, dtype=bool),
        np.zeros(N_GROUPS, dtype=np.int64),
        np.zeros(N_GROUPS, dtype=np.int32), np.full((N_GROUPS, N_FEATURES), np.nan),
        np.full(N_GROUPS, np.nan), np.full((N_GROUPS, N_FEATURES + 1), np.nan),
        np.full(N_GROUPS, np.nan), np.full(N_GROUPS, np.inf),
    )  # fmt: skip


def room(n_rows: int = N_ROWS) -> kernels.Room:
    codes, weights, offset = np.empty(n_rows, dtype=np.uint8), np.empty(n_rows), np.empty(n_rows)
    return kernels.Room(
        np.empty((n_rows, N_FEATURES)), codes, weights, offset,
        readonly(codes), readonly(weights), readonly(offset), np.empty(N_FEATURES), np.empty(101),
        np.empty(binomial.small_work_size.serial(n_rows, N_FEATURES)),
    )  # fmt: skip


def fit(rows: kernels.GroupRows, work: kernels.Room | None = None, **change: Any) -> kernels.Models:
    task = kernels.Task(1, np.zeros(N_FEATURES), False, NONE, 0.0, True, 1e-12, 100)
    found = models()
    given = task._replace(**change)
    kernels.fit_groups.serial(rows, 0, N_GROUPS, given, work or room(), found)
    return found


def make_rows(
    X: Any, y: Any, weights: Any = NONE, offset: Any = NONE, order: Any = ()
) -> kernels.GroupRows:
    starts = np.arange(N_GROUPS + 1) * N_ROWS
    return kernels.GroupRows(
        X, readonly(y.astype(np.uint8)), readonly(weights), readonly(offset),
        readonly(np.array(order, dtype=np.int32)), readonly(starts), 0,
    )  # fmt: skip


@pytest.mark.parametrize("shuffled", [False, True])
@pytest.mark.parametrize("mean", [NONE, np.array([0.5, -0.25])], ids=["zero", "mean"])
def test_the_oracle(mean: Any, shuffled: bool) -> None:
    X, y, _, _, weights = problem(N_ROWS * N_GROUPS, N_FEATURES)
    offset = np.linspace(-0.5, 0.5, len(y))
    order = np.random.default_rng(1).permutation(len(y)) if shuffled else np.arange(len(y))
    given = make_rows(X, y, weights, offset, order if shuffled else ())
    found = fit(given, l2_reg=np.full(N_FEATURES, 2.0), by_weight=True, mean=mean)
    assert (found.status == kernels.CONVERGED).all()
    assert (found.n_samples == N_ROWS).all()
    assert (found.bound <= 1e-12).all()
    assert found.converged.all()
    for group in range(N_GROUPS):
        mine = order[group * N_ROWS : (group + 1) * N_ROWS]
        w, total = weights[mine], weights[mine].sum()
        prior = mean if mean.size else np.zeros(N_FEATURES)
        # The gradient of the penalised cost vanishes, and the Hessian of the loss is as it is.
        level = offset[mine] + X[mine] @ prior
        z = X[mine] @ (found.coef[group] - prior) + found.intercept[group] + level
        residual = w * (reference.sigmoid(z) - y[mine])
        slope = X[mine].T @ residual / total + 2.0 / total * (found.coef[group] - prior)
        np.testing.assert_allclose(slope, 0.0, atol=1e-6)
        assert residual.sum() == pytest.approx(0.0, abs=1e-6)
        columns = np.column_stack([X[mine], np.ones(N_ROWS)])
        proba = reference.sigmoid(z)
        information = columns.T @ ((w * proba * (1.0 - proba))[:, None] * columns)
        errors = np.sqrt(np.diag(np.linalg.inv(information)))
        np.testing.assert_allclose(found.errors[group], errors, rtol=1e-9)
        likelihood = -np.sum(w * (np.logaddexp(0.0, z) - y[mine] * z))
        assert found.log_likelihood[group] == pytest.approx(likelihood, rel=1e-12)


def test_each_end() -> None:
    X, y = problem(N_ROWS * N_GROUPS, N_FEATURES)[:2]
    X[:N_ROWS, 1] = 3.0
    y[N_ROWS : 2 * N_ROWS] = X[N_ROWS : 2 * N_ROWS, 0] > 0.0
    y[2 * N_ROWS :] = 1
    with np.errstate(all="ignore"):  # plain Python's numbers warn
        found = fit(make_rows(X, y))
        ends = [kernels.CONSTANT_COLUMN, kernels.SEPARABLE, kernels.ONE_CLASS]
        assert found.status.tolist() == ends
        np.testing.assert_array_equal(np.isnan(found.errors[0]), [False, True, False])
        assert found.coef[0, 1] == 0.0
        assert np.isnan(found.coef[1:]).all()
        X[:N_ROWS, 1] = X[:N_ROWS, 0]
        weights = np.ones(len(y))
        weights[2 * N_ROWS :] = 0.0
        weights[N_ROWS : 2 * N_ROWS - 2], y[2 * N_ROWS - 2 : 2 * N_ROWS] = 0.0, [0, 1]
        found = fit(make_rows(X, y, weights))
        ends = [kernels.GENERAL, kernels.TOO_FEW_ROWS, kernels.NO_ROWS]
        assert found.status.tolist() == ends
        found = fit(make_rows(X, y, weights), l2_reg=np.ones(N_FEATURES))
    assert found.status.tolist() == [kernels.COLLINEAR, kernels.COLLINEAR, kernels.NO_ROWS]
    assert np.isfinite(found.coef[:2]).all()
    assert np.isnan(found.errors).all()
    assert found.n_samples.tolist() == [N_ROWS, 2, 0]


def test_groups_without_room_are_left() -> None:
    X, y = problem(N_ROWS * N_GROUPS, N_FEATURES)[:2]
    found = fit(make_rows(X, y), room(N_ROWS - 1))
    assert (found.status == kernels.GENERAL).all()
    assert np.isnan(found.coef).all()


def test_rows_are_counted_and_put_in_order() -> None:
    codes = readonly(np.array([2, 0, 1, 0, 2, 2], dtype=np.int32))
    for given, in_order in ((codes, False), (readonly(np.sort(codes)), True)):
        counts = np.zeros(3, dtype=np.int64)
        assert bool(kernels.count_rows.serial(given, counts)) is in_order
        assert counts.tolist() == [2, 1, 3]
    order = np.empty(6, dtype=np.int32)
    kernels.order_rows.serial(codes, np.array([0, 2, 3]), order)
    assert order.tolist() == [1, 3, 2, 0, 4, 5]
