"""The front end of fits: what goes in and comes out, options, labels, and clear errors."""

import inspect
import math
import tracemalloc

import numpy as np
import pytest
from bad_input import BOTH, X0, Y0, assert_refused, case_id, forbid_passes, named, poisoned
from problems import (
    EACH_SOLVER,
    LAYOUTS,
    TWO_THREADS,
    DataFrame,
    as_type,
    assert_same_fit,
    bits,
    fit_by,
    force_twin,
    memory_mapped,
    problem,
    sized,
    three_classes,
    unfinished,
)

import fastlogit
from fastlogit import reference
from fastlogit.fitting.fit import SOLVERS

DESCENT = "gradient_descent"
NO_DESCENT = EACH_SOLVER[:-1]


# ------------------------------------------------------------------------------------------------
# The penalty


def test_c_is_the_strength_of_scikit_learn() -> None:
    X, y, _, _, weight = problem(120, 6)
    for given, total in ((None, 120.0), (weight, weight.sum())):
        by_c = fastlogit.fit(X, y, C=2.5, sample_weight=given)
        by_l2 = fastlogit.fit(X, y, l2_reg=1.0 / (2.5 * total), sample_weight=given)
        assert bits(by_c) == bits(by_l2)


def test_neither_is_no_penalty() -> None:
    X, y = problem(120, 6)[:2]
    plain = fastlogit.fit(X, y)
    for none in ({"l2_reg": 0.0}, {"l2_reg": np.zeros(6)}, {"C": math.inf}):
        assert bits(fastlogit.fit(X, y, **none)) == bits(plain)


@pytest.mark.parametrize("solver", EACH_SOLVER)
def test_a_strength_for_each_column(solver) -> None:
    X, y, _, _, weight = problem(150, 6)
    strengths = np.array([0.0, 1e-4, 0.01, 1.0, 100.0, 0.0])
    found = fastlogit.fit(X, y, l2_reg=strengths, sample_weight=weight, solver=solver)
    coef, intercept, _ = reference.newton(X, y, strengths, weight)
    np.testing.assert_allclose(found.coef, coef, rtol=1e-5, atol=1e-7)
    assert found.intercept == pytest.approx(intercept, rel=1e-5)


def test_equal_strengths_are_one() -> None:
    X, y = problem(120, 6)[:2]
    assert bits(fastlogit.fit(X, y, l2_reg=[0.5] * 6)) == bits(fastlogit.fit(X, y, l2_reg=0.5))


def test_the_intercept_is_not_penalised() -> None:
    X = problem(200, 4).X
    y = np.arange(200) % 10 != 0
    result = fastlogit.fit(X, y, l2_reg=1e6)
    assert np.abs(result.coef).max() < 1e-5
    assert result.intercept == pytest.approx(np.log(9.0), rel=1e-5)


# ------------------------------------------------------------------------------------------------
# Weights


@pytest.mark.parametrize("solver", EACH_SOLVER)
def test_weight_two_is_the_row_twice_and_weight_zero_the_row_left_out(solver) -> None:
    X, y = problem(120, 6)[:2]
    weight = np.resize([0.0, 1.0, 2.0, 3.0], 120)
    rows = np.repeat(np.arange(120), weight.astype(int))
    options = {"l2_reg": 0.1, "tol": 1e-14, "solver": solver}
    found = fastlogit.fit(X, y, sample_weight=weight, **options)
    wanted = fastlogit.fit(X[rows], y[rows], **options)
    assert_same_fit(found, wanted, 1e-6, 1e-8)


def test_only_the_ratios_of_weights_matter() -> None:
    X, y, _, _, weight = problem(120, 6)
    wanted = fastlogit.fit(X, y, sample_weight=weight)
    for factor in (1e-300, 1e300):
        found = fastlogit.fit(X, y, sample_weight=weight * factor)
        assert_same_fit(found, wanted, 1e-7, 0.0)


@pytest.mark.parametrize("solver", EACH_SOLVER)
def test_nearly_all_weights_zero(solver) -> None:
    X, y = problem(300, 3)[:2]
    rows = np.arange(5, 300, 10)
    weight = np.zeros(300)
    weight[rows] = 3.0
    options = {"l2_reg": 0.01, "tol": 1e-14, "solver": solver}
    found = fastlogit.fit(X, y, sample_weight=weight, **options)
    assert_same_fit(found, fastlogit.fit(X[rows], y[rows], **options), 1e-6, 1e-8)


def test_what_stands_in_a_row_of_weight_zero_does_not_matter() -> None:
    X, y = problem(120, 4)[:2]
    weight = np.ones(120)
    weight[7] = 0.0
    other = X.copy()
    other[7] = 1e6
    options = {"sample_weight": weight, "l2_reg": 0.01, "tol": 1e-14}
    assert_same_fit(fastlogit.fit(other, y, **options), fastlogit.fit(X, y, **options), 1e-7, 1e-9)


# ------------------------------------------------------------------------------------------------
# Offset and intercept


@pytest.mark.parametrize("solver", EACH_SOLVER)
@pytest.mark.parametrize("intercept", ["fit", -0.7, None])
def test_offset_and_intercept(solver, intercept) -> None:
    X, y, _, _, weight = problem(200, 5)
    X = X + 0.5
    offset = X[:, 1] ** 2 - 1.0
    found = fastlogit.fit(
        X, y, offset=offset, intercept=intercept, sample_weight=weight, solver=solver, l2_reg=0.01
    )
    held = {"fit": None, None: 0.0}.get(intercept, intercept)
    coef, base, cost = reference.newton(X, y, 0.01, weight, offset, held)
    np.testing.assert_allclose(found.coef, coef, rtol=1e-5, atol=1e-6)
    assert found.intercept == (pytest.approx(base, abs=1e-6) if held is None else held)
    assert found.history[-1] == pytest.approx(cost, rel=2e-12)


def test_an_offset_may_be_a_column() -> None:
    X, y = problem(120, 4)[:2]
    offset = X[:, 1] ** 2
    found = fastlogit.fit(X, y, l2_reg=0.1, offset=offset[:, None])
    assert bits(found) == bits(fastlogit.fit(X, y, l2_reg=0.1, offset=offset))


@pytest.mark.parametrize("solver", EACH_SOLVER)
def test_an_intercept_held_is_a_constant_offset(solver) -> None:
    X, y = problem(150, 4)[:2]
    held = fastlogit.fit(X, y, intercept=0.8, solver=solver)
    shifted = fastlogit.fit(X, y, intercept=None, offset=np.full(150, 0.8), solver=solver)
    np.testing.assert_allclose(held.coef, shifted.coef, rtol=1e-5, atol=1e-6)
    assert (held.intercept, shifted.intercept) == (0.8, 0.0)


def test_intercepts_held_for_several_classes() -> None:
    X, codes = three_classes(90, 4)
    result = fastlogit.fit(X, codes, intercept=-1.0, l2_reg=0.01)
    np.testing.assert_array_equal(result.intercept, -1.0)
    for k in range(3):
        coef = reference.newton(X, codes == k, 0.01, intercept=-1.0)[0]
        np.testing.assert_allclose(result.coef[:, k], coef, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("solver", EACH_SOLVER)
def test_without_intercept_a_large_shift_of_a_column_is_no_intercept(solver) -> None:
    X, y = problem(200, 3)[:2]
    X = X + np.array([0.0, 30.0, -5.0])
    result = fastlogit.fit(X, y, intercept=None, solver=solver)
    coef = reference.newton(X, y, intercept=0.0)[0]
    np.testing.assert_allclose(result.coef, coef, rtol=1e-4, atol=1e-6)


# ------------------------------------------------------------------------------------------------
# A warm start


@pytest.mark.parametrize("solver", ["auto", "lbfgs", "newton-cg"])
def test_a_warm_start_takes_fewer_passes(solver) -> None:
    X, y = problem(sized(20_000, 150), 8)[:2]
    cold = fastlogit.fit(X, y, solver=solver)
    for start in (cold, (cold.coef, cold.intercept), (cold.coef * 1.001, cold.intercept)):
        warm = fastlogit.fit(X, y, solver=solver, start=start)
        assert warm.n_passes < cold.n_passes
        assert warm.n_iter < cold.n_iter
        np.testing.assert_allclose(warm.coef, cold.coef, rtol=1e-5, atol=1e-6)


def test_a_start_at_the_optimum_is_known_as_one() -> None:
    X, y = problem(150, 5)[:2]
    for solver in SOLVERS[:-1]:
        cold = fastlogit.fit(X, y, solver=solver, tol=1e-13)
        warm = fastlogit.fit(X, y, solver=solver, start=cold)
        assert warm.n_iter == 0
        assert warm.history.shape == (1,)
        np.testing.assert_allclose(warm.coef, cold.coef, rtol=1e-12)


def test_a_start_for_several_classes() -> None:
    X, codes = three_classes(90, 4)
    cold = fastlogit.fit(X, codes, l2_reg=0.1, tol=1e-13)
    warm = fastlogit.fit(X, codes, l2_reg=0.1, start=cold)
    assert warm.n_iter == 0 < cold.n_iter


def test_a_start_of_other_classes() -> None:
    start = fastlogit.fit(X0, Y0, l2_reg=1.0)
    with pytest.raises(ValueError, match="start was fitted to other classes"):
        fastlogit.fit(X0, Y0 + 1, start=start)


# ------------------------------------------------------------------------------------------------
# The same bits, nothing changed, nothing copied


@pytest.mark.parametrize("solver", EACH_SOLVER)
@pytest.mark.parametrize("n_features", [5, 12])
def test_twins_give_the_same_fit(n_features, solver, monkeypatch) -> None:
    X, y, _, _, weight = problem(sized(3000, 150), n_features)
    found = set()
    for parallel in (False, True):
        force_twin(monkeypatch, parallel)
        options = {"sample_weight": weight, "max_iter": 6, "solver": solver}
        found.add(bits(unfinished(X, y, **options)))
    assert len(found) == 1


@pytest.mark.parametrize("solver", EACH_SOLVER)
def test_any_number_of_threads_gives_the_same_fit(solver) -> None:
    X, y = problem(sized(40_000, 150), sized(30, 4))[:2]
    threads = (1, TWO_THREADS, None)
    options = {"solver": solver, "max_iter": 20}
    assert len({bits(unfinished(X, y, n_threads=count, **options)) for count in threads}) == 1


def test_several_classes_give_the_same_bits(monkeypatch) -> None:
    X, codes = three_classes(sized(3000, 90), 5)
    found = set()
    for parallel in (False, True):
        force_twin(monkeypatch, parallel)
        found.add(bits(fastlogit.fit(X, codes, l2_reg=0.1)))
    assert len(found) == 1


@pytest.mark.jit
@pytest.mark.parametrize("solver", EACH_SOLVER)
def test_a_fit_can_be_repeated_to_the_last_bit(solver) -> None:
    X, codes = three_classes(200, 12)
    assert len({bits(fastlogit.fit(X, codes, l2_reg=0.1, solver=solver)) for _ in range(3)}) == 1


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_give_the_same_fit_and_stay_as_they_are(layout) -> None:
    X, y, coef, intercept, weight = problem(80, 12)
    given = LAYOUTS[layout](X)
    inputs = [given, y, weight, coef]
    before = [array.tobytes() for array in inputs]
    flags = [str(array.flags) for array in inputs]
    expected = fastlogit.fit(X, y, sample_weight=weight)
    for solver in SOLVERS[:-1]:
        result = fastlogit.fit(
            given, y, sample_weight=weight, solver=solver, start=(coef, intercept)
        )
        np.testing.assert_allclose(result.coef, expected.coef, rtol=1e-5)
    assert [array.tobytes() for array in inputs] == before
    assert [str(array.flags) for array in inputs] == flags


@pytest.mark.parametrize("dtype", ["f4", "i8", "bool"])
def test_number_types_give_the_fit_of_their_values(dtype) -> None:
    X, y = problem(150, 5)[:2]
    given = as_type(X, dtype)
    for solver in SOLVERS[:-1]:
        result = fastlogit.fit(given, y, l2_reg=0.01, solver=solver)
        coef = reference.newton(given.astype(np.float64), y, 0.01)[0]
        np.testing.assert_allclose(result.coef, coef, rtol=1e-5, atol=1e-6)


def test_lists_frames_and_maps(tmp_path) -> None:
    X, y, _, _, weight = problem(60, 12)
    expected = fastlogit.fit(X, y, sample_weight=weight, l2_reg=0.1)
    for given in (X.tolist(), DataFrame(X, [f"c{k}" for k in range(12)])):
        result = fastlogit.fit(given, y.tolist(), sample_weight=list(weight), l2_reg=0.1)
        assert bits(result) == bits(expected)
    mapped = fastlogit.fit(memory_mapped(X, tmp_path), y, sample_weight=weight, l2_reg=0.1)
    assert bits(mapped) == bits(expected)


def test_read_only_inputs_of_every_kind() -> None:
    X, y, coef, intercept, weight = problem(80, 12)
    offset, strengths = np.zeros(80), np.full(12, 0.1)
    for array in (X, y, coef, weight, offset, strengths):
        array.flags.writeable = False
    for solver in SOLVERS:
        unfinished(
            X, y, sample_weight=weight, offset=offset, l2_reg=strengths, start=(coef, intercept),
            solver=solver, max_iter=3,
        )  # fmt: skip


def extra_memory(X, y, **options):
    unfinished(X[:30_000], y[:30_000], solver=options["solver"], max_iter=2)  # what is compiled
    tracemalloc.start()
    unfinished(X, y, max_iter=30, **options)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


@pytest.mark.jit
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("solver", ["auto", "lbfgs", "newton"])
def test_a_fit_does_not_copy_the_rows(solver, weighted) -> None:
    X, y, _, _, weight = problem(200_000, 50)
    options = {"solver": solver, "sample_weight": weight if weighted else None}
    limit = 0.05 * X.nbytes + 1_200_000
    # Weights are kept as float64 for the kernels, a number for each row.
    limit += weight.nbytes * weighted
    assert extra_memory(X, y, C=1.0, **options) <= limit
    # Without a penalty the margins of all rows show whether the classes are separable.
    assert extra_memory(X, y, **options) <= limit + 8 * len(y)


@pytest.mark.jit
@pytest.mark.parametrize("solver", ["newton-cg", "gradient_descent"])
def test_no_solver_copies_the_rows(solver) -> None:
    X, y = problem(200_000, 50)[:2]
    assert extra_memory(X, y, solver=solver) <= 0.05 * X.nbytes + 1_000_000 + 2 * 8 * len(y)


# ------------------------------------------------------------------------------------------------
# Classes


@pytest.mark.parametrize(
    "names",
    [
        np.array(["benign", "malignant"]),
        np.array(["b", "a"], dtype=object),
        np.array([b"x", b"y"]),
        np.array([-5, 7], dtype=np.int16),
        np.array([2.0, 4.0], dtype=np.float32),
        np.array([False, True]),
        np.array([3, 1], dtype=">i4"),
        np.array([2**63, 2**63 + 2048], dtype=np.uint64),
    ],
    ids=lambda names: f"{names.dtype} {names[0]}",
)
def test_labels_of_two_classes_come_back_as_they_went_in(names) -> None:
    X, y = problem(80, 3)[:2]
    labels = names[y]
    result = fastlogit.fit(X, labels)
    np.testing.assert_array_equal(result.classes, np.unique(labels))
    predicted = result.predict(X)
    assert set(predicted.tolist()) == set(labels.tolist())
    assert predicted.dtype.kind in (labels.dtype.kind, "U")
    reversed_names = names[0] > names[1]
    codes = fastlogit.fit(X, 1 - y if reversed_names else y)
    np.testing.assert_array_equal(result.coef, codes.coef)
    np.testing.assert_array_equal(predicted == labels, codes.predict(X) == (y != reversed_names))


@pytest.mark.parametrize("names", [["setosa", "iris", "x"], [30, -10, 20], [0.0, 2.0, 1.0]])
def test_labels_of_three_classes_come_back_as_they_went_in(names) -> None:
    X, codes = three_classes(90, 3)
    labels = [names[code] for code in codes]
    result = fastlogit.fit(X, labels, l2_reg=0.1)
    assert result.classes.tolist() == sorted(names)
    assert set(result.predict(X).tolist()) == set(names)
    assert (result.predict(X) == np.array(labels)).mean() > 0.5


@pytest.mark.parametrize("solver", EACH_SOLVER)
@pytest.mark.parametrize("n_features", [4, 12])
def test_one_vs_all_is_a_fit_for_each_class(n_features, solver) -> None:
    X, codes = three_classes(120, n_features)
    together = fastlogit.fit(X, codes, l2_reg=0.05, solver=solver)
    assert together.coef.shape == (n_features, 3)
    assert together.suboptimality.shape == (3,)
    for model in range(3):
        alone = fastlogit.fit(X, codes == model, l2_reg=0.05, solver=solver)
        np.testing.assert_allclose(together.coef[:, model], alone.coef, rtol=1e-5, atol=1e-6)
        assert together.intercept[model] == pytest.approx(alone.intercept, rel=1e-5, abs=1e-6)
        assert together.history[-1, model] == pytest.approx(alone.history[-1], rel=2e-12)


def test_the_paths_of_several_classes_are_those_of_each() -> None:
    X, codes = three_classes(120, 4)
    options = {"solver": DESCENT, "max_iter": 40, "tol": 0.0, "l2_reg": 0.05}
    together = unfinished(X, codes, **options)
    for model in range(3):
        alone = unfinished(X, codes == model, **options)
        np.testing.assert_array_equal(together.coef[:, model], alone.coef)
        np.testing.assert_array_equal(together.history[:, model], alone.history)


@pytest.mark.jit
@pytest.mark.parametrize("solver", EACH_SOLVER)
def test_hundreds_of_classes(solver) -> None:
    n_classes = 300
    codes = np.repeat(np.arange(n_classes), 2)
    X = np.column_stack([np.cos(np.arange(2 * n_classes)), np.sin(codes)])
    result = unfinished(X, codes, solver=solver, l2_reg=0.1, max_iter=50)
    assert result.coef.shape == (2, n_classes)
    assert (result.history[-1] <= result.history[0]).all()
    assert result.predict(X).shape == codes.shape
    for model in (0, 150, 299):
        coef = reference.newton(X, codes == model, 0.1)[0]
        np.testing.assert_allclose(result.coef[:, model], coef, rtol=1e-4, atol=1e-6)


# ------------------------------------------------------------------------------------------------
# One-vs-all with weights, offsets and strengths of the classes


@pytest.mark.parametrize("solver", EACH_SOLVER)
def test_each_class_s_own_weights_are_separate_fits(solver) -> None:
    X, codes = three_classes(120, 4)
    weights = np.random.default_rng(0).uniform(0.0, 2.0, (120, 3))
    weights[::7, 1] = 0.0
    for strength in ({"C": 0.4}, {"l2_reg": 0.02}):
        together = fit_by(solver, X, codes, sample_weight=weights, **strength)
        for k in range(3):
            alone = fit_by(solver, X, codes == k, sample_weight=weights[:, k], **strength)
            np.testing.assert_allclose(together.coef[:, k], alone.coef, rtol=1e-5, atol=1e-6)
            assert together.intercept[k] == pytest.approx(alone.intercept, rel=1e-5, abs=1e-6)
            assert together.history[-1, k] == pytest.approx(alone.history[-1], rel=2e-12)
        if "C" in strength:
            expected = np.broadcast_to(1.0 / (0.4 * weights.sum(axis=0)), (4, 3))
            np.testing.assert_allclose(together.l2_reg, expected, rtol=1e-13)


@pytest.mark.parametrize("solver", NO_DESCENT)
def test_an_offset_for_each_class_of_one_vs_all(solver) -> None:
    X, codes = three_classes(120, 4)
    offset = np.random.default_rng(0).standard_normal((120, 3))
    together = fit_by(solver, X, codes, offset=offset, l2_reg=0.02)
    common = fit_by(solver, X, codes, offset=offset[:, 0], l2_reg=0.02)
    for k in range(3):
        coef, intercept, _ = reference.newton(X, codes == k, 0.02, None, offset[:, k])
        np.testing.assert_allclose(together.coef[:, k], coef, rtol=1e-5, atol=1e-6)
        assert together.intercept[k] == pytest.approx(intercept, rel=1e-5, abs=1e-6)
        coef = reference.newton(X, codes == k, 0.02, None, offset[:, 0])[0]
        np.testing.assert_allclose(common.coef[:, k], coef, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("solver", EACH_SOLVER)
def test_a_factor_multiplies_the_penalty_of_its_column(solver) -> None:
    X, y = problem(150, 4)[:2]
    factor = np.array([0.0, 1.0, 5.0, 0.3])
    by_c = fit_by(solver, X, y, C=2.0, penalty_factor=factor)
    coef, intercept, _ = reference.newton(X, y, factor / (2.0 * 150))
    np.testing.assert_allclose(by_c.coef, coef, rtol=1e-5, atol=1e-6)
    assert by_c.intercept == pytest.approx(intercept, rel=1e-5, abs=1e-6)
    strengths = np.array([1.0, 0.1, 0.01, 0.5])
    found = fit_by(solver, X, y, l2_reg=strengths, penalty_factor=factor)
    expected = fit_by(solver, X, y, l2_reg=strengths * factor)
    np.testing.assert_array_equal(found.coef, expected.coef)
    np.testing.assert_array_equal(found.l2_reg, strengths * factor)


# ------------------------------------------------------------------------------------------------
# The message


def test_the_message_says_how_and_how_well() -> None:
    X, y = problem(150, 4)[:2]
    small, larger = fastlogit.fit(X, y), fastlogit.fit(*problem(150, 64)[:2], C=1.0)
    for result, how in (
        (small, "one compiled call, for small data"),
        (larger, "the Hessian of all rows is cheap"),
    ):
        assert result.message == (
            f"converged by newton ({how}): the cost is proven to be within "
            f"{result.suboptimality:.1e} of the optimum, relative to it (1e-12 asked for)"
        )
        assert result.solver == "newton"
    assert "by lbfgs (as asked)" in fastlogit.fit(X, y, solver="lbfgs").message
    assert "by newton-cg (as asked)" in fastlogit.fit(X, y, solver="newton-cg").message
    assert "by gradient descent" in fastlogit.fit(X, y, solver=DESCENT).message


# ------------------------------------------------------------------------------------------------
# Bad input


def test_the_first_nan_or_infinity_is_named() -> None:
    for value, what in ((np.nan, "NaN"), (np.inf, "infinity"), (-np.inf, "infinity")):
        X = poisoned(value)
        before = X.tobytes()
        calls = [
            lambda X=X: fastlogit.gradient_descent(X, Y0),
            lambda X=X: fastlogit.gradient_descent(X, Y0, standardize=False),
            lambda X=X: fastlogit.fit(X.astype(np.float32), Y0),
            lambda X=X: fastlogit.fit(X, Y0, sample_weight=[1, 1, 1, 1, 0, 0]),
            *(lambda X=X, solver=solver: fastlogit.fit(X, Y0, solver=solver) for solver in SOLVERS),
        ]
        for call in calls:
            with (
                np.errstate(all="ignore"),
                pytest.raises(
                    ValueError, match=rf"X contains {what} in column 1 \(row 4\); "
                ) as caught,
            ):
                call()
            assert ("SimpleImputer" in str(caught.value)) == (what == "NaN")
        assert X.tobytes() == before
    frame = DataFrame(poisoned(np.nan), ["age", "height"])
    with (
        np.errstate(all="ignore"),
        pytest.raises(ValueError, match=r"NaN in column 'height' \(row 4\)"),
    ):
        fastlogit.fit(frame, Y0)


@pytest.mark.jit
def test_a_nan_outside_the_subsample_is_named_too() -> None:
    X, y = problem(20_000, 5)[:2]
    X[12_345, 3] = np.nan
    for solver in SOLVERS:
        with pytest.raises(ValueError, match=r"X contains NaN in column 3 \(row 12345\)"):
            fastlogit.fit(X, y, solver=solver)


LABELS = [
    (np.ones(6), ValueError, ["y has one class only (1.0)", "at least two"]),
    (np.array(["x"] * 6), ValueError, ["y has one class only ('x')"]),
    (
        np.linspace(0.0, 1.0, 6),
        ValueError,
        ["6 different values", "not whole numbers", "class labels"],
    ),
]
OF_DESCENT = [
    ({"step_size": 0.0}, ValueError, ["step_size must be finite and > 0", "0.0"]),
    ({"step_size": -1}, ValueError, ["step_size", "> 0", "-1"]),
    ({"step_size": np.nan}, ValueError, ["step_size", "nan"]),
    ({"step_size": np.inf}, ValueError, ["step_size must be finite"]),
    ({"step_size": "fast"}, ValueError, ["step_size must be one of 'auto'", "'fast'"]),
    ({"step_size": None}, TypeError, ["step_size must be a number", "None"]),
    ({"step_size": True}, TypeError, ["step_size must be a number", "True"]),
    (
        {"momentum": "nestrov"},
        ValueError,
        ["momentum must be one of 'none', 'nesterov'", "did you mean 'nesterov'?"],
    ),
    ({"momentum": None}, ValueError, ["momentum must be one of"]),
    ({"standardize": "yes"}, TypeError, ["standardize must be True or False", "'yes'"]),
]
OPTIONS = [
    ({"tol": -1e-9}, ValueError, ["tol must be finite and >= 0", "-1e-09"]),
    ({"tol": "small"}, TypeError, ["tol must be a number", "'small'"]),
    ({"max_iter": -1}, ValueError, ["max_iter must be at least 0", "-1"]),
    ({"max_iter": 10.0}, TypeError, ["max_iter must be a whole number", "10.0"]),
    ({"l2_reg": -0.1}, ValueError, ["l2_reg must be finite and >= 0", "-0.1"]),
    ({"l2_reg": np.inf}, ValueError, ["l2_reg must be finite"]),
    ({"time_limit": 0}, ValueError, ["time_limit must be finite and > 0", "0"]),
    ({"time_limit": "1s"}, TypeError, ["time_limit must be a number"]),
    ({"callback": 3}, TypeError, ["callback must be callable or None", "int"]),
    ({"n_threads": 0}, ValueError, ["n_threads must be between 1 and", "NUMBA_NUM_THREADS"]),
    ({"n_threads": 10**6}, ValueError, ["n_threads must be between 1 and", "1000000"]),
    ({"n_threads": "two"}, TypeError, ["n_threads must be an integer"]),
    ({"start": 3}, TypeError, ["start must be a FitResult or a pair (coef, intercept)"]),
    ({"start": (np.zeros(3), 0.0)}, ValueError, ["coef has shape (3,)", "X has 2 columns"]),
    ({"start": (np.zeros((2, 3)), 0.0)}, ValueError, ["start has 3 models", "y needs 1"]),
    ({"start": (np.array([0.0, np.nan]), 0.0)}, ValueError, ["coef contains NaN"]),
    ({"start": (["a", "b"], 0.0)}, TypeError, ["coef must hold real numbers"]),
    ({"sample_weight": [1, 0, 1, 0, 0, 1]}, ValueError, ["y has one class only among the rows"]),
    ({"l2_reg": [0.1, -0.5]}, ValueError, ["l2_reg is negative for column 1: -0.5"]),
    ({"l2_reg": [0.1] * 3}, ValueError, ["l2_reg has shape (3,)", "X has 2 columns", "(2,)"]),
    ({"l2_reg": [0.1, np.nan]}, ValueError, ["l2_reg contains NaN or infinity"]),
    ({"l2_reg": "0.1"}, TypeError, ["l2_reg must be a number", "'0.1'"]),
    ({"offset": np.zeros(5)}, ValueError, ["offset has shape (5,)", "X has 6 rows", "(6,)"]),
    ({"offset": np.zeros((6, 2))}, ValueError, ["offset has shape (6, 2)"]),
    ({"offset": [0, 1, np.nan, 0, 0, 0]}, ValueError, ["offset contains NaN or infinity at [2]"]),
    ({"offset": ["a"] * 6}, TypeError, ["offset must hold real numbers"]),
    ({"offset": np.ma.masked_equal(np.ones(6), 0)}, TypeError, ["offset is a masked array"]),
    ({"intercept": "no"}, ValueError, ["intercept must be one of 'fit'", "'no'"]),
    ({"intercept": np.nan}, ValueError, ["intercept must be finite", "nan"]),
    ({"intercept": True}, TypeError, ["intercept must be a number", "True"]),
    ({"intercept": [1.0]}, TypeError, ["intercept must be a number", "list"]),
]
ONLY_FIT = [
    ({"C": -1}, ValueError, ["C must be > 0", "infinity (numpy.inf) is none", "-1"]),
    ({"C": 0.0}, ValueError, ["C must be > 0", "infinity (numpy.inf) is none", "0.0"]),
    ({"C": -np.inf}, ValueError, ["C must be > 0", "-inf"]),
    ({"C": np.nan}, ValueError, ["C must be", "nan"]),
    ({"C": "1"}, TypeError, ["C must be a number", "'1'"]),
    ({"C": True}, TypeError, ["C must be a number", "True"]),
    ({"C": 1e-320}, ValueError, ["C=1e-320 is so small that the penalty overflows"]),
    ({"C": 1.0, "l2_reg": 0.1}, ValueError, ["give C or l2_reg, not both", "1 / (C * sum"]),
    ({"C": 1.0, "l2_reg": 0.0}, ValueError, ["give C or l2_reg, not both"]),
    (
        {"solver": "newtn"},
        ValueError,
        [
            "solver must be one of 'auto', 'lbfgs', 'newton', 'newton-cg', 'gradient_descent'",
            "'newtn'",
            "did you mean 'newton'?",
        ],
    ),
    (
        {"multi_class": "multinominal"},
        ValueError,
        ["multi_class must be one of 'ovr', 'multinomial'", "did you mean 'multinomial'?"],
    ),
    ({"multi_class": None}, ValueError, ["multi_class must be one of", "None"]),
    (
        {"penalty_factor": [1.0, -0.5]},
        ValueError,
        ["penalty_factor is negative for column 1: -0.5"],
    ),
    ({"penalty_factor": [1.0] * 3}, ValueError, ["penalty_factor has shape (3,)", "2 columns"]),
    ({"penalty_factor": [1.0, np.nan]}, ValueError, ["penalty_factor contains NaN"]),
    ({"penalty_factor": "1"}, TypeError, ["penalty_factor must be a number", "'1'"]),
    ({"solver": "gradient-descent"}, ValueError, ["did you mean 'gradient_descent'?"]),
    ({"solver": None}, ValueError, ["solver must be one of", "None"]),
    (
        {"stepsize": 0.1},
        ValueError,
        ["the option name must be one of", "did you mean 'step_size'?"],
    ),
    ({"penalty": "l1"}, ValueError, ["penalty='l1'", "leave penalty out", "l1_ratio", "l1_reg"]),
    ({"penalty": "l2"}, ValueError, ["penalty='l2'", "leave penalty out", "C or l2_reg"]),
    ({"l1_ratio": 0.5}, ValueError, ["l1_ratio=0.5", "give C, or l1_reg and l2_reg"]),
    ({"l1_ratio": "1"}, TypeError, ["l1_ratio must be a number", "'1'"]),
    ({"l1_reg": [0.1, np.nan]}, ValueError, ["l1_reg contains NaN"]),
    *(
        ({"solver": solver, name: value}, ValueError, [name, repr(solver), "gradient_descent"])
        for solver in SOLVERS[:-1]
        for name, value in (("momentum", "none"), ("step_size", 0.1), ("standardize", True))
    ),
]


@pytest.fixture
def _no_pass(monkeypatch) -> None:
    forbid_passes(monkeypatch)


CASES = BOTH + named("y", LABELS) + OPTIONS


@pytest.mark.usefixtures("_no_pass")
@pytest.mark.parametrize(("change", "error", "words"), CASES, ids=case_id)
@pytest.mark.parametrize("call", [fastlogit.gradient_descent, fastlogit.fit])
def test_bad_input_of_a_fit(call, change, error, words) -> None:
    assert_refused(call, {"X": X0, "y": Y0} | change, error, words)


@pytest.mark.usefixtures("_no_pass")
@pytest.mark.parametrize(("change", "error", "words"), OF_DESCENT, ids=case_id)
def test_bad_option_of_gradient_descent(change, error, words) -> None:
    assert_refused(fastlogit.gradient_descent, {"X": X0, "y": Y0} | change, error, words)
    by_name = {"X": X0, "y": Y0, "solver": DESCENT}
    if None in change.values():  # is not given there
        return
    assert_refused(fastlogit.fit, by_name | change, error, words)


def test_the_options_of_descent_are_in_the_signature() -> None:
    parameters = inspect.signature(fastlogit.fit).parameters
    assert [parameters[name].default for name in ("step_size", "momentum", "standardize")] == [
        None
    ] * 3
    X, y = problem(60, 3)[:2]
    plain, given = (
        unfinished(X, y, solver=DESCENT, max_iter=5, **options)
        for options in (
            {},
            {"step_size": "auto", "momentum": "nesterov", "standardize": True},
        )
    )
    assert bits(plain) == bits(given)


@pytest.mark.usefixtures("_no_pass")
@pytest.mark.parametrize(("change", "error", "words"), ONLY_FIT, ids=case_id)
def test_bad_solver_or_option(change, error, words) -> None:
    assert_refused(fastlogit.fit, {"X": X0, "y": Y0} | change, error, words)


Y3 = np.array([0, 1, 2, 0, 1, 2])
OF_CLASSES = [
    (
        {"offset": np.zeros(6), "multi_class": "multinomial"},
        ValueError,
        ["offset has shape (6,)", "y 3 classes", "must be (6, 3)", "change no softmax"],
    ),
    (
        {"offset": np.zeros((6, 2)), "multi_class": "multinomial"},
        ValueError,
        ["offset has shape (6, 2)", "must be (6, 3)"],
    ),
    ({"offset": np.zeros((6, 2))}, ValueError, ["offset has shape (6, 2)", "must be (6, 3)"]),
    ({"offset": np.full((6, 3), np.nan)}, ValueError, ["offset contains NaN or infinity"]),
    ({"sample_weight": np.ones((6, 2))}, ValueError, ["sample_weight has 2 columns for 3 models"]),
    (
        {"sample_weight": np.eye(3)[Y3]},
        ValueError,
        ["sample_weight has in column 0 positive weights for class 0 alone", "others need some"],
    ),
    (
        {"sample_weight": np.ones((6, 3)), "multi_class": "multinomial"},
        ValueError,
        ["sample_weight must have 1 dimension"],
    ),
    ({"start": (np.zeros((2, 2)), 0.0)}, ValueError, ["start has 2 models", "y needs 3"]),
]


@pytest.mark.usefixtures("_no_pass")
@pytest.mark.parametrize(("change", "error", "words"), OF_CLASSES, ids=case_id)
def test_bad_input_of_several_classes(change, error, words) -> None:
    assert_refused(fastlogit.fit, {"X": X0, "y": Y3} | change, error, words)
