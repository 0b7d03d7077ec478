"""What scikit-learn's users hand in, and what the fit reads."""

import numpy as np
import pytest
from problems import problem

from fastlogit import BatchSource, LogisticRegression, LogisticRegressionCV
from fastlogit.inputs import scikit_learn, validation

QUIET = {"l1_ratios": (0,), "scoring": "accuracy", "use_legacy_attributes": False}


def test_validation_of_the_package_agrees_on_what_is_plain() -> None:
    """What takes the short way is what the functions take as it is."""
    X = problem(20, 3).X
    for given in (X, X.astype(np.float32), X > 0, (X * 9).astype(np.uint8)):
        assert scikit_learn.is_plain(given)
        assert validation.check_features(given) is given
    for given in (X[0], X[:, :0], X.astype(np.float16), X.astype(object), X.tolist(), X + 1j):
        assert not scikit_learn.is_plain(given)


@pytest.mark.parametrize(
    ("labels", "plain"),
    [
        (np.array([0, 1]), True), (np.array([True, False]), True), (np.array(["a", "b"]), True),
        (np.array([0.0, 2.0]), True), (np.array([0.5, 2.0]), False), ([0, 1], False),
        (np.array([0.0, np.nan]), False), (np.array([[0], [1]]), False),
        (np.array(["a", 1], dtype=object), False),
    ],
)  # fmt: skip
def test_plain_labels(labels, plain) -> None:
    assert scikit_learn.are_plain_labels(labels) == plain


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("dtype", [np.float64, object])
def test_labels_that_are_not_finite_are_refused_at_every_door(bad, dtype) -> None:
    """scikit-learn makes integers of such labels first, with a warning of NumPy's."""
    X = problem(20, 3).X
    y = np.array([0, 1] * 9 + [1, bad], dtype=dtype)
    source = BatchSource(lambda: iter([(X, y)]))
    for fit in (
        lambda: LogisticRegression().fit(X, y),
        lambda: LogisticRegression().fit(X.astype(object), y),
        lambda: LogisticRegression().fit(source),
        lambda: LogisticRegression().partial_fit(X, y, classes=[0, 1]),
        lambda: LogisticRegression().partial_fit(X, y, classes=y),
        lambda: LogisticRegressionCV(cv=2, **QUIET).fit(X, y),
    ):
        with pytest.raises(ValueError, match=r"y contains (NaN|inf|nan)|batch 0: y contains"):
            fit()


def test_whole_numbers_beyond_every_integer_are_labels() -> None:
    X = problem(20, 3).X
    y = np.array([0, 1e300] * 10)
    source = BatchSource(lambda: iter([(X, y)]))
    for model in (LogisticRegression().fit(X, y), LogisticRegression().fit(source)):
        assert list(model.classes_) == [0, 1e300]
    model = LogisticRegression().partial_fit(X, y, classes=[0, 1e300])
    assert set(model.predict(X)) <= {0, 1e300}


@pytest.mark.parametrize(
    ("given", "read"),
    [
        (np.float64, np.float64), (np.float32, np.float32), (np.float16, np.float64),
        (np.longdouble, np.float64), (np.int32, np.int32), (np.bool_, np.bool_),
    ],
)  # fmt: skip
def test_number_types(given, read) -> None:
    X = np.ones((2, 2), dtype=given)
    assert scikit_learn.read_features(X).dtype == read
    assert (scikit_learn.read_features(X) is X) == (given == read)


@pytest.mark.parametrize("hidden", [np.ma.masked_array(np.ones((2, 2)), [[0, 1], [0, 0]])])
def test_what_a_conversion_would_hide_is_refused(hidden) -> None:
    with pytest.raises(TypeError, match="mask"):
        scikit_learn.read_features(hidden)


@pytest.mark.parametrize("left", [np.ones((2, 2)) * 1j, np.array([["a", "b"]])])
def test_what_scikit_learn_has_words_for_is_left_to_it(left) -> None:
    assert scikit_learn.read_features(left) is left
