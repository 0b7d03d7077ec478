"""A grid of folds and penalties is its single fits."""

import warnings

import numpy as np
import pytest
from problems import EACH_SOLVER, TWO_THREADS, grid_of, problem, real, sized, three_classes
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning

import fastlogit
from fastlogit import SeparationWarning, reference
from fastlogit.design.dense import DenseDesign
from fastlogit.fitting import grid as grid_module
from fastlogit.solvers import choice, preconditioner, warm_starts
from fastlogit.solvers.preconditioner import SampledHessians

# Rooms above the kernels, with fits that take minutes in plain Python.
pytestmark = [pytest.mark.jit, pytest.mark.usefixtures("the_general_way")]

CS = np.array([8.0, 0.05, np.inf])


def assert_single_fits(grid, X, y, folds, rtol=1e-5, sample_weight=1.0, **options):
    for fold, index in np.ndindex(len(folds), len(grid.Cs)):
        single = fastlogit.fit(
            X, y, C=grid.Cs[index], sample_weight=folds[fold] * sample_weight, **options
        )
        coef = np.atleast_2d(single.coef.T)
        atol = rtol * max(np.abs(coef).max(), 1.0)
        np.testing.assert_allclose(grid.coef[fold, index], coef, rtol=rtol, atol=atol)
        np.testing.assert_allclose(grid.intercept[fold, index], single.intercept, atol=atol)
        assert grid.suboptimality[fold, index] <= 1e-12
    assert grid.converged.all()


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_two_classes(rng, fit_intercept) -> None:
    X, y, *_, weight = problem(sized(200, 60), 3)
    folds = rng.integers(0, 3, (2, len(y)))
    grid = grid_of(X, y, CS, fold_weights=folds, sample_weight=weight, fit_intercept=fit_intercept)
    assert grid.coef.shape == (2, 3, 1, 3)
    assert grid.intercept.shape == grid.n_iter.shape == (2, 3, 1)
    assert grid.n_iter.dtype.kind == "i"
    assert grid.converged.shape == grid.suboptimality.shape == (2, 3)
    np.testing.assert_array_equal(grid.Cs, CS)
    intercept = "fit" if fit_intercept else None
    assert_single_fits(grid, X, y, folds, sample_weight=weight, intercept=intercept)
    assert fit_intercept or not grid.intercept.any()
    assert grid.n_passes > 0.0
    assert grid.seconds > 0.0


@pytest.mark.parametrize("multi_class", ["multinomial", "ovr"])
def test_three_classes(rng, multi_class) -> None:
    X, codes = three_classes(sized(200, 60), 2)
    y = np.array(["a", "b", "c"])[codes]
    folds = rng.integers(0, 2, (2, len(y))).astype(np.uint8)
    options = {"multi_class": multi_class, "penalty_factor": np.array([1.0, 7.0])}
    grid = grid_of(X, y, CS[:2], fold_weights=folds, **options)
    assert grid.coef.shape == (2, 2, 3, 2)
    assert grid.classes.tolist() == ["a", "b", "c"]
    assert_single_fits(grid, X, y, folds, **options)


def test_one_fold_of_all_rows() -> None:
    X, y = problem(sized(200, 60), 3)[:2]
    offset = X[:, 1] - 0.5
    grid = grid_of(X, y, CS[:2], offset=offset)
    assert_single_fits(grid, X, y, np.ones((1, len(y))), offset=offset)


def test_limits_warn_once() -> None:
    X, y = problem(sized(200, 60), 3)[:2]
    for limit in ({"max_iter": 1, "tol": 1e-15}, {"time_limit": 1e-9}):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            grid = grid_of(X, y, CS[:2], **limit)
        assert [warning.category for warning in caught] == [ConvergenceWarning]
        assert not grid.converged.any()
        assert np.isfinite(grid.coef).all()


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"Cs": []}, "Cs must have shape"),
        ({"Cs": [0.0]}, "Cs must be > 0, found 0.0"),
        ({"fold_weights": np.ones((2, 3))}, "fold_weights has shape"),
        ({"fold_weights": np.ones(60)}, "fold_weights has shape"),
    ],
)
def test_bad_input(options, text) -> None:
    X, y = problem(60, 3)[:2]
    with pytest.raises(ValueError, match=text):
        grid_of(X, y, **{"Cs": [1.0], **options})


# ------------------------------------------------------------------------------------------------
# Against the oracle


def splits(n_samples, n_folds, seed=0):
    """Weights of k-fold cross-validation: each row left out once."""
    order = np.random.default_rng(seed).permutation(n_samples) % n_folds
    return (order != np.arange(n_folds)[:, None]).astype(float)


def assert_optima(grid, X, codes, folds, weights, fit_intercept=True, rtol=1e-5, factor=1.0):
    """Compare each model with the oracle's; `weights` (n_samples,) or (n_samples, n_classes)."""
    is_softmax = grid.coef.shape[2] > 2 and weights.ndim == 1
    for fold, index in np.ndindex(len(folds), len(grid.Cs)):
        found, level = grid.coef[fold, index], grid.intercept[fold, index]
        if is_softmax:
            own = folds[fold] * weights
            strength = factor / (grid.Cs[index] * own.sum())
            coef, intercept, _ = reference.multinomial_newton(
                X, codes, len(found), strength, own, fit_intercept=fit_intercept
            )
            coef = coef.T
            np.testing.assert_allclose(found.sum(axis=0), 0.0, atol=1e-9 * (1.0 + abs(coef).max()))
        else:
            parts = []
            for k in range(len(found)):
                own = folds[fold] * (weights if weights.ndim == 1 else weights[:, k])
                strength = factor / (grid.Cs[index] * own.sum())
                y = codes == (1 if len(found) == 1 else k)
                parts.append(
                    reference.newton(X, y, strength, own, None, None if fit_intercept else 0.0)
                )
            coef, intercept = np.array([p[0] for p in parts]), np.array([p[1] for p in parts])
        size = max(np.abs(coef).max(), 1e-3)
        np.testing.assert_allclose(found, coef, rtol=rtol, atol=rtol * size)
        np.testing.assert_allclose(level, intercept, rtol=rtol, atol=3.0 * rtol * max(size, 1.0))
    assert grid.converged.all()
    assert (grid.suboptimality <= 1e-12).all()
    assert grid.message == f"{grid.converged.size} of {grid.converged.size} fits converged"


@pytest.mark.parametrize("solver", EACH_SOLVER)
@pytest.mark.parametrize("kind", ["two", "multinomial", "ovr"])
def test_every_solver(kind, solver) -> None:
    options = {} if kind == "two" else {"multi_class": kind}
    if kind == "two":
        X, codes = problem(sized(150, 60), 3)[:2]
    else:
        X, codes = three_classes(sized(150, 60), 3)
    if solver == "gradient_descent":
        options["max_iter"] = 20_000
    folds, weights = splits(len(X), 3), problem(len(X), 3).weight
    grid = grid_of(
        X, codes, [0.3, 3.0], fold_weights=folds, sample_weight=weights, solver=solver, **options
    )
    each = weights if kind != "ovr" else np.column_stack([weights] * 3)
    assert_optima(grid, X, codes, folds, each)


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("kind", ["two", "multinomial", "in turn", "ovr"])
def test_penalties_from_nothing_to_all(kind, fit_intercept, monkeypatch) -> None:
    """The order of Cs is the user's, and one of them may stand there twice."""
    if kind == "in turn":
        monkeypatch.setattr(grid_module, "IN_TURN", 0.0)
    X, codes = three_classes(sized(150, 60), 3)
    X = X * [1.0, 30.0, 0.1] + [0.0, 5.0, -1.0]
    codes = (codes > 0).astype(int) if kind == "two" else codes
    multi_class = "ovr" if kind == "ovr" else "multinomial"
    Cs = [1.0, 1e-6, 1e6, 1e-3, 1e3, 1.0]
    folds = splits(len(X), 2)
    grid = grid_of(
        X, codes, Cs, fold_weights=folds, multi_class=multi_class, fit_intercept=fit_intercept
    )
    weights = np.ones(len(X)) if kind != "ovr" else np.ones((len(X), 3))
    assert_optima(grid, X, codes, folds, weights, fit_intercept, 3e-5)
    np.testing.assert_array_equal(grid.Cs, Cs)
    np.testing.assert_allclose(grid.coef[:, 0], grid.coef[:, 5], rtol=1e-4, atol=1e-6)
    assert fit_intercept or not grid.intercept.any()


@pytest.mark.parametrize("multi_class", ["multinomial", "ovr"])
def test_folds_that_overlap_and_weigh_rows_differently(multi_class) -> None:
    X, codes = three_classes(sized(150, 60), 3)
    rng = np.random.default_rng(0)
    folds = rng.uniform(0.5, 2.0, (4, len(X))) * (rng.random((4, len(X))) < 0.7)
    folds[2] = folds[1]
    folds[3] *= 1e-3
    grid = grid_of(X, codes, [0.5, 50.0], fold_weights=folds, multi_class=multi_class)
    weights = np.ones(len(X)) if multi_class == "multinomial" else np.ones((len(X), 3))
    assert_optima(grid, X, codes, folds, weights)
    np.testing.assert_allclose(grid.coef[1], grid.coef[2], rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("room", ["for none", "for some", "for all"])
def test_models_have_hessians_of_their_own_where_memory_allows(room, monkeypatch) -> None:
    X, y = load_digits(return_X_y=True)
    X, y = X[y < 3][:, 10:40], y[y < 3]  # 31 parameters a class
    made = []

    class Counted(SampledHessians):
        def __init__(self, rows, curvature, models=None):
            super().__init__(rows, curvature, models)
            made.append(self._models.size)

    numbers = {"for none": 0, "for some": 3 * 31**2 * 5, "for all": 10**6}[room]
    monkeypatch.setattr(preconditioner, "MANY_NUMBERS", numbers)
    monkeypatch.setattr(preconditioner, "SHARE", 0.0)
    for module in (choice, warm_starts):
        monkeypatch.setattr(module, "SampledHessians", Counted)
    folds = splits(len(X), 5)
    grid = grid_of(X, y, [0.1, 1e4], fold_weights=folds)
    assert_single_fits(grid, X, y, folds, multi_class="multinomial")
    # The models of both penalties together, and folds that still move when Hessians are made anew.
    expected = {
        "for none": set(made) == {1},  # one model after the other
        "for some": made[0] == 2 and max(made) == 5,
        "for all": max(made) > 5,
    }
    assert expected[room], made


def test_each_class_s_own_weights() -> None:
    X, codes = three_classes(sized(150, 60), 3)
    weights = np.random.default_rng(1).uniform(0.1, 2.0, (len(X), 3))
    folds = splits(len(X), 3)
    grid = grid_of(
        X, codes, [0.3, 3.0], fold_weights=folds, sample_weight=weights, multi_class="ovr"
    )
    assert_optima(grid, X, codes, folds, weights)


@pytest.mark.parametrize("kind", ["two", "multinomial", "ovr"])
def test_one_fold_and_one_penalty(kind) -> None:
    X, codes = three_classes(sized(150, 60), 3)
    codes = (codes > 0).astype(int) if kind == "two" else codes
    multi_class = "multinomial" if kind == "two" else kind
    grid = grid_of(X, codes, [2.0], multi_class=multi_class)
    single = fastlogit.fit(X, codes, C=2.0, multi_class=multi_class)
    assert grid.coef.shape == (1, 1, 1 if kind == "two" else 3, 3)
    np.testing.assert_allclose(grid.coef[0, 0], np.atleast_2d(single.coef.T), rtol=1e-5, atol=1e-6)
    assert (grid.n_iter >= 1).all()


def test_two_classes_are_one_model_in_both_modes() -> None:
    X, y = problem(sized(150, 60), 3)[:2]
    both = [
        grid_of(X, y, [0.1, 1.0], fold_weights=splits(len(X), 2), multi_class=multi_class)
        for multi_class in ("multinomial", "ovr")
    ]
    np.testing.assert_array_equal(both[0].coef, both[1].coef)
    np.testing.assert_array_equal(both[0].intercept, both[1].intercept)


@pytest.mark.parametrize("multi_class", ["multinomial", "ovr"])
def test_offsets_and_factors_of_the_penalty(multi_class) -> None:
    X, codes = three_classes(sized(150, 60), 3)
    offset = np.random.default_rng(0).standard_normal((len(X), 3))
    factor = np.array([0.0, 1.0, 4.0])
    folds = splits(len(X), 2)
    options = {"offset": offset, "penalty_factor": factor, "multi_class": multi_class}
    grid = grid_of(X, codes, [0.1, 10.0], fold_weights=folds, **options)
    assert_single_fits(grid, X, codes, folds, **options)


@pytest.mark.jit
@pytest.mark.parametrize("multi_class", ["multinomial", "ovr"])
def test_flowers_and_digits(multi_class) -> None:
    for name, n_rows in (("wine", None), ("digits", 600)):
        X, y = real(name)
        X, y = X[:n_rows], y[:n_rows]
        folds = splits(len(X), 3)
        grid = grid_of(X, y, [1e-3, 1.0], fold_weights=folds, multi_class=multi_class)
        assert_single_fits(grid, X, y, folds, 1e-4, multi_class=multi_class)


@pytest.mark.jit
def test_rows_enough_for_a_subsample() -> None:
    X, y = problem(30_000, 8)[:2]
    folds = splits(len(X), 3)
    grid = grid_of(X, y, [1e-4, 1.0], fold_weights=folds)
    assert_optima(grid, X, y, folds, np.ones(len(X)), rtol=1e-4)


@pytest.mark.parametrize("multi_class", ["multinomial", "ovr"])
def test_threads_do_not_change_bits(multi_class) -> None:
    X, codes = three_classes(sized(6_000, 60), 5)
    folds = splits(len(X), 3)
    found = set()
    for n_threads in (1, TWO_THREADS, None):
        grid = grid_of(
            X, codes, [0.1, 1.0], fold_weights=folds, multi_class=multi_class, n_threads=n_threads
        )
        found.add(grid.coef.tobytes() + grid.intercept.tobytes() + grid.suboptimality.tobytes())
    assert len(found) == 1


@pytest.mark.parametrize("multi_class", ["multinomial", "ovr"])
def test_a_start_near_the_optima_takes_fewer_passes(multi_class) -> None:
    X, codes = three_classes(sized(3_000, 90), 4)
    Cs, folds = [0.9, 1.0, 1.1], splits(len(X), 3)
    cold = grid_of(X, codes, Cs, fold_weights=folds, multi_class=multi_class)
    start = fastlogit.fit(X, codes, C=1.0, multi_class=multi_class)
    for given in (start, (start.coef, start.intercept)):
        warm = grid_of(X, codes, Cs, fold_weights=folds, multi_class=multi_class, start=given)
        np.testing.assert_allclose(warm.coef, cold.coef, rtol=1e-4, atol=1e-6)
        assert warm.n_passes < cold.n_passes


def test_folds_begin_at_a_given_start() -> None:
    X, codes = three_classes(sized(3_000, 90), 4)
    folds = splits(len(X), 3)
    cold = grid_of(X, codes, [1.0], fold_weights=folds)
    start = cold.coef[1, 0].T, cold.intercept[1, 0]
    warm = grid_of(X, codes, [1.0], fold_weights=folds, start=start)
    assert warm.converged.all()
    assert (warm.n_iter[1] <= 1).all()
    np.testing.assert_allclose(warm.coef, cold.coef, rtol=1e-4, atol=1e-6)


def test_a_callback_sees_every_iteration_and_may_end_it() -> None:
    X, y = problem(sized(200, 60), 3)[:2]
    seen = []
    grid_of(X, y, [1.0], fold_weights=splits(len(X), 2), callback=seen.append)
    assert seen
    assert all(isinstance(progress, fastlogit.Progress) for progress in seen)
    assert all(np.isfinite(progress.cost) for progress in seen)
    with pytest.warns(ConvergenceWarning):
        ended = grid_of(X, y, [1.0], tol=0.0, callback=lambda _: True)
    assert not ended.converged.any()
    assert np.isfinite(ended.coef).all()


def test_penalties_in_turn_take_fewer_iterations_than_all_at_once(monkeypatch) -> None:
    """Where classes are told apart: each penalty begins where the last two point to."""
    X, y = load_digits(return_X_y=True)
    X, y = X[y < 3][:, 10:40] / 16.0, y[y < 3]
    Cs, folds, found = np.logspace(1, 6, 6), splits(len(X), 3), []
    for work in (np.inf, 0.0):
        monkeypatch.setattr(grid_module, "IN_TURN", work)
        grid = grid_of(X, y, Cs[::-1], fold_weights=folds, tol=1e-8)
        assert grid.converged.all()
        found.append(grid)
    together, in_turn = found
    # The first one begins from nothing, as all do else.
    assert 2 * in_turn.n_iter[:, :-1].max() < together.n_iter[:, :-1].max()
    costs = [
        reference.multinomial_cost(
            X, y, each.coef[1, 2].T, each.intercept[1, 2], 1.0 / (Cs[3] * folds[1].sum()), folds[1]
        )
        for each in found
    ]
    assert costs[0] == pytest.approx(costs[1], rel=2e-8)


def test_the_end_by_a_callback_is_said_as_such() -> None:
    rng = np.random.default_rng(4)
    X = rng.normal(size=(300, 4))
    y = (X[:, 0] + rng.logistic(size=300) > 0.0).astype(int)
    with pytest.warns(ConvergenceWarning, match="the callback ended the fits: 0 of 2") as said:
        grid_of(X, y, [1.0, 10.0], callback=lambda _: True)
    assert "raise" not in str(said[0].message)


def test_a_callback_ends_penalties_that_are_solved_in_turn(monkeypatch) -> None:
    monkeypatch.setattr(grid_module, "IN_TURN", 0.0)
    X, codes = three_classes(sized(150, 60), 3)
    folds, seen = splits(len(X), 2), []

    def end_at_third(progress) -> bool:
        seen.append(progress)
        return len(seen) == 3

    with pytest.warns(ConvergenceWarning):
        ended = grid_of(X, codes, [1.0, 0.1, 10.0], fold_weights=folds, callback=end_at_third)
    assert len(seen) == 3
    assert {progress.n_fits for progress in seen} == {6}
    assert np.isfinite(ended.coef).all()
    assert not ended.converged[:, 2].any()


@pytest.mark.parametrize("solver", EACH_SOLVER)
@pytest.mark.parametrize("multi_class", ["multinomial", "ovr"])
def test_limits_of_every_solver_warn_once(solver, multi_class) -> None:
    X, codes = three_classes(sized(200, 60), 3)
    for limit in ({"max_iter": 1}, {"time_limit": 1e-9}):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            grid = grid_of(
                X, codes, [0.5, 5.0], fold_weights=splits(len(X), 2), solver=solver,
                multi_class=multi_class, tol=1e-16, **limit,
            )  # fmt: skip
        assert [warning.category for warning in caught] == [ConvergenceWarning]
        assert caught[0].filename == grid_of.__code__.co_filename  # which calls `fit_grid`
        # Gradient descent looks at the clock after its first steps, which may be enough.
        assert not grid.converged.all()
        assert np.isfinite(grid.coef).all()
        assert "raise max_iter, time_limit or tol" in grid.message
        # What is said to be proven is true.
        is_softmax = multi_class == "multinomial"
        for fold, index in np.ndindex(2, 2):
            own = splits(len(X), 2)[fold]
            strength = 1.0 / (grid.Cs[index] * own.sum())
            coef, level = grid.coef[fold, index], grid.intercept[fold, index]
            if is_softmax:
                cost = reference.multinomial_cost(X, codes, coef.T, level, strength, own)
                lowest = reference.multinomial_newton(X, codes, 3, strength, own)[2]
                lacks = (cost - lowest) / lowest
            else:
                lacks = 0.0
                for k in range(3):
                    cost = reference.cost(X, codes == k, coef[k], level[k], strength, own)
                    lowest = reference.newton(X, codes == k, strength, own)[2]
                    lacks = max(lacks, (cost - lowest) / lowest)
            assert grid.suboptimality[fold, index] >= lacks - 1e-13


@pytest.mark.parametrize("multi_class", ["multinomial", "ovr"])
def test_separable_classes_without_a_penalty_do_not_converge(multi_class) -> None:
    X, y = real("iris")
    with pytest.warns((ConvergenceWarning, SeparationWarning)):
        grid = grid_of(X, y, [1.0, np.inf], multi_class=multi_class)
    np.testing.assert_array_equal(grid.converged, [[True, False]])
    assert np.isfinite(grid.coef).all()


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"Cs": [1.0, -1.0]}, ValueError, "Cs must be > 0, found -1.0"),
        ({"Cs": [np.nan]}, ValueError, "Cs must be > 0, found nan"),
        ({"Cs": 1.0}, ValueError, "Cs must have shape"),
        ({"Cs": [1e-320]}, ValueError, "so small that the penalty overflows"),
        ({"fold_weights": np.full((1, 60), -1.0)}, ValueError, "fold_weights must be finite and"),
        ({"fold_weights": np.full((1, 60), np.nan)}, ValueError, "fold_weights must be finite"),
        ({"fold_weights": np.ones((0, 60))}, ValueError, "fold_weights has shape"),
        ({"fold_weights": np.zeros((1, 60))}, ValueError, "class 0 has no rows .* of fold 0"),
        ({"solver": "newtn"}, ValueError, "did you mean 'newton'"),
        ({"multi_class": "multi"}, ValueError, "multi_class must be one of"),
        ({"tol": -1.0}, ValueError, "tol must be"),
        ({"max_iter": -1}, ValueError, "max_iter must be at least 0"),
        ({"time_limit": 0}, ValueError, "time_limit must be"),
        ({"callback": 3}, TypeError, "callback must be callable"),
        ({"penalty_factor": [1.0, -1.0, 0.0]}, ValueError, "penalty_factor is negative"),
        ({"sample_weight": np.ones(3)}, ValueError, "sample_weight has 3 values"),
        ({"X": np.full((60, 3), np.nan)}, ValueError, "NaN in column 0"),
    ],
)
def test_more_bad_input(options, error, text) -> None:
    X, y = problem(60, 3)[:2]
    with pytest.raises(error, match=text):
        grid_of(**{"X": X, "y": y, "Cs": [1.0], **options})


def test_a_fold_that_lacks_a_class_is_named() -> None:
    X, codes = three_classes(60, 3)
    labels = np.array(["x", "y", "z"])[codes]
    folds = np.ones((2, 60))
    folds[1, codes == 2] = 0.0
    with pytest.raises(ValueError, match="class z has no rows in the training part of fold 1"):
        grid_of(X, labels, [1.0], fold_weights=folds)


def test_folds_of_wide_softmax_at_large_c_take_no_more_work_than_alone(monkeypatch) -> None:
    # Classes that are told apart: the rows in doubt differ from fold to fold.
    rng = np.random.default_rng(3)
    n_samples, n_features = 450, 160
    centers = rng.normal(size=(4, n_features)) * 0.35
    y = rng.integers(0, 4, n_samples)
    X = centers[y] + rng.normal(size=(n_samples, n_features))
    X *= (1.0 + np.arange(n_features)) ** -0.7
    work = [0.0]
    plain = DenseDesign._descend

    def counted(self, targets, penalty, step, accelerate, tol, state, *rest):
        work[0] += len(state.coef) * self.shape[0]
        return plain(self, targets, penalty, step, accelerate, tol, state, *rest)

    monkeypatch.setattr(DenseDesign, "_descend", counted)
    folds, C = splits(n_samples, 3), 1e5
    grid = grid_of(X, y, [C], fold_weights=folds, tol=1e-4)
    together, work[0] = work[0], 0.0
    assert grid.converged.all()
    for fold in folds:
        fastlogit.fit(X[fold > 0], y[fold > 0], C=C, multi_class="multinomial", tol=1e-4)
    assert together < 1.1 * work[0]  # 5.4 times as much with Hessians that folds share


def test_wide_folds_are_fitted_one_after_the_other() -> None:
    # More columns than a Hessian is made for: nothing is shared, and no memory taken for it.
    rng = np.random.default_rng(4)
    n_samples, n_features = 90, 1_100
    X = rng.normal(size=(n_samples, n_features))
    y = X[:, :20].sum(axis=1) + rng.logistic(size=n_samples) > 0
    folds, Cs, seen = splits(n_samples, 3), [0.01, 1.0], []

    def told(progress):
        seen.append((progress.n_done, progress.n_fits))

    grid = grid_of(X, y, Cs, fold_weights=folds, callback=told)
    assert grid.converged.all()
    assert {n_fits for _, n_fits in seen} == {6}
    assert {n_done for n_done, _ in seen} >= {0, 3}
    n_passes = 0.0
    for number, fold in enumerate(folds):
        for place, C in enumerate(Cs):
            alone = fastlogit.fit(X[fold > 0], y[fold > 0], C=C)
            n_passes += alone.n_passes
            np.testing.assert_allclose(grid.coef[number, place, 0], alone.coef, atol=1e-5)
    assert grid.n_passes < n_passes
