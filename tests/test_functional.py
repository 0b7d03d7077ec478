"""The functional front end: cost and gradient of given coefficients, against the oracle."""

import numpy as np
import pytest
from bad_input import (
    BOTH,
    X0,
    Y0,
    assert_refused,
    case_id,
    forbid_passes,
    named,
    poisoned,
)
from problems import (
    TWO_THREADS,
    DataFrame,
    assert_value_gradient,
    memory_mapped,
    problem,
    sized,
)

import fastlogit
from fastlogit import reference


@pytest.mark.parametrize("l2_reg", [0.0, 0.7])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (40, 1), (5, 40), (300, 12)])
def test_cost_and_gradient(shape, weighted, l2_reg) -> None:
    X, y, coef, intercept, weight = problem(*shape)
    options = {"l2_reg": l2_reg, "sample_weight": weight if weighted else None}
    found = fastlogit.cost_gradient(X, y, coef, intercept, **options)
    assert_value_gradient(found, X, y, coef, intercept, l2_reg, options["sample_weight"])
    assert fastlogit.cost(X, y, coef, intercept, **options) == found[0]
    assert type(found[0]) is type(found[2]) is float
    assert found[1].shape == coef.shape
    assert found[1].dtype == np.float64


@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint64, np.float32, ">f8", ">i2", object])
def test_targets_may_be_of_any_number_type(dtype) -> None:
    X, y, coef, intercept, _ = problem(60, 5)
    expected = fastlogit.cost(X, y, coef, intercept)
    assert fastlogit.cost(X, y.astype(dtype), coef, intercept) == expected
    assert fastlogit.cost(X, y.tolist(), coef.tolist(), intercept) == expected


def test_lists_frames_and_maps(tmp_path) -> None:
    X, y, coef, intercept, weight = problem(60, 12)
    expected = fastlogit.cost(X, y, coef, intercept, sample_weight=weight)
    frame = DataFrame(X, [f"c{k}" for k in range(12)])
    for given in (X.tolist(), frame, memory_mapped(X, tmp_path)):
        assert fastlogit.cost(given, y, coef, intercept, sample_weight=list(weight)) == expected


@pytest.mark.parametrize("dtype", [np.float32, ">f8", np.int32])
def test_weights_of_any_number_type(dtype) -> None:
    X, y, coef, intercept, weight = problem(60, 5)
    weight = (weight * 8.0).astype(dtype)
    found = fastlogit.cost_gradient(X, y, coef, intercept, sample_weight=weight)
    assert_value_gradient(found, X, y, coef, intercept, weight=weight)


def test_weight_two_is_the_row_twice_and_weight_zero_the_row_left_out() -> None:
    X, y, coef, intercept, _ = problem(120, 6)
    weight = np.resize([0.0, 1.0, 2.0, 3.0], 120)
    repeated = np.repeat(np.arange(120), weight.astype(int))
    found = fastlogit.cost_gradient(X, y, coef, intercept, sample_weight=weight)
    wanted = fastlogit.cost_gradient(X[repeated], y[repeated], coef, intercept)
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("n_features", [3, 12])
def test_offset_and_strengths_of_columns(n_features) -> None:
    X, y, coef, intercept, weight = problem(90, n_features)
    offset, strengths = X[:, 0] ** 2 - 1.0, np.linspace(0.0, 2.0, n_features)
    found = fastlogit.cost_gradient(
        X, y, coef, intercept, l2_reg=strengths, sample_weight=weight, offset=offset
    )
    expected = reference.cost_gradient(X, y, coef, intercept, strengths, weight, offset)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("own_weights", [False, True])
@pytest.mark.parametrize("own_targets", [False, True])
@pytest.mark.parametrize("n_features", [3, 12])
def test_several_models_in_one_call(n_features, own_targets, own_weights) -> None:
    X, y, _, _, weight = problem(90, n_features)
    rng = np.random.default_rng(7)
    coef, intercept = rng.standard_normal((n_features, 4)), rng.standard_normal(4)
    targets = rng.integers(0, 2, (90, 4)) if own_targets else y
    weights = rng.uniform(0.0, 2.0, (90, 4)) if own_weights else weight
    found = fastlogit.cost_gradient(X, targets, coef, intercept, l2_reg=0.3, sample_weight=weights)
    values = fastlogit.cost(X, targets, coef, intercept, l2_reg=0.3, sample_weight=weights)
    np.testing.assert_array_equal(values, found[0])
    assert [part.shape for part in found] == [(4,), (n_features, 4), (4,)]
    for k in range(4):
        alone = (found[0][k], found[1][:, k], found[2][k])
        target, one_weight = (
            targets[:, k] if own_targets else y,
            weights[:, k] if own_weights else weight,
        )
        assert_value_gradient(alone, X, target, coef[:, k], intercept[k], 0.3, one_weight)


def test_one_intercept_for_all_models() -> None:
    X, y, coef, _, _ = problem(60, 5)
    together = fastlogit.cost(X, y, np.column_stack([coef, -coef]), 0.5)
    np.testing.assert_allclose(
        together, [fastlogit.cost(X, y, coef, 0.5), fastlogit.cost(X, y, -coef, 0.5)], rtol=1e-14
    )


def test_any_number_of_threads_gives_the_same_bits() -> None:
    X, y = problem(sized(40_000, 300), 30)[:2]
    found = {fastlogit.cost_gradient(X, y, X[0], n_threads=count)[0] for count in (1, TWO_THREADS)}
    assert len(found) == 1


# ------------------------------------------------------------------------------------------------
# Bad input

TARGETS01 = [
    (np.array([0, 1, 2, 0, 1, 1]), ValueError, ["y must hold 0 and 1 only", "2 (row 2)"]),
    (np.array([-1, 1, 1, 1, 1, 1]), ValueError, ["y must hold 0 and 1 only", "-1 (row 0)"]),
    (np.array([0, 0.5, 1, 1, 1, 1]), ValueError, ["found 0.5 (row 1)", "y == positive_label"]),
    (np.array(list("aabbaa")), ValueError, ["y must hold 0 and 1 only", "'a' (row 0)"]),
]
ONLY_COST = [
    ({"coef": [1.0, 2.0, 3.0]}, ValueError, ["coef has shape (3,)", "X has 2 columns"]),
    ({"coef": np.ones((2, 1, 1))}, ValueError, ["coef has shape (2, 1, 1)", "(2, n_models)"]),
    ({"coef": [1.0, np.inf]}, ValueError, ["coef contains NaN or infinity"]),
    ({"coef": ["a", "b"]}, TypeError, ["coef must hold real numbers"]),
    ({"intercept": np.nan}, ValueError, ["intercept contains NaN or infinity"]),
    ({"intercept": "0"}, TypeError, ["intercept must hold real numbers"]),
    ({"intercept": [1.0, 2.0]}, ValueError, ["intercept has 2 values for 1 models"]),
    ({"l2_reg": -1.0}, ValueError, ["l2_reg must be finite and >= 0", "-1.0"]),
    ({"l2_reg": [1.0, -0.5]}, ValueError, ["l2_reg is negative for column 1: -0.5"]),
    ({"l2_reg": [1.0]}, ValueError, ["l2_reg has shape (1,)", "2 columns", "(2,)"]),
    ({"offset": [1.0]}, ValueError, ["offset has shape (1,)", "6 rows", "(6,)"]),
    ({"y": np.zeros((6, 3))}, ValueError, ["y has 3 columns for 1 models"]),
    ({"y": np.ma.masked_equal(np.zeros((6, 1)), 1)}, TypeError, ["y is a masked array"]),
    ({"sample_weight": np.ones((6, 2))}, ValueError, ["sample_weight has 2 columns for 1 models"]),
    (
        {"sample_weight": np.ma.masked_equal(np.ones((6, 1)), 0)},
        TypeError,
        ["sample_weight is a masked array"],
    ),
    (
        {"coef": np.ones((2, 2)), "sample_weight": np.array([[1.0, -2.0]] * 6)},
        ValueError,
        ["sample_weight is negative: -2.0 (row 0)"],
    ),
    ({"n_threads": 0}, ValueError, ["n_threads must be between 1 and"]),
]
# A single column of targets or weights is that of the single model.
ONE_COLUMN = {"y must have 1 dimension, found 2", "sample_weight must have 1 dimension, found 2"}


@pytest.fixture
def _no_pass(monkeypatch) -> None:
    forbid_passes(monkeypatch)


@pytest.mark.usefixtures("_no_pass")
@pytest.mark.parametrize(
    ("change", "error", "words"),
    [case for case in BOTH + named("y", TARGETS01) + ONLY_COST if case[2][0] not in ONE_COLUMN],
    ids=case_id,
)
@pytest.mark.parametrize("call", [fastlogit.cost, fastlogit.cost_gradient])
def test_bad_input_of_a_cost(call, change, error, words) -> None:
    assert_refused(call, {"X": X0, "y": Y0, "coef": [1.0, 2.0]} | change, error, words)


def test_the_first_nan_or_infinity_is_named() -> None:
    for value, what in ((np.nan, "NaN"), (np.inf, "infinity"), (-np.inf, "infinity")):
        X = poisoned(value)
        for call in (fastlogit.cost, fastlogit.cost_gradient):
            for coef in ([0.0, 1.0], [0.0, 0.0], np.ones((2, 3))):
                with (
                    np.errstate(all="ignore"),
                    pytest.raises(ValueError, match=rf"X contains {what} in column 1 \(row 4\); "),
                ):
                    call(X, Y0, coef)


@pytest.mark.parametrize("size", [1e-300, 1e300])
def test_weights_of_any_size_have_the_cost_of_moderate_ones(size) -> None:
    X = np.array([[1e8], [-1e8], [3.0]])
    y, weight = [0, 1, 1], np.array([1.0, 2.0, 0.5])
    wanted = fastlogit.cost_gradient(X, y, [1.0], 0.5, sample_weight=weight)
    found = fastlogit.cost_gradient(X, y, [1.0], 0.5, sample_weight=weight * size)
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-14)
