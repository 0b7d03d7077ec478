"""Conjugate gradients for several equations at once."""

import numpy as np
import pytest

from fastlogit.linalg.conjugate_gradients import ConjugateGradients

RNG = np.random.default_rng(0)


def equations(n_equations=3, size=6):
    roots = RNG.normal(size=(n_equations, 2 * size, size))
    return np.einsum("kij,kil->kjl", roots, roots), RNG.normal(size=(n_equations, size))


def products(matrices, vectors):
    return np.einsum("kij,kj->ki", matrices, vectors)


def test_as_many_steps_as_unknowns_solve_each_equation() -> None:
    matrices, right = equations()
    found = ConjugateGradients(right.copy(), lambda which, vectors: vectors)
    everyone = np.arange(3)
    for _ in range(6):
        found.step(everyone, products(matrices, found.direction))
    np.testing.assert_allclose(products(matrices, found.solution), right, atol=1e-9)
    np.testing.assert_allclose(found.residual, 0.0, atol=1e-9)


def test_the_inverse_as_preconditioner_takes_one_step() -> None:
    matrices, right = equations()
    inverses = np.linalg.inv(matrices)
    found = ConjugateGradients(
        right.copy(), lambda which, vectors: products(inverses[which], vectors)
    )
    found.step(np.arange(3), products(matrices, found.direction))
    np.testing.assert_allclose(products(matrices, found.solution), right, atol=1e-9)


def test_a_preconditioned_right_hand_side_that_is_known_is_not_asked_for() -> None:
    matrices, right = equations()
    inverses = np.linalg.inv(matrices) + 0.1 * np.eye(6)
    calls = []

    def precondition(which, vectors):
        calls.append(which)
        return products(inverses[which], vectors)

    asked = ConjugateGradients(right.copy(), precondition)
    told = ConjugateGradients(right.copy(), precondition, products(inverses, right))
    assert len(calls) == 1
    for found in (asked, told):
        found.step(np.arange(3), products(matrices, found.direction))
    np.testing.assert_array_equal(told.solution, asked.solution)
    np.testing.assert_array_equal(told.direction, asked.direction)


def test_equations_that_take_no_part_stay() -> None:
    matrices, right = equations()
    both = ConjugateGradients(right.copy(), lambda which, vectors: vectors)
    some = ConjugateGradients(right.copy(), lambda which, vectors: vectors)
    for _ in range(3):
        both.step(np.arange(3), products(matrices, both.direction))
        live = np.array([0, 2])
        some.step(live, products(matrices[live], some.direction[live]))
    np.testing.assert_array_equal(some.solution[[0, 2]], both.solution[[0, 2]])
    assert not some.solution[1].any()
    np.testing.assert_array_equal(some.residual[1], right[1])


def test_what_is_minimised_falls_with_each_step() -> None:
    matrices, right = equations(2, 30)
    diagonal = np.einsum("kii->ki", matrices)
    found = ConjugateGradients(right.copy(), lambda which, vectors: vectors / diagonal[which])
    last = np.zeros(2)
    for _ in range(12):
        found.step(np.arange(2), products(matrices, found.direction))
        value = 0.5 * (found.solution * products(matrices, found.solution)).sum(axis=1)
        value -= (found.solution * right).sum(axis=1)
        assert (value < last).all()
        last = value


@pytest.mark.parametrize("right", [[1.0, 0.0], [0.0, 1.0]])
def test_a_direction_without_curvature_ends_it(right) -> None:
    """Of a singular matrix: what can be solved is, and the rest does no harm."""
    matrix, right = np.diag([2.0, 0.0])[None], np.array([right])
    found = ConjugateGradients(right.copy(), lambda which, vectors: vectors)
    for _ in range(4):
        found.step(np.zeros(1, int), products(matrix, found.direction))
    np.testing.assert_allclose(found.solution, right * [0.5, 0.0])
    assert found.size[0] == 0.0
