"""The kernel of replicates against the oracle, with and without compiled code."""

import itertools
from typing import Any

import numba
import numpy as np
import pytest
from problems import problem

from fastlogit import reference
from fastlogit.kernels import groups as statuses
from fastlogit.kernels import resampling as kernels
from fastlogit.kernels.small import endings

N_ROWS, N_FEATURES = 40, 3
NONE = np.empty(0)


def readonly(array: Any) -> Any:
    view = np.ascontiguousarray(array).view()
    view.flags.writeable = False
    return view


def make_rows() -> tuple[Any, Any]:
    rows = problem(N_ROWS, N_FEATURES, seed=4)
    return rows.X + np.array([0.0, 3.0, -1.0]), rows.y.astype(np.uint8)


X, Y = make_rows()
RNG = np.random.default_rng(0)
COUNTS = np.array([np.bincount(RNG.integers(0, N_ROWS, N_ROWS), minlength=N_ROWS) for _ in "123"])
COUNTS = COUNTS.astype(np.float64)


def models(n: int, n_features: int = N_FEATURES) -> kernels.Replicates:
    return kernels.Replicates(
        np.full(n, statuses.NOT_FITTED, dtype=np.int8), np.zeros(n, dtype=np.int32),
        np.full((n, n_features), np.nan), np.full(n, np.nan), np.full(n, np.nan),
        np.full(n, np.inf),
    )  # fmt: skip


def make_base(
    X: Any = X, y: Any = Y, weights: Any = NONE, offset: Any = NONE, l2_reg: float = 0.05,
    fixed: float | None = None, by_weight: bool = False, tol: float = 1e-12, start: Any = None,
) -> kernels.Base:  # fmt: skip
    """All rows; the start is their optimum."""
    n_rows, n_features = X.shape
    total = weights.sum() if weights.size else n_rows
    strength = np.full(n_features, l2_reg / (total if by_weight else 1.0))
    if start is None:
        coef, level, _ = reference.newton(
            X, y, l2_reg=strength, sample_weight=weights if weights.size else None
        )
        start = np.append(coef, level)
    work = np.empty(kernels.room_size.serial(n_rows, n_features))
    status, size = kernels.prepare.serial(
        X, readonly(y), 1, readonly(weights), readonly(offset), strength,
        fixed or 0.0, fixed is None, start, work,
    )  # fmt: skip
    assert status == endings.CONVERGED
    of_row = readonly(np.arange(n_rows, dtype=np.int32))
    level = fixed or 0.0
    return kernels.Base(
        work, n_rows, n_features, size, of_row, by_weight, level, fixed is None, tol
    )


def room(base: kernels.Base) -> kernels.Room:
    n_units = int(base.unit_of_row.max()) + 1
    return kernels.Room(
        np.full(len(base.work), np.nan), np.empty(base.n_rows, np.int32), np.empty(n_units)
    )


def fit(base: kernels.Base, counts: Any = COUNTS) -> kernels.Replicates:
    found = models(len(counts), base.n_features)
    none = np.empty((len(counts), 0), dtype=np.int64)
    kernels.fit_replicates.serial(base, none, counts, 0, room(base), found)
    return found


def assert_at_optimum(
    found: kernels.Replicates, place: int, X: Any, y: Any, w: Any, l2: float
) -> None:
    """The bound is true of the point before the last step, which lowers the cost."""
    assert found.status[place] == statuses.CONVERGED
    coef, level, best = reference.newton(X, y, l2_reg=l2, sample_weight=w)
    cost = reference.cost(X, y, found.coef[place], found.intercept[place], l2, w)
    bound = found.bound[place]
    assert best * (1.0 - 1e-13) <= found.cost[place] <= best * (1.0 + bound + 1e-13)
    assert cost <= found.cost[place] * (1.0 + 1e-13)
    near = 10.0 * np.sqrt(bound) + 1e-6
    np.testing.assert_allclose(found.coef[place], coef, rtol=near, atol=near)
    assert found.intercept[place] == pytest.approx(level, rel=near, abs=near)


@pytest.mark.parametrize("tol", [1e-2, 1e-4, 1e-8, 1e-12])
def test_each_replicate_is_at_its_optimum(tol: float) -> None:
    found = fit(make_base(tol=tol))
    for place, w in enumerate(COUNTS):
        assert_at_optimum(found, place, X, Y, w, 0.05)
    assert (found.bound <= tol).all()


def test_bounds_of_many_replicates_are_true() -> None:
    """Of points near and far: few rows of several columns, with hardly any penalty."""
    rows = RNG.standard_normal((30, 4))
    y = (rows[:, 0] + RNG.logistic(size=30) > 0.0).astype(np.uint8)
    n = 4 if numba.config.DISABLE_JIT else 150
    counts = RNG.multinomial(30, np.full(30, 1 / 30), size=n).astype(np.float64)
    for tol in (0.1, 1e-3, 1e-6):
        found = fit(make_base(X=rows, y=y, l2_reg=0.01, tol=tol), counts)
        done = np.flatnonzero(found.status == statuses.CONVERGED)
        assert done.size > 0.8 * n
        assert (found.bound[done] <= tol).all()
        for place in done:
            best = reference.newton(rows, y, l2_reg=0.01, sample_weight=counts[place])[2]
            assert found.cost[place] <= best * (1.0 + found.bound[place] + 1e-13)


def test_units_that_are_drawn_are_counted() -> None:
    drawn = np.array([np.repeat(np.arange(N_ROWS), w.astype(int)) for w in COUNTS])
    base, found = make_base(), models(len(COUNTS))
    none = np.empty((len(COUNTS), 0))
    kernels.fit_replicates.serial(base, RNG.permuted(drawn, axis=1), none, 0, room(base), found)
    wanted = fit(base)
    np.testing.assert_array_equal(found.coef, wanted.coef)
    np.testing.assert_array_equal(found.bound, wanted.bound)


def test_weights_of_rows_and_a_penalty_of_the_sum() -> None:
    weights = RNG.uniform(0.5, 2.0, N_ROWS)
    found = fit(make_base(weights=weights, l2_reg=2.0, by_weight=True))
    for place, w in enumerate(COUNTS):
        own = w * weights
        assert_at_optimum(found, place, X, Y, own, 2.0 / own.sum())


def test_units_of_several_rows() -> None:
    of_row = np.arange(N_ROWS, dtype=np.int32) // 2
    units = np.array([RNG.integers(0, 3, N_ROWS // 2), np.ones(N_ROWS // 2)]).astype(np.float64)
    found = fit(make_base()._replace(unit_of_row=readonly(of_row)), units)
    for place in range(2):
        assert_at_optimum(found, place, X, Y, units[place][of_row], 0.05)
    assert found.n_iter[1] <= 1


def test_a_held_intercept_and_an_offset() -> None:
    offset = RNG.standard_normal(N_ROWS)
    base = make_base(offset=offset, fixed=0.3, start=np.zeros(N_FEATURES + 1))
    found = fit(base)
    for place, w in enumerate(COUNTS):
        coef = np.append(found.coef[place], 1.0)
        rows = np.column_stack([X, offset + 0.3])
        _, slopes = reference.cost_gradient(rows, Y, coef, 0.0, np.r_[[0.05] * 3, 0.0], w)[:2]
        np.testing.assert_allclose(slopes[:3], 0.0, atol=1e-7)
        assert found.intercept[place] == 0.3


def test_a_start_that_is_far_away_is_left_or_finished() -> None:
    base = make_base(start=np.r_[8.0, -8.0, 8.0, 3.0])
    found = fit(base)
    for place, w in enumerate(COUNTS):
        if found.status[place] != statuses.GENERAL:
            assert_at_optimum(found, place, X, Y, w, 0.05)


def test_what_has_no_optimum_is_said_or_left() -> None:
    none, ones, zeros = np.zeros(N_ROWS), (Y == 1) * 1.0, (Y == 0) * 1.0
    few = np.zeros(N_ROWS)
    few[[int(np.argmax(Y == 1)), int(np.argmax(Y == 0))]] = 1.0
    found = fit(make_base(l2_reg=0.0), np.array([none, ones, zeros, few]))
    wanted = [statuses.NO_ROWS, statuses.ONE_CLASS, statuses.ONE_CLASS, statuses.GENERAL]
    assert found.status.tolist() == wanted
    assert np.isnan(found.coef).all()


def test_no_proof_is_no_answer() -> None:
    found = fit(make_base(tol=0.0))
    assert set(found.status.tolist()) == {statuses.GENERAL}
    assert np.isnan(found.coef).all()


def test_rows_that_are_nothing_for_it() -> None:
    for change, wanted in (
        ({"y": np.zeros(N_ROWS, np.uint8)}, endings.ONE_CLASS),
        ({"X": np.where(X == X[3, 1], np.inf, X)}, endings.NOT_FINITE),
        ({"l2_reg": np.full(N_FEATURES, -1.0)}, endings.NOT_FINITE),
        ({"X": X * 1e200}, endings.EXTREME),
    ):
        given: dict[str, Any] = {"X": X, "y": Y, "l2_reg": np.zeros(N_FEATURES)} | change
        work = np.empty(kernels.room_size.serial(N_ROWS, N_FEATURES))
        with np.errstate(all="ignore"):  # NumPy warns where there is no compiled code
            status, _ = kernels.prepare.serial(
                np.ascontiguousarray(given["X"]), readonly(given["y"]), 1, readonly(NONE),
                readonly(NONE), given["l2_reg"], 0.0, True, np.zeros(N_FEATURES + 1), work,
            )  # fmt: skip
        assert status == wanted


@pytest.mark.parametrize("starts", [[0, N_ROWS], [0, 7, 8, 25, N_ROWS]], ids=str)
def test_permutations_of_labels_and_of_a_column(starts: Any) -> None:
    uniform, starts = RNG.random((3, N_ROWS)), np.array(starts)
    places = []
    for numbers in uniform:
        order = np.arange(N_ROWS)
        for begin, end in itertools.pairwise(starts):
            for row in range(end - 1, begin, -1):
                other = begin + int(numbers[row] * (row - begin + 1))
                order[[row, other]] = order[[other, row]]
            assert sorted(order[begin:end]) == list(range(begin, end))
        places.append(order)
    base = make_base()
    found = models(3)
    kernels.fit_permuted.serial(base, uniform, starts, -1, 0, room(base), found)
    for place, order in enumerate(places):
        assert_at_optimum(found, place, X, Y[order], None, 0.05)
    found = models(3)
    kernels.fit_permuted.serial(base, uniform, starts, 2, 0, room(base), found)
    for place, order in enumerate(places):
        moved = X.copy()
        moved[:, 2] = X[order, 2]
        assert_at_optimum(found, place, moved, Y, None, 0.05)
        assert found.cost[place] == pytest.approx(
            reference.newton(moved, Y, l2_reg=0.05)[2], rel=1e-11
        )


@pytest.mark.parametrize("n_features", [1, 2, 4, 5, 8])
def test_columns_of_every_number(n_features: int) -> None:
    rows = RNG.standard_normal((N_ROWS, n_features))
    found = fit(make_base(X=rows))
    assert_at_optimum(found, 0, rows, Y, COUNTS[0], 0.05)
