"""Categorical columns of frames that come in batches, and in streams: as in memory."""

import itertools

import numpy as np
import pandas as pd
import polars as pl
import pytest
from coded_frames import CARRIERS, FRAME, FULL, REFERENCE, Y, frame_of, labels_of
from scipy.sparse import csr_array

import fastlogit
from fastlogit import BatchSource, LogisticRegression, LogisticRegressionCV

# Rooms above the kernels, with fits that take minutes in plain Python.
pytestmark = pytest.mark.jit

CUTS = (0, 23, 50, len(Y))
TEXT = FRAME.astype({"carrier": str, "month": int})


def parts(X=FRAME, y=Y):
    """Rows in batches."""
    return [(X[a:b], y[a:b]) for a, b in itertools.pairwise(CUTS)]


def source(X=FRAME, y=Y) -> BatchSource:
    return BatchSource(lambda: iter(parts(X, y)))


def each_its_own() -> BatchSource:
    """Batches whose columns declare what their own rows have, in the order of the text."""
    return BatchSource(lambda: iter([
        (X.astype({"carrier": "category", "month": "category"}), y) for X, y in parts(TEXT)
    ]))  # fmt: skip


@pytest.mark.parametrize("options", [
    {"C": 1.0}, {}, {"C": 1.0, "interactions": [("month", "carrier")]},
    {"categories": "reference", "interactions": [("month", "carrier")], "C": 0.3},
    {"C": 1.0, "l1_ratio": 1.0},
])  # fmt: skip
def test_fits_are_those_of_memory(options) -> None:
    found = fastlogit.fit(source(), tol=1e-10, **options)
    same = fastlogit.fit(FRAME, Y, tol=1e-10, **options)
    assert found.converged
    assert found.categories == same.categories
    assert found.feature_names == same.feature_names
    if "l1_ratio" not in options:  # else a whole edge of points is as good, if levels' signs differ
        np.testing.assert_allclose(found.coef, same.coef, atol=1e-4)
    assert found.history[-1] == pytest.approx(same.history[-1], rel=1e-9)
    assert found.history[-1] == pytest.approx(same.history[-1], rel=1e-9)
    np.testing.assert_allclose(found.predict_proba(FRAME), same.predict_proba(FRAME), atol=1e-4)


@pytest.mark.parametrize("made", [
    each_its_own,
    lambda: source(pl.from_pandas(TEXT).with_columns(
        pl.col("carrier").cast(pl.Categorical), pl.col("month").cast(str).cast(pl.Categorical)
    )),
])  # fmt: skip
def test_levels_that_batches_declare_differently_are_sorted(made) -> None:
    found = fastlogit.fit(made(), C=1.0)
    assert found.categories.levels[1] == tuple(sorted(CARRIERS))
    sorted_frame = FRAME.assign(carrier=FRAME["carrier"].cat.reorder_categories(sorted(CARRIERS)))
    same = fastlogit.fit(sorted_frame, Y, C=1.0)
    assert found.feature_names == same.feature_names
    np.testing.assert_allclose(found.coef, same.coef, atol=1e-4)


def test_levels_that_no_row_has_are_left_out() -> None:
    frame = FRAME.assign(carrier=FRAME["carrier"].cat.set_categories(["AAA", *CARRIERS]))
    assert fastlogit.fit(source(frame), C=1.0).feature_names == FULL


def test_softmax_paths_and_cross_validation() -> None:
    y = labels_of(FRAME, 3)
    found = fastlogit.fit(source(y=y), C=1.0, multi_class="multinomial")
    same = fastlogit.fit(FRAME, y, C=1.0, multi_class="multinomial")
    np.testing.assert_allclose(found.coef, same.coef, atol=1e-4)
    path = fastlogit.logistic_path(source(), None, 3)
    assert path.categories.feature_names == FULL
    options = {"Cs": 2, "cv": 2, "l1_ratios": (0,), "use_legacy_attributes": False}
    one = LogisticRegressionCV(scoring="neg_log_loss", **options).fit(source())
    other = LogisticRegressionCV(scoring="neg_log_loss", **options).fit(FRAME, Y)
    np.testing.assert_allclose(one.scores_, other.scores_, atol=1e-5)
    np.testing.assert_array_equal(one.predict(FRAME), other.predict(FRAME))


def test_an_estimator_knows_the_frame() -> None:
    model = LogisticRegression().fit(source())
    assert model.n_features_in_ == 4
    assert model.feature_names_in_.tolist() == list(FRAME)
    assert model.coef_.shape == (1, len(FULL))
    same = LogisticRegression().fit(FRAME, Y)
    np.testing.assert_allclose(model.predict_proba(FRAME), same.predict_proba(FRAME), atol=1e-4)


def test_frames_of_sparse_columns_beside_numbers() -> None:
    X = pd.get_dummies(FRAME, columns=["carrier", "month"], sparse=True, dtype=float)
    found = fastlogit.fit(source(X), C=1.0)
    np.testing.assert_allclose(found.coef, fastlogit.fit(X, Y, C=1.0).coef, atol=1e-4)


MISSING = FRAME.assign(carrier=FRAME["carrier"].where(np.arange(len(Y)) != 51))
BAD = {
    "a missing category": (
        lambda: source(MISSING), r"batch 2: X has a missing category in column 'carrier' \(row 1\)"
    ),
    "NaN": (
        lambda: source(FRAME.assign(delay=np.where(np.arange(len(Y)) == 30, np.nan, 1.0))),
        r"batch 1: X contains NaN in column 'delay' \(row 7\)",
    ),
    "no frame": (
        lambda: BatchSource(lambda: iter([parts()[0], (np.ones((9, 4)), Y[:9])])),
        "batch 1: .*this one is a ndarray",
    ),
    "other columns": (
        lambda: BatchSource(
            lambda: iter([parts()[0], (FRAME[:9].rename(columns={"delay": "late"}), Y[:9])])
        ),
        "batch 1: X has the columns .*'late'",
    ),
    "text of no category": (
        lambda: BatchSource(
            lambda: iter([parts()[0], (FRAME[:9].assign(delay="much"), Y[:9])])
        ),
        "batch 1: X has dtype .*'delay'",
    ),
    "levels of numbers": (
        lambda: BatchSource(lambda: iter([(FRAME[["delay"]][:9], Y[:9]), parts()[1]])),
        "batch 1: a batch takes no categorical columns",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_what_is_wrong_is_said_of_its_batch(name) -> None:
    made, message = BAD[name]
    with pytest.raises((TypeError, ValueError), match=message):
        fastlogit.fit(made(), C=1.0)


def test_another_level_in_a_later_epoch() -> None:
    epochs = iter(range(99))

    def factory():
        X = FRAME if next(epochs) == 0 else TEXT.assign(carrier="XX")
        return iter(parts(X))

    with pytest.raises(ValueError, match=r"'XX' in column 'carrier' \(row 0\).*the same rows each"):
        fastlogit.fit(BatchSource(factory), C=1.0)


def test_wrong_interactions_of_batches() -> None:
    for name, message in (("nobody", "no column of X"), ("delay", "a column of numbers")):
        with pytest.raises(ValueError, match=message):
            fastlogit.fit(source(), C=1.0, interactions=[("carrier", name)])


@pytest.mark.parametrize("coding", ["full", "reference"])
def test_streams_learn_the_levels_that_are_declared(coding) -> None:
    names = FULL if coding == "full" else REFERENCE
    declared = FRAME.assign(carrier=FRAME["carrier"].cat.set_categories([*CARRIERS, "ZZ"]))
    stream, plain = LogisticRegression(categories=coding), LogisticRegression()
    at = names.index("carrier[B6]") + 1
    for X, y in parts(declared):
        stream.partial_fit(X, y, classes=[0, 1])
        rows = np.zeros((len(X), len(names) + 1))
        known = stream._categories
        assert known.feature_names == [*names[:at], "carrier[ZZ]", *names[at:]]
        for row, values in enumerate(X.itertuples(index=False)):
            rows[row] = known.row(list(values))
        plain.partial_fit(csr_array(rows), y, classes=[0, 1])
    np.testing.assert_array_equal(stream.coef_, plain.coef_)
    assert stream.n_features_in_ == 4
    np.testing.assert_array_equal(stream.predict(TEXT), plain.predict(known_rows(known, FRAME)))


def known_rows(categories, X):
    """Rows as features, one by one."""
    return np.array([categories.row(list(values)) for values in X.itertuples(index=False)])


def test_new_levels_of_a_stream() -> None:
    model = LogisticRegression().partial_fit(FRAME, Y, classes=[0, 1])
    before = model.coef_.copy()
    new = frame_of(9, seed=7).astype({"carrier": str}).assign(carrier="XX")
    with pytest.raises(ValueError, match=r"'XX' in column 'carrier' \(row 0\)"):
        model.partial_fit(new, Y[:9])
    np.testing.assert_array_equal(model.coef_, before)
    model.set_params(handle_unknown="zero").partial_fit(new, Y[:9])
    assert (model.coef_ != before).any()
    with pytest.raises(TypeError, match="must be a data frame"):
        model.partial_fit(np.ones((2, 4)), [0, 1])


def test_interactions_of_a_stream_have_all_pairs() -> None:
    pair = [("carrier", "month")]
    model = LogisticRegression(interactions=pair).partial_fit(FRAME[:5], Y[:5], classes=[0, 1])
    assert model.coef_.shape == (1, len(FULL) + 12)
    no_level = FRAME.assign(carrier=pd.Categorical([None] * len(Y), categories=[]))
    with pytest.raises(ValueError, match="declares no level in column 'carrier'"):
        LogisticRegression().partial_fit(no_level, Y, classes=[0, 1])
