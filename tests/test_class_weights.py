"""Weights of classes as weights of rows, against scikit-learn's definition."""

import numpy as np
import pytest
from sklearn.utils.class_weight import compute_sample_weight

from fastlogit.inputs.class_weights import batch_weights, row_weights

LABELS = np.array(["b", "a", "c", "a", "a", "b", "c", "a"])
WEIGHT = np.array([1.0, 2.0, 0.5, 0.0, 1.0, 3.0, 1.0, 1.0])


def test_none_is_none_and_a_number_counts_for_every_row() -> None:
    assert row_weights(None, "multinomial", LABELS, None, 8) is None
    assert row_weights(None, "ovr", LABELS, WEIGHT, 8) is WEIGHT
    np.testing.assert_array_equal(row_weights(None, "ovr", LABELS, 2.0, 8), np.full(8, 2.0))
    with pytest.raises(ValueError, match="sample_weight"):
        row_weights(None, "ovr", LABELS, np.ones((8, 3)), 8)


@pytest.mark.parametrize("class_weight", ["balanced", {"a": 3.0, "c": 0.5}])
def test_without_weights_of_the_rows_they_are_scikit_learns(class_weight) -> None:
    found = row_weights(class_weight, "multinomial", LABELS, None, 8)
    np.testing.assert_allclose(found, compute_sample_weight(class_weight, LABELS), rtol=1e-15)


def test_balance_counts_weights_of_the_rows() -> None:
    found = row_weights("balanced", "multinomial", LABELS, WEIGHT, 8)
    totals = [found[LABELS == label].sum() for label in "abc"]
    np.testing.assert_allclose(totals, np.full(3, WEIGHT.sum() / 3.0), rtol=1e-14)


def test_each_one_vs_rest_problem_is_balanced_by_itself() -> None:
    found = row_weights("balanced", "ovr", LABELS, WEIGHT, 8)
    assert found.shape == (8, 3)
    for k, label in enumerate("abc"):
        alone = found[LABELS == label, k].sum()
        assert alone == pytest.approx(found[LABELS != label, k].sum())
        assert alone == pytest.approx(WEIGHT.sum() / 2.0)


def test_a_batch_knows_weights_of_classes_but_no_balance() -> None:
    classes = np.array(["a", "b", "c"])
    batch = LABELS[:3]
    assert batch_weights(None, batch, classes, None) is None
    found = batch_weights({"a": 3.0}, batch, classes, WEIGHT[:3])
    np.testing.assert_array_equal(found, [1.0, 6.0, 0.5])
    with pytest.raises(ValueError, match="balanced"):
        batch_weights("balanced", batch, classes, None)
