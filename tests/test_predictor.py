"""Scores of single rows, and of few: fast, and the same bits as among many."""

import contextlib
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from problems import JIT, LAYOUTS, problem, sized, three_classes

import fastlogit
from fastlogit import LogisticRegression, Predictor, prediction, reference

MODELS = {
    "few columns": (problem(80, 3)[:2], {}),
    "columns": (problem(80, 12)[:2], {}),
    "softmax": (three_classes(90, 4)[:2], {"multi_class": "multinomial"}),
    "softmax of columns": (three_classes(90, 9)[:2], {"multi_class": "multinomial"}),
    "one-vs-all": (three_classes(90, 4)[:2], {}),
}
NAMES = ["age", "size", "dose"]


@pytest.fixture(autouse=True)
def no_warnings_of_plain_numbers():
    """Without the JIT, NumPy's numbers warn of infinities where compiled ones do not."""
    with contextlib.nullcontext() if JIT else np.errstate(all="ignore"):
        yield


@pytest.fixture(params=MODELS)
def fitted(request):
    """Rows, and a fit of them."""
    (X, y), options = MODELS[request.param]
    return X, fastlogit.fit(X, y, C=1.0, **options)


def general(monkeypatch, call):
    """What the way of many rows gives."""
    with monkeypatch.context() as patch:
        patch.setattr(prediction, "FEW_NUMBERS", 0)
        return call()


def test_a_row_alone_has_the_bits_that_it_has_among_others(fitted, monkeypatch) -> None:
    X, result = fitted
    score = result.predictor()
    for call in (result.raw_prediction, result.predict_proba, result.predict):
        among = general(monkeypatch, lambda call=call: call(X))
        np.testing.assert_array_equal(call(X), among)
        alone = np.concatenate([call(X[[row]]) for row in range(len(X))])
        np.testing.assert_array_equal(alone, among)
    proba, labels = result.predict_proba(X), result.predict(X)
    for row in range(0, len(X), 7):
        np.testing.assert_array_equal(score.predict_proba(X[row]), proba[row])
        assert score.predict(X[row]) == labels[row]
        found = score(X[row])
        if proba.shape[1] == 2:
            assert type(found) is float
            assert found == proba[row, 1]
        else:
            np.testing.assert_array_equal(found, proba[row])


def test_rows_of_two_dimensions_are_read_as_the_result_does(fitted) -> None:
    X, result = fitted
    score, proba = result.predictor(), result.predict_proba(X)
    np.testing.assert_array_equal(score.predict_proba(X), proba)
    np.testing.assert_array_equal(score(X), proba[:, 1] if proba.shape[1] == 2 else proba)
    np.testing.assert_array_equal(score.predict(X), result.predict(X))
    np.testing.assert_array_equal(score.predict_proba(X.tolist()), proba)


@pytest.mark.parametrize("layout", [*LAYOUTS, "float32", "int"])
def test_layouts_of_few_rows(layout, monkeypatch) -> None:
    X, result = np.round(MODELS["columns"][0][0] * 4.0), fastlogit.fit(*MODELS["columns"][0], C=1.0)
    kinds = {"float32": np.float32, "int": np.int64}
    given = X.astype(kinds[layout]) if layout in kinds else LAYOUTS[layout](X)
    wanted = general(monkeypatch, lambda: result.predict_proba(X))
    # Kernels add in another order where rows do not lie contiguous.
    np.testing.assert_allclose(result.predict_proba(given), wanted, rtol=1e-13)
    np.testing.assert_allclose(result.predict_proba(given[3:4]), wanted[3:4], rtol=1e-13)
    np.testing.assert_array_equal(result.predictor().predict_proba(given[3]), wanted[3])


def test_probabilities_of_one_row_are_the_formula() -> None:
    rng = np.random.default_rng(0)
    coef, intercept, row = rng.standard_normal(30), 0.7, rng.standard_normal((1, 30))
    for scale in (1.0, 30.0, 400.0):
        found = fastlogit.predict_proba(row, scale * coef, scale * intercept)
        wanted = reference.predict_proba(row, scale * coef, scale * intercept)
        np.testing.assert_allclose(found, wanted, rtol=1e-12)


@pytest.fixture
def named():
    """A fit whose columns have names."""
    pd = pytest.importorskip("pandas")
    X, y = problem(60, 3)[:2]
    frame = pd.DataFrame(X, columns=NAMES)
    return frame, fastlogit.fit(frame, np.where(y, "yes", "no"), C=1.0)


def test_carriers_of_one_row(named) -> None:
    frame, result = named
    score, wanted = result.predictor(), result.predict_proba(frame)[5, 1]
    values = frame.to_numpy()[5]
    by_name = dict(zip(NAMES, values, strict=True))
    for row in (
        values, values.tolist(), tuple(values), np.repeat(values, 2)[::2], values.astype(object),
        [np.float64(value) for value in values], by_name, dict(reversed(by_name.items())),
        frame.iloc[5], frame.iloc[5][::-1],
    ):  # fmt: skip
        assert score(row) == wanted
    np.testing.assert_array_equal(score(frame), result.predict_proba(frame)[:, 1])
    assert score(frame.iloc[5:6]) == wanted
    assert score.predict(by_name) == result.predict(frame)[5]
    assert score(np.array([1, 2, 3])) == score([1.0, 2.0, 3.0]) == score([True, 2, 3])
    # Without names in the fit, numbers are taken in their order.
    plain = Predictor(result.coef, result.intercept, result.classes)
    assert plain(frame.iloc[5]) == wanted


@pytest.mark.parametrize(
    ("row", "error", "words"),
    [
        ([1.0, 2.0], ValueError, r"row has shape \(2,\), but the fit had 3 columns"),
        (1.0, ValueError, r"row has shape \(\), but the fit had 3 columns"),
        ([1.0, np.nan, 3.0], ValueError, "row contains NaN in column 'size'; impute first"),
        ([1.0, 2.0, -np.inf], ValueError, "row contains infinity in column 'dose'"),
        ({"age": 1.0, "dose": 2.0}, ValueError, "row lacks 'size'"),
        ({"age": 1, "size": 1, "dose": 1, "x": 1}, ValueError, "row has 'x', which was not in"),
        ({"age": 1, "size": None, "dose": 1}, ValueError, "row contains None"),
        (["1", "2", "3"], TypeError, "row must hold real numbers"),
        ([1.0, None, 3.0], ValueError, "row contains None"),
        ([1j, 0.0, 0.0], TypeError, "row must hold real numbers"),
        (np.ma.masked_array([1.0, 2.0, 3.0]), TypeError, "masked"),
        (np.ones((1, 2)), ValueError, "X has 2 columns"),
        (np.array([[1.0, np.nan, 0.0]]), ValueError, "X contains NaN in column 1"),
    ],
)  # fmt: skip
def test_bad_rows(named, row, error, words) -> None:
    score = named[1].predictor()
    for call in (score, score.predict_proba, score.predict):
        with pytest.raises(error, match=words):
            call(row)


def test_a_dict_needs_names() -> None:
    X, y = problem(60, 3)[:2]
    with pytest.raises(TypeError, match="the fit had no names of columns"):
        fastlogit.fit(X, y, C=1.0).predictor()({"a": 1.0})


def test_bad_models() -> None:
    with pytest.raises(ValueError, match="coef contains NaN"):
        Predictor([np.nan], 0.0, np.array([0, 1]))
    with pytest.raises(ValueError, match="classes has 3 labels, but coef is of 2 classes"):
        Predictor([1.0], 0.0, np.array([0, 1, 2]))
    with pytest.raises(ValueError, match="multi_class must be one of"):
        Predictor([1.0], 0.0, np.array([0, 1]), multi_class="softmax")


def test_terms_that_cancel_beyond_float64_are_refused() -> None:
    score = Predictor([10.0, -10.0], 0.0, np.array([0, 1]))
    with pytest.raises(ValueError, match="X @ coef overflows"):
        score([1e308, 1e308])
    assert score([1e308, 0.0]) == 1.0


def test_it_keeps_its_coefficients_and_can_be_pickled(fitted) -> None:
    X, result = fitted
    score = result.predictor()
    wanted = score.predict_proba(X[0])
    again = pickle.loads(pickle.dumps(score))
    np.testing.assert_array_equal(again.predict_proba(X[0]), wanted)
    assert again.predict(X[0]) == score.predict(X[0])
    assert repr(again) == f"Predictor({len(result.classes)} classes, {X.shape[1]} columns)"
    result.coef[:] = 0.0
    np.testing.assert_array_equal(score.predict_proba(X[0]), wanted)


def test_threads_may_share_one(fitted) -> None:
    X, result = fitted
    score, rows = result.predictor(), np.tile(X, (sized(5, 1), 1))
    with ThreadPoolExecutor(4) as pool:
        found = np.array(list(pool.map(score.predict_proba, rows)))
    np.testing.assert_array_equal(found, result.predict_proba(rows))


@pytest.mark.parametrize("multi_class", ["multinomial", "ovr"])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_estimators_predict_rows_as_many(multi_class, n_classes, monkeypatch) -> None:
    X, y = three_classes(90, 4)[:2] if n_classes == 3 else problem(90, 4)[:2]
    model = LogisticRegression(multi_class=multi_class).fit(X, y)
    for name in ("predict_proba", "predict_log_proba", "decision_function", "predict"):
        call = getattr(model, name)
        wanted = general(monkeypatch, lambda call=call: call(X))
        np.testing.assert_array_equal(call(X), wanted)
        np.testing.assert_array_equal(call(X[4:5]), wanted[4:5])
    if n_classes == 2:
        assert model.result_.predictor()(X[4]) == model.predict_proba(X[4:5])[0, 1]


def test_estimators_keep_their_errors_for_plain_arrays() -> None:
    X, y = problem(60, 3)[:2]
    model = LogisticRegression()
    from sklearn.exceptions import NotFittedError

    with pytest.raises(NotFittedError):
        model.predict_proba(X)
    model.fit(X, y)
    with pytest.raises(ValueError, match="X has 2 features, but LogisticRegression is expecting 3"):
        model.predict_proba(X[:, :2])
    with pytest.raises(ValueError, match=r"X contains NaN in column 1 \(row 0\)"):
        model.predict_proba(np.array([[0.0, np.nan, 0.0]]))
    pd = pytest.importorskip("pandas")
    model.fit(pd.DataFrame(X, columns=NAMES), y)
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        model.predict_proba(X)


def test_what_is_no_row_is_said_so() -> None:
    pd = pytest.importorskip("pandas")
    X, y = problem(60, 3)[:2]
    score = fastlogit.fit(pd.DataFrame(X, columns=NAMES), y, C=1.0).predictor()
    with pytest.raises(ValueError, match="row has 'size' twice"):
        score(pd.Series([1.0, 2.0, 3.0, 4.0], index=["age", "size", "size", "dose"]))
    for size in ([2.0, 3.0], [2.0], np.array([2.0])):
        with pytest.raises(ValueError, match="row has several values for 'size'; it must have one"):
            score({"age": 1.0, "size": size, "dose": 3.0})
    with pytest.raises(ValueError, match="row has several values for 'age'"):
        score({"age": [1.0], "size": [2.0], "dose": [3.0]})
    with pytest.raises(ValueError, match="X has 1 columns, but the fit had 3"):
        score([[1.0], [2.0], [3.0]])
