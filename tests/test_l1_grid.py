"""Folds times strengths with L1 are their single fits, each with its proof."""

import warnings

import numpy as np
import pytest
import scipy.sparse
from problems import TWO_THREADS, problem, sized, three_classes
from sklearn.exceptions import ConvergenceWarning

import fastlogit
from fastlogit.fitting import l1_grid
from fastlogit.fitting.grid import GridOptions
from fastlogit.fitting.l1_grid import NEVER, FromNull, Stop, fit_l1_grid
from fastlogit.fitting.problem import given_of
from fastlogit.solvers import l1_path

# Rooms above the kernels, with fits that take minutes in plain Python.
pytestmark = pytest.mark.jit

CS = np.array([1.0, 0.05, 0.3])


def grid_of(X, y, Cs, *, fold_weights=None, stop=NEVER, **options):
    data = {name: options.pop(name, None) for name in ("sample_weight", "offset", "penalty_factor")}
    start = options.pop("start", None)
    given = given_of(
        X, y, data["sample_weight"], data["offset"], None, data["penalty_factor"], start
    )
    options = {"l1_ratio": 1.0, "tol": 1e-10, **options}
    return fit_l1_grid(
        given, Cs, options=GridOptions(**options), fold_weights=fold_weights, stop=stop
    )


def assert_single_fits(grid, X, y, folds, sample_weight=1.0, **options):
    """The same columns and, to what the proofs leave, the same coefficients."""
    for fold, index in np.ndindex(len(folds), len(grid.Cs)):
        single = fastlogit.fit(
            X, y, C=grid.Cs[index], l1_ratio=grid.l1_ratio, tol=1e-13,
            sample_weight=folds[fold] * sample_weight, **options,
        )  # fmt: skip
        found, wanted = grid.coef[fold, index], np.atleast_2d(single.coef.T)
        np.testing.assert_array_equal(found != 0.0, wanted != 0.0)
        np.testing.assert_allclose(found, wanted, atol=1e-4 * max(1.0, np.abs(wanted).max()))
        np.testing.assert_allclose(grid.intercept[fold, index], single.intercept, atol=1e-4)
    assert grid.converged.all()
    assert (grid.suboptimality <= 1e-10).all()


@pytest.mark.parametrize("ratio", [1.0, 0.4])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("n_features", [6, 150])
def test_two_classes(rng, fit_intercept, ratio, n_features) -> None:
    X, y, *_, weight = problem(120, n_features)
    folds = rng.integers(0, 3, (2, len(y)))
    options = {"sample_weight": weight, "penalty_factor": np.linspace(0.0, 2.0, n_features)}
    grid = grid_of(
        X, y, CS, fold_weights=folds, fit_intercept=fit_intercept, l1_ratio=ratio, **options
    )
    assert grid.coef.shape == (2, 3, 1, n_features)
    assert grid.intercept.shape == grid.n_iter.shape == (2, 3, 1)
    np.testing.assert_array_equal(grid.Cs, CS)
    intercept = "fit" if fit_intercept else None
    assert_single_fits(grid, X, y, folds, intercept=intercept, **options)
    assert grid.n_passes > 0.0


@pytest.mark.parametrize("sparse", [False, True])
def test_each_class_against_the_others(rng, sparse) -> None:
    X, y = three_classes(150, 70)
    X = np.where(rng.random(X.shape) < 0.7, 0.0, X)
    folds = rng.integers(0, 2, (2, len(y)))
    rows = scipy.sparse.csr_array(X) if sparse else X
    offset = rng.normal(size=len(y))
    grid = grid_of(rows, y, CS, fold_weights=folds, multi_class="ovr", offset=offset)
    assert grid.coef.shape == (2, 3, 3, 70)
    assert_single_fits(grid, X, y, folds, multi_class="ovr", offset=offset)


def test_bounds_are_not_below_the_truth(rng) -> None:
    """With a loose tolerance each fit stops early, and says by how much at the least."""
    X, y = problem(150, 60)[:2]
    grid = grid_of(X, y, np.geomspace(0.01, 10.0, 15), tol=1e-3)
    for index, C in enumerate(grid.Cs):
        best = fastlogit.fit(X, y, C=C, l1_ratio=1.0, tol=1e-14).history[-1]
        raw = X @ grid.coef[0, index, 0] + grid.intercept[0, index, 0]
        loss = np.logaddexp(0.0, np.where(y == 1, -raw, raw)).mean()
        cost = loss + np.abs(grid.coef[0, index, 0]).sum() / (C * len(y))
        assert (cost - best) / best <= grid.suboptimality[0, index]
    assert grid.converged.all()


def test_the_deviance_explained() -> None:
    X, y, *_, weight = problem(120, 8)
    folds = np.ones((2, len(y)))
    folds[0, :30] = 0.0
    grid = grid_of(X, y, CS, fold_weights=folds, sample_weight=weight)
    for fold, own in enumerate(folds * weight):
        share = np.average(y, weights=own)
        null = -own.sum() * (share * np.log(share) + (1.0 - share) * np.log(1.0 - share))
        raw = grid.coef[fold, :, 0] @ X.T + grid.intercept[fold]
        losses = np.logaddexp(0.0, np.where(y == 1, -raw, raw)) @ own
        np.testing.assert_allclose(grid.deviance_explained[fold], 1.0 - losses / null, atol=1e-12)


def test_a_grid_from_where_all_coefficients_are_0_on() -> None:
    X, y = problem(150, 40)[:2]
    grid = grid_of(X, y, FromNull(12, 50.0))
    slopes = X.T @ (y - y.mean())
    assert grid.C_null == pytest.approx(1.0 / np.abs(slopes).max(), rel=1e-12)
    np.testing.assert_allclose(grid.Cs, grid.C_null * np.geomspace(1.0, 50.0, 12))
    assert not grid.coef[0, 0].any()
    assert grid.n_iter[0, 0] == 0
    assert grid.coef[0, 1].any()
    assert_single_fits(grid, X, y, np.ones((1, len(y))))


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_where_a_grid_begins_beside_free_columns(rng, fit_intercept) -> None:
    """Just above it a coefficient moves, just below none does: of any class."""
    X, y, *_, weight = problem(200, 30)
    y = y + (X[:, 3] > 1.0)
    factor = np.r_[0.0, 0.0, rng.uniform(0.5, 2.0, 28)]
    options = {
        "offset": rng.normal(size=200), "sample_weight": weight, "penalty_factor": factor,
        "multi_class": "ovr",
    }  # fmt: skip
    grid = grid_of(X, y, FromNull(2, 2.0), l1_ratio=0.7, fit_intercept=fit_intercept, **options)
    assert not grid.coef[0, 0, :, 2:].any()
    assert grid.coef[0, 0, :, :2].all()
    intercept = "fit" if fit_intercept else None
    for times, any_moves in ((1.0 - 1e-6, False), (1.0 + 1e-6, True)):
        single = fastlogit.fit(
            X, y, C=grid.C_null * times, l1_ratio=0.7, tol=1e-15, intercept=intercept, **options
        )
        assert single.coef[2:].any() == any_moves


def test_there_is_no_beginning_where_no_column_is_penalised() -> None:
    X, y = problem(50, 3)[:2]
    with pytest.raises(ValueError, match="no column with a penalty"):
        grid_of(X, y, FromNull(3, 10.0), penalty_factor=np.zeros(3))


def test_weights_of_any_size_and_no_penalty() -> None:
    X, y, *_, weight = problem(120, 5)
    grid = grid_of(X, y, [1e-300, np.inf], sample_weight=weight * 1e300)
    assert_single_fits(grid, X, y, np.ones((1, len(y))), sample_weight=weight * 1e300)
    plain = fastlogit.fit(X, y, sample_weight=weight)
    np.testing.assert_allclose(grid.coef[0, 1, 0], plain.coef, rtol=1e-4)


def test_a_path_ends_early() -> None:
    X, y = problem(60, 200)[:2]
    whole = grid_of(X, y, FromNull(30, 1e3))
    explained = whole.deviance_explained[0]
    assert (np.diff(explained) > 0.0).all()
    n_before = int(np.searchsorted(explained, 0.8)) + 1
    grid = grid_of(X, y, whole.Cs, stop=Stop(explained=0.8))
    assert grid.Cs.size == grid.coef.shape[1] == grid.converged.shape[1] == n_before < 30
    np.testing.assert_array_equal(grid.coef, whole.coef[:, :n_before])
    assert f"ended after {n_before} of 30 C: 0.8" in grid.message
    gains = np.diff(explained) / explained[1:]
    grid = grid_of(X, y, whole.Cs, stop=Stop(gain=0.02))
    wanted = next(k for k in range(4, 30) if gains[k - 1] < 0.02) + 1
    assert grid.Cs.size == wanted < 30
    assert "of the deviance more" in grid.message


def test_the_order_of_the_strengths_does_not_matter() -> None:
    X, y = problem(100, 30)[:2]
    Cs = np.geomspace(0.02, 5.0, 6)
    grid, other = grid_of(X, y, Cs), grid_of(X, y, Cs[::-1])
    np.testing.assert_array_equal(grid.coef, other.coef[:, ::-1])
    assert grid_of(X, y, Cs[::-1], stop=Stop(explained=0.3)).Cs[-1] == Cs[0]


def test_a_start_is_where_it_begins() -> None:
    X, y = problem(100, 30)[:2]
    single = fastlogit.fit(X, y, C=0.3, l1_ratio=1.0, tol=1e-13)
    grid = grid_of(X, y, [0.3], start=single, tol=1e-8)
    assert grid.n_iter.max() == 0
    np.testing.assert_allclose(grid.coef[0, 0, 0], single.coef, rtol=1e-12)


def test_limits_warn_once() -> None:
    X, y = problem(150, 30)[:2]
    for limit in ({"max_iter": 1, "tol": 1e-15}, {"time_limit": 1e-9}, {"max_iter": 0}):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            grid = grid_of(X, y, CS, **limit)
        assert [warning.category for warning in caught] == [ConvergenceWarning]
        assert not grid.converged.all()
        assert np.isfinite(grid.coef).all()


def test_callbacks_hear_of_all_fits_and_end_them() -> None:
    X, y = problem(100, 30)[:2]
    told = []
    grid_of(X, y, CS, callback=told.append)
    assert {progress.n_fits for progress in told} == {3}
    assert max(progress.n_done for progress in told) >= 2
    with pytest.warns(ConvergenceWarning):
        grid = grid_of(X, y, CS, callback=lambda progress: progress.n_done >= 1)
    assert grid.converged.tolist() == [[False, True, False]]


def test_one_fold_after_the_other_where_copies_would_take_much(monkeypatch) -> None:
    X, y = three_classes(120, 60)
    # Folds of which each has its own size of a column: a proof must not take that of all rows.
    X[:40, 5] *= 50.0
    folds = (np.arange(120) // 3 % 3 != np.arange(3)[:, None]).astype(float)
    folds[0] *= np.where(np.arange(120) < 40, 1.0, 0.01)
    together = grid_of(X, y, CS, fold_weights=folds, multi_class="ovr")
    monkeypatch.setattr(l1_grid, "ROOM", 0.0)
    told = []
    alone = grid_of(X, y, CS, fold_weights=folds, multi_class="ovr", callback=told.append)
    np.testing.assert_array_equal(alone.coef, together.coef)
    np.testing.assert_array_equal(alone.suboptimality, together.suboptimality)
    np.testing.assert_array_equal(alone.deviance_explained, together.deviance_explained)
    done = [progress.n_done for progress in told]
    assert done == sorted(done)
    assert {progress.n_fits for progress in told} == {27}

    def stop(progress):
        if progress.n_done >= 12:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        grid_of(X, y, CS, fold_weights=folds, multi_class="ovr", callback=stop)
    assert caught.value.result.converged[0].all()
    assert not caught.value.result.converged[1].all()
    assert not caught.value.result.converged[2].any()


def test_limits_where_the_beginning_is_looked_for(monkeypatch) -> None:
    X, y = problem(100, 30)[:2]
    offset = np.linspace(-1.0, 1.0, 100)
    with pytest.warns(ConvergenceWarning):
        grid = grid_of(X, y, FromNull(5, 10.0), offset=offset, time_limit=1e-9)
    assert np.isfinite(grid.coef).all()

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(l1_path, "proximal_newton", interrupted)
    with pytest.raises(KeyboardInterrupt) as caught:
        grid_of(X, y, FromNull(5, 10.0), offset=offset)
    assert not caught.value.result.converged.any()


def test_ctrl_c_gives_what_is_there() -> None:
    X, y = problem(100, 30)[:2]

    def stop(progress):
        if progress.n_done >= 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        grid_of(X, y, CS, callback=stop)
    found = caught.value.result
    assert found.converged[0, 1]
    assert not found.converged.all()
    assert found.coef.shape == (1, 3, 1, 30)
    assert "interrupted" in found.message


def test_the_same_bits_at_any_number_of_threads(rng) -> None:
    X, y = problem(sized(20_000, 100), 100)[:2]
    folds = rng.integers(0, 2, (2, len(y)))
    one, two = (grid_of(X, y, CS, fold_weights=folds, n_threads=n) for n in (1, TWO_THREADS))
    np.testing.assert_array_equal(one.coef, two.coef)
    np.testing.assert_array_equal(one.suboptimality, two.suboptimality)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"solver": "lbfgs"}, "solver must be one of 'auto', 'proximal-newton'"),
        ({"Cs": [0.0]}, "Cs must be > 0"),
        ({"Cs": []}, "Cs must have shape"),
    ],
)
def test_what_is_refused(options, text) -> None:
    X, y = problem(50, 3)[:2]
    with pytest.raises(ValueError, match=text):
        grid_of(X, y, options.pop("Cs", [1.0]), **options)


@pytest.mark.parametrize("ratio", [1.0, 0.4])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_softmax(rng, ratio, fit_intercept) -> None:
    X = rng.standard_normal((150, 12))
    y = (X[:, :3] + rng.gumbel(size=(150, 3))).argmax(axis=1)
    folds = rng.integers(0, 3, (2, 150))
    options = {"sample_weight": rng.uniform(0.5, 2.0, 150), "multi_class": "multinomial"}
    Cs = [0.02, 0.2, 3.0]
    grid = grid_of(
        X, y, Cs, fold_weights=folds, fit_intercept=fit_intercept, l1_ratio=ratio, **options
    )
    assert grid.coef.shape == (2, 3, 3, 12)
    assert not grid.coef.all()
    with pytest.raises(ValueError, match="Cs has infinity, no penalty"):
        grid_of(X, y, [1.0, np.inf], l1_ratio=ratio, **options)
    intercept = "fit" if fit_intercept else None
    assert_single_fits(grid, X, y, folds, intercept=intercept, **options)


def test_a_softmax_begins_where_all_coefficients_are_0(rng) -> None:
    X = rng.standard_normal((150, 12))
    y = (X[:, :3] + rng.gumbel(size=(150, 3))).argmax(axis=1)
    grid = grid_of(X, y, FromNull(4, 20.0), multi_class="multinomial")
    slopes = X.T @ (np.equal.outer(y, np.arange(3)) - np.bincount(y) / 150.0)
    assert grid.C_null == pytest.approx(1.0 / np.abs(slopes).max(), rel=1e-10)
    assert not grid.coef[0, 0].any()
    assert grid.coef[0, 1].any()
    options = {"l1_ratio": 1.0, "multi_class": "multinomial", "tol": 1e-14}
    assert fastlogit.fit(X, y, C=grid.C_null * (1.0 + 1e-6), **options).coef.any()
