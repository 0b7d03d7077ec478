"""The group lasso of paths, cross-validation, estimators, results and model files."""

import dataclasses
import pickle

import numpy as np
import pandas as pd
import pytest
from problems import problem, three_classes
from sklearn import datasets
from sklearn.model_selection import PredefinedSplit

import fastlogit
from fastlogit import LogisticRegression, LogisticRegressionCV, logistic_path, reference
from fastlogit.model_file import Model, load_model, save_model

pytestmark = pytest.mark.jit

LABELS = np.array([3, 1, 1, 2, 3, 2, 1, 0])
NAMES = np.array([f"group {label}" for label in LABELS])
QUIET = {"scoring": "neg_log_loss", "use_legacy_attributes": False}
KINDS = {2: {"multi_class": "ovr"}, 3: {"multi_class": "multinomial"}}


def data(n_classes, n_samples=200):
    X, y = problem(n_samples, 8)[:2] if n_classes == 2 else three_classes(n_samples, 8)
    return X * 2.0 ** np.arange(-4, 4) + 1.0, y


def steepest(X, y, coef, intercept, strengths, l2=0.0, weight=None, labels=LABELS):
    """The largest slope of the subgradient of least norm, by an independent function.

    `coef` has shape (n_models, n_features), as those of a path.
    """
    if len(coef) == 1:
        _, slopes, last = reference.cost_gradient(X, y, coef[0], intercept[0], l2, weight)
        coef = coef[0]
    else:
        _, slopes, last = reference.multinomial_cost_gradient(X, y, coef.T, intercept, l2, weight)
        coef = coef.T
    least = reference.group_lasso_slopes(slopes, coef, labels, strengths)
    return max(np.abs(least).max(), np.abs(last).max())


def roots(labels):
    return np.sqrt(np.unique(labels, return_counts=True)[1])


# --- paths


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("ratio", [1.0, 0.5])
def test_each_fit_of_a_path_is_optimal(n_classes, ratio) -> None:
    X, y = data(n_classes)
    weight = np.linspace(0.2, 1.8, len(y))
    path = logistic_path(
        X, y, 12, l1_ratio=ratio, penalty_groups=LABELS, sample_weight=weight, C_range=300.0
    )
    assert path.converged.all()
    assert (path.suboptimality <= 1e-12).all()
    # The first C is the largest at which all groups are 0.
    assert not path.coefs[0].any()
    assert path.coefs[1].any()
    for k, C in enumerate(path.Cs):
        l1, l2 = ratio / (C * weight.sum()), (1.0 - ratio) / (C * weight.sum())
        at = path.coefs[k], path.intercepts[k]
        assert steepest(X, y, *at, l1 * roots(LABELS), l2, weight) < 1e-5
    above = logistic_path(X, y, [1.001 * path.C_null], l1_ratio=ratio, penalty_groups=LABELS,
        sample_weight=weight)  # fmt: skip
    assert above.coefs.any()
    np.testing.assert_array_equal(path.penalty_groups, LABELS)
    assert path.group_lengths.shape == (len(path.Cs), 1, 4)
    for k, label in enumerate(np.unique(LABELS)):
        own = np.square(path.coefs[:, :, label == LABELS]).sum(axis=(1, 2))
        np.testing.assert_allclose(path.group_lengths[:, 0, k], np.sqrt(own), rtol=1e-12)
    assert logistic_path(X, y, [1.0], l1_ratio=1.0).group_lengths is None


def test_weights_of_groups_and_free_groups_of_a_path() -> None:
    X, y = data(2)
    weights = np.array([0.0, 1.0, 3.0, 0.5])
    path = logistic_path(X, y, 8, l1_ratio=1.0, penalty_groups=NAMES, group_weights=weights)
    np.testing.assert_array_equal(path.group_lengths[0, 0] > 0.0, weights == 0.0)
    for k, C in enumerate(path.Cs):
        at = path.coefs[k], path.intercepts[k]
        assert steepest(X, y, *at, weights / (C * len(y))) < 1e-5


def test_one_against_all_others_is_each_for_itself() -> None:
    X, y = data(3)
    path = logistic_path(X, y, [0.02, 0.1], l1_ratio=0.7, penalty_groups=LABELS, multi_class="ovr")
    assert path.group_lengths.shape == (2, 3, 4)
    for k in range(3):
        own = logistic_path(X, y == k, [0.02, 0.1], l1_ratio=0.7, penalty_groups=LABELS)
        np.testing.assert_allclose(path.coefs[:, k], own.coefs[:, 0], atol=1e-5)


def test_a_path_is_its_fits_on_real_data() -> None:
    X, y = datasets.load_wine(return_X_y=True)
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    path = logistic_path(X, y, 25, l1_ratio=1.0, penalty_groups="features")
    assert path.converged.all()
    # Each column is out for all classes, or for none.
    is_used = path.coefs != 0.0
    np.testing.assert_array_equal(is_used.any(axis=1), is_used.all(axis=1))
    for k in (3, 9, 15):
        one = fastlogit.fit(
            X, y, C=path.Cs[k], l1_ratio=1.0, penalty_groups="features", multi_class="multinomial"
        )
        np.testing.assert_allclose(path.coefs[k].T, one.coef, atol=2e-5)


def test_errors_of_paths() -> None:
    X, y = data(2)
    for options, message in (
        ({"penalty_groups": LABELS}, "penalty_groups says what L1 holds together"),
        ({"l1_ratio": 1.0, "group_weights": 1.0}, "group_weights are those of penalty_groups"),
        ({"l1_ratio": 1.0, "penalty_groups": LABELS[:3]}, r"has shape \(3,\), but X has 8 columns"),
        (
            {"l1_ratio": 1.0, "penalty_groups": LABELS, "coef_bounds": (0.0, None)},
            "coef_bounds do not go with penalty_groups",
        ),
    ):
        with pytest.raises(ValueError, match=message):
            logistic_path(X, y, [1.0], **options)


# --- estimators and cross-validation


@pytest.mark.parametrize("n_classes", [2, 3])
def test_the_estimator_is_the_function(n_classes) -> None:
    X, y = data(n_classes)
    options = {"C": {2: 0.05, 3: 0.015}[n_classes], "l1_ratio": 0.8, **KINDS[n_classes]}
    of_fit = {"penalty_groups": NAMES, "group_weights": [1.0, 2.0, 0.5, 1.5]}
    model = LogisticRegression(**options).fit(X, y, **of_fit)
    wanted = fastlogit.fit(X, y, **options, **of_fit)
    np.testing.assert_array_equal(model.coef_, np.atleast_2d(wanted.coef.T))
    np.testing.assert_array_equal(model.result_.group_lengths, wanted.group_lengths)
    assert 0 < np.count_nonzero(wanted.group_lengths) < 4
    with pytest.raises(ValueError, match="penalty_groups says what L1 holds together"):
        LogisticRegression().fit(X, y, penalty_groups=NAMES)


def test_class_weights_of_each_class_against_all_others() -> None:
    X, y = data(3)
    y = np.where(y == 2, 1, y) + (np.arange(len(y)) % 17 == 0)
    options = {"C": 0.1, "l1_ratio": 1.0, "class_weight": "balanced"}
    model = LogisticRegression(multi_class="ovr", **options).fit(X, y, penalty_groups=LABELS)
    for k, label in enumerate(model.classes_):
        own = LogisticRegression(**options).fit(X, y == label, penalty_groups=LABELS)
        np.testing.assert_allclose(model.coef_[k], own.coef_[0], atol=1e-5)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_folds_are_fits_with_their_rows(n_classes) -> None:
    X, y = data(n_classes)
    Cs = [0.02, 0.3]
    cv = PredefinedSplit(np.arange(len(y)) // 6 % 2)
    model = LogisticRegressionCV(Cs=Cs, l1_ratios=(0.0, 0.6), cv=cv, **QUIET, **KINDS[n_classes])
    model.fit(X, y, penalty_groups=NAMES)
    assert all(grid.converged.all() for grid in model.grids_)
    for fold, (train, _) in enumerate(cv.split()):
        for place, C in enumerate(Cs):
            for number, own in ((0, {}), (1, {"penalty_groups": NAMES, "l1_ratio": 0.6})):
                one = fastlogit.fit(X[train], y[train], C=C, **own, **KINDS[n_classes])
                found = model.coefs_paths_[fold, number, place]
                np.testing.assert_allclose(found[:, :-1], np.atleast_2d(one.coef.T), atol=3e-5)
    last = {"penalty_groups": NAMES} if model.l1_ratio_ > 0.0 else {}
    wanted = fastlogit.fit(X, y, C=model.C_, l1_ratio=model.l1_ratio_, **last, **KINDS[n_classes])
    np.testing.assert_allclose(model.coef_, np.atleast_2d(wanted.coef.T), atol=1e-5)
    with pytest.raises(ValueError, match="penalty_groups says what L1 holds together"):
        LogisticRegressionCV(Cs=Cs, l1_ratios=(0.0,), **QUIET).fit(X, y, penalty_groups=NAMES)


def test_a_fold_without_one_of_three_classes() -> None:
    X, y = data(3)
    cv = [(np.flatnonzero(y != 2), np.flatnonzero(y == 0)), (np.arange(200), np.arange(200))]
    model = LogisticRegressionCV(Cs=[0.1], l1_ratios=(0.7,), cv=cv, **QUIET)
    with pytest.warns(UserWarning, match="lack class 2"):
        model.fit(X, y, penalty_groups=LABELS)
    # A softmax of the two others, by the formula: their coefficients add up to 0.
    found, levels = model.coefs_paths_[0, 0, 0][:2, :-1], model.coefs_paths_[0, 0, 0][:2, -1]
    rows = y != 2
    np.testing.assert_allclose(found.sum(axis=0), 0.0, atol=1e-12)
    l1, l2 = 0.7 / (0.1 * rows.sum()), 0.3 / (0.1 * rows.sum())
    assert steepest(X[rows], y[rows], found, levels, l1 * roots(LABELS), l2) < 1e-5


def test_columns_of_a_frame_by_their_names() -> None:
    X, y = datasets.load_breast_cancer(return_X_y=True, as_frame=True)
    X = (X - X.mean()) / X.std()
    of_what = X.columns.str.replace("mean |worst | error", "", regex=True)
    model = LogisticRegression(C=0.02, l1_ratio=1.0).fit(X, y, penalty_groups=of_what)
    assert model.result_.converged
    by_name = pd.Series(model.result_.group_lengths, index=model.result_.groups)
    used = pd.Series(model.coef_[0], index=of_what).abs().groupby(level=0)
    assert ((by_name > 0.0) == (used.min() > 0.0)).all()
    assert 1 < (by_name > 0.0).sum() < len(by_name)


# --- results and model files


@pytest.mark.parametrize("kind", ["two", "ovr", "softmax", "features"])
def test_a_result_says_which_groups_are_0(kind, tmp_path) -> None:
    X, y = data(2 if kind == "two" else 3)
    options = {"multi_class": "multinomial" if kind in ("softmax", "features") else "ovr"}
    options["penalty_groups"] = "features" if kind == "features" else NAMES
    result = fastlogit.fit(X, y, l1_reg=0.2 if kind == "softmax" else 0.06, **options)
    labels = np.arange(8) if kind == "features" else NAMES
    np.testing.assert_array_equal(result.groups, np.unique(labels))
    shape = (len(result.groups), 3) if kind == "ovr" else (len(result.groups),)
    assert result.group_lengths.shape == shape
    for label, length in zip(result.groups, result.group_lengths, strict=True):
        squares = np.square(result.coef[labels == label])
        wanted = np.sqrt(squares.sum(axis=0) if kind == "ovr" else squares.sum())
        np.testing.assert_allclose(length, wanted)
    n_zero = int((result.group_lengths == 0.0).sum())
    assert n_zero > 0
    n_groups = result.group_lengths.size
    assert f"{n_groups - n_zero} of {n_groups} groups not 0" in repr(result)
    save_model(Model(result, tuple("abcdefgh"), "y", {}, "1"), tmp_path / "m.npz")
    for again in (load_model(tmp_path / "m.npz").result, pickle.loads(pickle.dumps(result))):
        np.testing.assert_array_equal(again.penalty_groups, labels)
        np.testing.assert_array_equal(again.group_lengths, result.group_lengths)


def test_other_results_have_no_groups() -> None:
    X, y = data(2)
    result = fastlogit.fit(X, y, C=1.0)
    assert result.groups is None
    assert result.group_lengths is None
    assert dataclasses.replace(result, message="").penalty_groups is None
