"""Categorical columns in functions that do many fits of rows in memory: as their indicators."""

import numpy as np
import pandas as pd
import pytest
from coded_frames import FRAME, FULL, REFERENCE, Y, frame_of, indicators
from scipy.sparse import csr_array

import fastlogit

# Many fits, which take minutes in plain Python.
pytestmark = pytest.mark.jit

GROUPS = np.arange(len(Y)) % 3
CODED = {"full": {"C": 1.0}, "reference": {}}
PLAIN = {coding: indicators(FRAME, coding).to_numpy() for coding in CODED}


@pytest.mark.parametrize("coding", CODED)
def test_groups(coding) -> None:
    found = fastlogit.fit_groups(FRAME, Y, GROUPS, **CODED[coding])
    same = fastlogit.fit_groups(PLAIN[coding], Y, GROUPS, **CODED[coding])
    assert found.converged.all()
    assert found.feature_names == (FULL if coding == "full" else REFERENCE)
    np.testing.assert_allclose(found.coef, same.coef, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found.standard_errors, same.standard_errors, rtol=1e-5)
    new = frame_of(40, seed=5)
    np.testing.assert_allclose(
        found.raw_prediction(new, GROUPS[:40]),
        same.raw_prediction(indicators(new, coding).to_numpy(), GROUPS[:40]),
        rtol=1e-5, atol=1e-6,
    )  # fmt: skip


def test_groups_that_lack_levels() -> None:
    """A level that a group has not is at 0 there, or at what the penalty draws to."""
    rows = (FRAME["carrier"] != "AA") | (GROUPS != 1)
    X, y, groups = FRAME[rows], Y[rows], GROUPS[rows]
    found = fastlogit.fit_groups(X, y, groups, C=1.0, prior_mean="pooled")
    lacking = found.coef[1, FULL.index("carrier[AA]")]
    assert lacking == found.pooled.coef[FULL.index("carrier[AA]")] != 0.0
    # The levels of a column add up to the intercept.
    assert found[1].status.name == "COLLINEAR"
    assert found.pooled.feature_names == FULL
    # The pooled fit reads frames as well.
    assert found.pooled.predict(X[:3]).shape == (3,)


def test_new_levels_and_names_of_groups() -> None:
    new = FRAME[:4].assign(carrier=["UA", "XX", "AA", "DL"])
    strict = fastlogit.fit_groups(FRAME, Y, GROUPS, C=1.0)
    with pytest.raises(ValueError, match=r"'XX' in column 'carrier' \(row 1\)"):
        strict.predict(new, GROUPS[:4])
    loose = fastlogit.fit_groups(FRAME, Y, GROUPS, C=1.0, handle_unknown="zero")
    raw = loose.raw_prediction(new, GROUPS[:4])
    known = loose.raw_prediction(FRAME[:4].assign(carrier="UA"), GROUPS[:4])
    at = loose.coef[GROUPS[1], FULL.index("carrier[UA]")]
    np.testing.assert_allclose(raw[1], known[1] - at)
    with pytest.raises(ValueError, match="carrier"):
        strict.predict(FRAME.rename(columns={"carrier": "airline"}), GROUPS)
    with pytest.raises(TypeError, match="data frame with the columns of the fit"):
        strict.predict(PLAIN["full"], GROUPS)


def test_interactions_of_groups() -> None:
    pair = [("carrier", "month")]
    found = fastlogit.fit_groups(FRAME, Y, GROUPS, C=1.0, interactions=pair)
    whole = fastlogit.fit(FRAME[GROUPS == 0], Y[GROUPS == 0], C=1.0, interactions=pair)
    at = [found.feature_names.index(name) for name in whole.feature_names]
    np.testing.assert_allclose(found.coef[0, at], whole.coef, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("coding", CODED)
def test_replicates(coding) -> None:
    options = {"n": 5, "random_state": 0, **CODED[coding]}
    found = fastlogit.bootstrap(FRAME, Y, **options)
    same = fastlogit.bootstrap(PLAIN[coding], Y, **options)
    assert found.feature_names == (FULL if coding == "full" else REFERENCE)
    np.testing.assert_allclose(found.coef, same.coef, rtol=1e-5, atol=1e-6)
    assert found.estimate.predict(FRAME[:3]).shape == (3,)


def test_permutations_of_a_level() -> None:
    found = fastlogit.permutation(FRAME, Y, "carrier[AA]", n=9, random_state=0)
    same = fastlogit.permutation(
        PLAIN["reference"], Y, REFERENCE.index("carrier[AA]"), n=9, random_state=0
    )
    np.testing.assert_allclose(found.statistic, same.statistic, rtol=1e-8)
    np.testing.assert_allclose(found.replicates, same.replicates, rtol=1e-7)


@pytest.mark.parametrize("made", [lambda: FRAME, lambda: csr_array(PLAIN["reference"])])
def test_covariates_of_a_scan(made) -> None:
    columns = np.random.default_rng(3).normal(size=(len(Y), 4))
    found = fastlogit.scan(made(), columns, Y)
    same = fastlogit.scan(PLAIN["reference"], columns, Y)
    np.testing.assert_allclose(found.coef, same.coef, rtol=1e-9)
    np.testing.assert_allclose(found.score, same.score, rtol=1e-9)


def test_a_missing_category_is_named() -> None:
    frame = FRAME.assign(carrier=pd.Categorical([None, *FRAME["carrier"][1:]]))
    calls = (
        lambda: fastlogit.fit_groups(frame, Y, GROUPS),
        lambda: fastlogit.bootstrap(frame, Y),
        lambda: fastlogit.permutation(frame, Y),
        lambda: fastlogit.scan(frame, np.ones((len(Y), 1)), Y),
    )
    for call in calls:
        with pytest.raises(ValueError, match=r"missing category in column 'carrier' \(row 0\)"):
            call()
