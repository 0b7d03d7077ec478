"""The passes that are entries of their own, and the softmax losses of the pass of all models."""

import numpy as np
import pytest
from problems import (
    JIT,
    LAYOUTS,
    binomial_targets,
    force_twin,
    problem,
    readonly,
    sized,
    softmax_targets,
)

from fastlogit import reference
from fastlogit.design.base import Columns, plain_targets
from fastlogit.design.dense import DenseDesign
from fastlogit.kernels.descent import Penalty, start_state
from fastlogit.kernels.passes import (
    MAX_CHUNKS,
    MULTINOMIAL_PRODUCT,
    Layout,
    chunk_rows,
    passes,
    read_sum,
)
from fastlogit.kernels.policy import formula
from fastlogit.kernels.rows import rows_per_block

# Around one block of 32 rows, one chunk of 256, and beyond two chunks.
ROW_COUNTS = [1, 2, 3, 31, 32, 33, 64, 65, 255, 256, 257, 300, 600]


@formula
def cut(n_samples: int, n_features: int) -> tuple[int, int]:
    return chunk_rows(n_samples, n_features), rows_per_block(n_features)


@pytest.mark.parametrize("n_features", [1, 64, 65, 500])
@pytest.mark.parametrize("n_samples", [1, 255, 256, 16_384, 16_385, 1_000_000, 10**9])
def test_chunks_are_whole_blocks_of_a_number_that_the_shape_sets(n_samples, n_features) -> None:
    step, block = cut(n_samples, n_features)
    assert step % block == 0
    assert block % 4 == 0
    assert -(-n_samples // step) <= MAX_CHUNKS


@pytest.mark.parametrize("parallel", [False, True])
@pytest.mark.parametrize("n_features", [3, 11, 70])
@pytest.mark.parametrize("n_samples", ROW_COUNTS)
def test_raw_prediction_of_several_models(n_samples, n_features, parallel, monkeypatch) -> None:
    force_twin(monkeypatch, parallel)
    X = problem(n_samples, n_features).X
    rng = np.random.default_rng(1)
    coef, intercept = rng.standard_normal((2, n_features)), np.array([0.5, -3.0])
    raw = DenseDesign(X).raw_prediction(coef, intercept)
    scale = np.abs(coef) @ np.abs(X.T) + 3.0
    assert (np.abs(raw - (coef @ X.T + intercept[:, None])) <= 1e-15 * scale).all()


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("parallel", [False, True])
@pytest.mark.parametrize("n_features", [3, 11, 70])
@pytest.mark.parametrize("n_samples", ROW_COUNTS)
def test_column_variances(n_samples, n_features, weighted, parallel, monkeypatch) -> None:
    force_twin(monkeypatch, parallel)
    X, _, _, _, weight = problem(n_samples, n_features)
    weight = weight if weighted else np.ones(n_samples)
    columns = Columns(np.arange(n_features) * 1.0, np.ones(n_features))
    given = readonly(weight if weighted else np.empty(0))
    actual = DenseDesign(X, columns=columns).column_variances(given, weight.sum())
    expected = weight @ (X - columns.center) ** 2 / weight.sum()
    np.testing.assert_allclose(actual, expected, rtol=1e-14)


@pytest.mark.parametrize("n_features", [3, 12])
def test_twins_give_the_same_bits(n_features, monkeypatch) -> None:
    X, _, coef, _, weight = problem(sized(5000, 600), n_features)
    design = DenseDesign(X)
    found = []
    for parallel in (False, True):
        force_twin(monkeypatch, parallel)
        raw = design.raw_prediction(coef[None, :], np.zeros(1))
        squares = design.column_variances(readonly(weight), weight.sum())
        found.append((raw.tobytes(), squares.tobytes()))
    assert found[0] == found[1]


def test_the_two_forms_have_twins_of_their_own() -> None:
    direct, gathered = passes(Layout.DIRECT), passes(Layout.GATHERED)
    assert direct is passes(Layout.DIRECT)
    for name in direct._fields:
        functions = {
            getattr(form, name).choose(parallel)
            for form in (direct, gathered)
            for parallel in (False, True)
        }
        assert len(functions) == (4 if JIT else 2)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_read_sum_reads_every_number_once(rng, dtype) -> None:
    values = rng.integers(-9, 9, 10_007).astype(dtype)
    values.flags.writeable = False
    for n_chunks in (1, 7, 64):
        for function in (read_sum.serial, read_sum.parallel):
            sums = np.empty(n_chunks)
            function(values, sums)
            assert sums.sum() == values.sum()


# ------------------------------------------------------------------------------------------------
# Softmax: the classes of a model next to each other


def softmax_problem(n_samples, n_features, n_classes, n_models=1):
    """Return X, codes, weights of each model (some 0), offset and a point of all outputs."""
    rng = np.random.default_rng([n_samples, n_features, n_classes, n_models])
    weight = rng.uniform(0.0, 2.0, (n_models, n_samples))
    weight *= rng.random(weight.shape) < 0.8
    return (
        rng.standard_normal((n_samples, n_features)),
        rng.integers(0, n_classes, (n_models, n_samples)),
        weight,
        rng.standard_normal((n_samples, n_classes)),
        2.0 * rng.standard_normal((n_models * n_classes, n_features)) / np.sqrt(n_features),
        rng.standard_normal(n_models * n_classes),
    )


def evaluated(design, targets, coef, intercept):
    """Return costs, gradients, intercept gradients and row curvatures of all outputs."""
    state = start_state(coef, intercept)
    curvature = np.full((len(coef), design.shape[0]), np.nan)
    design.evaluate(targets, Penalty(np.zeros((1, design.shape[1])), True), state, curvature)
    return state.cost, state.gradient, state.intercept_gradient, curvature


def assert_softmax(found, X, codes, weight, offset, coef, intercept) -> None:
    """Compare each model with the oracle, to rounding errors of the terms that are added."""
    n_classes = len(coef) // len(codes)
    for model, labels in enumerate(codes):
        outputs = slice(model * n_classes, (model + 1) * n_classes)
        point, base = coef[outputs].T, intercept[outputs]
        own = np.ones(len(X)) if weight is None else weight[model % len(weight)]
        cost, slope, last = reference.multinomial_cost_gradient(
            X, labels, point, base, 0.0, own, offset
        )
        z = X @ point + base + (0.0 if offset is None else offset)
        spread = own / own.sum() * (np.abs(X) @ np.abs(point).max(axis=1) + np.abs(z).max(axis=1))
        spread = 1e-14 * (spread + own / own.sum())
        costs, gradient, intercept_gradient, curvature = (part[outputs] for part in found)
        assert abs(costs.sum() - cost) <= spread.sum()
        assert (np.abs(gradient.T - slope) <= (np.abs(X).T @ spread)[:, None]).all()
        assert (np.abs(intercept_gradient - last) <= spread.sum()).all()
        expected = own * reference.softmax(z).T
        np.testing.assert_allclose(curvature, expected, rtol=1e-12)


@pytest.mark.parametrize("n_classes", [3, 4, 10])
@pytest.mark.parametrize(
    ("n_features", "layout"), [(3, "C"), (12, "F"), (24, "C"), (70, "C"), (30, "first columns")]
)
def test_softmax_in_one_pass(n_features, layout, n_classes) -> None:
    X, codes, weight, offset, coef, intercept = softmax_problem(
        sized(300, 60), n_features, n_classes
    )
    design = DenseDesign(LAYOUTS[layout](X))
    for weights in (None, weight):
        for fixed in (None, offset):
            targets = softmax_targets(codes, n_classes, weights, fixed)
            found = evaluated(design, targets, coef, intercept)
            assert_softmax(found, X, codes, weights, fixed, coef, intercept)
    assert design.n_passes == 4


@pytest.mark.parametrize("layout", ["C", "F"])
@pytest.mark.parametrize("n_samples", ROW_COUNTS)
def test_softmax_at_every_cut_into_blocks(n_samples, layout) -> None:
    X, codes, _, offset, coef, intercept = softmax_problem(n_samples, 9, 3)
    targets = softmax_targets(codes, 3, None, offset)
    found = evaluated(DenseDesign(LAYOUTS[layout](X)), targets, coef, intercept)
    assert_softmax(found, X, codes, None, offset, coef, intercept)


@pytest.mark.parametrize("n_features", [4, 19])
def test_softmax_of_float32_rows_and_of_standardised_ones(n_features) -> None:
    X, codes, weight, offset, coef, intercept = softmax_problem(sized(300, 60), n_features, 3)
    targets = softmax_targets(codes, 3, weight, offset)
    single = X.astype(np.float32)
    found = evaluated(DenseDesign(single), targets, coef, intercept)
    assert_softmax(found, single.astype(np.float64), codes, weight, offset, coef, intercept)
    columns = Columns(np.arange(n_features) / 2.0, np.linspace(0.2, 2.0, n_features))
    columns.inverse_scale[1] = 0.0
    found = evaluated(DenseDesign(X, columns=columns), targets, coef, intercept)
    seen = (X - columns.center) * columns.inverse_scale
    assert_softmax(found, seen, codes, weight, offset, coef, intercept)


@pytest.mark.parametrize("n_features", [5, 24])
@pytest.mark.parametrize("n_classes", [3, 4])
def test_softmax_models_next_to_each_other(n_features, n_classes) -> None:
    """Each with codes and weights of its own, or all with the same."""
    X, codes, weight, offset, coef, intercept = softmax_problem(
        sized(200, 60), n_features, n_classes, 3
    )
    design = DenseDesign(X)
    same = np.repeat(codes[:1], 3, axis=0)
    for given, weights in (
        (codes, weight),
        (codes, None),
        (codes, weight[:1]),
        (codes[:1], weight),
    ):
        targets = softmax_targets(given, n_classes, weights, offset)
        found = evaluated(design, targets, coef, intercept)
        own = codes if len(given) == 3 else same
        assert_softmax(found, X, own, weights, offset, coef, intercept)
    assert design.n_passes == 4


@pytest.mark.parametrize("layout", ["C", "F"])
def test_a_softmax_s_bits_do_not_depend_on_its_company(layout) -> None:
    X, codes, weight, offset, coef, intercept = softmax_problem(sized(300, 60), 24, 3, 3)
    design = DenseDesign(LAYOUTS[layout](X))
    together = evaluated(design, softmax_targets(codes, 3, weight, offset), coef, intercept)
    for model in range(3):
        outputs = slice(3 * model, 3 * model + 3)
        targets = softmax_targets(codes[model], 3, weight[model], offset)
        alone = evaluated(design, targets, coef[outputs], intercept[outputs])
        for one, many in zip(alone, together, strict=True):
            assert one.tobytes() == many[outputs].tobytes()


@pytest.mark.parametrize("layout", ["C", "F"])
def test_softmax_models_may_share_a_set_of_weights(layout) -> None:
    X, codes, weight, offset, coef, intercept = softmax_problem(sized(300, 60), 12, 3, 2)
    design = DenseDesign(LAYOUTS[layout](X))
    own = softmax_targets(codes, 3, weight[[1, 1]], offset)
    shared = softmax_targets(codes, 3, weight, offset)._replace(
        weight_set=readonly(np.ones(6, dtype=np.int64)), total_weight=own.total_weight
    )
    expected = evaluated(design, own, coef, intercept)
    for one, other in zip(evaluated(design, shared, coef, intercept), expected, strict=True):
        assert one.tobytes() == other.tobytes()


@pytest.mark.parametrize("n_models", [1, 2])
@pytest.mark.parametrize("n_classes", [3, 4])
@pytest.mark.parametrize(
    ("n_features", "layout"), [(3, "C"), (12, "F"), (24, "C"), (70, "C"), (1_030, "C")]
)
def test_products_with_the_softmax_hessian(n_features, layout, n_classes, n_models) -> None:
    X, codes, weight, offset, coef, intercept = softmax_problem(
        sized(300, 60), n_features, n_classes, n_models
    )
    design = DenseDesign(LAYOUTS[layout](X))
    targets = softmax_targets(codes, n_classes, weight, offset)
    curvature = evaluated(design, targets, coef, intercept)[-1]
    rng = np.random.default_rng(0)
    vectors, last = rng.standard_normal(coef.shape), rng.standard_normal(len(coef))
    found = design.hessian_product(
        plain_targets(MULTINOMIAL_PRODUCT, curvature, targets.total_weight, n_classes),
        vectors, last,
    )  # fmt: skip
    for model in range(n_models):
        outputs = slice(model * n_classes, (model + 1) * n_classes)
        expected = reference.multinomial_hessian_product(
            X, coef[outputs].T, intercept[outputs], vectors[outputs].T, last[outputs], 0.0,
            weight[model], offset,
        )  # fmt: skip
        np.testing.assert_allclose(found[0][outputs].T, expected[0], rtol=1e-10, atol=1e-14)
        np.testing.assert_allclose(found[1][outputs], expected[1], rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("n_features", [3, 24])
def test_twins_of_softmax_give_the_same_bits(n_features, monkeypatch) -> None:
    X, codes, weight, offset, coef, intercept = softmax_problem(sized(3000, 600), n_features, 4, 2)
    design, found = DenseDesign(X), set()
    targets = softmax_targets(codes, 4, weight, offset)
    for parallel in (False, True, True):
        force_twin(monkeypatch, parallel)
        parts = evaluated(design, targets, coef, intercept)
        product = design.hessian_product(
            plain_targets(MULTINOMIAL_PRODUCT, parts[-1], targets.total_weight, 4), coef, intercept
        )
        found.add(b"".join(part.tobytes() for part in (*parts, *product)))
    assert len(found) == 1


@pytest.mark.parametrize("n_features", [1, 10])
def test_softmax_of_raw_predictions_of_any_size(n_features) -> None:
    sizes = np.array([0.0, 1e-300, 1e-9, 1.0, 40.0, 700.0, 745.0, 1e3, 1e15, 1e300])
    X = np.zeros((2 * sizes.size, n_features))
    X[:, -1] = np.concatenate([sizes, -sizes])
    coef = np.repeat([[1.0], [-0.5], [1.0]], n_features, axis=1)  # the first and last are ties
    for code in range(3):
        codes = np.full((1, len(X)), code)
        with np.errstate(all="ignore"):  # for plain Python under NUMBA_DISABLE_JIT
            found = evaluated(DenseDesign(X), softmax_targets(codes, 3), coef, np.zeros(3))
        cost, slope, last = reference.multinomial_cost_gradient(X, codes[0], coef.T)
        assert found[0].sum() == pytest.approx(cost, rel=1e-14)
        np.testing.assert_allclose(found[1].T, slope, rtol=1e-14)
        np.testing.assert_allclose(found[2], last, rtol=1e-14)
        expected = reference.softmax(X @ coef.T).T
        np.testing.assert_allclose(found[3], expected, rtol=1e-14, atol=1e-322)


@pytest.mark.parametrize("n_features", [1, 10])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1.7976931348623157e308])
def test_a_softmax_cost_is_not_finite_where_a_raw_prediction_is_not(bad, n_features) -> None:
    X = np.ones((40, n_features))
    X[17, 0] = bad
    coef = np.repeat([[2.0], [0.0], [-2.0]], n_features, axis=1)
    for code in range(3):
        codes = np.full((1, 40), code)
        with np.errstate(all="ignore"):
            found = evaluated(DenseDesign(X), softmax_targets(codes, 3), coef, np.zeros(3))
        assert not np.isfinite(found[0].sum())


def test_a_row_of_weight_zero_is_silent_whatever_it_predicts() -> None:
    X, codes, _, _, coef, intercept = softmax_problem(60, 12, 3)
    weight = np.ones((1, 60))
    weight[0, 7] = 0.0
    other = X.copy()
    other[7] = 1e308
    targets = softmax_targets(codes, 3, weight)
    with np.errstate(all="ignore"):
        found = evaluated(DenseDesign(other), targets, coef, intercept)
    expected = evaluated(DenseDesign(X), targets, coef, intercept)
    for one, wanted in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, wanted)


# ------------------------------------------------------------------------------------------------
# What a pass says of each row: curvatures, and below them residuals


def row_state_of(design, targets, coef, intercept, n_lines):
    """Return the bytes of cost and gradients, and the row state of so many lines."""
    state, row_state = start_state(coef, intercept), np.full((n_lines, design.shape[0]), np.nan)
    design.evaluate(targets, Penalty(np.zeros((1, design.shape[1])), True), state, row_state)
    parts = (state.cost, state.gradient, state.intercept_gradient)
    return b"".join(part.tobytes() for part in parts), row_state


def assert_nothing_else_changes(design, targets, coef, intercept, row_state) -> None:
    """The same bits of cost, gradient and curvature as without residuals."""
    n_outputs = len(coef)
    with_both = row_state_of(design, targets, coef, intercept, 2 * n_outputs)
    curvature_only = row_state_of(design, targets, coef, intercept, n_outputs)
    assert with_both[0] == curvature_only[0]
    assert with_both[0] == row_state_of(design, targets, coef, intercept, 0)[0]
    assert with_both[1].tobytes() == row_state.tobytes()
    assert curvature_only[1].tobytes() == row_state[:n_outputs].tobytes()


@pytest.mark.parametrize("n_features", [3, 12, 70])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_residuals_of_binomial_models(layout, n_features) -> None:
    n_samples = sized(300, 70)
    X, _, _, _, weight = problem(n_samples, n_features)
    rng = np.random.default_rng(n_features)
    codes = rng.integers(0, 3, n_samples)
    weights = np.array([weight, weight[::-1] * (rng.random(n_samples) < 0.8), weight**2])
    offset = rng.standard_normal(n_samples)
    coef = rng.standard_normal((3, n_features)) / np.sqrt(n_features)
    intercept = np.array([0.5, -3.0, 30.0])  # the last ones are predicted well, where they are
    design = DenseDesign(LAYOUTS[layout](X))
    for given in (None, weights):
        for fixed in (None, offset):
            targets = binomial_targets(codes, (0, 1, 2), given)
            if fixed is not None:
                targets = targets._replace(offset=readonly(fixed[None]))
            found = row_state_of(design, targets, coef, intercept, 6)[1]
            for model in range(3):
                own = None if given is None else given[model]
                wanted = reference.residual(
                    X, codes == model, coef[model], intercept[model], own, fixed
                )
                np.testing.assert_allclose(found[3 + model], wanted, rtol=1e-12)
                z = X @ coef[model] + intercept[model] + (0.0 if fixed is None else fixed)
                curvature = reference.sigmoid(z) * reference.sigmoid(-z)
                curvature *= 1.0 if own is None else own
                # 1 - |residual| of a row that is predicted wrong is rounded as 1 is.
                np.testing.assert_allclose(found[model], curvature, rtol=1e-12, atol=2e-15)
            assert_nothing_else_changes(design, targets, coef, intercept, found)


@pytest.mark.parametrize("n_models", [1, 2])
@pytest.mark.parametrize("n_features", [3, 12, 70])
@pytest.mark.parametrize("layout", ["C", "F", "first columns", "big-endian"])
def test_residuals_of_softmax_models(layout, n_features, n_models) -> None:
    X, codes, weight, offset, coef, intercept = softmax_problem(
        sized(300, 60), n_features, 4, n_models
    )
    design = DenseDesign(LAYOUTS[layout](X))
    for given in (None, weight):
        for fixed in (None, offset):
            targets = softmax_targets(codes, 4, given, fixed)
            found = row_state_of(design, targets, coef, intercept, 8 * n_models)[1]
            for model in range(n_models):
                outputs = slice(4 * model, 4 * model + 4)
                wanted = reference.multinomial_residual(
                    X, codes[model], coef[outputs].T, intercept[outputs],
                    None if given is None else given[model], fixed,
                )  # fmt: skip
                residual = found[4 * n_models :][outputs]
                np.testing.assert_allclose(residual.T, wanted, rtol=1e-12)
            assert_nothing_else_changes(design, targets, coef, intercept, found)


@pytest.mark.parametrize("n_features", [3, 12, 70])
def test_residuals_of_float32_rows_and_of_standardised_ones(n_features) -> None:
    X, y, coef, intercept, weight = problem(sized(300, 70), n_features)
    coef, at = coef / np.sqrt(n_features), np.array([intercept])
    targets = binomial_targets(y, weight=weight)
    single = X.astype(np.float32)
    found = row_state_of(DenseDesign(single), targets, coef[None], at, 2)[1]
    wanted = reference.residual(single.astype(np.float64), y, coef, intercept, weight)
    np.testing.assert_allclose(found[1], wanted, rtol=1e-12)
    columns = Columns(np.arange(n_features) / 2.0, np.linspace(0.2, 2.0, n_features))
    found = row_state_of(DenseDesign(X, columns=columns), targets, coef[None], at, 2)[1]
    seen = (X - columns.center) * columns.inverse_scale
    wanted = reference.residual(seen, y, coef, intercept, weight)
    np.testing.assert_allclose(found[1], wanted, rtol=1e-11)


@pytest.mark.parametrize("layout", ["C", "F"])
@pytest.mark.parametrize("n_samples", ROW_COUNTS)
def test_residuals_at_every_cut_into_blocks(n_samples, layout) -> None:
    X, y, coef, intercept, weight = problem(n_samples, 9)
    design, targets = DenseDesign(LAYOUTS[layout](X)), binomial_targets(y, weight=weight)
    found = row_state_of(design, targets, coef[None], np.array([intercept]), 2)[1]
    wanted = reference.residual(X, y, coef, intercept, weight)
    np.testing.assert_allclose(found[1], wanted, rtol=1e-12)


@pytest.mark.parametrize(("n_features", "layout"), [(3, "C"), (24, "C"), (24, "F")])
def test_residuals_have_the_same_bits_in_both_twins(n_features, layout, monkeypatch) -> None:
    n_samples = sized(5000, 600)
    X, y, _, _, weight = problem(n_samples, n_features)
    codes = np.arange(n_samples) % 3
    design = DenseDesign(LAYOUTS[layout](X))
    coef = np.random.default_rng(0).standard_normal((3, n_features))
    for targets in (
        binomial_targets(y, (1, 0, 1), weight),
        softmax_targets(codes, 3, weight),
    ):
        found = set()
        for parallel in (False, True, True):
            force_twin(monkeypatch, parallel)
            bits, row_state = row_state_of(design, targets, coef, np.zeros(3), 6)
            assert not np.isnan(row_state).any()
            found.add(bits + row_state.tobytes())
        assert len(found) == 1


@pytest.mark.parametrize("layout", ["C", "F"])
def test_a_row_of_weight_zero_has_residual_zero_whatever_it_predicts(layout) -> None:
    X, y, coef, intercept, weight = problem(60, 12)
    X[7], weight[7] = 1e308, 0.0
    with np.errstate(all="ignore"):
        found = row_state_of(
            DenseDesign(LAYOUTS[layout](X)), binomial_targets(y, weight=weight), 10 * coef[None],
            np.array([intercept]), 2,
        )[1]  # fmt: skip
    assert found[:, 7].tolist() == [0.0, 0.0]
    assert (np.delete(found[1], 7) != 0.0).all()
