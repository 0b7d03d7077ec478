"""Small grids: chains of compiled fits are single fits, whatever else is asked of them."""

import warnings

import numpy as np
import pytest
from problems import TWO_THREADS, grid_of, three_classes
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.exceptions import ConvergenceWarning

import fastlogit
from fastlogit import LogisticRegressionCV, reference
from fastlogit.fitting import grid as grid_module
from fastlogit.fitting import small_grid
from fastlogit.fitting.grid_result import GridResult
from fastlogit.fitting.small_grid import SmallGrid

pytestmark = pytest.mark.jit

CS = np.array([8.0, 0.05, 300.0, 0.4])


def splits(n_samples: int, n_folds: int) -> np.ndarray:
    order = np.random.default_rng(0).permutation(n_samples) % n_folds
    return (order != np.arange(n_folds)[:, None]).astype(float)


def two_classes(n_samples: int = 150) -> tuple[np.ndarray, np.ndarray]:
    X, y = load_breast_cancer(return_X_y=True)
    return X[:n_samples, :6], y[:n_samples]


def few_digits() -> tuple[np.ndarray, np.ndarray]:
    """More parameters than whole Hessians are made of."""
    X, y = load_digits(return_X_y=True)
    return X[:300, 10:40] / 16.0, y[:300]


@pytest.fixture
def runs(monkeypatch) -> list[SmallGrid]:
    """The small grids that were run."""
    found, run = [], SmallGrid.run

    def run_and_keep(self, n_threads):
        run(self, n_threads)
        found.append(self)

    monkeypatch.setattr(SmallGrid, "run", run_and_keep)
    return found


def assert_single_fits(grid, X, y, folds, weight=None, **options) -> None:
    """Costs of a grid are those of single fits, and predictions nearly."""
    weight = np.ones(len(y)) if weight is None else weight
    for fold, index in np.ndindex(len(folds), len(grid.Cs)):
        single = fastlogit.fit(
            X, y, C=grid.Cs[index], sample_weight=folds[fold] * weight, tol=1e-12, **options
        )
        coef, intercept = np.atleast_2d(single.coef.T), np.atleast_1d(single.intercept)
        scale = np.abs(coef).max()
        np.testing.assert_allclose(grid.coef[fold, index], coef, rtol=1e-5, atol=1e-5 * scale)
        np.testing.assert_allclose(
            grid.intercept[fold, index], intercept, rtol=1e-5, atol=1e-5 * np.abs(intercept).max()
        )
    assert grid.converged.all()
    assert (grid.suboptimality <= 1e-12).all()


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_two_classes_with_all_that_may_be_asked(fit_intercept, rng, runs) -> None:
    X, y = two_classes()
    weight, factor = rng.uniform(0.5, 2.0, len(y)), np.array([1.0, 0.5, 3.0, 1.0, 1.0, 0.0])
    grid = grid_of(
        X, y, CS, fold_weights=splits(len(y), 3), sample_weight=weight, penalty_factor=factor,
        fit_intercept=fit_intercept, tol=1e-12,
    )  # fmt: skip
    assert len(runs) == 1
    assert not runs[0].is_odd
    intercept = "fit" if fit_intercept else None
    assert_single_fits(
        grid, X, y, splits(len(y), 3), weight, penalty_factor=factor, intercept=intercept
    )
    assert grid.coef.shape == (3, 4, 1, 6)
    assert grid.n_iter.shape == (3, 4, 1)
    assert grid.n_passes > 0.0


@pytest.mark.parametrize("multi_class", ["multinomial", "ovr"])
def test_three_classes(multi_class, runs) -> None:
    X, y = three_classes(200, 3)
    grid = grid_of(
        X, y, CS, fold_weights=splits(len(y), 3), multi_class=multi_class, tol=1e-12
    )  # fmt: skip
    assert not runs[0].is_odd
    assert_single_fits(grid, X, y, splits(len(y), 3), multi_class=multi_class)
    assert grid.coef.shape == (3, 4, 3, 3)


def test_softmax_of_many_parameters(runs) -> None:
    X, y = few_digits()
    grid = grid_of(X, y, CS, fold_weights=splits(len(y), 3), tol=1e-10)
    assert not runs[0].is_odd
    assert grid.converged.all()
    for fold, index in np.ndindex(3, 4):
        own = splits(len(y), 3)[fold]
        l2_reg = 1.0 / (CS[index] * own.sum())
        cost = reference.multinomial_cost(
            X, y, grid.coef[fold, index].T, grid.intercept[fold, index], l2_reg, own
        )
        best = fastlogit.fit(X, y, C=CS[index], sample_weight=own, tol=1e-13)
        least = reference.multinomial_cost(X, y, best.coef, best.intercept, l2_reg, own)
        assert cost <= least * (1.0 + 1.1e-10)


def test_fits_begin_ahead_of_the_last(runs) -> None:
    """A fit that begins where the last two point to takes fewer sums over the rows."""
    X, y = few_digits()
    Cs = np.logspace(-2, 3, 6)
    grid_of(X, y, Cs, fold_weights=splits(len(y), 2), tol=1e-8)
    alone = sum(
        fastlogit.fit(X, y, C=C, sample_weight=own, tol=1e-8).n_passes
        for C in Cs
        for own in splits(len(y), 2)
    )
    assert runs[0].n_sums < 0.7 * alone


@pytest.mark.skipif(not TWO_THREADS, reason="one thread")
@pytest.mark.parametrize("make", [two_classes, few_digits])
def test_the_same_bits_by_any_number_of_threads(make) -> None:
    X, y = make()
    one, two = (
        grid_of(X, y, CS, fold_weights=splits(len(y), 3), n_threads=n, tol=1e-8) for n in (1, 2)
    )
    for name in ("coef", "intercept", "n_iter", "suboptimality", "n_passes"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))


def test_larger_data_and_those_without_a_proof_go_the_general_way(runs, monkeypatch) -> None:
    X, y = two_classes()
    whole = X[:, 0] > np.median(X[:, 0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        grid_of(X, whole, [1.0, np.inf], fold_weights=splits(len(y), 2), tol=1e-8)
    assert runs[0].is_odd  # separable, without a penalty
    monkeypatch.setattr(small_grid, "MOST_NUMBERS", 100)
    assert grid_of(X, y, [1.0], fold_weights=splits(len(y), 2), tol=1e-8).converged.all()
    assert len(runs) == 1


def test_a_callback_hears_of_fits_and_ends_them() -> None:
    X, y = two_classes()
    seen = []

    def end_at_third(progress) -> bool:
        seen.append(progress)
        assert np.isfinite(progress.cost)
        assert progress.coef.shape == (6,)
        return len(seen) == 3

    with pytest.warns(ConvergenceWarning, match="the callback ended the fits"):
        ended = grid_of(
            X, y, CS, fold_weights=splits(len(y), 2), callback=end_at_third, n_threads=1, tol=1e-8
        )  # fmt: skip
    assert [progress.n_done for progress in seen] == [1, 2, 3]
    assert {progress.n_fits for progress in seen} == {8}
    assert ended.converged.sum() == 3
    assert ended.converged[:, 1].all()  # the strongest penalty
    # Weaker penalties have the coefficients of a stronger one.
    np.testing.assert_array_equal(ended.coef[1, 0], ended.coef[1, 1])
    assert np.isfinite(ended.suboptimality).sum() == 3


def test_a_time_limit_leaves_what_was_found(monkeypatch) -> None:
    X, y = two_classes()
    go_on = SmallGrid._go_on

    def slowly(self, chain, room):
        go_on(self, chain, room)
        self._problem.objective.design.counter.clock.limit = 1e-9

    monkeypatch.setattr(SmallGrid, "_go_on", slowly)
    with pytest.warns(ConvergenceWarning, match="time_limit=50 s ended the fits"):
        grid = grid_of(
            X, y, CS, fold_weights=splits(len(y), 2), time_limit=50.0, n_threads=1, tol=1e-8
        )  # fmt: skip
    assert grid.converged.sum() == 1
    assert np.isfinite(grid.coef).all()


def test_ctrl_c_carries_what_was_found(monkeypatch) -> None:
    X, y = two_classes()
    go_on, done = SmallGrid._go_on, []

    def interrupted(self, chain, room):
        if len(done) == 3:
            raise KeyboardInterrupt
        go_on(self, chain, room)
        done.append(chain)

    monkeypatch.setattr(SmallGrid, "_go_on", interrupted)
    model = LogisticRegressionCV(
        Cs=3, cv=3, l1_ratios=(0,), use_legacy_attributes=False, scoring="accuracy", n_jobs=1
    )
    with pytest.raises(KeyboardInterrupt, match="interrupted: 3 of 9 fits") as caught:
        model.fit(X, y)
    found = caught.value.result
    assert isinstance(found, GridResult)
    assert found.converged.sum() == 3
    assert np.isfinite(found.coef).all()


def test_scores_are_those_of_the_general_way(monkeypatch) -> None:
    X, y = few_digits()
    found = []
    for suits in (grid_module.suits_grid, lambda *_: False):
        monkeypatch.setattr(grid_module, "suits_grid", suits)
        model = LogisticRegressionCV(
            Cs=5, cv=3, l1_ratios=(0,), use_legacy_attributes=False, scoring="neg_log_loss",
            tol=1e-6,
        )  # fmt: skip
        found.append(model.fit(X, y))
    np.testing.assert_allclose(found[0].scores_, found[1].scores_, rtol=1e-4)
    assert found[0].C_ == found[1].C_
