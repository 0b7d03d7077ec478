"""`LogisticRegressionCV` is scikit-learn's: scores, choice, attributes, splitters, routing."""

import copy
import functools
import itertools
import pickle
import signal
import warnings

import numpy as np
import pandas as pd
import pytest
import sklearn
from problems import TWO_THREADS, memory_mapped, problem, real, sized, three_classes
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.linear_model import LogisticRegressionCV as Theirs
from sklearn.metrics import get_scorer, make_scorer, matthews_corrcoef
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    LeaveOneGroupOut,
    ShuffleSplit,
    StratifiedKFold,
    cross_val_score,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, scale
from sklearn.utils._param_validation import InvalidParameterError

import fastlogit
from fastlogit import FitResult, LogisticRegression, LogisticRegressionCV, PathResult, logistic_path
from fastlogit.design.dense import DenseDesign
from fastlogit.estimators.cross_validation import best_of
from fastlogit.fitting.grid_result import GridResult
from fastlogit.inputs.class_weights import row_weights

# Rooms above the kernels, with fits that take minutes in plain Python.
pytestmark = pytest.mark.jit

CS = [1e-3, 1.0, 30.0]
# What makes scikit-learn 1.9 silent about its future.
QUIET = {"l1_ratios": (0,), "scoring": "accuracy", "use_legacy_attributes": False}


def two(n_samples=120, n_features=3):
    X, y = problem(sized(n_samples, 40), n_features)[:2]
    return X, y


def three(n_samples=120, n_features=3):
    return three_classes(sized(n_samples, 45), n_features)


def ours(Cs=(0.1, 10.0), cv=3, **options):
    return LogisticRegressionCV(Cs=Cs, cv=cv, **{**QUIET, **options})


def theirs(Cs=(0.1, 10.0), cv=3, **options):
    """Scikit-learn's class, solved as far as it goes."""
    options = {**QUIET, "solver": "newton-cholesky", **options}
    return Theirs(Cs=Cs, cv=cv, tol=1e-9, max_iter=10_000, **options)


def stacked(value):
    """Legacy attributes as an array, with the classes in front."""
    return np.stack(list(value.values())) if isinstance(value, dict) else np.asarray(value)


def assert_same(found, wanted, rtol=1e-5):
    for name in ("C_", "l1_ratio_", "l1_ratios_", "Cs_", "scores_", "coefs_paths_", "n_iter_"):
        ours_, theirs_ = getattr(found, name), getattr(wanted, name)
        assert type(ours_) is type(theirs_), name
        if isinstance(theirs_, dict):
            assert list(ours_) == list(theirs_), name
        ours_, theirs_ = stacked(ours_), stacked(theirs_)
        assert (ours_.shape, ours_.dtype) == (theirs_.shape, theirs_.dtype), name
        if name == "n_iter_":
            continue
        if theirs_.dtype == object:
            assert (ours_ == theirs_).all(), name
        else:
            np.testing.assert_allclose(ours_, theirs_, rtol=rtol, atol=rtol, err_msg=name)
    size = np.abs(np.column_stack([wanted.coef_, wanted.intercept_])).max()
    np.testing.assert_allclose(found.coef_, wanted.coef_, rtol=rtol, atol=rtol * size)
    np.testing.assert_allclose(found.intercept_, wanted.intercept_, rtol=rtol, atol=rtol * size)
    np.testing.assert_array_equal(found.classes_, wanted.classes_)
    assert found.n_features_in_ == wanted.n_features_in_


@functools.cache
def standardized(name):
    X, y = real(name)
    return scale(X), y


# ------------------------------------------------------------------------------------------------
# The same as scikit-learn's


@pytest.mark.jit
@pytest.mark.parametrize("refit", [True, False])
@pytest.mark.parametrize("legacy", [True, False])
@pytest.mark.parametrize(
    ("name", "scoring"),
    [
        ("cancer", None),
        ("cancer", "neg_log_loss"),
        ("cancer", "roc_auc"),
        ("cancer", "f1"),
        ("iris", "accuracy"),
        ("iris", "neg_log_loss"),
        ("wine", "roc_auc_ovr"),
        ("wine", "f1_macro"),
    ],
)
def test_real_data(name, scoring, legacy, refit) -> None:
    X, y = standardized(name)
    options = {"scoring": scoring, "use_legacy_attributes": legacy, "refit": refit}
    if legacy and refit:
        options["l1_ratios"] = (0, 0.0)
    found, wanted = ours(CS, **options).fit(X, y), theirs(CS, **options).fit(X, y)
    assert_same(found, wanted)
    assert found.score(X, y) == pytest.approx(wanted.score(X, y), rel=1e-6)
    assert found.grid_.converged.all()
    np.testing.assert_allclose(found.predict_proba(X), wanted.predict_proba(X), atol=1e-5)


@pytest.mark.jit
@pytest.mark.parametrize("scoring", ["accuracy", "neg_log_loss"])
def test_digits(scoring) -> None:
    X, y = real("digits")
    options = {"scoring": scoring, "Cs": [1e-4, 1e-2]}
    found = ours(**options).fit(X / 16.0, y)
    assert_same(found, theirs(**options, solver="newton-cg").fit(X / 16.0, y))


@pytest.mark.parametrize("data", [two, three])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_small_data_without_ratios(data, fit_intercept) -> None:
    X, y = data()
    options = {"l1_ratios": None, "fit_intercept": fit_intercept, "use_legacy_attributes": True}
    with pytest.warns(FutureWarning, match="l1_ratios=None"):
        found = ours(**options).fit(X, y)
    with pytest.warns(FutureWarning, match="l1_ratios=None"):
        wanted = theirs(**options).fit(X, y)
    assert_same(found, wanted)
    assert not fit_intercept or found.intercept_.any()


@pytest.mark.parametrize("data", [two, three])
@pytest.mark.parametrize("class_weight", [None, "balanced", {0: 3.0, 1: 0.5}])
@pytest.mark.parametrize("scoring", [None, "neg_log_loss"])
def test_weights_of_rows_and_classes(rng, data, class_weight, scoring) -> None:
    X, y = data()
    weight = rng.integers(0, 4, len(y)).astype(float)
    options = {"class_weight": class_weight, "scoring": scoring}
    found = ours(**options).fit(X, y, sample_weight=weight)
    assert_same(found, theirs(**options).fit(X, y, sample_weight=weight))
    assert found.score(X, y, sample_weight=weight) != found.score(X, y)


def test_weights_in_other_forms(rng) -> None:
    X, y = two()
    weight = rng.uniform(0.5, 2.0, len(y))
    wanted = ours().fit(X, y, sample_weight=weight)
    for given in (list(weight), pd.Series(weight, index=np.arange(len(y))[::-1])):
        np.testing.assert_array_equal(ours().fit(X, y, sample_weight=given).scores_, wanted.scores_)
    same, plain = ours([0.5]).fit(X, y, sample_weight=2.0), ours([1.0]).fit(X, y)
    np.testing.assert_allclose(same.coef_, plain.coef_, rtol=1e-5)
    np.testing.assert_array_equal(same.scores_, plain.scores_)


def test_test_rows_without_weight_have_no_score() -> None:
    X, y = two()
    half = np.arange(len(y)) % 2
    with pytest.raises(ValueError, match="all test rows of a fold have zero weight"):
        ours(cv=[(half == 0, half == 1)]).fit(X, y, sample_weight=1.0 - half)


def test_one_vs_rest_folds_are_fits_of_their_rows(rng) -> None:
    X, y = three()
    splits = list(StratifiedKFold(3).split(X, y))
    model = ours(cv=splits, multi_class="ovr", class_weight="balanced").fit(X, y)
    assert model.coefs_paths_.shape == (3, 1, 2, 3, 4)
    chosen = LogisticRegression(multi_class="ovr", class_weight="balanced", C=model.C_).fit(X, y)
    np.testing.assert_allclose(model.coef_, chosen.coef_, rtol=1e-5, atol=1e-6)
    train, test = splits[1]
    # Balance is that of all rows, as in scikit-learn.
    weight = row_weights("balanced", "ovr", y, None, len(y))[train]
    alone = fastlogit.fit(X[train], y[train], C=0.1, sample_weight=weight, multi_class="ovr")
    np.testing.assert_allclose(model.coefs_paths_[1, 0, 0, :, :-1], alone.coef.T, rtol=1e-4)
    assert model.scores_[1, 0, 0] == pytest.approx(np.mean(alone.predict(X[test]) == y[test]))


@pytest.mark.jit
def test_text_labels_and_data_frames() -> None:
    X, y = three()
    frame, labels = pd.DataFrame(X, columns=["a", "b", "c"]), np.array(["x", "y", "z"])[y]
    for given in (labels, labels.astype(object), pd.Series(labels)):
        found = ours(use_legacy_attributes=True).fit(frame, given)
        wanted = theirs(use_legacy_attributes=True).fit(frame, given)
        assert_same(found, wanted)
        assert found.classes_.dtype == wanted.classes_.dtype
        assert found.feature_names_in_.tolist() == ["a", "b", "c"]
        np.testing.assert_array_equal(found.result_.classes, found.grid_.classes)
        assert set(found.predict(frame)) <= set(labels)


def test_a_whole_number_of_cs() -> None:
    X, y = two()
    model = ours(Cs=4).fit(X, y)
    np.testing.assert_allclose(model.Cs_, np.logspace(-4, 4, 4), rtol=1e-14)


def test_cs_in_any_order_with_no_penalty_at_all() -> None:
    X, y = two()
    found, wanted = ours([np.inf, 0.1]).fit(X, y), ours([0.1, np.inf]).fit(X, y)
    assert found.Cs_.tolist() == [np.inf, 0.1]
    np.testing.assert_allclose(
        found.coefs_paths_[:, :, ::-1], wanted.coefs_paths_, rtol=1e-5, atol=1e-6
    )
    np.testing.assert_array_equal(found.scores_[:, :, ::-1], wanted.scores_)


def test_float32_is_scored_and_stored_as_float64() -> None:
    X, y = two()
    single = X.astype(np.float32)
    model = ours().fit(single, y)
    assert (model.coef_.dtype, model.decision_function(single).dtype) == (float, float)
    np.testing.assert_allclose(model.coef_, ours().fit(single.astype(float), y).coef_, rtol=1e-5)


def test_the_last_fit_is_the_estimators_own() -> None:
    X, y = three()
    model = ours(scoring="neg_log_loss").fit(X, y)
    alone = LogisticRegression(C=model.C_).fit(X, y)
    np.testing.assert_allclose(model.coef_, alone.coef_, rtol=1e-5, atol=1e-7)
    assert model.result_.suboptimality <= 1e-12
    np.testing.assert_array_equal(model.result_.coef, model.coef_.T)
    assert not hasattr(ours(refit=False).fit(X, y), "result_")


def test_penalty_factor_reaches_the_folds_and_the_last_fit() -> None:
    X, y = two()
    factor = np.array([1.0, 50.0, 0.0])
    model = ours([0.5]).fit(X, y, penalty_factor=factor)
    alone = LogisticRegression(C=0.5).fit(X, y, penalty_factor=factor)
    np.testing.assert_allclose(model.coef_, alone.coef_, rtol=1e-5)
    plain = ours([0.5]).fit(X, y).coefs_paths_[..., 1]
    assert (np.abs(model.coefs_paths_[..., 1]) < 0.5 * np.abs(plain)).all()


def test_the_same_bits_for_any_number_of_jobs() -> None:
    X, y = three()
    one, more = ours(n_jobs=1).fit(X, y), ours(n_jobs=TWO_THREADS).fit(X, y)
    for name in ("coefs_paths_", "coef_", "intercept_", "scores_"):
        assert getattr(one, name).tobytes() == getattr(more, name).tobytes(), name


@pytest.mark.parametrize("fits", [True, False])
def test_rows_on_disk(fits, tmp_path, monkeypatch) -> None:
    if not fits:
        monkeypatch.setattr("fastlogit.inputs.scikit_learn.in_place", lambda X: X)
        monkeypatch.setattr("fastlogit.inputs.given.in_place", lambda X: X)
    X, y = two()
    mapped = memory_mapped(X, tmp_path)
    splitter = KFold(3, shuffle=True, random_state=0)
    for scoring in ("neg_log_loss", lambda model, X, y: model.score(X, y)):
        found = ours(cv=splitter, scoring=scoring).fit(mapped, y)
        wanted = ours(cv=splitter, scoring=scoring).fit(X, y)
        np.testing.assert_allclose(found.scores_, wanted.scores_, rtol=1e-5)
        np.testing.assert_allclose(found.coef_, wanted.coef_, rtol=1e-5, atol=1e-7)
        assert not fits or found.coef_.tobytes() == wanted.coef_.tobytes()


# ------------------------------------------------------------------------------------------------
# Splitters and metadata routing


@pytest.mark.parametrize(
    "cv",
    [
        4,
        StratifiedKFold(3, shuffle=True, random_state=1),
        KFold(3, shuffle=True, random_state=2),
        ShuffleSplit(2, test_size=0.3, train_size=0.5, random_state=0),
    ],
)
def test_splitters(cv) -> None:
    X, y = three()
    assert_same(ours(cv=cv).fit(X, y), theirs(cv=cv).fit(X, y))


def test_splits_that_repeat_rows_or_leave_them_out(rng) -> None:
    X, y = two()
    repeated = [(rng.integers(0, len(y), len(y)), np.arange(0, len(y), k)) for k in (2, 3)]
    assert_same(ours(cv=repeated).fit(X, y), theirs(cv=repeated).fit(X, y))
    mask = np.arange(len(y)) % 3 > 0
    masks = [(mask, ~mask), (~mask, mask)]
    assert_same(ours(cv=masks).fit(X, y), theirs(cv=masks).fit(X, y))
    assert_same(ours(cv=iter(masks)).fit(X, y), theirs(cv=iter(masks)).fit(X, y))


def test_no_folds() -> None:
    with pytest.raises(ValueError, match="cv gives no folds"):
        ours(cv=[]).fit(*two())


@pytest.fixture
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


def test_groups_are_refused_where_metadata_is_not_routed() -> None:
    X, y = two()
    with pytest.raises(ValueError, match="enable_metadata_routing=True"):
        ours(cv=GroupKFold(3)).fit(X, y, groups=np.arange(len(y)) % 5)
    with pytest.raises(ValueError, match="enable_metadata_routing=True"):
        ours().fit(X, y).score(X, y, groups=np.arange(len(y)) % 5)


@pytest.mark.usefixtures("routing")
@pytest.mark.parametrize("cv", [GroupKFold(3), LeaveOneGroupOut()])
def test_groups(cv) -> None:
    X, y = three()
    groups = np.arange(len(y)) // 4 % 5
    found = ours(cv=cv).fit(X, y, groups=groups)
    assert_same(found, theirs(cv=cv).fit(X, y, groups=groups))


@pytest.mark.usefixtures("routing")
@pytest.mark.parametrize("asked", [True, False])
@pytest.mark.parametrize("metric", ["accuracy", "neg_log_loss", "f1_macro"])
def test_sample_weight_goes_to_the_scorer_that_asks_for_it(rng, metric, asked) -> None:
    X, y = three()
    weight = rng.uniform(0.1, 3.0, len(y))
    scorer = get_scorer(metric).set_score_request(sample_weight=asked)
    found = ours(scoring=scorer).fit(X, y, sample_weight=weight)
    wanted = theirs(scoring=scorer).fit(X, y, sample_weight=weight)
    assert_same(found, wanted)
    if asked:
        scores = (model.score(X, y, sample_weight=weight) for model in (found, wanted))
        assert next(scores) == pytest.approx(next(scores), rel=1e-6)
    else:
        assert found.score(X, y) == pytest.approx(wanted.score(X, y), rel=1e-6)


@pytest.mark.usefixtures("routing")
def test_routing_through_a_pipeline_and_a_search(rng) -> None:
    X, y = two()
    groups, weight = np.arange(len(y)) // 3 % 6, rng.uniform(0.5, 2.0, len(y))
    for kind in (ours, theirs):
        last = kind(cv=GroupKFold(3)).set_fit_request(sample_weight=True)
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        last.set_params(scoring=get_scorer("accuracy").set_score_request(sample_weight=True))
        pipe = make_pipeline(scaler, last).fit(X, y, groups=groups, sample_weight=weight)
        if kind is ours:
            found = pipe[-1]
    assert_same(found, pipe[-1])
    search = GridSearchCV(
        ours(cv=GroupKFold(2)), {"class_weight": [None, "balanced"]}, cv=GroupKFold(2)
    ).fit(X, y, groups=groups)
    assert search.best_estimator_.scores_.shape == (2, 1, 2)


# ------------------------------------------------------------------------------------------------
# As an estimator


def test_in_a_pipeline_and_in_a_cross_validation() -> None:
    X, y = two()
    pipe = make_pipeline(StandardScaler(), ours())
    found = cross_val_score(pipe, X, y, cv=2)
    np.testing.assert_allclose(
        found, cross_val_score(make_pipeline(StandardScaler(), theirs()), X, y, cv=2)
    )


def test_clone_copy_and_pickle() -> None:
    X, y = three()
    model = ours(Cs=(0.5, 2.0), multi_class="ovr").fit(X, y)
    assert clone(model).get_params() == model.get_params()
    with pytest.raises(NotFittedError):
        clone(model).predict(X)
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(other.predict_proba(X), model.predict_proba(X))
        np.testing.assert_array_equal(other.grid_.coef, model.grid_.coef)
    assert "LogisticRegressionCV" in model._repr_html_()


def test_fit_again_forgets_the_attributes_of_before() -> None:
    X, y = two()
    model = ours().fit(X, y)
    model.set_params(refit=False).fit(X, y)
    assert not hasattr(model, "result_")


def test_the_defaults_warn_of_the_future_as_in_scikit_learn() -> None:
    X, y = two()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = LogisticRegressionCV(Cs=2, cv=2).fit(X, y)
    assert {warning.category for warning in caught} == {FutureWarning}
    assert {warning.filename for warning in caught} == {__file__}
    texts = [str(warning.message) for warning in caught]
    for name in ("l1_ratios", "scoring", "use_legacy_attributes"):
        assert sum(name in text for text in texts) == 1
    assert model.scores_[1].shape == (2, 2)
    with pytest.warns(FutureWarning, match="'penalty' was deprecated"):
        ours(penalty="l2", l1_ratios=None).fit(X, y)


@pytest.mark.parametrize("legacy", [True, False])
@pytest.mark.parametrize("refit", [True, False])
@pytest.mark.parametrize("ratios", [(0,), (1,), (0.5, 1)])
def test_the_l2_penalty_ignores_l1_ratios_with_a_warning(ratios, refit, legacy) -> None:
    X, y = two()
    options = {"l1_ratios": ratios, "refit": refit, "use_legacy_attributes": legacy}
    fitted = []
    for make in (ours, theirs):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            fitted.append(make([0.1, 1.0], penalty="l2", **options).fit(X, y))
        assert any(w.category is UserWarning and "l1_ratios" in str(w.message) for w in caught)
    found, wanted = fitted
    np.testing.assert_allclose(found.coef_, wanted.coef_, rtol=1e-3, atol=1e-5)
    for name in ("l1_ratio_", "l1_ratios_", "C_"):
        np.testing.assert_array_equal(getattr(found, name), getattr(wanted, name), name)


def test_elastic_net_without_l1_is_the_l2_penalty() -> None:
    X, y = two()
    with pytest.warns(FutureWarning, match="'penalty' was deprecated"):
        model = ours([1.0], penalty="elasticnet", l1_ratios=(0,)).fit(X, y)
    np.testing.assert_array_equal(model.coef_, ours([1.0]).fit(X, y).coef_)


def test_no_iteration_is_the_start() -> None:
    X, y = three()
    with pytest.warns(ConvergenceWarning):
        model = ours(max_iter=0).fit(X, y)
    assert not model.coef_.any()
    assert not model.n_iter_.any()


def interrupted_at(monkeypatch, call, number):
    """Call with a SIGINT in the pass of that number; return the exception, or None."""
    evaluate, passes = DenseDesign.evaluate, []

    def stop(self, *given):
        passes.append(None)
        if len(passes) == number:
            signal.raise_signal(signal.SIGINT)
        return evaluate(self, *given)

    with monkeypatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        patch.setattr(DenseDesign, "evaluate", stop)
        try:
            call()
        except KeyboardInterrupt as interrupt:
            return interrupt
    assert len(passes) < number, "Ctrl-C was lost"
    return None


@pytest.mark.usefixtures("the_general_way")
@pytest.mark.parametrize("solver", ["auto", "gradient_descent"])
@pytest.mark.parametrize("data", [two, three])
def test_ctrl_c_in_any_pass_carries_what_was_found(data, solver, monkeypatch) -> None:
    X, y = data()
    before = ours([0.1, 1.0]).fit(X, y)
    number, step, kinds = 1, 1, []
    while True:
        model = pickle.loads(pickle.dumps(before)).set_params(solver=solver)
        interrupt = interrupted_at(monkeypatch, lambda model=model: model.fit(X, y), number)
        if interrupt is None:
            break
        result = getattr(interrupt, "result", None)
        kinds.append(type(result).__name__)
        if isinstance(result, GridResult):
            assert result.coef.shape[:2] == (len(before.scores_), 2)
            assert np.isfinite(result.coef).all()
            assert result.classes.tolist() == np.unique(y).tolist()
            assert (result.converged == (result.suboptimality <= model.tol**2)).all()
        if isinstance(result, FitResult):  # in the last fit
            assert model.result_ is result
            np.testing.assert_array_equal(model.coef_, np.atleast_2d(result.coef.T))
            assert model.predict_proba(X).shape == (len(X), len(np.unique(y)))
            assert model.C_ in (0.1, 1.0)
        else:
            with pytest.raises(NotFittedError):
                model.predict(X)
        number, step = number + step, step + (number > 12 and solver != "auto")
    # Before the first point there is nothing to carry: X is being looked at.
    order = [kind for kind, _ in itertools.groupby(kinds)]
    assert order[0] == "NoneType"
    assert "GridResult" in order
    assert kinds.count("NoneType") <= 6
    assert "FitResult" in order


@pytest.mark.usefixtures("the_general_way")
def test_ctrl_c_in_a_path_carries_a_path(monkeypatch) -> None:
    X, y = two()
    interrupt = interrupted_at(monkeypatch, lambda: logistic_path(X, y, [0.1, 1.0]), 6)
    assert isinstance(interrupt.result, PathResult)
    assert interrupt.result.coefs.shape == (2, 1, 3)
    assert "interrupted: " in str(interrupt)
    assert str(interrupt) == interrupt.result.message


@pytest.mark.usefixtures("the_general_way")
def test_ctrl_c_where_a_fold_lacks_a_class(monkeypatch) -> None:
    X, y = three()
    order = np.argsort(y, kind="stable")
    X, y = X[order], y[order]
    with pytest.warns(UserWarning, match="lack class"):
        wanted = ours([1.0], cv=KFold(3)).fit(X, y)
    model = ours([1.0], cv=KFold(3))
    with pytest.warns(UserWarning, match="lack class"):
        interrupt = interrupted_at(monkeypatch, lambda: model.fit(X, y), 14)
    assert interrupt.result.coef.shape == wanted.grid_.coef.shape
    assert not interrupt.result.converged.all()
    unfinished = ~interrupt.result.converged
    assert np.isinf(interrupt.result.suboptimality[unfinished]).any()


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"l1_ratios": (0, 1.5)}, "l1_ratios must hold numbers from 0 to 1"),
        ({"l1_ratios": (0, np.nan)}, "l1_ratios must hold numbers from 0 to 1"),
        ({"l1_ratios": "no"}, "l1_ratios"),
        ({"l1_ratios": [[0.5]]}, "l1_ratios must hold at least one number"),
        ({"l1_ratios": (0, 0.5), "solver": "lbfgs"}, "solver='lbfgs' does not take L1"),
        ({"relax": True}, "relax=True is for L1"),
        ({"l1_ratios": [1], "relax": True, "refit": False}, "relax=True is of the last fit"),
        ({"selection": "one_standard_error", "refit": False}, "it needs refit=True"),
        ({"l1_ratios": []}, "at least one number"),
        ({"dual": True}, "dual=True has a meaning for solver='liblinear' only"),
        ({"Cs": [1.0, 0.0]}, "Cs must be > 0, found 0.0"),
        ({"Cs": [1.0, np.nan]}, "Cs must be > 0, found nan"),
        ({"Cs": []}, "Cs must have shape"),
        ({"cv": [([0, 1], [2])] * 2, "Cs": [[1.0]]}, "Cs must have shape"),
    ],
)
def test_what_is_refused(options, text) -> None:
    with pytest.raises(ValueError, match=text):
        ours(**options).fit(*two())


@pytest.mark.parametrize(
    "options", [{"Cs": 0}, {"scoring": "no such"}, {"refit": 1.5}, {"multi_class": "auto"}]
)
def test_parameters_of_the_wrong_kind(options) -> None:
    with pytest.raises(InvalidParameterError):
        ours(**options).fit(*two())


def test_bad_data_is_named() -> None:
    X, y = two()
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    frame.loc[3, "b"] = np.nan
    with pytest.raises(ValueError, match="column 'b'"):
        ours().fit(frame, y)
    with pytest.raises(ValueError, match="one class only"):
        ours().fit(X, np.zeros(len(y), dtype=int))


# ------------------------------------------------------------------------------------------------
# Limits, scores that say nothing, classes that a fold lacks


def test_a_fit_that_does_not_converge_says_so() -> None:
    X, y = three()
    with pytest.warns(ConvergenceWarning):
        model = ours(max_iter=1, tol=1e-14).fit(X, y)
    assert np.isfinite(model.coef_).all()
    assert not model.grid_.converged.all()


def test_a_time_limit_ends_folds_and_last_fit() -> None:
    X, y = two()
    with pytest.warns(ConvergenceWarning):
        model = ours(time_limit=1e-9).fit(X, y)
    assert not model.grid_.converged.any()
    assert np.isfinite(model.coef_).all()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert ours(time_limit=1e6).fit(X, y).grid_.converged.all()


def test_verbose_tells_of_folds_and_last_fit(capsys) -> None:
    X, y = two()
    model = ours(verbose=1).fit(X, y)
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        f"[fastlogit] folds: {model.grid_.message}",
        f"[fastlogit] {model.result_.message}",
    ]


def test_a_score_of_nan_is_an_error() -> None:
    X, y = two()

    def broken(estimator, X, y):
        return np.nan if estimator.C > 1.0 else 1.0

    with pytest.raises(ValueError, match="score of fold 0 is NaN"):
        ours(scoring=broken).fit(X, y)


def test_the_best_is_the_first_of_equals() -> None:
    scores = np.array([[0.5, 0.9, 0.9], [0.7, 0.3, 0.4]])
    assert best_of(scores, together=True) == 2
    assert best_of(scores, together=False).tolist() == [1, 0]
    assert best_of(np.ones((2, 3)), together=True) == 0


def test_scorers_made_by_users() -> None:
    X, y = three()
    for scoring in (
        make_scorer(matthews_corrcoef),
        make_scorer(
            lambda y_true, y_score: -((y_true - y_score) ** 2).mean(), greater_is_better=True
        ),
        lambda model, X, y: model.predict_log_proba(X)[np.arange(len(y)), y].mean(),
    ):
        assert_same(ours(scoring=scoring).fit(X, y), theirs(scoring=scoring).fit(X, y))


@pytest.mark.parametrize("multi_class", ["multinomial", "ovr"])
def test_a_class_that_a_fold_lacks_gets_probability_0_there(multi_class) -> None:
    X, y = three()
    lacks = np.flatnonzero(y != 2)
    cv = [(lacks, np.flatnonzero(y == 2)), (np.arange(len(y)), lacks)]
    with pytest.warns(UserWarning, match="fold 0 lack class 2"):
        model = ours(cv=cv, multi_class=multi_class).fit(X, y)
    assert model.scores_[0].tolist() == [[0.0, 0.0]]
    path = model.coefs_paths_[0, 0, 1]
    raw = X @ path[:, :-1].T + path[:, -1]
    assert (raw[:, 2] < raw[:, :2].min(axis=1) - 500.0).all()
    # What is left is the model of the other two classes, where softmax has half their penalty.
    C = 20.0 if multi_class == "multinomial" else 10.0
    alone = fastlogit.fit(X[lacks], y[lacks], C=C)
    share = 0.5 if multi_class == "multinomial" else 1.0
    np.testing.assert_allclose(path[1, :-1], share * alone.coef, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(path[0, :-1], -share * alone.coef, rtol=1e-5, atol=1e-7)
    whole = LogisticRegression(C=10.0, multi_class=multi_class).fit(X, y)
    np.testing.assert_allclose(
        model.coefs_paths_[1, 0, 1, :, :-1], whole.coef_, rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("data", [two, three])
@pytest.mark.parametrize("multi_class", ["multinomial", "ovr"])
def test_a_fold_of_one_class_predicts_it(data, multi_class) -> None:
    X, y = data()
    for label in np.unique(y)[:2]:
        cv = [(np.flatnonzero(y == label), np.arange(len(y))), (np.arange(len(y)),) * 2]
        with pytest.warns(UserWarning, match="fold 0 lack class"):
            model = ours(cv=cv, multi_class=multi_class).fit(X, y)
        assert model.scores_[0].tolist() == [[np.mean(y == label)] * 2]
        assert not model.coefs_paths_[0, ..., :-1].any()
        assert model.grid_.converged.all()


@pytest.mark.parametrize("n_weights", [39, 41, 80])
def test_weights_of_another_number_of_rows_are_refused(n_weights) -> None:
    X, y = np.arange(80.0).reshape(40, 2) % 7.0, np.arange(40) % 2
    model = LogisticRegressionCV(cv=2, l1_ratios=(0,), scoring=None, use_legacy_attributes=False)
    with pytest.raises(ValueError, match=f"sample_weight has {n_weights} values, but X has 40"):
        model.fit(X, y, sample_weight=np.ones(n_weights))


def test_the_penalty_is_that_of_weights_of_any_size() -> None:
    """Powers of two are taken out of the weights: C multiplies the sum of what was given."""
    X, y = np.random.default_rng(0).normal(size=(40, 2)), np.arange(40) % 2
    size, weight = 2.0**12, np.linspace(0.5, 2.0, 40)
    options = {"cv": 2, "l1_ratios": (0,), "scoring": None, "use_legacy_attributes": False}
    wanted = LogisticRegressionCV(Cs=[0.1, 1.0], **options).fit(X, y, weight)
    found = LogisticRegressionCV(Cs=[0.1 / size, 1.0 / size], **options).fit(X, y, weight * size)
    np.testing.assert_allclose(found.coefs_paths_, wanted.coefs_paths_, rtol=1e-6)


def test_tol_0_is_the_end_by_rounding_that_was_asked_for() -> None:
    X, y = three()
    model = ours(tol=0).fit(X, y)
    assert model.grid_.converged.all()
    assert model.result_.converged
    with pytest.warns(ConvergenceWarning):
        assert not ours(tol=0, max_iter=1).fit(X, y).grid_.converged.all()


def test_a_tol_whose_square_overflows() -> None:
    X, y = three()
    assert ours(tol=1e200).fit(X, y).grid_.converged.all()
    assert LogisticRegression(tol=1e200).fit(X, y).result_.converged
