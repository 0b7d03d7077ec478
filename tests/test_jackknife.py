"""The jackknife of one Newton step against fits without each unit."""

import pickle
from typing import Any

import numpy as np
import pytest

from fastlogit import reference
from fastlogit.resampling.jackknife import Jackknife, Sampled

RNG = np.random.default_rng(2)
N_ROWS = 120
X = RNG.standard_normal((N_ROWS, 2)) * [1.0, 10.0] + [0.0, 50.0]
Y = (X @ [0.8, 0.05] - 2.5 + RNG.logistic(size=N_ROWS) > 0.0).astype(np.uint8)
WEIGHTS = RNG.uniform(0.5, 2.0, N_ROWS)
CLUSTERS = RNG.integers(0, 25, N_ROWS).astype(np.int32)


def exact(of_row: Any, weights: Any, l2_reg: float, by_weight: bool) -> Any:
    """Fits without each unit, to the optimum."""
    found = []
    for unit in range(of_row.max() + 1):
        own = np.where(of_row == unit, 0.0, weights)
        strength = l2_reg * (weights.sum() / own.sum() if by_weight else 1.0)
        coef, level, _ = reference.newton(X, Y, l2_reg=strength, sample_weight=own)
        found.append(np.append(coef, level))
    return np.array(found)


@pytest.mark.parametrize("by_weight", [True, False])
@pytest.mark.parametrize("of_row", [np.arange(N_ROWS, dtype=np.int32), CLUSTERS], ids=len)
@pytest.mark.parametrize("given", [False, True])
def test_a_step_is_near_the_fit_without_each_unit(
    of_row: Any, given: bool, by_weight: bool
) -> None:
    weights, l2_reg = WEIGHTS if given else np.ones(N_ROWS), 0.03
    coef, level, _ = reference.newton(X, Y, l2_reg=l2_reg, sample_weight=weights)
    rows = Sampled(
        X, Y, weights if given else np.empty(0), np.empty(0), of_row, int(of_row.max()) + 1,
        coef, level,
    )  # fmt: skip
    found = Jackknife([rows], np.full(2, l2_reg), by_weight, True)
    wanted = exact(of_row, weights, l2_reg, by_weight)
    moved, error = wanted - np.append(coef, level), found.parameters - wanted
    assert (np.linalg.norm(error, axis=0) < 0.06 * np.linalg.norm(moved, axis=0)).all()
    again = pickle.loads(pickle.dumps(found))
    np.testing.assert_array_equal(again.parameters, found.parameters)


def test_an_offset_is_what_the_intercept_is() -> None:
    coef, level, _ = reference.newton(X, Y)
    of_row = np.arange(N_ROWS, dtype=np.int32)
    none = np.empty(0)
    plain = Sampled(X, Y, none, none, of_row, N_ROWS, coef, level)
    shifted = plain._replace(offset=np.full(N_ROWS, level - 1.0), intercept=1.0)
    held = shifted._replace(offset=np.full(N_ROWS, level), intercept=0.0)
    found = [
        Jackknife([rows], np.zeros(2), True, fits).parameters
        for rows, fits in ((plain, True), (shifted, True), (held, False))
    ]
    np.testing.assert_allclose(found[1][:, :2], found[0][:, :2], rtol=1e-9)
    np.testing.assert_allclose(found[1][:, 2] + level - 1.0, found[0][:, 2], rtol=1e-9)
    # A held intercept moves with no unit.
    np.testing.assert_array_equal(found[2][:, 2], 0.0)


def test_several_models_are_side_by_side() -> None:
    coef, level, _ = reference.newton(X, Y)
    none = np.empty(0)
    one = Sampled(X, Y, none, none, np.arange(N_ROWS, dtype=np.int32), N_ROWS, coef, level)
    other = one._replace(codes=1 - Y, coef=-coef, intercept=-level)
    found = Jackknife([one, other], np.zeros(2), True, True).parameters
    assert found.shape == (N_ROWS, 3, 2)
    np.testing.assert_allclose(found[..., 0], -found[..., 1], rtol=1e-9)


def test_a_cluster_with_a_column_to_itself() -> None:
    """Without it that column does not vary: its step is by the Hessian of all."""
    rows = np.column_stack([X, CLUSTERS == 3])
    coef, level, _ = reference.newton(rows, Y, l2_reg=1e-3)
    none = np.empty(0)
    model = Sampled(rows, Y, none, none, CLUSTERS, 25, coef, level)
    found = Jackknife([model], np.zeros(3), True, True).parameters
    assert np.isfinite(found).all()
