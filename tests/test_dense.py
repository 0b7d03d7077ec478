"""Passes over arrays of every shape, layout and number type, against the oracle."""

import tracemalloc

import numba
import numpy as np
import pytest
from problems import (
    LAYOUTS,
    NUMBER_TYPES,
    TWO_THREADS,
    as_type,
    assert_value_gradient,
    binomial_targets,
    force_twin,
    memory_mapped,
    one_model,
    problem,
    readonly,
    sized,
    three_classes,
)

from fastlogit import reference
from fastlogit.design.base import Columns, plain_targets
from fastlogit.design.dense import DenseDesign
from fastlogit.kernels.descent import Penalty, start_state
from fastlogit.kernels.passes import SQUARED
from fastlogit.kernels.policy import Twins

# Around blocks of 16 and 32 rows and chunks of 256.
ROW_COUNTS = [1, 2, 3, 4, 5, 15, 16, 17, 31, 32, 33, 64, 97, 255, 256, 257, 600]


def value_gradient(X, y, coef, intercept, weight=None, columns=None):
    design = DenseDesign(X, columns=columns)
    targets = binomial_targets(y, weight=weight)
    return one_model(design.value_gradient(targets, coef[None, :], np.array([intercept])))


@pytest.mark.parametrize("n_features", range(1, 41))
def test_every_width(n_features) -> None:
    X, y, coef, intercept, weight = problem(70, n_features)
    for values in (X, np.asfortranarray(X)):  # the second is gathered at every width
        actual = value_gradient(values, y, coef, intercept, weight)
        assert_value_gradient(actual, X, y, coef, intercept, weight=weight)


@pytest.mark.parametrize("n_features", [3, 9, 70])
@pytest.mark.parametrize("n_samples", ROW_COUNTS)
def test_every_cut_into_blocks_and_chunks(n_samples, n_features) -> None:
    X, y, coef, intercept, weight = problem(n_samples, n_features)
    actual = value_gradient(X, y, coef, intercept, weight)
    assert_value_gradient(actual, X, y, coef, intercept, weight=weight)


def test_one_row_of_one_column() -> None:
    X, y, coef = np.array([[2.0]]), np.array([1]), np.array([0.5])
    cost, gradient, intercept_gradient = value_gradient(X, y, coef, 0.0)
    assert cost == pytest.approx(np.log1p(np.exp(-1.0)), rel=1e-15)
    assert gradient[0] == pytest.approx(-2.0 / (1.0 + np.e), rel=1e-15)
    assert intercept_gradient == pytest.approx(-1.0 / (1.0 + np.e), rel=1e-15)


def test_more_columns_than_rows() -> None:
    X, y, coef, intercept, _ = problem(7, 300)
    assert_value_gradient(value_gradient(X, y, coef, intercept), X, y, coef, intercept)


@pytest.mark.parametrize("n_features", [5, 13])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout(layout, n_features) -> None:
    X, y, coef, intercept, weight = problem(90, n_features)
    given = LAYOUTS[layout](X)
    np.testing.assert_array_equal(given, X)
    before = given.tobytes()
    actual = value_gradient(given, y, coef, intercept, weight)
    assert_value_gradient(actual, X, y, coef, intercept, weight=weight)
    raw = DenseDesign(given).raw_prediction(coef[None, :], np.array([intercept]))[0]
    np.testing.assert_allclose(raw, reference.raw_prediction(X, coef, intercept), atol=1e-13)
    assert given.tobytes() == before


@pytest.mark.parametrize("dtype", NUMBER_TYPES)
def test_every_number_type(dtype) -> None:
    X, y, coef, intercept, _ = problem(90, 5)
    given = as_type(X, dtype)
    coef[0] = 1e-18 if dtype == "u8" else coef[0]
    before = given.tobytes()
    actual = value_gradient(given, y, coef, intercept)
    assert_value_gradient(actual, given, y, coef, intercept)
    assert given.tobytes() == before


def test_float32_rows_are_read_in_place_and_summed_in_float64() -> None:
    X, y, coef, intercept, weight = problem(300, 19)
    X = X.astype(np.float32)
    for given in (X, np.hstack([X, X])[:, :19]):
        actual = value_gradient(given, y, coef, intercept, weight)
        assert_value_gradient(actual, X, y, coef, intercept, weight=weight)


def test_memory_map(tmp_path) -> None:
    X, y, coef, intercept, _ = problem(90, 13)
    mapped = memory_mapped(X, tmp_path)
    actual = value_gradient(mapped, y, coef, intercept)
    assert_value_gradient(actual, X, y, coef, intercept)
    assert not isinstance(actual[1], np.memmap)


def test_rows_that_share_memory() -> None:
    line = np.random.default_rng(0).standard_normal(120)
    windows = np.lib.stride_tricks.sliding_window_view(line, 12)
    repeated = np.broadcast_to(windows[:1], (40, 12))
    for X in (windows, repeated, windows[:1], windows[5:6]):
        _, y, coef, intercept, _ = problem(len(X), 12)
        assert_value_gradient(value_gradient(X, y, coef, intercept), X, y, coef, intercept)


@pytest.mark.parametrize("n_features", [3, 12])
def test_standardised_columns(n_features) -> None:
    X, y, coef, intercept, weight = problem(300, n_features)
    X = X * 5.0 + 100.0
    rng = np.random.default_rng(1)
    columns = Columns(X.mean(axis=0), rng.uniform(0.1, 1.0, n_features))
    columns.inverse_scale[1] = 0.0  # a column that does not vary
    seen = (X - columns.center) * columns.inverse_scale
    actual = value_gradient(X, y, coef, intercept, weight, columns)
    assert_value_gradient(actual, seen, y, coef, intercept, weight=weight)
    raw = DenseDesign(X, columns=columns).raw_prediction(coef[None, :], np.array([intercept]))[0]
    np.testing.assert_allclose(raw, reference.raw_prediction(seen, coef, intercept), atol=1e-12)


@pytest.mark.parametrize("n_features", [3, 12])
def test_several_models_in_one_pass_are_those_of_one_each(n_features) -> None:
    X, codes = three_classes(300, n_features)
    rng = np.random.default_rng(1)
    coef, intercept = rng.standard_normal((3, n_features)), rng.standard_normal(3)
    weight = rng.uniform(0.0, 2.0, 300)
    design = DenseDesign(X)
    together = design.value_gradient(binomial_targets(codes, [0, 1, 2], weight), coef, intercept)
    assert design.n_passes == 1
    for model in range(3):
        alone = design.value_gradient(
            binomial_targets(codes, [model], weight), coef[[model]], intercept[[model]]
        )
        for all_models, single in zip(together, alone, strict=True):
            np.testing.assert_array_equal(all_models[model], single[0])
        y = codes == model
        assert_value_gradient(one_model(alone), X, y, coef[model], intercept[model], weight=weight)


# z of each row, with one column: the sums below stay within float64.
EXTREME = np.array([0.0, 5e-324, 1e-308, 1e-17, 1.0, 36.0, 709.0, 745.1, 746.0, 1e15, 1e300])


@pytest.mark.parametrize("n_features", [1, 10])
def test_raw_predictions_of_any_size(n_features) -> None:
    z = np.concatenate([EXTREME, -EXTREME])
    X = np.zeros((z.size, n_features))
    X[:, -1] = z
    coef = np.ones(n_features)
    for target in (0, 1):
        y = np.full(z.size, target)
        with np.errstate(all="ignore"):  # for plain Python under NUMBA_DISABLE_JIT
            actual = value_gradient(X, y, coef, 0.0)
            expected = reference.cost_gradient(X, y, coef, 0.0)
        for found, wanted in zip(actual, expected, strict=True):
            np.testing.assert_allclose(found, wanted, rtol=1e-15)


@pytest.mark.parametrize("n_features", [1, 10])
@pytest.mark.parametrize("size", [1e307, 1e308, 1.7976931348623157e308])
def test_a_raw_prediction_at_the_end_of_float64(size, n_features) -> None:
    X, coef = np.zeros((1, n_features)), np.ones(n_features)
    for z in (size, -size):
        for target in (0, 1):
            X[0, 0] = z
            with np.errstate(all="ignore"):
                cost, gradient, intercept_gradient = value_gradient(
                    X, np.array([target]), coef, 0.0
                )
            wrong = (z > 0.0) != target
            assert cost == (size if wrong else 0.0)
            assert gradient[0] == (abs(z) if wrong else 0.0)
            assert abs(intercept_gradient) == wrong


def test_nearly_all_weights_zero() -> None:
    X, y, coef, intercept, _ = problem(300, 10)
    for rows in ([7], [0, 299], [31, 32, 255, 256]):
        weight = np.zeros(300)
        weight[rows] = 2.0
        actual = value_gradient(X, y, coef, intercept, weight)
        assert_value_gradient(actual, X[rows], y[rows], coef, intercept)


def test_weighted_means_and_variances_of_columns() -> None:
    for layout in ("C", "F"):
        for n_features in (3, 12):
            X, _, _, _, weight = problem(300, n_features)
            design = DenseDesign(LAYOUTS[layout](X))
            means = design.column_means(readonly(weight), weight.sum())
            np.testing.assert_allclose(means, weight @ X / weight.sum(), atol=1e-15)
            squares = design.column_variances(readonly(weight), weight.sum())
            np.testing.assert_allclose(squares, weight @ X**2 / weight.sum(), rtol=1e-14)


def test_hessian_product_of_models_with_their_own_curvatures() -> None:
    X, _, coef, intercept, weight = problem(300, 11)
    curvature = readonly(np.stack([weight, weight[::-1] ** 2]))
    totals = curvature.sum(axis=1)
    vectors, intercepts = np.stack([coef, -2.0 * coef]), np.array([intercept, 0.3])
    targets = plain_targets(SQUARED, curvature, totals)
    product, last = DenseDesign(X).hessian_product(targets, vectors, intercepts)
    ones = np.column_stack([X, np.ones(300)])
    for model in range(2):
        gram = ones.T @ (curvature[model, :, None] * ones) / totals[model]
        expected = gram @ np.append(vectors[model], intercepts[model])
        np.testing.assert_allclose(np.append(product[model], last[model]), expected, rtol=1e-12)


@pytest.mark.parametrize("layout", ["C", "F", "first columns"])
def test_twins_give_the_same_bits(layout, monkeypatch) -> None:
    X, y, coef, intercept, weight = problem(sized(3000, 600), 12)
    given = LAYOUTS[layout](X)
    found = set()
    for parallel in (False, True, True):
        force_twin(monkeypatch, parallel)
        cost, gradient, last = value_gradient(given, y, coef, intercept, weight)
        found.add((cost.tobytes(), gradient.tobytes(), last.tobytes()))
    assert len(found) == 1


def test_any_number_of_threads_gives_the_same_bits() -> None:
    n_samples = sized(40_000, 300)  # enough work for every threading layer
    X, y, coef, intercept, _ = problem(n_samples, 30)
    found = set()
    for n_threads in (1, TWO_THREADS, None):
        design = DenseDesign(X, n_threads=n_threads)
        values = design.value_gradient(binomial_targets(y), coef[None, :], np.array([intercept]))
        raw = design.raw_prediction(coef[None, :], np.array([intercept]))
        found.add(b"".join(value.tobytes() for value in (*values, raw)))
    assert len(found) == 1


def test_gathered_layouts_give_the_same_bits() -> None:
    X, y, coef, intercept, _ = problem(300, 12)
    found = set()
    for layout in ("F", "every second column", "reversed columns", "reversed rows", "big-endian"):
        cost, gradient, last = value_gradient(LAYOUTS[layout](X), y, coef, intercept)
        found.add((cost.tobytes(), gradient.tobytes(), last.tobytes()))
    assert len(found) == 1


@pytest.mark.parametrize("layout", ["C", "F"])
def test_no_copy_of_the_rows(layout) -> None:
    X, y, coef, intercept, weight = problem(sized(50_000, 500), 12)
    given = LAYOUTS[layout](X)
    value_gradient(given, y, coef, intercept, weight)
    tracemalloc.start()
    value_gradient(given, y, coef, intercept, weight)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak <= 0.03 * X.nbytes + 100_000


@pytest.mark.parametrize("n_features", [3, 12])
@pytest.mark.parametrize("stride", [7, 41])
def test_a_subsample_has_a_layout_that_small_data_have(stride, n_features, monkeypatch) -> None:
    """Every `stride`-th row of columns is neither C nor Fortran order, and would compile anew."""
    X = np.asfortranarray(np.random.default_rng(0).normal(size=(400, n_features)))
    design = DenseDesign(X)
    part = design.subsample(stride)
    assert np.array_equal(part._X, X[::stride])
    assert part._X.flags.c_contiguous
    assert part.counter is design.counter
    # Large ones stay where they are, unless they are a small share.
    monkeypatch.setattr("fastlogit.design.dense.COPY_BYTES", part._X.nbytes - 1)
    assert np.shares_memory(design.subsample(stride)._X, X) == (stride == 7)
    rows = DenseDesign(np.random.default_rng(0).normal(size=(400, 12)))
    assert np.shares_memory(rows.subsample(7)._X, rows._X)


@pytest.mark.parametrize(("many", "taken"), [(True, [True]), (False, [False])])
def test_a_subsample_of_many_rows_needs_no_twin_of_its_own(many, taken, monkeypatch) -> None:
    """Where the serial one is not compiled, the parallel one serves, with the same bits."""
    X, y, coef, intercept, _ = problem(1000, 3)
    monkeypatch.setattr("fastlogit.threads.BREAK_EVEN_NS", 1e3 if many else 1e9)
    monkeypatch.setattr("fastlogit.threads.thread_count", lambda n_threads: TWO_THREADS)
    some, point = DenseDesign(X).subsample(7), (coef[None, :], np.array([intercept]))
    some = some.standardized(some.columns)
    monkeypatch.setattr("fastlogit.threads.BREAK_EVEN_NS", 1e6)
    targets = binomial_targets(y[::7])
    expected = some.value_gradient(targets, *point)
    found, choose = [], Twins.choose
    monkeypatch.setattr(Twins, "has_serial", lambda twins, arguments: False)
    monkeypatch.setattr(
        Twins, "choose", lambda twins, parallel: found.append(parallel) or choose(twins, parallel)
    )
    for one, other in zip(expected, some.value_gradient(targets, *point), strict=True):
        assert np.array_equal(one, other)
    assert found == (taken if TWO_THREADS > 1 and not numba.config.DISABLE_JIT else [False])


def test_passes_are_counted() -> None:
    X, y, coef, intercept, _ = problem(40, 3)
    design = DenseDesign(X)
    targets = binomial_targets(y)
    design.value_gradient(targets, coef[None, :], np.array([intercept]))
    design.column_means(targets.weights, 40.0)
    design.column_variances(targets.weights, 40.0)
    design.raw_prediction(coef[None, :], np.array([intercept]))
    assert design.n_passes == 4
    assert design.standardized(design.columns).n_passes == 4


def test_passes_within_a_time() -> None:
    X = problem(40, 3).X
    assert DenseDesign(X).passes_within(1e-9, 1) == 1
    small, large = DenseDesign(X), DenseDesign(np.broadcast_to(X[:1], (10**6, 3)))
    assert small.passes_within(0.05, 1) > large.passes_within(0.05, 1) >= 1
    assert small.passes_within(0.05, 1) > small.passes_within(0.05, 10)


def models_apart(n_samples, n_features, n_models):
    """Return X and for each model its own targets, weights and point, and an offset of the rows."""
    rng = np.random.default_rng([n_samples, n_features, n_models])
    X = rng.standard_normal((n_samples, n_features))
    y = rng.integers(0, 2, (n_models, n_samples))
    weight = rng.uniform(0.0, 2.0, (n_models, n_samples)) * (
        rng.random((n_models, n_samples)) < 0.8
    )
    coef = rng.standard_normal((n_models, n_features)) / np.sqrt(n_features)
    return X, y, weight, coef, rng.standard_normal(n_models), rng.standard_normal(n_samples)


@pytest.mark.parametrize("n_models", [1, 2, 3, 10])
@pytest.mark.parametrize(
    ("n_features", "layout"), [(3, "C"), (12, "F"), (24, "C"), (30, "C"), (100, "first columns")]
)
def test_models_of_their_own_targets_and_weights_with_an_offset(
    n_features, layout, n_models
) -> None:
    X, y, weight, coef, intercept, offset = models_apart(sized(300, 60), n_features, n_models)
    targets = binomial_targets(y, [1] * n_models, weight)._replace(offset=readonly(offset[None]))
    design = DenseDesign(LAYOUTS[layout](X))
    state = start_state(coef, intercept)
    curvature = np.full((n_models, len(X)), np.nan)
    penalty = Penalty(np.zeros((1, n_features)), True)
    design.evaluate(targets, penalty, state, curvature)
    # The offset as one more column, whose coefficient is 1.
    wider = np.column_stack([X, offset])
    for model in range(n_models):
        point = np.append(coef[model], 1.0)
        cost, gradient, last = reference.cost_gradient(
            wider, y[model], point, intercept[model], 0.0, weight[model]
        )
        actual = (
            state.cost[model],
            np.append(state.gradient[model], gradient[-1]),
            state.intercept_gradient[model],
        )
        assert_value_gradient(actual, wider, y[model], point, intercept[model], 0.0, weight[model])
        assert cost == pytest.approx(state.cost[model], rel=1e-13)
        assert last == pytest.approx(state.intercept_gradient[model], rel=1e-9)
        proba = reference.sigmoid(wider @ point + intercept[model])
        np.testing.assert_allclose(
            curvature[model], weight[model] * proba * (1.0 - proba), rtol=1e-12
        )


@pytest.mark.parametrize("layout", ["C", "F"])
@pytest.mark.parametrize("n_features", [11, 24, 50, 100])
def test_a_model_s_bits_do_not_depend_on_its_company(n_features, layout) -> None:
    X, y, weight, coef, intercept, offset = models_apart(sized(700, 70), n_features, 3)
    design = DenseDesign(LAYOUTS[layout](X))
    targets = binomial_targets(y, [1] * 3, weight)._replace(offset=readonly(offset[None]))
    together = design.value_gradient(targets, coef, intercept)
    for model in range(3):
        own = binomial_targets(y[model], [1], weight[model])._replace(offset=readonly(offset[None]))
        alone = design.value_gradient(own, coef[[model]], intercept[[model]])
        for one, many in zip(alone, together, strict=True):
            assert one[0].tobytes() == many[model].tobytes()


@pytest.mark.parametrize("n_models", [1, 3])
@pytest.mark.parametrize("layout", ["C", "F"])
def test_columns_far_from_zero_keep_their_digits(layout, n_models) -> None:
    X, y, weight, coef, intercept, _ = models_apart(300, 20, n_models)
    shift = 2.0**20 * np.arange(20)  # up to 2e7 standard deviations
    shifted = X + shift
    targets = binomial_targets(y, [1] * n_models, weight)
    design = DenseDesign(LAYOUTS[layout](shifted), columns=Columns(shift, np.ones(20)))
    cost, gradient, last = design.value_gradient(targets, coef, intercept)
    for model in range(n_models):
        actual = cost[model], gradient[model], last[model]
        assert_value_gradient(
            actual, shifted - shift, y[model], coef[model], intercept[model], 0.0, weight[model]
        )
