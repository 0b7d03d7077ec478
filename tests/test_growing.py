"""A fit from afar over columns that come in: true optima, falling costs, and ends as asked."""

import warnings

import numpy as np
import pytest
from problems import problem
from test_column_model import objective_over

import fastlogit
from fastlogit import reference
from fastlogit.clock import TimeUp
from fastlogit.design.base import Columns, Design
from fastlogit.design.dense import DenseDesign
from fastlogit.objective.known_slopes import KnownSlopes
from fastlogit.objective.working_columns import WorkingColumns
from fastlogit.solvers import choice, growing, path_follower
from fastlogit.solvers.path_follower import PathFollower, may_follow
from fastlogit.solvers.trace import Limits

pytestmark = pytest.mark.jit

N_SAMPLES, N_FEATURES = 80, 700


@pytest.fixture
def few_at_a_time(monkeypatch) -> None:
    monkeypatch.setattr(growing, "LEAST", 10)
    monkeypatch.setattr(growing, "ROOTS", 0.3)
    monkeypatch.setattr(growing, "GROWTH", 0.7)


def wide():
    X, y, _, _, weight = problem(N_SAMPLES, N_FEATURES)
    weight[::9] = 0.0
    return X + 0.5, y, weight


@pytest.mark.usefixtures("few_at_a_time")
@pytest.mark.parametrize("is_sparse", [True, False])
@pytest.mark.parametrize("l2", [0.0, 0.02])
def test_stages_lead_near_the_optimum(is_sparse, l2) -> None:
    X, y, weight = wide()
    X = X * (np.abs(X) > 0.8) if is_sparse else X
    one = objective_over(X, y, 0.03, l2, True, weight, is_sparse)
    best = fastlogit_optimum(X, y, 0.03, l2, weight)
    stages = list(growing.growing(one, np.zeros(N_FEATURES + 1), KnownSlopes(one, 1.0)))
    costs = [stage.cost for stage in stages]
    assert len(stages) > 3
    assert [stage.is_last for stage in stages] == [False] * (len(stages) - 1) + [True]
    assert (np.diff(costs) < 0.0).all()
    assert costs[-1] <= best * (1.0 + 1e-3)
    for stage in stages[:-1]:
        there = one.at(stage.theta[None])
        assert stage.cost == pytest.approx(there.cost[0], rel=1e-12)
        np.testing.assert_allclose(stage.gradient, there.gradient[0], atol=1e-12)


def fastlogit_optimum(X, y, l1, l2, weight):
    """Return the cost of a fit by the general way, to 1e-12: `from_afar` left out."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(choice, "from_afar", lambda objective, theta, *_: (None, theta))
        fit = fastlogit.fit(X, y, sample_weight=weight, l1_reg=l1, l2_reg=l2, tol=1e-12)
    return reference.elastic_net_cost(X, y, fit.coef, fit.intercept, l1, l2, weight)


@pytest.mark.usefixtures("few_at_a_time")
@pytest.mark.parametrize(("l2", "weighted"), [(0.0, True), (0.02, True), (0.02, False)])
def test_fits_are_proven_optima(monkeypatch, l2, weighted) -> None:
    X, y, weight = wide()
    weight = weight if weighted else None
    best, followed, before = fastlogit_optimum(X, y, 0.02, l2, weight), [], PathFollower.follow
    monkeypatch.setattr(
        PathFollower, "follow", lambda *given: followed.append(before(*given)) or followed[-1]
    )
    fit = fastlogit.fit(X, y, sample_weight=weight, l1_reg=0.02, l2_reg=l2)
    assert fit.converged
    assert followed[-1] is not None
    own = (0.02, l2, weight)
    cost = reference.elastic_net_cost(X, y, fit.coef, fit.intercept, *own)
    assert -1e-11 <= cost / best - 1.0 <= fit.suboptimality <= 1e-8
    slopes, last = reference.elastic_net_slopes(X, y, fit.coef, fit.intercept, *own)
    assert max(np.abs(slopes).max(), abs(last)) <= 1e-4
    again = fastlogit.fit(X, y, sample_weight=weight, l1_reg=0.02, l2_reg=l2, start=fit)
    assert again.n_iter <= 1
    assert again.converged


@pytest.mark.usefixtures("few_at_a_time")
@pytest.mark.parametrize(("columns_a_sweep", "needs_gram"), [(0.2, False), (20.0, True)])
def test_elastic_nets_end_by_columns_or_where_these_are_slow_by_a_gram_matrix(
    monkeypatch, columns_a_sweep, needs_gram
) -> None:
    monkeypatch.setattr(path_follower, "COLUMNS_A_SWEEP", columns_a_sweep)
    monkeypatch.setattr(path_follower, "FEW_SWEEPS", 1)
    X, y, weight = wide()
    looks = []
    look = WorkingColumns.look
    monkeypatch.setattr(WorkingColumns, "look", lambda *given: (looks.append(1), look(*given)))
    fit = fastlogit.fit(X, y, sample_weight=weight, l1_reg=0.02, l2_reg=0.02)
    assert fit.converged
    assert fit.suboptimality <= 1e-8
    assert bool(looks) == needs_gram
    cost = reference.elastic_net_cost(X, y, fit.coef, fit.intercept, 0.02, 0.02, weight)
    assert cost <= fastlogit_optimum(X, y, 0.02, 0.02, weight) * (1.0 + 1e-8)


def test_the_bits_are_the_same_for_any_number_of_threads() -> None:
    X, y, weight = wide()
    fits = [
        fastlogit.fit(X, y, sample_weight=weight, l1_reg=0.02, n_threads=count) for count in (1, 2)
    ]
    np.testing.assert_array_equal(fits[0].coef, fits[1].coef)
    assert fits[0].suboptimality == fits[1].suboptimality


def test_callbacks_and_limits_end_it() -> None:
    X, y, _ = wide()
    seen = []

    def stop(progress):
        seen.append(progress.cost)
        return len(seen) == 2

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ended = fastlogit.fit(X, y, l1_reg=0.001, callback=stop)
        limited = fastlogit.fit(X, y, l1_reg=0.001, time_limit=1e-9)
    assert len(seen) == 2
    assert seen[1] < seen[0]
    assert not ended.converged
    assert not limited.converged

    def interrupt(progress):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        fastlogit.fit(X, y, l1_reg=0.001, callback=interrupt)
    assert np.isfinite(caught.value.result.coef).all()


@pytest.mark.parametrize("end", [KeyboardInterrupt, TimeUp])
def test_what_was_reached_is_kept(monkeypatch, end) -> None:
    """A limit, or Ctrl-C, in the midst of a stage or of the exact steps: the last stage counts."""
    X, y, _ = wide()
    whole = fastlogit.fit(X, y, l1_reg=0.002)
    costs = []

    def ends(*given):
        raise end

    monkeypatch.setattr(PathFollower, "follow", ends)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = fastlogit.fit(X, y, l1_reg=0.002, callback=lambda seen: costs.append(seen.cost))
        except KeyboardInterrupt as interrupt:
            found = interrupt.result
    assert found.history[-1] == costs[-1] < 0.9 * found.history[0]
    assert np.count_nonzero(found.coef) > 0
    assert found.history[-1] <= whole.history[-1] * 1.01
    assert not found.converged


def test_what_does_not_fit_goes_the_general_way(monkeypatch) -> None:
    X, y, _ = wide()
    monkeypatch.setattr(growing, "MOST_WORKING", 5)
    fit = fastlogit.fit(X, y, l1_reg=0.02)
    assert fit.converged
    monkeypatch.setattr(growing, "MOST_WORKING", 4_000)
    monkeypatch.setattr(PathFollower, "follow", lambda *_: None)
    other = fastlogit.fit(X, y, l1_reg=0.02)
    assert other.converged
    costs = [
        reference.elastic_net_cost(X, y, each.coef, each.intercept, 0.02) for each in (fit, other)
    ]
    assert costs[0] == pytest.approx(costs[1], rel=2e-8)


def test_free_columns_and_shares_of_classes_are_left_to_the_general_way() -> None:
    X, y, _ = wide()
    l1 = np.full(N_FEATURES, 0.02)
    l1[7] = 0.0
    fit = fastlogit.fit(X, y, l1_reg=l1)
    assert fit.converged
    assert fit.coef[7] != 0.0
    one = objective_over(X, y, 0.02, 0.0, True, None, False)
    assert may_follow(one, Limits(1e-8, 100))
    one.rows.shares = np.where(y > 0, 0.8, 0.3)
    assert not may_follow(one, Limits(1e-8, 100))


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_wide_rows_and_short_columns_are_added_up_as_they_lie(rng, dtype, order) -> None:
    X = rng.standard_normal((301, 777)).astype(dtype, order=order)
    vectors = rng.standard_normal((2, 301))
    design = DenseDesign(X, columns=Columns(rng.random(777), 0.5 + rng.random(777)))
    found, wanted = design.transposed_product(vectors), Design.transposed_product(design, vectors)
    np.testing.assert_allclose(found[0], wanted[0], atol=1e-12)
    np.testing.assert_allclose(found[1], wanted[1], atol=1e-12)
    plain, weights = DenseDesign(X), rng.random(301)
    for own, total in ((weights, weights.sum()), (np.empty(0), 301.0)):
        share = np.full(301, 1.0 / total) if own.size == 0 else own / total
        np.testing.assert_allclose(
            plain.column_means(own, float(total)), share @ X.astype(float), atol=1e-13
        )
        spread = plain.column_variances(own, float(total))
        np.testing.assert_allclose(spread, share @ np.square(X.astype(float)), atol=1e-13)


def test_columns_alike_do_not_come_in_twice(rng) -> None:
    X, y, _ = wide()
    X = np.hstack([X[:, :400], X[:, :150], -X[:, 100:250]])
    best = fastlogit_optimum(X, y, 0.02, 0.0, None)
    fit = fastlogit.fit(X, y, l1_reg=0.02, tol=1e-8)
    assert fit.converged
    cost = reference.elastic_net_cost(X, y, fit.coef, fit.intercept, 0.02, 0.0, None)
    assert -1e-11 <= cost / best - 1.0 <= 1e-8
    used = np.flatnonzero(fit.coef)
    together = np.abs(np.corrcoef(X[:, used].T)) - np.eye(used.size)
    assert together.max() < 1.0 - 1e-9


@pytest.mark.usefixtures("few_at_a_time")
def test_of_more_columns_than_may_be_copied_the_foremost_come_in(monkeypatch) -> None:
    X, y, weight = wide()
    one = objective_over(X, y, 0.03, 0.0, True, weight, False)
    monkeypatch.setattr(growing, "LEAST", 4)
    monkeypatch.setattr(growing, "GROWTH", 50.0)
    monkeypatch.setattr(growing, "MOST_WORKING", 60)
    known = KnownSlopes(one, 1.0)
    stages = list(growing.growing(one, np.zeros(N_FEATURES + 1), known))
    assert len(stages) > 2
    assert all((stage.theta[:-1] != 0.0).sum() <= 60 for stage in stages)


def test_with_l2_columns_alike_share_and_come_in_together(rng) -> None:
    X, y, _ = wide()
    X = np.hstack([X[:, :400], X[:, :400]])
    fit = fastlogit.fit(X, y, l1_reg=0.02, l2_reg=0.05, tol=1e-8)
    assert fit.converged
    np.testing.assert_allclose(fit.coef[:400], fit.coef[400:], rtol=1e-4, atol=1e-8)
    apart = fastlogit.fit(X[:, :400], y, l1_reg=0.02, l2_reg=0.025, tol=1e-8)
    assert fit.history[-1] == pytest.approx(apart.history[-1], rel=1e-8)
    assert fit.n_passes <= apart.n_passes + 4.0
