"""Scores of a grid are those that scikit-learn's scorers give the same models, one by one."""

import dataclasses
import tracemalloc
import warnings

import numpy as np
import pytest
from problems import problem, sized, three_classes
from sklearn.linear_model import LogisticRegression as Theirs
from sklearn.metrics import get_scorer
from sklearn.model_selection import StratifiedKFold

from fastlogit.estimators import scoring
from fastlogit.estimators.scoring import FoldModel, probabilities, score_grid
from fastlogit.fitting.grid_result import GridResult

# Rooms above the kernels, with fits that take minutes in plain Python.
pytestmark = pytest.mark.jit


def random_grid(rng, n_folds, n_models, n_features) -> GridResult:
    """Coefficients that nobody fitted."""
    shape = (n_folds, 3, n_models)
    return GridResult(
        classes=np.array(["no", "yes"] if n_models == 1 else list("abc")), Cs=np.ones(3),
        coef=rng.standard_normal((*shape, n_features)), intercept=rng.standard_normal(shape),
        n_iter=np.ones(shape, dtype=int), converged=np.ones(shape[:2], dtype=bool),
        suboptimality=np.zeros(shape[:2]), n_passes=0.0, seconds=0.0, message="",
    )  # fmt: skip


def data(n_models, n_features=3):
    if n_models == 1:
        X, codes = problem(sized(200, 60), n_features)[:2]
    else:
        X, codes = three_classes(sized(200, 60), n_features)
    return X, codes.astype(np.uint8)


def one_by_one(grid, X, y, tests, scorer, params) -> np.ndarray:
    """Scores of scikit-learn's own estimator with the same coefficients."""
    scores = np.empty(grid.coef.shape[:2])
    for fold, index in np.ndindex(scores.shape):
        model, test = Theirs(), tests[fold]
        model.classes_ = grid.classes
        model.coef_, model.intercept_ = grid.coef[fold, index], grid.intercept[fold, index]
        own = {name: value[test] for name, value in params.items()}
        scores[fold, index] = scorer(model, X[test], y[test], **own)
    return scores


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    ("n_models", "metric"),
    [
        (1, "accuracy"), (1, "neg_log_loss"), (1, "roc_auc"), (1, "average_precision"),
        (1, "neg_brier_score"), (1, "balanced_accuracy"), (1, "matthews_corrcoef"),
        (3, "accuracy"), (3, "neg_log_loss"), (3, "roc_auc_ovr"), (3, "f1_weighted"),
        (3, "top_k_accuracy"), (3, "neg_brier_score"),
    ],
)  # fmt: skip
def test_scorers_of_scikit_learn(rng, monkeypatch, n_models, metric, weighted) -> None:
    monkeypatch.setattr(scoring, "GATHERED_BYTES", 8 * 3 * 7)  # several blocks
    X, codes = data(n_models)
    grid = random_grid(rng, 2, n_models, 3)
    if n_models == 1 and metric in ("average_precision", "neg_brier_score"):
        # By itself, scikit-learn's scorer of these knows the positive class by the number 1 alone.
        grid = dataclasses.replace(grid, classes=np.array([0, 1]))
    y = grid.classes[codes]
    tests = [test for _, test in StratifiedKFold(2, shuffle=True, random_state=0).split(X, y)]
    params = {"sample_weight": rng.uniform(0.0, 2.0, len(y))} if weighted else {}
    found = score_grid(grid, X, y, codes, tests, metric, score_params=params)
    wanted = one_by_one(grid, X, y, tests, get_scorer(metric), params)
    np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-14)


def test_no_scoring_is_the_weighted_accuracy(rng) -> None:
    X, codes = data(3)
    grid = random_grid(rng, 1, 3, 3)
    y, weight = grid.classes[codes], rng.uniform(0.0, 2.0, len(codes))
    tests = [np.arange(0, len(y), 2)]
    params = {"sample_weight": weight}
    # What a scorer would get does not matter then.
    ignored = {"score_params": {"sample_weight": None}}
    found = score_grid(grid, X, y, codes, tests, None, sample_weight=weight, **ignored)
    wanted = one_by_one(grid, X, y, tests, get_scorer("accuracy"), params)
    np.testing.assert_allclose(found, wanted, rtol=1e-13)


def test_a_test_fold_without_all_classes(rng) -> None:
    X, codes = data(3)
    grid = random_grid(rng, 1, 3, 3)
    y, tests = grid.classes[codes], [np.flatnonzero(codes < 2)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = score_grid(grid, X, y, codes, tests, "neg_log_loss")
        slow = score_grid(grid, X, y, codes, tests, "neg_brier_score")
    model = FoldModel()
    for index in range(3):
        model.coef_, model.intercept_ = grid.coef[0, index], grid.intercept[0, index]
        raw = X[tests[0]] @ model.coef_.T + model.intercept_
        proba = np.exp(raw) / np.exp(raw).sum(axis=1, keepdims=True)
        own = proba[np.arange(len(raw)), codes[tests[0]]]
        assert found[0, index] == pytest.approx(np.log(own).mean(), rel=1e-12)
        onehot = np.eye(3)[codes[tests[0]]]
        assert slow[0, index] == pytest.approx(-((onehot - proba) ** 2).sum(axis=1).mean())


def test_probabilities_are_kept_off_0_and_1_as_in_scikit_learn(rng) -> None:
    X, codes = data(1)
    grid = random_grid(rng, 1, 1, 3)
    grid.coef[...] *= 1000.0
    y, tests = grid.classes[codes], [np.arange(len(codes))]
    found = score_grid(grid, X, y, codes, tests, "neg_log_loss")
    wanted = one_by_one(grid, X, y, tests, get_scorer("neg_log_loss"), {})
    # Near 1e-16, scikit-learn's probability of the first class, 1 - p, has few digits.
    np.testing.assert_allclose(found, wanted, rtol=1e-8)


@pytest.mark.parametrize("n_models", [1, 3])
def test_a_callable_gets_the_rows_and_a_model(rng, n_models) -> None:
    X, codes = data(n_models)
    grid = random_grid(rng, 1, n_models, 3)
    y, tests = grid.classes[codes], [np.arange(5, 25)]

    def scorer(model, rows, labels, extra):
        np.testing.assert_array_equal(rows, X[tests[0]])
        np.testing.assert_array_equal(labels, y[tests[0]])
        np.testing.assert_array_equal(extra, np.arange(5, 25))
        # What is known, and what is computed for a copy of the rows.
        for method in ("predict", "decision_function"):
            known, computed = getattr(model, method)(rows), getattr(model, method)(rows.copy())
            np.testing.assert_array_equal(known, computed)
        assert model.C == 1.0
        assert model.n_features_in_ == 3
        return model.coef_[0, 0]

    params = {"extra": np.arange(len(y))}
    found = score_grid(grid, X, y, codes, tests, scorer, score_params=params)
    np.testing.assert_array_equal(found, grid.coef[:, :, 0, 0])


@pytest.mark.parametrize("multi_class", ["multinomial", "ovr"])
def test_probabilities_from_raw_predictions(rng, multi_class) -> None:
    raw = 30.0 * rng.standard_normal((40, 3))
    found = probabilities(raw, multi_class, log=False)
    each = np.exp(raw) if multi_class == "multinomial" else 1.0 / (1.0 + np.exp(-raw))
    np.testing.assert_allclose(found, each / each.sum(axis=1, keepdims=True), rtol=1e-11)
    np.testing.assert_allclose(
        probabilities(raw, multi_class, log=True), np.log(found), rtol=1e-11, atol=1e-12
    )
    far = probabilities(np.array([[-800.0, -900.0, -1000.0]]), multi_class, log=True)
    np.testing.assert_allclose(far, [[0.0, -100.0, -200.0]], atol=1e-12)
    two = probabilities(np.array([800.0, -1.0]), multi_class, log=True)
    np.testing.assert_allclose(two, [[-800.0, 0.0], [-np.log1p(np.exp(-1.0)), -np.log1p(np.e)]])


class Slices:
    """Rows that can be read in slices alone, as those of a file."""

    def __init__(self, X) -> None:
        self.X, self.shape, self.dtype, self.asked = X, X.shape, X.dtype, []

    def __getitem__(self, rows: slice):
        self.asked.append((rows.start, rows.stop))
        return self.X[rows].tolist()


def test_rows_that_are_not_in_memory_are_read_once_in_their_order(rng, monkeypatch) -> None:
    monkeypatch.setattr(scoring, "GATHERED_BYTES", 8 * 3 * 7)
    X, codes = data(3)
    grid = random_grid(rng, 1, 3, 3)
    y, tests = grid.classes[codes], [rng.integers(10, 40, 25)]

    def total(model, rows, labels):
        np.testing.assert_array_equal(rows, X[tests[0]])
        return model.decision_function(rows).sum()

    for metric in ("accuracy", "neg_log_loss", total):
        source = Slices(X)
        found = score_grid(grid, source, y, codes, tests, metric)
        wanted = score_grid(grid, X, y, codes, tests, metric)
        np.testing.assert_allclose(found, wanted, rtol=1e-14)
        if metric is not total:
            assert source.asked == sorted(set(source.asked))
            assert (source.asked[0], source.asked[-1]) == ((7, 14), (35, 42))


@pytest.mark.jit
@pytest.mark.parametrize("metric", ["accuracy", "neg_log_loss", "roc_auc"])
def test_no_copy_of_the_test_rows(rng, metric) -> None:
    """40 MB of X, half of it test rows: three models of them take about 1 MB."""
    X = rng.standard_normal((20_000, 250))
    codes = (X[:, 0] > 0.0).astype(np.uint8)
    grid = random_grid(rng, 1, 1, 250)
    y, tests = grid.classes[codes], [np.arange(0, 20_000, 2)]
    score_grid(grid, X, y, codes, tests, metric)  # compiled
    tracemalloc.start()
    score_grid(grid, X, y, codes, tests, metric)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 0.25 * X.nbytes
