"""A model along a path: optima as an oracle has them, truly bounded, and few passes over X."""

import warnings

import numpy as np
import pytest
from problems import TWO_THREADS, problem
from test_column_model import objective_over

import fastlogit
from fastlogit import reference
from fastlogit.fitting.grid import GridOptions
from fastlogit.fitting.l1_grid import fit_l1_grid
from fastlogit.inputs.given import Given
from fastlogit.solvers import carried, path_follower
from fastlogit.solvers.carried import Carried
from fastlogit.solvers.path_follower import PathFollower, may_follow
from fastlogit.solvers.trace import Limits

pytestmark = pytest.mark.jit

TOL = 1e-9


def rows(is_sparse, weighted):
    X, y, _, _, weight = problem(60, 240)
    X = X * (np.abs(X) > 0.4) if is_sparse else X + 1.5
    weight[::8] = 0.0
    return X, y, weight if weighted else None


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("l2", [0.0, 0.03])
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("is_sparse", [True, False])
def test_what_is_proven_is_true(monkeypatch, is_sparse, weighted, l2, fit_intercept) -> None:
    monkeypatch.setattr(path_follower, "OPEN", 0.5)
    X, y, weight = rows(is_sparse, weighted)
    follower, theta = None, np.zeros(241)
    for l1 in np.geomspace(0.2, 0.09, 6):
        one = objective_over(X, y, l1, l2, fit_intercept, weight, is_sparse)
        follower = follower or PathFollower(one, 1.0)
        found = follower.follow(one, theta, TOL)
        assert found is not None
        coef, intercept = one.to_user(*one.rows.split(found.theta))
        own = (l1, l2, weight)
        cost = reference.elastic_net_cost(X, y, coef[0], float(intercept[0]), *own)
        assert found.cost == pytest.approx(cost, rel=1e-13)
        assert found.gain <= TOL * cost
        # Curvatures are a quarter at the most: slopes of 3e-5 are worth 1e-9.
        slopes, last = reference.elastic_net_slopes(X, y, coef[0], float(intercept[0]), *own)
        assert np.abs(slopes).max() <= 3e-5
        assert abs(last) * fit_intercept <= 3e-5
        wanted = one.at(found.theta[None]).gradient[0]
        kept = found.theta != 0.0
        kept[-1] = fit_intercept
        np.testing.assert_allclose(found.gradient[kept], wanted[kept], atol=1e-12)
        theta = found.theta


def test_the_gain_is_at_least_what_is_missing() -> None:
    X, y, weight = rows(False, True)
    follower, theta, gains = None, np.zeros(241), []
    for l1 in np.geomspace(0.2, 0.09, 4):
        one = objective_over(X, y, l1, 0.0, True, weight, False)
        follower = follower or PathFollower(one, 1.0)
        best = PathFollower(one, 1.0).follow(one, theta, 1e-11)
        found = follower.follow(one, theta, 1e-3)
        assert best is not None
        assert found is not None
        assert found.cost - best.cost <= found.gain + 1e-15
        gains.append(found.gain)
        theta = found.theta
    assert max(gains) > 1e-9


def test_columns_outside_are_looked_at_where_they_may_exceed(monkeypatch) -> None:
    """Slopes that are wrong where nothing is said of them lead to no false proof."""
    monkeypatch.setattr(path_follower, "NEXT", -10.0)
    X, y, _ = rows(False, False)
    follower, theta = None, np.zeros(241)
    for l1 in np.geomspace(0.2, 0.05, 5):
        one = objective_over(X, y, l1, 0.0, True, None, False)
        follower = follower or PathFollower(one, 1.0)
        found = follower.follow(one, theta, TOL)
        assert found is not None
        assert found.gain <= TOL * found.cost
        theta = found.theta
        gradient = one.at(theta[None]).gradient[0]
        assert (np.abs(gradient[:-1]) <= one.l1.strengths[0] + 3e-5).all()


def test_what_cannot_be_followed(monkeypatch) -> None:
    X, y, _ = rows(False, False)
    free = np.full(240, 0.05)
    free[3] = 0.0
    one = objective_over(X, y, free, 0.0, True, None, False)
    assert PathFollower(one, 1.0).follow(one, np.zeros(241), TOL) is None
    one = objective_over(X, y, 0.001, 0.0, True, None, False)
    monkeypatch.setattr(path_follower, "MOST_WORKING", 3)
    assert PathFollower(one, 1.0).follow(one, np.zeros(241), TOL) is None
    assert may_follow(one, Limits(1e-8, 100))
    few = objective_over(X[:, :60], y, 0.1, 0.0, True, None, True)
    assert not may_follow(few, Limits(1e-8, 100))


def grid_of(X, y, Cs, tol=1e-8, **options):
    folds = options.pop("fold_weights", None)
    own = GridOptions(l1_ratio=options.pop("l1_ratio", 1.0), tol=tol, **options)
    return fit_l1_grid(Given(X, y), Cs, options=own, fold_weights=folds)


def wide(n_samples=100, n_features=600):
    X, y = problem(n_samples, n_features)[:2]
    first = np.abs((y - y.mean()) @ X).max()
    return X, y, np.geomspace(1.0, 40.0, 12) / first


@pytest.mark.parametrize("l1_ratio", [1.0, 0.5])
def test_a_path_has_the_same_optima_with_fewer_passes(monkeypatch, l1_ratio) -> None:
    X, y, Cs = wide()
    Cs = Cs[: None if l1_ratio == 1.0 else 4]
    folds = np.ones((2, 100))
    folds[0, :30] = folds[1, 40:60] = 0.0
    found = grid_of(X, y, Cs, fold_weights=folds, l1_ratio=l1_ratio)
    assert found.converged.all()
    monkeypatch.setattr(carried, "may_follow", lambda *_: False)
    wanted = grid_of(X, y, Cs, 1e-12, fold_weights=folds, l1_ratio=l1_ratio)
    assert found.n_passes < 0.6 * wanted.n_passes
    np.testing.assert_allclose(found.coef, wanted.coef, atol=2e-3)
    np.testing.assert_allclose(found.deviance_explained, wanted.deviance_explained, atol=1e-4)


def test_the_bits_are_the_same_for_any_number_of_threads() -> None:
    X, y, Cs = wide()
    one, two = (grid_of(X, y, Cs, n_threads=count) for count in (1, 2))
    np.testing.assert_array_equal(one.coef, two.coef)
    np.testing.assert_array_equal(one.suboptimality, two.suboptimality)


def test_where_a_model_is_not_followed_the_general_way_goes_on(monkeypatch) -> None:
    X, y, Cs = wide()
    count, before = 0, PathFollower.follow

    def follow(self, *args):
        nonlocal count
        count += 1
        return before(self, *args) if count % 3 else None

    monkeypatch.setattr(PathFollower, "follow", follow)
    found = grid_of(X, y, Cs)
    assert count == Cs.size
    assert found.converged.all()


@pytest.mark.parametrize("where", ["follow", "callback"])
def test_ctrl_c_on_the_way(monkeypatch, where) -> None:
    X, y, Cs = wide()
    count, before = 0, PathFollower.follow

    def stop(*args):
        nonlocal count
        count += 1
        if count == 4:
            raise KeyboardInterrupt
        return before(*args) if where == "follow" else None

    options = {"callback": stop} if where == "callback" else {}
    if where == "follow":
        monkeypatch.setattr(PathFollower, "follow", stop)
    with pytest.raises(KeyboardInterrupt) as caught:
        grid_of(X, y, Cs, **options)
    done = caught.value.result.converged.ravel()
    assert done[:3].all()
    assert not done[4:].any()


def test_a_time_limit_ends_it_with_what_is_there() -> None:
    X, y, Cs = wide()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = grid_of(X, y, Cs, time_limit=1e-9)
    assert not found.converged.any()
    assert np.isfinite(found.coef).all()


def test_users_paths() -> None:
    X, y, _ = wide()
    path = fastlogit.logistic_path(X, y, l1_ratio=1.0, tol=1e-8, Cs=20, stop_gain=0.0)
    assert path.converged.all()
    assert (path.suboptimality <= 1e-8).all()
    assert path.n_nonzero[0] == 0
    assert (np.diff(path.deviance_explained) > -1e-9).all()


def test_carried_has_no_followers_for_a_single_fit() -> None:
    X, y, _ = wide()
    one = objective_over(X, y, 0.05, 0.0, True, None, False)
    assert not Carried().followers(one, Limits(1e-8, 100))
    assert len(Carried(is_path=True).followers(one, Limits(1e-8, 100))) == 1
    assert not Carried(is_path=True).followers(one, Limits(1e-14, 100))


def test_what_rounding_errors_leave_is_proven_the_general_way(monkeypatch) -> None:
    X, y, Cs = wide()
    monkeypatch.setattr(path_follower, "FINEST", 0.0)
    found = grid_of(X, y, Cs, tol=1e-14)
    assert found.converged.all()
    assert (found.suboptimality <= 1e-14).all()


def test_folds_go_side_by_side_with_the_same_bits() -> None:
    X, y, Cs = wide(100, 300)
    folds = np.ones((3, 100))
    folds[0, :30] = folds[1, 30:60] = folds[2, 60:] = 0.0
    options = {"fold_weights": folds, "l1_ratio": 1.0}
    one, two, together = (
        grid_of(X, y, Cs[:6], n_threads=count, time_limit=limit, **options)
        for count, limit in ((1, None), (TWO_THREADS, None), (1, 1e4))
    )
    assert one.converged.all()
    np.testing.assert_array_equal(one.coef, two.coef)
    np.testing.assert_array_equal(one.suboptimality, two.suboptimality)
    np.testing.assert_array_equal(one.deviance_explained, two.deviance_explained)
    assert one.n_passes == two.n_passes
    np.testing.assert_allclose(one.coef, together.coef, atol=1e-3)


@pytest.mark.parametrize("count", [1, TWO_THREADS])
def test_ctrl_c_while_folds_go_side_by_side(monkeypatch, count) -> None:
    X, y, Cs = wide(100, 300)
    folds = np.ones((3, 100))
    folds[0, :30] = folds[1, 30:60] = folds[2, 60:] = 0.0
    before, seen = PathFollower.follow, []

    def stop(*given):
        seen.append(len(seen))
        if len(seen) == 8:
            raise KeyboardInterrupt
        return before(*given)

    monkeypatch.setattr(PathFollower, "follow", stop)
    with pytest.raises(KeyboardInterrupt) as caught:
        grid_of(X, y, Cs[:6], n_threads=count, fold_weights=folds)
    done = caught.value.result.converged
    assert done[0].all()
    assert not done.all()
    # The other thread hears of it between two fits.
    assert len(seen) < 18
