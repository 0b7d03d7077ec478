"""`LogisticRegression`: parameters, shapes, labels, weights, data frames, and clear errors."""

import pickle
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from problems import TWO_THREADS, memory_mapped, problem, readonly, sized, three_classes
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.ensemble import BaggingClassifier
from sklearn.exceptions import ConvergenceWarning, DataConversionWarning, NotFittedError
from sklearn.linear_model import LogisticRegression as Theirs
from sklearn.preprocessing import StandardScaler
from sklearn.utils._param_validation import InvalidParameterError

import fastlogit
from fastlogit import BatchSource, LogisticRegression
from fastlogit.errors import SeparationWarning
from fastlogit.estimators import logistic as estimator

# Rooms above the kernels, with fits that take minutes in plain Python.
pytestmark = pytest.mark.jit

MODES = ("multinomial", "ovr")
NAMES = ["age", "dose", "weight"]


def two(n_samples=60, n_features=3):
    X, y = problem(sized(n_samples, 40), n_features)[:2]
    return X, y


def three(n_samples=90, n_features=3):
    return three_classes(sized(n_samples, 45), n_features)


def relative(found, wanted):
    """Norm of what two arrays differ by, relative to the second."""
    return np.linalg.norm(found - wanted) / np.linalg.norm(wanted)


def same_model(found, wanted, rtol=1e-6):
    assert relative(found.coef_, wanted.coef_) < rtol
    both = np.column_stack([wanted.coef_, wanted.intercept_])
    assert np.linalg.norm(found.intercept_ - wanted.intercept_) < rtol * np.linalg.norm(both)


# ------------------------------------------------------------------------------------------------
# What tol means


def standardised(name):
    if name == "tumours":
        X, y = load_breast_cancer(return_X_y=True)
        return StandardScaler().fit_transform(X), y
    X, y = problem({"tall": 20_000, "narrow": 1_000}[name], {"tall": 15, "narrow": 5}[name])[:2]
    return X, y


@pytest.mark.parametrize("tol", [1e-4, 1e-6, 1e-8, 1e-10])
@pytest.mark.parametrize("name", ["tall", "narrow", "tumours"])
def test_no_number_of_tol_gives_less_than_in_scikit_learn(name, tol) -> None:
    X, y = standardised(name)
    best = fastlogit.fit(X, y, C=1.0, tol=0.0)
    wanted = np.append(best.coef, best.intercept)

    def error(model):
        return np.abs(np.append(model.coef_, model.intercept_) - wanted).max()

    theirs = error(Theirs(tol=tol, max_iter=10_000).fit(X, y))
    for solver in ("auto", "lbfgs", "newton-cg"):
        model = LogisticRegression(tol=tol, solver=solver).fit(X, y)
        assert model.result_.converged
        assert error(model) <= theirs
        # Its own criterion, the largest component of the gradient.
        assert model.result_.gradient_norm <= tol
        assert model.result_.suboptimality <= max(tol**2, 2.3e-16)


def test_coefficients_are_nearer_than_the_cost_can_show() -> None:
    X, y = standardised("narrow")
    model = LogisticRegression(tol=1e-10, solver="lbfgs").fit(X, y)
    assert 1.1e-16 <= model.result_.suboptimality < 2.3e-16
    assert "1e-20 asked for, and met but for the rounding of the cost" in model.result_.message
    cv = fastlogit.LogisticRegressionCV(
        Cs=[1.0], cv=2, tol=1e-10, l1_ratios=(0,), use_legacy_attributes=False,
        scoring="neg_log_loss",
    ).fit(X, y)  # fmt: skip
    assert cv.grid_.converged.all()
    assert (cv.grid_.suboptimality >= 1.1e-16).all()


@pytest.mark.parametrize("tol", [-1e-6, np.nan, "small"])
def test_a_tol_that_is_none_is_refused(tol) -> None:
    with pytest.raises(InvalidParameterError, match="'tol' parameter"):
        LogisticRegression(tol=tol).fit(*two())


# ------------------------------------------------------------------------------------------------
# Shapes and types are scikit-learn's


@pytest.mark.parametrize("dtype", ["f4", "f8", "i8", "bool"])
@pytest.mark.parametrize("data", [two, three])
def test_attributes_have_the_shapes_and_types_of_scikit_learn(data, dtype) -> None:
    X, y = data()
    X = (X > 0.0) if dtype == "bool" else (3.0 * X).astype(dtype)
    # Its default solver made float64 of float32 before 1.8.
    ours, theirs = LogisticRegression().fit(X, y), Theirs(solver="newton-cholesky").fit(X, y)
    for name in ("coef_", "intercept_", "classes_", "n_iter_"):
        found, wanted = getattr(ours, name), getattr(theirs, name)
        # float32 would lose what columns far from 0 need.
        kind = np.float64 if name in ("coef_", "intercept_") else wanted.dtype
        assert (found.shape, found.dtype) == (wanted.shape, kind), name
    assert ours.n_features_in_ == 3
    assert not hasattr(ours, "feature_names_in_")
    for method in ("decision_function", "predict_proba", "predict_log_proba", "predict"):
        found, wanted = getattr(ours, method)(X), getattr(theirs, method)(X)
        assert (found.shape, found.dtype) == (wanted.shape, wanted.dtype), method


def test_coefficients_are_those_of_the_function() -> None:
    X, y = two()
    model, result = LogisticRegression(C=0.7).fit(X, y), fastlogit.fit(X, y, C=0.7)
    np.testing.assert_array_equal(model.coef_[0], result.coef)
    assert model.intercept_[0] == result.intercept
    assert model.n_iter_.tolist() == [result.n_iter]
    assert model.result_.suboptimality == result.suboptimality <= 1e-12
    np.testing.assert_array_equal(model.result_.history, result.history)


@pytest.mark.parametrize("multi_class", MODES)
def test_several_classes_are_those_of_the_function(multi_class) -> None:
    X, y = three()
    model = LogisticRegression(multi_class=multi_class, C=0.7).fit(X, y)
    result = fastlogit.fit(X, y, C=0.7, multi_class=multi_class)
    np.testing.assert_array_equal(model.coef_, result.coef.T)
    np.testing.assert_array_equal(model.intercept_, result.intercept)
    assert model.coef_.flags.c_contiguous


def test_predictions_are_scikit_learns_for_the_same_coefficients() -> None:
    for X, y in (two(), three()):
        ours = LogisticRegression().fit(X, y)
        theirs = Theirs().fit(X, y)
        theirs.coef_, theirs.intercept_ = ours.coef_, ours.intercept_
        for method in ("decision_function", "predict_proba", "predict_log_proba"):
            found, wanted = getattr(ours, method)(X), getattr(theirs, method)(X)
            np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-14)
        np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))
        assert ours.score(X, y) == theirs.score(X, y)
        weight = np.arange(1.0, len(y) + 1.0)
        assert ours.score(X, y, weight) == theirs.score(X, y, weight)


def test_one_vs_rest_probabilities_are_each_class_s_own_over_their_sum() -> None:
    X, y = three()
    model = LogisticRegression(multi_class="ovr").fit(X, y)
    each = 1.0 / (1.0 + np.exp(-model.decision_function(X)))
    wanted = each / each.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(model.predict_proba(X), wanted, rtol=1e-12)
    np.testing.assert_allclose(model.predict_log_proba(X), np.log(wanted), rtol=1e-11, atol=1e-14)


def test_log_probabilities_do_not_vanish() -> None:
    model = LogisticRegression().fit(*two())
    model.coef_ = np.array([[1000.0, 0.0, 0.0]])
    model.intercept_ = np.zeros(1)
    found = model.predict_log_proba(np.array([[1.0, 0.0, 0.0], [-2.0, 0.0, 0.0]]))
    np.testing.assert_array_equal(found, [[-1000.0, 0.0], [0.0, -2000.0]])


def test_the_multinomial_solution_is_the_symmetric_one() -> None:
    X, y = three()
    model = LogisticRegression().fit(X, y)
    np.testing.assert_allclose(model.coef_.sum(axis=0), 0.0, atol=1e-12)
    np.testing.assert_allclose(model.intercept_.sum(), 0.0, atol=1e-12)


@pytest.mark.parametrize("multi_class", MODES)
def test_without_an_intercept(multi_class) -> None:
    for X, y in (two(), three()):
        model = LogisticRegression(fit_intercept=False, multi_class=multi_class).fit(X, y)
        np.testing.assert_array_equal(model.intercept_, np.zeros(len(model.coef_)))
        result = fastlogit.fit(X, y, C=1.0, intercept=None, multi_class=multi_class)
        np.testing.assert_array_equal(model.coef_, np.atleast_2d(result.coef.T))


# ------------------------------------------------------------------------------------------------
# Labels


@pytest.mark.parametrize(
    "labels",
    [
        np.array([-1, 1]),
        np.array([2.0, 7.0]),
        np.array([False, True]),
        np.array(["no", "yes"]),
        np.array(["no", "yes"], dtype=object),
        np.array(["a", "b", "c"]),
        np.array([10, 20, 30], dtype=np.int8),
    ],
    ids=lambda labels: f"{labels.dtype}{len(labels)}",
)
def test_labels_of_any_kind(labels) -> None:
    X, codes = two() if len(labels) == 2 else three()
    y = labels[codes]
    model = LogisticRegression().fit(X, y)
    assert model.classes_.dtype == y.dtype
    np.testing.assert_array_equal(model.classes_, labels)
    assert model.predict(X).dtype == y.dtype
    as_numbers = LogisticRegression().fit(X, codes)
    np.testing.assert_array_equal(model.coef_, as_numbers.coef_)
    np.testing.assert_array_equal(model.predict(X), labels[as_numbers.predict(X)])
    assert model.score(X, y) == as_numbers.score(X, codes)


def test_labels_from_data_frames_and_lists() -> None:
    X, codes = two()
    y = np.array(["no", "yes"])[codes]
    wanted = LogisticRegression().fit(X, y)
    for given in (y.tolist(), pd.Series(y), pl.Series(y), pa.chunked_array([y.tolist()])):
        model = LogisticRegression().fit(X, given)
        np.testing.assert_array_equal(model.coef_, wanted.coef_)
        assert model.predict(X).tolist() == wanted.predict(X).tolist()
    with pytest.warns(DataConversionWarning, match="column-vector"):
        column = LogisticRegression().fit(X, y[:, None])
    np.testing.assert_array_equal(column.coef_, wanted.coef_)


def test_labels_that_are_none() -> None:
    X = two()[0]
    for y, text in (
        (np.linspace(0.0, 1.0, len(X)), "Unknown label type: continuous"),
        (np.arange(len(X)) / 2.0 % 1.0, "Unknown label type: continuous"),
        (np.ones(len(X)), "one class"),
        (np.where(np.arange(len(X)) < 9, np.nan, 1.0), "NaN"),
        (np.array([3, None], dtype=object)[np.arange(len(X)) % 2], r"y contains None \(row 1\)"),
        (None, "requires y to be passed"),
        (np.zeros((len(X), 2)), "1d array"),
        ([0, 1], "inconsistent numbers of samples|2 values"),
        (np.array([0, 1]), "2 values"),
    ):
        with pytest.raises(ValueError, match=text):
            LogisticRegression().fit(X, y)


# ------------------------------------------------------------------------------------------------
# Parameters


def test_solvers_under_scikit_learns_names() -> None:
    X, y = two()
    automatic = LogisticRegression().fit(X, y)
    for name in ("liblinear", "sag", "saga"):
        other = LogisticRegression(solver=name).fit(X, y)
        np.testing.assert_array_equal(other.coef_, automatic.coef_)
    for name, solver in (("newton-cholesky", "newton"), ("lbfgs", "lbfgs")):
        assert LogisticRegression(solver=name).fit(X, y).result_.solver == solver
    assert LogisticRegression(solver="liblinear", dual=True).fit(X, y).result_.converged


@pytest.mark.jit
@pytest.mark.parametrize("name", sorted(estimator.SOLVERS))
@pytest.mark.parametrize("multi_class", MODES)
def test_each_solver_finds_the_optimum(name, multi_class) -> None:
    X, y = three(300, 5)
    wanted = LogisticRegression(multi_class=multi_class).fit(X, y)
    found = LogisticRegression(solver=name, multi_class=multi_class, max_iter=100_000).fit(X, y)
    assert found.result_.converged
    same_model(found, wanted)


def test_infinite_c_is_no_penalty() -> None:
    X, y = two()
    plain = fastlogit.fit(X, y)
    found = LogisticRegression(C=np.inf).fit(X, y)
    np.testing.assert_array_equal(found.coef_[0], plain.coef)
    with pytest.warns(FutureWarning, match="penalty"):
        found = LogisticRegression(None).fit(X, y)
    np.testing.assert_array_equal(found.coef_[0], plain.coef)
    with pytest.warns(FutureWarning), pytest.warns(UserWarning, match="ignores C"):
        found = LogisticRegression(penalty=None, C=3.0).fit(X, y)
    np.testing.assert_array_equal(found.coef_[0], plain.coef)


def test_penalty_l2_is_the_default_and_deprecated() -> None:
    X, y = two()
    with pytest.warns(FutureWarning, match="penalty") as seen:
        found = LogisticRegression("l2").fit(X, y)
    assert seen[0].filename == __file__
    np.testing.assert_array_equal(found.coef_, LogisticRegression().fit(X, y).coef_)
    with pytest.warns(FutureWarning, match="l1_ratio=None"):
        LogisticRegression(l1_ratio=None).fit(X, y)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"penalty": "l1", "l1_ratio": 1.0, "solver": "lbfgs"}, "'lbfgs' does not take L1"),
        (
            {"penalty": "l1", "l1_ratio": 1.0, "solver": "newton-cholesky"},
            "'newton-cholesky' does not take L1.*'auto', 'saga' or 'liblinear' would",
        ),
        ({"penalty": "l1", "l1_ratio": 1.0, "solver": "sag"}, "'sag' does not take L1"),
        ({"penalty": "elasticnet", "l1_ratio": None}, "l1_ratio must be given"),
    ],
)
def test_l1_by_its_old_name_is_refused_where_it_does_not_go(options, text) -> None:
    with pytest.warns(FutureWarning, match="penalty"), pytest.raises(ValueError, match=text):
        LogisticRegression(**options).fit(*two())


# What scikit-learn 1.9.1 does with them: the penalty that counts, and the warnings beside that of
# `penalty` itself.
IGNORED = [
    ({"penalty": "l2", "l1_ratio": 1.0}, 1.0, ["contradict each other"]),
    ({"penalty": "l2", "l1_ratio": 0.5}, 1.0, ["contradict each other"]),
    ({"penalty": "l2", "l1_ratio": None}, 1.0, ["contradict each other"]),
    ({"penalty": "elasticnet", "l1_ratio": 0.0}, 1.0, []),
    ({"penalty": None, "l1_ratio": 1.0}, np.inf, []),
    ({"penalty": None, "l1_ratio": 0.5}, np.inf, ["is ignored"]),
    ({"penalty": None, "C": 2.0}, np.inf, ["penalty=None ignores C"]),
    ({"C": np.inf, "l1_ratio": 1.0}, np.inf, []),
    ({"C": np.inf, "l1_ratio": 0.5}, np.inf, ["is ignored"]),
]


@pytest.mark.parametrize(("options", "C", "texts"), IGNORED, ids=str)
def test_what_scikit_learn_ignores_is_ignored_with_its_warnings(options, C, texts) -> None:
    X, y = two()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = LogisticRegression(**options).fit(X, y)
    others = [str(w.message) for w in caught if w.category is not FutureWarning]
    assert len(others) == len(texts)
    assert all(text in other for text, other in zip(texts, others, strict=True))
    assert {w.filename for w in caught} <= {__file__}
    np.testing.assert_array_equal(model.coef_, LogisticRegression(C=C).fit(X, y).coef_)


@pytest.mark.parametrize("solver", ["auto", "newton", "lbfgs", "newton-cg", "gd"])
@pytest.mark.parametrize("data", [two, three])
def test_no_iteration_is_the_start(data, solver) -> None:
    X, y = data()
    model = LogisticRegression(solver=solver, max_iter=0, warm_start=True)
    with pytest.warns(ConvergenceWarning, match="stopped after 0 iterations at max_iter=0"):
        model.fit(X, y)
    assert not model.coef_.any()
    assert model.n_iter_.tolist() == [0]
    shares = np.bincount(np.unique(y, return_inverse=True)[1]) / len(y)
    np.testing.assert_allclose(model.predict_proba(X[:1]), shares[None], rtol=1e-6)
    found = LogisticRegression(C=5.0).fit(X, y)
    model.coef_, model.intercept_ = found.coef_, found.intercept_
    with pytest.warns(ConvergenceWarning, match="max_iter=0"):
        model.fit(X, y)
    np.testing.assert_allclose(model.coef_, found.coef_, rtol=1e-9, atol=1e-12)
    # The optimum itself is known as one.
    best = LogisticRegression(tol=1e-5).fit(X, y)
    start = best.result_
    again = fastlogit.fit(X, y, C=1.0, multi_class="multinomial", start=start, max_iter=0, tol=1e-9)
    assert (again.converged, again.n_iter) == (True, 0)
    assert "converged by the start (max_iter=0)" in again.message


def test_dual_is_for_liblinear() -> None:
    with pytest.raises(ValueError, match=r"dual=True .*'lbfgs'"):
        LogisticRegression(dual=True, solver="lbfgs").fit(*two())


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("C", 0.0), ("C", "1"), ("tol", -1.0), ("max_iter", -1), ("solver", "newtonn"),
        ("multi_class", "auto"), ("time_limit", 0.0), ("fit_intercept", "yes"),
        ("class_weight", "even"), ("penalty", "l3"), ("l1_ratio", 2.0), ("n_jobs", 1.5),
    ],
)  # fmt: skip
def test_bad_parameters_are_named_also_after_good_ones(name, bad) -> None:
    X, y = two()
    model = LogisticRegression().fit(X, y)
    model.set_params(**{name: bad})
    for _ in range(2):
        with pytest.raises(InvalidParameterError, match=f"The '{name}' parameter"):
            model.fit(X, y)
    clone(LogisticRegression()).fit(X, y)


def test_what_was_found_good_is_remembered_by_type_and_within_bounds(monkeypatch) -> None:
    checked = set()
    monkeypatch.setattr(estimator, "_CHECKED", checked)
    monkeypatch.setattr(estimator, "MOST_CHECKED", 3)
    X, y = two()
    LogisticRegression(class_weight={0: 1.0}).fit(X, y)
    assert not checked
    LogisticRegression(verbose=0).fit(X, y)
    assert len(checked) == 1
    with pytest.raises(InvalidParameterError):
        LogisticRegression(max_iter=1000.0).fit(X, y)
    for C in (1.0, 2.0, 3.0, 4.0):
        LogisticRegression(C=C).fit(X, y)
    assert len(checked) <= 3


@pytest.mark.parametrize("n_jobs", [None, -1, -2, 1, 2, 10_000])
def test_n_jobs_is_the_number_of_threads(n_jobs, monkeypatch) -> None:
    X, y = two()
    seen = []
    inner = estimator.fit

    def spy(*args, **options):
        seen.append(options["n_threads"])
        return inner(*args, **options)

    monkeypatch.setattr(estimator, "fit", spy)
    monkeypatch.setattr("fastlogit.threads.thread_count", lambda n: TWO_THREADS)
    model = LogisticRegression(n_jobs=n_jobs).fit(X, y)
    few = {None: None, -1: None, -2: max(1, TWO_THREADS - 1), 1: 1}
    assert seen == [few.get(n_jobs, TWO_THREADS)]
    np.testing.assert_array_equal(model.predict(X), LogisticRegression().fit(X, y).predict(X))


def test_n_jobs_zero_has_no_meaning() -> None:
    with pytest.raises(ValueError, match="n_jobs=0"):
        LogisticRegression(n_jobs=0).fit(*two())


def test_limits_end_the_fit_with_scikit_learns_warning() -> None:
    X, y = two()
    with pytest.warns(ConvergenceWarning, match="max_iter=1"):
        model = LogisticRegression(max_iter=1).fit(X, y)
    assert model.n_iter_.tolist() == [1]
    with pytest.warns(ConvergenceWarning, match="time_limit"):
        model = LogisticRegression(time_limit=1e-9).fit(X, y)
    assert not model.result_.converged
    with pytest.warns(SeparationWarning, match="separable"):
        LogisticRegression(C=np.inf).fit(X, (X[:, 0] > 0.0))


def test_a_warm_start_begins_at_the_last_coefficients() -> None:
    for data in (two, three):
        X, y = data()
        model = LogisticRegression(warm_start=True).fit(X, y)
        first, coef = model.n_iter_[0], model.coef_
        model.fit(X, y)
        assert model.n_iter_[0] < min(first, 2)
        np.testing.assert_allclose(model.coef_, coef, rtol=1e-9)
        cold = clone(model).set_params(warm_start=False).fit(X, y).fit(X, y)
        assert cold.n_iter_[0] == first
    with pytest.raises(ValueError, match="models"):
        model.fit(X, y == 1)


def test_a_warm_start_from_another_model_s_coefficients_along_a_path() -> None:
    X, y = two()
    model = LogisticRegression(warm_start=True, fit_intercept=False)
    for C in (0.1, 1.0, 10.0):
        model.set_params(C=C).fit(X, y)
        same_model(model, LogisticRegression(C=C, fit_intercept=False).fit(X, y))


def test_verbose_prints_a_line_for_each_iteration(capsys) -> None:
    X, y = two()
    LogisticRegression().fit(X, y)
    assert capsys.readouterr().out == ""
    model = LogisticRegression(verbose=1).fit(X, y)
    lines = capsys.readouterr().out.splitlines()
    # On a slow machine a line may come between, of a second of silence.
    told = [line for line in lines if line.startswith("[fastlogit] iteration ")]
    assert len(told) == model.n_iter_[0]
    assert told[0].startswith("[fastlogit] iteration 1: cost 0.")
    assert lines[-1] == f"[fastlogit] {model.result_.message}"


def test_ctrl_c_leaves_the_best_point_so_far(monkeypatch) -> None:
    def interrupt(progress):
        if progress.n_iter == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(estimator.ProgressLines, "__call__", lambda _, seen: interrupt(seen))
    X, y = two()
    model = LogisticRegression(verbose=1, solver="newton-cg")
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    assert not model.result_.converged
    assert model.score(X, y) > 0.5


def test_ctrl_c_before_the_first_pass_leaves_nothing(monkeypatch) -> None:
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(estimator, "fit", interrupt)
    model = LogisticRegression()
    with pytest.raises(KeyboardInterrupt):
        model.fit(*two())
    assert not hasattr(model, "coef_")


# ------------------------------------------------------------------------------------------------
# Weights, offsets, factors of the penalty


def test_class_weights_multiply_the_weights_of_the_rows() -> None:
    X, y = three()
    rows = np.linspace(0.5, 2.0, len(y))
    per_class = {0: 1.0, 1: 3.0, 2: 0.25}
    for multi_class in MODES:
        for weight in (None, rows):
            total = np.array([per_class[label] for label in y]) * (1.0 if weight is None else rows)
            found = LogisticRegression(class_weight=per_class, multi_class=multi_class)
            wanted = LogisticRegression(multi_class=multi_class).fit(X, y, total)
            same_model(found.fit(X, y, weight), wanted, 1e-12)


def test_class_weights_by_text_labels_and_for_some_classes() -> None:
    X, codes = two()
    y = np.array(["no", "yes"])[codes]
    found = LogisticRegression(class_weight={"yes": 4.0}).fit(X, y)
    wanted = LogisticRegression().fit(X, y, np.where(codes == 1, 4.0, 1.0))
    same_model(found, wanted, 1e-12)
    with pytest.raises(ValueError, match="not in class_weight"):
        LogisticRegression(class_weight={"maybe": 4.0}).fit(X, y)


def test_balanced_classes_have_the_same_total_weight() -> None:
    for multi_class in MODES:
        X, y = two()
        y[::3] = 1
        rows = np.linspace(0.5, 2.0, len(y))
        counts = np.bincount(y, weights=rows)
        total = rows * (counts.sum() / (2.0 * counts))[y]
        found = LogisticRegression(class_weight="balanced", multi_class=multi_class)
        same_model(found.fit(X, y, rows), LogisticRegression().fit(X, y, total), 1e-12)


def test_one_vs_rest_balances_each_problem_by_itself() -> None:
    X, y = three()
    y[::4] = 2
    rows = np.linspace(0.5, 2.0, len(y))
    found = LogisticRegression(class_weight="balanced", multi_class="ovr").fit(X, y, rows)
    for label in range(3):
        alone = LogisticRegression(class_weight="balanced").fit(X, y == label, rows)
        np.testing.assert_allclose(found.coef_[label], alone.coef_[0], rtol=1e-6, atol=1e-8)
        np.testing.assert_allclose(found.intercept_[label], alone.intercept_[0], rtol=1e-6)


NO_WEIGHT = "no row of class .* has positive weight.*: probability 0"


def test_a_class_whose_rows_have_no_weight_does_not_disturb_the_balance() -> None:
    X, y = three()
    rows = (y != 2).astype(float)
    with pytest.warns(UserWarning, match=NO_WEIGHT):
        found = LogisticRegression(class_weight="balanced").fit(X, y, rows)
    assert found.result_.converged
    assert (found.predict(X) != 2).all()


@pytest.mark.parametrize("n_classes", [3, 4])
def test_a_softmax_class_without_weight_gets_probability_0(n_classes) -> None:
    X, y = three()
    y = np.where((y == 1) & (np.arange(len(y)) % 2 == 0), n_classes - 1, y)
    rows = np.where(y == 1, 0.0, np.linspace(0.5, 2.0, len(y)))
    with pytest.warns(UserWarning, match=NO_WEIGHT):
        found = LogisticRegression(C=0.5).fit(X, y, rows)
    assert found.result_.converged
    left = y != 1
    wanted = Theirs(C=0.5, tol=1e-10, max_iter=1000)
    if n_classes == 3:
        # Theirs has one vector of coefficients for two classes, and another penalty.
        wanted.set_params(C=1.0)
    wanted.fit(X[left], y[left], rows[left])
    assert found.predict_proba(X)[:, 1].max() < 1e-300
    others = np.delete(found.predict_proba(X), 1, axis=1)
    np.testing.assert_allclose(others, wanted.predict_proba(X), atol=1e-6)
    np.testing.assert_allclose(found.coef_.sum(axis=0), 0.0, atol=1e-12)
    assert not found.coef_[1].any()


def test_a_draw_of_a_bagging_that_misses_a_rare_class() -> None:
    X, y = three()
    y[y == 2] = 1
    y[:2] = 2
    model = BaggingClassifier(LogisticRegression(), n_estimators=10, random_state=0)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        model.fit(X, y)
    assert any("no row of class 2 has" in str(warning.message) for warning in seen)
    assert np.isfinite(model.predict_proba(X)).all()


def test_weights_may_be_a_number_or_a_list() -> None:
    X, y = two()
    wanted = LogisticRegression().fit(X, y, np.full(len(y), 2.0))
    for given in (2.0, [2.0] * len(y), pd.Series(np.full(len(y), 2.0))):
        same_model(LogisticRegression().fit(X, y, given), wanted, 1e-14)


@pytest.mark.parametrize(
    ("weight", "text"),
    [
        (np.ones((40, 3)), "1 dimension"), (-np.ones(40), "negative"), (np.ones(3), "3 values"),
        (np.zeros(40), "zero for every row"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("class_weight", [None, "balanced"])
def test_bad_weights(weight, text, class_weight) -> None:
    X, y = problem(40, 3)[:2]
    for multi_class in MODES:
        model = LogisticRegression(multi_class=multi_class, class_weight=class_weight)
        with pytest.raises(ValueError, match=text):
            model.fit(X, y, weight)


def test_an_offset_is_part_of_the_decision() -> None:
    X, y = two()
    fixed = np.linspace(-1.0, 1.0, len(y))
    model = LogisticRegression().fit(X, y, offset=fixed)
    result = fastlogit.fit(X, y, C=1.0, offset=fixed)
    np.testing.assert_array_equal(model.coef_[0], result.coef)
    raw = X @ result.coef + result.intercept + fixed
    np.testing.assert_allclose(model.decision_function(X, offset=fixed), raw, rtol=1e-10)
    proba = 1.0 / (1.0 + np.exp(-raw))
    np.testing.assert_allclose(model.predict_proba(X, offset=fixed)[:, 1], proba, rtol=1e-10)
    logs = model.predict_log_proba(X, offset=fixed)
    np.testing.assert_allclose(logs[:, 1], np.log(proba), rtol=1e-8)
    np.testing.assert_array_equal(model.predict(X, offset=fixed), raw > 0.0)
    assert model.score(X, y, offset=fixed) == np.mean((raw > 0.0) == y)
    # A constant one only moves the intercept.
    moved = LogisticRegression().fit(X, y, offset=np.full(len(y), 2.5))
    plain = LogisticRegression().fit(X, y)
    np.testing.assert_allclose(moved.intercept_ + 2.5, plain.intercept_, atol=1e-5)


@pytest.mark.parametrize("multi_class", MODES)
def test_an_offset_for_each_class(multi_class) -> None:
    X, y = three()
    fixed = np.random.default_rng(3).standard_normal((len(y), 3))
    model = LogisticRegression(multi_class=multi_class).fit(X, y, offset=fixed)
    result = fastlogit.fit(X, y, C=1.0, offset=fixed, multi_class=multi_class)
    np.testing.assert_array_equal(model.coef_, result.coef.T)
    raw = X @ result.coef + result.intercept + fixed
    np.testing.assert_allclose(model.decision_function(X, offset=fixed), raw, rtol=1e-10)
    np.testing.assert_array_equal(model.predict(X, offset=fixed), raw.argmax(axis=1))
    proba = np.exp(raw) if multi_class == "multinomial" else 1.0 / (1.0 + np.exp(-raw))
    proba /= proba.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(model.predict_proba(X, offset=fixed), proba, rtol=1e-9)
    for method in ("decision_function", "predict", "predict_proba", "predict_log_proba"):
        with pytest.raises(ValueError, match="offset has shape"):
            getattr(model, method)(X, offset=fixed[:, :2])


def test_one_offset_for_all_classes_is_for_one_vs_rest() -> None:
    X, y = three()
    fixed = np.linspace(-1.0, 1.0, len(y))
    model = LogisticRegression(multi_class="ovr").fit(X, y, offset=fixed)
    raw = X @ model.coef_.T + model.intercept_ + fixed[:, None]
    np.testing.assert_allclose(model.decision_function(X, offset=fixed), raw, rtol=1e-10)
    model = LogisticRegression()
    with pytest.raises(ValueError, match="offset has shape"):
        model.fit(X, y, offset=fixed)
    model.fit(X, y)
    for method in ("decision_function", "predict_proba"):
        with pytest.raises(ValueError, match="offset has shape"):
            getattr(model, method)(X, offset=fixed)


@pytest.mark.parametrize("multi_class", MODES)
def test_a_factor_of_the_penalty_is_a_scale_of_the_column(multi_class) -> None:
    factor = np.array([4.0, 1.0, 0.25])
    for X, y in (two(), three()):
        model = LogisticRegression(C=0.3, multi_class=multi_class)
        found = clone(model).fit(X, y, penalty_factor=factor)
        wanted = clone(model).fit(X / np.sqrt(factor), y)
        np.testing.assert_allclose(
            found.coef_ * np.sqrt(factor), wanted.coef_, rtol=1e-6, atol=1e-8
        )


def test_a_factor_of_zero_leaves_the_column_alone() -> None:
    X, y = two()
    found = LogisticRegression(C=1e-9).fit(X, y, penalty_factor=[0.0, 1.0, 1.0])
    wanted = fastlogit.fit(X[:, :1], y)
    np.testing.assert_allclose(found.coef_[0, 0], wanted.coef[0], rtol=1e-6)
    assert np.abs(found.coef_[0, 1:]).max() < 1e-6
    with pytest.raises(ValueError, match="penalty_factor"):
        LogisticRegression().fit(X, y, penalty_factor=[1.0])


# ------------------------------------------------------------------------------------------------
# What X may be


def frames(X, names=NAMES):
    return {
        "pandas": pd.DataFrame(X, columns=names),
        "polars": pl.DataFrame(X, schema=names),
        "pyarrow": pa.table(dict(zip(names, X.T.copy(), strict=True))),
    }


@pytest.mark.parametrize("kind", ["pandas", "polars", "pyarrow"])
def test_data_frames_and_their_names(kind) -> None:
    X, y = two()
    frame = frames(X)[kind]
    model = LogisticRegression().fit(frame, y)
    assert model.feature_names_in_.tolist() == NAMES
    assert model.feature_names_in_.dtype == object
    plain = LogisticRegression().fit(X, y)
    np.testing.assert_array_equal(model.coef_, plain.coef_)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(model.predict_proba(frame), plain.predict_proba(X))
    other = frames(X, ["age", "weight", "dose"])[kind]
    for method in ("predict", "predict_proba", "predict_log_proba", "decision_function"):
        with pytest.raises(ValueError, match="feature names should match"):
            getattr(model, method)(other)
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        model.predict(X)
    with pytest.warns(UserWarning, match="fitted without feature names"):
        plain.predict(frame)
    assert not hasattr(model.fit(X, y), "feature_names_in_")


@pytest.mark.parametrize("kind", ["pandas", "polars", "pyarrow"])
def test_single_precision_data_frames(kind) -> None:
    X, y = two()
    model = LogisticRegression().fit(frames(X.astype(np.float32))[kind], y)
    assert model.predict_proba(frames(X.astype(np.float32))[kind]).dtype == np.float32
    np.testing.assert_allclose(model.coef_, LogisticRegression().fit(X, y).coef_, rtol=1e-4)


@pytest.mark.parametrize("learn", ["fit", "partial_fit"])
@pytest.mark.parametrize("distance", [1e4, 1e5, 1e6])
def test_single_precision_columns_far_from_zero_keep_their_probabilities(distance, learn) -> None:
    Z, y = problem(sized(2000, 200), 4)[:2]
    X = (Z + distance).astype(np.float32)
    exact, model = X.astype(np.float64), LogisticRegression()
    if learn == "fit":
        model.fit(X, y)
        wanted = fastlogit.fit(exact, y, C=1.0).predict_proba(exact)
    else:
        model.partial_fit(X, y, classes=[0, 1])
        wanted = LogisticRegression().partial_fit(exact, y, classes=[0, 1]).predict_proba(exact)
    assert model.coef_.dtype == model.intercept_.dtype == np.float64
    # Rounded to float32, the intercept alone would move them by 2e-6 * distance / 1e4 at least.
    np.testing.assert_allclose(model.predict_proba(exact), wanted, atol=1e-6)
    np.testing.assert_allclose(model.predict_proba(X), wanted, atol=1e-6)


def test_columns_of_several_types() -> None:
    X, y = two()
    frame = pd.DataFrame({
        "a": X[:, 0], "b": (X[:, 1] * 5).astype(int), "c": X[:, 2] > 0,
        "d": pd.array((X[:, 1] * 3).astype(int), dtype="Int64"),
    })  # fmt: skip
    wanted = np.column_stack([frame[name].to_numpy(dtype=float) for name in frame])
    model = LogisticRegression().fit(frame, y)
    np.testing.assert_array_equal(model.coef_, LogisticRegression().fit(wanted, y).coef_)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_bad_value_is_found_and_its_column_named(value) -> None:
    X, y = two()
    X[7, 1] = value
    what = "NaN" if np.isnan(value) else "infinity"
    model = LogisticRegression().fit(np.nan_to_num(X, posinf=0.0), y)
    with np.errstate(invalid="ignore"):  # plain NumPy, without the JIT, would warn
        with pytest.raises(ValueError, match=rf"X contains {what} in column 1 \(row 7\)"):
            LogisticRegression().fit(X, y)
        for frame in frames(X).values():
            with pytest.raises(ValueError, match=rf"X contains {what} in column 'dose' \(row 7\)"):
                LogisticRegression().fit(frame, y)
        for method in ("predict", "predict_proba", "predict_log_proba", "decision_function"):
            with pytest.raises(ValueError, match=f"X contains {what}"):
                getattr(model, method)(X)


@pytest.mark.parametrize("convert", [
    np.asfortranarray, readonly, lambda X: X[::2], lambda X: X.astype(np.float32),
    lambda X: (3 * X).astype(np.int16), lambda X: X > 0.0, lambda X: X.astype(">f8"),
])  # fmt: skip
def test_x_is_not_copied(convert, monkeypatch) -> None:
    X, y = problem(sized(60, 40), 3)[:2]
    X = convert(X)
    y = y[: len(X)]
    seen = []
    inner = estimator.fit

    def spy(data, *args, **options):
        seen.append(data.rows.X)
        return inner(data, *args, **options)

    monkeypatch.setattr(estimator, "fit", spy)
    model = LogisticRegression().fit(X, y)
    assert seen[0] is X
    if X.dtype.kind != "b":  # those of a data frame scikit-learn copied before 1.8
        LogisticRegression().fit(pd.DataFrame(X, columns=NAMES, copy=False), y)
    assert all(np.shares_memory(data, X) for data in seen)
    assert all(data.dtype == X.dtype for data in seen)
    np.testing.assert_allclose(
        model.coef_, LogisticRegression().fit(X.astype(float), y).coef_, rtol=1e-4
    )


@pytest.mark.parametrize("dtype", [np.float16, np.longdouble])
def test_other_floating_types_are_converted(dtype) -> None:
    X, y = two()
    given = X.astype(dtype)
    model = LogisticRegression().fit(given, y)
    nearest = given.astype(np.float64)
    wanted = LogisticRegression().fit(nearest, y)
    np.testing.assert_array_equal(model.coef_, wanted.coef_)
    np.testing.assert_array_equal(model.predict_proba(given), wanted.predict_proba(nearest))


class Rows:
    """Rows that lie elsewhere: what h5py and zarr have."""

    def __init__(self, values):
        self.values, self.shape, self.dtype = values, values.shape, values.dtype

    def __getitem__(self, rows):
        return self.values[rows]


def test_rows_on_disk_are_streamed(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("fastlogit.inputs.scikit_learn.in_place", lambda X: X)
    monkeypatch.setattr("fastlogit.inputs.given.in_place", lambda X: X)
    X, y = two()
    wanted = LogisticRegression().fit(X, y)
    for source in (memory_mapped(X, tmp_path), Rows(X)):
        for labels in (y, y.tolist()):
            model = LogisticRegression().fit(source, labels)
            np.testing.assert_allclose(model.coef_, wanted.coef_, rtol=1e-9)
            assert model.n_features_in_ == 3
        np.testing.assert_allclose(model.predict_proba(source), wanted.predict_proba(X), rtol=1e-9)
        with pytest.raises(ValueError, match="expecting 3 features"):
            model.predict(Rows(X[:, :2]))
        with pytest.raises(ValueError, match="Unknown label type"):
            LogisticRegression().fit(source, X[:, 0])
    X[3, 1] = np.nan
    with pytest.raises(ValueError, match="NaN in column 1"):
        LogisticRegression().fit(Rows(X), y)


def test_masked_data_are_refused() -> None:
    X, y = two()
    model = LogisticRegression().fit(X, y)
    special = np.ma.masked_less(X, -1.0)
    with pytest.raises(TypeError, match="masked"):
        LogisticRegression().fit(special, y)
    with pytest.raises(TypeError, match="masked"):
        model.predict(special)


def test_new_data_of_another_width_and_an_unfitted_model() -> None:
    X, y = two()
    with pytest.raises(NotFittedError):
        LogisticRegression().predict(X)
    with pytest.raises(ValueError, match="2 features, but LogisticRegression is expecting 3"):
        LogisticRegression().fit(X, y).predict(X[:, :2])
    with pytest.raises(ValueError, match="minimum of 1"):
        LogisticRegression().fit(X[:0], y[:0])


def test_coefficients_may_be_made_sparse() -> None:
    for X, y in (two(), three()):
        model = LogisticRegression().fit(X, y)
        proba, labels = model.predict_proba(X), model.predict(X)
        assert sparse.issparse(model.sparsify().coef_)
        np.testing.assert_array_equal(model.predict_proba(X), proba)
        np.testing.assert_array_equal(model.densify().predict(X), labels)


def test_coefficients_may_be_set() -> None:
    X, y = two()
    model = LogisticRegression().fit(X, y)
    model.coef_, model.intercept_ = np.array([[0.0, 0.0, 1.0]]), np.array([-0.5])
    np.testing.assert_allclose(model.decision_function(X), X[:, 2] - 0.5)


def test_tags_say_what_it_takes() -> None:
    tags = LogisticRegression().__sklearn_tags__()
    assert tags.estimator_type == "classifier"
    assert tags.input_tags.sparse
    assert not tags.input_tags.allow_nan
    assert tags.target_tags.required
    assert tags.classifier_tags.multi_class


# ------------------------------------------------------------------------------------------------
# Rows that come in batches


def flowers_in_batches(n_rows=25):
    """Iris in an order that has nothing to do with the kinds, with names as labels."""
    iris = load_iris()
    order = np.random.default_rng(0).permutation(150)
    X, y = iris.data[order], iris.target_names[iris.target[order]]
    return [(X[i : i + n_rows], y[i : i + n_rows]) for i in range(0, 150, n_rows)]


@pytest.mark.parametrize("mode", ["multinomial", "ovr"])
def test_partial_fit_of_a_stream_ends_where_fit_does(mode) -> None:
    batches = flowers_in_batches()
    X, y = (np.concatenate(part) for part in zip(*batches, strict=True))
    stream = LogisticRegression(multi_class=mode)
    with pytest.raises(ValueError, match="classes must be given"):
        stream.partial_fit(*batches[0])
    for batch in batches:
        assert stream.partial_fit(*batch, classes=np.unique(y)) is stream
    whole = LogisticRegression(multi_class=mode).fit(X, y)
    assert stream.classes_.tolist() == whole.classes_.tolist()
    proba = stream.predict_proba(X)
    np.testing.assert_allclose(proba, whole.predict_proba(X), atol=2e-3)
    with pytest.raises(ValueError, match="not those of the first call"):
        stream.partial_fit(*batches[0], classes=["other", "setosa"])
    np.testing.assert_array_equal(stream.predict_proba(X), proba)
    copied = pickle.loads(pickle.dumps(stream)).partial_fit(*batches[0])
    stream.partial_fit(*batches[0])
    np.testing.assert_array_equal(copied.coef_, stream.coef_)


def test_partial_fit_with_weights_of_classes() -> None:
    X, y = load_breast_cancer(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    weighed = LogisticRegression(class_weight={0: 3.0, 1: 0.5}).partial_fit(X, y, classes=[0, 1])
    by_rows = LogisticRegression().partial_fit(
        X, y, classes=[0, 1], sample_weight=np.where(y == 0, 3.0, 0.5)
    )
    np.testing.assert_array_equal(weighed.coef_, by_rows.coef_)
    with pytest.raises(ValueError, match="give partial_fit a dict"):
        LogisticRegression(class_weight="balanced").partial_fit(X, y, classes=[0, 1])


def parts_of(X, y, size):
    return [(X[k : k + size], y[k : k + size]) for k in range(0, len(X), size)]


@pytest.mark.parametrize("mode", ["multinomial", "ovr"])
@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("C", [0.01, 0.02])
def test_another_c_holds_for_the_rows_seen_before_too(C, classes, mode) -> None:
    X, y = problem(300, 3)[:2] if classes == 2 else three_classes(300, 3)
    stream = LogisticRegression(C=3.0, multi_class=mode)
    for part in parts_of(X[:270], y[:270], 30):
        stream.partial_fit(*part, classes=np.unique(y))
    stream.set_params(C=C).partial_fit(X[270:], y[270:])
    wanted = LogisticRegression(C=C, multi_class=mode).fit(X, y).predict_proba(X)
    np.testing.assert_allclose(stream.predict_proba(X), wanted, atol=2e-3)
    # The change is not a small one.
    other = LogisticRegression(C=3.0, multi_class=mode).fit(X, y)
    assert np.abs(other.predict_proba(X) - wanted).max() > 0.05
    # No penalty at all, and by the old name.
    stream.set_params(C=1.0, penalty=None)
    with pytest.warns(FutureWarning, match="penalty"):
        stream.partial_fit(X[270:], y[270:])
    free = LogisticRegression(C=np.inf, multi_class=mode)
    free.fit(np.r_[X, X[270:]], np.r_[y, y[270:]])
    # A stream stops 1e-5 of the cost above the optimum.
    np.testing.assert_allclose(stream.predict_proba(X), free.predict_proba(X), atol=5e-3)


@pytest.mark.parametrize(("name", "value"), [("fit_intercept", False), ("multi_class", "ovr")])
def test_what_a_stream_cannot_change_is_an_error(name, value) -> None:
    X, y = three()
    model = LogisticRegression().partial_fit(X, y, classes=np.unique(y))
    before = model.coef_.copy()
    then = model.get_params()[name]
    model.set_params(**{name: value})
    text = rf"{name}={value!r}, but the stream began with {then!r}.* set {name}={then!r}, or begin"
    with pytest.raises(ValueError, match=text):
        model.partial_fit(X, y)
    np.testing.assert_array_equal(model.coef_, before)
    model.set_params(**{name: then}).partial_fit(X, y)
    anew = clone(model).set_params(**{name: value}).partial_fit(X, y, classes=np.unique(y))
    assert getattr(anew, name) == value


def test_two_classes_have_one_meaning_of_multi_class() -> None:
    X, y = two()
    model = LogisticRegression().partial_fit(X[:50], y[:50], classes=np.unique(y))
    same = LogisticRegression().partial_fit(X[:50], y[:50], classes=np.unique(y))
    model.set_params(multi_class="ovr").partial_fit(X[50:], y[50:])
    np.testing.assert_array_equal(model.coef_, same.partial_fit(X[50:], y[50:]).coef_)


def test_class_weights_and_jobs_of_a_stream_are_those_of_the_call() -> None:
    X, y = two()
    labels = np.unique(y)
    model = LogisticRegression(n_jobs=1).partial_fit(X[:50], y[:50], classes=labels)
    model.set_params(class_weight={labels[0]: 2.0, labels[1]: 1.0}, n_jobs=TWO_THREADS)
    model.partial_fit(X[50:], y[50:])
    assert model._online.n_threads == TWO_THREADS
    weights = np.where(y == labels[0], 2.0, 1.0)
    weights[:50] = 1.0
    wanted = LogisticRegression().partial_fit(X, y, classes=labels, sample_weight=weights)
    np.testing.assert_allclose(model.coef_, wanted.coef_, atol=1e-3)


def test_a_fit_ends_a_stream() -> None:
    X, y = load_breast_cancer(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    model = LogisticRegression().partial_fit(X[:200], y[:200], classes=[0, 1]).fit(X, y)
    model.partial_fit(X[200:], y[200:])
    anew = LogisticRegression().partial_fit(X[200:], y[200:], classes=[0, 1])
    np.testing.assert_array_equal(model.coef_, anew.coef_)


@pytest.mark.parametrize("mode", ["multinomial", "ovr"])
def test_batches_give_the_fit_of_all_rows(mode) -> None:
    batches = flowers_in_batches(40)
    X, y = (np.concatenate(part) for part in zip(*batches, strict=True))
    options = {"multi_class": mode, "class_weight": "balanced", "C": 10.0}
    source = LogisticRegression(**options).fit(BatchSource(lambda: iter(batches)))
    whole = LogisticRegression(**options).fit(X, y)
    np.testing.assert_allclose(source.coef_, whole.coef_, rtol=1e-5, atol=1e-7)
    assert source.result_.suboptimality is not None
    assert np.max(source.result_.suboptimality) <= 1e-12
    assert source.n_features_in_ == 4
    with pytest.raises(TypeError, match="y must be left out"):
        LogisticRegression().fit(BatchSource(lambda: iter(batches)), y)


def test_batches_of_frames_give_their_names() -> None:
    X, y = two()
    frame = pd.DataFrame(X, columns=NAMES)
    source = BatchSource(lambda: ((frame[i : i + 20], y[i : i + 20]) for i in range(0, 60, 20)))
    model = LogisticRegression().fit(source)
    assert model.feature_names_in_.tolist() == NAMES
    assert model.get_params() == LogisticRegression().get_params()
    np.testing.assert_array_equal(model.predict(frame), model.predict(frame[NAMES]))
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame[NAMES[::-1]])
    model.fit(BatchSource(lambda: iter([(X, y)])))
    assert not hasattr(model, "feature_names_in_")


def test_partial_fit_refuses_the_labels_that_fit_refuses() -> None:
    X, y = two()
    labels = np.array([b"no", b"yes"])
    for call in (
        lambda model: model.fit(X, labels[y]),
        lambda model: model.partial_fit(X, labels[y], classes=labels),
    ):
        with pytest.raises(TypeError, match="bytes"):
            call(LogisticRegression())
