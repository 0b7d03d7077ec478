"""What all classes share: where the penalty is least, found by trying."""

import numpy as np
import pytest

from fastlogit.objective.class_levels import least_shifts


def penalty(coef, shift, l1, l2):
    moved = coef - shift
    return l1 * np.abs(moved).sum() + 0.5 * l2 * np.square(moved).sum()


@pytest.mark.parametrize("n_classes", [3, 4, 7])
@pytest.mark.parametrize(
    "strengths", [(1.0, 0.0), (0.3, 0.5), (0.01, 2.0), (0.0, 1.0), (2.0, 1e-9)]
)
def test_no_other_shift_makes_the_penalty_less(rng, n_classes, strengths) -> None:
    coef = rng.normal(size=(n_classes, 20))
    coef[rng.random(coef.shape) < 0.3] = 0.0
    l1, l2 = strengths
    found = least_shifts(coef, np.full(20, l1), np.full(20, l2))
    for column, shift in zip(coef.T, found, strict=True):
        least = penalty(column, shift, l1, l2)
        for other in (*column, 0.0, column.mean(), shift + 1e-3, shift - 1e-3):
            assert least <= penalty(column, other, l1, l2) * (1.0 + 1e-15)


def test_of_several_the_one_with_a_zero_nearest_to_the_mean() -> None:
    coef = np.array([[3.0], [1.0], [-0.5], [-2.0]])
    # All shifts from -0.5 to 1 cost the same; the mean is 0.375.
    assert least_shifts(coef, np.ones(1), np.zeros(1)) == 1.0
    assert least_shifts(coef - 1.0, np.ones(1), np.zeros(1)) == 0.0
    assert least_shifts(coef + 0.5, np.ones(1), np.zeros(1)) == 1.5


def test_without_l1_it_is_the_mean_and_zeros_stay() -> None:
    coef = np.array([[1.0, 2.0, 0.0], [0.0, 2.0, 0.0], [5.0, -1.0, 0.0]])
    np.testing.assert_array_equal(least_shifts(coef, np.zeros(3), np.zeros(3)), [2.0, 1.0, 0.0])
    np.testing.assert_array_equal(least_shifts(coef, np.ones(3), np.zeros(3)), [1.0, 2.0, 0.0])
