"""The minimum of a quadratic function plus L1, by its optimality conditions."""

from dataclasses import replace

import numpy as np
import pytest

from fastlogit.solvers import quadratic_model
from fastlogit.solvers.quadratic_model import SMALL_FACE, Corners, Face, QuadraticModel


def minimize_model(matrix, slopes, start, l1):
    return QuadraticModel(matrix, Corners.of_l1(l1)).minimum(slopes, start)


def assert_least(matrix, slopes, start, l1, found, atol=1e-10) -> None:
    there = slopes + matrix @ (found - start)
    curved = np.diag(matrix) > 0.0
    used = (found != 0.0) & curved
    size = np.abs(slopes).max() + 1.0
    assert (np.abs(there + l1 * np.sign(found))[used] <= atol * size).all()
    assert (np.abs(there[~used & curved]) <= l1[~used & curved] + atol * size).all()
    np.testing.assert_array_equal(found[~curved], start[~curved])


@pytest.mark.parametrize("size", [1, 5, 40])
@pytest.mark.parametrize("noise", [1.0, 1e-2, 1e-4])
def test_optimality_of_columns_alike(rng, size, noise) -> None:
    common = rng.normal(size=(100, 1))
    rows = common + noise * rng.normal(size=(100, size))
    matrix, slopes = rows.T @ rows / 100, rng.normal(size=size)
    start = np.where(rng.random(size) < 0.5, 0.0, rng.normal(size=size))
    for strength in (1e-3, 0.1, 1.0):
        l1 = np.full(size, strength)
        l1[0] = 0.0
        found = minimize_model(matrix, slopes, start, l1)
        if noise >= 1e-2 or size == 1:
            assert_least(matrix, slopes, start, l1, found, 1e-7)
        value = slopes @ (found - start) + l1 @ np.abs(found)
        value += 0.5 * (found - start) @ matrix @ (found - start)
        assert value <= l1 @ np.abs(start) + 1e-12


def test_duplicates_get_one_coefficient(rng) -> None:
    rows = rng.normal(size=(50, 3))[:, [0, 1, 1, 2, 0]]
    matrix, slopes = rows.T @ rows / 50, rows.T @ rng.normal(size=50) / 5
    l1 = np.full(5, 0.01)
    for start in (np.zeros(5), np.ones(5)):
        found = minimize_model(matrix, slopes, start, l1)
        assert_least(matrix, slopes, start, l1, found)


def test_without_l1_it_is_a_linear_system(rng) -> None:
    rows = rng.normal(size=(50, 6))
    matrix, slopes = rows.T @ rows, rng.normal(size=6)
    found = minimize_model(matrix, slopes, np.zeros(6), np.zeros(6))
    np.testing.assert_allclose(found, np.linalg.solve(matrix, -slopes), rtol=1e-10)


def test_strong_l1_leaves_nothing_and_what_has_no_curvature_stays() -> None:
    matrix = np.diag([1.0, 2.0, 0.0])
    found = minimize_model(
        matrix, np.array([0.5, -0.3, 7.0]), np.array([0.0, 0.1, 4.0]), np.array([1.0, 1.0, 0.0])
    )
    np.testing.assert_array_equal(found, [0.0, 0.0, 4.0])


def test_it_asks_for_time_and_ends_where_there_is_none(rng) -> None:
    rows = rng.normal(size=(50, 1)) + 0.1 * rng.normal(size=(50, 6))
    asked = []
    model = QuadraticModel(rows.T @ rows, Corners.of_l1(np.full(6, 0.1)), asked.append)
    model.minimum(rows.T @ rng.normal(size=50), np.zeros(6))
    assert asked[0] == 0.0 < max(asked)

    def refuse(seconds):
        raise TimeoutError

    with pytest.raises(TimeoutError):
        QuadraticModel(rows.T @ rows, Corners.of_l1(np.full(6, 0.1)), refuse).minimum(
            np.ones(6), np.zeros(6)
        )


@pytest.mark.parametrize("size", [1, 6, 40])
@pytest.mark.parametrize("l1", [0.0, 0.1])
@pytest.mark.parametrize(("lower", "upper"), [(0.0, np.inf), (-0.1, 0.1), (0.2, 0.5), (-1.0, -1.0)])
def test_the_minimum_within_bounds(rng, size, l1, lower, upper) -> None:
    rows = rng.normal(size=(60, 1)) + rng.normal(size=(60, size))
    matrix, slopes = rows.T @ rows / 60, rng.normal(size=size)
    low, high = np.full(size, lower), np.full(size, upper)
    low[-1], high[-1] = -np.inf, np.inf
    corners = Corners(np.full(size, l1), low, high)
    start = np.clip(rng.normal(size=size), low, high)
    found = QuadraticModel(matrix, corners).minimum(slopes, start)
    assert ((low <= found) & (found <= high)).all()
    there = slopes + matrix @ (found - start)
    # A little up, and a little down, the function does not fall.
    up = there + l1 * np.where(found < 0.0, -1.0, 1.0)
    down = there + l1 * np.where(found > 0.0, 1.0, -1.0)
    assert (up[found < high] >= -1e-9).all()
    assert (down[found > low] <= 1e-9).all()


def test_those_that_a_linear_system_carries_past_a_corner_stay_there(rng, monkeypatch) -> None:
    size, made = SMALL_FACE + 40, []
    rows = rng.normal(size=(3 * size, size))
    matrix, l1 = rows.T @ rows / len(rows), np.full(size, 0.01)
    best = rng.choice([-1.0, 1.0], size) * rng.uniform(0.5, 1.0, size)
    best[:6] = 0.0
    slopes = -matrix @ best - l1 * np.sign(best)
    start = best.copy()
    start[:6] = 0.3  # on the wrong side: they should come to 0
    before = Face.__init__
    monkeypatch.setattr(Face, "__init__", lambda *given: (made.append(1), before(*given))[1])
    model = QuadraticModel(matrix, Corners.of_l1(l1))
    coef, there = start.copy(), slopes + matrix @ start
    assert model._settle(coef, there)
    assert made == [1]
    np.testing.assert_array_equal(coef[:6], 0.0)
    np.testing.assert_allclose(coef, best, atol=1e-12)
    np.testing.assert_allclose(there, slopes + matrix @ coef, atol=1e-12)


def test_many_that_pass_corners_are_left_to_coordinate_descent(rng, monkeypatch) -> None:
    monkeypatch.setattr("fastlogit.solvers.quadratic_model.MOST_HELD", 2)
    size = SMALL_FACE + 10
    rows = rng.normal(size=(3 * size, size))
    matrix, l1 = rows.T @ rows / len(rows), np.full(size, 0.05)
    slopes, start = 0.2 * rng.normal(size=size), rng.normal(size=size)
    assert_least(matrix, slopes, start, l1, minimize_model(matrix, slopes, start, l1), 1e-9)


def test_columns_that_others_explain_take_fewer_sweeps(monkeypatch) -> None:
    """Their signs change by rounding errors for long: a linear system ends it."""
    n_calls, whole = [], quadratic_model.descend.serial

    def count(*given):
        n_calls[-1] += 1
        return whole(*given)

    monkeypatch.setattr(quadratic_model, "descend", replace(quadratic_model.descend, serial=count))
    for patience in (1000, quadratic_model.PATIENCE):
        monkeypatch.setattr(quadratic_model, "PATIENCE", patience)
        n_calls.append(0)
        for seed in range(4):
            rng = np.random.default_rng(seed)
            marks = (rng.random((60, 6)) < 0.4) * 1.0
            pairs = marks[:, :3] * marks[:, 3:], marks[:, :3] * (1.0 - marks[:, 3:])
            rows = np.hstack([marks, 1.0 - marks, *pairs])
            rows -= rows.mean(axis=0)
            matrix, slopes = rows.T @ rows / 60, rows.T @ rng.normal(size=60) / 8
            start, l1 = np.zeros(len(matrix)), np.full(len(matrix), 0.02)
            found = minimize_model(matrix, slopes, start, l1)
            assert_least(matrix, slopes, start, l1, found, 1e-8)
    assert n_calls[1] <= n_calls[0]
