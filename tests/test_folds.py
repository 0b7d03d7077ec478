"""Folds as weights of the rows."""

import numpy as np
import pytest
from problems import problem, sized, three_classes

import fastlogit
from fastlogit.estimators.folds import PairedFolds, fit_folds, weights_of_folds
from fastlogit.fitting.grid import GridOptions
from fastlogit.fitting.weightless import NEVER
from fastlogit.inputs.given import Given, look

# Rooms above the kernels, with fits that take minutes in plain Python.
pytestmark = pytest.mark.jit

CS = np.array([0.1, 5.0])


def test_weights_count_the_training_rows() -> None:
    mask = np.array([True, False, True, False])
    folds = weights_of_folds([([0, 1], [2]), ([3, 3, 0], [1]), (mask, ~mask)], 4)
    assert folds.dtype == np.uint8
    assert folds.tolist() == [[1, 1, 0, 0], [1, 0, 0, 2], [1, 0, 1, 0]]


def test_a_row_may_be_in_a_fold_often() -> None:
    folds = weights_of_folds([([0], [1]), ([1] * 300, [0])], 2)
    assert folds.tolist() == [[1.0, 0.0], [0.0, 300.0]]


def test_no_folds() -> None:
    with pytest.raises(ValueError, match="cv gives no folds"):
        weights_of_folds([], 4)


ROWS = np.arange(30)
NO_PAIRS = [
    ((ROWS, [30]), "test rows of fold 1 that cv gives hold 30, but rows of X are 0 to 29"),
    ((ROWS, [-1, 2]), "test rows of fold 1 that cv gives hold -1"),
    (([0, 99], ROWS), "training rows of fold 1 that cv gives hold 99"),
    (([0.0, 1.0], ROWS), "training rows of fold 1 that cv gives must be whole numbers or a mask"),
    ((ROWS.reshape(2, -1), ROWS), r"in one dimension; got shape \(2, 15\)"),
    ((ROWS < 9, (ROWS > 9)[:20]), "test rows of fold 1 that cv gives are a mask of 20"),
    ((ROWS, []), "test rows of fold 1 that cv gives are none"),
    (([], ROWS), "training rows of fold 1 that cv gives are none"),
    ((ROWS, ROWS, ROWS), "pairs .* fold 1 is of the type tuple and length 3"),
    (ROWS, "pairs .* fold 1 is of the type ndarray and length 30"),
    (1, "pairs .* fold 1 is of the type int$"),
    ("ab", "pairs .* fold 1 is of the type str"),
]


@pytest.mark.parametrize(("fold", "words"), NO_PAIRS, ids=[words for _, words in NO_PAIRS])
def test_folds_of_a_cv_that_are_none(fold, words) -> None:
    with pytest.raises((TypeError, ValueError), match=words):
        PairedFolds([(ROWS < 15, ROWS >= 15), fold], 30)


def test_an_estimator_checks_the_folds_of_its_cv() -> None:
    X, y = problem(30, 2)[:2]
    model = fastlogit.LogisticRegressionCV(
        Cs=2, l1_ratios=(0,), scoring="accuracy", use_legacy_attributes=False, cv=[(ROWS, [30])]
    )
    with pytest.raises(ValueError, match="test rows of fold 0 that cv gives hold 30"):
        model.fit(X, y)


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("multi_class", ["multinomial", "ovr"])
def test_folds_are_fits_of_their_rows(rng, multi_class, fit_intercept) -> None:
    X, codes = three_classes(sized(120, 45), 3)
    rows = [np.arange(0, len(X), 2), np.arange(len(X) // 3)]
    weight = rng.uniform(0.5, 2.0, len(X))
    data = look(Given(X, codes, weight), multi_class)
    grid, complete = fit_folds(
        data, np.array(list("abc")), CS, weights_of_folds([(r, []) for r in rows], len(X)),
        GridOptions(multi_class=multi_class, fit_intercept=fit_intercept),
    )  # fmt: skip
    assert complete.all()
    assert grid.classes.tolist() == ["a", "b", "c"]
    assert grid.coef.shape == (2, 2, 3, 3)
    assert grid.n_iter.shape == grid.intercept.shape == (2, 2, 3)
    for fold, index in np.ndindex(2, 2):
        train = rows[fold]
        alone = fastlogit.fit(
            X[train], codes[train], C=CS[index], sample_weight=weight[train],
            multi_class=multi_class, intercept="fit" if fit_intercept else None,
        )  # fmt: skip
        found = grid.coef[fold, index]
        np.testing.assert_allclose(found, alone.coef.T, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(grid.intercept[fold, index], alone.intercept, atol=1e-5)


def test_rows_without_weight_are_not_there() -> None:
    X, codes = three_classes(sized(120, 45), 3)
    folds = np.ones((2, len(X)), dtype=np.uint8)
    folds[0, codes == 1] = 0
    weight = (codes != 2) * 1.0
    with pytest.warns(UserWarning, match="fold 0 lack class b"):
        grid, complete = fit_folds(
            look(Given(X, codes, weight), "multinomial"), np.array(list("abc")), CS, folds,
            GridOptions(multi_class="multinomial"),
        )  # fmt: skip
    assert complete.tolist() == [False, False]
    # Fold 0 has the first class alone, fold 1 the first two.
    assert not grid.coef[0].any()
    np.testing.assert_allclose(
        grid.intercept[0], np.tile([-2.0 * NEVER / 3.0, NEVER / 3.0, NEVER / 3.0], (2, 1))
    )
    assert grid.n_iter[0].tolist() == [[0, 0, 0], [0, 0, 0]]
    assert (grid.n_iter[1, :, :2] > 0).all()
    np.testing.assert_allclose(grid.coef[1, :, 0], -grid.coef[1, :, 1], rtol=1e-12)
    assert not grid.coef[1, :, 2].any()
    np.testing.assert_allclose(grid.intercept.sum(axis=2), 0.0, atol=1e-9)
    assert grid.converged.all()
    assert grid.message == "4 of 4 fits converged"


def test_columns_of_weights_go_with_their_classes(rng) -> None:
    X, codes = three_classes(sized(120, 45), 3)
    folds = np.ones((1, len(X)), dtype=np.uint8)
    folds[0, codes == 0] = 0
    weights = rng.uniform(0.5, 2.0, (len(X), 3))
    with pytest.warns(UserWarning, match="fold 0 lack class 0"):
        grid, _ = fit_folds(
            look(Given(X, codes, weights), "ovr"), np.arange(3), CS, folds,
            GridOptions(multi_class="ovr"),
        )  # fmt: skip
    left = codes > 0
    for k in (1, 2):
        alone = fastlogit.fit(X[left], codes[left] == k, C=CS[1], sample_weight=weights[left, k])
        np.testing.assert_allclose(grid.coef[0, 1, k], alone.coef, rtol=1e-5, atol=1e-6)
    assert grid.intercept[0, :, 0].tolist() == [NEVER, NEVER]


def test_without_an_intercept_there_is_no_way_to_say_never() -> None:
    X, codes = problem(sized(120, 40), 3)[:2]
    folds = np.ones((1, len(X)), dtype=np.uint8)
    folds[0, codes == 0] = 0
    with pytest.raises(ValueError, match="fold 0 lack class 0, and without an intercept"):
        fit_folds(
            look(Given(X, codes), "multinomial"), np.arange(2), CS, folds,
            GridOptions(multi_class="multinomial", fit_intercept=False),
        )  # fmt: skip
