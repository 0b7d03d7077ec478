"""Frames with categorical columns: fits beside those of indicators, names, new rows, files."""

import dataclasses
import json
import pickle
import tracemalloc
import zipfile

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from coded_frames import (
    CARRIERS,
    FRAME,
    FULL,
    N_SAMPLES,
    OTHERS,
    REFERENCE,
    Y,
    frame_of,
    indicators,
    labels_of,
)
from problems import TWO_THREADS
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

import fastlogit
from fastlogit import LogisticRegression, LogisticRegressionCV
from fastlogit.inputs.categories import Categories, Interaction, categories_from
from fastlogit.model_file import Model, load_model, save_model
from fastlogit.predictor import Predictor

# ---- fits


@pytest.mark.parametrize("strength", [{}, {"C": 1.0}, {"l2_reg": 0.01}, {"l1_reg": 0.01}])
def test_a_fit_is_that_of_the_indicators(strength) -> None:
    coding = "full" if strength else "reference"
    found = fastlogit.fit(FRAME, Y, **strength, tol=1e-15)
    X = indicators(FRAME, coding)
    wanted = fastlogit.fit(X, Y, **strength, tol=1e-15)
    assert found.converged
    np.testing.assert_allclose(found.coef, wanted.coef, atol=1e-10)
    np.testing.assert_allclose(found.history[-1], wanted.history[-1], rtol=1e-13)
    np.testing.assert_allclose(found.predict_proba(FRAME), wanted.predict_proba(X), atol=1e-10)
    assert found.feature_names == (FULL if strength else REFERENCE)
    # The same numbers say the same of the indicators, to rounding.
    np.testing.assert_allclose(
        found.predict_proba(FRAME),
        fastlogit.predict_proba(X, found.coef, found.intercept),
        rtol=1e-12,
    )


@pytest.mark.parametrize("coding", ["full", "reference"])
@pytest.mark.parametrize("multi_class", ["multinomial", "ovr"])
def test_classes(coding, multi_class) -> None:
    y = np.array(["late", "on time", "early"])[labels_of(FRAME, 3)]
    model = LogisticRegression(multi_class=multi_class, categories=coding, tol=1e-9)
    found = model.fit(FRAME, y)
    X = indicators(FRAME, coding)
    wanted = LogisticRegression(multi_class=multi_class, tol=1e-9).fit(X, y)
    np.testing.assert_allclose(found.coef_, wanted.coef_, atol=1e-6)
    np.testing.assert_allclose(found.predict_proba(FRAME), wanted.predict_proba(X), atol=1e-10)
    np.testing.assert_array_equal(found.predict(FRAME), wanted.predict(X))
    np.testing.assert_allclose(
        found.predict_log_proba(FRAME), np.log(found.predict_proba(FRAME)), rtol=1e-12
    )
    assert found.score(FRAME, y) == wanted.score(X, y)
    assert found.result_.feature_names == (FULL if coding == "full" else REFERENCE)


def test_what_scikit_learn_counts_are_columns_of_the_frame() -> None:
    model = LogisticRegression().fit(FRAME, Y)
    assert model.n_features_in_ == 4
    assert model.feature_names_in_.tolist() == list(FRAME.columns)
    assert model.coef_.shape == (1, 9)
    assert model.result_.categories.features == [
        ("distance", None), ("carrier", "UA"), ("carrier", "AA"), ("carrier", "DL"),
        ("carrier", "B6"), ("delay", None), ("month", 1), ("month", 2), ("month", 3),
    ]  # fmt: skip
    assert "carrier[AA]" in model.result_._repr_html_()
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(FRAME.rename(columns={"carrier": "airline"}))
    with pytest.raises(ValueError, match="lacks 'carrier' and has 'airline'"):
        model.result_.predict(FRAME.rename(columns={"carrier": "airline"}))


@pytest.mark.parametrize(
    ("options", "coding"),
    [
        ({}, "reference"),
        ({"C": np.inf}, "reference"),
        ({"l2_reg": 0.0}, "reference"),
        ({"l1_reg": 0, "l2_reg": 0}, "reference"),
        ({"C": 1e6}, "full"),
        ({"l2_reg": 1e-9}, "full"),
        ({"l1_reg": 1e-3}, "full"),
        ({"penalty": fastlogit.objective.penalties.L2(np.full((1, 9), 0.1), 9)}, "full"),
        ({"C": 1.0, "categories": "reference"}, "reference"),
        ({"categories": "full"}, "full"),
    ],
)
def test_auto_is_full_with_a_penalty(options, coding) -> None:
    assert fastlogit.fit(FRAME, Y, **options).categories.coding == coding
    if set(options) <= {"C", "categories"}:
        model = LogisticRegression(**{"C": np.inf, **options}).fit(FRAME, Y)
        assert model.result_.categories.coding == coding


def test_full_coding_without_a_penalty_predicts_as_reference_coding_does() -> None:
    full = fastlogit.fit(FRAME, Y, categories="full")
    reference = fastlogit.fit(FRAME, Y)
    assert full.converged
    np.testing.assert_allclose(full.predict_proba(FRAME), reference.predict_proba(FRAME), atol=1e-6)


def test_weights_and_an_offset() -> None:
    rng = np.random.default_rng(5)
    rows = {"sample_weight": rng.uniform(size=N_SAMPLES), "offset": rng.normal(size=N_SAMPLES)}
    found = LogisticRegression(tol=1e-9).fit(FRAME, Y, **rows)
    wanted = LogisticRegression(tol=1e-9).fit(indicators(FRAME, "full"), Y, **rows)
    np.testing.assert_allclose(found.coef_, wanted.coef_, atol=1e-10)


@pytest.mark.parametrize("kind", [kind for kind in OTHERS if kind not in ("text", "objects")])
def test_frames_of_other_libraries_are_fitted_alike(kind) -> None:
    X = OTHERS[kind]
    found = fastlogit.fit(X, Y, C=1.0, tol=1e-15)
    wanted = fastlogit.fit(FRAME, Y, C=1.0, tol=1e-15)
    by_name = dict(zip(found.feature_names, found.coef, strict=True))
    if "polars" in kind:
        assert "month" in by_name
        assert found.categories.levels[1] == (
            ("B6", "AA", "UA", "DL") if "Enum" in kind else tuple(sorted(CARRIERS))
        )
        return
    assert set(by_name) == set(FULL)
    for name, value in zip(wanted.feature_names, wanted.coef, strict=True):
        assert by_name[name] == pytest.approx(value, abs=1e-7)


@pytest.mark.jit
def test_the_same_bits_for_any_number_of_threads() -> None:
    X = frame_of(50_000)
    y = labels_of(X)
    one, two = (
        fastlogit.fit(X, y, C=1.0, interactions=[("carrier", "month")], n_threads=n)
        for n in (1, TWO_THREADS)
    )
    np.testing.assert_array_equal(one.coef, two.coef)
    np.testing.assert_array_equal(
        one.predict_proba(X, n_threads=1), two.predict_proba(X, n_threads=TWO_THREADS)
    )


@pytest.mark.jit
def test_ten_thousand_levels_take_no_memory_of_indicators() -> None:
    n_samples, n_levels = 100_000, 10_000
    rng = np.random.default_rng(3)
    codes = rng.integers(0, n_levels, n_samples)
    codes[:n_levels] = np.arange(n_levels)
    X = pd.DataFrame({
        "x": rng.normal(size=n_samples),
        "id": pd.Categorical.from_codes(codes, [f"i{k:05}" for k in range(n_levels)]),
    })  # fmt: skip
    y = X["x"] + rng.normal(size=n_levels)[codes] + rng.logistic(size=n_samples) > 0
    fastlogit.fit(X[:1000], y[:1000], C=1.0, solver="newton-cg")  # compiled
    tracemalloc.start()
    result = fastlogit.fit(X, y, C=1.0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert result.converged
    assert result.coef.shape == (n_levels + 1,)
    # The indicators would take 8 GB, and 1.2 MB for each stored value of a sparse matrix.
    assert peak < 100e6
    # At the optimum each level's residuals add up to what the penalty takes.
    proba = result.predict_proba(X)[:, 1]
    slopes = np.bincount(codes, proba - y, minlength=n_levels) + result.coef[1:]
    assert np.abs(slopes).max() < 1e-4


# ---- levels


def test_levels_that_do_not_occur_are_left_out_and_unknown() -> None:
    X = FRAME.assign(carrier=FRAME["carrier"].cat.set_categories(["ZZ", *CARRIERS]))
    for options in ({"C": 1.0}, {}):
        found = fastlogit.fit(X, Y, **options)
        np.testing.assert_array_equal(found.coef, fastlogit.fit(FRAME, Y, **options).coef)
        assert found.categories.levels[1] == tuple(CARRIERS)
    new = X[:3].assign(carrier=["AA", "ZZ", "UA"])
    with pytest.raises(ValueError, match=r"X has 'ZZ' in column 'carrier' \(row 1\), which was"):
        found.predict_proba(new)


def test_a_column_of_one_level() -> None:
    X = FRAME.assign(year=pd.Categorical([2013] * N_SAMPLES))
    full, reference = (fastlogit.fit(X, Y, C=1.0, categories=c) for c in ("full", "reference"))
    assert full.feature_names == [*FULL, "year[2013]"]
    assert full.coef[-1] == 0.0  # the intercept has its place, without a penalty
    assert reference.feature_names == REFERENCE
    wanted = fastlogit.fit(FRAME, Y, C=1.0, categories="reference")
    np.testing.assert_array_equal(reference.predict_proba(X), wanted.predict_proba(FRAME))
    with pytest.raises(ValueError, match=r"X has 2014 in column 'year' \(row 0\)"):
        reference.predict(X.assign(year=2014))
    with pytest.raises(ValueError, match="categorical columns of one level only"):
        fastlogit.fit(X[["year"]], Y)
    alone = fastlogit.fit(X[["year"]], Y, C=1.0)
    np.testing.assert_allclose(alone.predict_proba(X[["year"]])[:, 1], Y.mean(), rtol=1e-6)


def test_codes_alone() -> None:
    X = FRAME[["carrier", "month"]]
    found = fastlogit.fit(X, Y, C=1.0, tol=1e-15)
    wanted = fastlogit.fit(indicators(X, "full"), Y, C=1.0, tol=1e-15)
    np.testing.assert_allclose(found.coef, wanted.coef, atol=1e-10)
    assert found.predict_proba(X[:2]).shape == (2, 2)


def test_a_missing_category_is_refused_in_a_fit() -> None:
    X = FRAME.copy()
    X.loc[[7, 9], "carrier"] = None
    words = r"X has a missing category in column 'carrier' \(row 7\); give missing"
    for each in (X, pl.from_pandas(X), pa.Table.from_pandas(X)):
        with pytest.raises(ValueError, match=words):
            fastlogit.fit(each, Y)
        with pytest.raises(ValueError, match=words):
            LogisticRegression().fit(each, Y)


@pytest.mark.parametrize("carrier", [pd.DataFrame, pl.DataFrame, pa.table])
def test_new_values_that_are_no_categories_are_named(carrier) -> None:
    result = fastlogit.fit(FRAME, Y, C=1.0)
    columns = {name: FRAME[name][:2].tolist() for name in FRAME}
    assert result.predict(carrier(columns)).shape == (2,)
    with pytest.raises(TypeError, match="X has values in column 'carrier' that are no categories"):
        result.predict(carrier(columns | {"carrier": [["AA"], ["UA"]]}))


@pytest.mark.parametrize("name", ["l2_reg", "penalty_factor", "coef_bounds", "penalty_groups"])
def test_a_number_for_each_column_of_the_frame_is_too_few(name) -> None:
    """There is one for each coefficient, and errors do not call these columns."""
    each = [1] * FRAME.shape[1]
    options = {
        "l2_reg": {"l2_reg": each},
        "penalty_factor": {"C": 1.0, "penalty_factor": each},
        "coef_bounds": {"C": 1.0, "coef_bounds": (None, each)},
        "penalty_groups": {"l1_reg": 0.1, "penalty_groups": each},
    }[name]
    n_features = len(fastlogit.fit(FRAME, Y, C=1.0).coef)
    words = rf"shape \(4,\), but X has {n_features} coefficients, one for each level"
    with pytest.raises(ValueError, match=words):
        fastlogit.fit(FRAME, Y, **options)


def test_other_faults_of_frames_are_named() -> None:
    words = r"column 't' holds 'a'.*categorical column of a frame \(pandas: astype\('category'\)"
    with pytest.raises(TypeError, match=words):
        fastlogit.fit(FRAME.assign(t="a"), Y)
    with pytest.raises(ValueError, match=r"NaN in column 'delay' \(row 0\)"):
        fastlogit.fit(FRAME.assign(delay=np.nan), Y)
    twice = FRAME.set_axis(["a", "carrier", "a", "month"], axis=1)
    with pytest.raises(ValueError, match="2 columns called 'a'"):
        fastlogit.fit(twice, Y)
    with pytest.raises(ValueError, match="X is empty: 0 rows and 4 columns"):
        fastlogit.fit(FRAME[:0], Y[:0])
    with pytest.raises(ValueError, match="requires y to be passed"):
        LogisticRegression().fit(FRAME)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        LogisticRegression().fit(FRAME, Y[:-1])
    with pytest.raises(ValueError, match="y has 5 values"):
        fastlogit.fit(FRAME, Y[:5])


# ---- new rows


@pytest.mark.parametrize("kind", OTHERS)
def test_new_rows_are_known_by_value(kind) -> None:
    result = fastlogit.fit(FRAME, Y, C=1.0)
    model = LogisticRegression().fit(FRAME, Y)
    X = OTHERS[kind]
    np.testing.assert_array_equal(result.predict_proba(X), result.predict_proba(FRAME))
    np.testing.assert_array_equal(model.predict_proba(X), model.predict_proba(FRAME))
    few = X[:3]
    np.testing.assert_allclose(result.predict_proba(few), result.predict_proba(FRAME)[:3])


def test_whole_numbers_and_floats_are_equal_but_texts_are_not() -> None:
    result = fastlogit.fit(FRAME, Y, C=1.0)
    np.testing.assert_array_equal(
        result.predict_proba(FRAME.assign(month=FRAME["month"].astype(float))),
        result.predict_proba(FRAME),
    )
    words = r"X has '[123]' in column 'month' \(row 0\), which was not in the fit; its levels"
    with pytest.raises(ValueError, match=words):
        result.predict_proba(FRAME.assign(month=FRAME["month"].astype(str)))


def test_intervals_and_dates_are_known_by_their_text() -> None:
    X = FRAME.assign(bin=pd.cut(FRAME["distance"], [-9.0, 0.0, 9.0]))
    result = fastlogit.fit(X, Y, C=1.0)
    assert result.feature_names[-2:] == ["bin[(-9.0, 0.0]]", "bin[(0.0, 9.0]]"]
    as_text = X.assign(bin=X["bin"].astype(str))
    np.testing.assert_array_equal(result.predict_proba(as_text), result.predict_proba(X))


@pytest.mark.parametrize("value", ["ZZ", None, np.nan])
def test_unknown_and_missing_categories(value) -> None:
    X = FRAME.astype({"carrier": object})
    X.loc[4, "carrier"] = value
    said = ("has 'ZZ'" if value == "ZZ" else "has a missing category") + " in column 'carrier'"
    for options in ({"C": 1.0}, {"C": np.inf}):
        model = LogisticRegression(**options).fit(FRAME, Y)
        for call in (model.predict_proba, model.result_.predict_proba, model.predict):
            with pytest.raises(ValueError, match=rf"{said} \(row 4\).*handle_unknown='zero'"):
                call(X)
        zero = LogisticRegression(handle_unknown="zero", **options).fit(FRAME, Y)
        found = zero.decision_function(X)
        wanted = zero.decision_function(FRAME)
        coef = dict(zip(zero.result_.feature_names, zero.coef_[0], strict=True))
        wanted[4] -= coef.get(f"carrier[{FRAME['carrier'][4]}]", 0.0)
        np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-14)
        np.testing.assert_array_equal(zero.result_.raw_prediction(X), found)
        # The parameter of today holds, as of scikit-learn's encoders.
        np.testing.assert_array_equal(
            model.set_params(handle_unknown="zero").decision_function(X), found
        )


def test_rows_of_another_shape_are_refused() -> None:
    model = LogisticRegression().fit(FRAME, Y)
    result = model.result_
    for X in (indicators(FRAME, "full").to_numpy(), FRAME.to_numpy(), [[1.0] * 4], FRAME["delay"]):
        with pytest.raises(TypeError, match="must be a data frame with the columns of the fit"):
            result.predict(X)
    with pytest.raises(TypeError, match="must be a data frame with the columns of the fit"):
        model.predict(FRAME.to_numpy())
    with pytest.raises(TypeError, match="not computed yet"):
        result.predict(pl.from_pandas(FRAME).lazy())
    numbered = fastlogit.fit(FRAME.set_axis(range(4), axis=1), Y, C=1.0)
    assert numbered.feature_names is None
    assert numbered.categories.feature_names[1] == "1[UA]"
    assert "<th>1[UA]</th>" in numbered._repr_html_()
    assert "1[UA]" in fastlogit.CoefficientsDisplay.from_result(numbered).feature_names
    np.testing.assert_array_equal(numbered.predict(FRAME), result.predict(FRAME))
    with pytest.raises(ValueError, match="X has 3 columns, but the fit had 4"):
        numbered.predict(FRAME.iloc[:, :3])
    with pytest.raises(TypeError, match="'delay': categories are not numbers"):
        result.predict(FRAME.astype({"delay": "category"}))
    with pytest.raises(ValueError, match="X is empty"):
        result.predict(FRAME[:0])


def test_leave_one_out_is_that_of_the_indicators() -> None:
    found = fastlogit.leave_one_out(LogisticRegression(tol=1e-9).fit(FRAME, Y), FRAME, Y)
    X = indicators(FRAME, "full")
    wanted = fastlogit.leave_one_out(LogisticRegression(tol=1e-9).fit(X, Y), X, Y)
    np.testing.assert_allclose(found.raw_prediction, wanted.raw_prediction, atol=1e-6)
    with pytest.raises(ValueError, match="lacks 'distance', 'carrier'"):
        fastlogit.leave_one_out(fastlogit.fit(FRAME, Y), FRAME[["delay"]], Y)


def test_a_search_takes_frames() -> None:
    search = GridSearchCV(LogisticRegression(handle_unknown="zero"), {"C": [0.1, 1.0]}, cv=3)
    search.fit(FRAME, Y)
    assert search.best_estimator_.result_.feature_names == FULL
    assert search.score(FRAME, Y) > 0.5


def test_a_later_fit_forgets_the_categories() -> None:
    model = LogisticRegression().fit(FRAME, Y)
    X = FRAME[["distance", "delay"]].to_numpy()
    model.fit(X, Y)
    assert model.predict(X).shape == (N_SAMPLES,)
    model.fit(FRAME, Y).partial_fit(X, Y, classes=[0, 1])
    assert model.predict(X).shape == (N_SAMPLES,)


def test_a_warm_start() -> None:
    model = LogisticRegression(warm_start=True).fit(FRAME, Y)
    again = model.fit(FRAME, Y)
    assert again.n_iter_[0] == 0
    with pytest.raises(ValueError, match="coef has shape"):
        model.set_params(categories="reference").fit(FRAME, Y)


# ---- sparse columns


def test_a_frame_of_sparse_columns_beside_others() -> None:
    dummies = pd.get_dummies(FRAME[["carrier"]], sparse=True)
    X = pd.concat([FRAME[["distance"]], dummies, FRAME[["delay"]]], axis=1)
    dense = X.astype(float)
    found = fastlogit.fit(X, Y, C=1.0, tol=1e-15)
    wanted = fastlogit.fit(dense, Y, C=1.0, tol=1e-15)
    assert found.feature_names == wanted.feature_names == list(X.columns)
    assert found.categories is None
    np.testing.assert_allclose(found.coef, wanted.coef, atol=1e-10)
    for rows in (X, dense, dense.to_numpy()):
        np.testing.assert_allclose(found.predict_proba(rows), wanted.predict_proba(dense))
    model = LogisticRegression(tol=1e-9).fit(X, Y)
    np.testing.assert_allclose(model.coef_[0], wanted.coef, atol=1e-7)
    np.testing.assert_allclose(model.predict_proba(X), wanted.predict_proba(dense), atol=1e-7)
    assert model.n_features_in_ == 6
    np.testing.assert_allclose(
        fastlogit.cost(X, Y, wanted.coef, wanted.intercept),
        fastlogit.cost(dense, Y, wanted.coef, wanted.intercept),
    )
    with pytest.raises(ValueError, match="2 columns called 'delay'"):
        fastlogit.fit(X.rename(columns={"distance": "delay"}), Y)
    with pytest.raises(ValueError, match=r"NaN in column 'delay' \(row 0\)"):
        fastlogit.fit(X.assign(delay=np.nan), Y)


@pytest.mark.parametrize("scoring", ["neg_log_loss", "accuracy", lambda m, X, y: m.score(X, y)])
def test_a_cross_validation_of_sparse_columns_beside_others(scoring) -> None:
    dummies = pd.get_dummies(FRAME[["carrier"]], sparse=True)
    X = pd.concat([FRAME[["distance"]], dummies], axis=1)
    options = {"Cs": 3, "l1_ratios": (0,), "scoring": scoring, "use_legacy_attributes": False}
    found = LogisticRegressionCV(**options).fit(X, Y)
    wanted = LogisticRegressionCV(**options).fit(X.astype(float), Y)
    assert found.C_ == wanted.C_
    np.testing.assert_allclose(found.scores_, wanted.scores_, rtol=1e-5)


def test_sparse_columns_beside_categories() -> None:
    dummies = pd.get_dummies(FRAME[["month"]], sparse=True)
    X = pd.concat([dummies, FRAME[["carrier", "delay"]]], axis=1)
    found = fastlogit.fit(X, Y, C=1.0, tol=1e-15)
    wanted = fastlogit.fit(indicators(X, "full").astype(float), Y, C=1.0, tol=1e-15)
    np.testing.assert_allclose(found.coef, wanted.coef, atol=1e-10)
    dense = X.astype(dict.fromkeys(dummies, float))
    np.testing.assert_allclose(found.predict_proba(dense), found.predict_proba(X), rtol=1e-12)
    filled = X.assign(month_1=X["month_1"].astype(pd.SparseDtype(bool, True)))
    with pytest.raises(TypeError, match="sparse"):
        fastlogit.fit(filled, Y)


# ---- what is kept


def test_pickles_and_clones() -> None:
    model = LogisticRegression(interactions=[("carrier", "month")]).fit(FRAME, Y)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict_proba(FRAME), model.predict_proba(FRAME))
    assert again.result_.categories == model.result_.categories
    cloned = clone(model).fit(FRAME, Y)
    np.testing.assert_array_equal(cloned.coef_, model.coef_)
    row = FRAME.iloc[0].to_dict()
    predictor = model.result_.predictor()
    assert pickle.loads(pickle.dumps(predictor))(row) == predictor(row)


@pytest.mark.parametrize("options", [{"C": 1.0, "interactions": [("carrier", "month")]}, {}])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_model_files(tmp_path, options, n_classes) -> None:
    y = labels_of(FRAME, n_classes)
    result = fastlogit.fit(FRAME, y, handle_unknown="zero", **options)
    model = Model(result, tuple(FRAME.columns), "late", {}, fastlogit.__version__)
    path = tmp_path / "model.npz"
    save_model(model, path)
    loaded = load_model(path)
    assert loaded.feature_names == model.feature_names
    assert loaded.result.feature_names == result.feature_names
    assert loaded.result.categories == result.categories
    assert [type(level) for level in loaded.result.categories.levels[3]] == [int] * 3
    np.testing.assert_array_equal(loaded.result.predict_proba(FRAME), result.predict_proba(FRAME))
    with zipfile.ZipFile(path) as archive:
        assert '"format_version": 3' in meta_of(archive)
    with pytest.raises(ValueError, match="9 feature_names, but the fit had 4 columns"):
        save_model(dataclasses.replace(model, feature_names=("x",) * 9), path)


def meta_of(archive: zipfile.ZipFile) -> str:
    with archive.open("meta.npy") as file:
        return str(np.lib.format.read_array(file))


def test_files_without_categories_are_read_by_earlier_versions(tmp_path) -> None:
    result = fastlogit.fit(FRAME[["delay"]], Y)
    save_model(Model(result, ("delay",), "late", {}, "0"), tmp_path / "model.npz")
    with zipfile.ZipFile(tmp_path / "model.npz") as archive:
        meta = json.loads(meta_of(archive))
    assert meta["format_version"] == 2
    assert "categories" not in meta["result"]


WHOLE = Categories(
    ("x", "a", "b"), (None, ("u", "v"), (1, 2)), "full", "error",
    (Interaction(1, 2, ((0, 0), (1, 1))),),
)  # fmt: skip


@pytest.mark.parametrize(
    "change",
    [
        {"coding": "auto"},
        {"handle_unknown": "nan"},
        {"columns": ["x", "a"]},
        {"levels": [None, ["u", "u"], [1, 2]]},
        {"interactions": [[1, 2, [[0, 2]]]]},
        {"interactions": [[1, 3, [[0, 0]]]]},
        {"interactions": [[0, 1, [[0, 0]]]]},
        {"interactions": [[1, 2, [[0]]]]},
    ],
)
def test_categories_that_are_not_whole(change) -> None:
    said = json.loads(json.dumps(dataclasses.asdict(WHOLE)))
    assert categories_from(said) == WHOLE
    assert categories_from(None) is None
    with pytest.raises(ValueError, match=r"categories|coding|handle_unknown|unpack"):
        categories_from(said | change)


def test_a_damaged_file_is_refused(tmp_path) -> None:
    result = fastlogit.fit(FRAME, Y, C=1.0)
    smaller = dataclasses.replace(result.categories, levels=(None, ("UA",), None, (1, 2, 3)))
    model = Model(
        dataclasses.replace(result, categories=smaller), tuple(FRAME.columns), "late", {}, "0"
    )
    save_model(model, tmp_path / "model.npz")
    with pytest.raises(ValueError, match="damaged fastlogit model file: 6 columns and 2 classes"):
        load_model(tmp_path / "model.npz")


# ---- single rows


@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_predictor_takes_values_of_the_columns(n_classes) -> None:
    result = fastlogit.fit(
        FRAME, labels_of(FRAME, n_classes), C=1.0, interactions=[("carrier", "month")]
    )
    predictor, wanted = result.predictor(), result.predict_proba(FRAME)
    for place in range(5):
        row = FRAME.iloc[place]
        for given in (row, row.to_dict(), row.tolist(), tuple(row), row.to_numpy()):
            np.testing.assert_allclose(predictor.predict_proba(given), wanted[place], rtol=1e-12)
            assert predictor.predict(given) == result.predict(FRAME)[place]
    np.testing.assert_array_equal(predictor.predict_proba(FRAME), wanted)
    np.testing.assert_array_equal(predictor.predict(FRAME), result.predict(FRAME))


def test_rows_that_a_predictor_refuses() -> None:
    result = fastlogit.fit(FRAME, Y, C=1.0)
    predictor, row = result.predictor(), FRAME.iloc[0].to_dict()
    with pytest.raises(ValueError, match="row has 'ZZ' in column 'carrier', which was not"):
        predictor(row | {"carrier": "ZZ"})
    with pytest.raises(ValueError, match="row has a missing category in column 'carrier'"):
        predictor(row | {"carrier": None})
    with pytest.raises(ValueError, match="NaN in column 'delay'"):
        predictor(row | {"delay": None})
    with pytest.raises(TypeError, match="row has 'late' in column 'delay', which is no number"):
        predictor(row | {"delay": "late"})
    with pytest.raises(ValueError, match="row has 2 values, but the fit had 4"):
        predictor([1.0, "UA"])
    with pytest.raises(ValueError, match="row lacks 'carrier'"):
        predictor({name: value for name, value in row.items() if name != "carrier"})
    with pytest.raises(TypeError, match="must be a data frame"):
        predictor(np.ones((2, 4)))
    with pytest.raises(ValueError, match="categories are of 9 features, but coef has 2"):
        Predictor(np.ones(2), 0.0, np.array([0, 1]), categories=result.categories)
    zero = fastlogit.fit(FRAME, Y, C=1.0, handle_unknown="zero").predictor()
    unknown = FRAME[:1].assign(carrier="ZZ")
    assert zero(row | {"carrier": "ZZ"}) == pytest.approx(float(zero(unknown)[0]), rel=1e-12)
    assert zero(row | {"carrier": None}) == zero(row | {"carrier": "ZZ"})


# ---- interactions


@pytest.mark.parametrize("coding", ["full", "reference"])
def test_interactions_are_products_of_indicators(coding) -> None:
    X = FRAME[(FRAME["carrier"] != "DL") | (FRAME["month"] != 2)]  # one pair does not occur
    y = Y[X.index]
    found = fastlogit.fit(
        X, y, C=1.0, categories=coding, interactions=[("month", "carrier")], tol=1e-15
    )
    table = indicators(X, coding)
    for month in (1, 2, 3)[coding == "reference" :]:
        for carrier in CARRIERS[coding == "reference" :]:
            if (month, carrier) != (2, "DL"):
                product = table[f"month_{month}"] * table[f"carrier_{carrier}"]
                table[f"month:carrier[{month}:{carrier}]"] = product
    wanted = fastlogit.fit(table, y, C=1.0, tol=1e-15)
    n_mains = len(FULL if coding == "full" else REFERENCE)
    assert found.feature_names[n_mains:] == list(table.columns[n_mains:])
    np.testing.assert_allclose(found.coef, wanted.coef, atol=1e-10)
    np.testing.assert_allclose(found.predict_proba(X), wanted.predict_proba(table), atol=1e-10)
    # A pair that did not occur counts as 0: what the two columns say of it remains.
    new = X[:1].assign(carrier="DL", month=2)
    by_name = dict(zip(found.feature_names, found.coef, strict=True))
    raw = found.intercept + by_name["carrier[DL]"] + by_name["month[2]"]
    raw += float(new["distance"].iloc[0]) * by_name["distance"]
    raw += float(new["delay"].iloc[0]) * by_name["delay"]
    assert found.raw_prediction(new)[0] == pytest.approx(raw, rel=1e-10)
    assert found.categories.features[-1] == ("month:carrier", (3, "B6"))


def test_interactions_with_an_unknown_level_count_as_nothing() -> None:
    result = fastlogit.fit(
        FRAME, Y, C=1.0, handle_unknown="zero", interactions=[("carrier", "month")]
    )
    by_name = dict(zip(result.feature_names, result.coef, strict=True))
    new = FRAME[:1].assign(carrier="ZZ", month=2, distance=0.0, delay=0.0)
    wanted = result.intercept + by_name["month[2]"]
    assert result.raw_prediction(new)[0] == pytest.approx(wanted, rel=1e-12)


def test_pairs_of_many_levels(monkeypatch) -> None:
    few = fastlogit.fit(FRAME, Y, C=1.0, interactions=[("carrier", "month")])
    monkeypatch.setattr("fastlogit.inputs.interactions.MOST_PAIRS", 1)
    many = fastlogit.fit(FRAME, Y, C=1.0, interactions=[("carrier", "month")])
    assert many.categories == few.categories


def test_an_interaction_of_which_no_pair_has_a_coefficient() -> None:
    X = FRAME.assign(year=pd.Categorical([2013] * N_SAMPLES))
    found = fastlogit.fit(X, Y, interactions=[("carrier", "year")])
    assert found.feature_names == REFERENCE
    assert found.categories.interactions == ()


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"categories": "onehot"}, ValueError, "categories must be one of 'auto', 'full'"),
        ({"handle_unknown": "ignore"}, ValueError, "handle_unknown must be one of 'error', 'zero'"),
        ({"interactions": "carrier:month"}, TypeError, "interactions must be pairs"),
        ({"interactions": 3}, TypeError, "interactions must be pairs"),
        ({"interactions": ["carrier"]}, ValueError, "interactions must be pairs"),
        ({"interactions": [("carrier", "month", "x")]}, ValueError, "interactions must be pairs"),
        ({"interactions": [("month", "month")]}, ValueError, "'month' with itself"),
        (
            {"interactions": [("carrier", "month"), ("month", "carrier")]},
            ValueError,
            "'month' and 'carrier' twice",
        ),
        ({"interactions": [("carrier", "origin")]}, ValueError, "'origin', which is no column"),
        ({"interactions": [("carrier", "delay")]}, ValueError, "'delay', a column of numbers"),
    ],
)
def test_bad_options(options, error, words) -> None:
    with pytest.raises(error, match=words):
        fastlogit.fit(FRAME, Y, **options)
    with pytest.raises((ValueError, TypeError)):
        LogisticRegression(**options).fit(FRAME, Y)


def test_interactions_of_no_categories() -> None:
    X = FRAME[["distance", "delay"]]
    for call in (
        lambda: fastlogit.fit(X, Y, interactions=[("distance", "delay")]),
        lambda: LogisticRegression(interactions=[("distance", "delay")]).fit(X, Y),
        lambda: fastlogit.fit(X.to_numpy(), Y, interactions=[("a", "b")]),
    ):
        with pytest.raises(ValueError, match="but X has no categorical columns"):
            call()
