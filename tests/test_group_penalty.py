"""The lengths of groups of columns as a penalty."""

import numpy as np
import pytest

from fastlogit import reference
from fastlogit.objective.group_penalty import GroupL1, length_hessian

LABELS = np.array([2, 0, 2, 1, 0])
STRENGTHS = np.array([0.5, 0.2, 0.9])


@pytest.fixture(params=[1, 3])
def penalty(request):
    return GroupL1(STRENGTHS[LABELS], LABELS, request.param)


def test_value_and_slopes_are_those_of_the_formula(rng, penalty) -> None:
    coef = rng.normal(size=(penalty.n_classes, 5))
    coef[:, 3] = 0.0
    assert penalty.value(coef).sum() == pytest.approx(
        reference.group_lasso_penalty(coef.T, LABELS, STRENGTHS), rel=1e-14
    )
    np.testing.assert_array_equal(penalty.value(coef)[1:], 0.0)
    for size in (0.01, 1.0):
        slopes = size * rng.normal(size=coef.shape)
        np.testing.assert_allclose(
            penalty.least_slopes(coef, slopes).T,
            reference.group_lasso_slopes(slopes.T, coef.T, LABELS, STRENGTHS),
            atol=1e-14,
        )
    np.testing.assert_array_equal(penalty.corners(coef), np.tile(LABELS == 1, (len(coef), 1)))
    tiny = penalty.lengths(coef * 1e-200)
    np.testing.assert_allclose(tiny, penalty.lengths(coef) * 1e-200, rtol=1e-13)


def test_the_prox_is_a_minimum(rng, penalty) -> None:
    coef = rng.normal(size=(penalty.n_classes, 5))
    found = penalty.prox(coef, 0.7)

    def value(b):
        return 0.5 * np.square(b - coef).sum() + 0.7 * penalty.value(b).sum()

    for _ in range(20):
        assert value(found) <= value(found + 1e-3 * rng.normal(size=coef.shape))
    assert not penalty.prox(1e-3 * coef, 10.0).any()


def test_conjugate(rng, penalty) -> None:
    slopes = rng.normal(size=(penalty.n_classes, 5))
    lengths = penalty.lengths(slopes)
    small = slopes / (lengths / (0.99 * STRENGTHS))[0, LABELS]
    assert penalty.conjugate(small).sum() == 0.0
    assert penalty.conjugate(1.1 * small).sum() == np.inf


def test_scales_factors_and_columns(rng, penalty) -> None:
    scale = penalty.uniform(np.array([2.0, 3.0, 1.0, 0.0, 4.0]))
    np.testing.assert_array_equal(scale, [1.0, 3.0, 1.0, 0.0, 3.0])
    coef = rng.normal(size=(penalty.n_classes, 5)) * (scale > 0.0)
    np.testing.assert_allclose(
        penalty.scaled(scale).value(coef), penalty.value(coef * scale), rtol=1e-13
    )
    np.testing.assert_allclose(penalty.times(3.0).value(coef), 3.0 * penalty.value(coef))
    columns = np.array([0, 2, 3])
    part = penalty.of_columns(columns)
    some = np.zeros_like(coef)
    some[:, columns] = coef[:, columns]
    np.testing.assert_allclose(part.value(coef[:, columns]), penalty.value(some), rtol=1e-13)
    with pytest.raises(NotImplementedError, match="allowed together"):
        penalty.allowed(coef)


def test_strengths_of_several_models() -> None:
    penalty = GroupL1(np.array([[1.0, 1.0], [3.0, 3.0]]), np.array([0, 0]))
    coef = np.array([[3.0, 4.0], [0.0, 1.0]])
    np.testing.assert_allclose(penalty.value(coef), [5.0, 3.0])
    np.testing.assert_allclose(penalty.of_outputs(np.array([1])).value(coef[1:]), [3.0])


def test_the_hessian_of_lengths(rng) -> None:
    starts, strengths = np.array([0, 3, 4, 6]), np.array([0.7, 0.3, 0.5])
    coef = rng.normal(size=6)
    coef[4:] = 0.0
    found = length_hessian(coef, starts, strengths)

    def slopes(b):
        return 0.7 * b[:3] / np.linalg.norm(b[:3])

    for i in range(3):
        way = np.eye(6)[i] * 1e-6
        change = (slopes(coef + way) - slopes(coef - way)) / 2e-6
        np.testing.assert_allclose(found[i, :3], change, atol=1e-8)
    assert not found[3:].any()


@pytest.mark.parametrize("n_classes", [1, 3])
def test_models_of_other_strengths(rng, n_classes) -> None:
    each = np.array([[1.0], [0.1], [3.0]]) * STRENGTHS[LABELS]
    several = GroupL1(each, LABELS, n_classes)
    assert several.n_sets == 3 * n_classes
    assert several.of_groups.shape == (3, 3)
    coef, slopes = rng.normal(size=(2, 3 * n_classes, 5))
    for model in range(3):
        outputs = model * n_classes + np.arange(n_classes)
        one = GroupL1(each[model], LABELS, n_classes)
        for found in (several, several.times(2.0).scaled(np.full(5, 0.5))):
            part = found.of_outputs(outputs)
            np.testing.assert_allclose(part.of_groups, one.of_groups, rtol=1e-15)
            np.testing.assert_allclose(found.value(coef)[outputs], one.value(coef[outputs]))
            np.testing.assert_allclose(
                found.least_slopes(coef, slopes)[outputs],
                one.least_slopes(coef[outputs], slopes[outputs]), atol=1e-14,
            )  # fmt: skip
