"""Ends of intervals on convex functions whose ends are known."""

from typing import Any

import numpy as np
import pytest
from scipy.special import expit

from fastlogit.inference.roots import level_ends, outer_root, profile_end


class Quadratic:
    """Half the squared distance from 0."""

    def evaluate(self, points: Any) -> Any:
        return 0.5 * np.square(points).sum(axis=1), points.copy()

    def hessian(self, point: Any) -> Any:
        return np.eye(len(point))


class Skewed:
    """exp(x) - x - 1 of each coordinate: steep on one side, nearly straight on the other."""

    def __init__(self) -> None:
        self.n_hessians = 0

    def evaluate(self, points: Any) -> Any:
        return (np.exp(points) - points - 1.0).sum(axis=1), np.exp(points) - 1.0

    def hessian(self, point: Any) -> Any:
        self.n_hessians += 1
        return np.diag(np.exp(point))


def test_of_a_quadratic_function_the_first_step_is_there() -> None:
    directions = np.array([[3.0, 4.0], [-1.0, 0.0]])
    ends = level_ends(Quadratic(), directions, 2.0, 1e-12)
    np.testing.assert_allclose(ends.values, [10.0, 2.0], rtol=1e-14)
    np.testing.assert_allclose(ends.points, [[1.2, 1.6], [-2.0, 0.0]], rtol=1e-14)
    assert ends.errors.max() <= 1e-12


@pytest.mark.parametrize("level", [0.01, 2.0, 40.0])
def test_ends_of_a_skewed_function(level: float) -> None:
    """Along one coordinate the other stays at 0, where exp(x) - x - 1 is the level."""
    directions = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, -2.0], [1.0, 1.0], [-1.0, -1.0]])
    ends = level_ends(Skewed(), directions, level, 1e-12)
    assert ends.errors.max() <= 1e-12

    def root(level: float, side: float) -> float:
        x = side * np.sqrt(2.0 * level) if level < 1.0 else side * np.log(level + 2.0)
        for _ in range(200):
            x -= (np.exp(x) - x - 1.0 - level) / (np.exp(x) - 1.0)
        return float(x)

    wanted = [
        root(level, 1.0), -root(level, -1.0), -2.0 * root(level, -1.0),
        2.0 * root(0.5 * level, 1.0), -2.0 * root(0.5 * level, -1.0),
    ]  # fmt: skip
    np.testing.assert_allclose(ends.values, wanted, rtol=1e-10)


def test_nearly_quadratic_functions_take_no_hessian() -> None:
    function = Skewed()
    level_ends(function, np.eye(3), 1e-6, 1e-13)
    assert function.n_hessians == 0


def test_one_end_by_search_is_that_of_many() -> None:
    unit = np.array([0.6, -0.8])
    point, off = profile_end(Skewed(), unit, 1.5, np.zeros(2), 1e-12)
    assert off <= 1e-12
    ends = level_ends(Skewed(), unit[None], 1.5, 1e-12)
    assert unit @ point == pytest.approx(ends.values[0], rel=1e-10)


def test_ends_from_a_point_that_is_no_optimum() -> None:
    """Of a function that falls for ever to one side the other end is found all the same."""

    class Falling:
        def evaluate(self, points: Any) -> Any:
            return np.logaddexp(0.0, -points[:, 0]), -expit(-points)

        def hessian(self, point: Any) -> Any:
            return (expit(point) * expit(-point))[:, None]

    point, off = profile_end(Falling(), np.array([-1.0]), 0.7, np.array([25.0]), 1e-12)
    assert off <= 1e-12
    assert point[0] == pytest.approx(-np.log(np.expm1(0.7)), rel=1e-10)


def test_a_bracketed_root_is_found_from_afar() -> None:
    def at(value: float) -> tuple[float, float]:
        return float(np.expm1(value) - value), float(np.expm1(value))

    value, off = outer_root(at, 0.0, 1e-3, 1e6, 1e-9)
    assert at(value)[0] == pytest.approx(1e6, rel=1e-12)
    assert off <= 1e-9


def test_what_has_no_end_is_refused() -> None:
    with pytest.raises(ValueError, match="end of a profile interval was not found"):
        outer_root(lambda value: (1.0 - np.exp(-value), float(np.exp(-value))), 0.0, 1.0, 2.0, 1e-9)
