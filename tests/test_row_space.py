"""Fits in the space of the rows: the same optimum as in the columns, proven in these."""

import importlib
import warnings

import mpmath
import numpy as np
import pytest
from exact import DIGITS, ExactProblem, numbers
from problems import TWO_THREADS, grid_of, objective_of, sized, softmax_of

import fastlogit
from fastlogit import reference
from fastlogit.certificates.binomial import Certificate, PenaltyCertificate, Place
from fastlogit.objective.row_space import (
    RowProducts,
    RowSpaceObjective,
    products_of_rows,
    row_space_of,
)
from fastlogit.solvers import choice, row_space, warm_starts
from fastlogit.solvers.row_space import MOST_ROWS, price_of_rows, reduce_to_rows, suits_rows

N_SAMPLES, N_FEATURES = sized(40, 10), sized(150, 14)


def wide(n_samples=N_SAMPLES, n_features=N_FEATURES, n_classes=2, seed=0):
    """Rows of a falling spectrum, columns far from 0, and labels."""
    rng = np.random.default_rng([seed, n_samples, n_features])
    X = rng.standard_normal((n_samples, n_features)) * np.geomspace(0.1, 10.0, n_features)
    X += rng.standard_normal((n_samples, 2)) @ rng.standard_normal((2, n_features)) * 3.0
    X += np.linspace(-4.0, 4.0, n_features)
    z = (X[:, :n_classes] - X[:, :n_classes].mean(axis=0)) / X[:, :n_classes].std(axis=0)
    codes = np.argmax(z + rng.gumbel(size=z.shape), axis=1)
    codes[:n_classes] = np.arange(n_classes)
    return X, codes


def standardized(objective):
    objective.standardize()
    return objective


def factors(n_features=N_FEATURES):
    return np.random.default_rng(3).uniform(0.2, 2.0, n_features)


@pytest.fixture(autouse=True)
def the_general_way(monkeypatch) -> None:
    """No fit is one for the kernel of small problems."""
    front_end = importlib.import_module("fastlogit.fitting.fit")
    monkeypatch.setattr(front_end, "suits", lambda *_: False)


@pytest.fixture
def seen(monkeypatch):
    """The number of fits that came back from the space of the rows."""
    count = []
    lifted = choice._lifted

    def count_and_lift(*arguments):
        count.append(1)
        return lifted(*arguments)

    monkeypatch.setattr(choice, "_lifted", count_and_lift)
    return count


# ------------------------------------------------------------------------------------------------
# The cost


@pytest.mark.parametrize("form", ["plain", "weights and offset", "no intercept", "softmax"])
def test_it_is_the_same_cost(form, rng) -> None:
    X, codes = wide(n_classes=3 if form == "softmax" else 2)
    options = {}
    if form == "weights and offset":
        options = {"weight": rng.uniform(0.0, 2.0, len(X)), "offset": rng.normal(size=len(X))}
    if form == "no intercept":
        options = {"fit_intercept": False}
    made = softmax_of if form == "softmax" else objective_of
    whole = standardized(made(X, codes, l2_reg=0.01 * factors(), **options))
    space = row_space_of(whole)
    assert isinstance(space, RowSpaceObjective)
    assert space.design.shape == (len(X), len(X))
    # A point of the space: what is added to Z Z' makes directions of next to no length.
    at_random = rng.normal(size=(1, space.n_classes * (N_FEATURES + 1)))
    if form == "no intercept":
        at_random[:, -1] = 0.0
    theta = space.project(at_random)
    lifted = space.lift(theta)
    inside, outside = space.at(theta), whole.at(lifted)
    np.testing.assert_allclose(inside.cost, outside.cost, rtol=1e-9)
    np.testing.assert_allclose(space.project(lifted), theta, rtol=1e-4, atol=1e-5)


def test_to_user_and_some_of_the_models(rng) -> None:
    X, codes = wide()
    strengths = np.array([0.3, 0.05])[:, None] * factors()
    whole = standardized(objective_of(X, codes, l2_reg=strengths, positive=(1, 0)))
    space = row_space_of(whole)
    assert space is not None
    theta = space.project(rng.normal(size=(2, N_FEATURES + 1)))
    lifted = space.lift(theta)
    for found, wanted in zip(
        space.to_user(*space.split(theta)), whole.to_user(*whole.split(lifted)), strict=True
    ):
        np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-14)
    part = space.only([1])
    np.testing.assert_allclose(part.lift(theta[1:]), lifted[1:], rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(part.at(theta[1:]).cost, whole.at(lifted).cost[1:], rtol=1e-9)


@pytest.mark.parametrize("form", ["plain", "weights and offset", "no intercept"])
def test_its_hessians_are_inverted(form, rng) -> None:
    X, codes = wide()
    options = {"positive": (1, 0)}
    if form == "weights and offset":
        options |= {"weight": rng.uniform(0.0, 2.0, len(X)), "offset": rng.normal(size=len(X))}
    if form == "no intercept":
        options |= {"fit_intercept": False}
    strengths = np.array([0.01, 0.03])[:, None] * factors()
    space = row_space_of(standardized(objective_of(X, codes, l2_reg=strengths, **options)))
    assert space is not None
    theta = space.project(rng.normal(size=(2, N_FEATURES + 1)))
    curvature = space.curvature(theta)
    for model in (0, 1):
        matrix = space.only([model]).rows.hessian(curvature[model], 0)
        space.parameter_penalty.add_to(matrix, model)
        vector = rng.normal(size=len(X) + 1)
        vector[-1] *= form != "no intercept"
        found = space.inverse_at(curvature[model], model).solve(matrix @ vector)
        np.testing.assert_allclose(found, vector, rtol=1e-6, atol=1e-7)


def test_rows_without_curvature_leave_the_penalty(rng) -> None:
    X, codes = wide()
    space = row_space_of(standardized(objective_of(X, codes, l2_reg=0.1)))
    assert space is not None
    none = space.curvature(np.zeros((1, len(X) + 1)))
    none.values[...] = 0.0
    vector = np.append(rng.normal(size=len(X)), 0.0)
    found = space.inverse_at(none, 0).solve(vector)
    diagonal = space.parameter_penalty.diagonals()[0, :-1]
    np.testing.assert_allclose(found[:-1], vector[:-1] / diagonal, rtol=1e-12)
    assert np.isfinite(found[-1])


def test_a_point_is_projected_to_what_predicts_the_same(rng) -> None:
    X, codes = wide()
    whole = standardized(objective_of(X, codes, l2_reg=0.1))
    space = row_space_of(whole)
    assert space is not None
    theta = rng.normal(size=(1, N_FEATURES + 1))
    nearer = space.lift(space.project(theta))
    np.testing.assert_allclose(
        whole.rows.raw_predictions(nearer), whole.rows.raw_predictions(theta), rtol=1e-6, atol=1e-6
    )
    assert whole.at(nearer).cost[0] < whole.at(theta).cost[0]


def test_where_it_is_no_good() -> None:
    X, codes = wide()
    strengths = factors()
    assert row_space_of(standardized(objective_of(X, codes))) is None  # no penalty
    strengths[3] = 0.0
    assert row_space_of(standardized(objective_of(X, codes, l2_reg=strengths))) is None
    assert row_space_of(standardized(objective_of(X, codes, l2_reg=1e-16))) is None  # too weak
    other = np.stack([factors(), factors()[::-1]])  # models of other shapes of the penalty
    assert row_space_of(standardized(objective_of(X, codes, l2_reg=other, positive=(1, 0)))) is None
    assert row_space_of(standardized(objective_of(0.0 * X, codes, l2_reg=1.0))) is None
    assert reduce_to_rows(standardized(objective_of(X.T, codes[:1].repeat(N_FEATURES)))) is None


def test_the_price_in_products() -> None:
    # What was measured, within a third.
    measured = {(1000, 5000): 90, (1500, 2000): 280, (1900, 2100): 390, (2000, 4000): 270}
    for shape, products in measured.items():
        assert 0.67 < price_of_rows(*shape) / products < 1.5
    assert price_of_rows(100, 10_000) < price_of_rows(1000, 10_000)


def test_shapes_that_suit() -> None:
    assert suits_rows(64, 6830)
    assert not suits_rows(64, 64)
    assert not suits_rows(MOST_ROWS + 1, 10 * MOST_ROWS)
    assert suits_rows(60, 500, 10)
    assert not suits_rows(71, 500, 10)


# ------------------------------------------------------------------------------------------------
# Fits


@pytest.mark.parametrize("options", [
    {"C": 1.0},
    {"C": 100.0, "penalty_factor": factors()},
    {"l2_reg": 0.01, "intercept": None},
    {"C": 1.0, "intercept": -0.7},
    {"C": 0.5, "sample_weight": np.random.default_rng(1).uniform(0.0, 2.0, N_SAMPLES)},
    {"C": 1.0, "offset": np.random.default_rng(2).normal(size=N_SAMPLES)},
])  # fmt: skip
def test_the_optimum_is_that_of_other_methods(options, seen) -> None:
    X, codes = wide()
    found = fastlogit.fit(X, codes, **options)
    assert seen
    assert found.converged
    assert "in the space of the rows" in found.message
    assert found.solver == "newton"
    assert found.history.size == found.n_iter + 1 == found.bounds.size
    wanted = fastlogit.fit(X, codes, solver="newton-cg", tol=1e-14, **options)
    np.testing.assert_allclose(found.history[-1], wanted.history[-1], rtol=1e-12)
    size = np.abs(wanted.coef).max()
    np.testing.assert_allclose(found.coef, wanted.coef, rtol=1e-4, atol=1e-6 * size)
    if "offset" not in options:
        weight = options.get("sample_weight")
        model = found.coef, found.intercept, found.l2_reg, weight
        cost = reference.cost_gradient(X, codes, *model)[0]
        np.testing.assert_allclose(cost, found.history[-1], rtol=1e-12)


@pytest.mark.jit
@pytest.mark.parametrize("multi_class", ["ovr", "multinomial"])
def test_several_classes(multi_class, seen) -> None:
    X, codes = wide(n_classes=3)
    found = fastlogit.fit(X, codes, C=1.0, multi_class=multi_class)
    wanted = fastlogit.fit(X, codes, C=1.0, multi_class=multi_class, solver="newton-cg")
    assert seen
    assert found.converged
    np.testing.assert_allclose(found.coef, wanted.coef, rtol=1e-3, atol=1e-7)
    if multi_class == "multinomial":
        np.testing.assert_allclose(found.coef.sum(axis=1), 0.0, atol=1e-12)


@pytest.mark.jit
@pytest.mark.parametrize("layout", ["float32", "columns", "integers", "few rows", "duplicates"])
def test_rows_of_any_kind(layout, seen) -> None:
    X, codes = wide()
    if layout == "float32":
        X = X.astype(np.float32)
    elif layout == "columns":
        X = np.asfortranarray(X)
    elif layout == "integers":
        X = np.round(X * 3.0).astype(np.int32)
    elif layout == "few rows":
        X, codes = np.tile(X[:3], (1, 40)), codes[:3]  # too large for one compiled call
    else:
        X[::2], X[:, 5] = X[1::2], 7.0
    found = fastlogit.fit(X, codes, C=1.0, tol=1e-10)
    plain = X.astype(np.float64)
    wanted = fastlogit.fit(plain, codes, C=1.0, solver="newton-cg", tol=1e-13)
    assert seen
    assert found.converged
    np.testing.assert_allclose(found.history[-1], wanted.history[-1], rtol=1e-9)


@pytest.mark.jit
def test_x_is_read_a_few_times_only(seen) -> None:
    X, codes = wide(60, 900)
    found = fastlogit.fit(X, codes, C=1.0, tol=1e-8)
    assert seen
    assert found.n_passes <= 10
    assert found.converged


@pytest.mark.parametrize("form", ["plain", "weights and offset", "no intercept"])
def test_one_compiled_call_is_the_same_method(form, seen, monkeypatch, rng) -> None:
    X, codes = wide()
    options = {"C": 10.0}
    if form == "weights and offset":
        options |= {"sample_weight": rng.uniform(0.0, 2.0, len(X))}
        options |= {"offset": rng.normal(size=len(X))}
    if form == "no intercept":
        options |= {"intercept": None}
    found = fastlogit.fit(X, codes, **options)
    step_by_step = fastlogit.fit(X, codes, callback=lambda _: None, **options)
    assert len(seen) == 2
    assert found.n_iter <= step_by_step.n_iter  # its steps are as long as pays
    assert found.history.size == found.passes.size == found.times.size == found.n_iter + 1
    assert (np.diff(found.history) < 1e-12).all()
    np.testing.assert_allclose(found.history[[0, -1]], step_by_step.history[[0, -1]], rtol=1e-7)
    np.testing.assert_allclose(found.coef, step_by_step.coef, rtol=1e-4, atol=1e-8)
    # What it does not finish is done step by step.
    whole = RowSpaceObjective.compiled
    monkeypatch.setattr(RowProducts, "compiled", lambda *given: None)
    from_there = fastlogit.fit(X, codes, **options)
    np.testing.assert_allclose(from_there.coef, found.coef, rtol=1e-4, atol=1e-8)
    monkeypatch.setattr(RowSpaceObjective, "compiled", lambda *given: (*whole(*given)[:2], False))
    again = fastlogit.fit(X, codes, **options)
    np.testing.assert_array_equal(again.coef, step_by_step.coef)


def test_one_compiled_call_is_for_one_binomial_model() -> None:
    X, codes = wide(n_classes=3)
    for made, options in ((softmax_of, {}), (objective_of, {"positive": (0, 1, 2)})):
        whole = standardized(made(X, codes, l2_reg=0.1, **options))
        space = row_space_of(whole)
        assert space is not None
        theta = np.zeros((space.n_models, space.n_classes * (len(X) + 1)))
        assert space.compiled(theta, 1e-8, 10) is None
    one = row_space_of(standardized(objective_of(X, codes, l2_reg=0.1)))
    assert one is not None
    found = one.compiled(np.zeros((1, len(X) + 1)), 1e-12, 50)
    assert found is not None
    theta, costs, met = found
    assert met
    np.testing.assert_allclose(one.at(theta).cost, costs[-1:], rtol=1e-9)
    again = one.compiled(theta, 1e-8, 50)
    assert again is not None
    assert len(again[1]) == 1


@pytest.mark.parametrize("form", ["plain", "weights and offset", "no intercept"])
def test_products_of_rows_alone_are_enough_from_zero(form, rng) -> None:
    X, codes = wide()
    options = {}
    if form == "weights and offset":
        options = {"weight": rng.uniform(0.0, 2.0, len(X)), "offset": rng.normal(size=len(X))}
    if form == "no intercept":
        options = {"fit_intercept": False}
    whole = standardized(objective_of(X, codes, l2_reg=0.1 * factors(), **options))
    products = products_of_rows(whole)
    assert products is not None
    found = products.compiled(0.0, 1e-12, 50)
    assert found is not None
    theta, costs = found
    point = whole.at(theta)
    np.testing.assert_allclose(point.cost, costs[-1:], rtol=1e-9)
    np.testing.assert_allclose(point.gradient, np.zeros_like(theta), atol=1e-5)
    # What is known of the rows proves as much as a look at them.
    certificates = PenaltyCertificate(whole), PenaltyCertificate(whole)
    certificates[0].know_largest_rows(products.largest_rows)
    bounds = [each.bound(0, theta[0], point.gradient[0]) for each in certificates]
    assert bounds[0] < 1e-8
    np.testing.assert_allclose(bounds[0], bounds[1], rtol=1e-9)
    assert products.compiled(0.0, 0.0, 2) is None  # out of reach
    codes = np.arange(len(X)) % 3
    softmax = products_of_rows(standardized(softmax_of(X, codes, l2_reg=0.1)))
    assert softmax is not None
    assert softmax.compiled(0.0, 1e-8, 50) is None


@pytest.mark.jit
def test_many_rows_share_hessians_between_iterations(seen, monkeypatch) -> None:
    X, codes = wide(60, 400)
    whole = fastlogit.fit(X, codes, C=1.0)
    monkeypatch.setattr(row_space, "FEW_ROWS", 10)
    found = fastlogit.fit(X, codes, C=1.0)
    assert len(seen) == 2
    assert found.converged
    np.testing.assert_allclose(found.coef, whole.coef, rtol=1e-4, atol=1e-8)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_many_rows_do_without_a_gram_matrix_while_products_are_few(
    n_classes, seen, monkeypatch
) -> None:
    """1,900 x 2,100 normal numbers took seven times as long with it."""
    rng = np.random.default_rng(5)
    X = rng.standard_normal((N_SAMPLES, N_FEATURES))
    codes = np.arange(N_SAMPLES) % n_classes
    whole = fastlogit.fit(X, codes, C=1.0)
    assert seen.pop()
    monkeypatch.setattr(choice, "DEAR_ROWS", 5)
    monkeypatch.setattr(choice, "price_of_rows", lambda *_: 1e6)
    without = fastlogit.fit(X, codes, C=1.0)
    assert not seen
    assert without.solver == "newton-cg"
    monkeypatch.setattr(choice, "price_of_rows", lambda *_: 1.0)
    calls: list[int] = []
    dearly = fastlogit.fit(X, codes, C=1.0, callback=lambda now: calls.append(now.n_iter))
    assert seen
    assert dearly.solver == "newton"
    assert calls == list(range(1, dearly.n_iter + 1))
    assert len(dearly.history) == len(dearly.passes) == dearly.n_iter + 1
    for found in (without, dearly):
        assert found.converged
        np.testing.assert_allclose(found.coef, whole.coef, rtol=1e-4, atol=1e-7)
    monkeypatch.setattr(choice, "multiply_rows", lambda objective: None)
    assert fastlogit.fit(X, codes, C=1.0).converged  # the Gram matrix is no good after all
    with pytest.warns(match="max_iter=1"):
        assert fastlogit.fit(X, codes, C=1.0, max_iter=1).n_iter == 1


@pytest.mark.jit
def test_any_number_of_threads_gives_the_same_bits() -> None:
    X, codes = wide(50, 700)
    one, two = (fastlogit.fit(X, codes, C=1.0, n_threads=k) for k in (1, TWO_THREADS))
    np.testing.assert_array_equal(one.coef, two.coef)


@pytest.mark.jit
def test_from_a_start(seen) -> None:
    X, codes = wide()
    first = fastlogit.fit(X, codes, C=1.0)
    again = fastlogit.fit(X, codes, C=1.0, start=first)
    assert len(seen) == 2
    assert again.n_iter < first.n_iter
    assert again.converged


@pytest.mark.jit
def test_a_proof_that_fails_in_the_columns_is_made_there(monkeypatch) -> None:
    X, codes = wide()
    monkeypatch.setattr(RowProducts, "compiled", _slightly_off(RowProducts.compiled))
    found = fastlogit.fit(X, codes, C=1.0)
    assert found.converged
    monkeypatch.undo()
    wanted = fastlogit.fit(X, codes, C=1.0)
    assert found.n_passes > wanted.n_passes
    np.testing.assert_allclose(found.history[-1], wanted.history[-1], rtol=1e-11)


def _slightly_off(compiled):
    def fit(*given):
        theta, costs = compiled(*given)
        return theta * 1.001, costs

    return fit


# ------------------------------------------------------------------------------------------------
# What ends it


@pytest.mark.jit
def test_the_callback_sees_coefficients_of_the_columns_and_may_end_it(seen) -> None:
    X, codes = wide()
    shapes = []

    def callback(progress):
        shapes.append((progress.coef.shape, progress.cost))
        return progress.n_iter == 3

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = fastlogit.fit(X, codes, C=1.0, callback=callback)
    assert seen
    assert [shape for shape, _ in shapes] == [(N_FEATURES,)] * 3
    assert found.n_iter == 3
    assert not found.converged
    np.testing.assert_allclose(found.history[-1], shapes[-1][1], rtol=1e-9)


@pytest.mark.jit
def test_max_iter_gives_the_point_with_what_is_proven(seen) -> None:
    X, codes = wide()
    with pytest.warns(UserWarning, match="max_iter=2"):
        found = fastlogit.fit(X, codes, C=1.0, max_iter=2)
    best = fastlogit.fit(X, codes, C=1.0).history[-1]
    assert found.n_iter == 2
    assert found.history[-1] / best - 1.0 <= found.suboptimality


@pytest.mark.jit
@pytest.mark.parametrize("where", ["gram", "iterations"])
def test_ctrl_c_gives_the_best_point(where, monkeypatch) -> None:
    X, codes = wide()

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    if where == "gram":
        monkeypatch.setattr(choice, "multiply_rows", interrupt)
        options = {}
    else:
        options = {"callback": lambda progress: progress.n_iter == 2 and interrupt()}
    with pytest.raises(KeyboardInterrupt) as caught:
        fastlogit.fit(X, codes, C=1.0, **options)
    assert caught.value.result.coef.shape == (N_FEATURES,)
    assert np.isfinite(caught.value.result.history[-1])


@pytest.mark.jit
def test_the_time_limit(monkeypatch) -> None:
    X, codes = wide(60, 900)
    fastlogit.fit(X, codes, C=1.0)
    with pytest.warns(UserWarning, match="time_limit"):
        found = fastlogit.fit(X, codes, C=1.0, tol=0.0, time_limit=1e-6)
    assert np.isfinite(found.coef).all()


# ------------------------------------------------------------------------------------------------
# Grids


@pytest.mark.jit
@pytest.mark.parametrize("multi_class", ["ovr", "multinomial"])
def test_a_grid_is_many_fits(multi_class, monkeypatch) -> None:
    X, codes = wide(24, 1100, 3)
    Cs, folds = np.array([0.01, 1.0]), np.ones((2, len(X)))
    folds[0, ::5], folds[1, 1::5] = 0.0, 0.0
    reduced = []
    monkeypatch.setattr(
        warm_starts, "reduce_to_rows", lambda o: reduced.append(reduce_to_rows(o)) or reduced[-1]
    )
    grid = grid_of(X, codes, Cs, fold_weights=folds, multi_class=multi_class)
    assert reduced[0] is not None
    assert grid.converged.all()
    for fold, weight in enumerate(folds):
        for place, C in enumerate(Cs):
            one = fastlogit.fit(X, codes, C=C, sample_weight=weight, multi_class=multi_class)
            np.testing.assert_allclose(grid.coef[fold, place], one.coef.T, rtol=1e-3, atol=1e-7)


@pytest.mark.jit
def test_a_grid_with_no_penalty_among_others() -> None:
    X, codes = wide(24, 1100)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        grid = grid_of(X, codes, [1.0, np.inf], max_iter=5)
    assert np.isfinite(grid.coef).all()


@pytest.mark.jit
def test_the_end_of_a_grid_keeps_what_is_there() -> None:
    X, codes = wide(24, 1100)
    calls = []

    def callback(progress):
        calls.append(progress.n_done)
        return len(calls) == 12

    with pytest.warns(UserWarning, match="fits converged"):
        grid = grid_of(X, codes, [0.01, 1.0, 100.0], callback=callback)
    assert max(calls) >= 1
    assert grid.converged[0, 0]
    assert not grid.converged.all()

    def interrupt(progress):
        if progress.n_done == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        grid_of(X, codes, [0.01, 1.0], callback=interrupt)
    assert caught.value.result.coef.any()


# ------------------------------------------------------------------------------------------------
# Proofs


def test_the_penalty_alone_proves_what_the_certificate_proves_by_it() -> None:
    X, codes = wide()
    whole = standardized(objective_of(X, codes, l2_reg=0.1))
    best = fastlogit.fit(X, codes, l2_reg=0.1, tol=1e-4)
    theta = whole.join(*whole.from_user(best.coef[None], np.array([best.intercept])))
    point = whole.at(theta)
    own = PenaltyCertificate(whole).bound(0, theta[0], point.gradient[0], cost=point.cost[0])
    there = Place(theta[0], point.gradient[0], float(point.cost[0]))
    bound = Certificate(whole)._penalty_bound(0, there, 0.0)
    assert own == bound
    assert 0.0 < bound < np.inf
    # Without a penalty it says nothing, and makes no matrix.
    bare = standardized(objective_of(X, codes))
    assert PenaltyCertificate(bare).bound(0, theta[0], point.gradient[0]) == np.inf


@pytest.mark.jit
@pytest.mark.parametrize("seed", [0, 1, 2, 5, 6])
def test_no_bound_lies_below_the_truth(seed, seen) -> None:
    rng = np.random.default_rng([seed, 77])
    n_samples, n_features = int(rng.integers(6, 10)), int(rng.integers(11, 15))
    X = rng.standard_normal((n_samples, n_features)) * 10.0 ** rng.uniform(-4, 4, n_features)
    X += 10.0 ** rng.uniform(0, 6, n_features) * (rng.random(n_features) < 0.3)
    X[1], X[:, 2] = X[0], X[:, 3]
    y = (rng.random(n_samples) < 0.5).astype(int)
    y[:2] = 0, 1
    l2_reg = 10.0 ** rng.uniform(-6, 0, n_features)
    weight = 10.0 ** rng.uniform(-2, 2, n_samples)
    tol = float(rng.choice([1e-3, 1e-8, 1e-12]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = fastlogit.fit(X, y, l2_reg=l2_reg, sample_weight=weight, tol=tol)
    assert seen
    with mpmath.workdps(DIGITS):
        exact = ExactProblem(X, y, 1, l2_reg, weight, None, True)
        theta = numbers(np.append(result.coef, result.intercept)[None])
        lowest = exact.optimum(theta)
        assert (exact.cost(theta) - lowest) / lowest <= result.suboptimality
