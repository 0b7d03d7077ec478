"""What a cross-validation chooses, by hand and from made-up scores."""

import numpy as np
import pytest

from fastlogit.estimators.selection import choose

CS = np.array([10.0, 0.1, 1.0, 0.01])
# (n_folds, n_l1_ratios, n_Cs); the best mean is 0.80, of ratio 1 and C=10.
SCORES = np.array(
    [
        [[0.70, 0.60, 0.72, 0.50], [0.82, 0.76, 0.80, 0.60]],
        [[0.70, 0.62, 0.70, 0.52], [0.78, 0.78, 0.79, 0.50]],
    ]
)


def test_the_best_mean() -> None:
    chosen = choose(SCORES, CS, "best", together=True)
    assert chosen.ratios.tolist() == [1, 1]
    assert CS[chosen.Cs].tolist() == [10.0, 10.0]


def test_the_best_of_each_fold() -> None:
    chosen = choose(SCORES, CS, "best", together=False)
    assert chosen.ratios.tolist() == [1, 1]
    assert CS[chosen.Cs].tolist() == [10.0, 1.0]


def test_of_equals_the_first_c_and_there_the_first_ratio() -> None:
    """As scikit-learn does, which has C before the share of L1."""
    scores = np.zeros((2, 2, 3))
    scores[:, 1, 0] = scores[:, 0, 1] = scores[:, 1, 1] = 1.0
    chosen = choose(scores, CS[:3], "best", together=True)
    assert (chosen.Cs[0], chosen.ratios[0]) == (0, 1)
    scores[:, 1, 0] = 0.0
    chosen = choose(scores, CS[:3], "best", together=True)
    assert (chosen.Cs[0], chosen.ratios[0]) == (1, 0)


def test_one_standard_error() -> None:
    """The best is 0.80 with a standard error of 0.02: means are 0.77 at C=0.1, 0.795 at C=1."""
    chosen = choose(SCORES, CS, "one_standard_error", together=True)
    assert CS[chosen.Cs].tolist() == [1.0, 1.0]
    assert chosen.ratios.tolist() == [1, 1]
    wider = SCORES.copy()
    wider[:, 1, 0] = [0.83, 0.77]  # a standard error of 0.03
    assert CS[choose(wider, CS, "one_standard_error", together=True).Cs[0]] == 0.1


def test_one_standard_error_of_scores_that_are_alike_is_the_smallest_c_of_the_best() -> None:
    chosen = choose(np.ones((3, 1, 4)), CS, "one_standard_error", together=True)
    assert CS[chosen.Cs[0]] == 0.01


def test_one_fold_has_no_standard_error() -> None:
    with pytest.raises(ValueError, match="needs two folds at the least"):
        choose(SCORES[:1], CS, "one_standard_error", together=True)


def test_nan_is_told_with_the_number_of_its_c() -> None:
    scores = SCORES.copy()
    scores[1, 0, 2] = np.nan
    with pytest.raises(ValueError, match=r"fold 1 is NaN \(C number 2\)"):
        choose(scores, CS, "best", together=True)
